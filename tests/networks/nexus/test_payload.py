"""Our consignment as the body of the create call (contract 2.4, 5)."""

import json
from datetime import date
from decimal import Decimal

import pytest
from tests.networks.nexus.facts import AMAZON, PICKUP, facts

from palletflow.checked_yaml import FileFault
from palletflow.networks.nexus import amazon, form, payload
from palletflow.networks.nexus.form import consignment_number, number_after_cancel, read_form
from palletflow.networks.nexus.mapper import preview

# As a look-up would give them; no test knows an id of Nexus either.
TYPES = {"FULL": 61, "HALF": 62, "MEGA": 63}
ELSEWHERE = PICKUP._replace(name="Other Ltd", postcode="NG1 1AA")


@pytest.fixture
def form_of(plan, tmp_path):
    """The form of the shipped template, or of one laid over it."""

    def read(text: str = ""):
        own = tmp_path / "own.yaml"
        own.write_text(text)
        return read_form(preview(plan, own if text else None).template)

    return read


@pytest.fixture
def built(form_of):
    """The body of a consignment with these changes."""

    def build(template: str = "", own_address=PICKUP, customer_id="20001", number="QG0000123", **changes):
        made, used = facts(**changes), form_of(template)
        ids = {
            (name.lookup, name.code): place for place, name in enumerate(payload.names(made, used, own_address), 9001)
        }
        return payload.build(
            made, used, ids, customer_id=customer_id, number=number, own_address=own_address
        ) | {"ids": ids}  # fmt: skip

    return build


@pytest.mark.rule("NX-2.4-1", "NX-2.4-2", "NX-2.4-3", "NX-2.4-4", "NX-2.4-7", "NX-2.4-8", "NX-2.4-11", "NX-2.4-13")
def test_the_whole_body_of_a_plain_consignment(built):
    body = built()
    ids = body.pop("ids")
    assert body == {
        "general": {
            "consignmentTypeID": ids["consignmentTypes", "consignment_type"],
            "customerID": "20001",
            "customerReference": "SO-123",
            "consignmentNumber": "QG0000123",
            "descriptionOfGoods": "Parts",
            "limitedQuantities": False,
            "notes": "",
        },
        "collectionInfo": {"serviceID": ids["services", "default"], "contact": "Warehouse", "dueDate": "2026-07-13"},
        "deliveryInfo": {"serviceID": ids["services", "A"], "contact": "Goods In"},
        "deliveryAddress": {
            "countryID": ids["countries", "GB"], "name": "Receiver Ltd", "line1": "2 High St", "town": "Leeds",
            "postcode": "LS1 1AA", "telephone": "0113 496 0001",
        },
        "pallets": [
            {
                "palletTypeID": ids["palletTypes", "FULL"], "palletBaseID": ids["palletBases", "STANDARD"],
                "length": 120, "width": 120, "height": 220, "weight": 425, "limitedQuantityWeight": 0,
                "doNotStack": False,
            }
        ] * 2,
    }  # fmt: skip
    assert len(set(ids.values())) == len(ids)


@pytest.mark.rule("NX-2.4-16")
def test_no_network_and_no_depot_is_sent(built):
    body = built(collecting_depot="PGD302", delivery_depot="UKD115")
    text = json.dumps({name: part for name, part in body.items() if name != "ids"})
    for word in ("PALLEX", "FORTEC", "PGD302", "UKD115", "epot", "etwork"):
        assert word not in text


@pytest.mark.rule("NX-2.4-7", "NX-2.4-8", "NX-2.4-11")
def test_contacts_e_mails_and_the_second_line_are_sent_when_they_are_there(built):
    body = built(
        notification_email="in@example.com", additional_fields={"collection_email": "out@example.com"},
        delivery={"locality": "Cross Green"},
    )  # fmt: skip
    assert (body["collectionInfo"]["email"], body["deliveryInfo"]["email"]) == ("out@example.com", "in@example.com")
    assert body["deliveryAddress"]["line2"] == "Cross Green"
    bare = built(pickup={"contact": ""}, delivery={"contact": "", "phone": ""})
    assert {"contact", "email"}.isdisjoint([*bare["collectionInfo"], *bare["deliveryInfo"]])
    assert {"line2", "telephone"}.isdisjoint(bare["deliveryAddress"])


@pytest.mark.rule("NX-2.4-9", "NX-2.4-10", "NX-5-5", "NX-5-6", "NX-5-7")
@pytest.mark.parametrize(
    ("service", "windows", "fields", "sent"),
    [
        ("A", [], {}, {}),
        ("B", [], {}, {}),
        ("A", ["AM"], {}, {"endWindow": "12:00"}),
        ("SD", [], {}, {"dueDate": "2026-07-17"}),
        ("SD", ["AM"], {}, {"dueDate": "2026-07-17", "endWindow": "12:00"}),
        ("A", ["TD"], {"delivery_from": "10:00", "delivery_to": "11:00"},
         {"dueDate": "2026-07-14", "startWindow": "10:00", "endWindow": "11:00"}),
        ("B", ["TD"], {"delivery_from": "10:00", "delivery_to": "10:00"},
         {"dueDate": "2026-07-15", "startWindow": "10:00", "endWindow": "10:00"}),
        ("A", ["BI"], {}, {}),
        ("A", ["BI"], {"booking_date": "2026-07-16", "booking_time": "14:15"},
         {"dueDate": "2026-07-16", "startWindow": "14:15", "endWindow": "14:15"}),
    ],
)  # fmt: skip
def test_day_and_window_of_the_delivery(built, service, windows, fields, sent):
    body = built(service=service, surcharges=windows, additional_fields=fields, delivery_date=date(2026, 7, 17))
    info = {name: value for name, value in body["deliveryInfo"].items() if name not in ("serviceID", "contact")}
    assert info == sent
    key = "+".join([service, *windows])
    assert body["deliveryInfo"]["serviceID"] == body["ids"]["services", key]


@pytest.mark.rule("NX-2.4-9")
def test_when_the_day_is_sent_is_a_setting(built):
    assert "dueDate" in built("create: {due_date_when: [A]}")["deliveryInfo"]
    assert "dueDate" not in built("create: {due_date_when: []}", service="SD")["deliveryInfo"]


@pytest.mark.rule("NX-2.4-2")
def test_the_customer_id_is_a_text_or_a_number(built):
    assert built(customer_id="20001")["general"]["customerID"] == "20001"
    assert built(customer_id=20001)["general"]["customerID"] == 20001


@pytest.mark.rule("NX-2.4-12")
def test_the_collection_address_is_sent_when_it_is_not_the_customer_s_own(built):
    assert "collectionAddress" not in built(own_address=PICKUP)
    written_otherwise = PICKUP._replace(street="1, mill rd.", postcode="le11aa", phone="", contact="")
    assert "collectionAddress" not in built(own_address=written_otherwise)
    sent = built(own_address=ELSEWHERE)["collectionAddress"]
    assert (sent["name"], sent["line1"], sent["town"], sent["postcode"]) == (
        "Sender Ltd", "1 Mill Rd", "Leicester", "LE1 1AA",
    )  # fmt: skip
    assert "collectionAddress" in built(own_address=None), "nobody knows what Nexus has as the account's address"


@pytest.mark.rule("NX-2.4-12")
def test_whether_the_collection_address_is_sent_is_a_setting(built):
    assert "collectionAddress" in built("create: {collection_address: always}", own_address=PICKUP)
    assert "collectionAddress" not in built("create: {collection_address: never}", own_address=ELSEWHERE)


@pytest.mark.rule("NX-2.4-6")
def test_instructions_are_one_text_where_the_template_says(built):
    assert built(notes=["Ring the bell", "  Ask for   Joe "])["general"]["notes"] == "Ring the bell\nAsk for Joe"
    moved = built("create: {notes_path: extra.remarks}", notes=["Ring the bell"])
    assert moved["extra"] == {"remarks": "Ring the bell"}
    assert "notes" not in moved["general"]


@pytest.mark.rule("NX-2.4-5")
def test_goods_and_limited_quantities(built):
    limited = built(additional_fields={"limited_quantities": "true"}, goods_description="Paint")["general"]
    assert (limited["limitedQuantities"], limited["descriptionOfGoods"]) == (True, "Paint")
    assert built(additional_fields={"limited_quantities": "false"})["general"]["limitedQuantities"] is False
    body = built(details=[{"limited_quantity_kg": 20.5}])
    assert body["general"]["limitedQuantities"] is True
    assert [pallet["limitedQuantityWeight"] for pallet in body["pallets"]] == [20.5, 0]


# Pallets


@pytest.mark.rule("NX-2.4-13", "NX-5-9")
def test_sizes_come_from_the_order_else_from_the_type(built):
    body = built(pallets=["HALF", "MEGA"], details=[{"length_cm": 100, "height_cm": 90}])
    sizes = [(pallet["length"], pallet["width"], pallet["height"]) for pallet in body["pallets"]]
    assert sizes == [(100, 120, 90), (240, 120, 220)]


@pytest.mark.rule("NX-2.4-13")
def test_details_of_each_pallet_are_its_own(built):
    details = [{"base": "CHEP", "do_not_stack": True, "weight_kg": 500}, {}]
    first, second = built(details=details, weight_kg=850)["pallets"]
    assert (first["doNotStack"], first["weight"], second["doNotStack"], second["weight"]) == (True, 500, False, 350)
    assert first["palletBaseID"] != second["palletBaseID"]


@pytest.mark.rule("NX-2.4-13")
@pytest.mark.parametrize(
    ("own", "total", "shared"),
    [
        ([None, None], "850", ["425", "425"]),
        ([None, None, None], "100", ["33.33", "33.33", "33.34"]),
        ([200, None, None], "300.01", ["200", "50", "50.01"]),
        ([200, 100], None, ["200", "100"]),
        ([200, 100], "850", ["200", "100"]),
        ([None], "0.01", ["0.01"]),
    ],
)
def test_pallets_without_a_weight_share_what_is_left(own, total, shared):
    given = [form.Pallet("FULL", {"weight_kg": weight} if weight else {}) for weight in own]
    assert payload.weights(given, Decimal(total) if total else None) == [Decimal(weight) for weight in shared]


@pytest.mark.parametrize(
    ("own", "total"), [([None], None), ([200, None], "200"), ([200, None], "100"), ([None], "0.001")]
)
def test_there_must_be_something_to_share(own, total):
    given = [form.Pallet("FULL", {"weight_kg": weight} if weight else {}) for weight in own]
    assert payload.weights(given, Decimal(total) if total else None) is None


# Amazon


@pytest.mark.rule("NX-5-17", "NX-5-18", "NX-5-19", "NX-5-20", "NX-5-21", "NX-5-22", "NX-2.4-6")
def test_an_amazon_consignment_goes_out_booked_in_with_one_line_in_its_notes(built):
    fields = {**AMAZON, "po_number": "PO9", "amazon_number": "ORD7", "unit_count": "240"}
    body = built(surcharges=["AMAZON"], carton_count=12, notes=["Dock 4"], additional_fields=fields)
    assert body["general"]["notes"] == ("Dock 4\nAMZ ASN=ASN1;PO=PO9;ORD=ORD7;CTN=12;UNITS=240;BOOK=2026-07-15T10:30")
    info = body["deliveryInfo"]
    assert (info["dueDate"], info["startWindow"], info["endWindow"]) == ("2026-07-15", "10:30", "10:30")
    assert info["serviceID"] == body["ids"]["services", "A+BI"]


@pytest.mark.rule("NX-5-22")
def test_amazon_fields_may_have_places_of_their_own(built):
    template = "amazon: {wire: fields, fields: {asn_number: amazon.asn, carton_count: amazon.cartons}}"
    body = built(template, surcharges=["AMAZON"], carton_count=12, notes=["Dock 4"], additional_fields=AMAZON)
    assert body["amazon"] == {"asn": "ASN1", "cartons": "12"}
    assert body["general"]["notes"] == "Dock 4"


@pytest.mark.rule("NX-5-16")
def test_without_the_extra_nothing_of_amazon_is_sent(built):
    assert built(carton_count=12, additional_fields=AMAZON)["general"]["notes"] == ""


@pytest.mark.rule("NX-5-22", "NX-5-23")
@pytest.mark.parametrize(
    "fields",
    [
        {"asn_number": "A=1"},
        {"booking_date": "2026-07-15"},
        {"fba_number": "FBA15", "carton_count": "3", "booking_date": "2026-07-15", "booking_time": "10:30"},
        dict.fromkeys(amazon.FIELDS, "1"),
    ],
)
def test_the_line_is_read_back_as_it_was_written(fields):
    line = amazon.line(fields)
    assert amazon.read(f"Dock 4\n{line}") == ("Dock 4", fields)
    assert amazon.read(f"{line}\nDock 4") == ("Dock 4", fields)
    assert amazon.read(line) == ("", fields)


@pytest.mark.rule("NX-5-23")
@pytest.mark.parametrize("notes", ["", "AMZ", "AMZ line", "Ask for AMZ ASN=1", "amz ASN=1", "Dock 4\nno line"])
def test_what_is_no_such_line_stays_in_the_notes(notes):
    assert amazon.read(notes) == (notes, {})


@pytest.mark.rule("NX-5-22")
def test_empty_keys_are_dropped():
    assert amazon.line({"po_number": "P1", "asn_number": ""}) == "AMZ PO=P1"
    assert amazon.line({}) == ""


# Number and digest


@pytest.mark.rule("NX-3-3")
def test_our_number_is_the_prefix_and_seven_digits_and_counts_its_dispatches(form_of):
    assert consignment_number(form_of().number_prefix, 123) == "QG0000123"
    assert consignment_number(form_of("number: {prefix: AB}").number_prefix, 9_999_999) == "AB9999999"
    assert number_after_cancel("QG0000123") == "QG0000123R2"
    assert number_after_cancel("QG0000123R2") == "QG0000123R3"
    assert number_after_cancel("QG0000123R9") == "QG0000123R10"


@pytest.mark.rule("NX-3-2", "NX-3-3")
def test_a_prefix_that_makes_numbers_nexus_does_not_take_is_no_prefix(form_of):
    assert form_of("number: {prefix: ABCDEFGHIJ}").number_prefix == "ABCDEFGHIJ"  # with R10, 20 characters
    with pytest.raises(FileFault, match=r"does not match number\.pattern"):
        form_of("number: {prefix: ABC, pattern: '[A-Z0-9]{1,9}'}")


@pytest.mark.rule("NX-6-3")
def test_equal_content_has_an_equal_digest_whatever_the_order_of_its_fields(built):
    body = built()
    body.pop("ids")
    assert len(payload.digest(body)) == 32
    assert payload.digest(dict(reversed(body.items()))) == payload.digest(body)
    assert payload.digest({**body, "general": {**body["general"], "customerReference": "other"}}) != payload.digest(
        body
    )
    assert payload.digest({"name": "\ud800 Müller"})  # what a caller may have brought in


@pytest.mark.rule("NX-2.9-2", "NX-2.4-1", "NX-2.4-8", "NX-5-2", "NX-5-8")
def test_every_id_comes_by_a_name_of_the_template(form_of):
    made = facts(pallets=["FULL", "HALF"], details=[{}, {"base": "EURO"}], service="SD", surcharges=["TD"])
    names = payload.names(made, form_of(), ELSEWHERE)
    assert [tuple(name) for name in names] == [
        ("consignmentTypes", "consignment_type", "Domestic"),
        ("services", "default", "Standard Collection"),
        ("services", "SD+TD", "Specific Day Timed"),
        ("countries", "GB", "United Kingdom"),
        ("palletTypes", "FULL", "Full"),
        ("palletTypes", "HALF", "Half"),
        ("palletBases", "STANDARD", "Standard"),
        ("palletBases", "EURO", "Euro"),
    ]
