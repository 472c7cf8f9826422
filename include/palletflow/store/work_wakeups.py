"""Who waits for work is told of it: Postgres notifications, and a sign that a worker is there.

A trigger on work_items sends "<network>.<kind>" on the channel whenever something is due earlier than it was. Both need
a session of their own: behind a connection pooler it must be one that keeps sessions.
"""

from collections.abc import Collection
from contextlib import aclosing
from typing import Any

import psycopg

from palletflow.store.connection import SESSION, Connection, ConnectionLost, DatabaseUnavailable
from palletflow.store.work_items import NEXT_DUE

CHANNEL = "palletflow_work"
LISTEN = f"LISTEN {CHANNEL}"
ATTEND = (
    "SELECT pg_advisory_lock_shared(hashtextextended('palletflow drain ' || %(network)s || '.' || kind, 0)) "
    "FROM unnest(%(kinds)s::text[]) kind"
)
# To lock it for itself for a moment succeeds only while no other session attends to it.
ATTENDED = (
    "SELECT NOT bool_and("
    "pg_try_advisory_xact_lock(hashtextextended('palletflow drain ' || %(network)s || '.' || kind, 0))) "
    "FROM unnest(%(kinds)s::text[]) kind"
)


def attend(conn: Connection, network: str, kinds: Collection[str]) -> None:
    """Makes the session a worker of these kinds, as long as it lasts: it listens, and others see that it is there."""
    conn.execute(LISTEN)
    conn.execute(ATTEND, {"network": network, "kinds": list(kinds)})


def leave(conn: Connection) -> None:
    """Ends what `attend` began: what is due from now on is for others."""
    conn.execute("SELECT pg_advisory_unlock_all()")


def others_attend(conn: Connection, network: str, kinds: Collection[str]) -> bool:
    """Whether another session attends to these kinds too."""
    [(attended,)] = conn.execute(ATTENDED, {"network": network, "kinds": list(kinds)}).fetchall()
    return bool(attended)


def told(conn: Connection, network: str, kinds: Collection[str]) -> bool:
    """Whether a listening session was told of work of these kinds since it was asked last; does not wait."""
    payloads = {notification.payload for notification in conn.notifies(timeout=0)}
    return any(f"{network}.{kind}" in payloads for kind in kinds)


class WorkWatch:
    """An asynchronous session that waits for due work of some kinds and does none itself."""

    def __init__(self, conn: "psycopg.AsyncConnection[tuple[Any, ...]]", network: str, kinds: Collection[str]) -> None:
        self._conn = conn
        self._asked = {"network": network, "kinds": list(kinds)}
        self._payloads = {f"{network}.{kind}" for kind in kinds}

    @classmethod
    async def open(cls, dsn: str, network: str, kinds: Collection[str]) -> "WorkWatch":
        """Raises DatabaseUnavailable."""
        try:
            conn = await psycopg.AsyncConnection.connect(
                dsn, autocommit=True, application_name="palletflow watch", **SESSION
            )
            await conn.execute(LISTEN)
        except ConnectionLost as error:
            raise DatabaseUnavailable(str(error)) from error
        return cls(conn, network, kinds)

    async def close(self) -> None:
        """Closes the session."""
        await self._conn.close()

    async def next_due(self) -> float | None:
        """Seconds until the next item comes due, not positive if one is; None when there is none."""
        seconds: float | None = await self._value(NEXT_DUE)
        return seconds

    async def attended(self) -> bool:
        """Whether a worker of these kinds is there, who will find by itself what is due."""
        return bool(await self._value(ATTENDED))

    async def wait(self, seconds: float) -> None:
        """Waits until the session is told of work, at most so long."""
        async with aclosing(self._conn.notifies(timeout=seconds)) as notifications:
            async for notification in notifications:
                if notification.payload in self._payloads:
                    break

    async def _value(self, query: str) -> Any:
        row = await (await self._conn.execute(query.encode(), self._asked)).fetchone()
        return row[0] if row else None
