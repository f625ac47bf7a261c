"""Materialised datasets: a source, plain or augmented, written as TFRecord shards that TFDS reads back.

    OUT/digits-train.tfrecord-00000-of-00004   tf.train.Example: image (see `forms`), id, epoch, all else
    OUT/dataset_info.json, features.json       for tfds.builder_from_directory(OUT)
    OUT/record_offsets.npz                     where the records of each shard begin, for random access
    OUT/manifest.json                          from what and with what it was made, counts, fingerprints

Examples keep the source's order, the variants of one stand side by side, shard s of S holds the examples
[n s // S, n (s + 1) // S). Nothing in OUT depends on time, threads or interruptions: two builds on a machine
are equal byte for byte. augrng build puts the parts here together, augrng verify checks the result.
"""

import dataclasses
import functools
import hashlib
import json
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

import augrng as ar
from augrng.converting import unconverted
from augrng.targets.base import names_in
from pipelines.disk import features
from pipelines.disk.forms import check_form, check_kind, jpeg, recipe_of, smaller
from pipelines.images.decode import decode
from pipelines.images.formats import raw_bytes
from pipelines.sources.source import Record
from pipelines.sources.spec import open_source

Json = dict[str, Any]

_UNREADABLE = (  # what an example is to blame for; any other error stops a build in every mode
    tf.errors.InvalidArgumentError, tf.errors.NotFoundError, tf.errors.PermissionDeniedError,
    tf.errors.DataLossError, tf.errors.UnimplementedError, tf.errors.FailedPreconditionError,
)  # fmt: skip


class BuildError(Exception):
    """A build had to stop; what it had finished is kept, and the same call goes on from there."""


class Example(NamedTuple):
    """An example's variants, uint8 or uint16[k, H, W, C], what is stored, all else; or why there are none."""

    id: int
    label: int = 0
    pixels: np.ndarray = np.zeros([0])
    stored: tuple[bytes, ...] = ()
    others: tuple[Record, ...] = ()
    failure: str = ""

    def fingerprint(self) -> ar.Fingerprint:
        if self.failure:
            return ar.Fingerprint()
        epochs = np.arange(len(self.pixels))
        return ar.fingerprint(self.pixels, np.full_like(epochs, self.id), epochs)

    def whole(self) -> ar.Fingerprint:
        """The fingerprint with all that the variants have beside their pixels."""
        each = zip(self.pixels, self.others, strict=False)
        parts = (features.fingerprint(*one, self.id, epoch) for epoch, one in enumerate(each))
        return sum(parts, ar.Fingerprint())


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to build; with the source's content and the versions, all that the bytes depend on.

    Args:
      source: see `pipelines.sources.spec`.
      recipe: what `Compose.to_json` returned, or None for the pixels as they are decoded.
      variants: how often each example comes, augmented as in the epochs 0 to variants - 1.
      shards: how many files; None is one for each 1,000 examples, at most 1,000.
      on_error: "raise" stops at an example that cannot be made, "skip" leaves it out.
      channels: of decoded images, 1 for grey, 3 for RGB, 4 for RGB and alpha; None takes TFDS's word for it,
        else 3.
      label: the integer feature to keep as "label"; None is the feature "label", if there is one (of
        tfrecord: sources none).
      data_dir: where tfds: looks; digits and photos are prepared there, None is "out/data".
      shorter_side: makes larger images smaller until their shorter side has so many pixels, and writes JPEGs
        (raw pixels, if these are asked for). Targets are moved with them: those with plain names, or those
        of a recipe that is `Resize(shorter_side, antialias="exact")`. None changes no size, and writes PNGs.
      quality: of these JPEGs, 1 to 100; None is 92.
      pixels: whether raw pixels are written; see `forms`.
    """

    source: str
    recipe: str | None = None
    variants: int = 1
    shards: int | None = None
    on_error: str = "raise"
    channels: int | None = None
    label: str | None = None
    data_dir: str | None = None
    shorter_side: int | None = None
    quality: int | None = None
    pixels: bool = False


class Job:
    """A plan whose source is open and whose ids are known, so what has to be read for them can be.

    Raises:
      FileNotFoundError: if the source is not there.
      TypeError: if its images cannot be stored in this form, or its labels are no integers.
      ValueError: if an argument is out of range, or the source is empty or cannot be read.
    """

    def __init__(self, plan: Plan) -> None:
        if plan.on_error not in ("raise", "skip"):
            raise ValueError(f'on_error: must be "raise" or "skip", got {plan.on_error!r}')
        drawn = plan.recipe is not None and plan.shorter_side is None
        if plan.variants < 1 or (plan.variants > 1 and not drawn):
            rule = "at least 1" if plan.variants < 1 else "1 without a recipe, as all would be equal"
            raise ValueError(f"variants: must be {rule}, got {plan.variants}")
        check_form(plan.shorter_side, plan.quality, plan.pixels)
        aug = None if plan.recipe is None else ar.from_json(plan.recipe)
        self.aug = recipe_of(plan.shorter_side, aug) if plan.shorter_side else aug
        try:
            self.source, self.stem, channels = open_source(plan.source, plan.data_dir, plan.label)
            self.ids = self.source.ids()
        except tf.errors.OpError as error:
            raise ValueError(f"source: {plan.source} cannot be read: {cause(error)}") from error
        size = len(self.ids)
        if not size:
            raise ValueError(f"source: must hold at least one example, {plan.source} holds none")
        count = min(-(-size // 1000), 1000) if plan.shards is None else plan.shards
        if not 1 <= count <= min(size, 99_999):
            raise ValueError(f"shards: must be at least 1 and at most the {size} examples, got {count}")
        self.plan = dataclasses.replace(plan, shards=count, channels=plan.channels or channels)
        _, _, label, pixels, _, _ = self._dataset(0, stored=False).element_spec
        self.labelled, self.shape, self.dtype = label.shape.rank == 0, pixels.shape[1:], pixels.dtype
        loaded = self.source.dataset()
        self.left_out = features.left_out(loaded.element_spec)
        self.others: Record = {}  # specs by name
        if features.others(loaded.element_spec, plan.label):
            self.others = loaded.map(self._others).element_spec[1]
        if self.aug is not None and plan.shorter_side:
            features.check_said(self.aug, self.others, plan.shorter_side)
        self.features = features.of(self.others)
        self.files = [f"{self.stem}-{shard:05d}-of-{count:05d}" for shard in range(count)]
        self.bounds = [size * shard // count for shard in range(count + 1)]

    def head(self) -> Json:
        """What a manifest says before the first pixel is made."""
        arguments = dataclasses.asdict(self.plan)
        recipe = arguments.pop("recipe")
        return {
            "arguments": arguments,
            "recipe": None if recipe is None else json.loads(recipe),
            "stream_version": ar.STREAM_VERSION,
            "versions": versions(),
            "examples": len(self.ids),
            **({"features": names_in(self.others)} if self.others else {}),
            "ids": hashlib.sha256(self.ids.astype("<i8").tobytes()).hexdigest(),
        }

    def examples(self, start: int, *, stored: bool) -> Iterator[Example]:
        """The examples from index `start` on, in order; one that cannot be made has a `failure`.

        Raises:
          BuildError: if the source is not what it was when it was opened, or memory or the like runs out.
        """
        made = iter(self._dataset(start, stored).prefetch(tf.data.AUTOTUNE))
        for index, id_ in enumerate(self.ids[start:].tolist(), start):
            try:
                number, found, label, pixels, files, others = (tensor.numpy() for tensor in next(made))
            except _UNREADABLE as error:  # the iterator goes on with the next example
                yield Example(id_, failure=cause(error))
                continue
            except (tf.errors.OpError, StopIteration) as error:
                raise BuildError(f"{self.source.name}: failed at id {id_}: {cause(error)}") from error
            if (number, found) != (index, id_):
                raise BuildError(f"{self.source.name}: changed while read, id {found} stands where {id_} was")
            files = map(raw_bytes, pixels) if self.plan.pixels and stored else files
            kept = tuple(features.unpacked(parts, self.others) for parts in others) if self.others else ()
            yield Example(id_, int(label.sum()), pixels, tuple(files), kept)

    def _dataset(self, start: int, stored: bool) -> tf.data.Dataset:
        numbered = self.source.numbered(start)
        make = functools.partial(self._make, stored)
        return numbered.map(make, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)

    @unconverted  # nothing there to convert; looking takes seconds
    def _make(self, stored: bool, number: tf.Tensor, record: Record) -> tuple[tf.Tensor, ...]:
        record = self.source.load(record)
        id_, label = record["id"], record.get(self.plan.label or "label")
        if label is None and self.plan.label:
            raise ValueError(f"label: must be one of the features {sorted(record)}, got {self.plan.label!r}")
        if label is not None and not (label.dtype.is_integer and label.shape.rank == 0):
            got = f"{label.dtype.name}{label.shape}"
            raise TypeError(f"label: must be an integer for each example, got {got}; name another feature")
        label = tf.zeros([0], tf.int64) if label is None else tf.cast(label, tf.int64)
        example, files = self._decoded(record), tf.zeros([0], tf.string)
        if self.aug is None or self.plan.shorter_side:
            pixels, others = (part[None] for part in self._made(example, tf.constant(0, tf.int64)))
        else:
            image, epochs = example["image"], tf.range(self.plan.variants, dtype=tf.int64)
            size = [*(self.aug.output_size or (None, None)), image.shape[-1]]
            spec = (tf.TensorSpec(size, image.dtype), tf.TensorSpec([None], tf.string))
            make = functools.partial(self._made, example)
            pixels, others = tf.map_fn(make, epochs, fn_output_signature=spec)
        if self.plan.shorter_side and not self.plan.pixels:
            stays = jpeg(record["image"], example["image"], pixels[0], self.plan.quality)
            files, pixels = (part[None] for part in stays)
        elif stored and not self.plan.pixels:
            files = tf.io.encode_png(pixels)
        return number, id_, label, pixels, files, others

    def _decoded(self, record: Record) -> Record:
        """A loaded record with its image, and with a recipe its masks, as pixels."""
        image = record["image"]
        if image.dtype == tf.string:
            image = decode(image, channels=self.plan.channels or 3, dtype=self.source.dtype or "uint8")
        check_kind(self.plan.shorter_side, self.plan.pixels, image.dtype, image.shape[-1])
        return features.decoded(self.aug, {**record, "image": image})

    def _made(self, example: Record, epoch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The pixels of a decoded record in an epoch, and what else is kept of it, packed."""
        moved = self._moved(example, epoch)
        return moved["image"], features.packed(features.others(moved, self.plan.label))

    def _moved(self, example: Record, epoch: tf.Tensor | int) -> Record:
        if self.aug is None:
            return example
        side = self.plan.shorter_side
        return smaller(self.aug, example, side) if side else self.aug(example, example["id"], epoch)

    @unconverted
    def _others(self, record: Record) -> tuple[tf.Tensor, Record]:
        """The id of a loaded record, and what is kept of it beside image, id and label."""
        return record["id"], features.others(self._moved(self._decoded(record), 0), self.plan.label)


def read_manifest(path: Path) -> Json:
    """Reads a manifest, or the progress of a build.

    Raises:
      OSError: if the file cannot be read.
      ValueError: if it is none.
    """
    try:
        found = json.loads(path.read_text())
        Plan(**found["arguments"]), found["recipe"], [entry["file"] for entry in found["shards"]]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path}: must be a manifest of augrng build, got {error!r}") from error
    return found


def versions() -> dict[str, str]:
    """What pixels could depend on beside the recipe."""
    return {
        "augrng": ar.__version__,
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }


def cause(error: BaseException) -> str:
    """What went wrong, without the names of TensorFlow's nodes."""
    if isinstance(error, tf.errors.OpError):
        text = re.sub(r"\{\{[^}]*\}\}", "", error.message.split("\n\t [[")[0])
        return re.sub(r"^.*Iterator::\S*: |\[Op:.*", "", text, flags=re.DOTALL).strip()
    return str(error) or type(error).__name__
