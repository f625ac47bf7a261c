"""What decodes each format to a wanted number of channels and dtype, in TensorFlow ops without state."""

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from augrng.kept import Kept
from pipelines.images import bmp, gif
from pipelines.images.header import JPEG, PNG, first_bytes, header
from pipelines.images.raw import bytes_at, refused_if
from pipelines.sources.source import DTYPES

CHANNELS = (1, 2, 3, 4)
DCT = "INTEGER_ACCURATE"  # why: see `decode`
_RAW_HEAD = 64  # bytes before the rows of raw pixels: TensorFlow then takes them off without a copy


def check_kind(channels: int, dtype: str) -> None:
    """Raises ValueError if images cannot be decoded to so many channels of this dtype."""
    if channels not in CHANNELS:
        raise ValueError(
            f"channels: must be 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha), got {channels}"
        )
    if dtype not in DTYPES:
        raise ValueError(f"dtype: encoded images can become one of {DTYPES}, got {dtype!r}")


@functools.cache
def whole(channels: int, dtype: str) -> Kept:
    """What decodes a whole image by contents and format; traced once, whoever asks."""
    return Kept(functools.partial(_whole, channels, dtype))


def _whole(channels: int, dtype: str, contents: tf.Tensor, format_: tf.Tensor) -> tf.Tensor:
    jpeg = functools.partial(tf.io.decode_jpeg, contents, dct_method=DCT)
    # JPEG comes first in a branch of its own: a switch runs what all branches share before any.
    return tf.cond(
        format_ == JPEG,
        lambda: completed(
            colours_of_jpeg(contents, channels, lambda colours: jpeg(channels=colours)), channels, dtype
        ),
        lambda: tf.switch_case(
            format_ - PNG,
            [
                lambda: _decode_png(contents, channels, dtype),
                lambda: completed(_grey_if_asked(gif.decode(contents), channels), channels, dtype),
                lambda: completed(_grey_if_asked(bmp.decode(contents), channels), channels, dtype),
                lambda: completed(_decode_webp(contents, channels), channels, dtype),
                lambda: _decode_raw(contents, channels, dtype),
            ],
        ),
    )


def completed(image: tf.Tensor, channels: int, dtype: str) -> tf.Tensor:
    """uint8 colours, perhaps with alpha, as so many channels of a dtype; alpha is opaque if there is none."""
    if image.shape[-1] < channels:
        image = tf.concat(
            [image, tf.fill([*tf.unstack(tf.shape(image)[:2]), 1], tf.constant(255, tf.uint8))], -1
        )
    return image if dtype == "uint8" else tf.cast(image, tf.uint16) * 257


def raw_bytes(image: np.ndarray) -> bytes:
    """Pixels as their rows and, before them, their size: uint8[H, W, 1 or 3] to a Netpbm file (PGM, PPM).

    Its header always has 64 bytes: "P6 0000500 0000375" says RGB, width and height in seven digits; a comment
    of blanks and the largest value, 255, follow in lines of their own. Netpbm files with other headers are no
    format of the reader's.

    Raises:
      TypeError: if it is none of uint8 with 1 or 3 channels.
    """
    height, width, channels = image.shape
    if image.dtype != np.uint8 or channels not in (1, 3):
        raise TypeError(
            f"pixels: raw ones must be uint8 with 1 or 3 channels, got {image.dtype} with {channels}"
        )
    kind = "P6" if channels == 3 else "P5"
    size = f"{kind} {width:07d} {height:07d}\n#"
    return size.encode().ljust(_RAW_HEAD - 5) + b"\n255\n" + image.tobytes()


def raw_window(
    contents: tf.Tensor, size: tf.Tensor, window: tf.Tensor, channels: int, dtype: str = "uint8"
) -> tf.Tensor:
    """A part of what `raw_bytes` made; of a low one the rows above and below are not even copied.

    Args:
      contents: scalar string.
      size: int32[2], height and width as the header says.
      window: int32[4], (top, left, height, width), within it.
      channels: 1 to 4.
      dtype: "uint8" or "uint16".

    Returns:
      [height, width, channels].

    Raises:
      InvalidArgumentError: if there are more or fewer bytes than the header says.
    """
    top, left, height, width = tf.unstack(window)
    is_rgb = tf.equal(tf.strings.substr(contents, 0, 2), "P6")
    row = size[1] * tf.where(is_rgb, 3, 1)
    is_whole = tf.equal(tf.strings.length(contents), _RAW_HEAD + size[0] * row)
    reason = tf.where(is_whole, "", "raw pixels that are more or fewer than the header says")
    zero = tf.cast(tf.strings.length(refused_if(reason, tf.constant(""))), tf.int32)

    def rows() -> tuple[tf.Tensor, tf.Tensor]:
        part = tf.strings.substr(contents, _RAW_HEAD + top * row + zero, height * row)
        return tf.io.decode_raw(part, tf.uint8), zero

    def whole() -> tuple[tf.Tensor, tf.Tensor]:
        return tf.io.decode_raw(contents, tf.uint8)[_RAW_HEAD:], top + zero

    values, first = tf.cond(2 * height < size[0], rows, whole)

    def cut(colours: int) -> tf.Tensor:
        image = tf.reshape(values, [zero - 1, size[1], colours])
        return tf.slice(image, [first, left, 0], [height, width, colours])

    def of_grey() -> tf.Tensor:
        return tf.repeat(cut(1), 1 if channels < 3 else 3, -1)

    image = tf.cond(is_rgb, lambda: _grey_if_asked(cut(3), channels), of_grey)
    return completed(image, channels, dtype)


def _decode_raw(contents: tf.Tensor, channels: int, dtype: str) -> tf.Tensor:
    known = header(first_bytes(contents), tf.constant([0, 0, 1]))
    size = tf.stack([known.height, known.width])
    return raw_window(contents, size, tf.concat([[0, 0], size], 0), channels, dtype)


def _grey_if_asked(image: tf.Tensor, channels: int) -> tf.Tensor:
    """RGB, perhaps with alpha, as grey if there are to be 1 or 2 channels."""
    if channels > 2:
        return image
    grey = tf.image.rgb_to_grayscale(image[..., :3])
    return tf.concat([grey, image[..., 3:]], -1)


def colours_of_jpeg(contents: tf.Tensor, channels: int, decoder: Callable[[int], tf.Tensor]) -> tf.Tensor:
    """Grey or RGB of a JPEG; TensorFlow makes no grey of CMYK."""
    if channels > 2:
        return decoder(3)
    is_cmyk = tf.equal(tf.io.extract_jpeg_shape(contents)[2], 4)
    return tf.cond(is_cmyk, lambda: tf.image.rgb_to_grayscale(decoder(3)), lambda: decoder(1))


def _decode_png(contents: tf.Tensor, channels: int, dtype: str) -> tf.Tensor:
    decoder = functools.partial(tf.io.decode_png, contents, dtype=dtype)
    if channels != 2:
        return decoder(channels=channels)
    return tf.concat([decoder(channels=1), decoder(channels=4)[..., 3:]], -1)


def _decode_webp(contents: tf.Tensor, channels: int) -> tf.Tensor:
    if not hasattr(tf.io, "decode_webp"):
        refused = f"WebP, which TensorFlow decodes from 2.20 on; this is {tf.__version__}"
        return _decode_png(refused_if(tf.constant(refused), contents), channels, "uint8")
    # Of a file with alpha TensorFlow gives all 4 channels or none; of an animation, asked for 3, an error.
    # Never ask for 0: an animation would then be written past the end of its memory.
    head = bytes_at(contents, 0, 32)
    extended, lossless = tf.equal(head[15], ord("X")), tf.equal(head[15], ord("L"))
    animated = extended & (head[20] & 2 > 0)
    alpha = (extended & (head[20] & 16 > 0)) | (lossless & (head[24] & 16 > 0))
    with_alpha = channels in (2, 4)

    def opaque() -> tf.Tensor:
        image = tf.io.decode_webp(contents, channels=3)[0]
        return completed(image, 3 + with_alpha, "uint8")

    def transparent() -> tf.Tensor:
        return tf.io.decode_webp(contents, channels=4)[0, ..., : 3 + with_alpha]

    return _grey_if_asked(tf.cond(alpha & ~animated, transparent, opaque), channels)
