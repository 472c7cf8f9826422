"""Housekeeping: what is deleted, checked and reported once a day, each function a task of the DAG `maintenance`.

Each can be repeated and interrupted at any moment. It works in small transactions for at most BUDGET_S; what is left
then is for the next run. The numbers they return are shown as the task's XCom.
"""

import importlib.util
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from airflow.sdk.exceptions import AirflowSkipException

from palletflow import deployment
from palletflow.airflow import order_store
from palletflow.discovery import PACKAGE, network_part
from palletflow.documents import storage_check
from palletflow.documents.quarantine import Quarantine
from palletflow.documents.storage import Storage, open_storage
from palletflow.store import alerts, retention, session_lock, stored_bytes
from palletflow.store.connection import Connection
from palletflow.store.retention import Go

PART = "housekeeping"
# Well below a task's 20 minutes, whatever a last step takes.
BUDGET_S = 900.0
SAID_EVERY_S = 30.0
# A drain comes by every ten minutes, even if nothing wakes it.
IDLE = timedelta(minutes=30)

log = logging.getLogger(__name__)


class Pace:
    """Lets a task go on for BUDGET_S seconds, and says every half minute how far it has come."""

    def __init__(self) -> None:
        self._began = self._said = time.monotonic()

    def of(self, what: str) -> Go:
        """What a part of the task asks after each step whether to go on, with how much is done."""

        def go(done: int) -> bool:
            now = time.monotonic()
            if now - self._said >= SAID_EVERY_S:
                self._said = now
                log.info("%s: %s so far", what, f"{done:,}")
            if now - self._began < BUDGET_S:
                return True
            log.warning("%s: stopped after %.0f s; the next run goes on", what, BUDGET_S)
            return False

        return go


def tidy_networks() -> dict[str, dict[str, int]]:
    """Deletes what networks' files have been kept long enough: network to what to how many.

    Raises FileFault, StorageUnavailable, DatabaseUnavailable.
    """
    deleted: dict[str, dict[str, int]] = {}
    with _upkeep() as (conn, storage):
        for network in deployment.load().networks:
            if importlib.util.find_spec(f"{PACKAGE}.{network}.{PART}") is None:
                continue
            deleted[network] = network_part(network, PART).tidy(conn, storage, datetime.now(UTC))
            log.info(
                "%s: %s", network, ", ".join(f"{count} {what} deleted" for what, count in deleted[network].items())
            )
    return deleted


def delete_raw_records() -> dict[str, int]:
    """Deletes raw records, and the readings that brought them, after `retention.raw_records_d` days."""
    with order_store.connect() as conn:
        before = _before("raw records", deployment.load().retention.raw_records_d)
        pace = Pace()
        records = retention.raw_records(conn, before, pace.of("raw records"))
        readings = retention.batches(conn, before, pace.of("readings"))
    return _deleted({"raw records": records, "readings": readings})


def delete_history() -> dict[str, int]:
    """Deletes the history of finished consignments after `retention.activity_d` days."""
    return _purge("entries of the history", deployment.load().retention.activity_d, retention.history)


def give_up_parked_work() -> dict[str, int]:
    """Deletes work that has been parked for `retention.parked_work_d` days; the history keeps what it was."""
    return _purge("parked items of work", deployment.load().retention.parked_work_d, retention.parked_work)


def delete_expired() -> dict[str, int]:
    """Deletes what is over by itself: caches, links, alerts."""
    now, pace = datetime.now(UTC), Pace()
    with order_store.connect() as conn:
        gone = {one.what: retention.expired(conn, one, now, pace.of(one.what)) for one in retention.EXPIRING}
        return _deleted({**gone, "alerts": alerts.tidy(conn)})


def report_idle_work() -> dict[str, int]:
    """Reports work whose lease has ended and that nobody takes: "network.kind" to how many items."""
    with order_store.connect() as conn:
        found = retention.idle_leases(conn, IDLE)
    for idle in found:
        log.warning(
            "%s.%s: nobody has taken %d items since their lease ended, the first on %s. They are due by themselves: "
            "see that the DAG %s_%s is not paused, and what its last runs say.",
            *(idle.network, idle.kind, idle.items, f"{idle.since:%Y-%m-%d %H:%M} UTC", idle.network, idle.kind),
        )
    if not found:
        log.info("No lease has ended without somebody taking the work again")
    return {f"{idle.network}.{idle.kind}": idle.items for idle in found}


def check_storage() -> dict[str, dict[str, int]]:
    """Holds the object storage against the order store, both ways: what of, to what was found (storage_check.Found).

    Raises FileFault, StorageUnavailable, DatabaseUnavailable.
    """
    now = datetime.now(UTC)
    # If the time does not suffice for all of it, every part has its turn within a few days.
    first = now.toordinal() * 97 % storage_check.PARTS
    found, pace = {}, Pace()
    with _upkeep() as (conn, storage):
        kinds = ((stored_bytes.DOCUMENTS, storage), (stored_bytes.QUARANTINE, Quarantine(storage)))
        for table, of_kind in kinds:
            one = storage_check.check(conn, of_kind, table, now, pace.of(f"{table} checked"), first)
            found[table] = one._asdict()
            log.info(
                "%s: %s digests in %d of %d parts; nobody names: %d set aside, %d deleted after a day, %d put back; "
                "%d begun writings deleted",
                *(table, f"{one.named:,}", one.parts, storage_check.PARTS, one.set_aside, one.deleted, one.back),
                one.unfinished,
            )
            if one.missing:
                log.warning(
                    "%s: the bytes of %d are not in the object storage, %d of them since the last check. "
                    "Copy `documents` of the backup folder over it, as the runbook says.",
                    *(table, one.missing, one.lost),
                )
    return found


def skip(why: str) -> NoReturn:
    """Ends a task that has nothing to do; Airflow itself does not log why."""
    log.info(why)
    raise AirflowSkipException(why)


def _before(what: str, days: int) -> datetime:
    """Raises AirflowSkipException when it is kept for ever."""
    if not days:
        skip(f"The deployment file says that {what} are kept for ever")
    return datetime.now(UTC) - timedelta(days=days)


def _purge(what: str, days: int, purge: Callable[[Connection, datetime, Go], int]) -> dict[str, int]:
    before = _before(what, days)
    with order_store.connect() as conn:
        return _deleted({what: purge(conn, before, Pace().of(what))})


def _deleted(counts: dict[str, int]) -> dict[str, int]:
    for what, count in counts.items():
        log.info("%s: %s deleted", what, f"{count:,}")
    return counts


@contextmanager
def _upkeep() -> Iterator[tuple[Connection, Storage]]:
    """The order store and the object storage, while nobody else takes bytes away or copies all of them."""
    storage = open_storage()
    with order_store.connect() as conn, session_lock.alone(conn, stored_bytes.UPKEEP) as alone:
        if not alone:
            skip("A backup is being made, or another run does this; the next run does it")
        yield conn, storage
