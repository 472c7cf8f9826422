"""The poll when Palletways answers badly, or not at all (contract 1.3, 1.4, 4.3, 8)."""

import json
from datetime import timedelta

import pytest
from tests.networks.palletways.test_poll import FEED, versions
from tests.networks.palletways.tracked import ONE_STATUS

from palletflow.network_errors import AuthFailed, Misconfigured, Rejected, UnknownOutcome
from palletflow.networks.palletways.errors import Busy, MethodRefused, MethodUnavailable, UnreadableAnswer


def answering(client, **by_tracking_id):
    """Lets the status of some be answered otherwise: by an error, or with this."""
    ask = client.dynamic_status

    def answer(tracking_id, number=""):
        if tracking_id not in by_tracking_id:
            return ask(tracking_id, number)
        found = by_tracking_id[tracking_id]
        if isinstance(found, Exception):
            raise found
        return found

    client.dynamic_status = answer
    client.in_background = lambda: client


@pytest.fixture
def three(yard):
    """Three consignments that have just been collected."""
    listed = [yard.create() for _ in range(3)]
    yard.poll()
    yard.later(minutes=5)
    for one in listed:
        yard.sim.status(one, 300)
    return listed


def error(kind, *more):
    return kind("palletways_123", ONE_STATUS, "it went wrong", *more)


@pytest.mark.rule("PW-4.3-4", "PW-2.5-2")
@pytest.mark.parametrize(
    "answer",
    [
        {"TrackingID": "60000000018", "StatusCode": "delivered"},
        {"Status": {"Code": "OK", "Count": "900"}, "Odd": "\x00 half \ud800"},
    ],
)
def test_an_answer_without_a_code_is_parked_once_and_never_delivered(yard, three, answer):
    access = yard.access()
    answering(access.client, **{three[1]: answer})

    polled = yard.poll(using=access)

    assert (polled.asked, polled.failed, polled.parked) == (3, 1, 1)
    assert [yard.whereabouts(one) for one in three] == ["AT_COLLECTION_DEPOT", "CREATED", "AT_COLLECTION_DEPOT"]
    [(stream, code, raw)] = yard.quarantined()
    assert (stream, code) == ("statuses", "STATUS_UNREADABLE")
    assert json.loads(raw) == answer
    assert f"{three[1]}: Palletways shows no status that can be read" in yard.lines
    # It waits for its turn like all others.
    before, asked = versions(yard), yard.asked
    yard.later(minutes=5)
    assert yard.poll(using=access).failed == 0
    assert yard.calls(asked) == [FEED]
    assert versions(yard) == before
    yard.later(hours=4)
    assert yard.poll(using=access).parked == 0


def test_what_palletways_shows_nothing_of_waits_for_its_turn(yard, three):
    access = yard.access()
    answering(access.client, **{three[0]: None})

    polled = yard.poll(using=access)

    assert (polled.failed, polled.parked, polled.statuses) == (1, 0, 2)
    assert f"{three[0]}: Palletways shows nothing" in yard.lines
    yard.later(minutes=5)
    assert yard.poll(using=access).failed == 0


@pytest.mark.rule("PW-4.3-4")
@pytest.mark.parametrize("kind", [UnreadableAnswer, UnknownOutcome])
def test_one_that_is_not_answered_stops_no_other_and_its_note_stays_a_hint(yard, three, kind):
    access = yard.access()
    answering(access.client, **{three[0]: error(kind)})

    polled = yard.poll(using=access)

    assert (polled.asked, polled.failed) == (2, 1)
    assert polled.parked == (kind is UnreadableAnswer)
    yard.later(minutes=5)
    asked = yard.asked
    assert yard.poll().statuses == 1
    assert yard.calls(asked) == [FEED, f"{ONE_STATUS} {three[0]}"]


def test_one_that_is_refused_waits_for_its_turn(yard, three):
    access = yard.access()
    answering(access.client, **{three[0]: error(Rejected)})

    assert yard.poll(using=access).failed == 1

    yard.later(minutes=5)
    assert yard.poll(using=access).failed == 0
    yard.later(hours=4)
    assert yard.poll().statuses == 1


@pytest.mark.rule("PW-4.3-2")
@pytest.mark.parametrize("kind", [UnknownOutcome, Rejected])
def test_one_of_the_sweep_that_is_not_answered_lets_the_others_go_first(yard, kind):
    one = yard.create()
    access = yard.access()
    answering(access.client, **{one: error(kind)})
    assert yard.poll(using=access).failed == 1
    yard.later(minutes=5)

    assert yard.poll(using=access).failed == 0
    yard.later(hours=4)
    assert yard.poll(using=access).failed == 1


def test_several_in_a_row_without_an_answer_mean_that_palletways_is_away(yard, three):
    access = yard.access()
    answering(access.client, **dict.fromkeys(three, error(UnknownOutcome)))

    with pytest.raises(UnknownOutcome):
        yard.poll(using=access)

    assert yard.rows("SELECT count(*) FROM network_notes WHERE hint IS NOT NULL") == [(3,)]
    assert yard.poll().statuses == 3


@pytest.mark.rule("PW-4.3-4")
def test_several_that_are_never_answered_stop_neither_other_hints_nor_the_sweep(yard, three):
    access = yard.access()
    answering(access.client, **dict.fromkeys(three, error(UnreadableAnswer)))
    with pytest.raises(UnknownOutcome):
        yard.poll(using=access)
    hinted = yard.create()
    yard.poll(using=access)
    yard.later(hours=4)
    yard.sim.status(hinted, 300)
    swept = yard.create()

    polled = yard.poll(using=access)

    assert yard.whereabouts(hinted) == "AT_COLLECTION_DEPOT"
    assert yard.rows("SELECT count(*) FROM tracking_polls WHERE consignment_id = %s", yard.id(swept)) == [(1,)]
    assert polled.failed > 0
    # They stay hints, and each has its turn.
    assert yard.rows("SELECT count(*) FROM network_notes WHERE hint IS NOT NULL") == [(3,)]
    assert yard.poll().statuses == 3


@pytest.mark.parametrize("kind", [MethodUnavailable, MethodRefused])
def test_a_method_that_is_not_open_is_nothing_of_one_consignment(yard, three, kind):
    access = yard.access()
    answering(access.client, **{three[0]: error(kind)})

    with pytest.raises(kind):
        yard.poll(using=access)

    assert yard.poll().statuses == 3


@pytest.mark.rule("PW-1.4-4")
def test_where_no_call_is_left_the_rest_goes_to_the_next_run(yard, three):
    access = yard.access()
    answering(access.client, **{three[1]: error(Busy, 30)})

    polled = yard.poll(using=access)

    assert (polled.asked, polled.left) == (1, 2)
    assert yard.poll().statuses == 2


# At the wire


@pytest.mark.parametrize(
    ("switches", "kind"),
    [
        ({"http_code": {FEED.split()[0]: 500}}, UnknownOutcome),
        ({"key_fault": "wrong"}, AuthFailed),
        ({"http_code": 403}, (AuthFailed, Misconfigured)),
    ],
)
def test_a_feed_that_cannot_be_read_stops_the_run_and_the_mark_stays(yard, three, switches, kind):
    marks = yard.rows("SELECT * FROM watermarks"), yard.rows("SELECT * FROM poll_runs")
    yard.sim.switch(**switches)

    with pytest.raises(kind):
        yard.poll()

    assert (yard.rows("SELECT * FROM watermarks"), yard.rows("SELECT * FROM poll_runs")) == marks
    yard.sim.switch(http_code="off", key_fault="off")
    assert yard.poll().statuses == 3


@pytest.mark.parametrize("fault", [{"http_code": 500}, {"drop_mid_body": 20}])
def test_a_status_that_breaks_off_is_asked_for_again_by_the_next_run(yard, three, fault):
    [(name, value)] = fault.items()
    yard.extra = {"status_methods": "getDynConStatus@portal"}
    # Every one of the three tries.
    yard.sim.switch(**{name: {ONE_STATUS: {"value": value, "times": 3}}})

    polled = yard.poll()

    assert (polled.failed, polled.statuses) == (1, 2)
    yard.later(minutes=5)
    assert yard.poll().statuses == 1


@pytest.mark.rule("PW-2.5-3")
def test_where_the_first_method_is_closed_the_next_one_is_asked(yard, three):
    yard.extra = {"status_methods": "getDynConStatusByConNo@api2"}

    assert yard.poll().statuses == 3
    assert {call["method"] for call in yard.sim.journal()[-3:]} == {"getDynConStatusByConNo"}


@pytest.mark.rule("PW-1.1-13")
def test_no_key_stands_in_what_is_kept_or_told(yard, three):
    access = yard.access()
    answering(access.client, **{three[0]: {"echo": "nothing"}})
    yard.poll(using=access)

    kept = json.dumps([yard.rows("SELECT raw FROM inbound_records"), yard.rows("SELECT raw FROM network_notes"),
                       yard.lines])  # fmt: skip
    assert access.client.settings.key not in kept
    assert "sim%2F123" not in kept


def test_time_passes_within_a_run(yard, three):
    yard.tick = timedelta(seconds=100)

    polled = yard.poll()

    assert polled.left > 0
    assert yard.lines[0].endswith(f"{polled.left} left")
