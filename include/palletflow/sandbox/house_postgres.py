"""The Postgres of a house for a command that runs beside it: the one that runs, or one of its own for that long."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from palletflow.sandbox.house_lock import HouseRuns, house_lock
from palletflow.sandbox.postgres import EmbeddedPostgres, create_databases
from palletflow.sandbox.settings import HouseSettings


@contextmanager
def house_postgres(settings: HouseSettings, *, may_run: bool) -> Iterator[str]:
    """Yields the libpq URI of the server, whose databases are there.

    A house that does not run is locked on the way, so that it cannot start meanwhile. Raises HouseRuns when it runs
    and may not (`may_run`), other SandboxErrors when the server does not come up.
    """
    with ExitStack() as stack:
        embedded = None if settings.postgres else EmbeddedPostgres(settings.home, settings.postgres_port)
        server = settings.postgres or (embedded.dsn("postgres") if embedded else "")
        try:
            stack.enter_context(house_lock(settings.home))
            if embedded:
                stack.enter_context(embedded)
            else:
                create_databases(server)
        except HouseRuns:
            if not may_run:
                raise
            # Then its Postgres runs too.
        yield server
