"""Stages of geometry: runs of maps, composed into one map an example, through which the source is sampled."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from augrng.geometry import affine, projective
from augrng.geometry.sampling import Sampling
from augrng.members import Drawn, Member, unless
from augrng.render import Renderer
from augrng.transforms.parts import Map, Projective


class Leg(NamedTuple):
    """How a stage moves what is in each of B pictures.

    Attributes:
      map: int64[B, 2, 3], from output to source positions; or int64[B, 3, 3] of a projective one.
      before: int64[B, 2], sizes of the pictures that it reads.
      after: int64[B, 2], of those that it makes.
      renderer: what reads pictures through an affine map, and knows what sizes come out.
      sampling: how pictures are read.
    """

    map: tf.Tensor
    before: tf.Tensor
    after: tf.Tensor
    renderer: Renderer
    sampling: Sampling


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
        height, width = tf.unstack(sizes, 2, axis=1)
        zero = tf.zeros_like(height)
        for part in self.maps:
            found.append(tf.stack([height, width], -1))
            height, width = (side + zero for side in part.size_after(height, width))
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
        return unless(tf.reduce_all(tf.equal(maps, affine.identity(1)), [1, 2]), images, render)

    def leg(self, maps: tf.Tensor, sizes: tf.Tensor) -> Leg:
        """What it does to pictures of sizes int64[B, 2], by their composed maps."""
        height, width = tf.unstack(sizes, 2, axis=1)
        after = tf.stack([side + 0 * height for side in self.renderer.size_after(height, width)], -1)
        return Leg(maps, sizes, after, self.renderer, self.renderer.sampling)


class Projected(Geometry):
    """Members of which one at least is projective: composed into one projective map.

    What begins a recipe is no part of it, for that decides what is decoded and how it is reduced.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = members
        self.maps = [member.part for member in members]
        self.renderer = Renderer([part for part in self.maps if isinstance(part, Map)])
        self.sampling = how(self.maps)

    def compose(self, drawn: Drawn, sizes: tf.Tensor) -> tf.Tensor:
        """The map of each example, int64[B, 3, 3]; see `projective`."""
        composed: tf.Tensor | None = None
        for member, size in zip(self.members, self.sizes(sizes), strict=True):
            part, acts = member.part, member.acts(drawn)
            if isinstance(part, Projective):
                map_ = part.maps(member.params(drawn), size)
            else:
                map_ = projective.of_affine(part.map(member.params(drawn), size))  # type: ignore[attr-defined]
            if acts is not None:
                map_ = tf.where(acts[:, None, None], map_, projective.of_affine(affine.identity(1)))
            composed = map_ if composed is None else projective.compose(composed, map_, sizes)
        assert composed is not None
        return composed

    def apply(self, images: tf.Tensor, drawn: Drawn) -> tf.Tensor:
        """Reads images through the composed map of each; those on which nothing acts stay."""
        shape = tf.shape(images, tf.int64)
        sizes = tf.broadcast_to(shape[1:3], tf.stack([shape[0], 2]))
        height, width = projective.sides(images, self.renderer.size_after)
        said = [acts for member in self.members if (acts := member.acts(drawn)) is not None]

        def read() -> tf.Tensor:
            return projective.warp(images, self.compose(drawn, sizes), height, width, self.sampling)

        if len(said) < len(self.members) or (height, width) != tuple(images.shape[1:3]):
            return read()
        idle = ~functools.reduce(tf.logical_or, said)
        return unless(idle, images, lambda: tf.where(idle[:, None, None, None], images, read()))

    def leg(self, maps: tf.Tensor, sizes: tf.Tensor) -> Leg:
        return super().leg(maps, sizes)._replace(sampling=self.sampling)


def how(parts: Sequence[Any]) -> Sampling:
    """How a run of parts with a projective one reads its source."""
    return next(part.how() for part in parts if isinstance(part, Projective))


def joins(parts: Sequence[Any]) -> bool:
    """Whether parts with a projective one may be sampled together: none reduces or asks for another way."""
    sampling = how(parts)
    for part in parts:
        if isinstance(part, Projective):
            if part.how() != sampling:
                return False
        elif part.reduction or any(
            getattr(sampling, name) != value for name, value in part.sampling().items()
        ):
            return False
    return True
