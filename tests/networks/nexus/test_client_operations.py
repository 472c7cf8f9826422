"""Each operation of the Nexus client against the simulator (contract 2.3 to 2.8)."""

import base64
import io

import pypdf
import pytest
from tests.networks.nexus.answering import answered

from palletflow.documents.media import JPEG, PDF, ZPL, sniff
from palletflow.network_errors import NotFound, Rejected, Unstable
from palletflow.networks.nexus.errors import (
    AddressRefused,
    LabelNotReady,
    NexusConflict,
    NexusNotFound,
    NexusNotOffered,
    NexusProtocolError,
    NexusValidationError,
)
from palletflow.networks.nexus.wire import Attachment

PHOTO = b"\xff\xd8\xff\xe0 a photo of tests"
LABEL = b"%PDF-1.7 a label of tests"
COMMANDS = b"^XA^FDlabel of tests^XZ"


def payload(client, **general):
    """A create that the simulator takes, ids looked up by name."""

    def id_of(lookup, name, field="id"):
        [row] = [row for row in client.lookup(lookup) if row["name"] == name]
        return row[field]

    return {
        "general": {
            "consignmentTypeID": id_of("consignmentTypes", "Domestic"),
            "customerID": "20001",
            "customerReference": "PO-1",
            "consignmentNumber": "QG0000123",
            "descriptionOfGoods": "Parts",
            "limitedQuantities": False,
            "notes": "",
            **general,
        },
        "collectionInfo": {"serviceID": id_of("services", "Standard Collection"), "dueDate": "2026-07-14"},
        "deliveryInfo": {"serviceID": id_of("services", "Economy")},
        "deliveryAddress": {
            "countryID": id_of("countries", "United Kingdom"),
            "name": "Receiver Ltd",
            "line1": "1 Road",
            "town": "Leeds",
            "postcode": "LS1 1AA",
        },
        "pallets": [
            {
                "palletTypeID": id_of("palletTypes", "Full"),
                "palletBaseID": id_of("palletBases", "Standard"),
                "length": 120,
                "width": 120,
                "height": 220,
                "weight": 400,
                "limitedQuantityWeight": 0,
                "doNotStack": False,
            }
        ]
        * 2,
    }


# 2.3 to 2.5


@pytest.mark.rule("NX-2-5", "NX-2-6", "NX-2.4-4", "NX-2.4-17")
def test_a_consignment_is_created_and_read_back(nexus_sim, nexus_client):
    client = nexus_client()

    made = client.create(payload(client))

    assert made["consignmentNumber"] == "QG0000123"
    found = client.get(made["consignmentID"])
    assert found["customerReference"] == "PO-1"
    assert [pallet["barcode"] for pallet in found["pallets"]] == [pallet["barcode"] for pallet in made["pallets"]]
    assert len(nexus_sim.held()) == 1


@pytest.mark.rule("NX-1-3")
def test_what_is_sent_is_json_in_utf_8(serve, client_of):
    server = serve(answered(201, {"consignmentID": 1}))

    client_of(server.url).create({"deliveryAddress": {"name": "Grüße & Söhne"}})

    [request] = server.requests
    assert request.line == "POST /v1/consignments HTTP/1.1"
    assert request.headers["content-type"] == "application/json"
    assert request.raw.decode() == '{"deliveryAddress": {"name": "Grüße & Söhne"}}'


@pytest.mark.rule("NX-1-21", "NX-2.4-4", "NX-11-16")
def test_a_number_in_use_is_a_conflict(nexus_sim, nexus_client):
    client = nexus_client()
    body = payload(client)
    client.create(body)

    with pytest.raises(NexusConflict, match=r"Duplicate: general\.consignmentNumber"):
        client.create(payload(client, customerReference="PO-2"))

    # The client itself never sends a create twice; this test did, and the simulator saw it.
    nexus_sim.expect_violations = True


@pytest.mark.rule("NX-2-6", "NX-11-17")
@pytest.mark.parametrize("fields", [["consignmentID"], ["pallets"], ["consignmentID", "pallets", "status"]])
def test_what_a_reply_lacks_is_for_others_to_miss(nexus_sim, nexus_client, fields):
    nexus_sim.fault("without", "consignments", method="POST", fields=fields)
    client = nexus_client()

    made = client.create(payload(client))

    assert made["consignmentNumber"] == "QG0000123"
    assert not set(fields) & set(made)


@pytest.mark.rule("NX-1-20", "NX-2.3-2")
def test_what_is_not_shown_to_our_user_is_not_found(nexus_sim, nexus_client):
    foreign = nexus_sim.add(depot="UKD101", role="requesting", collectingDepotCode="UKD101", deliveryDepotCode="UKD115")

    for consignment in (foreign, 999_999):
        with pytest.raises(NexusNotFound, match="HTTP 404") as caught:
            nexus_client().get(consignment)
        assert isinstance(caught.value, NotFound)


@pytest.mark.rule("NX-2-7", "NX-2.5-1", "NX-2.5-2", "NX-2.5-3", "NX-11-26")
def test_a_consignment_is_cancelled_until_it_is_collected(nexus_sim, nexus_client):
    booked, collected = nexus_sim.add(role="requesting"), nexus_sim.add(role="requesting")
    nexus_sim.scan(collected, "Collected")
    client = nexus_client()

    client.cancel(booked)
    assert client.get(booked)["status"]["name"] == "Cancelled"
    with pytest.raises(NexusNotFound):
        client.cancel(booked)
    with pytest.raises(NexusConflict):
        client.cancel(collected)


@pytest.mark.rule("NX-2-7")
@pytest.mark.parametrize("answer", [answered(200), answered(204), answered(200, "<html>"), answered(202, {"x": 1})])
def test_a_cancel_has_succeeded_whatever_the_answer_holds(serve, client_of, answer):
    server = serve(answer)

    client_of(server.url).cancel(700001)

    assert server.requests[0].line == "DELETE /v1/consignments/700001 HTTP/1.1"


# 2.6 Labels


@pytest.mark.rule("NX-2-8", "NX-2.6-1", "NX-2.6-2", "NX-2.6-3", "NX-11-20")
@pytest.mark.parametrize(("form", "kind"), [("pdf", PDF), ("zpl", ZPL), ("url", PDF), ("base64", PDF)])
def test_a_label_is_what_its_content_says(nexus_sim, nexus_client, form, kind):
    nexus_sim.control("options", label_form=form)
    consignment = nexus_sim.add(pallets=3)

    label = nexus_client().label(consignment)

    assert sniff(label) == kind
    if kind == PDF:
        assert len(pypdf.PdfReader(io.BytesIO(label)).pages) == 3


@pytest.mark.rule("NX-2.6-4", "NX-11-20")
def test_a_label_that_is_not_ready_says_so(nexus_sim, nexus_client):
    nexus_sim.control("options", label_delay_s=60)
    consignment = nexus_sim.add()
    client = nexus_client()

    with pytest.raises(LabelNotReady, match=f"GET consignments/{consignment}/labels .*HTTP 404") as caught:
        client.label(consignment)
    assert isinstance(caught.value, Unstable)
    nexus_sim.fault("http_409", "consignments/*/labels")
    with pytest.raises(LabelNotReady, match="HTTP 409"):
        client.label(consignment)

    nexus_sim.control("clock", advance_s=60)
    assert client.label(consignment).startswith(b"%PDF")


@pytest.mark.rule("NX-2.6-2", "NX-2.6-3")
@pytest.mark.parametrize(
    ("body", "label"),
    [
        (LABEL, LABEL),
        (COMMANDS, COMMANDS),
        ({"content": base64.b64encode(LABEL).decode()}, LABEL),
        ({"type": "zpl", "pages": 1, "label": base64.b64encode(COMMANDS).decode()}, COMMANDS),
        (f'"{base64.b64encode(LABEL).decode()}"', LABEL),
        ({"Url": "/v1/files/1"}, LABEL),
        ({"url": "files/1", "content": ""}, LABEL),
    ],
)
@pytest.mark.parametrize("media_type", ["application/pdf", "application/json", "text/html"])
def test_the_header_of_a_label_does_not_count(serve, client_of, body, label, media_type):
    server = serve(answered(200, body, Content_Type=media_type), answered(200, LABEL, Content_Type=media_type))

    assert client_of(server.url).label(700001) == label


@pytest.mark.rule("NX-2.6-5", "NX-11-20")
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the answer is empty"),
        (b" \n", "the answer is empty"),
        ("<html>label</html>", "neither PDF nor ZPL nor JSON"),
        (PHOTO, "neither PDF nor ZPL nor JSON"),
        (b"\n" + LABEL, "neither PDF nor ZPL nor JSON"),
        ({"content": "not base64!"}, "JSON without a label"),
        ({"content": base64.b64encode(PHOTO).decode()}, "JSON without a label"),
        ({"content": base64.b64encode(b"").decode()}, "JSON without a label"),
        ({"url": ""}, "JSON without a label"),
        ({"url": None, "content": 7}, "JSON without a label"),
        ([], "JSON without a label"),
        ("null", "JSON without a label"),
    ],
)
def test_what_is_no_label_is_never_given_as_one(serve, client_of, body, said):
    server = serve(answered(200, body))
    client = client_of(server.url)

    with pytest.raises(NexusProtocolError, match=said):
        client.label(700001)

    # Asking again is for whoever wants the label, with pauses of its own (6.4).
    assert (len(server.requests), client.pauses) == (1, [])


@pytest.mark.rule("NX-2.6-3", "NX-2.6-5")
def test_what_lies_at_a_labels_url_is_held_to_the_same(serve, client_of):
    server = serve(answered(200, {"url": "/files/1"}), answered(200, PHOTO))

    with pytest.raises(NexusProtocolError, match="what lies at its url is no label"):
        client_of(server.url).label(700001)
    with pytest.raises(AddressRefused):
        client_of(serve(answered(200, {"url": "http://files.example.com/1"})).url).label(700001)


# 2.7 Attachments


@pytest.mark.rule("NX-2-9", "NX-2-10", "NX-2.7-1", "NX-2.7-2", "NX-2.7-3")
def test_a_file_is_added_listed_and_fetched(nexus_sim, nexus_client):
    consignment = nexus_sim.add(role="delivery")
    client = nexus_client()
    [pod] = [row["id"] for row in client.lookup("consignmentAttachmentTypes") if row["name"] == "POD"]

    added = client.upload(consignment, pod, "QG0000123_POD_01.jpg", JPEG, PHOTO)

    [listed] = client.attachments(consignment)
    assert listed == Attachment(added, "POD", "QG0000123_POD_01.jpg", listed.url, listed.created_at)
    assert added
    assert listed.created_at.startswith("2026-07-13T")
    [held] = nexus_sim.one(consignment)["attachments"]
    assert (held["fileName"], held["size"], held["type"]) == ("QG0000123_POD_01.jpg", len(PHOTO), "POD")
    # The file was our own, so it may be read, but never be sent again.
    assert client.download(listed.url) == PHOTO


@pytest.mark.rule("NX-2.7-2")
@pytest.mark.parametrize("name", ["Grüße & Söhne.jpg", 'a"b.jpg', "a\r\nb.jpg"])
def test_a_file_goes_out_as_a_part_of_its_own(serve, client_of, name):
    server = serve(answered(201, {"id": 3002}))
    client = client_of(server.url, sections={"upload": {"type": "typeOfFile", "file": "content"}})

    assert client.upload(700001, 7102, name, JPEG, PHOTO) == "3002"

    [request] = server.requests
    assert request.line == "POST /v1/consignments/700001/attachments HTTP/1.1"
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert b'name="typeOfFile"\r\n\r\n7102\r\n' in request.raw
    assert b'name="content"; filename="' in request.raw
    assert b"Content-Type: image/jpeg\r\n\r\n" + PHOTO in request.raw


@pytest.mark.rule("NX-2.7-3", "NX-11-24")
@pytest.mark.parametrize("status", [413, 415])
def test_a_file_that_nexus_does_not_take_is_refused_for_good(nexus_sim, nexus_client, status):
    consignment = nexus_sim.add()
    nexus_sim.fault(f"http_{status}", "consignments/*/attachments", method="POST")
    client = nexus_client()

    with pytest.raises(NexusValidationError, match=f"HTTP {status}") as caught:
        client.upload(consignment, 7102, "a.jpg", JPEG, PHOTO)
    assert isinstance(caught.value, Rejected)


@pytest.mark.rule("NX-2.7-1", "NX-11-18")
def test_where_the_parts_of_an_attachment_stand_is_said_in_the_template(serve, client_of):
    row = {"attachment": {"key": "a-1"}, "kind": "POD", "file": None, "FileName": "b.jpg", "url": "u", "at": 7}
    server = serve(answered(200, [row, {}]))
    places = {
        "id": ["id", "attachment.key"],
        "type": ["attachmentType.name", "kind"],
        "name": ["file", "fileName"],
        "url": ["url"],
        "created": ["at"],
    }

    found = client_of(server.url, sections={"attachment": places}).attachments(700001)

    assert found == [Attachment("a-1", "POD", "b.jpg", "u", "7"), Attachment("", "", "", "", "")]


# 2.8 Statuses


@pytest.mark.rule("NX-2-11", "NX-2-12", "NX-2.8-1", "NX-2.8-3")
def test_a_status_is_sent_and_stands_in_the_history(nexus_sim, nexus_client):
    consignment = nexus_sim.add(role="delivery")
    client = nexus_client()
    [delivered] = [row["id"] for row in client.lookup("consignmentStatuses") if row["name"] == "Delivered"]

    event = client.post_status(
        consignment,
        {
            "statusID": delivered,
            "dateTime": "2026-07-13T09:00:00+00:00",
            "depotCode": "PGD302",
            "signatory": "A Person",
            "notes": None,
        },
    )

    assert event["status"] == {"id": delivered, "name": "Delivered"}
    assert event in client.history(consignment)


@pytest.mark.rule("NX-2.8-2", "NX-11-22")
@pytest.mark.parametrize("status", [404, 405])
def test_a_history_that_is_not_offered_is_not_asked_for_again(nexus_sim, nexus_client, status):
    one, other = nexus_sim.add_many(count=2)
    nexus_sim.control("options", not_offered={"history": status})
    client = nexus_client()

    assert client.history(one) is None
    assert client.history(other) is None

    assert len([request for request in nexus_sim.requests() if request["path"].endswith("/statuses")]) == 1
    # It is settled for the run, which has one client.
    assert nexus_client().history(one) is None
    assert len([request for request in nexus_sim.requests() if request["path"].endswith("/statuses")]) == 2


@pytest.mark.rule("NX-2.8-2")
def test_a_history_of_what_we_do_not_see_says_nothing_about_the_call(nexus_sim, nexus_client):
    consignment = nexus_sim.add(status="Collected")
    client = nexus_client()

    with pytest.raises(NexusNotFound):
        client.history(999_999)

    assert client.history(consignment)


@pytest.mark.rule("NX-2.8-1")
def test_whether_to_ask_for_the_history_is_a_setting(nexus_sim, nexus_client):
    consignment = nexus_sim.add()
    assert nexus_client(status_history="off").history(consignment) is None
    assert nexus_sim.requests() == []

    for status, error in ((404, NexusNotFound), (405, NexusNotOffered)):
        nexus_sim.control("options", not_offered={"history": status})
        client = nexus_client(status_history="on")
        for _ in range(2):
            with pytest.raises(error):
                client.history(consignment)


# 2 Paths


@pytest.mark.rule("NX-2-1", "NX-2-2", "NX-2-3", "NX-2-13", "NX-2-14")
def test_every_path_is_the_contracts_unless_the_template_says_otherwise(serve, client_of):
    calls = {
        "list": lambda client: list(client.listed({})),
        "get": lambda client: client.get(7),
        "create": lambda client: client.create({}),
        "cancel": lambda client: client.cancel(7),
        "labels": lambda client: client.label(7),
        "attachments": lambda client: client.attachments(7),
        "upload": lambda client: client.upload(7, 1, "a", JPEG, b""),
        "history": lambda client: client.history(7),
        "post_status": lambda client: client.post_status(7, {}),
        **{
            name: lambda client, name=name: client.lookup(name)
            for name in (
                "consignmentStatuses", "consignmentTypes", "consignmentAttachmentTypes", "countries", "currencyTypes",
                "services", "palletTypes", "palletBases", "customers", "depots",
            )
        },
    }  # fmt: skip
    contract = {
        "list": "GET /v1/consignments/",
        "get": "GET /v1/consignments/7",
        "create": "POST /v1/consignments",
        "cancel": "DELETE /v1/consignments/7",
        "labels": "GET /v1/consignments/7/labels",
        "attachments": "GET /v1/consignments/7/attachments",
        "upload": "POST /v1/consignments/7/attachments",
        "history": "GET /v1/consignments/7/statuses",
        "post_status": "POST /v1/consignments/7/statuses",
    }
    renamed = {
        name: f"/own/{name}/{{consignmentID}}/" if "7" in contract.get(name, "") else f"own/{name}" for name in calls
    }

    def bodies(connection, request):
        shape = (
            [] if request.line.startswith("GET") and not request.path.split("?")[0].endswith(("/7", "/get/7/")) else {}
        )
        connection.sendall(answered(200, LABEL if "labels" in request.path else shape))

    for endpoints in ({}, renamed):
        for name, call in calls.items():
            server = serve(bodies)
            call(client_of(server.url, sections={"endpoints": endpoints}))
            method, path = contract.get(name, f"GET /v1/{name}").split()
            if endpoints:
                path = f"/v1/own/{name}/7/" if "7" in path else f"/v1/own/{name}"
            assert server.requests[0].line.split("?")[0].removesuffix(" HTTP/1.1") == f"{method} {path}"


@pytest.mark.rule("NX-2.3-1")
def test_one_consignment_is_asked_for_with_its_route(nexus_sim, nexus_client):
    found = nexus_client().get(nexus_sim.add(collectionDate="2026-07-15"))

    [collection] = [leg["routeDate"] for leg in found["routeDetails"] if leg["type"] == "Collection"]
    assert collection == "2026-07-15"


@pytest.mark.rule("NX-2-1")
def test_the_simulator_under_other_paths(nexus_sim, nexus_client):
    consignment = nexus_sim.add()
    own = {"login": "auth/token", "get": "shipments/{id}/full", "labels": "shipments/{id}/label.pdf"}
    nexus_sim.control("options", endpoints=own)
    endpoints = {name: path.replace("{id}", "{consignmentID}") for name, path in own.items()}

    client = nexus_client(sections={"endpoints": endpoints})

    assert client.get(consignment)["consignmentID"] == consignment
    assert client.label(consignment).startswith(b"%PDF")


@pytest.mark.rule("NX-1-1")
def test_a_base_url_of_one_part_more_is_the_connections_business(serve, client_of):
    server = serve()

    client_of(f"{server.root}/gateway/nexus/v1").attachments(7)

    assert [request.path for request in server.all_requests] == [
        "/gateway/nexus/v1/Account/login/",
        "/gateway/nexus/v1/consignments/7/attachments",
    ]
