"""Palletways's part of the night."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from soak.house import PSIEF_COLUMNS, Control
from soak.traffic.people import Diary, NotTaken, Order, OrderApi, drop, happens, minutes, picture

NETWORK = "palletways"
DEPOTS = ("123", "124")
# So often an hour.
BOOKED, LEARNT, ORDERED, WALKED, DELIVERED = 8.0, 14.0, 6.0, 6.0, 8.0
ACCOUNTS = {"ACME": "123", "AIRESIDE": "124"}
RECEIVER = {"name": "Ancoats Receivers Ltd", "street": "2 High Street", "town": "Manchester", "postcode": "M11 1AA",
            "phone": "0161 496 0001", "contact": "Goods In"}  # fmt: skip
COLLECTION = {"name": "Aireside Joinery Ltd", "street": "17 Wharf Lane", "town": "Leeds", "postcode": "LS9 8AA",
              "phone": "0113 496 0101"}  # fmt: skip
COMPLETE = 900
COURSE = (300, 350, 500, 550, 700, 800)
WIDTH = 70


class Palletways:
    """What other members and the network do; how we learn of their consignments; orders and photos of ours."""

    def __init__(self, control: Control, api: OrderApi, files: Path, rng: random.Random, prefix: str) -> None:
        self._control, self._api, self._rng, self._prefix = control, api, rng, prefix
        self._files = files / NETWORK
        self._diary = Diary()
        self._count = 0
        self.orders: dict[str, Order] = {}
        self.learnt: dict[str, str] = {}  # tracking ID: how we were told of it
        self.delivered: dict[str, Order] = {}  # by tracking ID: what our people delivered
        self.dropped: dict[str, int] = {}
        self._walked: set[str] = set()

    def begin(self, now: datetime) -> None:
        """Nothing: the network's own traffic was there before."""

    def step(self, now: datetime) -> None:
        """One minute."""
        for happening, an_hour in (
            (self._book, BOOKED),
            (self._learn, LEARNT),
            (self._order, ORDERED),
            (self._walk, WALKED),
            (self._deliver, DELIVERED),
        ):
            for _ in range(happens(self._rng, an_hour)):
                happening(now)
        self._diary.step(now)

    def _book(self, _: datetime) -> None:
        body = {"depot": self._rng.choice(DEPOTS), "role": self._rng.choice(("delivering", "requesting", "delivering"))}
        self._control.post("consignments", body)

    def _held(self) -> list[Any]:
        held = self._control.get("consignments")["consignments"]
        return [one for one in held if one["tracking_id"]]

    # How we learn of a consignment: somebody types its number, or a file has it

    def _learn(self, now: datetime) -> None:
        there = [
            one
            for one in self._held()
            if one["tracking_id"] not in self.learnt
            and {one["depot"], one["collection_depot"], one["delivery_depot"]} & set(DEPOTS)
            and not one["reference"].startswith("PLF")
        ]
        if not there:
            return
        self._count += 1
        if self._rng.random() < 0.5:
            self._type(self._rng.choice(there))
        else:
            self._drop(self._rng.sample(there, min(len(there), self._rng.randint(1, 4))))

    def _type(self, one: Any) -> None:
        self.learnt[one["tracking_id"]] = "typed"
        consignment = {
            "network": NETWORK, "tracking_number": one["tracking_id"], "pallet_types": ["FULL"], "delivery": RECEIVER,
        }  # fmt: skip
        key = f"{self._prefix}-PW-T{self._count:04d}"
        self._api("POST", "orders", {"key": key, "customer": "ACME", "reference": key, "consignments": [consignment]})

    def _drop(self, several: list[Any]) -> None:
        name = f"{self._prefix}-PW-{self._count:04d}.csv"
        rows = [_psief_row(one) for one in several]
        for one in several:
            self.learnt[one["tracking_id"]] = name
        if self._rng.random() < 0.3:
            bad = list(rows[0])
            bad[PSIEF_COLUMNS["tracking_id"] - 1] = "no number"
            rows.append(bad)
        drop(self._files, name, rows)
        self.dropped[name] = len(several)

    # Orders of ours

    def _order(self, now: datetime) -> None:
        self._count += 1
        customer = self._rng.choice(list(ACCOUNTS))
        order = Order(f"{self._prefix}-PW-{self._count:04d}", NETWORK, self._rng.choice((1, 1, 2, 3)))
        self.orders[order.key] = order
        consignment = {
            "network": NETWORK, "requesting_depot": ACCOUNTS[customer], "service": self._rng.choice(("PRE", "ECO")),
            "weight_kg": 640, "pallet_types": self._rng.choices(("FULL", "HALF"), k=order.pallets),
            "delivery": RECEIVER, **({} if customer == "ACME" else {"pickup": COLLECTION}),
        }  # fmt: skip
        if self._rng.random() < 0.08:
            consignment["service"] = "NONE"
        body = {"key": order.key, "customer": customer, "reference": order.key, "consignments": [consignment]}
        if not self._entered(body):
            del self.orders[order.key]
            return
        self._diary.later(now + minutes(self._rng, 0, 20), lambda _: self._api.dispatch(order, "PALLETWAYS_OUT"))

    def _entered(self, body: Any) -> bool:
        """A service that nobody knows is refused at entry."""
        try:
            self._api("POST", "orders", body)
        except NotTaken:
            if body["consignments"][0]["service"] == "NONE":
                return False
            raise
        return True

    # Deliveries by others for us, with photos that appear by and by

    def _walk(self, now: datetime) -> None:
        there = [
            one
            for one in self._held()
            if one["delivery_depot"] not in DEPOTS
            and one["statuses"][-1]["code"] != COMPLETE
            and one["tracking_id"] not in self._walked
            and (one["tracking_id"] in self.learnt or one["reference"].startswith("PLF"))
        ]
        if not there:
            return
        tracking_id = self._rng.choice(there)["tracking_id"]
        self._walked.add(tracking_id)
        for place, code in enumerate(COURSE):
            self._diary.later(now + timedelta(minutes=4 * place), self._reached(tracking_id, code))
        done = now + timedelta(minutes=4 * len(COURSE))
        self._diary.later(done, self._reached(tracking_id, COMPLETE))
        for after in (0, 3, 12)[: self._rng.randint(0, 3)]:
            self._diary.later(done + timedelta(minutes=after), self._pictured(tracking_id))

    def _reached(self, tracking_id: str, code: int) -> Callable[[datetime], None]:
        return lambda at: self._control.post(f"consignments/{tracking_id}/status", {"code": code, "at": at.isoformat()})

    def _pictured(self, tracking_id: str) -> Callable[[datetime], None]:
        return lambda _: self._control.post(f"consignments/{tracking_id}/photos", {})

    # Deliveries of ours

    def _deliver(self, now: datetime) -> None:
        there = [
            one
            for one in self._held()
            if one["delivery_depot"] in DEPOTS
            and one["tracking_id"] in self.learnt
            and one["tracking_id"] not in self.delivered
        ]
        if not there:
            return
        one = self._rng.choice(there)
        found = self._api("GET", "orders", tracking_number=one["tracking_id"])["orders"]
        if not found:
            return
        order = Order(f"~{found[0]['id']}", NETWORK, 0)
        self.delivered[one["tracking_id"]] = order
        at = now.replace(microsecond=0)
        arrived = {"order": order.key, "stop": "delivery", "event": "arrived", "at": at.isoformat()}
        done = {**arrived, "event": "completed", "at": (at + timedelta(minutes=1)).isoformat(), "signatory": "J SMITH"}
        self._api.tell(stops=[arrived, done])
        order.reports += [
            ("delivery", "arrived", at, None),
            ("delivery", "completed", at + timedelta(minutes=1), "CLEAN"),
        ]
        for number in range(self._rng.randint(1, 3)):
            self._diary.later(now + minutes(self._rng, 0, 20), self._photographed(order, one["tracking_id"], number))

    def _photographed(self, order: Order, tracking_id: str, number: int) -> Callable[[datetime], None]:
        def add(_: datetime) -> None:
            data = picture(f"{tracking_id} {number}", 800)
            named = {"kind": "PHOTO", "name": f"delivery {number}.jpg"}
            shown = self._api("POST", f"orders/{order.key}/documents", data, **named)
            order.photos.append(shown["sha256"])

        return add


def _psief_row(one: Any) -> list[str]:
    columns = {
        "tracking_id": one["tracking_id"], "account": one["account"], "lifts": "1", "requesting_depot": one["depot"],
        "collecting_depot": one["collection_depot"], "delivery_depot": one["delivery_depot"],
    }  # fmt: skip
    row = [""] * WIDTH
    for name, value in columns.items():
        row[PSIEF_COLUMNS[name] - 1] = value
    row[59], row[60], row[68] = RECEIVER["name"], RECEIVER["street"], RECEIVER["postcode"]
    return row
