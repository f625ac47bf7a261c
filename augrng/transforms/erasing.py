"""What covers parts of a picture, or lays noise over it."""

import dataclasses
import numbers
from collections.abc import Mapping
from typing import Any, ClassVar

import tensorflow as tf

from augrng.color import noise
from augrng.color.levels import ONE, shares
from augrng.geometry.sampling import Sampling
from augrng.random import draws
from augrng.random.bits import bits
from augrng.transforms.base import Transform, check_integer, check_number, check_probability, check_range
from augrng.transforms.parts import Params, Pixels, check_levels
from augrng.transforms.windows.base import check_limits, proposals

_KEY = ("noise_0", "noise_1")


@dataclasses.dataclass(frozen=True, repr=False)
class _Covering(Pixels, Transform):
    """Covers parts with a value, or with noise that belongs to the place."""

    value: float | tuple[float, ...] | str = dataclasses.field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.value, list):
            object.__setattr__(self, "value", tuple(self.value))
        numeric = isinstance(self.value, (tuple, numbers.Real)) and not isinstance(self.value, bool)
        if self.value != "random" and not numeric:
            kind = type(self).__name__
            raise ValueError(
                f'{kind}: value must be a number, one a channel, or "random", got {self.value!r}'
            )

    def inside(self, images: tf.Tensor, params: Params) -> tf.Tensor:
        """What is covered, bool[B, H, W]."""
        raise NotImplementedError

    def change(self, images: tf.Tensor, params: Params) -> tf.Tensor:
        if self.value == "random":
            filling = noise.uniform_like(noise_words(images, params), images)
        else:
            filling = noise.filled(images, self.value)  # type: ignore[arg-type]
        return noise.cover(images, self.inside(images, params), filling)

    def check(self, dtype: tf.DType, channels: int) -> None:
        if self.value == "random":
            check_levels(self, dtype)
        else:
            Sampling(fill_value=self.value).fill_for(dtype, channels)  # type: ignore[arg-type]


@dataclasses.dataclass(frozen=True, repr=False)
class RandomErasing(_Covering):
    """Covers a rectangle of random area, shape and place, with probability `p`; torchvision's transform.

    torchvision's distribution: the area is uniform in `scale` times the image's, the logarithm of the ratio
    (height over width) uniform; of ten proposals the first that is smaller than the image is taken, at a
    uniform place; if none is, nothing is covered.

    Words: 0 decides, u < p; 1 + 2k gives the area of proposal k, 2 + 2k its ratio; 21 the top, 22 the left
    edge, as the offsets of `RandomCrop`; 23 to 26 are the key of the noise.
    Params: "top", "left", "height", "width", int64[B], in pixels, of sides 0 if nothing is covered;
    "noise_0", "noise_1", int64[B], the noise key.

    Args:
      p: probability, in [0, 1].
      scale: (low, high) of the area, as a share of the image's, in [0, 1].
      ratio: (low, high) of height over width, in [1/64, 64].
      value: what covers it: a number, one for each channel, or "random": levels drawn uniformly for each
        pixel and channel (torchvision's noise is normal, which integer images have no use for).
      name, seed: see `Transform`.

    Raises:
      ValueError: if an argument is out of range; when called: if the value does not fit the images.
    """

    num_words: ClassVar[int] = 27

    p: float = 0.5
    scale: tuple[float, float] = (0.02, 0.33)
    ratio: tuple[float, float] = (0.3, 3.3)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_probability(self, self.p)
        check_limits(self, "scale", 0, 1)
        check_limits(self, "ratio", 1 / 64, 64)

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        low, high = self.ratio
        windows = proposals(words[:, 1:], size, self.scale, (1 / high, 1 / low))
        fits = tf.reduce_all(windows < size[:, None], -1)
        window = tf.gather(windows, tf.argmax(tf.cast(fits, tf.int32), -1), batch_dims=1)
        covers = tf.reduce_any(fits, -1) & draws.bernoulli(words[:, 0], self.p)
        place = draws.integers(words[:, 21:23], tf.maximum(size - window + 1, 1))
        place, window = (tf.where(covers[:, None], side, 0 * side) for side in (place, window))
        return {
            "top": place[:, 0], "left": place[:, 1], "height": window[:, 0], "width": window[:, 1],
            **noise_key(words[:, 23:27]),
        }  # fmt: skip

    def idle(self, params: Params) -> tf.Tensor | None:
        return (params["height"] == 0) | (params["width"] == 0)

    def inside(self, images: tf.Tensor, params: Params) -> tf.Tensor:
        return noise.rectangle(images, *(params[name] for name in ("top", "left", "height", "width")))

    def describe(self, params: Mapping[str, Any]) -> str:
        if not params["height"] or not params["width"]:
            return "nothing erased"
        return "erase {height}x{width} at {top},{left}".format(**params)


@dataclasses.dataclass(frozen=True, repr=False)
class Cutout(_Covering):
    """Covers squares whose centres are uniform over the picture; they may lie partly outside.

    "Improved Regularization of Convolutional Neural Networks with Cutout" (DeVries and Taylor, 2017).

    Words: 2k gives the centre's row of square k, 2k + 1 its column, as the offsets of `RandomCrop`; the last
    four are the key of the noise.
    Params: "y_k", "x_k", int64[B], the centres in pixels; "noise_0", "noise_1", int64[B], the noise key.

    Args:
      length: of the squares' sides, in pixels; from the centre c they reach over [c - length // 2,
        c - length // 2 + length).
      holes: how many, 1 to 64.
      value: see `RandomErasing`.
      name, seed: see `Transform`.

    Raises:
      ValueError: if an argument is out of range; when called: if the value does not fit the images.
    """

    length: int
    holes: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer(self, "length", self.length, at_least=1)
        check_integer(self, "holes", self.holes, at_least=1)
        check_number(self, "holes", self.holes, 1, 64)

    @property
    def num_words(self) -> int:  # type: ignore[override]
        return 2 * self.holes + 4

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        drawn = {}
        for hole in range(self.holes):
            place = draws.integers(words[:, 2 * hole : 2 * hole + 2], size)
            drawn[f"y_{hole}"], drawn[f"x_{hole}"] = place[:, 0], place[:, 1]
        return {**drawn, **noise_key(words[:, -4:])}

    def inside(self, images: tf.Tensor, params: Params) -> tf.Tensor:
        covered = tf.zeros(tf.shape(images)[:3], tf.bool)
        for hole in range(self.holes):
            top, left = (params[f"{axis}_{hole}"] - self.length // 2 for axis in "yx")
            side = tf.ones_like(top) * self.length
            covered |= noise.rectangle(images, top, left, side, side)
        return covered

    def describe(self, params: Mapping[str, Any]) -> str:
        return "cut out " + " ".join(
            f"{params[f'y_{hole}']},{params[f'x_{hole}']}" for hole in range(self.holes)
        )


@dataclasses.dataclass(frozen=True, repr=False)
class GridMask(_Covering):
    """Covers a grid of squares, as in "GridMask Data Augmentation" (Chen et al., 2020), not turned.

    The grid's period d is uniform in `period`, its offset along each axis uniform in [0, d). Of each cell the
    share `ratio` along both axes stays; what lies beyond it along both is covered.

    Words: 0 decides, u < p; 1 gives the period, low + (word % 2147483647) % (high - low + 1); 2 and 3 the
    offsets, the last four are the key of the noise.
    Params: "period", "top", "left", int64[B], in pixels, the period 0 if nothing is covered; "noise_0",
    "noise_1", int64[B], the noise key.

    Args:
      period: (low, high) in pixels, at least 2.
      ratio: the share that stays along an axis, in [0, 1].
      p: probability, in [0, 1].
      value: see `RandomErasing`.
      name, seed: see `Transform`.

    Raises:
      ValueError: if an argument is out of range; when called: if the value does not fit the images.
    """

    num_words: ClassVar[int] = 8

    period: tuple[int, int] = (96, 224)
    ratio: float = 0.5
    p: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.period, list):
            object.__setattr__(self, "period", tuple(self.period))
        check_range(self, "period", self.period, 2, 1 << 14)
        for end in self.period:
            check_integer(self, "period", end, at_least=2)
        check_number(self, "ratio", self.ratio, 0, 1)
        check_probability(self, self.p)

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        low, high = self.period
        period = low + draws.integers(words[:, 1], high - low + 1)
        offsets = draws.integers(words[:, 2:4], period[:, None])
        period = tf.where(draws.bernoulli(words[:, 0], self.p), period, 0 * period)
        return {"period": period, "top": offsets[:, 0], "left": offsets[:, 1], **noise_key(words[:, 4:8])}

    def idle(self, params: Params) -> tf.Tensor | None:
        return params["period"] == 0

    def inside(self, images: tf.Tensor, params: Params) -> tf.Tensor:
        period = tf.cast(tf.maximum(params["period"], 1), tf.int32)[:, None]
        stays = tf.bitwise.right_shift(period * round(self.ratio * (1 << 16)) + (1 << 15), 16)
        beyond = [
            (tf.range(tf.shape(images)[axis])[None] + tf.cast(params[name], tf.int32)[:, None]) % period
            >= stays
            for axis, name in ((1, "top"), (2, "left"))
        ]
        return beyond[0][:, :, None] & beyond[1][:, None, :]

    def describe(self, params: Mapping[str, Any]) -> str:
        return f"grid {params['period']}" if params["period"] else "no grid"


@dataclasses.dataclass(frozen=True, repr=False)
class GaussianNoise(Pixels, Transform):
    """Adds normal noise, for each pixel and channel its own.

    A word is that of its place, number (y width + x) channels + c of the noise key. Integers are rounded and
    clipped; floats are not clipped (torchvision clips them unless told otherwise).

    Words: 0 gives u; sigma is low + u (high - low); 1 to 4 are the key of the noise.
    Params: "sigma", int64[B], in 1/2**24 of white; "noise_0", "noise_1", int64[B], the noise key.

    Args:
      sigma: standard deviation as a share of white, in [0, 1]: a number, or (low, high).
      mean: as a share of white, in [-1, 1].
      name, seed: see `Transform`.

    Raises:
      ValueError: if an argument is out of range; when called: if the images are not uint8, uint16 or floats.
    """

    num_words: ClassVar[int] = 5

    sigma: float | tuple[float, float] = 0.1
    mean: float = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.sigma, list):
            object.__setattr__(self, "sigma", tuple(self.sigma))
        check_range(self, "sigma", self._sigma(), 0, 1)
        check_number(self, "mean", self.mean, -1, 1)

    def _sigma(self) -> tuple[float, float]:
        return self.sigma if isinstance(self.sigma, tuple) else (self.sigma, self.sigma)

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        low, high = self._sigma()
        sigma = draws.between(words[:, 0], shares(low), shares(high))
        return {"sigma": sigma, **noise_key(words[:, 1:5])}

    def change(self, images: tf.Tensor, params: Params) -> tf.Tensor:
        mean = tf.constant(shares(self.mean), tf.int64, [1, 1, 1, 1])
        words = noise_words(images, params)
        return noise.add_normal(images, words, mean, params["sigma"][:, None, None, None])

    def check(self, dtype: tf.DType, channels: int) -> None:
        check_levels(self, dtype)

    def describe(self, params: Mapping[str, Any]) -> str:
        return f"noise {params['sigma'] / ONE:.3f}"


def noise_key(words: tf.Tensor) -> dict[str, tf.Tensor]:
    """The params that are an example's noise key, of uint32[B, 4]."""
    return {
        name: tf.bitcast(words[:, 2 * place : 2 * place + 2], tf.int64) for place, name in enumerate(_KEY)
    }


def noise_words(images: tf.Tensor, params: Params) -> tf.Tensor:
    """A word for each pixel and channel, uint32[B, H * W * C]; Philox, whatever the recipe's generator."""
    key = tf.stack([params[name] for name in _KEY], -1)
    _, height, width, channels = images.shape
    count = height * width * channels if height and width else tf.size(images[0])
    return bits(key, count)
