"""Where the bearer goes and where it does not, and which addresses of files are followed (contract 1.7)."""

import re
import time

import pytest
from tests.networks.nexus.answering import CANARY, answered

from palletflow.networks.nexus import addresses
from palletflow.networks.nexus.errors import (
    AddressRefused,
    FileTooLarge,
    NexusForbidden,
    NexusNotFound,
    NexusServerError,
    NexusUnknownOutcome,
)

JPEG = b"\xff\xd8\xff\xe0 a photo"
OWN = "Bearer canary-bearer-1"
HERE = {"attachment_hosts": ["127.0.0.1"]}


def moved(url, status=302):
    return answered(status, Location=url)


def bearers(server):
    return [request.headers.get("authorization") for request in server.requests]


# Nexus's own host


@pytest.mark.rule("NX-1-30")
@pytest.mark.parametrize("link", ["{root}/v1/files/3001", "{root}/elsewhere/3001", "/files/3001", "files/3001"])
def test_a_file_on_nexus_own_host_is_fetched_with_the_bearer(serve, client_of, link):
    server = serve(answered(200, JPEG))

    assert client_of(server.url).download(link.format(root=server.root)) == JPEG

    assert bearers(server) == [OWN]


@pytest.mark.rule("NX-1-31")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["{root}/v1/moved/700001", "/v1/moved/700001", "../moved/700001"])
def test_a_redirect_within_nexus_is_followed_with_the_bearer(serve, client_of, status, location):
    server = serve()
    server._answers = (moved(location.format(root=server.root), status), answered(200, {"consignmentID": 700001}))

    assert client_of(server.url).get(700001) == {"consignmentID": 700001}

    assert [request.path.split("?")[0] for request in server.requests] == [
        "/v1/consignments/700001",
        "/v1/moved/700001",
    ]
    assert bearers(server) == [OWN, OWN]


@pytest.mark.rule("NX-1-31")
def test_three_redirects_are_followed_and_no_more(serve, client_of):
    hop = moved("/v1/again")
    server = serve(hop, hop, hop, answered(200, JPEG))
    assert client_of(server.url).download("/files/3001") == JPEG

    server = serve(hop)
    with pytest.raises(NexusServerError, match="redirected more than 3 times"):
        client_of(server.url).download("/files/3001")
    assert len(server.requests) == 6 * 4


@pytest.mark.rule("NX-1-31")
@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda client: client.create({}), NexusUnknownOutcome),
        (lambda client: client.cancel(700001), NexusServerError),
    ],
)
def test_only_a_get_is_redirected(serve, client_of, call, error):
    elsewhere = serve(answered(200, {}))
    server = serve(moved(f"{elsewhere.root}/x", 307))

    with pytest.raises(error, match="HTTP 307"):
        call(client_of(server.url, **HERE))

    assert elsewhere.all_requests == []


def test_a_redirect_that_says_not_where_is_no_answer(serve, client_of):
    with pytest.raises(NexusServerError, match="HTTP 302"):
        client_of(serve(answered(302)).url).get(700001)


# Other hosts


@pytest.mark.rule("NX-1-30", "NX-1-32", "NX-11-21")
@pytest.mark.parametrize("way", ["link", "redirect", "redirect of a call"])
def test_no_bearer_cookie_or_header_of_ours_leaves_nexus(serve, client_of, way, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login canary password canary\n")
    monkeypatch.setenv("NETRC", str(netrc))
    elsewhere = serve(answered(200, JPEG if way != "redirect of a call" else {"consignmentID": 1}))
    cookie = {"Set_Cookie": "session=canary; Path=/"}
    server = serve(
        answered(200, {}, **cookie),
        answered(302, Location=f"{elsewhere.root}/3001", **cookie),
        logins=(answered(200, {"bearerToken": "canary-bearer-1"}, **cookie),),
    )
    client = client_of(server.url, **HERE)
    client.get(700001)

    if way == "redirect of a call":
        client.get(700001)
    else:
        assert client.download(f"{(elsewhere if way == 'link' else server).root}/3001") == JPEG

    [request] = elsewhere.all_requests
    assert set(request.headers) == {"host", "user-agent", "accept-encoding", "accept", "connection"}
    assert CANARY not in str(request)
    assert all("cookie" not in request.headers for request in server.all_requests)
    assert set(bearers(server)) == {OWN}


@pytest.mark.rule("NX-1-30", "NX-11-21")
def test_once_redirects_have_left_nexus_the_bearer_is_not_sent_again(serve, client_of):
    server = serve()
    elsewhere = serve(moved(f"{server.root}/secret"))
    server._answers = (moved(f"{elsewhere.root}/3001"), answered(401))
    client = client_of(server.url, **HERE)

    with pytest.raises(NexusForbidden, match="HTTP 401"):
        client.download("/files/3001")

    assert bearers(server) == [OWN, None]
    assert len(server.logins) == 1  # a 401 to a call without our bearer says nothing about it


@pytest.mark.rule("NX-1-30")
@pytest.mark.parametrize(("status", "error"), [(401, NexusForbidden), (403, NexusForbidden), (404, NexusNotFound)])
def test_what_another_host_refuses_is_not_about_our_login(serve, client_of, status, error):
    elsewhere, server = serve(answered(status)), serve()
    client = client_of(server.url, **HERE)

    with pytest.raises(error):
        client.download(f"{elsewhere.root}/3001")

    assert server.all_requests == []
    assert len(elsewhere.requests) == 1


@pytest.mark.rule("NX-1-32", "NX-11-21")
@pytest.mark.parametrize("redirected", [False, True])
def test_a_file_elsewhere_comes_over_https_or_not_at_all(serve, client_of, redirected):
    elsewhere = serve(answered(200, JPEG))
    url = f"{elsewhere.root}/3001"
    server = serve(moved(url))

    with pytest.raises(AddressRefused, match=r"127\.0\.0\.1 would come unprotected over http"):
        client_of(server.url).download("/files/3001" if redirected else url)

    assert elsewhere.all_requests == []


@pytest.mark.rule("NX-1-32")
@pytest.mark.parametrize(
    ("hosts", "url", "allowed"),
    [
        ((), "https://files.example.com/3001", True),
        ((), "https://files.example.com:8443/3001", True),
        ((), "http://files.example.com/3001", False),
        (("files.example.com",), "https://files.example.com/3001", True),
        (("files.example.com",), "http://files.example.com/3001", True),
        (("FILES.example.com",), "https://files.EXAMPLE.com./3001", True),
        (("files.example.com",), "https://files.example.com:8443/3001", True),
        (("files.example.com:8443",), "https://files.example.com:8443/3001", True),
        (("files.example.com:443",), "https://files.example.com/3001", True),
        (("files.example.com:8443",), "https://files.example.com/3001", False),
        (("files.example.com",), "https://example.com/3001", False),
        (("files.example.com",), "https://evil.files.example.com/3001", False),
        (("files.example.com",), "https://files.example.com.evil.example/3001", False),
        (("files.example.com", "[2001:db8::7]"), "https://[2001:db8::7]/3001", True),
        (("[2001:db8::7]:8443",), "https://[2001:db8::7]:8443/3001", True),
        (("[2001:db8::7]:8443",), "https://[2001:db8::7]/3001", False),
    ],
)
def test_the_hosts_a_connection_lists_are_the_only_ones(hosts, url, allowed):
    url = addresses.followed(url, "https://nexus.example.com/v1/")
    if allowed:
        addresses.must_be_allowed(url, hosts)
    else:
        with pytest.raises(addresses.NotAllowed):
            addresses.must_be_allowed(url, hosts)


@pytest.mark.rule("NX-1-30")
@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("https://nexus.example.com/files/1", True),
        ("https://NEXUS.example.com:443/files/1", True),
        ("HTTPS://nexus.example.com./files/1", True),
        ("//nexus.example.com/files/1", True),
        ("?file=1", True),
        ("http://nexus.example.com/files/1", False),
        ("https://nexus.example.com:8443/files/1", False),
        ("https://nexus.example.com.evil.example/files/1", False),
        ("https://evil.example/nexus.example.com/v1/", False),
        ("https://evil.example?https://nexus.example.com/", False),
        ("https://evil.example#https://nexus.example.com/", False),
        ("//evil.example/files/1", False),
        ("https:evil.example/x", True),
    ],
)
def test_own_is_scheme_host_and_port(url, own):
    base = "https://nexus.example.com/v1/"
    assert addresses.is_own(addresses.followed(url, base), base) is own


@pytest.mark.rule("NX-1-30", "NX-1-32")
@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://files.example.com/x",
        "javascript:alert(1)",
        "data:image/jpeg;base64,AAAA",
        "https://",
        "https://:443/x",
        "https://nexus.example.com@evil.example/x",
        "https://user:canary@nexus.example.com/x",
        "https://nexus.example.com\\@evil.example/x",
        "https:\\\\evil.example/x",
        "/\\evil.example/x",
        "https://evil.example\r\nX-Evil: yes/x",
        "https://evil.example/\x00",
        "https://[::1/x",
        "https://evil.example:port/x",
        "https://evil.example:99999/x",
    ],
)
def test_what_is_no_plain_web_address_is_not_followed(serve, client_of, url):
    server = serve()

    with pytest.raises(AddressRefused) as caught:
        client_of(server.url).download(url)

    assert CANARY not in str(caught.value)
    assert server.all_requests == []
    if "\r" not in url:  # which ends a header
        with pytest.raises(AddressRefused, match="redirected"):
            client_of(serve(moved(url)).url).download("/files/3001")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/files/POD 1.jpg", "/files/POD%201.jpg"),
        ("/files/POD%201.jpg?sig=a%2Fb%3D&x=1+2", "/files/POD%201.jpg?sig=a%2Fb%3D&x=1+2"),
        ("/files/Grüße.jpg", "/files/Gr%C3%BC%C3%9Fe.jpg"),
        ("/files/3001#page=2", "/files/3001"),
        ("  /files/3001  ", "/files/3001"),
    ],
)
def test_an_address_is_asked_as_it_was_meant(serve, client_of, url, path):
    server = serve(answered(200, JPEG))

    client_of(server.url).download(url)

    assert server.requests[0].path == path


@pytest.mark.rule("NX-1-30", "NX-1-31", "NX-1-32", "NX-11-7", "NX-11-21")
@pytest.mark.parametrize(
    ("place", "journal"),
    [
        ("own", [("/files/", True)]),
        ("redirect_own", [("/files/", True), ("/files/", True)]),
        ("foreign", [("/files/", False)]),
        ("redirect", [("/files/", True), ("/files/", False)]),
    ],
)
def test_the_simulators_files_come_from_wherever_they_lie(nexus_sim, nexus_client, place, journal):
    nexus_sim.control("options", file_host=place)
    consignment = nexus_sim.add()
    nexus_sim.attach(consignment, JPEG)
    client = nexus_client()

    [attachment] = client.attachments(consignment)
    assert client.download(attachment.url) == JPEG

    asked = [one for one in nexus_sim.requests() if "file" in one["path"]]
    assert ["authorization" in [name.casefold() for name in one["headers"]] for one in asked] == [
        with_bearer for _, with_bearer in journal
    ]
    assert nexus_sim.violations() == []


# Sizes


@pytest.mark.rule("NX-1-33", "NX-11-21")
@pytest.mark.parametrize("announced", [True, False])
def test_a_download_stops_at_25_megabytes(nexus_sim, nexus_client, announced):
    consignment = nexus_sim.add()
    nexus_sim.attach(consignment, JPEG)
    [attachment] = nexus_client().attachments(consignment)
    nexus_sim.fault("oversize", "files/*", mb=26, announced=announced)

    with pytest.raises(FileTooLarge, match="larger than 25 MB"):
        nexus_client().download(attachment.url)

    nexus_sim.fault("oversize", "files/*", mb=25, announced=announced)
    assert len(nexus_client().download(attachment.url)) == 25 * 1024 * 1024


@pytest.mark.rule("NX-1-33")
def test_how_large_a_download_may_be_is_a_setting(serve, client_of):
    server = serve(answered(200, b"x" * 2000))
    client = client_of(server.url, max_download_mb=0.01)
    assert len(client.download("/files/3001")) == 2000

    server._answers = (answered(200, b"x" * 20_000),)
    for call in (lambda: client.download("/files/3001"), lambda: client.label(700001)):
        with pytest.raises(FileTooLarge, match=re.escape("larger than 0.01 MB")):
            call()


def test_a_download_without_end_is_not_read_to_its_end(serve, client_of):
    sent = 0

    def endless(connection, _):
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 x\r\nConnection: close\r\n\r\n")
        for _ in range(1000):
            connection.sendall(b"x" * 1_000_000)
            sent += 1

    with pytest.raises(FileTooLarge):
        client_of(serve(endless).url, max_download_mb=1).download("/files/3001")

    deadline = time.monotonic() + 0.1
    while time.monotonic() < deadline:
        assert sent < 30
        time.sleep(0.005)
