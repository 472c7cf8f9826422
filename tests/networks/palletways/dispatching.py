"""What tests of dispatch to Palletways share: what an order holds, and a way to the simulated network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.networks import dispatching

from palletflow.deployment import Deployment
from palletflow.documents.storage import Storage
from palletflow.networks.palletways import entry, settings
from palletflow.networks.palletways.cancel import Canceller
from palletflow.networks.palletways.client import PalletwaysClient
from palletflow.networks.palletways.dispatch import Dispatcher
from palletflow.networks.palletways.labels import LabelFetcher
from palletflow.networks.palletways.look_up import LookUp
from palletflow.networks.palletways.mapper import preview
from palletflow.networks.palletways.tracking_ids import TrackingIds
from palletflow.networks.palletways.work import CANCEL, DISPATCH, LABEL, LOOK_UP, NETWORK, TRACKING_ID, Access, Reach
from palletflow.store.connection import Connection
from palletflow.work.handling import Handler

if TYPE_CHECKING:  # the processes that tests kill shall start quickly
    from tests.networks.palletways.simulated import SimulatedPalletways

OWN = {
    "name": "Acme Widgets Ltd", "street": "1 Mill Road", "locality": "", "town": "Leicester", "county": "",
    "postcode": "LE1 1AA", "country": "GB", "phone": "0116 496 0101", "contact": "Despatch",
}  # fmt: skip
CONSIGNEE = {
    "name": "Aireside Joinery", "street": "17 Wharf Lane", "locality": "Cross Green", "town": "Leeds", "county": "",
    "postcode": "LS9 8AA", "country": "GB", "phone": "0113 496 0101", "contact": "Goods In",
}  # fmt: skip
CONTENT: dict[str, Any] = {
    "tracking_number": "", "requesting_depot": "", "collecting_depot": "", "delivery_depot": "", "account": "",
    "service": "PRE", "surcharges": [], "collection_date": None, "delivery_date": None, "weight_kg": 640,
    "pallet_spaces": None, "insurance_code": "", "hub_code": "", "carton_count": None, "amazon_reference": "",
    "notes": [], "goods_description": "Parts", "notification_email": "", "notification_sms": "",
    "notification_twitter": "", "northern_ireland": {}, "additional_fields": {}, "pallet_details": [],
    "pallet_types": ["FULL", "HALF"], "pickup": OWN, "delivery": CONSIGNEE,
}  # fmt: skip
SUBMIT = "createConsignment"


def handlers(plan: Deployment, reach: Reach, storage: Storage, clock: Callable[[], datetime]) -> Mapping[str, Handler]:
    """Those of dispatch, as the operator has them."""
    return {
        DISPATCH: Dispatcher(plan, reach, clock),
        TRACKING_ID: TrackingIds(plan, reach, clock),
        LABEL: LabelFetcher(plan, reach, storage, clock),
        LOOK_UP: LookUp(plan, reach, clock),
        CANCEL: Canceller(plan, reach, clock),
    }


def access(
    plan: Deployment, root: str, depot: str, key: str, extra: Mapping[str, Any], sleep: Callable[[float], None]
) -> Access:
    """A depot's way to a simulated Palletways, as the queue's handlers have it."""
    told = {
        "allow_http": True, "api2_base": f"{root}/", "portal_base": f"{root}/api/", "capabilities": ["dispatch"],
        "first_byte_timeout_s": 20, "pdf_first_byte_timeout_s": 20, **extra,
    }  # fmt: skip
    parsed = settings.parse(plan.network(NETWORK).depots[depot], depot, key, told)
    return Access(PalletwaysClient(parsed, patient=False, sleep=sleep), preview(plan))


class House(dispatching.House):
    """A haulier beside a simulated Palletways, whose clock stands where ours does."""

    network, entry, resource, content = NETWORK, entry, "PALLETWAYS_OUT", CONTENT
    handlers = handlers

    def __init__(self, conn: Connection, dsn: str, plan: Deployment, sim: SimulatedPalletways, folder: Path) -> None:
        self.sim, self.root = sim, sim.root
        sim.control("clock", now=datetime.now(UTC).isoformat())
        super().__init__(conn, dsn, plan, folder)

    def impatient(self) -> None:
        """From now on an answer that does not begin soon is none: for calls that are to hang."""
        self.settle(first_byte_timeout_s=1, pdf_first_byte_timeout_s=1)

    def access(self, depot: str) -> Access:
        return access(self.plan, self.root, depot, self.keys()[depot], self.extra, self.pauses.append)

    def keys(self) -> dict[str, str]:
        """The API key of each depot's connection."""
        if self.extra.get("key_kind") == settings.CUSTOMER_KEY:
            return dict.fromkeys(self.sim.keys, self.sim.customer_key)
        return self.sim.keys

    def advance(self, seconds: float) -> None:
        super().advance(seconds)
        self.sim.advance(seconds)

    def in_network(self, order_id: int) -> list[dict[str, Any]]:
        """What Palletways holds under the order's reference."""
        return self.sim.held(reference=self.task(order_id).transaction_number)

    def submissions(self) -> list[dict[str, Any]]:
        """The calls that were to store something, oldest first."""
        return [one for one in self.sim.journal(SUBMIT) if one["params"].get("commit") == "yes"]

    def methods(self) -> list[str]:
        """Method of every call, oldest first."""
        return [one["method"] for one in self.sim.journal()]


@pytest.fixture
def haulier(
    conn: Connection, dsn: str, plan: Deployment, palletways_sim: SimulatedPalletways, tmp_path: Path
) -> Iterator[House]:
    """An order store and its work queue beside a simulated Palletways."""
    made = House(conn, dsn, plan, palletways_sim, tmp_path / "documents")
    yield made
    made.close()
