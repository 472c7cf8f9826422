"""What one test leaves in its order store, the next does not find."""

import re
import subprocess
from pathlib import Path

import pytest

from palletflow.sandbox.postgres_binaries import installation_in_wheel
from palletflow.store import customers
from palletflow.store.connection import connect


def dumped(dsn: str) -> str:
    """All that Postgres can say of a database, but for its name and the key of the dump."""
    command = [Path(installation_in_wheel()) / "bin" / "pg_dump", "--create", dsn]
    said = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    return re.sub(r"order_store_\d+|\\\w*restrict .*", "", said)


@pytest.mark.parametrize(
    "change",
    [
        "SELECT",
        "CREATE TABLE left_behind (id int)",
        "ALTER TABLE orders ADD COLUMN left_behind int",
        "ALTER TABLE orders DROP COLUMN reference_2 CASCADE",
        "ALTER TABLE orders ALTER COLUMN reference_2 DROP NOT NULL",
        "ALTER TABLE stops DISABLE TRIGGER ALL",
        "ALTER TABLE orders ADD CONSTRAINT never CHECK (false) NOT VALID",
        "CREATE FUNCTION left_behind() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;"
        "CREATE TRIGGER left_behind BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION left_behind()",
        "CREATE INDEX left_behind ON orders (reference)",
        "CREATE SCHEMA left_behind",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = 64', current_database()); END $$",
    ],
)
def test_an_order_store_is_lent_as_it_was_made(order_stores, change):
    with order_stores.lent() as dsn:
        made = dumped(dsn)
        with connect(dsn) as conn:
            customers.sync(conn, {"LEFT": "Left Behind Ltd"}, [])
            conn.execute(change)
        # Somebody who still holds what has to be emptied.
        held = connect(dsn)
        held.autocommit = False
        held.execute("LOCK TABLE customers")

    with order_stores.lent() as dsn:
        assert dumped(dsn) == made
    held.close()
