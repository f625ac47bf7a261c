"""Windows of random area and ratio."""

import dataclasses
from typing import ClassVar

import numpy as np
import tensorflow as tf

from augrng import fixed
from augrng.geometry.sampling import MAX_SIDE
from augrng.random import draws
from augrng.transforms.base import Transform
from augrng.transforms.geometry import CenterCrop
from augrng.transforms.resize import Resize
from augrng.transforms.windows.base import PROPOSALS, Window, check_limits, proposals


@dataclasses.dataclass(frozen=True, repr=False)
class RandomResizedCrop(Window):
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

    num_words: ClassVar[int] = 2 * PROPOSALS + 2

    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    antialias: bool | str = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, low, high in (("scale", 0, 1), ("ratio", 1 / 64, 64)):
            check_limits(self, name, low, high)

    @property
    def reduction(self) -> bool | str:
        return self.antialias

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

    def evaluation(self) -> tuple[Transform, ...]:
        """The middle 7/8 (224 of 256) of the image, its shorter side resized to hold the output."""
        side = -(-max(self.height, self.width) * 8 // 7)
        resized = Resize(side, antialias=self.antialias, **self.sampling())
        return resized, CenterCrop(self.height, self.width)
