"""The feed for Keras: one pass of `fit` is one epoch, with that epoch's order and pixels.

Keras asks its data for a pass at a time and says nothing of which: a dataset of one epoch gives the same
pixels in every pass. A `KerasFeed` is one of Keras' data adapters, which hear when a pass begins and ends.
Which epoch it is, and whether it trains or evaluates, it finds in the locals of the call of `fit`, `evaluate`
or `predict` that asks; so `initial_epoch` and the callback `BackupAndRestore` are followed. The dataset is
built once, and reads the number of the epoch whenever an iteration begins.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras.src.trainers.data_adapters.data_adapter import DataAdapter
from keras.src.trainers.data_adapters.tf_dataset_adapter import TFDatasetAdapter, make_class_weight_map_fn

import augrng as ar
from augrng.targets.base import found, has, names_in
from pipelines.run.arguments import integer
from pipelines.run.dataset import make_dataset
from pipelines.run.device import OnDevice
from pipelines.sources.source import Record, Source

_Names = str | Sequence[str] | Mapping[str, str] | None
_NOT_OPTIONS = ("epochs", "start_step", "only_epoch")


def for_keras(
    source: Source,
    aug: ar.Compose,
    *,
    batch_size: int,
    inputs: _Names = "image",
    label: _Names = "label",
    weight: str | None = None,
    initial_epoch: int = 0,
    evaluation_epoch: int = 0,
    **options: Any,
) -> "KerasFeed":
    """What `fit`, `evaluate`, `predict` and `validation_data` take; each pass of training is another epoch.

    `model.fit(feed, epochs=N)` trains on what `make_dataset(..., only_epoch=e)` yields for e = 0 to N - 1:
    the batches of an epoch, the last of them short (or dropped). A further `fit` goes on with the next
    epoch, or where its `initial_epoch` says. Evaluation and prediction always see the same epoch.

    Features have names, or paths such as "objects/bbox". With a recipe's targets `label="mask"` gives (image,
    mask), and {"boxes": "objects/bbox", "valid": "objects/bbox_valid"} a dict of boxes and of which count.

    Args:
      source: of the records.
      aug: the recipe.
      batch_size: examples in a batch; a `tf.distribute` strategy splits it over its replicas.
      inputs: the feature that the model takes; several names, or {input: feature}, for a dict of them.
      label: the feature that the loss takes, or several, likewise; None for none. Keras' own losses take no
        ragged ones: `Boxes(max_boxes=)` pads boxes and what belongs to them.
      weight: the feature that weights each example's loss.
      initial_epoch: the epoch of the first pass, unless `fit` says which.
      evaluation_epoch: the epoch that evaluation and prediction see.
      options: of `make_dataset`, `device` among them, but for `epochs`, `start_step` and `only_epoch`.

    Raises:
      TypeError: for an option that `make_dataset` does not know, or that a feed has no use for.
      ValueError: if there is no such feature, a weight comes without a label, or no batch; and what
        `make_dataset` raises.
    """
    for name in _NOT_OPTIONS:
        if name in options:
            raise TypeError(f"{name}: a feed has no such option; pass epochs= and initial_epoch= to fit")
    epoch = _Number()
    batches = make_dataset(source, aug, batch_size=batch_size, only_epoch=epoch, **options)
    spec = batches.features if isinstance(batches, OnDevice) else batches.element_spec
    for argument, names in (("inputs", inputs), ("label", label), ("weight", weight)):
        for name in _features(names):
            if not has(spec, name):
                do = "; pass label=None to predict without" if argument == "label" else ""
                raise ValueError(f"{argument}: must be of the features {names_in(spec)}, got {name!r}{do}")
    if inputs is None or (weight and label is None):
        raise ValueError(f"inputs: must be given, and label= where weight= is, got {inputs!r} and {label!r}")
    parts = tuple(names for names in (inputs, label, weight) if names is not None)

    def element(batch: Record) -> tuple[Any, ...]:
        return tuple(_part(batch, names) for names in parts)

    if isinstance(batches, tf.data.Dataset):
        batches = batches.map(element)
    steps = None if source.size is None else len(batches)
    if steps == 0:
        raise ValueError(
            f"batch_size: must be at most the {source.size} examples to drop the rest, got {batch_size}"
        )
    feed = KerasFeed(batches, element, epoch, steps)
    feed.epoch = integer(initial_epoch, "initial_epoch")
    feed.evaluation_epoch = integer(evaluation_epoch, "evaluation_epoch")
    return feed


class KerasFeed(DataAdapter):
    """See `for_keras`. Iterating it by hand is a pass of training too; one that is broken off does not count.

    Attributes:
      epoch: that the next pass of training has, unless `fit` says which; it can be set.
      evaluation_epoch: that evaluation and prediction see.
    """

    def __init__(
        self, batches: Any, element: Callable[[Record], Any], number: "_Number", steps: int | None
    ) -> None:
        self.epoch = self.evaluation_epoch = 0
        self._batches, self._element, self._number, self._steps = batches, element, number, steps
        self._passing: int | None = None  # the epoch that a pass of training is in
        self._ahead = 0  # of the epochs that `fit` counts

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        epoch = self.epoch
        self._number.set(epoch)
        yield from self._elements()
        self.epoch = epoch + 1

    def __len__(self) -> int:
        """How many batches an epoch has; TypeError if that is not known."""
        if self._steps is None:
            raise TypeError("the source does not say how many examples it has")
        return self._steps

    def cardinality(self) -> int:
        """How many batches an epoch has, or `tf.data.UNKNOWN_CARDINALITY`."""
        return int(tf.data.UNKNOWN_CARDINALITY) if self._steps is None else self._steps

    @property
    def element_spec(self) -> Any:
        """Of the batches; None with `device`."""
        return None if isinstance(self._batches, OnDevice) else self._batches.element_spec

    # What Keras asks.

    @property
    def num_batches(self) -> int | None:
        return self._steps

    @property
    def batch_size(self) -> int | None:
        return None

    @property
    def has_partial_batch(self) -> bool | None:
        return None

    @property
    def partial_batch_size(self) -> int | None:
        return None

    def on_epoch_begin(self) -> None:
        call, values = _call_of_keras()
        self._passing = None
        if call in ("evaluate", "predict"):
            self._number.set(self.evaluation_epoch)
            return
        if call == "fit" and "epoch" in values:
            epoch, first = values["epoch"], values["initial_epoch"]
            if epoch == first:
                self._ahead = 0 if first else self.epoch
            self._passing = epoch + self._ahead
        elif call is None:
            self._passing = self.epoch
        self._number.set(self.epoch if self._passing is None else self._passing)

    def on_epoch_end(self) -> None:
        call, values = _call_of_keras()
        if self._passing is not None and (call is None or (call == "fit" and "epoch" in values)):
            self.epoch = self._passing + 1
        self._passing = None  # what a call began and did not end is broken off

    def get_tf_dataset(self) -> Any:
        call, values = _call_of_keras()
        if isinstance(self._batches, OnDevice):
            if getattr(values.get("self"), "_distribute_strategy", None) is not None:
                raise ValueError("device: must be left to the model's tf.distribute strategy, got both")
            weights = values.get("class_weight") if call == "fit" and "epoch" not in values else None
            return _Elements(self, weights)
        # What validates is asked for within the loop over epochs, and has no class weights.
        batches = self._weighted(values.get("class_weight") if "epoch" not in values else None)
        return _shared(batches, getattr(values.get("self"), "_distribute_strategy", None))

    def get_numpy_iterator(self) -> Any:
        return TFDatasetAdapter(self._weighted_now()).get_numpy_iterator()

    def get_jax_iterator(self) -> Any:
        return TFDatasetAdapter(self._weighted_now()).get_jax_iterator()

    def get_torch_dataloader(self) -> Any:
        return TFDatasetAdapter(self._weighted_now()).get_torch_dataloader()

    def _weighted_now(self) -> tf.data.Dataset:
        if isinstance(self._batches, OnDevice):
            raise ValueError(
                'device: needs Keras on TensorFlow; leave it out, or set KERAS_BACKEND="tensorflow"'
            )
        call, values = _call_of_keras()
        return self._weighted(values.get("class_weight") if call == "fit" else None)

    def _weighted(self, class_weight: Mapping[int, float] | None) -> tf.data.Dataset:
        return self._batches.map(make_class_weight_map_fn(class_weight)) if class_weight else self._batches

    def _elements(self) -> Iterator[tuple[Any, ...]]:
        made = isinstance(self._batches, tf.data.Dataset)
        return iter(self._batches) if made else map(self._element, self._batches)


def _shared(batches: tf.data.Dataset, strategy: tf.distribute.Strategy | None) -> Any:
    """Batches for a strategy, whose iterators live until two more have begun.

    `fit` looks at a first batch and lets go of the iterator. What TensorFlow sends ahead to the devices by
    (MultiDeviceIterator) may then still read from it, which crashes the process; later it has come to rest.
    """
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        raise ValueError(
            f"strategy: Keras {keras.__version__} cannot fit any dataset under MultiWorkerMirroredStrategy; "
            "train on several hosts by pipelines.train.training.Trainer, as augrng train does, or on the "
            "devices of one by MirroredStrategy"
        )
    if not isinstance(strategy, tf.distribute.MirroredStrategy):
        return batches
    shared = strategy.experimental_distribute_dataset(batches)
    kept: list[Any] = []

    class Shared(type(shared)):  # type: ignore[misc]
        def __iter__(self) -> Any:
            kept.append(super().__iter__())
            del kept[:-2]
            return kept[-1]

    shared.__class__ = Shared
    return shared


class _Elements:
    """A pass of what a device makes, for each `iter`."""

    def __init__(self, feed: KerasFeed, class_weight: Mapping[int, float] | None) -> None:
        self._feed = feed
        self._weighted = make_class_weight_map_fn(class_weight) if class_weight else None

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        for element in self._feed._elements():
            yield self._weighted(*element) if self._weighted else element


class _Number:
    """A number that programs of TensorFlow read; no `tf.Variable`, which a strategy's scope would mirror."""

    def __init__(self) -> None:
        with tf.init_scope(), tf.device("CPU:0"):
            # The name of variables that no other can get at.
            anonymous = "cd2c89b7-88b7-44c8-ad83-06c2a9158347"
            self._handle = tf.raw_ops.VarHandleOp(dtype=tf.int64, shape=[], shared_name=anonymous)
        self.set(0)

    def set(self, value: int) -> None:
        with tf.init_scope(), tf.device("CPU:0"):
            tf.raw_ops.AssignVariableOp(resource=self._handle, value=tf.constant(value, tf.int64))

    def __call__(self) -> tf.Tensor:
        return tf.raw_ops.ReadVariableOp(resource=self._handle, dtype=tf.int64)


def _call_of_keras() -> tuple[str | None, dict[str, Any]]:
    """The innermost call of a model's `fit`, `evaluate` or `predict` that this is in, and its locals."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_name
        if name in ("fit", "evaluate", "predict") and "keras" in frame.f_globals.get("__name__", ""):
            values = dict(frame.f_locals)
            if isinstance(values.get("self"), keras.Model):
                return name, values
        frame = frame.f_back  # type: ignore[assignment]
    return None, {}


def _features(names: _Names) -> list[str]:
    if names is None or isinstance(names, str):
        return [] if names is None else [names]
    return list(names.values() if isinstance(names, Mapping) else names)


def _part(batch: Record, names: _Names) -> Any:
    if isinstance(names, str):
        return found(batch, names)
    pairs = names.items() if isinstance(names, Mapping) else ((name, name) for name in names or ())
    return {key: found(batch, name) for key, name in pairs}
