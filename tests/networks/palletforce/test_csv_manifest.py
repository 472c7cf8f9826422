"""What a row of the portal's delivery manifest becomes (contract 8.1 and 8.3)."""

from datetime import date
from decimal import Decimal

import pytest

from palletflow.intake.file_kinds import Row, told_apart
from palletflow.networks.palletforce import csv_files

ROW = {
    "trackingNumber": "1230010000123",
    "requestingDepot": "123",
    "collectingDepot": "123",
    "deliveryDepot": "901",
    "deliveryDate": "14/07/2026",
    "serviceName": "A",
    "full": "2",
    "weight": "850.5",
    "deliveryName": "Receiver Ltd",
    "deliveryStreetAddress": "2 High Street",
    "deliveryTown": "Leeds",
    "deliveryPostcode": "LS1 1AA",
}


@pytest.fixture
def read(plan):
    manifest = csv_files.kinds(plan).kinds["manifest"]

    def reading(**changes):
        words = ROW | changes
        return manifest.read([Row(2, [words.get(field, "") for field in manifest.sources], None)])

    return reading


def faults(found):
    assert found.consignment is None
    return [(fault.code, fault.field) for fault in found.faults[0]]


@pytest.mark.rule("PF-8.3-1", "PF-8.3-2", "PF-3-6")
def test_a_row_is_a_consignment_of_any_depot_that_we_deliver(read):
    found = read().consignment
    assert found.tracking_number == "1230010000123"
    assert found.registered
    assert found.our_roles == ["delivery"]
    assert (found.customer_code, found.delivery.postcode, found.delivery.country) == ("PALLETFORCE", "LS1 1AA", "GB")
    assert (found.delivery_date, found.weight_kg) == (date(2026, 7, 14), Decimal("850.50"))
    assert found.barcodes == ["506901A123001000012301", "506901A123001000012302"]


@pytest.mark.rule("PF-8.1-4")
def test_depot_codes_get_their_leading_zeros_back_with_a_warning(read):
    consignment, _, warnings = read(requestingDepot="7", collectingDepot="42")
    assert (consignment.requesting_depot, consignment.collecting_depot) == ("007", "042")
    assert warnings == ["requestingDepot: '7' was read as depot 007", "collectingDepot: '42' was read as depot 042"]
    assert faults(read(requestingDepot="9001")) == [("BAD_FORMAT", "requestingDepot")]


@pytest.mark.rule("PF-8.3-1", "PF-8.1-5")
@pytest.mark.parametrize("number", ["123001000012", "1.23001E+12", "12300100001234", "ABC"])
def test_a_number_of_another_shape_is_refused(read, number):
    assert faults(read(trackingNumber=number)) == [("BAD_TRACKING_NUMBER", "trackingNumber")]


@pytest.mark.rule("PF-8.3-2")
def test_what_we_do_not_deliver_is_refused(read):
    assert faults(read(deliveryDepot="124")) == [("NOT_OUR_DEPOT", "deliveryDepot")]
    assert faults(read(deliveryDepot="124", requestingDepot="900")) == [("NOT_OUR_DEPOT", "deliveryDepot")]


@pytest.mark.rule("PF-8.3-3")
def test_unknown_codes_land_with_a_warning(read):
    consignment, _, warnings = read(serviceName="X", surcharges="TL ZZ")
    assert (consignment.service, consignment.surcharges) == ("X", ["TL", "ZZ"])
    assert len(warnings) == 2
    assert "unknown code 'ZZ'" in warnings[1]


@pytest.mark.rule("PF-8.3-4")
def test_pallets_are_counted_by_type(read):
    assert read(full="1", half="2", quarter="", oversize="1").consignment.pallet_types == ["F", "H", "H", "O"]
    assert faults(read(full="0")) == [("MISSING_VALUE", "full")]
    assert faults(read(full="50", half="50")) == [("BAD_FORMAT", "full")]
    assert faults(read(full="-1")) == [("BAD_FORMAT", "full")]


@pytest.mark.rule("PF-8.3-5")
def test_long_notes_are_cut_with_a_warning_and_other_text_is_not(read):
    consignment, _, warnings = read(note1="x" * 40, note2="y")
    assert consignment.notes == ["x" * 36, "y"]
    assert warnings == ["note1: was cut from 40 to 36 characters"]
    assert faults(read(customersUniqueReference="x" * 36)) == [("TOO_LONG", "customersUniqueReference")]


def test_a_file_with_one_pallet_column_is_enough_and_none_is_not(plan):
    kinds = csv_files.kinds(plan)
    assert told_apart(kinds, list(ROW), None)[0].stream == "manifest file"
    headings = [name for name in ROW if name != "full"]
    with pytest.raises(Exception, match="full or half or quarter or oversize"):
        told_apart(kinds, headings, None)


@pytest.mark.rule("PF-8.1-3")
def test_text_is_of_one_line(read):
    consignment, _, warnings = read(
        deliveryName="Receiver\r\nLtd\a", note1="Ring\nfirst", deliveryPhoneNumber="01632\t960001"
    )
    assert (consignment.delivery.name, consignment.delivery.phone) == ("Receiver Ltd", "01632 960001")
    assert consignment.notes == ["Ring first"]
    space = "a line break or control character was read as a space"
    assert sorted(warnings) == [f"{name}: {space}" for name in ("deliveryName", "deliveryPhoneNumber", "note1")]
    assert faults(read(deliveryName="\a")) == [("BAD_FORMAT", "deliveryName")]
