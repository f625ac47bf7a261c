"""Crop, flip and rotate: what each draws, and the affine map that it makes of that."""

import dataclasses
import math
import numbers
from collections.abc import Mapping
from typing import Any, ClassVar

import tensorflow as tf

from augrng import fixed
from augrng.geometry import affine
from augrng.random import draws
from augrng.transforms.base import Geometric, Params, Sampled, Transform, check_integer

FLIP_MODES = ("horizontal", "vertical", "horizontal_and_vertical")


@dataclasses.dataclass(frozen=True, repr=False)
class _Crop(Sampled):
    height: int
    width: int

    def __post_init__(self) -> None:
        super().__post_init__()
        for side in ("height", "width"):
            check_integer(self, side, getattr(self, side), at_least=1)

    def size_after(self, height: Any, width: Any) -> tuple[int, int]:
        return self.height, self.width

    def starts(self, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The first place (top, left) where the window may lie, and how many there are, int64[B, 2]."""
        raise NotImplementedError

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        first, count = self.starts(size)
        start = first + (draws.integers(words, count) if self.num_words else 0)
        return {"top": start[..., 0], "left": start[..., 1]}

    def fits(self, params: Params, size: tf.Tensor) -> tf.Tensor | bool:
        first, count = self.starts(size)
        start = tf.stack([params["top"], params["left"]], -1)
        return tf.reduce_all((start >= first) & (start < first + count), -1)

    def map(self, params: Params, size: tf.Tensor) -> tf.Tensor:
        return affine.translate(params["left"], params["top"])

    def describe(self, params: Mapping[str, Any]) -> str:
        return f"crop {params['top']:+d},{params['left']:+d}"


@dataclasses.dataclass(frozen=True, repr=False)
class RandomCrop(_Crop):
    """Cuts a window of `height` by `width` pixels at a uniformly drawn place.

    Words: 0 gives the top, 1 the left edge, each as `(word % 2147483647) % (side - window + 1)`, so
    without padding the window is that of `tf.image.stateless_random_crop` with the same key.
    Params: "top", "left", int64[B], in pixels of the unpadded image (negative inside the padding).

    A transform that follows still sees the pixels around the window: after a crop, a rotation shows
    real pixels in its corners where the image has any.

    Args:
      height: of the window, in pixels.
      width: of the window, in pixels.
      padding: pixels added on every side before the draw, or a pair (top and bottom, left and right).
      pad_if_needed: adds as much padding to both ends of a side shorter than the window as the window
        is longer, so that the image lies anywhere inside the window.
      interpolation, fill_mode, fill_value: see `Sampling`; what the padding shows.
      name, seed: see `Transform`.

    Raises:
      ValueError: if a size is below 1 or the padding below 0. When called: if the padded image is
        smaller than the window and `pad_if_needed` is false.
    """

    num_words: ClassVar[int] = 2
    rule: ClassVar[str] = "the image with its padding must be at least as large as the window"

    padding: int | tuple[int, int] = 0
    pad_if_needed: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.padding, list):
            object.__setattr__(self, "padding", tuple(self.padding))
        if isinstance(self.padding, tuple) and len(self.padding) != 2:
            raise ValueError(f"{self}: padding must be an integer or a pair, got {self.padding}")
        for side in self._padding():
            check_integer(self, "padding", side, at_least=0)

    def _padding(self) -> tuple[int, int]:
        return self.padding if isinstance(self.padding, tuple) else (self.padding, self.padding)

    def accepts(self, height: Any, width: Any) -> Any:
        vertical, horizontal = self._padding()
        room = (height + 2 * vertical >= self.height) & (width + 2 * horizontal >= self.width)
        return super().accepts(height, width) & (room | self.pad_if_needed)

    def starts(self, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        window = tf.constant([self.height, self.width], tf.int64)
        padding = tf.constant(self._padding(), tf.int64)
        padding += tf.maximum(window - (size + 2 * padding), 0)
        return -padding, size + 2 * padding - window + 1

    def evaluation(self) -> tuple[Transform, ...]:
        padded = self.pad_if_needed or any(self._padding())
        return (CenterCrop(self.height, self.width, pad_if_needed=padded, **self.sampling()),)


@dataclasses.dataclass(frozen=True, repr=False)
class CenterCrop(_Crop):
    """Cuts the middle window of `height` by `width` pixels; nothing is drawn.

    Places are torchvision's. An image that is too large: the window starts at (side - window) / 2, halves
    rounded to the even number (so 1 and 2 pixels too many start at 0 and 1, 3 and 4 at 2). One that is too
    small: the odd pixel of padding is at the bottom or right, as in `tf.image.resize_with_crop_or_pad` and
    albumentations too.
    Params: "top", "left", int64[B], in pixels.

    Args:
      height: of the window, in pixels.
      width: of the window, in pixels.
      pad_if_needed: whether an image smaller than the window is put in its middle.
      interpolation, fill_mode, fill_value: see `Sampling`.
      name, seed: see `Transform`.

    Raises:
      ValueError: if a size is below 1. When called: if the image is smaller than the window and
        `pad_if_needed` is false.
    """

    rule: ClassVar[str] = "the image must be at least as large as the window"

    pad_if_needed: bool = False

    def accepts(self, height: Any, width: Any) -> Any:
        room = (height >= self.height) & (width >= self.width)
        return super().accepts(height, width) & (room | self.pad_if_needed)

    def starts(self, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        spare = size - tf.constant([self.height, self.width], tf.int64)
        half = tf.math.floordiv(tf.abs(spare), 2)
        # Of (side - window) / 2 = k + 1/2 the even one of k and k + 1; padding is floor((window - side) / 2).
        middle = tf.where(spare < 0, -half, half + (spare & half & 1))
        return middle, tf.ones_like(middle)


@dataclasses.dataclass(frozen=True, repr=False)
class RandomFlip(Geometric):
    """Mirrors an image with probability `p` along each axis that `mode` names.

    Words: 0 decides the horizontal flip, 1 the vertical one (0 where `mode` is "vertical"), so for
    p = 1/2 a flip along one axis is that of `tf.image.stateless_random_flip_left_right` or
    `_flip_up_down` on a single image with the same key.
    Params: "horizontal", "vertical", bool[B].

    Args:
      mode: "horizontal" (left-right), "vertical" (up-down) or "horizontal_and_vertical" (two
        independent draws).
      p: probability of each flip, in [0, 1].
      name, seed: see `Transform`.

    Raises:
      ValueError: if `mode` or `p` is out of range.
    """

    num_words: ClassVar[int] = 2

    mode: str = "horizontal"
    p: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mode not in FLIP_MODES:
            raise ValueError(f"RandomFlip: mode must be one of {FLIP_MODES}, got {self.mode!r}")
        if not isinstance(self.p, numbers.Real) or not 0 <= self.p <= 1:
            raise ValueError(f"RandomFlip: p must be a number in [0, 1], got {self.p!r}")

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        vertical_word = 0 if self.mode == "vertical" else 1
        return {
            "horizontal": draws.bernoulli(words[..., 0], self.p) & ("horizontal" in self.mode),
            "vertical": draws.bernoulli(words[..., vertical_word], self.p) & ("vertical" in self.mode),
        }

    def map(self, params: Params, size: tf.Tensor) -> tf.Tensor:
        return affine.flip(size, params["horizontal"], params["vertical"])

    def describe(self, params: Mapping[str, Any]) -> str:
        axes = [axis for axis in ("horizontal", "vertical") if params[axis]]
        return f"flip {' and '.join(axes)}" if axes else "no flip"


@dataclasses.dataclass(frozen=True, repr=False)
class RandomRotation(Sampled):
    """Turns an image about its centre by a uniformly drawn angle; positive is counter-clockwise.

    Words: 0 gives the angle, low + u (high - low) with u = (word & 0x7FFFFF) / 2**23.
    Params: "angle", int64[B], in units of 2**-32 turn (a quarter turn is 2**30).

    Args:
      degrees: a number d for angles in [-d, d], or a pair (low, high).
      interpolation, fill_mode, fill_value: see `Sampling`.
      name, seed: see `Transform`.

    Raises:
      ValueError: if `degrees` is negative, not finite, beyond 36,000 or an empty range.
    """

    num_words: ClassVar[int] = 1
    exact: ClassVar[bool] = False
    mixes_axes: ClassVar[bool] = True

    degrees: float | tuple[float, float]

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.degrees, list):
            object.__setattr__(self, "degrees", tuple(self.degrees))
        limits = self.degrees if isinstance(self.degrees, tuple) else (self.degrees,)
        if not all(isinstance(v, numbers.Real) and math.isfinite(v) and abs(v) <= 36_000 for v in limits):
            raise ValueError(f"RandomRotation: degrees must be numbers within 36000, got {self.degrees!r}")
        if isinstance(self.degrees, tuple):
            if len(limits) != 2 or limits[0] > limits[1]:
                raise ValueError(f"RandomRotation: a pair of degrees must be (low, high), got {self.degrees}")
        elif self.degrees < 0:
            raise ValueError(f"RandomRotation: a single number must be at least 0, got {self.degrees}")

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        low, high = self.degrees if isinstance(self.degrees, tuple) else (-self.degrees, self.degrees)
        return {"angle": draws.between(words[..., 0], fixed.turns(low), fixed.turns(high))}

    def map(self, params: Params, size: tf.Tensor) -> tf.Tensor:
        return affine.rotate(size, params["angle"])

    def describe(self, params: Mapping[str, Any]) -> str:
        return f"rotate {fixed.degrees(params['angle']):+.1f}°"


@dataclasses.dataclass(frozen=True, repr=False)
class RandomQuarterTurn(Geometric):
    """Turns a square image by 0, 1, 2 or 3 quarter turns counter-clockwise, as `tf.image.rot90` does.

    Words: 0 gives k = (word % 2147483647) % 4.
    Params: "k", int64[B].

    Args:
      name, seed: see `Transform`.

    Raises:
      ValueError: when called, if the image is not square: a batch has one shape. Crop it first.
    """

    num_words: ClassVar[int] = 1
    mixes_axes: ClassVar[bool] = True
    rule: ClassVar[str] = "the image must be square (crop it to a square first)"

    def accepts(self, height: Any, width: Any) -> Any:
        return super().accepts(height, width) & (height == width)

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"k": draws.integers(words[..., 0], 4)}

    def map(self, params: Params, size: tf.Tensor) -> tf.Tensor:
        return affine.rotate(size, params["k"] * (fixed.TURN // 4))

    def describe(self, params: Mapping[str, Any]) -> str:
        return f"turn {90 * int(params['k'])}°"
