#!/usr/bin/env python3
"""`augrng gpu-check`, by the name of a file; with --programs it needs jax and numpy only."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.without_tensorflow import bare

if __name__ == "__main__" and "--programs" in sys.argv:
    bare("pipelines")

from pipelines.bench.gpu_check import main
from pipelines.commands.starting import ended

if __name__ == "__main__":
    sys.exit(ended(main))
