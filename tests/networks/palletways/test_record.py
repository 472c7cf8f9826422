"""Identifiers of Palletways, and a manifest taken apart whatever its nodes look like (contract 1.2, 2.3 and 3)."""

import copy
import json

import pytest

from palletflow.networks.palletways import mapper, record
from palletflow.networks.palletways.record import bare_number, flag, is_tracking_id

SAMPLE = json.loads(mapper.SAMPLE.read_text("utf-8"))


@pytest.fixture
def manifest():
    """A good record, free to be changed."""
    return copy.deepcopy(SAMPLE)


def consignment_of(manifest):
    return manifest["Depot"]["Account"]["Consignment"]


@pytest.mark.rule("PW-3-1")
@pytest.mark.parametrize(
    ("number", "good"),
    [
        ("60000000017", True),
        ("000123", True),  # text: its zeros stay
        ("12345", False),
        ("123456789012345", False),
        ("6.0E+10", False),
        ("6000000001A", False),
        ("60000000017\n", False),
        ("٦٠٠٠٠٠٠٠٠١٧", False),  # digits, but not theirs
        ("", False),
    ],
)
def test_a_tracking_id_is_a_text_of_6_to_14_digits(number, good):
    assert is_tracking_id(number) is good


@pytest.mark.rule("PW-3-1")
def test_the_connection_may_know_another_form_of_tracking_ids():
    assert is_tracking_id("PW-17", r"PW-\d+")
    assert not is_tracking_id("60000000017", r"PW-\d+")


@pytest.mark.rule("PW-3-3")
@pytest.mark.parametrize(
    ("number", "bare"),
    [
        ("100045-123", "100045"),
        ("123-100045", "100045"),
        ("100045", "100045"),
        ("QG-7-123", "QG-7"),
        ("123-456-100045", "456-100045"),  # one part, not two
        ("100045-12", "100045-12"),
        ("-123", "-123"),
        ("123-", "123-"),
        ("", ""),
    ],
)
def test_a_number_is_stripped_of_one_depot_part(number, bare):
    assert bare_number(number) == bare


@pytest.mark.rule("PW-3-3")
def test_a_part_of_three_digits_that_is_no_depot_of_the_consignment_is_part_of_the_number():
    assert bare_number("INV-200-123", "123", "456") == "INV-200"
    assert bare_number("INV-200", "123", "456") == "INV-200"
    assert bare_number("456-INV-200", "123", "456") == "INV-200"


@pytest.mark.rule("PW-1.2-6")
def test_yes_and_no_in_all_their_words():
    assert [flag(word) for word in ("true", "T", "yes", "Y", "on", "1")] == [True] * 6
    assert [flag(word) for word in ("false", "F", "no", "N", "off", "0")] == [False] * 6
    assert flag("maybe") is None
    assert flag("") is None


@pytest.mark.rule("PW-3-2", "PW-2.4-2")
def test_a_response_id_is_never_read_as_a_tracking_id(manifest):
    assert record.entered_id({"dc_syscon": "", "ResponseID": "4000123", "c_carcon": "100045"}) == ""
    del consignment_of(manifest)["TrackingID"]
    consignment_of(manifest)["ResponseID"] = "4000123"
    assert record.tracking_id(manifest) == ""


@pytest.mark.rule("PW-2.4-1", "PW-3-1")
@pytest.mark.parametrize("data", [{"dc_syscon": "60000000017"}, {"DC_SYSCON": " 60000000017 "}])
def test_what_was_entered_has_its_tracking_id_in_dc_syscon(data):
    assert record.entered_id(data) == "60000000017"
    assert record.entered_id("60000000017") == ""
    assert record.entered_id(None) == ""


@pytest.mark.rule("PW-1.2-10", "PW-2.3-1")
def test_one_object_and_a_list_of_one_are_the_same(manifest):
    def listed(node):
        return {name: [listed(value)] if isinstance(value, dict) else value for name, value in node.items()}

    as_lists = listed(manifest)
    one = consignment_of(manifest)
    one["Pallet"], one["BillUnit"] = ["B0012A4F10"], [one["BillUnit"][0]]
    as_objects = copy.deepcopy(manifest)
    consignment_of(as_objects)["Pallet"], consignment_of(as_objects)["BillUnit"] = "B0012A4F10", one["BillUnit"][0]
    consignment_of(as_objects)["Number"] = [one["Number"]]

    assert record.flat(as_objects, {}) == record.flat(manifest, {})
    assert record.flat(as_lists, {}) == record.flat(SAMPLE, {})


@pytest.mark.rule("PW-1.2-12")
def test_empty_absent_and_null_are_equal(manifest):
    empty, absent = copy.deepcopy(manifest), copy.deepcopy(manifest)
    consignment_of(empty).update(Hub=None, Pallet=[], BookInContactName=None, Weight="")
    for name in ("Hub", "Pallet", "BookInContactName", "Weight"):
        del consignment_of(absent)[name]
    said, unsaid = record.flat(empty, {}), record.flat(absent, {})
    assert {name: value for name, value in said.items() if value} == {name: v for name, v in unsaid.items() if v}


@pytest.mark.rule("PW-2.3-1")
def test_the_first_line_of_an_address_stands_for_itself_and_the_others_together(manifest):
    consignment_of(manifest)["Address"][0]["Line"] = ["Unit 1", "", "Trading Estate", "Long Road"]
    address = record.flat(manifest, {})["address"][0]
    assert (address["line1"], address["line2"]) == ("Unit 1", "Trading Estate, Long Road")


@pytest.mark.rule("PW-2.3-1")
def test_hubs_stand_in_the_order_of_their_sequence(manifest):
    consignment_of(manifest)["Hub"] = [
        {"Sequence": "10", "Name": "H2"},
        {"Sequence": "2", "Name": "H1"},
        {"Name": "H0"},
    ]
    assert [hub["name"] for hub in record.flat(manifest, {})["hub"]] == ["H0", "H1", "H2"]


@pytest.mark.rule("PW-2.3-1")
def test_a_manifest_of_several_consignments_is_a_record_each(manifest):
    other = {**consignment_of(manifest), "TrackingID": "60000000018"}
    manifest["Depot"]["Account"] = [
        {"Code": "ACM001", "Consignment": [consignment_of(SAMPLE), other]},
        {"Code": "FOX002", "Consignment": {**other, "TrackingID": "60000000019"}},
    ]
    found = [record.flat(one, {}) for one in record.consignments(manifest)]
    assert [(one["account"]["code"], one["trackingid"], one["depot"]["number"]) for one in found] == [
        ("ACM001", "60000000017", "123"),
        ("ACM001", "60000000018", "123"),
        ("FOX002", "60000000019", "123"),
    ]
    assert record.flat(manifest, {}) == {}


@pytest.mark.parametrize(
    "odd",
    [None, "", "text", 7, [], {}, {"Depot": "123"}, {"Depot": [[]]}, {"Depot": {"Account": {"Consignment": "x"}}}],
)
def test_what_is_no_manifest_is_nothing(odd):
    assert record.flat(odd, {}) == {}
    assert record.tracking_id(odd) == ""
    assert record.consignments(odd) == [odd]


def test_what_lies_too_deep_to_follow_is_empty(manifest):
    deep: object = "x"
    for _ in range(100_000):
        deep = [deep]
    consignment_of(manifest)["Hub"] = deep
    assert record.flat(manifest, {})["hub"] == []
