"""The deployment file as the order API uses it: read once, and again when it or a template of it has changed."""

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from palletflow import deployment, syncs
from palletflow.deployment import Deployment
from palletflow.discovery import network_part
from palletflow.store import customers
from palletflow.store.connection import Connection
from palletflow.work import follows


@dataclass(frozen=True)
class Networks:
    """The deployment and what its networks know. `mappers` by network."""

    plan: Deployment
    mappers: dict[str, Any]

    def entry(self, network: str) -> ModuleType:
        """The network's rules for what is entered. Raises ModuleNotFoundError."""
        return network_part(network, "entry")

    def follow(self, conn: Connection, event: str, network: str, consignment_ids: Collection[int]) -> bool:
        """Asks for the work that follows from an event (work.follows); False when the network wants none."""
        return follows.enqueue(conn, network, self.entry(network).FOLLOWS, event, consignment_ids)

    def tracking_page(self, consignment: Mapping[str, Any]) -> str:
        """Where anybody can follow a consignment; "" while no network of the deployment has registered it."""
        mapper = self.mappers.get(consignment["network"]) if consignment["registered"] else None
        return str(mapper.tracking_page(consignment)) if mapper else ""

    @property
    def connections(self) -> list[str]:
        """The Airflow connection ids of all depots."""
        return sorted({name for ours in self.plan.networks.values() for name in ours.depots.values()})


class Plans:
    """Gives the current deployment; safe to be asked by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: Networks | None = None
        self._seen: tuple[object, ...] = ()

    def current(self, conn: Connection) -> Networks:
        """The deployment as it stands; its customers are in the order store. Raises FileFault."""
        with self._lock:
            if self._held is None or self._state() != self._seen:
                plan = deployment.load()
                mappers = {name: network_part(name, "mapper").preview(plan) for name in plan.networks}
                customers.sync(conn, plan.customer_names(), plan.account_rows())
                syncs.expect(conn, plan)
                self._held = Networks(plan, mappers)
                self._seen = self._state()
            return self._held

    def _state(self) -> tuple[object, ...]:
        templates = [ours.template for ours in self._held.plan.networks.values()] if self._held else []
        return tuple(_stamp(file) for file in (deployment.path(), *templates) if file)


def _stamp(file: Path) -> object:
    try:
        state = file.stat()
    except OSError:
        return None
    return file, state.st_mtime_ns, state.st_size
