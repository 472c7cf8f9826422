"""An order with a tracking ID gets its roles, parties, goods and barcodes from the network (contract 7.2 (a))."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.networks.palletways.importing import DELIVERY, FULL, PICKUP, House

from palletflow.networks.palletways.tracking_ids import next_look
from palletflow.networks.palletways.work import LOOK_UP, NETWORK
from palletflow.store import quarantine, work_items
from palletflow.store.connection import connect
from palletflow.work.minute_budget import MinuteBudget

NOW = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def house(conn, dsn, plan, palletways_sim):
    built = House(conn, dsn, plan, palletways_sim)
    yield built
    built.close()


@pytest.mark.rule("PW-7.2-1", "PW-3-6")
def test_an_order_of_which_only_the_tracking_id_is_known_gets_the_rest(house, palletways_sim, fetch):
    number = palletways_sim.add(
        role="delivering", bill_units={"FP": 1, "HP": 1}, weight=640, number="100045",
        barcodes=["B0012A4F10", "B0012A4F11"],
        delivery={"company": "Receiver Ltd", "lines": ["1 Road"], "town": "Town", "postcode": "ZZ1 1ZZ"},
    )  # fmt: skip
    one = house.order(number)

    assert house.work() == {"done": 1}

    assert house.held(one, "registered", "our_roles", "delivery_depot", "consignment_number", "weight_kg") == (
        True, ["delivery"], "123", "100045", 640,
    )  # fmt: skip
    assert house.held(one, "goods_description", "additional_fields ->> 'pw_type'") == ("Parts", "D")
    assert fetch("SELECT name, street, postcode FROM stops WHERE kind = 'delivery'") == [
        ("Receiver Ltd", "1 Road", "ZZ1 1ZZ")
    ]
    assert fetch("SELECT pallet_type FROM pallets ORDER BY number") == [("FULL",), ("HALF",)]
    assert fetch("SELECT barcode FROM pallet_barcodes ORDER BY pallet_number") == [("B0012A4F10",), ("B0012A4F11",)]
    assert fetch("SELECT source, source_key LIKE 'test-%%', review_reason FROM orders") == [("api", True, None)]
    assert fetch("SELECT kind, actor, source FROM activity ORDER BY id") == [
        ("created", "tester", "order API"),
        ("updated", "palletflow", "palletways look-up 123"),
    ]


@pytest.mark.rule("PW-7.2-1")
def test_what_was_entered_here_stays_and_a_person_is_told_of_the_difference(house, palletways_sim, fetch):
    number = palletways_sim.add(
        role="requesting", account="ACM001", bill_units={"FP": 2}, weight=640, service=[["Delivery", "D", "ECO"]],
        delivery={"company": "Another Ltd", "lines": ["1 Road"], "town": "Town", "postcode": "ZZ1 1ZZ"},
    )  # fmt: skip
    given = {**FULL, "delivery": {**DELIVERY, "contact": "", "phone": ""}, "additional_fields": {"tail_lift": "true"}}
    one = house.order(number, **given)

    house.work()

    assert house.held(one, "registered", "service", "weight_kg", "additional_fields ->> 'tail_lift'") == (
        True, "PRE", 850, "true",
    )  # fmt: skip
    [(name, street, contact)] = fetch("SELECT name, street, contact FROM stops WHERE kind = 'delivery'")
    assert (name, street) == (DELIVERY["name"], DELIVERY["street"])
    assert contact != ""  # nobody had said one here
    assert fetch("SELECT name FROM stops WHERE kind = 'pickup'") == [(PICKUP["name"],)]
    [(told,)] = fetch("SELECT review_reason FROM orders")
    assert "service: ECO in the network, PRE here" in told
    assert "weight_kg: 640.00 in the network, 850" in told
    assert "delivery_name: Another Ltd in the network" in told


@pytest.mark.rule("PW-7.2-1")
def test_an_edit_after_the_look_up_stays_when_it_is_looked_up_again(house, palletways_sim, conn, fetch):
    number = palletways_sim.add(role="requesting", account="ACM001", bill_units={"FP": 2}, weight=640)
    one = house.order(number)
    house.work()
    conn.execute(
        "UPDATE consignments SET weight_kg = 700, given = given || '{\"weight_kg\": 700}' WHERE id = %s", (one,)
    )
    palletways_sim.change(number, weight=650, delivery_depot="777")
    work_items.enqueue(conn, NETWORK, LOOK_UP, [one])

    house.work()

    assert house.held(one, "weight_kg", "delivery_depot") == (700, "777")


@pytest.mark.rule("PW-7.2-1", "PW-3-5")
def test_an_order_that_had_its_routing_from_us_gets_its_barcodes_all_the_same(house, palletways_sim, fetch):
    number = palletways_sim.add(
        role="requesting", account="ACM001", bill_units={"FP": 2}, delivery_depot="456", collection_depot="123",
        barcodes=["B0012A4F10", "B0012A4F11"], service=[["Delivery", "D", "PRE"]],
    )  # fmt: skip
    house.order(number, **FULL, requesting_depot="123", collecting_depot="123", delivery_depot="456")
    house.work()
    assert fetch("SELECT barcode, state FROM pallet_barcodes ORDER BY pallet_number") == [
        ("B0012A4F10", "expected"),
        ("B0012A4F11", "expected"),
    ]


@pytest.mark.rule("PW-6-16")
def test_looked_up_again_an_order_follows_its_delivering_depot(house, palletways_sim, conn):
    number = palletways_sim.add(role="requesting", account="ACM001", delivery_depot="456")
    one = house.order(number)
    house.work()
    assert house.held(one, "our_roles", "delivery_depot")[1] == "456"
    palletways_sim.change(number, delivery_depot="124")
    work_items.enqueue(conn, NETWORK, LOOK_UP, [one])

    house.work()

    roles, depot = house.held(one, "our_roles", "delivery_depot")
    assert (depot, "delivery" in roles) == ("124", True)


@pytest.mark.rule("PW-7.2-1")
def test_looked_up_again_nothing_changes_that_is_the_same(house, palletways_sim, conn, fetch):
    number = palletways_sim.add(role="delivering")
    one = house.order(number)
    house.work()
    before = fetch("SELECT (SELECT xmin::text FROM consignments), (SELECT count(*) FROM activity)")
    work_items.enqueue(conn, NETWORK, LOOK_UP, [one])
    assert house.work() == {"done": 1}
    assert fetch("SELECT (SELECT xmin::text FROM consignments), (SELECT count(*) FROM activity)") == before


@pytest.mark.rule("PW-7.2-1")
def test_while_no_depot_is_known_each_of_ours_is_asked(house, palletways_sim):
    number = palletways_sim.add(depot="124", role="delivering", collection_depot="456")
    one = house.order(number)
    house.work()
    assert house.held(one, "registered", "delivery_depot") == (True, "124")
    assert len(palletways_sim.journal("getConsignment")) == 2


@pytest.mark.rule("PW-7.2-1")
def test_once_a_depot_of_ours_is_known_only_it_is_asked(house, palletways_sim):
    number = palletways_sim.add(depot="124", role="delivering", collection_depot="456")
    one = house.order(number, delivery_depot="124")
    house.work()
    assert house.held(one, "registered") == (True,)
    assert len(palletways_sim.journal("getConsignment")) == 1


@pytest.mark.rule("PW-7.2-1")
def test_a_depot_whose_key_fails_hides_nothing_from_the_others(house, palletways_sim):
    number = palletways_sim.add(depot="124", role="delivering", collection_depot="456")
    one = house.order(number)
    palletways_sim.switch(key_fault={"getConsignment": {"value": "wrong", "times": 1}})
    assert house.work() == {"done": 1}
    assert house.held(one, "registered") == (True,)


def test_when_to_ask_again():
    def after(waited: timedelta) -> timedelta | None:
        found = next_look(NOW, NOW + waited)
        return found and found - NOW

    asked, waited = [], timedelta(0)
    while (following := after(waited)) is not None:
        assert following > waited
        asked.append(following)
        waited = following
    assert asked == [MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, *(hour * HOUR for hour in range(1, 25))]
    assert after(90 * MINUTE) == 2 * HOUR


@pytest.mark.rule("PW-7.2-1")
def test_what_is_not_known_yet_is_asked_for_again_and_at_last_given_to_a_person(house, palletways_sim, fetch):
    one = house.order("60000000099")
    assert house.work() == {"again": 1}
    [(wait_s,)] = fetch("SELECT extract(epoch FROM due_at - created_at)::float8 FROM work_items")
    assert wait_s == pytest.approx(60)
    assert house.held(one, "registered") == (False,)
    house.pass_time(2 * MINUTE)
    assert house.work() == {"again": 1}
    [(wait_s,)] = fetch("SELECT extract(epoch FROM due_at - created_at)::float8 FROM work_items")
    assert wait_s == pytest.approx(300)

    house.pass_time(24 * HOUR)
    assert house.work() == {"parked": 1}
    assert house.parked() == [
        "Palletways does not know the tracking ID 60000000099; correct it on the order, or try again"
    ]


@pytest.mark.rule("PW-7.2-1")
def test_what_becomes_known_in_the_meantime_is_taken_in(house, palletways_sim):
    one = house.order("60000000099")
    house.work()
    palletways_sim.add(role="delivering", tracking_id="60000000099")
    house.pass_time(MINUTE)
    assert house.work() == {"done": 1}
    assert house.held(one, "registered") == (True,)


@pytest.mark.rule("PW-7.2-1", "PW-2.3-2")
def test_a_tracking_id_of_others_is_given_to_a_person_and_nothing_is_taken_from_it(house, palletways_sim, fetch):
    number = palletways_sim.add(
        role="delivering", collection_depot="456", overrides={"CollectionDepot": "456", "DeliveryDepot": "777"}
    )
    one = house.order(number, **FULL)
    assert house.work() == {"parked": 1}
    [reason] = house.parked()
    assert reason.startswith(f"Palletways shows us no part in {number}")
    assert house.held(one, "registered", "delivery_depot") == (False, "")
    assert fetch("SELECT count(*) FROM inbound_records") == [(0,)]


@pytest.mark.rule("PW-7.2-1")
def test_a_bad_record_of_an_order_of_ours_is_told_to_a_person(house, palletways_sim, conn):
    number = palletways_sim.add(role="delivering", overrides={"Weight": "heavy"})
    one = house.order(number)
    assert house.work() == {"parked": 1}
    [reason] = house.parked()
    assert "cannot be taken over (Weight: 'heavy' is not a number)" in reason
    assert house.held(one, "registered") == (False,)
    assert quarantine.listed(conn) == []
    palletways_sim.change(number, overrides={})
    work_items.requeue(conn, network=NETWORK, kind=LOOK_UP)

    assert house.work() == {"done": 1}

    assert house.held(one, "registered") == (True,)


@pytest.mark.rule("PW-7.2-1")
def test_a_bad_record_of_an_imported_order_is_quarantined_and_taken_over_by_its_replay(house, palletways_sim, conn):
    number = palletways_sim.add(role="delivering", weight=640)
    house.fetch(number)
    [(one,)] = house.rows("SELECT id FROM consignments")
    palletways_sim.change(number, overrides={"Weight": "700 kg"})
    work_items.enqueue(conn, NETWORK, LOOK_UP, [one])
    assert house.work() == {"parked": 1}
    [reason] = house.parked()
    assert "was quarantined (Weight: '700 kg' is not a number)" in reason
    [bad] = quarantine.listed(conn)
    quarantine.correct(conn, bad.id, bad.raw.replace("700 kg", "700"), "jo")

    assert house.replay().updated == 1

    assert house.held(one, "weight_kg") == (700,)
    assert quarantine.listed(conn) == []


@pytest.mark.rule("PW-7.2-1", "PW-2.2-3")
def test_what_the_network_shows_of_an_order_as_it_was_given_troubles_nobody(house, palletways_sim, fetch):
    given = {
        **FULL, "pallet_types": ["FULL", "HALF", "FULL"], "delivery_date": "2026-07-14",
        "pickup": {**PICKUP, "name": "Acme Store 2", "street": "9 Quay", "postcode": "LE2 2BB", "contact": "Gate"},
    }  # fmt: skip
    where = {
        "company": DELIVERY["name"], "lines": [DELIVERY["street"], DELIVERY["locality"]], "town": DELIVERY["town"],
        "postcode": DELIVERY["postcode"], "contact": DELIVERY["contact"], "telephone": DELIVERY["phone"],
    }  # fmt: skip
    number = palletways_sim.add(
        role="requesting", account="ACM001", bill_units={"HP": 1, "FP": 2}, weight=850, due_date="2026-07-14",
        service=[["Delivery", "D", "PRE"]], delivery=where,
    )  # fmt: skip
    shown = house.reach(house.conn, "123").client.consignment(number)
    addresses = shown["Depot"]["Account"]["Consignment"]["Address"]
    palletways_sim.change(number, overrides={"Address": [one for one in addresses if one["Type"] == "Delivery"]})
    one = house.order(number, **given)

    house.work()

    assert house.held(one, "registered") == (True,)
    assert fetch("SELECT review_reason FROM orders") == [(None,)]
    assert fetch("SELECT pallet_type FROM pallets ORDER BY number") == [("FULL",), ("HALF",), ("FULL",)]
    assert fetch("SELECT name, street FROM stops WHERE kind = 'pickup'") == [("Acme Store 2", "9 Quay")]


@pytest.mark.rule("PW-7.2-1", "PW-3-1")
def test_an_imported_order_of_the_same_tracking_id_becomes_ours(house, palletways_sim, fetch):
    number = palletways_sim.add(role="requesting", account="ACM001", bill_units={"FP": 2})
    house.fetch(number)
    [(imported,)] = fetch("SELECT id FROM consignments")
    one = house.order(number, **FULL)

    assert house.work() == {"done": 1}

    assert house.held(one, "tracking_number", "registered") == (number, True)
    assert house.held(imported, "tracking_number", "registered", "lifecycle_status") == (None, False, "CANCELLED")
    assert fetch("SELECT review_reason LIKE 'Merged into order %%' FROM orders WHERE source = 'palletways'") == [
        (True,)
    ]


@pytest.mark.rule("PW-7.2-1", "PW-3-1")
def test_a_tracking_id_that_another_order_of_ours_holds_is_given_to_a_person(house, palletways_sim, fetch):
    number = palletways_sim.add(role="requesting", account="ACM001")
    first = house.order(number)
    house.work()
    second = house.order(number)

    assert house.work() == {"parked": 1}

    assert house.held(second, "registered") == (False,)
    [(order,)] = fetch("SELECT order_id FROM consignments WHERE id = %s", first)
    assert house.parked() == [
        f"The tracking ID {number} is on order {order} already, which Palletways has as its consignment"
    ]


def test_an_order_that_is_gone_cancelled_or_without_a_tracking_id_needs_nothing(house, palletways_sim, conn):
    number = palletways_sim.add(role="delivering")
    gone, cancelled, bare, elsewhere = (house.order(number) for _ in range(4))
    conn.execute("DELETE FROM consignments WHERE id = %s", (gone,))
    conn.execute(
        "UPDATE orders SET cancelled_at = now() WHERE id = (SELECT order_id FROM consignments WHERE id = %s)",
        (cancelled,),
    )
    conn.execute("UPDATE consignments SET tracking_number = NULL WHERE id = %s", (bare,))
    conn.execute("UPDATE consignments SET network = 'palletforce' WHERE id = %s", (elsewhere,))
    assert house.work() == {"done": 4}
    assert palletways_sim.journal() == []


def test_a_tracking_id_that_was_changed_while_it_was_asked_for_is_left_alone(house, palletways_sim, conn):
    number, other = palletways_sim.add(role="delivering"), palletways_sim.add(role="delivering")
    one = house.order(number)
    client = house.reach(conn, "123").client
    ask = client.consignment

    def meanwhile(tracking_id):
        shown = ask(tracking_id)
        conn.execute("UPDATE consignments SET tracking_number = %s WHERE id = %s", (other, one))
        work_items.enqueue(conn, NETWORK, LOOK_UP, [one])
        client.consignment = ask
        return shown

    client.consignment = meanwhile
    house.work()
    assert house.held(one, "tracking_number", "registered") == (other, True)
    assert house.rows("SELECT count(*) FROM orders") == [(1,)]


@pytest.mark.rule("PW-8-16", "PW-8-17", "PW-1.3-1")
@pytest.mark.parametrize(
    "fault", [{"http_code": 500}, {"http_code": 503}, {"hang": True}, {"drop_mid_body": 40}, {"key_fault": "missing"}]
)
def test_while_the_network_fails_the_look_up_waits_and_ends_well(house, palletways_sim, fault):
    number = palletways_sim.add(role="delivering")
    one = house.order(number, delivery_depot="123")
    [(name, value)] = fault.items()
    palletways_sim.switch(**{name: {"getConsignment": value}})
    assert house.work() == {"postponed": 1}
    assert house.held(one, "registered") == (False,)
    palletways_sim.switch(**{name: "off"})
    house.conn.execute("DELETE FROM connection_flags")
    house.pass_time(2 * HOUR)
    assert house.work() == {"done": 1}
    assert house.held(one, "registered") == (True,)


@pytest.mark.rule("PW-8-17", "PW-1.3-7")
def test_a_key_that_may_not_ask_is_a_persons_to_open(house, palletways_sim):
    house.order(palletways_sim.add(role="delivering"), delivery_depot="123")
    palletways_sim.switch(key_fault={"getConsignment": "wrong"})
    assert house.work() == {"parked": 1}
    [reason] = house.parked()
    assert "getConsignment" in reason
    assert house.sim.keys["123"] not in reason


@pytest.mark.rule("PW-1.4-3")
def test_somebody_waits_for_a_look_up_so_it_is_no_background_work(house, palletways_sim, dsn):
    house.budget = MinuteBudget(lambda: connect(dsn), "test", 60, 40)
    house.order(palletways_sim.add(role="delivering"))
    house.work()
    assert house.calls() == (1, 0)
