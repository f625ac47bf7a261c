"""Integer affine maps from an output position to a source position.

A map is int64[..., 2, 3], fixed-point with `fixed.FRACTION` bits: source = A @ (x, y) + t, the rows
being (source x, source y) and the columns (x, y, 1). Positions are in pixels from the top left corner
of the image, so pixel i covers [i, i + 1) and its centre is at i + 1/2.

  identity, translate, shift, resize, flip, rotate, linear  build maps
  compose :: outer -> inner -> the map p -> outer(inner(p))
  move    :: map -> points -> points
  unmove  :: map -> points -> the points that the map moves there
  mirrors :: map -> whether it shows a mirror image

Sizes are int64[..., 2], (height, width) of the image that the map reads.
"""

from typing import Any

import tensorflow as tf

from augrng import fixed

LIMIT = 1 << 40  # of positions, 65536 pixels: what lies beyond is as far outside as any

_BITS = 30  # of a matrix whose determinant is taken


def from_rows(a: Any, b: Any, tx: Any, c: Any, d: Any, ty: Any) -> tf.Tensor:
    """The map (x, y) -> (a x + b y + tx, c x + d y + ty), entries broadcast against each other."""
    entries = [tf.cast(entry, tf.int64) for entry in (a, b, tx, c, d, ty)]
    wide = [entry for entry in entries if entry.shape.rank != 0]
    zero = sum(tf.zeros_like(entry) for entry in wide)
    entries = [entry + zero for entry in entries] if wide else entries
    return tf.stack([tf.stack(entries[:3], -1), tf.stack(entries[3:], -1)], -2)


def identity(count: Any) -> tf.Tensor:
    """The map that moves nothing, `count` times."""
    one = tf.constant([[[fixed.ONE, 0, 0], [0, fixed.ONE, 0]]], tf.int64)
    return one if isinstance(count, int) and count == 1 else tf.tile(one, [count, 1, 1])


def translate(left: Any, top: Any) -> tf.Tensor:
    """Reads `left` pixels further right and `top` further down: a crop that starts there (integers)."""
    left, top = (tf.cast(value, tf.int64) * fixed.ONE for value in (left, top))
    return from_rows(fixed.ONE, 0, left, 0, fixed.ONE, top)


def resize(size: tf.Tensor, height: Any, width: Any) -> tf.Tensor:
    """Spreads the whole image over `height` by `width` pixels."""
    sides = [tf.cast(side, tf.int64) for side in (height, width)]
    given = tf.unstack(size * fixed.ONE, 2, axis=-1)
    y, x = (tf.math.floordiv(one + side // 2, side) for one, side in zip(given, sides, strict=True))
    return from_rows(x, 0, 0, 0, y, 0)


def flip(size: tf.Tensor, horizontal: tf.Tensor, vertical: tf.Tensor) -> tf.Tensor:
    """Mirrors left-right where `horizontal`, up-down where `vertical` (bool[...])."""
    height, width = tf.unstack(size * fixed.ONE, 2, axis=-1)
    one, zero = tf.constant(fixed.ONE, tf.int64), tf.constant(0, tf.int64)
    return from_rows(
        tf.where(horizontal, -one, one),
        zero,
        tf.where(horizontal, width, zero),
        zero,
        tf.where(vertical, -one, one),
        tf.where(vertical, height, zero),
    )


def rotate(size: tf.Tensor, angle: tf.Tensor) -> tf.Tensor:
    """Turns the picture counter-clockwise about its centre by `angle`, in units of 2**-32 turn."""
    sine, cosine = fixed.sincos(angle)
    center_y, center_x = tf.unstack(size * (fixed.ONE // 2), 2, axis=-1)
    return from_rows(
        cosine,
        -sine,
        center_x - fixed.multiply(center_x, cosine) + fixed.multiply(center_y, sine),
        sine,
        cosine,
        center_y - fixed.multiply(center_x, sine) - fixed.multiply(center_y, cosine),
    )


def compose(outer: tf.Tensor, inner: tf.Tensor) -> tf.Tensor:
    """The map p -> outer(inner(p)); exact for maps that move whole pixels."""
    by_column = tf.expand_dims(outer[..., :2], -1)
    products = fixed.multiply(tf.expand_dims(inner, -3), by_column)  # [..., 2, 2, 3]
    return tf.reduce_sum(products, -2) + outer * tf.constant([0, 0, 1], tf.int64)


def move(map_: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
    """Maps fixed-point positions int64[..., 2] = (x, y)."""
    products = fixed.multiply(points[..., None, :], map_[..., :2])
    return tf.reduce_sum(products, -1) + map_[..., 2]


def linear(size: tf.Tensor, a: Any, b: Any, c: Any, d: Any) -> tf.Tensor:
    """The map with this matrix that leaves the picture's centre where it is; fixed-point entries."""
    center_y, center_x = tf.unstack(size * (fixed.ONE // 2), 2, axis=-1)
    return from_rows(
        a,
        b,
        center_x - fixed.multiply(center_x, a + 0 * center_x) - fixed.multiply(center_y, b + 0 * center_y),
        c,
        d,
        center_y - fixed.multiply(center_x, c + 0 * center_x) - fixed.multiply(center_y, d + 0 * center_y),
    )


def shift(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Reads `x` further right and `y` further down, fixed-point."""
    return from_rows(fixed.ONE, 0, x, 0, fixed.ONE, y)


def unmove(map_: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
    """The positions that a map moves to these: those of the output, from those of the image that it reads.

    By Cramer's rule. Exact for maps that move, flip or turn whole pixels; else the inverse has 29 bits, which
    is within 1/16384 pixel for an output of 8192.

    Args:
      map_: int64[B, 2, 3].
      points: fixed-point positions int64[B, ..., 2] = (x, y), of at most `LIMIT`.

    Returns:
      Fixed-point int64[B, ..., 2], brought within `LIMIT`.
    """
    rows = map_[:, :, :2]
    ups = _BITS - fixed.length(tf.reduce_max(tf.abs(rows), -1))  # [B, 2], by which each row is scaled
    (a, b), (c, d) = (
        tf.unstack(row, axis=-1) for row in tf.unstack(fixed.scale(rows, ups[..., None]), axis=1)
    )
    det = a * d - b * c
    down = fixed.length(det) - (_BITS + 1)
    det = fixed.scale(det, -down)
    det = tf.where(tf.equal(det, 0), tf.ones_like(det), det)
    entries = [tf.math.floordiv(entry * (1 << (_BITS + 1)), det) for entry in (d, -b, -c, a)]

    around = [1] * (points.shape.rank - 2)
    shape = tf.concat([[-1], tf.constant(around, tf.int32)], 0)
    from_origin = [
        tf.clip_by_value(points[..., axis] - tf.reshape(map_[:, axis, 2], shape), -2 * LIMIT, 2 * LIMIT)
        for axis in (0, 1)
    ]

    def term(entry: tf.Tensor, axis: int) -> tf.Tensor:
        high = tf.bitwise.right_shift(from_origin[axis], tf.constant(16, tf.int64))
        entry = tf.reshape(entry, shape)
        product = entry * high + tf.bitwise.right_shift(
            entry * (from_origin[axis] & 0xFFFF), tf.constant(16, tf.int64)
        )
        up = tf.reshape(ups[:, axis] + (16 + fixed.FRACTION - _BITS - 1) - down, shape)
        most = tf.bitwise.right_shift(tf.constant(4 * LIMIT, tf.int64), tf.clip_by_value(up, 0, 62))
        return fixed.scale(tf.where(up > 0, tf.clip_by_value(product, -most, most), product), up)

    x, y = (term(entries[2 * row], 0) + term(entries[2 * row + 1], 1) for row in (0, 1))
    return tf.clip_by_value(tf.stack([x, y], -1), -LIMIT, LIMIT)


def mirrors(map_: tf.Tensor) -> tf.Tensor:
    """bool[...]: whether left becomes right, as by one flip; not by two, nor by turns."""
    rows = map_[..., :2]
    ups = _BITS - fixed.length(tf.reduce_max(tf.abs(rows), -1))
    rows = fixed.scale(rows, ups[..., None])
    return rows[..., 0, 0] * rows[..., 1, 1] < rows[..., 0, 1] * rows[..., 1, 0]
