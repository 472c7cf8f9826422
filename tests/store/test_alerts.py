"""What people are to be told of: when it comes up, again while it lasts, when it is over; at least once each."""

import pytest

from palletflow.store import alerts
from palletflow.store.alerts import Condition
from palletflow.store.connection import connect

HOUR = 3600.0
PARKED = Condition("Parked: nexus dispatch", "3 items are parked. Mend the cause, press Try again.", "/attention")


def told(conn):
    """Takes what there is and tells it: subject, and whether it was over."""
    found = alerts.take(conn)
    for alert in found:
        alerts.told(conn, alert)
    return [(alert.subject, alert.over_at is not None) for alert in found]


def later(conn, hours):
    """As if everything had happened so many hours ago."""
    past = ", ".join(
        f"{column} = {column} - make_interval(secs => {hours * HOUR})"
        for column in ("raised_at", "seen_at", "told_at", "over_at", "taken_until")
    )
    conn.execute(f"UPDATE alerts SET {past}".encode())


def test_an_event_is_taken_by_one_and_told_once(conn, dsn):
    assert alerts.raise_alert(conn, "No answer", "Nobody calls for 16 minutes.", link="/palletflow/desk/")
    [alert] = alerts.take(conn)
    assert alert[:3] == ("No answer", "Nobody calls for 16 minutes.", "/palletflow/desk/")
    with connect(dsn) as other:
        assert alerts.take(other) == []
    alerts.told(conn, alert)
    assert not alerts.untold(conn)
    later(conn, 1)
    assert alerts.take(conn) == []


def test_what_was_taken_by_somebody_who_died_is_told_by_the_next(conn, dsn):
    alerts.raise_alert(conn, "No answer", "Nobody calls for 16 minutes.")
    with connect(dsn) as killed:
        assert alerts.take(killed)
    assert alerts.take(conn) == []
    later(conn, alerts.TAKEN_S / HOUR)
    assert told(conn) == [("No answer", False)]


def test_nobody_waits_for_who_tells(conn, dsn):
    """Telling takes seconds; whoever raises the same alert or another one meanwhile is not kept waiting."""
    alerts.stands(conn, "work", PARKED, HOUR)
    [alert] = alerts.take(conn)
    with connect(dsn) as other:
        other.execute("SET lock_timeout = '100ms'")
        assert alerts.stands(other, "work", PARKED, HOUR)
        assert alerts.raise_alert(other, "another", "message")
    alerts.told(conn, alert)
    assert told(conn) == [("another", False)]


def test_what_comes_up_anew_while_it_is_told_is_told_again(conn):
    alerts.raise_alert(conn, "refused", "first")
    [alert] = alerts.take(conn)
    alerts.raise_alert(conn, "refused", "second")
    alerts.told(conn, alert)
    assert [alert.message for alert in alerts.take(conn)] == ["second"]


def test_what_could_not_be_told_is_there_for_the_next(conn):
    alerts.raise_alert(conn, "one", "first")
    alerts.raise_alert(conn, "two", "second")
    for alert in alerts.take(conn):
        alerts.put_back(conn, alert)
    assert told(conn) == [("one", False), ("two", False)]


def test_an_event_comes_up_again_only_after_a_while(conn):
    assert alerts.raise_alert(conn, "refused", "closed", HOUR)
    assert told(conn)
    assert not alerts.raise_alert(conn, "refused", "closed", HOUR)
    assert told(conn) == []
    later(conn, 1)
    assert alerts.raise_alert(conn, "refused", "still closed", HOUR)
    assert told(conn) == [("refused", False)]


def test_a_condition_is_told_when_it_begins_again_after_hours_and_when_it_is_over(conn):
    def look(*conditions):
        alerts.settle(conn, "work", conditions, again_s=4 * HOUR, quiet_s=120)
        return told(conn)

    assert look(PARKED) == [(PARKED.subject, False)]
    later(conn, 1)
    assert look(PARKED) == []
    later(conn, 3)
    assert look(PARKED) == [(PARKED.subject, False)]

    # A look that misses it for a moment ends nothing.
    assert look() == []
    assert list(alerts.standing(conn, "work")) == [PARKED.subject]
    later(conn, 1)
    assert look() == [(PARKED.subject, True)]
    assert look() == []
    assert alerts.standing(conn, "work") == {}
    assert look(PARKED) == [(PARKED.subject, False)]


def test_what_was_over_before_it_could_be_told_is_told_as_over(conn):
    alerts.stands(conn, "work", PARKED, HOUR)
    later(conn, 1)
    alerts.settle(conn, "work", [], HOUR, 60)
    [alert] = alerts.take(conn)
    assert alert.over_at
    assert alert.message == PARKED.message


def test_what_is_over_while_its_beginning_is_told_is_told_as_over_too(conn):
    alerts.stands(conn, "work", PARKED, HOUR)
    [alert] = alerts.take(conn)
    later(conn, 0.01)
    alerts.settle(conn, "work", [], HOUR, 0)
    alerts.told(conn, alert)
    assert told(conn) == [(PARKED.subject, True)]


def test_one_area_ends_nothing_of_another_nor_what_could_not_be_looked_at(conn):
    alerts.stands(conn, "work", PARKED, HOUR)
    told(conn)
    later(conn, 1)
    alerts.settle(conn, "syncs", [], 8 * HOUR, 60)
    alerts.still_stand(conn, alerts.standing(conn, "work"))
    alerts.settle(conn, "work", [], 8 * HOUR, 60)
    assert told(conn) == []


def test_many_are_taken_a_few_at_a_time_and_none_is_left(conn):
    for number in range(25):
        alerts.raise_alert(conn, f"subject {number:02}", "message")
    taken = [told(conn) for _ in range(4)]
    assert [len(some) for some in taken] == [10, 10, 5, 0]
    assert [subject for some in taken for subject, _ in some] == [f"subject {number:02}" for number in range(25)]


def test_after_30_days_only_what_lasts_is_kept(conn):
    alerts.raise_alert(conn, "an event", "message")
    alerts.stands(conn, "work", PARKED, HOUR)
    alerts.stands(conn, "syncs", Condition("stale", "message", ""), HOUR)
    alerts.settle(conn, "work", [], HOUR, 0)
    later(conn, 29 * 24)
    assert alerts.tidy(conn) == 0
    later(conn, 2 * 24)
    assert alerts.tidy(conn) == 2
    assert conn.execute("SELECT subject FROM alerts").fetchall() == [("stale",)]


@pytest.mark.parametrize("odd", ["half a pair \ud800\0", "x" * 5000])
def test_any_text_can_be_told(conn, odd):
    alerts.raise_alert(conn, "odd\0", odd)
    [alert] = alerts.take(conn)
    assert alert.subject == "odd"
    assert "\0" not in alert.message
    assert len(alert.message) <= 2000
