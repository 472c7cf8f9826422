"""The settings of a house, and that Airflow 3.3 knows every one of its options we set."""

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from airflow.providers.fab.get_provider_info import get_provider_info

from palletflow.discovery import network_part
from palletflow.sandbox.errors import SandboxError
from palletflow.sandbox.settings import PROJECT, HouseSettings, environment, from_environment, links_base_url

SERVER = "postgresql://house:p%40ss@127.0.0.1:5433/postgres?sslmode=prefer"
FREE_PORTS = {"PALLETFLOW_PORT": "0", "PALLETFLOW_POSTGRES_PORT": "0", "PALLETFLOW_SIMULATOR_PORT": "0"}


@pytest.fixture
def settings(tmp_path: Path) -> HouseSettings:
    return from_environment({"PALLETFLOW_HOME": str(tmp_path / "home"), **FREE_PORTS})


def test_airflow_knows_every_option_we_set(settings: HouseSettings) -> None:
    known = yaml.safe_load((files("airflow") / "config_templates" / "config.yml").read_text())
    known |= get_provider_info()["config"]
    ours = [name for name in environment(settings, SERVER, {}) if name.startswith("AIRFLOW__")]
    assert len(ours) > 15

    unknown = [
        name
        for name in [*ours, *links_base_url(settings, {})]
        for section, option in [name.lower().removeprefix("airflow__").split("__")]
        if option not in known.get(section, {}).get("options", {})
    ]

    assert unknown == []


def test_airflow_env_is_plain_lines_each_below_a_reason() -> None:
    lines = (PROJECT / "include" / "airflow.env").read_text().splitlines()
    explained = False
    for line in lines:
        if line.startswith("#"):
            explained = True
        elif not line:
            explained = False
        else:
            # Docker Compose would take quotes and spaces literally or not, depending on its version.
            assert re.fullmatch(r"AIRFLOW__[A-Z_]+=[^'\"\s]+", line)
            assert explained, line


def test_the_defaults_are_loopback_and_the_known_ports() -> None:
    settings = from_environment({})

    assert settings.home == PROJECT / ".palletflow"
    assert (settings.bind, settings.port, settings.postgres_port) == ("127.0.0.1", 8080, 5433)
    assert min(settings.simulator_ports.values()) == 8090
    assert settings.page == "http://localhost:8080"


def test_two_houses_with_free_ports_do_not_meet(tmp_path: Path) -> None:
    first = from_environment(FREE_PORTS)
    ports = [first.port, first.postgres_port, *first.simulator_ports.values()]

    assert all(ports)
    assert len(set(ports)) == len(ports)


@pytest.mark.parametrize("value", ["web", "70000", "-1", "80.5"])
def test_a_port_that_is_none_is_refused_by_name(value: str) -> None:
    with pytest.raises(SandboxError, match="PALLETFLOW_PORT is"):
        from_environment({"PALLETFLOW_PORT": value})


def test_the_secrets_are_made_once_long_enough_and_for_us_alone(settings: HouseSettings) -> None:
    first = environment(settings, SERVER, {})
    again = environment(settings, SERVER, {})

    for name in ("AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__API__SECRET_KEY"):
        assert first[name] == again[name]
    assert len(first["AIRFLOW__API_AUTH__JWT_SECRET"].encode()) >= 64
    assert (settings.home / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_what_airflow_env_says_can_be_overridden_and_what_the_house_decides_cannot(settings: HouseSettings) -> None:
    given = {
        "AIRFLOW__API__INSTANCE_NAME": "Night shift",
        "AIRFLOW_HOME": "/elsewhere",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:///elsewhere.db",
        "AIRFLOW_CONN_ORDER_STORE": "postgresql://elsewhere/x",
    }

    result = environment(settings, SERVER, given)

    assert result["AIRFLOW__API__INSTANCE_NAME"] == "Night shift"
    assert result["AIRFLOW_HOME"] == str(settings.home / "airflow")
    assert "/airflow?sslmode=prefer" in result["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    assert result["AIRFLOW_CONN_ORDER_STORE"].endswith("/palletflow?sslmode=prefer")


def test_a_connection_of_ones_own_replaces_the_simulated_one(settings: HouseSettings) -> None:
    given = {"AIRFLOW_CONN_PALLETFORCE_900": '{"conn_type": "palletforce", "host": "https://uat.example.com"}'}

    result = environment(settings, SERVER, given)

    assert result["AIRFLOW_CONN_PALLETFORCE_900"] == given["AIRFLOW_CONN_PALLETFORCE_900"]
    assert settings.simulator("palletforce") in result["AIRFLOW_CONN_PALLETFORCE_901"]


def test_the_palletforce_connections_are_ones_its_client_accepts(settings: HouseSettings) -> None:
    result = environment(settings, SERVER, {})
    parse = network_part("palletforce", "settings").parse

    for depot in ("900", "901", "902"):
        connection = json.loads(result[f"AIRFLOW_CONN_PALLETFORCE_{depot}"])
        read = parse(f"palletforce_{depot}", connection["host"], connection["password"], connection["extra"])
        assert read.base_url == f"{settings.simulator('palletforce')}/api/ExternalScanning"
        assert read.depot_codes == (depot,)


def test_a_proxy_of_the_machine_is_not_asked_for_loopback(settings: HouseSettings) -> None:
    result = environment(settings, SERVER, {"no_proxy": "intranet.example.com"})

    assert result["NO_PROXY"] == result["no_proxy"] == "intranet.example.com,127.0.0.1,localhost,::1"


def test_a_house_open_to_the_network_is_reached_locally_and_named_by_its_host() -> None:
    settings = from_environment({"PALLETFLOW_BIND": "0.0.0.0"})

    assert settings.reach == "http://127.0.0.1:8080"
    assert settings.page.startswith("http://")
    assert "0.0.0.0" not in settings.page
