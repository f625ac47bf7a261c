"""How a contender of augrng bench measures itself; needs NumPy only, so that every interpreter can."""

import argparse
import importlib.metadata
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

JPEGS = {"jpeg_500x375": (500, 375, 256), "jpeg_2560x1600": (2560, 1600, 48)}  # row -> width, height, files
SHORTER_SIDES = {"jpeg_500x375": 256, "jpeg_2560x1600": 400}  # of what is made smaller beforehand
STAGES = [
    "header",
    "draws and map",
    "decode window",
    "decode window and warp",
    "decode all",
    "decode last row",
]
LABELLED = (448, 15)  # of images with masks and boxes: the crop's side, and the largest angle
_SECONDS = 4.0  # that a measurement takes at least


def labelled(folder: Path) -> dict[str, np.ndarray]:
    """An image uint8[512, 512, 3], a mask uint8[512, 512] of eight rectangles, their boxes float32[8, 4]."""
    image = np.load(folder / "photo.npy").repeat(2, 0).repeat(2, 1)
    rng, mask = np.random.default_rng(1), np.zeros(image.shape[:2], np.uint8)
    starts = rng.integers(0, 400, (8, 2))
    boxes = np.concatenate([starts, starts + rng.integers(24, 112, (8, 2))], 1)
    for number, (x1, y1, x2, y2) in enumerate(boxes):
        mask[y1:y2, x1:x2] = number + 1
    return {"image": image, "mask": mask, "boxes": boxes.astype(np.float32)}


def one_thread_an_image() -> None:
    """As the peers have it: images are worked on side by side, so that none needs more than a thread."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)


def one_core() -> None:
    """TensorFlow on one core."""
    import tensorflow as tf

    one_thread_an_image()
    tf.config.threading.set_inter_op_parallelism_threads(1)


def cpu_time(work: Callable[[], object], examples: int) -> float:
    """Median CPU seconds an example of calls that each do `examples`; after two calls to warm up."""
    work()
    work()
    figures: list[float] = []
    end = time.perf_counter() + _SECONDS
    while time.perf_counter() < end or len(figures) < 3:
        start = time.process_time()
        work()
        figures.append((time.process_time() - start) / examples)
    return statistics.median(figures)


def rate(batches: Iterator[Any], batch_size: int, warm_up: int = 12) -> dict[str, float]:
    """Examples a second of an endless iterator, and the memory it then takes, in MB."""
    for _ in range(warm_up):  # what was made while programs were compiled is used up then
        next(batches)
    count, start = 0, time.perf_counter()
    while time.perf_counter() < start + _SECONDS or count < 3:
        next(batches)
        count += 1
    return {"value": count * batch_size / (time.perf_counter() - start), "memory": resident_megabytes()}


def cpu_time_of(batches: Iterator[Any], batch_size: int, warm_up: int = 12) -> float:
    """Mean CPU seconds an example of an endless iterator, whose threads work ahead."""
    for _ in range(warm_up):
        next(batches)
    count, end, start = 0, time.perf_counter() + _SECONDS, time.process_time()
    while time.perf_counter() < end or count < 12:
        next(batches)
        count += 1
    return (time.process_time() - start) / (count * batch_size)


def resident_megabytes() -> float:
    """Memory of this process and its children, what they share being counted once (Linux; else 0)."""
    try:
        return sum(_proportional(pid) for pid in _family(os.getpid())) / 1000
    except OSError:
        return 0.0


def _family(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _family(int(child))


def _proportional(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    (kilobytes,) = [line.split()[1] for line in lines if line.startswith("Pss:")]
    return float(kilobytes)


def contend(contenders: dict[str, dict[str, Callable[[Any], Any]]], packages: dict[str, str]) -> None:
    """Runs one contender, as `PROGRAM ROW NAME FOLDER [--seconds S]`, and prints what it measured as JSON.

    FOLDER holds the inputs; a picture of what the contender makes goes there as ROW.NAME.npy.

    Args:
      contenders: row -> name -> a function of the folder that returns {"value": ...} and perhaps "memory",
        and "picture", one output as uint8[H, W, C]; ImportError if its library is not there.
      packages: name -> the distribution whose version is to be reported.
    """
    global _SECONDS
    parser = argparse.ArgumentParser()
    parser.add_argument("row", choices=contenders)
    parser.add_argument("name")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=_SECONDS)
    args = parser.parse_args()
    _SECONDS = args.seconds
    found: dict[str, Any]
    try:
        found = contenders[args.row][args.name](args.folder)
        distribution = packages.get(args.name)
        if distribution:
            found["version"] = f"{distribution} {importlib.metadata.version(distribution)}"
    except ImportError as error:
        found = {"missing": str(error)}
    picture = found.pop("picture", None)
    if picture is not None:
        np.save(args.folder / f"{args.row}.{args.name}.npy", np.asarray(picture).astype(np.uint8))
    print(json.dumps(found), flush=True)
    os._exit(0)  # some loaders do not stop their workers
