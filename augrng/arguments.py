"""Turns what users pass into tensors of the one dtype and rank that the rest works with."""

import numbers
from typing import Any

import numpy as np
import tensorflow as tf

IMAGE_DTYPES = (tf.uint8, tf.uint16, tf.float16, tf.bfloat16, tf.float32, tf.float64)


def integers(value: Any, name: str) -> tf.Tensor:
    """Returns `value` as int64; uint64 keeps its 64 bits.

    Raises:
      TypeError: if the values are not integers.
      ValueError: if a Python integer does not fit in 64 bits.
    """
    if isinstance(value, (list, tuple)) and any(tf.is_tensor(item) for item in value):
        value = tf.stack(value)
    if not tf.is_tensor(value):
        value = np.asarray(value)
        if value.dtype == object and all(isinstance(item, numbers.Integral) for item in value.flat):
            raise ValueError(f"{name}: integers must fit in 64 bits, got {value.tolist()}")
        if value.size == 0 and value.dtype == np.float64:
            value = value.astype(np.int64)
        if value.dtype.kind not in "iu":
            raise TypeError(
                f"{name}: must hold integers, got {value.dtype.name}; augrng.string_ids makes ids of strings"
            )
        value = tf.constant(value)
    if not value.dtype.is_integer:
        raise TypeError(
            f"{name}: must hold integers, got {value.dtype.name}; augrng.string_ids makes ids of strings"
        )
    return tf.bitcast(value, tf.int64) if value.dtype == tf.uint64 else tf.cast(value, tf.int64)


def seeds(value: Any, name: str = "seed") -> tf.Tensor:
    """Returns one seed pair or a batch of them, int64[..., 2].

    Raises:
      TypeError: if the values are not integers.
      ValueError: if the last dimension is not 2.
    """
    value = integers(value, name)
    if value.shape.rank is None or value.shape.rank < 1 or value.shape[-1] != 2:
        raise ValueError(f"{name}: must have shape [..., 2] (two integers a seed), got {value.shape}")
    return value


def images(value: Any, name: str = "images") -> tf.Tensor:
    """Returns an image [H, W, C] or a batch [B, H, W, C] as a tensor.

    Raises:
      TypeError: if the dtype is not one of uint8, uint16, float16, bfloat16, float32, float64.
      ValueError: if the rank is not 3 or 4, or the number of channels is unknown or not 1 to 4.
    """
    value = tf.convert_to_tensor(value)
    if value.dtype not in IMAGE_DTYPES:
        names = ", ".join(dtype.name for dtype in IMAGE_DTYPES)
        raise TypeError(f"{name}: dtype must be one of {names}, got {value.dtype.name}; cast it first")
    if value.shape.rank not in (3, 4):
        raise ValueError(
            f"{name}: must have shape [H, W, C] or [B, H, W, C], got {value.shape}; "
            "add a channel axis to a grey image, and set the shape of a decoded one"
        )
    if value.shape[-1] not in (1, 2, 3, 4):
        raise ValueError(f"{name}: must have 1 to 4 channels, known when traced, got shape {value.shape}")
    return value


def algorithm(value: Any) -> str:
    """Returns `value` if it names a generator.

    Raises:
      ValueError: if it does not.
    """
    if value not in ("philox", "threefry"):
        raise ValueError(f'alg: must be "philox" or "threefry", got {value!r}')
    return value
