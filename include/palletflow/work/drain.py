"""Works off the items of a network: claims what is due, runs handlers in threads, stores result and end together.

Killed between any two steps it leaves items under a lease that ends by itself. A lost database connection is opened
again. A result that cannot be stored for long is left to the lease's end; the handler then finds that it happened.
"""

import logging
import os
import select
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from palletflow.store import connection_flags, work_items, work_wakeups
from palletflow.store.connection import Connection, ConnectionLost, DatabaseUnavailable
from palletflow.work.backoff import DEFAULT, Backoff
from palletflow.work.failures import Verdict, judge
from palletflow.work.handling import Handler, Result, WorkItem

# Long enough for a busy machine, short enough that what a killed worker held is soon due again.
LEASE_S = 60.0
RENEW_EVERY_S = LEASE_S / 3
# How long the claiming thread looks for an order store that is away, and a result waits to be stored.
OUTAGE_S = 120.0
OUTAGE_PAUSES_S = (0.2, 1.0, 2.0, 5.0)
STORE_PAUSES_S = (0.1, 0.5, 2.0, 5.0, 10.0, 10.0)
# How soon it sees that it shall stop; and that a row which another session holds locked was let go.
STOP_LOOK_S, LOCKED_LOOK_S = 0.5, 0.05
# What becomes of an item. LEFT: to its new holder, or to the end of its lease.
DONE, AGAIN, POSTPONED, PARKED, LEFT = "done", "again", "postponed", "parked", "left"
SYSTEM_FAULTS = (ConnectionLost, DatabaseUnavailable)

log = logging.getLogger(__name__)


def drain(
    open_connection: Callable[[], Connection],
    network: str,
    handlers: Mapping[str, Handler],
    limits: Mapping[str, int],
    *,
    linger_s: float,
    most_s: float,
    stop: threading.Event,
    backoffs: Mapping[str, Backoff] | None = None,
) -> dict[str, dict[str, int]]:
    """Works off due items of the kinds of `handlers`, `limits[kind]` at a time; counts by kind and outcome.

    After its last item it waits `linger_s` seconds for more, so that a burst is one drain; one that finds nothing ends
    at once, and one that began beside another leaves the waiting to that. After `most_s` seconds, or when `stop` is
    set, it begins nothing more and ends with what it has begun; meanwhile it no longer counts as being there.
    Raises DatabaseUnavailable or ConnectionLost when the order store is away for long.
    """
    work = _Drain(open_connection, network, handlers, limits, backoffs or {})
    try:
        work.run(time.monotonic() + most_s, linger_s, stop)
    finally:
        work.end()
    return work.counts()


class _LeaseLost(Exception):
    """Another worker holds the item now, or it has ended."""


class _Drain:
    """One drain. `run`, `end` and `counts` belong to the claiming thread, what begins with `_work` to the others."""

    def __init__(
        self,
        open_connection: Callable[[], Connection],
        network: str,
        handlers: Mapping[str, Handler],
        limits: Mapping[str, int],
        backoffs: Mapping[str, Backoff],
    ) -> None:
        self._network, self._handlers, self._limits, self._backoffs = network, handlers, limits, backoffs
        self._open = open_connection
        self._main = _Session(open_connection, self._attend)
        # Whether it looks for what is due, and whether it is the only drain that does.
        self._attends = self._is_alone = True
        self._own = threading.local()
        self._sessions: list[_Session] = []
        self._waker = _Waker()
        most = sum(limits[kind] for kind in handlers)
        self._pool = ThreadPoolExecutor(most, f"{network}-work", self._begin_thread)
        self._running: dict[Future[str], WorkItem] = {}
        self._outcomes: Counter[tuple[str, str]] = Counter()
        self._renewed = time.monotonic()

    def run(self, deadline: float, linger_s: float, stop: threading.Event) -> None:
        """Claims and hands out until there is nothing left to do; `deadline` as time.monotonic()."""
        lingers_until = 0.0
        while True:
            self._collect()
            ending = stop.is_set() or time.monotonic() >= deadline
            try:
                if ending and self._attends:
                    self._attends = False
                    work_wakeups.leave(self._main())
                wait_s = self._turn(begins=not ending)
                if self._running:
                    lingers_until = time.monotonic() + (linger_s if self._is_alone else 0.0)
                elif ending or time.monotonic() >= lingers_until:
                    return
                if not work_wakeups.told(self._main(), self._network, self._handlers):
                    self._waker.wait(wait_s, self._main().fileno())
            except SYSTEM_FAULTS as error:
                self._wait_for_the_store(error, stop)

    def end(self) -> None:
        """Gives back what was not begun and closes what nobody uses any more; waits for no handler."""
        unbegun = [item for future, item in self._running.items() if future.cancel()]
        self._pool.shutdown(wait=not self._running)
        if unbegun:
            try:
                work_items.hand_back(self._main(), unbegun)
            except SYSTEM_FAULTS as error:
                log.warning("%d items come due again when their leases end: %s", len(unbegun), error)
        self._main.close()
        if not self._running:
            self._waker.close()
            for session in self._sessions:
                session.close()

    def counts(self) -> dict[str, dict[str, int]]:
        """How often each outcome came, by kind."""
        counted: dict[str, dict[str, int]] = {}
        for (kind, outcome), count in sorted(self._outcomes.items()):
            counted.setdefault(kind, {})[outcome] = count
        return counted

    def _attend(self, conn: Connection) -> None:
        if self._attends:
            work_wakeups.attend(conn, self._network, self._handlers)
            self._is_alone = not work_wakeups.others_attend(conn, self._network, self._handlers)

    def _turn(self, *, begins: bool) -> float:
        """One look at the queue; for how many seconds the next one can wait unless somebody wakes us."""
        if time.monotonic() - self._renewed > RENEW_EVERY_S:
            self._renew()
        if not begins:
            return STOP_LOOK_S
        held = [item.id for item in self._running.values()]
        for kind, most in self._free().items():
            for item in work_items.claim(self._main(), self._network, kind, most, LEASE_S, held):
                future = self._pool.submit(self._work, item)
                self._running[future] = item
                future.add_done_callback(self._waker.wake)
        due_s = work_items.next_due(self._main(), self._network, self._free())
        return STOP_LOOK_S if due_s is None else min(max(due_s, LOCKED_LOOK_S), STOP_LOOK_S)

    def _free(self) -> dict[str, int]:
        """How many more of each kind may be begun."""
        busy = Counter(item.kind for item in self._running.values())
        return {kind: left for kind in self._handlers if (left := self._limits[kind] - busy[kind]) > 0}

    def _collect(self) -> None:
        for future in [future for future in self._running if future.done()]:
            item = self._running.pop(future)
            self._outcomes[item.kind, future.result()] += 1

    def _renew(self) -> None:
        work_items.renew(self._main(), list(self._running.values()), LEASE_S)
        self._renewed = time.monotonic()

    def _wait_for_the_store(self, error: Exception, stop: threading.Event) -> None:
        """Until it answers again. Leases may have ended meanwhile: they are renewed before anything is claimed."""
        gives_up = time.monotonic() + OUTAGE_S
        pauses = iter(OUTAGE_PAUSES_S)
        while True:
            log.warning("Looking for the order store again: %s", error)
            self._main.close()
            if stop.wait(next(pauses, OUTAGE_PAUSES_S[-1])) or time.monotonic() > gives_up:
                raise error
            try:
                self._renew()
            except SYSTEM_FAULTS as still:
                error = still
            else:
                return

    # In the threads of the handlers

    def _begin_thread(self) -> None:
        self._own.session = _Session(self._open)
        self._sessions.append(self._own.session)

    def _work(self, item: WorkItem) -> str:
        """Runs the handler and stores what came of it; the outcome."""
        backoff = self._backoffs.get(item.kind, DEFAULT)
        try:
            if item.attempts > backoff.attempts:
                reason = f"It was begun {item.attempts - 1} times and never came to an end; see the logs of the runs"
                return self._work_stored(item, partial(_yield, item=item, verdict=Verdict(reason)))
            result = self._handlers[item.kind](self._own.session(), item)
            return self._work_stored(item, partial(_finish, item=item, result=result))
        except Exception as error:
            verdict = judge(error, item.attempts, backoff)
            if not verdict.foreseen:
                log.exception("%s.%s %s failed", item.network, item.kind, item.key)
            return self._work_stored(item, partial(_yield, item=item, verdict=verdict))

    def _work_stored(self, item: WorkItem, settle: Callable[[Connection], str]) -> str:
        """Settles the item in one transaction, once more when the connection was lost in it; the outcome."""
        for pause_s in (*STORE_PAUSES_S, None):
            try:
                conn = self._own.session()
                with conn.transaction():
                    # No longer ours: taken after the lease had ended, or a commit whose answer was lost went through.
                    return settle(conn) if work_items.held(conn, item) else LEFT
            except _LeaseLost:
                return LEFT
            except SYSTEM_FAULTS as error:
                if pause_s is None:
                    log.error("%s.%s %s is left to its lease: %s", item.network, item.kind, item.key, error)  # noqa: TRY400
                else:
                    time.sleep(pause_s)
        return LEFT


def _finish(conn: Connection, item: WorkItem, result: Result) -> str:
    """Stores a result and ends or moves the item. Raises _LeaseLost, and whatever `record` raises."""
    result.record(conn)
    if result.parked is not None:
        return _yield(conn, item, Verdict(result.parked))
    if result.again_at is not None:
        return _ours(AGAIN, work_items.come_again(conn, item, result.again_at))
    return _ours(DONE, bool(work_items.complete(conn, [item])))


def _yield(conn: Connection, item: WorkItem, verdict: Verdict) -> str:
    """Postpones or parks the item. Raises _LeaseLost."""
    said = f"{item.network}.{item.kind} {item.key}: {verdict.reason}"
    if verdict.flag is not None:
        connection_flags.raise_flag(conn, verdict.flag, verdict.reason)
    if verdict.pause_s is None:
        log.warning("Parked %s", said)
        return _ours(PARKED, work_items.park(conn, item, verdict.reason))
    log.info("Postponed for %.0f s %s", verdict.pause_s, said)
    postponed = work_items.postpone(conn, item, verdict.pause_s, verdict.reason, counted=verdict.counted)
    return _ours(POSTPONED, postponed)


def _ours(outcome: str, was_ours: bool) -> str:
    if not was_ours:
        raise _LeaseLost
    return outcome


class _Session:
    """A connection that is opened again when it was lost."""

    def __init__(
        self, open_connection: Callable[[], Connection], prepare: Callable[[Connection], None] = lambda _: None
    ) -> None:
        self._open, self._prepare = open_connection, prepare
        self._conn: Connection | None = None

    def __call__(self) -> Connection:
        """Raises DatabaseUnavailable."""
        if self._conn is None or self._conn.closed:
            self._conn = self._open()
            self._prepare(self._conn)
        return self._conn

    def close(self) -> None:
        if self._conn is not None:
            self._conn.close()


class _Waker:
    """Wakes the claiming thread out of its wait, from any thread."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)

    def wake(self, _: object = None) -> None:
        with suppress(BlockingIOError):  # thousands of wakes wait to be seen already
            os.write(self._write, b"!")

    def wait(self, seconds: float, other: int) -> None:
        """Until somebody wakes, or the file descriptor `other` has something to read."""
        readable, _, _ = select.select([self._read, other], [], [], seconds)
        if self._read in readable:
            os.read(self._read, 65536)

    def close(self) -> None:
        os.close(self._read)
        os.close(self._write)
