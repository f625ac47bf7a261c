"""Which example comes when: epochs, shuffling, batches, sharding over hosts, where to resume.

The examples of a run are numbered by their position p = 0, 1, ...: example p is in epoch p // size, and
batch t of B holds positions [t B, (t + 1) B). Host h of H has the positions with p % H == h of each batch, so
the hosts' batches t together are the batch t of a single host, and all hosts make the same number of batches:
a remainder that is dropped is the global batch's, and a host that has nothing of a last batch gives 0 rows.
Workers of a service share a run by batches: all hosts' parts of one come from one worker, in a row.

  random access  the record at position p is `augrng.random.permutation` of p % size under the epoch's key: no
                 buffer, and a run starts at any batch at the cost of starting at 0.
  stream         every epoch reads the source from the front through a shuffle buffer; to start later
                 means to read and drop, so resume from a checkpoint of the iterator.
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

import augrng as ar
from augrng.random.permutation import permuted, schedule
from pipelines.sources.source import Record, Source, ragged_features
from pipelines.steps import flat_mapped, mapped, never_ends

POOL = "records of the whole batch"  # the entry of a batch of a stream from which substitutes are drawn
_BLOCK = 8192  # places of the permutation made at once; hundreds of small operations are shared
_ATTEMPTS = 16  # examples tried in the place of a broken one


@dataclasses.dataclass(frozen=True)
class Order:
    """The order of a run.

    Args:
      epochs: how many; None goes on for ever.
      seed: of the shuffle; see `augrng.get_seed`.
      shuffle: whether epochs are shuffled.
      buffer: for streams: how many records the shuffle buffer holds.
      batch_size: of the global batch; a multiple of `hosts`.
      host: this process, in [0, hosts); None for the parts of all of them, one after the other.
      hosts: how many processes share the run.
      sharding: how workers of a service share it: "off", "dynamic" or "static".
      start: the first batch; with `only`, of those of that epoch.
      drop_remainder: whether a short last batch is left out.
      only: this epoch alone, in place of `epochs`: a number, or a function that gives int64[] in TensorFlow,
        asked whenever an iteration begins.

    Raises:
      ValueError: if an argument is out of range.
      RuntimeError: if there is no seed under `enable_op_determinism()` and the order is shuffled.
    """

    epochs: int | None = 1
    seed: int | None = None
    shuffle: bool = True
    buffer: int = 10_000
    batch_size: int = 1
    host: int | None = 0
    hosts: int = 1
    sharding: str = "off"
    start: int = 0
    drop_remainder: bool = False
    only: int | Callable[[], tf.Tensor] | None = None
    pair: tuple[int, int] = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        if self.epochs is not None and self.epochs < 1:
            raise ValueError(f"epochs: must be at least 1, or None for no end, got {self.epochs}")
        if self.buffer < 1:
            raise ValueError(f"shuffle_buffer: must be at least 1, got {self.buffer}")
        if self.hosts < 1 or not 0 <= (self.host or 0) < self.hosts:
            raise ValueError(f"host: must lie in [0, hosts), got {self.host} of {self.hosts}")
        if self.batch_size < 1 or self.batch_size % self.hosts:
            rule = f"must be a positive multiple of hosts={self.hosts}"
            raise ValueError(f"batch_size: {rule}, got {self.batch_size}")
        if self.start < 0:
            raise ValueError(f"start_step: must be at least 0, got {self.start}")
        object.__setattr__(self, "pair", ar.get_seed(self.seed) if self.shuffle else (0, 0))

    @property
    def rows(self) -> int:
        """How many rows this host has of a whole batch."""
        return self.batch_size // self.hosts

    @property
    def passes(self) -> int | None:
        """How many epochs the run has; None for no end."""
        return self.epochs if self.only is None else 1

    def steps(self, size: int | None) -> int:
        """How many batches a run over `size` records makes from `start` on, or tf.data's codes for no end
        and for not known."""
        if self.passes is None:
            return int(tf.data.INFINITE_CARDINALITY)
        if size is None:
            return int(tf.data.UNKNOWN_CARDINALITY)
        whole, rest = divmod(self.passes * size, self.batch_size)
        return max(whole + (rest > 0 and not self.drop_remainder) - self.start, 0)


def ordered(source: Source, order: Order, *, pool: bool = False) -> tf.data.Dataset:
    """This host's part of each batch of a run, in order: records with their "epoch", int64[rows].

    Features of unknown shape are ragged.

    Args:
      source: of the records.
      order: of the run.
      pool: for streams: whether each batch has as `POOL` the records of the whole global batch too.

    Raises:
      ValueError: if a source with random access is empty, or a stream never ends.
    """
    if source.records is not None:
        return _random_access(source, order)
    return _stream(source, order, pool)


def substitutes(source: Source, order: Order, batch: Record, number: tf.Tensor) -> tf.data.Dataset:
    """What to try in the place of a broken record of a batch of `ordered`, one after the other.

    They are drawn from the source, or of a stream from the global batch; which ones follows from the seed,
    the epoch and the broken record's id alone.
    """
    epoch = batch["epoch"][number]
    key = tf.random.fold_in(_epoch_key(order.pair, epoch), batch["id"][number], alg="philox")
    drawn = tf.random.stateless_uniform([_ATTEMPTS], key, None, None, tf.uint64, alg="philox")

    def at(place: tf.Tensor) -> Record:
        if source.records is None:
            return row(batch[POOL], place)
        return {**row(source.records(place[None]), tf.constant(0)), "epoch": epoch}

    count = source.size if source.records else tf.size(batch[POOL]["id"], tf.int64)
    places = tf.cast(drawn % tf.cast(count, tf.uint64), tf.int64)
    return mapped(tf.data.Dataset.from_tensor_slices(places), at)


def row(batch: Record, number: tf.Tensor) -> Record:
    """One record of a batch."""
    one = lambda part: part[number] if isinstance(part, tf.RaggedTensor) else tf.gather(part, number)  # noqa: E731
    return tf.nest.map_structure(one, batch)


def _epoch_key(pair: tuple[int, int], epoch: tf.Tensor) -> tf.Tensor:
    # TensorFlow's own op, equal to `augrng.fold_in`: one epoch at a time, and XLA never compiles it.
    return tf.random.fold_in(tf.constant(pair, tf.int64), epoch, alg="philox")


def _random_access(source: Source, order: Order) -> tf.data.Dataset:
    assert source.size is not None
    assert source.records is not None
    if source.size < 1:
        raise ValueError(f"source: must hold at least one record, {source.name} holds none")
    records, size = source.records, source.size
    end = tf.int64.max if order.passes is None else order.passes * size
    # What workers share are blocks: a batch each, so that little is lost with one of them.
    batches = max(_BLOCK // order.rows, 1) if order.sharding == "off" else 1
    met = (batches * order.batch_size - 1) // size + 2  # epochs in a block, at most
    offsets = _offsets(order, batches)

    def block(epoch: tf.Tensor, number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Epochs and indices of some batches from an epoch on, int64[batches, rows], and their sizes."""
        positions = (order.start + number * batches) * order.batch_size + offsets
        epochs, indices = epoch + positions // size, positions % size
        if order.shuffle:
            indices = _permuted(size)(tf.constant(order.pair, tf.int64), met, epochs, indices)
        shape = [-1, order.rows]
        there = tf.reduce_sum(tf.cast(tf.reshape(positions, shape) < end, tf.int64), -1)
        return tf.reshape(epochs, shape), tf.reshape(indices, shape), there

    def of_batch(epochs: tf.Tensor, indices: tf.Tensor, there: tf.Tensor) -> Record:
        return {**records(indices[:there]), "epoch": epochs[:there]}

    steps = order.steps(size)
    count = tf.int64.max if steps < 0 else -(-steps // batches)
    numbers = tf.data.Dataset.range(count)
    if order.sharding == "static":  # of a range that never ends, as a worker without a number is an error
        hint = tf.data.experimental.SHARD_HINT
        numbers = tf.data.Dataset.range(tf.int64.max).shard(hint, hint)
        numbers = numbers.take_while(lambda number: number < count)
    if order.sharding == "off":
        blocks = flat_mapped(
            _first_epoch(order), lambda epoch: mapped(numbers, lambda number: block(epoch, number))
        )
    else:  # numbers must come first for a dispatcher to hand them out
        blocks = mapped(numbers, lambda number: block(tf.constant(order.only or 0, tf.int64), number))
    indices = blocks.unbatch().take(steps)
    return mapped(indices, of_batch, tf.data.AUTOTUNE)


def _offsets(order: Order, batches: int) -> tf.Tensor:
    """Of the positions in some batches, from the first on, by batch, host and row, int64[N]."""
    places = np.arange(batches * order.batch_size, dtype=np.int64)
    parts = places.reshape(batches, order.rows, order.hosts).transpose(0, 2, 1)
    return tf.constant(np.ravel(parts if order.host is None else parts[:, order.host]))


@functools.lru_cache(maxsize=64)
def _permuted(size: int) -> Callable[..., tf.Tensor]:
    """What permutes indices int64[N] of epochs int64[N], the first of at most `met` ones in a row."""

    def permute(pair: tf.Tensor, met: int, epochs: tf.Tensor, indices: tf.Tensor) -> tf.Tensor:
        keys = ar.fold_in(pair, epochs[0] + tf.range(met, dtype=tf.int64))
        return permuted(indices, size, tf.gather(schedule(keys, size), epochs - epochs[0]))

    numbers = tf.TensorSpec([None], tf.int64)
    signature = [tf.TensorSpec([2], tf.int64), tf.TensorSpec([], tf.int32), numbers, numbers]
    return tf.function(permute, signature, autograph=False)


def _stream(source: Source, order: Order, pool: bool) -> tf.data.Dataset:
    assert source.stream is not None
    given = source.stream()
    if never_ends(given):
        raise ValueError(
            f"source: must come to an end, for an epoch is one pass over it, {source.name} does not; "
            "leave out its repeat() and ask for epochs=None"
        )
    stream = mapped(given, ragged_features)

    def of_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        records = _shuffled(stream, order, epoch) if order.shuffle else stream
        return mapped(records, lambda record: {**record, "epoch": epoch})

    def of_host(batch: Record) -> Record:
        places = tf.range(tf.shape(batch["id"])[0])[order.host :: order.hosts]
        part = tf.nest.map_structure(lambda feature: tf.gather(feature, places), batch)
        return {**part, POOL: batch} if pool else part

    count = tf.int64.max if order.passes is None else order.passes
    epochs = flat_mapped(
        _first_epoch(order), lambda first: mapped(tf.data.Dataset.range(count), lambda n: first + n)
    )
    batches = flat_mapped(epochs, of_epoch).ragged_batch(
        order.batch_size, drop_remainder=order.drop_remainder
    )
    batches = batches.skip(order.start)
    return mapped(batches, of_host) if pool or order.hosts > 1 else batches


def _shuffled(records: tf.data.Dataset, order: Order, epoch: tf.Tensor) -> tf.data.Dataset:
    """Records through a shuffle buffer that is seeded with words 0 to 3 of the epoch's key.

    `Dataset.shuffle` would take 64 bits of them, and the global seed with them.
    """
    words = tf.random.stateless_uniform(
        [2], _epoch_key(order.pair, epoch), None, None, tf.int64, alg="philox"
    )
    flat = tf.nest.flatten(records.element_spec)
    dense = [spec if isinstance(spec, tf.TensorSpec) else tf.TensorSpec(None, tf.variant) for spec in flat]
    variant = tf.raw_ops.ShuffleDataset(
        input_dataset=tf.data.experimental.to_variant(records),
        buffer_size=tf.constant(order.buffer, tf.int64),
        seed=words[0],
        seed2=words[1],
        output_types=[spec.dtype for spec in dense],
        output_shapes=[spec.shape for spec in dense],
        reshuffle_each_iteration=False,
    )
    return tf.data.experimental.from_variant(variant, records.element_spec)


def _first_epoch(order: Order) -> tf.data.Dataset:
    """The epoch that a run begins with, int64[], asked for whenever an iteration begins."""
    only = 0 if order.only is None else order.only
    asked = only if callable(only) else lambda: tf.constant(only, tf.int64)
    return mapped(tf.data.Dataset.from_tensors(0), lambda _: tf.ensure_shape(asked(), []))
