"""Contenders of scripts/bench.py: the Keras layers, fed by their datasets, without a network after them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bench_colors
import measuring
import numpy as np
import tensorflow as tf

import augrng as ar
import pipelines as pl
from augrng.keras import Augment, Finish

COUNT, BATCH = 256, bench_colors.BATCH


def recipe() -> ar.Compose:
    return ar.Compose([ar.RandomCrop(224, 224), ar.RandomFlip(), ar.RandomRotation(15)], seed=7)


def photos(folder: Path) -> np.ndarray:
    return np.tile(np.load(folder / "photo.npy"), (COUNT, 1, 1, 1))


def of_layer(layer: Callable[..., tf.Tensor], batches: tf.data.Dataset) -> dict[str, Any]:
    """CPU time an example of a compiled step in which there is nothing but the layer."""
    step = tf.function(lambda batch: layer(batch, training=True), jit_compile=True, autograph=False)
    stepped = (step(batch) for batch in batches)
    return {"value": measuring.cpu_time_of(stepped, BATCH), "picture": 255 * next(stepped)[0]}


def finish(folder: Path) -> dict[str, Any]:
    measuring.one_core()
    source, aug = pl.from_arrays(photos(folder)), recipe()
    batches = pl.make_dataset(source, aug, batch_size=BATCH, epochs=None, seed=1, finish=False)
    return of_layer(Finish(aug, output="unit"), batches.map(lambda batch: batch["image"]))


def augment(folder: Path) -> dict[str, Any]:
    measuring.one_core()
    columns = {"image": photos(folder), "id": np.arange(COUNT), "epoch": np.zeros(COUNT, np.int64)}
    examples = tf.data.Dataset.from_tensor_slices(columns).shuffle(COUNT, seed=1)
    return of_layer(
        Augment(recipe(), output="unit"), examples.repeat().batch(BATCH).prefetch(tf.data.AUTOTUNE)
    )


CONTENDERS = {"layers": {"augrng": finish, "Augment": augment}}
