#!/usr/bin/env python3
"""Segmentation and detection on the drawn scenes, with and without augmentation, over several seeds.

Small models learn from a few pictures, whose middles are seen as they are, or windows at random, mirrored
and turned, for equally many steps. Both are tested on the middles of pictures that neither has seen. Prints
tables of means and ranges; the README's pages are made of the same parts.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import keras
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from tqdm import tqdm

import augrng as ar
import pipelines as pl
from pipelines.commands.starting import start
from pipelines.sources.digits import prepared
from pipelines.sources.scenes import CLASSES, Scenes

SIDE, CELLS = 48, 6  # of pictures, in pixels, and of the grid that boxes are found in
TASKS = {
    "segmentation": ("rectangles, IoU", "discs, IoU"),
    "detection": ("boxes, IoU", "classes, share that is right"),
}
Figures = dict[str, dict[str, list[float]]]


def segmenter() -> keras.Model:
    """Pictures [B, 48, 48, 3] in [0, 1] -> the probabilities of 3 classes for each pixel."""
    image = keras.Input((SIDE, SIDE, 3))
    half = _conv(16, 2)(image)
    deep = _conv(48)(_conv(32, 2)(half))
    both = keras.layers.Concatenate()([keras.layers.UpSampling2D()(deep), half])
    fine = keras.layers.UpSampling2D()(_conv(32)(both))
    model = keras.Model(image, keras.layers.Conv2D(3, 3, padding="same", activation="softmax")(fine))
    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=255)
    model.compile(keras.optimizers.Adam(4e-3), loss, jit_compile=False)
    return model


class Detector(keras.Model):
    """Pictures -> for each of 6x6 cells [B, 36, 7]: scores of no object and of each class, and the box.

    A cell tells of the object whose centre lies there; the box is (y1, x1, y2, x2) as shares of the sides.
    """

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tf.Tensor:
        kind, boxes = on_grid(y)
        named = keras.losses.sparse_categorical_crossentropy(kind, y_pred[..., :3], from_logits=True)
        off = tf.reduce_sum(tf.abs(boxes - y_pred[..., 3:]), -1) * tf.cast(kind > 0, tf.float32)
        return tf.reduce_mean(named + 4 * off)


def detector() -> Detector:
    """A new `Detector`."""
    image = cells = keras.Input((SIDE, SIDE, 3))
    for filters, stride in ((16, 2), (32, 2), (64, 2), (64, 1)):
        cells = _conv(filters, stride)(cells)
    cells = keras.layers.Reshape((CELLS**2, 7))(keras.layers.Conv2D(7, 3, padding="same")(cells))
    y, x = np.divmod(np.arange(CELLS**2, dtype=np.float32), CELLS) / np.float32(CELLS) + 0.5 / CELLS
    origin = np.stack([*[np.zeros_like(y)] * 3, y, x, y, x], -1)  # boxes are told from their cell
    model = Detector(image, cells + origin)
    model.compile(keras.optimizers.Adam(4e-3), jit_compile=False)
    return model


def on_grid(y: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """Of padded boxes, what each cell should say: float32[B, 36], 0 for nothing, and boxes [B, 36, 4]."""
    y1, x1, y2, x2 = tf.unstack(y["boxes"], axis=-1)
    row, column = (tf.cast((low + high) * (CELLS / 2), tf.int32) for low, high in ((y1, y2), (x1, x2)))
    here = tf.one_hot(tf.where(y["valid"], row * CELLS + column, -1), CELLS**2)
    kind = tf.reduce_max(here * tf.cast(y["label"] + 1, tf.float32)[..., None], 1)
    return kind, tf.minimum(tf.einsum("bnc,bnk->bck", here, y["boxes"]), 1)


def mask_scores(model: keras.Model, pictures: Any) -> list[float]:
    """The intersection over union of rectangles, and of discs, over all pixels of (image, mask)."""
    both, either = np.zeros(len(CLASSES)), np.zeros(len(CLASSES))
    for images, masks in pictures:
        found, true = np.argmax(model(images), -1), masks.numpy()[..., 0]
        for label in range(len(CLASSES)):
            here, there = found == label + 1, true == label + 1
            both[label] += np.sum(here & there)
            either[label] += np.sum((here | there) & (true != 255))
    return (both / either).tolist()


def box_scores(model: keras.Model, pictures: Any) -> list[float]:
    """Of the cells with an object: the boxes' mean intersection over union, the share of right classes."""
    shares, right = [], []
    for images, y in pictures:
        (kind, true), said = (part.numpy() for part in on_grid(y)), model(images).numpy()
        there = kind > 0
        a, b = true[there], said[there][:, 3:]
        inner = np.maximum(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0).prod(-1)
        areas = [np.maximum(box[:, 2:] - box[:, :2], 0).prod(-1) for box in (a, b)]
        shares.append(inner / (areas[0] + areas[1] - inner))
        right.append(np.argmax(said[there][:, :3], -1) == kind[there])
    return [float(np.mean(np.concatenate(part))) for part in (shares, right)]


def recipe(task: str) -> ar.Compose:
    """What pictures are trained on with; its evaluation form is the middle."""
    boxes = ar.Boxes("rel_yxyx", labels="objects/label", min_visible=0.3, max_boxes=8)
    masks = {"segmentation_mask": ar.Mask(fill_value=255)}
    targets: Any = {"segmentation": masks, "detection": {"objects/bbox": boxes}}
    moves = [ar.RandomCrop(SIDE, SIDE), ar.RandomFlip("horizontal_and_vertical"), ar.RandomQuarterTurn()]
    return ar.Compose(moves, seed=7, targets=targets[task])


def pairs(task: str, source: pl.Source, aug: ar.Compose, batch_size: int = 16, **options: Any) -> Any:
    """Batches of (image, mask), or of (image, {"boxes", "label", "valid"}), for `fit`."""

    def pair(batch: dict[str, Any]) -> tuple[Any, Any]:
        if task == "segmentation":
            return batch["image"], batch["segmentation_mask"]
        objects = batch["objects"]
        return batch["image"], {
            "boxes": objects["bbox"], "label": objects["label"], "valid": objects["bbox_valid"]
        }  # fmt: skip

    return pl.make_dataset(source, aug, batch_size=batch_size, output="unit", **options).map(pair)


def measure(task: str, seeds: int, steps: int, pictures: int, data_dir: str) -> Figures:
    """Scores in percent of each training, without and with augmentation."""
    builder = prepared(Scenes, data_dir)
    train, test = (pl.from_tfds(builder, split) for split in ("train", "test"))
    moving = recipe(task)
    still = moving.evaluation()
    assert still is not None
    held_out = list(pairs(task, test, still, 50, shuffle=False))
    make, scores = {"segmentation": (segmenter, mask_scores), "detection": (detector, box_scores)}[task]
    figures: Figures = {kind: {name: [] for name in TASKS[task]} for kind in ("without", "with augmentation")}
    source = train.take(pictures)
    with tqdm(total=2 * seeds, unit=" trainings") as bar:
        for seed in range(seeds):
            for found, aug in zip(figures.values(), (still, moving), strict=True):
                ar.seed_everything(seed)
                model, batches = make(), pairs(task, source, aug, epochs=None, seed=seed)
                model.fit(batches, steps_per_epoch=steps, verbose=0)
                for name, score in zip(TASKS[task], scores(model, held_out), strict=True):
                    found[name].append(100 * score)
                bar.update()
    return figures


def table(task: str, figures: Figures, steps: int) -> str:
    """Means and ranges, as Markdown."""
    lines = [f"| {steps} steps | " + " | ".join(TASKS[task]) + " |", "|---|---|---|"]
    for kind, found in figures.items():
        cells = [f"{statistics.mean(v):.1f} % ({min(v):.1f} to {max(v):.1f})" for v in found.values()]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--task", choices=TASKS, action="append", help="only this one")
    add("--seeds", type=int, default=3, help="how many trainings of each kind (default 3)")
    add("--steps", type=int, default=1000, help="of 16 pictures, of each training (default 1000)")
    add("--pictures", type=int, default=64, help="that are trained on (default 64)")
    add("--data-dir", default="out/data", help="where the scenes are built (default out/data)")
    add("--json", type=Path, help="write the figures here")
    args = parser.parse_args(arguments)
    tfds.disable_progress_bar()
    tf.get_logger().setLevel("ERROR")
    all_figures = {}
    for task in args.task or TASKS:
        all_figures[task] = measure(task, args.seeds, args.steps, args.pictures, args.data_dir)
        print(table(task, all_figures[task], args.steps) + "\n", flush=True)
    if args.json:
        args.json.write_text(json.dumps(all_figures, indent=1))


def _conv(filters: int, stride: int = 1) -> keras.layers.Layer:
    return keras.layers.Conv2D(filters, 3, stride, padding="same", activation="relu")


if __name__ == "__main__":
    start(main)
