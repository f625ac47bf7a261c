"""Damaged files of every format: an error, or an image of the size that the header says; never a crash."""

import numpy as np
import pytest
import tensorflow as tf

from tests.files import bmp, decoded, encoded, gif, gif_image, probed, short, transparent

RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 256, (24, 31, 3), np.uint8)
COLOURS = RANDOM.integers(0, 256, 1024, np.uint8).tobytes()
FILES = {
    "jpeg": encoded(PIXELS, exif=b"Exif\0\0" + short("<", 6)),
    "progressive": encoded(PIXELS, progressive=True),
    "png": encoded(PIXELS, "PNG", exif=short(">", 6)),
    "gif": gif(gif_image(PIXELS[..., 0], (3, 2)), (40, 40), COLOURS[:768], transparent(3)),
    "bmp palette": bmp(bytes(32 * 24), 31, 24, 8, palette=COLOURS),
    "bmp masks": bmp(bytes(128 * 24), 31, 24, 32, compression=3, masks=(0x3FF, 0xFFC00, 0x3FF00000)),
    "webp": encoded(PIXELS, "WEBP", exif=b"Exif\0\0" + short("<", 6)),
    "webp lossless": encoded(PIXELS, "WEBP", "RGBA", lossless=True),
}
LIMIT = 2**20


def mutated(contents):
    data = bytearray(contents)
    reach = len(data) if RANDOM.integers(2) else min(len(data), 80)  # half of them in the header
    for _ in range(RANDOM.integers(1, 5)):
        at, kind = int(RANDOM.integers(reach)), RANDOM.integers(4)
        if kind == 0:
            data[at : at + 1] = bytes([RANDOM.integers(256)])
        elif kind == 1:
            data[at : at + 1] = bytes([data[at] ^ 1 << int(RANDOM.integers(8))]) if at < len(data) else b""
        elif kind == 2:
            del data[at : at + int(RANDOM.integers(1, 9))]
        else:
            data[at:at] = RANDOM.integers(0, 256, RANDOM.integers(1, 9), np.uint8).tobytes()
    return bytes(data[: RANDOM.integers(1, len(data) + 1)] if RANDOM.integers(8) == 0 else data)


@pytest.mark.parametrize("name", FILES)
def test_an_error_or_an_image_of_the_headers_size(name):
    outcomes = set()
    for _ in range(300):
        contents = mutated(FILES[name])
        try:
            image = decoded(contents, max_pixels=LIMIT, orientation=False)
        except tf.errors.InvalidArgumentError:
            outcomes.add("error")
            continue
        height, width, _, orientation = probed(contents)
        assert image.shape == (height, width, 3)
        assert height * width <= LIMIT
        assert 1 <= orientation <= 8
        outcomes.add("image")
    assert outcomes == {"error", "image"}
