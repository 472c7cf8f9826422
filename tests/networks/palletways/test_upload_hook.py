"""Palletways' file servers as Airflow knows them: connections, their Test buttons, and the depots' targets."""

import json
import logging
from datetime import UTC, datetime

import pytest
from psycopg.conninfo import conninfo_to_dict
from tests.networks.palletways.served_files import HOST, ServedFiles

from palletflow.network_errors import Misconfigured
from palletflow.networks.palletways import upload_hook
from palletflow.networks.palletways.connection_types import CONNECTION_TYPES
from palletflow.networks.palletways.sandbox import sandbox_connections
from palletflow.networks.palletways.upload_hook import UploadHook, uploading
from palletflow.store import connection_flags
from palletflow.store.connection import connect
from palletflow.transfer.errors import NoPlace
from palletflow.work import budget
from palletflow.work.flagged import ConnectionFlagged

HOOKS = {
    "palletways_ftp": upload_hook.PalletwaysFtpHook,
    "palletways_ftps": upload_hook.PalletwaysFtpsHook,
    "palletways_sftp": upload_hook.PalletwaysSftpHook,
}


@pytest.fixture(scope="module")
def served():
    one = ServedFiles()
    yield one
    one.stop()


@pytest.fixture
def files(served):
    served.reset()
    return served


@pytest.fixture
def connection(monkeypatch):
    """Sets a connection; no database is asked."""

    def make(name, content, **changed):
        given = {**content, **changed}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps({**given, "extra": json.dumps(given["extra"])}))

    return make


@pytest.fixture
def sandbox(files, connection):
    """The sandbox's connections to the servers; a connection for the depot 125 over plain FTP besides."""
    found = sandbox_connections(f"http://{HOST}:1", **files.servers.ports)
    plain = {**found["palletways_upload_123"], "conn_type": "palletways_ftp", "port": files.servers.ports["ftp"]}
    plain["extra"] = {"upload_enabled_at": ""}
    made = {"123": found["palletways_upload_123"], "124": found["palletways_upload_124"], "125": plain}
    for depot, content in made.items():
        connection(f"palletways_upload_{depot}", content)
    return made


@pytest.fixture
def store(dsn, connection):
    parts = conninfo_to_dict(dsn)
    content = {
        "conn_type": "postgres", "host": parts.get("host"), "port": int(parts.get("port", 5432)),
        "login": parts.get("user"), "password": parts.get("password"), "schema": parts.get("dbname"), "extra": {},
    }  # fmt: skip
    connection("order_store", content)
    return dsn


@pytest.mark.parametrize(("depot", "kind"), [("123", "palletways_sftp"), ("124", "palletways_ftps"),
                                             ("125", "palletways_ftp")])  # fmt: skip
def test_the_test_button_logs_in_and_says_whether_uploads_are_on(sandbox, depot, kind):
    passed, said = HOOKS[kind](f"palletways_upload_{depot}").test_connection()
    assert passed, said
    assert HOOKS[kind].works in said
    assert ("uploads are off" in said.lower()) is (depot == "125")
    assert ("2020-01-01" in said) is (depot != "125")


@pytest.mark.rule("PW-6-20")
def test_plain_ftp_warns_that_all_travels_in_clear(sandbox, caplog, store, plan):
    assert "in clear" in UploadHook("palletways_upload_125").test_connection()[1]
    assert "in clear" not in UploadHook("palletways_upload_124").test_connection()[1]
    with caplog.at_level(logging.WARNING), uploading(plan):
        pass
    assert "in clear" not in caplog.text, "the plan's depots have no plain FTP"


@pytest.mark.parametrize("kind", sorted(HOOKS))
def test_the_test_button_says_what_is_wrong_without_the_password(sandbox, connection, kind):
    depot = {"palletways_sftp": "123", "palletways_ftps": "124", "palletways_ftp": "125"}[kind]
    connection(f"palletways_upload_{depot}", sandbox[depot], password="canary-4711")
    passed, said = HOOKS[kind](f"palletways_upload_{depot}").test_connection()
    assert not passed
    assert "login" in said
    assert "canary-4711" not in said


@pytest.mark.rule("PW-6-22")
def test_the_test_button_refuses_a_connection_that_checks_no_key(sandbox, connection):
    extra = {**sandbox["123"]["extra"], "no_host_key_check": True}
    connection("palletways_upload_123", sandbox["123"], extra=extra)
    passed, said = UploadHook("palletways_upload_123").test_connection()
    assert (passed, "no_host_key_check" in said) == (False, True)


def test_every_upload_type_has_its_hook_and_its_form():
    shown = {entry["connection-type"]: entry for entry in CONNECTION_TYPES if entry["connection-type"] in HOOKS}
    assert shown.keys() == HOOKS.keys()
    for kind, hook in HOOKS.items():
        assert shown[kind]["hook-class-name"].endswith(f".{hook.__name__}")
        assert shown[kind]["hook-name"] == hook.hook_name
        assert "upload_enabled_at" in shown[kind]["conn-fields"]


# The depots' targets


@pytest.mark.rule("PW-6-12")
def test_each_depot_uploads_by_its_own_connection(sandbox, store, plan, files, conn):
    with uploading(plan) as uploads:
        for depot, user in (("123", "pw123"), ("124", "pw124")):
            target = uploads(conn, depot)
            assert target.settings.upload_enabled_at == datetime(2020, 1, 1, tzinfo=UTC)
            with target.sessions.session() as session:
                session.write(f"60000000017_{depot}.jpg", b"photo")
            assert [file.user for file in files.received.all() if depot in file.name] == [user]


def test_a_depot_without_a_connection_is_told_so_and_stops_no_other(sandbox, store, plan, conn, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_PALLETWAYS_UPLOAD_124")
    with uploading(plan) as uploads:
        assert uploads(conn, "123").settings.connection == "palletways_upload_123"
        with pytest.raises(Misconfigured, match="photos_out"):
            uploads(conn, "124")


def test_a_flagged_connection_is_used_again_once_it_passes_its_check(sandbox, store, plan, conn, files):
    connection_flags.raise_flag(conn, "palletways_upload_123", "the host key is another")
    files.switches.set({"host_key": "wrong"})
    with uploading(plan) as uploads:
        with pytest.raises(ConnectionFlagged):
            uploads(conn, "123")
        files.switches.reset()
        conn.execute("UPDATE connection_flags SET checked_at = NULL")
        assert uploads(conn, "123")
    assert connection_flags.reason(conn, "palletways_upload_123") is None


@pytest.mark.rule("PW-6-24")
def test_two_processes_together_have_no_more_connections_than_one(sandbox, store, plan, conn, files, monkeypatch):
    monkeypatch.setattr(budget, "PATIENCE_S", 0.3)
    with uploading(plan) as uploads, uploading(plan) as others, connect(store) as other_conn:
        mine, theirs = uploads(conn, "124").sessions, others(other_conn, "124").sessions
        with mine.session(), mine.session():
            with pytest.raises(NoPlace), theirs.session():
                pass
            assert files.servers.sessions.connections()["ftps"]["most"] == 2
