#!/usr/bin/env python3
"""Augments real images with keys derived per example, and shows that anyone gets the same pixels.

Reads the embedded TFDS datasets, crops, flips and rotates every digit in two epochs, prints the table
of transforms, the speed and the fingerprints, and draws a contact sheet.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import tensorflow as tf
import tensorflow_datasets as tfds
from tqdm import tqdm

import augrng as ar
import pipelines as pl
from pipelines.images.decode import decode
from pipelines.show.sheets import Row, contact_sheet
from pipelines.sources import digits
from pipelines.sources.source import Record
from scripts.starting import start


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=7, help="op-level seed of the recipe (default 7)")
    parser.add_argument("--epochs", type=int, default=2, help="how many epochs to augment (default 2)")
    parser.add_argument("--batch", type=int, default=64, help="examples in a batch (default 64)")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for what is made (default out)")
    args = parser.parse_args(arguments)
    tfds.disable_progress_bar()
    tf.get_logger().setLevel("ERROR")

    aug = ar.Compose([ar.RandomCrop(28, 28), ar.RandomFlip(), ar.RandomRotation(20)], seed=args.seed)
    photo_aug = ar.Compose([ar.RandomCrop(320, 320), ar.RandomFlip(), ar.RandomRotation(20)], seed=args.seed)
    print_table(aug)

    source = pl.from_tfds(digits.prepared(digits.Digits, args.out / "data"))
    batches = pl.make_dataset(
        source, aug, batch_size=args.batch, epochs=args.epochs, shuffle=False, channels=1
    )
    totals, seconds = fingerprints(batches, source.size * args.epochs)
    for epoch, total in sorted(totals.items()):
        print(f"epoch {epoch}: fingerprint {total}")
    print(f"{source.size * args.epochs / seconds:,.0f} images/s, compiling included")

    photos = pl.from_tfds(digits.prepared(digits.Photos, args.out / "data"))
    rows = [row(record, aug, f"digit {record['label']}", 1) for record in source.dataset().take(5)]
    rows += [row(record, photo_aug, record["name"].numpy().decode(), 3) for record in photos.dataset()]
    sheet = args.out / "preview.png"
    contact_sheet(rows, epochs=range(5), tile=144).save(sheet)
    print(f"contact sheet: {sheet}")


def fingerprints(batches: tf.data.Dataset, count: int) -> tuple[dict[int, ar.Fingerprint], float]:
    """The fingerprint of each epoch, and the seconds that all took."""
    totals: dict[int, ar.Fingerprint] = {}
    start = time.perf_counter()
    with tqdm(total=count, unit=" images", leave=False) as bar:
        for batch in batches:
            for epoch in set(batch["epoch"].numpy().tolist()):
                own = batch["epoch"] == epoch
                found = ar.fingerprint(batch["image"][own], batch["id"][own], epoch)
                totals[epoch] = totals.get(epoch, ar.Fingerprint()) + found
            bar.update(len(batch["id"]))
    return totals, time.perf_counter() - start


def row(record: Record, aug: ar.Compose, title: str, channels: int) -> Row:
    return Row(title, decode(record["image"], channels=channels).numpy(), int(record["id"]), aug)


def print_table(aug: ar.Compose) -> None:
    print(f"{'name':18}{'seed pair':46}transform")
    for name, transform in aug.transforms.items():
        pair = "({}, {})".format(*aug.seeds[name])
        print(f"{name:18}{pair:46}{transform}")


if __name__ == "__main__":
    start(main)
