"""What keeps a consignment from being sent, found before any call and told all at once (contract 7 item 2)."""

import re
from pathlib import Path

import pytest
from tests.networks.dispatching import faults as told
from tests.networks.palletforce.facts import facts

from palletflow.networks.palletforce import manifest, rules
from palletflow.networks.palletforce.mapper import preview
from palletflow.store.dispatch import Company

OURS = ("900", "901", "902")
ALONE = Company(on_order=1, on_trip=1, registered_by=None)


@pytest.fixture
def form(plan):
    return manifest.form(preview(plan).template)


@pytest.fixture
def check(form):
    """Field to reason code of every fault."""

    def checked(company: Company = ALONE, accounts=("acme 001",), blocked: bool = True, **changes):
        found = rules.preflight(
            facts(**changes), form, ours=OURS, accounts=accounts, company=company, duplicate_is_blocked=blocked
        )
        assert all(fault.reason and fault.remedy for fault in found)
        return {fault.field: fault.code for fault in found}

    return checked


@pytest.mark.rule("PF-7-2")
def test_a_good_consignment_has_no_fault(check):
    assert check() == {}


@pytest.mark.rule("PF-7-2", "PF-2.1-2")
def test_exactly_one_consignment_is_on_order_and_trip(check):
    assert check(company=Company(2, 1, None)) == {"order": "NOT_ONE_CONSIGNMENT"}
    assert check(company=Company(1, 3, None)) == {"trip": "NOT_ONE_CONSIGNMENT"}


@pytest.mark.rule("PF-7-2", "PF-2.1-5", "PF-3-1")
def test_the_requesting_depot_is_ours(check):
    assert check(requesting_depot="903") == {"requesting_depot": "NOT_OUR_DEPOT"}
    assert check(requesting_depot="") == {"requesting_depot": "MISSING_VALUE"}
    assert check(delivery_depot="1", collecting_depot="90A") == {
        "delivery_depot": "BAD_FORMAT",
        "collecting_depot": "BAD_FORMAT",
    }


@pytest.mark.rule("PF-7-2", "PF-2.1-9")
def test_an_account_is_needed_and_never_guessed(check, form):
    assert check(account="", accounts=("acme 001",)) == {}
    assert check(account="", accounts=()) == {"account": "MISSING_VALUE"}
    assert check(account="", accounts=("acme 001", "acme 002")) == {"account": "MISSING_VALUE"}
    assert check(account="acme 003", accounts=()) == {}
    assert rules.account(facts(account=""), form, ("acme 001",)) == "acme 001"


@pytest.mark.rule("PF-2.1-9")
def test_the_template_may_name_an_account_for_customers_without_one(plan, tmp_path: Path):
    own = tmp_path / "own.yaml"
    own.write_text("dispatch: {defaults: {CustomerAccountNumber: house 001}}")
    form = manifest.form(preview(plan, own).template)

    assert rules.account(facts(account=""), form, ()) == "house 001"
    assert rules.account(facts(account=""), form, ("a", "b")) == ""
    assert rules.account(facts(account="acme 001"), form, ()) == "acme 001"


@pytest.mark.rule("PF-7-2", "PF-2.1-10", "PF-2.1-11", "PF-2.1-13", "PF-2.1-14")
def test_what_is_required_is_missed_by_name(check):
    assert check(collection_date=None, service="", weight_kg=None, pallets="") == {
        "collection_date": "MISSING_VALUE",
        "service": "MISSING_VALUE",
        "weight_kg": "MISSING_VALUE",
        "pallet_types": "MISSING_VALUE",
    }


@pytest.mark.rule("PF-7-2", "PF-2.1-3")
def test_addresses_are_complete(check):
    assert check(pickup={"name": "", "street": ""}, delivery={"town": "", "postcode": "", "country": ""}) == {
        "pickup.name": "MISSING_VALUE",
        "pickup.street": "MISSING_VALUE",
        "delivery.town": "MISSING_VALUE",
        "delivery.postcode": "MISSING_VALUE",
        "delivery.country": "MISSING_VALUE",
    }
    assert check(pickup={"locality": "", "county": "", "phone": "", "contact": ""}) == {}


@pytest.mark.rule("PF-7-2", "PF-2.1-4")
@pytest.mark.parametrize("phone", ["", "   ", "0", "000 000 000", "+00 (0) 0"])
def test_a_consignee_s_phone_is_neither_blank_nor_zeros(check, phone):
    assert check(delivery={"phone": phone}) == {"delivery.phone": "MISSING_VALUE"}


@pytest.mark.rule("PF-7-2", "PF-2.1-13")
@pytest.mark.parametrize(("weight", "good"), [("0.4", False), ("0.5", True), ("9999.4", True), ("9999.5", False)])
def test_the_weight_lies_between_one_and_9999_whole_kg(check, weight, good):
    assert check(weight_kg=weight) == ({} if good else {"weight_kg": "BAD_FORMAT"})


@pytest.mark.rule("PF-7-2", "PF-2.1-11", "PF-3-12")
def test_a_consignment_has_at_most_99_pallets(check):
    assert check(pallets="F" * 99) == {}
    assert check(pallets="F" * 100) == {"pallet_types": "TOO_LONG"}


@pytest.mark.rule("PF-4-2", "PF-7-2", "PF-2.1-14", "PF-2.1-15")
def test_unmapped_codes_are_refused_before_the_call(check):
    assert check(service="Z", surcharges=["AM", "XX"], pallets="FX") == {
        "service": "UNKNOWN_CODE",
        "surcharges": "UNKNOWN_CODE",
        "pallet_types": "UNKNOWN_CODE",
    }


@pytest.mark.rule("PF-4-2")
def test_every_unmapped_code_is_named(form):
    found = rules.preflight(
        facts(surcharges=["XX", "AM", "YY"]), form, ours=OURS, accounts=(), company=ALONE, duplicate_is_blocked=True
    )
    assert [re.findall("'(..)'", fault.reason) for fault in found] == [["XX"], ["YY"]]


@pytest.mark.rule("PF-7-2", "PF-2.1-21")
def test_surcharge_az_needs_carton_count_and_reference(check):
    assert check(surcharges=["AZ"]) == {"carton_count": "MISSING_VALUE", "amazon_reference": "MISSING_VALUE"}
    assert check(surcharges=["AZ"], carton_count=4, amazon_reference="FBA15") == {}


@pytest.mark.rule("PF-2.1-18")
def test_insurance_and_hub_codes_have_two_digits(check):
    assert check(insurance_code="1", hub_code="A2") == {"insurance_code": "BAD_FORMAT", "hub_code": "BAD_FORMAT"}
    assert check(insurance_code="", hub_code="07") == {}


@pytest.mark.rule("PF-7-2", "PF-2.1-16", "PF-2.1-8")
def test_what_is_too_long_is_refused_and_not_cut(check):
    long = {
        "reference": "x" * 36, "reference_2": "x" * 36, "account": "x" * 21, "consignment_number": "x" * 8,
        "amazon_reference": "x" * 31, "notification_email": "x" * 71, "notification_sms": "x" * 21,
    }  # fmt: skip
    stop = {"name": "x" * 51, "street": "x" * 51, "locality": "x" * 51, "county": "x" * 51, "phone": "1" * 21}
    assert check(**long, delivery=stop) == dict.fromkeys((*long, *(f"delivery.{part}" for part in stop)), "TOO_LONG")
    assert check(**{field: text[:-1] for field, text in long.items()}) == {}
    assert check(delivery={"country": "GBR"}) == {"delivery.country": "BAD_FORMAT"}


@pytest.mark.rule("PF-7-2", "PF-3-4", "PF-3-5")
@pytest.mark.parametrize("number", ["900005000012", "90000500001234", "9000050A00123", "9030050000123"])
def test_an_imported_number_has_13_digits_and_a_depot_of_ours(check, number):
    assert check(tracking_number=number) == {"tracking_number": "BAD_TRACKING_NUMBER"}


@pytest.mark.rule("PF-3-5", "PF-7-2")
def test_an_imported_number_is_of_the_requesting_depot(check):
    assert check(tracking_number="9000050000123") == {}
    assert check(tracking_number="9010050000123") == {"tracking_number": "BAD_TRACKING_NUMBER"}
    assert check(tracking_number="9010050000123", requesting_depot="901") == {}


@pytest.mark.rule("PF-6-11", "PF-7-2")
def test_a_number_registered_by_another_order_stops_unless_the_network_shall_say_so(check):
    registered = Company(1, 1, registered_by=7)
    number = {"tracking_number": "9000050000123"}
    assert check(company=registered, **number) == {"tracking_number": "ALREADY_REGISTERED"}
    assert check(company=registered, blocked=False, **number) == {}
    assert check(company=registered) == {}


def test_a_cancelled_order_is_not_sent(check):
    assert check(cancelled=True) == {"order": "CANCELLED"}


@pytest.mark.rule("PF-7-2", "PF-4-2")
def test_all_faults_are_listed_together_and_nothing_is_called(house):
    order = house.order(
        service="Z", weight_kg=0.2, collection_date=None, surcharges=["AZ"], delivery={"phone": "000", "postcode": ""}
    )
    shared = house.order()
    house.dispatch(order, trip="T1")
    house.dispatch(shared, trip="T1")
    house.work()

    task = house.task(order)
    assert task.state == "failed"
    assert told(task) == {
        "trip": "NOT_ONE_CONSIGNMENT",
        "service": "UNKNOWN_CODE",
        "weight_kg": "BAD_FORMAT",
        "collection_date": "MISSING_VALUE",
        "carton_count": "MISSING_VALUE",
        "amazon_reference": "MISSING_VALUE",
        "delivery.postcode": "MISSING_VALUE",
        "delivery.phone": "MISSING_VALUE",
    }
    assert all(fault["remedy"] for fault in task.faults)
    assert house.state(shared) == "failed"
    assert house.calls() == []
    assert house.history(order)[-1] == "dispatch stopped before sending"
    assert house.fact(order, "lifecycle_status") == "CREATED"


@pytest.mark.rule("PF-7-2", "PF-2.1-2")
def test_an_order_of_two_consignments_sends_neither(house):
    order = house.order(consignments=2)
    house.dispatch(order, trip="T1")
    house.work()

    assert house.rows("SELECT DISTINCT dispatch_state FROM consignments") == [("failed",)]
    assert told(house.task(order)) == {"order": "NOT_ONE_CONSIGNMENT", "trip": "NOT_ONE_CONSIGNMENT"}
    assert house.calls() == []


@pytest.mark.rule("PF-7-2", "PF-7-7")
def test_mended_and_completed_again_it_goes_out_in_the_same_attempt(house):
    order = house.sent(delivery={"phone": ""})
    assert house.state(order) == "failed"

    house.conn.execute("UPDATE stops SET phone = '0113 496 0101' WHERE kind = 'delivery'")
    house.complete(order)
    house.work()
    assert house.state(order) == "completed"
    assert [one["uniqueTransactionNumber"] for one in house.uploads()] == [f"AF-{order}-1"]


@pytest.mark.rule("PF-3-2")
@pytest.mark.parametrize(("codes", "depot"), [([], "900"), (["902", "900"], "902")])
def test_the_first_depot_code_of_the_connection_requests_by_default(house, codes, depot):
    house.settle(depot_codes=codes or None)
    account = {"900": ("ACME", "acme 001"), "902": ("SEVERNSIDE", "BRS 001")}[depot]
    order = house.order(customer=account[0], account=account[1])
    house.dispatch(order, depot="")
    house.work()

    assert house.uploads()[0]["consignments"][0]["requestingDepot"] == depot
    assert house.fact(order, "requesting_depot") == depot
    assert house.state(order) == "completed"


@pytest.mark.rule("PF-4.2-3", "PF-2.1-15", "PF-2.1-21", "PF-2.1-22", "PF-4.3-5", "PF-2.1-12")
def test_the_network_takes_everything_an_order_can_have(house):
    order = house.sent(
        surcharges=["AW", "TL", "AZ"], carton_count=12, amazon_reference="FBA15123456", weight_kg=1250.5,
        pallet_types=["F", "H", "F", "Q", "O"], pallet_spaces=3.5, insurance_code="01", hub_code="02",
        notes=["Ring the bell at the blue gate and ask for the yard foreman " * 4], reference="x" * 35,
        notification_email="in@example.com", notification_sms="07700 900123",
        northern_ireland={"ni_gbeori": "GB123456789012"}, collecting_depot="900", delivery_depot="901",
    )  # fmt: skip

    task = house.task(order)
    assert task.state == "completed", task.faults
    assert [("cut off" in warning) for warning in task.warnings] == [True]
    [held] = house.of_order(order)
    assert len(held["barcodes"]) == 5
