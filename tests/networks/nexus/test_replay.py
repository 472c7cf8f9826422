"""Replaying what was quarantined of Nexus: an order of our own keeps what its caller gave, and a row is no order."""

import json

import pytest
from psycopg.types.json import Jsonb
from tests.conftest import NOW
from tests.networks.nexus.polling import change

from palletflow.intake.replay import replay
from palletflow.networks.nexus.mapper import preview
from palletflow.store import quarantine


@pytest.fixture
def replayed(conn, plan):
    def run():
        found = quarantine.listed(conn)
        return replay(conn, found, plan, lambda *_: preview(plan), None, now=NOW, run="test", actor="ops")

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


def test_a_row_of_the_list_is_no_order_and_keeps_its_reason(poller, nexus_sim, conn, replayed):
    one = nexus_sim.add(role="requesting")
    nexus_sim.fault("garbage", f"consignments/{one}", "GET", times=None)
    poller()
    [record] = quarantine.listed(conn)
    assert (record.record_key, record.reason_code) == (str(one), "NOT_READABLE")

    assert replayed().records == 0

    assert quarantine.listed(conn) == [record]
