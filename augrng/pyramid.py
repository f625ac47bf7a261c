"""Images reduced by 2, 4 and 8, as the exact means of 2x2, 4x4 and 8x8 pixels.

A map that reads source pixels far apart would skip those between; reading a level of the pyramid instead
is a low-pass filter that costs one look at every pixel. Level k has cells of 2**k by 2**k source pixels;
cell i covers [i 2**k, (i + 1) 2**k), so a position in cells is the source position divided by 2**k.
"""

import functools
from collections.abc import Iterator

import tensorflow as tf

from augrng import fixed

LEVELS = 4


def level(maps: tf.Tensor) -> tf.Tensor:
    """The coarsest level that leaves at least the output's resolution, int64[B] in [0, 4).

    That is the largest k such that neighbours along each axis of the output are at least 2**k source
    pixels apart.
    """
    coarse = fixed.shift_round(maps[:, :, :2], 8)  # the squares then fit in 64 bits
    distance = tf.reduce_min(tf.reduce_sum(coarse * coarse, 1), -1)
    thresholds = [(1 << k << (fixed.FRACTION - 8)) ** 2 for k in range(1, LEVELS)]
    return tf.reduce_sum(tf.cast(distance[:, None] >= tf.constant(thresholds, tf.int64), tf.int64), -1)


def scale(maps: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    """The maps to positions in cells of a level."""
    level = level[:, None, None]
    half = tf.bitwise.left_shift(tf.ones_like(level), level) // 2
    return tf.bitwise.right_shift(maps + half, level + tf.zeros_like(maps))


def sizes(sizes: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    """How many cells cover the source, rounded up, int64[B, 2]."""
    count = tf.bitwise.left_shift(tf.ones_like(level), level)[:, None]
    return tf.math.floordiv(sizes + count - 1, count)


def offsets(sizes_: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    """Where a level starts in what `build` returns, int64[B]."""
    total = tf.zeros_like(level)
    for k in range(LEVELS - 1):
        area = tf.reduce_prod(sizes(sizes_, tf.fill(tf.shape(level), tf.constant(k, tf.int64))), -1)
        total += tf.where(level > k, area, tf.zeros_like(area))
    return total


def build(images: tf.Tensor) -> tf.Tensor:
    """All levels of [B, H, W, C], one after the other: [B, cells, C] of the same dtype."""
    levels = [images, *(_mean(images, sums, k) for k, sums in enumerate(_sums(images), start=1))]
    shape = tf.shape(images)
    return tf.concat([tf.reshape(cells, [shape[0], -1, images.shape[-1]]) for cells in levels], 1)


def pick(image: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    """One level of one image [H, W, C], as an image; no other is computed. Integers are those of `build`.

    Where XLA does not compile it, sums over reshaped axes take a tenth of what sums of slices take.
    """

    def reduced(k: int) -> tf.Tensor:
        whole = _whole(_whole(image, 0, k), 1, k)
        rows, columns = tf.unstack(tf.shape(whole)[:2] // 2**k)
        sums = tf.reduce_sum(tf.reshape(tf.cast(whole, _exact(image.dtype)), [rows, 2**k, -1]), 1)
        sums = tf.reduce_sum(tf.reshape(sums, [rows, columns, 2**k, image.shape[-1]]), 2)
        return _mean(image, sums, k)

    branches = [lambda: image, *(functools.partial(reduced, k) for k in range(1, LEVELS))]
    picked = tf.switch_case(tf.cast(level, tf.int32), branches)
    picked.set_shape([None, None, image.shape[-1]])
    return picked


def _whole(image: tf.Tensor, axis: int, level: int) -> tf.Tensor:
    """An image of whole cells: what a cell that hangs over the edge counts twice is there twice."""
    side = tf.shape(image)[axis]
    inside = side - side % 2**level
    places = tf.range(inside, inside + tf.where(side > inside, 2**level, 0))
    index = places // 2**level
    for k in reversed(range(level)):  # which cell of level k
        index = tf.minimum(2 * index + places // 2**k % 2, (side - 1) // 2**k)
    head = tf.split(image, [inside, side - inside], axis)[0]
    return tf.concat([head, tf.gather(image, index, axis=axis)], axis)


def _sums(images: tf.Tensor) -> Iterator[tf.Tensor]:
    """Sums of 2x2, 4x4, ... pixels; cells that hang over an edge count the last ones twice."""
    sums = tf.cast(images, _exact(images.dtype))
    for _ in range(LEVELS - 1):
        sums = _even(_even(sums, 1), 2)
        sums = sums[:, 0::2] + sums[:, 1::2]
        sums = sums[:, :, 0::2] + sums[:, :, 1::2]
        yield sums


def _exact(dtype: tf.DType) -> tf.DType:
    """What sums are kept in."""
    return tf.int32 if dtype.is_integer else tf.float64 if dtype == tf.float64 else tf.float32


def _mean(images: tf.Tensor, sums: tf.Tensor, level: int) -> tf.Tensor:
    """Sums of 4**level pixels as means of the images' dtype; integers are rounded half up."""
    if not images.dtype.is_integer:
        return tf.cast(sums * 4.0**-level, images.dtype)
    return tf.cast(fixed.shift_round(sums, 2 * level), images.dtype)


def _even(images: tf.Tensor, axis: int) -> tf.Tensor:
    """An odd last row or column stands there twice."""
    side = images.shape[axis] if images.shape[axis] is not None else tf.shape(images)[axis]
    last = tf.gather(images, tf.range(side - side % 2, side), axis=axis)
    return tf.concat([images, last], axis)
