"""How TensorFlow is imported where the process is the command `augrng`."""

import importlib
import os
import sys
from pathlib import Path


def import_quietly() -> None:
    """Keeps TensorFlow's lines at its start (up to 11 of them) from drowning what the command says.

    What fails is raised as an exception all the same. Does nothing in other processes, with --debug, or where
    TF_CPP_MIN_LOG_LEVEL is set.
    """
    if not _is_command() or "--debug" in sys.orig_argv or "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)  # a few lines come whatever the level is
    try:
        importlib.import_module("tensorflow")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def _is_command() -> bool:
    """Whether `augrng`, `python -m augrng` or, in a clone, a file of scripts/ was started."""
    started = Path(sys.argv[0])
    if ["-m", "augrng"] in [sys.orig_argv[place : place + 2] for place in range(1, 4)]:
        return True
    return started.stem == "augrng" or started.resolve().parent == Path(__file__).parents[1] / "scripts"
