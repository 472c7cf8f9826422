"""Fetching one consignment into the order store (contract 2.5)."""

from datetime import UTC, datetime, timedelta

import pytest

from palletflow.network_errors import NotFound
from palletflow.networks.palletforce.fetch import fetch_consignment
from palletflow.networks.palletforce.mapper import Mapper

NOW = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)


@pytest.fixture
def fetch_one(conn, plan, open_client):
    def run(number: str, at: datetime = NOW):
        client = open_client()
        mapper = Mapper(plan, client.settings.local_time, import_unaccepted=False)
        return fetch_consignment(conn, client, mapper, plan, "900", number, now=at, run="test", actor="ops")

    return run


@pytest.mark.rule("PF-2.5-1", "PF-2.5-4")
def test_a_consignment_is_fetched_with_its_routing_and_leaves_the_watermark(simulator, fetch_one, fetch):
    wanted, _ = simulator.create(depot="900", role="requested", count=2)

    assert fetch_one(wanted).created == 1

    [(number, depots)] = fetch(
        "SELECT tracking_number, ARRAY[requesting_depot, collecting_depot, delivery_depot] FROM consignments"
    )
    assert number == wanted
    assert all(depots)
    assert fetch("SELECT actor, source FROM activity") == [("ops", "palletforce single_fetch 900")]
    assert fetch("SELECT count(*) FROM watermarks") == [(0,)]


def test_fetching_what_a_pull_brought_changes_nothing_until_the_network_does(simulator, pull, fetch_one):
    [number] = simulator.create(depot="900", role="requested")
    pull("900")
    assert fetch_one(number, NOW + timedelta(minutes=1)).unchanged == 1

    simulator.control("clock", advance_s=60)
    simulator.control("change", trackingNumber=number, serviceName="C")
    assert fetch_one(number, NOW + timedelta(minutes=2)).updated == 1


@pytest.mark.rule("PF-2.5-5")
def test_an_unknown_number_is_said_and_stores_nothing(simulator, fetch_one, fetch):
    with pytest.raises(NotFound, match=r"no consignment 9000010000123\. Check the number"):
        fetch_one("9000010000123")
    assert fetch("SELECT count(*) FROM inbound_batches") == [(0,)]
