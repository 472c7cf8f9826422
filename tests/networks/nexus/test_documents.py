"""Documents as Nexus has them: kinds, names, sizes, and when to look for them. All pure."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from palletflow import checked_yaml
from palletflow.documents import media
from palletflow.documents.storage import MOST_BYTES
from palletflow.networks.nexus import documents
from palletflow.networks.nexus.documents import MEGABYTE, read_types

SECTIONS = checked_yaml.read(Path(documents.__file__).with_name("template.yaml"))
DELIVERED = datetime(2026, 7, 13, 9, 0, tzinfo=UTC)


def minutes(*counts):
    return [DELIVERED + timedelta(minutes=count) for count in counts]


def looks(days):
    """Every look of a chase, each worked out at the moment of the one before."""
    found, now = [], DELIVERED - timedelta(seconds=1)
    while (following := documents.next_look(DELIVERED, now, days)) is not None:
        found.append(following)
        now = following
    return found


@pytest.mark.rule("NX-9-2", "NX-9-3", "NX-9-4", "NX-9-1")
@pytest.mark.parametrize(("name", "kind"), [("MPOD", "SIGNATURE"), ("POD", "POD"), ("MPODPHOTOE", "PHOTO")])
def test_each_attachment_type_is_a_kind_of_ours_both_ways(name, kind):
    types = read_types(SECTIONS)
    assert types.of_name(name).kind == kind
    assert types.of_kind(kind).name == name
    assert types.of_name(f" {name.lower()} ").code == name


@pytest.mark.rule("NX-9-1")
def test_a_type_s_real_name_stands_in_the_template():
    kinds = SECTIONS["documents"]["kinds"] | {"MPOD": {"name": "Consignee signature", "kind": "SIGNATURE"}}
    types = read_types(SECTIONS | {"documents": SECTIONS["documents"] | {"kinds": kinds}})
    assert types.of_name("consignee  SIGNATURE").code == "MPOD"
    assert types.of_name("MPOD") is None


@pytest.mark.rule("NX-9-20")
def test_other_types_are_nothing_to_us_unless_listed():
    assert read_types(SECTIONS).of_name("Delivery Note") is None
    assert read_types(SECTIONS).of_name("") is None
    extra = SECTIONS["documents"] | {"extra_types": {"Delivery Note": "PAPERWORK"}}
    types = read_types(SECTIONS | {"documents": extra})
    assert types.of_name("delivery note").kind == "PAPERWORK"
    assert types.of_kind("PAPERWORK") is None, "they are fetched, not sent"


@pytest.mark.rule("NX-9-11")
def test_the_template_says_in_which_order_they_are_sent():
    assert [type_.code for type_ in read_types(SECTIONS).sent] == ["MPOD", "POD", "MPODPHOTOE"]
    order = SECTIONS["documents"] | {"order": ["POD", "MPODPHOTOE", "MPOD"]}
    assert [type_.code for type_ in read_types(SECTIONS | {"documents": order}).sent] == ["POD", "MPODPHOTOE", "MPOD"]


@pytest.mark.rule("NX-9-5", "NX-9-6")
@pytest.mark.parametrize(
    ("roles", "sends", "fetches"),
    [
        ([], False, False),
        (["requesting"], False, True),
        (["collecting"], False, True),
        (["requesting", "collecting"], False, True),
        (["delivery"], True, False),
        (["requesting", "delivery"], True, False),
        (["collecting", "delivery"], False, False),
        (["requesting", "collecting", "delivery"], False, False),
    ],
)
def test_our_part_decides_the_direction(roles, sends, fetches):
    assert documents.sends(roles) is sends
    assert documents.fetches(roles) is fetches


@pytest.mark.rule("NX-9-12")
@pytest.mark.parametrize(
    ("number", "media_type", "name"),
    [
        (1, media.JPEG, "QG0000123_POD_01.jpg"),
        (12, media.PDF, "QG0000123_POD_12.pdf"),
        (3, media.PNG, "QG0000123_POD_03.png"),
        (100, media.TIFF, "QG0000123_POD_100.tif"),
    ],
)
def test_a_file_name_is_number_code_count_and_ending(number, media_type, name):
    assert documents.file_name("QG0000123", "POD", number, media_type) == name


@pytest.mark.rule("NX-9-12")
def test_a_file_name_holds_nothing_that_looks_like_a_folder():
    assert documents.file_name('../Q G"1/2', "POD", 1, media.JPEG) == "QG12_POD_01.jpg"


@pytest.mark.rule("NX-9-12")
def test_numbers_that_stand_in_names_at_nexus_count_as_used():
    names = [
        "QG1_POD_02.jpg", "qg1_pod_07.JPG", "QG1_MPOD_09.jpg", "QG12_POD_11.jpg", "QG1_POD_xx.jpg",
        "QG1_POD_30.jpg.exe", "my QG1_POD_40.jpg", "QG1_POD_9999999999.jpg", " QG1_POD_08.pdf ",
    ]  # fmt: skip
    assert documents.last_number(names, "QG1", "POD") == 8
    assert documents.last_number(names, "QG1", "MPOD") == 9
    assert documents.last_number(names, "QG1", "MPODPHOTOE") == 0


@pytest.mark.rule("NX-2.7-3")
@pytest.mark.parametrize(
    ("media_type", "size", "said"),
    [
        (media.PDF, 10 * MEGABYTE, ""),
        (media.JPEG, 1, ""),
        (media.PNG, 1, ""),
        (media.TIFF, 1, ""),
        (media.JPEG, 10 * MEGABYTE + 1, "Nexus takes 10 MB"),
        (media.GIF, 1, "is image/gif"),
        (media.ZPL, 1, "is application/zpl"),
    ],
)
def test_what_nexus_would_not_take_is_known_before(media_type, size, said):
    reason = documents.not_sendable(media_type, size, read_types(SECTIONS))
    assert said in reason
    assert bool(said) == bool(reason)


@pytest.mark.rule("NX-2.7-4")
@pytest.mark.parametrize("data", [b"", b"GIF89a...", b"^XA^XZ", b"<html>no</html>", b"\x00broken", b" %PDF-1.4"])
def test_bytes_of_none_of_the_four_types_are_no_document(data):
    assert "no PDF, JPEG, PNG or TIFF" in documents.not_usable(data)


@pytest.mark.rule("NX-2.7-4")
@pytest.mark.parametrize("data", [b"%PDF-1.4", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"II*\x00", b"MM\x00*"])
def test_bytes_of_the_four_types_are_documents_whatever_they_are_called(data):
    assert documents.not_usable(data) == ""


@pytest.mark.rule("NX-1-33")
def test_more_than_a_document_may_have_is_none():
    assert "at most" in documents.not_usable(b"\xff\xd8\xff".ljust(MOST_BYTES + 1, b"\0"))


@pytest.mark.rule("NX-9-16")
def test_the_chase_looks_at_once_four_times_in_the_first_hour_and_then_every_six_hours_for_two_weeks():
    found = looks(14)
    assert found[:7] == minutes(0, 5, 15, 30, 60, 60 + 360, 60 + 720)
    assert {later - earlier for earlier, later in pairwise(found[4:])} == {timedelta(hours=6)}
    assert found[-1] <= DELIVERED + timedelta(days=14) < found[-1] + timedelta(hours=6)


@pytest.mark.rule("NX-9-16")
@pytest.mark.parametrize(
    ("days", "expected"), [(0, minutes(0)), (0.01, minutes(0, 5)), (0.25, minutes(0, 5, 15, 30, 60))]
)
def test_the_chase_is_as_long_as_the_connection_says(days, expected):
    assert looks(days) == expected


@pytest.mark.rule("NX-9-16")
def test_a_look_that_was_missed_is_not_made_up_for_again_and_again():
    """However late the worker is, the next look lies ahead of it."""
    assert documents.next_look(DELIVERED, DELIVERED + timedelta(minutes=47), 14) == minutes(60)[0]
    assert documents.next_look(DELIVERED, DELIVERED + timedelta(hours=30), 14) == DELIVERED + timedelta(hours=31)
