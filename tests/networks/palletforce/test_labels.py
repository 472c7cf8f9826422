"""What stands on our own labels, and which delivery depot they show (contract 6 item 5)."""

from datetime import date
from decimal import Decimal

import pytest

from palletflow.checked_yaml import FileFault
from palletflow.documents.label import Service
from palletflow.networks.palletforce import labels, mapper
from palletflow.orders.consignment import Address
from palletflow.store.consignments import ConsignmentFacts, PalletFacts

SENDER = Address("Sender Ltd", "1 Mill Road", "", "Leicester", "", "LE1 1AA", "GB", "0116 496 0001", "Warehouse")
RECEIVER = Address("Receiver", "2 High Street", "", "Leeds", "", "LS1 1AA", "GB", "0113 496 0001", "Goods In")
FACTS = ConsignmentFacts(
    id=1, order_id=1, network="palletforce", customer_code="ACME", order_source="api", order_source_key="1",
    reference="SO-123", reference_2="", copied_from=None, cancelled=False, tracking_number="9000010000123",
    registered=False, consignment_number="0000123", requesting_depot="900", collecting_depot="900", delivery_depot="",
    our_roles=["requesting"], account="acme 001", service="A", surcharges=["AM", "TL"],
    collection_date=date(2026, 7, 13), delivery_date=date(2026, 7, 14), weight_kg=Decimal("850.00"),
    pallet_spaces=Decimal(2), insurance_code="", hub_code="", carton_count=None, amazon_reference="",
    notes=["CALL FIRST"], goods_description="", notification_email="", notification_sms="", notification_twitter="",
    northern_ireland={}, additional_fields={}, dispatch_state="todo", lifecycle_status="CREATED", network_status="",
    pallets=[PalletFacts(1, "F", "", False), PalletFacts(2, "H", "", False)], pickup=SENDER, delivery=RECEIVER,
)  # fmt: skip


@pytest.fixture
def own(plan, tmp_path):
    """The template of a deployment whose own file has this text; the sandbox's without any."""

    def make(text: str = ""):
        if not text:
            return mapper.preview(plan).template
        file = tmp_path / "own.yaml"
        file.write_text(text, "utf-8")
        return mapper.preview(plan, file).template

    return make


def never() -> str:
    raise AssertionError("the network was asked for nothing")


# The delivery depot


@pytest.mark.rule("PF-6-5")
@pytest.mark.parametrize(
    ("postcode", "depot"),
    [
        ("LS1 1AA", "901"),
        ("ls11aa", "901"),
        ("LS10 1AA", "901"),
        ("  LS10  1AA ", "901"),
        ("LE1 1AA", "900"),
        ("LE1", "900"),
        # L is an area of its own, and so is every area of two letters that begins as another.
        ("L1 1AA", ""),
        ("B1 1AA", ""),
        ("BS1 5TR", "902"),
        ("", ""),
        ("LS", ""),
        ("LEEDS", ""),
        ("75001", ""),
        ("LS1 1A", ""),
    ],
)
def test_a_postcode_names_its_depot_by_area(own, postcode, depot):
    assert labels.depot_of_postcode(own().sections["labels"]["postcode_depots"], postcode) == depot


@pytest.mark.rule("PF-6-5")
@pytest.mark.parametrize(
    ("postcode", "depot"),
    [
        ("LS1 1AA", "111"),
        ("LS10 1AA", "222"),
        ("LS11 1AA", "333"),
        ("LS2 1AA", "333"),
        ("LS1A 1AA", "111"),
        ("L1 1AA", "444"),
        ("L10 1AA", "444"),
        ("EC1A 1BB", "666"),
        ("EC1M 1BB", "555"),
        ("EC2A 1BB", ""),
    ],
)
def test_a_district_goes_before_its_area(postcode, depot):
    table = {"LS": "333", "LS1": "111", "LS10": "222", "L": "444", "EC1": "555", "EC1A": "666"}
    assert labels.depot_of_postcode(table, postcode) == depot


@pytest.mark.rule("PF-6-5")
def test_the_depot_comes_from_the_order_then_the_postcode_then_a_fetch(own):
    settings = own().sections["labels"]
    assert labels.delivery_depot(FACTS._replace(delivery_depot="777"), settings, never) == "777"
    assert labels.delivery_depot(FACTS, settings, never) == "901"
    elsewhere = FACTS._replace(delivery=RECEIVER._replace(postcode="ZE1 0AA"))
    assert labels.delivery_depot(elsewhere, settings, lambda: "555") == "555"
    assert labels.delivery_depot(elsewhere, settings, lambda: "") == ""


@pytest.mark.rule("PF-6-5")
def test_a_deployment_chooses_the_sources_and_their_order(own):
    ordered = FACTS._replace(delivery_depot="777")
    assert (
        labels.delivery_depot(
            ordered,
            own("labels: {depot_sources: [postcode, order], postcode_depots: {LS: '901'}}").sections["labels"],
            never,
        )
        == "901"
    )
    assert labels.delivery_depot(FACTS, own("labels: {depot_sources: [order]}").sections["labels"], never) == ""
    assert (
        labels.delivery_depot(
            FACTS, own("labels: {depot_sources: [fetch, postcode]}").sections["labels"], lambda: "555"
        )
        == "555"
    )
    without = own("labels: {postcode_depots: {LS: '', LE: '900'}}").sections["labels"]
    assert labels.delivery_depot(FACTS, without, lambda: "") == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("labels: {depot_sources: [order, guess]}", "labels.depot_sources.1: 'guess' is not one of"),
        ("labels: {postcode_depots: {Leeds: '901'}}", "labels.postcode_depots: 'Leeds' does not match"),
        ("labels: {postcode_depots: {LS: Leeds}}", "labels.postcode_depots.LS: 'Leeds' does not match"),
        ("labels: {tracking_page: 'https://example.com/'}", "labels.tracking_page: 'https://example.com/' does"),
        ("labels: {format: zpl}", "labels: unknown key 'format'"),
    ],
)  # fmt: skip
def test_a_slip_in_the_section_is_found_when_it_is_read(own, text, said):
    with pytest.raises(FileFault) as caught:
        own(text)
    assert said in "; ".join(caught.value.faults)


# What stands on them


@pytest.mark.rule("PF-6-5")
def test_each_pallet_has_its_label(own):
    first, second = labels.of_consignment(FACTS, own(), "901")
    assert (first.pallet, second.pallet, first.pallets) == (1, 2, 2)
    assert (first.barcode, second.barcode) == ("506901A900001000012301", "506901A900001000012302")
    assert (first.pallet_type, second.pallet_type) == ("full", "half")
    assert (first.network, first.delivery_depot, first.provisional) == ("Palletforce", "901", False)
    assert first.service == Service("A", "24 hours")
    assert first.surcharges == (Service("AM", "before 12:00"), Service("TL", "tail-lift"))
    assert (first.sender, first.receiver) == (SENDER, RECEIVER)
    for field in ("tracking_number", "consignment_number", "reference", "weight_kg", "collection_date",
                  "delivery_date", "requesting_depot", "collecting_depot"):  # fmt: skip
        assert getattr(first, field) == getattr(FACTS, field)
    assert first.notes == ("CALL FIRST",)
    assert second == first._replace(pallet=2, pallet_type="half", barcode="506901A900001000012302")


@pytest.mark.rule("PF-6-10")
@pytest.mark.parametrize(("depot", "service"), [("", "A"), ("901", "24H")])
def test_without_a_barcode_the_tracking_number_stands_alone(own, depot, service):
    first, second = labels.of_consignment(FACTS._replace(service=service), own(), depot)
    assert (first.provisional, first.barcode, first.delivery_depot) == (True, "9000010000123", "")
    assert second.barcode == "9000010000123"


def test_without_a_tracking_number_there_is_no_label_yet(own):
    assert labels.of_consignment(FACTS._replace(tracking_number=""), own(), "901") == []


def test_a_number_that_no_barcode_can_carry_is_printed_without_one(own):
    first, _ = labels.of_consignment(FACTS._replace(tracking_number="9000-010000123"), own(), "901")
    assert (first.provisional, first.barcode, first.tracking_number) == (True, "", "9000-010000123")


@pytest.mark.rule("PF-3-16")
def test_a_barcode_that_the_network_uses_itself_stands_on_the_label(own):
    pallets = [
        PalletFacts(1, "F", "506902A900001000012301", True),
        PalletFacts(2, "F", "506901A900001000012302", False),
    ]
    first, second = labels.of_consignment(FACTS._replace(pallets=pallets), own(), "901")
    assert (first.barcode, first.delivery_depot) == ("506902A900001000012301", "902")
    assert second.barcode == "506901A900001000012302"
    # Also while we do not know the depot ourselves.
    assert labels.of_consignment(FACTS._replace(pallets=pallets[:1]), own(), "")[0].provisional is False


@pytest.mark.parametrize("barcode", ["506902A900001000099901", "506902A900001000012302", "odd"])
def test_a_barcode_of_another_number_or_pallet_does_not(own, barcode):
    (label,) = labels.of_consignment(FACTS._replace(pallets=[PalletFacts(1, "F", barcode, True)]), own(), "901")
    assert label.barcode == "506901A900001000012301"


def test_pallets_keep_their_numbers_when_one_is_taken_off(own):
    pallets = [PalletFacts(1, "F", "", False), PalletFacts(3, "F", "", False)]
    found = labels.of_consignment(FACTS._replace(pallets=pallets), own(), "901")
    assert [(label.pallet, label.barcode[-2:], label.pallets) for label in found] == [(1, "01", 3), (3, "03", 3)]


def test_codes_that_only_the_network_knows_stand_alone(own):
    facts = FACTS._replace(surcharges=["ZZ"], pallets=[PalletFacts(1, "X", "", False)], service="S")
    (label,) = labels.of_consignment(facts, own(), "901")
    assert label.surcharges == (Service("ZZ", ""),)
    assert label.service == Service("S", "")
    assert label.pallet_type == "X"
