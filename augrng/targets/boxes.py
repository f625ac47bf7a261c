"""Boxes: what they enclose moves, and they enclose it again."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from augrng import fixed
from augrng.targets.base import (
    Example,
    Target,
    Tensors,
    check_count,
    check_number,
    finite,
    found,
    fraction_of,
    has,
    number,
    numeric,
    position,
    put,
)
from augrng.targets.moving import Moves, moved
from augrng.targets.rows import batched, left, padding, present, rounded_up
from augrng.transforms.base import SHARE_BITS, Rectangles

_ORDERS = ("xyxy", "xywh", "cxcywh", "yxyx")
_SLACK = fixed.ONE // 64  # positions are exact to this
FORMATS = (*_ORDERS, *(f"rel_{order}" for order in _ORDERS))


@dataclasses.dataclass(frozen=True, repr=False)
class Boxes(Target):
    """Boxes [N, 4] of an example; [B, N, 4] or ragged in a batch; float32, float64 or integers (rounded).

    Each becomes the box that encloses its four moved corners, clipped to the picture. Where several stages
    move the pixels (a rotation, colour, a rotation), corners go through all of them, and what a stage cuts
    off is gone: a box that was cut goes on as the box that is left.

    A box goes, and its row of all `labels` with it, if less than `min_visible` of that enclosing box's area
    lies in the picture, a side is shorter than `min_size`, or no area is left. Positions are rounded, so 1/64
    pixel beyond the picture's border counts as in it, and a side may be so much shorter.

    **Bad boxes, one rule.** A box is clipped to the picture that it comes with, and one without area is none,
    and goes. Refused, by the example's id, is what clipping cannot have been meant for: a coordinate that is
    NaN or infinite, an end before its start (x2 < x1, a negative width), or a corner farther outside of the
    picture than the picture is large (pixels passed as relative ones). In code that is jit-compiled as a
    whole nothing can be refused: there such a box goes. A row of -1 alone is padding, as Keras writes it; so
    is what a feature "NAME_valid", bool[N], says not to be valid, and either is passed over.

    Args:
      format: "xyxy" (x1, y1, x2, y2), "xywh" (x1, y1, width, height), "cxcywh" (centre, width, height) or
        "yxyx" (y1, x1, y2, x2), in pixels; with "rel_" before it in shares of the image's width and height:
        "rel_yxyx" is TFDS' and TensorFlow's. The same comes out.
      labels: the name of what belongs to the boxes, row by row, or several names: labels, crowd flags, areas,
        keypoints [N, K, 2]. They lose the rows that boxes lose.
      min_visible: the least share of a box's area that must lie in the picture, in [0, 1].
      min_size: the least width and height of what is left, in pixels of the output.
      max_boxes: how many rows come out, always: boxes first, in their order, then padding (boxes 0; of
        labels signed numbers -1, others 0, "" or False). With it a "NAME_valid", bool[max_boxes], comes out,
        and shapes are known, as XLA and Keras want. More boxes are refused by id; in code compiled as a whole
        the first ones are kept. None gives as many as there are, in a batch ragged.
      corners: whether "NAME_corners" [N, 4, 2] is added, of the box turned with the picture and not clipped:
        what were its upper left, upper right, lower right and lower left corner, as (x, y), or (y, x) for
        "yxyx", in pixels or shares as the format says.

    Raises:
      ValueError: if an argument is out of range; when called: if the shape is not [N, 4], something in
        `labels` has not as many rows, and as said above.
    """

    format: str
    labels: str | tuple[str, ...] = ()
    min_visible: float = 0.0
    min_size: float = 0.0
    max_boxes: int | None = None
    corners: bool = False

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ValueError(f"Boxes: format must be one of {FORMATS}, got {self.format!r}")
        labels = () if self.labels is None else self.labels
        labels = (labels,) if isinstance(labels, str) else labels
        if not isinstance(labels, Sequence) or not all(isinstance(name, str) and name for name in labels):
            raise ValueError(f"Boxes: labels must be names of features, got {self.labels!r}")
        object.__setattr__(self, "labels", tuple(labels))
        check_number(self, "min_visible", self.min_visible, 0, 1)
        check_number(self, "min_size", self.min_size, 0, 16384)
        if self.max_boxes is not None:
            check_count(self, "max_boxes", self.max_boxes)
        if not isinstance(self.corners, bool):
            raise ValueError(f"Boxes: corners must be True or False, got {self.corners!r}")

    def take(self, example: Example, name: str, single: bool) -> Tensors:
        """What `core` works on, dense."""
        given = numeric(found(example, name), name)
        fraction_of(given, name, self._relative)
        boxes = batched(given, name, single)
        if boxes.shape.rank != 3 or boxes.shape[-1] != 4:
            shape = "[N, 4]" if single else "[B, N, 4]"
            raise ValueError(f"{name}: must have shape {shape}, got {given.shape}")
        there = present(given, boxes)
        if has(example, f"{name}_valid"):
            there &= batched(found(example, f"{name}_valid"), f"{name}_valid", single)
        return {"boxes": rounded_up(boxes), "there": rounded_up(there)}

    def rules(self, name: str) -> list[str]:
        """What `core` asks, in words."""
        what, written = ("shares" if self._relative else "pixels"), f'"{self.format}" says'
        return [
            f"{name}: coordinates must be finite",
            f"{name}: a box must end at or after its start, as {written}",
            f"{name}: no corner may lie farther outside of the picture than it is large; are these {what}, "
            f"as {written}?",
            f"{name}: at most max_boxes = {self.max_boxes} boxes may be left",
        ]

    def core(self, given: Tensors, moves: Moves) -> tuple[Tensors, tf.Tensor]:
        """Boxes moved, their corners, and which are kept, [B, N, ...]; which rules hold, bool[4, B]."""
        boxes = given["boxes"]
        there = given["there"] & ~tf.reduce_all(tf.equal(boxes, -1), -1)
        low, high, keep, passed = self.read(boxes, there, moves.before)
        quad, low, high, keep = self._moved(low, high, keep, moves)
        count = tf.reduce_sum(tf.cast(keep, tf.int32), 1)
        few = tf.ones_like(count, tf.bool) if self.max_boxes is None else count <= self.max_boxes
        made = {"boxes": self.written(low, high, boxes.dtype, moves), "keep": keep}
        if self.corners:
            made["corners"] = self._points(quad, boxes.dtype, moves)
        return made, tf.stack([*passed, few])

    def rectangles(self, given: Tensors, size: tf.Tensor) -> Rectangles:
        """What draws of images of sizes int64[B, 2] may depend on; bad boxes are none."""
        there = given["there"] & ~tf.reduce_all(tf.equal(given["boxes"], -1), -1)
        low, high, keep, _ = self.read(given["boxes"], there, size)
        visible, least = round(self.min_visible * (1 << SHARE_BITS)), round(self.min_size * fixed.ONE)
        return Rectangles(low, high, keep, *(low[..., 0] * 0 + one for one in (visible, least)))

    def give(self, example: Example, name: str, made: Tensors, single: bool) -> Example:
        """The example with what `core` made, and what belongs to boxes without the rows of those that go."""
        boxes = batched(found(example, name), name, single)
        count, zero = tf.shape(boxes)[1], tf.zeros([], boxes.dtype)
        keep = made["keep"][:, :count]
        whole = {name: (made["boxes"], zero)}
        if self.corners:
            whole[f"{name}_corners"] = (made["corners"], zero)
        if self.max_boxes is not None or has(example, f"{name}_valid"):
            whole[f"{name}_valid"] = (made["keep"], tf.constant(False))
        for label in self.labels:
            value = batched(found(example, label), label, single)
            if value.shape.rank < 2 or not value.shape[:2].is_compatible_with(boxes.shape[:2]):
                raise ValueError(
                    f"{label}: must have a row for each box of {name!r}, {boxes.shape}, got {value.shape}"
                )
            whole[label] = (value, padding(value.dtype))
        for key, (value, pad) in whole.items():
            example = put(example, key, left(value[:, :count], keep, self.max_boxes, single, pad))
        return example

    @property
    def _relative(self) -> bool:
        return self.format.startswith("rel_")

    def _sides(self, size: tf.Tensor) -> tuple[tf.Tensor | None, tf.Tensor | None]:
        """What numbers along x and y are shares of; None for pixels."""
        return (size[:, 1], size[:, 0]) if self._relative else (None, None)

    def read(
        self, boxes: tf.Tensor, there: tf.Tensor, size: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        """Both ends of boxes, clipped to the picture, int64[B, N, 2]; which are boxes; which rules hold."""
        order = self.format.removeprefix("rel_")
        places = (1, 3, 0, 2) if order == "yxyx" else (0, 2, 1, 3)
        lows, highs = [], []
        for axis, side in enumerate(self._sides(size)):
            first, second = (position(boxes[..., places[2 * axis + end]], side) for end in (0, 1))
            if order == "cxcywh":
                first -= tf.bitwise.right_shift(second, tf.constant(1, tf.int64))
            lows.append(first)
            highs.append(second if order in ("xyxy", "yxyx") else first + second)
        low, high = tf.stack(lows, -1), tf.stack(highs, -1)
        ends = size[:, None, ::-1] * fixed.ONE
        numbers = tf.reduce_all(finite(boxes), -1)
        ordered = tf.reduce_all(low <= high, -1) | ~numbers
        near = tf.reduce_all((low >= -ends) & (high <= 2 * ends), -1) | ~numbers
        passed = [tf.reduce_all(good | ~there, 1) for good in (numbers, ordered, near)]
        low, high = (tf.clip_by_value(end, tf.zeros_like(ends), ends) for end in (low, high))
        keep = there & numbers & ordered & near & tf.reduce_all(high > low, -1)
        return low, high, keep, passed

    def _moved(
        self, low: tf.Tensor, high: tf.Tensor, keep: tf.Tensor, moves: Moves
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """The moved corners int64[B, N, 4, 2], both ends of what encloses them, clipped, and which stay."""
        quad, whole_low, whole_high = _corners(low, high), low, high
        share = tf.ones_like(low[..., 0]) * (1 << SHARE_BITS)
        for nth, leg in enumerate(moves.legs):
            if nth:  # what was cut goes on as what is left
                cut = tf.reduce_any(tf.not_equal(low, whole_low) | tf.not_equal(high, whole_high), -1)
                quad = tf.where(cut[..., None, None], _corners(low, high), quad)
            shape = tf.shape(quad)
            flat = tf.reshape(quad, tf.stack([shape[0], shape[1] * 4, 2]))
            quad = tf.ensure_shape(tf.reshape(moved(leg, flat), shape), quad.shape)
            whole_low, whole_high = tf.reduce_min(quad, 2), tf.reduce_max(quad, 2)
            ends = leg.after[:, None, ::-1] * fixed.ONE
            low, high = (tf.clip_by_value(end, tf.zeros_like(ends), ends) for end in (whole_low, whole_high))
            seen_low, seen_high = tf.maximum(whole_low, low - _SLACK), tf.minimum(whole_high, high + _SLACK)
            keep &= tf.reduce_all(high > low, -1)
            for axis in (0, 1):
                part = (seen_high - seen_low)[..., axis] * (1 << SHARE_BITS)
                part = tf.math.floordiv(part, tf.maximum((whole_high - whole_low)[..., axis], 1))
                share = tf.bitwise.right_shift(share * part, tf.constant(SHARE_BITS, tf.int64))
        least = round(self.min_size * fixed.ONE) - _SLACK
        keep &= (share >= round(self.min_visible * (1 << SHARE_BITS))) & tf.reduce_all(
            high - low >= least, -1
        )
        return quad, low, high, keep

    def written(self, low: tf.Tensor, high: tf.Tensor, dtype: tf.DType, moves: Moves) -> tf.Tensor:
        """Boxes [B, N, 4] in the format."""
        order = self.format.removeprefix("rel_")
        columns: dict[str, Any] = {}
        for axis, side in zip("xy", self._sides(moves.after), strict=True):
            first, last = (end[..., "xy".index(axis)] for end in (low, high))
            middle = tf.bitwise.right_shift(first + last, tf.constant(1, tf.int64))
            for key, value in (
                (f"{axis}1", first),
                (f"{axis}2", last),
                (f"c{axis}", middle),
                (f"d{axis}", last - first),
            ):
                columns[key] = number(value, side, dtype)
        keys = {
            "xyxy": ("x1", "y1", "x2", "y2"),
            "yxyx": ("y1", "x1", "y2", "x2"),
            "xywh": ("x1", "y1", "dx", "dy"),
            "cxcywh": ("cx", "cy", "dx", "dy"),
        }[order]
        return tf.stack([columns[key] for key in keys], -1)

    def _points(self, quad: tf.Tensor, dtype: tf.DType, moves: Moves) -> tf.Tensor:
        """Corners [B, N, 4, 2] in the format's order of axes."""
        sides = self._sides(moves.after)
        x, y = (number(quad[..., axis], sides[axis], dtype) for axis in (0, 1))
        return tf.stack([y, x] if self.format.endswith("yxyx") else [x, y], -1)


def _corners(low: tf.Tensor, high: tf.Tensor) -> tf.Tensor:
    """Upper left, upper right, lower right, lower left of boxes: int64[B, N, 4, 2]."""
    (x1, y1), (x2, y2) = (tf.unstack(end, axis=-1) for end in (low, high))
    return tf.stack([tf.stack([x, y], -1) for x, y in ((x1, y1), (x2, y1), (x2, y2), (x1, y2))], -2)
