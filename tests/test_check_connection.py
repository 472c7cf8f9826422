"""`palletflow check-connection`: connections are tried; nobody is told, nothing changes, no secret is shown."""

import ipaddress
import json
import os
import re
import socketserver
import sqlite3
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.airflow.test_sftp_drop import PASSWORD, Server
from tests.conftest import PROJECT
from tests.desk.conftest import Served

from palletflow.airflow import notify
from palletflow.airflow.connection_check import check
from palletflow.discovery import network_part
from palletflow.sandbox import networks, ports
from palletflow.store import migrate

CANARY = "CANARY+password/4711"


@pytest.fixture(autouse=True)
def own_environment(monkeypatch, tmp_path):
    # What the check says of this process ends with the test.
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", str(PROJECT / "include" / "deployment.yaml"))
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def known(monkeypatch) -> Callable[..., str]:
    """Makes an Airflow connection known; its id."""

    def make(name: str, fields: dict[str, Any] | str) -> str:
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", fields if isinstance(fields, str) else json.dumps(fields))
        return name

    return make


@pytest.fixture
def order_store(known, dsn) -> None:
    known("order_store", dsn)


@pytest.mark.parametrize("network", networks.simulated_networks())
def test_connections_of_every_network_are_tried(network, known, order_store):
    servers = networks.servers(network)
    named = dict(zip(servers, ports.choose(networks.HOST, [0] * len(servers)), strict=True))
    served = Served(network_part(network, "simulator.app").create_app(traffic=False, **named))
    try:
        found = networks.connections(network, served.url, named)
        assert found
        for name, fields in found.items():
            assert check(known(name, fields)).passed, check(name).said
        kinds = {json.loads(fields)["conn_type"]: name for name, fields in found.items()}
        for name in kinds.values():
            passed, said = check(known(name, json.loads(found[name]) | {"password": CANARY}))
            assert not passed
            assert CANARY not in said
            assert {"password", "key", "login"} & set(re.findall(r"\w+", said.lower()))
    finally:
        served.stop()


def test_the_order_store_answers_and_is_up_to_date_or_not(known, dsn, postgres):
    passed, said = check(known("order_store", dsn))
    assert passed
    assert migrate.revisions()[-1] in said
    passed, said = check(known("order_store", postgres.dsn("postgres")))
    assert (passed, "revision none" in said) == (False, True)
    passed, said = check(known("order_store", f"postgresql://palletflow:{CANARY.replace('/', '%2F')}@127.0.0.1:1/x"))
    assert not passed
    assert "CANARY" not in said


def test_an_sftp_drop_is_looked_into_and_left_as_it_was(known, tmp_path):
    folder = tmp_path / "sftp"
    (folder / "in").mkdir(parents=True)
    (folder / "in" / "orders.csv").write_text("x")
    server = Server(folder)
    drop = {"conn_type": "sftp", "host": "127.0.0.1", "port": server.port, "login": "haulier", "password": PASSWORD}

    def tried(password: str = PASSWORD, **extra: Any) -> tuple[bool, str]:
        known("drop", {**drop, "password": password, "extra": {"look_for_keys": "false", **extra}})
        return check("drop")

    try:
        passed, said = tried(host_key=server.host_key(), folder="in")
        assert (passed, "1 files wait" in said) == (True, True)
        assert [one.name for one in folder.rglob("*")] == ["in", "orders.csv"]
        assert "no folder 'gone'" in tried(host_key=server.host_key(), folder="gone")[1]
        assert "refuses the login" in tried(CANARY, host_key=server.host_key())[1]
        assert "host_key" in tried()[1]
        assert "turns off the check" in tried(no_host_key_check="true")[1]
    finally:
        server.stop()


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1]  # type: ignore[index]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_webhooks_server_is_asked_for_nothing_and_nobody_is_told(known):
    asked = []

    class Webhook(BaseHTTPRequestHandler):
        def do_HEAD(self):
            asked.append((self.command, self.path, dict(self.headers)))
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with serving(HTTPServer(("127.0.0.1", 0), Webhook)) as port:
        hook = {"conn_type": "http", "host": f"http://127.0.0.1:{port}/services/{CANARY}", "password": CANARY}
        passed, said = check(known("alert_webhook", hook))
        assert (passed, "not tried" in said, "CANARY" in said) == (True, True, False)
    [(method, path, headers)] = asked
    assert (method, path) == ("HEAD", "/")
    assert "CANARY" not in str(headers)
    passed, said = check("alert_webhook")
    assert (passed, "CANARY" in said) == (False, False)
    assert not check(known("alert_webhook", {"conn_type": "http", "host": CANARY})).passed


def test_a_password_goes_to_no_mail_server_whose_certificate_is_not_known(known, tmp_path, monkeypatch):
    pem = tmp_path / "mail.pem"
    pem.write_bytes(signed_by_itself())
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)
    told: list[str] = []

    class Mail(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.sendall(b"220 here\r\n")
            with suppress(OSError):
                while line := self.request.recv(1000):
                    told.append(line.split()[0].decode().upper())
                    match told[-1]:
                        case "EHLO":
                            self.request.sendall(b"250-here\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n")
                        case "STARTTLS":
                            self.request.sendall(b"220 go on\r\n")
                            self.request = tls.wrap_socket(self.request, server_side=True)
                        case "AUTH":
                            self.request.sendall(b"235 OK\r\n")
                        case "QUIT":
                            self.request.sendall(b"221 bye\r\n")
                        case _:
                            self.request.sendall(b"250 OK\r\n")

    people = {"from": "palletflow@example.com", "to": ["operations@example.com"]}
    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail)) as port:
        mail = {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "login": "ab", "password": "cd"}
        name = known("alert_mail", mail | {"extra": people})
        assert check(name) == (False, "the mail server's certificate is not good")
        assert not notify.send("something", "happened", notify.known_ways())
        assert set(told) == {"EHLO", "STARTTLS"}
        # A house's own authority is made known as to everything else that uses OpenSSL.
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        assert check(name).passed
        assert "AUTH" in told


def signed_by_itself() -> bytes:
    """Key and certificate of 127.0.0.1 as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a mail server of tests")])
    now, hour = datetime.now(UTC), timedelta(hours=1)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - hour, now + hour)
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    return key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + signed.public_bytes(pem)


def test_a_mail_server_is_logged_in_to_and_given_no_mail(known):
    told: list[str] = []

    class Mail(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 here\r\n")
            for line in self.rfile:
                word = line.split()[0].upper().decode()
                told.append(word)
                good = b"-AUTH PLAIN\r\n250 AUTH PLAIN\r\n" if word == b"EHLO" else b" OK\r\n"
                match word:
                    case "EHLO":
                        self.wfile.write(b"250-here\r\n250 AUTH PLAIN\r\n")
                    case "AUTH":
                        wrong = b"Q0FOQVJZ" in line  # CANARY, as it is encoded there
                        self.wfile.write(b"535 no: CANARY+password/4711\r\n" if wrong else b"235 OK\r\n")
                    case "QUIT":
                        self.wfile.write(b"221 bye\r\n")
                        return
                    case _:
                        self.wfile.write(b"250" + good)

    people = {"from": "palletflow@example.com", "to": ["operations@example.com"]}
    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail)) as port:
        mail = {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "login": "ab", "password": "good"}
        passed, said = check(known("alert_mail", mail | {"extra": {**people, "starttls": False}}))
        assert passed, said
        assert "not tried" in said
        assert set(told) <= {"EHLO", "AUTH", "NOOP", "QUIT"}
        passed, said = check(
            known("alert_mail", mail | {"login": "a", "password": CANARY, "extra": {**people, "starttls": False}})
        )
        assert (passed, said) == (False, "the mail server refuses the login")
        # A server without TLS is none to log in to.
        assert not check(known("alert_mail", mail | {"extra": people})).passed
        assert "lacks to" in check(known("alert_mail", mail | {"extra": {"from": "palletflow@example.com"}})).said


def test_what_is_no_connection_of_ours_is_said_to_be_none(known):
    assert "no Airflow connection" in check("nobody_made_this").said
    assert "'http'" in check(known("other", {"conn_type": "http", "host": "x"})).said
    assert "Extra" in check(known("palletforce_x", {"conn_type": "palletforce", "extra": "[" + CANARY})).said


def test_the_command_prints_one_line_finds_what_the_page_holds_and_shows_no_secret(simulator, dsn, tmp_path):
    from airflow.models.connection import Connection
    from sqlalchemy import create_engine

    place = tmp_path / "airflow.db"
    engine = create_engine(f"sqlite:///{place}")
    Connection.__table__.create(engine)
    engine.dispose()
    with sqlite3.connect(place) as metadata:
        metadata.execute(
            "INSERT INTO connection (conn_id, conn_type, host, password, extra, is_encrypted, is_extra_encrypted) "
            "VALUES ('palletforce_900', 'palletforce', ?, ?, ?, 0, 0)",
            (simulator.base_url, CANARY, '{"allow_http": true}'),
        )
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("_AIRFLOW")},
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{place}",
        "AIRFLOW__CORE__FERNET_KEY": "",
        "AIRFLOW_CONN_ORDER_STORE": dsn,
    }

    def command(name: str) -> subprocess.CompletedProcess[str]:
        program = Path(sys.executable).with_name("palletflow")
        return subprocess.run(
            [program, "check-connection", name], env=environment, capture_output=True, text=True, check=False
        )

    refused, good = command("palletforce_900"), command("order_store")
    assert refused.returncode == 1, refused.stderr
    assert refused.stdout.startswith("palletforce_900: DOES NOT WORK. ")
    assert "password" in refused.stdout
    assert good.returncode == 0, good.stdout + good.stderr
    assert good.stdout.startswith("order_store: works. The order store answers; ")
    for done in (refused, good):
        assert len(done.stdout.splitlines()) == 1
        assert "CANARY" not in done.stdout + done.stderr
        assert done.stderr == ""
