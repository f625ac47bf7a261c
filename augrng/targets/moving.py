"""Points and masks along the legs of a recipe: from where they are in the image to where its pixels come."""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from augrng.compiled import compiled
from augrng.geometry import affine, projective
from augrng.geometry.sampling import Sampling
from augrng.geometry.warp import warp_with_mask
from augrng.maps import Leg
from augrng.render import MaskRenderer, Renderer


class Moves(NamedTuple):
    """What is done to the pictures of B examples.

    Attributes:
      legs: the stages that move pixels, in their order.
      before: int64[B, 2], height and width of the images.
    """

    legs: Sequence[Leg]
    before: tf.Tensor

    @property
    def after(self) -> tf.Tensor:
        """int64[B, 2], height and width of what is made of the images."""
        return self.legs[-1].after if self.legs else self.before


def moved(leg: Leg, points: tf.Tensor) -> tf.Tensor:
    """Fixed-point positions int64[B, N, 2] = (x, y) of a leg's source as those of what it makes."""
    if _projective(leg):
        return projective.unmove(leg.map, tf.maximum(leg.before, leg.after), points)
    return affine.unmove(leg.map, points)


def mirrored(moves: Moves) -> tf.Tensor:
    """bool[B]: whether the pictures come out as mirror images, by an odd number of flips."""
    odd = tf.zeros_like(moves.before[:, 0], tf.bool)
    for leg in moves.legs:
        mirrors = projective.mirrors(leg.map, leg.before) if _projective(leg) else affine.mirrors(leg.map)
        odd = tf.math.logical_xor(odd, mirrors)
    return odd


def read(
    legs: Sequence[Leg], masks: tf.Tensor, fill_value: float | tuple[float, ...], multiple: int
) -> tf.Tensor:
    """Masks [B, H, W, C] of the pictures' sizes times `multiple`, read through the legs, nearest."""
    for leg in legs:
        masks = _read(leg, masks, fill_value, multiple)
    return masks


def _read(leg: Leg, masks: tf.Tensor, fill_value: float | tuple[float, ...], multiple: int) -> tf.Tensor:
    renderer = MaskRenderer(leg.renderer, fill_value, multiple)
    if not _projective(leg):
        # Positions times k: what the map adds is k times as much, and its matrix stays.
        maps = leg.map * tf.constant([1, 1, multiple], tf.int64)
        return renderer.render(masks, maps, leg.before * multiple)
    if masks.dtype == tf.bool:
        return tf.cast(_read(leg, tf.cast(masks, tf.uint8), fill_value, multiple), tf.bool)
    sampling = Sampling("nearest", leg.sampling.fill_mode, fill_value)
    maps = projective.enlarged(leg.map, multiple)
    return projective.warp(masks, maps, *projective.sides(masks, renderer.size_after), sampling)


def rides(renderer: Renderer, images: tf.Tensor, masks: tf.Tensor) -> bool:
    """Whether masks [B, H, W, C] can be read together with images of their sizes; see `read_together`."""
    shape = images.shape
    if images.dtype != tf.uint8 or masks.dtype != tf.uint8 or None in shape[1:] or shape[3] > 3:
        return False
    # Alone and eager an image goes through a program for all sizes; see `Renderer.render`.
    alone = shape[0] == 1 and tf.executing_eagerly()
    same = masks.shape.rank is not None and masks.shape.is_compatible_with([*shape[:3], 1])
    return same and None not in masks.shape[1:] and not alone and not renderer.reduces(*shape[1:3])


def read_together(
    renderer: Renderer,
    images: tf.Tensor,
    masks: tf.Tensor,
    maps: tf.Tensor,
    sizes: tf.Tensor,
    fill_value: float | tuple[float, ...],
) -> tuple[tf.Tensor, tf.Tensor]:
    """Images and their masks, read through maps int64[B, 2, 3]: what each would be by itself."""
    shape = tuple(images.shape[1:])
    height, width = (int(side) for side in renderer.size_after(*shape[:2]))
    (fill,) = Sampling(fill_value=fill_value).fill_for(tf.uint8, 1)
    made = _together(renderer.sampling, int(fill), shape)(images, masks, sizes, maps, height, width)
    for one, channels in zip(made, (shape[2], 1), strict=True):
        one.set_shape([images.shape[0], height, width, channels])
    return made


@functools.lru_cache(maxsize=256)
def _together(sampling: Sampling, fill_value: int, shape: tuple[int, int, int]) -> Callable:
    """What reads batches [B, *shape] and their masks, one for each shape."""

    def run(
        images: tf.Tensor, masks: tf.Tensor, sizes: tf.Tensor, maps: tf.Tensor, height: int, width: int
    ) -> tuple[tf.Tensor, tf.Tensor]:
        count = shape[0] * shape[1]
        pixels, labels = tf.reshape(images, [-1, count, shape[2]]), tf.reshape(masks, [-1, count, 1])
        return warp_with_mask(pixels, labels, sizes, maps, height, width, sampling, fill_value)

    return compiled(run)


def _projective(leg: Leg) -> bool:
    return leg.map.shape[-1] == leg.map.shape[-2]
