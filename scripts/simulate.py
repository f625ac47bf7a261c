#!/usr/bin/env python3
"""Checks at scale what cannot be seen on one machine: ids, keys, the load of hosts, elastic resumes.

No pictures are read: what is drawn, and which host has what, are functions that this asks. Prints a line for
each claim, with what was found and what chance or arithmetic says. Exit status: 0 if all hold, 1 if one does
not.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import tensorflow as tf
from scipy.stats import chi2, poisson
from tqdm import tqdm

import augrng as ar
import pipelines as pl
from pipelines.commands.starting import start
from pipelines.run.order import Order, ordered

_AT_ONCE = 10**6  # examples
_LEAST = 1e-6  # what chance may have of being so far off, for a claim to hold
Claims = Iterator[tuple[str, bool]]


def ids_of(numbers: np.ndarray) -> np.ndarray:
    """The ids of examples as TFDS names them, by number: shards of 10,000."""
    shard, place = (tf.strings.as_string(tf.constant(part)) for part in divmod(numbers, 10_000))
    return ar.string_ids(tf.strings.join(["train.tfrecord-", shard, "__", place])).numpy().view(np.uint64)


def first_words(numbers: np.ndarray) -> np.ndarray:
    """The first 64 bits that a transform draws for examples by number, in one epoch."""
    pair = tf.constant(ar.Compose([ar.RandomFlip()], seed=7).seeds["random_flip"], tf.int64)
    words = ar.bits(ar.fold_in(ar.fold_in(pair, 3), tf.constant(numbers)), 2).numpy().astype(np.uint64)
    return words[:, 0] << np.uint64(32) | words[:, 1]


def collisions(name: str, values_of: Callable[[np.ndarray], np.ndarray], count: int) -> Claims:
    """Equal values among so many, whole and by 40 of their 64 bits, of a sample that is a share by value.

    Two that are equal lie in the same share, so one of 16 shares tells of all at a 16th of the memory.
    """
    kept = []
    for begin in tqdm(range(0, count, _AT_ONCE), desc=name, leave=False):
        values = values_of(np.arange(begin, min(begin + _AT_ONCE, count)))
        kept.append(values[values >> np.uint64(60) == 5])
    sample = np.concatenate(kept)
    expected, deviation = count / 16, (count * 15 / 256) ** 0.5
    near = abs(len(sample) - expected) < 6 * deviation
    yield f"{name}: {len(sample):,} of {count:,} in one of 16 shares, {expected:,.0f} expected", bool(near)
    pairs = len(sample) * (len(sample) - 1) / 2
    for bits, shift in ((60, 0), (40, 0), (40, 10), (40, 20)):
        seen = np.unique(sample >> np.uint64(shift) & np.uint64(2**bits - 1))
        found, mean = len(sample) - len(seen), pairs / 2.0**bits
        chance = min(poisson.cdf(found, mean), poisson.sf(found - 1, mean))
        said = f"{name}: {found:,} equal by {bits} bits from bit {shift} on, {mean:,.3g} expected"
        yield said, bool(chance > _LEAST)


def loads(size: int, hosts: int, batch_size: int) -> Claims:
    """One epoch of all hosts: rows, and how the examples of 1,000 sorted classes fall to hosts."""
    indices = np.stack(list(batches(size, hosts, batch_size)), 1).reshape(hosts, -1)
    rows = indices.shape[1]
    once = len(np.unique(indices)) == indices.size
    yield f"load: each of {hosts:,} hosts has {rows:,} rows of {size:,} examples, none twice", once
    classes = indices * 1000 // size
    counts = np.stack([np.bincount(row, minlength=1000) for row in classes])
    expected = counts.sum(0) / hosts
    statistic = float(((counts - expected) ** 2 / expected).sum())
    freedom = (hosts - 1) * 999
    chance = min(chi2.sf(statistic, freedom), chi2.cdf(statistic, freedom))
    said = f"load: classes by host, chi-square {statistic:,.0f} of {freedom:,} degrees (p {chance:.3f})"
    yield said, bool(chance > _LEAST)


def elastic(size: int, batch_size: int, before: int, after: int) -> Claims:
    """A run of some hosts that goes on with others: its batches are those of one host."""
    half = size // batch_size // 2
    alone = [np.sort(batch.ravel()) for batch in batches(size, 1, batch_size)]
    first = [np.sort(batch.ravel()) for batch in batches(size, before, batch_size)][:half]
    rest = [np.sort(batch.ravel()) for batch in batches(size, after, batch_size, start=half)]
    same = sum(np.array_equal(a, b) for a, b in zip(alone, [*first, *rest], strict=True))
    said = f"elastic: {half} batches of {before:,} hosts, then of {after:,}; {same} of {len(alone)} are one's"
    yield said, same == len(alone)
    host = after // 2
    own = batches(size, after, batch_size, start=half, host=host)
    whole = batches(size, after, batch_size, start=half)
    right = all(np.array_equal(a.ravel(), b[host]) for a, b in zip(own, whole, strict=True))
    yield f"elastic: host {host} by itself reads what it has among all {after:,}", right


def batches(
    size: int, hosts: int, batch_size: int, *, start: int = 0, host: int | None = None
) -> Iterator[np.ndarray]:
    """Indices of the whole batches of an epoch, int64[hosts, rows], or of one host, int64[1, rows]."""
    source = pl.from_arrays(np.zeros((size, 1, 1, 1), np.uint8), ids=np.arange(size))
    order = Order(epochs=None, seed=5, batch_size=batch_size, hosts=hosts, host=host, start=start)
    parts = ordered(source, order).batch(hosts if host is None else 1)  # of all hosts they come in a row
    for batch in parts.take(size // batch_size - start):
        yield batch["id"].numpy()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--examples", type=int, default=10**8, help="of which ids and keys are made (default 10**8)")
    add("--size", type=int, default=1_281_167, help="of the dataset that hosts share (default ImageNet's)")
    add("--hosts", type=int, nargs=2, default=[1000, 700], help="before and after (default 1000 700)")
    add("--rows", type=int, default=7000, help="of a batch, which both share equally (default 7000)")
    args = parser.parse_args()
    held = True
    for claims in (
        collisions("ids", ids_of, args.examples),
        collisions("draws", first_words, args.examples),
        loads(args.size, args.hosts[0], args.rows),
        elastic(args.size, args.rows, *args.hosts),
    ):
        for said, holds in claims:
            print(f"{'holds' if holds else 'DOES NOT HOLD'}  {said}", flush=True)
            held &= holds
    return 0 if held else 1


if __name__ == "__main__":
    start(main)
