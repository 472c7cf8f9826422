"""The order API over a real Postgres through a real HTTP server. Who calls is taken as given; see test_access.py."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import uvicorn
from tests.desk.desk_orders import DEPLOYMENT

from palletflow.desk.app import create_app
from palletflow.desk.gate import Caller
from palletflow.store.connection import connect


class Served:
    """An ASGI application on a real socket; `url` is its address."""

    def __init__(self, app: Any) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


class Api:
    """Speaks to the order API as `tester`."""

    def __init__(self, url: str) -> None:
        self.url = f"{url}/api/v1"
        self._session = requests.Session()

    def close(self) -> None:
        self._session.close()

    def __call__(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        return self._session.request(method, self.url + path, json=body, timeout=30, **more)

    def get(self, path: str, status: int = 200, **more: Any) -> Any:
        return self._answered("GET", path, None, status, **more)

    def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        return self._answered("POST", path, body, status)

    def put(self, path: str, body: Any, status: int = 200) -> Any:
        return self._answered("PUT", path, body, status)

    def patch(self, path: str, body: Any, status: int = 200) -> Any:
        return self._answered("PATCH", path, body, status)

    def _answered(self, method: str, path: str, body: Any, status: int, **more: Any) -> Any:
        answer = self(method, path, body, **more)
        assert answer.status_code == status, answer.text
        return answer.json()


async def as_tester(_request: Any, _writes: bool) -> Caller:
    return Caller("tester", may_write=True, by_cookie=False)


@pytest.fixture
def served(dsn: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Served]:
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", str(DEPLOYMENT))
    monkeypatch.setenv("PALLETFLOW_DOCUMENTS", str(tmp_path / "documents"))
    server = Served(create_app(as_tester, lambda: connect(dsn)))
    yield server
    server.stop()


@pytest.fixture
def api(served: Served) -> Iterator[Api]:
    speaking = Api(served.url)
    yield speaking
    speaking.close()
