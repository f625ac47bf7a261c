"""What every transform offers, and what those share that read between or outside of pixels.

Every transform offers the same seven things, and `Transform` gives the plain answers:

  num_words              how many random words an example's draws read
  exact                  whether it moves whole pixels, so that nothing needs interpolation
  reduction              whether and how it reads what it would skip: see `reduce` and `exact`
  steps(h, w)            within which limits it reads them apart, and `mixes_axes` whether it turns axes
  size_after(h, w)       height and width of what it makes
  sample(words, size)    the draws as named tensors, from uint32[B, num_words] and int64[B, 2]
  map(params, size)      from output to input positions, int64[B, 2, 3]; see `affine`

and three for mistakes and for people: `accepts(height, width)`, whether it takes an image of that size
(`rule` says in words when it does); `fits(params, size)`, whether it could have drawn these params;
`describe(params)`, what was drawn for one example. `evaluation()` gives what stands in its place when a
model is evaluated.
"""

import dataclasses
import numbers
from collections.abc import Mapping
from typing import Any, ClassVar

import tensorflow as tf

from augrng.geometry.sampling import Sampling

Params = Mapping[str, tf.Tensor]


@dataclasses.dataclass(frozen=True, repr=False)
class Transform:
    """What all transforms share.

    Args:
      name: identifies the transform's random stream, and its params; see `Compose`.
      seed: op-level seed; overrides the stream that the name gives.
    """

    num_words: ClassVar[int] = 0
    exact: ClassVar[bool] = True
    mixes_axes: ClassVar[bool] = False
    rule: ClassVar[str] = "the image must have at least one pixel"

    name: str | None = dataclasses.field(default=None, kw_only=True)
    seed: int | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.name is not None and (not isinstance(self.name, str) or not self.name):
            raise ValueError(f"{self}: name must be a string that is not empty, got {self.name!r}")
        if self.seed is not None and (isinstance(self.seed, bool) or not isinstance(self.seed, int)):
            raise TypeError(f"{self}: seed must be an integer or None, got {self.seed!r}")

    def __repr__(self) -> str:
        """The call that makes this transform, without the arguments left at their defaults."""
        given = [(f.name, getattr(self, f.name)) for f in dataclasses.fields(self)]
        shown = [f"{name}={value!r}" for name, value in given if value != getattr(type(self), name, ...)]
        return f"{type(self).__name__}({', '.join(shown)})"

    @property
    def reduction(self) -> bool | str:
        """How what the map would skip is read: not at all, True by `reduce`, "exact" by `exact`."""
        return False

    def with_reduction(self, reduction: bool | str) -> "Transform":
        """The same transform with another `reduction`, for those that have one."""
        return dataclasses.replace(self, antialias=reduction)  # type: ignore[call-arg]

    def size_after(self, height: Any, width: Any) -> tuple[Any, Any]:
        """Height and width of what comes out; integers, arrays or tensors, as they come in."""
        return height, width

    def steps(self, height: Any, width: Any) -> tuple[tuple[float, float], tuple[float, float]]:
        """How far apart the output's neighbours are in an image of this size, at least and at most.

        (low, high) along y and along x, in pixels, for any params; of what `size_after` says the output is.
        """
        return (1, 1), (1, 1)

    def accepts(self, height: Any, width: Any) -> Any:
        """Whether an image of this size can be transformed; integers, arrays or tensors alike."""
        return (height > 0) & (width > 0)

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        raise NotImplementedError

    def fits(self, params: Params, size: tf.Tensor) -> tf.Tensor | bool:
        """Whether `sample` can draw these params for images of this size, bool[B] or True."""
        return True

    def map(self, params: Params, size: tf.Tensor) -> tf.Tensor:
        raise NotImplementedError

    def describe(self, params: Mapping[str, Any]) -> str:
        """What was drawn for one example, in a few characters; params are plain numbers."""
        raise NotImplementedError

    def sampling(self) -> dict[str, Any]:
        """The arguments of `Sampling` that this transform sets."""
        return {}

    def evaluation(self) -> tuple["Transform", ...]:
        """What stands in its place where nothing is drawn: itself, if it draws nothing, or else nothing."""
        return () if self.num_words else (self,)


@dataclasses.dataclass(frozen=True, repr=False)
class Sampled(Transform):
    """A transform that reads between pixels or outside of them, and may say how; see `Sampling`.

    What is None is left to the other transforms of the same `Compose`, and in the end to the defaults
    "bilinear", "constant" and 0.
    """

    interpolation: str | None = dataclasses.field(default=None, kw_only=True)
    fill_mode: str | None = dataclasses.field(default=None, kw_only=True)
    fill_value: float | tuple[float, ...] | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.fill_value, list):
            object.__setattr__(self, "fill_value", tuple(self.fill_value))
        Sampling(**self.sampling())

    def sampling(self) -> dict[str, Any]:
        """The arguments of `Sampling` that this transform sets."""
        names = [field.name for field in dataclasses.fields(Sampling)]
        return {name: value for name in names if (value := getattr(self, name)) is not None}


def check_antialias(transform: Transform, value: Any) -> None:
    if value is not True and value is not False and value != "exact":
        kind = type(transform).__name__
        raise ValueError(f'{kind}: antialias must be True, False or "exact", got {value!r}')


def check_integer(transform: Transform, name: str, value: Any, at_least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < at_least:
        kind = type(transform).__name__
        raise ValueError(f"{kind}: {name} must be an integer of at least {at_least}, got {value!r}")
