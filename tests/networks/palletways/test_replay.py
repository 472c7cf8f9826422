"""Replaying what was quarantined of Palletways gives what the fetch or the look-up would have given (contract 7.2)."""

import json

import pytest
from tests.networks.palletways.importing import DELIVERY, FULL, PICKUP, House

from palletflow.intake.replay import NotReplayed, replay
from palletflow.network_errors import Misconfigured
from palletflow.networks.palletways import hook
from palletflow.store import quarantine


@pytest.fixture
def house(conn, dsn, plan, palletways_sim):
    made = House(conn, dsn, plan, palletways_sim)
    yield made
    made.close()


@pytest.fixture
def connection(monkeypatch):
    """Makes the Airflow connection of depot 123."""

    def make(**extra):
        content = {"conn_type": "palletways", "login": "123", "password": "k", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_PALLETWAYS_123", json.dumps(content))

    return make


def quarantined(house, **shown):
    """A consignment whose weight cannot be read is fetched; its tracking ID, with the record corrected since."""
    number = house.sim.add(role="requesting", account="ACM001", **shown)
    record = house.reach(house.conn, "123").client.consignment(number)
    addresses = record["Depot"]["Account"]["Consignment"]["Address"]
    # Palletways leaves out where the goods are fetched.
    left = [one for one in addresses if one["Type"] == "Delivery"]
    house.sim.change(number, overrides={"Weight": "850 kg", "Address": left})
    return number


def corrected(house):
    [bad] = quarantine.listed(house.conn)
    quarantine.correct(house.conn, bad.id, bad.raw.replace("850 kg", "850"), "jo")


@pytest.mark.rule("PW-7.2-1", "PW-3-5")
def test_an_order_of_ours_is_completed_as_the_look_up_completes_it(house, fetch):
    where = {
        "company": DELIVERY["name"], "lines": [DELIVERY["street"], DELIVERY["locality"]], "town": DELIVERY["town"],
        "postcode": DELIVERY["postcode"], "contact": DELIVERY["contact"], "telephone": DELIVERY["phone"],
    }  # fmt: skip
    number = quarantined(
        house, bill_units={"FP": 2}, due_date="2026-07-14", service=[["Delivery", "D", "PRE"]], delivery=where,
        collection_depot="123", delivery_depot="456", barcodes=["B0012A4F10", "B0012A4F11"],
    )  # fmt: skip
    elsewhere = {**PICKUP, "name": "Acme Store 2", "street": "9 Quay", "postcode": "LE2 2BB", "contact": "Gate"}
    depots = {"requesting_depot": "123", "collecting_depot": "123", "delivery_depot": "456"}
    house.order(number, **{**FULL, **depots, "delivery_date": "2026-07-14", "pickup": elsewhere})
    assert house.fetch(number).rejected == 1
    corrected(house)

    assert house.replay().rejected == 0

    assert fetch("SELECT registered FROM consignments") == [(True,)]
    assert fetch("SELECT name, street FROM stops WHERE kind = 'pickup'") == [("Acme Store 2", "9 Quay")]
    # Nobody is told of a difference where Palletways said nothing.
    assert fetch("SELECT review_reason FROM orders") == [(None,)]
    assert fetch("SELECT barcode, state FROM pallet_barcodes ORDER BY pallet_number") == [
        ("B0012A4F10", "expected"),
        ("B0012A4F11", "expected"),
    ]


@pytest.mark.rule("PW-2.2-3")
def test_what_a_customer_of_ours_leaves_out_is_fetched_at_his_premises(house, fetch):
    number = quarantined(house)
    assert house.fetch(number).rejected == 1
    corrected(house)

    assert house.replay().created == 1

    assert fetch("SELECT name <> '' FROM stops WHERE kind = 'pickup'") == [(True,)]


@pytest.mark.rule("PW-3-1")
def test_a_tracking_id_is_read_as_the_depots_connection_has_them(house, connection, conn, plan, fetch):
    house.fetch(house.sim.add(role="delivering", overrides={"Weight": "x"}))
    [record] = quarantine.listed(conn)
    other = json.loads(record.raw)
    other["Depot"]["Account"]["Consignment"] |= {"TrackingID": "PW-12345", "Weight": "850"}
    quarantine.correct(conn, record.id, json.dumps(other), "jo")

    def replayed():
        return replay(
            conn, quarantine.listed(conn), plan, lambda _, depot: hook.replayer(plan, depot), lambda _: None,
            now=house.now, run="test", actor="jo",
        )  # fmt: skip

    connection()
    assert replayed().rejected == 1
    assert quarantine.listed(conn)[0].reason_code == "BAD_TRACKING_ID"
    connection(tracking_id_pattern="PW-[0-9]{5}")
    assert replayed().created == 1
    assert fetch("SELECT tracking_number FROM consignments") == [("PW-12345",)]


def test_a_record_whose_connection_is_gone_stays_while_others_are_replayed(house, connection, conn, plan, fetch):
    for _ in range(2):
        house.fetch(house.sim.add(role="delivering", overrides={"Weight": "x"}))
    gone, good = quarantine.listed(conn)
    for record in (gone, good):
        text = record.raw.replace('"x"', '"850"')
        quarantine.correct(conn, record.id, text, "jo")
    conn.execute("UPDATE inbound_batches b SET party = '124' FROM inbound_records r"
                 " WHERE r.batch_id = b.id AND r.id = %s", (gone.id,))  # fmt: skip
    connection()

    with pytest.raises(NotReplayed, match=r"'palletways_124': there is no Airflow connection of this id\. ") as raised:
        replay(
            conn, quarantine.listed(conn), plan, lambda _, depot: hook.replayer(plan, depot), lambda _: None,
            now=house.now, run="test", actor="jo",
        )  # fmt: skip

    assert raised.value.left == [gone.id]
    assert [(one.id, one.replays, one.reason_code) for one in quarantine.listed(conn)] == [(gone.id, 0, "BAD_FORMAT")]
    assert fetch("SELECT tracking_number FROM consignments") == [(good.record_key,)]
    assert isinstance(raised.value, Misconfigured)
