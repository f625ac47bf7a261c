"""TensorFlow's four-case table, with `tf.compat.v1.random.get_seed` itself as the oracle."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import augrng as ar

CORNERS = [0, 1, 7, -1, -7, 2**31 - 2, 2**31 - 1, 2**31, 2**63 - 1, -(2**63), 2**70]


@pytest.mark.parametrize("op_seed", CORNERS)
@pytest.mark.parametrize("global_seed", [0, 5, -3, 2**31 - 1, 2**40])
def test_global_and_op_seed_make_the_pair(global_seed, op_seed):
    tf.random.set_seed(global_seed)
    assert ar.get_seed(op_seed) == tf.compat.v1.random.get_seed(op_seed)


def test_pair_of_zeros_is_replaced():
    tf.random.set_seed(0)
    assert ar.get_seed(0) == (0, 2**31 - 1)


@pytest.mark.parametrize("op_seed", CORNERS)
def test_op_seed_alone_goes_with_the_default_global_seed(op_seed):
    assert ar.get_seed(op_seed) == (87654321, op_seed % (2**31 - 1))
    assert ar.get_seed(op_seed) == tf.compat.v1.random.get_seed(op_seed)


def test_global_seed_alone_picks_the_op_seeds_that_tensorflow_picks():
    tf.random.set_seed(11)
    expected = [tf.compat.v1.random.get_seed(None) for _ in range(5)]
    tf.random.set_seed(11)
    assert [ar.get_seed() for _ in range(5)] == expected
    assert len(set(expected)) == 5


def test_global_seed_of_keras_is_tensorflows():
    keras.utils.set_random_seed(12)
    first = ar.get_seed()
    tf.random.set_seed(12)
    assert ar.get_seed() == first


def test_global_seed_alone_inside_a_graph():
    with tf.Graph().as_default():
        tf.compat.v1.set_random_seed(3)
        expected = [tf.compat.v1.random.get_seed(None) for _ in range(2)]
    with tf.Graph().as_default():
        tf.compat.v1.set_random_seed(3)
        assert [ar.get_seed() for _ in range(2)] == expected


def test_no_seed_is_entropy_and_recorded():
    pairs = {ar.get_seed() for _ in range(100)}
    assert len(pairs) == 100
    assert all(-(2**63) <= word < 2**63 for pair in pairs for word in pair)
    unseeded = ar.Compose([ar.RandomRotation(30)])
    again = ar.from_json(unseeded.to_json())
    assert again == unseeded
    assert again != ar.Compose([ar.RandomRotation(30)])
    ids = np.arange(9)
    assert np.array_equal(
        again.sample(ids, 0, [8, 8])["random_rotation"]["angle"],
        unseeded.sample(ids, 0, [8, 8])["random_rotation"]["angle"],
    )


def test_no_seed_is_an_error_under_op_determinism():
    tf.config.experimental.enable_op_determinism()
    ar.get_seed(3)
    ar.Compose([ar.RandomFlip(seed=4)])
    with pytest.raises(RuntimeError, match="seed"):
        ar.Compose([ar.RandomFlip()])


@pytest.mark.parametrize("op_seed", [1.0, "1", True, [1]])
def test_a_seed_that_is_no_integer_is_refused(op_seed):
    with pytest.raises(TypeError, match="seed: must be an integer or None"):
        ar.get_seed(op_seed)
