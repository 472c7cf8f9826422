"""What a run was asked for."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.sdk import DAG, CronDataIntervalTimetable, CronTriggerTimetable

from palletflow.airflow.runs import BadWindow, actor, asked_window, next_due_at

START, END = datetime(2026, 7, 12, tzinfo=UTC), datetime(2026, 7, 12, 0, 30, tzinfo=UTC)


def context(run_type="manual", start=None, end=None, **run):
    return {
        "params": {"from": start, "to": end},
        "dag_run": SimpleNamespace(run_type=run_type, data_interval_start=START, data_interval_end=END, **run),
    }


def test_a_scheduled_or_plain_manual_run_reads_what_is_due():
    assert asked_window(context("scheduled")) is None
    assert asked_window(context("manual")) is None


def test_a_backfill_reads_its_interval():
    assert asked_window(context("backfill")) == (START, END)


def test_the_trigger_form_wins_and_is_read_in_its_own_zone():
    asked = asked_window(context("backfill", "2026-07-12T01:00:00+01:00", "2026-07-12T00:30:00Z"))
    assert asked == (START, END)


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ("2026-07-12T00:00:00Z", None, "both 'from' and 'to'"),
        (None, "2026-07-12T00:00:00Z", "both 'from' and 'to'"),
        ("2026-07-12T00:30:00Z", "2026-07-12T00:00:00Z", "must lie before"),
        ("2026-07-12T00:00:00", "2026-07-12T00:30:00Z", "needs a time zone"),
        ("yesterday", "2026-07-12T00:30:00Z", "is not a time"),
    ],
)
def test_a_window_that_cannot_be_read_says_why(start, end, said):
    with pytest.raises(BadWindow, match=said):
        asked_window(context("manual", start, end))


def test_the_actor_is_the_person_or_the_kind_of_run():
    assert actor(context("manual", triggering_user_name="ops")) == "ops"
    assert actor(context("scheduled", triggering_user_name=None)) == "scheduled"


@pytest.mark.parametrize("timetable", [CronTriggerTimetable, CronDataIntervalTimetable])
def test_the_next_run_is_due_at_the_tick_after_this_one_began(timetable):
    dag = DAG("pull", schedule=timetable("*/30 * * * *", timezone="UTC"))
    began = datetime(2026, 7, 13, 9, 30, 4, tzinfo=UTC)
    for run_type in ("scheduled", "manual"):
        run = {**context(run_type, start_date=began), "dag": dag}
        assert next_due_at(run) == datetime(2026, 7, 13, 10, 0, tzinfo=UTC)


def test_a_run_that_was_asked_for_a_window_says_nothing_about_the_next_one():
    dag = DAG("pull", schedule=CronTriggerTimetable("*/30 * * * *", timezone="UTC"))
    for asked in (context("backfill", start_date=START), context("manual", "2026-07-12T00:00Z", "2026-07-12T01:00Z")):
        assert next_due_at({**asked, "dag": dag}) is None
    assert next_due_at({**context(start_date=START), "dag": DAG("by_hand", schedule=None)}) is None
