"""Finds consignments by any number a person may have in hand, and by what one filters by; the newest first.

What was typed is looked up as everything it may be at once, each by its index and no further than MOST_HITS. Nearly
always that is all there is. Where there is more (a customer, a reference that half of the orders share) or nothing was
typed, consignments are read from the newest back in stretches of their ids. A stretch is as long as the ones before
were quick, and after PATIENCE_S no further one is begun, so that the time of a search does not depend on how rare its
matches are: it says how far back it came, and goes on from there when it is asked to.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from psycopg import sql
from psycopg.errors import QueryCanceled
from psycopg.rows import class_row

from palletflow.orders.consignment import Role
from palletflow.orders.lifecycle import Status
from palletflow.store.connection import Connection
from palletflow.store.search_words import Typed

PAGE = 50
MOST_HITS = 200
PATIENCE_S = 0.1
# What a stretch should take, and how many ids the first one has.
STRETCH_S, FIRST_STRETCH = 0.03, 2_000
# A statement that takes so long was planned badly or meets a troubled server; it shall not hold a connection as well.
TOO_LONG_MS = 2000
DISPATCH_STATES = ("not_needed", "todo", "waiting", "completed", "failed", "unknown")

POSTCODE = "replace(upper(s.postcode), ' ', '')"
OF_ORDER = "orders o JOIN consignments c ON c.order_id = o.id"
OF_BARCODE = "pallet_barcodes b JOIN consignments c ON c.id = b.consignment_id"
OF_STOP = "stops s JOIN consignments c ON c.id = s.consignment_id"
OF_TASK = "dispatch_tasks d JOIN consignments c ON c.id = d.consignment_id"
# By which column each of them is read in the order of consignments.
ID_OF = {OF_BARCODE: "b.consignment_id", OF_STOP: "s.consignment_id", OF_TASK: "d.consignment_id"}
# What it was found by: where and how. Of two for one consignment the upper one is told.
LOOK_UPS = {
    "tracking number": ("consignments c", "c.tracking_number = ANY (%(words)s)"),
    "consignment number": (
        "consignments c",
        "c.consignment_number = ANY (%(words)s) AND c.consignment_number <> ''",
    ),
    "order key": (OF_ORDER, "o.source_key = ANY (%(words)s)"),
    "barcode": (OF_BARCODE, "b.barcode = ANY (%(words)s) AND b.state IN ('expected', 'confirmed')"),
    "earlier barcode": (OF_BARCODE, "b.barcode = ANY (%(words)s) AND b.state = 'superseded'"),
    "barcode of another shape": (OF_BARCODE, "b.barcode = ANY (%(words)s) AND b.state = 'foreign'"),
    "reference": (OF_ORDER, "o.reference = ANY (%(words)s) AND o.reference <> ''"),
    "second reference": (OF_ORDER, "o.reference_2 = ANY (%(words)s) AND o.reference_2 <> ''"),
    "transaction number": (OF_TASK, "d.transaction_number = ANY (%(words)s) AND d.transaction_number <> ''"),
    "trip": (OF_TASK, "d.trip = ANY (%(words)s)"),
    "delivery trip": (OF_STOP, "s.route = ANY (%(words)s) AND s.route <> '' AND s.kind = 'delivery'"),
    "delivery postcode": (OF_STOP, f"{POSTCODE} = %(postcode)s AND s.postcode <> '' AND s.kind = 'delivery'"),
    "collection postcode": (OF_STOP, f"{POSTCODE} = %(postcode)s AND s.postcode <> '' AND s.kind = 'pickup'"),
    "delivery area": (
        OF_STOP,
        f"left({POSTCODE}, -3) = %(outward)s AND s.postcode <> '' AND s.kind = 'delivery'",
    ),
    "collection area": (
        OF_STOP,
        f"left({POSTCODE}, -3) = %(outward)s AND s.postcode <> '' AND s.kind = 'pickup'",
    ),
    "customer": (OF_ORDER, "o.customer_id = ANY (%(customers)s)"),
}
# What names one consignment, or should.
NUMBERS = tuple(LOOK_UPS)[: tuple(LOOK_UPS).index("trip")]
ANY, AMONG = ("consignments c", "true"), ("consignments c", "c.id = ANY (%(ids)s)")
ROLE_COLUMNS = {
    Role.REQUESTING: "c.requesting_depot = %(depot)s",
    Role.COLLECTING: "c.collecting_depot = %(depot)s",
    Role.DELIVERY: "c.delivery_depot = %(depot)s",
}
# Materialized, so that each way is planned to be read to its end: a planner that hopes to meet a page's worth of rare
# hits soon, and may stop there, reads all the consignments of the stretch.
STRETCH = f"""
WITH hits AS MATERIALIZED ({{hits}}) SELECT id, min(way) FROM hits GROUP BY id ORDER BY id DESC LIMIT {PAGE + 1}
"""  # noqa: S608
CUSTOMERS = """
SELECT id FROM customers WHERE upper(code) = ANY (%(words)s) OR (%(name)s <> '' AND strpos(lower(name), %(name)s) > 0)
ORDER BY id LIMIT 100
"""
BOUNDS = "SELECT coalesce(min(id), 0), coalesce(max(id), 0) FROM consignments"
AS_OF = "SELECT created_at FROM consignments WHERE id >= %s ORDER BY id LIMIT 1"
# Each source by one look into the index.
ORIGINS = """
WITH RECURSIVE held AS (
    SELECT min(source) AS source FROM orders
    UNION ALL
    SELECT (SELECT min(o.source) FROM orders o WHERE o.source > held.source) FROM held WHERE source IS NOT NULL
) SELECT source FROM held WHERE source IS NOT NULL
"""
QUARANTINED = """
SELECT id FROM inbound_records
WHERE record_key = ANY (%s) AND outcome = 'rejected' AND settled_at IS NULL ORDER BY id DESC LIMIT 3
"""
DETAILS = """
SELECT c.id, c.network, coalesce(c.tracking_number, '') AS tracking_number, c.registered, c.consignment_number,
       o.source, o.source_key, o.reference, customer.code AS customer_code, customer.name AS customer_name,
       pickup.town AS from_town, pickup.postcode AS from_postcode, delivery.town AS to_town,
       delivery.postcode AS to_postcode, c.requesting_depot, c.collecting_depot, c.delivery_depot, c.our_roles,
       c.lifecycle_status, c.exception_reason, c.dispatch_state, o.cancelled_at IS NOT NULL AS is_cancelled,
       c.created_at, c.delivered_at, found.by
FROM unnest(%s::bigint[], %s::text[]) AS found (id, by)
JOIN consignments c USING (id)
JOIN orders o ON o.id = c.order_id
JOIN customers customer ON customer.id = o.customer_id
LEFT JOIN stops pickup ON (pickup.consignment_id, pickup.kind) = (c.id, 'pickup')
LEFT JOIN stops delivery ON (delivery.consignment_id, delivery.kind) = (c.id, 'delivery')
ORDER BY c.id DESC
"""


class Filters(NamedTuple):
    """ "" takes all. `depot` with a role: the depot that has it; without: any of the three. `role` without a depot: one
    that we have. `status`: a lifecycle status or a dispatch state. `origin`: the source of the order."""

    network: str = ""
    depot: str = ""
    role: str = ""
    status: str = ""
    origin: str = ""


class Hit(NamedTuple):
    """A consignment that was found; `by`: what of it is what was typed, "" when nothing was."""

    id: int
    network: str
    tracking_number: str
    registered: bool
    consignment_number: str
    source: str
    source_key: str
    reference: str
    customer_code: str
    customer_name: str
    from_town: str | None
    from_postcode: str | None
    to_town: str | None
    to_postcode: str | None
    requesting_depot: str
    collecting_depot: str
    delivery_depot: str
    our_roles: list[str]
    lifecycle_status: str
    exception_reason: str | None
    dispatch_state: str
    is_cancelled: bool
    created_at: datetime
    delivered_at: datetime | None
    by: str


class Found(NamedTuple):
    """`hits`: at most PAGE, the newest first. `after`: from where an older page goes on, None when there is none.

    `back_to`: the search was ended there to give an answer in time, though there may be more; None when it was not.
    `unfiltered`: how many there are without the filters when they left none, as far as that was counted. `only`: the
    one consignment whose own number was typed.
    """

    hits: list[Hit]
    after: int | None = None
    back_to: datetime | None = None
    unfiltered: int = 0
    only: int | None = None


class TooLong(Exception):
    """The order store took too long over a search; narrowing it down helps."""


def origins(conn: Connection) -> list[str]:
    """The sources that orders came from."""
    return [source for (source,) in conn.execute(ORIGINS)]


def quarantined(conn: Connection, typed: Typed) -> list[int]:
    """Open quarantined records of what was typed, by their own numbers: the newest few."""
    return [id_ for (id_,) in conn.execute(QUARANTINED, (typed.words,))]


def find(conn: Connection, typed: Typed, filters: Filters, after: int | None = None) -> Found:
    """The consignments that fit what was typed and the filters; `after`: older than that id only. Raises TooLong."""
    with conn.transaction():
        conn.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(TOO_LONG_MS))
        try:
            return _found(conn, typed, filters, after, time.monotonic() + PATIENCE_S)
        except QueryCanceled as error:
            raise TooLong from error


def _found(conn: Connection, typed: Typed, filters: Filters, after: int | None, until: float) -> Found:
    lowest, highest = conn.execute(BOUNDS).fetchone() or (0, 0)
    top = highest + 1 if after is None else min(after, highest + 1)
    values = {**typed._asdict(), **filters._asdict()}
    if not typed.words:
        return _back(conn, {"": ANY}, filters, values, (lowest, top), until)
    values["customers"] = [id_ for (id_,) in conn.execute(CUSTOMERS, values)]
    ways = _ways(typed, bool(values["customers"]))
    hits = _looked_up(conn, ways, values)
    by: dict[int, str] = {}
    for way, id_ in hits:
        by.setdefault(id_, way)
    many = {way: of for way, of in ways.items() if sum(way == other for other, _ in hits) > MOST_HITS}
    values["ids"] = [id_ for id_, way in by.items() if way not in many]
    bounds = (lowest, top)
    if many:
        found = _back(conn, {"": AMONG} | many, filters, values, bounds, until)
    else:
        found = _page(conn, dict(_stretch(conn, {"": AMONG}, filters, values, bounds)))
    found = found._replace(hits=[hit._replace(by=hit.by or by[hit.id]) for hit in found.hits])
    only = next(iter(by)) if len(by) == 1 and set(by.values()) <= set(NUMBERS) else None
    return found._replace(unfiltered=0 if found.hits else len(by), only=only)


def _ways(typed: Typed, has_customers: bool) -> dict[str, tuple[str, str]]:
    left_out = set() if typed.outward else {"delivery area", "collection area"}
    if not has_customers:
        left_out.add("customer")
    return {way: of for way, of in LOOK_UPS.items() if way not in left_out}


def _looked_up(
    conn: Connection, ways: Mapping[str, tuple[str, str]], values: Mapping[str, Any]
) -> list[tuple[str, int]]:
    """(way, consignment id), in the order of the ways; at most one more than MOST_HITS each."""
    parts = [
        f"(SELECT {number}, c.id FROM {tables} WHERE {condition} LIMIT {MOST_HITS + 1})"  # noqa: S608 - our own texts
        for number, (tables, condition) in enumerate(ways.values())
    ]
    names = list(ways)
    rows = conn.execute(" UNION ALL ".join(parts).encode(), values, prepare=False).fetchall()
    return [(names[number], id_) for number, id_ in sorted(rows)]


def _back(
    conn: Connection,
    ways: Mapping[str, tuple[str, str]],
    filters: Filters,
    values: Mapping[str, Any],
    bounds: tuple[int, int],
    until: float,
) -> Found:
    """Reads back from the newest, stretch by stretch, until a page is full, all is read or the time is over."""
    lowest, top = bounds
    length = FIRST_STRETCH
    by: dict[int, str] = {}
    while top > lowest:
        bottom = max(lowest, top - length)
        begun = time.monotonic()
        by |= _stretch(conn, ways, filters, values, (bottom, top))
        took = time.monotonic() - begun
        if len(by) > PAGE:
            break
        top = bottom
        if top > lowest and time.monotonic() > until:
            row = conn.execute(AS_OF, (top,)).fetchone()
            return _page(conn, by)._replace(after=top, back_to=row[0] if row else None)
        length = int(length * min(8.0, max(0.25, STRETCH_S / max(took, 0.001))))
    return _page(conn, by)


def _page(conn: Connection, by: Mapping[int, str]) -> Found:
    """The first of these; one more says that there are older ones."""
    ids = list(by)[:PAGE]
    return Found(_details(conn, {id_: by[id_] for id_ in ids}), ids[-1] if len(by) > PAGE else None)


def _stretch(
    conn: Connection,
    ways: Mapping[str, tuple[str, str]],
    filters: Filters,
    values: Mapping[str, Any],
    bounds: tuple[int, int],
) -> list[tuple[int, str]]:
    """(consignment id, way) from `bounds[0]` up to but not `bounds[1]`, the newest first, one more than a page."""
    parts = []
    for number, (tables, condition) in enumerate(ways.values()):
        id_ = ID_OF.get(tables, "c.id")
        where = [condition, f"{id_} >= %(bottom)s", f"{id_} < %(top)s", *_conditions(filters, tables)]
        parts.append(f"SELECT {id_} AS id, {number} AS way FROM {tables} WHERE {' AND '.join(where)}")  # noqa: S608 - ours
    query = STRETCH.format(hits=" UNION ALL ".join(parts))
    names = list(ways)
    # Planned for these very values: a common one and a rare one want other indexes.
    rows = conn.execute(query.encode(), {**values, "bottom": bounds[0], "top": bounds[1]}, prepare=False)
    return [(id_, names[way]) for id_, way in rows]


def _conditions(filters: Filters, tables: str) -> list[str]:
    found = []
    if filters.network:
        found.append("c.network = %(network)s")
    if filters.depot:
        columns = [ROLE_COLUMNS[Role(filters.role)]] if filters.role else list(ROLE_COLUMNS.values())
        found.append(f"({' OR '.join(columns)})")
    elif filters.role:
        found.append("c.our_roles @> ARRAY[%(role)s]")
    if filters.status:
        column = "c.lifecycle_status" if filters.status in list(Status) else "c.dispatch_state"
        found.append(f"{column} = %(status)s")
    if filters.origin:
        of_order = "EXISTS (SELECT FROM orders f WHERE f.id = c.order_id AND f.source = %(origin)s)"
        found.append("o.source = %(origin)s" if tables == OF_ORDER else of_order)
    return found


def _details(conn: Connection, by: Mapping[int, str]) -> list[Hit]:
    ids: Sequence[int] = list(by)
    with conn.cursor(row_factory=class_row(Hit)) as cursor:
        return cursor.execute(DETAILS, (ids, list(by.values()))).fetchall()
