"""Import templates: a field that a network may call by several names, and kinds of values."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from palletflow.checked_yaml import FileFault
from palletflow.intake import template
from palletflow.intake.folding import fold
from palletflow.intake.template import Template

KINDS = {"reference": "text", "pallets": "objects", "notes": "texts", "weight": "decimal"}
WIRE_FIELDS = frozenset({"ref", "general.ref", "pallets", "items", "notes", "notes.text", "weight", "kg"})
SHIPPED: dict[str, Any] = {
    "fields": {
        "reference": {"path": ["ref", "general.ref"]},
        "pallets": {"path": ["pallets[]", "items[]"], "required": True},
        "notes": {"path": []},
        "weight": {"path": ["weight", "kg"], "least": "1", "most": "99"},
    },
    "codes": {},
    "customer": {"unknown_account": "network"},
    "response_aliases": {},
    "extra_fields": [],
}


@pytest.fixture
def make(tmp_path: Path):
    """The template as shipped, with these fields of the deployment's own laid over it."""

    def made(**own: Any) -> Template:
        files = [tmp_path / name for name in ("shipped.yaml", "own.yaml", "sections.json")]
        files[0].write_text(yaml.safe_dump(SHIPPED))
        files[1].write_text(yaml.safe_dump({"fields": own}))
        files[2].write_text(json.dumps({"properties": {}}))
        return template.load(files[0], files[1], KINDS, WIRE_FIELDS, files[2])

    return made


def read(made: Template, **record: Any) -> template.Reading:
    return made.read(fold({"pallets": [{"type": "Full"}], **record}, {}))


@pytest.mark.rule("NX-2.3-17")
@pytest.mark.parametrize(
    ("record", "found"),
    [
        ({"ref": "PO-1", "general": {"ref": "PO-2"}}, "PO-1"),
        ({"general": {"ref": "PO-2"}}, "PO-2"),
        ({"ref": None, "general": {"ref": "PO-2"}}, "PO-2"),
        ({"ref": "  ", "general": {"ref": "PO-2"}}, "PO-2"),
        ({"general": "text in place of an object"}, ""),
        ({"general": None}, ""),
        ({}, ""),
    ],
)
def test_the_first_place_that_has_a_value_counts(make, record, found):
    made = make()

    reading = read(made, **record)

    assert (reading.values["reference"], reading.faults) == (found, [])
    assert made.find("reference", fold(record, {})) == found


@pytest.mark.rule("NX-2.3-17")
def test_a_deployment_names_other_places_for_a_field(make):
    assert read(make(reference={"path": ["kg"]}), kg="7", ref="PO-1").values["reference"] == "7"


@pytest.mark.parametrize(
    ("record", "found"),
    [
        ({"pallets": [], "items": [{"n": 1}]}, [{"n": "1"}]),
        ({"pallets": "none", "items": [{"n": 1}]}, [{"n": "1"}]),
        ({"pallets": [{"n": 2}], "items": [{"n": 1}]}, [{"n": "2"}]),
    ],
)
def test_an_empty_list_has_no_value_either(make, record, found):
    assert read(make(), **record).values["pallets"] == found


def test_a_field_of_no_place_is_empty(make):
    assert read(make(), notes=[{"text": "CALL"}]).values["notes"] == []


def test_a_fault_names_every_place(make):
    reading = make().read(fold({"kg": "heavy"}, {}))

    assert [(fault.field, fault.reason) for fault in reading.faults] == [
        ("pallets[] or items[]", "pallets[] or items[]: is required and is empty or absent"),
        ("weight or kg", "weight or kg: 'heavy' is not a number"),
    ]


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"reference": {"path": ["ref", "refrence"]}}, "fields.reference.path: the network sends no field 'refrence';"),
        ({"reference": {"path": ["ref", "general..ref"]}}, "fields.reference.path.1: 'general..ref' does not match"),
        ({"reference": {"path": {"ref": "1"}}}, "fields.reference.path: {'ref': '1'} is not of type 'string', 'array'"),
        ({"pallets": {"path": ["pallets[]", "items"]}}, "fields.pallets.path: must name all elements of a list"),
        ({"reference": {"path": ["ref", "notes[].text"]}}, "fields.reference.path: must not name all elements"),
        ({"pallets": {"path": []}}, "fields.pallets.path: is required, so it needs a place in the record"),
    ],
)
def test_a_slip_in_one_of_several_places_is_named(make, own, said):
    with pytest.raises(FileFault) as caught:
        make(**own)

    assert said in "; ".join(caught.value.faults)
