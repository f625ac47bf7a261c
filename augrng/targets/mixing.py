"""What is known about several pictures, as what is known about the one that they become.

Rows of boxes and keypoints come one picture's after the other's, in the order of the pictures.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from augrng import arguments, fixed
from augrng.geometry import panes as panes_module
from augrng.geometry.panes import Pane
from augrng.targets.base import Example, Target, found, has, number, position, put, require
from augrng.targets.boxes import Boxes
from augrng.targets.keypoints import Keypoints
from augrng.targets.mask import Mask
from augrng.targets.moving import Moves
from augrng.targets.rows import batched, left, padding, present

_AREA_BITS = 8  # fraction bits of a side when areas are compared
_SHARE_BITS = 16


def mixed(
    examples: Sequence[Example],
    targets: Mapping[str, Target],
    panes: Sequence[Pane],
    size: tf.Tensor,
    ids: tf.Tensor,
    *,
    shows: bool,
) -> Example:
    """The first of several batches of examples, with the targets of all; nothing else is looked at.

    Args:
      examples: of each picture, B of them, moved as their pictures were.
      targets: by name, as they were moved by.
      panes: where each picture shows.
      size: int64[B, 2], height and width of all pictures.
      ids: int64[B], of the first, for errors.
      shows: whether a pixel is of one picture, the last one that shows there; else it is of all.

    Raises:
      ValueError: if there is a mask and pixels are of all pictures; or more boxes are left than `max_boxes`
        (in a graph: tf.errors.InvalidArgumentError when it runs).
    """
    order = {Keypoints: 0, Boxes: 1, Mask: 2}
    own = {label for target in targets.values() if isinstance(target, Boxes) for label in target.labels}
    covers = [[pane.window for pane in panes[nth + 1 :]] if shows else [] for nth in range(len(panes))]
    examples = list(examples)
    for name, target in sorted(targets.items(), key=lambda item: order[type(item[1])]):
        if isinstance(target, Mask):
            examples[0] = _mask(examples, name, target, panes, shows)
        elif isinstance(target, Boxes):
            examples[0] = _boxes(examples, name, target, panes, covers, size, ids)
        elif isinstance(target, Keypoints):
            parts = zip(examples, panes, covers, strict=True)
            examples = [_points(one, name, target, pane, under, size) for one, pane, under in parts]
            for key in (name, f"{name}_visible"):
                if has(examples[0], key) and key not in own:  # those of boxes go with their boxes
                    examples[0] = put(examples[0], key, _joined([found(one, key) for one in examples]))
    return examples[0]


def check(targets: Mapping[str, Target], shows: bool) -> None:
    """Refuses targets that have no meaning where pixels are of all pictures."""
    for name, target in targets.items():
        if isinstance(target, Mask) and not shows:
            raise ValueError(
                f"{name}: a mask has no mean with another one; mix by CutMix or Mosaic, or leave it out of "
                "targets="
            )


def _mask(
    examples: Sequence[Example], name: str, target: Mask, panes: Sequence[Pane], shows: bool
) -> Example:
    check({name: target}, shows)
    masks = [arguments.pixels(found(one, name), name) for one in examples]
    flat = masks[0].shape.rank == 3
    masks = [mask[..., None] if flat else mask for mask in masks]
    out = panes_module.shown(masks, panes, target.multiple)
    return put(examples[0], name, out[..., 0] if flat else out)


def _points(
    example: Example, name: str, target: Keypoints, pane: Pane, covers: Sequence[tf.Tensor], size: tf.Tensor
) -> Example:
    """One picture's keypoints where it shows, those that are not to be seen marked."""
    given = found(example, name)
    points = given.to_tensor() if isinstance(given, tf.RaggedTensor) else tf.convert_to_tensor(given)
    axes = target.format.removeprefix("rel_")
    columns = dict(zip(axes, tf.unstack(points, axis=-1), strict=True))
    sides = [size[:, axis] if target.format.startswith("rel_") else None for axis in (1, 0)]
    places = [position(columns[axis], side) for axis, side in zip("xy", sides, strict=True)]
    lead = [-1] + [1] * (points.shape.rank - 2)
    if pane.shift is not None:
        moved = [
            place + tf.reshape(pane.shift[:, axis], lead) * fixed.ONE
            for axis, place in zip((1, 0), places, strict=True)
        ]
        for axis, place, side in zip("xy", moved, sides, strict=True):
            shifted = number(place, side, points.dtype)
            columns[axis] = tf.where(tf.equal(place, places["xy".index(axis)]), columns[axis], shifted)
        places = moved
    seen = _inside(places, pane.window, lead)
    for window in covers:
        seen &= ~_inside(places, window, lead)
    if "v" in columns:
        columns["v"] = tf.where(seen, columns["v"], tf.zeros_like(columns["v"]))
    out = _like(tf.stack([columns[axis] for axis in axes], -1), given)
    example = put(example, name, out)
    if has(example, f"{name}_visible"):
        before = found(example, f"{name}_visible")
        dense = before.to_tensor() if isinstance(before, tf.RaggedTensor) else before
        example = put(example, f"{name}_visible", _like(dense & seen, before))
    return example


def _boxes(
    examples: Sequence[Example],
    name: str,
    target: Boxes,
    panes: Sequence[Pane],
    covers: Sequence[Sequence[tf.Tensor]],
    size: tf.Tensor,
    ids: tf.Tensor,
) -> Example:
    """The first example with the boxes of all, and what belongs to them."""
    corners, valid = f"{name}_corners", f"{name}_valid"
    extra = ([corners] if target.corners else []) + ([valid] if has(examples[0], valid) else [])
    rows: dict[str, list[tf.Tensor]] = {key: [] for key in (name, *extra, *target.labels)}
    keeps = []
    for example, pane, under in zip(examples, panes, covers, strict=True):
        given = found(example, name)
        boxes = batched(given, name, single=False)
        there = present(given, boxes) & ~tf.reduce_all(tf.equal(boxes, -1), -1)
        if has(example, valid):
            there &= batched(found(example, valid), valid, single=False)
        made, keep = _placed(target, boxes, there, pane, under, size)
        keeps.append(keep)
        rows[name].append(made)
        for key in rows:
            if key == corners:
                rows[key].append(_shifted(target, batched(found(example, key), key, False), pane, size))
            elif key != name:
                rows[key].append(keep if key == valid else batched(found(example, key), key, False))
    keep = tf.concat(keeps, 1)
    first = examples[0]
    if target.max_boxes is not None:
        count = tf.reduce_sum(tf.cast(keep, tf.int32), 1)
        rule = (
            f"{name}: at most max_boxes = {target.max_boxes} boxes may be left of the pictures that are mixed"
        )
        keep = require((count <= target.max_boxes)[None], [rule], keep, ids)
    for key, values in rows.items():
        value = tf.concat(values, 1)
        pad = padding(value.dtype) if key in target.labels else tf.zeros([], value.dtype)
        first = put(first, key, left(value, keep, target.max_boxes, False, pad))
    return first


def _placed(
    target: Boxes,
    boxes: tf.Tensor,
    there: tf.Tensor,
    pane: Pane,
    covers: Sequence[tf.Tensor],
    size: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Boxes [B, N, 4] of a picture, cut to where it shows, and which of them stay, bool[B, N]."""
    moves = Moves((), size)
    low, high, keep, _ = target.read(boxes, there, size)
    if pane.shift is not None:
        shift = pane.shift[:, None, ::-1] * fixed.ONE
        low, high = low + shift, high + shift
    whole = _area(low, high)
    first, last = panes_module.parts(low, high, pane.window, fixed.FRACTION)
    seen = _area(first, last)
    hidden = tf.zeros_like(seen)
    for window in covers:
        hidden += _area(*panes_module.parts(first, last, window, fixed.FRACTION))
    least = round(target.min_size * fixed.ONE)
    share = round(target.min_visible * (1 << _SHARE_BITS))
    cut = tf.reduce_any(tf.not_equal(first, low) | tf.not_equal(last, high), -1)
    enough = ((seen - hidden) * (1 << _SHARE_BITS) >= share * whole) & (hidden < seen)
    enough &= tf.reduce_all(last - first >= least, -1)
    keep &= tf.reduce_all(last > first, -1) & (enough | ~cut & (hidden == 0))
    written = target.written(first, last, boxes.dtype, moves)
    # Boxes that stay as they are keep their very numbers.
    stays = ~cut if pane.shift is None else ~cut & tf.reduce_all(tf.equal(pane.shift, 0), -1)[:, None]
    return tf.where(stays[..., None], boxes, written), keep


def _shifted(target: Boxes, corners: tf.Tensor, pane: Pane, size: tf.Tensor) -> tf.Tensor:
    """The turned corners [B, N, 4, 2] of boxes, where their picture shows."""
    if pane.shift is None:
        return corners
    axes = (0, 1) if target.format.endswith("yxyx") else (1, 0)
    columns = []
    for axis, value in zip(axes, tf.unstack(corners, axis=-1), strict=True):
        side = size[:, axis] if target.format.startswith("rel_") else None
        place = position(value, side) + pane.shift[:, axis, None, None] * fixed.ONE
        still = tf.equal(pane.shift[:, axis, None, None], 0)
        columns.append(tf.where(still, value, number(place, side, value.dtype)))
    return tf.stack(columns, -1)


def _area(low: tf.Tensor, high: tf.Tensor) -> tf.Tensor:
    """int64[B, N], of boxes, 0 where their ends are not in order; sides are rounded up to 1/256 pixel."""
    down = tf.constant(fixed.FRACTION - _AREA_BITS, tf.int64)
    sides = tf.bitwise.right_shift(tf.maximum(high - low, 0) + (1 << (fixed.FRACTION - _AREA_BITS)) - 1, down)
    return sides[..., 0] * sides[..., 1]


def _inside(places: Sequence[tf.Tensor], window: tf.Tensor, lead: list[int]) -> tf.Tensor:
    """Whether positions (x, y) lie in windows, border included; in none without area."""
    top, left_, bottom, right = (tf.reshape(end, lead) for end in tf.unstack(window * fixed.ONE, axis=-1))
    x, y = places
    within = (x >= left_) & (x <= right) & (y >= top) & (y <= bottom)
    return within & (bottom > top) & (right > left_)


def _like(dense: tf.Tensor, given: Any) -> Any:
    """Dense rows in the form that was given."""
    if isinstance(given, tf.RaggedTensor):
        return tf.RaggedTensor.from_tensor(dense, given.row_lengths())
    return dense


def _joined(values: Sequence[Any]) -> Any:
    """Rows of several pictures, one's after the other's."""
    return tf.concat(values, 1)
