"""The task that works dispatches off, with connections as Airflow gives them (contract 1.3, 7)."""

import json

import pytest
from psycopg.conninfo import conninfo_to_dict
from tests.conftest import PROJECT

from palletflow.deployment import VARIABLE
from palletflow.documents.storage import VARIABLE as DOCUMENTS
from palletflow.networks.palletforce.operators import PalletforceDispatchOperator
from palletflow.networks.palletforce.simulator import ACCESS_KEYS


@pytest.fixture
def deployed(house, monkeypatch, tmp_path):
    """Sets the order store and the depots' connections; gives a function that sets one of them again."""
    parts = conninfo_to_dict(house.dsn)
    store = {
        "conn_type": "postgres", "host": parts.get("host"), "port": int(parts.get("port", 5432)),
        "login": parts.get("user"), "password": parts.get("password"), "schema": parts.get("dbname"),
    }  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_ORDER_STORE", json.dumps(store))
    monkeypatch.setenv(VARIABLE, str(PROJECT / "include" / "deployment.yaml"))
    monkeypatch.setenv(DOCUMENTS, str(tmp_path / "documents"))

    def connect(depot: str, key: str = "", host: str = "") -> None:
        content = {
            "conn_type": "palletforce", "host": host or house.simulator.base_url,
            "password": key or ACCESS_KEYS[depot], "extra": {"allow_http": True, "read_timeout_s": 5},
        }  # fmt: skip
        monkeypatch.setenv(f"AIRFLOW_CONN_PALLETFORCE_{depot}", json.dumps(content))

    for depot in ACCESS_KEYS:
        connect(depot)
    return connect


@pytest.fixture
def drain(monkeypatch):
    monkeypatch.setattr(PalletforceDispatchOperator, "linger_s", 0.0)
    return lambda: PalletforceDispatchOperator(task_id="drain").execute({})


def of_leeds(house) -> int:
    order = house.order(customer="AIRESIDE", account="LDS 001", pickup={"postcode": "LS9 8AA", "town": "Leeds"})
    house.dispatch(order, depot="901")
    return order


@pytest.mark.rule("PF-7-1", "PF-7-5")
def test_one_task_sends_and_fetches_everything_and_says_how_much(house, deployed, drain):
    order = house.order()
    house.dispatch(order)

    assert drain() == {"dispatch": {"done": 1}, "network_labels": {"done": 2}, "routing": {"done": 1}}
    assert house.state(order) == "completed"
    assert len(house.of_order(order)) == 1
    assert drain() == {}


@pytest.mark.rule("PF-1.3-16")
def test_a_refused_key_stops_its_own_depot_only_and_is_not_tried_with_every_order(house, deployed, drain):
    deployed("900", key="revoked")
    orders = [house.order(reference=f"SO-{number}") for number in range(3)]
    for order in orders:
        house.dispatch(order)
    leeds = of_leeds(house)
    drain()

    assert house.state(leeds) == "completed"
    assert [house.state(order) for order in orders] == ["waiting"] * 3
    assert house.rows("SELECT connection FROM connection_flags") == [("palletforce_900",)]
    assert house.items(parked=True) == {}
    refused = [one for one in house.simulator.journal() if one["outcome"] == "UNAUTHORISED"]
    assert 1 <= len(refused) <= 3

    deployed("900")
    house.advance(150)
    drain()
    house.advance(150)
    drain()
    assert [house.state(order) for order in orders] == ["completed"] * 3
    assert house.rows("SELECT connection FROM connection_flags") == []


@pytest.mark.rule("PF-1.3-16")
def test_a_missing_or_wrong_connection_stops_its_own_depot_only(house, deployed, drain, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_PALLETFORCE_900")
    deployed("902", host="no address at all")
    order = house.order()
    house.dispatch(order)
    leeds = of_leeds(house)
    drain()

    assert (house.state(leeds), house.state(order)) == ("completed", "waiting")
    [(connection, reason)] = house.rows("SELECT connection, reason FROM connection_flags")
    assert connection == "palletforce_900"
    assert "no Airflow connection" in reason


@pytest.mark.rule("PF-1.3-11")
def test_a_pause_the_network_asks_for_is_everybody_s_and_nobody_waits_for_it(house, deployed, drain):
    house.simulator.fault("http_429", "UploadManifest", retry_after=60)
    orders = [house.order(reference=f"SO-{number}") for number in range(3)]
    for order in orders:
        house.dispatch(order)
    counts = drain()

    assert counts["dispatch"].get("postponed", 0) >= 1
    assert "waiting" in [house.state(order) for order in orders]
    assert house.rows("SELECT budget FROM call_budgets WHERE paused_until > now()") == [("palletforce_900",)]
    assert house.items(parked=True) == {}
    house.conn.execute("UPDATE call_budgets SET paused_until = now()")
    house.advance(60)
    drain()
    assert [house.state(order) for order in orders] == ["completed"] * 3
    assert sum(len(house.of_order(order)) for order in orders) == 3
