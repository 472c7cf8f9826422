"""What getConsignment shows, as a consignment of ours (contract 2.3 and 3): each field, and odd ones."""

import copy
import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from palletflow.checked_yaml import FileFault
from palletflow.networks.palletways import mapper
from palletflow.networks.palletways.mapper import Mapper
from palletflow.orders.consignment import Address, Consignment

SAMPLE = json.loads(mapper.SAMPLE.read_text("utf-8"))
DELIVERY, COLLECTION = SAMPLE["Depot"]["Account"]["Consignment"]["Address"]


def record(*, depot: str = "123", account: str = "ACM001", **changes: Any) -> dict[str, Any]:
    """The sample with other nodes in its consignment; None leaves one out."""
    made = copy.deepcopy(SAMPLE)
    made["Depot"]["Number"], made["Depot"]["Account"]["Code"] = depot, account
    consignment = {**made["Depot"]["Account"]["Consignment"], **changes}
    made["Depot"]["Account"]["Consignment"] = {name: one for name, one in consignment.items() if one is not None}
    return made


@pytest.fixture
def own(plan, tmp_path):
    """Makes the mapper of a deployment whose own template has this text."""

    def make(text: str) -> Mapper:
        file = tmp_path / "own.yaml"
        file.write_text(text, "utf-8")
        return mapper.preview(plan, file)

    return make


@pytest.fixture
def translate(plan):
    def translated(*, by: Mapper | None = None, **changes: Any):
        return (by or mapper.preview(plan)).translate(record(**changes))

    return translated


@pytest.fixture
def read(translate):
    """The sample with changes as a consignment; it must become one."""

    def made(**changes: Any) -> Consignment:
        translated = translate(**changes)
        assert (translated.faults, translated.left_out) == ([], None)
        return translated.consignment

    return made


def faults(translated) -> list[tuple[str, str]]:
    assert translated.consignment is None
    return [(fault.code, fault.field) for fault in translated.faults]


@pytest.mark.rule("PW-2.3-1", "PW-2.3-2", "PW-3-5", "PW-3-6")
def test_every_field_of_a_record_finds_its_place(read):
    assert read() == Consignment(
        customer_code="ACME", reference="", reference_2="", tracking_number="60000000017", registered=True,
        consignment_number="100045", requesting_depot="123", collecting_depot="123", delivery_depot="456",
        our_roles=["requesting", "collecting"], account="ACM001", service="PRE", surcharges=[],
        collection_date=None, delivery_date=date(2030, 1, 8), weight_kg=Decimal("640.00"), pallet_spaces=None,
        insurance_code="", hub_code="H1", carton_count=None, amazon_reference="", notes=[],
        network_status="", network_updated_at=None, goods_description="", notification_email="", notification_sms="",
        notification_twitter="",
        additional_fields={
            "pw_type": "D", "classification": "B2B", "book_in_contact": "Goods In",
            "book_in_email": "goodsin@example.com", "book_in_reference": "BK-7", "due_time": "17:00",
            "handball": "false", "tail_lift": "true", "adr": "false", "limited_quantity": "false",
            "book_in": "true", "booked_in": "false",
        },
        pallet_types=["FULL", "HALF"], pallet_details=[], barcodes=["B0012A4F10", "B0012A4F11"],
        pickup=Address("Acme Widgets Ltd", "1 Mill Road", "", "Leicester", "", "LE1 1AA", "GB", "0116 496 0101",
                       "Warehouse"),
        delivery=Address("Receiver Ltd", "1 Road", "Trading Estate", "Town", "County", "ZZ1 1ZZ", "GB",
                         "01632 960001", "Goods In"),
    )  # fmt: skip


@pytest.mark.rule("PW-2.3-2")
@pytest.mark.parametrize(
    ("depot", "collecting", "delivering", "roles"),
    [
        ("123", "456", "777", ["requesting"]),
        ("456", "124", "777", ["collecting"]),
        ("456", "777", "123", ["delivery"]),
        ("123", "124", "123", ["requesting", "collecting", "delivery"]),
    ],
)
def test_the_depots_of_the_three_roles(read, depot, collecting, delivering, roles):
    consignment = read(depot=depot, CollectionDepot=collecting, DeliveryDepot=delivering)
    assert (consignment.requesting_depot, consignment.collecting_depot, consignment.delivery_depot) == (
        depot,
        collecting,
        delivering,
    )
    assert consignment.our_roles == roles


@pytest.mark.rule("PW-2.3-2")
def test_what_no_depot_of_ours_has_a_part_in_is_none_of_our_orders(translate):
    translated = translate(depot="456", CollectionDepot="456", DeliveryDepot="777")
    assert (translated.consignment, translated.faults) == (None, [])
    assert translated.left_out.code == "NOT_OUR_DEPOT"
    assert "(456, 456, 777) none is ours (123, 124)" in translated.left_out.reason


@pytest.mark.rule("PW-2.3-2")
def test_a_depot_that_is_none_is_refused(translate):
    assert faults(translate(DeliveryDepot="4567")) == [("BAD_FORMAT", "DeliveryDepot")]


def test_our_customer_is_known_by_his_account_and_others_are_the_networks(read, translate):
    assert read(account="acm001").customer_code == "ACME"
    assert read(depot="456", account="OTH900").customer_code == "PALLETWAYS"
    assert faults(translate(account="NEW777")) == [("UNKNOWN_CUSTOMER", "Account.Code")]


def test_a_template_may_give_unknown_accounts_to_the_network(read, own):
    by = own("customer: {unknown_account: network}")
    assert read(by=by, account="NEW777").customer_code == "PALLETWAYS"


@pytest.mark.rule("PW-3-1", "PW-3-2")
@pytest.mark.parametrize("number", ["12345", "6.0E+10", "6000000001A", "60000000017;"])
def test_a_tracking_id_of_another_form_is_refused(plan, translate, number):
    assert faults(translate(TrackingID=number)) == [("BAD_TRACKING_ID", "TrackingID")]
    assert mapper.preview(plan).key(record(TrackingID=number)) == ""


@pytest.mark.rule("PW-3-1")
def test_the_form_of_tracking_ids_is_the_connections(plan):
    by = Mapper(plan, r"PW\d{3}")
    assert by.translate(record(TrackingID="PW007")).consignment.tracking_number == "PW007"
    assert faults(by.translate(record())) == [("BAD_TRACKING_ID", "TrackingID")]


@pytest.mark.rule("PW-3-2", "PW-3-6")
def test_a_response_id_is_no_tracking_id(translate):
    assert faults(translate(TrackingID=None, ResponseID="4000123", ImportID="A-17")) == [
        ("MISSING_VALUE", "TrackingID")
    ]


@pytest.mark.rule("PW-3-3", "PW-3-6")
@pytest.mark.parametrize("number", ["100045-123", "123-100045", "100045"])
def test_our_number_is_kept_without_the_depot_it_came_with(read, number):
    assert read(Number=number).consignment_number == "100045"


@pytest.mark.rule("PW-3-5")
def test_barcodes_are_kept_as_given(read):
    assert read(Pallet=["b0012a4f10", "X 1"]).barcodes == ["b0012a4f10", "X 1"]


@pytest.mark.rule("PW-2.3-1", "PW-3-5")
@pytest.mark.parametrize("pallets", [["B0012A4F10"], ["B0012A4F10", "B0012A4F10"], ["A", "B", "C"]])
def test_barcodes_that_are_not_one_a_pallet_are_left_out(translate, pallets):
    translated = translate(Pallet=pallets)
    assert translated.consignment.barcodes == []
    assert any("barcodes for 2 pallets" in warning for warning in translated.warnings)


@pytest.mark.rule("PW-2.3-1", "PW-7.1-3")
def test_billing_units_say_of_what_type_pallets_are(read):
    units = [{"Type": unit, "Amount": "1"} for unit in ("FP", "LP", "HP", "QP", "MQP", "SELP", "ELP")]
    units.append({"Type": "XX", "Amount": "0"})  # nothing of it
    consignment = read(Lifts="7", Pallet=None, BillUnit=units)
    assert consignment.pallet_types == ["FULL", "LARGE", "HALF", "QUARTER", "MINI", "SELP", "ELP"]


@pytest.mark.rule("PW-7.1-2")
def test_what_goes_out_as_one_of_ours_comes_back_as_that_one(read, own):
    by = own("bill_units: {F1: FP, F2: FP}\nservices: {NEXT: {group: D, code: PRE}}\n")
    consignment = read(by=by)
    assert (consignment.pallet_types, consignment.service) == (["F1", "HALF"], "NEXT")


@pytest.mark.rule("PW-2.3-1")
def test_there_are_as_many_pallets_as_lifts(translate):
    translated = translate(Lifts="3", Pallet=None)
    assert translated.consignment.pallet_types == ["FULL", "HALF", "HALF"]
    assert "BillUnit: 2 billing units for 3 lifts; there are as many pallets as lifts" in translated.warnings
    assert translate(Lifts="1", Pallet=None).consignment.pallet_types == ["FULL"]


@pytest.mark.rule("PW-2.3-1")
def test_pallets_without_billing_units_are_of_the_usual_type(translate, own):
    translated = translate(BillUnit=None)
    assert translated.consignment.pallet_types == ["FULL", "FULL"]
    assert "BillUnit: none for 2 lifts; taken as FULL" in translated.warnings
    by = own("import: {default_pallet_type: HALF}")
    assert translate(by=by, BillUnit=None).consignment.pallet_types == ["HALF", "HALF"]


def test_a_consignment_without_pallets_is_refused(translate):
    assert faults(translate(Lifts=None, BillUnit=None)) == [("MISSING_VALUE", "Lifts")]
    assert faults(translate(Lifts="100")) == [("BAD_FORMAT", "Lifts")]
    assert faults(translate(BillUnit={"Type": "FP", "Amount": "-1"})) == [("BAD_FORMAT", "BillUnit[]")]
    assert faults(translate(BillUnit={"Amount": "2"})) == [("MISSING_VALUE", "BillUnit[]")]


@pytest.mark.rule("PW-2.2-11")
def test_the_code_of_the_delivery_service_is_the_level(translate):
    def service(kind: str, group: str, code: str) -> dict[str, str]:
        return {"Type": kind, "Code": group, "Surcharge": code}

    delivered = translate(Service=[service("C", "C", "STD"), service("D", "d", "eco"), service("D", "D", "TIM")])
    assert (delivered.consignment.service, delivered.consignment.surcharges) == ("ECO", ["TIM"])
    unknown = translate(Service=service("Delivery", "D", "ZZ"))
    assert unknown.consignment.service == "ZZ"
    assert "Service: unknown code 'ZZ' kept as it came" in unknown.warnings
    assert translate(Service=None).consignment.service == ""
    assert translate(Service=service("Delivery", "D", "\x00" * 30)).consignment.service == ""


@pytest.mark.rule("PW-2.2-3")
def test_the_end_that_our_customer_leaves_out_is_at_his_premises(read):
    delivered = read(Address=[DELIVERY])
    assert (delivered.pickup.street, delivered.pickup.postcode) == ("1 Mill Road", "LE1 1AA")
    collected = read(Type="C", Address=COLLECTION)
    assert (collected.delivery.street, collected.delivery.postcode) == ("1 Mill Road", "LE1 1AA")
    of_another = read(depot="456", account="OTH900", Address=[DELIVERY])
    assert of_another.pickup.postcode == ""


def test_a_consignment_needs_the_address_it_goes_to_or_comes_from(translate):
    assert faults(translate(Address=COLLECTION)) == [("MISSING_VALUE", "Address[Type=Delivery].PostCode")]
    assert faults(translate(Type="C", Address=DELIVERY)) == [("MISSING_VALUE", "Address[Type=Collection].PostCode")]


@pytest.mark.rule("PW-2.3-1")
def test_the_first_line_may_stand_in_addr1_alone(read):
    assert read(Address={**DELIVERY, "Line": None}).delivery.street == "1 Road"


def test_a_country_that_is_no_code_is_left_out(translate):
    translated = translate(Address={**DELIVERY, "Country": "United Kingdom"})
    assert translated.consignment.delivery.country == ""
    assert any("no country code" in warning for warning in translated.warnings)
    assert translate(Address={**DELIVERY, "Country": "ie"}).consignment.delivery.country == "IE"
    assert translate(Address={**DELIVERY, "Country": None}).consignment.delivery.country == "GB"


def test_a_flag_that_is_neither_yes_nor_no_is_left_out(translate):
    translated = translate(HandBall="perhaps")
    assert "handball" not in translated.consignment.additional_fields
    assert "handball: 'perhaps' is neither yes nor no; left out" in translated.warnings


@pytest.mark.rule("PW-1.2-12")
def test_unknown_nodes_are_ignored(read):
    assert read(SomethingNew={"Deep": ["x"]}) == read()


@pytest.mark.rule("PW-1.2-13")
@pytest.mark.parametrize("day", ["08/01/2030", "2030-02-30", "1830-01-08", "tomorrow"])
def test_a_day_that_is_none_is_refused(translate, day):
    assert faults(translate(DueDate=day)) == [("BAD_FORMAT", "DueDate or DeliveryDate")]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Number", "x\x00y"),
        ("Number", {"a": "b"}),
        ("BookInContactName", "\ud800"),
        ("CollectionReference", "x" * 501),
        ("Weight", "heavy"),
        ("Weight", "-1"),
        ("Weight", "NaN"),
        ("Weight", "1e400"),
        ("Lifts", "2.5"),
        ("Insurance", "x" * 501),
    ],
)
def test_a_value_that_cannot_be_kept_is_refused_with_its_field(translate, field, value):
    [(code, named)] = faults(translate(**{field: value}))
    assert code in ("BAD_FORMAT", "TOO_LONG")
    assert named == field


@pytest.mark.parametrize("odd", [None, "", "text", 7, [], {}, {"Depot": {"Account": {"Code": "ACM001"}}}])
def test_what_is_no_consignment_at_all_is_refused(plan, odd):
    by = mapper.preview(plan)
    assert faults(by.translate(odd)) == [("BAD_FORMAT", "Depot.Account.Consignment")]
    assert by.key(odd) == ""


@pytest.mark.rule("PW-3-7")
def test_a_consignment_is_followed_on_the_networks_page(plan, own):
    shown = {"tracking_number": "60000000017"}
    assert mapper.preview(plan).tracking_page(shown) == "https://track2.palletways.com/?dc_syscon=60000000017"
    assert mapper.preview(plan).tracking_page({"tracking_number": ""}) == ""
    assert own("tracking_url: 'https://example.com/{tracking_id}/x'").tracking_page({"tracking_number": "a/b"}) == (
        "https://example.com/a%2Fb/x"
    )


def test_what_could_change_a_record_changes_the_version(plan):
    version = Mapper(plan).version
    assert Mapper(plan).version == version
    assert Mapper(plan, r"\d{11}").version != version
    ours = plan.network("palletways")
    fewer = replace(ours, depots={"123": "palletways_123"})
    assert Mapper(replace(plan, networks={**plan.networks, "palletways": fewer})).version != version
    assert Mapper(replace(plan, accounts={})).version != version
    assert Mapper(replace(plan, customers={})).version != version


def test_a_depot_of_the_deployment_that_is_no_depot_number_is_refused(plan, monkeypatch):
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", "deployment.yaml")
    ours = replace(plan.network("palletways"), depots={"12A": "palletways_12a"})
    with pytest.raises(FileFault, match="'12A' is not a depot number of 3 digits"):
        Mapper(replace(plan, networks={**plan.networks, "palletways": ours}))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("fields: {reference: {path: Referense}}", "did you mean 'reference'"),
        ("fields: {barcodes: {path: Pallet.Barcode}}", "must name all elements"),
        ("import: {default_pallet_type: ''}", "default_pallet_type"),
        ("psief: {columns: {tracking_id: A}}", "tracking_id"),
        ("psief: {columns: {tracking: '3'}}", "tracking"),
    ],
)
def test_a_template_that_cannot_be_used_says_why(own, text, fault):
    with pytest.raises(FileFault, match=fault):
        own(text)
