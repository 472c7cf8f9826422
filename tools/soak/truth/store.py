"""The order store as the verdict reads it: in a few large questions, and by no code that wrote it."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from palletflow import deployment
from palletflow.desk import needs
from palletflow.desk.plan import Networks
from palletflow.discovery import network_part
from palletflow.store import need_groups
from palletflow.store.connection import Connection

MOST = 100_000


class Held(NamedTuple):
    """A consignment. `key`: the order's own."""

    id: int
    order_id: int
    source: str
    key: str
    reference: str
    cancelled: bool
    network: str
    number: str | None
    registered: bool
    consignment_number: str
    roles: list[str]
    service: str
    collecting: str
    delivery: str
    state: str
    status: str
    network_status: str
    created_at: datetime
    pallets: int


CONSIGNMENTS = """
SELECT c.id, o.id, o.source, o.source_key, o.reference, o.cancelled_at IS NOT NULL, c.network, c.tracking_number,
       c.registered, c.consignment_number, c.our_roles, c.service, c.collecting_depot, c.delivery_depot,
       c.dispatch_state, c.lifecycle_status, c.network_status, c.created_at,
       (SELECT count(*) FROM pallets p WHERE p.consignment_id = c.id AND p.removed_at IS NULL)
FROM consignments c JOIN orders o ON o.id = c.order_id ORDER BY c.id
"""
BARCODES = "SELECT consignment_id, barcode FROM pallet_barcodes WHERE state IN ('expected', 'confirmed')"
EVENTS = """
SELECT consignment_id, barcode, code, occurred_at, status, pallet_number, sent_at IS NOT NULL
FROM tracking_events WHERE direction = %s ORDER BY id
"""
DOCUMENTS = """
SELECT consignment_id, kind, encode(sha256, 'hex'), pallet_number, source FROM documents
WHERE stale_at IS NULL ORDER BY id
"""
WORK = """
SELECT network, kind, key, due_at, lease IS NOT NULL, parked_at IS NOT NULL, coalesce(last_error, '') FROM work_items
"""


@dataclass(frozen=True)
class Store:
    """Everything that is compared, read at one moment."""

    now: datetime
    held: list[Held]
    barcodes: dict[int, set[str]]
    imported: dict[int, list[tuple[Any, ...]]]
    exported: dict[int, list[tuple[Any, ...]]]
    documents: dict[int, list[tuple[Any, ...]]]
    work: list[tuple[Any, ...]]
    quarantined: list[tuple[str, str, str]]  # network, key, raw
    ignored: set[tuple[str, str]]  # network, key
    # By cause, what stands under Needs attention.
    listed: dict[str, list[Any]]

    def of(self, network: str) -> list[Held]:
        """Its consignments."""
        return [one for one in self.held if one.network == network]

    def is_listed(self, consignment_id: int, *causes: str) -> bool:
        """Whether anything of a consignment stands under Needs attention, or of these causes."""
        return any(consignment_id in self._listed[cause] for cause in causes or self.listed)

    @cached_property
    def _listed(self) -> dict[str, set[int | None]]:
        return {cause: {entry.consignment_id for entry in entries} for cause, entries in self.listed.items()}

    def is_quarantined(self, network: str, *words: str) -> bool:
        """Whether an open record of a network's speaks of any of these."""
        return any(
            known == network and any(word and (word == key or f'"{word}"' in raw) for word in words)
            for known, key, raw in self.quarantined
        )

    def waits(self, network: str, kind: str, consignment_id: int) -> bool:
        """Whether work of this kind waits for a consignment, not parked."""
        return any(
            (of, what, key.split(":")[0]) == (network, kind, str(consignment_id)) and not parked
            for of, what, key, _, _, parked, _ in self.work
        )


def read(conn: Connection, plan_file: Path) -> Store:
    """Reads all of it."""
    plan = deployment.load(plan_file)
    networks = Networks(plan, {name: network_part(name, "mapper").preview(plan) for name in plan.networks})
    [(now,)] = conn.execute("SELECT clock_timestamp()").fetchall()
    question = needs.asked(networks, now)
    listed = {
        cause: needs.entries(conn, networks, cause, question, subjects=None, most=MOST)
        for cause in needs.CAUSES
        if cause != "quarantine"
    }
    ids = [
        record for group in need_groups.records(conn, list(plan.networks)) for record in group_ids(conn, plan, group)
    ]
    quarantined = conn.execute(
        "SELECT network, record_key, coalesce(corrected, raw) FROM inbound_records WHERE id = ANY (%s)", (ids,)
    ).fetchall()
    return Store(
        now=now,
        held=[Held(*row) for row in conn.execute(CONSIGNMENTS)],
        barcodes={key: {row[1] for row in rows} for key, rows in _by_first(conn, BARCODES).items()},
        imported=_by_first(conn, EVENTS, "imported"),
        exported=_by_first(conn, EVENTS, "exported"),
        documents=_by_first(conn, DOCUMENTS),
        work=conn.execute(WORK).fetchall(),
        quarantined=quarantined,
        ignored={
            (network, key)
            for network, key in conn.execute(
                "SELECT network, record_key FROM inbound_records WHERE outcome = 'ignored'"
            )
        },
        listed=listed,
    )


def group_ids(conn: Connection, plan: Any, group: Any) -> list[int]:
    """The records of one of the quarantine's causes, as the page under Needs attention lists them."""
    return need_groups.record_ids(conn, list(plan.networks), group.cause)


def _by_first(conn: Connection, statement: str, *values: Any) -> dict[int, list[tuple[Any, ...]]]:
    found: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for row in conn.execute(statement.encode(), values or None):
        found[row[0]].append(row)
    return found
