"""Bytes of encoded images as numbers, in TensorFlow ops without state."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def when_needed(function: Callable[[tf.Tensor], tf.Tensor]) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function of one encoded image that is traced once, and made ready to run when it first runs.

    What rare files need would otherwise be made ready for each iterator of a dataset, in half a second.
    """
    signature = [tf.TensorSpec([], tf.string)]
    attributes = {"_noinline": True}
    return tf.function(function, signature, autograph=False, experimental_attributes=attributes)


def bytes_at(contents: tf.Tensor, start: Any, count: int) -> tf.Tensor:
    """`count` bytes from `start` on as int32, zeros where there are none."""
    part = substring(contents, start, count)
    return tf.cast(tf.io.decode_raw(part, tf.uint8, fixed_length=count), tf.int32)


def substring(contents: tf.Tensor, start: Any, length: Any) -> tf.Tensor:
    """Those of `length` bytes from `start` on that there are; a `start` outside gives none."""
    size = tf.strings.length(contents)
    inside = (start >= 0) & (start <= size)
    return tf.strings.substr(contents, tf.where(inside, start, size), tf.maximum(length, 0))


def big_endian(values: tf.Tensor) -> tf.Tensor:
    """The number that int32[..., n] bytes are, n <= 4, in two's complement where n is 4."""
    return tf.reduce_sum(values * [256**i for i in reversed(range(values.shape[-1]))], -1)


def little_endian(values: tf.Tensor) -> tf.Tensor:
    """The same with the lowest byte first."""
    return big_endian(values[..., ::-1])


def refused_if(reason: tf.Tensor, contents: tf.Tensor) -> tf.Tensor:
    """`contents`, to be had only if `reason`, a scalar string, is empty; else an error that quotes it.

    An Assert within a branch would make the dataset's iterator impossible to save. `string_to_number` has no
    state, and its error quotes what is no number.
    """
    number = tf.strings.to_number(tf.where(tf.equal(reason, ""), "0", reason), tf.int32)
    return tf.strings.substr(contents, number, tf.strings.length(contents))
