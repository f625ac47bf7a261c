"""One example of one epoch again: the pixels that training saw, and all that they come from."""

import dataclasses
import difflib
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

import augrng as ar
from pipelines.images.decode import decode
from pipelines.run.dataset import make_dataset
from pipelines.sources.source import Record, Source


class Draw(NamedTuple):
    """What one transform drew for an example.

    Attributes:
      name: of the transform in the recipe.
      transform: as it is written.
      pair: its seed pair.
      key: the example's, int64[2].
      words: what the draws read, uint32[n].
      params: what was drawn, by name.
      said: the same in words; None if it was not chosen.
    """

    name: str
    transform: str
    pair: tuple[int, int]
    key: list[int]
    words: list[int]
    params: dict[str, Any]
    said: str | None


@dataclasses.dataclass(frozen=True)
class Replayed:
    """An example in an epoch.

    Attributes:
      id: of the example.
      epoch: in which it comes so.
      example: what `make_dataset` gives of it.
      source: its picture as it is, upright, [H, W, C].
      record: what the source has of it.
      draws: of each transform, in the recipe's order.
    """

    id: int
    epoch: int
    example: dict[str, Any]
    source: np.ndarray
    record: Record
    draws: list[Draw]


class Replayer:
    """Replays examples of a source through a recipe, as `make_dataset` makes them in batches.

    Args:
      source: of the records.
      aug: the recipe.
      decode, channels, dtype: as given to `make_dataset`.

    Raises:
      ValueError: if the recipe mixes each example with others of its batch.
    """

    def __init__(self, source: Source, aug: ar.Compose, **reading: Any) -> None:
        if aug.mixer is not None and aug.mixer.transform.partners == "batch":
            raise ValueError(
                'aug: mixes each example with others of its batch (partners="batch"), so that the batch is '
                'needed too; partners="dataset" can be replayed'
            )
        self.source, self.aug, self._reading = source, aug, reading
        self._ids = source.ids()
        self._place, self._id, self._epoch = (tf.Variable(0, dtype=tf.int64) for _ in range(3))
        self._one = _one_record(source, self._place, self._id)
        self._batches = None if aug.mixer else self._made(self._one, only_epoch=self._epoch.read_value)

    def __call__(self, id: int, epoch: int) -> Replayed:
        """One example, and all that it comes from; see `example`."""
        example = self.example(id, epoch)
        record = next(iter(self._one.dataset()))
        picture = self._picture(record)
        draws = draws_of(self.aug, id, epoch, picture.shape[:2], record)
        return Replayed(int(id), int(epoch), example, picture, record, draws)

    def example(self, id: int, epoch: int) -> dict[str, Any]:
        """What `make_dataset` gives of one example, without the dimension B.

        Args:
          id: of the example, int64.
          epoch: at least 0.

        Raises:
          ValueError: if the source holds no such id, or the epoch is below 0.
          tf.errors.InvalidArgumentError: if the example cannot be used; names id, path, cause.
        """
        place = self.place_of(id)
        if epoch < 0:
            raise ValueError(f"epoch: must be at least 0, got {epoch}; the first one is 0")
        self._place.assign(place)
        self._id.assign(id)
        self._epoch.assign(epoch)
        batches = self._batches
        if batches is None:  # partners are drawn from the whole source
            batches = self._made(self.source, only_epoch=epoch, start_step=place)
        return tf.nest.map_structure(lambda part: part[0], next(iter(batches)))

    def count(self, id: int) -> int:
        """How many records of the source have this id."""
        return int(np.sum(self._ids == id))

    def place_of(self, id: int) -> int:
        """Which record has this id; the first one, if there are several."""
        found = np.flatnonzero(self._ids == id)
        if not len(found):
            some = ", ".join(map(str, self._ids[:3]))
            raise ValueError(
                f"id: must be one of the {len(self._ids):,} in {self.source.name} ({some}, ...), got {id}"
            )
        return int(found[0])

    def _made(self, source: Source, **order: Any) -> tf.data.Dataset:
        return make_dataset(source, self.aug, batch_size=1, shuffle=False, **order, **self._reading)

    def _picture(self, record: Record) -> np.ndarray:
        if record["image"].dtype != tf.string:
            return np.asarray(record["image"])
        channels = self._reading.get("channels") or self.source.channels or 3
        dtype = self._reading.get("dtype") or self.source.dtype or "uint8"
        return decode(record["image"], channels=channels, dtype=dtype).numpy()


def _one_record(source: Source, place: tf.Variable, id: tf.Variable) -> Source:
    """The source with the one record at this place or, of a stream, the first with this id."""
    if source.records is None:
        whole = source.from_record
        mine = lambda: whole(0).filter(lambda record: record["id"] == id.read_value()).take(1)  # noqa: E731
        return dataclasses.replace(source, size=1, stream=mine)
    records = source.records
    return dataclasses.replace(
        source, size=1, columns=None, records=lambda indices: records(indices + place.read_value())
    )


def draws_of(aug: ar.Compose, id: int, epoch: int, size: Any, example: Record | None = None) -> list[Draw]:
    """What each transform of a recipe draws for an example of this (height, width)."""
    needed = example if aug.program.needs_boxes else None
    params, keys = aug.sample(id, epoch, size, needed), aug.keys(id, epoch)
    said, alg = aug.describe(params), algorithm_of(aug)
    draws = []
    for name, transform in aug.transforms.items():
        words = ar.bits(keys[name], transform.num_words, alg=alg).numpy() if transform.num_words else []
        drawn = {key: np.asarray(value).tolist() for key, value in params[name].items()}
        key = keys[name].numpy().tolist()
        pair = aug.seeds[name]
        draws.append(
            Draw(name, repr(transform), pair, key, [int(word) for word in words], drawn, said.get(name))
        )
    return draws


def algorithm_of(aug: ar.Compose) -> str:
    """The generator of a recipe, "philox" or "threefry"."""
    return str(json.loads(aug.to_json())["alg"])


def in_tensorflow(draw: Draw, id: int, epoch: int, alg: str) -> list[str]:
    """Lines of plain TensorFlow that give the key and the words of a draw, as `key` and `words`.

    TensorFlow has no Threefry on the CPU: there the lines call augrng's functions.
    """
    fold_in = "tf.random.fold_in" if alg == "philox" else "ar.fold_in"
    lines = [
        f"pair = tf.constant([{draw.pair[0]}, {draw.pair[1]}], tf.int64)  # {draw.name}",
        f'stream = {fold_in}(pair, tf.constant({epoch}, tf.int64), alg="{alg}")',
        f'key = {fold_in}(stream, tf.constant({id}, tf.int64), alg="{alg}")',
    ]
    if draw.words and alg != "philox":
        lines.append(f'words = ar.bits(key, {len(draw.words)}, alg="{alg}")')
    elif draw.words:
        lines.append(
            f"words = tf.random.stateless_uniform([{len(draw.words)}], key, minval=None, maxval=None, "
            f'dtype=tf.uint32, alg="{alg}")'
        )
    return lines


def id_of_path(source: Source, path: str) -> int:
    """The id of the record of a source with this path.

    Raises:
      ValueError: if its records have no paths, or none has this one; says which is the nearest.
    """
    if "path" not in source.from_record(0).element_spec:
        raise ValueError(f"path: needs a source whose records have paths, as a folder's; got {source.name}")
    paths = [text.decode() for text in source.column("path")]
    if path not in paths:
        near = difflib.get_close_matches(path, paths, 1) or paths[:1]
        raise ValueError(f"path: must be one in {source.name}, as {near[0]!r}, got {path!r}")
    return int(ar.string_ids(path))


_ID = re.compile(r"\bids?\b[^\w-]{0,4}(-?\d+)")
_EPOCH = re.compile(r"\bepochs?\b[^\w-]{0,4}(-?\d+)")
_SKIPPED = re.compile(r"(?:skipped example )?(-?\d+)\t")


def read_log(line: str) -> tuple[int, int | None]:
    """Which example a line of a log speaks of: its id, and its epoch if that is said.

    A line is "... id 5 ... epoch 3 ...", with "=", ":" or quotes between as in JSON; an error of
    `make_dataset` ("the example with id 5 ..."); or what `make_dataset(skipped=)` wrote.

    Raises:
      ValueError: if it is none of these.
    """
    found = _SKIPPED.match(line) or _ID.search(line)
    if found is None:
        raise ValueError(
            'log: must be a line with the id of an example, such as "id 5 epoch 3", or one that '
            f"make_dataset(skipped=) wrote, got {line!r}"
        )
    epoch = _EPOCH.search(line)
    return int(found[1]), None if epoch is None else int(epoch[1])


def write_png(image: Any, path: Path) -> None:
    """Writes an image [H, W, C] as PNG, uint8 and uint16 as they are, floats from [0, 1] to 8 bits."""
    image = tf.convert_to_tensor(image)
    if image.dtype not in (tf.uint8, tf.uint16):
        image = tf.image.convert_image_dtype(image, tf.uint8, saturate=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tf.io.encode_png(image).numpy())
