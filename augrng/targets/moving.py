"""Points and masks along the legs of a recipe: from where they are in the image to where its pixels come."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from augrng.geometry import affine, projective
from augrng.geometry.sampling import Sampling
from augrng.render import MaskRenderer
from augrng.stages import Leg


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
    if leg.map.shape[-1] == leg.map.shape[-2]:
        out = projective.unmove(leg.map, leg.before, points)
    else:
        out = affine.unmove(leg.map, points)
    return out if leg.acts is None else tf.where(leg.acts[:, None, None], out, points)


def mirrored(moves: Moves) -> tf.Tensor:
    """bool[B]: whether the pictures come out as mirror images, by an odd number of flips."""
    odd = tf.zeros_like(moves.before[:, 0], tf.bool)
    for leg in moves.legs:
        if leg.renderer is not None:  # a projective map never mirrors
            odd = tf.math.logical_xor(odd, affine.mirrors(leg.map))
    return odd


def read(
    legs: Sequence[Leg], masks: tf.Tensor, fill_value: float | tuple[float, ...], multiple: int
) -> tf.Tensor:
    """Masks [B, H, W, C] of the pictures' sizes times `multiple`, read through the legs, nearest."""
    for leg in legs:
        masks = _read(leg, masks, fill_value, multiple)
    return masks


def _read(leg: Leg, masks: tf.Tensor, fill_value: float | tuple[float, ...], multiple: int) -> tf.Tensor:
    if leg.renderer is not None:
        # Positions times k: what the map adds is k times as much, and its matrix stays.
        maps = leg.map * tf.constant([1, 1, multiple], tf.int64)
        return MaskRenderer(leg.renderer, fill_value, multiple).render(masks, maps, leg.before * multiple)
    if masks.dtype == tf.bool:
        return tf.cast(_read(leg, tf.cast(masks, tf.uint8), fill_value, multiple), tf.bool)
    sampling = Sampling("nearest", leg.sampling.fill_mode, fill_value)
    out = projective.warp(masks, projective.enlarged(leg.map, multiple), sampling)
    return out if leg.acts is None else tf.where(leg.acts[:, None, None, None], out, masks)
