"""The first frame of a GIF on its screen, as Pillow shows it; no later frame is looked at.

TensorFlow's decoder reads all frames, makes its picture as large as the largest, takes memory for that
before it can be asked how much, and makes transparent pixels black. So it is handed a file made of the first
frame alone, and its picture is put in its place on the screen.
"""

from typing import NamedTuple

import tensorflow as tf

from pipelines.images.raw import bytes_at, little_endian, refused_if, substring, when_needed

_MAX_STEPS = 4096  # extensions, and runs of blocks of one size
_RUN = 4096  # blocks of one size that are passed over in one step
_RAMP = b"".join(bytes([level] * 3) for level in range(256))
_BLACK = bytes(len(_RAMP))
_EXTENSION, _CONTROL, _IMAGE = 0x21, 0xF9, 0x2C


class _Frame(NamedTuple):
    """Where the first frame is: scalars, int32.

    Attributes:
      at: where its descriptor starts in the file.
      place: int32[4], left, top, width and height on the screen.
      screen: int32[2], height and width of the screen, enlarged where the frame reaches over it.
      fill: the palette's entry that the screen has elsewhere.
      found: bool, whether there is one.
    """

    at: tf.Tensor
    place: tf.Tensor
    screen: tf.Tensor
    fill: tf.Tensor
    found: tf.Tensor


@when_needed
def screen(contents: tf.Tensor) -> tf.Tensor:
    """int32[2], height and width of what `decode` gives; (0, 0) if there is no frame."""
    frame = _first_frame(contents)
    return tf.where(frame.found, frame.screen, 0)


@when_needed
def decode(contents: tf.Tensor) -> tf.Tensor:
    """uint8[height, width, 3], the first frame on its screen.

    Around the frame is the transparent colour, or the palette's first. Transparent pixels have their
    palette's colour, and entries that the palette lacks are black, or grey without a palette.

    Raises:
      InvalidArgumentError: if there is no frame, or it is truncated or corrupt.
    """
    frame = _first_frame(contents)
    contents = refused_if(tf.where(frame.found, "", "GIF without an image"), contents)
    descriptor = bytes_at(contents, frame.at, 10)
    flags, own = descriptor[9], _palette_size(descriptor[9])
    start = frame.at + 10 + own
    end = _after_blocks(tf.io.decode_raw(contents, tf.uint8), start + 1)

    shared = _palette_size(bytes_at(contents, 10, 1)[0])
    palette = tf.where(own > 0, substring(contents, frame.at + 10, own), substring(contents, 13, shared))
    entries = tf.strings.length(palette)
    is_ramp = tf.equal(palette, tf.strings.substr(_RAMP, 0, entries))
    palette = tf.strings.join([palette, tf.strings.substr(tf.where(is_ramp, _RAMP, _BLACK), entries, 768)])

    sides = tf.strings.substr(contents, frame.at + 5, 4)
    alone = tf.strings.join([
        b"GIF89a", sides, b"\0\0\0", b"\x2c\0\0\0\0", sides,
        tf.where(flags & 0x40 > 0, b"\xc7", b"\x87"), palette,  # interlaced or not; 256 colours of its own
        substring(contents, start, end - start), b";",
    ])  # fmt: skip
    image = tf.io.decode_image(alone, channels=3, expand_animations=False)
    image.set_shape([None, None, 3])
    fill = tf.io.decode_raw(tf.strings.substr(palette, 3 * frame.fill, 3), tf.uint8, fixed_length=3)
    return tf.cond(
        tf.reduce_all(frame.place[:1:-1] == frame.screen),
        lambda: image,
        lambda: _on_screen(image, frame, fill),
    )


def _on_screen(image: tf.Tensor, frame: _Frame, fill: tf.Tensor) -> tf.Tensor:
    before = tf.reverse(frame.place[:2], [0])
    after = frame.screen - before - tf.shape(image)[:2]
    around = tf.concat([tf.stack([before, after], 1), [[0, 0]]], 0)
    return tf.pad(image - fill, around) + fill  # uint8 wraps round: zeros of the pad become the fill


def _first_frame(contents: tf.Tensor) -> _Frame:
    head = bytes_at(contents, 0, 13)
    values = tf.io.decode_raw(contents, tf.uint8)

    def goes_on(_: tf.Tensor, block: tf.Tensor, __: tf.Tensor) -> tf.Tensor:
        return tf.equal(block[0], _EXTENSION)

    def advance(at: tf.Tensor, block: tf.Tensor, fill: tf.Tensor) -> tuple[tf.Tensor, ...]:
        transparent = tf.equal(block[1], _CONTROL) & (block[2] >= 4) & (block[3] & 1 > 0)
        at = _after_blocks(values, at + 2)
        return at, bytes_at(contents, at, 10), tf.where(transparent, block[6], fill)

    start = 13 + _palette_size(head[10])
    at, block, fill = tf.while_loop(
        goes_on,
        advance,
        (start, bytes_at(contents, start, 10), tf.constant(0)),
        maximum_iterations=_MAX_STEPS,
    )
    place = little_endian(tf.reshape(block[1:9], [4, 2]))
    corner = tf.reverse(place[:2] + place[2:], [0])
    sides = tf.maximum(tf.stack([little_endian(head[8:10]), little_endian(head[6:8])]), corner)
    return _Frame(at, place, sides, fill, tf.equal(block[0], _IMAGE))


def _palette_size(flags: tf.Tensor) -> tf.Tensor:
    """How many bytes the palette takes that a descriptor's flags announce."""
    return tf.where(flags & 0x80 > 0, tf.bitwise.left_shift(6, flags & 7), 0)


def _after_blocks(values: tf.Tensor, at: tf.Tensor) -> tf.Tensor:
    """Where a sequence of blocks that starts at `at` ends, its empty last one included.

    A block is its size and so many bytes. Encoders fill all but the last, so that a step passes over a run
    of blocks of one size.
    """
    size = tf.size(values)

    def goes_on(at: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
        return length > 0

    def at_(place: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.concat([values[place : place + 1], [0]], 0)[0], tf.int32)

    def advance(at: tf.Tensor, length: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        stride = length + 1
        sizes = values[at : at + _RUN * stride : stride]
        differ = tf.concat([tf.not_equal(tf.cast(sizes, tf.int32), length), [True]], 0)
        at = tf.minimum(at + stride * tf.argmax(differ, output_type=tf.int32), size)
        return at, at_(at)

    at = tf.minimum(at, size)
    at, _ = tf.while_loop(goes_on, advance, (at, at_(at)), maximum_iterations=_MAX_STEPS)
    return at + 1
