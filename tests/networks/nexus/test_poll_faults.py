"""What goes wrong during a poll: of one consignment, of the connection, of Nexus (contract 1.5, 7.2, 7.4)."""

import json
import socket
from datetime import timedelta

import pytest
from tests.conftest import NOW
from tests.networks.nexus.test_poll import TRIES, details, hold_old_ones, tried

from palletflow.network_errors import NotSent
from palletflow.networks.nexus.errors import NexusAuthError, NexusNotOffered, NexusRateLimited, NexusServerError


def quarantined(fetch):
    """Key and reason code of what waits for a person."""
    return fetch(
        "SELECT record_key, reason_code FROM inbound_records WHERE outcome = 'rejected' AND settled_at IS NULL"
    )


REFUSE = (
    "CREATE FUNCTION boom() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " IF NEW.reference = 'BOOM' THEN RAISE numeric_value_out_of_range; END IF; RETURN NEW; END $$;"
    " CREATE TRIGGER boom BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION boom()"
)

# Of one consignment


@pytest.mark.rule("NX-7-12", "NX-7-7")
@pytest.mark.parametrize("effect", ["http_500", "garbage", "empty", "html", "drop", "http_403", "http_404", "http_400"])
def test_one_that_cannot_be_read_is_parked_and_stops_no_other(poller, nexus_sim, fetch, effect):
    bad = nexus_sim.add_many(count=5, role="requesting")[0]
    nexus_sim.fault(effect, f"consignments/{bad}", "GET", times=None)

    polled = poller()

    assert (polled.created, polled.rejected, polled.failed, polled.left) == (4, 1, 1, 0)
    assert quarantined(fetch) == [(str(bad), "NOT_READABLE")]
    [(raw, reason)] = fetch("SELECT raw, reason FROM inbound_records WHERE outcome = 'rejected'")
    assert json.loads(raw)["consignmentID"] == bad  # the row of the list, which is all there is
    assert f"consignments/{bad} through connection 'nexus_pgd302'" in reason
    assert fetch("SELECT count(*) FROM watermarks") == [(1,)]
    nexus_sim.control("faults", clear=True)
    poller.later(minutes=3)
    assert poller().created == 1
    assert quarantined(fetch) == []


@pytest.mark.rule("NX-7-12")
def test_one_that_cannot_be_read_is_tried_five_times_more(poller, nexus_sim, fetch):
    bad = nexus_sim.add(role="requesting")
    nexus_sim.add_many(count=2)
    nexus_sim.fault("http_404", f"consignments/{bad}", "GET", times=None)

    assert tried(poller, 8) == [1, 1, 1, 1, 1, 1, 0, 0]
    assert len(quarantined(fetch)) == 1
    assert poller.calls().count(f"get {bad}") == 6


@pytest.mark.rule("NX-7-12")
def test_what_failed_before_comes_after_all_others(poller, nexus_sim):
    bad = nexus_sim.add(role="requesting")
    nexus_sim.fault("http_404", f"consignments/{bad}", "GET", times=None)
    poller()
    new = nexus_sim.add_many(count=3)
    poller.later(minutes=3)
    asked = poller.asked

    poller()

    asked_for = [call for call in poller.calls(asked) if call.startswith("get")]
    assert asked_for == [*(f"get {one}" for one in reversed(new)), f"get {bad}"]


def test_an_answer_about_another_consignment_is_not_taken_for_it(poller, nexus_sim, fetch):
    wanted, other = nexus_sim.add(role="requesting"), nexus_sim.add(role="requesting")
    whole = nexus_sim.get(f"consignments/{other}")
    nexus_sim.fault("json", f"consignments/{wanted}", "GET", times=None, body=whole)

    assert poller().created == 1

    assert fetch("SELECT tracking_number FROM consignments") == [(str(other),)]
    [(reason,)] = fetch("SELECT reason FROM inbound_records WHERE outcome = 'rejected'")
    assert f"answered with consignmentID {other} in place of {wanted}" in reason


@pytest.mark.rule("NX-7-11")
@pytest.mark.parametrize("effect", ["http_500", "garbage", "http_403"])
def test_an_order_whose_history_cannot_be_read_is_imported_and_asked_for_again(poller, nexus_sim, fetch, effect):
    one = nexus_sim.add(role="requesting")
    nexus_sim.scan(one, "Collected")
    nexus_sim.fault(effect, f"consignments/{one}/statuses", "GET", times=None)

    polled = poller()

    assert (polled.created, polled.failed, polled.statuses) == (1, 1, 0)
    assert quarantined(fetch) == []
    assert any(f"consignments/{one}/statuses" in line for line in poller.lines)
    nexus_sim.control("faults", clear=True)
    poller.later(minutes=3)
    assert poller().failed == 0
    assert fetch("SELECT lifecycle_status FROM consignments") == [("COLLECTED",)]


@pytest.mark.rule("NX-7-9", "NX-7-12")
def test_a_move_whose_history_cannot_be_read_is_asked_for_again(poller, nexus_sim, fetch):
    one = nexus_sim.add(role="requesting")
    poller()
    nexus_sim.scan(one, "Collected")
    nexus_sim.fault("http_500", f"consignments/{one}/statuses", "GET", times=TRIES)
    poller.later(minutes=3)

    assert poller().failed == 1
    assert quarantined(fetch) == []
    assert poller().failed == 0
    assert fetch("SELECT lifecycle_status FROM consignments") == [("COLLECTED",)]


@pytest.mark.rule("NX-7-12")
def test_a_scan_read_beside_what_the_order_store_does_not_take_is_not_lost(poller, nexus_sim, conn, fetch):
    one = nexus_sim.add(role="requesting")
    nexus_sim.scan(one, "Collected")
    nexus_sim.fault("http_500", f"consignments/{one}/statuses", "GET", times=TRIES)
    assert poller().failed == 1
    nexus_sim.add(role="requesting", customerReference="BOOM")
    conn.execute(REFUSE)
    poller.later(minutes=3)

    assert poller().rejected == 1

    assert fetch("SELECT lifecycle_status FROM consignments") == [("COLLECTED",)]


@pytest.mark.rule("NX-7-12")
def test_one_of_ours_that_could_not_be_read_leaves_the_quarantine_once_it_can(poller, nexus_sim, fetch):
    one = nexus_sim.add(role="requesting")
    poller()
    [row] = nexus_sim.get("consignments", limit=100)
    nexus_sim.fault("http_404", f"consignments/{one}", "GET", times=1)
    nexus_sim.fault("json", "consignments", "GET", times=None, body=[row | {"createdDate": "2026-07-12"}])
    poller.later(minutes=3)
    assert poller().failed == 1
    assert quarantined(fetch) == [(str(one), "NOT_READABLE")]
    poller.later(minutes=3)

    assert poller().failed == 0

    assert quarantined(fetch) == []


@pytest.mark.rule("NX-7-12")
@pytest.mark.parametrize("field", ["dueDate", "estimatedDelDate", "delDateTime"])
def test_a_time_before_all_times_stops_no_other(poller, nexus_sim, fetch, field):
    good, bad = nexus_sim.add_many(count=2, role="requesting")
    whole = nexus_sim.get(f"consignments/{bad}") | {field: "0001-01-01T00:00:00Z"}
    nexus_sim.fault("json", f"consignments/{bad}", "GET", times=None, body=whole)

    poller()

    assert (str(good),) in fetch("SELECT tracking_number FROM consignments")
    assert fetch("SELECT count(*) FROM watermarks") == [(1,)]


@pytest.mark.rule("NX-7-12")
def test_while_nothing_can_be_read_nobody_is_given_up(poller, nexus_sim, fetch):
    one = nexus_sim.add(role="requesting")
    nexus_sim.fault("http_503", "consignments/*", "GET", times=None)

    assert tried(poller, 8) == [1] * 8

    nexus_sim.control("faults", clear=True)
    assert poller().created == 1
    assert fetch("SELECT tracking_number FROM consignments") == [(str(one),)]
    assert quarantined(fetch) == []


@pytest.mark.rule("NX-7-6", "NX-7-12")
def test_one_of_ours_that_was_given_up_is_asked_for_like_any_open_one(poller, nexus_sim, fetch):
    one = nexus_sim.add(role="requesting")
    poller()
    nexus_sim.scan(one, "Collected")
    nexus_sim.fault("http_500", f"consignments/{one}/statuses", "GET", times=None)
    poller.later(minutes=3)
    assert tried(poller, 6) == [1] * 6
    nexus_sim.control("faults", clear=True)
    poller.later(minutes=15)

    assert poller().read == 1

    assert fetch("SELECT lifecycle_status FROM consignments") == [("COLLECTED",)]
    poller.later(minutes=14)
    assert poller().read == 0


@pytest.mark.rule("NX-2.8-2", "NX-11-22")
@pytest.mark.parametrize("status", [404, 405])
def test_without_a_history_the_status_of_the_row_counts(poller, nexus_sim, fetch, status):
    nexus_sim.control("options", not_offered={"history": status})
    one, _ = nexus_sim.add_many(count=2, role="requesting")
    poller()
    nexus_sim.scan(one, "Delivered", barcode=None)
    poller.later(minutes=3)
    asked = poller.asked

    polled = poller()

    assert (polled.failed, polled.statuses) == (0, 1)
    assert fetch("SELECT lifecycle_status FROM consignments WHERE tracking_number = %s", str(one)) == [("DELIVERED",)]
    # Of a run, the first answer settles it.
    assert len([call for call in poller.calls(asked) if call.startswith("history")]) == 1


@pytest.mark.rule("NX-7-6", "NX-7-12")
def test_an_open_one_that_cannot_be_read_lets_the_others_go_first_next_time(poller, nexus_sim):
    bad = hold_old_ones(poller, nexus_sim, count=2)[0]
    nexus_sim.fault("http_404", f"consignments/{bad}", "GET", times=None)
    poller.later(minutes=20)

    polled = poller()

    assert (polled.read, polled.failed) == (1, 1)
    assert poller().failed == 0  # not before 15 minutes have passed


# Of the connection, or of Nexus


@pytest.mark.rule("NX-7-7", "NX-7-12")
def test_nexus_that_answers_no_read_ends_the_poll_after_three(poller, nexus_sim, fetch):
    nexus_sim.add_many(count=20)
    nexus_sim.fault("http_503", "consignments/*", "GET", times=None)

    with pytest.raises(NexusServerError):
        poller()

    assert len(details(poller.calls())) == 3 * TRIES
    assert fetch("SELECT count(*) FROM watermarks") == [(0,)]
    nexus_sim.control("faults", clear=True)
    poller.later(minutes=3)
    assert poller().created == 20
    assert quarantined(fetch) == []


@pytest.mark.rule("NX-7-12")
def test_three_bad_ones_in_a_row_hold_nobody_up_for_long(poller, nexus_sim, fetch):
    nexus_sim.add_many(count=4, role="requesting")
    bad = nexus_sim.add_many(count=3, role="requesting")  # the newest come first
    for one in bad:
        nexus_sim.fault("http_500", f"consignments/{one}", "GET", times=None)
    with pytest.raises(NexusServerError):
        poller()
    poller.later(minutes=3)

    polled = poller()

    assert (polled.created, polled.failed) == (4, 3)
    assert len(quarantined(fetch)) == 3
    assert fetch("SELECT count(*) FROM watermarks") == [(1,)]


@pytest.mark.rule("NX-7-12")
def test_nexus_that_falls_silent_in_the_middle_leaves_what_was_read(poller, nexus_sim, fetch):
    nexus_sim.add_many(count=30, role="requesting")
    nexus_sim.fault("http_503", "consignments/*", "GET", after=8, times=None)

    with pytest.raises(NexusServerError):
        poller()

    # Every order read was stored with what its history said.
    assert fetch("SELECT count(*) FROM consignments") == [(8,)]
    assert fetch("SELECT count(DISTINCT consignment_id) FROM tracking_events") == [(8,)]


@pytest.mark.rule("NX-11-13")
def test_a_refused_login_ends_the_poll_and_leaves_what_was_read(poller, nexus_sim, fetch):
    ids = nexus_sim.add_many(count=5, role="requesting")
    nexus_sim.fault("http_401", f"consignments/{ids[2]}", "GET", times=None)

    with pytest.raises(NexusAuthError):
        poller()

    assert fetch("SELECT count(*) FROM consignments") == [(2,)]
    assert quarantined(fetch) == []
    assert fetch("SELECT count(*) FROM watermarks") == [(0,)]
    assert fetch("SELECT count(*) FROM listed_records WHERE tries > 0") == [(0,)]


@pytest.mark.rule("NX-11-14")
def test_a_pause_longer_than_allowed_is_handed_over_and_the_next_poll_goes_on(poller, nexus_sim, fetch):
    ids = nexus_sim.add_many(count=5, role="requesting")
    nexus_sim.fault("http_429", f"consignments/{ids[2]}", "GET", times=1, retry_after=3600)

    with pytest.raises(NexusRateLimited):
        poller()

    assert fetch("SELECT count(*) FROM consignments") == [(2,)]
    assert fetch("SELECT count(*) FROM listed_records WHERE tries > 0") == [(0,)]
    assert poller().created == 3


@pytest.mark.rule("NX-11-14")
def test_a_short_pause_is_waited(poller, nexus_sim):
    nexus_sim.add_many(count=3)
    nexus_sim.fault("http_429", "consignments/*", "GET", times=1, retry_after=7)

    assert poller().created == 3
    assert poller.pauses == [7]


@pytest.mark.rule("NX-1-19")
def test_without_the_call_itself_nothing_is_parked(poller, nexus_sim, fetch):
    nexus_sim.add_many(count=3)
    nexus_sim.fault("http_405", "consignments/*", "GET", times=None)

    with pytest.raises(NexusNotOffered):
        poller()

    assert fetch("SELECT count(*) FROM inbound_records") == [(0,)]


def test_a_connection_that_leads_nowhere_stores_nothing(poller, nexus_sim, fetch, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1/"
    monkeypatch.setattr(nexus_sim, "base_url", address)

    with pytest.raises(NotSent):
        poller()

    assert fetch("SELECT count(*) FROM watermarks") == [(0,)]


@pytest.mark.rule("NX-7-7")
def test_a_poll_that_fails_among_the_open_ones_keeps_the_watermark_and_what_it_read(poller, nexus_sim, fetch):
    old = hold_old_ones(poller, nexus_sim, count=2)
    poller.later(minutes=20)
    nexus_sim.add_many(count=2, role="requesting")
    for one in old:
        nexus_sim.fault("http_401", f"consignments/{one}", "GET", times=None)

    with pytest.raises(NexusAuthError):
        poller()

    assert fetch("SELECT count(*) FROM consignments") == [(4,)]
    assert fetch("SELECT count(*) FROM watermarks") == [(0,)]


def test_a_scan_that_comes_while_its_row_is_read_is_not_missed(poller, nexus_sim, fetch):
    one = nexus_sim.add(role="requesting")

    poller(between=lambda: nexus_sim.scan(one, "Collected"))

    poller.later(minutes=3)
    poller()
    assert fetch("SELECT lifecycle_status FROM consignments") == [("COLLECTED",)]
    assert poller().read == 0


@pytest.mark.rule("NX-7-19", "NX-11-23")
def test_late_scans_are_stored_and_the_status_does_not_go_back(poller, nexus_sim, fetch):
    one = nexus_sim.add(role="requesting", pallets=1)
    nexus_sim.scan(one, "At Hub", dateTime=(NOW - timedelta(hours=2)).isoformat())
    poller()
    nexus_sim.scan(one, "Collected", dateTime=(NOW - timedelta(hours=9)).isoformat())
    poller.later(minutes=3)

    polled = poller()

    # The consignment's own status has not changed, nor has its row but for the day it was collected.
    assert polled.statuses == 1
    assert fetch("SELECT lifecycle_status FROM consignments") == [("AT_HUB",)]
