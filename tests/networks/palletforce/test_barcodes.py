"""Pallet barcodes: built, read and compared (contract 3)."""

import pytest

from palletflow.networks.palletforce import barcodes
from palletflow.networks.palletforce.barcodes import Parts

EXAMPLE = "506901A900001000012301"


@pytest.mark.rule("PF-3-10", "PF-3-12")
def test_a_barcode_is_506_depot_service_number_and_pallet():
    assert barcodes.build("901", "A", "9000010000123", 1) == EXAMPLE
    assert barcodes.build("012", "R", "0120010000001", 99) == "506012R012001000000199"


@pytest.mark.rule("PF-3-12")
@pytest.mark.parametrize(
    ("depot", "service", "number", "pallet", "said"),
    [
        ("901", "A", "9000010000123", 100, "from 1 to 99, not 100"),
        ("901", "A", "9000010000123", 0, "from 1 to 99, not 0"),
        ("91", "A", "9000010000123", 1, "3 digits, not '91'"),
        ("901", "AB", "9000010000123", 1, "one letter, not 'AB'"),
        ("901", "a", "9000010000123", 1, "one letter, not 'a'"),
        ("901", "A", "900001000012", 1, "13 digits, not '900001000012'"),
        ("901", "A", "٩000010000123", 1, "13 digits"),
    ],
)
def test_no_barcode_of_another_shape_is_built(depot, service, number, pallet, said):
    with pytest.raises(ValueError, match=said):
        barcodes.build(depot, service, number, pallet)


@pytest.mark.rule("PF-3-12", "PF-3-14")
def test_a_consignment_has_one_barcode_a_pallet_counted_through():
    found = barcodes.of_pallets("901", "A", "9000010000123", 99)
    assert len(set(found)) == 99
    assert (found[0], found[9], found[98]) == (EXAMPLE, "506901A900001000012310", "506901A900001000012399")
    with pytest.raises(ValueError, match="not 100"):
        barcodes.of_pallets("901", "A", "9000010000123", 100)


@pytest.mark.rule("PF-3-14")
@pytest.mark.parametrize(
    ("depot", "service", "number"),
    [
        ("", "A", "9000010000123"),
        ("901", "", "9000010000123"),
        ("901", "A", ""),
        # What a network sent and we kept as it came cannot be built from either.
        ("Leeds", "A", "9000010000123"),
        ("901", "24H", "9000010000123"),
        ("901", "A", "9.00001E+12"),
    ],
)
def test_there_is_no_barcode_while_a_part_is_unknown(depot, service, number):
    assert barcodes.of_pallets(depot, service, number, 2) == []


@pytest.mark.rule("PF-3-13")
def test_a_barcode_is_read_back():
    assert barcodes.read(EXAMPLE) == Parts("901", "A", "9000010000123", 1)
    assert barcodes.build(*Parts("012", "D", "9000010000123", 42)) == "506012D900001000012342"


@pytest.mark.rule("PF-3-17")
@pytest.mark.parametrize(
    "text",
    ["", "9000010000123", EXAMPLE[:-1], EXAMPLE + "1", "507" + EXAMPLE[3:], EXAMPLE.lower(), EXAMPLE + "\n",
     EXAMPLE[:-2] + "00", "506901A90000100001230١", "JD014600003828000000"],
)  # fmt: skip
def test_a_barcode_of_another_shape_is_no_error(text):
    assert barcodes.read(text) is None
    assert not barcodes.same_pallet(text, EXAMPLE)
    assert not barcodes.same_pallet(text, text)


@pytest.mark.rule("PF-3-16")
@pytest.mark.parametrize(
    ("theirs", "same"),
    [
        (EXAMPLE, True),
        ("506902A900001000012301", True),
        ("506902B900001000012301", True),
        ("506901A900001000012302", False),
        ("506901A900001000012401", False),
        ("506901A901001000012301", False),
    ],
)
def test_the_same_pallet_is_known_by_positions_8_to_22(theirs, same):
    assert barcodes.same_pallet(theirs, EXAMPLE) is same


@pytest.mark.rule("PF-3-11")
def test_the_tracking_page_of_a_number():
    pattern = "https://www.palletforce.com/track/?tracking={number}"
    assert barcodes.tracking_page(pattern, "9000010000123") == (
        "https://www.palletforce.com/track/?tracking=9000010000123"
    )
