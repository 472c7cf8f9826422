"""Documents on the desk: thumbnails, previews with the facts, downloads, and whether customers may see them."""

import io

import pytest
from pikepdf import Encryption, Pdf
from PIL import Image
from tests.desk.desk_orders import order
from tests.documents.photo_files import add_page, contents_bomb, jpeg, photo, photo_pdf, written

from palletflow.desk.preview_cache import PREVIEWS
from palletflow.documents import media
from palletflow.documents.storage import open_storage
from palletflow.store import documents
from palletflow.store.documents import Document

PHOTO = jpeg(photo(1))
SCRIPT = "<script>alert('x')</script> \"&.pdf"


@pytest.fixture
def keep(api, store, desk):
    """Keeps a document of an order's only consignment; its id."""
    made = api.post("/orders", order(), 201)
    [consignment] = api.get("/orders/SO-1")["consignments"]

    def keep(data, name="pod.pdf", kind="POD", **more):
        kept = open_storage().put(data)
        media_type = media.sniff(data) or media.PDF
        return documents.add(
            store,
            Document(
                **{
                    "order_id": made["id"],
                    "consignment_id": consignment["id"],
                    "pallet_number": None,
                    "kind": kind,
                    "name": name,
                    "media_type": media_type,
                    "size": kept.size,
                    "sha256": kept.sha256,
                    "source": "test <b>source</b>",
                    "actor": "<i>somebody</i>",
                    **more,
                }
            ),
        )

    return keep


def test_a_photo_and_a_pdf_have_thumbnails_and_pages_to_read(desk, keep):
    number = keep(PHOTO, "photo.jpg", "PHOTO")
    small, large = desk.get(f"/documents/{number}/thumbnail"), desk.get(f"/documents/{number}/preview.png")
    assert small.headers["Content-Type"] == large.headers["Content-Type"] == "image/png"
    assert max(Image.open(io.BytesIO(small.content)).size) == 320
    assert Image.open(io.BytesIO(large.content)).size == (1200, 896)

    scan = keep(photo_pdf(PHOTO, PHOTO), "scan.pdf")
    shown = desk.get(f"/documents/{scan}/preview").text
    assert f"/documents/{scan}/preview.png?page=2" in shown
    assert "page=3" not in shown
    page = Image.open(io.BytesIO(desk.get(f"/documents/{scan}/preview.png?page=2").content))
    assert 1590 <= max(page.size) <= 1600


def test_a_browser_asks_before_it_shows_a_preview_again_and_nothing_is_drawn_for_that(
    desk, looker, stranger, keep, store, monkeypatch
):
    number = keep(PHOTO)
    path = f"/documents/{number}/thumbnail"
    first = desk.get(path)
    assert first.headers["Cache-Control"] == "private, no-cache"
    tag = first.headers["ETag"]
    assert desk.get(f"/documents/{number}/preview.png").headers["ETag"] != tag

    def drawn(*_):
        raise AssertionError("what the browser holds is not drawn again")

    monkeypatch.setattr(PREVIEWS, "get", drawn)
    for held in (tag, f'"another", W/{tag}'):
        again = desk.get(path, 304, headers={"If-None-Match": held})
        assert (again.content, again.headers["ETag"], again.headers["Cache-Control"]) == (b"", tag, "private, no-cache")
    looker.get(path, 304, headers={"If-None-Match": tag})
    # Whoever is logged out is not told that it holds, nor is anybody once it is gone.
    stranger.get(path, 401, headers={"If-None-Match": tag})
    store.execute("DELETE FROM documents WHERE id = %s", (number,))
    desk.get(path, 404, headers={"If-None-Match": tag})


def locked():
    pdf = Pdf.new()
    add_page(pdf)
    return written(pdf, encryption=Encryption(user="secret", owner="secret"))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"%PDF-1.7 nothing", "The file is damaged"),
        (PHOTO[:20_000], "The file is damaged"),
        (locked(), "Locked with a password"),
        (contents_bomb(), "Too large to be shown"),
        (b"^XA^FDlabel^FS^XZ", "Made for a label printer"),
    ],
    ids=["damaged", "cut off", "locked", "bomb", "label"],
)
def test_what_cannot_be_drawn_says_why(desk, keep, data, why):
    number = keep(data)
    for picture in ("thumbnail", "preview.png"):
        answer = desk.get(f"/documents/{number}/{picture}")
        assert answer.headers["Content-Type"] == "image/svg+xml"
        assert why in answer.text
        assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert why in desk.get(f"/documents/{number}/preview").text


def test_bytes_that_are_gone_are_said_to_be_and_come_back_when_restored(desk, keep, tmp_path):
    number = keep(jpeg(photo(2, (400, 300))))
    [file] = [one for one in (tmp_path / "documents").rglob("*") if one.is_file()]
    away = file.rename(tmp_path / "away")
    gone = desk.get(f"/documents/{number}/preview.png?page=1")
    assert ("Its bytes are gone" in gone.text, gone.headers["Cache-Control"]) == (True, "private, no-store")
    desk.get(f"/documents/{number}", 404)
    away.rename(file)
    assert desk.get(f"/documents/{number}/preview.png").headers["Content-Type"] == "image/png"


def test_what_strangers_wrote_is_text_on_the_page_and_a_safe_name_of_the_file(desk, keep):
    number = keep(PHOTO, SCRIPT, barcode="<script>")
    shown = desk.get(f"/documents/{number}/preview")
    for word in ("<script", "<b>source", "<i>somebody"):
        assert word not in shown.text
    assert "script-src" not in shown.headers["Content-Security-Policy"]
    fetched = desk.get(f"/documents/{number}")
    assert fetched.content == PHOTO
    assert fetched.headers["Content-Disposition"].startswith('attachment; filename="_script_alert_')
    assert "<" not in fetched.headers["Content-Disposition"]
    assert "sandbox" in fetched.headers["Content-Security-Policy"]


def test_what_customers_see_is_said_by_a_person_and_written_down(desk, looker, stranger, keep, store):
    number = keep(PHOTO)
    page = f"/documents/{number}/preview"
    assert "do not see it" in desk.get(page).text
    assert "<button>" not in looker.get(page).text
    looker.post(f"/documents/{number}/visible", status=403, visible="true")
    stranger.get(page, 401)
    stranger.get(f"/documents/{number}/thumbnail", 401)
    stranger.get(f"/documents/{number}", 401)

    answer = desk.post(f"/documents/{number}/visible", on=page, visible="true")
    assert answer.headers["Location"].endswith(f"{page}?said=shown-to-customers")
    desk.post(f"/documents/{number}/visible", visible="true")
    assert "may see it" in desk.get(page).text
    desk.post(f"/documents/{number}/visible", on=page, visible="false")
    written = store.execute(
        "SELECT kind, actor, changes FROM activity WHERE kind LIKE 'document % customers' ORDER BY id"
    ).fetchall()
    assert written == [
        ("document shown to customers", "clerk", {"document": [None, "POD: pod.pdf"]}),
        ("document hidden from customers", "clerk", {"document": ["POD: pod.pdf", None]}),
    ]


def test_there_is_no_document_that_there_is_not(desk):
    for path in ("/documents/99", "/documents/99/thumbnail", "/documents/99/preview", "/documents/99/preview.png"):
        desk.get(path, 404)
