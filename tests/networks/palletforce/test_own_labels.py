"""Drawing our own labels, with the real queue, store and network (contract 3 and 6 item 5)."""

import io
from uuid import uuid4

import pypdfium2
import pytest
import zxingcpp
from tests.networks.palletforce.dispatching import IMPORTED

from palletflow.network_errors import NotSent
from palletflow.networks.palletforce import own_labels
from palletflow.networks.palletforce.mapper import preview
from palletflow.networks.palletforce.work import OWN_LABELS
from palletflow.store import documents, work_items
from palletflow.work.handling import WorkItem

EXPECTED = ["506901A900005000012301", "506901A900005000012302"]
# No depot of the simulated network's postcode table serves it in ours.
ELSEWHERE = {"postcode": "ZE1 0AA"}


def labels(house, order):
    """Our own labels of the order that are good to print, by pallet."""
    return [one for one in documents.current_labels(house.conn, [house.consignment(order)]) if one.kind == "LABEL"]


def printed(house, document):
    """The barcode and the text of a stored label, read from its picture by an independent decoder."""
    (page,) = pypdfium2.PdfDocument(io.BytesIO(house.storage.read(document.sha256)))
    codes = zxingcpp.read_barcodes(page.render(scale=203 / 72).to_pil())
    return [code.text for code in codes], page.get_textpage().get_text_bounded()


def expected(house, order):
    return house.rows(
        "SELECT barcode, state FROM pallet_barcodes WHERE consignment_id = %s ORDER BY barcode, state",
        house.consignment(order),
    )


def item(house, order):
    """The order's label work as the queue hands it out."""
    (row,) = house.rows("SELECT id, network, kind, key, attempts, generation, created_at FROM work_items")
    return WorkItem(*row[:6], uuid4(), row[6])


def changed(house, order, statement, *values):
    """A change of the order as the order API makes it: the label work is asked for in the same transaction."""
    with house.conn.transaction():
        house.conn.execute(statement.encode(), values)
        work_items.enqueue(house.conn, "palletforce", OWN_LABELS, [house.consignment(order)])
    house.work(OWN_LABELS)


@pytest.mark.rule("PF-6-5", "PF-3-14")
def test_an_imported_number_has_labels_and_barcodes_before_dispatch(house):
    order = house.order(tracking_number=IMPORTED, delivery_depot="901")
    house.work(OWN_LABELS)
    found = labels(house, order)
    assert [(one.pallet_number, one.barcode, one.provisional, one.media_type) for one in found] == [
        (1, EXPECTED[0], False, "application/pdf"),
        (2, EXPECTED[1], False, "application/pdf"),
    ]
    assert found[0].name == f"{IMPORTED} label pallet 1 of 2.pdf"
    assert found[0].actor == "palletflow"
    for document, barcode in zip(found, EXPECTED, strict=True):
        codes, text = printed(house, document)
        assert codes == [barcode]
        for said in ("901", f"{document.pallet_number} of 2", "Aireside Joinery", "LS9 8AA", "SO-123"):
            assert said in text
    assert expected(house, order) == [(code, "expected") for code in EXPECTED]
    assert house.calls() == []
    assert house.items(parked=False) == house.items(parked=True) == {}


@pytest.mark.rule("PF-6-5", "PF-3-14")
def test_the_postcode_names_the_depot_when_the_order_does_not(house):
    order = house.order(tracking_number=IMPORTED)
    house.work(OWN_LABELS)
    assert [one.barcode for one in labels(house, order)] == EXPECTED
    assert expected(house, order) == [(code, "expected") for code in EXPECTED]
    assert house.calls() == []
    # The network still allocates the depot itself: the order says nothing.
    assert house.fact(order, "delivery_depot") == ""


@pytest.mark.rule("PF-6-5")
def test_a_number_made_in_the_portal_takes_the_depot_from_there(house):
    (number,) = house.simulator.create(
        depot="900", role="requested", overrides={"deliveryDepot": "902"}, consignmentStatus="UNACCEPTED"
    )
    order = house.order(tracking_number=number, delivery=ELSEWHERE)
    house.work(OWN_LABELS)
    assert {one.barcode[3:6] for one in labels(house, order)} == {"902"}
    assert house.calls() == ["DownloadManifest"]


@pytest.mark.rule("PF-6-10")
def test_without_a_depot_labels_are_provisional_and_made_again_when_routing_is_known(house):
    order = house.order(tracking_number=IMPORTED, delivery=ELSEWHERE)
    house.work(OWN_LABELS)
    found = labels(house, order)
    assert [(one.barcode, one.provisional) for one in found] == [("", True), ("", True)]
    codes, text = printed(house, found[0])
    assert codes == [IMPORTED]
    assert "PROVISIONAL" in text
    assert expected(house, order) == []
    changed(house, order, "UPDATE consignments SET delivery_depot = '901' WHERE order_id = %s", order)
    again = labels(house, order)
    assert [(one.barcode, one.provisional) for one in again] == [(code, False) for code in EXPECTED]
    stale = [one for one in documents.of_order(house.conn, order) if one.stale_at]
    assert [one.id for one in stale] == [one.id for one in found]


def test_drawing_twice_changes_nothing(house):
    order = house.order(tracking_number=IMPORTED)
    house.work(OWN_LABELS)
    before = house.rows("SELECT *, xmin FROM documents ORDER BY id"), house.rows("SELECT * FROM activity ORDER BY id")
    changed(house, order, "SELECT 1")
    after = house.rows("SELECT *, xmin FROM documents ORDER BY id"), house.rows("SELECT * FROM activity ORDER BY id")
    assert after == before


def test_an_address_that_changes_makes_new_labels(house):
    order = house.order(tracking_number=IMPORTED)
    house.work(OWN_LABELS)
    old = labels(house, order)
    consignment = house.consignment(order)
    street = "UPDATE stops SET street = %s WHERE consignment_id = %s AND kind = 'delivery'"
    changed(house, order, street, "99 New Road", consignment)
    new = labels(house, order)
    assert {one.id for one in new}.isdisjoint(one.id for one in old)
    assert "99 New Road" in printed(house, new[0])[1]
    assert [one.barcode for one in new] == EXPECTED
    # And back: the labels of before are good again.
    changed(house, order, street, "17 Wharf Lane", consignment)
    assert [one.id for one in labels(house, order)] == [one.id for one in old]


@pytest.mark.rule("PF-3-15")
def test_a_service_that_changes_makes_new_labels_and_the_old_ones_stale(house):
    order = house.order(tracking_number=IMPORTED)
    house.work(OWN_LABELS)
    old = labels(house, order)
    changed(house, order, "UPDATE consignments SET service = 'B' WHERE order_id = %s", order)
    assert [one.barcode for one in labels(house, order)] == [code.replace("A", "B") for code in EXPECTED]
    assert all(documents.by_id(house.conn, one.id).stale_at for one in old)
    states = dict(expected(house, order))
    assert {states[code] for code in EXPECTED} == {"superseded"}


@pytest.mark.rule("PF-3-14", "PF-6-10")
def test_an_address_whose_depot_nobody_knows_takes_the_barcodes_back(house):
    """A label must not send a pallet to the depot of the old address."""
    order = house.order(tracking_number=IMPORTED)
    house.work(OWN_LABELS)
    consignment = house.consignment(order)
    changed(
        house,
        order,
        "UPDATE stops SET postcode = 'ZE1 0AA' WHERE consignment_id = %s AND kind = 'delivery'",
        consignment,
    )
    assert [one.provisional for one in labels(house, order)] == [True, True]
    assert {state for _, state in expected(house, order)} == {"superseded"}


@pytest.mark.rule("PF-6-10")
def test_a_network_that_does_not_answer_keeps_no_label_waiting(house):
    order = house.order(tracking_number=IMPORTED, delivery=ELSEWHERE)
    house.simulator.fault("http_502", count=20)
    house.work(OWN_LABELS)
    assert [one.provisional for one in labels(house, order)] == [True, True]
    # It is asked again, which is no failure.
    assert house.items(parked=False) == {(OWN_LABELS, str(house.consignment(order))): None}
    assert house.one("SELECT attempts FROM work_items")[0] == 0


def test_a_network_that_does_not_answer_leaves_good_labels_good(house):
    (number,) = house.simulator.create(
        depot="900", role="requested", overrides={"deliveryDepot": "902"}, consignmentStatus="UNACCEPTED"
    )
    order = house.order(tracking_number=number, delivery=ELSEWHERE)
    house.work(OWN_LABELS)
    good = [one.id for one in labels(house, order)]
    house.simulator.fault("http_502", count=20)
    changed(house, order, "SELECT 1")
    assert [one.id for one in labels(house, order)] == good


def test_a_number_that_is_cleared_takes_the_labels_with_it(house):
    order = house.order(tracking_number=IMPORTED)
    house.work(OWN_LABELS)
    changed(house, order, "UPDATE consignments SET tracking_number = NULL WHERE order_id = %s", order)
    assert labels(house, order) == []


def test_a_pallet_that_is_taken_off_leaves_no_label_to_print(house):
    order = house.order(tracking_number=IMPORTED)
    house.work(OWN_LABELS)
    changed(house, order, "UPDATE pallets SET removed_at = now() WHERE number = 2")
    (only,) = labels(house, order)
    assert "1 of 1" in printed(house, only)[1]
    assert expected(house, order) == [(EXPECTED[0], "expected"), (EXPECTED[1], "superseded")]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE orders SET cancelled_at = now() WHERE id = %s",
        "UPDATE consignments SET tracking_number = NULL WHERE order_id = %s",
    ],
)
def test_nothing_is_drawn_for_an_order_that_needs_none(house, statement):
    order = house.order(tracking_number=IMPORTED)
    changed(house, order, statement, order)
    assert documents.of_order(house.conn, order) == []
    assert house.items(parked=True) == {}


def test_a_consignment_that_is_gone_ends_its_work(house):
    order = house.order(tracking_number=IMPORTED)
    house.conn.execute("DELETE FROM orders WHERE id = %s", (order,))
    house.work(OWN_LABELS)
    assert house.items(parked=False) == house.items(parked=True) == {}


def test_a_change_while_it_draws_is_drawn_again(house):
    """The labels of what was read before are not kept."""
    order = house.order(tracking_number=IMPORTED, delivery=ELSEWHERE)
    consignment = house.consignment(order)

    def change_meanwhile(facts):
        house.conn.execute("UPDATE consignments SET service = 'B' WHERE id = %s", (consignment,))
        return "901"

    handle = own_labels.handler(preview(house.plan).template, house.storage, change_meanwhile)
    result = handle(house.conn, item(house, order))
    with house.conn.transaction():
        result.record(house.conn)
    assert documents.of_order(house.conn, order) == []
    assert house.one("SELECT generation FROM work_items")[0] == 1


def test_a_lost_network_is_asked_again_in_five_minutes(house):
    order = house.order(tracking_number=IMPORTED, delivery=ELSEWHERE)

    def lost(facts):
        raise NotSent("palletforce_900", "FetchManifest", "no route")

    handle = own_labels.handler(preview(house.plan).template, house.storage, lost)
    result = handle(house.conn, item(house, order))
    assert result.again_at is not None
    assert 0 < (result.again_at - house.now).total_seconds() <= 300


@pytest.mark.rule("PF-3-16")
def test_a_barcode_the_network_uses_itself_is_printed(house):
    order = house.order(tracking_number=IMPORTED)
    house.work(OWN_LABELS)
    theirs = "506902A900005000012301"
    consignment = house.consignment(order)
    house.conn.execute(
        "UPDATE pallet_barcodes SET state = 'superseded', superseded_at = now() WHERE barcode = %s", (EXPECTED[0],)
    )
    house.conn.execute(
        "INSERT INTO pallet_barcodes (consignment_id, pallet_number, barcode, state) VALUES (%s, 1, %s, 'confirmed')",
        (consignment, theirs),
    )
    changed(house, order, "SELECT 1")
    assert [one.barcode for one in labels(house, order)] == [theirs, EXPECTED[1]]
    assert (theirs, "confirmed") in expected(house, order)
