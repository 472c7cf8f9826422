"""How Palletways is called, and what its answers mean (contract 1.1 to 1.4)."""

import contextlib
import json
import logging
import socket
import ssl
import threading
import traceback
from datetime import timedelta
from email.utils import format_datetime
from urllib.parse import parse_qsl, urlsplit

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.networks.nexus.answering import answered, refused_address, reset, silent
from tests.networks.palletways.clients import (
    CANARY,
    ENCODED_KEY,
    ENVELOPE,
    KEY,
    NO_POD,
    NOT_AUTHORISED,
    NOT_AVAILABLE,
    NOTHING,
    OWNER,
    client_of,
    clock,
    data,
    serve,
)

from palletflow.network_errors import AuthFailed, Misconfigured, NotSent, Rejected, Throttled, UnknownOutcome
from palletflow.networks.palletways import wire
from palletflow.networks.palletways.closed_methods import ClosedMethods, SharedClosedMethods
from palletflow.networks.palletways.errors import (
    AnswerRefused,
    AnswerTooLarge,
    Busy,
    KeyMissing,
    KeyRefused,
    MethodRefused,
    MethodUnavailable,
    NoAnswer,
    NotConnected,
    ServerTrouble,
    SubmissionUnanswered,
    SubmissionUnclear,
    Unconnectable,
    UnreadableAnswer,
)
from palletflow.networks.palletways.simulator.files.identity import tls_identity
from palletflow.store import alerts
from palletflow.store.connection import connect
from palletflow.work.minute_budget import Unanswered

__all__ = ["client_of", "clock", "serve"]
TID = "60000000017"
ROW = {"TrackingID": TID, "StatusCode": "900"}
GOOD = answered(200, data(ROW))
STORED = {**ENVELOPE, "Detail": {"ImportDetail": {"ResponseID": "4000123"}}}
RETRIES = [5, 20]

READS = {
    "consignment": lambda client: client.consignment(TID),
    "status": lambda client: client.dynamic_status(TID),
    "notes": lambda client: client.notes_of(TID),
    "photos": lambda client: client.photos(TID),
    "label": lambda client: client.label(tracking_id=TID),
    "check": lambda client: client.check(),
    "dry run": lambda client: client.create("<Manifest/>", commit=False),
}
STORES = {
    "create": lambda client: client.create("<Manifest/>", commit=True),
    "note": lambda client: client.create_note("<notes/>"),
    "confirm": lambda client: client.confirm("4000123"),
    "delete": lambda client: client.delete("4000123"),
}


def paths(server):
    return [urlsplit(request.path).path for request in server.requests]


def query(request):
    return dict(parse_qsl(urlsplit(request.path).query, keep_blank_values=True))


# How it is asked


@pytest.mark.rule("PW-1.1-4", "PW-1.1-6", "PW-1.1-11", "PW-1.2-2")
def test_a_read_call_has_its_arguments_in_the_path_and_the_key_in_full_encoding(serve, client_of):
    server = serve(GOOD)
    client_of(server.root).basics_by_reference("LE1 2AB/+?#%")

    [request] = server.requests
    assert request.line.startswith("GET /api/conStatusByCustRef/LE1%202AB%2F%2B%3F%23%25?")
    assert f"apikey={ENCODED_KEY}&" in request.path
    assert query(request) == {"apikey": KEY, "outputformat": "xml", "output": "xml"}


@pytest.mark.rule("PW-1.2-2")
def test_both_names_of_the_format_are_always_sent(serve, client_of):
    server = serve(GOOD)
    client_of(server.root, output_format="json").notes_of(TID)
    [request] = server.requests
    assert (query(request)["outputformat"], query(request)["output"]) == ("json", "json")


@pytest.mark.parametrize("argument", ["", ".", ".."])
def test_an_argument_that_would_be_another_address_is_refused(serve, client_of, argument):
    server = serve(GOOD)
    with pytest.raises(AnswerRefused, match="cannot be asked for"):
        client_of(server.root).basics_by_reference(argument)
    assert server.requests == []


@pytest.mark.rule("PW-1.2-4")
@pytest.mark.parametrize("style", ["form", "query", "multipart"])
def test_a_submission_travels_as_the_connection_says(serve, client_of, style):
    server = serve(answered(200, STORED))
    xml = "<Manifest><Line>Café & Söhne + 1</Line></Manifest>"
    client_of(server.root, submit_style=style).create(xml, commit=True)

    [request] = server.requests
    wanted = {
        "apikey": KEY, "commit": "yes", "inputformat": "xml", "outputformat": "xml", "output": "xml", "data": xml
    }  # fmt: skip
    if style == "query":
        assert request.line.startswith("GET /createConsignment?")
        assert query(request) == wanted
        assert request.raw == b""
        return
    assert request.line == "POST /createConsignment HTTP/1.1"
    if style == "form":
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        assert dict(parse_qsl(request.raw.decode())) == wanted
        assert f"apikey={ENCODED_KEY}&".encode() in request.raw
    else:
        assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
        for name, value in wanted.items():
            assert f'name="{name}"\r\n\r\n{value}\r\n'.encode() in request.raw


@pytest.mark.rule("PW-1.2-6")
def test_a_dry_run_says_no(serve, client_of):
    server = serve(answered(200, {**ENVELOPE, "Detail": {"Message": "Fine"}}))
    assert client_of(server.root).create("<Manifest/>", commit=False) == {"Message": "Fine"}
    assert dict(parse_qsl(server.requests[0].raw.decode()))["commit"] == "no"


@pytest.mark.rule("PW-1.1-9")
def test_no_cookie_is_kept_and_no_login_is_looked_for(serve, client_of, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password canary-netrc\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server = serve(answered(200, data(ROW), Set_Cookie="session=abc; Path=/"))
    client = client_of(server.root)
    client.notes_of(TID)
    client.notes_of(TID)
    for request in server.requests:
        assert not {"cookie", "authorization"} & set(request.headers)


# Which host


@pytest.mark.rule("PW-1.1-3", "PW-1.3-5", "PW-2.0-1")
@pytest.mark.parametrize(
    "refusal", [answered(200, NOT_AVAILABLE), answered(200, f"<html>{NOT_AVAILABLE}</html>"), answered(404)]
)
def test_the_second_host_is_tried_when_the_first_has_no_such_method(serve, client_of, refusal):
    server = serve(refusal, GOOD)
    assert client_of(server.root).basics_by_number("100045") == [ROW]
    assert paths(server) == ["/conStatusByConNo/100045", "/api/conStatusByConNo/100045"]


@pytest.mark.rule("PW-1.1-3")
@pytest.mark.parametrize("trouble", [answered(500), answered(200, "<html>odd</html>"), answered(400)])
def test_the_second_host_is_not_tried_for_anything_else(serve, client_of, trouble):
    server = serve(trouble)
    with pytest.raises((UnknownOutcome, Rejected)):
        client_of(server.root).basics_by_number("100045")
    assert set(paths(server)) == {"/conStatusByConNo/100045"}


@pytest.mark.rule("PW-1.3-5")
def test_what_is_not_available_is_remembered_for_a_day(serve, client_of, clock):
    server = serve(answered(200, NOT_AVAILABLE), GOOD)
    client = client_of(server.root)
    client.basics_by_number("1")
    clock.pass_by(hours=23.9)
    client.basics_by_number("2")
    assert paths(server)[2:] == ["/api/conStatusByConNo/2"]
    clock.pass_by(hours=0.2)
    client.basics_by_number("3")
    assert paths(server)[3:] == ["/conStatusByConNo/3"]


@pytest.mark.rule("PW-1.3-5")
def test_a_method_that_no_host_has_is_said_and_not_asked_for_again(serve, client_of):
    server = serve(answered(200, NOT_AVAILABLE))
    client = client_of(server.root)
    for _ in range(2):
        with pytest.raises(MethodUnavailable, match="conStatusByConNo at api2, conStatusByConNo at portal") as told:
            client.basics_by_number("1")
    assert isinstance(told.value, Rejected)
    assert len(server.requests) == 2


# Whose key


@pytest.mark.rule("PW-1.3-6")
def test_a_call_that_lost_its_key_is_a_connection_to_be_mended(serve, client_of):
    server = serve(answered(200, "API Key not specified."))
    client = client_of(server.root)
    with pytest.raises(KeyMissing):
        client.notes_of(TID)
    assert issubclass(KeyMissing, Misconfigured)
    assert (len(server.requests), client.pauses) == (1, [])


REFUSALS = [answered(200, NOT_AUTHORISED), answered(401), answered(403, "<html>Forbidden</html>")]


@pytest.mark.rule("PW-1.3-1", "PW-1.3-7")
@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_key_that_keytest_refuses_too_is_bad(serve, client_of, refusal):
    server = serve(refusal)
    client = client_of(server.root)
    for _ in range(2):  # nothing is remembered of it: a check is to find it mended
        with pytest.raises(KeyRefused) as told:
            client.notes_of(TID)
    assert isinstance(told.value, AuthFailed)
    assert (paths(server)[:2], client.pauses) == ([f"/getNotes/trackingId/{TID}", "/keytest"], [])
    assert len(server.requests) == 4


@pytest.mark.rule("PW-1.3-1", "PW-1.3-7", "PW-1.1-8")
@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_method_that_is_closed_to_a_good_key_is_remembered_for_an_hour(serve, client_of, clock, refusal):
    server = serve(refusal, answered(200, OWNER), GOOD)
    client = client_of(server.root)
    for _ in range(2):
        with pytest.raises(MethodRefused, match="getNotes at api2"):
            client.notes_of(TID)
        clock.pass_by(minutes=29)
    assert paths(server) == [f"/getNotes/trackingId/{TID}", "/keytest"]
    clock.pass_by(minutes=3)
    assert client.notes_of(TID) == [ROW]


@pytest.mark.rule("PW-1.3-7")
def test_a_refused_key_is_not_tried_at_the_other_host(serve, client_of):
    server = serve(answered(200, NOT_AUTHORISED), answered(200, OWNER))
    with pytest.raises(MethodRefused):
        client_of(server.root).basics_by_number("1")
    assert paths(server) == ["/conStatusByConNo/1", "/keytest"]


@pytest.mark.rule("PW-1.3-5", "PW-1.3-7")
def test_all_processes_remember_what_is_closed_and_people_are_told_once_an_hour(serve, client_of, clock, dsn, conn):
    server = serve(answered(200, NOT_AUTHORISED), answered(200, OWNER), answered(200, NOT_AVAILABLE))

    def client():
        closed = SharedClosedMethods(lambda: connect(dsn), "palletways_123", clock)
        return client_of(server.root, options={"closed": closed})

    for _ in range(2):
        with pytest.raises(MethodRefused):
            client().notes_of(TID)
        with pytest.raises(MethodUnavailable):
            client().consignment(TID)
    assert len(server.requests) == 3
    [alert] = alerts.take(conn)
    assert alert.subject == "getNotes is closed to palletways_123"
    assert "Ask Palletways to open the method to this key" in alert.message
    assert CANARY not in str(alert)


def test_what_is_closed_is_found_out_also_when_the_order_store_has_just_gone(serve, client_of, clock, dsn):
    opened = iter([connect(dsn)])
    closed = SharedClosedMethods(
        lambda: next(opened, None) or connect("postgresql://nobody@127.0.0.1:1/none"), "palletways_123", clock
    )
    client = client_of(serve(answered(200, NOT_AVAILABLE)).root, options={"closed": closed})
    with pytest.raises(MethodUnavailable):
        client.consignment(TID)


def test_another_clients_memory_is_its_own(clock):
    one, other = ClosedMethods(clock), ClosedMethods(clock)
    one.close(("podimages", "portal"), "unavailable", "no")
    assert one.get(("podimages", "portal"))
    assert other.get(("podimages", "portal")) is None


# What a status means


@pytest.mark.rule("PW-1.3-1")
@pytest.mark.parametrize("status", [200, 201])
def test_a_good_status_is_read(serve, client_of, status):
    assert client_of(serve(answered(status, data(ROW))).root).notes_of(TID) == [ROW]


@pytest.mark.rule("PW-1.3-1")
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("header", "wait"), [("7", 7), ("", 60), ("soon", 60), ("86400", 3600)])
def test_busy_is_waited_out_or_left_to_the_queue(serve, client_of, clock, status, header, wait):
    server = serve(answered(status, Retry_After=header), GOOD)
    impatient = client_of(server.root, options={"patient": False})
    with pytest.raises(Busy) as told:
        impatient.notes_of(TID)
    assert isinstance(told.value, Throttled)
    assert (told.value.retry_after, impatient.pauses, len(server.requests)) == (wait, [], 1)

    server = serve(answered(status, Retry_After=header), GOOD)
    patient = client_of(server.root)
    if wait > 120:
        with pytest.raises(Busy):
            patient.notes_of(TID)
    else:
        assert patient.notes_of(TID) == [ROW]
        assert patient.pauses == [wait]


@pytest.mark.rule("PW-1.3-1")
def test_retry_after_may_be_a_moment(serve, client_of, clock):
    header = format_datetime(clock() + timedelta(seconds=90)).replace("+0000", "GMT")
    client = client_of(serve(answered(429, Retry_After=header), GOOD).root)
    client.notes_of(TID)
    assert client.pauses == [90]


@pytest.mark.rule("PW-1.3-1", "PW-1.4-9")
@pytest.mark.parametrize("status", [500, 502, 504, 408])
@pytest.mark.parametrize("call", READS)
def test_trouble_passes_by_itself(serve, client_of, status, call):
    server = serve(answered(status, "<h1>Bad gateway</h1>"))
    client = client_of(server.root)
    with pytest.raises(ServerTrouble, match=f"HTTP {status}: Bad gateway"):
        READS[call](client)
    assert (len(server.requests), client.pauses) == (3, RETRIES)


@pytest.mark.rule("PW-1.3-1")
@pytest.mark.parametrize("status", [400, 405, 410])
def test_other_refusals_are_final(serve, client_of, status):
    server = serve(answered(status, "Odd"))
    client = client_of(server.root)
    with pytest.raises(AnswerRefused, match=f"HTTP {status}: Odd"):
        client.notes_of(TID)
    assert (len(server.requests), client.pauses) == (1, [])


@pytest.mark.rule("PW-1.3-1")
@pytest.mark.parametrize("status", [202, 204, 304])
def test_an_odd_success_is_no_answer_that_can_be_read(serve, client_of, status):
    with pytest.raises(UnreadableAnswer, match=f"HTTP {status}"):
        client_of(serve(answered(status)).root).notes_of(TID)


# What an envelope says


@pytest.mark.rule("PW-1.3-9")
def test_no_results_are_no_error(serve, client_of):
    client = client_of(serve(answered(200, NOTHING)).root)
    assert client.consignment(TID) is None
    assert client.dynamic_status(TID) is None
    assert client.photos(TID) is None
    assert client.notes_of(TID) == client.basics_by_number("1") == client.basics_by_response_id("4") == []
    assert client.entered(client._clock().date()) == client.notes_since(1777987260) == []


@pytest.mark.rule("PW-1.3-8")
def test_no_pod_is_not_yet_and_never_an_error(serve, client_of):
    client = client_of(serve(answered(200, NO_POD)).root)
    assert client.photos(TID) is None
    assert client.photos(TID, "getPodByTrackingId@api2") is None
    assert client.notes_of(TID) == []


@pytest.mark.rule("PW-1.3-10", "PW-1.3-12")
@pytest.mark.parametrize("code", ["ERROR_FORMAT_INVALID", "ERROR_SOMETHING_NEW", "ERROR_VALIDATION"])
def test_other_codes_are_shown_and_permanent(serve, client_of, code):
    server = serve(answered(200, {"Status": {"Code": code, "Description": "Not like that."}}))
    client = client_of(server.root)
    with pytest.raises(AnswerRefused, match=f"{code}: Not like that\\. Mend"):
        client.notes_of(TID)
    assert (len(server.requests), client.pauses) == (1, [])


@pytest.mark.rule("PW-1.3-4")
def test_an_unreadable_answer_is_kept_in_part(serve, client_of):
    server = serve(answered(200, f"<html>{'odd ' * 400} {KEY} {ENCODED_KEY}</html>"))
    client = client_of(server.root)
    with pytest.raises(UnreadableAnswer, match="unreadable_answer: odd odd") as told:
        client.notes_of(TID)
    assert len(told.value.detail) < 560
    assert (len(server.requests), client.pauses) == (1, [])


@pytest.mark.rule("PW-1.2-7")
def test_what_is_no_utf_8_is_said_in_the_log(serve, client_of, caplog):
    body = json.dumps(data({"NoteText": "Café"}), ensure_ascii=False).encode("cp1252")
    assert client_of(serve(answered(200, body)).root).notes_of(TID) == [{"NoteText": "Café"}]
    assert "not UTF-8, read as cp1252" in caplog.text


@pytest.mark.rule("PW-1.2-9")
def test_a_text_of_more_than_ten_mebibytes_is_not_read(serve, client_of):
    big = json.dumps(data({"NoteText": "x" * (10 << 20)}))
    server = serve(answered(200, big))
    client = client_of(server.root, max_pdf_mib=25)
    for call in (client.notes_of, client.photos):
        with pytest.raises(AnswerTooLarge, match="larger than 10 MiB"):
            call(TID)
    assert client.pauses == []


@pytest.mark.rule("PW-1.2-9")
def test_a_pdf_may_be_larger_than_that_but_not_than_the_connection_allows(serve, client_of):
    def pdf(mib):
        return answered(200, b"%PDF-1.4 " + b"x" * (mib << 20))

    client = client_of(serve(pdf(11)).root)
    assert len(client.photos(TID)) > 11 << 20
    with pytest.raises(AnswerTooLarge, match="larger than 12 MiB"):
        client_of(serve(pdf(13)).root, max_pdf_mib=12).photos(TID)


def test_a_pdf_where_an_envelope_is_due_is_unreadable(serve, client_of):
    with pytest.raises(UnreadableAnswer, match="a file"):
        client_of(serve(answered(200, b"%PDF-1.4")).root).notes_of(TID)


# Redirects


@pytest.mark.rule("PW-1.1-9")
def test_a_redirect_within_the_host_is_followed(serve, client_of):
    server = serve(answered(302, Location=f"/v2/getNotes?apikey={ENCODED_KEY}"), GOOD)
    assert client_of(server.root).notes_of(TID) == [ROW]
    assert paths(server)[1] == "/v2/getNotes"


@pytest.mark.rule("PW-1.1-9")
@pytest.mark.parametrize(
    "location", ["https://{}/x", "http://elsewhere.invalid/x", "//elsewhere.invalid/x", "http://["]
)
def test_a_redirect_to_anywhere_else_is_not(serve, client_of, location):
    other = serve(GOOD)
    server = serve(answered(307, Location=location.format(other.address)))
    with pytest.raises(AnswerRefused, match="redirected to another host"):
        client_of(server.root).notes_of(TID)
    assert (len(server.requests), other.requests) == (1, [])


@pytest.mark.rule("PW-1.1-9")
def test_a_redirect_to_another_port_leaks_no_key(serve, client_of):
    other = serve(GOOD)
    server = serve(answered(307, Location=f"{other.root}/getNotes?apikey={ENCODED_KEY}"))
    with pytest.raises(AnswerRefused):
        client_of(server.root).notes_of(TID)
    assert other.requests == []


def test_redirects_without_end_are_trouble(serve, client_of):
    server = serve(answered(302, Location="/again"))
    with pytest.raises(ServerTrouble, match="redirected more than 3 times"):
        client_of(server.root).notes_of(TID)


def test_a_submission_is_not_redirected(serve, client_of):
    server = serve(answered(307, Location="/elsewhere"))
    with pytest.raises(SubmissionUnclear):
        client_of(server.root).create("<Manifest/>", commit=True)
    assert len(server.requests) == 1


# No answer


@pytest.mark.rule("PW-1.4-8", "PW-1.4-9")
@pytest.mark.parametrize("fault", [silent, reset])
@pytest.mark.parametrize("call", READS)
def test_a_read_that_nothing_answers_is_made_three_times(serve, client_of, call, fault):
    server = serve(fault)
    client = client_of(server.root, first_byte_timeout_s=0.2, pdf_first_byte_timeout_s=0.2)
    with pytest.raises(NoAnswer):
        READS[call](client)
    assert (len(server.requests), client.pauses) == (3, RETRIES)


@pytest.mark.rule("PW-1.4-9")
def test_a_read_that_is_answered_at_the_third_try_is_read(serve, client_of):
    server = serve(reset, answered(500), GOOD)
    client = client_of(server.root)
    assert client.notes_of(TID) == [ROW]
    assert client.pauses == RETRIES


@pytest.mark.rule("PW-1.4-8")
def test_an_answer_that_breaks_off_is_trouble(serve, client_of):
    def cut_off(connection, _):
        connection.sendall(GOOD[:-10])

    client = client_of(serve(cut_off, GOOD).root)
    assert client.notes_of(TID) == [ROW]
    assert client.pauses == RETRIES[:1]


@pytest.mark.rule("PW-1.4-8")
def test_an_answer_that_comes_drop_by_drop_ends_in_time(serve, client_of):
    def drip(connection, _):
        connection.sendall(b"HTTP/1.1 200 x\r\nContent-Length: 100000\r\n\r\n")
        while True:
            connection.sendall(b" ")
            connection.settimeout(0.05)
            try:
                if not connection.recv(1):
                    return
            except TimeoutError:
                pass

    with pytest.raises(ServerTrouble, match=r"did not end within 0\.3 s"):
        client_of(serve(drip).root, answer_timeout_s=0.3).notes_of(TID)


@pytest.mark.rule("PW-1.4-8")
def test_photos_and_labels_are_waited_for_longer(client_of):
    checked = client_of("http://127.0.0.1:1", first_byte_timeout_s=30).settings
    by_method = {
        name: wire.read_call(checked, (name, "portal"), (TID,)).first_byte_s
        for name in ("podimages", "getPodByTrackingId", "getLabelsByTID", "getNotes", "keytest")
    }
    assert by_method == {
        "podimages": 60, "getPodByTrackingId": 60, "getLabelsByTID": 60, "getNotes": 30, "keytest": 30
    }  # fmt: skip


@pytest.mark.rule("PW-1.4-9")
@pytest.mark.parametrize("call", [*READS, *STORES])
def test_without_a_connection_nothing_was_sent_and_all_is_tried_again(client_of, call):
    client = client_of(refused_address().removesuffix("/v1/"), key_kind="customer")
    with pytest.raises(Unconnectable) as told:
        {**READS, **STORES}[call](client)
    assert isinstance(told.value, NotSent)
    assert client.pauses == RETRIES


def test_a_host_that_does_not_exist_says_nothing_of_the_network(client_of):
    client = client_of("http://nowhere.invalid")
    with pytest.raises(NotConnected) as told:
        client.notes_of(TID)
    assert not isinstance(told.value, Unconnectable)


@pytest.fixture
def unknown_authority(tmp_path):
    """A server with TLS whose certificate no authority of ours has signed; what it gets after the handshake."""
    identity = tls_identity("good")
    files = {name: tmp_path / name for name in ("certificate", "key")}
    files["certificate"].write_bytes(identity.certificate.public_bytes(Encoding.PEM))
    files["key"].write_bytes(identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files["certificate"], files["key"])
    received = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve_one():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as inside:
                    received.append(inside.recv(65536))

        thread = threading.Thread(target=serve_one)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}", received
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.rule("PW-1.1-10")
def test_without_a_good_certificate_nothing_is_sent(unknown_authority, client_of):
    address, received = unknown_authority
    client = client_of(address)
    for call in (client.notes_of, lambda _: client.create("<Manifest/>", commit=True)):
        with pytest.raises(NotConnected, match="CERTIFICATE_VERIFY_FAILED") as told:
            call(TID)
        assert not isinstance(told.value, Unconnectable)
    assert not any(received)


@pytest.mark.rule("PW-1.4-6")
def test_a_connection_cut_in_the_tls_handshake_is_one_that_nothing_answered(client_of):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def cut():
            for _ in range(3):
                connection, _ = listener.accept()
                connection.recv(10)
                reset(connection, None)
                connection.close()

        thread = threading.Thread(target=cut)
        thread.start()
        client = client_of(f"https://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(Unanswered):
            client.notes_of(TID)
        thread.join()


# Submissions


@pytest.mark.rule("PW-1.4-10")
@pytest.mark.parametrize("style", ["form", "query", "multipart"])
@pytest.mark.parametrize("fault", [silent, reset])
@pytest.mark.parametrize("call", STORES)
def test_what_may_have_been_stored_is_not_sent_again(serve, client_of, call, fault, style):
    server = serve(fault)
    client = client_of(server.root, first_byte_timeout_s=0.2, key_kind="customer", submit_style=style)
    with pytest.raises(SubmissionUnanswered, match="It is looked up before it is sent again") as told:
        STORES[call](client)
    assert isinstance(told.value, SubmissionUnclear)
    assert (len(server.requests), client.pauses) == (1, [])


@pytest.mark.rule("PW-1.4-10")
@pytest.mark.parametrize("call", STORES)
@pytest.mark.parametrize(
    "answer",
    [
        answered(500),
        answered(502, "<html>Bad gateway</html>"),
        answered(503),
        answered(202),
        answered(200, ""),
        answered(200, "<html>odd</html>"),
        answered(200, b"%PDF-1.4"),
        answered(200, b"%PDF-1.4")[:-4],
        answered(200, "<Response><Status>"),
    ],
)
def test_an_answer_that_does_not_say_whether_it_was_stored(serve, client_of, call, answer):
    server = serve(answer)
    client = client_of(server.root, key_kind="customer")
    with pytest.raises(SubmissionUnclear):
        STORES[call](client)
    assert (len(server.requests), client.pauses) == (1, [])


@pytest.mark.rule("PW-1.4-10")
def test_success_without_a_response_id_does_not_say_what_was_stored(serve, client_of):
    client = client_of(serve(answered(200, {**ENVELOPE, "Detail": {"ImportDetail": {"ImportID": "A"}}})).root)
    with pytest.raises(SubmissionUnclear, match="no ResponseID"):
        client.create("<Manifest/>", commit=True)


# What shows the key


@pytest.mark.rule("PW-1.1-13", "PW-8-32")
@pytest.mark.parametrize(
    "answer",
    [
        silent,
        reset,
        answered(500, f"failed at /getNotes?apikey={ENCODED_KEY}"),
        answered(400, f"bad key {KEY}"),
        answered(200, f"<html>Oops: {KEY} and {ENCODED_KEY}</html>"),
        answered(200, {"Status": {"Code": f"ERROR_{KEY}", "Description": f"apikey={ENCODED_KEY}"}}),
        answered(302, Location=f"https://elsewhere.invalid/?apikey={ENCODED_KEY}"),
        answered(200, NOT_AUTHORISED + KEY),
        answered(404, ENCODED_KEY),
        answered(429, KEY),
    ],
)
@pytest.mark.parametrize("style", ["form", "query"])
def test_neither_form_of_the_key_is_shown_anywhere(serve, client_of, caplog, answer, style):
    caplog.set_level(logging.DEBUG)
    server = serve(answer)
    client = client_of(
        server.root, first_byte_timeout_s=0.2, submit_style=style, options={"patient": False}, key_kind="customer"
    )
    shown = [repr(client), repr(client.settings), client.shown_url("getNotes", TID)]
    for call in (client.notes_of, lambda tid: client.create(f"<Number>{tid}</Number>", commit=True), client.confirm):
        with pytest.raises(Exception) as told:  # noqa: PT011 - of whichever kind
            call(TID)
        seen = told.value
        while seen:
            shown += ["".join(traceback.format_exception(seen)), repr(seen), str(vars(seen))]
            seen = seen.__cause__ or seen.__context__
    shown += [record.getMessage() + str(record.args) for record in caplog.records]

    assert server.requests, "nothing was asked"
    for text in shown:
        assert CANARY not in text
        assert ENCODED_KEY not in text


@pytest.mark.rule("PW-1.1-13")
def test_an_answer_that_repeats_the_key_loses_it(serve, client_of):
    client = client_of(serve(answered(200, data({"NoteText": f"{KEY} {ENCODED_KEY}"}))).root)
    assert client.notes_of(TID) == [{"NoteText": "*** ***"}]


@pytest.mark.rule("PW-1.1-13")
def test_errors_and_log_lines_name_the_address_without_its_key(serve, client_of, caplog):
    caplog.set_level(logging.INFO)
    server = serve(answered(400, "Odd"))
    with pytest.raises(AnswerRefused) as told:
        client_of(server.root).notes_of(TID)
    address = f"GET {server.root}/getNotes/trackingId/{TID}?apikey=***"
    assert address in str(told.value)
    assert f"palletways_123: {address} 400 in" in caplog.text


@pytest.mark.rule("PW-1.1-13")
def test_the_http_librarys_own_log_shows_no_address_with_a_key(serve, client_of, caplog):
    caplog.set_level(logging.DEBUG, "urllib3")
    client_of(serve(GOOD).root).notes_of(TID)
    said = [record.getMessage() for record in caplog.records if record.name.startswith("urllib3")]
    assert any("Starting new HTTP connection" in line for line in said)
    assert not any("getNotes" in line for line in said)
