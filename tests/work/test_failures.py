"""What becomes of an item whose handler raised."""

from pathlib import Path

import pytest

from palletflow.checked_yaml import FileFault
from palletflow.network_errors import (
    AuthFailed,
    Misconfigured,
    NotFound,
    NotSent,
    Rejected,
    Throttled,
    UnknownOutcome,
    Unstable,
)
from palletflow.store.connection import ConnectionLost, DatabaseUnavailable
from palletflow.work.backoff import Backoff
from palletflow.work.failures import judge
from palletflow.work.flagged import ConnectionFlagged

BACKOFF = Backoff(first_s=10, longest_s=1000, attempts=3)
SAID = ("palletforce_900", "UploadManifest", "HTTP 500")


@pytest.mark.parametrize(
    "error",
    [NotSent(*SAID), UnknownOutcome(*SAID), Unstable(*SAID), DatabaseUnavailable("refused"), ConnectionLost("gone")],
)
def test_what_passes_by_itself_backs_off_and_parks_after_the_most_attempts(error):
    first, second, last = (judge(error, attempt, BACKOFF) for attempt in (1, 2, 3))
    assert 8 <= first.pause_s <= 12
    assert 16 <= second.pause_s <= 24
    assert first.counted
    assert last.pause_s is None
    assert str(error) in last.reason
    assert "attempt 3" in last.reason
    assert first.foreseen


def test_throttled_waits_as_long_as_the_network_asks_and_counts_as_no_attempt():
    verdict = judge(Throttled(*SAID, retry_after=77), 3, BACKOFF)
    assert (verdict.pause_s, verdict.counted) == (77, False)


@pytest.mark.parametrize("kind", [AuthFailed, Misconfigured])
def test_a_refused_connection_is_flagged_and_its_item_waits_uncounted(kind):
    verdict = judge(kind(*SAID), 99, BACKOFF)
    assert verdict.flag == "palletforce_900"
    assert verdict.pause_s is not None
    assert not verdict.counted


def test_an_item_of_a_flagged_connection_waits_and_flags_nothing_anew():
    verdict = judge(ConnectionFlagged("palletforce_900", "HTTP 401"), 99, BACKOFF)
    assert verdict.flag is None
    assert verdict.pause_s is not None
    assert not verdict.counted


@pytest.mark.parametrize(
    "error", [Rejected(*SAID), NotFound(*SAID), FileFault(Path("deployment.yaml"), ["networks: no"])]
)
def test_what_a_person_must_mend_is_parked_at_once_with_its_text(error):
    verdict = judge(error, 1, BACKOFF)
    assert verdict.pause_s is None
    assert verdict.reason == str(error)
    assert verdict.foreseen


def test_the_unforeseen_is_tried_once_more_and_then_parked():
    first, second = (judge(KeyError("depot"), attempt, BACKOFF) for attempt in (1, 2))
    assert first.pause_s is not None
    assert second.pause_s is None
    assert "KeyError: 'depot'" in second.reason
    assert not second.foreseen


def test_a_reason_is_never_empty_and_can_be_stored():
    assert judge(UnknownOutcome("c", "o", "a\0b"), 1, BACKOFF).reason.startswith("o through connection 'c': ab.")
    assert "TimeoutError" in judge(TimeoutError(), 1, BACKOFF).reason
