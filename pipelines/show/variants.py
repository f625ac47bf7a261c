"""A recipe and its likes: with other seeds, or with one argument at several values."""

import ast
import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import augrng as ar
from augrng.reading import meant
from augrng.transforms import Transform
from augrng.transforms.choosing import inside

_EXAMPLE = "random_rotation.degrees=5,15,30"


class Sweep(NamedTuple):
    """One argument of a recipe at several values.

    Attributes:
      transform: its name in the recipe, "one_of/random_rotation" of one inside of another.
      argument: the name of the argument.
      values: what it is to be, in turn.
    """

    transform: str
    argument: str
    values: list[Any]


def read_sweep(text: str, aug: ar.Compose) -> Sweep:
    """The sweep that a text says: "random_rotation.degrees=5,15,(-30,60)".

    Values are literals as in the calls of a recipe: numbers, tuples, strings in quotes.

    Raises:
      ValueError: if it reads otherwise, or the recipe has no such transform or argument; names the nearest.
    """
    found = re.fullmatch(r"\s*([^=]+)\.([^.=\s]+)\s*=(.*)", text, re.DOTALL)
    if found is None:
        raise ValueError(f"must be TRANSFORM.ARGUMENT=VALUE,VALUE,... as {_EXAMPLE}, got {text!r}")
    name, argument, said = found.groups()
    if name not in aug.transforms:
        raise ValueError(
            f"must name a transform of the recipe, one of {', '.join(aug.transforms)}, got {name!r}"
            f"{meant([name], aug.transforms)}"
        )
    known = list(_arguments(aug.transforms[name]))
    if argument in ("name", "seed"):
        raise ValueError(
            f"must not change {argument} of {name}, by which it draws; --seeds shows other seeds"
        )
    if argument not in known:
        raise ValueError(
            f"{name} takes {', '.join(known) or 'nothing'}, got {argument!r}{meant([argument], known)}"
        )
    try:
        values = ast.literal_eval(f"[{said}]")
    except (ValueError, SyntaxError) as error:
        raise ValueError(
            f"values must be numbers, tuples or strings in quotes, with commas between, got {said!r}"
        ) from error
    if not values:
        raise ValueError(f"must have at least one value, as {_EXAMPLE}, got {text!r}")
    return Sweep(name, argument, values)


def swept(aug: ar.Compose, sweep: Sweep) -> list[ar.Compose]:
    """The recipe with each of the values, all else as it is: seed pairs, and so the words drawn, too.

    Raises:
      ValueError: if the transform refuses a value.
    """
    made = []
    for value in sweep.values:
        recipe = json.loads(aug.to_json())
        (step,) = (step for step in steps_of(recipe["transforms"]) if step["params"] == sweep.transform)
        step["arguments"][sweep.argument] = value
        try:
            made.append(ar.from_json(json.dumps(recipe)))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{sweep.transform}.{sweep.argument}={value!r}: {error}") from error
    return made


def reseeded(aug: ar.Compose, seed: int) -> ar.Compose:
    """The recipe with another op-level seed; transforms with a seed of their own keep it."""
    outer = list(_outer(list(aug.transforms.values())))
    alg = json.loads(aug.to_json())["alg"]
    return ar.Compose(outer, seed, alg=alg, shared_seed=True, targets=aug.targets)


def resized(aug: ar.Compose, side: int) -> ar.Compose:
    """The recipe behind a `Resize` to this shorter side; what it draws stays, but for the sizes."""
    before = json.loads(ar.Compose([ar.Resize(side, name="preview_resize")], seed=0).to_json())
    recipe = json.loads(aug.to_json())
    recipe["transforms"] = before["transforms"] + recipe["transforms"]
    return ar.from_json(json.dumps(recipe))


def _arguments(transform: Transform) -> dict[str, Any]:
    """The arguments of a transform that can be swept, and what they are."""
    given = {field.name: getattr(transform, field.name) for field in dataclasses.fields(transform)}
    return {
        name: value
        for name, value in given.items()
        if name not in ("name", "seed") and not _holds(value, inside(transform))
    }


def _holds(value: Any, children: tuple[Transform, ...]) -> bool:
    parts = value if isinstance(value, tuple) else (value,)
    return any(part is child for part in parts for child in children)


def _outer(flattened: list[Transform]) -> Iterator[Transform]:
    """The transforms that are inside of no other."""
    place = 0
    while place < len(flattened):
        yield flattened[place]
        place += 1 + _count(flattened[place])


def _count(transform: Transform) -> int:
    """How many transforms are inside of one, at any depth."""
    return sum(1 + _count(child) for child in inside(transform))


def steps_of(value: Any) -> Iterator[dict[str, Any]]:
    """The steps of a recipe's JSON, those inside of others too."""
    for part in value if isinstance(value, list) else [value]:
        if isinstance(part, dict) and "params" in part:
            yield part
            for argument in part["arguments"].values():
                yield from steps_of(argument)
