"""Noise and what is covered: numbers of words that belong to a place in the picture.

A word is that of its pixel and channel, number (y width + x) channels + c of the example's noise key, so that
the same place gets the same noise whatever the batch.
"""

from statistics import NormalDist

import numpy as np
import tensorflow as tf

from augrng.color.levels import Levels

_FRACTION = 16  # bits of a normal number
_PARTS = 32  # of an octave of the tail, each a straight line


def uniform_like(words: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    """Pixels uniform over all levels, of the shape and dtype of images, of words uint32[B, H * W * C]."""
    words = tf.reshape(words, tf.shape(images))
    if images.dtype.is_floating:
        return tf.cast(tf.cast(words & (2**23 - 1), tf.float32) / 2**23, images.dtype)
    return tf.cast(
        tf.bitwise.right_shift(words, tf.constant(32 - 8 * images.dtype.size, tf.uint32)), images.dtype
    )


def add_normal(images: tf.Tensor, words: tf.Tensor, mean: tf.Tensor, sigma: tf.Tensor) -> tf.Tensor:
    """Adds normal noise of words uint32[B, H * W * C], rounded and clipped for integers.

    Args:
      mean: a share of white, fixed-point int64[B, 1, 1, 1].
      sigma: the same.
    """
    of = Levels(images.dtype)
    drawn = normal(tf.reshape(words, tf.shape(images)))
    if not of.whole:
        numbers = tf.cast(drawn, of.working) / (1 << _FRACTION)
        return tf.cast(
            tf.cast(images, of.working) + of.number(mean) + of.number(sigma) * numbers, images.dtype
        )
    # A share of 24 bits times white, with 12 bits left, times a number of 16.
    scale, offset = (
        tf.bitwise.right_shift(value * of.top, tf.constant(12, tf.int64)) for value in (sigma, mean)
    )
    total = scale * tf.cast(drawn, tf.int64) + offset * (1 << _FRACTION)
    half = 1 << (11 + _FRACTION)
    moved = tf.bitwise.right_shift(total + half, tf.constant(12 + _FRACTION, tf.int64))
    return tf.cast(of.clip(tf.cast(images, tf.int64) + moved), images.dtype)


def normal(words: tf.Tensor) -> tf.Tensor:
    """int32[...], standard normal numbers with 16 fraction bits, of words uint32[...].

    The inverse of the distribution function by straight lines: bit 31 is the sign, the other 31 are the share
    t of the tail beyond, t = (word + 1/2) / 2**32. Each octave of t has 32 lines, so that the tail is as
    exact as the middle: within 1/1000 to 6.2 standard deviations.
    """
    share = tf.cast(words & (2**31 - 1), tf.int32)
    # A power of two below t, from the exponent of a float that is rounded down: its upper 24 bits.
    upper = tf.where(share >= 1 << 24, share & ~0xFF, share)
    bits = tf.bitcast(tf.cast(upper, tf.float32), tf.int32)
    octave = tf.where(share > 0, tf.bitwise.right_shift(bits, tf.constant(23, tf.int32)) - 127, 0)
    rest = share - tf.where(share > 0, tf.bitwise.left_shift(tf.ones_like(octave), octave), 0)
    # The place within the octave, with 20 bits: 5 say which line, 15 where on it.
    place = tf.where(
        octave >= 20,
        tf.bitwise.right_shift(rest, tf.maximum(octave - 20, 0)),
        tf.bitwise.left_shift(rest, tf.maximum(20 - octave, 0)),
    )
    line = octave * _PARTS + tf.bitwise.right_shift(place, tf.constant(15, tf.int32))
    table = tf.constant(_TABLE, tf.int32)
    start, stop = tf.gather(table, line), tf.gather(table, line + 1)
    along = place & ((1 << 15) - 1)
    drawn = start + tf.bitwise.right_shift((stop - start) * along + (1 << 14), tf.constant(15, tf.int32))
    drawn = tf.where(share > 0, drawn, _FARTHEST)  # below the first octave
    return tf.where(words >= 1 << 31, -drawn, drawn)


def _table() -> np.ndarray:
    """The number beyond which a share t lies, at the ends of all lines."""
    ends = [2.0**octave * (1 + part / _PARTS) for octave in range(31) for part in range(_PARTS)]
    shares = (np.array([*ends, 2.0**31]) + 0.5) / 2**32
    return np.array([round(-NormalDist().inv_cdf(min(share, 0.5)) * (1 << _FRACTION)) for share in shares])


_TABLE = _table()
_FARTHEST = round(-NormalDist().inv_cdf(0.5 / 2**32) * (1 << _FRACTION))


def cover(images: tf.Tensor, inside: tf.Tensor, filling: tf.Tensor) -> tf.Tensor:
    """Images with `filling` where `inside`, bool[B, H, W]."""
    return tf.where(inside[..., None], filling, images)


def rectangle(
    images: tf.Tensor, top: tf.Tensor, left: tf.Tensor, height: tf.Tensor, width: tf.Tensor
) -> tf.Tensor:
    """Where a rectangle lies, bool[B, H, W]; its sides int64[B], in pixels."""
    y = tf.range(tf.shape(images)[1], dtype=tf.int32)[None, :, None]
    x = tf.range(tf.shape(images)[2], dtype=tf.int32)[None, None, :]
    top, left, height, width = (tf.cast(side, tf.int32)[:, None, None] for side in (top, left, height, width))
    return (y >= top) & (y < top + height) & (x >= left) & (x < left + width)


def filled(images: tf.Tensor, value: float | tuple[float, ...]) -> tf.Tensor:
    """One pixel of a value for each channel, [C] of the images' dtype."""
    channels = images.shape[3]
    values = value if isinstance(value, tuple) else (value,) * channels
    return tf.cast(tf.constant(values), images.dtype)
