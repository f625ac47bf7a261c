"""The API reference: built without a warning, with every public name in it."""

import inspect
import re

import pytest

import augrng as ar
import pipelines as pl
from scripts import reference
from tests.conftest import status_of


def left_in(module):
    """What a module holds but for modules, which whoever is first imports."""
    return {name: value for name, value in vars(module).items() if not inspect.ismodule(value)}


def test_it_has_every_public_name_and_nothing_to_warn_of(tmp_path, capsys):
    before = left_in(ar)
    assert status_of(reference.main, "--out", tmp_path) == 0, capsys.readouterr().err
    assert left_in(ar) == before
    pages = {path.stem: path.read_text() for path in tmp_path.rglob("*.html")}
    assert set(pages) == {"index", "augrng", "keras", "export", "presets", "pipelines"}
    for page, module in (("augrng", ar), ("pipelines", pl)):
        sections = set(re.findall(r'<section id="(\w+)">', pages[page]))
        elsewhere = {"presets", "STREAM_VERSION"}  # a page of its own, and a number without a docstring
        assert set(module.__all__) - elsewhere == sections
    assert "<strong>degrees:</strong>" in pages["augrng"]  # of a list of arguments
    assert "2**31" in re.sub(r"<[^>]+>", "", pages["augrng"])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2**31 - 1 and 2**24", r"2\*\*31 - 1 and 2\*\*24"),
        ("`2**31`", "`2**31`"),
        ("**bold** words", "**bold** words"),
    ],
)
def test_powers_are_no_marks(text, shown):
    assert reference.with_powers(text) == shown
