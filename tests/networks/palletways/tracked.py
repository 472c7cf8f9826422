"""What tests of statuses and notes share: consignments that Palletways and we hold, the real client, poll and queue."""

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.conftest import NOW
from tests.networks.palletforce.dispatching import content
from tests.networks.palletways.simulated import DEPOT_KEYS, SimulatedPalletways
from tests.networks.palletways.ways import access

from palletflow.deployment import Deployment
from palletflow.networks.palletways.notes_out import NotesOut
from palletflow.networks.palletways.poll import Polled, poll
from palletflow.networks.palletways.work import NETWORK, NOTES_OUT, Access
from palletflow.store import customers, movements, orders, work_items
from palletflow.store.connection import Connection, connect
from palletflow.work.drain import drain

# Requesting, collecting and delivery depot by our role; 456 and 777 are other members'.
ROUTES = {
    "delivery": ("456", "456", "123"),
    "collecting": ("456", "123", "777"),
    "requesting": ("123", "456", "777"),
    "requesting and collecting": ("123", "123", "456"),
    "both legs": ("123", "123", "124"),
}
FEED = "getNotes"
ONE_STATUS = "getDynConStatus"


class Yard:
    """A haulier's order store and queue beside a simulated Palletways; `now` is the time here and there.

    `extra`: of the connections' Extra. `tick`: how much of its own time every look at the clock takes. `lines`: what
    the last poll said.
    """

    def __init__(self, conn: Connection, dsn: str, plan: Deployment, sim: SimulatedPalletways, folder: Path) -> None:
        self.conn, self.dsn, self.plan, self.sim, self._folder = conn, dsn, plan, sim, folder
        self.now = NOW
        self.extra: dict[str, Any] = {}
        self.tick = timedelta(0)
        self.lines: list[str] = []
        self._opened = ExitStack()
        self._numbers = 0
        customers.sync(conn, plan.customer_names(), plan.account_rows())

    def close(self) -> None:
        self._opened.close()

    # Settings and time

    def queue_clock(self) -> datetime:
        """The time that handlers see: the queue's own, and what has passed here since."""
        return datetime.now(UTC) + (self.now - NOW)

    def clock(self) -> datetime:
        self.now += self.tick
        return self.now

    def later(self, **time: float) -> None:
        """Lets time pass, here and at Palletways."""
        passed = timedelta(**time)
        self.now += passed
        self.sim.advance(passed.total_seconds())

    def template(self, **sections: Any) -> None:
        """Lays these sections over the template."""
        own = self._folder / "own.yaml"
        own.write_text(json.dumps(sections))
        network = replace(self.plan.networks[NETWORK], template=own)
        self.plan = replace(self.plan, networks={**self.plan.networks, NETWORK: network})

    def switch(self, **switches: bool) -> None:
        """Changes the deployment's switches."""
        network = self.plan.networks[NETWORK]
        network = replace(network, switches=replace(network.switches, **switches))
        self.plan = replace(self.plan, networks={**self.plan.networks, NETWORK: network})

    def access(self, depot: str = "123") -> Access:
        """A new way to Palletways as a depot: a run of its own."""
        made = access(self.plan, self.sim.root, depot, DEPOT_KEYS[depot], self.clock, **self.extra)
        self._opened.enter_context(made.client)
        return made

    # Consignments

    def create(self, role: str = "requesting", **added: Any) -> str:
        """One that Palletways has and an order of ours holds; its tracking ID.

        It is due tomorrow. `added`: columns of ours, of a consignment as an order is written.
        """
        _, collecting, delivery = ROUTES[role]
        tracking_id = self.sim.add(
            role={"delivery": "delivering", "collecting": "collecting"}.get(role, "requesting"),
            at=(NOW - timedelta(hours=2)).isoformat(),
            collection_depot=collecting,
            delivery_depot=delivery,
            lifts=2,
        )
        number = self.sim.one(tracking_id)["number"]
        self.hold(tracking_id, role, **added)
        self.conn.execute(
            "UPDATE consignments SET consignment_number = %s WHERE tracking_number = %s", (number, tracking_id)
        )
        return tracking_id

    def hold(self, tracking_id: str, role: str = "requesting", *, registered: bool = True, **added: Any) -> int:
        """Lets an order of ours hold a tracking ID; the consignment's id here."""
        requesting, collecting, delivery = ROUTES[role]
        self._numbers += 1
        ours = set(self.plan.network(NETWORK).depots)
        roles = [
            name
            for name, depot in zip(("requesting", "collecting", "delivery"), ROUTES[role], strict=True)
            if depot in ours
        ]
        row = {
            **content(account="ACM001", service="PRE"), "network": NETWORK, "given": {}, "our_roles": roles,
            "requesting_depot": requesting, "collecting_depot": collecting, "delivery_depot": delivery,
            "pallet_types": ["FULL", "FULL"], "collection_date": "2026-07-13", "delivery_date": "2026-07-14", **added,
        }  # fmt: skip
        head = {
            "key": f"own-{self._numbers}", "customer": "ACME", "reference": "SO-1", "reference_2": "",
            "copied_from": None,
        }  # fmt: skip
        with self.conn.transaction():
            [made] = orders.insert(self.conn, [{**head, "consignments": [row]}], "tester", "order API")
        [consignment_id] = made.consignments
        self.conn.execute(
            "UPDATE consignments SET tracking_number = %s, registered = %s, dispatch_state = 'completed' WHERE id = %s",
            (tracking_id, registered, consignment_id),
        )
        return consignment_id

    def id(self, tracking_id: str) -> int:
        return int(self.one("SELECT id FROM consignments WHERE tracking_number = %s", tracking_id)[0])

    # What we read

    def poll(
        self,
        depot: str = "123",
        asked: tuple[datetime, datetime] | None = None,
        using: Access | None = None,
    ) -> Polled:
        self.lines = []
        return poll(
            self.conn,
            using or self.access(depot),
            self.plan,
            depot,
            asked=asked,
            clock=self.clock,
            run="test",
            actor="tester",
            report=self.lines.append,
            next_due_at=None if asked else self.now + timedelta(minutes=5),
        )

    def calls(self, after: int = 0) -> list[str]:
        """What Palletways was asked after so many calls, in order: "getNotes delta", "getDynConStatus 600..."."""
        found = []
        for call in self.sim.journal()[after:]:
            shown = call["arguments"][:1] if call["method"] == FEED else call["arguments"]
            found.append(" ".join([call["method"], *shown]))
        return found

    @property
    def asked(self) -> int:
        """How many calls there have been."""
        return len(self.sim.journal())

    # What our people report, and what Palletways is told of it

    def report(self, tracking_id: str, stop: str, event: str, at: datetime, **extra: Any) -> None:
        with self.conn.transaction():
            movements.report_stop(
                self.conn, self.id(tracking_id), stop=stop, event=event, at=at, actor="driver", **extra
            )

    def scan(self, tracking_id: str, what: str, at: datetime, *pallets: int) -> None:
        for pallet in pallets:
            with self.conn.transaction():
                movements.report_scan(
                    self.conn, self.id(tracking_id), scan=what, depot="123", at=at, actor="warehouse",
                    pallet_number=pallet,
                )  # fmt: skip

    def export(self) -> dict[str, int]:
        """One run of the real queue over everything that waits; the outcomes."""
        self.conn.execute("UPDATE work_items SET due_at = now() WHERE parked_at IS NULL AND kind = %s", (NOTES_OUT,))
        counts = drain(
            partial(connect, self.dsn),
            NETWORK,
            {NOTES_OUT: NotesOut(self.plan, lambda _, depot: self.access(depot), self.queue_clock)},
            {NOTES_OUT: 1},
            linger_s=0,
            most_s=60,
            stop=threading.Event(),
        )
        return counts.get(NOTES_OUT, {})

    def ask(self, tracking_id: str) -> None:
        """Asks for the export, as a person does who releases it."""
        with self.conn.transaction():
            work_items.enqueue(self.conn, NETWORK, NOTES_OUT, [self.id(tracking_id)])

    # What came of it

    def whereabouts(self, tracking_id: str) -> str:
        return str(self.one("SELECT lifecycle_status FROM consignments WHERE tracking_number = %s", tracking_id)[0])

    def events(self, tracking_id: str) -> list[tuple[Any, ...]]:
        """Code, our status and time of everything read, in the order it was stored."""
        return self.rows(
            "SELECT code, status, occurred_at FROM tracking_events WHERE consignment_id = %s"
            " AND direction = 'imported' ORDER BY id",
            self.id(tracking_id),
        )

    def codes(self, tracking_id: str) -> list[str]:
        return [code for code, *_ in self.events(tracking_id)]

    def delivery(self, tracking_id: str) -> tuple[Any, ...] | None:
        """When it was delivered, how well that is known, and who signed."""
        rows = self.rows(
            "SELECT delivered_at, basis, signatory FROM network_deliveries WHERE consignment_id = %s",
            self.id(tracking_id),
        )
        return rows[0] if rows else None

    def stop(self, tracking_id: str, kind: str = "delivery") -> tuple[Any, ...]:
        """When it was started and completed, how it ended, and who signed."""
        return self.one(
            "SELECT started_at, completed_at, outcome, signatory FROM stops WHERE (consignment_id, kind) = (%s, %s)",
            self.id(tracking_id), kind,
        )  # fmt: skip

    def completed(self, tracking_id: str) -> set[str]:
        rows = self.rows(
            "SELECT kind FROM stops WHERE consignment_id = %s AND completed_at IS NOT NULL", self.id(tracking_id)
        )
        return {kind for (kind,) in rows}

    def review(self, tracking_id: str) -> str | None:
        return self.one(
            "SELECT review_reason FROM orders o JOIN consignments c ON c.order_id = o.id WHERE c.id = %s",
            self.id(tracking_id),
        )[0]

    def waiting(self) -> list[tuple[str, str]]:
        """Kind and key of the work that waits."""
        return [(one.kind, one.key) for one in work_items.listed(self.conn, parked=False)]

    def parked(self) -> list[str]:
        return [one.reason or "" for one in work_items.listed(self.conn, parked=True)]

    def quarantined(self) -> list[tuple[Any, ...]]:
        """Stream, reason code and raw text of every record that was set aside."""
        return self.rows("SELECT stream, reason_code, raw FROM inbound_records WHERE outcome = 'rejected' ORDER BY id")

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.ClientCursor(self.conn) as cursor:
            return cursor.execute(query.encode(), values).fetchall()

    def one(self, query: str, *values: Any) -> tuple[Any, ...]:
        return self.rows(query, *values)[0]


@pytest.fixture
def yard(
    conn: Connection, dsn: str, plan: Deployment, palletways_sim: SimulatedPalletways, tmp_path: Path
) -> Iterator[Yard]:
    made = Yard(conn, dsn, plan, palletways_sim, tmp_path)
    yield made
    made.close()


def at(hour: int, minute: int = 0, day: int = 13) -> datetime:
    """A time of those days in London, which is an hour ahead of UTC."""
    return datetime(2026, 7, day, hour - 1, minute, tzinfo=UTC)
