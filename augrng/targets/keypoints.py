"""Keypoints: places in a picture that have a meaning."""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from augrng import fixed
from augrng.targets.base import (
    Example,
    Target,
    Tensors,
    finite,
    found,
    fraction_of,
    number,
    numeric,
    position,
    put,
)
from augrng.targets.moving import Moves, mirrored, moved
from augrng.targets.rows import as_given, batched, rounded_up

_ORDERS = ("xy", "yx", "xyv", "yxv")
FORMATS = (*_ORDERS, *(f"rel_{order}" for order in _ORDERS))


@dataclasses.dataclass(frozen=True, repr=False)
class Keypoints(Target):
    """Points, which move with the pixels under them; the centre of pixel i lies at i + 1/2.

    In the example they are [..., K, 2], or [..., K, 3] with a visibility, of float32, float64 or integers
    (rounded). The shapes before them are free, so [K, 2] for a picture and [N, K, 2] for N people; a batch is
    ragged where N differs. A point that comes to lie outside of the picture stays in its row, where it lies,
    and is told by its visibility: v becomes 0. Points of visibility 0 stay as they are. A flip, or whatever
    else makes a mirror image of the picture (an odd number of flips along whichever axis), exchanges left and
    right ones.

    A coordinate that is NaN or infinite is refused, by the id, unless its visibility is 0; one farther out
    than 65,536 pixels is brought there.

    Args:
      format: "xy" or "yx", in pixels; "rel_xy" or "rel_yx", as shares of width and height; with a v behind
        ("xyv"), a third number is the visibility, as in COCO: 0 not labelled, 1 hidden, 2 seen.
      pairs: (left, right) numbers of points along the axis K that belong to each other.
      visible: whether "NAME_visible", bool[..., K], is added: whether a point lies inside, and v is not 0.

    Raises:
      ValueError: if an argument is none of these; when called: if the shape is not that of the format.
    """

    format: str
    pairs: tuple[tuple[int, int], ...] = ()
    visible: bool = False

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ValueError(f"Keypoints: format must be one of {FORMATS}, got {self.format!r}")
        if not isinstance(self.pairs, Sequence) or not all(
            isinstance(pair, Sequence) and len(pair) == 2 and all(type(n) is int and n >= 0 for n in pair)
            for pair in self.pairs
        ):
            raise ValueError(f"Keypoints: pairs must be (left, right) numbers of points, got {self.pairs!r}")
        pairs = tuple(tuple(pair) for pair in self.pairs)
        object.__setattr__(self, "pairs", pairs)
        said = [n for pair in pairs for n in pair]
        if len(set(said)) < len(said):
            raise ValueError(f"Keypoints: pairs must name each point once, got {self.pairs!r}")

    def take(self, example: Example, name: str, single: bool) -> Tensors:
        """What `core` works on, dense."""
        given = numeric(found(example, name), name)
        fraction_of(given, name, self._relative)
        points = batched(given, name, single)
        numbers = len(self._order)
        if points.shape.rank < 3 or points.shape[-1] != numbers:
            rule = f'[{"" if single else "B, "}..., K, {numbers}] for "{self.format}"'
            raise ValueError(f"{name}: must have shape {rule}, got {given.shape}")
        last = max((number for pair in self.pairs for number in pair), default=-1)
        if points.shape[-2] is not None and last >= points.shape[-2]:
            raise ValueError(f"{name}: pairs name point {last}, of {points.shape[-2]} points from 0")
        return {"points": rounded_up(points)}

    def rules(self, name: str) -> list[str]:
        """What `core` asks, in words."""
        return [f"{name}: coordinates must be finite"]

    def core(self, given: Tensors, moves: Moves) -> tuple[Tensors, tf.Tensor]:
        """Points [B, ..., K, n] where they come to lie, and which rules hold, bool[1, B]."""
        points = given["points"]
        columns = [points[..., self._order.index(axis)] for axis in "xy"]
        v = points[..., 2] if "v" in self._order else tf.ones_like(columns[0])
        labelled = tf.not_equal(v, 0)
        good = tf.reduce_all(
            finite(columns[0]) & finite(columns[1]) | ~labelled, list(range(1, v.shape.rank))
        )
        sides = [
            [size[:, axis] if self._relative else None for axis in (1, 0)]
            for size in (moves.before, moves.after)
        ]
        place = tf.stack([position(*one) for one in zip(columns, sides[0], strict=True)], -1)
        count = tf.shape(place)
        flat = tf.reshape(place, tf.stack([count[0], tf.reduce_prod(count[1:-1]), 2]))
        seen = _inside(flat, moves.before)
        for leg in moves.legs:
            flat = moved(leg, flat)
            seen &= _inside(flat, leg.after)  # what a stage leaves outside is not there for the next
        seen = tf.ensure_shape(tf.reshape(seen, tf.shape(v)), v.shape) & labelled
        place = tf.ensure_shape(tf.reshape(flat, count), place.shape)
        x, y = (number(place[..., axis], sides[1][axis], points.dtype) for axis in (0, 1))
        written = {"x": x, "y": y, "v": tf.where(seen, v, tf.zeros_like(v))}
        out = tf.stack([written[axis] for axis in self._order], -1)
        out = tf.where(labelled[..., None], out, points)
        out, seen = self._exchanged(out, seen, moves)
        return {"points": out, "seen": seen}, good[None]

    def give(self, example: Example, name: str, made: Tensors, single: bool) -> Example:
        """The example with what `core` made."""
        given = found(example, name)
        shape = tf.shape(batched(given, name, single))
        for key, value in ((name, made["points"]), (f"{name}_visible", made["seen"])):
            if key == name or self.visible:
                example = put(example, key, as_given(value[:, : shape[1]], given, single))
        return example

    @property
    def _relative(self) -> bool:
        return self.format.startswith("rel_")

    @property
    def _order(self) -> str:
        return self.format.removeprefix("rel_")

    def _exchanged(self, points: tf.Tensor, seen: tf.Tensor, moves: Moves) -> tuple[tf.Tensor, tf.Tensor]:
        """With left and right points exchanged where the picture is a mirror image."""
        if not self.pairs:
            return points, seen
        order = tf.range(tf.shape(seen)[-1])
        for left, right in self.pairs:
            order = tf.where(order == left, right, tf.where(order == right, left, order))
        odd = mirrored(moves)
        exchanged = []
        for value, axis in ((points, -2), (seen, -1)):
            swapped = tf.gather(value, order, axis=axis)
            exchanged.append(tf.where(tf.reshape(odd, [-1] + [1] * (value.shape.rank - 1)), swapped, value))
        return exchanged[0], exchanged[1]


def _inside(points: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """bool[B, N]: whether positions int64[B, N, 2] lie in pictures, border included."""
    ends = size[:, None, ::-1] * fixed.ONE
    return tf.reduce_all((points >= 0) & (points <= ends), -1)
