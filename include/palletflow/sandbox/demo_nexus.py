"""The demo's Nexus round: the seven steps of the workflow with Pall-Ex and Fortec, one consignment on each network.

What goes out is an order of ours that another depot delivers; what comes in is another depot's that we deliver. Every
step is compared with what the simulated network says, and its time is taken from the moment it was asked for.
"""

import io
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import requests
from pypdf import PdfReader

from palletflow.sandbox.demo_runs import Line, run, until
from palletflow.sandbox.house import House
from palletflow.sandbox.terminal import Terminal

NETWORK = "nexus"
POLL, DISPATCH, DOCUMENTS, ETAS = "nexus_poll", "nexus_dispatch", "nexus_documents", "nexus_etas"
LONDON = ZoneInfo("Europe/London")
PALLETS = ["FULL", "HALF"]
SCANS = ("Collected", "At Hub", "At Delivery Depot", "Out for Delivery", "Delivered")
RECEIVER = {
    "name": "Ancoats Receivers Ltd", "street": "2 High Street", "town": "Manchester", "postcode": "M11 1AA",
    "phone": "0161 496 0001", "contact": "Goods In",
}  # fmt: skip


class Side(NamedTuple):
    """One of the two networks: resource, origin, our depot, and the depot at the other end of its consignments."""

    name: str
    resource: str
    origin: str
    depot: str
    elsewhere: str


SIDES = (
    Side("Pall-Ex", "PALLEX_OUT", "PALLEX", "PGD302", "UKD115"),
    Side("Fortec", "FORTEC_OUT", "FORTEC", "PGD302", "FTD205"),
)


class Step(NamedTuple):
    """One step of the workflow and the seconds it took on each side."""

    what: str
    seconds: list[float]


def nexus_round(house: House, terminal: Terminal) -> Iterator[Line]:
    """The seven steps on both networks; prints the table of their times. Raises DemoFault."""
    steps = [
        Step("1 a new order is imported from Nexus", []),
        Step("2 the dispatcher puts an order on a trip with a resource", []),
        Step("3 the dispatch task is completed and sent to Nexus", []),
        Step("4 the label is downloaded and attached", []),
        Step("5 scans of the network reach the order", []),
        Step("6 signature and POD come back from the delivering depot", []),
        Step("7 the optimised delivery trip pushes its ETA to Nexus", []),
    ]
    for side in SIDES:
        with terminal.step(f"{side.name}: seven steps from order to POD"):
            walk = _Walk(house, side)
            for step, walked in zip(steps, walk.steps(), strict=True):
                step.seconds.append(_timed(walked))
        yield from walk.lines()
    terminal.say(_table(steps))


class _Walk:
    """One consignment out and one in, through all seven steps."""

    def __init__(self, house: House, side: Side) -> None:
        self._house, self._side = house, side
        self._key = f"NEXUS-{side.origin}"
        self._inbound = self._outbound = 0
        self._number = ""
        self._label_pages = 0

    def steps(self) -> list[Callable[[], None]]:
        return [self._import, self._plan, self._dispatch, self._label, self._scans, self._documents, self._etas]

    def lines(self) -> Iterator[Line]:
        side, held = self._side.name, self._held(consignmentNumber=self._number)
        consignment = self._consignment(self._key)
        origin = self._consignment(self._inbound_order())["additional_fields"].get("nexus_origin")
        yield Line(POLL, f"{side}: origin of what came in", 1, int(origin == self._side.origin))
        yield Line(DISPATCH, f"{side}: consignments in the network", 1, len(held))
        yield Line(DISPATCH, f"{side}: label pages, one a pallet", len(PALLETS), self._label_pages)
        done = [stop["stop"] for stop in consignment["stops"] if stop["completed_at"]]
        yield Line(POLL, f"{side}: delivery stop completed", 1, int("delivery" in done))
        yield Line(POLL, f"{side}: consignments DELIVERED", 1, int(consignment["lifecycle_status"] == "DELIVERED"))
        yield Line(DOCUMENTS, f"{side}: signature and POD here", 2, len(self._kinds() & {"SIGNATURE", "POD"}))
        yield Line(ETAS, f"{side}: ETAs Nexus has taken", 1, len(self._taken_etas()))

    def _import(self) -> None:
        body = {
            "depot": self._side.depot, "role": "delivery", "network": self._side.origin,
            "originatingDepotCode": self._side.elsewhere, "collectingDepotCode": self._side.elsewhere, "pallets": 1,
        }  # fmt: skip
        [self._inbound] = self._control("consignments", body)["consignmentIDs"]
        run(self._house, POLL, {})
        self._inbound_order()

    def _plan(self) -> None:
        order = {"key": self._key, "customer": "ACME", "reference": self._key, "consignments": [self._content()]}
        self._house.api.orders("POST", "orders", order)
        trip = {"trip": self._key, "resource": self._side.resource, "auto_complete": False}
        self._house.api.orders("PUT", f"orders/{self._key}/trip", trip)

    def _dispatch(self) -> None:
        self._house.api.orders("POST", f"orders/{self._key}/dispatch/complete")
        until(self._house, f"{self._key}: dispatch", lambda: self._consignment(self._key)["registered"])
        found = self._consignment(self._key)
        self._number, self._outbound = found["consignment_number"], int(found["tracking_number"])

    def _label(self) -> None:
        until(self._house, f"{self._key}: label", lambda: "NETWORK_LABEL" in self._kinds())
        printed = self._house.api.orders("GET", f"orders/{self._key}/labels").content
        self._label_pages = len(PdfReader(io.BytesIO(printed)).pages)

    def _scans(self) -> None:
        for status in SCANS:
            self._control(f"consignments/{self._outbound}/scan", {"status": status, "signatory": "J SMITH"})
        run(self._house, POLL, {})
        until(
            self._house,
            f"{self._key}: DELIVERED",
            lambda: self._consignment(self._key)["lifecycle_status"] == "DELIVERED",
        )

    def _documents(self) -> None:
        for code in ("MPOD", "POD"):
            self._control(f"consignments/{self._outbound}/attachments", {"type": code})
        # The chase looks again after 5 minutes by itself; a person who asks is served at once.
        run(self._house, "nexus_fetch", {"consignment": self._number, "depot": self._side.depot})
        until(self._house, f"{self._key}: signature and POD", lambda: {"SIGNATURE", "POD"} <= self._kinds())

    def _etas(self) -> None:
        order, start = self._inbound_order(), datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
        pointed = {"order": order, "stop": "delivery"}
        eta = {**pointed, "eta_from": start.isoformat(), "eta_to": (start + timedelta(hours=1)).isoformat()}
        route = {**pointed, "route": f"TRIP-{self._side.origin}", "sequence": 1}
        self._house.api.orders("POST", "movements", {"routes": [route], "etas": [eta]})
        until(self._house, f"{self._side.name}: the ETA at Nexus", lambda: bool(self._taken_etas()))

    def _content(self) -> dict[str, Any]:
        day = datetime.now(LONDON).date() + timedelta(days=7)
        while day.weekday() > 3:  # Monday to Thursday, so that the day after is a working day
            day += timedelta(days=1)
        return {
            "network": NETWORK, "requesting_depot": self._side.depot, "delivery_depot": self._side.elsewhere,
            "service": "A", "collection_date": day.isoformat(), "weight_kg": 850, "pallet_types": PALLETS,
            "goods_description": "Parts", "notification_email": "goods.in@example.com",
            "additional_fields": {"nexus_origin": self._side.origin}, "delivery": RECEIVER,
        }  # fmt: skip

    def _inbound_order(self) -> str:
        found = self._house.api.orders("GET", "orders", tracking_number=str(self._inbound)).json()["orders"]
        return f"~{found[0]['id']}"

    def _consignment(self, order: str) -> dict[str, Any]:
        consignment: dict[str, Any] = self._house.api.orders("GET", f"orders/{order}").json()["consignments"][0]
        return consignment

    def _kinds(self) -> set[str]:
        documents = self._house.api.orders("GET", f"orders/{self._key}/documents").json()["documents"]
        return {document["kind"] for document in documents}

    def _taken_etas(self) -> list[Any]:
        calls = requests.get(f"{self._url}/_sim/etas", timeout=30).json()["calls"]
        return [eta for call in calls for eta in call["etas"] if eta["consignmentID"] == self._inbound]

    def _held(self, **wanted: str) -> list[Any]:
        answer = requests.get(f"{self._url}/_sim/consignments", params=wanted, timeout=30)
        answer.raise_for_status()
        return list(answer.json()["consignments"])

    @property
    def _url(self) -> str:
        return f"{self._house.simulators[NETWORK]}"

    def _control(self, path: str, body: dict[str, Any]) -> Any:
        answer = requests.post(f"{self._url}/_sim/{path}", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()


def _timed(walk: Callable[[], None]) -> float:
    start = time.monotonic()
    walk()
    return time.monotonic() - start


def _table(steps: list[Step]) -> str:
    head = f"\n  {'step':<58}" + "".join(f"{side.name:>10}" for side in SIDES)
    rows = [f"  {step.what:<58}" + "".join(f"{seconds:>8.1f} s" for seconds in step.seconds) for step in steps]
    return "\n".join([head, f"  {'-' * (58 + 10 * len(SIDES))}", *rows])
