"""Statuses killed between two steps of their way, run again, end like undisturbed ones: each once at either end."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from tests.killing import DEPLOYMENT, Process, started, until
from tests.killing import killed_at as killed_at_in
from tests.networks.nexus.tracked import Yard

from palletflow.networks.nexus.work import NETWORK

BEGUN = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=5)
POST = {"path": "consignments/*/statuses", "method": "POST"}
HISTORY = {"path": "consignments/*/statuses", "method": "GET"}
ROUND = ["At Delivery Depot", "Out for Delivery", "Delivered"]


@pytest.fixture
def yard(conn, dsn, plan, nexus_sim, tmp_path):
    made = Yard(conn, dsn, plan, nexus_sim, tmp_path)
    yield made
    made.close()


@pytest.fixture
def start(yard) -> Iterator[Callable[..., Process]]:
    """Starts processes that work off the exports of the yard, or read the statuses of one consignment."""
    script = Path(__file__).with_name("tell_once.py")

    def make(*read: int) -> Process:
        return Process(
            script, yard.dsn, yard.nexus.base_url, DEPLOYMENT, json.dumps({**yard.extra, "read_timeout_s": 60}), *read
        )

    yield from started(make)


killed_at = partial(killed_at_in, network=NETWORK)


@pytest.fixture(params=["auto", "off"])
def one(yard, request) -> int:
    """A delivery of ours of which nothing is told yet, at a Nexus with a history of statuses and at one without."""
    yard.settle(status_history=request.param)
    one = yard.create("delivery")
    for hours, (stop, event) in enumerate((("delivery_depot", "arrived"), ("delivery_depot", "completed"),
                                           ("delivery", "completed"))):  # fmt: skip
        yard.report(one, stop, event, BEGUN + timedelta(hours=hours), signatory="J SMITH")
    return one


def seen(yard: Yard, posts: int) -> Callable[[], bool]:
    return lambda: len(yard.posts()) >= posts


def assert_told_once_after_another_run(yard: Yard, one: int, posts: int) -> None:
    """The lease of what the killed process held ends, and the queue is worked off again."""
    assert yard.export() == {"done": 1}
    assert yard.at_nexus(one) == ROUND
    assert yard.told(one) == [(name, True, False) for name in ROUND]
    assert yard.waiting() == [("document_upload", str(one))]
    assert len(yard.posts()) == posts


@pytest.mark.rule("NX-8-26", "NX-8-28")
def test_not_killed(yard, start, one):
    start().finish()

    assert yard.at_nexus(one) == ROUND
    assert yard.told(one) == [(name, True, False) for name in ROUND]
    assert yard.export() == {}
    assert len(yard.posts()) == 3


@pytest.mark.rule("NX-8-26", "NX-8-28")
def test_killed_before_a_status_is_written_down(yard, start, one):
    killed_at(yard.dsn, "tracking_events", start)

    assert (yard.told(one), yard.posts()) == ([], [])
    assert_told_once_after_another_run(yard, one, posts=3)


@pytest.mark.rule("NX-8-26", "NX-8-28")
@pytest.mark.parametrize("after", [0, 1, 2])
def test_killed_after_it_was_written_down_and_before_nexus_had_it(yard, start, one, after):
    yard.nexus.fault("timeout", **POST, after=after, accept=False)
    process = start()
    until(seen(yard, after + 1))
    process.kill()

    assert yard.at_nexus(one) == ROUND[:after]
    assert [sent for _, sent, _ in yard.told(one)] == [True] * after + [False]
    assert_told_once_after_another_run(yard, one, posts=4)


@pytest.mark.rule("NX-8-26", "NX-8-28")
@pytest.mark.parametrize("after", [0, 1, 2])
def test_killed_while_nexus_was_answering(yard, start, one, after):
    yard.nexus.fault("slow", **POST, after=after, seconds=60)
    process = start()
    until(seen(yard, after + 1))
    process.kill()

    assert yard.at_nexus(one) == ROUND[: after + 1]
    assert [sent for _, sent, _ in yard.told(one)] == [True] * after + [False]
    assert_told_once_after_another_run(yard, one, posts=3)


@pytest.mark.rule("NX-8-26", "NX-8-28")
def test_killed_after_the_answer_and_before_it_was_stored(yard, start, one):
    killed_at(yard.dsn, "activity", start)

    assert yard.at_nexus(one) == ROUND[:1]
    assert yard.told(one) == [(ROUND[0], False, False)]
    assert_told_once_after_another_run(yard, one, posts=3)


@pytest.mark.rule("NX-8-26", "NX-8-27")
def test_a_poll_between_a_kill_and_the_next_run_takes_it_for_an_echo(yard, start, one):
    killed_at(yard.dsn, "activity", start)

    news = yard.poll(one)

    assert news.echoes == news.events == 1
    assert_told_once_after_another_run(yard, one, posts=3)


@pytest.mark.rule("NX-8-25")
def test_killed_while_it_was_holding_statuses_back(yard, start, one):
    yard.settle(status_export=False)
    killed_at(yard.dsn, "work_items", start)

    yard.settle(status_export=True)
    assert_told_once_after_another_run(yard, one, posts=3)


@pytest.mark.rule("NX-7-12", "NX-7-18")
@pytest.mark.parametrize("table", ["tracking_events", "stops", "work_items", "tracking_polls", "activity"])
def test_a_reading_killed_at_any_step_leaves_nothing_and_is_made_good(yard, start, fetch, table):
    """All that a reading stores is stored together."""
    one = yard.create("requesting")
    for hours, name in enumerate(("Collected", "Out for Delivery", "Delivered")):
        yard.status(one, name, hours, signatory="A Person")
    before = state(fetch)
    killed_at(yard.dsn, table, start, one)
    assert state(fetch) == before

    start(one).finish()

    assert yard.completed(one) == ["delivery"]
    assert yard.whereabouts(one) == ("DELIVERED", None)
    assert len(yard.events(one)) == 7
    assert yard.waiting() == [("document_fetch", str(one))]
    assert fetch("SELECT count(*) FROM activity WHERE kind = 'statuses read'") == [(2,)]


def state(fetch) -> list[tuple]:
    queries = (
        "SELECT count(*) FROM tracking_events", "SELECT count(*) FROM activity", "SELECT count(*) FROM work_items",
        "SELECT lifecycle_status FROM consignments",
        "SELECT kind, started_at, completed_at, signatory FROM stops ORDER BY kind",
    )  # fmt: skip
    return [row for query in queries for row in fetch(query)]
