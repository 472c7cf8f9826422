"""What people are to be told of: once for each time it comes up, and by one of those who tell."""

from palletflow.store import alerts
from palletflow.store.alerts import Alert
from palletflow.store.connection import connect


def test_an_alert_is_taken_once(conn):
    assert alerts.raise_alert(conn, "No answer", "Nobody calls for 16 minutes.")
    assert alerts.take(conn) == [Alert("No answer", "Nobody calls for 16 minutes.")]
    assert alerts.take(conn) == []


def test_the_oldest_comes_first_and_the_latest_message_counts(conn):
    alerts.raise_alert(conn, "one", "first")
    alerts.raise_alert(conn, "two", "second")
    alerts.raise_alert(conn, "two", "second again")
    assert alerts.take(conn) == [Alert("one", "first"), Alert("two", "second again")]


def test_a_subject_comes_up_again_only_after_a_while(conn):
    assert alerts.raise_alert(conn, "refused", "closed", 3600)
    assert alerts.take(conn)
    assert not alerts.raise_alert(conn, "refused", "closed", 3600)
    assert alerts.take(conn) == []
    conn.execute("UPDATE alerts SET raised_at = raised_at - interval '1 hour'")
    assert alerts.raise_alert(conn, "refused", "still closed", 3600)
    assert alerts.take(conn) == [Alert("refused", "still closed")]


def test_who_takes_them_at_the_same_time_tells_others(conn, dsn):
    alerts.raise_alert(conn, "one", "first")
    with connect(dsn) as other, other.transaction():
        assert alerts.take(other) == [Alert("one", "first")]
        assert alerts.take(conn) == []


def test_any_text_can_be_told(conn):
    alerts.raise_alert(conn, "odd\0", "half a pair \ud800\0")
    assert alerts.take(conn) == [Alert("odd", "half a pair ?")]
