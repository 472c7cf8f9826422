"""Speed of the work queue: claim and complete, with a thousand and with a million other items waiting.

python tools/bench_queue.py
"""

import tempfile
from pathlib import Path

from figures import Figure, expect, timed
from palletflow.sandbox.postgres import EmbeddedPostgres
from palletflow.store import migrate, work_items
from palletflow.store.connection import Connection, connect

NETWORK, KIND = "bench", "dispatch"
ITEMS, BATCH, LEASE_S = 10_000, 100, 60.0
ROUNDS = 3
WAITING = (1_000, 1_000_000)
PROMISED = 2_000
# Half is due as well, behind what is worked off; of the rest half waits for tomorrow and half is parked.
FILL = """
INSERT INTO work_items (network, kind, key, due_at, parked_at, last_error)
SELECT %(network)s, %(kind)s, 'waiting ' || n,
       now() + CASE n %% 4 WHEN 0 THEN interval '1 day' ELSE interval '-1 minute' END,
       CASE n %% 4 WHEN 1 THEN now() END, CASE n %% 4 WHEN 1 THEN 'HTTP 400: refused' END
FROM generate_series(1, %(count)s) n
"""


def work_off(conn: Connection) -> float:
    """Seconds for ITEMS items in batches, each claim and each completion a transaction of its own."""
    conn.execute(
        "INSERT INTO work_items (network, kind, key, due_at) "
        "SELECT %s, %s, n::text, now() - interval '1 hour' FROM generate_series(1, %s) n",
        (NETWORK, KIND, ITEMS),
    )

    def batches() -> None:
        for _ in range(ITEMS // BATCH):
            items = work_items.claim(conn, NETWORK, KIND, BATCH, LEASE_S)
            expect(len(work_items.complete(conn, items)) == BATCH)

    return timed(batches)


def queue_figures() -> list[Figure]:
    """Claim and complete at 2,000 items a second, whatever else waits; the best of three rounds."""
    best = {}
    with tempfile.TemporaryDirectory() as home:
        server = EmbeddedPostgres(Path(home))
        server.start()
        try:
            dsn = server.dsn("palletflow")
            migrate.upgrade(dsn)
            with connect(dsn) as conn:
                for waiting in WAITING:
                    print(f"work queue: {waiting:,} items wait ...", flush=True)
                    conn.execute("TRUNCATE work_items")
                    conn.execute(FILL, {"network": NETWORK, "kind": KIND, "count": waiting})
                    conn.execute("VACUUM ANALYZE work_items")
                    best[waiting] = min(work_off(conn) for _ in range(ROUNDS))
        finally:
            server.remove()
    few, many = WAITING
    name = f"queue: {ITEMS:,} claimed and completed"
    return [
        Figure(f"{name}, {few:,} waiting", best[few], f"at {PROMISED:,} a second", ITEMS / PROMISED, 1),
        Figure(f"{name}, {many:,} waiting", best[many], f"with {few:,} waiting", best[few], 1.25),
    ]


if __name__ == "__main__":
    for figure in queue_figures():
        print(f"{figure.name}: {figure.measured:.2f} s; {figure.yardstick}: {figure.yardstick_measured:.2f} s")
