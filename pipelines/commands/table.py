"""The command `augrng`: one subcommand a line of the table."""

import difflib
import importlib
import sys
import textwrap
from typing import NamedTuple

import augrng as ar
from pipelines.commands.starting import STATUSES, start


class Command(NamedTuple):
    """A module beside or near this one whose `main` takes arguments, and what it does in a few words."""

    module: str
    does: str


COMMANDS = {
    "demo": Command("commands.demo", "augment real images and print their fingerprints"),
    "preview": Command("commands.preview", "draw what a recipe does to your images"),
    "serve": Command("commands.serve", "tune a recipe by eye on a page in your browser"),
    "replay": Command("commands.replay", "make one example of one epoch again, with all it comes from"),
    "build": Command("commands.build", "write a source, plain or augmented, as a dataset of TFDS"),
    "verify": Command("commands.verify", "say whether this machine makes the pixels of a built dataset"),
    "train": Command("commands.train", "train a small CNN to the same weights again, twice or resumed"),
    "service": Command("commands.service", "run a dispatcher or a worker of a tf.data service"),
    "export": Command("commands.export", "write a recipe as a program that other frameworks run"),
    "bench": Command("bench.bench", "measure augrng beside its peers, or on your own data"),
    "gpu-check": Command("bench.gpu_check", "compare a GPU's bits with the CPU's, its speed with a copy's"),
}
EXAMPLES = """\
augrng demo
augrng preview photos --out sheet.png
augrng serve photos
augrng replay --recipe recipe.json --source folder:photos --path 1.jpg --epoch 3 --explain
augrng build folder:photos out/photos --shorter-side 256"""


def usage() -> str:
    """What `augrng --help` prints."""
    rows = [f"  {name:11}{command.does}" for name, command in COMMANDS.items()]
    shown = textwrap.indent(EXAMPLES, "  ")
    return "\n".join(
        [
            "usage: augrng [--version] [--help] COMMAND ...",
            "\nImages augmented by pure functions of (seed, op, epoch, example id).\n",
            "commands (augrng COMMAND --help says more of each):",
            *rows,
            f"\nexamples:\n{shown}\n\n{STATUSES}",
        ]
    )


def main(arguments: list[str] | None = None) -> int | None:
    """Runs `augrng` with these arguments, by default those of the process; the exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    first = next((place for place, word in enumerate(given) if word != "--debug"), None)
    if first is None or given[first] in ("-h", "--help", "help"):
        print(usage())
        return 0 if first is not None else 2
    if given[first] == "--version":
        print(f"augrng {ar.__version__}, stream version {ar.STREAM_VERSION}")
        return 0
    name = given[first]
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f"did you mean {near[0]}?" if near else "see augrng --help"
        print(f"augrng: command: must be one of {', '.join(COMMANDS)}, got {name!r}; {hint}", file=sys.stderr)
        return 2
    package = __name__.removesuffix(".commands.table")
    module = importlib.import_module(f"{package}.{COMMANDS[name].module}")
    return module.main([*given[:first], *given[first + 1 :]])


def run() -> None:
    """Runs `augrng` and ends the process."""
    start(main)
