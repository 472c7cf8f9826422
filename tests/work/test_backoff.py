"""Pauses between the attempts of an item."""

from palletflow.work.backoff import Backoff


def test_pauses_double_up_to_the_longest():
    backoff = Backoff(first_s=5, longest_s=60)
    assert [backoff.pause_s(attempt, lambda: 1.0) for attempt in range(1, 7)] == [5, 10, 20, 40, 60, 60]
    assert backoff.pause_s(100_000, lambda: 1.0) == 60


def test_pauses_are_spread_about_their_length():
    pauses = {Backoff(first_s=100).pause_s(1) for _ in range(200)}
    assert len(pauses) > 100
    assert min(pauses) >= 80
    assert max(pauses) <= 120
