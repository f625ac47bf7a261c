"""The targets of a recipe: which features of an example move, and the moving of all of them together."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import tensorflow as tf

from augrng.compiled import compiled
from augrng.targets.base import Example, Target, Tensors, found, has, names_in, require
from augrng.targets.boxes import Boxes
from augrng.targets.keypoints import Keypoints
from augrng.targets.mask import Mask
from augrng.targets.moving import Moves
from augrng.transforms.base import Rectangles

BY_NAME: dict[str, type[Target]] = {target.__name__: target for target in (Mask, Boxes, Keypoints)}
_RESERVED = ("image", "id", "epoch")


def checked(targets: Any, needing: Any = None) -> dict[str, Target] | None:
    """Targets by name, as they are declared; None if it is left to the examples.

    Args:
      targets: what is declared.
      needing: the transform whose draws depend on boxes, if there is one.

    Raises:
      TypeError: if it is no dict of targets by name.
      ValueError: if a name is that of the image, or is empty, or there are no boxes though they are needed.
    """
    if targets is None:
        return None
    if not isinstance(targets, Mapping):
        raise TypeError(f'targets: must be a dict such as {{"mask": Mask()}}, got {targets!r}')
    for name, target in targets.items():
        if not isinstance(name, str) or not name or name in _RESERVED:
            raise ValueError(f"targets: names must be strings, and none of {_RESERVED}, got {name!r}")
        if not isinstance(target, tuple(BY_NAME.values())):
            kinds = ", ".join(f"augrng.{kind}" for kind in BY_NAME)
            raise TypeError(f"targets[{name!r}]: must be one of {kinds}, got {target!r}")
    if needing is not None and not any(isinstance(target, Boxes) for target in targets.values()):
        raise ValueError(f"targets: must hold augrng.Boxes, by which {needing!r} draws, got {targets!r}")
    return dict(targets)


def inferred(names: Iterable[str]) -> dict[str, Target]:
    """The targets of examples for which none are declared: those with plain names."""
    names = set(names)
    labels = ("labels",) if "labels" in names else ()
    plain = {"mask": Mask(), "boxes": Boxes("xyxy", labels=labels), "keypoints": Keypoints("xy")}
    return {name: target for name, target in plain.items() if name in names}


def boxes_of(example: Example, targets: Mapping[str, Target], *, single: bool) -> dict[str, Tensors]:
    """The boxes of an example, or a batch, by name, as they come, [B, N, ...]: what `rectangles` takes."""
    return {
        name: target.take(example, name, single)
        for name, target in targets.items()
        if isinstance(target, Boxes)
    }


def rectangles(given: Mapping[str, Tensors], targets: Mapping[str, Target], sizes: tf.Tensor) -> Rectangles:
    """All boxes of examples whose images have sizes int64[B, 2]."""
    read = _rectangles(tuple((name, targets[name]) for name in sorted(given)))
    return read(dict(given), sizes)


@functools.lru_cache(maxsize=64)
def _rectangles(targets: tuple[tuple[str, Boxes], ...]) -> Callable[[Any, tf.Tensor], Rectangles]:
    def run(given: Mapping[str, Tensors], sizes: tf.Tensor) -> Rectangles:
        all_of = [target.rectangles(given[name], sizes) for name, target in targets]
        return Rectangles(*(tf.concat(parts, 1) for parts in zip(*all_of, strict=True)))

    return compiled(run)


def move(
    example: Example,
    targets: Mapping[str, Target],
    legs: Callable[[Any, tf.Tensor], Any],
    work: Any,
    before: tf.Tensor,
    ids: tf.Tensor | None,
    *,
    single: bool,
) -> Example:
    """An example, or a batch, with all its targets moved as its images are.

    Args:
      example: with the targets.
      targets: by name.
      legs: of a chain; see `Chain.legs`.
      work: what is done to the images, [B].
      before: int64[B, 2], the sizes of the images.
      ids: int64[B], for errors; None if nobody knows them.
      single: whether it is one example, without the dimension B.

    Raises:
      ValueError: if a target is not there, or breaks a rule of its own; see `Mask`, `Boxes`, `Keypoints`.
    """
    order = {Keypoints: 0, Boxes: 1, Mask: 2}  # with boxes go keypoints that belong to them, moved
    done: list[tf.Tensor] = []
    for name, target in sorted(targets.items(), key=lambda item: order[type(item[1])]):
        if not has(example, name):
            raise ValueError(f"targets: {name!r} must be in the example, got {names_in(example)}")
        # One after the other: of two that run when one is refused TensorFlow may say that one was cancelled.
        with tf.control_dependencies(done):
            example = _moved(example, name, target, legs, work, before, ids, single)
        done = tf.nest.flatten(found(example, name), expand_composites=True)
    return example


def read_targets(said: Any) -> dict[str, Target] | None:
    """Targets of JSON: {"mask": {"type": "Mask", "fill_value": 255}}, or None.

    Raises:
      ValueError: if they are something else.
    """
    if said is None:
        return None
    if not isinstance(said, dict):
        raise ValueError(f"recipe: targets must be an object with targets by name, got {said!r}")
    found: dict[str, Target] = {}
    for name, target in said.items():
        where = f"recipe: targets[{name!r}]"
        kind = target.get("type") if isinstance(target, dict) else None
        if not isinstance(kind, str) or kind not in BY_NAME:
            raise ValueError(f'{where}: must have a "type", one of {", ".join(BY_NAME)}, got {target!r}')
        given = {key: value for key, value in target.items() if key != "type"}
        known = [field.name for field in dataclasses.fields(BY_NAME[kind])]
        if not set(given) <= set(known):
            raise ValueError(f"{where}: {kind} takes {known}, got {sorted(given)}")
        try:
            found[name] = BY_NAME[kind](**given)
        except TypeError as error:
            raise ValueError(f"{where}: {error}") from error
    return checked(found)


def written_targets(targets: dict[str, Target]) -> dict[str, dict[str, Any]]:
    """What `read_targets` reads."""

    def written(target: Target) -> dict[str, Any]:
        given = {field.name: getattr(target, field.name) for field in dataclasses.fields(target)}
        return {"type": type(target).__name__, **given}

    return {name: written(target) for name, target in targets.items()}


def _moved(
    example: Example,
    name: str,
    target: Target,
    legs: Callable[[Any, tf.Tensor], Any],
    work: Any,
    before: tf.Tensor,
    ids: tf.Tensor | None,
    single: bool,
) -> Example:
    """The example with one target moved."""
    if isinstance(target, Mask):
        return target.move(example, name, Moves(legs(work, before), before), ids, single)
    assert isinstance(target, (Boxes, Keypoints))
    made, passed = _program(target, legs)(target.take(example, name, single), work, before)
    key = next(iter(made))
    made = {**made, key: require(passed, target.rules(name), made[key], ids)}
    return target.give(example, name, made, single)


def passed(
    example: Example, name: str, target: Target, legs: Callable[[Any, tf.Tensor], Any], work: Any, before: Any
) -> tuple[tf.Tensor, list[str]]:
    """Which rules of boxes or keypoints one example keeps, bool[rules, 1], and the rules; see `move`."""
    assert isinstance(target, (Boxes, Keypoints))
    given = target.take(example, name, single=True)
    return _program(target, legs)(given, work, before)[1], target.rules(name)


@functools.lru_cache(maxsize=256)
def _program(target: Boxes | Keypoints, legs: Callable[[Any, tf.Tensor], Any]) -> Callable:
    """`core` of a target as one program, which serves all recipes of a chain."""

    def run(given: Any, work: Any, before: tf.Tensor) -> Any:
        return target.core(given, Moves(legs(work, before), before))

    return compiled(run)
