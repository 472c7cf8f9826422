"""The create call (section 2.4): checks every field, takes the consignment in and routes it by the postcode."""

import json
import math
import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from palletflow.simulation.clock import LONDON, add_working_days

from .consignment import Address, Consignment, Pallet
from .lookups import COLLECTION_SERVICES, DELIVERY_SERVICES, INTERNATIONAL_TYPES
from .members import CUSTOMERS, DEPOTS, depot_for
from .replies import Refused, Reply, answer
from .wire import Request

_NUMBER = re.compile(r"[A-Z0-9]{1,20}")
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_NOON = 12


class _Form:
    """Reads the fields of a JSON body by path and notes what is wrong with them under that path."""

    def __init__(self, body: dict[str, Any]) -> None:
        self._body = body
        self.errors: dict[str, list[str]] = {}

    def wrong(self, path: str, sentence: str) -> None:
        self.errors.setdefault(path, []).append(sentence)

    def value(self, path: str) -> Any:
        found: Any = self._body
        for name in path.split("."):
            if isinstance(found, list) and name.isdigit():
                found = found[int(name)]
            else:
                found = found.get(name) if isinstance(found, dict) else None
        return found

    def text(self, path: str, longest: int, *, required: bool = False) -> str:
        value = self.value(path)
        if value is None or value == "":
            if required:
                self.wrong(path, "required")
            return ""
        if not isinstance(value, str):
            self.wrong(path, "must be a text")
            return ""
        if len(value) > longest:
            self.wrong(path, f"at most {longest} characters")
        return value

    def matching(self, path: str, pattern: re.Pattern[str], sentence: str, *, required: bool = False) -> str | None:
        text = self.text(path, 100, required=required)
        if text and not pattern.fullmatch(text):
            self.wrong(path, sentence)
        return text or None

    def day(self, path: str, *, required: bool = False) -> str | None:
        text = self.text(path, 10, required=required)
        try:
            return date.fromisoformat(text).isoformat() if text else None
        except ValueError:
            self.wrong(path, "must be yyyy-MM-dd")
            return None

    def flag(self, path: str) -> bool:
        value = self.value(path)
        if not isinstance(value, bool | None):
            self.wrong(path, "must be true or false")
        return value is True

    def amount(self, path: str, *, above_zero: bool = True) -> float:
        value = self.value(path)
        good = type(value) in (int, float) and math.isfinite(value) and (value > 0 if above_zero else value >= 0)
        if not good and (above_zero or value is not None):
            self.wrong(path, "required" if value is None else "must be a number above 0")
        return value if good else 0

    def named(self, path: str, name_of: Callable[[Any], str | None]) -> str:
        value = self.value(path)
        name = name_of(value)
        if name is None:
            self.wrong(path, "required" if value is None else "unknown id")
        return name or ""


def create(request: Request) -> Reply:
    """Take in a consignment, or refuse it with every field that is wrong; 409 for a number known already."""
    simulation, body = request.simulation, request.json()
    form = _Form(body)
    made = _consignment(request, form)
    if made.number in simulation.network.by_number:
        raise Refused(409, {"general.consignmentNumber": ["already used"]})
    if form.errors:
        raise Refused(400, form.errors)
    if any(pallet.type in INTERNATIONAL_TYPES for pallet in made.pallets):
        request.violation("international_pallet", f"create of {made.number}")
    made.payload = body
    simulation.network.add(made)
    if simulation.traffic is not None:
        simulation.traffic.let_move(made)
    return answer(simulation.writer.created(made), 201)


def settled(request: Request, reply: Reply) -> None:
    """Watch for a blind second POST (section 6.3): ``reply`` is what the client gets to see of this one."""
    try:
        number = str(json.loads(request.body)["general"]["consignmentNumber"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return
    violations = request.simulation.violations
    if violations.blind(number):
        request.violation("blind_post", f"{number} posted again without a search for it in between")
    violations.posted(number, reply.status)


def _consignment(request: Request, form: _Form) -> Consignment:
    ids, limits = request.simulation.ids, request.simulation.options["limits"]
    type_ = form.named("general.consignmentTypeID", lambda id_: ids.named("consignmentTypes", id_))
    customer_id = _customer(request, form)
    network = CUSTOMERS[customer_id].network if customer_id else DEPOTS[request.depot].networks[0]
    service = {}
    for place, known in (("collectionInfo", COLLECTION_SERVICES), ("deliveryInfo", DELIVERY_SERVICES)):
        service[place] = form.named(f"{place}.serviceID", lambda id_: ids.named("services", id_))
        if service[place] and service[place] not in known:
            form.wrong(f"{place}.serviceID", "not a service for this")
        form.text(f"{place}.contact", limits["name"])
        form.text(f"{place}.email", limits["email"])
    collection = form.day("collectionInfo.dueDate", required=True)
    if collection and collection < _earliest(request).isoformat():
        form.wrong("collectionInfo.dueDate", f"not before {_earliest(request).isoformat()}")
    due = form.day("deliveryInfo.dueDate", required=service["deliveryInfo"].startswith("Specific Day"))
    timed = service["deliveryInfo"].endswith("Timed")
    start, end = (
        form.matching(f"deliveryInfo.{name}", _TIME, "must be HH:mm", required=timed)
        for name in ("startWindow", "endWindow")
    )
    receiver = _address(request, form, "deliveryAddress", "deliveryInfo")
    if form.value("collectionAddress") is not None:
        pickup = _address(request, form, "collectionAddress", "collectionInfo")
        collecting = depot_for(pickup.postcode, network)
    else:
        town, outward = DEPOTS[request.depot].places[0]
        name = CUSTOMERS[customer_id].name if customer_id else ""
        pickup, collecting = Address(name, "1 Sample Yard", "", town, f"{outward} 1AA"), request.depot
    return Consignment(
        network=network,
        customer_id=customer_id,
        number=form.matching("general.consignmentNumber", _NUMBER, "must be 1 to 20 of A-Z and 0-9", required=True)
        or "",
        reference=form.text("general.customerReference", 50) or None,
        originating=request.depot,
        collecting=collecting,
        delivery=depot_for(receiver.postcode, network),
        created=request.now,
        collection_due=collection or "",
        due=due,
        pickup=pickup,
        receiver=receiver,
        pallets=_pallets(request, form),
        type=type_,
        collection_service=service["collectionInfo"],
        delivery_service=service["deliveryInfo"],
        goods=form.text("general.descriptionOfGoods", 100),
        limited=form.flag("general.limitedQuantities"),
        notes=form.text(request.simulation.options["notes_path"], 250),
        start_window=start,
        end_window=end,
    )


def _customer(request: Request, form: _Form) -> int:
    path = "general.customerID"
    value, wanted = form.value(path), request.simulation.options["customer_id_as"]
    if value is None:
        form.wrong(path, "required")
        return 0
    if not isinstance(value, {"string": str, "integer": int}[wanted]):
        form.wrong(path, f"must be a {wanted}")
        return 0
    customer = CUSTOMERS.get(int(str(value))) if re.fullmatch(r"[0-9]{1,10}", str(value)) else None
    if customer is None or not customer.ours:
        form.wrong(path, "unknown customer")
        return 0
    if customer.network not in DEPOTS[request.depot].networks:
        form.wrong(path, "not a customer of your network")
        request.violation("network_mismatch", f"{request.depot} is not a member of {customer.network}")
    return customer.customer_id


def _address(request: Request, form: _Form, place: str, info: str) -> Address:
    ids, limits = request.simulation.ids, request.simulation.options["limits"]

    def line(name: str, limit: str, *, required: bool = True) -> str:
        return form.text(f"{place}.{name}", limits[limit], required=required)

    contact, email = form.value(f"{info}.contact"), form.value(f"{info}.email")
    return Address(
        country=form.named(f"{place}.countryID", lambda id_: ids.named("countries", id_)),
        name=line("name", "name"),
        line1=line("line1", "line"),
        line2=line("line2", "line", required=False),
        town=line("town", "town"),
        postcode=line("postcode", "postcode"),
        telephone=line("telephone", "telephone", required=False),
        contact=contact if isinstance(contact, str) else "",
        email=email if isinstance(email, str) else "",
    )


def _pallets(request: Request, form: _Form) -> list[Pallet]:
    ids, listed = request.simulation.ids, form.value("pallets")
    if not isinstance(listed, list) or not listed:
        form.wrong("pallets", "at least one pallet")
        return []
    made = []
    for place in range(len(listed)):
        path = f"pallets.{place}"
        form.amount(f"{path}.limitedQuantityWeight", above_zero=False)
        made.append(
            Pallet(
                type=form.named(f"{path}.palletTypeID", lambda id_: ids.named("palletTypes", id_)),
                base=form.named(f"{path}.palletBaseID", lambda id_: ids.named("palletBases", id_)),
                length=form.amount(f"{path}.length"),
                width=form.amount(f"{path}.width"),
                height=form.amount(f"{path}.height"),
                weight=form.amount(f"{path}.weight"),
                do_not_stack=form.flag(f"{path}.doNotStack"),
            )
        )
    return made


def _earliest(request: Request) -> date:
    """The first collection day that can still be had: from noon on, neither today nor the next day (section 5.4)."""
    local, cutoff = request.now.astimezone(LONDON), request.simulation.options["cutoff"]
    if cutoff == "off" or local.hour < _NOON:
        return local.date()
    next_day = local.date() + timedelta(days=1)
    return (add_working_days(next_day, 0) if cutoff == "working" else next_day) + timedelta(days=1)
