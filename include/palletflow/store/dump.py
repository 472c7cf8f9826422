"""The order store written out whole and read back in: every table as Postgres's COPY text, which any server reads.

The catalogue of the server says which tables, columns, indexes and keys there are, so a new table needs nothing here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

from psycopg import sql
from psycopg.abc import Buffer

from palletflow.store import migrate
from palletflow.store.connection import Connection

REVISIONS = "alembic_version"
# There while a restore has loaded rows and has not come to its end: such a store is nobody's yet.
UNFINISHED = "restore_unfinished"
# No server carries out so many transactions between a backup and the loss after it.
FEED_STEP = 2**36
# Of numbers that networks are told, no house gives so many between a backup and the loss after it.
LEFT_OUT = 100_000
# Their ids stand in what we call a sending, by which a network knows it again.
NUMBERED = ("orders", "consignments")
LEAVE_OUT_IDS = """
SELECT setval(numbering, nextval(numbering::regclass) + %s) FROM pg_get_serial_sequence(%s, 'id') numbering
"""
LEAVE_OUT_NUMBERS = "UPDATE consignment_numbers SET last = last + %s"

TABLES = """
SELECT c.relname,
       array(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum)
FROM pg_class c
WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND c.relname <> ALL (%s)
ORDER BY c.relname
"""
# Identity columns; a number that was given is never given again, even if its row is gone.
SEQUENCES = """
SELECT c.relname || '.' || a.attname,
       (SELECT s.last_value FROM pg_sequences s
        WHERE (s.schemaname, s.sequencename) = (current_schema(), d.relname))
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
JOIN pg_class d ON d.oid = pg_get_serial_sequence(quote_ident(c.relname), a.attname)::regclass
WHERE a.attidentity <> '' ORDER BY 1
"""
# What is quicker made anew than kept up to date row by row; each with the statements that take it away and make it.
KEYS = """
SELECT format('ALTER TABLE %I DROP CONSTRAINT %I', c.relname, k.conname),
       format('ALTER TABLE %I ADD CONSTRAINT %I %s', c.relname, k.conname, pg_get_constraintdef(k.oid))
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE k.contype = 'f' AND c.relnamespace = current_schema()::regnamespace ORDER BY k.conname
"""
INDEXES = """
SELECT format('DROP INDEX %I', i.relname), pg_get_indexdef(i.oid)
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
WHERE i.relnamespace = current_schema()::regnamespace
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.oid) ORDER BY i.relname
"""


class Table(NamedTuple):
    """A table and its columns, in their order."""

    name: str
    columns: list[str]


@contextmanager
def snapshot(conn: Connection) -> Iterator[datetime]:
    """All that is read within is of one moment, which it gives; nothing can be written."""
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        [(now,)] = conn.execute("SELECT now()").fetchall()
        yield now


def revision(conn: Connection) -> str | None:
    """The revision of the schema; None when there is none."""
    [(there,)] = conn.execute("SELECT to_regclass(%s) IS NOT NULL", (REVISIONS,)).fetchall()
    row = conn.execute(f"SELECT version_num FROM {REVISIONS}".encode()).fetchone() if there else None  # noqa: S608
    return row[0] if row else None


def tables(conn: Connection) -> list[Table]:
    """The tables of the schema, by name."""
    return [Table(*row) for row in conn.execute(TABLES, ([REVISIONS, UNFINISHED],))]


def holding(conn: Connection) -> list[str]:
    """The tables that have rows."""
    return [
        table.name
        for table in tables(conn)
        if conn.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(sql.Identifier(table.name))).rowcount
    ]


def is_unfinished(conn: Connection) -> bool:
    """Whether a restore into this store was interrupted after its rows had been loaded."""
    [(there,)] = conn.execute("SELECT to_regclass(%s) IS NOT NULL", (UNFINISHED,)).fetchall()
    return bool(there)


def sequences(conn: Connection) -> dict[str, int]:
    """The last number given to each "table.column" that numbers its rows; those that gave none yet are left out."""
    return {name: last for name, last in conn.execute(SEQUENCES) if last is not None}


def copy_out(conn: Connection, table: Table) -> Iterator[Buffer]:
    """A table's rows, a piece at a time."""
    with conn.cursor() as cursor, cursor.copy(_copy(table, "TO STDOUT")) as copy:
        yield from copy


def copy_in(conn: Connection, table: Table, pieces: Iterable[bytes]) -> int:
    """Loads rows as copy_out gave them; how many."""
    with conn.cursor() as cursor:
        with cursor.copy(_copy(table, "FROM STDIN")) as copy:
            for piece in pieces:
                copy.write(piece)
        return cursor.rowcount


def make_empty(dsn: str, conn: Connection, at: str) -> None:
    """Makes the schema of revision `at`, without rows; what an interrupted restore left is thrown away."""
    if is_unfinished(conn):
        names = sql.SQL(", ").join(sql.Identifier(table.name) for table in tables(conn))
        conn.execute(sql.SQL("TRUNCATE {}").format(names))
        conn.execute(f"DROP TABLE {UNFINISHED}".encode())
    if revision(conn):
        migrate.downgrade(dsn)
    migrate.upgrade(dsn, at)


@contextmanager
def loading(conn: Connection, making: Callable[[str], None]) -> Iterator[None]:
    """One transaction in which tables are loaded as they were: nothing fires, and keys and indexes are made at its end.

    After it the store is unfinished until finish(). Nobody else reads or writes meanwhile. `making` is told how far
    that is.
    """
    with conn.transaction():
        names = [sql.Identifier(table.name) for table in tables(conn)]
        conn.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.SQL(", ").join(names)))
        for name in names:
            conn.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(name))
        # Keys before indexes: a key may need one.
        parts = [*conn.execute(KEYS).fetchall(), *conn.execute(INDEXES).fetchall()]
        for drop, _ in parts:
            conn.execute(drop.encode())
        yield
        for number, (_, make) in enumerate(reversed(parts), 1):
            making(f"indexes and keys: {number} of {len(parts)}")
            conn.execute(make.encode())
        for name in names:
            conn.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(name))
        conn.execute(f"CREATE TABLE {UNFINISHED} ()".encode())


def go_on_numbering(conn: Connection, given: Mapping[str, int]) -> None:
    """Lets every numbering of rows go on after the last number that was given."""
    for name, last in given.items():
        table, _, column = name.rpartition(".")
        conn.execute("SELECT setval(pg_get_serial_sequence(%s, %s), %s)", (table, column, last))


def finish(conn: Connection) -> None:
    """Ends a restore, when the schema is the newest: the change feed goes on after what its readers have seen, and
    what networks are told to know a consignment by goes on after what they may have been told since the backup.

    Entries of the feed stand in the order of the server's transactions, and this server may be behind in counting them.
    """
    with conn.transaction():
        conn.execute(f"DROP TABLE {UNFINISHED}".encode())
        for table in NUMBERED:
            conn.execute(LEAVE_OUT_IDS, (LEFT_OUT, table))
        conn.execute(LEAVE_OUT_NUMBERS, (LEFT_OUT,))
        row = conn.execute("SELECT xact::text::bigint FROM activity ORDER BY xact DESC LIMIT 1").fetchone()
        [(now,)] = conn.execute("SELECT pg_current_xact_id()::text::bigint").fetchall()
        offset = (row[0] if row else now) + FEED_STEP - now
        conn.execute(
            sql.SQL(
                "CREATE OR REPLACE FUNCTION feed_offset() RETURNS bigint IMMUTABLE PARALLEL SAFE LANGUAGE sql RETURN {}"
            ).format(sql.Literal(offset))
        )


def learn(conn: Connection) -> None:
    """Lets the server learn what the tables hold, so that it reads them as quickly as before."""
    names = sql.SQL(", ").join(sql.Identifier(table.name) for table in tables(conn))
    conn.execute(sql.SQL("VACUUM (ANALYZE) {}").format(names))


def _copy(table: Table, way: str) -> sql.Composed:
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    return sql.SQL("COPY {} ({}) {} (ENCODING 'UTF8')").format(sql.Identifier(table.name), columns, sql.SQL(way))
