"""Colour as `tf.image` has it: what is drawn is what `tf.image.stateless_random_*` draws of the same key.

Numbers that are drawn are fixed-point, with 24 fraction bits, of uniforms with 23: they equal TensorFlow's
floats to their rounding.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from augrng import fixed
from augrng.color import channels, words
from augrng.color.levels import ONE, Levels, Seen, shares
from augrng.random import draws
from augrng.transforms.base import Transform, check_number, check_probability, check_range
from augrng.transforms.parts import Params, Pixels, Table, check_color

MAX_FACTOR = 64


@dataclasses.dataclass(frozen=True, repr=False)
class RandomBrightness(Table, Transform):
    """Adds a number to all levels, uniform in [-max_delta, max_delta); black is 0 and white 1.

    Words: 0 gives u; the number is max_delta (2 u - 1), as of `tf.image.stateless_random_brightness`.
    Params: "delta", int64[B], in 1/2**24.

    Integer pixels are those of `tf.image.adjust_brightness` within 1 level; floats are not clipped, as there.

    Args:
      max_delta: at least 0, at most 1.
      name, seed: see `Transform`.

    Raises:
      ValueError: if `max_delta` is out of range; when called: if the images are not grey or RGB, or not
        uint8, uint16 or floats.
    """

    num_words: ClassVar[int] = 1

    max_delta: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number(self, "max_delta", self.max_delta, 0, 1)

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        most = shares(self.max_delta)
        return {"delta": draws.between(words[..., 0], -most, most)}

    def levels(self, x: tf.Tensor, params: Params, seen: Seen, of: Levels) -> tf.Tensor:
        delta = params["delta"]
        return of.rounded(x * ONE + of.top * delta) if of.whole else x + of.number(delta)

    def describe(self, params: Mapping[str, Any]) -> str:
        return f"brightness {params['delta'] / ONE:+.2f}"


@dataclasses.dataclass(frozen=True, repr=False)
class _Factor(Transform):
    """A factor, uniform in [lower, upper)."""

    num_words: ClassVar[int] = 1

    lower: float
    upper: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, "lower and upper", (self.lower, self.upper), 0, MAX_FACTOR)

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"factor": draws.between(words[..., 0], shares(self.lower), shares(self.upper))}

    def describe(self, params: Mapping[str, Any]) -> str:
        kind = type(self).__name__.removeprefix("Random").lower()
        return f"{kind} {params['factor'] / ONE:.2f}"


@dataclasses.dataclass(frozen=True, repr=False)
class RandomContrast(Table, _Factor):
    """Multiplies the distance of all levels from their channel's mean by a factor in [lower, upper).

    Words: 0 gives u; the factor is lower + u (upper - lower), as of `tf.image.stateless_random_contrast`.
    Params: "factor", int64[B], in 1/2**24.

    Integer pixels are those of `tf.image.adjust_contrast` within 1 level; floats are not clipped, as there.
    torchvision's contrast, about the mean of the picture's luma, is `ColorJitter(contrast=)`.

    Args:
      lower: at least 0.
      upper: above `lower`, at most 64.
      name, seed: see `Transform`.

    Raises:
      ValueError: if the range is empty or out of bounds; when called: as `RandomBrightness`.
    """

    sees: ClassVar[tuple[str, ...]] = ("levels",)

    def levels(self, x: tf.Tensor, params: Params, seen: Seen, of: Levels) -> tf.Tensor:
        factor, mean = params["factor"], seen.mean()
        if not of.whole:
            return mean + of.number(factor) * (x - mean)
        # Halves of 12 bits: the product of 40 bits with 30 would not fit.
        distance = tf.bitwise.right_shift(x * ONE - mean, tf.constant(12, tf.int64))
        return of.rounded(mean + tf.bitwise.right_shift(factor * distance, tf.constant(12, tf.int64)))


@dataclasses.dataclass(frozen=True, repr=False)
class RandomSaturation(Pixels, _Factor):
    """Multiplies HSV's saturation by a factor in [lower, upper), as far as 1.

    Words: 0 gives u; the factor is lower + u (upper - lower), as of `tf.image.stateless_random_saturation`.
    Params: "factor", int64[B], in 1/2**24.

    Integer pixels are those of `tf.image.adjust_saturation` within 1 level.

    Args:
      lower: at least 0.
      upper: above `lower`, at most 64.
      name, seed: see `Transform`.

    Raises:
      ValueError: if the range is empty or out of bounds; when called: if the images are not RGB, or not
        uint8, uint16 or floats.
    """

    def idle(self, params: Params) -> tf.Tensor | None:
        return tf.equal(params["factor"], ONE)

    def change(self, images: tf.Tensor, params: Params) -> tf.Tensor:
        return words.changed(images, channels.saturate, params["factor"])

    def check(self, dtype: tf.DType, channels: int) -> None:
        check_color(self, dtype, channels, grey=False)


@dataclasses.dataclass(frozen=True, repr=False)
class RandomHue(Pixels, Transform):
    """Moves HSV's hue by a share of the circle, uniform in [-max_delta, max_delta).

    Words: 0 gives u; the share is max_delta (2 u - 1), as of `tf.image.stateless_random_hue`.
    Params: "delta", int64[B], in 1/2**24 of the circle.

    Integer pixels are those of `tf.image.adjust_hue` within 1 level.

    Args:
      max_delta: in [0, 0.5].
      name, seed: see `Transform`.

    Raises:
      ValueError: if `max_delta` is out of range; when called: as `RandomSaturation`.
    """

    num_words: ClassVar[int] = 1

    max_delta: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number(self, "max_delta", self.max_delta, 0, 0.5)

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        most = shares(self.max_delta)
        return {"delta": draws.between(words[..., 0], -most, most)}

    def idle(self, params: Params) -> tf.Tensor | None:
        return tf.equal(params["delta"], 0)

    def change(self, images: tf.Tensor, params: Params) -> tf.Tensor:
        return words.changed(images, channels.shift_hue, params["delta"])

    def check(self, dtype: tf.DType, channels: int) -> None:
        check_color(self, dtype, channels, grey=False)

    def describe(self, params: Mapping[str, Any]) -> str:
        return f"hue {360 * params['delta'] / ONE:+.0f}°"


@dataclasses.dataclass(frozen=True, repr=False)
class RandomGamma(Table, Transform):
    """Raises levels to a power, black being 0 and white 1: `gain` x**gamma, gamma uniform in [lower, upper).

    Words: 0 gives u; gamma is lower + u (upper - lower).
    Params: "gamma", int64[B], in 1/2**24.

    Integer pixels are those of `tf.image.adjust_gamma` within 1 level; floats below 0 become 0.

    Args:
      lower: at least 1/64.
      upper: above `lower`, at most 64.
      gain: a factor in [0, 64].
      name, seed: see `Transform`.

    Raises:
      ValueError: if a range is empty or out of bounds; when called: as `RandomBrightness`.
    """

    num_words: ClassVar[int] = 1

    lower: float
    upper: float
    gain: float = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, "lower and upper", (self.lower, self.upper), 1 / 64, MAX_FACTOR)
        check_number(self, "gain", self.gain, 0, MAX_FACTOR)

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"gamma": draws.between(words[..., 0], shares(self.lower), shares(self.upper))}

    def levels(self, x: tf.Tensor, params: Params, seen: Seen, of: Levels) -> tf.Tensor:
        gamma = params["gamma"]
        if not of.whole:
            return self.gain * tf.pow(tf.maximum(x, 0), of.number(gamma))
        known = np.log2(np.maximum(np.arange(of.top + 1), 1) / of.top)
        logarithm = tf.gather(tf.constant(np.round(known * ONE), tf.int64), x)
        exponent = tf.bitwise.right_shift(gamma * logarithm, tf.constant(fixed.FRACTION, tf.int64))
        power = tf.where(exponent > -20 * ONE, fixed.exp2(tf.maximum(exponent, -20 * ONE)), 0)
        power *= tf.minimum(x, 1)  # black stays black
        # 40 bits and 30: of each the upper ones.
        eight = tf.constant(8, tf.int64)
        scaled = tf.bitwise.right_shift(of.top * power, eight) * (shares(self.gain) >> 8)
        return of.rounded(tf.bitwise.right_shift(scaled, eight))

    def describe(self, params: Mapping[str, Any]) -> str:
        return f"gamma {params['gamma'] / ONE:.2f}"


@dataclasses.dataclass(frozen=True, repr=False)
class ToGrayscale(Pixels, Transform):
    """The luma in all three channels; nothing is drawn.

    Pillow's "L", of the weights 299, 587 and 114 of 1000: that of `tf.image.rgb_to_grayscale` within 1 level.
    Params: none.

    Args:
      name, seed: see `Transform`.

    Raises:
      ValueError: when called: as `RandomSaturation`.
    """

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        return {}

    def change(self, images: tf.Tensor, params: Params) -> tf.Tensor:
        return channels.to_grey(images)

    def check(self, dtype: tf.DType, channels: int) -> None:
        check_color(self, dtype, channels, grey=False)

    def describe(self, params: Mapping[str, Any]) -> str:
        return "grey"


@dataclasses.dataclass(frozen=True, repr=False)
class Chance(Transform):
    """What is done with probability `p`: word 0 decides, u < p. Params: "applied", bool[B]."""

    num_words: ClassVar[int] = 1

    p: float = dataclasses.field(default=0.5, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_probability(self, self.p)

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"applied": draws.bernoulli(words[..., 0], self.p)}

    def idle(self, params: Params) -> tf.Tensor | None:
        return ~params["applied"]

    def describe(self, params: Mapping[str, Any]) -> str:
        kind = type(self).__name__.removeprefix("Random").removeprefix("To").lower()
        return kind if params["applied"] else f"no {kind}"
