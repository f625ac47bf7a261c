"""Writes a dataset's shards, metadata and manifest, and goes on where an earlier build stopped."""

import contextlib
import fcntl
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

import augrng as ar
from pipelines.disk.build import BuildError, Example, Job, Json, cause, read_manifest
from pipelines.disk.features import as_example, described
from pipelines.sources.offsets import BESIDE, index_beside
from pipelines.sources.tfds import raw_feature


def build(
    job: Job, out: Path, *, overwrite: bool = False, done: Callable[[int], Any] = lambda count: None
) -> Json:
    """Writes what is missing of a job's dataset below `out`, its manifest last.

    Args:
      job: what to write.
      out: a folder of its own, made if need be.
      overwrite: whether to remove an earlier build first.
      done: told how many more examples are finished.

    Returns:
      The manifest.

    Raises:
      BuildError: if an example cannot be made and `on_error` is "raise", a file cannot be written (such as
        on a full disk), or another build is at work in `out`.
      ValueError: if `out` holds TFRecords that are of no build, or of one with other arguments.
    """
    out.mkdir(parents=True, exist_ok=True)
    manifest_path, progress_path = out / "manifest.json", out / "progress.json"
    with alone(out):
        state = next((path for path in (manifest_path, progress_path) if path.exists()), None)
        if overwrite:
            remove(out, job.stem, state)
            state = None
        shards = finished(job, out, state)
        if state == manifest_path and len(shards) == len(job.files):
            progress_path.unlink(missing_ok=True)
            return read_manifest(manifest_path)

        head = job.head()
        write_json(progress_path, {**head, "shards": list(shards.values())})
        manifest_path.unlink(missing_ok=True)
        examples: Iterator[Example] | None = None
        for file, start, stop in zip(job.files, job.bounds[:-1], job.bounds[1:], strict=True):
            if file in shards:
                done(stop - start)
                examples = None  # where they stand is before this shard
                continue
            examples = examples or job.examples(start, stored=True)
            shards[file] = write_shard(job, out / file, itertools.islice(examples, stop - start), done)
            write_json(progress_path, {**head, "shards": [shards[name] for name in sorted(shards)]})
        entries = [shards[file] for file in job.files]
        manifest = {**head, **totals(entries), "shards": entries}
        if not manifest["records"]:
            raise BuildError(f"{job.source.name}: not one of its examples can be made")
        write_metadata(job, out, entries)
        with whole(out / BESIDE) as part:
            part.write_bytes(index_beside(out, job.files))
        write_json(manifest_path, manifest)
        progress_path.unlink()
        return manifest


@contextlib.contextmanager
def alone(out: Path) -> Iterator[None]:
    """Keeps other builds out of a folder, as far as its file system has locks."""
    handle = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise BuildError(f"{out}: another build is at work there; wait for it to end") from error
    except OSError:
        pass  # no locks here
    try:
        yield
    finally:
        os.close(handle)


def finished(job: Job, out: Path, state: Path | None) -> dict[str, Json]:
    """The shards in `out` that this very job has made whole, by file name; see `build`."""
    if state is None:
        strangers = sorted(path.name for path in out.glob("*.tfrecord-*"))
        if strangers:
            raise ValueError(
                f"out: must hold no TFRecords but those of an unfinished build, got {out / strangers[0]}; "
                "name another folder (--overwrite removes what would be replaced)"
            )
        return {}
    found, head = read_manifest(state), job.head()
    there, asked = ({**side, **side["arguments"], "arguments": None} for side in (found, head))
    different = [
        f"{name} is {json.dumps(there.get(name))} there, {json.dumps(value)} asked for"
        for name, value in asked.items()
        if there.get(name) != value and not (name == "recipe" and value and there.get(name))
    ]
    if there.get("recipe") and asked["recipe"]:
        recipes = (json.dumps(side["recipe"]) for side in (there, asked))
        different += [f"recipe: {line}" for line in ar.differences(*recipes)]
    if different:
        raise ValueError(
            f"out: {out} holds a build of something else: {'; '.join(different)}. Ask for the same to resume "
            "it, name another folder, or start anew with --overwrite"
        )
    sizes = {path.name: path.stat().st_size for path in out.iterdir()}
    return {entry["file"]: entry for entry in found["shards"] if sizes.get(entry["file"]) == entry["bytes"]}


def remove(out: Path, stem: str, state: Path | None) -> None:
    """Removes an earlier build, and what this one would replace."""
    names = [path.name for path in out.glob(f"{stem}-*")]
    if state:
        with contextlib.suppress(ValueError):  # it is damaged
            names += [Path(entry["file"]).name for entry in read_manifest(state)["shards"]]
        names += ["dataset_info.json", "features.json", "label.labels.txt", "manifest.json", "progress.json"]
        names += [BESIDE]
    for name in names:
        (out / name).unlink(missing_ok=True)


def totals(entries: list[Json]) -> Json:
    """Counts and fingerprint of the shards together."""
    parts = [entry["fingerprint"].split(":") for entry in entries]
    total = sum((ar.Fingerprint(int(count), int(value, 16)) for count, value in parts), ar.Fingerprint())
    skipped = [id_ for entry in entries for id_, _ in entry["skipped"]]
    return {"records": total.count, "skipped": skipped, "fingerprint": str(total)}


def write_metadata(job: Job, out: Path, entries: list[Json]) -> None:
    """Writes what `tfds.builder_from_directory` needs."""
    shape, dtype = tuple(job.shape), job.dtype.as_numpy_dtype
    features: Json = {name: tfds.features.Scalar(np.int64) for name in ("id", "epoch")}
    features |= described(job.others)
    form = "jpeg" if job.plan.shorter_side else "png"
    features["image"] = tfds.features.Image(shape=shape, dtype=dtype, encoding_format=form)
    if job.plan.pixels:
        features["image"] = raw_feature(shape[-1])
    if job.labelled:
        names = list(job.source.class_names) if job.plan.label in (None, "label") else []
        features["label"] = tfds.features.ClassLabel(names=names) if names else features["id"]
    name, split = job.stem.removesuffix(".tfrecord").rsplit("-", 1)
    template = tfds.core.ShardedFileTemplate(
        data_dir=out, dataset_name=name, split=split, filetype_suffix="tfrecord"
    )
    info = tfds.core.SplitInfo(
        name=split,
        shard_lengths=[entry["records"] for entry in entries],
        num_bytes=sum(entry["bytes"] for entry in entries),
        filename_template=template,
    )
    try:
        tfds.folder_dataset.write_metadata(
            data_dir=out,
            features=features,
            split_infos=[info],
            check_data=False,
            supervised_keys=("image", "label") if job.labelled else None,
        )
    except (OSError, tf.errors.OpError) as error:
        raise BuildError(f"{out}: its metadata cannot be written: {cause(error)}") from error


def write_json(path: Path, value: Json) -> None:
    with whole(path) as part:
        part.write_text(json.dumps(value, indent=1) + "\n")


def write_shard(job: Job, path: Path, examples: Iterable[Example], done: Callable[[int], Any]) -> Json:
    """Writes a shard of examples, calls done(1) for each; returns the shard's entry of a manifest.

    Raises:
      BuildError: if an example cannot be made and `on_error` is "raise", or the file cannot be written.
    """
    total, all_of_it, size, skipped = ar.Fingerprint(), ar.Fingerprint(), 0, []
    with whole(path) as part, tf.io.TFRecordWriter(str(part)) as writer:
        for example in examples:
            if example.failure and job.plan.on_error == "raise":
                raise BuildError(f"the example with id {example.id} cannot be made: {example.failure}")
            if example.failure:
                skipped.append([example.id, example.failure])
            total, all_of_it = total + example.fingerprint(), all_of_it + example.whole()
            for epoch, file in enumerate(example.stored):
                numbers = {"id": example.id, "epoch": epoch}
                numbers |= {"label": example.label} if job.labelled else {}
                feature = {k: tf.train.Feature(int64_list={"value": [v]}) for k, v in numbers.items()}
                feature["image"] = tf.train.Feature(bytes_list={"value": [file]})
                feature |= as_example(example.others[epoch], job.features) if job.others else {}
                record = tf.train.Example(features={"feature": feature})
                size += 16 + record.ByteSize()  # 16 for the frame: length and checksums
                writer.write(record.SerializeToString(deterministic=True))
            done(1)
    entry = {"file": path.name, "records": total.count, "bytes": size}
    features = {"features": str(all_of_it)} if job.others else {}
    return {**entry, "fingerprint": str(total), **features, "skipped": skipped}


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A path to write to, which becomes `path` when all of it is on the disk, and is removed otherwise."""
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        with open(part, "rb") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except (OSError, tf.errors.OpError) as error:
        raise BuildError(f"{path}: cannot be written: {cause(error)}") from error
    finally:
        part.unlink(missing_ok=True)
