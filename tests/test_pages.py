"""Every block of every page is run, parsed or named here with the reason why not; links lead somewhere."""

import argparse
import ast
import contextlib
import importlib
import inspect
import io
import json
import re
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import augrng as ar
import pipelines as pl
from pipelines.commands import table
from pipelines.service.trainer import ServiceOptions
from tests.conftest import ROOT
from tests.files import encoded
from tests.pages import PAGES, anchors, blocks, commands, indented, links, text_of

BLOCKS = [block for page in PAGES for block in blocks(page)]
NOT_RUN = {  # what a program holds -> why it is not run here
    'service="grpc://localhost:5050"': "needs a dispatcher and workers; tests/service has them",
    "class Augmented(torch": "needs torch; tests/test_frameworks.py runs it where that is",
    "source = pl.from_arrays(images[:1400]": "needs another backend; tests/test_frameworks.py runs it",
}
SHOWN = {  # what a text holds that no program prints -> what looks at it
    "epoch 0: fingerprint": "tests/scripts/test_commands.py",
    "from records to batches; imports augrng  ": "tests/test_layout.py",
    "augrng/                 the library": "tests/test_layout.py",
    "pipelines/              from records": "tests/test_layout.py",
}
OUTSIDE = {  # commands that change an environment or need a network
    "pip": "installs; its extras are looked up",
    ".venv/bin/pip": "installs; its extras are looked up",
    "scripts/run_in_jax.py": "needs jax; tests/test_export.py runs it where that is",
}


def left_out(block):
    return [mark for mark in NOT_RUN if mark in block.text]


PROGRAMS = [block for block in BLOCKS if block.language == "python" and not left_out(block)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the pages' programs find where they are started: pictures, masks, records, annotations."""
    here = tmp_path_factory.mktemp("pages")
    (ROOT / "out" / "data").mkdir(parents=True, exist_ok=True)
    (here / "out").mkdir()
    (here / "out" / "data").symlink_to(ROOT / "out" / "data")
    rng = np.random.default_rng(5)

    def write(name, contents):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_bytes(contents)

    for n in range(20):
        kind = ("cats", "dogs")[n % 2]
        picture = encoded(rng.integers(0, 256, (40, 48, 3), np.uint8))
        for place in ("photos", "sets/train", "sets/test"):
            write(f"{place}/{kind}/{n}.jpg", picture)
        write(f"masks/{kind}/{n}.png", encoded(np.zeros((40, 48), np.uint8), "PNG", "L"))
    write("val2017/1.jpg", picture)
    box = {"id": 1, "image_id": 1, "category_id": 3, "bbox": [4, 5, 20, 10], "iscrowd": 0, "area": 200}
    box["segmentation"] = [[4, 5, 24, 5, 24, 15, 4, 15]]
    coco = {
        "images": [{"id": 1, "file_name": "1.jpg", "height": 40, "width": 48}],
        "categories": [{"id": 3, "name": "cat"}],
        "annotations": [box],
    }
    write("instances_val2017.json", json.dumps(coco).encode())
    for name, array in (
        ("images-idx3", np.zeros((4, 28, 28), np.uint8)),
        ("labels-idx1", np.zeros(4, np.uint8)),
    ):
        head = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
        write(f"train-{name}-ubyte.gz", head + array.tobytes())
    (here / "data").mkdir()
    records(here / "data" / "1.tfrecord", image=picture, name=b"1")
    sides = {
        f"image/object/bbox/{side}": [0.1, 0.6][side[1:] == "max"]
        for side in ("ymin", "xmin", "ymax", "xmax")
    }
    detection = {"image/encoded": picture, "image/source_id": b"1", "image/object/class/label": 3, **sides}
    records(here / "detection.tfrecord", **detection)
    return here


def records(path, **features):
    """One tf.train.Example as a TFRecord file."""
    kinds = {bytes: "bytes_list", int: "int64_list", float: "float_list"}
    example = tf.train.Example()
    for name, value in features.items():
        getattr(example.features.feature[name], kinds[type(value)]).value.append(value)
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(example.SerializeToString())


@pytest.mark.parametrize("page", dict.fromkeys(block.page for block in PROGRAMS), ids=str)
def test_programs_print_what_the_page_says(page, folder, monkeypatch):
    """A page's programs one after another, as a reader types them."""
    monkeypatch.chdir(folder)
    names = {}
    for block in (block for block in PROGRAMS if block.page == page):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile("\n" * block.line + block.text, str(page), "exec"), names)
        if block.printed is None:
            assert "print(" not in block.text, block
        else:
            assert out.getvalue() == block.printed, block


def test_every_block_is_of_a_kind_that_is_looked_at():
    assert {block.language for block in BLOCKS} == {"python", "sh", "text"}
    assert {page: lines for page in PAGES if (lines := indented(page))} == {}
    waiting = [block for block in BLOCKS if block.language == "python" and left_out(block)]
    assert sorted(mark for block in waiting for mark in left_out(block)) == sorted(NOT_RUN)
    shown = [block for block in BLOCKS if block.language == "text"]
    assert sorted(mark for block in shown for mark in SHOWN if mark in block.text) == sorted(SHOWN)
    assert len(shown) == len(SHOWN)


def test_programs_that_are_not_run_could_be():
    """They are Python, and what they call takes the arguments that they give."""
    checked = 0
    for block in (block for block in BLOCKS if block.language == "python" and left_out(block)):
        for call in (node for node in ast.walk(ast.parse(block.text)) if isinstance(node, ast.Call)):
            room, _, name = ast.unparse(call.func).rpartition(".")
            if room in ("ar", "pl"):
                known = inspect.signature(getattr({"ar": ar, "pl": pl}[room], name)).parameters
                given = {word.arg for word in call.keywords}
                assert given - set(ServiceOptions.__annotations__) <= set(known), block
                checked += 1
    assert checked >= 5


class UnderstoodError(Exception):
    """The arguments were understood."""


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "sh"], ids=str)
def test_commands_are_understood(block, monkeypatch):
    parse = argparse.ArgumentParser.parse_args

    def parsed(*given):
        parse(*given)
        raise UnderstoodError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parsed)
    monkeypatch.setattr(argparse.ArgumentParser, "parse_intermixed_args", parsed)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for command, *arguments in commands(block):
        monkeypatch.setattr(sys, "argv", [command, *arguments])
        if command in OUTSIDE:
            assert set(re.findall(r"\[(\w+)\]", " ".join(arguments))) <= set(extras)
        elif command == "augrng":
            with pytest.raises(UnderstoodError):
                table.main()
        elif command.endswith(".py"):
            with pytest.raises(UnderstoodError):
                importlib.import_module(command.removesuffix(".py").replace("/", ".")).main()
        else:
            assert (ROOT / command).stat().st_mode & 0o111, command
            assert not arguments


@pytest.mark.parametrize("page", [*PAGES, Path("CHANGELOG.md")], ids=str)
def test_links_lead_somewhere(page):
    for link in links(page):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page.parent / path).resolve() if path else ROOT / page
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.relative_to(ROOT)), link


def test_every_page_is_reached_from_the_first_one():
    reached = {(ROOT / link.partition("#")[0]).resolve() for link in links(Path("README.md"))}
    assert {ROOT / page for page in PAGES} - {ROOT / "README.md"} <= reached


def test_the_page_of_scripts_names_each_of_them():
    text = text_of(Path("scripts/README.md"))
    files = {path.name for path in (ROOT / "scripts").iterdir() if path.is_file()} - {"README.md"}
    assert {name for name in files if not re.search(rf"[`/]{re.escape(name)}`", text)} == set()


def test_pages_stay_short():
    assert len(text_of(Path("README.md")).splitlines()) <= 140
    assert {page for page in PAGES if len(text_of(page).splitlines()) > 310} == set()
