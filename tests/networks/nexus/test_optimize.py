"""The call to Optimize (contract 10)."""

import traceback

import pytest
from tests.networks.nexus.answering import CANARY, answered, refused_address, reset

from palletflow.network_errors import AuthFailed, NotSent, Throttled
from palletflow.networks.nexus import settings
from palletflow.networks.nexus.errors import (
    NexusAuthError,
    NexusNotFound,
    NexusProtocolError,
    NexusServerError,
    NexusValidationError,
)
from palletflow.networks.nexus.optimize import EtaReply, OptimizeClient

KEY = "canary-key-of-tests"


def eta(number, **fields):
    return {
        "consignmentNumber": number,
        "consignmentID": 700001,
        "postcode": "ZZ1 1ZZ",
        "etaStart": "2026-07-13T10:20:00+00:00",
        "etaEnd": "2026-07-13T11:20:00+00:00",
        **fields,
    }


def trip(*etas):
    return {
        "depotCode": "PGD302",
        "tripReference": "T-77",
        "calculatedAt": "2026-07-13T08:05:00+00:00",
        "etas": list(etas),
    }


TRIP = trip(eta("QG0000123"), eta("QG0000124"))
GOOD = answered(200, {"accepted": 2, "rejected": []})


@pytest.fixture
def optimize_of(clock):
    opened = []

    def make(url, *, key=KEY, patient=True, **extra):
        parsed = settings.parse_optimize("nexus_optimize", url, key, {"allow_http": True, **extra})
        pauses: list[float] = []
        client = OptimizeClient(parsed, patient=patient, sleep=pauses.append, jitter=lambda: 1.0, clock=clock)
        client.pauses = pauses
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.close()


@pytest.mark.rule("NX-10-2")
@pytest.mark.parametrize(
    ("extra", "path", "header"),
    [
        ({}, "/api/etas", "x-api-key"),
        ({"path": "/v2/stop-etas/", "key_header": "Ocp-Key"}, "/api/v2/stop-etas/", "ocp-key"),
    ],
)
def test_a_trip_is_one_post_with_the_key_in_its_header(serve, optimize_of, extra, path, header):
    server = serve(GOOD)

    optimize_of(f"{server.root}/api/", **extra).send(TRIP)

    [request] = server.all_requests
    assert request.line == f"POST {path} HTTP/1.1"
    assert request.body == TRIP
    assert [name for name, value in request.headers.items() if KEY in value] == [header]
    assert request.headers["content-type"] == "application/json"


@pytest.mark.rule("NX-10-3")
@pytest.mark.parametrize("status", [200, 202])
@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ({"accepted": 2, "rejected": []}, EtaReply(("QG0000123", "QG0000124"), {})),
        ({"accepted": ["QG0000123"], "rejected": None}, EtaReply(("QG0000123", "QG0000124"), {})),
        (
            {"accepted": 1, "rejected": [{"consignmentNumber": "QG0000124", "reason": "Already delivered"}]},
            EtaReply(("QG0000123",), {"QG0000124": "Already delivered"}),
        ),
        (
            {"rejected": [{"ConsignmentNumber": "QG0000123"}, {"consignmentNumber": "QG0000124", "reason": None}]},
            EtaReply((), dict.fromkeys(("QG0000123", "QG0000124"), "rejected without a reason")),
        ),
        ({}, EtaReply(("QG0000123", "QG0000124"), {})),
    ],
)
def test_what_became_of_each_eta(serve, optimize_of, status, reply, found):
    assert optimize_of(serve(answered(status, reply)).root).send(TRIP) == found


@pytest.mark.rule("NX-10-4", "NX-11-27")
@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_not_tried_again(serve, optimize_of, status):
    server = serve(answered(status, {"title": f"No {KEY}"}))
    client = optimize_of(server.root)

    with pytest.raises(NexusAuthError, match=rf"connection 'nexus_optimize': HTTP {status}: No \*\*\*") as caught:
        client.send(TRIP)

    assert isinstance(caught.value, AuthFailed)
    assert (len(server.all_requests), client.pauses) == (1, [])


@pytest.mark.rule("NX-10-5")
@pytest.mark.parametrize(
    ("bad", "pauses"),
    [
        (answered(500), [1]),
        (answered(503), [1]),
        (reset, [1]),
        (answered(200, "<html>"), [1]),
        (answered(202, []), [1]),
        (answered(202, {"rejected": "none"}), [1]),
        (answered(202), [1]),
        (answered(429, Retry_After="7"), [7]),
        (answered(429), [1]),
    ],
)
def test_without_a_good_answer_the_trip_is_sent_again(serve, optimize_of, bad, pauses):
    server = serve(bad, GOOD)
    client = optimize_of(server.root)

    assert client.send(TRIP).accepted == ("QG0000123", "QG0000124")

    assert client.pauses == pauses
    assert [request.body for request in server.all_requests] == [TRIP, TRIP]


@pytest.mark.rule("NX-10-5")
@pytest.mark.parametrize(
    ("answer", "error", "requests"),
    [
        (answered(502), NexusServerError, 6),
        (answered(200, "<html>"), NexusProtocolError, 6),
        (answered(400, {"errors": {"etas": ["too many"]}}), NexusValidationError, 1),
        (answered(404), NexusNotFound, 1),
        (answered(429, Retry_After="301"), Throttled, 1),
        (answered(302, Location="https://optimize.example.com/"), NexusServerError, 6),
    ],
)
def test_what_stays_bad_comes_out(serve, optimize_of, answer, error, requests):
    server = serve(answer)

    with pytest.raises(error):
        optimize_of(server.root).send(TRIP)

    assert len(server.all_requests) == requests


def test_an_optimize_that_cannot_be_reached_was_sent_nothing(optimize_of):
    with pytest.raises(NotSent):
        optimize_of(refused_address()).send(TRIP)


def test_a_client_without_patience_leaves_pauses_to_its_queue(serve, optimize_of):
    client = optimize_of(serve(answered(429, Retry_After="7"), GOOD).root, patient=False)
    with pytest.raises(Throttled) as caught:
        client.send(TRIP)
    assert (caught.value.retry_after, client.pauses) == (7, [])


@pytest.mark.rule("NX-10-2", "NX-10-3", "NX-10-4", "NX-10-5", "NX-11-27")
def test_the_simulator_takes_what_it_can_and_says_why_not_the_rest(nexus_sim, optimize_of):
    mine, other = (nexus_sim.add(role="delivery", network="PALLEX") for _ in range(2))
    held = {one: nexus_sim.one(one) for one in (mine, other)}
    etas = [
        eta(held[mine]["consignmentNumber"], consignmentID=mine, postcode=held[mine]["delAddressPostcode"]),
        eta(held[other]["consignmentNumber"], consignmentID=other, postcode="AB1 1AB"),
    ]
    client = optimize_of(f"{nexus_sim.root}/optimize", key="sim-optimize")

    for _ in range(2):  # again does no harm
        assert client.send(trip(*etas)) == EtaReply(
            (held[mine]["consignmentNumber"],), {held[other]["consignmentNumber"]: "Another postcode"}
        )

    assert nexus_sim.one(mine)["estimatedDelDate"] == "2026-07-13"
    assert nexus_sim.one(other)["estimatedDelDate"] is None


@pytest.mark.rule("NX-10-4", "NX-11-27")
def test_check_proves_address_and_key_without_any_effect(nexus_sim, optimize_of):
    optimize_of(f"{nexus_sim.root}/optimize", key="sim-optimize").check()
    with pytest.raises(NexusAuthError):
        optimize_of(f"{nexus_sim.root}/optimize", key="wrong").check()
    nexus_sim.control("options", optimize="off")
    with pytest.raises(NexusNotFound):
        optimize_of(f"{nexus_sim.root}/optimize", key="sim-optimize").check()

    assert nexus_sim.look("etas")["calls"] == []


@pytest.mark.rule("NX-1-34")
def test_the_key_shows_nowhere(serve, optimize_of, caplog):
    caplog.set_level("DEBUG")
    client = optimize_of(serve(answered(400, {"title": KEY})).root)

    with pytest.raises(NexusValidationError) as caught:
        client.send(TRIP)

    texts = ["".join(traceback.format_exception(caught.value)), repr(client), repr(client.settings), caplog.text]
    texts += [repr(part) for part in vars(client).values()]
    assert [text for text in texts if CANARY in text] == []
