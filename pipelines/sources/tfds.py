"""TFDS datasets as sources."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_datasets as tfds

import augrng as ar
from pipelines.sources.source import DTYPES, Record, Source, with_id
from pipelines.sources.tfrecord import read_files


def from_tfds(
    name_or_builder: Any,
    split: str = "train",
    *,
    data_dir: str | Path | None = None,
    image: str = "image",
    id: str | Callable[[Record], tf.Tensor] = "tfds_id",
) -> Source:
    """A TFDS dataset that is prepared on disk, as a stream in file order; ids are hashes of `tfds_id`s.

    Images stay encoded until they are decoded in the pipeline, to the channels and the dtype that the feature
    says; float images come decoded. A corrupt file stops the run with its name. For datasets laid out by hand
    pass `tfds.builder_from_directory(...)` or `tfds.folder_dataset.ImageFolder(...)`.

    Args:
      name_or_builder: a name for `tfds.builder`, or a builder.
      split: such as "train" or "train[:10%]".
      data_dir: where to look, for a name.
      image: the feature that holds the image.
      id: the feature that is the id (int64, or strings to hash), or a function of the record.

    Raises:
      FileNotFoundError: if the dataset is not prepared.
      ValueError: if it has no such feature.
    """
    builder = (
        tfds.builder(name_or_builder, data_dir=data_dir)
        if isinstance(name_or_builder, str)
        else name_or_builder
    )
    if isinstance(builder, tfds.ImageFolder):
        return _from_image_folder(builder, split)
    features = builder.info.features or {}
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

    def stream() -> tf.data.Dataset:
        dataset = _records(builder, split, {image: tfds.decode.SkipDecoding()} if encoded else None)
        return dataset.map(lambda record: with_id({**record, "image": record[image]}, id))

    classes = tuple(getattr(features["label"], "names", ())) if "label" in features else ()
    return Source(
        f"tfds {builder.info.full_name} {split}",
        builder.info.splits[split].num_examples,
        stream=stream,
        class_names=classes,
        channels=channels,
        dtype=dtype,
    )


def _records(builder: Any, split: str, decoders: Any) -> tf.data.Dataset:
    """What `builder.as_dataset` gives with "tfds_id", in file order; a corrupt file is named where TFDS reads
    TFRecords of one folder."""
    shards = builder.info.splits[split].file_instructions
    as_usual = type(builder)._as_dataset is tfds.core.GeneratorBasedBuilder._as_dataset
    one_folder = len({shard.dirname() for shard in shards}) == 1
    if not (as_usual and one_folder and builder.info.file_format == tfds.core.FileFormat.TFRECORD):
        read = tfds.ReadConfig(add_tfds_id=True, interleave_cycle_length=1)
        return builder.as_dataset(split=split, shuffle_files=False, read_config=read, decoders=decoders)

    def parse(place: tf.Tensor, example: tf.Tensor) -> Record:
        tfds_id = tf.strings.regex_replace(place, r"^.*/([^/]*)\[(\d+)\]$", r"\1__\2")
        return {**builder.info.features.deserialize_example(example, decoders=decoders), "tfds_id": tfds_id}

    parts = [(shard.skip, shard.take) for shard in shards]
    records = read_files([str(shard.filename) for shard in shards], parts=parts)
    return records.map(parse, num_parallel_calls=tf.data.AUTOTUNE)


def _kind(feature: Any) -> tuple[int | None, str | None]:
    """Channels and dtype of the images of a feature; no dtype if they are not to be decoded here."""
    if not isinstance(feature, tfds.features.Image):
        return None, None
    dtype = tf.as_dtype(feature.dtype).name
    channels = feature.shape[-1] or None
    return (channels, dtype) if dtype in DTYPES else (None, None)


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
