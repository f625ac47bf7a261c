"""TFRecord files of `tf.train.Example` as sources."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from augrng.arguments import asserted
from pipelines.sources.record_files import check_access, in_order, indexed, random_access
from pipelines.sources.source import Record, Source, with_id

_SIDES = ("ymin", "xmin", "ymax", "xmax")


def from_tfrecords(
    files: str | Path | Sequence[str | Path],
    features: Mapping[str, Any],
    *,
    image: str = "image",
    id: str | Callable[[Record], tf.Tensor] = "id",
    boxes: str | None = None,
    compression: str = "",
    size: int | None = None,
    access: str = "auto",
    index_dir: str | Path | None = None,
) -> Source:
    """TFRecord files of `tf.train.Example`, in the order of the sorted file names.

    With random access, unless they are compressed or cannot be read at any place (a pipe): then as a stream.
    For random access the files are indexed, once; see `pipelines.sources.offsets`.

    A record has "path" beside its features, unless one of them is called so: its file and its number there,
    "data/part-1.tfrecord[17]". A record that cannot be read (a flipped bit, a file that is cut off, has gone
    or has changed) goes by that, and its id is taken to be the hash of "part-1.tfrecord__17". From a length
    on that is damaged the rest of a file is one such record. Of a stream it stops the run.

    Args:
      files: a glob pattern, or a list of paths.
      features: what to parse, as for `tf.io.parse_single_example`; a feature that is missing in a record
        and has no default stops the run with its name.
      image: the feature that holds the encoded image.
      id: the feature that holds the id (int64, or strings to hash), or a function of the parsed record.
      boxes: the start of the names of boxes as the object detection API writes them, "image/object/bbox".
        The lists "image/object/bbox/ymin", ".../xmin", ".../ymax", ".../xmax" are read, whether `features`
        describe them or not, and the record has float32[N, 4] "image/object/bbox" in their place, as
        `Boxes("rel_yxyx", labels="image/object/class/label")` takes it; labels are a `tf.io.VarLenFeature`.
        Lists that are not equally long stop the run.
      compression: "", "GZIP" or "ZLIB".
      size: how many records there are, if known; a stream cannot know it by itself.
      access: "auto", "random" (an error where there is none) or "stream".
      index_dir: where the index is kept, by default in the user's folder for caches.

    Raises:
      FileNotFoundError: if no file matches.
      ValueError: if `features` lacks the image or the id, `size` is not what the files hold, or random access
        is asked for where there is none.
    """
    check_access(access)
    if isinstance(files, (str, Path)):
        paths = sorted(tf.io.gfile.glob(str(files)))
    else:
        paths = sorted(map(str, files))
    missing = [path for path in paths if not tf.io.gfile.exists(path)]
    if missing or not paths:
        raise FileNotFoundError(f"files: must name TFRecord files, found none at {missing or files}")
    for name in (image, id) if isinstance(id, str) else (image,):
        if name not in features:
            raise ValueError(f"features: must describe {name!r}, got {sorted(features)}")

    sides = {} if boxes is None else {f"{boxes}/{side}": tf.io.VarLenFeature(tf.float32) for side in _SIDES}

    def parse(where: Record, example: tf.Tensor) -> Record:
        parsed = tf.io.parse_single_example(example, {**features, **sides})
        if boxes is not None:
            parsed[boxes] = _joined(boxes, [parsed.pop(side) for side in sides], next(iter(where.values())))
        return with_id({**where, **parsed, "image": parsed[image]}, id)

    source = Source(f"tfrecords {paths[0]} ({len(paths)} files)", size)
    bounds = indexed(paths, access, index_dir, compression)
    if bounds is None:
        return dataclasses.replace(source, stream=lambda: in_order(paths, parse, "path", compression))
    parts = [(0, len(found) - 1) for found in bounds]
    total = sum(take for _, take in parts)
    if size not in (None, total):
        raise ValueError(f"size: must be the {total} records that the files hold, got {size}; leave it out")
    known = () if "path" in features else ("path",)
    return random_access(source, paths, bounds, parts, parse, "path", known)


def _joined(name: str, sides: Sequence[tf.SparseTensor], place: tf.Tensor) -> tf.Tensor:
    """Four lists of N numbers as float32[N, 4].

    Args:
      name: of what they become.
      sides: in the order of `_SIDES`.
      place: of the record, for the error.

    Raises:
      InvalidArgumentError: if they are not equally long.
    """
    lists = [tf.reshape(side.values, [-1]) for side in sides]
    counts = tf.stack([tf.size(values) for values in lists])
    rule = f"{name}: {', '.join(_SIDES)} must have equally many numbers, got"
    got = tf.strings.reduce_join(tf.strings.as_string(counts), separator=", ")
    good = tf.reduce_all(tf.equal(counts, counts[0]))
    with tf.control_dependencies([asserted(good, [tf.strings.join([rule, got, "in", place], " ")])]):
        least = tf.reduce_min(counts)
        return tf.stack([values[:least] for values in lists], -1)
