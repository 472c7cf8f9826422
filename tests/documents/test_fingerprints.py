"""The same photo is known again, re-encoded, smaller or turned; another one is not taken for it."""

import hashlib
import struct

import pytest
from PIL import Image, ImageChops, ImageStat
from tests.documents import photo_files
from tests.documents.photo_files import SIZE, jpeg, note, opened, photo, png

from palletflow.documents import fingerprints
from palletflow.documents.fingerprints import EXACT, NEAR, of, same

SEEDS = range(8)
HALF = SIZE[0] // 2, SIZE[1] // 2


def camera(seed: int) -> Image.Image:
    """A photo as a camera leaves it."""
    return opened(jpeg(photo(seed), 90))


@pytest.mark.rule("PW-5-22")
def test_the_exact_print_is_the_digest_of_size_and_pixels():
    image = camera(1)
    expected = hashlib.sha256(struct.pack(">II", *SIZE) + image.tobytes()).digest()
    assert of(image).exact == expected
    assert (of(image).width, of(image).height) == SIZE


@pytest.mark.rule("PW-5-22")
@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "RGBA"])
def test_every_kind_of_picture_has_the_print_of_what_it_shows(mode):
    image = photo(2).convert(mode)
    assert of(image) == of(image.convert("RGB"))


@pytest.mark.rule("PW-5-22")
def test_a_picture_saved_without_loss_has_the_same_print():
    image = camera(3)
    assert same(of(opened(png(image))), of(image), EXACT)


@pytest.mark.rule("PW-5-22")
def test_the_same_pixels_in_another_shape_are_another_picture():
    image = Image.new("L", (300, 200), 90)
    assert (
        of(image).exact
        != of(image.reshape((200, 300)) if hasattr(image, "reshape") else image.resize((200, 300))).exact
    )


ALTERED = {
    "quality 30": lambda image: opened(jpeg(image, 30)),
    "quality 60": lambda image: opened(jpeg(image, 60)),
    "half size": lambda image: image.resize(HALF, Image.Resampling.LANCZOS),
    "half size at quality 75": lambda image: opened(jpeg(image.resize(HALF), 75)),
    "a quarter turn": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "upside down at quality 30": lambda image: opened(jpeg(image.transpose(Image.Transpose.ROTATE_180), 30)),
    "three quarters at quality 60": lambda image: opened(jpeg(image.transpose(Image.Transpose.ROTATE_270), 60)),
}


@pytest.mark.rule("PW-5-23")
@pytest.mark.parametrize("how", ALTERED)
def test_a_photo_is_known_again(how):
    for seed in SEEDS:
        image = camera(seed)
        again = of(ALTERED[how](image))
        assert same(again, of(image), NEAR), seed
        assert same(of(image), again, NEAR), seed
        assert not same(again, of(image), EXACT), seed


def shifted(image: Image.Image, x: float, y: float) -> Image.Image:
    return ImageChops.offset(image, round(image.width * x), round(image.height * y))


OTHERS = {
    "shifted by 1 % to the right": lambda image, _: shifted(image, 0.01, 0),
    "shifted by 1 % down": lambda image, _: shifted(image, 0, 0.01),
    "a step to the side": lambda image, _: image.crop((12, 9, image.width, image.height)).resize(image.size),
    "another": lambda _, seed: camera(seed + 100),
    "cut by 3 % on one side": lambda image, _: image.crop((0, 0, round(image.width * 0.97), image.height)),
    "mirrored": lambda image, _: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}


@pytest.mark.rule("PW-5-23")
@pytest.mark.parametrize("how", OTHERS)
def test_another_photo_is_not_taken_for_it(how):
    for seed in SEEDS:
        image = camera(seed)
        assert not same(of(OTHERS[how](image, seed)), of(image), NEAR), seed


@pytest.mark.rule("PW-5-23")
def test_what_is_pressed_to_another_shape_is_another_photo():
    image = camera(4)
    assert same(of(image.resize((1200, 900))), of(image), NEAR)
    assert not same(of(image.resize((1200, 910))), of(image), NEAR)


@pytest.mark.rule("PW-5-23")
def test_both_the_hash_and_the_grey_have_to_agree():
    image = camera(5)
    darker = image.point(lambda level: level * 0.95)
    bits = int.from_bytes(of(darker).hash, "big") ^ int.from_bytes(of(image).hash, "big")
    assert bits.bit_count() <= fingerprints.MOST_HASH_BITS
    assert not same(of(darker), of(image), NEAR)
    # Bars so faint that a third of them, dark for light, makes little difference but to the hash.
    bars = Image.new("L", (640, 640), 120)
    for left in range(0, 640, 80):
        bars.paste(126, (left, 0, left + 40, 640))
    other = bars.copy()
    other.paste(bars.crop((40, 0, 640, 160)), (0, 0))
    difference = ImageStat.Stat(ImageChops.difference(bars, other)).mean[0]
    assert difference < fingerprints.MOST_GREY_DIFFERENCE
    assert not same(of(other), of(bars), NEAR)


@pytest.mark.rule("PW-5-24")
def test_two_notes_on_one_form_are_both_kept():
    one, other = of(opened(jpeg(note(1)))), of(opened(jpeg(note(2))))
    assert not one.photo_like
    assert not same(one, other, NEAR)
    assert not same(of(opened(jpeg(note(1), 30))), one, NEAR)
    assert same(one, one, NEAR)
    # It is their being notes that keeps them apart.
    assert same(one._replace(photo_like=True), other._replace(photo_like=True), NEAR)


@pytest.mark.rule("PW-5-24")
def test_half_of_the_cells_nearly_white_is_no_photo():
    image = Image.new("L", (640, 640), 235)
    assert of(image).photo_like
    image.paste(236, (0, 0, 640, 310))
    assert of(image).photo_like
    image.paste(236, (0, 0, 640, 330))
    assert not of(image).photo_like


def test_strips_have_one_print_in_their_order():
    strips = [photo(5).crop((0, top, 1200, top + 100)) for top in (0, 100, 200)]
    pile = fingerprints.of_strips(strips)
    assert (pile.width, pile.height, pile.photo_like) == (1200, 300, False)
    assert fingerprints.of_strips(strips) == pile
    assert not same(fingerprints.of_strips(strips[::-1]), pile, NEAR)


def test_a_print_has_the_lengths_that_are_stored():
    marks = of(photo_files.note(1))
    assert (len(marks.exact), len(marks.hash), len(marks.grey)) == (32, 32, 4096)
