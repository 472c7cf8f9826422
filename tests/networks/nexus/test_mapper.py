"""A Nexus record as a consignment of ours (contract 2.3, 3, 4, 5): what becomes of each field, and of odd ones."""

import copy
import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from palletflow.checked_yaml import FileFault
from palletflow.networks.nexus import amazon, mapper
from palletflow.networks.nexus.mapper import Mapper
from palletflow.orders.consignment import Address, Consignment

SAMPLE = json.loads(mapper.SAMPLE.read_text("utf-8"))
LOOKED_UP = SAMPLE["lookedUp"]


@pytest.fixture
def own(plan, tmp_path):
    """Makes the mapper of a deployment whose own template has this text."""

    def make(text: str) -> Mapper:
        file = tmp_path / "own.yaml"
        file.write_text(text, "utf-8")
        return mapper.preview(plan, file)

    return make


@pytest.fixture
def record() -> dict[str, Any]:
    """A good record, free to be changed."""
    return copy.deepcopy(SAMPLE)


@pytest.fixture
def read(plan):
    """The sample with changes as a consignment; it must become one."""

    def made(*, by: Mapper | None = None, **changes: Any) -> Consignment:
        translated = (by or mapper.preview(plan)).translate({**copy.deepcopy(SAMPLE), **changes})
        assert (translated.faults, translated.left_out) == ([], None)
        return translated.consignment

    return made


def pallets(*types: str, **parts: Any) -> list[dict[str, Any]]:
    """Pallets of these types, with barcodes of their own."""
    return [
        {**SAMPLE["pallets"][0], "palletType": {"id": 1, "name": name}, "barcode": f"104400000700000{number}", **parts}
        for number, name in enumerate(types, 1)
    ]


@pytest.mark.rule(
    "NX-2.3-3", "NX-2.3-6", "NX-2.3-9", "NX-2.3-10", "NX-2.3-11", "NX-2.3-12", "NX-2.3-13", "NX-2.3-14", "NX-2.3-15",
    "NX-5-2", "NX-5-6", "NX-5-24",
)  # fmt: skip
def test_every_field_of_a_record_finds_its_place(read):
    assert read() == Consignment(
        customer_code="ACME", reference="PO-1", reference_2="", tracking_number="700001", registered=True,
        consignment_number="QG0000123", requesting_depot="PGD302", collecting_depot="PGD302", delivery_depot="UKD115",
        our_roles=["requesting", "collecting"], account="20001", service="A", surcharges=["TD"],
        collection_date=date(2030, 1, 7), delivery_date=date(2030, 1, 8), weight_kg=Decimal(400), pallet_spaces=None,
        insurance_code="", hub_code="", carton_count=None, amazon_reference="", notes=["Call 30 minutes before"],
        network_status="", network_updated_at=None, goods_description="Parts",
        notification_email="goodsin@example.com", notification_sms="", notification_twitter="",
        additional_fields={
            "nexus_origin": "PALLEX", "collection_email": "despatch@example.com", "limited_quantities": "false",
            "delivery_from": "10:00", "delivery_to": "11:00",
        },
        pallet_types=["FULL"],
        pallet_details=[
            {"length_cm": 120, "width_cm": 120, "height_cm": 220, "weight_kg": 400.0, "base": "STANDARD",
             "do_not_stack": False},
        ],
        barcodes=["1044000007000001"],
        pickup=Address(
            "Acme Widgets Ltd", "1 Mill Road", "", "Leicester", "", "LE1 1AA", "GB", "0116 496 0101", "Warehouse"
        ),
        delivery=Address(
            "Receiver Ltd", "1 Road", "Trading Estate", "Town", "", "ZZ1 1ZZ", "GB", "01632 960001", "Goods In"
        ),
    )  # fmt: skip


OPTIONAL = sorted(set(SAMPLE) - {"consignmentID", "delAddressPostcode", "pallets", "lookedUp"})


@pytest.mark.rule("NX-2.3-17")
@pytest.mark.parametrize("field", OPTIONAL)
@pytest.mark.parametrize("how", ["null", "absent", "blank"])
def test_an_optional_field_that_is_missing_is_no_error(plan, record, field, how):
    if how == "absent":
        del record[field]
    else:
        record[field] = None if how == "null" else "  "

    translated = mapper.preview(plan).translate(record)

    assert (translated.faults, translated.left_out) == ([], None)


@pytest.mark.rule("NX-2.3-17", "NX-11-18")
def test_a_field_may_have_another_name(own, record):
    record["zip"] = record.pop("delAddressPostcode")
    record["state"] = {"title": record.pop("status")["name"]}
    record["pallets"][0]["code"] = record["pallets"][0].pop("barcode")
    changed = own(
        "extra_fields: [zip, state.title]\n"
        "fields: {delivery_postcode: {path: [delAddressPostcode, zip]}, status: {path: [status.name, state.title]}}\n"
        "pallet: {barcode: [barcode, code]}"
    )

    assert changed.translate(record) == own("").translate(SAMPLE)
    assert changed.reading.reply(record).status_name == "At Hub"


@pytest.mark.rule("NX-2.3-17")
def test_a_reply_in_the_words_of_a_create_is_read_too(plan):
    record = {
        "consignmentID": 700001,
        "general": {"customerID": "20001", "customerReference": "PO-1", "consignmentNumber": "QG0000123",
                    "descriptionOfGoods": "Parts", "limitedQuantities": False, "notes": "Call first"},
        "collectionInfo": {"serviceID": 4001, "contact": "Desk", "email": "a@example.com", "dueDate": "2030-01-07"},
        "deliveryInfo": {"serviceID": 4103, "contact": "Goods in", "email": "b@example.com", "dueDate": "2030-01-09",
                         "startWindow": "10:00", "endWindow": "11:00"},
        "deliveryAddress": {"countryID": 8826, "name": "Receiver Ltd", "line1": "1 Road", "town": "Town",
                            "postcode": "ZZ1 1ZZ", "telephone": "01632 960001"},
        "pallets": [{"palletBaseID": 6201, "palletTypeID": 6101, "length": 120, "width": 120, "height": 220,
                     "weight": 400, "limitedQuantityWeight": 12.5, "doNotStack": True}],
        "lookedUp": {"services": {"4103": "Premium Timed"}, "countries": {"8826": "GB"},
                     "palletTypes": {"6101": "Full"}, "palletBases": {"6201": "Standard"}},
    }  # fmt: skip

    translated = mapper.preview(plan).translate(record)

    made = translated.consignment
    assert (made.reference, made.consignment_number, made.account) == ("PO-1", "QG0000123", "20001")
    assert (made.service, made.surcharges, made.customer_code) == ("A", ["TD"], "ACME")
    assert (made.collection_date, made.delivery_date) == (date(2030, 1, 7), date(2030, 1, 9))
    assert (made.delivery.town, made.delivery.country, made.pickup.contact) == ("Town", "GB", "Desk")
    assert made.pallet_types == ["FULL"]
    assert made.pallet_details == [
        {"length_cm": 120, "width_cm": 120, "height_cm": 220, "weight_kg": 400.0, "limited_quantity_kg": 12.5,
         "base": "STANDARD", "do_not_stack": True},
    ]  # fmt: skip
    assert made.barcodes == []


# Faults


ABSURD = [
    ({"consignmentID": None}, "MISSING_VALUE", "consignmentID"),
    ({"consignmentID": "X7"}, "BAD_CONSIGNMENT_ID", "consignmentID"),
    ({"delAddressPostcode": None}, "MISSING_VALUE", "delAddressPostcode or deliveryAddress.postcode"),
    ({"delAddressPostcode": {"code": "LS1"}}, "BAD_FORMAT", "delAddressPostcode or deliveryAddress.postcode"),
    ({"delAddressName": "x" * 501}, "TOO_LONG", "delAddressName or deliveryAddress.name"),
    ({"customerReference": "a\x00b"}, "BAD_FORMAT", "customerReference or general.customerReference"),
    ({"dueDate": "soon"}, "BAD_FORMAT", "dueDate or deliveryInfo.dueDate"),
    ({"dueDate": "2130-01-01"}, "BAD_FORMAT", "dueDate or deliveryInfo.dueDate"),
    ({"startWindow": "25:00"}, "BAD_FORMAT", "startWindow or deliveryInfo.startWindow"),
    ({"pallets": []}, "MISSING_VALUE", "pallets[]"),
    ({"pallets": None}, "MISSING_VALUE", "pallets[]"),
    ({"pallets": [{"barcode": "1044000007000001"}]}, "MISSING_VALUE", "pallets"),
    ({"pallets": pallets("Fu\x00ll")}, "MISSING_VALUE", "pallets"),
    ({"pallets": pallets("x" * 101)}, "MISSING_VALUE", "pallets"),
    ({"pallets": [SAMPLE["pallets"][0]] * 100}, "BAD_FORMAT", "pallets"),
    ({"customerID": 29999}, "UNKNOWN_CUSTOMER", "customerID"),
]


@pytest.mark.rule("NX-7-12")
@pytest.mark.parametrize(("change", "code", "field"), ABSURD)
def test_what_cannot_be_used_is_refused_with_field_and_reason(plan, record, change, code, field):
    translated = mapper.preview(plan).translate(record | change)

    assert translated.consignment is None
    [(found, named, reason)] = translated.faults
    assert (found, named) == (code, field)
    assert reason


@pytest.mark.parametrize("raw", [None, 7, "text", [], {}, [SAMPLE]])
def test_what_is_no_record_is_refused(plan, raw):
    assert [fault.code for fault in mapper.preview(plan).translate(raw).faults] == ["BAD_FORMAT"]


# Whose it is, and of which network


@pytest.mark.rule("NX-4-5", "NX-5-24")
@pytest.mark.parametrize(
    ("changes", "origin"),
    [
        # The network field counts first, whatever else is said.
        ({"network": "FORTEC", "customerID": 30001, "deliveryDepotCode": "UKD115"}, "FORTEC"),
        ({"network": "Pall-Ex", "deliveryDepotCode": "FTD215"}, "PALLEX"),
        # Then a customer ID that we know for one network.
        ({"network": None, "customerID": 30002, "deliveryDepotCode": "PGD310"}, "FORTEC"),
        ({"network": "EUROPE", "customerID": 20001, "deliveryDepotCode": "FTD215"}, "PALLEX"),
        # Then a depot that is a member of one only.
        ({"network": None, "customerID": 20901, "originatingDepotCode": "PGD310", "collectingDepotCode": "PGD302",
          "deliveryDepotCode": "FTD205"}, "FORTEC"),
        ({"network": "", "customerID": None, "originatingDepotCode": "UKD115", "deliveryDepotCode": None}, "PALLEX"),
    ],
)  # fmt: skip
def test_the_first_rule_that_knows_the_network_counts(read, changes, origin):
    assert read(**changes).additional_fields["nexus_origin"] == origin


@pytest.mark.rule("NX-4-6")
@pytest.mark.parametrize(
    "changes",
    [
        {"originatingDepotCode": "PGD310", "deliveryDepotCode": "PGD302"},
        {"originatingDepotCode": "UKD115", "collectingDepotCode": "PGD302", "deliveryDepotCode": "FTD205"},
    ],
    ids=["nobody says", "depots contradict each other"],
)
def test_a_network_nobody_knows_is_left_empty_and_said(plan, record, changes):
    translated = mapper.preview(plan).translate(record | {"network": None, "customerID": 20901, **changes})

    assert "nexus_origin" not in translated.consignment.additional_fields
    [warning] = translated.warnings
    assert warning.startswith("network unknown: ")
    assert mapper.preview(plan).concerns(translated.consignment) == [warning]


@pytest.mark.rule("NX-4-5")
def test_a_customer_id_of_both_networks_says_nothing_of_the_network(plan, record):
    both = replace(plan, accounts={**plan.accounts, ("fortec", "20001"): "ACME"})
    depots = {"collectingDepotCode": "PGD302", "deliveryDepotCode": "PGD310"}

    translated = mapper.preview(both).translate(record | {"network": None, **depots})

    assert "nexus_origin" not in translated.consignment.additional_fields
    assert translated.consignment.customer_code == "ACME"


@pytest.mark.rule("NX-4-5")
def test_the_template_says_which_rules_count_and_in_which_order(own, read):
    by = own("import: {network_rules: [depot, network]}")

    made = read(by=by, network="PALLEX", customerID=30001, deliveryDepotCode="FTD215")

    assert made.additional_fields["nexus_origin"] == "FORTEC"


@pytest.mark.rule("NX-4-4", "NX-3-8")
@pytest.mark.parametrize(
    ("changes", "customer"),
    [
        ({"network": "PALLEX", "customerID": 20002}, "FOXGLOVE"),
        ({"network": "FORTEC", "customerID": "30001", "deliveryDepotCode": "FTD205"}, "ACME"),
        # Other members' consignments are the network's, whoever they are for.
        ({"customerID": 20901, "originatingDepotCode": "UKD115", "collectingDepotCode": "UKD115",
          "deliveryDepotCode": "PGD302"}, "NEXUS"),
        ({"customerID": None, "originatingDepotCode": None, "collectingDepotCode": "PGD302"}, "NEXUS"),
    ],
)  # fmt: skip
def test_the_customer_is_found_by_the_id_on_the_consignments_network(read, changes, customer):
    assert read(**changes).customer_code == customer


@pytest.mark.rule("NX-4-4")
@pytest.mark.parametrize(("network", "account"), [("FORTEC", 20001), ("PALLEX", 30002), ("PALLEX", 29999)])
def test_an_id_we_requested_under_and_do_not_know_on_that_network_waits_for_a_person(plan, record, network, account):
    translated = mapper.preview(plan).translate(record | {"network": network, "customerID": account})

    [fault] = translated.faults
    assert fault.code == "UNKNOWN_CUSTOMER"
    assert f"on {network}" in fault.reason


def test_a_consignment_of_ours_without_a_customer_is_the_networks(plan, record):
    translated = mapper.preview(plan).translate(record | {"customerID": None})

    assert (translated.consignment.customer_code, translated.faults) == ("NEXUS", [])
    assert translated.warnings == ["customerID: Nexus names no customer; the order is the network's"]


def test_an_unknown_customer_is_the_network_where_the_template_says_so(own, read):
    assert read(by=own("customer: {unknown_account: network}"), customerID=29999).customer_code == "NEXUS"


# Our part in it


@pytest.mark.rule("NX-3-7", "NX-2.3-11")
@pytest.mark.parametrize(
    ("depots", "held"),
    [
        (("PGD302", "PGD302", "UKD115"), ["requesting", "collecting"]),
        (("UKD115", "UKD115", "ukd101 "), ["delivery"]),
        (("UKD115", "FTD201", "UKD115"), ["collecting"]),
        (("PGD302", "PGD302", "PGD302"), ["requesting", "collecting", "delivery"]),
        ((None, None, "PGD302"), ["delivery"]),
    ],
)
def test_our_roles_follow_from_the_depots_in_any_case_of_letters(read, depots, held):
    made = read(**dict(zip(("originatingDepotCode", "collectingDepotCode", "deliveryDepotCode"), depots, strict=True)))

    assert made.our_roles == held
    assert [made.requesting_depot, made.collecting_depot, made.delivery_depot] == [
        (depot or "").strip().upper() for depot in depots
    ]


@pytest.mark.rule("NX-7-15")
def test_a_consignment_none_of_our_depots_has_a_part_in_is_left_out(plan, record):
    others = dict.fromkeys(("originatingDepotCode", "collectingDepotCode", "deliveryDepotCode"), "UKD115")

    translated = mapper.preview(plan).translate(record | others)

    assert (translated.consignment, translated.faults) == (None, [])
    assert translated.left_out.code == "NOT_OUR_DEPOT"
    assert "UKD115" in translated.left_out.reason


@pytest.mark.rule("NX-7-15")
@pytest.mark.parametrize("unreadable", [None, "", "??", "302"])
def test_without_a_readable_depot_it_is_imported_since_we_see_it(plan, record, unreadable):
    depots = dict.fromkeys(("originatingDepotCode", "collectingDepotCode", "deliveryDepotCode"), unreadable)

    translated = mapper.preview(plan).translate(record | depots)

    made = translated.consignment
    assert (made.our_roles, made.requesting_depot, made.delivery_depot) == ([], "", "")
    assert made.customer_code == "ACME"
    assert len(translated.warnings) == (3 if unreadable else 0)


@pytest.mark.rule("NX-7-15")
def test_the_template_says_for_which_roles_to_import(own, record):
    only_deliveries = own("import: {roles: [delivery]}")

    assert only_deliveries.translate(record).left_out.code == "NOT_OUR_DEPOT"
    assert only_deliveries.translate(record | {"deliveryDepotCode": "UKD101"}).left_out is None


def test_a_depot_of_ours_that_is_none_is_a_fault_of_the_deployment_file(plan, monkeypatch):
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", "deployment.yaml")
    ours = replace(plan.network("nexus"), depots={"PGD302": "a", "LEEDS": "b"})

    with pytest.raises(FileFault, match=r"networks\.nexus\.depots: 'LEEDS' is not a depot code of the form"):
        mapper.preview(replace(plan, networks={**plan.networks, "nexus": ours}))


@pytest.mark.parametrize(
    "text", ["holidays: ['2030-02-30']", "cutoff: {tz: Europe/Nowhere}", "cutoff: {time: '29:00'}"]
)
def test_a_template_that_cannot_be_used_is_named(own, text):
    with pytest.raises(FileFault, match=r"own\.yaml: cannot be used \("):
        own(text)


# Services and times


@pytest.mark.rule("NX-5-1", "NX-5-2", "NX-2.9-4")
@pytest.mark.parametrize(
    ("name", "service", "surcharges"),
    [
        ("Premium", "A", []),
        ("Premium AM", "A", ["AM"]),
        ("Premium Timed", "A", ["TD"]),
        ("Premium Book In", "A", ["BI"]),
        ("Economy", "B", []),
        (" ECONOMY   am ", "B", ["AM"]),
        ("economy-timed", "B", ["TD"]),
        ("Economy Book In", "B", ["BI"]),
        ("Specific Day", "SD", []),
        ("Specific Day AM", "SD", ["AM"]),
        ("Specific Day Timed", "SD", ["TD"]),
        ("Specific  Day, Book In", "SD", ["BI"]),
    ],
)
def test_level_and_window_follow_from_the_name_of_the_service(read, name, service, surcharges):
    made = read(deliveryService={"id": 1, "name": name})

    assert (made.service, made.surcharges) == (service, surcharges)


@pytest.mark.rule("NX-5-2")
def test_a_service_that_nobody_knows_is_kept_as_it_came_and_said(plan, record):
    translated = mapper.preview(plan).translate(record | {"deliveryService": {"id": 1, "name": "Sunday Night"}})

    assert (translated.consignment.service, translated.consignment.surcharges) == ("Sunday Night", [])
    assert translated.warnings == [
        "deliveryService: 'Sunday Night' is not among services of the template; kept as it came"
    ]


@pytest.mark.rule("NX-5-3")
@pytest.mark.parametrize(
    ("service", "collected", "delivered"),
    [
        ("Premium", "2030-01-10", date(2030, 1, 11)),
        ("Premium AM", "2030-01-11", date(2030, 1, 14)),  # over the weekend
        ("Economy", "2030-01-10", date(2030, 1, 14)),
        ("Specific Day", "2030-01-10", None),
        ("Premium Book In", "2030-01-10", None),
    ],
)
def test_without_a_date_of_its_own_a_delivery_is_due_by_its_service(read, service, collected, delivered):
    made = read(
        deliveryService={"id": 1, "name": service}, dueDate=None, colDate=collected, routeDetails=[], startWindow=None
    )

    assert made.delivery_date == delivered


@pytest.mark.rule("NX-1-5", "NX-1-6")
@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2030-07-08", date(2030, 7, 8)),
        ("2030-07-08T00:00:00", date(2030, 7, 8)),
        ("2030-07-07T23:30:00Z", date(2030, 7, 8)),
        ("2030-01-07T23:30:00+00:00", date(2030, 1, 7)),
    ],
)
def test_a_moment_in_place_of_a_day_is_its_day_in_london(read, text, day):
    assert read(dueDate=text).delivery_date == day


def test_the_day_of_collection_is_that_of_its_route_and_else_the_day_it_was_collected(read):
    assert read(routeDetails=[{"type": "Delivery", "routeDate": "2030-01-08"}]).collection_date == date(2030, 1, 7)
    planned = [{"type": "collection", "routeDate": "2030-01-06"}]
    assert read(routeDetails=planned).collection_date == date(2030, 1, 6)
    assert read(routeDetails=None, colDate=None).collection_date is None


@pytest.mark.rule("NX-2.3-5", "NX-5-6", "NX-5-7")
@pytest.mark.parametrize(
    ("service", "start", "end", "kept"),
    [
        ("Premium Timed", "10:00", "11:30", {"delivery_from": "10:00", "delivery_to": "11:30"}),
        ("Premium Timed", "10:00:00", "10:00", {"delivery_from": "10:00", "delivery_to": "10:00"}),
        ("Economy Book In", "10:00", "11:00", {"delivery_from": "10:00", "delivery_to": "11:00"}),
        ("Economy Book In", "14:30", "14:30", {"booking_date": "2030-01-08", "booking_time": "14:30"}),
        ("Economy Book In", None, None, {}),
        ("Premium AM", None, "12:00", {}),
        # What Optimize expects of a delivery without a window is no window.
        ("Premium", "10:20", "11:20", {}),
    ],
)
def test_the_window_of_a_delivery_is_kept_where_its_service_has_one(read, service, start, end, kept):
    made = read(deliveryService={"id": 1, "name": service}, startWindow=start, endWindow=end)

    found = {name: made.additional_fields[name] for name in made.additional_fields if name in (
        "delivery_from", "delivery_to", "booking_date", "booking_time")}  # fmt: skip
    assert found == kept


# Amazon


@pytest.mark.rule("NX-5-16", "NX-5-17", "NX-5-18", "NX-5-19", "NX-5-20", "NX-5-23")
def test_the_amazon_line_is_read_back_from_the_notes(read):
    line = "AMZ ASN=ASN1;FBA=FBA1;PO=PO1;ORD=ORD1;CTN=12;UNITS=144;BOOK=2030-01-09T14:30"

    made = read(
        notes=f"Call first\n{line}\nUse rear gate", deliveryService={"id": 1, "name": "Premium Book In"},
        startWindow="14:30", endWindow="14:30", dueDate="2030-01-09",
    )  # fmt: skip

    assert (made.service, made.surcharges, made.carton_count) == ("A", ["BI", "AMAZON"], 12)
    assert made.notes == ["Call first", "Use rear gate"]
    assert made.additional_fields == {
        "nexus_origin": "PALLEX", "collection_email": "despatch@example.com", "limited_quantities": "false",
        "asn_number": "ASN1", "fba_number": "FBA1", "po_number": "PO1", "amazon_number": "ORD1", "unit_count": "144",
        "booking_date": "2030-01-09", "booking_time": "14:30",
    }  # fmt: skip
    assert made.delivery_date == date(2030, 1, 9)


@pytest.mark.rule("NX-5-22", "NX-5-23")
@pytest.mark.parametrize(
    "fields",
    [
        {"asn_number": "A1", "carton_count": "3", "booking_date": "2030-01-09", "booking_time": "08:00"},
        {"po_number": "P=1", "fba_number": "F/2", "carton_count": "999999"},
        {"amazon_number": "O-1", "unit_count": "7", "carton_count": "1", "booking_date": "2030-01-09"},
    ],
)
def test_what_we_write_on_the_line_comes_back_from_it(read, fields):
    made = read(notes=amazon.line(fields), deliveryService={"id": 1, "name": "Premium Book In"}, startWindow=None)

    found = {name: value for name, value in made.additional_fields.items() if name in amazon.FIELDS}
    assert found | {"carton_count": str(made.carton_count)} == fields
    assert (made.surcharges, made.notes) == (["BI", "AMAZON"], [])


@pytest.mark.rule("NX-5-23")
def test_a_number_of_cartons_that_is_none_is_left_out_and_said(plan, record):
    translated = mapper.preview(plan).translate(record | {"notes": "AMZ ASN=A1;CTN=many"})

    assert translated.consignment.carton_count is None
    assert translated.warnings == ["notes: 'many' is no number of cartons; left out"]


@pytest.mark.rule("NX-5-22", "NX-5-23")
def test_amazon_fields_may_have_places_of_their_own(own, read):
    by = own("amazon: {wire: fields, fields: {asn_number: general.asn, carton_count: general.cartons}}")

    made = read(by=by, general={"asn": "ASN1", "cartons": 12}, notes="AMZ ASN=OTHER")

    assert (made.additional_fields["asn_number"], made.carton_count) == ("ASN1", 12)
    assert made.surcharges == ["TD", "AMAZON"]
    assert made.notes == ["AMZ ASN=OTHER"]


@pytest.mark.rule("NX-5-16")
@pytest.mark.parametrize("notes", ["AMZ delivery, call first", "Deliver to AMZ ASN=1", ""])
def test_notes_without_the_line_make_no_amazon_consignment(read, notes):
    assert read(notes=notes).surcharges == ["TD"]


# Pallets


@pytest.mark.rule("NX-5-8", "NX-2.9-4")
def test_pallet_types_are_known_by_their_names(read):
    made = read(pallets=pallets("Full", "light", "HALF", "Quarter", "mini-quarter", "Megafull"))

    assert made.pallet_types == ["FULL", "LIGHT", "HALF", "QUARTER", "MINI", "MEGA"]


@pytest.mark.rule("NX-5-8")
def test_a_pallet_type_that_nobody_knows_is_kept_as_it_came_and_said(plan, record):
    translated = mapper.preview(plan).translate(record | {"pallets": pallets("Full", "P7")})

    assert translated.consignment.pallet_types == ["FULL", "P7"]
    assert translated.warnings == ["palletType: 'P7' is not among pallet_types of the template; kept as it came"]


@pytest.mark.rule("NX-5-11", "NX-7-15")
@pytest.mark.parametrize("how", ["look-up", "template"])
def test_an_international_pallet_keeps_a_consignment_out(own, record, how):
    by = own("pallet_types: {EURO: {name: Euro Full, scope: international}}" if how == "template" else "")
    record["pallets"] = pallets("Full") + pallets("Euro Full", palletType={"id": 6109, "name": "Euro Full"})
    if how == "look-up":
        record["lookedUp"] |= {"internationalPalletTypes": {"6109": "Euro Full"}}

    translated = by.translate(record)

    assert (translated.consignment, translated.faults) == (None, [])
    assert translated.left_out.code == "INTERNATIONAL_PALLET"
    assert translated.left_out.reason == "international_pallet: 'Euro Full' is an international pallet type"


@pytest.mark.rule("NX-5-11")
def test_an_international_consignment_needs_no_good_record_to_be_left_out(plan, record):
    record |= {"delAddressPostcode": None, "lookedUp": {"internationalPalletTypes": {"6101": "Euro Full"}}}

    assert mapper.preview(plan).translate(record).left_out.code == "INTERNATIONAL_PALLET"


@pytest.mark.rule("NX-2.3-15")
def test_weights_add_up_and_measures_that_are_none_are_left_out(plan, record):
    record["pallets"] = [
        *pallets("Full", weight=400.25, length=120.4, height=0),
        *pallets("Half", weight=None, width="wide", barcode="1044000007000002", palletBase=None, doNotStack="yes"),
        *pallets("Half", weight=-5, length=5000, barcode="1044000007000003", palletBase={"id": 1, "name": "Plastic"}),
    ]

    translated = mapper.preview(plan).translate(record)

    made = translated.consignment
    assert made.weight_kg == Decimal("400.25")
    assert made.pallet_details == [
        {"length_cm": 120, "width_cm": 120, "weight_kg": 400.25, "base": "STANDARD", "do_not_stack": False},
        {"length_cm": 120, "height_cm": 220},
        {"width_cm": 120, "height_cm": 220, "base": "Plastic", "do_not_stack": False},
    ]
    assert translated.warnings == [
        "width of pallet 2: 'wide' is no measure; left out",
        "length of pallet 3: '5000' is no measure; left out",
        "weight of pallet 3: '-5' is no measure; left out",
    ]


def test_a_consignment_that_nobody_weighed_has_no_weight(read):
    assert read(pallets=pallets("Full", weight=0)).weight_kg is None


@pytest.mark.rule("NX-3-5")
@pytest.mark.parametrize("barcode", ["104400000700001", "10440000070000012", "1044 0000 0700 0001", "ABC"])
def test_a_barcode_of_another_length_is_kept_and_said(plan, record, barcode):
    translated = mapper.preview(plan).translate(record | {"pallets": pallets("Full", barcode=barcode)})

    assert translated.consignment.barcodes == [barcode]
    assert translated.warnings == [f"the barcode of pallet 1, '{barcode}', is not of 16 digits"]


@pytest.mark.rule("NX-3-4")
@pytest.mark.parametrize(
    "codes", [("1044000007000001", None), ("1044000007000001", "1044000007000001"), ("1044000007000001", "a\x00b")]
)
def test_barcodes_are_kept_only_when_every_pallet_has_one_of_its_own(plan, record, codes):
    record["pallets"] = [
        {**pallet, "barcode": code} for pallet, code in zip(pallets("Full", "Half"), codes, strict=True)
    ]

    translated = mapper.preview(plan).translate(record)

    assert translated.consignment.barcodes == []
    assert translated.warnings == ["pallets: not every pallet has a barcode of its own; none is kept"]


# Countries, cancelled ones, and what is written again


@pytest.mark.parametrize(
    ("looked_up", "country"), [("GB", "GB"), ("ie", "IE"), ("United Kingdom", "GB"), ("united-kingdom", "GB")]
)
def test_a_country_has_its_iso_code(read, looked_up, country):
    assert read(lookedUp={"countries": {"8826": looked_up}}).delivery.country == country


def test_a_country_without_a_code_is_said(plan, record):
    translated = mapper.preview(plan).translate(record | {"lookedUp": {"countries": {"8826": "Atlantis"}}})

    assert translated.consignment.delivery.country == ""
    assert translated.warnings == ["country 8826: Atlantis has no ISO code; name it under countries"] * 2


def test_without_any_country_it_is_britain(read):
    assert read(delAddressCountryID=None).delivery.country == "GB"


@pytest.mark.rule("NX-7-16")
@pytest.mark.parametrize(
    ("name", "kept"), [("Cancelled", "Cancelled"), ("Deleted by depot", "Deleted by depot"), ("Delivered", "")]
)
def test_a_consignment_cancelled_at_nexus_makes_no_order(plan, record, name, kept):
    translated = mapper.preview(plan).translate(record | {"status": {"id": 1, "name": name}})

    assert translated.consignment.network_status == kept
    assert translated.only_if_known is bool(kept)


@pytest.mark.rule("NX-7-9")
def test_the_digest_of_what_is_written_knows_only_what_is_written(plan, own, read):
    ours = mapper.preview(plan)
    digest = ours.digest(read())

    assert ours.digest(read(estimatedDelDate="2030-01-09", status={"id": 1, "name": "Delivered"}, new="x")) == digest
    assert ours.digest(read(customerReference="PO-2")) != digest
    assert ours.digest(read(pallets=pallets("Full", barcode="1044000007000009"))) != digest
    assert own("extra_fields: [new]").digest(read()) != digest


@pytest.mark.rule("NX-7-9")
def test_a_field_the_template_excludes_is_no_reason_to_write(own, read):
    by = own("hash: {exclude: [notes]}")

    assert by.digest(read(notes="Call first")) == by.digest(read(notes="Do not call"))


# Where anybody can follow it


SHOWN = {
    "tracking_number": "700001",
    "pallets": [{"number": 1, "barcode": ""}, {"number": 2, "barcode": "1044000007000002"}],
    "delivery": {"postcode": "zz1 1zz"},
}


@pytest.mark.rule("NX-3-6")
def test_the_tracking_page_has_a_barcode_and_the_postcode(plan):
    assert mapper.preview(plan).tracking_page(SHOWN) == (
        "https://mynexus.pallex.com/NexusTracking/1044000007000002/ZZ1%201ZZ"
    )


@pytest.mark.rule("NX-3-6")
@pytest.mark.parametrize("change", [{"pallets": []}, {"delivery": {"postcode": ""}}])
def test_without_barcode_or_postcode_there_is_no_tracking_page(plan, change):
    assert mapper.preview(plan).tracking_page({**SHOWN, **change}) == ""


def test_a_barcode_cannot_change_the_address(plan):
    shown = {**SHOWN, "pallets": [{"number": 1, "barcode": "../?x=#"}]}

    assert mapper.preview(plan).tracking_page(shown).endswith("/NexusTracking/..%2F%3Fx%3D%23/ZZ1%201ZZ")
