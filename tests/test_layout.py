"""The structure: imports go downward only, the library stands alone, the public surface is documented."""

import ast
import dataclasses
import inspect
from pathlib import Path

import pytest

import augrng as ar
from tests.conftest import ROOT

# What each module of augrng may import from augrng; `transforms` is the package.
ALLOWED = {
    "arguments": set(),
    "seeds": set(),
    "fixed": set(),
    "bits": {"arguments"},
    "keys": {"arguments", "bits"},
    "permutation": {"arguments", "bits"},
    "draws": set(),
    "affine": {"fixed"},
    "sampling": set(),
    "grid": {"fixed", "sampling"},
    "warp": {"fixed", "grid", "sampling"},
    "exact": {"fixed", "grid", "sampling", "warp"},
    "reduce": {"fixed"},
    "fingerprint": {"arguments"},
    "transforms": {"affine", "draws", "fixed", "sampling", "transforms"},
    "render": {"exact", "reduce", "sampling", "transforms", "warp"},
    "chain": {"affine", "arguments", "bits", "keys", "render", "sampling", "transforms"},
    "program": {"arguments", "chain", "sampling"},
    "recipe": {"keys", "seeds", "transforms"},
    "compose": {"arguments", "chain", "program", "recipe", "sampling", "seeds", "transforms"},
    "output": set(),
    "keras": {"arguments", "compose", "output"},
    "export": {"arguments", "compose", "output"},
    "stateless": {"arguments", "bits", "chain", "draws", "transforms"},
}


def imports_of(path):
    """The modules that a file imports, as dotted names; of `from a import b`, both a and a.b."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules(folder):
    return sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", modules("augrng"), ids=lambda path: path.name)
def test_imports_within_augrng_go_downward(path):
    name = path.relative_to(ROOT / "augrng").parts[0].removesuffix(".py")
    if name == "__init__":
        return
    parts = [module.split(".") for module in imports_of(path) if module.startswith("augrng.")]
    used = {
        part[1] for part in parts if (ROOT / "augrng" / f"{part[1]}.py").exists() or part[1] == "transforms"
    }
    assert used <= ALLOWED[name]


def test_the_table_above_has_no_cycle_and_no_stranger():
    assert set(ALLOWED) == {
        p.stem for p in (ROOT / "augrng").iterdir() if p.stem[0] != "_" and p.suffix != ".typed"
    }
    placed = set()
    while placed != set(ALLOWED):
        ready = {name for name, used in ALLOWED.items() if used - {name} <= placed} - placed
        assert ready
        placed |= ready


@pytest.mark.parametrize("folder", ["augrng", "pipelines", "scripts"])
def test_layers(folder):
    below = {"augrng": (), "pipelines": ("augrng",), "scripts": ("augrng", "pipelines")}[folder]
    ours = {"augrng", "pipelines", "scripts", "tests"}
    for path in modules(folder):
        roots = {module.split(".")[0] for module in imports_of(path)}
        assert roots & ours <= {folder, *below}
        if folder == "augrng":
            outside = {root for root in roots - ours if root not in STANDARD}
            assert outside <= {"tensorflow", "numpy", "keras"}
            assert "keras" not in outside or path.name == "keras.py"


STANDARD = __import__("sys").stdlib_module_names


@pytest.mark.parametrize("path", [p for f in ("augrng", "pipelines", "scripts") for p in modules(f)], ids=str)
def test_files_stay_small(path):
    assert len(path.read_text().splitlines()) <= 300


def test_only_the_folders_of_the_layout():
    tracked = {p.name for p in ROOT.iterdir() if p.is_dir() and not p.name.startswith((".", "__"))}
    made = {"out", "build"} | {p for p in tracked if p.endswith(".egg-info")}
    assert tracked - made == {"augrng", "pipelines", "scripts", "tests"}


@pytest.mark.parametrize("folder", ["augrng", "pipelines"])
def test_the_picture_in_the_readme_names_each_module(folder):
    picture = (ROOT / "README.md").read_text().split("## Layout")[1]
    named = {line.split()[0] for line in picture.splitlines() if line.startswith("      ")}
    there = {path.name for path in (ROOT / folder).glob("*.py") if path.name[0] != "_"}
    assert there <= named


PUBLIC = {name: getattr(ar, name) for name in dir(ar) if callable(getattr(ar, name)) and name[0] != "_"}


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_documented(name):
    thing = PUBLIC[name]
    text = inspect.getdoc(thing)
    assert text
    first = text.splitlines()[0]
    assert first.endswith("."), first
    if not dataclasses.is_dataclass(thing):
        for parameter in inspect.signature(thing).parameters:
            assert parameter in text or "see `" in text


@pytest.mark.parametrize("name", [n for n in PUBLIC if n.startswith("stateless_")])
def test_stateless_functions_take_the_image_first(name):
    parameters = list(inspect.signature(PUBLIC[name]).parameters.values())
    assert parameters[0].name == "image"
    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert positional[-1] == "seed"
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters if p.default is not p.empty)


def test_the_commands_can_be_run():
    for script in (
        "demo",
        "test",
        "demo.py",
        "preview.py",
        "build.py",
        "verify.py",
        "bench.py",
        "bench_tensorflow.py",
        "bench_peers.py",
        "train.py",
        "experiment.py",
        "export.py",
        "run_in_jax.py",
        "gpu_check.py",
    ):
        assert (ROOT / "scripts" / script).stat().st_mode & 0o111
    assert Path(ROOT / ".ci" / "run").stat().st_mode & 0o111
