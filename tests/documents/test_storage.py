"""Object storage: bytes appear whole, once, under their digest."""

import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from upath import UPath

from palletflow.checked_yaml import FileFault
from palletflow.documents import storage
from palletflow.documents.storage import DocumentLost, Storage, StorageUnavailable, WrongSize
from palletflow.network_errors import NotSent

KILLED_PUT = Path(__file__).with_name("killed_put.py")
DATA = b"%PDF-1.7 a document"
DIGEST = hashlib.sha256(DATA)


def final(root: Path) -> Path:
    return root / DIGEST.hexdigest()[:2] / DIGEST.hexdigest()


@pytest.fixture(params=["folder", "object storage"])
def root(request, tmp_path):
    """A folder, and a storage that has no disk under it."""
    return UPath(tmp_path / "documents") if request.param == "folder" else UPath(f"memory://{tmp_path}")


def test_what_is_put_is_read_back(root):
    held = Storage(root)
    stored = held.put(DATA)
    assert stored == (DIGEST.digest(), len(DATA))
    assert held.read(stored.sha256) == DATA


def test_the_same_content_is_written_once(root):
    held = Storage(root)
    held.put(DATA)
    place = root / DIGEST.hexdigest()[:2] / DIGEST.hexdigest()
    before = place.stat().st_mtime
    assert held.put(DATA) == (DIGEST.digest(), len(DATA))
    assert place.stat().st_mtime == before
    assert [entry.name for entry in place.parent.iterdir()] == [place.name]


def test_half_a_document_from_elsewhere_is_written_anew(tmp_path):
    held = Storage(UPath(tmp_path))
    held.put(DATA)
    final(tmp_path).write_bytes(DATA[:5])
    held.put(DATA)
    assert held.read(DIGEST.digest()) == DATA


def test_a_document_that_was_changed_is_not_given(root):
    held = Storage(root)
    held.put(DATA)
    (root / DIGEST.hexdigest()[:2] / DIGEST.hexdigest()).write_bytes(DATA[:-1] + b"!")
    with pytest.raises(DocumentLost, match="has been changed or damaged"):
        held.read(DIGEST.digest())


def test_a_document_that_is_gone_is_named(root):
    with pytest.raises(DocumentLost, match=f"{DIGEST.hexdigest()}: is not there"):
        Storage(root).read(DIGEST.digest())


@pytest.mark.parametrize("size", [0, storage.MOST_BYTES + 1])
def test_nothing_empty_or_too_large_is_stored(tmp_path, size):
    with pytest.raises(WrongSize, match=f"not {size:,}"):
        Storage(UPath(tmp_path)).put(bytes(size))
    assert list(tmp_path.iterdir()) == []


def test_a_kill_at_any_line_leaves_no_half_document(tmp_path):
    run = subprocess.run([sys.executable, KILLED_PUT, tmp_path], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    # It was killed before and after each of the steps, not just once.
    assert int(run.stdout) > 20


def test_a_full_disk_leaves_nothing_under_the_final_name(tmp_path):
    """A real limit on the size of files, as a full disk is: it needs a process of its own."""
    script = (
        "import resource, signal, sys; from upath import UPath; from palletflow.documents.storage import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: Storage(UPath(sys.argv[1])).put(b'%PDF-' * 1000)\n"
        "except StorageUnavailable as error: print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, timeout=60)
    assert "File too large. Check that what PALLETFLOW_DOCUMENTS names" in run.stdout, run.stderr
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


def test_a_folder_that_cannot_be_written_is_a_system_fault(tmp_path):
    (tmp_path / "documents").write_text("a file where the folder should be")
    with pytest.raises(StorageUnavailable, match="Not a directory") as caught:
        Storage(UPath(tmp_path / "documents")).put(DATA)
    # So the work queue tries again later.
    assert isinstance(caught.value, NotSent)


def test_threads_putting_the_same_content_do_not_disturb_each_other(tmp_path):
    data = os.urandom(2_000_000)
    start = threading.Barrier(8)
    failed = []

    def put() -> None:
        start.wait()
        try:
            held = Storage(UPath(tmp_path))
            assert held.read(held.put(data).sha256) == data
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len([file for file in tmp_path.rglob("*") if file.is_file()]) == 1


def test_the_environment_names_the_storage(monkeypatch, tmp_path):
    monkeypatch.setenv("PALLETFLOW_DOCUMENTS", str(tmp_path))
    storage.open_storage().put(DATA)
    assert final(tmp_path).read_bytes() == DATA


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (None, "set PALLETFLOW_DOCUMENTS to the folder or s3://bucket/folder that documents go to"),
        ("", "set PALLETFLOW_DOCUMENTS to the folder"),
        ("floppy://a/b", "is 'floppy://a/b', which cannot be used: Unsupported filesystem: 'floppy'"),
        ("documents", "is 'documents', which means another folder to each process"),
    ],
)
def test_a_storage_that_is_not_named_well_is_said_at_once(monkeypatch, named, said):
    monkeypatch.delenv("PALLETFLOW_DOCUMENTS", raising=False)
    if named is not None:
        monkeypatch.setenv("PALLETFLOW_DOCUMENTS", named)
    with pytest.raises(FileFault, match=said):
        storage.open_storage()
