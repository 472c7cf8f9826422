"""The commands for operations people: what photos are missing, what is stale, and a delivery that was none."""

from datetime import timedelta

import pytest
from tests.conftest import PROJECT

from palletflow import cli


@pytest.fixture
def shop(yard, dsn, monkeypatch):
    """The yard, as the command line finds it."""
    monkeypatch.setenv("AIRFLOW_CONN_ORDER_STORE", dsn)
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", str(PROJECT / "include" / "deployment.yaml"))
    return yard


@pytest.mark.rule("PW-5-36")
def test_a_delivery_without_a_photo_is_listed(shop, capsys):
    tracking_id = shop.create("requesting")
    shop.sim.status(tracking_id, 900)
    shop.poll()
    shop.conn.execute("UPDATE photo_windows SET begun_at = begun_at - interval '3 days'")

    assert cli.main(["missing-photos"]) == 0
    line, total = capsys.readouterr().out.splitlines()
    assert line.startswith(tracking_id)
    assert "looked for 0 times" in line
    assert total == "1 deliveries of more than 48 hours ago have no photo"


@pytest.mark.rule("PW-4.3-3")
def test_what_nothing_ended_is_listed_as_stale(shop, capsys):
    tracking_id = shop.create("requesting")
    shop.later(days=62)
    shop.poll()

    assert cli.main(["stale", "--network", "palletways"]) == 0
    line, total = capsys.readouterr().out.splitlines()
    assert line.startswith(tracking_id)
    assert total == "1 consignments are stale"


@pytest.mark.rule("PW-4.1-4")
def test_a_completion_that_was_none_is_taken_back(shop, capsys):
    tracking_id = shop.create("requesting")
    shop.sim.status(tracking_id, 900)
    shop.poll()
    shop.later(minutes=10)
    shop.sim.status(tracking_id, 700, at=(shop.now - timedelta(minutes=1)).isoformat())
    shop.poll()
    status = "SELECT lifecycle_status FROM consignments WHERE tracking_number = %s"
    assert shop.conn.execute(status, (tracking_id,)).fetchone() == ("DELIVERED",)

    assert cli.main(["reopen-delivery", tracking_id]) == 0
    assert capsys.readouterr().out == f"{tracking_id} is followed again\n"
    assert shop.conn.execute(status, (tracking_id,)).fetchone() != ("DELIVERED",)

    assert cli.main(["reopen-delivery", tracking_id]) == 1
    assert "completed no delivery" in capsys.readouterr().err
