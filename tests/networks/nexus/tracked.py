"""What tests of statuses share: consignments that Nexus and we hold, the real client and the real queue."""

import json
import threading
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from tests.conftest import NOW
from tests.networks.nexus.simulated import SimulatedNexus
from tests.networks.nexus.ways import access
from tests.networks.palletforce.dispatching import content

from palletflow.deployment import Deployment
from palletflow.networks.nexus.consignment_import import ConsignmentImport
from palletflow.networks.nexus.status_export import StatusExport
from palletflow.networks.nexus.status_import import StatusNews, store_statuses
from palletflow.networks.nexus.work import NETWORK, STATUS_EXPORT, Access
from palletflow.store import customers, movements, orders, work_items
from palletflow.store.connection import Connection, connect
from palletflow.store.imports import Batch
from palletflow.work.drain import drain

SOURCE = "nexus orders nexus_pgd302"
# Requesting, collecting and delivery depot by our role; PGD310 and UKD115 are other members'.
ROUTES = {
    "delivery": ("PGD310", "PGD310", "PGD302"),
    "requesting and delivery": ("PGD302", "PGD310", "PGD302"),
    "collecting": ("PGD310", "PGD302", "UKD115"),
    "requesting": ("PGD302", "PGD310", "UKD115"),
    "requesting and collecting": ("PGD302", "PGD302", "UKD115"),
    "both legs": ("PGD310", "PGD302", "UKD101"),
}
OURS = ("PGD302", "UKD101", "FTD201")


class Yard:
    """A haulier's order store and queue beside a simulated Nexus. `at` is the time at which the next poll reads."""

    def __init__(self, conn: Connection, dsn: str, plan: Deployment, nexus: SimulatedNexus, folder: Path) -> None:
        self.conn, self.dsn, self.plan, self.nexus, self._folder = conn, dsn, plan, nexus, folder
        self.at = NOW
        self.extra: dict[str, Any] = {"status_export": True, "read_timeout_s": 5, "rate_per_second": 1000}
        self._accesses: dict[str, Access] = {}
        self._opened = ExitStack()
        customers.sync(conn, plan.customer_names(), plan.account_rows())

    def close(self) -> None:
        self._opened.close()

    # Settings

    def settle(self, **extra: Any) -> None:
        """Changes the Extra of the connections."""
        self.extra |= extra
        self._accesses.clear()

    def template(self, **sections: Any) -> None:
        """Lays these sections over the template."""
        own = self._folder / "own.yaml"
        own.write_text(json.dumps(sections))
        network = replace(self.plan.networks[NETWORK], template=own)
        self.plan = replace(self.plan, networks={**self.plan.networks, NETWORK: network})
        self._accesses.clear()

    def switch(self, **switches: bool) -> None:
        """Changes the deployment's switches."""
        network = self.plan.networks[NETWORK]
        network = replace(network, switches=replace(network.switches, **switches))
        self.plan = replace(self.plan, networks={**self.plan.networks, NETWORK: network})

    def access(self, depot: str = "PGD302") -> Access:
        """A depot's way to Nexus."""
        if depot not in self._accesses:
            self._accesses[depot] = access(self.plan, self.nexus.base_url, depot, **self.extra)
            self._opened.enter_context(self._accesses[depot].client)
        return self._accesses[depot]

    # Consignments

    def create(self, role: str, pallets: int = 2, depot: str = "PGD302", **added: Any) -> int:
        """One that Nexus has and we have imported; its id here."""
        requesting, collecting, delivery = ROUTES[role]
        number = self.nexus.add(
            network="PALLEX",
            customerID=20001 if requesting in OURS else 20901,
            originatingDepotCode=requesting,
            collectingDepotCode=collecting,
            deliveryDepotCode=delivery,
            pallets=pallets,
            at=(NOW - timedelta(hours=2)).isoformat(),
            **{"estimatedDelDate": None, "estimatedDelTime": None, "startWindow": None, "endWindow": None, **added},
        )
        return self.take_in(number, depot)

    def take_in(self, number: int, depot: str = "PGD302") -> int:
        """Imports a consignment of Nexus's; its id here."""
        batch = Batch(NETWORK, "orders", "nexus_pgd302", "test", "tester", self.at)
        taking = ConsignmentImport(self.conn, self.access(depot), self.plan, batch, lambda: self.at)
        taking.store([taking.read(str(number))])
        return int(self.one("SELECT id FROM consignments WHERE tracking_number = %s", str(number))[0])

    def own(self, role: str = "requesting and collecting", pallets: int = 2, **changes: Any) -> int:
        """One that we have created at Nexus, which names no depots of it; its id here."""
        requesting, collecting, delivery = ROUTES[role]
        depots = {"originatingDepotCode": None, "collectingDepotCode": None, "deliveryDepotCode": None}
        number = self.nexus.add(
            network="PALLEX", customerID=20001, originatingDepotCode=requesting, collectingDepotCode=collecting,
            deliveryDepotCode=delivery, pallets=pallets, overrides=depots,
            at=(NOW - timedelta(hours=2)).isoformat(),
        )  # fmt: skip
        row = {
            **content(account="", service="A"), "requesting_depot": requesting, "network": NETWORK, "given": {},
            "collecting_depot": "", "delivery_depot": "", "our_roles": ["requesting"],
            "pallet_types": ["FULL"] * pallets, **changes,
        }  # fmt: skip
        head = {"key": f"own-{number}", "customer": "ACME", "reference": "SO-1", "reference_2": "", "copied_from": None}
        with self.conn.transaction():
            [made] = orders.insert(self.conn, [{**head, "consignments": [row]}], "tester", "order API")
        [consignment_id] = made.consignments
        self.conn.execute(
            "UPDATE consignments SET tracking_number = %s, registered = true, dispatch_state = 'completed' "
            "WHERE id = %s",
            (str(number), consignment_id),
        )
        return consignment_id

    def number(self, consignment_id: int) -> int:
        return int(self.one("SELECT tracking_number FROM consignments WHERE id = %s", consignment_id)[0])

    # What happens at Nexus, and what we read of it

    def status(self, consignment_id: int, name: str, hours: float, *pallets: int, **extra: Any) -> None:
        """A status so many hours after NOW, of these pallets, or of all as one event each."""
        for pallet in pallets or (None,):
            of = {} if pallet is None else {"pallet": pallet}
            self.nexus.scan(
                self.number(consignment_id), name, dateTime=(NOW + timedelta(hours=hours)).isoformat(), **of, **extra
            )

    def poll(self, consignment_id: int, depot: str = "PGD302", **changed: Any) -> StatusNews:
        """Reads what Nexus shows, half an hour later; `changed`: fields of the record that a test replaces."""
        self.at += timedelta(minutes=30)
        return self.read(consignment_id, depot, **changed)

    def read(self, consignment_id: int, depot: str = "PGD302", **changed: Any) -> StatusNews:
        """As poll(), at the same time as the last."""
        way, number = self.access(depot), self.number(consignment_id)
        record, history = {**way.client.get(number), **changed}, way.client.history(number)
        return self.store(consignment_id, record, history, depot)

    def store(self, consignment_id: int, record: Any, history: Any, depot: str = "PGD302") -> StatusNews:
        """Stores what was read."""
        return store_statuses(
            self.conn,
            consignment_id,
            record,
            history,
            access=self.access(depot),
            plan=self.plan,
            read_at=self.at,
            actor="tester",
            source=SOURCE,
        )

    # What our people report, and what Nexus is told of it

    def report(self, consignment_id: int, stop: str, event: str, at: datetime, **extra: Any) -> None:
        with self.conn.transaction():
            movements.report_stop(self.conn, consignment_id, stop=stop, event=event, at=at, actor="driver", **extra)

    def scan(self, consignment_id: int, what: str, at: datetime, *pallets: int) -> None:
        for pallet in pallets:
            with self.conn.transaction():
                movements.report_scan(
                    self.conn, consignment_id, scan=what, depot="PGD302", at=at, actor="warehouse", pallet_number=pallet
                )

    def reach(self, _: Connection, depot: str) -> Access:
        return self.access(depot)

    def export(self, limit: int = 1) -> dict[str, int]:
        """One run of the real queue over everything that waits; the outcomes."""
        self.conn.execute("UPDATE work_items SET due_at = now() WHERE parked_at IS NULL AND kind = 'status_export'")
        counts = drain(
            partial(connect, self.dsn),
            NETWORK,
            {STATUS_EXPORT: StatusExport(self.plan, self.reach, lambda: datetime.now(UTC))},
            {STATUS_EXPORT: limit},
            linger_s=0,
            most_s=60,
            stop=threading.Event(),
        )
        return counts.get(STATUS_EXPORT, {})

    def ask(self, consignment_id: int) -> None:
        """Asks for the export, as a person does who releases it."""
        with self.conn.transaction():
            work_items.enqueue(self.conn, NETWORK, STATUS_EXPORT, [consignment_id])

    # What came of it

    def posts(self) -> list[str]:
        """The paths of all statuses that were sent to Nexus, whatever it made of them."""
        return [one["path"] for one in self.nexus.requests("consignments", "POST") if one["path"].endswith("/statuses")]

    def at_nexus(self, consignment_id: int) -> list[str]:
        """The statuses that Nexus has from our depots, in the order they came in."""
        statuses = self.nexus.one(self.number(consignment_id))["statuses"]
        return [one["status"] for one in statuses if one["source"] != "network"]

    def told(self, consignment_id: int) -> list[tuple[Any, ...]]:
        """What we keep of it: name, whether sent, whether refused."""
        return self.rows(
            "SELECT code, sent_at IS NOT NULL, refused_at IS NOT NULL FROM tracking_events "
            "WHERE consignment_id = %s AND direction = 'exported' ORDER BY occurred_at, id",
            consignment_id,
        )

    def stop(self, consignment_id: int, kind: str = "delivery") -> tuple[Any, ...]:
        """When it was started and completed, and how it ended."""
        return self.one(
            "SELECT started_at, completed_at, outcome FROM stops WHERE (consignment_id, kind) = (%s, %s)",
            consignment_id, kind,
        )  # fmt: skip

    def completed(self, consignment_id: int) -> list[str]:
        """The stops that are completed, and those that are only started with a question mark."""
        found = self.rows(
            "SELECT kind, completed_at IS NULL FROM stops WHERE consignment_id = %s "
            "AND coalesce(started_at, completed_at) IS NOT NULL ORDER BY coalesce(completed_at, started_at)",
            consignment_id,
        )
        return [f"{kind}?" if is_open else kind for kind, is_open in found]

    def whereabouts(self, consignment_id: int) -> tuple[str, str | None]:
        return self.one("SELECT lifecycle_status, exception_reason FROM consignments WHERE id = %s", consignment_id)  # type: ignore[return-value]

    def events(self, consignment_id: int) -> list[tuple[Any, ...]]:
        """Name, pallet, time and whether it was us, of everything read."""
        return self.rows(
            "SELECT code, pallet_number, occurred_at, echo FROM tracking_events "
            "WHERE consignment_id = %s AND direction = 'imported' ORDER BY occurred_at, code, barcode",
            consignment_id,
        )

    def order(self, consignment_id: int) -> tuple[bool, str | None]:
        """Whether the order is cancelled, and why a person shall look at it."""
        return self.one(
            "SELECT o.cancelled_at IS NOT NULL, o.review_reason FROM orders o JOIN consignments c ON c.order_id = o.id "
            "WHERE c.id = %s",
            consignment_id,
        )  # type: ignore[return-value]

    def waiting(self) -> list[tuple[str, str]]:
        """Kind and key of the work that waits, exports aside."""
        return [(one.kind, one.key) for one in work_items.listed(self.conn, parked=False) if one.kind != STATUS_EXPORT]

    def parked(self) -> list[str]:
        return [one.reason or "" for one in work_items.listed(self.conn, parked=True)]

    def warnings(self, consignment_id: int) -> list[str]:
        found = self.rows("SELECT warnings FROM activity WHERE consignment_id = %s ORDER BY id", consignment_id)
        return [text for (texts,) in found for text in texts]

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.ClientCursor(self.conn) as cursor:
            return cursor.execute(query.encode(), values).fetchall()

    def one(self, query: str, *values: Any) -> tuple[Any, ...]:
        return self.rows(query, *values)[0]
