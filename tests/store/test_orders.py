"""Orders of our own: who changes one keeps others out, but nobody who only refers to it."""

import psycopg
import pytest

from palletflow.store import activity, orders
from palletflow.store.connection import connect


@pytest.fixture
def order_id(conn, pull, simulator):
    simulator.create(depot="900", role="requested")
    pull()
    return conn.execute("SELECT id FROM orders").fetchone()[0]


@pytest.fixture
def other(dsn):
    with connect(dsn) as session:
        session.execute("SET lock_timeout = '1s'")
        yield session


def test_one_who_changes_an_order_and_one_who_copies_it_do_not_wait_for_each_other(conn, other, order_id):
    """They would for ever: the one holds the consignment and wants the order, the other the reverse."""
    with conn.transaction(), other.transaction():
        conn.execute(
            "INSERT INTO orders (customer_id, source, source_key, reference, reference_2, copied_from)"
            " SELECT customer_id, 'api', 'COPY', '', '', id FROM orders WHERE id = %s",
            (order_id,),
        )
        held = orders.locked(other, order_id)
        assert held is not None
        activity.record(conn, held.consignments[0].id, "copied", "tester", "test")


def test_two_who_change_the_same_order_come_one_after_the_other(conn, other, order_id):
    with conn.transaction():
        orders.locked(conn, order_id)
        with pytest.raises(psycopg.errors.LockNotAvailable), other.transaction():
            orders.locked(other, order_id)
