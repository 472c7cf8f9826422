"""The Postgres of a house for `make login`, `make backup` and `make restore`, whether the house runs or not."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from palletflow.sandbox.house_lock import HouseRuns, house_lock
from palletflow.sandbox.house_postgres import house_postgres
from palletflow.sandbox.postgres import ORDER_STORE_DATABASE, EmbeddedPostgres, with_database
from palletflow.sandbox.settings import HouseSettings, from_environment


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[HouseSettings]:
    names = ("PALLETFLOW_PORT", "PALLETFLOW_POSTGRES_PORT", "PALLETFLOW_SIMULATOR_PORT")
    settings = from_environment({"PALLETFLOW_HOME": str(tmp_path), **dict.fromkeys(names, "0")})
    yield settings
    EmbeddedPostgres(settings.home, settings.postgres_port).remove()


def test_a_house_that_does_not_run_gets_its_postgres_for_that_long_and_cannot_start(settings: HouseSettings) -> None:
    with house_postgres(settings, may_run=False) as server:
        with psycopg.connect(with_database(server, ORDER_STORE_DATABASE)) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(HouseRuns), house_lock(settings.home):
            pytest.fail("the house started beside the command")

    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server, connect_timeout=5)
    with house_lock(settings.home):
        pass  # free again


def test_the_postgres_of_a_house_that_runs_is_used_where_it_may_run(settings: HouseSettings) -> None:
    running = EmbeddedPostgres(settings.home, settings.postgres_port, durable=False)
    running.start()
    try:
        with house_lock(settings.home):
            with house_postgres(settings, may_run=True) as server, psycopg.connect(server):
                pass
            with pytest.raises(HouseRuns, match="already running"), house_postgres(settings, may_run=False):
                pytest.fail("a house that runs was taken for one that does not")
        assert running.child.running
    finally:
        running.stop()
