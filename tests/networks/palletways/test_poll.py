"""The poll of notes and statuses: the real client, simulator and order store (contract 2.6 and 4.3)."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from tests.conftest import NOW
from tests.networks.palletways.tracked import at

from palletflow.networks.palletways.poll import slices
from palletflow.store import sweeps, syncs

# Everything but the runs of the poll itself, which are counted by the minute.
TABLES = (
    "orders", "consignments", "stops", "pallets", "activity", "inbound_batches", "inbound_records", "watermarks",
    "tracking_events", "tracking_polls", "work_items", "network_notes", "network_deliveries", "stale_consignments",
    "unknown_codes", "photo_windows", "photo_starts",
)  # fmt: skip
FEED = "getNotes delta"
HOUR = timedelta(hours=1)
TODAY = NOW.date().isoformat()


def versions(yard):
    """The physical row versions of tables: equal before and after means that nothing was written."""
    return {table: yard.rows(f"SELECT xmin::text, ctid::text FROM {table} ORDER BY ctid") for table in TABLES}


def ago(days):
    return (NOW.date() - timedelta(days=days)).isoformat()


def asked_since(yard, after=0):
    """The delta of the feed's calls, as moments."""
    found = [call["arguments"] for call in yard.sim.journal("getNotes")[after:]]
    return [datetime.fromtimestamp(int(of[1]), UTC) for of in found if of[0] == "delta"]


def asked_between(yard):
    found = [call["arguments"] for call in yard.sim.journal("getNotes")]
    return [" ".join(of[1:]) for of in found if of[0] == "dateRange"]


# The feed


@pytest.mark.rule("PW-4.3-1", "PW-2.6-4")
def test_the_feed_is_one_call_and_each_one_it_names_one_more(yard):
    first, second = yard.create(), yard.create()
    yard.poll()
    yard.later(minutes=5)
    yard.sim.status(first, 300)
    yard.sim.note(first, NoteText="and another one")
    asked = yard.asked

    polled = yard.poll()

    assert yard.calls(asked) == [FEED, f"getDynConStatus {first}"]
    assert (polled.notes, polled.asked, polled.statuses) == (2, 1, 1)
    assert yard.whereabouts(first) == "AT_COLLECTION_DEPOT"
    assert yard.whereabouts(second) == "CREATED"


@pytest.mark.rule("PW-4.3-1", "PW-2.6-3")
def test_a_second_poll_of_the_same_makes_one_call_and_writes_nothing(yard):
    for code in (300, 800, 900):
        yard.sim.status(yard.create(), code)
    yard.create()
    yard.poll()
    before, asked = versions(yard), yard.asked
    yard.later(minutes=5)

    polled = yard.poll()

    assert yard.calls(asked) == [FEED]
    assert polled.notes == 3  # the latest ones, once more
    assert (polled.asked, polled.statuses, polled.left) == (0, 0, 0)
    assert versions(yard) == before


@pytest.mark.rule("PW-2.6-3")
def test_the_feed_is_asked_for_from_the_greatest_delta_less_two_minutes(yard):
    one = yard.create()
    yard.sim.note(one, at=(NOW - 3 * HOUR).isoformat())
    yard.sim.note(one, at=(NOW - 5 * HOUR).isoformat())
    yard.poll()
    asked = len(yard.sim.journal("getNotes"))

    yard.poll()

    assert asked_since(yard, asked) == [NOW - 3 * HOUR - timedelta(seconds=120)]


@pytest.mark.rule("PW-2.6-6")
def test_the_first_run_looks_a_day_back(yard):
    one = yard.create()
    yard.sim.note(one, at=(NOW - 24 * HOUR).isoformat())
    yard.sim.note(one, at=(NOW - 25 * HOUR).isoformat())

    polled = yard.poll()

    assert asked_since(yard) == [NOW - 24 * HOUR]
    assert polled.notes == 1


@pytest.mark.rule("PW-2.6-6", "PW-2.6-7")
def test_as_long_as_there_was_no_note_it_goes_on_looking_a_day_back(yard):
    yard.poll()
    yard.later(hours=20)
    asked = len(yard.sim.journal("getNotes"))

    yard.poll()

    assert asked_since(yard, asked) == [NOW - 4 * HOUR]


@pytest.mark.rule("PW-2.6-3")
@pytest.mark.parametrize("boundary", ["inclusive", "exclusive"])
def test_no_note_is_lost_at_the_boundary(yard, boundary):
    yard.sim.switch(delta_boundary=boundary)
    one = yard.create()
    yard.sim.note(one)
    yard.poll()
    yard.sim.note(one)  # in the same second

    polled = yard.poll()

    assert polled.asked == 1
    assert yard.rows("SELECT count(*) FROM network_notes") == [(2,)]


@pytest.mark.rule("PW-2.6-4")
def test_a_changed_note_replaces_the_one_held_and_a_replayed_one_does_not(yard):
    one = yard.create()
    made = yard.sim.note(one, NoteText="first")
    yard.sim.note(one, NoteText="second")
    yard.poll()
    yard.later(minutes=5)
    yard.sim.note(one, NoteText="changed", at=yard.now.isoformat(), sys_note=made["sys_note"])

    assert yard.poll().asked == 1

    yard.sim.switch(note_replay="on")
    before, asked = versions(yard), yard.asked
    assert yard.poll().notes == 2
    assert yard.calls(asked) == [FEED]
    assert versions(yard) == before
    assert yard.rows("SELECT note_number, note_text FROM network_notes ORDER BY note_number") == [
        (made["sys_note"], "changed"),
        (made["sys_note"] + 1, "second"),
    ]


@pytest.mark.rule("PW-2.6-4")
def test_an_older_version_of_a_note_changes_nothing(yard):
    one = yard.create()
    yard.sim.note(one, NoteText="new")
    access = yard.access()
    yard.poll(using=access)
    [record] = access.client.notes_of(one)
    older = {**record, "Delta": str(int(record["Delta"]) - 60), "NoteText": "old"}
    access.client.notes_since = lambda _: [older]

    assert yard.poll(using=access).asked == 0
    assert yard.rows("SELECT note_text FROM network_notes") == [("new",)]


@pytest.mark.rule("PW-2.6-5")
def test_notes_of_consignments_that_we_do_not_hold_are_counted_and_move_the_mark(yard):
    foreign = yard.sim.add(role="delivering")
    yard.sim.note(foreign)

    polled = yard.poll()

    assert (polled.notes, polled.foreign, polled.asked) == (1, 1, 0)
    assert yard.rows("SELECT count(*) FROM network_notes") == [(0,)]
    assert yard.rows("SELECT stream, party, high FROM watermarks") == [("notes", "123", NOW)]


@pytest.mark.rule("PW-2.6-2")
def test_code_0_in_a_note_is_no_status(yard):
    one = yard.create()
    yard.sim.note(one, NoteText="called the customer", StatusCode="0")

    yard.poll()

    assert yard.codes(one) == ["100"]


# A long gap


@pytest.mark.rule("PW-2.6-7")
def test_a_gap_over_a_day_is_read_in_slices_that_meet_then_delta_resumes(yard):
    one = yard.create()
    yard.sim.note(one)
    yard.poll()
    yard.later(hours=12)
    yard.sim.note(one, NoteText="in the gap")
    yard.later(hours=13)
    asked = len(yard.sim.journal("getNotes"))

    polled = yard.poll()

    # 10:28 in London two minutes before the last run, until 11:30 of the next day.
    assert asked_between(yard) == [
        "2026-07-13 10:28:00 2026-07-13 16:28:00",
        "2026-07-13 16:28:00 2026-07-13 22:28:00",
        "2026-07-13 22:28:00 2026-07-14 04:28:00",
        "2026-07-14 04:28:00 2026-07-14 10:28:00",
        "2026-07-14 10:28:00 2026-07-14 11:30:00",
    ]
    assert asked_since(yard, asked) == [NOW + 12 * HOUR - timedelta(seconds=120)]
    assert yard.rows("SELECT note_text FROM network_notes ORDER BY note_number") == [("",), ("in the gap",)]
    assert polled.asked == 1
    asked = yard.asked
    yard.poll()
    assert yard.calls(asked) == [FEED]


@pytest.mark.rule("PW-2.6-7")
@pytest.mark.parametrize(("hours", "sliced"), [(24, 0), (24.1, 5)])
def test_a_gap_of_a_day_is_none(yard, hours, sliced):
    yard.poll()
    yard.later(hours=hours)

    yard.poll()

    assert len(asked_between(yard)) == sliced


@pytest.mark.rule("PW-2.6-7")
def test_a_quiet_feed_is_no_gap(yard):
    yard.sim.note(yard.create())
    yard.poll()
    for _ in range(4):
        yard.later(hours=12)
        yard.poll()

    assert asked_between(yard) == []
    assert asked_since(yard)[-1] == NOW - timedelta(seconds=120)


@pytest.mark.rule("PW-2.6-7")
@pytest.mark.parametrize(("hours", "expected"), [(0, []), (1, [1]), (6, [6]), (13, [6, 6, 1])])
def test_slices_meet_and_leave_nothing_out(hours, expected):
    found = list(slices(NOW, NOW + hours * HOUR))

    assert [(end - start) / HOUR for start, end in found] == expected
    assert [start for start, _ in found[1:]] == [end for _, end in found[:-1]]
    assert not found or (found[0][0], found[-1][1]) == (NOW, NOW + hours * HOUR)


# Whose turn it is


@pytest.mark.rule("PW-4.3-2")
@pytest.mark.parametrize(
    ("due", "code", "minutes"),
    [
        (1, 100, 240),
        (0, 100, 15),
        (-3, 100, 15),
        (1, 550, 240),
        (1, 675, 15),
        (5, 700, 15),
        (5, 800, 15),
        (None, 500, 240),
    ],
)
def test_near_its_delivery_it_is_asked_for_every_quarter_of_an_hour_else_every_four_hours(yard, due, code, minutes):
    day = None if due is None else ago(-due)
    one = yard.create(delivery_date=day)
    yard.sim.status(one, code, note=False)
    yard.poll()
    asked = yard.asked
    yard.later(minutes=minutes - 1)
    yard.poll()
    assert yard.calls(asked) == [FEED]
    yard.later(minutes=1)
    asked = yard.asked

    yard.poll()

    assert yard.calls(asked) == [FEED, f"getDynConStatus {one}"]


@pytest.mark.rule("PW-4.3-2")
def test_the_pauses_are_the_connections(yard):
    yard.extra = {"sweep_near_minutes": 1, "sweep_far_minutes": 2}
    near, far = yard.create(delivery_date=TODAY), yard.create()
    yard.poll()
    asked = yard.asked
    yard.later(minutes=1)
    yard.poll()
    yard.later(minutes=1)
    yard.poll()

    of_near, of_far = f"getDynConStatus {near}", f"getDynConStatus {far}"
    assert yard.calls(asked) == [FEED, of_near, FEED, of_near, of_far]


@pytest.mark.rule("PW-4.3-2", "PW-1.4-3")
def test_only_the_sweep_is_background_work(yard):
    named, swept = yard.create(), yard.create()
    yard.sim.note(named)
    access = yard.access()
    background = yard.access().client
    access.client.in_background = lambda: background
    seen = []
    for name, client in (("at once", access.client), ("background", background)):
        status = client.dynamic_status

        def ask(tracking_id, number="", *, name=name, status=status):
            seen.append((name, tracking_id))
            return status(tracking_id, number)

        client.dynamic_status = ask

    yard.poll(using=access)

    assert seen == [("at once", named), ("background", swept)]


@pytest.mark.rule("PW-4.3-2")
def test_the_most_overdue_comes_first_and_what_does_not_fit_the_run_is_left_to_the_next(yard):
    early, late = yard.create(delivery_date=TODAY), yard.create(delivery_date=TODAY)
    yard.poll()
    yard.later(minutes=10)
    yard.sim.note(late)
    yard.poll()
    yard.later(minutes=60)
    yard.tick = timedelta(seconds=150)
    asked = yard.asked

    polled = yard.poll()

    assert yard.calls(asked) == [FEED, f"getDynConStatus {early}"]
    assert (polled.asked, polled.left) == (1, 1)
    run = syncs.one(yard.conn, "palletways", "notes", "123")
    assert run.lag > timedelta(minutes=45)
    yard.tick = timedelta(0)
    assert yard.poll().asked == 1
    assert syncs.one(yard.conn, "palletways", "notes", "123").lag == timedelta(0)


@pytest.mark.rule("PW-4.3-3")
def test_at_a_completed_code_the_asking_stops(yard):
    one = yard.create(delivery_date=TODAY)
    yard.sim.status(one, 900)
    assert yard.poll().completed == 1
    asked = yard.asked
    yard.later(hours=5)

    yard.poll()

    assert yard.calls(asked) == [FEED]
    assert yard.rows("SELECT ended_at FROM tracking_polls") == [(NOW,)]


@pytest.mark.rule("PW-4.3-3")
def test_a_note_of_what_is_complete_is_kept_without_asking_again(yard):
    one = yard.create()
    yard.sim.status(one, 900, signatory=None)
    yard.poll()
    yard.later(minutes=5)
    yard.sim.note(one, PodDate="2026-07-13", PodTime="10:20:00", PodSignature="LATE", StatusCode="900")
    asked = yard.asked

    yard.poll()

    assert yard.calls(asked) == [FEED]
    assert yard.delivery(one) == (at(10, 20), "minute", "LATE")
    assert yard.rows("SELECT count(*) FROM network_notes WHERE hint IS NOT NULL") == [(0,)]


@pytest.mark.rule("PW-4.1-4")
def test_a_note_of_another_code_has_what_is_complete_asked_for(yard):
    one = yard.create()
    yard.sim.status(one, 900)
    yard.poll()
    yard.later(minutes=5)
    yard.sim.status(one, 700)
    asked = yard.asked

    yard.poll()

    assert yard.calls(asked) == [FEED, f"getDynConStatus {one}"]
    assert yard.codes(one)[-2:] == ["900", "700"]
    assert yard.whereabouts(one) == "DELIVERED"


@pytest.mark.rule("PW-4.3-3")
def test_60_days_after_it_was_due_it_is_listed_as_stale_and_asked_for_no_more(yard):
    old = yard.create(delivery_date=ago(61))
    young = yard.create(delivery_date=ago(60))

    polled = yard.poll()

    assert (polled.asked, polled.stale) == (2, 1)
    [one] = sweeps.stale(yard.conn, "palletways")
    assert (one.tracking_number, one.expected, one.since) == (old, NOW.date() - timedelta(days=61), NOW)
    assert yard.rows("SELECT warnings FROM activity WHERE kind = 'given up'") == [
        (["Not delivered 60 days after it was due: Palletways is no longer asked for it"],)
    ]
    yard.later(hours=5)
    asked = yard.asked
    assert yard.poll().stale == 0
    assert yard.calls(asked) == [FEED, f"getDynConStatus {young}"]


@pytest.mark.rule("PW-4.3-3")
def test_what_is_stale_is_asked_for_when_a_note_names_it_and_leaves_the_list_when_it_is_complete(yard):
    old = yard.create(delivery_date=ago(100))
    yard.poll()
    yard.later(hours=5)
    yard.sim.status(old, 900)

    assert yard.poll().completed == 1

    assert sweeps.stale(yard.conn) == []
    assert yard.poll().stale == 0


def test_cancelled_orders_and_what_palletways_does_not_know_yet_are_not_asked_for(yard):
    one, other = yard.create(), yard.create()
    yard.conn.execute("UPDATE orders SET cancelled_at = now() WHERE id = (SELECT order_id FROM consignments"
                      " WHERE tracking_number = %s)", (one,))  # fmt: skip
    yard.conn.execute("UPDATE consignments SET registered = false WHERE tracking_number = %s", (other,))

    yard.poll()

    assert yard.calls() == [FEED]


# Several depots


@pytest.mark.rule("PW-4.3-1")
def test_each_depot_polls_its_own_feed_and_asks_for_its_own(yard):
    mine = yard.create()
    theirs = yard.sim.add(depot="124", delivery_depot="456")
    yard.hold(theirs)
    yard.conn.execute(
        "UPDATE consignments SET requesting_depot = '124', collecting_depot = '124' WHERE tracking_number = %s",
        (theirs,),
    )
    yard.sim.status(mine, 300)
    yard.sim.status(theirs, 300)

    yard.poll("123")
    assert yard.calls() == [FEED, f"getDynConStatus {mine}"]
    asked = yard.asked
    yard.poll("124")

    assert yard.calls(asked) == [FEED, f"getDynConStatus {theirs}"]
    assert yard.rows("SELECT party FROM watermarks ORDER BY party") == [("123",), ("124",)]


@pytest.mark.rule("PW-4.3-1")
def test_what_two_depots_see_is_asked_for_once(yard):
    one = yard.create("both legs")
    yard.sim.status(one, 800)

    assert yard.poll("124").asked == 1
    assert yard.poll("123").asked == 0
    assert yard.codes(one) == ["800"]


# Runs


@pytest.mark.rule("PW-4.3-5")
def test_every_run_keeps_when_it_ended_when_the_next_is_due_and_its_lag(yard):
    yard.poll()
    yard.later(minutes=5)

    yard.poll()

    run = syncs.one(yard.conn, "palletways", "notes", "123")
    assert run[:4] == (yard.now, yard.now, yard.now + timedelta(minutes=5), timedelta(0))
    assert syncs.one(yard.conn, "palletways", "notes", "124") is None


def test_without_status_import_nothing_is_asked_for(yard):
    yard.sim.note(yard.create())
    yard.switch(status_import=False)

    yard.poll()

    assert yard.calls() == []
    assert yard.lines[0] == "123: status_import is switched off in the deployment file"


def test_the_last_line_tells_the_counts(yard):
    yard.sim.status(yard.create(), 900)
    yard.sim.note(yard.sim.add())

    yard.poll()

    assert yard.lines == ["123: 2 notes, 1 foreign, 1 asked, 1 statuses, 1 completed"]


# Back-fill


@pytest.mark.rule("PW-2.6-7")
def test_a_back_fill_reads_the_time_asked_for_and_leaves_mark_and_schedule(yard):
    one, other = yard.create(), yard.create()
    yard.poll()
    yard.later(hours=3)
    yard.sim.note(one, NoteText="in it", StatusCode="350")
    yard.later(hours=1)
    marks = yard.rows("SELECT * FROM watermarks"), yard.rows("SELECT * FROM poll_runs")
    asked = yard.asked

    polled = yard.poll(asked=(NOW + 2 * HOUR, NOW + 9 * HOUR))

    assert yard.calls(asked) == ["getNotes dateRange", "getNotes dateRange", f"getDynConStatus {one}"]
    assert (polled.notes, polled.asked) == (1, 1)
    assert yard.codes(one) == ["100", "350", "100"] or yard.codes(one) == ["100", "350"]
    assert (yard.rows("SELECT * FROM watermarks"), yard.rows("SELECT * FROM poll_runs")) == marks
    assert yard.codes(other) == ["100"]


def test_a_back_fill_asks_anew_for_what_is_known_and_takes_its_time(yard):
    listed = [yard.create() for _ in range(3)]
    for one in listed:
        yard.sim.status(one, 900)
    yard.poll()
    yard.tick = timedelta(minutes=3)
    asked = yard.asked

    polled = yard.poll(asked=(NOW - HOUR, NOW + HOUR))

    assert (polled.asked, polled.statuses, polled.left) == (3, 0, 0)
    assert sorted(yard.calls(asked)[1:]) == sorted(f"getDynConStatus {one}" for one in listed)


# Bad records


def bad(**changes):
    made = {"Delta": str(int(NOW.timestamp())), "TrackingID": "60000000017", "SysNote": "9001", "NoteText": "raw text"}
    return {name: text for name, text in (made | changes).items() if text is not None}


@pytest.mark.rule("PW-4.3-4")
def test_a_bad_note_is_parked_with_its_raw_text_once_and_stops_no_other(yard):
    one = yard.create()
    yard.sim.status(one, 300)
    access = yard.access()
    feed = access.client.notes_since
    access.client.notes_since = lambda since: [bad(SysNote=None), bad(Delta="soon"), *feed(since), "no note"]

    polled = yard.poll(using=access)

    assert (polled.parked, polled.asked) == (3, 1)
    assert yard.codes(one) == ["300"]
    assert [(stream, code) for stream, code, _ in yard.quarantined()] == [
        ("notes", "BAD_NOTE_NUMBER"), ("notes", "BAD_DELTA"), ("notes", "BAD_TRACKING_ID"),
    ]  # fmt: skip
    assert json.loads(yard.quarantined()[0][2]) == bad(SysNote=None)
    before = versions(yard)
    yard.later(minutes=5)
    assert yard.poll(using=access).parked == 0
    assert versions(yard) == before


@pytest.mark.rule("PW-4.3-4", "PW-2.6-3")
def test_a_note_from_the_future_does_not_move_the_mark(yard):
    access = yard.access()
    access.client.notes_since = lambda _: [bad(Delta=str(int((NOW + 48 * HOUR).timestamp()))), bad()]

    yard.poll(using=access)

    assert yard.rows("SELECT high FROM watermarks") == [(NOW,)]


@pytest.mark.rule("PW-2.6-3")
def test_a_note_a_little_ahead_of_our_clock_does_not_hide_those_between(yard):
    access = yard.access()
    access.client.notes_since = lambda _: [bad(Delta=str(int((NOW + HOUR / 2).timestamp())))]

    yard.poll(using=access)

    assert yard.rows("SELECT high FROM watermarks") == [(NOW,)]
