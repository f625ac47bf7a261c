"""Sources kept decoded, for small ones: in memory, or in a file of which any record is read.

What is kept are raw pixels (`formats.raw_bytes`), so that nothing is decoded any more and of an image only
what the map reads is cut out. The file is a TFRecord: an Example for each record, its other features as
`tf.io.serialize_tensor` makes them, and at the end one of JSON that says whose records they are.
"""

import base64
import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from augrng.converting import unconverted
from pipelines.disk.room import Room, bytes_of
from pipelines.images.decode import decode
from pipelines.images.formats import raw_bytes
from pipelines.sources import source as sources
from pipelines.sources.offsets import FRAME, bounds_of
from pipelines.sources.record_files import random_access
from pipelines.sources.source import Record, Source, ragged_features

_FORMAT = "augrng cache 1"
_SAMPLES = 16  # records that tell sources apart
Whole = tuple[
    Record, bytes | None
]  # a record without its image, and that as bytes unless it stays among them


def cached(source: Source, where: str | Path) -> Source:
    """What `Source.cache` does."""
    if str(where) == "memory":
        return _in_memory(source)
    path = Path(where).expanduser()
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, 'cache: must be "memory" or a file, got a folder', str(path))
    identity = _identity(source)
    if not path.exists():
        _write(source, path, identity)
    return _of_file(source, path, identity)


def _in_memory(source: Source) -> Source:
    records, images, room = [], [], Room(source, None)
    for record, image in _records(source):
        records.append(record)
        images.append(image)
        room.look(len(records), bytes_of(record, image))
    columns: Record = {
        name: tf.nest.map_structure(lambda *rows: _stacked(rows), *(record[name] for record in records))
        for name in (records[0] if records else {})
    }
    if images and images[0] is not None:
        columns["image"] = tf.constant(images)

    def rows(indices: tf.Tensor) -> Record:
        return tf.nest.map_structure(lambda column: tf.gather(column, indices), columns)

    return dataclasses.replace(_plain(source), size=len(records), records=rows)


def _stacked(rows: Any) -> Any:
    """One feature of all records; ragged where it varies in shape."""
    if len({tuple(row.shape) for row in rows}) > 1 or isinstance(rows[0], tf.RaggedTensor):
        return tf.ragged.stack(list(rows))
    return tf.constant(np.stack([row.numpy() for row in rows]))


def _of_file(source: Source, path: Path, identity: str) -> Source:
    (bounds,) = bounds_of([str(path)])
    said = _said(path, bounds)
    if said["identity"] != identity:
        raise ValueError(
            f"cache: {path} must hold the records of {source.name}, got those of {said['source']}, or of "
            "another state of it; name another file, or remove this one to make it anew"
        )
    spec = _spec(source)
    rest = {name: part for name, part in spec.items() if name != "image" or not _is_raw(source)}
    leaves = tf.nest.flatten(rest, expand_composites=True)
    ids = np.frombuffer(base64.b64decode(said["ids"]), "<i8").astype(np.int64)
    known = tf.constant(ids)  # once, and not in each graph
    wanted = {"image": tf.io.FixedLenFeature([], tf.string)} if "image" not in rest else {}

    def parse(where: Record, example: tf.Tensor) -> Record:
        features = {**wanted, "rest": tf.io.FixedLenFeature([len(leaves)], tf.string)}
        parsed = tf.io.parse_single_example(example, features)
        values = [
            tf.ensure_shape(tf.io.parse_tensor(parsed["rest"][place], leaf.dtype), leaf.shape)
            for place, leaf in enumerate(leaves)
        ]
        return {
            **tf.nest.pack_sequence_as(rest, values, expand_composites=True),
            **{name: parsed[name] for name in wanted},
        }

    made = random_access(_plain(source), [str(path)], [bounds[:-1]], [(0, len(ids))], parse, "path", known=())
    records, read, columns = made.records, made.read, made.columns
    assert records is not None
    assert read is not None
    assert columns is not None
    added = {"path"} - set(spec)

    return dataclasses.replace(
        made,
        records=lambda indices: {**records(indices), "id": tf.gather(known, indices)},
        read=read.then(lambda record: {n: v for n, v in record.items() if n not in added}),
        columns=lambda name: ids if name == "id" else columns(name),
    )


def _said(path: Path, bounds: np.ndarray) -> dict[str, Any]:
    """What the last record of a cache's file says."""
    try:
        with open(path, "rb") as file:
            file.seek(int(bounds[-2]) + FRAME - 4)
            said = json.loads(file.read(int(bounds[-1] - bounds[-2]) - FRAME))
        if said["format"] != _FORMAT or len(bounds) - 2 != said["size"]:
            raise ValueError("it is of another version")
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ValueError(
            f"cache: {path} must be a whole file of this function's, got something else ({error}); remove it "
            "to make it anew, or name another file"
        ) from error
    return said


def _write(source: Source, path: Path, identity: str) -> None:
    """Writes a cache beside its name, and renames it when it is whole: any number of processes may."""
    try:
        handle, part = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise _cannot(path, error) from error
    os.close(handle)
    try:
        ids, room = [], Room(source, path)
        with tf.io.TFRecordWriter(part) as writer:
            for record, image in _records(source):
                ids.append(int(record["id"]))
                room.look(len(ids), bytes_of(record, image))
                leaves = tf.nest.flatten(record, expand_composites=True)
                values = {"rest": [tf.io.serialize_tensor(leaf).numpy() for leaf in leaves]}
                values |= {} if image is None else {"image": [image]}
                feature = {n: tf.train.Feature(bytes_list={"value": v}) for n, v in values.items()}
                writer.write(tf.train.Example(features={"feature": feature}).SerializeToString())
            packed = base64.b64encode(np.array(ids, "<i8").tobytes()).decode()
            said = {"format": _FORMAT, "source": source.name, "identity": identity, "size": len(ids)}
            writer.write(json.dumps({**said, "ids": packed}).encode())
        with open(part, "rb") as file:
            os.fsync(file.fileno())
        os.chmod(part, 0o644)
        os.replace(part, path)
    except (OSError, tf.errors.ResourceExhaustedError) as error:
        raise _cannot(path, error) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)


def _cannot(path: Path, error: Exception) -> OSError:
    if isinstance(error, OSError) and str(error).count("cache:"):
        return error
    number = getattr(error, "errno", None) or errno.EIO
    return OSError(
        number, f"cache: must be a file that can be written ({error}); name one in another folder", str(path)
    )


def _records(source: Source) -> Iterator[Whole]:
    """All records in order; an image that cannot be decoded stays as it is, to fail where it is read.

    Raises:
      ValueError: if a record cannot be read.
    """
    raw = _is_raw(source)

    @unconverted  # nothing there to convert; looking takes a second
    def complete(number: tf.Tensor, record: Record) -> Record:
        return ragged_features(source.load(record))

    @unconverted
    def with_pixels(number: tf.Tensor, record: Record) -> tuple[Record, tf.Tensor]:
        record = complete(number, record)
        image = record["image"]
        if image.dtype == tf.string and raw:
            image = decode(image, channels=source.channels or 3)
        return record, image

    made, number = iter(_mapped(source.numbered(0), with_pixels)), 0
    while True:
        try:
            record, image = next(made)
            contents = raw_bytes(image.numpy()) if raw else None
        except StopIteration:
            return
        except tf.errors.OpError:
            try:
                record = next(iter(source.numbered(number).map(complete)))
            except tf.errors.OpError as error:
                raise ValueError(
                    f"cache: all records must be there to be read, number {number} of {source.name} is not: "
                    f"{error.message}"
                ) from error
            contents = record["image"].numpy()
        yield {n: v for n, v in record.items() if n != "image" or not raw}, contents
        number += 1


def _mapped(dataset: tf.data.Dataset, function: Any) -> tf.data.Dataset:
    return dataset.map(function, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(16)


def _is_raw(source: Source) -> bool:
    """Whether images are kept as raw pixels: grey or RGB in 8 bits, unless they are pixels of one size."""
    image = _spec(source)["image"]
    if image.dtype == tf.string:
        return (source.dtype or "uint8") == "uint8" and (source.channels or 3) in (1, 3)
    one_size = isinstance(image, tf.TensorSpec) and image.shape.is_fully_defined()
    return not one_size and image.dtype == tf.uint8 and image.shape[-1] in (1, 3)


def _spec(source: Source) -> dict[str, Any]:
    return source.dataset().map(ragged_features).element_spec


def _plain(source: Source) -> Source:
    """What stays of a source whose records are kept."""
    image, raw = _spec(source)["image"], _is_raw(source)
    channels = source.channels if image.dtype == tf.string else image.shape[-1]
    return dataclasses.replace(
        source,
        load=lambda record: record,
        records=None,
        read=None,
        cause=None,
        columns=None,
        stream=None,
        channels=(channels or 3) if raw else source.channels,
        dtype="uint8" if raw else source.dtype,
    )


def _identity(source: Source) -> str:
    """A digest of what tells sources apart: their size, their features, and some of their records."""
    if source.records is None:
        records = source.from_record(0).take(_SAMPLES)
    else:
        records_of, size = source.records, source.size or 0
        places = np.unique(np.linspace(0, max(size - 1, 0), min(size, _SAMPLES)).astype(np.int64))
        one = tf.data.Dataset.from_tensor_slices(places).batch(1).map(records_of).unbatch()
        records = source.completed(one)
    digest = hashlib.sha256(f"{source.size} {sorted(_spec(source).items())}".encode())

    def flat(record: Record) -> list[tf.Tensor]:
        leaves = tf.nest.flatten(ragged_features(source.load(record)), expand_composites=True)
        return [tf.io.serialize_tensor(leaf) for leaf in leaves]

    for leaves in records.map(flat).ignore_errors():
        for leaf in leaves:
            digest.update(hashlib.sha256(leaf.numpy()).digest())
    return digest.hexdigest()


sources.caching.append(cached)
