"""What upload connections say, checked before anything is sent; and the one formatter of file names."""

import re

import asyncssh
import pytest
from tests.networks.palletways.upload_ways import upload_connection
from tests.networks.palletways.uploading import upload_extra

from palletflow.documents import media
from palletflow.network_errors import Misconfigured
from palletflow.networks.palletways.simulator.files import host_key_line
from palletflow.networks.palletways.upload_names import file_name
from palletflow.networks.palletways.upload_settings import parse
from palletflow.transfer.ftp import FtpServer
from palletflow.transfer.sftp import SftpServer

TRACKING_ID = "60000000017"


def sftp(**extra):
    return upload_connection("sftp", 22, **upload_extra("sftp", **extra))


@pytest.mark.rule("PW-6-12", "PW-6-23", "PW-6-24", "PW-6-9", "PW-6-6", "PW-6-28", "PW-6-29", "PW-6-31", "PW-6-17")
def test_defaults_are_the_contract_s():
    settings = parse("c", "palletways_sftp", "files.example.com", None, "pw123", "secret", {})
    server = settings.server
    assert (server.host, server.port, server.folder, server.connect_s, server.idle_s) == (
        "files.example.com", 22, "/", 15, 60,
    )  # fmt: skip
    assert settings.upload_enabled_at is None
    assert (settings.name_template, settings.name_start, settings.name_pad, settings.name_ext_case) == (
        "{tracking_id}_{n}.{ext}", 1, 0, "lower",
    )  # fmt: skip
    assert (settings.upload_as, settings.upload_max_mib, settings.temp_suffix) == ("as_is", 10, ".part")
    assert (settings.size_check, settings.rename_mode, settings.upload_connections) == ("required", "temp", 2)


@pytest.mark.rule("PW-6-20", "PW-6-21", "PW-6-22")
def test_the_type_decides_the_protocol():
    made = {kind: parse("c", f"palletways_{kind}", "h", None, "u", "p", {}).server for kind in ("ftp", "ftps", "sftp")}
    assert isinstance(made["sftp"], SftpServer)
    assert isinstance(made["ftp"], FtpServer)
    assert isinstance(made["ftps"], FtpServer)
    assert (made["ftp"].tls, made["ftps"].tls) == (False, True)
    assert {kind: server.port for kind, server in made.items()} == {"ftp": 21, "ftps": 21, "sftp": 22}
    with pytest.raises(Misconfigured, match="palletways_sftp"):
        parse("c", "sftp", "h", None, "u", "p", {})


@pytest.mark.rule("PW-6-3", "PW-6-17")
@pytest.mark.parametrize(
    ("given", "enabled", "said"),
    [
        ("2026-07-13T09:00:00+01:00", "2026-07-13T08:00:00+00:00", ""),
        ("2026-07-13T08:00:00Z", "2026-07-13T08:00:00+00:00", ""),
        ("", None, "missing"),
        (None, None, "missing"),
        ("tomorrow", None, "no moment"),
        ("2026-07-13T09:00:00", None, "offset"),
    ],
)
def test_uploads_are_on_from_a_moment_that_can_be_read(given, enabled, said):
    settings = sftp(upload_enabled_at=given)
    at = settings.upload_enabled_at
    assert (at and at.astimezone(tz=__import__("datetime").UTC).isoformat()) == enabled
    assert said in settings.note


@pytest.mark.rule("PW-6-22")
@pytest.mark.parametrize("value", [True, "true"])
def test_an_extra_that_turns_the_check_of_the_host_key_off_is_rejected(value):
    with pytest.raises(Misconfigured, match="no_host_key_check"):
        sftp(no_host_key_check=value)
    assert sftp(no_host_key_check="false").server.host_key == host_key_line()


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ({"host_key": "not a key"}, "host_key"),
        ({"private_key": "not a key either"}, "private_key"),
        ({"name_template": "{tracking_id}.{ext}"}, "name_template"),
        ({"name_template": "{n}.{ext}"}, "name_template"),
        ({"name_template": "{tracking_id}{n}.{ext}"}, "name_template"),
        ({"name_template": "{tracking_id}/{n}.{ext}"}, "name_template"),
        ({"name_template": "{tracking_id}_{n}_{day}"}, "name_template"),
        ({"temp_suffix": "/../x"}, "temp_suffix"),
        ({"temp_suffix": ""}, None),
        ({"remote_dir": "a\r\nDELE b"}, "remote_dir"),
        ({"upload_max_mib": 26}, "upload_max_mib"),
        ({"upload_connections": 0}, "upload_connections"),
        ({"rename_mode": "copy"}, "rename_mode"),
        ({"size_check": "never"}, "size_check"),
        ({"upload_as": "png"}, "upload_as"),
        ({"name_pad": 1.5}, "name_pad"),
        ({"active": True}, "active"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_what_is_not_usable_is_named(extra, named):
    if named is None:
        assert sftp(**extra).temp_suffix == ".part", "an empty field means the default"
        return
    with pytest.raises(Misconfigured, match=named):
        sftp(**extra)


@pytest.mark.parametrize(
    ("host", "login", "password", "said"),
    [("", "u", "p", "Host"), ("h", " ", "p", "Login"), ("h", "u", "", "Password"), ("h", "u", "p\r\nDELE x", "line")],
)
def test_host_login_and_password_must_be_there(host, login, password, said):
    with pytest.raises(Misconfigured, match=said) as raised:
        parse("c", "palletways_ftp", host, None, login, password, {})
    assert "DELE" not in str(raised.value)


def test_a_private_key_stands_in_for_a_password_and_is_never_shown():
    key = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    settings = parse("c", "palletways_sftp", "h", None, "u", "", {"private_key": key})
    assert settings.server.private_key == key
    assert "PRIVATE KEY" not in repr(settings)
    with pytest.raises(Misconfigured) as raised:
        parse("c", "palletways_sftp", "h", None, "u", "", {"private_key": key[:60]})
    assert key[40:60] not in str(raised.value)


# Names


@pytest.mark.rule("PW-6-9", "PW-6-6")
@pytest.mark.parametrize(
    ("extra", "number", "media_type", "name"),
    [
        ({}, 1, media.JPEG, "60000000017_1.jpg"),
        ({}, 12, media.PDF, "60000000017_12.pdf"),
        ({}, 3, media.PNG, "60000000017_3.png"),
        ({}, 4, media.TIFF, "60000000017_4.tif"),
        ({"name_pad": 3, "name_ext_case": "upper"}, 7, media.JPEG, "60000000017_007.JPG"),
        ({"name_pad": 2}, 123, media.JPEG, "60000000017_123.jpg"),
        ({"name_template": "POD.{tracking_id}-{n}"}, 1, media.JPEG, "POD.60000000017-1"),
    ],
)
def test_names(extra, number, media_type, name):
    made = file_name(sftp(**extra), TRACKING_ID, number, media_type)
    assert made == name
    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", made)


@pytest.mark.rule("PW-6-9")
@pytest.mark.parametrize("tracking_id", ["6000/17", "../x", "6" * 70, "600\n17", "６０００"])
def test_no_name_leads_anywhere_else(tracking_id):
    with pytest.raises(ValueError, match="no name"):
        file_name(sftp(), tracking_id, 1, media.JPEG)
