"""The structure: imports go downward only, the library stands alone, the public surface is documented."""

import ast
import dataclasses
import importlib.util
import inspect
import re
import typing
from pathlib import Path

import numpy as np
import pytest

import augrng as ar
import pipelines as pl
from pipelines.run.options import Options
from pipelines.service.trainer import ServiceOptions
from tests.conftest import ROOT

# What each module or room of augrng may import from augrng.
AUGRNG = {
    "starting": set(),
    "pipelines": set(),  # a name for the folder beside it
    "arguments": set(),
    "converting": set(),
    "compiled": set(),
    "caching": {"compiled", "kept"},
    "kept": {"compiled"},
    "fixed": {"compiled"},
    "random": {"arguments", "compiled", "converting"},
    "geometry": {"fixed"},
    "color": {"fixed"},
    "transforms": {"color", "fixed", "geometry", "random"},
    "render": {"compiled", "geometry", "transforms"},
    "members": {"transforms"},
    "maps": {"geometry", "members", "render", "transforms"},
    "stages": {"color", "fixed", "maps", "members", "transforms"},
    "targets": {"arguments", "compiled", "fixed", "geometry", "maps", "render", "transforms"},
    "chain": {
        "arguments",
        "compiled",
        "geometry",
        "maps",
        "members",
        "random",
        "render",
        "stages",
        "transforms",
    },
    "program": {"arguments", "chain", "geometry", "maps", "targets", "transforms"},
    "html": {"random", "targets", "transforms"},
    "reading": set(),
    "recipe": {"random", "reading", "targets", "transforms"},
    "mixing": {
        "arguments",
        "chain",
        "compiled",
        "converting",
        "random",
        "recipe",
        "render",
        "targets",
        "transforms",
    },
    "compose": {
        *(
            "arguments",
            "chain",
            "converting",
            "html",
            "members",
            "mixing",
            "program",
            "random",
            "recipe",
            "targets",
            "transforms",
        ),
    },
    "written": {"compose", "reading", "recipe", "targets", "transforms"},
    "python": {"compose", "random", "targets", "transforms"},
    "presets": {"compose", "recipe", "transforms"},
    "output": {"converting"},
    "fingerprint": {"arguments"},
    "keras_names": {"compose", "targets"},
    "keras_log": set(),
    "finishing": {"arguments", "chain", "compose", "transforms"},
    "keras_base": {"compose", "output"},
    "keras_finish": {"compose", "converting", "finishing", "keras_base", "transforms"},
    "keras": {
        "arguments",
        "compose",
        "converting",
        "keras_base",
        "keras_finish",
        "keras_log",
        "keras_names",
        "targets",
        "transforms",
    },
    "export": {"arguments", "compose", "output"},
    "stateless": {"arguments", "chain", "converting", "random", "transforms"},
}
PIPELINES = {
    "steps": set(),
    "rows": set(),
    "sources": {"rows", "steps"},
    "images": {"rows", "sources"},
    "service": {"sources"},
    "run": {"images", "rows", "service", "sources", "steps"},
    "train": {"run", "sources"},
    "disk": {"images", "run", "sources", "steps"},
    "show": {"images", "run", "sources"},
    "live": {"show", "sources"},
    "commands": {"live", "train", "disk", "images", "run", "service", "show", "sources", "steps"},
    "bench": {"commands", "disk", "images", "rows", "run", "sources", "steps"},
}
ROOMS = [("augrng", AUGRNG), ("pipelines", PIPELINES)]


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


def name_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


GRAPH = {  # module of ours -> those it imports
    name_of(path): {module for module in imports_of(path) if module != name_of(path)}
    for folder, _ in ROOMS
    for path in modules(folder)
}


@pytest.mark.parametrize("name", GRAPH)
def test_imports_go_downward(name):
    package, room, *_ = name.split(".")
    if room in ("__init__", "__main__"):
        return
    allowed = dict(ROOMS)[package]
    used = {module.split(".")[1] for module in GRAPH[name] if module.startswith(f"{package}.")}
    assert used & set(allowed) <= {room, *allowed[room]}


def test_no_module_imports_itself_by_way_of_others():
    placed = {name for name in GRAPH if name.endswith("__init__")}
    while placed != set(GRAPH):
        ready = {name for name, used in GRAPH.items() if used & set(GRAPH) <= placed} - placed
        assert ready, set(GRAPH) - placed
        placed |= ready


@pytest.mark.parametrize(("folder", "rooms"), ROOMS)
def test_the_tables_above_have_no_cycle_and_no_stranger(folder, rooms):
    there = {p.stem for p in (ROOT / folder).iterdir() if p.stem[0] != "_" and p.suffix in ("", ".py")}
    assert set(rooms) == there
    placed = set()
    while placed != set(rooms):
        ready = {name for name, used in rooms.items() if used <= placed} - placed
        assert ready
        placed |= ready


def test_rooms_stay_small_and_tests_mirror_them():
    for folder, _ in ROOMS:
        for room in (ROOT / folder).iterdir():
            if room.is_dir() and room.name[0] != "_":
                assert len([path for path in room.glob("*.py") if path.stem != "__init__"]) <= 12
                assert list((ROOT / "tests" / room.name).glob("test_*.py"))


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
            assert "keras" not in outside or path.name.startswith("keras")


STANDARD = __import__("sys").stdlib_module_names


@pytest.mark.parametrize("path", [p for f in ("augrng", "pipelines", "scripts") for p in modules(f)], ids=str)
def test_files_stay_small(path):
    assert len(path.read_text().splitlines()) <= 300


def test_only_the_folders_of_the_layout():
    tracked = {p.name for p in ROOT.iterdir() if p.is_dir() and not p.name.startswith((".", "__"))}
    made = {"out", "build"} | {p for p in tracked if p.endswith(".egg-info")}
    assert tracked - made == {"augrng", "pipelines", "scripts", "tests"}


@pytest.mark.parametrize("folder", ["augrng", "pipelines"])
def test_the_picture_in_the_page_names_each_module(folder):
    page = (ROOT / folder / "README.md").read_text()
    head, *lines = re.findall(r"(?s)## Layout\n\n```text\n(.*?)\n(?:\n|```)", page)[0].splitlines()
    assert head.startswith(f"{folder}/ ")
    named, rooms = set(), {0: ""}
    for line in lines:
        depth, name = len(line) - len(line.lstrip()), line.split()[0]
        named.add(rooms[depth - 2] + name)
        rooms[depth] = rooms[depth - 2] + name
    files = {path.relative_to(ROOT / folder) for path in modules(folder)}
    there = {str(path) for path in files if path.stem != "__init__"}
    assert named == there | {f"{path.parent}/" for path in files if path.parent.name} | (
        {"__init__.py"} if "__init__.py" in named else set()
    )


@pytest.mark.parametrize(("package", "within"), [(ar, ["presets"]), (pl, [])])
def test_the_public_names_are_in_groups(package, within):
    """In the docstring, which `help` begins with; `dir` has these names and no modules but `presets`."""
    groups = [line for line in re.sub(r"\n  +", " ", package.__doc__).splitlines() if ": " in line]
    named = [name for line in groups for name in line.partition(": ")[2].split(", ") if name[0] != "`"]
    assert named == package.__all__
    assert len(set(named)) == len(named)
    assert set(dir(package)) == {*named, *(["__version__"] if package is ar else [])}
    assert [name for name in dir(package) if inspect.ismodule(getattr(package, name))] == within
    here = {name for name, thing in vars(package).items() if not inspect.ismodule(thing) and name[0] != "_"}
    assert here - {"TYPE_CHECKING", "Any"} <= set(named)


def test_the_changelog_has_this_version_and_what_comes_after_it():
    """Above the version that is released stands what is not, with a word on random streams in any case."""
    top, here, *_ = re.split(r"(?m)^## ", (ROOT / "CHANGELOG.md").read_text())[1:]
    assert top.startswith("Unreleased\n")
    assert "### Random streams\n- " in top
    assert re.match(rf"{re.escape(ar.__version__)} - 20\d\d-\d\d-\d\d\n", here)


def test_types_are_there_for_those_who_ask():
    """What is public has types, and decorators leave them to mypy (a decorator without types takes them)."""
    hints = typing.get_type_hints(pl.make_dataset)
    assert set(inspect.signature(pl.make_dataset).parameters) < set(hints)
    assert hints["source"] is pl.Source
    assert hints["aug"] is ar.Compose
    options = typing.get_type_hints(Options)
    assert set(options) == {*hints, *inspect.get_annotations(ServiceOptions)} - {
        "source",
        "aug",
        "device",
        "at_service",
        "return",
    }
    assert all(options[name] == hint for name, hint in hints.items() if name in options)
    for package in (ar, pl):
        for name in package.__all__:
            if inspect.isfunction(getattr(package, name)):
                hints = typing.get_type_hints(getattr(package, name))
                assert {*inspect.signature(getattr(package, name)).parameters, "return"} == set(hints), name
    for path in [*modules("augrng"), *modules("pipelines")]:
        assert "@tf.autograph.experimental" not in path.read_text(), path
    source = repr(pl.from_arrays(np.zeros([3, 2, 2, 1], np.uint8)))
    assert source == "<Source arrays (3, 2, 2, 1): 3 records, random access>"


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


def test_a_wheel_has_pipelines_within_augrng(monkeypatch):
    """What its modules import there, and which packages there are; setup.py lays it out."""
    monkeypatch.chdir(ROOT)
    spec = importlib.util.spec_from_file_location("setup", ROOT / "setup.py")
    setup = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(setup)
    roots = {"augrng", *STANDARD}
    for path in modules("pipelines"):
        text = path.read_text()
        for node in ast.walk(ast.parse(setup.placed(text))):
            named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            named += [node.module] if isinstance(node, ast.ImportFrom) else []
            roots |= {name.split(".")[0] for name in named}
    assert "pipelines" not in roots
    packages = setup.layout(editable=False)["packages"]
    assert {name.split(".")[0] for name in packages} == {"augrng"}
    folders = {path.parent for folder in ("augrng", "pipelines") for path in modules(folder)}
    assert len(packages) == len(folders)
    assert {"augrng", "pipelines"} <= set(setup.layout(editable=True)["packages"])


def test_the_commands_can_be_run():
    for script in (
        "demo",
        "test",
        "demo.py",
        "preview.py",
        "build.py",
        "verify.py",
        "bench.py",
        "train.py",
        "experiment.py",
        "scenes.py",
        "simulate.py",
        "reference.py",
        "run_notebooks.py",
        "run_tests.py",
        "newcomer.py",
        "export.py",
        "run_in_jax.py",
        "gpu_check.py",
        "replay.py",
        "service.py",
        "matrix",
        "serve.py",
    ):
        assert (ROOT / "scripts" / script).stat().st_mode & 0o111
    assert Path(ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_tensorflow_datasets_comes_when_it_is_asked_for():
    """It takes half a second to import."""
    heads = {
        name_of(path).removesuffix(".__init__"): ast.parse(path.read_text()).body
        for path in modules("pipelines")
    }
    reached, waiting = set(), ["pipelines"]
    while waiting:
        name = waiting.pop()
        reached.add(name)
        for node in heads.get(name, ()):
            used = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            used += [node.module] if isinstance(node, ast.ImportFrom) else []
            waiting += set(used) - reached
    assert {"pipelines.run.dataset", "tensorflow"} <= reached
    assert "tensorflow_datasets" not in reached
    assert "from_tfds" in dir(pl)
    assert pl.from_tfds.__module__ == "pipelines.sources.tfds"
