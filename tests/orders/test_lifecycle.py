"""The common status vocabulary: it moves up by rank and never down."""

import itertools

import pytest

from palletflow.orders.lifecycle import RANKS, Status, moved


def test_every_status_but_exception_and_unknown_has_a_rank_of_its_own():
    assert set(RANKS) == set(Status) - {Status.EXCEPTION, Status.UNKNOWN}
    assert len(set(RANKS.values())) == len(RANKS)


@pytest.mark.parametrize(
    ("held", "heard", "then"),
    [
        (Status.CREATED, Status.COLLECTED, Status.COLLECTED),
        (Status.OUT_FOR_DELIVERY, Status.AT_HUB, Status.OUT_FOR_DELIVERY),
        (Status.ARRIVED, Status.UNKNOWN, Status.ARRIVED),
        (Status.ARRIVED, Status.EXCEPTION, Status.EXCEPTION),
        (Status.EXCEPTION, Status.OUT_FOR_DELIVERY, Status.OUT_FOR_DELIVERY),
        (Status.EXCEPTION, Status.EXCEPTION, Status.EXCEPTION),
        (Status.DELIVERED, Status.EXCEPTION, Status.DELIVERED),
        (Status.UNKNOWN, Status.COLLECTED, Status.COLLECTED),
    ],
)
def test_a_status_moves_up_by_rank(held, heard, then):
    assert moved(held, heard) is then


def test_without_exceptions_the_order_of_hearing_does_not_matter():
    for heard in itertools.permutations((Status.COLLECTED, Status.AT_HUB, Status.DELIVERED, Status.UNKNOWN)):
        status = Status.CREATED
        for one in heard:
            status = moved(status, one)
        assert status is Status.DELIVERED
