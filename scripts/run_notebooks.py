#!/usr/bin/env python3
"""Runs the notebooks of scripts/notebooks from their first cell to their last, and keeps what they show.

With --check nothing is written: it says where a notebook prints something else than is kept, and ends with
status 1. Cells tagged "varies" are run, and what they show is not compared.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "scripts" / "notebooks").glob("*.ipynb"))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, default=NOTEBOOKS, help="default: all")
    parser.add_argument("--check", action="store_true", help="compare with what is kept, and write nothing")
    args = parser.parse_args(arguments)
    differences = 0
    for path in args.notebooks:
        kept = nbformat.read(path, 4)
        made = executed(kept)
        if args.check:
            found = differing(kept, made)
            print(*(f"{path.name}: {line}" for line in found), sep="\n", end="\n" if found else "")
            differences += len(found)
        else:
            nbformat.write(made, path)
            print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")
    return 1 if differences else 0


def executed(notebook: Any) -> Any:
    """The notebook as it is after a run in a fresh kernel, without what was written to standard error."""
    made = nbformat.from_dict(notebook)
    environment = {
        "PYTHONPATH": str(ROOT),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(made, timeout=900, resources={"metadata": {"path": folder}})  # s a cell
        client.execute(env={**os.environ, **environment})
    for cell in code(made):
        cell.outputs = joined([one for one in cell.outputs if one.get("name") != "stderr"])
        cell.metadata.pop("execution", None)  # when it ran
    made.metadata = {"kernelspec": kernel(), "language_info": {"name": "python"}}
    return made


def joined(outputs: list[Any]) -> list[Any]:
    """What one cell shows: all that it prints as one text, however it came; each picture as PNG alone."""
    printed = [one for one in outputs if one.output_type == "stream"]
    for one in printed[1:]:
        printed[0].text += one.text
    for one in outputs:
        one.get("data", {}).pop("image/jpeg", None)
    return printed[:1] + [one for one in outputs if one.output_type != "stream"]


def differing(kept: Any, made: Any) -> list[str]:
    """Where two runs of a notebook show something else, a line each; pictures are not looked into."""
    return [
        f"cell {number}: {shown(before)!r} is kept, {shown(after)!r} came"
        for number, (before, after) in enumerate(zip(code(kept), code(made), strict=True), start=1)
        if "varies" not in after.metadata.get("tags", ()) and shown(before) != shown(after)
    ]


def shown(cell: Any) -> list[str]:
    """What a cell prints and shows, as text."""
    texts = []
    for output in cell.outputs:
        data = output.get("data", {})
        picture = "a picture" if "image/png" in data else None
        texts.append(picture or output.get("text") or data.get("text/html") or data["text/plain"])
    return texts


def code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def kernel() -> dict[str, str]:
    return {"display_name": "Python 3", "language": "python", "name": "python3"}


if __name__ == "__main__":
    sys.exit(main())
