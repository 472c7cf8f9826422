"""What the last two days brought and what is open, by network and depot of ours.

A consignment counts for every depot of ours that requests, collects or delivers it, and once for its network. Whatever
has no bound by itself is counted up to MOST.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from palletflow.store.connection import Connection

ARRIVED, DISPATCHED, DELIVERED = "arrived", "dispatched", "delivered"
WAITING, FAILED, PARKED = "waiting", "failed", "parked"
MOST = 10_000
# Stands for the depot where a network's consignments are counted once.
WHOLE = ""

# The depots among the three of a consignment that have a code of ours in any network, '' for another.
PARTS = """
CASE WHEN c.requesting_depot = ANY (%(ours)s) THEN c.requesting_depot ELSE '' END,
CASE WHEN c.collecting_depot = ANY (%(ours)s) THEN c.collecting_depot ELSE '' END,
CASE WHEN c.delivery_depot = ANY (%(ours)s) THEN c.delivery_depot ELSE '' END
"""
# Each through the index of its moment.
HAPPENED = f"""
SELECT 'arrived', c.network, date_trunc('hour', c.created_at, 'UTC') AS hour, {PARTS}, count(*)
FROM consignments c WHERE c.created_at >= %(since)s GROUP BY 1, 2, 3, 4, 5, 6
UNION ALL
SELECT 'dispatched', c.network, date_trunc('hour', t.finished_at, 'UTC'), {PARTS}, count(*)
FROM dispatch_tasks t JOIN consignments c ON c.id = t.consignment_id
WHERE t.finished_at >= %(since)s AND c.dispatch_state = 'completed' GROUP BY 1, 2, 3, 4, 5, 6
UNION ALL
SELECT 'delivered', c.network, date_trunc('hour', c.delivered_at, 'UTC'), {PARTS}, count(*)
FROM consignments c WHERE c.delivered_at >= %(since)s GROUP BY 1, 2, 3, 4, 5, 6
"""  # noqa: S608 - names are our own constants
# Work on one consignment has its id as key, or begins with it.
OPEN = f"""
SELECT c.what, c.network, {PARTS}, count(*)
FROM (
    (SELECT 'failed' AS what, held.* FROM consignments held JOIN orders o ON o.id = held.order_id
     WHERE held.dispatch_state = 'failed' AND o.cancelled_at IS NULL LIMIT %(most)s)
    UNION ALL
    (SELECT 'waiting', held.* FROM consignments held JOIN orders o ON o.id = held.order_id
     WHERE held.dispatch_state IN ('todo', 'waiting', 'unknown') AND o.cancelled_at IS NULL LIMIT %(most)s)
) c GROUP BY 1, 2, 3, 4, 5
UNION ALL
SELECT 'parked', w.network, {PARTS}, count(*)
FROM (SELECT network, key FROM work_items WHERE parked_at IS NOT NULL LIMIT %(most)s) w
LEFT JOIN consignments c ON c.id = CASE WHEN w.key ~ '^[0-9]{{1,18}}(:|$)' THEN split_part(w.key, ':', 1)::bigint END
GROUP BY 1, 2, 3, 4, 5
"""  # noqa: S608


class TwoDays(NamedTuple):
    """How many of one thing happened today, and how many yesterday."""

    today: int
    yesterday: int


NONE = TwoDays(0, 0)


@dataclass
class Figures:
    """Of a network or a depot. `waiting`: consignments that are to be dispatched and are not in the network yet;
    `failed`: those that could not be; `parked`: work that nobody tries again by itself."""

    arrived: TwoDays = NONE
    dispatched: TwoDays = NONE
    delivered: TwoDays = NONE
    waiting: int = 0
    failed: int = 0
    parked: int = 0


@dataclass
class Today:
    """`figures` by (network, depot), and by (network, WHOLE) for all of it; `hours`: what happened in each hour, by its
    beginning and ARRIVED, DISPATCHED or DELIVERED."""

    figures: Mapping[tuple[str, str], Figures]
    hours: Mapping[tuple[datetime, str], int]


def read(
    conn: Connection, ours: Iterable[tuple[str, str]], *, since: datetime, yesterday: datetime, today: datetime
) -> Today:
    """What happened since a moment, and what is open. `ours`: (network, depot) of all our depots; `yesterday` and
    `today`: when these days began."""
    depots = set(ours)
    networks = {network for network, _ in depots}
    values: dict[str, Any] = {
        "ours": sorted({depot for _, depot in depots}),
        "since": min(since, yesterday),
        "most": MOST + 1,
    }
    figures: dict[tuple[str, str], Figures] = defaultdict(Figures)
    hours: dict[tuple[datetime, str], int] = defaultdict(int)
    for what, network, hour, *parts, count in conn.execute(HAPPENED.encode(), values, prepare=False):
        if network not in networks:
            continue
        hours[hour, what] += count
        for depot in {WHOLE, *parts}:
            of = figures[network, depot]
            held: TwoDays = getattr(of, what)
            if hour >= today:
                setattr(of, what, held._replace(today=held.today + count))
            elif hour >= yesterday:
                setattr(of, what, held._replace(yesterday=held.yesterday + count))
    for what, network, *parts, count in conn.execute(OPEN.encode(), values, prepare=False):
        for depot in {WHOLE, *parts}:
            of = figures[network, depot]
            setattr(of, what, getattr(of, what) + count)
    return Today(figures, hours)
