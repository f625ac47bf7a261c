"""From pixels to what a model eats, by float operations that are the same bits everywhere.

Every step is one IEEE operation that no compiler may fuse or reorder (a subtraction, then a product: no
multiply-add), so eager, graph and XLA give the same bits.
"""

import dataclasses
import math
from typing import Any

import tensorflow as tf

OUTPUTS = ("same", "unit")


@dataclasses.dataclass(frozen=True)
class Output:
    """Range and dtype of what comes out.

    Args:
      range: "same" leaves pixels as they are; "unit" makes floats in [0, 1] of integer pixels (float images
        are taken to be in that range already).
      mean: with "unit": what is subtracted, one number or one for each channel, in [0, 1].
      std: with "unit": what it is divided by, above 0.

    Raises:
      ValueError: if an argument is out of range.
    """

    range: str = "same"
    mean: float | tuple[float, ...] = 0.0
    std: float | tuple[float, ...] = 1.0

    def __post_init__(self) -> None:
        if self.range not in OUTPUTS:
            raise ValueError(f"output: must be one of {OUTPUTS}, got {self.range!r}")
        for name in ("mean", "std"):
            value = getattr(self, name)
            object.__setattr__(self, name, tuple(value) if isinstance(value, (list, tuple)) else value)
        means, stds = (value if isinstance(value, tuple) else (value,) for value in (self.mean, self.std))
        if not all(math.isfinite(value) for value in (*means, *stds)) or min(stds) <= 0:
            raise ValueError(f"std: must be above 0 and mean finite, got mean={self.mean}, std={self.std}")
        if self.range == "same" and (self.mean, self.std) != (0.0, 1.0):
            raise ValueError('mean and std: need output="unit", got output="same"')

    def __call__(self, images: tf.Tensor, dtype: Any = tf.float32) -> tf.Tensor:
        """Converts images [..., C].

        Args:
          images: uint8, uint16 or float.
          dtype: of the floats that come out; not used with "same".

        Returns:
          ((image / largest) - mean) / std, the largest being 255, 65535 or, of floats, 1; computed in
          float32 as (image - a) * b with a = largest mean and b = 1 / (largest std), then rounded to `dtype`.

        Raises:
          ValueError: if mean or std are not one for each channel.
        """
        if self.range == "same":
            return images
        channels = images.shape[-1]
        for name in ("mean", "std"):
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != channels:
                raise ValueError(f"{name}: must be one number or {channels} (one a channel), got {value}")
        largest = images.dtype.max if images.dtype.is_integer else 1.0
        mean, std = (value if isinstance(value, tuple) else (value,) for value in (self.mean, self.std))
        floats = tf.cast(images, tf.float32)
        if any(mean):
            floats -= tf.constant([largest * value for value in mean], tf.float32)
        return tf.cast(floats * tf.constant([1 / (largest * value) for value in std], tf.float32), dtype)
