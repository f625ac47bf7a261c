"""A run of transforms as one program: keys -> params -> one map -> pixels.

  keys   :: pairs int64[T, 2] -> ids int64[...] -> epoch int64[...] -> int64[..., T, 2]
  draw   :: keys int64[B, T, 2] -> sizes int64[B, 2] -> params, one dict of tensors [B] a transform
  sample :: pairs -> ids -> epoch -> sizes -> params
  map    :: params -> sizes -> maps int64[B, 2, 3]
  plan   :: pairs -> ids -> epoch -> sizes -> maps
  render :: images -> maps -> sizes -> images

A chain knows nothing of names and of how seeds are resolved: so all recipes with the same transforms
share one, and what was compiled for it.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from augrng import arguments
from augrng.geometry import affine
from augrng.geometry.sampling import MAX_SIDE
from augrng.random.bits import bits
from augrng.random.keys import fold_in
from augrng.render import Renderer, compiled
from augrng.transforms import Params, Transform


class Chain:
    """The transforms of one recipe, sampled together and applied as one warp; made by `chain_of`."""

    def __init__(self, transforms: tuple[Transform, ...], alg: str) -> None:
        self.transforms, self.alg = transforms, alg
        self.renderer = Renderer(transforms)
        self.sampling, self.antialias = self.renderer.sampling, self.renderer.antialias
        self.size_after, self.fixed_size = self.renderer.size_after, self.renderer.fixed_size
        self.render, self.render_rows = self.renderer.render, self.renderer.render_rows
        self.draw = compiled(self._draw)
        self.sample = compiled(self._sample)
        self.map = compiled(self._map)
        self.plan = compiled(self._plan)

    def keys(self, pairs: tf.Tensor, ids: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
        """The key of each transform for each example; `epoch` and `ids` broadcast."""
        stream = fold_in(pairs, epoch[..., None], alg=self.alg)
        return fold_in(stream, ids[..., None], alg=self.alg)

    def _draw(self, keys: tf.Tensor, sizes: tf.Tensor) -> list[dict[str, tf.Tensor]]:
        num_words = max(1, *(transform.num_words for transform in self.transforms))
        words = bits(keys, num_words, alg=self.alg)
        return [
            transform.sample(words[:, index, : transform.num_words], size)
            for index, (transform, size) in enumerate(self._with_sizes(sizes))
        ]

    def _sample(
        self, pairs: tf.Tensor, ids: tf.Tensor, epoch: tf.Tensor, sizes: tf.Tensor
    ) -> list[dict[str, tf.Tensor]]:
        return self._draw(self.keys(pairs, ids, epoch), sizes)

    def _map(self, params: Sequence[Params], sizes: tf.Tensor) -> tf.Tensor:
        maps = [t.map(p, size) for (t, size), p in zip(self._with_sizes(sizes), params, strict=True)]
        batch = tf.zeros([tf.shape(sizes)[0], 1, 1], tf.int64)
        return functools.reduce(affine.compose, maps) + batch

    def _plan(self, pairs: tf.Tensor, ids: tf.Tensor, epoch: tf.Tensor, sizes: tf.Tensor) -> tf.Tensor:
        # Without an argument in it, the map of a recipe that draws nothing would be folded into programs that
        # are compiled around it, as constants with an element for each pixel of the batch.
        return self._map(self._sample(pairs, ids, epoch, sizes), sizes) + (ids & 0)[:, None, None]

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
        return _require(tests, sizes, ids)

    @property
    def rules(self) -> list[str]:
        """What `check` asks of sizes, in words."""
        return [rule for _, rule in self._tests(np.ones([1, 2], np.int64))]

    def first_broken(self, sizes: tf.Tensor) -> tf.Tensor:
        """int64[B], which of `rules` sizes int64[B, 2] break first; their number if none."""
        passed = [value & tf.ones_like(sizes[:, 0], tf.bool) for value, _ in self._tests(sizes)]
        ends = [*passed, tf.zeros_like(passed[0])]
        return tf.argmax(tf.cast(~tf.stack(ends), tf.int32), 0)

    def _tests(self, sizes: Any) -> list[tuple[Any, str]]:
        """Whether each of the sizes [B, 2] passes, and what the rule is; array or tensor."""
        height, width = sizes[:, 0], sizes[:, 1]
        tests = [((height <= MAX_SIDE) & (width <= MAX_SIDE), f"images: a side may have {MAX_SIDE} pixels")]
        for transform in self.transforms:
            tests.append((transform.accepts(height, width), f"{transform!r}: {transform.rule}"))
            height, width = transform.size_after(height, width)
            height, width = height + 0 * sizes[:, 0], width + 0 * sizes[:, 0]
        return tests

    def _with_sizes(self, sizes: tf.Tensor) -> list[tuple[Transform, tf.Tensor]]:
        """Each transform with the sizes of the images that reach it, int64[B, 2]."""
        pairs = []
        height, width = sizes[:, 0], sizes[:, 1]
        for transform in self.transforms:
            pairs.append((transform, tf.stack([height, width], -1)))
            height, width = (
                side + tf.zeros_like(sizes[:, 0]) for side in transform.size_after(height, width)
            )
        return pairs


def chain_of(transforms: Sequence[Transform], alg: str = "philox") -> Chain:
    """The chain of these transforms, the same object for recipes that differ in names and seeds only.

    Raises:
      TypeError: if something in `transforms` is not a transform.
      ValueError: if there is none, `alg` is unknown, or two say different things about how to sample.
    """
    for position, transform in enumerate(transforms):
        if not isinstance(transform, Transform):
            raise TypeError(f"transforms[{position}]: must be an augrng transform, got {transform!r}")
    if not transforms:
        raise ValueError("transforms: must hold at least one transform, got none")
    nameless = tuple(dataclasses.replace(transform, name=None, seed=None) for transform in transforms)
    return _cached_chain(nameless, arguments.algorithm(alg))


_cached_chain = functools.lru_cache(maxsize=256)(Chain)


def image_sizes(images: tf.Tensor) -> tf.Tensor:
    """Height and width of each image of [B, H, W, C], int64[B, 2]; a constant where they are known."""
    shape = images.shape[:3]
    if shape.is_fully_defined():
        return tf.constant(np.broadcast_to(np.array(shape[1:], np.int64), (shape[0], 2)))
    shape = tf.shape(images, out_type=tf.int64)
    return tf.broadcast_to(shape[1:3], tf.stack([shape[0], 2]))


def _require(tests: list[tuple[Any, str]], sizes: tf.Tensor, ids: tf.Tensor | None) -> tf.Tensor:
    """Refuses the examples that fail a test: (whether each passes, what the rule is)."""
    assertions = []
    for passed, rule in tests:
        known = tf.get_static_value(passed)
        if known is None:
            failed = tf.reshape(tf.where(~passed), [-1])[:1]
            where = [] if ids is None else [" for id ", tf.gather(ids, failed)]
            got = [rule, "; got (height, width) ", tf.gather(sizes, failed), *where]
            assertions.append(tf.debugging.Assert(tf.reduce_all(passed), got))
        elif not np.all(known):
            row = int(np.argmin(known))
            size, example = tf.get_static_value(sizes), tf.get_static_value(ids)
            at = "" if size is None else f"; got (height, width) {tuple(int(side) for side in size[row])}"
            raise ValueError(rule + at + ("" if example is None else f" for id {example[row]}"))
    with tf.control_dependencies(assertions):
        return tf.identity(sizes)
