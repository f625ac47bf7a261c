"""TFDS datasets as sources."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

import augrng as ar
from pipelines.sources.record_files import check_access, in_order, indexed, random_access
from pipelines.sources.source import DTYPES, Record, Source, with_id

_RAW = "raw pixels behind their size, uint8[H, W, {}]; pipelines.images.decode reads them"


def from_tfds(
    name_or_builder: Any,
    split: str = "train",
    *,
    data_dir: str | Path | None = None,
    image: str = "image",
    id: str | Callable[[Record], tf.Tensor] = "tfds_id",
    access: str = "auto",
    index_dir: str | Path | None = None,
) -> Source:
    """A TFDS dataset that is prepared on disk, in file order; ids are hashes of `tfds_id`s.

    With random access where its files are TFRecords of one folder that TFDS reads as usual, which is nearly
    always; else a stream. They are indexed first; see `pipelines.sources.offsets`. A record that cannot be
    read goes by its `tfds_id`, whatever ids are made of. ArrayRecord files are refused: the format is made
    for random access, but its reader is called from Python, there is no operation of TensorFlow's for it,
    and nothing here runs Python for each record.

    Images stay encoded until they are decoded in the pipeline, to the channels and the dtype that the feature
    says; float images come decoded. For datasets laid out by hand pass `tfds.builder_from_directory(...)` or
    `tfds.folder_dataset.ImageFolder(...)`.

    Args:
      name_or_builder: a name for `tfds.builder`, or a builder.
      split: such as "train" or "train[:10%]".
      data_dir: where to look, for a name.
      image: the feature that holds the image.
      id: the feature that is the id (int64, or strings to hash), or a function of the record.
      access: "auto", "random" (an error where there is none) or "stream".
      index_dir: where the index is kept, by default in the user's folder for caches.

    Raises:
      FileNotFoundError: if the dataset is not prepared, or lacks a file.
      ValueError: if it has no such feature, is made of ArrayRecord files, has no random access and that was
        asked for, or a file holds more records than the dataset says.
    """
    check_access(access)
    builder = (
        tfds.builder(name_or_builder, data_dir=data_dir)
        if isinstance(name_or_builder, str)
        else name_or_builder
    )
    if isinstance(builder, tfds.ImageFolder):
        return _from_image_folder(builder, split)
    features: Any = builder.info.features or {}
    if image not in features:
        raise ValueError(
            f"image: must be a feature of {builder.name}, one of {sorted(features)}, got {image!r}"
        )
    if isinstance(id, str) and id not in (*features, "tfds_id"):
        raise ValueError(
            f'id: must be "tfds_id" or a feature of {builder.name}, one of {sorted(features)}, got {id!r}'
        )
    channels, dtype = _kind(features[image])
    encoded = dtype is not None
    if not builder.data_path.exists():
        raise FileNotFoundError(
            f"{builder.name}: must be prepared first (download_and_prepare), none at {builder.data_path}"
        )

    decoders = {image: tfds.decode.SkipDecoding()} if encoded else None

    def parse(where: Record, example: tf.Tensor) -> Record:
        record = {**features.deserialize_example(example, decoders=decoders), **where}
        return with_id({**record, "image": record[image]}, id)

    split_info = builder.info.splits[split]
    made = Source(
        f"tfds {builder.info.full_name} {split}",
        split_info.num_examples,
        class_names=tuple(getattr(features["label"], "names", ())) if "label" in features else (),
        channels=channels,
        dtype=dtype,
    )
    shards = split_info.file_instructions
    paths, parts = [str(shard.filename) for shard in shards], [(shard.skip, shard.take) for shard in shards]
    if not _are_plain(builder, shards):
        if access == "random":
            rule = 'must be "stream" where TFDS does not read TFRecords of one folder as usual'
            raise ValueError(f'access: {rule}, as in {builder.name}, got "random"')
        return dataclasses.replace(made, stream=lambda: _as_dataset(builder, split, decoders, image, id))
    bounds = indexed(paths, access, index_dir)
    if bounds is None:
        return dataclasses.replace(made, stream=lambda: in_order(paths, parse, "tfds_id", parts=parts))
    for shard, found in zip(shards, bounds, strict=True):
        if len(found) - 1 > shard.examples_in_shard:
            raise ValueError(
                f"{shard.filename}: must hold {shard.examples_in_shard} records as dataset_info.json says, "
                f"got {len(found) - 1}; prepare the dataset again"
            )
    known = ("tfds_id", "id") if id == "tfds_id" else ("tfds_id",)
    return random_access(made, paths, bounds, parts, parse, "tfds_id", known)


def _are_plain(builder: Any, shards: Any) -> bool:
    """Whether the records are in TFRecord files of one folder, and TFDS makes examples of them as usual.

    Raises:
      ValueError: for ArrayRecord files.
    """
    if builder.info.file_format == tfds.core.FileFormat.ARRAY_RECORD:
        raise ValueError(
            f"{builder.name}: must be of TFRecord files, got array_record, which no operation of "
            'TensorFlow\'s reads; prepare it with file_format="tfrecord", or convert it (tfds convert_format)'
        )
    as_usual = type(builder)._as_dataset is tfds.core.GeneratorBasedBuilder._as_dataset
    one_folder = len({shard.dirname() for shard in shards}) == 1
    return as_usual and one_folder and builder.info.file_format == tfds.core.FileFormat.TFRECORD


def _as_dataset(builder: Any, split: str, decoders: Any, image: str, id: Any) -> tf.data.Dataset:
    """The records as TFDS itself reads them."""
    read = tfds.ReadConfig(add_tfds_id=True, interleave_cycle_length=1)
    dataset = builder.as_dataset(split=split, shuffle_files=False, read_config=read, decoders=decoders)
    return dataset.map(lambda record: with_id({**record, "image": record[image]}, id))


def raw_feature(channels: int) -> tfds.features.FeatureConnector:
    """The feature of images that lie as raw pixels (see `pipelines.images.formats`): strings, to TFDS."""
    return tfds.features.Tensor(shape=(), dtype=np.object_, doc=_RAW.format(channels))


def _kind(feature: Any) -> tuple[int | None, str | None]:
    """Channels and dtype of the images of a feature; no dtype if TFDS decodes them, or they are strings."""
    for channels in (1, 3):
        if feature.doc.desc == _RAW.format(channels):
            return channels, None
    if not isinstance(feature, tfds.features.Image):
        return None, None
    dtype = tf.as_dtype(feature.dtype).name
    said = feature.shape[-1] or None
    return (said, dtype) if dtype in DTYPES else (None, None)


def _from_image_folder(builder: Any, split: str) -> Source:
    """`tfds.folder_dataset.ImageFolder`: its files with random access; ids are those of their paths."""
    splits = builder._split_examples
    if split not in splits:
        raise ValueError(
            f"split: must be a subfolder of {builder._data_dir}, one of {sorted(splits)}, got {split!r}; "
            "Source.split and Source.take make parts of one"
        )
    examples = splits[split]
    paths = [example.image_path for example in examples]
    root = Path(builder._data_dir) / split
    ids = ar.string_ids([Path(path).relative_to(root).as_posix() for path in paths])
    names = tuple(builder.info.features["label"].names)
    labels = tf.constant([names.index(example.label) for example in examples], tf.int64)
    columns = {"path": tf.constant([str(path) for path in paths]), "label": labels, "id": ids}

    def records(indices: tf.Tensor) -> Record:
        return {name: tf.gather(column, indices) for name, column in columns.items()}

    def load(record: Record) -> Record:
        return {**record, "image": tf.io.read_file(record["path"])}

    return Source(f"tfds image folder {root}", len(paths), records=records, load=load, class_names=names)
