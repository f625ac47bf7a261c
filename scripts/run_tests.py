#!/usr/bin/env python3
"""Runs all tests, some groups of files at once, each in a process of its own; see scripts/test.

A process keeps every program that it compiled: one for all tests would take 12 GB, and one for each file
would start TensorFlow a hundred times. After all groups come the slowest ten tests and the memory taken.
"""

import concurrent.futures
import ctypes.util
import functools
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "out" / "tests"
LIMIT = 1800  # seconds, after which a group is ended: some test never does

# Parts of the harness, by the names of its cases.
CHOSEN = "choosing or augmix or policies"
COLORED = "colors or covering"
RESIZED = "resize or moving or perspective or reduced"

# Those that take longest come first, so that none is left alone at the end; the last takes all others.
GROUPS = f"""
tests/train/test_training.py
tests/train
tests/images/test_read.py
tests/test_invariance.py -k '{CHOSEN}'
tests/test_keras.py
tests/scripts/test_commands.py
tests/sources/test_sources.py
tests/test_invariance.py -k 'not ({CHOSEN} or {COLORED} or {RESIZED})'
tests/bench
tests/disk/test_resume.py
tests/test_invariance.py -k '{COLORED}'
tests/run/test_recipes.py
tests/test_invariance.py -k '{RESIZED}'
tests/disk/test_build.py
tests/sources/test_offsets.py
tests/run/test_dataset.py
tests/run/test_device.py
tests/run/test_moved.py
tests/run/test_lengths.py tests/run/test_mixed.py
tests/run
tests/test_pages.py
tests/scripts
tests/commands tests/show
tests/disk
tests/sources
tests/images
tests/targets
tests/transforms tests/color
tests/geometry
tests/random tests/service
tests/live
tests/test_golden.py -k threefry
tests/test_golden.py -k 'not threefry'
tests/test_compose.py tests/test_stateless.py tests/test_fixed.py
tests
""".strip().splitlines()


class Done(NamedTuple):
    """What a group came to: exit status, output, seconds, and the most bytes that one process of it took."""

    group: str
    status: int
    said: str
    seconds: float
    size: int


def main() -> int:
    taken: list[str] = []
    commands = []
    for number, group in enumerate(GROUPS):
        given = shlex.split(group)
        paths = [one for one in given if one.startswith("tests")]
        ignored = [f"--ignore={one}" for one in taken if any(one.startswith(f"{path}/") for path in paths)]
        commands.append([*given, *ignored, f"--junitxml={RESULTS / str(number)}.xml"])
        taken += paths
    shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir(parents=True)
    start, done = time.monotonic(), []
    # One more than there are cores: some tests wait for files, or for what they killed.
    with concurrent.futures.ThreadPoolExecutor(min(os.cpu_count() or 1, 4) + 1) as pool:
        running = [pool.submit(run, *both) for both in zip(GROUPS, commands, strict=True)]
        for one in concurrent.futures.as_completed(running):
            done.append(one.result())
            print(f"== {done[-1].group}\n{done[-1].said}", flush=True)
    report(done, time.monotonic() - start)
    return max(one.status for one in done)


def run(group: str, arguments: list[str]) -> Done:
    """Runs pytest over a group."""
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", *arguments]
    start = time.monotonic()
    options = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
        "text": True,
        "start_new_session": True,
    }
    with subprocess.Popen(command, cwd=ROOT, env=environment(), **options) as process:
        assert process.stdout is not None
        limit = threading.Timer(LIMIT, os.killpg, (process.pid, signal.SIGKILL))
        limit.start()
        said = process.stdout.read()
        limit.cancel()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024
    return Done(group, abs(process.returncode), said, time.monotonic() - start, usage.ru_maxrss * unit)


@functools.cache
def environment() -> dict[str, str]:
    """With an allocator, if it is there, under which graphs are made ready in 9 to 16 % less time."""
    allocator = ctypes.util.find_library("tcmalloc_minimal")
    return {**os.environ, **({"LD_PRELOAD": allocator} if allocator and sys.platform == "linux" else {})}


def report(done: list[Done], seconds: float) -> None:
    cases = [case for path in RESULTS.glob("*.xml") for case in ElementTree.parse(path).iter("testcase")]
    slowest = sorted(cases, key=lambda case: -float(case.get("time", 0)))[:10]
    print("== slowest ten tests")
    for case in slowest:
        print(f"{float(case.get('time', 0)):7.1f} s  {case.get('classname')}::{case.get('name')}")
    print("== groups: seconds, largest resident size")
    for one in sorted(done, key=lambda one: -one.size):
        print(f"{one.seconds:7.1f} s  {one.size / 1e6:6.0f} MB  {one.group}{' FAILED' * (one.status > 0)}")
    failed, errors, skipped = (
        sum(case.find(kind) is not None for case in cases) for kind in ("failure", "error", "skipped")
    )
    print(f"{len(cases)} tests, {failed} failed, {errors} errors, {skipped} skipped, {seconds:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
