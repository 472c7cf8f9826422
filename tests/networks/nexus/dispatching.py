"""What tests of dispatch share: orders of our own in a real store, and the real queue against the simulated Nexus."""

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.networks.nexus.simulated import SimulatedNexus
from upath import UPath

from palletflow.deployment import Deployment
from palletflow.documents.storage import Storage
from palletflow.networks.nexus import entry, settings
from palletflow.networks.nexus.cancel import Canceller
from palletflow.networks.nexus.client import NexusClient
from palletflow.networks.nexus.dispatch import Dispatcher
from palletflow.networks.nexus.labels import LabelFetcher
from palletflow.networks.nexus.lookups import Lookups
from palletflow.networks.nexus.mapper import preview
from palletflow.networks.nexus.simulator import PASSWORD
from palletflow.networks.nexus.wire import read_wire
from palletflow.networks.nexus.work import CANCEL, DISPATCH, LABEL, NETWORK, Access, Reach
from palletflow.store import customers, dispatch, documents, orders, work_items
from palletflow.store.connection import Connection, connect
from palletflow.store.dispatch import DispatchTask
from palletflow.store.documents import StoredDocument
from palletflow.work import follows
from palletflow.work.drain import drain
from palletflow.work.handling import Handler

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
NESTED = ("pickup", "delivery", "additional_fields")
_keys = itertools.count(1)


def content(**changes: Any) -> dict[str, Any]:
    """A consignment of ours; a change of a stop or of the additional fields names only the parts that differ."""
    merged = {**CONTENT, **changes}
    for name in NESTED:
        merged[name] = {**CONTENT[name], **changes.get(name, {})}
    merged["additional_fields"] = {name: value for name, value in merged["additional_fields"].items() if value}
    merged["pallet_details"] = [*merged["pallet_details"]]
    return merged


def handlers(plan: Deployment, reach: Reach, storage: Storage, clock: Callable[[], datetime]) -> Mapping[str, Handler]:
    """Those of dispatch, as the operator has them."""
    return {
        DISPATCH: Dispatcher(plan, reach, clock),
        LABEL: LabelFetcher(plan, reach, storage, clock),
        CANCEL: Canceller(plan, reach, clock),
    }


def access(
    plan: Deployment,
    base_url: str,
    depot: str,
    extra: Mapping[str, Any],
    sleep: Callable[[float], None],
    template: Path | None = None,
) -> Access:
    """A depot's way to a simulated Nexus, as the queue's handlers have it; `template`: laid over the shipped one."""
    mapper = preview(plan, template)
    sections = mapper.template.sections
    parsed = settings.parse(
        plan.network(NETWORK).depots[depot],
        base_url,
        f"sim_{depot.lower()}",
        PASSWORD,
        {"allow_http": True, "attachment_hosts": ["127.0.0.1"], "read_timeout_s": 0.4, "auth_cooldown_s": 0, **extra},
    )
    client = NexusClient(parsed, read_wire(sections), patient=False, sleep=sleep, jitter=lambda: 1.0)
    return Access(client, Lookups(client, sections["ids"], lambda: datetime.now(UTC)), mapper)


class House:
    """A haulier's order store and queue, beside a simulated Nexus. `advance` ages what is stored."""

    def __init__(self, conn: Connection, dsn: str, plan: Deployment, nexus: SimulatedNexus, folder: Path) -> None:
        self.conn, self.dsn, self.plan, self.nexus, self.folder = conn, dsn, plan, nexus, folder
        self.storage = Storage(UPath(folder))
        self.extra: dict[str, Any] = {}
        self.own_template: Path | None = None
        self.base_url = nexus.base_url
        self.pauses: list[float] = []
        self.ahead = timedelta(0)
        self._clients = ExitStack()
        self._accesses: dict[str, Access] = {}
        customers.sync(conn, plan.customer_names(), plan.account_rows())
        self._renew()

    def close(self) -> None:
        self._clients.close()

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def settle(self, **extra: Any) -> None:
        """Changes the Extra of the connections."""
        self.extra |= extra
        self._clients.close()
        self._accesses.clear()
        self._renew()

    def template(self, text: str) -> None:
        """Lays a template of the deployment's own over the shipped one."""
        self.own_template = self.folder.with_name("nexus.yaml")
        self.own_template.write_text(text, "utf-8")
        self.plan = preview_plan(self.plan, self.own_template)
        self.settle()

    def _renew(self) -> None:
        """As a new run has them."""
        self._handlers = handlers(self.plan, self.reach, self.storage, lambda: self.now)

    # Orders

    def order(self, *, consignments: int = 1, customer: str = "ACME", reference: str = "SO-123", **changes: Any) -> int:
        """Makes an order as the order API does; its id."""
        given = content(**changes)
        details = given["pallet_details"] or [{} for _ in given["pallet_types"]]
        row = {**given, "pallet_details": details, "network": NETWORK, "our_roles": ["requesting"], "given": given}
        key = f"test-{next(_keys)}"
        head = {"key": key, "customer": customer, "reference": reference, "reference_2": "", "copied_from": None}
        with self.conn.transaction():
            [made] = orders.insert(self.conn, [{**head, "consignments": [row] * consignments}], "tester", "order API")
            entry.written(self.conn, self.plan, made.consignments, "tester")
        return made.id

    def consignment(self, order_id: int) -> int:
        return int(self.one("SELECT id FROM consignments WHERE order_id = %s ORDER BY id", order_id)[0])

    def dispatch(self, order_id: int, *, trip: str = "", resource: str = "PALLEX_OUT", depot: str = "") -> None:
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
                adopts=entry.ADOPTS,
            )

    def sent(self, *, resource: str = "PALLEX_OUT", depot: str = "", **changes: Any) -> int:
        """An order on its way: dispatched and worked off until nothing is due."""
        order_id = self.order(**changes)
        self.dispatch(order_id, resource=resource, depot=depot)
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

    def cancel(self, order_id: int) -> None:
        """Cancels the order and asks for what follows, as the order API does."""
        with self.conn.transaction():
            held = orders.locked(self.conn, order_id)
            assert held is not None
            orders.cancel(self.conn, held, "customer asked", "tester", "order API")
            follows.enqueue(self.conn, NETWORK, entry.FOLLOWS, follows.CANCELLED, [self.consignment(order_id)])

    def restore(self, order_id: int) -> None:
        with self.conn.transaction():
            held = orders.locked(self.conn, order_id)
            assert held is not None
            orders.restore(self.conn, held, "tester", "order API")

    def change(self, order_id: int, column: str, value: Any) -> None:
        """Changes a column of the order's consignment, as somebody who edits it does."""
        statement = f"UPDATE consignments SET {column} = %s WHERE order_id = %s".encode()
        self.conn.execute(statement, (value, order_id))

    # Work

    def work(self, *kinds: str) -> dict[str, dict[str, int]]:
        """Runs the real queue until nothing of these kinds is due; what became of the items."""
        wanted = {kind: self._handlers[kind] for kind in kinds or self._handlers}
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
            self._accesses[depot] = access(self.plan, self.base_url, depot, self.extra, self.pauses.append)
            self._clients.enter_context(self._accesses[depot].client)
        return self._accesses[depot]

    def advance(self, seconds: float) -> None:
        """Makes everything that is stored so much older, as if time had passed."""
        ago = f"- interval '{seconds} seconds'"
        for statement in (
            f"UPDATE work_items SET due_at = due_at {ago}, created_at = created_at {ago}",
            f"UPDATE dispatch_tasks SET sent_at = sent_at {ago}, lookup_at = lookup_at {ago}, "
            f"finished_at = finished_at {ago}",
            f"UPDATE connection_flags SET checked_at = checked_at {ago}",
        ):
            self.conn.execute(statement.encode())

    def later(self, *seconds: float) -> None:
        """Lets time pass in steps, working off what comes due after each."""
        for pause in seconds:
            self.advance(pause)
            self.work()

    def play_out(self, most: int = 60) -> None:
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

    def labels(self, order_id: int) -> list[StoredDocument]:
        return [one for one in documents.of_order(self.conn, order_id) if one.kind == "NETWORK_LABEL"]

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

    def barcodes(self) -> list[tuple[str, str]]:
        """Barcode and state of each pallet that has one."""
        return self.rows(  # type: ignore[return-value]
            "SELECT barcode, state FROM pallet_barcodes WHERE state <> 'superseded' ORDER BY pallet_number"
        )

    def fact(self, order_id: int, column: str) -> Any:
        return self.one(f"SELECT {column} FROM consignments WHERE order_id = %s ORDER BY id", order_id)[0]

    def review(self, order_id: int) -> str | None:
        found: str | None = self.one("SELECT review_reason FROM orders WHERE id = %s", order_id)[0]
        return found

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.ClientCursor(self.conn) as cursor:
            return cursor.execute(query.encode(), values).fetchall()

    def one(self, query: str, *values: Any) -> tuple[Any, ...]:
        return self.rows(query, *values)[0]


def preview_plan(plan: Deployment, template: Path) -> Deployment:
    """The deployment with a template of its own."""
    ours = replace(plan.network(NETWORK), template=template)
    return replace(plan, networks={**plan.networks, NETWORK: ours})


@pytest.fixture
def haulier(conn: Connection, dsn: str, plan: Deployment, nexus_sim: SimulatedNexus, tmp_path: Path) -> Iterator[House]:
    """An order store and its work queue beside a simulated Nexus."""
    made = House(conn, dsn, plan, nexus_sim, tmp_path / "documents")
    yield made
    made.close()


def faults(task: DispatchTask) -> dict[str, str]:
    """Field to reason code of a task's faults."""
    return {fault["field"]: fault["code"] for fault in task.faults}
