"""Sessions with real FTP, FTPS and SFTP servers: what they can do, whom they trust, and what they make of failures."""

import socket
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest
from tests.transfer.servers import PROTOCOLS, open_session, server_of, server_of_openssh

from palletflow.network_errors import AuthFailed, Misconfigured, NetworkError, NotSent
from palletflow.networks.palletways.simulator.files import host_key_line
from palletflow.transfer.errors import Interrupted, NotNow, Refused
from palletflow.transfer.ftp import FtpServer
from palletflow.transfer.session import Found

NAME = "60000000017_1.jpg"
OTHER = "60000000017_2.jpg"
PHOTO = bytes(range(256)) * 1500  # with line ends and all other bytes in it, and more than one block


@pytest.fixture(params=PROTOCOLS)
def protocol(request):
    return request.param


@pytest.fixture
def session(files, protocol):
    opened = open_session(server_of(protocol, files))
    yield opened
    opened.close()


# What a session can do


@pytest.mark.rule("PW-6-12")
def test_a_file_is_written_looked_at_renamed_and_deleted(files, session):
    assert session.look(NAME) is None
    assert session.write(NAME, PHOTO) == Found(len(PHOTO))
    assert files.stored() == {NAME: PHOTO}
    assert session.look(NAME) == Found(len(PHOTO))
    assert session.rename(NAME, OTHER) == Found(len(PHOTO))
    assert files.stored() == {OTHER: PHOTO}
    session.delete(OTHER)
    assert files.stored() == {}
    session.delete(OTHER)
    assert not session.broken


@pytest.mark.rule("PW-6-28")
def test_writing_begins_at_the_first_byte_of_what_is_left(files, session):
    session.write(NAME, PHOTO)
    assert session.write(NAME, b"short") == Found(5)
    assert files.stored() == {NAME: b"short"}


@pytest.mark.rule("PW-6-23")
def test_all_files_go_to_the_one_folder(files, protocol):
    session = open_session(server_of(protocol, files, folder="/photos"))
    session.write(NAME, PHOTO)
    session.close()
    assert files.stored() == {NAME: PHOTO}


@pytest.mark.rule("PW-6-23")
def test_a_folder_that_is_not_there_is_not_made(files, protocol):
    with pytest.raises(Misconfigured, match=r"remote_dir"):
        open_session(server_of(protocol, files, folder="/nowhere"))


@pytest.mark.rule("PW-6-23")
def test_a_folder_that_is_not_there_is_not_made_by_openssh(openssh):
    missing = openssh.files / "nowhere"
    with pytest.raises(Misconfigured, match=r"remote_dir"):
        open_session(server_of_openssh(openssh, folder=str(missing)))
    assert not missing.exists()


@pytest.mark.rule("PW-6-12", "PW-6-22")
def test_openssh_takes_all_of_it(openssh):
    session = open_session(server_of_openssh(openssh))
    assert session.look(NAME) is None
    assert session.write(NAME, PHOTO) == Found(len(PHOTO))
    assert session.rename(NAME, OTHER) == Found(len(PHOTO))
    assert f" {len(PHOTO)} " in openssh.sftp(f"ls -l {OTHER}\n")
    assert (openssh.files / OTHER).read_bytes() == PHOTO
    session.delete(OTHER)
    assert session.look(OTHER) is None
    session.close()


@pytest.mark.rule("PW-6-22")
def test_renaming_over_sftp_overwrites_nothing(files, openssh):
    for server in (server_of("sftp", files), server_of_openssh(openssh)):
        session = open_session(server)
        session.write(NAME, b"new")
        session.write(OTHER, b"somebody else's")
        with pytest.raises((Refused, NotNow)):
            session.rename(NAME, OTHER)
        assert session.look(NAME) == Found(3)
        session.close()
    assert files.stored() == {NAME: b"new", OTHER: b"somebody else's"}
    assert (openssh.files / OTHER).read_bytes() == b"somebody else's"


# FTP's own ways


@pytest.mark.rule("PW-6-20")
@pytest.mark.parametrize("protocol", ["ftp", "ftps"], indirect=True)
def test_data_goes_by_epsv(files, session):
    session.write(NAME, PHOTO)
    assert files.told("EPSV") == ["229"]
    assert files.told("PASV") == []
    assert "200" in files.told("TYPE")


@pytest.mark.rule("PW-6-20")
@pytest.mark.parametrize("protocol", ["ftp", "ftps"], indirect=True)
def test_data_goes_by_pasv_where_epsv_is_not_known(files, session):
    files.switches.set({"ftp_reply": {"EPSV": 500}})
    session.write(NAME, PHOTO)
    session.write(OTHER, PHOTO)
    assert files.stored() == {NAME: PHOTO, OTHER: PHOTO}
    assert files.told("PASV") == ["227", "227"]
    assert files.told("EPSV") == ["500"], "it is not asked for again"


@pytest.mark.rule("PW-6-20")
@pytest.mark.parametrize("protocol", ["ftp", "ftps"])
def test_active_ftp_lets_the_server_connect(files, protocol):
    session = open_session(server_of(protocol, files, active=True))
    session.write(NAME, PHOTO)
    session.close()
    assert files.stored() == {NAME: PHOTO}
    assert files.told("PORT") == ["200"]
    assert files.told("EPSV") + files.told("PASV") == []


@pytest.mark.rule("PW-6-29", "PW-6-26")
@pytest.mark.parametrize("protocol", ["ftp", "ftps"], indirect=True)
@pytest.mark.parametrize("also_gone", [(), ("MLST",)])
def test_a_size_is_found_without_the_command_for_it(files, session, also_gone):
    files.switches.set({"ftp_no_size": "on", "ftp_reply": dict.fromkeys(also_gone, 502)})
    assert session.look(NAME) is None
    assert session.write(NAME, PHOTO) == Found(len(PHOTO))
    assert session.look(NAME) == Found(len(PHOTO))
    assert session.look(OTHER) is None
    assert ("226" in files.told("LIST")) is bool(also_gone)


@pytest.mark.rule("PW-6-20")
@pytest.mark.parametrize("protocol", ["ftp", "ftps"], indirect=True)
def test_what_is_written_after_a_listing_is_not_taken_for_text(files, session):
    files.switches.set({"ftp_no_size": "on", "ftp_reply": {"MLST": 502}})
    lines = b"\xff\xd8\xff\r\n\n\r" * 1000
    assert session.look(NAME) is None
    assert session.write(NAME, lines) == Found(len(lines))
    assert files.stored()[NAME] == lines


# Whom a session trusts


@pytest.mark.rule("PW-6-21")
def test_ftps_is_secured_before_login_and_every_data_connection_resumes_the_session(files):
    session = open_session(server_of("ftps", files))
    for number in range(5):
        session.write(f"60000000017_{number}.jpg", PHOTO)
    session.close()
    assert list(files.stored().values()) == [PHOTO] * 5, "the server refuses data connections that do not resume it"
    order = [entry["command"] for entry in files.servers.sessions.entries()]
    assert [command for command in order if command in ("AUTH", "USER", "PASS", "PBSZ", "PROT", "STOR")][:6] == [
        "AUTH", "USER", "PASS", "PBSZ", "PROT", "STOR",
    ]  # fmt: skip
    assert ("PBSZ", "0") in [(entry["command"], entry["argument"]) for entry in files.servers.sessions.entries()]
    assert ("PROT", "P") in [(entry["command"], entry["argument"]) for entry in files.servers.sessions.entries()]


@pytest.mark.rule("PW-6-21", "PW-6-14")
@pytest.mark.parametrize("certificate", ["expired", "wrong_name"])
def test_a_certificate_that_does_not_prove_the_host_ends_it_before_login(files, certificate):
    files.switches.set({"tls_cert": certificate})
    with pytest.raises(Misconfigured, match="certificate"):
        open_session(server_of("ftps", files))
    assert files.told("USER") == []


@pytest.mark.rule("PW-6-21")
def test_an_authority_that_is_not_known_ends_it_before_login(files):
    with pytest.raises(Misconfigured, match="certificate"):
        open_session(server_of("ftps", files, ca_bundle=""))
    assert files.told("USER") == []


@pytest.mark.rule("PW-6-21")
def test_a_ca_bundle_may_be_a_file_and_must_be_one_that_can_be_read(files, tmp_path):
    given = server_of("ftps", files)
    path = tmp_path / "ca.pem"
    path.write_text(given.ca_bundle)
    open_session(replace(given, ca_bundle=str(path))).close()
    path.write_text("no certificate")
    with pytest.raises(Misconfigured, match="ca_bundle"):
        open_session(replace(given, ca_bundle=str(path)))


@pytest.mark.rule("PW-6-21")
def test_login_is_not_sent_to_a_server_without_tls(files):
    with pytest.raises(Misconfigured, match="TLS"):
        open_session(replace(server_of("ftps", files), port=files.servers.ports["ftp"]))
    assert files.told("USER") == []


@pytest.mark.rule("PW-6-22", "PW-6-14")
@pytest.mark.parametrize("key", ["wrong", "changed"])
def test_another_host_key_ends_it_before_login(files, key):
    files.switches.set({"host_key": key})
    with pytest.raises(Misconfigured, match="nothing was sent"):
        open_session(server_of("sftp", files))
    assert files.told("login") == []


@pytest.mark.rule("PW-6-22")
def test_without_a_known_host_key_no_connection_is_opened(files, tmp_path):
    for known_hosts in (tmp_path / "missing", Path("/dev/null")):
        with pytest.raises(Misconfigured, match="host_key"):
            open_session(server_of("sftp", files, host_key="", known_hosts=known_hosts))
    assert files.servers.sessions.connections().get("sftp", {"begun": 0})["begun"] == 0


@pytest.mark.rule("PW-6-22")
def test_a_host_key_may_stand_in_known_hosts(files, tmp_path):
    given = server_of("sftp", files, host_key="", known_hosts=tmp_path / "known_hosts")
    given.known_hosts.write_text(f"[{given.host}]:{given.port} {host_key_line()}\n")
    open_session(given).close()
    given.known_hosts.write_text(f"[{given.host}]:{given.port} {host_key_line('wrong')}\n")
    with pytest.raises(Misconfigured, match="nothing was sent"):
        open_session(given)


@pytest.mark.rule("PW-6-22")
def test_another_host_key_of_openssh_ends_it_before_login(openssh):
    with pytest.raises(Misconfigured, match="nothing was sent"):
        open_session(server_of_openssh(openssh, host_key=host_key_line("wrong")))


@pytest.mark.rule("PW-6-14")
def test_a_wrong_login_is_said_without_the_password(files, protocol):
    with pytest.raises(AuthFailed) as raised:
        open_session(server_of(protocol, files, password="not-the-password"))
    assert "not-the-password" not in f"{raised.value!r} {raised.value}"
    assert "pw123" in str(raised.value)


def test_passwords_and_keys_are_not_shown(files, openssh):
    shown = repr(server_of("sftp", files, password="canary-1")) + repr(server_of_openssh(openssh))
    assert "canary-1" not in shown
    assert "PRIVATE KEY" not in shown


# What a session makes of failures


@pytest.mark.rule("PW-6-33")
@pytest.mark.parametrize("protocol", ["ftp", "ftps"], indirect=True)
@pytest.mark.parametrize("code", [421, 425, 426, 450, 451, 452, 552])
def test_what_may_pass_is_told_from_what_will_not(files, session, code):
    files.switches.set({"ftp_reply": {"STOR": code}})
    with pytest.raises(NotNow, match=str(code)):
        session.write(NAME, PHOTO)
    assert session.broken is (code == 421)


@pytest.mark.parametrize("protocol", ["ftp", "ftps"], indirect=True)
@pytest.mark.parametrize("code", [550, 553])
def test_what_the_server_will_never_take_is_refused(files, session, code):
    files.switches.set({"ftp_reply": {"STOR": code}})
    with pytest.raises(Refused, match=str(code)):
        session.write(NAME, PHOTO)
    assert not session.broken


@pytest.mark.rule("PW-6-14")
@pytest.mark.parametrize("protocol", ["ftp", "ftps"], indirect=True)
def test_a_login_that_ended_meanwhile_is_said(files, session):
    files.switches.set({"ftp_reply": {"STOR": 530}})
    with pytest.raises(AuthFailed, match="530"):
        session.write(NAME, PHOTO)
    assert session.broken


@pytest.mark.rule("PW-6-33")
@pytest.mark.parametrize("protocol", ["ftp", "ftps"])
def test_a_server_that_is_full_of_guests_may_have_room_later(files, protocol):
    files.switches.set({"ftp_reply": {"CONNECT": 421}})
    with pytest.raises(NotNow, match="421"):
        open_session(server_of(protocol, files))


@pytest.mark.rule("PW-6-33")
def test_a_connection_that_breaks_in_the_middle_of_a_file_ends_the_session(files, session, protocol):
    files.switches.set({"ftp_drop_at": {protocol: {"value": 100_000, "times": 1}}})
    with pytest.raises(Interrupted):
        session.write(NAME, PHOTO)
    assert session.broken
    with pytest.raises(Interrupted):
        session.look(NAME)


@pytest.mark.rule("PW-6-33")
def test_a_full_disk_may_have_room_later(files, session, protocol):
    files.switches.set({"disk_full_at": {protocol: 100_000}})
    with pytest.raises(NotNow):
        session.write(NAME, PHOTO)
    assert not session.broken
    files.switches.set({"disk_full_at": None})
    session.write(NAME, PHOTO)
    assert files.stored() == {NAME: PHOTO}


@pytest.mark.rule("PW-6-33")
def test_a_server_that_takes_no_larger_files_says_no_for_now(files, session):
    files.switches.set({"size_cap": 1000})
    with pytest.raises(NotNow):
        session.write(NAME, PHOTO)


@pytest.mark.rule("PW-6-33")
def test_a_server_that_is_not_there_was_sent_nothing(files, protocol):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(NotSent):
        open_session(replace(server_of(protocol, files), port=port))


@pytest.mark.rule("PW-6-23", "PW-6-33")
def test_a_server_that_says_nothing_is_given_up(files, protocol):
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(NotSent):
        open_session(replace(server_of(protocol, files), port=silent.getsockname()[1], connect_s=0.2))


class Line:
    """A way to a server that a test may stop, so that nothing comes through any more."""

    def __init__(self, port):
        self._port, self.goes = port, threading.Event()
        self.goes.set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._sockets = [self._listening]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        near, _ = self._listening.accept()
        far = socket.create_connection(("127.0.0.1", self._port))
        self._sockets += [near, far]
        for one, other in ((near, far), (far, near)):
            threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one, other):
        try:
            while data := one.recv(65536):
                if not self.goes.is_set():
                    return
                other.sendall(data)
        except OSError:
            return

    def close(self):
        for one in self._sockets:
            # A socket that a thread still reads from is not ended by closing it.
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@pytest.mark.rule("PW-6-23", "PW-6-33")
def test_a_server_that_falls_silent_is_given_up(files, protocol):
    line = Line(files.servers.ports[protocol])
    session = open_session(replace(server_of(protocol, files), port=line.port, idle_s=0.5))
    line.goes.clear()
    with pytest.raises(Interrupted, match=r"no answer for 0\.5 s"):
        session.look(NAME)
    assert session.broken
    session.close()
    line.close()


def test_every_failure_names_the_connection(files, protocol):
    with pytest.raises(NetworkError, match="connection 'upload'"):
        open_session(server_of(protocol, files, folder="/nowhere"))


# What a session makes of a server that is none


class Fraud:
    """An FTP server that answers as a test says; a text without an end is sent for as long as it is read."""

    def __init__(self, **replies):
        self.heard = []
        self._replies = {
            "USER": b"331 ?",
            "PASS": b"230 .",
            "TYPE": b"200 .",
            "CWD": b"250 .",
            "QUIT": b"221 .",
            **replies,
        }
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._data = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def server(self, **changes):
        made = FtpServer("upload", "127.0.0.1", self._listening.getsockname()[1], "pw123", "secret")
        return replace(made, **changes)

    def _serve(self):
        with self._listening, self._data, self._listening.accept()[0] as near, suppress(OSError):
            self._say(near, self._replies.get("HELLO", b"220 ."))
            for line in near.makefile("rb"):
                self.heard.append(line.rstrip(b"\r\n"))
                command = line[:4].decode().strip()
                if command == "EPSV":
                    self._say(near, b"229 (|||%d|)" % self._data.getsockname()[1])
                elif command == "LIST":
                    self._say(near, b"150 .")
                    with self._data.accept()[0] as far:
                        self._say(far, self._replies["LIST"])
                    self._say(near, b"226 .")
                else:
                    self._say(near, self._replies.get(command, b"500 ?"))

    def _say(self, connection, reply):
        if not reply.endswith(b"..."):
            connection.sendall(reply + b"\r\n")
            return
        while True:
            connection.sendall((reply.removesuffix(b"...") + b"\r\n") * 1000)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._thread.join(30)
        assert not self._thread.is_alive()


def test_a_greeting_without_an_end_is_not_heard_out():
    with Fraud(HELLO=b"220-Hello...") as fraud, pytest.raises(NotSent, match="more than 1,000 lines"):
        open_session(fraud.server())


@pytest.mark.parametrize(
    ("replies", "said"),
    [
        ({"SIZE": b"213-again..."}, "more than 1,000 lines"),
        ({"SIZE": b"213 much"}, "much"),
        ({"LIST": b"-rw-r--r-- 1 a a 12 Jul 13 09:30 other.jpg..."}, "more than 100,000 lines"),
    ],
)
def test_an_answer_that_is_none_ends_the_session(replies, said):
    with Fraud(**replies) as fraud:
        session = open_session(fraud.server())
        with pytest.raises(Interrupted, match=said):
            session.look(NAME)
        assert session.broken
        session.close()


def test_logins_of_any_letters_are_sent_as_utf_8():
    password = "p\u00e4ss\u20ac"
    with Fraud(PASS=f"530 not {password}".encode()) as fraud, pytest.raises(AuthFailed) as raised:
        open_session(fraud.server(password=password))
    assert b"PASS " + password.encode() in fraud.heard
    assert password not in str(raised.value)


def test_a_server_that_repeats_the_password_shows_it_to_nobody():
    password = "p\u00e4ss\u20ac"
    with Fraud(SIZE=f"451 not {password}".encode()) as fraud:
        session = open_session(fraud.server(password=password))
        with pytest.raises(NotNow, match=r"not \*\*\*"):
            session.look(NAME)
        session.close()


class Anybody(asyncssh.SSHServer):
    def begin_auth(self, username):
        return True

    def password_auth_supported(self):
        return True

    def validate_password(self, username, password):
        return True


class Telltale(asyncssh.SFTPServer):
    def lstat(self, path):
        raise asyncssh.SFTPFailure("not with canary-1")


def test_an_sftp_server_that_repeats_the_password_shows_it_to_nobody(files):
    key = asyncssh.generate_private_key("ssh-ed25519")

    async def serve():
        return await asyncssh.listen(
            "127.0.0.1", 0, server_factory=Anybody, server_host_keys=[key], sftp_factory=Telltale
        )

    served = files.run(serve())
    host_key = key.export_public_key().decode().strip()
    session = open_session(server_of("sftp", files, port=served.get_port(), password="canary-1", host_key=host_key))
    with pytest.raises(NotNow, match=r"not with \*\*\*"):
        session.look(NAME)
    session.close()
    served.close()
    files.run(served.wait_closed())
