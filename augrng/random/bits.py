"""Counter-based random bits, for one seed or a batch of them.

Contract
  bits :: seeds int64[..., 2] -> num_words -> uint32[..., num_words]

Word i of a seed is, bit for bit, word i of TensorFlow's
`tf.random.stateless_uniform(shape, seed, minval=None, maxval=None, dtype=tf.uint32, alg="philox")`.
Only integer operations are used, so eager, graph and XLA code give the same words on every device.
(TensorFlow's own op takes one seed at a time, and its float draws change under XLA.)

Threefry takes its key from the seed by one block more: key = block(seed[0], seed[1]), which is one to
one in seed[1]. Its words 2b and 2b + 1 are the low and the high half of element b of TensorFlow's XLA
op `StatelessRandomUniformFullIntV2(key=key, counter=0, alg=2, dtype=uint64)`.

Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011 (Philox4x32-10 and
Threefry2x32-20).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from augrng import arguments
from augrng.compiled import traced_once
from augrng.converting import unconverted

_PHILOX_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_PHILOX_WEYL = (0x9E3779B9, 0xBB67AE85)
_PHILOX_ROUNDS = 10
_SCRAMBLE_KEY = (0x3EC8F720, 0x02461E29)  # TensorFlow hashes a seed with this key first.

_THREEFRY_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_THREEFRY_PARITY = 0x1BD11BDA
_THREEFRY_ROUNDS = 20


@unconverted
def bits(seed: Any, num_words: Any, *, alg: Any = "philox") -> tf.Tensor:
    """Returns the first `num_words` random words of each seed.

    Args:
      seed: int64[..., 2], one seed pair or a batch of them; any integers convert.
      num_words: how many words, at least 1: an integer, or a scalar tensor. Word i does not depend on it.
      alg: "philox" (Philox4x32-10) or "threefry" (Threefry2x32-20), or as `tf.random.stateless_uniform`
        takes it: `tf.random.Algorithm`, 1, 2, 3; "auto_select" is "philox" on every device.

    Returns:
      uint32[..., num_words].

    Raises:
      TypeError: if `seed` or `num_words` does not hold integers.
      ValueError: if `seed` has not shape [..., 2], or `num_words` or `alg` is out of range.
    """
    seed = arguments.seeds(seed)
    num_words = arguments.count(num_words, "num_words", traced=True)
    blocks = _blocks(seed, num_words, arguments.algorithm(alg))
    # Stacked along the first axis and turned after: 4 times as fast on a CPU as along the last one, where
    # XLA computes a whole block for each of its words.
    words = tf.stack(blocks, 1)  # [blocks, words of a block, seeds]
    made = (words.shape[0] or tf.shape(words)[0]) * words.shape[1]
    words = tf.transpose(tf.reshape(words, [made, -1]))
    words = tf.reshape(words, tf.concat([tf.shape(seed)[:-1], [made]], 0))
    words = words if num_words is made else words[..., :num_words]
    words.set_shape([*seed.shape[:-1], None if tf.is_tensor(num_words) else num_words])
    return words


def first_two(seed: tf.Tensor, alg: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Words 0 and 1 of seeds int64[..., 2], uint32[...] each: cheaper than to cut them out of `bits`."""
    first, second, *_ = _blocks(seed, 2, alg)
    shape = tf.shape(seed)[:-1]
    return tf.reshape(first, shape), tf.reshape(second, shape)


def _blocks(seed: tf.Tensor, num_words: Any, alg: str) -> Sequence[tf.Tensor]:
    """The words of as many blocks as are needed, by place in the block, uint32[blocks, seeds] each."""
    generate = {"philox": _philox_words, "threefry": _threefry_words}[alg]
    return generate(_low_and_high(tf.reshape(seed, [-1, 2])), num_words)


def _philox_words(seed: tuple[tf.Tensor, tf.Tensor], num_words: int) -> Sequence[tf.Tensor]:
    (low_0, low_1), (high_0, high_1) = (tf.unstack(tf.cast(half, tf.uint64), axis=1) for half in seed)
    mixed = philox_block((low_0, high_0, low_1, high_1), _uint64(_SCRAMBLE_KEY))
    key, stream = mixed[:2], mixed[2:]
    block = _numbers(num_words, 4, tf.uint64)
    zero = tf.zeros_like(block) + (stream[0] & 0)  # zeros by name would be a constant of so many words
    counter = (block + zero, zero, stream[0] + zero, stream[1] + zero)
    return [tf.cast(word, tf.uint32) for word in philox_block(counter, key)]  # each [blocks, seeds]


def _numbers(num_words: Any, each: int, dtype: tf.DType) -> tf.Tensor:
    """The numbers of the blocks that hold so many words, [blocks, 1]."""
    if not tf.is_tensor(num_words):
        return tf.constant(np.arange(-(-num_words // each))[:, None], dtype)
    return tf.cast(tf.range(-(-num_words // each), dtype=tf.int64), dtype)[:, None]


@traced_once
def philox_block(counter: Sequence[tf.Tensor], key: Sequence[tf.Tensor]) -> Sequence[tf.Tensor]:
    """One Philox4x32-10 block: 4 counter words and 2 key words to 4 words.

    All are uint64 tensors that hold 32-bit values: a product of two needs the room.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    m0, m1 = _uint64(_PHILOX_MULTIPLIERS)
    w0, w1 = _uint64(_PHILOX_WEYL)
    mask = tf.constant(0xFFFFFFFF, tf.uint64)
    for _ in range(_PHILOX_ROUNDS):
        product0, product1 = m0 * c0, m1 * c2
        c0 = _shift_right(product1, 32) ^ c1 ^ k0
        c2 = _shift_right(product0, 32) ^ c3 ^ k1
        c1, c3 = product1 & mask, product0 & mask
        k0, k1 = (k0 + w0) & mask, (k1 + w1) & mask
    return c0, c1, c2, c3


def _threefry_words(seed: tuple[tf.Tensor, tf.Tensor], num_words: int) -> Sequence[tf.Tensor]:
    (low_0, low_1), (high_0, high_1) = (tf.unstack(half, axis=1) for half in seed)
    key = threefry_block((low_1, high_1), (low_0, high_0))
    block = _numbers(num_words, 2, tf.uint32)
    zero = tf.zeros_like(block) + (key[0] & 0)
    return threefry_block((block + zero, zero), key)  # each [blocks, seeds]


@traced_once
def threefry_block(counter: Sequence[tf.Tensor], key: Sequence[tf.Tensor]) -> Sequence[tf.Tensor]:
    """One Threefry2x32-20 block: 2 counter words and 2 key words to 2 words, all uint32."""
    schedule = [*key, key[0] ^ key[1] ^ tf.constant(_THREEFRY_PARITY, tf.uint32)]
    x0, x1 = counter[0] + schedule[0], counter[1] + schedule[1]
    for group in range(_THREEFRY_ROUNDS // 4):
        for rotation in _THREEFRY_ROTATIONS[group % 2]:
            x0 = x0 + x1
            x1 = _rotate_left(x1, rotation) ^ x0
        x0 = x0 + schedule[(group + 1) % 3]
        x1 = x1 + schedule[(group + 2) % 3] + tf.constant(group + 1, tf.uint32)
    return x0, x1


def _low_and_high(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The two 32-bit halves of int64 values, as uint32."""
    x = tf.bitcast(x, tf.uint64)
    mask = tf.constant(0xFFFFFFFF, tf.uint64)
    return tf.cast(x & mask, tf.uint32), tf.cast(_shift_right(x, 32), tf.uint32)


def _rotate_left(x: tf.Tensor, count: int) -> tf.Tensor:
    return tf.bitwise.left_shift(x, tf.constant(count, tf.uint32)) | _shift_right(x, 32 - count)


def _shift_right(x: tf.Tensor, count: int) -> tf.Tensor:
    return tf.bitwise.right_shift(x, tf.constant(count, x.dtype))


def _uint64(values: Sequence[int]) -> list[tf.Tensor]:
    return [tf.constant(value, tf.uint64) for value in values]
