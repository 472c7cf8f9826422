"""The bearer of the Nexus client (contract 1.4, 2.1): one login for all, renewed early, never a storm of them."""

import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from tests.networks.nexus.answering import CANARY, DEADLINE_S, PASSWORD, answered, refused_address, reset, tokens

from palletflow.network_errors import Misconfigured, NotSent
from palletflow.networks.nexus.errors import NexusAuthError, NexusProtocolError, NexusRateLimited, NexusServerError

MINUTE = timedelta(minutes=1)


def bearers(server):
    return [request.headers.get("authorization") for request in server.requests]


@pytest.mark.rule("NX-1-1", "NX-1-3", "NX-2-2", "NX-2.1-1")
def test_the_first_call_logs_in(serve, client_of):
    server = serve()

    client_of(server.url, login="haulier").attachments(700001)

    [login] = server.logins
    assert login.line == "POST /v1/Account/login/ HTTP/1.1"
    assert login.body == {"username": "haulier", "password": PASSWORD}
    assert login.headers["content-type"] == "application/json"
    assert login.headers["accept"] == "application/json"
    assert "authorization" not in login.headers
    assert bearers(server) == ["Bearer canary-bearer-1"]


def test_nothing_is_asked_before_it_is_needed(serve, client_of):
    server = serve()

    client_of(server.url)

    assert server.all_requests == []


@pytest.mark.rule("NX-1-8", "NX-1-9")
@pytest.mark.parametrize(
    ("extra", "lives_s"), [({}, 3600), ({"token_ttl_s": 1800}, 1800), ({"token_ttl_s": 86_400}, 86_400)]
)
def test_a_bearer_serves_until_five_minutes_before_it_ends(serve, client_of, clock, extra, lives_s):
    server = serve()
    client = client_of(server.url, **extra)

    client.attachments(700001)
    clock.pass_s(lives_s - 301)
    client.attachments(700001)
    assert len(server.logins) == 1

    clock.pass_s(1)
    client.attachments(700001)

    assert bearers(server) == ["Bearer canary-bearer-1", "Bearer canary-bearer-1", "Bearer canary-bearer-2"]


@pytest.mark.rule("NX-1-8", "NX-11-13")
def test_the_simulators_bearer_outlives_our_use_of_it(nexus_sim, nexus_client, clock):
    consignment = nexus_sim.add()
    client = nexus_client()
    for _ in range(3):
        client.get(consignment)
        clock.pass_s(3400)
        nexus_sim.control("clock", advance_s=3400)

    assert {request["status"] for request in nexus_sim.requests()} == {200}
    assert len(nexus_sim.requests("account/login")) == 3


@pytest.mark.rule("NX-1-10", "NX-2-3", "NX-2.1-2")
def test_renewing_is_logging_in_unless_the_connection_says_refresh(nexus_sim, nexus_client, clock):
    consignment = nexus_sim.add()
    for mode, paths in (("login", ["/account/login"] * 3), ("refresh", ["/account/login"] + ["/account/refresh"] * 2)):
        nexus_sim.reset()
        consignment = nexus_sim.add()
        client = nexus_client(auth_renew=mode)
        for _ in range(3):
            client.get(consignment)
            clock.pass_s(3400)
            nexus_sim.control("clock", advance_s=3400)

        assert [request["path"] for request in nexus_sim.requests("account")] == paths
        assert {request["status"] for request in nexus_sim.requests()} == {200}


@pytest.mark.rule("NX-1-11", "NX-2.1-2", "NX-11-13")
@pytest.mark.parametrize(
    "refreshed",
    [
        answered(404),
        answered(401, {"title": "Unauthorized"}),
        answered(500),
        answered(201, tokens(7)),
        answered(200, {}),
        answered(200, {"bearerToken": None}),
        answered(200, {"bearerToken": ""}),
        answered(200, "<html>"),
        answered(429, Retry_After="900"),
        reset,
    ],
)
def test_a_refresh_that_does_not_answer_with_a_token_costs_a_login(serve, client_of, clock, refreshed):
    good = answered(200, [])
    server = serve(good, refreshed, good)
    client = client_of(server.url, auth_renew="refresh")
    client.attachments(700001)
    clock.pass_s(3600)

    client.attachments(700001)

    first, refresh, second = server.requests
    assert (refresh.line, refresh.body) == (
        "POST /v1/Account/refresh HTTP/1.1",
        {"refreshToken": "canary-refresh-1"},
    )
    assert [request.headers.get("authorization") for request in (first, refresh, second)] == [
        "Bearer canary-bearer-1", None, "Bearer canary-bearer-2",
    ]  # fmt: skip


def test_a_refresh_without_a_new_refresh_token_goes_on_with_the_old_one(serve, client_of, clock):
    good, renewed = answered(200, []), answered(200, {"bearerToken": "canary-bearer-9"})
    server = serve(good, renewed, good, renewed, good)
    client = client_of(server.url, auth_renew="refresh")
    for _ in range(3):
        client.attachments(700001)
        clock.pass_s(3600)

    assert len(server.logins) == 1
    assert [request.body for request in server.requests if "refresh" in request.line] == [
        {"refreshToken": "canary-refresh-1"}
    ] * 2


# One login for all threads


@pytest.mark.rule("NX-1-12")
def test_threads_that_come_during_a_login_wait_for_it(serve, client_of):
    waiting = threading.Barrier(9)

    def slowly(connection, _):
        waiting.wait(DEADLINE_S)
        time.sleep(0.05)  # for those just let go to reach the lock
        connection.sendall(answered(200, tokens()))

    server = serve(logins=(slowly,))
    client = client_of(server.url)

    def call():
        if server.logins:
            waiting.wait(DEADLINE_S)
        return client.attachments(700001)

    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(client.attachments, 700001)
        while not server.logins:
            time.sleep(0.005)
        others = [pool.submit(call) for _ in range(8)]
        assert [found.result(DEADLINE_S) for found in (first, *others)] == [[]] * 9

    assert len(server.logins) == 1
    assert bearers(server) == ["Bearer canary-bearer-1"] * 9


@pytest.mark.rule("NX-1-12", "NX-1-16")
def test_threads_share_a_login_that_is_refused(serve, client_of):
    waiting = threading.Barrier(5)

    def slowly(connection, _):
        waiting.wait(DEADLINE_S)
        time.sleep(0.05)
        connection.sendall(answered(401))

    server = serve(logins=(slowly,))
    client = client_of(server.url)

    def call():
        if server.logins:
            waiting.wait(DEADLINE_S)
        with pytest.raises(NexusAuthError):
            client.attachments(700001)

    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(call)
        while not server.logins:
            time.sleep(0.005)
        for ended in [first, *[pool.submit(call) for _ in range(4)]]:
            ended.result(DEADLINE_S)

    assert (len(server.logins), server.requests) == (1, [])


@pytest.mark.rule("NX-1-12", "NX-1-14")
def test_threads_whose_bearer_is_refused_together_log_in_once(serve, client_of):
    together = threading.Barrier(6)

    def answer(connection, request):
        if request.headers["authorization"] == "Bearer canary-bearer-1":
            together.wait(DEADLINE_S)
            connection.sendall(answered(401))
        else:
            connection.sendall(answered(200, []))

    server = serve(answer)
    client = client_of(server.url)
    client.check()

    with ThreadPoolExecutor(6) as pool:
        for found in [pool.submit(client.attachments, 700001) for _ in range(6)]:
            assert found.result(DEADLINE_S) == []

    assert len(server.logins) == 2
    assert sorted(bearers(server)) == ["Bearer canary-bearer-1"] * 6 + ["Bearer canary-bearer-2"] * 6


# A refused bearer


@pytest.mark.rule("NX-1-14", "NX-11-13")
@pytest.mark.parametrize("send", ["get", "post", "delete"])
def test_a_refused_bearer_is_changed_for_a_new_one_and_the_call_made_once_more(serve, client_of, send):
    server = serve(answered(401), answered(200, {"id": 1}))
    client = client_of(server.url)
    calls = {
        "get": lambda: client.get(700001),
        "post": lambda: client.create({"general": {}}),
        "delete": lambda: client.cancel(700001),
    }

    calls[send]()

    assert bearers(server) == ["Bearer canary-bearer-1", "Bearer canary-bearer-2"]
    assert (len(server.logins), client.pauses) == (2, [])
    assert server.requests[0].raw == server.requests[1].raw


@pytest.mark.rule("NX-1-15", "NX-11-13")
@pytest.mark.parametrize(("extra", "closed_s"), [({}, 60), ({"auth_cooldown_s": 600}, 600)])
def test_a_second_refusal_ends_it_and_no_login_is_tried_for_a_while(serve, client_of, clock, extra, closed_s):
    server = serve(answered(401, {"title": "Unauthorized"}))
    client = client_of(server.url, **extra)

    with pytest.raises(NexusAuthError, match="a new bearer is refused: HTTP 401: Unauthorized"):
        client.get(700001)
    assert (len(server.logins), len(server.requests), client.pauses) == (2, 2, [])

    clock.pass_s(closed_s - 1)
    for call in (lambda: client.get(700001), client.check):
        with pytest.raises(NexusAuthError, match="refused just now; none is tried until"):
            call()
    assert len(server.all_requests) == 4

    clock.pass_s(1)
    with pytest.raises(NexusAuthError, match="a new bearer is refused"):
        client.get(700001)
    assert len(server.logins) == 4


@pytest.mark.rule("NX-1-14", "NX-1-15", "NX-11-13")
def test_a_storm_of_401_at_the_simulator(nexus_sim, nexus_client):
    consignment = nexus_sim.add()
    client = nexus_client()
    nexus_sim.fault("http_401", "consignments/*")
    assert client.get(consignment)["consignmentID"] == consignment

    nexus_sim.fault("http_401", "consignments/*", times=None)
    for _ in range(5):
        with pytest.raises(NexusAuthError):
            client.get(consignment)

    assert len(nexus_sim.requests("account/login")) == 3
    assert len(nexus_sim.requests("consignments/")) == 4


# A refused login


@pytest.mark.rule("NX-1-16", "NX-11-13")
@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_login_is_not_tried_again(serve, client_of, clock, status):
    server = serve(logins=(answered(status, {"errors": f"No such user or password {PASSWORD}"}),))
    client = client_of(server.url)

    with pytest.raises(NexusAuthError, match=rf"HTTP {status}: No such user or password \*\*\*\.") as caught:
        client.get(700001)
    assert caught.value.connection == "nexus_test"
    for _ in range(3):
        with pytest.raises(NexusAuthError):
            client.get(700001)

    assert (len(server.logins), server.requests, client.pauses) == (1, [], [])
    clock.pass_s(60)
    with pytest.raises(NexusAuthError):
        client.get(700001)
    assert len(server.logins) == 2


@pytest.mark.rule("NX-1-16")
def test_the_simulator_refuses_a_wrong_password(nexus_sim, nexus_client, client_of):
    with pytest.raises(NexusAuthError, match="Correct the connection's login and password"):
        client_of(nexus_sim.base_url, password="wrong").check()

    nexus_client().check()

    assert [request["status"] for request in nexus_sim.requests()] == [401, 200]


@pytest.mark.parametrize(
    "answer", [answered(404), answered(405), answered(302, Location="https://example.com/v1/Account/login/")]
)
def test_an_address_without_a_login_is_the_connections_fault(serve, client_of, answer):
    server = serve(logins=(answer,))
    client = client_of(server.url)

    with pytest.raises(Misconfigured, match="there is no login at the Host's address"):
        client.check()

    assert (len(server.all_requests), client.pauses) == (1, [])


@pytest.mark.rule("NX-1-23")
@pytest.mark.parametrize(
    "answer",
    [answered(500), answered(503, "<html>"), reset, answered(200, "<html>"), answered(200, {}), answered(200, [1])],
)
def test_a_login_without_a_good_answer_is_tried_again(serve, client_of, answer):
    server = serve(logins=(answer, answer, answered(200, tokens())))
    client = client_of(server.url)

    client.check()

    assert (len(server.logins), client.pauses) == (3, [1, 2])


@pytest.mark.rule("NX-1-23", "NX-1-25")
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (answered(502), NexusServerError),
        (answered(200, {"bearerToken": 'x\r\nX-Evil: "y"'}), NexusProtocolError),
        (answered(200, {"bearerToken": ["x"]}), NexusProtocolError),
        (answered(429), NexusRateLimited),
    ],
)
def test_a_login_that_never_succeeds_is_given_up_after_five_more_tries(serve, client_of, answer, error):
    server = serve(logins=(answer,))
    client = client_of(server.url)

    with pytest.raises(error):
        client.check()

    assert (len(server.logins), client.pauses) == (6, [1, 2, 4, 8, 16])


def test_a_nexus_that_cannot_be_reached_was_sent_nothing(client_of):
    client = client_of(refused_address())

    with pytest.raises(NotSent, match=r"refused.*Nothing was sent"):
        client.check()

    assert client.pauses == [1, 2, 4, 8, 16]


def test_check_asks_even_when_there_is_a_bearer(serve, client_of):
    server = serve()
    client = client_of(server.url)

    client.check()
    client.check()

    assert (len(server.logins), server.requests) == (2, [])


# Secrets


@pytest.mark.rule("NX-1-13", "NX-1-34")
def test_password_and_tokens_show_nowhere(serve, client_of, caplog, clock):
    caplog.set_level("DEBUG")
    echo = {"errors": {"x": [f"{PASSWORD} canary-bearer-1 canary-refresh-1 canary%2Dpassword-of-tests"]}}
    server = serve(
        answered(401, echo), answered(400, echo), answered(500, echo), answered(404, echo), answered(409, echo)
    )
    client = client_of(server.url)
    texts = []
    for call in (lambda: client.get(1), lambda: client.create({}), lambda: client.get(1), lambda: client.get(1)):
        with pytest.raises(Exception, match="through connection") as caught:
            call()
        texts += ["".join(traceback.format_exception(caught.value)), repr(caught.value), str(vars(caught.value))]

    texts += [caplog.text, repr(client), repr(client.settings), str(client.settings)]
    texts += [repr(part) for part in vars(client).values()]
    assert "HTTP 400" in "".join(texts)
    assert [text for text in texts if CANARY in text] == []
