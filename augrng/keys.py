"""The algebra of keys.

  split       :: seed int64[..., 2] -> n           -> seeds int64[..., n, 2]
  fold_in     :: seed int64[..., 2] -> data int64[...] -> seed int64[..., 2]
  example_key :: pair -> epoch -> id -> fold_in(fold_in(pair, epoch), id)
  named_pair  :: pair -> name -> fold_in(pair, name_hash(name))
  string_ids  :: string[...] -> int64[...]

`split` and `fold_in` give what `tf.random.split` and `tf.random.fold_in` give for int64 arguments, for
one seed or a batch of them. `fold_in(seed, data)` is (hash of seed, data): the data word stays whole.
The id is folded in last, so no two examples of one stream share a key.
"""

import hashlib
from typing import Any

import tensorflow as tf

from augrng import arguments
from augrng.bits import bits, first_two


def split(seed: Any, num: int = 2, *, alg: str = "philox") -> tf.Tensor:
    """Derives `num` independent seeds from each seed, as `tf.random.split` does.

    Args:
      seed: int64[..., 2]; any integers convert.
      num: how many, a Python integer of at least 1.
      alg: "philox" or "threefry".

    Returns:
      int64[..., num, 2].

    Raises:
      TypeError: if `seed` does not hold integers.
      ValueError: if `seed` has not shape [..., 2], or `num` or `alg` is out of range.
    """
    if num < 1:
        raise ValueError(f"num: must be at least 1, got {num}")
    words = bits(arguments.seeds(seed), 4 * num, alg=alg)
    words = _int64(words[..., 0::2], words[..., 1::2])
    seeds = tf.reshape(words, tf.concat([tf.shape(words)[:-1], [num, 2]], 0))
    seeds.set_shape([*words.shape[:-1], num, 2])
    return seeds


def fold_in(seed: Any, data: Any, *, alg: str = "philox") -> tf.Tensor:
    """Derives a seed from a seed and an integer, as `tf.random.fold_in` does for int64 data.

    Args:
      seed: int64[..., 2]; any integers convert.
      data: int64[...], broadcast against the leading dimensions of `seed`; any integers convert.
      alg: "philox" or "threefry".

    Returns:
      int64[..., 2]: a 64-bit hash of the seed, and `data` itself.

    Raises:
      TypeError: if `seed` or `data` does not hold integers.
      ValueError: if `seed` has not shape [..., 2], or `alg` is unknown.
    """
    hashed = _int64(*first_two(arguments.seeds(seed), alg))
    data = arguments.integers(data, "data")
    return tf.stack([hashed + tf.zeros_like(data), data + tf.zeros_like(hashed)], -1)


def _int64(low: tf.Tensor, high: tf.Tensor) -> tf.Tensor:
    """int64 words of two uint32 words each."""
    low, high = tf.cast(low, tf.uint64), tf.cast(high, tf.uint64)
    return tf.bitcast(low | tf.bitwise.left_shift(high, tf.constant(32, tf.uint64)), tf.int64)


def name_hash(name: str) -> int:
    """The first 8 bytes of SHA-256 of a transform's name, as a big-endian signed integer."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def named_pair(pair: tuple[int, int], name: str, *, alg: str = "philox") -> tuple[int, int]:
    """The seed pair of the transform called `name`, from the pair of the whole, as Python integers."""
    with tf.init_scope():
        first, second = fold_in(pair, name_hash(name), alg=alg).numpy()
    return int(first), int(second)


def string_ids(strings: Any) -> tf.Tensor:
    """Stable 64-bit ids of strings, such as `tfds_id`s or relative paths.

    The id is FarmHash Fingerprint64 of the UTF-8 bytes, through `tf.fingerprint`, read as a signed
    little-endian integer. It is the same on every machine and in every version.

    Args:
      strings: a string tensor of any shape, a string or a list of strings.

    Returns:
      int64 of the same shape.

    Raises:
      TypeError: if `strings` does not hold strings.
    """
    strings = tf.convert_to_tensor(strings)
    if strings.dtype != tf.string:
        raise TypeError(f"strings: must hold strings, got {strings.dtype.name}; integers are ids already")
    digest = tf.fingerprint(tf.reshape(strings, [-1]))
    return tf.reshape(tf.bitcast(digest, tf.int64), tf.shape(strings))
