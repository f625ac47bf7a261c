"""Parts at their places in a recipe: which of them act on an example."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from augrng.transforms.base import Transform
from augrng.transforms.choosing import Chooser, Node
from augrng.transforms.parts import Map, Params, Part, Projective

Drawn = Sequence[Params]  # what was drawn for each node of a recipe


@dataclasses.dataclass(frozen=True)
class Member:
    """A part of the transform at one place of a recipe, and what must have been chosen for it to act.

    Args:
      part: what it does.
      place: of its transform among the nodes of the recipe.
      chosen: (place of a chooser, the chooser, number of the branch in it), from the outside in.
    """

    part: Part
    place: int
    chosen: tuple[tuple[int, Chooser, int], ...]

    @property
    def needs(self) -> set[int]:
        """The places of all that must have been drawn for it."""
        return {self.place, *(place for place, _, _ in self.chosen)}

    @property
    def optional(self) -> bool:
        """Whether it may change nothing in some examples."""
        return bool(self.chosen) or type(self.part).idle is not Part.idle

    def acts(self, drawn: Drawn) -> tf.Tensor | None:
        """bool[B]; None for always."""
        said = [chooser.chose(drawn[place], branch) for place, chooser, branch in self.chosen]
        idle = self.part.idle(drawn[self.place])
        said = [one for one in (*said, None if idle is None else ~idle) if one is not None]
        return functools.reduce(tf.logical_and, said) if said else None

    def params(self, drawn: Drawn, rank: int = 1) -> Params:
        """What was drawn, [B, 1, ...] of this rank."""
        if rank == 1:
            return drawn[self.place]
        shape = tf.constant([-1, *[1] * (rank - 1)])
        return {name: tf.reshape(value, shape) for name, value in drawn[self.place].items()}


def described(
    names: Sequence[str], nodes: Sequence[Node], params: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """What nodes of these names do by what was drawn for one example, in words; without those not chosen."""
    drawn = [params[name] for name in names]
    said = {}
    for name, mine, node in zip(names, drawn, nodes, strict=True):
        acts = [chooser.chose(drawn[place], branch) for place, chooser, branch in node.chosen]
        if all(one is None or bool(one) for one in acts):
            said[name] = node.transform.describe({key: np.asarray(value) for key, value in mine.items()})
    return said


def unless(idle: tf.Tensor, images: tf.Tensor, change: Any) -> tf.Tensor:
    """`change()`, or the images as they are if all are idle."""
    out = tf.cond(tf.reduce_all(idle), lambda: images, change)
    out.set_shape(images.shape)
    return out


def check_first(transforms: Sequence[Transform]) -> None:
    """Refuses one that needs boxes after one that moves them."""
    before: Transform | None = None
    for transform in transforms:
        if transform.needs_boxes and before is not None:
            raise ValueError(
                f"{transform!r}: must come before all that moves pixels, for it draws by boxes as they lie "
                f"in the image; put it before {before!r}"
            )
        if any(isinstance(part, (Map, Projective)) for part in transform.parts):
            before = transform
