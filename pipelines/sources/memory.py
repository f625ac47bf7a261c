"""Sources of images that are in memory (arrays, the files of MNIST and its relatives), or in any dataset."""

import dataclasses
import gzip
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.sources.source import Record, Source, with_id
from pipelines.steps import never_ends


def from_arrays(
    images: Any, labels: Any = None, ids: Any = None, *, features: Mapping[str, Any] | None = None
) -> Source:
    """Images in memory, with random access.

    Args:
      images: [N, H, W, C], uint8, uint16 or float.
      labels: [N, ...], becomes "label".
      ids: int64[N]; by default 0 to N - 1.
      features: further features, name -> [N, ...].

    Raises:
      ValueError: if the lengths differ or `images` has not rank 4.
    """
    images = np.asarray(images)
    if images.ndim != 4:
        raise ValueError(f"images: must have shape [N, H, W, C], got {images.shape}")
    columns = {"image": images, "id": np.arange(len(images)) if ids is None else np.asarray(ids)}
    if labels is not None:
        columns["label"] = np.asarray(labels)
    columns.update({name: np.asarray(values) for name, values in (features or {}).items()})
    for name, values in columns.items():
        if len(values) != len(images):
            raise ValueError(
                f"{name}: must have one entry for each of {len(images)} images, got {len(values)}"
            )
    if columns["id"].dtype.kind not in "iu" or columns["id"].ndim != 1:
        raise ValueError(f"ids: must be int64[N], got {columns['id'].dtype.name}{columns['id'].shape}")
    tensors = {name: tf.constant(values) for name, values in columns.items()}
    tensors["id"] = tf.cast(tensors["id"], tf.int64)
    return Source(
        name=f"arrays {images.shape}",
        size=len(images),
        records=lambda indices: {name: tf.gather(tensor, indices) for name, tensor in tensors.items()},
    )


def from_idx(images: str | Path, labels: str | Path | None = None) -> Source:
    """Images in IDX files, as MNIST and its relatives come; ids are the places in the file.

    Source of the format: LeCun, "The MNIST database", http://yann.lecun.com/exdb/mnist.

    Args:
      images: an IDX file of bytes, [N, H, W] or [N, H, W, C], perhaps gzipped.
      labels: an IDX file of N bytes.

    Raises:
      FileNotFoundError: if there is no such file.
      ValueError: if a file is no IDX file of bytes or not as long as it says; and see `from_arrays`.
    """
    pixels = _read_idx(Path(images))
    pixels = pixels[..., None] if pixels.ndim == 3 else pixels
    source = from_arrays(pixels, None if labels is None else _read_idx(Path(labels)).astype(np.int64))
    return dataclasses.replace(source, name=f"idx {images}")


def _read_idx(path: Path) -> np.ndarray:
    contents = path.read_bytes()
    if contents[:2] == b"\x1f\x8b":
        contents = gzip.decompress(contents)
    start = 4 + 4 * contents[3] if contents[:3] == b"\0\0\x08" and len(contents) > 3 else 0
    if not 4 < start <= len(contents):
        raise ValueError(f"{path}: must be an IDX file of bytes, got one that starts {contents[:4]!r}")
    shape, data = np.frombuffer(contents[4:start], ">u4").astype(int), contents[start:]
    if len(data) != np.prod(shape):
        raise ValueError(f"{path}: must hold {np.prod(shape)} bytes as its header says, got {len(data)}")
    return np.frombuffer(data, np.uint8).reshape(shape)


def from_dataset(
    dataset: tf.data.Dataset,
    *,
    id: str | Callable[[Record], tf.Tensor] | None = None,
    image: str = "image",
) -> Source:
    """Any dataset of dicts, or of (image, label) pairs, as a stream.

    Args:
      dataset: of dicts that hold an image (encoded bytes or pixels) and something that makes an id, or of
        pairs, which become "image" and "label"; its order must be the same in every epoch, so shuffle later,
        not before.
      id: the feature that is the id (int64, or strings to hash), or a function of the record. By default
        "id", and of pairs the place in the dataset.
      image: the feature that is the image.

    Raises:
      TypeError: if it is no dataset, or its elements are neither dicts nor pairs.
      ValueError: if the image or the id is missing, or the dataset never ends.
    """
    if not isinstance(dataset, tf.data.Dataset):
        raise TypeError(
            f"dataset: must be a tf.data.Dataset, got {type(dataset).__name__}; from_arrays takes arrays"
        )
    if never_ends(dataset):
        raise ValueError(
            "dataset: must end, got one that repeats for ever; leave repeat() out, epochs= repeats"
        )
    spec = dataset.element_spec
    if isinstance(spec, tuple) and len(spec) == 2:
        dataset = dataset.enumerate().map(_of_pair)
        spec, id = dataset.element_spec, "id" if id is None else id
    if not isinstance(spec, dict):
        raise TypeError(
            "dataset: its elements must be dicts, or (image, label) pairs; make dicts with "
            f'dataset.map(lambda image, ...: {{"image": image, ...}}), got elements {spec}'
        )
    key: str | Callable[[Record], tf.Tensor] = "id" if id is None else id
    for name in (image, key) if isinstance(key, str) else (image,):
        if name not in spec:
            do = "; id= names a feature, or makes one of a record" if name == key else "; image= names it"
            raise ValueError(f"dataset: its elements must have {name!r}, got {sorted(spec)}{do}")
    size = int(dataset.cardinality())
    return Source(
        name="dataset",
        size=size if size >= 0 else None,
        stream=lambda: dataset.map(lambda record: with_id({**record, "image": record[image]}, key)),
    )


def _of_pair(place: tf.Tensor, pair: tuple[tf.Tensor, tf.Tensor]) -> Record:
    return {"image": pair[0], "label": pair[1], "id": place}
