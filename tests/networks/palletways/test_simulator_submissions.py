"""The Palletways simulator validates and stores submissions as sections 2.2 and 2.7 of the contract say."""

import copy
import json
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pytest
import requests

ADDRESS = {
    "Type": "Delivery", "ContactName": "Goods In", "Telephone": "01632 960001", "CompanyName": "Receiver Ltd",
    "Line": ["1 Road", "Estate"], "Town": "Manchester", "PostCode": "M17 1AB", "Country": "GB",
}  # fmt: skip
CONSIGNMENT = {
    "Type": "D", "Number": "QG123", "ImportID": "A-17", "Reference": "PLF1-1", "Lifts": "2", "Weight": "640.5",
    "Classification": "B2B", "Handball": "no", "TailLift": "yes", "CollectionDate": "2026-07-13",
    "DeliveryDate": "2026-07-14", "Service": [{"Type": "Delivery", "Code": "D", "Surcharge": "PRE"}],
    "Address": [ADDRESS], "BillUnit": [{"Type": "FP", "Amount": "2"}],
}  # fmt: skip
COLLECTION = {
    "Type": "C",
    "CollectionContactName": "Yard",
    "CollectionContactNumber": "01632 960002",
    "CollectionReference": "COL1",
    "Service": [{"Type": "Collection", "Code": "C", "Surcharge": "STD"}],
    "Address": [{**ADDRESS, "Type": "Collection"}],
}
BOTH_WAYS = {
    **COLLECTION,
    "Type": "3",
    "Service": [*CONSIGNMENT["Service"], *COLLECTION["Service"]],
    "Address": [ADDRESS, {**ADDRESS, "Type": "Collection", "PostCode": "BS11 1AB"}],
}


def manifest(*consignments, confirm="yes", account="ACM001", **depot):
    return {
        "Manifest": {
            "Confirm": confirm,
            "Depot": {**depot, "Account": {"Code": account, "Consignment": list(consignments or [CONSIGNMENT])}},
        }
    }


def changed(**changes):
    """A consignment with other values; None leaves a node out; ``Address__Town`` is inside the first address."""
    one = copy.deepcopy(CONSIGNMENT)
    for path, value in changes.items():
        place, *_, name = [one, *path.split("__")]
        for part in path.split("__")[:-1]:
            place = place[part][0]
        place.pop(name, None) if value is None else place.update({name: value})
    return one


def to_xml(tree):
    def written(name, value):
        if isinstance(value, list):
            return "".join(written(name, one) for one in value)
        inner = "".join(written(*item) for item in value.items()) if isinstance(value, dict) else escape(value)
        return f"<{name}>{inner}</{name}>"

    return "".join(written(*item) for item in tree.items())


def submit(sim, tree=None, *, method="createConsignment", commit="yes", form="xml", key=None, **more):
    """The JSON answer to a submission."""
    data = (to_xml if form == "xml" else json.dumps)(manifest() if tree is None else tree)
    params = {"commit": commit, "inputformat": form, "outputformat": "json", "data": data, **more}
    answer = sim.post(method, key=key, **params)
    assert answer.status_code == 200
    return answer.json()


def accepted(sim, tree=None, **more):
    [detail] = submit(sim, tree, **more)["Detail"]["ImportDetail"]
    return detail


def codes(answer):
    assert answer["Status"]["Code"] == "ERROR_VALIDATION"
    [refused] = answer["ValidationErrors"]["Consignment"]
    return {problem["Code"] for problem in refused["Error"]}


# Stored or not


@pytest.mark.rule("PW-2.2-1", "PW-2.2-15")
def test_without_commit_nothing_is_kept(palletways_sim):
    answer = submit(palletways_sim, commit="no")
    assert answer["Status"]["Code"] == "OK"
    assert list(answer["Detail"]) == ["Message"]
    assert submit(palletways_sim, commit="maybe")["Status"]["Code"] == "ERROR_FORMAT_INVALID"
    assert palletways_sim.held() == []


@pytest.mark.rule("PW-2.2-15", "PW-2.2-16", "PW-2.4-2", "PW-3-2")
@pytest.mark.parametrize("form", ["xml", "json"])
def test_a_depots_submission_is_answered_with_response_and_tracking_id(palletways_sim, form):
    detail = accepted(palletways_sim, form=form)
    assert detail["ImportID"] == "A-17"
    assert detail["Information"]
    assert detail["ResponseID"].isdigit()
    assert detail["ResponseID"] != detail["TrackingID"]
    [row] = palletways_sim.data("conStatusById", detail["ResponseID"])
    assert (row["dc_syscon"], row["c_carcon"], row["c_cusref"]) == (detail["TrackingID"], "QG123", "PLF1-1")
    one = palletways_sim.one(detail["TrackingID"])
    shown = one["manifest"]["Depot"]["Account"]["Consignment"][0]
    assert (shown["Number"], shown["Lifts"], shown["Weight"]) == ("QG123-123", "2", "640.50")
    assert (shown["TailLift"], shown["HandBall"], shown["DueDate"]) == ("yes", "no", "2026-07-14")
    assert (shown["CollectionDepot"], shown["DeliveryDepot"]) == ("123", "456")
    assert shown["BillUnit"] == [{"Type": "FP", "Amount": "2"}]
    assert shown["Address"][0]["Line"] == ["1 Road", "Estate"]
    assert len(shown["Pallet"]) == 2
    assert [entry["code"] for entry in one["statuses"]] == [100]


@pytest.mark.rule("PW-2.2-3", "PW-2.2-9")
@pytest.mark.parametrize(
    ("changes", "depots", "code"), [(COLLECTION, ("456", "123"), 30), (BOTH_WAYS, ("457", "456"), 30)]
)
def test_collections_and_third_party_consignments_go_between_other_depots(palletways_sim, changes, depots, code):
    one = palletways_sim.one(accepted(palletways_sim, manifest({**CONSIGNMENT, **changes}))["TrackingID"])
    assert (one["collection_depot"], one["delivery_depot"]) == depots
    assert [entry["code"] for entry in one["statuses"]] == [code]


@pytest.mark.rule("PW-2.2-16", "PW-8-18")
def test_a_customer_has_to_ask_for_the_tracking_id(palletways_sim):
    detail = accepted(palletways_sim, key=palletways_sim.customer_key)
    assert "TrackingID" not in detail
    [row] = palletways_sim.data("conStatusById", detail["ResponseID"], key=palletways_sim.customer_key)
    assert row["dc_syscon"].startswith("600")


@pytest.mark.rule("PW-8-18", "PW-2.4-2", "PW-2.9-4")
def test_the_tracking_id_may_come_late(palletways_sim):
    palletways_sim.switch(tracking_delay_s=90)
    detail = accepted(palletways_sim)
    assert "TrackingID" not in detail
    bridge = ("conStatusById", detail["ResponseID"])
    assert palletways_sim.data(*bridge)[0]["dc_syscon"] == ""
    assert "NO_RESULTS_FOUND" in palletways_sim.call("getLabelsById", detail["ResponseID"]).text
    palletways_sim.advance(89)
    assert palletways_sim.data(*bridge)[0]["dc_syscon"] == ""
    palletways_sim.advance(1)
    assert palletways_sim.data(*bridge)[0]["dc_syscon"].startswith("600")
    assert palletways_sim.call("getLabelsById", detail["ResponseID"]).content.startswith(b"%PDF-")


@pytest.mark.rule("PW-2.2-1", "PW-7.1-8")
def test_what_is_not_confirmed_can_be_confirmed_or_deleted_by_its_customer(palletways_sim):
    key = palletways_sim.customer_key
    kept, dropped = (
        accepted(palletways_sim, manifest(changed(Reference=ref), confirm="no"), key=key)["ResponseID"]
        for ref in ("R1", "R2")
    )
    assert palletways_sim.data("conStatusById", kept, key=key)[0]["dc_syscon"] == ""
    assert palletways_sim.json("deletePCConsignment", dropped, key=key)["Status"]["Code"] == "OK"
    assert palletways_sim.json("conStatusById", dropped, key=key)["Status"]["Code"] == "NO_RESULTS_FOUND"
    assert palletways_sim.json("manifestConsignment", kept, key=key)["Status"]["Code"] == "OK"
    assert palletways_sim.data("conStatusById", kept, key=key)[0]["dc_syscon"].startswith("600")
    for method in ("deletePCConsignment", "manifestConsignment"):
        assert palletways_sim.json(method, kept, key=key)["Status"]["Code"] == "ERROR_ALREADY_CONFIRMED"
    assert [one["reference"] for one in palletways_sim.held()] == ["R1"]


@pytest.mark.rule("PW-2.2-2", "PW-2.2-4")
def test_a_manifest_may_hold_several_consignments_even_of_one_number(palletways_sim):
    details = submit(palletways_sim, manifest(changed(ImportID="1"), changed(ImportID="2", Reference="PLF2-1")))
    assert [detail["ImportID"] for detail in details["Detail"]["ImportDetail"]] == ["1", "2"]
    assert len(palletways_sim.data("conStatusByConNo", "QG123")) == 2


# What is refused


@pytest.mark.rule("PW-1.3-10")
@pytest.mark.parametrize(
    "data",
    ["", "no xml", "<Manifest>", "<Other><Depot/></Other>", "<Manifest>text</Manifest>",
     '<!DOCTYPE a [<!ENTITY b "c">]><Manifest><Confirm>&b;</Confirm></Manifest>', '{"Manifest": {}}'],
)  # fmt: skip
def test_data_that_is_not_in_the_stated_format(palletways_sim, data):
    answer = palletways_sim.post("createConsignment", commit="yes", inputformat="xml", outputformat="json", data=data)
    assert answer.json()["Status"]["Code"] == "ERROR_FORMAT_INVALID"
    for form in ("json", "csv", ""):
        answer = submit(palletways_sim, **{"form": "xml", "inputformat": form})
        assert answer["Status"]["Code"] == "ERROR_FORMAT_INVALID"


@pytest.mark.rule("PW-2.2-2", "PW-2.2-3", "PW-2.2-4", "PW-2.2-5", "PW-2.2-11", "PW-2.2-12", "PW-2.2-13", "PW-2.2-17")
@pytest.mark.parametrize(
    ("path", "code"),
    [
        *((name, f"CONSIGNMENT_{name.upper()}") for name in
          ("Type", "Number", "Lifts", "Weight", "Classification", "Service", "Address", "BillUnit")),
        *((f"Address__{name}", f"ADDRESS_{name.upper()}") for name in
          ("Type", "ContactName", "Telephone", "CompanyName", "Line", "Town", "PostCode")),
        *((f"Service__{name}", f"SERVICE_{name.upper()}") for name in ("Type", "Code", "Surcharge")),
        *((f"BillUnit__{name}", f"BILLUNIT_{name.upper()}") for name in ("Type", "Amount")),
    ],
)  # fmt: skip
def test_what_is_mandatory(palletways_sim, path, code):
    for missing in (None, ""):
        assert f"ERROR_{code}_MANDATORY" in codes(submit(palletways_sim, manifest(changed(**{path: missing}))))
    assert palletways_sim.held() == []


@pytest.mark.rule("PW-2.2-10", "PW-2.2-2", "PW-2.2-4", "PW-2.2-6", "PW-2.2-14")
def test_what_may_be_left_out_and_what_may_be_added(palletways_sim):
    bare = {name: CONSIGNMENT[name] for name in
            ("Type", "Number", "Lifts", "Weight", "Classification", "Service", "Address", "BillUnit")}  # fmt: skip
    assert accepted(palletways_sim, manifest(bare))
    full = changed(
        ManifestNote="Rear gate",
        DeliveryAddressContactName="Goods In",
        DeliveryAddressContactNumber="01632 960001",
        NotificationSet={"SysGroup": ["1", "3"], "SMSNumber": "01632 960001", "Email": "goodsin@example.com"},
        Product={"LineNo": "1", "Description": "Parts", "Quantity": "6", "Code": "HX"},
        Address__Fax="01632 960003",
        Address__County="Lancashire",
    )
    tree = manifest(full)
    tree["Manifest"] |= {"Date": "2026-07-13", "Time": "10:30:00"}
    assert accepted(palletways_sim, tree)


@pytest.mark.rule(
    "PW-2.2-3", "PW-2.2-5", "PW-2.2-6", "PW-2.2-8", "PW-2.2-11", "PW-2.2-12", "PW-2.2-13", "PW-2.2-14", "PW-1.2-6"
)
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Type": "X"}, "CONSIGNMENT_TYPE"),
        ({"Lifts": "0"}, "CONSIGNMENT_LIFTS"),
        ({"Lifts": "two"}, "CONSIGNMENT_LIFTS"),
        ({"Weight": "-3"}, "CONSIGNMENT_WEIGHT"),
        ({"Classification": "B2C"}, "CONSIGNMENT_CLASSIFICATION"),
        ({"Handball": "perhaps"}, "CONSIGNMENT_HANDBALL"),
        ({"CollectionDate": "13/07/2026"}, "CONSIGNMENT_COLLECTIONDATE"),
        ({"DeliveryDate": "2026-02-30"}, "CONSIGNMENT_DELIVERYDATE"),
        ({"DeliveryTime": "10:30"}, "CONSIGNMENT_DELIVERYTIME"),
        ({"Service__Surcharge": "TIM", "DeliveryTime": "18:01"}, "CONSIGNMENT_DELIVERYTIME"),
        ({"Service__Surcharge": "TIM", "DeliveryTime": "07:59"}, "CONSIGNMENT_DELIVERYTIME"),
        ({"Service__Type": "Night"}, "SERVICE_TYPE"),
        ({"Service__Code": "Z"}, "SERVICE_CODE"),
        ({"Service__Surcharge": "STD"}, "SERVICE_SURCHARGE"),
        ({"Address__PostCode": "NOWHERE"}, "ADDRESS_POSTCODE"),
        ({"Address__Country": "England"}, "ADDRESS_COUNTRY"),
        ({"Address__Line": ["1", "2", "3", "4", "5", "6"]}, "ADDRESS_LINE"),
        ({"Address": [ADDRESS, ADDRESS]}, "ADDRESS_TYPE"),
        ({"Address": [ADDRESS, {**ADDRESS, "Type": "Collection"}, ADDRESS]}, "CONSIGNMENT_ADDRESS"),
        ({"BillUnit__Amount": "-3"}, "BILLUNIT_AMOUNT"),
        ({"BillUnit__Amount": "1.5"}, "BILLUNIT_AMOUNT"),
        ({"BillUnit__Type": "FULL"}, "BILLUNIT_TYPE"),
        ({"NotificationSet": {"Email": "nobody"}}, "NOTIFICATIONSET_EMAIL"),
        ({"HandBall": "yes"}, "CONSIGNMENT_HANDBALL"),
        ({"Address__Postcode": "M17 1AB"}, "ADDRESS_POSTCODE"),
    ],
)
def test_what_a_value_may_not_be(palletways_sim, changes, code):
    assert f"ERROR_{code}_VALUE" in codes(submit(palletways_sim, manifest(changed(**changes))))
    assert palletways_sim.held() == []


@pytest.mark.rule("PW-1.2-6")
@pytest.mark.parametrize("word", ["true", "t", "yes", "y", "on", "1", "TRUE", "false", "f", "no", "n", "off", "0"])
def test_booleans_in_every_spelling(palletways_sim, word):
    one = palletways_sim.one(accepted(palletways_sim, manifest(changed(Handball=word)))["TrackingID"])
    shown = one["manifest"]["Depot"]["Account"]["Consignment"][0]["HandBall"]
    assert shown == ("yes" if word.lower() in ("true", "t", "yes", "y", "on", "1") else "no")


@pytest.mark.rule("PW-2.2-8")
@pytest.mark.parametrize("time", ["08:00", "18:00"])
def test_a_timed_delivery_within_the_day(palletways_sim, time):
    changes = {"Service__Surcharge": "TIM", "DeliveryTime": time}
    assert accepted(palletways_sim, manifest(changed(**changes)))


@pytest.mark.rule("PW-2.2-7")
def test_a_book_in_needs_its_four_fields(palletways_sim):
    named = ("BookInContactName", "BookInContactPhone", "BookInContactNote", "BookInInstructions")
    assert codes(submit(palletways_sim, manifest(changed(BookInRequest="yes")))) == {
        f"ERROR_CONSIGNMENT_{name.upper()}_MANDATORY" for name in named
    }
    assert accepted(palletways_sim, manifest(changed(BookInRequest="yes", **dict.fromkeys(named, "x"))))


@pytest.mark.rule("PW-2.2-3", "PW-2.2-9", "PW-2.2-12")
@pytest.mark.parametrize("kind", [COLLECTION, BOTH_WAYS])
def test_a_collection_needs_its_contact_and_each_kind_its_addresses(palletways_sim, kind):
    whole = {**CONSIGNMENT, **kind}
    for name in ("CollectionContactName", "CollectionContactNumber", "CollectionReference"):
        without = {key: value for key, value in whole.items() if key != name}
        assert codes(submit(palletways_sim, manifest(without))) == {f"ERROR_CONSIGNMENT_{name.upper()}_MANDATORY"}
    assert "ERROR_ADDRESS_COLLECTION_MANDATORY" in codes(
        submit(palletways_sim, manifest({**whole, "Address": [ADDRESS]}))
    )
    assert "ERROR_SERVICE_COLLECTION_MANDATORY" in codes(
        submit(palletways_sim, manifest({**whole, "Service": CONSIGNMENT["Service"]}))
    )


@pytest.mark.rule("PW-2.2-17")
def test_one_bad_consignment_refuses_the_whole_manifest(palletways_sim):
    answer = submit(palletways_sim, manifest(changed(ImportID="good"), changed(ImportID="bad", Weight=None, Lifts="x")))
    [refused] = answer["ValidationErrors"]["Consignment"]
    assert (refused["Index"], refused["ImportID"]) == ("2", "bad")
    assert {problem["Code"] for problem in refused["Error"]} == {
        "ERROR_CONSIGNMENT_WEIGHT_MANDATORY",
        "ERROR_CONSIGNMENT_LIFTS_VALUE",
    }
    assert all(problem["Description"] for problem in refused["Error"])
    assert palletways_sim.held() == []
    xml = palletways_sim.post(
        "createConsignment",
        commit="yes",
        inputformat="xml",
        outputformat="xml",
        data=to_xml(manifest(changed(Type="X"))),
    )
    path = "ValidationErrors/Consignment/Error/Code"
    assert ElementTree.fromstring(xml.content).findtext(path) == "ERROR_CONSIGNMENT_TYPE_VALUE"


@pytest.mark.rule("PW-2.2-2", "PW-2.2-17")
def test_the_account_must_be_the_keys_own_and_the_depot_too(palletways_sim):
    def of_account(**more):
        return submit(palletways_sim, **more)["ValidationErrors"]["Account"]["Error"][0]["Code"]

    assert of_account(tree=manifest(account="AIR003")) == "ERROR_ACCOUNT_CODE_VALUE"
    assert of_account(tree=manifest(account="NOBODY")) == "ERROR_ACCOUNT_CODE_VALUE"
    assert of_account(tree=manifest(account="FOX002"), key=palletways_sim.customer_key) == "ERROR_ACCOUNT_CODE_VALUE"
    assert accepted(palletways_sim, manifest(Number="123"))
    answer = submit(palletways_sim, manifest(Number="124"))
    assert answer["ValidationErrors"]["Error"][0]["Code"] == "ERROR_DEPOT_NUMBER_VALUE"
    answer = submit(palletways_sim, {"Manifest": {"Confirm": "yes"}})
    assert answer["ValidationErrors"]["Error"][0]["Code"] == "ERROR_MANIFEST_DEPOT_MANDATORY"
    answer = submit(palletways_sim, manifest(confirm="perhaps"))
    assert answer["ValidationErrors"]["Error"][0]["Code"] == "ERROR_MANIFEST_CONFIRM_VALUE"


# Lost answers


@pytest.mark.rule("PW-8-18", "PW-7.1-6", "PW-7.1-7")
@pytest.mark.parametrize(
    "look",
    [("conStatusByCustRef", "PLF1-1"), ("conStatusByConNo", "QG123"), ("consEntered",), ("consEntered", "2026-07-13")],
)
def test_a_lost_answer_leaves_a_stored_consignment_that_can_be_looked_for(palletways_sim, look):
    palletways_sim.switch(commit_then_drop={"value": "on", "times": 1})
    assert submit(palletways_sim, commit="no")["Status"]["Code"] == "OK"
    with pytest.raises(requests.ConnectionError):
        submit(palletways_sim)
    [row] = palletways_sim.data(*look, portal=True)
    assert (row["c_cusref"], row["c_account"]) == ("PLF1-1", "ACM001")
    assert accepted(palletways_sim)
    assert palletways_sim.violations() == []


@pytest.mark.rule("PW-7.1-7")
def test_sending_again_without_looking_is_noticed(palletways_sim):
    palletways_sim.expect_violations = True
    accepted(palletways_sim)
    palletways_sim.data("conStatusByCustRef", "PLF1-1", portal=True)
    accepted(palletways_sim)
    assert palletways_sim.violations() == []
    accepted(palletways_sim)
    [violation] = palletways_sim.violations()
    assert violation["rule"] == "blind_resend"
    assert palletways_sim.journal()[-1]["number"] == violation["request"]


# createSystemNote (2.7)


def notes(tracking_id, *, header=None, **changes):
    note = {
        "pw_id": tracking_id,
        "note_create_date": "13/07/26",
        "note_create_time": "10:19",
        "free_text": "Site closed",
        "note_group": "JIN",
        "note_type": "GIN",
        **changes,
    }
    heading = {"create_date": "13/07/26", "create_time": "10:20", "orig_filename": "n1.xml", "notes_qty": "1"}
    kept = {name: value for name, value in note.items() if value is not None}
    return {"notes": {"header": heading | (header or {}), "note": [kept]}}


@pytest.mark.rule("PW-2.7-1")
@pytest.mark.parametrize("form", ["xml", "json"])
def test_a_note_is_added_to_its_consignment(palletways_sim, form):
    one = palletways_sim.add()
    assert "Message" in submit(palletways_sim, notes(one), method="createSystemNote", commit="no", form=form)["Detail"]
    assert palletways_sim.one(one)["notes"] == []
    detail = accepted(palletways_sim, notes(one, barcode="B0012A4F10"), method="createSystemNote", form=form)
    [note] = palletways_sim.data("getNotes", "trackingId", one)
    assert note["SysNote"] == detail["ResponseID"]
    assert (note["NoteText"], note["NoteGroup"], note["NoteType"]) == ("Site closed", "JIN", "GIN")
    assert (note["NoteDate"], note["NoteTime"], note["Barcode"]) == ("2026-07-13", "10:19:00", "B0012A4F10")
    assert note["StatusCode"] == "0"


@pytest.mark.rule("PW-2.7-2")
@pytest.mark.parametrize("name", ["pw_id", "note_create_date", "note_create_time", "note_group", "note_type"])
def test_what_a_note_must_have(palletways_sim, name):
    answer = submit(palletways_sim, notes(palletways_sim.add(), **{name: None}), method="createSystemNote")
    assert codes(answer) == {f"ERROR_NOTE_{name.upper()}_MANDATORY"}


@pytest.mark.rule("PW-2.7-1", "PW-2.7-2", "PW-1.2-13")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"pw_id": "60099999999"}, "NOTE_PW_ID"),
        ({"note_create_date": "2026-07-13"}, "NOTE_NOTE_CREATE_DATE"),
        ({"note_create_time": "10:19:00"}, "NOTE_NOTE_CREATE_TIME"),
        ({"text": "Site closed"}, "NOTE_TEXT"),
    ],
)
def test_what_a_note_may_not_say(palletways_sim, changes, code):
    answer = submit(palletways_sim, notes(palletways_sim.add(), **changes), method="createSystemNote")
    assert codes(answer) == {f"ERROR_{code}_VALUE"}


@pytest.mark.rule("PW-2.7-1")
@pytest.mark.parametrize(
    ("header", "code"),
    [({"notes_qty": "2"}, "HEADER_NOTES_QTY_VALUE"), ({"create_date": "2026-07-13"}, "HEADER_CREATE_DATE_VALUE")],
)
def test_the_header_must_be_right(palletways_sim, header, code):
    answer = submit(palletways_sim, notes(palletways_sim.add(), header=header), method="createSystemNote")
    assert [problem["Code"] for problem in answer["ValidationErrors"]["Error"]] == [f"ERROR_{code}"]


@pytest.mark.rule("PW-2.7-4", "PW-8-18")
def test_the_same_note_twice_is_noticed(palletways_sim):
    palletways_sim.expect_violations = True
    one = palletways_sim.add()
    palletways_sim.switch(commit_then_drop={"createSystemNote": {"value": True, "times": 1}})
    with pytest.raises(requests.ConnectionError):
        submit(palletways_sim, notes(one), method="createSystemNote")
    assert len(palletways_sim.data("getNotes", "trackingId", one)) == 1
    submit(palletways_sim, notes(one, free_text="Another"), method="createSystemNote")
    assert palletways_sim.violations() == []
    submit(palletways_sim, notes(one), method="createSystemNote")
    assert [violation["rule"] for violation in palletways_sim.violations()] == ["note_twice"]
