"""Order stores for one test after the other, empty and migrated.

Emptying one takes a tenth of the time of making one, which is over 500 files: a store is used again unless a test has
changed its schema.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from palletflow.sandbox.postgres import EmbeddedPostgres
from palletflow.store.connection import connect

# Whoever is left of the test before, such as a process that it killed.
END_OTHERS = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
EMPTY = """
SET session_replication_role = replica; -- neither triggers nor references
DO $$
DECLARE held record;
BEGIN
    FOR held IN SELECT oid::regclass AS name, pg_relation_size(oid) AS size FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'
    LOOP
        IF held.size > 1000000 THEN EXECUTE format('TRUNCATE %s CASCADE', held.name);
        ELSIF held.size > 0 THEN EXECUTE format('DELETE FROM %s', held.name);
        END IF;
    END LOOP;
    PERFORM setval(format('%I.%I', schemaname, sequencename), start_value, false) FROM pg_sequences
    WHERE last_value IS NOT NULL;
END $$
"""
SCHEMA = """
SELECT md5(string_agg(part, '|' ORDER BY part)) FROM (
    SELECT (oid, relname, relkind, relacl, reloptions)::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT (attrelid, attname, atttypid, attnotnull, attisdropped, a.xmin)::text
        FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT (oid, tgenabled, xmin)::text FROM pg_trigger
    UNION ALL SELECT (oid, xmin)::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT (oid, xmin)::text FROM pg_constraint
    UNION ALL SELECT (oid, nspname)::text FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%'
    UNION ALL SELECT setconfig::text FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase
        WHERE datname = current_database()
) parts (part)
"""


class OrderStores:
    """Lends order stores of a server, one at a time; `template` is a migrated, empty database to copy."""

    def __init__(self, server: EmbeddedPostgres, template: str) -> None:
        self._server, self._template = server, template
        self._made = 0
        self._schema = ""

    @contextmanager
    def lent(self) -> Iterator[str]:
        """An empty store; its DSN."""
        if not self._schema:
            self._make()
        yield self._dsn
        if not self._emptied():
            self._drop()

    @property
    def _name(self) -> str:
        return f"order_store_{self._made}"

    @property
    def _dsn(self) -> str:
        return self._server.dsn(self._name)

    def _make(self) -> None:
        self._made += 1
        with connect(self._server.dsn("postgres")) as admin:
            # By its files: through the log of a server that keeps nothing it takes seven times as long.
            admin.execute(f"CREATE DATABASE {self._name} TEMPLATE {self._template} STRATEGY file_copy".encode())
        with connect(self._dsn) as conn:
            self._schema = conn.execute(SCHEMA).fetchall()[0][0]

    def _emptied(self) -> bool:
        """Whether it is as it was made."""
        with connect(self._dsn) as conn:
            conn.execute(END_OTHERS)
            [(schema,)] = conn.execute(SCHEMA).fetchall()
            if schema != self._schema:
                return False
            conn.execute(EMPTY)
        return True

    def _drop(self) -> None:
        self._schema = ""
        with connect(self._server.dsn("postgres")) as admin:
            admin.execute(f"DROP DATABASE {self._name} WITH (FORCE)".encode())
