#!/usr/bin/env python3
"""A newcomer's way, timed: a fresh clone, then each command and program of the first page as written there.

The steps are read out of README.md: `scripts/demo`, the programs, the preview of an own folder, the replay
of one of its pictures. The folder is made of crops of two photographs. The clone borrows the environment
that runs this, unless --install makes it install everything anew.
"""

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NOT_TAKEN = ("scripts/test", "pip ")  # the checks take half an hour; scripts/demo has installed by then


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--install", action="store_true", help="into a .venv of its own, as scripts/demo does"
    )
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder, "augrng")
        timed("git clone", ["git", "clone", "--quiet", str(ROOT), str(clone)], Path(folder))
        if not args.install:
            borrow(clone, clone)
        for step in steps((clone / "README.md").read_text()):
            status = taken(step, clone)
            if status:
                return status
    return 0


def borrow(clone: Path, source: Path) -> None:
    """Gives the clone a .venv that stands for the interpreter running this, with the library in `source`."""
    bin_ = clone / ".venv" / "bin"
    bin_.mkdir(parents=True)
    python = f'#!/bin/sh\nPYTHONPATH="{source}" exec "{sys.executable}" "$@"\n'
    for name, lines in (("python", python), ("augrng", python.replace('"$@"', '-m augrng "$@"'))):
        (bin_ / name).write_text(lines)
        (bin_ / name).chmod(0o755)
    (clone / ".venv" / "installed-pipelines").write_text((source / "pyproject.toml").read_text().rstrip("\n"))


def steps(page: str) -> Iterator[tuple[str, str]]:
    """Each command and program of a page in order, with its kind: "sh" or "python"."""
    for kind, text in re.findall(r"^```(sh|python)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        for step in text.splitlines() if kind == "sh" else [text]:
            if not step.startswith(NOT_TAKEN):
                yield kind, step


def taken(step: tuple[str, str], clone: Path) -> int:
    """Takes one step in the clone as a reader would; its exit status."""
    kind, text = step
    if not (clone / "photos").exists() and "photos" in text:
        timed("a folder of pictures", [str(clone / ".venv/bin/python"), "-c", PICTURES], clone)
    if kind == "python":
        return timed(text.splitlines()[-1], [str(clone / ".venv/bin/python"), "-c", text], clone)
    return timed(text.partition("  #")[0], ["bash", "-c", text], clone)


def timed(name: str, command: list[str], folder: Path) -> int:
    """Runs a command and says how long it took, by the clock and of CPU time; its exit status.

    What it printed is shown if it failed.
    """
    start, used = time.perf_counter(), cpu_time()
    path = f"{folder / '.venv/bin'}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    took, used = time.perf_counter() - start, cpu_time() - used
    print(f"{took:6.1f} s {used:6.1f} s CPU  {name}", flush=True)
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
    return done.returncode


def cpu_time() -> float:
    """Of the processes that ran so far, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


PICTURES = """
from pathlib import Path
from PIL import Image
from pipelines.sources.digits import photo_paths

for kind, path in zip(("cats", "dogs"), photo_paths()):
    Path("photos", kind).mkdir(parents=True)
    for n in range(40):
        left, top = 9 * n, 5 * n % 200
        Image.open(path).crop((left, top, left + 240, top + 200)).save(f"photos/{kind}/{n}.jpg")
"""


if __name__ == "__main__":
    sys.exit(main())
