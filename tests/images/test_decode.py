"""Oracles: Pillow, TensorFlow's own full decode, box means in float64."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_images

from pipelines.images import decode as dec
from pipelines.images import exif as exif_
from pipelines.images import header
from tests.files import decoded, encoded, probed, through_dataset

PHOTO = load_sample_images().images[1][100:243, 150:353]  # 143 x 203
RANDOM = np.random.default_rng(0)
NOISE = RANDOM.integers(0, 256, (141, 203, 3)).astype(np.uint8)
ACCURATE = {"channels": 3, "dct_method": "INTEGER_ACCURATE"}


def exif(orientation):
    tags = Image.Exif()
    tags[0x010F], tags[0x0112], tags[0x0131] = "maker", orientation, "software"
    return tags


STILL = {  # name: (contents, format)
    "baseline 420": (encoded(PHOTO, quality=90, subsampling=2), header.JPEG),
    "baseline 444": (encoded(PHOTO, quality=90, subsampling=0), header.JPEG),
    "progressive": (encoded(PHOTO, quality=90, subsampling=2, progressive=True), header.JPEG),
    "grey jpeg": (encoded(PHOTO, mode="L"), header.JPEG),
    "cmyk jpeg": (encoded(PHOTO, mode="CMYK"), header.JPEG),
    "png": (encoded(PHOTO, "PNG"), header.PNG),
    "png rgba": (encoded(PHOTO, "PNG", "RGBA"), header.PNG),
    "png grey alpha": (encoded(PHOTO, "PNG", "LA"), header.PNG),
    "png palette": (encoded(PHOTO, "PNG", "P"), header.PNG),
    "png 1 bit": (encoded(PHOTO, "PNG", "1"), header.PNG),
    "gif": (encoded(PHOTO, "GIF", "P"), header.GIF),
    "bmp": (encoded(PHOTO, "BMP"), header.BMP),
    "bmp grey": (encoded(PHOTO, "BMP", "L"), header.BMP),
    "bmp rgba": (encoded(PHOTO, "BMP", "RGBA"), header.BMP),
    "webp": (encoded(PHOTO, "WEBP"), header.WEBP),
    "webp lossless": (encoded(PHOTO, "WEBP", lossless=True), header.WEBP),
    "webp lossless alpha": (encoded(PHOTO, "WEBP", "RGBA", lossless=True, exact=True), header.WEBP),
    "webp extended": (encoded(PHOTO, "WEBP", icc_profile=b"profile"), header.WEBP),
    "bmp palette": (encoded(PHOTO, "BMP", "P"), header.BMP),
    "bmp 1 bit": (encoded(PHOTO, "BMP", "1"), header.BMP),
}


@pytest.mark.parametrize("name", STILL)
def test_probe_and_decode_agree_with_pillow(name):
    contents, code = STILL[name]
    assert probed(contents) == (143, 203, code, 1)
    np.testing.assert_array_equal(decoded(contents), Image.open(io.BytesIO(contents)).convert("RGB"))
    np.testing.assert_array_equal(through_dataset(dec.decode, contents), decoded(contents))


def test_webp_alpha_is_dropped():
    see_through = np.dstack([PHOTO, np.full(PHOTO.shape[:2], 100, np.uint8)])
    contents = encoded(see_through, "WEBP", "RGBA", lossless=True, exact=True)
    assert probed(contents) == (143, 203, header.WEBP, 1)
    np.testing.assert_array_equal(decoded(contents), PHOTO)


@pytest.mark.parametrize("shape", [(1, 1), (1, 10000), (10000, 1), (17, 33)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "WEBP"])
def test_extreme_shapes(kind, shape):
    contents = encoded(np.zeros((*shape, 3), np.uint8), kind)
    assert probed(contents)[:2] == shape
    assert decoded(contents).shape == (*shape, 3)


def test_sixteen_bit_png_keeps_its_upper_byte():
    deep = RANDOM.integers(0, 65536, (20, 30)).astype(np.uint16)
    buffer = io.BytesIO()
    Image.fromarray(deep).save(buffer, "PNG")
    np.testing.assert_array_equal(decoded(buffer.getvalue(), channels=1)[..., 0], deep >> 8)


def test_first_frame_of_an_animated_gif():
    first = Image.fromarray(PHOTO)
    buffer = io.BytesIO()
    first.save(buffer, "GIF", save_all=True, append_images=[first.rotate(180)])
    contents = buffer.getvalue()
    np.testing.assert_array_equal(decoded(contents), Image.open(io.BytesIO(contents)).convert("RGB"))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("metadata", [{}, {"icc_profile": b"x" * 70000}, {"comment": b"c" * 300}])
def test_orientation(orientation, metadata):
    contents = encoded(PHOTO, exif=exif(orientation), **metadata)
    assert probed(contents) == (143, 203, header.JPEG, orientation)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(contents)))
    np.testing.assert_array_equal(decoded(contents), upright)
    assert decoded(contents, orientation=False).shape == (143, 203, 3)


def test_exif_behind_icc_profile_and_in_both_byte_orders():
    plain = encoded(PHOTO)
    for order, number in (("<", b"II*\0"), (">", b"MM\0*")):
        tiff = number + struct.pack(order + "IHHHIHHI", 8, 1, 0x112, 3, 1, 5, 0, 0)
        profile = b"\xff\xe2" + struct.pack(">H", 1002) + b"p" * 1000
        segment = b"\xff\xe1" + struct.pack(">H", 8 + len(tiff)) + b"Exif\0\0" + tiff
        assert probed(plain[:2] + profile + segment + plain[2:])[3] == 5


def test_damaged_exif_never_gives_more_than_an_orientation():
    contents = encoded(PHOTO, exif=exif(6))
    probe = tf.function(dec.probe, input_signature=[tf.TensorSpec([], tf.string)])
    start = contents.index(b"Exif")
    seen = set()
    for _ in range(150):
        damaged = bytearray(contents)
        for place in RANDOM.integers(start, start + 60, 4):
            damaged[place] = RANDOM.integers(256)
        result = probe(bytes(damaged))
        assert (int(result.height), int(result.width)) == (143, 203)
        seen.add(int(result.orientation))
    assert seen <= set(range(1, 9))
    assert {1, 6} <= seen
    for cut in range(120):
        rest = contents[: start + cut]
        tail = b"\xff" * 20
        assert 1 <= int(exif_.of_jpeg(tf.constant(rest + tail))) <= 8


JPEG, PNG = STILL["baseline 420"][0], STILL["png"][0]
HUGE_PNG = PNG[:16] + struct.pack(">II", 60000, 60001) + PNG[24:]
BROKEN = {
    "empty": (b"", "not a JPEG, PNG, GIF, BMP or WebP"),
    "text": (b"hello, this is a text", "not a JPEG, PNG, GIF, BMP or WebP"),
    "one byte": (b"\xff", "not a JPEG, PNG, GIF, BMP or WebP"),
    "tiff": (encoded(PHOTO, "TIFF"), "not a JPEG, PNG, GIF, BMP or WebP"),
    "huge": (HUGE_PNG, r"height and width.*60001.*60000.*max_pixels"),
    "jpeg header only": (JPEG[:100], "Invalid JPEG"),
    "jpeg half": (JPEG[: len(JPEG) // 2], "Invalid JPEG"),
    "jpeg without its end": (JPEG[:-2], "Invalid JPEG"),
    "png header only": (PNG[:20], "height and width"),
    "png half": (PNG[: len(PNG) // 2], "Invalid PNG"),
    "gif half": (STILL["gif"][0][:3000], "Invalid GIF"),
    "webp half": (STILL["webp"][0][:1000], "Failed to decode WebP"),
    "bmp half": (STILL["bmp"][0][:1000], "BMP with only 946 bytes where pixels need"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_refused(name):
    contents, message = BROKEN[name]
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        decoded(contents)


def test_animated_webp_is_refused():
    first = Image.fromarray(PHOTO)
    buffer = io.BytesIO()
    first.save(buffer, "WEBP", save_all=True, append_images=[first.rotate(180)])
    with pytest.raises(tf.errors.InvalidArgumentError, match="Animation"):
        decoded(buffer.getvalue())


def test_max_pixels_is_inclusive():
    assert decoded(PNG, max_pixels=143 * 203).shape == PHOTO.shape
    with pytest.raises(tf.errors.InvalidArgumentError, match="max_pixels"):
        decoded(PNG, max_pixels=143 * 203 - 1)


def test_bad_arguments():
    with pytest.raises(ValueError, match="channels: must be 1"):
        dec.decode(tf.constant(JPEG), channels=5)
    with pytest.raises(ValueError, match="dtype: encoded images can become"):
        dec.decode(tf.constant(JPEG), dtype="float32")
    with pytest.raises(ValueError, match="ratio: must be one of"):
        dec.decode_window(tf.constant(JPEG), 0, 0, 8, 8, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="ratio must be 1, 2, 4 or 8"):
        through_dataset(lambda c, r: tuple(dec.decode_window(c, 0, 0, 8, 8, r)), JPEG, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="no pixel in the window"):
        through_dataset(lambda c: tuple(dec.decode_window(c, 143, 0, 8, 8)), JPEG)


def windows(count):
    for _ in range(count):
        top, left = RANDOM.integers(-20, 130), RANDOM.integers(-20, 190)
        height, width = RANDOM.integers(max(1, 1 - top), 120), RANDOM.integers(max(1, 1 - left), 120)
        yield int(top), int(left), int(height), int(width)
    yield from [(0, 0, 141, 203), (0, 0, 30, 1), (7, 202, 1, 1), (140, 15, 1, 2), (0, 192, 141, 2)]


@pytest.mark.parametrize("ratio", dec.RATIOS)
@pytest.mark.parametrize("at_run_time", [False, True])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_window_is_that_of_the_whole(ratio, at_run_time, subsampling, progressive):
    contents = encoded(NOISE, quality=92, subsampling=subsampling, progressive=progressive)
    whole = tf.io.decode_jpeg(contents, ratio=ratio, **ACCURATE).numpy()

    @tf.function(input_signature=[tf.TensorSpec([4], tf.int32), tf.TensorSpec([], tf.int32)])
    def window(place, run_time_ratio):
        chosen = run_time_ratio if at_run_time else ratio
        return dec.decode_window(contents, *tf.unstack(place), chosen)

    for top, left, height, width in windows(40):
        part = window([top, left, height, width], ratio)
        y, x = int(part.top) // ratio, int(part.left) // ratio
        rows, columns = part.image.shape[:2]
        assert y == max(0, top) // ratio
        assert x == max(0, left) // ratio
        assert (y + rows) * ratio >= min(top + height, 141)
        assert (x + columns) * ratio >= min(left + width, 203)
        assert (y + rows - 1) * ratio < top + height
        assert (x + columns - 1) * ratio < left + width
        assert int(part.ratio) == ratio
        np.testing.assert_array_equal(part.image, whole[y : y + rows, x : x + columns])


@pytest.mark.parametrize("ratio", [2, 4, 8])
def test_reduced_pixels_lie_where_window_says(ratio):
    """A reduced pixel is near the mean of the source pixels it covers; a shift by one pixel is told apart."""
    contents = encoded(PHOTO[:136, :200], quality=95, subsampling=0)
    whole = tf.io.decode_jpeg(contents, **ACCURATE).numpy().astype(float)
    part = dec.decode_window(tf.constant(contents), 40, 56, 64, 80, ratio)
    rows, columns = part.image.shape[:2]
    top, left = int(part.top), int(part.left)

    def error(shift_y, shift_x):
        source = whole[top + shift_y :, left + shift_x :][: rows * ratio, : columns * ratio]
        means = source.reshape(rows, ratio, columns, ratio, 3).mean((1, 3))
        return np.abs(part.image.numpy() - means).mean()

    assert error(0, 0) < 0.6
    assert abs((part.image.numpy() - whole[top:, left:][:64, :80].mean()).mean()) < 0.3
    assert all(error(y, x) > error(0, 0) + 0.2 for y, x in [(1, 0), (-1, 0), (0, 1), (0, -1)])


def test_iterators_can_be_saved(tmp_path):
    def both(contents):
        return dec.decode(contents), dec.decode_window(contents, 0, 0, 9, 9, tf.constant(2)).image

    iterator = iter(tf.data.Dataset.from_tensors(JPEG).repeat(3).map(both))
    next(iterator)
    path = tf.train.Checkpoint(iterator=iterator).save(str(tmp_path / "iterator"))
    again = iter(tf.data.Dataset.from_tensors(JPEG).repeat(3).map(both))
    tf.train.Checkpoint(iterator=again).restore(path)
    assert len(list(again)) == 2
