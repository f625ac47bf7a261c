#!/usr/bin/env python3
"""`augrng serve`, by the name of a file."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipelines.commands.serve import main
from pipelines.commands.starting import start

if __name__ == "__main__":
    start(main)
