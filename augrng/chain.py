"""A recipe's transforms as one program: keys -> params -> stages.

  keys   :: pairs int64[T, 2] -> ids int64[...] -> epoch int64[...] -> int64[..., T, 2]
  draw   :: keys int64[B, T, 2] -> sizes int64[B, 2] -> boxes -> params, a dict of tensors [B] a transform
  sample :: pairs -> ids -> epoch -> sizes -> boxes -> params
  plan   :: pairs -> ids -> epoch -> sizes -> boxes -> Work: a map an example, and what the later stages need
  work   :: params -> sizes -> Work
  render :: images -> Work -> sizes -> images
  legs   :: Work -> sizes -> how what is in the pictures moves

The first stage is geometry: one map an example, through which the source is read. The others take what it
made. T counts the transforms inside of others too, in the order of `flattened`. Boxes are given where
draws depend on them (`needs_boxes`), else None.

A chain knows nothing of names and of how seeds are resolved: so all recipes with the same transforms
share one, and what was compiled for it.
"""

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from augrng import arguments
from augrng.compiled import compiled
from augrng.geometry.sampling import MAX_SIDE
from augrng.maps import Geometry, Leg
from augrng.members import Member, check_first
from augrng.random.bits import bits
from augrng.random.keys import fold_in
from augrng.stages import Stage, stages_of
from augrng.transforms import Params, Transform
from augrng.transforms.base import Rectangles
from augrng.transforms.choosing import flattened, inside
from augrng.transforms.mixing.base import Mixing


class Work(NamedTuple):
    """What is to be done with each of B images.

    Attributes:
      map: int64[B, 2, 3], of the first stage.
      rest: what was drawn for the transforms that later stages apply, [B] each.
    """

    map: tf.Tensor
    rest: tuple[Params, ...]


class Chain:
    """The transforms of one recipe, sampled together and applied stage by stage; made by `chain_of`."""

    def __init__(self, transforms: tuple[Transform, ...], alg: str) -> None:
        self.alg = alg
        self.nodes = flattened(transforms)
        check_first([node.transform for node in self.nodes])
        members = [
            Member(part, place, node.chosen)
            for place, node in enumerate(self.nodes)
            for part in node.transform.parts
        ]
        first, *self.later = stages_of(members)
        assert isinstance(first, Geometry)
        self.first, self.renderer = first, first.renderer
        self.sampling, self.antialias = self.renderer.sampling, self.renderer.antialias
        self.needed = sorted(
            {place for stage in self.later for member in stage.members for place in member.needs}
        )
        self.runs = [
            (compiles, tuple(stages)) for compiles, stages in itertools.groupby(self.later, _compiles)
        ]
        self.draw = compiled(self._draw)
        self.sample = compiled(self._sample)
        self.work = compiled(self._work)
        self.plan = compiled(self._plan)

    @property
    def made_of(self) -> tuple[Any, ...]:
        """What tells it from others."""
        return self.alg, tuple(node.transform for node in self.nodes)

    def __repr__(self) -> str:
        return f"Chain{self.made_of!r}"

    def keys(self, pairs: tf.Tensor, ids: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
        """The key of each transform for each example; `epoch` and `ids` broadcast."""
        stream = fold_in(pairs, epoch[..., None], alg=self.alg)
        return fold_in(stream, ids[..., None], alg=self.alg)

    def _draw(
        self, keys: tf.Tensor, sizes: tf.Tensor, boxes: Rectangles | None = None
    ) -> list[dict[str, tf.Tensor]]:
        num_words = max([1, *(node.transform.num_words for node in self.nodes)])
        words = bits(keys, num_words, alg=self.alg)
        drawn = []
        by_node = (tf.unstack(value, len(self.nodes), axis=1) for value in (keys, words))
        for (transform, size), key, mine in zip(self._with_sizes(sizes), *by_node, strict=True):
            mine = mine if transform.num_words == num_words else mine[:, : transform.num_words]
            if boxes is not None and transform.needs_boxes:
                drawn.append(transform.sample_for(mine, size, boxes))
            else:
                drawn.append(transform.draw(key, mine, size))
        return drawn

    def _sample(
        self,
        pairs: tf.Tensor,
        ids: tf.Tensor,
        epoch: tf.Tensor,
        sizes: tf.Tensor,
        boxes: Rectangles | None = None,
    ) -> list[dict[str, tf.Tensor]]:
        return self._draw(self.keys(pairs, ids, epoch), sizes, boxes)

    def _work(self, params: Sequence[Params], sizes: tf.Tensor) -> Work:
        return Work(self.first.compose(params, sizes), tuple(dict(params[place]) for place in self.needed))

    def _plan(
        self,
        pairs: tf.Tensor,
        ids: tf.Tensor,
        epoch: tf.Tensor,
        sizes: tf.Tensor,
        boxes: Rectangles | None = None,
    ) -> Work:
        # Without an argument in it, the map of a recipe that draws nothing would be folded into programs that
        # are compiled around it, as constants with an element for each pixel of the batch.
        map_, rest = self._work(self._sample(pairs, ids, epoch, sizes, boxes), sizes)
        return Work(map_ + (ids & 0)[:, None, None], rest)

    def render(self, images: tf.Tensor, work: Work, sizes: tf.Tensor) -> tf.Tensor:
        """[B, H, W, C] of these checked sizes to [B, height, width, C], the same dtype."""
        if self.first.members:
            optional = all(member.optional for member in self.first.members)
            images = (self.first.read if optional else self.renderer.render)(images, work.map, sizes)
        return self.finish(images, work.rest)

    def finish(self, images: tf.Tensor, rest: Sequence[Params]) -> tf.Tensor:
        """What the first stage made through all later ones.

        Runs of stages are compiled, one program for each shape of images, or run op by op where that is not
        known: each would compile another.
        """
        for number, (compiles, _) in enumerate(self.runs):
            shape = images.shape[1:]
            run = functools.partial(self._run, number)
            if compiles and shape.is_fully_defined():
                run = self._compiled_run(number, tuple(shape))
            out = run(images, tuple(rest))
            out.set_shape([images.shape[0], *out.shape[1:]])
            images = out
        return images

    @functools.lru_cache(maxsize=64)  # noqa: B019  (chains are kept as long as this)
    def _compiled_run(self, number: int, shape: tuple[int, ...]) -> Any:
        return compiled(functools.partial(self._run, number))

    def _run(self, number: int, images: tf.Tensor, rest: Sequence[Params]) -> tf.Tensor:
        drawn = self._drawn(rest)
        for stage in self.runs[number][1]:
            images = stage.apply(images, drawn)
        return images

    def _drawn(self, rest: Sequence[Params]) -> list[Params]:
        """What was drawn for each node, of the later stages."""
        drawn: list[Params] = [{} for _ in self.nodes]
        for place, params in zip(self.needed, rest, strict=True):
            drawn[place] = params
        return drawn

    def legs(self, work: Work, sizes: tf.Tensor) -> list[Leg]:
        """How images of sizes int64[B, 2] are moved, by one stage after the other."""
        legs = [self.first.leg(work.map, sizes)] if self.first.members else []
        drawn = self._drawn(work.rest)
        for stage in self.later:
            size = legs[-1].after if legs else sizes
            if isinstance(stage, Geometry):
                legs.append(stage.leg(stage.compose(drawn, size), size))
        return legs

    def size_after(self, height: Any, width: Any) -> tuple[Any, Any]:
        """Height and width of what comes out of an image of this size."""
        for stage in (self.first, *self.later):
            if isinstance(stage, Geometry):
                height, width = stage.renderer.size_after(height, width)
        return height, width

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        """Height and width of what comes out of every image, or None if they depend on its size."""
        for stage in reversed((self.first, *self.later)):
            if isinstance(stage, Geometry) and stage.renderer.fixed_size is not None:
                return stage.renderer.fixed_size
        return None

    @property
    def needing_boxes(self) -> Transform | None:
        """The transform whose draws depend on boxes, if there is one."""
        return next((node.transform for node in self.nodes if node.transform.needs_boxes), None)

    @property
    def chooses(self) -> bool:
        """Whether some later stage may be passed over; see `Program.chooses`."""
        return any(member.optional for stage in self.later for member in stage.members)

    def check_pixels(self, dtype: tf.DType, channels: int) -> None:
        """Raises ValueError for images that a transform cannot change: no colour, or no levels."""
        for stage in self.later:
            for member in stage.members:
                member.part.check(dtype, channels)

    def check(self, sizes: tf.Tensor, ids: Any = None, params: Sequence[Params] | None = None) -> tf.Tensor:
        """Refuses sizes that a transform cannot take, and params not drawn for them.

        What is known when traced is refused then, the rest by the program that runs.

        Returns:
          `sizes`, to be used in their place: a graph then runs the check.

        Raises:
          ValueError: names the transform, its rule, the size and the id of the first example refused.
          tf.errors.InvalidArgumentError: the same from a graph. Code that is jit-compiled as a whole
            knows the sizes of its images when traced, and is refused then.
        """
        known = tf.get_static_value(sizes)
        tests = self._tests(sizes if known is None else known)
        for index, (transform, size) in enumerate(self._with_sizes(sizes) if params is not None else ()):
            assert params is not None
            message = f"{transform!r}: params must have been sampled for images of this size"
            tests.append((transform.fits(params[index], size), message))
        return arguments.require(tests, sizes, ids)

    @property
    def rules(self) -> list[str]:
        """What `check` asks of sizes, in words."""
        return [rule for _, rule in self._tests(np.ones([1, 2], np.int64))]

    def first_broken(self, sizes: tf.Tensor) -> tf.Tensor:
        """int64[B], which of `rules` sizes int64[B, 2] break first; their number if none."""
        every = tf.ones_like(sizes[:, 0], tf.bool)
        passed = [value & every for value, _ in self._tests(sizes)]
        ends = [*passed, tf.zeros_like(passed[0])]
        return tf.argmax(tf.cast(~tf.stack(ends), tf.int32), 0)

    def _tests(self, sizes: Any) -> list[tuple[Any, str]]:
        """Whether each of the sizes [B, 2] passes, and what the rule is; array or tensor."""
        height, width = sizes[:, 0], sizes[:, 1]
        tests = [((height <= MAX_SIDE) & (width <= MAX_SIDE), f"images: a side may have {MAX_SIDE} pixels")]
        for transform, size in self._reaching(height, width):
            tests.append((transform.accepts(*size), f"{transform!r}: {transform.rule}"))
        return tests

    def _with_sizes(self, sizes: tf.Tensor) -> list[tuple[Transform, tf.Tensor]]:
        """Each transform with the sizes of the images that reach it, int64[B, 2]."""
        reaching = self._reaching(*tf.unstack(sizes, 2, axis=1))
        return [(transform, tf.stack(size, -1)) for transform, size in reaching]

    def _reaching(self, height: Any, width: Any) -> Iterator[tuple[Transform, tuple[Any, Any]]]:
        zero = height * 0
        for transform, _ in self.nodes:
            yield transform, (height, width)
            if not inside(transform):  # those inside come by themselves
                height, width = (side + zero for side in transform.size_after(height, width))


def _compiles(stage: Stage) -> bool:
    """Whether a compiled program may hold the stage."""
    return all(member.part.compiled for member in stage.members)


def chain_of(transforms: Sequence[Transform], alg: str = "philox", *, empty: bool = False) -> Chain:
    """The chain of these transforms, the same object for recipes that differ in names and seeds only.

    Raises:
      TypeError: if something in `transforms` is not a transform.
      ValueError: if there is none and the chain may not be `empty`, `alg` is unknown, two say different
        things about how to sample, or one that mixes examples is not the last.
    """
    for position, transform in enumerate(transforms):
        if not isinstance(transform, Transform):
            raise TypeError(f"transforms[{position}]: must be an augrng transform, got {transform!r}")
    if not transforms and not empty:
        raise ValueError("transforms: must hold at least one transform, got none")
    earlier = (*transforms[:-1], *(part for last in transforms[-1:] for part in inside(last)))
    for transform, _ in flattened(earlier):
        if isinstance(transform, Mixing):
            raise ValueError(
                f"transforms: what mixes examples must be the last of a Compose, and inside of no other, for "
                "what is read depends on it; p= says how many are mixed, as Maybe would; got "
                f"{transform!r} elsewhere"
            )
    nameless = tuple(dataclasses.replace(transform, name=None, seed=None) for transform in transforms)
    return _cached_chain(nameless, arguments.algorithm(alg))


_cached_chain = functools.lru_cache(maxsize=256)(Chain)
