"""The watch tells of due work that nobody attends to, once, and lives through the loss of its order store."""

import asyncio
import contextlib
import threading
from datetime import UTC, datetime, timedelta

import pytest

from palletflow.sandbox.postgres import EmbeddedPostgres
from palletflow.store import migrate, work_items, work_wakeups
from palletflow.store.connection import connect
from palletflow.work import watch as watching
from palletflow.work.watch import unattended_work

NETWORK, KINDS = "palletforce", ["dispatch", "routing"]
PATIENCE_S = 30


class Watch(threading.Thread):
    """A watch in an event loop of its own; `told` counts how often it told."""

    def __init__(self, dsn):
        super().__init__(daemon=True)
        self._dsn = dsn
        self._loop = asyncio.new_event_loop()
        self._change = threading.Condition()
        self.told = 0
        self.start()

    def run(self):
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._watch())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _watch(self):
        self._task = asyncio.current_task()

        async def find_dsn():
            return self._dsn

        async for _ in unattended_work(find_dsn, NETWORK, KINDS):
            with self._change:
                self.told += 1
                self._change.notify_all()

    def has_told(self, times=1, patience=PATIENCE_S):
        with self._change:
            return self._change.wait_for(lambda: self.told >= times, timeout=patience)

    def stop(self):
        self._loop.call_soon_threadsafe(self._task.cancel)
        self.join(PATIENCE_S)
        assert not self.is_alive()


@pytest.fixture
def start(dsn):
    started = []

    def begin(of=dsn):
        started.append(Watch(of))
        return started[-1]

    yield begin
    for watch in started:
        watch.stop()


@pytest.fixture
def listening(conn):
    """Waits until a watch sleeps until it is told."""

    def wait():
        for _ in range(int(PATIENCE_S / 0.01)):
            if conn.execute(
                "SELECT 1 FROM pg_stat_activity WHERE application_name = 'palletflow watch' AND state = 'idle' "
                "AND datname = current_database() AND query LIKE '%extract%'"
            ).fetchone():
                return
            threading.Event().wait(0.01)
        raise AssertionError("no watch ever slept")

    return wait


def enqueue(conn, *keys, kind="dispatch", **options):
    work_items.enqueue(conn, NETWORK, kind, keys, **options)


def claim_all(conn):
    return work_items.claim(conn, NETWORK, "dispatch", 100, 60)


def test_it_tells_of_what_is_due_already(conn, start):
    enqueue(conn, 1)
    assert start().has_told()


def test_it_is_woken_by_what_is_enqueued(conn, start, listening):
    watch = start()
    listening()
    enqueue(conn, 1, kind="routing")
    assert watch.has_told()


def test_it_wakes_when_an_item_comes_due(conn, start):
    enqueue(conn, 1, due_at=datetime.now(UTC) + timedelta(seconds=0.5))
    assert start().has_told()


def test_it_does_not_tell_of_others_work(conn, start, listening):
    watch = start()
    listening()
    work_items.enqueue(conn, "nexus", "dispatch", [1])
    enqueue(conn, 1, kind="labels")
    assert not watch.has_told(patience=0.3)


def test_work_that_stays_untouched_is_told_of_once_and_again_only_much_later(conn, start, monkeypatch):
    monkeypatch.setattr(watching, "UNTOUCHED_LOOK_S", 0.01)
    enqueue(conn, 1)
    watch = start()
    assert watch.has_told()
    for number in range(2, 20):
        enqueue(conn, number)
    assert not watch.has_told(times=2, patience=0.5)


def test_work_that_stays_untouched_for_long_is_told_of_again(conn, start, monkeypatch):
    monkeypatch.setattr(watching, "UNTOUCHED_LOOK_S", 0.01)
    monkeypatch.setattr(watching, "TELL_AGAIN_S", 0.05)
    enqueue(conn, 1)
    assert start().has_told(times=3)


def test_new_work_is_told_of_at_once_after_the_old_was_worked_off(conn, start, listening):
    enqueue(conn, 1)
    watch = start()
    assert watch.has_told()
    work_items.complete(conn, claim_all(conn))
    listening()
    enqueue(conn, 2)
    assert watch.has_told(times=2)


def test_while_a_drain_is_there_it_is_silent_and_tells_of_what_the_drain_leaves(conn, dsn, start, monkeypatch):
    monkeypatch.setattr(watching, "ATTENDED_LOOK_S", 0.02)
    with connect(dsn) as drain:
        work_wakeups.attend(drain, NETWORK, KINDS)
        enqueue(conn, 1)
        watch = start()
        assert not watch.has_told(patience=0.4)
    assert watch.has_told()


def test_a_drain_of_other_kinds_does_not_count(conn, dsn, start):
    with connect(dsn) as drain:
        work_wakeups.attend(drain, NETWORK, ["labels"])
        work_wakeups.attend(drain, "nexus", KINDS)
        enqueue(conn, 1)
        assert start().has_told()


def test_a_killed_workers_items_are_told_of_when_their_lease_ends(conn, start):
    enqueue(conn, 1)
    [item] = claim_all(conn)
    watch = start()
    work_items.renew(conn, [item], 0.3)
    assert watch.has_told()


def test_it_lives_through_a_restart_of_postgres(tmp_path, start, monkeypatch):
    monkeypatch.setattr(watching, "OUTAGE_PAUSES_S", (0.05,))
    server = EmbeddedPostgres(tmp_path, durable=False)
    server.start()
    try:
        dsn = server.dsn("palletflow")
        migrate.upgrade(dsn)
        watch = start(dsn)
        with connect(dsn) as conn:
            enqueue(conn, 1)
            assert watch.has_told()
            work_items.complete(conn, claim_all(conn))
        server.stop()
        assert not watch.has_told(times=2, patience=0.3)
        server.start()
        with connect(dsn) as conn:
            enqueue(conn, 2)
        assert watch.has_told(times=2)
    finally:
        server.remove()
