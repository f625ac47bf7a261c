"""Steps of colour across channels; see `words` for what they work on.

Integers for uint8 and uint16, the formula itself for floats, whose white is 1. Factors and shifts are
fixed-point int64[B, 1, 1] with `levels.FRACTION` bits.

  saturate, shift_hue                             as `tf.image` has them, within 1 level
  brighten, set_contrast, set_color, shift_hsv    as Pillow has them: the steps of torchvision's ColorJitter
  to_grey                                         of images: Pillow's "L", in all channels
"""

import numpy as np
import tensorflow as tf

from augrng import fixed
from augrng.color import levels, words
from augrng.color.levels import Levels
from augrng.color.words import Channels, Step

_BITS = 16  # of a hue
_FINE = 12  # of levels and of the factors of their distances


def saturate(x: Channels, factor: tf.Tensor, of: Levels) -> Channels:
    """HSV's saturation times a factor of at least 0, at most 1; `tf.image.adjust_saturation`.

    With the largest channel M, the smallest m and g = min(factor, M / (M - m)) a channel x is M - g (M - x).
    """
    most, spread, _ = _hue(x)
    if not of.whole:
        limit = tf.where(spread > 0, most / tf.where(spread > 0, spread, 1), 0)
        share = tf.minimum(of.number(factor), limit)
        return [most - share * (most - channel) for channel in x]
    if of.dtype == tf.uint8:
        limit = _down(most * _quotient(tf.constant(1 << 22), tf.maximum(spread, 1)), 22 - _FINE)
    else:
        limit = tf.math.floordiv(_up(most, _FINE), tf.maximum(spread, 1))
    share = tf.minimum(_factor(factor, most.dtype, _FINE), limit)
    return [_rounded(_up(most, _FINE) - share * (most - channel), of) for channel in x]


def shift_hue(x: Channels, shift: tf.Tensor, of: Levels) -> Channels:
    """HSV's hue moved by a share of the circle; `tf.image.adjust_hue`.

    With the spread c of the channels and their smallest m, the hue is H / c sixths of the circle, and red
    becomes m + clip(|H - 3 c| - c, 0, c), green m + clip(2 c - |H - 2 c|, 0, c), blue the same about 4 c.
    """
    most, spread, hue = _hue(x)
    least = most - spread
    if of.whole:
        moved = _up(hue, _BITS) + 6 * _factor(shift, most.dtype, _BITS) * spread
        spread, least = _up(spread, _BITS), _up(least, _BITS)
    else:
        moved = hue + 6 * of.number(shift) * spread
    moved = tf.where(moved < 0, moved + 6 * spread, moved)
    moved = tf.where(moved >= 6 * spread, moved - 6 * spread, moved)
    zero = tf.zeros_like(spread)
    parts = [
        tf.abs(moved - 3 * spread) - spread,
        2 * spread - tf.abs(moved - 2 * spread),
        2 * spread - tf.abs(moved - 4 * spread),
    ]
    out = [least + tf.clip_by_value(part, zero, spread) for part in parts]
    return [_rounded(_down(channel, _BITS - _FINE), of) for channel in out] if of.whole else out


def brighten(x: Channels, factor: tf.Tensor, of: Levels) -> Channels:
    """Levels times a factor: Pillow's `ImageEnhance.Brightness`."""
    return _away(tf.zeros_like(x[0]), x, factor, of)


def set_contrast(x: Channels, factor: tf.Tensor, of: Levels) -> Channels:
    """Away from the mean of the luma by a factor: Pillow's `ImageEnhance.Contrast`."""
    return _away(tf.cast(levels.mean_of(levels.luma(x)), x[0].dtype), x, factor, of)


def set_color(x: Channels, factor: tf.Tensor, of: Levels) -> Channels:
    """Away from the pixel's luma by a factor: Pillow's `ImageEnhance.Color`."""
    return _away(levels.luma(x), x, factor, of)


def to_grey(images: tf.Tensor) -> tf.Tensor:
    """The luma in all channels."""
    grey = tf.cast(levels.luma(words.apart(images)), images.dtype)
    return tf.broadcast_to(grey[..., None], tf.shape(images))


def shift_hsv(x: Channels, shift: tf.Tensor, of: Levels) -> Channels:
    """The hue of Pillow's HSV moved by a share of the circle, as torchvision's `adjust_hue` has it.

    Pillow keeps hue, saturation and value as bytes, and so does this for uint8: H = floor(255 h),
    S = floor(255 s), the shift is that of a byte, floor(255 shift) modulo 256. Other dtypes have no bytes,
    and are moved by `shift_hue`.
    """
    if of.dtype != tf.uint8:
        return shift_hue(x, shift, of)
    most, spread, hue = _hue(x)
    hue = tf.where(hue < 0, hue + 6 * spread, hue)
    # Quotients of integers of which the divisor is at most 1530: half an integer on top of the dividend is
    # further from the next integer than floats err, so that the floor is that of the exact quotient.
    circle = 6 * tf.maximum(spread, 1)
    place = _quotient(255 * hue, circle)
    hue = place - tf.where(tf.equal(place * circle, 255 * hue), _falls_short(place), 0)
    saturation = _quotient(255 * spread, tf.maximum(most, 1))
    byte = tf.cast(tf.math.floordiv(255 * tf.abs(shift), levels.ONE), tf.int32)
    hue = (hue + tf.where(shift < 0, -byte, byte)) & 255  # as C makes a byte of a float
    sixth = tf.truncatediv(6 * hue, 255)
    part = 6 * hue - 255 * sixth

    def faded(share: tf.Tensor) -> tf.Tensor:
        """value * (1 - share / 255**2), halves up."""
        return tf.truncatediv(2 * most * (65025 - share) + 65025, 2 * 65025)

    # From one sixth to the next one channel rises from the lowest to the highest, or falls.
    low = faded(255 * saturation)
    between = faded(saturation * tf.where(tf.equal(sixth & 1, 1), part, 255 - part))

    def channel(turn: int) -> tf.Tensor:
        """Highest in sixths 5 and 0 of the circle that is turned by so many, lowest in 2 and 3."""
        turned = sixth + turn
        side = tf.abs(2 * tf.where(turned >= 6, turned - 6, turned) - 5)
        return tf.where(tf.equal(side, 5), most, tf.where(tf.equal(side, 3), between, low))

    return [channel(0), channel(4), channel(2)]


def _away(other: tf.Tensor, x: Channels, factor: tf.Tensor, of: Levels) -> Channels:
    return [levels.wide(levels.blend(other, channel, factor, of.dtype)) for channel in x]


def _hue(channels: Channels) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The largest of three channels, how far the smallest is below it, and the hue in sixths of the circle
    times that, from -1 to 5."""
    red, green, blue = channels
    most = tf.maximum(tf.maximum(red, green), blue)
    spread = most - tf.minimum(tf.minimum(red, green), blue)
    after_green = tf.where(tf.equal(most, green), 2 * spread + blue - red, 4 * spread + red - green)
    return most, spread, tf.where(tf.equal(most, red), green - blue, after_green)


STEPS: tuple[Step, ...] = (brighten, set_contrast, set_color, shift_hsv)


def _factor(factor: tf.Tensor, dtype: tf.DType, bits: int) -> tf.Tensor:
    """A fixed-point number with fewer bits, to the nearest."""
    return tf.cast(fixed.shift_round(factor, levels.FRACTION - bits), dtype)


def _rounded(x: tf.Tensor, of: Levels) -> tf.Tensor:
    """Levels with `_FINE` bits as `tf.image` rounds them; see `Levels.rounded`."""
    top = of.top
    whole = _down(tf.math.floordiv(x * (2 * top + 1), 2 * top), _FINE)
    return of.clip(whole)


def _short() -> np.ndarray:
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


_SHORT = np.packbits(np.append(_short(), False), bitorder="little").view(np.int32)


def _falls_short(place: tf.Tensor) -> tf.Tensor:
    """`_short` of 0 to 255, as 0 and 1: a bit in one of eight words, for a look-up would stop vectors."""
    word = tf.constant(_SHORT[0], tf.int32)
    for number in range(1, 8):
        word = tf.where(tf.equal(_down(place, 5), number), tf.constant(_SHORT[number], tf.int32), word)
    return tf.bitwise.right_shift(word, place & 31) & 1


def _quotient(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return tf.cast((tf.cast(a, tf.float32) + 0.5) / tf.cast(b, tf.float32), tf.int32)


def _up(x: tf.Tensor, bits: int) -> tf.Tensor:
    return x * (1 << bits)


def _down(x: tf.Tensor, bits: int) -> tf.Tensor:
    return tf.bitwise.right_shift(x, tf.constant(bits, x.dtype))
