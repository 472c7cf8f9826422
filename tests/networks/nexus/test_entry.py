"""What can be said of an order for Pall-Ex or Fortec when it is entered (contract 3, 4, 5)."""

from dataclasses import replace

import pytest
from tests.networks.nexus.facts import AMAZON, given

from palletflow.networks.nexus import entry
from palletflow.networks.nexus.work import CANCEL, DOCUMENT_UPLOAD, ETA_EXPORT, NETWORK
from palletflow.work.follows import ADDED, CANCELLED, EXPECTED


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
        service="", collection_date=None, weight_kg=None, pallets=[], requesting_depot="", surcharges=["TD"],
        additional_fields={"nexus_origin": ""}, delivery={"street": "", "town": "", "phone": ""},
    ) == {}  # fmt: skip
    assert check(service="SD", delivery_date=None) == {}
    assert check(surcharges=["AMAZON"]) == {}


@pytest.mark.rule("NX-4-10", "NX-4-12", "NX-4-13", "NX-4-17", "NX-4-18", "NX-4-19", "NX-4-21", "NX-4-22", "NX-4-23")
def test_values_that_are_wrong_are_told_at_once(check):
    assert check(
        requesting_depot="X1", account="acme 001", service="Z", surcharges=["AM", "TD", "PM"], pallets=["FULL", "P7"],
        details=[{"base": "OAK"}], delivery={"country": "IE", "town": "x" * 36},
        additional_fields={
            "nexus_origin": "PALLETS", "delivery_from": "10", "asn_number": "a b", "unit_count": "x",
            "limited_quantities": "no",
        },
    ) == {
        "requesting_depot": "NX102",
        "account": "NX104",
        "additional_fields.nexus_origin": "NX105",
        "service": "NX108",
        "surcharges": "NX109",
        "delivery.country": "NX110",
        "pallet_types": "NX110",
        "additional_fields.asn_number": "NX112",
        "additional_fields.unit_count": "NX112",
        "pallet_details[0].base": "NX113",
        "delivery.town": "NX113",
        "additional_fields.delivery_from": "NX113",
        "additional_fields.limited_quantities": "NX113",
    }  # fmt: skip
    turned = {"delivery_from": "11:00", "delivery_to": "10:00"}
    assert check(additional_fields=turned) == {"additional_fields.delivery_to": "NX114"}


@pytest.mark.rule("NX-3-7")
def test_a_depot_code_may_be_written_in_small_letters(check):
    assert check(requesting_depot="pgd302") == {}


@pytest.mark.rule("NX-5-16", "NX-5-17", "NX-5-18", "NX-5-19", "NX-5-20")
def test_the_fields_that_nexus_has_of_its_own(check):
    fields = {
        **AMAZON, "fba_number": "F1", "po_number": "P1", "amazon_number": "O1", "unit_count": "10",
        "delivery_from": "10:00", "delivery_to": "11:00", "limited_quantities": "true",
        "collection_email": "out@example.com",
    }  # fmt: skip
    assert check(additional_fields=fields, surcharges=["AMAZON"], carton_count=3) == {}
    assert check(additional_fields={"nexus_orign": "PALLEX"}) == {"additional_fields.nexus_orign": "UNKNOWN_FIELD"}


@pytest.mark.rule("NX-4-25", "NX-3-1")
def test_nexus_gives_the_id_and_nobody_enters_one(check):
    assert check(tracking_number="700001") == {"tracking_number": "NX116"}
    assert check(tracking_number="700001", registered=True) == {}


def test_the_deployment_s_own_template_counts_and_is_read_again_when_it_changes(plan, tmp_path):
    own = tmp_path / "nexus.yaml"
    own.write_text("amazon: {extra_code: AMZ}")
    ours = replace(plan.network(NETWORK), template=own)
    plan = replace(plan, networks={**plan.networks, NETWORK: ours})
    assert entry.faults(plan, given(surcharges=["AMZ"])) == []

    own.write_text("amazon: {extra_code: AMAZON_EXTRA}")
    assert [fault.code for fault in entry.faults(plan, given(surcharges=["AMZ"]))] == ["NX109"]


@pytest.mark.rule("NX-6-17")
def test_what_follows_from_what_people_do(plan, conn):
    assert {event: follow.kind for event, follow in entry.FOLLOWS.items()} == {
        CANCELLED: CANCEL, ADDED: DOCUMENT_UPLOAD, EXPECTED: ETA_EXPORT,
    }  # fmt: skip
    assert [event for event, follow in entry.FOLLOWS.items() if follow.after_s] == [EXPECTED]
    assert not entry.DRAWS_LABELS
    entry.written(conn, plan, [1], "tester")
    assert conn.execute("SELECT count(*) FROM work_items").fetchone() == (0,)
