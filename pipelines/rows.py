"""One function for each row of a batch, on all cores."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def each(function: Callable[..., Any], *arguments: Any, rows: Any = None) -> Any:
    """`function` of each row of batches, on all cores, stacked again.

    Args:
      function: from one row of each argument to a tensor, or a list of tensors, of known shapes. What is a
        `tf.function` or `Kept` already is not traced again for rows of the same shapes.
      arguments: structures of tensors [N, ...]; rows of ragged tensors are tensors.
      rows: specs of rows, in a tuple, for which it is traced; those of the arguments if not given.

    Returns:
      A structure of tensors [N, ...].
    """
    if any(isinstance(part, tf.RaggedTensor) for part in tf.nest.flatten(arguments)):
        function, arguments = _of_dense(function, arguments)
    traceable: Any = function
    if not hasattr(function, "get_concrete_function"):
        traceable = tf.function(function, autograph=False)
    if rows is None:
        rows = tf.nest.map_structure(lambda part: tf.TensorSpec(part.shape[1:], part.dtype), arguments)
    traced = traceable.get_concrete_function(*rows)
    made = tf.nest.flatten(traced.structured_outputs)
    if not made:
        return traced.structured_outputs
    found = tf.raw_ops.MapDefun(
        arguments=tf.nest.flatten(arguments),
        captured_inputs=traced.captured_inputs,
        output_types=[one.dtype for one in made],
        output_shapes=[one.shape for one in made],
        f=getattr(traced, "f", traced),
        max_intra_op_parallelism=1,
    )
    return tf.nest.pack_sequence_as(traced.structured_outputs, found)


def lone(structure: Any) -> Any:
    """The only row of batches of one: one operation a tensor, where an index takes four."""
    return tf.nest.map_structure(lambda part: tf.squeeze(part, [0]), structure)


def batch_of(structure: Any) -> Any:
    """Batches of one, of one row."""
    return tf.nest.map_structure(lambda part: tf.expand_dims(part, 0), structure)


def _of_dense(function: Callable[..., Any], arguments: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """The same for rows of dense tensors alone: numbers to find ragged rows by, and the dense arguments."""
    parts = tf.nest.flatten(arguments)
    ragged = [isinstance(part, tf.RaggedTensor) for part in parts]
    dense = [part for part, is_ragged in zip(parts, ragged, strict=True) if not is_ragged]

    def of_row(number: tf.Tensor, *row: tf.Tensor) -> Any:
        given = iter(row)
        values = [part[number] if r else next(given) for part, r in zip(parts, ragged, strict=True)]
        return function(*tf.nest.pack_sequence_as(arguments, values))

    return of_row, (tf.range(tf.shape(dense[0])[0]), *dense)
