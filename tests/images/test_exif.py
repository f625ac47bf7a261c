"""EXIF orientation of JPEG, PNG and WebP files; oracle: Pillow's exif_transpose."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from pipelines.images import exif
from tests.files import decoded, encoded, probed, short, tiff, with_segment

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
PLAIN = encoded(PIXELS)
EXIF = b"Exif\0\0"


def upright(contents):
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(contents))).convert("RGB"))


def as_pillow(contents):
    """Whether the picture is Pillow's; and whether it is turned."""
    there = decoded(contents)
    np.testing.assert_array_equal(there, upright(contents))
    return there.shape[:2] == (7, 5)


ENTRIES = {  # name: (type, count, struct format, whether Pillow turns)
    "short": (3, 1, "H2x", True),
    "long": (4, 1, "I", True),
    "signed short": (8, 1, "h2x", True),
    "signed long": (9, 1, "i", True),
    "two shorts": (3, 2, "H2x", True),
    "no short": (3, 0, "H2x", False),
    "byte": (1, 1, "B3x", False),
    "text": (2, 1, "B3x", False),
    "undefined": (7, 1, "B3x", False),
}


@pytest.mark.filterwarnings("ignore:Metadata Warning")
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", ENTRIES)
def test_types_of_the_entry(name, order):
    type_, count, form, turned = ENTRIES[name]
    block = tiff(order, type_, struct.pack(order + form, 6), count=count)
    assert as_pillow(with_segment(PLAIN, EXIF + block)) == turned


@pytest.mark.parametrize("value", [0, 9, 6 + 65536, 2**32 - 6])
def test_a_long_that_is_no_orientation(value):
    assert not as_pillow(with_segment(PLAIN, EXIF + tiff("<", 4, struct.pack("<I", value))))


def test_byte_orders_and_prefixes():
    for start, order in ((b"II*\0", "<"), (b"II\0*", "<"), (b"MM\0*", ">"), (b"MM*\0", ">")):
        assert as_pillow(with_segment(PLAIN, EXIF + start + short(order, 5)[4:]))
    assert as_pillow(with_segment(PLAIN, EXIF + EXIF + short("<", 5)))
    assert probed(with_segment(PLAIN, EXIF + b"IIxx" + short("<", 5)[4:]))[3] == 1


@pytest.mark.parametrize("fill", [1, 2, 7, 8, 9, 10, 300])
def test_fill_bytes_before_the_segment(fill):
    assert as_pillow(with_segment(PLAIN, EXIF + short(">", 6), fill=fill))
    comment = with_segment(with_segment(PLAIN, EXIF + short(">", 6)), b"comment", marker=0xFE, fill=fill)
    assert as_pillow(comment)
    behind_jfif = 2 + 18
    assert as_pillow(with_segment(PLAIN, EXIF + short(">", 6), at=behind_jfif, fill=fill))


@pytest.mark.parametrize("marker", [b"\xff\xc0", b"\xff\xc4", b"\xff\xda"])
def test_behind_tables_but_before_the_scan(marker):
    assert as_pillow(with_segment(PLAIN, EXIF + short("<", 8), at=PLAIN.index(marker)))


def test_two_segments_and_two_entries():
    two = with_segment(with_segment(PLAIN, EXIF + short("<", 6)), EXIF + short("<", 1))
    assert not as_pillow(two)
    entries = struct.pack("<IH", 8, 2) + b"".join(struct.pack("<HHIHH", 0x112, 3, 1, n, 0) for n in (6, 1))
    assert as_pillow(with_segment(PLAIN, EXIF + b"II*\0" + entries + bytes(4)))


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(block, place, pixels=PIXELS, size=None):
    """A PNG with an eXIf chunk "before" or "after" its image data, that in chunks of a size."""
    contents = encoded(pixels, "PNG")
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels), 0)
    size = size or len(data)
    parts = b"".join(chunk(b"IDAT", data[i : i + size]) for i in range(0, len(data), size))
    found = chunk(b"eXIf", block)
    text = chunk(b"tEXt", b"Title\0eXIf IDAT")
    before, after = (found, b"") if place == "before" else (b"", found)
    return contents[:33] + text + before + parts + after + contents[-12:]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_chunks_that_pillow_writes(kind, orientation):
    tags = Image.Exif()
    tags[0x010F], tags[0x0112] = "maker", orientation
    options = {"lossless": True, "icc_profile": b"profile"} if kind == "WEBP" else {}
    contents = encoded(PIXELS, kind, exif=tags, **options)
    assert probed(contents)[3] == orientation
    assert as_pillow(contents) == (orientation >= 5)


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("size", [1, 7, 50, None])
def test_png_chunk_before_and_after_the_data(place, size):
    pixels = np.random.default_rng(1).integers(0, 256, (20, 30, 3), np.uint8)
    contents = png(short(">", 6), place, pixels, size)
    np.testing.assert_array_equal(decoded(contents), upright(contents))
    assert decoded(contents).shape == (30, 20, 3)


def test_webp_chunk_behind_its_prefix_and_without_its_flag():
    contents = encoded(PIXELS, "WEBP", lossless=True, exif=EXIF + short("<", 6))
    assert as_pillow(contents)
    cleared = contents[:20] + bytes([contents[20] & ~8]) + contents[21:]
    assert not as_pillow(cleared)


def test_damaged_chunks_give_an_orientation():
    random = np.random.default_rng(2)
    pairs = [(png(short(">", 6), "after", size=40), exif.of_png)]
    pairs.append((encoded(PIXELS, "WEBP", lossless=True, exif=EXIF + short("<", 6)), exif.of_webp))
    seen = set()
    for contents, function in pairs:
        read = tf.function(function, input_signature=[tf.TensorSpec([], tf.string)])
        for _ in range(150):
            damaged = bytearray(contents)
            for place in random.integers(12, len(damaged), 3):
                damaged[place] = random.integers(256)
            seen.add(int(read(bytes(damaged[: random.integers(20, len(damaged) + 1)]))))
        for size in range(len(contents)):
            seen.add(int(read(contents[:size])))
    assert {1, 6} <= seen <= set(range(1, 9))
