"""The Palletways simulator answers calls as sections 1 to 4 of the contract say."""

import re
from datetime import datetime, timedelta
from xml.etree import ElementTree

import pytest
import requests
from tests.networks.palletways.simulated import START

from palletflow.networks.palletways.simulator import ACCOUNTS, DEPOTS, KEYS
from palletflow.networks.palletways.simulator.consignment import STATUS_NAMES

NOT_AVAILABLE = "The requested API is not available."
NO_KEY = "API Key not specified."
NOT_AUTHORISED = "The API key provided is not authorised to use the requested API."
NO_POD = "ERROR: POD not found for this ID."


def said(answer):
    """The sentence of an answer, which comes inside HTTP 200."""
    assert answer.status_code == 200
    return answer.text.strip()


def tracked(rows):
    return [row["dc_syscon"] for row in rows]


# Hosts, methods, keys (1.1, 1.3, 2.0)


@pytest.mark.rule("PW-2.0-1", "PW-1.1-3", "PW-1.3-5")
@pytest.mark.parametrize(
    ("methods", "api2", "portal"),
    [
        ("keytest conStatusByTrackingId conStatusById conStatusByConNo getDynConStatusByConNo getPodByTrackingId "
         "getLabelsByTID getLabelsById consEntered", True, True),
        ("createConsignment getConsignment getNotes createSystemNote manifestConsignment deletePCConsignment",
         True, False),
        ("conStatusByCustRef getDynConStatus podimages", False, True),
        ("listConsignments uploadPodImage", False, False),
    ],
)  # fmt: skip
def test_a_method_is_on_the_hosts_that_the_table_names(palletways_sim, methods, api2, portal):
    for method in methods.split():
        assert (said(palletways_sim.call(method)) != NOT_AVAILABLE) is api2, method
        assert (said(palletways_sim.call(method, portal=True)) != NOT_AVAILABLE) is portal, method


@pytest.mark.rule("PW-1.1-1", "PW-1.1-2", "PW-1.1-4", "PW-1.1-5", "PW-2.1-1")
def test_a_call_is_a_method_in_any_case_with_arguments_in_the_path(palletways_sim):
    number = palletways_sim.add(number="A/1 B")
    assert tracked(palletways_sim.data("CONSTATUSBYCONNO", "A/1 B")) == [number]
    assert palletways_sim.data("KeyTest", portal=True) == [
        {"UserName": "sim.123", "DepotNo": "123", "DepotName": "Leicester", "Network": "UK"}
    ]


@pytest.mark.rule("PW-1.1-6", "PW-1.2-5")
@pytest.mark.parametrize("style", ["form", "multipart", "query"])
def test_parameters_come_in_the_query_or_in_the_body_of_a_post(palletways_sim, style):
    given = {"apikey": palletways_sim.keys["124"], "outputformat": "json"}
    sent = {
        "form": {"data": given},
        "multipart": {"files": {name: (None, value) for name, value in given.items()}},
        "query": {"params": given},
    }[style]
    answer = requests.post(f"{palletways_sim.api2}keytest", timeout=30, **sent)
    assert answer.json()["Detail"]["Data"][0]["DepotNo"] == "124"


@pytest.mark.rule("PW-1.2-5")
def test_a_raw_body_is_not_read(palletways_sim):
    answer = requests.post(f"{palletways_sim.api2}keytest", data="<apikey>sim</apikey>", timeout=30)
    assert said(answer) == NO_KEY


@pytest.mark.rule("PW-1.1-11", "PW-1.1-12")
def test_a_key_that_is_not_encoded_fails(palletways_sim):
    key = palletways_sim.keys["123"]
    assert {"/", "+", ",", "$", "="} <= set(key)
    assert said(requests.get(f"{palletways_sim.api2}keytest?apikey={key}", timeout=30)) == NOT_AUTHORISED
    assert palletways_sim.json("keytest")["Status"]["Code"] == "OK"


@pytest.mark.rule("PW-1.3-6", "PW-1.3-7", "PW-1.1-8")
def test_missing_wrong_and_refused_keys_are_told_in_sentences(palletways_sim):
    assert said(palletways_sim.call("keytest", key="")) == NO_KEY
    assert said(palletways_sim.call("keytest", key="nobody's")) == NOT_AUTHORISED
    for method in ("manifestConsignment", "deletePCConsignment"):
        assert said(palletways_sim.call(method, "1")) == NOT_AUTHORISED
        assert "NO_RESULTS_FOUND" in palletways_sim.call(method, "1", key=palletways_sim.customer_key).text


@pytest.mark.rule("PW-1.1-9")
def test_every_answer_sets_a_cookie_that_means_nothing(palletways_sim):
    assert "PWSESSION" in palletways_sim.call("keytest").headers["Set-Cookie"]


@pytest.mark.rule("PW-8-5")
def test_a_key_sees_its_depots_consignments_or_its_customers_own(palletways_sim):
    roles = {role: palletways_sim.add(role=role, account="ACM001" if role == "requesting" else "OTH900")
             for role in ("requesting", "collecting", "delivering", "none")}  # fmt: skip
    foxes = palletways_sim.add(account="FOX002")
    leeds = palletways_sim.add(depot="124", role="delivering")

    def seen(key):
        return {
            one
            for one in (*roles.values(), foxes, leeds)
            if palletways_sim.json("getConsignment", one, key=key)["Status"]["Code"] == "OK"
        }

    assert seen(palletways_sim.keys["123"]) == {roles["requesting"], roles["collecting"], roles["delivering"], foxes}
    assert seen(palletways_sim.keys["124"]) == {leeds}
    assert seen(palletways_sim.customer_key) == {roles["requesting"]}
    assert {depot for depot, _ in ((key.depot, key) for key in KEYS.values())} <= set(DEPOTS)
    assert {account.depot for account in ACCOUNTS.values()} <= set(DEPOTS)


# Formats (1.2)


@pytest.mark.rule("PW-1.2-1", "PW-1.2-7", "PW-1.2-11")
@pytest.mark.parametrize("name", ["outputformat", "output"])
def test_xml_comes_declared_and_wrapped_json_bare(palletways_sim, name):
    one = palletways_sim.add(delivery={"company": "Müller & Söhne <Print>"})
    answer = palletways_sim.call("getConsignment", one, **{name: "XML"})
    assert answer.text.startswith('<?xml version="1.0" encoding="UTF-8"?>')
    root = ElementTree.fromstring(answer.content)
    assert root.tag == "Response"
    assert "Müller & Söhne <Print>" in [node.text for node in root.iter("CompanyName")]
    assert list(palletways_sim.json("getConsignment", one, **{name: "json"})) == ["Status", "Detail"]


@pytest.mark.rule("PW-1.2-3", "PW-8-6")
def test_the_servers_own_format_and_wrapper_can_be_switched(palletways_sim):
    assert palletways_sim.call("keytest").headers["Content-Type"] == "application/json"
    palletways_sim.switch(default_format="xml")
    assert palletways_sim.call("keytest", portal=True).text.startswith("<?xml")
    palletways_sim.switch(default_format="json", wrapper="on")
    assert list(palletways_sim.json("keytest")) == ["Response"]
    palletways_sim.switch(wrapper="off")
    root = ElementTree.fromstring(palletways_sim.call("keytest", output="xml").content)
    assert root.tag != "Response"
    assert root.findtext("Status/Code") == "OK"


@pytest.mark.rule("PW-1.2-10", "PW-8-6")
def test_one_of_many_is_a_list_or_an_object(palletways_sim):
    one = palletways_sim.add(bill_units={"FP": 1})
    shown = palletways_sim.data("getConsignment", one)[0]["Manifest"]["Depot"]["Account"]["Consignment"][0]
    assert [len(shown[name]) for name in ("Pallet", "BillUnit", "Service", "Hub", "Address")] == [1, 1, 1, 1, 2]
    palletways_sim.switch(single_as="object")
    shown = palletways_sim.json("getConsignment", one)["Detail"]["Data"]["Manifest"]["Depot"]["Account"]["Consignment"]
    assert shown["BillUnit"] == {"Type": "FP", "Amount": "1"}
    assert len(shown["Address"]) == 2


@pytest.mark.rule("PW-1.2-12", "PW-1.3-9")
def test_nothing_found_is_an_envelope_with_an_empty_node(palletways_sim):
    assert palletways_sim.json("getConsignment", "60099999999") == {
        "Status": {"Code": "NO_RESULTS_FOUND", "Description": "No results found.", "Count": "0"},
        "Detail": {"Data": []},
    }
    answer = palletways_sim.call("getConsignment", "60099999999", output="xml")
    assert "<Detail><Data/></Detail>" in answer.text


@pytest.mark.rule("PW-8-7")
def test_the_content_type_may_be_wrong(palletways_sim):
    one = palletways_sim.add()
    palletways_sim.photo(one)
    palletways_sim.switch(wrong_content_type="on")
    assert palletways_sim.call("keytest", output="xml").headers["Content-Type"].startswith("text/html")
    assert palletways_sim.call("podimages", one, portal=True).headers["Content-Type"].startswith("text/html")
    assert palletways_sim.call("podimages", "1", portal=True).headers["Content-Type"].startswith("text/plain")


# getConsignment and identifiers (2.3, 3)


@pytest.mark.rule("PW-2.3-1", "PW-2.3-2", "PW-1.2-13", "PW-3-3", "PW-3-5")
def test_a_consignment_shows_roles_goods_times_and_parties(palletways_sim):
    one = palletways_sim.add(
        role="delivering",
        number="100045",
        weight=640,
        bill_units={"FP": 2},
        due_date="2026-07-14",
        delivery={"lines": ["1 Road", "Estate"], "postcode": "LE1 1AA"},
    )
    [row] = palletways_sim.data("getConsignment", one)
    manifest = row["Manifest"]
    assert (manifest["Date"], manifest["Time"]) == ("2026-07-13", "10:30")
    account = manifest["Depot"]["Account"]
    shown = account["Consignment"][0]
    requesting, collecting = manifest["Depot"]["Number"], shown["CollectionDepot"]
    assert requesting in DEPOTS
    assert requesting == collecting != shown["DeliveryDepot"] == "123"
    assert (account["Code"], account["Name"]) == ("OTH900", "Trent Valley Castings")
    assert shown["Number"] == f"100045-{requesting}"
    assert (shown["TrackingID"], shown["Lifts"], shown["Weight"]) == (one, "2", "640.00")
    assert (shown["DueDate"], shown["DueTime"]) == ("2026-07-14", "17:00")
    assert len(shown["Pallet"]) == 2
    assert all(re.fullmatch("B[0-9A-F]{9}", barcode) for barcode in shown["Pallet"])
    assert {"HandBall", "TailLift", "ADRGoods", "Insurance", "PaperworkType", "BookedIn", "BookInReference"} <= set(
        shown
    )
    [delivery] = [address for address in shown["Address"] if address["Type"] == "Delivery"]
    assert (delivery["Line"], delivery["Addr1"], delivery["PostCode"]) == (["1 Road", "Estate"], "1 Road", "LE1 1AA")
    assert "StatusCode" not in str(row)
    assert "Pod" not in str(row)


@pytest.mark.rule("PW-3-1")
def test_tracking_ids_are_eleven_digits_from_600_and_unique(palletways_sim):
    taken = palletways_sim.add(tracking_id="60000000018")
    made = palletways_sim.add_many(count=3)
    assert len({taken, *made}) == 4
    assert all(re.fullmatch("600[0-9]{8}", one) for one in made)


# conStatusBy..., consEntered, getDynConStatus (2.4, 2.5)


@pytest.mark.rule("PW-2.4-1")
def test_basic_data_come_by_tracking_id_number_and_reference_in_glossary_names(palletways_sim):
    one = palletways_sim.add(role="delivering", number="100045", reference="PO-88", weight=12.5)
    [row] = palletways_sim.data("conStatusByTrackingId", one)
    depot = palletways_sim.one(one)["depot"]
    assert (row["dc_syscon"], row["c_carcon"], row["c_cusref"]) == (one, "100045", "PO-88")
    assert (row["c_account"], row["for_DepotNumber"], row["dc_weight"]) == ("OTH900", "123", "12.50")
    assert row["i_d-syscardep"] != "123"
    assert row["i_syscardep"] == row["i_pay-syscardep"] == DEPOTS[depot].internal
    assert row["d_shift-asn"] == "2026-07-13"
    assert palletways_sim.data("conStatusByCustRef", "PO-88", portal=True) == [row]
    for spelling in ("100045", f"100045-{depot}", f"{depot}-100045"):
        assert palletways_sim.data("conStatusByConNo", spelling, portal=True) == [row]
    assert "StatusCode" not in row
    assert ElementTree.fromstring(
        palletways_sim.call("conStatusByTrackingId", one, output="xml").content
    ).findtext("Detail/Data/i_d-syscardep") == DEPOTS["123"].internal  # fmt: skip


@pytest.mark.rule("PW-3-3", "PW-2.5-3")
def test_a_number_is_not_unique_and_the_latest_alone_has_a_dynamic_status(palletways_sim):
    first, second = (palletways_sim.add(number="77") for _ in range(2))
    assert tracked(palletways_sim.data("conStatusByConNo", "77")) == [first, second]
    assert [row["TrackingID"] for row in palletways_sim.data("getDynConStatusByConNo", "77")] == [second]


@pytest.mark.rule("PW-2.4-4")
def test_what_was_entered_on_a_day_comes_to_its_depot_or_customer(palletways_sim):
    yesterday = palletways_sim.add(account="ACM001", at=(START - timedelta(days=1)).isoformat())
    acme, fox = palletways_sim.add(account="ACM001"), palletways_sim.add(account="FOX002")
    palletways_sim.add(role="delivering")
    assert tracked(palletways_sim.data("consEntered")) == [acme, fox]
    assert tracked(palletways_sim.data("consEntered", "2026-07-12", portal=True)) == [yesterday]
    assert tracked(palletways_sim.data("consEntered", key=palletways_sim.customer_key)) == [acme]


@pytest.mark.rule("PW-2.5-1", "PW-4.1-1")
@pytest.mark.parametrize(("code", "name"), STATUS_NAMES.items())
def test_the_dynamic_status_has_code_name_and_moment(palletways_sim, code, name):
    one = palletways_sim.add(role="delivering")
    at = START - timedelta(minutes=9)
    palletways_sim.status(one, code, at=at.isoformat())
    [row] = palletways_sim.data("getDynConStatus", one, portal=True)
    assert (row["TrackingID"], row["StatusCode"], row["StatusDescription"]) == (one, str(code), name)
    assert (row["StatusDate"], row["StatusTime"], row["DeliveryDepot"]) == ("2026-07-13", "10:21:00", "123")


@pytest.mark.rule("PW-2.5-2", "PW-2.4-3", "PW-8-7")
def test_a_status_comes_in_other_shapes_too(palletways_sim):
    one = palletways_sim.add()
    palletways_sim.status(one, 800)
    palletways_sim.note(one, NoteText="Gate shut")
    palletways_sim.switch(status_shape="glossary")
    for method, portal in (("getDynConStatus", True), ("conStatusByTrackingId", False)):
        [row] = palletways_sim.data(method, one, portal=portal)
        assert (row["dc_syscon"], row["status_code"]) == (one, "800")
    palletways_sim.switch(status_shape="legacy")
    for method, portal in (("getDynConStatus", True), ("conStatusByTrackingId", False)):
        answer = palletways_sim.json(method, one, portal=portal)
        assert answer == {"status": "OUT FOR DELIVERY", "notes": ["", "Gate shut"]}


@pytest.mark.rule("PW-4.1-2", "PW-4.1-4", "PW-8-19")
def test_a_status_may_be_unknown_or_fall_back_after_delivery(palletways_sim):
    one, other = palletways_sim.add_many(count=2)
    palletways_sim.status(one, 900)

    def codes():
        return [palletways_sim.data("getDynConStatus", tid, portal=True)[0]["StatusCode"] for tid in (one, other)]

    assert codes() == ["900", "100"]
    palletways_sim.switch(status_regress="on")
    assert codes() == ["700", "100"]
    palletways_sim.switch(status_regress="off", unknown_code=901)
    assert codes() == ["901", "901"]


# getNotes (2.6, 4.2)


@pytest.mark.rule("PW-2.6-1", "PW-4.2-1")
def test_notes_come_by_consignment_with_the_proof_of_delivery(palletways_sim):
    one, other = palletways_sim.add(number="5"), palletways_sim.add(number="6")
    palletways_sim.note(one, NoteText="Rang ahead", NoteGroup="BIN", NoteType="BIN")
    palletways_sim.status(one, 900, signatory="A COLE", pod_at=(START - timedelta(minutes=3)).isoformat())
    palletways_sim.status(other, 800)
    first, second = palletways_sim.data("getNotes", "trackingId", one)
    assert (first["NoteText"], first["StatusCode"], first["PodDate"]) == ("Rang ahead", "0", "")
    assert (second["PodDate"], second["PodTime"], second["PodSignature"]) == ("2026-07-13", "10:27:00", "A COLE")
    assert (second["StatusCode"], second["TrackingID"], second["NoteTime"]) == ("900", one, "10:30:00")
    assert int(second["SysNote"]) == int(first["SysNote"]) + 1
    assert palletways_sim.data("getNotes", "conNo", "123-5") == [first, second]
    assert first["ConNo"] == "5-123"
    assert datetime.fromtimestamp(int(first["Delta"]), START.tzinfo) == START


@pytest.mark.rule("PW-2.6-2", "PW-4.2-3")
def test_a_delivery_without_a_note_or_without_pod_data(palletways_sim):
    silent, bare = palletways_sim.add_many(count=2)
    palletways_sim.status(silent, 900, note=False)
    palletways_sim.status(bare, 900, signatory=None)
    assert palletways_sim.json("getNotes", "trackingId", silent)["Status"]["Code"] == "NO_RESULTS_FOUND"
    [note] = palletways_sim.data("getNotes", "trackingId", bare)
    assert (note["StatusCode"], note["PodDate"], note["PodSignature"]) == ("900", "", "")


@pytest.mark.rule("PW-2.6-3", "PW-2.6-4", "PW-8-19")
def test_the_feed_gives_changes_since_an_instant_whose_boundary_can_be_switched(palletways_sim):
    one = palletways_sim.add()
    first = palletways_sim.note(one, NoteText="one")
    palletways_sim.advance(60)
    second = palletways_sim.note(one, NoteText="two")

    def feed(since):
        answer = palletways_sim.json("getNotes", "delta", str(since))
        return [row["NoteText"] for row in answer["Detail"]["Data"]]

    assert feed(first["delta"]) == ["one", "two"]
    assert feed(first["delta"] + 1) == ["two"]
    palletways_sim.switch(delta_boundary="exclusive")
    assert feed(first["delta"]) == ["two"]
    assert feed(second["delta"]) == []
    palletways_sim.advance(60)
    changed = palletways_sim.note(one, NoteText="one, later", sys_note=first["sys_note"])
    assert (changed["sys_note"], changed["delta"]) == (first["sys_note"], second["delta"] + 60)
    assert feed(first["delta"]) == ["two", "one, later"]
    palletways_sim.switch(note_replay="on")
    assert feed(changed["delta"] + 999) == ["two", "one, later"]


@pytest.mark.rule("PW-2.6-5")
def test_the_feed_covers_all_that_the_key_sees(palletways_sim):
    ours, fox = palletways_sim.add(account="ACM001"), palletways_sim.add(account="FOX002")
    for one in (ours, fox, palletways_sim.add(role="none"), palletways_sim.add(depot="124")):
        palletways_sim.note(one, NoteText="x")

    def feed(key):
        return {row["TrackingID"] for row in palletways_sim.data("getNotes", "delta", "0", key=key)}

    assert feed(palletways_sim.keys["123"]) == {ours, fox}
    assert feed(palletways_sim.customer_key) == {ours}


@pytest.mark.rule("PW-2.6-7")
def test_a_range_has_both_its_ends(palletways_sim):
    one = palletways_sim.add()
    for text in ("one", "two", "three"):
        palletways_sim.note(one, NoteText=text)
        palletways_sim.advance(60)
    rows = palletways_sim.data("getNotes", "dateRange", "2026-07-13", "10:30:00", "2026-07-13", "10:31:00")
    assert [row["NoteText"] for row in rows] == ["one", "two"]


@pytest.mark.rule("PW-1.3-10")
@pytest.mark.parametrize(
    "arguments",
    [("delta", "yesterday"), ("delta", "9" * 30), ("dateRange", "2026-07-13", "10:30", "13/07/26", "11:00"), ("all",)],
)
def test_notes_of_no_mode_or_no_time_are_refused(palletways_sim, arguments):
    assert palletways_sim.json("getNotes", *arguments)["Status"]["Code"] == "ERROR_FORMAT_INVALID"
