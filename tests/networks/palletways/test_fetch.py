"""Fetching one consignment into the order store now (contract 2.3, 7.2)."""

import json
from dataclasses import replace

import pytest
from tests.networks.palletways.importing import House

from palletflow.network_errors import NetworkError, NotFound, Rejected, UnknownOutcome
from palletflow.store import quarantine


@pytest.fixture
def house(conn, dsn, plan, palletways_sim):
    built = House(conn, dsn, plan, palletways_sim)
    yield built
    built.close()


@pytest.mark.rule("PW-2.3-1", "PW-2.3-2", "PW-3-1", "PW-3-6")
def test_a_consignment_is_fetched_as_it_stands_in_the_network(house, palletways_sim, fetch):
    number = palletways_sim.add(
        role="delivering", bill_units={"FP": 1, "HP": 1}, weight=640, number="100045", book_in=True,
        barcodes=["B0012A4F10", "B0012A4F11"],
        delivery={"company": "Receiver Ltd", "lines": ["1 Road", "Trading Estate"], "postcode": "ZZ1 1ZZ"},
    )  # fmt: skip

    counts = house.fetch(f" {number} ")

    assert (counts.records, counts.created) == (1, 1)
    [(source, key, customer, *consignment)] = fetch(
        "SELECT o.source, o.source_key, k.code, c.tracking_number, c.registered, c.consignment_number, c.our_roles,"
        " c.delivery_depot, c.weight_kg, c.dispatch_state, c.additional_fields ->> 'book_in'"
        " FROM consignments c JOIN orders o ON o.id = c.order_id JOIN customers k ON k.id = o.customer_id"
    )
    assert (source, key, customer) == ("palletways", number, "PALLETWAYS")
    assert consignment == [number, True, "100045", ["delivery"], "123", 640, "not_needed", "true"]
    assert fetch("SELECT name, street, locality, postcode FROM stops WHERE kind = 'delivery'") == [
        ("Receiver Ltd", "1 Road", "Trading Estate", "ZZ1 1ZZ")
    ]
    assert fetch("SELECT pallet_type FROM pallets ORDER BY number") == [("FULL",), ("HALF",)]
    assert fetch("SELECT barcode, state FROM pallet_barcodes ORDER BY pallet_number") == [
        ("B0012A4F10", "expected"),
        ("B0012A4F11", "expected"),
    ]
    assert fetch("SELECT actor, source FROM activity WHERE kind = 'created'") == [
        ("ops", "palletways single_fetch 123")
    ]


@pytest.mark.rule("PW-1.2-8", "PW-1.2-10", "PW-1.2-11")
@pytest.mark.parametrize("output_format", ["xml", "json"])
@pytest.mark.parametrize(("wrapper", "single_as"), [("auto", "array"), ("on", "object"), ("off", "object")])
def test_xml_and_json_in_any_wrapping_give_the_same_consignment(
    house, palletways_sim, conn, fetch, output_format, wrapper, single_as
):
    number = palletways_sim.add(role="collecting", bill_units={"FP": 1})
    columns = "to_jsonb(c) - '{id,order_id,created_at,updated_at,read_at,input_digest}'::text[]"
    shown = f"SELECT {columns}, (SELECT jsonb_agg(to_jsonb(s) - 'consignment_id') FROM stops s) FROM consignments c"
    house.settle(output_format="json")
    house.fetch(number)
    usual = fetch(shown)
    conn.execute("TRUNCATE orders, inbound_records, inbound_batches CASCADE")

    palletways_sim.switch(wrapper=wrapper, single_as=single_as)
    house.settle(output_format=output_format)
    assert house.fetch(number).created == 1

    assert fetch(shown) == usual


def test_fetching_again_changes_nothing_until_the_network_does(house, palletways_sim, fetch):
    number = palletways_sim.add(role="requesting", bill_units={"FP": 2})
    house.fetch(number)
    before = fetch("SELECT xmin::text FROM consignments")
    assert house.fetch(number).unchanged == 1
    assert fetch("SELECT xmin::text FROM consignments") == before
    palletways_sim.change(number, weight=321.5)

    assert house.fetch(number).updated == 1

    assert fetch("SELECT changes -> 'weight_kg' -> 1 FROM activity WHERE kind = 'updated'") == [(321.5,)]


@pytest.mark.rule("PW-1.3-9")
def test_what_the_network_does_not_know_is_said_and_nothing_is_stored(house, fetch):
    with pytest.raises(NotFound, match="no consignment has the tracking ID 60099999999"):
        house.fetch("60099999999")
    assert fetch("SELECT count(*) FROM inbound_batches") == [(0,)]


@pytest.mark.rule("PW-3-1")
@pytest.mark.parametrize("wanted", ["", "100045-123", "6.0E+10", "60000000017/../keytest", "12345"])
def test_what_is_no_tracking_id_is_not_asked_for(house, palletways_sim, wanted):
    with pytest.raises(Rejected, match="is no tracking ID"):
        house.fetch(wanted)
    assert palletways_sim.journal("getConsignment") == []


@pytest.mark.rule("PW-7-1")
def test_without_the_capability_nothing_is_asked_and_the_reason_is_said(house, palletways_sim):
    number = palletways_sim.add()
    house.settle(capabilities=["photos_in", "photos_out"])
    with pytest.raises(Rejected, match="does not list 'import' among its capabilities"):
        house.fetch(number)
    assert palletways_sim.journal() == []


@pytest.mark.rule("PW-2.3-2")
def test_what_we_have_no_part_in_makes_no_order_and_leaves_nothing_to_mend(house, palletways_sim, conn, fetch):
    shown = {"CollectionDepot": "456", "DeliveryDepot": "777"}
    number = palletways_sim.add(role="delivering", collection_depot="456", overrides=shown)
    assert house.fetch(number).ignored == 1
    assert fetch("SELECT count(*) FROM orders") == [(0,)]
    assert quarantine.listed(conn) == []
    [(reason,)] = fetch("SELECT reason FROM inbound_records")
    assert "none is ours (123, 124)" in reason


@pytest.mark.rule("PW-3-1", "PW-3-2")
def test_an_answer_about_another_consignment_is_not_taken_for_the_one_asked_for(house, palletways_sim, fetch):
    number = palletways_sim.add(overrides={"TrackingID": "60000000099"})
    with pytest.raises(UnknownOutcome, match=f"60000000099 .*{number}"):
        house.fetch(number)
    assert fetch("SELECT count(*) FROM orders") == [(0,)]


@pytest.mark.parametrize(
    ("overrides", "code", "field"),
    [
        ({"Weight": "heavy"}, "BAD_FORMAT", "Weight"),
        ({"DueDate": "31/02/2026"}, "BAD_FORMAT", "DueDate or DeliveryDate"),
        ({"Lifts": "1000"}, "BAD_FORMAT", "Lifts"),
        ({"DeliveryDepot": "the north"}, "BAD_FORMAT", "DeliveryDepot"),
        ({"Address": []}, "MISSING_VALUE", "Address[Type=Delivery].PostCode"),
        ({"BillUnit": [{"Type": "FP", "Amount": "many"}]}, "BAD_FORMAT", "BillUnit[]"),
        ({"Number": "x" * 501}, "TOO_LONG", "Number"),
    ],
)
def test_a_bad_record_is_quarantined_and_replayed_once_it_is_corrected(
    house, palletways_sim, conn, fetch, overrides, code, field
):
    number = palletways_sim.add(role="delivering", bill_units={"FP": 1}, overrides=overrides)
    assert house.fetch(number).rejected == 1
    [parked] = quarantine.listed(conn)
    assert (parked.record_key, parked.reason_code, parked.field, parked.party) == (number, code, field, "123")
    assert fetch("SELECT count(*) FROM orders") == [(0,)]
    assert house.replay().rejected == 1

    palletways_sim.change(number, overrides={})
    shown = house.reach(conn, "123").client.consignment(number)
    quarantine.correct(conn, parked.id, json.dumps(shown), "jo")

    assert house.replay().created == 1
    assert quarantine.listed(conn) == []
    assert fetch("SELECT tracking_number FROM consignments") == [(number,)]


def test_a_record_of_an_unknown_account_lands_once_the_deployment_knows_it(house, palletways_sim, conn, fetch):
    number = palletways_sim.add(account="FOX002", role="requesting")
    known = house.plan
    house.plan = replace(known, accounts={})
    house.settle()
    house.fetch(number)
    assert [record.reason_code for record in quarantine.listed(conn)] == ["UNKNOWN_CUSTOMER"]
    house.plan = known

    assert house.replay().created == 1

    assert fetch("SELECT code FROM orders JOIN customers ON customers.id = customer_id") == [("FOXGLOVE",)]


@pytest.mark.rule("PW-1.3-1", "PW-8-16")
@pytest.mark.parametrize(
    "fault", [{"http_code": 500}, {"hang": True}, {"drop_mid_body": 40}, {"key_fault": "wrong"}, {"http_code": 401}]
)
def test_a_fault_of_the_connection_stores_nothing(house, palletways_sim, fetch, fault):
    number = palletways_sim.add()
    [(name, value)] = fault.items()
    palletways_sim.switch(**{name: {"getConsignment": value}})
    with pytest.raises(NetworkError):
        house.fetch(number)
    assert fetch("SELECT count(*) FROM inbound_batches") == [(0,)]
