"""The poll: the real client, simulator and order store (contract 2.2, 2.3, 7)."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from psycopg.types.json import Jsonb
from tests.conftest import NOW
from tests.networks.nexus.polling import Poller, change

from palletflow.intake.flow import Intake
from palletflow.networks.nexus.errors import NexusAuthError, NexusServerError
from palletflow.networks.nexus.mapper import preview
from palletflow.networks.nexus.poll import windows
from palletflow.store import movements, quarantine, syncs
from palletflow.store.connection import connect
from palletflow.store.imports import Batch

TABLES = (
    "orders", "consignments", "stops", "pallets", "pallet_barcodes", "activity", "inbound_batches", "inbound_records",
    "customers", "watermarks", "listed_records", "tracking_events", "tracking_polls", "work_items", "lookup_cache",
)  # fmt: skip
# How often a client makes one read.
TRIES = 6
LISTS = ["list created", "list manifest", "list delivery"]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TODAY = date(2026, 7, 13)


def versions(fetch, *tables):
    """The physical row versions of tables: equal before and after means that nothing was written."""
    return {table: fetch(f"SELECT xmin::text, ctid::text FROM {table} ORDER BY ctid") for table in tables}


def details(calls):
    """The calls that are about one consignment."""
    return [call for call in calls if call.split()[0] in ("get", "history")]


def windows_asked(sim, after=0):
    """The days each list was asked for, by its kind, without its further pages."""
    found = []
    for request in sim.requests()[after:]:
        query = {name.lower(): value for name, value in _pairs(request["query"])}
        for kind in ("created", "manifest", "delivery"):
            if f"min{kind}date" in query and query["offset"] == "0":
                found.append((kind, query[f"min{kind}date"], query[f"max{kind}date"]))
    return found


def _pairs(query):
    return query.items() if isinstance(query, dict) else [tuple(pair) for pair in query]


# What becomes of consignments


@pytest.mark.rule("NX-7-3", "NX-2.3-16", "NX-7-13", "NX-3-1")
def test_consignments_of_every_role_become_orders(poller, nexus_sim, fetch):
    for role in ("requesting", "collecting", "delivery"):
        nexus_sim.add_many(role=role, count=4)

    polled = poller()

    assert (polled.listed, polled.read, polled.created) == (12, 12, 12)
    assert fetch("SELECT DISTINCT source, dispatch_state, lifecycle_status, registered FROM orders o"
                 " JOIN consignments c ON c.order_id = o.id") == [("nexus", "not_needed", "CREATED", True)]  # fmt: skip
    assert fetch("SELECT our_roles, count(*) FROM consignments GROUP BY 1 ORDER BY 1") == [
        (["collecting"], 4),
        (["delivery"], 4),
        (["requesting", "collecting"], 4),
    ]
    assert fetch("SELECT count(*) FROM activity WHERE kind = 'created'") == [(12,)]
    assert {key for (key,) in fetch("SELECT source_key FROM orders")} == {str(id_) for id_ in range(700001, 700013)}


@pytest.mark.rule("NX-7-9", "NX-7-13")
def test_a_second_poll_of_the_same_asks_for_lists_only_and_writes_nothing(poller, nexus_sim, fetch):
    nexus_sim.add_many(count=30)
    nexus_sim.add(pallets=["Euro Full"])
    poller()
    before, asked = versions(fetch, *TABLES), poller.asked
    poller.later(minutes=3)

    polled = poller()

    assert (polled.listed, polled.read) == (31, 0)
    assert set(poller.calls(asked)) == set(LISTS)
    assert versions(fetch, *TABLES) == before


@pytest.mark.rule("NX-7-9", "NX-7-11")
def test_a_changed_row_is_read_whole_and_only_what_changed_is_written(poller, nexus_sim, fetch):
    changed = nexus_sim.add_many(count=2, role="requesting")[0]
    poller()
    before = versions(fetch, "pallets", "pallet_barcodes", "tracking_events")
    change(nexus_sim, changed, customerReference="PO-NEW", delAddressTown="Otley")
    poller.later(minutes=3)
    asked = poller.asked

    polled = poller()

    assert (polled.read, polled.updated) == (1, 1)
    assert details(poller.calls(asked)) == [f"get {changed}", f"history {changed}"]
    assert fetch(
        "SELECT o.reference, s.town FROM consignments c JOIN orders o ON o.id = c.order_id"
        " JOIN stops s ON s.consignment_id = c.id AND s.kind = 'delivery' WHERE tracking_number = %s",
        str(changed),
    ) == [("PO-NEW", "Otley")]
    [(number, changes)] = fetch(
        "SELECT tracking_number, changes FROM activity a JOIN consignments c ON c.id = a.consignment_id"
        " WHERE a.kind = 'updated'"
    )
    assert (number, changes.keys()) == (str(changed), {"reference", "delivery_town"})
    assert versions(fetch, "pallets", "pallet_barcodes", "tracking_events") == before


@pytest.mark.rule("NX-7-9")
def test_a_row_that_changed_without_anything_to_write_writes_no_order(poller, nexus_sim, fetch):
    one = nexus_sim.add(role="requesting")
    poller()
    written = ("orders", "consignments", "stops", "pallets", "activity", "inbound_batches", "inbound_records")
    before = versions(fetch, *written)
    change(nexus_sim, one, createdDate="2026-07-12")  # a row has it, and nothing of ours comes of it
    poller.later(minutes=3)
    asked = poller.asked

    polled = poller()

    assert (polled.read, polled.unchanged, polled.updated) == (1, 1, 0)
    assert details(poller.calls(asked)) == [f"get {one}", f"history {one}"]
    assert versions(fetch, *written) == before


@pytest.mark.rule("NX-7-9", "NX-8-1")
def test_where_only_the_status_changed_the_history_says_it_all(poller, nexus_sim, fetch):
    one = nexus_sim.add(role="requesting", pallets=2)
    poller()
    nexus_sim.scan(one, "Collected")
    poller.later(minutes=3)
    asked = poller.asked

    polled = poller()

    assert details(poller.calls(asked)) == [f"history {one}"]
    assert (polled.read, polled.statuses) == (1, 2)
    assert fetch("SELECT lifecycle_status FROM consignments") == [("COLLECTED",)]
    assert poller().read == 0


@pytest.mark.rule("NX-7-16")
def test_what_nexus_cancelled_is_read_whole_and_cancels_the_order(poller, nexus_sim, fetch):
    one = nexus_sim.add(role="requesting")
    poller()
    nexus_sim.scan(one, "Cancelled", barcode=None)
    poller.later(minutes=3)
    asked = poller.asked

    polled = poller()

    assert details(poller.calls(asked)) == [f"get {one}", f"history {one}"]
    assert polled.updated == 1
    assert fetch("SELECT network_status, lifecycle_status, cancelled_at IS NOT NULL FROM consignments c"
                 " JOIN orders o ON o.id = c.order_id") == [("Cancelled", "CANCELLED", True)]  # fmt: skip


@pytest.mark.rule("NX-7-16")
def test_what_was_cancelled_before_we_knew_it_makes_no_order(poller, nexus_sim, fetch):
    nexus_sim.scan(nexus_sim.add(), "Cancelled", barcode=None)

    assert poller().ignored == 1
    assert poller().read == 0
    assert fetch("SELECT count(*) FROM orders") == [(0,)]
    assert fetch("SELECT outcome, reason_code FROM inbound_records") == [("ignored", "UNKNOWN")]


# In time


@pytest.mark.rule("NX-7-9")
def test_a_scan_is_stored_before_the_next_page_is_asked_for(poller, nexus_sim, fetch):
    poller.extra |= {"page_size": 4, "page_overlap": 1}
    ids = nexus_sim.add_many(count=8, role="requesting")
    poller()
    for one in (ids[0], ids[7]):  # on the last and on the first page, as the newest come first
        nexus_sim.scan(one, "Collected")
    new = nexus_sim.add(role="requesting")
    poller.later(minutes=3)
    asked = poller.asked

    poller()

    calls = poller.calls(asked)
    # New ones wait for the end of the lists.
    assert calls == [
        "list created", f"history {ids[7]}", "list created", "list created", f"history {ids[0]}", "list created",
        "list manifest", "list delivery", f"get {new}", f"history {new}",
    ]  # fmt: skip


@pytest.mark.rule("NX-7-9")
def test_a_scan_is_in_the_order_store_while_the_poll_goes_on(poller, nexus_sim, dsn):
    first, second = nexus_sim.add_many(count=2, role="requesting")
    poller()
    for one in (first, second):
        nexus_sim.scan(one, "Collected")
    change(nexus_sim, first, status={"id": 1, "name": "Collected"}, customerReference="NEW")
    seen = []

    def look():
        with connect(dsn) as other:
            seen.append(other.execute("SELECT tracking_number FROM consignments"
                                      " WHERE lifecycle_status = 'COLLECTED'").fetchall())  # fmt: skip

    poller(between=look)  # the newer one is listed first, and only its history is read; then the other one, whole

    assert seen == [[(str(second),)]]


# Windows and the watermark


@pytest.mark.rule("NX-7-3", "NX-7-4", "NX-7-5", "NX-2.2-3", "NX-2.2-5", "NX-2.2-8")
def test_the_windows_follow_the_watermark_by_days_in_london(poller, nexus_sim, fetch):
    poller()
    assert windows_asked(nexus_sim) == [
        ("created", "2026-07-11", "2026-07-13"),
        ("manifest", "2026-07-11", "2026-07-14"),
        ("delivery", "2026-07-11", "2026-07-13"),
    ]
    # 23:30 in UTC is half past midnight of the next day in London.
    poller.now = datetime(2026, 7, 14, 23, 30, tzinfo=UTC)
    asked = poller.asked

    poller()

    assert windows_asked(nexus_sim, asked) == [
        ("created", "2026-07-11", "2026-07-15"),
        ("manifest", "2026-07-11", "2026-07-16"),
        ("delivery", "2026-07-11", "2026-07-15"),
    ]
    assert fetch("SELECT stream, party, high FROM watermarks") == [
        ("orders", "nexus_pgd302", datetime(2026, 7, 14, 23, 0, tzinfo=UTC))
    ]


@pytest.mark.rule("NX-7-3", "NX-2.2-14")
def test_after_a_long_outage_the_windows_are_cut(poller, nexus_sim):
    poller.extra |= {"overlap_days": 1}
    poller.now = datetime(2026, 4, 30, 12, tzinfo=UTC)
    poller()
    poller.now = NOW
    asked = poller.asked

    poller()

    found = windows_asked(nexus_sim, asked)
    assert [window for window in found if window[0] == "created"] == [
        ("created", "2026-04-29", "2026-05-29"),
        ("created", "2026-05-30", "2026-06-29"),
        ("created", "2026-06-30", "2026-07-13"),
    ]
    assert len(found) == 9


@pytest.mark.rule("NX-2.2-14")
@pytest.mark.parametrize(
    ("days", "longest", "cut"),
    [
        (1, 31, [(0, 0)]),
        (31, 31, [(0, 30)]),
        (32, 31, [(0, 30), (31, 31)]),
        (3, 1, [(0, 0), (1, 1), (2, 2)]),
        (0, 31, []),
    ],
)
def test_windows_include_both_ends_and_leave_no_day_out(days, longest, cut):
    found = list(windows(TODAY, TODAY + timedelta(days=days - 1), longest))

    assert [((start - TODAY).days, (end - TODAY).days) for start, end in found] == cut


@pytest.mark.rule("NX-7-4")
def test_what_was_created_long_ago_is_found_when_it_is_manifested(poller, nexus_sim):
    one = nexus_sim.add(at=(NOW - 6 * DAY).isoformat())
    assert poller().listed == 0
    nexus_sim.scan(one, "Manifested", barcode=None)

    assert poller().created == 1


@pytest.mark.rule("NX-7-5")
def test_and_when_it_is_delivered(poller, nexus_sim, fetch):
    one = nexus_sim.add(at=(NOW - 6 * DAY).isoformat())
    nexus_sim.scan(one, "Delivered", dateTime=(NOW - DAY).isoformat())

    assert poller().created == 1
    assert fetch("SELECT lifecycle_status FROM consignments") == [("DELIVERED",)]


@pytest.mark.rule("NX-7-7")
@pytest.mark.parametrize("query", [0, 1, 2])
def test_the_watermark_stays_when_a_list_fails(poller, nexus_sim, fetch, query):
    nexus_sim.fault("http_500", "consignments", "GET", after=query, times=TRIES)

    with pytest.raises(NexusServerError):
        poller()

    assert fetch("SELECT count(*) FROM watermarks") == [(0,)]


@pytest.mark.rule("NX-7-7")
def test_a_poll_that_runs_out_of_time_leaves_the_rest_to_the_next_ones_and_the_watermark_where_it_is(
    poller, nexus_sim, fetch
):
    nexus_sim.add_many(count=40, role="delivery")
    poller.tick = timedelta(seconds=1)

    first = poller()

    kept = syncs.one(poller.conn, "nexus", "orders", poller.connection("PGD302"))
    assert kept.read_to is None
    assert kept.lag > timedelta(0)
    assert 0 < first.created < 40
    assert first.left == 40 - first.created
    assert fetch("SELECT count(*) FROM watermarks") == [(0,)]
    polls = 1
    while poller().left:
        polls += 1
        assert polls < 20
    assert fetch("SELECT count(*), count(DISTINCT tracking_number) FROM consignments") == [(40, 40)]
    assert fetch("SELECT count(*) FROM watermarks") == [(1,)]
    kept = syncs.one(poller.conn, "nexus", "orders", poller.connection("PGD302"))
    assert kept.read_to < kept.succeeded_at < kept.next_due_at
    assert kept.lag == timedelta(0)


# Back-fill


WEEK = (datetime(2026, 7, 3, 23, tzinfo=UTC), datetime(2026, 7, 10, 23, tzinfo=UTC))


@pytest.mark.rule("NX-7-2")
def test_a_back_fill_reads_the_days_asked_for_and_leaves_the_watermark(poller, nexus_sim, fetch):
    poller.now = NOW - 3 * DAY
    poller()
    mark, kept, asked = fetch("SELECT high FROM watermarks"), syncs.listed(poller.conn), poller.asked
    assert [sync[:4] for sync in kept.values()] == [
        (poller.now, poller.now, poller.now + timedelta(minutes=3), timedelta(0))
    ]
    poller.now = NOW + HOUR
    nexus_sim.add_many(count=3, **{"from": (NOW - 5 * DAY).isoformat(), "to": (NOW - 4 * DAY).isoformat()})
    nexus_sim.add(at=(NOW - 12 * DAY).isoformat())

    polled = poller(asked=WEEK)

    assert polled.created == 3
    assert windows_asked(nexus_sim, asked)[0] == ("created", "2026-07-04", "2026-07-10")
    assert (fetch("SELECT high FROM watermarks"), syncs.listed(poller.conn)) == (mark, kept)


@pytest.mark.rule("NX-7-2")
def test_a_back_fill_reads_anew_what_is_known_and_takes_its_time(poller, nexus_sim):
    nexus_sim.add_many(count=12)
    poller()
    poller.later(minutes=3)
    poller.tick = timedelta(minutes=1)
    asked = poller.asked

    polled = poller(asked=(NOW - DAY, NOW + DAY))

    assert (polled.read, polled.unchanged, polled.left) == (12, 12, 0)
    assert len(details(poller.calls(asked))) == 24


@pytest.mark.rule("NX-7-2")
def test_a_back_fill_tried_again_goes_on_where_it_was_interrupted(poller, nexus_sim):
    ids = nexus_sim.add_many(count=6)
    poller()
    poller.later(minutes=3)
    begun = poller.now
    nexus_sim.fault("http_401", f"consignments/{ids[2]}", "GET", times=2)
    with pytest.raises(NexusAuthError):
        poller(asked=(NOW - DAY, NOW + DAY), begun=begun)
    poller.later(minutes=3)
    asked = poller.asked

    poller(asked=(NOW - DAY, NOW + DAY), begun=begun)

    # The newest are listed first: three had been read.
    assert {call.split()[1] for call in details(poller.calls(asked))} == {str(one) for one in ids[:3]}


# The open set


def hold_old_ones(poller, nexus_sim, count=1, **body):
    """Imports consignments, of days that no poll lists; their ids, and our own by theirs."""
    day = (NOW - 6 * DAY).isoformat()
    ids = nexus_sim.add_many(
        **{"count": count, "from": day, "to": (NOW - 5 * DAY).isoformat(), "role": "requesting", **body}
    )
    poller(asked=(NOW - 7 * DAY, NOW - 4 * DAY))
    return ids


@pytest.mark.rule("NX-7-6", "NX-7-8", "NX-7-10", "NX-7-11")
def test_what_is_open_and_on_no_list_is_asked_for_every_15_minutes(poller, nexus_sim, fetch):
    [one] = hold_old_ones(poller, nexus_sim)
    whole = nexus_sim.get(f"consignments/{one}") | {"customerReference": "PO-NEW"}
    nexus_sim.fault("json", f"consignments/{one}", "GET", times=1, body=whole)
    assert poller().read == 0
    poller.later(minutes=15)
    asked = poller.asked

    polled = poller()

    assert (polled.listed, polled.read, polled.updated) == (0, 1, 1)
    assert details(poller.calls(asked)) == [f"get {one}", f"history {one}"]
    assert fetch("SELECT reference FROM orders") == [("PO-NEW",)]
    poller.later(minutes=14)
    assert poller().read == 0
    poller.later(minutes=1)
    assert poller().read == 1


@pytest.mark.rule("NX-7-6")
def test_what_a_list_showed_is_not_asked_for_besides(poller, nexus_sim):
    nexus_sim.add(role="requesting")
    poller()
    poller.later(minutes=30)

    polled = poller()

    assert (polled.listed, polled.read) == (1, 0)


@pytest.mark.rule("NX-7-6", "NX-7-8")
def test_of_the_open_ones_sixty_are_asked_for_the_longest_waiting_first(poller, nexus_sim, conn, fetch):
    ids = hold_old_ones(poller, nexus_sim, count=70)
    poller.later(minutes=20)
    conn.execute("UPDATE tracking_polls SET polled_at = polled_at + consignment_id * interval '1 second'")
    order = [number for (number,) in fetch("SELECT tracking_number FROM consignments ORDER BY id")]
    asked = poller.asked

    assert poller().read == 60
    assert [call.split()[1] for call in poller.calls(asked) if call.startswith("get")] == order[:60]
    asked = poller.asked
    assert poller().read == 10
    assert [call.split()[1] for call in poller.calls(asked) if call.startswith("get")] == order[60:]
    assert len(ids) == len(order)


@pytest.mark.rule("NX-7-8")
def test_what_has_ended_is_asked_for_only_while_its_documents_are_looked_for(poller, nexus_sim, conn, fetch):
    chased, done, open_ = hold_old_ones(poller, nexus_sim, count=3)
    for one in (chased, done):
        nexus_sim.scan(one, "Delivered", barcode=None, dateTime=(NOW - 4 * DAY).isoformat())
    poller(asked=(NOW - 7 * DAY, NOW - 4 * DAY))
    held = dict(fetch("SELECT tracking_number, id FROM consignments"))
    assert set(fetch("SELECT key FROM work_items WHERE kind = 'document_fetch'")) == {
        (str(held[str(chased)]),), (str(held[str(done)]),),
    }  # fmt: skip
    conn.execute("DELETE FROM work_items WHERE key = %s", (str(held[str(done)]),))
    poller.later(minutes=20)
    asked = poller.asked

    poller()

    # What is still under way goes first.
    assert [call for call in details(poller.calls(asked)) if call.startswith("get")] == [
        f"get {open_}",
        f"get {chased}",
    ]


@pytest.mark.rule("NX-7-8")
def test_nothing_is_asked_for_a_month_after_its_delivery_was_due(poller, nexus_sim):
    hold_old_ones(poller, nexus_sim, dueDate="2026-07-14")
    poller()
    poller.later(days=30)
    assert poller().read == 1
    poller.later(days=1)
    assert poller().read == 0


def test_where_statuses_are_not_imported_no_history_is_asked_for(poller, nexus_sim, fetch):
    ours = poller.plan.network("nexus")
    ours = replace(ours, switches=replace(ours.switches, status_import=False))
    poller.plan = replace(poller.plan, networks={**poller.plan.networks, "nexus": ours})
    one = nexus_sim.add(role="requesting")

    assert poller().created == 1
    nexus_sim.scan(one, "Collected")
    poller()
    poller.later(days=5)
    poller()
    poller.later(minutes=20)
    poller()

    assert not [call for call in poller.calls() if call.startswith("history")]
    assert poller.calls().count(f"get {one}") == 1
    assert fetch("SELECT count(*) FROM tracking_events") == [(0,)]


# What is none of our orders, and what a person should look at


@pytest.mark.rule("NX-5-11", "NX-7-15")
def test_an_international_consignment_is_recorded_as_left_out_and_the_poll_goes_on(poller, nexus_sim, fetch):
    nexus_sim.add(pallets=["Full", "Euro Full"])
    nexus_sim.add(pallets=["Full"])

    polled = poller()

    assert (polled.created, polled.ignored, polled.rejected, polled.failed) == (1, 1, 0, 0)
    [(code, reason, raw)] = fetch("SELECT reason_code, reason, raw FROM inbound_records WHERE outcome = 'ignored'")
    assert code == "INTERNATIONAL_PALLET"
    assert reason == "international_pallet: 'Euro Full' is an international pallet type"
    assert json.loads(raw)["lookedUp"]["internationalPalletTypes"]
    assert poller().read == 0


@pytest.mark.rule("NX-7-15", "NX-2.3-2")
def test_a_consignment_in_which_none_of_ours_takes_part_is_left_out(poller, nexus_sim, fetch):
    others = dict.fromkeys(("originatingDepotCode", "collectingDepotCode", "deliveryDepotCode"), "UKD120")
    nexus_sim.add(overrides=others)  # visible to us as the customer's account

    assert poller().ignored == 1
    assert fetch("SELECT reason_code FROM inbound_records") == [("NOT_OUR_DEPOT",)]


@pytest.mark.rule("NX-7-15", "NX-8-13")
def test_without_depots_a_consignment_is_imported_without_a_role(poller, nexus_sim, fetch):
    nexus_sim.control("options", absent_fields=["originatingDepotCode", "collectingDepotCode", "deliveryDepotCode"])
    nexus_sim.add(role="delivery", network="PALLEX")

    assert poller().created == 1
    assert fetch("SELECT our_roles, requesting_depot || collecting_depot || delivery_depot FROM consignments") == [
        ([], "")
    ]


@pytest.mark.rule("NX-4-6")
def test_an_order_of_an_unknown_network_asks_for_a_person_once(poller, nexus_sim, conn, fetch):
    one = nexus_sim.add(
        role="delivery", customerID=20901, absent=["network"], originatingDepotCode="PGD310",
        collectingDepotCode="PGD310",
    )  # fmt: skip

    assert poller().created == 1

    [(reason, additional)] = fetch("SELECT review_reason, additional_fields FROM orders o JOIN consignments c"
                                   " ON c.order_id = o.id")  # fmt: skip
    assert reason.startswith("Network unknown")
    assert "nexus_origin" not in additional
    conn.execute("UPDATE orders SET review_reason = NULL")
    change(nexus_sim, one, customerReference="PO-NEW")
    assert poller().updated == 1
    assert fetch("SELECT review_reason FROM orders") == [(None,)]


@pytest.mark.rule("NX-3-4", "NX-3-5")
def test_barcodes_are_confirmed_and_odd_ones_asked_about(poller, nexus_sim, fetch):
    nexus_sim.add(role="delivery", pallets=[{"barcode": "0044000007000001"}, {"barcode": "12345"}])

    poller()

    assert fetch("SELECT pallet_number, barcode, state FROM pallet_barcodes ORDER BY 1") == [
        (1, "0044000007000001", "confirmed"),
        (2, "12345", "confirmed"),
    ]
    [(reason,)] = fetch("SELECT review_reason FROM orders")
    assert reason == "The barcode of pallet 2, '12345', is not of 16 digits"


@pytest.mark.rule("NX-3-4")
def test_a_barcode_that_nexus_replaces_is_replaced_here(poller, nexus_sim, fetch):
    one = nexus_sim.add(role="requesting", pallets=1)
    poller()
    pallet = nexus_sim.get(f"consignments/{one}")["pallets"][0]
    change(nexus_sim, one, pallets=[pallet | {"barcode": "1044999999999999"}], customerReference="NEW")

    poller()

    assert fetch("SELECT barcode, state FROM pallet_barcodes ORDER BY 1 DESC") == [
        ("1044999999999999", "confirmed"),
        (pallet["barcode"], "superseded"),
    ]


# Orders of our own


OURS = "UPDATE orders SET source = 'api', source_key = 'SO-1' WHERE id = %s"


@pytest.mark.rule("NX-7-14", "NX-7-17")
def test_what_our_users_gave_stays_and_the_difference_is_flagged(poller, nexus_sim, conn, fetch):
    one = nexus_sim.add(role="requesting", notes="")
    poller()
    [(consignment, order, service)] = fetch("SELECT id, order_id, service FROM consignments")
    conn.execute(OURS, (order,))
    conn.execute(
        "UPDATE consignments SET given = %s, notes = ARRAY['Ours'], weight_kg = 77 WHERE id = %s",
        (Jsonb({"weight_kg": 77, "notes": ["Ours"], "service": service}), consignment),
    )
    change(nexus_sim, one, customerReference="THEIRS", descriptionOfGoods="Other", notes="Theirs")

    polled = poller()

    assert (polled.created, polled.updated + polled.unchanged) == (0, 1)
    assert fetch("SELECT weight_kg, notes, o.reference <> 'THEIRS' FROM consignments c JOIN orders o"
                 " ON o.id = c.order_id") == [(77, ["Ours"], True)]  # fmt: skip
    [(reason,)] = fetch("SELECT review_reason FROM orders")
    assert reason.startswith("The network has other values: ")
    assert "weight_kg" in reason
    assert "notes" in reason


@pytest.mark.rule("NX-8-19")
def test_what_was_reported_before_the_part_in_it_was_ours_is_told_once_it_is(poller, nexus_sim, conn, fetch):
    one = nexus_sim.add(role="requesting", collectingDepotCode="PGD310")
    poller()
    [(consignment, held)] = fetch("SELECT id, our_roles FROM consignments")
    assert held == ["requesting"]
    movements.report_stop(conn, consignment, stop="pickup", event="completed", at=NOW, actor="driver")
    conn.execute("DELETE FROM work_items")
    change(nexus_sim, one, collectingDepotCode="PGD302")
    poller.later(minutes=3)

    poller()

    assert fetch("SELECT kind, key FROM work_items") == [("status_export", str(consignment))]
    conn.execute("DELETE FROM work_items")
    change(nexus_sim, one, collectingDepotCode="PGD302", customerReference="PO-9")
    poller.later(minutes=3)
    assert poller().updated == 1
    assert fetch("SELECT kind FROM work_items") == []


@pytest.mark.rule("NX-7-14")
def test_a_consignment_we_created_is_updated_and_never_doubled(poller, nexus_sim, conn, fetch):
    one = nexus_sim.add(role="requesting", consignmentNumber="QG0000123")
    poller()
    conn.execute(OURS, fetch("SELECT order_id FROM consignments")[0])
    # As our own dispatch leaves it: registered, and nothing of it imported yet.
    conn.execute(
        "UPDATE consignments SET input_digest = NULL, read_at = NULL, delivery_depot = '', dispatch_state = 'completed'"
    )
    change(nexus_sim, one, startWindow="10:00")

    polled = poller()

    assert (polled.created, polled.updated) == (0, 1)
    assert fetch("SELECT tracking_number, delivery_depot <> '', source FROM consignments c JOIN orders o"
                 " ON o.id = c.order_id") == [(str(one), True, "api")]  # fmt: skip


# Several connections, and what Nexus sends oddly


@pytest.mark.rule("NX-1-2", "NX-7-13")
def test_a_consignment_two_of_our_depots_see_is_read_once(poller, nexus_sim, fetch):
    one = nexus_sim.add(
        depot="PGD302", role="delivery", network="PALLEX", originatingDepotCode="UKD101", collectingDepotCode="UKD101",
        customerID=20001, at=(NOW - DAY).isoformat(),
    )  # fmt: skip
    poller("PGD302")
    asked = poller.asked

    assert poller("UKD101").listed == 1

    assert details(poller.calls(asked)) == []
    assert fetch("SELECT our_roles FROM consignments") == [(["requesting", "collecting", "delivery"],)]
    poller.later(days=5)
    poller("PGD302")
    poller("UKD101")
    poller.later(minutes=20)
    asked = poller.asked
    poller("PGD302")
    # Asked for as the first of our depots that takes part in it.
    assert details(poller.calls(asked)) == []
    poller("UKD101")
    assert details(poller.calls(asked)) == [f"get {one}", f"history {one}"]


@pytest.mark.rule("NX-2.2-9", "NX-11-18")
@pytest.mark.parametrize("envelope", ["bare", "wrapped", "two_arrays"])
def test_the_form_of_the_list_makes_no_difference(poller, nexus_sim, fetch, envelope):
    nexus_sim.control("options", list_envelope=envelope)
    poller.template("list: {member: consignments}")
    nexus_sim.add_many(count=7)

    assert poller().created == 7


RENAMED = {
    "consignmentNumber": "conNo", "delAddressPostcode": "postcode", "status": "state", "pallets": "units",
    "deliveryService": "delService",
}  # fmt: skip
OWN = """
history: {name: [status.name, state.name], status_id: [status.id, state.id]}
extra_fields: [conNo, postcode, state.name, state.id, units, delService.name, delService.id]
fields:
  consignment_number: {path: [consignmentNumber, conNo]}
  delivery_postcode: {path: [delAddressPostcode, postcode]}
  status: {path: [status.name, state.name]}
  status_id: {path: [status.id, state.id]}
  pallets: {path: ['pallets[]', 'units[]']}
  delivery_service: {path: [deliveryService.name, delService.name]}
  delivery_service_id: {path: [deliveryService.id, delService.id]}
"""
CONTENTS = """
SELECT consignment_number, service, surcharges, weight_kg, our_roles, additional_fields, lifecycle_status, s.postcode,
       (SELECT array_agg(pallet_type ORDER BY number) FROM pallets p WHERE p.consignment_id = c.id)
FROM consignments c JOIN stops s ON s.consignment_id = c.id AND s.kind = 'delivery' ORDER BY tracking_number
"""


@pytest.mark.rule("NX-2.3-17", "NX-11-18")
def test_fields_of_other_names_bring_the_same(poller, nexus_sim, conn, fetch):
    nexus_sim.scan(nexus_sim.add_many(count=5)[0], "Collected")
    poller()
    usual = fetch(CONTENTS)
    assert len(usual) == 5
    conn.execute("TRUNCATE orders, inbound_batches, inbound_records, watermarks, listed_records CASCADE")
    nexus_sim.control("options", renamed_fields=RENAMED)
    poller.template(OWN)

    assert poller().created == 5

    assert fetch(CONTENTS) == usual


@pytest.mark.rule("NX-2.3-17", "NX-11-18")
def test_null_fields_are_no_error(poller, nexus_sim, fetch):
    nulls = [
        "customerReference",
        "estimatedDelDate",
        "notes",
        "network",
        "dueDate",
        "descriptionOfGoods",
        "colAddressName",
    ]
    nexus_sim.control("options", null_fields=nulls)
    nexus_sim.add_many(count=5)

    assert poller().created == 5
    assert fetch("SELECT DISTINCT reference FROM orders") == [("",)]


@pytest.mark.rule("NX-2.9-7")
def test_what_came_only_as_an_id_is_looked_up_and_an_unknown_id_reads_the_look_up_anew(poller, nexus_sim, fetch):
    nexus_sim.add(role="requesting", deliveryService="Premium", absent=["deliveryService.name", "status.name"])
    poller()
    assert fetch("SELECT service FROM consignments") == [("A",)]
    # From now on Nexus has other ids: those that are kept no longer hold.
    nexus_sim.control("options", shift_ids=500)
    asked = poller.asked
    nexus_sim.add(role="requesting", deliveryService="Economy", pallets=["Full"], absent=["deliveryService.name"])

    assert poller().created == 1

    assert fetch("SELECT service FROM consignments ORDER BY id") == [("A",), ("B",)]
    assert fetch("SELECT DISTINCT country FROM stops WHERE kind = 'delivery'") == [("GB",)]
    calls = poller.calls(asked)
    assert [calls.count(f"lookup {name}") for name in ("services", "countries", "pallettypes")] == [2, 2, 2]


@pytest.mark.rule("NX-2.9-7")
def test_a_look_up_that_is_not_offered_leaves_names_out_and_stops_nothing(poller, nexus_sim, fetch):
    nexus_sim.fault("http_405", "pallettypes", times=None)
    nexus_sim.fault("http_404", "countries", times=None)
    nexus_sim.add_many(count=3, role="requesting", pallets=["Full"])

    assert poller().created == 3

    assert fetch("SELECT DISTINCT pallet_type FROM pallets") == [("FULL",)]
    assert fetch("SELECT DISTINCT country FROM stops WHERE kind = 'delivery'") == [("",)]
    assert poller.calls().count("lookup pallettypes") == 1
    assert any("palletTypes cannot be looked up" in line for line in poller.lines)


# Lists that move while they are read


@pytest.mark.rule("NX-2.2-10", "NX-2.2-11", "NX-2.2-13", "NX-11-19")
@pytest.mark.parametrize(
    "habit", [{}, {"limit_max": 20}, {"list_order": "shifting"}, {"list_order": "shifting", "limit_max": 20}]
)
def test_over_two_polls_of_a_restless_list_no_consignment_is_lost_and_none_doubled(poller, nexus_sim, fetch, habit):
    nexus_sim.control("options", **habit)
    ids = set(nexus_sim.add_many(count=130, role="delivery"))
    for _ in range(2):
        nexus_sim.fault("insert_row", "consignments", "GET", after=1, times=2)
        nexus_sim.fault("repeat_row", "consignments", "GET", after=1, times=2)
        poller()
        poller.later(minutes=3)

    nexus_sim.control("faults", clear=True)
    poller()

    held = [int(number) for (number,) in fetch("SELECT tracking_number FROM consignments")]
    theirs = {one["consignmentID"] for one in nexus_sim.held()}
    assert len(held) == len(set(held))
    assert set(held) >= ids
    assert set(held) == {one for one in theirs if one in held or one in ids}
    assert len(theirs) > len(ids)
    assert set(held) == theirs


@pytest.mark.rule("NX-2.3-18", "NX-7-12")
def test_a_row_without_an_id_is_parked_and_stops_nobody(poller, nexus_sim, fetch):
    good = nexus_sim.add(role="requesting")
    nexus_sim.add(role="requesting", overrides={"consignmentID": None})

    polled = poller()

    assert (polled.created, polled.rejected, polled.failed) == (1, 1, 1)
    [(code, field, raw)] = fetch("SELECT reason_code, field, raw FROM inbound_records WHERE outcome = 'rejected'")
    assert (code, field) == ("MISSING_VALUE", "consignmentID")
    assert json.loads(raw)["consignmentNumber"]
    assert fetch("SELECT tracking_number FROM consignments") == [(str(good),)]
    assert fetch("SELECT count(*) FROM watermarks") == [(1,)]


# Bad ones


def tried(poller, polls):
    """How many consignments each of so many polls could not take in."""
    found = []
    for _ in range(polls):
        found.append(poller().failed)
        poller.later(minutes=3)
    return found


@pytest.mark.rule("NX-7-12")
def test_a_bad_one_is_parked_tried_five_times_more_and_then_on_request(poller, nexus_sim, conn, plan, fetch):
    bad = nexus_sim.add(role="requesting", overrides={"delAddressPostcode": None})
    nexus_sim.add_many(count=3)

    assert tried(poller, 8) == [1, 1, 1, 1, 1, 1, 0, 0]

    assert fetch("SELECT count(*) FROM consignments") == [(3,)]
    assert fetch("SELECT count(*) FROM watermarks") == [(1,)]
    [record] = quarantine.listed(conn, "nexus")
    assert (record.record_key, record.reason_code, record.party) == (str(bad), "MISSING_VALUE", "nexus_pgd302")
    assert json.loads(record.raw)["delAddressPostcode"] is None
    # On request: corrected and replayed by a person.
    corrected = json.dumps(json.loads(record.raw) | {"delAddressPostcode": "LS1 1AA"})
    intake = Intake(conn, "nexus", preview(plan))
    intake.replay(record.id, corrected, record.read_at)
    assert intake.store(Batch("nexus", "replay", "nexus_pgd302", "test", "ops", NOW)).created == 1


@pytest.mark.rule("NX-7-12")
def test_a_bad_one_that_changes_is_tried_anew(poller, nexus_sim, fetch):
    bad = nexus_sim.add(role="requesting", overrides={"delAddressPostcode": None})
    assert tried(poller, 7)[-1] == 0
    change(nexus_sim, bad, delAddressPostcode="LS1 1AA")

    assert poller().created == 1
    assert fetch("SELECT settled_by FROM inbound_records WHERE outcome = 'rejected'") == [
        ("a later version of the record landed",)
    ]


@pytest.mark.rule("NX-7-12")
def test_a_customer_added_to_the_deployment_file_lets_his_orders_in(poller, nexus_sim, fetch):
    nexus_sim.add(role="requesting", network="PALLEX", overrides={"customerID": 20777})
    assert tried(poller, 7) == [1] * 6 + [0]
    poller.plan = replace(poller.plan, accounts={**poller.plan.accounts, ("pallex", "20777"): "FOXGLOVE"})

    assert poller().created == 1


@pytest.mark.rule("NX-7-12")
def test_what_the_order_store_does_not_take_stops_no_other(poller, nexus_sim, conn, fetch):
    nexus_sim.add_many(count=3, role="requesting", customerReference="PO-1")
    bad = nexus_sim.add(role="requesting", customerReference="BOOM")
    conn.execute(
        "CREATE FUNCTION boom() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.reference = 'BOOM' THEN RAISE numeric_value_out_of_range; END IF; RETURN NEW; END $$;"
        " CREATE TRIGGER boom BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION boom()"
    )

    polled = poller()

    assert (polled.created, polled.rejected, polled.failed) == (3, 1, 1)
    assert fetch("SELECT record_key, reason_code FROM inbound_records WHERE outcome = 'rejected'") == [
        (str(bad), "NOT_STORABLE")
    ]


def test_the_line_for_the_log_says_what_happened(poller, nexus_sim):
    nexus_sim.add_many(count=2, deliveryService="Premium")
    nexus_sim.add(overrides={"delAddressPostcode": None})

    poller()

    assert poller.lines == ["nexus_pgd302: 3 listed, 3 read, 2 created, 1 rejected, 2 statuses, 1 failed"]


def test_a_poll_in_the_middle_of_another_doubles_nothing(poller, nexus_sim, plan, dsn, tmp_path, fetch):
    nexus_sim.add_many(count=6, role="requesting")
    with connect(dsn) as conn:
        other = Poller(conn, plan, nexus_sim, tmp_path)
        others: list[int] = []

        poller(between=lambda: others.append(other().created) if not others else None)

        other.close()
    assert others == [6]
    assert fetch("SELECT count(*), count(DISTINCT tracking_number) FROM consignments") == [(6, 6)]
    assert fetch("SELECT kind, count(*) FROM activity GROUP BY kind ORDER BY kind") == [
        ("created", 6),
        ("statuses read", 6),
    ]
