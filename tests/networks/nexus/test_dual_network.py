"""One deployment with a depot of both networks and beside it depots of Pall-Ex only and of Fortec only (contract 4)."""

import pytest
from tests.conftest import NOW
from tests.networks.dispatching import faults
from tests.networks.nexus.polling import Poller

# Depot of ours: the networks it is a member of.
MEMBERS = {"PGD302": ("PALLEX", "FORTEC"), "UKD101": ("PALLEX",), "FTD201": ("FORTEC",)}
# Who sends what ours deliver.
OTHERS = {"PALLEX": "UKD115", "FORTEC": "FTD205"}


def for_delivery(nexus_sim, depot, network, count=1):
    """Consignments of another member that a depot of ours delivers."""
    sender = {"originatingDepotCode": OTHERS[network], "collectingDepotCode": OTHERS[network]}
    return nexus_sim.add_many(depot=depot, role="delivery", network=network, count=count, **sender)


@pytest.mark.rule("NX-4-2", "NX-4-3", "NX-4-4", "NX-4-5", "NX-5-24", "NX-1-2", "NX-2.3-2")
def test_one_deployment_serves_depots_of_both_networks_and_of_either(poller, nexus_sim, fetch):
    added = {
        (depot, network): for_delivery(nexus_sim, depot, network, count=3)
        for depot, networks in MEMBERS.items()
        for network in networks
    }
    requested = {
        (depot, account): nexus_sim.add(depot=depot, role="requesting", network=network, customerID=account,
                                           deliveryDepotCode=OTHERS[network])
        for depot, network, account in (
            ("PGD302", "PALLEX", 20001), ("PGD302", "FORTEC", 30001), ("PGD302", "PALLEX", 20002),
            ("UKD101", "PALLEX", 20002), ("FTD201", "FORTEC", 30002),
        )
    }  # fmt: skip

    polled = {depot: poller(depot) for depot in MEMBERS}

    # Each depot sees what it takes part in.
    assert {depot: one.created for depot, one in polled.items()} == {"PGD302": 9, "UKD101": 4, "FTD201": 4}
    assert {(one.rejected, one.failed, one.left) for one in polled.values()} == {(0, 0, 0)}
    held = {
        int(number): (origin, customer, roles)
        for number, origin, customer, roles in fetch(
            "SELECT tracking_number, additional_fields ->> 'nexus_origin', cu.code, our_roles FROM consignments c"
            " JOIN orders o ON o.id = c.order_id JOIN customers cu ON cu.id = o.customer_id"
        )
    }
    for (_, network), ids in added.items():
        for one in ids:
            assert held[one][0] == network
            assert "delivery" in held[one][2]
    # The customer is found by his ID on the network the consignment is on.
    assert {key: held[one][:2] for key, one in requested.items()} == {
        ("PGD302", 20001): ("PALLEX", "ACME"),
        ("PGD302", 30001): ("FORTEC", "ACME"),
        ("PGD302", 20002): ("PALLEX", "FOXGLOVE"),
        ("UKD101", 20002): ("PALLEX", "FOXGLOVE"),
        ("FTD201", 30002): ("FORTEC", "WHARFEDALE"),
    }
    assert fetch("SELECT count(*) FROM orders WHERE review_reason IS NOT NULL") == [(0,)]
    assert {party for (party,) in fetch("SELECT party FROM watermarks")} == {
        "nexus_pgd302", "nexus_ukd101", "nexus_ftd201",
    }  # fmt: skip
    # A second round finds nothing new through any of them.
    assert {(poller(depot).read) for depot in MEMBERS} == {0}


@pytest.mark.rule("NX-4-2", "NX-4-5", "NX-8-1")
def test_scans_of_both_networks_reach_their_orders_through_one_connection(poller, nexus_sim, fetch):
    pallex = nexus_sim.add(depot="PGD302", role="requesting", network="PALLEX")
    fortec = nexus_sim.add(depot="PGD302", role="requesting", network="FORTEC")
    poller()
    nexus_sim.scan(pallex, "Collected")
    nexus_sim.scan(fortec, "At Hub")
    poller.later(minutes=3)

    poller()

    assert fetch("SELECT additional_fields ->> 'nexus_origin', lifecycle_status FROM consignments ORDER BY 1") == [
        ("FORTEC", "AT_HUB"),
        ("PALLEX", "COLLECTED"),
    ]


@pytest.mark.rule("NX-4-5", "NX-11-25")
def test_without_the_network_field_customer_and_depots_tell_the_networks_apart(poller, nexus_sim, fetch):
    nexus_sim.control("options", absent_fields=["network"])
    ids = {}
    for depot, networks in MEMBERS.items():
        for network in networks:
            ids[nexus_sim.add(depot=depot, role="requesting", network=network)] = network
            ids[for_delivery(nexus_sim, depot, network)[0]] = network

    for depot in MEMBERS:
        poller(depot)

    found = {
        int(number): (origin, reason)
        for number, origin, reason in fetch(
            "SELECT tracking_number, additional_fields ->> 'nexus_origin', review_reason FROM consignments c"
            " JOIN orders o ON o.id = c.order_id"
        )
    }
    assert found == {one: (network, None) for one, network in ids.items()}


@pytest.mark.rule("NX-4-6", "NX-11-25")
def test_where_all_depots_are_members_of_both_a_person_has_to_say(poller, nexus_sim, fetch):
    both = {"originatingDepotCode": "PGD310", "collectingDepotCode": "PGD310"}
    nexus_sim.add(depot="PGD302", role="delivery", absent=["network"], **both)

    assert poller().created == 1

    [(origin, reason)] = fetch("SELECT additional_fields ->> 'nexus_origin', review_reason FROM consignments c"
                               " JOIN orders o ON o.id = c.order_id")  # fmt: skip
    assert origin is None
    assert reason.startswith("Network unknown")


@pytest.mark.rule("NX-4-1", "NX-4-2", "NX-4-3", "NX-4-4", "NX-4-11")
def test_one_deployment_dispatches_to_both_networks_and_imports_from_both_for_every_kind_of_depot(haulier, tmp_path):
    resources = {"PALLEX": "PALLEX_OUT", "FORTEC": "FORTEC_OUT"}
    customers = {"PALLEX": ("FOXGLOVE", "20002"), "FORTEC": ("WHARFEDALE", "30002")}
    incoming = {
        (depot, network): for_delivery(haulier.nexus, depot, network)[0]
        for depot, networks in MEMBERS.items()
        for network in networks
    }
    outgoing = {}
    for depot in MEMBERS:
        for network, resource in resources.items():
            customer, account = customers[network]
            order = haulier.order(
                customer=customer, requesting_depot=depot, account="", reference=f"{depot} {network}",
                additional_fields={"nexus_origin": network},
            )  # fmt: skip
            haulier.dispatch(order, resource=resource)
            outgoing[depot, network, account] = order
    haulier.work()
    poller = Poller(haulier.conn, haulier.plan, haulier.nexus, tmp_path)
    poller.now = NOW
    for depot in MEMBERS:
        poller(depot)
    poller.close()

    # Out: what its depot is a member of, under the customer's ID of that network; the rest is refused before any call.
    for (depot, network, account), order in outgoing.items():
        held = haulier.of_order(order)
        if network in MEMBERS[depot]:
            assert haulier.state(order) == "completed"
            assert [(one["customerID"], one["originatingDepotCode"]) for one in held] == [(int(account), depot)]
            assert len(haulier.labels(order)) == 1
        else:
            assert (haulier.state(order), held) == ("failed", [])
            assert faults(haulier.task(order)) == {"requesting_depot": "NX103"}
    # In: the other members' consignments, each with the network it belongs to.
    origins = dict(haulier.rows("SELECT tracking_number, additional_fields ->> 'nexus_origin' FROM consignments"))
    assert {origins[str(id_)] == network for (_, network), id_ in incoming.items()} == {True}
    # What we created came back as what it is: no second order of it.
    assert haulier.rows("SELECT count(*) FROM orders") == [(len(incoming) + len(outgoing),)]
