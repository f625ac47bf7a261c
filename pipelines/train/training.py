"""Training that can be repeated and resumed to the last bit: model, steps, checkpoints, digest of weights.

A run is a function of its settings: weights, dropout, order and augmentation follow from one seed, and batch
t is a pure function of t. Initial weights are those that Keras draws after `augrng.seed_everything(seed)`;
dropout follows from (seed, epoch, id), as augmentation does. A checkpoint holds what else a step depends on:
the model's variables, the optimizer's, and the step; so another number of hosts can go on from it.
"""

import contextlib
import dataclasses
import hashlib
import json
import math
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import augrng as ar
import pipelines as pl
from augrng.output import Output
from pipelines.sources.source import Record, Source
from pipelines.sources.spec import open_source
from pipelines.train.hosts import Hosts
from pipelines.train.model import SmallCNN, kept

_UNIT = Output("unit")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the weights of a run depend on, beside how many steps it makes and the libraries' versions.

    Args:
      examples: SHA-256 of the training examples' ids and labels.
      recipe: what `Compose.to_json` returned.
      seed: of everything; see `augrng.seed_everything`.
      batch_size: examples a step.
      shape: height, width and channels of what the model takes.
      classes: how many.
      precision: Keras' dtype policy.
      stream_version: of augrng's random streams.
    """

    examples: str
    recipe: str
    seed: int
    batch_size: int
    shape: tuple[int, int, int]
    classes: int
    precision: str = "float32"
    stream_version: int = ar.STREAM_VERSION

    def differences(self, other: "Settings") -> list[str]:
        """What is not the same, in words; `other` is the checkpoint's."""
        pairs = [(field.name, getattr(self, field.name)) for field in dataclasses.fields(self)]
        recipes = [f"recipe: {line}" for line in ar.differences(other.recipe, self.recipe)]
        return recipes + [
            f"{name}: this run has {mine!r}, the checkpoint {theirs!r}"
            for name, mine in pairs
            if mine != (theirs := getattr(other, name)) and name != "recipe"
        ]


class Trainer:
    """A run: steps, checkpoints, accuracy.

    Call `augrng.seed_everything(settings.seed)` first; the weights are drawn here.

    Args:
      settings: of the run.
      source: of the training examples, with "label".
      on_error: at images that cannot be used; see `pipelines.make_dataset`.
      hosts: that train together; None for this one on one device. All begin with the same weights; each step
        sums the gradients of all, so the weights stay the same on all of them, and are those of one host but
        for the order in which floats are summed.
    """

    def __init__(
        self, settings: Settings, source: Source, on_error: str = "raise", hosts: Hosts | None = None
    ) -> None:
        self.settings, self.source, self.step = settings, source, 0
        self.hosts = hosts or Hosts(tf.distribute.get_strategy())
        self._on_error = on_error
        self._aug = ar.from_json(settings.recipe)
        with self.hosts.strategy.scope():
            self.model = SmallCNN(settings.shape, settings.classes, settings.precision)
            self.optimizer = keras.optimizers.Adam()
            self.optimizer.build(self.model.trainable_variables)
        self._train = tf.function(self._step, autograph=False, reduce_retracing=True)
        predict = lambda images: self.model(images)  # noqa: E731
        self._predict = tf.function(predict, autograph=False, reduce_retracing=True)

    def run(self, steps: int, after: Callable[[float], None] = lambda loss: None) -> None:
        """Goes on to step number `steps`; `after` is called with the loss when a step is done.

        Raises:
          ValueError: if the hosts are not at the same step of the same run.
        """
        self._agree()
        batches = pl.make_dataset(
            self.source, self._aug, batch_size=self.settings.batch_size, epochs=None,
            seed=self.settings.seed, start_step=self.step, channels=self.settings.shape[-1], output=_UNIT,
            on_error=self._on_error, host=self.hosts.host, hosts=self.hosts.hosts,
        )  # fmt: skip
        for batch in batches.take(max(steps - self.step, 0)):
            needed = {name: batch[name] for name in ("image", "label", "id", "epoch")}
            loss = self._train(self.hosts.shares(needed))
            self.step += 1
            after(float(loss))

    def _step(self, batch: Any) -> tf.Tensor:
        """One step of all replicas: the mean loss of the global batch, a missing example's being 0."""

        def of_replica(batch: Record) -> tf.Tensor:
            count = self.model.features.output_shape[-1]
            keep = kept(self.settings.seed, batch["id"], batch["epoch"], count)
            with tf.GradientTape() as tape:
                found = self.model(batch["image"], keep)
                losses = keras.losses.sparse_categorical_crossentropy(batch["label"], found)
                loss = tf.reduce_sum(losses) / self.settings.batch_size
            variables = self.model.trainable_variables
            self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
            return loss

        strategy = self.hosts.strategy
        return strategy.reduce("SUM", strategy.run(of_replica, args=(batch,)), axis=None)

    def _agree(self) -> None:
        """Refuses hosts of which one has taken up another checkpoint, or has other settings."""
        here = f"{dataclasses.astuple(self.settings)} {self.step} {self.digest()}"
        self.hosts.agree(hashlib.sha256(here.encode()).digest()[:8], "settings, checkpoint and libraries")

    def held_out(self, source: Source, aug: ar.Compose) -> "Passes":
        """A source's examples, after `aug` as in epoch 0; make it once and ask `accuracy` often."""
        batches = pl.make_dataset(
            source, aug, batch_size=256, shuffle=False, channels=self.settings.shape[-1], output=_UNIT,
            on_error=self._on_error,
        )  # fmt: skip
        return Passes(batches)

    def accuracy(self, held_out: "Passes") -> float:
        """The share of the examples of `held_out` whose label the model finds."""
        right = [np.argmax(self._predict(batch["image"]), -1) == batch["label"] for batch in held_out.one()]
        return float(np.mean(np.concatenate(right)))

    def digest(self) -> str:
        """SHA-256 of the weights: paths, shapes, dtypes and bytes."""
        found = hashlib.sha256()
        for weight in self.model.weights:
            value = weight.numpy()
            found.update(f"{weight.path} {value.shape} {value.dtype}\n".encode())
            found.update(value.tobytes())
        return found.hexdigest()

    def save(self, path: Path) -> None:
        """Writes a checkpoint: beside its name first, and renamed when it is whole."""
        part = path.with_name(path.name + ".part")
        with open(part, "wb") as file:
            settings = json.dumps(dataclasses.asdict(self.settings))
            np.savez(file, settings=settings, step=self.step, **self._values())  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)

    def restore(self, path: Path) -> None:
        """Takes up a checkpoint.

        Raises:
          OSError: if it cannot be read.
          ValueError: if it is none, or is of a run with other settings; says which, of both.
        """
        variables = _named(self.model, self.optimizer)
        try:
            with path.open("rb") as file, np.load(file) as saved:
                settings = json.loads(str(saved["settings"]))
                settings = Settings(**{**settings, "shape": tuple(settings["shape"])})
                different = self.settings.differences(settings)
                step = int(saved["step"])
                values = {} if different else {name: saved[name] for name in variables}
        except (KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path}: must be a checkpoint of augrng train, got {error!r}") from error
        if different:
            raise ValueError(f"{path}: must be of a run with the same settings; " + "; ".join(different))
        self.step = step
        for name, value in values.items():
            variables[name].assign(value)

    def _values(self) -> dict[str, np.ndarray]:
        return {name: v.numpy() for name, v in _named(self.model, self.optimizer).items()}


class Passes:
    """A dataset that is gone through again and again by one iterator: to make one takes seconds.

    Args:
      batches: the dataset; must hold at least one.
    """

    def __init__(self, batches: tf.data.Dataset) -> None:
        self._numbered = iter(batches.enumerate().repeat())
        self._ahead = next(self._numbered)

    def one(self) -> Iterator[Any]:
        """The batches of one pass."""
        while True:
            _, batch = self._ahead
            self._ahead = next(self._numbered)
            yield batch
            if self._ahead[0] == 0:
                return


def open_splits(spec: str, data_dir: str | None = None) -> tuple[Source, Source, int]:
    """The training and the test examples of a source, and how many channels its images have.

    Test examples are the split "test" or else "validation" (of a folder: the subfolder "test", "validation"
    or "val" beside "train"), or else those whose id 5 divides, so that an example that is added moves no
    other from one side to the other.

    Args:
      spec: as `open_source` takes it, without a split.
      data_dir: see there.

    Raises:
      FileNotFoundError: if the source is not there.
      ValueError: if it is none, has another split but no "train", or its test examples have a class that
        its training examples lack.
    """
    kind, _, rest = spec.partition(":")
    if kind == "folder":
        root = Path(rest).expanduser()
        found = [root / name for name in ("test", "validation", "val") if (root / name).is_dir()]
        if found and (root / "train").is_dir():
            train, _, channels = open_source(f"folder:{root / 'train'}")
            # Labels are places in the list of the training folder's classes.
            test = pl.from_folder(found[0], class_names=train.class_names or None)
            return train, test, channels
    train, _, channels = open_source(spec, data_dir, "label" if kind == "tfrecord" else None)
    if kind not in ("folder", "tfrecord", "idx"):
        for split in ("test", "validation"):
            with contextlib.suppress(ValueError):
                return train, open_source(f"{spec}:{split}", data_dir)[0], channels
    return train.part(lambda ids: ids % 5 != 0), train.part(lambda ids: ids % 5 == 0), channels


def digest_of(source: Source) -> str:
    """SHA-256 of the ids and labels of a source's records: which examples, in which order."""
    both = np.stack([source.ids(), source.column("label").astype(np.int64)])
    return hashlib.sha256(both.astype("<i8").tobytes()).hexdigest()


def steps_of(epochs: int, examples: int, batch_size: int) -> int:
    """How many steps see each example `epochs` times."""
    return math.ceil(epochs * examples / batch_size)


def _named(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> dict[str, keras.Variable]:
    """What a step depends on, by place: the names that Keras gives depend on what was built before."""
    return {
        f"{kind}/{number}": variable
        for kind, variables in (("model", model.variables), ("optimizer", optimizer.variables))
        for number, variable in enumerate(variables)
    }
