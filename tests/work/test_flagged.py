"""Nothing is sent through a flagged connection; one caller at a time looks whether it was mended."""

import pytest

from palletflow.network_errors import AuthFailed, NotSent
from palletflow.store import connection_flags
from palletflow.work.flagged import ConnectionFlagged, require_unflagged

CONNECTION = "palletforce_900"


class Check:
    """Counts how often the network was asked."""

    def __init__(self, error=None):
        self.error, self.asked = error, 0

    def __call__(self):
        self.asked += 1
        if self.error:
            raise self.error


def long_ago(conn):
    conn.execute("UPDATE connection_flags SET checked_at = checked_at - interval '1 hour'")


def test_a_connection_without_a_flag_is_not_checked(conn):
    check = Check()
    require_unflagged(conn, CONNECTION, check)
    assert check.asked == 0


@pytest.mark.rule("PF-1.3-16")
def test_a_connection_refused_just_now_is_not_asked_again_so_soon(conn):
    connection_flags.raise_flag(conn, CONNECTION, "HTTP 401")
    check = Check()
    with pytest.raises(ConnectionFlagged, match="HTTP 401"):
        require_unflagged(conn, CONNECTION, check)
    assert check.asked == 0


@pytest.mark.rule("PF-1.3-16")
def test_one_caller_checks_and_the_others_wait_for_what_it_finds(conn):
    connection_flags.raise_flag(conn, CONNECTION, "HTTP 401")
    long_ago(conn)
    refused = Check(AuthFailed(CONNECTION, "DownloadManifest", "HTTP 403"))
    for _ in range(5):
        with pytest.raises(ConnectionFlagged):
            require_unflagged(conn, CONNECTION, refused)
    assert refused.asked == 1

    long_ago(conn)
    passing = Check()
    require_unflagged(conn, CONNECTION, passing)
    require_unflagged(conn, CONNECTION, passing)
    assert passing.asked == 1
    assert connection_flags.reason(conn, CONNECTION) is None


def test_a_check_that_fails_for_another_reason_says_nothing_of_the_flag(conn):
    connection_flags.raise_flag(conn, CONNECTION, "HTTP 401")
    long_ago(conn)
    with pytest.raises(NotSent):
        require_unflagged(conn, CONNECTION, Check(NotSent(CONNECTION, "DownloadManifest", "refused")))
    assert connection_flags.reason(conn, CONNECTION) == "HTTP 401"
