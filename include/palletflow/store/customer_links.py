"""Links by which anybody who has one sees a consignment's page for customers; and what that page may show.

Only a digest of a link's token is stored, so whoever reads the order store cannot open a page with it.
"""

import hashlib
from datetime import date, datetime
from typing import NamedTuple

from psycopg.rows import class_row

from palletflow.store import activity
from palletflow.store.connection import Connection

# Of one consignment's links; more are a mistake of some program.
MOST_LISTED = 200

MAKE = """
INSERT INTO customer_links (consignment_id, digest, made_by, expires_at)
SELECT id, %s, %s, now() + make_interval(days => %s) FROM consignments WHERE id = %s
ON CONFLICT (digest) DO NOTHING
RETURNING expires_at
"""
LISTED = f"""
SELECT id, made_by, made_at, expires_at, expires_at <= now() AS expired, revoked_at, revoked_by, last_seen_at
FROM customer_links WHERE consignment_id = %s ORDER BY id DESC LIMIT {MOST_LISTED}
"""  # noqa: S608 - a number of ours
REVOKE = """
UPDATE customer_links SET revoked_at = now(), revoked_by = %s
WHERE (id, consignment_id) = (%s, %s) AND revoked_at IS NULL
RETURNING made_at
"""
OPEN = """
SELECT id, consignment_id FROM customer_links WHERE digest = %s AND revoked_at IS NULL AND expires_at > now()
"""
# Once a minute is often enough to know whether anybody looks.
SEEN = """
UPDATE customer_links SET last_seen_at = now()
WHERE id = %s AND (last_seen_at IS NULL OR last_seen_at < now() - interval '1 minute')
"""
# A stop that was tried in vain is not done.
FACTS = """
SELECT o.cancelled_at IS NOT NULL AS cancelled, c.lifecycle_status AS status, c.exception_reason AS reason,
       (SELECT count(*) FROM pallets p WHERE p.consignment_id = c.id AND p.removed_at IS NULL) AS pallets,
       coalesce(pickup.planned_date, c.collection_date) AS collection_date,
       CASE WHEN pickup.outcome IS DISTINCT FROM 'NOT_DELIVERED' THEN pickup.completed_at END AS collected_at,
       coalesce(delivery.planned_date, c.delivery_date) AS delivery_date,
       delivery.eta_from, delivery.eta_to,
       CASE WHEN delivery.outcome IS DISTINCT FROM 'NOT_DELIVERED' THEN delivery.completed_at END AS delivered_at
FROM consignments c
JOIN orders o ON o.id = c.order_id
LEFT JOIN stops pickup ON (pickup.consignment_id, pickup.kind) = (c.id, 'pickup')
LEFT JOIN stops delivery ON (delivery.consignment_id, delivery.kind) = (c.id, 'delivery')
WHERE c.id = %s
"""


class CustomerLink(NamedTuple):
    """A link as the desk lists it; the link itself nobody has but those it was given to."""

    id: int
    made_by: str
    made_at: datetime
    expires_at: datetime
    expired: bool
    revoked_at: datetime | None
    revoked_by: str | None
    last_seen_at: datetime | None


class Opened(NamedTuple):
    """What a good link opens."""

    id: int
    consignment_id: int


class Facts(NamedTuple):
    """All that a customer may know of a consignment beside its documents.

    `status` and `reason` as orders.lifecycle has them; `cancelled`: its order is. Times are UTC.
    """

    cancelled: bool
    status: str
    reason: str | None
    pallets: int
    collection_date: date | None
    collected_at: datetime | None
    delivery_date: date | None
    eta_from: datetime | None
    eta_to: datetime | None
    delivered_at: datetime | None


def make(conn: Connection, consignment_id: int, token: str, days: int, actor: str) -> bool:
    """Makes the link of a token, which opens for so many days, within the caller's transaction; whether it opens now.

    A token is text that nobody can guess; only its digest is kept. Nothing is made for one that was used before. Writes
    activity "customer link made".
    """
    written = conn.execute(MAKE, (_digest(token), actor, days, consignment_id)).fetchone()
    if written:
        until = {"customer_link": [None, f"until {written[0]:%Y-%m-%d %H:%M} UTC"]}
        activity.record(conn, consignment_id, "customer link made", actor, "order desk", until)
    link = opened(conn, token)
    return link is not None and link.consignment_id == consignment_id


def listed(conn: Connection, consignment_id: int) -> list[CustomerLink]:
    """The links of a consignment, the newest first, at most MOST_LISTED."""
    with conn.cursor(row_factory=class_row(CustomerLink)) as cursor:
        return cursor.execute(LISTED, (consignment_id,)).fetchall()


def revoke(conn: Connection, consignment_id: int, link_id: int, actor: str) -> bool:
    """Ends a link for good, within the caller's transaction; False when there is none such that is not revoked.

    Writes activity "customer link revoked".
    """
    written = conn.execute(REVOKE, (actor, link_id, consignment_id)).fetchone()
    if written is None:
        return False
    made = {"customer_link": [f"made {written[0]:%Y-%m-%d %H:%M} UTC", None]}
    activity.record(conn, consignment_id, "customer link revoked", actor, "order desk", made)
    return True


def opened(conn: Connection, token: str) -> Opened | None:
    """What a token opens now by the clock of the order store; None when it is unknown, expired or revoked."""
    with conn.cursor(row_factory=class_row(Opened)) as cursor:
        return cursor.execute(OPEN, (_digest(token),)).fetchone()


def note_seen(conn: Connection, link_id: int) -> None:
    """Somebody looked at the page."""
    conn.execute(SEEN, (link_id,))


def facts(conn: Connection, consignment_id: int) -> Facts | None:
    """What the page shows; None without consignment."""
    with conn.cursor(row_factory=class_row(Facts)) as cursor:
        return cursor.execute(FACTS, (consignment_id,)).fetchone()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
