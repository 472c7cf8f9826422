"""What tests of dispatch share: orders of our own in a real store, and the real queue against the real simulator."""

import itertools
import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
import requests
from upath import UPath

from palletflow.deployment import Deployment
from palletflow.documents.storage import Storage
from palletflow.networks.palletforce import entry, settings
from palletflow.networks.palletforce.client import PalletforceClient
from palletflow.networks.palletforce.handlers import handlers
from palletflow.networks.palletforce.mapper import NETWORK, Mapper
from palletflow.networks.palletforce.simulator import ACCESS_KEYS
from palletflow.networks.palletforce.work import DISPATCH, NETWORK_LABELS, OWN_LABELS, ROUTING, Access
from palletflow.store import customers, dispatch, orders, work_items
from palletflow.store.connection import Connection, connect
from palletflow.store.dispatch import DispatchTask
from palletflow.work.drain import drain

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
_keys = itertools.count(1)


def content(**changes: Any) -> dict[str, Any]:
    """A consignment of ours; a change of a stop names only the parts that differ."""
    merged = {**CONTENT, **changes}
    for stop in ("pickup", "delivery"):
        merged[stop] = {**CONTENT[stop], **changes.get(stop, {})}
    return merged


def access(
    plan: Deployment, base_url: str, depot: str, extra: dict[str, Any], sleep: Callable[[float], None]
) -> Access:
    """A depot's way to a simulated network, as the queue's handlers have it."""
    parsed = settings.parse(f"palletforce_{depot}", base_url, ACCESS_KEYS[depot], {"allow_http": True, **extra})
    mapper = Mapper(plan, parsed.local_time, parsed.import_unaccepted)
    aliases = mapper.template.aliases
    return Access(PalletforceClient(parsed, aliases, patient=False, sleep=sleep, jitter=lambda: 1.0), mapper)


class House:
    """A haulier's order store and queue, beside a simulated network. `advance` ages what is stored."""

    def __init__(
        self, conn: Connection, dsn: str, plan: Deployment, simulator: Any, folder: Path, **extra: Any
    ) -> None:
        self.conn, self.dsn, self.plan, self.simulator = conn, dsn, plan, simulator
        self.storage = Storage(UPath(folder))
        self.extra: dict[str, Any] = {"read_timeout_s": 0.4, **extra}
        self.pauses: list[float] = []
        self._clients = ExitStack()
        self._accesses: dict[str, Access] = {}
        self._handlers = handlers(plan, self.reach, self.storage, lambda: self.now)
        customers.sync(conn, plan.customer_names(), plan.account_rows())
        simulator.control("clock", now=self.now.isoformat())
        simulator.control("clock", run=True)

    def close(self) -> None:
        self._clients.close()

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    def settle(self, **extra: Any) -> None:
        """Changes settings of the connections."""
        self.extra |= extra
        self._clients.close()
        self._accesses.clear()

    # Orders

    def order(self, *, consignments: int = 1, customer: str = "ACME", reference: str = "SO-123", **changes: Any) -> int:
        """Makes an order as the order API does; its id."""
        row = {**content(**changes), "network": NETWORK, "our_roles": ["requesting"], "given": {}}
        key = f"test-{next(_keys)}"
        head = {"key": key, "customer": customer, "reference": reference, "reference_2": "", "copied_from": None}
        with self.conn.transaction():
            [made] = orders.insert(self.conn, [{**head, "consignments": [row] * consignments}], "tester", "order API")
            for consignment_id in made.consignments:
                entry.written(self.conn, self.plan, [consignment_id], "tester")
        return made.id

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

    def consignment(self, order_id: int) -> int:
        return int(self.one("SELECT id FROM consignments WHERE order_id = %s ORDER BY id", order_id)[0])

    def dispatch(self, order_id: int, *, trip: str = "", resource: str = "PALLETFORCE_OUT", depot: str = "900") -> None:
        """Puts the order on a trip of its own and completes the task."""
        with self.conn.transaction():
            dispatch.assign(
                self.conn,
                order_id,
                trip=trip or f"trip {order_id}",
                resource=resource,
                network=NETWORK,
                depot=depot,
                auto_complete=True,
                actor="tester",
            )

    def sent(self, **changes: Any) -> int:
        """An order on its way: dispatched and worked off until nothing is due."""
        order_id = self.order(**changes)
        self.dispatch(order_id)
        self.work()
        return order_id

    def complete(self, order_id: int) -> None:
        with self.conn.transaction():
            dispatch.complete(self.conn, order_id, "tester")

    def look_up_now(self, order_id: int) -> None:
        with self.conn.transaction():
            dispatch.look_up_now(self.conn, order_id, "tester")

    def send_again(self, order_id: int) -> None:
        with self.conn.transaction():
            dispatch.send_again(self.conn, order_id, "tester")

    # Work

    def work(self, *kinds: str) -> dict[str, dict[str, int]]:
        """Runs the real queue until nothing of these kinds is due; what became of the items."""
        wanted = {kind: self._handlers[kind] for kind in kinds or KINDS}
        return drain(
            lambda: connect(self.dsn),
            NETWORK,
            wanted,
            dict.fromkeys(wanted, 1),
            linger_s=0,
            most_s=60,
            stop=threading.Event(),
        )

    def reach(self, conn: Connection, depot: str) -> Access:
        if depot not in self._accesses:
            self._accesses[depot] = access(self.plan, self.simulator.base_url, depot, self.extra, self.pauses.append)
            self._clients.enter_context(self._accesses[depot].client)
        return self._accesses[depot]

    def advance(self, seconds: float) -> None:
        """Makes everything that is stored so much older, as if time had passed."""
        ago = f"- interval '{seconds} seconds'"
        self.rows_changed(f"UPDATE work_items SET due_at = due_at {ago}")
        self.rows_changed(f"UPDATE dispatch_tasks SET sent_at = sent_at {ago}, lookup_at = lookup_at {ago}")
        self.rows_changed(f"UPDATE connection_flags SET checked_at = checked_at {ago}")

    def rows_changed(self, statement: str) -> None:
        self.conn.execute(statement.encode())

    def later(self, *seconds: float) -> None:
        """Lets time pass in steps, working off what comes due after each."""
        for pause in seconds:
            self.advance(pause)
            self.work()

    def play_out(self, most: int = 40) -> None:
        """Lets time pass from one due item to the next until nothing waits any more."""
        for _ in range(most):
            [(wait_s,)] = self.rows(
                "SELECT extract(epoch FROM min(due_at) - clock_timestamp())::float8 FROM work_items "
                "WHERE parked_at IS NULL"
            )
            if wait_s is None:
                return
            self.advance(max(wait_s, 0) + 0.01)
            self.work()
        raise AssertionError(f"this never ends: {self.items(parked=False)}")

    # What came of it

    def task(self, order_id: int) -> DispatchTask:
        found = dispatch.task(self.conn, order_id)
        assert found is not None
        return found

    def state(self, order_id: int) -> str:
        return self.task(order_id).state

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

    def items(self, *, parked: bool) -> dict[tuple[str, str], str | None]:
        """(kind, key) of what waits or is parked, and why."""
        return {(one.kind, one.key): one.reason for one in work_items.listed(self.conn, parked=parked)}

    def history(self, order_id: int) -> list[str]:
        return [
            row[0]
            for row in self.rows(
                "SELECT kind FROM activity WHERE consignment_id = %s ORDER BY id", self.consignment(order_id)
            )
        ]

    def warnings(self, order_id: int) -> list[str]:
        return [
            text
            for (texts,) in self.rows(
                "SELECT warnings FROM activity WHERE consignment_id = %s ORDER BY id", self.consignment(order_id)
            )
            for text in texts
        ]

    def fact(self, order_id: int, column: str) -> Any:
        return self.one(f"SELECT {column} FROM consignments WHERE order_id = %s ORDER BY id", order_id)[0]

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.ClientCursor(self.conn) as cursor:
            return cursor.execute(query.encode(), values).fetchall()

    def one(self, query: str, *values: Any) -> tuple[Any, ...]:
        return self.rows(query, *values)[0]


def faults(task: DispatchTask) -> dict[str, str]:
    """Field to reason code of a task's faults."""
    return {fault["field"]: fault["code"] for fault in task.faults}
