"""Our consignment as the manifest of createConsignment (contract 2.2), which the network validates strictly."""

from datetime import date
from xml.etree import ElementTree

import pytest
from tests.networks.palletways.dispatching import access
from tests.networks.palletways.facts import facts

from palletflow.networks.palletways import payload
from palletflow.networks.palletways.errors import ValidationRefused
from palletflow.networks.palletways.form import read_form
from palletflow.networks.palletways.mapper import preview
from palletflow.networks.palletways.rules import preflight
from palletflow.store.dispatch import Company

BOOKED_IN = {
    "book_in": "true", "book_in_contact": "Joe", "book_in_phone": "0113 496 0102", "book_in_note": "Gate 4",
    "book_in_instructions": "Ring first",
}  # fmt: skip
COLLECTED = {"pw_type": "C", "collection_reference": "COL-1"}
PLAIN = """<?xml version="1.0" encoding="UTF-8"?>
<Manifest>
  <Confirm>yes</Confirm>
  <Depot>
    <Account>
      <Code>ACM001</Code>
      <Consignment>
        <Type>D</Type>
        <ImportID>PLF1-1</ImportID>
        <Number>0000001</Number>
        <Reference>PLF1-1</Reference>
        <Lifts>2</Lifts>
        <Weight>640.00</Weight>
        <Classification>B2B</Classification>
        <DeliveryAddressContactName>Goods In</DeliveryAddressContactName>
        <DeliveryAddressContactNumber>0113 496 0101</DeliveryAddressContactNumber>
        <Service>
          <Type>Delivery</Type>
          <Code>D</Code>
          <Surcharge>PRE</Surcharge>
        </Service>
        <Address>
          <Type>Delivery</Type>
          <ContactName>Goods In</ContactName>
          <Telephone>0113 496 0101</Telephone>
          <CompanyName>Aireside Joinery</CompanyName>
          <Line>17 Wharf Lane</Line>
          <Line>Cross Green</Line>
          <Town>Leeds</Town>
          <PostCode>LS9 8AA</PostCode>
          <Country>GB</Country>
        </Address>
        <BillUnit>
          <Type>FP</Type>
          <Amount>1</Amount>
        </BillUnit>
        <BillUnit>
          <Type>HP</Type>
          <Amount>1</Amount>
        </BillUnit>
      </Consignment>
    </Account>
  </Depot>
</Manifest>"""
# What is given of an order, and what of it reaches the network: node or path to the texts there.
SENT = {
    "plain": ({}, {"Type": ["D"], "CollectionDate": []}),
    "flags": (
        {"additional_fields": {"handball": "true", "tail_lift": "false", "classification": "B2R"}},
        {"Handball": ["yes"], "TailLift": ["no"], "Classification": ["B2R"]},
    ),
    "notes": ({"notes": ["Ring the bell", "Ask for Joe"]}, {"ManifestNote": ["Ring the bell Ask for Joe"]}),
    "dates": (
        {"collection_date": date(2026, 7, 13), "delivery_date": date(2026, 7, 14)},
        {"DeliveryDate": ["2026-07-14"], "CollectionDate": []},
    ),
    "timed": (
        {"service": "TIM", "additional_fields": {"delivery_time": "10:30"}},
        {"DeliveryTime": ["10:30"], "Service/Surcharge": ["TIM"]},
    ),
    "booked in": (
        {"additional_fields": BOOKED_IN},
        {"BookInRequest": ["yes"], "BookInContactName": ["Joe"], "BookInContactPhone": ["0113 496 0102"],
         "BookInContactNote": ["Gate 4"], "BookInInstructions": ["Ring first"]},
    ),
    "not booked in": (
        {"additional_fields": {"book_in": "false"}}, {"BookInRequest": ["no"], "BookInContactName": []}
    ),
    "collected": (
        {"additional_fields": COLLECTED, "collection_date": date(2026, 7, 13)},
        {"Type": ["C"], "CollectionDate": ["2026-07-13"], "CollectionContactName": ["Despatch"],
         "CollectionContactNumber": ["0116 496 0101"], "CollectionReference": ["COL-1"],
         "Service/Type": ["Delivery", "Collection"], "Service/Code": ["D", "C"], "Service/Surcharge": ["PRE", "STD"],
         "Address/Type": ["Collection", "Delivery"], "Address/PostCode": ["LE1 1AA", "LS9 8AA"]},
    ),
    "third party": (
        {"additional_fields": {**COLLECTED, "pw_type": "3"}},
        {"Type": ["3"], "Address/CompanyName": ["Acme Widgets Ltd", "Aireside Joinery"]},
    ),
    "whole addresses": (
        {"delivery": {"county": "West Yorkshire"}}, {"Address/County": ["West Yorkshire"], "Address/Country": ["GB"]}
    ),
    "pallets of every type": (
        {"pallets": ["MINI", "FULL", "LARGE", "HALF", "QUARTER", "FULL"], "weight_kg": 1200.5},
        {"BillUnit/Type": ["MQP", "FP", "LP", "HP", "QP"], "BillUnit/Amount": ["1", "2", "1", "1", "1"],
         "Lifts": ["6"], "Weight": ["1200.50"]},
    ),
    "notifications": (
        {"notification_sms": "07700 900123", "notification_email": "in@example.com"},
        {"NotificationSet/SMSNumber": ["07700 900123"], "NotificationSet/Email": ["in@example.com"],
         "NotificationSet/SysGroup": []},
    ),
    "one notification": (
        {"notification_email": "in@example.com"},
        {"NotificationSet/Email": ["in@example.com"], "NotificationSet/SMSNumber": []},
    ),
    "goods": (
        {"goods_description": "Parts"},
        {"Product/LineNo": ["1"], "Product/Description": ["Parts"], "Product/Quantity": ["2"]},
    ),
    "text that looks like XML": (
        {"notes": ["</ManifestNote><Type>C</Type> & \"quoted\" ]]> 'n <!-- é ☃ 𝄞"],
         "delivery": {"name": "<Bolts & Sons>", "street": "&amp; Lane"}},
        {"ManifestNote": ["</ManifestNote><Type>C</Type> & \"quoted\" ]]> 'n <!-- é ☃ 𝄞"], "Type": ["D"],
         "Address/CompanyName": ["<Bolts & Sons>"], "Address/Line": ["&amp; Lane", "Cross Green"]},
    ),
    "characters that XML cannot carry": (
        {"notes": ["Ring\x0bthe\x00bell\x1f", "\ufffe  Ask\r\n\tfor\x85Joe\uffff"], "goods_description": "\x07"},
        {"ManifestNote": ["Ring the bell Ask for Joe"], "Product/Description": [], "Product/Quantity": ["2"]},
    ),
}  # fmt: skip


@pytest.fixture
def form_of(plan, tmp_path):
    """The form of the deployment's template, or of one laid over the shipped one."""

    def read(text: str = ""):
        own = tmp_path / "own.yaml"
        own.write_text(text)
        return read_form(preview(plan, own if text else None).template)

    return read


@pytest.fixture
def built(form_of):
    """The manifest of a consignment with these changes."""

    def build(template: str = "", account="ACM001", depot_node="none", depot="123", **changes):
        return payload.manifest(
            facts(**changes), form_of(template), account=account, number="0000001", reference="PLF1-1",
            depot_node=depot_node, depot=depot,
        )  # fmt: skip

    return build


@pytest.fixture
def client(plan, palletways_sim):
    """A client by depot and settings, of the simulated network."""
    opened = []

    def make(depot="123", **extra):
        is_customer = extra.get("key_kind") == "customer"
        key = palletways_sim.customer_key if is_customer else palletways_sim.keys[depot]
        opened.append(access(plan, palletways_sim.root, depot, key, extra, lambda _: None).client)
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def consignment(manifest: str) -> ElementTree.Element:
    [found] = ElementTree.fromstring(manifest).iter("Consignment")
    return found


def texts(consignment: ElementTree.Element, path: str) -> list[str | None]:
    return [node.text for node in consignment.findall(path)]


@pytest.mark.rule("PW-7.1-1", "PW-2.2-2", "PW-2.2-4", "PW-2.2-5", "PW-2.2-10", "PW-2.2-11", "PW-2.2-12", "PW-2.2-13")
def test_the_whole_manifest_of_a_plain_consignment(built):
    assert built() == "".join(line.strip() for line in PLAIN.splitlines())


@pytest.mark.rule(
    "PW-2.2-3", "PW-2.2-4", "PW-2.2-5", "PW-2.2-6", "PW-2.2-7", "PW-2.2-8", "PW-2.2-9", "PW-2.2-10", "PW-2.2-11",
    "PW-2.2-12", "PW-2.2-13", "PW-2.2-14", "PW-7.1-3",
)  # fmt: skip
@pytest.mark.parametrize("name", SENT)
def test_what_an_order_has_is_sent_and_accepted(built, form_of, client, palletways_sim, name):
    changes, sent = SENT[name]
    assert preflight(
        facts(**changes), form_of(), is_tracking_id=str, accounts=["ACM001"], company=Company(1, 1, None), trouble=""
    ) == []  # fmt: skip
    manifest = built(**changes)
    assert {path: texts(consignment(manifest), path) for path in sent} == sent

    client().create(manifest, commit=False)
    assert palletways_sim.held(reference="PLF1-1") == []
    client().create(manifest, commit=True)
    [held] = palletways_sim.held(reference="PLF1-1")
    assert held["payload"] == manifest


@pytest.mark.rule("PW-2.2-1", "PW-2.2-2")
def test_it_is_released_unless_the_template_says_otherwise(built):
    own = "services: {PRE: {group: D, code: PRE}}\nbill_units: {FULL: FP, HALF: HP}\n"
    assert "<Confirm>yes</Confirm>" in built(own)
    assert "<Confirm>no</Confirm>" in built(own + "dispatch: {confirm: false}")


@pytest.mark.rule("PW-2.2-3", "PW-2.2-5", "PW-2.2-14")
def test_what_the_template_says_where_the_order_does_not(built):
    own = (
        "services: {PRE: {group: D, code: PRE}}\nbill_units: {FULL: FP, HALF: HP}\n"
        "dispatch: {type: '3', classification: B2R, notification_groups: ['7', '9'],"
        " collection_service: {group: C, code: STD}}"
    )
    made = consignment(built(own, notification_email="in@example.com"))
    assert texts(made, "Type") == ["3"]
    assert texts(made, "Classification") == ["B2R"]
    assert texts(made, "NotificationSet/SysGroup") == ["7", "9"]
    said = {"pw_type": "D", "classification": "B2B"}
    assert texts(consignment(built(own, additional_fields=said)), "Type") == ["D"]


@pytest.mark.rule("PW-2.2-2")
@pytest.mark.parametrize("node", ["none", "Number", "Code"])
def test_the_depot_stands_in_the_node_that_the_connection_names(built, client, palletways_sim, node):
    manifest = built(depot_node=node, depot="124", account="AIR003")
    depot = ElementTree.fromstring(manifest).find("Depot")
    assert [(one.tag, one.text) for one in depot if one.tag != "Account"] == ([(node, "124")] if node != "none" else [])
    client("124").create(manifest, commit=True)
    assert len(palletways_sim.held(reference="PLF1-1")) == 1
    with pytest.raises(ValidationRefused):
        client("123").create(manifest, commit=True)


@pytest.mark.rule("PW-2.2-15", "PW-2.2-16", "PW-1.1-8")
def test_a_customer_key_is_told_no_tracking_id(built, client):
    told = client().create(built(), commit=True)["ImportDetail"]
    assert {"ImportID", "ResponseID", "TrackingID"} <= told.keys()
    told = client(key_kind="customer").create(built().replace("PLF1-1", "PLF1-2"), commit=True)["ImportDetail"]
    assert "TrackingID" not in told


@pytest.mark.rule("PW-2.2-17")
def test_the_network_refuses_what_is_not_so(built, client, palletways_sim):
    """Else nothing above would mean anything."""
    for wrong in (
        built().replace("<Weight>640.00</Weight>", ""),
        built().replace("<Type>FP</Type>", "<Type>XX</Type>"),
        built(additional_fields={"delivery_time": "10:30"}),
        built(account="OTH900"),
    ):
        with pytest.raises(ValidationRefused):
            client().create(wrong, commit=True)
    assert palletways_sim.held(reference="PLF1-1") == []


def test_what_comes_back_of_it_if_they_write_as_we_do(built, plan):
    manifest = built(notes=["Ring the bell", "Ask for Joe"], weight_kg=640.5, service="ECO")
    shown = preview(plan).for_ours.translate(payload.given_back(manifest, "123")).consignment
    assert (shown.requesting_depot, shown.account, shown.service) == ("123", "ACM001", "ECO")
    assert (shown.notes, float(shown.weight_kg)) == (["Ring the bell Ask for Joe"], 640.5)
    assert shown.delivery == facts().delivery
    assert (shown.pallet_types, shown.pickup.name) == (["FULL", "HALF"], "")
