"""How the commands here start."""

import contextlib
import sys
from collections.abc import Callable

import augrng as ar


def start(main: Callable[[], int | None]) -> None:
    """Runs a command with the programs that an earlier one compiled, where there is a folder for them."""
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        ar.keep_programs()
    sys.exit(main())
