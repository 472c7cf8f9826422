"""Everything that does not go on by itself, by cause: what it is called, how urgent it is and what to do about it.

Nothing may be stuck without an entry here. Most causes are states of the order store (store.needs); the others are put
together from what a network, the connections or the syncs say.
"""

import importlib.util
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum
from zoneinfo import ZoneInfo

from palletflow import syncs
from palletflow.desk.plan import Networks
from palletflow.discovery import PACKAGE, network_part
from palletflow.store import need_groups
from palletflow.store import needs as stored
from palletflow.store.connection import Connection
from palletflow.store.needs import MOST, Asked, Counted, Entry

LONDON = ZoneInfo("Europe/London")
# Of what the members of a network owe each other: of the stops of so many days the last so many.
OWED_DAYS, OWED_MOST = timedelta(days=3), 500
# A status is told within minutes of the report.
OWED_AFTER = timedelta(hours=1)


class Urgency(IntEnum):
    """When a person should see to it."""

    NOW = 1
    TODAY = 2
    LATER = 3


@dataclass(frozen=True)
class Cause:
    """Why things wait. `mend`: what the button says that tries one again, and `mend_all` that for all; "" where nothing
    can be tried from here.

    `ends`: a person may take an entry off the list, as nothing will ever end it by itself.
    """

    code: str
    title: str
    urgency: Urgency
    what_to_do: str
    mend: str = ""
    mend_all: str = ""
    ends: bool = False


@dataclass(frozen=True)
class Need:
    """How much of a cause a network has, "" for what belongs to none. `more`: there are more than `count`.

    `oldest`: since when the first of it waits. `path`: of its list, below the desk's address.
    """

    cause: str
    network: str
    title: str
    urgency: Urgency
    count: int
    more: bool
    oldest: datetime | None
    what_to_do: str
    path: str


CAUSES: dict[str, Cause] = {
    cause.code: cause
    for cause in (
        Cause(
            "connections",
            "Connections that are refused",
            Urgency.NOW,
            "Put the key or address right under Admin, Connections in Airflow and press Test there. What waits for it "
            "goes on by itself then.",
        ),
        Cause(
            "syncs",
            "Syncs that are late",
            Urgency.NOW,
            "Open the pipeline in Airflow: is it switched off, does its last run say why it failed, does anything run "
            "at all? The next run that ends well reads what was missed.",
        ),
        Cause(
            "dispatch",
            "Not dispatched",
            Urgency.NOW,
            "Read why, put the order right, then try again. Where the outcome is unknown the network is asked first "
            "whether it has it: nothing is created twice.",
            mend="Try again",
            mend_all="Try all again",
        ),
        Cause(
            "quarantine",
            "Records in quarantine",
            Urgency.NOW,
            "What has the same cause stands together. Mend the setting it names, or correct the record itself, then "
            "replay.",
        ),
        Cause(
            "parked",
            "Parked work",
            Urgency.NOW,
            "Mend what the reason says, then try again. Each item first finds out whether it was done already.",
            mend="Try again",
            mend_all="Try all again",
        ),
        Cause(
            "overdue",
            "Work that nobody takes",
            Urgency.NOW,
            "It is due and no pipeline has come for it. Check in Airflow that scheduler, triggerer and a worker run, "
            "and that the pipeline is not switched off; then it goes on by itself.",
        ),
        Cause(
            "rejected-files",
            "Rejected files",
            Urgency.NOW,
            "Nothing of the file was read. Mend it as the reason says and put it into the folder again under its name.",
            ends=True,
        ),
        Cause(
            "lost-documents",
            "Documents whose bytes are gone",
            Urgency.NOW,
            "Copy `documents` of the backup folder over the document storage, as the runbook says, then trigger the "
            "pipeline maintenance: it takes off this list what is back. Or fetch the document from its network again.",
            ends=True,
        ),
        Cause(
            "review",
            "Orders to look at",
            Urgency.TODAY,
            "Read why, see to it with the customer or in the network's portal, then mark the order as reviewed.",
            mend="Reviewed",
            mend_all="All are reviewed",
        ),
        Cause(
            "statuses",
            "Statuses the network does not have",
            Urgency.TODAY,
            "They were refused, or something is missing for them, such as the place on a route. Put that right, then "
            "tell them again.",
            mend="Tell again",
            mend_all="Tell all again",
            ends=True,
        ),
        Cause(
            "mandatory",
            "Mandatory statuses that are missing",
            Urgency.TODAY,
            "Members owe each other these statuses, and the network counts. Report the scan or the stop that is "
            "missing; it is told at once.",
            ends=True,
        ),
        Cause(
            "etas",
            "ETAs that were refused",
            Urgency.TODAY,
            "Read why, correct the trip or the ETA, then tell it again.",
            mend="Tell again",
            mend_all="Tell all again",
            ends=True,
        ),
        Cause(
            "documents",
            "Documents that did not get through",
            Urgency.TODAY,
            "A file that was refused needs another one in its place; what failed or was given up can be tried again. A "
            "photo of a whole order needs somebody to say of which consignment it is.",
            mend="Try again",
            mend_all="Try all again",
            ends=True,
        ),
        Cause(
            "never-scanned",
            "Manifested, never scanned",
            Urgency.TODAY,
            "The network was told of these pallets and has seen none: find out whether they were collected, and redate "
            "or delete them there before they are charged as missing.",
            ends=True,
        ),
        Cause(
            "not-manifested",
            "Scanned, not manifested",
            Urgency.TODAY,
            "These pallets move and the network does not know whose they are. Dispatch the order, or add the pallet.",
            ends=True,
        ),
        Cause(
            "barcodes",
            "Labels with old barcodes",
            Urgency.TODAY,
            "The barcodes changed after labels were made. Print the new labels on the consignment's page and put them "
            "on the pallets; scans of the old ones are still understood here.",
            ends=True,
        ),
        Cause(
            "pods",
            "PODs that are missing",
            Urgency.TODAY,
            "Ask for the network's documents once more, or ask the delivering depot for the POD.",
            mend="Look now",
            mend_all="Look for all now",
            ends=True,
        ),
        Cause(
            "photos",
            "Photos that are missing",
            Urgency.TODAY,
            "Look for them once more, or ask the delivering depot.",
            mend="Look now",
            mend_all="Look for all now",
            ends=True,
        ),
        Cause(
            "stale",
            "Consignments nobody asks for any more",
            Urgency.LATER,
            "Nothing ended them long after their delivery was due. Find out what became of the goods; asking again is "
            "one more question to the network.",
            mend="Ask again",
            mend_all="Ask for all again",
            ends=True,
        ),
        Cause(
            "files",
            "Files that were not what they should be",
            Urgency.LATER,
            "A network gave these for photos and they are none, or could not be read. They are kept for a while.",
            ends=True,
        ),
        Cause(
            "unknown-codes",
            "Status codes nobody knows",
            Urgency.LATER,
            "They are kept as history and move nothing. Add them to the network's template.",
            ends=True,
        ),
    )
}


def has_part(network: str, part: str) -> bool:
    """Whether a network has this module of its own."""
    return importlib.util.find_spec(f"{PACKAGE}.{network}.{part}") is not None


def asked(networks: Networks, now: datetime, of: Sequence[str] | None = None) -> Asked:
    """What the order store is asked for; `of`: only these networks."""
    plan = networks.plan
    names = [name for name in plan.networks if of is None or name in of]
    return Asked(
        networks=names,
        now=now,
        today=now.astimezone(LONDON).date(),
        pod_missing_h=plan.desk.pod_missing_h,
        photo_missing_h=plan.desk.photo_missing_h,
        unscanned_until=_collected_before(now - timedelta(hours=plan.desk.unscanned_h)),
        pods_of=[name for name in names if has_part(name, "document_fetch")],
        statuses_of=[name for name in names if plan.network(name).switches.status_import],
    )


def needs(conn: Connection, networks: Networks, now: datetime) -> list[Need]:
    """Everything that waits for a person, the most urgent first; by cause one for each network that has any."""
    found = []
    question = asked(networks, now)
    for cause in sorted(CAUSES.values(), key=lambda one: one.urgency):
        held = counted(conn, networks, cause, question)
        found += [
            Need(
                cause=cause.code,
                network=one.network,
                title=cause.title,
                urgency=cause.urgency,
                count=min(one.count, MOST),
                more=one.count > MOST,
                oldest=one.oldest,
                what_to_do=cause.what_to_do,
                path=f"/attention/{cause.code}" + (f"?network={one.network}" if one.network else ""),
            )
            for one in held
        ]
    return found


def entries(
    conn: Connection, networks: Networks, cause: str, question: Asked, *, subjects: Sequence[str] | None, most: int
) -> list[Entry]:
    """The entries of a cause, the oldest first; `subjects`: only these. The quarantine's are in store.need_groups."""
    if cause in PUT_TOGETHER:
        return [
            one
            for one in sorted(PUT_TOGETHER[cause](conn, networks, question), key=lambda one: one.at)
            if subjects is None or one.subject in subjects
        ][:most]
    return stored.entries(conn, cause, question, subjects=subjects, most=most)


def counted(conn: Connection, networks: Networks, cause: Cause, question: Asked) -> list[Counted]:
    """How much of a cause each network has; beyond MOST it is no longer counted."""
    if cause.code in PUT_TOGETHER:
        return _by_network(PUT_TOGETHER[cause.code](conn, networks, question))
    if cause.code == "quarantine":
        return need_groups.counted(conn, question.networks)
    return stored.counts(conn, cause.code, question)


def _by_network(found: Iterable[Entry]) -> list[Counted]:
    of: dict[str, list[datetime]] = {}
    for one in found:
        of.setdefault(one.network, []).append(one.at)
    return [Counted(network, len(moments), min(moments)) for network, moments in of.items()]


def _collected_before(moment: datetime) -> date:
    """The last collection day that was over by then."""
    return moment.astimezone(LONDON).date() - timedelta(days=1)


# What is not one relation of the order store


def _connections(conn: Connection, networks: Networks, question: Asked) -> list[Entry]:
    """Connections whose key or address was refused, and networks that answer nobody at all."""
    uses = {connection: name for name, ours in networks.plan.networks.items() for connection in ours.depots.values()}
    return [
        *(
            _of_no_consignment(uses.get(name, ""), name, at, reason, "connection")
            for name, at, reason in stored.flagged_connections(conn)
            if uses.get(name, "") in ("", *question.networks)
        ),
        *(
            _of_no_consignment("", group, since, "It answers nothing at all: it may have banned our address", "address")
            for group, since in stored.silent_addresses(conn)
        ),
    ]


def _syncs(conn: Connection, networks: Networks, question: Asked) -> list[Entry]:
    return [
        _of_no_consignment(
            one.network,
            f"{one.what}, {one.party}",
            question.now - one.behind,
            f"Pipeline {one.dag_id} "
            + (f"last came to its end at {one.succeeded_at:%Y-%m-%d %H:%M} UTC" if one.succeeded_at else "never ran"),
            "sync",
        )
        for one in syncs.syncs_of(conn, networks.plan, question.now)
        if one.stale and one.network in question.networks
    ]


def _mandatory(conn: Connection, networks: Networks, question: Asked) -> list[Entry]:
    """What a network's members owe each other, of our last deliveries."""
    since = (question.now - OWED_DAYS).date()
    return stored.not_seen_to(
        conn,
        [
            Entry(
                network=network,
                consignment_id=one.consignment_id,
                order_id=None,
                name=one.tracking_number,
                reference="",
                at=one.at,
                said=f"Misses {', '.join(one.missing)}",
                subject=f"mandatory statuses of consignment {one.consignment_id}",
            )
            for network in question.networks
            if has_part(network, "compliance")
            for one in network_part(network, "compliance").owed(
                conn, networks.mappers[network].template, list(networks.plan.network(network).depots), since, OWED_MOST
            )
            if one.at <= question.now - OWED_AFTER
        ],
    )


def _of_no_consignment(network: str, name: str, at: datetime, said: str, kind: str) -> Entry:
    return Entry(network, None, None, name, "", at.astimezone(UTC), said, f"{kind} {name}")


PUT_TOGETHER: dict[str, Callable[[Connection, Networks, Asked], list[Entry]]] = {
    "connections": _connections,
    "syncs": _syncs,
    "mandatory": _mandatory,
}
