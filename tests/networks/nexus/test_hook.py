"""Nexus and Optimize as Airflow knows them: connections, their forms and Test buttons (contract 1, 10)."""

import json
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module, resources, util
from pathlib import Path

import jsonschema
import pytest
from airflow.providers_manager import ProvidersManager
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from psycopg.conninfo import conninfo_to_dict
from tests.conftest import PROJECT
from tests.networks.nexus.answering import CANARY, DEADLINE_S, PASSWORD, answered

from palletflow.airflow.provider import get_provider_info
from palletflow.checked_yaml import FileFault
from palletflow.deployment import VARIABLE
from palletflow.network_errors import Misconfigured, Throttled
from palletflow.networks.nexus import hook as hooks
from palletflow.networks.nexus import settings
from palletflow.networks.nexus.connection_types import CONNECTION_TYPES
from palletflow.networks.nexus.errors import NexusAuthError
from palletflow.networks.nexus.hook import NexusHook, OptimizeHook
from palletflow.store import connection_flags
from palletflow.work.flagged import ConnectionFlagged

HOST = "https://nexus.invalid/v1/"  # never to be asked


@pytest.fixture(autouse=True)
def deployed(monkeypatch):
    monkeypatch.setenv(VARIABLE, str(PROJECT / "include" / "deployment.yaml"))


@pytest.fixture
def connection(monkeypatch):
    """Sets a connection; no database is asked. Gives its hook."""

    def make(name="nexus_test", kind="nexus", host=HOST, login="haulier", password=PASSWORD, extra=None):
        content = {"conn_type": kind, "host": host, "login": login, "password": password, "extra": extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(content))
        return NexusHook(name) if kind == "nexus" else OptimizeHook(name)

    return make


@pytest.fixture
def house(connection, nexus_sim, dsn, monkeypatch):
    """The order store and every depot's connection to the simulator, as Airflow has them."""
    parts = conninfo_to_dict(dsn)
    store = {
        "conn_type": "postgres", "host": parts.get("host"), "port": int(parts.get("port", 5432)),
        "login": parts.get("user"), "password": parts.get("password"), "schema": parts.get("dbname"),
    }  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_ORDER_STORE", json.dumps(store))

    def connect(depot, **given):
        user, extra = f"sim_{depot.lower()}", {"allow_http": True, "rate_per_second": 1000, **given.pop("extra", {})}
        given = {"host": nexus_sim.base_url, "login": user, "password": "sim", **given}
        return connection(f"nexus_{depot.lower()}", extra=extra, **given)

    for depot in ("PGD302", "UKD101", "FTD201"):
        connect(depot)
    return connect


# A connection


@pytest.mark.rule("NX-1-1", "NX-1-2")
def test_a_connection_becomes_settings(connection):
    found = connection(extra={"page_size": "50", "attachment_hosts": "files.example.com"}).settings()

    assert (found.connection, found.base_url) == ("nexus_test", HOST.rstrip("/"))
    assert (found.login, found.password) == ("haulier", PASSWORD)
    assert (found.page_size, found.attachment_hosts) == (50, ("files.example.com",))


@pytest.mark.rule("NX-10-1")
def test_a_connection_to_optimize_becomes_settings(connection):
    found = connection("nexus_optimize", "optimize", extra='{"window_minutes": "30"}').settings()

    assert (found.connection, found.base_url, found.api_key) == ("nexus_optimize", HOST.rstrip("/"), PASSWORD)
    assert found.window_minutes == 30


@pytest.mark.parametrize("kind", ["nexus", "optimize"])
@pytest.mark.parametrize("extra", ["page_size=50", "[1, 2]", '"text"', "{'page_size': 50}"])
def test_extra_that_is_no_json_object_is_refused_and_not_taken_for_empty(connection, kind, extra):
    hook = connection(kind=kind, extra=extra)

    with pytest.raises(Misconfigured, match="connection 'nexus_test': Extra is not a JSON object"):
        hook.settings()
    assert hook.test_connection()[0] is False


@pytest.mark.parametrize("kind", [NexusHook, OptimizeHook])
def test_a_connection_that_does_not_exist_is_named(kind):
    with pytest.raises(AirflowNotFoundException, match="nexus_nowhere"):
        kind("nexus_nowhere").settings()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"host": ""}, "the Host is empty"),
        ({"login": ""}, "the Login (user name) is empty"),
        ({"password": ""}, "the Password is empty"),
        ({"extra": {"page_size": "many"}}, "Extra 'page_size' is not usable"),
        ({"extra": {"depots": "PGD302"}}, "unknown settings depots"),
    ],
)
def test_the_test_button_says_what_is_wrong_with_the_connection(connection, wrong, said):
    works, message = connection(**wrong).test_connection()

    assert not works
    assert said in message
    assert CANARY not in message


@pytest.mark.rule("NX-1-16", "NX-2.1-1")
def test_the_test_button_logs_in(connection, nexus_sim):
    extra = {"allow_http": True}
    given = {"host": nexus_sim.base_url, "login": "sim_pgd302", "extra": extra}

    assert connection(password="sim", **given).test_connection() == (
        True,
        "Nexus answers and accepts user name and password.",
    )
    works, message = connection(password="wrong", **given).test_connection()
    assert not works
    assert "connection 'nexus_test': HTTP 401" in message
    assert "Correct the connection's login and password" in message
    works, message = connection(password="sim", **{**given, "host": f"{nexus_sim.root}/v2/"}).test_connection()
    assert not works
    assert "there is no login at the Host's address" in message

    assert {request["path"] for request in nexus_sim.requests()} <= {"/account/login", "/v2/account/login"}


@pytest.mark.rule("NX-10-1", "NX-10-4")
def test_the_test_button_of_optimize_tries_the_key(connection, nexus_sim):
    given = {"host": f"{nexus_sim.root}/optimize", "extra": {"allow_http": True}}

    assert connection(kind="optimize", password="sim-optimize", **given).test_connection() == (
        True,
        "Optimize answers and accepts the API key.",
    )
    works, message = connection(kind="optimize", password="wrong", **given).test_connection()
    assert not works
    assert "HTTP 401" in message


@pytest.mark.rule("NX-2-1")
def test_client_and_test_button_know_the_deployments_own_paths(connection, serve, monkeypatch, tmp_path):
    (tmp_path / "own.yaml").write_text("endpoints: {login: auth/token, attachments: '{consignmentID}/files'}\n")
    plan = (PROJECT / "include" / "deployment.yaml").read_text("utf-8")
    plan = plan.replace("    customer: NEXUS\n", "    customer: NEXUS\n    template: own.yaml\n", 1)
    (tmp_path / "deployment.yaml").write_text(plan, "utf-8")
    (tmp_path / "palletforce.yaml").write_text("{}\n")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "deployment.yaml"))
    server = serve(answered(200, {"bearerToken": "canary-bearer-1"}), answered(200, []))

    with connection(host=server.url, extra={"allow_http": True}).get_conn() as client:
        client.attachments(7)

    assert [request.path for request in server.all_requests] == ["/v1/auth/token", "/v1/7/files"]


def test_the_test_button_says_when_the_deployment_file_is_missing(connection, monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere.yaml"))

    works, message = connection().test_connection()

    assert not works
    assert "nowhere.yaml: cannot be read" in message


@pytest.mark.rule("NX-1-13", "NX-1-34")
@pytest.mark.parametrize("kind", ["nexus", "optimize"])
def test_neither_hook_nor_errors_show_the_secret(connection, caplog, kind):
    caplog.set_level("DEBUG")
    hook = connection(kind=kind, extra={"window_minutes": "many"})

    with pytest.raises(Misconfigured) as caught:
        hook.settings()

    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert CANARY not in f"{hook!r}{vars(hook)}{caplog.text}"


# All depots


def test_a_depots_connection_stands_in_the_deployment_file(plan):
    assert plan.depot_connection("nexus", "UKD101") == "nexus_ukd101"
    with pytest.raises(FileFault, match=r"PGD999 is not listed \(listed: PGD302, UKD101, FTD201\)"):
        plan.depot_connection("nexus", "PGD999")


@pytest.mark.rule("NX-1-2", "NX-2.3-2")
def test_each_depot_is_reached_as_its_own_user(house, nexus_sim, plan, conn):
    own = nexus_sim.add(depot="UKD101", role="requesting", collectingDepotCode="UKD101", deliveryDepotCode="UKD115")

    with hooks.reaching(plan) as reach:
        access = reach(conn, "UKD101")
        assert access.client.get(own)["consignmentID"] == own
        assert access.lookups.id_of(conn, "services", "A", "Premium") > 0
        assert access.mapper.version
        assert list(reach(conn, "PGD302").client.listed({})) == []

    assert {request["user"] for request in nexus_sim.requests("consignments")} == {"sim_ukd101", "sim_pgd302"}


@pytest.mark.rule("NX-1-2", "NX-1-12")
def test_depots_with_the_same_connection_share_one_client_and_one_login(house, nexus_sim, plan, conn, dsn):
    network = plan.networks["nexus"]
    depots = {**network.depots, "UKD101": "nexus_pgd302"}
    shared = replace(plan, networks={**plan.networks, "nexus": replace(network, depots=depots)})
    together = threading.Barrier(8)

    with hooks.reaching(shared) as reach:
        clients = [reach(conn, depot).client for depot in ("PGD302", "UKD101")] * 4
        assert len({id(client) for client in clients}) == 1

        def ask(client):
            together.wait(DEADLINE_S)
            return client.attachments(nexus_sim.add())

        with ThreadPoolExecutor(8) as pool:
            for asked in [pool.submit(ask, client) for client in clients]:
                assert asked.result(DEADLINE_S) == []

    assert len(nexus_sim.requests("account/login")) == 1


@pytest.mark.rule("NX-1-28", "NX-11-7")
def test_the_pace_holds_for_all_clients_of_a_connection_together(house, nexus_sim, plan, conn):
    house("PGD302", extra={"rate_per_second": 2})
    consignment = nexus_sim.add()
    nexus_sim.control("clock", run=True)
    nexus_sim.control("options", rate_check=True)

    with hooks.reaching(plan) as one, hooks.reaching(plan) as other, ThreadPoolExecutor(4) as pool:
        clients = [reach(conn, "PGD302").client for reach in (one, other)]
        for found in [pool.submit(client.attachments, consignment) for client in clients * 2]:
            assert found.result(30) == []

    assert len(nexus_sim.requests()) == 6
    assert nexus_sim.violations() == []


@pytest.mark.rule("NX-1-22")
def test_a_pause_is_left_to_the_queue_and_waited_out_by_the_poll(house, nexus_sim, plan, conn):
    consignment = nexus_sim.add()
    nexus_sim.fault("http_429", "consignments/*/attachments", retry_after=1)
    with hooks.reaching(plan) as reach:
        client = reach(conn, "PGD302").client
        with pytest.raises(Throttled):
            client.attachments(consignment)
        with pytest.raises(Throttled, match="the network asked for a pause"):
            client.get(consignment)
        assert len(nexus_sim.requests("consignments")) == 1

    with hooks.opened(plan, "nexus_pgd302") as access:
        assert access.client.get(consignment)["consignmentID"] == consignment


@pytest.mark.rule("NX-1-15")
def test_a_connection_that_is_wrong_stops_only_its_own_depots(house, nexus_sim, plan, conn, monkeypatch):
    house("PGD302", host="no address at all")
    monkeypatch.delenv("AIRFLOW_CONN_NEXUS_FTD201")

    with hooks.reaching(plan) as reach:
        reach(conn, "UKD101").client.check()
        with pytest.raises(Misconfigured, match="'nexus_pgd302': the Host is not a web address"):
            reach(conn, "PGD302")
        with pytest.raises(Misconfigured, match="'nexus_ftd201': there is no Airflow connection of this id"):
            reach(conn, "FTD201")
        with pytest.raises(FileFault, match="PGD999 is not listed"):
            reach(conn, "PGD999")


@pytest.mark.rule("NX-1-15", "NX-1-16")
def test_a_flagged_connection_is_not_used_until_a_login_succeeds(house, nexus_sim, plan, conn):
    house("PGD302", password="wrong")
    for name in ("nexus_pgd302", "nexus_ukd101"):
        connection_flags.raise_flag(conn, name, "HTTP 401")
    conn.execute("UPDATE connection_flags SET checked_at = checked_at - interval '1 hour'")

    with hooks.reaching(plan) as reach:
        reach(conn, "UKD101")
        with pytest.raises(ConnectionFlagged):
            reach(conn, "PGD302")

    assert connection_flags.reason(conn, "nexus_ukd101") is None
    assert connection_flags.reason(conn, "nexus_pgd302") == "HTTP 401"
    assert sorted(request["status"] for request in nexus_sim.requests("account/login")) == [200, 401]


@pytest.mark.rule("NX-1-28")
def test_the_poll_opens_one_connection(house, nexus_sim, plan, conn):
    made = set(nexus_sim.add_many(count=3, depot="UKD101", role="requesting", network="PALLEX"))

    with hooks.opened(plan, "nexus_ukd101") as access:
        found = {row["consignmentID"] for page in access.client.listed({}) for row in page}
        assert access.lookups.rows(conn, "depots")

    assert found == made
    with pytest.raises(NexusAuthError), hooks.opened(plan, house("UKD101", password="x").nexus_conn_id) as access:
        access.client.check()


@pytest.mark.rule("NX-10-1")
def test_optimize_is_off_without_its_connection(house, connection, nexus_sim):
    with hooks.optimizing() as optimize:
        assert optimize() is None

    connection("nexus_optimize", "optimize", host="")
    with hooks.optimizing() as optimize:
        for _ in range(2):
            with pytest.raises(Misconfigured, match="'nexus_optimize': the Host is empty"):
                optimize()

    given = {"host": f"{nexus_sim.root}/optimize", "password": "sim-optimize", "extra": {"allow_http": True}}
    connection("nexus_optimize", "optimize", **given)
    with hooks.optimizing() as optimize:
        client = optimize()
        assert client is optimize()
        client.check()


# What Airflow is told


def test_the_provider_description_is_one_airflow_accepts():
    full = json.loads((resources.files("airflow") / "provider.yaml.schema.json").read_text("utf-8"))
    info = json.loads((resources.files("airflow") / "provider_info.schema.json").read_text("utf-8"))

    jsonschema.validate(get_provider_info(), info)
    jsonschema.validate(CONNECTION_TYPES, full["properties"]["connection-types"])


@pytest.mark.parametrize("listed", CONNECTION_TYPES, ids=lambda listed: listed["connection-type"])
def test_each_connection_type_leads_to_its_hook_and_form(listed):
    module, _, name = listed["hook-class-name"].rpartition(".")
    hook = getattr(import_module(module), name)

    assert (hook.conn_type, hook.hook_name) == (listed["connection-type"], listed["hook-name"])
    assert set(listed["ui-field-behaviour"]["hidden-fields"]).isdisjoint({"description", "host", "password", "extra"})
    readers, plain = {
        "nexus": (settings.READERS, settings.parse("x", HOST, "u", "p", {})),
        "optimize": (settings.OPTIMIZE_READERS, settings.parse_optimize("x", HOST, "p", {})),
    }[listed["connection-type"]]
    for field, shown in listed["conn-fields"].items():
        assert field in readers
        assert "null" in shown["schema"]["type"]  # an untouched field must not stop the form from being saved
        if "default" in shown["schema"]:
            assert shown["schema"]["default"] == getattr(plain, field)


def test_airflow_itself_finds_the_installed_connection_types():
    manager = ProvidersManager()

    assert "extra__nexus__status_export" in manager.connection_form_widgets
    assert manager.field_behaviours["nexus"]["relabeling"] == {"host": "Base URL", "login": "User name"}
    assert isinstance(Connection(conn_id="nexus_test", conn_type="nexus").get_hook(), NexusHook)
    assert isinstance(Connection(conn_id="nexus_optimize", conn_type="optimize").get_hook(), OptimizeHook)


def test_connection_types_are_read_without_importing_airflow():
    source = Path(util.find_spec("palletflow.networks.nexus.connection_types").origin).read_text("utf-8")

    assert "import airflow" not in source
    assert "from airflow" not in source
