"""The Palletways simulator's images and labels: sections 2.8 and 2.9, and the switches of section 8 about them."""

import ftplib
import hashlib
import io
import time
import zipfile

import pikepdf
import pypdf
import pytest
from PIL import Image, ImageChops, ImageStat
from tests.networks.palletways.simulated import START

from palletflow.networks.palletways.simulator import UPLOAD_PASSWORD
from palletflow.networks.palletways.simulator.pictures import photo

NO_POD = "ERROR: POD not found for this ID."


def fetch(sim, tracking_id, method="podimages", **more):
    answer = sim.call(method, tracking_id, portal=True, **more)
    assert answer.status_code == 200
    return answer.content


def images(pdf, password=""):
    """The image streams of a PDF in page order, as they are: (filter, bytes, width, height)."""
    found = []
    with pikepdf.open(io.BytesIO(pdf), password=password) as opened:
        for page in opened.pages:
            for image in page.Resources.XObject.values():
                found.append((str(image.Filter), image.read_raw_bytes(), int(image.Width), int(image.Height)))
    return found


def digests(pdf):
    return [hashlib.sha256(data).hexdigest() for _, data, _, _ in images(pdf)]


def grey(data, size=(64, 64)):
    return Image.open(io.BytesIO(data)).convert("L").resize(size, Image.Resampling.BOX)


def difference_hash(data):
    """256 bits: whether each cell of a 16 by 16 picture is brighter than its right neighbour."""
    cells = grey(data, (17, 16)).tobytes()
    return [cells[17 * row + at] > cells[17 * row + at + 1] for row in range(16) for at in range(16)]


def mean_difference(one, other):
    return ImageStat.Stat(ImageChops.difference(grey(one), grey(other))).mean[0]


# Photos as they come (2.8)


@pytest.mark.rule("PW-2.8-1", "PW-1.3-8")
def test_photos_come_as_a_pdf_of_one_image_a_page_that_grows(palletways_sim):
    one = palletways_sim.add()
    assert fetch(palletways_sim, one).decode().strip() == NO_POD
    assert fetch(palletways_sim, "60099999999").decode().strip() == NO_POD
    [first] = palletways_sim.photo(one)
    [late] = palletways_sim.photo(one, labels=["late"], after_s=180)
    before = fetch(palletways_sim, one)
    assert digests(before) == [first]
    assert fetch(palletways_sim, one) == before
    palletways_sim.advance(180)
    assert digests(fetch(palletways_sim, one)) == [first, late]
    assert digests(fetch(palletways_sim, one, "getPodByTrackingId")) == [late]


@pytest.mark.rule("PW-8-4")
def test_photos_are_detailed_and_large_and_no_two_look_alike(palletways_sim):
    one = palletways_sim.add()
    palletways_sim.photo(one, labels=["a", "b", "c", "d"])
    taken = images(fetch(palletways_sim, one))
    assert {(name, width, height) for name, _, width, height in taken} == {("/DCTDecode", 1200, 900)}
    pictures = [data for _, data, _, _ in taken]
    for picture in pictures:
        assert len(picture) > 80_000
        assert sum(cell > 235 for cell in grey(picture).tobytes()) < 2048
    for place, picture in enumerate(pictures):
        for other in pictures[place + 1 :]:
            assert sum(a != b for a, b in zip(difference_hash(picture), difference_hash(other), strict=True)) > 40
    assert photo("x") == photo("x")


@pytest.mark.rule("PW-8-8")
def test_pages_for_all_appear_at_their_time_after_delivery(palletways_sim):
    one, other = palletways_sim.add_many(count=2)
    palletways_sim.switch(pages=[["a", 0], ["b", 180], ["c", 720]])
    palletways_sim.status(one, 900)
    counts = []
    for minute in (0, 1, 2, 4, 7, 10, 15):
        palletways_sim.control("clock", now=START.replace(minute=30 + minute).isoformat())
        counts.append(len(images(fetch(palletways_sim, one))))
    assert counts == [1, 1, 1, 2, 2, 2, 3]
    assert fetch(palletways_sim, other).decode().strip() == NO_POD


@pytest.mark.rule("PW-8-9")
@pytest.mark.parametrize("how", ["lossless", "jpeg60", "half"])
def test_the_same_photo_re_encoded_still_looks_the_same(palletways_sim, how):
    one = palletways_sim.add()
    palletways_sim.photo(one, labels=["a", "b"])
    originals = [data for _, data, _, _ in images(fetch(palletways_sim, one))]
    palletways_sim.switch(reencode=how)
    for original, (name, data, width, height) in zip(originals, images(fetch(palletways_sim, one)), strict=True):
        assert data != original
        if how == "lossless":
            with pikepdf.open(io.BytesIO(fetch(palletways_sim, one))) as opened:
                decoded = [page.Resources.XObject.Im0.read_bytes() for page in opened.pages]
            assert name == "/FlateDecode"
            assert Image.open(io.BytesIO(original)).convert("RGB").tobytes() in decoded
            continue
        assert (width, height) == ((600, 450) if how == "half" else (1200, 900))
        # What a client may take for the same picture (section 5).
        assert sum(a != b for a, b in zip(difference_hash(data), difference_hash(original), strict=True)) <= 6
        assert mean_difference(data, original) <= 2.0


@pytest.mark.rule("PW-8-10")
def test_pages_in_another_order_and_twice(palletways_sim):
    one = palletways_sim.add()
    first, second = palletways_sim.photo(one, labels=["a", "b"])
    palletways_sim.switch(page_order="newest")
    assert digests(fetch(palletways_sim, one)) == [second, first]
    palletways_sim.switch(page_order="oldest", duplicate_page="on")
    assert digests(fetch(palletways_sim, one)) == [first, second, second]


@pytest.mark.rule("PW-8-10")
def test_two_signed_notes_on_one_form(palletways_sim):
    one = palletways_sim.add()
    palletways_sim.switch(lookalike_scans="on")
    (_, first, *_), (_, second, *_) = images(fetch(palletways_sim, one))
    assert first != second
    assert mean_difference(first, second) < 2.0
    for scan in (first, second):
        assert sum(cell > 235 for cell in grey(scan).tobytes()) > 2048


# Answers that are no photos


@pytest.mark.rule("PW-8-12", "PW-1.3-2")
@pytest.mark.parametrize(
    ("answer", "begins"),
    [("pdf", b"%PDF-"), ("sentence", NO_POD.encode()), ("html", b"<html>"), ("xml", b"<?xml"), ("json", b'{"Status"'),
     ("jpeg", b"\xff\xd8\xff"), ("zip", b"PK\x03\x04")],
)  # fmt: skip
def test_what_comes_instead_of_a_pdf(palletways_sim, answer, begins):
    one = palletways_sim.add()
    [sha256] = palletways_sim.photo(one)
    palletways_sim.switch(photo_answer=answer)
    body = fetch(palletways_sim, one, outputformat="xml")
    assert body.startswith(begins)
    if answer == "jpeg":
        assert hashlib.sha256(body).hexdigest() == sha256
    if answer == "zip":
        assert zipfile.ZipFile(io.BytesIO(body)).testzip() is None
    palletways_sim.switch(photo_answer="empty")
    assert fetch(palletways_sim, one) == b""


@pytest.mark.rule("PW-8-11")
@pytest.mark.parametrize(
    ("fault", "words"), [("error_page", ["ERROR", "not found"]), ("label_page", ["FROM", "TRACKING", "OF"])]
)
def test_pages_of_text(palletways_sim, fault, words):
    palletways_sim.switch(pdf_fault=fault)
    [page] = pypdf.PdfReader(io.BytesIO(fetch(palletways_sim, palletways_sim.add()))).pages
    assert all(word in page.extract_text() for word in words)
    assert not page.images


@pytest.mark.rule("PW-8-11")
def test_a_damaged_pdf_has_readable_pages_and_one_that_is_not(palletways_sim):
    one = palletways_sim.add()
    sent = palletways_sim.photo(one, labels=["a", "b", "c"])
    palletways_sim.switch(pdf_fault="malformed")
    pdf = fetch(palletways_sim, one)
    assert digests(pdf)[:2] == sent[:2]
    with pytest.raises(OSError, match="truncated"):
        Image.open(io.BytesIO(images(pdf)[2][1])).load()
    with pytest.raises(pypdf.errors.PyPdfError):
        pypdf.PdfReader(io.BytesIO(pdf), strict=True)


@pytest.mark.rule("PW-8-11")
def test_an_encrypted_pdf_opens_with_no_empty_password(palletways_sim):
    one = palletways_sim.add()
    palletways_sim.photo(one)
    palletways_sim.switch(pdf_fault="encrypted")
    pdf = fetch(palletways_sim, one)
    with pytest.raises(pikepdf.PasswordError):
        images(pdf)
    assert len(images(pdf, password="sim")) == 1
    assert fetch(palletways_sim, one) == pdf


@pytest.mark.rule("PW-8-11")
def test_pdfs_that_are_too_large(palletways_sim):
    one = palletways_sim.add()
    palletways_sim.photo(one)
    palletways_sim.switch(pdf_fault="huge")
    assert len(fetch(palletways_sim, one)) > 25 << 20
    palletways_sim.switch(pdf_fault="many_pages")
    assert len(images(fetch(palletways_sim, one))) == 61
    palletways_sim.switch(pdf_fault="bomb")
    pdf = fetch(palletways_sim, one)
    [(_, _, width, height)] = images(pdf)
    assert width * height > 50_000_000
    assert len(pdf) < 4 << 20


@pytest.mark.rule("PW-8-11")
def test_a_blank_page(palletways_sim):
    palletways_sim.switch(pdf_fault="blank")
    [page] = pypdf.PdfReader(io.BytesIO(fetch(palletways_sim, palletways_sim.add()))).pages
    assert not page.images
    assert not page.extract_text()


@pytest.mark.rule("PW-2.8-2", "PW-8-13")
def test_podimages_under_its_other_spelling_or_closed(palletways_sim):
    one = palletways_sim.add()
    palletways_sim.photo(one)
    assert b"not available" in fetch(palletways_sim, one, "rpodimages")
    palletways_sim.switch(podimages_name="rpodimages")
    assert b"not available" in fetch(palletways_sim, one)
    assert fetch(palletways_sim, one, "rpodimages").startswith(b"%PDF-")
    palletways_sim.switch(podimages_name="podimages", podimages_open="not_available")
    assert b"not available" in fetch(palletways_sim, one)
    palletways_sim.switch(podimages_open="not_authorised")
    assert b"not authorised" in fetch(palletways_sim, one)
    assert fetch(palletways_sim, one, "getPodByTrackingId").startswith(b"%PDF-")


# Uploads come back (8)


def upload(sim, name, data, user="pw123"):
    with ftplib.FTP() as ftp:
        ftp.connect("127.0.0.1", sim.ports["ftp"], timeout=30)
        ftp.login(user, UPLOAD_PASSWORD)
        ftp.storbinary(f"STOR {name}.part", io.BytesIO(data))
        ftp.rename(f"{name}.part", name)


def picture(form, frames=1):
    drawn = [Image.open(io.BytesIO(photo(f"{form} {number}"))) for number in range(frames)]
    buffer = io.BytesIO()
    more = {"save_all": True, "append_images": drawn[1:]} if frames > 1 else {}
    drawn[0].save(buffer, form, **more)
    return buffer.getvalue()


@pytest.mark.rule("PW-8-4", "PW-8-28")
@pytest.mark.parametrize(
    ("form", "extension", "pages"), [("JPEG", "jpg", 1), ("PNG", "png", 1), ("TIFF", "tif", 2), ("PDF", "pdf", 2)]
)
def test_an_uploaded_image_becomes_pages_of_podimages(palletways_sim, form, extension, pages):
    one = palletways_sim.add(role="delivering")
    data = picture(form, pages)
    upload(palletways_sim, f"{one}_1.{extension}", data)
    assert palletways_sim.content("pw123", f"{one}_1.{extension}") == data
    assert fetch(palletways_sim, one).decode().strip() == NO_POD
    palletways_sim.advance(59)
    assert fetch(palletways_sim, one).decode().strip() == NO_POD
    palletways_sim.advance(1)
    shown = fetch(palletways_sim, one)
    assert len(images(shown)) == pages
    assert [entry["source"] for entry in palletways_sim.one(one)["photos"]] == ["upload"] * pages
    if form == "JPEG":
        assert [data for _, data, _, _ in images(shown)] == [data]


@pytest.mark.rule("PW-8-28")
def test_an_uploaded_image_may_come_back_at_once_and_re_encoded(palletways_sim):
    one = palletways_sim.add(role="delivering")
    palletways_sim.switch(publish_delay_s=0, publish_reencode="jpeg75")
    data = picture("JPEG")
    upload(palletways_sim, f"{one}_1.jpg", data)
    [(_, shown, _, _)] = images(fetch(palletways_sim, one))
    assert shown != data
    assert mean_difference(shown, data) <= 2.0


@pytest.mark.rule("PW-8-27", "PW-8-4")
def test_uploads_of_unknown_consignments_are_set_aside_and_unreadable_ones_not_shown(palletways_sim):
    one = palletways_sim.add(role="delivering")
    palletways_sim.switch(publish_delay_s=0)
    upload(palletways_sim, "60099999999_1.jpg", picture("JPEG"))
    upload(palletways_sim, f"{one}_1.jpg", b"no picture")
    assert {(file["name"], file["set_aside"]) for file in palletways_sim.files()} == {
        ("60099999999_1.jpg", True),
        (f"{one}_1.jpg", False),
    }
    assert fetch(palletways_sim, one).decode().strip() == NO_POD


@pytest.mark.rule("PW-6-2", "PW-6-4", "PW-6-10", "PW-8-32")
def test_uploads_that_should_not_have_been_are_noticed(palletways_sim):
    palletways_sim.expect_violations = True
    delivering, requesting = palletways_sim.add(role="delivering"), palletways_sim.add(role="requesting")
    upload(palletways_sim, f"{requesting}_1.jpg", picture("JPEG"))
    palletways_sim.photo(delivering)
    [(_, served, _, _)] = images(fetch(palletways_sim, delivering))
    upload(palletways_sim, f"{delivering}_1.jpg", served)
    palletways_sim.switch(rename="overwrite")
    upload(palletways_sim, f"{delivering}_1.jpg", picture("JPEG"))
    rules = [(violation["rule"], violation["detail"]) for violation in palletways_sim.violations()]
    assert rules == [
        ("not_delivering", f"pw123: {requesting}_1.jpg"),
        ("echo_upload", f"pw123: {delivering}_1.jpg"),
        ("overwritten_upload", f"pw123: {delivering}_1.jpg"),
    ]


def test_the_control_paths_tell_of_the_file_servers(palletways_sim):
    assert set(palletways_sim.ports) == {"ftp", "ftps", "sftp"}
    one = palletways_sim.add(role="delivering")
    upload(palletways_sim, f"{one}_1.jpg", picture("JPEG"))
    deadline = time.monotonic() + 30
    while (sessions := palletways_sim.look("files/sessions"))["connections"]["ftp"]["open"]:
        assert time.monotonic() < deadline
    assert "RNTO" in {entry["command"] for entry in sessions["commands"]}
    [finished] = palletways_sim.look("files")["finished"]
    assert (finished["name"], finished["tracking_id"]) == (f"{one}_1.jpg", one)
    palletways_sim.reset()
    assert palletways_sim.look("files") == {"files": [], "finished": []}
    assert palletways_sim.look("files/sessions")["commands"] == []


# Labels (2.9)


def label_pages(body):
    return pypdf.PdfReader(io.BytesIO(body)).pages


@pytest.mark.rule("PW-2.9-1", "PW-2.9-3", "PW-2.9-5")
def test_labels_have_a_page_per_pallet_with_its_barcode(palletways_sim):
    one = palletways_sim.add(bill_units={"FP": 2}, number="77", tail_lift=True)
    for portal in (False, True):
        body = palletways_sim.call("getLabelsByTID", one, portal=portal).content
        texts = [page.extract_text() for page in label_pages(body)]
        barcodes = palletways_sim.one(one)["manifest"]["Depot"]["Account"]["Consignment"][0]["Pallet"]
        assert len(texts) == len(barcodes) == 2
        for text, barcode in zip(texts, barcodes, strict=True):
            assert all(word in text for word in (one, "77-123", barcode, "TAIL-LIFT YES", "OF 002"))
            assert "ERROR" not in text


@pytest.mark.rule("PW-2.9-1")
@pytest.mark.parametrize("spelling", ["degrees", "degreees"])
def test_labels_can_be_turned(palletways_sim, spelling):
    one = palletways_sim.add()
    assert label_pages(palletways_sim.call("getLabelsByTID", one, spelling, "90").content)[0].rotation == 90
    assert label_pages(palletways_sim.call("getLabelsByTID", one).content)[0].rotation == 0
    assert "ERROR_FORMAT_INVALID" in palletways_sim.call("getLabelsByTID", one, spelling, "45").text


@pytest.mark.rule("PW-2.9-4", "PW-8-20")
def test_no_label_is_told_in_an_envelope_or_on_a_page_that_looks_like_one(palletways_sim):
    answer = palletways_sim.call("getLabelsByTID", "60099999999", output="xml")
    assert "<Code>NO_RESULTS_FOUND</Code>" in answer.text
    palletways_sim.switch(label_error="pdf")
    [page] = label_pages(palletways_sim.call("getLabelsByTID", "60099999999").content)
    assert "ERROR" in page.extract_text()
    assert "60099999999" not in page.extract_text()
