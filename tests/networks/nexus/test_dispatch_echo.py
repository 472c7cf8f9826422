"""Dispatches beside the poll: what comes back of them is no news, and who finds one first ends the other's search."""

import pytest
from tests.conftest import NOW
from tests.networks.nexus.polling import Poller, change
from tests.networks.nexus.test_dispatch import CREATE, SEARCH


@pytest.fixture
def poll(haulier, tmp_path):
    """Polls as our first depot, at the simulator's time."""
    made = Poller(haulier.conn, haulier.plan, haulier.nexus, tmp_path)
    made.now = NOW
    yield made
    made.close()


FINE = {
    "notes": ["Ring the bell", "Ask for Joe"], "delivery": {"county": "West Yorkshire"}, "weight_kg": 850.01,
    "pallet_types": ["FULL", "HALF", "FULL"], "surcharges": ["TD"], "goods_description": "Parts",
    "additional_fields": {"delivery_from": "10:00", "delivery_to": "11:00", "limited_quantities": "true"},
    "pallet_details": [{"do_not_stack": True, "weight_kg": 200.5}, {}, {"base": "CHEP"}],
}  # fmt: skip
OURS = (
    "SELECT c.service, c.surcharges, c.notes, c.weight_kg, c.collection_date, c.delivery_date, "
    "s.name, s.street, s.county, s.postcode, s.phone FROM consignments c JOIN stops s ON s.consignment_id = c.id "
    "ORDER BY s.kind"
)


@pytest.mark.parametrize("when", ["before it was read back", "later"])
def test_what_was_sent_comes_back_as_it_was(haulier, poll, when):
    # Of a pick-up at the customer's own address Nexus shows its own words, which are known once they were read.
    pickup = {"street": "2 Other Lane"} if when != "later" else {}
    order = haulier.order(**FINE, pickup=pickup)
    haulier.dispatch(order)
    haulier.work()
    if when == "later":
        haulier.later(2)
        poll.later(hours=1)
    before = haulier.rows(OURS)
    polled = poll()

    assert (polled.created, polled.rejected) == (0, 0)
    assert haulier.rows(OURS) == before
    assert haulier.review(order) is None
    assert haulier.rows("SELECT count(*) FROM orders") == [(1,)]
    [held] = haulier.of_order(order)
    assert haulier.fact(order, "delivery_depot") == held["deliveryDepotCode"]
    assert [code for code, _ in haulier.barcodes()] == held["barcodes"]
    assert [label.stale_at for label in haulier.labels(order)] == [None]


@pytest.mark.rule("NX-7-9")
def test_what_comes_back_as_it_was_sent_is_imported_once(haulier, poll):
    haulier.sent(**FINE)
    haulier.later(2)
    batches = []
    for _ in range(4):
        # On no list any more, so that it is read in turn.
        poll.later(days=1)
        poll()
        batches.append(haulier.rows("SELECT count(*) FROM inbound_batches"))

    assert batches[2:] == batches[1:3]


def test_what_is_changed_in_the_portal_is_news(haulier, poll):
    order = haulier.sent(**FINE)
    haulier.later(2)
    poll()
    [held] = haulier.of_order(order)
    change(haulier.nexus, held["consignmentID"], delAddressLine1="18 Wharf Lane")
    poll.later(minutes=20)
    poll()

    assert "delivery_street: 18 Wharf Lane in the network, 17 Wharf Lane here" in (haulier.review(order) or "")


@pytest.mark.rule("NX-6-6", "NX-6-7")
@pytest.mark.parametrize("depots", ["named", "not named"])
def test_a_poll_that_finds_it_first_ends_the_search(haulier, poll, depots):
    if depots == "not named":
        codes = ["originatingDepotCode", "collectingDepotCode", "deliveryDepotCode"]
        haulier.nexus.control("options", absent_fields=codes)
    haulier.nexus.fault("timeout", **CREATE, accept=True)
    haulier.nexus.fault("http_500", times=6, **SEARCH)
    order = haulier.sent()
    assert haulier.state(order) == "unknown"
    poll()
    assert haulier.rows("SELECT count(*) FROM orders") == [(1,)]
    haulier.play_out()

    assert haulier.state(order) == "completed"
    assert haulier.fact(order, "tracking_number") == str(haulier.of_order(order)[0]["consignmentID"])
    assert haulier.rows("SELECT count(*) FROM orders WHERE cancelled_at IS NULL") == [(1,)]
    assert len(haulier.creates()) == 1
    assert len(haulier.labels(order)) == 1


def test_what_was_taken_back_is_not_imported_as_another_order(haulier, poll):
    order = haulier.sent()
    haulier.later(2)
    haulier.cancel(order)
    haulier.work()
    assert haulier.state(order) == "todo"
    poll()

    assert haulier.rows("SELECT count(*) FROM orders") == [(1,)]
    assert haulier.fact(order, "tracking_number") is None


@pytest.mark.rule("NX-6-5")
def test_what_a_poll_imported_is_adopted(haulier, poll):
    haulier.nexus.add(depot="PGD302", role="requesting", network="PALLEX", customerID=20001)
    assert poll().created == 1
    [(order,)] = haulier.rows("SELECT id FROM orders")
    haulier.dispatch(order)
    haulier.work()

    assert haulier.state(order) == "completed"
    assert haulier.creates() == []
    assert len(haulier.labels(order)) == 1
