"""Perspective: the picture seen from elsewhere."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import tensorflow as tf

from augrng.geometry import projective
from augrng.geometry.sampling import Sampling
from augrng.random import draws
from augrng.transforms.base import Transform, check_number, check_probability
from augrng.transforms.parts import Params, Projective

_CORNERS = ("top_left", "top_right", "bottom_right", "bottom_left")


@dataclasses.dataclass(frozen=True, repr=False)
class RandomPerspective(Projective, Transform):
    """Moves the four corners inwards, with probability `p`; torchvision's transform.

    Each corner moves by whole pixels, uniform in 0 to floor(distortion_scale * floor(side / 2)) along each
    axis. With the maps beside it (flips, crops, rotations) it is one map, and the picture is sampled once.
    Those that begin a recipe decide what is decoded and how it is reduced: they are sampled first.

    Words: 0 decides, u < p; 1 + 2k and 2 + 2k give how far corner k moves along x and along y, the corners
    being upper left, upper right, lower right, lower left: (word % 2147483647) % (most + 1).
    Params: "applied", bool[B]; "top_left_x", "top_left_y" and so on, int64[B], how far each moves inwards.

    Args:
      distortion_scale: the largest share of half a side, in [0, 1).
      p: probability, in [0, 1].
      interpolation, fill_mode, fill_value: see `Sampling`, whose defaults they have.
      name, seed: see `Transform`.

    Raises:
      ValueError: if an argument is out of range.
    """

    num_words: ClassVar[int] = 9
    rule: ClassVar[str] = "the image must have at least two pixels along each side"

    distortion_scale: float = 0.5
    p: float = 0.5
    interpolation: str = dataclasses.field(default="bilinear", kw_only=True)
    fill_mode: str = dataclasses.field(default="constant", kw_only=True)
    fill_value: float | tuple[float, ...] = dataclasses.field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number(self, "distortion_scale", self.distortion_scale, 0, 1 - 1 / 1024)
        check_probability(self, self.p)
        if isinstance(self.fill_value, list):
            object.__setattr__(self, "fill_value", tuple(self.fill_value))
        self.how()

    def how(self) -> Sampling:
        return Sampling(self.interpolation, self.fill_mode, self.fill_value)

    def accepts(self, height: Any, width: Any) -> Any:
        return super().accepts(height, width) & (height >= 2) & (width >= 2)

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        share = round(self.distortion_scale * (1 << 24))
        most = tf.bitwise.right_shift(size // 2 * share, tf.constant(24, tf.int64))
        drawn = {"applied": draws.bernoulli(words[:, 0], self.p)}
        for number, corner in enumerate(_CORNERS):
            for place, (axis, along) in enumerate((("x", 1), ("y", 0))):
                word = words[:, 1 + 2 * number + place]
                drawn[f"{corner}_{axis}"] = draws.integers(word, most[:, along] + 1)
        return drawn

    def idle(self, params: Params) -> tf.Tensor | None:
        return ~params["applied"]

    def maps(self, params: Params, size: tf.Tensor) -> tf.Tensor:
        last = {"x": size[:, 1] - 1, "y": size[:, 0] - 1}
        corners = []
        for corner in _CORNERS:
            moved = {axis: params[f"{corner}_{axis}"] for axis in "xy"}
            x = last["x"] - moved["x"] if "right" in corner else moved["x"]
            y = last["y"] - moved["y"] if "bottom" in corner else moved["y"]
            corners.append(tf.stack([x, y], -1))
        return projective.from_corners(size, tf.stack(corners, 1))

    def describe(self, params: Mapping[str, Any]) -> str:
        if not params["applied"]:
            return "no perspective"
        return "corners " + " ".join(f"{params[f'{c}_x']},{params[f'{c}_y']}" for c in _CORNERS)
