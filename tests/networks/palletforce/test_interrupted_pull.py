"""A pull killed, cut off or doubled at any point ends in the same order store as an undisturbed one."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from palletflow.sandbox.postgres import EmbeddedPostgres
from palletflow.store import migrate
from palletflow.store.connection import DatabaseUnavailable, connect

NOW = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)
PROJECT = Path(__file__).parents[3]
PATIENCE_S = 30

# What a person would compare: everything but surrogate ids and the moments of writing.
CONTENTS = {
    "orders": "SELECT source, source_key, reference, reference_2, review_reason, customers.code FROM orders "
    "JOIN customers ON customers.id = customer_id",
    "consignments": "SELECT to_jsonb(c) - '{id,order_id,created_at,updated_at,read_at,delivered_at}'::text[]"
    " FROM consignments c",
    "stops": "SELECT c.tracking_number, to_jsonb(s) - 'consignment_id' FROM stops s "
    "JOIN consignments c ON c.id = s.consignment_id",
    "pallets": "SELECT c.tracking_number, p.number, p.pallet_type, p.removed_at IS NULL FROM pallets p "
    "JOIN consignments c ON c.id = p.consignment_id",
    "activity": "SELECT c.tracking_number, a.kind, a.changes, a.warnings FROM activity a "
    "JOIN consignments c ON c.id = a.consignment_id",
    "inbound_records": "SELECT raw, outcome, reason_code, field, reason, warnings, settled_at FROM inbound_records",
    "watermarks": "SELECT network, stream, party, high FROM watermarks",
    "poll_runs": "SELECT to_jsonb(r) - 'expected_since' FROM poll_runs r",
    "customers": "SELECT code, name, network, account FROM customers "
    "LEFT JOIN customer_network_accounts ON customer_id = customers.id",
}


def table_hashes(dsn: str) -> dict[str, str]:
    with connect(dsn) as conn:
        return {
            table: conn.execute(
                f"SELECT md5(string_agg(row::text, '|' ORDER BY row::text)) FROM ({query}) row".encode()
            ).fetchall()[0][0]
            for table, query in CONTENTS.items()
        }


class Process:
    """A pull in a process of its own."""

    def __init__(self, dsn: str, simulator) -> None:
        plan = str(PROJECT / "include" / "deployment.yaml")
        self._process = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("pull_once.py")),
                dsn,
                simulator.base_url,
                plan,
                NOW.isoformat(),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def until_committed(self) -> None:
        assert self._process.stdout.readline() == "committed\n"

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def finish(self) -> None:
        self._process.communicate("\n" * 10, timeout=PATIENCE_S)
        assert self._process.returncode == 0


@contextmanager
def locked(dsn: str, table: str, mode: str) -> Iterator[psycopg.Connection]:
    """Holds a table so that a pull stops where it needs it."""
    with connect(dsn) as conn, conn.transaction():
        conn.execute(f"LOCK TABLE {table} IN {mode} MODE".encode())
        yield conn


def until_stopped(conn: psycopg.Connection, table: str) -> int:
    """Waits until a pull waits for the table; its backend's pid."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        waiting = conn.execute(
            "SELECT pid FROM pg_locks WHERE NOT granted AND relation = %s::regclass", (table,)
        ).fetchone()
        if waiting:
            return int(waiting[0])
        time.sleep(0.02)
    raise AssertionError(f"no pull ever waited for {table}")


@pytest.fixture
def freight(simulator):
    simulator.create(depot="900", count=130)
    simulator.create(depot="900", role="requested", overrides={"weight": "heavy"})
    simulator.create(depot="900", role="requested", consignmentStatus="CANCELLED")
    return simulator


@pytest.fixture
def undisturbed(freight, postgres, migrated) -> dict[str, str]:
    """Table hashes after a pull that nobody disturbed, in a store of its own."""
    with connect(postgres.dsn("postgres")) as admin:
        admin.execute(f"CREATE DATABASE undisturbed TEMPLATE {migrated}".encode())
        Process(postgres.dsn("undisturbed"), freight).finish()
        hashes = table_hashes(postgres.dsn("undisturbed"))
        admin.execute("DROP DATABASE undisturbed WITH (FORCE)")
    assert all(hashes.values())
    return hashes


@pytest.mark.parametrize(
    ("point", "table", "mode"),
    [
        ("after fetch", "consignments", "ACCESS EXCLUSIVE"),
        ("after landing", "inbound_batches", "EXCLUSIVE"),
        ("during upsert", "stops", "EXCLUSIVE"),
        ("before the watermark", "watermarks", "EXCLUSIVE"),
    ],
)
def test_killed_before_the_commit_nothing_is_there_and_the_rerun_is_whole(
    freight, dsn, undisturbed, fetch, point, table, mode
):
    with locked(dsn, table, mode) as holder:
        process = Process(dsn, freight)
        until_stopped(holder, table)
        process.kill()

    assert fetch("SELECT (SELECT count(*) FROM consignments) + (SELECT count(*) FROM watermarks)") == [(0,)]
    Process(dsn, freight).finish()
    assert table_hashes(dsn) == undisturbed


def test_killed_after_the_commit_the_rerun_changes_nothing(freight, dsn, undisturbed):
    process = Process(dsn, freight)
    process.until_committed()
    process.kill()

    # Only that it came to its end is not known yet.
    assert table_hashes(dsn) | {"poll_runs": undisturbed["poll_runs"]} == undisturbed
    Process(dsn, freight).finish()
    assert table_hashes(dsn) == undisturbed


def test_two_pulls_at_once_end_like_one(freight, dsn, undisturbed):
    with locked(dsn, "stops", "EXCLUSIVE") as holder:
        first, second = Process(dsn, freight), Process(dsn, freight)
        until_stopped(holder, "stops")

    for process in (first, second):
        process.finish()
    assert table_hashes(dsn) == undisturbed


def test_a_lost_database_connection_in_the_middle_stores_nothing_and_the_rerun_is_whole(
    freight, dsn, undisturbed, fetch
):
    with locked(dsn, "stops", "EXCLUSIVE") as holder:
        process = Process(dsn, freight)
        holder.execute("SELECT pg_terminate_backend(%s)", (until_stopped(holder, "stops"),))
        with pytest.raises(AssertionError):
            process.finish()

    assert fetch("SELECT count(*) FROM consignments") == [(0,)]
    Process(dsn, freight).finish()
    assert table_hashes(dsn) == undisturbed


def test_a_database_that_is_down_is_said_clearly_and_comes_back(tmp_path):
    server = EmbeddedPostgres(tmp_path, durable=False)
    server.start()
    dsn = server.dsn("palletflow")
    migrate.upgrade(dsn)
    server.stop()

    with pytest.raises(DatabaseUnavailable, match=r"The order store does not answer.*AIRFLOW_CONN_ORDER_STORE"):
        connect(dsn)
    with pytest.raises(DatabaseUnavailable):
        migrate.upgrade(dsn)

    server.start()
    try:
        with connect(dsn) as conn:
            assert conn.execute("SELECT count(*) FROM orders").fetchone() == (0,)
    finally:
        server.remove()
