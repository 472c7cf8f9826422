"""One running house for all end-to-end tests; what restarts or breaks it stands up its own."""

import io
import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.e2e.logins import Login, token_of
from tests.e2e.waiting import until

from palletflow.sandbox.house import House, running_house
from palletflow.sandbox.settings import from_environment
from palletflow.sandbox.terminal import Terminal
from palletflow.store.connection import Connection, connect

DAG = "palletforce_import"
FREE_PORTS = {"PALLETFLOW_PORT": "0", "PALLETFLOW_POSTGRES_PORT": "0", "PALLETFLOW_SIMULATOR_PORT": "0"}


STANDING = ExitStack()


@pytest.fixture(scope="session")
def house(tmp_path_factory) -> House:
    return STANDING.enter_context(stood_up(tmp_path_factory.mktemp("house")))


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """After the last end-to-end test, as an idle house costs the tests that follow a fifth of a core."""
    if nextitem is None or nextitem.path.parent != item.path.parent:
        STANDING.close()


@contextmanager
def stood_up(home: Path) -> Iterator[House]:
    settings = replace(from_environment(FREE_PORTS), home=home)
    with pytest.MonkeyPatch.context() as patch, running_house_with(patch, settings) as house:
        read = house.run_first()
        assert (read.broken, read.unread) == ({}, set())
        until(lambda: not house.api.has_runs_under_way(DAG))
        yield house


def running_house_with(patch, settings):
    """The house with the tests' own DAGs beside its pipelines."""
    local = "airflow.dag_processing.bundles.local.LocalDagBundle"
    bundles = [
        {"name": "dags-folder", "classpath": local, "kwargs": {}},
        {"name": "tests", "classpath": local, "kwargs": {"path": str(Path(__file__).with_name("dags"))}},
    ]
    patch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps(bundles))
    return running_house(settings, Terminal(io.StringIO()))


@pytest.fixture
def store(house) -> Iterator[Connection]:
    with connect(house.order_store_dsn) as conn:
        yield conn


@pytest.fixture(scope="session")
def admin(house: House) -> Login:
    assert house.login.password, "a new house tells its password"
    return Login(house, token_of(house, "ops", house.login.password))


@pytest.fixture(scope="session")
def viewer(house: House, admin: Login) -> Login:
    password = secrets.token_urlsafe(12)
    user = {
        "username": "clerk", "password": password, "email": "clerk@example.com", "first_name": "Only",
        "last_name": "Looking", "roles": [{"name": "Viewer"}],
    }  # fmt: skip
    made = admin("POST", "/auth/fab/v1/users", json=user)
    assert made.ok, made.text
    return Login(house, token_of(house, "clerk", password))
