"""Transforms that change the scale."""

import dataclasses
import math
import numbers
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from augrng import fixed
from augrng.geometry import affine
from augrng.geometry.sampling import MAX_SIDE
from augrng.random import draws
from augrng.transforms.base import Params, Sampled, Transform, check_antialias, check_integer
from augrng.transforms.geometry import CenterCrop

_PROPOSALS = 10


@dataclasses.dataclass(frozen=True, repr=False)
class RandomResizedCrop(Sampled):
    """Cuts a window of random area and aspect ratio and resizes it to `height` by `width` pixels.

    The distribution is that of torchvision's transform of this name: the area is uniform in `scale` times
    the image's, the logarithm of the ratio (width over height) uniform; of ten proposals the first that
    fits is taken, at a uniform place; if none fits, the largest window in the middle whose ratio is
    allowed, with torchvision's rounding: halves to the even number.

    Words: 2k gives the area of proposal k, 2k + 1 its ratio, both as 23-bit uniforms; 20 gives the top
    and 21 the left edge, as the offsets of `RandomCrop`.
    Params: "top", "left", "height", "width", int64[B], of the window in source pixels.

    Args:
      height: of the output, in pixels.
      width: of the output, in pixels.
      scale: (low, high) of the window's area, as a share of the image's, in (0, 1].
      ratio: (low, high) of the window's width over its height, in [1/64, 64].
      antialias: whether a window at least 1.6 times as large as the output along an axis is read from an
        image that was reduced along it by a power of two first; see `reduce`. "nearest" never is.
        "exact": Pillow's antialiased filter over the image, for recipes that turn nothing; see `exact`.
      interpolation, fill_mode, fill_value: see `Sampling`.
      name, seed: see `Transform`.

    Raises:
      ValueError: if a size is below 1 or a range is empty or out of bounds.
    """

    num_words: ClassVar[int] = 2 * _PROPOSALS + 2
    exact: ClassVar[bool] = False

    height: int
    width: int
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    antialias: bool | str = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_antialias(self, self.antialias)
        for side in ("height", "width"):
            check_integer(self, side, getattr(self, side), at_least=1)
        for name, low, high in (("scale", 0, 1), ("ratio", 1 / 64, 64)):
            check_limits(self, name, low, high)

    @property
    def reduction(self) -> bool | str:
        return self.antialias

    def size_after(self, height: Any, width: Any) -> tuple[int, int]:
        return self.height, self.width

    def steps(self, height: Any, width: Any) -> tuple[tuple[float, float], tuple[float, float]]:
        return (0, height / self.height), (0, width / self.width)

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        windows = proposals(words, size, self.scale, self.ratio)
        fits = tf.reduce_all((windows > 0) & (windows <= size[:, None]), -1)
        first = tf.argmax(tf.cast(fits, tf.int32), -1)
        chosen = tf.gather(windows, first, batch_dims=1)
        found = tf.reduce_any(fits, -1)[:, None]
        window = tf.where(found, chosen, self._fallback(size))
        place = draws.integers(words[:, 20:22], size - window + 1)
        place = tf.where(found, place, tf.math.floordiv(size - window, 2))
        return {
            "top": place[:, 0],
            "left": place[:, 1],
            "height": window[:, 0],
            "width": window[:, 1],
        }

    def _fallback(self, size: tf.Tensor) -> tf.Tensor:
        """The largest window of an allowed ratio, int64[B, 2]."""
        low, high = self.ratio
        height, width = size[:, 0], size[:, 1]
        # Tables of Python's rounding of float64 quotients and products: what is half and what is just below
        # depends on how these come out, so integers cannot say it, and XLA divides by multiplying.
        sides = np.arange(MAX_SIDE + 1)
        flat = tf.gather(tf.constant(np.rint(sides / low).astype(np.int32)), width)
        tall = tf.gather(tf.constant(np.rint(sides * high).astype(np.int32)), height)
        low, high = (round(value * fixed.ONE) for value in (low, high))
        flat, tall = (tf.cast(side, tf.int64) for side in (flat, tall))
        return tf.stack(
            [
                tf.where(width * fixed.ONE < height * low, tf.clip_by_value(flat, 1, height), height),
                tf.where(width * fixed.ONE > height * high, tf.clip_by_value(tall, 1, width), width),
            ],
            -1,
        )

    def fits(self, params: Params, size: tf.Tensor) -> tf.Tensor | bool:
        ends = tf.stack(
            [params["top"] + params["height"], params["left"] + params["width"]],
            -1,
        )
        starts = tf.stack([params["top"], params["left"]], -1)
        return tf.reduce_all((starts >= 0) & (starts < ends) & (ends <= size), -1)

    def map(self, params: Params, size: tf.Tensor) -> tf.Tensor:
        window = tf.stack([params["height"], params["width"]], -1)
        whole = affine.resize(window, self.height, self.width)
        return affine.compose(affine.translate(params["left"], params["top"]), whole)

    def describe(self, params: Mapping[str, Any]) -> str:
        return "{height}x{width} at {top},{left}".format(**params)

    def evaluation(self) -> tuple[Transform, ...]:
        """The middle 7/8 (224 of 256) of the image, its shorter side resized to hold the output."""
        side = -(-max(self.height, self.width) * 8 // 7)
        resized = Resize(side, antialias=self.antialias, **self.sampling())
        return resized, CenterCrop(self.height, self.width)


def proposals(
    words: tf.Tensor, size: tf.Tensor, scale: tuple[float, float], ratio: tuple[float, float]
) -> tf.Tensor:
    """Ten windows (height, width), int64[B, 10, 2]: their area uniform in `scale` times the image's, the
    logarithm of width over height uniform in `ratio`, rounded to whole pixels.

    Words 2k and 2k + 1 are for proposal k.
    """
    one, height, width = fixed.ONE, size[:, :1], size[:, 1:]
    share = draws.between(words[:, 0 : 2 * _PROPOSALS : 2], *(round(v * one) for v in scale))
    half_log = draws.between(
        words[:, 1 : 2 * _PROPOSALS : 2], *(round(math.log2(v) * one / 2) for v in ratio)
    )
    # width = sqrt(area) sqrt(ratio); the root of the area keeps 17 fraction bits, that of the ratio 24.
    root = fixed.square_root(height * width * share * 2**10)
    sides = [fixed.shift_round(root * fixed.exp2(log), 17 + fixed.FRACTION) for log in (-half_log, half_log)]
    return tf.stack(sides, -1)


def check_limits(transform: Transform, name: str, low: float, high: float) -> None:
    """Makes a field a pair, and raises ValueError unless it is (low, high) within these, not both 0."""
    limits = getattr(transform, name)
    if isinstance(limits, list):
        limits = tuple(limits)
        object.__setattr__(transform, name, limits)
    numeric = isinstance(limits, tuple) and all(isinstance(v, numbers.Real) for v in limits)
    if not numeric or len(limits) != 2 or not low <= limits[0] <= limits[1] <= high or limits[1] == 0:
        kind = type(transform).__name__
        raise ValueError(f"{kind}: {name} must be (low, high) within ({low}, {high}), got {limits!r}")


@dataclasses.dataclass(frozen=True, repr=False)
class Resize(Sampled):
    """Resizes an image; nothing is drawn.

    Params: "height", "width", int64[B], of the output.

    Args:
      height: of the output, in pixels. Alone it is the length of the shorter side, and the other one is
        floor(longer * height / shorter), as in torchvision.
      width: of the output, in pixels.
      antialias: whether an image at least 1.6 times as large as the output along an axis is reduced along it
        by a power of two first; see `reduce`. "nearest" never is. "exact": Pillow's antialiased `BILINEAR`
        within 1 grey level, for recipes that turn nothing; see `exact`.
      interpolation, fill_mode, fill_value: see `Sampling`.
      name, seed: see `Transform`.

    Raises:
      ValueError: if a size is below 1.
    """

    exact: ClassVar[bool] = False

    height: int
    width: int | None = None
    antialias: bool | str = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_antialias(self, self.antialias)
        check_integer(self, "height", self.height, at_least=1)
        if self.width is not None:
            check_integer(self, "width", self.width, at_least=1)

    @property
    def reduction(self) -> bool | str:
        return self.antialias

    def size_after(self, height: Any, width: Any) -> tuple[Any, Any]:
        if self.width is not None:
            return self.height, self.width
        if tf.is_tensor(height):
            shorter = tf.maximum(tf.minimum(height, width), 1)
        else:
            shorter = np.maximum(np.minimum(height, width), 1)
        return height * self.height // shorter, width * self.height // shorter

    def steps(self, height: Any, width: Any) -> tuple[tuple[float, float], tuple[float, float]]:
        y, x = (side / out for side, out in zip((height, width), self.size_after(height, width), strict=True))
        return (y, y), (x, x)

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        height, width = self.size_after(size[:, 0], size[:, 1])
        zero = tf.zeros_like(size[:, 0])
        return {"height": zero + height, "width": zero + width}

    def map(self, params: Params, size: tf.Tensor) -> tf.Tensor:
        return affine.resize(size, params["height"], params["width"])

    def describe(self, params: Mapping[str, Any]) -> str:
        return "resize {height}x{width}".format(**params)
