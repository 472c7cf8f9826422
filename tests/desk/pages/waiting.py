"""Things that wait for a person, made straight in the order store: consignments, records, work."""

import hashlib
import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.networks.palletforce.dispatching import content

from palletflow.deployment import Deployment
from palletflow.intake.flow import Intake, Translated
from palletflow.intake.template import Fault
from palletflow.store import customers, documents, orders
from palletflow.store.connection import Connection
from palletflow.store.documents import Document
from palletflow.store.imports import Batch

NOW = datetime.now(UTC)
_keys = itertools.count(1)


def ago(**time: float) -> datetime:
    return NOW - timedelta(**time)


def consignment(store: Connection, network: str = "palletforce", **columns: Any) -> int:
    """A consignment of an order of our own; `columns` are set besides. Its id."""
    store.execute("INSERT INTO customers (code, name) VALUES ('ACME', 'Acme Widgets Ltd') ON CONFLICT DO NOTHING")
    row = {**content(), "network": network, "our_roles": ["requesting"], "given": {}}
    key = f"W-{next(_keys)}"
    head = {"customer": "ACME", "reference": f"ref {key}", "reference_2": "", "copied_from": None, "key": key}
    [made] = orders.insert(store, [{**head, "consignments": [row]}], "tester", "order API")
    [number] = made.consignments
    change(store, number, **columns)
    return number


def change(store: Connection, consignment_id: int, **columns: Any) -> None:
    for column, value in columns.items():
        store.execute(f"UPDATE consignments SET {column} = %s WHERE id = %s".encode(), (value, consignment_id))


def task(store: Connection, consignment_id: int, **columns: Any) -> None:
    """Its dispatch task, which a person has completed long ago."""
    store.execute(
        "INSERT INTO dispatch_tasks (consignment_id, trip, resource, auto_complete, completed_at, completed_by)"
        " VALUES (%s, %s, 'PALLETFORCE_OUT', false, %s, 'tester')",
        (consignment_id, f"trip {consignment_id}", ago(hours=2)),
    )
    for column, value in columns.items():
        statement = f"UPDATE dispatch_tasks SET {column} = %s WHERE consignment_id = %s"
        store.execute(statement.encode(), (value, consignment_id))


def work(store: Connection, kind: str, key: object, network: str = "palletforce", **columns: Any) -> int:
    """A piece of work that is due later; its id."""
    made = store.execute(
        "INSERT INTO work_items (network, kind, key, due_at) VALUES (%s, %s, %s, %s) RETURNING id",
        (network, kind, str(key), NOW + timedelta(hours=1)),
    ).fetchone()
    assert made
    for column, value in columns.items():
        store.execute(f"UPDATE work_items SET {column} = %s WHERE id = %s".encode(), (value, made[0]))
    return int(made[0])


def document(store: Connection, consignment_id: int, kind: str, name: str, **more: Any) -> int:
    row = store.execute("SELECT order_id FROM consignments WHERE id = %s", (consignment_id,)).fetchone()
    assert row
    fields = {"pallet_number": None, "barcode": "", **more}
    return documents.add(
        store,
        Document(
            order_id=row[0],
            consignment_id=consignment_id,
            kind=kind,
            name=name,
            media_type="image/jpeg",
            size=1,
            sha256=hashlib.sha256(name.encode()).digest(),
            source="order API",
            actor="tester",
            **fields,
        ),
    )


class Refusing:
    """A translator that refuses every record for one reason."""

    version = b"1"

    def __init__(self, fault: Fault, key: str) -> None:
        self._fault, self._key = fault, key

    def key(self, _record: Any) -> str:
        return self._key

    def translate(self, _record: Any) -> Translated:
        return Translated(None, [self._fault], [], False)


def quarantined(
    store: Connection,
    raw: Any,
    fault: Fault,
    *,
    network: str = "nexus",
    stream: str = "orders",
    party: str = "nexus_pgd302",
    key: str = "",
) -> int:
    """A record in quarantine; its id."""
    intake = Intake(store, network, Refusing(fault, key or f"K-{next(_keys)}"))
    intake.add([raw], ago(hours=3))
    intake.store(Batch(network, stream, party, "test", "tester", ago(hours=3)))
    row = store.execute("SELECT max(id) FROM inbound_records").fetchone()
    assert row
    return int(row[0])


def synced(store: Connection, plan: Deployment) -> None:
    """The customers of the deployment, as every import has them."""
    customers.sync(store, plan.customer_names(), plan.account_rows())


def as_json(value: Any) -> str:
    return json.dumps(value, indent=2)
