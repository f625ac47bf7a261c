"""make_dataset: a source, a recipe and an order, put together into batches."""

import dataclasses
import functools
import gc
import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Unpack, overload

import tensorflow as tf

import augrng as ar
from augrng.chain import Work
from augrng.converting import unconverted
from augrng.output import Output
from pipelines.images.decode import MAX_PIXELS
from pipelines.images.read import Reader
from pipelines.rows import batch_of, each, lone
from pipelines.run.arguments import check_sizes, checked, warn_of_nothing
from pipelines.run.cause import cause_of, cause_of_pixels
from pipelines.run.device import OnDevice
from pipelines.run.guard import OnError, guarded
from pipelines.run.guard import Work as Task
from pipelines.run.mixed import check_mixing, mixed
from pipelines.run.moved import augmented, moved, moved_one, of_one, targets_of
from pipelines.run.options import Options
from pipelines.run.order import Order, ordered, substitutes
from pipelines.run.packing import check_apart, packed_pixels, packing, padded
from pipelines.service.trainer import Service, ServiceOptions
from pipelines.sources.source import Record, Source, ragged_features
from pipelines.steps import mapped

_SAME = Output()
_made = itertools.count(1)  # datasets
_COLLECTED = 8  # datasets, until those that are gone are collected: each holds 40 MB in cycles


@overload
def make_dataset(
    source: Source, aug: ar.Compose, *, device: None = None, **options: Unpack[Options]
) -> tf.data.Dataset: ...


@overload
def make_dataset(source: Source, aug: ar.Compose, *, device: str, **options: Unpack[Options]) -> OnDevice: ...


@unconverted  # there is nothing to convert, and looking takes half a second
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
    finish: bool = True,
    service: str | None = None,
    **at_service: Unpack[ServiceOptions],
) -> tf.data.Dataset | OnDevice:
    """Batches of augmented images, the same whatever the number of threads, hosts or restarts.

    The examples of a run are one sequence: epoch after epoch, cut into batches, so a batch may hold the end
    of one epoch and the start of the next. With random access (see the sources) global batch t is a pure
    function of t, and a resume at `start_step` costs what a start at 0 costs. A stream is read up
    to there; save its iterator with `tf.train.Checkpoint(iterator=iter(dataset))` instead.

    Args:
      source: of the records; see `pipelines.sources.source`.
      aug: the recipe; its output must have a fixed size, or else the source's images.
      batch_size: examples in a global batch; a multiple of `hosts`.
      epochs: how often each example comes; None goes on for ever.
      seed: op-level seed of the shuffle, resolved as `augrng.get_seed` does. Augmentation has the recipe's.
      shuffle: whether to shuffle each epoch.
      shuffle_buffer: how many records a stream is shuffled through.
      start_step: the first global batch.
      host: this process, in [0, hosts).
      hosts: how many processes share each batch. All make the same number of batches; of a short last batch
        a host may have 0 rows.
      drop_remainder: whether a short last global batch is left out; all shapes are then known.
      decode: "partial" decodes the part of a JPEG that is read, at the coarsest scale that suffices;
        "full" decodes all of it. The pixels differ only where the scale is not 1; see
        `pipelines.images.read`.
      channels: of encoded images: 1 for grey, 2 for grey and alpha, 3 for RGB, 4 for RGB and alpha. None is
        what the source says (a TFDS feature), else 3. Images that come as pixels keep theirs.
      dtype: of encoded images: "uint8" or "uint16". None is what the source says, else "uint8".
      max_pixels: encoded images whose header claims more are refused before memory is taken.
      on_error: for encoded images that cannot be read, decoded, or are refused by the recipe, for targets
        that are refused, and for records of TFRecord files with random access that cannot be read. No other
        example moves in any case:
        "raise" stops, naming id, path and cause.
        "replace" puts another example in the place, with its own id: one of the source that is drawn from the
        seed, the epoch and the broken one's id alone, or of a stream one of the same global batch; up to 16
        are tried, then it stops.
        "skip" leaves the place empty: its batch has a row less, perhaps none. Not with `drop_remainder`.
        A partner that is broken (see `MixUp`) is replaced likewise; with "skip" the example goes too.
      skipped: with "replace" and "skip": a file to which a line is added for each example that is broken,
        about in their order: id, path (or file and number in it, or `tfds_id`) and cause, with tabs between.
        Without it they go to standard error. `skipped_ids` reads it.
      num_parallel_calls: how many batches are worked on at once.
      output: range and dtype of what comes out: "same", "unit", or an `augrng.output.Output`.
      only_epoch: makes this epoch alone, in place of `epochs`: a number, or a function that gives it in
        TensorFlow and is asked whenever an iteration begins.
      device: "GPU:0" or the like: the host only decodes, and keys, warp and output run there as one program.
        The pixels are the same. By default all is done in the dataset, on the host.
      finish: False leaves what follows decoding to `augrng.keras.Finish`, inside the model's step: "image" is
        a dict of what that takes; see `augrng.finishing`.
      service: "grpc://host:port" of a tf.data service whose workers make the batches, all but `output`.
      at_service: `job`, `sharding`, `consumers`, `trainer`, `compression`, `wait`; see
        `pipelines.service.trainer.Service`.

    Returns:
      A dataset of dicts: "image" [B, height, width, C], "id" int64[B], "epoch" int64[B] and the source's
      further features, ragged where they vary in length; B = batch_size / hosts. The recipe's targets among
      them are moved with the image: boxes ragged too, unless they say `max_boxes`; of an encoded mask the
      grey pixels [B, height, width, 1].
      A recipe that mixes examples adds "partners" int64[B, k], their ids, and makes soft labels.
      With `device` an iterable of the same; see `pipelines.run.device.OnDevice`.

    Raises:
      TypeError: if an argument is of the wrong type.
      ValueError: if an argument is out of range, the recipe refuses the source's images or its output has no
        fixed size, the source is empty or never ends, or there is no such device; or with `device` or
        finish=False, if its images are pixels of several sizes, or it mixes examples.
      OSError: if `skipped` cannot be written, or nothing answers at `service`.
      tf.errors.InvalidArgumentError: when it runs, for an image that cannot be used; names id, path, cause.
    """
    if next(_made) % _COLLECTED == 0:
        gc.collect()
    output = checked(
        source, aug, output, batch_size=batch_size, epochs=epochs, start_step=start_step,
        host=host, hosts=hosts, channels=channels, max_pixels=max_pixels, shuffle_buffer=shuffle_buffer,
    )  # fmt: skip
    if decode not in ("partial", "full"):
        raise ValueError(f'decode: must be "partial" or "full", got {decode!r}')
    if on_error == "skip" and drop_remainder:
        raise ValueError(
            'on_error: must be "raise" or "replace" with drop_remainder=True, got "skip": a place that stays '
            "empty would change the shape of its batch"
        )
    remote, part = Service.of(service, at_service), host if service is None else None
    if remote is not None:
        hosts = remote.parts(source, host, hosts, batch_size=batch_size, epochs=epochs, only_epoch=only_epoch)
    order = Order(
        epochs=epochs, seed=seed, shuffle=shuffle, buffer=shuffle_buffer, batch_size=batch_size,
        host=part, hosts=hosts, start=start_step, drop_remainder=drop_remainder, only=only_epoch,
        sharding="off" if remote is None else remote.sharding,
    )  # fmt: skip
    replaces = on_error == "replace"
    failures = OnError(on_error, skipped, functools.partial(substitutes, source, order) if replaces else None)
    warn_of_nothing(source.size, order.passes, batch_size, drop_remainder)
    check_mixing(source, aug, hosts, device, finish)
    image, plain = source.dataset().element_spec["image"], aug.unmixed
    check_sizes(source, plain, image)
    encoded = image.dtype == tf.string
    guards = encoded or (on_error != "raise" and bool(targets_of(aug, source.dataset().element_spec)))
    apart = check_apart(aug, image, output, device=device, finish=finish)
    reader = None
    if encoded:
        reader = Reader(
            plain, partial=decode == "partial", channels=channels or source.channels or 3,
            dtype=dtype or source.dtype or "uint8", max_pixels=max_pixels,
        )  # fmt: skip

    def made(batches: tf.data.Dataset, failures: OnError, rows: int) -> tf.data.Dataset:
        """Batches of at most so many records, read and augmented; for a device, read as far as it needs."""
        if source.read is not None:
            work = _reading(source, rows)
            batches = guarded(batches, work, failures, num_parallel_calls=num_parallel_calls)
            failures = _read_too(failures, work.results)
        if reader is not None:
            work = packing(source, reader) if apart else _seeing(source, reader, rows)
        else:
            make = functools.partial(packed_pixels if apart else augmented, plain)
            if not guards:
                return mapped(batches, make, num_parallel_calls)
            work = Task(make, functools.partial(of_one, make), cause_of_pixels(plain))
        return guarded(batches, work, failures, num_parallel_calls=num_parallel_calls)

    batches = made(ordered(source, order, pool=guards and replaces), failures, order.rows)
    batches = mixed(batches, source, aug, order, failures, made, num_parallel_calls=num_parallel_calls)
    if remote is not None:
        batches = remote.served(
            batches.with_options(_options()), source, aug, endless=order.passes is None, decode=decode,
            channels=channels, dtype=dtype, max_pixels=max_pixels, on_error=on_error, apart=apart,
            **dataclasses.asdict(order),
        )  # fmt: skip
    if apart and encoded:
        batches = mapped(batches, functools.partial(padded, aug))
    elif not apart and output != _SAME:
        made_of = lambda batch: {**batch, "image": output(batch["image"])}  # noqa: E731
        batches = mapped(batches, made_of, num_parallel_calls)
    if drop_remainder:
        batches = mapped(batches, functools.partial(_of_size, order.rows))
    steps = order.steps(source.size)
    if steps == tf.data.INFINITE_CARDINALITY or (steps >= 0 and remote is None):
        batches = batches.apply(tf.data.experimental.assert_cardinality(steps))
    batches = batches.prefetch(tf.data.AUTOTUNE).with_options(_options(2 * (os.cpu_count() or 1)))
    return OnDevice(batches, aug, output, device) if device else batches


def skipped_ids(path: str | Path) -> list[int]:
    """The ids in a file that `make_dataset(..., skipped=path)` wrote."""
    file = Path(path)
    return [int(line.split("\t")[0]) for line in file.read_text().splitlines()] if file.exists() else []


def _options(threads: int | None = None) -> tf.data.Options:
    options = tf.data.Options()
    # A thread that runs a program of XLA's waits for the parts that others take of it.
    if threads is not None:
        options.threading.private_threadpool_size = threads
    # The rewriting takes half a second for each iterator, and what is built here leaves it nothing to do.
    options.experimental_optimization.apply_default_optimizations = False
    return options


def _of_size(rows: int, batch: Record) -> Record:
    """A batch whose dense features are known to have so many rows."""

    def sized(part: tf.Tensor | tf.RaggedTensor) -> tf.Tensor | tf.RaggedTensor:
        ragged = isinstance(part, tf.RaggedTensor)
        return part if ragged else tf.ensure_shape(part, [rows, *part.shape[1:]])

    return tf.nest.map_structure(sized, batch)


def _reading(source: Source, rows: int) -> Task:
    """What reads the records that a source gives the places of, at most so many in a batch."""
    read, cause = source.read, source.cause
    assert read is not None
    assert cause is not None

    def along(places: tf.data.Dataset) -> tf.data.Dataset:
        records = read.along(places)
        sparse = any(isinstance(spec, tf.SparseTensorSpec) for spec in records.element_spec.values())
        return mapped(records, ragged_features) if sparse else records

    together = read.together
    if together is None:
        return Task(None, None, cause, along)
    specs = tf.nest.flatten(source.completed(source.places(0)).element_spec)  # which traces what reads them
    if not all(isinstance(spec, tf.TensorSpec) and spec.shape.is_fully_defined() for spec in specs):
        return Task(None, None, cause, along)
    return Task(None, None, cause, along, lambda places: together(places, rows))


def _read_too(failures: OnError, read: Callable[[tf.data.Dataset], tf.data.Dataset]) -> OnError:
    """The same where what is to be tried in the place of a broken record is to be read first."""
    drawn = failures.substitutes
    if drawn is None:
        return failures
    return dataclasses.replace(failures, substitutes=lambda batch, number: read(drawn(batch, number)))


def _seeing(source: Source, reader: Reader, rows: int) -> Task:
    """What reads and augments a batch of at most so many records, and what does it for one."""

    def load(record: Record) -> dict[str, tf.Tensor]:
        loaded = source.load(record)
        return {name: value for name, value in loaded.items() if value is not record.get(name)}

    def together(batch: Record) -> Record:
        batch = {**batch, **each(load, batch)}
        contents = batch["image"]
        facts = each(reader.facts, contents)
        seen = reader.aug.program.seen(batch, single=False)
        plans = reader.plan(contents, facts, batch["id"], batch["epoch"], most=rows, seen=seen)
        work = Work(plans.whole, plans.rest)
        read = lambda: each(reader.pixels, tf.identity(contents), plans)  # noqa: E731
        return moved(reader.aug, batch, work, plans.size, read)

    def alone(record: Record) -> Record:
        record = {**record, **load(record)}
        contents = record["image"]
        plans = reader.plan_of(record, most=rows)
        work = Work(plans.whole, plans.rest)
        read = lambda: lone(each(reader.pixels, batch_of(tf.identity(contents)), plans))  # noqa: E731
        return moved_one(reader.aug, record, work, plans.size, read)

    return Task(together, alone, cause_of(source, reader, rows))
