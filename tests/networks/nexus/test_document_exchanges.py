"""Exchanges of documents: numbers that are never used twice, copies that are kept once, failures that end."""

import hashlib
import threading

import pytest
from tests.networks.nexus.exchanging import House

from palletflow.store import document_exchanges, documents
from palletflow.store.connection import connect
from palletflow.store.document_exchanges import Fetched
from palletflow.store.documents import Document

NEXUS = "nexus documents"
NOTED = {"actor": "tester", "source": NEXUS}


@pytest.fixture
def house(conn, dsn, plan, nexus_sim, tmp_path):
    made = House(conn, dsn, plan, nexus_sim, tmp_path / "documents")
    yield made
    made.close()


@pytest.fixture
def one(house):
    return house.consignment("delivery")


def document(house, one, content=b"\xff\xd8\xff one", kind="POD", source=NEXUS):
    [(order_id,)] = house.rows("SELECT order_id FROM consignments WHERE id = %s", one)
    digest = hashlib.sha256(content).digest()
    return Document(
        order_id, one, None, kind, "pod.jpg", "image/jpeg", len(content), digest, source, "tester"
    )  # fmt: skip


def reserve(conn, stored, code="POD", above=0):
    with conn.transaction():
        return document_exchanges.reserve(conn, stored, code, lambda number: f"{code}_{number}", above)


def to_send(conn, one):
    return document_exchanges.to_send(conn, one, ["POD", "PHOTO", "SIGNATURE"], NEXUS)


@pytest.mark.rule("NX-9-12")
def test_numbers_count_by_code_above_those_that_stand_in_the_network(conn, house, one):
    for text in "1234":
        house.add(one, "POD", text)
    first, second, third, fourth = to_send(conn, one)
    assert reserve(conn, first).number == 1
    assert reserve(conn, second, "MPOD").number == 1
    assert reserve(conn, third, above=7).name == "POD_8"
    assert reserve(conn, fourth, above=3).number == 9
    assert to_send(conn, one) == []


@pytest.mark.rule("NX-9-12")
def test_the_number_of_a_refused_document_is_not_used_again(conn, house, one):
    house.add(one, "POD", "1")
    exchange = reserve(conn, to_send(conn, one)[0])
    with conn.transaction():
        document_exchanges.refused(conn, one, exchange, "too large", asked="1/0", **NOTED)
    house.add(one, "POD", "2")
    assert reserve(conn, to_send(conn, one)[0]).number == 2
    [refused, _] = document_exchanges.of_consignment(conn, one)
    assert (refused.is_due("1/0"), refused.is_due("1/1"), refused.reason) == (False, True, "too large")


@pytest.mark.rule("NX-9-12")
def test_two_who_reserve_at_the_same_time_get_two_numbers(dsn, conn, house, one):
    for text in "12345678":
        house.add(one, "POD", text)
    stored = to_send(conn, one)
    numbers = []

    def work(mine):
        with connect(dsn) as own:
            numbers.extend(reserve(own, document).number for document in mine)

    threads = [threading.Thread(target=work, args=(stored[start::2],)) for start in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 9))


@pytest.mark.rule("NX-9-12", "NX-9-13")
def test_the_same_document_is_reserved_once(conn, house, one):
    house.add(one, "POD")
    [stored] = to_send(conn, one)
    assert reserve(conn, stored) is not None
    assert reserve(conn, stored) is None
    assert reserve(conn, stored._replace(consignment_id=4711)) is None


@pytest.mark.rule("NX-9-9", "NX-9-10")
def test_what_was_fetched_is_kept_once(conn, house, one):
    first, same_bytes = (Fetched(one, "POD", "POD", "pod.jpg", id_) for id_ in ("3001", "3002"))
    for fetched in (first, first, same_bytes):
        with conn.transaction():
            document_exchanges.keep(conn, fetched, document(house, one))
    [held] = documents.of_consignment(conn, one)
    exchanges = document_exchanges.of_consignment(conn, one)
    assert [(each.network_id, each.document_id) for each in exchanges] == [("3001", held.id), ("3002", held.id)]


@pytest.mark.rule("NX-9-8")
def test_bytes_that_came_from_the_network_are_never_to_be_sent(conn, house, one):
    picture = house.image("POD", "theirs")
    with conn.transaction():
        document_exchanges.keep(conn, Fetched(one, "POD", "POD", "pod.jpg", "3001"), document(house, one, picture))
    house.add(one, "PHOTO", data=picture)
    assert to_send(conn, one) == []
    # Neither when the document is gone and only the exchange is left, nor the other way round.
    conn.execute("DELETE FROM documents WHERE source = %s", (NEXUS,))
    assert to_send(conn, one) == []
    conn.execute("DELETE FROM document_exchanges")
    assert [each.kind for each in to_send(conn, one)] == ["PHOTO"]
    with conn.transaction():
        documents.add(conn, document(house, one, picture))
    assert to_send(conn, one) == []


@pytest.mark.rule("NX-2.7-4")
def test_a_fetch_that_fails_is_given_up_after_so_many_tries_until_somebody_asks_anew(conn, house, one):
    fetched = Fetched(one, "POD", "POD", "pod.jpg", "3001")

    def fail(asked):
        with conn.transaction():
            document_exchanges.failed(conn, fetched, "HTTP 500", asked=asked, most_tries=2, **NOTED)
        [exchange] = document_exchanges.of_consignment(conn, one)
        return exchange.tries, exchange.given_up_at is not None

    assert [fail("1/0"), fail("1/0"), fail("1/1"), fail("1/1")] == [(1, False), (2, True), (1, False), (2, True)]
    assert house.history(one).count("document parked") == 2
    with conn.transaction():
        document_exchanges.keep(conn, fetched, document(house, one))
    with conn.transaction():
        document_exchanges.failed(conn, fetched, "late", asked="1/1", most_tries=1, **NOTED)
    [exchange] = document_exchanges.of_consignment(conn, one)
    assert (exchange.given_up_at, exchange.reason, exchange.is_due("1/2")) == (None, None, False)
