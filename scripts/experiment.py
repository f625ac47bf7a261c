#!/usr/bin/env python3
"""What augmentation is for: the same training with and without it, over several seeds.

A small CNN learns the digits from upright images, once as they are, once through a random shift and rotation,
once through RandAugment, for equally many steps. All are tested on upright images and on images that are
rotated and shifted at random (the same ones for all). Prints a table; writes a plot and the figures.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import tensorflow as tf
import tensorflow_datasets as tfds
from tqdm import tqdm

import augrng as ar
from pipelines.commands.starting import start
from pipelines.train.training import Passes, Settings, Trainer, digest_of, open_splits

Figures = dict[str, dict[str, list[float]]]
TESTS = ("upright", "rotated and shifted")
KINDS = ("plain", "shift and rotation", "RandAugment(2, 9)")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--seeds", type=int, default=5, help="how many trainings of each kind (default 5)")
    add("--steps", type=int, default=900, help="of 64 examples, of each training (default 900)")
    add("--data-dir", default="out/data", help="where the digits are built (default out/data)")
    add("--json", type=Path, help="write the figures here")
    add("--plot", type=Path, help="write a plot here, PNG")
    args = parser.parse_args(arguments)
    tfds.disable_progress_bar()
    tf.get_logger().setLevel("ERROR")
    figures = measure(args.seeds, args.steps, args.data_dir)
    print(table(figures, args.steps))
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1))
    if args.plot:
        plot(figures, args.plot)


def measure(seeds: int, steps: int, data_dir: str) -> Figures:
    """Test accuracies in percent, of each training by kind of training and of test."""
    training, test, channels = open_splits("digits", data_dir)
    moved = ar.Compose([ar.RandomCrop(32, 32, padding=3), ar.RandomRotation(25)], seed=2026)
    upright = moved.evaluation()
    drawn = [ar.CenterCrop(32, 32), ar.RandAugment(2, 9)]
    trained = dict(zip(KINDS, (upright.transforms.values(), moved.transforms.values(), drawn), strict=True))
    figures: Figures = {kind: {name: [] for name in TESTS} for kind in KINDS}
    held_out: list[Passes] = []
    with tqdm(total=len(KINDS) * seeds * steps, unit=" steps") as bar:
        for seed in range(seeds):
            for kind, found in figures.items():
                ar.seed_everything(seed)
                aug = ar.Compose(trained[kind], seed=seed)
                settings = Settings(digest_of(training), aug.to_json(), seed, 64, (32, 32, channels), 10)
                trainer = Trainer(settings, training)
                trainer.run(steps, lambda loss: bar.update() and None)
                held_out = held_out or [trainer.held_out(test, recipe) for recipe in (upright, moved)]
                for name, passes in zip(TESTS, held_out, strict=True):
                    found[name].append(100 * trainer.accuracy(passes))
    return figures


def table(figures: Figures, steps: int) -> str:
    """Means and ranges, as Markdown."""
    lines = [f"| {steps} steps | " + " | ".join(TESTS) + " |", "|---|" + "---|" * len(TESTS)]
    for kind, found in figures.items():
        cells = [f"{statistics.mean(v):.1f} % ({min(v):.1f} to {max(v):.1f})" for v in found.values()]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def plot(figures: Figures, path: Path) -> None:
    """Bars of means, and a dot for each seed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    for offset, (kind, found) in zip((-0.28, 0, 0.28), figures.items(), strict=True):
        places = [place + offset for place in range(len(TESTS))]
        bars = axes.bar(places, [statistics.mean(found[name]) for name in TESTS], 0.26, label=kind, alpha=0.6)
        axes.bar_label(bars, fmt="%.1f", label_type="center")
        for place, name in zip(places, TESTS, strict=True):
            axes.plot([place] * len(found[name]), found[name], "k.", markersize=5)
    axes.set_xticks(range(len(TESTS)), [f"{name} test images" for name in TESTS])
    axes.set_ylabel("accuracy, %")
    axes.set_ylim(0, 105)
    axes.legend(loc="lower left", title="training")
    axes.set_title("Digits: trained on upright images, with and without augmentation", fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    start(main)
