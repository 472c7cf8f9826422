"""The depot pull: consignments changed since the watermark, into the import flow (contract 2.4)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from palletflow.deployment import Deployment
from palletflow.intake.flow import Intake
from palletflow.networks.palletforce.client import PalletforceClient
from palletflow.networks.palletforce.mapper import NETWORK, Mapper
from palletflow.store import customers, syncs, watermarks
from palletflow.store.connection import Connection
from palletflow.store.imports import NO_RECORDS, Batch, Counts

STREAM = "depot_pull"
FIRST_PULL = timedelta(hours=24)

Window = tuple[datetime, datetime]


class Pulled(NamedTuple):
    """What one window of a depot brought. `lag_s`: age of the newest change the depot is read up to, in seconds."""

    depot: str
    window: Window
    pages: int
    counts: Counts
    warnings: dict[str, int]
    lag_s: float

    def line(self) -> str:
        """The one line for the task log."""
        start, end = self.window
        return (
            f"Depot {self.depot}: {self.counts.records} records ({self.counts.outcomes()}),"
            f" {self.pages} pages, window {start:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S} UTC,"
            f" lag {self.lag_s:.0f} s"
        )


def windows(start: datetime, end: datetime, longest: timedelta) -> list[Window]:
    """[start, end) cut into windows no longer than `longest`, oldest first; none when start is not before end."""
    cut = []
    while start < end:
        cut.append((start, min(start + longest, end)))
        start = cut[-1][1]
    return cut


def due_from(conn: Connection, client: PalletforceClient, depot: str, now: datetime) -> datetime:
    """From when on a depot is to be read: the watermark less the overlap; the last 24 hours the first time."""
    mark = watermarks.read(conn, NETWORK, STREAM, depot)
    return now - FIRST_PULL if mark is None else mark - timedelta(minutes=client.settings.pull_overlap_min)


def pull_depot(
    conn: Connection,
    client: PalletforceClient,
    mapper: Mapper,
    deployment: Deployment,
    depot: str,
    *,
    asked: Window | None,
    clock: Callable[[], datetime],
    run: str,
    actor: str,
    report: Callable[[Pulled], None],
    next_due_at: datetime | None = None,
) -> Counts:
    """Pulls a depot window by window; each window is stored with its watermark in one transaction.

    `asked`: a window to read once more, which leaves the watermark alone; None reads what is due. `next_due_at`: when
    the clock starts the next pull, None for one out of turn. What a failure leaves behind is whole windows. Raises
    NetworkError, psycopg.Error.
    """
    now = clock()
    customers.sync(conn, deployment.customer_names(), deployment.account_rows())
    longest = timedelta(hours=client.settings.pull_window_h)
    start, end = asked or (due_from(conn, client, depot, now), now)
    intake = Intake(conn, NETWORK, mapper)
    total = NO_RECORDS
    for window in windows(start, end, longest):
        read_at = clock()
        pages = 0
        for page in client.pull(depot, *window):
            if page is None:  # the result moved under the reader: all anew
                intake.discard()
                pages, read_at = 0, clock()
                continue
            intake.add(mapper.records(page.manifests), read_at)
            pages += 1
        batch = Batch(NETWORK, STREAM, depot, run, actor, read_at, window, pages, moves_watermark=asked is None)
        counts = intake.store(batch)
        if asked is None:
            syncs.is_read_to(conn, NETWORK, STREAM, depot, window[1])
        report(Pulled(depot, window, pages, counts, dict(intake.warnings), (clock() - window[1]).total_seconds()))
        intake.discard()
        total = total.plus(counts)
    if next_due_at:
        syncs.succeeded(conn, NETWORK, STREAM, depot, at=clock(), next_due_at=next_due_at)
    return total
