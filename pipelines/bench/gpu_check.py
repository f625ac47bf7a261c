"""Checks a GPU: the same bits as the CPU for every transform, and how fast, beside a copy and Keras' layers.

Without a GPU it says so and checks the CPU, and whether XLA's front end for GPUs takes every program. On a
machine where only JAX sees the GPU, and TensorFlow is not there, `scripts/gpu_check.py --programs` of a clone
needs jax and numpy only.

The copy reads 256 MB and writes as many; the share of it that a contender has is that of the bytes that it
must move at least: the window of each image read once, the output written once.
"""

import argparse
import hashlib
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.commands.starting import Parser, failed

Figures = dict[str, dict[str, float]]
Report = dict[str, Any]

_WORDS = {"": ("DIFFERENT", "same"), "lowered for a GPU": ("FAILED", "done")}


EXAMPLES = """
    augrng gpu-check
    augrng gpu-check --export FOLDER                   # for a machine where only JAX sees the GPU;
    python scripts/gpu_check.py --programs FOLDER      # there"""


def main(arguments: list[str] | None = None) -> int:
    parser = Parser("gpu-check", __doc__, EXAMPLES)
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--export", type=Path, metavar="FOLDER", help="write programs and what they must give")
    way.add_argument("--programs", type=Path, metavar="FOLDER", help="check such a folder in JAX")
    parser.add_argument("--batch", type=int, help="images timed at once (default 1024; CPU: 64)")
    parser.add_argument("--size", type=int, default=256, help="their side (default 256)")
    parser.add_argument("--rounds", type=int, default=10, help="measurements of each contender (default 10)")
    parser.add_argument("--calls", type=int, default=10, help="calls in a measurement (default 10)")
    parser.add_argument("--json", type=Path, help="also write all of it here")
    args = parser.parse_args(arguments)
    if args.export:
        from pipelines.run.device_check import export

        export(args.export, args.batch or 1024, args.size)
        print(f"{args.export}: {sum(f.stat().st_size for f in args.export.iterdir()) / 1e6:.1f} MB")
        return 0
    try:
        report = in_jax(args) if args.programs else in_tensorflow(args)
    except (OSError, ValueError, KeyError) as error:
        if not args.programs:
            raise
        return failed("gpu-check", error, args, said=f"{args.programs}: {error}")
    show(report)
    if args.json:
        args.json.write_text(json.dumps(report, indent=1))
    return 0 if all(same for ways in report["bits"].values() for same in ways.values()) else 1


def in_tensorflow(args: argparse.Namespace) -> Report:
    """All works on every device that TensorFlow has, eagerly and as one XLA program."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    from pipelines.run.device_check import compared, contenders, moved

    tf.get_logger().setLevel("ERROR")
    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    devices = ["CPU:0", *(f"GPU:{index}" for index in range(len(gpus)))]
    bits: dict[str, dict[str, bool]] = {}
    for work, way, same in compared(devices):
        bits.setdefault(work, {})[way] = same
    batch = args.batch or (1024 if gpus else 64)
    started = contenders(devices[-1], batch, args.size)
    seconds = {
        name: measured(start, lambda _: tf.test.experimental.sync_devices(), args)
        for name, start in started.items()
    }
    return {
        "framework": f"TensorFlow {tf.__version__}",
        "gpus": names,
        "timed_on": devices[-1],
        "batch": batch,
        "size": args.size,
        "bits": bits,
        "speed": figures(seconds, moved(batch, args.size), batch),
    }


def in_jax(args: argparse.Namespace) -> Report:
    """All programs of a folder on JAX's first device."""
    import jax

    from pipelines.bench.run_in_jax import Runner

    folder = args.programs
    said = json.loads((folder / "check.json").read_text())
    arrays = [np.load(folder / f"{name}.npy") for name in ("images", "ids", "epoch")]
    way, bits = f"JAX {jax.devices()[0]}", {}
    for work in said["works"]:
        runner = Runner(folder / f"{work}.mlir")
        got = np.asarray(runner(runner.put(*arrays))).tobytes()
        bits[work] = {way: got == np.load(folder / f"{work}.npy").tobytes()}

    speed = said["speed"]
    runner, batch, size = Runner(folder / "speed.mlir"), speed["batch"], speed["size"]
    images, ids = np.resize(arrays[0], [batch, size, size, 3]), np.arange(batch)
    taken = runner.put(images, ids, np.zeros_like(ids))
    digest = hashlib.sha256(np.asarray(runner(taken)).tobytes()).hexdigest()
    bits["speed"] = {way: digest == speed["sha256"]}

    copy = jax.jit(lambda x: x + 1)
    words = jax.numpy.zeros(speed["bytes"]["copy"] // 8, "int32", device=runner.device)
    started = {"copy": lambda: copy(words), "augrng": lambda: runner(taken)}
    seconds = {name: measured(start, jax.block_until_ready, args) for name, start in started.items()}
    return {
        "framework": f"JAX {jax.__version__}",
        "gpus": [device.device_kind for device in jax.devices() if device.platform == "gpu"],
        "timed_on": str(runner.device),
        "batch": batch,
        "size": size,
        "bits": bits,
        "speed": figures(seconds, speed["bytes"], batch),
    }


def measured(start: Callable[[], Any], wait: Callable[[Any], object], args: argparse.Namespace) -> float:
    """Median seconds of a call, by the wall clock; calls are started one after the other, then waited for."""
    wait(start())
    rounds = []
    for _ in range(args.rounds):
        begin = time.perf_counter()
        for _ in range(args.calls):
            last = start()
        wait(last)
        rounds.append((time.perf_counter() - begin) / args.calls)
    return statistics.median(rounds)


def figures(seconds: dict[str, float], moved: dict[str, int], batch: int) -> Figures:
    """Of each contender: milliseconds a call, images a second, GB a second, and its share of the copy's."""
    copied = moved["copy"] / seconds["copy"]
    found: Figures = {}
    for name, time_ in seconds.items():
        rate = moved[name] / time_
        found[name] = {"ms": time_ * 1e3, "gb_per_s": rate / 1e9, "share_of_copy": rate / copied}
        if name != "copy":
            found[name]["images_per_s"] = batch / time_
    return found


def show(report: Report) -> None:
    """Prints a report."""
    seen = ", ".join(report["gpus"]) or "sees no GPU: only the CPU is checked"
    print(f"{report['framework']}: {seen}\n\nbits, against TensorFlow on the CPU op by op")
    for work, ways in report["bits"].items():
        said = (f"{way} {_WORDS.get(way, _WORDS[''])[same]}" for way, same in ways.items())
        print(f"  {work:24}{', '.join(said)}")
    print(
        f"\nspeed on {report['timed_on']}: {report['batch']} images of {report['size']}x{report['size']}, "
        "crop + flip + rotation, normalised, uint8 to bfloat16\n"
        f"  {'':16}{'ms':>10}{'images/s':>12}{'GB/s':>10}{'of the copy':>13}"
    )
    for name, row in report["speed"].items():
        images = f"{row['images_per_s']:12,.0f}" if "images_per_s" in row else " " * 12
        print(f"  {name:16}{row['ms']:10.3f}{images}{row['gb_per_s']:10.1f}{row['share_of_copy']:13.1%}")
