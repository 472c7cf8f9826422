"""The demo's Palletways round: an order out, photos of a delivery in, photos of our own delivery out.

Photos are looked for over 15 minutes after a delivery. So that nobody waits for them, the simulator's clock is moved,
and the demo's connection has a shorter schedule: as many looks, within two minutes.
"""

import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

import requests
from PIL import Image, ImageDraw

from palletflow.sandbox import networks
from palletflow.sandbox.demo_runs import Line, run, until
from palletflow.sandbox.house import House
from palletflow.sandbox.settings import HouseSettings
from palletflow.sandbox.terminal import Terminal

NETWORK, DEPOT = "palletways", "123"
CONNECTION = "palletways_123"
POLL, FETCH, DISPATCH = "palletways_poll", "palletways_fetch", "palletways_dispatch"
DOWNLOAD, UPLOAD = "palletways_photo_download", "palletways_photo_upload"
LOOKS_MINUTES = [0, 0.2, 0.4, 0.6, 0.9, 1.2, 1.6]
COMPLETED = 900
# When each photo appears in the network, in seconds of its clock after the delivery.
PHOTOS_AFTER_S = (0, 180, 720)
PALLETS = ["FULL", "HALF"]
RECEIVER = {
    "name": "Ancoats Receivers Ltd", "street": "2 High Street", "town": "Manchester", "postcode": "M11 1AA",
    "phone": "0161 496 0001", "contact": "Goods In",
}  # fmt: skip


def sooner(settings: HouseSettings) -> Mapping[str, str]:
    """The environment in which the demo's house looks for photos by its own schedule."""
    base_url, ports = settings.simulator(NETWORK), settings.server_ports[NETWORK]
    connection = json.loads(networks.connections(NETWORK, base_url, ports)[CONNECTION])
    connection["extra"]["photo_schedule_minutes"] = LOOKS_MINUTES
    return {f"AIRFLOW_CONN_{CONNECTION.upper()}": json.dumps(connection)}


def palletways_round(house: House, terminal: Terminal) -> Iterator[Line]:
    """Raises DemoFault."""
    walk = _Walk(house)
    with terminal.step(f"{DISPATCH}: an order is submitted, its labels attached"):
        yield from walk.dispatch()
    with terminal.step(f"{DOWNLOAD}: photos at once, at minute 3 and at minute 12"):
        yield from walk.photos_in()
    with terminal.step(f"{UPLOAD}: two photos of our own delivery"):
        yield from walk.photos_out()


class _Walk:
    def __init__(self, house: House) -> None:
        self._house, self._url = house, f"{house.simulators[NETWORK]}/_sim"

    def dispatch(self) -> Iterator[Line]:
        key = "PALLETWAYS-OUT"
        consignment = {
            "network": NETWORK, "requesting_depot": DEPOT, "service": "PRE", "weight_kg": 640, "pallet_types": PALLETS,
            "delivery": RECEIVER,
        }  # fmt: skip
        order = {"key": key, "customer": "ACME", "reference": key, "consignments": [consignment]}
        self._house.api.orders("POST", "orders", order)
        trip = {"trip": key, "resource": "PALLETWAYS_OUT", "auto_complete": False}
        self._house.api.orders("PUT", f"orders/{key}/trip", trip)
        self._house.api.orders("POST", f"orders/{key}/dispatch/complete")
        until(self._house, f"{key}: labels", lambda: bool(self._documents(key, "NETWORK_LABEL")))
        tracking_id = self._consignment(key)["tracking_number"]
        yield Line(DISPATCH, "consignments in the network", 1, len(self._held(tracking_id)))
        yield Line(DISPATCH, "labels attached, one document", 1, len(self._documents(key, "NETWORK_LABEL")))

    def photos_in(self) -> Iterator[Line]:
        order, tracking_id = self._imported("requesting")
        taken: list[str] = []
        for after_s in PHOTOS_AFTER_S:
            shown = self._control(f"consignments/{tracking_id}/photos", {"after_s": after_s})
            taken += [photo["sha256"] for photo in shown["photos"]]
        self._control(f"consignments/{tracking_id}/status", {"code": COMPLETED})
        run(self._house, POLL, {})
        moved_s = 0
        for count, after_s in enumerate(PHOTOS_AFTER_S, 1):
            self._control("clock", {"advance_s": after_s - moved_s})
            moved_s = after_s
            self._until_photos(order, count)
        found = [photo["sha256"] for photo in self._documents(order, "PHOTO")]
        delivered = self._consignment(order)["lifecycle_status"] == "DELIVERED"
        yield Line(POLL, "consignments DELIVERED", 1, int(delivered))
        yield Line(DOWNLOAD, "photos here, byte for byte", len(taken), len(set(taken) & set(found)))
        yield Line(DOWNLOAD, "... stored more than once", 0, len(found) - len(set(found)))

    def _until_photos(self, order: str, count: int) -> None:
        until(self._house, f"photo {count} of {order}", lambda: len(self._documents(order, "PHOTO")) >= count)

    def photos_out(self) -> Iterator[Line]:
        order, tracking_id = self._imported("delivering")
        for number in (1, 2):
            named = {"kind": "PHOTO", "name": f"delivery {number}.jpg"}
            self._house.api.orders("POST", f"orders/{order}/documents", _picture(f"delivery {number}"), **named)
        names = [f"{tracking_id}_{number}.jpg" for number in (1, 2)]
        until(self._house, f"{tracking_id}: uploads", lambda: self._uploaded(tracking_id) == names)
        self._control("clock", {"advance_s": 120})  # the portal shows what was uploaded a minute later
        [held] = self._held(tracking_id)
        visible = [photo for photo in held["photos"] if photo["source"] == "upload"]
        yield Line(UPLOAD, "photos on the file server", 2, len(self._uploaded(tracking_id)))
        yield Line(UPLOAD, "... visible in the portal", 2, len(visible))

    def _imported(self, role: str) -> tuple[str, str]:
        """A consignment that Palletways knows, and our order of it."""
        body = {"depot": DEPOT, "role": role, **({"account": "ACM001"} if role == "requesting" else {})}
        [tracking_id] = self._control("consignments", body)["tracking_ids"]
        run(self._house, FETCH, {"tracking_id": tracking_id, "depot": DEPOT})
        found = self._house.api.orders("GET", "orders", tracking_number=tracking_id).json()["orders"]
        return f"~{found[0]['id']}", tracking_id

    def _uploaded(self, tracking_id: str) -> list[str]:
        answer = requests.get(f"{self._url}/files", timeout=30)
        answer.raise_for_status()
        return sorted(file["name"] for file in answer.json()["files"] if file["tracking_id"] == tracking_id)

    def _consignment(self, order: str) -> dict[str, Any]:
        consignment: dict[str, Any] = self._house.api.orders("GET", f"orders/{order}").json()["consignments"][0]
        return consignment

    def _documents(self, order: str, kind: str) -> list[Any]:
        documents = self._house.api.orders("GET", f"orders/{order}/documents").json()["documents"]
        return [document for document in documents if document["kind"] == kind]

    def _held(self, tracking_id: str) -> list[Any]:
        answer = requests.get(f"{self._url}/consignments", params={"tracking_id": tracking_id}, timeout=30)
        answer.raise_for_status()
        return list(answer.json()["consignments"])

    def _control(self, path: str, body: dict[str, Any]) -> Any:
        answer = requests.post(f"{self._url}/{path}", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()


def _picture(text: str) -> bytes:
    """A JPEG with something to see in it."""
    picture = Image.linear_gradient("L").resize((1200, 900)).convert("RGB")
    ImageDraw.Draw(picture).text((100, 100), text, fill=(200, 40, 40), font_size=90)
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=85)
    return data.getvalue()
