"""Recipes as people write them: calls, lines of Python, or JSON without what a program would add.

    RandomCrop(224, 224), Maybe(RandomRotation(30), p=0.3)
    aug = ar.Compose([ar.RandomCrop(224, 224)], seed=7)
    {"seed": 7, "transforms": [{"type": "RandomCrop", "height": 224, "width": 224}]}

Text is read, never run: names are those of transforms that are known, arguments are literals.
"""

import ast
import dataclasses
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from augrng.compose import Compose, from_json
from augrng.reading import at, loads, meant
from augrng.recipe import Recipe, kind_of
from augrng.targets import Target
from augrng.targets.declared import BY_NAME, checked, read_targets
from augrng.transforms import Transform
from augrng.transforms.choosing import Chooser


class Written(NamedTuple):
    """What a text says of a recipe; see `Compose` for each."""

    transforms: list[Transform]
    seed: int | None = None
    alg: str = "philox"
    targets: dict[str, Target] | None = None


def read_recipe(text: str | Path, seed: int | None = None) -> Compose:
    """The recipe that a text says: JSON of `Compose.to_json`, JSON by hand, calls, Python, or a file of it.

    Args:
      text: the recipe, or the path of a file that holds it.
      seed: op-level seed of a recipe that says none; see `Compose`.

    Raises:
      FileNotFoundError: if it reads as the name of a file, and there is none.
      TypeError: if an argument is of the wrong type.
      ValueError: if it is none of these, or says what a transform refuses.
    """
    if isinstance(text, Path) or _is_path(text):
        text = Path(text).expanduser().read_text()
    found = read_text(text)
    if isinstance(found, Recipe):
        return from_json(found.to_json())
    own = seed if found.seed is None else found.seed
    return Compose(found.transforms, own, alg=found.alg, targets=found.targets)


def read_text(text: str) -> Written | Recipe:
    """What a text says of a recipe, not composed yet; that of `Compose.to_json` has its names and pairs.

    No file is read.

    Raises:
      TypeError, ValueError: as `read_recipe`.
    """
    if not text.lstrip().startswith(("{", "[")) or (text.lstrip().startswith("[") and "(" in text):
        return _called(text)
    try:
        found = loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"recipe: must be JSON or calls, got text that is neither: {error}") from error
    if isinstance(found, dict) and "stream_version" in found:
        return Recipe.from_json(text)
    found = {"transforms": found} if isinstance(found, list) else found
    known = ("seed", "alg", "transforms", "targets")
    if not isinstance(found.get("transforms"), list) or not set(found) <= set(known):
        raise ValueError(
            'recipe: must be {"seed": ..., "transforms": [{"type": "RandomFlip"}, ...]}, got the keys '
            f"{sorted(found)}{meant(sorted(set(found) - set(known)), known)}"
        )
    steps = [_step(f"recipe: transforms[{place}]", step) for place, step in enumerate(found["transforms"])]
    targets = read_targets(found.get("targets"))
    return Written(steps, found.get("seed"), found.get("alg", "philox"), targets)


def _is_path(text: str) -> bool:
    return "(" not in text and not text.lstrip().startswith(("{", "["))


def _step(where: str, step: Any) -> Transform:
    """{"type": "RandomCrop", "height": 224, ...} as a transform."""
    if not isinstance(step, dict):
        raise ValueError(f'{where}: must be an object with a "type", got {step!r}')
    where = at(where, step)
    if "type" not in step:
        raise ValueError(f'{where}: must be an object with a "type", got {step!r}{meant(step, ["type"])}')
    kind = kind_of(where, step["type"])
    return made(where, kind, [], {name: value for name, value in step.items() if name != "type"})


def made(where: str, kind: type[Transform], args: list[Any], kwargs: dict[str, Any]) -> Transform:
    """A transform of these arguments; those inside of it may be steps of JSON. Errors begin with `where`."""
    names = [field.name for field in dataclasses.fields(kind)]
    strange = sorted(set(kwargs) - set(names))
    if strange or len(args) > len(names):
        raise ValueError(
            f"{where}: {kind.__name__} takes {names}, got {strange or len(args)}{meant(strange, names)}"
        )
    if issubclass(kind, Chooser):
        kwargs = {name: _inside(f"{where}: {name}", value) for name, value in kwargs.items()}
    try:
        return kind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{where}: {kind.__name__}: {_said(kind, error)}") from error
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _said(kind: type, error: TypeError) -> str:
    """What an error says, without its beginning: the class once more, or the method that Python names."""
    return re.sub(rf"^{kind.__name__}(\.__init__\(\)|:) ", "", str(error))


def _inside(where: str, value: Any) -> Any:
    if isinstance(value, dict):
        return _step(where, value)
    if isinstance(value, list) and value and all(isinstance(part, dict) for part in value):
        return [_step(f"{where}[{place}]", part) for place, part in enumerate(value)]
    return value


def _called(text: str) -> Written:
    """What calls say, or lines of Python in which there is one of `Compose`."""
    try:
        tree: ast.expr = ast.parse(f"[{text.strip()}\n]", mode="eval").body
    except SyntaxError as error:
        composed = _composed_in(text)
        if composed is None:
            raise ValueError(
                f"recipe: must be JSON, or calls like RandomCrop(224, 224), RandomFlip(), got {text!r}"
            ) from error
        return _composed(composed)
    calls = tree.elts if isinstance(tree, (ast.Tuple, ast.List)) else [tree]
    if len(calls) == 1 and isinstance(calls[0], (ast.Tuple, ast.List)):
        calls = calls[0].elts
    before = text[: len(text) - len(text.lstrip())].count("\n")
    ast.increment_lineno(tree, before if "\n" in text.strip() else -1)  # 0 where there is but one line
    if len(calls) == 1 and _name(calls[0]) == "Compose":
        return _composed(calls[0])
    return Written(_transforms([_value(call) for call in calls]))


def _composed_in(text: str) -> ast.expr | None:
    """The call of `Compose` in lines of Python of which the others are imports; None if it is none."""
    try:
        lines = ast.parse(text).body
    except SyntaxError:
        return None
    left = [line for line in lines if not isinstance(line, (ast.Import, ast.ImportFrom))]
    if len(left) != 1 or not isinstance(left[0], (ast.Assign, ast.AnnAssign, ast.Expr)):
        return None
    return left[0].value if _name(left[0].value) == "Compose" else None


def _composed(call: Any) -> Written:
    """What `Compose([...], seed=7)` says."""
    where = at("recipe", call.lineno)
    given = {keyword.arg: _value(keyword.value) for keyword in call.keywords}
    given |= dict(zip(("transforms", "seed"), map(_value, call.args), strict=False))
    strange = sorted(str(name) for name in set(given) - set(Written._fields))
    if strange or len(call.args) > 2 or not isinstance(given.get("transforms"), (list, tuple)):
        got = strange or ast.unparse(call)
        raise ValueError(
            f"{where}: Compose takes a list of transforms, then {Written._fields[1:]}, got {got}"
        )
    given["transforms"] = _transforms(given["transforms"])
    return Written(**{**given, "targets": checked(given.get("targets"))})


def _transforms(found: Any) -> list[Transform]:
    for one in found:
        if not isinstance(one, Transform):
            raise ValueError(f"recipe: must be calls of transforms, got {one!r}")
    return list(found)


def _name(node: ast.expr | None) -> str | None:
    """What a call calls, without the module."""
    function = node.func if isinstance(node, ast.Call) else None
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", None)


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Call):
        kwargs = {keyword.arg: _value(keyword.value) for keyword in node.keywords if keyword.arg}
        args = [_value(arg) for arg in node.args]
        where, name = at("recipe", node.lineno), _name(node)
        if name in BY_NAME:
            return _target(where, BY_NAME[name], args, kwargs)
        return made(where, kind_of(where, name), args, kwargs)
    if isinstance(node, ast.Name):
        where = at("recipe", node.lineno)
        return made(where, kind_of(where, node.id), [], {})
    if isinstance(node, (ast.List, ast.Tuple)):
        found = [_value(part) for part in node.elts]
        return found if isinstance(node, ast.List) else tuple(found)
    if isinstance(node, ast.Dict) and all(node.keys):
        return {_value(key): _value(value) for key, value in zip(node.keys, node.values, strict=True) if key}
    try:
        return ast.literal_eval(node)
    except (TypeError, ValueError) as error:
        raise ValueError(f"recipe: arguments must be literals, got {ast.unparse(node)!r}") from error


def _target(where: str, kind: type[Target], args: list[Any], kwargs: dict[str, Any]) -> Target:
    try:
        return kind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{where}: {kind.__name__}: {_said(kind, error)}") from error


def differences(there: str, here: str) -> list[str]:
    """How two recipes, JSON of `Compose.to_json`, differ: "random_rotation.degrees: 20 there, 25 here"."""
    one, other = (json.loads(text) for text in (there, here))
    heads = [name for name in ("stream_version", "alg", "seed") if one[name] != other[name]]
    found = [f"{name}: {one[name]} there, {other[name]} here" for name in heads]
    _compare(one["transforms"], other["transforms"], found)
    targets = [side.get("targets") or {} for side in (one, other)]
    for name in dict.fromkeys((*targets[0], *targets[1])):
        said = [side.get(name, "none") for side in targets]
        if said[0] != said[1]:
            found.append(f"targets[{name!r}]: {said[0]} there, {said[1]} here")
    return found


def _compare(there: list[Any], here: list[Any], found: list[str]) -> None:
    by_name = [{step["params"]: step for step in steps} for steps in (there, here)]
    found.extend(f"{name}: there, not here" for name in by_name[0] if name not in by_name[1])
    for name, step in by_name[1].items():
        if name not in by_name[0]:
            found.append(f"{name}: here, not there")
            continue
        before = by_name[0][name]
        if before["type"] != step["type"]:
            found.append(f"{name}: {before['type']} there, {step['type']} here")
            continue
        if before["pair"] != step["pair"]:
            found.append(f"{name}: the seed pair {before['pair']} there, {step['pair']} here")
        for argument, value in step["arguments"].items():
            given = before["arguments"].get(argument)
            nested = [_steps(side) for side in (given, value)]
            if all(side is not None for side in nested):
                _compare(nested[0] or [], nested[1] or [], found)
            elif given != value:
                found.append(f"{name}.{argument}: {given!r} there, {value!r} here")
    if [name for name in by_name[0] if name in by_name[1]] != [
        name for name in by_name[1] if name in by_name[0]
    ]:
        found.append(f"order: {', '.join(by_name[0])} there, {', '.join(by_name[1])} here")


def _steps(value: Any) -> list[Any] | None:
    """The steps inside of an argument, if it holds some."""
    steps = value if isinstance(value, list) else [value]
    return steps if steps and all(isinstance(step, dict) and "type" in step for step in steps) else None
