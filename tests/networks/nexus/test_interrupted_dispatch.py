"""A dispatch killed between two of its steps, run again, ends like an undisturbed one: one consignment, one label."""

import json
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.killing import DEPLOYMENT, Process, started, until
from tests.killing import killed_at as killed_at_in
from tests.killing import stopping as stopping_in
from tests.networks.nexus.dispatching import House
from tests.networks.nexus.test_cancel import DELETE, assert_taken_back
from tests.networks.nexus.test_dispatch import CREATE, SEARCH
from tests.networks.nexus.test_dispatch_faults import assert_dispatched
from tests.networks.nexus.test_labels import LABELS

from palletflow.networks.nexus.work import DISPATCH, NETWORK


@pytest.fixture
def start(haulier) -> Iterator[Callable[..., Process]]:
    """Starts processes that work off the queue of the haulier."""
    script = Path(__file__).with_name("dispatch_once.py")

    def make(base_url: str = "", **extra) -> Process:
        told = json.dumps({"read_timeout_s": 30, **extra})
        return Process(script, haulier.dsn, base_url or haulier.nexus.base_url, DEPLOYMENT, haulier.folder, told)

    yield from started(make)


stopping = partial(stopping_in, network=NETWORK)
killed_at = partial(killed_at_in, network=NETWORK)


def ready(house: House) -> int:
    """An order that waits to be sent."""
    order = house.order()
    house.dispatch(order)
    return order


def called(house: House, method: str, ending: str) -> Callable[[], bool]:
    return lambda: any(call.startswith(method) and call.endswith(ending) for call in house.calls())


def assert_whole_after_another_run(house: House, order: int, creates: int = 1) -> None:
    """The leases of what the killed process held end, and the queue is worked off again."""
    house.play_out()
    assert_dispatched(house, order)
    assert len(house.creates()) == creates


@pytest.mark.rule("NX-6-2", "NX-6-3")
def test_killed_before_the_number_was_saved(haulier, start):
    order = ready(haulier)
    killed_at(haulier.dsn, "consignment_numbers", start)

    task = haulier.task(order)
    assert (task.state, task.sent_at, task.sends) == ("waiting", None, 0)
    assert haulier.fact(order, "consignment_number") == ""
    assert haulier.creates() == []
    assert_whole_after_another_run(haulier, order)


@pytest.mark.rule("NX-6-2", "NX-6-3", "NX-6-9")
def test_killed_after_the_number_was_saved_and_before_nexus_had_it(haulier, start):
    # So that the look-ups are in the order store; where the other process goes then, nobody answers its login.
    haulier.sent()
    haulier.later(2)
    haulier.conn.execute("DELETE FROM orders")
    order = ready(haulier)
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        process = start(base_url=f"http://127.0.0.1:{nobody.getsockname()[1]}/v1/")
        until(lambda: haulier.task(order).sends == 1)
        process.kill()

    task = haulier.task(order)
    assert (task.state, task.sent_at is not None) == ("waiting", True)
    assert haulier.fact(order, "consignment_number") == "QG0000002"
    assert task.sent_digest
    # Nobody can tell that nothing has left: it is searched for, and then sent again.
    assert_whole_after_another_run(haulier, order, creates=2)


@pytest.mark.rule("NX-6-2", "NX-6-6", "NX-6-7")
@pytest.mark.parametrize("effect", ["slow", "timeout"])
def test_killed_while_nexus_was_answering(haulier, start, effect):
    order = ready(haulier)
    options = {"seconds": 60} if effect == "slow" else {"accept": True}
    haulier.nexus.fault(effect, **CREATE, **options)
    process = start()
    until(called(haulier, "POST", "/consignments"))
    process.kill()

    task = haulier.task(order)
    assert (task.state, task.sent_at is not None) == ("waiting", True)
    assert task.sent_digest
    assert_whole_after_another_run(haulier, order)


@pytest.mark.rule("NX-6-9", "NX-6-10")
def test_killed_while_a_create_was_lost(haulier, start):
    order = ready(haulier)
    haulier.nexus.fault("timeout", **CREATE, accept=False)
    process = start()
    until(called(haulier, "POST", "/consignments"))
    process.kill()

    assert haulier.of_order(order) == []
    assert_whole_after_another_run(haulier, order, creates=2)


@pytest.mark.rule("NX-6-2", "NX-6-6", "NX-6-7")
def test_killed_after_the_answer_and_before_it_was_stored(haulier, start):
    order = ready(haulier)
    killed_at(haulier.dsn, None, start)

    assert (haulier.state(order), haulier.fact(order, "registered")) == ("waiting", False)
    assert len(haulier.of_order(order)) == 1
    assert_whole_after_another_run(haulier, order)


@pytest.mark.rule("NX-6-9")
def test_killed_before_the_lost_answer_was_written_down(haulier, start):
    order = ready(haulier)
    haulier.nexus.fault("timeout", **CREATE, accept=True)
    process = start(read_timeout_s=3)
    until(called(haulier, "POST", "/consignments"))
    with stopping(haulier.dsn, "dispatch_tasks") as until_stopped:
        until_stopped()
        process.kill()

    assert haulier.state(order) == "waiting"
    assert_whole_after_another_run(haulier, order)


@pytest.mark.rule("NX-6-6", "NX-6-7")
def test_killed_after_a_search_and_before_its_find_was_stored(haulier, start):
    haulier.nexus.fault("timeout", **CREATE, accept=True)
    haulier.nexus.fault("http_500", times=6, **SEARCH)
    order = haulier.sent()
    assert haulier.state(order) == "unknown"
    haulier.advance(10)
    killed_at(haulier.dsn, None, start)

    assert (haulier.state(order), haulier.fact(order, "registered")) == ("unknown", False)
    assert_whole_after_another_run(haulier, order)


@pytest.mark.rule("NX-6-10")
def test_killed_while_it_was_sent_again(haulier, start):
    haulier.nexus.fault("timeout", **CREATE, accept=False)
    order = haulier.sent()
    haulier.later(5, 25)
    haulier.advance(90)
    haulier.nexus.fault("slow", **CREATE, seconds=60)
    process = start()
    until(lambda: len(haulier.creates()) == 2)
    process.kill()

    assert (haulier.state(order), haulier.task(order).resent) == ("unknown", True)
    assert_whole_after_another_run(haulier, order, creates=2)


@pytest.mark.rule("NX-6-13", "NX-6-16")
def test_killed_before_the_label_came(haulier, start):
    order = ready(haulier)
    haulier.nexus.fault("slow", **LABELS, seconds=60)
    process = start()
    until(called(haulier, "GET", "/labels"))
    process.kill()

    assert (haulier.state(order), haulier.labels(order)) == ("completed", [])
    assert_whole_after_another_run(haulier, order)


@pytest.mark.rule("NX-6-13", "NX-6-16")
def test_killed_after_the_label_came_and_before_it_was_stored(haulier, start):
    order = ready(haulier)
    haulier.work(DISPATCH)
    killed_at(haulier.dsn, "documents", start)

    assert called(haulier, "GET", "/labels")()
    assert (haulier.state(order), haulier.labels(order)) == ("completed", [])
    assert_whole_after_another_run(haulier, order)


@pytest.mark.rule("NX-6-2")
def test_killed_while_it_was_read_back(haulier, start):
    order = haulier.sent()
    haulier.advance(3)
    killed_at(haulier.dsn, "dispatch_tasks", start)

    assert haulier.state(order) == "completed"
    assert_whole_after_another_run(haulier, order)


@pytest.mark.rule("NX-6-18", "NX-6-19")
def test_killed_while_nexus_was_cancelling(haulier, start):
    order = haulier.sent()
    haulier.later(2)
    haulier.cancel(order)
    haulier.nexus.fault("slow", **DELETE, seconds=60)
    process = start()
    until(called(haulier, "DELETE", ""))
    process.kill()

    assert haulier.state(order) == "completed"
    haulier.play_out()
    assert_taken_back(haulier, order)


@pytest.mark.rule("NX-6-18", "NX-6-19")
def test_killed_after_nexus_cancelled_and_before_it_was_stored(haulier, start):
    order = haulier.sent()
    haulier.later(2)
    haulier.cancel(order)
    killed_at(haulier.dsn, None, start)

    assert haulier.state(order) == "completed"
    haulier.play_out()
    assert_taken_back(haulier, order)


def test_killed_after_everything_was_done_nothing_is_done_again(haulier, start):
    order = ready(haulier)
    start().finish()
    haulier.later(2)
    assert_dispatched(haulier, order)
    calls = haulier.calls()

    start().finish()
    assert haulier.calls() == calls


@pytest.mark.rule("NX-6-4")
def test_two_processes_that_hold_the_same_order_send_it_once(haulier, start):
    order = ready(haulier)
    with stopping(haulier.dsn, "dispatch_tasks") as until_stopped:
        first = start()
        until_stopped()
        # Its lease ends while it is at it, and another one takes the order as well.
        haulier.conn.execute("UPDATE work_items SET due_at = now()")
        second = start()
        second.finish()  # it finds the consignment taken and comes again later
    first.finish()

    assert_whole_after_another_run(haulier, order)
