"""What the template says of dispatching, read, and what a dispatch reads of an order. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from palletflow.intake.template import Template
from palletflow.networks.nexus import amazon, services
from palletflow.networks.nexus.services import Calendar, Cutoff, Service, Window
from palletflow.networks.nexus.times import Formats
from palletflow.orders.consignment import Consignment
from palletflow.store.consignments import ConsignmentFacts

# What a caller tells us at entry, or what the store holds: the fields a dispatch is made of have the same names.
Shipment = Consignment | ConsignmentFacts
# Our names of what Nexus alone asks or tells (contract 5.5, 5.6), as an order's additional fields have them.
ORIGIN, COLLECTION_EMAIL, LIMITED = "nexus_origin", "collection_email", "limited_quantities"
DELIVERY_FROM, DELIVERY_TO = "delivery_from", "delivery_to"
ADDITIONAL_FIELDS = (
    ORIGIN, DELIVERY_FROM, DELIVERY_TO, amazon.BOOKING_DATE, amazon.BOOKING_TIME, "asn_number", "fba_number",
    "po_number", "amazon_number", "unit_count", LIMITED, COLLECTION_EMAIL,
)  # fmt: skip
# The codes under which `ids` of the template forces the id of what has but one name.
CONSIGNMENT_TYPE, COLLECTION_SERVICE = "consignment_type", "default"
LAST_NUMBER = 9_999_999
REDISPATCHED = re.compile(r"(?P<number>.+?)(R(?P<time>[0-9]+))?")


class PalletType(NamedTuple):
    """A pallet type of the template. `size`: length, width and height in cm, None when the order has to say."""

    name: str
    domestic: bool
    size: tuple[int, int, int] | None


class Pallet(NamedTuple):
    """One pallet of an order; what is unknown of it is not among its details."""

    type: str
    details: Mapping[str, Any]


@dataclass(frozen=True)
class AmazonRules:
    """The section `amazon`. `paths`: place of a field in the create, when they do not travel in the notes."""

    extra: str
    required: Sequence[str]
    one_of: Sequence[str]
    reference_most: int
    in_notes: bool
    paths: Mapping[str, str]


@dataclass(frozen=True)
class Form:
    """The sections of the template that a dispatch is made of. `limits`: most characters by field."""

    networks: Mapping[str, str]
    depot: re.Pattern[str]
    customer_id: re.Pattern[str]
    number_prefix: str
    countries: Mapping[str, str]
    consignment_type: str
    services: Mapping[str, str]
    collection_service: str
    calendar: Calendar
    sd_weekend: bool
    cutoff: Cutoff
    pallet_types: Mapping[str, PalletType]
    bases: Mapping[str, str]
    default_base: str
    notes_path: str
    due_date_when: Sequence[str]
    collection_address: str
    limits: Mapping[str, int]
    amazon: AmazonRules
    forced_ids: Mapping[str, Mapping[str, str]]
    formats: Formats

    def service(self, shipment: Shipment) -> Service:
        """What the order asks for."""
        return services.chosen(shipment.service, shipment.surcharges, self.amazon.extra)

    def delivery_date(self, shipment: Shipment) -> date | None:
        """The day to deliver, as far as the order fixes one; its collection date must be known."""
        assert shipment.collection_date is not None, "the rules were checked"
        booked = services.read_day(additional(shipment, amazon.BOOKING_DATE))
        return services.delivery_date(
            self.service(shipment), shipment.collection_date, shipment.delivery_date, booked, self.calendar
        )

    def window(self, shipment: Shipment) -> Window:
        """Between which times to deliver."""
        start, end, booked = (time_of(shipment, field) for field in (DELIVERY_FROM, DELIVERY_TO, amazon.BOOKING_TIME))
        return services.window(self.service(shipment), start, end, booked)

    def forced_id(self, lookup: str, code: str) -> bool:
        """Whether the template forces an id, so that no name is needed."""
        return code in self.forced_ids.get(lookup, {})


def read_form(template: Template) -> Form:
    """Reads the sections; their schema has been checked when the template was loaded. Raises ValueError, re.error."""
    sections = template.sections
    calendar = Calendar(
        frozenset(map(date.fromisoformat, sections["holidays"])),
        {level: int(days) for level, days in sections["lead_days"].items()},
    )
    cutoff, create, for_amazon = sections["cutoff"], sections["create"], sections["amazon"]
    return Form(
        networks=sections["resources"],
        depot=re.compile(sections["depot_pattern"]),
        customer_id=re.compile(sections["customer_id_pattern"]),
        number_prefix=_prefix(sections["number"]),
        countries={code: sections["countries"].get(code, "") for code in sections["domestic_countries"]},
        consignment_type=sections["consignment_type"],
        services=sections["services"]["delivery"],
        collection_service=sections["services"]["collection"]["default"],
        calendar=calendar,
        sd_weekend=sections["sd_weekend"],
        cutoff=Cutoff(
            time.fromisoformat(cutoff["time"]), ZoneInfo(cutoff["tz"]), cutoff["next_day"] == "working", calendar
        ),
        pallet_types={code: _pallet_type(entry) for code, entry in sections["pallet_types"].items()},
        bases=sections["pallet_bases"]["names"],
        default_base=sections["pallet_bases"]["default"],
        notes_path=create["notes_path"],
        due_date_when=create["due_date_when"],
        collection_address=create["collection_address"],
        limits={field: int(most) for field, most in sections["limits"].items()},
        amazon=AmazonRules(
            extra=for_amazon["extra_code"],
            required=for_amazon["required"],
            one_of=for_amazon["one_of"],
            reference_most=int(for_amazon["reference_most"]),
            in_notes=for_amazon["wire"] == "notes",
            paths=for_amazon["fields"],
        ),
        forced_ids=sections["ids"],
        formats=Formats(**sections["formats"]),
    )


def _prefix(entry: Mapping[str, Any]) -> str:
    """That of our numbers, which Nexus must take when they are longest [NX-3-2]."""
    prefix: str = entry["prefix"]
    longest = number_after_cancel(f"{consignment_number(prefix, LAST_NUMBER)}R9")
    if not re.fullmatch(entry["pattern"], longest):
        raise ValueError(f"number.prefix: a number such as {longest} does not match number.pattern")
    return prefix


def _pallet_type(entry: Mapping[str, Any]) -> PalletType:
    size = entry.get("size")
    return PalletType(
        entry["name"], entry["scope"] == "domestic", (int(size[0]), int(size[1]), int(size[2])) if size else None
    )


def consignment_number(prefix: str, sequence: int) -> str:
    """Our own number of a consignment: prefix and 7 digits [NX-3-3]."""
    return f"{prefix}{sequence:07d}"


def number_after_cancel(number: str) -> str:
    """The number under which a cancelled consignment is dispatched anew: R2, then R3 appended [NX-3-3]."""
    found = REDISPATCHED.fullmatch(number)
    assert found is not None, "every text has this form"
    return f"{found['number']}R{int(found['time'] or 1) + 1}"


def additional(shipment: Shipment, field: str) -> str:
    """One of the order's additional fields, "" when it has none."""
    return shipment.additional_fields.get(field, "")


def time_of(shipment: Shipment, field: str) -> time | None:
    """A time of day among the additional fields; None when there is none."""
    return services.read_time(additional(shipment, field))


def amazon_fields(shipment: Shipment) -> dict[str, str]:
    """What the order says for Amazon, by field; the number of cartons is a field of every order."""
    cartons = {"carton_count": str(shipment.carton_count) if shipment.carton_count is not None else ""}
    return {field: additional(shipment, field) for field in amazon.FIELDS} | cartons


def pallets(shipment: Shipment) -> list[Pallet]:
    """The pallets with what is known of each."""
    if isinstance(shipment, ConsignmentFacts):
        return [Pallet(pallet.pallet_type, pallet.details) for pallet in shipment.pallets]
    details = [*shipment.pallet_details, *({} for _ in shipment.pallet_types)]
    return [Pallet(*pair) for pair in zip(shipment.pallet_types, details, strict=False)]
