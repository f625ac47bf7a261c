"""Encoded masks to labels: a PNG with a palette gives its indices, as Pillow's mode "P" does.

TensorFlow makes colours of a palette. So the header is rewritten: the same samples called grey ones, without
the palette. IHDR's checksum is linear (CRC-32): the change is one number for every header, and a header that
was damaged stays so.
"""

import zlib

import tensorflow as tf

from pipelines.images.decode import decode, upright
from pipelines.images.header import probe
from pipelines.images.raw import big_endian, bytes_at, refused_if, substring, when_needed

_SIGNATURE, _IHDR_END = b"\x89PNG\r\n\x1a\n", 33
_DEPTH, _KIND, _CHECKSUM = 24, 25, slice(29, 33)  # bytes of a PNG
_GREY, _PALETTE = 0, 3
_CHUNKS = 64  # that are looked at before image data
_CHANGE = zlib.crc32(bytes(13) + b"\x03" + bytes(3)) ^ zlib.crc32(bytes(17))


def decode_mask(contents: tf.Tensor) -> tf.Tensor:
    """Decodes a mask, uint8[height, width, 1], turned upright as images are.

    Of a PNG with a palette, such as VOC's, the values are the indices; of other images they are grey.

    Args:
      contents: scalar string, an encoded image.

    Raises:
      InvalidArgumentError: if it cannot be decoded, or is a PNG of 16 bits, whose labels would be lost.
    """
    head = bytes_at(contents, 0, _IHDR_END)
    is_png = tf.reduce_all(head[: len(_SIGNATURE)] == list(_SIGNATURE))
    deep = is_png & (head[_DEPTH] > 8)
    contents = refused_if(tf.where(deep, "a mask of 16 bits; save its labels in 8", ""), contents)
    has_palette = is_png & tf.equal(head[_KIND], _PALETTE)
    grey = tf.cond(has_palette, lambda: _as_grey(contents), lambda: contents)
    mask = decode(grey, channels=1, orientation=False)
    # Grey of fewer than 8 bits is stretched to 255: a label of 4 bits is multiplied by 17.
    most = tf.bitwise.left_shift(1, tf.clip_by_value(head[_DEPTH], 1, 8)) - 1
    mask //= tf.cast(tf.where(has_palette, 255 // most, 1), tf.uint8)
    orientation = probe(contents).orientation
    mask = tf.cond(orientation > 1, lambda: upright(mask, orientation), lambda: mask)
    return tf.ensure_shape(mask, [None, None, 1])


@when_needed
def _as_grey(contents: tf.Tensor) -> tf.Tensor:
    """A PNG's samples, which are places in its palette, as those of a grey PNG."""
    head = bytes_at(contents, 0, _IHDR_END)
    change = list(_CHANGE.to_bytes(4, "big"))
    checksum = tf.bitwise.bitwise_xor(head[_CHECKSUM], change)
    start = tf.concat([head[:_KIND], [_GREY], head[_KIND + 1 : _CHECKSUM.start], checksum], 0)
    letters = tf.gather([bytes([value]) for value in range(256)], start)
    rest = substring(contents, _image_data(contents), tf.strings.length(contents))
    return tf.strings.reduce_join(letters) + rest


def _image_data(contents: tf.Tensor) -> tf.Tensor:
    """Where the first chunk of image data starts, or the file ends."""
    size = tf.strings.length(contents)

    def goes_on(at: tf.Tensor) -> tf.Tensor:
        return (at < size) & tf.not_equal(substring(contents, at + 4, 4), b"IDAT")

    def advance(at: tf.Tensor) -> tuple[tf.Tensor]:
        length = big_endian(bytes_at(contents, at, 4))
        return (tf.where((length >= 0) & (length < size), at + 12 + length, size),)

    return tf.while_loop(goes_on, advance, (tf.constant(_IHDR_END),), maximum_iterations=_CHUNKS)[0]
