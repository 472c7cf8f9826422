"""The order store's schema: up and down, what it refuses, and look-ups that stay flat."""

import re

import psycopg
import pytest

from palletflow.store import customers, migrate
from palletflow.store.connection import connect

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"


def test_migrations_go_up_down_and_up_again(postgres, migrated):
    with connect(postgres.dsn("postgres")) as admin:
        admin.execute("CREATE DATABASE up_and_down")
    dsn = postgres.dsn("up_and_down")
    with connect(dsn) as conn:
        migrate.upgrade(dsn)
        tables = sorted(conn.execute(TABLES).fetchall())
        assert ("consignments",) in tables
        migrate.upgrade(dsn)
        migrate.downgrade(dsn)
        assert conn.execute(TABLES).fetchall() == []
        migrate.upgrade(dsn)
        assert sorted(conn.execute(TABLES).fetchall()) == tables


CONSIGNMENT = (
    "INSERT INTO consignments (order_id, network, tracking_number, registered, consignment_number, requesting_depot,"
    " collecting_depot, delivery_depot, our_roles, account, service, surcharges, insurance_code, hub_code,"
    " amazon_reference, notes, dispatch_state, lifecycle_status, exception_reason, network_status, weight_kg)"
    " SELECT id, 'palletforce', {number}, {registered}, '', '900', '900', '901', {roles}, '', 'A', '{{}}', '', '', '',"
    " '{{}}', {dispatch}, {lifecycle}, {exception}, 'ACCEPTED', {weight} FROM orders"
)
GOOD = {
    "number": "'9000010000001'",
    "registered": "true",
    "roles": "'{requesting}'",
    "dispatch": "'todo'",
    "lifecycle": "'CREATED'",
    "exception": "NULL",
    "weight": "850",
}


@pytest.fixture
def order(conn):
    conn.execute("INSERT INTO customers (code, name) VALUES ('ACME', 'Acme')")
    conn.execute(
        "INSERT INTO orders (customer_id, source, source_key, reference, reference_2) SELECT id, 'api', '1', '', '' "
        "FROM customers"
    )


def insert(conn, **parts):
    conn.execute(CONSIGNMENT.format(**GOOD | parts).encode())


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": "NULL"},
        {"number": "''"},
        {"roles": "'{owner}'"},
        {"dispatch": "'delivered'"},
        {"lifecycle": "'ON_ITS_WAY'"},
        {"lifecycle": "'EXCEPTION'"},
        {"exception": "'ATE_IT'"},
        {"weight": "0"},
    ],
)
def test_wrong_consignments_cannot_be_stored(conn, order, wrong):
    insert(conn, number="'9000010000009'")
    with pytest.raises(psycopg.errors.IntegrityError):
        insert(conn, **wrong)


def test_a_registered_number_is_taken_but_a_held_one_may_be_copied(conn, order):
    insert(conn)
    insert(conn, registered="false")  # a copied order keeps the number until it is cleared there
    with pytest.raises(psycopg.errors.UniqueViolation):
        insert(conn)


def test_a_pallet_number_beyond_99_cannot_be_stored(conn, order):
    insert(conn)
    with pytest.raises(psycopg.errors.CheckViolation):
        conn.execute("INSERT INTO pallets (consignment_id, number, pallet_type) SELECT id, 100, 'F' FROM consignments")


LOOK_UPS = {
    "tracking number": "SELECT * FROM consignments WHERE tracking_number = '9000010000777'",
    "consignment number": "SELECT * FROM consignments WHERE consignment_number = '777'",
    "order reference": "SELECT * FROM orders WHERE reference = 'R777'",
    "order key": "SELECT * FROM orders WHERE source = 'api' AND source_key = '777'",
    "postcode": "SELECT * FROM stops WHERE replace(upper(postcode), ' ', '') = 'LE1777' AND postcode <> ''",
    "orders to review": "SELECT * FROM orders WHERE review_reason IS NOT NULL ORDER BY id",
    "history": "SELECT * FROM activity WHERE consignment_id = 777 ORDER BY id",
    "quarantine": "SELECT * FROM inbound_records WHERE outcome = 'rejected' AND settled_at IS NULL "
    "AND network = 'palletforce' AND reason_code = 'BAD_FORMAT' ORDER BY id",
    "raw record": "SELECT * FROM inbound_records WHERE record_key = '9000010000777'",
}


@pytest.fixture(scope="module")
def grown(postgres, migrated):
    """An order store with enough rows that reading them all would be slower than any index."""
    with connect(postgres.dsn("postgres")) as admin:
        admin.execute(f"CREATE DATABASE grown TEMPLATE {migrated}".encode())
    with connect(postgres.dsn("grown")) as conn:
        conn.execute("INSERT INTO customers (code, name) VALUES ('ACME', 'Acme')")
        conn.execute(
            "INSERT INTO orders (customer_id, source, source_key, reference, reference_2, review_reason) "
            "SELECT 1, 'api', n, 'R' || n, '', CASE WHEN n % 5000 = 0 THEN 'look' END FROM generate_series(1, 20000) n"
        )
        numbered = {"number": "9000010000000 + id", "registered": "true"}
        conn.execute(CONSIGNMENT.format(**GOOD | numbered).encode())
        conn.execute("UPDATE consignments SET consignment_number = id::text")
        conn.execute(
            "INSERT INTO stops SELECT id, 'delivery', '', '', '', '', '', '', 'LE1 ' || id, '', '', '' "
            "FROM consignments"
        )
        conn.execute(
            "INSERT INTO activity (consignment_id, kind, actor, source, warnings) "
            "SELECT id, 'created', 'x', 'x', '{}' FROM consignments"
        )
        conn.execute(
            "INSERT INTO inbound_batches (network, stream, party, run, pages, records, created, updated, unchanged,"
            " rejected, ignored, fetched_at) VALUES ('palletforce', 's', 'p', 'r', 0, 0, 0, 0, 0, 0, 0, now())"
        )
        conn.execute(
            "INSERT INTO inbound_records (batch_id, network, stream, record_key, raw, raw_digest, read_at, outcome,"
            " reason_code, warnings) SELECT 1, 'palletforce', 's', (9000010000000 + n)::text, '{}',"
            " sha256(n::text::bytea), now(), CASE WHEN n % 4000 = 0 THEN 'rejected' ELSE 'created' END,"
            " CASE WHEN n % 4000 = 0 THEN 'BAD_FORMAT' END, '{}' FROM generate_series(1, 20000) n"
        )
        conn.execute("ANALYZE")
        yield conn


@pytest.mark.parametrize("name", LOOK_UPS)
def test_look_ups_read_by_index_and_only_what_they_give(grown, name):
    plan = "\n".join(row[0] for row in grown.execute(f"EXPLAIN ANALYZE {LOOK_UPS[name]}".encode()))
    assert "Seq Scan" not in plan
    filtered = sum(map(int, re.findall(r"Rows Removed by Filter: (\d+)", plan)))
    assert filtered == 0
    assert int(re.search(r"rows=(\d+)(?:\.\d+)? loops", plan)[1]) > 0


def test_customers_follow_the_deployment_file_and_equal_rows_are_left_alone(conn, fetch):
    customers.sync(conn, {"A": "Alpha", "B": "Beta"}, [("palletforce", "001", "A"), ("palletforce", "002", "B")])
    before = fetch("SELECT xmin::text FROM customers ORDER BY code")
    customers.sync(conn, {"A": "Alpha", "B": "Beta"}, [("palletforce", "001", "A"), ("palletforce", "002", "B")])
    assert fetch("SELECT xmin::text FROM customers ORDER BY code") == before

    customers.sync(conn, {"A": "Alpha Ltd"}, [("palletforce", "002", "A")])
    assert fetch("SELECT code, name FROM customers ORDER BY code") == [("A", "Alpha Ltd"), ("B", "Beta")]
    assert fetch("SELECT account, code FROM customer_network_accounts JOIN customers ON id = customer_id") == [
        ("002", "A")
    ]
