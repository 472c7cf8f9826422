"""How far a consignment is: as far as its last pallet, whatever order things are heard in."""

import itertools
import random
from datetime import UTC, datetime, timedelta

import pytest

from palletflow.orders.lifecycle import Outcome, Reason, Status
from palletflow.orders.progress import ENDINGS, REPORTED, SEVERITY, Happening, reported, whereabouts

NOW = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)
EVENTS = [*((status, None) for status in REPORTED.values()), *ENDINGS.values(), (Status.EXCEPTION, Reason.DAMAGED)]


def happened(status: Status, hours: float, pallet: int | None = None, reason: Reason | None = None) -> Happening:
    return Happening(NOW + timedelta(hours=hours), status, reason, pallet)


def of(*happenings: Happening, pallets=(1, 2)):
    return whereabouts(pallets, happenings)


def test_nothing_heard_is_created():
    assert of() == (Status.CREATED, None)
    assert of(pallets=()) == (Status.CREATED, None)


def test_a_consignment_is_as_far_as_its_last_pallet():
    assert of(happened(Status.AT_HUB, 5, 1)) == (Status.CREATED, None)
    assert of(happened(Status.AT_HUB, 5, 1), happened(Status.COLLECTED, 1, 2)) == (Status.COLLECTED, None)
    assert of(happened(Status.DELIVERED, 5, 1), happened(Status.ARRIVED, 4)) == (Status.ARRIVED, None)


def test_once_all_have_ended_the_worst_one_says_how():
    delivered, damaged = happened(Status.DELIVERED, 5, 1), happened(Status.DELIVERED, 6, 2, Reason.DAMAGED)
    failed = happened(Status.EXCEPTION, 6, 2, Reason.NOT_DELIVERED)

    assert of(delivered, damaged) == (Status.DELIVERED, Reason.DAMAGED)
    assert of(delivered, failed) == (Status.EXCEPTION, Reason.NOT_DELIVERED)
    assert of(damaged, failed, happened(Status.DELIVERED, 7)) == (Status.DELIVERED, None)


def test_after_an_exception_a_new_attempt_counts_and_after_delivery_nothing_does():
    failed = happened(Status.EXCEPTION, 5, None, Reason.NOT_DELIVERED)

    assert of(failed, happened(Status.OUT_FOR_DELIVERY, 24)) == (Status.OUT_FOR_DELIVERY, None)
    assert of(happened(Status.DELIVERED, 5), happened(Status.OUT_FOR_DELIVERY, 24)) == (Status.DELIVERED, None)


def test_what_nobody_knows_is_no_progress():
    assert of(happened(Status.COLLECTED, 1), happened(Status.UNKNOWN, 2)) == (Status.COLLECTED, None)


@pytest.mark.parametrize("seed", range(30))
def test_the_answer_does_not_depend_on_the_order_of_hearing(seed):
    draw = random.Random(seed)
    chosen = [draw.choice(EVENTS) for _ in range(5)]
    happenings = [happened(status, draw.randint(0, 3), draw.choice([1, 2, None]), reason) for status, reason in chosen]
    answers = {whereabouts((1, 2), order) for order in itertools.permutations(happenings)}

    assert len(answers) == 1
    assert whereabouts((1, 2), happenings * 2) in answers


def test_every_report_says_something_known():
    assert reported("completed", "delivery", "NOT_DELIVERED") == (Status.EXCEPTION, Reason.NOT_DELIVERED)
    assert reported("arrived", "pickup", None) == (Status.UNKNOWN, None)
    assert set(ENDINGS) == set(Outcome)
    assert set(SEVERITY) == set(Reason)
