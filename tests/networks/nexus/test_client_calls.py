"""What an answer of Nexus means, and which call is made again (contract 1.3, 1.5, 1.6, 1.8)."""

import gzip
import logging
import re
import socket
import time
from datetime import timedelta
from email.utils import format_datetime

import pytest
from tests.networks.nexus.answering import answered, refused_address, reset, silent

from palletflow.network_errors import NotSent, Rejected, Throttled, UnknownOutcome
from palletflow.networks.nexus import settings
from palletflow.networks.nexus.client import NexusClient
from palletflow.networks.nexus.errors import (
    NexusConflict,
    NexusForbidden,
    NexusNotFound,
    NexusNotOffered,
    NexusProtocolError,
    NexusRateLimited,
    NexusServerError,
    NexusUnknownOutcome,
    NexusValidationError,
)
from palletflow.networks.nexus.wire import read_wire

BACKOFF = [1, 2, 4, 8, 16]
ONE = {"consignmentID": 700001}
GOOD = answered(200, ONE)

CALLS = {
    "get": lambda client: client.get(700001),
    "list": lambda client: list(client.listed({})),
    "label": lambda client: client.label(700001),
    "create": lambda client: client.create({"general": {"consignmentNumber": "QG0000123"}}),
    "cancel": lambda client: client.cancel(700001),
    "upload": lambda client: client.upload(700001, 7102, "QG0000123_POD_01.jpg", "image/jpeg", b"\xff\xd8\xff"),
    "history": lambda client: client.history(700001),
    "post_status": lambda client: client.post_status(700001, {"statusID": 9009}),
}
POSTS = ("create", "upload", "post_status")


# The table of 1.5


@pytest.mark.rule("NX-1-17", "NX-1-18", "NX-1-20", "NX-1-21")
@pytest.mark.parametrize("call", ["get", "create", "upload", "post_status", "cancel"])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, NexusValidationError),
        (422, NexusValidationError),
        (402, NexusValidationError),
        (413, NexusValidationError),
        (415, NexusValidationError),
        (403, NexusForbidden),
        (409, NexusConflict),
        (405, NexusNotOffered),
    ],
)
def test_a_refusal_is_final_and_shows_what_it_says(serve, client_of, call, status, error):
    server = serve(answered(status, {"title": "Depot closed"}))
    client = client_of(server.url, status_history="on")

    with pytest.raises(error, match=rf"through connection 'nexus_test': HTTP {status}: Depot closed\.") as caught:
        CALLS[call](client)

    assert (len(server.requests), client.pauses) == (1, [])
    assert isinstance(caught.value, Rejected) or error is NexusNotOffered


@pytest.mark.rule("NX-1-19", "NX-1-20")
@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("get", NexusNotFound),
        ("list", NexusNotFound),
        ("cancel", NexusNotFound),
        ("create", NexusNotFound),
        ("upload", NexusNotOffered),
        ("post_status", NexusNotOffered),
    ],
)
def test_a_404_on_a_write_that_is_only_assumed_means_that_there_is_no_such_call(serve, client_of, call, error):
    server = serve(answered(404))
    client = client_of(server.url)

    with pytest.raises(error, match="HTTP 404: empty body"):
        CALLS[call](client)

    assert (len(server.requests), client.pauses) == (1, [])


@pytest.mark.rule("NX-1-19")
def test_what_the_simulator_does_not_offer(nexus_sim, nexus_client):
    consignment = nexus_sim.add()
    nexus_sim.control("options", not_offered={"post_status": 405, "upload": 404, "cancel": 405})
    client = nexus_client()

    for call in (
        lambda: client.post_status(consignment, {}),
        lambda: client.upload(consignment, 1, "a.jpg", "image/jpeg", b"x"),
        lambda: client.cancel(consignment),
    ):
        with pytest.raises(NexusNotOffered, match="say so under endpoints in the Nexus template"):
            call()


# Pauses Nexus asks for


@pytest.mark.rule("NX-1-22", "NX-11-14")
@pytest.mark.parametrize(
    ("header", "wait"),
    [("7", 7), ("1.5", 1.5), ("300", 300), ("0", 0), ("-5", 0), ("Mon, 13 Jul 2020 09:30:00 GMT", 0)],
)
@pytest.mark.parametrize("call", ["get", "create", "cancel"])
def test_nexus_says_how_long_to_wait(serve, client_of, call, header, wait):
    server = serve(answered(429, Retry_After=header), GOOD)
    client = client_of(server.url)

    CALLS[call](client)

    assert (len(server.requests), client.pauses) == (2, [wait])


@pytest.mark.rule("NX-1-22", "NX-11-14")
@pytest.mark.parametrize("zone", ["GMT", "-0000", ""])
def test_retry_after_may_be_an_http_date(serve, client_of, clock, zone):
    header = format_datetime(clock() + timedelta(seconds=100)).replace("+0000", zone).strip()
    client = client_of(serve(answered(429, Retry_After=header), GOOD).url)

    client.get(700001)

    assert client.pauses == [100]


@pytest.mark.rule("NX-1-22", "NX-11-14")
@pytest.mark.parametrize("headers", [{}, {"Retry_After": ""}, {"Retry_After": "soon"}, {"Retry_After": "nan"}])
def test_without_a_word_on_how_long_the_client_backs_off(serve, client_of, headers):
    server = serve(answered(429, **headers))
    client = client_of(server.url)

    with pytest.raises(NexusRateLimited):
        client.get(700001)

    assert (len(server.requests), client.pauses) == (6, BACKOFF)


@pytest.mark.rule("NX-1-22", "NX-11-14")
@pytest.mark.parametrize(
    ("header", "extra", "asked_s"),
    [
        ("301", {}, 300),
        ("inf", {}, 300),
        ("86400", {}, 300),
        ("Thu, 31 Dec 9999 23:59:59 GMT", {}, 300),
        ("11", {"retry_after_cap_s": 10}, 10),
    ],
)
def test_a_pause_beyond_the_cap_is_left_to_the_tasks_retry(serve, client_of, header, extra, asked_s):
    server = serve(answered(429, Retry_After=header), GOOD)
    client = client_of(server.url, **extra)

    with pytest.raises(Throttled) as caught:
        client.get(700001)

    assert (caught.value.retry_after, len(server.requests), client.pauses) == (asked_s, 1, [])


@pytest.mark.rule("NX-1-22")
@pytest.mark.parametrize(("headers", "asked_s"), [({"Retry_After": "7"}, 7), ({}, 16)])
def test_a_client_without_patience_leaves_every_pause_to_its_queue(serve, client_of, headers, asked_s):
    server = serve(answered(429, **headers), GOOD)
    client = client_of(server.url, patient=False)

    with pytest.raises(NexusRateLimited) as caught:
        client.get(700001)

    assert (caught.value.retry_after, len(server.requests), client.pauses) == (asked_s, 1, [])


class TellingBudget:
    """Notes what a client tells everyone."""

    def __init__(self):
        self.frames, self.pauses, self.inside = 0, [], False

    def call(self):
        return self

    def __enter__(self):
        assert not self.inside, "a call within a call could wait for itself"
        self.frames, self.inside = self.frames + 1, True

    def __exit__(self, *_):
        self.inside = False

    def pause(self, seconds):
        self.pauses.append(seconds)


@pytest.mark.rule("NX-1-22", "NX-1-28")
def test_every_call_is_within_the_budget_and_a_pause_is_everyones(serve, clock):
    server = serve(answered(429, Retry_After="7"), answered(401), answered(429), GOOD)
    parsed = settings.parse("nexus_test", server.url, "u", "p", {"allow_http": True})
    budget = TellingBudget()

    with NexusClient(parsed, read_wire({}), budget=budget, sleep=lambda _: None, clock=clock) as client:
        client.get(700001)

    assert (budget.frames, len(server.all_requests), budget.pauses) == (6, 6, [7])


@pytest.mark.rule("NX-1-22")
def test_a_pause_of_the_budget_is_waited_out_or_handed_on(serve, clock):
    server = serve(GOOD)
    parsed = settings.parse("nexus_test", server.url, "u", "p", {"allow_http": True})

    class Paused(TellingBudget):
        def call(self):
            if not self.pauses:
                self.pauses.append("asked")
                raise Throttled("nexus_test", "A call", "the network asked for a pause", 42.0)
            return self

    waited: list[float] = []
    with NexusClient(parsed, read_wire({}), budget=Paused(), sleep=waited.append, clock=clock) as client:
        client.check()
    with (
        NexusClient(parsed, read_wire({}), budget=Paused(), patient=False, clock=clock) as client,
        pytest.raises(Throttled),
    ):
        client.check()
    assert waited == [42.0]


# Calls that are made again


BROKEN = {
    "500": answered(500, "<html>oops</html>"),
    "502": answered(502),
    "503": answered(503, Retry_After="7"),
    "504": answered(504, {"title": "Gateway Timeout"}),
    "408": answered(408),
    "300": answered(300),
    "304": answered(304),
    "reset": reset,
    "closed": b"",
    "no HTTP": b"220 mail.example.com ESMTP\r\n",
    "cut": answered(200, ONE)[:-3],
    "cut 500": answered(500, "x" * 100)[:-3],
    "broken compression": answered(200, b"no gzip", Content_Encoding="gzip"),
    "cut chunk": b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
    "bad chunk": b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\nsoon\r\n{",
}


@pytest.mark.rule("NX-1-23", "NX-11-14")
@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("call", ["get", "cancel"])
def test_a_read_and_a_cancel_are_made_again(serve, client_of, call, name):
    server = serve(BROKEN[name], BROKEN[name], GOOD)
    client = client_of(server.url)

    CALLS[call](client)

    assert (len(server.requests), client.pauses) == (3, [1, 2])


@pytest.mark.rule("NX-1-23")
@pytest.mark.parametrize("name", BROKEN)
def test_a_read_is_given_up_after_five_more_tries(serve, client_of, name):
    server = serve(BROKEN[name])
    client = client_of(server.url)

    with pytest.raises(NexusServerError, match="GET consignments/700001 through connection 'nexus_test'"):
        client.get(700001)

    assert (len(server.requests), client.pauses) == (6, BACKOFF)


@pytest.mark.rule("NX-1-24")
@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("call", POSTS)
def test_a_post_that_left_us_is_never_made_again(serve, client_of, call, name):
    server = serve(BROKEN[name], GOOD)
    client = client_of(server.url)

    with pytest.raises(NexusUnknownOutcome, match="looked up before it is sent again") as caught:
        CALLS[call](client)

    assert (len(server.requests), client.pauses) == (1, [])
    assert isinstance(caught.value, UnknownOutcome)


@pytest.mark.rule("NX-1-24", "NX-11-14")
@pytest.mark.parametrize("effect", ["http_500", "http_503", "drop", "timeout"])
def test_the_simulator_sees_one_create_whatever_becomes_of_it(nexus_sim, nexus_client, effect):
    nexus_sim.fault(effect, "consignments", method="POST")
    client = nexus_client(read_timeout_s=0.3)

    with pytest.raises(NexusUnknownOutcome):
        client.create({"general": {"consignmentNumber": "QG0000123"}})

    assert len(nexus_sim.requests("consignments", method="POST")) == 1


@pytest.mark.rule("NX-1-23", "NX-11-14")
@pytest.mark.parametrize("effect", ["http_500", "http_502", "http_503", "drop", "timeout", "truncated"])
def test_a_read_at_the_simulator_is_made_again(nexus_sim, nexus_client, effect):
    consignment = nexus_sim.add()
    nexus_sim.fault(effect, "consignments/*", times=2)

    assert nexus_client(read_timeout_s=0.3).get(consignment)["consignmentID"] == consignment

    assert len(nexus_sim.requests("consignments/")) == 3


@pytest.mark.rule("NX-1-24")
@pytest.mark.parametrize("call", POSTS)
def test_a_post_that_has_not_left_us_is_made_again(serve, client_of, call):
    server = serve()
    client = client_of(server.url)
    client.check()
    server.close()  # the bearer is there, the network is gone

    with pytest.raises(NotSent, match="Nothing was sent"):
        CALLS[call](client)

    assert client.pauses == BACKOFF
    assert server.requests == []


def test_a_network_that_takes_no_connection_in_time_was_sent_nothing(client_of):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for other in waiting:  # fill the queue of connections not yet accepted
            other.setblocking(False)
            other.connect_ex(full.getsockname())
        client = client_of(f"http://127.0.0.1:{full.getsockname()[1]}/v1/", connect_timeout_s=0.1)

        with pytest.raises(NotSent, match=r"connect timeout=0\.1"):
            client.get(700001)

        for other in waiting:
            other.close()


@pytest.mark.rule("NX-1-23", "NX-1-29")
def test_an_answer_that_does_not_come_ends_after_the_read_timeout(serve, client_of):
    server = serve(silent)

    with pytest.raises(NexusServerError, match=r"read timeout=0\.1"):
        client_of(server.url, read_timeout_s=0.1).get(700001)

    assert len(server.requests) == 6


def dripping(connection, _):
    """Begins to answer and never ends, drop by drop, each well within the read timeout."""
    connection.sendall(b"HTTP/1.1 200 x\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(400):
        connection.sendall(b" ")
        time.sleep(0.02)


@pytest.mark.rule("NX-1-29")
def test_an_answer_that_comes_drop_by_drop_ends_too(serve, client_of):
    with pytest.raises(NexusUnknownOutcome, match=r"the answer did not end within 0\.5 s"):
        client_of(serve(dripping).url, read_timeout_s=0.1).create({})


def test_pauses_between_tries_take_any_part_of_the_backoff(serve):
    pauses: list[float] = []
    for _ in range(8):
        parsed = settings.parse("nexus_test", refused_address(), "u", "p", {"allow_http": True})
        with NexusClient(parsed, read_wire({}), sleep=pauses.append) as client, pytest.raises(NotSent):
            client.check()

    for pause, most in zip(pauses, BACKOFF * 8, strict=True):
        assert 0 <= pause <= most
    assert len(set(pauses)) == 40
    assert min(pause / most for pause, most in zip(pauses, BACKOFF * 8, strict=True)) < 0.5


# Answers of success that are none


RUBBISH = {
    "html": answered(200, "<html>welcome</html>"),
    "cut JSON": answered(200, '{"consignmentID": 70'),
    "list": answered(201, '[{"consignmentID": 700001}]'),
    "text": answered(200, '"fine"'),
    "null": answered(200, "null"),
    "not UTF-8": answered(200, b'{"x": "\xff"}'),
    "nested without end": answered(200, '{"a":' * 100_000),
}


@pytest.mark.rule("NX-1-25")
@pytest.mark.parametrize("name", RUBBISH)
def test_a_read_that_is_answered_with_rubbish_is_made_again(serve, client_of, name):
    server = serve(RUBBISH[name], GOOD)
    client = client_of(server.url)

    assert client.get(700001) == ONE
    assert (len(server.requests), client.pauses) == (2, [1])

    with pytest.raises(NexusProtocolError, match="HTTP 20"):
        client_of(serve(RUBBISH[name]).url).get(700001)


@pytest.mark.rule("NX-1-25", "NX-11-15")
@pytest.mark.parametrize("name", RUBBISH)
@pytest.mark.parametrize("call", POSTS)
def test_a_post_that_is_answered_with_rubbish_has_an_unknown_outcome(serve, client_of, call, name):
    server = serve(RUBBISH[name], GOOD)
    client = client_of(server.url)

    with pytest.raises(UnknownOutcome):
        CALLS[call](client)

    assert (len(server.requests), client.pauses) == (1, [])


@pytest.mark.rule("NX-2-6", "NX-2-10", "NX-2-12", "NX-2.4-17", "NX-11-17")
@pytest.mark.parametrize("status", [200, 201, 202, 204])
@pytest.mark.parametrize("body", [b"", b" \r\n"])
def test_a_post_that_is_answered_with_success_and_nothing_else_has_succeeded(serve, client_of, status, body):
    server = serve(answered(status, b"" if status == 204 else body))
    client = client_of(server.url)

    assert client.create({}) == {}
    assert client.post_status(700001, {}) == {}
    assert client.upload(700001, 7102, "a.jpg", "image/jpeg", b"x") == ""


@pytest.mark.parametrize("compressed", [False, True])
def test_an_answer_without_end_is_not_read_to_its_end(serve, client_of, compressed):
    if compressed:
        body = gzip.compress(b'{"x": "' + b"x" * 200_000_000, 1)
        server = serve(answered(200, body, Content_Encoding="gzip"))
    else:

        def endless(connection, _):
            connection.sendall(b"HTTP/1.1 200 x\r\nConnection: close\r\n\r\n")
            for _ in range(1000):
                connection.sendall(b" " * 1_000_000)

        server = serve(endless)

    with pytest.raises(NexusProtocolError, match="larger than 64 MB"):
        client_of(server.url).create({})


# Bodies of refusals


PROBLEM = {
    "title": "Validation failed",
    "status": 400,
    "traceId": "sim-1",
    "errors": {"deliveryAddress.postcode": ["required", "too short"], "general.customerID": "unknown"},
}


@pytest.mark.rule("NX-1-17", "NX-1-27", "NX-11-17")
@pytest.mark.parametrize(
    ("body", "said", "fields", "trace_id"),
    [
        (
            PROBLEM,
            "Validation failed: deliveryAddress.postcode: required, too short; "
            "general.customerID: unknown (trace sim-1)",
            ("deliveryAddress.postcode", "general.customerID"),
            "sim-1",
        ),
        ({"Title": "No", "Detail": "Depot closed", "TraceId": "t"}, "No: Depot closed (trace t)", (), "t"),
        ({"errors": {"x": []}}, "x: refused", ("x",), ""),
        ({"errors": "Depot closed"}, "Depot closed", (), ""),
        ({"errors": ["Depot closed", "No lorry"]}, "Depot closed; No lorry", (), ""),
        ({"status": "error", "meta": ["postcode", "town"]}, "error: fields postcode, town", ("postcode", "town"), ""),
        ({"status": 400, "meta": []}, "400: fields ", (), ""),
        ({"message": "Depot closed"}, "Depot closed", (), ""),
        ("Depot\n closed", "Depot closed", (), ""),
        ('"Depot closed"', "Depot closed", (), ""),
        ("", "empty body", (), ""),
        ("<html>  <p>Depot\tclosed", "<html> <p>Depot closed", (), ""),
        ({"why": "Depot closed"}, '{"why": "Depot closed"}', (), ""),
        ('["Depot closed"]', '["Depot closed"]', (), ""),
        ("x" * 5000, "x" * 500, (), ""),
        (" " * 9000 + "Depot closed", "Depot closed", (), ""),
        (b"Depot \xff closed", "Depot � closed", (), ""),
        ('{"a":' * 5000, ('{"a":' * 5000)[:500], (), ""),
        ({"errors": {"a\r\nb: c" + "d" * 500: ["no"]}}, "a b: c" + "d" * 500 + ": no", ("abc" + "d" * 97,), ""),
    ],
)
def test_what_a_refusal_says_is_shown(serve, client_of, body, said, fields, trace_id):
    server = serve(answered(400, body))

    with pytest.raises(NexusValidationError) as caught:
        client_of(server.url).create({})

    assert caught.value.detail == f"HTTP 400: {said.strip()}"
    assert (caught.value.fields, caught.value.trace_id) == (fields, trace_id)


def test_endless_reasons_are_shown_in_part(serve, client_of):
    server = serve(answered(400, {"errors": {f"field{number}": ["no " * 50] for number in range(5000)}}))

    with pytest.raises(NexusValidationError, match="field0: no no") as caught:
        client_of(server.url).create({})

    assert len(str(caught.value)) < 4000
    assert len(caught.value.fields) == 50


@pytest.mark.rule("NX-1-27", "NX-11-17")
@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("problem", r"Validation failed: .*general\.consignmentNumber: .*\(trace .+\)"),
        ("text", r".*general\.consignmentNumber: "),
        ("errors", r".*general\.consignmentNumber: "),
        ("meta", r"error: fields .*general\.consignmentNumber"),
        ("empty", "empty body"),
    ],
)
def test_the_forms_in_which_the_simulator_says_no(nexus_sim, nexus_client, form, said):
    nexus_sim.control("options", error_form=form)

    with pytest.raises(NexusValidationError, match=f"HTTP 400: {said}") as caught:
        nexus_client().create({"general": {"consignmentNumber": "not a number!"}})

    assert ("general.consignmentNumber" in caught.value.fields) is (form in ("problem", "meta"))


# Logs


@pytest.mark.rule("NX-1-34")
def test_each_call_is_one_line_without_anything_personal(serve, client_of, caplog):
    caplog.set_level(logging.INFO)
    server = serve(
        answered(400, {"errors": {"deliveryAddress.name": ["'Ann Example' is not known"]}}),
        answered(200, [{"delAddressName": "Ann Example"}]),
        answered(200, []),
        reset,
        answered(200, b"\xff\xd8\xff Ann Example"),
    )
    client = client_of(server.url)
    body = {
        "general": {"consignmentNumber": "QG0000123"},
        "deliveryAddress": {"name": "Ann Example", "telephone": "01632 960001", "line1": "1 Secret Road"},
        "deliveryInfo": {"email": "ann@example.com"},
    }

    with pytest.raises(NexusValidationError):
        client.create(body)
    client.search("Ann Example")
    client.download(f"{server.root}/files/Ann-Example.jpg?for=Ann+Example")

    lines = [re.sub(r"\d\.\d\d s", "S", record.getMessage()) for record in caplog.records]
    assert lines == [
        "nexus_test: POST Account/login/ 200 in S",
        "nexus_test: POST consignments 400 in S, consignment QG0000123, fields deliveryAddress.name",
        "nexus_test: GET consignments/ 200 in S",
        "nexus_test: GET consignments/ 200 in S",
        "nexus_test: GET a file at 127.0.0.1 NexusServerError in S",
        "nexus_test: GET a file at 127.0.0.1 200 in S",
    ]
