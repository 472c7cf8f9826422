"""What a deployment may change about the import of Palletforce consignments without code: its own template."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from palletflow.checked_yaml import FileFault
from palletflow.networks.palletforce import mapper
from palletflow.networks.palletforce.mapper import Mapper

PROJECT = Path(__file__).parents[3]
COMMAND = Path(sys.executable).with_name("palletflow")
SAMPLE = json.loads(mapper.SAMPLE.read_text("utf-8"))


@pytest.fixture
def own(plan, tmp_path):
    """Makes the mapper of a deployment whose own template has this text."""

    def make(text: str) -> Mapper:
        file = tmp_path / "own.yaml"
        file.write_text(text, "utf-8")
        return mapper.preview(plan, file)

    return make


@pytest.fixture
def record() -> dict[str, Any]:
    """A good record, free to be changed."""
    return copy.deepcopy(SAMPLE)


def faults(own, text: str) -> str:
    with pytest.raises(FileFault) as caught:
        own(text)
    assert str(caught.value).startswith(f"{caught.value.path}: ")
    assert caught.value.path.name == "own.yaml"
    return "; ".join(caught.value.faults)


# Slips in a template are found when it is read, and say where


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "fields: {reference: {path: customerUniqueReference}}",
            "fields.reference.path: the network sends no field 'customerUniqueReference'; "
            "did you mean 'customersuniquereference'?",
        ),
        (
            "fields: {pickup_town: {path: collectionAddress.city}}",
            "fields.pickup_town.path: the network sends no field 'collectionAddress.city';",
        ),
        (
            "fields: {reference: {path: loadNumber}}",
            "a field only your account has goes under extra_fields first",
        ),
        ("fields: {reference: {path: 'notes[].'}}", "fields.reference.path: 'notes[].' does not match"),
        (
            "fields: {servcie: {path: serviceName}}",
            "fields.servcie: is no field of a consignment; did you mean 'service'?",
        ),
        ("fields: {reference: {pth: serviceName}}", "fields.reference: unknown key 'pth'; known here: codes, count, "),
        ("feilds: {}", "top level: unknown key 'feilds'; known here: codes, customer, extra_fields, fields, "),
        (
            "fields: {service: {codes: servcies}}",
            "fields.service.codes: there is no table 'servcies' under codes",
        ),
        ("codes: {services: {S: {nmae: Sunday}}}", "codes.services.S: unknown key 'nmae'"),
        ("codes: {services: {S: {lead_days: 1}}}", "codes.services.S: 'name' is a required property"),
        (
            "customer: {unknown_account: ignore}",
            "customer.unknown_account: 'ignore' is not one of ['reject', 'network']",
        ),
        ("response_aliases: {manifests: rows}", "response_aliases.manifests: 'rows' is not of type 'array'"),
        ("extra_fields: {loadNumber: yes}", "extra_fields: "),
        ("fields: [reference]", "fields: ['reference'] is not of type 'object'"),
        ("fields: {reference: {path: a}\n", "is not YAML: "),
        ("fields: {}\nfields: {}\n", "'fields' stands twice"),
    ],
)
def test_a_slip_is_named_with_its_place(own, text, said):
    assert said in faults(own, text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fields: {tracking_number: {pattern: '('}}", "fields.tracking_number: cannot be used ("),
        ("fields: {weight_kg: {least: 1.2.3}}", "fields.weight_kg: cannot be used ("),
        ("fields: {pallet_types: {path: serviceName}}", "fields.pallet_types.path: must name all elements of a list"),
        ("fields: {service: {path: 'notes[].value'}}", "fields.service.path: must not name all elements of a list"),
    ],
)
def test_what_cannot_be_used_is_named_too(own, text, said):
    assert said in faults(own, text)


def test_an_own_template_without_a_word_changes_nothing(own, record):
    assert own("# nothing differs\n").translate(record).faults == []


def test_the_list_of_consignments_may_have_another_name(own, record):
    record["shipments"] = record.pop("consignments") * 2
    mapper = own("response_aliases: {consignments: [shipments]}")

    found = mapper.records([record])

    assert [mapper.key(one) for one in found] == ["9000010000123", "9000010000123"]
    assert [mapper.translate(one).faults for one in found] == [[], []]


@pytest.mark.parametrize(("field", "codes"), [("pallets", ["MISSING_VALUE"]), ("notes", [])])
def test_text_in_place_of_a_list_counts_as_an_empty_list(own, record, field, codes):
    record["consignments"][0][field] = "F"
    assert [fault.code for fault in own("").translate(record).faults] == codes


def test_all_slips_are_named_at_once(own):
    said = faults(own, "fields: {reference: {path: refrence}, servcie: {path: serviceName}, surcharges: {codes: none}}")

    assert "fields.reference.path" in said
    assert "fields.servcie" in said
    assert "fields.surcharges.codes" in said


def test_a_template_that_is_not_there_is_named(plan, tmp_path):
    with pytest.raises(FileFault, match=r"nowhere\.yaml: cannot be read: No such file"):
        mapper.preview(plan, tmp_path / "nowhere.yaml")


# What a template can change


def test_only_what_differs_is_given(own, plan, record):
    changed = own("fields: {reference: {path: customersUniqueReference2}}")
    record["consignments"][0]["customersUniqueReference2"] = "PO-7"

    ours, shipped = changed.translate(record), mapper.preview(plan).translate(record)

    assert (ours.faults, shipped.faults) == ([], [])
    assert ours.consignment == shipped.consignment._replace(reference="PO-7")
    assert changed.version != mapper.preview(plan).version


@pytest.mark.rule("PF-1.2-8")
@pytest.mark.parametrize(
    ("name", "other", "where", "field"),
    [
        ("trackingNumber", "conNo", "consignment", "tracking_number"),
        ("serviceName", "Service Level", "consignment", "service"),
        ("customersUniqueReference", "REF", "consignment", "reference"),
        ("datesAndTimes", "dates", "consignment", "collection_date"),
        ("pallets", "units", "consignment", "pallet_types"),
        ("deliveryAddress", "consignee", "manifest", "delivery"),
    ],
)
def test_a_field_of_the_record_may_have_another_name(own, plan, record, name, other, where, field):
    holder = record if where == "manifest" else record["consignments"][0]
    holder[f" {other.upper()} "] = holder.pop(name)
    expected = mapper.preview(plan).translate(SAMPLE).consignment

    assert mapper.preview(plan).translate(record).consignment != expected
    translated = own(json.dumps({"response_aliases": {name: ["never sent", other]}})).translate(record)

    assert translated.faults == []
    assert translated.consignment == expected
    assert getattr(translated.consignment, field)


@pytest.mark.rule("PF-1.2-8")
def test_a_field_inside_a_list_may_have_another_name(own, record):
    for date in record["consignments"][0]["datesAndTimes"]:
        date["kind"] = date.pop("dateTimeType")
    for line in record["consignments"][0]["pallets"]:
        line["qty"] = line.pop("numberofPallets")

    translated = own("response_aliases: {dateTimeType: [kind], numberofPallets: [qty]}").translate(record)

    assert translated.faults == []
    assert str(translated.consignment.collection_date) == "2026-07-13"
    assert translated.consignment.pallet_types == ["F", "F"]


@pytest.mark.rule("PF-1.2-8", "PF-2.4-17")
def test_a_record_is_known_by_its_number_under_another_name_too(own, record):
    record["consignments"][0]["conNo"] = record["consignments"][0].pop("trackingNumber")

    assert own("response_aliases: {trackingNumber: [CONNO]}").key(record) == "9000010000123"


@pytest.mark.rule("PF-1.2-8")
def test_other_names_of_the_answers_own_fields_reach_the_client(own):
    aliases = own("response_aliases: {manifests: [Rows], totalPages: [pageCount]}").template.aliases

    assert aliases == {"rows": "manifests", "pagecount": "totalpages"}


@pytest.mark.rule("PF-1.2-7")
def test_a_field_only_this_account_has_can_be_mapped(own, record):
    record["consignments"][0]["loadNumber"] = " LOAD 7 "

    changed = own("extra_fields: [LoadNumber]\nfields: {reference_2: {path: loadNumber}}")

    assert changed.translate(record).consignment.reference_2 == "LOAD 7"


@pytest.mark.rule("PF-1.2-2", "PF-1.2-7", "PF-2.4-18")
@pytest.mark.parametrize("wrap", [lambda inner: {"a": inner}, lambda inner: [inner]], ids=["objects", "lists"])
def test_an_absurdly_nested_unknown_field_is_ignored(plan, record, wrap):
    deep: Any = "deep"
    for _ in range(20_000):
        deep = wrap(deep)
    record["consignments"][0]["somethingNew"] = deep

    translated = mapper.preview(plan).translate(record)

    assert translated.consignment == mapper.preview(plan).translate(SAMPLE).consignment


@pytest.mark.rule("PF-2.4-18")
@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00", "yesterday"])
def test_a_time_of_change_that_is_none_is_left_out_with_a_warning(plan, record, text):
    record["consignments"][0]["lastUpdated"] = text

    translated = mapper.preview(plan).translate(record)

    assert translated.faults == []
    assert translated.consignment.network_updated_at is None
    assert translated.warnings == [f"lastUpdated: '{text}' is not a time; left out"]


@pytest.mark.parametrize(
    ("setting", "customer", "fault"), [("reject", None, "UNKNOWN_CUSTOMER"), ("network", "PALLETFORCE", None)]
)
def test_an_account_no_customer_has_is_rejected_or_given_to_the_network(own, record, setting, customer, fault):
    record["consignments"][0]["CustomerAccountNumber"] = "NOBODY 1"

    translated = own(f"customer: {{unknown_account: {setting}}}").translate(record)

    assert [found.code for found in translated.faults] == ([fault] if fault else [])
    assert (translated.consignment.customer_code if translated.consignment else None) == customer


def test_an_account_of_ours_is_still_the_customers(own, record):
    assert own("customer: {unknown_account: network}").translate(record).consignment.customer_code == "ACME"


# The command that shows it


def run(*arguments: Any, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {"PALLETFLOW_DEPLOYMENT": str(PROJECT / "include" / "deployment.yaml"), "PYTHONUTF8": "1"}
    return subprocess.run(
        [COMMAND, *map(str, arguments)],
        env={**os.environ, **known, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def shown(output: str) -> dict[str, str]:
    """The unindented `name   value` lines of the command."""
    lines = (line.split(None, 1) for line in output.splitlines() if line and not line.startswith(" "))
    return {words[0]: words[1].strip() if len(words) > 1 else "" for words in lines}


def test_the_command_shows_what_a_record_becomes(tmp_path, record):
    record["consignments"][0] |= {"serviceName": "Z", "loadNumber": "LOAD 7"}
    (tmp_path / "record.json").write_text(json.dumps(record))
    (tmp_path / "own.yaml").write_text("extra_fields: [loadNumber]\nfields: {reference_2: {path: loadNumber}}\n")

    done = run("template", "palletforce", "--template", tmp_path / "own.yaml", "--sample", tmp_path / "record.json")

    assert (done.returncode, done.stderr) == (0, "")
    fields = shown(done.stdout)
    assert fields.pop("warning") == "serviceName: unknown code 'Z' kept as it came"
    assert (fields["tracking_number"], fields["reference_2"], fields["service"]) == ("9000010000123", "LOAD 7", "Z")
    assert (fields["our_roles"], fields["pallet_types"]) == ("requesting, collecting, delivery", "F, F")
    assert "  postcode              LS1 1AA" in done.stdout.splitlines()


def test_the_command_shows_every_reason_for_a_rejection(tmp_path, record):
    record["consignments"][0] |= {"weight": "heavy", "serviceName": ""}
    (tmp_path / "record.json").write_text(json.dumps(record))

    done = run("template", "palletforce", "--sample", tmp_path / "record.json")

    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "rejected  MISSING_VALUE: serviceName: is required and is empty or absent",
        "rejected  BAD_FORMAT: weight: 'heavy' is not a number",
    ]


def test_the_command_needs_nothing_but_the_network_to_show_its_sample():
    done = run("template", "palletforce")

    assert done.returncode == 0
    assert shown(done.stdout)["customer_code"] == "ACME"


@pytest.mark.parametrize(
    ("template", "sample", "said"),
    [
        ("fields: {servcie: {path: serviceName}}", "{}", "own.yaml: fields.servcie: is no field of a consignment"),
        (None, "{}", "own.yaml: cannot be read"),
        ("extra_fields: []", "{", "record.json is not JSON"),
        ("extra_fields: []", None, "record.json cannot be read"),
    ],
)
def test_the_command_fails_with_a_sentence(tmp_path, template, sample, said):
    for name, content in (("own.yaml", template), ("record.json", sample)):
        if content is not None:
            (tmp_path / name).write_text(content)

    done = run("template", "palletforce", "--template", tmp_path / "own.yaml", "--sample", tmp_path / "record.json")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("palletflow: ")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_deployments_own_template_is_used_without_being_named(tmp_path):
    plan = (PROJECT / "include" / "deployment.yaml").read_text("utf-8")
    plan = plan.replace("template: palletforce.yaml", "template: own.yaml", 1)
    (tmp_path / "deployment.yaml").write_text(plan, "utf-8")
    (tmp_path / "own.yaml").write_text("fields: {reference: {path: consignmentNumber}}\n")

    done = run("template", "palletforce", PALLETFLOW_DEPLOYMENT=str(tmp_path / "deployment.yaml"))

    assert done.returncode == 0
    assert shown(done.stdout)["reference"] == "0000123"
