"""Draws against TensorFlow's, and their distributions at fixed seeds."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import augrng as ar
from augrng.random import draws

N = 100_000


@pytest.fixture(scope="module")
def words():
    """One word each of 100,000 examples."""
    aug = ar.Compose([ar.RandomFlip()], seed=5)
    return ar.bits(aug.keys(np.arange(N), 0)["random_flip"], 1)[:, 0]


def p_value_of_counts(counts):
    return scipy.stats.chisquare(counts).pvalue


def test_uniform_is_tensorflows_float(rng):
    for seed in rng.integers(0, 2**62, (200, 2)):
        expected = tf.random.stateless_uniform([3], seed, alg="philox").numpy()
        assert np.array_equal(draws.uniform(ar.bits(seed, 3)).numpy() / 2.0**23, expected)


def test_integers_are_tensorflows(rng):
    for seed in rng.integers(0, 2**62, (200, 2)):
        expected = tf.random.stateless_uniform([3], seed, 0, 2**31 - 1, tf.int32, alg="philox").numpy() % 17
        assert np.array_equal(draws.integers(ar.bits(seed, 3), 17), expected)


def test_uniform_is_uniform(words):
    u = draws.uniform(words).numpy() / 2.0**23
    assert u.min() >= 0
    assert u.max() < 1
    assert scipy.stats.kstest(u, "uniform").pvalue > 0.01


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_bernoulli_has_its_probability(words, p):
    hits = int(draws.bernoulli(words, p).numpy().sum())
    assert scipy.stats.binomtest(hits, N, p).pvalue > 0.01


@pytest.mark.parametrize("limit", [1, 2, 3, 33, 100])
def test_integers_are_uniform_and_reach_every_value(words, limit):
    counts = np.bincount(draws.integers(words, limit).numpy(), minlength=limit)
    assert len(counts) == limit
    assert counts.min() > 0
    if limit > 1:
        assert p_value_of_counts(counts) > 0.01


def test_between_is_uniform_and_stays_inside(words):
    values = draws.between(words, -(2**33), 2**34).numpy()
    assert values.min() >= -(2**33)
    assert values.max() < 2**34
    assert scipy.stats.kstest((values + 2**33) / (3 * 2**33), "uniform").pvalue > 0.01
    assert (draws.between(words, 5, 5).numpy() == 5).all()
