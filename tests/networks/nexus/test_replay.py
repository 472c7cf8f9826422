"""Replaying what was quarantined of Nexus gives what the poll would have given; a row is no order."""

import json

import pytest
from psycopg.types.json import Jsonb
from tests.conftest import NOW
from tests.networks.nexus.polling import change

from palletflow.intake.replay import replay
from palletflow.networks.nexus.mapper import preview
from palletflow.networks.nexus.replay import replayer
from palletflow.store import movements, quarantine


@pytest.fixture
def replayed(conn, plan):
    def run():
        found = quarantine.listed(conn)
        return replay(conn, found, plan, lambda *_: replayer(preview(plan)), None, now=NOW, run="test", actor="ops")

    return run


def test_a_replay_leaves_what_our_users_gave_and_flags_the_difference(poller, nexus_sim, conn, fetch, replayed):
    one = nexus_sim.add(role="requesting", notes="")
    poller()
    [(consignment, order)] = fetch("SELECT id, order_id FROM consignments")
    conn.execute("UPDATE orders SET source = 'api', source_key = 'SO-1' WHERE id = %s", (order,))
    conn.execute(
        "UPDATE consignments SET given = %s, weight_kg = 77 WHERE id = %s", (Jsonb({"weight_kg": 77}), consignment)
    )
    change(nexus_sim, one, delAddressPostcode=None)
    assert poller().rejected == 1
    [record] = quarantine.listed(conn)
    mended = json.loads(record.raw) | {"delAddressPostcode": "LS1 1AA"}
    quarantine.correct(conn, record.id, json.dumps(mended), "ops")

    counts = replayed()

    assert counts.updated + counts.unchanged == 1
    assert fetch("SELECT weight_kg FROM consignments") == [(77,)]
    [(reason,)] = fetch("SELECT review_reason FROM orders")
    assert "weight_kg" in reason


def mended(conn, **fields):
    """Corrects what is wrong with the one record in quarantine."""
    [record] = quarantine.listed(conn)
    quarantine.correct(conn, record.id, json.dumps(json.loads(record.raw) | fields), "ops")
    return record


def test_a_new_order_of_which_something_is_odd_is_flagged_as_the_poll_flags_it(
    poller, nexus_sim, conn, fetch, replayed
):
    pallets = [{"barcode": "0044000007000001"}, {"barcode": "12345"}]
    nexus_sim.add(role="delivery", pallets=pallets, overrides={"delAddressPostcode": None})
    assert poller().rejected == 1
    mended(conn, delAddressPostcode="LS1 1AA")

    assert replayed().created == 1

    assert fetch("SELECT review_reason FROM orders") == [("The barcode of pallet 2, '12345', is not of 16 digits",)]
    poller.later(minutes=3)
    poller()
    assert fetch("SELECT count(*) FROM orders") == [(1,)]


def test_an_order_we_held_before_is_not_flagged_again(poller, nexus_sim, conn, fetch, replayed):
    one = nexus_sim.add(role="delivery", pallets=[{"barcode": "12345"}])
    poller()
    conn.execute("UPDATE orders SET review_reason = NULL")
    change(nexus_sim, one, delAddressPostcode=None)
    assert poller().rejected == 1
    mended(conn, delAddressPostcode="LS1 1AA")

    assert replayed().updated == 1

    assert fetch("SELECT review_reason FROM orders") == [(None,)]


def test_what_was_reported_before_the_part_in_it_was_ours_is_owed_after_a_replay(
    poller, nexus_sim, conn, fetch, replayed
):
    one = nexus_sim.add(role="requesting", collectingDepotCode="PGD310")
    poller()
    [(consignment,)] = fetch("SELECT id FROM consignments")
    movements.report_stop(conn, consignment, stop="pickup", event="completed", at=NOW, actor="driver")
    conn.execute("DELETE FROM work_items")
    change(nexus_sim, one, collectingDepotCode="PGD302", delAddressPostcode=None)
    poller.later(minutes=3)
    assert poller().rejected == 1
    mended(conn, delAddressPostcode="LS1 1AA")

    assert replayed().updated == 1

    assert fetch("SELECT kind, key FROM work_items") == [("status_export", str(consignment))]


def test_a_record_the_order_store_does_not_take_stays_and_stops_no_other(poller, nexus_sim, conn, fetch, replayed):
    nexus_sim.add(role="requesting", customerReference="BOOM", overrides={"delAddressPostcode": None})
    nexus_sim.add(role="requesting", customerReference="PO-1", overrides={"delAddressPostcode": None})
    poller()
    for record in quarantine.listed(conn):
        good = json.loads(record.raw) | {"delAddressPostcode": "LS1 1AA"}
        quarantine.correct(conn, record.id, json.dumps(good), "ops")
    conn.execute(
        "CREATE FUNCTION boom() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.reference = 'BOOM' THEN RAISE numeric_value_out_of_range; END IF; RETURN NEW; END $$;"
        " CREATE TRIGGER boom BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION boom()"
    )

    counts = replayed()

    assert (counts.created, counts.rejected) == (1, 1)
    assert fetch("SELECT reference FROM orders") == [("PO-1",)]
    [left] = quarantine.listed(conn)
    assert (left.reason_code, left.replays) == ("NOT_STORABLE", 1)


def test_a_row_of_the_list_is_no_order_and_keeps_its_reason(poller, nexus_sim, conn, replayed):
    one = nexus_sim.add(role="requesting")
    nexus_sim.fault("garbage", f"consignments/{one}", "GET", times=None)
    poller()
    [record] = quarantine.listed(conn)
    assert (record.record_key, record.reason_code) == (str(one), "NOT_READABLE")

    assert replayed().records == 0

    assert quarantine.listed(conn) == [record]
