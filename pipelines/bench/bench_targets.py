"""Contenders of augrng bench for masks and boxes, for mixing, and for the Keras layers, in TensorFlow."""

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import bench_colors
import measuring
import numpy as np
import tensorflow as tf

import augrng as ar
import pipelines as pl
from augrng.keras import Augment, Finish

_BATCH, _MIXED = 16, 64
_COUNT, _FED = 256, bench_colors.BATCH


def targets(folder: Path) -> dict[str, Any]:
    """A batch of one photograph, its mask and its boxes, on one core."""
    measuring.one_core()
    example = measuring.labelled(folder)
    batch = {name: tf.constant(np.stack([value] * _BATCH)) for name, value in example.items()}
    declared = {
        "mask": ar.Mask(255),
        "boxes": ar.Boxes("xyxy", min_visible=0.1, max_boxes=len(example["boxes"])),
    }
    side, degrees = measuring.LABELLED
    transforms = [ar.RandomCrop(side, side), ar.RandomFlip(), ar.RandomRotation(degrees)]
    aug, ids = ar.Compose(transforms, seed=7, targets=declared), tf.range(_BATCH, dtype=tf.int64)
    work = tf.function(lambda epoch: aug(batch, ids, epoch))
    epochs = iter(range(1 << 30))
    timed = lambda: work(tf.constant(next(epochs), tf.int64))  # noqa: E731
    return {"value": measuring.cpu_time(timed, _BATCH), "picture": timed()["image"][0]}


def mixing(mixes: bool, folder: Path) -> dict[str, Any]:
    """Small JPEGs in `make_dataset`, each with another one or not, CPU time on one core."""
    measuring.one_core()
    transforms = [ar.RandomResizedCrop(224, 224), ar.RandomFlip(), ar.RandomRotation(30)]
    aug = ar.Compose([*transforms, *([ar.MixUp(0.2, label=None)] if mixes else [])], seed=7)
    source = pl.from_folder(folder / next(iter(measuring.JPEGS)))
    batches = iter(pl.make_dataset(source, aug, batch_size=_MIXED, epochs=None, seed=1))
    return {"value": measuring.cpu_time_of(batches, _MIXED), "picture": next(batches)["image"][0]}


def _recipe() -> ar.Compose:
    return ar.Compose([ar.RandomCrop(224, 224), ar.RandomFlip(), ar.RandomRotation(15)], seed=7)


def _photos(folder: Path) -> np.ndarray:
    return np.tile(np.load(folder / "photo.npy"), (_COUNT, 1, 1, 1))


def of_layer(layer: Callable[..., tf.Tensor], batches: tf.data.Dataset) -> dict[str, Any]:
    """CPU time an example of a compiled step that is the layer alone, on four batches in turn."""
    step = tf.function(lambda batch: layer(batch, training=True), jit_compile=True, autograph=False)
    stepped = (step(batch) for batch in itertools.cycle(list(batches.take(4))))
    return {"value": measuring.cpu_time_of(stepped, _FED), "picture": 255 * next(stepped)[0]}


def finish(folder: Path) -> dict[str, Any]:
    measuring.one_core()
    source, aug = pl.from_arrays(_photos(folder)), _recipe()
    batches = pl.make_dataset(source, aug, batch_size=_FED, epochs=None, seed=1, finish=False)
    return of_layer(Finish(aug, output="unit"), batches.map(lambda batch: batch["image"]))


def augment(folder: Path) -> dict[str, Any]:
    measuring.one_core()
    columns = {"image": _photos(folder), "id": np.arange(_COUNT), "epoch": np.zeros(_COUNT, np.int64)}
    examples = tf.data.Dataset.from_tensor_slices(columns).shuffle(_COUNT, seed=1)
    return of_layer(
        Augment(_recipe(), output="unit"), examples.repeat().batch(_FED).prefetch(tf.data.AUTOTUNE)
    )


CONTENDERS = {
    "layers": {"augrng": finish, "Augment": augment},
    "targets": {"augrng": targets},
    "mix_up": {"augrng": partial(mixing, True), "augrng without MixUp": partial(mixing, False)},
}
