"""Images reduced by powers of two along each axis, as exact means of their pixels.

A map that reads source pixels far apart would skip those between. Reading an image of cells instead, each
the mean of 2**ly by 2**lx pixels, is a low-pass filter that costs one look at every pixel. Cell i covers
[i 2**l, (i + 1) 2**l), so a position in cells is the source position divided by 2**l; cells that hang over
the image's last row or column count what is mirrored there.

  steps  :: maps -> how far apart along y and x neighbours may be read
  levels :: maps -> (ly, lx)
  scale  :: maps -> levels -> maps to cells
  pick   :: one image -> levels -> its cells
  build  :: images -> levels that may be asked for -> all cells of each, one level after the other
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import tensorflow as tf

from augrng import fixed

MAX_LEVEL = 14  # of the longest side

# The level goes up where neighbours are 0.8 * 2**l apart: of 0.75, 0.8, 0.85 and 1 that came closest to
# Pillow's antialiased filter at its worst factor, on two photographs (tests/geometry/test_reduce.py).
_SWITCH = 0.8
_BITS = 16  # fraction bits of a step: two of the longest side then multiply to below 2**62
_LONGEST = 1 << 30
_BAND = 1 << 18  # pixels that are reduced at once, or those of a row of cells
_THRESHOLDS = [round(_SWITCH * 2**level * 2**_BITS) for level in range(1, MAX_LEVEL + 1)]


class Range(NamedTuple):
    """The levels (ly, lx) that maps may ask for, from `low` to `high`, both included."""

    low: tuple[int, int]
    high: tuple[int, int]

    @classmethod
    def of(cls, limits: list[tuple[float, float]], size: tuple[int, int]) -> "Range | None":
        """The levels for steps within (low, high) along y and x, in images of a size; None if only 0."""
        low, high = (
            tuple(
                min(_level(step[end] * slack), _most(side)) for step, side in zip(limits, size, strict=True)
            )
            for end, slack in ((0, 0.999), (1, 1.001))
        )
        return None if high == (0, 0) else cls((low[0], low[1]), (high[0], high[1]))

    def pairs(self) -> Iterator[tuple[int, int]]:
        for y in range(self.low[0], self.high[0] + 1):
            for x in range(self.low[1], self.high[1] + 1):
                yield y, x

    def clip(self, levels: tf.Tensor) -> tf.Tensor:
        """Levels int64[B, 2] that lie in it but for rounding."""
        low, high = (tf.constant(end, tf.int64) for end in self)
        return tf.clip_by_value(levels, low, high)


def _level(step: float) -> int:
    """The level for neighbours that are `step` source pixels apart."""
    return sum(step >= threshold / 2**_BITS for threshold in _THRESHOLDS)


def _most(side: int) -> int:
    """The level at which one cell covers a side."""
    return (side - 1).bit_length()


def steps(maps: tf.Tensor) -> tf.Tensor:
    """How long a cell may be along y and x for the output to keep its resolution.

    A vector e along source x is the distance |A^-1 e| in the output, which is 1 at |det A| over the length
    of the map's row for y; and the other way round. For maps along the axes that is the scale of each axis.

    Returns:
      int64[B, 2] with 16 fraction bits.
    """
    entries = fixed.shift_round(maps[:, :, :2], fixed.FRACTION - _BITS)
    entries = tf.clip_by_value(entries, -_LONGEST, _LONGEST)
    (a, b), (c, d) = (tf.unstack(entries[:, axis], axis=-1) for axis in (0, 1))
    area = tf.abs(a * d - b * c)
    lengths = tf.stack([fixed.square_root(a * a + b * b), fixed.square_root(c * c + d * d)], -1)
    return area[:, None] // tf.maximum(lengths, 1)


def levels(maps: tf.Tensor, sizes: tf.Tensor | None = None) -> tf.Tensor:
    """The coarsest levels that leave about the output's resolution.

    Args:
      maps: int64[B, 2, 3].
      sizes: int64[B, 2] of the images; no cell is longer than what covers a side. Left out where `Range.clip`
        sees to that.

    Returns:
      int64[B, 2] in [0, 14].
    """
    reached = steps(maps)[..., None] >= tf.constant(_THRESHOLDS, tf.int64)
    if sizes is None:
        return tf.reduce_sum(tf.cast(reached, tf.int64), -1)
    halved = sizes[..., None] > tf.constant([1 << level for level in range(MAX_LEVEL)], tf.int64)
    return tf.reduce_sum(tf.cast(reached & halved, tf.int64), -1)


def scale(maps: tf.Tensor, levels: tf.Tensor) -> tf.Tensor:
    """The maps to positions in cells."""
    levels = levels[:, ::-1, None]  # rows of a map are x, y
    half = tf.bitwise.left_shift(tf.ones_like(levels), levels) // 2
    return tf.bitwise.right_shift(maps + half, levels + tf.zeros_like(maps))


def borders(sizes: tf.Tensor, levels: tf.Tensor) -> tf.Tensor:
    """Where images of these sizes begin and end in cells, int64[B, 2, 2], fixed-point; see `warp`."""
    ends = tf.bitwise.right_shift(sizes * fixed.ONE, levels)
    return tf.stack([tf.zeros_like(ends), ends], -1)


def cells(sizes: tf.Tensor, levels: tf.Tensor) -> tf.Tensor:
    """How many cells cover images, int64[B, 2]."""
    count = tf.bitwise.left_shift(tf.ones_like(levels), levels)
    return tf.math.floordiv(sizes + count - 1, count)


def offsets(sizes: tf.Tensor, levels: tf.Tensor, among: Range) -> tf.Tensor:
    """Where a level starts in what `build` returns, int64[B]."""
    total = tf.zeros_like(levels[:, 0])
    for y, x in among.pairs():
        before = (levels[:, 0] > y) | ((levels[:, 0] == y) & (levels[:, 1] > x))
        area = tf.reduce_prod(cells(sizes, tf.constant([[y, x]], tf.int64)), -1)
        total += tf.where(before, area, tf.zeros_like(area))
    return total


def build(images: tf.Tensor, among: Range) -> tf.Tensor:
    """The levels of [B, H, W, C] of known size, one after the other: [B, cells, C] of the same dtype."""
    batch, (height, width), channels = tf.shape(images)[0], images.shape[1:3], images.shape[3]
    for axis, side in ((1, height), (2, width)):
        images = _extended(images, _covering(side, 2 ** among.high[axis - 1]), axis)
    rows = tf.cast(images, _exact(images.dtype))
    parts = []
    for y in range(among.high[0] + 1):
        rows = rows if y == 0 else rows[:, 0::2] + rows[:, 1::2]
        sums = rows
        for x in range(among.high[1] + 1):
            sums = sums if x == 0 else sums[:, :, 0::2] + sums[:, :, 1::2]
            if y >= among.low[0] and x >= among.low[1]:
                level = _mean(sums[:, : -(-height // 2**y), : -(-width // 2**x)], y + x, images.dtype)
                parts.append(tf.reshape(level, [batch, -1, channels]))
    return parts[0] if len(parts) == 1 else tf.concat(parts, 1)


def pick(image: tf.Tensor, levels: tf.Tensor) -> tf.Tensor:
    """The cells of one image [H, W, C] of any size, as an image. Integers are those of `build`.

    Made band by band, so that sums take little memory beside the image. Where XLA does not compile it, sums
    over reshaped axes take a tenth of what sums of slices take. Bytes halved along one axis, the most
    frequent case, go eight at once: a seventh of the time along y, a third along x.
    """
    channels = image.shape[-1]

    def reduced() -> tf.Tensor:
        down, across = tf.unstack(tf.bitwise.left_shift([1, 1], tf.cast(levels, tf.int32)))
        height, width = tf.unstack(tf.shape(image)[:2])
        rows = _covering(height, down) // down
        in_band = tf.maximum(_BAND // (down * width), 1)

        def band(number: tf.Tensor) -> tf.Tensor:
            first = number * in_band
            count = tf.minimum(in_band, rows - first)
            places = tf.range(first * down, (first + count) * down)
            part = _extended(tf.gather(image, _mirrored(places, height)), _covering(width, across), axis=1)
            sums = tf.reshape(tf.cast(part, _exact(image.dtype)), [count, down, -1])
            sums = tf.reshape(tf.reduce_sum(sums, 1), [count, -1, across, channels])
            return _mean(tf.reduce_sum(sums, 2), tf.reduce_sum(levels), image.dtype)

        bands = _covering(rows, in_band) // in_band
        cells = tf.TensorArray(image.dtype, bands, infer_shape=False, element_shape=[None, None, channels])
        _, cells = tf.while_loop(
            lambda number, _: number < bands,
            lambda number, cells: (number + 1, cells.write(number, band(number))),
            (tf.constant(0), cells),
            parallel_iterations=1,
        )
        return cells.concat()

    def halved() -> tf.Tensor:
        return tf.cond(levels[0] > 0, lambda: _halved_down(image), lambda: _halved_across(image))

    levels_left = tf.cast(tf.reduce_sum(levels), tf.int32)
    at_once = halved if image.dtype == tf.uint8 else reduced
    picked = tf.switch_case(tf.minimum(levels_left, 2), [lambda: image, at_once, reduced])
    picked.set_shape([None, None, channels])
    return picked


def _halved_down(image: tf.Tensor) -> tf.Tensor:
    """uint8[H, W, C] with the mean of each two rows."""
    height, width, channels = tf.unstack(tf.shape(image))
    rows = _covering(height, 2) // 2
    upper = 2 * tf.range(rows)
    lower = tf.minimum(upper + 1, height - 1)
    means = _byte_means(*(tf.reshape(tf.gather(image, each), [-1]) for each in (upper, lower)))
    return tf.reshape(means, [rows, width, channels])


def _halved_across(image: tf.Tensor) -> tf.Tensor:
    """uint8[H, W, C] with the mean of each two columns."""
    channels = image.shape[-1]
    width = tf.shape(image)[1]
    even = tf.cond(tf.equal(width % 2, 0), lambda: image, lambda: _extended(image, width + 1, axis=1))
    pixels = tf.reshape(even, [-1])
    means = _byte_means(pixels, tf.concat([pixels[channels:], pixels[:channels]], 0))
    return tf.reshape(tf.reshape(means, [-1, 2 * channels])[:, :channels], [tf.shape(image)[0], -1, channels])


def _byte_means(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """(a + b + 1) // 2 of uint8[N], which is (a | b) - ((a ^ b) >> 1), in words of eight."""
    rest = tf.zeros([-tf.size(a) % 8], tf.uint8)
    a, b = (tf.bitcast(tf.reshape(tf.concat([v, rest], 0), [-1, 8]), tf.int64) for v in (a, b))
    half = tf.bitwise.right_shift(a ^ b, tf.constant(1, tf.int64)) & 0x7F7F7F7F7F7F7F7F
    means = tf.bitcast((a | b) - half, tf.uint8)
    return tf.reshape(means, [-1])[: tf.size(means) - tf.size(rest)]


def _extended(images: tf.Tensor, side: Any, axis: int) -> tf.Tensor:
    """Images with what lies at the end of an axis mirrored there, up to this side."""
    if images.shape[axis] is not None and images.shape[axis] == side:
        return images
    count = tf.shape(images)[axis]
    places = tf.range(count, tf.cast(side, tf.int32))
    return tf.concat([images, tf.gather(images, _mirrored(places, count), axis=axis)], axis)


def _mirrored(place: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """The place among `count` that is read for one that may lie beyond."""
    place = tf.math.floormod(place, 2 * count)
    return tf.minimum(place, 2 * count - 1 - place)


def _covering(side: Any, count: Any) -> Any:
    """The next multiple of `count`."""
    return -(-side // count) * count


def _exact(dtype: tf.DType) -> tf.DType:
    """What sums are kept in."""
    if dtype.is_integer:
        return tf.int32 if dtype.size == 1 else tf.int64
    return tf.float64 if dtype == tf.float64 else tf.float32


def _mean(sums: tf.Tensor, level: int | tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Sums of 2**level pixels as means; integers are rounded half up."""
    if not dtype.is_integer:
        return tf.cast(sums / tf.cast(2 ** tf.cast(level, tf.int32), sums.dtype), dtype)
    level = tf.cast(level, sums.dtype)
    half = tf.bitwise.left_shift(tf.ones_like(level), level) // 2
    return tf.cast(tf.bitwise.right_shift(sums + half, level), dtype)
