"""Nexus's consignment record to ours (contract 2.3, 3, 4, 5). Pure translation: no I/O but the template file."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfoNotFoundError

from palletflow import deployment as deployment_file
from palletflow.checked_yaml import FileFault
from palletflow.deployment import Deployment
from palletflow.intake import template
from palletflow.intake.flow import Translated
from palletflow.intake.template import Fault, Template, getter
from palletflow.networks.nexus import amazon, services, statuses
from palletflow.networks.nexus.form import (
    COLLECTION_EMAIL,
    DELIVERY_FROM,
    DELIVERY_TO,
    LIMITED,
    ORIGIN,
    Form,
    read_form,
)
from palletflow.networks.nexus.goods import Goods, GoodsReader, odd_barcodes
from palletflow.networks.nexus.lookups import folded
from palletflow.networks.nexus.origin import Origins
from palletflow.networks.nexus.record import Reading, Reply
from palletflow.networks.nexus.services import BOOK_IN, TIMED, Service
from palletflow.networks.nexus.work import NETWORK
from palletflow.orders.consignment import Address, Consignment, Role, roles
from palletflow.orders.lifecycle import Status

TEMPLATE = Path(__file__).with_name("template.yaml")
SECTIONS = Path(__file__).with_name("template.schema.json")
SAMPLE = Path(__file__).with_name("sample.json")

NAMED = ("status", "consignmentType", "collectionService", "deliveryService")
ADDRESS_FIELDS = ("Name", "Line1", "Line2", "Town", "Postcode", "CountryID", "Contact", "Telephone", "Email")
REPLY_FIELDS = (
    "consignmentID", "consignmentNumber", "customerReference", "estimatedDelDate", "estimatedDelTime", "startWindow",
    "endWindow", "colDate", "delDateTime", "network", "customerID", "createdDate", "manifestDate",
    "originatingDepotCode", "collectingDepotCode", "deliveryDepotCode", "dueDate", "descriptionOfGoods",
    "limitedQuantities", "notes", "pallets", *NAMED, *(f"{named}.{part}" for named in NAMED for part in ("id", "name")),
    "routeDetails",
    *(f"routeDetails.{part}" for part in ("type", "routeDate", "regNo", "round", "status", "palletCount")),
    *(f"{address}{part}" for address in ("colAddress", "delAddress") for part in ADDRESS_FIELDS),
)  # fmt: skip
# A reply might use the words of a create.
CREATE_FIELDS = (
    *(f"general.{part}" for part in ("consignmentTypeID", "customerID", "customerReference", "consignmentNumber",
                                     "descriptionOfGoods", "limitedQuantities", "notes")),
    *(f"collectionInfo.{part}" for part in ("serviceID", "contact", "email", "dueDate")),
    *(f"deliveryInfo.{part}" for part in ("serviceID", "contact", "email", "dueDate", "startWindow", "endWindow")),
    *(f"{address}.{part}" for address in ("collectionAddress", "deliveryAddress")
      for part in ("countryID", "name", "line1", "line2", "town", "postcode", "telephone")),
)  # fmt: skip
# Every path a template may name (contract 2.3 and 2.4).
WIRE_FIELDS = frozenset(path.casefold() for path in (*REPLY_FIELDS, *CREATE_FIELDS))
ADDRESS_PARTS = tuple(part for part in Address._fields if part not in ("county", "country"))
# How the text of each field of ours is read; see palletflow.intake.template.READERS.
KINDS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "tracking_number", "consignment_number", "reference", "network", "account", "requesting_depot",
            "collecting_depot", "delivery_depot", "status", "status_id", "delivery_service", "delivery_service_id",
            "collection_date", "delivery_date", "window_from", "window_to", "estimated_date", "estimated_time",
            "collected_on", "delivered_at", "goods_description", "limited_quantities", "notes", "collection_email",
            "notification_email",
            *(f"{stop}_{part}" for stop in ("pickup", "delivery") for part in (*ADDRESS_PARTS, "country_id")),
        ),
        "text",
    ),
    "pallets": "objects",
}  # fmt: skip
DEPOTS = ("requesting_depot", "collecting_depot", "delivery_depot")
# What Nexus does not know of a consignment.
NEVER: Mapping[str, Any] = {
    "registered": True, "reference_2": "", "pallet_spaces": None, "insurance_code": "", "hub_code": "",
    "amazon_reference": "", "network_updated_at": None, "notification_sms": "", "notification_twitter": "",
}  # fmt: skip
CENTURY = range(2000, 2101)
UNKNOWN_NETWORK = (
    "network unknown: neither Nexus nor its customer ID nor its depots say whether it is Pall-Ex or Fortec; "
    "fill in the Nexus origin"
)


class Mapper:
    """Translates records of one deployment. `version` changes whenever the same record could map differently."""

    # See palletflow.intake.replay.Replayer.
    only_read: Mapping[str, str] = {
        "NOT_READABLE": "It is only the row that Nexus's list shows: the consignment itself could not be read. It is "
        "asked for again with the next polls; the pipeline nexus_fetch asks for it now."
    }

    def __init__(self, deployment: Deployment) -> None:
        """Raises FileFault when the template or our depots in the deployment file are not usable."""
        ours = deployment.network(NETWORK)
        self.template = template.load(TEMPLATE, ours.template, KINDS, WIRE_FIELDS, SECTIONS)
        self._form = _form(self.template, ours.template or TEMPLATE)
        self._depots = frozenset(ours.depots)
        bad = [code for code in ours.depots if not self._form.depot.fullmatch(code)]
        if bad:
            of_form = f"is not a depot code of the form {self._form.depot.pattern}"
            raise FileFault(deployment_file.path(), [f"networks.nexus.depots: '{code}' {of_form}" for code in bad])
        sections = self.template.sections
        self._goods = GoodsReader(sections)
        self._origins = Origins(deployment, sections["import"]["network_rules"])
        self._roles = frozenset(sections["import"]["roles"])
        self._services = {folded(name): key for key, name in self._form.services.items() if name}
        self._countries = {folded(name): code for code, name in sections["countries"].items()}
        self._amazon = {
            field: getter(path) for field, path in self._form.amazon.paths.items() if not self._form.amazon.in_notes
        }
        self._statuses = statuses.Rules(sections, self._form.formats)
        self._excluded = {name.casefold() for name in sections["hash"]["exclude"]}
        self._network_customer = ours.customer
        self.version = hashlib.sha256(
            b"\0".join(
                (
                    self.template.digest,
                    repr((sorted(self._depots), sorted(deployment.accounts.items()), ours.customer)).encode(),
                )
            )
        ).digest()
        self.reading = Reading(self.template, self.version)

    def tracking_page(self, consignment: Mapping[str, Any]) -> str:
        """Where anybody can follow a consignment as the order API shows it, by its first pallet [NX-3-6].

        "" while no barcode or postcode of it is known.
        """
        barcode = next((pallet["barcode"] for pallet in consignment["pallets"] if pallet["barcode"]), "")
        postcode = consignment["delivery"]["postcode"].upper()
        if not barcode or not postcode:
            return ""
        page: str = self.template.sections["tracking_page"]
        return page.replace("{barcode}", quote(barcode, safe="")).replace("{postcode}", quote(postcode, safe=""))

    def key(self, record: Any) -> str:
        """The consignmentID of a raw record, as far as one can be made out; "" otherwise."""
        return self.reading.reply(record).key

    def digest(self, consignment: Consignment) -> bytes:
        """Equal for what need not be written again, whatever else a record says [NX-7-9]."""
        kept = {name: value for name, value in consignment._asdict().items() if name.casefold() not in self._excluded}
        return hashlib.sha256(self.version + json.dumps(kept, sort_keys=True, default=str).encode()).digest()

    def is_cancelled(self, reply: Reply) -> bool:
        """Whether Nexus has it as cancelled."""
        return self._statuses.meaning(reply.status_name).status is Status.CANCELLED

    def concerns(self, consignment: Consignment) -> list[str]:
        """What a person should look at although it was imported [NX-4-6, NX-3-5]."""
        unknown = [] if consignment.additional_fields.get(ORIGIN) else [UNKNOWN_NETWORK]
        return [*unknown, *odd_barcodes(consignment.barcodes)]

    def translate(self, record: Any) -> Translated:
        """A raw record, a reply to get, as a consignment or its faults."""
        reply = self.reading.reply(record)
        if not reply.folded:
            return Translated(None, [Fault("BAD_FORMAT", "", "is no consignment record")], [], False)
        left_out = self._left_out(reply)
        if left_out:
            return Translated(None, [], [], False, left_out)
        values, faults, warnings = self.template.read(reply.folded)
        if faults:
            return Translated(None, faults, warnings, False)
        goods = self._goods.read(reply, faults, warnings)
        consignment = self._built(reply, values, goods, faults, warnings)
        if faults:
            return Translated(None, faults, warnings, False)
        warnings += self.concerns(consignment)
        return Translated(consignment, [], warnings, only_if_known=consignment.network_status != "")

    def _left_out(self, reply: Reply) -> Fault | None:
        """Why a consignment is no order of ours at all [NX-5-11, NX-7-15]."""
        pallet = self._goods.international(reply)
        if pallet:
            reason = f"international_pallet: '{pallet}' is an international pallet type"
            return Fault("INTERNATIONAL_PALLET", "pallets", reason)
        depots = self._depots_of(reply, [])
        held = set(roles(self._depots, *depots))
        if any(depots) and not held & self._roles:
            named = ", ".join(filter(None, depots))
            return Fault("NOT_OUR_DEPOT", "depots", f"of its depots ({named}) none has a role of ours to import it for")
        return None

    def _depots_of(self, reply: Reply, warnings: list[str]) -> list[str]:
        """Requesting, collecting and delivery depot; "" for what is no depot code."""
        found = []
        for field in DEPOTS:
            code = reply.text(field).upper()
            good = not code or self._form.depot.fullmatch(code)
            if not good:
                warnings.append(f"{self.template.places[field][0]}: '{code[:40]}' is no depot code; left out")
            found.append(code if good else "")
        return found

    def _built(
        self, reply: Reply, read: Mapping[str, Any], goods: Goods, faults: list[Fault], warnings: list[str]
    ) -> Consignment:
        depots = self._depots_of(reply, warnings)
        our_roles = roles(self._depots, *depots)
        origin = self._origins.network(read["network"], read["account"], depots)
        notes, for_amazon = self._notes(reply, read["notes"])
        service = self._service(reply, read, bool(for_amazon), warnings)
        additional = {
            ORIGIN: origin,
            **{name: value for name, value in for_amazon.items() if name != "carton_count"},
            COLLECTION_EMAIL: read["collection_email"],
            LIMITED: _flag(read["limited_quantities"]),
        }
        ordered = self._day(read, "delivery_date", faults)
        additional |= self._window(read, service, ordered, faults)
        collection = self._day(read, "collection_date", faults)
        values: dict[str, Any] = {
            **NEVER,
            **{name: read[name] for name in Consignment._fields if name in read},
            **dict(zip(DEPOTS, depots, strict=True)),
            "our_roles": our_roles,
            "customer_code": self._customer(origin, read["account"], our_roles, faults, warnings),
            "service": service.level,
            "surcharges": [*service.windows, *([self._form.amazon.extra] if service.for_amazon else [])],
            "collection_date": collection,
            "delivery_date": ordered or (collection and self._promised(service, collection)),
            "weight_kg": goods.weight_kg or None,
            "carton_count": _count(for_amazon.get("carton_count", ""), warnings),
            "notes": [line.strip() for line in notes.splitlines() if line.strip()],
            "network_status": self._network_status(reply),
            "additional_fields": {name: value for name, value in additional.items() if value},
            "pallet_types": goods.types,
            "pallet_details": goods.details if any(goods.details) else [],
            "barcodes": goods.barcodes,
        }
        for stop in ("pickup", "delivery"):
            country = self._country(reply, read[f"{stop}_country_id"], warnings)
            parts = {part: read[f"{stop}_{part}"] for part in ADDRESS_PARTS}
            values[stop] = Address(**parts, county="", country=country)
        return Consignment(*map(values.__getitem__, Consignment._fields))

    def _customer(
        self, origin: str, account: str, our_roles: list[str], faults: list[Fault], warnings: list[str]
    ) -> str:
        """Our own customer by the ID on its network; what other members' customers send is the network's [NX-4-4]."""
        code = self._origins.customer(origin, account)
        if not code and Role.REQUESTING in our_roles:
            place = self.template.places["account"][0]
            on = f"on {origin}" if origin else "on exactly one network"
            if not account:
                warnings.append(f"{place}: Nexus names no customer; the order is the network's")
            elif self.template.unknown_account_is_rejected:
                reason = f"no customer in the deployment file has the ID '{account}' {on}; add it there and replay"
                faults.append(Fault("UNKNOWN_CUSTOMER", place, reason))
        return code or self._network_customer

    def _service(self, reply: Reply, read: Mapping[str, Any], for_amazon: bool, warnings: list[str]) -> Service:
        """Level and window by the name of the delivery service [NX-5-2]; a name nobody knows is kept as the level."""
        name = read["delivery_service"] or reply.looked_up("services", read["delivery_service_id"])
        key = self._services.get(folded(name))
        if key is None:
            warnings.append(f"deliveryService: '{name}' is not among services of the template; kept as it came")
        level, _, window = (key or name).partition("+") if key else (name, "", "")
        return Service(level, (window,) if window else (), for_amazon)

    def _window(
        self, read: Mapping[str, Any], service: Service, ordered: date | None, faults: list[Fault]
    ) -> dict[str, str]:
        """What a timed or booked delivery says of its times; those of others are expectations of the network's."""
        if service.window not in (TIMED, BOOK_IN):
            return {}
        start, end = self._time(read, "window_from", faults), self._time(read, "window_to", faults)
        if service.window == BOOK_IN and start and start == end:
            booked = {amazon.BOOKING_DATE: ordered.isoformat() if ordered else "", amazon.BOOKING_TIME: start}
            return {} if service.for_amazon else booked
        return {DELIVERY_FROM: start, DELIVERY_TO: end}

    def _promised(self, service: Service, collection: date) -> date | None:
        """The day a service delivers that names none."""
        if service.level not in self._form.calendar.lead_days:
            return None
        return services.delivery_date(service, collection, None, None, self._form.calendar)

    def _notes(self, reply: Reply, text: str) -> tuple[str, dict[str, str]]:
        """The notes, and what they or fields of their own say for Amazon [NX-5-23]."""
        if self._form.amazon.in_notes:
            return amazon.read(text)
        found = {field: get(reply.folded) for field, get in self._amazon.items()}
        return text, {field: value for field, value in found.items() if value and isinstance(value, str)}

    def _network_status(self, reply: Reply) -> str:
        """Nexus's name of it when it is cancelled there: all other statuses are in the history."""
        return reply.status_name if self.is_cancelled(reply) else ""

    def _country(self, reply: Reply, id_: str, warnings: list[str]) -> str:
        """ISO 2, from what was looked up for the id: the code itself, or a name of the template's `countries`."""
        if not id_:
            return "GB"
        found = reply.looked_up("countries", id_)
        if re.fullmatch("[A-Za-z]{2}", found):
            return found.upper()
        code = self._countries.get(folded(found), "") if found else ""
        if not code:
            warnings.append(f"country {id_}: {found or 'no name'} has no ISO code; name it under countries")
        return code

    def _day(self, read: Mapping[str, Any], field: str, faults: list[Fault]) -> date | None:
        text = read[field]
        if not text:
            return None
        try:
            day = self._form.formats.read_day(text)
        except ValueError:
            day = None
        if day is None or day.year not in CENTURY:
            faults.append(self._unreadable(field, text, "date"))
            return None
        return day

    def _time(self, read: Mapping[str, Any], field: str, faults: list[Fault]) -> str:
        text = read[field]
        try:
            return self._form.formats.read_time(text).strftime("%H:%M") if text else ""
        except ValueError:
            faults.append(self._unreadable(field, text, "time"))
            return ""

    def _unreadable(self, field: str, text: str, what: str) -> Fault:
        places = " or ".join(self.template.places[field])
        return Fault("BAD_FORMAT", places, f"{places}: '{text[:40]}' is no {what}")


def _flag(text: str) -> str:
    return text.casefold() if text.casefold() in ("true", "false") else ""


def _count(text: str, warnings: list[str]) -> int | None:
    if text and not re.fullmatch("[0-9]{1,6}", text):
        warnings.append(f"notes: '{text[:40]}' is no number of cartons; left out")
        return None
    return int(text) if text else None


def _form(of: Template, file: Path) -> Form:
    try:
        return read_form(of)
    except (ValueError, re.error, ZoneInfoNotFoundError) as error:
        raise FileFault(file, [f"cannot be used ({error})"]) from error


def preview(plan: Deployment, own_template: Path | None = None) -> Mapper:
    """The mapper of a deployment, optionally with another template laid over. Raises FileFault."""
    if own_template:
        ours = replace(plan.network(NETWORK), template=own_template)
        plan = replace(plan, networks={**plan.networks, NETWORK: ours})
    return Mapper(plan)
