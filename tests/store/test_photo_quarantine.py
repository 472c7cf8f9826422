"""Files that are no photos: kept once a reason, listed, and gone with their bytes when they are old."""

import hashlib
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from upath import UPath

from palletflow.documents.quarantine import Quarantine
from palletflow.documents.storage import DocumentLost, Storage
from palletflow.networks.palletways.photo_fetch import delete_old_quarantine
from palletflow.store import quarantined_files
from palletflow.store.connection import connect
from palletflow.store.quarantined_files import QuarantinedFile

NOW = datetime(2026, 7, 13, 14, 21, tzinfo=UTC)
DAY = timedelta(days=1)
BYTES = b"%PDF- no photo"
SHA256 = hashlib.sha256(BYTES).digest()


@pytest.fixture
def storage(tmp_path) -> Storage:
    return Storage(UPath(tmp_path / "documents"))


def keep(conn, storage, at: datetime = NOW, *, data: bytes = BYTES, number="60000000017", reason="malformed") -> None:
    digest = hashlib.sha256(data).digest()
    quarantined_files.touch(conn, digest, at)
    Quarantine(storage).put(data)
    file = QuarantinedFile(
        "palletways", number, reason, "it ends too soon", digest, len(data), "podimages@portal",
        f"https://portal.palletways.example/podimages/{number}?apikey=***",
    )  # fmt: skip
    quarantined_files.add(conn, file, at)


@pytest.mark.rule("PW-5-33")
def test_everything_about_a_file_is_kept(conn, storage):
    keep(conn, storage)
    [kept] = quarantined_files.listed(conn)
    assert kept[1:] == (
        "palletways", "60000000017", "malformed", "it ends too soon", SHA256, len(BYTES), "podimages@portal",
        "https://portal.palletways.example/podimages/60000000017?apikey=***", NOW,
    )  # fmt: skip
    assert Quarantine(storage).read(SHA256) == BYTES


@pytest.mark.rule("PW-5-33")
def test_the_same_bytes_are_kept_once_a_consignment_and_reason(conn, storage):
    keep(conn, storage, NOW - DAY)
    keep(conn, storage)
    keep(conn, storage, reason="error_page")
    keep(conn, storage, number="60000000025")
    keep(conn, storage, data=b"other")
    listed = [(kept.tracking_number, kept.reason) for kept in quarantined_files.listed(conn, "palletways")]
    assert sorted(listed) == [
        ("60000000017", "error_page"), ("60000000017", "malformed"), ("60000000017", "malformed"),
        ("60000000025", "malformed"),
    ]  # fmt: skip
    assert quarantined_files.listed(conn, "nexus") == []


@pytest.mark.rule("PW-5-31", "PW-5-33")
def test_a_file_that_was_too_large_to_be_read_is_known_without_bytes(conn, storage):
    file = QuarantinedFile("palletways", "60000000017", "too_large", "", None, None, "podimages@portal", "")
    for _ in range(2):
        quarantined_files.add(conn, file, NOW - 31 * DAY)
    assert [kept.sha256 for kept in quarantined_files.listed(conn)] == [None]
    assert delete_old_quarantine(conn, storage, NOW) == 0
    assert quarantined_files.listed(conn) == []


@pytest.mark.rule("PW-5-33")
def test_after_thirty_days_files_are_gone_with_their_bytes(conn, storage):
    keep(conn, storage, NOW - 31 * DAY)
    keep(conn, storage, NOW - 29 * DAY, data=b"younger")
    assert delete_old_quarantine(conn, storage, NOW) == 1
    assert [kept.size for kept in quarantined_files.listed(conn)] == [len(b"younger")]
    with pytest.raises(DocumentLost):
        Quarantine(storage).read(SHA256)
    assert Quarantine(storage).read(hashlib.sha256(b"younger").digest()) == b"younger"


@pytest.mark.rule("PW-5-33")
def test_bytes_stay_while_any_file_names_them(conn, storage):
    keep(conn, storage, NOW - 31 * DAY)
    keep(conn, storage, NOW - DAY, number="60000000025")
    # The younger one came with the same bytes: the older has been seen again too.
    assert delete_old_quarantine(conn, storage, NOW) == 0
    assert delete_old_quarantine(conn, storage, NOW + 29 * DAY + timedelta(hours=1)) == 1


@pytest.mark.rule("PW-5-33")
def test_a_document_with_the_same_bytes_is_not_touched(conn, storage):
    storage.put(BYTES)
    keep(conn, storage, NOW - 31 * DAY)
    delete_old_quarantine(conn, storage, NOW)
    assert storage.read(SHA256) == BYTES


@pytest.mark.rule("PW-5-33")
def test_housekeeping_that_was_interrupted_after_the_bytes_went_is_done_by_the_next(conn, storage):
    keep(conn, storage, NOW - 31 * DAY)
    Quarantine(storage).remove(SHA256)
    assert delete_old_quarantine(conn, storage, NOW) == 1
    assert quarantined_files.listed(conn) == []


@pytest.mark.rule("PW-5-33")
def test_bytes_that_come_again_while_they_are_deleted_are_there_afterwards(conn, dsn, storage):
    """Whoever brings them waits until the deletion is through, and then stores them anew."""
    keep(conn, storage, NOW - 31 * DAY)
    with connect(dsn) as other:
        with conn.transaction():
            for sha256 in quarantined_files.delete_older(conn, NOW - 30 * DAY):
                Quarantine(storage).remove(sha256)
            again = threading.Thread(target=keep, args=(other, storage))
            again.start()
            deadline = time.monotonic() + 30
            waits = "SELECT FROM pg_locks WHERE NOT granted"
            while conn.execute(waits).fetchone() is None and time.monotonic() < deadline:
                time.sleep(0.01)
        again.join()
    assert [kept.received_at for kept in quarantined_files.listed(conn)] == [NOW]
    assert Quarantine(storage).read(SHA256) == BYTES
