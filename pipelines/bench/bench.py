"""Measures augrng beside its peers: every row in one run, each contender in a process of its own, in turn.

Prints a table of medians with their spread; --json keeps the figures, --plot draws them, --pictures shows an
output of each contender. Absolute figures belong to this machine and this moment; the ratios are what to
quote. Peers that are not installed are left out with a line that says so; --peers-python names an
interpreter that has them (extra "peers"), apart from TensorFlow's.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from pipelines.bench import measuring
from pipelines.bench.drawing import draw_pictures, draw_ratios
from pipelines.commands.starting import Parser

HERE = Path(__file__).resolve().parent
TORCH = ["albumentations", "torchvision", "kornia"]
PEERS = {*TORCH, "albumentations, smaller", "OpenCV warpAffine", "DALI", "Grain"}  # need no TensorFlow


class Row(NamedTuple):
    """What is measured: a title, the unit and what one is of it, whether more is better, who contends."""

    title: str
    unit: str
    scale: float
    more_is_better: bool
    contenders: list[str]


END_TO_END = ["augrng", "decoding alone", "tf.image", *TORCH, "DALI", "Grain"]
FORMS = ["augrng", "augrng, smaller", "augrng, raw", "albumentations", "albumentations, smaller"]
ROWS = {
    "keys": Row(
        "keys and 4 words, 65,536 examples, one core", "us", 1e6, False, ["augrng", "vectorized_map"]
    ),
    "warp": Row(
        "256x256 to 224x224 uint8: crop, flip, rotation, one core", "ms", 1e3, False,
        ["augrng", "ImageProjectiveTransformV3", "Keras layers", "OpenCV warpAffine", *TORCH],
    ),
    "targets": Row(
        "512x512 to 448x448 with a mask and 8 boxes: crop, flip, rotation, one core", "ms", 1e3, False,
        ["augrng", "albumentations", "torchvision"],
    ),
    "mix_up": Row(
        "JPEG 500x375 to 224x224 with MixUp, CPU time an example, one core", "ms", 1e3, False,
        ["augrng", "augrng without MixUp"],
    ),
    "layers": Row(
        "256x256 to 224x224 floats, the layer Finish in a compiled step, one core", "ms", 1e3, False,
        ["augrng", "Augment"],
    ),
    "small": Row(
        "36x36 to 32x32 in memory, batches of 256: crop, flip, rotation", "images/s", 1, True,
        ["augrng", "Keras layers", "tf.image", *TORCH],
    ),
    "jpeg_500x375": Row("JPEG 500x375 to 224x224, end to end", "images/s", 1, True, END_TO_END),
    "jpeg_2560x1600": Row("JPEG 2560x1600 to 224x224, end to end", "images/s", 1, True, END_TO_END),
    "forms_500x375": Row("JPEG 500x375, as it is, 256 high, raw", "images/s", 1, True, FORMS),
    "forms_2560x1600": Row("JPEG 2560x1600, as it is, 400 high, raw", "images/s", 1, True, FORMS),
    "tfrecord_500x375": Row(
        "JPEG 500x375 in TFRecords to 224x224, end to end", "images/s", 1, True, ["augrng", "augrng in order"]
    ),
    "service": Row(
        "JPEG 500x375 to 224x224 by a tf.data service with one worker", "images/s", 1, True,
        ["augrng", "augrng by a worker", "augrng by a worker for two"],
    ),
    "first_batch": Row(
        "first batch of 500x375 JPEGs in a new process", "s", 1, False, ["augrng", "augrng at step 10**6"]
    ),
    "color_jitter": Row(
        "ColorJitter(0.4, 0.4, 0.4, 0.1) of 224x224 uint8, one core", "ms", 1e3, False,
        ["augrng", "Keras layers", "albumentations", "torchvision"],
    ),
    "rand_augment": Row(
        "RandAugment(2, 9) of 224x224 uint8, one by one, one core", "ms", 1e3, False,
        ["augrng", "Keras layers", "torchvision"],
    ),
    "trivial_augment": Row(
        "TrivialAugmentWide of 224x224 uint8, one by one, one core", "ms", 1e3, False,
        ["augrng", "torchvision"],
    ),
    "jpeg_rand_augment": Row(
        "JPEG 500x375 to 224x224, flip, RandAugment(2, 9), end to end", "images/s", 1, True,
        ["augrng", "augrng without RandAugment", "torchvision"],
    ),
    "gpu": Row(
        "256x256 uint8 to 224x224 bfloat16: crop, flip, rotation, normalised, on a GPU", "GB/s", 1e-9, True,
        ["augrng", "copy", "Keras layers"],
    ),
    "compile": Row("compiling for a batch of 32", "s", 1, False, ["augrng", "Keras layers"]),
    "stages_500x375": Row(
        "parts of the work on a 500x375 JPEG, one core", "ms", 1e3, False, measuring.STAGES
    ),
    "stages_2560x1600": Row(
        "parts of the work on a 2560x1600 JPEG, one core", "ms", 1e3, False, measuring.STAGES
    ),
}  # fmt: skip


EXAMPLES = """
    augrng bench --mine folder:photos --recipe recipe.json
    augrng bench --row warp --row keys --json out/bench.json"""


def main(arguments: list[str] | None = None) -> None:
    parser = Parser("bench", __doc__, EXAMPLES)
    add = parser.add_argument
    add(
        "--mine",
        metavar="SOURCE",
        help="measure this source instead and say what bounds it",
    )
    add("--recipe", help="with --mine: a file of JSON, JSON, or calls such as RandomCrop(224, 224)")
    add("--batch", type=int, default=64, help="with --mine: images in a batch (default 64)")
    add("--data-dir", help="with --mine: of tfds: sources")
    add("--rounds", type=int, default=3, help="measurements of each contender (default 3)")
    add("--row", choices=ROWS, action="append", help="only this row; may be repeated")
    add("--seconds", type=float, default=4, help="that each measurement takes at least (default 4)")
    add("--peers-python", default=sys.executable, help="interpreter for peers without TensorFlow")
    add("--json", type=Path, help="write the figures here")
    add("--plot", type=Path, help="draw augrng's ratio to each peer here, PNG")
    add("--pictures", type=Path, help="draw an output of each contender here, PNG")
    args = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if args.mine:
        found = of_mine(args, parser)
        if args.json:
            args.json.write_text(json.dumps(found, indent=1))
        return
    report: dict[str, Any] = {"machine": machine(), "versions": {}, "rows": {}, "memory": {}}
    print(report["machine"])
    with tempfile.TemporaryDirectory() as made:
        make_inputs(Path(made))
        for name in args.row or ROWS:
            measure(name, Path(made), args, report)
            print_row(name, report)
        pictures = {path.stem: np.load(path) for path in Path(made).glob("*.*.npy")}
        if args.pictures:
            draw_pictures(pictures, ROWS, args.pictures)
    print("\n" + ", ".join(sorted(set(report["versions"].values()) - {""})))
    if args.json:
        args.json.write_text(json.dumps(report, indent=1))
    if args.plot:
        end_to_end = [name for name in report["rows"] if name[:4] in ("keys", "warp", "smal", "jpeg")]
        shown = {name: found for name in end_to_end if (found := ratios(name, report))}
        draw_ratios(shown, {name: row.title for name, row in ROWS.items()}, args.plot)


def of_mine(args: argparse.Namespace, parser: argparse.ArgumentParser) -> dict[str, Any]:
    """`pipelines.bench.mine`, whose mistakes are answered as argparse's are."""
    if not args.recipe:
        parser.error("--mine: needs --recipe, a file or calls such as RandomResizedCrop(224, 224)")
    from pipelines.bench.mine import mine

    try:
        return mine(args)
    except (OSError, ValueError, TypeError) as error:
        parser.error(str(error))


def machine() -> str:
    """The processor, how many cores this process may use, and Python's version."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line
        ]
        cpu = models[0] if models else cpu
    return f"{cpu}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"


def make_inputs(folder: Path) -> None:
    """Parts of the two photographs: photo.npy, small.npy, and folders of JPEGs of quality 92."""
    from pipelines.sources.digits import photo_paths

    rng = np.random.default_rng(0)
    photos = [Image.open(path).convert("RGB") for path in photo_paths()]
    np.save(folder / "photo.npy", np.asarray(photos[0])[:256, :256])
    small = []
    for number in range(4096):
        left, top = rng.integers(0, 380, 2)
        small.append(
            np.asarray(
                photos[number % 2].crop((left, top % 180, left + 144, top % 180 + 144)).resize((36, 36))
            )
        )
    np.save(folder / "small.npy", np.stack(small))
    for name, (width, height, count) in measuring.JPEGS.items():
        (folder / name).mkdir()
        for number in range(count):
            left, top = rng.integers(0, 60, 2)
            part = photos[number % 2].crop((left, top, left + 560, top + 560 * height // width))
            part = part.resize((width, height), Image.Resampling.LANCZOS)
            part.save(folder / name / f"{number:04}.jpg", quality=92)


def measure(name: str, folder: Path, args: argparse.Namespace, report: dict[str, Any]) -> None:
    """Runs the contenders of a row in turn, `rounds` times, and adds what they found to the report."""
    row, left_out = ROWS[name], set()
    values: dict[str, list[float]] = {contender: [] for contender in row.contenders}
    for _ in tqdm(range(args.rounds), desc=name, leave=False):
        for contender in row.contenders:
            if contender in left_out:
                continue
            found = run(name, contender, folder, args)
            if "missing" in found:
                left_out.add(contender)
                print(f"{contender} is left out: {found['missing']}")
                continue
            values[contender].append(found["value"] * row.scale)
            report["versions"][contender] = found.get("version", report["versions"].get(contender, ""))
            report["memory"].setdefault(name, {}).setdefault(contender, []).append(found.get("memory", 0.0))
    report["rows"][name] = {contender: found for contender, found in values.items() if found}


def run(row: str, contender: str, folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """One measurement, in a process of its own; {"missing": why} where it cannot be had."""
    is_peer = contender in PEERS
    program = HERE / ("bench_peers.py" if is_peer else "bench_tensorflow.py")
    command = [args.peers_python if is_peer else sys.executable, program, row, contender, folder]
    command += ["--seconds", args.seconds]
    environment = {**os.environ, "NO_ALBUMENTATIONS_UPDATE": "1"}
    if not is_peer:
        where = str(HERE.parents[__name__.count(".") - 1])  # what holds the package that this one is in
        environment["PYTHONPATH"] = os.pathsep.join([where, os.environ.get("PYTHONPATH", "")])
    try:
        done = subprocess.run(
            list(map(str, command)), capture_output=True, text=True, check=False, env=environment
        )
    except OSError as error:
        return {"missing": str(error)}
    if done.returncode:
        return {"missing": (done.stderr.strip().splitlines() or ["it failed"])[-1]}
    return json.loads(done.stdout.strip().splitlines()[-1])


def ratios(name: str, report: dict[str, Any]) -> dict[str, float]:
    """How many times augrng is as good as each contender, by medians; above 1 is better."""
    row, medians = ROWS[name], {who: statistics.median(v) for who, v in report["rows"][name].items()}
    if "augrng" not in medians:
        return {}  # nothing to compare, as on a machine without a GPU
    ours = medians["augrng"]
    return {who: ours / m if row.more_is_better else m / ours for who, m in medians.items()}


def print_row(name: str, report: dict[str, Any]) -> None:
    row, found, memory = ROWS[name], ratios(name, report), report["memory"].get(name, {})
    print(f"\n{row.title}, {row.unit}\n{'':28}{'median':>10}{'min':>10}{'max':>10}{'MB':>8}  augrng is")
    for who, values in report["rows"][name].items():
        line = f"{who:28}{statistics.median(values):10.4g}{min(values):10.4g}{max(values):10.4g}"
        resident = statistics.median(memory[who])
        line += f"{resident:8.0f}" if resident else " " * 8
        print(line + (f"  {found[who]:.2f} times as fast" if who in found and who != "augrng" else ""))
