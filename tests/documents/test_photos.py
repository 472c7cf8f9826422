"""What is taken for a photo, what is not, and how each is saved. Every file is read by a real child process."""

import hashlib
import io
import zlib

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Encryption, Name, Pdf, Stream
from PIL import Image, ImageChops, ImageStat
from reportlab.pdfgen.canvas import Canvas
from tests.documents.photo_files import (
    SIZE,
    add_page,
    jpeg,
    jpeg_stream,
    note,
    opened,
    photo,
    photo_pdf,
    png,
    raw_stream,
    saved,
    text_pdf,
    tiff,
    written,
)

from palletflow.documents import media, photos
from palletflow.documents.fingerprints import EXACT, NEAR, of, same
from palletflow.documents.photos import Fault, Limits, prints, split

LIMITS = Limits()
ONE, TWO, THREE = (jpeg(photo(seed)) for seed in (1, 2, 3))
SMALL = jpeg(photo(4, (199, 640)))
LABEL = "FROM Sender Ltd\nREF SO-123\nTRACKING 60000000017\nBOOK IN\n1 OF 002"


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def reasons(found: photos.Split) -> list[str]:
    return [fault.reason for fault in found.faults]


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two pictures of one size, of 255."""
    assert one.size == other.size
    return max(ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean)


@pytest.mark.rule("PW-5-17", "PW-5-20")
def test_each_photo_of_a_pdf_keeps_its_bytes():
    found = split(photo_pdf(ONE, TWO, THREE), LIMITS)
    assert [photo.data for photo in found.photos] == [ONE, TWO, THREE]
    assert {photo.media_type for photo in found.photos} == {media.JPEG}
    assert [photo.page for photo in found.photos] == [1, 2, 3]
    assert [photo.fingerprint for photo in found.photos] == [of(opened(data)) for data in (ONE, TWO, THREE)]
    assert (found.faults, found.pages) == ([], 3)


@pytest.mark.rule("PW-5-17")
def test_photos_of_one_page_come_in_the_order_in_which_it_draws_them():
    pdf = Pdf.new()
    add_page(pdf, [jpeg_stream(pdf, data) for data in (THREE, ONE, TWO)])
    pdf.pages[0].Contents = Stream(pdf, b"/Im1 Do /Im0 Do /Im1 Do")
    found = split(written(pdf), LIMITS)
    # The third is held and not drawn, the first drawn twice.
    assert [photo.data for photo in found.photos] == [ONE, THREE]


@pytest.mark.rule("PW-5-17")
def test_a_photo_within_a_form_is_found():
    pdf = Pdf.new()
    held = Dictionary(XObject=Dictionary(Inner=jpeg_stream(pdf, ONE)))
    form = Stream(pdf, b"/Inner Do", Type=Name.XObject, Subtype=Name.Form, BBox=Array([0, 0, 1, 1]), Resources=held)
    add_page(pdf, [form, jpeg_stream(pdf, TWO)])
    assert [photo.data for photo in split(written(pdf), LIMITS).photos] == [ONE, TWO]


@pytest.mark.rule("PW-5-17")
def test_a_form_that_draws_itself_is_drawn_once():
    pdf = Pdf.new()
    form = pdf.make_indirect(
        Stream(pdf, b"/Self Do /Inner Do", Type=Name.XObject, Subtype=Name.Form, BBox=Array([0, 0, 1, 1]))
    )
    form.Resources = Dictionary(XObject=Dictionary(Self=form, Inner=jpeg_stream(pdf, ONE)))
    add_page(pdf, [form])
    assert [photo.data for photo in split(written(pdf), LIMITS).photos] == [ONE]


@pytest.mark.rule("PW-5-17")
def test_a_picture_written_into_the_contents_is_found():
    pdf = Pdf.new()
    image = photo(5, (200, 240)).convert("L")
    head = b"BI /W 200 /H 240 /BPC 8 /CS /G ID "
    add_page(pdf, more=b"q 1 0 0 1 0 0 cm " + head + image.tobytes() + b" EI Q")
    [found] = split(written(pdf), LIMITS).photos
    assert found.media_type == media.PNG
    assert opened(found.data).tobytes() == image.tobytes()


@pytest.mark.rule("PW-5-17")
def test_a_picture_needs_200_pixels_on_both_sides_or_what_is_set():
    pdf = Pdf.new()
    add_page(pdf, [jpeg_stream(pdf, SMALL), jpeg_stream(pdf, ONE)])
    data = written(pdf)
    assert [photo.data for photo in split(data, LIMITS).photos] == [ONE]
    assert [photo.data for photo in split(data, Limits(min_photo_px=199)).photos] == [SMALL, ONE]


def many(count: int) -> tuple[bytes, list[bytes]]:
    """A page of so many pictures."""
    parts = [jpeg(photo(10 + number, (400, 200))) for number in range(count)]
    pdf = Pdf.new()
    add_page(pdf, [jpeg_stream(pdf, part) for part in parts], Rotate=90, Annots=Array([Dictionary(Subtype=Name.Link)]))
    return written(pdf), parts


@pytest.mark.rule("PW-5-17")
def test_eight_pictures_on_a_page_are_eight_photos():
    data, parts = many(8)
    assert len(split(data, LIMITS).photos) == len(parts)


@pytest.mark.rule("PW-5-18")
def test_a_page_of_nine_pictures_stays_a_page():
    data, parts = many(9)
    found = split(data, LIMITS)
    [kept] = found.photos
    assert (found.faults, kept.media_type, kept.page) == ([], media.PDF, 1)
    assert not kept.fingerprint.photo_like
    with pikepdf.open(io.BytesIO(kept.data)) as pdf:
        [page] = pdf.pages
        held = page.Resources.XObject
        assert [held[f"/Im{number}"].read_raw_bytes() for number in range(9)] == parts
        assert page.Rotate == 90
        assert "/Annots" not in page
    again = split(data, LIMITS).photos[0].fingerprint
    assert same(again, kept.fingerprint, EXACT)
    other = split(many(10)[0], LIMITS).photos[0].fingerprint
    assert not same(other, kept.fingerprint, NEAR)


@pytest.mark.rule("PW-5-19")
def test_a_blank_page_is_skipped():
    pdf = Pdf.new()
    add_page(pdf)
    add_page(pdf, [jpeg_stream(pdf, ONE)])
    add_page(pdf, more=b"q 1 0 0 1 0 0 cm Q")
    found = split(written(pdf), LIMITS)
    assert [(photo.data, photo.page) for photo in found.photos] == [(ONE, 2)]
    assert (found.faults, found.pages) == ([], 3)


@pytest.mark.rule("PW-5-19")
@pytest.mark.parametrize(
    ("images", "words", "more"),
    [((), "Delivered in good order", b""), ((), "", b"100 100 200 200 re f"), ((SMALL,), "", b"")],
    ids=["text", "vectors", "a small picture"],
)
def test_a_page_without_a_photo_is_told_of(images, words, more):
    pdf = Pdf.new()
    add_page(pdf, [jpeg_stream(pdf, data) for data in images], words, more)
    add_page(pdf, [jpeg_stream(pdf, TWO)])
    found = split(written(pdf), LIMITS)
    assert [photo.data for photo in found.photos] == [TWO]
    [fault] = found.faults
    assert fault.reason == "not_a_photo"
    assert "page 1" in fault.detail


@pytest.mark.rule("PW-5-17")
def test_words_beside_a_photo_do_no_harm():
    found = split(text_pdf("Delivered to: Reception\nREF SO-123\nFROM Sender", image=ONE), LIMITS)
    assert ([photo.data for photo in found.photos], found.faults) == ([ONE], [])


@pytest.mark.rule("PW-5-20")
@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_pictures_that_are_no_jpeg_are_saved_as_png_without_loss(mode):
    image = photo(6, (400, 300)).convert(mode)
    pdf = Pdf.new()
    add_page(pdf, [raw_stream(pdf, image)])
    [found] = split(written(pdf), LIMITS).photos
    assert found.media_type == media.PNG
    assert opened(found.data).mode == mode
    assert opened(found.data).tobytes() == image.tobytes()
    assert found.fingerprint == of(image)


@pytest.mark.rule("PW-5-20")
def test_a_fax_and_a_jpeg_2000_are_saved_as_png():
    image = photo(6, (400, 296))
    scan = image.convert("1")
    faxed = tiff(scan, compression="group4", tiffinfo={278: scan.height})
    fax = Image.open(io.BytesIO(faxed))
    [start], [length] = fax.tag_v2[273], fax.tag_v2[279]
    pdf = Pdf.new()
    sent, modern = raw_stream(pdf, scan), raw_stream(pdf, image)
    rules = Dictionary(K=-1, Columns=scan.width, Rows=scan.height, BlackIs1=fax.tag_v2[262] == 1)
    sent.write(faxed[start : start + length], filter=Name.CCITTFaxDecode, decode_parms=rules)
    modern.write(saved(image, "JPEG2000"), filter=Name.JPXDecode)
    add_page(pdf, [sent, modern])
    found = split(written(pdf), LIMITS)
    assert [photo.media_type for photo in found.photos] == [media.PNG, media.PNG]
    assert opened(found.photos[0].data).convert("1").tobytes() == scan.tobytes()
    assert opened(found.photos[1].data).tobytes() == image.tobytes()


TURNED_BACK = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}


@pytest.mark.rule("PW-5-20")
@pytest.mark.parametrize("angle", [90, 180, 270, -90, 450])
def test_a_turned_page_turns_a_jpeg_and_leaves_its_brightness(angle):
    [found] = split(photo_pdf(ONE, Rotate=angle), LIMITS).photos
    turned, before = opened(found.data), opened(ONE)
    assert found.media_type == media.JPEG
    assert turned.size == (SIZE if angle % 180 == 0 else SIZE[::-1])
    back = turned.transpose(TURNED_BACK[angle % 360])
    assert difference(back.convert("L"), before.convert("L")) < 0.1
    assert difference(back, before) < 1.5
    assert len(found.data) < 1.5 * len(ONE)
    assert found.fingerprint == of(turned)
    # A turned copy of a photo that is stored is that photo.
    assert same(found.fingerprint, of(before), NEAR)


@pytest.mark.rule("PW-5-20")
@pytest.mark.parametrize("angle", [90, 180, 270])
def test_a_turned_jpeg_of_odd_size_loses_nothing_to_see(angle):
    odd = jpeg(photo(7, (1203, 901)), 75)
    [found] = split(photo_pdf(odd, Rotate=angle), LIMITS).photos
    assert difference(opened(found.data).transpose(TURNED_BACK[angle]), opened(odd)) < 2


@pytest.mark.rule("PW-5-20")
def test_a_turned_grey_jpeg_stays_grey():
    grey = jpeg(photo(7).convert("L"))
    [found] = split(photo_pdf(grey, Rotate=90), LIMITS).photos
    assert opened(found.data).mode == "L"
    assert difference(opened(found.data).transpose(Image.Transpose.ROTATE_90), opened(grey)) < 0.1


@pytest.mark.rule("PW-5-20")
def test_a_turned_page_turns_a_png():
    image = photo(6, (400, 300))
    pdf = Pdf.new()
    add_page(pdf, [raw_stream(pdf, image)], Rotate=90)
    [found] = split(written(pdf), LIMITS).photos
    assert opened(found.data).tobytes() == image.transpose(Image.Transpose.ROTATE_270).tobytes()


@pytest.mark.rule("PW-5-20")
def test_the_turn_may_be_inherited_and_a_senseless_one_is_none():
    pdf = Pdf.new()
    add_page(pdf, [jpeg_stream(pdf, ONE)])
    add_page(pdf, [jpeg_stream(pdf, TWO)], Rotate=45)
    add_page(pdf, [jpeg_stream(pdf, THREE)], Rotate=Name.Left)
    pdf.Root.Pages.Rotate = 90
    found = split(written(pdf), LIMITS)
    assert [opened(photo.data).size for photo in found.photos] == [SIZE[::-1], SIZE, SIZE]


@pytest.mark.rule("PW-5-20")
@pytest.mark.parametrize("inverted", [True, False])
def test_colours_of_print_become_those_of_a_screen(inverted):
    red = Image.new("RGB", (400, 304), (200, 30, 40))
    inks = red.convert("CMYK")
    # Pillow writes inks the way Adobe's programs do, upside down; a PDF says whether they are.
    stored = jpeg(inks if inverted else ImageChops.invert(inks), 95)
    pdf = Pdf.new()
    decode = {"Decode": Array([1, 0] * 4)} if inverted else {}
    add_page(pdf, [jpeg_stream(pdf, stored, **decode)], Rotate=90)
    [found] = split(written(pdf), LIMITS).photos
    image = opened(found.data)
    assert (found.media_type, image.mode, image.size) == (media.JPEG, "RGB", (304, 400))
    assert difference(image, red.resize((304, 400))) < 5


@pytest.mark.rule("PW-5-20")
def test_plain_pixels_of_print_become_a_png_of_a_screen():
    red = Image.new("RGB", (400, 304), (200, 30, 40))
    pdf = Pdf.new()
    add_page(pdf, [raw_stream(pdf, red.convert("CMYK"))])
    [found] = split(written(pdf), LIMITS).photos
    assert (found.media_type, opened(found.data).mode) == (media.PNG, "RGB")
    assert difference(opened(found.data), red) < 2


@pytest.mark.rule("PW-5-20")
def test_a_jpeg_packed_once_more_is_unpacked():
    pdf = Pdf.new()
    image = jpeg_stream(pdf, ONE)
    image.write(zlib.compress(ONE), filter=Array([Name.FlateDecode, Name.DCTDecode]))
    add_page(pdf, [image])
    assert [photo.data for photo in split(written(pdf), LIMITS).photos] == [ONE]


@pytest.mark.rule("PW-5-21")
def test_a_jpeg_or_png_alone_is_one_photo_with_its_bytes():
    for data, media_type in ((ONE, media.JPEG), (png(photo(2)), media.PNG), (jpeg(photo(1, (60, 40))), media.JPEG)):
        found = split(data, LIMITS)
        assert [(photo.data, photo.media_type, photo.page) for photo in found.photos] == [(data, media_type, 1)]
        assert found.photos[0].fingerprint == of(opened(data))
        assert (found.faults, found.pages) == ([], 1)


@pytest.mark.rule("PW-5-20", "PW-5-21")
def test_a_jpeg_of_print_alone_becomes_rgb():
    red = Image.new("RGB", (400, 304), (200, 30, 40))
    [found] = split(jpeg(red.convert("CMYK"), 95), LIMITS).photos
    assert (found.media_type, opened(found.data).mode) == (media.JPEG, "RGB")
    assert difference(opened(found.data), red) < 5


@pytest.mark.rule("PW-5-21")
def test_each_frame_of_a_tiff_or_png_is_a_photo():
    images = [photo(1, (400, 300)), photo(2, (300, 250)).convert("L"), photo(3, (250, 250)).convert("1")]
    found = split(tiff(*images), LIMITS)
    assert [opened(photo.data).tobytes() for photo in found.photos] == [image.tobytes() for image in images]
    assert [(photo.media_type, photo.page) for photo in found.photos] == [(media.PNG, page) for page in (1, 2, 3)]
    assert found.pages == 3
    moving = png(images[0], save_all=True, append_images=[photo(9, (400, 300))])
    assert [photo.page for photo in split(moving, LIMITS).photos] == [1, 2]


@pytest.mark.rule("PW-5-21")
def test_a_tiff_as_scanners_write_them_is_read():
    image = photo(8, (640, 480))
    for how in ({"compression": "group4"}, {"compression": "tiff_lzw"}, {"compression": "jpeg"}):
        picture = image.convert("1") if how["compression"] == "group4" else image
        found = split(tiff(picture, **how), LIMITS)
        assert len(found.photos) == 1, how
    sixteen = Image.frombytes("I;16", (300, 300), bytes(range(250)) * 720)
    assert len(split(tiff(sixteen), LIMITS).photos) == 1


@pytest.mark.rule("PW-5-22")
def test_a_photo_twice_in_a_pdf_is_given_twice():
    found = split(photo_pdf(ONE, TWO, ONE), LIMITS)
    assert len(found.photos) == 3
    assert same(found.photos[0].fingerprint, found.photos[2].fingerprint, EXACT)


@pytest.mark.rule("PW-5-24")
def test_two_signed_notes_on_one_form_are_two_photos():
    found = split(photo_pdf(jpeg(note(1)), jpeg(note(2))), LIMITS)
    assert not same(found.photos[0].fingerprint, found.photos[1].fingerprint, NEAR)


@pytest.mark.rule("PW-5-27")
@pytest.mark.parametrize("words", ["ERROR: POD not found for this ID.", "The key is\nnot authorised", "Not found"])
def test_a_page_that_says_that_something_went_wrong_is_no_photo(words):
    found = split(text_pdf(words), LIMITS)
    assert (found.photos, reasons(found)) == ([], ["error_page"])
    # With a photo below it is one with a caption.
    assert [photo.data for photo in split(text_pdf(words, image=ONE), LIMITS).photos] == [ONE]


@pytest.mark.rule("PW-5-27")
def test_words_that_only_hold_an_error_say_none():
    assert reasons(split(text_pdf("Terrorem Mirrors Ltd"), LIMITS)) == ["not_a_photo"]


@pytest.mark.rule("PW-5-28")
@pytest.mark.parametrize("image", [None, ONE], ids=["alone", "with a picture"])
def test_a_label_is_no_photo_even_with_pictures(image):
    found = split(text_pdf(LABEL, image=image), LIMITS)
    assert (found.photos, reasons(found)) == ([], ["label_like"])


@pytest.mark.rule("PW-5-28")
@pytest.mark.parametrize(
    ("words", "label"),
    [
        ("from A\nref B\ntracking 60000000017\nbook-in", True),
        ("FROM A\nREF B\nTail lift", True),
        ("REF B\n2 of 12\nBOOK IN", True),
        ("FROM A\nREF B\nTRACKING 60000000017", False),
        ("FROM A\nBOOK IN", False),
        ("FROMAGE\nREFER\nBOOK INSIDE", False),
        ("FROM A\nREF B\nsome of many", False),
    ],
)
def test_three_label_words_make_a_label_one_of_the_last_three_among_them(words, label):
    assert (reasons(split(text_pdf(words, image=ONE), LIMITS)) == ["label_like"]) is label


@pytest.mark.rule("PW-5-28")
def test_label_words_can_be_set():
    mine = Limits(label_words=("ABSENDER", "EMPFANG", "n VON n"))
    found = split(text_pdf("Absender A\nEmpfang B\n1 von 2", image=ONE), mine)
    assert reasons(found) == ["label_like"]
    assert reasons(split(text_pdf(LABEL, image=ONE), mine)) == []


@pytest.mark.rule("PW-5-28")
def test_a_label_page_takes_nothing_from_the_photos_beside_it():
    pdf = Pdf.new()
    add_page(pdf, [jpeg_stream(pdf, ONE)])
    add_page(pdf, [jpeg_stream(pdf, TWO)], LABEL)
    found = split(written(pdf), LIMITS)
    assert ([photo.data for photo in found.photos], reasons(found)) == ([ONE], ["label_like"])


@pytest.mark.rule("PW-5-28")
def test_a_label_drawn_with_other_fonts_is_read():
    held = io.BytesIO()
    canvas = Canvas(held)
    for row, line in enumerate(LABEL.splitlines()):
        canvas.setFont(("Times-Bold", "Courier")[row % 2], 14)
        canvas.drawString(50, 700 - 20 * row, line)
    canvas.showPage()
    canvas.save()
    assert reasons(split(held.getvalue(), LIMITS)) == ["label_like"]


@pytest.mark.rule("PW-5-30")
def test_a_pdf_locked_with_an_empty_password_is_read():
    with pikepdf.open(io.BytesIO(photo_pdf(ONE))) as pdf:
        data = written(pdf, encryption=Encryption(owner="secret", user=""))
    assert ONE not in data
    found = split(data, LIMITS)
    assert ([photo.data for photo in found.photos], found.faults) == ([ONE], [])


@pytest.mark.rule("PW-5-30")
def test_a_pdf_with_a_password_is_encrypted():
    with pikepdf.open(io.BytesIO(photo_pdf(ONE))) as pdf:
        data = written(pdf, encryption=Encryption(owner="secret", user="word"))
    found = split(data, LIMITS)
    assert (found.photos, reasons(found)) == ([], ["encrypted"])


@pytest.mark.rule("PW-5-26", "PW-5-32")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"ERROR: POD not found for this ID.",
        b"<html><body>error</body></html>",
        b'{"Status":{"Code":"OK"}}',
        b"PK\x03\x04" + bytes(100),
        b"GIF89a" + bytes(100),
        b"RIFF\x00\x00\x00\x00WEBPVP8 ",
        b"BM" + bytes(100),
        b"\x00\x00\x00\x18ftypheic",
        bytes(2_000) + photo_pdf(ONE),
    ],
    ids=["empty", "sentence", "HTML", "JSON", "ZIP", "GIF", "WebP", "BMP", "HEIC", "PDF too far in"],
)
def test_what_is_none_of_the_four_kinds_is_unsupported(data):
    found = split(data, LIMITS)
    assert (found.photos, reasons(found), found.pages) == ([], ["unsupported"], 0)
    assert prints(data, LIMITS) == []


def test_a_pdf_behind_other_bytes_is_read():
    assert [photo.data for photo in split(b"x" * 1_000 + photo_pdf(ONE), LIMITS).photos] == [ONE]


@pytest.mark.rule("PW-5-32")
def test_a_picture_of_a_kind_that_nobody_decodes_is_unsupported():
    pdf = Pdf.new()
    odd = raw_stream(pdf, photo(1, (300, 300)))
    odd.ColorSpace = Array([Name.Separation, Name.Gold, Name.DeviceRGB, Dictionary(FunctionType=2)])
    add_page(pdf, [odd, jpeg_stream(pdf, TWO)])
    found = split(written(pdf), LIMITS)
    assert ([photo.data for photo in found.photos], reasons(found)) == ([TWO], ["unsupported"])


def damaged(data: bytes) -> bytes:
    """A JPEG without the second half of its pixels, which nobody notices who does not decode it."""
    return data[: len(data) // 2]


@pytest.mark.rule("PW-5-22")
def test_a_picture_that_is_known_is_told_of_and_not_decoded():
    half = damaged(TWO)
    pdf = Pdf.new()
    for picture in (ONE, half, THREE, half):
        image = jpeg_stream(pdf, ONE)
        image.write(picture, filter=Name.DCTDecode)
        add_page(pdf, [image])
    data = written(pdf)
    assert reasons(split(data, LIMITS)) == ["malformed", "malformed"]
    found = split(data, LIMITS, [digest(half), digest(jpeg(photo(9)))])
    assert [(photo.data, photo.page) for photo in found.photos] == [(ONE, 1), (THREE, 3)]
    assert [photo.fingerprint for photo in found.photos] == [of(opened(data)) for data in (ONE, THREE)]
    assert (found.known, found.faults, found.pages) == ([digest(half), digest(half)], [], 4)
    everything = split(photo_pdf(THREE, ONE), LIMITS, {digest(ONE), digest(TWO), digest(THREE)})
    assert everything == ([], [], 2, [digest(THREE), digest(ONE)])


@pytest.mark.rule("PW-5-31")
def test_a_picture_that_is_known_may_have_more_pixels_than_are_decoded():
    small = Limits(max_image_mpx=1)
    for data in (ONE, photo_pdf(ONE)):
        assert reasons(split(data, small)) == ["too_large"]
        assert split(data, small, [digest(ONE)]) == ([], [], 1, [digest(ONE)])


@pytest.mark.rule("PW-5-21", "PW-5-22")
@pytest.mark.parametrize("data", [damaged(ONE), png(photo(1, (400, 300)))[:-5_000]], ids=["JPEG", "PNG"])
def test_a_known_picture_alone_in_its_file_is_not_decoded(data):
    assert reasons(split(data, LIMITS)) == ["malformed"]
    assert split(data, LIMITS, [digest(data)]) == ([], [], 1, [digest(data)])


@pytest.mark.rule("PW-5-20", "PW-5-22")
def test_what_is_saved_with_other_bytes_is_decoded_though_its_own_are_known():
    inks = jpeg(Image.new("RGB", (400, 304), (200, 30, 40)).convert("CMYK"))
    animated = png(photo(1, (400, 300)), save_all=True, append_images=[photo(2, (400, 300))])
    for data, own, count in (
        (photo_pdf(ONE, TWO, Rotate=90), [ONE, TWO], 2),
        (photo_pdf(inks), [inks], 1),
        (inks, [inks], 1),
        (animated, [animated], 2),
        (many(9)[0], many(9)[1], 1),
    ):
        found = split(data, LIMITS, [digest(one) for one in own])
        assert (len(found.photos), found.known) == (count, [])
        assert found == split(data, LIMITS)


@pytest.mark.rule("PW-5-20", "PW-5-22")
def test_a_turned_photo_is_decoded_each_time_since_it_is_turned_anew():
    data = photo_pdf(ONE, Rotate=90)
    [stored] = split(data, LIMITS).photos
    assert split(data, LIMITS, [digest(stored.data)]).photos == [stored]
    # By itself it is a JPEG like any other.
    assert split(photo_pdf(stored.data), LIMITS, [digest(stored.data)]).known == [digest(stored.data)]


@pytest.mark.rule("PW-5-28", "PW-5-17")
def test_a_known_picture_makes_no_photo_of_what_is_none():
    pdf = Pdf.new()
    add_page(pdf, [jpeg_stream(pdf, ONE)], LABEL)
    add_page(pdf, [jpeg_stream(pdf, SMALL)])
    add_page(pdf, [raw_stream(pdf, photo(6, (400, 300))), jpeg_stream(pdf, TWO), jpeg_stream(pdf, THREE)])
    found = split(written(pdf), LIMITS, [digest(ONE), digest(SMALL), digest(TWO)])
    assert reasons(found) == ["label_like", "not_a_photo"]
    assert found.known == [digest(TWO)]
    assert [(photo.media_type, photo.page) for photo in found.photos] == [(media.PNG, 3), (media.JPEG, 3)]


@pytest.mark.rule("PW-5-22")
def test_of_more_known_pictures_than_are_told_the_others_are_decoded():
    others = [number.to_bytes(32, "big") for number in range(photos.MOST_KNOWN)]
    assert split(ONE, LIMITS, [*others[1:], digest(ONE)]).known == [digest(ONE)]
    found = split(ONE, LIMITS, [*others, digest(ONE)])
    assert ([photo.data for photo in found.photos], found.known) == ([ONE], [])


@pytest.mark.rule("PW-5-34")
def test_prints_are_of_every_picture_and_frame():
    pdf = Pdf.new()
    add_page(pdf, [jpeg_stream(pdf, ONE), jpeg_stream(pdf, TWO)], LABEL)
    add_page(pdf, words="Only words")
    add_page(pdf, [jpeg_stream(pdf, THREE)])
    assert prints(written(pdf), LIMITS) == [of(opened(data)) for data in (ONE, TWO, THREE)]
    frames = [photo(1, (400, 300)), photo(2, (300, 250))]
    assert prints(tiff(*frames), LIMITS) == [of(frame) for frame in frames]
    assert prints(ONE, LIMITS) == [of(opened(ONE))]


@pytest.mark.rule("PW-5-34")
def test_what_was_uploaded_is_known_when_it_comes_back():
    uploaded = [*prints(png(photo(1)), LIMITS), *prints(tiff(photo(2), photo(3)), LIMITS)]
    fetched = split(photo_pdf(*(jpeg(photo(seed), 75) for seed in (1, 2, 3))), LIMITS).photos
    for one, other in zip(fetched, uploaded, strict=True):
        assert same(one.fingerprint, other, NEAR)


def test_a_broken_installation_is_no_fault_of_the_file(monkeypatch):
    monkeypatch.setattr(photos, "MODULE", "palletflow.documents.not_there")
    with pytest.raises(photos.ReaderBroken):
        split(ONE, LIMITS)


def test_faults_are_plain_sentences():
    found = split(text_pdf("Nothing here"), LIMITS)
    assert found.faults == [Fault("not_a_photo", "page 1 has text or drawings, and no photo")]
