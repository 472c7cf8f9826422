"""Documents of orders: added once, listed, and the labels that are good to print."""

import hashlib
import threading
import time

import psycopg
import pytest

from palletflow.store import documents
from palletflow.store.connection import connect
from palletflow.store.documents import Document


@pytest.fixture
def held(simulator, pull, fetch):
    """(consignment id, order id, number of pallets) of consignments with 3 and 1 pallets, pulled from the network."""
    for pallets in ("3", "1"):
        simulator.create(
            depot="900", role="requested", fields={"pallets": [{"palletType": "F", "numberofPallets": pallets}]}
        )
    pull()
    return fetch(
        "SELECT c.id, order_id FROM consignments c"
        " ORDER BY (SELECT count(*) FROM pallets WHERE c.id = consignment_id) DESC"
    )


def document(held, place=0, content="a", pallet=1, kind="LABEL", **more):
    consignment_id, order_id = held[place]
    digest = hashlib.sha256(content.encode()).digest()
    given = {
        "order_id": order_id, "consignment_id": consignment_id, "pallet_number": pallet, "kind": kind,
        "name": f"{content}.pdf", "media_type": "application/pdf", "size": 100, "sha256": digest, "source": "labels",
        "actor": "tester",
    }  # fmt: skip
    return Document(**given | more)


def history(fetch):
    return fetch("SELECT consignment_id, changes FROM activity WHERE kind = 'document added' ORDER BY id")


def test_a_document_is_added_once_whoever_repeats_it(conn, held, fetch):
    first = documents.add(conn, document(held))
    assert documents.add(conn, document(held)) == first
    assert documents.add(conn, document(held, content="b")) != first
    assert history(fetch) == [
        (held[0][0], {"document": [None, "LABEL: a.pdf"]}),
        (held[0][0], {"document": [None, "LABEL: b.pdf"]}),
    ]


def test_two_at_the_same_time_add_one(dsn, held):
    """The second waits for the first and then finds its row."""
    with connect(dsn) as first, connect(dsn) as second:
        found = []
        with first.transaction():
            found.append(documents.add(first, document(held)))
            other = threading.Thread(target=lambda: found.append(documents.add(second, document(held))))
            other.start()
            with connect(dsn) as looking:
                deadline = time.monotonic() + 30
                while not looking.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchone():
                    assert time.monotonic() < deadline
                    time.sleep(0.01)
        other.join()
    assert len(found) == 2
    assert found[0] == found[1]


def test_the_same_bytes_are_another_document_elsewhere(conn, held):
    ids = [
        documents.add(conn, document(held)),
        documents.add(conn, document(held, pallet=2)),
        documents.add(conn, document(held, place=1)),
        documents.add(conn, document(held, kind="OTHER", pallet=None)),
        documents.add(conn, document(held, kind="OTHER", pallet=None, consignment_id=None)),
    ]
    assert len(set(ids)) == 5


def test_a_document_of_the_order_is_in_the_history_of_its_consignments(conn, held, fetch):
    of_order = documents.add(conn, document(held, kind="PAPERWORK", pallet=None, consignment_id=None))
    assert documents.add(conn, document(held, kind="PAPERWORK", pallet=None, consignment_id=None)) == of_order
    assert history(fetch) == [(held[0][0], {"document": [None, "PAPERWORK: a.pdf"]})]


def test_documents_are_found_by_order_consignment_and_id(conn, held):
    label, paper, other = (
        documents.add(conn, document(held, barcode="506901A900001000012301")),
        documents.add(conn, document(held, kind="PAPERWORK", pallet=None, consignment_id=None)),
        documents.add(conn, document(held, place=1)),
    )
    assert [found.id for found in documents.of_order(conn, held[0][1])] == [label, paper]
    assert [found.id for found in documents.of_consignment(conn, held[0][0])] == [label]
    found = documents.by_id(conn, label)
    given = document(held, barcode="506901A900001000012301")
    assert {name: getattr(found, name) for name in given._fields} == given._asdict()
    assert found.stale_at is None
    assert documents.by_id(conn, other + 1) is None


def test_the_labels_to_print_come_in_the_order_asked_for(conn, held):
    for place, pallets in ((0, (3, 1, 2)), (1, (1,))):
        for pallet in pallets:
            documents.add(conn, document(held, place=place, pallet=pallet))
    documents.add(conn, document(held, kind="POD", pallet=None))
    (three, _), (one, _) = held
    of_three = [(three, 1), (three, 2), (three, 3)]
    for asked, wanted in (([one, three], [(one, 1), *of_three]), ([three, one], [*of_three, (one, 1)])):
        found = documents.current_labels(conn, asked)
        assert [(label.consignment_id, label.pallet_number) for label in found] == wanted
    assert documents.current_labels(conn, []) == []


def test_of_several_labels_of_a_pallet_the_best_is_printed(conn, held):
    """The network's before ours, a newer before an older one, never a stale one or one of a pallet that is gone."""

    def printed():
        return [label.name for label in documents.current_labels(conn, [held[0][0]])]

    documents.add(conn, document(held, content="ours"))
    newer = documents.add(conn, document(held, content="ours, newer"))
    assert printed() == ["ours, newer.pdf"]
    network = documents.add(conn, document(held, content="network", kind="NETWORK_LABEL"))
    documents.add(conn, document(held, content="ours, newest"))
    assert printed() == ["network.pdf"]
    assert documents.mark_stale(conn, held[0][0], "NETWORK_LABEL") == 1
    assert printed() == ["ours, newest.pdf"]
    assert documents.mark_stale(conn, held[0][0], "LABEL", keep=[newer]) == 2
    assert printed() == ["ours, newer.pdf"]
    assert documents.add(conn, document(held, content="network", kind="NETWORK_LABEL")) == network
    assert printed() == ["network.pdf"]
    conn.execute("UPDATE pallets SET removed_at = now() WHERE consignment_id = %s", (held[0][0],))
    assert printed() == []


def test_a_label_made_again_is_good_again_and_its_history_says_so(conn, held, fetch):
    first = documents.add(conn, document(held))
    documents.mark_stale(conn, held[0][0], "LABEL")
    assert documents.mark_stale(conn, held[0][0], "LABEL") == 0
    assert documents.add(conn, document(held)) == first
    assert documents.by_id(conn, first).stale_at is None
    assert len(history(fetch)) == 2


def test_a_label_made_again_goes_before_those_made_in_between(conn, held):
    documents.add(conn, document(held))
    documents.add(conn, document(held, content="b"))
    assert [label.name for label in documents.current_labels(conn, [held[0][0]])] == ["b.pdf"]
    documents.mark_stale(conn, held[0][0], "LABEL")
    documents.add(conn, document(held))
    # Whatever makes the other one good again as well.
    conn.execute("UPDATE documents SET stale_at = NULL")
    assert [label.name for label in documents.current_labels(conn, [held[0][0]])] == ["a.pdf"]


@pytest.mark.parametrize(
    "wrong", [{"kind": "INVOICE"}, {"size": 0}, {"sha256": b"short"}, {"pallet_number": 100}, {"name": ""}]
)
def test_a_document_that_cannot_be_is_refused(conn, held, wrong):
    with pytest.raises(psycopg.errors.CheckViolation):
        documents.add(conn, document(held, **wrong))
