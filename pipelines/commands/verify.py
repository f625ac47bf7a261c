"""Says whether this machine makes the pixels that a manifest of `augrng build` speaks of.

Makes every example again from the source and compares fingerprints shard by shard; the stored shards, if they
lie beside the manifest, are checked too, and tell which examples differ.
"""

from pathlib import Path

import tensorflow as tf
import tensorflow_datasets as tfds
from tqdm import tqdm

from pipelines.commands import starting
from pipelines.commands.starting import Parser, failed, json_option
from pipelines.disk.build import BuildError, Json, cause, read_manifest, versions
from pipelines.disk.verification import SHOWN, Verdict, job_of, verify

EXAMPLES = """
    augrng verify out/digits/manifest.json
    augrng verify manifest.json --source folder:photos --json -"""


def main(arguments: list[str] | None = None) -> int:
    parser = Parser("verify", __doc__, EXAMPLES)
    parser.add_argument("manifest", type=Path, help="the manifest.json of a build; alone, or in its folder")
    parser.add_argument("--source", help="where the source lies here (default: as in the manifest)")
    parser.add_argument("--data-dir", help="as of augrng build (default: as in the manifest)")
    json_option(parser)
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
        return failed("verify", error, args, said=f"{args.manifest}: {cause(error)}")
    found = {**vars(verdict), "fingerprint": str(verdict.fingerprint)}
    starting.report(args, lines_of(verdict, manifest), found)
    return 1 if verdict.different or verdict.damaged else 0


def lines_of(verdict: Verdict, manifest: Json) -> list[str]:
    """A verdict in words."""
    lines = [f"different: {line}" for line in verdict.different]
    lines += [f"damaged: {line}" for line in verdict.damaged]
    if verdict.examples:
        lines.append(f"the first examples that differ (at most {SHOWN}):")
        lines += [f"  {line}" for line in verdict.examples]
    elif verdict.different and verdict.missing:
        lines.append("which examples differ cannot be said: the stored shards do not lie beside the manifest")
    if verdict.different:
        here, there = versions(), manifest["versions"].items()
        lines += [f"{name}: {here.get(name)} here, {v} then" for name, v in there if here.get(name) != v]
    if verdict.missing:
        lines.append(f"not checked, as not beside the manifest: {len(verdict.missing)} stored shards")
    if not verdict.different:
        lines.append(f"same: {verdict.fingerprint}")
    return lines
