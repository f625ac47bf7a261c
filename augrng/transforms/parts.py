"""What transforms do to pixels: the parts that a recipe's stages are made of.

  Map         reads the source at other positions; a run of them is one map, and the source is sampled once
  Table       one level for another, by channel; a run of them is one table
  Projective  the same by maps that are not affine
  Pixels      whatever else: each stands alone
  Mixture     a mean of what several chains of parts make

Maps and projective parts move the targets of an example (masks, boxes, keypoints) as they move its pixels;
the others leave them alone.

A transform has one part or several (`Transform.parts`); a part is told what was drawn for its transform.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import tensorflow as tf

from augrng.color.levels import Levels, Seen
from augrng.geometry.sampling import Sampling

Params = Mapping[str, tf.Tensor]


class Part:
    """What all parts share.

    `compiled` says whether a compiled program may hold it: what XLA has no operation for runs by itself.
    """

    compiled: ClassVar[bool] = True

    def check(self, dtype: tf.DType, channels: int) -> None:
        """Raises ValueError if images of this kind cannot be changed so."""

    def idle(self, params: Params) -> tf.Tensor | None:
        """Whether nothing changes, bool[B], or None for never; a batch that is idle costs next to nothing."""
        return None


class Map(Part):
    """Positions: from those of the output to those of the input."""

    exact: ClassVar[bool] = True
    mixes_axes: ClassVar[bool] = False

    @property
    def reduction(self) -> bool | str:
        """How what the map would skip is read: not at all, True by `reduce`, "exact" by `exact`."""
        return False

    def size_after(self, height: Any, width: Any) -> tuple[Any, Any]:
        """Height and width of what comes out; integers, arrays or tensors, as they come in."""
        return height, width

    def steps(self, height: Any, width: Any) -> tuple[tuple[float, float], tuple[float, float]]:
        """How far apart the output's neighbours are in an image of this size, at least and at most.

        (low, high) along y and along x, in pixels, for any params; of what `size_after` says the output is.
        """
        return (1, 1), (1, 1)

    def sampling(self) -> dict[str, Any]:
        """The arguments of `Sampling` that this part sets."""
        return {}

    def map(self, params: Params, size: tf.Tensor) -> tf.Tensor:
        """int64[B, 2, 3], for images of sizes int64[B, 2]; see `affine`."""
        raise NotImplementedError


class Table(Part):
    """Levels: uint8 and uint16, or floats whose white is 1.

    `sees` says what of the picture it depends on: "levels" (how often each level is there, by channel),
    "grey" (the mean of its luma, of the picture as the stage finds it).
    """

    sees: ClassVar[tuple[str, ...]] = ()

    def looks(self, what: str, params: Params) -> tf.Tensor | None:
        """Whether it does so for an example, bool[B], or None for always."""
        return None

    def levels(self, x: tf.Tensor, params: Params, seen: Seen, of: Levels) -> tf.Tensor:
        """What becomes of levels.

        Args:
          x: levels [B or 1, C or 1, N], int64 or floats.
          params: what was drawn, [B, 1, 1].
          seen: of the picture.
          of: the levels that there are.

        Returns:
          Levels [B or 1, C or 1, N] of the same dtype, within the range of `of`.
        """
        raise NotImplementedError

    def check(self, dtype: tf.DType, channels: int) -> None:
        check_color(self, dtype, channels, grey=True)


class Pixels(Part):
    """Whatever else is done to images [B, H, W, C]."""

    def change(self, images: tf.Tensor, params: Params) -> tf.Tensor:
        """Images [B, H, W, C] of the same shape and dtype; of those that are idle nothing is seen."""
        raise NotImplementedError


class Projective(Part):
    """Positions, by maps that are not affine; composed with the maps beside it, the first ones of a recipe
    excepted."""

    def how(self) -> Sampling:
        """How it reads its source."""
        raise NotImplementedError

    def size_after(self, height: Any, width: Any) -> tuple[Any, Any]:
        return height, width

    def maps(self, params: Params, size: tf.Tensor) -> tf.Tensor:
        """int64[B, 3, 3], for images of sizes int64[B, 2]; see `projective`."""
        raise NotImplementedError


class Mixture(Part):
    """A weighted mean of the images as they are and as chains of parts make them."""

    @property
    def chains(self) -> tuple[tuple[Part, ...], ...]:
        """Parts in their order, each chain from the images as they are."""
        raise NotImplementedError

    def weights(self, params: Params) -> list[tf.Tensor]:
        """Of the images as they are, then of each chain: fixed-point int64[B] that sum to 1."""
        raise NotImplementedError


def check_levels(part: Any, dtype: tf.DType) -> None:
    """Raises ValueError for images without levels."""
    if dtype not in (tf.uint8, tf.uint16) and not dtype.is_floating:
        raise ValueError(f"{part!r}: images must be uint8, uint16 or floats, got {dtype.name}")


def check_color(part: Any, dtype: tf.DType, channels: int, *, grey: bool) -> None:
    """Raises ValueError for images that have no colour, or no levels that a colour is made of."""
    check_levels(part, dtype)
    if channels not in ((1, 3) if grey else (3,)):
        asked = "1 or 3 channels (grey or RGB)" if grey else "3 channels (RGB)"
        raise ValueError(f"{part!r}: images must have {asked}, got {channels}")
