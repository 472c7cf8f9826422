"""Notes as they are read and as we write them (contract 2.6, 2.7, 4.2)."""

from datetime import UTC, date, datetime, time, timedelta
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from tests.networks.palletways.tracked import at

from palletflow.intake.template import Fault
from palletflow.networks.palletways import notes
from palletflow.networks.palletways.notes import Pod
from palletflow.store.status_exports import Movement

LONDON = ZoneInfo("Europe/London")
NOW = datetime(2026, 5, 5, 14, tzinfo=UTC)
DOCUMENTED = {
    "Delta": "1777987260", "TrackingID": "60000000017", "ConNo": "100045-123", "SysNote": "9001", "Barcode": "",
    "NoteDate": "2026-05-05", "NoteTime": "14:21:00", "PodDate": "2026-05-05", "PodTime": "14:18:00",
    "PodSignature": "SAMPLE", "NoteText": "Delivered", "StatusCode": "900", "NoteGroup": "POD", "NoteType": "POD",
    "NoteCodeID": "1",
}  # fmt: skip


def read(**changes):
    record = {name: text for name, text in (DOCUMENTED | changes).items() if text is not None}
    return notes.read(record, zone=LONDON, pattern=r"\d{6,14}", now=NOW)


@pytest.mark.rule("PW-2.6-1", "PW-1.2-14")
def test_the_documented_note():
    note = read()

    assert (note.tracking_number, note.number, note.delta) == ("60000000017", 9001, 1777987260)
    assert note.noted_at == datetime(2026, 5, 5, 13, 21, tzinfo=UTC)
    assert (note.pod_date, note.pod_time, note.signatory) == (date(2026, 5, 5), time(14, 18), "SAMPLE")
    assert (note.status_code, note.group, note.type, note.text) == ("900", "POD", "POD", "Delivered")
    assert note.raw == {name: text for name, text in DOCUMENTED.items() if text}


@pytest.mark.rule("PW-2.6-2")
@pytest.mark.parametrize(
    ("code", "says"), [("0", ""), ("", ""), (None, ""), ("000", ""), ("0350", "350"), ("350", "350")]
)
def test_code_0_is_no_change_of_status(code, says):
    assert read(StatusCode=code).status_code == says


@pytest.mark.rule("PW-1.2-13")
def test_days_in_either_form():
    note = read(NoteDate="05/05/26", NoteTime="14:21", PodDate="04/05/26", PodTime="09:05")

    assert note.noted_at == datetime(2026, 5, 5, 13, 21, tzinfo=UTC)
    assert (note.pod_date, note.pod_time) == (date(2026, 5, 4), time(9, 5))


@pytest.mark.parametrize(
    "changes", [{"NoteDate": ""}, {"NoteTime": ""}, {"NoteDate": "2026-02-30"}, {"NoteTime": "25:00"}]
)
def test_a_note_without_a_time_of_its_own_has_that_of_its_change(changes):
    assert read(**changes).noted_at == datetime.fromtimestamp(1777987260, UTC)


@pytest.mark.rule("PW-4.2-1", "PW-4.3-4")
@pytest.mark.parametrize("none", ["0001-01-01", "1900-01-01", "9999-12-31"])
@pytest.mark.parametrize("zone", ["Europe/London", "Europe/Rome", "America/New_York"])
def test_a_day_that_stands_for_none_is_none(none, zone):
    record = DOCUMENTED | {"NoteDate": none, "PodDate": none}
    note = notes.read(record, zone=ZoneInfo(zone), pattern=r"\d{6,14}", now=NOW)

    assert (note.noted_at, note.pod_date) == (datetime.fromtimestamp(1777987260, UTC), None)


def test_a_pod_time_without_a_day_says_nothing():
    note = read(PodDate="soon")

    assert (note.pod_date, note.pod_time) == (None, None)
    assert note.raw["PodDate"] == "soon"


@pytest.mark.rule("PW-4.3-4")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"TrackingID": None}, "TrackingID"),
        ({"TrackingID": "ABC"}, "TrackingID"),
        ({"TrackingID": "6000000001７"}, "TrackingID"),
        ({"SysNote": None}, "SysNote"),
        ({"SysNote": "-1"}, "SysNote"),
        ({"SysNote": "9" * 19}, "SysNote"),
        ({"Delta": ""}, "Delta"),
        ({"Delta": "now"}, "Delta"),
        ({"Delta": "9" * 18}, "Delta"),
        ({"Delta": str(int((NOW + timedelta(hours=2)).timestamp()))}, "Delta"),
    ],
)
def test_what_cannot_be_told_apart_or_placed_in_time_is_a_fault(changes, field):
    fault = read(**changes)

    assert isinstance(fault, Fault)
    assert fault.field == field


@pytest.mark.parametrize("record", [None, "text", [], {}, {"TrackingID": {"a": "b"}}, {"TrackingID": []}, 7])
def test_what_is_no_note_at_all_is_a_fault(record):
    assert isinstance(notes.read(record, zone=LONDON, pattern=r"\d{6,14}", now=NOW), Fault)
    assert notes.key_of(record) == "/"


def test_hostile_text_is_made_storable():
    note = read(PodSignature="A\x00B\ud800" + "C" * 500, NoteText="line\nbreak")

    assert note.signatory.startswith("A B C")
    assert len(note.signatory) == 100
    note.signatory.encode()
    assert note.text == "line break"


@pytest.mark.rule("PW-4.2-1")
def test_of_several_pods_the_one_that_changed_last_counts_then_the_higher_number():
    first = read(SysNote="9009", Delta="100", PodSignature="FIRST")
    none = read(SysNote="9010", Delta="300", PodDate="")
    second = read(SysNote="9002", Delta="200", PodSignature="SECOND")
    equal = read(SysNote="9001", Delta="200", PodSignature="EQUAL")

    assert notes.pod([first, none, second, equal]) == Pod(date(2026, 5, 5), time(14, 18), "SECOND")
    assert notes.pod([equal, second]).signatory == "SECOND"
    assert notes.pod([none]) is None


# What we write


def movement(event="completed", place="delivery", outcome="CLEAN", **changes):
    made = Movement(7, event, place, None, at(14, 19), outcome, "", "", "", "")
    return made._replace(**changes)


EVENTS = {
    "not_delivered": {"group": "JIN", "type": "GIN", "description": "Failed delivery", "text": "Not delivered"},
    "scanned_receipt": {"group": "SCN", "type": "REC"},
    "delivered": {"group": "POD", "type": ""},
}


@pytest.mark.rule("PW-7.3-1", "PW-2.7-3")
def test_only_events_with_group_and_type_are_told():
    reports = [
        movement(),
        movement("arrived", "delivery", None),
        movement(outcome="NOT_DELIVERED", reason="Site closed", signatory="J SMITH"),
        movement("scanned", "receipt", None, pallet=2),
    ]

    found = notes.wanted(reports, {1: "B0012A4F10", 2: "B0012A4F11"}, "60000000017", EVENTS)

    assert [(one.event, one.barcode, one.text) for one in found] == [
        ("not_delivered", "", "Not delivered; Site closed; Signed by J SMITH"),
        ("scanned_receipt", "B0012A4F11", ""),
    ]
    assert notes.wanted(reports, {}, "60000000017", {}) == []


@pytest.mark.rule("PW-7.3-1")
def test_every_report_of_our_people_has_a_name_that_the_template_may_use(plan):
    names = {*notes.REPORTED.values(), *notes.ENDINGS.values()}

    assert len(names) == len(notes.REPORTED) + len(notes.ENDINGS)
    for place in ("pickup", "collection_depot", "delivery_depot", "delivery"):
        assert notes.event_of(movement("arrived", place, None)) in names


@pytest.mark.rule("PW-2.7-1", "PW-1.2-13", "PW-1.2-7")
def test_the_document_is_the_documented_one():
    [one] = notes.wanted(
        [movement(outcome="NOT_DELIVERED", reason="Tor & Zaun <zu>")],
        {},
        "60000000017",
        {"not_delivered": EVENTS["not_delivered"]},
    )

    text = notes.document(notes.fields(one, LONDON), "n1.xml", at(14, 20), LONDON)

    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?><notes><header>')
    root = ElementTree.fromstring(text)
    assert {node.tag: node.text for node in root.find("header")} == {
        "create_date": "13/07/26", "create_time": "14:20", "orig_filename": "n1.xml", "notes_qty": "1",
    }  # fmt: skip
    assert [(node.tag, node.text) for node in root.find("note")] == [
        ("pw_id", "60000000017"),
        ("note_create_date", "13/07/26"),
        ("note_create_time", "14:19"),
        ("free_text", "Not delivered; Tor & Zaun <zu>"),
        ("note_group", "JIN"),
        ("note_type", "GIN"),
        ("note_description", "Failed delivery"),
    ]


@pytest.mark.rule("PW-2.7-4")
def test_a_note_of_ours_is_known_again_when_it_is_read():
    [one] = notes.wanted([movement(outcome="NOT_DELIVERED", reason="Site  closed")], {}, "60000000017", EVENTS)
    back = {
        "NoteDate": "2026-07-13", "NoteTime": "14:19:00", "NoteGroup": "JIN", "NoteType": "GIN", "Barcode": "",
        "NoteText": "Not delivered; Site closed",
    }  # fmt: skip

    assert notes.signature(notes.fields(one, LONDON)) == notes.signature_of(read(**back))
    for name, other in (("NoteTime", "14:20:00"), ("NoteType", "XIN"), ("NoteText", "Other"), ("Barcode", "B1")):
        assert notes.signature(notes.fields(one, LONDON)) != notes.signature_of(read(**back | {name: other}))
