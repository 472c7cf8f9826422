"""What is read of a row of a list, and of a reply to get (contract 2.2, 2.3)."""

import copy
import json
from typing import Any

import pytest

from palletflow.networks.nexus import mapper
from palletflow.networks.nexus.record import Reading

SAMPLE = json.loads(mapper.SAMPLE.read_text("utf-8"))
ROW = {
    "consignmentID": 700001, "consignmentNumber": "QG0000123", "customerReference": "PO-1",
    "status": {"id": 9004, "name": "At Hub"}, "estimatedDelDate": None, "estimatedDelTime": None,
    "startWindow": None, "endWindow": None, "delAddressLine1": "1 Road", "delAddressTown": "Town",
    "delAddressPostcode": "ZZ1 1ZZ", "colDate": "2030-01-07", "delDateTime": None, "customerID": 20001,
    "originatingDepotCode": "PGD302", "collectingDepotCode": "PGD302", "deliveryDepotCode": "UKD115",
    "createdDate": "2030-01-07",
}  # fmt: skip


@pytest.fixture
def reading(plan) -> Reading:
    return mapper.preview(plan).reading


@pytest.mark.rule("NX-2.3-3", "NX-2.3-4", "NX-2.3-5", "NX-2.3-6", "NX-2.3-7", "NX-3-1")
def test_the_documented_fields_of_a_row_are_read(reading):
    reply = reading.reply(ROW | {"estimatedDelDate": "2030-01-09", "estimatedDelTime": "10:20"})

    assert (reply.consignment_id, reply.key, reply.number) == (700001, "700001", "QG0000123")
    assert (reply.status_name, reply.text("status_id"), reply.text("reference")) == ("At Hub", "9004", "PO-1")
    assert (reply.text("collected_on"), reply.text("delivered_at")) == ("2030-01-07", "")
    assert (reply.text("estimated_date"), reply.text("estimated_time")) == ("2030-01-09", "10:20")
    assert (reply.text("delivery_street"), reply.text("delivery_town"), reply.text("delivery_postcode")) == (
        "1 Road", "Town", "ZZ1 1ZZ",
    )  # fmt: skip


@pytest.mark.rule("NX-3-1", "NX-2.3-18")
@pytest.mark.parametrize("value", [None, "", 0, -7, 1.5, True, "seven", "٧٠٠", "0700001", 10**18, [7], {"id": 7}])
def test_what_is_no_consignment_id_is_none(reading, value):
    reply = reading.reply(ROW | {"consignmentID": value})

    assert (reply.consignment_id, reply.key) == (None, "")


@pytest.mark.rule("NX-3-1")
def test_a_consignment_id_of_many_digits_is_kept_whole(reading):
    assert reading.reply(ROW | {"consignmentID": 123_456_789_012_345_678}).key == "123456789012345678"


@pytest.mark.parametrize("raw", [None, 7, "text", [], [ROW], {}])
def test_what_is_no_record_has_nothing(reading, raw):
    reply = reading.reply(raw)

    assert (reply.key, reply.number, reply.status_name, reply.barcodes) == ("", "", "", [])


@pytest.mark.rule("NX-2.3-15")
def test_the_parts_of_a_pallet_are_texts(reading):
    [pallet] = reading.reply(SAMPLE).pallets

    assert pallet == {
        "type": "Full", "type_id": "6101", "base": "Standard", "base_id": "6201", "barcode": "1044000007000001",
        "length": "120", "width": "120", "height": "220", "weight": "400", "do_not_stack": "false",
        "limited_quantity": "",
    }  # fmt: skip


@pytest.mark.parametrize("pallets", [None, "none", {}, [None, 7, "text"]])
def test_pallets_of_another_shape_are_none(reading, pallets):
    assert reading.reply(SAMPLE | {"pallets": pallets}).pallets == []


@pytest.mark.rule("NX-3-4")
def test_a_barcode_keeps_its_leading_zeros(reading):
    record = copy.deepcopy(SAMPLE)
    record["pallets"][0]["barcode"] = "0044000007000001"

    assert reading.reply(record).barcodes == ["0044000007000001"]


@pytest.mark.rule("NX-2.9-7")
def test_a_name_that_was_looked_up_stands_for_the_id(reading):
    row = ROW | {"status": {"id": 9004}, "lookedUp": {"consignmentStatuses": {"9004": "At Hub"}}}

    assert reading.reply(row).status_name == "At Hub"
    assert reading.reply(row | {"lookedUp": {}}).status_name == ""
    assert reading.reply(row | {"lookedUp": {"consignmentStatuses": ["At Hub"]}}).status_name == ""


# What decides whether a consignment is read again


@pytest.mark.rule("NX-7-9")
def test_the_order_of_fields_and_the_writing_of_keys_change_no_summary(reading):
    shuffled = {name.upper(): value for name, value in reversed(ROW.items())}

    assert reading.summary(shuffled) == reading.summary(ROW)


@pytest.mark.rule("NX-7-9")
@pytest.mark.parametrize(
    "change",
    [
        {"status": {"id": 9005, "name": "In Transit"}}, {"colDate": "2030-01-08"}, {"delDateTime": "2030-01-09T10:00"},
        {"estimatedDelDate": "2030-01-09"}, {"estimatedDelTime": "10:20"},
    ],
)  # fmt: skip
def test_where_a_consignment_is_changes_one_part_of_the_summary(reading, change):
    before, after = reading.summary(ROW), reading.summary(ROW | change)

    assert after.moving != before.moving
    assert after.rest == before.rest
    assert after.has_only_moved(before.digest)


@pytest.mark.rule("NX-7-9")
@pytest.mark.parametrize(
    "change",
    [
        {"customerReference": "PO-2"}, {"delAddressPostcode": "ZZ2 2ZZ"}, {"deliveryDepotCode": "UKD120"},
        {"startWindow": "10:00"}, {"somethingNew": "2"}, {"lastModified": "2030-01-08T10:00:00Z"},
    ],
)  # fmt: skip
def test_anything_else_changes_the_other_part(reading, change):
    before, after = reading.summary(ROW), reading.summary(ROW | change)

    assert after.moving == before.moving
    assert not after.has_only_moved(before.digest)


@pytest.mark.rule("NX-7-9")
def test_what_the_template_excludes_changes_nothing(reading):
    assert reading.summary(ROW | {"routeDetails": [{"type": "Delivery"}]}) == reading.summary(ROW)


def test_a_record_never_seen_has_not_only_moved(reading):
    assert not reading.summary(ROW).has_only_moved(None)


def test_another_deployment_reads_every_row_anew(plan, reading, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("extra_fields: [somethingOfOurs]\n")

    assert not mapper.preview(plan, own).reading.summary(ROW).has_only_moved(reading.summary(ROW).digest)


def test_half_a_surrogate_pair_and_absurd_nesting_have_a_summary_too(reading):
    deep: Any = "deep"
    for _ in range(500):
        deep = [deep]

    assert reading.summary(ROW | {"customerReference": "half \ud83d pair", "somethingNew": deep}) != reading.summary(
        ROW
    )
