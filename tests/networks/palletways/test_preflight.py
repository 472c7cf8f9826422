"""What keeps a consignment from being sent to Palletways, found before any call and told all at once (2.2, 7.1)."""

import pytest
from tests.networks.dispatching import faults as told
from tests.networks.palletways.dispatching import House
from tests.networks.palletways.facts import facts

from palletflow.networks.palletways import record, rules
from palletflow.networks.palletways.form import read_form
from palletflow.networks.palletways.mapper import preview
from palletflow.networks.palletways.work import DISPATCH
from palletflow.store.dispatch import Company

ALONE = Company(on_order=1, on_trip=1, registered_by=None)
COLLECTED = {"pw_type": "C", "collection_reference": "COL-1"}


@pytest.fixture
def check(plan, tmp_path):
    """Field to reason code of every fault; `template`: laid over the shipped one in place of the deployment's."""

    def checked(template: str = "", company=ALONE, accounts=("ACM001",), trouble="", **changes):
        own = tmp_path / "own.yaml"
        own.write_text(template)
        found = rules.preflight(
            facts(**changes), read_form(preview(plan, own if template else None).template),
            is_tracking_id=record.is_tracking_id, accounts=accounts, company=company, trouble=trouble,
        )  # fmt: skip
        assert all(fault.reason and fault.remedy for fault in found)
        checked.found = found
        return {fault.field: fault.code for fault in found}

    return checked


def field(name: str) -> str:
    return f"additional_fields.{name}"


@pytest.mark.rule("PW-7.1-4")
def test_a_good_consignment_has_no_fault(check):
    assert check() == {}


def test_a_cancelled_order_is_not_sent(check):
    assert check(cancelled=True) == {"order": "CANCELLED"}


@pytest.mark.rule("PW-3-1")
def test_palletways_gives_the_tracking_id(check):
    assert check(tracking_number="60000000017") == {"tracking_number": "PW-3-1"}
    assert "of another dispatch" in check.found[0].reason
    assert check(tracking_number="60000000017", company=Company(1, 1, 52)) == {"tracking_number": "PW-3-1"}
    assert "order 52" in check.found[0].reason
    check(tracking_number="6000-17")
    assert ["'6000-17' is no tracking ID" in fault.reason for fault in check.found].count(True) == 1


@pytest.mark.rule("PW-2.2-2")
def test_the_account_is_the_order_s_or_the_customer_s_only_one(check):
    assert check(accounts=[]) == {"account": "PW-2.2-2"}
    assert check(accounts=["ACM001", "ACM002"]) == {"account": "PW-2.2-2"}
    assert "ACM001, ACM002" in check.found[0].reason
    assert check(accounts=["ACM001", "ACM002"], account="ACM002") == {}
    assert check(accounts=[], account="ACM009") == {}
    assert rules.account(facts(), ["ACM001"]) == "ACM001"
    assert rules.account(facts(account="ACM009"), ["ACM001"]) == "ACM009"


@pytest.mark.rule("PW-7-1")
def test_the_depot_must_be_able_to_dispatch(check):
    assert check(trouble="the Password (API key) is empty") == {"requesting_depot": "PW-7-1"}
    assert "the Password (API key) is empty" in check.found[0].reason


@pytest.mark.rule("PW-7.1-2")
@pytest.mark.parametrize("template", ["bill_units: {FULL: FP, HALF: HP}", "services: {PRE: {group: D, code: PRE}}"])
def test_the_template_needs_the_services_and_units_of_the_country(check, template):
    assert check(template)["order"] == "PW-7.1-2"


@pytest.mark.rule("PW-2.2-3", "PW-2.2-5", "PW-2.2-6", "PW-2.2-7")
@pytest.mark.parametrize(
    ("name", "good", "bad", "code"),
    [
        ("pw_type", "D", "d", "PW-2.2-3"),
        ("pw_type", "D", "4", "PW-2.2-3"),
        ("classification", "B2R", "B2C", "PW-2.2-5"),
        ("handball", "true", "yes", "PW-2.2-6"),
        ("tail_lift", "false", "0", "PW-2.2-6"),
        ("book_in", "false", "maybe", "PW-2.2-7"),
    ],
)
def test_values_of_palletways_own_fields(check, name, good, bad, code):
    assert check(additional_fields={name: good}) == {}
    assert check(additional_fields={name: bad}) == {field(name): code}


def test_a_field_that_palletways_does_not_have(check):
    assert check(additional_fields={"taillift": "true"}) == {field("taillift"): "UNKNOWN_FIELD"}


@pytest.mark.rule("PW-2.2-11")
def test_the_service_is_one_of_the_template(check):
    assert check(service="") == {"service": "PW-2.2-11"}
    assert check(service="NEXT") == {"service": "PW-2.2-11"}
    assert "AMD, ECO, PRE, TIM" in check.found[0].reason
    assert check(surcharges=["AM", "AM", "TL"]) == {"surcharges": "PW-2.2-11"}
    assert len(check.found) == 2


@pytest.mark.rule("PW-2.2-8")
@pytest.mark.parametrize(
    ("service", "given", "is_good"),
    [
        ("TIM", "", True),
        ("TIM", "08:00", True),
        ("TIM", "18:00", True),
        ("TIM", "07:59", False),
        ("TIM", "18:01", False),
        ("TIM", "8:00", False),
        ("TIM", "24:00", False),
        ("TIM", "10:30:00", False),
        ("PRE", "10:30", False),
    ],
)
def test_a_time_is_for_the_timed_service_between_eight_and_six(check, service, given, is_good):
    found = check(service=service, additional_fields={"delivery_time": given})
    assert found == ({} if is_good else {field("delivery_time"): "PW-2.2-8"})


@pytest.mark.rule("PW-2.2-5", "PW-2.2-13")
def test_pallets_and_weight(check):
    assert check(pallets=[]) == {"pallet_types": "PW-2.2-13"}
    assert check(pallets=["FULL", "EURO", "EURO"]) == {"pallet_types": "PW-2.2-13"}
    assert "FULL, LARGE, HALF, QUARTER, MINI" in check.found[0].reason
    assert check(weight_kg=None) == {"weight_kg": "PW-2.2-5"}


@pytest.mark.rule("PW-2.2-10", "PW-2.2-12")
@pytest.mark.parametrize("part", ["name", "contact", "phone", "street", "town", "postcode"])
def test_parts_of_an_address_that_are_required(check, part):
    assert check(delivery={part: ""}) == {f"delivery.{part}": "PW-2.2-12"}
    assert check(pickup={part: ""}) == {}, "a delivery has no address of collection"
    assert check(pickup={part: ""}, additional_fields=COLLECTED) == {f"pickup.{part}": "PW-2.2-12"}
    assert check(delivery={"locality": "", "county": "", "country": ""}) == {}


@pytest.mark.rule("PW-2.2-3", "PW-2.2-9", "PW-2.2-11")
@pytest.mark.parametrize("kind", ["C", "3"])
def test_what_a_collection_needs(check, kind):
    assert check(additional_fields={**COLLECTED, "pw_type": kind}) == {}
    assert check(additional_fields={"pw_type": kind}) == {field("collection_reference"): "PW-2.2-9"}
    template = "services: {PRE: {group: D, code: PRE}}\nbill_units: {FULL: FP, HALF: HP}"
    assert check(template, additional_fields={**COLLECTED, "pw_type": kind}) == {"service": "PW-2.2-11"}


@pytest.mark.rule("PW-2.2-7")
def test_booking_in_needs_whom_to_ask_and_what(check):
    needed = ("book_in_contact", "book_in_phone", "book_in_note", "book_in_instructions")
    assert check(additional_fields={"book_in": "true"}) == dict.fromkeys(map(field, needed), "PW-2.2-7")
    assert check(additional_fields={"book_in": "true", **dict.fromkeys(needed, "Ask for Joe")}) == {}
    assert check(additional_fields={"book_in": "false"}) == {}


@pytest.mark.rule("PW-7.1-4")
def test_all_faults_are_told_at_once_and_nothing_is_called(haulier: House):
    order = haulier.order(
        customer="HARBPRINT", service="NEXT", weight_kg=None, pallet_types=["EURO"], surcharges=["AM"],
        delivery={"town": "", "phone": ""},
        additional_fields={"pw_type": "3", "handball": "no", "delivery_time": "7", "book_in": "true", "colour": "red"},
    )  # fmt: skip
    haulier.settle(capabilities=["photos_in"])
    haulier.dispatch(order, depot="124")
    haulier.work(DISPATCH)
    task = haulier.task(order)
    assert (task.state, task.sent_at) == ("failed", None)
    assert told(task) == {
        "account": "PW-2.2-2",
        "requesting_depot": "PW-7-1",
        "service": "PW-2.2-11",
        "surcharges": "PW-2.2-11",
        "weight_kg": "PW-2.2-5",
        "pallet_types": "PW-2.2-13",
        "delivery.town": "PW-2.2-12",
        "delivery.phone": "PW-2.2-12",
        field("handball"): "PW-2.2-6",
        field("delivery_time"): "PW-2.2-8",
        field("collection_reference"): "PW-2.2-9",
        field("colour"): "UNKNOWN_FIELD",
        **dict.fromkeys(
            map(field, ("book_in_contact", "book_in_phone", "book_in_note", "book_in_instructions")), "PW-2.2-7"
        ),
    }
    assert haulier.methods() == []


@pytest.mark.rule("PW-7-1")
def test_a_depot_that_is_not_ours_and_a_connection_that_is_not_complete(haulier: House):
    stranger = haulier.order()
    haulier.dispatch(stranger, depot="456")
    haulier.work(DISPATCH)
    assert told(haulier.task(stranger)) == {"requesting_depot": "PW-7-1"}

    haulier.settle(api2_base="http://palletways.example.com", allow_http=False)
    incomplete = haulier.order()
    haulier.dispatch(incomplete)
    haulier.work(DISPATCH)
    assert told(haulier.task(incomplete)) == {"requesting_depot": "PW-7-1"}
    assert "use https://" in haulier.task(incomplete).faults[0]["reason"]
    assert haulier.methods() == []
