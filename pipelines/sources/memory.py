"""Sources of images that are in memory: arrays, and the files of MNIST and its relatives."""

import dataclasses
import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.sources.source import Source


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
