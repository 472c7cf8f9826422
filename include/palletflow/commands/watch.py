"""palletflow watch: looks at the house once a minute, tells people, emits metrics; until it is stopped."""

import argparse
from typing import Any


def add(commands: Any) -> None:
    """Registers the command among argparse's subcommands."""
    parser = commands.add_parser(
        "watch",
        help="look at the order store and at Airflow once a minute, tell people of what needs them, emit metrics",
    )
    parser.set_defaults(command=_watch)


def _watch(_: argparse.Namespace) -> None:
    # Airflow takes seconds to import; the other commands do without it.
    from palletflow.airflow.watch import main

    main()
