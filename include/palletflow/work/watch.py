"""Watches the queue for work that nobody attends to, without doing any."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection

from palletflow.store.connection import ConnectionLost, DatabaseUnavailable
from palletflow.store.work_wakeups import WorkWatch

# With nothing due it sleeps until something is, and looks now and then in case it was not told.
LONGEST_SLEEP_S = 300.0
# How often it looks while a worker is there, who finds by itself what is due.
ATTENDED_LOOK_S = 2.0
# Having told of work that nobody has touched yet: how often it looks, and when it tells again. That is longer than a
# worker takes to start; a start that came to nothing is made up for then, and a second one does no harm.
UNTOUCHED_LOOK_S = 1.0
TELL_AGAIN_S, TELL_AGAIN_MOST_S = 15.0, 600.0
OUTAGE_PAUSES_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)

log = logging.getLogger(__name__)


async def unattended_work(
    find_dsn: Callable[[], Awaitable[str]], network: str, kinds: Collection[str]
) -> AsyncIterator[None]:
    """Yields when an item of these kinds is due and no drain is there to find it. Never ends.

    The same untouched work is told of again only after a while that doubles, as it may wait for a free worker. A lost
    order store is looked for until it is back; what came due meanwhile is told of then.
    """
    failures = 0
    while True:
        teller = _Teller()
        try:
            watch = await WorkWatch.open(await find_dsn(), network, kinds)
            try:
                while True:
                    pause_s = await _look(watch, teller)
                    failures = 0
                    if pause_s is None:
                        yield
                        teller.has_told()
                    elif pause_s > 0:
                        await asyncio.sleep(pause_s)
            finally:
                await watch.close()
        except (ConnectionLost, DatabaseUnavailable) as error:
            pause_s = OUTAGE_PAUSES_S[min(failures, len(OUTAGE_PAUSES_S) - 1)]
            failures += 1
            log.warning("The watch over %s looks for the order store again in %g s: %s", network, pause_s, error)
            await asyncio.sleep(pause_s)


async def _look(watch: WorkWatch, teller: "_Teller") -> float | None:
    """None to tell now, else the seconds to wait; 0 after it has waited itself."""
    due_s = await watch.next_due()
    if due_s is None or due_s > 0:
        teller.reset()
        await watch.wait(LONGEST_SLEEP_S if due_s is None else min(due_s, LONGEST_SLEEP_S))
        return 0.0
    if await watch.attended():
        teller.reset()
        return ATTENDED_LOOK_S
    return teller.pause_s()


class _Teller:
    """When it may tell again of work that stays untouched."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """The work was touched, or there is none."""
        self._not_before, self._again_s = 0.0, TELL_AGAIN_S

    def has_told(self) -> None:
        self._not_before = time.monotonic() + self._again_s
        self._again_s = min(2 * self._again_s, TELL_AGAIN_MOST_S)

    def pause_s(self) -> float | None:
        left = self._not_before - time.monotonic()
        return min(left, UNTOUCHED_LOOK_S) if left > 0 else None
