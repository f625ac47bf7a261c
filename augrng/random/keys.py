"""The algebra of keys.

  split       :: seed S[..., 2] -> n           -> seeds S[..., n, 2]
  fold_in     :: seed S[..., 2] -> data D[...] -> seed D[..., 2]
  example_key :: pair -> epoch -> id -> fold_in(fold_in(pair, epoch), id)
  named_pair  :: pair -> name -> fold_in(pair, name_hash(name))
  string_ids  :: string[...] -> int64[...]

`split` and `fold_in` give what `tf.random.split` and `tf.random.fold_in` give, dtype and value, for one seed
or a batch of them: S is int32 or int64, D int32, uint32, int64 or uint64. Python integers become what
TensorFlow makes of them, int32 where they fit. `fold_in(seed, data)` is (hash of seed, data): the data word
stays whole, and the hash has as many bits as it has. The keys of examples are int64 throughout, and the id is
folded in last, so no two examples of one stream share a key.
"""

import hashlib
from typing import Any

import tensorflow as tf

from augrng import arguments
from augrng.converting import unconverted
from augrng.random.bits import bits, first_two

_WORDS = (tf.int32, tf.uint32, tf.int64, tf.uint64)  # what TensorFlow makes of random bits


@unconverted
def split(seed: Any, num: Any = 2, *, alg: Any = "philox") -> tf.Tensor:
    """Derives `num` independent seeds from each seed, as `tf.random.split` does.

    Args:
      seed: int32[..., 2] or int64[..., 2], and Python integers as TensorFlow converts them; other integers
        convert to int64.
      num: how many, at least 1: an integer, or a scalar tensor whose value is known when traced.
      alg: "philox" or "threefry", or as `tf.random.split` takes it; "auto_select" is "philox".

    Returns:
      [..., num, 2] of the dtype of `seed`.

    Raises:
      TypeError: if `seed` or `num` does not hold integers.
      ValueError: if `seed` has not shape [..., 2], or `num` or `alg` is out of range.
    """
    seed = _as_tensorflow(seed, "seed", (tf.int32, tf.int64))
    num = arguments.count(num, "num")
    each = seed.dtype.size // 4
    words = bits(seed, 2 * each * num, alg=alg)
    words = _joined(words[..., 0::each], words[..., each - 1 :: each], seed.dtype)
    seeds = tf.reshape(words, tf.concat([tf.shape(words)[:-1], [num, 2]], 0))
    seeds.set_shape([*words.shape[:-1], num, 2])
    return seeds


@unconverted
def fold_in(seed: Any, data: Any, *, alg: Any = "philox") -> tf.Tensor:
    """Derives a seed from a seed and an integer, as `tf.random.fold_in` does.

    Args:
      seed: int64[..., 2]; any integers convert.
      data: int32, uint32, int64 or uint64 [...], broadcast against the leading dimensions of `seed`; Python
        integers as TensorFlow converts them; other integers convert to int64.
      alg: "philox" or "threefry", or as `tf.random.fold_in` takes it; "auto_select" is "philox".

    Returns:
      [..., 2] of the dtype of `data`: a hash of the seed, and `data` itself.

    Raises:
      TypeError: if `seed` or `data` does not hold integers.
      ValueError: if `seed` has not shape [..., 2], or `alg` is unknown.
    """
    data = _as_tensorflow(data, "data", _WORDS)
    hashed = _joined(*first_two(arguments.seeds(seed), arguments.algorithm(alg)), data.dtype)
    return tf.stack([hashed + tf.zeros_like(data), data + tf.zeros_like(hashed)], -1)


def _as_tensorflow(value: Any, name: str, dtypes: tuple[tf.DType, ...]) -> tf.Tensor:
    """Integers as TensorFlow converts them, of one of these dtypes, else int64."""
    checked = arguments.integers(value, name)
    if not tf.is_tensor(value):
        value = tf.convert_to_tensor(value) if tf.size(checked) else checked
    return value if value.dtype in dtypes else checked


def _joined(low: tf.Tensor, high: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Words of a dtype of 32 bits (the low ones) or 64, of two uint32 words each."""
    if dtype.size == 4:
        return tf.bitcast(low, dtype)
    low, high = tf.cast(low, tf.uint64), tf.cast(high, tf.uint64)
    return tf.bitcast(low | tf.bitwise.left_shift(high, tf.constant(32, tf.uint64)), dtype)


def name_hash(name: str) -> int:
    """The first 8 bytes of SHA-256 of a transform's name, as a big-endian signed integer."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def named_pair(pair: tuple[int, int], name: str, *, alg: str = "philox") -> tuple[int, int]:
    """The seed pair of the transform called `name`, from the pair of the whole, as Python integers."""
    with tf.init_scope():
        first, second = fold_in(pair, tf.constant(name_hash(name), tf.int64), alg=alg).numpy()
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
