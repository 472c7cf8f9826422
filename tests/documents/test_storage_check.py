"""Object storage and order store held against each other, both ways."""

import hashlib
import os
from datetime import UTC, datetime, timedelta

import pytest
from upath import UPath

from palletflow.documents.quarantine import Quarantine
from palletflow.documents.storage import ASIDE, DocumentLost, Storage, StorageUnavailable
from palletflow.documents.storage_check import Found, check
from palletflow.store import documents, quarantined_files, stored_bytes
from palletflow.store.documents import Document
from palletflow.store.quarantined_files import QuarantinedFile

DAY = timedelta(days=1)
# Everything is stored now, so a check of today finds nothing old enough and one of these days does. Middays, because
# what is set aside is kept by the date it was set aside on.
TODAY = datetime.now(UTC)
TOMORROW = TODAY.replace(hour=12) + DAY * 2
LATER, LATEST = TOMORROW + DAY, TOMORROW + DAY * 2


@pytest.fixture(params=["folder", "object storage"])
def storage(request, tmp_path):
    """A folder, and a storage that has no disk under it."""
    place = tmp_path / "documents"
    return Storage(UPath(place) if request.param == "folder" else UPath(f"memory://{place}"))


@pytest.fixture
def order_id(conn):
    [(customer,)] = conn.execute("INSERT INTO customers (code, name) VALUES ('ACME', 'Acme') RETURNING id").fetchall()
    [(order,)] = conn.execute(
        "INSERT INTO orders (customer_id, source, source_key, reference, reference_2)"
        " VALUES (%s, 'api', 'SO-1', '', '') RETURNING id",
        (customer,),
    ).fetchall()
    return order


@pytest.fixture
def add(conn, storage, order_id):
    """Adds a document, with or without its bytes; its digest."""

    def added(content, stored=True):
        data = content.encode()
        digest = storage.put(data).sha256 if stored else hashlib.sha256(data).digest()
        documents.add(
            conn,
            Document(order_id, None, None, "POD", "pod.pdf", "application/pdf", len(data), digest, "test", "tester"),
        )
        return digest

    return added


@pytest.fixture
def look(conn, storage):
    def looked(now, go=lambda _named: True, first=0):
        return check(conn, storage, stored_bytes.DOCUMENTS, now, go, first)

    return looked


@pytest.fixture
def lost(fetch):
    return lambda: {row[0] for row in fetch("SELECT sha256 FROM lost_documents")}


def test_bytes_that_nobody_names_go_after_a_day_and_another(storage, add, look):
    kept = add("of an order")
    orphan = storage.put(b"its transaction was rolled back").sha256
    assert look(TODAY) == Found(parts=256, named=1), "whoever stored it may still be about to write its row"
    assert look(TOMORROW) == Found(parts=256, named=1, set_aside=1)
    with pytest.raises(DocumentLost):
        storage.read(orphan)
    assert look(TOMORROW) == Found(parts=256, named=1)
    assert look(LATER).deleted == 0
    assert look(LATEST) == Found(parts=256, named=1, deleted=1)
    assert storage.aside() in ({}, {TOMORROW.date(): []})
    assert storage.read(kept) == b"of an order"


def test_what_is_named_after_all_is_put_back(storage, add, look):
    """As when somebody stores the same content just while it is taken away: he found it there, and writes his row."""
    for content in ("named soon", "stored anew"):
        storage.put(content.encode())
    assert look(TOMORROW).set_aside == 2
    digests = [add("named soon", stored=False), add("stored anew")]
    assert look(TOMORROW) == Found(parts=256, named=2, back=2)
    assert [storage.read(digest) for digest in digests] == [b"named soon", b"stored anew"]
    assert look(LATEST) == Found(parts=256, named=2)


def test_what_is_named_while_it_is_taken_away_is_back_at_the_end(storage, add, look):
    storage.put(b"named meanwhile")

    def name_it(_named):
        if storage.aside():
            add("named meanwhile", stored=False)
        return not storage.aside()

    found = look(TOMORROW, go=name_it)
    assert (found.set_aside, found.back) == (1, 1)
    assert storage.read(hashlib.sha256(b"named meanwhile").digest())


def test_documents_without_bytes_are_listed_until_they_have_them_again(storage, add, look, lost):
    add("there")
    gone, cut = add("gone", stored=False), add("cut off")
    (storage._place(cut)).write_bytes(b"cut")
    assert look(TODAY) == Found(parts=256, named=3, lost=2, missing=2)
    assert lost() == {gone, cut}
    storage.put(b"gone")
    assert look(TODAY) == Found(parts=256, named=3, missing=1)
    assert lost() == {cut}


def test_what_is_no_document_any_more_is_not_lost_either(conn, add, look, lost):
    add("gone", stored=False)
    add("there")
    look(TODAY)
    conn.execute("DELETE FROM documents WHERE sha256 = ANY (SELECT sha256 FROM lost_documents)")
    assert look(TODAY) == Found(parts=256, named=1)
    assert lost() == set()


def test_a_document_stored_during_the_check_is_neither_orphan_nor_lost(storage, add, look, lost, monkeypatch):
    """The storage was listed before it came, and the rows are read after."""
    add("before")
    data = b"just now"
    listed = Storage.listed

    def meanwhile(self, first):
        found = listed(self, first)
        if first == hashlib.sha256(data).digest()[0]:
            add(data.decode())
        return found

    monkeypatch.setattr(Storage, "listed", meanwhile)
    assert look(TODAY) == Found(parts=256, named=2)
    assert lost() == set()


def test_a_storage_that_is_not_mounted_loses_no_document(tmp_path, conn, add, lost):
    add("there")
    elsewhere = Storage(UPath(tmp_path / "not mounted"))
    with pytest.raises(StorageUnavailable, match="it is not there"):
        check(conn, elsewhere, stored_bytes.DOCUMENTS, TODAY, lambda _: True)
    assert lost() == set()


def test_a_check_that_has_no_time_left_stops_after_a_part_and_may_begin_anywhere(storage, look):
    orphans = [storage.put(f"orphan {number}".encode()).sha256 for number in range(50)]
    some = look(TOMORROW, go=lambda _: False, first=orphans[0][0])
    assert (some.parts, 0 < some.set_aside < 50) == (1, True)
    assert look(TOMORROW, first=255).set_aside == 50 - some.set_aside


def test_begun_writings_of_the_killed_and_strange_files(tmp_path, conn, storage, add, look):
    if not storage._on_disk:
        pytest.skip("an object storage shows no half file")
    digest = add("there")
    folder = tmp_path / "documents" / digest.hex()[:2]
    begun = folder / f".{digest.hex()}.0123.part"
    for file in (begun, folder / "README", tmp_path / "documents" / "lost+found"):
        file.write_text("x")
        os.utime(file, (0, 0))
    fresh = folder / f".{digest.hex()}.4567.part"
    fresh.write_text("x")
    assert look(TODAY) == Found(parts=256, named=1, unfinished=1)
    assert {entry.name for entry in folder.iterdir()} == {fresh.name, digest.hex(), "README"}


def test_files_in_quarantine_are_a_storage_of_their_own(conn, storage, add, look):
    add("a document")
    quarantine = Quarantine(storage)
    kept, orphan = (quarantine.put(data) for data in (b"no photo", b"nobody's"))
    file = QuarantinedFile("palletways", "60000000017", "malformed", "", kept.sha256, kept.size, "podimages", "url")
    quarantined_files.add(conn, file, TODAY)
    assert look(TOMORROW).set_aside == 0
    found = check(conn, quarantine, stored_bytes.QUARANTINE, TOMORROW, lambda _: True)
    assert found == Found(parts=256, named=1, set_aside=1)
    assert quarantine.read(kept.sha256) == b"no photo"
    with pytest.raises(DocumentLost):
        quarantine.read(orphan.sha256)
    assert (storage._root / "quarantine" / ASIDE).exists()
