"""What goes after a while, and what never does."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from tests.conftest import NOW

from palletflow.store import quarantine, retention, work_items
from palletflow.store.connection import connect
from palletflow.store.imports import Counts

DAY = timedelta(days=1)
LONG_AGO = datetime.now(UTC) - 400 * DAY
BEFORE = datetime.now(UTC) - 180 * DAY


def on(_done: int) -> bool:
    return True


@pytest.fixture
def aged(conn):
    """Makes all that has been stored so far 400 days old."""

    def age() -> None:
        conn.execute("UPDATE inbound_batches SET stored_at = %s", (LONG_AGO,))
        conn.execute(
            "UPDATE inbound_records SET landed_at = %(at)s,"
            " settled_at = CASE WHEN settled_at IS NOT NULL THEN %(at)s::timestamptz END",
            {"at": LONG_AGO},
        )
        conn.execute("UPDATE activity SET at = %s", (LONG_AGO,))

    return age


@pytest.fixture
def settled(conn):
    """Settles what waits in quarantine as a person does who has corrected it."""

    def settle() -> None:
        conn.execute(
            "UPDATE inbound_records SET settled_at = now(), settled_by = 'created by replay: somebody',"
            " corrected = '{}', corrected_by = 'somebody' WHERE outcome = 'rejected'"
        )

    return settle


def everything(fetch):
    """The orders as they are: no row may become another version of itself."""
    return {
        table: fetch(f"SELECT xmin::text, t.* FROM {table} t ORDER BY 2, 3")
        for table in ("orders", "consignments", "stops", "pallets", "pallet_barcodes")
    }


def finish(conn, tracking_number):
    conn.execute(
        "UPDATE consignments SET lifecycle_status = 'DELIVERED' WHERE tracking_number = %s", (tracking_number,)
    )


def test_the_newest_record_of_an_open_consignment_stays_and_all_of_a_finished_one_go(
    conn, simulator, pull, fetch, aged
):
    opened, finished = simulator.create(depot="900", role="requested", count=2)
    for depot in ("904", "903"):
        for number in (opened, finished):
            simulator.control("change", trackingNumber=number, deliveryDepot=depot)
        pull.now += timedelta(minutes=30)
        pull(asked=(NOW - DAY, pull.now))
    finish(conn, finished)
    aged()

    assert retention.raw_records(conn, LONG_AGO, on) == 0, "what is as old as the days allow stays"
    newest = fetch("SELECT max(id) FROM inbound_records WHERE record_key = %s", opened)
    before = len(fetch("SELECT FROM inbound_records"))
    assert before == 4
    assert retention.raw_records(conn, BEFORE, on) == before - 1
    assert fetch("SELECT id FROM inbound_records") == newest
    assert retention.raw_records(conn, BEFORE, on) == 0


def test_what_was_deleted_and_is_read_again_changes_nothing(conn, simulator, pull, fetch, aged):
    """The digest of a record that is gone stops no reading any more; what is known by then is known by its order."""
    numbers = simulator.create(count=4)
    pull()
    for number in numbers:
        finish(conn, number)
    aged()
    held = everything(fetch)
    entries = fetch("SELECT count(*) FROM activity")
    assert retention.raw_records(conn, BEFORE, on) == 4
    assert fetch("SELECT FROM inbound_records") == []

    again = pull(asked=(NOW - DAY, NOW))
    assert again == Counts(records=4, created=0, updated=0, unchanged=4, rejected=0, ignored=0)
    assert everything(fetch) == held
    assert fetch("SELECT count(*) FROM activity") == entries


def test_open_quarantine_stays_and_settled_quarantine_does_not_open_again(conn, simulator, pull, fetch, aged, settled):
    simulator.create(depot="900", role="requested", overrides={"CustomerAccountNumber": "NOBODY"})
    pull()
    [waiting] = quarantine.listed(conn)
    aged()
    assert retention.raw_records(conn, BEFORE, on) == 0
    assert quarantine.listed(conn) == [waiting]

    settled()
    aged()
    assert retention.raw_records(conn, BEFORE, on) == 1
    assert fetch("SELECT raw, corrected, corrected_by FROM inbound_records") == [("", None, "somebody")]
    assert retention.raw_records(conn, BEFORE, on) == 0
    counts = pull(asked=(NOW - DAY, NOW))
    assert counts.rejected == 1
    assert quarantine.listed(conn) == [], "somebody has settled this very record"


def test_settled_records_stay_whole_while_others_of_their_reading_are_open(conn, simulator, pull, fetch, aged, settled):
    """Rows of one file may be parts of one order, which lands whole or not at all."""
    for _ in range(2):
        simulator.create(depot="900", role="requested", overrides={"CustomerAccountNumber": "NOBODY"})
    pull()
    settled()
    conn.execute("UPDATE inbound_records SET settled_at = NULL, settled_by = NULL WHERE id = 1")
    aged()
    assert retention.raw_records(conn, BEFORE, on) == 0
    settled()
    aged()
    assert retention.raw_records(conn, BEFORE, on) == 2


def test_a_reading_goes_when_nothing_is_left_of_it(conn, simulator, pull, fetch, aged):
    simulator.create(count=1)
    pull()
    pull.now += timedelta(minutes=30)
    pull()  # of the same record, and of its watermark
    aged()
    conn.execute("DELETE FROM inbound_records")
    held = fetch("SELECT id FROM inbound_batches ORDER BY id")
    named = fetch("SELECT batch_id FROM activity UNION SELECT batch_id FROM watermarks ORDER BY 1")
    assert retention.batches(conn, BEFORE, on) == len(held) - len(named)
    conn.execute("DELETE FROM activity")
    retention.batches(conn, BEFORE, on)
    assert fetch("SELECT id FROM inbound_batches") == fetch("SELECT batch_id FROM watermarks")


def test_history_goes_of_what_is_finished_and_of_nothing_else(conn, simulator, pull, fetch, aged):
    opened, finished = simulator.create(count=2)
    pull()
    finish(conn, finished)
    conn.execute(
        "INSERT INTO activity (consignment_id, subject, kind, actor, source, warnings)"
        " VALUES (NULL, 'quarantined record 17', 'replayed', 'somebody', 'order desk', '{}')"
    )
    aged()
    [(young,)] = fetch(
        "INSERT INTO activity (consignment_id, kind, actor, source, warnings)"
        " SELECT id, 'labels printed', 'somebody', 'order desk', '{}' FROM consignments WHERE tracking_number = %s"
        " RETURNING id",
        finished,
    )
    assert retention.history(conn, BEFORE, on) == 2
    left = (
        "SELECT c.tracking_number, a.id = %s FROM activity a JOIN consignments c ON c.id = a.consignment_id ORDER BY 2"
    )
    assert fetch(left, young) == [(opened, False), (finished, True)]


def test_a_backlog_goes_in_steps_and_can_be_stopped_between_them(conn, fetch):
    conn.execute(
        "INSERT INTO inbound_batches (network, stream, party, run, pages, records, created, updated, unchanged,"
        " rejected, ignored, fetched_at, stored_at)"
        " SELECT 'palletforce', 'orders', '900', 'r', 0, 0, 0, 0, 0, 0, 0, now(), %s FROM generate_series(1, 12000)",
        (LONG_AGO,),
    )
    said = []
    assert retention.batches(conn, BEFORE, lambda gone: said.append(gone) is not None) == retention.ROWS
    assert fetch("SELECT count(*) FROM inbound_batches") == [(7000,)]
    assert retention.batches(conn, BEFORE, on) == 7000
    assert said == [retention.ROWS]


def test_parked_work_that_is_given_up_is_told_by_the_history(conn, simulator, pull, fetch):
    simulator.create(count=1)
    pull()
    [(consignment,)] = fetch("SELECT id FROM consignments")
    work_items.enqueue(conn, "palletforce", "label", [f"{consignment}:1", consignment, 987_654])
    conn.execute("UPDATE work_items SET parked_at = %s, last_error = 'no paper'", (LONG_AGO,))
    work_items.enqueue(conn, "palletforce", "dispatch", [consignment])
    conn.execute("UPDATE work_items SET parked_at = now(), last_error = 'young' WHERE kind = 'dispatch'")

    assert retention.parked_work(conn, BEFORE, on) == 3
    assert retention.parked_work(conn, BEFORE, on) == 0
    assert fetch("SELECT kind FROM work_items") == [("dispatch",)]
    told = fetch(
        "SELECT consignment_id, subject, actor, changes ->> 'work', changes ->> 'reason' FROM activity"
        " WHERE kind = 'parked work given up' ORDER BY id"
    )
    assert told == [
        (consignment, "", "maintenance", json.dumps([f"palletforce.label {consignment}", None]), '["no paper", null]'),
        (
            consignment,
            "",
            "maintenance",
            json.dumps([f"palletforce.label {consignment}:1", None]),
            '["no paper", null]',
        ),
        (None, "work palletforce.label 987654", *told[2][2:]),
    ]


@pytest.mark.parametrize(
    ("kind", "state", "registered", "stays"),
    [
        ("dispatch", "waiting", False, True),
        ("dispatch", "unknown", False, True),
        ("tracking_id", "completed", False, True),
        ("cancel", "completed", True, True),
        ("cancel", "todo", False, False),
        ("label", "completed", True, False),
        ("dispatch", "failed", False, False),
    ],
)
def test_parked_work_stays_while_a_dispatch_or_a_cancellation_depends_on_it(
    conn, simulator, pull, fetch, kind, state, registered, stays
):
    simulator.create(count=1)
    pull()
    conn.execute("UPDATE consignments SET dispatch_state = %s, registered = %s", (state, registered))
    [(consignment,)] = fetch("SELECT id FROM consignments")
    work_items.enqueue(conn, "palletways", kind, [consignment])
    work_items.enqueue(conn, "palletways", "notes", [987_654])
    conn.execute("UPDATE work_items SET parked_at = %s, last_error = 'refused'", (LONG_AGO,))

    assert retention.parked_work(conn, BEFORE, on) == 2 - stays

    assert [row[0] for row in fetch("SELECT kind FROM work_items")] == [kind] * stays


def test_what_is_over_goes_and_what_somebody_writes_just_now_stays(conn, dsn, fetch):
    for days in (0, 29, 31, 500):
        conn.execute(
            "INSERT INTO lookup_cache VALUES ('nexus', %s, '[]', now() - make_interval(days => %s))",
            (f"of {days}", days),
        )
    [caches] = [one for one in retention.EXPIRING if one.table == "lookup_cache"]
    with conn.transaction():
        conn.execute("SELECT FROM lookup_cache WHERE lookup = 'of 500' FOR UPDATE")
        with connect(dsn) as other:
            assert retention.expired(other, caches, datetime.now(UTC), on) == 1
    assert retention.expired(conn, caches, datetime.now(UTC), on) == 1
    assert fetch("SELECT lookup FROM lookup_cache ORDER BY 1") == [("of 0",), ("of 29",)]
    for one in retention.EXPIRING:
        assert retention.expired(conn, one, datetime.now(UTC), on) == 0


def test_leases_that_ended_and_nobody_took_are_counted_by_kind(conn):
    work_items.enqueue(conn, "nexus", "label", [1, 2, 3])
    work_items.enqueue(conn, "nexus", "dispatch", [1])
    work_items.claim(conn, "nexus", "label", 2, lease_s=-3600)
    work_items.claim(conn, "nexus", "dispatch", 1, lease_s=60)
    [idle] = retention.idle_leases(conn, timedelta(minutes=30))
    assert (idle.network, idle.kind, idle.items) == ("nexus", "label", 2)
