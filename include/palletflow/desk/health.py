"""`/health` for an outside monitor: whether all is well, in one word for each part, and nothing that is of any use to
somebody else. It needs no login; whatever it is asked, it looks at most once in so many seconds.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from palletflow import deployment
from palletflow.store import figures
from palletflow.store.connection import Connection, ConnectionLost
from palletflow.syncs import syncs_of

PATH = "/health"
ANSWERS = ("GET", "HEAD")
KEPT_S = 10.0
# The watch looks once a minute, and a look may take its time when something does not answer.
WATCHED_WITHIN = timedelta(minutes=5)
OK, NOT_OK, UNKNOWN = "ok", "not ok", "unknown"
OF_STORE = ("syncs", "work", "watch")

log = logging.getLogger(__name__)


class WithHealth:
    """An application with /health beside it.

    `connect` opens the order store; `airflow` says which of Airflow's components are well.
    """

    def __init__(
        self, application: ASGIApp, connect: Callable[[], Connection], airflow: Callable[[], Mapping[str, bool]]
    ) -> None:
        self._application, self._connect, self._airflow = application, connect, airflow
        self._looking = asyncio.Lock()
        self._checks: dict[str, str] = {}
        self._until = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if scope["type"] != "http" or path != PATH or scope["method"] not in ANSWERS:
            await self._application(scope, receive, send)
            return
        checks = await self._checked()
        is_well = all(said == OK for said in checks.values())
        answer = JSONResponse(
            {"status": "healthy" if is_well else "unhealthy", "checks": checks},
            200 if is_well else 503,
            headers={"Cache-Control": "no-store"},
        )
        await answer(scope, receive, send)

    async def _checked(self) -> dict[str, str]:
        async with self._looking:
            if time.monotonic() >= self._until:
                self._checks = await run_in_threadpool(self._check)
                self._until = time.monotonic() + KEPT_S
            return self._checks

    def _check(self) -> dict[str, str]:
        try:
            with self._connect() as conn:
                of_store = {"order_store": OK, **_of_store(conn)}
        except Exception as error:  # one that no setting leads to is none either
            log.warning("The order store does not answer: %s", type(error).__name__)
            of_store = {"order_store": NOT_OK, **dict.fromkeys(OF_STORE, UNKNOWN)}
        return of_store | {"airflow": _said("airflow", lambda: all(self._airflow().values()))}


def _of_store(conn: Connection) -> dict[str, str]:
    """Raises ConnectionLost."""
    now = datetime.now(UTC)
    looks: dict[str, Callable[[], bool]] = {
        "syncs": lambda: not any(sync.stale for sync in syncs_of(conn, deployment.load(), now)),
        "work": lambda: not figures.work_waits(conn),
        "watch": lambda: figures.was_looked(conn, WATCHED_WITHIN),
    }
    return {name: _said(name, is_well) for name, is_well in looks.items()}


def _said(name: str, is_well: Callable[[], bool]) -> str:
    """Raises ConnectionLost; whatever else is wrong is only in the log, as this is open to everybody."""
    try:
        return OK if is_well() else NOT_OK
    except ConnectionLost:
        raise
    except Exception:
        log.exception("The health of %s cannot be looked at", name)
        return UNKNOWN
