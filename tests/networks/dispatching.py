"""What tests of dispatch share whatever the network: orders of our own in a real store, and the real queue."""

import itertools
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
from upath import UPath

from palletflow.deployment import Deployment
from palletflow.documents.storage import Storage
from palletflow.store import customers, dispatch, documents, orders, work_items
from palletflow.store.connection import Connection, connect
from palletflow.store.dispatch import DispatchTask
from palletflow.store.documents import StoredDocument
from palletflow.work import follows
from palletflow.work.drain import drain
from palletflow.work.handling import Handler

NESTED = ("pickup", "delivery", "additional_fields")
_keys = itertools.count(1)


class House:
    """A haulier's order store and queue, beside a simulated network. `advance` ages what is stored.

    A network's own says which it is, its `entry`, a resource, what an order holds, its handlers, and a depot's access.
    """

    network: str
    entry: ModuleType
    resource: str
    content: Mapping[str, Any]
    # The depot it is dispatched for, "" leaves it to the order; whether an order keeps what its caller gave.
    depot = ""
    keeps_given = True
    handlers: Callable[..., Mapping[str, Handler]]

    def __init__(self, conn: Connection, dsn: str, plan: Deployment, folder: Path) -> None:
        self.conn, self.dsn, self.plan, self.folder = conn, dsn, plan, folder
        self.storage = Storage(UPath(folder))
        self.extra: dict[str, Any] = {}
        self.pauses: list[float] = []
        self.ahead = timedelta(0)
        self._clients = ExitStack()
        self._accesses: dict[str, Any] = {}
        customers.sync(conn, plan.customer_names(), plan.account_rows())
        self._renew()

    def access(self, depot: str) -> Any:
        """A depot's way to the simulated network."""
        raise NotImplementedError

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
        file = self.folder.with_name("template.yaml")
        file.write_text(text, "utf-8")
        self.plan = with_template(self.plan, self.network, file)
        self.settle()

    def _renew(self) -> None:
        """As a new run has them."""
        self._handlers = type(self).handlers(self.plan, self.reach, self.storage, lambda: self.now)

    # Orders

    def order(self, *, consignments: int = 1, customer: str = "ACME", reference: str = "SO-123", **changes: Any) -> int:
        """Makes an order as the order API does; its id."""
        given = merged(self.content, changes)
        details = given["pallet_details"] or [{} for _ in given["pallet_types"]]
        row = {
            **given,
            "pallet_details": details,
            "network": self.network,
            "our_roles": ["requesting"],
            "given": given if self.keeps_given else {},
        }
        key = f"test-{next(_keys)}"
        head = {"key": key, "customer": customer, "reference": reference, "reference_2": "", "copied_from": None}
        with self.conn.transaction():
            [made] = orders.insert(self.conn, [{**head, "consignments": [row] * consignments}], "tester", "order API")
            self.entry.written(self.conn, self.plan, made.consignments, "tester")
        return made.id

    def consignment(self, order_id: int) -> int:
        return int(self.one("SELECT id FROM consignments WHERE order_id = %s ORDER BY id", order_id)[0])

    def dispatch(self, order_id: int, *, trip: str = "", resource: str = "", depot: str | None = None) -> None:
        """Puts the order on a trip of its own and completes the task."""
        with self.conn.transaction():
            dispatch.assign(
                self.conn,
                order_id,
                trip=trip or f"trip {order_id}",
                resource=resource or self.resource,
                network=self.network,
                depot=self.depot if depot is None else depot,
                auto_complete=True,
                actor="tester",
                adopts=self.entry.ADOPTS,
            )

    def sent(self, *, resource: str = "", depot: str | None = None, **changes: Any) -> int:
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
            follows.enqueue(
                self.conn, self.network, self.entry.FOLLOWS, follows.CANCELLED, [self.consignment(order_id)]
            )

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
            self.network,
            wanted,
            dict.fromkeys(wanted, 1),
            linger_s=0,
            most_s=60,
            stop=threading.Event(),
        )

    def reach(self, conn: Connection, depot: str) -> Any:
        if depot not in self._accesses:
            self._accesses[depot] = self.access(depot)
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


def merged(content: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """An order's content with changes; of a stop or of the additional fields they name only the parts that differ."""
    made = {**content, **changes}
    for name in NESTED:
        made[name] = {**content[name], **changes.get(name, {})}
    made["additional_fields"] = {name: value for name, value in made["additional_fields"].items() if value}
    made["pallet_details"] = [*made["pallet_details"]]
    return made


def with_template(plan: Deployment, network: str, template: Path) -> Deployment:
    """The deployment with a template of its own for a network."""
    ours = replace(plan.network(network), template=template)
    return replace(plan, networks={**plan.networks, network: ours})


def faults(task: DispatchTask) -> dict[str, str]:
    """Field to reason code of a task's faults."""
    return {fault["field"]: fault["code"] for fault in task.faults}
