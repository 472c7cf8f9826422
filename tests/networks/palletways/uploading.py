"""What tests of uploads share: photos of deliveries of ours, the real queue, and file servers on real sockets."""

import io
import itertools
import random
import threading
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from PIL import Image
from tests.networks.palletforce.dispatching import content
from tests.networks.palletways.upload_ways import upload_connection, uploader
from upath import UPath

from palletflow.deployment import Deployment
from palletflow.documents import media
from palletflow.documents.storage import Storage
from palletflow.networks.palletways.photo_upload import PhotoUpload
from palletflow.networks.palletways.simulator.files import ca_pem, host_key_line
from palletflow.networks.palletways.upload_settings import UploadSettings
from palletflow.networks.palletways.work import NETWORK, PHOTO_UPLOAD
from palletflow.store import customers, documents, orders, photo_uploads, work_items
from palletflow.store.connection import Connection, connect
from palletflow.store.documents import Document
from palletflow.store.photo_uploads import Upload
from palletflow.work.drain import drain

PROTOCOLS = ("ftp", "ftps", "sftp")
# Delivering depot by what we do there.
ROLES = {"delivery": "123", "delivery at 124": "124", "requesting": "456", "unknown": ""}
_numbers = itertools.count(1)


def photo(seed: int = 1, kind: str = "JPEG", side: int = 240, **options: Any) -> bytes:
    """A picture that looks like no other."""
    chosen = random.Random(seed)
    small = Image.frombytes("RGB", (16, 16), chosen.randbytes(16 * 16 * 3))
    out = io.BytesIO()
    small.resize((side, side), Image.Resampling.BICUBIC).save(out, kind, **options)
    return out.getvalue()


def upload_extra(protocol: str, **extra: Any) -> dict[str, Any]:
    """The Extra of a connection to one of the simulator's servers; `extra` over what the tests need."""
    known = {"sftp": {"host_key": host_key_line()}, "ftps": {"ca_bundle": ca_pem()}, "ftp": {}}[protocol]
    return {"upload_enabled_at": "2020-01-01T00:00:00+00:00", **known, **extra}


class Dock:
    """A haulier's order store, documents and queue beside file servers.

    `now` is what handlers take for the time; `extra` lies over the upload connections' Extra, `api` over those of the
    web services. A change of them counts from the next run on.
    """

    def __init__(
        self, conn: Connection, dsn: str, plan: Deployment, ports: dict[str, int], folder: Path, protocol: str = "sftp"
    ) -> None:
        self.conn, self.dsn, self.plan, self.ports, self.protocol = conn, dsn, plan, dict(ports), protocol
        self.storage = Storage(UPath(folder))
        # Later than what the queue takes for the time, which goes by the clock of the database.
        self.now = datetime.now(UTC)
        self.extra: dict[str, Any] = {}
        self.api: dict[str, Any] = {}
        self.reached = 0
        customers.sync(conn, plan.customer_names(), plan.account_rows())

    # Orders and documents

    def consignment(self, role: str = "delivery", **changed: Any) -> int:
        """The only consignment of an order of its own; its id."""
        [made] = self.order(role, **changed)
        return made

    def order(self, *roles: str, tracking_id: str | None = None) -> list[int]:
        """An order with a consignment a role; their ids."""
        rows = [
            {
                **content(account="ACM001", service="PRE"), "network": NETWORK, "given": {}, "our_roles": ["delivery"],
                "requesting_depot": "456", "collecting_depot": "456", "delivery_depot": ROLES[role],
                "pallet_types": ["FULL"], "collection_date": "2026-07-13", "delivery_date": "2026-07-14",
            }
            for role in roles
        ]  # fmt: skip
        head = {
            "key": f"own-{next(_numbers)}", "customer": "ACME", "reference": "SO-1", "reference_2": "",
            "copied_from": None, "consignments": rows,
        }  # fmt: skip
        with self.conn.transaction():
            [made] = orders.insert(self.conn, [head], "tester", "order API")
        for one in made.consignments:
            number = f"600{one:08d}" if tracking_id is None else tracking_id
            self.conn.execute(
                "UPDATE consignments SET tracking_number = nullif(%s, ''), registered = %s WHERE id = %s",
                (number, bool(number), one),
            )
        return list(made.consignments)

    def tracking_id(self, consignment_id: int) -> str:
        return str(self.one("SELECT tracking_number FROM consignments WHERE id = %s", consignment_id)[0])

    def add(
        self,
        consignment_id: int,
        data: bytes | None = None,
        *,
        kind: str = "PHOTO",
        source: str = "order API",
        to_order: bool = False,
        added_at: datetime | None = None,
        name: str = "",
    ) -> int:
        """Adds a document and asks for the work that follows, as the order API does; its id."""
        data = photo(next(_numbers)) if data is None else data
        stored = self.storage.put(data)
        [(order_id,)] = self.rows("SELECT order_id FROM consignments WHERE id = %s", consignment_id)
        document = Document(
            order_id=order_id,
            consignment_id=None if to_order else consignment_id,
            pallet_number=None,
            kind=kind,
            name=name or "goods.jpg",
            media_type=media.sniff(data) or "application/octet-stream",
            size=stored.size,
            sha256=stored.sha256,
            source=source,
            actor="tester",
        )
        with self.conn.transaction():
            added = documents.add(self.conn, document)
            if added_at:
                self.conn.execute("UPDATE documents SET created_at = %s WHERE id = %s", (added_at, added))
            concerned = [consignment_id]
            if to_order:
                concerned = [one for (one,) in self.rows("SELECT id FROM consignments WHERE order_id = %s", order_id)]
            work_items.enqueue(self.conn, NETWORK, PHOTO_UPLOAD, concerned)
        return added

    def ask(self, consignment_id: int) -> None:
        with self.conn.transaction():
            work_items.enqueue(self.conn, NETWORK, PHOTO_UPLOAD, [consignment_id])

    # The queue

    def settings(self, depot: str = "123", **extra: Any) -> UploadSettings:
        given = upload_extra(self.protocol, **{**self.extra, **extra})
        return upload_connection(self.protocol, self.ports[self.protocol], depot, **given)

    def handler(self, stack: ExitStack) -> PhotoUpload:
        """As the operator makes it for one run."""

        def connection(depot: str) -> UploadSettings:
            self.reached += 1
            return self.settings(depot)

        return uploader(self.plan, self.storage, connection, self.clock, stack, **self.api)

    def clock(self) -> datetime:
        return self.now

    def work(self, *, at_once: int = 1) -> dict[str, int]:
        """One run of the real queue over everything that is due by its own or by our clock; the outcomes."""
        self.conn.execute("UPDATE work_items SET due_at = now() WHERE parked_at IS NULL AND kind = %s", (PHOTO_UPLOAD,))
        with ExitStack() as stack:
            handler = self.handler(stack)
            counts = drain(
                partial(connect, self.dsn), NETWORK, {PHOTO_UPLOAD: handler}, {PHOTO_UPLOAD: at_once},
                linger_s=0, most_s=60, stop=threading.Event(),
            )  # fmt: skip
        return counts.get(PHOTO_UPLOAD, {})

    def later(self, **time: float) -> dict[str, int]:
        """Lets time pass and runs the queue."""
        self.now += timedelta(**time)
        return self.work()

    # What came of it

    def uploads(self, consignment_id: int) -> list[Upload]:
        return photo_uploads.of_consignment(self.conn, consignment_id)

    def upload(self, document_id: int) -> Upload | None:
        consignments = self.rows("SELECT id FROM consignments ORDER BY id")
        found = (one for (id_,) in consignments for one in self.uploads(id_) if one.document_id == document_id)
        return next(found, None)

    def states(self, consignment_id: int) -> list[str]:
        return [one.state for one in self.uploads(consignment_id)]

    def names(self, consignment_id: int) -> list[str | None]:
        return [one.name for one in self.uploads(consignment_id)]

    def waiting(self) -> list[tuple[str, str]]:
        return [(one.kind, one.key) for one in work_items.listed(self.conn, parked=False)]

    def parked(self) -> list[str]:
        return [one.reason or "" for one in work_items.listed(self.conn, parked=True)]

    def due_in(self) -> timedelta:
        """When the only item that waits comes due, from the handlers' now."""
        [item] = work_items.listed(self.conn, parked=False, kind=PHOTO_UPLOAD)
        return item.due_at - self.now

    def history(self, consignment_id: int) -> list[tuple[Any, ...]]:
        """Kind, changes and warnings of everything that was noted of uploads."""
        return self.rows(
            "SELECT kind, changes, warnings FROM activity WHERE consignment_id = %s AND source = %s ORDER BY id",
            consignment_id, "palletways photo upload",
        )  # fmt: skip

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.ClientCursor(self.conn) as cursor:
            return cursor.execute(query.encode(), values).fetchall()

    def one(self, query: str, *values: Any) -> tuple[Any, ...]:
        return self.rows(query, *values)[0]
