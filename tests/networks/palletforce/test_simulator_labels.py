"""Labels of the Palletforce simulator over a real socket, their barcodes read back by an independent reader."""

import base64
import binascii
import io
from typing import Any

import pytest
import requests
import zxingcpp
from PIL import Image, ImageChops

from palletflow.networks.palletforce.simulator import ACCESS_KEYS

NUMBER = "9000020000777"
# 506, delivery depot, service, tracking number and pallet (section 3).
BARCODES = [f"506901A{NUMBER}{pallet:02d}" for pallet in (1, 2, 3)]


class Labels:
    """A consignment that depot 900 requests for delivery by 901, and its labels as a member asks for them."""

    def __init__(self, simulator: Any) -> None:
        self.simulator = simulator

    def make(self, *, status: str = "ACCEPTED", **fields: Any) -> None:
        facts = {
            "requestingDepot": "900",
            "collectingDepot": "900",
            "deliveryDepot": "901",
            "serviceName": "A",
            "pallets": [{"palletType": "F", "numberofPallets": "2"}, {"palletType": "H", "numberofPallets": "1"}],
        }
        self.simulator.create(
            trackingNumber=NUMBER, role="requested", consignmentStatus=status, fields={**facts, **fields}
        )

    def ask(self, pallet: Any = "1", *, depot: str = "900", number: str = NUMBER, transaction: str = "") -> Any:
        body = {
            "accessKey": ACCESS_KEYS[depot],
            "trackingNumber": number,
            "palletNumber": pallet,
            "uniqueTransactionNumber": transaction,
        }
        return requests.post(f"{self.simulator.base_url}/DownloadLabel", json=body, timeout=30)

    def bytes(self, pallet: str = "1", **more: str) -> bytes:
        answer = self.ask(pallet, **more)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["success"] is True
        (image,) = body["labelImages"]
        return base64.b64decode(image["imageData"], validate=True)

    def image(self, pallet: str = "1", **more: str) -> Image.Image:
        return Image.open(io.BytesIO(self.bytes(pallet, **more)))

    def barcode(self, pallet: str = "1", **more: str) -> str:
        (read,) = zxingcpp.read_barcodes(self.image(pallet, **more))
        assert read.format == zxingcpp.BarcodeFormat.Code128
        return read.text

    def refused(self, pallet: Any = "1", **more: str) -> list[str]:
        answer = self.ask(pallet, **more)
        assert answer.status_code == 400
        assert answer.json()["success"] is False
        assert "labelImages" not in answer.json()
        reasons: list[str] = answer.json()["failureReasons "]
        return reasons


@pytest.fixture
def labels(simulator: Any) -> Labels:
    return Labels(simulator)


@pytest.mark.rule("PF-2.2-2", "PF-2.2-5")
def test_a_label_is_a_jpeg_of_148_by_105_mm(labels: Labels) -> None:
    labels.make()
    assert labels.bytes().startswith(b"\xff\xd8\xff")
    image = labels.image()
    image.load()
    assert image.format == "JPEG"
    dots_per_mm = [float(dpi) / 25.4 for dpi in image.info["dpi"]]
    width, height = (side / dots for side, dots in zip(image.size, dots_per_mm, strict=True))
    assert (width, height) == (pytest.approx(148, abs=0.1), pytest.approx(105, abs=0.1))
    assert image.info["dpi"] == (203, 203)


@pytest.mark.rule("PF-2.2-1", "PF-2.2-5")
def test_each_pallet_has_a_label_with_its_own_barcode(labels: Labels) -> None:
    labels.make()
    assert [labels.barcode(str(pallet)) for pallet in (1, 2, 3)] == BARCODES


@pytest.mark.rule("PF-2.2-1")
def test_the_last_of_99_pallets_has_a_label(labels: Labels) -> None:
    labels.make(pallets=[{"palletType": "Q", "numberofPallets": "99"}])
    assert labels.barcode("99") == f"506901A{NUMBER}99"


@pytest.mark.rule("PF-2.2-5")
def test_the_barcode_stands_on_the_label_in_plain_figures_too(labels: Labels) -> None:
    labels.make()
    first, second = labels.image("1"), labels.image("2")
    (read,) = zxingcpp.read_barcodes(first)
    below_bars = max(read.position.bottom_left.y, read.position.bottom_right.y) + 5
    figures = (0, below_bars, first.width, first.height)
    assert min(first.crop(figures).getextrema()) < 128
    assert ImageChops.difference(first.crop(figures), second.crop(figures)).getbbox() is not None


@pytest.mark.rule("PF-2.2-5")
@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        *((f"collectionAddress.{name}", "Acme", "Emca") for name in ("name", "streetAddress", "town", "postcode")),
        *((f"deliveryAddress.{name}", "Acme", "Emca") for name in ("name", "streetAddress", "town", "postcode")),
        *((f"deliveryAddress.{name}", "", "Acme") for name in ("location", "county", "phoneNumber", "contactName")),
        ("requestingDepot", "900", "905"),
        ("collectingDepot", "900", "905"),
        ("deliveryDepot", "901", "927"),
        ("serviceName", "A", "B"),
        ("pallets", [{"palletType": "F", "numberofPallets": "1"}], [{"palletType": "F", "numberofPallets": "2"}]),
    ],
)
def test_the_label_shows(labels: Labels, field: str, one: Any, other: Any) -> None:
    pictures = []
    for value in (one, other):
        labels.simulator.control("reset")
        labels.make(**{field: value})
        image = labels.image()
        pictures.append(image.crop((0, 0, image.width, image.height * 2 // 3)))  # without the barcode
    assert ImageChops.difference(*pictures).getbbox() is not None


@pytest.mark.rule("PF-2.2-2", "PF-9-3")
def test_the_same_label_is_the_same_bytes(labels: Labels) -> None:
    labels.make()
    before = labels.bytes("2")
    labels.simulator.control("reset")
    labels.make()
    assert labels.bytes("2") == before
    assert labels.bytes("1") != before


@pytest.mark.rule("PF-2.2-5")
@pytest.mark.parametrize(
    "text", ["", "W" * 400, "Line one\nline two\ttab", "\x00\x1b[31m", "日本 🚚 Café", "\ud800", ["no", "text"], 7]
)
def test_odd_texts_do_not_spoil_a_label(labels: Labels, text: Any) -> None:
    names = ("name", "town", "postcode", "phoneNumber")
    labels.make(**{f"deliveryAddress.{name}": text for name in names}, customersUniqueReference=text, weight=text)
    assert labels.barcode() == BARCODES[0]


@pytest.mark.rule("PF-2.2-1", "PF-2.2-4")
@pytest.mark.parametrize(
    ("pallet", "reason"),
    [
        ("", "palletNumber: must be a whole number from 1 without leading zero"),
        ("0", "palletNumber: must be a whole number from 1 without leading zero"),
        ("01", "palletNumber: must be a whole number from 1 without leading zero"),
        ("-1", "palletNumber: must be a whole number from 1 without leading zero"),
        ("100", "palletNumber: must be a whole number from 1 without leading zero"),
        ("one", "palletNumber: must be a whole number from 1 without leading zero"),
        ("²", "palletNumber: must be a whole number from 1 without leading zero"),
        ("4", f"palletNumber: {NUMBER} has no pallet 4"),
        (1, "palletNumber: must be a string"),
    ],
)
def test_a_pallet_number_that_is_none_is_refused(labels: Labels, pallet: Any, reason: str) -> None:
    labels.make()
    assert labels.refused(pallet) == [reason]


@pytest.mark.rule("PF-2.2-4")
def test_a_number_unknown_to_the_keys_depot_is_refused(labels: Labels) -> None:
    labels.make()
    assert labels.refused(number="9000020000001") == ["Tracking number 9000020000001 is not known"]
    assert labels.refused(number="") == ["Tracking number  is not known"]
    assert labels.refused(depot="902") == [f"Tracking number {NUMBER} is not known"]
    assert labels.barcode(depot="901") == BARCODES[0]


@pytest.mark.rule("PF-2.2-6")
def test_only_an_accepted_consignment_has_labels(labels: Labels) -> None:
    labels.make(status="UNACCEPTED")
    assert labels.refused() == [f"Tracking number {NUMBER} is not accepted"]
    labels.simulator.control("change", trackingNumber=NUMBER, consignmentStatus="ACCEPTED")
    assert labels.barcode() == BARCODES[0]
    labels.simulator.control("change", trackingNumber=NUMBER, cancel=True)
    assert labels.refused() == [f"Tracking number {NUMBER} is not accepted"]


@pytest.mark.rule("PF-2.2-1")
def test_the_transaction_number_is_that_of_the_upload_or_empty(labels: Labels) -> None:
    labels.make(uniqueTransactionNumber="AF-51-1")
    wrong = [f"uniqueTransactionNumber: must be that of the upload of {NUMBER}"]
    assert labels.refused(transaction="AF-51-2") == labels.refused(transaction="") == wrong
    assert labels.barcode(transaction="AF-51-1") == BARCODES[0]
    # The delivery depot did not upload it.
    foreign = [f"uniqueTransactionNumber: must be empty, {NUMBER} was not uploaded by you"]
    assert labels.refused(depot="901", transaction="AF-51-1") == foreign
    assert labels.barcode(depot="901") == BARCODES[0]


@pytest.mark.rule("PF-2.2-5", "PF-9-10")
def test_a_change_of_routing_or_service_gives_labels_with_new_barcodes(labels: Labels) -> None:
    labels.make()
    labels.simulator.control("change", trackingNumber=NUMBER, deliveryDepot="927")
    assert labels.barcode() == f"506927A{NUMBER}01"
    labels.simulator.control("change", trackingNumber=NUMBER, serviceName="B")
    assert labels.barcode() == f"506927B{NUMBER}01"


def fault(labels: Labels, name: str, **order: Any) -> None:
    labels.simulator.control("faults", operation="DownloadLabel", fault=name, **order)


def journal(labels: Labels) -> list[tuple[Any, ...]]:
    return [(entry["operation"], entry["outcome"], entry["fault"]) for entry in labels.simulator.journal()]


def held(labels: Labels) -> Any:
    return requests.get(f"{labels.simulator.root}/_sim/consignments", timeout=30).json()


@pytest.mark.rule("PF-9-33")
@pytest.mark.parametrize(
    ("options", "body"), [({}, {"success": True}), ({"empty": True}, {"success": True, "labelImages": []})]
)
def test_label_missing(labels: Labels, options: dict[str, Any], body: dict[str, Any]) -> None:
    labels.make()
    before = held(labels)
    fault(labels, "label_missing", count=2, options=options)
    assert [labels.ask().json() for _ in range(2)] == [body] * 2
    assert labels.barcode() == BARCODES[0]
    struck = ("DownloadLabel", "OK", "label_missing")
    assert journal(labels) == [struck, struck, ("DownloadLabel", "OK", None)]
    assert held(labels) == before


@pytest.mark.rule("PF-9-33")
def test_label_not_jpeg(labels: Labels) -> None:
    labels.make()
    before = held(labels)
    fault(labels, "label_not_jpeg", count=2)
    for _ in range(2):
        content = labels.bytes()
        assert not content.startswith(b"\xff\xd8\xff")
        assert Image.open(io.BytesIO(content)).format == "PNG"
    assert labels.barcode() == BARCODES[0]
    assert held(labels) == before


@pytest.mark.rule("PF-9-33")
def test_label_bad_base64_is_refused_by_a_strict_reader_only(labels: Labels) -> None:
    labels.make()
    before = held(labels)
    good = labels.bytes()
    fault(labels, "label_bad_base64", count=2)
    for _ in range(2):
        text = labels.ask().json()["labelImages"][0]["imageData"]
        with pytest.raises(binascii.Error):
            base64.b64decode(text, validate=True)
        assert base64.b64decode(text) == good
    assert labels.bytes() == good
    assert held(labels) == before


@pytest.mark.rule("PF-9-33", "PF-9-7")
@pytest.mark.parametrize("name", ["label_missing", "label_not_jpeg", "label_bad_base64"])
def test_a_label_fault_can_be_kept_to_one_consignment(labels: Labels, name: str) -> None:
    labels.make()
    fault(labels, name, trackingNumber="9000020000001")
    assert labels.barcode() == BARCODES[0]
    fault(labels, name, trackingNumber=NUMBER)
    labels.ask()
    assert journal(labels)[-1] == ("DownloadLabel", "OK", name)
    assert labels.barcode() == BARCODES[0]


@pytest.mark.rule("PF-9-29", "PF-9-30")
@pytest.mark.parametrize(
    ("name", "http"), [("http_401", 401), ("http_429", 429), ("http_503", 503), ("html_500", 500), ("http_502", 502)]
)
def test_the_faults_of_every_operation_strike_labels_too(labels: Labels, name: str, http: int) -> None:
    labels.make()
    fault(labels, name)
    assert labels.ask().status_code == http
    assert labels.barcode() == BARCODES[0]
