"""TensorFlow's seed rules: from a global and an op-level seed to one seed pair.

    global seed   op seed    the pair
    set           set        (global, op)
    set           not set    (global, picked by TensorFlow: the same in every run of the program)
    not set       set        (87654321, op)
    not set       not set    from the operating system; an error under `enable_op_determinism()`

The global seed is TensorFlow's own, as `tf.random.set_seed` or `keras.utils.set_random_seed` left it.
"""

import numbers
import os

import tensorflow as tf

SeedPair = tuple[int, int]
DEFAULT_GLOBAL_SEED = 87654321  # of an op seed alone


def get_seed(op_seed: int | None = None) -> SeedPair:
    """Resolves an op-level seed to the pair (global, op), as TensorFlow's own random ops do.

    This is `tf.compat.v1.random.get_seed`, and so reduces both seeds modulo 2**31 - 1 and gives
    (0, 2**31 - 1) in place of (0, 0). Only the last of its four cases differs: where TensorFlow
    answers (None, None), 128 bits of the operating system's entropy make the pair, so that an
    unseeded run can be recorded and repeated.

    Args:
      op_seed: an integer of any size, or None.

    Returns:
      Two Python integers that fit in int64.

    Raises:
      TypeError: if `op_seed` is neither an integer nor None.
      RuntimeError: if neither seed is set under `tf.config.experimental.enable_op_determinism()`.
    """
    if op_seed is not None:
        if not isinstance(op_seed, numbers.Integral) or isinstance(op_seed, bool):
            raise TypeError(f"seed: must be an integer or None, got {op_seed!r}")
        op_seed = int(op_seed)
    first, second = tf.compat.v1.random.get_seed(op_seed)
    if first is None:
        entropy = os.urandom(16)
        first = int.from_bytes(entropy[:8], "big", signed=True)
        second = int.from_bytes(entropy[8:], "big", signed=True)
    return int(first), int(second)


def seed_everything(seed: int) -> None:
    """Makes all of a program follow from one seed: run it first, before anything is built.

    This is `keras.utils.set_random_seed`: it seeds Python's `random`, NumPy's global generator and
    TensorFlow, and through it Keras' initialisers, dropout and shuffles, and each augrng recipe without a
    seed of its own. It turns on `tf.config.experimental.enable_op_determinism()` too, so that no op depends
    on the timing of threads.

    Keras draws the seeds of a model's layers from Python's generator when they are built. So whatever else
    draws from it before moves the weights, as TFDS does when it builds a dataset for the first time: prepare
    data first, or call this again just before the model is built.

    It cannot reach `numpy.random.default_rng()` without an argument, nor Python's order of sets of strings,
    which the environment variable PYTHONHASHSEED fixes before Python starts.

    Args:
      seed: an integer in [0, 2**32).

    Raises:
      TypeError: if the seed is not an integer.
      ValueError: if it is out of range.
    """
    if not isinstance(seed, numbers.Integral) or isinstance(seed, bool):
        raise TypeError(f"seed: must be an integer, got {seed!r}")
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed: must lie in [0, 2**32), got {seed}")
    tf.keras.utils.set_random_seed(int(seed))
    tf.config.experimental.enable_op_determinism()
