"""Palletforce's part of the night."""

import random
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from soak.house import Control
from soak.traffic.people import Diary, Order, OrderApi, drop, happens, minutes

NETWORK = "palletforce"
LONDON = ZoneInfo("Europe/London")
DEPOTS = ("900", "901", "902")
# So often an hour.
BOOKED, CHANGED, ORDERED, FILED, REPORTED = 36.0, 6.0, 10.0, 3.0, 8.0
HISTORY = 150
# Orders that bring a number of their own. Then what every so many bookings is: entered and not released, spoilt in one
# field, no consignment at all.
NUMBERED_SHARE, UNACCEPTED_SHARE, SPOILT_SHARE, GARBAGE_SHARE = 0.15, 0.06, 0.04, 0.02
SPOILT = ({"weight": "heavy"}, {"deliveryAddress.postcode": None}, {"serviceName": ""}, {"trackingNumber": "17"},
          {"pallets": "two"}, {"datesAndTimes": [{"dateTimeType": "COLD", "value": "tomorrow"}]})  # fmt: skip
# Receivers at depots of others, and at ours.
RECEIVERS = (
    {"name": "Ancoats Receivers Ltd", "street": "2 High Street", "town": "Manchester", "postcode": "M11 1AA",
     "phone": "0161 496 0001"},
    {"name": "Soar Valley Receivers", "street": "3 Mill Lane", "town": "Leicester", "postcode": "LE1 2AA",
     "phone": "0116 496 0002"},
    {"name": "Aire Bank Stores", "street": "5 Wharf Street", "town": "Leeds", "postcode": "LS9 8AA",
     "phone": "0113 496 0003"},
)  # fmt: skip
CUSTOMERS = {"ACME": "900", "SOARTILES": "900", "AIRESIDE": "901", "SEVERNSIDE": "902"}
COLLECTION = {"name": "Northern Works", "street": "1 Mill Road", "town": "Leeds", "postcode": "LS9 0AA",
              "phone": "0113 496 0009"}  # fmt: skip
DELIVERED = ("SCOT", "ARRH", "SRID", "ARRD", "DELV", "ARDL")


class Palletforce:
    """Bookings, changes and statuses of the network; orders, files and reports of ours."""

    def __init__(self, control: Control, api: OrderApi, files: Path, rng: random.Random, prefix: str) -> None:
        self._control, self._api, self._rng, self._prefix = control, api, rng, prefix
        self._files = files / NETWORK
        self._diary = Diary()
        self._count = 0
        self.orders: dict[str, Order] = {}
        self.dropped: dict[str, int] = {}  # name of a file: how many orders its good rows hold
        self.filed: list[str] = []  # references that a file brought

    def begin(self, now: datetime) -> None:
        """What was there before the night."""
        self._control.post(
            "consignments",
            {"count": HISTORY, "from": (now - timedelta(hours=20)).isoformat(), "to": now.isoformat()},
        )

    def step(self, now: datetime) -> None:
        """One minute."""
        rng = self._rng
        for _ in range(happens(rng, BOOKED)):
            self._book()
        for happening, an_hour in (
            (self._change, CHANGED),
            (self._order, ORDERED),
            (self._file, FILED),
            (self._deliver, REPORTED),
        ):
            for _ in range(happens(rng, an_hour)):
                happening(now)
        self._diary.step(now)

    # The network

    def _book(self) -> None:
        depot, fate = self._rng.choice(DEPOTS), self._rng.random()
        body: dict[str, Any] = {"depot": depot}
        if fate < GARBAGE_SHARE:
            self._control.post("consignments", {"depot": depot, "raw": {"what": f"is this {self._rng.random()}"}})
            return
        if fate < GARBAGE_SHARE + SPOILT_SHARE:
            body["overrides"] = self._rng.choice(SPOILT)
        elif fate < GARBAGE_SHARE + SPOILT_SHARE + UNACCEPTED_SHARE:
            body["consignmentStatus"] = "UNACCEPTED"
        self._control.post("consignments", body)

    def _change(self, _: datetime) -> None:
        """Something about a consignment that is there already."""
        held = self._control.get("consignments")["consignments"]
        one = self._rng.choice([entry for entry in held if entry["consignmentStatus"] != "CANCELLED"])
        if one["consignmentStatus"] == "UNACCEPTED":
            change: Mapping[str, Any] = {"consignmentStatus": "ACCEPTED"}
        else:
            change = self._rng.choice(
                (
                    {"serviceName": self._rng.choice("ABC")},
                    {"deliveryDepot": self._rng.choice(DEPOTS)},
                    {"cancel": True},
                )
            )
        self._control.post("change", {"trackingNumber": one["trackingNumber"], **change})

    # Customers

    def _order(self, now: datetime) -> None:
        rng = self._rng
        self._count += 1
        customer = rng.choice(list(CUSTOMERS))
        types = rng.choices("FHQ", k=rng.choice((1, 1, 2, 3)))
        receiver = rng.choice(RECEIVERS)
        spoilt = rng.random() < 0.08
        consignment: dict[str, Any] = {
            "network": NETWORK, "requesting_depot": CUSTOMERS[customer], "service": rng.choice("AAB"),
            "collection_date": _day(now), "weight_kg": rng.randrange(100, 900), "pallet_types": types,
            "delivery": {**receiver, "phone": "000"} if spoilt else receiver, "pickup": COLLECTION,
        }  # fmt: skip
        if rng.random() < NUMBERED_SHARE:
            consignment["tracking_number"] = f"{CUSTOMERS[customer]}555{self._count:07d}"
        order = self._known(Order(f"{self._prefix}-PF-{self._count:04d}", NETWORK, len(types)))
        self._api("POST", "orders", self._entered(order, customer, consignment))
        automatic = customer == "ACME" and rng.random() < 0.5
        resource = "PALLETFORCE_AUTO" if automatic else "PALLETFORCE_OUT"
        self._diary.later(
            now + minutes(rng, 0, 20), lambda _: self._api.dispatch(order, resource, completes=not automatic)
        )

    def _known(self, order: Order) -> Order:
        self.orders[order.key] = order
        return order

    def _entered(self, order: Order, customer: str, consignment: Mapping[str, Any]) -> dict[str, Any]:
        return {"key": order.key, "customer": customer, "reference": order.key, "consignments": [consignment]}

    def _file(self, now: datetime) -> None:
        """Orders of customers, or the delivery manifest; sometimes with rows that are wrong."""
        self._count += 1
        name = f"{self._prefix}-{self._count:04d}.csv"
        rows = [_order_row(f"{self._prefix}-F{self._count:04d}-{n}", now) for n in range(self._rng.randint(1, 4))]
        good = [row["orderReference"] for row in rows]
        if self._rng.random() < 0.4:
            rows.append({**rows[0], "orderReference": f"{name} bad", "customerCode": "NOBODY"})
        if self._rng.random() < 0.1:
            rows = [{"nothing": "of it", "is": "known"}]
            good = []
        drop(self._files, name, [list(rows[0]), *(row.values() for row in rows)])
        self.dropped[name] = len(good)
        self.filed += good

    # Our people and the members at the other end

    def _deliver(self, now: datetime) -> None:
        """The next thing that happens to an order of ours that the network has."""
        waiting = [order for order in self.orders.values() if order.completed and len(order.reports) < 2]
        if not waiting:
            return
        order = self._rng.choice(waiting)
        shown = self._api("GET", f"orders/{order.key}")["consignments"][0]
        if not shown["registered"]:
            return
        if not order.reports:
            self._report(order, "pickup", now, None)
            return
        if "delivery" in shown["our_roles"]:
            route = {
                "order": order.key,
                "stop": "delivery",
                "route": f"R-{now:%H}",
                "sequence": self._rng.randint(1, 30),
            }
            self._api("POST", "movements", {"routes": [route]})
            self._report(order, "delivery", now, self._rng.choice(("CLEAN", "CLEAN", "DAMAGED")))
            return
        order.reports.append(("delivery", "network", now, None))
        number = shown["tracking_number"]
        for place, code in enumerate((*DELIVERED, self._rng.choice(("POD", "POD", "PODD")))):
            at = now + timedelta(minutes=7 * place)
            self._diary.later(at, self._scanned(number, code))

    def _scanned(self, number: str, code: str) -> Callable[[datetime], None]:
        body = {"trackingNumber": number, "eventCode": code, "signatory": "J SMITH", "note": "Wrap torn"}
        return lambda at: self._control.post("events", {**body, "at": at.isoformat()})

    def _report(self, order: Order, stop: str, now: datetime, outcome: str | None) -> None:
        at = now.replace(microsecond=0)
        report: dict[str, Any] = {"order": order.key, "stop": stop, "event": "completed", "at": at.isoformat()}
        if outcome:
            report |= {"outcome": outcome, "signatory": "J SMITH", "reason": "Wrap torn" if outcome != "CLEAN" else ""}
        self._api.tell(stops=[report])
        order.reports.append((stop, "completed", at, outcome))


def _day(now: datetime) -> str:
    return now.astimezone(LONDON).date().isoformat()


def _order_row(reference: str, now: datetime) -> dict[str, str]:
    receiver = RECEIVERS[0]
    return {
        "orderReference": reference, "customerCode": "ACME", "collectionDate": _day(now),
        "deliveryName": receiver["name"], "deliveryStreetAddress": receiver["street"],
        "deliveryTown": receiver["town"], "deliveryPostcode": receiver["postcode"],
        "deliveryPhoneNumber": receiver["phone"], "palletType": "F", "numberOfPallets": "1", "weight": "420",
    }  # fmt: skip
