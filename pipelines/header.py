"""What an encoded image says of itself, read from its bytes by TensorFlow ops, no pixel being decoded."""

from typing import Any, NamedTuple

import tensorflow as tf

UNKNOWN, JPEG, PNG, GIF, BMP, WEBP = range(6)

_HEAD = 32  # bytes; every size field but JPEG's lies within
_SEGMENT = 10  # bytes: a JPEG segment's marker and length, and b"Exif\0\0"
_MAX_SEGMENTS = 64  # looked at for EXIF: 4 MB of other metadata
_MAX_ENTRIES = 64  # of an EXIF directory; sorted by tag, 0x112 is among the first
_EXIF = list(b"Exif\0\0")
_JFIF = list(b"\xff\xd8\xff\xe0\0\x10")  # a JPEG that starts with an ordinary APP0: byte 20 starts the next
_IS_EXTRA = [code & 0xF0 == 0xE0 or code == 0xFE for code in range(256)]  # APPn or COM by marker code

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
    (UNKNOWN, b"", (), (), 0, -1, 0),
)


def _weights(positions: tuple[int, ...]) -> list[int]:
    """For each byte of the head what it counts in a number: 2**24 is taken to wrap round in int32."""
    return [256 ** positions[::-1].index(i) if i in positions else 0 for i in range(_HEAD)]


_LAYOUT_MASKS = [[255 * (i < len(s) and s[i] != ord(".")) for i in range(_HEAD)] for _, s, *_ in _LAYOUTS]
_LAYOUT_SIGNATURES = [list(s.replace(b".", b"\0").ljust(_HEAD, b"\0")) for _, s, *_ in _LAYOUTS]
_LAYOUT_WEIGHTS = [[_weights(height), _weights(width)] for _, _, height, width, *_ in _LAYOUTS]
_LAYOUT_RULES = [[shift, mask, plus, code] for code, _, _, _, shift, mask, plus in _LAYOUTS]


class Header(NamedTuple):
    """What images say of themselves, int32[...]; sizes are those of the stored pixels, before any turn.

    Attributes:
      height: in pixels; 0 if the format is UNKNOWN.
      width: in pixels; 0 if the format is UNKNOWN.
      format: UNKNOWN, JPEG, PNG, GIF, BMP or WEBP.
      orientation: EXIF's, 1 to 8, of a JPEG; 1 if it has none, or one that makes no sense.
    """

    height: tf.Tensor
    width: tf.Tensor
    format: tf.Tensor
    orientation: tf.Tensor


def probe(contents: tf.Tensor) -> Header:
    """Reads size, format and orientation from the header; no pixel is decoded.

    A GIF's size is its screen's. Truncated headers of formats other than JPEG read as if zeros followed.

    Args:
      contents: scalar string, an encoded image or anything else.

    Returns:
      A `Header` of int32 scalars.

    Raises:
      InvalidArgumentError: if the data starts as a JPEG does but has no readable JPEG header.
    """
    return header(first_bytes(contents), jpeg_facts(contents))


def header(head: tf.Tensor, facts: tf.Tensor) -> Header:
    """What `probe` gives, of many images at once and by integer operations alone.

    Args:
      head: int32[..., 32] of `first_bytes`.
      facts: int32[..., 3] of `jpeg_facts`.
    """
    matches = tf.reduce_all((head[..., None, :] & _LAYOUT_MASKS) == _LAYOUT_SIGNATURES, -1)
    layout = tf.argmax(tf.cast(matches, tf.int32), -1)  # the first that matches
    shift, mask, plus, code = tf.unstack(tf.gather(_LAYOUT_RULES, layout), axis=-1)
    sides = tf.reduce_sum(head[..., None, :] * tf.gather(_LAYOUT_WEIGHTS, layout), -1)
    height = (tf.bitwise.right_shift(sides[..., 0], shift) & mask) + plus
    height = tf.where(code == BMP, tf.abs(height), height)  # below 0: rows run downwards
    width = (sides[..., 1] & mask) + plus
    is_jpeg = tf.reduce_all(head[..., :3] == _JFIF[:3], -1)
    return Header(
        tf.where(is_jpeg, facts[..., 0], height),
        tf.where(is_jpeg, facts[..., 1], width),
        tf.where(is_jpeg, JPEG, code),
        facts[..., 2],
    )


def first_bytes(contents: tf.Tensor) -> tf.Tensor:
    """int32[..., 32], the first bytes of each string, zeros where there are none."""
    return tf.cast(tf.io.decode_raw(contents, tf.uint8, fixed_length=_HEAD), tf.int32)


def jpeg_facts(contents: tf.Tensor) -> tf.Tensor:
    """int32[3], height, width and EXIF orientation of a JPEG; (0, 0, 1) of anything else.

    Raises:
      InvalidArgumentError: if the data starts as a JPEG does but has no readable JPEG header.
    """

    def read() -> tf.Tensor:
        shape = tf.io.extract_jpeg_shape(contents)
        head = first_bytes(contents)
        extra = tf.gather(_IS_EXTRA, tf.gather(head, [3, 21]))
        only_jfif = tf.reduce_all(head[:6] == _JFIF) & ~extra[1]
        orientation = tf.cond(extra[0] & ~only_jfif, lambda: _orientation(contents), lambda: tf.constant(1))
        return tf.stack([shape[0], shape[1], orientation])

    is_jpeg = tf.strings.substr(contents, 0, 3) == bytes(_JFIF[:3])
    return tf.cond(is_jpeg, read, lambda: tf.constant([0, 0, 1]))


def _orientation(contents: tf.Tensor) -> tf.Tensor:
    """EXIF orientation of a JPEG, from the APPn and COM segments that precede its tables; 1 by default."""

    def is_exif(segment: tf.Tensor) -> tf.Tensor:
        return tf.reduce_all(segment[4:] == _EXIF) & (segment[1] == 0xE1)

    def goes_on(_: tf.Tensor, segment: tf.Tensor) -> tf.Tensor:
        return (segment[0] == 0xFF) & tf.gather(_IS_EXTRA, segment[1]) & ~is_exif(segment)

    def advance(at: tf.Tensor, segment: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        at += 2 + tf.maximum(big_endian(segment[2:4]), 2)
        return at, bytes_at(contents, at, _SEGMENT)

    at, segment = tf.while_loop(
        goes_on,
        advance,
        (tf.constant(2), bytes_at(contents, 2, _SEGMENT)),
        maximum_iterations=_MAX_SEGMENTS,
    )
    return tf.cond(
        is_exif(segment),
        lambda: _exif_orientation(contents, at + _SEGMENT, big_endian(segment[2:4]) - 8),
        lambda: tf.constant(1),
    )


def _exif_orientation(contents: tf.Tensor, start: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    """The orientation entry (tag 0x112, a SHORT) of the first directory of a TIFF header and what follows."""
    size = tf.strings.length(contents)
    tiff = tf.strings.substr(contents, tf.minimum(start, size), tf.maximum(length, 0))
    head = bytes_at(tiff, 0, 8)
    little = head[0] == ord("I")

    def number(values: tf.Tensor) -> tf.Tensor:
        return tf.where(little, little_endian(values), big_endian(values))

    directory = number(head[4:8])
    count = number(bytes_at(tiff, directory, 2))
    entries = tf.reshape(bytes_at(tiff, directory + 2, 12 * _MAX_ENTRIES), [_MAX_ENTRIES, 12])
    wanted = tf.where(little, [0x12, 1, 3, 0], [1, 0x12, 0, 3])
    found = tf.reduce_all(entries[:, :4] == wanted, axis=1) & (tf.range(_MAX_ENTRIES) < count)
    value = number(entries[tf.argmax(found)][8:10])
    return tf.where(tf.reduce_any(found) & (value >= 1) & (value <= 8), value, 1)


def bytes_at(contents: tf.Tensor, start: Any, count: int) -> tf.Tensor:
    """`count` bytes from `start` on as int32, zeros where there are none."""
    size = tf.strings.length(contents)
    inside = (start >= 0) & (start <= size)
    return _padded(tf.strings.substr(contents, tf.where(inside, start, size), count), count)


def _padded(part: tf.Tensor, count: int) -> tf.Tensor:
    return tf.cast(tf.io.decode_raw(part, tf.uint8, fixed_length=count), tf.int32)


def big_endian(values: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(values * [256**i for i in reversed(range(values.shape[0]))])


def little_endian(values: tf.Tensor) -> tf.Tensor:
    return big_endian(values[::-1])
