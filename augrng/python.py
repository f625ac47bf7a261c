"""Recipes as lines of Python."""

import dataclasses
import json
from typing import Any

from augrng.compose import Compose
from augrng.random.seeds import DEFAULT_GLOBAL_SEED
from augrng.targets import Target
from augrng.transforms import Transform


def as_python(aug: Compose) -> str:
    """A recipe as lines of Python, which `read_recipe` reads too.

    A recipe that `Compose` would not make again of transforms and an op-level seed (it was built under a
    global seed, or with shared ones) is one call of `from_json`, which Python alone reads.
    """
    recipe = json.loads(aug.to_json())
    steps = [one for name, one in aug.transforms.items() if "/" not in name]
    pair, alg, targets = recipe["seed"], recipe["alg"], aug.targets
    seed = None if pair is None or pair[0] != DEFAULT_GLOBAL_SEED else pair[1]
    if (pair is not None and seed is None) or _again(aug, steps, seed) != aug:
        return f"import augrng as ar\n\naug = ar.from_json({aug.to_json()!r})\n"
    lines = [f"        {_python(step)}," for step in steps]
    given = {"seed": seed, "targets": targets}
    said = [f"    {name}={_python(value)}," for name, value in given.items() if value is not None]
    said += [f"    alg={alg!r},"] * (alg != "philox")
    return "\n".join(["import augrng as ar\n", "aug = ar.Compose(", "    [", *lines, "    ],", *said, ")\n"])


def _again(aug: Compose, steps: list[Transform], seed: int | None) -> Compose | None:
    try:
        return Compose(steps, seed, alg=json.loads(aug.to_json())["alg"], targets=aug.targets)
    except ValueError:
        return None


def _python(value: Any) -> str:
    if isinstance(value, (Transform, Target)):
        given = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        said = [
            f"{name}={_python(one)}" for name, one in given.items() if one != getattr(type(value), name, ...)
        ]
        return f"ar.{type(value).__name__}({', '.join(said)})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name!r}: {_python(one)}' for name, one in value.items())}}}"
    if isinstance(value, tuple) and value and all(isinstance(one, Transform) for one in value):
        return f"[{', '.join(map(_python, value))}]"
    return repr(value)
