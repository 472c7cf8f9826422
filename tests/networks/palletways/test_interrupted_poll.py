"""A poll killed, cut off or doubled at any point and run again ends in the same order store as an undisturbed one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from tests.conftest import NOW, PROJECT
from tests.killing import DEPLOYMENT, Process, started, until
from tests.killing import killed_at as killed_at_in
from tests.killing import stopping as stopping_in
from tests.networks.palletways.simulated import SimulatedPalletways
from tests.networks.palletways.tracked import Yard, at

from palletflow import deployment
from palletflow.networks.palletways.work import NETWORK
from palletflow.sandbox.postgres import EmbeddedPostgres
from palletflow.store.connection import connect

# What a person would compare: everything but surrogate ids and the moments of writing.
CONTENTS = {
    "consignments": "SELECT to_jsonb(c) - '{id,order_id,created_at,updated_at,delivered_at}'::text[]"
    " FROM consignments c",
    "orders": "SELECT review_reason FROM orders",
    "stops": "SELECT c.tracking_number, to_jsonb(s) - 'consignment_id' FROM stops s"
    " JOIN consignments c ON c.id = s.consignment_id",
    "activity": "SELECT c.tracking_number, a.kind, a.changes, a.warnings FROM activity a"
    " JOIN consignments c ON c.id = a.consignment_id",
    "tracking_events": "SELECT c.tracking_number, to_jsonb(t) - '{id,consignment_id,recorded_at}'::text[]"
    " FROM tracking_events t JOIN consignments c ON c.id = t.consignment_id",
    "tracking_polls": "SELECT c.tracking_number, p.polled_at, p.ended_at FROM tracking_polls p"
    " JOIN consignments c ON c.id = p.consignment_id",
    "network_notes": "SELECT to_jsonb(n) - 'consignment_id' FROM network_notes n",
    "network_deliveries": "SELECT c.tracking_number, to_jsonb(d) - 'consignment_id' FROM network_deliveries d"
    " JOIN consignments c ON c.id = d.consignment_id",
    "stale_consignments": "SELECT c.tracking_number, s.since FROM stale_consignments s"
    " JOIN consignments c ON c.id = s.consignment_id",
    "photo_windows": "SELECT c.tracking_number, w.begun_at, w.single, w.state FROM photo_windows w"
    " JOIN consignments c ON c.id = w.consignment_id",
    "work_items": "SELECT c.tracking_number, w.kind FROM work_items w JOIN consignments c ON c.id::text = w.key",
    "inbound_records": "SELECT stream, record_key, raw, outcome, reason_code FROM inbound_records",
    "unknown_codes": "SELECT * FROM unknown_codes",
    "watermarks": "SELECT network, stream, party, high FROM watermarks",
    "poll_runs": "SELECT to_jsonb(r) - 'expected_since' FROM poll_runs r",
}

WAITING = """
SELECT pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE NOT granted AND datname = current_database()
"""


def contents(dsn: str) -> dict[str, str]:
    with connect(dsn) as conn:
        return {
            table: conn.execute(
                f"SELECT coalesce(string_agg(row::text, '|' ORDER BY row::text), '') FROM ({query}) row".encode()
            ).fetchall()[0][0]
            for table, query in CONTENTS.items()
        }


class Scene:
    """Consignments of every kind, and what an undisturbed poll makes of them. `unpolled`: the database to copy."""

    def __init__(self, postgres: EmbeddedPostgres, migrated: str, folder: Path) -> None:
        self._postgres = postgres
        self.unpolled = "palletways_unpolled"
        self.sim = SimulatedPalletways()
        self.sim.reset()
        self._copy(migrated, self.unpolled)
        with connect(postgres.dsn(self.unpolled)) as conn:
            yard = Yard(conn, "", deployment.load(DEPLOYMENT), self.sim, folder)
            listed = [yard.create() for _ in range(5)]
            yard.create(delivery_date="2026-04-01")
            yard.create("delivery")
        # So that what is delivered today is after the search for photos was switched on.
        self.sim.status(listed[0], 300, at=at(9).isoformat())
        self.sim.status(listed[1], 800)
        self.sim.status(listed[1], 900)
        self.sim.status(listed[2], 900, signatory=None)
        self.sim.status(listed[3], 675)
        self.sim.status(listed[4], 777)
        self.sim.note(self.sim.add(role="delivering"))
        with self.store("palletways_undisturbed") as dsn:
            self.process(dsn).finish()
            self.undisturbed = contents(dsn)
        assert all(self.undisturbed.values())

    def process(self, dsn: str) -> Process:
        return Process(
            PROJECT / "tests" / "networks" / "palletways" / "poll_once.py",
            dsn, self.sim.root, self.sim.keys["123"], DEPLOYMENT, NOW.isoformat(),
        )  # fmt: skip

    @contextmanager
    def store(self, name: str) -> Iterator[str]:
        """An order store before the poll."""
        self._copy(self.unpolled, name)
        yield self._postgres.dsn(name)
        self._drop(name)

    def close(self) -> None:
        self._drop(self.unpolled)
        self.sim.stop()

    def _copy(self, template: str, name: str) -> None:
        with connect(self._postgres.dsn("postgres")) as admin:
            admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())

    def _drop(self, name: str) -> None:
        with connect(self._postgres.dsn("postgres")) as admin:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(scope="module")
def scene(postgres: EmbeddedPostgres, migrated: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(postgres, migrated, tmp_path_factory.mktemp("scene"))
    yield made
    made.close()


@pytest.fixture
def store(scene: Scene) -> Iterator[str]:
    with scene.store("palletways_disturbed") as dsn:
        yield dsn


@pytest.fixture
def start(scene: Scene, store: str) -> Iterator[Callable[..., Process]]:
    yield from started(partial(scene.process, store))


stopping = partial(stopping_in, network=NETWORK)
killed_at = partial(killed_at_in, network=NETWORK)


@pytest.mark.rule("PW-4.3-4")
@pytest.mark.parametrize(
    "table",
    [
        "inbound_records",
        "network_notes",
        "watermarks",
        "poll_runs",
        "tracking_events",
        "unknown_codes",
        "network_deliveries",
        "stops",
        "photo_windows",
        "work_items",
        "tracking_polls",
        "activity",
        "stale_consignments",
    ],
)
def test_killed_where_it_writes_the_next_run_is_whole(scene, store, start, table):
    killed_at(store, table, start)

    start().finish()
    assert contents(store) == scene.undisturbed


@pytest.mark.rule("PW-4.3-1")
@pytest.mark.parametrize("calls", [1, 2, 4, 6, 8])
def test_killed_after_so_many_calls_the_next_run_is_whole(scene, store, start, calls):
    before = len(scene.sim.journal())
    # The next call is not answered, so that it is killed within it.
    scene.sim.switch(hang={"*": {"value": True, "after": calls, "times": 1}})
    process = start()
    until(lambda: len(scene.sim.journal()) > before + calls)
    process.kill()
    scene.sim.switch(hang="off")

    start().finish()
    assert contents(store) == scene.undisturbed


@pytest.mark.rule("PW-4.3-1")
def test_two_polls_at_once_end_like_one(scene, store, start):
    with stopping(store, "tracking_events") as until_stopped:
        processes = [start(), start()]
        until_stopped(2)

    for process in processes:
        process.finish()
    assert contents(store) == scene.undisturbed


@pytest.mark.rule("PW-4.3-1")
def test_a_lost_order_store_leaves_what_was_stored_and_the_next_run_is_whole(scene, store, start):
    with connect(store) as holder:
        with holder.transaction():
            holder.execute("LOCK TABLE network_deliveries IN EXCLUSIVE MODE")
            process = start()
            until(lambda: holder.execute(WAITING).fetchone())
            holder.execute("SELECT pg_terminate_backend(%s)", holder.execute(WAITING).fetchone())
        process.end()

    start().finish()
    assert contents(store) == scene.undisturbed
