"""From random words to decisions, in integers only.

  uniform   :: word -> u23: the numerator of u = u23 / 2**23 in [0, 1)
  bernoulli :: word -> p -> bool
  integers  :: word -> limit -> an integer in [0, limit)
  between   :: word -> low -> high -> an integer in [low, high]

Words are uint32[...]. One word makes one draw, so the number of draws never depends on what was drawn.
"""

from typing import Any

import tensorflow as tf

UNIFORM_BITS = 23
_INT32_MAX = 2**31 - 1


def uniform(word: tf.Tensor) -> tf.Tensor:
    """int64[...] u23 in [0, 2**23), the low 23 bits of the word.

    u23 / 2**23 is the float32 that `tf.random.stateless_uniform` makes of the same word on CPU and GPU.
    """
    return tf.cast(word & tf.constant(2**UNIFORM_BITS - 1, tf.uint32), tf.int64)


def bernoulli(word: tf.Tensor, p: float) -> tf.Tensor:
    """bool[...], true with probability `p` (to within 2**-24): u < p.

    For p = 1/2 this is TensorFlow's decision to flip: bit 22 of the word is clear.
    """
    return uniform(word) < round(p * 2**UNIFORM_BITS)


def integers(word: tf.Tensor, limit: Any) -> tf.Tensor:
    """int64[...] in [0, limit): (word mod 2**31 - 1) mod limit, TensorFlow's draw of a crop offset.

    `limit` is at least 1 and broadcasts. The bias is below limit / 2**31.
    """
    return tf.cast(word, tf.int64) % _INT32_MAX % tf.cast(limit, tf.int64)


def between(word: tf.Tensor, low: int, high: int) -> tf.Tensor:
    """int64[...], low + floor(u * (high - low)): a fixed-point number uniform in [low, high).

    `low` <= `high`; their difference is below 2**40.
    """
    return low + tf.bitwise.right_shift(uniform(word) * (high - low), tf.constant(UNIFORM_BITS, tf.int64))
