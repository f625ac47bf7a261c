#!/usr/bin/env python3
"""Writes the API reference, made from the docstrings by pdoc: index.html and a page for each public module.

What is public: `augrng`, its modules `keras`, `export` and `presets`, and `pipelines` (installed:
`augrng.pipelines`), each with the names of its `__all__`. Whatever pdoc warns of ends it with status 1.
"""

import argparse
import contextlib
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pdoc

import augrng as ar
import pipelines as pl
from pipelines.commands.starting import start

MODULES = ("augrng", "augrng.keras", "augrng.export", "pipelines")  # `augrng.presets` is in augrng's __all__
HIDDEN = ("!augrng.fingerprint",)  # the module that has the function
TEMPLATES = Path(__file__).resolve().parent / "templates"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/reference"), help="default out/reference")
    args = parser.parse_args(arguments)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        build(args.out)
    for warning in warned:
        print(f"reference: {warning.message}", file=sys.stderr)
    print(f"{args.out}/index.html: {', '.join(MODULES)}")
    return 1 if warned else 0


def build(out: Path) -> None:
    """Writes the pages below `out`."""
    pdoc.render.configure(
        docformat="google",
        include_undocumented=False,
        show_source=False,
        footer_text=f"augrng {ar.__version__}, stream version {ar.STREAM_VERSION}",
        template_directory=TEMPLATES,
    )
    filters = pdoc.render.env.filters
    powers = {"to_html": lambda text, html=filters["to_html"]: html(with_powers(text))}
    with mock.patch.dict(filters, powers), readable(ar), readable(pl):
        pdoc.pdoc(*MODULES, *HIDDEN, output_directory=out)


def with_powers(text: str) -> str:
    """Markdown in which 2**31 is no mark of something bold."""
    return re.sub(r"(`[^`]*`)|(?<=[\w)])\*\*(?=[\w(-])", lambda found: found[1] or r"\*\*", text)


@contextlib.contextmanager
def readable(module: ModuleType) -> Iterator[None]:
    """A package as pdoc can read it: names that come when they are asked for, groups of names as a list."""
    names = {name: getattr(module, name) for name in module.__all__}
    groups = re.sub(r"\n  +", " ", module.__doc__ or "")
    listed = re.sub(
        r"^([A-Z][\w ,']+): (\w+(?:, \w+)*)$",
        lambda group: f"- **{group[1]}**: " + ", ".join(f"`{name}`" for name in group[2].split(", ")),
        groups,
        flags=re.MULTILINE,
    )
    with mock.patch.dict(vars(module), {**names, "__doc__": listed}):
        yield


if __name__ == "__main__":
    start(main)
