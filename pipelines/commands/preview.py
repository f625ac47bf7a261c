"""Shows what a recipe does to your images: image files or folders in, a contact sheet out.

An image's id is a hash of its path within the folder that was named (of its file name for a file), so a
picture gets the same augmentation wherever the folder lies. Exit status 1: some could not be read, they are
named; 2 also if there was nothing to show.
"""

import argparse
import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

import augrng as ar
from augrng.targets.base import has
from pipelines.commands.starting import Parser, json_option, report
from pipelines.show.gallery import gallery
from pipelines.show.pictures import UnreadableImageError, read_image
from pipelines.show.sheets import animation, contact_sheet
from pipelines.show.tiles import Row, augmented
from pipelines.sources.digits import photo_paths
from pipelines.sources.listing import listed
from pipelines.sources.source import IMAGE_SUFFIXES

SUFFIXES = {*IMAGE_SUFFIXES, ".tif", ".tiff"}


EXAMPLES = """
    augrng preview photos --out sheet.png
    augrng preview photos --recipe "RandomResizedCrop(224, 224), RandomHue(0.1)" --save-recipe recipe.json"""


def main(arguments: list[str] | None = None) -> int:
    parser = Parser("preview", __doc__, EXAMPLES)
    parser.add_argument("images", nargs="*", type=Path, help="image files, or folders that hold some")
    parser.add_argument(
        "--recipe", help="a file of JSON, JSON, or calls such as RandomFlip(); default: crop, flip, rotate"
    )
    parser.add_argument("--save-recipe", type=Path, metavar="FILE", help="also write the recipe as JSON")
    parser.add_argument(
        "--gallery", type=Path, metavar="FILE", help="write every transform on one photograph"
    )
    parser.add_argument("--epochs", type=positive, default=5, help="how many epochs to show (default 5)")
    parser.add_argument(
        "--seed", type=int, default=0, help="op-level seed of a recipe that has none (default 0)"
    )
    parser.add_argument("--out", type=Path, default=Path("preview.png"), help="default preview.png")
    parser.add_argument("--gif", type=Path, help="also write an animation, one frame an epoch")
    parser.add_argument(
        "--masks", type=Path, metavar="FOLDER", help="with a mask for each image, drawn over it"
    )
    parser.add_argument(
        "--targets", type=Path, metavar="FILE",
        help='JSON of boxes, labels, keypoints by image: {"a/1.jpg": {"boxes": [[x1, y1, x2, y2]]}}',
    )  # fmt: skip
    parser.add_argument(
        "--limit", type=positive, default=12, help="how many images at most, of all classes (default 12)"
    )
    parser.add_argument(
        "--tile", type=positive, default=160, metavar="SIDE", help="of a picture on the sheet (default 160)"
    )
    parser.add_argument(
        "--resize", type=int, metavar="SIDE",
        help="shrink so that the shorter side is this long before augmenting; 0 leaves images as they are "
        "(default 256 for the default recipe, 0 with --recipe)",
    )  # fmt: skip
    json_option(parser)
    args = parser.parse_args(arguments)
    if not args.images and not args.gallery:
        parser.error("images: at least one image file or folder must be named, or --gallery")

    try:
        aug = ar.read_recipe(args.recipe, args.seed) if args.recipe else default_recipe(args.seed)
    except (OSError, ValueError, TypeError) as error:
        parser.error(f"--recipe {args.recipe}: {error}")
    for option, path, formats in (
        *(("--out", args.out, Image.SAVE), ("--gallery", args.gallery, Image.SAVE)),
        ("--gif", args.gif, Image.SAVE_ALL),
    ):
        if path and Image.registered_extensions().get(path.suffix.lower()) not in formats:
            parser.error(f"{option}: must end as a kind of image that can be written so, got {path}")
    if args.gallery:
        args.gallery.parent.mkdir(parents=True, exist_ok=True)
        photo = args.images[0] if args.images else photo_paths()[0]
        gallery(np.asarray(read_image(photo))).quantize(256).save(args.gallery)
        print(f"{args.gallery}: every transform at its low end, in the middle and at its high end")
        return 0
    side = args.resize if args.resize is not None else (0 if args.recipe else 256)
    try:
        files = [found for path in args.images for found in image_files(path)]
    except (OSError, ValueError) as error:
        parser.error(str(error))
    if len(files) > args.limit:
        print(f"showing {args.limit} of {len(files)} images; --limit shows more", file=sys.stderr)
    if side and (args.masks or args.targets):
        side = 0
        print("images stay as large as their targets say", file=sys.stderr)
    try:
        known = json.loads(args.targets.read_text()) if args.targets else {}
    except (OSError, ValueError) as error:
        parser.error(f"--targets {args.targets}: {error}")
    rows, unread = read_rows(of_all_classes(files, args.limit), aug, side, args.masks, known)
    if not rows:
        print("preview: no image to show", file=sys.stderr)
        return 2
    if args.save_recipe:
        args.save_recipe.write_text(aug.to_json())
    sheet = contact_sheet(rows, range(args.epochs), args.tile)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(args.out)
    lines = [f"{args.out}: {len(rows)} images, {args.epochs} epochs"]
    if args.gif:
        first, *others = animation(rows, range(args.epochs), args.tile)
        args.gif.parent.mkdir(parents=True, exist_ok=True)
        first.save(args.gif, save_all=True, append_images=others, duration=500, loop=0)
        lines.append(f"{args.gif}: {args.epochs} frames")
    shown = [{"name": row.title, "id": row.id} for row in rows]
    report(args, lines, {"sheet": str(args.out), "epochs": args.epochs, "images": shown, "unread": unread})
    return 1 if unread else 0


def default_recipe(seed: int) -> ar.Compose:
    crop = ar.RandomCrop(224, 224, pad_if_needed=True)
    return ar.Compose([crop, ar.RandomFlip(), ar.RandomRotation(15)], seed=seed)


def image_files(path: Path) -> Iterator[tuple[Path, str]]:
    """The image files that `path` names, each with the name that its id comes from."""
    if path.is_dir():
        for name in listed(str(path), sorted(SUFFIXES))[0]:
            yield path / name, name
    else:
        yield path, path.name


def of_all_classes(files: list[tuple[Path, str]], limit: int) -> list[tuple[Path, str]]:
    """So many of the files in their order: as many of each class, drawn by their ids.

    A class is what lies in one folder of those that were named.
    """
    ids = ar.string_ids([name for _, name in files]).numpy() if files else []
    classes: dict[Path, list[int]] = {}
    for place in np.argsort(ids, kind="stable"):
        path, name = files[place]
        root = path.parents[name.count("/")]
        classes.setdefault(root / name.partition("/")[0] if "/" in name else root, []).append(int(place))
    rounds = itertools.zip_longest(*(classes[key] for key in sorted(classes)))
    drawn = [place for one in rounds for place in one if place is not None]
    return [files[place] for place in sorted(drawn[:limit])]


def read_rows(
    files: list[tuple[Path, str]], aug: ar.Compose, side: int, masks: Path | None, known: dict[str, Any]
) -> tuple[list[Row], int]:
    """A row for each image that can be shown, with what is known of it, and how many can not be."""
    rows = []
    for path, name in tqdm(files, desc="reading", unit=" images", leave=False):
        try:
            image = np.asarray(read_image(path, shorter_side=side))
            id_ = int(ar.string_ids(name))
            further = {key: as_array(key, value) for key, value in known.get(name, {}).items()}
            if masks is not None:
                further["mask"] = read_mask(masks, name)
            declared = {key: target for key, target in (aug.targets or {}).items() if has(further, key)}
            mine = aug if aug.targets is None else aug.with_targets(declared)
            augmented(Row(name, image, id_, mine, further), 0)
            rows.append(Row(name, image, id_, mine, further))
        except (UnreadableImageError, ValueError) as error:
            tqdm.write(f"preview: skipped {path}: {error}", file=sys.stderr)
    return rows, len(files) - len(rows)


def read_mask(folder: Path, name: str) -> np.ndarray:
    """The mask of an image: the file of its name but for the suffix, grey values or places in its palette."""
    found = sorted(path for path in folder.glob(f"{Path(name).with_suffix('')}.*") if path.suffix in SUFFIXES)
    if len(found) != 1:
        raise UnreadableImageError(f"it must have one mask below {folder}, there are {len(found)}")
    with Image.open(found[0]) as opened:
        return np.asarray(opened if opened.mode == "P" else opened.convert("L"))[..., None]


def as_array(name: str, value: Any) -> np.ndarray:
    """A list of JSON; numbers as floats, but for labels."""
    array = np.asarray(value)
    return array if "label" in name or array.dtype.kind not in "iuf" else array.astype(np.float32)


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value
