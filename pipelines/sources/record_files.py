"""TFRecord files, read in order or at any place, such that a record that cannot be read is named.

TensorFlow's error of a corrupt record says at which byte of a file, but not of which. So its errors are
passed over, and where nothing comes instead of a record, or a file ends, what was read is held against what
must be there.

Any record is read from its offset (`pipelines.sources.offsets`) inside the graph, on every file system that
TensorFlow opens, and its checksum is verified. Those of a batch are opened together; see `_together`.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import augrng as ar
from augrng.arguments import asserted
from pipelines.rows import each
from pipelines.sources.offsets import FRAME, NotIndexedError, bounds_of
from pipelines.sources.source import Reading, Record, Source, values_of
from pipelines.steps import flat_mapped, mapped

ACCESS = ("auto", "random", "stream")
Parse = Callable[[Record, tf.Tensor], Record]  # from where a record lies ("path" or "tfds_id") and its bytes
Parts = Sequence[tuple[int, int]]  # of each file how many records to leave out and how many to read then
_UNBUFFERED = 2**17  # bytes of a record from which on a second read costs less than a copy by way of a buffer
_AT_ONCE = 64  # records that are opened as one dataset
_STRING = tf.TensorSpec([], tf.string)
_OF_PLACES = ("file", "number", "offset", "length")  # these are no features of records


def in_order(
    paths: Sequence[str],
    parse: Callable[[Record, tf.Tensor], Any],
    where: str,
    compression: str = "",
    parts: Parts | None = None,
) -> tf.data.Dataset:
    """What is made of the records of files, read from front to back.

    Args:
      paths: of the files.
      parse: from where a record lies, under the name `where`, and its bytes.
      where: "path" for "file[number]", or "tfds_id" for "shard__number".
      compression: "", "GZIP" or "ZLIB". How much a compressed file holds is not known beforehand: it is read
        twice, the second time only to see whether it is whole.
      parts: of the files; -1 reads all that is left.

    Raises:
      InvalidArgumentError: when it runs, if a file is corrupt or cut off; names the file and the first record
        that cannot be read.
    """
    sizes = [0 if compression else tf.io.gfile.stat(path).length for path in paths]

    def of_file(path: tf.Tensor, size: tf.Tensor, skip: tf.Tensor, take: tf.Tensor) -> tf.data.Dataset:
        records = tf.data.TFRecordDataset(path, compression_type=compression)
        whole = _is_whole(records) if compression else tf.data.Dataset.from_tensors(True)
        end = mapped(whole, lambda whole: ("", True, whole))
        readable = mapped(records.ignore_errors(log_warning=True), lambda record: (record, False, True))
        start = (tf.constant(0, tf.int64), tf.constant(0, tf.int64))

        def placed(
            state: tuple[tf.Tensor, tf.Tensor], element: tuple[tf.Tensor, tf.Tensor, tf.Tensor]
        ) -> tuple[tuple[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]:
            (number, read), (record, is_end, whole) = state, element
            good = ~is_end | (whole & (read >= size))
            with tf.control_dependencies([asserted(good, [_complaint(path, number)])]):
                read += FRAME + tf.cast(tf.strings.length(record), tf.int64)
            return (number + 1, read), (_path(path, number), record, is_end)

        marked = readable.concatenate(end).scan(start, placed).skip(skip).take(take)
        return marked.filter(lambda place, record, is_end: ~is_end)

    skips, takes = tf.unstack(tf.constant(parts or [(0, -1)] * len(paths), tf.int64), axis=1)
    files = tf.data.Dataset.from_tensor_slices((list(paths), tf.constant(sizes, tf.int64), skips, takes))

    def parsed(path: tf.Tensor, record: tf.Tensor, is_end: tf.Tensor) -> Any:
        if where == "tfds_id":
            path = tf.strings.regex_replace(path, r"^.*/([^/]*)\[(\d+)\]$", r"\1__\2")
        return parse({where: path}, record)

    return mapped(flat_mapped(files, of_file), parsed, tf.data.AUTOTUNE)


def check_access(access: str) -> None:
    if access not in ACCESS:
        raise ValueError(f"access: must be one of {ACCESS}, got {access!r}")


def indexed(
    paths: Sequence[str], access: str, index_dir: str | Path | None, compression: str = ""
) -> list[np.ndarray] | None:
    """The bounds of the records of files, or None where they are to be read in order.

    Args:
      paths: of the files.
      access: "auto", "random" or "stream".
      index_dir: see `pipelines.sources.offsets.bounds_of`.
      compression: of the files.

    Raises:
      FileNotFoundError: if a file is not there.
      ValueError: if access is to be random and the files do not allow it.
    """
    if access == "random" and compression:
        raise ValueError(
            f'access: must be "stream" for compressed files, got "random" and compression={compression!r} '
            f"for {paths[0]}; random access needs files without compression"
        )
    if access == "stream" or compression:
        return None
    try:
        return bounds_of(paths, index_dir)
    except NotIndexedError as error:
        if access == "random":
            raise ValueError(f'access: must be "stream" here, got "random"; {error}') from error
        return None
    except tf.errors.NotFoundError as error:
        raise FileNotFoundError(f"a file of records is not there: {error.message}") from error


def random_access(
    source: Source,
    paths: Sequence[str],
    bounds: Sequence[np.ndarray],
    parts: Parts,
    parse: Parse,
    where: str,
    known: Sequence[str],
) -> Source:
    """A source that has the records of files with random access, in the order of the files.

    Args:
      source: what is known of it.
      paths: of the files.
      bounds: of their records; see `pipelines.sources.offsets`.
      parts: of the files, without -1. What a file should hold and does not is a record that cannot be read.
      parse: makes a record of where it lies and its bytes; what fails here stops a run.
      where: how where a record lies is called, "path" for "file[number]" or "tfds_id" for "shard__number".
      known: which of that and "id", the hash of "shard__number", is what the record itself has.
    """
    starts = np.cumsum([0, *(take for _, take in parts)])
    cuts = [_cut(*one) for one in zip(bounds, parts, strict=True)]
    flat, stored = np.concatenate(cuts), sum(int(cut[-1] - cut[0]) for cut in cuts)
    firsts, skips, ends = (
        tf.constant(numbers, tf.int64) for numbers in (starts[:-1], [skip for skip, _ in parts], flat)
    )
    files, shards = tf.constant(list(paths)), tf.constant([path.rpartition("/")[2] for path in paths])
    size = int(starts[-1])

    def places(indices: tf.Tensor) -> Record:
        part = tf.searchsorted(firsts, indices, side="right", out_type=tf.int64) - 1
        number = indices - tf.gather(firsts, part) + tf.gather(skips, part)
        file, at = tf.gather(files, part), indices + part  # a part has one bound more than records
        offset = tf.gather(ends, at)
        tfds_id = tf.strings.join([tf.gather(shards, part), "__", tf.strings.as_string(number)])
        return {
            where: tfds_id if where == "tfds_id" else _path(file, number), "id": ar.string_ids(tfds_id),
            "file": file, "number": number, "offset": offset,
            "length": tf.gather(ends, at + 1) - offset - FRAME,
        }  # fmt: skip

    def completed(place: Record, example: tf.Tensor) -> Record:
        good = _is_there(place, example)
        with tf.control_dependencies([asserted(good, [_complaint(place["file"], place["number"])])]):
            parsed = parse({where: place[where]}, tf.identity(example))
        given = {name: value for name, value in place.items() if name not in _OF_PLACES}
        of_run = {name: value for name, value in given.items() if name not in (where, "id")}
        return {**given, **parsed, **of_run}  # a record may have an "epoch" of its own, as built ones do

    def cause(place: Record) -> tf.data.Dataset:
        there = flat_mapped(tf.data.Dataset.from_tensors(place), _with_bytes).filter(_is_there)
        corrupt = _complaint(place["file"], place["number"]) + ", or has changed since it was indexed"
        missing = tf.data.Dataset.from_tensors(place["file"] + " is not there, is empty, or may not be read")
        zero = tf.constant(0, tf.int64)
        byte = tf.raw_ops.FixedLengthRecordDatasetV2(
            filenames=place["file"][None], header_bytes=zero, record_bytes=zero + 1, footer_bytes=zero,
            buffer_size=zero + 1, compression_type="",
        )  # fmt: skip
        unread = mapped(_first(place, byte), lambda place, byte: corrupt).concatenate(missing)
        # A map of its own: what nothing is made of, TensorFlow leaves out, and its error with it.
        again = mapped(
            mapped(there, completed), lambda record: "it could be read only when it was read again"
        )
        return again.concatenate(unread).take(1)

    def columns(name: str) -> np.ndarray:
        if name in known:
            numbers = tf.data.Dataset.range(size).batch(4096)
            return values_of(numbers.map(lambda indices: places(indices)[name]).unbatch())
        values = values_of(in_order(paths, lambda *read: parse(*read)[name], where, parts=parts))
        if len(values) != size:
            raise ValueError(
                f"{name}: the files of {source.name} have changed since they were indexed: {size} records "
                f"then, {len(values)} now; open the source again"
            )
        return values

    return dataclasses.replace(
        source,
        size=size,
        records=places,
        read=Reading(
            lambda places: mapped(flat_mapped(places, _with_bytes), completed),
            functools.partial(_together, completed) if stored < _UNBUFFERED * size else None,
        ),
        cause=cause,
        columns=columns,
    )


def _cut(bounds: np.ndarray, part: tuple[int, int]) -> np.ndarray:
    """The bounds of a part of a file; records that it should hold and does not have no bytes at all."""
    skip, take = part
    return bounds[np.minimum(np.arange(skip, skip + take + 1), len(bounds) - 1)]


def _together(completed: Callable[[Record, tf.Tensor], Record], places: Record, most: int) -> tf.data.Dataset:
    """A batch of what is made of places and their bytes; fails or is empty if one cannot be read.

    So many files are opened as one dataset, of which the first element is taken. That takes a fourth of the
    time of a function that opens one: 0.14 ms a record of 57 KB in place of 0.49 on an AMD EPYC. The strings
    are copied more often, which costs more than it saves where they are long.
    """
    groups = -(-most // _AT_ONCE)
    width = -(-most // groups)
    count = tf.shape(places["length"])[0]
    rows = tf.range(groups * width * tf.minimum(count, 1))  # of no places none,
    given = tf.minimum(rows, count - 1)  # and of fewer the last again
    cut = {k: tf.reshape(tf.gather(v, given), [-1, width, *v.shape[1:]]) for k, v in places.items()}

    def of_group(places: Record) -> tf.data.Dataset:
        rows = [{name: places[name][row] for name in ("file", "offset", "length")} for row in range(width)]
        once = tf.raw_ops.TensorDataset(components=[""], output_shapes=[[]])  # so that it ends; see `_first`
        zipped = tf.raw_ops.ZipDataset(
            input_datasets=[once, *map(_opened, rows)],
            output_types=[tf.string] * (1 + width), output_shapes=[[]] * (1 + width),
        )  # fmt: skip
        read = tf.data.experimental.from_variant(zipped, (_STRING,) * (1 + width))
        return mapped(read, lambda _, *strings: each(completed, places, tf.stack(strings)))

    def joined(parts: Record) -> Record:
        return tf.nest.map_structure(
            lambda part: tf.reshape(part, [groups * width, *part.shape[2:]])[:count], parts
        )

    records = flat_mapped(tf.data.Dataset.from_tensor_slices(cut), of_group)
    return mapped(records.batch(groups, drop_remainder=True), joined)


def _opened(place: Record) -> tf.Tensor:
    """The bytes of the record at a place, and of all that follow it, as the variant of a dataset."""
    return tf.raw_ops.TFRecordDatasetV2(
        filenames=place["file"][None],
        compression_type="",
        buffer_size=tf.where(place["length"] < _UNBUFFERED, tf.maximum(place["length"], 0) + FRAME, 0),
        byte_offsets=place["offset"][None],
    )


def _with_bytes(place: Record) -> tf.data.Dataset:
    """A place and the bytes of its record, or if it cannot be read, bytes of another number."""
    instead = tf.data.Dataset.from_tensors((place, tf.where(place["length"] > 0, "", "lost")))
    return _first(place, _opened(place)).concatenate(instead).take(1)


def _first(place: Record, opened: tf.Tensor) -> tf.data.Dataset:
    """A place and the first string of a dataset, or nothing if that cannot be read.

    A dataset whose file cannot be opened fails again and again; beside one of a single element it ends.
    """
    strings = tf.data.experimental.from_variant(opened, _STRING)
    return tf.data.Dataset.zip(tf.data.Dataset.from_tensors(place), strings).ignore_errors(True)


def _is_there(place: Record, example: tf.Tensor) -> tf.Tensor:
    return tf.equal(tf.cast(tf.strings.length(example), tf.int64), place["length"])


def _path(path: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
    return tf.strings.join([path, "[", tf.strings.as_string(number), "]"])


def _complaint(path: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
    at = tf.strings.as_string(number)
    return tf.strings.join([path, " is corrupt or cut off: record ", at, " cannot be read"])


def _is_whole(records: tf.data.Dataset) -> tf.data.Dataset:
    """One element: whether all records can be read."""
    counted = tf.data.Dataset.from_tensors(0).concatenate(mapped(records, lambda record: 0))
    # A batch of all is lost if one of them fails.
    good = mapped(counted.batch(2**40).ignore_errors(), lambda _: True)
    return good.concatenate(tf.data.Dataset.from_tensors(False)).take(1)
