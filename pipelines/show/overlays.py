"""Masks, boxes and keypoints drawn over a picture."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

import augrng as ar
from augrng.targets import Target
from augrng.targets.base import found, has

_COLORS = ((230, 60, 50), (40, 120, 220), (30, 160, 80), (240, 170, 30), (150, 70, 190), (20, 170, 180))
_VEIL = 0.45  # how much of a mask's colour there is


def overlaid(
    picture: Image.Image, example: Mapping[str, Any], targets: Mapping[str, Target], size: tuple[int, int]
) -> Image.Image:
    """A picture with the targets of an example drawn over it: masks as a veil, boxes with labels, points.

    Args:
      picture: RGB, perhaps shrunk or enlarged.
      example: with the targets that are to be drawn; a mask's 0 and its fill value stay clear.
      targets: by name; those that the example lacks are passed over.
      size: (height, width) that the numbers of the targets are of.
    """
    there = {name: target for name, target in targets.items() if has(example, name)}
    scale = np.array(picture.size) / size[::-1]
    for name, target in there.items():
        if isinstance(target, ar.Mask):
            picture = _veiled(picture, np.asarray(found(example, name)), target)
    draw = ImageDraw.Draw(picture)
    for name, target in there.items():
        if isinstance(target, ar.Boxes):
            values = np.asarray(found(example, name))
            labels = [np.asarray(found(example, label)) for label in target.labels[:1]]
            count = _rows(example, name, len(values))
            for row, (low, high) in enumerate(_ends(values[:count], target.format, size)):
                color = _COLORS[row % len(_COLORS)]
                low, high = (np.round(end * scale) for end in (low, high))
                draw.rectangle([*low, *high], outline=color, width=2)
                if labels:
                    text = labels[0][row]
                    text = text.decode() if isinstance(text, bytes) else str(text)
                    draw.text(tuple(low + 2), text, fill=color)
        elif isinstance(target, ar.Keypoints):
            for row, point in enumerate(_points(np.asarray(found(example, name)), target.format, size)):
                x, y = point * scale
                draw.ellipse([x - 3, y - 3, x + 3, y + 3], fill=_COLORS[row % len(_COLORS)])
    return picture


def _veiled(picture: Image.Image, mask: np.ndarray, target: ar.Mask) -> Image.Image:
    flat = mask.reshape(*mask.shape[:2], -1)[..., 0].astype(np.int64)
    clear = (flat == 0) | (np.ravel(target.fill_value)[0] == flat)
    colors = np.array(_COLORS, np.uint8)[flat % len(_COLORS)]
    how = Image.Resampling.NEAREST
    veil = Image.fromarray(colors).resize(picture.size, how)
    alpha = Image.fromarray(np.where(clear, 0, round(255 * _VEIL)).astype(np.uint8)).resize(picture.size, how)
    return Image.composite(veil, picture, alpha)


def _rows(example: Mapping[str, Any], name: str, count: int) -> int:
    """How many rows are boxes, and no padding."""
    valid = f"{name}_valid"
    return int(np.sum(np.asarray(found(example, valid)))) if has(example, valid) else count


def _ends(boxes: np.ndarray, format: str, size: tuple[int, int]) -> np.ndarray:
    """The upper left and lower right corners (x, y) in pixels, [N, 2, 2]."""
    order = format.removeprefix("rel_")
    first, second = np.asarray(boxes, np.float64).reshape(-1, 2, 2).transpose(1, 0, 2)
    if order == "yxyx":
        first, second = first[:, ::-1], second[:, ::-1]
    if order == "cxcywh":
        first = first - second / 2
    if order in ("xywh", "cxcywh"):
        second = first + second
    return np.stack([first, second], 1) * (size[::-1] if format.startswith("rel_") else (1, 1))


def _points(points: np.ndarray, format: str, size: tuple[int, int]) -> np.ndarray:
    """The points (x, y) in pixels that are to be seen, [N, 2]."""
    order = format.removeprefix("rel_")
    rows = points.reshape(-1, len(order)).astype(np.float64)
    rows = rows[rows[:, 2] > 0] if order.endswith("v") else rows
    rows = rows[:, [order.index("x"), order.index("y")]]
    return rows * (size[::-1] if format.startswith("rel_") else (1, 1))
