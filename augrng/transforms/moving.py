"""Zoom, translation, shear, all of them together, padding: what each draws, and the map it makes of that."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import tensorflow as tf

from augrng import fixed
from augrng.geometry import affine
from augrng.random import draws
from augrng.transforms.base import Params, Sampled, check_integer, check_number, check_range, pair_of

_ONE = fixed.ONE


@dataclasses.dataclass(frozen=True, repr=False)
class RandomZoom(Sampled):
    """Zooms about the centre: the output reaches over 1 + f times the source, as in Keras.

    Words: 0 gives u for the height, f = low + u (high - low); 1 for the width.
    Params: "height", "width", int64[B], of 1 + f, in 1/2**24.

    Nothing is reduced: zooming out beyond half the size skips pixels.

    Args:
      height_factor: (low, high) of f, above -1; a number f for [-f, f]. Below 0 zooms in, above 0 out.
      width_factor: the same; None for the height's draw, which keeps the aspect.
      interpolation, fill_mode, fill_value: see `Sampling`.
      name, seed: see `Transform`.

    Raises:
      ValueError: if a range is empty or out of bounds.
    """

    num_words: ClassVar[int] = 2
    exact: ClassVar[bool] = False

    height_factor: float | tuple[float, float]
    width_factor: float | tuple[float, float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("height_factor", "width_factor"):
            if getattr(self, name) is not None:
                check_range(self, name, pair_of(self, name), -63 / 64, 15)

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        found: list[tf.Tensor] = []
        for name, word in (("height_factor", 0), ("width_factor", 1)):
            if getattr(self, name) is None:
                found.append(found[0])
            else:
                ends = [round((1 + end) * _ONE) for end in pair_of(self, name)]
                found.append(draws.between(words[..., word], *ends))
        return {"height": found[0], "width": found[1]}

    def map(self, params: Params, size: tf.Tensor) -> tf.Tensor:
        return affine.linear(size, params["width"], 0, 0, params["height"])

    def describe(self, params: Mapping[str, Any]) -> str:
        return f"zoom {_ONE / params['height']:.2f}, {_ONE / params['width']:.2f}"


@dataclasses.dataclass(frozen=True, repr=False)
class _TwoFactors(Sampled):
    """Two numbers, each uniform in its field's range: word i gives number i. Fields are NAME_factor."""

    num_words: ClassVar[int] = 2
    exact: ClassVar[bool] = False
    names: ClassVar[tuple[str, str]]
    limit: ClassVar[float]

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.names:
            check_range(self, f"{name}_factor", pair_of(self, f"{name}_factor"), -self.limit, self.limit)

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        ends = [pair_of(self, f"{name}_factor") for name in self.names]
        return {
            name: draws.between(words[..., word], round(low * _ONE), round(high * _ONE))
            for word, (name, (low, high)) in enumerate(zip(self.names, ends, strict=True))
        }


@dataclasses.dataclass(frozen=True, repr=False)
class RandomTranslation(_TwoFactors):
    """Moves the picture by a share of its height and width, as in Keras.

    Words: 0 gives u for the height, f = low + u (high - low); 1 for the width.
    Params: "height", "width", int64[B], of f, in 1/2**24 of a side.

    Args:
      height_factor: (low, high) of f, within [-1, 1]; a number f for [-f, f]. Above 0 moves down.
      width_factor: the same; above 0 moves right.
      interpolation, fill_mode, fill_value: see `Sampling`.
      name, seed: see `Transform`.

    Raises:
      ValueError: if a range is empty or out of bounds.
    """

    names: ClassVar[tuple[str, str]] = ("height", "width")
    limit: ClassVar[float] = 1

    height_factor: float | tuple[float, float]
    width_factor: float | tuple[float, float]

    def map(self, params: Params, size: tf.Tensor) -> tf.Tensor:
        return affine.shift(-size[:, 1] * params["width"], -size[:, 0] * params["height"])

    def describe(self, params: Mapping[str, Any]) -> str:
        return f"move {params['height'] / _ONE:+.2f}, {params['width'] / _ONE:+.2f}"


@dataclasses.dataclass(frozen=True, repr=False)
class RandomShear(_TwoFactors):
    """Shears about the centre: the source's x is x + fx y, its y is y + fy x.

    Words: 0 gives u for fx = low + u (high - low), 1 for fy.
    Params: "x", "y", int64[B], in 1/2**24.

    Args:
      x_factor: (low, high) of fx, the tangent of the angle, within [-4, 4]; a number f for [-f, f].
      y_factor: the same of fy.
      interpolation, fill_mode, fill_value: see `Sampling`.
      name, seed: see `Transform`.

    Raises:
      ValueError: if a range is empty or out of bounds.
    """

    names: ClassVar[tuple[str, str]] = ("x", "y")
    limit: ClassVar[float] = 4
    mixes_axes: ClassVar[bool] = True

    x_factor: float | tuple[float, float]
    y_factor: float | tuple[float, float] = 0

    def map(self, params: Params, size: tf.Tensor) -> tf.Tensor:
        return affine.linear(size, _ONE, params["x"], params["y"], _ONE)

    def describe(self, params: Mapping[str, Any]) -> str:
        return f"shear {params['x'] / _ONE:+.2f}, {params['y'] / _ONE:+.2f}"


@dataclasses.dataclass(frozen=True, repr=False)
class RandomAffine(Sampled):
    """Rotation, translation, scale and shear about the centre, as one map; torchvision's transform.

    torchvision's draws and its matrix, but for the sense of rotation: positive is counter-clockwise here, as
    in `RandomRotation`.

    Words: 0 gives u for the angle, uniform in its range; 1 and 2 for the translation along x and y, in whole
    pixels, floor(u range + 1/2) in [-t side, t side]; 3 for the scale; 4 and 5 for the shear along x and y.
    Params: "angle", "shear_x", "shear_y", int64[B], in 1/2**32 turn; "x", "y", in pixels; "scale", in
    1/2**24.

    Args:
      degrees: a number d for angles in [-d, d], or a pair (low, high).
      translate: the largest shares of width and height, each in [0, 1]; None for none.
      scale: (low, high) of the scale, in [1/16, 16]; None for 1.
      shear: degrees along x: a number s for [-s, s] or (low, high); or (low, high, low, high) for x and y;
        within 80; None for none.
      interpolation, fill_mode, fill_value: see `Sampling`.
      name, seed: see `Transform`.

    Raises:
      ValueError: if a range is empty or out of bounds.
    """

    num_words: ClassVar[int] = 6
    exact: ClassVar[bool] = False
    mixes_axes: ClassVar[bool] = True

    degrees: float | tuple[float, float]
    translate: tuple[float, float] | None = None
    scale: tuple[float, float] | None = None
    shear: float | tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("degrees", "translate", "scale", "shear"):
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        check_range(self, "degrees", pair_of(self, "degrees"), -36_000, 36_000)
        if self.translate is not None:
            if not isinstance(self.translate, tuple) or len(self.translate) != 2:
                raise ValueError(f"RandomAffine: translate must be a pair, got {self.translate!r}")
            for share in self.translate:
                check_number(self, "translate", share, 0, 1)
        if self.scale is not None:
            check_range(self, "scale", self.scale, 1 / 16, 16)
        for ends in self._shears():
            check_range(self, "shear", ends, -80, 80)

    def _shears(self) -> tuple[Any, Any]:
        if isinstance(self.shear, tuple) and len(self.shear) == 4:
            return self.shear[:2], self.shear[2:]
        return (0, 0) if self.shear is None else pair_of(self, "shear"), (0, 0)

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        def turned(word: int, ends: tuple[float, float]) -> tf.Tensor:
            return draws.between(words[..., word], *(fixed.turns(end) for end in ends))

        moved = []
        for word, axis, share in ((1, 1, 0), (2, 0, 1)):
            most = size[:, axis] * round((self.translate or (0, 0))[share] * _ONE)
            drawn = 2 * draws.uniform(words[..., word]) - (1 << draws.UNIFORM_BITS)
            place = fixed.shift_round(drawn * most, draws.UNIFORM_BITS)
            moved.append(fixed.shift_round(place, fixed.FRACTION))
        first, second = self._shears()
        return {
            "angle": turned(0, pair_of(self, "degrees")),
            "x": moved[0],
            "y": moved[1],
            "scale": draws.between(words[..., 3], *(round(end * _ONE) for end in self.scale or (1, 1))),
            "shear_x": turned(4, first),
            "shear_y": turned(5, second),
        }

    def map(self, params: Params, size: tf.Tensor) -> tf.Tensor:
        angle, shear_y = -params["angle"], params["shear_y"]
        sine, cosine = fixed.sincos(angle - shear_y)
        _, cosine_y = fixed.sincos(shear_y)
        sine_x, cosine_x = fixed.sincos(params["shear_x"])
        whole_sine, whole_cosine = fixed.sincos(angle)
        tangent = _divided(sine_x, cosine_x)
        a = _divided(cosine, cosine_y)
        c = _divided(sine, cosine_y)
        b = -fixed.multiply(a, tangent) - whole_sine
        d = -fixed.multiply(c, tangent) + whole_cosine
        inverse = [_divided(entry, params["scale"]) for entry in (d, -b, -c, a)]
        moved = affine.translate(-params["x"], -params["y"])
        return affine.compose(affine.linear(size, *inverse), moved)

    def describe(self, params: Mapping[str, Any]) -> str:
        return (
            f"rotate {fixed.degrees(params['angle']):+.1f}° move {params['x']:+d},{params['y']:+d} "
            f"scale {params['scale'] / _ONE:.2f} shear {fixed.degrees(params['shear_x']):+.1f}°"
        )


@dataclasses.dataclass(frozen=True, repr=False)
class Pad(Sampled):
    """Adds pixels around an image; nothing is drawn.

    Params: none.

    Args:
      padding: pixels on every side; or a pair (left and right, top and bottom); or (left, top, right,
        bottom), as torchvision has it.
      interpolation, fill_mode, fill_value: see `Sampling`; what the padding shows.
      name, seed: see `Transform`.

    Raises:
      ValueError: if a number is below 0.
    """

    padding: int | tuple[int, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.padding, list):
            object.__setattr__(self, "padding", tuple(self.padding))
        sides = self.padding if isinstance(self.padding, tuple) else (self.padding,)
        if len(sides) not in (1, 2, 4):
            raise ValueError(f"Pad: padding must be one number, two or four, got {self.padding!r}")
        for side in sides:
            check_integer(self, "padding", side, at_least=0)

    def _sides(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom."""
        sides = self.padding if isinstance(self.padding, tuple) else (self.padding,)
        left, top, right, bottom = (*sides, *sides, *sides, *sides)[:4] if len(sides) < 4 else sides
        return left, top, right, bottom

    def size_after(self, height: Any, width: Any) -> tuple[Any, Any]:
        left, top, right, bottom = self._sides()
        return height + top + bottom, width + left + right

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        return {}

    def map(self, params: Params, size: tf.Tensor) -> tf.Tensor:
        left, top, _, _ = self._sides()
        zero = tf.zeros_like(size[:, 0])
        return affine.translate(zero - left, zero - top)

    def describe(self, params: Mapping[str, Any]) -> str:
        return "pad " + ",".join(map(str, self._sides()))


def _divided(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return tf.math.floordiv(a * _ONE, b)  # b above 0
