"""Documents and labels through the API."""

import io

import pytest
import zxingcpp
from pypdf import PdfReader
from pypdfium2 import PdfDocument
from tests.desk.desk_orders import order
from tests.documents.photo_files import contents_bomb

from palletflow.documents import printing
from palletflow.documents.storage import open_storage
from palletflow.store import documents
from palletflow.store.documents import Document

NUMBER = "9000010000123"
PDF = b"%PDF-1.7 not much of one"


def add(api, path="/orders/SO-1/documents", data=PDF, **query):
    return api("POST", path, data=data, params={"kind": "POD", "name": "pod.pdf", **query})


def test_a_document_is_added_once_and_comes_back_as_it_was(api):
    api.post("/orders", order(), 201)
    added = add(api, name='../../etc/p"od\r\nX: y.exe').json()
    assert add(api).json()["id"] == added["id"]
    [listed] = api.get("/orders/SO-1/documents")["documents"]
    assert (listed["kind"], listed["media_type"], listed["size"], listed["actor"]) == (
        "POD",
        "application/pdf",
        len(PDF),
        "tester",
    )
    fetched = api("GET", f"/documents/{added['id']}")
    assert fetched.content == PDF
    assert fetched.headers["Content-Type"] == "application/pdf"
    assert fetched.headers["X-Content-Type-Options"] == "nosniff"
    assert fetched.headers["Content-Disposition"].startswith('attachment; filename="')
    assert fetched.headers["Content-Disposition"].count('"') == 2
    assert "sandbox" in fetched.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("data", "query", "field"),
    [
        (b"<html><script>alert(1)</script>", {}, "body"),
        (b"", {}, "body"),
        (PDF, {"kind": "LABEL"}, "kind"),
        (PDF, {"consignment_id": 999}, "consignment_id"),
        (PDF, {"pallet_number": 9}, "pallet_number"),
    ],
)
def test_what_is_no_document_is_refused(api, data, query, field):
    api.post("/orders", order(), 201)
    answer = add(api, data=data, **query)
    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]


def test_a_document_of_a_pallet_is_of_one_there_is(api):
    api.post("/orders", order(), 201)
    [consignment] = api.get("/orders/SO-1")["consignments"]
    assert add(api, consignment_id=consignment["id"], pallet_number=2).status_code == 201
    answer = add(api, consignment_id=consignment["id"], pallet_number=3)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "pallet_number")


def test_a_document_has_its_bounds(api):
    api.post("/orders", order(), 201)
    assert add(api, data=PDF + b" " * (9 * 2**20)).status_code == 201
    assert add(api, data=PDF + b" " * (26 * 2**20)).status_code == 413
    assert api("GET", "/documents/999").status_code == 404


@pytest.mark.rule("PF-6-5")
def test_labels_are_drawn_when_they_are_asked_for(api):
    api.post("/orders", order(tracking_number=NUMBER, delivery_depot="901"), 201)
    printed = api("GET", "/orders/SO-1/labels")
    assert printed.headers["Content-Type"] == "application/pdf"
    pages = [page.render(scale=4).to_pil() for page in PdfDocument(printed.content)]
    read = [{found.text for found in zxingcpp.read_barcodes(page)} for page in pages]
    assert read == [{"506901A900001000012301"}, {"506901A900001000012302"}]
    listed = api.get("/orders/SO-1/documents")["documents"]
    assert [(one["kind"], one["pallet_number"]) for one in listed] == [("LABEL", 1), ("LABEL", 2)]
    api("GET", "/orders/SO-1/labels")
    assert api.get("/orders/SO-1/documents")["documents"] == listed


def test_labels_of_many_orders_are_one_print_job_in_the_order_asked_for(api):
    for key, number in (("SO-1", NUMBER), ("SO-2", "9000010000456")):
        api.post("/orders", order(key, tracking_number=number, delivery_depot="901"), 201)
    printed = api("POST", "/labels", {"orders": ["SO-2", "SO-1"]})
    assert len(PdfReader(io.BytesIO(printed.content)).pages) == 4
    zpl = api("POST", "/labels", {"orders": ["SO-2", "SO-1"], "format": "zpl"})
    assert zpl.headers["Content-Type"] == "application/zpl"
    assert zpl.content.count(b"^XA") == 4
    assert zpl.content.index(b"9000010000456") < zpl.content.index(b"9000010000123")


def test_a_networks_hostile_label_is_named_in_its_place_and_the_others_are_printed(api, conn):
    for key, number in (("SO-1", NUMBER), ("SO-2", "9000010000456")):
        api.post("/orders", order(key, tracking_number=number, delivery_depot="901"), 201)
    api("GET", "/orders/SO-1/labels")
    [consignment] = api.get("/orders/SO-1")["consignments"]
    data = contents_bomb()
    kept = open_storage().put(data)
    label = Document(
        order_id=documents.by_id(conn, api.get("/orders/SO-1/documents")["documents"][0]["id"]).order_id,
        consignment_id=consignment["id"],
        pallet_number=1,
        kind="NETWORK_LABEL",
        name="network label 1.pdf",
        media_type="application/pdf",
        size=kept.size,
        sha256=kept.sha256,
        source="test",
        actor="tester",
    )
    hostile = documents.add(conn, label)
    printed = api("POST", "/labels", {"orders": ["SO-1", "SO-2"]})
    assert printed.status_code == 200
    pages = list(PdfDocument(printed.content))
    read = [{found.text for found in zxingcpp.read_barcodes(page.render(scale=4).to_pil())} for page in pages]
    assert read == [
        set(), {"506901A900001000012302"}, {"506901A900001000045601"}, {"506901A900001000045602"},
    ]  # fmt: skip
    said = " ".join(pages[0].get_textpage().get_text_bounded().split())
    assert f"Document {hostile} (network label 1.pdf) cannot be printed: reading" in said


def test_labels_that_cannot_be_printed_together_are_named(api, monkeypatch):
    api.post("/orders", order(tracking_number=NUMBER, delivery_depot="901"), 201)
    monkeypatch.setattr(printing, "MOST_BYTES", 1000)
    answer = api("GET", "/orders/SO-1/labels")
    assert (answer.status_code, "print fewer at once" in answer.json()["message"]) == (409, True)
    # Nor does what keeps the child from starting come out as anything but a reason to try again.
    monkeypatch.setattr(printing, "MOST_BYTES", 10**6)
    monkeypatch.setattr(printing, "MODULE", "palletflow.no_such_module")
    assert api("GET", "/orders/SO-1/labels").status_code == 503


def test_a_print_job_has_its_bounds(api):
    many = order(tracking_number=NUMBER, delivery_depot="901", pallet_types=["F"] * 99)
    [consignment] = many["consignments"]
    for key in ("SO-1", "SO-2"):
        api.post("/orders", many | {"key": key, "consignments": [consignment] * 11}, 201)
    answer = api("POST", "/labels", {"orders": ["SO-1", "SO-2"]})
    assert (answer.status_code, answer.json()["errors"][0]["rule"]) == (422, "too_many")
    assert api.get("/orders/SO-1/documents")["documents"] == []


def test_without_a_number_there_are_no_labels_yet(api):
    api.post("/orders", order(), 201)
    answer = api("GET", "/orders/SO-1/labels")
    assert (answer.status_code, answer.json()["errors"][0]["rule"]) == (409, "PF-6-9")
    assert api("POST", "/labels", {"consignments": [999]}).status_code == 404
    assert api("POST", "/labels", {}).status_code == 422


def test_a_cancelled_order_has_no_labels_to_print(api):
    api.post("/orders", order(tracking_number=NUMBER, delivery_depot="901"), 201)
    api.post("/orders/SO-1/cancel", {"reason": "customer rang"})
    assert api("GET", "/orders/SO-1/labels").status_code == 409
    assert api("GET", "/orders/SO-1/labels", params={"format": "zpl"}).status_code == 409


PHOTO = b"\xff\xd8\xff\xe0 a photo, as far as the desk looks"


@pytest.mark.rule("PW-6-1")
def test_a_photo_of_an_order_with_several_consignments_waits_until_somebody_says_whose_it_is(api, conn):
    whole = order(network="palletways", service="PRE", pallet_types=["FULL"])
    api.post("/orders", whole | {"consignments": whole["consignments"] * 2}, 201)
    first, second = (one["id"] for one in api.get("/orders/SO-1")["consignments"])
    added = add(api, data=PHOTO, kind="PHOTO").json()
    asked = conn.execute("SELECT key FROM work_items WHERE kind = 'photo_upload' ORDER BY key").fetchall()
    assert [key for (key,) in asked] == [str(first), str(second)]
    conn.execute("DELETE FROM work_items")

    for consignment, status in ((999, 409), (second, 204)):
        answer = api("PUT", f"/documents/{added['id']}/consignment", params={"consignment_id": consignment})
        assert answer.status_code == status

    [upload] = api.get("/orders/SO-1/documents")["uploads"]
    assert (upload["document_id"], upload["consignment_id"], upload["state"]) == (added["id"], second, "waiting")
    assert conn.execute("SELECT kind, key FROM work_items").fetchall() == [("photo_upload", str(second))]
    assert api("PUT", "/documents/999/consignment", params={"consignment_id": second}).status_code == 404


def test_a_document_says_whether_customers_may_see_it(api):
    api.post("/orders", order(), 201)
    assert add(api).json()["customer_visible"] is False
