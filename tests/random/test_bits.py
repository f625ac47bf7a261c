"""Random words against the published vectors and against TensorFlow's own generators."""

import numpy as np
import pytest
import tensorflow as tf

import augrng as ar
from augrng.random.bits import philox_block, threefry_block

# From the authors' Random123 distribution, kat_vectors: counter, key, result.
PHILOX4X32_10 = [
    ("00000000 " * 4, "00000000 " * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff " * 4, "ffffffff " * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]
THREEFRY2X32_20 = [
    ("00000000 " * 2, "00000000 " * 2, "6b200159 99ba4efe"),
    ("ffffffff " * 2, "ffffffff " * 2, "1cb996fc bb002be7"),
    ("243f6a88 85a308d3", "13198a2e 03707344", "c4923a9c 483df7a0"),
]
CORNERS = [0, 1, -1, 2**31, -(2**31), 2**32 - 1, 2**63 - 1, -(2**63)]
MODES = {
    "eager": lambda function: function,
    "graph": lambda function: tf.function(function),
    "xla": lambda function: tf.function(function, jit_compile=True),
}


def words(text, dtype):
    return [tf.constant(int(word, 16), dtype) for word in text.split()]


def random_seeds(rng, count):
    seeds = rng.integers(-(2**63), 2**63, (count, 2), dtype=np.int64)
    corners = np.array([(a, b) for a in CORNERS for b in CORNERS], np.int64)
    return np.concatenate([corners, seeds])


@pytest.mark.parametrize(("counter", "key", "result"), PHILOX4X32_10)
def test_philox_passes_the_known_answers(counter, key, result):
    block = philox_block(words(counter, tf.uint64), words(key, tf.uint64))
    assert [int(word) for word in block] == [int(word, 16) for word in result.split()]


@pytest.mark.parametrize(("counter", "key", "result"), THREEFRY2X32_20)
def test_threefry_passes_the_known_answers(counter, key, result):
    block = threefry_block(words(counter, tf.uint32), words(key, tf.uint32))
    assert [int(word) for word in block] == [int(word, 16) for word in result.split()]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("num", [1, 4, 7])
def test_words_equal_tensorflows(rng, mode, num):
    seeds = random_seeds(rng, 100)
    ours = MODES[mode](lambda seed: ar.bits(seed, num))(tf.constant(seeds))
    expected = [
        tf.random.stateless_uniform([num], seed, minval=None, maxval=None, dtype=tf.uint32, alg="philox")
        for seed in seeds
    ]
    assert ours.dtype == tf.uint32
    assert np.array_equal(ours, expected)


@pytest.mark.parametrize("mode", MODES)
def test_threefry_words_equal_tensorflows_xla_op(rng, mode):
    seeds = random_seeds(rng, 20)
    ours = MODES[mode](lambda seed: ar.bits(seed, 9, alg="threefry"))(tf.constant(seeds)).numpy()

    @tf.function(jit_compile=True)
    def block(key, counter, num):
        return tf.raw_ops.StatelessRandomUniformFullIntV2(
            shape=[num], key=key[None], counter=counter[None], alg=2, dtype=tf.uint64
        )

    for seed, row in zip(seeds.view(np.uint64), ours, strict=True):
        key = block(tf.constant(seed[0]), tf.constant(seed[1]), 1)[0]
        expected = block(key, tf.constant(0, tf.uint64), 5).numpy().view(np.uint32)
        assert np.array_equal(row, expected[:9])


def test_a_word_does_not_depend_on_how_many_are_asked_for():
    for alg in ("philox", "threefry"):
        many = ar.bits([3, 4], 1000, alg=alg).numpy()
        assert np.array_equal(ar.bits([3, 4], 5, alg=alg), many[:5])


ALGORITHMS = [
    tf.random.Algorithm.PHILOX,
    tf.random.Algorithm.AUTO_SELECT,
    "PHILOX",
    "auto_select",
    " Auto-Select",
    1,
    3,
    None,
]


@pytest.mark.parametrize("alg", ALGORITHMS, ids=str)
def test_the_algorithm_is_named_as_for_tensorflow(alg):
    expected = tf.random.stateless_uniform([5], [3, -4], None, None, tf.uint32, alg=alg)
    assert np.array_equal(ar.bits([3, -4], 5, alg=alg), expected)
    assert np.array_equal(ar.split([3, -4], 2, alg=alg), tf.random.split([3, -4], 2, alg=alg or 1))
    aug = ar.Compose([ar.RandomFlip()], seed=1, alg=alg)
    assert aug == ar.from_json(aug.to_json()) == ar.Compose([ar.RandomFlip()], seed=1)


@pytest.mark.parametrize("alg", [tf.random.Algorithm.THREEFRY, "ThreeFry", 2, tf.constant(2)], ids=str)
def test_threefry_is_named_as_for_tensorflow(alg):
    assert np.array_equal(ar.bits([3, -4], 5, alg=alg), ar.bits([3, -4], 5, alg="threefry"))


def test_the_number_of_words_may_be_a_tensor():
    some = tf.function(lambda seed, num: ar.bits(seed, num))
    seeds = tf.constant([[3, 4], [5, -6]], tf.int64)
    for num in (1, 4, 9):
        expected = [tf.random.stateless_uniform([num], s, None, None, tf.uint32) for s in seeds]
        assert np.array_equal(some(seeds, tf.constant(num)), expected)
    assert ar.bits([3, 4], np.int32(5)).shape == ar.bits([3, 4], tf.constant(5)).shape == (5,)


def test_batches_of_any_rank():
    seeds = np.arange(24).reshape(3, 4, 2)
    batch = ar.bits(seeds, 6)
    assert batch.shape == (3, 4, 6)
    assert np.array_equal(batch[2, 1], ar.bits(seeds[2, 1], 6))
    assert ar.bits(np.zeros([0, 2], np.int64), 3).shape == (0, 3)


@pytest.mark.parametrize(
    ("seed", "num", "alg", "error", "message"),
    [
        ([1, 2, 3], 1, "philox", ValueError, r"seed: must have shape \[\.\.\., 2\].*got \(3,\)"),
        (5, 1, "philox", ValueError, "seed: must have shape"),
        ([1.0, 2.0], 1, "philox", TypeError, "seed: must hold integers, got float64"),
        ([2**64, 0], 1, "philox", ValueError, "seed: integers must fit in 64 bits"),
        ([1, 2], 0, "philox", ValueError, "num_words: must be at least 1, got 0"),
        ([1, 2], 2.0, "philox", TypeError, "num_words: must be an integer, got 2.0"),
        ([1, 2], 1, 4, ValueError, "alg: must be .*got 4"),
        ([1, 2], 1, True, ValueError, "alg: must be .*got True"),
        ([1, 2], 1, "xorshift", ValueError, 'alg: must be "philox", "threefry", .*got .xorshift.'),
    ],
)
def test_bad_arguments_are_refused(seed, num, alg, error, message):
    with pytest.raises(error, match=message):
        ar.bits(seed, num, alg=alg)
