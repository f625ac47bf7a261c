"""The first half of a pipeline whose second half runs elsewhere: on a device, or in a model's step.

The host draws, decodes what is read, moves targets, and packs the images as `augrng.finishing` takes them.
"""

from typing import Any

import tensorflow as tf

import augrng as ar
from augrng import finishing
from augrng.chain import Work
from augrng.geometry.warp import whole_borders
from augrng.output import Output
from augrng.render import columns_of, power_above
from pipelines.images.read import Reader
from pipelines.rows import lone
from pipelines.run.cause import cause_of
from pipelines.run.guard import Work as Task
from pipelines.run.moved import moved_one, moved_pixels
from pipelines.sources.source import Record, Source


def check_apart(
    aug: ar.Compose, image: tf.TensorSpec, output: Output, *, device: str | None, finish: bool
) -> bool:
    """Whether the second half runs elsewhere; refuses what cannot be packed.

    Raises:
      ValueError: says what to do.
    """
    if not device and finish:
        return False
    said = "device" if device else "finish"
    if device and not finish:
        raise ValueError(
            f"finish: must be True with device={device!r}, which finishes the images itself; leave one out"
        )
    if not finish and output != Output():
        raise ValueError(
            f"output: must be left out with finish=False, got {output!r}; give it to augrng.keras.Finish"
        )
    if image.dtype == tf.string and aug.program.first_size is None:
        raise ValueError(
            f"{said}: needs a recipe that begins with what gives images one size (a crop, a resize), so that "
            f"the host can send what is read; put it before the colours, or leave {said}= out"
        )
    if image.dtype != tf.string and not image.shape.is_fully_defined():
        raise ValueError(
            f"{said}: needs images of one size or encoded ones, got images of {image.shape}; resize them in "
            f"the source, or leave {said}= out"
        )
    return True


def packing(source: Source, reader: Reader) -> Task:
    """What reads one record as far as the second half needs it; there is no such thing for a batch."""

    def alone(record: Record) -> Record:
        record = source.load(record)
        contents = record["image"]
        plans = reader.plan_of(record, most=1)
        plan = lone(plans)
        decoded = lambda: reader.decoded(tf.identity(contents), plan)  # noqa: E731
        record = moved_one(reader.aug, record, Work(plans.whole, plans.rest), plans.size, decoded)
        image, map_, borders = record["image"]
        size, work = tf.shape(image, tf.int64)[:2], Work(map_[None], plans.rest)
        return {
            **record,
            "image": {
                finishing.PIXELS: tf.reshape(image, [-1, image.shape[-1]]),
                finishing.WORK: finishing.planned(reader.aug, work, size[None], borders[None])[0],
            },
        }

    return Task(None, alone, cause_of(source, reader, 1))


def padded(aug: ar.Compose, batch: dict[str, Any]) -> Record:
    """A batch of such records, the ragged pixels as [B, N, C]; N is a power of two, so programs are few."""
    rows, work = batch["image"][finishing.PIXELS], batch["image"][finishing.WORK]
    count = tf.shape(work)[0]
    length = power_above(tf.cast(tf.maximum(tf.reduce_max(rows.row_lengths()), 1), tf.int32), 10)
    columns = finishing.no_columns(count)
    if aug.program.antialias == "exact":
        width = tf.size(columns_of(finishing.sizes_in(work)))
        columns = tf.zeros([count, width], tf.uint8)
    image = {
        finishing.PIXELS: rows.to_tensor(shape=tf.stack([-1, length, rows.shape[-1]])),
        finishing.WORK: work,
        finishing.COLUMNS: columns,
    }
    return {**batch, "image": image}


def packed_pixels(aug: ar.Compose, batch: Record) -> Record:
    """A batch of pixels of one size, packed; its targets are moved."""

    def packed(work: Work | None) -> Any:
        image, ids = batch["image"], batch["id"]
        numbers = finishing.numbered(aug, ids, batch["epoch"])
        if aug.program.needs_boxes:
            assert work is not None
            sizes = tf.tile(tf.shape(image, tf.int64)[None, 1:3], [tf.shape(ids)[0], 1])
            numbers = finishing.planned(aug, work, sizes, whole_borders(sizes))
        columns = finishing.no_columns(tf.shape(ids)[0])
        return {finishing.PIXELS: image, finishing.WORK: numbers, finishing.COLUMNS: columns}

    return moved_pixels(aug, batch, packed)
