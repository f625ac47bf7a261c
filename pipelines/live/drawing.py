"""Recipes applied to images of the album, op by op: a number that changes is another recipe.

Tracing and compiling one takes seconds, and memory for as long as the process lives; op by op it is as many
calls for all images of one size as for one of them. The bits are the same.
"""

import base64
import collections
import gc
import io
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image

import augrng as ar
from augrng.compiled import op_by_op
from augrng.transforms.choosing import inside
from pipelines.live.album import Album
from pipelines.live.recipes import MOST_SIDE
from pipelines.show.pictures import UnreadableImageError
from pipelines.show.tiles import Row, corners_of

MOST_TILES = 16  # in a request
MOST_EPOCH = 10**15  # JavaScript's whole numbers are exact to 9 * 10**15
_PIXELS_AT_ONCE = 1 << 20  # of images that are augmented in one go, where they are largest on their way
_AT_ONCE = threading.BoundedSemaphore(4)  # requests that draw; others wait
_COLLECTED_EVERY = 64  # requests
_requests = itertools.count(1)


class Place(NamedTuple):
    """A tile that is asked for: the number of an image, and the epoch."""

    image: int
    epoch: int


class GoneError(Exception):
    """Nobody waits for the answer."""


def tiles(
    album: Album, aug: ar.Compose, places: Sequence[Place], gone: Callable[[], bool]
) -> list[dict[str, Any]]:
    """A tile for each place: its picture as PNG, exactly what `aug` gives, and what was drawn, or an error.

    Args:
      album: of the images.
      aug: the recipe; what it declares of targets is passed over.
      places: see `Place`.
      gone: whether nobody waits for the answer any more; asked between pictures.

    Raises:
      GoneError: if nobody does.
      IndexError: if there is no such image.
    """
    aug = aug.with_targets(None)
    made: dict[int, dict[str, Any]] = {}
    fit: dict[tuple[int, int], list[tuple[int, Place, np.ndarray]]] = collections.defaultdict(list)
    with _AT_ONCE, op_by_op():
        for number, place in enumerate(places):
            try:
                pixels = album.pixels(place.image)
                _check(aug, pixels)
            except (UnreadableImageError, ValueError) as error:
                made[number] = {"error": str(error)}
                continue
            made[number] = {"source": pixels.shape[:2]}
            fit[pixels.shape[0], pixels.shape[1]].append((number, place, pixels))
        for group in fit.values():
            for part in _parts(aug, group):
                if gone():
                    raise GoneError
                for number, tile in _made(album, aug, part):
                    made[number] |= tile
    if next(_requests) % _COLLECTED_EVERY == 0:
        gc.collect()
    return [{**places[number]._asdict(), **made[number]} for number in range(len(places))]


def detail(album: Album, aug: ar.Compose, place: Place) -> dict[str, Any]:
    """One tile in full: as of `tiles`, and where in its image its corners lie, see `show.tiles.Tile`.

    Raises:
      IndexError: if there is no such image.
      UnreadableImageError: if it cannot be read.
      ValueError: if the recipe refuses it.
    """
    pixels, entry = album.pixels(place.image), album.entries[place.image]
    aug = aug.with_targets(None)
    with _AT_ONCE, op_by_op():
        _check(aug, pixels)
        ((_, tile),) = _made(album, aug, [(0, place, pixels)])
        corners = corners_of(Row(entry.name, pixels, entry.id, aug), [place.epoch])[0]
    return {
        "name": entry.name,
        "id": str(entry.id),
        "epoch": place.epoch,
        **tile,
        "corners": corners.tolist(),
    }


def _check(aug: ar.Compose, pixels: np.ndarray) -> None:
    """Raises ValueError if the recipe refuses an image, or would make it too large for a page."""
    height, width = pixels.shape[:2]
    rules = aug.program.rules
    broken = int(aug.program.first_broken(tf.constant([[height, width]], tf.int64))[0])
    if broken < len(rules):
        raise ValueError(f"{rules[broken]}, got {height}x{width} pixels")
    reason = _too_large(aug, height, width)
    if reason:
        raise ValueError(reason)


def _sizes_of(aug: ar.Compose, height: int, width: int) -> dict[str, tuple[int, int]]:
    """The (height, width) that each transform makes of an image of this size, in their order, by name."""
    found = {}
    for name, transform in aug.transforms.items():
        if not inside(transform):
            height, width = (int(side) for side in transform.size_after(height, width))
            found[name] = height, width
    return found


def _too_large(aug: ar.Compose, height: int, width: int) -> str | None:
    """Why an image of this size would become too large on its way; None if it would not."""
    for name, size in _sizes_of(aug, height, width).items():
        if max(size) > MOST_SIDE:
            return (
                f"{name}: makes {size[0]}x{size[1]} of it; pictures may have {MOST_SIDE} pixels a side here"
            )
    return None


def _parts(
    aug: ar.Compose, group: list[tuple[int, Place, np.ndarray]]
) -> Iterator[list[tuple[int, Place, np.ndarray]]]:
    """Images of one size in as many parts as bound the memory that they take."""
    size = group[0][2].shape[:2]
    largest = max(height * width for height, width in (size, *_sizes_of(aug, *size).values()))
    count = max(1, _PIXELS_AT_ONCE // largest)
    for start in range(0, len(group), count):
        yield group[start : start + count]


def _made(
    album: Album, aug: ar.Compose, part: list[tuple[int, Place, np.ndarray]]
) -> Iterator[tuple[int, dict[str, Any]]]:
    images = np.stack([pixels for _, _, pixels in part])
    ids = [album.entries[place.image].id for _, place, _ in part]
    epochs = [place.epoch for _, place, _ in part]
    params = aug.sample(ids, epochs, [images.shape[1:3]] * len(part))
    out = aug.apply(images, params).numpy()
    drawn = tf.nest.map_structure(lambda one: one.numpy(), params)
    for row, (number, _, _) in enumerate(part):
        said = aug.describe(tf.nest.map_structure(lambda one: one[row], drawn))  # noqa: B023
        draws = {name: words for name, words in said.items() if words}
        yield number, {"picture": as_url(out[row]), "size": out[row].shape[:2], "draws": draws}


def as_url(pixels: np.ndarray) -> str:
    """uint8[H, W, 3] as a URL that holds a PNG of it."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
