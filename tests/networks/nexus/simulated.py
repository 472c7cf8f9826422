"""A simulated Nexus on real sockets, for every test of this network: fixture ``nexus_sim`` in conftest.py."""

import base64
import socket
import threading
import time
from datetime import datetime, timedelta
from typing import Any

import uvicorn
from requests import Response, Session
from tests.conftest import NOW

from palletflow.networks.nexus.simulator import PASSWORD, USERS
from palletflow.networks.nexus.simulator.app import create_app

_DEADLINE_S = 30
START = NOW - timedelta(minutes=1)


class SimulatedNexus:
    """One network on two listeners: ``root`` (with ``base_url`` for connections) and ``foreign``, the other file host.

    At the end of a test its violations must be empty, unless the test sets ``expect_violations``.
    """

    def __init__(self, *, now: datetime | None = START, traffic: bool = False) -> None:
        self._sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        self.root, self.foreign = (f"http://127.0.0.1:{one.getsockname()[1]}" for one in self._sockets)
        self.base_url = f"{self.root}/v1/"
        self.expect_violations = False
        config = uvicorn.Config(create_app(now=now, traffic=traffic), log_level="error", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": self._sockets})
        self._thread.start()
        deadline = time.monotonic() + _DEADLINE_S
        while not self._server.started:
            assert time.monotonic() < deadline, "the simulator did not start"
            time.sleep(0.01)
        self.session = Session()
        self.control("options", foreign_url=self.foreign)

    def stop(self) -> None:
        self.session.close()
        self._server.should_exit = True
        self._thread.join()
        for one in self._sockets:
            one.close()

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
        """As at first, but without the check of the pace: tests call as fast as they can."""
        self.control("reset", **{"seed": 1, "now": START.isoformat(), **body})
        self.control("options", rate_check=False)
        self.expect_violations = False

    def fault(
        self, effect: str, path: str = "*", method: str = "*", times: int | None = 1, after: int = 0, **options: Any
    ) -> None:
        """Order a fault; ``times`` None = for ever."""
        self.control("faults", effect=effect, path=path, method=method, times=times, after=after, options=options)

    def add(self, **body: Any) -> int:
        """Add one consignment; its consignmentID."""
        [made] = self.add_many(**body)
        return made

    def add_many(self, **body: Any) -> list[int]:
        return list(self.control("consignments", **body)["consignmentIDs"])

    def scan(self, consignment_id: int, status: str, **body: Any) -> list[dict[str, Any]]:
        """A status of a consignment: one event per pallet, unless ``barcode`` or ``pallet`` say otherwise."""
        return list(self.control(f"consignments/{consignment_id}/scan", status=status, **body)["events"])

    def attach(self, consignment_id: int, content: bytes | None = None, **body: Any) -> list[dict[str, Any]]:
        """Files of a consignment: ``[{"id", "sha256"}]``."""
        given = {} if content is None else {"content": base64.b64encode(content).decode()}
        return list(self.control(f"consignments/{consignment_id}/attachments", **given, **body)["attachments"])

    def requests(self, operation: str = "", method: str = "") -> list[dict[str, Any]]:
        """The journal; narrowed to paths that begin with ``operation``."""
        listed = self.look("requests")["requests"]
        return [
            one
            for one in listed
            if one["path"].startswith(f"/{operation}".lower()) and one["method"].startswith(method)
        ]

    def violations(self) -> list[dict[str, Any]]:
        return list(self.look("violations")["violations"])

    def held(self, **query: Any) -> list[dict[str, Any]]:
        """What the network holds, narrowed by consignmentID, consignmentNumber or customerReference."""
        return list(self.look("consignments", **query)["consignments"])

    def one(self, consignment_id: int) -> dict[str, Any]:
        """One consignment as the network holds it."""
        [found] = self.held(consignmentID=consignment_id)
        return found

    # The wire, for tests of the simulator itself

    def login(self, user: str = "sim_pgd302") -> dict[str, str]:
        """The headers of a logged-in user."""
        answer = self.session.post(
            f"{self.base_url}Account/login/", json={"username": user, "password": PASSWORD}, timeout=_DEADLINE_S
        )
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['bearerToken']}"}

    def call(
        self, method: str, path: str, *, depot: str = "PGD302", timeout: float = _DEADLINE_S, **more: Any
    ) -> Response:
        """A call as the user of ``depot``, logging in anew; ``path`` below /v1/. Redirects are not followed."""
        user = next(user for user, code in USERS.items() if code == depot)
        headers = {**self.login(user), **more.pop("headers", {})}
        return self.session.request(
            method, f"{self.base_url}{path}", headers=headers, timeout=timeout, allow_redirects=False, **more
        )

    def get(self, path: str, *, depot: str = "PGD302", **query: Any) -> Any:
        """The JSON of a GET that must succeed."""
        answer = self.call("GET", path, depot=depot, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()


def create_body(sim: SimulatedNexus, number: str = "QG0000123", **changes: Any) -> dict[str, Any]:
    """The body of a create that Nexus takes; ``changes``: path with ``__`` for dots, and value; None leaves it out."""

    def id_of(lookup: str, name: str) -> int:
        [found] = [row["id"] for row in sim.get(lookup, searchTerm=name, limit=100) if row["name"] == name]
        return int(found)

    pallet = {
        "palletTypeID": id_of("palletTypes", "Full"),
        "palletBaseID": id_of("palletBases", "Standard"),
        "length": 120,
        "width": 120,
        "height": 220,
        "weight": 400,
        "limitedQuantityWeight": 0,
        "doNotStack": False,
    }
    body: dict[str, Any] = {
        "general": {
            "consignmentTypeID": id_of("consignmentTypes", "Domestic"),
            "customerID": "20001",
            "customerReference": "PO-1",
            "consignmentNumber": number,
            "descriptionOfGoods": "Parts",
            "limitedQuantities": False,
            "notes": "",
        },
        "collectionInfo": {"serviceID": id_of("services", "Standard Collection"), "dueDate": "2026-07-13"},
        "deliveryInfo": {"serviceID": id_of("services", "Premium"), "contact": "Goods in"},
        "deliveryAddress": {
            "countryID": id_of("countries", "United Kingdom"),
            "name": "Receiver Ltd",
            "line1": "1 Road",
            "town": "Leeds",
            "postcode": "LS9 8AA",
            "telephone": "01632 960001",
        },
        "pallets": [pallet, {**pallet, "doNotStack": True}],
    }
    for path, value in changes.items():
        place, *_, name = [body, *path.split("__")]
        for part in path.split("__")[:-1]:
            place = place[int(part)] if isinstance(place, list) else place.setdefault(part, {})
        place.pop(name, None) if value is None else place.update({name: value})
    return body
