"""Points and masks along the legs of a recipe: from where they are in the image to where its pixels come."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from augrng.geometry import affine, projective
from augrng.geometry.sampling import Sampling
from augrng.maps import Leg
from augrng.render import MaskRenderer


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


def _projective(leg: Leg) -> bool:
    return leg.map.shape[-1] == leg.map.shape[-2]
