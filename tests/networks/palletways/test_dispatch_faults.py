"""Every fault of the network on the way of a dispatch: in the end one consignment there, one label here."""

import pytest
from tests.networks.palletways.dispatching import SUBMIT

FAULTS = {
    "hang": {"hang": True},
    "slow": {"slow": 2},
    "drop_mid_body": {"drop_mid_body": 5},
    "404": {"http_code": 404},
    "429": {"http_code": {"value": 429, "retry_after": 1}},
    "500": {"http_code": 500},
    "503": {"http_code": 503},
}
METHODS = ("getConsignment", "getLabelsByTID")


def struck(fault: dict, method: str, times: int = 1) -> dict:
    [(name, value)] = fault.items()
    value = value if isinstance(value, dict) else {"value": value}
    return {name: {method: {**value, "times": times}}}


def strike(haulier, switches: dict) -> None:
    if switches.keys() & {"hang", "slow"}:
        haulier.impatient()
    haulier.sim.switch(**switches)


def assert_dispatched(haulier, order: int) -> None:
    haulier.play_out(most=200)
    [held] = haulier.in_network(order)
    assert haulier.state(order) == "completed"
    assert haulier.fact(order, "tracking_number") == held["tracking_id"]
    assert len(haulier.labels(order)) == 1
    assert haulier.items(parked=True) == {}


@pytest.mark.rule("PW-7.1-6", "PW-7.1-7", "PW-1.4-10")
@pytest.mark.parametrize("preflight", [True, False])
@pytest.mark.parametrize("name", FAULTS)
def test_the_submission(haulier, name, preflight):
    haulier.settle(preflight=preflight)
    strike(haulier, struck(FAULTS[name], SUBMIT))
    order = haulier.sent()
    if name == "404":  # no such method: nothing was stored, and a person is told
        assert haulier.state(order) == "failed"
        haulier.settle()  # another day, another run
        haulier.complete(order)
        haulier.work()
    assert_dispatched(haulier, order)


@pytest.mark.rule("PW-7.1-6", "PW-7.1-7")
def test_stored_and_the_reply_lost(haulier):
    haulier.sim.switch(commit_then_drop={SUBMIT: {"value": True, "times": 1}})
    order = haulier.sent()
    assert_dispatched(haulier, order)
    assert len(haulier.submissions()) == 1


@pytest.mark.rule("PW-7.1-7")
@pytest.mark.parametrize("name", ["hang", "drop_mid_body", "500", "503"])
@pytest.mark.parametrize("method", ["conStatusByCustRef", "conStatusByConNo", "consEntered"])
def test_the_look_for_what_may_have_been_stored(haulier, name, method):
    haulier.settle(preflight=False)
    lost = struck({"hang": True}, SUBMIT)
    trouble = struck(FAULTS[name], method)
    strike(haulier, {switch: {**lost.get(switch, {}), **trouble.get(switch, {})} for switch in {*lost, *trouble}})
    order = haulier.sent()
    assert_dispatched(haulier, order)
    assert len(haulier.submissions()) == 2


@pytest.mark.rule("PW-7.1-4", "PW-2.9-1")
@pytest.mark.parametrize("name", [name for name in FAULTS if name != "404"])
@pytest.mark.parametrize("method", METHODS)
def test_what_follows_the_submission_is_tried_alone(haulier, name, method):
    strike(haulier, struck(FAULTS[name], method, times=2))
    order = haulier.sent()
    assert haulier.state(order) == "completed", "what follows holds it back no more"
    assert_dispatched(haulier, order)
    assert len(haulier.submissions()) == 1
