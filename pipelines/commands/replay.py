"""Replays one example of one epoch: the pixels that training saw, as PNG, and all that they come from.

Prints the key, the words and the draws of each transform, and the lines of plain TensorFlow that give the
same numbers. The example is named by --id, by --path in a folder, or by a line of a log.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_datasets as tfds

import augrng as ar
from pipelines.commands.starting import Parser, failed, json_option, report
from pipelines.disk.build import cause
from pipelines.show.explain import explained
from pipelines.show.replay import (
    Replayed,
    Replayer,
    algorithm_of,
    id_of_path,
    in_tensorflow,
    read_log,
    write_png,
)
from pipelines.sources.source import Source
from pipelines.sources.spec import kinds, open_source

EXAMPLES = """
    augrng replay --recipe recipe.json --source folder:photos --path cats/1.jpg --epoch 3 --explain
    augrng replay --recipe recipe.json --source tfds:mnist:train --id 4711 --epoch 0 --json -
    augrng replay --recipe recipe.json --source digits --log "step 90: id 4711 epoch 2, loss 7.1\""""


def main(arguments: list[str] | None = None) -> int:
    args = parse(arguments)
    tfds.disable_progress_bar()
    tf.get_logger().setLevel("ERROR")
    try:
        replay(args)
    except (OSError, ValueError, TypeError, tf.errors.OpError) as error:
        return failed("replay", error, args, said=cause(error))
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = Parser("replay", __doc__, EXAMPLES)
    add = parser.add_argument
    add("--recipe", required=True, help="a file of JSON, JSON, or calls such as RandomFlip()")
    add("--seed", type=int, default=0, help="op-level seed of a recipe that has none (default 0)")
    add("--source", required=True, help=kinds())
    add("--data-dir", help="of tfds: sources; where digits and photos are (default out/data)")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--id", type=int, help="of the example")
    which.add_argument("--path", help="of its file in a folder, relative, with slashes")
    which.add_argument("--log", metavar="LINE", help='with "id N", perhaps "epoch E"; or of a skipped= file')
    add("--epoch", type=int, help="how often it had been seen before; 0 is the first")
    add("--decode", choices=["partial", "full"], default="partial", help="as training did (default partial)")
    add("--channels", type=int, choices=[1, 2, 3, 4], help="as training did (default: the source's, else 3)")
    add("--dtype", choices=["uint8", "uint16"], help="as training did (default: the source's, else uint8)")
    add("--out", type=Path, default=Path("out/replay.png"), help="the picture (default out/replay.png)")
    add("--explain", action="store_true", help="draw source, window and axes too, into OUT's .explain.png")
    json_option(parser)
    return parser.parse_args(arguments)


def replay(args: argparse.Namespace) -> None:
    """Does what the arguments say.

    Raises:
      ValueError: if the example is not said, or the source does not hold it; and what a recipe, a source or
        `make_dataset` raises.
    """
    id_, epoch = (args.id, None) if args.log is None else read_log(args.log)
    epoch = args.epoch if args.epoch is not None else epoch
    if epoch is None:
        raise ValueError("epoch: must be given by --epoch, or by the line of the log; the first one is 0")
    if epoch < 0:
        raise ValueError(f"epoch: must be at least 0, got {epoch}; the first one is 0")
    aug = ar.read_recipe(args.recipe, args.seed)
    source = open_source(args.source, args.data_dir)[0]
    id_ = id_of_path(source, args.path) if args.path is not None else id_
    replayer = Replayer(source, aug, decode=args.decode, channels=args.channels, dtype=args.dtype)
    replayed = replayer(id_, epoch)
    count = replayer.count(id_)
    if count > 1:
        print(f"replay: id {id_} stands for {count} examples; this is the first", file=sys.stderr)
    write_png(replayed.example["image"], args.out)
    written = [args.out]
    if args.explain:
        written.append(args.out.with_suffix(".explain.png"))
        explained(aug, replayed).save(written[-1])
    report(args, lines_of(aug, source, replayed, written), found_of(aug, source, replayed, written))


def lines_of(aug: ar.Compose, source: Source, replayed: Replayed, written: list[Path]) -> list[str]:
    """What was replayed, in words."""
    lines = [f"{written[0]}: id {replayed.id}, epoch {replayed.epoch}, {source.name}"]
    lines += [f"{path}: where its pixels come from" for path in written[1:]]
    for draw in replayed.draws:
        lines += [
            f"{draw.name}: {draw.said if draw.said is not None else 'not chosen'}",
            f"  {draw.transform}",
            f"  key    {draw.key[0]} {draw.key[1]}",
            f"  words  {' '.join(map(str, draw.words)) or 'none'}",
            f"  draws  {', '.join(f'{name} {value}' for name, value in draw.params.items()) or 'none'}",
        ]
    lines.append("the same keys and words in plain TensorFlow:")
    for draw in replayed.draws:
        lines += [f"  {line}" for line in in_tensorflow(draw, replayed.id, replayed.epoch, algorithm_of(aug))]
    return lines


def found_of(aug: ar.Compose, source: Source, replayed: Replayed, written: list[Path]) -> dict[str, Any]:
    """The same for programs."""
    alg = algorithm_of(aug)
    draws = [
        draw._asdict() | {"tensorflow": in_tensorflow(draw, replayed.id, replayed.epoch, alg)}
        for draw in replayed.draws
    ]
    return {
        "source": source.name,
        "id": replayed.id,
        "epoch": replayed.epoch,
        "image": [*replayed.example["image"].shape],
        "files": [str(path) for path in written],
        "draws": draws,
    }
