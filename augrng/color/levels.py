"""Levels and what is known of a picture's: the arithmetic of tables, in integers for integer images.

Levels are int64 for uint8 and uint16 images and floats for floats, [B or 1, C or 1, N]. For uint8 N is 256:
what is done to each level is done once, and looked up for each pixel. Factors and shares are fixed-point
int64 with `FRACTION` bits.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from augrng import fixed

FRACTION, ONE = fixed.FRACTION, fixed.ONE
LUMA = (19595, 38470, 7471)  # Pillow's weights of red, green, blue in its "L", of 65536

# Factors become fixed-point numbers: so much lets 0.4 times 5 be 2, as with floats.
_BIAS = 1 << 8
# uint8 is worked on in int32: so many bits of a factor are left.
_BYTE_BITS = 16


@dataclasses.dataclass(frozen=True)
class Levels:
    """The levels that images of a dtype have: 0 to `top`."""

    dtype: tf.DType

    @property
    def whole(self) -> bool:
        return not self.dtype.is_floating

    @property
    def top(self) -> int:
        return int(self.dtype.max) if self.whole else 1

    def clip(self, x: tf.Tensor) -> tf.Tensor:
        return tf.clip_by_value(x, tf.constant(0, x.dtype), tf.constant(self.top, x.dtype))

    def blend(self, other: tf.Tensor, x: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
        """other + factor * (x - other), within the range, rounded down: Pillow's `Image.blend`."""
        if not self.whole:
            return self.clip(other + self.number(factor) * (x - other))
        return self.clip(_shift(other * ONE + factor * (x - other) + _BIAS))

    def number(self, share: tf.Tensor) -> tf.Tensor:
        """A fixed-point number as a float of the images' dtype."""
        return tf.cast(tf.cast(share, tf.float64) / ONE, self.working)

    def rounded(self, x: tf.Tensor) -> tf.Tensor:
        """Levels with `FRACTION` bits as levels: what `tf.image.convert_image_dtype(saturate=True)` makes of
        them, floor(x (top + 1/2) / top)."""
        top = self.top
        return self.clip(_shift(tf.math.floordiv(x * (2 * top + 1), 2 * top)))

    @property
    def working(self) -> tf.DType:
        """The dtype of levels as they are worked on."""
        return tf.int64 if self.whole else tf.float64 if self.dtype == tf.float64 else tf.float32


@dataclasses.dataclass(frozen=True)
class Seen:
    """What is known of a picture: its levels and how often each is there.

    Args:
      x: levels [B or 1, C or 1, N].
      weights: how often, int64[B, C, N]; None for once each.
      grey: the mean of its luma, [B, 1, 1], a whole level for integers; None if no part asks.
    """

    x: tf.Tensor
    weights: tf.Tensor | None
    grey: tf.Tensor | None

    def mean(self) -> tf.Tensor:
        """By channel, [B, C, 1]: fixed-point for integers."""
        if self.weights is None and self.x.dtype.is_floating:
            return tf.reduce_mean(self.x, -1, keepdims=True)
        weights = tf.ones_like(self.x) if self.weights is None else self.weights
        total = tf.reduce_sum(weights * self.x, -1, keepdims=True)
        count = tf.reduce_sum(weights, -1, keepdims=True)
        whole, rest = tf.math.floordiv(total, count), tf.math.floormod(total, count)
        return whole * ONE + tf.math.floordiv(rest * ONE, count)

    def range(self) -> tuple[tf.Tensor, tf.Tensor]:
        """The lowest and the highest level of each channel, [B, C, 1]."""
        if self.weights is None:
            return tf.reduce_min(self.x, -1, keepdims=True), tf.reduce_max(self.x, -1, keepdims=True)
        there, x = self.weights > 0, self.x + tf.zeros_like(self.weights)
        low = tf.reduce_min(tf.where(there, x, x.dtype.max), -1, keepdims=True)
        return low, tf.reduce_max(tf.where(there, x, -1), -1, keepdims=True)

    def histogram(self) -> tf.Tensor:
        """How often each of 256 levels is there, int64[B, C, 256]."""
        assert self.weights is not None
        x = self.x + tf.zeros_like(self.weights)
        rows = tf.reshape(tf.range(tf.size(x, tf.int64) // 256), tf.shape(x)[:-1])[..., None]
        flat = tf.math.unsorted_segment_sum(
            tf.reshape(self.weights, [-1]), tf.reshape(x + rows * 256, [-1]), tf.size(x)
        )
        return tf.reshape(flat, tf.shape(x))


def wide(images: tf.Tensor) -> tf.Tensor:
    """Pixels as numbers that there is room to work with: int32 for uint8, int64 for uint16, floats."""
    return tf.cast(images, tf.int32 if images.dtype == tf.uint8 else Levels(images.dtype).working)


def blend(other: tf.Tensor, x: tf.Tensor, factor: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """`Levels.blend` of pixels that are `wide`, as pixels of a dtype."""
    of = Levels(dtype)
    if dtype != tf.uint8:
        return tf.cast(of.blend(other, x, factor), dtype)
    share = tf.cast(fixed.shift_round(factor, FRACTION - _BYTE_BITS), tf.int32)
    moved = other * (1 << _BYTE_BITS) + share * (x - other) + (1 << (_BYTE_BITS - 9))
    return tf.cast(of.clip(tf.bitwise.right_shift(moved, tf.constant(_BYTE_BITS, tf.int32))), dtype)


def histogram(images: tf.Tensor) -> tf.Tensor:
    """How often each level is there in uint8[B, H, W, C], int64[B, C, 256]."""
    batch, channels = tf.shape(images)[0], images.shape[3]
    pixels = tf.reshape(tf.cast(images, tf.int32), [batch, -1, channels])
    place = pixels + 256 * (tf.range(channels) + channels * tf.range(batch)[:, None, None])
    ones = place & 0 | 1  # no constant with an element for each pixel
    flat = tf.math.unsorted_segment_sum(
        tf.reshape(ones, [-1]), tf.reshape(place, [-1]), 256 * channels * batch
    )
    return tf.cast(tf.reshape(flat, [batch, channels, 256]), tf.int64)


def look_up(images: tf.Tensor, table: tf.Tensor) -> tf.Tensor:
    """uint8[B, H, W, C] with each level replaced by that of a table int64[B, C, 256]."""
    batch, channels = tf.shape(images)[0], images.shape[3]
    place = 256 * (tf.range(channels) + channels * tf.range(batch)[:, None, None, None])
    # Entries of 32 bits: gathering single bytes takes twice as long.
    found = tf.gather(tf.reshape(tf.cast(table, tf.int32), [-1]), tf.cast(images, tf.int32) + place)
    return tf.cast(found, tf.uint8)


def luma(channels: Sequence[tf.Tensor]) -> tf.Tensor:
    """The grey of red, green and blue, which are `wide`, or of grey alone: Pillow's "L" for integers, its
    weights for floats."""
    if len(channels) == 1:
        return channels[0]
    red, green, blue = channels
    if red.dtype.is_floating:
        weights = tf.unstack(tf.constant(LUMA, red.dtype) / 65536)
        return red * weights[0] + green * weights[1] + blue * weights[2]
    total = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue + (1 << 15)
    return tf.bitwise.right_shift(total, tf.constant(16, total.dtype))


def mean_of(grey: tf.Tensor) -> tf.Tensor:
    """The mean of [B, H, W], [B, 1, 1]; of integers to the nearest whole level, halves up."""
    if grey.dtype.is_floating:
        return tf.reduce_mean(grey, [1, 2], keepdims=True)
    total = tf.reduce_sum(tf.cast(grey, tf.int64), [1, 2], keepdims=True)
    count = tf.size(grey[0], tf.int64)
    return tf.math.floordiv(2 * total + count, 2 * count)


def _shift(x: tf.Tensor) -> tf.Tensor:
    return tf.bitwise.right_shift(x, tf.constant(FRACTION, tf.int64))


def as_levels(images: tf.Tensor) -> tf.Tensor:
    """Pixels of uint16 or floats as levels [B, C, N]."""
    batch, channels = tf.shape(images)[0], images.shape[3]
    flat = tf.reshape(tf.cast(images, Levels(images.dtype).working), [batch, -1, channels])
    return tf.transpose(flat, [0, 2, 1])


def of_levels(x: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    """Levels [B, C, N] as images of the shape and dtype of these."""
    return tf.cast(tf.reshape(tf.transpose(x, [0, 2, 1]), tf.shape(images)), images.dtype)


def shares(value: Any) -> int:
    """A Python number as a fixed-point one."""
    return round(value * ONE)
