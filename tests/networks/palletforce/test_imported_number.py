"""The imported tracking ID: a number held on our order before the network has registered it (contract 6)."""

import dataclasses
from decimal import Decimal

import pytest
from tests.networks.dispatching import faults
from tests.networks.palletforce.dispatching import IMPORTED, content

from palletflow.deployment import Switches
from palletflow.networks.palletforce import entry
from palletflow.networks.palletforce.work import DISPATCH, OWN_LABELS
from palletflow.orders.consignment import Address, Consignment
from palletflow.store import documents, orders


def consignment(**changes) -> Consignment:
    """What a caller enters, as the order API hands it over."""
    given = content(**changes)
    filled = {
        **given, "customer_code": "ACME", "reference": "SO-123", "reference_2": "", "registered": False,
        "consignment_number": "", "our_roles": ["requesting"], "network_status": "", "network_updated_at": None,
        "barcodes": [], "collection_date": None, "delivery_date": None,
        "weight_kg": given["weight_kg"] and Decimal(given["weight_kg"]),
    }  # fmt: skip
    for stop in ("pickup", "delivery"):
        filled[stop] = Address(**given[stop])
    return Consignment(*(filled[field] for field in Consignment._fields))


def labels(house, order: int, kind: str) -> list[documents.StoredDocument]:
    return [one for one in documents.of_order(house.conn, order) if one.kind == kind]


def barcodes(house, order: int) -> list[tuple[str, str]]:
    return house.rows(
        "SELECT barcode, state FROM pallet_barcodes WHERE consignment_id = %s ORDER BY state, barcode",
        house.consignment(order),
    )


# Entry


@pytest.mark.rule("PF-6-1", "PF-6-2", "PF-3-5")
@pytest.mark.parametrize("number", ["", "9000050000123", "9010050000123", "9020050000123"])
def test_no_number_and_one_of_our_depots_are_entered(plan, number):
    assert entry.faults(plan, consignment(tracking_number=number)) == []


@pytest.mark.rule("PF-6-2", "PF-3-4", "PF-3-5")
@pytest.mark.parametrize(
    ("number", "rule"),
    [
        ("900005000012", "13 digits"),
        ("90000500001234", "13 digits"),
        ("900005000012A", "13 digits"),
        (" 900005000012", "13 digits"),
        ("٩٠٠٠٠٥٠٠٠٠١٢٣", "13 digits"),
        ("9030050000123", "900, 901, 902"),
        ("0900050000123", "900, 901, 902"),
    ],
)
def test_any_other_value_is_refused_with_the_broken_rule_named(plan, number, rule):
    [fault] = entry.faults(plan, consignment(tracking_number=number))

    assert (fault.code, fault.field) == ("BAD_TRACKING_NUMBER", "tracking_number")
    assert rule in fault.reason
    assert number in fault.reason


@pytest.mark.rule("PF-6-1")
def test_the_field_is_there_when_the_deployment_enables_it(plan):
    ours = plan.network("palletforce")
    off = dataclasses.replace(ours, switches=dataclasses.replace(ours.switches, imported_tracking_id=False))
    assert isinstance(off.switches, Switches)
    without = dataclasses.replace(plan, networks={"palletforce": off})

    [fault] = entry.faults(without, consignment(tracking_number=IMPORTED))
    assert (fault.code, fault.field) == ("SWITCHED_OFF", "tracking_number")
    assert entry.faults(without, consignment()) == []


def test_codes_and_lengths_are_refused_at_entry_and_what_is_missing_is_not(plan):
    found = entry.faults(plan, consignment(service="Z", surcharges=["XX"], delivery={"name": "x" * 51}))
    assert {fault.field: fault.code for fault in found} == {
        "service": "UNKNOWN_CODE",
        "surcharges": "UNKNOWN_CODE",
        "delivery.name": "TOO_LONG",
    }
    assert entry.faults(plan, consignment(service="", weight_kg=None, delivery={"phone": "", "postcode": ""})) == []


@pytest.mark.rule("PF-6-2")
def test_entry_follows_a_template_that_changes(plan, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("codes: {services: {Z: {name: night}}}")
    ours = dataclasses.replace(plan.network("palletforce"), template=own)
    with_own = dataclasses.replace(plan, networks={"palletforce": ours})

    assert entry.faults(plan, consignment(service="Z")) != []
    assert entry.faults(with_own, consignment(service="Z")) == []


# Before dispatch


@pytest.mark.rule("PF-6-3", "PF-6-4", "PF-6-5")
def test_the_number_is_the_order_s_at_once_and_labels_are_printed_before_dispatch(house):
    order = house.order(tracking_number=IMPORTED, delivery_depot="901")
    assert (house.fact(order, "tracking_number"), house.fact(order, "registered")) == (IMPORTED, False)
    assert barcodes(house, order) == [(f"506901A{IMPORTED}{pallet:02d}", "expected") for pallet in (1, 2)]

    house.work()
    assert [one.barcode for one in labels(house, order, "LABEL")] == [code for code, _ in barcodes(house, order)]
    assert "UploadManifest" not in house.calls()
    assert "DownloadLabel" not in house.calls()


@pytest.mark.rule("PF-6-5")
def test_without_a_number_there_are_neither_barcodes_nor_labels(house):
    order = house.order(delivery_depot="901")
    house.work()

    assert barcodes(house, order) == []
    assert labels(house, order, "LABEL") == []
    assert house.calls() == []


@pytest.mark.rule("PF-6-5", "PF-6-10")
def test_an_unknown_depot_is_fetched_by_number_and_else_the_label_is_provisional(house):
    [number] = house.simulator.create(
        depot="900", role="requested", trackingNumber="9000050000777", consignmentStatus="UNACCEPTED",
        fields={"collectingDepot": "900", "deliveryDepot": "905", "serviceName": "A"},
    )  # fmt: skip
    belfast = {"town": "Belfast", "postcode": "BT3 9AA"}  # no depot in the postcode table
    known = house.order(tracking_number=number, delivery=belfast)
    unknown = house.order(tracking_number=IMPORTED, delivery=belfast)
    house.work()

    assert {one.barcode[3:6] for one in labels(house, known, "LABEL")} == {"905"}
    assert [(one.barcode, one.provisional) for one in labels(house, unknown, "LABEL")] == [("", True)] * 2

    house.dispatch(unknown)
    house.work()
    assert [(one.barcode[3:6], one.provisional) for one in labels(house, unknown, "LABEL") if not one.stale_at] == [
        ("936", False)
    ] * 2
    assert all(one.stale_at for one in labels(house, unknown, "LABEL") if one.provisional)


@pytest.mark.rule("PF-6-5", "PF-3-15")
def test_a_changed_service_makes_new_barcodes_and_labels(house):
    order = house.order(tracking_number=IMPORTED, delivery_depot="901")
    house.work()
    with house.conn.transaction():
        house.conn.execute("UPDATE consignments SET service = 'B'")
        entry.written(house.conn, house.plan, [house.consignment(order)], "tester")
    house.work()

    assert barcodes(house, order) == [
        *((f"506901B{IMPORTED}{pallet:02d}", "expected") for pallet in (1, 2)),
        *((f"506901A{IMPORTED}{pallet:02d}", "superseded") for pallet in (1, 2)),
    ]
    good = [one.barcode for one in labels(house, order, "LABEL") if one.stale_at is None]
    assert good == [f"506901B{IMPORTED}{pallet:02d}" for pallet in (1, 2)]


@pytest.mark.rule("PF-3-12", "PF-6-5")
def test_pallets_are_numbered_as_the_wire_will_count_them(house):
    order = house.order(tracking_number=IMPORTED, delivery_depot="901", pallet_types=["F", "H", "F"])
    assert house.rows("SELECT number, pallet_type FROM pallets ORDER BY number") == [(1, "F"), (2, "F"), (3, "H")]

    house.dispatch(order)
    house.work()
    assert house.rows("SELECT number, pallet_type FROM pallets ORDER BY number") == [(1, "F"), (2, "F"), (3, "H")]
    assert house.of_order(order)[0]["barcodes"] == [code for code, _ in barcodes(house, order)]


# Dispatch


@pytest.mark.rule("PF-6-3", "PF-2.1-7", "PF-6-9")
def test_a_number_of_our_own_is_registered_as_it_is(house):
    order = house.sent(tracking_number=IMPORTED, delivery_depot="901")

    [held] = house.network_has(trackingNumber=IMPORTED)
    assert held["uniqueTransactionNumber"] == f"AF-{order}-1"
    assert (house.state(order), house.fact(order, "registered")) == ("completed", True)
    assert held["barcodes"] == [code for code, _ in barcodes(house, order)]
    assert len(labels(house, order, "NETWORK_LABEL")) == 2
    assert [one.stale_at for one in labels(house, order, "LABEL")] == [None, None]


@pytest.mark.rule("PF-6-8", "PF-6-3")
def test_a_number_not_yet_accepted_in_the_portal_is_taken_over(house):
    house.simulator.create(
        depot="900", role="requested", trackingNumber=IMPORTED, consignmentStatus="UNACCEPTED",
        fields={"customersUniqueReference": "portal draft"},
    )  # fmt: skip
    order = house.sent(tracking_number=IMPORTED)

    [held] = house.network_has(trackingNumber=IMPORTED)
    assert (held["consignmentStatus"], held["customersUniqueReference"]) == ("ACCEPTED", "SO-123")
    assert (house.state(order), house.fact(order, "registered")) == ("completed", True)


@pytest.mark.rule("PF-6-8", "PF-7-4")
@pytest.mark.parametrize("lost", ["timeout_before_accept", "timeout_after_accept"])
def test_a_draft_in_the_portal_is_not_taken_for_what_we_sent(house, lost):
    house.simulator.create(
        depot="900", role="requested", trackingNumber=IMPORTED, consignmentStatus="UNACCEPTED",
        fields={"customersUniqueReference": "SO-123"},
    )  # fmt: skip
    house.simulator.fault(lost, "UploadManifest")
    order = house.sent(tracking_number=IMPORTED)
    house.later(60)
    assert house.state(order) == ("unknown" if lost == "timeout_before_accept" else "completed")
    house.play_out()

    [held] = house.network_has(trackingNumber=IMPORTED)
    assert (held["consignmentStatus"], held["uniqueTransactionNumber"]) == ("ACCEPTED", f"AF-{order}-1")
    assert (house.state(order), house.fact(order, "registered")) == ("completed", True)


@pytest.mark.rule("PF-6-8")
def test_in_mode_fetch_nothing_is_uploaded_and_the_portal_s_is_adopted(house):
    house.settle(precreated_mode="fetch")
    house.simulator.create(depot="900", role="requested", trackingNumber=IMPORTED)
    order = house.sent(tracking_number=IMPORTED)

    assert house.uploads() == []
    assert (house.state(order), house.fact(order, "registered")) == ("completed", True)
    assert house.fact(order, "delivery_depot") == house.network_has(trackingNumber=IMPORTED)[0]["deliveryDepot"]


@pytest.mark.rule("PF-6-8")
def test_in_mode_fetch_a_number_the_network_does_not_have_fails(house):
    house.settle(precreated_mode="fetch")
    order = house.sent(tracking_number=IMPORTED)

    assert house.uploads() == []
    assert (house.state(order), faults(house.task(order))) == ("failed", {"tracking_number": "NOT_FOUND"})
    other = house.sent()
    assert (house.state(other), len(house.uploads())) == ("completed", 1)


@pytest.mark.rule("PF-6-4", "PF-2.4-19")
def test_a_number_accepted_in_the_portal_before_dispatch_is_not_sent(house, pull):
    house.simulator.create(depot="900", role="requested", trackingNumber=IMPORTED)
    order = house.order(tracking_number=IMPORTED)
    house.dispatch(order)
    pull.now = house.now
    assert pull("900").created == 0
    house.work()

    assert house.uploads() == []
    assert house.state(order) == "completed"
    assert "had registered this number already" in house.task(order).warnings[0]


@pytest.mark.rule("PF-6-8", "PF-2.4-20")
def test_an_order_that_a_pull_made_of_the_draft_is_merged_into_ours(house, pull):
    house.simulator.create(depot="900", role="requested", trackingNumber=IMPORTED, consignmentStatus="UNACCEPTED")
    pull.now = house.now
    assert pull("900", import_unaccepted=True).created == 1
    [(twin,)] = house.rows("SELECT id FROM orders WHERE source = 'palletforce'")
    order = house.sent(tracking_number=IMPORTED)

    assert house.state(order) == "completed"
    assert house.fact(twin, "tracking_number") is None
    assert house.rows("SELECT count(*) FROM consignments WHERE tracking_number = %s", IMPORTED) == [(1,)]


# Copies


@pytest.mark.rule("PF-6-6")
def test_a_copy_has_the_number_and_both_are_warned(house):
    order = house.order(tracking_number=IMPORTED)
    copy = house.copy(order)
    warned = orders.warn_of_shared_numbers(house.conn, [house.consignment(copy)], "tester", "order API")

    assert house.fact(copy, "tracking_number") == IMPORTED
    assert warned.keys() == {house.consignment(order), house.consignment(copy)}
    for one in (order, copy):
        assert "clear it on the copy" in house.warnings(one)[-1]


@pytest.mark.rule("PF-6-11", "PF-6-7")
def test_the_second_dispatch_stops_before_the_call_and_goes_once_the_number_is_cleared(house):
    order = house.order(tracking_number=IMPORTED)
    copy = house.copy(order)
    for one in (order, copy):
        house.dispatch(one)
        house.work()
    assert (house.state(order), house.state(copy)) == ("completed", "failed")
    assert len(house.uploads()) == 1
    [fault] = house.task(copy).faults
    assert fault["code"] == "ALREADY_REGISTERED"
    assert f"order {order} has already registered" in fault["reason"]
    assert "clear the Palletforce tracking number" in fault["remedy"]

    house.clear_number(copy)
    house.complete(copy)
    house.work()
    assert house.state(copy) == "completed"
    assert house.fact(copy, "tracking_number") not in (None, IMPORTED)
    assert house.task(copy).attempt == 1
    assert len(house.of_order(order)) == len(house.of_order(copy)) == 1


@pytest.mark.rule("PF-6-11", "PF-6-7", "PF-7-7")
def test_with_the_check_left_to_the_network_it_refuses_the_second(house):
    house.settle(duplicate_precheck="network")
    order = house.order(tracking_number=IMPORTED)
    copy = house.copy(order)
    for one in (order, copy):
        house.dispatch(one)
        house.work()
    assert (house.state(order), house.state(copy)) == ("completed", "failed")
    assert len(house.uploads()) == 2
    [fault] = house.task(copy).faults
    assert "already registered" in fault["reason"]
    assert "clear the Palletforce tracking number" in fault["remedy"]

    house.clear_number(copy)
    house.complete(copy)
    house.work()
    assert house.state(copy) == "completed"
    assert house.task(copy).attempt == 2
    assert len(house.of_order(copy)) == 1


@pytest.mark.rule("PF-6-7", "PF-7-4", "PF-7-9")
@pytest.mark.parametrize("lost", ["timeout_before_accept", "timeout_after_accept"])
def test_a_copy_whose_answer_was_lost_never_adopts_its_original(house, lost):
    house.settle(duplicate_precheck="network")
    order = house.order(tracking_number=IMPORTED)
    copy = house.copy(order)
    house.dispatch(order)
    house.work()
    house.simulator.fault(lost, "UploadManifest")
    house.dispatch(copy)
    house.work()
    assert house.state(copy) == "unknown"
    house.play_out()

    assert (house.state(order), house.state(copy)) == ("completed", "failed")
    assert house.fact(copy, "registered") is False
    assert house.of_order(copy) == []


@pytest.mark.rule("PF-3-15", "PF-6-7")
def test_clearing_the_number_withdraws_the_copy_s_barcodes_and_labels(house):
    order = house.order(tracking_number=IMPORTED, delivery_depot="901")
    copy = house.copy(order)
    house.work(OWN_LABELS)
    house.clear_number(copy)

    assert {state for _, state in barcodes(house, copy)} == {"superseded"}
    assert all(one.stale_at for one in labels(house, copy, "LABEL"))
    assert "barcodes withdrawn" in house.history(copy)
    assert {state for _, state in barcodes(house, order)} == {"expected"}
    assert not any(one.stale_at for one in labels(house, order, "LABEL"))


@pytest.mark.rule("PF-6-9")
def test_orders_without_a_number_get_one_after_dispatch_and_then_labels(house):
    order = house.order()
    house.dispatch(order)
    house.work(DISPATCH)
    assert house.fact(order, "tracking_number") == house.of_order(order)[0]["trackingNumber"]
    assert labels(house, order, "NETWORK_LABEL") == []
    house.work()

    assert len(labels(house, order, "NETWORK_LABEL")) == 2
    assert labels(house, order, "LABEL") == []


@pytest.mark.rule("PF-6-9")
def test_what_is_registered_is_left_alone_by_entry(house):
    order = house.sent(tracking_number=IMPORTED, delivery_depot="901")
    before = barcodes(house, order)
    with house.conn.transaction():
        house.conn.execute("UPDATE consignments SET service = 'B'")
        entry.written(house.conn, house.plan, [house.consignment(order)], "tester")

    assert barcodes(house, order) == before
