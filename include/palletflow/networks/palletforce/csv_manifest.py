"""The delivery manifest of the network's portal as a CSV file, one row a consignment (contract 8.3). Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from palletflow.deployment import Deployment
from palletflow.intake.cells import (
    Column,
    cells,
    code,
    codes,
    country,
    cut,
    day,
    decimal,
    depot,
    text,
    whole,
)
from palletflow.intake.file_kinds import Row, RowsRead
from palletflow.intake.template import MOST_PALLETS, Fault, Template
from palletflow.networks.palletforce import barcodes
from palletflow.networks.palletforce.csv_cells import sources, tracking_number
from palletflow.networks.palletforce.mapper import NETWORK
from palletflow.orders.consignment import Address, Consignment, roles
from palletflow.store.file_rules import FileRules

STREAM = "manifest file"
DEPOTS = ("requestingDepot", "collectingDepot", "deliveryDepot")
# Column: the pallet type it counts.
PALLETS = {"full": "F", "half": "H", "quarter": "Q", "oversize": "O"}
NOTES = ("note1", "note2", "note3", "note4")


def _columns(codes_of: Mapping[str, Mapping[str, Any]]) -> list[Column]:
    fifty = text(50)
    return [
        Column("trackingNumber", tracking_number, required=True),
        *(Column(name, depot, required=True) for name in DEPOTS),
        Column("consignmentNumber", text(7)),
        Column("manifestDate", day, blank=None),
        Column("collectionDate", day, blank=None),
        Column("deliveryDate", day, required=True, blank=None),
        Column("serviceName", code(codes_of["services"], strict=False), required=True),
        Column("surcharges", codes(codes_of["surcharges"], strict=False), blank=[]),
        *(Column(name, whole(0, MOST_PALLETS), blank=0) for name in PALLETS),
        Column("weight", decimal(99_999), required=True, blank=None),
        Column("palletSpaces", decimal(999), blank=None),
        Column("deliveryName", fifty, required=True),
        Column("deliveryStreetAddress", fifty, required=True),
        Column("deliveryTown", fifty, required=True),
        Column("deliveryPostcode", fifty, required=True),
        Column("deliveryLocation", fifty),
        Column("deliveryCounty", fifty),
        Column("deliveryCountryCode", country, blank="GB"),
        Column("deliveryPhoneNumber", fifty),
        Column("deliveryContactName", fifty),
        Column("collectionName", fifty),
        Column("collectionTown", fifty),
        Column("collectionPostcode", fifty),
        Column("customersUniqueReference", text(35)),
        Column("customersUniqueReference2", text(35)),
        *(Column(note, cut(36)) for note in NOTES),
        Column("cartonCount", whole(0, 999_999), blank=None),
        Column("asnFbaBolReference", text(30)),
    ]


class Manifest:
    """See palletflow.intake.file_kinds.FileKind."""

    stream = STREAM
    group_by = "trackingNumber"
    most_rows = 1
    surplus = Fault("DUPLICATE_ROW", "trackingNumber", "is in the file twice; its first row counts")

    def __init__(self, plan: Deployment, template: Template) -> None:
        settings = template.sections["csv"]["manifest"]
        ours = plan.network(NETWORK)
        self.sources = sources(settings["columns"])
        self.rules = FileRules(order_source=None, key_column="trackingNumber", number_column="trackingNumber")
        columns = {column.name: column for column in _columns(template.codes)}
        self._columns = [columns[field] for field in self.sources]
        self._names = tuple(self.sources)
        self._number = self._names.index("trackingNumber")
        self.required = (*((column.name,) for column in self._columns if column.required), tuple(PALLETS))
        self._depots = frozenset(ours.depots)
        self._roles = frozenset(settings["roles"])
        self._customer = ours.customer
        self.version = hashlib.sha256(template.digest + repr((sorted(self._depots), self._customer)).encode()).digest()

    def record_key(self, words: Sequence[str]) -> str:
        """The tracking number as it stands there."""
        return words[self._number][:100]

    def read(self, rows: Sequence[Row]) -> RowsRead:
        """One consignment, or what is wrong with its row."""
        [row] = rows
        if row.fault:
            return RowsRead(None, [[row.fault]], [])
        read = cells(self._columns, row.words)
        faults = [cell[1] for cell in read if cell[1]]
        warnings = [cell[2] for cell in read if cell[2]]
        if not faults:
            values = {name: cell[0] for name, cell in zip(self._names, read, strict=True)}
            faults = self._faults(values)
        if faults:
            return RowsRead(None, [faults], warnings)
        return RowsRead(self._consignment(values), [[]], warnings)

    def _faults(self, values: Mapping[str, Any]) -> list[Fault]:
        faults = []
        held = self._held(values)
        if not self._roles.intersection(held):
            faults.append(
                Fault(
                    "NOT_OUR_DEPOT",
                    "deliveryDepot",
                    f"'{values['deliveryDepot']}' is not ours ({', '.join(sorted(self._depots))})",
                )
            )
        count = sum(values[name] for name in PALLETS)
        if count == 0:
            faults.append(Fault("MISSING_VALUE", "full", f"no pallets: one of {', '.join(PALLETS)} must be above 0"))
        elif count > MOST_PALLETS:
            faults.append(Fault("BAD_FORMAT", "full", f"{count} pallets, at most {MOST_PALLETS} fit a consignment"))
        return faults

    def _held(self, values: Mapping[str, Any]) -> list[str]:
        return roles(self._depots, *(values[name] for name in DEPOTS))

    def _consignment(self, values: Mapping[str, Any]) -> Consignment:
        pallet_types = [kind for name, kind in PALLETS.items() for _ in range(values[name])]
        return Consignment(
            customer_code=self._customer,
            reference=values["customersUniqueReference"],
            reference_2=values["customersUniqueReference2"],
            tracking_number=values["trackingNumber"],
            registered=True,
            consignment_number=values["consignmentNumber"],
            requesting_depot=values["requestingDepot"],
            collecting_depot=values["collectingDepot"],
            delivery_depot=values["deliveryDepot"],
            our_roles=self._held(values),
            account="",
            service=values["serviceName"],
            surcharges=values["surcharges"],
            collection_date=values["collectionDate"],
            delivery_date=values["deliveryDate"],
            weight_kg=values["weight"],
            pallet_spaces=values["palletSpaces"],
            insurance_code="",
            hub_code="",
            carton_count=values["cartonCount"],
            amazon_reference=values["asnFbaBolReference"],
            notes=[values[note] for note in NOTES if values[note]],
            network_status="",
            network_updated_at=None,
            goods_description="",
            notification_email="",
            notification_sms="",
            notification_twitter="",
            additional_fields={},
            pallet_details=[],
            pallet_types=pallet_types,
            barcodes=barcodes.of_pallets(
                values["deliveryDepot"], values["serviceName"], values["trackingNumber"], len(pallet_types)
            ),
            pickup=Address(
                name=values["collectionName"],
                street="",
                locality="",
                town=values["collectionTown"],
                county="",
                postcode=values["collectionPostcode"],
                country="GB",
                phone="",
                contact="",
            ),
            delivery=Address(
                name=values["deliveryName"],
                street=values["deliveryStreetAddress"],
                locality=values["deliveryLocation"],
                town=values["deliveryTown"],
                county=values["deliveryCounty"],
                postcode=values["deliveryPostcode"],
                country=values["deliveryCountryCode"],
                phone=values["deliveryPhoneNumber"],
                contact=values["deliveryContactName"],
            ),
        )
