"""The labels of a consignment: fetched until they are there, never what is none (contract 2.9)."""

import io
import zlib

import pytest
from pikepdf import Name, Pdf, Stream
from pypdf import PdfReader
from reportlab.pdfgen.canvas import Canvas
from tests.networks.palletways.dispatching import SUBMIT
from tests.networks.palletways.test_dispatch import HOUR, MINUTE, TEMPLATE

from palletflow.documents.child_process import MOST_MEMORY
from palletflow.networks.palletways.client import PalletwaysClient
from palletflow.networks.palletways.label_text import why_no_label
from palletflow.networks.palletways.work import LABEL, NETWORK
from palletflow.store import barcodes, work_items

BY_TID, BY_ID = "getLabelsByTID", "getLabelsById"
NUMBERS = ["60000000017", "0000001"]
ERROR_WORDS = ["error", "not found", "not authorised"]


def pdf(*pages: str) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, invariant=1)
    for page in pages:
        for place, line in enumerate(page.splitlines()):
            canvas.drawString(50, 750 - 20 * place, line)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def fetches(haulier) -> list[str]:
    return [one for one in haulier.methods() if one in (BY_TID, BY_ID)]


def refetched(haulier, order: int) -> None:
    with haulier.conn.transaction():
        work_items.enqueue(haulier.conn, NETWORK, LABEL, [haulier.consignment(order)])
    haulier.work()


@pytest.mark.rule("PW-2.9-1", "PW-2.9-3")
def test_one_pdf_with_a_page_for_each_pallet_is_attached_to_the_consignment(haulier):
    order = haulier.sent(pallet_types=["FULL", "HALF", "FULL"])
    [label] = haulier.labels(order)
    number = haulier.fact(order, "tracking_number")
    assert (label.consignment_id, label.pallet_number) == (haulier.consignment(order), None)
    assert (label.name, label.source) == (f"label_{number}.pdf", "palletways labels")
    pages = PdfReader(io.BytesIO(haulier.storage.read(label.sha256))).pages
    assert len(pages) == 3
    for page, (barcode, _) in zip(pages, haulier.barcodes(), strict=True):
        assert barcode in page.extract_text()
        assert number in page.extract_text()
    assert fetches(haulier) == [BY_TID]


@pytest.mark.rule("PW-2.9-1", "PW-3-2")
def test_before_there_is_a_tracking_id_they_are_asked_for_by_response_id(haulier, monkeypatch):
    haulier.sim.switch(tracking_delay_s=10 * MINUTE)
    monkeypatch.setattr(
        PalletwaysClient, "label", spying(PalletwaysClient.label, pdf("LABEL\nCON 0000001-123"), asked := [])
    )
    order = haulier.sent()
    [label] = haulier.labels(order)
    assert asked == [{"response_id": haulier.task(order).network_reference, "degrees": None}]
    assert (label.name, haulier.fact(order, "tracking_number")) == ("label_0000001.pdf", None)


@pytest.mark.rule("PW-2.9-1", "PW-2.9-4")
@pytest.mark.parametrize("shown_as", ["xml", "pdf"])
def test_those_that_are_not_there_yet_are_asked_for_again(haulier, shown_as):
    haulier.sim.switch(tracking_delay_s=10 * MINUTE, label_error=shown_as)
    order = haulier.sent()
    assert haulier.labels(order) == []
    assert (haulier.state(order), haulier.task(order).warnings) == ("completed", [])
    haulier.later(6, 16, MINUTE, 4 * MINUTE)
    assert len(fetches(haulier)) == 5
    assert haulier.labels(order) == []
    haulier.later(10 * MINUTE)
    [label] = haulier.labels(order)
    haulier.play_out()
    number = haulier.fact(order, "tracking_number")
    assert label.name in ("label_0000001.pdf", f"label_{number}.pdf"), "the tracking ID comes in the same minute"
    assert fetches(haulier)[:5] == [BY_ID] * 5
    assert len(haulier.labels(order)) == 1


@pytest.mark.rule("PW-2.9-2")
@pytest.mark.parametrize("degrees", [None, 90, 180, 270])
def test_they_are_turned_only_if_the_template_says_so(haulier, degrees):
    haulier.template(TEMPLATE + (f"labels: {{degrees: {degrees}}}" if degrees else ""))
    order = haulier.sent()
    [call] = haulier.sim.journal(BY_TID)
    number = haulier.fact(order, "tracking_number")
    assert call["arguments"] == ([number, "degrees", str(degrees)] if degrees else [number])
    [label] = haulier.labels(order)
    turned = {page.rotation for page in PdfReader(io.BytesIO(haulier.storage.read(label.sha256))).pages}
    assert turned == {degrees or 0}


@pytest.mark.rule("PW-2.9-4", "PW-2.9-5")
def test_an_error_that_is_a_valid_pdf_is_no_label(haulier, monkeypatch):
    haulier.sim.switch(label_error="pdf")
    label = PalletwaysClient.label
    monkeypatch.setattr(
        PalletwaysClient, "label", lambda client, **asked: label(client, **{**asked, "tracking_id": "60009999999"})
    )
    order = haulier.sent()
    assert haulier.labels(order) == []
    monkeypatch.undo()
    haulier.later(6)
    assert len(haulier.labels(order)) == 1


GOOD = {
    "tracking ID": "456\nFROM ACME\nTRACKING 60000000017",
    "number": "456\nFROM ACME\nCON 0000001-123",
    "an error among the goods": "456\nFROM ACME\nREF 1\nTRACKING 60000000017\nTrial and Error Brewing\nBell not found",
    "a word that only begins so": "456 TERRORS\nTRACKING 60000000017",
}
NONE = {
    "another's": ("456\nTRACKING 60000000018", "names neither 60000000017 nor 0000001"),
    "a longer number": ("TRACKING 600000000171\nCON 10000001", "names neither"),
    "an error with our number": ("ERROR\n60000000017 is unknown", "says 'error'"),
    "an error of several words": ("Label\nConsignment data NOT FOUND for 60000000017", "says 'not found'"),
    "nothing": ("", "names neither"),
}


@pytest.mark.rule("PW-2.9-5")
@pytest.mark.parametrize("name", GOOD)
def test_what_a_label_says(name):
    assert why_no_label(pdf(GOOD[name]), NUMBERS, ERROR_WORDS) == ""


@pytest.mark.rule("PW-2.9-5")
@pytest.mark.parametrize("name", NONE)
def test_what_no_label_says(name):
    text, why = NONE[name]
    assert why in why_no_label(pdf(text), NUMBERS, ERROR_WORDS)


@pytest.mark.rule("PW-2.9-5")
def test_the_head_of_every_page_is_looked_at():
    assert why_no_label(pdf(GOOD["number"], "ERROR\nno such pallet"), NUMBERS, ERROR_WORDS) == "it says 'error'"
    assert why_no_label(pdf("456", GOOD["number"]), NUMBERS, ERROR_WORDS) == ""
    assert why_no_label(pdf("456\nCON 1"), ["", "1"], ERROR_WORDS) == ""
    assert "names neither 1" in why_no_label(pdf("456"), ["", "1"], ERROR_WORDS)


@pytest.mark.rule("PW-2.9-5")
@pytest.mark.parametrize("file", [b"%PDF-1.4\n%%EOF", pdf("456")[:600], b"%PDF-" + b"\0" * 5000, b"no PDF at all"])
def test_what_cannot_be_read_is_no_label(file):
    assert "cannot be read" in why_no_label(file, NUMBERS, ERROR_WORDS)


@pytest.mark.rule("PW-2.9-5")
def test_a_hostile_file_does_not_harm_the_worker(haulier, monkeypatch):
    """A page whose contents are some gigabytes is read in a process of its own, within its memory."""
    made = Pdf.new()
    page = made.add_blank_page()
    packer = zlib.compressobj(9)
    packed = b"".join([*(packer.compress(b" " * 2**20) for _ in range(2 * MOST_MEMORY // 2**20)), packer.flush()])
    page.obj.Contents = Stream(made, packed, Filter=Name.FlateDecode)
    out = io.BytesIO()
    made.save(out, compress_streams=False)
    assert len(out.getvalue()) < 2**21
    monkeypatch.setattr(PalletwaysClient, "label", lambda *_, **__: out.getvalue())
    order = haulier.sent()
    assert haulier.labels(order) == []
    assert (haulier.state(order), haulier.items(parked=True)) == ("completed", {})
    monkeypatch.undo()
    haulier.later(6)
    assert len(haulier.labels(order)) == 1


@pytest.mark.rule("PW-2.9-1", "PW-7.1-4")
def test_after_a_day_they_are_left_to_a_person_and_the_dispatch_stays_good(haulier):
    haulier.sim.switch(http_code={BY_TID: 500})
    order = haulier.sent()
    haulier.later(6, 21, MINUTE, 4 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, *[HOUR] * 22)
    assert haulier.items(parked=True) == {}
    haulier.later(HOUR, HOUR)
    [(kind, reason)] = haulier.items(parked=True).items()
    assert kind == (LABEL, str(haulier.consignment(order)))
    assert (reason or "").startswith("Dispatched, labels missing: ")
    assert (haulier.state(order), haulier.task(order).faults) == ("completed", [])
    assert len(haulier.submissions()) == 1

    # Who asks again once Palletways has them, gets them.
    haulier.sim.switch(http_code="off")
    work_items.requeue(haulier.conn, kind=LABEL)
    haulier.work()
    assert len(haulier.labels(order)) == 1


@pytest.mark.rule("PW-2.9-1")
def test_an_account_that_may_not_draw_labels_is_told_to_a_person_at_once(haulier):
    haulier.sim.switch(key_fault={BY_TID: "customer_only"})
    order = haulier.sent()
    assert haulier.items(parked=True).keys() == {(LABEL, str(haulier.consignment(order)))}
    assert haulier.state(order) == "completed"


def test_good_labels_are_not_fetched_again(haulier):
    order = haulier.sent()
    refetched(haulier, order)
    assert (len(fetches(haulier)), len(haulier.labels(order))) == (1, 1)


@pytest.mark.rule("PW-3-5")
def test_when_a_barcode_is_replaced_the_labels_are_void_and_fetched_anew(haulier):
    order = haulier.sent()
    with haulier.conn.transaction():
        barcodes.adopt(haulier.conn, haulier.consignment(order), {1: "B0012A4FFF"}, "tester", "palletways notes")
    assert [label.stale_at is not None for label in haulier.labels(order)] == [True]
    haulier.work()
    assert len(fetches(haulier)) == 2
    assert [label.stale_at for label in haulier.labels(order)] == [None]


@pytest.mark.rule("PW-2.9-1", "PW-7.1-8")
def test_an_order_that_was_taken_back_and_dispatched_anew_gets_labels_of_its_own(haulier, monkeypatch):
    """Those of the first submission, which are on their way meanwhile, are not kept for the second."""
    haulier.settle(key_kind="customer")
    haulier.template("dispatch: {confirm: false}\n" + TEMPLATE)
    order = haulier.order()
    haulier.dispatch(order)
    haulier.work("dispatch")

    def dispatched_anew(_client, **_asked):
        monkeypatch.undo()
        haulier.cancel(order)
        haulier.work("cancel")
        haulier.restore(order)
        haulier.complete(order)
        haulier.work("dispatch")
        return pdf("LABEL\nCON 0000001-123")

    monkeypatch.setattr(PalletwaysClient, "label", dispatched_anew)
    haulier.work(LABEL)
    assert haulier.fact(order, "consignment_number") == "0000002"
    assert haulier.labels(order) == []

    haulier.sim.call("manifestConsignment", haulier.task(order).network_reference, key=haulier.sim.customer_key)
    haulier.later(MINUTE + 1, MINUTE)
    [label] = haulier.labels(order)
    [held] = haulier.in_network(order)
    words = PdfReader(io.BytesIO(haulier.storage.read(label.sha256))).pages[0].extract_text()
    assert "CON 0000002-123" in words
    assert held["tracking_id"] in words


@pytest.mark.rule("PW-2.9-1")
def test_a_failure_to_fetch_them_never_repeats_the_dispatch(haulier):
    haulier.sim.switch(http_code={BY_TID: {"value": 500, "times": 4}})
    order = haulier.sent()
    haulier.play_out()
    assert len(haulier.labels(order)) == 1
    assert len(haulier.sim.journal(SUBMIT)) == 2


def test_what_was_never_dispatched_has_no_labels(haulier):
    order = haulier.order()
    work_items.enqueue(haulier.conn, NETWORK, LABEL, [haulier.consignment(order), 999])
    assert haulier.work(LABEL) == {LABEL: {"done": 2}}
    assert haulier.methods() == []


def spying(_method, answer, asked):
    def label(_client, **given):
        asked.append(given)
        return answer

    return label
