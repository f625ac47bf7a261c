"""Masks, boxes and keypoints of a batch, moved as its images are.

Images are read, in parts, without a look at these; of each image its map and its size is enough. Encoded
masks are decoded once, here.
"""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

import augrng as ar
from augrng.chain import Work
from augrng.targets import Target
from augrng.targets.base import found, put
from pipelines.images.masks import decode_mask
from pipelines.rows import batch_of, each, lone
from pipelines.sources.source import Record


def targets_of(aug: ar.Compose, record: Mapping[str, Any]) -> Mapping[str, Target]:
    """The targets in records, or batches, with these features, by name."""
    return aug.program.targets_of(record)


def moved(aug: ar.Compose, batch: Record, work: Work, sizes: Any, read: Callable[[], Any]) -> Record:
    """A batch with its targets moved, and its images.

    One comes after the other, what is soon refused first: of two that fail at once TensorFlow says that the
    second was cancelled, and no more.

    Args:
      aug: the recipe.
      batch: of records, with "id"; masks of one size or several, or encoded.
      work: what is done to the images, [N]; see `Program.plan`.
      sizes: int64[N, 2], height and width of the images, upright.
      read: makes the images that come out.
    """
    program, targets = aug.program, targets_of(aug, batch)
    alone = {name: target for name, target in targets.items() if _goes_alone(batch, name, target)}
    together = {name: target for name, target in targets.items() if name not in alone}
    batch = program.move(batch, together, work, sizes, batch["id"], single=False)
    with tf.control_dependencies(_tensors(batch, together)):
        batch = {**batch, "image": read()}
    for name, target in alone.items():

        def one(mask: tf.Tensor, work: Work, size: tf.Tensor, id_: tf.Tensor, target: Any = target) -> Any:
            first = batch_of((work, size, id_))
            return program.move({"mask": _decoded(mask)}, {"mask": target}, *first, single=True)["mask"]

        with tf.control_dependencies(tf.nest.flatten(batch["image"])):
            ids = tf.identity(batch["id"])
        batch = put(batch, name, each(one, found(batch, name), work, sizes, ids))
    return batch


def moved_one(
    aug: ar.Compose, record: Record, work: Work, sizes: tf.Tensor, read: Callable[[], Any]
) -> Record:
    """`moved` for a record; `work` and `sizes` are [1]."""
    targets = targets_of(aug, record)
    points = {name: target for name, target in targets.items() if not isinstance(target, ar.Mask)}
    record = aug.program.move(record, points, work, sizes, record["id"][None], single=True)
    with tf.control_dependencies(_tensors(record, points)):
        masks = {name: target for name, target in targets.items() if name not in points}
        for name in masks:
            record = put(record, name, _decoded(tf.identity(found(record, name))))
    record = aug.program.move(record, masks, work, sizes, record["id"][None], single=True)
    with tf.control_dependencies(_tensors(record, targets)):
        return {**record, "image": read()}


def fault(aug: ar.Compose, record: Record, work: Work, sizes: tf.Tensor) -> tf.Tensor:
    """The rule that targets of a record break, in words, which cannot be moved; never fails."""
    said = tf.constant("its mask cannot be decoded, or has not the size that its image asks for")
    for name, target in targets_of(aug, record).items():
        if not isinstance(target, ar.Mask):
            passed, rules = aug.program.passed(record, name, target, work, sizes)
            for rule, kept in zip(rules, tf.unstack(passed[:, 0], len(rules)), strict=True):
                said = tf.where(kept, said, rule)
    return said


def augmented(aug: ar.Compose, batch: Record) -> Record:
    """A batch of pixels, augmented: of one size by one program, of several one by one."""
    image, ids, epochs = batch["image"], batch["id"], batch["epoch"]

    def one(image: tf.RaggedTensor | tf.Tensor, id_: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
        return aug(_dense(image), id_, epoch)

    def planned(image: tf.RaggedTensor | tf.Tensor, id_: tf.Tensor, work: Work) -> tf.Tensor:
        return lone(aug.program.rendered(*batch_of((_dense(image), id_, work))))

    def read(work: Work | None) -> tf.Tensor:
        known = tf.identity(ids)  # comes after what `moved_pixels` wants first
        if aug.program.needs_boxes:
            return each(planned, image, known, work)
        if not isinstance(image, tf.RaggedTensor) and not aug.program.chooses:
            return aug(image, known, epochs)
        return each(one, image, known, epochs)

    return moved_pixels(aug, batch, read)


def of_one(make: Callable[[Record], Record], record: Record) -> Record:
    """What `make` makes of a batch of one record."""
    batch = batch_of(record)
    return tf.nest.map_structure(lambda part: part[0], make(batch))


def _dense(image: tf.RaggedTensor | tf.Tensor) -> tf.Tensor:
    return image.to_tensor() if isinstance(image, tf.RaggedTensor) else image


def moved_pixels(aug: ar.Compose, batch: Record, read: Callable[[Work | None], Any]) -> Record:
    """`moved` for a batch whose images are pixels, of one size or ragged; `read` is told what is done to
    them, if anything is to be moved."""
    seen = aug.program.seen(batch, single=False)
    if not targets_of(aug, batch):
        return {**batch, "image": read(None)}
    image = batch["image"]
    if isinstance(image, tf.RaggedTensor):
        rows = tf.range(tf.shape(batch["id"])[0])
        sizes = tf.map_fn(
            lambda row: tf.shape(image[row].to_tensor(), tf.int64)[:2], rows, fn_output_signature=tf.int64
        )
    else:
        sizes = tf.tile(tf.shape(image, tf.int64)[None, 1:3], [tf.shape(image)[0], 1])
    work = aug.program.plan(batch["id"], batch["epoch"], sizes, seen)
    return moved(aug, batch, work, sizes, lambda: read(work))


def _tensors(batch: Record, targets: Mapping[str, Target]) -> list[tf.Tensor]:
    """What targets are made of."""
    return tf.nest.flatten([found(batch, name) for name in targets], expand_composites=True)


def _goes_alone(batch: Record, name: str, target: Target) -> bool:
    """Whether a mask must be read by itself: encoded, or of several sizes."""
    if not isinstance(target, ar.Mask):
        return False
    mask = found(batch, name)
    return isinstance(mask, tf.RaggedTensor) or mask.dtype == tf.string


def _decoded(mask: tf.Tensor | tf.RaggedTensor) -> tf.Tensor:
    """The pixels of a mask that is encoded, or that is ragged, out of a batch of several sizes."""
    if isinstance(mask, tf.RaggedTensor):
        return mask.to_tensor()
    return decode_mask(mask) if mask.dtype == tf.string else mask
