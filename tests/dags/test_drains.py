"""Every pipeline that drains work, with the shipped deployment file and the sandbox's connections."""

from pathlib import Path

import pytest

from palletflow.airflow.work import DrainOperator
from palletflow.discovery import network_names, network_part
from palletflow.sandbox import networks

PROJECT = Path(__file__).parents[2]
DRAINS = [
    kind
    for network in network_names()
    for kind in vars(network_part(network, "operators")).values()
    if isinstance(kind, type) and issubclass(kind, DrainOperator) and hasattr(kind, "limits")
]


@pytest.mark.parametrize("drain", DRAINS, ids=lambda drain: drain.__name__)
def test_a_drain_has_a_handler_of_each_of_its_kinds(drain, dsn, monkeypatch, tmp_path):
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", str(PROJECT / "include" / "deployment.yaml"))
    monkeypatch.setenv("PALLETFLOW_DOCUMENTS", str(tmp_path))
    monkeypatch.setenv("AIRFLOW_CONN_ORDER_STORE", dsn)
    ports = dict.fromkeys(networks.servers(drain.network), 9)  # nothing is called
    for name, connection in networks.connections(drain.network, "http://127.0.0.1:9", ports).items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", connection)

    with drain(task_id="drain").handlers({}) as handlers:
        assert set(handlers) == set(drain.limits)
        assert all(map(callable, handlers.values()))
