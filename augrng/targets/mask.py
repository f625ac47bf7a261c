"""Masks: a class or an instance for each pixel."""

import dataclasses

import tensorflow as tf

from augrng import arguments
from augrng.geometry.sampling import Sampling
from augrng.targets import moving
from augrng.targets.base import Example, Target, check_count, found, put, require
from augrng.targets.moving import Moves


@dataclasses.dataclass(frozen=True, repr=False)
class Mask(Target):
    """A mask, which goes through the image's map: each pixel is the nearest one, so no new value comes up.

    In the example it is [H, W, C] or [H, W] of any dtype that images may have ([B, H, W, C] or [B, H, W] in a
    batch), of the image's size, and comes out with the size of the image's output. Outside of the picture the
    image's `fill_mode` holds; "constant" gives `fill_value`. What covers (`RandomErasing`, `Cutout`,
    `GridMask`) and what changes colours leaves it alone; so do `AugMix`, a mean of the image and of moved
    ones, and `Custom`.

    Args:
      fill_value: of pixels that lie outside of the picture; 255 where that class is to be ignored. One
        number, or one for each channel.
      multiple: so many times as high and as wide as the image the mask is, and its output as the image's.

    Raises:
      ValueError: if an argument is out of range; when called: if the mask's size is not the image's (times
        `multiple`), or the fill value does not fit its dtype.
    """

    fill_value: float | tuple[float, ...] = 0
    multiple: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.fill_value, list):
            object.__setattr__(self, "fill_value", tuple(self.fill_value))
        try:
            Sampling(fill_value=self.fill_value)
        except TypeError as error:
            raise ValueError(
                f"Mask: fill_value must be a number or one a channel, got {self.fill_value!r}"
            ) from error
        check_count(self, "multiple", self.multiple)

    def move(self, example: Example, name: str, moves: Moves, ids: tf.Tensor | None, single: bool) -> Example:
        """The example with its mask moved; see `Targets.move`."""
        mask = arguments.pixels(found(example, name), name)
        flat = mask.shape.rank == (2 if single else 3)
        mask = mask[..., None] if flat else mask
        if mask.shape.rank != (3 if single else 4) or not mask.shape[-1]:
            shapes = "[H, W, C] or [H, W]" if single else "[B, H, W, C] or [B, H, W]"
            raise ValueError(f"{name}: must have shape {shapes}, channels known, got {mask.shape}")
        self.check(mask.dtype, mask.shape[-1], name)
        masks = mask[None] if single else mask
        known = masks.shape[1:3]
        before = tf.get_static_value(moves.before)
        if before is not None and known.is_fully_defined():  # then XLA, which checks no values, is told too
            fits = tf.constant((before * self.multiple == known.as_list()).all(-1))
        else:
            fits = tf.reduce_all(tf.equal(moves.before * self.multiple, tf.shape(masks, tf.int64)[1:3]), -1)
        times = f" times {self.multiple}" if self.multiple > 1 else " (multiple= says that it is larger)"
        masks = require(fits[None], [f"{name}: must have the image's size{times}, has {known}"], masks, ids)
        out = moving.read(moves.legs, masks, self.fill_value, self.multiple)
        out = out[0] if single else out
        return put(example, name, out[..., 0] if flat else out)

    def check(self, dtype: tf.DType, channels: int, name: str) -> None:
        """Refuses a dtype or a number of channels that cannot be read so."""
        if dtype not in arguments.IMAGE_DTYPES:
            raise TypeError(f"{name}: must hold integers, bool or floats, got {dtype.name}")
        Sampling(fill_value=self.fill_value).fill_for(dtype, channels)
