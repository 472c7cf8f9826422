"""A dispatch killed between two of its steps, run again, ends like an undisturbed one: one consignment, one label."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.killing import DEPLOYMENT, Process, started, until
from tests.killing import killed_at as killed_at_in
from tests.killing import stopping as stopping_in
from tests.networks.palletways.dispatching import SUBMIT, House
from tests.networks.palletways.test_cancel import DELETE
from tests.networks.palletways.test_dispatch import TEMPLATE

from palletflow.networks.palletways.work import NETWORK

stopping = partial(stopping_in, network=NETWORK)
killed_at = partial(killed_at_in, network=NETWORK)


@pytest.fixture
def start(haulier) -> Iterator[Callable[..., Process]]:
    """Starts processes that work off the queue of the haulier."""
    script = Path(__file__).with_name("dispatch_once.py")

    def make(**extra) -> Process:
        told = json.dumps({**haulier.extra, "first_byte_timeout_s": 30, "pdf_first_byte_timeout_s": 30, **extra})
        keys = json.dumps(haulier.keys())
        return Process(script, haulier.dsn, haulier.root, deployment_file(haulier), haulier.folder, keys, told)

    yield from started(make)


def deployment_file(house: House) -> Path:
    """The deployment of the house, with the template it has laid over the shipped one."""
    template = house.plan.network(NETWORK).template
    assert template
    named = {"palletways.yaml": str(template), "palletforce.yaml": str(DEPLOYMENT.with_name("palletforce.yaml"))}
    file = house.folder.with_name("deployment.yaml")
    text = DEPLOYMENT.read_text("utf-8")
    for name, path in named.items():
        text = text.replace(f"template: {name}", f"template: {path}")
    file.write_text(text, "utf-8")
    return file


def ready(house: House) -> int:
    """An order that waits to be sent."""
    order = house.order()
    house.dispatch(order)
    return order


def assert_whole_after_another_run(house: House, order: int, submissions: int = 1) -> None:
    """The leases of what the killed process held end, and the queue is worked off again."""
    house.play_out()
    [held] = house.in_network(order)
    assert house.state(order) == "completed"
    assert house.fact(order, "tracking_number") == held["tracking_id"]
    assert len(house.labels(order)) == 1
    assert len(house.submissions()) == submissions
    assert house.items(parked=True) == {}


def asked(house: House, method: str, times: int = 1) -> Callable[[], bool]:
    return lambda: house.methods().count(method) >= times


@pytest.mark.rule("PW-7.1-4", "PW-7.1-6")
def test_killed_while_it_was_validated(haulier, start):
    order = ready(haulier)
    haulier.sim.switch(slow={SUBMIT: {"value": 60, "times": 1}})
    process = start()
    until(asked(haulier, SUBMIT))
    process.kill()
    assert (haulier.task(order).sent_at, haulier.in_network(order)) == (None, [])
    assert_whole_after_another_run(haulier, order)


@pytest.mark.rule("PW-7.1-6")
def test_killed_before_the_submission_was_written_down(haulier, start):
    order = ready(haulier)
    killed_at(haulier.dsn, "dispatch_tasks", start)
    assert haulier.task(order).sent_at is None
    assert haulier.submissions() == []
    assert_whole_after_another_run(haulier, order)


@pytest.mark.rule("PW-7.1-6", "PW-7.1-7")
@pytest.mark.parametrize("stored", [True, False])
def test_killed_while_the_network_was_answering(haulier, start, stored):
    order = ready(haulier)
    haulier.settle(preflight=False)
    fault = {"slow": {SUBMIT: {"value": 60, "times": 1}}} if stored else {"hang": {SUBMIT: {"value": True, "times": 1}}}
    haulier.sim.switch(**fault)
    process = start()
    until(asked(haulier, SUBMIT))
    process.kill()
    assert haulier.task(order).sent_at is not None
    assert len(haulier.in_network(order)) == stored
    assert_whole_after_another_run(haulier, order, submissions=1 if stored else 2)


@pytest.mark.rule("PW-7.1-4", "PW-7.1-7")
def test_killed_after_the_answer_and_before_it_was_stored(haulier, start):
    order = ready(haulier)
    killed_at(haulier.dsn, None, start)
    assert len(haulier.in_network(order)) == 1
    assert haulier.state(order) == "waiting"
    assert_whole_after_another_run(haulier, order)


@pytest.mark.rule("PW-7.1-7")
@pytest.mark.parametrize("method", ["conStatusByCustRef", "consEntered"])
def test_killed_while_it_was_looked_for(haulier, start, method):
    haulier.settle(preflight=False)
    haulier.impatient()
    order = ready(haulier)
    haulier.sim.switch(hang={SUBMIT: {"value": True, "times": 1}})
    haulier.work("dispatch")
    if haulier.methods().count(method):
        haulier.advance(121)
    before = haulier.methods().count(method)
    haulier.sim.switch(slow={method: {"value": 60, "times": 1}})
    process = start()
    until(asked(haulier, method, before + 1))
    process.kill()
    assert haulier.state(order) == "unknown"
    assert_whole_after_another_run(haulier, order, submissions=2)


@pytest.mark.rule("PW-7.1-5")
def test_killed_while_a_late_tracking_id_was_asked_for(haulier, start):
    haulier.sim.switch(tracking_delay_s=90)
    order = haulier.sent()
    haulier.advance(301)
    haulier.sim.switch(slow={"conStatusById": {"value": 60, "times": 1}})
    process = start()
    until(asked(haulier, "conStatusById"))
    process.kill()
    assert haulier.state(order) == "completed"
    assert_whole_after_another_run(haulier, order)


@pytest.mark.rule("PW-7.1-4", "PW-2.9-1")
@pytest.mark.parametrize("table", ["documents", None])
def test_killed_while_a_label_was_fetched_or_stored(haulier, start, table):
    order = ready(haulier)
    haulier.work("dispatch")
    if table:
        with stopping(haulier.dsn, table) as until_stopped:
            process = start()
            until_stopped()
            process.kill()
    else:
        haulier.sim.switch(slow={"getLabelsByTID": {"value": 60, "times": 1}})
        process = start()
        until(asked(haulier, "getLabelsByTID"))
        process.kill()
    assert haulier.labels(order) == []
    assert_whole_after_another_run(haulier, order)


@pytest.mark.rule("PW-7.1-8")
@pytest.mark.parametrize("stage", ["deleting", "storing"])
def test_killed_while_it_was_deleted(haulier, start, stage):
    haulier.settle(key_kind="customer")
    haulier.template("dispatch: {confirm: false}\n" + TEMPLATE)
    order = haulier.sent()
    haulier.cancel(order)
    if stage == "deleting":
        haulier.sim.switch(slow={DELETE: {"value": 60, "times": 1}})
        process = start()
        until(asked(haulier, DELETE))
        process.kill()
    else:
        with stopping(haulier.dsn, None) as until_stopped:
            process = start()
            until_stopped()
            process.kill()
    assert (haulier.state(order), haulier.in_network(order)) == ("completed", [])
    haulier.play_out()
    assert (haulier.state(order), haulier.fact(order, "lifecycle_status")) == ("todo", "CANCELLED")
    assert haulier.history(order).count("cancelled in the network") == 1
    assert haulier.review(order) is None
    assert haulier.items(parked=True) == haulier.items(parked=False) == {}
