"""Samples pixels through an affine map, in integer arithmetic.

The position of an output pixel is the sum of a column's part and a row's part, both rounded once to
`_POSITION_BITS` fraction bits, so the work for a pixel is two additions. Bilinear weights keep
`_WEIGHT_BITS` of them. Positions are within 1/4096 pixel of the map's; integer pixels round half up.
"""

import dataclasses
import math

import tensorflow as tf

from augrng import fixed

MAX_SIDE = 1 << 14
INTERPOLATIONS = ("nearest", "bilinear")
FILL_MODES = ("constant", "nearest", "reflect", "wrap")

_POSITION_BITS = 14  # int32 then spans 131072 pixels each way.
_POSITION_LIMIT = 1 << 29  # two parts of at most this add up without overflow.
_WEIGHT_BITS = 11  # 8-bit pixels times two weights of 11 bits fit in int32.


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How to read a source between its pixels and outside of them.

    Args:
      interpolation: "nearest" or "bilinear".
      fill_mode: what lies outside, as Keras defines it: "constant" (k k k | a b c d | k k k),
        "nearest" (a a a | a b c d | d d d), "reflect" (c b a | a b c d | d c b) or
        "wrap" (b c d | a b c d | a b c).
      fill_value: k, in units of the image's dtype; one number, or one for each channel.

    Raises:
      ValueError: if an argument is not one of these, or a fill value is not finite.
    """

    interpolation: str = "bilinear"
    fill_mode: str = "constant"
    fill_value: float | tuple[float, ...] = 0

    def __post_init__(self) -> None:
        for name, allowed in (("interpolation", INTERPOLATIONS), ("fill_mode", FILL_MODES)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}: must be one of {allowed}, got {getattr(self, name)!r}")
        if not all(math.isfinite(value) for value in self.fill_values(1)):
            raise ValueError(f"fill_value: must be finite, got {self.fill_value}")

    def fill_values(self, channels: int) -> tuple[float, ...]:
        """The fill value of each channel."""
        return self.fill_value if isinstance(self.fill_value, tuple) else (self.fill_value,) * channels


def warp(
    pixels: tf.Tensor,
    sizes: tf.Tensor,
    maps: tf.Tensor,
    height: int | tf.Tensor,
    width: int | tf.Tensor,
    sampling: Sampling,
    offsets: tf.Tensor | None = None,
) -> tf.Tensor:
    """Reads a batch of pictures through one map each.

    Args:
      pixels: [B, N, C], the pixels of each source row by row; uint8, uint16 or float, 1 to 4 channels.
        Pixels beyond those that `sizes` asks for are not read.
      sizes: int64[B, 2], height and width of each source, each side from 1 to 16384.
      maps: int64[B, 2, 3], from output to source positions; see `affine`.
      height: of the output, in pixels.
      width: of the output, in pixels.
      sampling: interpolation and fill.
      offsets: int64[B], where each source starts among its N pixels; 0 if left out.

    Returns:
      [B, height, width, C] of the same dtype. Integer pixels are the same bits on every device; float
      pixels have the same positions and weights, and are equal to rounding.

    Raises:
      ValueError: if a fill value does not fit the dtype or the number of channels.
    """
    fill = _fill(sampling, pixels.dtype, pixels.shape[-1])
    source = _Source(pixels, sizes, offsets, fill, sampling.fill_mode)
    parts = _position_parts(maps, height, width)

    def nearest() -> tf.Tensor:
        x, y = (column + row + (1 << (_POSITION_BITS - 1)) for column, row in parts)
        return source.tap(_shift(x, _POSITION_BITS), _shift(y, _POSITION_BITS))

    def bilinear() -> tf.Tensor:
        half = 1 << (_POSITION_BITS - _WEIGHT_BITS - 1)
        x, y = (column + row + half for column, row in parts)
        left, top = _shift(x, _POSITION_BITS), _shift(y, _POSITION_BITS)
        weights = [_shift(v, _POSITION_BITS - _WEIGHT_BITS) & ((1 << _WEIGHT_BITS) - 1) for v in (x, y)]
        return source.blend([source.tap(left + dx, top + dy) for dy in (0, 1) for dx in (0, 1)], weights)

    if sampling.interpolation == "nearest":
        return source.unpack(nearest())
    # Maps that move whole pixels need one tap instead of four. The branch has a second use: without it
    # XLA on the CPU computes every packed word again for each byte that `unpack` cuts out of it.
    return source.unpack(tf.cond(tf.reduce_all(_moves_whole_pixels(maps)), nearest, bilinear))


def _moves_whole_pixels(maps: tf.Tensor) -> tf.Tensor:
    """bool[B]: whether every pixel centre lands on a pixel centre, at positions and weights as kept."""
    linear = maps[:, :, :2]
    turns = tf.reduce_all((linear == 0) | (tf.abs(linear) == fixed.ONE), [1, 2])
    centers = tf.reduce_sum(linear, -1) + 2 * maps[:, :, 2] - fixed.ONE  # twice the first centre, less 1/2
    return turns & tf.reduce_all(tf.equal(centers & (2 * fixed.ONE - 1), 0), -1)


def _position_parts(
    maps: tf.Tensor, height: int | tf.Tensor, width: int | tf.Tensor
) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """What a column and a row add to the source x, and to the source y, of output pixels' centres, less 1/2.

    With X = 2x + 1 - width and Y = 2y + 1 - height, twice the position is a X + b Y + (a width +
    b height + 2 t - 1). Measured from the output's centre the two parts stay small.

    Returns:
      For x and for y: int32[B, 1, width] and int32[B, height, 1].
    """
    height, width = (tf.cast(side, tf.int64) for side in (height, width))
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


class _Source:
    """The pixels of a batch and how to read one tap of each picture.

    The channels of a uint8 pixel are packed into one 32-bit word: one gather then brings them all.
    """

    def __init__(
        self,
        pixels: tf.Tensor,
        sizes: tf.Tensor,
        offsets: tf.Tensor | None,
        fill: list[float],
        fill_mode: str,
    ) -> None:
        self.dtype, self.channels, self.fill_mode = pixels.dtype, pixels.shape[-1], fill_mode
        shape = tf.shape(pixels)
        start = tf.range(shape[0]) * shape[1]
        self.start = (start if offsets is None else start + tf.cast(offsets, tf.int32))[:, None, None]
        pixels = tf.reshape(pixels, [-1, self.channels])
        self.packed = self.dtype == tf.uint8
        if self.packed:
            pixels = tf.bitcast(tf.pad(pixels, [[0, 0], [0, 4 - self.channels]]), tf.int32)
            word = sum(int(value) << (8 * channel) for channel, value in enumerate(fill))
            self.fill = tf.bitcast(tf.constant(word, tf.uint32), tf.int32)
        else:
            self.fill = tf.constant(fill, pixels.dtype)
        self.pixels = pixels
        self.height, self.width = (tf.cast(sizes[:, axis, None, None], tf.int32) for axis in (0, 1))

    def tap(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        """The pixel at column x, row y of each picture, or what `fill_mode` puts there."""
        inside_x, column = _inside(x, self.width, self.fill_mode)
        inside_y, row = _inside(y, self.height, self.fill_mode)
        value = tf.gather(self.pixels, self.start + row * self.width + column)
        if self.fill_mode != "constant":
            return value
        inside = inside_x & inside_y
        return tf.where(inside if self.packed else inside[..., None], value, self.fill)

    def blend(self, taps: list[tf.Tensor], weights: list[tf.Tensor]) -> tf.Tensor:
        """The mean of the taps (upper left, upper right, lower left, lower right) by weight."""
        if not self.packed:
            return _blend(taps, [weight[..., None] for weight in weights], self.dtype)
        words = tf.zeros_like(taps[0])
        for shift in range(0, 8 * self.channels, 8):
            values = _blend_integers([_shift(tap, shift) & 255 for tap in taps], weights)
            words |= tf.bitwise.left_shift(values, shift)
        return words

    def unpack(self, values: tf.Tensor) -> tf.Tensor:
        """Pixels of the source's dtype, [B, height, width, C]."""
        return tf.bitcast(values, tf.uint8)[..., : self.channels] if self.packed else values


def _inside(index: tf.Tensor, size: tf.Tensor, fill_mode: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Whether an index lies in [0, size), and the index that is read in its place."""
    inside = (index >= 0) & (index < size)
    if fill_mode == "wrap":
        return inside, tf.math.floormod(index, size)
    if fill_mode == "reflect":
        index = tf.math.floormod(index, 2 * size)
        return inside, tf.minimum(index, 2 * size - 1 - index)
    return inside, tf.clip_by_value(index, 0, size - 1)


def _blend(taps: list[tf.Tensor], weights: list[tf.Tensor], dtype: tf.DType) -> tf.Tensor:
    if dtype.is_integer:
        wide = [tf.cast(value, tf.int64) for value in (*taps, *weights)]
        return tf.cast(_blend_integers(wide[:4], wide[4:]), dtype)
    work = tf.float64 if dtype == tf.float64 else tf.float32
    (a, b, c, d), (wx, wy) = ([tf.cast(value, work) for value in values] for values in (taps, weights))
    wx, wy = wx * 2.0**-_WEIGHT_BITS, wy * 2.0**-_WEIGHT_BITS
    upper, lower = a * (1 - wx) + b * wx, c * (1 - wx) + d * wx
    return tf.cast(upper * (1 - wy) + lower * wy, dtype)


def _blend_integers(taps: list[tf.Tensor], weights: list[tf.Tensor]) -> tf.Tensor:
    (a, b, c, d), (wx, wy) = taps, weights
    one = 1 << _WEIGHT_BITS
    upper, lower = a * (one - wx) + b * wx, c * (one - wx) + d * wx
    return _shift(upper * (one - wy) + lower * wy + (1 << (2 * _WEIGHT_BITS - 1)), 2 * _WEIGHT_BITS)


def _fill(sampling: Sampling, dtype: tf.DType, channels: int) -> list[float]:
    values = sampling.fill_values(channels)
    if len(values) != channels:
        raise ValueError(f"fill_value: must be one number or {channels} (one a channel), got {values}")
    if dtype.is_integer and not all(0 <= v <= dtype.max and v == int(v) for v in values):
        raise ValueError(
            f"fill_value: must be whole and lie in [0, {dtype.max}] for {dtype.name}, got {values}"
        )
    return list(values)


def _shift(x: tf.Tensor, count: int) -> tf.Tensor:
    return tf.bitwise.right_shift(x, tf.constant(count, x.dtype)) if count else x
