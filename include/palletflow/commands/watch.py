"""palletflow watch: looks at the house once a minute, tells people, emits metrics; until it is stopped."""

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Registers the command among argparse's subcommands."""
    parser = commands.add_parser("watch", help="look at the house once a minute, tell people, emit metrics")
    parser.add_argument("--sign", type=Path, metavar="FILE", help="touched after every look, whatever was seen")
    parser.set_defaults(command=_watch)


def _watch(options: argparse.Namespace) -> None:
    # Airflow takes seconds to import; the other commands do without it.
    from palletflow.airflow.watch import main

    main(options.sign)
