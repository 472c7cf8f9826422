"""palletflow check-connection: tries one Airflow connection without changing anything anywhere."""

import argparse
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any


def add(commands: Any) -> None:
    """Registers the command among argparse's subcommands."""
    parser = commands.add_parser(
        "check-connection", help="try one Airflow connection; nothing is sent, stored or told anywhere"
    )
    parser.add_argument("connection", help="its id, e.g. palletforce_900, order_store or alert_mail")
    parser.set_defaults(command=_check)


def _check(options: argparse.Namespace) -> None:
    """One line, and exit code 1 where it does not work."""
    # What libraries log on the way is not wanted beside it, and may hold what must not be shown.
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        # Airflow takes seconds to import; the other commands do without it.
        from palletflow.airflow.connection_check import check

        passed, said = check(options.connection)
    print(f"{options.connection}: {'works' if passed else 'DOES NOT WORK'}. {said[:1].upper()}{said[1:]}")
    if not passed:
        sys.exit(1)
