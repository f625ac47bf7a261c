"""Works on chunks of records such that one that fails stops the run with its id, or is left out.

TensorFlow's error of a failing map does not say which example it was, and `ignore_errors` leaves examples
out without a word. So a chunk is worked on as a whole, and if that fails, again one by one: numbered, so
that a gap in the numbers tells which failed. What TensorFlow said of it goes to its log. Errors of the
records themselves (a corrupt TFRecord) are not touched, and always stop the run.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

_WHY = "cannot be read, is truncated or corrupt, or is refused by the recipe (TensorFlow's log says which)"
_AT_ONCE = 2  # chunks: one alone leaves cores idle at its start and end; each uses all of them


def guarded(
    chunks: tf.data.Dataset,
    together: Callable[[Any], Any] | None,
    alone: Callable[[Any], Any],
    *,
    on_error: str,
    skipped: str | Path | None,
    num_parallel_calls: int,
) -> tf.data.Dataset:
    """`chunks.map(together)`, minding failures.

    Args:
      chunks: batches of records, dicts with "id", int64[N].
      together: makes a batch of results, or fails if one record fails; None to go one by one always, which
        may make results of several shapes.
      alone: makes one record's result; the same for each as `together`.
      on_error: "raise" or "skip"; see `pipelines.make_dataset`.
      skipped: a file for the ids that were skipped, or None for standard error.
      num_parallel_calls: how many chunks at once, or `tf.data.AUTOTUNE`.

    Returns:
      The batches of results, in the order of `chunks`; what failed is missing in its batch.
    """

    def work(chunk: Any) -> tf.data.Dataset:
        one_by_one = _one_by_one(chunk, alone, on_error, skipped)
        if together is None:
            return one_by_one
        whole = tf.data.Dataset.from_tensors(chunk).map(together).ignore_errors()
        return whole.concatenate(one_by_one).take(1)  # comes to the second only if the first gave nothing

    automatic = num_parallel_calls == tf.data.AUTOTUNE
    at_once = _AT_ONCE if automatic else num_parallel_calls
    return chunks.interleave(work, at_once, num_parallel_calls=at_once, deterministic=True)


def each(function: Callable[..., Any], *arguments: Any) -> Any:
    """`function` of each row of batches, on all cores, stacked again.

    Args:
      function: from one row of each argument to a tensor, or a list of tensors, of known shapes. What is a
        `tf.function` already is not traced again for rows of the same shapes.
      arguments: structures of tensors [N, ...]; rows of ragged tensors are tensors.

    Returns:
      A tensor [N, ...], or a list of them.
    """
    if any(isinstance(part, tf.RaggedTensor) for part in tf.nest.flatten(arguments)):
        function, arguments = _of_dense(function, arguments)
    traceable: Any = function
    if not isinstance(function, tf.types.experimental.PolymorphicFunction):
        traceable = tf.function(function, autograph=False)
    rows = tf.nest.map_structure(lambda part: tf.TensorSpec(part.shape[1:], part.dtype), arguments)
    traced = traceable.get_concrete_function(*rows)
    made = tf.nest.flatten(traced.structured_outputs)
    found = tf.raw_ops.MapDefun(
        arguments=tf.nest.flatten(arguments),
        captured_inputs=traced.captured_inputs,
        output_types=[one.dtype for one in made],
        output_shapes=[one.shape for one in made],
        f=traced,
        max_intra_op_parallelism=1,
    )
    return tf.nest.pack_sequence_as(traced.structured_outputs, found)


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


def _one_by_one(
    chunk: Any, alone: Callable[[Any], Any], on_error: str, skipped: str | Path | None
) -> tf.data.Dataset:
    """A batch of the results of those records that do not fail."""
    ids = chunk["id"]
    count = tf.size(ids, tf.int64)

    def result(number: tf.Tensor) -> tuple[tf.Tensor, Any]:
        return number, alone(tf.nest.map_structure(lambda part: part[number], chunk))

    results = tf.data.Dataset.range(count).map(result).ignore_errors(log_warning=True)
    checked = _stopped(results, ids) if on_error == "raise" else _reported(results, ids, skipped)
    return checked.ragged_batch(tf.maximum(count, 1))


@tf.autograph.experimental.do_not_convert  # nothing there to convert; looking takes 0.1 s and more
def _stopped(results: tf.data.Dataset, ids: tf.Tensor) -> tf.data.Dataset:
    """The results, or an error at the first gap in their numbers."""
    count = tf.size(ids, tf.int64)

    def checked(expected: tf.Tensor, element: tuple[tf.Tensor, Any]) -> tuple[tf.Tensor, Any]:
        number, result = element
        missing = ids[expected:number][:1]
        check = tf.debugging.Assert(tf.equal(number, expected), ["the example with id", missing, _WHY])
        with tf.control_dependencies([check]):
            return expected + 1, tf.nest.map_structure(tf.identity, result)

    # If nothing failed, `take` stops before the end mark.
    return _with_end(results, count).scan(tf.constant(0, tf.int64), checked).take(count)


@tf.autograph.experimental.do_not_convert  # nothing there to convert; looking takes 0.1 s and more
def _reported(results: tf.data.Dataset, ids: tf.Tensor, skipped: str | Path | None) -> tf.data.Dataset:
    """The results; the ids at gaps in their numbers are written down."""
    stream = sys.stderr if skipped is None else "file://" + os.path.abspath(skipped)
    prefix = "skipped example " if skipped is None else ""
    count = tf.size(ids, tf.int64)

    def noted(expected: tf.Tensor, element: tuple[tf.Tensor, Any]) -> tuple[tf.Tensor, Any]:
        number, result = element
        missing = ids[expected:number]
        lines = tf.strings.join([prefix, tf.strings.as_string(missing), f"\t{_WHY}\n"])

        def write() -> tf.Operation:
            return tf.print(tf.strings.reduce_join(lines), output_stream=stream, end="")

        with tf.control_dependencies([tf.cond(tf.size(missing) > 0, write, tf.no_op)]):
            return number + 1, (tf.identity(number), result)

    marked = _with_end(results, count).scan(tf.constant(0, tf.int64), noted)
    return marked.filter(lambda number, _: number < count).map(lambda _, result: result)


def _with_end(results: tf.data.Dataset, count: tf.Tensor) -> tf.data.Dataset:
    """The results, and an end mark of the same structure with the number `count`."""

    def empty(feature: Any) -> Any:
        shape = [side or 0 for side in feature.shape]
        if isinstance(feature, tf.RaggedTensorSpec):
            return tf.RaggedTensor.from_tensor(
                tf.zeros(shape, feature.dtype), ragged_rank=feature.ragged_rank
            )
        return tf.zeros(shape, feature.dtype)

    _, spec = results.element_spec
    end = tf.data.Dataset.from_tensors(count)
    return results.concatenate(end.map(lambda number: (number, tf.nest.map_structure(empty, spec))))
