"""Statuses from the simulated Nexus into the order store (contract 2.8, 7.4, 7.5, 8, 10 inbound): the real thing."""

import random
import threading
from datetime import UTC, datetime, timedelta

import pytest
from tests.conftest import NOW
from tests.networks.nexus.tracked import Yard

from palletflow.network_errors import NotFound
from palletflow.networks.nexus.status_import import StatusNews
from palletflow.store import dispatch, orders, tracking
from palletflow.store.connection import connect

HOUR = timedelta(hours=1)
COURSE = (
    "Manifested", "Collected", "At Collecting Depot", "At Hub", "In Transit", "At Delivery Depot", "Out for Delivery",
    "Delivered",
)  # fmt: skip


@pytest.fixture
def yard(conn, dsn, plan, nexus_sim, tmp_path):
    made = Yard(conn, dsn, plan, nexus_sim, tmp_path)
    yield made
    made.close()


def at(hours: float) -> datetime:
    return NOW + timedelta(hours=hours)


# What they do, by our role


@pytest.mark.rule("NX-8-2", "NX-8-3", "NX-8-4", "NX-8-5", "NX-8-6", "NX-8-12", "NX-2.8-1", "NX-7-18")
@pytest.mark.parametrize(
    ("role", "last", "stops", "status"),
    [
        ("delivery", "Collected", ["pickup"], "COLLECTED"),
        ("delivery", "In Transit", ["pickup"], "AT_HUB"),
        ("delivery", "At Delivery Depot", ["pickup", "delivery_depot"], "AT_DELIVERY_DEPOT"),
        ("delivery", "Delivered", ["pickup", "delivery_depot"], "DELIVERED"),
        ("requesting and delivery", "At Delivery Depot", ["pickup", "delivery_depot"], "AT_DELIVERY_DEPOT"),
        ("collecting", "At Collecting Depot", [], "AT_COLLECTION_DEPOT"),
        ("collecting", "Out for Delivery", ["delivery?"], "OUT_FOR_DELIVERY"),
        ("requesting", "Out for Delivery", ["delivery?"], "OUT_FOR_DELIVERY"),
        ("requesting", "Delivered", ["delivery"], "DELIVERED"),
        ("requesting and collecting", "Delivered", ["delivery"], "DELIVERED"),
        ("both legs", "Delivered", [], "CREATED"),
    ],
)
def test_statuses_move_stops_by_our_role_and_the_consignment(yard, role, last, stops, status):
    one = yard.create(role)
    course = COURSE[: COURSE.index(last) + 1]
    for hours, name in enumerate(course):
        yard.status(one, name, hours)

    news = yard.poll(one)

    assert news == StatusNews(events=2 * len(course), echoes=0, changed=True, warnings=[])
    assert yard.completed(one) == stops
    assert yard.whereabouts(one) == (status, None)
    assert [name for name, *_ in yard.events(one)] == ["Booked", *(name for name in course for _ in (1, 2))]


@pytest.mark.rule("NX-8-5", "NX-8-6")
def test_the_delivery_of_others_is_started_and_completed_with_who_signed(yard):
    one = yard.create("requesting", pallets=1)
    yard.status(one, "Out for Delivery", 3)
    yard.poll(one)
    assert yard.stop(one) == (at(3), None, None)

    yard.status(one, "Delivered", 5, signatory="A Person")
    yard.poll(one)

    assert yard.stop(one) == (at(3), at(5), "CLEAN")
    assert yard.rows("SELECT signatory FROM stops WHERE kind = 'delivery'") == [("A Person",)]


@pytest.mark.rule("NX-8-10", "NX-8-11", "NX-11-23")
def test_a_stop_waits_for_every_pallet_and_moves_once(yard):
    one = yard.create("delivery", pallets=3)
    yard.status(one, "Collected", 2, 1)
    yard.status(one, "Collected", 5, 3)
    yard.poll(one)
    assert (yard.completed(one), yard.whereabouts(one)) == ([], ("CREATED", None))

    yard.status(one, "Collected", 1, 2)
    yard.poll(one)
    assert yard.stop(one, "pickup")[1] == at(5)
    assert yard.whereabouts(one) == ("COLLECTED", None)

    yard.status(one, "Collected", 9)
    yard.poll(one)
    assert yard.stop(one, "pickup")[1] == at(5)


@pytest.mark.rule("NX-8-11", "NX-11-23")
def test_a_status_without_barcode_is_of_all_pallets(yard):
    one = yard.create("delivery", pallets=3)
    yard.status(one, "Collected", 2, barcode=None)

    assert yard.poll(one).events == 1
    assert yard.stop(one, "pickup")[1] == at(2)


@pytest.mark.rule("NX-8-8")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Refused", "REFUSED"),
        ("Failed Delivery", "NOT_DELIVERED"),
        ("Damaged", "DAMAGED"),
        ("Short", "SHORT"),
        ("Returned", "RETURNED"),
        ("Held by customs", "HELD"),
    ],
)
def test_an_exception_flags_the_order_once_completes_nothing_and_is_left_again(yard, name, reason):
    one = yard.create("requesting")
    yard.status(one, "Out for Delivery", 3)
    yard.status(one, name, 5, notes="nobody there")
    yard.poll(one)

    assert yard.whereabouts(one) == ("EXCEPTION", reason)
    assert yard.stop(one) == (at(3), None, None)
    cancelled, review = yard.order(one)
    assert (cancelled, review.startswith(f"Nexus says '{name}' (nobody there) since 2026-07-13 14:30 UTC")) == (
        False,
        True,
    )

    yard.rows("UPDATE orders SET review_reason = NULL RETURNING 1")
    yard.poll(one)
    assert yard.order(one) == (False, None)

    # A lower rank is accepted after it.
    yard.status(one, "At Delivery Depot", 7)
    yard.poll(one)
    assert yard.whereabouts(one) == ("AT_DELIVERY_DEPOT", None)


@pytest.mark.rule("NX-8-8", "NX-8-11")
def test_an_exception_of_one_pallet_is_the_consignments_once_all_have_ended(yard):
    one = yard.create("requesting")
    yard.status(one, "Damaged", 5, 1)
    yard.poll(one)
    assert (yard.whereabouts(one), yard.order(one)) == (("CREATED", None), (False, None))

    yard.status(one, "Delivered", 6, 2)
    yard.poll(one)

    assert yard.whereabouts(one) == ("EXCEPTION", "DAMAGED")
    assert yard.order(one)[1].startswith("Nexus says 'Damaged' since 2026-07-13 14:30 UTC")
    assert yard.completed(one) == []


@pytest.mark.rule("NX-8-9", "NX-11-22")
def test_an_unknown_name_is_kept_and_warned_about_once(yard, fetch):
    first, second = yard.create("requesting", pallets=1), yard.create("requesting", pallets=1)
    for one in (first, second):
        yard.status(one, "Weighed", 1, statusID=12345)
        yard.status(one, "In Transit", 2)
    before = yard.whereabouts(first)

    news = [yard.poll(first), yard.poll(second)]

    assert [len(one.warnings) for one in news] == [1, 0]
    assert "'Weighed', which nobody here knows" in news[0].warnings[0]
    assert yard.warnings(first) == news[0].warnings
    assert fetch("SELECT DISTINCT status FROM tracking_events WHERE code = 'Weighed'") == [("UNKNOWN",)]
    assert (before, yard.whereabouts(first)) == (("CREATED", None), ("TRUNKED", None))
    assert fetch("SELECT code, events FROM unknown_codes") == [("Weighed", 2)]

    # Nor on another day.
    yard.at += timedelta(days=1)
    yard.status(first, "Weighed", 9)
    assert yard.poll(first).warnings == []
    assert fetch("SELECT count(*) FROM unknown_codes") == [(2,)]


@pytest.mark.rule("NX-8-13")
def test_without_depots_what_we_created_is_requested_and_collected_by_us(yard, fetch):
    own = yard.own()
    yard.report(own, "pickup", "completed", at(-1))
    assert fetch("SELECT count(*) FROM work_items WHERE kind = 'status_export'") == [(0,)]
    yard.status(own, "Out for Delivery", 3)
    yard.status(own, "Delivered", 5)

    yard.poll(own)

    assert yard.stop(own) == (at(3), at(5), "CLEAN")
    assert fetch("SELECT our_roles FROM consignments WHERE id = %s", own) == [(["requesting", "collecting"],)]
    # What our people reported before that goes out as well.
    assert fetch("SELECT key FROM work_items WHERE kind = 'status_export'") == [(str(own),)]


@pytest.mark.rule("NX-8-13")
def test_without_depots_what_others_created_has_no_role_and_moves_nothing(yard, fetch):
    nowhere = {"originatingDepotCode": None, "collectingDepotCode": None, "deliveryDepotCode": None}
    one = yard.create("requesting", overrides=nowhere)
    assert fetch("SELECT our_roles FROM consignments") == [([],)]
    for hours, name in enumerate((*COURSE[:-1], "Refused")):
        yard.status(one, name, hours)

    yard.poll(one)

    assert (yard.completed(one), yard.waiting(), yard.order(one)[0]) == ([], [], False)
    assert "Nexus says" not in (yard.order(one)[1] or "")
    assert yard.whereabouts(one) == ("EXCEPTION", "REFUSED")


def test_a_role_that_nexus_names_later_catches_up(yard, fetch):
    nowhere = {"originatingDepotCode": None, "collectingDepotCode": None, "deliveryDepotCode": None}
    one = yard.create("requesting", overrides=nowhere)
    yard.status(one, "Delivered", 5)
    yard.poll(one)
    assert (yard.completed(one), yard.waiting()) == ([], [])
    yard.rows("UPDATE consignments SET our_roles = '{requesting}' WHERE id = %s RETURNING 1", one)

    yard.poll(one)

    assert (yard.completed(one), yard.waiting()) == (["delivery"], [("document_fetch", str(one))])


# Time and order


SCENES = {
    "clean": [(name, hours, None) for hours, name in enumerate(COURSE)],
    "second attempt": [("Out for Delivery", 1, None), ("Failed Delivery", 3, None), ("Out for Delivery", 24, 1),
                       ("Out for Delivery", 25, 2), ("Delivered", 26, 1), ("Delivered", 27, 2)],
    "one pallet behind": [("Collected", 1, 1), ("At Hub", 4, 1), ("Collected", 5, 2), ("Delivered", 20, 1),
                          ("Odd", 21, 2)],
    "scan after delivered": [("Delivered", 5, None), ("At Hub", 6, None), ("Damaged", 7, 1), ("Collected", 1, None)],
}  # fmt: skip


@pytest.mark.rule("NX-7-18", "NX-7-19", "NX-11-23")
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
@pytest.mark.parametrize("role", ["delivery", "collecting"])
def test_late_doubled_and_disordered_statuses_end_the_same(yard, role, scene):
    """However they come in and however often we read in between: the same stops, statuses and events in the end."""

    def told(order, *, reads_between: bool):
        one = yard.create(role)
        for position in order:
            name, hours, pallet = scene[position]
            for _ in range(2 if reads_between else 1):
                yard.status(one, name, hours, *([pallet] if pallet else []), signatory="J SMITH", notes="noted")
            if reads_between:
                yard.poll(one)
        yard.poll(one)
        stops = yard.rows(
            "SELECT kind, started_at, arrived_at, completed_at, outcome, reason, signatory FROM stops "
            "WHERE consignment_id = %s ORDER BY kind",
            one,
        )
        return stops, yard.whereabouts(one), yard.events(one)

    undisturbed = told(range(len(scene)), reads_between=False)

    draw = random.Random(7)
    for _ in range(2):
        assert told(draw.sample(range(len(scene)), len(scene)), reads_between=True) == undisturbed


@pytest.mark.rule("NX-7-19", "NX-8-6")
def test_late_statuses_fill_what_is_missing_and_undo_nothing(yard):
    one = yard.create("requesting")
    yard.status(one, "Delivered", 9)
    yard.poll(one)
    assert yard.whereabouts(one) == ("DELIVERED", None)

    yard.status(one, "Out for Delivery", 5)
    yard.status(one, "Failed Delivery", 7)
    yard.poll(one)

    assert yard.stop(one) == (at(5), at(9), "CLEAN")
    assert yard.whereabouts(one) == ("DELIVERED", None)

    # What is found out afterwards is shown beside it.
    yard.status(one, "Damaged", 12)
    yard.poll(one)
    assert yard.whereabouts(one) == ("DELIVERED", "DAMAGED")
    assert yard.order(one)[1].startswith("Nexus says 'Damaged' since 2026-07-13 21:30 UTC")


@pytest.mark.rule("NX-7-18", "NX-1-6")
def test_wall_times_and_times_with_an_offset_are_one(yard):
    one = yard.create("delivery")
    yard.status(one, "Collected", 2)
    yard.poll(one)
    yard.nexus.control("options", datetimes="wall")

    assert yard.poll(one).events == 0
    assert yard.stop(one, "pickup")[1] == at(2)


def versions(fetch):
    tables = (
        "orders", "stops", "consignments", "pallets", "tracking_events", "tracking_polls", "activity", "work_items",
        "pallet_barcodes", "unknown_codes",
    )  # fmt: skip
    return {table: fetch(f"SELECT xmin::text, ctid::text FROM {table} ORDER BY ctid") for table in tables}


@pytest.mark.rule("NX-7-9", "NX-7-18")
@pytest.mark.parametrize("role", ["delivery", "requesting"])
def test_reading_the_same_again_writes_no_row_version(yard, fetch, role):
    one = yard.create(role, estimatedDelDate="2026-07-14", estimatedDelTime="10:20")
    for hours, name in enumerate((*COURSE[:-1], "Odd", "Cancelled")):
        yard.status(one, name, hours)
    yard.poll(one)
    before = versions(fetch)

    yard.at += timedelta(minutes=14)
    assert yard.read(one) == StatusNews(0, 0, False, [])
    assert versions(fetch) == before

    # It was looked at: noted at most every quarter of an hour, so that others have their turn.
    yard.at += timedelta(minutes=1)
    yard.read(one)
    after = versions(fetch)
    assert after.pop("tracking_polls") != before.pop("tracking_polls")
    assert after == before
    assert fetch("SELECT polled_at FROM tracking_polls") == [(yard.at,)]


@pytest.mark.rule("NX-8-27")
def test_what_our_own_people_reported_counts_more(yard):
    one = yard.create("delivery")
    yard.report(one, "pickup", "completed", at(3))
    yard.status(one, "Collected", 1)

    yard.poll(one)

    assert yard.stop(one, "pickup")[1] == at(3)


def test_with_the_switch_off_nothing_is_read(yard):
    one = yard.create("delivery")
    yard.status(one, "Collected", 1)
    yard.switch(status_import=False)

    assert yard.poll(one) == StatusNews(0, 0, False, [])
    assert yard.completed(one) == []


def test_another_consignments_record_changes_nothing(yard):
    one, other = yard.create("delivery"), yard.create("delivery")
    yard.status(other, "Collected", 1)
    client = yard.access().client
    number = yard.number(other)

    assert yard.store(one, client.get(number), client.history(number)) == StatusNews(0, 0, False, [])
    assert yard.store(999999, client.get(number), client.history(number)) == StatusNews(0, 0, False, [])
    assert yard.completed(one) == []


# Without a history


@pytest.mark.rule("NX-2.8-1", "NX-2.8-2", "NX-11-22")
@pytest.mark.parametrize(
    ("options", "extra", "asked"),
    [
        ({"not_offered": {"history": 404}}, {}, 1),
        ({"not_offered": {"history": 405}}, {}, 1),
        ({}, {"status_history": "off"}, 0),
    ],
    ids=str,
)
def test_without_a_history_each_change_of_the_status_is_one_event(yard, options, extra, asked):
    yard.nexus.control("options", **options)
    yard.settle(**extra)
    one = yard.create("requesting")
    for hours, name in ((2, "Manifested"), (5, "Out for Delivery"), (6, "Failed Delivery"), (24, "Out for Delivery")):
        yard.status(one, name, hours)
        yard.poll(one)
        yard.poll(one)
    yard.status(one, "Delivered", 26)
    yard.poll(one)

    seen = [NOW + timedelta(minutes=30 * number) for number in (0, 1, 3, 5, 7)]
    names = ["Booked", "Manifested", "Out for Delivery", "Failed Delivery", "Out for Delivery"]
    assert yard.events(one) == [
        *((name, None, moment, False) for name, moment in zip(names, seen, strict=True)),
        ("Delivered", None, at(26), False),
    ]
    assert yard.stop(one) == (seen[2], at(26), "CLEAN")
    assert yard.whereabouts(one) == ("DELIVERED", None)
    history = [one for one in yard.nexus.requests("consignments", "GET") if one["path"].endswith("/statuses")]
    assert len(history) == asked


@pytest.mark.rule("NX-2.8-1", "NX-2.8-2")
def test_a_history_that_must_be_there_is_no_fall_back(yard):
    one = yard.create("requesting")
    yard.settle(status_history="on")
    yard.nexus.control("options", not_offered={"history": 404})

    with pytest.raises(NotFound):
        yard.poll(one)


@pytest.mark.rule("NX-2.8-2")
def test_a_collection_has_the_day_that_nexus_gives(yard):
    yard.settle(status_history="off")
    one = yard.create("delivery")
    yard.status(one, "Collected", -24)

    yard.poll(one)

    assert yard.stop(one, "pickup")[1] == datetime(2026, 7, 12, 22, 59, tzinfo=UTC)


@pytest.mark.rule("NX-2.8-2")
def test_a_history_that_comes_later_corrects_what_was_guessed(yard):
    yard.settle(status_history="off")
    one = yard.create("delivery")
    yard.status(one, "Collected", -24)
    yard.poll(one)
    yard.settle(status_history="auto")

    yard.poll(one)

    assert yard.stop(one, "pickup")[1] == at(-24)


# Barcodes


def barcodes(yard, one):
    return yard.rows(
        "SELECT barcode, pallet_number, state FROM pallet_barcodes WHERE consignment_id = %s ORDER BY barcode", one
    )


@pytest.mark.rule("NX-3-4")
def test_the_barcodes_of_one_we_created_are_taken_and_confirmed(yard):
    own = yard.own()
    listed = yard.nexus.one(yard.number(own))["barcodes"]

    yard.poll(own)

    assert barcodes(yard, own) == [(listed[0], 1, "confirmed"), (listed[1], 2, "confirmed")]
    assert yard.warnings(own) == []


@pytest.mark.rule("NX-3-4")
def test_a_changed_barcode_is_adopted_with_a_warning(yard):
    one = yard.create("delivery")
    old = yard.nexus.one(yard.number(one))["barcodes"]
    way = yard.access().client
    record = way.get(yard.number(one))
    record["pallets"][1]["barcode"] = "1044999999999999"

    news = yard.store(one, record, way.history(yard.number(one)))

    assert sorted(barcodes(yard, one)) == [
        (old[0], 1, "confirmed"), (old[1], 2, "superseded"), ("1044999999999999", 2, "confirmed"),
    ]  # fmt: skip
    assert news.warnings == [
        f"Nexus changed the barcode of pallet 2 from {old[1]} to 1044999999999999: print new labels"
    ]
    # Both still stand for their pallet.
    yard.status(one, "Collected", 1)
    yard.store(one, record, way.history(yard.number(one)))
    assert yard.stop(one, "pickup")[1] == at(1)


@pytest.mark.rule("NX-3-5")
def test_a_foreign_barcode_of_another_shape_is_kept_and_flagged(yard):
    one = yard.create("delivery", pallets=1)
    yard.status(one, "Collected", 1, barcode="PALLET-7")

    news = yard.poll(one)

    assert news.warnings == ["Nexus uses the barcode 'PALLET-7', which has not 16 digits"]
    assert ("PALLET-7", None, "foreign") in barcodes(yard, one)
    assert yard.completed(one) == []


def test_a_barcode_that_becomes_known_later_counts_for_its_pallet(yard):
    own = yard.own()
    way, number = yard.access().client, yard.number(own)
    yard.status(own, "Collected", 1)
    yard.store(own, {**way.get(number), "pallets": None}, way.history(number))
    assert yard.whereabouts(own) == ("CREATED", None)

    yard.poll(own)

    assert yard.whereabouts(own) == ("COLLECTED", None)
    assert [pallet for _, pallet, *_ in yard.events(own)] == [None, 1, 2]


# Cancelled at Nexus


@pytest.mark.rule("NX-7-16", "NX-8-7")
@pytest.mark.parametrize("role", ["requesting", "collecting", "delivery", "both legs"])
@pytest.mark.parametrize("history", ["auto", "off"])
def test_cancelled_at_nexus_cancels_the_order_once(yard, role, history):
    one = yard.create(role)
    yard.settle(status_history=history)
    yard.status(one, "Cancelled", 1, barcode=None)

    yard.poll(one)

    assert yard.order(one) == (True, None)
    if role != "both legs":  # there our own reports say it all
        assert yard.whereabouts(one) == ("CANCELLED", None)
    reasons = yard.rows("SELECT changes -> 'reason' ->> 1 FROM activity WHERE kind = 'cancelled'")
    assert reasons == [("Cancelled at Nexus",)]

    # Whoever restores it knows better.
    order = orders.locked(yard.conn, yard.one("SELECT order_id FROM consignments WHERE id = %s", one)[0])
    orders.restore(yard.conn, order, "tester", "test")
    yard.poll(one)
    assert yard.order(one) == (False, None)


@pytest.mark.rule("NX-7-16")
@pytest.mark.parametrize("begun", ["reported", "read"])
def test_cancelled_at_nexus_flags_an_order_that_is_begun(yard, begun):
    one = yard.create("delivery")
    if begun == "read":
        yard.status(one, "Collected", 1)
    else:
        yard.report(one, "pickup", "arrived", at(1))
    yard.status(one, "Cancelled", 2)

    yard.poll(one)

    assert yard.order(one) == (
        False,
        "Cancelled at Nexus after it was begun: check with the customer where the goods go",
    )


@pytest.mark.rule("NX-7-16")
def test_cancelled_is_believed_whether_the_history_says_so_or_the_consignment(yard):
    one = yard.create("requesting")

    yard.poll(one, status={"id": 9015, "name": "Cancelled"})
    yard.poll(one, status={"id": 9015, "name": "Cancelled"})

    assert yard.order(one) == (True, None)
    assert [name for name, *_ in yard.events(one)] == ["Booked", "Cancelled"]


def on_one_order(yard, one, other):
    """Puts the second on the order of the first; its id."""
    query = "UPDATE consignments SET order_id = other.order_id FROM consignments other "
    where = "WHERE other.id = %s AND consignments.id = %s RETURNING consignments.order_id"
    return yard.one(query + where, one, other)[0]


@pytest.mark.rule("NX-7-16")
def test_cancelled_at_nexus_flags_an_order_of_which_there_is_more(yard):
    one, other = yard.create("delivery"), yard.create("delivery")
    on_one_order(yard, one, other)
    yard.status(one, "Cancelled", 2)

    yard.poll(one)

    assert yard.order(one) == (
        False, "Cancelled at Nexus, one of several consignments of the order: check with the customer",
    )  # fmt: skip


@pytest.mark.rule("NX-7-16")
def test_one_pallet_cancelled_is_no_cancelled_consignment(yard):
    one = yard.create("delivery")
    yard.status(one, "Cancelled", 2, 1)

    yard.poll(one)

    assert yard.order(one) == (False, None)


def test_cancelling_and_somebody_who_works_on_the_order_do_not_lock_each_other_out(yard, dsn):
    """Two consignments of one order, read and changed at the same time: everybody locks them in one order."""
    one, other = yard.create("delivery"), yard.create("delivery")
    order_id = on_one_order(yard, one, other)
    yard.status(other, "Cancelled", 2)
    failures: list[Exception] = []
    begun = threading.Event()

    def work() -> None:
        try:
            with connect(dsn) as conn:
                for _ in range(30):
                    with conn.transaction():
                        orders.locked(conn, order_id)
                        begun.set()
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(30)
    for _ in range(5):
        yard.poll(other)
    thread.join()

    assert failures == []
    assert yard.order(one)[1].startswith("Cancelled at Nexus, one of several")


def test_what_is_dispatched_anew_begins_anew(yard):
    """Its number at Nexus is another one; what became of the first is no news of the second."""
    own = yard.own()
    yard.status(own, "Cancelled", 1, barcode=None)
    yard.poll(own)
    yard.rows("UPDATE consignments SET lifecycle_status = 'CREATED' RETURNING 1")
    with yard.conn.transaction():
        tracking.forget(yard.conn, own)
    assert (yard.events(own), tracking.exchange(yard.conn, own).polled_at) == ([], None)

    second = yard.nexus.add(network="PALLEX", customerID=20001, originatingDepotCode="PGD302", pallets=2)
    yard.rows("UPDATE consignments SET tracking_number = %s WHERE id = %s RETURNING 1", str(second), own)
    yard.status(own, "Collected", 2)
    yard.poll(own)

    assert yard.whereabouts(own) == ("COLLECTED", None)


# When it is expected


@pytest.mark.rule("NX-10-12")
@pytest.mark.parametrize(
    ("role", "is_taken"),
    [
        ("requesting", True),
        ("collecting", True),
        ("requesting and collecting", True),
        ("delivery", False),
        ("requesting and delivery", False),
        ("both legs", False),
    ],
)
def test_when_others_expect_to_deliver_is_taken_over(yard, role, is_taken):
    one = yard.create(role)
    expected = {
        "estimatedDelDate": "2026-07-14",
        "estimatedDelTime": "10:20",
        "startWindow": None,
        "endWindow": "11:20",
    }

    yard.poll(one, **expected)

    eta = (datetime(2026, 7, 14, 9, 20, tzinfo=UTC), datetime(2026, 7, 14, 10, 20, tzinfo=UTC))
    etas = "SELECT eta_from, eta_to FROM stops WHERE consignment_id = %s AND kind = 'delivery'"
    assert yard.rows(etas, one) == [eta if is_taken else (None, None)]
    assert yard.waiting() == []  # nothing goes back to Nexus
    if is_taken:
        [(changes,)] = yard.rows("SELECT changes FROM activity WHERE changes ? 'delivery.eta_from'")
        assert changes["delivery.eta_from"] == [None, "2026-07-14T09:20:00+00:00"]


@pytest.mark.rule("NX-10-12")
@pytest.mark.parametrize("begun", ["Out for Delivery", "arrived", "Delivered"])
def test_what_is_expected_of_a_stop_that_has_started_is_not_taken(yard, begun):
    one = yard.create("requesting")
    yard.poll(one, estimatedDelDate="2026-07-14", estimatedDelTime="10:20")
    if begun == "arrived":
        yard.report(one, "delivery", "arrived", at(1))
    else:
        yard.status(one, begun, 1)

    yard.poll(one, estimatedDelDate="2026-07-15", estimatedDelTime="08:00")
    yard.poll(one, estimatedDelDate="2026-07-16", estimatedDelTime="08:00")

    assert yard.rows("SELECT eta_from FROM stops WHERE kind = 'delivery'") == [
        (datetime(2026, 7, 14, 9, 20, tzinfo=UTC),)
    ]


@pytest.mark.rule("NX-10-12")
def test_a_new_expectation_replaces_the_last_and_none_leaves_it(yard):
    one = yard.create("requesting")
    yard.poll(one, estimatedDelDate="2026-07-14", estimatedDelTime="10:20", endWindow="11:20")
    yard.poll(one, estimatedDelDate="2026-07-14", estimatedDelTime="12:00", endWindow=None)
    yard.poll(one)

    assert yard.rows("SELECT eta_from, eta_to FROM stops WHERE kind = 'delivery'") == [
        (datetime(2026, 7, 14, 11, 0, tzinfo=UTC), None)
    ]


# What follows from a delivery


@pytest.mark.rule("NX-8-6", "NX-8-10", "NX-9-16")
@pytest.mark.parametrize(
    ("role", "is_chased"),
    [
        ("requesting", True),
        ("collecting", True),
        ("requesting and collecting", True),
        ("delivery", False),
        ("requesting and delivery", False),
        ("both legs", False),
    ],
)
def test_a_delivery_by_others_starts_the_document_chase_once(yard, role, is_chased):
    one = yard.create(role)
    yard.status(one, "Delivered", 5, 1)
    yard.poll(one)
    assert yard.waiting() == []
    yard.status(one, "Delivered", 6, 2)

    yard.poll(one)

    assert yard.waiting() == ([("document_fetch", str(one))] if is_chased else [])
    generation = "SELECT generation FROM work_items WHERE kind = 'document_fetch'"
    yard.status(one, "Delivered", 7)
    yard.poll(one)
    assert yard.rows(generation) == ([(0,)] if is_chased else [])


def test_a_delivery_that_our_people_reported_for_others_is_chased_as_well(yard):
    one = yard.create("requesting")
    yard.report(one, "delivery", "completed", at(4))
    yard.status(one, "Delivered", 5)

    yard.poll(one)

    assert yard.waiting() == [("document_fetch", str(one))]
    assert yard.stop(one)[1] == at(4)


def ended(yard, one):
    return yard.one("SELECT ended_at FROM tracking_polls WHERE consignment_id = %s", one)[0]


@pytest.mark.rule("NX-7-8", "NX-9-17")
def test_a_consignment_is_open_while_its_documents_are_chased(yard):
    one = yard.create("requesting")
    yard.status(one, "Delivered", 5)
    yard.settle(pod_chase_days=2)
    yard.poll(one)
    assert ended(yard, one) is None

    yard.at = at(5 + 47)
    yard.read(one)
    assert ended(yard, one) is None
    yard.at = at(5 + 48)
    yard.read(one)
    assert ended(yard, one) == at(5 + 48)

    add = """
        INSERT INTO documents (order_id, consignment_id, kind, name, media_type, size, sha256, source, actor)
        SELECT order_id, id, %s, 'x', 'image/jpeg', 1, sha256(%s::bytea), 'nexus documents', 'test'
        FROM consignments WHERE id = %s RETURNING 1
    """
    other = yard.create("requesting")
    yard.status(other, "Delivered", 50)
    for kind, is_over in (("POD", False), ("SIGNATURE", True)):
        yard.rows(add, kind, kind, other)
        yard.read(other)
        assert ended(yard, other) == (at(50) if is_over else None)


@pytest.mark.rule("NX-7-8")
@pytest.mark.parametrize(
    ("role", "last", "hours"),
    [
        ("delivery", "Delivered", 5),
        ("requesting", "Cancelled", 5),
        ("requesting", "Returned", None),
        ("delivery", "At Hub", None),
    ],
)
def test_what_is_final_has_ended(yard, role, last, hours):
    one = yard.create(role)
    yard.status(one, last, 5)

    yard.poll(one)

    assert ended(yard, one) == (hours and at(hours))


# What Nexus may make of it


@pytest.mark.rule("NX-2.8-1", "NX-11-22", "NX-2.9-7")
def test_renamed_fields_nulls_and_ids_alone_come_to_the_same(yard):
    one = yard.create("delivery", pallets=1)
    yard.status(one, "Collected", 1, depot="PGD310", signatory="A Person")
    yard.nexus.control("options", null_fields=["status.name"], shift_ids=40)

    assert yard.poll(one).events == 1
    assert [name for name, *_ in yard.events(one)] == ["Booked", "Collected"]
    assert yard.stop(one, "pickup")[1] == at(1)

    other = yard.create("delivery", pallets=1)
    yard.nexus.control("options", null_fields=[], renamed_fields={"dateTime": "occurredAt", "barcode": "palletBarcode"})
    sections = yard.access().mapper.template.sections
    yard.template(
        history={**sections["history"], "at": ["occurredAt"], "barcode": ["palletBarcode"]},
        pallet={**sections["pallet"], "barcode": ["palletBarcode"]},
    )
    yard.status(other, "Collected", 1)
    yard.poll(other)
    assert yard.stop(other, "pickup")[1] == at(1)


def test_a_history_of_bad_rows_stops_nothing(yard):
    one = yard.create("delivery", pallets=1)
    yard.status(one, "Collected", 1)
    way, number = yard.access().client, yard.number(one)
    history = [{}, {"status": None}, {"status": {"name": "Odd\x00one"}, "dateTime": "never", "barcode": []}]

    news = yard.store(one, way.get(number), [*history, *(way.history(number) or [])])

    assert (news.events, yard.completed(one)) == (2, ["pickup"])
    assert [warning.split(" has ")[0] for warning in news.warnings if warning.startswith("Row")] == [
        "Row 1 of the status history", "Row 2 of the status history", "Row 3 of the status history",
    ]  # fmt: skip
    # Said again by every reading, but in the consignment's history only beside what is new.
    before = yard.warnings(one)
    yard.store(one, way.get(number), [*history, *(way.history(number) or [])])
    assert yard.warnings(one) == before


@pytest.mark.rule("NX-7-16")
def test_an_order_that_a_person_cancelled_and_nexus_too_is_left_alone(yard):
    own = yard.own()
    order = orders.locked(yard.conn, yard.one("SELECT order_id FROM consignments WHERE id = %s", own)[0])
    orders.cancel(yard.conn, order, "wrong goods", "tester", "test")
    yard.status(own, "Cancelled", 1, barcode=None)

    yard.poll(own)

    assert yard.whereabouts(own) == ("CANCELLED", None)
    assert yard.rows("SELECT count(*) FROM activity WHERE kind = 'cancelled'") == [(1,)]
    assert dispatch.task(yard.conn, order.id) is None
