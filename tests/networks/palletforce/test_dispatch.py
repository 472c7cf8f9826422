"""Dispatch from a completed task to labels, with the real queue, store and network (contract 7).

Every test looks at both sides: the state of the task, and what the network holds of the order.
"""

from datetime import timedelta

import pytest
from tests.networks.dispatching import faults

from palletflow.networks.palletforce import rules
from palletflow.networks.palletforce.client import PalletforceClient
from palletflow.networks.palletforce.work import DISPATCH, NETWORK_LABELS, ROUTING
from palletflow.store import dispatch, documents

LOST = ("timeout_before_accept", "timeout_after_accept")


def network_labels(house, order: int) -> list[documents.StoredDocument]:
    return [one for one in documents.of_order(house.conn, order) if one.kind == "NETWORK_LABEL"]


# The usual way


@pytest.mark.rule("PF-7-1", "PF-7-5", "PF-2.1-7", "PF-2.1-8")
def test_a_completed_task_is_sent_and_routing_barcodes_and_labels_follow(house):
    order = house.order()
    house.dispatch(order)
    assert house.state(order) == "waiting"
    house.work()

    [held] = house.of_order(order)
    task = house.task(order)
    assert (task.state, task.transaction_number, task.warnings, task.faults) == ("completed", f"AF-{order}-1", [], [])
    assert house.one(
        "SELECT tracking_number, registered, consignment_number, collecting_depot, delivery_depot, our_roles,"
        " lifecycle_status FROM consignments"
    ) == (held["trackingNumber"], True, "0000001", "900", "901", ["requesting", "collecting", "delivery"], "CREATED")
    barcodes = [code for (code,) in house.rows("SELECT barcode FROM pallet_barcodes ORDER BY pallet_number")]
    assert barcodes == held["barcodes"]
    labels = network_labels(house, order)
    assert [(one.pallet_number, one.barcode, one.media_type, one.stale_at) for one in labels] == [
        (number, barcode, "image/jpeg", None) for number, barcode in enumerate(barcodes, 1)
    ]
    assert all(house.storage.read(one.sha256).startswith(b"\xff\xd8\xff") for one in labels)
    assert house.items(parked=True) == house.items(parked=False) == {}


def test_every_step_stands_in_the_history(house):
    order = house.sent()

    history = house.history(order)
    assert history[:5] == ["created", "put on a trip", "dispatch task completed", "sending begun", "dispatched"]
    assert sorted(history[5:]) == ["document added", "document added", "updated"]
    [(changes,)] = house.rows("SELECT changes FROM activity WHERE kind = 'dispatched'")
    assert changes == {
        "dispatch_state": ["waiting", "completed"],
        "tracking_number": [None, house.fact(order, "tracking_number")],
    }


def test_work_that_comes_twice_sends_once(house):
    order = house.sent()
    with house.conn.transaction():
        consignment_id = house.consignment(order)
        for kind, key in (
            (DISPATCH, consignment_id),
            (ROUTING, consignment_id),
            (NETWORK_LABELS, f"{consignment_id}:1"),
        ):
            dispatch.work_items.enqueue(house.conn, "palletforce", kind, [key])
    before = house.history(order)
    house.work()

    assert len(house.uploads()) == 1
    assert house.calls().count("DownloadLabel") == len(network_labels(house, order)) == 2
    assert house.history(order) == before


@pytest.mark.rule("PF-7-1")
def test_a_consignment_deleted_meanwhile_leaves_nothing_to_do(house):
    order = house.order()
    house.dispatch(order)
    house.conn.execute("DELETE FROM orders WHERE id = %s", (order,))

    assert house.work() == {"dispatch": {"done": 1}}
    assert house.calls() == []


@pytest.mark.rule("PF-2.1-1")
def test_the_prefix_of_transaction_numbers_is_a_setting(house):
    house.settle(transaction_prefix="HAUL1")
    order = house.sent()

    assert house.of_order(order)[0]["uniqueTransactionNumber"] == f"HAUL1-{order}-1"


@pytest.mark.rule("PF-3-8")
def test_a_haulier_with_a_prefix_of_his_own_numbers_himself(house):
    house.settle(system_id="005")
    order = house.sent()

    assert house.uploads()[0]["consignments"][0]["trackingNumber"] == "9000050000001"
    assert house.fact(order, "tracking_number") == "9000050000001"
    assert house.state(order) == "completed"


@pytest.mark.rule("PF-2.1-23", "PF-2.2-6")
def test_a_consignment_left_unaccepted_has_labels_once_it_is_released(house):
    house.settle(accepted_status="N")
    order = house.sent()
    number = house.fact(order, "tracking_number")

    assert house.uploads()[0]["consignments"][0]["acceptedStatus"] == "N"
    assert (house.state(order), house.fact(order, "registered")) == ("completed", False)
    assert network_labels(house, order) == []
    assert "DownloadLabel" not in house.calls()

    house.simulator.control("change", trackingNumber=number, consignmentStatus="ACCEPTED")
    with house.conn.transaction():
        dispatch.work_items.enqueue(house.conn, "palletforce", ROUTING, [house.consignment(order)])
    house.work()
    house.later(30 * 60)
    assert house.fact(order, "registered")
    assert len(network_labels(house, order)) == 2
    assert len(house.of_order(order)) == 1


@pytest.mark.rule("PF-2.1-26")
@pytest.mark.parametrize("code", ["9000010009999", "PF-2026-1"])
def test_another_number_than_the_one_sent_is_adopted_with_a_warning(house, monkeypatch, code):
    from palletflow.networks.palletforce.client import PalletforceClient, Upload

    monkeypatch.setattr(PalletforceClient, "upload", lambda *_: Upload([code], []))
    order = house.order(tracking_number="9000050000123")
    house.dispatch(order)
    house.work(DISPATCH)

    assert (house.state(order), house.fact(order, "tracking_number")) == ("completed", code)
    warnings = house.task(order).warnings
    assert f"registered it as {code}, not as 9000050000123" in warnings[0]
    assert len(warnings) == (1 if code.isdigit() else 2)


@pytest.mark.rule("PF-2.1-24")
def test_reasons_beside_a_tracking_code_become_warnings(house):
    house.simulator.fault("partial_success", "UploadManifest")
    order = house.sent()

    assert house.state(order) == "completed"
    assert house.task(order).warnings == ["Registered, but the label is not ready yet"]
    assert len(house.of_order(order)) == 1


# Refused


@pytest.mark.rule("PF-1.3-15", "PF-7-7")
def test_a_refusal_fails_with_its_reasons_and_the_next_attempt_is_a_person_s(house):
    house.simulator.fault("unknown_depot", "UploadManifest")
    order = house.sent()

    task = house.task(order)
    assert (task.state, faults(task)) == ("failed", {"order": "REFUSED"})
    assert "Depot 900 is not recognised" in task.faults[0]["reason"]
    assert "complete the task again" in task.faults[0]["remedy"]
    assert house.history(order)[-1] == "dispatch refused by the network"
    assert house.of_order(order) == []
    house.later(600)
    assert len(house.uploads()) == 1

    house.send_again(order)
    house.work()
    assert house.state(order) == "completed"
    assert [one["uniqueTransactionNumber"] for one in house.uploads()] == [f"AF-{order}-1", f"AF-{order}-2"]
    assert len(house.of_order(order)) == 1


@pytest.mark.rule("PF-7-3", "PF-4.3-3", "PF-1.3-15")
def test_refused_notifications_are_left_out_once(house):
    order = house.sent(customer="SOARTILES", account="LEI 002", notification_email="in@example.com")

    first, second = house.uploads()
    assert [bool(one["consignments"][0]["notifications"]) for one in (first, second)] == [True, False]
    assert first["uniqueTransactionNumber"] == second["uniqueTransactionNumber"]
    task = house.task(order)
    assert (task.state, task.attempt, task.opted_out) == ("completed", 1, True)
    assert "without notifications" in task.warnings[0]
    assert "does not have EMAIL notifications enabled" in task.warnings[0]
    assert house.fact(order, "notification_email") == "in@example.com"
    assert len(house.of_order(order)) == 1


@pytest.mark.rule("PF-7-3")
def test_the_opt_out_is_tried_only_once(house):
    house.simulator.fault("notifications_off", "UploadManifest", count=3)
    order = house.sent(notification_email="in@example.com")

    assert (house.state(order), len(house.uploads())) == ("failed", 2)


@pytest.mark.rule("PF-7-3")
@pytest.mark.parametrize(
    ("extra", "email"), [({"notification_retry": False}, "in@example.com"), ({}, "")], ids=["switched off", "none sent"]
)
def test_without_notifications_or_with_the_switch_off_a_refusal_is_one(house, extra, email):
    house.settle(**extra)
    house.simulator.fault("notifications_off", "UploadManifest")
    order = house.sent(notification_email=email)

    assert (house.state(order), len(house.uploads())) == ("failed", 1)


@pytest.mark.rule("PF-7-3")
def test_what_the_pattern_does_not_match_is_not_sent_again(house):
    house.settle(notification_error_pattern="opt[- ]out")
    order = house.sent(customer="SOARTILES", account="LEI 002", notification_email="in@example.com")

    assert (house.state(order), len(house.uploads())) == ("failed", 1)


@pytest.mark.rule("PF-7-3", "PF-7-4")
def test_an_answer_lost_after_the_opt_out_is_looked_up_and_stays_opted_out(house):
    house.simulator.fault("notifications_off", "UploadManifest")
    house.simulator.fault("timeout_before_accept", "UploadManifest")
    order = house.sent(notification_email="in@example.com")
    assert house.state(order) == "unknown"
    house.later(60, 60, 180)

    assert house.state(order) == "completed"
    assert [bool(one["consignments"][0]["notifications"]) for one in house.uploads()] == [True, False, False]
    assert len({one["uniqueTransactionNumber"] for one in house.uploads()}) == 1


# Unknown


@pytest.mark.rule("PF-7-4", "PF-1.3-13")
def test_a_lost_answer_is_looked_up_and_what_is_found_is_adopted(house):
    house.simulator.fault("timeout_after_accept", "UploadManifest")
    order = house.sent()
    task = house.task(order)
    assert (task.state, task.lookups) == ("unknown", 0)
    assert house.calls() == ["UploadManifest"]

    house.later(30)
    assert house.calls() == ["UploadManifest"]
    house.later(30)
    assert house.state(order) == "completed"
    assert len(house.uploads()) == 1
    [held] = house.of_order(order)
    assert house.fact(order, "tracking_number") == held["trackingNumber"]
    assert len(network_labels(house, order)) == 2


@pytest.mark.rule("PF-7-4")
def test_look_ups_come_60_120_and_300_seconds_after_the_sending(house):
    house.settle(resend_after_unknown="never")
    house.simulator.fault("timeout_before_accept", "UploadManifest")
    order = house.sent()
    task = house.task(order)
    assert task.lookup_at - task.sent_at == timedelta(seconds=60)
    for number, pause in ((1, 60), (2, 180)):
        before = house.now
        house.later(60)
        task = house.task(order)
        assert task.lookups == number
        assert before < task.lookup_at - timedelta(seconds=pause) < house.now
    house.later(100)
    assert house.task(order).lookups == 2
    house.later(80)

    task = house.task(order)
    assert (task.state, task.lookups, task.lookup_at) == ("unknown", 3, None)
    assert len(house.items(parked=True)) == 1
    # Each look-up asks by transaction number and by window; a tracking number is not known.
    assert house.calls() == ["UploadManifest"] + ["DownloadManifest"] * 6


@pytest.mark.rule("PF-7-4")
def test_the_delays_of_look_ups_are_a_setting(house):
    house.settle(lookup_delays_s=[1000], resend_after_unknown="never")
    house.simulator.fault("timeout_before_accept", "UploadManifest")
    house.sent()
    house.later(300, 600)
    assert house.calls() == ["UploadManifest"]
    house.later(100)
    assert len(house.items(parked=True)) == 1


@pytest.mark.rule("PF-7-8", "PF-2.1-28")
def test_not_found_three_times_it_is_sent_once_more_under_the_same_number(house):
    house.simulator.fault("timeout_before_accept", "UploadManifest")
    order = house.sent()
    house.later(60, 60)
    assert len(house.uploads()) == 1
    house.later(180)

    first, second = house.uploads()
    assert first == second
    task = house.task(order)
    assert (task.state, task.attempt, task.resent, task.sends) == ("completed", 1, True, 2)
    assert len(house.of_order(order)) == 1


@pytest.mark.rule("PF-7-8")
def test_the_resend_can_be_switched_off(house):
    house.settle(resend_after_unknown="never")
    house.simulator.fault("timeout_before_accept", "UploadManifest")
    order = house.sent()
    house.later(60, 60, 180, 600)

    assert len(house.uploads()) == 1
    assert house.state(order) == "unknown"
    assert list(house.items(parked=True)) == [(DISPATCH, str(house.consignment(order)))]


@pytest.mark.rule("PF-7-8")
def test_a_resend_of_what_was_taken_after_all_makes_no_second_consignment(house):
    house.simulator.fault("timeout_after_accept", "UploadManifest")
    house.settle(lookup_by="window")
    order = house.sent()
    # The network shows nothing of it for a while.
    house.conn.execute("UPDATE orders SET reference = 'other' WHERE id = %s", (order,))
    house.later(60, 60)
    house.conn.execute("UPDATE orders SET reference = 'SO-123' WHERE id = %s", (order,))
    house.simulator.fault("page_fails", "DownloadManifest", count=4, page=1)
    house.later(180)
    assert house.state(order) == "unknown"
    house.later(10)

    assert house.state(order) == "completed"
    assert len(house.of_order(order)) == 1


@pytest.mark.rule("PF-7-10")
def test_still_unknown_it_is_left_to_a_person_who_can_look_it_up(house):
    house.simulator.fault("timeout_before_accept", "UploadManifest", count=2)
    order = house.sent()
    house.later(60, 60, 180)
    assert len(house.uploads()) == 2
    house.later(60, 60, 180)

    [reason] = house.items(parked=True).values()
    assert "look up now" in reason
    assert "send again" in reason
    assert house.state(order) == "unknown"
    house.later(3600)
    assert len(house.uploads()) == 2

    house.look_up_now(order)
    house.work()
    assert house.state(order) == "unknown"
    assert len(house.uploads()) == 2
    assert house.items(parked=True).keys() == {(DISPATCH, str(house.consignment(order)))}


@pytest.mark.rule("PF-7-10", "PF-7-7")
def test_a_person_sends_again_under_the_same_transaction_number(house):
    house.settle(resend_after_unknown="never")
    house.simulator.fault("timeout_before_accept", "UploadManifest")
    order = house.sent()
    house.later(60, 60, 180)
    house.send_again(order)
    house.work()

    assert house.state(order) == "completed"
    assert [one["uniqueTransactionNumber"] for one in house.uploads()] == [f"AF-{order}-1"] * 2
    assert house.task(order).attempt == 1
    assert len(house.of_order(order)) == 1


@pytest.mark.rule("PF-7-10")
def test_sending_again_looks_first(house):
    house.simulator.fault("timeout_after_accept", "UploadManifest")
    order = house.sent()
    house.send_again(order)
    house.work()

    assert house.state(order) == "completed"
    assert len(house.uploads()) == 1


@pytest.mark.rule("PF-7-10")
def test_a_look_up_that_a_person_asks_for_does_not_count(house):
    house.simulator.fault("timeout_before_accept", "UploadManifest")
    order = house.sent()
    for _ in range(4):
        house.look_up_now(order)
        house.work()

    assert (house.state(order), house.task(order).lookups) == ("unknown", 0)
    assert len(house.uploads()) == 1
    house.later(60)
    assert house.task(order).lookups == 1


@pytest.mark.rule("PF-7-4")
def test_a_cancelled_order_is_looked_up_but_not_sent_again(house):
    house.simulator.fault("timeout_before_accept", "UploadManifest")
    order = house.sent()
    house.conn.execute("UPDATE orders SET cancelled_at = now() WHERE id = %s", (order,))
    house.later(60, 60, 180)

    assert (house.state(order), len(house.uploads())) == ("unknown", 1)
    assert len(house.items(parked=True)) == 1


@pytest.mark.rule("PF-7-2")
def test_an_order_cancelled_while_its_rules_are_checked_is_not_sent(house, monkeypatch):
    order = house.order()
    check, checked = rules.preflight, []

    def cancelled_meanwhile(*arguments, **options):
        found = check(*arguments, **options)
        checked.append(found)
        house.conn.execute("UPDATE orders SET cancelled_at = coalesce(cancelled_at, now()) WHERE id = %s", (order,))
        return found

    monkeypatch.setattr(rules, "preflight", cancelled_meanwhile)
    house.dispatch(order)
    house.work()

    assert checked[0] == []
    assert house.uploads() == []
    assert (house.state(order), [fault["code"] for fault in house.task(order).faults]) == ("failed", ["CANCELLED"])


@pytest.mark.rule("PF-7-4")
def test_an_order_cancelled_during_the_last_look_up_is_not_sent_again(house, monkeypatch):
    house.simulator.fault("timeout_before_accept", "UploadManifest")
    order = house.sent()
    house.later(60, 60)
    find = PalletforceClient.find

    def cancelled_meanwhile(*arguments, **options):
        house.conn.execute("UPDATE orders SET cancelled_at = now() WHERE id = %s", (order,))
        return find(*arguments, **options)

    monkeypatch.setattr(PalletforceClient, "find", cancelled_meanwhile)
    house.later(180)

    assert (house.state(order), len(house.uploads())) == ("unknown", 1)
    assert len(house.items(parked=True)) == 1


@pytest.mark.rule("PF-7-9", "PF-2.1-28")
def test_refused_as_registered_already_it_is_adopted_when_it_is_ours(house):
    house.simulator.control("switches", transaction_replay="off")
    house.simulator.fault("timeout_after_accept", "UploadManifest")
    house.settle(lookup_by="uniqueTransactionNumber", lookup_delays_s=[60])
    order = house.sent()
    # The one look-up finds nothing, as the network does not answer it.
    house.send_again(order)
    house.simulator.fault("empty_body", "DownloadManifest", count=4)
    house.work()
    assert house.state(order) == "unknown"
    house.later(60)

    assert house.state(order) == "completed"
    assert len(house.of_order(order)) == 1


@pytest.mark.rule("PF-7-9")
def test_refused_as_registered_already_but_not_ours_it_fails(house):
    house.settle(lookup_delays_s=[60])
    house.simulator.fault("timeout_before_accept", "UploadManifest")
    order = house.sent(tracking_number="9000050000123")
    theirs = {"customersUniqueReference": "another order"}
    house.simulator.create(depot="900", role="requested", trackingNumber="9000050000123", fields=theirs)
    house.later(60)

    task = house.task(order)
    assert (task.state, house.fact(order, "registered")) == ("failed", False)
    assert "already registered" in task.faults[0]["reason"]
    assert "clear the Palletforce tracking number" in task.faults[0]["remedy"]


@pytest.mark.rule("PF-7-4", "PF-7-9")
def test_what_another_transaction_made_is_not_ours_whatever_its_reference(house):
    house.settle(lookup_delays_s=[60])
    house.simulator.fault("timeout_before_accept", "UploadManifest")
    order = house.sent(tracking_number="9000050000123")
    theirs = {"customersUniqueReference": "SO-123", "uniqueTransactionNumber": "XX-9-1", "consignmentNumber": "0000001"}
    house.simulator.create(depot="900", role="requested", trackingNumber="9000050000123", fields=theirs)
    house.later(60)

    assert (house.state(order), house.fact(order, "registered")) == ("failed", False)


@pytest.mark.rule("PF-7-9")
def test_refused_as_registered_already_with_our_reference_it_is_adopted(house):
    house.settle(lookup_delays_s=[60])
    house.simulator.fault("timeout_before_accept", "UploadManifest")
    order = house.sent(tracking_number="9000050000123")
    ours = {"customersUniqueReference": "SO-123", "uniqueTransactionNumber": ""}
    house.simulator.create(depot="900", role="requested", trackingNumber="9000050000123", fields=ours)
    house.later(60)

    assert (house.state(order), house.fact(order, "registered")) == ("completed", True)
    assert len(house.network_has(trackingNumber="9000050000123")) == 1


@pytest.mark.rule("PF-7-9")
def test_what_means_registered_already_is_a_setting(house):
    house.settle(lookup_delays_s=[60], duplicate_error_pattern="no such text")
    house.simulator.fault("timeout_before_accept", "UploadManifest")
    order = house.sent(tracking_number="9000050000123")
    ours = {"customersUniqueReference": "SO-123", "uniqueTransactionNumber": ""}
    house.simulator.create(depot="900", role="requested", trackingNumber="9000050000123", fields=ours)
    house.later(60)

    assert house.state(order) == "failed"


# Imports beside it


@pytest.mark.rule("PF-7-4", "PF-2.4-19")
def test_a_pull_that_finds_it_first_ends_the_unknown(house, pull):
    house.simulator.fault("timeout_after_accept", "UploadManifest")
    order = house.sent()
    house.advance(30)
    pull.now = house.now
    counts = pull("900")
    assert (counts.created, counts.updated) == (0, 1)

    house.work()
    assert house.state(order) == "completed"
    assert house.task(order).warnings == []
    assert house.rows("SELECT count(*) FROM orders") == [(1,)]
    assert len(house.uploads()) == 1
    assert len(network_labels(house, order)) == 2


def test_a_pull_finds_what_was_left_to_a_person(house, pull):
    house.settle(resend_after_unknown="never", lookup_by="trackingNumber")
    house.simulator.fault("timeout_after_accept", "UploadManifest")
    order = house.sent()
    house.later(60, 60, 180)
    assert len(house.items(parked=True)) == 1

    pull.now = house.now
    pull("900")
    house.work()
    assert house.state(order) == "completed"
    assert house.items(parked=True) == {}


def test_an_order_that_a_pull_made_of_it_is_merged_into_ours(house, pull):
    house.simulator.fault("timeout_after_accept", "UploadManifest")
    order = house.sent()
    # Its reference is changed while nobody knows what became of it, so that the pull does not recognise it.
    house.conn.execute("UPDATE orders SET reference = 'changed' WHERE id = %s", (order,))
    pull.now = house.now
    house.advance(30)
    pull.now = house.now
    assert pull("900").created == 1
    [(twin,)] = house.rows("SELECT id FROM orders WHERE source = 'palletforce'")
    twin_consignment = house.consignment(twin)
    number = house.fact(twin, "tracking_number")
    house.conn.execute("UPDATE consignments SET lifecycle_status = 'COLLECTED' WHERE id = %s", (twin_consignment,))
    house.conn.execute("UPDATE stops SET completed_at = now() WHERE consignment_id = %s AND kind = 'pickup'",
                       (twin_consignment,))  # fmt: skip
    house.conn.execute(
        "INSERT INTO movements (consignment_id, event, scan, pallet_number, depot, at, actor) "
        "VALUES (%s, 'scanned', 'onto_trunk', 1, '900', now(), 'driver')",
        (twin_consignment,),
    )
    house.conn.execute(
        "INSERT INTO tracking_events (consignment_id, direction, barcode, code, status, occurred_at) "
        "VALUES (%s, 'imported', '', 'POC', 'COLLECTED', now())",
        (twin_consignment,),
    )
    house.later(60)

    assert house.state(order) == "completed"
    assert (house.fact(order, "tracking_number"), house.fact(order, "registered")) == (number, True)
    assert (house.fact(twin, "tracking_number"), house.fact(twin, "registered")) == (None, False)
    assert house.fact(order, "lifecycle_status") == "COLLECTED"
    ours = house.consignment(order)
    for table in ("movements", "tracking_events", "inbound_records"):
        assert house.rows(f"SELECT DISTINCT consignment_id FROM {table}") == [(ours,)]
    assert house.rows("SELECT DISTINCT consignment_id FROM pallet_barcodes") == [(ours,)]
    assert house.one("SELECT completed_at FROM stops WHERE consignment_id = %s AND kind = 'pickup'", ours)[0]
    review, cancelled = house.one("SELECT review_reason, cancelled_at FROM orders WHERE id = %s", twin)
    assert f"Merged into order {order}" in review
    assert cancelled
    assert "took over an imported order" in house.history(order)
    assert house.history(twin)[-1] == "merged into another order"
    house.advance(60)
    pull.now = house.now
    assert pull("900").created == 0
    assert len(house.of_order(order)) == 1


# What follows


@pytest.mark.rule("PF-7-5")
def test_a_failed_label_is_tried_again_alone(house):
    house.simulator.fault("label_missing", "DownloadLabel")
    order = house.order()
    house.dispatch(order)
    house.work()

    assert house.state(order) == "completed"
    assert [one.pallet_number for one in network_labels(house, order)] == [2]
    [(kind, key)] = house.items(parked=False)
    assert (kind, key) == (NETWORK_LABELS, f"{house.consignment(order)}:1")
    house.later(10)
    assert sorted(one.pallet_number for one in network_labels(house, order)) == [1, 2]
    assert house.calls().count("UploadManifest") == 1
    assert house.calls().count("DownloadLabel") == 3


@pytest.mark.rule("PF-7-5")
def test_routing_that_fails_is_tried_again_alone(house):
    house.simulator.fault("empty_body", "DownloadManifest", count=4)
    order = house.sent()

    assert (house.state(order), house.fact(order, "delivery_depot")) == ("completed", "")
    assert [one.barcode for one in network_labels(house, order)] == ["", ""]
    house.later(10)
    assert house.fact(order, "delivery_depot") == "901"
    assert [one.barcode for one in network_labels(house, order)] == house.of_order(order)[0]["barcodes"]
    assert house.calls().count("UploadManifest") == 1
    assert house.calls().count("DownloadLabel") == 2


@pytest.mark.rule("PF-7-5", "PF-3-15")
def test_a_changed_barcode_makes_the_network_s_labels_stale_and_fetches_new_ones(house, pull):
    order = house.sent()
    number = house.fact(order, "tracking_number")
    old = {one.barcode for one in network_labels(house, order)}
    house.advance(60)
    house.simulator.control("change", trackingNumber=number, deliveryDepot="904")
    house.advance(60)
    pull.now = house.now
    pull("900")
    labels = network_labels(house, order)
    assert all(one.stale_at for one in labels)
    house.work()

    good = [one for one in network_labels(house, order) if one.stale_at is None]
    assert [one.barcode[3:6] for one in good] == ["904", "904"]
    assert {one.barcode for one in network_labels(house, order) if one.stale_at} == old


@pytest.mark.rule("PF-1.3-10", "PF-1.3-11", "PF-1.3-16")
@pytest.mark.parametrize(("fault", "options"), [("http_429", {}), ("http_503", {"retry_after": 1}), ("http_401", {})])
def test_what_was_not_taken_waits_in_the_queue_and_is_then_sent(house, fault, options):
    house.simulator.fault(fault, "UploadManifest", **options)
    order = house.sent()

    task = house.task(order)
    assert (task.state, task.sent_at) == ("waiting", None)
    assert house.items(parked=True) == {}
    house.later(180)
    assert house.state(order) == "completed"
    assert len(house.of_order(order)) == 1
    if fault == "http_401":
        assert house.rows("SELECT connection FROM connection_flags") == [("palletforce_900",)]


@pytest.mark.rule("PF-1.3-10")
def test_a_network_that_is_down_is_waited_for(house, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(house.simulator, "base_url", "http://127.0.0.1:9/api")
        order = house.sent()
        task = house.task(order)
        assert (task.state, task.sent_at, task.sends) == ("waiting", None, 1)
    house.settle()
    house.later(10)

    assert house.state(order) == "completed"
    assert len(house.of_order(order)) == 1
