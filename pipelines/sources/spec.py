"""Sources by one word: what a command line says -> a source."""

import re
from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_datasets as tfds

from pipelines.sources import digits, scenes
from pipelines.sources.folder import from_folder
from pipelines.sources.memory import from_idx
from pipelines.sources.source import Source
from pipelines.sources.tfds import from_tfds
from pipelines.sources.tfrecord import from_tfrecords

_EMBEDDED = {"digits": digits.Digits, "photos": digits.Photos, "scenes": scenes.Scenes}
_BOXES, _LABELS = "image/object/bbox", "image/object/class/label"
_MASKS = ("mask", "segmentation_mask")
_LOOKED_AT = 32  # records, to see which features there are


def open_source(spec: str, data_dir: str | None = None, label: str | None = None) -> tuple[Source, str, int]:
    """Opens digits, photos, scenes, folder:DIR, tfds:NAME[:SPLIT], tfds-dir:DIR[:SPLIT], tfrecord:GLOB,
    idx:FILES.

    The records of tfrecord: have the features "image" (encoded), "id" (int64) and `label` (int64) if given;
    or those of the object detection API, "image/encoded" and "image/source_id". Of what the first ones have,
    boxes ("image/object/bbox/ymin", ...) with "image/object/class/label" are read too, as `from_tfrecords`
    joins them, and encoded masks called "mask" or "segmentation_mask".
    Returns the source, the start of the names of its shards, and how many channels its images have.

    Raises:
      FileNotFoundError: if there is no such file, folder or prepared dataset.
      ValueError: if the spec is none of these, or TFDS knows no such dataset or split.
    """
    kind, _, rest = spec.partition(":")
    if not (kind in ("folder", "tfds", "tfds-dir", "tfrecord", "idx") and rest) and kind not in _EMBEDDED:
        raise ValueError(f"source: must be {kinds()}, got {spec!r}")
    if kind == "folder":
        return from_folder(rest), _stem(Path(rest).resolve().name), 3
    if kind == "idx":
        paths = rest.split(",")
        return from_idx(*paths[:2]), _stem("idx"), 1
    if kind == "tfrecord":
        return _records(rest, label), _stem("records"), 3
    found = re.fullmatch(r"(.*?)(?::([A-Za-z_][\w+%:\[\]-]*))?", f":{rest}" if kind in _EMBEDDED else rest)
    path, split = found.groups() if found else (rest, None)
    if kind in _EMBEDDED:
        builder: Any = digits.prepared(_EMBEDDED[kind], Path(data_dir or "out/data"))
    elif kind == "tfds":
        builder = tfds.builder(path, data_dir=data_dir)
    else:
        builder = tfds.builder_from_directory(path)
    splits, base = builder.info.splits, re.split(r"\W", split or "train")[0]
    if splits and base not in splits:
        raise ValueError(f"source: the split must be one of {list(splits)}, got {base!r} in {spec!r}")
    source = from_tfds(builder, split or "train")
    return source, _stem(builder.name, base), source.channels or 3


def kinds() -> str:
    """What a source can be, in words."""
    return " ".join(str(open_source.__doc__).split("\n\n")[0].split()).removeprefix("Opens ").rstrip(".")


def _records(files: str, label: str | None) -> Source:
    """TFRecords, with what their first ones have of boxes and masks."""
    has = _kinds_of_features(files)
    image = "image/encoded" if "image/encoded" in has and "image" not in has else "image"
    id_ = "image/source_id" if "image/source_id" in has and "id" not in has else "id"
    text = tf.io.FixedLenFeature([], tf.string)
    features: dict[str, Any] = {name: text for name in _MASKS if has.get(name) == "bytes_list"}
    features |= {label: tf.io.FixedLenFeature([], tf.int64)} if label else {}
    number = tf.io.FixedLenFeature([], tf.int64)
    features |= {image: text, id_: text if has.get(id_) == "bytes_list" else number}
    boxes = _BOXES if f"{_BOXES}/ymin" in has else None
    if boxes and has.get(_LABELS) == "int64_list":
        features[_LABELS] = tf.io.VarLenFeature(tf.int64)
    return from_tfrecords(files, features, image=image, id=id_, boxes=boxes)


def _kinds_of_features(files: str) -> dict[str, str | None]:
    """The features of the first records, and what they hold ("int64_list", ...)."""
    found: dict[str, str | None] = {}
    for record in tf.data.TFRecordDataset(sorted(tf.io.gfile.glob(files))).take(_LOOKED_AT).ignore_errors():
        for name, feature in tf.train.Example.FromString(record.numpy()).features.feature.items():
            found[name] = feature.WhichOneof("kind") or found.get(name)
    return found


def _stem(name: str, split: str = "train") -> str:
    """The start of the names of shards, as TFDS wants them."""
    name = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
    return f"{name if name[:1].isalpha() else 'images_' + name}-{split}.tfrecord"
