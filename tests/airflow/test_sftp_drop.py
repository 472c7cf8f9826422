"""The SFTP drop against a real SFTP server: keys are checked, files are whole, and what is read is put away."""

import asyncio
import json
import os
import threading
from datetime import UTC, datetime

import asyncssh
import pytest

from palletflow.airflow import sftp_drop
from palletflow.intake.file_drops import Importer
from palletflow.network_errors import Misconfigured, NotSent
from palletflow.networks.palletforce import csv_files

NOW = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)
PASSWORD = "drop-password"  # of a server that lives as long as the test
CONTENT = (
    "orderReference,customerCode,collectionDate,deliveryName,deliveryStreetAddress,deliveryTown,deliveryPostcode,"
    "deliveryPhoneNumber,palletType,numberOfPallets,weight\n"
    "SO-1,ACME,13/07/2026,Receiver Ltd,2 High Street,Leeds,LS1 1AA,01632 960001,F,2,850\n"
    "SO-2,ACME,13/07/2026,Receiver Ltd,2 High Street,Leeds,LS1 1AA,01632 960001,F,2,heavy\n"
)


class Login(asyncssh.SSHServer):
    def begin_auth(self, username):
        return True

    def password_auth_supported(self):
        return True

    def validate_password(self, username, password):
        return password == PASSWORD


class Server:
    """An SFTP server on loopback whose root is a folder."""

    def __init__(self, folder):
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self._folder = folder
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._listener = self._run(self._start())
        self.port = self._listener.get_port()

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _start(self):
        return await asyncssh.create_server(
            Login,
            "127.0.0.1",
            0,
            server_host_keys=[self.key],
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(self._folder)),
        )

    def host_key(self):
        return " ".join(self.key.export_public_key().decode().split()[:2])

    def stop(self):
        async def close():
            self._listener.close()
            await self._listener.wait_closed()

        self._run(close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "sftp"
    made.mkdir()
    return made


@pytest.fixture
def server(folder):
    running = Server(folder)
    yield running
    running.stop()


@pytest.fixture
def connection(server, monkeypatch, tmp_path):
    """Names a connection to the server; keyword arguments are its Extra."""
    monkeypatch.setenv("HOME", str(tmp_path))  # its known_hosts is nobody's

    def named(password=PASSWORD, port=None, **extra):
        monkeypatch.setenv(
            "AIRFLOW_CONN_DROP",
            json.dumps(
                {
                    "conn_type": "sftp",
                    "host": "127.0.0.1",
                    "port": port or server.port,
                    "login": "haulier",
                    "password": password,
                    "extra": {"look_for_keys": "false", **extra},
                }
            ),
        )
        return "drop"

    return named


@pytest.fixture
def known(connection, server):
    return connection(host_key=server.host_key())


@pytest.fixture
def importer(conn, plan):
    return Importer(conn, "palletforce", csv_files.kinds(plan), plan, clock=lambda: NOW, run="test", actor="tester")


def look(importer, connection, sleep=lambda seconds: None):
    found = []
    with sftp_drop.opened(connection, sleep) as drop:
        importer.import_all(drop, found.append)
    return {finished.name: finished.outcome for finished in found}


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.rule("PF-8.1-8", "PF-8.1-9")
def test_files_are_imported_and_put_away_with_their_reports(importer, known, folder, fetch):
    (folder / "orders.csv").write_text(CONTENT)
    (folder / "broken.csv").write_text("")
    (folder / "coming.csv.part").write_text(CONTENT)
    assert look(importer, known) == {"orders.csv": "PARTIAL", "broken.csv": "REJECTED"}
    assert tree(folder) == [
        "coming.csv.part",
        "done/orders.csv",
        "done/orders.csv.report.csv",
        "done/orders.csv.report.json",
        "rejected/broken.csv",
        "rejected/broken.csv.report.json",
    ]
    assert (folder / "done/orders.csv").read_text() == CONTENT
    assert json.loads((folder / "done/orders.csv.report.json").read_text())["rows"]["quarantined"] == 1
    assert fetch("SELECT reference FROM orders") == [("SO-1",)]

    (folder / "orders.csv").write_text(CONTENT)
    assert look(importer, known) == {"orders.csv": "SKIPPED"}
    assert "done/orders (2).csv" in tree(folder)


def test_the_folder_may_be_named_in_the_connection(importer, connection, server, folder):
    (folder / "in").mkdir()
    (folder / "in/orders.csv").write_text(CONTENT)
    assert look(importer, connection(host_key=server.host_key(), folder="/in")) == {"orders.csv": "PARTIAL"}
    assert "in/done/orders.csv" in tree(folder)


def test_a_file_that_grows_between_two_looks_is_left_alone(importer, known, folder, fetch):
    (folder / "orders.csv").write_text(CONTENT[:200])
    assert look(importer, known, sleep=lambda seconds: (folder / "orders.csv").write_text(CONTENT)) == {}
    assert tree(folder) == ["orders.csv"]
    assert look(importer, known) == {"orders.csv": "PARTIAL"}


def test_no_more_of_a_file_is_copied_than_may_be_read(known, folder):
    (folder / "large.csv").write_bytes(b"x" * 100_000)
    with sftp_drop.opened(known, lambda seconds: None) as drop:
        [waiting] = drop.waiting()
        with drop.opened(waiting, 1000) as content:
            assert len(content.read()) == 1001


def test_a_name_that_no_client_can_read_is_said_to_the_person_who_can_mend_it(importer, known, folder):
    (folder / os.fsdecode(b"auftr\xe4ge.csv")).write_text(CONTENT)
    with pytest.raises(Misconfigured, match=r"auftr\\xe4ge.csv.*rename it"):
        look(importer, known)


def test_a_server_whose_key_is_not_known_is_refused(connection):
    with pytest.raises(Misconfigured, match="host_key"), sftp_drop.opened(connection()):
        pass


def test_a_server_with_another_key_is_refused(connection):
    other = " ".join(asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().split()[:2])
    with pytest.raises(Misconfigured, match="another key"), sftp_drop.opened(connection(host_key=other)):
        pass


@pytest.mark.parametrize("extra", ["no_host_key_check", "allow_host_key_change"])
def test_a_connection_that_turns_the_check_off_is_refused(connection, extra):
    with pytest.raises(Misconfigured, match="turns off the check"), sftp_drop.opened(connection(**{extra: "true"})):
        pass


def test_a_refused_login_and_a_server_that_is_away_are_told_apart(connection, server):
    wrong = connection(password="no-password", host_key=server.host_key())
    with pytest.raises(Misconfigured, match="refuses the login") as refused, sftp_drop.opened(wrong):
        pass
    assert "no-password" not in str(refused.value)
    with pytest.raises(NotSent), sftp_drop.opened(connection(port=1, host_key=server.host_key())):
        pass
