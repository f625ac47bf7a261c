"""BMP files of every kind that Pillow reads, and masks that it does not; oracle: Pillow, or shifts in NumPy."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pipelines.images import header
from tests.files import bmp, decoded, encoded, probed

RANDOM = np.random.default_rng(0)
HEIGHT = 5
WINDOWS = (40, 52, 56, 64, 108, 124)


def rows_of(width, bits, height=HEIGHT):
    return RANDOM.integers(0, 256, height * ((width * bits + 31) // 32 * 4), np.uint8).tobytes()


def palette_of(count, entry=4, grey=False):
    colours = RANDOM.integers(0, 256, (count, 4), np.uint8)
    if grey:
        colours = np.repeat(np.linspace(0, 255, count).astype(np.uint8)[:, None], 4, 1)
    return colours[:, :entry].tobytes()


def as_pillow(contents):
    picture = np.asarray(Image.open(io.BytesIO(contents)).convert("RGB"))
    assert probed(contents) == (*picture.shape[:2], header.BMP, 1)
    np.testing.assert_array_equal(decoded(contents), picture)


@pytest.mark.parametrize("width", [1, 7, 8, 16, 33])
@pytest.mark.parametrize("bits", [1, 4, 8, 16, 24, 32])
@pytest.mark.parametrize("height", [HEIGHT, -HEIGHT])
def test_bits_per_pixel(bits, width, height):
    palette = palette_of(2**bits) if bits <= 8 else b""
    as_pillow(bmp(rows_of(width, bits), width, height, bits, palette=palette))


@pytest.mark.parametrize("size", WINDOWS)
@pytest.mark.parametrize("bits", [8, 24, 32])
def test_headers(size, bits):
    palette = palette_of(256) if bits == 8 else b""
    as_pillow(bmp(rows_of(9, bits), 9, HEIGHT, bits, header=size, palette=palette))


@pytest.mark.parametrize("bits", [1, 4, 8, 24])
def test_os2_header(bits):
    palette = palette_of(2**bits, 3) if bits <= 8 else b""
    as_pillow(bmp(rows_of(9, bits), 9, HEIGHT, bits, header=12, palette=palette))


@pytest.mark.parametrize("bits", [1, 8])
def test_grey_palettes(bits):
    as_pillow(bmp(rows_of(9, bits), 9, HEIGHT, bits, palette=palette_of(2**bits, grey=True)))


@pytest.mark.parametrize(("bits", "count"), [(4, 3), (4, 16), (8, 3), (8, 100), (8, 255), (1, 1)])
def test_palettes_with_fewer_colours(bits, count):
    as_pillow(bmp(rows_of(9, bits), 9, HEIGHT, bits, palette=palette_of(count), colours=count))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_what_pillow_writes(mode):
    as_pillow(encoded(RANDOM.integers(0, 256, (13, 21, 3), np.uint8), "BMP", mode))


@pytest.mark.parametrize("extra", [b"\0\0", b"more than that", bytes(1000)])
def test_bytes_after_the_pixels(extra):
    for bits in (8, 24, 32):
        palette = palette_of(256) if bits == 8 else b""
        as_pillow(bmp(rows_of(9, bits), 9, HEIGHT, bits, palette=palette) + extra)


def test_a_gap_before_the_pixels_and_an_offset_that_says_nothing():
    as_pillow(bmp(rows_of(9, 24), 9, HEIGHT, 24, gap=10))
    as_pillow(bmp(rows_of(9, 8), 9, HEIGHT, 8, palette=palette_of(256), gap=6))
    as_pillow(bmp(rows_of(9, 8), 9, HEIGHT, 8, palette=palette_of(20), colours=20, offset=54))
    as_pillow(bmp(rows_of(9, 8), 9, HEIGHT, 8, palette=palette_of(20), colours=20, offset=0))
    as_pillow(bmp(rows_of(9, 24), 9, HEIGHT, 24, offset=0))


def test_the_last_row_may_lack_its_padding():
    as_pillow(bmp(rows_of(5, 24)[:-1], 5, HEIGHT, 24))
    as_pillow(bmp(rows_of(5, 8)[:-3], 5, HEIGHT, 8, palette=palette_of(256)))


MASKS = [  # (bits, masks) that Pillow reads
    (32, (0xFF0000, 0xFF00, 0xFF, 0)),
    (32, (0xFF000000, 0xFF0000, 0xFF00, 0)),
    (32, (0xFF000000, 0xFF00, 0xFF, 0)),
    (32, (0xFF000000, 0xFF0000, 0xFF00, 0xFF)),
    (32, (0xFF, 0xFF00, 0xFF0000, 0xFF000000)),
    (32, (0xFF0000, 0xFF00, 0xFF, 0xFF000000)),
    (32, (0, 0, 0, 0)),
    (24, (0xFF0000, 0xFF00, 0xFF, 0)),
    (16, (0xF800, 0x7E0, 0x1F, 0)),
    (16, (0x7C00, 0x3E0, 0x1F, 0)),
]


@pytest.mark.parametrize(("bits", "masks"), MASKS)
def test_bit_masks(bits, masks):
    rows = rows_of(9, bits)
    for size in (56, 108, 124):
        as_pillow(bmp(rows, 9, HEIGHT, bits, header=size, compression=3, masks=masks))
    if masks[3] == 0:  # a header of 40 bytes has three
        as_pillow(bmp(rows, 9, HEIGHT, bits, compression=3, masks=masks[:3]))


@pytest.mark.parametrize(
    ("bits", "masks"),
    [
        (32, (0xFF, 0xFF00, 0xFF0000)),
        (32, (0x3FF00000, 0xFFC00, 0x3FF)),
        (32, (0x3FF, 0xFFC00, 0x3FF00000)),
        (32, (0xFFE00000, 0x1FFC00, 0x3FF)),
        (32, (0x80000000, 0x7FFF0000, 0xFFFF)),
        (24, (0xFF, 0xFF00, 0xFF0000)),
        (24, (0xF00000, 0xFFF00, 0xFF)),
        (16, (0xF00, 0xF0, 0xF)),
        (16, (0x1F, 0x7E0, 0xF800)),
        (16, (1, 2, 0xFFFC)),
    ],
)
def test_bit_masks_that_pillow_refuses(bits, masks):
    rows = rows_of(9, bits)
    contents = bmp(rows, 9, -HEIGHT, bits, compression=3, masks=masks)
    stride = len(rows) // HEIGHT
    stored = np.frombuffer(rows, np.uint8).reshape(HEIGHT, stride)[:, : 9 * bits // 8]
    words = np.zeros((HEIGHT, 9), np.uint64)
    for place in range(bits // 8):
        words |= stored.reshape(HEIGHT, 9, -1)[..., place].astype(np.uint64) << np.uint64(8 * place)
    channels = []
    for mask in masks:
        low = (mask & -mask).bit_length() - 1
        wide = bin(mask).count("1")
        value = (words & np.uint64(mask)) >> np.uint64(low)
        value = value >> np.uint64(wide - 8) if wide > 8 else value * np.uint64(255) // np.uint64(2**wide - 1)
        channels.append(value.astype(np.uint8))
    np.testing.assert_array_equal(decoded(contents), np.stack(channels, -1))


GOOD = bmp(rows_of(9, 8), 9, HEIGHT, 8, palette=palette_of(256))
BROKEN = {
    "rle8": (bmp(b"\1\2\0\1", 9, HEIGHT, 8, compression=1, palette=palette_of(256)), "compression RLE8"),
    "rle4": (bmp(b"\1\2\0\1", 9, HEIGHT, 4, compression=2, palette=palette_of(16)), "compression RLE4"),
    "jpeg": (bmp(b"\xff\xd8", 9, HEIGHT, 24, compression=4), "compression 4"),
    "2 bits": (bmp(rows_of(9, 2), 9, HEIGHT, 2, palette=palette_of(4)), "2 bits per pixel"),
    "0 bits": (bmp(rows_of(9, 2), 9, HEIGHT, 0), "0 bits per pixel"),
    "64 bits": (bmp(rows_of(9, 64), 9, HEIGHT, 64), "64 bits per pixel"),
    "header": (GOOD[:14] + b"\x10" + GOOD[15:], "header of 16 bytes"),
    "short": (bmp(rows_of(9, 24)[:-5], 9, HEIGHT, 24), "only 135 bytes where pixels need 139"),
    "masked palette": (bmp(rows_of(9, 8), 9, HEIGHT, 8, compression=3, masks=(1, 2, 4)), "bit masks for 8"),
    "overlap": (bmp(rows_of(9, 32), 9, HEIGHT, 32, compression=3, masks=(0xFF, 0xFF, 0xFF00)), "overlap"),
    "gap": (bmp(rows_of(9, 32), 9, HEIGHT, 32, compression=3, masks=(0xF0F, 0xF0, 0xF000)), "have gaps"),
    "palette": (bmp(rows_of(9, 8), 9, HEIGHT, 8, colours=70_000), "palette of 70000 colours"),
    "offset": (bmp(rows_of(9, 24), 9, HEIGHT, 24, offset=2**31 + 5), "only -"),
    "no width": (bmp(b"", 0, HEIGHT, 24), "must hold 1 to max_pixels"),
    "negative width": (bmp(rows_of(9, 24), -9, HEIGHT, 24), "must hold 1 to max_pixels"),
    "huge": (bmp(b"", 60_000, 60_000, 24), "must hold 1 to max_pixels"),
    "lowest": (bmp(b"", 1, -(2**31), 24), "must hold 1 to max_pixels"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_refused(name):
    contents, message = BROKEN[name]
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        decoded(contents)
