"""Recipes: transforms with their arguments and resolved seed pairs, as JSON.

    {"stream_version": 1, "alg": "philox", "seed": [87654321, 7],
     "transforms": [{"type": "RandomFlip", "name": "random_flip", "pair": [..., ...], "mode": ...}],
     "targets": {"boxes": {"type": "Boxes", "format": "xyxy", ...}}}    # if some are declared

A recipe is all that a pixel depends on, beside the image, its id and the epoch. `stream_version` names
the rules by which words become draws and draws become pixels: a recipe keeps the version that it was made
with, and a version once released gives the same pixels for ever (`tests/test_golden.py`).
"""

import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from augrng import transforms as transforms_module
from augrng.random.keys import named_pair
from augrng.random.seeds import SeedPair, get_seed
from augrng.reading import at, loads, meant
from augrng.targets.base import Target
from augrng.targets.declared import read_targets, written_targets
from augrng.transforms import Transform
from augrng.transforms.base import Geometric
from augrng.transforms.choosing import Chooser, inside
from augrng.transforms.custom import TRANSFORMS

STREAM_VERSIONS = (1,)  # that recipes may say
STREAM_VERSION = STREAM_VERSIONS[-1]  # of new ones


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What `Compose` is made of: every name and every seed pair resolved.

    Args:
      alg: "philox" or "threefry".
      seed: the pair of the whole, or None if every transform has a seed of its own.
      transforms: in the order of their application.
      names: of the params of `flattened`, all different; "outer/inner" for one inside of another.
      pairs: the seed pair of each.
      targets: what moves with the pixels, by name; None if it is left to the examples.
      stream_version: one of STREAM_VERSIONS.
    """

    alg: str
    seed: SeedPair | None
    transforms: tuple[Transform, ...]
    names: tuple[str, ...]
    pairs: tuple[SeedPair, ...]
    targets: dict[str, Target] | None = None
    stream_version: int = STREAM_VERSION

    @property
    def flattened(self) -> tuple[Transform, ...]:
        """All transforms, those inside of one after it."""
        return tuple(_walk(self.transforms))

    @property
    def unmixed(self) -> "Recipe":
        """The recipe without its last transform, which has none inside of it."""
        names, pairs = self.names[:-1], self.pairs[:-1]
        return dataclasses.replace(self, transforms=self.transforms[:-1], names=names, pairs=pairs)

    def to_json(self) -> str:
        """The recipe as JSON text."""
        said = iter(zip(self.names, self.pairs, strict=True))

        def written(value: Any) -> Any:
            if isinstance(value, tuple):
                return [written(part) for part in value]
            if not isinstance(value, Transform):
                return value
            name, pair = next(said)
            arguments = {
                field.name: written(getattr(value, field.name)) for field in dataclasses.fields(value)
            }
            return {"type": type(value).__name__, "params": name, "pair": pair, "arguments": arguments}

        steps = written(self.transforms)
        whole = {
            "stream_version": self.stream_version,
            "alg": self.alg,
            "seed": self.seed,
            "transforms": steps,
        }
        if self.targets is not None:
            whole["targets"] = written_targets(self.targets)
        return json.dumps(whole, indent=2, default=lambda number: number.item())

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """Reads what `to_json` wrote; see `augrng.from_json`."""
        if not isinstance(text, str):
            raise TypeError(f"recipe: must be JSON text, got {type(text).__name__}; read the file first")
        try:
            whole = loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"recipe: must be JSON, got text that is not: {error}") from error
        optional = ("targets",) if isinstance(whole, dict) and "targets" in whole else ()
        _check_keys("recipe", whole, ("stream_version", "alg", "seed", "transforms", *optional))
        version = whole["stream_version"]
        if type(version) is not int or version not in STREAM_VERSIONS:
            known = ", ".join(map(str, STREAM_VERSIONS))
            raise ValueError(
                f"recipe: stream_version must be {known}, as this augrng knows, got {version!r}; install one "
                "that knows it (its changelog says so): draws or pixels are others"
            )
        said: list[tuple[str, SeedPair]] = []
        transforms = tuple(
            _read_step(f"recipe: transforms[{position}]", step, said)
            for position, step in enumerate(whole["transforms"])
        )
        seed = None if whole["seed"] is None else _read_pair("recipe: seed", whole["seed"])
        names, pairs = tuple(name for name, _ in said), tuple(pair for _, pair in said)
        return cls(whole["alg"], seed, transforms, names, pairs, read_targets(whole.get("targets")), version)


def listed(transforms: Any) -> tuple[Transform, ...]:
    """Transforms as a tuple; what is in it is looked at by `chain_of`.

    Raises:
      TypeError: if they are none, one that is in no list, or a `Compose`.
    """
    if isinstance(transforms, Transform) or not isinstance(transforms, Iterable):
        raise TypeError(
            f"transforms: must be a list of augrng transforms, got {transforms!r}; write Compose([...])"
        )
    return tuple(transforms)


def evaluated(transforms: Sequence[Transform], antialias: bool | str) -> list[Transform]:
    """What stands in the place of transforms where nothing is drawn; named where a type occurs twice."""
    left = [part for transform in transforms for part in transform.evaluation()]
    left = [
        part.with_reduction(antialias) if isinstance(part, Geometric) and part.reduction else part
        for part in left
    ]
    kinds = [type(part) for part in left]
    return [
        dataclasses.replace(part, name=f"evaluation_{place}", seed=None) if kinds.count(kind) > 1 else part
        for place, (part, kind) in enumerate(zip(left, kinds, strict=True))
    ]


def resolve(
    transforms: tuple[Transform, ...],
    seed: int | None,
    alg: str,
    shared_seed: bool,
    targets: dict[str, Target] | None = None,
) -> Recipe:
    """Finds the names and the seed pairs of transforms; see `augrng.Compose`."""
    labels = list(_labels(transforms, shared_seed))
    own_seeds = [transform.seed for transform, _, _ in labels]
    pair = get_seed(seed) if None in own_seeds or seed is not None else None
    pairs = tuple(
        get_seed(own) if own is not None else named_pair(pair, stream, alg=alg)  # type: ignore[arg-type]
        for own, (_, stream, _) in zip(own_seeds, labels, strict=True)
    )
    return Recipe(alg, pair, transforms, tuple(name for _, _, name in labels), pairs, targets)


def _walk(transforms: Sequence[Transform]) -> Iterator[Transform]:
    for transform in transforms:
        yield transform
        yield from _walk(inside(transform))


def _labels(
    transforms: Sequence[Transform], shared_seed: bool, outer: str = ""
) -> Iterator[tuple[Transform, str, str]]:
    """Each transform, the name of its stream and that of its params, those inside of one after it."""
    streams, names = _resolve_names(transforms, shared_seed)
    for transform, stream, name in zip(transforms, streams, names, strict=True):
        yield transform, outer + stream, outer + name
        yield from _labels(inside(transform), shared_seed, f"{outer}{name}/")


def _resolve_names(
    transforms: Sequence[Transform], shared_seed: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The name of each transform's stream and, where streams are shared, that of its params."""
    if not shared_seed:
        for field in ("name", "seed"):
            given = [getattr(t, field) for t in transforms if getattr(t, field) is not None]
            for value in given:
                if given.count(value) > 1:
                    raise ValueError(
                        f"{field}: two transforms must not share the {field} {value!r}; change one, or ask "
                        "for equal draws with shared_seed=True"
                    )
    kinds = [snake_case(transform) for transform in transforms]
    named = [transform.name for transform in transforms if transform.name is not None]
    for transform, kind in zip(transforms, kinds, strict=True):
        if transform.name is None and not (shared_seed and transform.seed is not None):
            _check_nameless(transforms, kinds, kind, named)
    streams = [transform.name or kind for transform, kind in zip(transforms, kinds, strict=True)]
    names: list[str] = []
    for stream in streams:
        free = (f"{stream}_{n}" for n in range(1, len(streams) + 1))
        names.append(stream if stream not in names else next(n for n in free if n not in (*names, *streams)))
    return tuple(streams), tuple(names)


def snake_case(transform: Transform) -> str:
    """What a transform is called without a name of its own."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(transform).__name__).lower()


def _check_nameless(
    transforms: Sequence[Transform], kinds: Sequence[str], kind: str, named: Sequence[str]
) -> None:
    """Refuses what would make the draws of a transform without a name depend on the others."""
    alike = [t for t, other in zip(transforms, kinds, strict=True) if other == kind and t.name is None]
    if len(alike) > 1:
        raise ValueError(
            f"name: of several transforms of one type at most one may go without a name, got {alike[0]!r} "
            f"and {alike[1]!r}; give one a name=, which its draws then follow wherever it stands"
        )
    if kind in named:
        raise ValueError(
            f"name: {kind!r} is what {alike[0]!r} is called without a name of its own; give one another name"
        )


def _read_step(where: str, step: Any, said: list[tuple[str, SeedPair]]) -> Transform:
    """The transform of a step; its name and pair, and those of the steps inside, are added to `said`."""
    where = at(where, step)
    _check_keys(where, step, ("type", "params", "pair", "arguments"))
    kind = kind_of(where, step["type"])
    given = step["arguments"]
    _check_keys(f"{where}: arguments", given, [field.name for field in dataclasses.fields(kind)])
    said.append((str(step["params"]), _read_pair(f"{where}: pair", step["pair"])))
    if issubclass(kind, Chooser):
        read = lambda name, value: _read_step(f"{where}: {name}", value, said)  # noqa: E731
        given = {name: _read_inside(name, value, read) for name, value in given.items()}
    return kind(**given)


def kind_of(where: str, name: Any) -> type[Transform]:
    """The transform of this name.

    Raises:
      ValueError: if there is none; says that one's own must be registered.
    """
    kinds = {**transforms_module.BY_NAME, **TRANSFORMS}
    if not isinstance(name, str) or name not in kinds:
        raise ValueError(
            f"{where}: type must be one of {', '.join(kinds)}, got {name!r}"
            + (meant([name], kinds) or "; import what defines it first, and let it say @augrng.register")
        )
    return kinds[name]


def _read_inside(name: str, value: Any, read: Callable[[str, Any], Transform]) -> Any:
    """The argument of a transform that has others inside, with these read."""
    if isinstance(value, dict):
        return read(name, value)
    if isinstance(value, list) and all(isinstance(part, dict) for part in value):
        return tuple(read(f"{name}[{place}]", part) for place, part in enumerate(value))
    return value


def _read_pair(where: str, pair: Any) -> SeedPair:
    if not (isinstance(pair, list) and len(pair) == 2 and all(type(v) is int for v in pair)):
        raise ValueError(f"{where}: must be two integers, got {pair!r}")
    return pair[0], pair[1]


def _check_keys(where: str, value: Any, names: Sequence[str]) -> None:
    if not isinstance(value, dict) or set(value) != set(names):
        got = sorted(value) if isinstance(value, dict) else repr(value)
        hint = meant([name for name in value if name not in names], names) if isinstance(value, dict) else ""
        raise ValueError(f"{where}: must be an object with the keys {sorted(names)}, got {got}{hint}")
