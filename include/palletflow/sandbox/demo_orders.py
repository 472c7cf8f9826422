"""The demo's order round: orders in through the API and CSV files, dispatch, labels, statuses in and out."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from pypdf import PdfReader

from palletflow.sandbox.demo_imports import DEPOT, NETWORK, brought
from palletflow.sandbox.demo_runs import Line, run, until
from palletflow.sandbox.house import House
from palletflow.sandbox.terminal import Terminal
from palletflow.store.connection import Connection

DISPATCH, STATUSES, STATUS_EXPORT = "palletforce_dispatch", "palletforce_statuses", "palletforce_status_export"
FILES = "palletforce_files"
API = "order API"
# Manchester is none of our depots: what we collect for it, another member delivers.
ELSEWHERE = {
    "name": "Ancoats Receivers Ltd", "street": "2 High Street", "town": "Manchester", "postcode": "M11 1AA",
    "phone": "0161 496 0001",
}  # fmt: skip
PALLETS = ["F", "H"]
IMPORTED_NUMBER = "9005550000017"
DELIVERED = ("SCOT", "ARRH", "ARRD", "DELV", "ARDL", "POD")


def order_round(house: House, conn: Connection, terminal: Terminal) -> Iterator[Line]:
    """Orders from entry to delivery, compared with what the network says it holds. Raises DemoFault."""
    with terminal.step(f"{DISPATCH}: an order through the API, whose dispatch task completes itself"):
        _enter(house, "DEMO-1")
        house.api.orders("PUT", "orders/DEMO-1/trip", {"trip": "DEMO-1", "resource": "PALLETFORCE_AUTO"})
        until(house, "DEMO-1: dispatch and labels", lambda: _count(house, "DEMO-1", "NETWORK_LABEL") == len(PALLETS))
    consignment = _consignment(house, "DEMO-1")
    number = consignment["tracking_number"]
    yield Line(DISPATCH, "consignments in the network", 1, _in_network(house, customersUniqueReference="DEMO-1"))
    yield Line(DISPATCH, "... under the number we hold", 1, _in_network(house, trackingNumber=number))
    yield Line(DISPATCH, "labels of the network attached", len(PALLETS), _count(house, "DEMO-1", "NETWORK_LABEL"))

    with terminal.step(f"{API}: an imported tracking ID is printed before dispatch"):
        _enter(house, "DEMO-2", tracking_number=IMPORTED_NUMBER)
        printed = house.api.orders("GET", "orders/DEMO-2/labels").content
    yield Line(API, "labels printed before dispatch", len(PALLETS), len(PdfReader(io.BytesIO(printed)).pages))
    yield Line(API, "... of a number not registered", 0, _in_network(house, trackingNumber=IMPORTED_NUMBER))

    with terminal.step(f"{FILES}: a file of orders and a delivery manifest"):
        folder = Path(house.environment["PALLETFLOW_FILES"]) / NETWORK
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in (("orders.csv", _order_rows()), ("manifest.csv", _manifest_rows())):
            _write(folder / name, rows)
        orders, manifest = (
            brought(house, conn, FILES, {"path": name}, may_skip=("import_from_sftp",))
            for name in ("orders.csv", "manifest.csv")
        )
    yield Line(FILES, "orders made of the order file", 2, orders.created)
    yield Line(FILES, "bad rows of it in quarantine", 1, orders.rejected)
    yield Line(FILES, "orders made of the manifest", 1, manifest.created)

    with terminal.step(f"{STATUS_EXPORT}: our driver collects"):
        collected = {"order": "DEMO-1", "stop": "pickup", "event": "completed", "at": _now()}
        house.api.orders("POST", "movements", {"stops": [collected]})
        until(house, "DEMO-1: statuses told", lambda: len(_told(house, "DEMO-1")) == len(PALLETS))
    yield Line(STATUS_EXPORT, "pallets told as collected", len(PALLETS), len(_told(house, "DEMO-1")))

    with terminal.step(f"{STATUSES}: the delivering member reports until the POD"):
        for code in DELIVERED:
            body = {"trackingNumber": number, "eventCode": code, "signatory": "J SMITH"}
            requests.post(f"{house.simulators[NETWORK]}/_sim/events", json=body, timeout=30).raise_for_status()
        # Depots that have no part in it skip.
        run(house, STATUSES, {"tracking_number": number}, may_skip=("read_statuses",))
    consignment = _consignment(house, "DEMO-1")
    done = [stop["stop"] for stop in consignment["stops"] if stop["completed_at"]]
    yield Line(STATUSES, "stops completed", 3, len(done))
    yield Line(STATUSES, "consignments DELIVERED", 1, int(consignment["lifecycle_status"] == "DELIVERED"))


def _enter(house: House, key: str, **more: Any) -> None:
    consignment = {
        "network": NETWORK, "service": "A", "collection_date": _day(0), "weight_kg": 850, "pallet_types": PALLETS,
        "delivery": ELSEWHERE, "requesting_depot": DEPOT, **more,
    }  # fmt: skip
    order = {"key": key, "customer": "ACME", "reference": key, "consignments": [consignment]}
    house.api.orders("POST", "orders", order)


def _consignment(house: House, key: str) -> dict[str, Any]:
    consignment: dict[str, Any] = house.api.orders("GET", f"orders/{key}").json()["consignments"][0]
    return consignment


def _told(house: House, key: str) -> list[dict[str, Any]]:
    tracking = _consignment(house, key)["tracking"]
    return [event for event in tracking if event["direction"] == "exported" and event["sent_at"]]


def _count(house: House, key: str, kind: str) -> int:
    documents = house.api.orders("GET", f"orders/{key}/documents").json()["documents"]
    return sum(document["kind"] == kind for document in documents)


def _in_network(house: House, **wanted: str) -> int:
    """How many such consignments the simulated network says it holds."""
    answer = requests.get(f"{house.simulators[NETWORK]}/_sim/consignments", params=wanted, timeout=30)
    answer.raise_for_status()
    return int(answer.json()["total"])


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _day(days: int) -> str:
    return (date.today() + timedelta(days=days)).isoformat()  # noqa: DTZ011 - a haulier's day


def _order_rows() -> list[dict[str, str]]:
    """Two orders, and one of a customer nobody knows."""
    row = {
        "customerCode": "ACME", "collectionDate": _day(0), "deliveryName": ELSEWHERE["name"],
        "deliveryStreetAddress": ELSEWHERE["street"], "deliveryTown": ELSEWHERE["town"],
        "deliveryPostcode": ELSEWHERE["postcode"], "deliveryPhoneNumber": ELSEWHERE["phone"], "palletType": "F",
        "numberOfPallets": "1", "weight": "420",
    }  # fmt: skip
    return [
        {"orderReference": "FILE-1", **row},
        {"orderReference": "FILE-2", **row, "palletType": "H"},
        {"orderReference": "FILE-3", **row, "customerCode": "NOBODY"},
    ]


def _manifest_rows() -> list[dict[str, str]]:
    return [
        {
            "trackingNumber": "9045550000012", "requestingDepot": "904", "collectingDepot": "904",
            "deliveryDepot": DEPOT, "deliveryDate": _day(1), "serviceName": "A", "full": "2", "weight": "900",
            "deliveryName": "Soar Valley Receivers", "deliveryStreetAddress": "3 Mill Lane",
            "deliveryTown": "Leicester", "deliveryPostcode": "LE1 2AA",
        }
    ]  # fmt: skip


def _write(file: Path, rows: list[dict[str, str]]) -> None:
    """Under a name of its own first, as everybody should who puts files into a watched folder."""
    unfinished = file.with_suffix(".part")
    with unfinished.open("w", encoding="utf-8", newline="") as output:
        writer = csv.DictWriter(output, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    unfinished.rename(file)
