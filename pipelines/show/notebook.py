"""What notebooks show, as pictures of Pillow's: batches, and one picture in several epochs."""

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

import augrng as ar
from augrng.compose import as_compose
from augrng.targets import Target
from augrng.targets.declared import inferred
from pipelines.show.sheets import contact_sheet, table
from pipelines.show.tiles import Row


def show(
    batch: Any,
    *,
    columns: int = 8,
    limit: int = 32,
    tile: int = 128,
    targets: Mapping[str, Target] | None = None,
) -> Image.Image:
    """A batch as a picture: its images side by side, with their ids and epochs, which replay them.

    Args:
      batch: of `make_dataset`, or images [B, H, W, C] or [H, W, C]: uint8, uint16, or floats in [0, 1].
      columns: how many images stand side by side.
      limit: how many are shown at most.
      tile: the longer side of an image there, in pixels.
      targets: what is drawn over them, as of `Compose`; by default masks, boxes and keypoints by those names.

    Returns:
      An RGB picture of Pillow's; a notebook displays it.

    Raises:
      TypeError: if an argument is of another type.
      ValueError: if there is no image in it, or a number is below 1.
    """
    for name, value in (("columns", columns), ("limit", limit), ("tile", tile)):
        _positive(name, value)
    given = dict(batch) if isinstance(batch, Mapping) else {"image": batch}
    if "image" not in given:
        raise ValueError(f'batch: must have "image", got {sorted(given)}')
    image = given["image"]
    if np.ndim(image) == 3:
        given = {name: np.asarray(value)[None] for name, value in given.items()}
    elif np.ndim(image) != 4:
        raise ValueError(f"batch: images must be [B, H, W, C] or [H, W, C], got shape {np.shape(image)}")
    count = min(len(given["image"]), limit)
    if not count:
        raise ValueError("batch: must hold at least one image, got none")
    cells = [(_row(given, number), _caption(given, number)) for number in range(count)]
    across = min(columns, count)
    rows = [cells[start : start + across] for start in range(0, count, across)]
    drawn = lambda example: targets if targets is not None else inferred(example)  # noqa: E731
    return table([""] * across, rows, [drawn] * len(rows), tile)


def compare(image: Any, aug: ar.Compose, *, epochs: int = 5, id: int = 0, tile: int = 160) -> Image.Image:
    """One picture as it is and as it comes in each of several epochs, with what was drawn below.

    Args:
      image: [H, W, C]: uint8, uint16, or floats in [0, 1]; or an example, a dict with "image" and targets.
      aug: the recipe.
      epochs: how many, from 0 on.
      id: of the example.
      tile: the longer side of an image there, in pixels.

    Returns:
      An RGB picture of Pillow's; a notebook displays it.

    Raises:
      TypeError: if an argument is of another type.
      ValueError: if a number is below 1, the recipe mixes examples, or it refuses the image.
    """
    aug = as_compose(aug)
    for name, value in (("epochs", epochs), ("tile", tile)):
        _positive(name, value)
    if aug.mixer is not None:
        raise ValueError("aug: mixes examples, of which there is but one; compare(image, aug.unmixed)")
    example = dict(image) if isinstance(image, Mapping) else {"image": image}
    pixels = np.asarray(example.pop("image"))
    if pixels.ndim != 3:
        raise ValueError(f"image: must be [H, W, C], got shape {pixels.shape}")
    return contact_sheet([Row("", pixels, id, aug, example)], range(epochs), tile)


def _row(batch: Mapping[str, Any], number: int) -> dict[str, Any]:
    """One example of a batch, what lies in dicts inside too."""
    return {
        name: _row(value, number) if isinstance(value, Mapping) else value[number]
        for name, value in batch.items()
    }


def _caption(batch: Mapping[str, Any], number: int) -> list[str]:
    return [f"{name} {int(batch[name][number])}" for name in ("id", "epoch") if name in batch]


def _positive(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name}: must be an integer, got {value!r}")
    if value < 1:
        raise ValueError(f"{name}: must be at least 1, got {value}")
