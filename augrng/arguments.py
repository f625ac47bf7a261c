"""Turns what users pass into tensors of the one dtype and rank that the rest works with."""

import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

IMAGE_DTYPES = (
    *(tf.uint8, tf.uint16, tf.uint32, tf.uint64, tf.int8, tf.int16, tf.int32, tf.int64, tf.bool),
    *(tf.float16, tf.bfloat16, tf.float32, tf.float64),
)


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
      TypeError: if the dtype is none of integers, bool, float16, bfloat16, float32, float64.
      ValueError: if the rank is not 3 or 4, or the number of channels is unknown or 0.
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
    if not value.shape[-1]:
        raise ValueError(f"{name}: must have channels, as many as known when traced, got shape {value.shape}")
    return value


def algorithm(value: Any) -> str:
    """Returns `value` if it names a generator.

    Raises:
      ValueError: if it does not.
    """
    if value not in ("philox", "threefry"):
        raise ValueError(f'alg: must be "philox" or "threefry", got {value!r}')
    return value


def examples(ids: Any, epoch: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns ids, int64[] or int64[B], and epochs, int64[] or int64[B].

    Raises:
      TypeError: if they are not integers.
      ValueError: if the shapes are wrong.
    """
    ids, epoch = integers(ids, "ids"), integers(epoch, "epoch")
    if ids.shape.rank not in (0, 1):
        raise ValueError(f"ids: must be a scalar or have shape [B], got {ids.shape}")
    if epoch.shape.rank != 0 and not (epoch.shape.rank == ids.shape.rank == 1):
        raise ValueError(f"epoch: must be a scalar or have the shape of ids, got {epoch.shape}")
    if epoch.shape.rank == 1 and not epoch.shape.is_compatible_with(ids.shape):
        raise ValueError(f"epoch: must be a scalar or have the shape of ids {ids.shape}, got {epoch.shape}")
    return ids, epoch


def params(value: Any, names: Sequence[str], images: tf.Tensor) -> list[dict[str, tf.Tensor]]:
    """Returns params as tensors [B] in the order of `names`, for checked images.

    Raises:
      ValueError: if the names are others, or a shape is not that of a param of these images.
    """
    if not isinstance(value, Mapping) or set(value) != set(names):
        got = sorted(value) if isinstance(value, Mapping) else repr(value)
        raise ValueError(f"params: must be a dict with the keys {sorted(names)}, got {got}")
    drawn = tf.nest.map_structure(tf.convert_to_tensor, [dict(value[name]) for name in names])
    for name, group in zip(names, drawn, strict=True):
        for key, tensor in group.items():
            if not tensor.shape.is_compatible_with(images.shape[:-3]):
                raise ValueError(
                    f"params: {name}/{key} must have shape {images.shape[:-3]} for images of shape "
                    f"{images.shape}, got {tensor.shape}"
                )
    return drawn if images.shape.rank == 4 else tf.nest.map_structure(lambda tensor: tensor[None], drawn)
