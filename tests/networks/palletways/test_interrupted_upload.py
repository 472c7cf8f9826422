"""Uploads killed between two steps of their way, run again, end like undisturbed ones: one file a document.

No half file ever stands under a final name, no number is given twice, and nothing is uploaded twice.
"""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.killing import DEPLOYMENT, PATIENCE_S, Process, started, until
from tests.killing import killed_at as killed_at_in
from tests.killing import stopping as stopping_in
from tests.networks.palletways.served_files import ServedFiles
from tests.networks.palletways.uploading import Dock, photo, upload_extra

from palletflow.networks.palletways.simulator.files import home
from palletflow.networks.palletways.work import NETWORK

stopping = partial(stopping_in, network=NETWORK)
killed_at = partial(killed_at_in, network=NETWORK)
# More than fits into the buffers between two processes, so that a transfer that is held up has not ended.
LARGE = 9 * 1024 * 1024


class Held:
    """Holds a file server up at a method of its own, once, before or after it is done; `let` times it goes on.

    What was to be done is not done when it is let go with `does` False: the server died of it.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: object, method: str, *, after: bool, let: int) -> None:
        self._reached, self._released = threading.Event(), threading.Event()
        self._does = True
        self._let = let
        done = getattr(owner, method)

        def held(*args: Any, **kwargs: Any) -> Any:
            self._let -= 1
            if self._let != -1:
                return done(*args, **kwargs)
            made = done(*args, **kwargs) if after else None
            self._reached.set()
            self._released.wait(PATIENCE_S)
            if not self._does:
                raise PermissionError("the server died")
            return made if after else done(*args, **kwargs)

        monkeypatch.setattr(owner, method, held)

    def until_reached(self) -> None:
        assert self._reached.wait(PATIENCE_S), "it never came that far"

    def release(self, *, does: bool = True) -> None:
        self._does = does
        self._released.set()


@pytest.fixture
def hold(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Held]]:
    made: list[Held] = []

    def holding(owner: object, method: str, *, after: bool = False, let: int = 0) -> Held:
        made.append(Held(monkeypatch, owner, method, after=after, let=let))
        return made[-1]

    yield holding
    for one in made:
        one.release()


@pytest.fixture(scope="module")
def served() -> Iterator[ServedFiles]:
    one = ServedFiles()
    yield one
    one.stop()


@pytest.fixture
def files(served):
    served.reset()
    return served


# FTPS goes the same way as FTP.
@pytest.fixture(params=["ftp", "sftp"])
def dock(request, conn, dsn, plan, files, tmp_path):
    return Dock(conn, dsn, plan, files.servers.ports, tmp_path / "documents", request.param)


@pytest.fixture
def start(dock, tmp_path) -> Iterator[Callable[..., Process]]:
    """Starts processes that work off the uploads of the dock."""
    script = Path(__file__).with_name("photo_upload_once.py")

    def make(port: int | None = None, **extra: object) -> Process:
        place = (dock.dsn, DEPLOYMENT, tmp_path / "documents", dock.protocol, port or dock.ports[dock.protocol])
        return Process(script, *place, json.dumps(upload_extra(dock.protocol, **extra)))

    yield from started(make)


@pytest.fixture
def one(dock) -> int:
    """A delivery of ours with two photos to upload."""
    made = dock.consignment()
    for seed in (1, 2):
        dock.add(made, photo(seed))
    return made


def first(dock: Dock) -> tuple | None:
    """State and number of the first photo, None before it has any."""
    found = dock.rows("SELECT state, number FROM photo_uploads ORDER BY document_id LIMIT 1")
    return found[0] if found else None


def name(dock: Dock, one: int, number: int) -> str:
    return f"{dock.tracking_id(one)}_{number}.jpg"


def killed_before_it_was_written_down(dock: Dock, start: Callable[..., Process], held: Held) -> None:
    """Kills a process where it writes down what it had the server do, which `held` holds up until then."""
    process = start()
    held.until_reached()
    with stopping(dock.dsn, "photo_uploads") as until_stopped:
        held.release()
        until_stopped()
        process.kill()


def assert_no_half_file(files: ServedFiles) -> None:
    assert {file.data for file in files.published} <= {photo(1), photo(2)}


def assert_one_file_each_after_another_run(dock: Dock, files: ServedFiles, one: int, published: int = 2) -> None:
    """The lease of what the killed process held ends, and the queue is worked off again."""
    assert_no_half_file(files)
    dock.work()
    assert files.stored() == {name(dock, one, n): photo(n) for n in (1, 2)}
    assert len(files.published) == published
    assert files.replaced == []
    assert dock.states(one) == ["uploaded", "uploaded"]
    assert [upload.number for upload in dock.uploads(one)] == [1, 2]
    assert [kind for kind, *_ in dock.history(one)] == ["photo uploaded", "photo uploaded"]
    assert dock.waiting() == dock.parked() == []
    assert dock.rows("SELECT last_number FROM upload_sequences") == [(2,)]


@pytest.mark.rule("PW-8-32", "PW-6-25")
def test_killed_before_the_number_was_written_down(dock, files, start, one):
    killed_at(dock.dsn, "photo_uploads", start)
    assert (first(dock), files.stored()) == (None, {})
    assert_one_file_each_after_another_run(dock, files, one)


@pytest.mark.rule("PW-8-32", "PW-6-25", "PW-6-10")
def test_killed_after_the_number_and_before_any_connection(dock, files, start, one):
    """It stops at a server that accepts it and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = start(silent.getsockname()[1])
        until(lambda: first(dock))
        process.kill()
    assert (first(dock), files.stored()) == (("numbered", 1), {})
    assert_one_file_each_after_another_run(dock, files, one)


@pytest.mark.rule("PW-8-32", "PW-6-13")
def test_killed_before_the_transfer_was_written_down(dock, files, start, one, hold):
    look = hold(files.received, "get")
    killed_before_it_was_written_down(dock, start, look)
    # The database may carry out what it was asked last.
    assert first(dock) in [("numbered", 1), ("transferring", 1)]
    assert files.stored() == {}
    assert_one_file_each_after_another_run(dock, files, one)


@pytest.mark.rule("PW-8-32", "PW-6-28")
@pytest.mark.parametrize("dock", ["ftp"], indirect=True)
def test_killed_in_the_middle_of_a_file(dock, files, start, hold):
    """Over plain FTP an end is an end: half of it lies on the server, and nothing under the final name."""
    one = dock.consignment()
    whole = photo(1) + bytes(LARGE)
    dock.add(one, whole)
    writing = hold(home.Incoming, "write", let=3)
    process = start()
    writing.until_reached()
    assert first(dock) == ("transferring", 1)
    process.kill()
    writing.release()
    until(lambda: list(files.stored()) == [f"{name(dock, one, 1)}.part"])
    assert 0 < len(files.stored()[f"{name(dock, one, 1)}.part"]) < len(whole)
    assert files.published == []
    dock.work()
    assert files.stored() == {name(dock, one, 1): whole}
    assert [file.data for file in files.published] == [whole]
    assert (dock.states(one), dock.waiting()) == (["uploaded"], [])


@pytest.mark.rule("PW-8-32", "PW-6-28", "PW-6-30")
def test_killed_after_the_file_was_written_and_before_renaming_was_written_down(dock, files, start, one, hold):
    writing = hold(files.received, "put")
    killed_before_it_was_written_down(dock, start, writing)
    assert first(dock) in [("transferring", 1), ("renaming", 1)]
    assert files.stored() == {f"{name(dock, one, 1)}.part": photo(1)}
    assert_one_file_each_after_another_run(dock, files, one)


@pytest.mark.rule("PW-8-32", "PW-6-26", "PW-6-30")
@pytest.mark.parametrize("done", [False, True])
def test_killed_while_the_server_renamed(dock, files, start, one, hold, done):
    """Before it had, or after: either is found out."""
    renaming = hold(files.received, "rename", after=done)
    process = start()
    renaming.until_reached()
    process.kill()
    renaming.release(does=done)
    assert first(dock) == ("renaming", 1)
    until(lambda: list(files.stored()) == [name(dock, one, 1) + ("" if done else ".part")])
    assert_one_file_each_after_another_run(dock, files, one)


@pytest.mark.rule("PW-8-32", "PW-6-32")
def test_killed_before_the_upload_was_written_down(dock, files, start, one, hold):
    renaming = hold(files.received, "rename")
    killed_before_it_was_written_down(dock, start, renaming)
    assert first(dock) == ("renaming", 1)
    assert files.stored() == {name(dock, one, 1): photo(1)}
    assert_one_file_each_after_another_run(dock, files, one)


@pytest.mark.rule("PW-8-32", "PW-6-27", "PW-6-10")
def test_killed_before_a_collision_was_written_down(dock, files, start, one):
    files.switches.set({"name_taken": [name(dock, one, 1)]})
    killed_at(dock.dsn, "upload_collisions", start)
    assert first(dock) == ("numbered", 1)
    dock.work()
    assert files.stored() == {name(dock, one, 2): photo(1), name(dock, one, 3): photo(2)}
    assert dock.rows("SELECT number FROM upload_collisions") == [(1,)]
    assert files.replaced == []


@pytest.mark.rule("PW-8-32", "PW-6-33")
def test_killed_before_a_failure_was_written_down(dock, files, start, one, hold):
    files.switches.set({"disk_full_at": {dock.protocol: {"value": 10, "times": 1}}})
    writing = hold(home.Incoming, "write")
    killed_before_it_was_written_down(dock, start, writing)
    assert first(dock) == ("transferring", 1)
    dock.now += timedelta(hours=1)  # the database may have carried out what it was asked last
    assert_one_file_each_after_another_run(dock, files, one)


@pytest.mark.rule("PW-8-32", "PW-6-7")
def test_killed_before_a_refusal_was_written_down(dock, files, start):
    one = dock.consignment()
    dock.add(one, photo(1, "GIF"))
    killed_at(dock.dsn, "activity", start)
    assert dock.uploads(one) == []
    dock.work()
    assert (dock.states(one), len(dock.history(one))) == (["refused"], 1)


@pytest.mark.rule("PW-8-32")
def test_killed_after_everything_and_before_the_work_was_ended(dock, files, start, one, hold):
    renaming = hold(files.received, "rename", let=1)
    process = start()
    renaming.until_reached()
    with stopping(dock.dsn, "work_items") as until_stopped:
        renaming.release()
        until(lambda: dock.states(one) == ["uploaded", "uploaded"])
        until_stopped()
        process.kill()
    assert dock.waiting()
    assert_one_file_each_after_another_run(dock, files, one)


@pytest.mark.rule("PW-8-32")
def test_killed_again_and_again(dock, files, start, one, hold):
    for _ in range(3):
        renaming = hold(files.received, "rename")
        process = start()
        renaming.until_reached()
        process.kill()
        renaming.release(does=False)
        assert first(dock) == ("renaming", 1)
        dock.conn.execute("UPDATE work_items SET due_at = now()")
    assert_one_file_each_after_another_run(dock, files, one)
