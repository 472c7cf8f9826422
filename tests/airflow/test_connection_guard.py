"""A refused connection is flagged, skipped, and freed by a passing check (contract 1.3)."""

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from palletflow.airflow.connection_guard import guarded
from palletflow.network_errors import AuthFailed, Misconfigured, UnknownOutcome
from palletflow.store import connection_flags

CONNECTION = "palletforce_900"
REFUSED = AuthFailed(CONNECTION, "DownloadManifest", "HTTP 401: access key")


def passes():
    """A check that finds nothing wrong."""


def refuses():
    raise REFUSED


@pytest.mark.rule("PF-1.3-16")
@pytest.mark.parametrize("error", [REFUSED, Misconfigured(CONNECTION, "Settings", "the Host is empty")])
def test_a_refused_connection_is_flagged_with_its_reason(conn, error):
    with pytest.raises(type(error)), guarded(conn, CONNECTION, passes):
        raise error
    assert connection_flags.reason(conn, CONNECTION) == str(error)


def test_other_failures_flag_nothing(conn):
    with pytest.raises(UnknownOutcome), guarded(conn, CONNECTION, passes):
        raise UnknownOutcome(CONNECTION, "DownloadManifest", "no answer")
    assert connection_flags.reason(conn, CONNECTION) is None


@pytest.mark.rule("PF-1.3-16")
def test_a_flagged_connection_is_skipped_until_its_check_passes(conn):
    connection_flags.raise_flag(conn, CONNECTION, "refused")
    ran = []

    with pytest.raises(AirflowSkipException, match="stays flagged"), guarded(conn, CONNECTION, refuses):
        ran.append("while flagged")
    assert connection_flags.reason(conn, CONNECTION) == "refused"

    with guarded(conn, CONNECTION, passes):
        ran.append("after the check")
    assert ran == ["after the check"]
    assert connection_flags.reason(conn, CONNECTION) is None
