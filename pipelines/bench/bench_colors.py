"""Contenders of augrng bench for colour and policies that run in TensorFlow."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import keras
import measuring
import numpy as np
import tensorflow as tf

import augrng as ar
from pipelines.rows import each

BATCH = 32
Found = dict[str, Any]


def photos(folder: Path) -> tf.Tensor:
    return tf.constant(np.stack([np.load(folder / "photo.npy")] * BATCH))


COLORS: dict[str, Callable[[], ar.Transform]] = {
    "color_jitter": lambda: ar.ColorJitter(0.4, 0.4, 0.4, 0.1),
    "rand_augment": lambda: ar.RandAugment(2, 9, interpolation="nearest"),
    "trivial_augment": lambda: ar.TrivialAugmentWide(interpolation="nearest"),
}


def colors(row: str, folder: Path) -> Found:
    """One by one, as `Dataset.map` does it."""
    measuring.one_core()
    aug = ar.Compose([COLORS[row]()], seed=7)
    images, ids = photos(folder)[:, :224, :224], tf.range(BATCH, dtype=tf.int64)
    work = tf.function(lambda epoch: each(lambda image, id_: aug(image, id_, epoch), images, ids))
    epochs = iter(range(1 << 30))
    timed = lambda: work(tf.constant(next(epochs), tf.int64))  # noqa: E731
    return {"value": measuring.cpu_time(timed, BATCH), "picture": timed()[3]}


def keras_colors(row: str, folder: Path) -> Found:
    measuring.one_core()
    layer = {
        "color_jitter": lambda: keras.layers.RandomColorJitter(
            brightness_factor=0.4, contrast_factor=0.4, saturation_factor=(0.3, 0.7), hue_factor=0.1
        ),
        "rand_augment": lambda: keras.layers.RandAugment((0, 255), 2, 0.3),
    }[row]()
    batch = tf.cast(photos(folder)[:, :224, :224], tf.float32)
    augment = tf.function(lambda images: layer(images, training=True))
    return {"value": measuring.cpu_time(lambda: augment(batch), BATCH), "picture": augment(batch)[3]}


CONTENDERS = {row: {"augrng": partial(colors, row)} for row in COLORS}
for row in ("color_jitter", "rand_augment"):
    CONTENDERS[row]["Keras layers"] = partial(keras_colors, row)
