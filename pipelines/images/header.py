"""What an encoded image says of itself, read from its bytes by TensorFlow ops, no pixel being decoded."""

from typing import NamedTuple

import tensorflow as tf

from pipelines.images import exif, gif
from pipelines.images.raw import when_needed

UNKNOWN, JPEG, PNG, GIF, BMP, WEBP, RAW = range(7)

_HEAD = 32  # bytes; every size field lies within, but a JPEG's, and those of a GIF's first frame
_JPEG_START = b"\xff\xd8\xff"
_STARTS = [b"\x89PNG", b"GIF8", b"RIFF"]

_ASCII = -sum(ord("0") * 10**place for place in range(7))  # what seven digits count above their number

# Where formats keep their size, the first match counts: signature ("." is any byte), positions of the bytes
# of height and width from the highest, then height >>= shift, both &= mask, both += plus.
_LAYOUTS = (
    (PNG, b"\x89PNG\r\n\x1a\n....IHDR", (20, 21, 22, 23), (16, 17, 18, 19), 0, -1, 0),
    (GIF, b"GIF8.a", (9, 8), (7, 6), 0, -1, 0),
    (BMP, b"BM............\x0c\0\0\0", (21, 20), (19, 18), 0, -1, 0),
    (BMP, b"BM", (25, 24, 23, 22), (21, 20, 19, 18), 0, -1, 0),
    (WEBP, b"RIFF....WEBPVP8 ", (29, 28), (27, 26), 0, 0x3FFF, 0),
    (WEBP, b"RIFF....WEBPVP8L", (24, 23, 22, 21), (22, 21), 14, 0x3FFF, 1),
    (WEBP, b"RIFF....WEBPVP8X", (29, 28, 27), (26, 25, 24), 0, -1, 1),
    (RAW, b"P5 ....... .......\n#", tuple(range(11, 18)), tuple(range(3, 10)), 0, -1, _ASCII),
    (RAW, b"P6 ....... .......\n#", tuple(range(11, 18)), tuple(range(3, 10)), 0, -1, _ASCII),
    (UNKNOWN, b"", (), (), 0, -1, 0),
)


def _weights(positions: tuple[int, ...], base: int) -> list[int]:
    """For each byte of the head what it counts in a number: 2**24 is taken to wrap round in int32."""
    return [base ** positions[::-1].index(i) if i in positions else 0 for i in range(_HEAD)]


_LAYOUT_MASKS = [[255 * (i < len(s) and s[i] != ord(".")) for i in range(_HEAD)] for _, s, *_ in _LAYOUTS]
_LAYOUT_SIGNATURES = [list(s.replace(b".", b"\0").ljust(_HEAD, b"\0")) for _, s, *_ in _LAYOUTS]
_LAYOUT_WEIGHTS = [
    [_weights(sides, 10 if code == RAW else 256) for sides in (height, width)]
    for code, _, height, width, *_ in _LAYOUTS
]
_LAYOUT_RULES = [[shift, mask, plus, code] for code, _, _, _, shift, mask, plus in _LAYOUTS]


class Header(NamedTuple):
    """What images say of themselves, int32[...]; sizes are those of the stored pixels, before any turn.

    Attributes:
      height: in pixels; 0 if the format is UNKNOWN.
      width: in pixels; 0 if the format is UNKNOWN.
      format: UNKNOWN, JPEG, PNG, GIF, BMP, WEBP or RAW (see `formats.raw_bytes`).
      orientation: EXIF's, 1 to 8; 1 if there is none, or one that makes no sense; see `exif`.
    """

    height: tf.Tensor
    width: tf.Tensor
    format: tf.Tensor
    orientation: tf.Tensor


def probe(contents: tf.Tensor) -> Header:
    """Reads size, format and orientation from the header; no pixel is decoded.

    A GIF's size is its screen's, enlarged where the first frame reaches over it. Truncated headers of
    formats other than JPEG read as if zeros followed.

    Args:
      contents: scalar string, an encoded image or anything else.

    Returns:
      A `Header` of int32 scalars.

    Raises:
      InvalidArgumentError: if the data starts as a JPEG does but has no readable JPEG header.
    """
    return header(first_bytes(contents), more_facts(contents))


def header(head: tf.Tensor, facts: tf.Tensor) -> Header:
    """What `probe` gives, of many images at once and by integer operations alone.

    Args:
      head: int32[..., 32] of `first_bytes`.
      facts: int32[..., 3] of `more_facts`.
    """
    matches = tf.reduce_all((head[..., None, :] & _LAYOUT_MASKS) == _LAYOUT_SIGNATURES, -1)
    layout = tf.argmax(tf.cast(matches, tf.int32), -1)  # the first that matches
    shift, mask, plus, code = tf.unstack(tf.gather(_LAYOUT_RULES, layout), axis=-1)
    sides = tf.reduce_sum(head[..., None, :] * tf.gather(_LAYOUT_WEIGHTS, layout), -1)
    height = (tf.bitwise.right_shift(sides[..., 0], shift) & mask) + plus
    height = tf.where(code == BMP, tf.abs(height), height)  # below 0: rows run downwards
    width = (sides[..., 1] & mask) + plus
    starts_as_jpeg = tf.reduce_all(head[..., :3] == list(_JPEG_START), -1)
    deeper = facts[..., 0] > 0
    return Header(
        tf.where(deeper, facts[..., 0], height),
        tf.where(deeper, facts[..., 1], width),
        tf.where(starts_as_jpeg, JPEG, code),
        facts[..., 2],
    )


def first_bytes(contents: tf.Tensor) -> tf.Tensor:
    """int32[..., 32], the first bytes of each string, zeros where there are none."""
    return tf.cast(tf.io.decode_raw(contents, tf.uint8, fixed_length=_HEAD), tf.int32)


def more_facts(contents: tf.Tensor) -> tf.Tensor:
    """int32[3] that lie deeper in a file: height and width of a JPEG or a GIF, else 0, and the orientation.

    Raises:
      InvalidArgumentError: if the data starts as a JPEG does but has no readable JPEG header.
    """

    def of_jpeg() -> tf.Tensor:
        shape = tf.io.extract_jpeg_shape(contents)
        return tf.stack([shape[0], shape[1], exif.of_jpeg(contents)])

    return tf.cond(is_jpeg(contents), of_jpeg, lambda: _of_others(contents))


@when_needed
def _of_others(contents: tf.Tensor) -> tf.Tensor:
    start = tf.strings.substr(contents, 0, 4)
    place = tf.argmax(tf.concat([tf.equal(start, _STARTS), [True]], 0), output_type=tf.int32)
    return tf.switch_case(
        place,
        [
            lambda: tf.concat([[0, 0], exif.of_png(contents)[None]], 0),
            lambda: tf.concat([gif.screen(contents), [1]], 0),
            lambda: tf.concat([[0, 0], exif.of_webp(contents)[None]], 0),
            lambda: tf.constant([0, 0, 1]),
        ],
    )


def is_jpeg(contents: tf.Tensor) -> tf.Tensor:
    """bool scalar, whether data starts as a JPEG does."""
    return tf.equal(tf.strings.substr(contents, 0, 3), _JPEG_START)
