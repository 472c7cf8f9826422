"""The web services of Palletways as Airflow knows them: connections, their form and Test button (contract 1)."""

import json
import logging
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module, resources
from pathlib import Path

import jsonschema
import pytest
from airflow.providers_manager import ProvidersManager
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from psycopg.conninfo import conninfo_to_dict
from tests.conftest import PROJECT
from tests.networks.nexus.answering import DEADLINE_S, answered
from tests.networks.palletways.clients import (
    CANARY,
    ENCODED_KEY,
    KEY,
    NOT_AUTHORISED,
    NOT_AVAILABLE,
    OWNER,
    clock,
    data,
    serve,
)

from palletflow.airflow.provider import get_provider_info
from palletflow.checked_yaml import FileFault
from palletflow.deployment import VARIABLE
from palletflow.network_errors import Misconfigured, Throttled
from palletflow.networks.palletways import connection_types, settings
from palletflow.networks.palletways import hook as hooks
from palletflow.networks.palletways.connection_types import CONNECTION_TYPES, WEB_SERVICES
from palletflow.networks.palletways.errors import KeyRefused, MethodUnavailable
from palletflow.networks.palletways.hook import PalletwaysHook
from palletflow.store import connection_flags
from palletflow.work.flagged import ConnectionFlagged

__all__ = ["clock", "serve"]
NOWHERE = "https://palletways.invalid"  # never to be asked


@pytest.fixture(autouse=True)
def deployed(monkeypatch):
    monkeypatch.setenv(VARIABLE, str(PROJECT / "include" / "deployment.yaml"))


@pytest.fixture
def connection(monkeypatch):
    """Sets a connection; no database is asked. Gives its hook."""

    def make(name="palletways_123", *, root=NOWHERE, login="123", password=KEY, extra=None):
        if not isinstance(extra, str):
            extra = {"allow_http": True, "api2_base": root, "portal_base": f"{root}/api", **(extra or {})}
        content = {"conn_type": "palletways", "login": login, "password": password, "extra": extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(content))
        return PalletwaysHook(name)

    return make


@pytest.fixture
def order_store(monkeypatch, dsn):
    """The order store as Airflow has it."""
    parts = conninfo_to_dict(dsn)
    content = {
        "conn_type": "postgres", "host": parts.get("host"), "port": int(parts.get("port", 5432)),
        "login": parts.get("user"), "password": parts.get("password"), "schema": parts.get("dbname"),
    }  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_ORDER_STORE", json.dumps(content))
    return dsn


@pytest.fixture
def house(connection, order_store, palletways_sim):
    """The order store and every depot's connection to the simulator."""

    def connect(depot, **given):
        made = {"root": palletways_sim.root, "login": depot, "password": palletways_sim.keys[depot], **given}
        return connection(f"palletways_{depot}", **made)

    for depot in ("123", "124"):
        connect(depot)
    return connect


# A connection


@pytest.mark.rule("PW-1.1-1", "PW-1.1-2", "PW-1.1-7")
def test_a_connection_becomes_settings(connection):
    found = connection(extra={"calls_per_minute": "30", "own_depots": "123, 125"}).settings()
    assert (found.connection, found.depot, found.key) == ("palletways_123", "123", KEY)
    assert (found.calls_per_minute, found.own_depots) == (30, ("123", "125"))


@pytest.mark.parametrize("extra", ["calls_per_minute=50", "[1, 2]", '"text"'])
def test_extra_that_is_no_json_object_is_refused_and_not_taken_for_empty(connection, extra):
    with pytest.raises(Misconfigured, match="connection 'palletways_123': Extra is not a JSON object"):
        connection(extra=extra).settings()


def test_a_connection_that_does_not_exist_is_named():
    with pytest.raises(AirflowNotFoundException, match="palletways_nowhere"):
        PalletwaysHook("palletways_nowhere").settings()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"login": ""}, "the Login is no depot number of 3 digits"),
        ({"password": ""}, "the Password (API key) is empty"),
        ({"extra": {"calls_per_minute": "many"}}, "Extra 'calls_per_minute' is not usable"),
        ({"extra": {"depots": "123"}}, "unknown settings depots"),
    ],
)
def test_the_test_button_says_what_is_wrong_with_the_connection(connection, wrong, said):
    works, message = connection(**wrong).test_connection()
    assert not works
    assert said in message
    assert CANARY not in message


@pytest.mark.rule("PW-2.1-2", "PW-1.4-3")
def test_the_test_button_asks_keytest_within_the_budget(house, palletways_sim, conn):
    assert house("123").test_connection() == (True, "Palletways answers and accepts the API key.")
    works, message = house("123", password="wrong").test_connection()
    assert not works
    assert "not authorised" in message
    assert "Correct the connection's password" in message
    assert [call["method"] for call in palletways_sim.journal()] == ["keytest", "keytest"]
    assert conn.execute("SELECT cardinality(starts) FROM call_windows").fetchone() == (2,)


@pytest.mark.rule("PW-2.1-2")
def test_the_test_button_warns_of_another_depots_key(house, palletways_sim):
    works, message = house("124", password=palletways_sim.keys["123"]).test_connection()
    assert works
    assert message.endswith("But the key belongs to depot 123, and the connection's Login says 124.")


@pytest.mark.rule("PW-1.4-5")
def test_without_the_order_store_the_test_button_calls_nobody(connection, serve, monkeypatch):
    server = serve(answered(200, OWNER))
    store = {"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "login": "nobody", "schema": "none"}
    monkeypatch.setenv("AIRFLOW_CONN_ORDER_STORE", json.dumps(store))
    works, message = connection(root=server.root).test_connection()
    assert not works
    assert "The order store does not answer" in message
    assert server.requests == []


@pytest.mark.rule("PW-1.3-5")
def test_the_test_button_asks_anew_which_methods_there_are(connection, order_store, serve, plan):
    server = serve(answered(200, NOT_AVAILABLE))
    hook = connection(root=server.root)
    with hooks.opened(plan, "palletways_123") as access, pytest.raises(MethodUnavailable):
        access.client.check()
    asked = len(server.requests)
    with hooks.opened(plan, "palletways_123") as access, pytest.raises(MethodUnavailable):
        access.client.check()
    assert len(server.requests) == asked
    assert hook.test_connection()[0] is False
    assert len(server.requests) == 2 * asked


@pytest.mark.rule("PW-1.1-13")
@pytest.mark.parametrize("form", [KEY, ENCODED_KEY])
def test_airflows_logs_show_the_key_in_no_form(connection, form):
    from airflow.sdk._shared.secrets_masker import redact

    connection().settings()
    assert redact(f"called /keytest?apikey={form}&output=xml") == "called /keytest?apikey=***&output=xml"


@pytest.mark.rule("PW-1.1-13")
def test_neither_hook_nor_errors_show_the_key(connection, caplog):
    caplog.set_level(logging.DEBUG)
    hook = connection(extra={"calls_per_minute": "many"})
    with pytest.raises(Misconfigured) as caught:
        hook.settings()
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert CANARY not in f"{hook!r}{vars(hook)}{caplog.text}"


# All depots


@pytest.mark.rule("PW-1.1-7")
def test_each_depot_is_reached_with_its_own_key(house, palletways_sim, plan, conn):
    own = palletways_sim.add(depot="124")
    with hooks.reaching(plan) as reach:
        assert reach(conn, "124").client.consignment(own)
        assert reach(conn, "124").mapper.version
        assert reach(conn, "123").client.check() == ""


@pytest.mark.rule("PW-1.4-1")
def test_all_depots_share_one_budget(house, plan, conn):
    with hooks.reaching(plan) as one, hooks.reaching(plan) as other:
        for reach in (one, other):
            for depot in ("123", "124"):
                reach(conn, depot).client.check()
    assert conn.execute("SELECT rate_group, cardinality(starts) FROM call_windows").fetchall() == [
        ("palletways-egress", 4)
    ]


def test_depots_with_the_same_connection_share_one_client(house, palletways_sim, plan, conn):
    network = plan.networks["palletways"]
    shared = replace(
        plan,
        networks={
            **plan.networks, "palletways": replace(network, depots={**network.depots, "124": "palletways_123"})
        },
    )  # fmt: skip
    together = threading.Barrier(8)

    with hooks.reaching(shared) as reach:
        clients = [reach(conn, depot).client for depot in ("123", "124")] * 4
        assert len({id(client) for client in clients}) == 1

        def ask(client):
            together.wait(DEADLINE_S)
            return client.check()

        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(ask, client) for client in clients]
            assert [one.result(DEADLINE_S) for one in asked] == [""] * 8


@pytest.mark.rule("PW-1.3-1")
def test_a_pause_is_left_to_the_queue(connection, order_store, serve, plan, conn):
    server = serve(answered(429, Retry_After="100"), answered(200, data()))
    for depot in ("123", "124"):
        connection(f"palletways_{depot}", root=server.root, login=depot)
    with hooks.reaching(plan) as reach:
        for depot in ("123", "124"):
            with pytest.raises(Throttled):
                reach(conn, depot).client.notes_of("60000000017")
    assert len(server.requests) == 1


def test_a_connection_that_is_wrong_stops_only_its_own_depots(house, plan, conn, monkeypatch):
    house("124", login="no depot")
    with hooks.reaching(plan) as reach:
        reach(conn, "123").client.check()
        with pytest.raises(Misconfigured, match="'palletways_124': the Login is no depot number"):
            reach(conn, "124")
        with pytest.raises(FileFault, match="999 is not listed"):
            reach(conn, "999")
    monkeypatch.delenv("AIRFLOW_CONN_PALLETWAYS_124")
    with (
        hooks.reaching(plan) as reach,
        pytest.raises(Misconfigured, match="'palletways_124': there is no Airflow connection of this id"),
    ):
        reach(conn, "124")


@pytest.mark.rule("PW-1.3-7")
def test_a_flagged_connection_is_not_used_until_keytest_passes(house, palletways_sim, plan, conn):
    house("123", password="wrong")
    for name in ("palletways_123", "palletways_124"):
        connection_flags.raise_flag(conn, name, "not authorised")
    conn.execute("UPDATE connection_flags SET checked_at = checked_at - interval '1 hour'")

    with hooks.reaching(plan) as reach:
        reach(conn, "124")
        with pytest.raises(ConnectionFlagged):
            reach(conn, "123")

    assert connection_flags.reason(conn, "palletways_124") is None
    assert connection_flags.reason(conn, "palletways_123") == "not authorised"
    assert [call["method"] for call in palletways_sim.journal()] == ["keytest", "keytest"]


@pytest.mark.rule("PW-1.3-5", "PW-1.3-7")
def test_runs_one_after_the_other_remember_what_is_closed(connection, order_store, serve, plan):
    server = serve(answered(200, NOT_AVAILABLE))
    connection(root=server.root)
    for _ in range(2):
        with hooks.opened(plan, "palletways_123") as access, pytest.raises(MethodUnavailable):
            access.client.photos("60000000017")
    assert [request.path.split("/")[2] for request in server.requests] == ["podimages", "rpodimages"]


def test_the_poll_opens_one_connection(connection, order_store, serve, plan):
    server = serve(answered(200, NOT_AUTHORISED))
    connection(root=server.root)
    with pytest.raises(KeyRefused), hooks.opened(plan, "palletways_123") as access:
        access.client.notes_since(0)


# What Airflow is told


def test_the_provider_description_is_one_airflow_accepts():
    full = json.loads((resources.files("airflow") / "provider.yaml.schema.json").read_text("utf-8"))
    info = json.loads((resources.files("airflow") / "provider_info.schema.json").read_text("utf-8"))
    jsonschema.validate(get_provider_info(), info)
    jsonschema.validate(CONNECTION_TYPES, full["properties"]["connection-types"])


def test_the_connection_type_leads_to_its_hook_and_form():
    module, _, name = WEB_SERVICES["hook-class-name"].rpartition(".")
    hook = getattr(import_module(module), name)
    assert (hook.conn_type, hook.hook_name) == (WEB_SERVICES["connection-type"], WEB_SERVICES["hook-name"])
    assert set(WEB_SERVICES["ui-field-behaviour"]["hidden-fields"]).isdisjoint({"description", "password", "extra"})
    plain = settings.parse("x", "123", KEY, {})
    for field, shown in WEB_SERVICES["conn-fields"].items():
        assert field in settings.READERS
        assert "null" in shown["schema"]["type"]  # an untouched field must not stop the form from being saved
        if "default" in shown["schema"]:
            assert shown["schema"]["default"] == getattr(plain, field)


def test_airflow_itself_finds_the_installed_connection_type():
    manager = ProvidersManager()
    assert "extra__palletways__capabilities" in manager.connection_form_widgets
    assert manager.field_behaviours["palletways"]["relabeling"]["login"] == "Depot number"
    assert isinstance(Connection(conn_id="palletways_123", conn_type="palletways").get_hook(), PalletwaysHook)


def test_connection_types_are_read_without_importing_airflow():
    source = Path(connection_types.__file__).read_text("utf-8")
    assert "import airflow" not in source
    assert "from airflow" not in source
