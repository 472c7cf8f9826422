"""Documents and ETAs killed between two steps of their way, run again, end like undisturbed ones: one copy each.

What was reserved before a kill keeps its number and name; nothing is lost, sent twice or kept twice.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from tests.killing import DEPLOYMENT, Process, started, until
from tests.killing import killed_at as killed_at_in
from tests.killing import stopping as stopping_in
from tests.networks.nexus.exchanging import House

from palletflow.networks.nexus.work import DOCUMENT_FETCH, DOCUMENT_UPLOAD, ETA_EXPORT, NETWORK
from palletflow.store import movements

UPLOAD = {"path": "consignments/*/attachments", "method": "POST"}
LIST = {"path": "consignments/*/attachments", "method": "GET"}
KINDS = {"SIGNATURE": "MPOD", "POD": "POD", "PHOTO": "MPODPHOTOE"}


@pytest.fixture
def house(conn, dsn, plan, nexus_sim, tmp_path):
    made = House(conn, dsn, plan, nexus_sim, tmp_path / "documents")
    yield made
    made.close()


@pytest.fixture
def start(house, tmp_path) -> Iterator[Callable[[], Process]]:
    """Starts processes that work off the documents and ETAs of the house."""
    script, told = Path(__file__).with_name("exchange_once.py"), json.dumps({"read_timeout_s": 60})
    yield from started(
        lambda: Process(script, house.dsn, house.nexus.base_url, DEPLOYMENT, tmp_path / "documents", told)
    )


stopping = partial(stopping_in, network=NETWORK)
killed_at = partial(killed_at_in, network=NETWORK)


def seen(house: House, method: str, part: str, count: int = 1) -> Callable[[], bool]:
    return lambda: sum(call.startswith(method) and part in call for call in house.calls()) >= count


def exchanges(house: House) -> list[tuple]:
    return house.rows("SELECT code, number, done_at IS NOT NULL FROM document_exchanges ORDER BY id")


def assert_one_copy_at_both_ends(house: House, one: int) -> None:
    ours = sorted(document.sha256.hex() for document in house.documents(one))
    assert house.hashes_at_nexus(one) == ours
    assert len(set(ours)) == len(ours) == 3
    assert sorted(document.kind for document in house.documents(one)) == sorted(KINDS)
    assert [done for *_, done in exchanges(house)] == [True] * 3
    assert house.items(parked=False) == house.items(parked=True) == {}


# Upload


@pytest.fixture
def outgoing(house) -> int:
    """A delivery of ours with three documents to send."""
    one = house.consignment("delivery")
    house.deliver(one)
    for kind in KINDS:
        house.add(one, kind)
    return one


def assert_sent_whole_after_another_run(house: House, one: int, uploads: int) -> None:
    """The leases of what the killed process held end, and the queue is worked off again."""
    house.play_out()
    assert_one_copy_at_both_ends(house, one)
    assert house.at_nexus(one) == [(code, f"{house.number(one)}_{code}_01.jpg") for code in KINDS.values()]
    assert [number for _, number, _ in exchanges(house)] == [1, 1, 1]
    assert house.uploads() == uploads


@pytest.mark.rule("NX-9-13")
def test_killed_while_nexus_was_listing_what_it_has(house, start, outgoing):
    house.nexus.fault("slow", **LIST, seconds=60)
    process = start()
    until(seen(house, "GET", "/attachments"))
    process.kill()

    assert (exchanges(house), house.uploads()) == ([], 0)
    assert_sent_whole_after_another_run(house, outgoing, uploads=3)


@pytest.mark.rule("NX-9-12")
def test_killed_before_number_and_name_were_written_down(house, start, outgoing):
    killed_at(house.dsn, "document_exchanges", start)

    assert (exchanges(house), house.uploads()) == ([], 0)
    assert_sent_whole_after_another_run(house, outgoing, uploads=3)


@pytest.mark.rule("NX-9-12", "NX-9-13")
def test_killed_after_the_name_was_written_down_and_before_nexus_had_anything(house, start, outgoing, tmp_path):
    """It stops where it reads the bytes to send: out of a pipe into which nobody writes."""
    digest = hashlib.sha256(house.image("SIGNATURE", "1")).hexdigest()
    place = tmp_path / "documents" / digest[:2] / digest
    data = place.read_bytes()
    place.unlink()
    os.mkfifo(place)
    process = start()
    until(lambda: exchanges(house))
    process.kill()
    place.unlink()
    place.write_bytes(data)

    assert (exchanges(house), house.uploads()) == ([("MPOD", 1, False)], 0)
    assert_sent_whole_after_another_run(house, outgoing, uploads=3)


@pytest.mark.rule("NX-9-13")
@pytest.mark.parametrize("document", [0, 1, 2])
def test_killed_while_nexus_was_answering_an_upload_that_it_had_stored(house, start, outgoing, document):
    house.nexus.fault("slow", **UPLOAD, after=document, seconds=60)
    process = start()
    until(lambda: len(house.at_nexus(outgoing)) > document)
    process.kill()

    assert exchanges(house)[-1][-1] is False
    assert_sent_whole_after_another_run(house, outgoing, uploads=3)


@pytest.mark.rule("NX-9-13", "NX-9-12")
def test_killed_again_and_again_before_nexus_stored_the_upload(house, start, outgoing):
    house.nexus.fault("timeout", **UPLOAD, times=3, accept=False)
    for attempt in range(1, 4):
        process = start()
        until(seen(house, "POST", "/attachments", attempt))
        process.kill()
        assert (exchanges(house), house.at_nexus(outgoing)) == ([("MPOD", 1, False)], [])
        house.conn.execute("UPDATE work_items SET due_at = now()")

    assert_sent_whole_after_another_run(house, outgoing, uploads=6)


@pytest.mark.rule("NX-9-13")
def test_killed_after_the_answer_and_before_it_was_written_down(house, start, outgoing):
    house.nexus.fault("slow", **UPLOAD, seconds=2)
    process = start()
    until(seen(house, "POST", "/attachments"))
    with stopping(house.dsn, "document_exchanges") as until_stopped:
        until_stopped()
        process.kill()

    assert exchanges(house) == [("MPOD", 1, False)]
    assert_sent_whole_after_another_run(house, outgoing, uploads=3)


@pytest.mark.rule("NX-9-13")
def test_killed_after_a_lost_upload_was_found_and_before_that_was_written_down(house, start, outgoing):
    house.nexus.fault("drop", **UPLOAD, accept=True)
    house.work(DOCUMENT_UPLOAD)
    assert exchanges(house) == [("MPOD", 1, False)]
    house.conn.execute("UPDATE work_items SET due_at = now()")
    killed_at(house.dsn, "document_exchanges", start)

    assert_sent_whole_after_another_run(house, outgoing, uploads=3)


@pytest.mark.rule("NX-9-13")
def test_killed_after_everything_was_sent_and_before_the_work_was_ended(house, start, outgoing):
    house.nexus.fault("slow", **UPLOAD, after=2, seconds=2)
    process = start()
    until(seen(house, "POST", "/attachments", 3))
    with stopping(house.dsn, "work_items") as until_stopped:
        until(lambda: [done for *_, done in exchanges(house)] == [True] * 3)
        until_stopped()
        process.kill()

    assert house.items(parked=False)
    assert_sent_whole_after_another_run(house, outgoing, uploads=3)


@pytest.mark.rule("NX-9-14")
def test_killed_before_a_refusal_was_written_down(house, start, outgoing):
    """It is offered once more, refused once more, and flagged; the others go their way."""
    house.nexus.fault("http_413", **UPLOAD, times=2)
    killed_at(house.dsn, "activity", start)

    assert exchanges(house) == [("MPOD", 1, False)]
    house.play_out()
    assert [type_ for type_, _ in house.at_nexus(outgoing)] == ["POD", "MPODPHOTOE"]
    assert "HTTP 413" in house.items(parked=True)[DOCUMENT_UPLOAD, str(outgoing)]
    assert house.uploads() == 4


@pytest.mark.rule("NX-9-13")
def test_a_run_after_everything_was_sent_sends_nothing(house, start, outgoing):
    start().finish()
    assert_one_copy_at_both_ends(house, outgoing)
    house.ask(outgoing, DOCUMENT_UPLOAD)
    start().finish()
    assert house.uploads() == 3
    assert_one_copy_at_both_ends(house, outgoing)


# Download


@pytest.fixture
def incoming(house) -> int:
    """A delivery by another depot, which has added three documents at Nexus."""
    one = house.consignment("requesting")
    house.deliver(one)
    for type_ in KINDS.values():
        house.attach(one, type_)
    house.ask(one)
    return one


def assert_fetched_whole_after_another_run(house: House, one: int) -> None:
    house.play_out()
    assert_one_copy_at_both_ends(house, one)
    assert house.rows("SELECT count(*) FROM activity WHERE kind = 'document added'") == [(3,)]
    for document in house.documents(one):
        assert len(house.storage.read(document.sha256)) == document.size


@pytest.mark.rule("NX-9-10")
def test_killed_while_nexus_was_listing_what_there_is_to_fetch(house, start, incoming):
    house.nexus.fault("slow", **LIST, seconds=60)
    process = start()
    until(seen(house, "GET", "/attachments"))
    process.kill()

    assert house.documents(incoming) == []
    assert_fetched_whole_after_another_run(house, incoming)


@pytest.mark.rule("NX-9-10")
@pytest.mark.parametrize("file", [0, 1, 2])
def test_killed_while_a_file_came(house, start, incoming, file):
    house.nexus.fault("slow", "files/*", after=file, seconds=60)
    process = start()
    until(seen(house, "GET", "/files/", file + 1))
    process.kill()

    assert len(house.documents(incoming)) == file
    assert_fetched_whole_after_another_run(house, incoming)
    assert house.downloads() == 4, "what had come is not fetched again"


@pytest.mark.rule("NX-9-7", "NX-9-10")
@pytest.mark.parametrize("table", ["documents", "document_exchanges", "activity"])
def test_killed_between_a_file_s_bytes_and_its_rows(house, start, incoming, table):
    killed_at(house.dsn, table, start)

    assert (house.documents(incoming), exchanges(house)) == ([], [])
    assert_fetched_whole_after_another_run(house, incoming)


@pytest.mark.rule("NX-9-10")
def test_killed_after_everything_was_fetched_and_before_the_work_was_ended(house, start, incoming):
    house.nexus.fault("slow", "files/*", after=2, seconds=2)
    process = start()
    until(seen(house, "GET", "/files/", 3))
    with stopping(house.dsn, "work_items") as until_stopped:
        until(lambda: len(house.documents(incoming)) == 3)
        until_stopped()
        process.kill()

    assert (DOCUMENT_FETCH, str(incoming)) in house.items(parked=False)
    assert_fetched_whole_after_another_run(house, incoming)
    assert house.downloads() == 3


@pytest.mark.rule("NX-2.7-4")
def test_killed_before_a_file_that_is_no_document_was_parked(house, start, incoming):
    house.nexus.fault("broken", "files/*", times=1)
    killed_at(house.dsn, "document_exchanges", start)

    assert exchanges(house) == []
    assert_fetched_whole_after_another_run(house, incoming)


# ETAs: telling one again does no harm, not telling it would


@pytest.fixture
def expected(house) -> int:
    """A delivery of ours on a trip, with an ETA."""
    one = house.consignment("delivery")
    with house.conn.transaction():
        movements.set_route(house.conn, one, "delivery", "T-77", 1, "planner")
        movements.set_eta(house.conn, one, "delivery", house.now + timedelta(hours=2), None, "planner")
    house.ask(one, ETA_EXPORT)
    return one


def assert_told_after_another_run(house: House, one: int, calls: int) -> None:
    house.play_out()
    told = house.nexus.look("etas")["calls"]
    assert [eta["consignmentNumber"] for call in told for eta in call["etas"]] == [house.number(one)] * calls
    assert house.rows("SELECT route, refusal FROM eta_exports") == [("T-77", None)]
    assert house.items(parked=False) == house.items(parked=True) == {}
    house.ask(one, ETA_EXPORT)
    house.work(ETA_EXPORT)
    assert len(house.nexus.look("etas")["calls"]) == calls


@pytest.mark.rule("NX-10-5")
@pytest.mark.parametrize(("accept", "calls"), [(True, 2), (False, 1)])
def test_killed_while_optimize_was_answering(house, start, expected, accept, calls):
    house.nexus.fault("timeout", "optimize/etas", accept=accept)
    process = start()
    until(seen(house, "POST", "/etas"))
    process.kill()
    assert house.rows("SELECT count(*) FROM eta_exports") == [(0,)]
    assert_told_after_another_run(house, expected, calls)


@pytest.mark.rule("NX-10-5")
def test_killed_before_the_accepted_eta_was_written_down(house, start, expected):
    killed_at(house.dsn, "eta_exports", start)
    assert house.rows("SELECT count(*) FROM eta_exports") == [(0,)]
    assert_told_after_another_run(house, expected, 2)
