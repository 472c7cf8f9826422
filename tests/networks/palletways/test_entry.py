"""What can be said of an order for Palletways when it is entered, and what follows from it (contract 2.2, 3, 7)."""

from dataclasses import replace

import pytest
from tests.networks.palletways.facts import given

from palletflow.networks.palletways import entry
from palletflow.networks.palletways.work import CANCEL, LOOK_UP, NETWORK, PHOTO_UPLOAD
from palletflow.store import work_items
from palletflow.work.follows import ADDED, CANCELLED


@pytest.fixture
def check(plan):
    """Field to reason code of what cannot be entered."""

    def checked(**changes):
        found = entry.faults(plan, given(**changes))
        assert all(fault.reason and fault.remedy for fault in found)
        return {fault.field: fault.code for fault in found}

    return checked


def test_an_order_can_be_entered_before_everything_of_it_is_known(check):
    assert check() == {}
    assert check(
        service="", weight_kg=None, pallets=[], requesting_depot="", delivery={"street": "", "town": "", "phone": ""},
        additional_fields={"pw_type": "C", "book_in": "true"},
    ) == {}  # fmt: skip


@pytest.mark.rule("PW-2.2-3", "PW-2.2-5", "PW-2.2-6", "PW-2.2-7", "PW-2.2-8", "PW-2.2-11", "PW-2.2-13", "PW-3-1")
def test_values_that_are_wrong_are_told_at_once(check):
    assert check(
        tracking_number="6000-17", service="NEXT", surcharges=["AM"], pallets=["FULL", "P7"],
        additional_fields={
            "pw_type": "X", "classification": "B2C", "handball": "no", "tail_lift": "1", "book_in": "?",
            "delivery_time": "7:30", "colour": "red",
        },
    ) == {
        "tracking_number": "PW-3-1",
        "service": "PW-2.2-11",
        "surcharges": "PW-2.2-11",
        "pallet_types": "PW-2.2-13",
        "additional_fields.pw_type": "PW-2.2-3",
        "additional_fields.classification": "PW-2.2-5",
        "additional_fields.handball": "PW-2.2-6",
        "additional_fields.tail_lift": "PW-2.2-6",
        "additional_fields.book_in": "PW-2.2-7",
        "additional_fields.delivery_time": "PW-2.2-8",
        "additional_fields.colour": "UNKNOWN_FIELD",
    }  # fmt: skip
    timed = {"delivery_time": "10:30"}
    assert check(additional_fields=timed) == {"additional_fields.delivery_time": "PW-2.2-8"}
    assert check(additional_fields=timed, service="TIM") == {}


@pytest.mark.rule("PW-3-1", "PW-7.2-1")
def test_a_tracking_id_may_be_typed(check):
    assert check(tracking_number="60000000017") == {}
    assert check(tracking_number="123456") == {}
    for wrong in ("12345", "123456789012345", "6000000001７", "B0012A4F10"):
        assert check(tracking_number=wrong) == {"tracking_number": "PW-3-1"}


@pytest.mark.rule("PW-7.1-2")
def test_without_services_of_the_country_any_can_be_entered(plan, tmp_path):
    own = tmp_path / "palletways.yaml"
    own.write_text("extra_fields: []")
    plan = with_template(plan, own)
    assert entry.faults(plan, given(service="NEXT", pallets=["P7"])) == []


def test_the_deployment_s_own_template_counts_and_is_read_again_when_it_changes(plan, tmp_path):
    own = tmp_path / "palletways.yaml"
    own.write_text("services: {NEXT: {group: D, code: PRE}}")
    plan = with_template(plan, own)
    assert entry.faults(plan, given(service="NEXT")) == []

    own.write_text("services: {OTHER: {group: D, code: PRE}}")
    assert [fault.code for fault in entry.faults(plan, given(service="NEXT"))] == ["PW-2.2-11"]


@pytest.mark.rule("PW-7.2-1", "PW-3-1")
def test_a_typed_tracking_id_is_looked_up(haulier):
    typed = haulier.order(tracking_number="60000000017")
    haulier.order()
    looked_up = {(LOOK_UP, str(haulier.consignment(typed))): None}
    assert haulier.items(parked=False) == looked_up

    registered = haulier.order(tracking_number="60000000018")
    haulier.change(registered, "registered", True)
    haulier.conn.execute("DELETE FROM work_items")
    with haulier.conn.transaction():
        entry.written(
            haulier.conn, haulier.plan, [haulier.consignment(one) for one in (typed, registered)], "tester"
        )  # fmt: skip
    assert haulier.items(parked=False) == looked_up


@pytest.mark.rule("PW-7.2-1")
def test_one_that_was_given_up_is_looked_up_again_when_it_is_corrected(haulier):
    order = haulier.order(tracking_number="60009999999")
    haulier.play_out()
    assert haulier.items(parked=True).keys() == {(LOOK_UP, str(haulier.consignment(order)))}

    haulier.change(order, "tracking_number", haulier.sim.add(depot="123"))
    with haulier.conn.transaction():
        entry.written(haulier.conn, haulier.plan, [haulier.consignment(order)], "tester")
    haulier.work()
    assert haulier.fact(order, "registered")
    assert work_items.listed(haulier.conn, parked=True) == []


@pytest.mark.rule("PW-7.1-8", "PW-6-1")
def test_what_follows_from_what_people_do():
    assert {event: (follow.kind, follow.after_s) for event, follow in entry.FOLLOWS.items()} == {
        CANCELLED: (CANCEL, 0), ADDED: (PHOTO_UPLOAD, 0),
    }  # fmt: skip
    assert (entry.DRAWS_LABELS, entry.ADOPTS) == (False, False)


def with_template(plan, template):
    ours = replace(plan.network(NETWORK), template=template)
    return replace(plan, networks={**plan.networks, NETWORK: ours})
