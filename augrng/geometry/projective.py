"""Integer projective maps, and sampling through them.

A map is int64[..., 3, 3]: source x = (m00 X + m01 Y + m02) / (m20 X + m21 Y + m22) of twice the position
(X, Y) of an output pixel's centre, whole numbers; source y has the middle row. Only ratios count: a map is
kept with entries below 2**44, so that its sums fit in 64 bits.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from augrng import fixed
from augrng.geometry import affine
from augrng.geometry.grid import Grid
from augrng.geometry.sampling import Sampling
from augrng.geometry.warp import sampled, sources, whole_borders

_BITS = 44
_POSITION_BITS = 14
_DEPTH_BITS = 48  # a rest of it, shifted up by the bits of a position, fits in 64
_SHARE_BITS = 27
_DEPTH = 35
_LIMIT = 1 << 28  # positions beyond it are as far outside as any


def from_corners(size: tf.Tensor, corners: tf.Tensor) -> tf.Tensor:
    """The map that shows the image with its corners at other places.

    The image's pixel centres at its corners go to `corners`: the square's projective map to a quadrilateral
    (Heckbert, "Fundamentals of Texture Mapping and Image Warping", 1989, section 2.2.3), inverted.

    Args:
      size: int64[B, 2], height and width.
      corners: int64[B, 4, 2], (x, y) of the upper left, upper right, lower right and lower left pixel.
    """
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = (
        tf.unstack(corner, axis=-1) for corner in tf.unstack(corners, axis=1)
    )
    dx1, dx2, sx = x1 - x2, x3 - x2, x0 - x1 + x2 - x3
    dy1, dy2, sy = y1 - y2, y3 - y2, y0 - y1 + y2 - y3
    det = dx1 * dy2 - dx2 * dy1
    g, h = sx * dy2 - dx2 * sy, dx1 * sy - sx * dy1
    square = [
        [(x1 - x0) * det + g * x1, (x3 - x0) * det + h * x3, x0 * det],
        [(y1 - y0) * det + g * y1, (y3 - y0) * det + h * y3, y0 * det],
        [g, h, det],
    ]
    # Positions and depths in units that give both as many bits, and products of two fit.
    matrix = _matrix(square)
    rows, up = _scaled(matrix[:, :2], 30)
    depth, deeper = _scaled(matrix[:, 2:], 30)
    inverse = _normal(_adjugate(tf.concat([rows, depth], -2)))
    units = tf.concat([tf.maximum(up - deeper, 0)] * 2 + [tf.maximum(deeper - up, 0)], -1)
    inverse = tf.bitwise.left_shift(inverse, units + tf.zeros_like(inverse))
    # The square's (u, v) are shares of the way between centres: x = (width - 1) u, in the inverse's words.
    across = tf.stack([size[:, 1] - 1, size[:, 0] - 1, tf.ones_like(size[:, 0])], -1)
    centers = _normal(_normal(inverse) * across[..., None])
    # From centres, whole numbers, to twice the positions, which are half a pixel further: X = 2 x + 1.
    x, y, one = tf.unstack(centers, axis=-1)
    top, middle, bottom = tf.unstack(_normal(tf.stack([x, y, 2 * one - x - y], -1)), axis=-2)
    # And positions of the source are half a pixel further than centres: x + 1/2 = (2 N + D) / (2 D).
    return _normal(tf.stack([2 * top + bottom, 2 * middle + bottom, 2 * bottom], -2))


def of_affine(maps: tf.Tensor) -> tf.Tensor:
    """Affine maps int64[B, 2, 3] as projective ones, exactly."""
    twice = maps * tf.constant([1, 1, 2], tf.int64)  # of twice the position: what is added counts twice
    last = tf.constant([[[0, 0, 2 * fixed.ONE]]], tf.int64) + 0 * maps[:, :1]
    return _normal(tf.concat([twice, last], 1))


def compose(outer: tf.Tensor, inner: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """The maps p -> outer(inner(p)), for pictures of about these sizes int64[B, 2].

    Positions are those of the exact map within 1/256 pixel for sides up to 4096.
    """
    side = _side(size)
    product = _product(*(_balanced(maps, side) for maps in (outer, inner)))
    shares = _scaled(product, 30)[0]
    # From shares of the side back to twice the positions: see `_balanced`.
    ups = tf.concat([side, side, 2 * side + 1], -1)[:, None]
    lows = tf.concat([0 * side, 0 * side, side + 1], -1)[:, None]
    return _normal(tf.bitwise.left_shift(shares, tf.concat([ups, ups, lows], 1)))


def mirrors(maps: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """bool[B]: whether left becomes right, as by one flip."""
    (a, b, c), (d, e, f), (g, h, i) = (
        tf.unstack(row, axis=-1) for row in tf.unstack(_scaled(_balanced(maps, _side(size)), 20)[0], axis=-2)
    )
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g) < 0


def enlarged(maps: tf.Tensor, multiple: int) -> tf.Tensor:
    """The maps int64[B, 3, 3] of pictures so many times as large."""
    k = multiple
    times = tf.constant([[k, k, k * k], [k, k, k * k], [1, 1, k]], tf.int64)
    return maps if k == 1 else _normal(maps * times)


def unmove(maps: tf.Tensor, size: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
    """The positions that maps move to these: those of the output, from those of the image that it reads.

    Within 1/4096 pixel for sides up to 1024 and 1/64 for sides up to 4096, for corners that move by up to
    half of what they can. What lies behind the horizon is as far away as any.

    Args:
      maps: int64[B, 3, 3].
      size: int64[B, 2], of the image and of the output.
      points: fixed-point positions int64[B, N, 2] = (x, y), of at most `affine.LIMIT`.

    Returns:
      Fixed-point int64[B, N, 2], brought within `affine.LIMIT`.
    """
    side = _side(size)
    inverse = _scaled(_adjugate(_balanced(maps, side)), 32)[0]
    share = fixed.scale(points, (_SHARE_BITS - fixed.FRACTION - side)[:, None])
    share = tf.clip_by_value(share, -2 << _SHARE_BITS, 2 << _SHARE_BITS)
    x, y, depth = (
        inverse[:, row, 0, None] * share[..., 0]
        + inverse[:, row, 1, None] * share[..., 1]
        + inverse[:, row, 2, None] * (1 << _SHARE_BITS)
        for row in range(3)
    )
    down = -tf.maximum(fixed.length(depth) - _DEPTH, 0)
    x, y, depth = (fixed.scale(along, down) for along in (x, y, depth))
    seen = depth > 0
    depth = tf.where(seen, depth, tf.ones_like(depth))
    moved = []
    for along in (x, y):
        whole = tf.math.floordiv(along, depth)
        part = tf.math.floordiv((along - whole * depth) * (1 << _SHARE_BITS), depth)
        most = affine.LIMIT >> _SHARE_BITS
        place = tf.clip_by_value(whole, -most, most) * (1 << _SHARE_BITS) + part
        place = tf.clip_by_value(
            fixed.scale(place, side + fixed.FRACTION - _SHARE_BITS), -affine.LIMIT, affine.LIMIT
        )
        moved.append(tf.where(seen, place, tf.where(along < 0, -affine.LIMIT, affine.LIMIT)))
    return tf.stack(moved, -1)


def sides(images: tf.Tensor, size_after: Callable[[Any, Any], tuple[Any, Any]]) -> tuple[Any, Any]:
    """Height and width of what is made of images [B, H, W, C]: numbers where they are known."""
    return size_after(*(images.shape[axis] or tf.shape(images, tf.int64)[axis] for axis in (1, 2)))


def warp(images: tf.Tensor, maps: tf.Tensor, height: Any, width: Any, sampling: Sampling) -> tf.Tensor:
    """Reads images [B, H, W, C] through one projective map each: [B, height, width, C] of the same dtype.

    What lies behind the horizon lies outside. Along the border "constant" blends over one source pixel.
    """
    shape = tf.shape(images, tf.int64)
    sizes = tf.broadcast_to(shape[1:3], tf.stack([shape[0], 2]))
    pixels = tf.reshape(images, [tf.shape(images)[0], -1, images.shape[3]])
    fill = sampling.fill_for(images.dtype, images.shape[3])
    height, width = (tf.cast(side, tf.int64) for side in (height, width))
    grid = _Projective(sizes, maps, height, width, sampling)
    out = tf.concat([sampled(source, grid) for source in sources(pixels, None, fill)], -1)
    known = [tf.get_static_value(side) for side in (height, width)]
    out.set_shape([images.shape[0], *known, images.shape[3]])
    return out


class _Projective(Grid):
    """`Grid` of maps int64[B, 3, 3]."""

    def __init__(
        self, sizes: tf.Tensor, maps: tf.Tensor, height: Any, width: Any, sampling: Sampling
    ) -> None:
        super().__init__(sizes, whole_borders(sizes), affine.identity(1), height, width, sampling)
        columns = (2 * tf.range(width, dtype=tf.int64) + 1)[None, None]
        rows = (2 * tf.range(height, dtype=tf.int64) + 1)[None, :, None]
        x, y, depth = (
            maps[:, row, 0, None, None] * columns
            + maps[:, row, 1, None, None] * rows
            + maps[:, row, 2, None, None]
            for row in range(3)
        )
        seen = depth > 0
        spare = tf.reduce_max(tf.abs(depth), [1, 2], keepdims=True)
        down = tf.reduce_sum(tf.cast(spare[..., None] >= _powers(_DEPTH_BITS), tf.int64), -1)
        depth = tf.where(seen, tf.maximum(tf.bitwise.right_shift(depth, down), 1), tf.ones_like(depth))
        x, y = (tf.bitwise.right_shift(along, down) for along in (x, y))
        self._at = []
        for along in (x, y):
            # The whole part first: the rest, shifted up, still fits.
            whole = tf.math.floordiv(along, depth)
            part = tf.math.floordiv((along - whole * depth) * (1 << _POSITION_BITS), depth)
            place = (
                tf.clip_by_value(whole, -_LIMIT >> _POSITION_BITS, _LIMIT >> _POSITION_BITS)
                * (1 << _POSITION_BITS)
                + part
            )
            place = tf.where(seen, place, -_LIMIT) - (1 << (_POSITION_BITS - 1))
            self._at.append(tf.cast(place, tf.int32))

    def whole_pixels(self) -> tf.Tensor:
        return tf.zeros([tf.shape(self._at[0])[0]], tf.bool)


def _side(size: tf.Tensor) -> tf.Tensor:
    """int64[B, 1]: log2 of a power of two no smaller than the sides."""
    return fixed.length(tf.reduce_max(size, -1))[:, None]


def _balanced(maps: tf.Tensor, side: tf.Tensor) -> tf.Tensor:
    """The maps between shares of 2**side, of 30 bits: all of their entries are about as large."""
    ends = tf.concat([side, side], -1)[:, None]  # [B, 1, 2]
    upper = tf.concat([2 * maps[:, :2, :2], fixed.scale(maps[:, :2, 2:], -side[..., None])], -1)
    lower = tf.concat([fixed.scale(2 * maps[:, 2:, :2], ends), maps[:, 2:, 2:]], -1)
    return _scaled(tf.concat([upper, lower], -2), 30)[0]


def _product(outer: tf.Tensor, inner: tf.Tensor) -> tf.Tensor:
    """The product of matrices int64[B, 3, 3] of 30 bits."""
    return tf.reduce_sum(outer[..., None] * inner[:, None], -2)


def _adjugate(matrix: tf.Tensor) -> tf.Tensor:
    """The inverse of int64[B, 3, 3] times the determinant."""
    (a, b, c), (d, e, f), (g, h, i) = (tf.unstack(row, axis=-1) for row in tf.unstack(matrix, axis=-2))
    return _matrix([
        [e * i - f * h, c * h - b * i, b * f - c * e],
        [f * g - d * i, a * i - c * g, c * d - a * f],
        [d * h - e * g, b * g - a * h, a * e - b * d],
    ])  # fmt: skip


def _matrix(rows: list[list[tf.Tensor]]) -> tf.Tensor:
    return tf.stack([tf.stack(row, -1) for row in rows], -2)


def _normal(matrix: tf.Tensor) -> tf.Tensor:
    """The same map with entries of `_BITS` bits."""
    return _scaled(matrix, _BITS)[0]


def _scaled(matrix: tf.Tensor, bits: int) -> tuple[tf.Tensor, tf.Tensor]:
    """int64[B, m, n] times the power of two that gives its largest entry so many bits, and its exponent."""
    up = bits - fixed.length(tf.reduce_max(tf.abs(matrix), [-2, -1], keepdims=True))
    return fixed.scale(matrix, up), up


def _powers(bits: int) -> tf.Tensor:
    return tf.constant([1 << power for power in range(bits, 63)], tf.int64)
