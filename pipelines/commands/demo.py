"""Augments real images with keys derived per example, and shows that anyone gets the same pixels.

Reads the embedded TFDS datasets, crops, flips and rotates every digit in two epochs, prints the table
of transforms, the speed and the fingerprints, and draws a contact sheet.
"""

import time
from pathlib import Path

import tensorflow as tf
import tensorflow_datasets as tfds
from tqdm import tqdm

import augrng as ar
import pipelines as pl
from pipelines.commands.starting import Parser, json_option, report
from pipelines.images.decode import decode
from pipelines.show.sheets import contact_sheet
from pipelines.show.tiles import Row
from pipelines.sources import digits
from pipelines.sources.source import Record

EXAMPLES = """
    augrng demo
    augrng demo --seed 3 --epochs 4 --json -"""


def main(arguments: list[str] | None = None) -> None:
    parser = Parser("demo", __doc__, EXAMPLES)
    parser.add_argument("--seed", type=int, default=7, help="op-level seed of the recipe (default 7)")
    parser.add_argument("--epochs", type=int, default=2, help="how many epochs to augment (default 2)")
    parser.add_argument("--batch", type=int, default=64, help="examples in a batch (default 64)")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for what is made (default out)")
    json_option(parser)
    args = parser.parse_args(arguments)
    tfds.disable_progress_bar()
    tf.get_logger().setLevel("ERROR")

    aug = ar.Compose([ar.RandomCrop(28, 28), ar.RandomFlip(), ar.RandomRotation(20)], seed=args.seed)
    photo_aug = ar.Compose([ar.RandomCrop(320, 320), ar.RandomFlip(), ar.RandomRotation(20)], seed=args.seed)
    source = pl.from_tfds(digits.prepared(digits.Digits, args.out / "data"))
    batches = pl.make_dataset(
        source, aug, batch_size=args.batch, epochs=args.epochs, shuffle=False, channels=1
    )
    totals, seconds = fingerprints(batches, source.size * args.epochs)
    photos = pl.from_tfds(digits.prepared(digits.Photos, args.out / "data"))
    rows = [row(record, aug, f"digit {record['label']}", 1) for record in source.dataset().take(5)]
    rows += [row(record, photo_aug, record["name"].numpy().decode(), 3) for record in photos.dataset()]
    sheet = args.out / "preview.png"
    contact_sheet(rows, epochs=range(5), tile=144).save(sheet)
    found = {str(epoch): str(total) for epoch, total in sorted(totals.items())}
    rate = source.size * args.epochs / seconds
    lines = [f"epoch {epoch}: fingerprint {total}" for epoch, total in found.items()]
    lines += [f"{rate:,.0f} images/s, compiling included", f"contact sheet: {sheet}"]
    said = {"fingerprints": found, "images_per_second": rate, "sheet": str(sheet)}
    report(args, [*table(aug), *lines], said)


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


def table(aug: ar.Compose) -> list[str]:
    """The transforms of a recipe and their seed pairs, a header above."""
    pairs = {name: "({}, {})".format(*pair) for name, pair in aug.seeds.items()}
    rows = [f"{name:18}{pairs[name]:46}{transform}" for name, transform in aug.transforms.items()]
    return [f"{'name':18}{'seed pair':46}transform", *rows]
