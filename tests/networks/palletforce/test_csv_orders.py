"""What rows of an order file become: one order, or the reasons why not (contract 8.1 and 8.2)."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
import yaml

from palletflow.checked_yaml import FileFault
from palletflow.intake.file_kinds import Row, told_apart
from palletflow.intake.files import FileRejected, FileRow
from palletflow.intake.template import Fault
from palletflow.networks.palletforce import csv_files
from palletflow.orders.consignment import Address

ROW = {
    "orderReference": "SO-1",
    "customerCode": "ACME",
    "collectionDate": "13/07/2026",
    "deliveryName": "Receiver Ltd",
    "deliveryStreetAddress": "2 High Street",
    "deliveryTown": "Leeds",
    "deliveryPostcode": "LS1 1AA",
    "deliveryPhoneNumber": "01632 960001",
    "palletType": "F",
    "numberOfPallets": "2",
    "weight": "850",
}
COLLECTION = {
    "collectionName": "Sender",
    "collectionStreetAddress": "1 Mill Road",
    "collectionTown": "Leicester",
    "collectionPostcode": "LE1 1AA",
}


@pytest.fixture
def orders(plan):
    return csv_files.kinds(plan).kinds["orders"]


@pytest.fixture
def read(orders):
    """Reads rows, each the good row with some columns changed; None among them is a row with a wrong cell count."""

    def reading(*rows, kind=orders):
        layout_rows = []
        for number, changes in enumerate(rows or ({},), 2):
            if changes is None:
                layout_rows.append(Row(number, (), Fault("WRONG_CELL_COUNT", "", "has 2 cells")))
            else:
                words = ROW | changes
                layout_rows.append(Row(number, [words.get(field, "") for field in kind.sources], None))
        return kind.read(layout_rows)

    return reading


@pytest.fixture
def order(read):
    def one(*rows, **changes):
        consignment, faults, _ = read(*(rows or (changes,)))
        assert consignment is not None, faults
        return consignment

    return one


@pytest.fixture
def faults(read):
    """(code, column) of the faults of each row."""

    def listed(*rows, **changes):
        consignment, found, _ = read(*(rows or (changes,)))
        assert consignment is None
        listed = [[(fault.code, fault.field) for fault in row] for row in found]
        return listed if rows else listed[0]

    return listed


@pytest.mark.rule("PF-8.2-1", "PF-8.2-7")
def test_lines_of_one_reference_are_one_order(order):
    found = order(
        {"goodsDescription": "Tiles"},
        {"palletType": "H", "numberOfPallets": "1", "weight": "100.4", "goodsDescription": "Grout"},
        {"palletType": "F", "numberOfPallets": "1", "weight": "0.2", "goodsDescription": "Tiles"},
    )
    assert found.reference == "SO-1"
    # Equal types stand together, as the wire counts pallets.
    assert found.pallet_types == ["F", "F", "F", "H"]
    assert found.weight_kg == Decimal(951)
    assert found.goods_description == "Tiles; Grout"
    assert found.pallet_spaces is None
    assert not found.registered


@pytest.mark.rule("PF-8.2-7")
@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"palletType": "X"}, ("UNKNOWN_CODE", "palletType")),
        ({"palletType": ""}, ("MISSING_VALUE", "palletType")),
        ({"numberOfPallets": "0"}, ("BAD_FORMAT", "numberOfPallets")),
        ({"numberOfPallets": "100"}, ("BAD_FORMAT", "numberOfPallets")),
        ({"numberOfPallets": "2.0"}, ("BAD_FORMAT", "numberOfPallets")),
        ({"weight": "0"}, ("BAD_FORMAT", "weight")),
        ({"weight": "0.4"}, ("BAD_FORMAT", "weight")),
        ({"weight": "10000"}, ("BAD_FORMAT", "weight")),
        ({"weight": "heavy"}, ("BAD_FORMAT", "weight")),
        ({"palletSpaces": "0"}, ("BAD_FORMAT", "palletSpaces")),
    ],
)
def test_a_bad_line_is_named(faults, changes, fault):
    assert faults(**changes) == [fault]


@pytest.mark.rule("PF-8.2-7")
def test_an_order_of_many_lines_keeps_to_the_most_a_consignment_has(faults, order):
    assert ("BAD_FORMAT", "numberOfPallets") in faults({"numberOfPallets": "99"}, {"numberOfPallets": "1"})[0]
    assert ("BAD_FORMAT", "weight") in faults({"weight": "9000"}, {"weight": "1000"})[0]
    assert order({"palletSpaces": "1.5"}, {"numberOfPallets": "1"}).pallet_spaces == Decimal("2.5")


@pytest.mark.rule("PF-8.1-3")
@pytest.mark.parametrize("written", ["13/07/2026", "2026-07-13", "20260713", " 13/07/2026 "])
def test_dates_are_read_in_three_forms(order, orders, written, plan):
    kinds = csv_files.kinds(plan)
    headings = list(ROW)
    _, layout = told_apart(kinds, headings, None)
    row = FileRow(2, tuple((ROW | {"collectionDate": written}).values()), "", None)
    assert orders.read([layout.row(row)]).consignment.collection_date == date(2026, 7, 13)


@pytest.mark.rule("PF-8.1-3")
@pytest.mark.parametrize(
    "written", ["13/07/26", "26-07-13", "07/13/2026", "13.07.2026", "31/02/2026", "1/7/2026", "1926-07-13"]
)
def test_other_dates_are_refused(faults, written):
    assert faults(collectionDate=written) == [("BAD_FORMAT", "collectionDate")]


@pytest.mark.rule("PF-8.1-3")
@pytest.mark.parametrize("weight", ["1,000", "1 000", "850,5", "1e3", "+5", "-5", "NaN", "８５０"])
def test_numbers_have_a_point_and_nothing_else(faults, order, weight):
    assert faults(weight=weight) == [("BAD_FORMAT", "weight")]
    assert order(weight="850.5").weight_kg == Decimal(851)


@pytest.mark.rule("PF-8.1-11")
@pytest.mark.parametrize("column", [*ROW])
def test_a_required_column_that_is_empty_is_named(faults, column):
    assert ("MISSING_VALUE", column) in faults(**{column: ""})


@pytest.mark.rule("PF-8.1-11")
@pytest.mark.parametrize(
    ("column", "most"),
    [("orderReference", 35), ("customersUniqueReference2", 35), ("deliveryName", 50), ("goodsDescription", 140),
     ("note4", 36), ("notificationEmail", 70), ("notificationSms", 20), ("customerAccountNumber", 20)],
)  # fmt: skip
def test_text_that_is_too_long_is_refused_and_never_cut(faults, order, column, most):
    assert faults(**{column: "x" * (most + 1)}) == [("TOO_LONG", column)]
    order(**{column: "x" * most})


@pytest.mark.rule("PF-8.2-2")
def test_the_customer_must_be_known_and_gives_the_account(faults, order):
    assert faults(customerCode="NOBODY") == [("UNKNOWN_CUSTOMER", "customerCode")]
    found = order(customerCode="acme")
    assert (found.customer_code, found.account) == ("ACME", "acme 001")
    assert order(customerAccountNumber="acme 002").account == "acme 002"


@pytest.mark.rule("PF-8.2-3", "PF-3-5")
def test_an_imported_number_begins_with_a_depot_of_ours(order, faults):
    found = order(trackingNumber="9000010000123")
    assert (found.tracking_number, found.requesting_depot, found.our_roles) == ("9000010000123", "900", ["requesting"])
    assert faults(trackingNumber="1230010000123") == [("BAD_TRACKING_NUMBER", "trackingNumber")]
    assert order().tracking_number == ""


@pytest.mark.rule("PF-8.1-5")
@pytest.mark.parametrize("number", ["900001000012", "9.00001E+12", "9,00001E+12", "9E+12", "9000010000123.0"])
def test_a_number_that_a_spreadsheet_damaged_is_never_repaired(read, number):
    consignment, [[fault]], _ = read({"trackingNumber": number})
    assert consignment is None
    assert (fault.code, fault.field) == ("BAD_TRACKING_NUMBER", "trackingNumber")
    assert "saved by a spreadsheet" in fault.reason


def test_numbers_are_refused_where_the_deployment_has_them_switched_off(plan):
    ours = plan.network("palletforce")
    off = replace(ours, switches=replace(ours.switches, imported_tracking_id=False))
    kind = csv_files.kinds(replace(plan, networks={"palletforce": off})).kinds["orders"]
    words = [(ROW | {"trackingNumber": "9000010000123"}).get(field, "") for field in kind.sources]
    assert "switched off" in kind.read([Row(2, words, None)]).faults[0][0].reason


@pytest.mark.rule("PF-8.2-4")
def test_the_collection_address_is_the_rows_or_whole_the_customers(order, faults, plan):
    own = plan.customers["ACME"].collection
    assert order().pickup == own
    assert order(collectionPhoneNumber="01632 960002").pickup == own._replace(phone="01632 960002")
    assert order(**COLLECTION, collectionCountryCode="ie").pickup == Address(
        "Sender", "1 Mill Road", "", "Leicester", "", "LE1 1AA", "IE", "", ""
    )
    assert faults(**COLLECTION | {"collectionTown": ""}) == [("MISSING_VALUE", "collectionTown")]
    assert faults(customerCode="MENDIP") == [("MISSING_VALUE", "collectionName")]


def test_what_a_row_leaves_out_has_its_default(order):
    found = order()
    assert (found.delivery.country, found.delivery.contact, found.service) == ("GB", "Receiver Ltd", "A")
    assert order(deliveryContactName="Goods In").delivery.contact == "Goods In"


@pytest.mark.parametrize("phone", ["0000", "00 00", "-"])
def test_a_phone_number_of_zeros_is_none(faults, phone):
    assert faults(deliveryPhoneNumber=phone) == [("BAD_FORMAT", "deliveryPhoneNumber")]


@pytest.mark.rule("PF-8.2-5")
def test_the_delivery_date_is_the_rows_or_follows_from_the_service(order, faults):
    assert order().delivery_date == date(2026, 7, 14)
    assert order(serviceName="B").delivery_date == date(2026, 7, 15)
    assert order(serviceName="R").delivery_date is None
    assert order(deliveryDate="2026-07-20").delivery_date == date(2026, 7, 20)
    assert faults(deliveryDate="2026-07-12") == [("BAD_FORMAT", "deliveryDate")]
    assert faults(serviceName="Z") == [("UNKNOWN_CODE", "serviceName")]


@pytest.mark.rule("PF-8.2-6")
def test_surcharges_are_known_codes_and_amazons_needs_its_two_columns(order, faults):
    assert order(surcharges="TL  AW").surcharges == ["TL", "AM"]
    assert faults(surcharges="TL ZZ") == [("UNKNOWN_CODE", "surcharges")]
    assert faults(surcharges="AZ") == [("MISSING_VALUE", "cartonCount"), ("MISSING_VALUE", "asnFbaBolReference")]
    found = order(surcharges="AZ", cartonCount="12", asnFbaBolReference="FBA15")
    assert (found.carton_count, found.amazon_reference) == (12, "FBA15")


@pytest.mark.rule("PF-8.2-8")
def test_what_belongs_to_the_order_is_said_once_or_the_same(order, faults, read):
    found = order(
        {"collectionDate": "13/07/2026"},
        {"collectionDate": "2026-07-13", "deliveryName": ""},
        dict.fromkeys(set(ROW) - {"orderReference", "palletType", "numberOfPallets", "weight"}, ""),
    )
    assert len(found.pallet_types) == 6
    assert faults({}, {}, {"deliveryTown": "York"}) == [[("CONFLICTING_ROWS", "deliveryTown")]] * 3
    assert faults({"note1": ""}, {"note1": "late"}) == [[("CONFLICTING_ROWS", "note1")]] * 2
    assert "rows 2 and 3" in read({}, {"customerCode": "MENDIP"}).faults[0][0].reason


@pytest.mark.rule("PF-8.2-9")
def test_one_bad_row_keeps_the_whole_order_out(faults, read):
    assert faults({}, {"weight": "x"}, {}) == [
        [("ORDER_HAS_BAD_ROW", "")],
        [("BAD_FORMAT", "weight")],
        [("ORDER_HAS_BAD_ROW", "")],
    ]
    assert faults({}, None) == [[("ORDER_HAS_BAD_ROW", "")], [("WRONG_CELL_COUNT", "")]]
    assert "row 3" in read({}, {"weight": "x"}).faults[0][0].reason


@pytest.mark.rule("PF-8-1")
def test_the_column_map_lies_in_the_template(plan, tmp_path):
    own = tmp_path / "own.yaml"
    columns = {
        "orderReference": "Our Ref",
        "deliveryPostcode": ["Post Code", "ZIP"],
        "customerCode": {"constant": "ACME"},
        "serviceName": {"constant": "B"},
    }
    own.write_text(yaml.safe_dump({"csv": {"orders": {"columns": columns}}}))
    ours = replace(plan.network("palletforce"), template=own)
    kinds = csv_files.kinds(replace(plan, networks={"palletforce": ours}))
    given = {name: text for name, text in ROW.items() if name not in columns} | {"our_REF": "77", "zip": "LS2 2BB"}
    kind, layout = told_apart(kinds, list(given), None)
    found = kind.read([layout.row(FileRow(2, tuple(given.values()), "", None))]).consignment
    assert (found.reference, found.delivery.postcode, found.customer_code, found.service) == (
        "77",
        "LS2 2BB",
        "ACME",
        "B",
    )
    assert layout.heading("orderReference") == "our_REF"


def test_a_column_map_with_unknown_fields_is_refused(plan, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump({"csv": {"orders": {"columns": {"orderRef": "x"}}}}))
    ours = replace(plan.network("palletforce"), template=own)
    with pytest.raises(FileFault, match="orderRef"):
        csv_files.kinds(replace(plan, networks={"palletforce": ours}))


@pytest.mark.rule("PF-8.1-7")
def test_the_kind_is_told_from_the_headings_and_what_lacks_is_named(plan):
    kinds = csv_files.kinds(plan)
    kind, layout = told_apart(kinds, [*ROW, "colour", "Service Name"], None)
    assert (kind.stream, layout.unknown) == ("orders file", ["colour"])

    def why(headings, asked=None):
        with pytest.raises(FileRejected) as caught:
            told_apart(kinds, headings, asked)
        return str(caught.value)

    assert why([name for name in ROW if name != "weight"]) == "lacks required columns of a file of orders: weight"
    assert "no header" in why(["SO-1", "ACME", "13/07/2026"])
    assert "separated by ';', the setting is ','" in why([";".join(ROW)])
    assert "deliveryTown twice" in why([*ROW, "Delivery Town"])
    assert "of manifest: " in why([*ROW], asked="manifest")
    assert "kinds of files are orders, manifest" in why([*ROW], asked="invoices")
