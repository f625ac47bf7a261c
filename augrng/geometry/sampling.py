"""How a source is read between its pixels and outside of them."""

import dataclasses
import math

import tensorflow as tf

MAX_SIDE = 1 << 14
INTERPOLATIONS = ("nearest", "bilinear")
FILL_MODES = ("constant", "nearest", "reflect", "wrap")


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How to read a source between its pixels and outside of them.

    Args:
      interpolation: "nearest" or "bilinear".
      fill_mode: what lies outside, as Keras defines it: "constant" (k k k | a b c d | k k k),
        "nearest" (a a a | a b c d | d d d), "reflect" (c b a | a b c d | d c b) or
        "wrap" (b c d | a b c d | a b c). "constant" begins at the image's border, half a pixel beyond the
        outermost centres.
      fill_value: k, in units of the image's dtype; one number, or one for each channel.

    Raises:
      ValueError: if an argument is not one of these, or a fill value is not finite.
    """

    interpolation: str = "bilinear"
    fill_mode: str = "constant"
    fill_value: float | tuple[float, ...] = 0

    def __post_init__(self) -> None:
        for name, allowed in (("interpolation", INTERPOLATIONS), ("fill_mode", FILL_MODES)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}: must be one of {allowed}, got {getattr(self, name)!r}")
        if not all(math.isfinite(value) for value in self.fill_values(1)):
            raise ValueError(f"fill_value: must be finite, got {self.fill_value}")

    def fill_values(self, channels: int) -> tuple[float, ...]:
        """The fill value of each channel."""
        return self.fill_value if isinstance(self.fill_value, tuple) else (self.fill_value,) * channels

    def fill_for(self, dtype: tf.DType, channels: int) -> list[float]:
        """The fill value of each channel of images of a dtype.

        Raises:
          ValueError: if a value does not fit the dtype, or there are not as many as channels.
        """
        values = self.fill_values(channels)
        if len(values) != channels:
            raise ValueError(f"fill_value: must be one number or {channels} (one a channel), got {values}")
        low, high = (0, 1) if dtype == tf.bool else (dtype.min, dtype.max)
        if not dtype.is_floating and not all(low <= v <= high and v == int(v) for v in values):
            raise ValueError(
                f"fill_value: must be whole and lie in [{low}, {high}] for {dtype.name}, got {values}"
            )
        return list(values)
