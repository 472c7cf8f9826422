"""The simulator's file servers as every client finds them, by real clients over real sockets (sections 6 and 8)."""

import asyncio
import ftplib
import io
import shutil
import socket
import ssl
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest
from tests.networks.palletways.served_files import (
    HOST,
    START,
    TRACKING_ID,
    USER,
    ServedFiles,
    ftp,
    ftps,
    openssh,
    with_sftp,
)

from palletflow.networks.palletways.simulator.files import FileServers, ca_pem
from palletflow.networks.palletways.simulator.members import UPLOAD_PASSWORD, UPLOAD_USERS

NAME = f"{TRACKING_ID}_1.jpg"
PHOTO = bytes(range(256)) * 1000  # with line ends and all other bytes in it
needs_openssh = pytest.mark.skipif(shutil.which("sftp") is None, reason="OpenSSH's sftp is not installed")
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@pytest.fixture(scope="module")
def served() -> Iterator[ServedFiles]:
    one = ServedFiles()
    yield one
    one.stop()


@pytest.fixture
def files(served):
    served.reset()
    return served


def read(client: ftplib.FTP, name: str) -> bytes:
    content = io.BytesIO()
    client.retrbinary(f"RETR {name}", content.write)
    return content.getvalue()


# What an upload does: write under a temporary name, ask for the size, rename


@pytest.mark.rule("PW-8-1", "PW-8-4")
@pytest.mark.parametrize("connect", [ftp, ftps])
def test_over_ftp_and_ftps_a_file_is_written_measured_renamed_and_handed_to_the_network(files, connect):
    with connect(files) as client:
        client.storbinary(f"STOR {NAME}.part", io.BytesIO(PHOTO))
        assert files.published == []
        client.voidcmd("TYPE I")
        assert client.size(f"{NAME}.part") == len(PHOTO)
        client.rename(f"{NAME}.part", NAME)
        assert client.nlst() == [NAME]
        assert [(name, facts["size"]) for name, facts in client.mlsd()] == [(NAME, str(len(PHOTO)))]
        assert read(client, NAME) == PHOTO

    [published] = files.published
    assert (published.user, published.name, published.tracking_id) == (USER, NAME, TRACKING_ID)
    assert published.data == PHOTO
    assert not published.set_aside
    assert files.stored() == {NAME: PHOTO}


@pytest.mark.rule("PW-8-1", "PW-8-4")
def test_over_sftp_a_file_is_written_measured_renamed_and_handed_to_the_network(files):
    async def upload(client):
        async with client.open(f"{NAME}.part", "wb") as file:
            await file.write(PHOTO)
        assert files.published == []
        assert (await client.stat(f"{NAME}.part")).size == len(PHOTO)
        await client.rename(f"{NAME}.part", NAME)
        assert await client.listdir("/") == [NAME]
        async with client.open(NAME, "rb") as file:
            assert await file.read() == PHOTO

    with_sftp(files, upload)

    assert [(file.name, file.data) for file in files.published] == [(NAME, PHOTO)]


@needs_openssh
@pytest.mark.rule("PW-8-1")
def test_openssh_uploads_renames_lists_and_fetches(files, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(PHOTO)

    done = openssh(
        files, tmp_path, f"put photo.jpg {NAME}.part\nrename {NAME}.part {NAME}\nls -l\nget {NAME} back.jpg\n"
    )

    assert done.returncode == 0, done.stderr
    assert f"{len(PHOTO)} Jul 13" in done.stdout
    assert (tmp_path / "back.jpg").read_bytes() == PHOTO
    assert files.stored() == {NAME: PHOTO}


@needs_curl
@pytest.mark.rule("PW-8-1")
@pytest.mark.parametrize("server", ["ftp", "ftps"])
def test_curl_uploads_and_renames(files, tmp_path, server):
    photo, ca = tmp_path / "photo.jpg", tmp_path / "ca.pem"
    photo.write_bytes(PHOTO)
    ca.write_text(ca_pem(), encoding="ascii")
    url = f"ftp://{USER}:{UPLOAD_PASSWORD}@{HOST}:{files.servers.ports[server]}/{NAME}.part"
    # With TLS 1.3 curl may close before it has read the session ticket that it is sent; that resets the connection, and
    # what is on the way gets lost.
    protected = ["--ssl-reqd", "--cacert", str(ca), "--tls-max", "1.2"] if server == "ftps" else []

    done = subprocess.run(
        [shutil.which("curl"), "-sS", "-T", str(photo), "-Q", f"-RNFR {NAME}.part", "-Q", f"-RNTO {NAME}", *protected,
         url],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert files.stored() == {NAME: PHOTO}


# Folders and names


def test_all_three_servers_show_one_folder_for_each_login(files):
    with ftp(files) as client:
        client.storbinary(f"STOR {NAME}", io.BytesIO(PHOTO))
    with ftps(files) as client:
        assert client.nlst() == [NAME]
    assert with_sftp(files, lambda client: client.listdir("/")) == [NAME]
    other = next(user for user in UPLOAD_USERS if user != USER)
    with ftp(files, user=other) as client:
        assert client.nlst() == []


@pytest.mark.parametrize("connect", [ftp, ftps])
def test_a_second_path_leads_to_the_same_folder_and_any_other_nowhere(files, connect):
    with connect(files) as client:
        client.cwd("/photos")
        client.storbinary(f"STOR {NAME}", io.BytesIO(PHOTO))
        assert client.nlst("/") == [NAME]
        for command in ("CWD /nowhere", "MKD /nowhere", f"STOR /nowhere/{NAME}", "LIST /nowhere", "RNFR nothing"):
            with pytest.raises(ftplib.error_perm):
                client.sendcmd(command)


def test_over_sftp_too_a_second_path_leads_to_the_same_folder_and_any_other_nowhere(files):
    async def look(client):
        async with client.open(f"/photos/{NAME}", "wb") as file:
            await file.write(PHOTO)
        assert await client.listdir(".") == [NAME]
        assert not await client.exists("/nowhere")
        for attempt in (client.listdir("/nowhere"), client.open(f"/nowhere/{NAME}", "wb"), client.stat("nothing")):
            with pytest.raises(asyncssh.SFTPNoSuchFile):
                await attempt
        with pytest.raises(asyncssh.SFTPPermissionDenied):
            await client.mkdir("/nowhere")

    with_sftp(files, look)


def test_a_file_is_replaced_by_a_new_one_of_its_name_and_can_be_deleted(files):
    with ftp(files) as client:
        client.storbinary(f"STOR {NAME}.part", io.BytesIO(PHOTO))
        client.storbinary(f"STOR {NAME}.part", io.BytesIO(b"new"))
        assert files.stored() == {f"{NAME}.part": b"new"}
        client.delete(f"{NAME}.part")
        with pytest.raises(ftplib.error_perm, match="550"):
            client.delete(f"{NAME}.part")
    assert files.stored() == {}


def test_sftp_files_can_be_replaced_deleted_and_written_in_any_order_but_not_in_part(files):
    async def write(client):
        async with client.open(f"{NAME}.part", "wb") as file:
            await file.write(PHOTO[100:], 100)
            await file.write(PHOTO[:100], 0)
        for mode in ("ab", "xb"):
            with pytest.raises(asyncssh.SFTPError):
                await client.open(f"{NAME}.part", mode)
        assert files.stored() == {f"{NAME}.part": PHOTO}
        async with client.open(f"{NAME}.part", "wb") as file:
            await file.write(b"new")
        assert files.stored() == {f"{NAME}.part": b"new"}
        await client.remove(f"{NAME}.part")
        with pytest.raises(asyncssh.SFTPNoSuchFile):
            await client.remove(f"{NAME}.part")

    with_sftp(files, write)
    assert files.stored() == {}


@pytest.mark.parametrize("connect", [ftp, ftps])
def test_ftp_does_not_rename_over_another_file(files, connect):
    with connect(files) as client:
        client.storbinary(f"STOR {NAME}", io.BytesIO(b"first"))
        client.storbinary(f"STOR {NAME}.part", io.BytesIO(b"second"))
        with pytest.raises(ftplib.error_perm, match="550"):
            client.rename(f"{NAME}.part", NAME)
    assert files.stored() == {NAME: b"first", f"{NAME}.part": b"second"}
    assert files.replaced == []


def test_sftp_renames_over_another_file_only_by_the_extension_of_openssh(files):
    async def write(client):
        for name, content in ((NAME, b"first"), (f"{NAME}.part", b"second")):
            async with client.open(name, "wb") as file:
                await file.write(content)
        with pytest.raises(asyncssh.SFTPFailure):  # version 3 has no other word for it
            await client.rename(f"{NAME}.part", NAME)
        assert files.stored()[NAME] == b"first"
        await client.posix_rename(f"{NAME}.part", NAME)

    with_sftp(files, write)
    assert files.stored() == {NAME: b"second"}
    assert [file.data for file in files.replaced] == [b"first"]


# Logins and what protects them


def test_a_wrong_password_opens_no_server(files):
    with pytest.raises(ftplib.error_perm, match="530"):
        ftp(files, password="wrong")
    with pytest.raises(ftplib.error_perm, match="530"):
        ftp(files, user="nobody")

    async def log_in():
        await asyncssh.connect(
            HOST, files.servers.ports["sftp"], username=USER, password="wrong", known_hosts=None, config=None,
            client_keys=None,
        )  # fmt: skip

    with pytest.raises(asyncssh.PermissionDenied):
        asyncio.run(log_in())
    assert files.told("PASS") == ["530", "530"]
    assert files.told("login") == ["refused"]


def test_ftps_takes_no_login_before_tls_and_no_data_unprotected(files):
    client = ftplib.FTP_TLS(context=ssl.create_default_context(cadata=ca_pem()), timeout=30)
    with client:
        client.connect(HOST, files.servers.ports["ftps"])
        with pytest.raises(ftplib.error_perm, match="550"):
            client.login(USER, UPLOAD_PASSWORD, secure=False)
        client.login(USER, UPLOAD_PASSWORD)
        with pytest.raises(ftplib.error_perm, match="550"):
            client.storbinary(f"STOR {NAME}", io.BytesIO(PHOTO))
    assert files.stored() == {}


@pytest.mark.rule("PW-6-21")
def test_ftps_refuses_a_data_connection_that_resumes_no_tls_session(files):
    # The standard library's own client begins a session of its own on each data connection.
    client = ftps(files, ftplib.FTP_TLS)
    with pytest.raises((ftplib.error_perm, OSError)):
        client.storbinary(f"STOR {NAME}", io.BytesIO(PHOTO))
    client.close()
    assert files.told("STOR")[-1] == "522"
    assert files.stored() == {}


@pytest.mark.parametrize("how", ["end", "reset"])
def test_over_ftps_a_transfer_that_breaks_off_is_not_called_complete(files, how):
    with ftps(files) as client:
        data = client.transfercmd(f"STOR {NAME}.part")
        data.sendall(PHOTO)
        if how == "reset":
            data.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        data.close()  # without TLS's own goodbye
        with pytest.raises(ftplib.error_temp, match="426"):
            client.voidresp()
        assert client.nlst() == [f"{NAME}.part"]
    assert PHOTO.startswith(files.stored()[f"{NAME}.part"])


def test_the_plain_server_knows_nothing_of_tls(files):
    with pytest.raises(ftplib.error_perm, match="500"), ftp(files) as client:
        client.sendcmd("AUTH TLS")


# What a test can look at


def test_sessions_tell_who_asked_for_what_without_the_password(files):
    with ftp(files) as client:
        client.storbinary(f"STOR {NAME}.part", io.BytesIO(PHOTO))
        client.rename(f"{NAME}.part", NAME)
        begun = files.servers.sessions.connections()["ftp"]
        assert (begun["begun"], begun["open"], begun["most"]) == (1, 1, 1)

    entries = files.servers.sessions.entries()
    told = [(entry["command"], entry["argument"], entry["reply"]) for entry in entries if entry["command"] != "PASV"]
    assert told[:-1] == [
        ("CONNECT", "", "220"), ("USER", USER, "331"), ("PASS", "***", "230"), ("TYPE", "I", "200"),
        ("STOR", f"{NAME}.part", told[4][2]), ("STOR", f"{NAME}.part", "226"),
        ("RNFR", f"{NAME}.part", "350"), ("RNTO", NAME, "250"),
    ]  # fmt: skip
    assert {entry["server"] for entry in entries} == {"ftp"}
    assert entries[-1]["user"] == USER


def test_sessions_count_the_connections_that_were_open_at_once(files):
    async def look(client):
        assert await client.listdir("/") == []
        await asyncio.to_thread(with_sftp, files, lambda second: second.listdir("/"))

    with_sftp(files, look)
    counted = files.servers.sessions.connections()["sftp"]
    assert (counted["begun"], counted["most"]) == (2, 2)


def test_the_time_of_a_file_is_that_of_the_network_s_clock(files):
    files.later(3600)
    with ftp(files) as client:
        client.storbinary(f"STOR {NAME}", io.BytesIO(PHOTO))
        assert client.sendcmd(f"MDTM {NAME}") == "213 20260713103000"
    assert files.published[0].received_at > START


# Start and end


def test_the_servers_listen_on_the_ports_asked_for_and_free_them_at_the_end(files):
    async def serve(**ports: int) -> dict[str, int]:
        servers = FileServers(files.received, **ports)
        await servers.start()
        try:
            return servers.ports
        finally:
            await servers.stop()

    any_free = asyncio.run(serve(ftp=0, ftps=0, sftp=0))
    assert len(set(any_free.values())) == 3
    assert asyncio.run(serve(**any_free)) == any_free
    assert asyncio.run(serve(sftp=0)).keys() == {"sftp"}
    assert asyncio.run(serve()) == {}


def test_a_port_that_is_taken_is_an_error_and_leaves_none_of_the_others_listening(files):
    with socket.create_server((HOST, 0)) as taken:
        servers = FileServers(files.received, ftp=0, sftp=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            asyncio.run(servers.start())
    assert servers.ports == {}


def test_the_end_of_the_servers_ends_connections_and_transfers(files, tmp_path: Path):
    one = ServedFiles()
    client = ftp(one)
    try:
        data = client.transfercmd(f"STOR {NAME}.part")
        data.sendall(PHOTO)
    finally:
        one.stop()
    with pytest.raises((EOFError, OSError)):
        client.sendcmd("NOOP")
    data.close()
    client.close()
