"""Transforms from images of any size and mode to uint8 squares."""

import numpy as np
import pytest
from PIL import Image

from gan_cli.data.images.transform import Transform, as_mode, is_grey
from gan_cli.errors import UserError


def image(height, width, channels=3, seed=0):
    values = np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)
    return Image.fromarray(values if channels == 3 else values[..., 0])


@pytest.mark.parametrize("fit", ["pad", "crop"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [1, 7, 8, 32, 64])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (28, 28), (32, 32), (45, 31), (5, 200), (300, 100)])
def test_shape_and_type(fit, channels, size, height, width):
    array = Transform(size, channels, fit)(image(height, width))
    assert array.shape == (channels, size, size)
    assert array.dtype == np.uint8


@pytest.mark.parametrize("fit", ["pad", "crop"])
def test_images_of_the_right_size_are_unchanged(fit):
    picture = image(32, 32)
    assert np.array_equal(Transform(32, 3, fit)(picture), np.asarray(picture).transpose(2, 0, 1))


def test_pad_keeps_28_pixels_in_32():
    picture = image(28, 28, channels=1)
    array = Transform(32, 1, "pad")(picture).copy()
    assert np.array_equal(array[0, 2:30, 2:30], np.asarray(picture))
    array[0, 2:30, 2:30] = 0
    assert not array.any(), "black around it"


@pytest.mark.parametrize("size", [8, 28, 31, 32, 56])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("fit", ["pad", "crop"])
def test_grey_images_together_are_those_of_single_calls(fit, channels, size):
    images = np.random.default_rng(0).integers(0, 256, (2, 28, 28), dtype=np.uint8)
    transform = Transform(size, channels, fit)
    together = transform.of_grey(images)
    assert together.dtype == np.uint8
    np.testing.assert_array_equal(together, np.stack([transform(Image.fromarray(image)) for image in images]))


def test_pad_enlarges_by_integer_factors_and_shrinks_to_fit():
    white = Image.new("L", (14, 7), 255)
    filled = Transform(32, 1, "pad")(white)[0] == 255
    assert (filled.any(0).sum(), filled.any(1).sum(), filled.sum()) == (28, 14, 28 * 14)
    white = Image.new("L", (128, 64), 255)
    filled = Transform(32, 1, "pad")(white)[0] == 255
    assert (filled.any(0).sum(), filled.any(1).sum(), filled.sum()) == (32, 16, 32 * 16)
    assert filled[8:24].all()


def test_crop_takes_the_centre():
    values = np.zeros((32, 96), np.uint8)
    values[:, 32:64] = 200
    assert (Transform(16, 1, "crop")(Image.fromarray(values)) == 200).all()


def test_shrinking_is_antialiased():
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    array = Transform(8, 1, "crop")(Image.fromarray(stripes)).astype(int)
    assert np.abs(array[..., 1:-1] - 127.5).max() < 20


def test_sixteen_bit_grey_keeps_its_upper_bits():
    values = np.arange(256, dtype=np.uint16).reshape(16, 16) * 256
    assert np.array_equal(Transform(16, 1)(Image.fromarray(values))[0], values >> 8)
    assert np.array_equal(Transform(16, 3)(Image.fromarray(values))[2], values >> 8)


def test_transparency_lies_on_black():
    white = Image.new("RGBA", (8, 8), (255, 255, 255, 0))
    assert not Transform(8, 3)(white).any()
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([255, 0, 0])
    assert Transform(8, 3)(palette)[:, 0, 0].tolist() == [255, 0, 0]
    palette.info["transparency"] = 0
    assert not Transform(8, 3)(palette).any()


def test_exif_orientation_is_applied(tmp_path):
    picture = Image.new("L", (16, 16), 0)
    picture.paste(255, (0, 0, 16, 8))  # upper half white
    exif = Image.Exif()
    exif[0x0112] = 3  # the camera was upside down
    picture.save(tmp_path / "a.png", exif=exif)
    array = Transform(16, 1)(Image.open(tmp_path / "a.png"))[0]
    assert array[12, 8] == 255
    assert array[4, 8] == 0


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_a_known_range_maps_its_ends_to_black_and_white(dtype):
    values = np.array([[-50, 100], [600, 1100], [1099, 4000]]).clip(0 if dtype == np.uint16 else -50).astype(dtype)
    picture = Image.fromarray(values)
    array = np.asarray(as_mode(picture, "L", (100, 1100)))
    assert array.tolist() == [[0, 0], [128, 255], [255, 255]]


def test_pixels_of_unknown_range_are_refused():
    for values in (np.full((2, 2), 0.5, np.float32), np.array([[0, 70_000]], np.int32), np.array([[-1, 9]], np.int32)):
        with pytest.raises(
            ValueError, match=r"its pixels are from .* to .*, of which it is not known which are black and white"
        ):
            as_mode(Image.fromarray(values), "L")
    with pytest.raises(ValueError, match="not a number"):
        as_mode(Image.fromarray(np.array([[0, np.nan]], np.float32)), "L", (0, 1))


MODES = {"1": 255, "L": 180, "LA": 180, "P": (10, 20, 30), "RGB": (10, 20, 30), "RGBA": (10, 20, 30), "CMYK": (10, 20, 30)}


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_becomes_its_colour_or_its_grey(mode):
    colour = MODES[mode] if isinstance(MODES[mode], tuple) else (MODES[mode],) * 3
    picture = Image.new("RGB", (4, 4), colour).convert(mode, palette=Image.Palette.ADAPTIVE)
    assert np.abs(np.asarray(as_mode(picture, "RGB")).astype(int) - colour).max() <= 1
    luma = np.asarray(Image.new("RGB", (4, 4), colour).convert("L")).astype(int)
    assert np.abs(np.asarray(as_mode(picture, "L")).astype(int) - luma).max() <= 1


@pytest.mark.parametrize(
    ("mode", "grey"),
    [
        *[("L", True), ("1", True), ("LA", True), ("I;16", True), ("I;16B", True), ("I", True), ("F", True)],
        *[("RGB", False), ("P", False), ("RGBA", False), ("CMYK", False)],
    ],
)
def test_is_grey(mode, grey):
    assert is_grey(mode) == grey


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": 0, "channels": 3}, r"size=0"),
        ({"size": "big", "channels": 3}, r"size='big'"),
        ({"size": 8, "channels": 2}, r"channels=2"),
        ({"size": 8, "channels": 3, "fit": "squash"}, r"fit='squash'.*pad, crop"),
        ({"size": 8, "channels": 3, "range": [0]}, r"range=\[0\]: it must be a list of two numbers"),
        ({"size": 8, "channels": 3, "range": [0, "a"]}, r"range\[1\]='a'"),
        ({"size": 8, "channels": 3, "range": [5, 5]}, r"range=\[5, 5\]: the first number must be below the second"),
    ],
)
def test_invalid_fields(fields, message):
    with pytest.raises(UserError, match=message):
        Transform(**fields)
