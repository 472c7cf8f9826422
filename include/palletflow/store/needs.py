"""What does not go on by itself, cause by cause: how much, since when, and what the network said.

Each cause is a relation of store.need_relations. All are read through indexes that hold little more than what waits, or
from a bounded time on, so that they answer at once however much the order store holds. What nobody can mend any more
is taken off a list by a person: then the activity history has an entry SEEN_TO of its `subject`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from psycopg.rows import class_row

from palletflow.store.connection import Connection
from palletflow.store.need_relations import RELATIONS

SEEN_TO = "seen to"
# For how long a delivery may lack a POD or photo, and goods a scan, before nobody looks for them any more.
DELIVERIES, SCANS = timedelta(days=30), timedelta(days=14)
# Work that is due and that nobody takes.
OVERDUE = timedelta(minutes=15)
# Of a cause and network no more are counted.
MOST = 1000

WAITS = """
SELECT * FROM ({relation}) waits
WHERE waits.network = ANY (%(networks)s) AND (%(subjects)s::text[] IS NULL OR waits.subject = ANY (%(subjects)s))
  AND NOT EXISTS (SELECT FROM activity seen
                  WHERE seen.subject = waits.subject AND seen.subject <> '' AND seen.kind = '{seen_to}')
"""
COUNT = """
SELECT network, count(*), min(at) FROM ({waits} LIMIT {most} + 1) counted GROUP BY network ORDER BY network
"""
ENTRIES = "{waits} ORDER BY at, subject LIMIT %(most)s"
SEEN = "SELECT subject FROM activity WHERE subject = ANY (%s) AND subject <> '' AND kind = %s"
DONE = """
INSERT INTO activity (consignment_id, kind, actor, source, changes, warnings, subject)
SELECT consignment_id, %(kind)s, %(actor)s, %(source)s, jsonb_build_object('why', jsonb_build_array(said, NULL)), '{}',
       subject
FROM unnest(%(consignment_ids)s::bigint[], %(said)s::text[], %(subjects)s::text[]) AS done (consignment_id, said,
                                                                                              subject)
"""
# In the order of the subjects, so that two who ask for the same do not wait for each other.
HOLD = """
SELECT pg_advisory_xact_lock(hashtextextended('palletflow asked ' || subject, 0)) FROM (
    SELECT DISTINCT subject FROM unnest(%s::text[]) AS asked (subject) ORDER BY subject
) held
"""
LATELY = """
SELECT subject FROM activity
WHERE subject = ANY (%s) AND subject <> '' AND kind = %s AND at > now() - make_interval(secs => %s)
"""
FLAGGED = "SELECT connection, flagged_at, reason FROM connection_flags ORDER BY flagged_at, connection"
SILENT = "SELECT rate_group, silent_since FROM call_windows WHERE silent_since IS NOT NULL ORDER BY silent_since"


class Asked(NamedTuple):
    """What is asked for. `pods_of`: networks that have PODs to fetch; `statuses_of`: networks that tell us statuses.

    Hours are those of the deployment's `desk`.
    """

    networks: Sequence[str]
    now: datetime
    today: date
    pod_missing_h: int
    photo_missing_h: int
    unscanned_until: date
    pods_of: Sequence[str]
    statuses_of: Sequence[str]

    def values(self) -> dict[str, Any]:
        """For the relations."""
        return {
            "networks": list(self.networks),
            "pods_of": list(self.pods_of),
            "statuses_of": list(self.statuses_of),
            "now": self.now,
            "since": self.now - SCANS,
            "overdue_before": self.now - OVERDUE,
            "deliveries_from": self.now - DELIVERIES,
            "pods_before": self.now - timedelta(hours=self.pod_missing_h),
            "photos_before": self.now - timedelta(hours=self.photo_missing_h),
            "scans_from": self.today - SCANS,
            "unscanned_until": self.unscanned_until,
        }


@dataclass(frozen=True)
class Counted:
    """How much of a cause a network has, and since when; MOST + 1 stands for more than MOST."""

    network: str
    count: int
    oldest: datetime | None


class Entry(NamedTuple):
    """One thing that waits for a person, since `at`.

    `name`: a number or key people know it by; `said`: why, in the network's own words where it said anything;
    `subject`: what it is called in the activity history. Without a consignment it belongs to none that we hold.
    """

    network: str
    consignment_id: int | None
    order_id: int | None
    name: str
    reference: str | None
    at: datetime
    said: str
    subject: str


def counts(conn: Connection, cause: str, asked: Asked) -> list[Counted]:
    """How much there is of a cause (one of RELATIONS), by network."""
    return by_network(
        asked.networks,
        lambda networks: [
            Counted(*row)
            for row in conn.execute(
                COUNT.format(waits=_waits(cause), most=MOST).encode(),
                {**asked._replace(networks=networks).values(), "subjects": None},
                prepare=False,
            )
        ],
    )


def by_network(networks: Sequence[str], count: Callable[[Sequence[str]], list[Counted]]) -> list[Counted]:
    """What `count` gives, which ends at MOST + 1 of all networks together; then each is counted by itself, so that one
    with much hides none of the others."""
    found = count(networks)
    if sum(one.count for one in found) <= MOST:
        return found
    return [one for network in networks for one in count([network])]


def entries(
    conn: Connection, cause: str, asked: Asked, *, subjects: Sequence[str] | None = None, most: int
) -> list[Entry]:
    """The entries of a cause, the oldest first; `subjects`: only these."""
    values = {**asked.values(), "subjects": None if subjects is None else list(subjects), "most": most}
    with conn.cursor(row_factory=class_row(Entry)) as cursor:
        return cursor.execute(ENTRIES.format(waits=_waits(cause)).encode(), values, prepare=False).fetchall()


def not_seen_to(conn: Connection, found: Sequence[Entry]) -> list[Entry]:
    """Those that no person has taken off their list."""
    seen = {row[0] for row in conn.execute(SEEN, ([one.subject for one in found], SEEN_TO))} if found else set()
    return [one for one in found if one.subject not in seen]


def not_asked(conn: Connection, found: Sequence[Entry], kind: str, within_s: float) -> list[Entry]:
    """Those of which nobody had `kind` done within the last seconds.

    Until the caller's transaction ends, whoever else asks about any of them waits.
    """
    subjects = [one.subject for one in found]
    conn.execute(HOLD, (subjects,))
    asked = {row[0] for row in conn.execute(LATELY, (subjects, kind, within_s))}
    return [one for one in found if one.subject not in asked]


def done(conn: Connection, found: Sequence[Entry], kind: str, actor: str, source: str) -> None:
    """Writes what a person did about entries into the activity history, within the caller's transaction."""
    values: dict[str, Any] = {"kind": kind, "actor": actor, "source": source}
    values["consignment_ids"] = [one.consignment_id for one in found]
    values["said"], values["subjects"] = [one.said for one in found], [one.subject for one in found]
    conn.execute(DONE, values)


def flagged_connections(conn: Connection) -> list[tuple[str, datetime, str]]:
    """Connections that a network refused: since when, and why."""
    return [(str(name), at, str(reason)) for name, at, reason in conn.execute(FLAGGED)]


def silent_addresses(conn: Connection) -> list[tuple[str, datetime]]:
    """Rate groups of a network that answers nothing at all, since when."""
    return [(str(group), since) for group, since in conn.execute(SILENT)]


def _waits(cause: str) -> str:
    return WAITS.format(relation=RELATIONS[cause], seen_to=SEEN_TO)
