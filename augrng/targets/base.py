"""What all targets share: where they lie in an example, how their numbers are read, how they are refused.

An example is a dict. A target's name is a key of it, or a path through dicts in it: "objects/bbox" is
example["objects/bbox"] or example["objects"]["bbox"], as TFDS gives it.

Positions are fixed-point, int64 with `fixed.FRACTION` bits, in pixels from the picture's top left corner, so
that the same bits come out everywhere: floats are only read and written, and both are exact but for one
rounding.
"""

import dataclasses
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from augrng import fixed
from augrng.arguments import asserted
from augrng.geometry import affine

Example = dict[str, Any]
Tensors = dict[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Target:
    """Something in an example that moves with the image's pixels."""

    def __repr__(self) -> str:
        """The call that makes this target, without the arguments left at their defaults."""
        given = [(f.name, getattr(self, f.name), f.default) for f in dataclasses.fields(self)]
        shown = [f"{name}={value!r}" for name, value, default in given if value != default]
        return f"{type(self).__name__}({', '.join(shown)})"


def has(example: Mapping[str, Any], name: str) -> bool:
    """Whether there is something of this name in an example."""
    if name in example:
        return True
    head, _, rest = name.partition("/")
    inner = example.get(head)
    return bool(rest) and isinstance(inner, Mapping) and has(inner, rest)


def found(example: Mapping[str, Any], name: str) -> Any:
    """What has this name in an example.

    Raises:
      ValueError: if there is nothing; says what there is.
    """
    if name in example:
        return example[name]
    if not has(example, name):
        raise ValueError(f"{name}: is a target, and must be in the example, got {names_in(example)}")
    head, _, rest = name.partition("/")
    return found(example[head], rest)


def put(example: Mapping[str, Any], name: str, value: Any) -> Example:
    """An example with something else under a name, beside what has the same path if it is a path."""
    head, _, rest = name.partition("/")
    if name not in example and rest and isinstance(example.get(head), Mapping):
        return {**example, head: put(example[head], rest, value)}
    return {**example, name: value}


def names_in(example: Mapping[str, Any]) -> list[str]:
    """All names in an example, sorted; paths for what is inside of dicts."""
    names = []
    for key, value in example.items():
        inner = [f"{key}/{name}" for name in names_in(value)] if isinstance(value, Mapping) else []
        names.extend(inner or [str(key)])
    return sorted(names)


def position(value: tf.Tensor, side: tf.Tensor | None) -> tf.Tensor:
    """Numbers as fixed-point positions; NaN is 0, and what lies beyond `affine.LIMIT` is brought there.

    Args:
      value: integers or floats [B, ...]; pixels, or shares of `side`.
      side: int64[B], for shares; None for pixels.
    """
    most = affine.LIMIT // fixed.ONE
    if side is None and value.dtype.is_integer:
        return tf.clip_by_value(tf.cast(value, tf.int64), -most, most) * fixed.ONE
    wide = tf.cast(value, tf.float64)
    if side is not None:  # exact for float32: 24 bits times 15
        wide *= tf.cast(tf.reshape(side, [-1] + [1] * (value.shape.rank - 1)), tf.float64)
    wide = tf.where(tf.math.is_nan(wide), tf.zeros_like(wide), tf.clip_by_value(wide, -most, most))
    return tf.cast(tf.round(wide * fixed.ONE), tf.int64)


def number(place: tf.Tensor, side: tf.Tensor | None, dtype: tf.DType) -> tf.Tensor:
    """Fixed-point positions as numbers of a dtype, rounded once; the inverse of `position`.

    Integers are rounded to the nearest, halves up.
    """
    if dtype.is_integer:
        return tf.cast(fixed.shift_round(place, fixed.FRACTION), dtype)
    one = fixed.ONE
    if side is not None:  # a division of integers: XLA multiplies floats by the inverse
        side = tf.maximum(tf.reshape(side, [-1] + [1] * (place.shape.rank - 1)), 1)
        place = tf.math.floordiv(place * (1 << 16) + side // 2, side)
        one = fixed.ONE << 16
    return tf.cast(tf.cast(place, tf.float64) * (1 / one), dtype)


def finite(value: tf.Tensor) -> tf.Tensor:
    """bool of the same shape: whether they are numbers at all."""
    return tf.math.is_finite(value) if value.dtype.is_floating else tf.ones_like(value, tf.bool)


def numeric(value: Any, name: str) -> Any:
    """A target's numbers as a tensor, ragged or not.

    Raises:
      TypeError: if they are none.
    """
    value = value if isinstance(value, tf.RaggedTensor) else tf.convert_to_tensor(value)
    if not (value.dtype.is_floating or value.dtype.is_integer) or value.dtype == tf.float16:
        raise TypeError(f"{name}: must hold numbers (integers, float32 or float64), got {value.dtype.name}")
    return value


def require(passed: tf.Tensor, rules: Sequence[str], value: tf.Tensor, ids: tf.Tensor | None) -> tf.Tensor:
    """`value`, if all examples keep all rules.

    Args:
      passed: bool[rules, B], whether each example keeps each rule.
      rules: in words.
      value: any tensor.
      ids: int64[B], or None if nobody knows them.

    Raises:
      ValueError: names the rule and the id of the first example that breaks it, where that is known.
      tf.errors.InvalidArgumentError: the same from a graph. In code that is jit-compiled as a whole nothing
        is checked.
    """
    known = tf.get_static_value(passed)
    if known is None:
        checks = []
        for rule, kept in zip(rules, tf.unstack(passed, len(rules)), strict=True):
            first = tf.reshape(tf.where(~kept), [-1])[:1]
            where = [] if ids is None else ["; it is broken by id", tf.gather(ids, first)]
            checks.append(asserted(tf.reduce_all(kept), [rule, *where]))
        with tf.control_dependencies(checks):
            return tf.identity(value)
    if not np.all(known):
        rule, row = np.argwhere(~known)[0]
        example = tf.get_static_value(ids) if ids is not None else None
        raise ValueError(rules[rule] + ("" if example is None else f"; it is broken by id {example[row]}"))
    return value


def fraction_of(value: Any, name: str, relative: bool) -> None:
    """Refuses integers as shares of a side."""
    if relative and value.dtype.is_integer:
        raise TypeError(
            f"{name}: shares of a side must be floats, got {value.dtype.name}; cast, or leave rel_ out"
        )


def check_number(target: Target, name: str, value: Any, low: float, high: float) -> None:
    """Raises ValueError unless `value` is a number in [low, high]."""
    kind = type(target).__name__
    good = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not good or not low <= value <= high:
        raise ValueError(f"{kind}: {name} must be a number in [{low:g}, {high:g}], got {value!r}")


def check_count(target: Target, name: str, value: Any) -> None:
    """Raises ValueError unless `value` is an integer of at least 1."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"{type(target).__name__}: {name} must be an integer of at least 1, got {value!r}")
