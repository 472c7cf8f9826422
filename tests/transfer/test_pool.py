"""Sessions are few, shared, kept for many files, and given up when they are broken or nobody needs them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from tests.transfer.servers import PROTOCOLS, open_session, server_of, server_of_openssh
from tests.waiting import until

from palletflow.network_errors import AuthFailed, NotSent
from palletflow.transfer import pool
from palletflow.transfer.errors import Interrupted, NoPlace
from palletflow.transfer.placing import Manner, place
from palletflow.transfer.pool import Sessions

PHOTO = bytes(range(256)) * 200


@pytest.fixture(params=PROTOCOLS)
def protocol(request):
    return request.param


def upload_many(sessions, count, threads, first=1):
    def upload(number):
        with sessions.session() as session:
            place(session, "upload", f"60000000017_{number}.jpg", PHOTO, Manner())

    with ThreadPoolExecutor(threads) as workers:
        list(workers.map(upload, range(first, first + count)))


@pytest.mark.rule("PW-6-24")
def test_many_files_of_many_threads_go_by_few_connections(files, protocol):
    with Sessions(lambda: open_session(server_of(protocol, files)), most=2) as sessions:
        upload_many(sessions, 40, 16)
    assert len(files.stored()) == 40
    assert set(files.stored().values()) == {PHOTO}
    connections = files.servers.sessions.connections()[protocol]
    assert connections["begun"] == (1 if protocol == "sftp" else 2)
    assert connections["most"] <= 2
    until(lambda: files.servers.sessions.connections()[protocol]["open"] == 0)


def test_many_files_of_many_threads_go_to_openssh(openssh):
    with Sessions(lambda: open_session(server_of_openssh(openssh)), most=2) as sessions:
        upload_many(sessions, 100, 16)
    listed = openssh.sftp("ls -l\n").splitlines()
    assert len([line for line in listed if line.endswith(".jpg") and f" {len(PHOTO)} " in line]) == 100
    assert {path.read_bytes() for path in openssh.files.iterdir()} == {PHOTO}


def test_a_session_that_broke_is_followed_by_another(files, protocol):
    with Sessions(lambda: open_session(server_of(protocol, files)), most=1) as sessions:
        files.switches.set({"ftp_drop_at": {protocol: {"value": 1000, "times": 1}}})
        with pytest.raises(Interrupted):
            upload_many(sessions, 1, 1)
        upload_many(sessions, 1, 1)
    assert files.stored()["60000000017_1.jpg"] == PHOTO
    until(lambda: files.servers.sessions.connections()[protocol] == {"begun": 2, "open": 0, "most": 1})


def test_a_session_that_nobody_uses_ends(files, protocol, monkeypatch):
    monkeypatch.setattr(pool, "IDLE_S", 0.1)
    with Sessions(lambda: open_session(server_of(protocol, files)), most=2) as sessions:
        upload_many(sessions, 1, 1)
        until(lambda: files.servers.sessions.connections()[protocol]["open"] == 0)
        upload_many(sessions, 1, 1, first=2)
    assert len(files.stored()) == 2


def test_a_session_is_not_kept_for_long(files, protocol, monkeypatch):
    monkeypatch.setattr(pool, "LONGEST_S", 0.0)
    with Sessions(lambda: open_session(server_of(protocol, files)), most=2) as sessions:
        upload_many(sessions, 3, 1)
    until(lambda: files.servers.sessions.connections()[protocol]["open"] == 0)
    assert files.servers.sessions.connections()[protocol]["begun"] == 3


def test_a_login_that_is_refused_is_tried_once_for_all_who_wait(files, protocol):
    begun = threading.Barrier(8)
    attempts = []

    def opening():
        attempts.append(1)
        until(lambda: len(sessions._changed._waiters) == 7)
        return open_session(server_of(protocol, files, password="wrong"))

    def ask(_):
        begun.wait()
        with pytest.raises(AuthFailed), sessions.session():
            pass

    with Sessions(opening, most=2) as sessions, ThreadPoolExecutor(8) as workers:
        list(workers.map(ask, range(8)))
    assert len(attempts) == 1


@pytest.mark.rule("PW-6-24")
def test_a_session_has_its_place_from_its_opening_to_its_end(files, protocol):
    held = []

    @contextmanager
    def place_of_all():
        held.append(1)
        yield
        held.pop()

    with Sessions(lambda: open_session(server_of(protocol, files)), 2, place_of_all) as sessions:
        with sessions.session():
            assert held == [1]
        assert held == [1], "it is kept for the next file"
    assert held == []


@pytest.mark.rule("PW-6-24")
def test_without_a_place_no_connection_is_opened(files, protocol):
    @contextmanager
    def none_free():
        raise NotSent("upload", "A call", "other calls have kept all places")
        yield

    with (
        Sessions(lambda: open_session(server_of(protocol, files)), 2, none_free) as sessions,
        pytest.raises(NoPlace),
        sessions.session(),
    ):
        pass
    assert files.servers.sessions.connections().get(protocol, {"begun": 0})["begun"] == 0


def test_a_check_opens_a_session_and_ends_it(files, protocol):
    with Sessions(lambda: open_session(server_of(protocol, files)), 2) as sessions:
        sessions.check()
        assert files.servers.sessions.connections()[protocol]["begun"] == 1
        until(lambda: files.servers.sessions.connections()[protocol]["open"] == 0)
