"""Nexus's part of the night: Pall-Ex and Fortec."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from soak.house import Control
from soak.traffic.people import Diary, Order, OrderApi, happens, minutes, picture

NETWORK = "nexus"
LONDON = ZoneInfo("Europe/London")
DEPOTS = ("PGD302", "UKD101", "FTD201")
# So often an hour.
BOOKED, ORDERED, WALKED, CANCELLED, DELIVERED = 6.0, 8.0, 6.0, 1.5, 6.0
SPOILT_SHARE = 0.08
SPOILT = ({"createdDate": "some day"}, {"pallets": "two"}, {"delAddressPostcode": None},
          {"consignmentNumber": ""}, {"deliveryService": None})  # fmt: skip
# Resource, origin, who requests, and who may deliver for us.
SIDES = (("PALLEX_OUT", "PALLEX", ("PGD302", "UKD101"), "UKD115"), ("FORTEC_OUT", "FORTEC", ("PGD302",), "FTD205"))
RECEIVER = {"name": "Ancoats Receivers Ltd", "street": "2 High Street", "town": "Manchester", "postcode": "M11 1AA",
            "phone": "0161 496 0001", "contact": "Goods In"}  # fmt: skip
SCANS = ("Collected", "At Hub", "At Delivery Depot", "Out for Delivery")
# Files of other depots' deliveries: type, and minutes after the delivery.
FILES = (("MPOD", 2), ("POD", 12), ("MPODPHOTOE", 4))
OURS = ("SIGNATURE", "POD", "PHOTO")


class Nexus:
    """What other members and the network do; orders, deliveries and documents of ours."""

    def __init__(self, control: Control, api: OrderApi, rng: random.Random, prefix: str) -> None:
        self._control, self._api, self._rng, self._prefix = control, api, rng, prefix
        self._diary = Diary()
        self._count = 0
        self.orders: dict[str, Order] = {}
        self.delivered: dict[int, Order] = {}  # by consignment id: what our people delivered for others

    def begin(self, now: datetime) -> None:
        """Nothing: the network's own traffic was there before."""

    def step(self, now: datetime) -> None:
        """One minute."""
        for happening, an_hour in (
            (self._book, BOOKED),
            (self._order, ORDERED),
            (self._walk, WALKED),
            (self._cancel, CANCELLED),
            (self._deliver, DELIVERED),
        ):
            for _ in range(happens(self._rng, an_hour)):
                happening(now)
        self._diary.step(now)

    def _book(self, _: datetime) -> None:
        body: dict[str, Any] = {"depot": self._rng.choice(DEPOTS), "role": self._rng.choice(("delivery", "requesting"))}
        if self._rng.random() < SPOILT_SHARE:
            body["overrides"] = self._rng.choice(SPOILT)
        self._control.post("consignments", body)

    # Orders of ours

    def _order(self, now: datetime) -> None:
        self._count += 1
        resource, origin, requesting, elsewhere = self._rng.choice(SIDES)
        order = Order(f"{self._prefix}-NX-{self._count:04d}", NETWORK, self._rng.choice((1, 1, 2, 3)))
        self.orders[order.key] = order
        consignment = {
            "network": NETWORK, "requesting_depot": self._rng.choice(requesting), "delivery_depot": elsewhere,
            "service": self._rng.choice("AB"), "collection_date": _collected(now), "weight_kg": 850,
            "pallet_types": ["FULL"] * order.pallets, "goods_description": "Parts",
            "notification_email": "goods.in@example.com", "additional_fields": {"nexus_origin": origin},
            "delivery": RECEIVER,
        }  # fmt: skip
        if self._rng.random() < 0.08:
            consignment["service"] = "SD"  # which needs a day of its own
        body = {"key": order.key, "customer": "ACME", "reference": order.key, "consignments": [consignment]}
        self._api("POST", "orders", body)

        def dispatch(_: datetime) -> None:
            if not order.cancelled:
                self._api.dispatch(order, resource)

        self._diary.later(now + minutes(self._rng, 0, 20), dispatch)

    def _cancel(self, _: datetime) -> None:
        """An order of ours that has not been collected."""
        there = [order for order in self.orders.values() if not order.cancelled and not order.reports]
        if there:
            order = self._rng.choice(there)
            order.cancelled = True
            self._api("POST", f"orders/{order.key}/cancel", {"reason": "The customer does not need it any more"})

    def _walk(self, now: datetime) -> None:
        """An order of ours is collected by our people and delivered by another member."""
        waiting = [order for order in self.orders.values() if order.completed and not order.cancelled]
        waiting = [order for order in waiting if not order.reports]
        if not waiting:
            return
        order = self._rng.choice(waiting)
        shown = self._api("GET", f"orders/{order.key}")["consignments"][0]
        if not shown["registered"]:
            return
        if "collecting" in shown["our_roles"]:
            at = now.replace(microsecond=0)
            report = {"order": order.key, "stop": "pickup", "event": "completed", "at": at.isoformat()}
            self._api.tell(stops=[report])
            order.reports.append(("pickup", "completed", at, None))
        else:
            order.reports.append(("pickup", "network", now, None))
        number = shown["tracking_number"]
        for place, status in enumerate(SCANS, 1):
            self._diary.later(now + timedelta(minutes=6 * place), self._scanned(number, status))
        delivered = now + timedelta(minutes=35)
        self._diary.later(delivered, self._scanned(number, "Delivered"))
        for type_, after in FILES:
            self._diary.later(delivered + timedelta(minutes=after), self._attached(number, type_))

    def _scanned(self, number: str, status: str) -> Callable[[datetime], None]:
        body = {"status": status, "signatory": "J SMITH" if status == "Delivered" else None}
        return lambda at: self._control.post(f"consignments/{number}/scan", {**body, "dateTime": at.isoformat()})

    def _attached(self, number: str, type_: str) -> Callable[[datetime], None]:
        return lambda _: self._control.post(f"consignments/{number}/attachments", {"type": type_})

    # Deliveries of ours for others

    def _deliver(self, now: datetime) -> None:
        held = self._control.get("consignments")["consignments"]
        there = [
            one
            for one in held
            if one["deliveryDepotCode"] in DEPOTS
            and one["originatingDepotCode"] not in DEPOTS
            and one["status"]["name"] not in ("Cancelled", "Delivered")
            and one["consignmentID"] not in self.delivered
        ]
        if not there:
            return
        one = self._rng.choice(there)
        found = self._api("GET", "orders", tracking_number=str(one["consignmentID"]))["orders"]
        if not found:
            return
        order = Order(f"~{found[0]['id']}", NETWORK, len(one["pallets"]) if isinstance(one["pallets"], list) else 0)
        self.delivered[one["consignmentID"]] = order
        pointed = {"order": order.key, "stop": "delivery"}
        expected = now.replace(microsecond=0) + minutes(self._rng, 40, 90)
        eta = {**pointed, "eta_from": expected.isoformat(), "eta_to": (expected + timedelta(hours=1)).isoformat()}
        route = {**pointed, "route": f"N-{now:%d%H}", "sequence": self._rng.randint(1, 30)}
        self._api.tell(routes=[route], etas=[eta])
        self._diary.later(now + minutes(self._rng, 20, 60), lambda at: self._handed_over(order, at))

    def _handed_over(self, order: Order, now: datetime) -> None:
        at = now.replace(microsecond=0)
        report = {"order": order.key, "stop": "delivery", "event": "completed", "at": at.isoformat(),
                  "outcome": "CLEAN", "signatory": "J SMITH"}  # fmt: skip
        self._api.tell(stops=[report])
        order.reports.append(("delivery", "completed", at, "CLEAN"))
        for kind in OURS:
            self._diary.later(now + minutes(self._rng, 0, 25), self._documented(order, kind))

    def _documented(self, order: Order, kind: str) -> Callable[[datetime], None]:
        def add(_: datetime) -> None:
            data = picture(f"{self._prefix} {order.key} {kind}", 500)
            name = f"{kind.lower()}.jpg"
            shown = self._api("POST", f"orders/{order.key}/documents", data, kind=kind, name=name)
            order.photos.append(shown["sha256"])

        return add


def _collected(now: datetime) -> str:
    day = now.astimezone(LONDON).date() + timedelta(days=2)
    while day.weekday() > 3:
        day += timedelta(days=1)
    return day.isoformat()
