"""Rows of an example that differ in number: as they come, as dense tensors to work on, and as they go."""

from typing import Any

import tensorflow as tf

_LEAST = 3  # log2 of the rows that a program works on, so that few programs serve all numbers


def batched(value: Any, name: str, single: bool) -> tf.Tensor:
    """Rows of one example, of a batch, or of a ragged batch, as a dense tensor [B, N, ...].

    What pads a ragged batch is zero, or the empty string.

    Raises:
      ValueError: if they are ragged in another axis than the one after B, or of unknown rank.
    """
    if not isinstance(value, tf.RaggedTensor):
        value = tf.convert_to_tensor(value)
        if value.shape.rank is None:
            raise ValueError(f"{name}: must have a known rank, got {value}")
        return value[None] if single else value
    if single or value.ragged_rank != 1:
        raise ValueError(f"{name}: only the axis after that of a batch may be ragged, got {value.shape}")
    return value.to_tensor()


def as_given(value: tf.Tensor, given: Any, single: bool) -> Any:
    """Dense rows [B, N, ...], all of them, in the form that `given` has."""
    if isinstance(given, tf.RaggedTensor):
        return tf.RaggedTensor.from_tensor(value, given.row_lengths())
    return value[0] if single else value


def present(given: Any, dense: tf.Tensor) -> tf.Tensor:
    """bool[B, N]: which rows of a dense tensor are there, and do not pad a ragged one."""
    if isinstance(given, tf.RaggedTensor):
        return tf.sequence_mask(given.row_lengths(), tf.shape(dense)[1])
    return tf.ones(tf.shape(dense)[:2], tf.bool)


def rounded_up(dense: tf.Tensor) -> tf.Tensor:
    """[B, N, ...] with rows of zeros up to a power of two, where N is not known when traced or may change."""
    count = dense.shape[1]
    if count is not None and not tf.executing_eagerly():
        return dense
    count = tf.shape(dense)[1]
    powers = tf.constant([1 << power for power in range(_LEAST, 31)])
    target = tf.reduce_min(tf.where(powers >= count, powers, powers[-1]))
    return tf.pad(dense, [[0, 0], [0, target - count], *[[0, 0]] * (dense.shape.rank - 2)])


def left(value: tf.Tensor, keep: tf.Tensor, most: int | None, single: bool, pad: tf.Tensor) -> Any:
    """The rows of [B, N, ...] that are kept, in their order.

    Args:
      value: the rows.
      keep: bool[B, N], which of them.
      most: how many there are to be, the rest padded; None for as many as there are: a batch is ragged then.
      single: whether it is one example, which comes out without the dimension B.
      pad: what stands in rows that are not there.
    """
    if most is None:
        return tf.boolean_mask(value[0], keep[0]) if single else tf.ragged.boolean_mask(value, keep)
    shape = tf.shape(value)
    rows = tf.concat([value, tf.fill(tf.concat([shape[:1], [most], shape[2:]], 0), pad)], 1)
    kept = tf.concat([keep, tf.zeros(tf.stack([shape[0], most]), tf.bool)], 1)
    places = tf.argsort(tf.cast(~kept, tf.int32), axis=1, stable=True)[:, :most]
    holds = tf.gather(kept, places, batch_dims=1)
    holds = tf.reshape(holds, tf.concat([tf.shape(holds), [1] * (value.shape.rank - 2)], 0))
    out = tf.where(holds, tf.gather(rows, places, batch_dims=1), pad)
    out = tf.ensure_shape(out, [value.shape[0], most, *value.shape[2:]])
    return out[0] if single else out


def padding(dtype: tf.DType) -> tf.Tensor:
    """What stands in rows that are not there: -1 for signed numbers (labels), else 0, "" or False."""
    if dtype == tf.string:
        return tf.constant("")
    signed = dtype.is_floating or (dtype.is_integer and not dtype.is_unsigned)
    return tf.cast(-1 if signed else 0, dtype)
