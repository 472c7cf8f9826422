"""A download of photos killed between two steps of its way and run again ends undisturbed: each photo once."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.killing import DEPLOYMENT, Process, started, until
from tests.killing import stopping as stopping_in
from tests.networks.palletways.photographing import PhotoHouse

from palletflow.networks.palletways import photo_download
from palletflow.networks.palletways.work import NETWORK
from palletflow.store.connection import connect

stopping = partial(stopping_in, network=NETWORK)


@pytest.fixture
def house(conn, dsn, plan, palletways_sim, tmp_path):
    made = PhotoHouse(conn, dsn, plan, palletways_sim, tmp_path / "documents")
    yield made
    made.close()


@pytest.fixture
def start(house, tmp_path) -> Iterator[Callable[[], Process]]:
    """Starts processes that work off the photo downloads of the house."""
    script = Path(__file__).with_name("photo_once.py")
    told = json.dumps({"pdf_first_byte_timeout_s": 60, "first_byte_timeout_s": 60})
    given = (house.sim.root, DEPLOYMENT, tmp_path / "documents", json.dumps(house.sim.keys), told)
    yield from started(lambda: Process(script, house.dsn, *given))


@pytest.fixture
def one(house) -> int:
    """A delivery with two photos at once and one after three minutes."""
    return house.delivered(("door", 0), ("bay", 0), ("gate", 180))


def seen(house: PhotoHouse, method: str, count: int = 1) -> Callable[[], bool]:
    return lambda: house.calls(method) >= count


def assert_whole_after_another_run(house: PhotoHouse, one: int) -> None:
    """The lease of what the killed process held ends, and the queue is worked off again."""
    house.play_out()
    assert house.hashes(one) == house.shown_hashes(one)
    assert [document.name[-6:] for document in house.documents(one)] == ["01.jpg", "02.jpg", "03.jpg"]
    assert [len(house.storage.read(document.sha256)) for document in house.documents(one)] == [
        document.size for document in house.documents(one)
    ]
    assert house.rows("SELECT count(*) FROM photo_prints") == [(3,)]
    assert house.rows("SELECT count(*) FROM activity WHERE kind = 'document added'") == [(3,)]
    assert house.history(one).count("photos fetched") == 2
    assert house.said(one, "photos fetched")[0].startswith("2 by podimages@portal, attempt 1")
    assert house.state(one) == "found"
    # The lease lasts as long as the first pause of the schedule, so the attempts at both its ends may be one.
    assert house.window(one).attempts in (6, 7)
    assert (house.waiting(), house.parked(), house.quarantined()) == ({}, {}, [])


@pytest.mark.rule("PW-5-22", "PW-5-4")
def test_killed_while_palletways_was_answering(house, start, one):
    house.sim.switch(slow={"podimages": {"value": 60, "times": 1}})
    process = start()
    until(seen(house, "podimages"))
    process.kill()

    assert house.documents(one) == []
    assert house.window(one).attempts == 0
    assert_whole_after_another_run(house, one)


@pytest.mark.rule("PW-5-22", "PW-5-8")
@pytest.mark.parametrize("table", ["documents", "photo_prints", "photo_windows", "activity", "work_items"])
def test_killed_between_the_bytes_and_the_rows(house, start, one, table):
    """Everything of an attempt is written in one transaction, so nothing is there of it yet."""
    house.sim.switch(slow={"podimages": {"value": 1, "times": 1}})
    process = start()
    until(seen(house, "podimages"))
    with stopping(house.dsn, table) as until_stopped:
        until_stopped()
        process.kill()

    assert house.documents(one) == []
    assert house.rows("SELECT count(*) FROM photo_prints") == [(0,)]
    assert house.window(one).attempts == 0
    assert str(one) in house.waiting()
    assert_whole_after_another_run(house, one)


@pytest.mark.rule("PW-4.2-4", "PW-5-22")
def test_killed_after_the_bytes_were_stored_and_before_the_notes_came(house, start, one):
    house.sim.switch(slow={"getNotes": {"value": 60, "times": 1}})
    process = start()
    until(seen(house, "getNotes"))
    process.kill()

    assert house.documents(one) == []
    for digest in house.shown_hashes(one)[:2]:
        assert house.storage.read(bytes.fromhex(digest))
    assert_whole_after_another_run(house, one)


@pytest.mark.rule("PW-5-25")
def test_killed_in_a_later_attempt(house, start, one):
    house.work()
    for _ in range(3):
        house.advance_to_due()
        house.work()
    house.sim.switch(slow={"podimages": {"value": 60, "times": 1}})
    house.advance_to_due()
    process = start()
    until(seen(house, "podimages", 5))
    process.kill()

    assert len(house.documents(one)) == 3
    assert_whole_after_another_run(house, one)


@pytest.mark.rule("PW-5-8", "PW-5-10")
@pytest.mark.parametrize("table", ["photo_windows", "activity", "work_items"])
def test_killed_before_a_window_was_closed_empty(house, start, table):
    """It is said once, however often it was begun."""
    one = house.delivered()
    for _ in range(6):
        house.work()
        house.advance_to_due()
    house.sim.switch(slow={"getPodByTrackingId": {"value": 1, "times": 1}})
    process = start()
    until(seen(house, "getPodByTrackingId"))
    with stopping(house.dsn, table) as until_stopped:
        until_stopped()
        process.kill()

    assert house.state(one) == "open"
    house.play_out()
    assert (house.state(one), house.history(one).count("no photos found")) == ("none", 1)
    assert house.waiting() == {}


@pytest.mark.rule("PW-5-33")
@pytest.mark.parametrize("table", ["quarantined_files", "alerts", "activity"])
def test_killed_before_a_file_was_in_quarantine(house, start, table):
    house.sim.switch(pdf_fault="error_page", slow={"podimages": {"value": 1, "times": 1}})
    one = house.delivered()
    process = start()
    until(seen(house, "podimages"))
    with stopping(house.dsn, table) as until_stopped:
        until_stopped()
        process.kill()

    assert house.quarantined() == []
    house.advance_to_due()
    house.work()
    assert house.reasons() == ["error_page"]
    assert len(house.alerts()) == house.history(one).count("file quarantined") == 1
    assert house.window(one).attempts == 1


@pytest.mark.rule("PW-5-22")
def test_the_connection_to_the_order_store_is_lost_before_the_rows_are_written(house, one):
    """The drain stores the result again: what record writes may run more than once."""
    real = photo_download.photo_fetch.keep
    lost = []

    def keep(conn, *more, **named):
        if not lost:
            lost.append(True)
            with connect(house.dsn) as other:
                other.execute("SELECT pg_terminate_backend(%s)", (conn.info.backend_pid,))
        return real(conn, *more, **named)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(photo_download.photo_fetch, "keep", keep)
        assert house.work() == {"again": 1}
    assert lost
    assert_whole_after_another_run(house, one)


@pytest.mark.rule("PW-5-2")
def test_what_begins_a_search_is_undone_with_what_saw_the_delivery(house):
    one = house.consignment()
    settings = house.reach(house.conn, "123").client.settings
    with house.conn.transaction(force_rollback=True):
        photo_download.begin(house.conn, one, settings, completed_at=None, seen_at=house.now)
        assert house.window(one)
    assert (house.window(one), house.waiting()) == (None, {})
