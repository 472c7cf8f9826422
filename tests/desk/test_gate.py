"""Nobody gets past the gate without a login, and nobody who may only look writes: whatever the address."""

import asyncio
import socket
from typing import Any

import pytest
import requests
from starlette.exceptions import HTTPException
from tests.desk.conftest import Served

from palletflow.desk import gate, track
from palletflow.desk.app import create_app
from palletflow.desk.gate import Caller
from palletflow.desk.pool import SIZE
from palletflow.desk.refusals import turned_away

LOGINS = {"Bearer clerk": "clerk", "Bearer looker": "looker"}


async def by_header(request: Any, writes: bool) -> Caller:
    """Lets the clerk write and the looker look."""
    name = LOGINS.get(request.headers.get("authorization", ""))
    if name is None:
        raise HTTPException(401, "Not authenticated", {"WWW-Authenticate": "Bearer"})
    if writes and name != "clerk":
        raise HTTPException(403, "This login may not do this")
    return Caller(name, name == "clerk", by_cookie="cookie" in request.headers)


def no_store() -> Any:
    raise AssertionError("whoever is turned away costs no connection")


@pytest.fixture(scope="module")
def guarded():
    server = Served(create_app(by_header, no_store))
    yield server
    server.stop()


def every_route(server_app: Any) -> list[tuple[str, str]]:
    return [(method, route.path) for route in server_app.application.routes for method in route.methods]


def test_every_route_turns_strangers_away_and_lookers_who_write(guarded):
    routes = every_route(create_app(by_header, no_store))
    assert len(routes) > 20
    assert ("GET", "/api/v1/openapi.json") in routes
    for method, path in routes:
        stranger = requests.request(method, guarded.url + path, timeout=10)
        assert (path, stranger.status_code) == (path, 401)
        looker = requests.request(method, guarded.url + path, headers={"Authorization": "Bearer looker"}, timeout=10)
        assert (path, method, looker.status_code == 403) == (path, method, method not in ("GET", "HEAD"))


def test_a_browsers_cookie_is_not_enough_to_write(guarded):
    """Another site's page can make it call."""
    headers = {"Authorization": "Bearer clerk", "Cookie": "any"}
    for method, path in every_route(create_app(by_header, no_store)):
        answer = requests.request(method, guarded.url + path, headers=headers, timeout=10)
        assert (path, method, answer.status_code == 403) == (path, method, method not in ("GET", "HEAD"))


@pytest.mark.parametrize("path", ["/", "/docs", "/redoc", "/openapi.json", "/api/v1/nothing", "/api/v1/docs"])
def test_what_is_not_there_is_behind_the_login_too(guarded, path):
    assert requests.get(guarded.url + path, timeout=10).status_code == 401
    answer = requests.get(guarded.url + path, headers={"Authorization": "Bearer looker"}, timeout=10)
    assert answer.status_code == 404
    assert set(answer.json()) == {"message", "errors"}


def test_a_stranger_is_turned_away_before_his_body_is_read(guarded):
    host, port = guarded.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as caller:
        caller.sendall(b"POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        assert caller.recv(100).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_has_its_bounds_whether_its_size_is_declared_or_not(guarded, declared):
    body = b"[" * (gate.MOST_JSON_BYTES + 1)
    data = body if declared else iter([body[:1000], body[1000:]])
    headers = {"Authorization": "Bearer clerk"}
    try:
        answer = requests.post(f"{guarded.url}/api/v1/orders", data=data, headers=headers, timeout=30)
    except requests.ConnectionError:
        pytest.fail("the answer is given before the connection is closed")
    assert answer.status_code == 413
    assert answer.json()["errors"][0]["rule"] == "http_413"


async def everybody(_request: Any, _writes: bool) -> Caller:
    return Caller("anybody", may_write=True, by_cookie=False)


def guarded_by(app: Any) -> gate.Gate:
    return gate.Gate(app, everybody, lambda *_: None, turned_away)


async def asked(app: Any, path: str = "/") -> None:
    """Sends an application a request as a server does."""

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "headers": [],
        "query_string": b"",
        "server": ("x", 1),
        "scheme": "http",
        "root_path": "",
    }
    await app(scope, receive, None)


def test_no_more_requests_than_connections_are_worked_on_at_once():
    inside = most = 0

    async def busy(scope, receive, send):
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0)
        inside -= 1

    async def storm():
        guard = guarded_by(busy)
        await asyncio.gather(*(asked(guard) for _ in range(5 * SIZE)))

    asyncio.run(storm())
    assert most == SIZE


@pytest.mark.parametrize(
    ("guard", "most", "path"),
    [
        (guarded_by, gate.MOST_DRAWN, "/documents/7/thumbnail"),
        (guarded_by, gate.MOST_DRAWN, "/palletflow/desk/documents/7/preview.png"),
        (guarded_by, gate.MOST_DRAWN, "/palletflow/desk/documents/7/preview"),
        (guarded_by, gate.MOST_DRAWN, "/palletflow/desk/consignment/7/labels"),
        (guarded_by, gate.MOST_DRAWN, "/api/v1/orders/SO-1/labels"),
        (guarded_by, gate.MOST_DRAWN, "/api/v1/labels"),
        (track.Places, track.MOST_DRAWN, "/token/documents/name/thumbnail"),
    ],
)
def test_what_waits_to_be_drawn_keeps_no_other_page_waiting(guard, most, path):
    begun = answered = 0

    async def drawing():
        drawn = asyncio.Event()

        async def app(scope, receive, send):
            nonlocal begun, answered
            begun += 1
            if begun <= most:
                await drawn.wait()
            answered += 1

        guarded = guard(app)
        waiting = [asyncio.create_task(asked(guarded, path)) for _ in range(5 * SIZE)]
        # All have come as far as they come.
        for _ in range(100):
            await asyncio.sleep(0)
        assert begun == most
        await asyncio.wait_for(asked(guarded, "/other"), 30)
        assert answered == 1
        drawn.set()
        await asyncio.wait_for(asyncio.gather(*waiting), 30)

    asyncio.run(drawing())
    assert answered == 5 * SIZE + 1


def test_a_body_that_is_no_json_is_said_to_be_none(api):
    for body in (b"{", b"\xff\xfe", b"[" * 100_000, b""):
        answer = api("POST", "/orders", data=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 422), body[:10]
        assert set(answer.json()) == {"message", "errors"}


def test_a_store_that_is_away_is_no_stack_trace_and_tells_no_address(monkeypatch, caplog):
    from palletflow.store.connection import DatabaseUnavailable

    def away():
        raise DatabaseUnavailable('connection to "10.1.2.3" as user "palletflow" refused')

    server = Served(create_app(by_header, away))
    try:
        answer = requests.get(
            f"{server.url}/api/v1/orders/SO-1", headers={"Authorization": "Bearer looker"}, timeout=10
        )
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "5"
        assert "The order store does not answer" in answer.json()["errors"][0]["detail"]
        assert not any(word in answer.text for word in ("Traceback", "10.1.2.3", "Postgres"))
        assert "10.1.2.3" in caplog.text
    finally:
        server.stop()
