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

from augrng.arguments import asserted
from pipelines.images.formats import DCT, check_kind, colours_of_jpeg, completed, whole
from pipelines.images.header import UNKNOWN, Header, probe
from pipelines.images.raw import bytes_at, refused_if

RATIOS = (1, 2, 4, 8)
MAX_PIXELS = 2**26

_BLOCK = 16  # columns, where colour is stored at half the width; blocks of 8 and fewer divide it
# By EXIF orientation: whether rows and columns change places, then whether rows, columns are reversed.
_TURNS = [(n in (5, 6, 7, 8), n in (3, 4, 7, 8), n in (2, 3, 6, 7)) for n in range(9)]


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
    contents: tf.Tensor,
    *,
    channels: int = 3,
    dtype: str = "uint8",
    max_pixels: int = MAX_PIXELS,
    orientation: bool = True,
) -> tf.Tensor:
    """Decodes a whole JPEG, PNG, GIF, BMP or WebP image.

    An animated GIF gives its first frame. CMYK becomes RGB. Grey of a JPEG is its stored luma, of a PNG what
    libpng makes of it, of others and of CMYK `tf.image.rgb_to_grayscale`. Alpha is that of PNG and WebP, of
    others opaque; where it is not asked for it is dropped, not blended. Samples of 16 bits are those of a
    PNG, or 257 times those of 8 bits; of 8 bits the upper half of a PNG's 16.

    Args:
      contents: scalar string, the encoded image.
      channels: 1 for grey, 2 for grey and alpha, 3 for RGB, 4 for RGB and alpha.
      dtype: "uint8" or "uint16".
      max_pixels: the largest height * width that is decoded; checked in the header before memory is taken.
      orientation: whether to turn the image upright as its EXIF says.

    Returns:
      [height, width, channels] of the dtype.

    Raises:
      ValueError: if `channels` is not 1 to 4, or `dtype` none of the two.
      InvalidArgumentError: if the format is unknown, the image empty or over `max_pixels`, the data truncated
        or corrupt or not of the size that the header says, a WebP animated (TensorFlow overruns its buffer
        there) or a BMP of a kind that `bmp.decode` refuses.
    """
    check_kind(channels, dtype)
    header = probe(contents)
    checked = refuse_unless(contents, header, max_pixels)
    size = tf.stack([header.height, header.width])
    image = decode_stored(checked, header.format, size, channels=channels, dtype=dtype)
    if orientation:
        image = tf.cond(header.orientation > 1, lambda: upright(image, header.orientation), lambda: image)
    image.set_shape([None, None, channels])
    return image


def decode_stored(
    contents: tf.Tensor, format_: tf.Tensor, size: tf.Tensor, *, channels: int, dtype: str = "uint8"
) -> tf.Tensor:
    """`decode` of an image whose format is known and whose size was checked, as it is stored.

    Args:
      contents: scalar string.
      format_: int32 scalar, see `header`; not UNKNOWN.
      size: int32[2], height and width that the header says.
      channels: as of `decode`.
      dtype: as of `decode`.

    Raises:
      InvalidArgumentError: if it is corrupt, or of another size.
    """
    image = whole(channels, dtype)(contents, format_)
    there, said = tf.shape(image)[:2], tf.strings.as_string(size)
    found = tf.strings.as_string(there)
    words = ["image of ", found[0], " x ", found[1], " pixels whose header says ", said[0], " x ", said[1]]
    reason = tf.where(tf.reduce_all(there == size), "", tf.strings.join(words))
    zero = tf.cast(tf.strings.length(refused_if(reason, tf.constant(""))), tf.int32)
    return tf.reshape(image, tf.concat([size + zero, [channels]], 0))


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


def decode_cells(
    contents: tf.Tensor, cells: tf.Tensor, ratio: int, channels: int, dtype: str = "uint8"
) -> tf.Tensor:
    """Decodes (top, left, height, width) of a JPEG reduced `ratio` times, in reduced pixels."""

    def decoder(colours: int) -> tf.Tensor:
        return tf.io.decode_and_crop_jpeg(contents, cells, colours, ratio=ratio, dct_method=DCT)

    return completed(colours_of_jpeg(contents, channels, decoder), channels, dtype)


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
    with tf.control_dependencies([asserted(condition, message, summarize=8)]):
        return tf.identity(contents)
