"""Looks up what a record has only as an id, so that translating it needs nothing but the record (contract 2.9)."""

import re
from collections.abc import Iterator

from palletflow.network_errors import NotFound, Rejected
from palletflow.networks.nexus import wire
from palletflow.networks.nexus.errors import NexusNotOffered
from palletflow.networks.nexus.lookups import Lookups
from palletflow.networks.nexus.record import INTERNATIONAL, Reply
from palletflow.networks.nexus.wire import Wire
from palletflow.store.connection import Connection

# By look-up: id, name.
Found = dict[str, dict[str, str]]
ID = re.compile("[1-9][0-9]{0,17}")


class LookingUp:
    """The look-ups of one connection for the time of one run. `gone`: those that Nexus turned out not to have."""

    def __init__(self, lookups: Lookups, wire: Wire) -> None:
        self._lookups, self._wire = lookups, wire
        self.gone: dict[str, str] = {}

    def names(self, conn: Connection, reply: Reply) -> Found:
        """What a record needs to be understood; ids of a look-up that Nexus does not offer stay unnamed.

        Raises NetworkError.
        """
        found: Found = {}
        for lookup, id_, needs_name in _ids(reply):
            if lookup in self.gone or not ID.fullmatch(id_):
                continue
            try:
                self._add(conn, found, lookup, id_, needs_name)
            except (NexusNotOffered, NotFound, Rejected) as error:
                self.gone[lookup] = str(error)
        return found

    def _add(self, conn: Connection, found: Found, lookup: str, id_: str, needs_name: bool) -> None:
        # Asked by its id, a look-up that does not hold it is read anew once [NX-2.9-7].
        name = self._lookups.name_of(conn, lookup, int(id_))
        row = next((row for row in self._lookups.rows(conn, lookup) if self._wire.lookup_id(row) == int(id_)), {})
        if lookup == "countries":
            name = wire.text(wire.first_of(row, ["isoCode"])) or name
        if name and needs_name:
            found.setdefault(lookup, {})[id_] = name
        if lookup == "palletTypes" and str(wire.first_of(row, ["isInternational"])).casefold() == "true":
            found.setdefault(INTERNATIONAL, {})[id_] = name


def _ids(reply: Reply) -> Iterator[tuple[str, str, bool]]:
    """Look-up, id, and whether its name did not come with it."""
    yield "consignmentStatuses", reply.text("status_id") if not reply.text("status") else "", True
    yield "services", reply.text("delivery_service_id") if not reply.text("delivery_service") else "", True
    for stop in ("pickup", "delivery"):
        yield "countries", reply.text(f"{stop}_country_id"), True
    for pallet in reply.pallets:
        # Only the look-up says which types are international.
        yield "palletTypes", pallet["type_id"], not pallet["type"]
        yield "palletBases", pallet["base_id"] if not pallet["base"] else "", True
