"""The switches of the simulator's file servers, seen by real clients over real sockets (section 8)."""

import asyncio
import contextlib
import ftplib
import io
import shutil
import ssl
import time
from collections.abc import Callable, Iterator

import asyncssh
import pytest
from tests.networks.palletways.served_files import (
    DEADLINE_S,
    HOST,
    TRACKING_ID,
    USER,
    ServedFiles,
    ftp,
    ftps,
    known_hosts,
    openssh,
    with_sftp,
)

from palletflow.networks.palletways.simulator.files import host_key_line
from palletflow.networks.palletways.simulator.members import UPLOAD_PASSWORD

NAME = f"{TRACKING_ID}_1.jpg"
PART = f"{NAME}.part"
PHOTO = bytes(range(256)) * 1000
both_ftps = pytest.mark.parametrize("connect", [ftp, ftps])


@pytest.fixture(scope="module")
def served() -> Iterator[ServedFiles]:
    one = ServedFiles()
    yield one
    one.stop()


@pytest.fixture
def files(served):
    served.reset()
    return served


def store(client: ftplib.FTP, name: str = PART, content: bytes = PHOTO) -> str:
    return client.storbinary(f"STOR {name}", io.BytesIO(content), blocksize=10_000)


async def put(client: asyncssh.SFTPClient, name: str = PART, content: bytes = PHOTO) -> None:
    async with client.open(name, "wb") as file:
        for start in range(0, len(content), 10_000):
            await file.write(content[start : start + 10_000])


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# The connection breaks


@pytest.mark.rule("PW-8-21")
@both_ftps
def test_ftp_drops_the_connection_in_the_middle_of_a_transfer_and_keeps_what_had_come(files, connect):
    files.switches.set({"ftp_drop_at": {"value": 100_000, "times": 1}})
    client = connect(files)
    with pytest.raises((OSError, EOFError)):
        store(client)
    client.close()
    eventually(lambda: files.stored() != {})
    assert files.stored() == {PART: PHOTO[:100_000]}
    with connect(files) as client:
        store(client)
    assert files.stored() == {PART: PHOTO}


@pytest.mark.rule("PW-8-21")
def test_sftp_drops_the_connection_in_the_middle_of_a_transfer_and_keeps_what_had_come(files):
    files.switches.set({"ftp_drop_at": {"sftp": {"value": 100_000, "times": 1}}})
    with pytest.raises((asyncssh.SFTPConnectionLost, asyncssh.ConnectionLost)):
        with_sftp(files, put)
    eventually(lambda: files.stored() != {})
    assert files.stored() == {PART: PHOTO[:100_000]}
    with_sftp(files, put)
    assert files.stored() == {PART: PHOTO}


@pytest.mark.rule("PW-8-21")
def test_a_drop_can_be_aimed_at_one_server(files):
    files.switches.set({"ftp_drop_at": {"ftps": 100}})
    with ftp(files) as client:
        store(client)
    with_sftp(files, lambda client: put(client, f"{TRACKING_ID}_2.jpg.part"))
    client = ftps(files)
    with pytest.raises((OSError, EOFError)):
        store(client, f"{TRACKING_ID}_3.jpg.part")
    client.close()


# Replies of the FTP servers


@pytest.mark.rule("PW-8-21")
@both_ftps
@pytest.mark.parametrize(
    ("command", "code", "error"),
    [
        ("STOR", 425, ftplib.error_temp),
        ("STOR", 553, ftplib.error_perm),
        ("SIZE", 450, ftplib.error_temp),
        ("RNFR", 550, ftplib.error_perm),
        ("RNTO", 451, ftplib.error_temp),
        ("RNTO", 553, ftplib.error_perm),
    ],
)
def test_each_ftp_command_is_answered_as_ordered_as_often_as_ordered(files, connect, command, code, error):
    def upload() -> None:
        store(client)
        client.voidcmd("TYPE I")
        client.size(PART)
        client.rename(PART, NAME)

    files.switches.set({"ftp_reply": {command: {"value": code, "times": 1}}})
    with connect(files) as client:
        with pytest.raises(error, match=str(code)):
            upload()
        assert NAME not in files.stored()
        upload()
    assert files.stored() == {NAME: PHOTO}


@pytest.mark.rule("PW-8-21")
@both_ftps
def test_421_ends_the_connection_even_instead_of_the_greeting(files, connect):
    files.switches.set({"ftp_reply": {"CONNECT": {"value": 421, "times": 1}, "STOR": {"value": 421, "times": 1}}})
    with pytest.raises(ftplib.error_temp, match="421"):
        connect(files)
    client = connect(files)
    with pytest.raises(ftplib.error_temp, match="421"):
        store(client)
    with pytest.raises((OSError, EOFError)):
        client.sendcmd("NOOP")
    client.close()


@pytest.mark.rule("PW-8-21")
def test_a_login_is_refused_as_ordered(files):
    files.switches.set({"ftp_reply": {"PASS": 530}})
    with pytest.raises(ftplib.error_perm, match="530"):
        ftp(files)


@pytest.mark.rule("PW-8-21")
@both_ftps
def test_without_size_the_command_is_unknown_and_not_announced_while_mlst_and_listings_tell_it(files, connect):
    with connect(files) as client:
        store(client)
        assert "\n SIZE" in client.sendcmd("FEAT")
        files.switches.set({"ftp_no_size": "on"})
        client.voidcmd("TYPE I")
        with pytest.raises(ftplib.error_perm, match="500"):
            client.size(PART)
        assert "\n SIZE" not in client.sendcmd("FEAT")
        assert f"size={len(PHOTO)};" in client.sendcmd(f"MLST {PART}")
        lines: list[str] = []
        client.dir(lines.append)
        assert str(len(PHOTO)) in lines[0].split()


# Renaming


@pytest.mark.rule("PW-8-22")
@both_ftps
def test_ftp_refuses_to_rename(files, connect):
    files.switches.set({"rename": "refused"})
    with connect(files) as client:
        store(client)
        with pytest.raises(ftplib.error_perm, match="550"):
            client.rename(PART, NAME)
        client.delete(PART)
    assert files.stored() == {}


@pytest.mark.rule("PW-8-22")
def test_sftp_refuses_to_rename(files):
    async def upload(client):
        await put(client)
        for rename in (client.rename, client.posix_rename):
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await rename(PART, NAME)

    files.switches.set({"rename": "refused"})
    with_sftp(files, upload)
    assert files.stored() == {PART: PHOTO}


@pytest.mark.rule("PW-8-22")
def test_servers_that_overwrite_put_the_new_file_in_the_place_of_the_old_and_that_is_seen(files):
    async def upload(client):
        await put(client, content=b"third")
        await client.rename(PART, NAME)

    files.switches.set({"rename": "overwrite"})
    with ftp(files) as client:
        store(client, NAME, b"first")
        store(client, PART, b"second")
        client.rename(PART, NAME)
    assert files.stored() == {NAME: b"second"}
    with_sftp(files, upload)
    assert files.stored() == {NAME: b"third"}
    assert [file.data for file in files.replaced] == [b"first", b"second"]


@pytest.mark.rule("PW-8-22")
@both_ftps
def test_ftp_renames_and_the_reply_gets_lost(files, connect):
    files.switches.set({"rename": "lost_reply"})
    client = connect(files)
    store(client)
    with pytest.raises((OSError, EOFError)):
        client.rename(PART, NAME)
    client.close()
    assert files.stored() == {NAME: PHOTO}
    assert files.told("RNTO") == []


@pytest.mark.rule("PW-8-22")
def test_sftp_renames_and_the_reply_gets_lost(files):
    async def upload(client):
        await put(client)
        with pytest.raises((asyncssh.SFTPConnectionLost, asyncssh.ConnectionLost)):
            await client.rename(PART, NAME)

    files.switches.set({"rename": "lost_reply"})
    with contextlib.suppress(asyncssh.ConnectionLost):
        with_sftp(files, upload)
    assert files.stored() == {NAME: PHOTO}


# The disk is full, files are too large or arrive short


@pytest.mark.rule("PW-8-23")
@both_ftps
@pytest.mark.parametrize(
    ("switches", "reply"), [({"disk_full_at": 100_000}, "452"), ({"size_cap": 100_000}, "552")], ids=["full", "cap"]
)
def test_ftp_says_that_there_is_no_room_and_stores_no_more(files, connect, switches, reply):
    files.switches.set(switches)
    client = connect(files)
    # The server closes the data connection under the client's hands; what counts is the reply to the command.
    with pytest.raises((OSError, ftplib.Error)) as problem:
        store(client)
    if isinstance(problem.value, OSError):
        with pytest.raises(ftplib.Error, match=reply):
            client.getresp()
    client.sendcmd("NOOP")
    assert files.told("STOR")[-1] == reply
    assert files.stored() == {PART: PHOTO[:100_000]}
    client.close()


@pytest.mark.rule("PW-8-23")
@pytest.mark.parametrize("switches", [{"disk_full_at": 100_000}, {"size_cap": 100_000}], ids=["full", "cap"])
def test_sftp_says_that_there_is_no_room_and_stores_no_more(files, switches):
    async def upload(client):
        with pytest.raises(asyncssh.SFTPFailure):
            await put(client)
        assert await client.getsize(PART) == 100_000

    files.switches.set(switches)
    with_sftp(files, upload)


@pytest.mark.rule("PW-8-23")
def test_there_is_room_again_after_as_many_transfers_as_ordered(files):
    files.switches.set({"disk_full_at": {"value": 10, "times": 1}})

    async def upload(client):
        with pytest.raises(asyncssh.SFTPFailure):
            await put(client)
        await put(client)

    with_sftp(files, upload)
    assert files.stored() == {PART: PHOTO}


@pytest.mark.rule("PW-8-24")
def test_a_stored_file_is_shorter_than_what_was_sent_though_nothing_was_said(files):
    async def upload(client):
        await put(client, f"{TRACKING_ID}_2.jpg.part")
        assert await client.getsize(f"{TRACKING_ID}_2.jpg.part") == len(PHOTO) - 7

    files.switches.set({"truncate_stored": 7})
    with ftp(files) as client:
        assert store(client).startswith("226")
        client.voidcmd("TYPE I")
        assert client.size(PART) == len(PHOTO) - 7
    with_sftp(files, upload)


# Who the server is


@pytest.mark.rule("PW-8-25")
@pytest.mark.parametrize(("kind", "reason"), [("expired", "expired"), ("wrong_name", "mismatch|not valid for")])
def test_a_wrong_certificate_is_refused_before_the_login(files, kind, reason):
    files.switches.set({"tls_cert": kind})
    with pytest.raises(ssl.SSLCertVerificationError, match=reason):
        ftps(files)
    assert files.told("AUTH") == ["234"]
    assert files.told("USER") == []
    files.switches.set({"tls_cert": "good"})
    with ftps(files) as client:
        store(client)


@pytest.mark.rule("PW-8-25")
@pytest.mark.parametrize("kind", ["wrong", "changed"])
def test_another_host_key_is_refused_before_the_login(files, kind):
    files.switches.set({"host_key": kind})
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        with_sftp(files, put)
    eventually(lambda: files.servers.sessions.connections()["sftp"]["open"] == 0)
    assert files.servers.sessions.connections()["sftp"]["begun"] == 1
    assert files.servers.sessions.entries() == []
    files.switches.set({"host_key": "right"})
    with_sftp(files, put)
    assert files.stored() == {PART: PHOTO}


@pytest.mark.rule("PW-8-25")
@pytest.mark.skipif(shutil.which("sftp") is None, reason="OpenSSH's sftp is not installed")
@pytest.mark.parametrize("kind", ["wrong", "changed"])
def test_openssh_refuses_another_host_key_and_takes_the_one_it_knows(files, tmp_path, kind):
    files.switches.set({"host_key": kind})
    refused = openssh(files, tmp_path, "ls\n")
    assert refused.returncode != 0
    assert "ost key" in refused.stderr
    assert openssh(files, tmp_path, "ls\n", host_key=host_key_line(kind)).returncode == 0


# Names


@pytest.mark.rule("PW-8-26")
def test_names_that_other_sources_took_are_there_and_are_not_overwritten(files):
    async def upload(client):
        assert await client.exists(NAME)
        await put(client)
        with pytest.raises(asyncssh.SFTPFailure):
            await client.rename(PART, NAME)

    files.switches.set({"name_taken": [NAME]})
    with ftp(files) as client:
        client.voidcmd("TYPE I")
        assert client.size(NAME)
        assert client.nlst() == [NAME]
        store(client)
        with pytest.raises(ftplib.error_perm, match="550"):
            client.rename(PART, NAME)
        client.delete(PART)
    with_sftp(files, upload)
    assert files.published == []


@pytest.mark.rule("PW-8-27")
@both_ftps
def test_ftp_takes_only_names_of_the_agreed_form(files, connect):
    with connect(files) as client:
        for name in ("photo.jpg", "60000000017.jpg", "60000000017_1.gif", "60000000017_1.jpg.tmp", "12345_1.jpg"):
            with pytest.raises(ftplib.error_perm, match="550"):
                store(client, name)
        store(client)
        with pytest.raises(ftplib.error_perm, match="550"):
            client.rename(PART, "photo.jpg")
        files.switches.set({"strict_names": "off"})
        client.rename(PART, "photo.jpg")
    assert list(files.stored()) == ["photo.jpg"]


@pytest.mark.rule("PW-8-27")
def test_sftp_takes_only_names_of_the_agreed_form(files):
    async def upload(client):
        with pytest.raises(asyncssh.SFTPPermissionDenied):
            await put(client, "photo.jpg")
        await put(client)
        with pytest.raises(asyncssh.SFTPPermissionDenied):
            await client.rename(PART, "photo.jpg")

    with_sftp(files, upload)
    assert list(files.stored()) == [PART]


@pytest.mark.rule("PW-8-27")
def test_a_file_of_an_unknown_consignment_is_taken_in_and_set_aside(files):
    with ftp(files) as client:
        store(client, "60000000018_1.jpg")
    [file] = files.published
    assert (file.name, file.set_aside) == ("60000000018_1.jpg", True)


@pytest.mark.rule("PW-8-29")
def test_finished_files_disappear_by_the_network_s_clock_and_temporary_ones_stay(files):
    files.switches.set({"consume_after_s": 60})
    with ftp(files) as client:
        store(client, NAME)
        store(client, f"{TRACKING_ID}_2.jpg.part")
        files.later(59)
        assert client.nlst() == [NAME, f"{TRACKING_ID}_2.jpg.part"]
        files.later(1)
        assert client.nlst() == [f"{TRACKING_ID}_2.jpg.part"]
        client.voidcmd("TYPE I")
        with pytest.raises(ftplib.error_perm, match="550"):
            client.size(NAME)
    assert with_sftp(files, lambda client: client.listdir("/")) == [f"{TRACKING_ID}_2.jpg.part"]
    assert [file.name for file in files.published] == [NAME]


# Strain


def test_many_clients_at_once_lose_nothing(files):
    names = [f"{TRACKING_ID}_{number}.jpg" for number in range(1, 41)]

    async def upload(client):
        async def one(name: str) -> None:
            await put(client, f"{name}.part", name.encode())
            await client.rename(f"{name}.part", name)

        await asyncio.gather(*map(one, names[:20]))

    async def all_at_once() -> None:
        def by_ftp(name: str) -> None:
            with (ftp if len(name) % 2 else ftps)(files) as client:
                store(client, f"{name}.part", name.encode())
                client.rename(f"{name}.part", name)

        await asyncio.gather(
            asyncio.to_thread(with_sftp, files, upload), *(asyncio.to_thread(by_ftp, name) for name in names[20:])
        )

    asyncio.run(all_at_once())

    assert files.stored() == {name: name.encode() for name in names}


def test_a_client_that_goes_away_during_the_handshake_leaves_the_servers_as_they_were(files):
    async def knock() -> None:
        for port in files.servers.ports.values():
            _, writer = await asyncio.open_connection(HOST, port)
            writer.write(b"\x16\x03\x01 not what anyone expects \r\n\r\n")
            await writer.drain()
            writer.close()

    asyncio.run(knock())
    for connect in (ftp, ftps):
        with connect(files) as client:
            assert client.nlst() == []

    async def with_right_key() -> None:
        async with asyncssh.connect(
            HOST, files.servers.ports["sftp"], username=USER, password=UPLOAD_PASSWORD, known_hosts=known_hosts(),
            config=None, client_keys=None,
        ):  # fmt: skip
            pass

    asyncio.run(with_right_key())
