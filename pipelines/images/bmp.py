"""BMP images to pixels by gathers and shifts: what Pillow reads, and bit masks of any place and width.

TensorFlow's decoder takes the three bytes of each pixel as blue, green and red whatever the bit masks say,
returns indices for colours where there is a palette, and wants the file to end with the pixels.
"""

from typing import NamedTuple

import tensorflow as tf

from pipelines.images.raw import bytes_at, little_endian, refused_if, substring, when_needed

_OS2, _WINDOWS = 12, 40  # sizes of the header after the first 14 bytes
_HEADERS = (_OS2, _WINDOWS, 52, 56, 64, 108, 124)
_PALETTES, _WORDS = (1, 4, 8), (16, 24, 32)  # bits per pixel
_PLAIN, _RLE8, _RLE4, _MASKED = 0, 1, 2, 3
_DEFAULT_MASKS = [[0x7C00, 0x3E0, 0x1F], [0xFF0000, 0xFF00, 0xFF]]  # of 16 bits, of more: red, green, blue


class _Layout(NamedTuple):
    """How pixels lie in a file, int32 scalars unless said otherwise.

    Attributes:
      height, width: in pixels.
      downwards: bool, whether rows run downwards.
      bits: per pixel.
      offset: where they start.
      stride: bytes from a row to the next.
      palette: where it starts.
      colours: entries of it.
      entry: bytes of an entry.
      masks: int32[3], of red, green and blue in a pixel's word.
      refusal: string, why it cannot be read, or "".
    """

    height: tf.Tensor
    width: tf.Tensor
    downwards: tf.Tensor
    bits: tf.Tensor
    offset: tf.Tensor
    stride: tf.Tensor
    palette: tf.Tensor
    colours: tf.Tensor
    entry: tf.Tensor
    masks: tf.Tensor
    refusal: tf.Tensor


@when_needed
def decode(contents: tf.Tensor) -> tf.Tensor:
    """uint8[height, width, 3] of 1, 4, 8 bits with a palette, 16, 24 or 32 bits; alpha is dropped.

    A channel of n bits becomes v * 255 // (2**n - 1), its upper 8 bits if it has more.

    Args:
      contents: scalar string, a BMP whose header gives a height and a width that memory can hold.

    Raises:
      InvalidArgumentError: if the header, the compression (RLE4, RLE8, JPEG, PNG) or the bits per pixel are
        none that is read, the masks overlap or have gaps, or there are fewer bytes than pixels need.
    """
    layout = _layout(contents)
    contents = refused_if(layout.refusal, contents)
    size = layout.stride * layout.height
    pixels = tf.io.decode_raw(
        substring(contents, layout.offset, size), tf.uint8, fixed_length=tf.maximum(size, 1)
    )
    rows = tf.reshape(pixels[:size], [layout.height, layout.stride])
    kind = tf.where(layout.bits <= 8, 0, tf.where(_in_bytes(layout), 1, 2))
    image = tf.switch_case(
        kind,
        [
            lambda: _by_palette(contents, rows, layout),
            lambda: _by_bytes(rows, layout),
            lambda: _by_masks(rows, layout),
        ],
    )
    image = tf.raw_ops.Reverse(tensor=image, dims=tf.stack([~layout.downwards, False, False]))
    image.set_shape([None, None, 3])
    return image


def _layout(contents: tf.Tensor) -> _Layout:
    head = bytes_at(contents, 0, 66)
    longs = little_endian(tf.reshape(head[10:], [14, 4]))
    offset, header = longs[0], longs[1]
    small = header == _OS2
    shorts = little_endian(tf.reshape(head[18:30], [6, 2]))
    width = tf.where(small, shorts[0], longs[2])
    height = tf.where(small, shorts[1], longs[3])
    bits = tf.where(small, shorts[3], shorts[5])
    compression = tf.where(small, _PLAIN, longs[5])
    colours = tf.where(small, 0, longs[9])

    indexed = tf.reduce_any(bits == _PALETTES)
    colours = tf.where(
        indexed & (colours == 0), tf.bitwise.left_shift(1, tf.clip_by_value(bits, 0, 8)), colours
    )
    entry = tf.where(small, 3, 4)
    palette = 14 + header
    behind = palette + tf.where(indexed, entry * colours, 0)
    behind += tf.where((compression == _MASKED) & (header == _WINDOWS), 12, 0)
    offset = tf.where((offset == 0) | (indexed & (offset == palette)), behind, offset)

    masks = tf.where(bits == 16, *_DEFAULT_MASKS)
    own = longs[11:14]
    masks = tf.where((compression == _MASKED) & tf.reduce_any(own != 0), own, masks)
    layout = _Layout(
        tf.abs(height), width, height < 0, bits, offset, (width * bits + 31) // 32 * 4,
        palette, colours, entry, masks, tf.constant(""),
    )  # fmt: skip
    return layout._replace(refusal=_refusal(contents, layout, header, compression))


def _refusal(contents: tf.Tensor, layout: _Layout, header: tf.Tensor, compression: tf.Tensor) -> tf.Tensor:
    bits = layout.bits
    indexed = tf.reduce_any(bits == _PALETTES)
    masked = compression == _MASKED
    row = tf.cast(-(-layout.width * bits // 8), tf.int64)
    needed = tf.cast(layout.height - 1, tf.int64) * tf.cast(layout.stride, tf.int64) + row
    there = tf.cast(tf.strings.length(contents) - layout.offset, tf.int64)
    rules = [
        (tf.reduce_any(header == _HEADERS), ["header of ", header, " bytes"]),
        (compression != _RLE8, ["compression RLE8"]),
        (compression != _RLE4, ["compression RLE4"]),
        ((compression == _PLAIN) | masked, ["compression ", compression]),
        (indexed | tf.reduce_any(bits == _WORDS), [bits, " bits per pixel"]),
        (~(indexed & masked), ["bit masks for ", bits, " bits per pixel"]),
        (
            ~indexed | ((layout.colours > 0) & (layout.colours <= 65536)),
            ["palette of ", layout.colours, " colours"],
        ),
        (~masked | _sound(layout.masks), ["bit masks that overlap or have gaps"]),
        ((layout.offset > 0) & (there >= needed), ["only ", there, " bytes where pixels need ", needed]),
    ]
    refusal = tf.constant("")
    for holds, words in reversed(rules):
        parts = [word if isinstance(word, str) else tf.strings.as_string(word) for word in words]
        refusal = tf.where(holds, refusal, tf.strings.join(["BMP with ", *parts, ", which is not read"]))
    return refusal


def _sound(masks: tf.Tensor) -> tf.Tensor:
    """Whether masks are there, share no bit and are each of one piece."""
    lowest = masks & -masks
    whole = tf.reduce_all(((masks + lowest) & masks) == 0)
    red, green, blue = tf.unstack(masks)
    return whole & tf.reduce_all(masks != 0) & ((red & green | (red | green) & blue) == 0)


def _shifts(masks: tf.Tensor) -> tf.Tensor:
    """int32[3], the place of each mask's lowest bit."""
    return tf.reduce_sum(
        tf.cast((masks & -masks)[:, None] == [_bit(i) for i in range(32)], tf.int32) * tf.range(32), -1
    )


def _bit(place: int) -> int:
    """2**place as int32 keeps it."""
    return 1 << place if place < 31 else -(1 << 31)


def _in_bytes(layout: _Layout) -> tf.Tensor:
    """Whether each channel is a byte of the pixel's word."""
    bytes_ = tf.constant([[0xFF, 0xFF00, 0xFF0000, -(1 << 24)]])
    return (layout.bits > 16) & tf.reduce_all(tf.reduce_any(layout.masks[:, None] == bytes_, -1))


def _by_bytes(rows: tf.Tensor, layout: _Layout) -> tf.Tensor:
    count = layout.bits // 8
    pixels = tf.reshape(rows[:, : layout.width * count], [layout.height, layout.width, count])
    places = _shifts(layout.masks) // 8
    return tf.cond(  # a gather of single bytes takes 8 times as long as a reversal
        tf.reduce_all(places == [2, 1, 0]),
        lambda: tf.reverse(pixels[..., :3], [2]),
        lambda: tf.gather(pixels, places, axis=2),
    )


def _by_masks(rows: tf.Tensor, layout: _Layout) -> tf.Tensor:
    count = layout.bits // 8
    pixels = tf.reshape(rows[:, : layout.width * count], [layout.height, layout.width, count])
    words = tf.zeros([layout.height, layout.width], tf.uint32)
    for place in range(4):
        byte = tf.cast(pixels[..., tf.minimum(place, count - 1)], tf.uint32)
        words |= tf.where(place < count, tf.bitwise.left_shift(byte, tf.constant(8 * place, tf.uint32)), 0)
    channels = []
    for mask, shift in zip(tf.unstack(layout.masks), tf.unstack(_shifts(layout.masks)), strict=True):
        wide, low = tf.bitcast(mask, tf.uint32), tf.cast(shift, tf.uint32)
        most = tf.bitwise.right_shift(wide, low)
        more = tf.reduce_sum(tf.cast(most >= [1 << n for n in range(8, 32)], tf.uint32))
        value = tf.bitwise.right_shift(tf.bitwise.right_shift(words & wide, low), more)
        channels.append(tf.cast(value * 255 // tf.bitwise.right_shift(most, more), tf.uint8))
    return tf.stack(channels, -1)


def _by_palette(contents: tf.Tensor, rows: tf.Tensor, layout: _Layout) -> tf.Tensor:
    def indices(bits: int) -> tf.Tensor:
        shifts = tf.range(8 - bits, -1, -bits)
        parts = tf.bitwise.right_shift(rows[..., None], tf.cast(shifts, tf.uint8)) & (2**bits - 1)
        return tf.reshape(parts, [layout.height, -1])[:, : layout.width]

    choice = tf.where(layout.bits == 8, 2, layout.bits // 4)
    places = tf.switch_case(choice, [lambda: indices(1), lambda: indices(4), lambda: rows[:, : layout.width]])
    size = layout.entry * tf.minimum(layout.colours, 256)
    read = tf.io.decode_raw(
        substring(contents, layout.palette, size), tf.uint8, fixed_length=256 * layout.entry
    )
    palette = tf.reshape(read, [256, layout.entry])[:, 2::-1]
    return tf.gather(palette, tf.cast(places, tf.int32))
