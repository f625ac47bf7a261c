"""Choosing among transforms: what is drawn is which of them act on an example.

Transforms inside keep their own streams: their names nest (`one_of/random_rotation`), so that one that is
added leaves the draws of its siblings alone. All of them draw for every example; those not chosen change
nothing, and cost next to nothing.
"""

import dataclasses
import itertools
import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import tensorflow as tf

from augrng.random import draws
from augrng.transforms.base import Transform, check_probability
from augrng.transforms.parts import Params

_WHOLE = 1 << draws.UNIFORM_BITS


@dataclasses.dataclass(frozen=True, repr=False)
class Chooser(Transform):
    """What all transforms with transforms inside share."""

    @property
    def children(self) -> tuple[Transform, ...]:
        """The transforms inside, in their order."""
        raise NotImplementedError

    def chose(self, params: Params, branch: int) -> tf.Tensor | None:
        """Whether child number `branch` acts, bool[B]; None if it always does."""
        raise NotImplementedError

    def size_after(self, height: Any, width: Any) -> tuple[Any, Any]:
        for child in self.children:
            height, width = child.size_after(height, width)
        return height, width

    def check_children(self, *, of: str) -> None:
        """Refuses what cannot be chosen: no transforms, and those that change the size."""
        kind = type(self).__name__
        for child in self.children:
            if not isinstance(child, Transform):
                raise TypeError(f"{kind}: {of} must be augrng transforms, got {child!r}")
            if child.size_after(19, 23) != (19, 23):
                raise ValueError(
                    f"{kind}: {of} must leave the size of images, for a batch has one, got {child!r}; put it "
                    "before or after"
                )


def inside(transform: Transform) -> tuple[Transform, ...]:
    """The transforms that one chooses from; none for most."""
    return transform.children if isinstance(transform, Chooser) else ()


@dataclasses.dataclass(frozen=True, repr=False)
class Maybe(Chooser):
    """Applies a transform with probability `p`, and otherwise nothing.

    Words: 0 decides, u < p.
    Params: "applied", bool[B].

    Args:
      transform: what is applied; leaves the size.
      p: probability, in [0, 1].
      name, seed: see `Transform`.

    Raises:
      TypeError: if `transform` is none.
      ValueError: if it changes the size, or `p` is out of range.
    """

    num_words: ClassVar[int] = 1

    transform: Transform
    p: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_children(of="transform")
        check_probability(self, self.p)

    @property
    def children(self) -> tuple[Transform, ...]:
        return (self.transform,)

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"applied": draws.bernoulli(words[..., 0], self.p)}

    def chose(self, params: Params, branch: int) -> tf.Tensor | None:
        return params["applied"]

    def describe(self, params: Mapping[str, Any]) -> str:
        return "applied" if params["applied"] else "not applied"


@dataclasses.dataclass(frozen=True, repr=False)
class _Several(Chooser):
    transforms: Sequence[Transform]

    def __post_init__(self) -> None:
        super().__post_init__()
        kind = type(self).__name__
        if isinstance(self.transforms, Transform) or not isinstance(self.transforms, Sequence):
            raise TypeError(f"{kind}: transforms must be a list of transforms, got {self.transforms!r}")
        object.__setattr__(self, "transforms", tuple(self.transforms))
        if not self.transforms:
            raise ValueError(f"{kind}: transforms must hold at least one transform, got none")

    @property
    def children(self) -> tuple[Transform, ...]:
        return tuple(self.transforms)


@dataclasses.dataclass(frozen=True, repr=False)
class Sequential(_Several):
    """Applies all of its transforms in their order: several as one, to be chosen together.

    Nothing is drawn.

    Args:
      transforms: one or more.
      name, seed: see `Transform`.

    Raises:
      TypeError: if one is no transform.
      ValueError: if there is none.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        for child in self.transforms:
            if not isinstance(child, Transform):
                raise TypeError(f"Sequential: transforms must be augrng transforms, got {child!r}")

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        return {}

    def chose(self, params: Params, branch: int) -> tf.Tensor | None:
        return None

    def describe(self, params: Mapping[str, Any]) -> str:
        return ""

    def evaluation(self) -> tuple[Transform, ...]:
        return tuple(part for child in self.transforms for part in child.evaluation())


@dataclasses.dataclass(frozen=True, repr=False)
class OneOf(_Several):
    """Applies one of its transforms.

    Words: 0 gives u; the first transform is applied whose weight and those before it sum to more than u
    times all weights.
    Params: "choice", int64[B], from 0.

    Args:
      transforms: one or more; they leave the size.
      weights: one for each, not negative; None for equal ones.
      name, seed: see `Transform`.

    Raises:
      TypeError: if one is no transform.
      ValueError: if there is none, one changes the size, or the weights are out of range.
    """

    num_words: ClassVar[int] = 1

    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_children(of="transforms")
        if self.weights is None:
            return
        weights = tuple(self.weights)
        object.__setattr__(self, "weights", weights)
        good = all(isinstance(w, numbers.Real) and math.isfinite(w) and w >= 0 for w in weights)
        if len(weights) != len(self.transforms) or not good or not sum(weights) > 0:
            raise ValueError(
                f"OneOf: weights must be {len(self.transforms)} numbers, one a transform, none below 0 and "
                f"not all 0, got {weights}"
            )

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        weights = self.weights or (1,) * len(self.transforms)
        ends = [round(end / sum(weights) * _WHOLE) for end in itertools.accumulate(weights)]
        passed = draws.uniform(words[..., 0])[..., None] >= tf.constant(ends[:-1], tf.int64)
        return {"choice": tf.reduce_sum(tf.cast(passed, tf.int64), -1)}

    def fits(self, params: Params, size: tf.Tensor) -> tf.Tensor | bool:
        return (params["choice"] >= 0) & (params["choice"] < len(self.transforms))

    def chose(self, params: Params, branch: int) -> tf.Tensor | None:
        return tf.equal(params["choice"], branch)

    def describe(self, params: Mapping[str, Any]) -> str:
        return f"number {params['choice']}"


@dataclasses.dataclass(frozen=True, repr=False)
class SomeOf(_Several):
    """Applies `n` different ones of its transforms, each set as likely as any other, in the order written.

    Words: word i belongs to transform i; the `n` smallest are applied, of equal ones the first.
    Params: "chosen", int64[B]: bit i is set if transform i is applied.

    Args:
      transforms: one to 62; they leave the size.
      n: how many, 0 to all.
      name, seed: see `Transform`.

    Raises:
      TypeError: if one is no transform.
      ValueError: if there is none, or one changes the size, or `n` is out of range.
    """

    n: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_children(of="transforms")
        if not 1 <= len(self.transforms) <= 62:
            raise ValueError(f"SomeOf: transforms must be at most 62, got {len(self.transforms)}")
        whole = isinstance(self.n, numbers.Integral) and not isinstance(self.n, bool)
        if not whole or not 0 <= self.n <= len(self.transforms):
            raise ValueError(f"SomeOf: n must be an integer in 0 to {len(self.transforms)}, got {self.n!r}")

    @property
    def num_words(self) -> int:  # type: ignore[override]
        return len(self.transforms)

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        words = tf.cast(words, tf.int64) * 64 + tf.range(len(self.transforms), dtype=tf.int64)
        rank = tf.reduce_sum(tf.cast(words[..., None, :] < words[..., :, None], tf.int64), -1)
        bits = tf.constant([1 << place for place in range(len(self.transforms))], tf.int64)
        return {"chosen": tf.reduce_sum(tf.where(rank < self.n, bits, 0), -1)}

    def chose(self, params: Params, branch: int) -> tf.Tensor | None:
        return tf.not_equal(params["chosen"] & (1 << branch), 0)

    def describe(self, params: Mapping[str, Any]) -> str:
        chosen = [str(place) for place in range(len(self.transforms)) if int(params["chosen"]) >> place & 1]
        return f"numbers {', '.join(chosen)}" if chosen else "none"


class Node(NamedTuple):
    """A transform of a recipe, inside of others or not, and which branches lead to it."""

    transform: Transform
    chosen: tuple[tuple[int, Chooser, int], ...]


def flattened(transforms: Sequence[Transform]) -> list[Node]:
    """All transforms, those inside of one after it."""
    nodes: list[Node] = []

    def add(transform: Transform, chosen: tuple[tuple[int, Chooser, int], ...]) -> None:
        place = len(nodes)
        nodes.append(Node(transform, chosen))
        for branch, child in enumerate(inside(transform)):
            assert isinstance(transform, Chooser)
            add(child, (*chosen, (place, transform, branch)))

    for transform in transforms:
        add(transform, ())
    return nodes
