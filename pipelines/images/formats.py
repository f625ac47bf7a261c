"""What decodes each format to a wanted number of channels and dtype, in TensorFlow ops without state."""

import functools
from collections.abc import Callable

import tensorflow as tf

from pipelines.images import bmp, gif
from pipelines.images.header import JPEG, PNG
from pipelines.images.raw import bytes_at
from pipelines.sources.source import DTYPES

CHANNELS = (1, 2, 3, 4)
DCT = "INTEGER_ACCURATE"  # why: see `decode`


def check_kind(channels: int, dtype: str) -> None:
    """Raises ValueError if images cannot be decoded to so many channels of this dtype."""
    if channels not in CHANNELS:
        raise ValueError(
            f"channels: must be 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha), got {channels}"
        )
    if dtype not in DTYPES:
        raise ValueError(f"dtype: encoded images can become one of {DTYPES}, got {dtype!r}")


@functools.cache
def whole(channels: int, dtype: str) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """What decodes a whole image by contents and format; traced once, whoever asks."""

    def decoded(contents: tf.Tensor, format_: tf.Tensor) -> tf.Tensor:
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
                ],
            ),
        )

    signature = [tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.int32)]
    return tf.function(decoded, input_signature=signature, autograph=False)


def completed(image: tf.Tensor, channels: int, dtype: str) -> tf.Tensor:
    """uint8 colours, perhaps with alpha, as so many channels of a dtype; alpha is opaque if there is none."""
    if image.shape[-1] < channels:
        image = tf.concat(
            [image, tf.fill([*tf.unstack(tf.shape(image)[:2]), 1], tf.constant(255, tf.uint8))], -1
        )
    return image if dtype == "uint8" else tf.cast(image, tf.uint16) * 257


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
