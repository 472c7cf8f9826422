"""Reading one consignment whole."""

import psycopg
import pytest

from palletflow.store import consignments
from palletflow.store.connection import connect
from palletflow.store.consignments import NoSuchConsignment, PalletFacts


def pulled(simulator, pull, fetch, **body):
    """Id of a consignment pulled from the simulated network."""
    (number,) = simulator.create(depot="900", **body)
    pull()
    return fetch("SELECT id FROM consignments WHERE tracking_number = %s", number)[0][0]


def test_facts_are_every_column_under_its_own_name(conn, simulator, pull, fetch):
    consignment_id = pulled(simulator, pull, fetch)
    found = consignments.facts(conn, consignment_id)
    columns = [name for (name,) in fetch(
        "SELECT column_name::text FROM information_schema.columns WHERE table_name = 'consignments'"
    )]  # fmt: skip
    shared = [name for name in columns if name in found._fields]
    assert set(found._fields) - set(shared) == {
        "customer_code", "order_source", "order_source_key", "reference", "reference_2", "copied_from", "cancelled",
        "pallets", "pickup", "delivery",
    }  # fmt: skip
    (held,) = fetch(f"SELECT {', '.join(shared)} FROM consignments WHERE id = %s", consignment_id)
    assert dict(zip(shared, held, strict=True)) == {name: getattr(found, name) for name in shared}
    assert (found.order_source, found.order_source_key) == ("palletforce", found.tracking_number)
    (order,) = fetch(
        "SELECT customer.code, reference, reference_2, copied_from, cancelled_at IS NOT NULL"
        " FROM orders o JOIN customers customer ON customer.id = o.customer_id WHERE o.id = %s",
        found.order_id,
    )
    assert order == (found.customer_code, found.reference, found.reference_2, found.copied_from, found.cancelled)


def test_facts_have_both_addresses(conn, simulator, pull, fetch):
    found = consignments.facts(conn, pulled(simulator, pull, fetch))
    for kind, address in (("pickup", found.pickup), ("delivery", found.delivery)):
        (held,) = fetch(
            "SELECT name, street, locality, town, county, postcode, country, phone, contact FROM stops"
            " WHERE consignment_id = %s AND kind = %s", found.id, kind,
        )  # fmt: skip
        assert held == tuple(address)
        assert address.postcode


def test_facts_have_the_pallets_that_are_left_with_their_current_barcodes(conn, simulator, pull, fetch):
    consignment_id = pulled(simulator, pull, fetch)
    conn.execute("DELETE FROM pallet_barcodes WHERE consignment_id = %s", (consignment_id,))
    conn.execute("DELETE FROM pallets WHERE consignment_id = %s", (consignment_id,))
    conn.execute(
        "INSERT INTO pallets SELECT %s, number, kind, removed FROM (VALUES (1, 'F', NULL), (2, 'H', NULL),"
        " (3, 'Q', NULL), (4, 'Q', now())) p (number, kind, removed)", (consignment_id,),
    )  # fmt: skip
    conn.execute(
        "INSERT INTO pallet_barcodes (consignment_id, pallet_number, barcode, state, superseded_at)"
        " SELECT %s, number, barcode, state, CASE state WHEN 'superseded' THEN now() END FROM (VALUES"
        " (1, 'old', 'superseded'), (1, 'new', 'confirmed'), (2, 'ours', 'expected'), (NULL, 'odd', 'foreign'),"
        " (3, 'gone', 'superseded'), (4, 'removed', 'expected')) b (number, barcode, state)", (consignment_id,),
    )  # fmt: skip
    found = consignments.facts(conn, consignment_id)
    assert found.pallets == [
        PalletFacts(1, "F", "new", True),
        PalletFacts(2, "H", "ours", False),
        PalletFacts(3, "Q", "", False),
    ]
    assert found.pallet_types == ["F", "H", "Q"]


def test_a_locked_reading_keeps_others_from_changing_it(conn, dsn, simulator, pull, fetch):
    consignment_id = pulled(simulator, pull, fetch)
    with connect(dsn) as other, conn.transaction():
        assert consignments.facts(conn, consignment_id, locked=True).id == consignment_id
        other.execute("SET lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("UPDATE consignments SET service = 'B'")


def test_an_unknown_consignment_is_named(conn):
    with pytest.raises(NoSuchConsignment, match="no consignment 4711"):
        consignments.facts(conn, 4711)
