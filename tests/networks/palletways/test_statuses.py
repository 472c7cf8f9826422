"""What codes mean and do (contract 2.5, 4.1, 4.2)."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from tests.conftest import NOW
from tests.networks.palletways.tracked import at

from palletflow.networks.palletways import statuses
from palletflow.networks.palletways.mapper import preview
from palletflow.networks.palletways.notes import Pod
from palletflow.networks.palletways.statuses import Delivery, Rules, Shown
from palletflow.orders.lifecycle import RANKS, Outcome, Reason, Status
from palletflow.store.network_notes import Note

LONDON = ZoneInfo("Europe/London")
HOUR = timedelta(hours=1)


@pytest.fixture
def status_map(plan):
    return preview(plan).template.sections["status_map"]


@pytest.fixture
def rules(status_map):
    return Rules(status_map, (900,), LONDON)


def shown(code: str, when: datetime | None = None) -> Shown:
    return Shown(code, when, False, "", {"statuscode": code})


def note(code: str, when: datetime, **changes) -> Note:
    made = Note("60000000017", 9001, int(when.timestamp()), code, when, None, None, "", "STA", "STA", "", "", {})
    return made._replace(**changes)


def heard(rules, *codes: tuple[str, datetime | None], now: datetime = NOW) -> list:
    """One reading after the other; all that is stored in the end."""
    held = []
    for code, when in codes:
        held += statuses.news(held, statuses.heard(shown(code, when), [], rules, now))
    return held


# What an answer says


@pytest.mark.rule("PW-2.5-1", "PW-1.2-13", "PW-1.2-14")
def test_code_and_local_time_of_the_documented_answer(rules):
    answer = {
        "TrackingID": "60000000017", "ConNo": "100045", "StatusCode": "900", "StatusDescription": "JOB COMPLETE",
        "StatusDate": "2026-05-05", "StatusTime": "14:21:00", "DeliveryDepot": "456",
    }  # fmt: skip

    read = statuses.shown(answer, rules)

    assert (read.code, read.at, read.depot) == ("900", datetime(2026, 5, 5, 13, 21, tzinfo=UTC), "456")
    assert read.raw["statustime"] == "14:21:00"
    assert not read.estimated


@pytest.mark.rule("PW-2.5-2", "PW-2.4-3")
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"StatusCode": "900"}, "900"),
        ({"status_code": "800", "dc_syscon": "60000000017"}, "800"),
        ({"status": "700"}, "700"),
        ({"statuscode": ["550", "900"]}, "550"),
        ({"StatusCode": "0900"}, "900"),
        ({"Data": {"StatusCode": "350"}}, "350"),
        ({"StatusCode": "", "status": "JOB COMPLETE"}, "900"),
        ({"status": "OUT FOR DELIVERY", "notes": ["Delivered"]}, "800"),
        ({"StatusDescription": "AT THE HUB"}, "500"),
        # The number counts and never the text.
        ({"StatusCode": "800", "StatusDescription": "JOB COMPLETE"}, "800"),
        ({"StatusCode": "123456"}, "123456"),
        # The envelope's own status is none of the consignment's.
        ({"Status": {"Code": "OK", "Count": "1"}, "StatusCode": "300"}, "300"),
    ],
)
def test_the_code_is_found_in_every_shape(rules, answer, code):
    assert statuses.shown(answer, rules).code == code


@pytest.mark.rule("PW-2.5-2")
@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        "900",
        {"Status": {"Code": "OK", "Count": "900"}},
        {"Code": "900"},
        {"StatusCode": "delivered"},
        {"StatusCode": "JOB COMPLETE?"},
        {"StatusCode": "900.5"},
        {"StatusCode": "0"},
        {"status": "The JOB COMPLETE is not"},
        {"StatusCode": "٩٠٠"},
        {"TrackingID": "900"},
        {"StatusCode": {"value": "900"}},
    ],
)
def test_what_has_no_code_is_unreadable_and_never_delivered(rules, answer):
    assert statuses.shown(answer, rules) is None


@pytest.mark.rule("PW-2.5-1")
@pytest.mark.parametrize(
    ("day", "clock", "moment", "estimated"),
    [
        ("2026-07-13", "09:05", datetime(2026, 7, 13, 8, 5, tzinfo=UTC), False),
        ("2026-01-13", "09:05:30", datetime(2026, 1, 13, 9, 5, 30, tzinfo=UTC), False),
        ("13/07/26", "09:05", datetime(2026, 7, 13, 8, 5, tzinfo=UTC), False),
        ("2026-07-12", "", datetime(2026, 7, 12, 22, 59, tzinfo=UTC), True),
        ("2026-07-12", "noon", datetime(2026, 7, 12, 22, 59, tzinfo=UTC), True),
        ("2026-02-30", "09:05", None, False),
        ("", "09:05", None, False),
    ],
)
def test_times(rules, day, clock, moment, estimated):
    read = statuses.shown({"StatusCode": "800", "StatusDate": day, "StatusTime": clock}, rules)

    assert (read.at, read.estimated) == (moment, estimated)


# What a code means


@pytest.mark.rule("PW-4.1-1")
@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        (15, Status.EXCEPTION, Reason.REJECTED),
        (25, Status.CREATED, None),
        (30, Status.CREATED, None),
        (50, Status.CREATED, None),
        (100, Status.CREATED, None),
        (300, Status.AT_COLLECTION_DEPOT, None),
        (350, Status.TRUNKED, None),
        (500, Status.AT_HUB, None),
        (525, Status.AT_HUB, None),
        (530, Status.LEFT_HUB, None),
        (550, Status.LEFT_HUB, None),
        (675, Status.EXCEPTION, Reason.HELD),
        (700, Status.AT_DELIVERY_DEPOT, None),
        (800, Status.OUT_FOR_DELIVERY, None),
        (900, Status.DELIVERED, None),
    ],
)
def test_the_shipped_map(rules, code, status, reason):
    assert rules.meaning(str(code)) == (status, reason)


@pytest.mark.rule("PW-4.1-2")
@pytest.mark.parametrize("code", ["899", "901", "9000", "950", "999999"])
def test_another_code_means_nothing(rules, code):
    assert rules.meaning(code) == (Status.UNKNOWN, None)
    assert not rules.is_known(code)


@pytest.mark.rule("PW-4.1-3")
def test_only_the_codes_of_the_connection_complete_a_delivery(status_map):
    rules = Rules(status_map, (910, 950), LONDON)

    assert rules.meaning("910").status is Status.DELIVERED
    assert rules.meaning("950").status is Status.DELIVERED
    assert rules.meaning("900").status is Status.UNKNOWN


@pytest.mark.rule("PW-4.1-1")
def test_the_map_rises_with_the_codes_but_for_exceptions(status_map):
    rises = [Status(row["status"]) for row in status_map.values() if row["status"] != "EXCEPTION"]

    assert [RANKS[status] for status in rises] == sorted(RANKS[status] for status in rises)


# What is new


def test_what_is_read_again_is_no_news(rules):
    held = heard(rules, ("300", at(9)), ("700", at(10)))

    assert statuses.news(held, statuses.heard(shown("700", at(10)), [], rules, NOW)) == []
    assert statuses.news(held, statuses.heard(shown("300", at(9)), [], rules, NOW)) == []
    assert len(statuses.news(held, statuses.heard(shown("700", at(11)), [], rules, NOW))) == 1


@pytest.mark.rule("PW-4.2-3")
def test_a_code_without_a_time_is_new_when_it_differs_from_the_last(rules):
    held = heard(rules, ("700", None), ("700", None), ("800", None), ("700", None), ("700", None))

    assert [event.code for event in held] == ["700", "800", "700"]
    assert {event.at for event in held} == {NOW}
    # The order store keeps one of each code that is marked.
    assert [event.estimated for event in held] == [True, True, False]


@pytest.mark.rule("PW-2.6-2")
def test_codes_of_notes_come_before_the_status_in_the_order_they_happened(rules):
    listed = [note("800", at(10)), note("", at(11)), note("700", at(9))]

    events = statuses.heard(shown("900", at(12)), listed, rules, NOW)

    assert [(event.code, event.at) for event in events] == [("700", at(9)), ("800", at(10)), ("900", at(12))]


@pytest.mark.rule("PW-4.1-3")
def test_a_note_alone_completes_nothing(rules):
    assert statuses.heard(None, [note("900", at(9))], rules, NOW) == []


@pytest.mark.rule("PW-4.1-4")
def test_after_completion_other_codes_are_kept_without_a_meaning(rules):
    held = heard(rules, ("800", at(9)), ("900", at(10)), ("700", at(11)), ("675", at(12)), ("900", at(13)))

    assert [(event.code, event.status) for event in held] == [
        ("800", Status.OUT_FOR_DELIVERY),
        ("900", Status.DELIVERED),
        ("700", Status.UNKNOWN),
        ("675", Status.UNKNOWN),
        ("900", Status.DELIVERED),
    ]
    assert statuses.completion(held).at == at(10)


# The delivery


@pytest.mark.rule("PW-4.2-1")
def test_day_time_and_signatory_are_the_pods(rules):
    [completed] = heard(rules, ("900", at(14, 21)))

    found = statuses.delivery(Pod(date(2026, 7, 13), time(14, 18), "SAMPLE"), completed, NOW, rules)

    assert found == Delivery(at(14, 18), statuses.TO_THE_MINUTE, "SAMPLE")
    assert not found.estimated


@pytest.mark.rule("PW-4.2-2")
@pytest.mark.parametrize(
    ("day", "moment"),
    [
        # The status fits the day; it does not; the day's end has not come yet when we see it.
        (date(2026, 7, 13), at(9, 21)),
        (date(2026, 7, 11), datetime(2026, 7, 11, 22, 59, tzinfo=UTC)),
        (date(2026, 7, 14), NOW),
    ],
)
def test_a_pod_without_a_time_gives_the_day_only(rules, day, moment):
    [completed] = heard(rules, ("900", at(9, 21)))

    found = statuses.delivery(Pod(day, None, "SAMPLE"), completed, NOW, rules)

    assert found == Delivery(moment, statuses.TO_THE_DAY, "SAMPLE")


@pytest.mark.rule("PW-4.2-3")
@pytest.mark.parametrize(("when", "moment", "basis"), [(at(9, 21), at(9, 21), "status"), (None, NOW, "seen")])
def test_without_a_pod_the_moment_is_estimated(rules, when, moment, basis):
    [completed] = heard(rules, ("900", when))

    found = statuses.delivery(None, completed, NOW, rules)

    assert found == Delivery(moment, basis, "")
    assert found.estimated


# What it does to stops


POD = Delivery(at(14), statuses.TO_THE_MINUTE, "SAMPLE")


def done(events, roles, delivered=None):
    found = statuses.effects(events, roles, delivered)
    return {stop: (effect.started_at, effect.completed_at) for stop, effect in found.items()}


def test_where_others_deliver_the_delivery_is_started_and_completed(rules):
    events = heard(rules, ("700", at(8)), ("800", at(9)), ("800", at(10)), ("900", at(15)))

    for roles in (["requesting"], ["collecting"], ["requesting", "collecting"]):
        assert done(events[:3], roles) == {"delivery": (at(9), None)}
        assert done(events, roles, POD) == {"delivery": (at(9), at(14))}


@pytest.mark.rule("PW-4.1-4")
def test_how_it_ended_stays_open_without_a_pod(rules):
    events = heard(rules, ("900", at(15)))
    estimated = Delivery(at(15), statuses.OF_STATUS, "")

    assert statuses.effects(events, ["requesting"], estimated)["delivery"].outcome is None
    assert statuses.effects(events, ["requesting"], POD)["delivery"].outcome is Outcome.CLEAN
    assert statuses.effects(events, ["requesting"], POD)["delivery"].signatory == "SAMPLE"


def test_where_we_deliver_collection_and_arrival_at_our_depot_are_completed(rules):
    events = heard(rules, ("100", at(6)), ("500", at(7)), ("700", at(8)), ("900", at(9)))

    for roles in (["delivery"], ["requesting", "delivery"]):
        assert done(events[:1], roles) == {}
        assert done(events[:2], roles) == {"pickup": (None, at(7))}
        assert done(events, roles, POD) == {"pickup": (None, at(7)), "delivery_depot": (None, at(8))}


def test_where_both_legs_are_ours_or_none_nothing_is_done(rules):
    events = heard(rules, ("700", at(8)), ("900", at(9)))

    assert done(events, ["collecting", "delivery"], POD) == {}
    assert done(events, [], POD) == {}
