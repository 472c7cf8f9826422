"""Which failure is tried again, and after how long."""

from datetime import timedelta
from pathlib import Path

import pytest
from airflow.sdk import RetryAction

from palletflow.airflow.quarantine import BadReplay
from palletflow.airflow.retries import PalletflowRetries
from palletflow.airflow.runs import BadWindow
from palletflow.checked_yaml import FileFault
from palletflow.network_errors import (
    AuthFailed,
    Misconfigured,
    NotSent,
    Rejected,
    Throttled,
    UnknownOutcome,
    Unstable,
)
from palletflow.store.connection import ConnectionLost, DatabaseUnavailable
from palletflow.store.quarantine import NotInQuarantine

CALL = ("palletforce_900", "DownloadManifest", "something")


@pytest.mark.parametrize(
    "error",
    [NotSent(*CALL), UnknownOutcome(*CALL), Unstable(*CALL), DatabaseUnavailable("gone"), ConnectionLost("cut")],
)
def test_what_passes_by_itself_is_tried_again_with_growing_pauses(error):
    pauses = []
    for try_number in (1, 2, 3):
        decision = PalletflowRetries().evaluate(error, try_number, 4)
        assert decision.action is RetryAction.RETRY
        pauses.append(decision.retry_delay)
    assert pauses == [timedelta(minutes=1), timedelta(minutes=3), timedelta(minutes=6)]


@pytest.mark.parametrize(
    "error",
    [
        AuthFailed(*CALL),
        Misconfigured(*CALL),
        Rejected(*CALL),
        FileFault(Path("x"), ["bad"]),
        BadWindow("bad"),
        BadReplay("bad"),
        NotInQuarantine(7),
    ],
)
def test_what_a_person_must_mend_stops_at_once(error):
    assert PalletflowRetries().evaluate(error, 1, 4).action is RetryAction.FAIL


def test_the_pause_a_network_asks_for_is_kept():
    decision = PalletflowRetries().evaluate(Throttled(*CALL, retry_after=240), 1, 4)
    assert (decision.action, decision.retry_delay) == (RetryAction.RETRY, timedelta(seconds=240))


def test_the_unforeseen_is_tried_once_more_and_then_fails():
    policy = PalletflowRetries()
    assert policy.evaluate(KeyError("never thought of"), 1, 4).action is RetryAction.RETRY
    assert policy.evaluate(KeyError("never thought of"), 2, 4).action is RetryAction.FAIL


@pytest.mark.parametrize("kind", [NotSent, UnknownOutcome, Unstable, Rejected, AuthFailed, Misconfigured])
def test_every_error_says_where_what_and_what_to_do(kind):
    text = str(kind("palletforce_900", "DownloadManifest", "HTTP 500: broken"))
    assert "DownloadManifest through connection 'palletforce_900': HTTP 500: broken." in text
    assert len(text.split(". ", 1)[1]) > 20
