"""A dispatch killed between two of its steps, run again, ends like an undisturbed one: one consignment, its labels."""

import json
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.killing import DEPLOYMENT, Process, started, until
from tests.killing import killed_at as killed_at_in
from tests.killing import stopping as stopping_in
from tests.networks.palletforce.dispatching import House
from tests.networks.palletforce.test_dispatch_faults import assert_dispatched

from palletflow.networks.palletforce.mapper import NETWORK


@pytest.fixture
def start(house, tmp_path) -> Iterator[Callable[..., Process]]:
    """Starts processes that work off the queue of the house."""
    script = Path(__file__).with_name("dispatch_once.py")

    def make(base_url: str = "", **extra) -> Process:
        told = json.dumps({"read_timeout_s": 30, **extra})
        return Process(
            script, house.dsn, base_url or house.simulator.base_url, DEPLOYMENT, tmp_path / "documents", told
        )

    yield from started(make)


stopping = partial(stopping_in, network=NETWORK)
killed_at = partial(killed_at_in, network=NETWORK)


def ready(house: House, **changes) -> int:
    """An order that waits to be sent."""
    order = house.order(**changes)
    house.dispatch(order)
    return order


def seen(house: House, operation: str, count: int = 1) -> Callable[[], bool]:
    return lambda: house.calls().count(operation) >= count


def assert_whole_after_another_run(house: House, order: int) -> None:
    """The leases of what the killed process held end, and the queue is worked off again."""
    house.play_out()
    assert_dispatched(house, order)


@pytest.mark.rule("PF-7-4")
def test_killed_before_the_sending_is_written_down(house, start):
    order = ready(house)
    killed_at(house.dsn, "dispatch_tasks", start)

    task = house.task(order)
    assert (task.state, task.sent_at, task.sends, house.calls()) == ("waiting", None, 0, [])
    assert_whole_after_another_run(house, order)
    assert len(house.uploads()) == 1


@pytest.mark.rule("PF-7-4", "PF-1.3-13")
def test_killed_after_it_was_written_down_and_before_the_network_had_it(house, start):
    order = ready(house)
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        process = start(base_url=f"http://127.0.0.1:{nobody.getsockname()[1]}/api")
        until(lambda: house.task(order).sends == 1)
        process.kill()

    task = house.task(order)
    assert (task.state, house.calls()) == ("waiting", [])
    assert task.sent_at is not None
    house.advance(61)
    house.work()
    assert house.state(order) == "unknown"
    assert_whole_after_another_run(house, order)
    assert len(house.uploads()) == 1


@pytest.mark.rule("PF-7-4", "PF-1.3-13")
def test_killed_while_the_network_was_answering(house, start):
    order = ready(house)
    house.simulator.fault("slow", "UploadManifest", seconds=60)
    process = start()
    until(seen(house, "UploadManifest"))
    process.kill()

    assert house.state(order) == "waiting"
    assert_whole_after_another_run(house, order)
    assert len(house.uploads()) == 1


@pytest.mark.rule("PF-7-4")
def test_killed_after_the_answer_and_before_it_was_stored(house, start):
    order = ready(house)
    killed_at(house.dsn, None, start)

    assert (house.state(order), house.fact(order, "registered")) == ("waiting", False)
    assert len(house.of_order(order)) == 1
    assert_whole_after_another_run(house, order)
    assert len(house.uploads()) == 1


@pytest.mark.rule("PF-7-4")
def test_killed_before_the_lost_answer_was_written_down(house, start):
    order = ready(house)
    house.simulator.fault("timeout_after_accept", "UploadManifest")
    process = start(read_timeout_s=3)
    until(seen(house, "UploadManifest"))
    with stopping(house.dsn, "dispatch_tasks") as until_stopped:
        until_stopped()
        process.kill()

    assert house.state(order) == "waiting"
    assert_whole_after_another_run(house, order)
    assert len(house.uploads()) == 1


@pytest.mark.rule("PF-7-3")
def test_killed_between_refused_notifications_and_the_sending_without_them(house, start):
    order = ready(house, customer="SOARTILES", account="LEI 002", notification_email="in@example.com")
    house.simulator.fault("slow", "UploadManifest", seconds=2)
    process = start()
    until(seen(house, "UploadManifest"))
    with stopping(house.dsn, "dispatch_tasks") as until_stopped:
        until_stopped()
        process.kill()

    assert house.of_order(order) == []
    assert_whole_after_another_run(house, order)


@pytest.mark.rule("PF-7-4")
def test_killed_after_a_look_up_and_before_its_find_was_stored(house, start):
    house.simulator.fault("timeout_after_accept", "UploadManifest")
    order = house.sent()
    house.advance(60)
    killed_at(house.dsn, None, start)

    assert (house.state(order), house.fact(order, "registered")) == ("unknown", False)
    assert_whole_after_another_run(house, order)
    assert len(house.uploads()) == 1


@pytest.mark.rule("PF-7-8")
def test_killed_while_it_was_sent_again(house, start):
    house.simulator.fault("timeout_before_accept", "UploadManifest")
    order = house.sent()
    house.later(60, 60)
    house.advance(180)
    house.simulator.fault("slow", "UploadManifest", seconds=60)
    process = start()
    until(seen(house, "UploadManifest", 2))
    process.kill()

    assert (house.state(order), house.task(order).resent) == ("unknown", True)
    assert_whole_after_another_run(house, order)
    assert len(house.uploads()) == 2


@pytest.mark.rule("PF-7-5")
@pytest.mark.parametrize("table", ["inbound_records", "stops", "pallet_barcodes"])
def test_killed_while_the_routing_was_stored(house, start, table):
    order = ready(house)
    killed_at(house.dsn, table, start)

    assert house.state(order) == "completed"
    assert_whole_after_another_run(house, order)
    assert len(house.uploads()) == 1


@pytest.mark.rule("PF-7-5")
def test_killed_while_a_label_was_drawn(house, start):
    order = ready(house)
    house.simulator.fault("slow", "DownloadLabel", seconds=60)
    process = start()
    until(seen(house, "DownloadLabel"))
    process.kill()

    assert house.state(order) == "completed"
    assert_whole_after_another_run(house, order)
    assert len(house.uploads()) == 1


@pytest.mark.rule("PF-7-5")
def test_killed_between_a_label_s_bytes_and_its_row(house, start):
    order = ready(house)
    killed_at(house.dsn, "documents", start)

    assert house.rows("SELECT count(*) FROM documents") == [(0,)]
    assert_whole_after_another_run(house, order)
    assert len(house.uploads()) == 1


@pytest.mark.rule("PF-7-5")
def test_killed_after_everything_was_done_nothing_is_done_again(house, start):
    order = ready(house)
    start().finish()
    assert_dispatched(house, order)
    calls = house.calls()

    start().finish()
    assert house.calls() == calls
    assert_dispatched(house, order)


def test_two_processes_that_hold_the_same_order_send_it_once(house, start):
    order = ready(house)
    with stopping(house.dsn, "dispatch_tasks") as until_stopped:
        first = start()
        until_stopped()
        # Its lease ends while it is at it, and another one takes the order as well.
        house.conn.execute("UPDATE work_items SET due_at = now()")
        second = start()
        until_stopped(2)
    for process in (first, second):
        process.finish()

    assert_whole_after_another_run(house, order)
    assert len(house.uploads()) == 1
