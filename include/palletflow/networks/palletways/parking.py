"""Puts records that cannot be read into quarantine with their raw text, each once (contract 4.3)."""

import hashlib
import json
from datetime import datetime
from typing import Any

from palletflow.intake.flow import Intake, Refusing
from palletflow.intake.template import Fault
from palletflow.networks.palletways.mapper import Mapper
from palletflow.networks.palletways.work import NETWORK
from palletflow.store import quarantine
from palletflow.store.connection import Connection
from palletflow.store.imports import Batch


class Parking:
    """One run's way into quarantine for what came through the key of `depot`. `count`: how many it parked."""

    def __init__(self, conn: Connection, mapper: Mapper, depot: str, run: str, actor: str) -> None:
        self._conn, self._mapper, self._depot = conn, mapper, depot
        self._run, self._actor = run, actor
        self.count = 0

    def park(self, stream: str, key: str, record: Any, fault: Fault, read_at: datetime) -> None:
        """Parks a record unless the very same was parked before: a feed shows its latest ones again and again."""
        content = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
        key = f"{key} {content[:16]}"
        if quarantine.has_landed(self._conn, NETWORK, stream, key):
            return
        intake = Intake(self._conn, NETWORK, Refusing(self._mapper.version, key, fault))
        intake.add([record], read_at)
        intake.store(Batch(NETWORK, stream, self._depot, self._run, self._actor, read_at))
        self.count += 1
