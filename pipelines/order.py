"""Which example comes when: epochs, shuffling, sharding over hosts, where to resume.

The examples of a run are numbered by their position p = 0, 1, ...: example p is in epoch p // size, and
batch t of B holds positions [t B, (t + 1) B). Host h of H takes the positions with p % H == h, so the
hosts' batches t together are the batch t of a single host.

  random access  the record at position p is index_shuffle(p % size, seed of the epoch): no buffer, and a
                 run starts at any position at the cost of starting at 0.
  stream         every epoch reads the source from the front through a shuffle buffer; to start later
                 means to read and drop, so resume from a checkpoint of the iterator.
"""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

import augrng as ar
from pipelines.sources import Record, Source

_CHUNK = 256  # records made at once where they are asked for one by one


@dataclasses.dataclass(frozen=True)
class Order:
    """The order of a run.

    Args:
      epochs: how many; None goes on for ever.
      seed: of the shuffle; see `augrng.get_seed`.
      shuffle: whether epochs are shuffled.
      buffer: for streams: how many records the shuffle buffer holds.
      host: this process, in [0, hosts).
      hosts: how many processes share the run.
      start: the first position; with `only`, of those of that epoch.
      only: this epoch alone, in place of `epochs`: a number, or a function that gives int64[] in TensorFlow,
        asked whenever an iteration begins.

    Raises:
      ValueError: if an argument is out of range.
    """

    epochs: int | None = 1
    seed: int | None = None
    shuffle: bool = True
    buffer: int = 10_000
    host: int = 0
    hosts: int = 1
    start: int = 0
    only: int | Callable[[], tf.Tensor] | None = None

    def __post_init__(self) -> None:
        if self.epochs is not None and self.epochs < 1:
            raise ValueError(f"epochs: must be at least 1, or None for no end, got {self.epochs}")
        if self.buffer < 1:
            raise ValueError(f"buffer: must be at least 1, got {self.buffer}")
        if not 0 <= self.host < self.hosts:
            raise ValueError(f"host: must lie in [0, hosts), got {self.host} of {self.hosts}")
        if self.start < 0 or self.start % self.hosts:
            raise ValueError(f"start: must be a multiple of hosts={self.hosts}, at least 0, got {self.start}")


def ordered(source: Source, order: Order, chunk: int | None = None) -> tf.data.Dataset:
    """The records of a run in order, each with its "epoch", int64[].

    Args:
      source: of the records.
      order: of the run.
      chunk: how many records to give at a time, as batches in which features of unknown shape are ragged;
        by default one by one.

    Raises:
      ValueError: if a source with random access is empty.
      RuntimeError: if there is no seed under `enable_op_determinism()` and the order is shuffled.
    """
    pair = ar.get_seed(order.seed) if order.shuffle else (0, 0)
    if source.records is not None:
        chunks = _random_access(source, order, pair, chunk or _CHUNK)
        return chunks if chunk else chunks.unbatch()
    records = _stream(source, order, pair)
    return records.ragged_batch(chunk) if chunk else records


def epoch_seed(pair: tuple[int, int], epoch: tf.Tensor) -> tf.Tensor:
    """The seed of an epoch's order, uint32[2]: words 0 and 1 of the pair with the epoch folded in.

    These are TensorFlow's ops (equal to `augrng.fold_in` and `augrng.bits`), as it is for one seed at a
    time and never inside a program that XLA compiles.
    """
    seed = tf.random.fold_in(tf.constant(pair, tf.int64), epoch, alg="philox")
    return tf.random.stateless_uniform([2], seed, minval=None, maxval=None, dtype=tf.uint32, alg="philox")


def _random_access(source: Source, order: Order, pair: tuple[int, int], chunk: int) -> tf.data.Dataset:
    assert source.size is not None
    assert source.records is not None
    if source.size < 1:
        raise ValueError(f"source: must hold at least one record, {source.name} holds none")
    records, size = source.records, source.size
    end = tf.int64.max if order.epochs is None else order.epochs * size

    def shuffled(indices: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
        last = tf.constant(size - 1, tf.int64)
        return tf.random.experimental.index_shuffle(indices, epoch_seed(pair, epoch), last)

    @tf.autograph.experimental.do_not_convert
    def at(positions: tf.Tensor) -> Record:
        epochs, indices = positions // size, positions % size
        if order.shuffle:
            # Every index in the order of every epoch met here; one or two, unless the source is small.
            # (`index_shuffle` takes a seed for each index by its docstring, but fails on it.)
            met = tf.range(epochs[0], epochs[-1] + 1)
            spec = tf.TensorSpec([None], tf.int64)
            orders = tf.map_fn(lambda epoch: shuffled(indices, epoch), met, fn_output_signature=spec)
            indices = tf.gather(tf.transpose(orders), epochs - epochs[0], batch_dims=1)
        return {**records(indices), "epoch": epochs}

    if order.only is None:
        positions = tf.data.Dataset.range(order.start + order.host, end, order.hosts)
    else:
        first = order.start + order.host
        positions = _epochs(order).flat_map(
            lambda epoch: tf.data.Dataset.range(epoch * size + first, (epoch + 1) * size, order.hosts)
        )
    return positions.batch(chunk).map(at, num_parallel_calls=tf.data.AUTOTUNE)


def _stream(source: Source, order: Order, pair: tuple[int, int]) -> tf.data.Dataset:
    assert source.stream is not None
    stream = source.stream()

    def of_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        records = stream
        if order.shuffle:
            seed = tf.cast(epoch_seed(pair, epoch)[0], tf.int64)
            # The pair holds the global seed already, and `shuffle` takes no tensor beside a global seed of 0;
            # this unsets it in the graph of this function alone.
            tf.compat.v1.set_random_seed(None)
            records = records.shuffle(order.buffer, seed=seed, reshuffle_each_iteration=False)
        return records.map(lambda record: {**record, "epoch": epoch})

    # The seed generator inside `shuffle` counts as state that cannot be saved, but with a seed of its own
    # and no reshuffling it holds none.
    options = tf.data.Options()
    options.experimental_external_state_policy = tf.data.experimental.ExternalStatePolicy.IGNORE
    records = _epochs(order).flat_map(of_epoch).with_options(options)
    if order.hosts > 1:
        records = records.shard(order.hosts, order.host)
    return records.skip(order.start // order.hosts)


def _epochs(order: Order) -> tf.data.Dataset:
    """The epochs of a run, int64[]."""
    only = order.only
    if only is None:
        return tf.data.Dataset.range(tf.int64.max if order.epochs is None else order.epochs)
    asked = only if callable(only) else lambda: tf.constant(only, tf.int64)
    return tf.data.Dataset.from_tensors(0).map(lambda _: tf.ensure_shape(asked(), []))
