"""Calls Optimize, which tells Nexus when our deliveries are expected (contract 10)."""

import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from palletflow.networks.nexus import answers, wire
from palletflow.networks.nexus.answers import Request
from palletflow.networks.nexus.calls import as_json, as_object
from palletflow.networks.nexus.errors import NexusAuthError, NexusProtocolError, NexusValidationError
from palletflow.networks.nexus.exchange import Client, Exchange
from palletflow.networks.nexus.login import JSON
from palletflow.networks.nexus.retries import REPEATABLE, Retries
from palletflow.networks.nexus.settings import OptimizeSettings
from palletflow.work.budget import Budget

REFUSED_KEY = (401, 403)


class EtaReply(NamedTuple):
    """What became of a trip's ETAs, by consignment number: those accepted, and why the others were not."""

    accepted: tuple[str, ...]
    rejected: dict[str, str]


class OptimizeClient(Client):
    """The connection to Optimize. Threads may share it."""

    def __init__(
        self,
        settings: OptimizeSettings,
        *,
        budget: Budget | None = None,
        patient: bool = True,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """As NexusClient's."""
        self.settings = settings
        self._exchange = Exchange(settings, settings.api_key, budget, clock)
        self._retries = Retries(patient=patient, sleep=sleep, jitter=jitter)

    def check(self) -> None:
        """Sends a trip without any ETA, which changes nothing: proves address and key, whatever is said of the trip."""
        try:
            self.send({"depotCode": "", "tripReference": "", "calculatedAt": "", "etas": []})
        except NexusValidationError:
            return

    def send(self, trip: Mapping[str, Any]) -> EtaReply:
        """Sends the ETAs of one trip, body as in contract 10. Sending them again does no harm, so it tries again.

        Raises NexusAuthError for a refused key and the other errors of contract 1.5.
        """
        path = self.settings.path.lstrip("/")
        request = Request(
            "POST",
            f"{self.settings.base_url}/{path}",
            path,
            repeatable=True,
            headers={**JSON, self.settings.key_header: self.settings.api_key},
            body=as_json(trip),
        )

        def attempt() -> EtaReply:
            answer = self._exchange(request)
            if answer.status in REFUSED_KEY:
                said = answers.said(answer, self._exchange.secrets)
                raise NexusAuthError(self.settings.connection, request.operation, said)
            self._exchange.must_be_good(request, answer)
            try:
                return _reply(trip, answer.body or b"")
            except wire.Unreadable as error:
                raise NexusProtocolError(self.settings.connection, request.operation, str(error)) from error

        return self._retries.run(attempt, REPEATABLE)


def _reply(trip: Mapping[str, Any], body: bytes) -> EtaReply:
    """Raises Unreadable. What was sent and is not rejected is accepted; how `accepted` looks is not known."""
    listed = as_object(wire.parse(body)).get("rejected") or []
    if not isinstance(listed, list):
        raise wire.Unreadable("the answer's rejected are no list")
    rejected = {
        wire.text(wire.first_of(row, ["consignmentNumber"])): wire.text(wire.first_of(row, ["reason"]))
        or "rejected without a reason"
        for row in listed
    }
    sent = [str(eta["consignmentNumber"]) for eta in trip["etas"]]
    return EtaReply(tuple(number for number in sent if number not in rejected), rejected)
