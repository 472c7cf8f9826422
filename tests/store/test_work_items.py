"""The work queue's rows: asked for once, taken by one, ended only by who holds them, found by index."""

import re
import threading
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from palletflow.store import work_items
from palletflow.store.connection import connect

NETWORK, KIND = "palletforce", "dispatch"
LEASE_S = 60


def enqueue(conn, *keys, kind=KIND, **options):
    work_items.enqueue(conn, NETWORK, kind, keys, **options)


def claim(conn, most=10, kind=KIND, **options):
    return work_items.claim(conn, NETWORK, kind, most, LEASE_S, **options)


def claim_one(conn):
    [item] = claim(conn)
    return item


def end_leases(conn):
    """As if the leases had run out."""
    conn.execute("UPDATE work_items SET due_at = now() - interval '1 s' WHERE lease IS NOT NULL")


@pytest.fixture
def row(fetch):
    """Columns of the only item."""

    def read(columns):
        [found] = fetch(f"SELECT {columns} FROM work_items")
        return found

    return read


def test_an_item_is_asked_for_once_and_its_key_is_text(conn):
    enqueue(conn, 7, 7, "8")
    enqueue(conn, "7")
    assert [item.key for item in claim(conn)] == ["7", "8"]


def test_an_item_that_waits_moves_forward_and_never_back(conn, row):
    soon = datetime.now(UTC) + timedelta(hours=1)
    enqueue(conn, 1, due_at=soon + timedelta(hours=1))
    enqueue(conn, 1, due_at=soon)
    enqueue(conn, 1, due_at=soon + timedelta(hours=2))
    assert row("due_at") == (soon,)
    assert claim(conn) == []


def test_asking_within_a_transaction_that_fails_asks_for_nothing(conn):
    with conn.transaction(force_rollback=True):
        enqueue(conn, 1)
    assert claim(conn) == []


def test_those_due_longest_are_taken_first_and_each_by_one(conn, dsn):
    start = datetime.now(UTC) - timedelta(hours=1)
    for number in (3, 1, 2):
        enqueue(conn, number, due_at=start + timedelta(minutes=number))
    with connect(dsn) as other:
        assert {item.key for item in claim(conn, most=2)} == {"1", "2"}
        assert [item.key for item in claim(other)] == ["3"]
    assert claim(conn) == []


def test_a_row_that_another_holds_locked_is_passed_over(conn, dsn):
    enqueue(conn, 1, 2)
    conn.execute("SET lock_timeout = '1s'")
    with connect(dsn) as other, other.transaction():
        other.execute("SELECT FROM work_items WHERE key = '1' FOR UPDATE")
        assert [item.key for item in claim(conn)] == ["2"]


def test_many_workers_take_every_item_once(conn, dsn):
    enqueue(conn, *range(500))
    taken = []

    def work():
        with connect(dsn) as own:
            while items := claim(own, most=7):
                taken.extend(items)
                work_items.complete(own, items)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(item.key) for item in taken) == list(range(500))
    assert work_items.counts(conn) == []


def test_a_claim_takes_only_its_network_and_kind_and_none_of_those_excepted(conn):
    enqueue(conn, 1, 2)
    enqueue(conn, 3, kind="routing")
    work_items.enqueue(conn, "nexus", KIND, [4])
    assert [item.key for item in claim(conn)] == ["1", "2"]
    end_leases(conn)
    [first] = claim(conn, most=1)
    end_leases(conn)
    assert [item.key for item in claim(conn, besides=[first.id])] == ["2" if first.key == "1" else "1"]


def test_what_a_killed_worker_held_comes_due_again_after_its_lease(conn):
    enqueue(conn, 1)
    lost = claim_one(conn)
    assert claim(conn) == []
    end_leases(conn)
    again = claim_one(conn)
    assert (again.id, again.attempts) == (lost.id, 2)
    assert again.lease != lost.lease


def test_only_the_holder_of_the_lease_ends_an_item(conn, row):
    enqueue(conn, 1)
    late = claim_one(conn)
    end_leases(conn)
    holder = claim_one(conn)

    assert not work_items.held(conn, late)
    assert work_items.complete(conn, [late]) == set()
    assert not work_items.postpone(conn, late, 0, "late", counted=True)
    assert not work_items.park(conn, late, "late")
    assert not work_items.come_again(conn, late, datetime.now(UTC))
    assert work_items.renew(conn, [late], LEASE_S) == set()
    work_items.hand_back(conn, [late])
    assert row("lease, last_error") == (holder.lease, None)

    assert work_items.held(conn, holder)
    assert work_items.renew(conn, [holder], LEASE_S) == {holder.id}
    assert work_items.complete(conn, [holder]) == {holder.id}
    assert not work_items.held(conn, holder)


def ends(conn, item):
    return {
        "complete": lambda: work_items.complete(conn, [item]) == {item.id},
        "come again": lambda: work_items.come_again(conn, item, datetime.now(UTC) + timedelta(days=1)),
        "postpone": lambda: work_items.postpone(conn, item, 3600, "no answer", counted=True),
        "park": lambda: work_items.park(conn, item, "refused"),
    }


@pytest.mark.parametrize("how", ["complete", "come again", "postpone", "park"])
def test_asked_for_again_while_it_is_worked_on_it_is_due_again_however_it_ends(conn, how):
    enqueue(conn, 1)
    item = claim_one(conn)
    enqueue(conn, 1)
    assert claim(conn) == []

    assert ends(conn, item)[how]()

    again = claim_one(conn)
    assert (again.id, again.attempts, again.generation) == (item.id, 1, item.generation + 1)
    assert work_items.complete(conn, [again]) == {item.id}
    assert work_items.counts(conn) == []


def test_a_result_and_the_completion_are_one_transaction(conn):
    enqueue(conn, 1)
    item = claim_one(conn)
    with conn.transaction(force_rollback=True):
        work_items.complete(conn, [item])
    assert work_items.held(conn, item)


def test_a_handler_that_asks_for_its_own_item_gets_it_again(conn):
    enqueue(conn, 1)
    item = claim_one(conn)
    with conn.transaction():
        enqueue(conn, 1)
        work_items.complete(conn, [item])
    assert claim_one(conn).key == "1"


def test_a_failure_counts_as_an_attempt_and_a_return_by_plan_does_not(conn, row):
    enqueue(conn, 1)
    work_items.postpone(conn, claim_one(conn), 0, "no answer", counted=True)
    assert row("attempts, last_error, lease") == (1, "no answer", None)
    work_items.postpone(conn, claim_one(conn), 0, "wait", counted=False)
    work_items.hand_back(conn, claim(conn))
    assert row("attempts, last_error") == (1, "wait")
    work_items.come_again(conn, claim_one(conn), datetime.now(UTC) - timedelta(seconds=1))
    assert row("attempts, last_error") == (1, None)
    assert claim_one(conn).attempts == 2


def test_what_is_postponed_is_not_due_before_its_time(conn):
    enqueue(conn, 1)
    work_items.postpone(conn, claim_one(conn), 3600, "no answer", counted=True)
    assert claim(conn) == []
    assert 3590 < work_items.next_due(conn, NETWORK, [KIND]) <= 3600


def test_a_reason_is_kept_whatever_it_holds(conn, row):
    enqueue(conn, 1)
    work_items.park(conn, claim_one(conn), "a\0b\ud800" + "c" * 10_000)
    [reason] = row("last_error")
    assert reason.startswith("ab?ccc")
    assert len(reason) == work_items.REASON_MOST


def test_parked_items_are_listed_with_their_reason_and_released(conn):
    enqueue(conn, 1, 2, 3)
    refused, unknown, waiting = claim(conn)
    work_items.park(conn, refused, "HTTP 400: Postcode wrong")
    work_items.park(conn, unknown, "no such number")
    work_items.postpone(conn, waiting, 60, "no answer", counted=True)

    parked = work_items.listed(conn, parked=True, network=NETWORK, kind=KIND)
    assert [(item.key, item.reason, item.attempts) for item in parked] == [
        ("1", "HTTP 400: Postcode wrong", 1),
        ("2", "no such number", 1),
    ]
    assert all(item.parked_at for item in parked)
    [other] = work_items.listed(conn, parked=False)
    assert (other.key, other.reason, other.parked_at, other.held) == ("3", "no answer", None, False)
    assert work_items.listed(conn, parked=True, kind="routing") == []

    assert work_items.requeue(conn, ids=[]) == 0
    assert work_items.requeue(conn, kind="routing") == 0
    assert work_items.requeue(conn, reason="POSTCODE") == 1
    assert claim_one(conn).attempts == 1
    assert work_items.requeue(conn, network=NETWORK, kind=KIND, ids=[refused.id, unknown.id]) == 1
    assert work_items.listed(conn, parked=True) == []


def test_a_parked_item_is_not_taken_until_new_work_releases_it(conn):
    enqueue(conn, 1)
    work_items.park(conn, claim_one(conn), "refused")
    assert claim(conn) == []
    assert work_items.next_due(conn, NETWORK, [KIND]) is None
    later = datetime.now(UTC) + timedelta(hours=1)
    enqueue(conn, 1, due_at=later)
    assert claim(conn) == []
    enqueue(conn, 1)
    assert claim_one(conn).attempts == 1


def test_counts_tell_due_held_later_and_parked_apart(conn):
    enqueue(conn, *range(4))
    held, parked = claim(conn, most=2)
    work_items.park(conn, parked, "refused")
    assert [item.id for item in work_items.listed(conn, parked=False) if item.held] == [held.id]
    enqueue(conn, 9, due_at=datetime.now(UTC) + timedelta(days=1))
    [count] = work_items.counts(conn)
    assert (count.due, count.held, count.later, count.parked) == (2, 1, 1, 1)
    work_items.complete(conn, [held])
    assert work_items.counts(conn)[0].held == 0


def test_next_due_is_the_first_of_the_kinds_asked_about(conn):
    enqueue(conn, 1, due_at=datetime.now(UTC) + timedelta(minutes=10))
    enqueue(conn, 1, kind="routing", due_at=datetime.now(UTC) + timedelta(minutes=5))
    assert 590 < work_items.next_due(conn, NETWORK, [KIND]) <= 600
    assert 290 < work_items.next_due(conn, NETWORK, [KIND, "routing"]) <= 300
    enqueue(conn, 2)
    assert work_items.next_due(conn, NETWORK, [KIND, "routing"]) <= 0
    assert work_items.next_due(conn, "nexus", [KIND]) is None


class Told:
    """What a listener heard."""

    def __init__(self, dsn):
        self._conn = connect(dsn)
        self._conn.execute("LISTEN palletflow_work")

    def __call__(self):
        self._conn.execute("SELECT")
        return sorted(told.payload for told in self._conn.notifies(timeout=0))


@pytest.fixture
def told(dsn):
    return Told(dsn)


def test_waiters_are_told_once_a_statement_and_kind(conn, told):
    enqueue(conn, *range(100))
    assert told() == ["palletforce.dispatch"]
    with conn.transaction():
        enqueue(conn, *range(100, 103))
        enqueue(conn, *range(100), kind="routing")
        assert told() == []
    assert told() == ["palletforce.dispatch", "palletforce.routing"]


def test_waiters_are_told_when_something_is_due_earlier_and_only_then(conn, told):
    enqueue(conn, 1, 2)
    told()
    first, second = claim(conn)
    work_items.renew(conn, [first, second], 2 * LEASE_S)
    enqueue(conn, 1)
    assert told() == []
    work_items.complete(conn, [first])
    assert told() == ["palletforce.dispatch"], "asked for again meanwhile"
    work_items.postpone(conn, second, 1, "no answer", counted=True)
    assert told() == ["palletforce.dispatch"], "due before the lease would have ended"
    work_items.park(conn, claim_one(conn), "refused")
    assert told() == []
    work_items.requeue(conn)
    assert told() == ["palletforce.dispatch"]


def explained(conn, statement, **values):
    with psycopg.ClientCursor(conn) as cursor, conn.transaction(force_rollback=True):
        cursor.execute("EXPLAIN ANALYZE " + statement, values)
        return "\n".join(line for (line,) in cursor)


@pytest.fixture(scope="module")
def long_queue(postgres, migrated):
    """200,000 items that wait for later and as many that are due; a day's work parked."""
    with connect(postgres.dsn("postgres")) as admin:
        admin.execute(f"CREATE DATABASE long_queue TEMPLATE {migrated}".encode())
    with connect(postgres.dsn("long_queue")) as conn:
        conn.execute(
            "INSERT INTO work_items (network, kind, key, due_at, parked_at, last_error) "
            "SELECT 'palletforce', CASE n % 2 WHEN 0 THEN 'dispatch' ELSE 'routing' END, n::text, "
            "now() + CASE n % 4 WHEN 0 THEN interval '1 day' ELSE interval '-1 day' END, "
            "CASE WHEN n % 100 = 1 THEN now() END, CASE WHEN n % 100 = 1 THEN 'refused' END "
            "FROM generate_series(1, 400000) n"
        )
        yield conn


@pytest.mark.parametrize("analysed", [False, True])
def test_a_long_queue_is_read_by_index_and_only_what_is_taken(long_queue, analysed):
    if analysed:
        long_queue.execute("ANALYZE work_items")
    claimed = claim(long_queue, most=20)
    assert len(claimed) == 20
    asked = {
        "network": NETWORK,
        "kind": KIND,
        "kinds": [KIND, "routing"],
        "most": 20,
        "lease": claimed[0].lease,
        "lease_s": LEASE_S,
        "besides": [claimed[0].id],
        "ids": [item.id for item in claimed],
        "leases": [item.lease for item in claimed],
        "generations": [item.generation for item in claimed],
    }
    for statement in (work_items.CLAIM, work_items.NEXT_DUE, work_items.OURS + work_items.COMPLETE):
        plan = explained(long_queue, statement, **asked)
        assert "Seq Scan" not in plan, plan
        assert max(float(rows) for rows in re.findall(r"actual time=\S+ rows=([\d.]+)", plan)) <= 20, plan
        assert sum(map(int, re.findall(r"Rows Removed by Filter: (\d+)", plan))) == 0, plan
    assert work_items.complete(long_queue, claimed) == {item.id for item in claimed}
