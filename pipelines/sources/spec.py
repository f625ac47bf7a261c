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


def open_source(spec: str, data_dir: str | None = None, label: str | None = None) -> tuple[Source, str, int]:
    """Opens digits, photos, scenes, folder:DIR, tfds:NAME[:SPLIT], tfds-dir:DIR[:SPLIT], tfrecord:GLOB,
    idx:FILES.

    The records of tfrecord: have the features "image" (encoded), "id" (int64) and `label` (int64) if given.
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
        names = ("id", label) if label else ("id",)
        features = {name: tf.io.FixedLenFeature([], tf.int64) for name in names}
        features["image"] = tf.io.FixedLenFeature([], tf.string)
        return from_tfrecords(rest, features), _stem("records"), 3
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


def _stem(name: str, split: str = "train") -> str:
    """The start of the names of shards, as TFDS wants them."""
    name = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
    return f"{name if name[:1].isalpha() else 'images_' + name}-{split}.tfrecord"
