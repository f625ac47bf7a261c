"""What the page says of a recipe -> the recipe, or what is wrong with it and where; and back.

    {"seed": "7", "alg": "philox", "transforms": [{"type": "RandomFlip", "p": 0.5}, ...],
     "pairs": {"random_flip": ["1", "2"]}, "targets": {...}}

Seeds and pairs are decimal text, for JavaScript has no int64. Pairs are there for a recipe that no op-level
seed gives; without one, a transform draws by the recipe's seed and its name.
"""

import dataclasses
import functools
import json
import re
from typing import Any, NamedTuple

import augrng as ar
from augrng.random.keys import named_pair
from augrng.recipe import Recipe, kind_of, read_targets
from augrng.targets import Target
from augrng.transforms import Transform
from augrng.transforms.choosing import Chooser, inside
from augrng.written import Written, made, read_text
from pipelines.live.controls import shown, step_of
from pipelines.show.variants import steps_of

MOST_TRANSFORMS = 32  # in a recipe, those inside of others too
MOST_TEXT = 100_000  # characters of a recipe that is loaded
MOST_SIDE = 1024  # of any picture that a recipe makes on its way, in pixels
_MOST_DEPTH = 4
_MOST_NUMBER = 1_000_000
_MOST_VALUES = 64  # in a tuple
_MOST_NAME = 100  # characters
_MOST_OF = {"bins": 1000, "n": 32, "height": MOST_SIDE, "width": MOST_SIDE, "padding": MOST_SIDE}


class Mistake(NamedTuple):
    """What is wrong.

    Attributes:
      path: of the transform: places in lists, names of arguments; empty if it is the whole recipe.
      argument: its name, or None if it is the transform.
      message: the library's.
    """

    path: tuple[int | str, ...]
    argument: str | None
    message: str


class MistakenError(ValueError):
    """A recipe that is refused, with all that was found wrong with it."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__(mistakes[0].message)
        self.mistakes = mistakes


@functools.lru_cache(maxsize=32)
def composed(text: str) -> ar.Compose:
    """The recipe that the page says, as JSON text; kept for the parts of one page's requests.

    Raises:
      MistakenError: if it is none, or beyond what a server should do for a page.
    """
    said = json.loads(text)
    if not isinstance(said, dict) or not isinstance(said.get("transforms"), list):
        raise _mistaken("recipe: must be an object with a list of transforms")
    if not said["transforms"]:
        raise _mistaken("recipe: has no transform; add one")
    _check_count(said["transforms"])
    mistakes: list[Mistake] = []
    steps = [_transform(step, (place,), mistakes) for place, step in enumerate(said["transforms"])]
    if mistakes:
        raise MistakenError(mistakes)
    try:
        return _resolved([step for step in steps if step], said)
    except (TypeError, ValueError) as error:
        raise _mistaken(str(error)) from error


def loaded(text: str) -> dict[str, Any]:
    """What a text says (see `augrng.read_recipe`; no file is read), as the page says it.

    Raises:
      MistakenError: as `composed`.
    """
    if len(text) > MOST_TEXT:
        raise _mistaken(f"recipe: must have at most {MOST_TEXT:,} characters, got {len(text):,}")
    if not text.strip():
        raise _mistaken("recipe: must be JSON or Python, got nothing")
    try:
        found = read_text(text)
        said = _said(found)
        aug = composed(json.dumps(said))
        if isinstance(found, Recipe) and aug.to_json() != found.to_json():
            said |= {"seed": _pair(found.seed) if found.seed else "0", "pairs": _pairs(found)}
            composed(json.dumps(said))
    except MistakenError:
        raise
    except (RecursionError, MemoryError) as error:
        raise _mistaken("recipe: is nested too deeply") from error
    except (TypeError, ValueError) as error:
        raise _mistaken(str(error)) from error
    return said


def said_of(aug: ar.Compose) -> dict[str, Any]:
    """A recipe as the page says it."""
    return loaded(aug.to_json())


def _said(found: Written | Recipe) -> dict[str, Any]:
    seed: Any = found.seed
    if isinstance(found, Recipe):
        seed = found.seed[1] if found.seed else 0
    steps = [_as_text(step_of(transform)) for transform in found.transforms]
    said: dict[str, Any] = {"seed": str(seed or 0), "alg": found.alg, "transforms": steps}
    if found.targets is not None:
        said["targets"] = {name: _target(target) for name, target in found.targets.items()}
    return said


def _target(target: Target) -> dict[str, Any]:
    return {"type": type(target).__name__, **dataclasses.asdict(target)}


def _as_text(step: dict[str, Any]) -> dict[str, Any]:
    """A step with its seeds as text."""
    found = dict(step)
    for name, value in step.items():
        if name == "seed":
            found[name] = str(value)
        elif isinstance(value, dict):
            found[name] = _as_text(value)
        elif isinstance(value, list):
            found[name] = [_as_text(part) if isinstance(part, dict) else part for part in value]
    return found


def _pair(pair: Any) -> list[str]:
    return [str(part) for part in pair]


def _pairs(recipe: Recipe) -> dict[str, list[str]]:
    return {name: _pair(pair) for name, pair in zip(recipe.names, recipe.pairs, strict=True)}


def _resolved(steps: list[Transform], said: dict[str, Any]) -> ar.Compose:
    targets, alg = read_targets(said.get("targets")), said.get("alg", "philox")
    seed = said.get("seed", "0")
    if not isinstance(seed, list):
        aug = ar.Compose(steps, _integer("seed", seed), alg=alg, targets=targets)
        if "pairs" not in said:
            return aug
        seed = [str(part) for part in ar.get_seed(_integer("seed", seed))]
    elif len(seed) == 2:
        aug = ar.Compose(steps, 0, alg=alg, targets=targets)
    else:
        raise ValueError(f"seed: must be a whole number, or two, got {seed!r}")
    return _with_pairs(aug, [_integer("seed", part) for part in seed], said.get("pairs"))


def _with_pairs(aug: ar.Compose, seed: list[int], pairs: Any) -> ar.Compose:
    """The recipe under another pair, and with pairs of their own for transforms by name."""
    pairs = pairs if isinstance(pairs, dict) else {}
    recipe = json.loads(aug.to_json())
    recipe["seed"] = seed
    for step in steps_of(recipe["transforms"]):
        own = pairs.get(step["params"])
        if isinstance(own, list) and len(own) == 2:
            step["pair"] = [_integer("pairs", part) for part in own]
        elif step["arguments"]["seed"] is None:
            first, second = seed
            step["pair"] = list(named_pair((first, second), step["params"], alg=recipe["alg"]))
    return ar.from_json(json.dumps(recipe))


def _integer(name: str, value: Any) -> int:
    whole = re.fullmatch(r"\s*[+-]?[0-9]{1,20}\s*", value) if isinstance(value, str) else None
    if not whole and (isinstance(value, bool) or not isinstance(value, int)):
        raise ValueError(f"{name}: must be a whole number, got {value!r}")
    number = int(value)
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueError(f"{name}: must fit in 64 bits, got {value!r}")
    return number


def _check_count(steps: list[Any], depth: int = 1) -> int:
    if depth > _MOST_DEPTH:
        raise _mistaken(f"recipe: transforms may be nested {_MOST_DEPTH} deep")
    count = len(steps)
    for step in steps:
        inner = step.values() if isinstance(step, dict) else ()
        for value in inner:
            parts = value if isinstance(value, list) else [value]
            held = [part for part in parts if isinstance(part, dict)]
            count += _check_count(held, depth + 1) if held else 0
    if count > MOST_TRANSFORMS:
        raise _mistaken(f"recipe: may have {MOST_TRANSFORMS} transforms here, got {count}")
    return count


def _transform(step: Any, path: tuple[int | str, ...], mistakes: list[Mistake]) -> Transform | None:
    """The transform of a step; None if something is wrong with it, which is added to `mistakes`."""
    if not isinstance(step, dict):
        mistakes.append(Mistake(path, None, 'recipe: must be an object with a "type"'))
        return None
    given = {name: value for name, value in step.items() if name != "type"}
    before = len(mistakes)
    kind = None
    try:
        kind = kind_of("recipe", step.get("type"))
        if not shown(kind):
            raise ValueError(
                f"{kind.__name__}: cannot be shown here: it mixes examples, needs boxes, or calls a function"
            )
        if issubclass(kind, Chooser):
            given = {name: _inside(value, (*path, name), mistakes) for name, value in given.items()}
        if len(mistakes) > before:
            return None
        _check_arguments(kind, given)
        if given.get("seed") is not None:
            given["seed"] = _integer("seed", given["seed"])
        transform = made("", kind, [], given)
        _check_size(transform)
    except (TypeError, ValueError) as error:
        message = str(error).removeprefix(": ")
        mistakes.append(Mistake(path, _argument_of(kind, message), message))
        return None
    return transform


def _inside(value: Any, path: tuple[int | str, ...], mistakes: list[Mistake]) -> Any:
    if isinstance(value, dict):
        return _transform(value, path, mistakes)
    if isinstance(value, list) and all(isinstance(part, dict) for part in value):
        return [_transform(part, (*path, place), mistakes) for place, part in enumerate(value)]
    return value


def _check_arguments(kind: type[Transform], given: dict[str, Any]) -> None:
    """Refuses what would take memory or time without bounds, before anything is made of it."""
    for name, value in given.items():
        parts = value if isinstance(value, (list, tuple)) else [value]
        if len(parts) > _MOST_VALUES:
            raise ValueError(f"{kind.__name__}: {name} may have {_MOST_VALUES} values here, got {len(parts)}")
        most = _MOST_OF.get(name, _MOST_NUMBER)
        for part in parts:
            number = isinstance(part, (int, float)) and name != "seed"
            if number and not abs(part) <= most:
                raise ValueError(f"{kind.__name__}: {name} may be {most:,} at most here, got {part!r}")
            if isinstance(part, str) and len(part) > _MOST_NAME:
                raise ValueError(f"{kind.__name__}: {name} may have {_MOST_NAME} characters, got {len(part)}")


def _check_size(transform: Transform) -> None:
    """Refuses one that makes a picture too large of an image of any shape; see `sizes_within`."""
    if not inside(transform) and max(transform.size_after(1, 1)) > MOST_SIDE:
        raise ValueError(f"{type(transform).__name__}: pictures may have {MOST_SIDE} pixels a side here")


def _argument_of(kind: type[Transform] | None, message: str) -> str | None:
    """The argument that a message is about: the first that it names."""
    if kind is None or " takes [" in message:
        return None
    message = message.removeprefix(f"{kind.__name__}: ")
    names = [field.name for field in dataclasses.fields(kind)]
    found = {name: re.search(rf"(?<![\w(,]){name}(?!\w|=)", message) for name in names}
    places = {name: place.start() for name, place in found.items() if place}
    return min(places, key=lambda name: places[name]) if places else None


def _mistaken(message: str) -> MistakenError:
    return MistakenError([Mistake((), None, message)])
