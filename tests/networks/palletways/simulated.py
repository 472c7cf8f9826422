"""A simulated Palletways on real sockets, for every test of this network: fixture ``palletways_sim`` in conftest.py."""

import base64
import socket
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import uvicorn
from requests import Response, Session
from tests.conftest import NOW
from tests.networks.palletways.ways import DEPOT_KEYS

from palletflow.networks.palletways.simulator import KEYS
from palletflow.networks.palletways.simulator.app import create_app

_DEADLINE_S = 30
START = NOW
[CUSTOMER_KEY] = [text for text, key in KEYS.items() if key.is_customer]


class SimulatedPalletways:
    """One network: ``api2`` and ``portal`` are its base addresses, ``root`` the address alone.

    ``keys``: API key by depot; ``customer_key``: that of ACM001. At the end of a test its violations must be empty,
    unless the test sets ``expect_violations``.
    """

    keys = DEPOT_KEYS
    customer_key = CUSTOMER_KEY

    def __init__(self, *, now: datetime | None = START, traffic: bool = False, **served: Any) -> None:
        """``served``: options of uvicorn."""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.root = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.api2, self.portal = f"{self.root}/", f"{self.root}/api/"
        self.expect_violations = False
        options = {"log_level": "error", "timeout_graceful_shutdown": 1, **served}
        app = create_app(now=now, traffic=traffic, ftp=0, ftps=0, sftp=0)
        self._server = uvicorn.Server(uvicorn.Config(app, **options))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})
        self._thread.start()
        deadline = time.monotonic() + _DEADLINE_S
        while not self._server.started:
            assert time.monotonic() < deadline, "the simulator did not start"
            time.sleep(0.01)
        self.session = Session()
        self.ports: dict[str, int] = self.look("files/servers")

    def stop(self) -> None:
        self.session.close()
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    # Control

    def control(self, path: str, /, **body: Any) -> Any:
        """POST to a control path; its answer."""
        answer = self.session.post(f"{self.root}/_sim/{path}", json=body, timeout=_DEADLINE_S)
        assert answer.ok, answer.text
        return answer.json()

    def look(self, path: str, /, **query: Any) -> Any:
        """GET from a control path."""
        answer = self.session.get(f"{self.root}/_sim/{path}", params=query, timeout=_DEADLINE_S)
        assert answer.ok, answer.text
        return answer.json()

    def reset(self, **body: Any) -> None:
        """As at first, standing still at START, but without the rate limit: tests call as fast as they can."""
        self.control("reset", **{"seed": 1, "now": START.isoformat(), **body})
        self.switch(rate_limit="off")
        self.expect_violations = False

    def switch(self, **values: Any) -> Any:
        """Set switches; all of them as they are now."""
        return self.control("switches", **values)

    def advance(self, seconds: float) -> None:
        self.control("clock", advance_s=seconds)

    def now(self) -> datetime:
        """The time of the virtual clock, to be injected into a client."""
        return datetime.fromisoformat(self.control("clock")["now"])

    def add(self, **body: Any) -> str:
        """Add one consignment; its tracking ID."""
        [made] = self.add_many(**body)
        return made

    def add_many(self, **body: Any) -> list[str]:
        return list(self.control("consignments", **body)["tracking_ids"])

    def status(self, tracking_id: str, code: int, **body: Any) -> None:
        """Let a consignment reach a status, with a note that says so unless ``note`` is False."""
        self.control(f"consignments/{tracking_id}/status", code=code, **body)

    def note(self, tracking_id: str, **body: Any) -> dict[str, int]:
        """Add a note (fields of section 2.6, ``at``, ``sys_note``): its ``sys_note`` and ``delta``."""
        return dict(self.control(f"consignments/{tracking_id}/notes", **body))

    def photo(
        self, tracking_id: str, *, content: bytes | None = None, labels: Sequence[str] | None = None, **body: Any
    ) -> list[str]:
        """Add POD images (``at`` or ``after_s``): the SHA-256 of each."""
        if content is not None:
            body["content"] = base64.b64encode(content).decode()
        if labels is not None:
            body["labels"] = list(labels)
        return [one["sha256"] for one in self.control(f"consignments/{tracking_id}/photos", **body)["photos"]]

    def change(self, tracking_id: str, **body: Any) -> dict[str, Any]:
        return dict(self.control(f"consignments/{tracking_id}/change", **body))

    def journal(self, method: str = "") -> list[dict[str, Any]]:
        """The calls so far, narrowed to a method."""
        return list(self.look("journal", **({"method": method} if method else {}))["calls"])

    def largest_in_60_s(self) -> int:
        """The most calls in any 60 s of the virtual clock."""
        return int(self.look("journal")["largest_in_60_s"])

    def violations(self) -> list[dict[str, Any]]:
        return list(self.look("violations")["violations"])

    def held(self, **query: Any) -> list[dict[str, Any]]:
        """What the network holds, narrowed by tracking_id, number, reference or account."""
        return list(self.look("consignments", **query)["consignments"])

    def one(self, tracking_id: str) -> dict[str, Any]:
        """One consignment as the network holds it."""
        [found] = self.held(tracking_id=tracking_id)
        return found

    def files(self) -> list[dict[str, Any]]:
        """The uploaded files that lie there."""
        return list(self.look("files")["files"])

    def content(self, user: str, name: str) -> bytes:
        """The bytes of an uploaded file."""
        return base64.b64decode(self.look("files/content", user=user, name=name)["content"])

    # The wire, for tests of the simulator itself

    def call(
        self,
        method: str,
        *arguments: str,
        portal: bool = False,
        key: str | None = None,
        timeout: float = _DEADLINE_S,
        **params: str,
    ) -> Response:
        """A GET of a method with the key of depot 123; ``key`` "" sends none."""
        path = "/".join(quote(part, safe="") for part in (method, *arguments))
        key = DEPOT_KEYS["123"] if key is None else key
        given = {"apikey": key, **params} if key else params
        return self.session.get(f"{self.portal if portal else self.api2}{path}", params=given, timeout=timeout)

    def post(self, method: str, *, key: str | None = None, timeout: float = _DEADLINE_S, **params: str) -> Response:
        """A POST to API2 with all parameters in the body."""
        given = {"apikey": DEPOT_KEYS["123"] if key is None else key, **params}
        return self.session.post(f"{self.api2}{method}", data=given, timeout=timeout)

    def json(self, method: str, *arguments: str, **more: Any) -> Any:
        """The JSON answer to a call."""
        answer = self.call(method, *arguments, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def data(self, method: str, *arguments: str, **more: Any) -> list[dict[str, Any]]:
        """``Detail/Data`` of a JSON answer."""
        return list(self.json(method, *arguments, **more)["Detail"]["Data"])
