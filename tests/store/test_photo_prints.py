"""What is kept of photos to know them again: each once a consignment, and for good."""

import hashlib

import pytest
from tests.store.photographed import add_photo, consignments

from palletflow.documents.fingerprints import Fingerprint
from palletflow.store import photo_prints


@pytest.fixture
def one(conn) -> int:
    return consignments(conn, "60000000017")[0]


def fingerprint(name: str) -> Fingerprint:
    digest = hashlib.sha256(name.encode()).digest()
    return Fingerprint(digest, 1200, 900, digest, digest * 128, photo_like=True)


def known(conn, one: int) -> list[tuple]:
    return [(held.exact, held.origin, held.document_id) for held in photo_prints.known(conn, one)]


@pytest.mark.rule("PW-5-22", "PW-5-34")
def test_what_was_fetched_and_what_was_uploaded_is_known_in_the_order_it_came(conn, one):
    a, b, c = map(fingerprint, "abc")
    document_id = add_photo(conn, one, "a")
    photo_prints.add(conn, one, [a], document_id=document_id, origin="fetched")
    photo_prints.add(conn, one, [c, b], document_id=None, origin="uploaded")
    assert known(conn, one) == [
        (a.exact, "fetched", document_id), (c.exact, "uploaded", None), (b.exact, "uploaded", None),
    ]  # fmt: skip
    assert Fingerprint(*photo_prints.known(conn, one)[0][2:]) == a


@pytest.mark.rule("PW-5-22")
def test_equal_pixels_are_known_once_a_consignment(conn, one):
    [other] = consignments(conn, "60000000025")
    a = fingerprint("a")
    for each in (one, other):
        photo_prints.add(conn, each, [a, a], document_id=None, origin="uploaded")
    photo_prints.add(conn, one, [a], document_id=None, origin="fetched")
    assert known(conn, one) == known(conn, other) == [(a.exact, "uploaded", None)]


@pytest.mark.rule("PW-5-12")
def test_a_print_outlives_its_document(conn, one):
    document_id = add_photo(conn, one, "a")
    photo_prints.add(conn, one, [fingerprint("a")], document_id=document_id, origin="fetched")
    conn.execute("DELETE FROM documents")
    assert known(conn, one) == [(fingerprint("a").exact, "fetched", None)]
