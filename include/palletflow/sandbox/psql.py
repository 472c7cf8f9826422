"""`make psql`: the order store at the terminal, with the psql of the embedded Postgres."""

import os
from urllib.parse import unquote, urlsplit

from palletflow.sandbox.postgres import ORDER_STORE_DATABASE, EmbeddedPostgres, with_database
from palletflow.sandbox.postgres_binaries import installation_in_wheel
from palletflow.sandbox.settings import from_environment


def main(arguments: list[str]) -> int:
    """Becomes psql; returns only when that fails. The house must be running, unless PALLETFLOW_POSTGRES is set.

    arguments: passed on, e.g. ["-c", "select count(*) from consignments"].
    """
    settings = from_environment()
    server = settings.postgres or EmbeddedPostgres(settings.home, settings.postgres_port).dsn("postgres")
    parts = urlsplit(with_database(server, ORDER_STORE_DATABASE))
    # The password goes through the environment, because everybody on the machine can read command lines.
    user, _, address = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    uri = parts._replace(netloc=f"{name}@{address}" if name else address).geturl()
    program = installation_in_wheel() / "bin" / "psql"
    given = {"PGPASSWORD": unquote(password)} if password else {}
    os.execve(program, [str(program), uri, *arguments], {**os.environ, **given})  # noqa: S606 (the wheel's program)
