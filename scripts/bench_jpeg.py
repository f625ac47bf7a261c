#!/usr/bin/env python3
"""JPEG files to augmented batches, end to end, beside decoding alone and albumentations.

Every contender decodes the same files with the same two cores and makes batches of 64 of 224x224 RGB:
RandomResizedCrop, horizontal flip, rotation within 30 degrees. They run in processes of their own, in
turn. albumentations runs under a PyTorch DataLoader with 2 workers, by the interpreter that
--peers-python names (it needs torch, albumentations 2.0.8 and OpenCV); without it that row is left out.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from PIL import Image

WARM_UP = 16  # batches: what was made while programs were compiled is used up then
SIZES = {"500x375": (500, 375, 256, 60), "2560x1600": (2560, 1600, 48, 8)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers-python", help="interpreter that has torch and albumentations")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each contender (default 3)")
    parser.add_argument("--size", choices=SIZES, action="append", help="only this size; may be repeated")
    parser.add_argument("--run", choices=["augrng", "full", "decode"], help=argparse.SUPPRESS)
    parser.add_argument("--files", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--batches", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        print(measure(args.run, args.files, args.batches))
        return
    for title in args.size or SIZES:
        width, height, count, batches = SIZES[title]
        with tempfile.TemporaryDirectory() as made:
            make_files(Path(made), width, height, count)
            report(title, Path(made), batches, args)


def make_files(folder: Path, width: int, height: int, count: int) -> None:
    """JPEGs of this size, quality 92, from different parts of the two photographs."""
    from pipelines.digits import photo_paths

    rng = np.random.default_rng(0)
    photos = [Image.open(path) for path in photo_paths()]
    for number in range(count):
        left, top = rng.integers(0, 60, 2)
        part = photos[number % 2].crop((left, top, left + 560, top + 560 * height // width))
        part.resize((width, height), Image.Resampling.LANCZOS).save(folder / f"{number:04}.jpg", quality=92)


def report(title: str, folder: Path, batches: int, args: argparse.Namespace) -> None:
    here = [sys.executable, __file__, "--files", str(folder), "--batches", str(batches), "--run"]
    contenders = {name: [*here, name] for name in ("augrng", "full", "decode")}
    if args.peers_python:
        peers = str(Path(__file__).with_name("peers.py"))
        contenders["albumentations"] = [args.peers_python, peers, str(folder), "--batches", str(batches)]
    else:
        print("albumentations is skipped: name an interpreter that has it with --peers-python")
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(args.rounds):
        for name, command in contenders.items():
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            rates[name].append(float(done.stdout.split()[-1]))
    size = statistics.mean(path.stat().st_size for path in folder.iterdir()) / 1000
    ours = statistics.median(rates["augrng"])
    print(f"\nJPEG {title} ({size:.0f} kB) to 224x224, images/s on all cores")
    print(f"{'':20}{'median':>9}{'min':>9}{'max':>9}")
    for name, values in rates.items():
        median = statistics.median(values)
        line = f"{name:20}{median:9.0f}{min(values):9.0f}{max(values):9.0f}"
        print(line + ("" if name == "augrng" else f"   augrng has {ours / median:.2f} of it"))


def measure(name: str, folder: Path, batches: int) -> float:
    """Images per second of one contender, after a warm-up."""
    import tensorflow as tf

    import augrng as ar
    import pipelines as pl

    if name == "decode":
        files = sorted(str(path) for path in folder.iterdir())
        dataset = tf.data.Dataset.from_tensor_slices(files).repeat()
        dataset = dataset.map(
            lambda path: tf.size(tf.io.decode_jpeg(tf.io.read_file(path), channels=3)),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        dataset = dataset.batch(64).prefetch(tf.data.AUTOTUNE)
    else:
        aug = ar.Compose([ar.RandomResizedCrop(224, 224), ar.RandomFlip(), ar.RandomRotation(30)], seed=7)
        decode = "full" if name == "full" else "partial"
        dataset = pl.make_dataset(
            pl.from_folder(folder), aug, batch_size=64, epochs=None, seed=1, decode=decode
        )
    iterator = iter(dataset)
    for _ in range(WARM_UP):
        next(iterator)
    start = time.perf_counter()
    for _ in range(batches):
        next(iterator)
    return batches * 64 / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
