"""Where an output's pixels lie in their sources, in units of 2**-14 pixel, and how much of each lies inside.

The position of an output pixel is the sum of a column's part and a row's part, both rounded once, so the
work for a pixel is two additions. Positions are within 1/4096 pixel of the map's.

An output pixel is a square that the map lays over the source. Along x it reaches half a width w to each
side, w being the length of the map's row for x, and likewise along y.
"""

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
        self.sides = [tf.cast(sizes[:, axis, None, None], tf.int32) for axis in (1, 0)]
        self._ends = [
            [
                tf.cast(_to_position(borders[:, axis, end, None, None]), tf.int32) - _UNIT // 2
                for end in (0, 1)
            ]
            for axis in (1, 0)
        ]
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
        x, y = (self._share_along(axis, error) for axis in (0, 1))
        return shift(x * y + ONE // 2, WEIGHT_BITS)

    def _share_along(self, axis: int, error: tf.Tensor) -> tf.Tensor:
        a, b = (tf.minimum(tf.abs(self.maps[:, axis, entry, None, None]), 64 * fixed.ONE) for entry in (0, 1))
        length = fixed.square_root(_to_position(a) ** 2 + _to_position(b) ** 2)
        half = tf.clip_by_value((length - 2 * error) // 2, 1, _WIDEST // 2)
        slope = tf.cast(-(-(2**29) // half), tf.int32)
        half = tf.cast(half, tf.int32)
        # By how much the pixel's far end lies inside, in [0, 2 half].
        (low, high), at = self._ends[axis], self._at[axis]
        depth = tf.minimum(at + (half - low), (high + half) - at)
        return shift(tf.clip_by_value(depth, 0, 2 * half) * slope, 30 - WEIGHT_BITS)

    def column(self, x: tf.Tensor) -> tf.Tensor:
        """The column in [0, width) that is read for columns int32[B, n]."""
        return _brought_inside(x, self.sides[0][..., 0], self.sampling.fill_mode)

    def index(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        """The place of a pixel among its source's, after `fill_mode` has brought it inside."""
        (width, height), mode = self.sides, self.sampling.fill_mode
        return _brought_inside(y, height, mode) * width + _brought_inside(x, width, mode)


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

    def coordinate(axis: int) -> tuple[tf.Tensor, tf.Tensor]:
        a, b, t = (maps[:, axis, entry, None] for entry in range(3))
        center = a * width + b * height + 2 * t - fixed.ONE
        return part(a * columns)[:, None, :], part(b * rows + center)[:, :, None]

    return [coordinate(0), coordinate(1)]


def _brought_inside(index: tf.Tensor, size: tf.Tensor, fill_mode: str) -> tf.Tensor:
    """The index in [0, size) that is read for an index."""
    if fill_mode == "wrap":
        return tf.math.floormod(index, size)
    if fill_mode == "reflect":
        index = tf.math.floormod(index, 2 * size)
        return tf.minimum(index, 2 * size - 1 - index)
    return tf.maximum(tf.minimum(index, size - 1), 0)


def _to_position(x: tf.Tensor) -> tf.Tensor:
    return fixed.shift_round(x, fixed.FRACTION - _POSITION_BITS)


def shift(x: tf.Tensor, count: int) -> tf.Tensor:
    """x // 2**count, as an arithmetic shift."""
    return tf.bitwise.right_shift(x, tf.constant(count, x.dtype)) if count else x
