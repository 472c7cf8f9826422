"""Fetching one consignment into the order store now (contract 2.2, 9.5)."""

import pytest
from tests.networks.nexus.polling import change

from palletflow.network_errors import NotFound
from palletflow.networks.nexus.errors import NexusServerError


@pytest.mark.rule("NX-2.2-6", "NX-2.3-2", "NX-9-18")
@pytest.mark.parametrize("by", ["id", "number", "number in small letters", "barcode"])
def test_a_consignment_is_fetched_by_its_id_its_number_or_a_barcode(poller, nexus_sim, fetch, by):
    wanted, _ = nexus_sim.add(role="requesting", pallets=2), nexus_sim.add(role="requesting")
    held = nexus_sim.one(wanted)
    nexus_sim.scan(wanted, "Collected")
    number = held["consignmentNumber"]
    terms = {"id": wanted, "number": number, "number in small letters": number.lower(), "barcode": held["barcodes"][1]}

    counts = poller.fetch(f" {terms[by]} ")

    assert counts.created == 1
    assert fetch("SELECT tracking_number, consignment_number, lifecycle_status FROM consignments") == [
        (str(wanted), number, "COLLECTED")
    ]
    assert fetch("SELECT actor, source FROM activity WHERE kind = 'created'") == [
        ("ops", "nexus single_fetch nexus_pgd302")
    ]
    # Its documents are looked for at once.
    assert fetch("SELECT kind, key FROM work_items") == [
        ("document_fetch", str(fetch("SELECT id FROM consignments")[0][0]))
    ]
    assert fetch("SELECT count(*) FROM watermarks") == [(0,)]


def test_fetching_what_a_poll_brought_changes_nothing_until_nexus_does(poller, nexus_sim):
    one = nexus_sim.add(role="requesting")
    poller()
    assert poller.fetch(str(one)).unchanged == 1
    change(nexus_sim, one, customerReference="PO-NEW")

    assert poller.fetch(str(one)).updated == 1
    assert poller.fetch(str(one)).unchanged == 1


@pytest.mark.rule("NX-7-12")
def test_what_was_given_up_is_read_on_request(poller, nexus_sim, conn, fetch):
    one = nexus_sim.add(role="requesting")
    nexus_sim.fault("http_404", f"consignments/{one}", "GET", times=1)
    assert poller().failed == 1
    conn.execute("UPDATE listed_records SET tries = 6")
    assert poller().read == 0

    assert poller.fetch(str(one)).created == 1

    assert fetch("SELECT settled_by FROM inbound_records WHERE outcome = 'rejected'") == [
        ("a later version of the record landed",)
    ]


@pytest.mark.rule("NX-7-16")
def test_a_cancelled_consignment_we_never_held_is_said_to_be_one(poller, nexus_sim, fetch):
    one = nexus_sim.add(role="requesting")
    nexus_sim.scan(one, "Cancelled", barcode=None)

    assert poller.fetch(str(one)).ignored == 1
    assert fetch("SELECT count(*) FROM work_items") == [(0,)]


@pytest.mark.rule("NX-2.2-6")
@pytest.mark.parametrize("wanted", ["799999", "QG9999999", "1044999999999999", "PX"])
def test_what_nexus_does_not_know_is_said_and_stores_nothing(poller, nexus_sim, fetch, wanted):
    nexus_sim.add_many(count=3)

    with pytest.raises(NotFound, match=rf"no consignment '{wanted}'\. Check the number"):
        poller.fetch(wanted)

    assert fetch("SELECT count(*) FROM inbound_batches") == [(0,)]


@pytest.mark.rule("NX-2.2-6")
def test_a_reference_names_no_consignment(poller, nexus_sim):
    nexus_sim.add(customerReference="PO-1")

    with pytest.raises(NotFound, match="no consignment 'PO-1'"):
        poller.fetch("PO-1")


def test_one_barcode_on_two_consignments_names_neither(poller, nexus_sim):
    for _ in range(2):
        nexus_sim.add(pallets=[{"barcode": "1044000000000001"}])

    with pytest.raises(NotFound, match="2 consignments are '1044000000000001'"):
        poller.fetch("1044000000000001")


@pytest.mark.rule("NX-2.3-2")
def test_a_depot_fetches_only_what_it_takes_part_in(poller, nexus_sim):
    one = nexus_sim.add(depot="UKD101", role="delivery", network="PALLEX")

    with pytest.raises(NotFound):
        poller.fetch(str(one), depot="FTD201")
    assert poller.fetch(str(one), depot="UKD101").created == 1


def test_a_history_that_cannot_be_read_is_said_after_the_order_was_stored(poller, nexus_sim, fetch):
    one = nexus_sim.add(role="requesting")
    nexus_sim.fault("http_500", f"consignments/{one}/statuses", "GET", times=None)

    with pytest.raises(NexusServerError):
        poller.fetch(str(one))

    assert fetch("SELECT count(*) FROM consignments") == [(1,)]
