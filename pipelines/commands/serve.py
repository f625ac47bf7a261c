"""A page in your browser on which a recipe is tuned by eye: transforms added, moved, their ranges changed.

It shows the images that are named here, two photographs if there are none, and answers this machine alone,
at 127.0.0.1. Nothing is written: recipes are saved by the browser, as JSON or Python. Ctrl-C ends it, with
status 0; 2: an argument is wrong, or the port is in use.
"""

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

import augrng as ar
from pipelines.commands.preview import default_recipe, positive
from pipelines.commands.starting import Parser, failed
from pipelines.show.examples import File, of_all_classes
from pipelines.sources.digits import photo_paths

EXAMPLES = """
    augrng serve photos
    augrng serve photos --recipe recipe.json --port 0"""


def main(arguments: list[str] | None = None) -> int:
    args = parse(arguments)
    from pipelines.live import album, server  # here, as they need the extra "serve"

    try:
        aug = ar.read_recipe(args.recipe, args.seed) if args.recipe else default_recipe(args.seed)
        entries, left_out = album.index(args.images or photo_paths())
        if not entries:
            raise ValueError("images: must hold at least one image, found none")
        files = {Path(entry.root) / entry.name: entry for entry in entries}
        named = [File(file, entry.name) for file, entry in files.items()]
        chosen = [files[file] for file, _ in of_all_classes(named, args.limit)]
        made = server.server(album.Album(chosen, args.resize), aug, args.port)
    except (OSError, TypeError, ValueError) as error:
        return failed("serve", error, args)
    for path in left_out[:3]:
        print(f"serve: left out {path}: a link that leads out of its folder, or nowhere", file=sys.stderr)
    if len(left_out) > 3:
        print(f"serve: left out {len(left_out)} such links", file=sys.stderr)
    print(
        f"{len(chosen)} of {len(entries)} images at http://{server.HOST}:{made.effective_port}/", flush=True
    )
    print("Ctrl-C ends it", flush=True)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    try:
        made.run()  # ends at Ctrl-C
    finally:
        made.close()
    print("serve: stopped", flush=True)
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = Parser("serve", __doc__, EXAMPLES)
    add = parser.add_argument
    add("images", nargs="*", type=Path, help="image files, or folders that hold some")
    add("--recipe", help="what it begins with: a file, JSON, or calls such as RandomFlip()")
    add("--seed", type=int, default=0, help="op-level seed of a recipe that has none (default 0)")
    add("--port", type=port, default=8765, help="of 127.0.0.1; 0: one that is free (default 8765)")
    add("--limit", type=positive, default=96, help="how many images, of all classes (default 96)")
    add(
        "--resize", type=positive, default=256, metavar="SIDE",
        help="shrink images until their shorter side is this long (default 256)",
    )  # fmt: skip
    return parser.parse_args(arguments)


def port(text: str) -> int:
    value = int(text)
    if not 0 <= value < 1 << 16:
        raise argparse.ArgumentTypeError(f"must be in 0 to 65535, got {value}")
    return value


def stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
