"""Notes of ours killed between two steps of their way, run again, arrive once each (contract 2.7)."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.killing import DEPLOYMENT, Process, started, until
from tests.killing import killed_at as killed_at_in
from tests.networks.palletways.test_notes_out import NOTES, at_palletways, sends, told
from tests.networks.palletways.tracked import Yard, at

from palletflow.networks.palletways.work import NETWORK

TYPES = ["ARR", "GIN", "POD"]
EVENTS = ["delivery_arrived", "not_delivered", "delivered"]


@pytest.fixture
def teller(yard) -> Yard:
    yard.extra = {"capabilities": ["notes_out"]}
    yard.template(notes=NOTES)
    return yard


@pytest.fixture
def start(teller, tmp_path) -> Iterator[Callable[..., Process]]:
    """Starts processes that work off the notes of the yard."""
    script = Path(__file__).with_name("tell_once.py")

    def make() -> Process:
        extra = json.dumps({**teller.extra, "first_byte_timeout_s": 60})
        key = teller.sim.keys["123"]
        return Process(script, teller.dsn, teller.sim.root, key, DEPLOYMENT, tmp_path / "own.yaml", extra)

    yield from started(make)


@pytest.fixture
def one(teller) -> str:
    """A delivery of ours of which nothing is told yet."""
    one = teller.create("delivery")
    teller.report(one, "delivery", "arrived", at(9, 10))
    teller.report(one, "delivery", "completed", at(9, 20), outcome="NOT_DELIVERED", reason="Site closed")
    teller.report(one, "delivery", "completed", at(10, 5), signatory="J SMITH")
    return one


killed_at = partial(killed_at_in, network=NETWORK)


def assert_told_once_in_the_end(teller: Yard, one: str) -> None:
    """The lease of what the killed process held ends, and the queue is worked off until nothing is left."""
    for _ in range(4):
        teller.export()
        teller.later(minutes=2)
    assert teller.waiting() == []
    assert [type_ for _, type_, _ in at_palletways(teller, one)] == TYPES
    assert told(teller, one) == [(event, True, False) for event in EVENTS]


@pytest.mark.rule("PW-2.7-4")
def test_not_killed(teller, start, one):
    start().finish()

    assert [type_ for _, type_, _ in at_palletways(teller, one)] == TYPES
    assert told(teller, one) == [(event, True, False) for event in EVENTS]
    assert sends(teller) == 3


@pytest.mark.rule("PW-2.7-4")
def test_killed_before_a_note_is_written_down(teller, start, one):
    killed_at(teller.dsn, "tracking_events", start)

    assert (told(teller, one), sends(teller)) == ([], 0)
    assert_told_once_in_the_end(teller, one)
    assert sends(teller) == 3


@pytest.mark.rule("PW-2.7-4", "PW-1.4-10")
@pytest.mark.parametrize("after", [0, 1, 2])
def test_killed_after_it_was_written_down_and_before_palletways_had_it(teller, start, one, after):
    teller.sim.switch(hang={"createSystemNote": {"value": True, "after": after, "times": 1}})
    process = start()
    until(lambda: sends(teller) > after)
    process.kill()
    teller.sim.switch(hang="off")

    assert [type_ for _, type_, _ in at_palletways(teller, one)] == TYPES[:after]
    assert told(teller, one) == [(event, True, False) for event in EVENTS[:after]] + [(EVENTS[after], False, False)]
    assert_told_once_in_the_end(teller, one)
    assert sends(teller) == 4


@pytest.mark.rule("PW-2.7-4", "PW-1.4-10")
@pytest.mark.parametrize("after", [0, 1, 2])
def test_killed_while_palletways_was_answering(teller, start, one, after):
    teller.sim.switch(slow={"createSystemNote": {"value": 60, "after": after, "times": 1}})
    process = start()
    until(lambda: len(at_palletways(teller, one)) > after)
    process.kill()
    teller.sim.switch(slow="off")

    assert told(teller, one)[after:] == [(EVENTS[after], False, False)]
    assert_told_once_in_the_end(teller, one)
    assert sends(teller) == 3


@pytest.mark.rule("PW-2.7-4", "PW-1.4-10")
def test_killed_after_the_answer_and_before_it_was_stored(teller, start, one):
    killed_at(teller.dsn, "activity", start)

    assert [type_ for _, type_, _ in at_palletways(teller, one)] == TYPES[:1]
    assert told(teller, one) == [(EVENTS[0], False, False)]
    assert_told_once_in_the_end(teller, one)
    assert sends(teller) == 3
