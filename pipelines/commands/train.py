"""Trains a small CNN, and gives the same weights again: twice, or killed at any step and resumed.

Everything follows from --seed: weights, dropout, order, augmentation. Writes OUT/checkpoint.npz and logs for
TensorBoard (loss of each step, test accuracy at each checkpoint), and prints the test accuracy and a digest
of the weights. It uses all GPUs of its machine. Of several hosts that TF_CONFIG names, start it on each with
the same arguments and an --out that all of them see; --workers N starts N on this machine.

Exit status 2 also if OUT holds a run and neither --resume nor --overwrite is given, or if
--resume finds another run.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

import tensorflow as tf
import tensorflow_datasets as tfds
from tqdm import tqdm

import augrng as ar
from pipelines.commands.starting import Parser, failed, json_option, report
from pipelines.disk.build import cause
from pipelines.train.hosts import check_batch_size, cluster_of, joined
from pipelines.train.training import Settings, Trainer, digest_of, open_splits, steps_of
from pipelines.train.workers import end_with_parent, run_workers

EXAMPLES = """
    augrng train
    augrng train folder:photos --size 96 --mixed-precision --out out/photos
    augrng train --steps 600 --resume
    augrng train --workers 2"""


def main(arguments: list[str] | None = None) -> int:
    end_with_parent()
    args = parse(arguments)
    tfds.disable_progress_bar()
    tf.get_logger().setLevel("ERROR")
    try:
        if args.workers != 1:
            return run_workers(args.workers, worker_command(args, arguments))
        train(args)
    except (OSError, ValueError, TypeError, tf.errors.OpError) as error:
        return failed("train", error, args, said=cause(error))
    except KeyboardInterrupt:
        print(f"train: stopped; {what_comes_next(args)}", file=sys.stderr)
        return 130
    return 0


def worker_command(args: argparse.Namespace, arguments: list[str] | None) -> list[str]:
    """What each of several workers runs."""
    if args.workers < 1:
        raise ValueError(f"workers: must be at least 1, got {args.workers}")
    check_batch_size(args.batch_size, args.workers)
    if cluster_of(os.environ) is not None:
        raise ValueError("workers: must be left out where TF_CONFIG names the hosts")
    given = sys.argv[1:] if arguments is None else arguments
    return [sys.executable, "-m", "augrng", "train", *given, "--workers", "1"]


def what_comes_next(args: argparse.Namespace) -> str:
    """What the same command will do after it was stopped."""
    checkpoint = args.out / "checkpoint.npz"
    if not checkpoint.exists():
        return f"there is no checkpoint in {args.out} yet, so the same command starts anew"
    if args.resume:
        return f"the same command goes on from the checkpoint in {args.out}"
    first = "starts anew" if args.overwrite else "will refuse to write over it"
    return f"with --resume the same command goes on from the checkpoint in {args.out}; as it is, it {first}"


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = Parser("train", __doc__, EXAMPLES)
    add = parser.add_argument
    add("source", nargs="?", default="digits", help="digits, folder:DIR, tfds:NAME, ... as augrng build")
    add("--data-dir", help="of tfds: sources; where digits go (default out/data)")
    add("--out", type=Path, default=Path("out/train"), help="of checkpoint and logs (default out/train)")
    add("--recipe", help="a file of JSON, JSON, or calls such as RandomFlip(); default: crop and more")
    add("--no-augment", action="store_true", help="train on the recipe's evaluation form")
    add("--size", type=int, default=64, help="of images without --recipe (default 64; digits 32)")
    add("--epochs", type=int, default=20, help="how often each example comes (default 20)")
    add("--steps", type=int, help="how many steps the run has in all, in place of --epochs")
    add("--batch-size", type=int, default=64, help="examples a step (default 64)")
    add("--seed", type=int, default=0, help="of everything (default 0)")
    add("--mixed-precision", action="store_true", help="compute in bfloat16, keep weights in float32")
    add("--checkpoint-every", type=int, metavar="STEPS", help="default: once an epoch")
    add("--on-error", choices=["raise", "replace", "skip"], default="raise", help="at unusable images")
    add(
        "--workers", type=int, default=1, metavar="N", help="train as N processes of this machine (default 1)"
    )
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="go on from OUT's checkpoint, if there is one")
    again.add_argument("--overwrite", action="store_true", help="remove an earlier run from OUT first")
    json_option(parser)
    return parser.parse_args(arguments)


def train(args: argparse.Namespace) -> None:
    checkpoint = args.out / "checkpoint.npz"
    if checkpoint.exists() and not (args.resume or args.overwrite):
        raise ValueError(
            f"out: must hold no run, got {checkpoint}; go on with it by --resume, start anew by "
            "--overwrite, or name another folder"
        )
    ar.seed_everything(args.seed)
    hosts = joined(cluster_of(os.environ), args.batch_size)
    first = hosts.host == 0
    training, test, channels = open_splits(args.source, args.data_dir)
    aug = recipe_of(args)
    evaluation = aug.evaluation()
    if aug.output_size is None or evaluation is None:
        raise ValueError("recipe: its output must have a fixed size; add a crop or a resize")
    labels = training.column("label")
    settings = Settings(
        examples=digest_of(training),
        recipe=(evaluation if args.no_augment else aug).to_json(),
        seed=args.seed,
        batch_size=args.batch_size,
        shape=(*aug.output_size, channels),
        classes=len(training.class_names) or int(labels.max()) + 1,
        precision="mixed_bfloat16" if args.mixed_precision else "float32",
    )
    once = steps_of(1, len(labels), args.batch_size)
    steps = args.steps or steps_of(args.epochs, len(labels), args.batch_size)
    ar.seed_everything(args.seed)  # again: TFDS draws from Python's generator when it builds a dataset
    trainer = Trainer(settings, training, on_error=args.on_error, hosts=hosts)
    if args.overwrite and first:
        checkpoint.unlink(missing_ok=True)
        shutil.rmtree(args.out / "logs", ignore_errors=True)
    if args.resume and checkpoint.exists():
        trainer.restore(checkpoint)
        print(f"resumed at step {trainer.step}", file=sys.stderr if args.json == "-" else sys.stdout)
    elif args.resume:
        print(f"no checkpoint in {args.out}: from the start", file=sys.stderr)
    if not first:
        trainer.run(steps)
        return
    args.out.mkdir(parents=True, exist_ok=True)
    every = args.checkpoint_every or once
    held_out = trainer.held_out(test, evaluation)
    accuracy = trainer.accuracy(held_out)
    with (
        tf.summary.create_file_writer(str(args.out / "logs")).as_default(),
        tqdm(total=steps, initial=trainer.step, unit=" steps") as bar,
    ):

        def after(loss: float) -> None:
            nonlocal accuracy
            log("loss", loss, trainer.step)
            if trainer.step % every == 0 or trainer.step == steps:
                trainer.save(checkpoint)
                accuracy = trainer.accuracy(held_out)
                log("test accuracy", accuracy, trainer.step)
            bar.set_postfix(loss=f"{loss:.3f}", accuracy=f"{accuracy:.3f}")
            bar.update()

        trainer.run(steps, after)
    found = {"test_accuracy": accuracy, "step": trainer.step, "weights": trainer.digest()}
    lines = [f"test accuracy {accuracy:.4f} at step {trainer.step}", f"weights {found['weights']}"]
    report(args, lines, found | {"out": str(args.out)})


def recipe_of(args: argparse.Namespace) -> ar.Compose:
    if args.recipe:
        return ar.read_recipe(args.recipe, args.seed)
    if args.source == "digits":
        return ar.Compose([ar.RandomCrop(32, 32, padding=3), ar.RandomRotation(25)], seed=args.seed)
    return ar.Compose([ar.RandomResizedCrop(args.size, args.size), ar.RandomFlip()], seed=args.seed)


def log(name: str, value: float, step: int) -> None:
    """Writes a number as TensorBoard's scalars are, which takes TensorFlow alone."""
    plugin = tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
    metadata = tf.compat.v1.SummaryMetadata(plugin_data=plugin, data_class="DATA_CLASS_SCALAR")
    tf.summary.write(name, tf.constant(value, tf.float32), step, metadata)
