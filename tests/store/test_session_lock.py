"""What one session at a time does: others see that, and one that is gone keeps nobody away."""

from palletflow.store import session_lock
from palletflow.store.connection import connect


def test_one_session_at_a_time_is_alone(dsn, conn):
    with connect(dsn) as other, session_lock.alone(conn, "a thing") as first:
        with session_lock.alone(other, "a thing") as second, session_lock.alone(other, "another") as third:
            assert (first, second, third) == (True, False, True)
        with session_lock.alone(other, "a thing") as still:
            assert not still
    with connect(dsn) as later, session_lock.alone(later, "a thing") as afterwards:
        assert afterwards


def test_a_session_that_ended_leaves_nobody_waiting(dsn, conn):
    with connect(dsn) as gone, session_lock.alone(gone, "a thing") as held:
        assert held
        conn.execute("SELECT pg_terminate_backend(%s)", (gone.info.backend_pid,))
    with session_lock.alone(conn, "a thing") as free:
        assert free
