"""Recipes as HTML, for notebooks."""

import dataclasses
from collections.abc import Mapping
from html import escape

from augrng.random.seeds import SeedPair
from augrng.targets import Target
from augrng.transforms import Transform


def recipe_table(
    transforms: Mapping[str, Transform], seeds: Mapping[str, SeedPair], targets: Mapping[str, Target] | None
) -> str:
    """A table: a transform a row, those inside of others indented, with their arguments and seed pairs.

    No style but a left margin: it is as light or dark as the notebook.
    """
    rows = [_row(name, transform, seeds[name]) for name, transform in transforms.items()]
    moved = "".join(f"<br>{escape(name)}: {escape(repr(one))}" for name, one in (targets or {}).items())
    head = "<tr><th>name</th><th>transform</th><th>arguments</th><th>seed pair</th></tr>"
    below = f"<p>targets{moved}</p>" if targets is not None else ""
    return f"<table><caption>augrng.Compose</caption>{head}{''.join(rows)}</table>{below}"


def _row(name: str, transform: Transform, pair: SeedPair) -> str:
    depth = name.count("/")
    said = {
        field.name: getattr(transform, field.name)
        for field in dataclasses.fields(transform)
        if field.name not in ("name", "seed") and getattr(transform, field.name) != field.default
    }
    arguments = ", ".join(f"{key}={value!r}" for key, value in said.items() if not _holds_transforms(value))
    cells = [type(transform).__name__, arguments, f"({pair[0]}, {pair[1]})"]
    first = f'<td style="padding-left: {1 + 2 * depth}em; text-align: left">{escape(name)}</td>'
    return f"<tr>{first}{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def _holds_transforms(value: object) -> bool:
    """Whether an argument is what is inside of a transform, which has rows of its own."""
    parts = value if isinstance(value, tuple) else (value,)
    return bool(parts) and all(isinstance(part, Transform) for part in parts)
