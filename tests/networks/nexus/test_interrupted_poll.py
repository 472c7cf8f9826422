"""A poll killed, cut off or doubled at any point ends in the same order store as an undisturbed one."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from tests.conftest import NOW
from tests.killing import DEPLOYMENT, Process
from tests.networks.nexus.polling import change
from tests.networks.nexus.simulated import SimulatedNexus

from palletflow.sandbox.postgres import EmbeddedPostgres
from palletflow.store.connection import connect

PATIENCE_S = 60
# What a person would compare: everything but surrogate ids and the moments of writing.
CONTENTS = {
    "orders": "SELECT source, source_key, reference, review_reason, cancelled_at IS NULL, customers.code FROM orders "
    "JOIN customers ON customers.id = customer_id",
    "consignments": "SELECT to_jsonb(c) - '{id,order_id,created_at,updated_at,delivered_at}'::text[]"
    " FROM consignments c",
    "stops": "SELECT c.tracking_number, to_jsonb(s) - 'consignment_id' FROM stops s "
    "JOIN consignments c ON c.id = s.consignment_id",
    "pallets": "SELECT c.tracking_number, p.number, p.pallet_type, p.details, p.removed_at IS NULL FROM pallets p "
    "JOIN consignments c ON c.id = p.consignment_id",
    "pallet_barcodes": "SELECT c.tracking_number, b.pallet_number, b.barcode, b.state FROM pallet_barcodes b "
    "JOIN consignments c ON c.id = b.consignment_id",
    "activity": "SELECT c.tracking_number, a.kind, a.changes, a.warnings FROM activity a "
    "JOIN consignments c ON c.id = a.consignment_id",
    "tracking_events": "SELECT c.tracking_number, to_jsonb(t) - '{id,consignment_id,recorded_at}'::text[] "
    "FROM tracking_events t JOIN consignments c ON c.id = t.consignment_id",
    "tracking_polls": "SELECT c.tracking_number, p.polled_at, p.ended_at FROM tracking_polls p "
    "JOIN consignments c ON c.id = p.consignment_id",
    "work_items": "SELECT c.tracking_number, w.kind FROM work_items w JOIN consignments c ON c.id::text = w.key",
    "inbound_records": "SELECT raw, outcome, reason_code, field, reason, warnings, settled_at FROM inbound_records",
    # A bad one has been tried as often as it was read.
    "listed_records": "SELECT to_jsonb(r) - 'tries', tries > 0 FROM listed_records r",
    "watermarks": "SELECT network, stream, party, high FROM watermarks",
    "poll_runs": "SELECT to_jsonb(r) - 'expected_since' FROM poll_runs r",
}
PAUSE_BEFORE_READ_WHOLE = """
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NEW; END $$;
CREATE TRIGGER hold BEFORE UPDATE ON listed_records FOR EACH ROW EXECUTE FUNCTION hold();
"""


def contents(dsn: str) -> dict[str, str]:
    with connect(dsn) as conn:
        return {
            table: conn.execute(
                f"SELECT md5(string_agg(row::text, '|' ORDER BY row::text)) FROM ({query}) row".encode()
            ).fetchall()[0][0]
            for table, query in CONTENTS.items()
        }


def polling(dsn: str, sim: SimulatedNexus) -> Process:
    """A poll in a process of its own."""
    return Process(Path(__file__).with_name("poll_once.py"), dsn, sim.base_url, DEPLOYMENT, NOW.isoformat())


@contextmanager
def locked(dsn: str, table: str, mode: str) -> Iterator[psycopg.Connection]:
    """Holds a table so that a poll stops where it needs it."""
    with connect(dsn) as conn, conn.transaction():
        conn.execute(f"LOCK TABLE {table} IN {mode} MODE".encode())
        yield conn


@contextmanager
def held_before_rows_count_as_read(dsn: str) -> Iterator[psycopg.Connection]:
    """Lets polls stop when everything of a consignment is stored, and its row does not count as read yet."""
    with connect(dsn) as conn:
        conn.execute(PAUSE_BEFORE_READ_WHOLE)
        with conn.transaction():
            conn.execute("SELECT pg_advisory_xact_lock(7)")
            yield conn
        conn.execute("DROP FUNCTION hold CASCADE")


def until_stopped(conn: psycopg.Connection) -> int:
    """Waits until a poll waits for a lock; its backend's pid."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        waiting = conn.execute(
            "SELECT pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
            " WHERE NOT granted AND datname = current_database()"
        ).fetchone()
        if waiting:
            return int(waiting[0])
        time.sleep(0.02)
    raise AssertionError("no poll ever waited")


class Scene:
    """What a second poll finds, new, moved, changed, cancelled, bad and international ones, and how it ends.

    `polled_once`: the database of the first poll, to copy.
    """

    def __init__(self, postgres: EmbeddedPostgres, migrated: str) -> None:
        self._postgres = postgres
        self.sim = SimulatedNexus()
        self.sim.reset()
        self.polled_once = "polled_once"
        self._copy(migrated, self.polled_once)
        ids = self.sim.add_many(count=8, role="requesting", pallets=2)
        polling(postgres.dsn(self.polled_once), self.sim).finish()
        with connect(postgres.dsn(self.polled_once)) as conn:
            conn.execute("DELETE FROM watermarks")  # the second poll's would be the same
            conn.execute("DELETE FROM poll_runs")
        self.sim.add_many(count=55, role="delivery")
        self.sim.add(role="delivery", overrides={"delAddressPostcode": None})
        self.sim.add(role="requesting", pallets=["Euro Full"])
        self.sim.scan(ids[0], "Collected", dateTime=(NOW - timedelta(minutes=5)).isoformat())
        self.sim.scan(ids[1], "Delivered", barcode=None, dateTime=(NOW - timedelta(minutes=4)).isoformat())
        self.sim.scan(ids[2], "Cancelled", barcode=None, dateTime=(NOW - timedelta(minutes=3)).isoformat())
        change(self.sim, ids[3], customerReference="PO-NEW", startWindow="10:00")
        with self.store("polled_twice") as dsn:
            polling(dsn, self.sim).finish()
            self.undisturbed = contents(dsn)
        assert all(self.undisturbed.values())

    @contextmanager
    def store(self, name: str) -> Iterator[str]:
        """An order store after the first poll."""
        self._copy(self.polled_once, name)
        yield self._postgres.dsn(name)
        self._drop(name)

    def close(self) -> None:
        self._drop(self.polled_once)
        self.sim.stop()

    def _copy(self, template: str, name: str) -> None:
        with connect(self._postgres.dsn("postgres")) as admin:
            admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())

    def _drop(self, name: str) -> None:
        with connect(self._postgres.dsn("postgres")) as admin:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(scope="module")
def scene(postgres: EmbeddedPostgres, migrated: str) -> Iterator[Scene]:
    made = Scene(postgres, migrated)
    yield made
    made.close()


@pytest.fixture
def store(scene: Scene) -> Iterator[str]:
    with scene.store("polled_once_more") as dsn:
        yield dsn


@pytest.mark.rule("NX-7-12")
@pytest.mark.parametrize(
    ("point", "table", "mode"),
    [
        ("before anything is read", "consignments", "ACCESS EXCLUSIVE"),
        ("during an import", "stops", "EXCLUSIVE"),
        ("before the digest of what was made of it", "listed_records", "EXCLUSIVE"),
        ("while statuses are stored", "tracking_events", "EXCLUSIVE"),
        ("before what follows from a delivery", "work_items", "EXCLUSIVE"),
        ("before the watermark", "watermarks", "EXCLUSIVE"),
    ],
)
def test_killed_at_a_step_the_rerun_is_whole(scene, store, point, table, mode):
    with locked(store, table, mode) as holder:
        process = polling(store, scene.sim)
        until_stopped(holder)
        process.kill()

    polling(store, scene.sim).finish()
    assert contents(store) == scene.undisturbed


@pytest.mark.rule("NX-7-9")
def test_killed_before_a_row_counts_as_read_it_is_read_again_and_nothing_is_written_twice(scene, store):
    with held_before_rows_count_as_read(store) as holder:
        process = polling(store, scene.sim)
        until_stopped(holder)
        process.kill()

    polling(store, scene.sim).finish()
    assert contents(store) == scene.undisturbed


@pytest.mark.parametrize("requests", [2, 9, 40, 90])
def test_killed_after_so_many_calls_the_rerun_is_whole(scene, store, requests):
    before = scene.sim.look("requests")["total"]
    process = polling(store, scene.sim)
    deadline = time.monotonic() + PATIENCE_S
    while scene.sim.look("requests")["total"] < before + requests:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()

    polling(store, scene.sim).finish()
    assert contents(store) == scene.undisturbed


def test_a_lost_order_store_in_the_middle_of_a_poll_leaves_what_was_stored_and_the_rerun_is_whole(scene, store):
    with locked(store, "tracking_events", "EXCLUSIVE") as holder:
        process = polling(store, scene.sim)
        holder.execute("SELECT pg_terminate_backend(%s)", (until_stopped(holder),))
        assert process.ended() == 1

    polling(store, scene.sim).finish()
    assert contents(store) == scene.undisturbed


def test_two_polls_at_once_end_like_one(scene, store):
    with locked(store, "tracking_events", "EXCLUSIVE") as holder:
        processes = [polling(store, scene.sim) for _ in range(2)]
        until_stopped(holder)

    for process in processes:
        process.finish()
    assert contents(store) == scene.undisturbed
