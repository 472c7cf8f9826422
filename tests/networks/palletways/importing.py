"""What tests of imports share: ways to a simulated Palletways, orders of our own, and the real queue."""

import itertools
import threading
from contextlib import ExitStack
from datetime import date, datetime, timedelta
from typing import Any

from tests.networks.palletways.import_access import access
from tests.networks.palletways.simulated import SimulatedPalletways

from palletflow.deployment import Deployment
from palletflow.intake.replay import replay
from palletflow.networks.palletways import csv_files, entry
from palletflow.networks.palletways.entered import Entered, import_entered
from palletflow.networks.palletways.fetch import fetch_consignment
from palletflow.networks.palletways.look_up import LookUp
from palletflow.networks.palletways.mapper import Mapper
from palletflow.networks.palletways.replay import replayer
from palletflow.networks.palletways.work import LOOK_UP, NETWORK, Access
from palletflow.store import customers, orders, quarantine, work_items
from palletflow.store.connection import Connection, connect
from palletflow.store.imports import Counts
from palletflow.work.drain import drain
from palletflow.work.minute_budget import MinuteBudget

COLLECTION = date(2026, 7, 13)
PICKUP = {
    "name": "Acme Widgets Ltd", "street": "1 Mill Road", "locality": "", "town": "Leicester", "county": "",
    "postcode": "LE1 1AA", "country": "GB", "phone": "0116 496 0101", "contact": "Despatch",
}  # fmt: skip
DELIVERY = {
    "name": "Aireside Joinery", "street": "17 Wharf Lane", "locality": "Cross Green", "town": "Leeds", "county": "",
    "postcode": "LS9 8AA", "country": "GB", "phone": "0113 496 0101", "contact": "Goods In",
}  # fmt: skip
NOWHERE = dict.fromkeys(PICKUP, "") | {"country": "GB"}
CONTENT: dict[str, Any] = {
    "tracking_number": "", "requesting_depot": "", "collecting_depot": "", "delivery_depot": "", "account": "",
    "service": "", "surcharges": [], "collection_date": None, "delivery_date": None, "weight_kg": None,
    "pallet_spaces": None, "insurance_code": "", "hub_code": "", "carton_count": None, "amazon_reference": "",
    "notes": [], "goods_description": "Parts", "notification_email": "", "notification_sms": "",
    "notification_twitter": "", "northern_ireland": {}, "additional_fields": {}, "pallet_types": [],
    "pickup": NOWHERE, "delivery": NOWHERE,
}  # fmt: skip
# What a caller gives who has more of the order than its tracking ID.
FULL = {
    "account": "ACM001", "service": "PRE", "collection_date": COLLECTION.isoformat(), "weight_kg": 850,
    "pallet_types": ["FULL", "FULL"], "pickup": PICKUP, "delivery": DELIVERY,
}  # fmt: skip
_keys = itertools.count(1)


class House:
    """A haulier's order store and queue, beside a simulated Palletways, whose clock is the time."""

    def __init__(self, conn: Connection, dsn: str, plan: Deployment, sim: SimulatedPalletways) -> None:
        self.conn, self.dsn, self.plan, self.sim = conn, dsn, plan, sim
        self.extra: dict[str, Any] = {}
        self.budget: MinuteBudget | None = None
        self._opened = ExitStack()
        self._accesses: dict[str, Access] = {}
        customers.sync(conn, plan.customer_names(), plan.account_rows())

    def close(self) -> None:
        self._opened.close()

    def settle(self, **extra: Any) -> None:
        """Changes the Extra of the connections."""
        self.extra |= extra
        self._opened.close()
        self._accesses.clear()

    def reach(self, _: Connection, depot: str) -> Access:
        if depot not in self._accesses:
            key = self.sim.keys[depot]
            self._accesses[depot] = access(self.plan, self.sim.root, depot, key, self.extra, self.budget)
            self._opened.enter_context(self._accesses[depot].client)
        return self._accesses[depot]

    @property
    def now(self) -> datetime:
        return self.sim.now()

    # What is tested

    def fetch(self, tracking_id: str, depot: str = "123") -> Counts:
        """Fetches one consignment, as the operator does."""
        way = self.reach(self.conn, depot)
        return fetch_consignment(
            self.conn, way, self.plan, tracking_id, clock=lambda: self.now, run="test", actor="ops"
        )

    def entered(self, depot: str = "123") -> Entered:
        """Imports what was entered at a depot, as the operator does."""
        way = self.reach(self.conn, depot)
        return import_entered(
            self.conn,
            way,
            self.plan,
            depot,
            clock=lambda: self.now,
            run="test",
            actor="daily",
            next_due_at=self.now + timedelta(days=1),
        )

    def work(self) -> dict[str, int]:
        """Runs the real queue until no look-up is due; what became of them."""
        outcomes = drain(
            lambda: connect(self.dsn),
            NETWORK,
            {LOOK_UP: LookUp(self.plan, self.reach, lambda: self.queue_now)},
            {LOOK_UP: 2},
            linger_s=0,
            most_s=60,
            stop=threading.Event(),
        )
        return outcomes.get(LOOK_UP, {})

    @property
    def queue_now(self) -> datetime:
        """The queue's own clock is the database's."""
        [(now,)] = self.rows("SELECT clock_timestamp()")
        return now

    def pass_time(self, time: timedelta) -> None:
        """Makes what waits so much older."""
        self.conn.execute("UPDATE work_items SET due_at = due_at - %s, created_at = created_at - %s", (time, time))

    def replay(self) -> Counts:
        """Replays everything in quarantine."""
        return replay(
            self.conn, quarantine.listed(self.conn), self.plan, lambda network, party: replayer(Mapper(self.plan)),
            lambda network: csv_files.kinds(self.plan), now=self.now, run="test", actor="jo",
        )  # fmt: skip

    # Orders

    def order(self, tracking_id: str, **given: Any) -> int:
        """Makes an order of our own with a tracking ID typed, as the order API does; its consignment's id."""
        content = {**CONTENT, "tracking_number": tracking_id, **given}
        row = {**content, "pallet_details": [{} for _ in content["pallet_types"]], "network": NETWORK}
        head = {"key": f"test-{next(_keys)}", "customer": "ACME", "reference": "SO-1", "reference_2": "",
                "copied_from": None}  # fmt: skip
        row |= {"our_roles": ["requesting"], "given": content}
        with self.conn.transaction():
            [made] = orders.insert(self.conn, [{**head, "consignments": [row]}], "tester", "order API")
            entry.written(self.conn, self.plan, made.consignments, "tester")
        return made.consignments[0]

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.conn.execute(query.encode(), values).fetchall()

    def calls(self) -> tuple[int, int]:
        """How many were made within the budget, and how many of them as background work."""
        [row] = self.rows("SELECT cardinality(starts), cardinality(background) FROM call_windows")
        return row[0], row[1]

    def held(self, consignment_id: int, *columns: str) -> tuple[Any, ...]:
        """Columns of a consignment."""
        [row] = self.rows(f"SELECT {', '.join(columns)} FROM consignments WHERE id = %s", consignment_id)
        return row

    def parked(self) -> list[str]:
        """Why look-ups were given up."""
        return [item.reason or "" for item in work_items.listed(self.conn, parked=True, network=NETWORK, kind=LOOK_UP)]
