"""What every network's folder must have; a broken one fails here and hides no other."""

import importlib
import json

import pytest
from tests.conftest import PROJECT

from palletflow import cli
from palletflow.discovery import network_names, network_part


def test_networks_are_found():
    assert "palletforce" in network_names()


@pytest.mark.parametrize("network", network_names())
def test_its_sample_record_becomes_a_consignment(network, plan):
    mapper = network_part(network, "mapper")
    record = json.loads(mapper.SAMPLE.read_text("utf-8"))
    translator = mapper.preview(plan)

    translated = translator.translate(record)

    assert translated.faults == []
    assert translated.consignment.tracking_number == translator.key(record)


@pytest.mark.parametrize("network", network_names())
def test_the_command_line_shows_what_its_sample_becomes(network, monkeypatch, capsys):
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", str(PROJECT / "include" / "deployment.yaml"))

    assert cli.main(["template", network]) == 0

    said = capsys.readouterr().out
    assert {"tracking_number", "pallet_types", "delivery"} <= {line.split()[0] for line in said.splitlines()}
    assert "rejected" not in said


@pytest.mark.parametrize("network", network_names())
def test_its_connection_types_lead_to_hooks_with_a_test_button(network):
    types = network_part(network, "connection_types").CONNECTION_TYPES
    assert types
    for connection_type in types:
        module, _, name = connection_type["hook-class-name"].rpartition(".")
        hook = getattr(importlib.import_module(module), name)
        assert hook.conn_type == connection_type["connection-type"]
        assert hook.hook_name == connection_type["hook-name"]
        assert callable(hook.test_connection)


@pytest.mark.parametrize("network", network_names())
def test_its_sandbox_connections_fit_the_deployment_file(network, plan):
    offered = network_part(network, "sandbox").sandbox_connections("http://127.0.0.1:1")
    assert set(offered) >= set(plan.network(network).depots.values())
    types = {entry["connection-type"] for entry in network_part(network, "connection_types").CONNECTION_TYPES}
    assert {connection["conn_type"] for connection in offered.values()} <= types


@pytest.mark.parametrize("network", network_names())
def test_a_change_of_its_template_changes_the_version_of_its_mapper(network, plan, tmp_path):
    mapper = network_part(network, "mapper")
    own = tmp_path / "own.yaml"
    own.write_text("extra_fields: [somethingOfOurs]\n")
    assert mapper.preview(plan, own).version != mapper.preview(plan).version
