"""The work queue's Airflow glue: trigger, schedule, the draining task, releasing what is parked."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import pytest
from airflow.sdk import CronTriggerTimetable
from airflow.triggers.base import BaseEventTrigger

from palletflow import cli
from palletflow.airflow import order_store
from palletflow.airflow.work import MOST_S, REQUEUE_PARAMS, DrainOperator, WorkTrigger, requeue_parked, work_schedule
from palletflow.store import work_items
from palletflow.work.handling import Result

NETWORK = "palletforce"
PATIENCE_S = 20


@pytest.fixture(autouse=True)
def order_store_connection(dsn, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_ORDER_STORE", dsn)


def test_a_trigger_is_made_again_from_what_it_serializes_to():
    path, settings = WorkTrigger(NETWORK, ("dispatch", "routing")).serialize()
    module, _, name = path.rpartition(".")
    again = getattr(import_module(module), name)(**settings)
    assert again.serialize() == (path, settings)
    assert BaseEventTrigger.hash(path, settings) == BaseEventTrigger.hash(*again.serialize())


def test_a_trigger_fires_when_work_is_due(conn, monkeypatch, dsn):
    async def found() -> str:
        return dsn

    monkeypatch.setattr(order_store, "dsn_in_triggerer", found)
    work_items.enqueue(conn, NETWORK, "routing", [1])

    async def first_event() -> Any:
        events = WorkTrigger(NETWORK, ["dispatch", "routing"]).run()
        try:
            return await asyncio.wait_for(anext(events), PATIENCE_S)
        finally:
            await events.aclose()

    assert asyncio.run(first_event()).payload == {"network": NETWORK, "kinds": ["dispatch", "routing"]}


def test_a_schedule_is_the_watcher_and_the_sweep_behind_it():
    schedule = work_schedule("palletforce_dispatch", NETWORK, ["dispatch"])
    assert isinstance(schedule.timetable, CronTriggerTimetable)
    [asset] = schedule.asset_condition.objects
    assert asset.name == "palletforce_dispatch_due"
    assert [watcher.trigger.serialize()[1] for watcher in asset.watchers] == [
        {"network": NETWORK, "kinds": ["dispatch"]}
    ]
    assert MOST_S < 600, "a drain begins nothing more when the next sweep is due"


class Operator(DrainOperator):
    """Does what `done` says, with something open that has to be closed."""

    network, limits, linger_s = NETWORK, {"dispatch": 2}, 0.0

    def __init__(self, *, done, **kwargs: Any) -> None:
        super().__init__(task_id="drain", **kwargs)
        self.done, self.is_open = done, False

    @contextmanager
    def handlers(self, context) -> Iterator[Any]:
        self.is_open = True
        yield {"dispatch": self.done}
        self.is_open = False


def test_the_task_works_off_what_is_due_and_tells_the_counts(conn):
    seen = []

    def done(_, item):
        assert operator.is_open
        seen.append(item.key)
        return Result(parked="no such number") if item.key == "2" else Result()

    work_items.enqueue(conn, NETWORK, "dispatch", [1, 2, 3])
    operator = Operator(done=done)
    assert operator.execute({}) == {"dispatch": {"done": 2, "parked": 1}}
    assert sorted(seen) == ["1", "2", "3"]
    assert not operator.is_open


def test_a_killed_task_begins_nothing_more(conn, fetch):
    begun, go_on = threading.Event(), threading.Event()

    def done(*_):
        begun.set()
        assert go_on.wait(PATIENCE_S)
        return Result()

    work_items.enqueue(conn, NETWORK, "dispatch", range(10))
    operator = Operator(done=done)
    operator.linger_s = 10 * PATIENCE_S
    operator.on_kill()  # before it runs there is nothing to stop
    running = threading.Thread(target=operator.execute, args=({},))
    running.start()
    assert begun.wait(PATIENCE_S)
    operator.on_kill()
    go_on.set()
    running.join(PATIENCE_S)
    assert not running.is_alive()
    assert fetch("SELECT count(*) FROM work_items WHERE lease IS NULL AND attempts = 0")[0][0] >= 6


@pytest.fixture
def parked(conn):
    """Three parked items of two kinds and one that waits."""
    work_items.enqueue(conn, NETWORK, "dispatch", [1, 2])
    work_items.enqueue(conn, NETWORK, "routing", [3])
    for kind in ("dispatch", "routing"):
        for item in work_items.claim(conn, NETWORK, kind, 10, 60):
            work_items.park(conn, item, f"HTTP 50{item.key}: broken")
    work_items.enqueue(conn, NETWORK, "routing", [4])
    return lambda: sorted(item.key for item in work_items.listed(conn, parked=True))


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        ({}, []),
        ({"ids": []}, []),
        ({"network": "palletforce", "kind": "routing"}, ["1", "2"]),
        ({"network": "nexus"}, ["1", "2", "3"]),
        ({"reason": "http 502"}, ["1", "3"]),
    ],
)
def test_the_form_releases_what_it_asks_for(parked, asked, left):
    params = {name: param.value for name, param in REQUEUE_PARAMS.items()}
    assert requeue_parked({"params": params | asked}) == 3 - len(left)
    assert parked() == left


def test_the_command_line_says_why_it_is_stuck_and_releases_it(parked, conn, capsys):
    assert cli.main(["work", "list"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 6
    assert "palletforce.dispatch 1 " in said[0]
    assert "parked since" in said[0]
    assert said[0].endswith("attempt 1: HTTP 501: broken")
    assert said[3].endswith("attempt 0: no failure yet")
    assert said[-1] == "palletforce.routing: 1 parked, 1 due, 0 worked on, 0 wait for later"

    assert cli.main(["work", "requeue", "--kind", "routing"]) == 0
    assert capsys.readouterr().out == "Released 1 parked items\n"
    [first, second] = work_items.listed(conn, parked=True)
    assert cli.main(["work", "requeue", str(second.id)]) == 0
    assert parked() == [first.key]
