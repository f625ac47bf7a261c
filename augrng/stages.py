"""A recipe's stages: runs of parts of one kind, each run composed by its own algebra and applied once.

    geometry   a map            product of matrices                     one warp
    tables     256 levels       one after the other, on the levels      one look-up
    the rest   params           not composed                            each by itself

Order is the order written. A part of a transform that was not chosen, or that changes nothing, is the
identity of its stage, and a stage in which all examples of a batch have the identity is passed over. So
what an example becomes does not depend on its batch.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import tensorflow as tf

from augrng import fixed
from augrng.color import levels, words
from augrng.color.levels import Levels, Seen
from augrng.geometry import affine
from augrng.geometry.sampling import Sampling
from augrng.render import Renderer
from augrng.transforms.choosing import Chooser
from augrng.transforms.parts import Map, Mixture, Params, Part, Pixels, Projective, Table

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
        shape = [-1, *[1] * (rank - 1)]
        return {name: tf.reshape(value, shape) for name, value in drawn[self.place].items()}


class Leg(NamedTuple):
    """How a stage moves what is in each of B pictures.

    Attributes:
      map: int64[B, 2, 3], from output to source positions; or int64[B, 3, 3] of a projective one.
      acts: bool[B], which pictures it moves; None for all.
      before: int64[B, 2], sizes of the pictures that it reads.
      after: int64[B, 2], of those that it makes.
      renderer: what reads pictures through the map; None for a projective one.
      sampling: how it does.
    """

    map: tf.Tensor
    acts: tf.Tensor | None
    before: tf.Tensor
    after: tf.Tensor
    renderer: Renderer | None
    sampling: Sampling


class Stage(Protocol):
    """A run of members."""

    members: Sequence[Member]

    def apply(self, images: tf.Tensor, drawn: Drawn) -> tf.Tensor:
        """[B, H, W, C] of a dtype to [B, height, width, C] of the same."""


class Geometry:
    """Members that are maps: composed into one, and the source is sampled once."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = members
        self.maps: list[Any] = [member.part for member in members]
        self.renderer = Renderer(self.maps)

    def compose(self, drawn: Drawn, sizes: tf.Tensor) -> tf.Tensor:
        """The map of each example, int64[B, 2, 3], for images of sizes int64[B, 2]."""
        composed = affine.identity(tf.shape(sizes)[0])
        for member, size in zip(self.members, self.sizes(sizes), strict=True):
            map_ = member.part.map(member.params(drawn), size)  # type: ignore[attr-defined]
            acts = member.acts(drawn)
            if acts is not None:
                map_ = tf.where(acts[:, None, None], map_, affine.identity(1))
            composed = map_ if member is self.members[0] else affine.compose(composed, map_)
        return composed + tf.zeros_like(sizes[:, :1, None])

    def sizes(self, sizes: tf.Tensor) -> list[tf.Tensor]:
        """Of the images that reach each member, int64[B, 2]."""
        found = []
        height, width = sizes[:, 0], sizes[:, 1]
        for part in self.maps:
            found.append(tf.stack([height, width], -1))
            height, width = (side + tf.zeros_like(sizes[:, 0]) for side in part.size_after(height, width))
        return found

    def apply(self, images: tf.Tensor, drawn: Drawn) -> tf.Tensor:
        """Reads images through the composed map of each."""
        shape = tf.shape(images, tf.int64)
        sizes = tf.broadcast_to(shape[1:3], tf.stack([shape[0], 2]))
        return self.read(images, self.compose(drawn, sizes), sizes)

    def read(self, images: tf.Tensor, maps: tf.Tensor, sizes: tf.Tensor) -> tf.Tensor:
        """`apply` of composed maps."""
        render = functools.partial(self.renderer.render, images, maps, sizes)
        if self.renderer.size_after(*images.shape[1:3]) != tuple(images.shape[1:3]):
            return render()
        self.renderer.sampling.fill_for(images.dtype, images.shape[3])  # is refused whatever was drawn
        return _unless(tf.reduce_all(tf.equal(maps, affine.identity(1)), [1, 2]), images, render)

    def leg(self, maps: tf.Tensor, sizes: tf.Tensor) -> Leg:
        """What it does to pictures of sizes int64[B, 2], by their composed maps."""
        height, width = self.renderer.size_after(sizes[:, 0], sizes[:, 1])
        after = tf.stack([side + tf.zeros_like(sizes[:, 0]) for side in (height, width)], -1)
        return Leg(maps, None, sizes, after, self.renderer, self.renderer.sampling)


class Tables:
    """Members that are tables: composed on the levels, each pixel is looked up once.

    One that asks for the picture's luma begins a stage of its own.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = members

    def apply(self, images: tf.Tensor, drawn: Drawn) -> tf.Tensor:
        """Each channel of each example by its own table."""
        acting = [acts for member in self.members if (acts := member.acts(drawn)) is not None]
        if len(acting) < len(self.members):
            return self._applied(images, drawn)
        idle = ~functools.reduce(tf.logical_or, acting)
        return _unless(idle, images, lambda: self._applied(images, drawn))

    def _applied(self, images: tf.Tensor, drawn: Drawn) -> tf.Tensor:
        of = Levels(images.dtype)
        batch, channels = tf.shape(images)[0], images.shape[3]

        def grey() -> tf.Tensor:
            return tf.cast(levels.mean_of(levels.luma(words.apart(images))), of.working)

        x, weights = levels.as_levels(images), None
        if images.dtype == tf.uint8:
            x = tf.range(256, dtype=tf.int64)[None, None]
            weights = self._if_seen(
                "levels", drawn, lambda: levels.histogram(images), [batch, channels, 256], tf.int64
            )
        mean = self._if_seen("grey", drawn, grey, [batch, 1, 1], of.working)

        def made(x: tf.Tensor) -> tf.Tensor:
            for member in self.members:
                after = member.part.levels(x, member.params(drawn, 3), Seen(x, weights, mean), of)  # type: ignore[attr-defined]
                acts = member.acts(drawn)
                x = after if acts is None else tf.where(acts[:, None, None], after, x)
            return x

        if images.dtype != tf.uint8:
            return levels.of_levels(made(x), images)
        unchanged = tf.broadcast_to(x, [batch, channels, 256])
        some = next(iter(drawn[self.members[0].place].values()))
        changed = lambda: tf.broadcast_to(made(x), tf.shape(unchanged))  # noqa: E731
        table = tf.cond(fixed.never(some), lambda: unchanged, changed)
        return levels.look_up(images, table)

    def _if_seen(self, what: str, drawn: Drawn, made: Any, shape: Any, dtype: tf.DType) -> tf.Tensor | None:
        """`made()` if a part looks at it for an example, zeros if none does; None if none ever does."""
        looking = [member for member in self.members if what in member.part.sees]  # type: ignore[attr-defined]
        if not looking:
            return None
        said = []
        for member in looking:
            looks = member.part.looks(what, drawn[member.place])  # type: ignore[attr-defined]
            known = [one for one in (looks, member.acts(drawn)) if one is not None]
            if not known:
                return made()
            said.append(tf.reduce_any(functools.reduce(tf.logical_and, known)))
        return tf.cond(functools.reduce(tf.logical_or, said), made, lambda: tf.zeros(shape, dtype))


class Alone:
    """One member that is neither."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = members

    def apply(self, images: tf.Tensor, drawn: Drawn) -> tf.Tensor:
        """The images that it acts on, changed."""
        (member,) = self.members
        acts = member.acts(drawn)

        def changed() -> tf.Tensor:
            return member.part.change(images, drawn[member.place])  # type: ignore[attr-defined]

        if acts is None:
            return changed()
        return _unless(~acts, images, lambda: tf.where(acts[:, None, None, None], changed(), images))

    def leg(self, drawn: Drawn, sizes: tf.Tensor) -> Leg | None:
        """What it does to pictures of sizes int64[B, 2]; None if it leaves positions alone."""
        (member,) = self.members
        if not isinstance(member.part, Projective):
            return None
        maps = member.part.maps(drawn[member.place], sizes)
        return Leg(maps, member.acts(drawn), sizes, sizes, None, member.part.how())


class Mixed:
    """One member that is a mixture: each of its chains has stages of its own."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = members
        (member,) = members
        part: Mixture = member.part  # type: ignore[assignment]
        self.chains = [
            stages_of([Member(inner, member.place, member.chosen) for inner in chain])
            for chain in part.chains
        ]

    def apply(self, images: tf.Tensor, drawn: Drawn) -> tf.Tensor:
        """The mean, rounded to the nearest level, halves up."""
        (member,) = self.members
        weights = member.part.weights(drawn[member.place])  # type: ignore[attr-defined]
        work = Levels(images.dtype).working
        follow = lambda x, stage: stage.apply(x, drawn)  # noqa: E731
        made = [images, *(functools.reduce(follow, chain, images) for chain in self.chains)]
        total = sum(
            tf.cast(weight, work)[:, None, None, None] * tf.cast(image, work)
            for weight, image in zip(weights, made, strict=True)
        )
        if images.dtype.is_floating:
            out = total / levels.ONE
        else:
            out = tf.bitwise.right_shift(total + levels.ONE // 2, tf.constant(levels.FRACTION, tf.int64))
        out = tf.cast(out, images.dtype)
        acts = member.acts(drawn)
        return out if acts is None else tf.where(acts[:, None, None, None], out, images)


def stages_of(members: Sequence[Member]) -> tuple[Stage, ...]:
    """The stages of a recipe in their order; the first is geometry, without a member if it has to be."""
    runs: list[tuple[type, list[Member]]] = [(Geometry, [])]
    for member in members:
        kinds = {Map: Geometry, Table: Tables, Pixels: Alone, Mixture: Mixed}
        kind = next(kind for of, kind in kinds.items() if isinstance(member.part, of))
        last, run = runs[-1]
        looks = kind is Tables and "grey" in member.part.sees  # type: ignore[attr-defined]
        if kind is last and kind not in (Alone, Mixed) and not looks:
            run.append(member)
        else:
            runs.append((kind, [member]))
    return tuple(kind(run) for kind, run in runs)


def _unless(idle: tf.Tensor, images: tf.Tensor, change: Any) -> tf.Tensor:
    """`change()`, or the images as they are if all are idle."""
    out = tf.cond(tf.reduce_all(idle), lambda: images, change)
    out.set_shape(images.shape)
    return out
