"""Deliveries whose POD nobody has: listed for people, whichever network they are of."""

from datetime import timedelta

import pytest
from tests.networks.nexus.exchanging import House

from palletflow import cli
from palletflow.store.missing_pods import missing_pods

LONG_AGO = timedelta(hours=49)


@pytest.fixture
def house(conn, dsn, plan, nexus_sim, tmp_path):
    made = House(conn, dsn, plan, nexus_sim, tmp_path / "documents")
    yield made
    made.close()


def listed(house, hours=48, network=None):
    return [one.consignment_id for one in missing_pods(house.conn, house.now - timedelta(hours=hours), network)]


@pytest.mark.rule("NX-9-19")
def test_a_delivery_by_another_is_listed_after_48_hours_until_its_pod_is_here(house):
    late, fresh = house.consignment("requesting"), house.consignment("collecting")
    at = house.deliver(late, LONG_AGO)
    house.deliver(fresh, timedelta(hours=47))
    [missing] = missing_pods(house.conn, house.now - timedelta(hours=48))
    assert missing._asdict() == {
        "consignment_id": late,
        "order_id": house.one("SELECT order_id FROM consignments WHERE id = %s", late)[0],
        "network": "nexus",
        "tracking_number": str(house.nexus_id(late)),
        "consignment_number": house.number(late),
        "reference": "SO-1",
        "delivery_depot": house.nexus.one(house.nexus_id(late))["deliveryDepotCode"],
        "delivered_at": at,
        "parked": [],
    }
    house.attach(late, "MPOD")
    house.fetch(late)
    assert listed(house) == [late], "a signature is no POD"
    house.attach(late, "POD")
    house.fetch(late)
    assert listed(house) == []


@pytest.mark.rule("NX-9-19")
def test_deliveries_are_of_all_networks_the_longest_delivered_first(house):
    first, second, third = (house.consignment("requesting") for _ in range(3))
    house.deliver(second, timedelta(hours=60))
    house.deliver(first, timedelta(hours=70))
    house.deliver(third, timedelta(hours=50))
    house.conn.execute("UPDATE consignments SET network = 'palletways' WHERE id = %s", (second,))
    assert listed(house) == [first, second, third]
    assert listed(house, network="palletways") == [second]
    assert listed(house, hours=65) == [first]


@pytest.mark.rule("NX-9-19", "NX-9-5", "NX-9-6")
def test_where_we_deliver_or_take_no_part_no_pod_is_missing(house):
    ours = [
        house.consignment("delivery"),
        house.consignment("delivery", network="PALLEX", collectingDepotCode="UKD101"),
        house.consignment("none"),
    ]
    for one in ours:
        house.deliver(one, LONG_AGO)
    undelivered = house.consignment("requesting")
    house.conn.execute("UPDATE stops SET completed_at = '2026-01-01' WHERE consignment_id = %s", (undelivered,))
    assert listed(house) == []


@pytest.mark.rule("NX-9-19")
@pytest.mark.parametrize("of_order", [True, False])
def test_a_pod_that_somebody_added_counts_also_one_of_the_whole_order(house, of_order):
    one = house.consignment("requesting")
    house.deliver(one, LONG_AGO)
    house.add(one, "POD")
    if of_order:
        house.conn.execute("UPDATE documents SET consignment_id = NULL")
    assert listed(house) == []


@pytest.mark.rule("NX-9-19", "NX-9-9")
def test_a_pod_that_is_another_document_s_bytes_counts(house):
    one = house.consignment("requesting")
    house.deliver(one, LONG_AGO)
    house.add(one, "PAPERWORK", data=house.image("POD", "1"))
    house.attach(one, "POD", house.image("POD", "1"))
    house.fetch(one)
    assert listed(house) == []


@pytest.mark.rule("NX-9-19")
def test_a_delivery_of_which_only_the_network_knows_is_listed(house):
    one = house.consignment("requesting")
    house.conn.execute(
        "INSERT INTO tracking_events (consignment_id, direction, barcode, code, status, occurred_at) "
        "VALUES (%s, 'imported', '', 'Delivered', 'DELIVERED', %s)",
        (one, house.now - LONG_AGO),
    )
    house.conn.execute("UPDATE consignments SET lifecycle_status = 'DELIVERED' WHERE id = %s", (one,))
    assert listed(house) == [one]


@pytest.mark.rule("NX-9-19", "NX-2.7-4")
def test_the_command_lists_them_with_what_could_not_be_used(house, dsn, monkeypatch, capsys):
    monkeypatch.setenv("AIRFLOW_CONN_ORDER_STORE", dsn)
    one = house.consignment("requesting")
    at = house.deliver(one, LONG_AGO)
    house.attach(one, "POD", b"\x1b[31mno document", fileName="pod\x1b[2J.jpg")
    house.fetch(one)
    assert cli.main(["missing-pods"]) == 0
    [line, total] = capsys.readouterr().out.splitlines()
    depot = house.nexus.one(house.nexus_id(one))["deliveryDepotCode"]
    assert line.startswith(f"{house.nexus_id(one):<14} {at:%Y-%m-%d %H:%M} UTC  nexus, order ")
    assert f"(SO-1), delivered by {depot}; could not be used: POD pod [2J.jpg: its " in line
    assert total == "1 deliveries of more than 48 hours ago have no POD"

    assert cli.main(["missing-pods", "--network", "palletforce"]) == 0
    assert cli.main(["missing-pods", "--hours", "50"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "0 deliveries of more than 48 hours ago have no POD",
        "0 deliveries of more than 50 hours ago have no POD",
    ]
    with pytest.raises(SystemExit):
        cli.main(["missing-pods", "--hours", "many"])
