"""What bounds a user's input: his data measured end to end and part by part, and the advice that follows.

`augrng bench --mine SOURCE --recipe R` runs it.
"""

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

import augrng as ar
import pipelines as pl
from pipelines.images.header import probe
from pipelines.images.read import Reader
from pipelines.rows import lone
from pipelines.sources.source import Record, Source, ragged_features
from pipelines.sources.spec import open_source

_KEPT = 256  # records in memory, for what is measured without reading
_FASTER = 1.15  # times the rate of today, from which on another form is advised
_AMPLE = 2.0  # times as many source pixels as the output has, from which on smaller files pay


class Found(NamedTuple):
    """What was measured.

    Attributes:
      end_to_end, read, decode, augment: images a second; `decode` is infinite for images that are pixels.
      pixels: images a second end to end as raw pixels in a file, as `augrng build --pixels` writes them.
      side: the median of the images' shorter sides, in pixels.
      stored, raw: bytes of an image as it lies there and as raw pixels, on average.
      output: height and width of what comes out.
    """

    end_to_end: float
    read: float
    decode: float
    augment: float
    pixels: float
    side: int
    stored: float
    raw: float
    output: tuple[int, int]


def mine(args: argparse.Namespace) -> dict[str, Any]:
    """Measures `args.mine` with `args.recipe` in batches of `args.batch`, prints it; what was found."""
    source, _, _ = open_source(args.mine, args.data_dir)
    aug = ar.read_recipe(args.recipe, 0)
    found = measured(source, aug, args.batch, args.seconds)
    print("\n".join(report(found, args.batch, os.cpu_count() or 1)))
    return found._asdict()


def measured(source: Source, aug: ar.Compose, batch: int, seconds: float) -> Found:
    """The rates of a source through a recipe.

    Raises:
      ValueError: if the recipe's output has no one size, or what `make_dataset` raises.
    """
    few = source.take(_KEPT)
    images = [record["image"] for record in few.dataset()]
    encoded, sizes = images[0].dtype == tf.string, [_size(image) for image in images]
    first = -(-len(images) // batch)  # batches of the first pass
    feed: dict[str, Any] = {"batch_size": batch, "epochs": None, "seed": 1}
    end_to_end = rate(pl.make_dataset(source, aug, **feed), batch, seconds)
    augment = rate(pl.make_dataset(few.cache("memory"), aug, **feed), batch, seconds)
    with tempfile.TemporaryDirectory() as folder:
        in_file = few.cache(Path(folder) / "pixels")
        pixels = rate(pl.make_dataset(in_file, aug, **feed), batch, seconds)
    read = source.dataset().map(lambda record: record["id"]).repeat().batch(batch)
    output = aug.output_size or sizes[0]
    return Found(
        end_to_end=end_to_end,
        read=rate(read, batch, seconds),
        decode=rate(decoded(few, aug, batch), batch, seconds, first) if encoded else float("inf"),
        augment=augment,
        pixels=pixels,
        side=sorted(min(size) for size in sizes)[len(sizes) // 2],
        stored=sum(_bytes(image) for image in images) / len(images),
        raw=sum(3 * height * width for height, width in sizes) / len(sizes),
        output=(int(output[0]), int(output[1])),
    )


def decoded(source: Source, aug: ar.Compose, batch: int) -> tf.data.Dataset:
    """Decodes what the recipe reads of images that are in memory after the first pass; batches of sizes."""
    reader = Reader(aug, channels=source.channels or 3, dtype=source.dtype or "uint8")

    def of_one(record: Record) -> tf.Tensor:
        plans = reader.plan_of({**record, "epoch": tf.constant(0, tf.int64)}, most=1)
        return tf.size(reader.decoded(record["image"], lone(plans))[0])

    records = source.dataset().map(ragged_features).cache().repeat()
    return records.map(of_one, num_parallel_calls=tf.data.AUTOTUNE).batch(batch)


def _size(image: tf.Tensor) -> tuple[int, int]:
    if image.dtype != tf.string:
        return int(image.shape[0]), int(image.shape[1])
    header = probe(image)
    return int(header.height), int(header.width)


def _bytes(image: tf.Tensor) -> int:
    return int(tf.strings.length(image)) if image.dtype == tf.string else image.numpy().nbytes


def rate(batches: Iterable[Any], batch: int, seconds: float, first: int = 0) -> float:
    """Images a second of endless batches, after the first ones and four to warm up."""
    iterator = iter(batches)
    for _ in itertools.islice(iterator, first + 4):
        pass
    count, start = 0, time.perf_counter()
    while time.perf_counter() < start + seconds or count < 2:
        next(iterator)
        count += 1
    return count * batch / (time.perf_counter() - start)


def report(found: Found, batch: int, cores: int) -> list[str]:
    """Lines that say what was measured, what bounds it, and what to do."""
    rows = {
        "end to end": found.end_to_end,
        "read alone": found.read,
        "decode alone": found.decode,
        "augment alone": found.augment,
        "as raw pixels": found.pixels,
    }
    lines = [f"{name:15}{value:12,.0f} images/s" for name, value in rows.items() if value < float("inf")]
    step = batch / found.end_to_end
    height, width = found.output
    lines += [
        f"an image        {found.stored / 1e3:11,.0f} kB stored, {found.raw / 1e3:,.0f} kB as raw pixels; "
        f"shorter side {found.side}, output {height}x{width}",
        f"An accelerator whose step on {batch} images takes {1e3 * step:,.0f} ms or more is kept busy; one "
        f"that takes less waits for its input, on {cores} cores.",
    ]
    return lines + [f"- {line}" for line in advice(found)]


def advice(found: Found) -> list[str]:
    """What to do about it, the best first."""
    parts = {"reading": found.read, "decoding": found.decode, "augmentation": found.augment}
    slowest = min(parts, key=lambda name: parts[name])
    lines = [f"The slowest part is {slowest}."]
    shorter = min(found.output)
    if found.side > _AMPLE * shorter and slowest != "augmentation":
        lines.append(
            f"Reduce: the images are {found.side / shorter:.1f} times as large as the output. "
            f"augrng build --shorter-side {2 * shorter} writes them smaller, once."
        )
    if found.pixels > _FASTER * found.end_to_end and slowest != "augmentation":
        lines.append(
            f"Raw: augrng build --pixels needs {found.raw / max(found.stored, 1):.1f} times the room and no "
            f"decoding; {found.pixels:,.0f} images/s here, where the system keeps the file in memory."
        )
    if found.augment > _FASTER * found.end_to_end:
        lines.append(f"Memory: source.cache() gives {found.augment:,.0f} images/s, if all of it has room.")
    if slowest == "reading":
        lines.append("Read: put it on a local disk, in TFRecord shards (augrng build), near the machine.")
    if slowest == "augmentation":
        lines.append(
            'Device: make_dataset(device="GPU:0") does all but decoding there; so does augrng.keras.Augment.'
        )
    lines.append(
        "More cores: all but reading grows with them. Where there are no more, let other machines help by "
        "tf.data service: examples are named by their ids, so the pixels stay."
    )
    return lines
