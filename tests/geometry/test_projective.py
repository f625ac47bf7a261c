"""Projective maps against homographies solved in float64."""

import numpy as np
import pytest
import tensorflow as tf

from augrng import fixed
from augrng.geometry import projective


def homography(before, after):
    """The 3x3 matrix that takes four points to four others."""
    rows, right = [], []
    for (u, v), (x, y) in zip(before, after, strict=True):
        rows += [[u, v, 1, 0, 0, 0, -u * x, -v * x], [0, 0, 0, u, v, 1, -u * y, -v * y]]
        right += [x, y]
    return np.append(np.linalg.solve(np.array(rows, float), np.array(right, float)), 1).reshape(3, 3)


@pytest.mark.parametrize(("side", "error"), [(24, 2**-12), (1000, 2**-12), (4096, 2**-6)])
def test_unmove_takes_points_where_the_corners_go(side, error, rng):
    count = 24
    size = rng.integers(side // 2, side + 1, (count, 2))
    most = size // 2 // 2  # by half of what they can
    corners = np.zeros((count, 4, 2), np.int64)
    for number, (right, bottom) in enumerate([(0, 0), (1, 0), (1, 1), (0, 1)]):
        x, y = rng.integers(0, most[:, 1] + 1), rng.integers(0, most[:, 0] + 1)
        corners[:, number, 0] = np.where(right, size[:, 1] - 1 - x, x)
        corners[:, number, 1] = np.where(bottom, size[:, 0] - 1 - y, y)
    maps = projective.from_corners(tf.constant(size), tf.constant(corners))
    points = np.round(rng.uniform(0, 1, (count, 20, 2)) * size[:, None, ::-1] * fixed.ONE).astype(np.int64)
    got = projective.unmove(maps, tf.constant(size), tf.constant(points)).numpy() / fixed.ONE
    for row in range(count):
        h, w = size[row]
        centres = np.array([(0.5, 0.5), (w - 0.5, 0.5), (w - 0.5, h - 0.5), (0.5, h - 0.5)])
        moved = np.c_[points[row] / fixed.ONE, np.ones(20)] @ homography(centres, corners[row] + 0.5).T
        assert np.abs(moved[:, :2] / moved[:, 2:] - got[row]).max() < error
