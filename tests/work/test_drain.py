"""A drain: what it works off, how often and how many at once, what becomes of failures, when it ends."""

import logging
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from tests.waiting import until

from palletflow.network_errors import AuthFailed, Rejected, Throttled, UnknownOutcome
from palletflow.store import connection_flags, work_items, work_wakeups
from palletflow.store.connection import DatabaseUnavailable, connect
from palletflow.work import drain as draining
from palletflow.work.backoff import Backoff
from palletflow.work.drain import drain
from palletflow.work.handling import Result

NETWORK = "palletforce"
PATIENCE_S = 20
SAID = ("palletforce_900", "UploadManifest", "HTTP 500")


def enqueue(conn, kind, *keys, **options):
    work_items.enqueue(conn, NETWORK, kind, keys, **options)


class Work:
    """Runs drains. `seen` is what the handlers were given, `stop` ends them."""

    def __init__(self, dsn):
        self.dsn, self.seen, self.stop = dsn, [], threading.Event()
        self.opened = []

    def open(self):
        self.opened.append(connect(self.dsn))
        return self.opened[-1]

    def __call__(self, handlers, limits=None, *, linger_s=0.0, most_s=PATIENCE_S, **options):
        limits = limits or dict.fromkeys(handlers, 2)
        return drain(self.open, NETWORK, handlers, limits, linger_s=linger_s, most_s=most_s, stop=self.stop, **options)

    def done(self, _, item):
        self.seen.append(item.key)
        return Result()

    def begin(self, *arguments, **options):
        return Background(lambda: self(*arguments, **options))


class Background(threading.Thread):
    """A drain beside the test."""

    def __init__(self, job):
        super().__init__()
        self._job, self._result = job, None
        self.start()

    def run(self):
        self._result = self._job()

    def result(self):
        self.join(PATIENCE_S)
        assert not self.is_alive()
        return self._result


@pytest.fixture
def work(dsn):
    prepared = Work(dsn)
    yield prepared
    prepared.stop.set()
    until(lambda: all(conn.closed for conn in prepared.opened))


def raising(error):
    def handler(_, item):
        raise error

    return handler


@pytest.fixture
def row(fetch):
    """Columns of the only item."""

    def read(columns):
        [found] = fetch(f"SELECT {columns} FROM work_items")
        return found

    return read


def test_everything_due_is_worked_off_and_counted(conn, work, fetch):
    enqueue(conn, "dispatch", *range(20))
    enqueue(conn, "routing", 100)
    enqueue(conn, "labels", 200)
    assert work({"dispatch": work.done, "routing": work.done}) == {"dispatch": {"done": 20}, "routing": {"done": 1}}
    assert sorted(map(int, work.seen)) == [*range(20), 100]
    assert fetch("SELECT kind, attempts FROM work_items") == [("labels", 0)]


def test_with_nothing_due_it_ends_at_once(conn, work):
    enqueue(conn, "dispatch", 1, due_at=datetime.now(UTC) + timedelta(seconds=2 * PATIENCE_S))
    assert work({"dispatch": work.done}, linger_s=10 * PATIENCE_S) == {}


def test_at_most_so_many_of_a_kind_at_once_and_kinds_do_not_wait_for_each_other(conn, work):
    enqueue(conn, "dispatch", *range(6))
    enqueue(conn, "routing", *range(6))
    busy, highest, both = {"dispatch": 0, "routing": 0}, {"dispatch": 0, "routing": 0}, threading.Event()
    lock = threading.Lock()

    def handler(_, item):
        with lock:
            busy[item.kind] += 1
            highest[item.kind] = max(highest[item.kind], busy[item.kind])
            if busy == {"dispatch": 3, "routing": 1}:
                both.set()
        assert both.wait(PATIENCE_S)
        with lock:
            busy[item.kind] -= 1
        return Result()

    counts = work({"dispatch": handler, "routing": handler}, {"dispatch": 3, "routing": 1})
    assert counts == {"dispatch": {"done": 6}, "routing": {"done": 6}}
    assert highest == {"dispatch": 3, "routing": 1}


def test_a_handler_has_a_connection_of_its_own_with_no_transaction_open(conn, work, fetch):
    enqueue(conn, "dispatch", 1, 2)
    sessions, met = set(), threading.Barrier(2)

    def handler(own, item):
        sessions.add(own.info.backend_pid)
        met.wait(PATIENCE_S)
        assert own.autocommit
        assert own.info.transaction_status == 0
        return Result()

    work({"dispatch": handler})
    assert len(sessions) == 2


def noting(key):
    """A result that stores something one can look for."""
    return lambda conn: connection_flags.raise_flag(conn, key, "noted")


def test_a_result_is_stored_with_the_completion(conn, work, fetch):
    enqueue(conn, "dispatch", 1)
    work({"dispatch": lambda _, item: Result(noting(item.key))})
    assert fetch("SELECT connection FROM connection_flags") == [("1",)]
    assert fetch("SELECT count(*) FROM work_items") == [(0,)]


def test_a_result_that_cannot_be_stored_leaves_nothing_behind_and_is_tried_once_more(conn, work, fetch, row):
    enqueue(conn, "dispatch", 1)

    def half(own):
        noting("half")(own)
        raise KeyError("depot")

    assert work({"dispatch": lambda *_: Result(half)}) == {"dispatch": {"postponed": 1}}
    assert fetch("SELECT count(*) FROM connection_flags") == [(0,)]
    conn.execute("UPDATE work_items SET due_at = now()")
    assert work({"dispatch": lambda *_: Result(half)}) == {"dispatch": {"parked": 1}}
    assert row("last_error LIKE 'KeyError%%'") == (True,)


def test_a_handler_may_ask_to_come_back_or_to_be_kept_for_a_person(conn, work, fetch):
    enqueue(conn, "dispatch", 1)
    enqueue(conn, "routing", 2)
    later = datetime.now(UTC) + timedelta(hours=1)
    counts = work(
        {
            "dispatch": lambda *_: Result(noting("again"), again_at=later),
            "routing": lambda *_: Result(noting("parked"), parked="two answers"),
        }
    )
    assert counts == {"dispatch": {"again": 1}, "routing": {"parked": 1}}
    assert fetch("SELECT kind, attempts, due_at = %s, last_error FROM work_items ORDER BY kind", later) == [
        ("dispatch", 0, True, None),
        ("routing", 1, False, "two answers"),
    ]
    assert fetch("SELECT connection FROM connection_flags ORDER BY 1") == [("again",), ("parked",)]


def test_one_kind_that_fails_neither_stops_nor_repeats_another(conn, work, fetch, caplog):
    enqueue(conn, "dispatch", *range(5))
    enqueue(conn, "routing", *range(5))
    enqueue(conn, "labels", *range(5))
    with caplog.at_level(logging.WARNING):
        counts = work(
            {
                "dispatch": raising(Rejected(*SAID)),
                "routing": work.done,
                "labels": raising(UnknownOutcome(*SAID)),
            }
        )
    assert counts == {"dispatch": {"parked": 5}, "labels": {"postponed": 5}, "routing": {"done": 5}}
    assert sorted(work.seen) == list("01234")
    assert len([line for line in caplog.messages if line.startswith("Parked palletforce.dispatch")]) == 5
    assert fetch("SELECT kind, attempts, parked_at IS NULL FROM work_items GROUP BY 1, 2, 3 ORDER BY 1") == [
        ("dispatch", 1, False),
        ("labels", 1, True),
    ]


def test_attempts_are_counted_across_drains_and_the_last_one_parks(conn, work, row):
    enqueue(conn, "dispatch", 1)
    backoffs = {"dispatch": Backoff(attempts=2)}
    handlers = {"dispatch": raising(UnknownOutcome(*SAID))}
    assert work(handlers, backoffs=backoffs) == {"dispatch": {"postponed": 1}}
    conn.execute("UPDATE work_items SET due_at = now()")
    assert work(handlers, backoffs=backoffs) == {"dispatch": {"parked": 1}}
    assert row("attempts") == (2,)


def test_throttled_comes_again_after_the_pause_and_counts_as_no_attempt(conn, work, row):
    enqueue(conn, "dispatch", 1)
    assert work({"dispatch": raising(Throttled(*SAID, retry_after=200))}) == {"dispatch": {"postponed": 1}}
    assert row("attempts, due_at BETWEEN now() + interval '190 s' AND now() + interval '200 s'") == (0, True)


@pytest.mark.rule("PF-1.3-16")
def test_a_refused_connection_is_flagged_and_its_items_wait(conn, work, row):
    enqueue(conn, "dispatch", 1)
    assert work({"dispatch": raising(AuthFailed(*SAID))}) == {"dispatch": {"postponed": 1}}
    assert row("attempts, parked_at, due_at > now() + interval '100 s'") == (0, None, True)
    assert "HTTP 500" in connection_flags.reason(conn, "palletforce_900")


def test_an_unforeseen_error_is_logged_with_its_traceback(conn, work, caplog):
    enqueue(conn, "dispatch", 1)
    assert work({"dispatch": raising(KeyError("depot"))}) == {"dispatch": {"postponed": 1}}
    assert "in handler" in caplog.text
    assert "KeyError: 'depot'" in caplog.text


def test_an_item_that_ends_its_worker_each_time_is_parked_unseen(conn, work, row):
    enqueue(conn, "dispatch", 1)
    conn.execute("UPDATE work_items SET attempts = 3")
    backoffs = {"dispatch": Backoff(attempts=3)}
    assert work({"dispatch": work.done}, backoffs=backoffs) == {"dispatch": {"parked": 1}}
    assert work.seen == []
    assert row("last_error LIKE 'It was begun 3 times%%'") == (True,)


def test_a_burst_is_one_drain_and_it_ends_after_lingering(conn, work):
    enqueue(conn, "dispatch", 0)
    running = work.begin({"dispatch": work.done}, linger_s=1.0)
    for number in range(1, 6):
        until(lambda before=number: len(work.seen) == before)
        enqueue(conn, "dispatch", number)
    assert running.result() == {"dispatch": {"done": 6}}


def test_while_lingering_it_works_off_what_comes_due_by_time(conn, work):
    enqueue(conn, "dispatch", "now")
    enqueue(conn, "dispatch", "soon", due_at=datetime.now(UTC) + timedelta(seconds=0.3))
    assert work({"dispatch": work.done}, linger_s=2.0) == {"dispatch": {"done": 2}}


def test_what_is_asked_for_while_it_is_worked_on_is_worked_on_again(conn, work):
    enqueue(conn, "dispatch", 1)

    def handler(own, item):
        if not work.seen:
            enqueue(own, "dispatch", 1)
        return work.done(own, item)

    assert work({"dispatch": handler}, linger_s=1.0) == {"dispatch": {"done": 2}}


def test_what_a_handler_enqueues_for_another_kind_follows_at_once(conn, work):
    enqueue(conn, "dispatch", 1)
    handlers = {
        "dispatch": lambda *_: Result(lambda own: enqueue(own, "routing", 1, 2)),
        "routing": work.done,
    }
    assert work(handlers, linger_s=1.0) == {"dispatch": {"done": 1}, "routing": {"done": 2}}


def test_after_its_time_it_begins_nothing_more(conn, work, fetch):
    enqueue(conn, "dispatch", *range(1000))
    counts = work({"dispatch": lambda *_: time.sleep(0.02) or Result()}, most_s=0.3, linger_s=60)
    assert 0 < counts["dispatch"]["done"] < 1000
    assert fetch("SELECT count(*) FROM work_items WHERE lease IS NULL") == [(1000 - counts["dispatch"]["done"],)]


def test_stopped_it_ends_with_what_it_has_begun(conn, work, fetch):
    enqueue(conn, "dispatch", 1, 2, 3)
    begun, go_on = threading.Event(), threading.Event()

    def handler(_, item):
        begun.set()
        assert go_on.wait(PATIENCE_S)
        return Result()

    running = work.begin({"dispatch": handler}, {"dispatch": 1}, linger_s=60)
    assert begun.wait(PATIENCE_S)
    work.stop.set()
    go_on.set()
    assert running.result() == {"dispatch": {"done": 1}}
    assert fetch("SELECT lease, attempts FROM work_items") == [(None, 0)] * 2


def test_while_it_ends_with_what_it_has_begun_the_next_drain_finds_what_is_due(conn, work):
    enqueue(conn, "dispatch", "slow")
    begun, go_on = threading.Event(), threading.Event()

    def handler(_, item):
        begun.set()
        assert go_on.wait(PATIENCE_S)
        return Result()

    running = work.begin({"dispatch": handler}, linger_s=60)
    assert begun.wait(PATIENCE_S)
    assert work_wakeups.others_attend(conn, NETWORK, ["dispatch"])
    work.stop.set()
    until(lambda: not work_wakeups.others_attend(conn, NETWORK, ["dispatch"]))
    go_on.set()
    assert running.result() == {"dispatch": {"done": 1}}


def test_beside_a_drain_that_lingers_another_one_does_not(conn, work):
    enqueue(conn, "dispatch", "slow")
    begun, go_on = threading.Event(), threading.Event()

    def handler(_, item):
        begun.set()
        assert go_on.wait(PATIENCE_S)
        return Result()

    running = work.begin({"dispatch": handler}, {"dispatch": 1}, linger_s=10 * PATIENCE_S)
    assert begun.wait(PATIENCE_S)
    enqueue(conn, "dispatch", "other")
    beside = work.begin({"dispatch": work.done}, linger_s=10 * PATIENCE_S)
    assert beside.result() == {"dispatch": {"done": 1}}
    go_on.set()
    work.stop.set()
    assert running.result() == {"dispatch": {"done": 1}}


def test_a_long_handler_keeps_its_lease(conn, work, row, monkeypatch):
    monkeypatch.setattr(draining, "LEASE_S", 0.6)
    monkeypatch.setattr(draining, "RENEW_EVERY_S", 0.2)
    monkeypatch.setattr(draining, "STOP_LOOK_S", 0.05)
    enqueue(conn, "dispatch", 1)
    began, go_on = threading.Event(), threading.Event()

    def handler(_, item):
        began.set()
        assert go_on.wait(PATIENCE_S)
        return Result()

    running = work.begin({"dispatch": handler})
    assert began.wait(PATIENCE_S)
    [first] = row("due_at")
    until(lambda: row("due_at")[0] > first + timedelta(seconds=1.2))
    go_on.set()
    assert running.result() == {"dispatch": {"done": 1}}


def test_a_worker_whose_lease_was_taken_stores_nothing(conn, work, fetch, row):
    enqueue(conn, "dispatch", 1)

    def handler(own, item):
        own.execute("UPDATE work_items SET due_at = now() - interval '1 s'")
        with connect(work.dsn) as other:
            assert work_items.claim(other, NETWORK, "dispatch", 1, 3600)
        return Result(noting("late"))

    assert work({"dispatch": handler}) == {"dispatch": {"left": 1}}
    assert fetch("SELECT count(*) FROM connection_flags") == [(0,)]
    assert row("attempts") == (2,)


def test_a_worker_whose_lease_is_taken_while_it_stores_its_result_stores_nothing(conn, work, fetch, row):
    enqueue(conn, "dispatch", 1)

    def record(own):
        noting("late")(own)
        with connect(work.dsn) as other:
            other.execute("UPDATE work_items SET due_at = now() - interval '1 s'")
            assert work_items.claim(other, NETWORK, "dispatch", 1, 3600)

    assert work({"dispatch": lambda *_: Result(record)}) == {"dispatch": {"left": 1}}
    assert fetch("SELECT count(*) FROM connection_flags") == [(0,)]
    assert row("attempts") == (2,)


def end_sessions(conn):
    """Ends all other sessions of the database, as a restart of Postgres does."""
    conn.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


def test_lost_connections_are_opened_again_and_nothing_is_done_twice(conn, work, fetch):
    enqueue(conn, "dispatch", *range(40))
    done = []

    def handler(_, item):
        done.append(item.key)
        if item.key in ("5", "25"):
            end_sessions(conn)
        return Result(noting(item.key))

    assert work({"dispatch": handler}, linger_s=1.0) == {"dispatch": {"done": 40}}
    assert sorted(map(int, done)) == list(range(40))
    assert fetch("SELECT count(*) FROM connection_flags") == [(40,)]


def test_a_commit_whose_answer_was_lost_is_not_stored_twice(conn, work, fetch):
    enqueue(conn, "dispatch", 1)
    recorded = []

    class AnswerLost:
        """A connection that commits and then loses the line."""

        def __init__(self, real):
            self._real = real

        def __getattr__(self, name):
            return getattr(self._real, name)

        def transaction(self):
            return Losing(self._real, self._real.transaction())

    class Losing:
        def __init__(self, real, transaction):
            self._real, self._transaction = real, transaction

        def __enter__(self):
            return self._transaction.__enter__()

        def __exit__(self, *error):
            self._transaction.__exit__(*error)
            end_sessions(conn)
            self._real.execute("SELECT")  # raises ConnectionLost

    lossy = iter([False, True])

    def open_connection():
        real = work.open()
        return AnswerLost(real) if next(lossy, False) else real

    handlers = {"dispatch": lambda *_: Result(lambda own: recorded.append(1))}
    drain(open_connection, NETWORK, handlers, {"dispatch": 1}, linger_s=0, most_s=PATIENCE_S, stop=work.stop)
    assert recorded == [1]
    assert fetch("SELECT count(*) FROM work_items") == [(0,)]


def test_an_order_store_that_stays_away_ends_the_drain(monkeypatch):
    monkeypatch.setattr(draining, "OUTAGE_S", 0.3)
    with pytest.raises(DatabaseUnavailable):
        drain(
            lambda: connect("postgresql://nobody@127.0.0.1:1/none"),
            NETWORK,
            {"dispatch": raising(AssertionError)},
            {"dispatch": 1},
            linger_s=0,
            most_s=PATIENCE_S,
            stop=threading.Event(),
        )


def test_two_drains_at_once_do_everything_once(conn, work):
    enqueue(conn, "dispatch", *range(200))
    first, second = (work.begin({"dispatch": work.done}) for _ in range(2))
    first.result(), second.result()
    assert sorted(map(int, work.seen)) == list(range(200))
