"""From images and maps to pixels: reduced where the maps would skip pixels, read once, compiled or not.

What recipes with the same sampling do is compiled once for all of them.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from augrng.compiled import compiled
from augrng.geometry import reduce
from augrng.geometry.exact import resample
from augrng.geometry.sampling import Sampling
from augrng.geometry.warp import warp, whole_borders
from augrng.transforms.parts import Map

_MAX_ROWS = 1 << 31


class Renderer:
    """How a run of transforms reads images: one sample of the source for all of them.

    Args:
      transforms: in their order.

    Attributes:
      sampling: interpolation and fill.
      antialias: how what the map would skip is read: not at all, True by `reduce`, "exact" by `exact`.

    Raises:
      ValueError: if two transforms say different things about how to sample.
    """

    def __init__(self, transforms: Sequence[Map]) -> None:
        self.transforms = transforms
        self.sampling = _common_sampling(transforms)
        self.antialias = _common_antialias(transforms, self.sampling)

    def size_after(self, height: Any, width: Any) -> tuple[Any, Any]:
        """Height and width of what comes out of an image of this size."""
        for transform in self.transforms:
            height, width = transform.size_after(height, width)
        return height, width

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        """Height and width of what comes out of every image, or None if they depend on its size."""
        height, width = self.size_after(math.nan, math.nan)  # what depends on the size stays nan
        return None if math.isnan(height) or math.isnan(width) else (int(height), int(width))

    def render(self, images: tf.Tensor, maps: tf.Tensor, sizes: tf.Tensor) -> tf.Tensor:
        """Reads [B, H, W, C] of these checked sizes through maps: [B, height, width, C], the same dtype.

        A batch of one size is one compiled program. Images of unknown size that may have to be reduced go
        one by one, each as its own map asks for it. What reads them is compiled where the output's size is
        fixed, and runs op by op otherwise: each size would compile another program.
        """
        shape = images.shape
        if images.dtype == tf.bool:
            self.sampling.fill_for(tf.bool, shape[3])
            return tf.cast(self.render(tf.cast(images, tf.uint8), maps, sizes), tf.bool)
        if shape.is_fully_defined() and shape.num_elements() // shape[3] >= _MAX_ROWS:
            raise ValueError(f"images: a batch must have below 2**31 pixels, got shape {shape}")
        known = shape[1] is not None and shape[2] is not None
        alone = shape[0] == 1 and (tf.executing_eagerly() or not known)
        if known and not (alone and self.fixed_size):
            height, width = (int(side) for side in self.size_after(*shape[1:3]))
            if self.antialias == "exact":
                pixels = tf.reshape(images, [-1, shape[1] * shape[2], shape[3]])
                rows = pixels, sizes, maps, height, width, whole_borders(sizes), tf.range(shape[2])
                out = _compiled_rows(self.sampling, True, shape[3])(*rows)
            else:
                program = _compiled_batch(self.sampling, self._levels(*shape[1:3]), tuple(shape[1:]))
                out = program(images, sizes, maps, height, width)
            # The program may have been traced for batches of any size.
            out.set_shape([shape[0], height, width, shape[3]])
            return out
        if alone or self.antialias is not True:
            return self._render_flat(images, maps, sizes, padded=alone)
        spec = tf.TensorSpec([*(self.fixed_size or (None, None)), shape[3]], images.dtype)

        def one(row: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tf.Tensor:
            return self._render_flat(*(part[None] for part in row), padded=True)[0]

        return tf.map_fn(one, (images, maps, sizes), fn_output_signature=spec)

    def _render_flat(
        self, images: tf.Tensor, maps: tf.Tensor, sizes: tf.Tensor, *, padded: bool
    ) -> tf.Tensor:
        """`render` for one image, or for those that are not reduced."""
        cells = sizes
        borders = whole_borders(sizes)
        if self.antialias is True:
            levels = reduce.levels(maps, sizes)
            cells, borders = reduce.cells(sizes, levels), reduce.borders(sizes, levels)
            maps, images = reduce.scale(maps, levels), reduce.pick(images[0], levels[0])[None]
        shape = tf.shape(images)
        pixels = tf.reshape(images, [shape[0], -1, images.shape[3]])
        if self.fixed_size is not None:
            return self.render_rows(pixels, maps, cells, borders, padded=padded)
        height, width = self.size_after(sizes[0, 0], sizes[0, 1])
        exact = self.antialias == "exact"
        columns = columns_of(cells) if exact else None
        return _read_rows(self.sampling, exact, pixels, cells, maps, height, width, borders, columns)

    def render_rows(
        self,
        pixels: tf.Tensor,
        maps: tf.Tensor,
        sizes: tf.Tensor,
        borders: tf.Tensor,
        columns: tf.Tensor | None = None,
        *,
        padded: bool,
    ) -> tf.Tensor:
        """`render` on pixels [B, N, C] for a chain whose output has a fixed size; nothing is reduced.

        Args:
          pixels: the pixels of each source row by row.
          maps: int64[B, 2, 3].
          sizes: int64[B, 2] of the sources.
          borders: int64[B, 2, 2], see `warp`.
          columns: as `columns_of` gives them, needed in code that is jit-compiled if `antialias` is "exact".
          padded: whether to round N up, for B = 1, so that few programs serve all sizes.
        """
        assert self.fixed_size is not None
        height, width = self.fixed_size
        pixels = _padded(pixels) if padded else pixels
        exact = self.antialias == "exact"
        if not exact:
            columns = None
        elif columns is None:
            columns = columns_of(sizes)
        program = _compiled_rows(self.sampling, exact, pixels.shape[2])
        out = program(pixels, sizes, maps, height, width, borders, columns)
        out.set_shape([pixels.shape[0], height, width, pixels.shape[2]])
        return out

    def reduces(self, height: int, width: int) -> bool:
        """Whether some of the maps of images of this size may ask for a reduced source."""
        return self.antialias == "exact" or self._levels(height, width) is not None

    def _levels(self, height: int, width: int) -> reduce.Range | None:
        """The levels that may be asked for by maps of images of this size; None if only 0."""
        if self.antialias is not True:
            return None
        limits = [(1.0, 1.0), (1.0, 1.0)]
        size: tuple[Any, Any] = (height, width)
        for transform in self.transforms:
            steps = transform.steps(*size)
            limits = [
                (low * least, high * most) for (low, high), (least, most) in zip(limits, steps, strict=True)
            ]
            size = transform.size_after(*size)
        if any(transform.mixes_axes for transform in self.transforms):
            limits = [(min(low for low, _ in limits), max(high for _, high in limits))] * 2
        return reduce.Range.of(limits, (height, width))


class MaskRenderer(Renderer):
    """How a renderer's maps read masks: the nearest pixel, nothing reduced, with a fill of their own.

    Args:
      of: what reads the images.
      fill_value: of what lies outside, where `of` fills with a constant.
      multiple: so many times as large as the images the masks are, along each side.
    """

    def __init__(self, of: Renderer, fill_value: float | tuple[float, ...], multiple: int = 1) -> None:
        self.transforms, self.antialias, self._multiple = of.transforms, False, multiple
        self.sampling = Sampling("nearest", of.sampling.fill_mode, fill_value)

    def size_after(self, height: Any, width: Any) -> tuple[Any, Any]:
        sides = super().size_after(height // self._multiple, width // self._multiple)
        height, width = (side * self._multiple for side in sides)
        return height, width


@functools.lru_cache(maxsize=256)
def _compiled_batch(sampling: Sampling, among: reduce.Range | None, shape: tuple[int, int, int]) -> Callable:
    """What renders batches [B, *shape]: one for each shape, for `compiled` forgets what changes."""

    def run(images: tf.Tensor, sizes: tf.Tensor, maps: tf.Tensor, height: int, width: int) -> tf.Tensor:
        if among is None:
            pixels = tf.reshape(images, [-1, shape[0] * shape[1], shape[2]])
            return warp(pixels, sizes, maps, height, width, sampling)
        levels = among.clip(reduce.levels(maps))
        return warp(
            reduce.build(images, among),
            reduce.cells(sizes, levels),
            reduce.scale(maps, levels),
            height,
            width,
            sampling,
            reduce.offsets(sizes, levels, among),
            reduce.borders(sizes, levels),
        )

    return compiled(run)


# One program for each number of channels: `compiled` forgets a dimension that changed between calls.
@functools.lru_cache(maxsize=256)
def _compiled_rows(sampling: Sampling, exact: bool, channels: int) -> Callable:
    return compiled(functools.partial(_read_rows, sampling, exact))


def _read_rows(
    sampling: Sampling,
    exact: bool,
    pixels: tf.Tensor,
    sizes: tf.Tensor,
    maps: tf.Tensor,
    height: Any,
    width: Any,
    borders: tf.Tensor,
    columns: tf.Tensor | None,
) -> tf.Tensor:
    """`warp` or, if `exact`, `resample`, which takes `columns` too."""
    if exact:
        return resample(pixels, sizes, maps, height, width, sampling, borders, columns)
    return warp(pixels, sizes, maps, height, width, sampling, borders=borders)


def columns_of(sizes: tf.Tensor) -> tf.Tensor:
    """0, 1, ... up to a power of two that no image of sizes int64[B, 2] is wider than; see `resample`."""
    return tf.range(power_above(tf.cast(tf.reduce_max(sizes[:, 1]), tf.int32), 5))


def _common_sampling(transforms: Sequence[Map]) -> Sampling:
    """What the transforms say of how to sample; the source is sampled once, so they must agree."""
    said: dict[str, tuple[Any, Map]] = {}
    for transform in transforms:
        for name, value in transform.sampling().items():
            if name in said and said[name][0] != value:
                raise ValueError(
                    f"{name}: the transforms are applied as one and must agree, got {said[name][1]!r} "
                    f"and {transform!r}; give both the same, or leave one out"
                )
            said[name] = (value, transform)
    arguments = {name: value for name, (value, _) in said.items()}
    if all(transform.exact for transform in transforms):
        arguments["interpolation"] = "nearest"
    return Sampling(**arguments)


def _common_antialias(transforms: Sequence[Map], sampling: Sampling) -> bool | str:
    """How what the map would skip is read; "nearest" never makes a value that was not there."""
    asked = {transform.reduction for transform in transforms} - {False}
    if not asked or sampling.interpolation == "nearest":
        return False
    turning = [transform for transform in transforms if transform.mixes_axes]
    if "exact" in asked and turning:
        raise ValueError(
            f'antialias: "exact" must stand in a recipe that turns nothing, got {turning[0]!r}; use True'
        )
    return "exact" if "exact" in asked else True


def _padded(pixels: tf.Tensor) -> tf.Tensor:
    """Pixels [1, N, C] with zeros up to the next power of two: so few programs serve all sizes."""
    count = tf.shape(pixels)[1]
    # Five times as fast as `tf.pad`, which goes pixel by pixel.
    rest = tf.zeros([1, power_above(count, 10) - count, pixels.shape[2]], pixels.dtype)
    return tf.concat([pixels, rest], 1)


def power_above(count: tf.Tensor, least: int) -> tf.Tensor:
    """The smallest power of two, of at least 2**least, that is no smaller than `count`."""
    powers = tf.constant([1 << k for k in range(least, 30)])
    return tf.reduce_min(tf.where(powers >= count, powers, powers[-1]))
