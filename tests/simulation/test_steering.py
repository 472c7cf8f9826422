"""How control paths of simulated networks read what they are given."""

import re
from datetime import UTC, datetime, timedelta
from types import NoneType
from types import SimpleNamespace as Simulation

import pytest

from palletflow.simulation.clock import Clock
from palletflow.simulation.steering import creation_times, faults, one_of, value_of

NOW = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("allowed", "good", "bad"),
    [
        (("A", "B"), ["A", "B"], ["C", None, ["A"], {}]),
        (str, ["", "x"], [1, None]),
        ((str, NoneType), ["x", None], [1]),
        (int, [0, 7], [True, 1.5, "1"]),
        ((int, float), [0, 1.5], [False, "1"]),
        (bool, [True, False], [1, "on"]),
        (re.compile(r"\d\d:\d\d"), ["10:30"], ["10:3", 1030, None]),
        ({"X": 1}, ["X"], [1]),
    ],
)
def test_a_value_is_of_the_form_or_type_or_one_of_the_values(allowed, good, bad):
    for value in good:
        assert value_of({"key": value}, "key", allowed) == value
    for value in bad:
        with pytest.raises(ValueError, match=r"^key (must be one of: |cannot be )"):
            value_of({"key": value}, "key", allowed)


def test_a_key_that_is_not_given_has_the_default():
    assert one_of({}, "key", str) is None
    assert one_of({}, "key", str, "x") == "x"
    assert one_of({"key": "y"}, "key", str, "x") == "y"


@pytest.fixture
def simulation():
    return Simulation(clock=Clock(NOW))


def test_one_consignment_is_created_now_or_at_an_instant(simulation):
    assert creation_times(simulation, {}) == [NOW]
    assert creation_times(simulation, {"at": "2026-07-13T09:30:00"}) == [NOW - timedelta(hours=1)]


def test_several_consignments_are_created_evenly_over_a_time(simulation):
    assert creation_times(simulation, {"count": 2}) == [NOW - timedelta(days=1), NOW - timedelta(hours=12)]
    given = {"count": 3, "from": "2026-07-13T06:00:00+00:00", "to": "2026-07-13T09:00:00+00:00"}
    assert [at.hour for at in creation_times(simulation, given)] == [6, 7, 8]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"at": "2026-07-13T09:30:01+00:00"}, "later than the simulator's clock"),
        ({"at": "soon"}, "at must be an ISO 8601 instant"),
        ({"at": 5}, "at must be an ISO 8601 instant"),
        ({"from": "2026-07-13"}, "from and to go with count"),
        ({"count": 0}, "count must be"),
        ({"count": True}, "count must be"),
        ({"count": 2, "at": "2026-07-13"}, "at is for one consignment"),
        ({"count": 2, "from": "2026-07-13", "to": "2026-07-13"}, "to must be after from"),
        ({"count": 2, "to": "2026-08-13", "from": "2026-07-13"}, "later than the simulator's clock"),
    ],
)
def test_times_that_make_no_sense_are_refused_with_a_sentence(simulation, body, said):
    with pytest.raises(ValueError, match=said):
        creation_times(simulation, body)


class Faults:
    """Faults in waiting."""

    def __init__(self) -> None:
        self.ordered: list[dict[str, object]] = []

    def order(self, body):
        self.ordered.append(body)

    def clear(self):
        self.ordered.clear()

    def waiting(self):
        return self.ordered


def test_faults_are_ordered_looked_at_and_cleared():
    ordered = Faults()
    assert faults(ordered, {"effect": "slow"}, "effect") == {"waiting": [{"effect": "slow"}]}
    assert faults(ordered, {}, "effect") == {"waiting": [{"effect": "slow"}]}
    for body in ({"effects": "slow"}, {"clear": False}, {"clear": True, "effect": "slow"}):
        with pytest.raises(ValueError, match=r"There is no key|clear must be true"):
            faults(ordered, body, "effect")
    assert faults(ordered, {"clear": True}, "effect") == {"waiting": []}
