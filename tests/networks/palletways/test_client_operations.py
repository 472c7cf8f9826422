"""The operations of Palletways, against the simulator (contract 2)."""

from datetime import date, datetime, timedelta
from urllib.parse import unquote

import pytest
from tests.networks.nexus.answering import answered
from tests.networks.palletways.clients import NOT_AVAILABLE, NOTHING, OWNER, client_of, clock, data, serve, sim_client
from tests.networks.palletways.simulated import START

from palletflow.network_errors import NotFound, Rejected, Unstable
from palletflow.networks.palletways import tree
from palletflow.networks.palletways.errors import (
    AnswerRefused,
    LabelNotReady,
    MethodRefused,
    MethodUnavailable,
    NoSuchConsignment,
    SubmissionUnclear,
    UnreadableAnswer,
    ValidationRefused,
)

__all__ = ["client_of", "clock", "serve", "sim_client"]
FORMATS = pytest.mark.parametrize("output_format", ["xml", "json"])
TID = "60000000017"


def manifest(number="QG0000123", *, confirm="yes", reference="PLF1-1", lifts="2", account="ACM001"):
    """A good one, with synthetic parties."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Manifest><Confirm>{confirm}</Confirm><Depot><Account><Code>{account}</Code><Consignment>
<Type>D</Type><Number>{number}</Number><ImportID>A-17</ImportID><Reference>{reference}</Reference><Lifts>{lifts}</Lifts>
<Weight>640.50</Weight><Classification>B2B</Classification><CollectionDate>2026-07-13</CollectionDate>
<DeliveryDate>2026-07-14</DeliveryDate><Service><Type>Delivery</Type><Code>D</Code><Surcharge>PRE</Surcharge></Service>
<Address><Type>Delivery</Type><ContactName>Goods In</ContactName><Telephone>01632 960001</Telephone>
<CompanyName>Café Receiver &amp; Söhne</CompanyName><Line>1 Road</Line><Town>Manchester</Town>
<PostCode>M17 1AB</PostCode></Address><BillUnit><Type>FP</Type><Amount>2</Amount></BillUnit>
</Consignment></Account></Depot></Manifest>"""


def notes(tracking_id):
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<notes><header><create_date>13/07/26</create_date><create_time>10:30</create_time><orig_filename>n1.xml</orig_filename>
<notes_qty>1</notes_qty></header><note><pw_id>{tracking_id}</pw_id><note_create_date>13/07/26</note_create_date>
<note_create_time>10:29</note_create_time><free_text>Site closed</free_text><note_group>JIN</note_group>
<note_type>GIN</note_type></note></notes>"""


@pytest.fixture(params=["xml", "json"])
def client(request, sim_client):
    """Through both formats."""
    return sim_client(output_format=request.param)


# Our key


@pytest.mark.rule("PW-2.1-1")
def test_a_key_of_the_connections_own_depot_is_good(client):
    assert client.check() == ""


@pytest.mark.rule("PW-2.1-2")
def test_another_depot_than_the_login_is_a_warning(palletways_sim, sim_client, caplog):
    client = sim_client("124", key=palletways_sim.keys["123"])
    assert client.check() == "the key belongs to depot 123, and the connection's Login says 124"
    assert "palletways_124: the key belongs to depot 123" in caplog.text


@pytest.mark.rule("PW-2.1-2")
def test_a_key_that_does_not_say_its_depot_is_no_warning(serve, client_of, caplog):
    client = client_of(serve(answered(200, data({"UserName": "demo.user"}))).root)
    assert client.check() == ""
    assert "belongs to depot" not in caplog.text


# Reading


@pytest.mark.rule("PW-1.2-11", "PW-1.3-3", "PW-2.3-1")
@pytest.mark.parametrize("wrapper", ["on", "off"])
@pytest.mark.parametrize("single_as", ["array", "object"])
@pytest.mark.parametrize("wrong_content_type", ["on", "off"])
def test_the_manifest_of_a_consignment(palletways_sim, client, wrapper, single_as, wrong_content_type):
    tracking_id = palletways_sim.add(lifts=2)
    palletways_sim.switch(wrapper=wrapper, single_as=single_as, wrong_content_type=wrong_content_type)

    found = client.consignment(tracking_id)

    [consignment] = tree.trees(found, "Depot", "Account", "Consignment")
    assert tree.text(found, "Depot", "Number") == "123"
    assert tree.text(consignment, "TrackingID") == tracking_id
    assert len(tree.nodes(consignment, "Pallet")) == 2
    assert {tree.text(address, "Type") for address in tree.trees(consignment, "Address")} >= {"Delivery"}


@pytest.mark.rule("PW-1.3-9")
def test_a_consignment_that_the_key_does_not_see(client):
    assert client.consignment("60000999999") is None


@pytest.mark.parametrize(
    "wrong", [{"Manifest": {"Depot": {"Account": {"Consignment": {"TrackingID": "60000000099"}}}}}]
)
def test_another_consignment_than_the_one_asked_for_is_no_answer(serve, client_of, wrong):
    client = client_of(serve(answered(200, data(wrong))).root)
    with pytest.raises(UnreadableAnswer, match="it shows 60000000099 for 60000000017"):
        client.consignment(TID)


@pytest.mark.rule("PW-2.4-1", "PW-2.4-2")
def test_basic_data_by_number_and_reference(palletways_sim, client):
    tracking_id = palletways_sim.add(number="QG0000123", reference="PO-88")
    for found in (client.basics_by_number("QG0000123"), client.basics_by_reference("PO-88")):
        [one] = found
        assert (one["dc_syscon"], one["c_carcon"], one["c_cusref"]) == (tracking_id, "QG0000123", "PO-88")
    assert client.basics_by_reference("PO-89") == []


@pytest.mark.rule("PW-2.4-2")
def test_the_bridge_from_response_id_to_tracking_id(palletways_sim, sim_client):
    palletways_sim.switch(tracking_delay_s=300)
    client = sim_client()
    response_id = tree.text(client.create(manifest(), commit=True), "ImportDetail", "ResponseID")

    [early] = client.basics_by_response_id(response_id)
    palletways_sim.advance(301)
    [late] = client.basics_by_response_id(response_id)

    assert tree.text(early, "dc_syscon") == ""
    assert tree.text(late, "dc_syscon").startswith("600")


@pytest.mark.rule("PW-2.4-4")
def test_what_was_entered_on_a_day(palletways_sim, client):
    tracking_id = palletways_sim.add()
    today = START.date()
    assert [one["dc_syscon"] for one in client.entered(today)] == [tracking_id]
    assert client.entered(today - timedelta(days=1)) == []
    assert palletways_sim.journal("consEntered")[-1]["arguments"] == [str(today - timedelta(days=1))]


# Status


@pytest.mark.rule("PW-2.5-1")
def test_the_status_of_a_consignment(palletways_sim, client):
    tracking_id = palletways_sim.add()
    palletways_sim.status(tracking_id, 800)
    assert (client.dynamic_status(tracking_id) or {})["StatusCode"] == "800"
    assert [call["method"] for call in palletways_sim.journal()] == ["getDynConStatus"]


@pytest.mark.rule("PW-2.4-3")
def test_the_form_of_2017_comes_as_data(palletways_sim, sim_client):
    tracking_id = palletways_sim.add()
    palletways_sim.status(tracking_id, 900, note=False)
    palletways_sim.note(tracking_id, NoteText="Left at gate")
    palletways_sim.switch(status_shape="legacy")
    found = sim_client(output_format="json", status_methods="conStatusByTrackingId@api2").dynamic_status(tracking_id)
    assert tree.text(found, "status") == "JOB COMPLETE"
    assert "Left at gate" in tree.nodes(found, "notes")


def by_path(server, pairs):
    """Makes a server answer by the method that is asked for."""
    server._answer = lambda request: (
        server.all_requests.append(request)
        or next((answer for method, answer in pairs.items() if f"/{method}/" in request.path), answered(200, OWNER))
    )
    return server


@pytest.mark.rule("PW-2.5-3")
@pytest.mark.parametrize("refusal", [NOT_AVAILABLE, "The API key provided is not authorised to use the requested API."])
def test_a_status_is_asked_for_by_the_next_method_when_one_is_closed(serve, client_of, refusal):
    ours, other = {"TrackingID": TID, "StatusCode": "700"}, {"TrackingID": "60000000099", "StatusCode": "900"}
    basics = {"dc_syscon": TID, "status": "700"}

    def client(by_number):
        pairs = {
            "getDynConStatus": answered(200, refusal),
            "getDynConStatusByConNo": by_number,
            "conStatusByTrackingId": answered(200, data(basics)),
        }
        return client_of(by_path(serve(), pairs).root)

    assert client(answered(200, data(ours))).dynamic_status(TID, "100045") == ours
    # A number is not unique: another's status is never ours.
    assert client(answered(200, data(other))).dynamic_status(TID, "100045") == basics
    assert client(answered(200, data({"StatusCode": "900"}))).dynamic_status(TID, "100045") == basics
    assert client(answered(200, data(other, ours))).dynamic_status(TID, "100045") == ours
    assert client(answered(200, NOTHING)).dynamic_status(TID, "100045") == basics
    assert client(answered(200, data(other))).dynamic_status(TID) == basics


@pytest.mark.rule("PW-2.5-3")
def test_the_order_of_the_methods_is_the_connections(serve, client_of):
    server = by_path(serve(), {"conStatusByTrackingId": answered(200, data({"status": "700"}))})
    client = client_of(server.root, status_methods="conStatusByTrackingId@portal, getDynConStatus@portal")
    client.dynamic_status(TID, "100045")
    [request] = server.requests
    assert request.path.startswith("/api/conStatusByTrackingId/")


def test_no_open_method_for_statuses_is_said(serve, client_of):
    with pytest.raises(MethodUnavailable, match="getDynConStatus at portal"):
        client_of(serve(answered(200, NOT_AVAILABLE)).root).dynamic_status(TID, "100045")


# Notes


@pytest.mark.rule("PW-2.6-1")
def test_notes_by_consignment_by_moment_and_by_time(palletways_sim, client):
    tracking_id, other = palletways_sim.add(), palletways_sim.add()
    first = palletways_sim.note(tracking_id, NoteText="Left")
    palletways_sim.advance(3600)
    second = palletways_sim.note(other, NoteText="Arrived", PodSignature="SAMPLE", PodDate="2026-07-13")

    assert [note["SysNote"] for note in client.notes_of(tracking_id)] == [str(first["sys_note"])]
    [note] = client.notes_since(second["delta"])
    assert (note["TrackingID"], note["PodSignature"]) == (other, "SAMPLE")
    assert len(client.notes_since(first["delta"])) == 2
    assert len(client.notes_between(START, START + timedelta(hours=1))) == 2
    assert [note["NoteText"] for note in client.notes_between(START, START + timedelta(minutes=59))] == ["Left"]


@pytest.mark.rule("PW-1.2-13", "PW-1.2-14", "PW-2.6-1")
def test_a_time_is_asked_for_in_the_networks_own_zone(serve, client_of):
    server = serve(answered(200, data()))
    client_of(server.root).notes_between(START, START + timedelta(hours=6))
    path = server.requests[0].path.partition("?")[0]
    # 09:30 and 15:30 UTC, in British summer.
    assert path == "/getNotes/dateRange/2026-07-13/10%3A30%3A00/2026-07-13/16%3A30%3A00"


@pytest.mark.rule("PW-1.2-14", "PW-2.6-7")
@pytest.mark.parametrize(
    ("start", "end", "asked"),
    [
        # On 25 October the times from 01:00 to 02:00 come twice, the first time until 01:00 UTC.
        ("2026-10-25T00:50Z", "2026-10-25T01:10Z", ["2026-10-25", "00:50:00", "2026-10-25", "02:10:00"]),
        ("2026-10-24T19:10Z", "2026-10-25T01:10Z", ["2026-10-24", "19:10:00", "2026-10-25", "02:10:00"]),
        ("2026-10-25T01:10Z", "2026-10-25T07:10Z", ["2026-10-25", "01:10:00", "2026-10-25", "07:10:00"]),
        ("2026-03-29T00:30Z", "2026-03-29T06:30Z", ["2026-03-29", "00:30:00", "2026-03-29", "07:30:00"]),
    ],
)
def test_no_note_of_the_hour_that_comes_twice_is_left_out(serve, client_of, start, end, asked):
    server = serve(answered(200, data()))
    client_of(server.root).notes_between(datetime.fromisoformat(start), datetime.fromisoformat(end))
    assert unquote(server.requests[0].path.partition("?")[0]).split("/")[3:] == asked


# Photos


@pytest.mark.rule("PW-2.8-1")
def test_photos_come_as_they_are(palletways_sim, sim_client):
    tracking_id = palletways_sim.add()
    palletways_sim.status(tracking_id, 900)
    client = sim_client()
    assert client.photos(tracking_id) is None
    palletways_sim.photo(tracking_id, after_s=0)
    assert client.photos(tracking_id).startswith(b"%PDF-")
    assert client.photos(tracking_id, "getPodByTrackingId@api2").startswith(b"%PDF-")


@pytest.mark.rule("PW-1.3-2", "PW-1.3-3", "PW-1.3-4")
@pytest.mark.parametrize(
    ("answer", "begins"),
    [("pdf", b"%PDF-"), ("jpeg", b"\xff\xd8\xff"), ("zip", b"PK"), ("sentence", None), ("xml", None), ("json", None)],
)
def test_whatever_else_photos_are_answered_with(palletways_sim, sim_client, answer, begins):
    tracking_id = palletways_sim.add()
    palletways_sim.status(tracking_id, 900)
    palletways_sim.photo(tracking_id, after_s=0)
    palletways_sim.switch(photo_answer=answer)
    found = sim_client().photos(tracking_id)
    assert (found and found[: len(begins or b"")]) == begins


@pytest.mark.rule("PW-1.3-4")
@pytest.mark.parametrize("answer", ["html", "empty"])
def test_photos_answered_with_nothing_that_we_know_are_unreadable(palletways_sim, sim_client, answer):
    tracking_id = palletways_sim.add()
    palletways_sim.status(tracking_id, 900)
    palletways_sim.photo(tracking_id, after_s=0)
    palletways_sim.switch(photo_answer=answer)
    with pytest.raises(UnreadableAnswer, match="unreadable_answer"):
        sim_client().photos(tracking_id)


@pytest.mark.rule("PW-2.8-2")
def test_the_other_spelling_is_tried_once_and_then_remembered(palletways_sim, sim_client):
    tracking_id = palletways_sim.add()
    palletways_sim.status(tracking_id, 900)
    palletways_sim.photo(tracking_id, after_s=0)
    palletways_sim.switch(podimages_name="rpodimages")
    client = sim_client()
    for _ in range(2):
        assert client.photos(tracking_id).startswith(b"%PDF-")
    assert [call["method"] for call in palletways_sim.journal()] == ["podimages", "rpodimages", "rpodimages"]


@pytest.mark.rule("PW-2.8-2")
def test_the_other_spelling_is_not_tried_for_anything_else(palletways_sim, sim_client):
    tracking_id = palletways_sim.add()
    assert sim_client().photos(tracking_id) is None
    assert [call["method"] for call in palletways_sim.journal()] == ["podimages"]


@pytest.mark.rule("PW-1.3-5", "PW-1.3-7", "PW-2.8-4")
@pytest.mark.parametrize(("closed", "error"), [("not_available", MethodUnavailable), ("not_authorised", MethodRefused)])
def test_a_photo_method_that_is_closed_is_said_and_another_one_works(palletways_sim, sim_client, closed, error):
    tracking_id = palletways_sim.add()
    palletways_sim.status(tracking_id, 900)
    palletways_sim.photo(tracking_id, after_s=0)
    palletways_sim.switch(podimages_open=closed)
    client = sim_client()
    with pytest.raises(error):
        client.photos(tracking_id)
    calls = len(palletways_sim.journal())
    with pytest.raises(error):
        client.photos(tracking_id)
    assert len(palletways_sim.journal()) == calls
    assert client.photos(tracking_id, "getPodByTrackingId@api2").startswith(b"%PDF-")


@pytest.mark.rule("PW-2.8-3", "PW-1.1-5")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("podimages@portal", "/api/podimages/"),
        ("getPodByTrackingId@api2", "/getPodByTrackingId/"),
        ("getPodByTrackingId@portal", "/api/getPodByTrackingId/"),
    ],
)
def test_a_photo_method_names_its_host(serve, client_of, method, path):
    server = serve(answered(200, b"%PDF-1.4"))
    client = client_of(server.root)
    client.photos(TID, method)
    assert server.requests[0].path.startswith(path + TID)
    assert client.shown_url(method, TID) == f"{server.root}{path}{TID}?apikey=***"


# Labels


@pytest.mark.rule("PW-2.9-1")
def test_labels_by_tracking_id_and_by_response_id(palletways_sim, sim_client):
    client = sim_client()
    detail = client.create(manifest(), commit=True)
    tracking_id, response_id = (tree.text(detail, "ImportDetail", name) for name in ("TrackingID", "ResponseID"))
    assert client.label(tracking_id=tracking_id).startswith(b"%PDF-")
    assert client.label(response_id=response_id).startswith(b"%PDF-")
    assert [call["method"] for call in palletways_sim.journal()[1:]] == ["getLabelsByTID", "getLabelsById"]


@pytest.mark.rule("PW-2.9-1", "PW-2.9-2")
@pytest.mark.parametrize(
    ("degrees", "path"), [(None, f"/getLabelsByTID/{TID}"), (90, f"/getLabelsByTID/{TID}/degrees/90")]
)
def test_a_label_is_turned_only_when_asked(serve, client_of, degrees, path):
    server = serve(answered(200, b"%PDF-1.4"))
    client_of(server.root).label(tracking_id=TID, degrees=degrees)
    assert server.requests[0].path.partition("?")[0] == path


@pytest.mark.rule("PW-2.9-4")
def test_no_label_yet(client):
    with pytest.raises(LabelNotReady) as told:
        client.label(tracking_id="60000999999")
    assert isinstance(told.value, Unstable)


@pytest.mark.rule("PW-1.3-2")
def test_an_image_is_no_label(serve, client_of):
    with pytest.raises(UnreadableAnswer, match="is no PDF"):
        client_of(serve(answered(200, b"\xff\xd8\xff\xe0")).root).label(tracking_id=TID)


# Submitting


@pytest.mark.rule("PW-1.2-4", "PW-1.2-5", "PW-2.2-1", "PW-2.2-15")
@pytest.mark.parametrize("style", ["form", "query", "multipart"])
@FORMATS
def test_a_manifest_is_checked_and_then_stored(palletways_sim, sim_client, style, output_format):
    client = sim_client(submit_style=style, output_format=output_format)
    assert tree.text(client.create(manifest(), commit=False), "Message")
    assert palletways_sim.held(number="QG0000123") == []

    detail = client.create(manifest(), commit=True)

    [held] = palletways_sim.held(number="QG0000123")
    assert tree.text(detail, "ImportDetail", "ImportID") == "A-17"
    assert tree.text(detail, "ImportDetail", "ResponseID") == held["response_id"]
    company = tree.text(
        client.consignment(held["tracking_id"]), "Depot", "Account", "Consignment", "Address", "CompanyName"
    )
    assert company == "Café Receiver & Söhne"


@pytest.mark.rule("PW-1.3-11", "PW-2.2-17", "PW-2.2-18")
@pytest.mark.parametrize("commit", [True, False])
def test_a_refused_manifest_says_what_is_wrong(palletways_sim, client, commit):
    with pytest.raises(ValidationRefused, match="ERROR_") as told:
        client.create(manifest(lifts=""), commit=commit)
    [error] = told.value.errors
    assert error.index == 1
    assert error.code.endswith("_MANDATORY")
    assert palletways_sim.held(number="QG0000123") == []


@pytest.mark.rule("PW-2.2-17")
def test_an_account_that_does_not_exist(palletways_sim, client):
    with pytest.raises(ValidationRefused) as told:
        client.create(manifest(account="NOB000"), commit=True)
    assert told.value.errors
    assert isinstance(told.value, Rejected)


@pytest.mark.rule("PW-1.3-10")
def test_what_is_no_manifest(palletways_sim, client):
    with pytest.raises(AnswerRefused, match="ERROR_FORMAT_INVALID"):
        client.create("<Manifest>", commit=True)


@pytest.mark.rule("PW-1.4-10", "PW-8-18")
def test_stored_and_the_reply_lost(palletways_sim, sim_client):
    palletways_sim.switch(commit_then_drop="on")
    client = sim_client()
    with pytest.raises(SubmissionUnclear):
        client.create(manifest(), commit=True)
    assert len(palletways_sim.journal("createConsignment")) == 1
    palletways_sim.switch(commit_then_drop="off")
    [found] = client.basics_by_reference("PLF1-1")
    assert found["c_carcon"] == "QG0000123"


@pytest.mark.rule("PW-2.7-1")
def test_notes_of_ours(palletways_sim, client):
    tracking_id = palletways_sim.add()
    client.create_note(notes(tracking_id))
    assert [note["NoteText"] for note in client.notes_of(tracking_id)] == ["Site closed"]


@pytest.mark.rule("PW-1.1-8", "PW-7.1-8")
def test_an_outstanding_submission_is_released_or_deleted_with_a_customer_key(palletways_sim, sim_client):
    client = sim_client(key=palletways_sim.customer_key, key_kind="customer")
    stored = [
        tree.text(
            client.create(manifest(f"QG000012{n}", confirm="no", reference=f"PLF1-{n}"), commit=True),
            "ImportDetail",
            "ResponseID",
        )
        for n in (1, 2)
    ]
    client.confirm(stored[0])
    client.delete(stored[1])
    assert [one["number"] for one in palletways_sim.held()] == ["QG0000121"]
    with pytest.raises((NoSuchConsignment, AnswerRefused)) as told:
        client.delete(stored[1])
    assert isinstance(told.value, NotFound | Rejected)


@pytest.mark.rule("PW-1.1-8")
def test_a_depot_key_is_not_even_tried_for_that(palletways_sim, sim_client):
    client = sim_client()
    for change in (client.confirm, client.delete):
        with pytest.raises(MethodRefused, match="needs a customer key"):
            change("4000123")
    assert palletways_sim.journal() == []


@pytest.mark.rule("PW-1.1-8", "PW-1.3-7")
def test_a_key_that_is_called_a_customers_and_is_a_depots(palletways_sim, sim_client):
    with pytest.raises(MethodRefused, match="deletePCConsignment at api2"):
        sim_client(key_kind="customer").delete("4000123")


@pytest.mark.rule("PW-1.2-13")
def test_a_day_is_written_as_the_network_writes_it(serve, client_of):
    server = serve(answered(200, data()))
    client_of(server.root).entered(date(2026, 7, 3))
    assert server.requests[0].path.startswith("/consEntered/2026-07-03?")


@pytest.mark.rule("PW-1.1-11", "PW-1.1-12", "PW-8-17")
def test_the_simulators_key_arrives_whole(palletways_sim, sim_client):
    assert set("+,$=/") <= set(palletways_sim.keys["123"])
    assert sim_client().check() == ""
