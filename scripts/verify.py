#!/usr/bin/env python3
"""Says whether this machine makes the pixels that a manifest of scripts/build.py speaks of.

Makes every example again from the source and compares fingerprints shard by shard; the stored shards, if they
lie beside the manifest, are checked too, and tell which examples differ. Exit status: 0 if all is the same;
1 if pixels or stored shards differ; 2 if the manifest or the source cannot be read.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import tensorflow as tf
import tensorflow_datasets as tfds
from tqdm import tqdm

from pipelines.disk.build import BuildError, Json, cause, read_manifest, versions
from pipelines.disk.verification import SHOWN, Verdict, job_of, verify
from scripts.starting import start


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path, help="the manifest.json of a build; alone, or in its folder")
    parser.add_argument("--source", help="where the source lies here (default: as in the manifest)")
    parser.add_argument("--data-dir", help="as of build.py (default: as in the manifest)")
    args = parser.parse_args(arguments)
    tfds.disable_progress_bar()
    tf.get_logger().setLevel("ERROR")
    try:
        manifest = read_manifest(args.manifest)
        given = {"source": args.source, "data_dir": args.data_dir}
        job = job_of(manifest, {name: value for name, value in given.items() if value is not None})
        with tqdm(total=len(job.ids), desc="verifying", unit=" examples") as bar:
            verdict = verify(job, manifest, args.manifest.parent, bar.update)
    except (BuildError, OSError, ValueError, TypeError, KeyError, tf.errors.OpError) as error:
        print(f"verify: {args.manifest}: {cause(error)}", file=sys.stderr)
        return 2
    return report(verdict, manifest)


def report(verdict: Verdict, manifest: Json) -> int:
    """Prints a verdict; the exit status."""
    for line in verdict.different:
        print(f"different: {line}")
    for line in verdict.damaged:
        print(f"damaged: {line}")
    if verdict.examples:
        print(f"the first examples that differ (at most {SHOWN}):")
        print(*(f"  {line}" for line in verdict.examples), sep="\n")
    elif verdict.different and verdict.missing:
        print("which examples differ cannot be said: the stored shards do not lie beside the manifest")
    if verdict.different:
        here = versions()
        for name, then in manifest["versions"].items():
            if here.get(name) != then:
                print(f"{name}: {here.get(name)} here, {then} then")
    if verdict.missing:
        print(f"not checked, as not beside the manifest: {len(verdict.missing)} stored shards")
    if not verdict.different:
        print(f"same: {verdict.fingerprint}")
    return 1 if verdict.different or verdict.damaged else 0


if __name__ == "__main__":
    start(main)
