"""What getConsignment shows of a consignment, to ours (contract 2.3, 3). Pure translation but for the template file."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from palletflow import deployment as deployment_file
from palletflow.checked_yaml import FileFault
from palletflow.deployment import Deployment
from palletflow.intake import template
from palletflow.intake.flow import Translated
from palletflow.intake.template import Fault, Template
from palletflow.networks.palletways import record as wire
from palletflow.networks.palletways.record import TRACKING_ID
from palletflow.networks.palletways.tree import text
from palletflow.networks.palletways.work import NETWORK
from palletflow.orders.consignment import Address, Consignment, Role, roles

TEMPLATE = Path(__file__).with_name("template.yaml")
SECTIONS = Path(__file__).with_name("template.schema.json")
SAMPLE = Path(__file__).with_name("sample.json")

# Nodes of a consignment: those of getConsignment, and those of createConsignment that it might show as well.
NODES = (
    "Number", "TrackingID", "Type", "Classification", "CollectionReference", "Lifts", "Weight", "HandBall", "TailLift",
    "ADRGoods", "LimitedQuantityGoods", "Insurance", "PaperworkType", "CollectionDepot", "DeliveryDepot", "DueDate",
    "DueTime", "BookedIn", "BookInRequest", "BookInContactName", "BookInEmailAddress", "BookInReference",
    "ImportID", "Reference", "ManifestNote", "BookInContactPhone", "BookInContactNote", "BookInInstructions",
    "CollectionDate", "DeliveryDate", "DeliveryTime", "CollectionContactName", "CollectionContactNumber",
    "DeliveryAddressContactName", "DeliveryAddressContactNumber",
)  # fmt: skip
PARTS = {
    "Manifest": ("Date", "Time"),
    "Depot": ("Number",),
    "Account": ("Name", "Code"),
    "Pallet": ("Barcode",),
    "BillUnit": ("Type", "Amount"),
    "Hub": ("Sequence", "Name"),
    "Service": ("Type", "Code", "Surcharge"),
    "Address": (
        "Type", "ContactName", "CompanyName", "Line1", "Line2", "Addr1", "Town", "County", "Country", "PostCode",
        "Telephone", "Fax",
    ),
}  # fmt: skip
# Every path a template may name (contract 2.2 and 2.3).
WIRE_FIELDS = frozenset(
    path.casefold() for path in (*NODES, *PARTS, *(f"{part}.{name}" for part, names in PARTS.items() for name in names))
)
# What only Palletways has of a consignment: our name of it under `additional_fields`.
FLAGS = ("handball", "tail_lift", "adr", "limited_quantity", "book_in", "booked_in")
TEXTS = (
    "pw_type", "classification", "book_in_contact", "book_in_phone", "book_in_note", "book_in_instructions",
    "book_in_email", "book_in_reference", "delivery_time", "due_time", "collection_reference", "paperwork_type",
    "import_id",
)  # fmt: skip
# How the text of each field of ours is read; see palletflow.intake.template.READERS.
KINDS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "tracking_number", "consignment_number", "reference", "account", "requesting_depot", "collecting_depot",
            "delivery_depot", "insurance_code", "notes", *FLAGS, *TEXTS,
            *(f"{stop}_{part}" for stop in ("pickup", "delivery") for part in Address._fields),
        ),
        "text",
    ),
    "collection_date": "date",
    "delivery_date": "date",
    "weight_kg": "decimal",
    "lifts": "whole",
    "pallet_types": "pallets",
    "barcodes": "texts",
    "hubs": "texts",
    "services": "objects",
}  # fmt: skip
# What Palletways does not know of a consignment.
NEVER: Mapping[str, Any] = {
    "registered": True, "reference_2": "", "pallet_spaces": None, "carton_count": None, "amazon_reference": "",
    "network_status": "", "network_updated_at": None, "goods_description": "", "notification_email": "",
    "notification_sms": "", "notification_twitter": "", "pallet_details": [],
}  # fmt: skip
DEPOTS = ("requesting_depot", "collecting_depot", "delivery_depot")
COLLECTION = "C"
# Service.Type of what is a delivery service.
OF_DELIVERY = ("delivery", "d", "")
LONGEST_CODE = 20


class Services:
    """Reads delivery services by the template's `services`, and by `codes.services` those it does not have."""

    def __init__(self, of: Template) -> None:
        self._codes = of.codes["services"]
        named = {(entry["group"], entry["code"]): ours for ours, entry in reversed(of.sections["services"].items())}
        self._ours = {(group.casefold(), code.casefold()): ours for (group, code), ours in named.items()}

    def of(self, services: Sequence[Any], warnings: list[str]) -> list[str]:
        """The services of a delivery; the first is the service level, more of them are surcharges.

        A service's group stands in `Code` and its code in `Surcharge` [PW-2.2-11].
        """
        found = [
            self.read(text(one, "code"), text(one, "surcharge"), warnings)
            for one in services
            if text(one, "type").casefold() in OF_DELIVERY
        ]
        return [service for service in found if service]

    def read(self, group: str, code: str, warnings: list[str]) -> str:
        """Our code of a service; what the template lacks is kept as it came, and what is no code left out."""
        known = self._ours.get((group.casefold(), code.casefold()))
        if known is not None:
            return str(known)
        code = code or group
        if not (len(code) <= LONGEST_CODE and code.isprintable()):
            warnings.append(f"Service: {code[:40]!a} is no code; left out")
            return ""
        entry = self._codes.get(code)
        if code and entry is None:
            warnings.append(f"Service: unknown code '{code}' kept as it came")
        return str((entry or {}).get("read_as", code))


class Mapper:
    """Translates records of one deployment. `version` changes whenever the same record could map differently."""

    # See palletflow.intake.replay.Replayer.
    only_read: Mapping[str, str] = {
        "notes": "It is a note about a consignment and no order. Palletways shows it again once it has changed there; "
        "the consignment's status is asked for in any case.",
        "statuses": "It is the status of a consignment and no order. Palletways is asked for it again by itself.",
    }

    def __init__(self, deployment: Deployment, tracking_id_pattern: str = TRACKING_ID) -> None:
        """`tracking_id_pattern`: of the connection [PW-3-1]. Raises FileFault when template or depots are unusable."""
        ours = deployment.network(NETWORK)
        bad = [code for code in ours.depots if not re.fullmatch("[0-9]{3}", code)]
        if bad:
            raise FileFault(
                deployment_file.path(),
                [f"networks.palletways.depots: '{code}' is not a depot number of 3 digits" for code in bad],
            )
        self.template = template.load(TEMPLATE, ours.template, KINDS, WIRE_FIELDS, SECTIONS)
        self._depots = frozenset(ours.depots)
        self._network_customer = ours.customer
        self._accounts = {
            account.casefold(): code for (network, account), code in deployment.accounts.items() if network == NETWORK
        }
        self._premises = {code: customer.collection for code, customer in deployment.customers.items()}
        sections = self.template.sections
        self._services = Services(self.template)
        # What goes out as one of ours comes back as that one.
        units = self.template.codes["pallet_types"]
        self._pallet_type = {
            str(units.get(unit, {}).get("read_as", unit)): ours
            for ours, unit in reversed(sections["bill_units"].items())
        }
        self._default_pallet_type: str = sections["import"]["default_pallet_type"]
        self._pattern = tracking_id_pattern
        self.version = hashlib.sha256(
            b"\0".join(
                (
                    self.template.digest,
                    repr((sorted(self._depots), sorted(self._accounts.items()), ours.customer)).encode(),
                    repr((sorted(self._premises.items()), tracking_id_pattern)).encode(),
                )
            )
        ).digest()

    def tracking_page(self, consignment: Mapping[str, Any]) -> str:
        """Where anybody can follow a consignment as the order API shows it; "" while it has no tracking ID."""
        number = consignment["tracking_number"]
        page: str = self.template.sections["tracking_url"]
        return page.replace("{tracking_id}", quote(number, safe="")) if number else ""

    def is_tracking_id(self, number: str) -> bool:
        """Whether a text has the form that this connection's tracking IDs have [PW-3-1]."""
        return wire.is_tracking_id(number, self._pattern)

    def key(self, record: Any) -> str:
        """The tracking ID of a raw record, as far as one can be made out; "" otherwise."""
        return wire.tracking_id(record, self._pattern)

    @property
    def for_ours(self) -> "ForOurs":
        """What translates records of orders that were entered here."""
        return ForOurs(self)

    def translate(self, record: Any, *, completes: bool = True) -> Translated:
        """A raw record, the manifest with one consignment, as a consignment or its faults.

        `completes`: the end that a consignment of our own customer leaves out is at his premises [PW-2.2-3].
        """
        flat = wire.flat(record, self.template.aliases)
        if not flat:
            reason = "is no manifest with one consignment in it"
            return Translated(None, [Fault("BAD_FORMAT", "Depot.Account.Consignment", reason)], [], False)
        read, faults, warnings = self.template.read(flat)
        number = read.get("tracking_number", "")
        if number and not self.is_tracking_id(number):
            reason = f"TrackingID: '{number[:40]}' is not of the form {self._pattern}"
            faults.append(Fault("BAD_TRACKING_ID", "TrackingID", reason))
        if faults:
            return Translated(None, faults, warnings, False)
        our_roles = roles(self._depots, *(read[depot] for depot in DEPOTS))
        if not our_roles:
            return Translated(None, [], warnings, False, self._not_ours(read))
        consignment = self._built(read, our_roles, faults, warnings, completes=completes)
        return Translated(None if faults else consignment, faults, warnings, False)

    def _not_ours(self, read: Mapping[str, Any]) -> Fault:
        named = ", ".join(read[depot] or "none" for depot in DEPOTS)
        reason = f"of its requesting, collecting and delivering depot ({named}) none is ours"
        return Fault("NOT_OUR_DEPOT", "Depot.Number", f"{reason} ({', '.join(sorted(self._depots))})")

    def _built(
        self,
        read: Mapping[str, Any],
        our_roles: list[str],
        faults: list[Fault],
        warnings: list[str],
        *,
        completes: bool,
    ) -> Consignment:
        customer = self._customer(read["account"], our_roles, faults)
        types = self._pallet_types(read["pallet_types"], read["lifts"], faults, warnings)
        service, *surcharges = self._services.of(read["services"], warnings) or [""]
        values: dict[str, Any] = {
            **NEVER,
            **{name: read[name] for name in Consignment._fields if name in read},
            "customer_code": customer,
            "our_roles": our_roles,
            "consignment_number": wire.bare_number(
                read["consignment_number"], *(read[depot] for depot in DEPOTS if read[depot])
            ),
            "service": service,
            "surcharges": surcharges,
            "weight_kg": read["weight_kg"] or None,
            "hub_code": read["hubs"][0] if read["hubs"] else "",
            "notes": [line.strip() for line in read["notes"].splitlines() if line.strip()],
            "additional_fields": _additional(read, warnings),
            "pallet_types": types,
            "barcodes": _barcodes(read["barcodes"], len(types), warnings),
            **self._stops(read, customer if completes and Role.REQUESTING in our_roles else "", faults, warnings),
        }
        return Consignment(*map(values.__getitem__, Consignment._fields))

    def _customer(self, account: str, our_roles: Sequence[str], faults: list[Fault]) -> str:
        """Our own customer by account when we requested it; other members' consignments are the network's."""
        if Role.REQUESTING not in our_roles:
            return self._network_customer
        code = self._accounts.get(account.casefold())
        if code is None and self.template.unknown_account_is_rejected:
            reason = f"no customer in the deployment file has the account '{account}'; add it there and replay"
            faults.append(Fault("UNKNOWN_CUSTOMER", self.template.places["account"][0], reason))
        return code or self._network_customer

    def _pallet_types(
        self, billed: list[str], lifts: int | None, faults: list[Fault], warnings: list[str]
    ) -> list[str]:
        """One type a pallet. There are as many as lifts; billing units say of what type they are."""
        billed = [self._pallet_type.get(one, one) for one in billed]
        if not lifts:
            if not billed:
                faults.append(Fault("MISSING_VALUE", "Lifts", "Lifts: no pallets, and no billing units either"))
            return billed
        if not billed:
            warnings.append(f"BillUnit: none for {lifts} lifts; taken as {self._default_pallet_type}")
            return [self._default_pallet_type] * lifts
        if len(billed) != lifts:
            warnings.append(
                f"BillUnit: {len(billed)} billing units for {lifts} lifts; there are as many pallets as lifts"
            )
        return [*billed, *[billed[-1]] * (lifts - len(billed))][:lifts]

    def _stops(
        self, read: Mapping[str, Any], of_customer: str, faults: list[Fault], warnings: list[str]
    ) -> dict[str, Address]:
        """Both ends; `of_customer`: at whose premises the one is that is left out, "" when nobody can say."""
        found = {stop: _address(stop, read, warnings) for stop in ("pickup", "delivery")}
        named, silent = ("pickup", "delivery") if read["pw_type"].upper() == COLLECTION else ("delivery", "pickup")
        if not found[named].postcode:
            place = self.template.places[f"{named}_postcode"][0]
            faults.append(Fault("MISSING_VALUE", place, f"{place}: is required and is empty or absent"))
        premises = self._premises.get(of_customer)
        if premises and not any((found[silent].name, found[silent].street, found[silent].postcode)):
            found[silent] = premises
        return found


class ForOurs:
    """The mapper for orders that were entered here: who entered them has said where goods are fetched.

    See palletflow.intake.flow.Translator.
    """

    def __init__(self, mapper: Mapper) -> None:
        self._mapper, self.version = mapper, mapper.version

    def key(self, record: Any) -> str:
        """As the mapper."""
        return self._mapper.key(record)

    def translate(self, record: Any) -> Translated:
        """As the mapper, but what the network leaves out stays out."""
        return self._mapper.translate(record, completes=False)


def _address(stop: str, read: Mapping[str, Any], warnings: list[str]) -> Address:
    address = Address(*(read[f"{stop}_{part}"] for part in Address._fields))
    country = address.country.upper()
    if not re.fullmatch("[A-Z]{2}", country):
        warnings.append(f"Address.Country: '{country[:40]}' is no country code of two letters; left out")
        country = ""
    return address._replace(country=country)


def _additional(read: Mapping[str, Any], warnings: list[str]) -> dict[str, str]:
    """What only Palletways has, without what is empty."""
    said = {name: read[name] for name in TEXTS if read[name]}
    for name in FLAGS:
        value = wire.flag(read[name])
        if value is not None:
            said[name] = "true" if value else "false"
        elif read[name]:
            warnings.append(f"{name}: '{read[name][:40]}' is neither yes nor no; left out")
    return said


def _barcodes(found: list[str], pallets: int, warnings: list[str]) -> list[str]:
    """One a pallet, as given [PW-3-5]; none unless every pallet has one of its own."""
    if found and (len(found) != pallets or len(set(found)) < len(found)):
        warnings.append(f"Pallet: {len(set(found))} barcodes for {pallets} pallets; none is kept")
        return []
    return found


def preview(plan: Deployment, own_template: Path | None = None) -> Mapper:
    """A mapper as a connection without settings of its own gives it, optionally with another template laid over.

    Raises FileFault when template or depots are not usable.
    """
    if own_template:
        ours = replace(plan.network(NETWORK), template=own_template)
        plan = replace(plan, networks={**plan.networks, NETWORK: ours})
    return Mapper(plan)
