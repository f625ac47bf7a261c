"""Contact sheets: rows are examples, columns the original and several epochs, with what was drawn."""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from augrng.targets import Target
from pipelines.show.overlays import overlaid
from pipelines.show.tiles import Row, augmented, scaled

_MARGIN = 6
_LINE = 13
BACKGROUND, INK = (250, 250, 250), (20, 20, 20)


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
    cells = [
        [(row.example, [row.title, f"id {row.id}"]), *(augmented(row, epoch) for epoch in epochs)]
        for row in rows
    ]
    titles = ["original", *(f"epoch {epoch}" for epoch in epochs)]
    return table(titles, cells, [row.aug.program.targets_of for row in rows], tile)


def table(
    titles: Sequence[str],
    rows: Sequence[Sequence[tuple[Mapping[str, Any], Sequence[str]]]],
    targets: Sequence[Callable[[Mapping[str, Any]], Mapping[str, Target]]],
    tile: int,
) -> Image.Image:
    """Examples in rows and columns, each with captions below that wrap.

    Args:
      titles: of the columns, above them.
      rows: of (example, captions).
      targets: for each row, what says of an example which targets are to be drawn over it.
      tile: the longer side of a picture, in pixels.
    """
    lines = [[[part for text in said for part in wrapped(text, tile)] for _, said in row] for row in rows]
    heights = [tile + _MARGIN + _LINE * max(map(len, row)) for row in lines]
    width = tile + _MARGIN
    sheet = Image.new("RGB", (len(titles) * width + _MARGIN, sum(heights) + 2 * _LINE), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(titles):
        draw.text((column * width + _MARGIN, _MARGIN), title, fill=INK, font=font())
    top = 2 * _LINE
    for row, said, height, of in zip(rows, lines, heights, targets, strict=True):
        for column, ((example, _), captions) in enumerate(zip(row, said, strict=True)):
            _paste(sheet, (column * width + _MARGIN, top), of(example), example, tile, captions)
        top += height
    return sheet


def wrapped(text: str, width: int) -> list[str]:
    """A caption in lines of at most so many pixels, broken behind spaces and the like, or anywhere."""
    lines, line = [], ""
    for word in re.split(r"(?<=[\s/_])", text):
        if line and font().getlength((line + word).rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        while font().getlength(word.rstrip()) > width and len(word) > 1:
            fits = [end for end in range(1, len(word)) if font().getlength(word[:end]) <= width]
            cut = max(fits, default=1)
            lines.append(word[:cut])
            word = word[cut:]
        line += word
    return [*lines, line.rstrip()]


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
            example = augmented(row, epoch)[0]
            _paste(frame, place, row.aug.program.targets_of(example), example, tile, [])
        frames.append(frame)
    return frames


def _paste(
    sheet: Image.Image,
    place: tuple[int, int],
    targets: Mapping[str, Target],
    example: Mapping[str, Any],
    tile: int,
    captions: Sequence[str],
) -> None:
    picture, _ = scaled(example["image"], tile)
    sheet.paste(overlaid(picture, example, targets, np.shape(example["image"])[:2]), place)
    for line, caption in enumerate(captions):
        place_below = (place[0], place[1] + tile + line * _LINE)
        ImageDraw.Draw(sheet).text(place_below, caption, fill=INK, font=font())


@functools.cache
def font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(11)
