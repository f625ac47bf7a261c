"""The notebooks run from their first cell to their last, and print what is kept in them."""

import os

import nbformat
import pytest

from scripts import run_notebooks
from tests.conftest import QUICK


@pytest.mark.slow
@pytest.mark.parametrize("path", run_notebooks.NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_print_what_they_keep(path, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", f"{QUICK} {os.environ.get('XLA_FLAGS', '')}")
    kept = nbformat.read(path, 4)
    assert run_notebooks.differing(kept, run_notebooks.executed(kept)) == []


def test_they_are_kept_with_small_pictures_and_are_the_three():
    assert [path.stem for path in run_notebooks.NOTEBOOKS] == ["classification", "detection", "epochs_repeat"]
    for path in run_notebooks.NOTEBOOKS:
        assert path.stat().st_size < 300_000
        cells = run_notebooks.code(nbformat.read(path, 4))
        assert all(cell.execution_count for cell in cells)
        shown = [run_notebooks.shown(cell) for cell in cells]
        assert ["a picture"] in shown
        assert any("<table>" in text for texts in shown for text in texts)


def test_what_differs_is_named():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1")])
    other = nbformat.from_dict(notebook)
    other.cells[0].outputs = [nbformat.v4.new_output("stream", text="2\n")]
    assert run_notebooks.differing(notebook, other) == ["cell 1: [] is kept, ['2\\n'] came"]
    other.cells[0].metadata["tags"] = ["varies"]
    assert run_notebooks.differing(notebook, other) == []
