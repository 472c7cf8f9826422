"""Palletforce's consignment record to ours (contract 2.4, 3, 4). Pure translation: no I/O but the template file."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from palletflow import deployment as deployment_file
from palletflow.checked_yaml import FileFault
from palletflow.deployment import Deployment
from palletflow.intake import template
from palletflow.intake.flow import Translated
from palletflow.intake.folding import fold
from palletflow.intake.template import Fault
from palletflow.networks.palletforce import barcodes, wire
from palletflow.orders.calendar import add_working_days
from palletflow.orders.consignment import Address, Consignment, Role, roles

NETWORK = "palletforce"
TEMPLATE = Path(__file__).with_name("template.yaml")
SECTIONS = Path(__file__).with_name("template.schema.json")
SAMPLE = Path(__file__).with_name("sample.json")

ADDRESS_FIELDS = (
    "name", "streetAddress", "location", "town", "county", "postcode", "countryCode", "phoneNumber", "contactName",
)  # fmt: skip
CONSIGNMENT_FIELDS = (
    "requestingDepot", "collectingDepot", "deliveryDepot", "trackingNumber", "consignmentNumber",
    "CustomerAccountNumber", "datesAndTimes", "datesAndTimes.dateTimeType", "datesAndTimes.value", "pallets",
    "pallets.palletType", "pallets.numberofPallets", "palletSpaces", "weight", "serviceName", "surcharges",
    "customersUniqueReference", "customersUniqueReference2", "notes", "notes.noteName", "notes.value", "insuranceCode",
    "customerCharge", "nonPalletforceConsignment", "deliveryVehicleCode", "consignmentType", "hubIdentifyingCode",
    "notifications", "notifications.notificationType", "notifications.value", "cartonCount",
    "aSNFBABOLReferenceNumber", "additionalDetails", "lastUpdated", "consignmentStatus",
)  # fmt: skip
# Every path a template may name: the upload's fields (2.1) and the extras of the pull (2.4).
WIRE_FIELDS = frozenset(
    path.casefold()
    for path in (
        *CONSIGNMENT_FIELDS,
        *(f"{address}.{part}" for address in ("collectionAddress", "deliveryAddress") for part in ADDRESS_FIELDS),
    )
)
# How the text of each field of ours is read; see palletflow.intake.template.READERS.
KINDS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "reference", "reference_2", "tracking_number", "consignment_number", "requesting_depot",
            "collecting_depot", "delivery_depot", "account", "insurance_code", "hub_code", "amazon_reference",
            "network_updated_at", "notification_email", "notification_sms",
            "notification_twitter", *(f"{stop}_{part}" for stop in ("pickup", "delivery") for part in Address._fields),
        ),
        "text",
    ),
    "service": "code",
    "network_status": "code",
    "surcharges": "codes",
    "collection_date": "date",
    "delivery_date": "date",
    "weight_kg": "decimal",
    "pallet_spaces": "decimal",
    "carton_count": "whole",
    "notes": "texts",
    "pallet_types": "pallets",
}  # fmt: skip
UNACCEPTED, CANCELLED = "UNACCEPTED", "CANCELLED"


class Mapper:
    """Translates records of one deployment. `version` changes whenever the same record could map differently."""

    # See palletflow.intake.replay.Replayer.
    only_read: Mapping[str, str] = {}

    def __init__(self, deployment: Deployment, local_time: wire.LocalTime, import_unaccepted: bool) -> None:
        """Raises FileFault when the template or our depots in the deployment file are not usable."""
        ours = deployment.network(NETWORK)
        bad = [code for code in ours.depots if not re.fullmatch(r"\d{3}", code)]
        if bad:
            raise FileFault(
                deployment_file.path(),
                [f"networks.palletforce.depots: '{code}' is not a depot code of 3 digits" for code in bad],
            )
        self.template = template.load(TEMPLATE, ours.template, KINDS, WIRE_FIELDS, SECTIONS)
        self._depots = frozenset(ours.depots)
        self._network_customer = ours.customer
        self._accounts = {
            account.casefold(): code for (network, account), code in deployment.accounts.items() if network == NETWORK
        }
        self._local_time = local_time
        self._import_unaccepted = import_unaccepted
        self.version = hashlib.sha256(
            b"\0".join(
                (
                    self.template.digest,
                    repr((sorted(self._depots), sorted(self._accounts.items()), ours.customer)).encode(),
                    str(import_unaccepted).encode(),
                )
            )
        ).digest()

    def tracking_page(self, consignment: Mapping[str, Any]) -> str:
        """Where anybody can follow a consignment as the order API shows it [PF-3-11]."""
        return barcodes.tracking_page(self.template.sections["labels"]["tracking_page"], consignment["tracking_number"])

    def records(self, manifests: list[Any]) -> list[Any]:
        """One record a consignment; what has another shape is passed on as it is, to be quarantined."""
        found: list[Any] = []
        for manifest in manifests:
            shared, consignments = self._split(manifest)
            if len(consignments) > 1:
                found += [{**shared, "consignments": [consignment]} for consignment in consignments]
            else:
                found.append(manifest)
        return found

    def key(self, record: Any) -> str:
        """The tracking number of a raw record, as far as one can be made out; "" otherwise."""
        _, consignment = self._one(record)
        number = wire.field(consignment, "trackingNumber", self.template.aliases)
        text = str(number).strip()[:100] if isinstance(number, str | int) else ""
        return text if text.isprintable() else ""

    def translate(self, record: Any) -> Translated:
        """A raw record, `{collectionAddress, deliveryAddress, consignments: [one]}`, as a consignment or its faults."""
        shared, consignment = self._one(record)
        if not consignment:
            return Translated(None, [Fault("BAD_FORMAT", "manifests[]", "is no consignment record")], [], False)
        folded = fold({**shared, **consignment}, self.template.aliases)
        values, faults, warnings = self.template.read(folded)
        if not faults:
            values["our_roles"] = self._roles(values, faults)
            values["customer_code"] = self._customer(values, faults)
        if faults:
            return Translated(None, faults, warnings, False)
        return Translated(
            self._built(values, warnings),
            [],
            warnings,
            only_if_known=values["network_status"] == CANCELLED
            or (values["network_status"] == UNACCEPTED and not self._import_unaccepted),
        )

    def _split(self, manifest: Any) -> tuple[dict[str, Any], list[Any]]:
        """What the consignments of a manifest share, and the consignments; nothing of what has another shape."""
        if not isinstance(manifest, dict):
            return {}, []
        listed = manifest.get("consignments") or wire.field(manifest, "consignments", self.template.aliases)
        if not isinstance(listed, list):
            return {}, []
        return {key: value for key, value in manifest.items() if value is not listed}, listed

    def _one(self, record: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The shared part and the consignment of a record; two empty ones if it has not exactly one."""
        shared, consignments = self._split(record)
        if len(consignments) == 1 and isinstance(consignments[0], dict):
            return shared, consignments[0]
        return {}, {}

    def _roles(self, values: Mapping[str, Any], faults: list[Fault]) -> list[str]:
        depots = values["requesting_depot"], values["collecting_depot"], values["delivery_depot"]
        held = roles(self._depots, *depots)
        if not held:
            faults.append(
                Fault(
                    "NOT_OUR_DEPOT",
                    "requestingDepot",
                    f"none of its depots ({', '.join(depots)}) is ours ({', '.join(sorted(self._depots))}); add "
                    "ours to the deployment file or ask the network why we received it",
                )
            )
        return held

    def _customer(self, values: Mapping[str, Any], faults: list[Fault]) -> str:
        """Our own customer by account when we requested it; other members' consignments are the network's."""
        if Role.REQUESTING not in values.get("our_roles", ()):
            return self._network_customer
        code = self._accounts.get(values["account"].casefold())
        if code is None and self.template.unknown_account_is_rejected:
            faults.append(
                Fault(
                    "UNKNOWN_CUSTOMER",
                    "CustomerAccountNumber",
                    f"no customer in the deployment file has the account '{values['account']}'; "
                    "add it there and replay",
                )
            )
        return code or self._network_customer

    def _built(self, values: dict[str, Any], warnings: list[str]) -> Consignment:
        if values["delivery_date"] is None:
            lead = self.template.codes["services"].get(values["service"], {}).get("lead_days")
            if lead is not None:
                values["delivery_date"] = add_working_days(values["collection_date"], int(lead))
        values["network_updated_at"] = self._moment(values["network_updated_at"], warnings)
        values["registered"] = values["network_status"] != UNACCEPTED
        values["goods_description"] = ""
        values["additional_fields"], values["pallet_details"] = {}, []
        values["barcodes"] = barcodes.of_pallets(
            values["delivery_depot"], values["service"], values["tracking_number"], len(values["pallet_types"])
        )
        for stop in ("pickup", "delivery"):
            values[stop] = Address(*(values[f"{stop}_{part}"] for part in Address._fields))
        return Consignment(*map(values.__getitem__, Consignment._fields))

    def _moment(self, text: str, warnings: list[str]) -> Any:
        try:
            return self._local_time.read(text) if text else None
        except ValueError:
            warnings.append(f"lastUpdated: '{text}' is not a time; left out")
            return None


def preview(plan: Deployment, own_template: Path | None = None) -> Mapper:
    """A mapper as a connection without settings of its own gives it, optionally with another template laid over.

    Raises FileFault when template or depots are not usable.
    """
    if own_template:
        ours = replace(plan.network(NETWORK), template=own_template)
        plan = replace(plan, networks={**plan.networks, NETWORK: ours})
    return Mapper(plan, wire.LocalTime("Europe/London", "%Y-%m-%dT%H:%M:%S"), import_unaccepted=False)
