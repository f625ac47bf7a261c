"""Windows of a picture, resized to one size: what those share that draw them in ways of their own."""

import dataclasses
import math
import numbers
from collections.abc import Mapping
from typing import Any, ClassVar

import tensorflow as tf

from augrng import fixed
from augrng.geometry import affine
from augrng.random import draws
from augrng.transforms.base import Params, Sampled, Transform, check_antialias, check_integer

PROPOSALS = 10


@dataclasses.dataclass(frozen=True, repr=False)
class Window(Sampled):
    """A window that is drawn, resized to `height` by `width` pixels.

    Params: "top", "left", "height", "width", int64[B], of the window in source pixels.
    """

    exact: ClassVar[bool] = False

    height: int
    width: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check_antialias(self, self.reduction)
        for side in ("height", "width"):
            check_integer(self, side, getattr(self, side), at_least=1)

    def size_after(self, height: Any, width: Any) -> tuple[int, int]:
        return self.height, self.width

    def steps(self, height: Any, width: Any) -> tuple[tuple[float, float], tuple[float, float]]:
        return (0, height / self.height), (0, width / self.width)

    def fits(self, params: Params, size: tf.Tensor) -> tf.Tensor | bool:
        ends = tf.stack(
            [params["top"] + params["height"], params["left"] + params["width"]],
            -1,
        )
        starts = tf.stack([params["top"], params["left"]], -1)
        return tf.reduce_all((starts >= 0) & (starts < ends) & (ends <= size), -1)

    def map(self, params: Params, size: tf.Tensor) -> tf.Tensor:
        window = tf.stack([params["height"], params["width"]], -1)
        whole = affine.resize(window, self.height, self.width)
        return affine.compose(affine.translate(params["left"], params["top"]), whole)

    def describe(self, params: Mapping[str, Any]) -> str:
        return "{height}x{width} at {top},{left}".format(**params)


def proposals(
    words: tf.Tensor, size: tf.Tensor, scale: tuple[float, float], ratio: tuple[float, float]
) -> tf.Tensor:
    """Ten windows (height, width), int64[B, 10, 2]: their area uniform in `scale` times the image's, the
    logarithm of width over height uniform in `ratio`, rounded to whole pixels.

    Words 2k and 2k + 1 are for proposal k.
    """
    one, height, width = fixed.ONE, size[:, :1], size[:, 1:]
    share = draws.between(words[:, 0 : 2 * PROPOSALS : 2], *(round(v * one) for v in scale))
    half_log = draws.between(words[:, 1 : 2 * PROPOSALS : 2], *(round(math.log2(v) * one / 2) for v in ratio))
    # width = sqrt(area) sqrt(ratio); the root of the area keeps 17 fraction bits, that of the ratio 24.
    root = fixed.square_root(height * width * share * 2**10)
    sides = [fixed.shift_round(root * fixed.exp2(log), 17 + fixed.FRACTION) for log in (-half_log, half_log)]
    return tf.stack(sides, -1)


def check_limits(transform: Transform, name: str, low: float, high: float) -> None:
    """Makes a field a pair, and raises ValueError unless it is (low, high) within these, not both 0."""
    limits = getattr(transform, name)
    if isinstance(limits, list):
        limits = tuple(limits)
        object.__setattr__(transform, name, limits)
    numeric = isinstance(limits, tuple) and all(isinstance(v, numbers.Real) for v in limits)
    if not numeric or len(limits) != 2 or not low <= limits[0] <= limits[1] <= high or limits[1] == 0:
        kind = type(transform).__name__
        raise ValueError(f"{kind}: {name} must be (low, high) within ({low}, {high}), got {limits!r}")
