"""Telling Palletways what our people reported: the real queue, client and simulator (contract 2.7, 7.3)."""

from datetime import timedelta

import pytest
from tests.networks.palletways.tracked import Yard, at

from palletflow.networks.palletways.work import NOTES_OUT

NOTES = {
    "delivery_arrived": {"group": "JIN", "type": "ARR"},
    "delivered": {"group": "POD", "type": "POD", "text": "Delivered"},
    "not_delivered": {"group": "JIN", "type": "GIN", "description": "Failed delivery", "text": "Not delivered"},
    "scanned_receipt": {"group": "SCN", "type": "REC"},
}


@pytest.fixture
def teller(yard) -> Yard:
    """With the capability and a template that names events."""
    yard.extra = {"capabilities": ["notes_out"]}
    yard.template(notes=NOTES)
    return yard


def at_palletways(yard, one):
    """The notes of ours there: group, type and text."""
    listed = yard.sim.one(one)["notes"]
    return [(note["NoteGroup"], note["NoteType"], note["NoteText"]) for note in listed]


def told(yard, one):
    """What we keep: event, whether sent, whether refused."""
    return yard.rows(
        "SELECT code, sent_at IS NOT NULL, refusal IS NOT NULL FROM tracking_events"
        " WHERE consignment_id = %s AND direction = 'exported' ORDER BY id",
        yard.id(one),
    )


def sends(yard):
    return len(yard.sim.journal("createSystemNote"))


@pytest.mark.rule("PW-7.3-1", "PW-2.7-1", "PW-2.7-2")
def test_reports_become_notes_in_the_order_they_happened(teller):
    one = teller.create("delivery")
    teller.report(one, "delivery", "completed", at(9, 20), outcome="NOT_DELIVERED", reason="Site closed & locked")
    teller.report(one, "delivery", "arrived", at(9, 10))
    teller.report(one, "delivery", "completed", at(10, 5), signatory="J SMITH")

    assert teller.export() == {"done": 1}

    assert at_palletways(teller, one) == [
        ("JIN", "ARR", ""),
        ("JIN", "GIN", "Not delivered; Site closed & locked"),
        ("POD", "POD", "Delivered; Signed by J SMITH"),
    ]
    assert [(note["NoteDate"], note["NoteTime"]) for note in teller.sim.one(one)["notes"]] == [
        ("2026-07-13", "09:10:00"), ("2026-07-13", "09:20:00"), ("2026-07-13", "10:05:00"),
    ]  # fmt: skip
    assert told(teller, one) == [(event, True, False) for event in ("delivery_arrived", "not_delivered", "delivered")]
    assert teller.rows("SELECT changes FROM activity WHERE kind = 'notes sent' ORDER BY id LIMIT 1") == [
        ({"notes": [None, ["delivery_arrived 2026-07-13 08:10:00"]]},)
    ]


@pytest.mark.rule("PW-2.7-4")
def test_no_note_goes_twice(teller):
    one = teller.create("delivery")
    teller.report(one, "delivery", "completed", at(10, 5))
    teller.export()
    teller.ask(one)
    teller.export()
    teller.report(one, "delivery", "arrived", at(10, 0))
    teller.export()

    assert [type_ for _, type_, _ in at_palletways(teller, one)] == ["POD", "ARR"]
    assert sends(teller) == 2


@pytest.mark.rule("PW-7.3-1")
def test_a_corrected_report_is_another_event(teller):
    one = teller.create("delivery")
    teller.report(one, "delivery", "completed", at(10, 5), outcome="CLEAN")
    teller.export()
    teller.report(one, "delivery", "completed", at(10, 5), outcome="NOT_DELIVERED")
    teller.export()

    assert [type_ for _, type_, _ in at_palletways(teller, one)] == ["POD", "GIN"]


@pytest.mark.rule("PW-7.3-1")
def test_scans_are_told_by_pallet(teller):
    one = teller.create("delivery")
    for pallet, code in enumerate(("B0012A4F10", "B0012A4F11"), 1):
        teller.conn.execute("INSERT INTO pallet_barcodes (consignment_id, pallet_number, barcode, state)"
                            " VALUES (%s, %s, %s, 'expected')", (teller.id(one), pallet, code))  # fmt: skip
    teller.scan(one, "receipt", at(8), 1, 2)

    teller.export()

    assert [note["Barcode"] for note in teller.sim.one(one)["notes"]] == ["B0012A4F10", "B0012A4F11"]


@pytest.mark.rule("PW-7.3-1", "PW-2.7-3")
@pytest.mark.parametrize("because", ["capability", "template", "switch", "event"])
def test_nothing_is_told_unless_it_is_wanted(teller, because):
    one = teller.create("delivery")
    if because == "capability":
        teller.extra = {}
    elif because == "template":
        teller.template()
    elif because == "switch":
        teller.switch(status_export=False)
    stop = "delivery_depot" if because == "event" else "delivery"
    teller.report(one, stop, "completed", at(10, 5))

    assert teller.export() == {"done": 1}

    assert teller.calls() == []
    assert told(teller, one) == []


@pytest.mark.parametrize("role", ["delivery", "collecting", "both legs"])
def test_whatever_part_of_it_our_people_have_they_are_told_of(teller, role):
    one = teller.create(role)
    teller.report(one, "delivery", "arrived", at(10, 5))

    assert teller.export() == {"done": 1}

    assert at_palletways(teller, one) == [("JIN", "ARR", "")]


def test_what_has_no_tracking_id_yet_waits_and_what_never_gets_one_does_not(teller):
    one = teller.create("delivery")
    teller.conn.execute("UPDATE consignments SET registered = false, dispatch_state = 'waiting'")
    teller.report(one, "delivery", "arrived", at(10, 5))

    assert teller.export() == {"again": 1}
    teller.conn.execute("UPDATE consignments SET registered = true")
    assert teller.export() == {"done": 1}
    assert sends(teller) == 1
    teller.conn.execute("UPDATE consignments SET registered = false, dispatch_state = 'not_needed'")
    teller.ask(one)
    assert teller.export() == {"done": 1}
    assert sends(teller) == 1


# What goes wrong


@pytest.mark.rule("PW-7.3-1")
def test_a_refused_note_is_left_to_a_person_and_stops_no_other(teller):
    teller.template(notes={**NOTES, "delivery_arrived": {"group": "J" * 300, "type": "ARR"}})
    one = teller.create("delivery")
    teller.conn.execute("UPDATE consignments SET tracking_number = '60099999999'")
    teller.report("60099999999", "delivery", "arrived", at(9, 10))

    assert teller.export() == {"parked": 1}

    assert told(teller, "60099999999") == [("delivery_arrived", False, True)]
    [reason] = teller.parked()
    assert reason.startswith("delivery_arrived 2026-07-13 08:10:00: createSystemNote")
    # Mended and released it goes out as what it has become.
    teller.conn.execute("UPDATE consignments SET tracking_number = %s", (one,))
    teller.template(notes=NOTES)
    teller.ask(one)
    assert teller.export() == {"done": 1}
    assert at_palletways(teller, one) == [("JIN", "ARR", "")]
    assert told(teller, one) == [("delivery_arrived", True, False)]


@pytest.mark.rule("PW-2.7-4", "PW-1.4-10")
def test_a_note_whose_answer_was_lost_is_found_and_not_sent_again(teller):
    teller.sim.switch(commit_then_drop={"createSystemNote": {"value": True, "times": 1}})
    one = teller.create("delivery")
    teller.report(one, "delivery", "completed", at(10, 5), signatory="J SMITH")

    assert teller.export() == {"postponed": 1}
    assert told(teller, one) == [("delivered", False, False)]
    assert teller.export() == {"done": 1}

    assert told(teller, one) == [("delivered", True, False)]
    assert sends(teller) == 1
    assert teller.rows("SELECT count(*) FROM activity WHERE kind = 'notes found at Palletways'") == [(1,)]


@pytest.mark.rule("PW-2.7-4", "PW-1.4-10")
def test_a_note_that_did_not_arrive_goes_again_after_two_look_ups_two_minutes_apart(teller):
    teller.sim.switch(http_code={"createSystemNote": {"value": 500, "times": 1}})
    one = teller.create("delivery")
    teller.report(one, "delivery", "completed", at(10, 5))
    teller.report(one, "delivery", "arrived", at(10, 15))

    assert teller.export() == {"postponed": 1}
    looks = [teller.export()]
    assert looks == [{"again": 1}]
    assert teller.export() == {"again": 1}  # too early
    assert teller.calls() == ["createSystemNote", "getNotes trackingId"]
    teller.later(minutes=2)
    assert teller.export() == {"done": 1}

    assert teller.calls()[2:] == ["getNotes trackingId", "createSystemNote", "createSystemNote"]
    assert [type_ for _, type_, _ in at_palletways(teller, one)] == ["POD", "ARR"]
    assert told(teller, one) == [("delivered", True, False), ("delivery_arrived", True, False)]


@pytest.mark.rule("PW-2.7-4")
def test_a_note_that_turns_up_late_is_not_sent_again(teller):
    teller.sim.switch(http_code={"createSystemNote": {"value": 500, "times": 1}})
    one = teller.create("delivery")
    teller.report(one, "delivery", "completed", at(10, 5))
    teller.export()
    teller.export()
    teller.sim.note(
        one, NoteDate="2026-07-13", NoteTime="10:05:00", NoteGroup="POD", NoteType="POD", NoteText="Delivered"
    )
    teller.later(minutes=2)

    assert teller.export() == {"done": 1}

    assert sends(teller) == 1
    assert told(teller, one) == [("delivered", True, False)]


@pytest.mark.rule("PW-2.7-4")
def test_equal_notes_are_counted_not_confused(teller):
    one = teller.create("delivery")
    teller.report(one, "delivery", "arrived", at(10, 5))
    teller.export()
    # Another arrival within the same minute: the same note to the eye.
    teller.sim.expect_violations = True
    teller.sim.switch(http_code={"createSystemNote": {"value": 500, "times": 1}})
    teller.report(one, "delivery", "arrived", at(10, 5) + timedelta(seconds=20))
    teller.export()
    teller.export()
    teller.later(minutes=2)
    teller.export()

    assert len(at_palletways(teller, one)) == 2


@pytest.mark.parametrize("switches", [{"key_fault": "wrong"}, {"http_code": 429}])
def test_what_did_not_reach_palletways_for_certain_is_simply_sent_later(teller, switches):
    teller.sim.switch(**switches)
    one = teller.create("delivery")
    teller.report(one, "delivery", "completed", at(10, 5))

    assert teller.export() == {"postponed": 1}
    assert told(teller, one) == []
    teller.sim.switch(key_fault="off", http_code="off")
    teller.conn.execute("DELETE FROM connection_flags")

    assert teller.export() == {"done": 1}
    assert [call for call in teller.calls() if call.startswith("getNotes")] == []


def test_a_deleted_consignment_is_done(teller):
    one = teller.create("delivery")
    teller.report(one, "delivery", "completed", at(10, 5))
    teller.conn.execute("DELETE FROM orders")

    assert teller.export() == {"done": 1}
    assert teller.waiting() == []
    assert NOTES_OUT == "status_export"
