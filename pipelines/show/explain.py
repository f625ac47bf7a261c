"""Where the pixels of an example come from, drawn: the source, the window that is read, its axes."""

import numpy as np
from PIL import Image, ImageDraw

import augrng as ar
from pipelines.show.replay import Replayed
from pipelines.show.sheets import BACKGROUND, INK, font
from pipelines.show.tiles import Row, corners_of, scaled

_MARGIN, _LINE = 12, 15
_WINDOW, _X, _Y = (230, 60, 50), (40, 120, 220), (30, 160, 80)


def window_of(aug: ar.Compose, replayed: Replayed) -> np.ndarray:
    """The corners (x, y) in the source of what comes out, in pixels, float64[4, 2]; see `tiles.Tile`."""
    further = {name: value for name, value in replayed.record.items() if name != "image"}
    row = Row("", replayed.source, replayed.id, aug, further)
    return corners_of(row, [replayed.epoch])[0] * replayed.source.shape[1::-1]


def explained(aug: ar.Compose, replayed: Replayed, side: int = 480) -> Image.Image:
    """The source with the window and its axes on it, the result beside it, and what was drawn below.

    Args:
      aug: the recipe, without what mixes examples.
      replayed: the example.
      side: the longer side of either picture, in pixels.
    """
    before, scale = scaled(replayed.source, side)
    after, _ = scaled(replayed.example["image"], side)
    lines = [f"id {replayed.id}, epoch {replayed.epoch}"]
    lines += [f"{draw.name}: {draw.said}" for draw in replayed.draws if draw.said]
    lines.append("red: what is read; blue: its x axis, green: its y axis, from where the result begins")
    corners = window_of(aug, replayed) * scale
    low, high = np.minimum(corners.min(0), 0), np.maximum(corners.max(0), before.size)
    room = [int(np.ceil(end)) for end in high - low]  # a window may lie across the border
    width, height = room[0] + after.width + 3 * _MARGIN, max(room[1], after.height) + 2 * _MARGIN
    sheet = Image.new("RGB", (max(width, 480), height + _LINE * len(lines) + _MARGIN), BACKGROUND)
    origin = np.array([_MARGIN, _MARGIN]) - low
    sheet.paste(before, (int(origin[0]), int(origin[1])))
    sheet.paste(after, (room[0] + 2 * _MARGIN, _MARGIN))
    draw = ImageDraw.Draw(sheet)
    points = [tuple(corner) for corner in corners + origin]
    draw.line([*points, points[0]], fill=_WINDOW, width=2)
    draw.line([points[0], points[1]], fill=_X, width=3)
    draw.line([points[0], points[3]], fill=_Y, width=3)
    x, y = points[0]
    draw.ellipse([x - 5, y - 5, x + 5, y + 5], fill=_WINDOW)
    for number, line in enumerate(lines):
        draw.text((_MARGIN, height + number * _LINE), line, fill=INK, font=font())
    return sheet
