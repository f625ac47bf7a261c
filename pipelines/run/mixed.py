"""Examples mixed with partners: `MixUp`, `CutMix`, `Mosaic` at the end of a recipe.

What is mixed has been made before, each example by its own id: a batch comes in augmented, and its partners,
drawn from the source, go through the same reading, decoding and augmentation as a batch of their own. So a
mixed example is what its id, its epoch and the source say, wherever and with whatever it comes.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

import augrng as ar
from augrng.mixing import Mixer
from augrng.transforms import Params
from pipelines.rows import batch_of, each
from pipelines.run.guard import OnError, at_once
from pipelines.run.order import Order
from pipelines.sources.source import Record, Source
from pipelines.steps import interleaved, mapped

PARTNERS = "partners"  # the feature that holds their ids
_ROW = "row among the partners"
_LEAST = 8  # examples that a program draws for, so that few programs serve all small batches

Make = Callable[[tf.data.Dataset, OnError, int], tf.data.Dataset]


def check_mixing(source: Source, aug: ar.Compose, hosts: int, device: str | None, finish: bool) -> None:
    """Refuses what cannot be mixed, before anything is built.

    Raises:
      ValueError: says what to do.
    """
    if aug.mixer is None:
        return
    transform = aug.mixer.transform
    if device:
        raise ValueError(
            f"device: must be left out where examples are mixed, which the dataset does, got {device!r} with "
            f"{transform!r}"
        )
    if not finish:
        raise ValueError(
            "finish: must be True where examples are mixed, which the dataset does, got False with "
            f"{transform!r}"
        )
    if transform.partners == "dataset" and source.records is None:
        raise ValueError(
            f'aug: partners="dataset" needs a source with random access, {source.name} is a stream; take '
            f'partners="batch", or a source that has it, got {transform!r}'
        )
    if transform.partners == "batch" and hosts > 1:
        raise ValueError(
            f'aug: partners="batch" takes partners from the global batch, of which each of {hosts} hosts has '
            f'but a part, got {transform!r}; partners="dataset" is the same for any number'
        )
    if PARTNERS in source.dataset().element_spec:
        raise ValueError(
            f"source: may not have a feature {PARTNERS!r}, which the ids of partners are called; rename it"
        )


def mixed(
    batches: tf.data.Dataset,
    source: Source,
    aug: ar.Compose,
    order: Order,
    failures: OnError,
    make: Make,
    *,
    num_parallel_calls: int,
) -> tf.data.Dataset:
    """Augmented batches, mixed; as they are if the recipe mixes nothing.

    With "skip" an example goes whose partner is broken; with "replace" that partner is, by the rule for
    broken examples, whose id the seed of the order is part of.

    Args:
      batches: of the examples that `make` made.
      source: of the partners.
      aug: the recipe.
      order: of the run.
      failures: what becomes of partners that fail.
      make: from batches of the source's records with their "epoch", to batches of what `Compose.unmixed`
        makes of them, at most so many rows each.
      num_parallel_calls: how many batches are worked on at once.
    """
    mixer = aug.mixer
    if mixer is None:
        return batches
    if mixer.transform.partners == "batch":
        return mapped(batches, lambda own: _in_batch(mixer, own, order.rows), num_parallel_calls)
    count, skips = mixer.transform.num_partners, failures.mode == "skip"
    of_partners = _numbered(failures)

    def of_batch(own: Record) -> tf.data.Dataset:
        assert source.records is not None
        assert source.size is not None
        drawn = _drawn(mixer, own, order.rows)
        places = tf.reshape(tf.transpose(mixer.places(drawn, source.size)), [-1])
        rows = tf.range(tf.size(places))
        records = {**source.records(places), "epoch": tf.tile(own["epoch"], [count]), _ROW: rows}
        made = make(tf.data.Dataset.from_tensors(records), of_partners, order.rows * count)
        return mapped(made, lambda others: _mixed(mixer, own, others, drawn, skips))

    at = at_once(num_parallel_calls)
    return interleaved(batches, of_batch, at)


def _numbered(failures: OnError) -> OnError:
    """The same for partners: what stands in for one takes over its row."""
    drawn = failures.substitutes
    if drawn is None:
        return failures

    def with_row(batch: Record, number: tf.Tensor) -> tf.data.Dataset:
        return mapped(drawn(batch, number), lambda record: {**record, _ROW: batch[_ROW][number]})

    return OnError(failures.mode, failures.file, with_row)


def _drawn(mixer: Mixer, own: Record, most: int) -> Params:
    """What is drawn for a batch of at most so many examples: one program for all numbers of them."""
    count, most = tf.shape(own["id"])[0], max(most, _LEAST)
    ids, epochs = (
        tf.ensure_shape(tf.pad(own[name], [[0, most - count]]), [most]) for name in ("id", "epoch")
    )
    sizes = tf.tile(tf.shape(own["image"], tf.int64)[None, 1:3], [most, 1])
    return {name: value[:count] for name, value in mixer.sample(ids, epochs, sizes).items()}


def _in_batch(mixer: Mixer, own: Record, most: int) -> Record:
    """A batch mixed with itself."""
    drawn = _drawn(mixer, own, most)
    partners = [
        tf.nest.map_structure(lambda part, rows=rows: tf.gather(part, rows), own)
        for rows in mixer.rows(drawn)
    ]
    return _put_together(mixer, own, partners, drawn)


def _mixed(mixer: Mixer, own: Record, others: Record, drawn: Params, skips: bool) -> Record:
    """A batch mixed with its partners, [k B] rows, the first ones of all examples first."""
    rows, count = others.pop(_ROW), mixer.transform.num_partners
    total = tf.shape(own["id"])[0]
    if skips:  # some may be gone
        there = tf.scatter_nd(rows[:, None], tf.range(1, tf.size(rows) + 1), [total * count])
        there = tf.reshape(there, [count, total]) - 1
        kept = tf.where(tf.reduce_all(there >= 0, 0))[:, 0]
        own, drawn = _rows((own, drawn), kept)
        partners = [_rows(others, tf.gather(one, kept)) for one in tf.unstack(there)]
    else:
        partners = [
            tf.nest.map_structure(lambda part, nth=nth: part[nth * total : (nth + 1) * total], others)
            for nth in range(count)
        ]
    return _put_together(mixer, own, partners, drawn)


def _rows(structure: Any, places: tf.Tensor) -> Any:
    return tf.nest.map_structure(lambda part: tf.gather(part, places), structure)


def _put_together(mixer: Mixer, own: Record, partners: list[Record], drawn: Params) -> Record:
    """A batch and its partners as one; picture by picture, so that one program serves all batches."""

    def one(images: list[tf.Tensor], drawn: Params) -> tf.Tensor:
        rows = batch_of((images, drawn))
        return mixer.images(*rows)[0]

    images = each(one, [part["image"] for part in (own, *partners)], drawn)
    out = mixer.mixed(own, partners, images, drawn, own["id"])
    return {**out, PARTNERS: tf.stack([part["id"] for part in partners], -1)}
