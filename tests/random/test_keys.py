"""The algebra of keys against `tf.random`, and keys that never meet."""

import hashlib

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import augrng as ar
from tests.random.test_bits import MODES, random_seeds

int64s = st.integers(-(2**63), 2**63 - 1)


@pytest.mark.parametrize("mode", MODES)
def test_split_equals_tensorflows(rng, mode):
    seeds = random_seeds(rng, 100)
    ours = MODES[mode](lambda seed: ar.split(seed, 3))(tf.constant(seeds))
    assert np.array_equal(ours, [tf.random.split(tf.constant(seed), 3, alg="philox") for seed in seeds])


@pytest.mark.parametrize("mode", MODES)
def test_fold_in_equals_tensorflows(rng, mode):
    seeds = random_seeds(rng, 100)
    data = rng.integers(-(2**63), 2**63, len(seeds), dtype=np.int64)
    ours = MODES[mode](ar.fold_in)(tf.constant(seeds), tf.constant(data))
    expected = [tf.random.fold_in(tf.constant(s), d, alg="philox") for s, d in zip(seeds, data, strict=True)]
    assert np.array_equal(ours, expected)


VALUES = [[1, 2], [-1, 2], [-7, -8], [2**31 - 1, -(2**31)], [0, 0]]
DATA = [5, -5, 0, 2**31 - 1, -(2**31)]


def same(ours, theirs):
    assert ours.dtype == theirs.dtype
    assert np.array_equal(ours, theirs)


def of(values, dtype):
    """Values in a dtype, negative ones as their bits."""
    return tf.cast(tf.constant(values, tf.int64), dtype)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_split_keeps_the_dtype_of_seeds(mode, dtype):
    """TensorFlow takes seeds of these two dtypes; under XLA it changes negative ones, so eager is the oracle."""
    split = MODES[mode](lambda seed: ar.split(seed, 3))
    for value in VALUES:
        same(split(of(value, dtype)), tf.random.split(of(value, dtype), 3))
    whole = split(of(VALUES, dtype))
    same(whole, tf.stack([tf.random.split(of(value, dtype), 3) for value in VALUES]))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["int32", "uint32", "int64", "uint64"])
@pytest.mark.parametrize("of_seed", ["int32", "int64"])
def test_fold_in_keeps_the_dtype_of_data(mode, dtype, of_seed):
    fold_in = MODES[mode](ar.fold_in)
    expected = []
    for value, data in zip(VALUES, DATA, strict=True):
        expected.append(tf.random.fold_in(of(value, of_seed), of(data, dtype)))
        same(fold_in(of(value, of_seed), of(data, dtype)), expected[-1])
    same(fold_in(of(VALUES, of_seed), of(DATA, dtype)), tf.stack(expected))


@pytest.mark.parametrize(
    "data", [5, -5, 2**31, 2**40, -(2**31) - 1, np.int64(5), np.int32(-5), np.uint32(7)], ids=repr
)
@pytest.mark.parametrize(
    "seed", [[1, 2], (-1, 2), [2**40, 3], np.array([1, -2]), np.array([1, -2], np.int32)], ids=repr
)
def test_python_and_numpy_integers_convert_as_tensorflows(seed, data):
    same(ar.fold_in(seed, data), tf.random.fold_in(seed, data))
    same(ar.split(seed, 2), tf.random.split(seed, 2))
    same(ar.split(seed, tf.constant(2)), tf.random.split(seed, tf.constant(2)))


def test_other_integers_convert_to_int64():
    seed = np.array([1, 2], np.int16)
    same(ar.split(seed), tf.random.split(of([1, 2], tf.int64)))
    same(ar.fold_in(seed, np.uint8(9)), tf.random.fold_in([1, 2], of(9, tf.int64)))


def tensorflows_key(pair, epoch, id_):
    """DESIGN's recipe, in nothing but TensorFlow."""
    stream = tf.random.fold_in(tf.constant(pair, tf.int64), tf.constant(epoch, tf.int64))
    return tf.random.fold_in(stream, tf.constant(id_, tf.int64)).numpy()


@settings(max_examples=50, deadline=None)
@given(op_seed=int64s, epoch=int64s, ids=st.lists(int64s, min_size=1, max_size=3))
def test_keys_equal_the_plain_tensorflow_recipe(op_seed, epoch, ids):
    aug = ar.Compose([ar.RandomFlip(name="own", seed=op_seed), ar.RandomRotation(9)], seed=3)
    keys = aug.keys(ids, epoch)
    own = tf.compat.v1.random.get_seed(op_seed)
    digest = hashlib.sha256(b"random_rotation").digest()[:8]
    pair = tf.constant(tf.compat.v1.random.get_seed(3), tf.int64)
    named = tf.random.fold_in(pair, tf.constant(int.from_bytes(digest, "big", signed=True), tf.int64))
    for row, id_ in enumerate(ids):
        assert np.array_equal(keys["own"][row], tensorflows_key(own, epoch, id_))
        assert np.array_equal(keys["random_rotation"][row], tensorflows_key(named, epoch, id_))


def test_no_two_keys_of_forty_million_are_equal():
    flips = [ar.RandomFlip(name=name) for name in "abcd"]
    aug = ar.Compose(flips, seed=1)
    ids = tf.range(1_000_000, dtype=tf.int64)
    hashes = set()
    for epoch in range(10):
        for keys in aug.keys(ids, epoch).values():
            keys = keys.numpy()
            assert np.array_equal(keys[:, 1], ids)  # distinct within a stream: the id stays whole
            hashes.add(int(keys[0, 0]))
            assert (keys[:, 0] == keys[0, 0]).all()
    assert len(hashes) == 40  # and no two streams share their other half


def test_words_of_a_million_examples_are_distinct():
    keys = ar.Compose([ar.RandomFlip()], seed=1).keys(tf.range(1_000_000, dtype=tf.int64), 0)["random_flip"]
    for alg in ("philox", "threefry"):
        low, high = tf.unstack(tf.cast(ar.bits(keys, 2, alg=alg), tf.uint64), axis=-1)
        assert len(np.unique(low.numpy() << np.uint64(32) | high.numpy())) == 1_000_000


def test_scalar_and_batch_agree():
    aug = ar.Compose([ar.RandomFlip()], seed=1)
    batch = aug.keys([4, 5], [0, 9])["random_flip"]
    assert np.array_equal(batch[1], aug.keys(5, 9)["random_flip"])
    assert aug.keys(5, 9)["random_flip"].shape == (2,)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint32, np.int64, np.uint64])
def test_any_integer_dtype_gives_the_same_key(dtype):
    aug = ar.Compose([ar.RandomFlip()], seed=1)
    expected = aug.keys(100, 3)["random_flip"]
    assert np.array_equal(aug.keys(dtype(100), dtype(3))["random_flip"], expected)


def test_uint64_ids_keep_their_bits():
    aug = ar.Compose([ar.RandomFlip()], seed=1)
    keys = aug.keys(np.array([2**64 - 1], np.uint64), 0)["random_flip"]
    assert np.array_equal(keys, aug.keys([-1], 0)["random_flip"])


def test_string_ids_are_farmhash_fingerprints(rng):
    names = ["", "a", "train/0001.jpg", "ä/ö.png", "x" * 1000, *map(str, rng.integers(0, 10**9, 200))]
    ids = ar.string_ids(names)
    assert ids.dtype == tf.int64
    modulus = 2**63 - 1
    expected = tf.strings.to_hash_bucket_fast(names, modulus).numpy()
    assert [int(id_) % 2**64 % modulus for id_ in ids] == list(expected)
    assert ar.string_ids("a").shape == ()
    assert ar.string_ids([["a"], ["b"]]).shape == (2, 1)
    in_graph = next(iter(tf.data.Dataset.from_tensors("a").map(ar.string_ids)))
    assert int(in_graph) == int(ar.string_ids("a"))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ar.split([1, 2], 0), ValueError, "num: must be at least 1, got 0"),
        (lambda: ar.split([1, 2], 2.0), TypeError, "num: must be an integer, got 2.0"),
        (lambda: ar.split([1, 2], "a"), TypeError, "num: must be an integer, got 'a'"),
        (lambda: ar.fold_in([1, 2], 0.5), TypeError, "data: must hold integers, got float64"),
        (lambda: ar.fold_in([1], 0), ValueError, "seed: must have shape"),
        (lambda: ar.string_ids([1, 2]), TypeError, "strings: must hold strings, got int32"),
    ],
)
def test_bad_arguments_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
