"""Colour as torchvision v2 has it: what becomes of pixels is what Pillow makes of them."""

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any, ClassVar

import tensorflow as tf

from augrng.color import channels, words
from augrng.color.levels import ONE, Levels, Seen, shares
from augrng.random import draws
from augrng.transforms.base import Transform, check_integer, check_number, check_range
from augrng.transforms.color import MAX_FACTOR, Chance
from augrng.transforms.parts import Params, Pixels, Table, check_color

_ORDERS = list(itertools.permutations(range(4)))
_NAMES = ("brightness", "contrast", "saturation", "hue")


@dataclasses.dataclass(frozen=True, repr=False)
class ColorJitter(Pixels, Transform):
    """Changes brightness, contrast, saturation and hue, in an order that is drawn; torchvision's transform.

    Words: 0 gives the order, number (word % 2147483647) % 24 of the permutations of the four in
    lexicographic order; 1 to 4 give u for brightness, contrast, saturation and hue, uniform in their ranges.
    Params: "order", int64[B]; "brightness", "contrast", "saturation", "hue", int64[B], in 1/2**24.

    The steps are Pillow's `ImageEnhance` (Brightness, Contrast, Color) and its HSV, on which torchvision's
    PIL form stands. uint8 pixels are equal, or 1 level off a step where Pillow rounds floats.

    Args:
      brightness: a number b for factors in [max(0, 1 - b), 1 + b], or a pair (low, high); 0 changes nothing.
      contrast: the same.
      saturation: the same.
      hue: a number h for shifts in [-h, h], as a share of the circle, or a pair within [-0.5, 0.5].
      name, seed: see `Transform`.

    Raises:
      ValueError: if a range is empty or out of bounds; when called: if the images are not RGB, or not uint8,
        uint16 or floats.
    """

    num_words: ClassVar[int] = 5

    brightness: float | tuple[float, float] = 0
    contrast: float | tuple[float, float] = 0
    saturation: float | tuple[float, float] = 0
    hue: float | tuple[float, float] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in _NAMES:
            value = getattr(self, name)
            if isinstance(value, list):
                object.__setattr__(self, name, tuple(value))
            low, high = (-0.5, 0.5) if name == "hue" else (0, MAX_FACTOR)
            if isinstance(getattr(self, name), tuple):
                check_range(self, name, getattr(self, name), low, high)
            else:
                check_number(self, name, value, 0, high if name == "hue" else MAX_FACTOR - 1)

    def ranges(self) -> list[tuple[float, float]]:
        """(low, high) of each of the four."""
        found = []
        for name in _NAMES:
            value = getattr(self, name)
            middle, least = (0, -0.5) if name == "hue" else (1, 0)
            found.append(value if isinstance(value, tuple) else (max(least, middle - value), middle + value))
        return found

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        drawn = {
            name: draws.between(words[..., place], shares(low), shares(high))
            for place, (name, (low, high)) in enumerate(zip(_NAMES, self.ranges(), strict=True), 1)
        }
        return {"order": draws.integers(words[..., 0], len(_ORDERS)), **drawn}

    def fits(self, params: Params, size: tf.Tensor) -> tf.Tensor | bool:
        return (params["order"] >= 0) & (params["order"] < len(_ORDERS))

    def change(self, images: tf.Tensor, params: Params) -> tf.Tensor:
        neutral = [(1, 1), (1, 1), (1, 1), (0, 0)]
        used = [place for place, ends in enumerate(self.ranges()) if ends != neutral[place]]
        if not used:
            return images
        # The order of those that are used alone: as many steps.
        orders = [[used.index(step) for step in order if step in used] for order in _ORDERS]
        steps = tf.gather(tf.constant(orders), params["order"])
        pixels = words.packed(images)
        for place in range(len(used)):
            pixels = _step(pixels, used, steps[:, place], params, images.dtype)
        return words.unpacked(pixels, images.dtype)

    def check(self, dtype: tf.DType, channels: int) -> None:
        check_color(self, dtype, channels, grey=False)

    def describe(self, params: Mapping[str, Any]) -> str:
        said = [f"{name[:3]} {params[name] / ONE:.2f}" for name in _NAMES]
        return " ".join(said[step] for step in _ORDERS[int(params["order"])])


def _step(pixels: tf.Tensor, used: list[int], step: tf.Tensor, params: Params, dtype: tf.DType) -> tf.Tensor:
    """Step number `step` of those that are used, of each image its own."""

    def of(place: int) -> tf.Tensor:
        return words.stepped(pixels, channels.STEPS[place], params[_NAMES[place]], dtype)

    if pixels.shape[0] == 1:
        return tf.switch_case(tf.cast(step[0], tf.int32), [lambda place=place: of(place) for place in used])
    out = pixels
    for number, place in enumerate(used):
        mine = tf.equal(step, number)
        made = tf.cond(tf.reduce_any(mine), lambda place=place: of(place), lambda: pixels)
        out = tf.where(tf.reshape(mine, [-1, *[1] * (len(pixels.shape) - 1)]), made, out)
    return out


@dataclasses.dataclass(frozen=True, repr=False)
class RandomGrayscale(Chance, Pixels):
    """Pillow's "L" in all three channels, with probability `p`; torchvision's transform.

    Words: 0 decides, u < p.
    Params: "applied", bool[B].

    Args:
      p: probability, in [0, 1].
      name, seed: see `Transform`.

    Raises:
      ValueError: if `p` is out of range; when called: as `ColorJitter`.
    """

    p: float = dataclasses.field(default=0.1, kw_only=True)

    def change(self, images: tf.Tensor, params: Params) -> tf.Tensor:
        return channels.to_grey(images)

    def check(self, dtype: tf.DType, channels: int) -> None:
        check_color(self, dtype, channels, grey=False)


@dataclasses.dataclass(frozen=True, repr=False)
class RandomInvert(Chance, Table):
    """White minus the level, with probability `p`; Pillow's `ImageOps.invert`, torchvision's transform.

    Words: 0 decides, u < p.
    Params: "applied", bool[B].

    Args:
      p: probability, in [0, 1].
      name, seed: see `Transform`.

    Raises:
      ValueError: if `p` is out of range; when called: if the images are not grey or RGB, or not uint8,
        uint16 or floats.
    """

    def levels(self, x: tf.Tensor, params: Params, seen: Seen, of: Levels) -> tf.Tensor:
        return of.top - x


@dataclasses.dataclass(frozen=True, repr=False)
class RandomPosterize(Chance, Table):
    """Keeps the `bits` upper bits of levels, with probability `p`; Pillow's `ImageOps.posterize`.

    Words: 0 decides, u < p.
    Params: "applied", bool[B].

    Args:
      bits: 1 to 8, of the 8 that a byte has; the upper ones of uint16.
      p: probability, in [0, 1].
      name, seed: see `Transform`.

    Raises:
      ValueError: if an argument is out of range; when called: if the images are not grey or RGB, or not
        uint8 or uint16.
    """

    bits: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer(self, "bits", self.bits, at_least=1)
        check_number(self, "bits", self.bits, 1, 8)

    def levels(self, x: tf.Tensor, params: Params, seen: Seen, of: Levels) -> tf.Tensor:
        unit = (of.top + 1) >> self.bits
        return x - x % unit

    def check(self, dtype: tf.DType, channels: int) -> None:
        super().check(dtype, channels)
        check_whole(self, dtype)


@dataclasses.dataclass(frozen=True, repr=False)
class RandomSolarize(Chance, Table):
    """Inverts levels of at least `threshold`, with probability `p`; Pillow's `ImageOps.solarize`.

    Words: 0 decides, u < p.
    Params: "applied", bool[B].

    Args:
      threshold: in units of bytes, 0 to 256; a share of 255 for uint16 and floats.
      p: probability, in [0, 1].
      name, seed: see `Transform`.

    Raises:
      ValueError: if an argument is out of range; when called: as `RandomInvert`.
    """

    threshold: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number(self, "threshold", self.threshold, 0, 256)

    def levels(self, x: tf.Tensor, params: Params, seen: Seen, of: Levels) -> tf.Tensor:
        return tf.where(x >= tf.cast(self.threshold * of.top / 255, x.dtype), of.top - x, x)


@dataclasses.dataclass(frozen=True, repr=False)
class RandomAutocontrast(Chance, Table):
    """Spreads each channel's levels over the whole range, with probability `p`; `ImageOps.autocontrast`.

    Words: 0 decides, u < p.
    Params: "applied", bool[B].

    Args:
      p: probability, in [0, 1].
      name, seed: see `Transform`.

    Raises:
      ValueError: if `p` is out of range; when called: as `RandomInvert`.
    """

    sees: ClassVar[tuple[str, ...]] = ("levels",)

    def levels(self, x: tf.Tensor, params: Params, seen: Seen, of: Levels) -> tf.Tensor:
        return autocontrast(x, seen, of)


@dataclasses.dataclass(frozen=True, repr=False)
class RandomEqualize(Chance, Table):
    """Makes all levels of a channel about as frequent, with probability `p`; Pillow's `ImageOps.equalize`.

    Words: 0 decides, u < p.
    Params: "applied", bool[B].

    Args:
      p: probability, in [0, 1].
      name, seed: see `Transform`.

    Raises:
      ValueError: if `p` is out of range; when called: if the images are not grey or RGB, or not uint8.
    """

    sees: ClassVar[tuple[str, ...]] = ("levels",)

    def levels(self, x: tf.Tensor, params: Params, seen: Seen, of: Levels) -> tf.Tensor:
        return equalize(x, seen)

    def check(self, dtype: tf.DType, channels: int) -> None:
        super().check(dtype, channels)
        check_bytes(self, dtype)


def autocontrast(x: tf.Tensor, seen: Seen, of: Levels) -> tf.Tensor:
    """Levels such that the lowest and the highest of each channel become 0 and white."""
    low, high = seen.range()
    spread = high - low
    if not of.whole:
        return tf.where(spread > 0, of.clip((x - low) / tf.where(spread > 0, spread, 1)), x)
    made = of.clip(tf.math.floordiv((x - low) * of.top, tf.maximum(spread, 1)))
    return tf.where(spread > 0, made, x)


def equalize(x: tf.Tensor, seen: Seen) -> tf.Tensor:
    """Levels such that all are about as frequent, as Pillow does it: a step is 1/255 of all pixels but those
    of the highest level that is there."""
    frequent = seen.histogram()
    before = tf.cumsum(frequent, -1, exclusive=True)
    total = tf.reduce_sum(frequent, -1, keepdims=True)
    # Before the highest level that is there, all pixels but its own.
    most = tf.reduce_max(tf.where(frequent > 0, before, 0), -1, keepdims=True)
    step = tf.math.floordiv(most, 255)
    made = tf.math.floordiv(step // 2 + before, tf.maximum(step, 1))
    made = tf.where((step > 0) & (most < total), tf.minimum(made, 255), tf.range(256, dtype=tf.int64))
    return tf.gather(made, x + tf.zeros_like(made), batch_dims=2)


def check_whole(part: Any, dtype: tf.DType) -> None:
    if dtype.is_floating:
        raise ValueError(f"{part!r}: images must be uint8 or uint16, whose bits are kept, got {dtype.name}")


def check_bytes(part: Any, dtype: tf.DType) -> None:
    if dtype != tf.uint8:
        raise ValueError(f"{part!r}: images must be uint8, got {dtype.name}")
