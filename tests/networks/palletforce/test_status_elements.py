"""What we owe Palletforce of our own reports, without network and order store (contract 2.6, PF-5-21 to PF-5-25)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from palletflow.networks.palletforce import settings
from palletflow.networks.palletforce.mapper import preview
from palletflow.networks.palletforce.status_elements import elements, owed, wire_element
from palletflow.networks.palletforce.statuses import Rules
from palletflow.store.status_exports import DeliveryOrder, ExportFacts, Movement

NOW = datetime(2026, 7, 14, 7, 30, tzinfo=UTC)
ROUTE = DeliveryOrder(3, 9, 4, 12)
BARCODES = {1: "506901A900001000012301", 2: "506901A900001000012302"}


@pytest.fixture
def made(plan, tmp_path):
    def make(own: str = "", **extra) -> Rules:
        given = plan
        if own:
            file = tmp_path / "own.yaml"
            file.write_text(own)
            network = replace(plan.networks["palletforce"], template=file)
            given = replace(plan, networks={"palletforce": network})
        parsed = settings.parse("palletforce_901", "https://example.com", "key", extra)
        return Rules(preview(given).template.sections["statuses"], parsed)

    return make


@pytest.fixture
def rules(made) -> Rules:
    return made()


def stop(kind: str, event: str, hours: float, **extra) -> Movement:
    return _movement(event, kind, None, hours, **extra)


def scan(what: str, pallet: int, hours: float) -> Movement:
    return _movement("scanned", what, pallet, hours)


def delivered(hours: float, outcome: str = "CLEAN", reason: str = "", signatory: str = "J SMITH") -> Movement:
    return _movement("completed", "delivery", None, hours, outcome=outcome, reason=reason, signatory=signatory)


def _movement(event, place, pallet, hours, **extra) -> Movement:
    told = {"outcome": None, "reason": "", "signatory": "", "latitude": "", "longitude": "", **extra}
    return Movement(int(hours * 10), event, place, pallet, NOW + timedelta(hours=hours), **told)


def facts(*movements: Movement, roles=("delivery",), barcodes=BARCODES, told=()) -> ExportFacts:
    return ExportFacts(
        "9000010000123", True, "not_needed", list(roles), "900", "901", dict(barcodes), list(movements), set(told)
    )


def codes(found) -> list[tuple[str, int]]:
    return [(one.code, one.pallet) for one in found]


def of_both(*names: str) -> list[tuple[str, int]]:
    return [(name, pallet) for name in names for pallet in (1, 2)]


@pytest.mark.rule("PF-5-21")
@pytest.mark.parametrize(
    ("role", "report", "code"),
    [
        ("collecting", stop("pickup", "completed", 1), "POC"),
        ("delivery", stop("delivery", "arrived", 1), "ARDL"),
        ("delivery", delivered(1), "POD"),
        ("delivery", delivered(1, "DAMAGED", "torn"), "PODD"),
        ("delivery", delivered(1, "EXCEPTION", "one short"), "PODE"),
        ("delivery", delivered(1, "NOT_DELIVERED", "closed"), "ABRT"),
    ],
)
def test_a_report_of_a_stop_is_told_of_every_pallet_by_our_role(rules, role, report, code):
    assert codes(owed(facts(report, roles=[role]), rules)) == of_both(code)
    other = "delivery" if role == "collecting" else "collecting"
    assert owed(facts(report, roles=[other]), rules) == []
    assert owed(facts(report, roles=["requesting"]), rules) == []


@pytest.mark.rule("PF-5-21", "PF-5-23")
@pytest.mark.parametrize(
    ("role", "what", "code"),
    [
        ("collecting", "onto_trunk", "SCOT"),
        ("delivery", "receipt", "SRID"),
        ("delivery", "trunk_arrival", "ARRD"),
        ("delivery", "onto_delivery_vehicle", "DELV"),
    ],
)
def test_a_scan_is_told_of_its_pallet_by_our_role(rules, role, what, code):
    assert codes(owed(facts(scan(what, 2, 1), roles=[role]), rules)) == [(code, 2)]
    other = "delivery" if role == "collecting" else "collecting"
    assert owed(facts(scan(what, 2, 1), roles=[other]), rules) == []


@pytest.mark.rule("PF-5-23")
def test_a_depot_that_scans_once_tells_arrd(made):
    once = made("statuses: {export_codes: {delivery: {receipt: ARRD}}}\n")

    assert codes(owed(facts(scan("receipt", 1, 1)), once)) == [("ARRD", 1)]


@pytest.mark.rule("PF-5-21")
def test_a_code_that_is_taken_out_of_the_template_is_not_told(made):
    silent = made("statuses: {export_codes: {delivery: {receipt: ''}}}\n")

    assert owed(facts(scan("receipt", 1, 1)), silent) == []


@pytest.mark.rule("PF-5-22")
def test_leaving_the_depot_tells_delv_first_of_pallets_not_scanned_onto_the_vehicle(rules):
    left = stop("delivery_depot", "completed", 2)

    found = owed(facts(scan("onto_delivery_vehicle", 1, 1), left), rules)

    assert codes(found) == [("DELV", 1), ("DELV", 2), *of_both("DONR")]
    assert [one.at for one in found if one.pallet == 2] == [left.at, left.at]


@pytest.mark.rule("PF-5-22")
def test_deriving_delv_can_be_turned_off(made):
    assert codes(owed(facts(stop("delivery_depot", "completed", 2)), made(derive_delv=False))) == of_both("DONR")


@pytest.mark.rule("PF-5-22", "PF-5-16")
def test_every_attempt_is_told_whole(rules):
    first = [
        stop("delivery_depot", "completed", 1),
        stop("delivery", "arrived", 2),
        delivered(3, "NOT_DELIVERED", "shut"),
    ]
    second = [stop("delivery_depot", "completed", 25), stop("delivery", "arrived", 26), delivered(27)]

    found = [one.code for one in owed(facts(*first, *second), rules) if one.pallet == 1]

    assert found == ["DELV", "DONR", "ARDL", "ABRT", "DELV", "DONR", "ARDL", "POD"]


@pytest.mark.rule("PF-5-18")
def test_where_both_legs_are_ours_all_is_told(rules):
    both = facts(stop("pickup", "completed", 1), stop("delivery", "arrived", 9), roles=["collecting", "delivery"])

    assert codes(owed(both, rules)) == of_both("POC", "ARDL")
    assert [element["depot"] for element in elements(both, ROUTE, rules).ready] == ["900", "900", "901", "901"]


@pytest.mark.rule("PF-2.6-1", "PF-2.6-2", "PF-2.6-3", "PF-2.6-4", "PF-2.6-6", "PF-1.1-8", "PF-1.1-9")
def test_an_element_on_the_wire(rules):
    report = delivered(1, signatory="J SMITH")._replace(latitude="53.8", longitude="-1.55")

    [first, second] = elements(facts(report), ROUTE, rules).ready

    assert wire_element(first, "9000010000123", rules) == {
        "trackingNumber": "9000010000123", "barcode": BARCODES[1], "eventCode": "POD",
        "eventDateTime": "2026-07-14T09:30:00", "depot": "901", "deliveryOrder": "3", "totalDeliveries": "9",
        "signatory": "J SMITH", "note": "", "latitude": "53.8", "longitude": "-1.55",
    }  # fmt: skip
    assert second["barcode"] == BARCODES[2]


@pytest.mark.rule("PF-2.6-3", "PF-2.6-4", "PF-2.6-5")
def test_what_is_not_required_stays_empty(rules):
    scanned, arrived = scan("receipt", 1, 1), stop("delivery", "arrived", 2, reason="gate", signatory="NOBODY")

    [received, *_] = elements(facts(scanned), ROUTE, rules).ready
    [at_stop, *_] = elements(facts(arrived), ROUTE, rules).ready

    sent = wire_element(received, "9000010000123", rules)
    assert (sent["deliveryOrder"], sent["totalDeliveries"], sent["signatory"], sent["note"]) == ("", "", "", "")
    sent = wire_element(at_stop, "9000010000123", rules)
    assert (sent["deliveryOrder"], sent["signatory"], sent["note"]) == ("3", "", "")


@pytest.mark.rule("PF-5-25")
def test_stops_or_consignments_are_counted(made):
    counted = made("statuses: {delivery_count: consignments}\n")

    [element, _] = elements(facts(delivered(1)), ROUTE, counted).ready

    assert (element["delivery_order"], element["total_deliveries"]) == (4, 12)


@pytest.mark.rule("PF-2.6-3")
@pytest.mark.parametrize(
    "report",
    [
        scan("onto_delivery_vehicle", 1, 1),
        stop("delivery_depot", "completed", 1),
        stop("delivery", "arrived", 1),
        *(delivered(1, outcome, "why") for outcome in ("CLEAN", "DAMAGED", "EXCEPTION", "NOT_DELIVERED")),
    ],
    ids=lambda report: report.outcome or report.place,
)
def test_without_a_route_nothing_of_the_round_goes(rules, report):
    found = elements(facts(scan("receipt", 1, 0), report), None, rules)

    assert [element["code"] for element in found.ready] == ["SRID"]
    assert all("put the delivery stop on a route" in missing for missing in found.missing)


@pytest.mark.rule("PF-2.6-4", "PF-2.6-5")
@pytest.mark.parametrize(
    ("outcome", "needs"),
    [
        ("CLEAN", ["signatory"]),
        ("DAMAGED", ["signatory", "note"]),
        ("EXCEPTION", ["signatory", "note"]),
        ("NOT_DELIVERED", ["note"]),
    ],
)
def test_what_is_mandatory_and_missing_is_said_and_not_sent(rules, outcome, needs):
    found = elements(facts(delivered(1, outcome, signatory="")), ROUTE, rules)

    assert found.ready == []
    assert len(found.missing) == len(needs)
    assert all(need in missing for need, missing in zip(needs, found.missing, strict=True))


@pytest.mark.rule("PF-2.6-5")
def test_a_note_has_at_most_140_characters(rules):
    [element, _] = elements(facts(delivered(1, "NOT_DELIVERED", "x" * 200)), ROUTE, rules).ready

    assert element["note"] == "x" * 140


@pytest.mark.rule("PF-2.6-2")
def test_without_a_barcode_a_stop_is_told_of_all_pallets_and_a_scan_waits(rules):
    none = {1: "", 2: ""}

    of_all = elements(facts(stop("pickup", "completed", 1), roles=["collecting"], barcodes=none), None, rules)
    of_one = elements(facts(scan("onto_trunk", 1, 1), roles=["collecting"], barcodes=none), None, rules)
    single = elements(facts(scan("onto_trunk", 1, 1), roles=["collecting"], barcodes={1: ""}), None, rules)
    some = elements(
        facts(stop("pickup", "completed", 1), roles=["collecting"], barcodes={1: BARCODES[1], 2: ""}), None, rules
    )

    assert [(element["pallet"], element["barcode"]) for element in of_all.ready] == [(None, "")]
    assert (of_one.ready, of_one.waiting) == ([], 1)
    assert [(element["pallet"], element["barcode"]) for element in single.ready] == [(None, "")]
    assert ([element["pallet"] for element in some.ready], some.waiting) == ([1], 1)


@pytest.mark.rule("PF-2.6-9", "PF-3-16")
def test_what_was_taken_is_not_sent_again_under_a_new_barcode(rules):
    report = stop("pickup", "completed", 1)
    told = [(1, "POC", report.at)]
    changed = {1: "506902A900001000012301", 2: "506902A900001000012302"}

    found = elements(facts(report, roles=["collecting"], barcodes=changed, told=told), None, rules)

    assert [element["barcode"] for element in found.ready] == [changed[2]]
    of_all = facts(report, roles=["collecting"], barcodes=changed, told=[(None, "POC", report.at)])
    assert elements(of_all, None, rules).ready == []


@pytest.mark.rule("PF-5-20", "PF-5-21")
def test_of_the_same_time_the_rank_decides(rules):
    at_once = [
        delivered(1),
        stop("delivery", "arrived", 1),
        stop("delivery_depot", "completed", 1),
        scan("receipt", 1, 1),
    ]

    found = [one.code for one in owed(facts(*at_once), rules) if one.pallet == 1]

    assert found == ["SRID", "DELV", "DONR", "ARDL", "POD"]
