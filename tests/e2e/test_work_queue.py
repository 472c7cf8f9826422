"""The work queue in the running deployment: woken when there is work, one run a burst, none while there is nothing."""

from collections.abc import Iterator

import psutil
import pytest
from tests.e2e.waiting import PATIENCE_S, until

from palletflow.sandbox import process_tree
from palletflow.sandbox.house import House
from palletflow.store import work_items
from palletflow.store.connection import Connection, DatabaseUnavailable, connect

DAG, NETWORK = "work_queue", "nonet"


@pytest.fixture(scope="module")
def store(house) -> Iterator[Connection]:
    until(lambda: DAG in {dag["dag_id"] for dag in house.api.all("dags", "dags")})
    until(lambda: house.api.get(f"dags/{DAG}/dagRuns")["dag_runs"])  # the first sweep, at once
    with connect(house.order_store_dsn) as conn:
        conn.execute("CREATE TABLE work_done (key text, at timestamptz DEFAULT clock_timestamp())")
        yield conn


def runs(house: House) -> list[dict]:
    """The runs that a watcher started; sweeps by the clock are none of our business."""
    return house.api.get(f"dags/{DAG}/dagRuns", run_type="asset_triggered")["dag_runs"]


def until_idle(house: House) -> None:
    """Waits until no run of any kind is on."""
    until(lambda: all(run["end_date"] for run in house.api.get(f"dags/{DAG}/dagRuns")["dag_runs"]))


def enqueue(store: Connection, *keys: str, kind: str = "note") -> None:
    work_items.enqueue(store, NETWORK, kind, keys)


def until_done(store: Connection, *keys: str) -> None:
    query = "SELECT key FROM work_done WHERE key = ANY (%s)"
    until(lambda: {key for (key,) in store.execute(query, (list(keys),))} == set(keys))


def end(house: House, component: str) -> None:
    """Ends one of this house's processes, another house may stand beside it; the supervisor starts it again."""
    [process] = [
        child
        for child in psutil.Process().children()
        if (of := child.environ()).get(process_tree.MARK, "").endswith(f"/{component}")
        and of.get("AIRFLOW_HOME") == house.environment["AIRFLOW_HOME"]
    ]
    process.terminate()
    process.wait(PATIENCE_S)


def test_an_idle_deployment_is_woken_and_a_burst_is_one_run(house, store):
    until_idle(house)
    before = len(runs(house))

    enqueue(store, "first")
    until_done(store, "first")
    for number in range(30):
        enqueue(store, f"burst {number}")
    until_done(store, *(f"burst {number}" for number in range(30)))

    until(lambda: len(runs(house)) > before)
    until_idle(house)
    assert len(runs(house)) == before + 1


def test_a_refused_item_is_parked_and_the_run_succeeds(house, store):
    enqueue(store, "wrong", kind="refuse")
    [parked] = until(lambda: work_items.listed(store, parked=True, network=NETWORK))
    assert (parked.key, parked.reason) == ("wrong", "wrong is refused on purpose")
    until_idle(house)
    assert {run["state"] for run in house.api.get(f"dags/{DAG}/dagRuns")["dag_runs"]} == {"success"}


def test_what_is_enqueued_while_the_triggerer_is_away_is_worked_on_when_it_is_back(house, store):
    until_idle(house)
    end(house, "triggerer")
    enqueue(store, "unheard")
    until_done(store, "unheard")


def test_a_crash_of_postgres_in_the_middle_loses_nothing(house, store):
    enqueue(store, "before")
    until_done(store, "before")
    keys = [f"crash {number}" for number in range(200)]
    enqueue(store, *keys)
    server = psutil.Process(store.info.backend_pid).parent()
    assert server
    server.kill()

    store = until(lambda: reopened(house))
    until_done(store, *keys)
    enqueue(store, "after")
    until_done(store, "after")
    assert store.execute("SELECT count(*) FROM work_done WHERE key LIKE 'crash%'").fetchone() == (len(keys),)
    store.close()


def reopened(house: House) -> Connection | None:
    try:
        return connect(house.order_store_dsn)
    except DatabaseUnavailable:
        return None
