"""Look-ups and imports killed at any step end in the same order store as undisturbed ones (contract 7.2)."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from tests.killing import DEPLOYMENT, Process, killed_at, started, stopping, until
from tests.networks.palletways.importing import FULL, House
from tests.networks.palletways.simulated import START

from palletflow.networks.palletways.work import NETWORK

SCRIPT = Path(__file__).with_name("import_once.py")
HOUR = timedelta(hours=1)
# What a person would compare: everything but surrogate ids and the moments of writing.
CONTENTS = (
    "SELECT source, source_key, reference, review_reason FROM orders",
    "SELECT to_jsonb(c) - '{id,order_id,created_at,updated_at,read_at}'::text[] FROM consignments c",
    "SELECT to_jsonb(s) - 'consignment_id' FROM stops s",
    "SELECT number, pallet_type, removed_at IS NULL FROM pallets",
    "SELECT pallet_number, barcode, state FROM pallet_barcodes",
    "SELECT kind, changes, warnings FROM activity",
    "SELECT raw, outcome, reason_code, settled_at IS NULL FROM inbound_records",
    "SELECT network, kind, parked_at IS NULL FROM work_items",
)


@pytest.fixture
def house(conn, dsn, plan, palletways_sim):
    built = House(conn, dsn, plan, palletways_sim)
    yield built
    built.close()


@pytest.fixture
def start(dsn, palletways_sim):
    keys = json.dumps(palletways_sim.keys)
    moment = START.isoformat()
    yield from started(lambda what: Process(SCRIPT, what, dsn, palletways_sim.root, DEPLOYMENT, moment, keys))


def contents(house):
    return [sorted(map(str, house.rows(query))) for query in CONTENTS]


def forget(house):
    """As before the first order."""
    house.conn.execute("TRUNCATE orders, inbound_records, inbound_batches, work_items CASCADE")


# None: before the lock of the network's writers.
@pytest.mark.rule("PW-7.2-1")
@pytest.mark.parametrize("table", [None, "stops", "pallet_barcodes", "work_items"])
def test_a_look_up_killed_where_it_writes_ends_like_an_undisturbed_one(house, palletways_sim, dsn, start, table):
    number = palletways_sim.add(role="requesting", account="ACM001", bill_units={"FP": 2})
    house.order(number, **FULL)
    house.work()
    undisturbed = contents(house)
    forget(house)
    one = house.order(number, **FULL)

    killed_at(dsn, table, start, "look_up", network=NETWORK)

    house.pass_time(HOUR)  # its lease has ended
    assert house.work() == {"done": 1}
    assert house.held(one, "registered") == (True,)
    assert contents(house)[1:] == undisturbed[1:]


@pytest.mark.rule("PW-7.2-1")
def test_a_look_up_killed_while_it_waits_for_the_network_is_made_anew(house, palletways_sim, start):
    number = palletways_sim.add(role="delivering")
    one = house.order(number)
    palletways_sim.switch(hang={"getConsignment": {"value": True, "times": 1}})
    process = start("look_up")
    until(lambda: palletways_sim.journal("getConsignment"))
    process.kill()
    assert house.held(one, "registered") == (False,)

    house.pass_time(HOUR)  # its lease has ended
    assert house.work() == {"done": 1}

    assert house.held(one, "registered") == (True,)
    assert len(house.rows("SELECT FROM activity")) == 2


@pytest.mark.rule("PW-7.2-1")
def test_two_look_ups_of_the_same_order_end_like_one(house, palletways_sim, dsn, start):
    number = palletways_sim.add(role="requesting", account="ACM001")
    one = house.order(number)
    with stopping(dsn, None, NETWORK) as until_stopped:
        first = start("look_up")
        until_stopped()
        house.pass_time(HOUR)  # its lease has ended
        second = start("look_up")
        until_stopped(2)
    first.finish()
    second.finish()
    assert house.held(one, "registered") == (True,)
    assert house.rows("SELECT kind FROM activity ORDER BY id") == [("created",), ("updated",)]
    assert house.rows("SELECT FROM work_items") == []


@pytest.mark.rule("PW-7.2-4")
def test_an_import_of_what_was_entered_is_whole_after_it_was_killed(house, palletways_sim, dsn, start):
    palletways_sim.add_many(account="ACM001", count=3)
    house.entered()
    undisturbed = contents(house)
    forget(house)

    killed_at(dsn, "stops", start, "entered", network=NETWORK)
    assert house.rows("SELECT FROM orders") == []

    house.entered()
    assert contents(house) == undisturbed
