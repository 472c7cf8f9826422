"""What keeps a consignment from being sent to Nexus, found before any call and told all at once (contract 4)."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from tests.networks.dispatching import faults as told
from tests.networks.nexus.facts import AMAZON, facts

from palletflow.networks.nexus import rules
from palletflow.networks.nexus.form import read_form
from palletflow.networks.nexus.mapper import preview
from palletflow.store.dispatch import Company

ALONE = Company(on_order=1, on_trip=1, registered_by=None)
NOW = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)  # before noon in London
ACCOUNTS = {"PALLEX": ["20001"], "FORTEC": ["30001"]}
SATURDAY = date(2026, 7, 18)


@pytest.fixture
def check(plan, tmp_path):
    """Field to reason code of every fault; `template`: laid over the shipped one."""

    def checked(
        template: str = "", resource="PALLEX_OUT", company=ALONE, accounts=ACCOUNTS, connection_fault="",
        cross_network=False, now=NOW, **changes,
    ):  # fmt: skip
        own = tmp_path / "own.yaml"
        own.write_text(template)
        found = rules.preflight(
            facts(**changes), read_form(preview(plan, own if template else None).template), resource=resource,
            accounts=accounts, company=company, connection_fault=connection_fault, cross_network=cross_network, now=now,
        )  # fmt: skip
        assert all(fault.reason and fault.remedy for fault in found)
        checked.found = found
        return {fault.field: fault.code for fault in found}

    return checked


ORIGIN = "additional_fields.nexus_origin"


@pytest.mark.rule("NX-4-7")
def test_a_good_consignment_has_no_fault(check):
    assert check() == {}


# The network


@pytest.mark.rule("NX-4-1", "NX-4-9", "NX-3-9")
def test_nx101_the_resource_decides_on_the_network(check):
    assert check(resource="PALLETFORCE_OUT") == {"resource": "NX101"}
    assert check("resources: {PX: PALLEX}", resource="PX") == {}
    fortec = {"additional_fields": {"nexus_origin": "FORTEC"}}
    assert check(resource="FORTEC_OUT", **fortec) == {}
    assert check(resource="PALLEX_OUT", **fortec) == {ORIGIN: "NX106"}


@pytest.mark.rule("NX-3-7", "NX-4-10")
@pytest.mark.parametrize("depot", ["PGD", "302", "XYZ302", "PGD30A", "PGD 302", ""])
def test_nx102_a_depot_code_is_pgd_ukd_or_ftd_and_digits(check, depot):
    assert check(requesting_depot=depot)["requesting_depot"] == "NX102"


@pytest.mark.rule("NX-3-7")
def test_the_form_of_depot_codes_is_a_setting(check):
    assert check("depot_pattern: '(PGD|UKD|FTD|HUB)[0-9]+'", requesting_depot="HUB1") == {"requesting_depot": "NX103"}


@pytest.mark.rule("NX-4-3", "NX-4-11", "NX-4-2")
@pytest.mark.parametrize(
    ("depot", "resource", "member"),
    [
        ("PGD302", "PALLEX_OUT", True),
        ("PGD302", "FORTEC_OUT", True),
        ("UKD101", "PALLEX_OUT", True),
        ("UKD101", "FORTEC_OUT", False),
        ("FTD201", "PALLEX_OUT", False),
        ("FTD201", "FORTEC_OUT", True),
    ],
)
def test_nx103_the_depot_is_a_member_of_the_network(check, depot, resource, member):
    origin = resource.removesuffix("_OUT")
    found = check(requesting_depot=depot, resource=resource, additional_fields={"nexus_origin": origin})
    assert found == ({} if member else {"requesting_depot": "NX103"})


@pytest.mark.rule("NX-4-13", "NX-5-25")
@pytest.mark.parametrize("origin", ["", "PALLETFORCE", "pallex"])
def test_nx105_the_origin_is_never_guessed(check, origin):
    assert check(additional_fields={"nexus_origin": origin}) == {ORIGIN: "NX105"}


@pytest.mark.rule("NX-4-14", "NX-4-15")
def test_nx106_the_origin_is_the_resource_s_network_unless_a_pgd_depot_may_cross(check):
    fortec = {"additional_fields": {"nexus_origin": "FORTEC"}}
    assert check(**fortec) == {ORIGIN: "NX106"}
    assert check(cross_network=True, **fortec) == {}
    assert check(cross_network=True, requesting_depot="UKD101", **fortec) == {ORIGIN: "NX106"}


# The customer


@pytest.mark.rule("NX-4-4", "NX-4-12", "NX-3-8")
def test_nx104_the_customer_has_an_id_on_the_network(check):
    assert check(accounts={}) == {"account": "NX104"}
    assert check(accounts={"FORTEC": ["30001"]}) == {"account": "NX104"}
    assert check(accounts={"PALLEX": ["20001", "20002"]}) == {"account": "NX104"}
    assert check(accounts={"PALLEX": ["20001", "20002"]}, account="20002") == {}
    assert check(accounts={}, account="20007") == {}


@pytest.mark.rule("NX-4-12", "NX-3-8")
@pytest.mark.parametrize("account", ["acme 001", "2000A", "12345678901"])
def test_nx104_a_customer_id_is_digits(check, account):
    assert check(account=account) == {"account": "NX104"}


@pytest.mark.rule("NX-4-12", "NX-3-8")
def test_the_form_of_customer_ids_is_a_setting(check):
    assert check("customer_id_pattern: '[A-Z][0-9]+'", account="A1") == {}


@pytest.mark.rule("NX-4-4", "NX-4-12")
def test_nx104_the_id_of_the_other_network_is_not_sent(check):
    assert check(account="30001") == {"account": "NX104"}
    assert check(account="30001", accounts={**ACCOUNTS, "PALLEX": ["20001", "30001"]}) == {}


@pytest.mark.rule("NX-4-4")
def test_the_customer_s_only_id_on_the_network_is_sent(check):
    assert rules.customer_id(facts(), ["20001"]) == "20001"
    assert rules.customer_id(facts(account="20007"), ["20001"]) == "20007"
    assert rules.customer_id(facts(), ["20001", "20002"]) == ""


# Trip, order, connection


@pytest.mark.rule("NX-4-16", "NX-6-1")
def test_nx107_a_trip_has_one_consignment(check):
    assert check(company=Company(1, 2, None)) == {"trip": "NX107"}


def test_a_cancelled_order_is_not_sent(check):
    assert check(cancelled=True) == {"order": "CANCELLED"}


@pytest.mark.rule("NX-4-24")
def test_nx115_the_connection_is_complete(check):
    assert check(connection_fault="the Password is empty") == {"requesting_depot": "NX115"}
    assert "the Password is empty" in check.found[0].reason


@pytest.mark.rule("NX-4-24", "NX-2.9-8")
def test_nx115_names_the_template_leaves_empty(check):
    empty = """
consignment_type: ''
services: {delivery: {A: ''}, collection: {default: ''}}
pallet_bases: {names: {STANDARD: ''}}
"""
    assert check(empty) == dict.fromkeys(
        ("consignment_type", "services.delivery.A", "services.collection.default", "pallet_bases.names.STANDARD"),
        "NX115",
    )
    assert check(empty, service="B") == dict.fromkeys(
        ("consignment_type", "services.collection.default", "pallet_bases.names.STANDARD"), "NX115"
    )


@pytest.mark.rule("NX-2.9-6", "NX-4-24")
def test_an_id_that_the_template_forces_needs_no_name(check):
    assert (
        check("""
consignment_type: ''
services: {delivery: {A: ''}, collection: {default: ''}}
pallet_bases: {names: {STANDARD: ''}}
pallet_types: {FULL: {name: ''}}
ids:
  consignmentTypes: {consignment_type: '5101'}
  services: {A: '4002', default: '4001'}
  palletBases: {STANDARD: '6201'}
  palletTypes: {FULL: '6101'}
""")
        == {}
    )


@pytest.mark.rule("NX-4-25")
def test_nx116_a_number_of_another_dispatch(check):
    assert check(tracking_number="700001") == {"tracking_number": "NX116"}
    assert check(tracking_number="700001", company=Company(1, 1, 52)) == {"tracking_number": "NX116"}
    assert "order 52" in check.found[0].reason


# Service and window


@pytest.mark.rule("NX-4-17", "NX-5-1")
@pytest.mark.parametrize("service", ["", "C", "a", "A+AM"])
def test_nx108_the_service_level_is_known(check, service):
    assert check(service=service)["service"] == "NX108"


@pytest.mark.rule("NX-4-18", "NX-5-2")
def test_nx109_the_window_is_known_and_in_the_template(check):
    assert check(surcharges=["PM"]) == {"surcharges": "NX109"}
    assert check(surcharges=["AM", "BI"]) == {"surcharges": "NX109"}
    assert check(surcharges=["AM"]) == {}


@pytest.mark.rule("NX-4-18", "NX-5-2")
def test_nx109_the_template_has_the_combination(plan):
    form = read_form(preview(plan).template)
    less = replace(form, services={key: name for key, name in form.services.items() if key != "B+AM"})
    assert rules.wrong_values(facts(service="B", surcharges=["AM"]), form) == []
    [fault] = rules.wrong_values(facts(service="B", surcharges=["AM"]), less)
    assert (fault.code, fault.field) == ("NX109", "surcharges")
    assert "B+AM" in fault.reason


@pytest.mark.rule("NX-4-23")
def test_nx114_specific_day_needs_its_day(check):
    assert check(service="SD") == {"delivery_date": "NX114"}
    assert check(service="SD", delivery_date=date(2026, 7, 17)) == {}
    assert check(service="SD", surcharges=["BI"], additional_fields={"booking_date": "2026-07-17"}) == {}
    both = {"delivery_date": date(2026, 7, 16), "additional_fields": {"booking_date": "2026-07-17"}}
    assert check(service="SD", surcharges=["BI"], **both) == {"delivery_date": "NX114"}


@pytest.mark.rule("NX-5-4")
def test_nx114_specific_day_is_a_weekday_unless_the_template_says_otherwise(check):
    assert check(service="SD", delivery_date=SATURDAY) == {"delivery_date": "NX114"}
    assert check("sd_weekend: true", service="SD", delivery_date=SATURDAY) == {}


@pytest.mark.rule("NX-5-3", "NX-5-4")
def test_nx114_nothing_is_delivered_before_its_service_can(check):
    assert check(service="A", delivery_date=date(2026, 7, 13)) == {"delivery_date": "NX114"}
    assert check(service="A", delivery_date=date(2026, 7, 14)) == {}
    assert check(service="B", delivery_date=date(2026, 7, 14)) == {"delivery_date": "NX114"}
    assert check(service="B", delivery_date=date(2026, 7, 15)) == {}
    assert check(service="SD", delivery_date=date(2026, 7, 13)) == {"delivery_date": "NX114"}
    assert check(service="SD", delivery_date=date(2026, 7, 14)) == {}
    early = {"booking_date": "2026-07-14"}
    assert check(service="B", surcharges=["BI"], additional_fields=early) == {
        "additional_fields.booking_date": "NX114"
    }  # fmt: skip


@pytest.mark.rule("NX-4-23", "NX-5-6")
def test_nx114_timed_needs_its_times(check):
    assert check(surcharges=["TD"]) == dict.fromkeys(
        ("additional_fields.delivery_from", "additional_fields.delivery_to"), "NX114"
    )
    equal = {"delivery_from": "10:30", "delivery_to": "10:30"}
    assert check(surcharges=["TD"], additional_fields=equal) == {}
    turned = {"delivery_from": "11:00", "delivery_to": "10:30"}
    assert check(surcharges=["TD"], additional_fields=turned) == {"additional_fields.delivery_to": "NX114"}


@pytest.mark.rule("NX-4-23", "NX-5-7")
def test_nx114_book_in_needs_somebody_to_call_or_to_write_to(check):
    nobody = {"delivery": {"phone": ""}, "notification_email": ""}
    assert check(surcharges=["BI"], **nobody) == {"delivery.phone": "NX114"}
    assert check(surcharges=["BI"], delivery={"phone": ""}, notification_email="in@example.com") == {}
    assert check(surcharges=["BI"]) == {}
    assert check(**nobody) == {}


# Freight and places


@pytest.mark.rule("NX-4-19", "NX-5-8", "NX-5-10")
def test_nx110_only_domestic_pallet_types_that_have_a_name(check):
    for code in ("FULL", "LIGHT", "HALF", "QUARTER", "MINI", "MEGA"):
        assert check(pallets=[code]) == {}
    for code in ("P7", "P8", "EURO FULL"):
        assert check(pallets=["FULL", code]) == {"pallet_types": "NX110"}
    euro = "pallet_types: {EURO: {name: Euro Full, scope: international, size: ['120', '80', '200']}}"
    assert check(euro, pallets=["EURO"]) == {"pallet_types": "NX110"}
    assert "international" in check.found[0].reason
    assert check("pallet_types: {FULL: {name: ''}}") == {"pallet_types": "NX110"}


@pytest.mark.rule("NX-4-19")
def test_nx110_only_domestic_addresses(check):
    assert check(delivery={"country": "IE"}, pickup={"country": "FR"}) == {
        "pickup.country": "NX110", "delivery.country": "NX110",
    }  # fmt: skip
    assert check("domestic_countries: [GB, IE]", delivery={"country": "IE"}) == {}


@pytest.mark.rule("NX-4-22", "NX-2.4-13", "NX-5-9")
def test_nx113_pallets_have_a_size_a_weight_and_a_base(check):
    sizeless = "pallet_types: {ODD: {name: Odd, scope: domestic}}"
    assert check(sizeless, pallets=["ODD"], details=[{"length_cm": 100}]) == {"pallet_details[0]": "NX113"}
    assert check(sizeless, pallets=["ODD"], details=[{"length_cm": 100, "width_cm": 90, "height_cm": 80}]) == {}
    assert check(weight_kg=None) == {"weight_kg": "NX113"}
    assert check(weight_kg=None, details=[{"weight_kg": 100}, {"weight_kg": 90}]) == {}
    assert check(weight_kg=100, details=[{"weight_kg": 100}]) == {"weight_kg": "NX113"}
    assert check(details=[{}, {"base": "OAK"}]) == {"pallet_details[1].base": "NX113"}
    assert check(details=[{"colour": "red"}]) == {"pallet_details[0]": "NX113"}


@pytest.mark.rule("NX-4-22", "NX-2.4-11", "NX-2.4-7", "NX-2.4-13")
def test_nx113_what_is_required_is_missed_by_name(check):
    assert check(
        collection_date=None, pallets=[], delivery={"name": "", "town": "", "phone": ""}, pickup={"postcode": ""}
    ) == dict.fromkeys(
        ("collection_date", "pallet_types", "delivery.name", "delivery.town", "pickup.postcode"), "NX113"
    )  # fmt: skip
    assert check(delivery={"street": "", "country": ""}) == {"delivery.street": "NX113", "delivery.country": "NX113"}


LENGTHS = {
    "reference": 50, "goods_description": 100, "notification_email": 100, "delivery.name": 50, "delivery.street": 50,
    "delivery.locality": 50, "delivery.town": 35, "delivery.postcode": 10, "delivery.phone": 20, "delivery.contact": 50,
    "pickup.name": 50, "pickup.postcode": 10, "additional_fields.collection_email": 100,
}  # fmt: skip


@pytest.mark.rule("NX-2.4-14", "NX-2.4-15", "NX-4-22", "NX-2.4-3", "NX-2.4-5")
@pytest.mark.parametrize(("field", "most"), LENGTHS.items())
def test_nx113_what_is_too_long_is_refused_and_not_cut(check, field, most):
    def of_length(length: int):
        stop, dot, part = field.partition(".")
        return {stop: {part: "1" * length}} if dot else {field: "1" * length}

    assert check(**of_length(most)) == {}
    assert check(**of_length(most + 1)) == {field: "NX113"}


@pytest.mark.rule("NX-2.4-6", "NX-2.4-15", "NX-5-22")
def test_nx113_instructions_and_the_amazon_line_fit_together(check):
    amazon = {"service": "B", "surcharges": ["AMAZON"], "carton_count": 12, "additional_fields": AMAZON}
    room = 250 - len("\nAMZ ASN=ASN1;CTN=12;BOOK=2026-07-15T10:30")
    assert check(notes=["x" * room], **amazon) == {}
    assert check(notes=["x" * (room + 1)], **amazon) == {"notes": "NX113"}
    assert check(notes=["x" * 125, "x" * 124]) == {}
    assert check(notes=["x" * 125, "x" * 125]) == {"notes": "NX113"}
    assert check("limits: {notes: '10'}", notes=["x" * 11]) == {"notes": "NX113"}


@pytest.mark.rule("NX-4-22")
def test_nx113_malformed_values(check):
    fields = {"delivery_from": "9:30", "delivery_to": "25:00", "limited_quantities": "yes"}
    assert check(additional_fields=fields) == {f"additional_fields.{name}": "NX113" for name in fields}


# Cut-off


@pytest.mark.rule("NX-4-20", "NX-5-12", "NX-5-14")
def test_nx111_a_collection_in_the_past_or_behind_the_cut_off(check):
    afternoon = datetime(2026, 7, 13, 11, 0, tzinfo=UTC)
    assert check(collection_date=date(2026, 7, 12)) == {"collection_date": "NX111"}
    assert check(collection_date=date(2026, 7, 13)) == {}
    assert check(collection_date=date(2026, 7, 13), now=afternoon) == {"collection_date": "NX111"}
    assert check(collection_date=date(2026, 7, 14), now=afternoon) == {"collection_date": "NX111"}
    assert "the earliest date is 2026-07-15" in check.found[0].reason
    assert check(collection_date=date(2026, 7, 15), now=afternoon) == {}


# Amazon


@pytest.mark.rule("NX-4-21", "NX-5-17", "NX-5-18", "NX-5-19", "NX-5-20")
def test_nx112_amazon_needs_cartons_a_booking_and_a_number(check):
    assert check(service="B", surcharges=["AMAZON"]) == dict.fromkeys(
        ("carton_count", "additional_fields.booking_date", "additional_fields.booking_time", "additional_fields"),
        "NX112",
    )
    good = {"service": "B", "surcharges": ["AMAZON"], "carton_count": 1}
    assert check(**good, additional_fields=AMAZON) == {}
    for number in ("asn_number", "fba_number", "po_number"):
        assert check(**good, additional_fields={**AMAZON, "asn_number": "", number: "N1"}) == {}
    assert check(**good, additional_fields={**AMAZON, "amazon_number": "701-1", "unit_count": "40"}) == {}


@pytest.mark.rule("NX-4-21", "NX-5-17", "NX-5-18", "NX-5-19", "NX-5-20")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("booking_date", "15.07.2026"),
        ("booking_time", "10:3"),
        ("asn_number", "A 1"),
        ("asn_number", "A;1"),
        ("fba_number", "x" * 31),
        ("po_number", "P\t1"),
        ("amazon_number", "x" * 31),
        ("unit_count", "many"),
    ],
)
def test_nx112_malformed_amazon_fields(check, field, value):
    good = {"service": "B", "surcharges": ["AMAZON"], "carton_count": 1}
    assert check(**good, additional_fields={**AMAZON, field: value}) == {f"additional_fields.{field}": "NX112"}


@pytest.mark.rule("NX-4-21", "NX-5-17")
def test_nx112_at_least_one_carton(check):
    assert check(service="B", surcharges=["AMAZON"], carton_count=0, additional_fields=AMAZON) == {
        "carton_count": "NX112"
    }  # fmt: skip


@pytest.mark.rule("NX-5-21")
@pytest.mark.parametrize("window", ["AM", "TD"])
def test_nx112_an_amazon_delivery_has_no_other_window(check, window):
    amazon = {"service": "B", "carton_count": 1, "additional_fields": AMAZON}
    assert check(surcharges=["AMAZON", window], **amazon) == {"surcharges": "NX112"}
    assert check(surcharges=["AMAZON", "BI"], **amazon) == {}


@pytest.mark.rule("NX-5-17", "NX-5-19")
def test_what_amazon_needs_is_a_setting(check):
    template = "amazon: {required: [po_number], one_of: [carton_count], reference_most: '3'}"
    amazon = {"service": "B", "surcharges": ["AMAZON"], "carton_count": 1}
    assert check(template, **amazon) == {"additional_fields.po_number": "NX112"}
    assert check(template, **amazon, additional_fields={"po_number": "P123"}) == {
        "additional_fields.po_number": "NX112"
    }  # fmt: skip
    assert check(template, **amazon, additional_fields={"po_number": "P12"}) == {}


# Together


@pytest.mark.rule("NX-4-7", "NX-4-8")
def test_all_faults_are_told_together_and_nothing_is_called(haulier):
    order = haulier.order(
        service="X", surcharges=["TD"], delivery={"town": "", "country": "FR"}, pallet_types=["P7"],
        additional_fields={"nexus_origin": ""}, customer="AIRESIDE", collection_date="2020-01-06", weight_kg=None,
    )  # fmt: skip
    other = haulier.order()
    haulier.dispatch(order, trip="T1", resource="FORTEC_OUT", depot="UKD101")
    haulier.dispatch(other, trip="T1", resource="FORTEC_OUT", depot="UKD101")
    haulier.work()

    task = haulier.task(order)
    assert (task.state, task.sent_at) == ("failed", None)
    assert told(task) == {
        "trip": "NX107",
        "requesting_depot": "NX103",
        "account": "NX104",
        ORIGIN: "NX105",
        "service": "NX108",
        "additional_fields.delivery_from": "NX114",
        "additional_fields.delivery_to": "NX114",
        "delivery.country": "NX110",
        "pallet_types": "NX110",
        "collection_date": "NX111",
        "delivery.town": "NX113",
        "weight_kg": "NX113",
    }
    assert all(fault["remedy"] for fault in task.faults)
    assert haulier.state(other) == "failed"
    assert haulier.calls() == []
    assert haulier.history(order)[-1] == "dispatch stopped before sending"


@pytest.mark.rule("NX-4-8", "NX-6-2")
def test_mended_and_completed_again_it_goes_out_in_the_same_attempt(haulier):
    order = haulier.sent(service="")
    assert haulier.state(order) == "failed"

    haulier.change(order, "service", "A")
    haulier.complete(order)
    haulier.work()
    assert (haulier.state(order), haulier.task(order).attempt) == ("completed", 1)
    assert len(haulier.of_order(order)) == 1


@pytest.mark.rule("NX-4-7", "NX-4-24", "NX-2.9-5", "NX-2.9-8")
def test_nx115_a_name_nexus_does_not_have_is_found_before_the_create(haulier):
    haulier.template("services: {delivery: {A: Overnight}}\npallet_types: {FULL: {name: Whole}}\n")
    order = haulier.sent()

    task = haulier.task(order)
    assert (task.state, task.sent_at) == ("failed", None)
    assert told(task) == {"services.A": "NX115", "palletTypes.FULL": "NX115"}
    assert "'Overnight'" in task.faults[0]["reason"]
    assert "'Premium'" in task.faults[0]["reason"]
    assert haulier.creates() == []
    assert haulier.fact(order, "consignment_number") == ""


@pytest.mark.rule("NX-4-3", "NX-4-1")
@pytest.mark.parametrize(("resource", "depot"), [("PALLEX_OUT", "PGD302"), ("FORTEC_OUT", "PGD302")])
def test_without_a_depot_the_first_of_ours_that_is_a_member_requests(haulier, resource, depot):
    origin = resource.removesuffix("_OUT")
    order = haulier.sent(resource=resource, additional_fields={"nexus_origin": origin})
    [held] = haulier.of_order(order)
    assert (held["originatingDepotCode"], held["network"]) == (depot, origin)
    assert haulier.fact(order, "requesting_depot") == depot


@pytest.mark.rule("NX-4-24")
def test_nx115_a_depot_without_a_connection(haulier):
    order = haulier.sent(depot="PGD999")
    assert told(haulier.task(order)) == {"requesting_depot": "NX115"}
    assert haulier.calls() == []
