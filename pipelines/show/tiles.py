"""Augmented examples as tiles of a page: the picture, what was drawn, where its pixels come from."""

import dataclasses
import functools
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

import augrng as ar
from augrng import fixed
from augrng.chain import Work
from augrng.geometry import affine
from augrng.program import Program
from augrng.transforms import Transform
from augrng.transforms.choosing import inside
from augrng.transforms.parts import Map
from pipelines.show.overlays import overlaid

_LOSSLESS_BYTES = 6_000  # a PNG of up to so many is kept as it is
_MOST_BYTES = 30_000  # of a JPEG, if one of the qualities gives so few
_QUALITIES = (88, 75, 60, 45, 30, 15)


@dataclasses.dataclass(frozen=True)
class Row:
    """An example: its title, its pixels uint8[H, W, C], its id and the recipe to apply.

    What it has of the recipe's targets beside its image, in `further`, is drawn over it.
    """

    title: str
    image: np.ndarray
    id: int
    aug: ar.Compose
    further: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def example(self) -> dict[str, Any]:
        return {**self.further, "image": self.image}


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture as a page embeds it.

    Attributes:
      pixels: uint8[h, w, 3], with targets drawn over it; perhaps smaller than the image that it is of.
      size: height and width of that image.
      data: the picture encoded, PNG where that is small, else JPEG.
      media_type: of `data`.
    """

    pixels: np.ndarray
    size: tuple[int, int]
    data: bytes
    media_type: str


@dataclasses.dataclass(frozen=True)
class Tile:
    """An example as it comes in an epoch.

    Attributes:
      id, epoch: of the example.
      picture: what comes out.
      draws: what was drawn, in words, by the name of the transform; without those that were not chosen.
      acted: the names of those that changed something: a flip that happened, an angle that is not 0.
      corners: where the corners of what comes out lie in the source, (x, y) as shares of its width and
        height, float64[4, 2]: upper left, upper right, lower right, lower left. Beyond [0, 1] is outside.
      alt: the same in a sentence, for those who do not see it.
    """

    id: int
    epoch: int
    picture: Picture
    draws: dict[str, str]
    acted: tuple[str, ...]
    corners: np.ndarray
    alt: str


def tiles_of(row: Row, epochs: Sequence[int], side: int = 320) -> list[Tile]:
    """One example in several epochs.

    Args:
      row: the example, and a recipe that does not mix examples.
      epochs: at least 0 each.
      side: the longer side of pictures at most, in pixels; smaller ones stay as they are.

    Raises:
      ValueError: if the recipe refuses the example.
    """
    if row.further:
        made, corners = _made_alone(row, epochs), corners_of(row, epochs)
    else:
        made, works = _made(row, epochs)
        work = tf.nest.map_structure(lambda *parts: tf.concat(parts, 0), *works)
        corners = _corners(row, work)
    return [
        _tile(row, epoch, example, params, mine, side)
        for epoch, (example, params), mine in zip(epochs, made, corners, strict=True)
    ]


def original(row: Row, side: int = 320) -> Picture:
    """The example as it is."""
    return pictured(row.aug, row.example, side)


def augmented(row: Row, epoch: int) -> tuple[dict[str, Any], list[str]]:
    """An example in an epoch, and a line for each transform that acts: what was drawn."""
    ((example, params),) = _made_alone(row, [epoch]) if row.further else _made(row, [epoch])[0]
    return example, [said for said in row.aug.describe(params).values() if said]


def _made_alone(row: Row, epochs: Sequence[int]) -> list[tuple[Any, Any]]:
    """An example with targets in each of the epochs, and its params."""
    _check(row.aug)
    params = [row.aug.sample(row.id, epoch, row.image.shape[:2], row.example) for epoch in epochs]
    return [(row.aug.apply(row.example, drawn), drawn) for drawn in params]


def _made(row: Row, epochs: Sequence[int]) -> tuple[list[tuple[Any, Any]], list[Work]]:
    """An example without targets in each of the epochs, with its params; and what was done for it."""
    _check(row.aug)
    program, count, sizes = row.aug.program, len(epochs), [row.image.shape[:2]] * len(epochs)
    program.check_pixels(row.image.dtype, row.image.shape[2])
    drawn = row.aug.sample([row.id] * count, list(epochs), sizes)
    made = _of_any_size(program, row.image.dtype.name, row.image.shape[2])
    images, works = zip(*(made(row.image, row.id, epoch, program.pairs) for epoch in epochs), strict=True)
    params = [tf.nest.map_structure(lambda part: part[place], drawn) for place in range(count)]  # noqa: B023
    return [({"image": image}, mine) for image, mine in zip(images, params, strict=True)], list(works)


def _check(aug: ar.Compose) -> None:
    if aug.mixer is not None:
        raise ValueError("the recipe mixes examples, and each is shown alone; see Compose.unmixed")


@functools.lru_cache(maxsize=64)
def _of_any_size(program: Program, dtype: str, channels: int) -> Any:
    """What a recipe does to an image, compiled once for all sizes and seeds; a call is compiled for each."""

    def made(image: tf.Tensor, id_: tf.Tensor, epoch: tf.Tensor, pairs: tf.Tensor) -> Any:
        sizes = tf.shape(image, tf.int64)[None, :2]
        work = program.plan(id_[None], epoch, sizes, None, pairs)
        return program.applied(image, image, work, sizes), work

    number = tf.TensorSpec([], tf.int64)
    image, pairs = tf.TensorSpec([None, None, channels], dtype), tf.TensorSpec([None, 2], tf.int64)
    return tf.function(made, input_signature=[image, number, number, pairs], autograph=False)


def _tile(row: Row, epoch: int, example: Any, params: Any, corners: np.ndarray, side: int) -> Tile:
    draws = {name: said for name, said in row.aug.describe(params).items() if said}
    acted = tuple(name for name in acting(row.aug, params, row.image.shape[:2]) if name in draws)
    shown = pictured(row.aug, example, side)
    said = "; ".join(f"{name}: {draws[name]}" for name in acted) or "unchanged"
    return Tile(row.id, epoch, shown, draws, acted, corners, f"{row.title} in epoch {epoch}: {said}")


def acting(aug: ar.Compose, params: Mapping[str, Mapping[str, Any]], size: tuple[int, int]) -> list[str]:
    """The transforms whose draws for one example change an image of this size.

    Those inside of one that chooses count if they would, chosen or not; what chooses does nothing itself.
    """
    found = []
    for name, transform in aug.transforms.items():
        drawn = {key: tf.reshape(value, [1, *np.shape(value)]) for key, value in params[name].items()}
        after = size if inside(transform) else tuple(map(int, transform.size_after(*size)))
        if after != tuple(size) or _acts(transform, drawn, size):
            found.append(name)
        size = (after[0], after[1])
    return found


def _acts(transform: Transform, drawn: Mapping[str, tf.Tensor], size: tuple[int, int]) -> bool:
    for part in transform.parts:
        idle = part.idle(drawn)
        if idle is not None and bool(tf.reduce_all(idle)):
            continue
        if not isinstance(part, Map):
            return True
        shown = {key: tf.reshape(value, [-1]) for key, value in drawn.items()}
        if not np.array_equal(part.map(shown, tf.constant([size], tf.int64)), affine.identity(1)):
            return True
    return False


def corners_of(row: Row, epochs: Sequence[int]) -> np.ndarray:
    """The corners of what comes out in the source of an example, see `Tile`, float64[epochs, 4, 2]."""
    program, count = row.aug.program, len(epochs)
    seen = program.seen(row.example, single=True) if program.needs_boxes else {}
    seen = tf.nest.map_structure(lambda part: tf.repeat(part, count, 0), seen)
    sizes = tf.constant([row.image.shape[:2]] * count, tf.int64)
    return _corners(row, program.plan([row.id] * count, list(epochs), sizes, seen))


def _corners(row: Row, work: Work) -> np.ndarray:
    size = row.image.shape[:2]
    sizes = tf.constant([size] * len(work.map), tf.int64)
    legs = row.aug.program.legs(work, sizes)
    last = (legs[-1].after if legs else sizes).numpy().astype(np.float64)
    square = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float64)
    points = square * last[:, None, ::-1]
    for leg in reversed(legs):
        points = _before(leg.map.numpy(), points)
    return points / np.array(size[::-1])


def _before(maps: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Where maps [B, 2, 3] or [B, 3, 3] read points [B, N, 2]."""
    if maps.shape[-2] == 2:
        places = np.concatenate([points, np.ones_like(points[..., :1])], -1)
        return places @ (maps / fixed.ONE).transpose(0, 2, 1)
    places = np.concatenate([2 * points, np.ones_like(points[..., :1])], -1)  # see `projective`
    x, y, depth = np.moveaxis(places @ maps.astype(np.float64).transpose(0, 2, 1), -1, 0)
    return np.stack([x, y], -1) / depth[..., None]


def pictured(aug: ar.Compose, example: Mapping[str, Any], side: int) -> Picture:
    """An example as a picture whose longer side is `side` at most, its targets drawn over it."""
    height, width = np.shape(example["image"])[:2]
    shown, _ = scaled(example["image"], min(side, max(height, width)))
    shown = overlaid(shown, example, aug.program.targets_of(example), (height, width))
    return Picture(np.asarray(shown), (height, width), *encoded(shown))


def encoded(picture: Image.Image) -> tuple[bytes, str]:
    """A picture as a file, and its media type: PNG where that is small, else JPEG, coarser if it is noisy."""
    data = _file(picture, "PNG")
    if len(data) <= _LOSSLESS_BYTES:
        return data, "image/png"
    for quality in _QUALITIES:
        data = _file(picture, "JPEG", quality=quality)
        if len(data) <= _MOST_BYTES:
            break
    return data, "image/jpeg"


def _file(picture: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def scaled(image: Any, side: int) -> tuple[Image.Image, float]:
    """An image [H, W, C] as an RGB picture whose longer side is this, and by how much it was made larger.

    uint16 and floats, white being 1, become bytes; of alpha nothing is seen.
    """
    pixels = tf.image.convert_image_dtype(image, tf.uint8, saturate=True).numpy()
    pixels = pixels[..., 0] if pixels.shape[-1] < 3 else pixels[..., :3]
    picture = Image.fromarray(pixels).convert("RGB")
    scale = side / max(picture.size)
    width, height = (max(1, round(edge * scale)) for edge in picture.size)
    how = Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.LANCZOS
    return picture.resize((width, height), how), scale
