"""Why an encoded image cannot be used, found out in the graph, without TensorFlow's log.

An error of TensorFlow's cannot be caught there, but the step that fails can be told: reading the file,
reading the header, a rule that the header breaks, decoding.
"""

from collections.abc import Callable

import tensorflow as tf

import augrng as ar
from augrng.chain import Work
from pipelines.images.read import Reader
from pipelines.rows import each, lone
from pipelines.run.moved import fault, targets_of
from pipelines.sources.source import Record, Source
from pipelines.steps import mapped

_FORMATS = ("", "JPEG", "PNG", "GIF", "BMP", "WebP", "raw")  # by `header`'s codes


def cause_of_pixels(aug: ar.Compose) -> Callable[[Record], tf.data.Dataset]:
    """`cause_of` for records whose images are pixels: what keeps their targets from being moved."""

    def cause(record: Record) -> tf.data.Dataset:
        sizes = tf.shape(record["image"], tf.int64)[None, :2]
        seen = aug.program.seen(record, single=True)
        work = aug.program.plan(record["id"][None], record["epoch"], sizes, seen)
        return tf.data.Dataset.from_tensors(fault(aug, record, work, sizes))

    return cause


def cause_of(source: Source, reader: Reader, rows: int) -> Callable[[Record], tf.data.Dataset]:
    """What says of a record that cannot be read through a recipe why, as a dataset of one string.

    (To take an element out of a dataset inside of another counts as state, and would keep iterators from
    being saved.)
    """

    def of_plan(record: Record) -> tf.Tensor:
        plan = lone(reader.plan_of(record, most=rows))
        height, width = (tf.strings.as_string(side) for side in tf.unstack(plan.size))
        claim = tf.strings.join(["; its header says height ", height, ", width ", width])
        rules = [f"it is {reader.rules[0]}", *reader.rules[1:]]
        data = tf.strings.join(["its ", tf.gather(_FORMATS, plan.format), " data is truncated or corrupt"])
        text = tf.gather([*rules, ""], plan.refusal)
        text = tf.where(tf.equal(plan.refusal, len(rules)), data, text)
        text = tf.where(tf.equal(plan.refusal, 0), text, tf.strings.join([text, claim]))
        return tf.where(tf.equal(tf.strings.length(record["image"]), 0), "it is empty", text)

    def of_targets(record: Record) -> tuple[tf.Tensor, tf.Tensor]:
        """An image, which fails if it cannot be read, and what keeps its targets from being moved."""
        plans = reader.plan_of(record, most=rows)
        read = each(reader.pixels, record["image"][None], plans)
        return read, fault(reader.aug, record, Work(plans.whole, plans.rest), plans.size)

    def cause(record: Record) -> tf.data.Dataset:
        loaded = mapped(tf.data.Dataset.from_tensors(record), source.load).ignore_errors()
        texts = mapped(loaded, of_plan).ignore_errors()
        if targets_of(reader.aug, loaded.element_spec):
            said = mapped(mapped(loaded, of_targets), lambda read, said: said)
            texts = said.ignore_errors().concatenate(texts)
        texts = texts.concatenate(mapped(loaded, lambda _: "its JPEG header is truncated or corrupt"))
        unread = "its file cannot be read: it is not there, is no file, or may not be read"
        return texts.concatenate(tf.data.Dataset.from_tensors(unread)).take(1)

    return cause
