"""Fixed-point functions against Python's exact integers and float64."""

import math

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from augrng import fixed

ONE = fixed.ONE


def test_sine_and_cosine_are_within_their_bound(rng):
    angles = rng.integers(-(2**40), 2**40, 100_000)
    sine, cosine = fixed.sincos(tf.constant(angles))
    exact = angles / 2.0**32 * 2 * np.pi
    assert np.abs(sine.numpy() / ONE - np.sin(exact)).max() <= 2.0**-24
    assert np.abs(cosine.numpy() / ONE - np.cos(exact)).max() <= 2.0**-24


def test_quarter_turns_are_exact():
    angles = tf.constant([k * 2**30 for k in range(-8, 9)], tf.int64)
    sine, cosine = fixed.sincos(angles)
    assert [int(v) // ONE for v in sine] == [round(math.sin(k * math.pi / 2)) for k in range(-8, 9)]
    assert [int(v) // ONE for v in cosine] == [round(math.cos(k * math.pi / 2)) for k in range(-8, 9)]
    assert all(int(v) % ONE == 0 for v in (*sine, *cosine))


def test_turns_of_degrees():
    assert [fixed.turns(d) for d in (0, 90, -90, 180, 720)] == [0, 2**30, -(2**30), 2**31, 2**33]
    assert abs(fixed.degrees(fixed.turns(12.3)) - 12.3) < 1e-7


@settings(max_examples=200, deadline=None)
@given(a=st.integers(-(2**16) * ONE + 1, 2**16 * ONE - 1), b=st.integers(-(2**10) * ONE + 1, 2**10 * ONE - 1))
def test_products_are_within_one_unit_and_never_overflow(a, b):
    product = int(fixed.multiply(tf.constant(a, tf.int64), tf.constant(b, tf.int64)))
    assert abs(product * ONE - a * b) <= ONE


@settings(max_examples=100, deadline=None)
@given(a=st.integers(-(2**39), 2**39), whole=st.integers(-1000, 1000))
def test_products_with_whole_numbers_are_exact(a, whole):
    a, b = tf.constant(a, tf.int64), tf.constant(whole * ONE, tf.int64)
    assert int(fixed.multiply(a, b)) == int(a) * whole
    assert int(fixed.multiply(b, a)) == int(a) * whole


def test_exp2_is_within_its_bound(rng):
    x = np.concatenate([rng.integers(-20 * ONE, 12 * ONE, 100_000), np.arange(-20, 13) * ONE])
    got = fixed.exp2(tf.constant(x)).numpy() / ONE
    exact = np.exp2(x / ONE)
    assert (np.abs(got - exact) <= np.maximum(exact * 2.0**-23, 2.0**-24)).all()
    assert [int(v) for v in fixed.exp2(tf.constant([0, ONE, -ONE, 5 * ONE], tf.int64))] == [
        ONE,
        2 * ONE,
        ONE // 2,
        32 * ONE,
    ]


def test_square_root_is_pythons_integer_root(rng):
    roots = rng.integers(0, 2**31 - 1, 2000)
    x = np.concatenate(
        [
            [0, 1, 2, 3, 2**62 - 1],
            rng.integers(0, 2**62, 5000),
            roots**2,
            roots**2 + 2 * roots,
            np.maximum(roots**2 - 1, 0),
        ]
    )
    got = fixed.square_root(tf.constant(x)).numpy()
    assert [int(v) for v in got] == [math.isqrt(int(v)) for v in x]
