"""Palletforce as Airflow knows it: connections of its type, their form and Test button (contract 1.1, 1.3)."""

import json
import threading
import traceback
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module, resources, util
from pathlib import Path

import jsonschema
import pytest
from airflow.providers_manager import ProvidersManager
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from palletflow import discovery, networks
from palletflow.airflow.provider import get_provider_info
from palletflow.deployment import VARIABLE
from palletflow.network_errors import Misconfigured
from palletflow.networks.palletforce import settings
from palletflow.networks.palletforce.connection_types import CONNECTION_TYPES
from palletflow.networks.palletforce.hook import PalletforceHook

PROJECT = Path(__file__).parents[3]
HOST = "https://palletforce.invalid/api"  # never to be asked
KEY = "canary-of-tests"


@pytest.fixture(autouse=True)
def deployed(monkeypatch):
    monkeypatch.setenv(VARIABLE, str(PROJECT / "include" / "deployment.yaml"))


@pytest.fixture
def connection(monkeypatch):
    """Sets the connection `palletforce_test`; no database is asked. Gives its hook."""

    def make(host=HOST, password=KEY, extra=None, **more):
        content = {"conn_type": "palletforce", "host": host, "password": password, "extra": extra, **more}
        monkeypatch.setenv("AIRFLOW_CONN_PALLETFORCE_TEST", json.dumps(content))
        return PalletforceHook("palletforce_test")

    return make


@pytest.mark.rule("PF-1.1-1", "PF-1.1-6")
def test_a_connection_becomes_settings(connection):
    hook = connection(host=f"{HOST}/", extra={"page_size": "50", "depot_codes": "900, 901"})

    found = hook.settings()

    assert (found.connection, found.base_url, found.access_key) == ("palletforce_test", HOST, KEY)
    assert (found.page_size, found.depot_codes) == (50, ("900", "901"))


@pytest.mark.rule("PF-3-1")
def test_a_connection_is_not_used_for_a_depot_that_is_not_its_own(connection):
    hook = connection(extra={"depot_codes": "900, 901"})
    assert hook.settings("901").connection == "palletforce_test"
    with pytest.raises(Misconfigured, match="used for depot 902, but its depot codes are 900, 901"):
        hook.settings("902")


@pytest.mark.parametrize("extra", [None, "", "{}", {}])
def test_a_connection_needs_no_extra(connection, extra):
    assert connection(extra=extra).settings() == settings.parse("palletforce_test", HOST, KEY, {})


@pytest.mark.parametrize("extra", ["page_size=50", "[1, 2]", '"text"', "{'page_size': 50}"])
def test_extra_that_is_no_json_object_is_refused_and_not_taken_for_empty(connection, extra):
    hook = connection(extra=extra)

    with pytest.raises(Misconfigured, match="connection 'palletforce_test': Extra is not a JSON object"):
        hook.settings()


@pytest.mark.rule("PF-1.1-1", "PF-1.1-14")
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"host": ""}, "the Host is empty"),
        ({"password": ""}, "the Password (access key) is empty"),
        ({"extra": {"page_size": "many"}}, "Extra 'page_size' is not usable"),
        ({"password": f"{KEY}\r\nX: y"}, "no HTTP header can carry"),
    ],
)
def test_the_test_button_says_what_is_wrong_with_the_connection(connection, wrong, said):
    works, message = connection(**wrong).test_connection()

    assert not works
    assert said in message
    assert KEY not in message


@pytest.mark.rule("PF-1.1-2", "PF-1.3-2", "PF-1.3-5", "PF-2.5-5")
def test_the_test_button_asks_the_network(connection, simulator):
    allowed = {"allow_http": True}

    assert connection(simulator.base_url, "sim-key-900", allowed).test_connection() == (
        True,
        "Palletforce answers and accepts the access key.",
    )
    assert connection(simulator.base_url, "wrong-key", allowed).test_connection() == (
        False,
        "DownloadManifest through connection 'palletforce_test': HTTP 401: "
        '{"httpCode": "401", "httpMessage": "Unauthorized", "moreInformation": "Invalid client id or secret."}. '
        "Correct the connection's password; its schedules skip until a check passes.",
    )
    renamed = {**allowed, "operations": {"FetchManifest": "FindManifest"}}
    works, message = connection(simulator.base_url, "sim-key-900", renamed).test_connection()
    assert not works
    assert "FindManifest through connection 'palletforce_test': HTTP 404" in message

    assert {tuple(request["body"]) for request in simulator.journal()} == {("accessKey", "trackingNumber")}


def test_a_connection_that_does_not_exist_is_named():
    with pytest.raises(AirflowNotFoundException, match="palletforce_nowhere"):
        PalletforceHook("palletforce_nowhere").settings()


class OwnWords(BaseHTTPRequestHandler):
    """A network that answers in words of its own."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"ok": True, "Rows": [{"row": 1}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Says nothing."""


@pytest.mark.rule("PF-1.2-8")
def test_test_button_and_client_know_the_deployments_other_names(connection, monkeypatch, tmp_path):
    (tmp_path / "own.yaml").write_text("response_aliases: {manifests: [rows], success: [OK]}\n")
    plan = (PROJECT / "include" / "deployment.yaml").read_text("utf-8")
    plan = plan.replace("template: palletforce.yaml", "template: own.yaml", 1)
    (tmp_path / "deployment.yaml").write_text(plan, "utf-8")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "deployment.yaml"))

    with HTTPServer(("127.0.0.1", 0), OwnWords) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            hook = connection(f"http://127.0.0.1:{server.server_port}/api", extra={"allow_http": True})
            assert hook.test_connection()[0]
            with hook.get_conn() as client:
                assert client.fetch_by("trackingNumber", "9000010000123") == [{"row": 1}]
        finally:
            server.shutdown()
            thread.join()


def test_the_test_button_says_when_the_deployment_file_is_missing(connection, monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere.yaml"))

    works, message = connection().test_connection()

    assert not works
    assert "nowhere.yaml: cannot be read" in message


@pytest.mark.rule("PF-1.1-14")
def test_neither_hook_nor_errors_show_the_key(connection, caplog):
    caplog.set_level("DEBUG")
    hook = connection(extra={"page_size": "many"})

    with pytest.raises(Misconfigured) as caught:
        hook.settings()

    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert KEY not in f"{hook!r}{vars(hook)}{caplog.text}"


# What Airflow is told


def airflows_schema(name):
    return json.loads((resources.files("airflow") / name).read_text("utf-8"))


def test_the_provider_description_is_one_airflow_accepts():
    info = get_provider_info()

    jsonschema.validate(info, airflows_schema("provider_info.schema.json"))
    # The form fields are described only in the schema of provider.yaml, whose connection types have the same shape.
    full = airflows_schema("provider.yaml.schema.json")
    jsonschema.validate(info["connection-types"], full["properties"]["connection-types"])


def test_the_connection_type_is_listed_with_its_hook_and_form():
    [listed] = [one for one in get_provider_info()["connection-types"] if one["connection-type"] == "palletforce"]

    module, _, name = listed["hook-class-name"].rpartition(".")
    hook = getattr(import_module(module), name)
    assert hook is PalletforceHook
    assert (hook.conn_type, hook.hook_name) == (listed["connection-type"], listed["hook-name"])
    shown = {"description", "host", "password", "extra"}
    assert set(listed["ui-field-behaviour"]["hidden-fields"]).isdisjoint(shown)


def test_every_field_of_the_form_is_a_setting_with_the_contracts_default():
    [listed] = CONNECTION_TYPES
    plain = settings.parse("palletforce_test", HOST, KEY, {})

    for name, field in listed["conn-fields"].items():
        assert name in settings.READERS
        assert "null" in field["schema"]["type"]  # an untouched field must not stop the form from being saved
        if "default" in field["schema"]:
            assert field["schema"]["default"] == getattr(plain, name)


def test_airflow_itself_finds_the_installed_connection_type():
    manager = ProvidersManager()

    assert "palletflow" in manager.providers
    assert "extra__palletforce__page_size" in manager.connection_form_widgets
    assert manager.field_behaviours["palletforce"]["relabeling"] == {"host": "Base URL", "password": "Access key"}
    assert isinstance(Connection(conn_id="palletforce_test", conn_type="palletforce").get_hook(), PalletforceHook)


def test_connection_types_are_read_without_importing_airflow():
    source = Path(util.find_spec("palletflow.networks.palletforce.connection_types").origin).read_text("utf-8")

    assert "import airflow" not in source
    assert "from airflow" not in source


def test_one_broken_network_does_not_hide_the_others(monkeypatch, tmp_path, caplog):
    for name in ("brokennetwork", "palletforce"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    (tmp_path / "brokennetwork" / "connection_types.py").write_text("import nothing_of_that_name\n")
    monkeypatch.setattr(discovery, "FOLDER", tmp_path)
    monkeypatch.setattr(networks, "__path__", [*networks.__path__, str(tmp_path)])

    listed = get_provider_info()["connection-types"]

    assert [one["connection-type"] for one in listed] == ["palletforce"]
    [record] = caplog.records
    assert "brokennetwork" in record.getMessage()
    assert "nothing_of_that_name" in str(record.exc_info)
