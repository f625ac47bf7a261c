"""Images resized."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from augrng.geometry import affine
from augrng.transforms.base import Params, Sampled, check_antialias, check_integer


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
