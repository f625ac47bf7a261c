"""A recipe's stages: runs of parts of one kind, each run composed by its own algebra and applied once.

    geometry   a map            product of matrices                     one warp (see `maps`)
    tables     256 levels       one after the other, on the levels      one look-up
    the rest   params           not composed                            each by itself

Order is the order written. A part of a transform that was not chosen, or that changes nothing, is the
identity of its stage, and a stage in which all examples of a batch have the identity is passed over. So
what an example becomes does not depend on its batch.
"""

import functools
from collections.abc import Sequence
from typing import Any, Protocol

import tensorflow as tf

from augrng import fixed
from augrng.color import levels, words
from augrng.color.levels import Levels, Seen
from augrng.maps import Geometry, Projected, joins
from augrng.members import Drawn, Member, unless
from augrng.transforms.parts import Map, Mixture, Pixels, Projective, Table


class Stage(Protocol):
    """A run of members."""

    members: Sequence[Member]

    def apply(self, images: tf.Tensor, drawn: Drawn) -> tf.Tensor:
        """[B, H, W, C] of a dtype to [B, height, width, C] of the same."""


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
        return unless(idle, images, lambda: self._applied(images, drawn))

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
        some = tf.cast(next(iter(drawn[self.members[0].place].values())), tf.int64)
        # With what was drawn in it, it is no constant with an element for each level of a batch.
        unchanged = tf.broadcast_to(x + (tf.reshape(some, [-1, 1, 1]) & 0), [batch, channels, 256])
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
        return unless(~acts, images, lambda: tf.where(acts[:, None, None, None], changed(), images))


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
        kinds = {Map: Geometry, Table: Tables, Projective: Projected, Pixels: Alone, Mixture: Mixed}
        kind = next(kind for of, kind in kinds.items() if isinstance(member.part, of))
        last, run = runs[-1]
        looks = kind is Tables and "grey" in member.part.sees  # type: ignore[attr-defined]
        moves = {kind, last} <= {Geometry, Projected} and len(runs) > 1
        if moves and Projected in (kind, last) and joins([one.part for one in (*run, member)]):
            runs[-1] = (Projected, [*run, member])
        elif kind is last and kind not in (Alone, Mixed, Projected) and not looks:
            run.append(member)
        else:
            runs.append((kind, [member]))
    return tuple(kind(run) for kind, run in runs)
