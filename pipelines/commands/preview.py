"""Shows what a recipe does to your images: image files or folders in, a contact sheet or a page out.

An image's id is a hash of its path within the folder that was named (of its file name for a file), so a
picture gets the same augmentation wherever the folder lies. Exit status 1: some could not be read, they are
named; 2 also if there was nothing to show.
"""

import argparse
import functools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import augrng as ar
from pipelines.commands.starting import Parser, json_option, report
from pipelines.show.examples import (
    File,
    image_files,
    of_all_classes,
    read_as_trained,
    read_rows,
    read_shrunk,
)
from pipelines.show.gallery import gallery
from pipelines.show.page import Axis, Gallery
from pipelines.show.pictures import read_image
from pipelines.show.sheets import animation, contact_sheet
from pipelines.show.tiles import Row, augmented
from pipelines.show.variants import read_sweep, reseeded, resized, swept
from pipelines.sources.digits import photo_paths

EXAMPLES = """
    augrng preview photos --out sheet.png
    augrng preview photos --html out/gallery.html --sweep random_rotation.degrees=5,15,30,60
    augrng preview photos --recipe "RandomResizedCrop(224, 224), RandomHue(0.1)" --save-recipe recipe.json"""


def main(arguments: list[str] | None = None) -> int:
    parser = arguments_of()
    args = parser.parse_args(arguments)
    check(parser, args)
    try:
        aug = ar.read_recipe(args.recipe, args.seed) if args.recipe else default_recipe(args.seed)
    except (OSError, ValueError, TypeError) as error:
        parser.error(f"--recipe {args.recipe}: {error}")
    if args.gallery:
        args.gallery.parent.mkdir(parents=True, exist_ok=True)
        photo = args.images[0] if args.images else photo_paths()[0]
        gallery(np.asarray(read_image(photo))).quantize(256).save(args.gallery)
        print(f"{args.gallery}: every transform at its low end, in the middle and at its high end")
        return 0
    try:
        files = [found for path in args.images for found in image_files(path)]
    except (OSError, ValueError) as error:
        parser.error(str(error))
    if len(files) > args.limit:
        print(f"showing {args.limit} of {len(files)} images; --limit shows more", file=sys.stderr)
    side = args.resize if args.resize is not None else (0 if args.recipe else 256)
    if side and (args.masks or args.targets):
        side = 0
        print("images stay as large as their targets say", file=sys.stderr)
    try:
        known = json.loads(args.targets.read_text()) if args.targets else {}
    except (OSError, ValueError) as error:
        parser.error(f"--targets {args.targets}: {error}")
    if args.save_recipe:
        args.save_recipe.write_text(aug.to_json())
    draw = page if args.html else sheet
    try:
        return draw(args, aug, of_all_classes(files, args.limit), side, known)
    except OptionError as error:
        parser.error(str(error))


class OptionError(ValueError):
    """An option does not fit the recipe."""


def arguments_of() -> Parser:
    parser = Parser("preview", __doc__, EXAMPLES)
    add = parser.add_argument
    add("images", nargs="*", type=Path, help="image files, or folders that hold some")
    add("--recipe", help="a file of JSON, JSON, or calls such as RandomFlip(); default: crop, flip, rotate")
    add("--save-recipe", type=Path, metavar="FILE", help="also write the recipe as JSON")
    add("--gallery", type=Path, metavar="FILE", help="write every transform on one photograph")
    add("--epochs", type=positive, default=5, help="how many epochs to show (default 5)")
    add("--seed", type=int, default=0, help="op-level seed of a recipe that has none (default 0)")
    add("--out", type=Path, default=Path("preview.png"), help="the sheet (default preview.png)")
    add("--gif", type=Path, help="also write an animation, one frame an epoch")
    add("--masks", type=Path, metavar="FOLDER", help="with a mask for each image, drawn over it")
    add(
        "--targets", type=Path, metavar="FILE",
        help='JSON of boxes, labels, keypoints by image: {"a/1.jpg": {"boxes": [[x1, y1, x2, y2]]}}',
    )  # fmt: skip
    add("--limit", type=positive, default=12, help="how many images at most, of all classes (default 12)")
    add("--tile", type=positive, default=160, metavar="SIDE", help="of a shown picture (default 160)")
    add(
        "--resize", type=int, metavar="SIDE",
        help="shrink so that the shorter side is this long before augmenting; 0 leaves images as they are "
        "(default 256 for the default recipe, 0 with --recipe); with --html a Resize at the recipe's start",
    )  # fmt: skip
    add(
        "--html", type=Path, metavar="FILE",
        help="write a page in place of a sheet: one file for any browser, with filters, sliders, and each "
        "picture's draws and the command that replays it; recipes for these are written beside it",
    )  # fmt: skip
    add(
        "--sweep", metavar="NAME.ARGUMENT=VALUES",
        help="with --html: an argument of the recipe's at several values, side by side",
    )  # fmt: skip
    add("--seeds", type=integers, metavar="N,N,...", help="with --html: op-level seeds to choose among")
    json_option(parser)
    return parser


def check(parser: Parser, args: argparse.Namespace) -> None:
    """Refuses what cannot be done, before anything is."""
    if not args.images and not args.gallery:
        parser.error("images: at least one image file or folder must be named, or --gallery")
    for option, path, formats in (
        *(("--out", args.out, Image.SAVE), ("--gallery", args.gallery, Image.SAVE)),
        ("--gif", args.gif, Image.SAVE_ALL),
    ):
        if path and Image.registered_extensions().get(path.suffix.lower()) not in formats:
            parser.error(f"{option}: must end as a kind of image that can be written so, got {path}")
    if args.html and args.html.suffix.lower() not in (".html", ".htm"):
        parser.error(f"--html: must end in .html, got {args.html}")
    for option, value in (("--sweep", args.sweep), ("--seeds", args.seeds)):
        if value and not args.html:
            parser.error(f"{option}: needs --html FILE, the page on which it is shown")
    if args.gif and args.html:
        parser.error("--gif: is of a sheet; leave --html away")


def sheet(
    args: argparse.Namespace, aug: ar.Compose, files: list[File], side: int, known: dict[str, Any]
) -> int:
    """Writes a contact sheet, and an animation if one was asked for; the exit status."""

    def tried(file: File, row: Row) -> Row:
        augmented(row, 0)
        return row

    read = functools.partial(read_shrunk, side=side)
    rows, unread = read_rows(files, read, aug, args.masks, known, tried)
    if not rows:
        return nothing()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    contact_sheet(rows, range(args.epochs), args.tile).save(args.out)
    lines = [f"{args.out}: {len(rows)} images, {args.epochs} epochs"]
    if args.gif:
        first, *others = animation(rows, range(args.epochs), args.tile)
        args.gif.parent.mkdir(parents=True, exist_ok=True)
        first.save(args.gif, save_all=True, append_images=others, duration=500, loop=0)
        lines.append(f"{args.gif}: {args.epochs} frames")
    shown = [{"name": row.title, "id": row.id} for row in rows]
    report(args, lines, {"sheet": str(args.out), "epochs": args.epochs, "images": shown, "unread": unread})
    return 1 if unread else 0


def page(
    args: argparse.Namespace, aug: ar.Compose, files: list[File], side: int, known: dict[str, Any]
) -> int:
    """Writes a page, and the recipes that its commands name; the exit status."""
    made = gallery_of(args, resized(aug, side) if side else aug)
    examples, unread = read_rows(files, read_as_trained, made.recipes[0], args.masks, known, made.example)
    if not examples:
        return nothing()
    args.html.parent.mkdir(parents=True, exist_ok=True)
    for recipe, saved in zip(made.recipes, made.saved, strict=True):
        saved.write_text(recipe.with_targets(None).to_json())
    text = made.written(examples)
    args.html.write_text(text, encoding="utf-8")
    count, size = len(examples) * len(made.recipes) * args.epochs, len(text.encode())
    line = f"{args.html}: {len(examples)} images, {count} pictures, {size / 1e6:.2f} MB"
    shown = [{"name": one["title"], "id": int(one["id"])} for one in examples]
    found = {"page": str(args.html), "bytes": size, "pictures": count, "images": shown, "unread": unread}
    report(args, [line], {**found, "recipes": [str(path) for path in made.saved]})
    return 1 if unread else 0


def gallery_of(args: argparse.Namespace, aug: ar.Compose) -> Gallery:
    """What the page shows, by the options.

    Raises:
      OptionError: if --seeds or --sweep does not fit the recipe.
    """
    recipes = [reseeded(aug, seed) for seed in args.seeds] if args.seeds else [aug]
    seeds = Axis("seed", "seeds", [str(seed) for seed in args.seeds or ["of the recipe"]])
    values = Axis("", "", [""])
    if args.sweep:
        try:
            sweep = read_sweep(args.sweep, aug)
            recipes = [one for recipe in recipes for one in swept(recipe, sweep)]
        except ValueError as error:
            raise OptionError(f"--sweep: {error}") from error
        values = Axis(
            sweep.argument, f"{sweep.transform}.{sweep.argument}", [repr(value) for value in sweep.values]
        )
    numbers = [f"-{number}" for number in range(len(recipes))] if len(recipes) > 1 else [""]
    saved = [args.html.with_suffix(f".recipe{number}.json") for number in numbers]
    return Gallery(aug, recipes, saved, seeds, values, list(range(args.epochs)), args.tile)


def nothing() -> int:
    print("preview: no image to show", file=sys.stderr)
    return 2


def default_recipe(seed: int) -> ar.Compose:
    crop = ar.RandomCrop(224, 224, pad_if_needed=True)
    return ar.Compose([crop, ar.RandomFlip(), ar.RandomRotation(15)], seed=seed)


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def integers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be integers with commas between, got {text!r}") from None
