"""How consignments move by themselves: the statuses of section 5, on the legs that are not the client's own."""

import random
from collections.abc import Container, Iterator
from datetime import UTC, date, datetime, time, timedelta

from palletflow.simulation.clock import LONDON, add_working_days

from .freight import SERVICE_LEAD_DAYS
from .state import Consignment, Status
from .times import wire_time

# In the order of section 5, which breaks ties between equal times.
EVENT_CODES = ("POC", "SCOT", "ARRH", "SRID", "ARRD", "DELV", "DONR", "ARDL", "POD", "PODD", "PODE", "DMGD", "ABRT")
OUTCOMES = ("POD", "PODD", "PODE", "DMGD", "ABRT")
RANK = {code: min(rank, EVENT_CODES.index("POD")) for rank, code in enumerate(EVENT_CODES)}

_UNCLEAN_NOTES = {
    "PODD": "Shrink wrap torn, one carton crushed",
    "PODE": "One carton short",
    "DMGD": "Pallet damaged on arrival",
    "ABRT": "Premises closed",
}
_SIGNATORIES = ("J MARSH", "A COLE", "P DHILLON", "S WARD", "M OKAFOR", "T BRIGGS", "L EVANS", "K NOWAK")
_SCANS = ("SCOT", "ARRH", "SRID", "ARRD", "DELV")


def statuses(
    consignment: Consignment, *, seed: int, now: datetime, client_depots: Container[str], unclean_share: float
) -> list[Status]:
    """Return what the network reports of its own up to ``now``, one status per pallet barcode and code.

    Collection-side codes (POC, SCOT) come only when the collecting depot is not one of ``client_depots``, delivery-side
    codes only when the delivery depot is not; the hub (ARRH) is never the client's. Nothing happens before acceptance
    or after cancellation. A share ``unclean_share`` of deliveries ends PODD, PODE or DMGD on the first pallet, or ABRT
    on all of them and a second attempt on the next working day.
    """
    accepted = next((version.at for version in consignment.history if version.status == "ACCEPTED"), None)
    if accepted is None:
        return []
    cancelled = next((version.at for version in consignment.history if version.status == "CANCELLED"), None)
    end = now if cancelled is None else min(now, cancelled)
    rng = random.Random(f"palletforce|{seed}|progress|{consignment.number}")
    signatory = rng.choice(_SIGNATORIES)
    reported: list[Status] = []
    for at, code, unclean in _course(consignment, accepted, rng, unclean_share):
        if at > end:
            break
        for pallet in range(1, consignment.pallets + 1):
            shown = unclean if unclean and (pallet == 1 or unclean == "ABRT") else code
            scanned = at + timedelta(seconds=15 * (pallet - 1)) if code in _SCANS else at
            version = consignment.version_at(scanned)
            depot = {"POC": consignment.collecting_depot, "SCOT": consignment.collecting_depot, "ARRH": ""}.get(
                code, version.delivery_depot
            )
            if scanned > end or depot in client_depots:
                continue
            element = {
                "trackingNumber": consignment.number,
                "barcode": consignment.barcode(pallet, version),
                "eventCode": shown,
                "eventDateTime": wire_time(scanned),
            }
            if depot:
                element["depot"] = depot
            if shown in ("POD", "PODD", "PODE"):
                element["signatory"] = signatory
            if shown in _UNCLEAN_NOTES:
                element["note"] = _UNCLEAN_NOTES[shown]
            reported.append(Status(scanned, element))
    return reported


def _course(
    consignment: Consignment, accepted: datetime, rng: random.Random, unclean_share: float
) -> Iterator[tuple[datetime, str, str]]:
    """Yield time, code and, for the delivery outcome, what replaces it when unclean ("" = clean), in order of time.

    All draws come first, so that neither the clock nor a change of routing shifts what has been reported.
    """
    draws = [rng.random() for _ in range(8)]
    unclean = rng.choice(tuple(_UNCLEAN_NOTES)) if rng.random() < unclean_share else ""
    collected_on = _collection_date(consignment, accepted)

    collected = max(_local(collected_on, 9), accepted + timedelta(minutes=30)) + _minutes(0, 480, draws[0])
    trunked = max(_local(collected_on, 18), collected + timedelta(hours=1)) + _minutes(0, 90, draws[1])
    yield collected, "POC", ""
    yield trunked, "SCOT", ""
    arrived = trunked
    if consignment.collecting_depot != consignment.version_at(trunked).delivery_depot:
        at_hub = trunked + _minutes(180, 300, draws[2])
        received = at_hub + _minutes(210, 330, draws[3])
        arrived = received + _minutes(5, 20, draws[4])
        yield at_hub, "ARRH", ""
        yield received, "SRID", ""
        yield arrived, "ARRD", ""

    service = consignment.version_at(arrived).service
    promised = add_working_days(collected_on, SERVICE_LEAD_DAYS.get(service, 1))
    day = max(promised, add_working_days(arrived.astimezone(LONDON).date(), 0))
    for outcome in [unclean, ""] if unclean == "ABRT" else [unclean]:
        loaded = max(_local(day, 6), arrived + timedelta(minutes=30)) + _minutes(30, 90, draws[5])
        left = loaded + _minutes(10, 40, draws[6])
        at_stop = left + _minutes(30, 480, draws[7])
        yield loaded, "DELV", ""
        yield left, "DONR", ""
        yield at_stop, "ARDL", ""
        yield at_stop + timedelta(minutes=12), "POD", outcome
        day = add_working_days(day, 1)


def _collection_date(consignment: Consignment, accepted: datetime) -> date:
    """The COLD date, or the day of acceptance when there is no readable one."""
    for entry in consignment.facts.get("datesAndTimes", []):
        if entry.get("dateTimeType") == "COLD":
            try:
                return date.fromisoformat(str(entry.get("value")))
            except ValueError:
                break
    return accepted.astimezone(LONDON).date()


def _local(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), LONDON).astimezone(UTC)


def _minutes(fewest: int, most: int, draw: float) -> timedelta:
    return timedelta(seconds=round((fewest + (most - fewest) * draw) * 60))
