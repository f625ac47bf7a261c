"""Where examples come from: sources of records that have ids.

A record is a dict with "image", encoded bytes (a scalar string) or pixels [H, W, C]; "id", int64, which
names the example for ever; and whatever else it came with ("label", ...), untouched.

A source with random access makes any record from its index, so that an epoch needs no buffer to be
shuffled and a run can start anywhere. A stream is read from front to back.
"""

import dataclasses
import numbers
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import augrng as ar
from pipelines.steps import mapped

Record = dict[str, tf.Tensor]
DTYPES = ("uint8", "uint16")  # of decoded images
_NUMBER = "number in the source"
# What `Source.cache` calls: `pipelines.images.cache` decodes, and stands above this module.
caching: list[Callable[["Source", str | Path], "Source"]] = []
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".dib", ".webp")


@dataclasses.dataclass(frozen=True)
class Reading:
    """What makes records of places: passes on what else it is given, and features may have any shape.

    Args:
      along: makes a dataset of records of one of places, in order. One that cannot be read fails by name.
      together: makes a dataset of one batch of records of a batch of places, at most so many as it is told;
        fails, or is empty, if one of them cannot be read, or there are none. None if `along` does as well.
    """

    along: Callable[[tf.data.Dataset], tf.data.Dataset]
    together: Callable[[Record, int], tf.data.Dataset] | None = None

    def then(self, function: Callable[[Record], Record]) -> "Reading":
        """The same, and then a function of a record, or of a batch of them."""
        first, whole = self.along, self.together
        return Reading(
            lambda places: mapped(first(places), function),
            None if whole is None else lambda places, most: mapped(whole(places, most), function),
        )


@dataclasses.dataclass(frozen=True, repr=False)
class Source:
    """Records with ids.

    Args:
      name: what errors, manifests and progress bars call it.
      size: how many records there are, or None if that is not known.
      records: for random access: a graph function from indices, int64[N], to a batch of N records; with
        `read` to their places: what is known without reading, and an "id", the record's if that is known.
      read: what makes records of places.
      cause: says of a place why its record cannot be read, as a dataset of one string; fails itself with what
        is to stop a run whatever becomes of broken records.
      columns: gives a scalar feature of all records, [size], better than by `read`.
      stream: for a stream: a function that makes the dataset of records, in a fixed order.
      load: what completes a record and may fail, such as reading its file; run where errors are dealt with.
        It adds or replaces features, of known shapes, and drops none.
      class_names: the names of the labels, if there are some.
      channels: of encoded images, 1 to 4, if the source knows.
      dtype: of encoded images, "uint8" or "uint16", if the source knows.
    """

    name: str
    size: int | None
    records: Callable[[tf.Tensor], Record] | None = None
    read: Reading | None = None
    cause: Callable[[Record], tf.data.Dataset] | None = None
    columns: Callable[[str], np.ndarray] | None = None
    stream: Callable[[], tf.data.Dataset] | None = None
    load: Callable[[Record], Record] = lambda record: record
    class_names: tuple[str, ...] = ()
    channels: int | None = None
    dtype: str | None = None

    def __repr__(self) -> str:
        """Its name, how many records there are, and how they can be read."""
        size = "of unknown size" if self.size is None else f"{self.size:,} records"
        access = "random access" if self.records else "a stream"
        classes = f", {len(self.class_names)} classes" if self.class_names else ""
        return f"<Source {self.name}: {size}, {access}{classes}>"

    def dataset(self) -> tf.data.Dataset:
        """All records once, complete, in the source's own order."""
        return self.from_record(0).map(self.load, num_parallel_calls=tf.data.AUTOTUNE)

    def ids(self) -> np.ndarray:
        """The ids of all records, int64[size]; no file is read for it that `load` would read."""
        return self.column("id").astype(np.int64)

    def column(self, name: str) -> np.ndarray:
        """A scalar feature of all records, [size], in the source's order; `load` is not called.

        Raises:
          ValueError: if records have no such scalar before they are loaded.
        """
        records = self.from_record(0)
        spec = records.element_spec.get(name)
        if spec is None or spec.shape.rank != 0:
            raise ValueError(f"{name}: must be a scalar in the records of {self.name}, got {spec}")
        if self.columns is not None:
            return self.columns(name)
        if self.records is not None and self.read is None:
            rows, places = self.records, tf.data.Dataset.range(self.size or 0).batch(4096)
            return _joined(places.map(lambda places: rows(places)[name]))  # one by one: 17 times as long
        return values_of(records.map(lambda record: record[name]))

    def part(self, keep: Callable[[Any], Any]) -> "Source":
        """The records whose ids are wanted.

        Args:
          keep: says of ids, tensors or arrays of int64, whether they are.
        """
        kept = np.flatnonzero(keep(self.ids()))
        if self.records is None:
            whole = self.from_record
            stream = lambda: whole(0).filter(lambda record: keep(record["id"]))  # noqa: E731
            return dataclasses.replace(self, size=len(kept), stream=stream)
        records, columns, places = self.records, self.columns, tf.constant(kept, tf.int64)
        return dataclasses.replace(
            self,
            size=len(kept),
            records=lambda indices: records(tf.gather(places, indices)),
            columns=None if columns is None else lambda name: columns(name)[kept],
        )

    def split(self, fraction: float, seed: int = 0) -> tuple["Source", "Source"]:
        """Two parts of about this share and the rest, both with the same `class_names`.

        On which side a record comes depends on its id and the seed alone: records that are added move no
        other, and the global seed has no part in it. It is uniform in the ids: word 0 of the key
        fold_in((0x73706C6974, seed), id) is below fraction * 2**32.

        Args:
          fraction: between 0 and 1.
          seed: of the draw, int64.

        Raises:
          TypeError: if the fraction is no number, or the seed no integer.
          ValueError: if the fraction is not between 0 and 1.
        """
        if isinstance(fraction, bool) or not isinstance(fraction, numbers.Real):
            raise TypeError(f"fraction: must be a number between 0 and 1, got {fraction!r}")
        if not 0 < fraction < 1:
            raise ValueError(f"fraction: must be between 0 and 1, got {fraction}; take(n) takes n records")
        if isinstance(seed, bool) or not isinstance(seed, numbers.Integral):
            raise TypeError(f"seed: must be an integer, got {seed!r}")
        pair, below = tf.constant([0x73706C6974, int(seed)], tf.int64), round(fraction * 2**32)

        def first(ids: Any) -> tf.Tensor:
            words = ar.bits(ar.fold_in(pair, tf.cast(ids, tf.int64)), 1)
            return tf.cast(words[..., 0], tf.int64) < below

        return self.part(first), self.part(lambda ids: tf.logical_not(first(ids)))

    def take(self, count: int) -> "Source":
        """The first records in the source's order, all if there are no more.

        Raises:
          TypeError: if the count is no integer.
          ValueError: if it is below 1.
        """
        if isinstance(count, bool) or not isinstance(count, numbers.Integral):
            raise TypeError(f"count: must be an integer, got {count!r}; split(0.9) takes a share")
        if count < 1:
            raise ValueError(f"count: must be at least 1, got {count}")
        size = None if self.size is None else min(int(count), self.size)
        if self.records is not None:
            columns = self.columns
            return dataclasses.replace(
                self, size=size, columns=None if columns is None else lambda name: columns(name)[:size]
            )
        whole = self.from_record
        return dataclasses.replace(self, size=size, stream=lambda: whole(0).take(int(count)))

    def cache(self, where: str | Path = "memory") -> "Source":
        """The same records with random access, decoded once and kept: for sources that are small.

        Ids, features and labels stay. Images are kept as uint8 pixels, upright, in the channels that the
        source says, else RGB, and pixels are those of `make_dataset(decode="full")`. Those of 16 bits or with
        alpha stay encoded, and so do those that cannot be decoded: they fail where they are read.

        Args:
          where: "memory", or a file on this machine, which is written if it is not there. It holds as long as
            the source has the same size and features, and the same content in 16 records all over it: remove
            it after other changes. Any number of processes may make it at once.

        Raises:
          MemoryError, OSError: if there is no room for it, or the file cannot be written.
          ValueError: if the file is of another source, or no such file; or a record cannot be read.
        """
        return caching[0](self, where)

    def from_record(self, start: int) -> tf.data.Dataset:
        """The records from one on in the source's own order, not completed by `load`."""
        if self.records is None:
            assert self.stream is not None
            return self.stream().skip(start)
        return self.completed(self.places(start))

    def numbered(self, start: int) -> tf.data.Dataset:
        """Numbers and records as of `from_record`; a record that cannot be read takes its number with it."""
        if self.read is None:
            return self.from_record(start).enumerate(start)
        places = self.places(start).enumerate(start).map(lambda number, place: {**place, _NUMBER: number})
        return self.read.along(places).map(lambda record: (record.pop(_NUMBER), record))

    def places(self, start: int) -> tf.data.Dataset:
        """With random access: what `records` gives from one record on, one by one."""
        assert self.records is not None
        indices = tf.data.Dataset.range(start, self.size).batch(256)
        return indices.map(self.records, num_parallel_calls=tf.data.AUTOTUNE).unbatch()

    def completed(self, places: tf.data.Dataset) -> tf.data.Dataset:
        """The records of places, where `records` gives places."""
        return places if self.read is None else self.read.along(places)


def values_of(values: tf.data.Dataset) -> np.ndarray:
    """What a dataset of scalars holds, as one array."""
    return _joined(values.batch(4096))


def _joined(blocks: tf.data.Dataset) -> np.ndarray:
    nothing = np.zeros([0], blocks.element_spec.dtype.as_numpy_dtype)
    return np.concatenate([nothing, *blocks.as_numpy_iterator()])


def ragged_features(record: Record) -> Record:
    """The record with its sparse features as what `tf.data` can batch: vectors, or ragged from rank 2 on."""

    def converted(feature: Any) -> Any:
        if not isinstance(feature, tf.SparseTensor):
            return feature
        if feature.shape.rank == 1:  # a feature that varies in length leaves no place out
            return feature.values
        return tf.RaggedTensor.from_sparse(feature)

    return tf.nest.map_structure(converted, record)


def duplicate_ids(source: Source) -> dict[int, int]:
    """The ids that stand for more than one record, and how many; reads the whole source."""
    ids, counts = np.unique(source.ids(), return_counts=True)
    return {int(id_): int(count) for id_, count in zip(ids, counts, strict=True) if count > 1}


def with_id(record: Record, id: str | Callable[[Record], tf.Tensor]) -> Record:
    """The record with its int64 "id", from a feature or a function; strings are hashed."""
    value = record[id] if isinstance(id, str) else id(record)
    if value.dtype == tf.string:
        value = ar.string_ids(value)
    if not value.dtype.is_integer or value.shape.rank != 0:
        raise TypeError(
            f"id: must be one integer or string for each record, got {value.dtype.name}{value.shape}"
        )
    return {**record, "id": tf.cast(value, tf.int64)}
