"""Encoded images to pixels in TensorFlow graph ops, decoding only the part that is needed.

Everything takes one encoded image as a scalar string and runs inside `Dataset.map`: no Python at run time,
no state, no variables. What is equal to what:

| Pixels                                   | are, bit for bit                                                |
|------------------------------------------|-----------------------------------------------------------------|
| `decode(jpeg)`                           | `tf.io.decode_jpeg(dct_method="INTEGER_ACCURATE")`; Pillow's    |
| `decode_window(jpeg, window, ratio=r)`   | that window of `tf.io.decode_jpeg(ratio=r, ...)` of the whole   |

TensorFlow's default JPEG transform, INTEGER_FAST, is not used: at ratio 1 (and only there) it is 0.7 grey
levels too dark on average and up to 18 off, so that pictures would brighten as soon as the ratio is not 1.
INTEGER_ACCURATE takes 1% to 4% longer.
"""

import functools
from typing import Any, NamedTuple

import tensorflow as tf

from pipelines.header import JPEG, PNG, UNKNOWN, Header, bytes_at, little_endian, probe

RATIOS = (1, 2, 4, 8)
MAX_PIXELS = 2**26

_BLOCK = 16  # columns, where colour is stored at half the width; blocks of 8 and fewer divide it
_DCT = "INTEGER_ACCURATE"
# By EXIF orientation: whether rows and columns change places, then whether rows, columns are reversed.
_TURNS = [(n in (5, 6, 7, 8), n in (3, 4, 7, 8), n in (2, 3, 6, 7)) for n in range(9)]
_GREY_PALETTE = b"".join(bytes((level, level, level, 0)) for level in range(256))


class Window(NamedTuple):
    """A part of a JPEG, perhaps reduced.

    Pixel (i, j) covers source rows [top + i*ratio, top + (i+1)*ratio), columns likewise from `left`. Where a
    source side is no multiple of `ratio`, the last row or column reaches past the source: it averages the
    encoder's padding too, which repeats the edge in every common encoder.

    Attributes:
      image: uint8[h, w, channels].
      top: int32 scalar, source row where the first row of `image` starts; a multiple of `ratio`.
      left: int32 scalar, the same for columns.
      ratio: int32 scalar, source pixels per pixel of `image`.
    """

    image: tf.Tensor
    top: tf.Tensor
    left: tf.Tensor
    ratio: tf.Tensor


def decode(
    contents: tf.Tensor, *, channels: int = 3, max_pixels: int = MAX_PIXELS, orientation: bool = True
) -> tf.Tensor:
    """Decodes a whole JPEG, PNG, GIF, BMP or WebP image.

    An animated GIF gives its first frame. Alpha is dropped, not blended; 16-bit samples keep their upper 8
    bits; CMYK becomes RGB. Grey of a JPEG is its stored luma, of other formats `tf.image.rgb_to_grayscale`.

    Args:
      contents: scalar string, the encoded image.
      channels: 3 for RGB, 1 for grey.
      max_pixels: the largest height * width that is decoded; checked in the header before memory is taken.
      orientation: whether to turn a JPEG upright as its EXIF says. PNG and WebP are left as stored.

    Returns:
      uint8[height, width, channels].

    Raises:
      ValueError: if `channels` is neither 1 nor 3.
      InvalidArgumentError: if the format is unknown, the image empty or over `max_pixels`, the data truncated
        or corrupt, a WebP animated (TensorFlow overruns its buffer there) or a BMP paletted in colour
        (TensorFlow returns the indices).
    """
    if channels not in (1, 3):
        raise ValueError(f"channels: must be 1 (grey) or 3 (RGB), got {channels}")
    header = probe(contents)
    checked = refuse_unless(contents, header, max_pixels)
    image = decode_stored(checked, header.format, channels)
    if orientation:
        image = tf.cond(header.orientation > 1, lambda: upright(image, header.orientation), lambda: image)
    image.set_shape([None, None, channels])
    return image


def decode_stored(contents: tf.Tensor, format_: tf.Tensor, channels: int) -> tf.Tensor:
    """`decode` of an image whose format is known and whose size was checked, as it is stored."""
    image = tf.cond(
        format_ == JPEG,
        lambda: tf.io.decode_jpeg(contents, channels=channels, dct_method=_DCT),
        lambda: _decode_other(contents, format_, channels),
    )
    image.set_shape([None, None, channels])
    return image


def decode_window(
    contents: tf.Tensor, top: Any, left: Any, height: Any, width: Any, ratio: Any = 1, *, channels: int = 3
) -> Window:
    """Decodes the part of a JPEG that covers a window, reduced 1, 2, 4 or 8 times in the JPEG's transform.

    The part is the smallest of whole reduced pixels that covers the window; what of the window lies outside
    the image is left out. Rows above it cost their entropy decoding (over half the time of a full decode),
    rows below nothing, so that a file cut off below the window is not noticed; a progressive JPEG costs a
    full decode always. Sizes are not limited: see `decode`.

    Args:
      contents: scalar string, a JPEG.
      top: integer scalar, the window's first row in the stored image, before any turn.
      left: integer scalar, its first column.
      height: integer scalar, its rows; the window must overlap the image.
      width: integer scalar, its columns.
      ratio: 1, 2, 4 or 8, a Python integer or an integer scalar tensor; of four decoders only the one runs.
      channels: 3 for RGB, 1 for grey.

    Returns:
      A `Window`: the pixels and where they lie.

    Raises:
      ValueError: if `ratio` is a Python integer but not 1, 2, 4 or 8.
      InvalidArgumentError: if the window misses the image, or the data is no JPEG, truncated or corrupt.
    """
    if isinstance(ratio, int) and ratio not in RATIOS:
        raise ValueError(f"ratio: must be one of {RATIOS}, got {ratio}")
    top, left, height, width, scale = (tf.cast(x, tf.int32) for x in (top, left, height, width, ratio))
    stored = tf.io.extract_jpeg_shape(contents)[:2]
    first, last, start, stop = covering(
        tf.stack([top, left]), tf.stack([top + height, left + width]), scale, stored
    )
    contents = require(
        contents,
        tf.reduce_all(first < last),
        ["decode_window: no pixel in the window (top, left, height, width)", top, left, height, width],
    )

    part = tf.concat([start, stop - start], axis=0)
    if isinstance(ratio, int):
        image = decode_cells(contents, part, ratio, channels)
    else:
        is_choice = tf.constant(RATIOS) == scale
        message = ["decode_window: ratio must be 1, 2, 4 or 8, got", scale]
        contents = require(contents, tf.reduce_any(is_choice), message)
        branches = [functools.partial(decode_cells, contents, part, choice, channels) for choice in RATIOS]
        image = tf.switch_case(tf.argmax(is_choice, output_type=tf.int32), branches)
    cut = first[1] - start[1]
    image = image[:, cut : cut + last[1] - first[1]]
    image.set_shape([None, None, channels])
    return Window(image, first[0] * scale, first[1] * scale, scale)


def covering(
    low: tf.Tensor, high: tf.Tensor, ratio: tf.Tensor, stored: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """The reduced pixels of a JPEG that cover source positions [low, high), and those to decode for them.

    Smooth chroma upsampling takes a cut for the image's edge, which spoils the outermost column, and is not
    used at all for two columns; so two more on each side are decoded, which keeps both away. On the left it
    is as many as there are to where a block of the JPEG starts: those are decoded in any case, and TensorFlow
    copies every row if it has to leave some out (5% of all time).

    Args:
      low: integers [..., 2], first row and column.
      high: integers [..., 2], last row and column, plus 1.
      ratio: source pixels per reduced pixel; broadcasts against the others.
      stored: integers [..., 2], height and width of the JPEG.

    Returns:
      first, last (exclusive), start, stop (exclusive), each [..., 2]: the pixels asked for, and to decode.
    """
    sides = -(-stored // ratio)
    first, last = tf.maximum(low // ratio, 0), tf.minimum(-(-high // ratio), sides)
    margin = tf.constant([0, 2], sides.dtype)
    start = tf.maximum(first - margin, 0)
    start = tf.where([False, True], start - start % (_BLOCK // ratio), start)
    return first, last, start, tf.minimum(last + margin, sides)


def decode_cells(contents: tf.Tensor, cells: tf.Tensor, ratio: int, channels: int) -> tf.Tensor:
    """Decodes (top, left, height, width) of a JPEG reduced `ratio` times, in reduced pixels."""
    return tf.io.decode_and_crop_jpeg(contents, cells, channels, ratio=ratio, dct_method=_DCT)


def refuse_unless(contents: tf.Tensor, header: Header, max_pixels: int) -> tf.Tensor:
    """`contents`, to be had only if the header is that of an image of an allowed size."""
    known = require(
        contents,
        header.format != UNKNOWN,
        # As numbers: TensorFlow cannot raise a message that is not UTF-8.
        ["decode: not a JPEG, PNG, GIF, BMP or WebP image; its first bytes are", bytes_at(contents, 0, 8)],
    )
    pixels = tf.cast(header.height, tf.int64) * tf.cast(header.width, tf.int64)
    return require(
        known,
        (header.height > 0) & (header.width > 0) & (pixels <= max_pixels),
        ["decode: height and width", header.height, header.width, "must hold 1 to max_pixels =", max_pixels],
    )


def upright_flags() -> tf.Tensor:
    """bool[9, 3]: by EXIF orientation whether axes change places, then whether rows, columns are reversed."""
    return tf.constant(_TURNS)


def upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turns stored pixels [H, W, C] the way EXIF orientation 1 to 8 says they are to be seen."""
    flags = tf.gather(upright_flags(), orientation)
    image = tf.transpose(image, tf.where(flags[0], [1, 0, 2], [0, 1, 2]))
    return tf.raw_ops.Reverse(tensor=image, dims=tf.concat([flags[1:], [False]], axis=0))


def require(contents: tf.Tensor, condition: tf.Tensor, message: list[Any]) -> tf.Tensor:
    """`contents`, to be had only if the condition holds."""
    check = tf.debugging.Assert(condition, message, summarize=8)
    with tf.control_dependencies([] if check is None else [check]):  # None when run eagerly
        return tf.identity(contents)


def _decode_other(contents: tf.Tensor, code: tf.Tensor, channels: int) -> tf.Tensor:
    def grey_if_wanted(image: tf.Tensor) -> tf.Tensor:
        return tf.image.rgb_to_grayscale(image) if channels == 1 else image

    return tf.switch_case(
        code - PNG,
        [
            lambda: tf.io.decode_png(contents, channels=channels),
            lambda: grey_if_wanted(tf.io.decode_image(contents, channels=3, expand_animations=False)),
            lambda: grey_if_wanted(_decode_bmp(contents)),
            lambda: grey_if_wanted(_decode_webp(contents)),
        ],
    )


def _decode_bmp(contents: tf.Tensor) -> tf.Tensor:
    head = bytes_at(contents, 0, 32)
    bits, palette_at = little_endian(head[28:30]), 14 + little_endian(head[14:18])
    size = tf.strings.length(contents)
    palette = tf.strings.substr(contents, tf.clip_by_value(palette_at, 0, size), len(_GREY_PALETTE))
    direct = (bits == 24) | (bits == 32) | ((bits == 8) & (palette == _GREY_PALETTE))
    # An Assert within a branch would make the dataset's iterator impossible to save; this op has no state,
    # and its error quotes what is no number.
    refusal = tf.strings.join(["BMP with a palette, bits per pixel: ", tf.strings.as_string(bits)])
    contents = tf.strings.substr(
        contents, tf.strings.to_number(tf.where(direct, "0", refusal), tf.int32), size
    )
    return tf.io.decode_image(contents, channels=3, expand_animations=False)


def _decode_webp(contents: tf.Tensor) -> tf.Tensor:
    # Of a file with alpha TensorFlow gives all 4 channels or none; of an animation, asked for 3, an error.
    # Never ask for 0: an animation would then be written past the end of its memory.
    head = bytes_at(contents, 0, 32)
    extended, lossless = head[15] == ord("X"), head[15] == ord("L")
    animated = extended & (head[20] & 2 > 0)
    alpha = (extended & (head[20] & 16 > 0)) | (lossless & (head[24] & 16 > 0))
    return tf.cond(
        alpha & ~animated,
        lambda: tf.io.decode_webp(contents, channels=4)[0, ..., :3],
        lambda: tf.io.decode_webp(contents, channels=3)[0],
    )
