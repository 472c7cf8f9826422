"""Cancelling an order takes back what Palletways has not released; anything else is told to a person (contract 7.1)."""

import pytest
from tests.networks.dispatching import faults
from tests.networks.palletways.test_dispatch import MINUTE, TEMPLATE, find, lose

from palletflow.networks.palletways import cancel
from palletflow.networks.palletways.client import PalletwaysClient
from palletflow.networks.palletways.work import CANCEL, DISPATCH, NETWORK, TRACKING_ID
from palletflow.store import session_lock, work_items
from palletflow.store.connection import connect

DELETE = "deletePCConsignment"
OUTSTANDING = "dispatch: {confirm: false}\n" + TEMPLATE


def deletes(haulier) -> int:
    return haulier.methods().count(DELETE)


def assert_taken_back(haulier, order: int) -> None:
    """The end state the contract demands, on both sides."""
    assert haulier.sim.held() == []
    assert haulier.one(
        "SELECT tracking_number, registered, dispatch_state, lifecycle_status, consignment_number FROM consignments"
    ) == (None, False, "todo", "CANCELLED", "")
    assert (haulier.task(order).network_reference, haulier.task(order).transaction_number) == ("", "")
    assert haulier.items(parked=True) == {}
    assert haulier.history(order).count("cancelled in the network") == 1


def assert_flagged(haulier, order: int, because: str) -> None:
    """A person is told why, and nothing has changed."""
    assert haulier.state(order) == "completed"
    assert because in (haulier.review(order) or "")
    assert haulier.history(order).count("flagged for review") == 1
    assert haulier.items(parked=True) == {}


@pytest.fixture
def outstanding(haulier):
    """An order that Palletways has and no depot has accepted, submitted with a customer key."""
    haulier.settle(key_kind="customer")
    haulier.template(OUTSTANDING)
    return haulier.sent()


@pytest.mark.rule("PW-7.1-8", "PW-2.2-1")
def test_what_is_unconfirmed_is_deleted_with_a_customer_key(haulier, outstanding):
    haulier.cancel(outstanding)
    haulier.work()
    assert_taken_back(haulier, outstanding)
    assert haulier.review(outstanding) is None
    assert deletes(haulier) == 1
    haulier.play_out()
    assert haulier.items(parked=False) == {}, "nobody asks for its tracking ID and labels any more"


@pytest.mark.rule("PW-7.1-8", "PW-7.1-6")
def test_dispatched_again_it_goes_out_under_a_new_number_and_reference(haulier, outstanding):
    sent = []
    for _ in range(2):
        sent.append((haulier.task(outstanding).transaction_number, haulier.fact(outstanding, "consignment_number")))
        haulier.cancel(outstanding)
        haulier.work()
        haulier.restore(outstanding)
        haulier.complete(outstanding)
        haulier.work()
        assert haulier.state(outstanding) == "completed"
    sent.append((haulier.task(outstanding).transaction_number, haulier.fact(outstanding, "consignment_number")))
    consignment = haulier.consignment(outstanding)
    assert sent == [(f"PLF{consignment}-{n}", f"000000{n}") for n in (1, 2, 3)]
    assert [(one["reference"], one["number"]) for one in haulier.sim.held()] == sent[-1:]
    assert haulier.fact(outstanding, "lifecycle_status") == "CREATED"


@pytest.mark.rule("PW-7.1-8")
@pytest.mark.parametrize("key_kind", ["depot", "customer"])
def test_what_was_released_is_for_the_network(haulier, key_kind):
    haulier.settle(key_kind=key_kind)
    order = haulier.sent()
    haulier.play_out()
    haulier.cancel(order)
    haulier.work()
    assert_flagged(haulier, order, "contact the network")
    assert haulier.fact(order, "tracking_number") in (haulier.review(order) or "")
    assert (deletes(haulier), len(haulier.in_network(order))) == (0, 1)


def test_a_cancellation_that_is_worked_on_twice_flags_the_order_once(haulier):
    order = haulier.sent()
    haulier.play_out()
    haulier.cancel(order)
    haulier.work()
    work_items.enqueue(haulier.conn, NETWORK, CANCEL, [haulier.consignment(order)])
    haulier.work()
    assert_flagged(haulier, order, "contact the network")


@pytest.mark.rule("PW-7.1-8", "PW-1.1-8")
def test_a_depot_key_cannot_delete(haulier):
    haulier.template(OUTSTANDING)
    order = haulier.sent()
    haulier.cancel(order)
    haulier.work()
    assert_flagged(haulier, order, "delete it in the portal")
    assert (deletes(haulier), len(haulier.in_network(order))) == (0, 1)


@pytest.mark.rule("PW-7.1-8")
def test_what_was_confirmed_in_the_portal_meanwhile_is_for_the_network(haulier, outstanding):
    response_id = haulier.task(outstanding).network_reference
    haulier.sim.call("manifestConsignment", response_id, key=haulier.sim.customer_key)
    haulier.cancel(outstanding)
    haulier.work()
    assert_flagged(haulier, outstanding, "contact the network")
    assert (deletes(haulier), len(haulier.in_network(outstanding))) == (1, 1)


@pytest.mark.rule("PW-7.1-8")
def test_without_its_response_id_nothing_can_be_deleted(haulier):
    """It was stored, its answer was lost, and no look tells the response ID."""
    haulier.settle(key_kind="customer")
    haulier.template(OUTSTANDING)
    haulier.sim.switch(commit_then_drop={"createConsignment": {"value": True, "times": 1}})
    order = haulier.sent()
    assert (haulier.state(order), haulier.task(order).network_reference) == ("completed", "")
    haulier.cancel(order)
    haulier.work()
    assert_flagged(haulier, order, cancel.NO_RESPONSE_ID)


@pytest.mark.rule("PW-7.1-8")
def test_a_network_without_the_method_leaves_it_to_a_person(haulier, outstanding):
    haulier.sim.switch(http_code={DELETE: 404})
    haulier.cancel(outstanding)
    haulier.work()
    assert_flagged(haulier, outstanding, "contact the network")


@pytest.mark.rule("PW-7.1-8")
@pytest.mark.parametrize("fault", [{"hang": True}, {"drop_mid_body": 5}, {"http_code": 500}, {"http_code": 503}])
def test_a_delete_whose_answer_is_lost_is_made_again(haulier, outstanding, fault):
    [(name, value)] = fault.items()
    if name == "hang":
        haulier.impatient()
    haulier.sim.switch(**{name: {DELETE: {"value": value, "times": 1}}})
    haulier.cancel(outstanding)
    haulier.play_out()
    assert_taken_back(haulier, outstanding)
    assert deletes(haulier) == 2


@pytest.mark.rule("PW-7.1-8")
def test_an_order_restored_before_it_was_deleted_stays(haulier, outstanding):
    haulier.cancel(outstanding)
    haulier.restore(outstanding)
    haulier.work()
    assert (deletes(haulier), haulier.state(outstanding)) == (0, "completed")
    assert len(haulier.in_network(outstanding)) == 1


@pytest.mark.rule("PW-7.1-8")
def test_an_order_restored_while_it_was_deleted_tells_a_person(haulier, outstanding, monkeypatch):
    delete = PalletwaysClient.delete

    def restored_meanwhile(client, response_id):
        delete(client, response_id)
        haulier.restore(outstanding)

    monkeypatch.setattr(PalletwaysClient, "delete", restored_meanwhile)
    haulier.cancel(outstanding)
    haulier.work()
    assert (haulier.sim.held(), haulier.state(outstanding)) == ([], "todo")
    assert "complete its dispatch task again" in (haulier.review(outstanding) or "")


@pytest.mark.rule("PW-7.1-7", "PW-7.1-8")
def test_an_unknown_outcome_is_found_out_first(haulier):
    haulier.settle(key_kind="customer")
    haulier.template(OUTSTANDING)
    haulier.sim.switch(
        commit_then_drop={"createConsignment": {"value": True, "times": 1}},
        http_code={"conStatusByCustRef": {"value": 500, "times": 3}},
    )
    order = haulier.sent()
    assert haulier.state(order) == "unknown"
    haulier.cancel(order)
    haulier.work()
    assert haulier.review(order) is None
    haulier.later(*[10] * 6)
    assert_flagged(haulier, order, cancel.NO_RESPONSE_ID)
    assert len(haulier.submissions()) == 1


@pytest.mark.rule("PW-7.1-7", "PW-7.1-9")
def test_what_turns_out_not_to_have_been_stored_needs_no_cancel(haulier):
    lose(haulier)
    order = haulier.sent()
    find(haulier)
    haulier.cancel(order)
    haulier.play_out()
    assert faults(haulier.task(order)) == {"order": "CANCELLED"}
    assert (haulier.in_network(order), len(haulier.submissions()), deletes(haulier)) == ([], 1, 0)
    assert haulier.review(order) is None


@pytest.mark.rule("PW-7.1-7")
def test_what_was_left_to_a_person_is_looked_for_once_more(haulier):
    lose(haulier)
    order = haulier.sent()
    haulier.play_out()
    assert haulier.items(parked=True).keys() == {(DISPATCH, str(haulier.consignment(order)))}
    find(haulier)
    haulier.cancel(order)
    haulier.play_out()
    assert faults(haulier.task(order)) == {"order": "CANCELLED"}
    assert haulier.items(parked=True) == {}
    assert haulier.review(order) is None


@pytest.mark.rule("PW-7.1-7")
def test_a_cancel_does_not_wait_for_ever_for_a_search_that_was_given_up(haulier):
    lose(haulier)
    haulier.sim.switch(http_code=dict.fromkeys(("conStatusByCustRef", "conStatusByConNo", "consEntered"), 404))
    order = haulier.sent()
    haulier.cancel(order)
    haulier.play_out()
    assert "what became of its dispatch is not known" in (haulier.review(order) or "")
    assert {kind for kind, _ in haulier.items(parked=True)} == {DISPATCH}


@pytest.mark.rule("PW-7.1-8")
def test_what_palletways_never_had_needs_no_cancel(haulier):
    order = haulier.order()
    haulier.dispatch(order)
    haulier.cancel(order)
    haulier.play_out()
    assert haulier.methods() == []
    assert haulier.state(order) == "failed"
    assert haulier.items(parked=False) == {}


def test_a_consignment_deleted_meanwhile_leaves_nothing_to_do(haulier):
    work_items.enqueue(haulier.conn, NETWORK, CANCEL, [999])
    assert haulier.work() == {CANCEL: {"done": 1}}


@pytest.mark.rule("PW-7.1-8")
def test_a_cancel_waits_for_whoever_works_on_the_consignment(haulier, outstanding):
    haulier.cancel(outstanding)
    lock = f"{NETWORK} consignment {haulier.consignment(outstanding)}"
    with connect(haulier.dsn) as other, session_lock.alone(other, lock):
        assert haulier.work(CANCEL) == {CANCEL: {"again": 1}}
    assert deletes(haulier) == 0
    haulier.later(6)
    assert_taken_back(haulier, outstanding)


@pytest.mark.rule("PW-7.1-5", "PW-7.1-8")
def test_a_tracking_id_that_is_found_while_it_is_deleted_is_that_of_no_order(haulier, outstanding, monkeypatch):
    """The look for it began before, and ends after the consignment was taken back and dispatched anew."""
    [held] = haulier.in_network(outstanding)
    old = {"dc_syscon": "60000009999", "c_cusref": held["reference"], "c_account": "ACM001"}

    def taken_back_meanwhile(_client, _response_id):
        monkeypatch.undo()
        haulier.cancel(outstanding)
        haulier.work(CANCEL)
        haulier.restore(outstanding)
        haulier.complete(outstanding)
        haulier.work(DISPATCH)
        return [old]

    monkeypatch.setattr(PalletwaysClient, "basics_by_response_id", taken_back_meanwhile)
    haulier.advance(MINUTE + 1)
    # This kind alone: what is asked for meanwhile is worked off above, in that order.
    haulier.work(TRACKING_ID)
    assert haulier.fact(outstanding, "tracking_number") is None
    assert len(haulier.in_network(outstanding)) == 1
