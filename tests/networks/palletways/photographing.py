"""What tests of photo downloads share: deliveries that Palletways and we hold, and the real queue between the two."""

import itertools
import threading
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from tests.networks.palletforce.dispatching import content
from tests.networks.palletways.photo_access import access
from tests.networks.palletways.simulated import SimulatedPalletways
from upath import UPath

from palletflow.deployment import Deployment
from palletflow.documents.storage import Storage
from palletflow.networks.palletways import photo_download
from palletflow.networks.palletways.photo_download import PhotoDownload
from palletflow.networks.palletways.work import NETWORK, PHOTO_BACKOFF, PHOTO_DOWNLOAD, Access
from palletflow.orders.consignment import roles
from palletflow.store import customers, documents, orders, photo_windows, quarantined_files, work_items
from palletflow.store.connection import Connection, connect
from palletflow.store.documents import StoredDocument
from palletflow.store.photo_windows import PhotoWindow
from palletflow.store.quarantined_files import KeptFile
from palletflow.work.drain import drain
from palletflow.work.minute_budget import MinuteBudget

# Times that are stored, by table; "[]" behind a column that holds several.
STORED_TIMES = {
    "work_items": ("due_at",),
    "photo_windows": ("begun_at", "attempted_at"),
    "photo_asks": ("asked_at",),
    "photo_starts": ("started_at",),
    "quarantined_files": ("received_at", "seen_at"),
    "alerts": ("raised_at",),
    "call_windows": ("starts[]", "background[]", "probe_at", "unanswered_at", "paused_until", "careful_until"),
}
_keys = itertools.count(1)


class PhotoHouse:
    """A haulier's order store and queue, beside a simulated Palletways that stands still.

    `advance` moves its clock and ages everything that is stored, as if that time had passed.
    """

    def __init__(self, conn: Connection, dsn: str, plan: Deployment, sim: SimulatedPalletways, folder: Path) -> None:
        self.conn, self.dsn, self.plan, self.sim = conn, dsn, plan, sim
        self.storage = Storage(UPath(folder))
        self.folder = folder
        self.extra: dict[str, Any] = {}
        self.budget: MinuteBudget | None = None
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
        """Changes the Extra of the connections; None takes a key out."""
        self.extra |= extra
        self._accesses.clear()

    def template(self, text: str) -> None:
        """Lays this over the template, as a deployment's own file does."""
        file = self.folder.with_name("palletways.yaml")
        file.write_text(text, "utf-8")
        changed = replace(self.plan.network(NETWORK), template=file)
        self.plan = replace(self.plan, networks={**self.plan.networks, NETWORK: changed})
        self._accesses.clear()

    def reach(self, conn: Connection, depot: str) -> Access:
        if depot not in self._accesses:
            key = self.sim.keys[depot]
            made = access(self.plan, self.sim.root, depot, key, self.extra, lambda _: None, self.budget)
            self._accesses[depot] = made
            self._opened.enter_context(made.client)
        return self._accesses[depot]

    # Consignments

    def consignments(self, count: int = 1, **added: Any) -> list[int]:
        """Some that Palletways and we have; their ids here, in the order of `tracking_id`s there."""
        shown = [self.sim.one(number) for number in self.sim.add_many(count=count, **added)]
        rows = [self._row(one) for one in shown]
        made = []
        with self.conn.transaction():
            for one, row in zip(shown, rows, strict=True):
                [order] = orders.insert(self.conn, [{**self._head(), "consignments": [row]}], "tester", "order API")
                [consignment_id] = order.consignments
                self.conn.execute(
                    "UPDATE consignments SET tracking_number = %s, consignment_number = %s, registered = true "
                    "WHERE id = %s",
                    (one["tracking_id"], one["number"], consignment_id),
                )
                made.append(consignment_id)
        return made

    def consignment(self, **added: Any) -> int:
        return self.consignments(**added)[0]

    def order_with(self, tracking_id: str) -> int:
        """Another order that holds a tracking ID, as somebody typed it; the consignment's id."""
        with self.conn.transaction():
            row = self._row(self.sim.one(tracking_id))
            [order] = orders.insert(self.conn, [{**self._head(), "consignments": [row]}], "tester", "order API")
            self.conn.execute(
                "UPDATE consignments SET tracking_number = %s WHERE order_id = %s", (tracking_id, order.id)
            )
        return int(order.consignments[0])

    def tracking_id(self, consignment_id: int) -> str:
        return str(self.one("SELECT tracking_number FROM consignments WHERE id = %s", consignment_id)[0])

    def deliver(self, consignment_id: int, ago: timedelta | None = timedelta(minutes=1), **status: Any) -> None:
        """Palletways shows it as completed, and we see that for the first time now; `ago`: when it was, if known."""
        self.sim.status(self.tracking_id(consignment_id), 900, **status)
        self.begin(consignment_id, ago)

    def begin(self, consignment_id: int, ago: timedelta | None = timedelta(minutes=1)) -> None:
        """We first see that it is completed, and that it was so long `ago`."""
        now = self.now
        with self.conn.transaction():
            photo_download.begin(
                self.conn,
                consignment_id,
                self.reach(self.conn, "123").client.settings,
                completed_at=None if ago is None else now - ago,
                seen_at=now,
            )

    def delivered(self, *pages: tuple[str, float], **added: Any) -> int:
        """A consignment that has just been delivered; Palletways shows these pages so many seconds later."""
        one = self.consignment(**added)
        for label, seconds in pages:
            self.sim.photo(self.tracking_id(one), labels=[label], after_s=seconds)
        self.deliver(one)
        return one

    # Work

    def work(self, limit: int = 1) -> dict[str, int]:
        """One run of the real queue until nothing is due; how often each outcome came."""
        handler = PhotoDownload(self.plan, self.reach, self.storage, lambda: self.now)
        counts = drain(
            lambda: connect(self.dsn),
            NETWORK,
            {PHOTO_DOWNLOAD: handler},
            {PHOTO_DOWNLOAD: limit},
            linger_s=0,
            most_s=120,
            stop=threading.Event(),
            backoffs={PHOTO_DOWNLOAD: PHOTO_BACKOFF},
        )
        return counts.get(PHOTO_DOWNLOAD, {})

    def fetch_now(self, *tracking_ids: str) -> dict[str, str]:
        """What a person asks for at once."""
        return photo_download.fetch_now(
            self.conn, self.reach, self.plan, self.storage, tracking_ids, clock=lambda: self.now, actor="jo"
        )

    def advance(self, pause: timedelta) -> None:
        """Lets time pass."""
        self.sim.advance(pause.total_seconds())
        self.age(self.conn, pause)

    @staticmethod
    def age(conn: Connection, pause: timedelta) -> None:
        """Makes everything that is stored so much older."""
        for table, columns in STORED_TIMES.items():
            changes = ", ".join(
                f"{column[:-2]} = ARRAY(SELECT at - %(pause)s FROM unnest({column[:-2]}) at ORDER BY at)"
                if column.endswith("[]")
                else f"{column} = {column} - %(pause)s"
                for column in columns
            )
            conn.execute(f"UPDATE {table} SET {changes}".encode(), {"pause": pause})

    def advance_to_due(self) -> bool:
        """Lets time pass until something is due; False when nothing waits."""
        wait_s = work_items.next_due(self.conn, NETWORK, [PHOTO_DOWNLOAD])
        if wait_s is None:
            return False
        self.advance(timedelta(seconds=max(wait_s, 0) + 0.001))
        return True

    def play_out(self, most: int = 60) -> list[float]:
        """Works and lets time pass until nothing waits any more; the minutes that had passed before each run."""
        minutes, passed, begun = [], 0.0, self.sim.now()
        for _ in range(most):
            if not self.advance_to_due():
                return minutes
            passed = (self.sim.now() - begun).total_seconds() / 60
            minutes.append(round(passed, 1))
            self.work()
        raise AssertionError(f"this never ends: {work_items.listed(self.conn, parked=False)}")

    # What came of it

    def window(self, consignment_id: int) -> PhotoWindow | None:
        return photo_windows.of_consignment(self.conn, consignment_id)

    def state(self, consignment_id: int) -> str | None:
        window = self.window(consignment_id)
        return window.state if window else None

    def waiting(self) -> dict[str, str | None]:
        """Consignments whose work waits, and why if an attempt failed."""
        return {one.key: one.reason for one in work_items.listed(self.conn, parked=False, kind=PHOTO_DOWNLOAD)}

    def parked(self) -> dict[str, str | None]:
        return {one.key: one.reason for one in work_items.listed(self.conn, parked=True, kind=PHOTO_DOWNLOAD)}

    def documents(self, consignment_id: int) -> list[StoredDocument]:
        return documents.of_consignment(self.conn, consignment_id)

    def hashes(self, consignment_id: int) -> list[str]:
        return [document.sha256.hex() for document in self.documents(consignment_id)]

    def shown_hashes(self, consignment_id: int) -> list[str]:
        """Of the photos that Palletways has of it."""
        return [photo["sha256"] for photo in self.sim.one(self.tracking_id(consignment_id))["photos"]]

    def quarantined(self) -> list[KeptFile]:
        return quarantined_files.listed(self.conn, NETWORK)

    def reasons(self) -> list[str]:
        return sorted(kept.reason for kept in self.quarantined())

    def alerts(self) -> list[str]:
        return [subject for (subject,) in self.rows("SELECT subject FROM alerts ORDER BY raised_at")]

    def calls(self, method: str) -> int:
        return len(self.sim.journal(method))

    def history(self, consignment_id: int, *, of_documents: bool = False) -> list[str]:
        """Kinds of entries about photos, in order."""
        kinds = self.rows("SELECT kind FROM activity WHERE consignment_id = %s ORDER BY id", consignment_id)
        left = {"created", *(() if of_documents else ("document added",))}
        return [kind for (kind,) in kinds if kind not in left]

    def said(self, consignment_id: int, kind: str) -> list[str]:
        """What entries of a kind say of photos."""
        query = "SELECT changes->'photos'->>1 FROM activity WHERE consignment_id = %s AND kind = %s ORDER BY id"
        return [said for (said,) in self.rows(query, consignment_id, kind)]

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.ClientCursor(self.conn) as cursor:
            return cursor.execute(query.encode(), values).fetchall()

    def one(self, query: str, *values: Any) -> tuple[Any, ...]:
        return self.rows(query, *values)[0]

    @staticmethod
    def _head() -> dict[str, Any]:
        return {
            "key": f"photos-{next(_keys)}", "customer": "ACME", "reference": "SO-1", "reference_2": "",
            "copied_from": None,
        }  # fmt: skip

    def _row(self, shown: dict[str, Any]) -> dict[str, Any]:
        depots = (shown["depot"], shown["collection_depot"], shown["delivery_depot"])
        requesting, collecting, delivery = depots
        return {
            **content(account=shown["account"], service="PRE"),
            "requesting_depot": requesting,
            "collecting_depot": collecting,
            "delivery_depot": delivery,
            "our_roles": roles(frozenset(self.plan.network(NETWORK).depots), *depots),
            "network": NETWORK,
            "pallet_types": ["FULL"],
            "given": {},
        }
