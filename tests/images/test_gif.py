"""The first frame of a GIF on its screen; oracle: Pillow."""

import io
import time

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pipelines.images import header
from tests.files import blocks, decoded, gif, gif_image, probed, transparent

RANDOM = np.random.default_rng(0)
COLOURS = RANDOM.integers(0, 256, 768, np.uint8).tobytes()
OTHERS = RANDOM.integers(0, 256, 768, np.uint8).tobytes()
RAMP = b"".join(bytes([level] * 3) for level in range(256))
INDICES = RANDOM.integers(0, 256, (9, 13), np.uint8)
COMMENT = b"!\xfe" + blocks(b"a comment, and , in it ; and !" * 30)
LOOP = b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"


def as_pillow(contents):
    picture = np.asarray(Image.open(io.BytesIO(contents)).convert("RGB"))
    assert probed(contents) == (*picture.shape[:2], header.GIF, 1)
    np.testing.assert_array_equal(decoded(contents), picture)


PLACES = {  # name: (screen, corner)
    "whole": ((13, 9), (0, 0)),
    "inside": ((20, 17), (3, 5)),
    "upper left": ((20, 17), (0, 0)),
    "lower right": ((20, 17), (7, 8)),
    "as wide": ((13, 17), (0, 5)),
    "over the screen": ((4, 5), (0, 0)),
    "over its corner": ((14, 10), (6, 7)),
    "beside the screen": ((4, 5), (10, 10)),
    "no screen": ((0, 0), (2, 1)),
}


@pytest.mark.parametrize("clear", [None, 0, 77])
@pytest.mark.parametrize("place", PLACES)
def test_a_frame_in_its_place(place, clear):
    screen, corner = PLACES[place]
    before = b"" if clear is None else transparent(clear)
    as_pillow(gif(gif_image(INDICES, corner), screen, COLOURS, before, background=9))
    as_pillow(gif(gif_image(INDICES, corner, OTHERS), screen, COLOURS, before))
    as_pillow(gif(gif_image(INDICES, corner, OTHERS, interlaced=True), screen, b"", before))


def test_transparent_pixels_keep_their_colour():
    contents = gif(gif_image(INDICES), (13, 9), COLOURS, transparent(int(INDICES[0, 0])))
    palette = np.frombuffer(COLOURS, np.uint8).reshape(256, 3)
    np.testing.assert_array_equal(decoded(contents), palette[INDICES])


@pytest.mark.parametrize("palette", [b"", COLOURS[:6], COLOURS[:48], RAMP[:48], RAMP])
def test_indices_that_the_palette_lacks(palette):
    as_pillow(gif(gif_image(INDICES, (1, 1)), (16, 16), palette))
    # Beside a shared palette Pillow takes a grey ramp of the frame's own for none, and shows the shared colours.
    as_pillow(
        gif(gif_image(INDICES, (1, 1), palette), (16, 16), b"" if RAMP.startswith(palette) else COLOURS)
    )


@pytest.mark.parametrize("before", [COMMENT, LOOP + COMMENT, transparent(3) + LOOP + transparent(4)])
@pytest.mark.parametrize("size", [1, 100, 254, 255])
def test_extensions_and_sizes_of_blocks(before, size):
    as_pillow(gif(gif_image(INDICES, (1, 1), size=size), (16, 16), COLOURS, before))


def test_blocks_of_many_sizes():
    image = gif_image(INDICES)
    data = image[11:]
    joined, at = b"", 0
    while data[at]:
        joined, at = joined + data[at + 1 : at + 1 + data[at]], at + 1 + data[at]
    cut, parts = 0, b""
    while cut < len(joined):
        size = int(RANDOM.integers(1, 9))
        part = joined[cut : cut + size]
        parts, cut = parts + bytes([len(part)]) + part, cut + size
    as_pillow(gif(image[:11] + parts + b"\0", (13, 9), COLOURS))


def test_later_frames_change_nothing():
    first, later = gif_image(INDICES, (2, 2)), gif_image(INDICES[::-1], (0, 0), OTHERS)
    as_pillow(gif(first + transparent(1) + later + later, (20, 12), COLOURS))
    huge = gif_image(np.zeros((300, 400), np.uint8))
    as_pillow(gif(first + huge, (20, 12), COLOURS))
    broken = b",\0\0\0\0\xff\xff\xff\xff\0\x08\x02ab\0"
    contents = gif(first + broken, (20, 12), COLOURS)
    np.testing.assert_array_equal(decoded(contents), decoded(gif(first, (20, 12), COLOURS)))


def test_a_thousand_frames_cost_what_one_does():
    picture = RANDOM.integers(0, 256, (200, 200), np.uint8)
    one = gif(gif_image(picture), (200, 200), COLOURS)
    many = gif(gif_image(picture) * 1000, (200, 200), COLOURS)

    def seconds(contents):
        taken = []
        for _ in range(5):
            start = time.process_time()
            decoded(contents)
            taken.append(time.process_time() - start)
        return min(taken)

    assert len(many) > 40_000_000
    assert seconds(many) < 300 * seconds(one)  # TensorFlow decodes them all: 1,000 times
    as_pillow(many)


@pytest.mark.parametrize("corner", [(0, 0), (19_000, 19_000)])
def test_a_huge_frame_is_refused_before_memory_is_taken(corner):
    frame = b"," + b"".join(n.to_bytes(2, "little") for n in (*corner, 20_000, 20_000)) + b"\0\x08\x02ab\0"
    contents = gif(frame, (4, 4), COLOURS)
    assert probed(contents)[:2] == (corner[1] + 20_000, corner[0] + 20_000)
    with pytest.raises(tf.errors.InvalidArgumentError, match="must hold 1 to max_pixels"):
        decoded(contents)


BROKEN = {
    "no image": (gif(b"", (4, 4), COLOURS), "GIF without an image"),
    "only extensions": (gif(b"", (4, 4), COLOURS, COMMENT), "GIF without an image"),
    "extension without end": (gif(b"", (4, 4), COLOURS, COMMENT[:-40]), "GIF without an image"),
    "half": (gif(gif_image(INDICES), (13, 9), COLOURS)[:-60], "Invalid GIF"),
    "no data": (gif(b"," + bytes(4) + b"\x0d\0\x09\0\0\x08\0", (13, 9), COLOURS), "Invalid GIF"),
    "no pixels": (gif(b"," + bytes(9) + b"\x08\0", (13, 9), COLOURS), "Invalid GIF"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_refused(name):
    contents, message = BROKEN[name]
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        decoded(contents)
