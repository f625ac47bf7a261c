"""Whether a JPEG is good does not depend on the part that is decoded; oracle: TensorFlow's full decode."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_sample_images

from pipelines.images.markers import fit_for_parts
from tests.files import encoded, short, with_segment

PHOTO = load_sample_images().images[1][100:220, 150:320]
PLAIN = encoded(PHOTO, quality=85)
FILES = {
    "subsampled": PLAIN,
    "grey": encoded(PHOTO, mode="L"),
    "cmyk": encoded(PHOTO, mode="CMYK"),
    "progressive": encoded(PHOTO, progressive=True),
    "restart markers": encoded(PHOTO, restart_marker_blocks=4),
    "thumbnail": with_segment(PLAIN, b"Exif\0\0" + short("<", 3) + PLAIN[:3000]),
    "profile": encoded(PHOTO, icc_profile=b"\xff\xda" * 30_000),
    "fill bytes": with_segment(PLAIN, b"Exif\0\0" + short("<", 3) + b"\xff\xda", fill=9),
}
_text = tf.TensorSpec([], tf.string)
fit = tf.function(fit_for_parts, [_text])
whole = tf.function(lambda data: tf.io.decode_jpeg(data, channels=3), [_text])


@tf.function(input_signature=[_text, tf.TensorSpec([4], tf.int32)])
def part(data, window):
    return tf.io.decode_and_crop_jpeg(data, window, 3)


def accepts(function, *arguments):
    try:
        function(*arguments)
    except tf.errors.InvalidArgumentError:
        return False
    return True


@pytest.mark.parametrize("name", FILES)
def test_sound_files_are_fit(name):
    assert bool(fit(FILES[name]))


@pytest.mark.parametrize("name", FILES)
def test_files_without_their_end_are_not(name):
    for cut in (2, 3, 100, len(FILES[name]) // 2):
        assert not bool(fit(FILES[name][:-cut]))
    assert not bool(fit(FILES[name] + b"\0"))


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"\xff\xd9", b"\xff\xd8\xff\xd9", b"\xff\xd8\xff\xda\xff\xd9", b"text"]
)
def test_anything_can_be_asked(data):
    assert fit(data).dtype == tf.bool


def damaged(contents, random):
    """Between the start of the scan and the end marker: bits, bytes, markers, cuts."""
    data = bytearray(contents)
    start = contents.rindex(b"\xff\xda") + 14
    for _ in range(random.integers(1, 4)):
        at, kind = int(random.integers(start, len(data) - 3)), random.integers(4)
        if kind == 0:
            data[at] ^= 1 << int(random.integers(8))
        elif kind == 1:
            data[at : at + 2] = bytes([255, random.integers(1, 255)])
        elif kind == 2:
            data[at : at + 4] = b"\xff\xc4\0\x04"
        else:
            del data[at : min(at + int(random.integers(100)), len(data) - 3)]
    return bytes(data)


@pytest.mark.parametrize("name", FILES)
def test_of_a_fit_file_every_part_is_decoded_if_the_whole_is(name):
    random = np.random.default_rng(len(name))
    kinds = set()
    for _ in range(150):
        contents = damaged(FILES[name], random)
        height, width, _ = tf.io.extract_jpeg_shape(contents).numpy()
        good = accepts(whole, contents)
        windows = [(0, 0, 8, 8), (height // 2, 0, 8, 8), (height - 8, 0, 8, width)]
        parts = [accepts(part, contents, window) for window in windows]
        sound = bool(fit(contents))
        if sound:
            assert parts == [good] * 3
        kinds.add((sound, good, parts[0]))
    assert (True, True, True) in kinds
    # What this is for: the first rows come out though the whole is refused. Of several scans they never do.
    assert ((False, False, True) in kinds) == (name != "progressive")
