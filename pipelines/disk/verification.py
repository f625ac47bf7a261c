"""Makes a built dataset again and says whether this machine gives the same pixels, and where not."""

import dataclasses
import functools
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import augrng as ar
from pipelines.disk import features
from pipelines.disk.build import Example, Job, Json, Plan, cause
from pipelines.images.decode import decode

SHOWN = 10  # examples that differ
Record = tuple[int, int, np.ndarray, dict[str, Any]]  # id, epoch, pixels, what else there is


@dataclasses.dataclass
class Verdict:
    """What was found: file names of shards, with what is the matter, and examples that differ."""

    fingerprint: ar.Fingerprint = dataclasses.field(default_factory=ar.Fingerprint)
    different: list[str] = dataclasses.field(default_factory=list)
    damaged: list[str] = dataclasses.field(default_factory=list)
    missing: list[str] = dataclasses.field(default_factory=list)
    examples: list[str] = dataclasses.field(default_factory=list)

    def differ(self, line: str) -> None:
        if len(self.examples) < SHOWN:
            self.examples.append(line)


def job_of(manifest: Json, changed: Json) -> Job:
    """The job that a manifest is of.

    Raises:
      ValueError: if it is unfinished, or of another stream version; and what `Job` raises.
    """
    if "fingerprint" not in manifest:
        raise ValueError("the build is unfinished; run it again first")
    if manifest["stream_version"] != ar.STREAM_VERSION:
        raise ValueError(
            f"stream_version: must be {ar.STREAM_VERSION}, the one this augrng knows, got "
            f"{manifest['stream_version']}; install an augrng that knows it"
        )
    recipe = manifest["recipe"] and json.dumps(manifest["recipe"])
    return Job(dataclasses.replace(Plan(**manifest["arguments"], recipe=recipe), **changed))


def verify(
    job: Job, manifest: Json, folder: Path, done: Callable[[int], Any] = lambda count: None
) -> Verdict:
    """Makes all examples of a job again and compares them with a manifest and the shards beside it.

    Raises:
      BuildError: if the source cannot be read.
    """
    verdict = Verdict()
    if job.head()["ids"] != manifest["ids"]:
        verdict.different.append(
            f"the source holds other ids: {len(job.ids)} here, {manifest['examples']} then"
        )
        compare_ids(job, manifest, folder, verdict)
        return verdict
    examples = job.examples(0, stored=False)
    for entry, start, stop in zip(manifest["shards"], job.bounds[:-1], job.bounds[1:], strict=True):
        compare_shard(
            job, entry, folder / entry["file"], itertools.islice(examples, stop - start), verdict, done
        )
    return verdict


def compare_shard(
    job: Job,
    entry: Json,
    path: Path,
    examples: Iterable[Example],
    verdict: Verdict,
    done: Callable[[int], Any],
) -> None:
    stored = Stored(read_shard(job, path) if path.exists() else iter(()))
    if not path.exists():
        verdict.missing.append(entry["file"])
    made, whole = ar.Fingerprint(), ar.Fingerprint()
    skipped = {id_ for id_, _ in entry["skipped"]}
    for example in examples:
        made, whole = made + example.fingerprint(), whole + example.whole()
        expected = 0 if example.id in skipped else job.plan.variants
        records = stored.take(expected)
        if example.failure and expected:
            verdict.differ(f"id {example.id}: cannot be made here: {example.failure}")
        elif not example.failure and not expected:
            verdict.differ(f"id {example.id}: was skipped, and can be made here")
        else:
            others = example.others or ({},) * len(example.pixels)
            for epoch, (record, *one) in enumerate(zip(records, example.pixels, others, strict=False)):
                compare(record, (example.id, epoch, *one), verdict)
        done(1)
    verdict.fingerprint += made
    if str(made) != entry["fingerprint"]:
        verdict.different.append(f"{entry['file']}: {made} here, {entry['fingerprint']} in the manifest")
    elif job.others and str(whole) != entry.get("features"):
        there = entry.get("features")
        verdict.different.append(f"{entry['file']}: with features {whole} here, {there} in the manifest")
    if path.exists():
        stored.take(None)
        if stored.failure or str(stored.fingerprint) != entry["fingerprint"]:
            verdict.damaged.append(f"{entry['file']}: {stored.failure or f'holds {stored.fingerprint}'}")
        elif job.others and str(stored.whole) != entry.get("features"):
            verdict.damaged.append(f"{entry['file']}: with features it holds {stored.whole}")


class Stored:
    """The records of a stored shard, their fingerprint so far, and why no more can be read."""

    def __init__(self, records: Iterator[Record]) -> None:
        self.records, self.failure = records, ""
        self.fingerprint, self.whole = ar.Fingerprint(), ar.Fingerprint()  # of pixels; with all else

    def take(self, count: int | None) -> list[Record]:
        """The next `count` records, fewer at the end; all that are left, but only digested, for None."""
        taken: list[Record] = []
        try:
            for id_, epoch, pixels, others in itertools.islice(self.records, count):
                self.fingerprint += ar.fingerprint(pixels, id_, epoch)
                self.whole += features.fingerprint(pixels, others, id_, epoch)
                if count is not None:
                    taken.append((id_, epoch, pixels, others))
        except tf.errors.OpError as error:
            self.failure = f"cannot be read: {cause(error)}"
        return taken


def compare(stored: Record, made: Record, verdict: Verdict) -> None:
    what = f"id {made[0]}, epoch {made[1]}"
    if stored[:2] != made[:2]:
        verdict.differ(f"{what}: id {stored[0]}, epoch {stored[1]} is stored in its place")
    elif stored[2].shape != made[2].shape:
        verdict.differ(f"{what}: {made[2].shape} here, {stored[2].shape} stored")
    else:
        unequal = np.any(stored[2] != made[2], axis=-1)
        if unequal.any():
            verdict.differ(f"{what}: {unequal.sum()} of {unequal.size} pixels differ")
        elif names := features.differing(stored[3], made[3]):
            verdict.differ(f"{what}: {', '.join(names)} differ")


def compare_ids(job: Job, manifest: Json, folder: Path, verdict: Verdict) -> None:
    """Names ids that only the source or only the stored shards have."""
    skipped = set(manifest["skipped"])
    stored: set[int] = set()
    for entry in manifest["shards"]:
        if not (folder / entry["file"]).exists():
            verdict.missing.append(entry["file"])
            return
        records = Stored(read_shard(job, folder / entry["file"]))
        while taken := records.take(1):
            stored.add(taken[0][0])
        if records.failure:
            verdict.damaged.append(f"{entry['file']}: {records.failure}")
    for id_ in job.ids.tolist():
        if id_ not in stored and id_ not in skipped:
            verdict.differ(f"id {id_}: only the source here has it")
    for id_ in sorted(stored - set(job.ids.tolist())):
        verdict.differ(f"id {id_}: the source here has it not")


def read_shard(job: Job, path: Path) -> Iterator[Record]:
    """The records of a shard; tf.errors.OpError for a damaged one."""
    scalar = tf.io.FixedLenFeature([], tf.int64)
    is_png = job.plan.shorter_side is None and not job.plan.pixels
    own = {"id": scalar, "epoch": scalar, "image": tf.io.FixedLenFeature([], tf.string)}

    def parse(record: tf.Tensor) -> tuple[Any, ...]:
        found = tf.io.parse_single_example(record, own)
        image = found["image"]
        pixels = tf.io.decode_png(image, job.shape[-1], job.dtype) if is_png else image
        others = job.features.deserialize_example(record) if job.others else {}
        return found["id"], found["epoch"], pixels, others

    for id_, epoch, pixels, others in tf.data.TFRecordDataset(str(path)).map(parse, num_parallel_calls=2):
        pixels = pixels if is_png else _decoder(job.shape[-1])(pixels)
        yield int(id_), int(epoch), pixels.numpy(), others


@functools.cache
def _decoder(channels: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """`decode`, traced once: in a dataset for each shard it would take seconds to start."""
    return tf.function(
        functools.partial(decode, channels=channels), [tf.TensorSpec([], tf.string)], autograph=False
    )
