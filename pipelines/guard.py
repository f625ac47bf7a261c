"""Maps a function over records such that one that fails stops the run with its id, or is left out.

TensorFlow's error of a failing map does not say which example it was, and `ignore_errors` leaves examples
out without a word. So records are worked on in chunks, each a small dataset of its own in which they are
numbered: after the map a gap in the numbers tells which failed. What TensorFlow said of it goes to its
log. Errors of the records themselves (a corrupt TFRecord) are not touched, and always stop the run.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from pipelines.sources import Record

_CHUNK = 64  # making a dataset takes 1 ms: one for each record would double the time
_WHY = "cannot be read, is truncated or corrupt, or is refused by the recipe (TensorFlow's log says which)"


def guarded(
    records: tf.data.Dataset,
    function: Callable[[Record], Record],
    on_error: str,
    skipped: str | Path | None,
    num_parallel_calls: int,
) -> tf.data.Dataset:
    """`records.map(function)` in order, in which a record that fails is dealt with.

    Args:
      records: dicts with "id", int64[].
      function: from a record to a record whose "image" has a known shape.
      on_error: "raise" or "skip"; see `pipelines.make_dataset`.
      skipped: a file for the ids that were skipped, or None for standard error.
      num_parallel_calls: how many chunks at once, or `tf.data.AUTOTUNE`.

    Returns:
      The dataset of results.
    """
    spec = records.map(function).element_spec
    deal = _stop if on_error == "raise" else _reporter(skipped)

    def work(chunk: Any) -> tf.data.Dataset:
        ids = chunk["id"]
        count = tf.shape(ids, tf.int64)[0]

        def result(number: tf.Tensor) -> tuple[tf.Tensor, Record]:
            return number, function(tf.nest.map_structure(lambda values: values[number], chunk))

        def dealt(expected: tf.Tensor, result: tuple[tf.Tensor, Record]) -> tuple[tf.Tensor, tuple]:
            number, record = result
            with tf.control_dependencies([deal(ids[expected:number])]):
                return number + 1, (tf.identity(number), record)

        results = tf.data.Dataset.range(count).map(result).ignore_errors(log_warning=True)
        end = tf.data.Dataset.from_tensors(count).map(lambda number: (number, _placeholder(spec)))
        marked = results.concatenate(end).scan(tf.constant(0, tf.int64), dealt)
        return marked.filter(lambda number, _: number < count).map(lambda _, record: record)

    automatic = num_parallel_calls == tf.data.AUTOTUNE
    return records.ragged_batch(_CHUNK).interleave(
        work,
        cycle_length=2 * (os.cpu_count() or 1) if automatic else num_parallel_calls,
        block_length=_CHUNK,
        num_parallel_calls=num_parallel_calls,
        deterministic=True,
    )


def _stop(missing: tf.Tensor) -> tf.Operation:
    return tf.debugging.Assert(tf.equal(tf.size(missing), 0), ["the example with id", missing[:1], _WHY])


def _reporter(skipped: str | Path | None) -> Callable[[tf.Tensor], tf.Operation]:
    """Writes down what is missing, and goes on."""
    stream = sys.stderr if skipped is None else "file://" + os.path.abspath(skipped)
    prefix = "skipped example " if skipped is None else ""

    def report(missing: tf.Tensor) -> tf.Operation:
        lines = tf.strings.join([prefix, tf.strings.as_string(missing), f"\t{_WHY}\n"])

        def write() -> tf.Operation:
            return tf.print(tf.strings.reduce_join(lines), output_stream=stream, end="")

        return tf.cond(tf.size(missing) > 0, write, tf.no_op)

    return report


def _placeholder(spec: Record) -> Record:
    """What stands at the end of a chunk, of the structure of a result."""

    def empty(feature: Any) -> Any:
        shape = [side or 0 for side in feature.shape]
        if isinstance(feature, tf.RaggedTensorSpec):
            return tf.RaggedTensor.from_tensor(
                tf.zeros(shape, feature.dtype), ragged_rank=feature.ragged_rank
            )
        return tf.zeros(shape, feature.dtype)

    return tf.nest.map_structure(empty, spec)
