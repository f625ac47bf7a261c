"""Integer maps against float64 matrices, and the laws of composition."""

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from augrng import fixed
from augrng.geometry import affine

sizes = st.tuples(st.integers(1, 4096), st.integers(1, 4096))


@st.composite
def maps(draw, exact=False):
    """A random map with its float64 3x3 matrix."""
    height, width = draw(sizes)
    size = tf.constant([height, width], tf.int64)
    kind = draw(st.sampled_from(["translate", "flip", "rotate"]))
    if kind == "translate":
        left, top = draw(st.integers(-4096, 4096)), draw(st.integers(-4096, 4096))
        return affine.translate(left, top), [[1, 0, left], [0, 1, top], [0, 0, 1]]
    if kind == "flip":
        x, y = draw(st.booleans()), draw(st.booleans())
        matrix = [[1 - 2 * x, 0, width * x], [0, 1 - 2 * y, height * y], [0, 0, 1]]
        return affine.flip(size, tf.constant(x), tf.constant(y)), matrix
    angle = 2**30 * draw(st.integers(-4, 4)) if exact else draw(st.integers(-(2**32), 2**32))
    radians = angle / 2**32 * 2 * np.pi
    c, s = np.cos(radians), np.sin(radians)
    cx, cy = width / 2, height / 2
    matrix = [[c, -s, cx - c * cx + s * cy], [s, c, cy - s * cx - c * cy], [0, 0, 1]]
    return affine.rotate(size, tf.constant(angle, tf.int64)), matrix


def as_float(map_):
    return np.vstack([map_.numpy() / fixed.ONE, [0, 0, 1]])


def position_error(map_, matrix, span=4096):
    """The largest distance in pixels between the two at the corners of a span."""
    corners = np.array([[0, 0, 1], [span, 0, 1], [0, span, 1], [span, span, 1]]).T
    return np.abs((as_float(map_) - np.array(matrix)) @ corners).max()


@settings(max_examples=100, deadline=None)
@given(pair=maps())
def test_maps_are_within_their_bound_of_float64(pair):
    assert position_error(*pair) < 1 / 1024


@settings(max_examples=100, deadline=None)
@given(pairs=st.lists(maps(), min_size=2, max_size=5))
def test_composition_is_the_matrix_product(pairs):
    map_, matrix = pairs[0][0], np.array(pairs[0][1])
    for other, other_matrix in pairs[1:]:
        map_, matrix = affine.compose(map_, other), matrix @ np.array(other_matrix)
    assert position_error(map_, matrix) < 1 / 64


@settings(max_examples=50, deadline=None)
@given(a=maps(exact=True), b=maps(exact=True), c=maps(exact=True))
def test_composition_of_exact_maps_is_exact_and_associative(a, b, c):
    left = affine.compose(affine.compose(a[0], b[0]), c[0]).numpy()
    assert np.array_equal(left, affine.compose(a[0], affine.compose(b[0], c[0])))
    exact = np.round(np.array(a[1]) @ b[1] @ c[1] * 2) / 2
    assert np.array_equal(left / fixed.ONE, exact[:2])


@settings(max_examples=50, deadline=None)
@given(pair=maps(), x=st.integers(-4096, 4096), y=st.integers(-4096, 4096))
def test_moving_points_is_the_matrix_product(pair, x, y):
    moved = affine.move(pair[0], tf.constant([x * fixed.ONE, y * fixed.ONE], tf.int64)).numpy() / fixed.ONE
    assert np.abs(moved - (np.array(pair[1]) @ [x, y, 1])[:2]).max() < 1 / 512


@settings(max_examples=50, deadline=None)
@given(size=sizes, target=sizes)
def test_resize_spreads_the_whole_image(size, target):
    map_ = affine.resize(tf.constant(size, tf.int64), *target)
    matrix = [[size[1] / target[1], 0, 0], [0, size[0] / target[0], 0], [0, 0, 1]]
    assert position_error(map_, matrix) < 1 / 1024


def test_batches_broadcast():
    size = tf.constant([[4, 6], [8, 10]], tf.int64)
    batch = affine.compose(affine.translate(1, 2), affine.rotate(size, tf.constant([5, 6], tf.int64)))
    assert batch.shape == (2, 2, 3)
    alone = affine.compose(affine.translate(1, 2), affine.rotate(size[1], tf.constant(6, tf.int64)))
    assert np.array_equal(batch[1], alone)
    assert affine.translate(0, 0).shape == (2, 3)


def test_unmove_is_the_inverse(rng):
    """By NumPy's inverse in float64: within 1/4096 pixel for scales of 1/16 to 16, sides up to 4096."""
    angle, count = rng.uniform(0, 2 * np.pi, 40), 40
    turn = np.moveaxis(np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]), -1, 0)
    x, y = 2.0 ** rng.uniform(-4, 4, (2, count))
    stretch = np.moveaxis(np.array([[x, rng.uniform(-1, 1, count)], [0 * x, y]]), -1, 0)
    maps = np.concatenate([turn @ stretch, rng.uniform(-4096, 4096, (count, 2, 1))], -1)
    maps = np.round(maps * fixed.ONE).astype(np.int64)
    matrix = maps / fixed.ONE
    out = rng.uniform(0, 4096, (count, 20, 2))
    source = np.round((out @ np.swapaxes(matrix[:, :, :2], 1, 2) + matrix[:, None, :, 2]) * fixed.ONE)
    source = np.clip(source, -(2**40), 2**40).astype(np.int64)
    exact = (source / fixed.ONE - matrix[:, None, :, 2]) @ np.swapaxes(np.linalg.inv(matrix[:, :, :2]), 1, 2)
    got = affine.unmove(tf.constant(maps), tf.constant(source)).numpy() / fixed.ONE
    near = np.abs(exact) < 4096 * 2
    assert near.sum() > 500
    assert np.abs(got - exact)[near].max() < 1 / 4096
    assert np.array_equal(affine.mirrors(tf.constant(maps)), np.linalg.det(matrix[:, :, :2]) < 0)


@given(maps(exact=True), st.integers(-(2**30), 2**30), st.integers(-(2**30), 2**30))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_unmove_is_exact_for_maps_of_whole_pixels(drawn, x, y):
    map_, _ = drawn
    points = tf.constant([[[x, y]]], tf.int64)
    there = affine.unmove(map_[None], points)
    assert np.array_equal(affine.move(map_[None, None], there), points)


def test_what_lies_far_outside_is_brought_near():
    map_ = affine.from_rows(1, 0, 0, 0, 1, 0)[None]  # enlarges 2**24 times
    far = tf.constant([[[2**39, -(2**39)]]], tf.int64)
    assert np.array_equal(affine.unmove(map_, far), [[[affine.LIMIT, -affine.LIMIT]]])
