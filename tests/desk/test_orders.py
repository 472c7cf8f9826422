"""Orders through the API: safe to repeat, changed without taking back what the network filled in."""

import io
import re
import threading
from datetime import UTC, datetime

import pytest
from tests.desk.conftest import Api
from tests.desk.desk_orders import DEPLOYMENT, order
from tests.sandbox.waiting import until

from palletflow.intake.file_import import import_file
from palletflow.networks.palletforce import csv_files
from palletflow.store.connection import connect

CONSIGNMENT = "consignments[0]."


def errors(answer):
    return [(fault["field"], fault["rule"]) for fault in answer["errors"]]


def activities(fetch, key="SO-1"):
    return fetch(
        "SELECT a.kind, a.actor, a.changes, a.warnings FROM activity a JOIN consignments c ON c.id = a.consignment_id "
        "JOIN orders o ON o.id = c.order_id WHERE o.source_key = %s ORDER BY a.id",
        key,
    )


def test_an_order_is_made_once_however_often_it_is_sent(api, fetch):
    first = api.post("/orders", order(), 201)
    again = api.post("/orders", order())
    assert (first["outcome"], again["outcome"], again["id"]) == ("created", "unchanged", first["id"])
    assert activities(fetch) == [("created", "tester", None, [])]
    assert fetch("SELECT count(*) FROM orders") == [(1,)]


def test_the_same_key_with_other_content_is_a_conflict_that_names_the_difference(api):
    api.post("/orders", order(), 201)
    answer = api.post("/orders", order(weight_kg=900, reference="other"), 409)
    assert errors(answer) == [("reference", "differs"), (f"{CONSIGNMENT}weight_kg", "differs")]
    assert "850.0 and not 900.0" in answer["errors"][1]["detail"]


def test_what_the_deployment_file_knows_is_filled_in(api):
    api.post("/orders", order(), 201)
    [consignment] = api.get("/orders/SO-1")["consignments"]
    assert consignment["account"] == "acme 001"
    assert consignment["delivery_date"] == "2026-07-14"
    assert consignment["pickup"]["street"] == "1 Mill Road"
    assert consignment["our_roles"] == ["requesting"]
    assert [(stop["stop"], stop["planned_date"]) for stop in consignment["stops"]] == [
        ("pickup", "2026-07-13"),
        ("collection_depot", "2026-07-13"),
        ("delivery_depot", "2026-07-14"),
        ("delivery", "2026-07-14"),
    ]


def test_what_get_answers_can_be_sent_back_and_changes_nothing(api, fetch):
    api.post("/orders", order(), 201)
    before = api.get("/orders/SO-1")
    assert api.put("/orders/SO-1", before)["outcome"] == "unchanged"
    assert api.get("/orders/SO-1") == before
    assert len(activities(fetch)) == 1
    copied = api.post("/orders", {**before, "key": "SO-2"}, 201)
    assert copied["outcome"] == "created"


def test_put_makes_an_order_that_is_not_there(api):
    content = {name: value for name, value in order().items() if name != "key"}
    assert api.put("/orders/SO-1", content, 201)["outcome"] == "created"
    assert api.put("/orders/SO-1", content)["outcome"] == "unchanged"
    assert api.post("/orders", order())["outcome"] == "unchanged"


def test_a_change_is_written_with_before_and_after(api, fetch):
    api.post("/orders", order(), 201)
    changed = order(pallet_types=["H"], collection_date="2026-07-14")
    assert api.put("/orders/SO-1", changed)["outcome"] == "updated"
    assert activities(fetch)[1:] == [
        (
            "updated",
            "tester",
            {
                "collection_date": ["2026-07-13", "2026-07-14"],
                "delivery_date": ["2026-07-14", "2026-07-15"],
                "pallet_types": [["F", "F"], ["H"]],
            },
            [],
        )
    ]
    assert fetch("SELECT number, pallet_type, removed_at IS NULL FROM pallets ORDER BY number") == [
        (1, "H", True),
        (2, "F", False),
    ]
    assert fetch("SELECT planned_date::text FROM stops WHERE kind = 'delivery'") == [("2026-07-15",)]


def test_patch_changes_what_it_names_and_null_empties(api):
    api.post("/orders", order(notes=["CALL FIRST"], weight_kg=10), 201)
    change = {"reference_2": "B", "consignments": [{"delivery": {"phone": "0113 496 0002"}, "weight_kg": None}]}
    assert api.patch("/orders/SO-1", change)["outcome"] == "updated"
    held = api.get("/orders/SO-1")
    [consignment] = held["consignments"]
    assert (held["reference"], held["reference_2"]) == ("SO-1", "B")
    assert (consignment["weight_kg"], consignment["notes"]) == (None, ["CALL FIRST"])
    assert consignment["delivery"]["phone"] == "0113 496 0002"
    assert consignment["delivery"]["street"] == "2 High Street"
    assert api.patch("/orders/SO-1", change)["outcome"] == "unchanged"


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        ({"dispatch_state": "completed"}, "dispatch_state", "unknown_field"),
        ({"id": 3}, "id", "read_only"),
        ({"consignments": [{"registered": True}]}, f"{CONSIGNMENT}registered", "read_only"),
        ({"consignments": [{}, {}]}, "consignments", "shape"),
        ({"consignments": [{"id": 999}]}, f"{CONSIGNMENT}id", "unknown"),
        ({"consignments": [{"delivery": {"postcode": None}}]}, f"{CONSIGNMENT}delivery.postcode", "required"),
    ],
)
def test_patch_refuses_what_cannot_be_changed(api, change, field, rule):
    api.post("/orders", order(), 201)
    assert (field, rule) in errors(api.patch("/orders/SO-1", change, 422))


def test_a_repeated_order_does_not_take_back_what_the_network_filled_in(api, conn):
    api.post("/orders", order(), 201)
    conn.execute(
        "UPDATE consignments SET delivery_depot = '901', pallet_spaces = 2, registered = true, "
        "tracking_number = '9000010000123', dispatch_state = 'completed'"
    )
    assert api.post("/orders", order())["outcome"] == "unchanged"
    sent = order()
    sent["consignments"][0]["delivery"]["phone"] = "0113 496 0002"
    assert api.put("/orders/SO-1", sent)["outcome"] == "updated"
    [consignment] = api.get("/orders/SO-1")["consignments"]
    assert (consignment["delivery_depot"], consignment["tracking_number"]) == ("901", "9000010000123")
    assert consignment["delivery"]["phone"] == "0113 496 0002"


@pytest.mark.rule("PF-6-9")
def test_a_registered_number_is_read_only(api, conn):
    api.post("/orders", order(tracking_number="9000010000123"), 201)
    conn.execute("UPDATE consignments SET registered = true, dispatch_state = 'completed'")
    assert api.put("/orders/SO-1", order(tracking_number="9000010000123"))["outcome"] == "unchanged"
    for number in ("9000010000456", ""):
        answer = api.put("/orders/SO-1", order(tracking_number=number), 409)
        assert errors(answer) == [(f"{CONSIGNMENT}tracking_number", "PF-6-9")]
    assert api.get("/orders/SO-1")["consignments"][0]["tracking_number"] == "9000010000123"


@pytest.mark.rule("PF-6-2")
@pytest.mark.parametrize("number", ["900001000012", "90000100001234", "9000010000l23", "8000010000123"])
def test_an_imported_number_must_have_13_digits_and_one_of_our_depots(api, number):
    answer = api.post("/orders", order(tracking_number=number), 422)
    assert [field for field, _ in errors(answer)] == [f"{CONSIGNMENT}tracking_number"]


@pytest.mark.rule("PF-6-4")
def test_an_imported_number_is_found_at_once_with_its_barcodes(api):
    made = api.post("/orders", order(tracking_number="9000010000123", delivery_depot="901"), 201)
    [found] = api.get("/orders?tracking_number=9000010000123")["orders"]
    assert found["id"] == made["id"]
    assert found["consignments"][0]["registered"] is False
    pallets = api.get("/orders/SO-1")["consignments"][0]["pallets"]
    assert [pallet["barcode"] for pallet in pallets] == ["506901A900001000012301", "506901A900001000012302"]
    assert [one["id"] for one in api.get("/orders?barcode=506901A900001000012302")["orders"]] == [made["id"]]


@pytest.mark.rule("PF-6-6")
def test_a_copy_has_every_field_and_both_orders_are_warned_of_the_shared_number(api, fetch):
    everything = order(
        tracking_number="9000010000123", delivery_depot="901", collecting_depot="900", requesting_depot="900",
        surcharges=["TL"], pallet_spaces=2.5, insurance_code="01", hub_code="02", carton_count=7,
        amazon_reference="FBA1", notes=["CALL"], goods_description="Tiles", notification_email="a@example.com",
        notification_sms="07700 900123", northern_ireland={"ni_gbeori": "GB1"}, reference_2="second",
    )  # fmt: skip
    api.post("/orders", everything, 201)
    copied = api.post("/orders/SO-1/copy", {"key": "SO-2"}, 201)
    assert "clear it on the copy" in copied["warnings"][0]
    one, two = api.get("/orders/SO-1"), api.get("/orders/SO-2")
    assert two["copied_from"] == one["id"]
    own = {"id", "stops", "pallets", "work", "tracking"}
    [[first], [second]] = [
        [{name: value for name, value in row.items() if name not in own} for row in whole["consignments"]]
        for whole in (one, two)
    ]
    assert second == first
    assert (two["reference"], two["reference_2"]) == (one["reference"], one["reference_2"])
    for key in ("SO-1", "SO-2"):
        assert [warnings for kind, _, _, warnings in activities(fetch, key) if kind == "number shared"]
    assert api.post("/orders/SO-1/copy", {"key": "SO-2"})["outcome"] == "unchanged"
    assert errors(api.post("/orders/SO-2/copy", {"key": "SO-1"}, 409)) == [("key", "key_taken")]


def test_a_copy_of_a_registered_order_is_not_registered(api, conn):
    api.post("/orders", order(tracking_number="9000010000123"), 201)
    conn.execute("UPDATE consignments SET registered = true, dispatch_state = 'completed'")
    api.post("/orders/SO-1/copy", {"key": "SO-2"}, 201)
    [copy] = api.get("/orders/SO-2")["consignments"]
    assert (copy["tracking_number"], copy["registered"], copy["dispatch_state"]) == (
        "9000010000123",
        False,
        "not_needed",
    )
    cleared = api.patch("/orders/SO-2", {"consignments": [{"tracking_number": ""}]})
    assert cleared == {**cleared, "outcome": "updated", "warnings": []}


def test_a_cancelled_order_is_restored_with_everything(api, fetch):
    api.post("/orders", order(), 201)
    api.post("/orders/SO-1/cancel", {"reason": "customer rang"})
    assert api.get("/orders/SO-1")["cancelled_at"]
    assert errors(api.put("/orders/SO-1", order(weight_kg=1), 409)) == [("", "cancelled")]
    assert errors(api.post("/orders", order(), 409)) == [("key", "cancelled")]
    assert api.post("/orders/SO-1/cancel", {"reason": "again"})["outcome"] == "unchanged"
    assert api.post("/orders/SO-1/restore")["outcome"] == "updated"
    assert api.get("/orders/SO-1")["cancelled_at"] is None
    assert [(kind, changes) for kind, _, changes, _ in activities(fetch)[1:]] == [
        ("cancelled", {"cancelled": [False, True], "reason": [None, "customer rang"]}),
        ("restored", {"cancelled": [True, False]}),
    ]


@pytest.mark.rule("PF-7-6")
def test_a_dispatched_order_that_is_changed_or_cancelled_is_flagged_for_the_portal(api, conn, fetch):
    api.post("/orders", order(), 201)
    conn.execute(
        "UPDATE consignments SET registered = true, tracking_number = '9000010000123', dispatch_state = 'completed'"
    )
    changed = api.patch("/orders/SO-1", {"consignments": [{"weight_kg": 900}]})
    assert changed["warnings"] == [
        "Changed (weight_kg) after dispatch: change it in the portal, the network has no call for it"
    ]
    assert api.get("/orders/SO-1")["review_reason"] == changed["warnings"][0]
    assert api.post("/orders/SO-1/reviewed")["outcome"] == "updated"
    assert api.get("/orders/SO-1")["review_reason"] is None
    cancelled = api.post("/orders/SO-1/cancel", {"reason": "not wanted"})
    assert "change it in the portal" in cancelled["warnings"][0]
    flags = [warnings for kind, _, _, warnings in activities(fetch) if kind == "flagged for review"]
    assert len(flags) == 2


def test_an_order_of_the_network_is_not_changed_here(api, conn):
    api.post("/orders", order(), 201)
    conn.execute("UPDATE orders SET source = 'palletforce', source_key = '9010010000123'")
    found = api.get("/orders?key=9010010000123")["orders"][0]["id"]
    assert errors(api.patch(f"/orders/~{found}", {"reference": "x"}, 409)) == [("", "of_a_network")]
    assert api.get(f"/orders/~{found}")["source"] == "palletforce"


def test_an_order_from_a_file_is_changed_by_our_id_of_it(api, conn):
    api.post("/orders", order(), 201)
    conn.execute("UPDATE orders SET source = 'palletforce orders', source_key = 'ACME PO/77'")
    conn.execute("UPDATE consignments SET given = NULL, delivery_depot = '901'")
    [found] = api.get("/orders", params={"key": "ACME PO/77"})["orders"]
    change = {"consignments": [{"delivery": {"phone": "0113 496 0002"}}]}
    assert api.patch(f"/orders/~{found['id']}", change)["outcome"] == "updated"
    [held] = api.get(f"/orders/~{found['id']}")["consignments"]
    assert (held["delivery"]["phone"], held["delivery_depot"]) == ("0113 496 0002", "901")


def test_consignments_are_matched_by_id_added_and_removed(api, fetch):
    sent = order()
    sent["consignments"] = [{**sent["consignments"][0], "goods_description": name} for name in ("one", "two")]
    api.post("/orders", sent, 201)
    held = api.get("/orders/SO-1")
    first, second = held["consignments"]
    held["consignments"] = [
        {**second, "goods_description": "two!"},
        {**second, "id": None, "goods_description": "three"},
    ]
    assert api.put("/orders/SO-1", held)["outcome"] == "updated"
    now = api.get("/orders/SO-1")["consignments"]
    assert [one["goods_description"] for one in now] == ["two!", "three"]
    assert now[0]["id"] == second["id"]
    changes = activities(fetch)[-2][2]
    assert changes["consignments"][0][0]["goods_description"] == "one"
    assert first["id"] not in [one["id"] for one in now]


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        (order(customer="NOBODY"), "customer", "unknown_customer"),
        (order(network="elsewhere"), f"{CONSIGNMENT}network", "unknown_network"),
        (order(customer="FOXGLOVE"), f"{CONSIGNMENT}pickup", "required"),
        (order(delivery_date="2026-07-10"), f"{CONSIGNMENT}delivery_date", "too_early"),
        (order(wieght_kg=1), f"{CONSIGNMENT}wieght_kg", "unknown_field"),
        (order(weight_kg=-1), f"{CONSIGNMENT}weight_kg", "greater_than"),
        (order(pallet_types=[]), f"{CONSIGNMENT}pallet_types", "too_short"),
        (order(collection_date=20260713), f"{CONSIGNMENT}collection_date", "format"),
        (order("a/b"), "key", "string_pattern_mismatch"),
        (order(notes=["a\0b"]), f"{CONSIGNMENT}notes[0]", "string_pattern_mismatch"),
    ],
)
def test_every_error_names_field_and_rule(api, body, field, rule):
    assert errors(api.post("/orders", body, 422)) == [(field, rule)]


def test_an_unknown_field_comes_with_a_hint(api):
    answer = api.post("/orders", order(wieght_kg=1), 422)
    assert answer["errors"][0]["detail"] == "there is no such field; did you mean 'weight_kg'?"


def test_many_orders_are_judged_one_by_one(api, fetch):
    api.post("/orders", order("B-1"), 201)
    api.post("/orders", order("B-2"), 201)
    sent = [
        order("B-0"),
        order("B-1"),
        order("B-2", weight_kg=1),
        order("B-3", customer="NOBODY"),
        {"key": "B-4"},
        order("B-0"),
    ]
    answer = api.post("/bulk/orders", {"orders": sent})
    assert [one["outcome"] for one in answer["orders"]] == [
        "created", "unchanged", "rejected", "rejected", "rejected", "rejected",
    ]  # fmt: skip
    assert [one["key"] for one in answer["orders"]] == ["B-0", "B-1", "B-2", "B-3", "B-4", "B-0"]
    assert [one["errors"][0]["rule"] for one in answer["orders"][2:]] == [
        "differs", "unknown_customer", "required", "doubled",
    ]  # fmt: skip
    assert (answer["created"], answer["unchanged"], answer["updated"], answer["rejected"]) == (1, 1, 0, 4)
    updated = api.post("/bulk/orders", {"orders": sent, "update": True})
    assert [one["outcome"] for one in updated["orders"]][:3] == ["unchanged", "unchanged", "updated"]
    assert fetch("SELECT count(*) FROM orders") == [(3,)]


def test_an_order_that_is_no_text_is_rejected_by_itself(api, fetch):
    said = api.post("/bulk/orders", {"orders": [order("SO-1"), {"key": "\ud800"}]})
    assert [(one["key"], one["outcome"]) for one in said["orders"]] == [("SO-1", "created"), ("?", "rejected")]
    assert fetch("SELECT source_key FROM orders") == [("SO-1",)]


def test_an_order_of_a_file_can_be_changed_and_sent_back(api, conn, plan):
    lines = (
        f'SO-1,ACME,13/07/2026,"Receiver\nLtd",2 High Street,Leeds,LS1 1AA,01632 960001,F,1,50,{sign * 140}\n'
        for sign in "abc"
    )
    header = (
        "orderReference,customerCode,collectionDate,deliveryName,deliveryStreetAddress,deliveryTown,deliveryPostcode,"
        "deliveryPhoneNumber,palletType,numberOfPallets,weight,goodsDescription\n"
    )
    import_file(
        conn, "palletforce", csv_files.kinds(plan), plan, io.BytesIO((header + "".join(lines)).encode()), "a.csv",
        asked=None, now=datetime(2026, 7, 13, 9, 30, tzinfo=UTC), run="test", actor="tester",
    )  # fmt: skip
    [found] = api.get("/orders?reference=SO-1")["orders"]
    name = f"/orders/~{found['id']}"
    assert api.patch(name, {"consignments": [{"delivery": {"phone": "0113 496 0123"}}]})["outcome"] == "updated"
    whole = api.get(name)
    assert whole["consignments"][0]["delivery"]["name"] == "Receiver Ltd"
    assert len(whole["consignments"][0]["goods_description"]) == 3 * 140 + 4
    assert api.put(name, whole)["outcome"] == "unchanged"


def test_a_thousand_orders_fit_one_call_and_no_more(api, fetch):
    sent = [order(f"B-{number}", tracking_number=f"9000010{number:06}") for number in range(1001)]
    assert errors(api.post("/bulk/orders", {"orders": sent}, 422)) == [("orders", "too_long")]
    assert api.post("/bulk/orders", {"orders": sent[:1000]})["created"] == 1000
    assert api.post("/bulk/orders", {"orders": sent[:1000]})["unchanged"] == 1000
    assert fetch("SELECT count(*) FROM activity WHERE kind = 'created'") == [(1000,)]


def test_two_who_make_the_same_orders_at_once_make_each_of_them_once(api, served, dsn, fetch):
    api.post("/orders", order(), 201)
    sent = [order(f"B-{number:03}") for number in range(200)]
    outcomes = []

    def make(orders):
        outcomes.append(Api(served.url)("POST", "/bulk/orders", {"orders": orders}).json())

    callers = [threading.Thread(target=make, args=(orders,)) for orders in (sent, sent[::-1])]
    with connect(dsn) as other:
        with other.transaction(force_rollback=True):
            # Both have to wait in the middle: whoever came from the other end would wait for the other for ever.
            other.execute(
                "INSERT INTO orders (customer_id, source, source_key, reference, reference_2) "
                "SELECT customer_id, source, 'B-100', '', '' FROM orders"
            )
            for caller in callers:
                caller.start()
            until("both wait", lambda: fetch("SELECT count(*) FROM pg_locks WHERE NOT granted") == [(2,)])
        for caller in callers:
            caller.join()
    assert sum(outcome["created"] for outcome in outcomes) == 200
    assert sum(outcome["unchanged"] for outcome in outcomes) == 200
    assert fetch("SELECT count(*) FROM consignments") == [(201,)]


def test_what_put_cannot_do_to_an_order_somebody_else_just_made_is_a_conflict(api, served, dsn, fetch):
    api.post("/orders", order(), 201)
    answers = []
    caller = threading.Thread(target=lambda: answers.append(Api(served.url)("PUT", "/orders/SO-9", order("SO-9"))))
    with connect(dsn) as other:
        with other.transaction():
            other.execute(
                "INSERT INTO orders (customer_id, source, source_key, reference, reference_2, cancelled_at) "
                "SELECT customer_id, source, 'SO-9', '', '', now() FROM orders"
            )
            caller.start()
            until("it waits", lambda: fetch("SELECT count(*) FROM pg_locks WHERE NOT granted") == [(1,)])
        caller.join()
    [answer] = answers
    assert (answer.status_code, errors(answer.json())) == (409, [("", "cancelled")])


def test_an_order_is_found_by_whatever_is_in_hand(api, conn):
    made = api.post("/orders", order(reference="PO 7"), 201)
    conn.execute("UPDATE consignments SET consignment_number = '0000123'")
    conn.execute(
        "INSERT INTO pallet_barcodes (consignment_id, pallet_number, barcode, state, superseded_at) "
        "SELECT id, 1, '506902A900001000012301', 'superseded', now() FROM consignments"
    )
    api.put("/orders/SO-1/trip", {"trip": "T-1", "resource": "PALLETFORCE_OUT"})
    for criteria in (
        "key=SO-1", "reference=PO 7", "consignment_number=0000123", "barcode=506902A900001000012301", "trip=T-1",
        "trip=T-1&reference=PO 7",
    ):  # fmt: skip
        assert [one["id"] for one in api.get(f"/orders?{criteria}")["orders"]] == [made["id"]], criteria
    assert api.get("/orders?trip=T-1&reference=other")["orders"] == []
    assert errors(api.get("/orders", 422)) == [("", "required")]
    assert errors(api.get("/orders/nope", 404)) == [("key", "unknown")]
    assert errors(api.get("/orders/~999", 404)) == [("key", "unknown")]


def test_the_feed_shows_each_change_once_and_in_order(api):
    for number in range(5):
        api.post("/orders", order(f"F-{number}"), 201)
    api.patch("/orders/F-0", {"reference": "new"})
    seen, place = [], None
    while True:
        page = api.get("/changes", params={"limit": 2, **({"after": place} if place else {})})
        seen += [(one["order"]["key"], one["kind"]) for one in page["changes"]]
        place = page["next"]
        if not page["more"]:
            break
    assert seen == [*((f"F-{number}", "created") for number in range(5)), ("F-0", "updated")]
    assert api.get("/changes", params={"after": place}) == {"changes": [], "next": place, "more": False}
    assert page["changes"][-1]["changes"] == {"reference": ["F-0", "new"]}


def test_the_feed_waits_for_an_older_transaction_that_is_still_open(api, dsn):
    api.post("/orders", order("F-1"), 201)
    place = api.get("/changes")["next"]
    with connect(dsn) as other:
        with other.transaction():
            # An older transaction writes and stays open while a younger one commits.
            other.execute("UPDATE orders SET reference = 'slow'")
            other.execute(
                "INSERT INTO activity (consignment_id, kind, actor, source, warnings) "
                "SELECT id, 'slow', 'other', 'test', '{}' FROM consignments"
            )
            api.post("/orders", order("F-2"), 201)
            assert api.get("/changes", params={"after": place})["changes"] == []
        page = api.get("/changes", params={"after": place})
    assert [one["kind"] for one in page["changes"]] == ["slow", "created"]


def test_a_lost_connection_is_replaced(api, dsn):
    api.post("/orders", order(), 201)
    with connect(dsn) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert api.get("/orders/SO-1")["key"] == "SO-1"


def test_the_deployment_file_is_read_anew_when_it_changes(api, monkeypatch, tmp_path):
    own = tmp_path / "deployment.yaml"
    text = re.sub(r"template: \w+\.yaml", "", DEPLOYMENT.read_text())
    own.write_text(text)
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", str(own))
    api.post("/orders", order(customer="NEWCO"), 422)
    own.write_text(
        text + "  - {code: NEWCO, name: New Co Ltd, collection: {name: N, street: S, town: T, postcode: LE2}}\n"
    )
    assert api.post("/orders", order(customer="NEWCO"), 201)["outcome"] == "created"
