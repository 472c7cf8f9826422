"""What tests of documents and ETAs share: consignments that Nexus and we hold, and the real queue between the two."""

import itertools
import json
import threading
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from tests.networks.nexus.simulated import SimulatedNexus
from tests.networks.nexus.ways import access, optimizing
from tests.networks.palletforce.dispatching import content
from upath import UPath

from palletflow.deployment import Deployment
from palletflow.documents import media
from palletflow.documents.storage import Storage
from palletflow.networks.nexus.document_fetch import Fetcher
from palletflow.networks.nexus.document_upload import Uploader
from palletflow.networks.nexus.etas import EtaExport
from palletflow.networks.nexus.optimize import OptimizeClient
from palletflow.networks.nexus.simulator import OPTIMIZE_KEY
from palletflow.networks.nexus.simulator.samples import Media, sample
from palletflow.networks.nexus.work import DOCUMENT_FETCH, DOCUMENT_UPLOAD, ETA_EXPORT, NETWORK, Access
from palletflow.store import customers, documents, movements, orders, work_items
from palletflow.store.connection import Connection, connect
from palletflow.store.documents import Document, StoredDocument
from palletflow.work.drain import drain
from palletflow.work.handling import Handler

OURS = ("PGD302", "UKD101", "FTD201")
ROLES = {"requesting": "originatingDepotCode", "collecting": "collectingDepotCode", "delivery": "deliveryDepotCode"}
_keys = itertools.count(1)


class House:
    """A haulier's order store and queue, beside a simulated Nexus. `advance` ages what is stored."""

    def __init__(self, conn: Connection, dsn: str, plan: Deployment, nexus: SimulatedNexus, folder: Path) -> None:
        self.conn, self.dsn, self.plan, self.nexus = conn, dsn, plan, nexus
        self.storage = Storage(UPath(folder))
        self._template = folder.with_name("nexus.yaml")
        self.extra: dict[str, Any] = {"read_timeout_s": 0.5}
        self.optimize_extra: dict[str, Any] | None = {"read_timeout_s": 0.5}
        self.optimize_key = OPTIMIZE_KEY
        self._opened = ExitStack()
        self._accesses: dict[str, Access] = {}
        customers.sync(conn, plan.customer_names(), plan.account_rows())

    def close(self) -> None:
        self._opened.close()

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    # Settings

    def settle(self, **extra: Any) -> None:
        """Changes the Extra of the connections to Nexus."""
        self.extra |= extra
        self._accesses.clear()

    def template(self, **sections: Any) -> None:
        """Lays these parts of sections over the template, as a deployment's own file does."""
        self._template.write_text(json.dumps(sections), "utf-8")
        self.change_network(template=self._template)

    def change_network(self, **changes: Any) -> None:
        """Changes what the deployment file says of Nexus."""
        changed = replace(self.plan.network(NETWORK), **changes)
        self.plan = replace(self.plan, networks={**self.plan.networks, NETWORK: changed})
        self._accesses.clear()

    # Consignments

    def consignment(self, role: str = "requesting", depot: str = "PGD302", **added: Any) -> int:
        """One that Nexus and we have; our depot has one `role` or "none". Its id here; `nexus_id` gives the other."""
        shown = self.nexus.one(self.nexus.add(depot=depot, role=role, **added))
        row = {
            **content(account="", service="A"),
            "requesting_depot": shown["originatingDepotCode"] or "",
            "collecting_depot": shown["collectingDepotCode"] or "",
            "delivery_depot": shown["deliveryDepotCode"] or "",
            "pallet_types": ["FULL"] * len(shown["pallets"]),
            "network": NETWORK,
            "our_roles": [name for name, field in ROLES.items() if shown[field] in OURS],
            "given": {},
        }
        head = {
            "key": f"test-{next(_keys)}", "customer": "ACME", "reference": "SO-1", "reference_2": "",
            "copied_from": None,
        }  # fmt: skip
        with self.conn.transaction():
            [made] = orders.insert(self.conn, [{**head, "consignments": [row]}], "tester", "order API")
        [consignment_id] = made.consignments
        self.conn.execute(
            "UPDATE consignments SET tracking_number = %s, consignment_number = %s, registered = true WHERE id = %s",
            (str(shown["consignmentID"]), shown["consignmentNumber"], consignment_id),
        )
        self.conn.execute(
            "UPDATE stops SET postcode = %s WHERE (consignment_id, kind) = (%s, 'delivery')",
            (shown["delAddressPostcode"], consignment_id),
        )
        return consignment_id

    def nexus_id(self, consignment_id: int) -> int:
        return int(self.one("SELECT tracking_number FROM consignments WHERE id = %s", consignment_id)[0])

    def number(self, consignment_id: int) -> str:
        return str(self.one("SELECT consignment_number FROM consignments WHERE id = %s", consignment_id)[0])

    def deliver(self, consignment_id: int, ago: timedelta = timedelta(minutes=1), *, told: bool = False) -> datetime:
        """Its delivery was completed; `told`: and Nexus took that status from us. Gives when it was."""
        at = (self.now - ago).replace(microsecond=0)
        with self.conn.transaction():
            movements.report_stop(
                self.conn,
                consignment_id,
                stop="delivery",
                event="completed",
                at=at,
                signatory="J SMITH",
                actor="tester",
            )
        if told:
            self.tell_delivered(consignment_id, at)
        return at

    def tell_delivered(self, consignment_id: int, at: datetime) -> None:
        """Nexus took DELIVERED from us."""
        self.conn.execute(
            "INSERT INTO tracking_events (consignment_id, direction, barcode, code, status, occurred_at, sent_at) "
            "VALUES (%s, 'exported', '', 'Delivered', 'DELIVERED', %s, now())",
            (consignment_id, at),
        )

    def add(
        self,
        consignment_id: int,
        kind: str,
        text: str = "1",
        *,
        source: str = "order API",
        data: bytes = b"",
        **more: Any,
    ) -> int:
        """Adds a document of ours as the order API does; its id."""
        data = data or self.image(kind, text)
        media_type = media.sniff(data) or media.JPEG
        stored = self.storage.put(data)
        with self.conn.transaction():
            [(order_id,)] = self.rows("SELECT order_id FROM consignments WHERE id = %s", consignment_id)
            given = Document(
                order_id=order_id,
                consignment_id=consignment_id,
                pallet_number=None,
                kind=kind,
                name=media.safe_name(f"{kind} {text}", media_type),
                media_type=media_type,
                size=stored.size,
                sha256=stored.sha256,
                source=source,
                actor="tester",
            )
            added = documents.add(self.conn, given._replace(**more))
            work_items.enqueue(self.conn, NETWORK, DOCUMENT_UPLOAD, [consignment_id])
        return added

    @staticmethod
    def image(kind: str, text: str, form: Media = "jpg") -> bytes:
        """A picture like no other."""
        return sample(kind, text, form)

    def attach(self, consignment_id: int, type_: str = "POD", content: bytes | None = None, **more: Any) -> str:
        """The delivering depot adds a file at Nexus; its id there."""
        [added] = self.nexus.attach(self.nexus_id(consignment_id), content, type=type_, **more)
        return str(added["id"])

    # Work

    def handlers(self) -> dict[str, Handler]:
        """New ones, as each run has."""
        return {
            DOCUMENT_FETCH: Fetcher(self.plan, self.reach, self.storage, lambda: self.now),
            DOCUMENT_UPLOAD: Uploader(self.plan, self.reach, self.storage, lambda: self.now),
            ETA_EXPORT: EtaExport(self.plan, self.optimize, lambda: self.now),
        }

    def reach(self, conn: Connection, depot: str) -> Access:
        if depot not in self._accesses:
            made = access(self.plan, self.nexus.base_url, depot, **self.extra)
            self._accesses[depot] = made
            self._opened.enter_context(made.client)
        return self._accesses[depot]

    def optimize(self) -> OptimizeClient | None:
        """None when `optimize_extra` is: there is no such connection."""
        if self.optimize_extra is None:
            return None
        made = optimizing(self.nexus.root, self.optimize_key, **self.optimize_extra)
        return self._opened.enter_context(made)

    def ask(self, consignment_id: int, kind: str = DOCUMENT_FETCH) -> None:
        """Asks for work, as a delivery or a person does."""
        with self.conn.transaction():
            work_items.enqueue(self.conn, NETWORK, kind, [consignment_id])

    def work(self, *kinds: str, limit: int = 1) -> dict[str, dict[str, int]]:
        """One run of the real queue until nothing of these kinds is due; what became of the items."""
        made = self.handlers()
        wanted = {kind: made[kind] for kind in kinds or made}
        return drain(
            lambda: connect(self.dsn),
            NETWORK,
            wanted,
            dict.fromkeys(wanted, limit),
            linger_s=0,
            most_s=60,
            stop=threading.Event(),
        )

    def fetch(self, consignment_id: int) -> None:
        """Asks for a look and works it off."""
        self.ask(consignment_id)
        self.work(DOCUMENT_FETCH)

    def advance(self, pause: timedelta) -> None:
        """Makes everything that is stored so much older, as if time had passed."""
        for table, columns in (
            ("work_items", ("due_at",)),
            ("stops", ("arrived_at", "completed_at", "started_at", "eta_from", "eta_to")),
            ("movements", ("at",)),
            ("tracking_events", ("occurred_at",)),
            ("eta_exports", ("eta_from", "refused_eta")),
        ):
            changes = ", ".join(f"{column} = {column} - %(pause)s" for column in columns)
            self.conn.execute(f"UPDATE {table} SET {changes}".encode(), {"pause": pause})

    def play_out(self, most: int = 60) -> None:
        """Lets time pass from one due item to the next until none of our kinds waits any more."""
        kinds = [DOCUMENT_FETCH, DOCUMENT_UPLOAD, ETA_EXPORT]
        for _ in range(most):
            wait_s = work_items.next_due(self.conn, NETWORK, kinds)
            if wait_s is None:
                return
            self.advance(timedelta(seconds=max(wait_s, 0) + 0.01))
            self.work()
        raise AssertionError(f"this never ends: {self.items(parked=False)}")

    # What came of it

    def items(self, *, parked: bool) -> dict[tuple[str, str], str | None]:
        """(kind, key) of what waits or is parked, and why; without the export of statuses."""
        listed = work_items.listed(self.conn, parked=parked)
        return {(one.kind, one.key): one.reason for one in listed if one.kind != "status_export"}

    def due_at(self, consignment_id: int, kind: str = DOCUMENT_FETCH) -> datetime | None:
        """When the work comes due; None when there is none."""
        listed = work_items.listed(self.conn, parked=False, kind=kind)
        return next((one.due_at for one in listed if one.key == str(consignment_id)), None)

    def documents(self, consignment_id: int) -> list[StoredDocument]:
        return documents.of_consignment(self.conn, consignment_id)

    def at_nexus(self, consignment_id: int) -> list[tuple[str, str]]:
        """Type and file name of everything Nexus has of it, in the order it came."""
        return [(one["type"], one["fileName"]) for one in self.nexus.one(self.nexus_id(consignment_id))["attachments"]]

    def hashes_at_nexus(self, consignment_id: int) -> list[str]:
        return sorted(one["sha256"] for one in self.nexus.one(self.nexus_id(consignment_id))["attachments"])

    def calls(self, operation: str = "", method: str = "") -> list[str]:
        return [f"{one['method']} {one['path']}" for one in self.nexus.requests(operation, method)]

    def uploads(self) -> int:
        """How many uploads Nexus has seen."""
        return sum(call.startswith("POST") and call.endswith("/attachments") for call in self.calls())

    def downloads(self) -> int:
        return sum("/files/" in call for call in self.calls())

    def history(self, consignment_id: int) -> list[str]:
        return [kind for (kind,) in self.rows("SELECT kind FROM activity WHERE consignment_id = %s", consignment_id)]

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.ClientCursor(self.conn) as cursor:
            return cursor.execute(query.encode(), values).fetchall()

    def one(self, query: str, *values: Any) -> tuple[Any, ...]:
        return self.rows(query, *values)[0]
