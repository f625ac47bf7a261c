"""The permutation: a bijection for every size, the same values everywhere, as well mixed as NumPy's."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

import augrng as ar
from augrng.random.permutation import permutation

SIZES = [1, 2, 3, 6, 63, 64, 65, 66, 97, 100, 1437, 4099]
LARGE = [60_000, 1_281_167, 2**31 + 11, 2**32 - 5, 2**40 - 87, 2**40]


def orders(size, count, places=None):
    """int64[count, places] of as many keys."""
    keys = ar.fold_in([7, 8], np.arange(count))
    places = np.arange(size) if places is None else np.asarray(places)
    return tf.function(lambda keys: permutation(places, size, keys[:, None]))(keys).numpy()


def numpys(size, count):
    rng = np.random.default_rng(1)
    return np.stack([rng.permutation(size) for _ in range(count)])


def p_value(counts, expected):
    return stats.chi2.sf(((counts - expected) ** 2 / expected).sum(), np.size(counts) - 1)


@pytest.mark.parametrize("size", SIZES)
def test_every_value_comes_once(size):
    for order in orders(size, 5):
        assert np.array_equal(np.sort(order), np.arange(size))


@pytest.mark.parametrize("size", LARGE)
def test_large_sizes_hold_no_value_twice(size):
    places = np.unique(np.random.default_rng(2).integers(0, size, 50_000))
    values = permutation(places, size, [3, 4]).numpy()
    assert len(np.unique(values)) == len(places)
    assert values.min() >= 0
    assert values.max() < size
    assert stats.kstest(values / size, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("size", [5, 65, 1437, 2**40 - 87])
def test_eager_graph_and_xla_agree_and_keys_broadcast(size):
    places, keys = np.arange(40), ar.fold_in([5, -6], np.arange(40))
    eager = permutation(places, size, keys)
    for compiled in (False, True):
        function = tf.function(lambda i, k: permutation(i, size, k), jit_compile=compiled)
        assert np.array_equal(function(tf.constant(places), keys), eager)
    assert np.array_equal(eager, [permutation(i, size, k) for i, k in zip(places, keys, strict=True)])


@pytest.mark.parametrize("size", [2, 3, 4, 5, 6])
def test_all_orders_are_equally_likely(size):
    names = {order: n for n, order in enumerate(itertools.permutations(range(size)))}
    found = [names[tuple(order)] for order in orders(size, 100 * len(names)).tolist()]
    assert p_value(np.bincount(found, minlength=len(names)), 100) > 1e-3


@pytest.mark.parametrize("size", [33, 65, 101, 257])
def test_pairs_fixed_points_and_successors(size):
    """By chi-square: two places' values, fixed points (Poisson) and successors that are kept."""
    count = 20_000
    found = orders(size, count)
    for first, second in ((0, 1), (0, size // 2), (1, size - 1)):
        pairs = np.bincount(found[:, first] * size + found[:, second], minlength=size * size)
        pairs = pairs.reshape(size, size)[~np.eye(size, dtype=bool)]
        assert p_value(pairs, count / (size * (size - 1))) > 1e-4
    poisson = np.append(stats.poisson.pmf(np.arange(5), 1), stats.poisson.sf(4, 1))
    fixed = np.bincount(np.minimum((found == np.arange(size)).sum(1), 5), minlength=6)
    assert p_value(fixed, count * poisson) > 1e-4
    rate = (size - 1) / size
    poisson = np.append(stats.poisson.pmf(np.arange(5), rate), stats.poisson.sf(4, rate))
    kept = np.bincount(np.minimum((np.diff(found, axis=1) == 1).sum(1), 5), minlength=6)
    assert p_value(kept, count * poisson) > 1e-4


def test_it_is_mixed_as_numpys_orders_are():
    """1,437 examples, 1,000 orders of each: successors kept, displacement, one class's share of a batch."""
    size, count = 1437, 1000
    ours, theirs = orders(size, count), numpys(size, count)
    labels = np.arange(size) * 10 // size
    for figure in (
        lambda o: (np.abs(np.diff(o, axis=1)) == 1).sum(1),
        lambda o: np.abs(o - np.arange(size)).mean(1),
        lambda o: np.stack([(labels[o[:, :64]] == c).sum(1) for c in range(10)]).max(0),
    ):
        assert stats.ks_2samp(figure(ours), figure(theirs)).pvalue > 1e-3
    assert (np.abs(np.diff(ours, axis=1)) == 1).sum(1).max() <= 12
    assert np.stack([(labels[ours[:, :64]] == c).sum(1) for c in range(10)]).max() <= 22


def test_no_two_of_100_000_epochs_are_alike():
    heads = orders(1437, 100_000, range(8))
    assert len(np.unique(heads, axis=0)) == 100_000


def test_both_words_of_the_key_count_whole():
    keys = [[1, 1], [1 + 2**32, 1], [1 + 2**62, 1], [1, 1 + 2**32], [1, 1 + 2**62], [-1, 1], [1, -1]]
    for size in (20, 1437):
        assert len({tuple(permutation(np.arange(size), size, key).numpy()) for key in keys}) == len(keys)


def test_places_are_taken_modulo_the_size_and_bad_arguments_are_refused():
    assert np.array_equal(permutation([-1, 100, 205], 100, [1, 2]), permutation([99, 0, 5], 100, [1, 2]))
    for size in (0, 2**40 + 1):
        with pytest.raises(ValueError, match=r"size: must lie in 1 to 2\*\*40"):
            permutation(0, size, [1, 2])
    with pytest.raises(TypeError, match="index"):
        permutation(0.5, 3, [1, 2])
    with pytest.raises(ValueError, match="seed"):
        permutation(0, 3, [1, 2, 3])
