"""Colour across channels: images [B, H, W, 3] to images of the same shape and dtype.

Integers for uint8 and uint16, the formula itself for floats, whose white is 1. Factors and shifts are
fixed-point int64[B, 1, 1, 1] with `levels.FRACTION` bits.

  saturate, shift_hue                             as `tf.image` has them, within 1 level
  brighten, set_contrast, set_color, shift_hsv    as Pillow has them: the steps of torchvision's ColorJitter
  to_grey                                         Pillow's "L", in all channels
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from augrng import fixed
from augrng.color import levels
from augrng.color.levels import Levels

_BITS = 16  # of a hue
_FINE = 12  # of levels and of the factors of their distances


def saturate(images: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """HSV's saturation times a factor of at least 0, at most 1; `tf.image.adjust_saturation`.

    With the largest channel M, the smallest m and g = min(factor, M / (M - m)) a channel x is M - g (M - x).
    """
    x, of = levels.wide(images), Levels(images.dtype)
    most = tf.reduce_max(x, -1, keepdims=True)
    spread = most - tf.reduce_min(x, -1, keepdims=True)
    if not of.whole:
        share = of.number(factor)
        limit = tf.where(spread > 0, most / tf.where(spread > 0, spread, 1), 0)
        return tf.cast(most - tf.minimum(share, limit) * (most - x), images.dtype)
    if images.dtype == tf.uint8:
        limit = _down(most * tf.gather(_reciprocals(), spread), 22 - _FINE)
    else:
        limit = tf.math.floordiv(_up(most, _FINE), tf.maximum(spread, 1))
    share = tf.minimum(_factor(factor, x.dtype, _FINE), limit)
    return _rounded(_up(most, _FINE) - share * (most - x), images.dtype)


def shift_hue(images: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
    """HSV's hue moved by a share of the circle; `tf.image.adjust_hue`.

    With the spread c of the channels and their smallest m, the hue is H / c sixths of the circle, and red
    becomes m + clip(|H - 3 c| - c, 0, c), green m + clip(2 c - |H - 2 c|, 0, c), blue the same about 4 c.
    """
    x, of = levels.wide(images), Levels(images.dtype)
    most, spread, hue = _hue(x)
    least = most - spread
    if of.whole:
        moved = _up(hue, _BITS) + 6 * _factor(shift, x.dtype, _BITS) * spread
        spread, least = _up(spread, _BITS), _up(least, _BITS)
    else:
        moved = hue + 6 * of.number(shift) * spread
    moved = tf.where(moved < 0, moved + 6 * spread, moved)
    moved = tf.where(moved >= 6 * spread, moved - 6 * spread, moved)
    zero = tf.zeros_like(spread)
    channels = [
        tf.abs(moved - 3 * spread) - spread,
        2 * spread - tf.abs(moved - 2 * spread),
        2 * spread - tf.abs(moved - 4 * spread),
    ]
    out = least + tf.concat([tf.clip_by_value(channel, zero, spread) for channel in channels], -1)
    return _rounded(_down(out, _BITS - _FINE), images.dtype) if of.whole else tf.cast(out, images.dtype)


def brighten(images: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Levels times a factor: Pillow's `ImageEnhance.Brightness`."""
    x = levels.wide(images)
    return levels.blend(tf.zeros_like(x[..., :1]), x, factor, images.dtype)


def set_contrast(images: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Away from the mean of the luma by a factor: Pillow's `ImageEnhance.Contrast`."""
    x = levels.wide(images)
    mean = tf.cast(levels.mean_of(levels.luma(x)), x.dtype)[..., None]
    return levels.blend(mean, x, factor, images.dtype)


def set_color(images: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Away from the pixel's luma by a factor: Pillow's `ImageEnhance.Color`."""
    x = levels.wide(images)
    return levels.blend(levels.luma(x), x, factor, images.dtype)


def to_grey(images: tf.Tensor) -> tf.Tensor:
    """The luma in all channels."""
    grey = tf.cast(levels.luma(levels.wide(images)), images.dtype)
    return tf.broadcast_to(grey, tf.shape(images))


def shift_hsv(images: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
    """The hue of Pillow's HSV moved by a share of the circle, as torchvision's `adjust_hue` has it.

    Pillow keeps hue, saturation and value as bytes, and so does this for uint8: H = floor(255 h),
    S = floor(255 s), the shift is that of a byte, floor(255 shift) modulo 256. Other dtypes have no bytes,
    and are moved by `shift_hue`.
    """
    if images.dtype != tf.uint8:
        return shift_hue(images, shift)
    most, spread, hue = _hue(levels.wide(images))
    hue = tf.where(hue < 0, hue + 6 * spread, hue)
    # Quotients of integers of which the divisor is at most 1530: half an integer on top of the dividend is
    # further from the next integer than floats err, so that the floor is that of the exact quotient.
    circle = 6 * tf.maximum(spread, 1)
    place = _quotient(255 * hue, circle)
    short = tf.gather(tf.constant(_SHORT, tf.int32), place)
    hue = place - tf.where(tf.equal(place * circle, 255 * hue), short, tf.zeros_like(short))
    saturation = _quotient(255 * spread, tf.maximum(most, 1))
    byte = tf.cast(tf.math.floordiv(255 * tf.abs(shift), levels.ONE), tf.int32)
    hue = (hue + tf.where(shift < 0, -byte, byte)) & 255  # as C makes a byte of a float
    sixth, part = tf.math.floordiv(6 * hue, 255), tf.math.floormod(6 * hue, 255)

    def faded(share: tf.Tensor) -> tf.Tensor:
        """value * (1 - share / 255**2), halves up."""
        return tf.math.floordiv(2 * most * (65025 - share) + 65025, 2 * 65025)

    low, falling, rising = (
        faded(255 * saturation), faded(saturation * part), faded(saturation * (255 - part))
    )  # fmt: skip
    turns = [
        [most, falling, low, low, rising, most],
        [rising, most, most, falling, low, low],
        [low, low, rising, most, most, falling],
    ]
    channels = []
    for by_sixth in turns:
        channel = by_sixth[5]
        for number in range(5):
            channel = tf.where(tf.equal(sixth % 6, number), by_sixth[number], channel)
        channels.append(tf.where(tf.equal(saturation, 0), most, channel))
    return tf.cast(tf.concat(channels, -1), tf.uint8)


def _hue(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The largest channel of [..., 3], how far the smallest is below it, and the hue in sixths of the circle
    times that, from -1 to 5."""
    red, green, blue = tf.split(x, 3, -1)
    most = tf.maximum(tf.maximum(red, green), blue)
    spread = most - tf.minimum(tf.minimum(red, green), blue)
    after_green = tf.where(tf.equal(most, green), 2 * spread + blue - red, 4 * spread + red - green)
    return most, spread, tf.where(tf.equal(most, red), green - blue, after_green)


STEPS: tuple[Callable[[tf.Tensor, tf.Tensor], tf.Tensor], ...] = (
    brighten,
    set_contrast,
    set_color,
    shift_hsv,
)


def _factor(factor: tf.Tensor, dtype: tf.DType, bits: int) -> tf.Tensor:
    """A fixed-point number with fewer bits, to the nearest."""
    return tf.cast(fixed.shift_round(factor, levels.FRACTION - bits), dtype)


def _rounded(x: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Levels with `_FINE` bits as `tf.image` rounds them; see `Levels.rounded`."""
    top = dtype.max
    whole = _down(tf.math.floordiv(x * (2 * top + 1), 2 * top), _FINE)
    return tf.cast(Levels(dtype).clip(whole), dtype)


def _reciprocals() -> tf.Tensor:
    """floor(2**22 / c) for c in 0 to 255, of 0 the largest."""
    return tf.constant(np.concatenate([[1 << 22], (1 << 22) // np.arange(1, 256)]), tf.int32)


def _falls_short() -> np.ndarray:
    """Which whole numbers Pillow's floats fall just short of where 255 times the hue is one, bool[255]."""
    most = 85  # the hue 2 k of 6 times this is k of 255
    k = np.arange(255)
    red, green, blue = (
        np.clip(value, 0, most)
        for value in (abs(2 * k - 255) - most, 170 - abs(2 * k - 170), 170 - abs(2 * k - 340))
    )
    parts = [((most - channel) / np.float32(most)).astype(np.float32) for channel in (red, green, blue)]
    r, g, b = (part.astype(np.float64) for part in parts)
    hue = np.where(red == most, b - g, np.where(green == most, 2 + r - b, 4 + g - r)).astype(np.float32)
    turned = np.fmod(hue.astype(np.float64) / 6 + 1, 1).astype(np.float32).astype(np.float64)
    return (turned * 255).astype(np.int64) < k


_SHORT = _falls_short().astype(np.int32)


def _quotient(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return tf.cast((tf.cast(a, tf.float32) + 0.5) / tf.cast(b, tf.float32), tf.int32)


def _up(x: tf.Tensor, bits: int) -> tf.Tensor:
    return x * (1 << bits)


def _down(x: tf.Tensor, bits: int) -> tf.Tensor:
    return tf.bitwise.right_shift(x, tf.constant(bits, x.dtype))
