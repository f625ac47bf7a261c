"""Sharpness, blur and the order of channels, as torchvision has them."""

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any, ClassVar

import tensorflow as tf

from augrng.color import filters
from augrng.color.levels import ONE, shares
from augrng.random import draws
from augrng.transforms.base import Transform, check_integer, check_number, check_range
from augrng.transforms.color import MAX_FACTOR, Chance
from augrng.transforms.parts import Params, Pixels, check_color, check_levels


@dataclasses.dataclass(frozen=True, repr=False)
class RandomAdjustSharpness(Chance, Pixels):
    """Sharpens, or smooths, with probability `p`; Pillow's `ImageEnhance.Sharpness`.

    Words: 0 decides, u < p.
    Params: "applied", bool[B].

    Args:
      sharpness_factor: 0 smooths, 1 changes nothing, 2 sharpens; at most 64.
      p: probability, in [0, 1].
      name, seed: see `Transform`.

    Raises:
      ValueError: if an argument is out of range; when called: as `RandomInvert`.
    """

    sharpness_factor: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number(self, "sharpness_factor", self.sharpness_factor, 0, MAX_FACTOR)

    def change(self, images: tf.Tensor, params: Params) -> tf.Tensor:
        factor = tf.constant(shares(self.sharpness_factor), tf.int64, [1, 1, 1, 1])
        return filters.sharpen(images, factor)

    def check(self, dtype: tf.DType, channels: int) -> None:
        check_color(self, dtype, channels, grey=True)


@dataclasses.dataclass(frozen=True, repr=False)
class RandomChannelShuffle(Pixels, Transform):
    """Puts the three channels in an order that is drawn; torchvision's RandomChannelPermutation.

    Words: 0 gives the order, number (word % 2147483647) % 6 of the permutations in lexicographic order.
    Params: "order", int64[B].

    Args:
      name, seed: see `Transform`.

    Raises:
      ValueError: when called: if the images have not 3 channels.
    """

    num_words: ClassVar[int] = 1

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"order": draws.integers(words[..., 0], 6)}

    def fits(self, params: Params, size: tf.Tensor) -> tf.Tensor | bool:
        return (params["order"] >= 0) & (params["order"] < 6)

    def idle(self, params: Params) -> tf.Tensor | None:
        return tf.equal(params["order"], 0)

    def change(self, images: tf.Tensor, params: Params) -> tf.Tensor:
        order = tf.gather(tf.constant(list(itertools.permutations(range(3)))), params["order"])
        given = tf.unstack(images, axis=-1)
        made = []
        for place in range(3):
            said = order[:, place, None, None]
            made.append(tf.where(said == 0, given[0], tf.where(said == 1, given[1], given[2])))
        return tf.stack(made, -1)

    def check(self, dtype: tf.DType, channels: int) -> None:
        if channels != 3:
            raise ValueError(f"{self!r}: images must have 3 channels, got {channels}")

    def describe(self, params: Mapping[str, Any]) -> str:
        order = list(itertools.permutations("RGB"))[int(params["order"])]
        return f"channels {''.join(order)}"


@dataclasses.dataclass(frozen=True, repr=False)
class GaussianBlur(Pixels, Transform):
    """Blurs by a Gaussian whose standard deviation is uniform in `sigma`; torchvision's transform.

    Words: 0 gives u; sigma is low + u (high - low).
    Params: "sigma", int64[B], in 1/2**24 of a pixel.

    Weights are cut at the window's ends and sum to 1; beyond the edge the picture is mirrored about its
    outermost pixel. Integer pixels are those of float arithmetic within 1 level.

    Args:
      kernel_size: of the window, in pixels: odd, 1 to 63.
      sigma: (low, high) in pixels, in [1/16, 64]; one number for always the same.
      name, seed: see `Transform`.

    Raises:
      ValueError: if an argument is out of range; when called: if the images are not uint8, uint16 or floats,
        or a side is not longer than half the window.
    """

    num_words: ClassVar[int] = 1
    rule: ClassVar[str] = "a side must be longer than half the window"

    kernel_size: int
    sigma: float | tuple[float, float] = (0.1, 2.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer(self, "kernel_size", self.kernel_size, at_least=1)
        if self.kernel_size % 2 == 0 or self.kernel_size > 63:
            raise ValueError(f"GaussianBlur: kernel_size must be odd and at most 63, got {self.kernel_size}")
        if isinstance(self.sigma, list):
            object.__setattr__(self, "sigma", tuple(self.sigma))
        check_range(self, "sigma", self._sigma(), 1 / 16, 64)

    def _sigma(self) -> tuple[float, float]:
        return self.sigma if isinstance(self.sigma, tuple) else (self.sigma, self.sigma)

    def accepts(self, height: Any, width: Any) -> Any:
        half = self.kernel_size // 2
        return super().accepts(height, width) & (height > half) & (width > half)

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        low, high = self._sigma()
        return {"sigma": draws.between(words[..., 0], shares(low), shares(high))}

    def change(self, images: tf.Tensor, params: Params) -> tf.Tensor:
        return filters.blur(images, params["sigma"], self.kernel_size)

    def check(self, dtype: tf.DType, channels: int) -> None:
        check_levels(self, dtype)

    def describe(self, params: Mapping[str, Any]) -> str:
        return f"blur {params['sigma'] / ONE:.2f}"
