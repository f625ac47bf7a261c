"""From pixels to what a model eats, by float operations that are the same bits everywhere.

Every step is one IEEE operation that no compiler may fuse or reorder (a subtraction, then a product: no
multiply-add), so eager, graph and XLA give the same bits.
"""

import dataclasses
import math
from typing import Any

import tensorflow as tf

from augrng.converting import unconverted

OUTPUTS = ("same", "unit")


@dataclasses.dataclass(frozen=True)
class Output:
    """Range and dtype of what comes out.

    Args:
      range: "same" leaves pixels as they are; "unit" makes floats in [0, 1].
      mean: with "unit": what is subtracted, one number or one for each channel, in [0, 1].
      std: with "unit": what it is divided by, above 0.
      scale: with "unit": the value of white in the pixels that come in. None is 255 for uint8, 65535 for
        uint16 and 1 for bool. Floats and the other integers must say it: 1 for floats in [0, 1], 255 for
        floats in [0, 255], which is what Keras makes of uint8 before a layer, and what
        `image_dataset_from_directory` yields.

    Raises:
      ValueError: if an argument is out of range.
    """

    range: str = "same"
    mean: float | tuple[float, ...] = 0.0
    std: float | tuple[float, ...] = 1.0
    scale: float | None = None

    @classmethod
    def of(cls, value: Any, name: str = "output") -> "Output":
        """The `Output` that is meant: itself, the name of a range, or None for pixels as they are.

        Raises:
          TypeError: if it is none of these.
        """
        if value is None or isinstance(value, str):
            return cls(value or "same")
        if not isinstance(value, cls):
            raise TypeError(f'{name}: must be an augrng.output.Output, "same" or "unit", got {value!r}')
        return value

    def __post_init__(self) -> None:
        if self.range not in OUTPUTS:
            raise ValueError(f"output: must be one of {OUTPUTS}, got {self.range!r}")
        for name in ("mean", "std"):
            value = getattr(self, name)
            object.__setattr__(self, name, tuple(value) if isinstance(value, (list, tuple)) else value)
        means, stds = (value if isinstance(value, tuple) else (value,) for value in (self.mean, self.std))
        if not all(math.isfinite(value) and value > 0 for value in stds):
            raise ValueError(f"std: must be above 0 and finite, got {self.std}")
        if not all(0 <= value <= 1 for value in means):
            raise ValueError(
                f"mean: must lie in [0, 1], the range of what it is subtracted from, got {self.mean}; divide "
                "mean and std by 255 if they are of pixels in [0, 255]"
            )
        if self.scale is not None and not (math.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f"scale: must be above 0, the value of white, got {self.scale}")
        if self.range == "same" and (self.mean, self.std, self.scale) != (0.0, 1.0, None):
            raise ValueError('mean, std and scale: need output="unit", got output="same"')

    def white(self, dtype: Any) -> float:
        """The value of white in images of a dtype.

        Raises:
          ValueError: if nobody has said it.
        """
        dtype = tf.as_dtype(dtype)
        known = {tf.uint8: 255.0, tf.uint16: 65535.0, tf.bool: 1.0}
        if self.scale is not None:
            return float(self.scale)
        if dtype not in known:
            raise ValueError(
                f'scale: output="unit" must know the value of white in {dtype.name} images; say scale=1 for '
                "values in [0, 1], scale=255 for values in [0, 255], as Keras makes of uint8 unless Input "
                'says dtype="uint8"'
            )
        return known[dtype]

    @unconverted
    def __call__(self, images: tf.Tensor, dtype: Any = tf.float32) -> tf.Tensor:
        """Converts images [..., C].

        Args:
          images: integers, bool or floats.
          dtype: of the floats that come out; not used with "same".

        Returns:
          ((image / white) - mean) / std; computed in float32 as (image - a) * b with a = white mean and
          b = 1 / (white std), then rounded to `dtype`.

        Raises:
          ValueError: if mean or std are not one for each channel, the value of white is not known, or floats
            that can be seen (eagerly) lie outside of [0, white].
        """
        if self.range == "same":
            return images
        channels = images.shape[-1]
        for name in ("mean", "std"):
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != channels:
                raise ValueError(f"{name}: must be one number or {channels} (one a channel), got {value}")
        largest = self.white(images.dtype)
        _check_range(images, largest)
        mean, std = (value if isinstance(value, tuple) else (value,) for value in (self.mean, self.std))
        floats = tf.cast(images, tf.float32)
        if any(mean):
            floats -= tf.constant([largest * value for value in mean], tf.float32)
        return tf.cast(floats * tf.constant([1 / (largest * value) for value in std], tf.float32), dtype)


def _check_range(images: tf.Tensor, white: float) -> None:
    """Refuses floats outside of [0, white] where they can be seen; rounding is let pass."""
    if not images.dtype.is_floating or not tf.executing_eagerly() or not tf.size(images):
        return
    low, high = (float(reduce(images)) for reduce in (tf.reduce_min, tf.reduce_max))
    if low < -white / 100 or high > white * 1.01:
        raise ValueError(
            f"scale: says that pixels lie in [0, {white:g}], got values from {low:g} to {high:g}; scale "
            "is the value of white"
        )
