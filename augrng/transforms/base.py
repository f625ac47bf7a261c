"""What every transform offers, and what those share that read between or outside of pixels.

A transform draws, and has parts (see `parts`) that say what becomes of pixels:

  num_words              how many random words an example's draws read
  sample(words, size)    the draws as named tensors [B], from uint32[B, num_words] and int64[B, 2]
  sample_for(words, size, boxes)  the same where the draws depend on boxes too (`needs_boxes`)
  parts                  what is done with them, in order
  size_after(h, w)       height and width of what it makes

and for mistakes and for people: `accepts(height, width)`, whether it takes an image of that size (`rule` says
in words when it does); `fits(params, size)`, whether it could have drawn these params; `describe(params)`,
what was drawn for one example. `evaluation()` gives what stands in its place when a model is evaluated.
"""

import dataclasses
import math
import numbers
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import tensorflow as tf

from augrng.geometry.sampling import Sampling
from augrng.transforms.parts import Map, Params, Part


class Rectangles(NamedTuple):
    """The boxes of B examples, for draws that depend on them; clipped to the image, x before y.

    Attributes:
      low: int64[B, N, 2], fixed-point, where they begin, in pixels of the image.
      high: int64[B, N, 2], where they end.
      there: bool[B, N], which of them are boxes.
      visible: int64[B, N], the share of each that must be left for it to stay, `SHARE_BITS` fraction bits.
      least: int64[B, N], fixed-point, the side that must be left of it, in pixels of the output.
    """

    low: tf.Tensor
    high: tf.Tensor
    there: tf.Tensor
    visible: tf.Tensor
    least: tf.Tensor


SHARE_BITS = 20  # fraction bits of shares of boxes


@dataclasses.dataclass(frozen=True, repr=False)
class Transform:
    """What all transforms share.

    Args:
      name: identifies the transform's random stream, and its params; see `Compose`.
      seed: op-level seed; overrides the stream that the name gives.
    """

    num_words: ClassVar[int] = 0
    rule: ClassVar[str] = "the image must have at least one pixel"
    needs_boxes: ClassVar[bool] = False

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
    def parts(self) -> tuple[Part, ...]:
        """What is done to pixels, in order."""
        return (self,) if isinstance(self, Part) else ()

    def size_after(self, height: Any, width: Any) -> tuple[Any, Any]:
        """Height and width of what comes out; integers, arrays or tensors, as they come in."""
        return height, width

    def accepts(self, height: Any, width: Any) -> Any:
        """Whether an image of this size can be transformed; integers, arrays or tensors alike."""
        return (height > 0) & (width > 0)

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        raise NotImplementedError

    def draw(self, key: tf.Tensor, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        """`sample`, for transforms that hand on the key itself, int64[B, 2]."""
        return self.sample(words, size)

    def sample_for(self, words: tf.Tensor, size: tf.Tensor, boxes: Rectangles) -> dict[str, tf.Tensor]:
        """`sample`, for transforms that need boxes: those of the image as it comes."""
        raise NotImplementedError

    def fits(self, params: Params, size: tf.Tensor) -> tf.Tensor | bool:
        """Whether `sample` can draw these params for images of this size, bool[B] or True."""
        return True

    def describe(self, params: Mapping[str, Any]) -> str:
        """What was drawn for one example, in a few characters; params are plain numbers."""
        raise NotImplementedError

    def evaluation(self) -> tuple["Transform", ...]:
        """What stands in its place where nothing is drawn: itself, if it draws nothing, or else nothing."""
        return () if self.num_words else (self,)


@dataclasses.dataclass(frozen=True, repr=False)
class Geometric(Map, Transform):
    """A transform that is a map."""

    def with_reduction(self, reduction: bool | str) -> "Transform":
        """The same transform with another `reduction`, for those that have one."""
        return dataclasses.replace(self, antialias=reduction)  # type: ignore[call-arg]


@dataclasses.dataclass(frozen=True, repr=False)
class Sampled(Geometric):
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


def check_number(transform: Any, name: str, value: Any, low: float, high: float) -> None:
    """Raises ValueError unless `value` is a number in [low, high]."""
    good = isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
    if not good or not low <= value <= high:
        kind = type(transform).__name__
        raise ValueError(f"{kind}: {name} must be a number in [{low:g}, {high:g}], got {value!r}")


def check_range(transform: Any, name: str, value: Any, low: float, high: float) -> None:
    """Raises ValueError unless `value` is a pair (low, high) of numbers within these, in order."""
    kind = type(transform).__name__
    if not isinstance(value, tuple) or len(value) != 2:
        raise ValueError(f"{kind}: {name} must be a pair (low, high), got {value!r}")
    for end in value:
        check_number(transform, name, end, low, high)
    if value[0] > value[1]:
        raise ValueError(f"{kind}: {name} must be in order, got {value[0]!r} above {value[1]!r}")


def check_probability(transform: Any, p: Any) -> None:
    """Raises ValueError if `p` is no probability."""
    check_number(transform, "p", p, 0, 1)


def pair_of(transform: Any, name: str) -> Any:
    """A field that is a pair (low, high), or a number f at least 0 for (-f, f); lists become tuples.

    Raises:
      ValueError: if it is a number below 0, or none.
    """
    value = getattr(transform, name)
    if isinstance(value, list):
        value = tuple(value)
        object.__setattr__(transform, name, value)
    if isinstance(value, tuple):
        return value
    check_number(transform, name, value, 0, 1e9)
    return (-value, value)
