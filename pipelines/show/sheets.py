"""Contact sheets: rows are examples, columns the original and several epochs, with what was drawn."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import augrng as ar
from pipelines.show.overlays import overlaid

_MARGIN = 6
_LINE = 13
BACKGROUND, INK = (250, 250, 250), (20, 20, 20)


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


def contact_sheet(rows: Sequence[Row], epochs: Sequence[int], tile: int = 160) -> Image.Image:
    """Draws each example as it is and as it comes in each epoch, captioned with its params.

    Args:
      rows: at least one example; images may differ in size.
      epochs: one column each, after that of the originals.
      tile: the longer side of a picture on the sheet, in pixels.

    Returns:
      An RGB picture.

    Raises:
      ValueError: if there is no row.
    """
    if not rows:
        raise ValueError("rows: must hold at least one example, got none")
    lines = max(len(row.aug.transforms) for row in rows)
    width, height = tile + _MARGIN, tile + _MARGIN + _LINE * lines
    sheet = Image.new(
        "RGB", ((len(epochs) + 1) * width + _MARGIN, len(rows) * height + 2 * _LINE), BACKGROUND
    )
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(["original", *(f"epoch {epoch}" for epoch in epochs)]):
        draw.text((column * width + _MARGIN, _MARGIN), title, fill=INK, font=font())
    for line, row in enumerate(rows):
        top = line * height + 2 * _LINE
        _paste(sheet, (_MARGIN, top), row.aug, row.example, tile, [row.title, f"id {row.id}"[:24]])
        for column, epoch in enumerate(epochs, start=1):
            example, captions = augmented(row, epoch)
            _paste(sheet, (column * width + _MARGIN, top), row.aug, example, tile, captions)
    return sheet


def animation(rows: Sequence[Row], epochs: Sequence[int], tile: int = 160) -> list[Image.Image]:
    """One frame an epoch, all examples side by side; the arguments are those of `contact_sheet`."""
    if not rows:
        raise ValueError("rows: must hold at least one example, got none")
    frames = []
    for epoch in epochs:
        frame = Image.new("RGB", (len(rows) * (tile + _MARGIN) + _MARGIN, tile + 2 * _LINE), BACKGROUND)
        ImageDraw.Draw(frame).text((_MARGIN, _MARGIN), f"epoch {epoch}", fill=INK, font=font())
        for column, row in enumerate(rows):
            place = (column * (tile + _MARGIN) + _MARGIN, 2 * _LINE)
            _paste(frame, place, row.aug, augmented(row, epoch)[0], tile, [])
        frames.append(frame)
    return frames


def augmented(row: Row, epoch: int) -> tuple[dict[str, Any], list[str]]:
    """An example in an epoch, and a line for each transform that acts: what was drawn."""
    params = row.aug.sample(row.id, epoch, row.image.shape[:2], row.example)
    return row.aug.apply(row.example, params), [said for said in row.aug.describe(params).values() if said]


def _paste(
    sheet: Image.Image,
    place: tuple[int, int],
    aug: ar.Compose,
    example: Mapping[str, Any],
    tile: int,
    captions: list[str],
) -> None:
    pixels = np.asarray(example["image"])
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).convert("RGB")
    scale = tile / max(picture.size)
    size = tuple(max(1, round(side * scale)) for side in picture.size)
    how = Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.LANCZOS
    picture = picture.resize(size, how)  # type: ignore[arg-type]
    targets = aug.program.targets_of(example)
    sheet.paste(overlaid(picture, example, targets, pixels.shape[:2]), place)
    for line, caption in enumerate(captions):
        place_below = (place[0], place[1] + tile + line * _LINE)
        ImageDraw.Draw(sheet).text(place_below, caption, fill=INK, font=font())


def font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(11)
