"""Where an output's pixels lie in their sources, in units of 2**-14 pixel, and how much of each lies inside.

The position of an output pixel is the sum of a column's part and a row's part, both rounded once, so the
work for a pixel is two additions. Positions are within 1/4096 pixel of the map's.

An output pixel is a square that the map lays over the source. Along x it reaches half a width w to each
side, w being the length of the map's row for x, and likewise along y.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from augrng import fixed
from augrng.geometry.sampling import Sampling

WEIGHT_BITS = 11  # 8-bit pixels times two weights of 11 bits fit in int32.
ONE = 1 << WEIGHT_BITS

_POSITION_BITS = 14  # int32 then spans 131072 pixels each way.
_POSITION_LIMIT = 1 << 29  # two parts of at most this add up without overflow.
_UNIT = 1 << _POSITION_BITS
_WIDEST = 1 << 19  # 32 pixels: a pixel is taken to be as wide at most, so that its share fits in int32


class Grid:
    """Where the output's pixels lie in each source: positions in units of 2**-14 pixel, less 1/2.

    Args: see `warp`.
    """

    def __init__(
        self,
        sizes: tf.Tensor,
        borders: tf.Tensor,
        maps: tf.Tensor,
        height: Any,
        width: Any,
        sampling: Sampling,
    ) -> None:
        self.maps, self.sampling, self._borders = maps, sampling, borders
        tall, wide = tf.unstack(tf.reshape(tf.cast(sizes, tf.int32), [-1, 2, 1, 1]), axis=1)
        self._wide = wide
        self._inside = [_brought_inside(side, sampling.fill_mode) for side in (wide, tall)]
        ends = tf.reshape(tf.cast(_to_position(borders), tf.int32) - _UNIT // 2, [-1, 2, 2, 1, 1])
        self._ends = [tf.unstack(end, axis=1) for end in reversed(tf.unstack(ends, axis=1))]
        self._shape = [tf.cast(side, tf.int64) for side in (height, width)]
        self._at = [tf.add(*parts) for parts in _position_parts(maps, *self._shape)]

    def whole_pixels(self) -> tf.Tensor:
        """bool[B]: whether every pixel centre lands on a pixel centre, at positions and weights as kept."""
        linear = self.maps[:, :, :2]
        turns = tf.reduce_all((linear == 0) | (tf.abs(linear) == fixed.ONE), [1, 2])
        centers = tf.reduce_sum(linear, -1) + 2 * self.maps[:, :, 2] - fixed.ONE  # twice the first, less 1/2
        lines = tf.concat([centers, 2 * tf.reshape(self._borders, [-1, 4])], -1)
        return turns & tf.reduce_all(tf.equal(lines & (2 * fixed.ONE - 1), 0), -1)

    def nearest(self) -> list[tf.Tensor]:
        """Column and row of the nearest pixel, int32[B, height, width]."""
        return [shift(at + _UNIT // 2, _POSITION_BITS) for at in self._at]

    def inside(self) -> tf.Tensor | None:
        """Whether a pixel's centre lies inside, bool[B, height, width]; None if it does not matter."""
        if self.sampling.fill_mode != "constant":
            return None
        x, y = ((at >= low) & (at < high) for at, (low, high) in zip(self._at, self._ends, strict=True))
        return x & y

    def bilinear(self) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """Column and row of the upper left of four pixels, and the weights of right and lower ones."""
        half = 1 << (_POSITION_BITS - WEIGHT_BITS - 1)
        rounded = [at + half for at in self._at]
        first = [shift(at, _POSITION_BITS) for at in rounded]
        return first, [shift(at, _POSITION_BITS - WEIGHT_BITS) & (ONE - 1) for at in rounded]

    def share(self) -> tf.Tensor | None:
        """How much of a pixel lies inside, int32 in [0, 2**11]; None if it does not matter.

        Along x it is 1/2 + d / w for a pixel that lies d inside of the border, and the whole is the product
        of that along x and along y. The ramp is narrower by the error of positions, so that what is inside
        but for that is inside.
        """
        if self.sampling.fill_mode != "constant":
            return None
        error = 2 + tf.bitwise.right_shift(self._shape[0] + self._shape[1], tf.constant(12, tf.int64))
        a, b = tf.unstack(_to_position(tf.minimum(tf.abs(self.maps[:, :, :2]), 64 * fixed.ONE)), 2, axis=2)
        length = fixed.square_root(a * a + b * b)  # of the row for x and of that for y, [B, 2]
        half = tf.clip_by_value((length - 2 * error) // 2, 1, _WIDEST // 2)
        slope = -(-(2**29) // half)
        halves, slopes = (
            tf.unstack(tf.reshape(tf.cast(value, tf.int32), [-1, 2, 1, 1]), axis=1) for value in (half, slope)
        )
        x, y = map(_share_along, self._at, self._ends, halves, slopes)
        return shift(x * y + ONE // 2, WEIGHT_BITS)

    def column(self, x: tf.Tensor) -> tf.Tensor:
        """The column in [0, width) that is read for columns int32[B, n]."""
        return self._inside[0](tf.expand_dims(x, 1))[:, 0]

    def index(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        """The place of a pixel among its source's, after `fill_mode` has brought it inside."""
        return self.indices([x], [y])[0]

    def indices(self, x: Sequence[tf.Tensor], y: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """The places of pixels of some columns and rows among their source's, row by row."""
        in_column, in_row = self._inside
        columns, rows = [in_column(one) for one in x], [in_row(one) * self._wide for one in y]
        return [row + column for row in rows for column in columns]


def _position_parts(
    maps: tf.Tensor, height: tf.Tensor, width: tf.Tensor
) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """What a column and a row add to the source x, and to the source y, of output pixels' centres, less 1/2.

    With X = 2x + 1 - width and Y = 2y + 1 - height, twice the position is a X + b Y + (a width +
    b height + 2 t - 1). Measured from the output's centre the two parts stay small.

    Returns:
      For x and for y: int32[B, 1, width] and int32[B, height, 1].
    """
    columns = 2 * tf.range(width, dtype=tf.int64) + (1 - width)
    rows = 2 * tf.range(height, dtype=tf.int64) + (1 - height)

    def part(doubled: tf.Tensor) -> tf.Tensor:
        rounded = fixed.shift_round(doubled, fixed.FRACTION + 1 - _POSITION_BITS)
        return tf.cast(tf.clip_by_value(rounded, -_POSITION_LIMIT, _POSITION_LIMIT), tf.int32)

    def coordinate(row: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        a, b, t = tf.unstack(row, 3, axis=1)
        center = a * width + b * height + 2 * t - fixed.ONE
        return tf.expand_dims(part(a * columns), 1), tf.expand_dims(part(b * rows + center), 2)

    return [coordinate(row) for row in tf.unstack(tf.expand_dims(maps, -1), 2, axis=1)]


def _share_along(at: tf.Tensor, ends: Sequence[tf.Tensor], half: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
    """`Grid.share` along one axis, of pixels that reach by `half` to each side."""
    low, high = ends
    width = 2 * half
    depth = tf.minimum(at + (half - low), (high + half) - at)  # of the pixel's far end, in [0, width]
    return shift(tf.clip_by_value(depth, 0, width) * slope, 30 - WEIGHT_BITS)


def _brought_inside(size: tf.Tensor, fill_mode: str) -> Callable[[tf.Tensor], tf.Tensor]:
    """From an index to the one in [0, size) that is read for it."""
    if fill_mode == "wrap":
        return lambda index: tf.math.floormod(index, size)
    if fill_mode == "reflect":
        twice = 2 * size
        mirror = twice - 1

        def reflected(index: tf.Tensor) -> tf.Tensor:
            index = tf.math.floormod(index, twice)
            return tf.minimum(index, mirror - index)

        return reflected
    last, first = size - 1, tf.constant(0)
    return lambda index: tf.maximum(tf.minimum(index, last), first)


def _to_position(x: tf.Tensor) -> tf.Tensor:
    return fixed.shift_round(x, fixed.FRACTION - _POSITION_BITS)


def shift(x: tf.Tensor, count: int) -> tf.Tensor:
    """x // 2**count, as an arithmetic shift."""
    return tf.bitwise.right_shift(x, tf.constant(count, x.dtype)) if count else x
