"""Works on batches of records such that one that fails stops the run by name, is replaced, or leaves a gap.

TensorFlow's error of a failing map does not say which example it was, and `ignore_errors` leaves examples
out without a word. So a batch is worked on as a whole, and if that fails, again one by one, and of what fails
the cause is looked for. A batch stays a batch whatever fails in it, even if nothing is left. Errors of the
records of a stream (a corrupt TFRecord) are not touched, and always stop the run.
"""

import dataclasses
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

from augrng.arguments import asserted
from pipelines.run.arguments import writable
from pipelines.run.order import POOL, row
from pipelines.steps import flat_mapped, interleaved, mapped

_AT_ONCE = 2  # batches: one alone leaves cores idle at its start and end; each uses all of them
MODES = ("raise", "replace", "skip")


@dataclasses.dataclass(frozen=True)
class Work:
    """What is to be done with records, as graph functions.

    Args:
      together: makes a batch of results of a batch of records, or fails if one record fails; None to go one
        by one always, which may make results of several shapes.
      alone: makes one record's result; the same for each as `together`.
      cause: says of a record for which `alone` fails why, as a dataset of one string; fails only where the
        run is to stop whatever becomes of broken records.
      along: makes a dataset of results of one of records, in place of `alone`.
      whole: makes a dataset of one batch of results of a batch of records, in place of `together`; fails, or
        is empty, if a record fails.
    """

    together: Callable[[Any], Any] | None
    alone: Callable[[Any], Any] | None
    cause: Callable[[Any], tf.data.Dataset]
    along: Callable[[tf.data.Dataset], tf.data.Dataset] | None = None
    whole: Callable[[Any], tf.data.Dataset] | None = None

    def results(self, records: tf.data.Dataset) -> tf.data.Dataset:
        """The results of records, one by one."""
        if self.along is not None:
            return self.along(records)
        assert self.alone is not None
        return mapped(records, self.alone)


@dataclasses.dataclass(frozen=True)
class OnError:
    """What becomes of records that fail.

    Args:
      mode: "raise", "replace" or "skip"; see `pipelines.make_dataset`.
      file: to write them down in, or None for standard error.
      substitutes: for "replace": from a batch and a number in it to the records to try in its place.

    Raises:
      ValueError: if there is no such mode.
      OSError: if the file cannot be written.
    """

    mode: str = "raise"
    file: str | Path | None = None
    substitutes: Callable[[Any, tf.Tensor], tf.data.Dataset] | None = None

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"on_error: must be one of {MODES}, got {self.mode!r}")
        if self.file is not None:
            writable(self.file, "skipped")


def guarded(
    batches: tf.data.Dataset, work: Work, on_error: OnError, *, num_parallel_calls: int
) -> tf.data.Dataset:
    """`batches.map(work.together)`, minding failures.

    Args:
      batches: of records, dicts with "id", int64[N]; what they have as `POOL` is for `substitutes` alone.
      work: what is to be done.
      on_error: what becomes of records that fail.
      num_parallel_calls: how many batches at once, or `tf.data.AUTOTUNE`.

    Returns:
      As many batches of results, in the order of `batches`.
    """

    def of_batch(batch: Any) -> tf.data.Dataset:
        records = {name: value for name, value in batch.items() if name != POOL}
        one_by_one = _one_by_one(batch, records, work, on_error)
        # Comes to the second only if the first gives nothing.
        return _whole(records, work).ignore_errors().concatenate(one_by_one).take(1)

    at = at_once(num_parallel_calls)
    return interleaved(batches, of_batch, at)


def at_once(num_parallel_calls: int) -> int:
    """How many batches are worked on at once."""
    return _AT_ONCE if num_parallel_calls == tf.data.AUTOTUNE else num_parallel_calls


def _whole(records: Any, work: Work) -> tf.data.Dataset:
    """One batch of results; fails, or is empty, if a record fails."""
    if work.whole is not None:
        return work.whole(records)
    if work.together is not None:
        return mapped(tf.data.Dataset.from_tensors(records), work.together)
    count = tf.size(records["id"], tf.int64)
    results = work.results(mapped(tf.data.Dataset.range(count), lambda number: row(records, number)))
    return results.ragged_batch(tf.maximum(count, 1), drop_remainder=True)


def _one_by_one(batch: Any, records: Any, work: Work, on_error: OnError) -> tf.data.Dataset:
    """One batch of the results of those records that do not fail, or of what stands in for them."""
    count = tf.size(records["id"], tf.int64)

    def first(number: tf.Tensor) -> tf.data.Dataset:
        results = work.results(tf.data.Dataset.from_tensors(row(records, number)))
        good = mapped(results, lambda result: _Tried(number, tf.constant(True), "", result))
        return good.ignore_errors(log_warning=True)

    def instead(number: tf.Tensor, why: tf.Tensor, spec: Any) -> tf.data.Dataset:
        nothing = tf.data.Dataset.from_tensors(_Tried(number, tf.constant(False), why, _empty(spec)))
        if on_error.substitutes is None:
            return nothing
        tried = on_error.substitutes(batch, number)
        results = mapped(work.results(tried), lambda result: _Tried(number, tf.constant(True), why, result))
        return results.ignore_errors(log_warning=True).concatenate(nothing).take(1)

    def found(number: tf.Tensor) -> tf.data.Dataset:
        result = first(number)  # traced once: its structure is taken from it
        causes = work.cause(row(records, number))
        others = flat_mapped(causes, lambda why: instead(number, why, result.element_spec.result))
        return result.concatenate(others).take(1)

    tried = flat_mapped(tf.data.Dataset.range(count), found)
    nothing = _empty(tried.element_spec.result)
    end = tf.data.Dataset.from_tensors(_Tried(count, tf.constant(False), "", nothing))
    noted = mapped(tried, lambda tried: _noted(tried, records, on_error))
    last = mapped(end, lambda tried: (tried.good, tried.result))
    # With the end there is a batch even where nothing is left.
    return mapped(noted.concatenate(last).ragged_batch(count + 1), _kept)


class _Tried(NamedTuple):
    """What came of a record.

    Attributes:
      number: its place in the batch, int64[].
      good: whether there is a result, of it or of another one in its place.
      why: the cause for which it is broken; empty if it is not.
      result: of the work.
    """

    number: Any
    good: Any
    why: Any
    result: Any


def _noted(tried: _Tried, records: Any, on_error: OnError) -> tuple[tf.Tensor, Any]:
    """Whether there is a result, and the result; a broken record stops the run, or is written down."""
    to_stderr = on_error.file is None
    stream = sys.stderr if to_stderr else "file://" + os.path.abspath(str(on_error.file))

    def parts() -> list[tf.Tensor]:
        record = row(records, tried.number)
        return [tf.strings.as_string(record["id"]), place(record), tried.why]

    def report() -> tf.Operation:
        line = tf.strings.join(["skipped example " * to_stderr, tf.strings.join(parts(), "\t"), "\n"])
        return tf.print(line, output_stream=stream, end="")

    def reason() -> tf.Tensor:
        id_, where, why = parts()
        rest = "; nor can any of those that were drawn in its place" if on_error.mode == "replace" else ""
        return tf.strings.join(["the example with id ", id_, " (", where, ") cannot be used: ", why, rest])

    stops = ~tried.good & (on_error.mode != "skip")
    checks = [asserted(~stops, [tf.cond(stops, reason, lambda: tf.constant(""))])]
    if on_error.mode != "raise":
        checks.append(tf.cond((tried.why != "") & ~stops, report, tf.no_op))
    with tf.control_dependencies(checks):
        return tf.identity(tried.good), tf.nest.map_structure(tf.identity, tried.result)


def _empty(spec: Any) -> Any:
    """What has the structure and the known sides of a result, and nothing in it."""

    def empty(feature: Any) -> Any:
        shape = [side or 0 for side in feature.shape]
        if isinstance(feature, tf.RaggedTensorSpec):
            return tf.RaggedTensor.from_tensor(
                tf.zeros(shape, feature.dtype), ragged_rank=feature.ragged_rank
            )
        return tf.zeros(shape, feature.dtype)

    return tf.nest.map_structure(empty, spec)


def _kept(good: tf.Tensor, results: Any) -> Any:
    """The rows of a batch that are results."""
    places = tf.where(good)[:, 0]
    return tf.nest.map_structure(lambda part: tf.gather(part, places), results)


def place(record: Any) -> tf.Tensor:
    """Where a record lies, as one line of text: its "path" or "tfds_id", "" if it has neither."""
    text = next((record[name] for name in ("path", "tfds_id") if name in record), tf.constant(""))
    text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8")  # errors must be UTF-8
    return tf.strings.regex_replace(text, "[\\t\\r\\n]", " ")
