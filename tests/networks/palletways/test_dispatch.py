"""Orders through the real queue to the simulated Palletways: submitted once, numbered, labelled."""

from datetime import timedelta

import pytest
from tests.networks.dispatching import faults
from tests.networks.palletways.dispatching import SUBMIT

from palletflow.networks.palletways import fetch
from palletflow.networks.palletways.client import PalletwaysClient
from palletflow.networks.palletways.dispatch import LEFT_TO_A_PERSON, NOTHING_SENT
from palletflow.networks.palletways.errors import ValidationError, ValidationRefused
from palletflow.networks.palletways.work import DISPATCH, LABEL, LOOK_UP, NETWORK, TRACKING_ID
from palletflow.store import session_lock, work_items
from palletflow.store.connection import connect
from palletflow.store.imports import Batch, Counts

MINUTE, HOUR = 60, 3600


@pytest.mark.rule("PW-7-1", "PW-7.1-1", "PW-7.1-4", "PW-2.2-1", "PW-2.2-15", "PW-2.2-16")
def test_an_order_is_validated_stored_released_numbered_and_labelled(haulier):
    order = haulier.sent()

    [held] = haulier.in_network(order)
    task = haulier.task(order)
    assert (task.state, haulier.fact(order, "registered")) == ("completed", True)
    assert haulier.fact(order, "tracking_number") == held["tracking_id"]
    assert (task.network_reference, held["released"]) == (held["response_id"], True)
    assert [one["params"]["commit"] for one in haulier.sim.journal("createConsignment")] == ["no", "yes"]
    [label] = haulier.labels(order)
    assert (label.media_type, label.pallet_number) == ("application/pdf", None)
    assert haulier.items(parked=False) == {}
    assert haulier.items(parked=True) == {}


@pytest.mark.rule("PW-7.1-5", "PW-3-5", "PW-3-6")
def test_depots_hub_and_barcodes_come_from_the_network(haulier):
    order = haulier.sent()
    [held] = haulier.in_network(order)
    assert haulier.fact(order, "delivery_depot") == held["delivery_depot"]
    assert haulier.fact(order, "consignment_number") == "0000001"
    barcodes = [barcode for barcode, _ in haulier.barcodes()]
    assert len(barcodes) == 2
    assert all(barcode in str(held["manifest"]) for barcode in barcodes)
    assert haulier.review(order) is None, "what the network gives back of ours is no difference"


@pytest.mark.rule("PW-7.1-4")
def test_without_the_pre_flight_it_is_submitted_at_once(haulier):
    haulier.settle(preflight=False)
    haulier.sent()
    assert [one["params"]["commit"] for one in haulier.sim.journal("createConsignment")] == ["yes"]


@pytest.mark.rule("PW-7.1-4", "PW-2.2-1")
def test_the_template_may_leave_it_outstanding(haulier):
    haulier.template("dispatch: {confirm: false}\n" + TEMPLATE)
    [held] = haulier.in_network(haulier.sent())
    assert held["released"] is False


@pytest.mark.rule("PW-7-1")
def test_a_connection_without_the_capability_dispatches_nothing(haulier):
    haulier.settle(capabilities=["photos_in"])
    order = haulier.sent()
    assert faults(haulier.task(order)) == {"requesting_depot": "PW-7-1"}
    assert "capabilities" in haulier.task(order).faults[0]["reason"]
    assert haulier.methods() == []


@pytest.mark.rule("PW-7.1-2")
def test_without_services_and_units_of_the_country_nothing_is_sent(haulier):
    haulier.template("extra_fields: []\n")
    order = haulier.sent()
    assert faults(haulier.task(order))["order"] == "PW-7.1-2"
    assert haulier.methods() == []


@pytest.mark.rule("PW-7.1-3", "PW-2.2-13", "PW-2.2-5")
def test_pallet_names_become_billing_units(haulier):
    order = haulier.sent(pallet_types=["FULL", "LARGE", "HALF", "QUARTER", "MINI", "MINI"])
    [held] = haulier.in_network(order)
    units = {"FP": "1", "LP": "1", "HP": "1", "QP": "1", "MQP": "2"}
    for unit, amount in units.items():
        assert f"<BillUnit><Type>{unit}</Type><Amount>{amount}</Amount></BillUnit>" in held["payload"]
    assert "<Lifts>6</Lifts><Weight>640.00</Weight>" in held["payload"]


@pytest.mark.rule("PW-7.1-5", "PW-3-2")
def test_a_tracking_id_that_comes_late_is_asked_for_by_response_id(haulier):
    haulier.sim.switch(tracking_delay_s=16 * MINUTE)
    order = haulier.sent()
    task = haulier.task(order)
    assert (task.state, haulier.fact(order, "tracking_number")) == ("completed", None)
    assert task.network_reference
    assert haulier.items(parked=False).keys() == {
        (kind, str(haulier.consignment(order))) for kind in (TRACKING_ID, LABEL)
    }

    haulier.later(MINUTE + 1, 4 * MINUTE, 10 * MINUTE)
    assert haulier.methods().count("conStatusById") == 3
    assert haulier.fact(order, "tracking_number") is None
    haulier.later(15 * MINUTE)

    [held] = haulier.in_network(order)
    assert haulier.fact(order, "tracking_number") == held["tracking_id"] != task.network_reference
    assert haulier.fact(order, "delivery_depot") == held["delivery_depot"]
    assert len(haulier.labels(order)) == 1


@pytest.mark.rule("PW-7.1-5")
def test_a_tracking_id_that_never_comes_is_left_to_a_person_after_a_day(haulier):
    haulier.sim.switch(tracking_delay_s=10 * 24 * HOUR)
    order = haulier.sent()
    haulier.later(MINUTE + 1, 4 * MINUTE, 10 * MINUTE, 15 * MINUTE, *[HOUR] * 25)
    why = haulier.items(parked=True)[TRACKING_ID, str(haulier.consignment(order))] or ""
    assert "24 hours" in why
    assert haulier.task(order).network_reference in why
    assert haulier.state(order) == "completed"


@pytest.mark.rule("PW-2.2-17", "PW-2.2-18")
def test_a_refused_field_is_shown_as_ours_and_mended(haulier):
    order = haulier.sent(account="NONE99")
    task = haulier.task(order)
    assert task.state == "failed"
    assert task.sent_at is None, "never created is another thing than refused after it was sent"
    assert {"account"} == {fault["field"] for fault in task.faults}
    assert all(fault["code"].startswith("ERROR_") for fault in task.faults)
    assert haulier.submissions() == []

    haulier.change(order, "account", "ACM001")
    haulier.complete(order)
    haulier.work()
    assert haulier.state(order) == "completed"
    assert len(haulier.in_network(order)) == 1


@pytest.mark.rule("PW-7.1-9")
def test_never_created_and_failed_on_the_road_are_different_states(haulier):
    never = haulier.sent(weight_kg=None)
    created = haulier.sent()
    assert (haulier.state(never), haulier.fact(never, "lifecycle_status")) == ("failed", "CREATED")
    haulier.change(created, "lifecycle_status", "CANCELLED")
    assert (haulier.state(created), haulier.task(created).faults) == ("completed", [])


@pytest.mark.rule("PW-7.1-6")
def test_the_reference_is_our_own_key_and_is_committed_before_the_call(haulier):
    first, second = haulier.sent(), haulier.sent()
    keys = [haulier.task(order).transaction_number for order in (first, second)]
    assert keys == [f"PLF{haulier.consignment(order)}-1" for order in (first, second)]
    assert [len(haulier.sim.held(reference=key)) for key in keys] == [1, 1]
    history = haulier.history(first)
    assert history.index("sending begun") < history.index("dispatched")


@pytest.mark.rule("PW-7.1-6", "PW-7.1-7")
def test_what_was_stored_though_its_answer_was_lost_is_adopted(haulier):
    haulier.sim.switch(commit_then_drop="on")
    order = haulier.sent()
    haulier.sim.switch(commit_then_drop="off")
    haulier.play_out()
    assert haulier.state(order) == "completed"
    assert len(haulier.in_network(order)) == 1
    assert len(haulier.submissions()) == 1
    assert len(haulier.labels(order)) == 1


@pytest.mark.rule("PW-7.1-7")
def test_it_is_looked_for_by_reference_then_number_then_among_the_days(haulier):
    order = lost(haulier)
    asked = [one["method"] for one in haulier.sim.journal() if one["method"].startswith("con")]
    assert asked == ["conStatusByCustRef", "conStatusByConNo", "consEntered"]
    assert haulier.state(order) == "unknown"


@pytest.mark.rule("PW-7.1-7")
def test_what_was_not_stored_is_sent_again_after_two_empty_rounds_two_minutes_apart(haulier):
    order = lost(haulier)
    haulier.later(MINUTE)
    assert haulier.methods().count("conStatusByCustRef") == 1
    haulier.later(MINUTE + 1)
    assert haulier.methods().count("conStatusByCustRef") == 2
    haulier.play_out()
    assert haulier.state(order) == "completed"
    assert len(haulier.in_network(order)) == 1
    assert len(haulier.submissions()) == 2
    references = {haulier.task(order).transaction_number}
    assert len(references) == 1


@pytest.mark.rule("PW-7.1-7")
def test_one_that_is_lost_twice_is_left_to_a_person(haulier):
    order = lost(haulier)
    lose(haulier)
    haulier.later(2 * MINUTE + 1)
    haulier.play_out()
    assert haulier.items(parked=True) == {(DISPATCH, str(haulier.consignment(order))): LEFT_TO_A_PERSON}
    find(haulier)
    haulier.send_again(order)
    haulier.play_out()
    assert haulier.state(order) == "completed"
    assert len(haulier.in_network(order)) == 1


@pytest.mark.rule("PW-7.1-7")
def test_another_accounts_consignment_of_our_reference_is_not_adopted(haulier):
    order = lost(haulier)
    haulier.sim.add(reference=haulier.task(order).transaction_number, account="FOX002")
    haulier.play_out()
    accounts = sorted(one["account"] for one in haulier.in_network(order))
    assert accounts == ["ACM001", "FOX002"]
    assert haulier.fact(order, "tracking_number") in [
        one["tracking_id"] for one in haulier.in_network(order) if one["account"] == "ACM001"
    ]


def test_an_order_that_was_changed_while_its_outcome_is_unknown_is_not_sent_as_another(haulier):
    order = lost(haulier)
    haulier.change(order, "weight_kg", 700)
    haulier.play_out()
    task = haulier.task(order)
    assert task.state == "failed"
    assert faults(task) == {"order": "CHANGED"}
    assert len(haulier.submissions()) == 1


@pytest.mark.rule("PW-3-1")
def test_an_order_with_a_tracking_id_is_not_dispatched_but_looked_up(haulier):
    tracking_id = haulier.sim.add(depot="123")
    order = haulier.order(tracking_number=tracking_id)
    haulier.dispatch(order)
    haulier.work(DISPATCH)
    assert faults(haulier.task(order))["tracking_number"] == "PW-3-1"
    assert haulier.submissions() == []


@pytest.mark.rule("PW-7.2-1", "PW-3-1")
def test_what_was_looked_up_before_its_dispatch_is_taken_over_and_not_sent(haulier):
    order = haulier.order(tracking_number=haulier.sim.add(depot="123"))
    haulier.dispatch(order)
    haulier.work(LOOK_UP)
    haulier.work()
    assert haulier.state(order) == "completed"
    assert haulier.task(order).warnings == [NOTHING_SENT]
    assert haulier.submissions() == []
    assert len(haulier.labels(order)) == 1


@pytest.mark.rule("PW-7.1-6")
def test_one_worker_at_a_time_is_at_a_consignment(haulier):
    order = haulier.order()
    haulier.dispatch(order)
    lock = f"{NETWORK} consignment {haulier.consignment(order)}"
    with connect(haulier.dsn) as other, session_lock.alone(other, lock):
        assert haulier.work(DISPATCH) == {DISPATCH: {"again": 1}}
    assert haulier.methods() == []
    haulier.later(6)
    assert len(haulier.submissions()) == 1


@pytest.mark.rule("PW-2.2-17", "PW-2.2-18")
@pytest.mark.parametrize(
    ("code", "field"),
    [
        ("ERROR_CONSIGNMENT_WEIGHT_MANDATORY", "weight_kg"),
        ("ERROR_ACCOUNT_CODE_VALUE", "account"),
        ("ERROR_ADDRESS_TOWN_MANDATORY", "delivery"),
        ("ERROR_ADDRESS_POSTCODE_VALUE", "delivery.postcode"),
        ("ERROR_BILLUNIT_TYPE_VALUE", "pallet_types"),
        ("ERROR_CONSIGNMENT_DELIVERYADDRESSCONTACTNUMBER_MANDATORY", "delivery.contact"),
        ("ERROR_CONSIGNMENT_COLLECTIONREFERENCE_MANDATORY", "additional_fields.collection_reference"),
        ("Error_Consignment_DeliveryTime_Value", "additional_fields.delivery_time"),
        ("ERROR_CONSIGNMENT_MOONPHASE_VALUE", "order"),
        ("", "order"),
    ],
)
def test_codes_of_a_refusal_become_fields_and_are_all_shown(haulier, monkeypatch, code, field):
    found = [ValidationError(1, code, "weight account town"), ValidationError(0, "ERROR_X_VALUE", "")]

    def refuse(client, _xml, *, commit):
        raise ValidationRefused("palletways_123", SUBMIT, "refused", found)

    monkeypatch.setattr(PalletwaysClient, "create", refuse)
    task = haulier.task(haulier.sent())
    assert [(one["field"], one["code"]) for one in task.faults] == [
        (field, code or "ERROR_VALIDATION"), ("order", "ERROR_X_VALUE"),
    ]  # fmt: skip
    assert "weight account town" in task.faults[0]["reason"]


@pytest.mark.rule("PW-7.1-7")
@pytest.mark.parametrize("closed", [("conStatusByCustRef",), ("conStatusByCustRef", "conStatusByConNo")])
def test_a_look_that_is_not_open_to_us_is_left_out(haulier, closed):
    haulier.sim.switch(commit_then_drop={SUBMIT: {"value": True, "times": 1}}, http_code=dict.fromkeys(closed, 404))
    order = haulier.sent()
    assert haulier.state(order) == "completed"
    assert len(haulier.submissions()) == 1


@pytest.mark.rule("PW-7.1-7")
def test_when_no_look_is_open_nothing_is_sent_again(haulier):
    haulier.settle(preflight=False)
    looks = dict.fromkeys(("conStatusByCustRef", "conStatusByConNo", "consEntered"), 404)
    haulier.sim.switch(commit_then_drop={SUBMIT: {"value": True, "times": 1}}, http_code=looks)
    order = haulier.sent()
    haulier.play_out()
    assert haulier.state(order) == "unknown"
    assert haulier.items(parked=True).keys() == {(DISPATCH, str(haulier.consignment(order)))}
    assert len(haulier.submissions()) == 1

    haulier.sim.switch(http_code="off")
    haulier.settle()  # another day, another run
    haulier.look_up_now(order)
    haulier.play_out()
    assert haulier.state(order) == "completed"
    assert len(haulier.submissions()) == 1


@pytest.mark.rule("PW-7.1-7")
def test_the_day_of_the_submission_is_looked_through_when_it_is_over(haulier):
    haulier.sim.switch(
        commit_then_drop={SUBMIT: {"value": True, "times": 1}},
        http_code={"conStatusByCustRef": 404, "conStatusByConNo": 404, "consEntered": {"value": 500, "times": 3}},
    )
    order = haulier.sent()
    assert haulier.state(order) == "unknown"
    # Only the time of the submission ages: the simulator's day passes with it.
    haulier.advance(24 * HOUR)
    haulier.ahead += timedelta(days=1)
    haulier.conn.execute("UPDATE dispatch_tasks SET sent_at = sent_at + interval '1 day'")
    haulier.work(DISPATCH)
    assert haulier.state(order) == "completed"
    assert len(haulier.submissions()) == 1


@pytest.mark.rule("PW-7.1-7", "PW-1.4-10")
def test_a_validation_that_fails_before_the_re_send_leaves_the_outcome_alone(haulier):
    haulier.impatient()
    haulier.sim.switch(hang={SUBMIT: {"value": True, "times": 1, "after": 1}})
    order = haulier.sent()
    assert haulier.task(order).sends == 1
    haulier.impatient()
    haulier.sim.switch(hang={SUBMIT: True})
    haulier.later(2 * MINUTE + 1)
    task = haulier.task(order)
    assert (task.state, task.sends, task.lookups, task.send_again, task.resent) == ("unknown", 1, 1, False, False)
    find(haulier)
    haulier.play_out()
    assert haulier.state(order) == "completed"
    assert len(haulier.in_network(order)) == 1
    assert haulier.task(order).resent


@pytest.mark.rule("PW-7.1-7")
def test_a_validation_that_always_fails_before_the_re_send_is_given_up(haulier):
    haulier.impatient()
    haulier.sim.switch(hang={SUBMIT: {"value": True, "times": 1, "after": 1}})
    order = haulier.sent()
    haulier.sim.switch(http_code={SUBMIT: 500})
    haulier.play_out(most=40)
    assert haulier.items(parked=True).keys() == {(DISPATCH, str(haulier.consignment(order)))}
    assert haulier.state(order) == "unknown"


@pytest.mark.rule("PW-7-1", "PW-7.1-7")
def test_nothing_is_sent_again_once_the_capability_is_gone(haulier):
    order = lost(haulier)
    haulier.settle(capabilities=["photos_in"])
    haulier.play_out()
    assert faults(haulier.task(order)) == {"requesting_depot": "PW-7-1"}
    assert len(haulier.submissions()) == 1


@pytest.mark.rule("PW-7.1-5", "PW-7.1-7")
def test_a_late_tracking_id_of_another_account_s_consignment_is_not_ours(haulier):
    """What was adopted is known by our reference alone, which another account may use as well."""
    haulier.sim.switch(tracking_delay_s=2 * MINUTE, commit_then_drop={SUBMIT: {"value": True, "times": 1}})
    haulier.sim.add(reference=f"PLF{(order := haulier.order())}-1", account="FOX002")
    haulier.dispatch(order)
    haulier.work()
    assert (haulier.state(order), haulier.task(order).network_reference) == ("completed", "")
    haulier.later(MINUTE + 1)
    assert haulier.fact(order, "tracking_number") is None
    haulier.later(4 * MINUTE)
    [own] = [one for one in haulier.in_network(order) if one["account"] == "ACM001"]
    assert haulier.fact(order, "tracking_number") == own["tracking_id"]


@pytest.mark.rule("PW-2.4-2", "PW-3-1", "PW-3-2")
@pytest.mark.parametrize("told", ["0", "-", "PENDING"])
def test_what_is_no_tracking_id_is_none(haulier, monkeypatch, told):
    create, shown = PalletwaysClient.create, PalletwaysClient.basics_by_response_id

    def created(client, xml, *, commit):
        detail = create(client, xml, commit=commit)
        if commit:
            detail["ImportDetail"]["TrackingID"] = told
        return detail

    monkeypatch.setattr(PalletwaysClient, "create", created)
    monkeypatch.setattr(
        PalletwaysClient,
        "basics_by_response_id",
        lambda client, key: [{**one, "dc_syscon": told} for one in shown(client, key)],
    )
    order = haulier.sent()
    haulier.later(MINUTE + 1)
    assert (haulier.state(order), haulier.fact(order, "tracking_number")) == ("completed", None)
    monkeypatch.undo()
    haulier.later(4 * MINUTE)
    [held] = haulier.in_network(order)
    assert haulier.fact(order, "tracking_number") == held["tracking_id"]


@pytest.mark.rule("PW-7.2-1", "PW-7.1-5")
@pytest.mark.parametrize("times", [1, 2])
def test_what_the_network_shows_of_what_we_sent_is_no_news(haulier, times):
    order = haulier.order(
        notes=["Ring the bell", "Ask for  Joe"], weight_kg=640.25, delivery={"street": "17  Wharf Lane", "county": "WY"}
    )
    haulier.dispatch(order)
    haulier.work(DISPATCH)
    [held] = haulier.in_network(order)
    haulier.sim.change(held["tracking_id"], overrides={"ManifestNote": "Ring the bell Ask for Joe"})
    before = haulier.rows(OURS)
    for _ in range(times):
        with haulier.conn.transaction():
            work_items.enqueue(haulier.conn, NETWORK, LOOK_UP, [haulier.consignment(order)])
        haulier.work(LOOK_UP)
    assert haulier.fact(order, "delivery_depot") == held["delivery_depot"]
    assert haulier.rows(OURS) == before
    assert haulier.review(order) is None

    haulier.sim.change(held["tracking_id"], overrides={"ManifestNote": "Ring twice"})
    with haulier.conn.transaction():
        work_items.enqueue(haulier.conn, NETWORK, LOOK_UP, [haulier.consignment(order)])
    haulier.work(LOOK_UP)
    assert "Ring twice" in (haulier.review(order) or "")
    assert haulier.rows(OURS) == before


OURS = """
SELECT c.notes, c.weight_kg, s.street, s.county
FROM consignments c JOIN stops s ON s.consignment_id = c.id ORDER BY s.kind
"""


@pytest.mark.rule("PW-3-3", "PW-3-4", "PW-7.1-7")
@pytest.mark.parametrize("reference", ["SO-123", ""])
def test_a_lost_submission_is_not_taken_for_what_only_has_its_number(haulier, reference):
    """Somebody else numbers from 1 as well, and an import brings his consignment while ours is looked for."""
    lose(haulier)
    order = haulier.sent(reference=reference)
    find(haulier)
    other = haulier.sim.add(depot="123", account="ACM001", number=haulier.fact(order, "consignment_number"))
    assert imported(haulier, other).created == 1
    haulier.play_out()
    [own] = haulier.in_network(order)
    assert haulier.fact(order, "tracking_number") == own["tracking_id"] != other


@pytest.mark.rule("PW-7.1-5", "PW-7.2-3")
def test_an_order_that_was_imported_before_its_tracking_id_came_is_merged(haulier):
    haulier.sim.switch(tracking_delay_s=2 * MINUTE)
    order = haulier.sent()
    haulier.advance(3 * MINUTE)
    [held] = haulier.in_network(order)
    assert imported(haulier, held["tracking_id"]).created == 1
    haulier.work()
    assert haulier.fact(order, "tracking_number") == held["tracking_id"]
    assert haulier.rows("SELECT id FROM consignments WHERE tracking_number IS NOT NULL") == [
        (haulier.consignment(order),)
    ]
    assert haulier.rows("SELECT count(*) FROM orders WHERE cancelled_at IS NULL") == [(1,)]


def imported(haulier, tracking_id: str) -> Counts:
    """Brings a consignment in as the network's own, whatever we hold."""
    depot = haulier.access("123")
    with depot.client as client, haulier.conn.transaction():
        record = fetch.read(client, depot.mapper, tracking_id)
        batch = Batch(NETWORK, "entered", "123", "run", "tester", haulier.now)
        return fetch.take_in(haulier.conn, depot.mapper, record, batch)


def lose(haulier) -> None:
    """From now on a submission does not arrive, and nothing says so."""
    haulier.settle(preflight=False)
    haulier.impatient()
    haulier.sim.switch(hang={"createConsignment": True})


def find(haulier) -> None:
    haulier.sim.switch(hang="off")


def lost(haulier) -> int:
    """An order whose submission did not arrive, looked for once."""
    lose(haulier)
    order = haulier.sent()
    find(haulier)
    return order


TEMPLATE = """
services: {PRE: {group: D, code: PRE}}
bill_units: {FULL: FP, HALF: HP}
"""
