"""How commands start, what they answer, and how they end."""

import argparse
import contextlib
import difflib
import json
import logging
import os
import re
import sys
import textwrap
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

OURS = 70  # EX_SOFTWARE of sysexits.h
STATUSES = f"""exit status:
  0    done; of a check: all is the same
  1    something could not be done, or a check found a difference; it is named
  2    an argument is wrong, or an input cannot be read
  {OURS}   a mistake of augrng's own; --debug shows where
  130  stopped by Ctrl-C"""
_OF_SERVE = ("flask", "waitress", "werkzeug")
_OPTION = re.compile(r"--[\w-]+")


class Parser(argparse.ArgumentParser):
    """The arguments of a command, with --debug; a wrong one is answered in one line, with a hint.

    Args:
      command: its name behind "augrng".
      doc: what it does, a module's docstring.
      examples: command lines, one a line.
    """

    def __init__(self, command: str, doc: str | None, examples: str) -> None:
        shown = textwrap.indent(textwrap.dedent(examples).strip(), "  ")
        super().__init__(
            prog=f"augrng {command}",
            description=doc,
            epilog=f"examples:\n{shown}\n\n{STATUSES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.add_argument("--debug", action="store_true", help="show tracebacks and TensorFlow's own lines")

    def error(self, message: str) -> NoReturn:
        """Ends with status 2."""
        known = [option for action in self._actions for option in action.option_strings]
        strange = _OPTION.findall(message) if message.startswith("unrecognized") else []
        near = [match for option in strange for match in difflib.get_close_matches(option, known, 1)]
        hint = f"did you mean {near[0]}?" if near else f"see {self.prog} --help"
        self.exit(2, f"{self.prog}: {message}; {hint}\n")


def failed(
    command: str,
    error: BaseException,
    args: argparse.Namespace,
    hint: str = "",
    *,
    said: str = "",
    status: int = 2,
) -> int:
    """Says in one line what failed (`said`, else the error's own words), with what to do about it.

    With --debug, the traceback comes first.

    Returns:
      The exit status.
    """
    if args.debug:
        traceback.print_exception(error)
    said = " ".join((said or str(error)).split()) or type(error).__name__
    print(f"{command}: {said}{f'; {hint}' if hint else ''}", file=sys.stderr)
    return status


def json_option(parser: argparse.ArgumentParser) -> None:
    """Adds --json FILE."""
    parser.add_argument(
        "--json", metavar="FILE", help='also write what is said as JSON; "-": print it in place of words'
    )


def report(args: argparse.Namespace, lines: Sequence[str], found: Any) -> None:
    """Prints lines, and writes what they say as JSON where `json_option` was given."""
    if args.json == "-":
        print(json.dumps(found, indent=1))
        return
    print(*lines, sep="\n")
    if args.json:
        Path(args.json).parent.mkdir(parents=True, exist_ok=True)
        Path(args.json).write_text(json.dumps(found, indent=1))


def start(main: Callable[[], int | None]) -> NoReturn:
    """Runs a command with the programs that an earlier one compiled, and ends the process by its status."""
    from augrng import keep_programs  # here, as JAX's machines run this module without TensorFlow

    if "--debug" not in sys.argv:
        logging.getLogger("absl").setLevel(logging.ERROR)  # TensorFlow Datasets' warnings
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        keep_programs()
    sys.exit(ended(main))


def ended(main: Callable[[], int | None]) -> int:
    """The exit status of a command, also where it was stopped or fails by a mistake of ours."""
    try:
        return main() or 0
    except KeyboardInterrupt:
        print("augrng: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # as of `augrng ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ModuleNotFoundError as error:
        if "--debug" in sys.argv or (error.name or "").startswith(("augrng", "pipelines")):
            raise
        extra = "serve" if error.name in _OF_SERVE else "pipelines"
        print(f"augrng: needs {error.name}: pip install 'augrng[{extra}]'", file=sys.stderr)
        return 2
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        said = " ".join(str(error).split())
        print(f"augrng: {type(error).__name__}: {said}; --debug shows where", file=sys.stderr)
        return OURS
