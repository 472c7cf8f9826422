"""Barcodes of pallets: expected ones replace others, and labels that carry a replaced one become stale."""

import pytest

from palletflow.store import barcodes

OLD = ["506901A900001000012301", "506901A900001000012302"]
NEW = ["506902A900001000012301", "506902A900001000012302"]
DOCUMENT = (
    "INSERT INTO documents (order_id, consignment_id, pallet_number, kind, name, media_type, size, sha256, barcode,"
    " provisional, source, actor) SELECT order_id, id, %s, 'LABEL', 'label.pdf', 'application/pdf', 10,"
    " sha256(%s::bytea), %s, %s, 'test', 'tester' FROM consignments WHERE id = %s"
)


@pytest.fixture
def consignment(conn, pull, simulator):
    simulator.create(depot="900")
    pull()
    [(number,)] = conn.execute("SELECT id FROM consignments").fetchall()
    conn.execute("DELETE FROM pallet_barcodes")
    return number


def expect(conn, consignment, texts):
    with conn.transaction():
        barcodes.expect(conn, [(consignment, n, text) for n, text in enumerate(texts, 1)], "tester", "test")


def states(conn):
    return dict(conn.execute("SELECT barcode, state FROM pallet_barcodes").fetchall())


def label(conn, consignment, barcode, provisional=False):
    conn.execute(DOCUMENT, (1, barcode, barcode, provisional, consignment))


def stale(conn):
    return [barcode for (barcode,) in conn.execute("SELECT barcode FROM documents WHERE stale_at IS NOT NULL")]


def test_new_barcodes_supersede_the_old_ones_and_old_ones_stay_findable(conn, consignment):
    expect(conn, consignment, OLD)
    expect(conn, consignment, NEW)
    assert states(conn) == {**dict.fromkeys(OLD, "superseded"), **dict.fromkeys(NEW, "expected")}


def test_expecting_the_same_again_writes_nothing(conn, consignment):
    expect(conn, consignment, OLD)
    label(conn, consignment, OLD[0])
    before = conn.execute("SELECT xmin, ctid, * FROM pallet_barcodes ORDER BY barcode").fetchall()
    expect(conn, consignment, OLD)
    assert conn.execute("SELECT xmin, ctid, * FROM pallet_barcodes ORDER BY barcode").fetchall() == before
    assert stale(conn) == []


@pytest.mark.rule("PF-3-15")
def test_a_removed_pallet_loses_its_barcode(conn, consignment):
    expect(conn, consignment, OLD)
    expect(conn, consignment, OLD[:1])
    assert states(conn) == {OLD[0]: "expected", OLD[1]: "superseded"}


@pytest.mark.rule("PF-3-15")
def test_labels_with_a_replaced_barcode_become_stale_and_are_asked_for_anew(conn, consignment):
    expect(conn, consignment, OLD)
    label(conn, consignment, OLD[0])
    expect(conn, consignment, NEW)
    assert stale(conn) == [OLD[0]]
    assert conn.execute("SELECT network, kind, key FROM work_items").fetchall() == [
        ("palletforce", barcodes.RELABEL, str(consignment))
    ]
    [(kind, warnings)] = conn.execute("SELECT kind, warnings FROM activity ORDER BY id DESC LIMIT 1").fetchall()
    assert kind == "labels became stale"
    assert warnings == ["The barcodes changed: print new labels for pallet 1 before collection"]


def test_a_barcode_that_comes_back_makes_its_label_good_again(conn, consignment):
    expect(conn, consignment, OLD)
    label(conn, consignment, OLD[0])
    expect(conn, consignment, NEW)
    expect(conn, consignment, OLD)
    assert stale(conn) == []
    assert states(conn)[OLD[0]] == "expected"


@pytest.mark.rule("PF-6-10")
def test_a_provisional_label_is_stale_as_soon_as_there_is_a_barcode(conn, consignment):
    label(conn, consignment, "", provisional=True)
    expect(conn, consignment, NEW)
    assert stale(conn) == [""]


@pytest.mark.rule("PF-3-15")
def test_a_pull_with_another_delivery_depot_or_service_replaces_the_barcodes(conn, pull, simulator):
    [number] = simulator.create(depot="900", role="requested")
    pull()
    first = states(conn)
    assert set(first.values()) == {"expected"}
    assert all(barcode[7:20] == number for barcode in first)
    simulator.control("change", trackingNumber=number, deliveryDepot="902", serviceName="B")
    pull()
    now = states(conn)
    assert {barcode for barcode, state in now.items() if state == "superseded"} == set(first)
    assert {barcode[:7] for barcode, state in now.items() if state == "expected"} == {"506902B"}
