"""What tests of dispatch to Nexus share: what an order holds, and a way to the simulated network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.networks import dispatching
from tests.networks.dispatching import merged
from tests.networks.nexus.ways import access

from palletflow.deployment import Deployment
from palletflow.documents.storage import Storage
from palletflow.networks.nexus import entry
from palletflow.networks.nexus.cancel import Canceller
from palletflow.networks.nexus.dispatch import Dispatcher
from palletflow.networks.nexus.labels import LabelFetcher
from palletflow.networks.nexus.work import CANCEL, DISPATCH, LABEL, NETWORK, Access, Reach
from palletflow.store.connection import Connection
from palletflow.work.handling import Handler

if TYPE_CHECKING:  # the processes that tests kill shall start quickly
    from tests.networks.nexus.simulated import SimulatedNexus

# A Monday that is never behind the cut-off, and the days a service may deliver on.
COLLECTION = date.today() + timedelta(days=14 - date.today().weekday())  # noqa: DTZ011
TUESDAY, WEDNESDAY, THURSDAY = (COLLECTION + timedelta(days=days) for days in (1, 2, 3))
# The customer's own address in the deployment file; whoever collects there says no other one.
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
    "service": "A", "surcharges": [], "collection_date": COLLECTION.isoformat(), "delivery_date": None,
    "weight_kg": 850, "pallet_spaces": None, "insurance_code": "", "hub_code": "", "carton_count": None,
    "amazon_reference": "", "notes": [], "goods_description": "Parts", "notification_email": "",
    "notification_sms": "", "notification_twitter": "", "northern_ireland": {},
    "additional_fields": {"nexus_origin": "PALLEX"}, "pallet_details": [], "pallet_types": ["FULL", "FULL"],
    "pickup": OWN, "delivery": CONSIGNEE,
}  # fmt: skip


def content(**changes: Any) -> dict[str, Any]:
    """A consignment of ours; a change of a stop or of the additional fields names only the parts that differ."""
    return merged(CONTENT, changes)


def handlers(plan: Deployment, reach: Reach, storage: Storage, clock: Callable[[], datetime]) -> Mapping[str, Handler]:
    """Those of dispatch, as the operator has them."""
    return {
        DISPATCH: Dispatcher(plan, reach, clock),
        LABEL: LabelFetcher(plan, reach, storage, clock),
        CANCEL: Canceller(plan, reach, clock),
    }


class House(dispatching.House):
    """A haulier beside a simulated Nexus."""

    network, entry, resource, content = NETWORK, entry, "PALLEX_OUT", CONTENT
    handlers = handlers

    def __init__(self, conn: Connection, dsn: str, plan: Deployment, nexus: SimulatedNexus, folder: Path) -> None:
        self.nexus, self.base_url = nexus, nexus.base_url
        super().__init__(conn, dsn, plan, folder)
        self.extra = {"read_timeout_s": 0.8, "auth_cooldown_s": 0}

    def access(self, depot: str) -> Access:
        return access(self.plan, self.base_url, depot, sleep=self.pauses.append, **self.extra)

    def of_order(self, order_id: int) -> list[dict[str, Any]]:
        """What Nexus holds under any number that the order ever had."""
        numbers = {
            changes["transaction_number"][1]
            for (changes,) in self.rows(
                "SELECT changes FROM activity WHERE consignment_id = %s AND changes ? 'transaction_number'",
                self.consignment(order_id),
            )
        }
        return [held for held in self.nexus.held() if held["consignmentNumber"] in numbers]

    def creates(self) -> list[dict[str, Any]]:
        """All create calls, oldest first."""
        return [one for one in self.nexus.requests(method="POST") if one["path"] == "/consignments"]

    def searches(self) -> list[dict[str, Any]]:
        return [one for one in self.nexus.requests(method="GET") if "searchterm" in str(one["query"]).lower()]

    def calls(self) -> list[str]:
        """Method and path of every call, oldest first."""
        return [f"{one['method']} {one['path']}" for one in self.nexus.requests()]


@pytest.fixture
def haulier(conn: Connection, dsn: str, plan: Deployment, nexus_sim: SimulatedNexus, tmp_path: Path) -> Iterator[House]:
    """An order store and its work queue beside a simulated Nexus."""
    made = House(conn, dsn, plan, nexus_sim, tmp_path / "documents")
    yield made
    made.close()
