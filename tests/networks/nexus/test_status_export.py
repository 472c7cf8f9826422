"""Our reports into the simulated Nexus (contract 2.8 and 8.3), through the real work queue: each status once."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from tests.networks.nexus.tracked import Yard

from palletflow.networks.nexus.status_export import StatusExport
from palletflow.networks.nexus.work import STATUS_EXPORT
from palletflow.store import connection_flags, work_items
from palletflow.store.connection import connect
from palletflow.work.handling import Result

HOUR = timedelta(hours=1)
POST = {"path": "consignments/*/statuses", "method": "POST"}
HISTORY = {"path": "consignments/*/statuses", "method": "GET"}
ROUND = ["At Delivery Depot", "Out for Delivery", "Delivered"]


@pytest.fixture
def yard(conn, dsn, plan, nexus_sim, tmp_path):
    made = Yard(conn, dsn, plan, nexus_sim, tmp_path)
    yield made
    made.close()


# The work queue lives in real time.
BEGUN = datetime.now(UTC).replace(microsecond=0) - 10 * HOUR


def at(hours: float) -> datetime:
    return BEGUN + timedelta(hours=hours)


def delivered(yard, one, hours=3.0, **extra):
    """The whole round of one delivery of ours."""
    yard.report(one, "delivery_depot", "arrived", at(hours - 2))
    yard.report(one, "delivery_depot", "completed", at(hours - 1))
    yard.report(one, "delivery", "completed", at(hours), **{"signatory": "J SMITH", **extra})


@pytest.mark.rule("NX-8-17", "NX-8-21", "NX-8-22", "NX-8-23", "NX-8-26", "NX-2.8-3")
def test_a_whole_delivery_is_told_once_in_time_order(yard):
    one = yard.create("delivery")
    delivered(yard, one)

    assert yard.export() == {"done": 1}

    assert yard.at_nexus(one) == ROUND
    assert yard.told(one) == [(name, True, False) for name in ROUND]
    [last] = yard.nexus.one(yard.number(one))["statuses"][-1:]
    assert (last["dateTime"], last["depot"], last["barcode"]) == (at(3).isoformat(), "PGD302", None)
    assert (last["signatory"], last["notes"]) == ("J SMITH", None)
    changes = yard.rows("SELECT changes FROM activity WHERE kind = 'statuses sent' ORDER BY id")
    assert [change["statuses"][1][0].split(" 2")[0] for (change,) in changes] == ROUND

    yard.ask(one)
    assert yard.export() == {"done": 1}
    assert yard.at_nexus(one) == ROUND


@pytest.mark.rule("NX-2.8-3")
def test_nexus_answers_with_the_event_it_stored(yard):
    one = yard.create("delivery")
    yard.report(one, "delivery_depot", "arrived", at(1))
    answers = []
    client = yard.access().client
    post = client.post_status
    client.post_status = lambda *given: answers.append(post(*given)) or answers[-1]

    yard.export()

    [answer] = answers
    assert (answer["status"]["name"], answer["depotCode"]) == ("At Delivery Depot", "PGD302")
    assert answer["id"] in [row["id"] for row in client.history(yard.number(one))]


@pytest.mark.rule("NX-8-19", "NX-8-20")
def test_a_collection_is_told_by_the_collecting_depot(yard):
    one = yard.create("collecting")
    yard.report(one, "pickup", "completed", at(1))
    yard.report(one, "collection_depot", "arrived", at(2))
    yard.scan(one, "onto_trunk", at(3), 1, 2)

    yard.export()

    assert yard.at_nexus(one) == ["Collected", "At Collecting Depot"]


@pytest.mark.rule("NX-8-12")
@pytest.mark.parametrize("role", ["both legs", "requesting"])
def test_without_one_leg_of_ours_nothing_is_told(yard, role):
    one = yard.create(role)
    yard.report(one, "pickup", "completed", at(1))
    delivered(yard, one)
    yard.ask(one)

    assert yard.export() == {"done": 1}
    assert (yard.at_nexus(one), yard.told(one), yard.posts()) == ([], [], [])


@pytest.mark.rule("NX-8-13")
def test_what_we_created_is_told_by_the_depot_that_requests_it(yard):
    own = yard.own()
    yard.report(own, "pickup", "completed", at(1))
    yard.poll(own)

    assert yard.export() == {"done": 1}
    assert yard.at_nexus(own) == ["Collected"]


@pytest.mark.rule("NX-8-26", "NX-8-22")
def test_scans_are_told_once_all_pallets_have_them(yard):
    one = yard.create("delivery", pallets=3)
    yard.scan(one, "onto_delivery_vehicle", at(1), 1, 3)
    yard.export()
    assert yard.at_nexus(one) == []

    yard.scan(one, "onto_delivery_vehicle", at(2), 2)
    yard.export()

    assert yard.at_nexus(one) == ["Out for Delivery"]
    yard.report(one, "delivery_depot", "completed", at(3))
    yard.export()
    assert yard.at_nexus(one) == ["Out for Delivery"]


@pytest.mark.rule("NX-8-23")
@pytest.mark.parametrize(
    ("outcome", "reason", "name"),
    [
        ("NOT_DELIVERED", "closed", "Failed Delivery"),
        ("NOT_DELIVERED", "refused by goods in", "Refused"),
        ("NOT_DELIVERED", "damaged on the tail lift", "Damaged"),
        ("DAMAGED", "Two cartons crushed", "Delivered"),
    ],
)
def test_how_a_delivery_ended_is_told_with_its_reason(yard, outcome, reason, name):
    one = yard.create("delivery")
    yard.report(one, "delivery", "completed", at(3), outcome=outcome, reason=reason)

    yard.export()

    [last] = yard.nexus.one(yard.number(one))["statuses"][-1:]
    assert (last["status"], last["notes"]) == (name, reason)


@pytest.mark.rule("NX-8-26")
def test_a_second_attempt_is_told_again(yard):
    one = yard.create("delivery")
    delivered(yard, one, outcome="NOT_DELIVERED", reason="closed")
    yard.export()
    yard.report(one, "delivery_depot", "completed", at(6))
    yard.report(one, "delivery", "completed", at(7), signatory="J SMITH")

    yard.export()

    assert yard.at_nexus(one) == [
        "At Delivery Depot", "Out for Delivery", "Failed Delivery", "Out for Delivery", "Delivered",
    ]  # fmt: skip


# Off


@pytest.mark.rule("NX-8-24", "NX-8-25")
@pytest.mark.parametrize("off", ["absent", "false", "deployment"])
def test_while_it_is_off_statuses_are_kept_and_sent_later(yard, off):
    one = yard.create("delivery")
    delivered(yard, one)
    if off == "deployment":
        yard.switch(status_export=False)
    elif off == "false":
        yard.settle(status_export=False)
    else:
        del yard.extra["status_export"]
        yard.settle()

    assert yard.export() == {"again": 1}
    assert yard.export() == {"again": 1}

    assert (yard.at_nexus(one), yard.posts()) == ([], [])
    assert yard.told(one) == [(name, False, False) for name in ROUND]
    due = yard.one("SELECT due_at - now() FROM work_items WHERE kind = 'status_export'")[0]
    assert timedelta(0) < due <= timedelta(minutes=15)

    yard.switch(status_export=True)
    yard.settle(status_export=True)
    assert yard.export() == {"done": 1}
    assert yard.at_nexus(one) == ROUND
    assert yard.told(one) == [(name, True, False) for name in ROUND]


@pytest.mark.rule("NX-8-25")
def test_what_was_held_for_too_long_is_dropped_with_a_note(yard):
    one = yard.create("delivery")
    yard.settle(status_export=False, status_export_max_age_h=9)
    yard.report(one, "delivery_depot", "arrived", at(0.5))  # nine and a half hours ago
    yard.report(one, "delivery_depot", "completed", at(4))

    assert yard.export() == {"again": 1}
    assert yard.told(one) == [("At Delivery Depot", False, True), ("Out for Delivery", False, False)]
    [note] = yard.warnings(one)
    assert note.endswith("not sent any more: it is older than 9 hours")

    yard.settle(status_export=True)
    yard.export()
    assert yard.at_nexus(one) == ["Out for Delivery"]
    yard.ask(one)
    yard.export()
    assert (yard.at_nexus(one), yard.warnings(one)) == (["Out for Delivery"], [note])


@pytest.mark.rule("NX-8-25")
def test_what_was_held_and_is_too_old_when_it_is_switched_on_is_dropped(yard):
    one = yard.create("delivery")
    yard.settle(status_export=False)
    yard.report(one, "delivery_depot", "arrived", at(0.5))
    yard.export()

    yard.settle(status_export=True, status_export_max_age_h=9)

    assert yard.export() == {"done": 1}
    assert (yard.at_nexus(one), yard.told(one)) == ([], [("At Delivery Depot", False, True)])


@pytest.mark.rule("NX-8-25")
def test_nothing_waits_for_what_has_all_been_dropped_and_a_late_report_still_goes(yard):
    one = yard.create("delivery")
    yard.settle(status_export=False, status_export_max_age_h=1)
    yard.report(one, "delivery_depot", "arrived", at(0.5))
    assert yard.export() == {"done": 1}

    # What was never held is sent however late our people report it.
    yard.settle(status_export=True)
    yard.report(one, "delivery_depot", "completed", at(4))
    yard.export()
    assert yard.at_nexus(one) == ["Out for Delivery"]


@pytest.mark.rule("NX-8-25")
@pytest.mark.parametrize("fault", ["drop", "http_400"])
def test_what_once_went_or_was_refused_waits_no_longer_either_while_it_is_off(yard, fault):
    one = yard.create("delivery")
    yard.report(one, "delivery_depot", "arrived", at(0.5))
    yard.nexus.fault(fault, **POST)
    yard.export()

    yard.settle(status_export=False, status_export_max_age_h=1)
    yard.ask(one)

    assert yard.export() == {"done": 1}
    assert len(yard.posts()) == 1


@pytest.mark.rule("NX-8-25")
def test_everything_that_is_held_comes_due_together_so_that_one_run_looks_after_it(yard):
    yard.settle(status_export=False)
    for one in (yard.create("delivery"), yard.create("delivery")):
        yard.report(one, "delivery_depot", "arrived", at(9))

    yard.export()

    dues = yard.rows("SELECT DISTINCT due_at FROM work_items WHERE kind = 'status_export'")
    assert all(due.minute % 15 == 0 and not due.second and not due.microsecond for (due,) in dues)


@pytest.mark.rule("NX-9-11", "NX-8-25")
def test_documents_go_although_the_delivery_was_reported_too_late_to_be_told(yard):
    yard.settle(status_export=False, status_export_max_age_h=1)
    one = yard.create("delivery")
    yard.report(one, "delivery", "completed", at(3))

    assert yard.export() == {"done": 1}
    assert yard.waiting() == [("document_upload", str(one))]


@pytest.mark.rule("NX-8-18")
def test_an_empty_name_in_the_template_is_never_sent(yard):
    names = yard.access().mapper.template.sections["status_export"]
    yard.template(status_export={**names, "AT_DELIVERY_DEPOT": "", "DELIVERED": ""})
    one = yard.create("delivery")
    delivered(yard, one)

    assert yard.export() == {"done": 1}
    assert yard.at_nexus(one) == ["Out for Delivery"]
    # Nothing is told before the documents, so they may go.
    assert yard.waiting() == [("document_upload", str(one))]


@pytest.mark.rule("NX-8-18", "NX-2.9-5", "NX-2.9-6")
def test_a_name_that_nexus_does_not_have_is_left_to_a_person_and_stops_no_other(yard):
    names = yard.access().mapper.template.sections["status_export"]
    yard.template(status_export={**names, "OUT_FOR_DELIVERY": "On the van"})
    one = yard.create("delivery")
    delivered(yard, one)

    assert yard.export() == {"parked": 1}
    assert yard.at_nexus(one) == ["At Delivery Depot", "Delivered"]
    [reason] = yard.parked()
    assert "NX115: 'On the van' (OUT_FOR_DELIVERY) is not there exactly once" in reason

    yard.template(status_export=names)
    yard.ask(one)
    assert yard.export() == {"done": 1}
    assert yard.at_nexus(one) == ["At Delivery Depot", "Delivered", "Out for Delivery"]


@pytest.mark.rule("NX-11-6", "NX-8-18")
def test_ids_are_looked_up(yard):
    yard.nexus.control("options", shift_ids=777)
    one = yard.create("delivery")
    delivered(yard, one)

    yard.export()

    assert yard.at_nexus(one) == ROUND


@pytest.mark.parametrize(("state", "outcome"), [("waiting", "again"), ("unknown", "again"), ("not_needed", "done")])
def test_only_a_registered_consignment_is_told_of(yard, state, outcome):
    one = yard.create("delivery")
    delivered(yard, one)
    yard.rows("UPDATE consignments SET registered = false, dispatch_state = %s WHERE id = %s RETURNING 1", state, one)

    assert yard.export() == {outcome: 1}
    assert yard.posts() == []


def test_a_cancelled_order_that_nexus_does_not_have_waits_for_nothing(yard):
    one = yard.create("delivery")
    delivered(yard, one)
    yard.rows("UPDATE consignments SET registered = false, dispatch_state = 'todo' WHERE id = %s RETURNING 1", one)
    yard.conn.execute("UPDATE orders SET cancelled_at = now()")

    assert yard.export() == {"done": 1}


def test_what_is_never_dispatched_is_looked_after_less_and_less_often(yard):
    one = yard.create("delivery")
    delivered(yard, one)
    yard.rows("UPDATE consignments SET registered = false, dispatch_state = 'todo' WHERE id = %s RETURNING 1", one)
    pauses = []
    for hours in (0, 5, 500):
        yard.conn.execute("UPDATE work_items SET created_at = now() - make_interval(hours => %s)", (hours,))
        assert yard.export() == {"again": 1}
        [(pause,)] = yard.rows("SELECT extract(epoch FROM due_at - now()) / 3600 FROM work_items")
        pauses.append(round(float(pause), 1))
    assert pauses == [0.2, 5.0, 24.0]


def test_a_consignment_that_is_gone_is_done(yard):
    yard.ask(999999)

    assert yard.export() == {"done": 1}


# Echoes, both ways


@pytest.mark.rule("NX-8-27")
@pytest.mark.parametrize("datetimes", ["offset", "wall"])
def test_what_we_told_comes_back_as_an_echo_and_does_nothing(yard, datetimes):
    yard.nexus.control("options", datetimes=datetimes)
    one = yard.create("delivery")
    delivered(yard, one)
    yard.export()
    before = yard.stop(one, "delivery_depot"), yard.stop(one), yard.whereabouts(one)

    news = yard.poll(one)

    assert (news.events, news.echoes) == (3, 3)
    assert [(name, echo) for name, _, _, echo in yard.events(one)][1:] == [(name, True) for name in ROUND]
    assert (yard.stop(one, "delivery_depot"), yard.stop(one), yard.whereabouts(one)) == before
    assert yard.whereabouts(one) == ("DELIVERED", None)
    assert yard.rows("SELECT count(*) FROM activity WHERE kind = 'statuses read' AND changes ->> 'statuses' <> ''") == [
        (1,)
    ]


@pytest.mark.rule("NX-8-27", "NX-2.8-2")
def test_without_a_history_too(yard):
    yard.settle(status_history="off")
    one = yard.create("delivery")
    delivered(yard, one)
    yard.export()

    news = yard.poll(one)

    assert (news.events, news.echoes) == (1, 1)


@pytest.mark.rule("NX-8-27")
def test_what_nexus_told_us_is_never_sent_back(yard):
    """A stop that a status from Nexus completed is no report of ours."""
    one = yard.create("delivery")
    yard.status(one, "Collected", 1)
    yard.status(one, "At Delivery Depot", 2)
    yard.poll(one)
    assert yard.completed(one) == ["pickup", "delivery_depot"]
    yard.ask(one)

    assert yard.export() == {"done": 1}
    assert yard.posts() == []


@pytest.mark.rule("NX-8-27", "NX-8-26")
def test_what_the_history_has_already_is_not_sent(yard):
    one = yard.create("delivery")
    yard.status(one, "At Delivery Depot", 0.5)
    delivered(yard, one)

    assert yard.export() == {"done": 1}

    assert yard.at_nexus(one) == ["Out for Delivery", "Delivered"]
    assert yard.told(one) == [(name, True, False) for name in ROUND]
    assert yard.rows("SELECT count(*) FROM activity WHERE kind = 'statuses found at Nexus'") == [(1,)]


@pytest.mark.rule("NX-8-27")
def test_what_the_history_has_of_one_pallet_only_is_sent(yard):
    one = yard.create("delivery")
    yard.status(one, "At Delivery Depot", 0.5, 1)
    yard.report(one, "delivery_depot", "arrived", at(1))

    yard.export()

    assert yard.at_nexus(one) == ["At Delivery Depot"]


# Documents follow


@pytest.mark.rule("NX-9-11")
def test_documents_go_after_the_delivery_is_told(yard):
    one = yard.create("delivery")
    yard.report(one, "delivery_depot", "completed", at(2))
    yard.export()
    assert yard.waiting() == []

    yard.report(one, "delivery", "completed", at(3))
    yard.nexus.fault("http_500", **POST)
    yard.export()
    assert yard.waiting() == []
    yard.export()

    assert yard.waiting() == [("document_upload", str(one))]


@pytest.mark.rule("NX-9-11")
def test_documents_go_at_once_while_status_export_is_off(yard):
    yard.settle(status_export=False)
    one = yard.create("delivery")
    delivered(yard, one)

    yard.export()

    assert yard.waiting() == [("document_upload", str(one))]
    # Asked for once, not with every look.
    yard.export()
    assert yard.rows("SELECT generation FROM work_items WHERE kind = 'document_upload'") == [(0,)]


def test_a_failed_delivery_has_no_documents_to_send(yard):
    one = yard.create("delivery")
    delivered(yard, one, outcome="NOT_DELIVERED", reason="closed")

    yard.export()

    assert yard.waiting() == []


# Faults: every one ends with exactly one status of each kind at Nexus


# Effect, options, and how many runs it takes. What is accepted is in the history when we look again.
UNKNOWN = {
    "timeout before it is stored": ("timeout", {"accept": False}),
    "timeout after it is stored": ("timeout", {"accept": True}),
    "dropped before it is stored": ("drop", {"accept": False}),
    "dropped after it is stored": ("drop", {"accept": True}),
    "500 before it is stored": ("http_500", {"accept": False}),
    "502 after it is stored": ("http_502", {"accept": True}),
    "503 after it is stored": ("http_503", {"accept": True}),
    "garbage after it is stored": ("garbage", {}),
    "html after it is stored": ("html", {}),
    "half an answer": ("truncated", {}),
}


@pytest.mark.rule("NX-8-28", "NX-1-24", "NX-1-25")
@pytest.mark.parametrize(("effect", "options"), UNKNOWN.values(), ids=UNKNOWN)
@pytest.mark.parametrize("history", ["auto", "off"])
def test_an_unknown_outcome_is_looked_up_and_repeated_only_if_absent(yard, effect, options, history):
    yard.settle(read_timeout_s=0.4, status_history=history)
    one = yard.create("delivery")
    delivered(yard, one)
    yard.nexus.fault(effect, after=1, **POST, **options)

    assert yard.export() == {"postponed": 1}
    # What comes later does not overtake it.
    assert [name for name, sent, _ in yard.told(one) if sent] == ["At Delivery Depot"]
    assert yard.export() == {"done": 1}

    assert yard.at_nexus(one) == ROUND
    assert yard.told(one) == [(name, True, False) for name in ROUND]
    assert yard.waiting() == [("document_upload", str(one))]


@pytest.mark.rule("NX-8-28")
def test_an_answer_that_says_nothing_is_taken_as_told(yard):
    one = yard.create("delivery")
    yard.report(one, "delivery_depot", "arrived", at(1))
    yard.nexus.fault("empty", **POST)

    assert yard.export() == {"done": 1}
    assert yard.at_nexus(one) == ["At Delivery Depot"]


@pytest.mark.rule("NX-8-28")
@pytest.mark.parametrize("accept", [True, False])
def test_without_a_history_what_went_on_meanwhile_says_enough(yard, accept):
    """The answer is lost, and when we look again the consignment is further on: it is not told a second time."""
    yard.settle(read_timeout_s=0.4, status_history="off")
    one = yard.create("delivery")
    yard.report(one, "delivery_depot", "arrived", at(1))
    yard.nexus.fault("timeout", **POST, accept=accept)
    yard.export()
    yard.nexus.scan(yard.number(one), "Out for Delivery", dateTime=at(2).isoformat())

    assert yard.export() == {"done": 1}
    assert yard.at_nexus(one) == (["At Delivery Depot"] if accept else [])
    assert len(yard.posts()) == 1


@pytest.mark.rule("NX-8-25", "NX-8-28")
def test_what_was_held_back_may_have_arrived_as_soon_as_it_goes(yard):
    yard.settle(status_export=False)
    one = yard.create("delivery")
    yard.report(one, "delivery_depot", "arrived", at(1))
    yard.export()
    yard.settle(status_export=True, read_timeout_s=0.4, status_history="off")
    yard.nexus.fault("timeout", **POST, accept=True)
    yard.export()
    yard.nexus.scan(yard.number(one), "Out for Delivery", dateTime=at(2).isoformat())

    assert yard.export() == {"done": 1}
    assert yard.at_nexus(one) == ["At Delivery Depot"]


@pytest.mark.rule("NX-8-28", "NX-1-18")
def test_without_a_history_what_certainly_did_not_leave_us_is_sent_although_it_went_on(yard):
    yard.settle(status_history="off")
    one = yard.create("delivery")
    yard.report(one, "delivery_depot", "arrived", at(1))
    yard.nexus.fault("http_429", **POST, retry_after=1)
    assert yard.export() == {"postponed": 1}
    yard.nexus.scan(yard.number(one), "Out for Delivery", dateTime=at(2).isoformat())

    assert yard.export() == {"done": 1}
    assert yard.at_nexus(one) == ["At Delivery Depot"]


REFUSALS = {
    "problem": ("http_400", {"form": "problem"}),
    "text": ("http_400", {"form": "text"}),
    "meta": ("http_422", {"form": "meta"}),
    "empty": ("http_400", {"form": "empty"}),
    "forbidden": ("http_403", {}),
    "conflict": ("http_409", {}),
}


@pytest.mark.rule("NX-1-17", "NX-1-18", "NX-8-26")
@pytest.mark.parametrize(("effect", "options"), REFUSALS.values(), ids=REFUSALS)
def test_what_nexus_refuses_is_left_to_a_person_and_stops_no_other(yard, effect, options):
    one = yard.create("delivery")
    delivered(yard, one)
    yard.nexus.fault(effect, after=1, **POST, **options)

    assert yard.export() == {"parked": 1}

    assert yard.at_nexus(one) == ["At Delivery Depot", "Delivered"]
    assert yard.told(one) == [
        ("At Delivery Depot", True, False),
        ("Out for Delivery", False, True),
        ("Delivered", True, False),
    ]
    [reason] = yard.parked()
    assert reason.startswith("Out for Delivery ")
    assert reason in yard.warnings(one)[-1]

    # Released, it is tried again, and nothing else.
    yard.ask(one)
    assert yard.export() == {"done": 1}
    assert yard.at_nexus(one) == ["At Delivery Depot", "Delivered", "Out for Delivery"]


def test_a_consignment_that_nexus_has_cancelled_takes_no_status(yard):
    one = yard.create("delivery")
    yard.status(one, "Cancelled", 1, barcode=None)
    yard.report(one, "delivery_depot", "arrived", at(1))

    assert yard.export() == {"parked": 1}
    assert yard.at_nexus(one) == []


@pytest.mark.rule("NX-1-19", "NX-8-25")
@pytest.mark.parametrize("status", [404, 405])
def test_a_call_that_nexus_does_not_offer_rests_and_its_work_is_kept(yard, status):
    yard.nexus.control("options", not_offered={"post_status": status})
    first, second = yard.create("delivery"), yard.create("delivery")
    for one in (first, second):
        delivered(yard, one)

    assert yard.export() == {"postponed": 2}

    # It was asked once for all, and is asked again within the hour.
    assert len(yard.posts()) == 1
    pauses = yard.rows("SELECT due_at - now(), last_error, attempts FROM work_items WHERE kind = 'status_export'")
    assert all(timedelta(minutes=30) < pause <= timedelta(hours=1) for pause, *_ in pauses)
    assert all("work is kept" in reason and attempts == 0 for _, reason, attempts in pauses)
    assert [yard.told(one) for one in (first, second)] == [[(name, False, False) for name in ROUND]] * 2
    assert sorted(yard.waiting()) == [("document_upload", str(first)), ("document_upload", str(second))]

    yard.nexus.control("options", not_offered={})
    assert yard.export() == {"done": 2}
    assert [yard.at_nexus(one) for one in (first, second)] == [ROUND, ROUND]


@pytest.mark.rule("NX-1-19", "NX-8-25")
def test_what_rested_for_too_long_is_dropped(yard):
    yard.nexus.control("options", not_offered={"post_status": 405})
    one = yard.create("delivery")
    yard.report(one, "delivery_depot", "arrived", at(1))
    yard.export()
    yard.settle(status_export_max_age_h=1)

    assert yard.export() == {"done": 1}
    assert yard.told(one) == [("At Delivery Depot", False, True)]


@pytest.mark.rule("NX-1-22")
@pytest.mark.parametrize("path", [POST, HISTORY])
def test_when_nexus_asks_to_wait_it_is_waited_for(yard, path):
    one = yard.create("delivery")
    delivered(yard, one)
    yard.nexus.fault("http_429", **path, retry_after=100)

    assert yard.export() == {"postponed": 1}
    [(pause, attempts)] = yard.rows("SELECT due_at - now(), attempts FROM work_items WHERE kind = 'status_export'")
    assert (timedelta(seconds=60) < pause <= timedelta(seconds=100), attempts) == (True, 0)
    assert yard.export() == {"done": 1}
    assert yard.at_nexus(one) == ROUND


@pytest.mark.rule("NX-1-14", "NX-1-15")
def test_a_refused_bearer_is_renewed_once_and_a_refused_login_flags_the_connection(yard):
    one = yard.create("delivery")
    delivered(yard, one)
    yard.nexus.fault("http_401", **POST)
    assert yard.export() == {"done": 1}
    assert yard.at_nexus(one) == ROUND

    other = yard.create("delivery")
    yard.report(other, "delivery_depot", "arrived", at(1))
    yard.settle()
    yard.nexus.fault("http_401", path="account/login", times=None)
    assert yard.export() == {"postponed": 1}
    assert connection_flags.reason(yard.conn, "nexus_pgd302")
    assert (yard.at_nexus(other), yard.told(other)) == ([], [])


@pytest.mark.parametrize("effect", ["http_500", "drop", "garbage", "html"])
def test_without_knowing_what_is_there_nothing_is_sent(yard, effect):
    one = yard.create("delivery")
    delivered(yard, one)
    yard.nexus.fault(effect, **HISTORY, times=None)

    assert yard.export() == {"postponed": 1}
    assert (yard.posts(), yard.told(one)) == ([], [])


def test_a_burst_of_reports_worked_off_side_by_side_is_told_once(yard):
    many = [yard.create("delivery") for _ in range(6)]
    for one in many:
        delivered(yard, one)

    assert yard.export(limit=4) == {"done": 6}
    assert [yard.at_nexus(one) for one in many] == [ROUND] * 6


def test_a_worker_whose_lease_ended_and_the_next_one_do_not_both_tell(yard):
    """The second waits; when it has its turn, all of it is there."""
    one = yard.create("delivery")
    delivered(yard, one)
    handler = StatusExport(yard.plan, yard.reach, lambda: datetime.now(UTC))
    [item] = work_items.claim(yard.conn, "nexus", STATUS_EXPORT, 1, 60)
    yard.nexus.fault("slow", **POST, seconds=1)

    with ThreadPoolExecutor() as pool, connect(yard.dsn) as other:
        first = pool.submit(handler, yard.conn, item)
        deadline = time.monotonic() + 30
        while not yard.posts():
            assert time.monotonic() < deadline
        second = handler(other, item)
        assert first.result() == Result()

        assert second.again_at
        assert handler(other, item) == Result()
    assert yard.at_nexus(one) == ROUND
