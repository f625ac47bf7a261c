#!/usr/bin/env python3
"""Runs a program of `augrng export` in JAX, without TensorFlow; see `pipelines.bench.run_in_jax`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.without_tensorflow import bare

if __name__ == "__main__":
    bare("pipelines")

from pipelines.bench.run_in_jax import main

if __name__ == "__main__":
    sys.exit(main())
