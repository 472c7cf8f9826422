"""A whole house, stood up and taken down: the page, the login, the first pull, and nothing left behind."""

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest
import requests
from tests.sandbox.waiting import until

from palletflow.sandbox.errors import SandboxError
from palletflow.sandbox.house import House, running_house
from palletflow.sandbox.postgres import EmbeddedPostgres
from palletflow.sandbox.settings import HouseSettings, from_environment
from palletflow.sandbox.terminal import Terminal


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[HouseSettings]:
    ports = {"PALLETFLOW_PORT": "0", "PALLETFLOW_POSTGRES_PORT": "0", "PALLETFLOW_SIMULATOR_PORT": "0"}
    yield from_environment({**os.environ, **ports, "PALLETFLOW_HOME": str(tmp_path / "home")})
    EmbeddedPostgres(tmp_path / "home").remove()


def processes_of(settings: HouseSettings) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            in_house = process.environ().get("AIRFLOW_HOME") == str(settings.home / "airflow")
            if in_house and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def addresses_listened_on(settings: HouseSettings) -> set[str]:
    ours = {process.pid for process in processes_of(settings)}
    return {
        link.laddr.ip
        for link in psutil.net_connections("inet")
        if link.status == psutil.CONN_LISTEN and link.pid in ours
    }


def may_log_in(house: House, password: str) -> bool:
    body = {"username": "ops", "password": password}
    answer = requests.post(f"{house.api.base_url}/auth/token", json=body, timeout=30)
    assert answer.status_code in (201, 401)
    return answer.status_code == 201


def new_password(house: House) -> str:
    """What `make login` prints, run beside the house."""
    printed = subprocess.run(
        [sys.executable, "-m", "palletflow.sandbox", "login"],
        env={
            **os.environ,
            "PALLETFLOW_HOME": str(house.settings.home),
            "PALLETFLOW_PORT": str(house.settings.port),
            "PALLETFLOW_POSTGRES_PORT": str(house.settings.postgres_port),
        },
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return printed.rpartition("ops / ")[2].strip()


def test_a_slip_in_the_deployment_file_is_said_before_anything_starts(settings: HouseSettings, tmp_path: Path) -> None:
    wrong = tmp_path / "deployment.yaml"
    wrong.write_text(settings.deployment.read_text().replace("switches:", "swiches:"))

    with (
        pytest.raises(SandboxError, match="unknown key 'swiches'"),
        running_house(replace(settings, deployment=wrong), Terminal(io.StringIO())),
    ):
        pytest.fail("it must not stand up")
    assert processes_of(settings) == []


@pytest.mark.rule("PF-9-4")
def test_a_house_from_nothing_to_the_first_pull_and_down_again(settings: HouseSettings) -> None:
    with running_house(settings, Terminal()) as house:
        assert requests.get(house.api.base_url, timeout=30).status_code == 200
        assert house.login.password
        assert may_log_in(house, house.login.password)

        dags = house.run_first()
        assert not dags.broken
        assert not dags.unread
        assert "palletforce_import" in dags.running
        until("the first pull", lambda: consignments(house) > 0, seconds=180)
        assert addresses_listened_on(settings) == {"127.0.0.1"}

        replaced = new_password(house)
        assert may_log_in(house, replaced)
        assert not may_log_in(house, house.login.password)

    assert processes_of(settings) == []

    with running_house(settings, Terminal()) as again:
        assert again.login.password is None
        assert may_log_in(again, replaced)
        assert consignments(again) > 0

    assert processes_of(settings) == []


def consignments(house: House) -> int:
    with psycopg.connect(house.order_store_dsn) as connection:
        row = connection.execute("SELECT count(*) FROM consignments").fetchone()
        assert row
        return int(row[0])
