"""Windows that keep a box."""

import dataclasses
import numbers
from typing import Any, ClassVar

import tensorflow as tf

from augrng import fixed
from augrng.random import draws
from augrng.transforms.base import SHARE_BITS, Rectangles, Transform
from augrng.transforms.resize import Resize
from augrng.transforms.windows.base import Window, check_limits

_PROPOSALS = 40
_FINE = 6  # fraction bits of positions whose areas are compared: products of three numbers stay below 2**62


@dataclasses.dataclass(frozen=True, repr=False)
class BoxSafeCrop(Window):
    """Cuts a window that keeps at least one box, as SSD does, and resizes it to `height` by `width` pixels.

    The distribution is that of torchvision's v2 `RandomIoUCrop` (Liu et al., "SSD", 2016, section 2.2): first
    one of `overlaps` is drawn. Then windows are proposed, their sides uniform in `scale` times the image's,
    at a uniform place: width floor(W s), left edge floor((W - width) u), and so along y. The first is taken
    whose width over height lies in `ratio`, and that has in it the centre of a box whose intersection over
    union with the window is at least that overlap. An overlap of 1 takes the whole image.

    Where that differs: there are 40 proposals, and if none will do, the whole image is taken (torchvision
    draws another overlap, until one will do or is 1). A box counts if `Boxes` would keep it: if `min_visible`
    of it lies in the window, and what is left of it, in the output, is as large as `min_size`. An example
    without boxes gets the first proposal with an allowed ratio. What becomes of the other boxes is up to
    `Boxes`, here as everywhere: torchvision drops those whose centres are outside.

    The draw depends on the boxes of an example, so it must be known: `aug({"image": ..., "boxes": ...}, ids,
    epoch)`, `aug.sample(ids, epoch, sizes, example)`. All boxes count that are targets of the recipe. It must
    come before all else that moves pixels; what comes after it may still move a box out of the picture.

    Words: 0 gives the overlap, (word mod 2147483647) mod how many there are; 1 + 4k gives the share of the
    width of proposal k, 2 + 4k that of the height, 3 + 4k the left and 4 + 4k the top edge, as 23-bit
    uniforms. Boxes are compared by positions rounded to 1/64 pixel, shares to 2**-20.
    Params: "top", "left", "height", "width", int64[B], of the window in source pixels.

    Args:
      height: of the output, in pixels.
      width: of the output, in pixels.
      scale: (low, high) of the window's sides, as shares of the image's, in (0, 1].
      ratio: (low, high) of the window's width over its height, in [1/64, 64].
      overlaps: the least intersections over union that are drawn from, in [0, 1].
      antialias: as of `RandomResizedCrop`.
      interpolation, fill_mode, fill_value: see `Sampling`.
      name, seed: see `Transform`.

    Raises:
      ValueError: if a size is below 1 or a range is empty or out of bounds; if something that moves pixels
        comes before it in a recipe; when called without boxes.
    """

    num_words: ClassVar[int] = 1 + 4 * _PROPOSALS
    needs_boxes: ClassVar[bool] = True

    scale: tuple[float, float] = (0.3, 1.0)
    ratio: tuple[float, float] = (0.5, 2.0)
    overlaps: tuple[float, ...] = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
    antialias: bool | str = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, low, high in (("scale", 0, 1), ("ratio", 1 / 64, 64)):
            check_limits(self, name, low, high)
        overlaps = tuple(self.overlaps) if isinstance(self.overlaps, list) else self.overlaps
        if not isinstance(overlaps, tuple) or not overlaps or not all(_is_share(one) for one in overlaps):
            raise ValueError(f"BoxSafeCrop: overlaps must be numbers in [0, 1], got {self.overlaps!r}")
        object.__setattr__(self, "overlaps", overlaps)

    @property
    def reduction(self) -> bool | str:
        return self.antialias

    def sample_for(self, words: tf.Tensor, size: tf.Tensor, boxes: Rectangles) -> dict[str, tf.Tensor]:
        place, window = self._proposals(words, size)
        width, height = (window[..., axis] for axis in (0, 1))
        low, high = (round(end * fixed.ONE) for end in self.ratio)
        allowed = (width * fixed.ONE >= height * low) & (width * fixed.ONE <= height * high)
        allowed &= tf.reduce_all(window > 0, -1)

        asked = [round(overlap * (1 << SHARE_BITS)) for overlap in self.overlaps]
        overlap = tf.gather(tf.constant(asked, tf.int64), draws.integers(words[:, 0], len(asked)))
        held = tf.reduce_any(self._holds(place, window, overlap, boxes), -1)
        good = allowed & (held | ~tf.reduce_any(boxes.there, -1, keepdims=True))
        good &= overlap[:, None] < 1 << SHARE_BITS

        first = tf.argmax(tf.cast(good, tf.int32), -1)
        found = tf.reduce_any(good, -1)[:, None]
        window = tf.where(found, tf.gather(window, first, batch_dims=1), size[:, ::-1])
        place = tf.where(found, tf.gather(place, first, batch_dims=1), 0)
        return {"top": place[:, 1], "left": place[:, 0], "height": window[:, 1], "width": window[:, 0]}

    def evaluation(self) -> tuple[Transform, ...]:
        """The whole image, resized."""
        return (Resize(self.height, self.width, antialias=self.antialias, **self.sampling()),)

    def _proposals(self, words: tf.Tensor, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Upper left corners and sides of windows, int64[B, 40, 2] = (x, y) in pixels."""
        sides = size[:, None, ::-1]
        words = tf.reshape(words[:, 1:], [-1, _PROPOSALS, 4])
        share = draws.between(words[..., :2], *(round(end * fixed.ONE) for end in self.scale))
        window = _shifted(sides * share, fixed.FRACTION)
        return _shifted((sides - window) * draws.uniform(words[..., 2:]), draws.UNIFORM_BITS), window

    def _holds(self, place: tf.Tensor, window: tf.Tensor, overlap: tf.Tensor, boxes: Rectangles) -> tf.Tensor:
        """Whether proposals keep boxes, bool[B, 40, N]."""
        start, end = (edge[:, :, None] for edge in (place, place + window))
        middle = (boxes.low + boxes.high)[:, None]  # twice the centre
        inside = tf.reduce_all((2 * fixed.ONE * start < middle) & (middle < 2 * fixed.ONE * end), -1)

        fine, one = 1 << _FINE, 1 << SHARE_BITS
        low, high = (
            fixed.shift_round(edge, fixed.FRACTION - _FINE)[:, None] for edge in (boxes.low, boxes.high)
        )
        common = tf.minimum(high, end * fine) - tf.maximum(low, start * fine)
        area = tf.reduce_prod(tf.maximum(common, 0), -1)
        box, whole = tf.reduce_prod(high - low, -1), tf.reduce_prod(window * fine, -1)[..., None]
        reached = area * one >= overlap[:, None, None] * (box + whole - area)
        visible = area * one >= boxes.visible[:, None] * box
        output = tf.constant([self.width, self.height], tf.int64)
        least = fixed.shift_round(boxes.least, fixed.FRACTION - _FINE)[:, None, :, None]
        large = tf.reduce_all(common * output >= least * window[:, :, None], -1)
        return boxes.there[:, None] & inside & reached & visible & large


def _is_share(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and 0 <= value <= 1  # type: ignore[operator]


def _shifted(value: tf.Tensor, bits: int) -> tf.Tensor:
    return tf.bitwise.right_shift(value, tf.constant(bits, tf.int64))
