"""What lets the two programs for JAX's machine run where TensorFlow is not installed."""

import sys
from pathlib import Path
from types import ModuleType


def bare(package: str) -> None:
    """Puts a package of this repository in place of itself, without what its __init__ imports."""
    stand_in = ModuleType(package)
    stand_in.__path__ = [str(Path(__file__).resolve().parents[1] / package)]
    sys.modules[package] = stand_in
