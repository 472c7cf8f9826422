"""What customers entered at Palletways themselves, once a day (contract 2.4, 7.2 (c))."""

from datetime import timedelta

import pytest
from tests.networks.palletways.importing import House
from tests.networks.palletways.simulated import START

from palletflow.network_errors import NetworkError
from palletflow.networks.palletways.entered import Entered
from palletflow.networks.palletways.tree import text
from palletflow.store import quarantine, syncs
from palletflow.store.connection import connect
from palletflow.work.minute_budget import MinuteBudget

DAY = 86_400
MANIFEST = """<?xml version="1.0" encoding="UTF-8"?>
<Manifest><Confirm>yes</Confirm><Depot><Account><Code>ACM001</Code><Consignment>
<Type>D</Type><ImportID>1</ImportID><Number>100099</Number><Reference>PLF1-1</Reference>
<Lifts>1</Lifts><Weight>100</Weight><Classification>B2B</Classification>
<Service><Type>Delivery</Type><Code>D</Code><Surcharge>PRE</Surcharge></Service>
<Address><Type>Delivery</Type><ContactName>Goods In</ContactName><Telephone>01632 960001</Telephone>
<CompanyName>Receiver Ltd</CompanyName><Line>1 Road</Line><Town>Town</Town><PostCode>ZZ1 1ZZ</PostCode></Address>
<BillUnit><Type>FP</Type><Amount>1</Amount></BillUnit>
</Consignment></Account></Depot></Manifest>"""


@pytest.fixture
def house(conn, dsn, plan, palletways_sim):
    built = House(conn, dsn, plan, palletways_sim)
    yield built
    built.close()


def before(**ago):
    return (START - timedelta(**ago)).isoformat()


@pytest.mark.rule("PW-7.2-4", "PW-2.4-1", "PW-2.4-4")
def test_what_was_entered_today_and_yesterday_becomes_orders(house, palletways_sim, fetch):
    older = palletways_sim.add(account="ACM001", at=before(days=2))
    wanted = [
        palletways_sim.add(account="ACM001", at=before(days=1)),
        palletways_sim.add(account="FOX002", at=before(hours=2), lifts=3),
        palletways_sim.add(account="ACM001"),
    ]
    palletways_sim.add(depot="124", account="AIR003")
    palletways_sim.add(role="delivering")  # not entered by customers of ours

    assert house.entered() == Entered(3, 0, 0, created=3, updated=0, unchanged=0, rejected=0, ignored=0)

    assert fetch("SELECT tracking_number FROM consignments ORDER BY 1") == [(number,) for number in wanted]
    assert fetch("SELECT DISTINCT actor, source FROM activity") == [("daily", "palletways entered 123")]
    assert fetch("SELECT count(*) FROM consignments WHERE tracking_number = %s", older) == [(0,)]
    days = [entry["arguments"] for entry in palletways_sim.journal("consEntered")]
    assert days == [["2026-07-12"], ["2026-07-13"]]


@pytest.mark.rule("PW-7.2-4")
def test_each_depot_has_its_own_customers(house, palletways_sim, fetch):
    palletways_sim.add(account="ACM001")
    other = palletways_sim.add(depot="124", account="AIR003")
    assert house.entered("124").created == 1
    assert fetch("SELECT tracking_number, requesting_depot FROM consignments") == [(other, "124")]


@pytest.mark.rule("PW-1.2-14", "PW-7.2-4")
def test_today_is_the_networks_day(house, palletways_sim):
    # Half past midnight in London is still yesterday in UTC.
    palletways_sim.control("clock", now="2026-07-14T23:30:00+00:00")
    house.entered()
    assert [entry["arguments"] for entry in palletways_sim.journal("consEntered")] == [["2026-07-14"], ["2026-07-15"]]


@pytest.mark.rule("PW-7.2-4", "PW-7-1")
@pytest.mark.parametrize("extra", [{"import_cons_entered": False}, {"capabilities": ["photos_in", "dispatch"]}])
def test_nothing_is_asked_unless_the_connection_says_so(house, palletways_sim, extra):
    palletways_sim.add(account="ACM001")
    house.settle(**extra)
    assert house.entered() == Entered(0, 0, 0, 0, 0, 0, 0, 0)
    assert palletways_sim.journal() == []


@pytest.mark.rule("PW-7.2-4")
def test_what_we_hold_is_not_read_again(house, palletways_sim, fetch):
    known = palletways_sim.add(account="ACM001")
    house.entered()
    typed = palletways_sim.add(account="ACM001")
    house.order(typed)
    calls = len(palletways_sim.journal("getConsignment"))
    rows = fetch("SELECT xmin::text FROM consignments ORDER BY 1")

    assert house.entered() == Entered(2, 0, 2, 0, 0, 0, 0, 0)

    assert len(palletways_sim.journal("getConsignment")) == calls
    assert fetch("SELECT xmin::text FROM consignments ORDER BY 1") == rows
    assert known != typed


@pytest.mark.rule("PW-7.2-4")
def test_what_was_missed_one_day_comes_the_next(house, palletways_sim, fetch):
    number = palletways_sim.add(account="ACM001")
    palletways_sim.advance(DAY)
    assert house.entered().created == 1
    assert fetch("SELECT tracking_number FROM consignments") == [(number,)]


def test_it_keeps_when_it_was_done_until_the_connection_asks_for_it_no_more(house):
    house.entered()
    kept = syncs.one(house.conn, "palletways", "entered", "123")
    assert kept[:3] == (None, house.now, house.now + timedelta(days=1))
    house.settle(import_cons_entered=False)
    house.entered()
    assert syncs.one(house.conn, "palletways", "entered", "123") is None


@pytest.mark.rule("PW-2.4-2", "PW-3-2")
def test_what_no_depot_has_accepted_waits_for_its_tracking_id(house, palletways_sim, conn, fetch):
    palletways_sim.switch(tracking_delay_s=7200)
    palletways_sim.add(account="ACM001")
    detail = house.reach(conn, "123").client.create(MANIFEST, commit=True)
    response_id = text(detail, "ImportDetail", "ResponseID")
    found = house.entered()
    assert (found.listed, found.waiting, found.created) == (1, 1, 1)
    assert fetch("SELECT count(*) FROM consignments WHERE tracking_number = %s", response_id) == [(0,)]

    palletways_sim.advance(7200)
    found = house.entered()
    assert (found.listed, found.waiting, found.created) == (2, 0, 1)


@pytest.mark.rule("PW-7.2-4", "PW-1.3-9")
def test_a_day_on_which_nothing_was_entered_is_no_error(house):
    assert house.entered() == Entered(0, 0, 0, 0, 0, 0, 0, 0)


@pytest.mark.rule("PW-7.2-4")
def test_a_bad_one_is_quarantined_and_stops_no_other(house, palletways_sim, conn, fetch):
    bad = palletways_sim.add(account="ACM001", overrides={"Weight": "heavy"})
    good = palletways_sim.add(account="ACM001")
    found = house.entered()
    assert (found.created, found.rejected) == (1, 1)
    assert [record.record_key for record in quarantine.listed(conn)] == [bad]
    assert fetch("SELECT tracking_number FROM consignments") == [(good,)]
    palletways_sim.change(bad, overrides={})

    assert house.entered().created == 1

    assert quarantine.listed(conn) == []


@pytest.mark.rule("PW-7.2-4", "PW-8-16")
def test_one_that_cannot_be_read_stops_no_other_and_is_told_at_the_end(house, palletways_sim, fetch):
    numbers = palletways_sim.add_many(account="ACM001", count=3)
    palletways_sim.switch(drop_mid_body={"getConsignment": {"value": 40, "times": 3, "after": 1}})
    with pytest.raises(NetworkError):
        house.entered()
    held = {number for (number,) in fetch("SELECT tracking_number FROM consignments")}
    assert held == {numbers[0], numbers[2]}

    assert house.entered().created == 1


@pytest.mark.rule("PW-7.2-4", "PW-8-16")
def test_while_the_network_fails_it_is_not_asked_for_each(house, palletways_sim, fetch):
    palletways_sim.add_many(account="ACM001", count=10)
    palletways_sim.switch(drop_mid_body={"getConsignment": 40})
    with pytest.raises(NetworkError):
        house.entered()
    asked = {entry["arguments"][0] for entry in palletways_sim.journal("getConsignment")}
    assert len(asked) == 3
    assert fetch("SELECT count(*) FROM orders") == [(0,)]


@pytest.mark.rule("PW-7.2-4")
def test_several_that_are_not_shown_stop_no_other(house, palletways_sim, conn, fetch, monkeypatch):
    *hidden, shown = palletways_sim.add_many(account="ACM001", count=4)
    client = type(house.reach(conn, "123").client)
    read = client.consignment
    monkeypatch.setattr(client, "consignment", lambda self, one: None if one in hidden else read(self, one))

    with pytest.raises(NetworkError):
        house.entered()

    assert fetch("SELECT tracking_number FROM consignments") == [(shown,)]


@pytest.mark.rule("PW-1.4-3", "PW-7.2-4")
def test_its_calls_are_background_work(house, palletways_sim, dsn):
    palletways_sim.add(account="ACM001")
    house.budget = MinuteBudget(lambda: connect(dsn), "test", 60, 40)
    house.entered()
    assert house.calls() == (3, 3)
