"""The body of UploadManifest: every field, spelling and rule of contract 2.1."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from tests.networks.palletforce.facts import facts

from palletflow.checked_yaml import FileFault
from palletflow.networks.palletforce import manifest
from palletflow.networks.palletforce.mapper import preview

# The example of contract 2.1, without the access key.
EXAMPLE = json.loads("""
{"uniqueTransactionNumber":"AF-51-1",
 "collectionAddress":{"name":"Sender Ltd","streetAddress":"1 Mill Rd","location":"","town":"Leicester","county":"",
  "postcode":"LE1 1AA","countryCode":"GB","phoneNumber":"0116 496 0001","contactName":"Warehouse"},
 "deliveryAddress":{"name":"Receiver","streetAddress":"2 High St","location":"","town":"Leeds","county":"",
  "postcode":"LS1 1AA","countryCode":"GB","phoneNumber":"0113 496 0001","contactName":"Goods In"},
 "consignments":[{"requestingDepot":"900","collectingDepot":"","deliveryDepot":"","trackingNumber":"",
  "consignmentNumber":"0000123","CustomerAccountNumber":"acme 001",
  "datesAndTimes":[{"dateTimeType":"COLD","value":"20260713"}],
  "pallets":[{"palletType":"F","numberofPallets":"2"}],"palletSpaces":"2","weight":"850","serviceName":"A",
  "surcharges":"AM TL","customersUniqueReference":"SO-123","customersUniqueReference2":"",
  "notes":[{"noteName":"NOTE1","value":"CALL FIRST"}],"insuranceCode":"01","customerCharge":"",
  "nonPalletforceConsignment":"N","deliveryVehicleCode":"","consignmentType":"","hubIdentifyingCode":"",
  "notifications":[],"cartonCount":"","aSNFBABOLReferenceNumber":"","additionalDetails":{"lines":[]}}]}
""")


@pytest.fixture
def form(plan):
    return manifest.form(preview(plan).template)


@pytest.fixture
def build(form):
    def made(accepted_status: str = "", opted_out: bool = False, account: str = "acme 001", **changes):
        transaction = manifest.transaction_number("AF", 51, 1)
        return manifest.build(
            facts(**changes), form, transaction=transaction, account=account, accepted_status=accepted_status,
            opted_out=opted_out,
        )  # fmt: skip

    return made


@pytest.fixture
def sent(build):
    """The consignment that is sent."""

    def made(**changes):
        [one] = build(**changes).body["consignments"]
        return one

    return made


def scalars(value):
    if isinstance(value, dict):
        value = list(value.values())
    return [scalar for inner in value for scalar in scalars(inner)] if isinstance(value, list) else [value]


@pytest.mark.rule(
    "PF-2.1-1", "PF-2.1-2", "PF-2.1-3", "PF-2.1-5", "PF-2.1-6", "PF-2.1-7", "PF-2.1-9", "PF-2.1-10", "PF-2.1-14",
    "PF-2.1-16", "PF-2.1-19", "PF-1.1-9",
)  # fmt: skip
def test_the_example_of_the_contract_is_sent_to_the_letter(build):
    built = build()

    assert json.dumps(built.body) == json.dumps(EXAMPLE)
    assert built.warnings == []


@pytest.mark.rule("PF-1.1-8")
def test_every_scalar_is_a_text(build):
    body = build(
        pallets="FHQ", carton_count=7, amazon_reference="FBA15", surcharges=["AZ"], northern_ireland={"ni_gbeori": "G"},
        notification_sms="07700 900123", accepted_status="N",
    ).body  # fmt: skip

    assert [scalar for scalar in scalars(body) if not isinstance(scalar, str)] == []
    assert len(scalars(body)) > 60


@pytest.mark.rule("PF-2.1-3")
def test_street_line_two_goes_to_location_and_a_missing_contact_is_the_firm(build):
    address = build(delivery={"locality": "Mill Yard", "contact": ""}).body["deliveryAddress"]

    assert (address["streetAddress"], address["location"], address["contactName"]) == (
        "2 High St", "Mill Yard", "Receiver",
    )  # fmt: skip


@pytest.mark.rule("PF-2.1-6", "PF-2.1-7")
def test_depots_and_the_imported_number_are_sent_when_the_order_has_them(sent):
    one = sent(collecting_depot="902", delivery_depot="901", tracking_number="9000050000123")

    assert (one["collectingDepot"], one["deliveryDepot"], one["trackingNumber"]) == ("902", "901", "9000050000123")


@pytest.mark.rule("PF-2.1-8", "PF-3-8", "PF-3-9")
def test_numbers_of_our_own():
    assert manifest.consignment_number(123) == "0000123"
    assert manifest.consignment_number(manifest.LAST_CONSIGNMENT_NUMBER) == "9999999"
    assert manifest.own_tracking_number("900", "005", "0000123") == "9000050000123"


@pytest.mark.rule("PF-2.1-11")
@pytest.mark.parametrize(
    ("pallets", "listed"),
    [("F", [("F", "1")]), ("FHFQ", [("F", "2"), ("H", "1"), ("Q", "1")]), ("O" * 99, [("O", "99")])],
)
def test_pallets_have_one_element_a_type_in_the_order_they_first_come(sent, pallets, listed):
    assert [(one["palletType"], one["numberofPallets"]) for one in sent(pallets=pallets)["pallets"]] == listed


@pytest.mark.rule("PF-2.1-12")
@pytest.mark.parametrize(
    ("pallets", "spaces", "expected"),
    [("FHQ", None, "3"), ("F", "4", "4"), ("F", "2.5", "3"), ("F", "0.2", "1"), ("F" * 99, None, "99")],
)
def test_pallet_spaces_are_whole_and_one_a_pallet_unless_given(sent, pallets, spaces, expected):
    assert sent(pallets=pallets, pallet_spaces=spaces and Decimal(spaces))["palletSpaces"] == expected


@pytest.mark.rule("PF-2.1-12")
def test_spaces_a_type_are_the_template_s(plan, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("dispatch: {spaces_per_type: {F: 1, H: 0.5, Q: 0.25, O: 2}}")
    form = manifest.form(preview(plan, own).template)

    assert manifest.whole_spaces(facts(pallets="HH"), form) == 1
    assert manifest.whole_spaces(facts(pallets="OHQ"), form) == 3


@pytest.mark.rule("PF-2.1-13")
@pytest.mark.parametrize(
    ("weight", "expected"), [("850", "850"), ("849.5", "850"), ("849.49", "849"), ("0.5", "1"), ("9999.4", "9999")]
)
def test_weight_is_rounded_half_up(sent, weight, expected):
    assert sent(weight_kg=weight)["weight"] == expected


@pytest.mark.rule("PF-2.1-15", "PF-4.2-3")
@pytest.mark.parametrize(
    ("ours", "expected"),
    [([], ""), (["TL"], "TL"), (["AM", "TL"], "AM TL"), (["AW"], "AM"), (["AW", "AM", "SA"], "AM SA")],
)
def test_surcharges_are_one_text_and_am_is_sent_for_both_mornings(sent, ours, expected):
    assert sent(surcharges=ours)["surcharges"] == expected


@pytest.mark.rule("PF-4.2-3")
def test_an_account_that_needs_aw_says_so_in_its_template(plan, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("dispatch: {sent_as: {AM: AW, AW: AW}}")
    form = manifest.form(preview(plan, own).template)
    built = manifest.build(
        facts(surcharges=["AM"]), form, transaction="T", account="a", accepted_status="", opted_out=False
    )

    assert built.body["consignments"][0]["surcharges"] == "AW"


@pytest.mark.rule("PF-2.1-10")
def test_the_delivery_date_goes_out_when_the_template_says_so(plan, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("dispatch: {dates: {COLD: collection_date, DELD: delivery_date}}")
    form = manifest.form(preview(plan, own).template)
    built = manifest.build(facts(), form, transaction="T", account="a", accepted_status="", opted_out=False)

    assert built.body["consignments"][0]["datesAndTimes"] == [
        {"dateTimeType": "COLD", "value": "20260713"},
        {"dateTimeType": "DELD", "value": "20260714"},
    ]


@pytest.mark.rule("PF-2.1-17", "PF-4.3-4")
def test_notes_are_named_in_order_and_none_is_one_empty_pair(sent):
    assert sent(notes=["FIRST", " SECOND  NOTE "])["notes"] == [
        {"noteName": "NOTE1", "value": "FIRST"},
        {"noteName": "NOTE2", "value": "SECOND NOTE"},
    ]
    assert sent(notes=[])["notes"] == [{"noteName": "", "value": ""}]
    assert sent(notes=["", "  "])["notes"] == [{"noteName": "", "value": ""}]


@pytest.mark.rule("PF-4.3-5")
def test_long_instructions_are_wrapped_at_words(sent, build):
    notes = ["Ring the bell at the blue gate and ask for the yard foreman before nine"]
    assert [note["value"] for note in sent(notes=notes)["notes"]] == [
        "Ring the bell at the blue gate and",
        "ask for the yard foreman before nine",
    ]
    assert build(notes=notes).warnings == []


@pytest.mark.rule("PF-4.3-5")
def test_what_passes_four_notes_is_cut_with_a_warning(build):
    words = [f"instruction{number:02d}" for number in range(20)]
    built = build(notes=words)
    values = [note["value"] for note in built.body["consignments"][0]["notes"]]

    assert len(values) == 4
    assert all(len(value) <= 36 for value in values)
    sent = " ".join(values).split()
    assert sent == words[: len(sent)]
    assert len(built.warnings) == 1
    assert "do not fit into 4 notes of 36" in built.warnings[0]
    assert words[len(sent)] in built.warnings[0]
    assert words[-1] in built.warnings[0]


@pytest.mark.rule("PF-4.3-5")
def test_a_word_longer_than_a_note_is_broken(sent):
    values = [note["value"] for note in sent(notes=["x" * 80])["notes"]]
    assert values == ["x" * 36, "x" * 36, "x" * 8]


@pytest.mark.rule("PF-2.1-18", "PF-2.1-19")
def test_what_the_order_does_not_say_comes_from_the_template(plan, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text(
        "dispatch: {defaults: {insuranceCode: '02', hubIdentifyingCode: '03', consignmentType: C, customerCharge: '9',"
        " nonPalletforceConsignment: Y, deliveryVehicleCode: V}}"
    )
    form = manifest.form(preview(plan, own).template)

    def sent(**changes):
        built = manifest.build(
            facts(**changes), form, transaction="T", account="a", accepted_status="", opted_out=False
        )
        names = (
            "insuranceCode", "hubIdentifyingCode", "consignmentType", "customerCharge", "nonPalletforceConsignment",
            "deliveryVehicleCode",
        )  # fmt: skip
        return [built.body["consignments"][0][name] for name in names]

    assert sent(insurance_code="", hub_code="") == ["02", "03", "C", "9", "Y", "V"]
    assert sent(insurance_code="01", hub_code="04")[:2] == ["01", "04"]


@pytest.mark.rule("PF-2.1-20", "PF-4.3-2")
def test_notifications_are_sent_in_capitals_unless_opted_out(sent):
    told = {
        "notification_email": "in@example.com",
        "notification_sms": "07700 900123",
        "notification_twitter": "@example",
    }
    assert sent(**told)["notifications"] == [
        {"notificationType": "EMAIL", "value": "in@example.com"},
        {"notificationType": "SMS", "value": "07700 900123"},
        {"notificationType": "TWITTER", "value": "@example"},
    ]
    assert sent(opted_out=True, **told)["notifications"] == []
    assert sent()["notifications"] == []


@pytest.mark.rule("PF-2.1-21")
def test_amazon_data_goes_with_its_surcharge_only(sent):
    amazon = {"carton_count": 24, "amazon_reference": "FBA15123456"}
    with_it, without = sent(surcharges=["AZ"], **amazon), sent(surcharges=[], **amazon)

    assert (with_it["cartonCount"], with_it["aSNFBABOLReferenceNumber"]) == ("24", "FBA15123456")
    assert (without["cartonCount"], without["aSNFBABOLReferenceNumber"]) == ("", "")


@pytest.mark.rule("PF-2.1-22")
def test_customs_data_of_northern_ireland_is_one_line(sent):
    assert sent(northern_ireland={"ni_gbeori": "GB123456789012", "ni_description": "Tiles"})["additionalDetails"] == {
        "lines": [
            {
                "fields": [
                    {"fieldName": "ni_company_name", "value": ""},
                    {"fieldName": "ni_description", "value": "Tiles"},
                    {"fieldName": "ni_gbeori", "value": "GB123456789012"},
                    {"fieldName": "ni_tss_job_reference", "value": ""},
                    {"fieldName": "ni_tss_registration", "value": ""},
                ]
            }
        ]
    }
    assert sent(northern_ireland={"ni_gbeori": ""})["additionalDetails"] == {"lines": []}


@pytest.mark.rule("PF-2.1-23")
def test_the_accepted_status_is_left_out_unless_set(sent):
    assert "acceptedStatus" not in sent()
    assert sent(accepted_status="N")["acceptedStatus"] == "N"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("dispatch: {limits: {note: many}}", "dispatch.limits.note"),
        ("dispatch: {dates: {COLD: yesterday}}", "dispatch.dates.COLD"),
        ("dispatch: {spaces_per_type: {F: 0}}", "dispatch.spaces_per_type.F"),
        ("dispatch: {address: {streetAddress: road}}", "dispatch.address.streetAddress"),
        ("dispatch: {defaults: {insuranceCode: '1'}}", "dispatch.defaults.insuranceCode"),
        ("dispatch: {sent_as: {AM: am}}", "dispatch.sent_as.AM"),
        ("dispatch: {surplus: {}}", "unknown key 'surplus'"),
    ],
)
def test_a_template_that_cannot_be_used_is_refused(plan, tmp_path: Path, text, complaint):
    own = tmp_path / "own.yaml"
    own.write_text(text)

    with pytest.raises(FileFault, match=complaint):
        preview(plan, own)
