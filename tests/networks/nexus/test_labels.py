"""The label of a consignment, fetched until it is there, whatever Nexus answers (contract 2.6, 6.4)."""

import io

import pytest
from pypdf import PdfReader

from palletflow.networks.nexus.client import NexusClient
from palletflow.networks.nexus.work import LABEL, NETWORK
from palletflow.store import barcodes, work_items

LABELS = {"method": "GET", "path": "consignments/*/labels"}


def fetches(haulier) -> int:
    return sum(call.endswith("/labels") for call in haulier.calls())


@pytest.mark.rule("NX-2.6-1", "NX-6-13")
def test_one_pdf_with_a_page_for_each_pallet_is_attached_to_the_consignment(haulier):
    order = haulier.sent(pallet_types=["FULL", "HALF", "FULL"])

    [label] = haulier.labels(order)
    assert (label.consignment_id, label.pallet_number, label.barcode) == (haulier.consignment(order), None, "")
    assert (label.name, label.media_type, label.source) == ("label_QG0000001.pdf", "application/pdf", "nexus labels")
    pages = PdfReader(io.BytesIO(haulier.storage.read(label.sha256))).pages
    assert len(pages) == 3
    for page, (barcode, _) in zip(pages, haulier.barcodes(), strict=True):
        assert barcode in page.extract_text()


@pytest.mark.rule("NX-2.6-2", "NX-2.6-3", "NX-11-20")
@pytest.mark.parametrize(
    ("form", "name", "begins"),
    [("pdf", "pdf", b"%PDF-"), ("zpl", "zpl", b"^XA"), ("url", "pdf", b"%PDF-"), ("base64", "pdf", b"%PDF-")],
)
def test_what_it_is_is_seen_from_its_content(haulier, form, name, begins):
    haulier.nexus.control("options", label_form=form)
    order = haulier.sent()

    [label] = haulier.labels(order)
    assert label.name == f"label_QG0000001.{name}"
    assert haulier.storage.read(label.sha256).startswith(begins)


NOT_YET = [
    ("http_404", {}),
    ("http_409", {}),
    ("http_500", {}),
    ("http_502", {}),
    ("http_503", {}),
    ("http_429", {}),
    ("http_429", {"retry_after": 1}),
    ("timeout", {}),
    ("drop", {}),
    ("empty", {}),
    ("html", {}),
    ("garbage", {}),
    ("json", {"body": {"label": "none"}}),
    ("json", {"body": {"label": "aGVsbG8="}}),
    ("broken", {}),
    ("truncated", {}),
]


@pytest.mark.rule("NX-2.6-4", "NX-2.6-5", "NX-6-14", "NX-6-16", "NX-11-20")
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize(("effect", "options"), NOT_YET, ids=[f"{effect} {options}" for effect, options in NOT_YET])
def test_what_is_no_label_is_never_stored_and_asked_for_again(haulier, effect, options, times):
    haulier.nexus.fault(effect, times=times * 6 if "http_5" in effect else times, **LABELS, **options)
    order = haulier.sent()

    assert haulier.state(order) == "completed"
    haulier.play_out()
    [label] = haulier.labels(order)
    assert haulier.storage.read(label.sha256).startswith(b"%PDF-")
    assert (haulier.task(order).faults, haulier.task(order).warnings) == ([], [])
    assert haulier.items(parked=True) == {}
    assert (len(haulier.creates()), len(haulier.of_order(order))) == (1, 1)


@pytest.mark.rule("NX-6-14", "NX-6-15")
def test_it_is_asked_for_six_times_in_80_seconds_and_then_with_every_poll(haulier):
    haulier.nexus.fault("http_404", times=None, **LABELS)
    order = haulier.sent()

    def after(seconds: float) -> int:
        haulier.later(seconds)
        return fetches(haulier)

    assert fetches(haulier) == 1
    # 2, 5, 10, 20 and 40 s after the one before.
    assert [after(1), after(1.1)] == [1, 2]
    assert [after(3.5), after(1.5)] == [2, 3]
    assert [after(8.5), after(1.5)] == [3, 4]
    assert [after(18), after(2.1)] == [4, 5]
    assert [after(38), after(2.1)] == [5, 6]
    # Then every three minutes.
    assert [after(170), after(10.1), after(170), after(10.1)] == [6, 7, 7, 8]
    assert haulier.state(order) == "completed"


@pytest.mark.rule("NX-6-15", "NX-6-16", "NX-2.6-5")
@pytest.mark.parametrize("effect", ["http_404", "empty", "http_500"])
def test_after_a_day_it_is_left_to_a_person_and_the_dispatch_stays_good(haulier, effect):
    haulier.nexus.fault(effect, times=None, **LABELS)
    order = haulier.sent()
    haulier.later(2, 86_000)
    assert haulier.items(parked=True) == {}
    haulier.later(400)

    [(kind, reason)] = haulier.items(parked=True).items()
    assert kind == (LABEL, str(haulier.consignment(order)))
    assert reason.startswith("Dispatched, label missing: ")
    assert (haulier.state(order), haulier.task(order).faults) == ("completed", [])
    assert len(haulier.creates()) == 1

    # Who asks again once Nexus has it, gets it.
    haulier.nexus.control("faults", clear=True)
    work_items.requeue(haulier.conn, kind=LABEL)
    haulier.work()
    assert len(haulier.labels(order)) == 1
    assert haulier.items(parked=True) == {}


@pytest.mark.rule("NX-6-15")
def test_how_long_it_is_asked_for_is_a_setting(haulier):
    haulier.settle(label_retry_h=1)
    haulier.nexus.fault("http_404", times=None, **LABELS)
    haulier.sent()
    haulier.later(2, 3500)
    assert haulier.items(parked=True) == {}
    haulier.later(200)
    assert len(haulier.items(parked=True)) == 1


def test_a_refusal_is_left_to_a_person_at_once(haulier):
    haulier.nexus.fault("http_403", times=None, **LABELS)
    order = haulier.sent()

    assert list(haulier.items(parked=True)) == [(LABEL, str(haulier.consignment(order)))]
    assert haulier.state(order) == "completed"


def test_a_good_label_is_not_fetched_again(haulier):
    order = haulier.sent()
    work_items.enqueue(haulier.conn, NETWORK, LABEL, [haulier.consignment(order)])
    haulier.work()
    assert (fetches(haulier), len(haulier.labels(order))) == (1, 1)


def test_when_a_barcode_is_replaced_the_label_is_void_and_fetched_anew(haulier):
    order = haulier.sent()
    consignment = haulier.consignment(order)
    with haulier.conn.transaction():
        barcodes.adopt(haulier.conn, consignment, {1: "1044999999999999"}, "tester", "nexus statuses")

    [label] = haulier.labels(order)
    assert label.stale_at is not None
    assert haulier.history(order)[-1] == "labels became stale"
    haulier.work()
    assert fetches(haulier) == 2
    assert [label.stale_at for label in haulier.labels(order)] == [None]


def test_a_consignment_cancelled_while_its_label_is_fetched_keeps_none(haulier, monkeypatch):
    label = NexusClient.label
    order = haulier.order()

    def cancelled_meanwhile(client, consignment_id):
        found = label(client, consignment_id)
        haulier.change(order, "registered", False)
        haulier.change(order, "tracking_number", None)
        return found

    monkeypatch.setattr(NexusClient, "label", cancelled_meanwhile)
    haulier.dispatch(order)
    haulier.work()
    assert haulier.labels(order) == []
    assert haulier.items(parked=False).keys() <= {("dispatch", str(haulier.consignment(order)))}


def test_what_is_not_there_has_no_label(haulier):
    order = haulier.order()
    work_items.enqueue(haulier.conn, NETWORK, LABEL, [haulier.consignment(order), 999])

    assert haulier.work(LABEL) == {LABEL: {"done": 2}}
    assert haulier.calls() == []
