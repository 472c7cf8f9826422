"""The Palletforce client on real sockets (contract 1, 2.4, 2.5 and the reads of 9).

What the network can do by itself is asked of the simulator; what it cannot is said by a small server of this file,
which answers byte by byte as a test tells it.
"""

import contextlib
import gzip
import html
import ipaddress
import json
import logging
import os
import re
import socket
import ssl
import struct
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from palletflow.network_errors import (
    AuthFailed,
    Misconfigured,
    NetworkError,
    NotSent,
    Rejected,
    Throttled,
    UnknownOutcome,
    Unstable,
)
from palletflow.networks.palletforce import settings
from palletflow.networks.palletforce.client import PalletforceClient

NOW = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)  # 10:30 in London; the simulator stands a minute before
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NOWHERE = {"requestingDepot": "900", "collectingDepot": "900", "deliveryDepot": "901"}
KEY = "canary-of-tests"
DEADLINE_S = 10


# A server that answers as it is told


class Request(NamedTuple):
    """One request as it stood on the wire; header names in lower case."""

    line: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


Answer = bytes | Callable[[socket.socket, Request], None]


class Server:
    """Gives each request the next of `answers`, the last of them for ever. One request a connection."""

    def __init__(self, *answers: Answer, tls: ssl.SSLContext | None = None) -> None:
        self._answers, self._tls = answers, tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = f"{'https' if tls else 'http'}://{self.address}/api"
        self.requests: list[Request] = []
        self.connections = 0
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self._open.append(connection)
            request = read_request(connection)
            if request is None:
                return
            with self._lock:
                self.requests.append(request)
                answer = self._answers[min(len(self.requests), len(self._answers)) - 1]
            if callable(answer):
                answer(connection, request)
            else:
                connection.sendall(answer)
            connection.close()


def read_request(connection: socket.socket) -> Request | None:
    received = b""
    while b"\r\n\r\n" not in received:
        part = connection.recv(65536)
        if part.startswith(b"\x16"):  # somebody greets in TLS
            connection.sendall(answered(400))
        if not part or part.startswith(b"\x16"):
            return None
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (text.split(": ", 1) for text in lines)}
    while len(body) < int(headers["content-length"]):
        body += connection.recv(65536)
    return Request(line, headers, body)


def answered(status: int, body: str | bytes | dict[str, Any] = b"", **headers: str) -> bytes:
    """A whole HTTP answer; a dict goes as JSON."""
    if isinstance(body, dict):
        body = json.dumps(body)
    if isinstance(body, str):
        body = body.encode()
    lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def page(number: int, pages: int, total: int, *records: Any, **more: Any) -> dict[str, Any]:
    """The body of one good page of DownloadManifest."""
    return {
        "success": True,
        "pageNumber": str(number),
        "totalPages": str(pages),
        "totalRecords": str(total),
        "manifests": list(records),
        **more,
    }


def manifest(number: str, **fields: Any) -> dict[str, Any]:
    return {"consignments": [{"trackingNumber": number, **fields}]}


EMPTY = answered(200, page(1, 0, 0))


def silent(connection: socket.socket, _: Request) -> None:
    """Never answers; ends when the client goes away."""
    connection.recv(1)


def reset(connection: socket.socket, _: Request) -> None:
    """Cuts the connection after reading the request."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def make(*answers: Answer, **options: Any) -> Server:
        servers.append(Server(*answers, **options))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def client_of() -> Iterator[Callable[..., Any]]:
    """Makes clients of an address; keyword arguments are the connection's Extra. Pauses are noted, not waited."""
    opened = []

    def make(url: str, *, key: str = KEY, aliases: dict[str, str] | None = None, **extra: Any) -> Any:
        parsed = settings.parse("palletforce_900", url, key, {"allow_http": True, "read_timeout_s": 5, **extra})
        client: Any = PalletforceClient(
            parsed, aliases or {}, sleep=lambda s: client.pauses.append(s), jitter=lambda: 1
        )
        client.pauses = []
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.close()


def pulled(client: PalletforceClient, start: datetime = NOW - HOUR, end: datetime = NOW, depot: str = "900") -> Any:
    """Every manifest of a pull that did not have to begin anew."""
    return [manifest for page in client.pull(depot, start, end) if page for manifest in page.manifests]


def numbers(manifests: list[Any]) -> list[str]:
    return [manifest["consignments"][0]["trackingNumber"] for manifest in manifests]


def wait_until(true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.005)


# 1.1 What is sent


@pytest.mark.rule("PF-1.1-1", "PF-1.1-4", "PF-1.1-5", "PF-1.1-6", "PF-1.1-8", "PF-1.1-13", "PF-2.4-2", "PF-2.4-6")
def test_a_pull_is_one_post_of_texts_with_the_key_in_the_body(serve, client_of):
    server = serve(EMPTY)

    pulled(client_of(server.url))

    [request] = server.requests
    assert request.line == "POST /api/DownloadManifest HTTP/1.1"
    assert request.headers["content-type"] == "application/json"
    assert request.body == {
        "accessKey": KEY,
        "depot": "900",
        "fromDateTime": "2026-07-13T09:30:00",
        "toDateTime": "2026-07-13T10:30:00",
        "pageNumber": "1",
        "pageSize": "100",
    }


@pytest.mark.rule("PF-1.1-4", "PF-1.1-6", "PF-1.1-8", "PF-1.1-13", "PF-2.5-1")
@pytest.mark.parametrize("field", ["trackingNumber", "uniqueTransactionNumber"])
def test_a_fetch_is_the_same_operation_with_exactly_one_filter(serve, client_of, field):
    server = serve(EMPTY)

    assert client_of(server.url).fetch_by(field, "9000010000123") == []

    [request] = server.requests
    assert request.line == "POST /api/DownloadManifest HTTP/1.1"
    assert request.body == {"accessKey": KEY, field: "9000010000123"}


@pytest.mark.rule("PF-1.1-7")
@pytest.mark.parametrize(
    ("extra", "header"),
    [({}, "x-ibm-client-id"), ({"client_id_header": "X-Api-Key"}, "x-api-key"), ({"client_id_header": ""}, None)],
)
def test_the_gateway_header_is_sent_renamed_or_left_out(serve, client_of, extra, header):
    server = serve(EMPTY)

    pulled(client_of(server.url, **extra))

    [request] = server.requests
    assert [name for name, value in request.headers.items() if KEY in value] == ([header] if header else [])


@pytest.mark.rule("PF-1.1-13")
def test_an_operation_can_be_renamed(serve, client_of):
    server = serve(EMPTY)
    client = client_of(server.url, operations={"DownloadManifest": "ExportManifest", "FetchManifest": "FindManifest"})

    pulled(client)
    client.fetch_by("trackingNumber", "9000010000123")

    assert [request.line.split()[1] for request in server.requests] == ["/api/ExportManifest", "/api/FindManifest"]


@pytest.mark.rule("PF-1.1-12")
def test_times_go_out_in_the_connections_zone_and_form(serve, client_of):
    server = serve(EMPTY)

    pulled(client_of(server.url, time_zone="UTC", datetime_format="%Y%m%d%H%M%S"))

    assert server.requests[0].body["fromDateTime"] == "20260713083000"
    assert server.requests[0].body["toDateTime"] == "20260713093000"


@pytest.mark.rule("PF-1.1-10")
def test_a_network_that_takes_no_connection_in_time_was_sent_nothing(client_of):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for other in waiting:  # fill the queue of connections not yet accepted
            other.setblocking(False)
            other.connect_ex(full.getsockname())
        client = client_of(f"http://127.0.0.1:{full.getsockname()[1]}/api", connect_timeout_s=0.1)

        with pytest.raises(NotSent, match=r"connect timeout=0\.1"):
            pulled(client)

        for other in waiting:
            other.close()


@pytest.mark.rule("PF-1.1-10", "PF-1.3-7")
def test_a_network_that_does_not_answer_in_time_leaves_the_outcome_unknown(serve, client_of):
    server = serve(silent)

    with pytest.raises(UnknownOutcome, match=r"read timeout=0\.1"):
        pulled(client_of(server.url, read_timeout_s=0.1))

    assert len(server.requests) == 4


@pytest.mark.rule("PF-1.1-11")
@pytest.mark.parametrize(("extra", "most"), [({}, 2), ({"max_in_flight": 1}, 1), ({"max_in_flight": 4}, 4)])
def test_at_most_so_many_calls_are_in_flight(serve, client_of, extra, most):
    busy, highest = 0, 0
    change = threading.Condition()

    def hold(connection: socket.socket, request: Request) -> None:
        nonlocal busy, highest
        number = int(request.body["pageNumber"])
        with change:
            busy += 1
            highest = max(highest, busy)
            change.notify_all()
            if number > 1:
                # Answers once as many are here as are allowed, and gives one more the time to come.
                change.wait_for(lambda: busy >= most or number > 12 - most, timeout=DEADLINE_S)
                change.wait_for(lambda: busy > most, timeout=0.02)
            busy -= 1
        connection.sendall(answered(200, page(number, 12, 12, manifest(str(number)))))

    client = client_of(serve(hold).url, page_size=1, **extra)

    assert numbers(pulled(client)) == [str(number) for number in range(1, 13)]
    assert highest == most


def test_pages_are_asked_for_only_a_little_ahead_of_their_use(serve, client_of):
    def answer(connection: socket.socket, request: Request) -> None:
        number = int(request.body["pageNumber"])
        connection.sendall(answered(200, page(number, 500, 500, manifest(str(number)))))

    server = serve(answer)
    with contextlib.closing(client_of(server.url, page_size=1).pull("900", NOW - HOUR, NOW)) as arriving:
        for _ in range(3):
            next(arriving)
        # It may have asked for a few more by now, but not go on asking.
        deadline = time.monotonic() + 0.3
        while time.monotonic() < deadline:
            assert len(server.requests) < 10
            time.sleep(0.005)


# 1.2 What is read


@pytest.mark.rule("PF-1.2-1", "PF-1.2-2", "PF-1.2-3", "PF-1.2-6")
@pytest.mark.parametrize("success", [True, "true", "TRUE", " True "])
def test_success_is_read_as_boolean_or_text_under_keys_in_any_spelling(serve, client_of, success):
    body = {
        " SUCCESS ": success,
        "PageNumber ": 1,
        "totalpages": "1",
        "TotalRecords": 1,
        "manifests": None,
        "Manifests ": [manifest("9000010000123")],
    }
    server = serve(answered(200, body))

    assert numbers(pulled(client_of(server.url))) == ["9000010000123"]


@pytest.mark.rule("PF-1.2-3", "PF-1.3-14")
@pytest.mark.parametrize("success", [False, "false", "yes", "1", 1, "", [], {}])
def test_every_other_success_is_a_refusal(serve, client_of, success):
    server = serve(answered(200, page(1, 1, 1, manifest("9000010000123"), success=success)))

    with pytest.raises(Rejected):
        pulled(client_of(server.url))

    assert len(server.requests) == 1


@pytest.mark.rule("PF-1.2-4", "PF-1.3-4")
@pytest.mark.parametrize("status", [200, 201, 400, 404, 405, 409, 422, 500, 502, 503])
@pytest.mark.parametrize("success", [True, False])
def test_a_body_with_success_decides_whatever_the_status(serve, client_of, status, success):
    server = serve(answered(status, page(1, 1, 1, manifest("9000010000123"), success=success, message="so be it")))
    client = client_of(server.url)

    if success:
        assert numbers(pulled(client)) == ["9000010000123"]
    else:
        with pytest.raises(Rejected, match="so be it"):
            pulled(client)
    assert len(server.requests) == 1


@pytest.mark.rule("PF-1.2-5", "PF-1.3-14")
@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ({"failureReasons ": "Depot closed"}, "Depot closed"),
        ({"failureReasons ": ["Depot closed", "No lorry"]}, "Depot closed; No lorry"),
        (
            {"failureReasons": [{"message": "Depot closed"}, {"reason": "No lorry"}, {"value": 7}]},
            "closed; No lorry; 7",
        ),
        ({"message": "Depot closed"}, "Depot closed"),
        ({"errorMessage": "Depot closed"}, "Depot closed"),
        ({"errors": ["Depot closed", {"message": "No lorry"}]}, "Depot closed; No lorry"),
        ({"failedConsignments": [{"failureReasons ": ["Depot closed"]}, "?"]}, "Depot closed"),
        ({"failedTracking": [{"FailureReasons": {"reason": "Depot closed"}}]}, "Depot closed"),
    ],
)
def test_the_reasons_of_a_refusal_are_shown(serve, client_of, body, shown):
    server = serve(answered(400, {"success": False, **body}))

    with pytest.raises(Rejected, match=re.escape(shown)) as caught:
        pulled(client_of(server.url))

    assert str(caught.value).startswith("DownloadManifest through connection 'palletforce_900': HTTP 400: ")
    assert len(server.requests) == 1


@pytest.mark.rule("PF-1.2-8")
def test_the_answers_own_fields_may_have_other_names(serve, client_of):
    body = {"ok": "true", "page": 1, "pages": 1, "count": 1, "rows": [manifest("9000010000123")]}
    aliases = {
        "ok": "success",
        "page": "pagenumber",
        "pages": "totalpages",
        "count": "totalrecords",
        "rows": "manifests",
    }
    server = serve(answered(200, body))

    assert numbers(pulled(client_of(server.url, aliases=aliases))) == ["9000010000123"]


# 1.3 Outcome classes, row by row


def refused_address() -> str:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}/api"


@pytest.mark.rule("PF-1.3-1", "PF-1.3-10")
def test_a_refused_connection_sent_nothing_and_is_tried_three_times_more(client_of):
    client = client_of(refused_address())

    with pytest.raises(NotSent, match=r"refused.*Nothing was sent"):
        pulled(client)

    assert client.pauses == [2, 4, 8]


@pytest.mark.rule("PF-1.3-1", "PF-1.3-10")
def test_an_unknown_host_name_sent_nothing(client_of, monkeypatch):
    def unknown(*_: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    client = client_of("https://palletforce.invalid/api")

    with pytest.raises(NotSent, match="Name or service not known"):
        pulled(client)

    assert client.pauses == [2, 4, 8]


@pytest.mark.rule("PF-1.3-1")
def test_a_server_that_speaks_no_tls_was_sent_nothing(serve, client_of):
    server = serve(EMPTY)

    with pytest.raises(NotSent):
        pulled(client_of(f"https://{server.address}/api", read_timeout_s=1))

    assert server.requests == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PEM file with key and certificate of 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a network of tests")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - HOUR)
        .not_valid_after(now + HOUR)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "certificate.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return file


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.mark.rule("PF-1.3-1")
def test_an_untrusted_certificate_was_sent_nothing(serve, client_of, tls):
    server = serve(EMPTY, tls=tls)

    with pytest.raises(NotSent, match=r"(?i)certificate"):
        pulled(client_of(server.url))

    assert server.requests == []


@pytest.mark.rule("PF-1.3-1")
def test_a_tls_handshake_that_never_ends_sent_nothing(client_of):
    with socket.create_server(("127.0.0.1", 0)) as listener:  # takes connections and says nothing
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/api"

        with pytest.raises(NotSent, match="timed out"):
            pulled(client_of(url, connect_timeout_s=0.1, read_timeout_s=0.1))


def garbage(connection: socket.socket, _: Request) -> None:
    """Answers in clear text within a TLS connection."""
    with socket.socket(fileno=os.dup(connection.fileno())) as bare:
        bare.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")


@pytest.mark.rule("PF-1.3-7")
@pytest.mark.parametrize("end", [reset, garbage, lambda *_: None], ids=["reset", "garbage", "closed"])
def test_tls_that_breaks_after_sending_leaves_the_outcome_unknown(serve, client_of, tls, certificate, monkeypatch, end):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    server = serve(end, tls=tls)
    client = client_of(server.url)

    with pytest.raises(UnknownOutcome):
        pulled(client)

    assert len(server.requests) == 4


@pytest.mark.rule("PF-1.1-4", "PF-1.3-4")
def test_a_trusted_network_answers_over_tls(serve, client_of, tls, certificate, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    server = serve(answered(200, page(1, 1, 1, manifest("9000010000123"))), tls=tls)

    assert numbers(pulled(client_of(server.url))) == ["9000010000123"]


REFUSED_KEY = {
    "401": answered(401, "<html>who are you</html>"),
    "403": answered(403, ""),
    "401 with a good body": answered(401, page(1, 1, 0)),
    "reason": answered(200, {"success": False, "failureReasons ": ["Access Key is not recognised"]}),
    "message": answered(400, {"success": False, "message": "UNAUTHORISED"}),
    "error": answered(500, {"errors": [{"reason": "unauthorized"}]}),
    "reason with 429": answered(429, {"failedConsignments": [{"failureReasons": "Invalid access key"}]}),
}


@pytest.mark.rule("PF-1.3-2", "PF-1.3-16")
@pytest.mark.parametrize("name", REFUSED_KEY)
def test_a_refused_key_is_not_tried_again(serve, client_of, name):
    server = serve(REFUSED_KEY[name])
    client = client_of(server.url)

    with pytest.raises(AuthFailed, match="Correct the connection's password"):
        pulled(client)

    assert (len(server.requests), client.pauses) == (1, [])


@pytest.mark.rule("PF-1.3-2", "PF-1.3-4")
def test_a_word_about_the_key_beside_a_success_refuses_nothing(serve, client_of):
    server = serve(answered(200, page(1, 1, 0, success=True, message="Your access key expires in 30 days")))

    assert pulled(client_of(server.url)) == []


@pytest.mark.rule("PF-1.3-2")
def test_what_means_a_refused_key_can_be_said_otherwise(serve, client_of):
    server = serve(answered(200, {"success": False, "failureReasons": "Clé inconnue"}))

    with pytest.raises(AuthFailed):
        pulled(client_of(server.url, auth_error_pattern="clé INCONNUE"))


@pytest.mark.rule("PF-1.3-3", "PF-1.3-11")
@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (429, {}, 30),
        (429, {"Retry_After": "7"}, 7),
        (429, {"Retry_After": "1.5"}, 1.5),
        (429, {"Retry_After": "3600"}, 300),
        (429, {"Retry_After": "inf"}, 300),
        (429, {"Retry_After": "0"}, 0),
        (429, {"Retry_After": "-5"}, 0),
        (429, {"Retry_After": "nan"}, 30),
        (429, {"Retry_After": "soon"}, 30),
        (429, {"Retry_After": ""}, 30),
        (429, {"Retry_After": "Mon, 13 Jul 2020 09:30:00 GMT"}, 0),
        (429, {"Retry_After": "Mon, 13 Jul 2020 09:30:00"}, 0),
        (429, {"Retry_After": "Thu, 31 Dec 9999 23:59:59 GMT"}, 300),
        (503, {"Retry_After": "7"}, 7),
    ],
)
def test_the_network_says_how_long_to_wait(serve, client_of, status, headers, wait):
    server = serve(answered(status, page(1, 0, 0), **headers), EMPTY)
    client = client_of(server.url)

    assert pulled(client) == []

    assert client.pauses == [wait]


@pytest.mark.rule("PF-1.3-11")
@pytest.mark.parametrize("zone", ["GMT", "-0000", ""])
def test_retry_after_may_be_an_http_date(serve, client_of, zone, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")  # a date without a zone is GMT all the same
    time.tzset()
    try:
        moment = datetime.now(UTC) + timedelta(seconds=100)
        header = format_datetime(moment).replace("+0000", zone).strip()
        client = client_of(serve(answered(429, Retry_After=header), EMPTY).url)
        pulled(client)
    finally:
        monkeypatch.undo()
        time.tzset()

    [pause] = client.pauses
    assert 80 < pause <= 100


@pytest.mark.rule("PF-1.3-3", "PF-1.3-11")
def test_a_network_that_keeps_asking_for_patience_is_asked_four_times(serve, client_of):
    server = serve(answered(429, Retry_After="7"))
    client = client_of(server.url)

    with pytest.raises(Throttled) as caught:
        pulled(client)

    assert client.pauses == [7, 7, 7]
    assert len(server.requests) == 4
    assert caught.value.retry_after == 7


@pytest.mark.rule("PF-1.3-4", "PF-1.3-9")
@pytest.mark.parametrize("success", [{}, {"success": None}])
def test_without_success_the_data_alone_mean_that_a_read_was_answered(serve, client_of, success):
    body = page(1, 1, 1, manifest("9000010000123"))
    del body["success"]
    server = serve(answered(200, {**body, **success}))

    assert numbers(pulled(client_of(server.url))) == ["9000010000123"]


@pytest.mark.rule("PF-1.3-5", "PF-1.3-16")
@pytest.mark.parametrize("status", [404, 405])
@pytest.mark.parametrize("body", ["<html>no such page</html>", "", '{"httpMessage": "No resources match"}'])
def test_an_unknown_address_is_the_connections_fault(serve, client_of, status, body):
    server = serve(answered(status, body))
    client = client_of(server.url)

    with pytest.raises(Misconfigured, match=f"HTTP {status}: .*Correct the connection"):
        pulled(client)

    assert (len(server.requests), client.pauses) == (1, [])


@pytest.mark.rule("PF-1.3-6", "PF-1.3-14")
@pytest.mark.parametrize("status", [400, 402, 406, 408, 410, 413, 415, 418, 451])
def test_another_4xx_is_a_refusal_that_shows_the_beginning_of_its_body(serve, client_of, status):
    server = serve(answered(status, "<html>  No\nlorry today  " + "x" * 9000))
    client = client_of(server.url)

    with pytest.raises(Rejected) as caught:
        pulled(client)

    assert caught.value.detail == f"HTTP {status}: " + ("<html> No lorry today " + "x" * 9000)[:500]
    assert (len(server.requests), client.pauses) == (1, [])


@pytest.mark.rule("PF-1.3-14")
def test_endless_reasons_are_shown_in_part(serve, client_of):
    server = serve(answered(400, {"success": False, "failureReasons": ["Depot closed"] * 100_000}))

    with pytest.raises(Rejected, match="Depot closed; Depot closed") as caught:
        pulled(client_of(server.url))

    assert len(str(caught.value)) < 4000


UNREADABLE = {
    "html": answered(200, "<html>welcome</html>"),
    "empty": answered(200),
    "204": answered(204),
    "cut JSON": answered(200, json.dumps(page(1, 1, 1, manifest("9000010000123")))[:60]),
    "cut on the way": answered(200, page(1, 1, 1, manifest("9000010000123")))[:-30],
    "list": answered(200, '[{"success": true}]'),
    "text": answered(200, '"success"'),
    "number": answered(200, "7"),
    "null": answered(200, "null"),
    "object without a result": answered(200, '{"status": "fine"}'),
    "null success alone": answered(200, '{"success": null}'),
    "not UTF-8": answered(200, b'{"success": true, "manifests": "\xff"}'),
    "nested without end": answered(200, '{"a":' * 100_000),
    "500": answered(500, "<html>oops</html>"),
    "502": answered(502, "<html>bad gateway</html>"),
    "503": answered(503, ""),
    "504": answered(504, '{"httpMessage": "Gateway Timeout"}'),
    "redirect": answered(302, "", Location="http://127.0.0.1:9/elsewhere"),
    "redirect to no address": answered(302, "", Location="https://[::1/elsewhere"),
    "broken compression": answered(200, b"no gzip", Content_Encoding="gzip"),
    "no HTTP": b"220 mail.example.com ESMTP\r\n",
    "nothing": b"",
    "reset": reset,
}


@pytest.mark.rule("PF-1.3-7", "PF-1.3-12")
@pytest.mark.parametrize("name", UNREADABLE)
def test_an_answer_that_cannot_be_read_leaves_the_outcome_unknown(serve, client_of, name):
    server = serve(UNREADABLE[name])
    client = client_of(server.url)

    with pytest.raises(UnknownOutcome):
        pulled(client)

    assert client.pauses == [2, 4, 8]
    assert len(server.requests) == 4


@pytest.mark.rule("PF-1.3-7", "PF-1.3-12")
@pytest.mark.parametrize("name", UNREADABLE)
def test_a_read_is_simply_asked_again(serve, client_of, name):
    server = serve(UNREADABLE[name], UNREADABLE[name], answered(200, page(1, 1, 1, manifest("9000010000123"))))
    client = client_of(server.url)

    assert numbers(pulled(client)) == ["9000010000123"]
    assert client.pauses == [2, 4]
    assert server.requests[0].raw == server.requests[2].raw


def test_a_redirect_is_not_followed_with_the_key(serve, client_of):
    elsewhere = serve(EMPTY)
    server = serve(answered(302, "", Location=f"{elsewhere.url}/DownloadManifest"))

    with pytest.raises(UnknownOutcome, match="HTTP 302"):
        pulled(client_of(server.url))

    assert elsewhere.connections == 0


@pytest.mark.parametrize("compressed", [False, True])
def test_an_answer_without_end_is_not_read_to_its_end(serve, client_of, compressed):
    block = b" " * 1_000_000
    if compressed:
        body = gzip.compress(b'{"success": true, "x": "' + b"x" * 200_000_000, 1)
        server = serve(answered(200, body, Content_Encoding="gzip"))
    else:

        def endless(connection: socket.socket, _: Request) -> None:
            connection.sendall(b"HTTP/1.1 200 x\r\nConnection: close\r\n\r\n")
            for _ in range(1000):
                connection.sendall(block)

        server = serve(endless)

    with pytest.raises(UnknownOutcome, match="larger than 64 MB"):
        pulled(client_of(server.url))


@pytest.mark.rule("PF-1.3-10", "PF-1.3-12")
def test_pauses_have_jitter():
    pauses: list[float] = []
    for _ in range(2):
        parsed = settings.parse("palletforce_900", refused_address(), KEY, {"allow_http": True})
        with PalletforceClient(parsed, {}, sleep=pauses.append) as client, pytest.raises(NotSent):
            pulled(client)

    for pause, base in zip(pauses, [2, 4, 8] * 2, strict=True):
        assert base * 0.7 < pause < base * 1.3
    assert pauses[:3] != pauses[3:]


@pytest.mark.rule("PF-1.3-8")
@pytest.mark.parametrize(
    ("status", "outcome", "error"),
    [
        (401, "THROTTLED", Throttled),
        (403, "REJECTED", Rejected),
        (429, "UNKNOWN", UnknownOutcome),
        (404, "UNKNOWN", UnknownOutcome),
        (418, "AUTH", AuthFailed),
        (500, "CONFIG", Misconfigured),
        (302, "CONFIG", Misconfigured),
    ],
)
def test_a_status_can_be_given_another_meaning(serve, client_of, status, outcome, error):
    server = serve(answered(status, "<html>says nothing</html>"))

    with pytest.raises(error):
        pulled(client_of(server.url, status_classes={str(status): outcome}))


@pytest.mark.rule("PF-1.3-8", "PF-1.3-4")
def test_another_meaning_of_a_status_does_not_override_a_body_that_decides(serve, client_of):
    client = client_of(
        serve(answered(500, page(1, 1, 1, manifest("9000010000123")))).url, status_classes={"500": "CONFIG"}
    )

    assert numbers(pulled(client)) == ["9000010000123"]


# 2.4 Windows, pages


@pytest.mark.rule("PF-2.4-3", "PF-2.4-9", "PF-2.4-13")
def test_a_window_holds_its_beginning_and_not_its_end(simulator, open_client):
    made = {}
    for name, at in [
        ("before", NOW - 60 * MINUTE - timedelta(seconds=1)),
        ("first", NOW - 60 * MINUTE),
        ("last", NOW - 30 * MINUTE - timedelta(seconds=1)),
        ("after", NOW - 30 * MINUTE),
    ]:
        [made[name]] = simulator.create(depot="900", at=at.isoformat())

    found = pulled(open_client(), NOW - 60 * MINUTE, NOW - 30 * MINUTE)

    assert numbers(found) == [made["first"], made["last"]]


@pytest.mark.rule("PF-2.4-2")
def test_a_depot_that_is_not_the_keys_is_refused(simulator, open_client):
    simulator.create(depot="901", count=3)

    with pytest.raises(Rejected, match="Depot 901 is not recognised"):
        pulled(open_client(depot="900"), depot="901")

    [request] = simulator.journal()
    assert (request["outcome"], request["body"]["depot"]) == ("REFUSED", "901")


@pytest.mark.rule("PF-2.4-5")
@pytest.mark.parametrize(("days", "seconds", "refused"), [(7, 0, False), (7, 1, True), (30, 0, True)])
def test_the_network_refuses_windows_over_seven_days(simulator, open_client, days, seconds, refused):
    client = open_client()
    start = NOW - timedelta(days=days, seconds=seconds)

    if refused:
        with pytest.raises(Rejected, match="must not be more than 7 days"):
            pulled(client, start, NOW)
    else:
        assert pulled(client, start, NOW) == []
    assert len(simulator.journal()) == 1


@pytest.mark.rule("PF-2.4-6", "PF-2.4-7", "PF-2.4-8", "PF-2.4-9", "PF-2.4-10", "PF-2.4-11", "PF-2.4-12")
def test_every_page_is_fetched_once_and_in_order(simulator, open_client):
    made = simulator.create(depot="900", count=250)

    pages = list(open_client().pull("900", NOW - 24 * HOUR, NOW))

    assert [(found.number, found.total_pages, found.total_records) for found in pages] == [
        (1, 3, 250), (2, 3, 250), (3, 3, 250),
    ]  # fmt: skip
    assert [len(found.manifests) for found in pages] == [100, 100, 50]
    manifests = [manifest for found in pages for manifest in found.manifests]
    assert numbers(manifests) == made
    order = [(one["consignments"][0]["lastUpdated"], one["consignments"][0]["trackingNumber"]) for one in manifests]
    assert order == sorted(order)
    for one in manifests:
        assert set(one) == {"uniqueTransactionNumber", "collectionAddress", "deliveryAddress", "consignments"}
        [consignment] = one["consignments"]
        assert all(consignment[name] for name in ("trackingNumber", *NOWHERE, "lastUpdated", "consignmentStatus"))
        assert "barcode" not in json.dumps(one).casefold()
    asked = simulator.journal()
    assert sorted(request["body"]["pageNumber"] for request in asked) == ["1", "2", "3"]
    assert {request["body"]["pageSize"] for request in asked} == {"100"}
    assert {request["status"] for request in asked} == {200}


@pytest.mark.rule("PF-2.4-16", "PF-9-37")
def test_a_result_that_moves_is_begun_anew(simulator, open_client):
    made = simulator.create(depot="900", count=250)
    simulator.fault("page_shift", operation="DownloadManifest")

    arrived = list(open_client().pull("900", NOW - 24 * HOUR, NOW))

    assert arrived.count(None) == 1
    good = arrived[arrived.index(None) + 1 :]
    assert numbers([manifest for found in good for manifest in found.manifests]) == made
    assert len([request for request in simulator.journal() if request["body"]["pageNumber"] == "1"]) == 2


@pytest.mark.rule("PF-2.4-16")
def test_a_result_that_always_moves_is_given_up_after_three_restarts(simulator, open_client):
    simulator.create(depot="900", count=150)
    simulator.fault("page_shift", operation="DownloadManifest", count=9)

    with pytest.raises(Unstable, match="each of 4 readings of depot 900"):
        pulled(open_client(), NOW - 24 * HOUR, NOW)

    assert len([request for request in simulator.journal() if request["body"]["pageNumber"] == "1"]) == 4


@pytest.mark.rule("PF-2.4-7")
@pytest.mark.parametrize(
    "wrong",
    [
        {"totalPages": None},
        {"totalRecords": None},
        {"totalPages": ""},
        {"totalPages": "two"},
        {"totalPages": "-1"},
        {"totalRecords": [3]},
        {"totalRecords": 1.5},
        {"totalPages": "9" * 5000},
        {"pageNumber": "2"},
        {"manifests": []},
        {"manifests": None},
        {"manifests": "none"},
        {"manifests": {"consignments": []}},
    ],
)
def test_a_page_that_may_hide_consignments_is_no_good_answer(serve, client_of, wrong):
    body = {**page(1, 1, 1, manifest("9000010000123")), **wrong}
    server = serve(answered(200, body))

    with pytest.raises(UnknownOutcome, match=next(iter(wrong))):
        pulled(client_of(server.url))


def test_a_network_that_gives_one_page_for_all_is_found_out(serve, client_of):
    server = serve(answered(200, page(1, 2, 150, manifest("9000010000123"))))

    with pytest.raises(UnknownOutcome, match="pageNumber"):
        pulled(client_of(server.url))


# The two nights when clocks change


@pytest.mark.rule("PF-1.1-12", "PF-2.4-3")
@pytest.mark.parametrize("minutes", [7, 30, 45, 60, 120])
@pytest.mark.parametrize("change", ["2026-10-25T01:00:00+00:00", "2027-03-28T01:00:00+00:00"], ids=["autumn", "spring"])
def test_every_night_is_read_whole(simulator, open_client, change, minutes):
    turn = datetime.fromisoformat(change)
    now = mark = turn - timedelta(hours=3)
    end = turn + timedelta(hours=4)
    client = open_client()
    made: set[str] = set()
    seen: set[str] = set()

    while now < end:
        simulator.control("clock", now=now.isoformat())
        made.update(simulator.create(depot="900", at=now.isoformat()))
        now += timedelta(minutes=5)
        if now - mark >= timedelta(minutes=minutes):
            simulator.control("clock", now=now.isoformat())
            seen.update(numbers(pulled(client, mark, now)))
            mark = now
    simulator.control("clock", now=now.isoformat())
    seen.update(numbers(pulled(client, mark, now + MINUTE)))

    assert len(made) == 84
    assert made - seen == set()


# 2.5 Fetching one


@pytest.mark.rule("PF-2.5-1", "PF-2.5-4", "PF-2.4-12")
@pytest.mark.parametrize("by", ["trackingNumber", "uniqueTransactionNumber"])
def test_one_consignment_is_fetched_with_its_routing_and_without_barcodes(simulator, open_client, by):
    fields = {**NOWHERE, "serviceName": "B", "uniqueTransactionNumber": "AF-51-1"}
    [number] = simulator.create(depot="900", role="requested", fields=fields)
    simulator.create(depot="900", role="requested", count=5)

    [found] = open_client().fetch_by(by, number if by == "trackingNumber" else "AF-51-1")

    [consignment] = found["consignments"]
    assert consignment["trackingNumber"] == number
    assert {name: consignment[name] for name in (*NOWHERE, "serviceName")} == {**NOWHERE, "serviceName": "B"}
    assert found["collectionAddress"]["postcode"]
    assert found["deliveryAddress"]["postcode"]
    assert "barcode" not in json.dumps(found).casefold()
    [request] = simulator.journal()
    assert set(request["body"]) == {"accessKey", by}


@pytest.mark.rule("PF-2.5-5")
def test_an_unknown_number_gives_nothing_and_is_no_error(simulator, open_client):
    assert open_client().fetch_by("trackingNumber", "9000019999999") == []

    [request] = simulator.journal()
    assert (request["status"], request["outcome"]) == (200, "OK")


@pytest.mark.rule("PF-2.5-5")
@pytest.mark.parametrize("body", [{"success": True, "manifests": []}, {"success": "true"}, page(1, 0, 0)])
def test_not_found_needs_no_page_numbers(serve, client_of, body):
    assert client_of(serve(answered(200, body)).url).fetch_by("trackingNumber", "9000010000123") == []


@pytest.mark.rule("PF-2.5-5")
@pytest.mark.parametrize("manifests", [[], None, "none"])
def test_an_answer_that_contradicts_itself_is_not_taken_for_not_found(serve, client_of, manifests):
    server = serve(answered(200, page(1, 1, 1, manifests=manifests)))

    with pytest.raises(UnknownOutcome, match="manifests"):
        client_of(server.url).fetch_by("trackingNumber", "9000010000123")


@pytest.fixture
def sent(simulator) -> dict[str, Any]:
    """A consignment of ours as dispatch knows it: what `find` is asked with."""
    fields = {
        **NOWHERE,
        "uniqueTransactionNumber": "AF-51-1",
        "consignmentNumber": "0000123",
        "customersUniqueReference": "SO-123",
    }
    at = NOW - 30 * MINUTE
    [number] = simulator.create(depot="900", role="requested", fields=fields, at=at.isoformat())
    for other in ({"consignmentNumber": "0000124"}, {"customersUniqueReference": "SO-124"}):
        simulator.create(depot="900", role="requested", fields={**fields, **other}, at=at.isoformat())
    return {
        "depot": "900",
        "tracking_number": number,
        "transaction_number": "AF-51-1",
        "consignment_number": "0000123",
        "reference": "SO-123",
        "around": at,
    }


def ways(simulator) -> list[str]:
    """How each request looked: by number, by transaction or by window."""
    names = ("trackingNumber", "uniqueTransactionNumber", "depot")
    return [next(name for name in names if name in request["body"]) for request in simulator.journal()]


@pytest.mark.rule("PF-2.5-2", "PF-2.5-3")
@pytest.mark.parametrize(
    ("known", "asked"),
    [
        ({}, ["trackingNumber"]),
        ({"tracking_number": ""}, ["uniqueTransactionNumber"]),
        ({"tracking_number": "9000019999999"}, ["trackingNumber", "uniqueTransactionNumber"]),
        ({"tracking_number": "", "transaction_number": ""}, ["depot"]),
        ({"tracking_number": "", "transaction_number": "AF-52-1"}, ["uniqueTransactionNumber", "depot"]),
    ],
)
def test_a_lookup_goes_on_until_one_way_finds_it(simulator, open_client, sent, known, asked):
    found = open_client().find(**{**sent, **known})

    assert sent["tracking_number"] in numbers(found)
    assert ways(simulator) == asked


@pytest.mark.rule("PF-2.5-3")
def test_the_window_way_matches_consignment_number_and_reference_together(simulator, open_client, sent):
    found = open_client(lookup_by=["window"]).find(**sent)

    assert numbers(found) == [sent["tracking_number"]]
    [request] = simulator.journal()
    assert request["body"]["fromDateTime"] == "2026-07-13T09:00:00"
    assert request["body"]["toDateTime"] == "2026-07-13T11:00:00"


@pytest.mark.rule("PF-2.5-2")
@pytest.mark.parametrize(
    ("lookup_by", "asked"),
    [
        (["window", "trackingNumber"], ["depot"]),
        ("uniqueTransactionNumber trackingNumber", ["uniqueTransactionNumber"]),
        (["trackingNumber"], ["trackingNumber"]),
    ],
)
def test_the_order_of_the_ways_is_a_setting(simulator, open_client, sent, lookup_by, asked):
    found = open_client(lookup_by=lookup_by).find(**sent)

    assert sent["tracking_number"] in numbers(found)
    assert ways(simulator) == asked


@pytest.mark.rule("PF-2.5-5", "PF-2.5-2")
def test_what_no_way_finds_is_not_there(simulator, open_client, sent):
    sent |= {"tracking_number": "9000019999999", "transaction_number": "AF-99-1", "reference": "SO-999"}

    assert open_client().find(**sent) == []
    assert ways(simulator) == ["trackingNumber", "uniqueTransactionNumber", "depot"]


@pytest.mark.rule("PF-2.5-3", "PF-1.2-1", "PF-1.2-2")
def test_the_window_way_passes_over_what_is_no_record(simulator, open_client, sent):
    for raw in ("just text", 7, None, [], {"consignments": "none"}, {"consignments": [None, 7, []]}):
        simulator.create(depot="900", raw=raw, at=sent["around"].isoformat())

    assert numbers(open_client(lookup_by=["window"]).find(**sent)) == [sent["tracking_number"]]


@pytest.mark.rule("PF-2.5-3", "PF-2.4-16")
def test_the_window_way_finds_it_once_though_the_result_moves(simulator, open_client, sent):
    later = {"from": (NOW - 29 * MINUTE).isoformat(), "to": (NOW - 2 * MINUTE).isoformat()}
    simulator.create(depot="900", count=150, **later)
    simulator.fault("page_shift", operation="DownloadManifest")

    assert numbers(open_client(lookup_by=["window"]).find(**sent)) == [sent["tracking_number"]]
    assert len([request for request in simulator.journal() if request["body"]["pageNumber"] == "1"]) == 2


# 9 Switches and faults that a read meets


@pytest.fixture
def three(simulator) -> list[str]:
    """Three consignments of depot 900."""
    return simulator.create(depot="900", count=3)


def stored(simulator) -> list[str]:
    """What the network holds for depot 900, asked without the client."""
    simulator.control("faults", clear=True)
    simulator.control("switches", header_auth="off", bad_key="401", page_size_max=100, strict_strings="on")
    body = {
        "accessKey": "sim-key-900",
        "depot": "900",
        "fromDateTime": "2026-07-12T00:00:00",
        "toDateTime": "2026-07-14T00:00:00",
    }
    return numbers(requests.post(f"{simulator.base_url}/DownloadManifest", json=body, timeout=30).json()["manifests"])


REFUSALS = [
    ("success_type", "boolean"),
    ("success_type", "string"),
    ("failure_http", "400"),
    ("failure_http", "200"),
    ("failure_http", "500"),
    ("failure_key", "trailing space"),
    ("failure_key", "plain"),
    ("failure_reasons_type", "list"),
    ("failure_reasons_type", "string"),
]


@pytest.mark.rule("PF-9-15", "PF-9-16", "PF-9-17", "PF-9-18")
@pytest.mark.parametrize(("switch", "value"), REFUSALS)
def test_a_refusal_is_understood_in_every_shape(simulator, open_client, three, switch, value):
    simulator.control("switches", **{switch: value})
    client = open_client()

    assert numbers(pulled(client, NOW - 24 * HOUR)) == three
    with pytest.raises(Rejected, match=r"HTTP .*: Depot 901 is not recognised"):
        pulled(client, depot="901")

    answers = [(request["status"], request["outcome"]) for request in simulator.journal()]
    assert answers == [(200, "OK"), (int(value) if switch == "failure_http" else 400, "REFUSED")]
    assert client.pauses == []
    assert stored(simulator) == three


@pytest.mark.rule("PF-9-19", "PF-1.1-8")
@pytest.mark.parametrize("value", ["on", "off"])
def test_a_network_that_insists_on_texts_accepts_every_read(simulator, open_client, three, value):
    simulator.control("switches", strict_strings=value)
    client = open_client()

    assert numbers(pulled(client, NOW - 24 * HOUR)) == three
    assert numbers(client.fetch_by("trackingNumber", three[1])) == [three[1]]

    assert {request["outcome"] for request in simulator.journal()} == {"OK"}
    assert stored(simulator) == three


@pytest.mark.rule("PF-9-20", "PF-1.1-7", "PF-1.3-2")
@pytest.mark.parametrize(
    ("value", "header", "accepted"),
    [
        ("off", "x-ibm-client-id", True),
        ("off", "", True),
        ("required", "x-ibm-client-id", True),
        ("required", "X-IBM-Client-Id", True),
        ("required", "", False),
        ("required", "x-other", False),
    ],
)
def test_a_gateway_that_wants_the_key_in_a_header(simulator, open_client, three, value, header, accepted):
    simulator.control("switches", header_auth=value)
    client = open_client(client_id_header=header)

    if accepted:
        assert numbers(pulled(client, NOW - 24 * HOUR)) == three
    else:
        with pytest.raises(AuthFailed):
            pulled(client, NOW - 24 * HOUR)

    [request] = simulator.journal()
    assert (request["status"], request["outcome"]) == ((200, "OK") if accepted else (401, "UNAUTHORISED"))
    assert stored(simulator) == three


@pytest.mark.rule("PF-9-21", "PF-1.3-2", "PF-1.3-16")
@pytest.mark.parametrize("value", ["401", "200", "400"])
def test_a_wrong_key_is_known_however_the_network_says_so(simulator, open_client, three, value):
    simulator.control("switches", bad_key=value)
    client = open_client(key="wrong-key")

    with pytest.raises(AuthFailed) as caught:
        pulled(client, NOW - 24 * HOUR)

    assert "wrong-key" not in str(caught.value)
    [request] = simulator.journal()
    assert (request["status"], request["outcome"]) == (int(value), "UNAUTHORISED")
    assert client.pauses == []
    assert stored(simulator) == three


@pytest.mark.rule("PF-9-24", "PF-2.4-6")
@pytest.mark.parametrize(("size", "pages"), [(100, 1), (2, 2), (1, 3)])
def test_the_page_size_is_a_setting_the_network_may_refuse(simulator, open_client, three, size, pages):
    simulator.control("switches", page_size_max=size)

    assert numbers(pulled(open_client(page_size=size), NOW - 24 * HOUR)) == three
    with pytest.raises(Rejected, match=f"pageSize: must be a whole number from 1 to {size}"):
        pulled(open_client(page_size=size + 1), NOW - 24 * HOUR)

    *good, refused = simulator.journal()
    assert {request["body"]["pageSize"] for request in good} == {str(size)}
    assert len(good) == pages
    assert refused["outcome"] == "REFUSED"
    assert stored(simulator) == three


FAULTS = [
    # fault, options, error when it stays, pause when it passes, status in the journal
    ("slow", {"seconds": 60}, UnknownOutcome, 2, 200),
    ("timeout_before_accept", {}, UnknownOutcome, 2, None),
    ("timeout_after_accept", {}, UnknownOutcome, 2, None),
    ("reset", {}, UnknownOutcome, 2, None),
    ("reset", {"accept": True}, UnknownOutcome, 2, None),
    ("truncated_json", {}, UnknownOutcome, 2, 200),
    ("empty_body", {}, UnknownOutcome, 2, 200),
    ("empty_body", {"accept": True}, UnknownOutcome, 2, 200),
    ("html_500", {}, UnknownOutcome, 2, 500),
    ("html_500", {"accept": True}, UnknownOutcome, 2, 500),
    ("http_502", {}, UnknownOutcome, 2, 502),
    ("http_502", {"accept": True}, UnknownOutcome, 2, 502),
    ("http_429", {}, Throttled, 2, 429),
    ("http_429", {"retry_after": 900}, Throttled, 300, 429),
    ("http_429", {"retry_after": None}, Throttled, 30, 429),
    ("http_503", {"retry_after": 11}, Throttled, 11, 503),
    ("http_503", {}, UnknownOutcome, 2, 503),
]
FAULT_NAMES = [f"{name} {options}" for name, options, *_ in FAULTS]


@pytest.mark.rule("PF-9-25", "PF-9-26", "PF-9-27", "PF-9-28", "PF-9-29", "PF-9-30", "PF-1.3-11", "PF-1.3-12")
@pytest.mark.parametrize(("fault", "options", "error", "pause", "status"), FAULTS, ids=FAULT_NAMES)
def test_a_fault_that_passes_costs_one_more_call(simulator, open_client, three, fault, options, error, pause, status):
    simulator.fault(fault, **options)
    client = open_client(read_timeout_s=0.3)

    assert numbers(pulled(client, NOW - 24 * HOUR)) == three

    assert client.pauses == [pause]
    struck, good = simulator.journal()
    assert (struck["fault"], struck["status"]) == (fault, status)
    assert (good["fault"], good["status"], good["outcome"]) == (None, 200, "OK")
    assert good["body"] == struck["body"]
    assert stored(simulator) == three


@pytest.mark.rule("PF-9-25", "PF-9-26", "PF-9-27", "PF-9-28", "PF-9-29", "PF-9-30", "PF-1.3-11", "PF-1.3-12")
@pytest.mark.parametrize(("fault", "options", "error", "pause", "status"), FAULTS, ids=FAULT_NAMES)
def test_a_fault_that_stays_ends_in_its_class_after_four_calls(
    simulator, open_client, three, fault, options, error, pause, status
):
    simulator.fault(fault, count=50, **options)
    client = open_client(read_timeout_s=0.1)

    with pytest.raises(error, match="DownloadManifest through connection 'palletforce_900'"):
        pulled(client, NOW - 24 * HOUR)

    assert client.pauses == ([2, 4, 8] if error is UnknownOutcome else [pause] * 3)
    assert [(request["fault"], request["status"]) for request in simulator.journal()] == [(fault, status)] * 4
    assert stored(simulator) == three


@pytest.mark.rule("PF-9-25", "PF-1.1-10")
def test_a_slow_answer_within_the_read_timeout_is_an_answer(simulator, open_client, three):
    simulator.fault("slow", seconds=0.2)
    client = open_client()

    assert numbers(pulled(client, NOW - 24 * HOUR)) == three

    assert client.pauses == []
    [request] = simulator.journal()
    assert (request["fault"], request["status"]) == ("slow", 200)
    assert stored(simulator) == three


@pytest.mark.rule("PF-9-30", "PF-1.3-2", "PF-1.3-16")
def test_a_gateway_that_refuses_is_asked_once(simulator, open_client, three):
    simulator.fault("http_401")
    client = open_client()

    with pytest.raises(AuthFailed, match="HTTP 401"):
        pulled(client, NOW - 24 * HOUR)

    assert client.pauses == []
    [request] = simulator.journal()
    assert (request["fault"], request["status"]) == ("http_401", 401)
    assert stored(simulator) == three


@pytest.mark.rule("PF-1.3-5")
def test_an_operation_the_network_does_not_have_is_the_connections_fault(simulator, open_client):
    with pytest.raises(Misconfigured, match=r"ExportManifest through .*HTTP 404"):
        pulled(open_client(operations={"DownloadManifest": "ExportManifest"}))

    [request] = simulator.journal()
    assert request["outcome"] == "NOT_FOUND"


def test_a_check_proves_address_and_key_and_changes_nothing(simulator, open_client, three):
    open_client().check()
    with pytest.raises(AuthFailed):
        open_client(key="wrong-key").check()

    assert [request["body"] for request in simulator.journal()] == [
        {"accessKey": "***", "trackingNumber": "0000000000000"}
    ] * 2
    assert stored(simulator) == three


# 1.1 The access key stays secret

ODD_KEY = 'can/ary+"key" & <100%>\\of\'tests'
ECHOES = {
    "as it is": lambda key: key,
    "in the URL": lambda key: quote(key, safe=""),
    "in the URL, small letters": lambda key: quote(key, safe="").lower(),
    "as a form": quote_plus,
    "in the path": quote,
    "in the URL, twice": lambda key: quote(quote(key, safe=""), safe=""),
    "as JSON": lambda key: json.dumps(key)[1:-1],
    "as JSON with slashes": lambda key: json.dumps(key)[1:-1].replace("/", "\\/"),
    "as JSON in JSON": lambda key: json.dumps(json.dumps(key))[1:-1],
    "as JSON escapes": lambda key: "".join(f"\\u{ord(letter):04X}" for letter in key),
    "as HTML": html.escape,
    "as HTML numbers": lambda key: "".join(f"&#{ord(letter)};" for letter in key),
    "in Python": repr,
}
BODIES: dict[str, Callable[[str], bytes]] = {
    "401": lambda echo: answered(401, f"<html>no such key: {echo}</html>"),
    "404": lambda echo: answered(404, f"/api?accessKey={echo}"),
    "422": lambda echo: answered(422, "x" * 490 + echo),
    "429": lambda echo: answered(429, f"too often: {echo}"),
    "500": lambda echo: answered(500, f"Traceback: {{'accessKey': '{echo}'}}"),
    "reason": lambda echo: answered(400, {"success": False, "failureReasons ": [f"bad request {echo}"]}),
    "key refused": lambda echo: answered(200, {"success": False, "message": f"access key {echo} is unknown"}),
    "page number": lambda echo: answered(200, page(1, 1, 1, manifest("1"), totalPages=echo)),
    "redirect": lambda echo: answered(302, "", Location=f"/login?key={quote(echo)}"),
    "no JSON": lambda echo: answered(200, f'{{"success": {echo}'),
}


def everything_said(error: BaseException) -> str:
    """The error's texts and those of every error behind it, shown or not."""
    said = "".join(traceback.format_exception(error))
    behind: BaseException | None = error
    while behind:
        said += f"{behind}{behind!r}{behind.args}"
        behind = behind.__cause__ or behind.__context__
    return said


def plain(text: str) -> str:
    """Letters and digits only, so that a fragment of the key shows itself however it is quoted."""
    return re.sub(r"[^a-z0-9]", "", text.casefold())


@pytest.mark.rule("PF-1.1-14")
@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("body", BODIES)
def test_a_key_the_network_echoes_is_masked(serve, client_of, body, echo):
    server = serve(BODIES[body](ECHOES[echo](ODD_KEY)))

    with pytest.raises(NetworkError) as caught:
        pulled(client_of(server.url, key=ODD_KEY))

    said = everything_said(caught.value)
    assert ODD_KEY not in said
    for fragment in ("can/ary", "canary", "ary+", "of'tests", "oftests"):
        assert fragment not in said
    assert ECHOES[echo](ODD_KEY) not in said


@pytest.mark.rule("PF-1.1-14")
@pytest.mark.parametrize("name", ["refused", *UNREADABLE])
def test_no_outcome_and_no_log_shows_the_key(serve, client_of, caplog, name):
    caplog.set_level(logging.DEBUG)
    url = refused_address() if name == "refused" else serve(UNREADABLE[name]).url
    client = client_of(url)

    with pytest.raises(NetworkError) as caught:
        client.fetch_by("trackingNumber", "9000010000123")

    assert KEY not in everything_said(caught.value)
    assert KEY not in repr(client.settings)
    assert KEY not in repr(client)
    assert KEY not in str(vars(client.settings) | {"access_key": ""})
    assert any(record.name.startswith("urllib3") for record in caplog.records)
    for record in caplog.records:
        assert KEY not in f"{record.getMessage()}{record.args}{record.exc_text}"


@pytest.mark.rule("PF-1.1-14")
def test_a_good_call_logs_no_key_either(simulator, open_client, three, caplog):
    caplog.set_level(logging.DEBUG)

    pulled(open_client(), NOW - 24 * HOUR)

    assert caplog.records
    assert "sim-key-900" not in caplog.text
    assert "sim-key-900" not in json.dumps(simulator.journal())


@pytest.mark.rule("PF-1.1-14")
def test_nothing_stored_holds_the_key(simulator, pull, fetch, three):
    pull("900")
    with pytest.raises(AuthFailed):
        pull("900", key="wrong-key")

    tables = [name for (name,) in fetch("SELECT relname FROM pg_stat_user_tables")]
    assert {"inbound_records", "inbound_batches", "activity"} <= set(tables)
    rows = [row for table in tables for (row,) in fetch(f"SELECT t::text FROM {table} t")]
    assert any(three[0] in row for row in rows)
    assert [row for row in rows if "sim-key" in row or "wrong-key" in row] == []
