"""Service levels, time windows, working days and the cut-off (contract 5.1, 5.2, 5.4)."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest
from tests.networks.nexus.facts import AMAZON, facts

from palletflow.networks.nexus import services
from palletflow.networks.nexus.form import read_form
from palletflow.networks.nexus.mapper import preview
from palletflow.networks.nexus.services import Calendar, Cutoff, Window

LONDON = ZoneInfo("Europe/London")
MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY = (date(2026, 7, day) for day in range(13, 20))
NEXT_MONDAY, NEXT_TUESDAY = date(2026, 7, 20), date(2026, 7, 21)
NO_HOLIDAYS = Calendar(frozenset(), {"A": 1, "B": 2})


@pytest.fixture
def form(plan):
    return read_form(preview(plan).template)


@pytest.fixture
def other_form(plan, tmp_path):
    """The form of a template laid over the shipped one."""

    def read(text: str):
        own = tmp_path / "own.yaml"
        own.write_text(text)
        return read_form(preview(plan, own).template)

    return read


def cutoff(next_is_working_day: bool = True, calendar: Calendar = NO_HOLIDAYS) -> Cutoff:
    return Cutoff(time(12), LONDON, next_is_working_day, calendar)


def london(day: date, hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=LONDON).astimezone(UTC)


# Levels


@pytest.mark.rule("NX-5-1", "NX-5-2")
def test_each_level_with_and_without_each_window_has_a_name_of_nexus(form):
    keys = {form.service(facts(service=level, surcharges=[*windows])).key
            for level in ("A", "B", "SD") for windows in ([], ["AM"], ["TD"], ["BI"])}  # fmt: skip
    assert keys == set(form.services)
    assert len(set(form.services.values())) == 12
    assert form.services["A"] == "Premium"
    assert form.services["SD+BI"] == "Specific Day Book In"
    assert form.collection_service == "Standard Collection"


@pytest.mark.rule("NX-5-3")
@pytest.mark.parametrize(
    ("level", "collected", "earliest"),
    [
        ("A", MONDAY, TUESDAY),
        ("A", FRIDAY, NEXT_MONDAY),
        ("A", SATURDAY, NEXT_MONDAY),
        ("B", MONDAY, WEDNESDAY),
        ("B", THURSDAY, NEXT_MONDAY),
        ("B", FRIDAY, NEXT_TUESDAY),
        ("SD", MONDAY, TUESDAY),
        ("SD", FRIDAY, SATURDAY),
    ],
)
def test_the_earliest_delivery_counts_working_days(level, collected, earliest):
    assert NO_HOLIDAYS.earliest_delivery(level, collected) == earliest


@pytest.mark.rule("NX-5-3", "NX-5-4")
def test_lead_days_and_holidays_are_settings(other_form):
    form = other_form("lead_days: {A: '2'}\nholidays: ['2026-07-14']\n")
    assert form.calendar.earliest_delivery("A", MONDAY) == THURSDAY
    assert form.calendar.earliest_delivery("B", MONDAY) == THURSDAY
    assert not form.calendar.is_working_day(TUESDAY)
    assert [NO_HOLIDAYS.is_working_day(day) for day in (MONDAY, FRIDAY, SATURDAY, SUNDAY)] == [True, True, False, False]


# The day and the window


@pytest.mark.rule("NX-2.4-9", "NX-5-3")
@pytest.mark.parametrize(
    ("service", "windows", "fields", "due"),
    [
        ("A", [], {}, TUESDAY),
        ("A", ["TD"], {}, TUESDAY),
        ("B", ["TD"], {}, WEDNESDAY),
        ("SD", [], {}, FRIDAY),
        ("SD", ["TD"], {}, FRIDAY),
        ("A", ["BI"], {}, None),
        ("A", ["BI"], {"booking_date": "2026-07-16"}, THURSDAY),
        ("SD", ["BI"], {}, FRIDAY),
        ("SD", ["BI"], {"booking_date": "2026-07-16"}, THURSDAY),
        ("B", ["AMAZON"], AMAZON, WEDNESDAY),
    ],
)
def test_the_day_of_delivery_follows_from_service_and_booking(form, service, windows, fields, due):
    one = facts(service=service, surcharges=windows, additional_fields=fields, delivery_date=FRIDAY)
    assert form.delivery_date(one) == due


@pytest.mark.rule("NX-2.4-10", "NX-5-5", "NX-5-6", "NX-5-7", "NX-5-21")
@pytest.mark.parametrize(
    ("windows", "fields", "window"),
    [
        ([], {"delivery_from": "10:00", "delivery_to": "11:00"}, Window(None, None)),
        (["AM"], {"delivery_from": "10:00", "delivery_to": "11:00"}, Window(None, time(12))),
        (["TD"], {"delivery_from": "10:00", "delivery_to": "11:00"}, Window(time(10), time(11))),
        (["TD"], {"delivery_from": "10:00", "delivery_to": "10:00"}, Window(time(10), time(10))),
        (["BI"], {}, Window(None, None)),
        (["BI"], {"delivery_from": "10:00", "delivery_to": "11:00"}, Window(time(10), time(11))),
        (["BI"], {"booking_date": "2026-07-16", "booking_time": "14:15"}, Window(time(14, 15), time(14, 15))),
        (["AMAZON"], {**AMAZON, "delivery_from": "08:00"}, Window(time(10, 30), time(10, 30))),
    ],
)
def test_the_window_follows_from_service_stop_and_booking(form, windows, fields, window):
    assert form.window(facts(surcharges=windows, additional_fields=fields)) == window


@pytest.mark.rule("NX-5-16", "NX-5-21")
def test_amazon_is_an_extra_by_a_name_of_the_template_and_goes_out_as_book_in(form, other_form):
    assert form.service(facts(surcharges=["AMAZON"])).key == "A+BI"
    assert not form.service(facts(surcharges=["AMZ"])).for_amazon
    assert other_form("amazon: {extra_code: AMZ}").service(facts(surcharges=["AMZ"])).key == "A+BI"


# The cut-off


@pytest.mark.rule("NX-5-12", "NX-5-13")
@pytest.mark.parametrize(
    ("now", "earliest"),
    [
        (london(MONDAY, 0), MONDAY),
        (london(MONDAY, 11, 59, 59), MONDAY),
        (london(MONDAY, 12), WEDNESDAY),
        (london(MONDAY, 23, 59), WEDNESDAY),
        (london(THURSDAY, 12), SATURDAY),
        (london(FRIDAY, 11, 59), FRIDAY),
        (london(FRIDAY, 12), NEXT_TUESDAY),
        (london(SATURDAY, 11), SATURDAY),
        (london(SATURDAY, 12), NEXT_TUESDAY),
    ],
)
def test_from_noon_on_today_and_the_next_working_day_are_closed(now, earliest):
    assert cutoff().earliest_collection(now) == earliest


@pytest.mark.rule("NX-5-13")
def test_the_next_day_may_be_a_calendar_day_and_a_holiday_is_no_working_day():
    assert cutoff(next_is_working_day=False).earliest_collection(london(FRIDAY, 12)) == SUNDAY
    closed = Calendar(frozenset([TUESDAY]), {})
    assert cutoff(calendar=closed).earliest_collection(london(MONDAY, 12)) == THURSDAY


@pytest.mark.rule("NX-5-13", "NX-11-26")
@pytest.mark.parametrize(
    ("now", "earliest"),
    [
        # Noon is at 11:00 UTC in summer, at 12:00 in winter; on the days when clocks change as well.
        (datetime(2026, 7, 13, 10, 59, tzinfo=UTC), date(2026, 7, 13)),
        (datetime(2026, 7, 13, 11, 0, tzinfo=UTC), date(2026, 7, 15)),
        (datetime(2026, 1, 12, 11, 59, tzinfo=UTC), date(2026, 1, 12)),
        (datetime(2026, 1, 12, 12, 0, tzinfo=UTC), date(2026, 1, 14)),
        (datetime(2026, 3, 29, 10, 59, tzinfo=UTC), date(2026, 3, 29)),
        (datetime(2026, 3, 29, 11, 0, tzinfo=UTC), date(2026, 3, 31)),
        (datetime(2026, 10, 25, 11, 59, tzinfo=UTC), date(2026, 10, 25)),
        (datetime(2026, 10, 25, 12, 0, tzinfo=UTC), date(2026, 10, 27)),
        # Past midnight in London, before it in UTC.
        (datetime(2026, 7, 13, 23, 30, tzinfo=UTC), date(2026, 7, 14)),
    ],
)
def test_the_cut_off_is_in_london_time(now, earliest):
    assert cutoff().earliest_collection(now) == earliest


@pytest.mark.rule("NX-5-13")
def test_time_zone_and_kind_of_the_cut_off_are_settings(other_form):
    form = other_form("cutoff: {time: '15:30', tz: UTC, next_day: calendar}")
    assert form.cutoff.earliest_collection(datetime(2026, 7, 17, 15, 29, tzinfo=UTC)) == FRIDAY
    assert form.cutoff.earliest_collection(datetime(2026, 7, 17, 15, 30, tzinfo=UTC)) == SUNDAY


@pytest.mark.parametrize("text", ["2026-7-14", "20260714", "2026-13-01", "14.07.2026", "", "2026-07-14T10:00"])
def test_what_is_no_day(text):
    assert services.read_day(text) is None


@pytest.mark.parametrize("text", ["9:30", "24:00", "10:60", "10.30", "", "10:30:00"])
def test_what_is_no_time(text):
    assert services.read_time(text) is None


def test_days_and_times_as_orders_give_them():
    assert services.read_day("2026-07-14") == TUESDAY
    assert services.read_time("09:05") == time(9, 5)
