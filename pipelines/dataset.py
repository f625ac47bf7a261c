"""make_dataset: a source, a recipe and an order, put together into batches."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

import augrng as ar
from augrng.output import Output
from pipelines.arguments import check_sizes, checked, warn_of_nothing
from pipelines.decode import MAX_PIXELS
from pipelines.device import OnDevice, as_rows, of_pixels, of_rows, padded_rows
from pipelines.guard import each, guarded
from pipelines.order import Order, ordered
from pipelines.read import Reader
from pipelines.sources import Record, Source

_CHUNK = 64  # encoded images worked on together
_SAME = Output()
_Work = Callable[[Record], Record]
_MAX_CHUNK = 256  # batches up to here are worked on as they are


def make_dataset(
    source: Source,
    aug: ar.Compose,
    *,
    batch_size: int,
    epochs: int | None = 1,
    seed: int | None = None,
    shuffle: bool = True,
    shuffle_buffer: int = 10_000,
    start_step: int = 0,
    host: int = 0,
    hosts: int = 1,
    drop_remainder: bool = False,
    decode: str = "partial",
    channels: int | None = None,
    dtype: str | None = None,
    max_pixels: int = MAX_PIXELS,
    on_error: str = "raise",
    skipped: str | Path | None = None,
    num_parallel_calls: int = tf.data.AUTOTUNE,
    output: Output | str = _SAME,
    only_epoch: int | Callable[[], tf.Tensor] | None = None,
    device: str | None = None,
) -> Any:
    """Batches of augmented images, the same whatever the number of threads, hosts or restarts.

    The examples of a run are one sequence: epoch after epoch, cut into batches, so a batch may hold the end
    of one epoch and the start of the next. With random access (`from_arrays`, `from_folder`) global batch t
    is a pure function of t, and a resume at `start_step` costs what a start at 0 costs. A stream is read up
    to there; save its iterator with `tf.train.Checkpoint(iterator=iter(dataset))` instead.

    Args:
      source: of the records; see `pipelines.sources`.
      aug: the recipe; its output must have a fixed size, or else the source's images.
      batch_size: examples in a global batch; a multiple of `hosts`.
      epochs: how often each example comes; None goes on for ever.
      seed: op-level seed of the shuffle, resolved as `augrng.get_seed` does. Augmentation has the recipe's.
      shuffle: whether to shuffle each epoch.
      shuffle_buffer: how many records a stream is shuffled through.
      start_step: the first global batch.
      host: this process, in [0, hosts).
      hosts: how many processes share each batch.
      drop_remainder: whether a short last batch is left out; all shapes are then known.
      decode: "partial" decodes the part of a JPEG that is read, at the coarsest scale that suffices;
        "full" decodes all of it. The pixels differ only where the scale is not 1; see `pipelines.read`.
      channels: of encoded images: 1 for grey, 2 for grey and alpha, 3 for RGB, 4 for RGB and alpha. None is
        what the source says (a TFDS feature), else 3. Images that come as pixels keep theirs.
      dtype: of encoded images: "uint8" or "uint16". None is what the source says, else "uint8".
      max_pixels: encoded images whose header claims more are refused before memory is taken.
      on_error: for encoded images that cannot be read, decoded, or are refused by the recipe: "raise" stops
        with the id, "skip" leaves the example out, and those that follow move up. What TensorFlow said of
        it goes to its log in both cases.
      skipped: with "skip": a file to which a line, id and cause with a tab between, is added for each
        example that was left out, about in their order; without it they go to standard error. `skipped_ids`
        reads it.
      num_parallel_calls: how many batches, or chunks of encoded images, are worked on at once.
      output: range and dtype of what comes out: "same", "unit", or an `augrng.output.Output`.
      only_epoch: makes this epoch alone, in place of `epochs`: a number, or a function that gives it in
        TensorFlow and is asked whenever an iteration begins.
      device: "GPU:0" or the like: the host only decodes, and keys, warp and output run there as one program.
        The pixels are the same. By default all is done in the dataset, on the host.

    Returns:
      A dataset of dicts: "image" [B, height, width, C], "id" int64[B], "epoch" int64[B] and the source's
      further features; B = batch_size / hosts. With `device` an iterable of the same; see
      `pipelines.device.OnDevice`.

    Raises:
      TypeError: if an argument is of the wrong type.
      OSError: if `skipped` cannot be written.
      ValueError: if an argument is out of range, the recipe refuses the source's images, its output has no
        fixed size, there is no such device, or with `device` the source's images are pixels of several sizes.
      tf.errors.InvalidArgumentError: when it runs, for an image that cannot be used; names its id.
    """
    output = checked(
        source, aug, output, skipped=skipped, batch_size=batch_size, epochs=epochs, start_step=start_step,
        host=host, hosts=hosts, channels=channels, max_pixels=max_pixels, shuffle_buffer=shuffle_buffer,
    )  # fmt: skip
    if hosts < 1 or batch_size < 1 or batch_size % hosts:
        raise ValueError(f"batch_size: must be a positive multiple of hosts={hosts}, got {batch_size}")
    if start_step < 0:
        raise ValueError(f"start_step: must be at least 0, got {start_step}")
    if decode not in ("partial", "full"):
        raise ValueError(f'decode: must be "partial" or "full", got {decode!r}')
    if on_error not in ("raise", "skip"):
        raise ValueError(f'on_error: must be "raise" or "skip", got {on_error!r}')
    warn_of_nothing(source.size, 1 if only_epoch is not None else epochs, batch_size, drop_remainder)

    def augment(record: Record) -> Record:
        return {**record, "image": aug(record["image"], record["id"], record["epoch"])}

    order = Order(
        epochs=epochs, seed=seed, shuffle=shuffle, buffer=shuffle_buffer,
        host=host, hosts=hosts, start=start_step * batch_size, only=only_epoch,
    )  # fmt: skip
    local = batch_size // hosts
    image = ordered(source, order).map(source.load).element_spec["image"]
    check_sizes(source, aug, image)
    encoded = image.dtype == tf.string
    work = None
    if encoded:
        reader = Reader(
            aug, partial=decode == "partial", channels=channels or source.channels or 3,
            dtype=dtype or source.dtype or "uint8", max_pixels=max_pixels,
        )  # fmt: skip
        chunk = local if local <= _MAX_CHUNK else _CHUNK
        together, alone = _decoding(source, reader) if device else _reading(source, reader, chunk)
        examples = guarded(
            ordered(source, order, chunk), together, alone,
            on_error=on_error, skipped=skipped, num_parallel_calls=num_parallel_calls,
        )  # fmt: skip
        if device:
            rows = examples.unbatch().ragged_batch(local, drop_remainder=drop_remainder)
            examples = rows.map(lambda batch: padded_rows(aug, batch))
            work = of_rows(aug, output)
        batches = examples if device else examples.rebatch(local, drop_remainder=drop_remainder)
    elif image.shape.is_fully_defined():  # pixels of one size: the whole batch in one program
        batches = ordered(source, order, local)
        batches = batches.rebatch(local, drop_remainder=True) if drop_remainder else batches
        if device:
            work = of_pixels(aug, output)
        else:
            batches = batches.map(augment, num_parallel_calls)
    elif device:
        raise ValueError(f"device: needs images of one size or encoded ones, got images of {image.shape}")
    else:
        batches = ordered(source, order).map(augment, num_parallel_calls)
        batches = batches.batch(local, drop_remainder=drop_remainder)
    if device is None and output != _SAME:
        batches = batches.map(lambda batch: {**batch, "image": output(batch["image"])}, num_parallel_calls)
    batches = batches.prefetch(tf.data.AUTOTUNE).with_options(_options())
    return batches if work is None else OnDevice(batches, *work, str(device))


def skipped_ids(path: str | Path) -> list[int]:
    """The ids in a file that `make_dataset(..., on_error="skip", skipped=path)` wrote."""
    file = Path(path)
    return [int(line.split("\t")[0]) for line in file.read_text().splitlines()] if file.exists() else []


def _options() -> tf.data.Options:
    options = tf.data.Options()
    # A thread that runs a program of XLA's waits for the parts that others take of it.
    options.threading.private_threadpool_size = 2 * (os.cpu_count() or 1)
    # The rewriting takes half a second for each iterator, and what is built here leaves it nothing to do.
    options.experimental_optimization.apply_default_optimizations = False
    return options


def _reading(source: Source, reader: Reader, chunk: int) -> tuple[_Work, _Work]:
    """What reads and augments a batch of at most `chunk` records, and what does it for one."""

    def load(record: Record) -> dict[str, tf.Tensor]:
        loaded = source.load(record)
        return {name: value for name, value in loaded.items() if value is not record.get(name)}

    def prepare(record: Record) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        added = load(record)
        return added, reader.facts({**record, **added}["image"])

    def together(batch: Record) -> Record:
        added, facts = each(prepare, batch)
        batch = {**batch, **added}
        contents = batch["image"]
        plans = reader.plan(contents, facts, batch["id"], batch["epoch"], most=chunk)
        return {**batch, "image": each(reader.pixels, contents, plans)}

    def alone(record: Record) -> Record:
        record = {**record, **load(record)}
        image = reader(record["image"], record["id"], record["epoch"], most=chunk)
        return {**record, "image": image}

    return together, alone


def _decoding(source: Source, reader: Reader) -> tuple[None, _Work]:
    """What reads one record as far as a device needs it; there is no such thing for a batch."""

    def alone(record: Record) -> Record:
        record = source.load(record)
        contents = record["image"]
        plan = reader.plan_one(contents, record["id"], record["epoch"])
        return {**record, **as_rows(*reader.decoded(contents, plan))}

    return None, alone
