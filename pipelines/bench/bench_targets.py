"""Contenders of augrng bench for images with masks and boxes, and for mixing, that run in TensorFlow."""

from functools import partial
from pathlib import Path
from typing import Any

import measuring
import numpy as np
import tensorflow as tf

import augrng as ar
import pipelines as pl

_BATCH, _MIXED = 16, 64


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


CONTENDERS = {
    "targets": {"augrng": targets},
    "mix_up": {"augrng": partial(mixing, True), "augrng without MixUp": partial(mixing, False)},
}
