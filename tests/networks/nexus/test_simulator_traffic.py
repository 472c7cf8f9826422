"""The Nexus simulator's living sample traffic, and long lists."""

import pytest
from tests.networks.nexus.simulated import SimulatedNexus, create_body

from palletflow.networks.nexus.sandbox import sandbox_connections
from palletflow.networks.nexus.simulator import OUR_DEPOTS

OURS = {20001, 20002, 30001, 30002}


@pytest.fixture(scope="module")
def living():
    served = SimulatedNexus(traffic=True)
    yield served
    served.stop()


def listed(sim, depot):
    rows = []
    while page := sim.get("consignments", depot=depot, limit=100, offset=len(rows)):
        rows += page
    return rows


@pytest.mark.parametrize("depot", OUR_DEPOTS)
def test_every_depot_has_deliveries_and_consignments_of_its_customers_in_many_states(living, depot):
    living.reset()
    rows = listed(living, depot)

    assert 24 <= len(rows) <= 200
    assert len({row["status"]["name"] for row in rows}) >= 5
    inbound = [row for row in rows if row["deliveryDepotCode"] == depot]
    outbound = [row for row in rows if row["originatingDepotCode"] == depot]
    assert len(inbound) >= 10
    assert len(outbound) >= 10
    assert {row["customerID"] for row in outbound} <= OURS
    assert not {row["customerID"] for row in inbound} & OURS
    assert {row["createdDate"] for row in rows} >= {"2026-07-10", "2026-07-13"}
    assert any(one["type"] == "POD" for held in living.held() for one in held["attachments"])


def test_a_depot_of_both_networks_has_traffic_on_both(living):
    living.reset()
    by_depot = {
        depot: {
            living.get(f"consignments/{row['consignmentID']}", depot=depot)["network"]
            for row in listed(living, depot)[:12]
        }
        for depot in OUR_DEPOTS
    }
    assert by_depot == {"PGD302": {"PALLEX", "FORTEC"}, "UKD101": {"PALLEX"}, "FTD201": {"FORTEC"}}


@pytest.mark.rule("NX-11-1")
def test_it_moves_on_with_the_clock_the_same_way_every_time(living):
    def story():
        living.reset(seed=5)
        before = {row["consignmentID"]: row["status"]["name"] for row in listed(living, "PGD302")}
        living.control("clock", advance_s=86_400)
        return before, {row["consignmentID"]: row["status"]["name"] for row in listed(living, "PGD302")}

    (before, after), again = story(), story()
    assert again == (before, after)
    assert len(after) > len(before)
    moved = [one for one in before if after[one] != before[one]]
    assert len(moved) >= 5
    assert "Delivered" in {after[one] for one in moved}


def test_what_our_own_drivers_do_is_left_to_the_client(living):
    living.reset()
    living.control("clock", advance_s=3 * 86_400)
    inbound = [one for one in living.held() if one["deliveryDepotCode"] in OUR_DEPOTS]
    outbound = [one for one in living.held() if one["collectingDepotCode"] in OUR_DEPOTS]
    assert {event["status"] for one in inbound for event in one["statuses"]} == {
        "Booked", "Manifested", "Collected", "At Collecting Depot", "At Hub", "In Transit",
    }  # fmt: skip
    assert not any(one["attachments"] for one in inbound)
    assert "Collected" not in {event["status"] for one in outbound for event in one["statuses"]}
    delivered = [one for one in outbound if one["status"]["name"] == "Delivered" and one["createdDate"] < "2026-07-13"]
    assert delivered
    assert all("MPOD" in {file["type"] for file in one["attachments"]} for one in delivered)
    assert all(one["estimatedDelDate"] and one["startWindow"] for one in delivered)


def test_a_created_consignment_moves_too(living):
    living.reset()
    made = living.call("POST", "consignments", json=create_body(living, deliveryAddress__postcode="M17 1AA"))
    living.control("clock", advance_s=2 * 86_400)
    held = living.one(made.json()["consignmentID"])
    assert held["status"]["name"] in ("Delivered", "Refused", "Failed Delivery", "Damaged", "Short")
    assert [event["status"] for event in held["statuses"]][:2] == ["Booked", "Manifested"]


def test_a_cancelled_consignment_stays_where_it_is(living):
    living.reset()
    made = living.call("POST", "consignments", json=create_body(living)).json()["consignmentID"]
    assert living.call("DELETE", f"consignments/{made}").status_code == 204
    living.control("clock", advance_s=2 * 86_400)
    assert [event["status"] for event in living.one(made)["statuses"]] == ["Booked", "Cancelled"]


@pytest.mark.rule("NX-11-9")
def test_thousands_of_consignments_are_listed_page_by_page_without_gap(nexus_sim):
    made = nexus_sim.add_many(count=5200, depot="UKD101", role="delivery", **{"from": "2026-07-01", "to": "2026-07-13"})
    rows = listed(nexus_sim, "UKD101")
    assert [row["consignmentID"] for row in rows] == made[::-1]
    days = {row["createdDate"] for row in rows}
    assert (len(days), min(days), max(days)) == (12, "2026-07-01", "2026-07-12")


@pytest.mark.rule("NX-8-24")
def test_the_sandbox_has_a_connection_for_each_user_and_for_optimize(living):
    connections = sandbox_connections(living.root)
    assert set(connections) == {"nexus_pgd302", "nexus_ukd101", "nexus_ftd201", "nexus_optimize"}
    one = connections["nexus_ukd101"]
    assert one["host"] == living.base_url
    assert one["extra"]["status_export"] is True
    assert living.login(one["login"])
    assert connections["nexus_optimize"]["host"] == f"{living.root}/optimize"
