"""Cancelling an order takes its consignment back from Nexus, as long as it can (contract 2.5, 6.5)."""

import pytest
from tests.conftest import NOW
from tests.networks.nexus.polling import Poller
from tests.networks.nexus.test_dispatch import CREATE, SEARCH

from palletflow.networks.nexus.client import NexusClient
from palletflow.networks.nexus.work import CANCEL, NETWORK
from palletflow.orders.lifecycle import Status
from palletflow.orders.tracking import Event
from palletflow.store import session_lock, tracking, work_items
from palletflow.store.connection import connect

DELETE = {"method": "DELETE", "path": "consignments/*"}
GET = {"method": "GET", "path": "consignments/*"}


def status(haulier, order: int) -> str:
    [held] = haulier.of_order(order)
    return str(held["status"]["name"])


def deletes(haulier) -> int:
    return sum(call.startswith("DELETE") for call in haulier.calls())


def assert_taken_back(haulier, order: int) -> None:
    """The end state the contract demands, on both sides."""
    assert status(haulier, order) == "Cancelled"
    assert haulier.one(
        "SELECT tracking_number, registered, dispatch_state, lifecycle_status, consignment_number FROM consignments"
    ) == (None, False, "todo", "CANCELLED", "QG0000001R2")
    assert all(label.stale_at for label in haulier.labels(order))
    assert haulier.barcodes() == []
    assert haulier.review(order) is None
    assert haulier.items(parked=True) == haulier.items(parked=False) == {}
    assert haulier.history(order).count("cancelled in the network") == 1


def assert_stays_live(haulier, order: int, because: str) -> None:
    """A person is told why, and nothing has changed."""
    assert haulier.state(order) == "completed"
    assert haulier.fact(order, "registered")
    assert because in (haulier.review(order) or "")
    assert haulier.history(order).count("flagged for review") == 1
    assert [label.stale_at for label in haulier.labels(order)] == [None]
    assert haulier.items(parked=True) == haulier.items(parked=False) == {}


@pytest.fixture
def sent(haulier):
    """An order that Nexus has, read back and with its label."""
    order = haulier.sent()
    haulier.later(2)
    return order


@pytest.mark.rule("NX-6-17", "NX-6-18", "NX-2.5-1", "NX-2.5-3", "NX-2.4-18")
def test_a_cancelled_order_is_cancelled_on_nexus_and_its_label_is_void(haulier, sent):
    haulier.cancel(sent)
    haulier.work()

    assert_taken_back(haulier, sent)
    assert len(haulier.labels(sent)) == 1


@pytest.mark.rule("NX-3-3", "NX-2.4-18", "NX-2.4-4")
def test_dispatched_again_it_goes_out_under_the_next_number(haulier, sent):
    for number in ("QG0000001R2", "QG0000001R3"):
        haulier.cancel(sent)
        haulier.work()
        haulier.restore(sent)
        haulier.change(sent, "notes", [f"As {number}"])
        haulier.complete(sent)
        haulier.work()
        assert (haulier.state(sent), haulier.fact(sent, "consignment_number")) == ("completed", number)
        haulier.later(2)

    states = {held["consignmentNumber"]: held["status"]["name"] for held in haulier.of_order(sent)}
    assert states == {"QG0000001": "Cancelled", "QG0000001R2": "Cancelled", "QG0000001R3": "Booked"}
    assert haulier.fact(sent, "lifecycle_status") == "CREATED"
    assert [label.name for label in haulier.labels(sent) if label.stale_at is None] == ["label_QG0000001R3.pdf"]


@pytest.mark.rule("NX-6-17")
@pytest.mark.parametrize("known", ["COLLECTED", "AT_HUB", "OUT_FOR_DELIVERY", "DELIVERED"])
def test_what_we_know_as_collected_is_not_even_asked_for(haulier, sent, known):
    haulier.change(sent, "lifecycle_status", known)
    haulier.cancel(sent)
    haulier.work()

    assert deletes(haulier) == 0
    assert_stays_live(haulier, sent, "collected already")


@pytest.mark.rule("NX-6-20", "NX-2.5-1", "NX-11-26")
def test_what_nexus_knows_as_collected_stays_live(haulier, sent):
    haulier.nexus.scan(int(haulier.fact(sent, "tracking_number")), "Collected")
    haulier.cancel(sent)
    haulier.work()

    assert deletes(haulier) == 1
    assert_stays_live(haulier, sent, "collected already")


@pytest.mark.rule("NX-6-19", "NX-2.5-2", "NX-11-26")
def test_what_was_cancelled_in_the_portal_before_is_cancelled(haulier, sent):
    haulier.nexus.scan(int(haulier.fact(sent, "tracking_number")), "Cancelled")
    haulier.cancel(sent)
    haulier.work()

    assert_taken_back(haulier, sent)


@pytest.mark.rule("NX-6-19")
def test_what_nexus_shows_no_more_is_cancelled(haulier, sent):
    haulier.nexus.fault("http_404", **DELETE)
    haulier.nexus.fault("http_404", **GET)
    haulier.cancel(sent)
    haulier.work()

    assert haulier.fact(sent, "registered") is False
    assert haulier.state(sent) == "todo"


@pytest.mark.rule("NX-6-19", "NX-11-26", "NX-1-20")
@pytest.mark.parametrize("status_code", [404, 405])
def test_without_a_call_for_it_a_person_cancels_it_in_the_portal(haulier, sent, status_code):
    haulier.nexus.control("options", not_offered={"cancel": status_code})
    haulier.cancel(sent)
    haulier.work()

    assert status(haulier, sent) == "Booked"
    assert_stays_live(haulier, sent, "cancel it in the portal")


@pytest.mark.rule("NX-6-21")
def test_while_nobody_knows_whether_it_was_created_that_is_found_out_first(haulier):
    haulier.nexus.fault("timeout", **CREATE, accept=True)
    haulier.nexus.fault("http_500", **SEARCH, times=6)
    order = haulier.sent()
    assert haulier.state(order) == "unknown"
    haulier.cancel(order)
    haulier.work()
    assert deletes(haulier) == 0
    haulier.play_out()

    assert_taken_back(haulier, order)
    assert len(haulier.creates()) == 1


@pytest.mark.rule("NX-6-21", "NX-6-10")
def test_what_turns_out_not_to_have_been_created_needs_no_cancel(haulier):
    haulier.nexus.fault("timeout", **CREATE, accept=False)
    order = haulier.sent()
    haulier.cancel(order)
    haulier.play_out()

    assert (haulier.state(order), haulier.of_order(order)) == ("failed", [])
    assert (len(haulier.creates()), deletes(haulier)) == (1, 0)
    assert haulier.review(order) is None


@pytest.mark.rule("NX-6-21")
def test_what_was_left_to_a_person_is_looked_for_once_more(haulier):
    haulier.nexus.fault("timeout", **CREATE, accept=False)
    haulier.nexus.fault("timeout", **CREATE, accept=True)
    haulier.nexus.fault("json", **SEARCH, body=[], times=None)
    order = haulier.sent()
    haulier.later(5, 25, 90, 5, 25, 90)
    assert len(haulier.items(parked=True)) == 1
    haulier.nexus.control("faults", clear=True)
    haulier.cancel(order)
    haulier.play_out()

    assert_taken_back(haulier, order)


def test_an_order_restored_before_it_was_cancelled_there_stays(haulier, sent):
    haulier.cancel(sent)
    haulier.restore(sent)
    haulier.work()

    assert (deletes(haulier), haulier.state(sent)) == (0, "completed")
    assert haulier.items(parked=False) == {}


def test_what_nexus_never_had_needs_no_cancel(haulier):
    order = haulier.order()
    haulier.dispatch(order)
    haulier.cancel(order)
    haulier.play_out()

    assert haulier.calls() == []
    assert haulier.state(order) == "failed"
    assert haulier.items(parked=False) == {}


def test_a_consignment_deleted_meanwhile_leaves_nothing_to_do(haulier):
    work_items.enqueue(haulier.conn, NETWORK, CANCEL, [999])
    assert haulier.work() == {"cancel": {"done": 1}}


@pytest.mark.rule("NX-6-4")
def test_a_cancel_waits_for_whoever_works_on_the_consignment(haulier, sent):
    haulier.cancel(sent)
    with connect(haulier.dsn) as other, session_lock.alone(other, f"nexus consignment {haulier.consignment(sent)}"):
        assert haulier.work() == {"cancel": {"again": 1}}
    assert deletes(haulier) == 0
    haulier.later(5)
    assert_taken_back(haulier, sent)


@pytest.mark.rule("NX-6-21")
def test_a_cancel_does_not_wait_for_ever_for_a_search_that_was_given_up(haulier):
    haulier.nexus.fault("timeout", **CREATE, accept=True)
    haulier.nexus.fault("http_403", **SEARCH, times=None)
    order = haulier.sent()
    haulier.cancel(order)
    haulier.play_out()

    assert "what became of its dispatch is not known" in (haulier.review(order) or "")
    assert {kind for kind, _ in haulier.items(parked=True)} == {"dispatch"}

    # Once the search can be made, it is found and taken back.
    haulier.nexus.control("faults", clear=True)
    haulier.conn.execute("UPDATE orders SET review_reason = NULL")
    work_items.requeue(haulier.conn, kind="dispatch")
    haulier.work()
    haulier.play_out()
    assert_taken_back(haulier, order)


@pytest.mark.rule("NX-6-17")
@pytest.mark.parametrize("effect", ["http_400", "http_403"])
def test_what_nexus_refuses_to_cancel_is_for_a_person(haulier, sent, effect):
    haulier.nexus.fault(effect, **DELETE)
    haulier.cancel(sent)
    haulier.work()

    assert deletes(haulier) == 1
    assert_stays_live(haulier, sent, "cancel it in the portal")


@pytest.mark.rule("NX-6-17")
def test_what_was_collected_before_it_was_damaged_is_not_even_asked_for(haulier, sent):
    collected = Event(
        "Collected", Status.COLLECTED, None, "", None, haulier.now, False, "", "", "", "", "", echo=False, raw={}
    )
    tracking.store(haulier.conn, haulier.consignment(sent), [collected])
    haulier.conn.execute("UPDATE consignments SET lifecycle_status = 'EXCEPTION', exception_reason = 'DAMAGED'")
    haulier.cancel(sent)
    haulier.work()

    assert deletes(haulier) == 0
    assert_stays_live(haulier, sent, "collected already")


def test_an_order_restored_while_nexus_cancels_it_tells_a_person(haulier, sent, monkeypatch):
    cancel = NexusClient.cancel

    def restored_meanwhile(client, consignment_id):
        cancel(client, consignment_id)
        haulier.restore(sent)

    monkeypatch.setattr(NexusClient, "cancel", restored_meanwhile)
    haulier.cancel(sent)
    haulier.work()

    assert (status(haulier, sent), haulier.state(sent)) == ("Cancelled", "todo")
    assert "complete its dispatch task again" in (haulier.review(sent) or "")


@pytest.fixture
def poll(haulier, tmp_path):
    """Polls as our first depot, at the simulator's time."""
    made = Poller(haulier.conn, haulier.plan, haulier.nexus, tmp_path)
    made.now = NOW
    yield made
    made.close()


@pytest.mark.rule("NX-7-16", "NX-3-3")
@pytest.mark.parametrize("asked_for", [False, True], ids=["in the portal alone", "after we asked for it"])
def test_what_a_person_cancelled_in_the_portal_can_be_sent_anew(haulier, sent, poll, asked_for):
    poll()
    if asked_for:
        haulier.nexus.fault("http_405", method="DELETE", path="consignments/*")
        haulier.cancel(sent)
        haulier.work()
        assert "cancel it in the portal" in (haulier.review(sent) or "")
    haulier.nexus.scan(int(haulier.fact(sent, "tracking_number")), "Cancelled")
    poll.later(minutes=20)
    poll()
    haulier.work()
    assert (haulier.state(sent), haulier.fact(sent, "registered")) == ("todo", False)

    haulier.restore(sent)
    haulier.complete(sent)
    haulier.work()
    assert (haulier.state(sent), haulier.fact(sent, "consignment_number")) == ("completed", "QG0000001R2")
