"""Filters: what becomes of a pixel depends on its neighbours. Images [B, H, W, C], the same shape and dtype.

Integers for uint8 and uint16, the formula itself for floats.
"""

import math

import tensorflow as tf

from augrng import fixed
from augrng.color import levels
from augrng.color.levels import Levels


def sharpen(images: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Away from a smoothed picture by a factor: Pillow's `ImageEnhance.Sharpness`.

    The smoothed picture is Pillow's SMOOTH, weights 1 and in the middle 5 of 13; the outermost pixels stay.

    Args:
      factor: fixed-point int64[B, 1, 1, 1]; 0 smooths, 1 changes nothing.
    """
    of, channels = Levels(images.dtype), images.shape[3]
    shape = tf.shape(images)
    # Rows without a channel axis: what is innermost is long enough for vectors, a quarter of the time.
    lines = tf.reshape(images, [shape[0], shape[1], shape[2] * channels])
    x = levels.wide(lines)
    rows = x[:, :-2] + x[:, 1:-1] + x[:, 2:]
    inner = x[:, 1:-1, channels:-channels]
    total = (
        rows[:, :, : -2 * channels] + rows[:, :, channels:-channels] + rows[:, :, 2 * channels :] + 4 * inner
    )
    smooth = tf.truncatediv(2 * total + 13, 26) if of.whole else total / 13
    made = levels.blend(smooth, inner, factor[..., 0], images.dtype)
    # Rows and columns beside each other: a mask would be a constant with an element for each pixel.
    end, right = (tf.maximum(1, shape[axis] - 1) for axis in (1, 2))
    between = lines[:, 1:-1]
    middle = tf.concat([between[:, :, :channels], made, between[:, :, right * channels :]], 2)
    return tf.reshape(tf.concat([lines[:, :1], middle, lines[:, end:]], 1), shape)


def blur(images: tf.Tensor, sigma: tf.Tensor, size: int) -> tf.Tensor:
    """Means weighted by exp(-d**2 / (2 sigma**2)), d up to size // 2 along each axis; edges are mirrored
    about the outermost pixel. torchvision's `gaussian_blur`.

    Args:
      sigma: in pixels, fixed-point int64[B] with 24 fraction bits, above 0.
      size: of the window, odd.
    """
    of, half = Levels(images.dtype), size // 2
    weights = _gaussian(sigma, half)
    x = levels.wide(images)
    if of.whole:
        weights = tf.cast(weights, x.dtype)
        # 6 more bits of the means along one axis are kept for the other one; weights have 16.
        for axis, bits in ((1, 10), (2, 22)):
            x = fixed.shift_round(_along(x, weights, half, axis), bits)
        return tf.cast(of.clip(x), images.dtype)
    weights = tf.cast(weights, x.dtype) / (1 << 16)
    for axis in (1, 2):
        x = _along(x, weights, half, axis)
    return tf.cast(x, images.dtype)


def _along(x: tf.Tensor, weights: tf.Tensor, half: int, axis: int) -> tf.Tensor:
    """Weighted sums of the 2 half + 1 neighbours along an axis; weights [B, half + 1] by distance."""
    side = tf.shape(x)[axis]
    padded = tf.pad(x, [[half, half] if place == axis else [0, 0] for place in range(4)], "REFLECT")
    total = x * tf.reshape(weights[:, 0], [-1, 1, 1, 1])
    for distance in range(1, half + 1):
        pair = [_part(padded, axis, start, side) for start in (half - distance, half + distance)]
        total += (pair[0] + pair[1]) * tf.reshape(weights[:, distance], [-1, 1, 1, 1])
    return total


def _part(x: tf.Tensor, axis: int, start: int, count: tf.Tensor) -> tf.Tensor:
    return x[:, start : start + count] if axis == 1 else x[:, :, start : start + count]


def _gaussian(sigma: tf.Tensor, half: int) -> tf.Tensor:
    """Weights int64[B, half + 1] by distance with 16 bits; those of both sides sum to 2**16 exactly."""
    distance = tf.range(half + 1, dtype=tf.int64)
    # log2 of exp(-d**2 / (2 sigma**2)); sigma**2 with 24 bits, not below the least that makes a difference.
    square = tf.maximum(tf.bitwise.right_shift(sigma * sigma, tf.constant(fixed.FRACTION, tf.int64)), 1 << 12)
    scale = round(math.log2(math.e) / 2 * (1 << 40))
    exponent = -tf.math.floordiv(distance**2 * scale, square[:, None]) * (1 << 8)
    weights = fixed.exp2(tf.maximum(exponent, -20 * fixed.ONE))
    weights = tf.where(exponent < -20 * fixed.ONE, tf.zeros_like(weights), weights)
    total = 2 * tf.reduce_sum(weights, -1, keepdims=True) - weights[:, :1]
    shared = tf.math.floordiv(weights * (1 << 16) + total // 2, total)
    middle = (1 << 16) - 2 * tf.reduce_sum(shared[:, 1:], -1, keepdims=True)
    return tf.concat([middle, shared[:, 1:]], -1)
