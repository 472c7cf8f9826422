"""Files like PSIEF, Palletways' CSV submission format: a line a consignment, columns by position (contract 7.2). Pure.

A line announces a consignment by its tracking ID: it makes an order of one we do not hold, and getConsignment then
tells the rest. One that we hold stays as it is.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from palletflow.deployment import Deployment
from palletflow.intake.cells import BadCell, Column, Doubtful, Read, cells, cut, day, decimal, digits, text, whole
from palletflow.intake.file_kinds import Row, RowsRead, Source
from palletflow.intake.files import numbered
from palletflow.intake.template import MOST_PALLETS, Fault, Template
from palletflow.networks.palletways import record as wire
from palletflow.networks.palletways.mapper import NEVER, Services
from palletflow.networks.palletways.work import NETWORK
from palletflow.orders.consignment import Address, Consignment, Role, roles
from palletflow.store.file_rules import FileRules

STREAM = "psief file"
TRACKING_ID = "tracking_id"
DEPOTS = ("requesting_depot", "collecting_depot", "delivery_depot")
NOBODY = Address(*("",) * len(Address._fields))


def tracking_id(cell: str) -> str:
    """A tracking ID, as text whatever digits it has [PW-3-1]."""
    if not wire.is_tracking_id(cell):
        raise BadCell("BAD_TRACKING_ID", f"'{cell[:40]}' is no tracking ID")
    return cell


def country(cell: str) -> str | Doubtful:
    """A country code; what is none is left out, as getConsignment tells it."""
    code = cell.upper()
    return code if len(code) == 2 and code.isascii() and code.isalpha() else Doubtful("", f"'{cell[:40]}' was left out")


def _columns() -> list[Column]:
    depot: Read = digits(3)
    return [
        Column(TRACKING_ID, tracking_id, required=True),
        Column("consignment_number", text(50)),
        Column("reference", text(100)),
        Column("account", text(50)),
        *(Column(name, depot) for name in DEPOTS),
        Column("weight", decimal(99_999), blank=None),
        Column("lifts", whole(0, MOST_PALLETS), blank=0),
        Column("service", text(20)),
        Column("surcharge", text(20)),
        Column("delivery_date", day, blank=None),
        Column("contact", cut(100)),
        Column("telephone", cut(50)),
        Column("company", cut(100)),
        Column("address_line", cut(100)),
        Column("town", cut(100)),
        Column("country", country, blank="GB"),
        Column("postcode", text(20), required=True),
        Column("instructions", cut(500)),
    ]


class Psief:
    """See palletflow.intake.file_kinds.FileKind."""

    stream = STREAM
    group_by = TRACKING_ID
    most_rows = 1
    surplus = Fault("DUPLICATE_ROW", TRACKING_ID, "is in the file twice; its first line counts")
    rules = FileRules(order_source=None, key_column=TRACKING_ID, number_column=TRACKING_ID, announces=True)

    def __init__(self, plan: Deployment, template: Template) -> None:
        ours = plan.network(NETWORK)
        positions = template.sections["psief"]["columns"]
        self._columns = _columns()
        self._names = tuple(column.name for column in self._columns)
        self.sources = {
            name: Source((numbered(int(positions[name])),) if positions.get(name) else ()) for name in self._names
        }
        self.required = tuple((column.name,) for column in self._columns if column.required)
        self._services = Services(template)
        self._default_pallet_type: str = template.sections["import"]["default_pallet_type"]
        self._depots = frozenset(ours.depots)
        self._network_customer = ours.customer
        self._accounts = {
            account.casefold(): code for (network, account), code in plan.accounts.items() if network == NETWORK
        }
        said = (sorted(self._depots), sorted(self._accounts.items()), ours.customer)
        self.version = hashlib.sha256(template.digest + repr(said).encode()).digest()

    def record_key(self, words: Sequence[str]) -> str:
        """The tracking ID as it stands there."""
        return words[self._names.index(TRACKING_ID)][:100]

    def read(self, rows: Sequence[Row]) -> RowsRead:
        """One consignment, or what is wrong with its line."""
        [row] = rows
        if row.fault:
            return RowsRead(None, [[row.fault]], [])
        read = cells(self._columns, row.words)
        faults = [fault for _, fault, _ in read if fault]
        warnings = [warning for _, _, warning in read if warning]
        values = {name: cell[0] for name, cell in zip(self._names, read, strict=True)}
        if not faults:
            faults = self._not_ours(values)
        if faults:
            return RowsRead(None, [faults], warnings)
        return RowsRead(self._consignment(values, warnings), [[]], warnings)

    def _not_ours(self, values: Mapping[str, Any]) -> list[Fault]:
        """A line need not name depots; where it does, one of them is ours."""
        depots = [values[depot] for depot in DEPOTS]
        if not any(depots) or self._depots.intersection(depots):
            return []
        named, ours = ", ".join(filter(None, depots)), ", ".join(sorted(self._depots))
        place = next(depot for depot in DEPOTS if values[depot])
        return [Fault("NOT_OUR_DEPOT", place, f"of its depots ({named}) none is ours ({ours})")]

    def _consignment(self, values: Mapping[str, Any], warnings: list[str]) -> Consignment:
        our_roles = roles(self._depots, *(values[depot] for depot in DEPOTS))
        account = self._accounts.get(values["account"].casefold()) if Role.REQUESTING in our_roles else None
        return Consignment(
            **{
                **NEVER,
                **{name: values[name] for name in ("reference", "account", "delivery_date", *DEPOTS)},
                "tracking_number": values[TRACKING_ID],
                "customer_code": account or self._network_customer,
                "consignment_number": wire.bare_number(
                    values["consignment_number"], *(values[depot] for depot in DEPOTS if values[depot])
                ),
                "our_roles": our_roles,
                "service": self._services.read(values["service"], values["surcharge"], warnings),
                "surcharges": [],
                "collection_date": None,
                "weight_kg": values["weight"],
                "insurance_code": "",
                "hub_code": "",
                "notes": [values["instructions"]] if values["instructions"] else [],
                "additional_fields": {},
                "pallet_types": [self._default_pallet_type] * values["lifts"],
                "barcodes": [],
                "pickup": NOBODY,
                "delivery": NOBODY._replace(
                    name=values["company"],
                    street=values["address_line"],
                    town=values["town"],
                    postcode=values["postcode"],
                    country=values["country"],
                    phone=values["telephone"],
                    contact=values["contact"],
                ),
            }
        )
