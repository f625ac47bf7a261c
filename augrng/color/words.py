"""Pixels as they are worked on across channels: bytes of a pixel in one word, so that compilers find vectors.

uint8[B, H, W, 3] is packed into int32[B, H, W], red lowest; images of other dtypes stay as they are. The
channels that come apart are [B, H, W] each, and wide (`levels.wide`).
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from augrng import fixed
from augrng.color import levels
from augrng.color.levels import Levels

Channels = Sequence[tf.Tensor]
# From channels, what was drawn for it, int64[B, 1, 1], and the levels there are, to channels within these.
Step = Callable[[Channels, tf.Tensor, Levels], Channels]


def changed(images: tf.Tensor, step: Step, drawn: tf.Tensor) -> tf.Tensor:
    """Images [B, H, W, 3] after a step, for which int64[B] was drawn."""
    pixels = packed(images)
    after = lambda: stepped(pixels, step, drawn, images.dtype)  # noqa: E731
    return unpacked(tf.cond(fixed.never(drawn), lambda: pixels, after), images.dtype)


def stepped(pixels: tf.Tensor, step: Step, drawn: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Pixels of images of a dtype, packed, after a step."""
    if dtype != tf.uint8:
        return tf.cast(tf.stack(step(apart(pixels), drawn[:, None, None], Levels(dtype)), -1), dtype)
    channels = [tf.bitwise.right_shift(pixels, tf.constant(bits)) & 255 for bits in (0, 8, 16)]
    return _word(step(channels, drawn[:, None, None], Levels(dtype)))


def packed(images: tf.Tensor) -> tf.Tensor:
    """Images of three channels as pixels."""
    return _word(apart(images)) if images.dtype == tf.uint8 else images


def unpacked(pixels: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Pixels as images of three channels."""
    return tf.bitcast(pixels, tf.uint8)[..., :3] if dtype == tf.uint8 else pixels


def apart(images: tf.Tensor) -> Channels:
    """The channels of images."""
    return list(map(levels.wide, tf.unstack(images, axis=-1)))


def _word(channels: Channels) -> tf.Tensor:
    red, green, blue = channels
    return red + green * (1 << 8) + blue * (1 << 16)
