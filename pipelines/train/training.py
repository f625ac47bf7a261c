"""Training that can be repeated and resumed to the last bit: model, steps, checkpoints, digest of weights.

A run is a function of its settings: weights, dropout, order and augmentation follow from one seed, and batch
t is a pure function of t. A checkpoint holds what else a step depends on: the model's variables (weights and
the states of dropout's generators), the optimizer's, and the step.
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
from pipelines.sources.source import Source
from pipelines.sources.spec import open_source

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
    """

    def __init__(self, settings: Settings, source: Source, on_error: str = "raise") -> None:
        self.settings, self.source, self.step = settings, source, 0
        self._on_error = on_error
        self._aug = ar.from_json(settings.recipe)
        self.model = small_cnn(settings.shape, settings.classes, settings.precision)
        self.model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
        self.model.optimizer.build(self.model.trainable_variables)

    def run(self, steps: int, after: Callable[[float], None] = lambda loss: None) -> None:
        """Goes on to step number `steps`; `after` is called with the loss when a step is done."""
        batches = pl.make_dataset(
            self.source, self._aug, batch_size=self.settings.batch_size, epochs=None,
            seed=self.settings.seed, start_step=self.step, channels=self.settings.shape[-1], output=_UNIT,
            on_error=self._on_error,
        )  # fmt: skip
        for batch in batches.take(max(steps - self.step, 0)):
            loss = self.model.train_on_batch(batch["image"], batch["label"])
            self.step += 1
            after(float(loss))
            self.model.reset_metrics()

    def held_out(self, source: Source, aug: ar.Compose) -> "Passes":
        """A source's examples, after `aug` as in epoch 0; make it once and ask `accuracy` often."""
        batches = pl.make_dataset(
            source, aug, batch_size=256, shuffle=False, channels=self.settings.shape[-1], output=_UNIT,
            on_error=self._on_error,
        )  # fmt: skip
        return Passes(batches)

    def accuracy(self, held_out: "Passes") -> float:
        """The share of the examples of `held_out` whose label the model finds."""
        right = [
            np.argmax(self.model.predict_on_batch(batch["image"]), -1) == batch["label"]
            for batch in held_out.one()
        ]
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
        variables = _named(self.model, self.model.optimizer)
        try:
            with path.open("rb") as file, np.load(file) as saved:
                settings = json.loads(str(saved["settings"]))
                settings = Settings(**{**settings, "shape": tuple(settings["shape"])})
                different = self.settings.differences(settings)
                step = int(saved["step"])
                values = {} if different else {name: saved[name] for name in variables}
        except (KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path}: must be a checkpoint of scripts/train.py, got {error!r}") from error
        if different:
            raise ValueError(f"{path}: must be of a run with the same settings; " + "; ".join(different))
        self.step = step
        for name, value in values.items():
            variables[name].assign(value)

    def _values(self) -> dict[str, np.ndarray]:
        return {name: v.numpy() for name, v in _named(self.model, self.model.optimizer).items()}


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


def small_cnn(shape: tuple[int, int, int], classes: int, precision: str = "float32") -> keras.Model:
    """Three convolutions, dropout, and a softmax over classes, for images [B, *shape] in [0, 1]."""
    layers: list[keras.layers.Layer] = [keras.Input(shape)]
    for number, filters in enumerate((16, 32, 64), start=1):
        layers += [
            keras.layers.Conv2D(
                filters, 3, padding="same", activation="relu", dtype=precision, name=f"conv_{number}"
            ),
            keras.layers.MaxPooling2D(padding="same", dtype=precision, name=f"pool_{number}"),
        ]
    layers += [
        keras.layers.Flatten(dtype=precision, name="features"),
        keras.layers.Dropout(0.25, dtype=precision, name="dropout"),
        keras.layers.Dense(classes, activation="softmax", dtype="float32", name="classes"),
    ]
    return keras.Sequential(layers, name="small_cnn")


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
