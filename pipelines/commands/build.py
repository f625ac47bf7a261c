"""Materialises a source, plain or augmented, as a dataset that TFDS reads back (TFRecord shards).

What an interrupted build has finished is kept: the same command goes on from there, and what it makes equals
an unbroken build byte for byte. Exit status 1: the build had to stop, or --check found duplicates.
"""

import argparse
import itertools
import sys
from pathlib import Path

import tensorflow as tf
import tensorflow_datasets as tfds
from tqdm import tqdm

import augrng as ar
from pipelines.commands.starting import Parser, failed, json_option, report
from pipelines.disk.build import BuildError, Job, Plan, cause
from pipelines.disk.forms import QUALITY
from pipelines.disk.shards import build
from pipelines.sources.source import duplicate_ids
from pipelines.sources.spec import kinds, open_source

SHOWN = 20  # duplicates, skipped examples
EXAMPLES = """
    augrng build folder:photos out/plain --on-error skip
    augrng build digits out/digits --recipe recipe.json --variants 4 --shards 8
    augrng build tfds:mnist:train --check"""


def main(arguments: list[str] | None = None) -> int:
    args = parse(arguments)
    tfds.disable_progress_bar()
    tf.get_logger().setLevel("ERROR")
    try:
        if args.check:
            return check(args)
        recipe = args.recipe and ar.read_recipe(args.recipe, args.seed).to_json()
        places = (args.channels, args.label, args.data_dir, args.shorter_side, args.quality, args.pixels)
        job = Job(Plan(args.source, recipe, args.variants, args.shards, args.on_error, *places))
        with tqdm(total=len(job.ids), desc=args.source, unit=" examples") as bar:
            manifest = build(job, args.out, overwrite=args.overwrite, done=bar.update)
    except BuildError as error:
        return failed("build", error, args, what_comes_next(args), status=1)
    except KeyboardInterrupt:
        print(f"build: stopped; {what_comes_next(args)}", file=sys.stderr)
        return 130
    except (OSError, ValueError, TypeError, tf.errors.OpError) as error:
        return failed("build", error, args, said=cause(error))
    skipped = [pair for entry in manifest["shards"] for pair in entry["skipped"]]
    for id_, why in skipped[:SHOWN]:
        print(f"build: skipped id {id_}: {why}", file=sys.stderr)
    if len(skipped) > SHOWN:
        ids = " ".join(str(id_) for id_, _ in skipped[SHOWN:])
        print(f"build: skipped ids (the manifest says why): {ids}", file=sys.stderr)
    if job.left_out:
        print(f"build: features left out: {', '.join(job.left_out)}", file=sys.stderr)
    counts = f"{manifest['records']} records of {manifest['examples']} examples, {len(skipped)} skipped"
    found = {name: manifest[name] for name in ("records", "examples", "fingerprint")}
    lines = [f"{args.out}: {counts}, fingerprint {manifest['fingerprint']}"]
    report(args, lines, found | {"out": str(args.out), "skipped": skipped, "left_out": job.left_out})
    return 0


def what_comes_next(args: argparse.Namespace) -> str:
    """What the same command will do after it was stopped."""
    if args.check:
        return "nothing was written, and the same command reads the source again"
    if args.overwrite:
        return "the same command starts anew; without --overwrite it goes on from the last whole shard"
    return "the same command goes on from the last whole shard"


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = Parser("build", __doc__, EXAMPLES)
    parser.add_argument("source", help=kinds())
    parser.add_argument("out", nargs="?", type=Path, help="folder of the dataset; made if need be")
    parser.add_argument(
        "--recipe", help="a file of JSON, JSON, or calls such as RandomFlip(); default: as decoded"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="op-level seed of a recipe that has none (default 0)"
    )
    parser.add_argument("--variants", type=int, default=1, help="write each example as in epochs 0 to k - 1")
    parser.add_argument("--shards", type=int, help="how many files (default: one for each 1,000 examples)")
    parser.add_argument("--on-error", choices=["raise", "skip"], default="raise", help="at unusable images")
    parser.add_argument("--channels", type=int, choices=[1, 3, 4], help="default: the TFDS dataset's, else 3")
    parser.add_argument("--label", help='integer feature to keep as "label" (default: label; tfrecord: none)')
    parser.add_argument("--data-dir", help="of tfds: sources; where digits and photos go (default out/data)")
    parser.add_argument(
        "--shorter-side",
        type=int,
        help="make larger images so small, targets with them, and write JPEGs; smaller ones stay",
    )
    parser.add_argument("--quality", type=int, help=f"of these JPEGs (default {QUALITY})")
    parser.add_argument("--pixels", action="store_true", help="write raw pixels, which need no decoding")
    parser.add_argument("--overwrite", action="store_true", help="remove an earlier build from OUT first")
    parser.add_argument("--check", action="store_true", help="build nothing; report ids that occur twice")
    json_option(parser)
    args = parser.parse_intermixed_args(arguments)  # OUT may follow options
    if args.out is None and not args.check:
        parser.error("out: must be given, unless --check is")
    return args


def check(args: argparse.Namespace) -> int:
    """Reports the ids that stand for more than one example: such examples are always augmented alike."""
    source = open_source(args.source, args.data_dir, args.label)[0]
    found = duplicate_ids(source)
    shown = itertools.islice(found.items(), SHOWN)
    lines = [f"id {id_} stands for {count} examples" for id_, count in shown]
    lines += [f"... and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    lines.append(f"{source.name}: {len(found)} duplicate ids")
    report(args, lines, {"source": source.name, "duplicates": found})
    return 1 if found else 0
