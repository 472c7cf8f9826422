"""Fills an empty order store with a million consignments of all three networks, for a look at plans and for the bench.

    .venv/bin/python tools/seed.py postgresql://user:password@host/database [consignments]
    .venv/bin/python tools/seed.py --here FOLDER [consignments]

The first fills the order store at that address; the database exists and is empty or migrated, and the role is a
superuser (or may set session_replication_role). The second stands up an embedded Postgres of its own whose data
belong to FOLDER, fills it unless it is filled, prints its address and keeps it running until Ctrl-C; FOLDER and its
Postgres stay for the next time. 20000 consignments take a few seconds and are lively enough to look at pages.

The rows: 5 in 100 consignments came within the last 48 hours, the others over some 400 days; 10 in 100 are open; some
hundred work items are parked, 3,000 records are in quarantine. Ids begin at 1 and grow with time. What is written
follows from the count and the moment of the call alone; seed_rows.py says what it is.
"""

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from psycopg import ClientCursor, sql

import seed_rows
from figures import timed
from palletflow import deployment
from palletflow.sandbox.postgres import EmbeddedPostgres
from palletflow.store import customers, migrate
from palletflow.store.connection import Connection, connect

PROJECT = Path(__file__).parents[1]
MILLION = 1_000_000
# So many statements at a time: they wait for the disk by turns.
AT_A_TIME = 3
NETWORK_CUSTOMERS = ("PALLETFORCE", "NEXUS", "PALLETWAYS")
# Of those that stand for nobody's constraint.
INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid)
FROM pg_index JOIN pg_class c ON c.oid = indrelid
WHERE c.relnamespace = 'public'::regnamespace AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
ORDER BY pg_table_size(indrelid) DESC
"""
# Loading writes what constraints and triggers would only confirm or do over.
SESSION = "SET session_replication_role = replica; SET synchronous_commit = off; SET maintenance_work_mem = '256MB'"
IDENTITIES = """
SELECT format('SELECT setval(%L, (SELECT coalesce(max(id), 1) FROM %I))', pg_get_serial_sequence(table_name, 'id'),
       table_name)
FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'id' AND is_identity = 'YES'
"""
LARGEST_FIRST = (
    "SELECT relname FROM pg_stat_user_tables WHERE schemaname = 'public' ORDER BY pg_relation_size(relid) DESC"
)
Report = Callable[[str], None]


class NotEmpty(Exception):
    """The order store holds orders, which are not to be mixed with made-up ones."""


def seed(dsn: str, count: int = MILLION, report: Report = print, now: datetime | None = None) -> None:
    """Migrates the order store and fills it; `report` gets a line for each step. Raises NotEmpty."""
    migrate.upgrade(dsn)
    with connect(dsn) as conn:
        if conn.execute("SELECT FROM orders LIMIT 1").fetchone() is not None:
            raise NotEmpty("This order store has orders already; seed an empty one.")
        plan = deployment.load(PROJECT / "include" / "deployment.yaml")
        customers.sync(conn, plan.customer_names(), plan.account_rows())
        conn.execute(SESSION)
        conn.execute(seed_rows.PREPARE)
        values: dict[str, object] = {**seed_rows.NAMES, "count": count, "now": now or datetime.now(UTC)}
        ClientCursor(conn).execute(seed_rows.CUSTOMERS.encode(), values)
        known: dict[str, int] = dict(conn.execute("SELECT code, id FROM customers ORDER BY id").fetchall())
        values["network_customers"] = [known.pop(code) for code in NETWORK_CUSTOMERS]
        values["customers"] = list(known.values())
        report(f"drawn in {timed(lambda: _draw(conn, values)):.0f} s")
        indexes = conn.execute(INDEXES).fetchall()
        for name, _ in indexes:
            conn.execute(sql.SQL("DROP INDEX {}").format(sql.SQL(name)))
        _load(dsn, values, report)
        made = [(f"index {name}", definition) for name, definition in indexes]
        _side_by_side(dsn, made, report)
        tables = [(f"vacuum {table}", f"VACUUM ANALYZE {table}") for (table,) in conn.execute(LARGEST_FIRST)]
        _side_by_side(dsn, tables, report)
        for (statement,) in conn.execute(IDENTITIES).fetchall():
            conn.execute(statement)
        conn.execute("DROP SCHEMA seeding CASCADE")


LARGEST_FIRST = (
    "SELECT relname FROM pg_stat_user_tables WHERE schemaname = 'public' ORDER BY pg_relation_size(relid) DESC"
)


def _draw(conn: Connection, values: dict[str, object]) -> None:
    # What makes a table takes no parameters, so its values are put into the statement here.
    ClientCursor(conn).execute(seed_rows.DRAW.encode(), values)
    conn.execute("ANALYZE seeding.drawn")


def _load(dsn: str, values: dict[str, object], report: Report) -> None:
    done = {name: threading.Event() for name in seed_rows.ROWS}

    def write(name: str) -> None:
        for other in seed_rows.AFTER.get(name, ()):
            done[other].wait()
        try:
            with connect(dsn) as conn:
                conn.execute(SESSION)
                begun = time.perf_counter()
                rows = ClientCursor(conn).execute(seed_rows.ROWS[name].encode(), values).rowcount
            report(f"{name}: {rows:,} in {time.perf_counter() - begun:.0f} s")
        finally:
            done[name].set()

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(write, seed_rows.ROWS))


def _side_by_side(dsn: str, statements: Iterable[tuple[str, str]], report: Report) -> None:
    def run(named: tuple[str, str]) -> None:
        name, statement = named
        with connect(dsn) as conn:
            conn.execute(SESSION)
            took = timed(lambda: conn.execute(statement.encode()))
        if took > 1:
            report(f"{name} in {took:.0f} s")

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(run, statements))


def main() -> None:
    """See the module's text."""
    arguments = sys.argv[1:]
    here = arguments[:1] == ["--here"]
    words = arguments[1:] if here else arguments
    if not words or len(words) > 2:
        sys.exit(__doc__)
    count = int(words[1].replace("_", "").replace(",", "")) if len(words) > 1 else MILLION
    begun = time.perf_counter()

    def report(line: str) -> None:
        print(f"{time.perf_counter() - begun:4.0f} s  {line}", flush=True)

    if not here:
        seed(words[0], count, report)
        return
    folder = Path(words[0])
    folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt), EmbeddedPostgres(folder, durable=False) as server:
        try:
            seed(server.dsn("palletflow"), count, report)
        except NotEmpty:
            report("it was filled before")
        print(f"{server.dsn('palletflow')}\nCtrl-C stops it.", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
