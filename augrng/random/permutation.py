"""A permutation of 0 to size - 1 for every key, each of its places computed by itself.

  permutation :: index int64[...] -> size -> key int64[..., 2] -> int64[...]
  schedule    :: key int64[..., 2] -> size -> what `permuted` needs of a key [..., W]
  permuted    :: index int64[...] -> size -> schedule [..., W] -> int64[...]

No place depends on another, nothing is stored, and integer operations alone are used, so eager, graph and XLA
code give the same values on every device.

  size <= 64  Feistel networks are weak on few values. A key's first 2 * size words make `size` numbers of
              64 bits (low word first), and place i holds the rank of number i: all orders are equally likely.
  above       A Feistel network of 12 rounds on the pairs (left, right), left < a, right < b, that are a
              number left * b + right; a * b >= size. A round makes of (left, right)

                  (right, (left + (high32(splitmix(seed, right)) * m >> 32)) mod m),   m = a, b, a, ...

              where seed is the round's number of 64 bits of the key's words, and splitmix(seed, i) the i-th
              output of SplitMix64 from that seed. What comes out at or above `size` goes through again (cycle
              walking); a and b are chosen such that this is rare.

Of 4, 6, 8 and 10 rounds, 10 are the first at which pairs, fixed points and successors that are kept showed
nothing over 200,000 keys for sizes 33 to 257; 12 leave a margin.

Sources: Black & Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002 (generalised Feistel network,
cycle walking); Steele, Lea & Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
"""

import functools
import math
from typing import Any

import numpy as np
import tensorflow as tf

from augrng import arguments
from augrng.random.bits import bits

MAX_SIZE = 2**40
_ROUNDS = 12  # even, so that the halves end where they began
_RANKED = 64  # sizes up to here are ranked
_CANDIDATES = 1024  # sides looked at
_GAMMA, _MIX_1, _MIX_2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB  # SplitMix64's


def permutation(index: Any, size: int, key: Any) -> tf.Tensor:
    """The value at places of the permutation that belongs to a key.

    Args:
      index: int64[...], the places; taken modulo `size`.
      size: how many values there are, a Python integer in 1 to 2**40.
      key: int64[..., 2], one for all places or one for each; leading dimensions broadcast.

    Returns:
      int64[...] in [0, size). For one key and size no two places hold the same value.

    Raises:
      TypeError: if `index` or `key` does not hold integers.
      ValueError: if `size` is out of range or `key` has not shape [..., 2].
    """
    return permuted(arguments.integers(index, "index") % _checked(size), size, schedule(key, size))


def schedule(key: Any, size: int) -> tf.Tensor:
    """What `permuted` needs of keys int64[..., 2]: all values int64[..., size], or seeds uint64[..., 12]."""
    if _checked(size) > _RANKED:
        return _numbers(arguments.seeds(key), _ROUNDS)
    numbers = _numbers(arguments.seeds(key), size)
    mine, others = numbers[..., :, None], numbers[..., None, :]
    earlier = np.tri(size, k=-1, dtype=bool)  # breaks ties
    before = (others < mine) | (tf.equal(others, mine) & earlier)
    return tf.reduce_sum(tf.cast(before, tf.int64), -1)


def permuted(index: tf.Tensor, size: int, scheduled: tf.Tensor) -> tf.Tensor:
    """`permutation` of int64[...] in [0, size) from the `schedule` of its keys."""
    if size <= _RANKED:
        here = tf.equal(index[..., None], tf.range(size, dtype=tf.int64))
        return tf.reduce_sum(tf.where(here, scheduled, 0), -1)
    a, b = _sides(size)
    seeds = tf.unstack(scheduled, _ROUNDS, axis=-1)
    value = tf.cast(index, tf.uint64) + tf.zeros_like(seeds[0])
    value = _feistel(value, a, b, seeds)
    if a * b > size:
        end = _uint64(size)
        (value,) = tf.while_loop(
            lambda value: tf.reduce_any(value >= end),
            lambda value: (tf.where(value >= end, _feistel(value, a, b, seeds), value),),
            (value,),
        )
    return tf.cast(value, tf.int64)


def _feistel(value: tf.Tensor, a: int, b: int, seeds: list[tf.Tensor]) -> tf.Tensor:
    """A permutation of [0, a * b), uint64[...]."""
    left, right = value // _uint64(b), value % _uint64(b)
    for number, seed in enumerate(seeds):
        limit = _uint64((a, b)[number % 2])
        drawn = _shift_right(_shift_right(_splitmix(seed, right), 32) * limit, 32)
        total = left + drawn
        left, right = right, tf.minimum(total, total - limit)  # below 0 wraps round to the larger of the two
    return left * _uint64(b) + right


def _splitmix(seed: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
    """Output number `place` of SplitMix64, counted from 0."""
    z = seed + (place + _uint64(1)) * _uint64(_GAMMA)
    z = (z ^ _shift_right(z, 30)) * _uint64(_MIX_1)
    z = (z ^ _shift_right(z, 27)) * _uint64(_MIX_2)
    return z ^ _shift_right(z, 31)


@functools.lru_cache(maxsize=256)
def _sides(size: int) -> tuple[int, int]:
    """a <= b, both near the square root, with the smallest a * b >= size."""
    root = math.isqrt(size - 1) + 1
    a = np.arange(root, max(root * 3 // 4, root - _CANDIDATES), -1, dtype=np.int64)
    b = -(-size // a)
    best = int(np.argmin(a * b))
    return int(a[best]), int(b[best])


def _numbers(key: tf.Tensor, count: int) -> tf.Tensor:
    """uint64[..., count] of two words of a key each, the low one first."""
    words = tf.cast(bits(key, 2 * count), tf.uint64)
    return words[..., 0::2] | tf.bitwise.left_shift(words[..., 1::2], _uint64(32))


def _checked(size: int) -> int:
    if not 1 <= size <= MAX_SIZE:
        raise ValueError(f"size: must lie in 1 to 2**40, got {size}")
    return size


def _shift_right(x: tf.Tensor, count: int) -> tf.Tensor:
    return tf.bitwise.right_shift(x, _uint64(count))


def _uint64(value: int) -> tf.Tensor:
    return tf.constant(value, tf.uint64)
