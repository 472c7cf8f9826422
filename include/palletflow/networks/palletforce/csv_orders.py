"""Customers' orders as a CSV file: one row a pallet line, grouped by orderReference (contract 8.2). Pure."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from operator import itemgetter
from typing import Any

from palletflow.deployment import Deployment
from palletflow.intake.cells import (
    Cell,
    Column,
    cells,
    code,
    codes,
    country,
    day,
    decimal,
    digits,
    phone,
    text,
    whole,
)
from palletflow.intake.file_kinds import Row, RowsRead
from palletflow.intake.template import MOST_PALLETS, Fault, Template
from palletflow.networks.palletforce.csv_cells import sources, tracking_number
from palletflow.networks.palletforce.imported_numbers import imported_number_fault
from palletflow.networks.palletforce.manifest import in_sending_order
from palletflow.networks.palletforce.mapper import NETWORK
from palletflow.orders.calendar import add_working_days
from palletflow.orders.consignment import Address, Consignment, roles
from palletflow.store.file_rules import FileRules

STREAM = "orders file"
HEAVIEST = 9999
# Field of an address: its column after "collection" or "delivery".
ADDRESS = {
    "name": "Name",
    "street": "StreetAddress",
    "locality": "Location",
    "town": "Town",
    "county": "County",
    "postcode": "Postcode",
    "country": "CountryCode",
    "phone": "PhoneNumber",
    "contact": "ContactName",
}
PARTS = {stop: itemgetter(*(stop + ADDRESS[part] for part in Address._fields)) for stop in ("collection", "delivery")}
# A collection address has all of these or none.
WHERE = ("collectionName", "collectionStreetAddress", "collectionTown", "collectionPostcode")
AMAZON = ("cartonCount", "asnFbaBolReference")
NOTES = ("note1", "note2", "note3", "note4")
# Everything else belongs to the order.
OF_A_LINE = ("palletType", "numberOfPallets", "weight", "palletSpaces", "goodsDescription")


def _columns(codes_of: Mapping[str, Mapping[str, Any]], default_service: str) -> list[Column]:
    fifty = text(50)
    return [
        Column("orderReference", text(35), required=True),
        Column("customerCode", text(35), required=True),
        Column("trackingNumber", tracking_number),
        Column("customerAccountNumber", text(20)),
        Column("customersUniqueReference2", text(35)),
        *(Column(name, fifty) for name in WHERE),
        Column("collectionLocation", fifty),
        Column("collectionCounty", fifty),
        Column("collectionPhoneNumber", fifty),
        Column("collectionContactName", fifty),
        Column("collectionCountryCode", country, blank="GB"),
        Column("collectionDate", day, required=True, blank=None),
        Column("deliveryName", fifty, required=True),
        Column("deliveryStreetAddress", fifty, required=True),
        Column("deliveryTown", fifty, required=True),
        Column("deliveryPostcode", fifty, required=True),
        Column("deliveryPhoneNumber", phone(20), required=True),
        Column("deliveryLocation", fifty),
        Column("deliveryCounty", fifty),
        Column("deliveryContactName", fifty),
        Column("deliveryCountryCode", country, blank="GB"),
        Column("deliveryDate", day, blank=None),
        Column("serviceName", code(codes_of["services"], strict=True), blank=default_service),
        Column("surcharges", codes(codes_of["surcharges"], strict=True), blank=[]),
        Column("palletType", code(codes_of["pallet_types"], strict=True), required=True),
        Column("numberOfPallets", whole(1, MOST_PALLETS), required=True, blank=None),
        Column("weight", decimal(HEAVIEST), required=True, blank=None),
        Column("palletSpaces", decimal(999), blank=None),
        Column("goodsDescription", text(140)),
        *(Column(note, text(36)) for note in NOTES),
        Column("notificationEmail", text(70)),
        Column("notificationSms", text(20)),
        Column("insuranceCode", digits(2)),
        Column("cartonCount", whole(0, 999_999), blank=None),
        Column("asnFbaBolReference", text(30)),
    ]


class Orders:
    """See palletflow.intake.file_kinds.FileKind."""

    stream = STREAM
    group_by = "orderReference"
    # One more than can be good, so that an order of more is seen to be one.
    most_rows = MOST_PALLETS + 1
    surplus = Fault("ORDER_HAS_BAD_ROW", "", f"the order has more than {MOST_PALLETS} rows, and as many pallets")
    # What a file says of an order it says once; a changed setting does not make it another order.
    version = None

    def __init__(self, plan: Deployment, template: Template) -> None:
        settings = template.sections["csv"]
        self.sources = sources(settings["orders"]["columns"])
        self.rules = FileRules(
            order_source=f"{NETWORK} {STREAM}",
            key_column="orderReference",
            number_column="trackingNumber",
            duplicates_warn=settings["duplicate_tracking"] == "warn",
        )
        columns = {column.name: column for column in _columns(template.codes, settings["orders"]["default_service"])}
        self._columns = [columns[field] for field in self.sources]
        self._names = tuple(self.sources)
        self._of_order = [place for place, name in enumerate(self._names) if name not in OF_A_LINE]
        self._of_line = [place for place, name in enumerate(self._names) if name in OF_A_LINE]
        self._reference, self._customer = self._names.index("orderReference"), self._names.index("customerCode")
        self.required = tuple((column.name,) for column in self._columns if column.required)
        self._services = template.codes["services"]
        self._spaces = {kind: Decimal(n) for kind, n in template.sections["dispatch"]["spaces_per_type"].items()}
        ours = plan.network(NETWORK)
        self._depots = frozenset(ours.depots)
        self._numbers_allowed = ours.switches.imported_tracking_id
        self._customers = {code.casefold(): customer for code, customer in plan.customers.items()}
        self._accounts = {code: plan.only_account(NETWORK, code) for code in plan.customers}

    def record_key(self, words: Sequence[str]) -> str:
        """Customer and reference; "" without a reference. A tab between them, which neither can begin or end with."""
        reference, customer = words[self._reference], words[self._customer]
        known = self._customers.get(customer.casefold())
        return f"{known.code if known else customer[:35]}\t{reference[:100]}" if reference else ""

    def read(self, rows: Sequence[Row]) -> RowsRead:
        """One order, or what is wrong with it: no order lands in part [PF-8.2-9]."""
        read = [[] if row.fault else cells(self._columns, row.words) for row in rows]
        faults = [
            [row.fault]
            if row.fault
            else [cell[1] for cell in found if cell[1]]
            if place == 0
            else [fault for line in self._of_line if (fault := found[line][1])]
            for place, (row, found) in enumerate(zip(rows, read, strict=True))
        ]
        if len(rows) > 1:
            conflict = self._conflict(rows, read)
            if conflict:
                for wrong in faults:
                    wrong.append(conflict)
        consignment, warnings = None, []
        if not any(faults):
            values = {name: cell[0] for name, cell in zip(self._names, read[0], strict=True)}
            lines = [{self._names[place]: found[place][0] for place in self._of_line} for found in read]
            warnings = [cell[2] for found in read for cell in found if cell[2]]
            consignment = self._order(values, lines, faults[0])
        if consignment is None:
            bad = next(place for place, wrong in enumerate(faults) if wrong)
            other = Fault("ORDER_HAS_BAD_ROW", "", f"row {rows[bad].number} of the same order is bad")
            return RowsRead(None, [wrong or [other] for wrong in faults], warnings)
        return RowsRead(consignment, faults, warnings)

    def _conflict(self, rows: Sequence[Row], read: Sequence[Sequence[Cell]]) -> Fault | None:
        """[PF-8.2-8] What belongs to the order is the same in all its rows, or blank after the first."""
        good = [place for place, row in enumerate(rows) if not row.fault]
        for place in self._of_order:
            first = read[good[0]][place][0] if good else None
            for other in good[1:]:
                word = rows[other].words[place]
                if word and word != rows[good[0]].words[place] and read[other][place][0] != first:
                    return Fault(
                        "CONFLICTING_ROWS",
                        self._names[place],
                        f"rows {rows[good[0]].number} and {rows[other].number} of the order differ",
                    )
        return None

    def _order(
        self, values: dict[str, Any], lines: Sequence[Mapping[str, Any]], faults: list[Fault]
    ) -> Consignment | None:
        customer = self._customers.get(values["customerCode"].casefold())
        if customer is None:
            faults.append(
                Fault(
                    "UNKNOWN_CUSTOMER",
                    "customerCode",
                    f"no customer in the deployment file has the code '{values['customerCode']}'; add him and replay",
                )
            )
            return None
        pickup = self._pickup(values, customer.collection, faults)
        delivery_date = self._delivery_date(values, faults)
        self._check_amazon(values, faults)
        number = values["trackingNumber"]
        fault = self._number_fault(number) if number else None
        if fault:
            faults.append(Fault("BAD_TRACKING_NUMBER", "trackingNumber", fault))
        pallet_types = [line["palletType"] for line in lines for _ in range(line["numberOfPallets"])]
        if len(pallet_types) > MOST_PALLETS:
            faults.append(
                Fault("BAD_FORMAT", "numberOfPallets", f"{len(pallet_types)} pallets, at most {MOST_PALLETS} an order")
            )
        weight = sum((line["weight"] for line in lines), Decimal()).quantize(Decimal(1), ROUND_HALF_UP)
        if not 1 <= weight <= HEAVIEST:
            faults.append(Fault("BAD_FORMAT", "weight", f"the order weighs {weight} kg, 1 to {HEAVIEST} can be sent"))
        if faults:
            return None
        depot = number[:3]
        return Consignment(
            customer_code=customer.code,
            reference=values["orderReference"],
            reference_2=values["customersUniqueReference2"],
            tracking_number=number,
            registered=False,
            consignment_number="",
            requesting_depot=depot,
            collecting_depot="",
            delivery_depot="",
            our_roles=roles(self._depots, depot, "", ""),
            account=values["customerAccountNumber"] or self._accounts[customer.code],
            service=values["serviceName"],
            surcharges=values["surcharges"],
            collection_date=values["collectionDate"],
            delivery_date=delivery_date,
            weight_kg=weight,
            pallet_spaces=self._pallet_spaces(lines),
            insurance_code=values["insuranceCode"],
            hub_code="",
            carton_count=values["cartonCount"],
            amazon_reference=values["asnFbaBolReference"],
            notes=[values[note] for note in NOTES if values[note]],
            network_status="",
            network_updated_at=None,
            goods_description="; ".join(
                dict.fromkeys(line["goodsDescription"] for line in lines if line["goodsDescription"])
            ),
            notification_email=values["notificationEmail"],
            notification_sms=values["notificationSms"],
            notification_twitter="",
            additional_fields={},
            pallet_details=[],
            pallet_types=in_sending_order(pallet_types),
            barcodes=[],
            pickup=pickup,
            delivery=_address("delivery", values)._replace(
                contact=values["deliveryContactName"] or values["deliveryName"]
            ),
        )

    def _number_fault(self, number: str) -> str | None:
        if not self._numbers_allowed:
            return "imported tracking IDs are switched off in the deployment file"
        return imported_number_fault(number, self._depots)

    def _pickup(self, values: Mapping[str, Any], default: Address | None, faults: list[Fault]) -> Address:
        """[PF-8.2-4] The address given, or the customer's own with the phone and contact that are given."""
        blank = [name for name in WHERE if not values[name]]
        if not blank:
            return _address("collection", values)
        if len(blank) < len(WHERE):
            faults.append(Fault("MISSING_VALUE", blank[0], "is empty, and the rest of the collection address is not"))
        elif default is None:
            faults.append(
                Fault("MISSING_VALUE", blank[0], "is empty, and the customer has no default collection address")
            )
        else:
            return default._replace(
                phone=values["collectionPhoneNumber"] or default.phone,
                contact=values["collectionContactName"] or default.contact,
            )
        return _address("collection", values)

    def _delivery_date(self, values: Mapping[str, Any], faults: list[Fault]) -> date | None:
        given: date | None = values["deliveryDate"]
        collected: date = values["collectionDate"]
        if given is None:
            lead = self._services[values["serviceName"]].get("lead_days")
            return None if lead is None else add_working_days(collected, int(lead))
        if given < collected:
            faults.append(Fault("BAD_FORMAT", "deliveryDate", f"{given} is before the collection on {collected}"))
        return given

    def _check_amazon(self, values: Mapping[str, Any], faults: list[Fault]) -> None:
        if "AZ" in values["surcharges"]:
            faults += [
                Fault("MISSING_VALUE", name, "is required with surcharge AZ")
                for name in AMAZON
                if values[name] in (None, "")
            ]

    def _pallet_spaces(self, lines: Sequence[Mapping[str, Any]]) -> Decimal | None:
        """What the lines give; a line that does not say takes its pallets' usual spaces. None when no line says."""
        if all(line["palletSpaces"] is None for line in lines):
            return None
        return sum(
            (
                line["numberOfPallets"] * self._spaces.get(line["palletType"], Decimal(1))
                if line["palletSpaces"] is None
                else line["palletSpaces"]
                for line in lines
            ),
            Decimal(),
        )


def _address(stop: str, values: Mapping[str, Any]) -> Address:
    return Address._make(PARTS[stop](values))
