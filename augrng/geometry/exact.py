"""Samples pixels through maps along the axes with Pillow's antialiased bilinear filter.

An output pixel is the mean of all source pixels within a triangle about its position, whose half width is the
distance of neighbours, at least 1. Where the triangle passes the image's border, it is cut off there and the
rest weighs the more, as in Pillow's `Image.resize(..., BILINEAR)`. Sums over rows are not rounded before
those over columns. Cost grows with the number of source pixels read.

Source of the filter: Pillow, `src/libImaging/Resample.c` (precompute_coeffs, bilinear_filter).
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from augrng import fixed
from augrng.geometry.grid import Grid
from augrng.geometry.sampling import Sampling
from augrng.geometry.warp import Source, sources


def resample(
    pixels: tf.Tensor,
    sizes: tf.Tensor,
    maps: tf.Tensor,
    height: int | tf.Tensor,
    width: int | tf.Tensor,
    sampling: Sampling,
    borders: tf.Tensor,
    columns: tf.Tensor,
) -> tf.Tensor:
    """Reads a batch of pictures through one map each.

    Args:
      pixels, sizes, maps, height, width, sampling, borders: see `warp`; the maps must not mix the axes.
      columns: int32[n], 0, 1, ... n - 1, for an n that is no smaller than any width in `sizes`.

    Returns:
      [B, height, width, C] of the same dtype, as `warp`.
    """
    grid = Grid(sizes, borders, maps, height, width, sampling)
    fill = sampling.fill_for(pixels.dtype, pixels.shape[-1])
    # A pixel times two sums of weights, and the share inside of 11 bits, then fit in 64 bits; of 8-bit pixels
    # the sums over rows in 32.
    bits = (48 - 8 * pixels.dtype.size) // 2 if pixels.dtype.is_integer else 20
    rows = _Taps(maps[:, 1, 1], maps[:, 1, 2], height, borders[:, 0], sampling, bits)
    across = _Taps(maps[:, 0, 0], maps[:, 0, 2], width, borders[:, 1], sampling, bits)
    parts = [_sampled(source, grid, rows, across, columns) for source in sources(pixels, None, fill)]
    return tf.concat(parts, -1)


class _Taps:
    """The source pixels along one axis that make each output pixel, and their weights.

    Args:
      scale: int64[B], source pixels per output pixel, fixed-point; below 0 where the axis is mirrored.
      start: int64[B], where the output begins.
      count: output pixels.
      borders: int64[B, 2], where the picture begins and ends.
      sampling: what is read beyond them.
      bits: of the weights of an output pixel, which add up to about 2**bits.
    """

    def __init__(
        self,
        scale: tf.Tensor,
        start: tf.Tensor,
        count: Any,
        borders: tf.Tensor,
        sampling: Sampling,
        bits: int,
    ) -> None:
        self._bits = bits
        self._low, self._high = (borders[:, end, None] for end in (0, 1))
        self._cut = sampling.fill_mode in ("constant", "nearest")
        self._reach = tf.maximum(tf.abs(scale), fixed.ONE)[:, None]
        doubled = 2 * tf.range(tf.cast(count, tf.int64), dtype=tf.int64) + 1
        centers = start[:, None] + tf.bitwise.right_shift(scale[:, None] * doubled, tf.constant(1, tf.int64))
        self._centers = tf.clip_by_value(centers, self._low, self._high) if self._cut else centers
        # The first pixel whose centre may lie within reach.
        self.first = tf.bitwise.right_shift(
            self._centers - self._reach + fixed.ONE // 2, tf.constant(fixed.FRACTION, tf.int64)
        )
        widest = tf.reduce_max(self._reach)
        self.number = tf.cast(2 * tf.math.floordiv(widest + fixed.ONE - 1, fixed.ONE) + 1, tf.int32)

    def weights(self, tap: tf.Tensor) -> tf.Tensor:
        """int64[B, count] of the pixel `first + tap`; its place is inside, or its weight 0."""
        middle = (self.first + tf.cast(tap, tf.int64)) * fixed.ONE + fixed.ONE // 2
        left = tf.maximum(self._reach - tf.abs(middle - self._centers), 0)
        reach = fixed.shift_round(self._reach, 8)  # the square then fits in 64 bits
        area = tf.bitwise.right_shift(reach * reach, tf.constant(8, tf.int64))
        share = tf.math.floordiv(tf.bitwise.left_shift(left, tf.constant(self._bits, tf.int64)), area)
        inside = (middle > self._low) & (middle < self._high)
        return tf.where(inside, share, 0) if self._cut else share

    def total(self) -> tf.Tensor:
        """int64[B, count], the sum of the weights."""
        zero = tf.zeros_like(self.first)
        return _sum(self.number, self.weights, zero)


def _sampled(source: Source, grid: Grid, rows: _Taps, across: _Taps, columns: tf.Tensor) -> tf.Tensor:
    narrow = tf.int32 if source.packed else source.work

    def of_rows(tap: tf.Tensor) -> tf.Tensor:
        y = tf.cast(rows.first + tf.cast(tap, tf.int64), tf.int32)[:, :, None]
        values = source.unpack(source.at(grid, columns[None, None, :], y))
        return _weighted(tf.cast(values, narrow), rows.weights(tap)[:, :, None, None])

    shape = tf.concat([tf.shape(rows.first), tf.shape(columns), [source.channels]], 0)
    tall = _sum(rows.number, of_rows, tf.zeros(shape, narrow))

    def of_columns(tap: tf.Tensor) -> tf.Tensor:
        x = grid.column(tf.cast(across.first + tf.cast(tap, tf.int64), tf.int32))
        values = tf.cast(tf.gather(tall, x, axis=2, batch_dims=1), source.work)
        return _weighted(values, across.weights(tap)[:, None, :, None])

    shape = tf.concat([tf.shape(rows.first), tf.shape(across.first)[1:], [source.channels]], 0)
    sums = _sum(across.number, of_columns, tf.zeros(shape, source.work))
    total = rows.total()[:, :, None, None] * across.total()[:, None, :, None]
    return source.mean(sums, tf.cast(total, source.work), grid.share())


def _weighted(values: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """What has weight 0 may be NaN."""
    if values.dtype.is_integer:
        return values * tf.cast(weights, values.dtype)
    return tf.where(tf.equal(weights, 0), tf.zeros_like(values), values * tf.cast(weights, values.dtype))


def _sum(number: tf.Tensor, term: Callable[[tf.Tensor], tf.Tensor], zero: tf.Tensor) -> tf.Tensor:
    """zero + term(0) + ... + term(number - 1)."""
    first = (tf.constant(0), zero)
    return tf.while_loop(
        lambda tap, _: tap < number, lambda tap, so_far: (tap + 1, so_far + term(tap)), first
    )[1]
