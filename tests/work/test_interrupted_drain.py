"""A drain killed or cut off between any two steps leaves items that come due again and end as if nothing had been."""

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.waiting import until

from palletflow.store import work_items
from palletflow.store.connection import connect

PATIENCE_S = 30
KEYS = [str(number) for number in range(12)]


class Process:
    """A drain in a process of its own."""

    def __init__(self, dsn, network):
        script = Path(__file__).with_name("drain_once.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script), dsn, str(network)], stdout=subprocess.PIPE, text=True
        )

    def kill(self):
        self._process.kill()
        self._process.communicate()

    def finish(self):
        """How many items it has done."""
        said, _ = self._process.communicate(timeout=PATIENCE_S)
        assert self._process.returncode == 0
        return int(said)


@contextmanager
def locked(dsn, table, mode):
    """Holds a table so that a drain stops where it needs it."""
    with connect(dsn) as conn, conn.transaction():
        conn.execute(f"LOCK TABLE {table} IN {mode} MODE".encode())
        yield conn


def until_stopped(conn, table, sessions=1):
    """Waits until so many sessions wait for the table; their backends' pids."""
    waiting = "SELECT pid FROM pg_locks WHERE NOT granted AND relation = %s::regclass"
    stopped = until(lambda: len(found := conn.execute(waiting, (table,)).fetchall()) >= sessions and found)
    return [pid for (pid,) in stopped]


def until_alone(conn):
    """Waits until the database has noticed that a killed process is gone."""
    others = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    until(lambda: conn.execute(others).fetchone() is None)


@pytest.fixture
def network(tmp_path):
    return tmp_path / "network"


@pytest.fixture
def whole(conn, network, fetch):
    """Asserts that everything was told once, recorded once, and nothing is left."""

    def check():
        assert sorted(network.read_text().split(), key=int) == KEYS
        assert sorted((key for (key,) in fetch("SELECT connection FROM connection_flags")), key=int) == KEYS
        assert fetch("SELECT count(*) FROM work_items") == [(0,)]

    return check


@pytest.fixture
def queue(conn):
    work_items.enqueue(conn, "palletforce", "dispatch", KEYS)


def end_leases(conn):
    """As if a minute had passed; how many items were under a lease."""
    return conn.execute("UPDATE work_items SET due_at = now() WHERE lease IS NOT NULL").rowcount


def test_an_undisturbed_drain_is_whole(queue, dsn, network, whole):
    assert Process(dsn, network).finish() == len(KEYS)
    whole()


def test_killed_while_it_claims_the_claim_may_go_through_and_its_leases_end(queue, conn, dsn, network, whole):
    with locked(dsn, "work_items", "ACCESS EXCLUSIVE") as holder:
        process = Process(dsn, network)
        until_stopped(holder, "work_items")
        process.kill()

    until_alone(conn)
    assert not network.exists()
    end_leases(conn)
    assert Process(dsn, network).finish() == len(KEYS)
    whole()


def test_killed_while_it_stores_results_it_leaves_them_to_the_leases_end(queue, conn, dsn, network, whole, fetch):
    with locked(dsn, "connection_flags", "EXCLUSIVE") as holder:
        process = Process(dsn, network)
        until_stopped(holder, "connection_flags", sessions=4)
        process.kill()

    assert fetch("SELECT count(*) FROM connection_flags") == [(0,)]
    assert len(network.read_text().split()) == 4, "the network was told already"
    assert Process(dsn, network).finish() == len(KEYS) - 4, "what is under a lease is left alone"
    assert end_leases(conn) == 4
    assert Process(dsn, network).finish() == 4
    whole()


def test_killed_while_it_ends_items_their_results_are_gone_too(queue, conn, dsn, network, whole, fetch):
    with connect(dsn) as ends, ends.transaction():
        with locked(dsn, "connection_flags", "EXCLUSIVE") as holder:
            process = Process(dsn, network)
            until_stopped(holder, "connection_flags", sessions=4)
            ends.execute("SELECT FROM work_items WHERE lease IS NOT NULL FOR SHARE")
        until(
            lambda: (
                conn.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%DELETE%'"
                ).fetchone()
                == (4,)
            )
        )
        process.kill()

    until_alone(conn)
    assert fetch("SELECT count(*) FROM connection_flags") == [(0,)]
    assert end_leases(conn) == 4
    assert Process(dsn, network).finish() == len(KEYS)
    whole()


@pytest.mark.parametrize("told", [1, 3, 5, 8, 11])
def test_killed_at_any_moment_the_next_drains_are_whole(queue, conn, dsn, network, whole, told):
    process = Process(dsn, network)
    until(lambda: network.exists() and len(network.read_text().split()) >= told, pause=0.005)
    process.kill()

    until_alone(conn)
    end_leases(conn)
    Process(dsn, network).finish()
    whole()


def test_cut_off_from_the_database_while_it_stores_results_it_stores_them_again(queue, dsn, network, whole):
    with locked(dsn, "connection_flags", "EXCLUSIVE") as holder:
        process = Process(dsn, network)
        for pid in until_stopped(holder, "connection_flags", sessions=4):
            holder.execute("SELECT pg_terminate_backend(%s)", (pid,))
        until_stopped(holder, "connection_flags", sessions=4)
    assert process.finish() == len(KEYS)
    whole()


def test_cut_off_while_it_claims_it_claims_again(queue, dsn, network, whole):
    with locked(dsn, "work_items", "ACCESS EXCLUSIVE") as holder:
        process = Process(dsn, network)
        [pid] = until_stopped(holder, "work_items")
        holder.execute("SELECT pg_terminate_backend(%s)", (pid,))
    assert process.finish() == len(KEYS)
    whole()


def test_two_processes_share_the_work(queue, dsn, network, whole):
    with locked(dsn, "work_items", "ACCESS EXCLUSIVE") as holder:
        first, second = Process(dsn, network), Process(dsn, network)
        until_stopped(holder, "work_items", sessions=2)
    assert first.finish() + second.finish() == len(KEYS)
    whole()
