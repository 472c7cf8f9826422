"""`make check-connection`: tries an Airflow connection with the environment that the house's processes have."""

import os
import sys
from pathlib import Path

from palletflow.sandbox.postgres import EmbeddedPostgres
from palletflow.sandbox.settings import environment, from_environment


def main(connection: str) -> int:
    """Becomes `palletflow check-connection`; connections that the page has are found while the house runs."""
    settings = from_environment()
    server = settings.postgres or EmbeddedPostgres(settings.home, settings.postgres_port).dsn("postgres")
    given = environment(settings, server)
    program = Path(sys.executable).with_name("palletflow")
    os.execve(program, [str(program), "check-connection", connection], given)  # noqa: S606 - our own command
