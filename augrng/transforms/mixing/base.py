"""What all that mixes examples shares.

A mixing transform stands at the end of a recipe: what it mixes went through all that comes before, each
example by its own id. Its partners are other examples; see `MixUp`.
"""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import tensorflow as tf

from augrng.geometry import panes
from augrng.geometry.panes import Pane
from augrng.random import beta
from augrng.transforms.base import Transform, check_integer, check_number, check_probability
from augrng.transforms.parts import Params

SHARE_BITS = 24  # shares of labels, so that float32 holds each exactly
WHOLE = 1 << SHARE_BITS
_SOURCES = ("dataset", "batch")


@dataclasses.dataclass(frozen=True, repr=False)
class Mixing(Transform):
    """What all that mixes examples shares; see `MixUp`.

    `num_partners` others are mixed with an example. In lists of several pictures the example's own comes
    first.
    """

    num_partners: ClassVar[int] = 1
    shows: ClassVar[bool] = True  # whether a pixel is of one picture; else it is of all

    num_classes: int | None = dataclasses.field(default=None, kw_only=True)
    p: float = dataclasses.field(default=1.0, kw_only=True)
    label: str | None = dataclasses.field(default="label", kw_only=True)
    partners: str = dataclasses.field(default="dataset", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        kind = type(self).__name__
        check_probability(self, self.p)
        if self.num_classes is not None:
            check_integer(self, "num_classes", self.num_classes, at_least=1)
        if self.label is not None and (not isinstance(self.label, str) or not self.label):
            raise ValueError(
                f"{kind}: label must be the name of a feature, or None for none, got {self.label!r}"
            )
        if self.partners not in _SOURCES:
            raise ValueError(f"{kind}: partners must be one of {_SOURCES}, got {self.partners!r}")

    def drawn_partners(self, params: Params) -> list[tf.Tensor]:
        """Of each partner the number int64[B] in [0, 2**63) that says which it is."""
        return [params["partner"]]

    def panes(self, params: Params, size: tf.Tensor) -> list[Pane]:
        """Where each of the pictures shows, of sizes int64[B, 2]."""
        raise NotImplementedError

    def shares(self, params: Params, size: tf.Tensor) -> list[tf.Tensor]:
        """What each picture has of the label, int64[B] in units of 2**-24, 2**24 in all: its share of the
        pixels, to the nearest."""
        pixels = tf.maximum(tf.reduce_prod(size, -1), 1)
        others = [
            tf.math.floordiv(pane.area * WHOLE + pixels // 2, pixels) for pane in self.panes(params, size)[1:]
        ]
        return [WHOLE - tf.add_n(others), *others]

    def images(self, images: Sequence[tf.Tensor], params: Params) -> tf.Tensor:
        """One of several pictures [B, H, W, C] of one dtype."""
        size = tf.tile(tf.shape(images[0], tf.int64)[None, 1:3], [tf.shape(images[0])[0], 1])
        return panes.shown(images, self.panes(params, size))

    def check(self, dtype: tf.DType) -> None:
        """Raises ValueError for images that cannot be mixed so."""


@dataclasses.dataclass(frozen=True, repr=False)
class Pair(Mixing):
    """Two examples, in shares of Beta(alpha, alpha); see `MixUp`."""

    alpha: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number(self, "alpha", self.alpha, beta.LEAST, beta.MOST)


def number(low: tf.Tensor, high: tf.Tensor) -> tf.Tensor:
    """int64[...] in [0, 2**63) of two words: both, without the lowest bit."""
    low, high = tf.cast(low, tf.uint64), tf.cast(high, tf.uint64)
    one, half = (tf.constant(count, tf.uint64) for count in (1, 32))
    return tf.cast(tf.bitwise.right_shift(low | tf.bitwise.left_shift(high, half), one), tf.int64)
