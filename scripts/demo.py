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
from pipelines import digits
from pipelines.contact_sheet import Row, contact_sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=7, help="op-level seed of the recipe (default 7)")
    parser.add_argument("--epochs", type=int, default=2, help="how many epochs to augment (default 2)")
    parser.add_argument("--batch", type=int, default=64, help="examples in a batch (default 64)")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for what is made (default out)")
    args = parser.parse_args()
    tfds.disable_progress_bar()
    tf.get_logger().setLevel("ERROR")

    aug = ar.Compose([ar.RandomCrop(28, 28), ar.RandomFlip(), ar.RandomRotation(20)], seed=args.seed)
    photo_aug = ar.Compose([ar.RandomCrop(320, 320), ar.RandomFlip(), ar.RandomRotation(20)], seed=args.seed)
    print_table(aug)

    examples = records(digits.Digits, args.out / "data")
    for epoch in range(args.epochs):
        total, seconds = augment_epoch(examples, aug, epoch, args.batch)
        compiling = ", compiling included" if epoch == 0 else ""
        print(f"epoch {epoch}: fingerprint {total}  ({total.count / seconds:,.0f} images/s{compiling})")

    photos = records(digits.Photos, args.out / "data")
    rows = [row(example, aug, f"digit {example['label']}") for example in examples.take(5)]
    rows += [row(example, photo_aug, example["name"].numpy().decode()) for example in photos]
    sheet = args.out / "preview.png"
    contact_sheet(rows, epochs=range(5), tile=144).save(sheet)
    print(f"contact sheet: {sheet}")


def records(builder: type[tfds.core.GeneratorBasedBuilder], data_dir: Path) -> tf.data.Dataset:
    """The training split of a builder, each example with an int64 id."""
    read = tfds.ReadConfig(add_tfds_id=True)
    dataset = digits.prepared(builder, data_dir).as_dataset(split="train", read_config=read)
    return dataset.map(lambda example: {**example, "id": ar.string_ids(example["tfds_id"])})


def augment_epoch(
    examples: tf.data.Dataset, aug: ar.Compose, epoch: int, batch: int
) -> tuple[ar.Fingerprint, float]:
    """Augments every example once; its fingerprint, and the seconds that it took."""
    batches = (
        examples.map(
            lambda example: {**example, "image": aug(example["image"], example["id"], epoch)},
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        .batch(batch)
        .prefetch(tf.data.AUTOTUNE)
    )
    total = ar.Fingerprint()
    start = time.perf_counter()
    with tqdm(total=int(examples.cardinality()), desc=f"epoch {epoch}", unit=" images", leave=False) as bar:
        for items in batches:
            total += ar.fingerprint(items["image"], items["id"], epoch)
            bar.update(len(items["id"]))
    return total, time.perf_counter() - start


def row(example: dict[str, tf.Tensor], aug: ar.Compose, title: str) -> Row:
    return Row(title, example["image"].numpy(), int(example["id"]), aug)


def print_table(aug: ar.Compose) -> None:
    print(f"{'name':18}{'seed pair':46}transform")
    for name, transform in aug.transforms.items():
        pair = "({}, {})".format(*aug.seeds[name])
        print(f"{name:18}{pair:46}{transform}")


if __name__ == "__main__":
    main()
