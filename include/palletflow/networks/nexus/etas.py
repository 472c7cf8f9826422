"""Tells Nexus through Optimize when our deliveries are expected (contract 10): the work ETA_EXPORT.

A trip's ETAs go in one call, whichever of its consignments asked for it; the others then find nothing left to tell.
Telling one again does no harm.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from palletflow.deployment import Deployment
from palletflow.network_errors import AuthFailed, Misconfigured, NetworkError, Rejected
from palletflow.networks.nexus.errors import NexusNotFound, NexusNotOffered
from palletflow.networks.nexus.optimize import EtaReply, OptimizeClient
from palletflow.networks.nexus.resting import Resting
from palletflow.networks.nexus.settings import OptimizeSettings
from palletflow.networks.nexus.work import ACTOR, NETWORK
from palletflow.store import eta_exports, session_lock
from palletflow.store.connection import Connection
from palletflow.store.eta_exports import Expected
from palletflow.store.work_items import storable
from palletflow.work.handling import Result, WorkItem
from palletflow.work.waiting import together

SOURCE = f"{NETWORK} ETA export"
# How soon to look again: whether there is an Optimize by now, the trip has started, nobody else tells it.
SWITCHED_OFF, NOT_STARTED, BUSY = timedelta(minutes=30), timedelta(minutes=5), timedelta(seconds=10)
# The key is refused, or the address is none of Optimize's: no trip can be told.
OF_THE_CONNECTION = (AuthFailed, NexusNotOffered, NexusNotFound)


class EtaExport:
    """The handler of ETA_EXPORT; a work item's key is the id of a consignment. Threads may share one."""

    def __init__(
        self, plan: Deployment, optimize: Callable[[], OptimizeClient | None], clock: Callable[[], datetime]
    ) -> None:
        """`optimize` gives the client, None while the connection does not exist."""
        self._ours = plan.network(NETWORK).depots
        self._optimize, self._clock = optimize, clock
        # The handlers live as long as a run.
        self._resting: NetworkError | None = None

    def __call__(self, conn: Connection, item: WorkItem) -> Result:
        """Tells the ETAs of the consignment's trip, if its own is to be told; waits while that cannot be.

        An ETA that was refused is kept for a person until it changes. Raises NetworkError.
        """
        one = eta_exports.of_consignment(conn, int(item.key))
        if one is None or one.depot not in self._ours:
            return Result()
        try:
            client = self._optimize()
        except Misconfigured as error:
            raise Resting(error) from error  # it flags nothing, as no check of ours would take the flag off
        if client is None:
            return Result(again_at=together(self._clock(), SWITCHED_OFF))
        with session_lock.alone(conn, f"{NETWORK} ETAs of {one.depot} {one.route}") as alone:
            if not alone:
                return Result(again_at=self._clock() + BUSY)
            trip = eta_exports.of_trip(conn, NETWORK, one.depot, one.route)
            due = [other for other in trip if is_due(other, client.settings)]
            if one.consignment_id in {other.consignment_id for other in due}:
                first_eta = min(other.eta_from for other in trip)
                if client.settings.require_in_progress and not eta_exports.in_progress(conn, one.route, first_eta):
                    return Result(again_at=together(self._clock(), NOT_STARTED))
                self._tell(conn, client, due)
        now = eta_exports.of_consignment(conn, one.consignment_id)
        return Result(parked=now.refusal) if now and now.is_refused else Result()

    def _tell(self, conn: Connection, client: OptimizeClient, due: Sequence[Expected]) -> None:
        """Sends ETAs of one trip and keeps what became of each."""
        if self._resting:
            raise Resting(self._resting)
        try:
            reply = client.send(payload(due, self._clock(), client.settings))
        except OF_THE_CONNECTION as error:
            self._resting = error
            raise Resting(error) from error
        except Rejected as error:
            reply = EtaReply((), dict.fromkeys((one.consignment_number for one in due), str(error)))
        with conn.transaction():
            taken = [one for one in due if one.consignment_number not in reply.rejected]
            eta_exports.accepted(conn, due[0].route, taken)
            for one in due:
                if one.consignment_number in reply.rejected:
                    reason = storable(reply.rejected[one.consignment_number])
                    eta_exports.refused(conn, one, f"ETA {one.eta_from:%Y-%m-%d %H:%M} UTC: {reason}", ACTOR, SOURCE)


def is_due(one: Expected, settings: OptimizeSettings) -> bool:
    """Whether an ETA is to be told: new, on another trip, or moved by more than the threshold [NX-10-11].

    What was refused is not told again as it was.
    """
    if one.is_refused:
        return False
    if one.told_eta is None or one.told_route != one.route:
        return True
    return abs(one.eta_from - one.told_eta) > timedelta(minutes=settings.threshold_minutes)


def payload(due: Sequence[Expected], now: datetime, settings: OptimizeSettings) -> Mapping[str, Any]:
    """The body of a call: ETAs of one trip of one of our depots [NX-10-2, NX-10-6]."""
    window = timedelta(minutes=settings.window_minutes)
    return {
        "depotCode": due[0].depot,
        "tripReference": due[0].route,
        "calculatedAt": _written(now),
        "etas": [
            {
                "consignmentNumber": one.consignment_number,
                "consignmentID": int(one.tracking_number),
                "postcode": one.postcode,
                "etaStart": _written(one.eta_from),
                "etaEnd": _written(one.eta_from + window),
            }
            for one in due
        ],
    }


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
