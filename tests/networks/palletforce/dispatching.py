"""What tests of dispatch to Palletforce share: what an order holds, and a way to the simulated network."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import requests
from tests.networks import dispatching
from tests.networks.dispatching import merged

from palletflow.deployment import Deployment
from palletflow.networks.palletforce import entry, settings
from palletflow.networks.palletforce.client import PalletforceClient
from palletflow.networks.palletforce.handlers import handlers
from palletflow.networks.palletforce.mapper import NETWORK, Mapper
from palletflow.networks.palletforce.simulator import ACCESS_KEYS
from palletflow.networks.palletforce.work import DISPATCH, NETWORK_LABELS, OWN_LABELS, ROUTING, Access
from palletflow.store import orders
from palletflow.store.connection import Connection

KINDS = (DISPATCH, ROUTING, NETWORK_LABELS, OWN_LABELS)
IMPORTED = "9000050000123"
COLLECTION, DELIVERY = date(2026, 7, 13), date(2026, 7, 14)
PICKUP = {
    "name": "Acme Widgets Ltd", "street": "1 Mill Road", "locality": "", "town": "Leicester", "county": "",
    "postcode": "LE1 1AA", "country": "GB", "phone": "0116 496 0101", "contact": "Despatch",
}  # fmt: skip
CONSIGNEE = {
    "name": "Aireside Joinery", "street": "17 Wharf Lane", "locality": "Cross Green", "town": "Leeds", "county": "",
    "postcode": "LS9 8AA", "country": "GB", "phone": "0113 496 0101", "contact": "Goods In",
}  # fmt: skip
CONTENT: dict[str, Any] = {
    "tracking_number": "", "requesting_depot": "", "collecting_depot": "", "delivery_depot": "",
    "account": "acme 001", "service": "A", "surcharges": [], "collection_date": COLLECTION.isoformat(),
    "delivery_date": DELIVERY.isoformat(), "weight_kg": 850, "pallet_spaces": None, "insurance_code": "",
    "hub_code": "", "carton_count": None, "amazon_reference": "", "notes": [], "goods_description": "",
    "notification_email": "", "notification_sms": "", "notification_twitter": "", "northern_ireland": {},
    "additional_fields": {}, "pallet_details": [], "pallet_types": ["F", "F"], "pickup": PICKUP, "delivery": CONSIGNEE,
}  # fmt: skip


def content(**changes: Any) -> dict[str, Any]:
    """A consignment of ours; a change of a stop names only the parts that differ."""
    return merged(CONTENT, changes)


def access(
    plan: Deployment, base_url: str, depot: str, extra: dict[str, Any], sleep: Callable[[float], None]
) -> Access:
    """A depot's way to a simulated network, as the queue's handlers have it."""
    parsed = settings.parse(f"palletforce_{depot}", base_url, ACCESS_KEYS[depot], {"allow_http": True, **extra})
    mapper = Mapper(plan, parsed.local_time, parsed.import_unaccepted)
    aliases = mapper.template.aliases
    return Access(PalletforceClient(parsed, aliases, patient=False, sleep=sleep, jitter=lambda: 1.0), mapper)


class House(dispatching.House):
    """A haulier beside a simulated Palletforce."""

    network, entry, resource, depot, content = NETWORK, entry, "PALLETFORCE_OUT", "900", CONTENT
    keeps_given = False
    handlers = handlers

    def __init__(
        self, conn: Connection, dsn: str, plan: Deployment, simulator: Any, folder: Path, **extra: Any
    ) -> None:
        self.simulator = simulator
        super().__init__(conn, dsn, plan, folder)
        self.extra = {"read_timeout_s": 0.8, **extra}
        simulator.control("clock", now=self.now.isoformat())
        simulator.control("clock", run=True)

    def access(self, depot: str) -> Access:
        return access(self.plan, self.simulator.base_url, depot, self.extra, self.pauses.append)

    def copy(self, order_id: int) -> int:
        """Copies an order with every field, as the order API does."""
        held = orders.locked(self.conn, order_id)
        assert held is not None
        fields = {**held.consignments[0].content}
        return self.order(reference=held.reference, **fields)

    def clear_number(self, order_id: int) -> None:
        """Clears the imported tracking ID, as the order API does."""
        consignment_id = self.consignment(order_id)
        with self.conn.transaction():
            self.conn.execute("UPDATE consignments SET tracking_number = NULL WHERE id = %s", (consignment_id,))
            entry.written(self.conn, self.plan, [consignment_id], "tester")

    def network_has(self, **query: str) -> list[dict[str, Any]]:
        """What the network holds of these numbers."""
        answer = requests.get(f"{self.simulator.root}/_sim/consignments", params=query, timeout=30).json()
        return list(answer["consignments"])

    def of_order(self, order_id: int) -> list[dict[str, Any]]:
        """What the network holds of everything that was ever sent for the order."""
        return [
            held
            for held in self.network_has()
            if held["uniqueTransactionNumber"].startswith(f"{self.extra.get('transaction_prefix', 'AF')}-{order_id}-")
        ]

    def uploads(self) -> list[dict[str, Any]]:
        """The bodies of all uploads the network has seen, oldest first."""
        return [one["body"] for one in self.simulator.journal() if one["operation"] == "UploadManifest"]

    def calls(self) -> list[str]:
        return [one["operation"] for one in self.simulator.journal()]

    def warnings(self, order_id: int) -> list[str]:
        return [
            text
            for (texts,) in self.rows(
                "SELECT warnings FROM activity WHERE consignment_id = %s ORDER BY id", self.consignment(order_id)
            )
            for text in texts
        ]
