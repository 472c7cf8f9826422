"""The figures of the house: levels as they are, counts of what came since the last look and of nothing twice."""

from datetime import timedelta

import pytest
from tests.store.photographed import consignments

from palletflow.store import activity, alerts, call_budgets, call_windows, connection_flags, figures, work_items
from palletflow.store.connection import connect
from palletflow.store.figures import Counter

HOUR = timedelta(hours=1)


@pytest.fixture
def imported(conn):
    """A reading that was stored so long ago, with its rejected records by reason; its id."""

    def store(created=0, ago=timedelta(0), reasons=(), conn=conn):
        [(batch,)] = conn.execute(
            "INSERT INTO inbound_batches (network, stream, party, run, pages, records, created, updated, unchanged,"
            " rejected, ignored, fetched_at, stored_at) VALUES ('nexus', 'orders', 'p', 'r', 1, %s, %s, 0, 0, %s, 0,"
            " now(), now() - %s) RETURNING id",
            (created + len(reasons), created, len(reasons), ago),
        ).fetchall()
        for number, reason in enumerate(reasons):
            conn.execute(
                "INSERT INTO inbound_records (batch_id, network, stream, record_key, raw, raw_digest, read_at, outcome,"
                " reason_code, reason, warnings) VALUES (%s, 'nexus', 'orders', %s, '{}', sha256(%s), now(),"
                " 'rejected', %s, 'because', '{}')",
                (batch, str(number), f"{batch} {number}".encode(), reason),
            )
        return batch

    return store


def test_work_is_told_by_kind_with_what_waits_and_what_is_parked(conn):
    work_items.enqueue(conn, "nexus", "dispatch", ["1", "2", "3", "4", "5"])
    held, parked, also_parked = work_items.claim(conn, "nexus", "dispatch", 3, 60)
    work_items.park(conn, parked, "HTTP 500")
    work_items.park(conn, also_parked, "HTTP 500")
    conn.execute("UPDATE work_items SET due_at = due_at - interval '1 hour' WHERE lease IS NULL AND parked_at IS NULL")

    [work] = figures.read(conn).work
    assert (work.due, work.held, work.parked, work.parked_lately, work.parked_for) == (2, 1, 2, 2, "HTTP 500")
    assert work.due_since < held.created_at - timedelta(minutes=50)
    assert figures.work_waits(conn)
    conn.execute("UPDATE work_items SET due_at = now() - interval '20 minutes' WHERE parked_at IS NULL")
    assert not figures.work_waits(conn)


def test_quarantine_is_told_by_reason_and_how_much_of_it_is_new(conn, imported):
    imported(ago=3 * HOUR, reasons=["UNKNOWN_CUSTOMER"] * 3)
    batch = imported(reasons=["UNKNOWN_CUSTOMER", "BAD_DATE"])
    conn.execute("UPDATE inbound_records SET settled_at = now(), settled_by = 'x' WHERE reason_code = 'BAD_DATE'")
    assert batch

    [waiting] = figures.read(conn).quarantine
    assert waiting == ("nexus", "UNKNOWN_CUSTOMER", 4, 1)


def test_calls_in_flight_and_of_the_last_minute_are_told(conn, dsn):
    call_windows.open_group(conn, "palletways-egress")
    for background_most in (None, 5):
        call_windows.take(conn, "palletways-egress", "line", most=60, background_most=background_most)
    call_budgets.pause(conn, "nexus_pgd302", 60)
    with connect(dsn) as other:
        call_budgets.take(other, "nexus_pgd302", 0, is_first=False)
        call_budgets.take(other, "nexus_pgd302", 1, is_first=False)
        call_budgets.line_up(other, "nexus_pgd302", 1)
        read = figures.read(conn)
    assert read.windows == [("palletways-egress", 2, 1, False, False)]
    assert read.budgets == [("nexus_pgd302", 2, True)]
    assert figures.read(conn).budgets == [("nexus_pgd302", 0, True)]

    call_windows.is_silent(conn, "palletways-egress", "No answer.")
    assert figures.read(conn).windows[0].silent


def test_what_needs_a_person_is_told(conn):
    consignments(conn, "60000000017")
    conn.execute("UPDATE consignments SET dispatch_state = 'failed'")
    connection_flags.raise_flag(conn, "nexus_pgd302", "the password was refused")
    conn.execute("INSERT INTO lost_documents (sha256, found_at) VALUES (sha256('x'), now())")
    alerts.stands(conn, "work", alerts.Condition("Parked", "message", ""), 60)

    read = figures.read(conn)
    assert read.dispatches == {"failed": 1}
    assert [(one.connection, one.reason) for one in read.flagged] == [("nexus_pgd302", "the password was refused")]
    assert read.lost_documents == 1
    assert read.standing == {"work": 1}


def test_counts_are_what_came_since_the_last_look(conn, imported):
    first, _ = consignments(conn, "60000000017", "60000000025")
    activity.record(conn, first, "dispatched", "worker", "dispatch")
    imported(created=5)
    counter = Counter()
    assert counter.count(conn) == {}

    for kind in ("dispatched", "dispatched", "dispatch refused by the network", "photo uploaded", "updated"):
        activity.record(conn, first, kind, "worker", "dispatch")
    imported(created=2, reasons=["BAD_DATE"])
    alerts.raise_alert(conn, "one", "message")
    [alert] = alerts.take(conn)
    alerts.told(conn, alert)
    of_network, of_stream = ("network", "palletways"), (("network", "nexus"), ("stream", "orders"))
    assert counter.count(conn) == {
        ("dispatched", (of_network, ("outcome", "accepted"))): 2,
        ("dispatched", (of_network, ("outcome", "refused"))): 1,
        ("uploads", (of_network, ("outcome", "done"))): 1,
        ("imported", (*of_stream, ("outcome", "created"))): 2,
        ("imported", (*of_stream, ("outcome", "rejected"))): 1,
        ("alerts_told", ()): 1,
    }
    assert counter.count(conn) == {}


def test_what_was_committed_late_is_counted_once(conn, dsn, imported):
    """Ids are given in another order than transactions commit."""
    [first] = consignments(conn, "60000000017")
    counter = Counter()
    counter.count(conn)
    with connect(dsn) as slow, slow.transaction():
        activity.record(slow, first, "dispatched", "worker", "dispatch")
        imported(created=1, conn=slow)
        activity.record(conn, first, "photo uploaded", "worker", "dispatch")
        imported(created=10)
        assert sum(counter.count(conn).values()) == 10
    assert sum(counter.count(conn).values()) == 1 + 1 + 1
    assert counter.count(conn) == {}


def test_an_old_reading_that_comes_into_sight_is_not_counted(conn, imported, monkeypatch):
    monkeypatch.setattr(figures, "BATCHES", 2)
    for _ in range(3):
        newest = imported(created=1)
    counter = Counter()
    counter.count(conn)
    conn.execute("DELETE FROM inbound_batches WHERE id = %s", (newest,))
    assert counter.count(conn) == {}


def test_the_last_look_of_the_watch_is_kept(conn):
    assert not figures.was_looked(conn, HOUR)
    figures.looked(conn)
    figures.looked(conn)
    assert figures.was_looked(conn, HOUR)
    conn.execute("UPDATE watch_looks SET looked_at = now() - interval '2 hours'")
    assert not figures.was_looked(conn, HOUR)
