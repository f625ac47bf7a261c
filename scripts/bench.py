#!/usr/bin/env python3
"""Measures augrng beside its peers: every row in one run, contenders in turn, medians of CPU time.

Absolute times belong to this machine and this moment; the ratios are what to quote.
"""

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import tensorflow as tf
from tqdm import tqdm

import augrng as ar
from pipelines.digits import photo_paths

Contenders = dict[str, Callable[[], object]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="measurements of each contender (default 15)")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)

    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, "
          f"TensorFlow {tf.__version__}, one core")  # fmt: skip
    rows = {
        "keys and words, us an example": (keys_and_words(), 1e6 / 65_536),
        "warp 256x256 to 224x224 uint8, ms an image": (warp(), 1e3 / 32),
    }
    figures = {}
    for title, (contenders, unit) in rows.items():
        figures[title] = measure(title, contenders, args.rounds, unit)
        report(title, figures[title])
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1))


def keys_and_words() -> Contenders:
    """Keys of one transform for 65,536 examples, and the four words that each gives."""
    aug = ar.Compose([ar.RandomFlip()], seed=7)
    ids = tf.range(65_536, dtype=tf.int64)
    stream = tf.random.fold_in(tf.constant(aug.seeds["random_flip"], tf.int64), tf.constant(0, tf.int64))

    @tf.function(jit_compile=True)
    def ours(ids: tf.Tensor) -> tf.Tensor:
        return ar.bits(aug.keys(ids, 0)["random_flip"], 4)

    def words_of_one(id_: tf.Tensor) -> tf.Tensor:
        key = tf.random.fold_in(stream, id_, alg="philox")
        return tf.random.stateless_uniform([4], key, None, None, tf.uint32, alg="philox")

    @tf.function
    def theirs(ids: tf.Tensor) -> tf.Tensor:
        return tf.vectorized_map(words_of_one, ids)

    assert np.array_equal(ours(ids)[:512], theirs(ids[:512]))
    return {
        "augrng": lambda: ours(ids),
        "vectorized_map (1/16 of the work, times 16)": times(16, lambda: theirs(ids[:4096])),
    }


def warp() -> Contenders:
    """Crop, flip and rotation of a photograph as one map; the peers get one map of the same kind."""
    side, window, count = 256, 224, 32
    photo = tf.io.decode_jpeg(tf.io.read_file(str(photo_paths()[0])))[:side, :side]
    batch = tf.stack([photo] * count)
    aug = ar.Compose([ar.RandomCrop(window, window), ar.RandomFlip(), ar.RandomRotation(15)], seed=7)
    ids = tf.range(count, dtype=tf.int64)
    contenders: Contenders = {
        "augrng, a batch of 32": lambda: aug(batch, ids, 0),
        "augrng, image by image": lambda: [aug(photo, id_, 0) for id_ in ids],
    }
    cosine, sine = np.cos(0.2), np.sin(0.2)
    transform = tf.constant([[cosine, -sine, 40.0, sine, cosine, -10.0, 0, 0]], tf.float32)
    floats = tf.cast(photo[None], tf.float32)

    def projective() -> tf.Tensor:
        return tf.raw_ops.ImageProjectiveTransformV3(
            images=floats, transforms=transform, output_shape=[window, window], fill_value=0.0,
            interpolation="BILINEAR", fill_mode="CONSTANT",
        )  # fmt: skip

    contenders["ImageProjectiveTransformV3"] = lambda: [projective() for _ in range(count)]
    try:
        import cv2
    except ImportError:
        print("OpenCV is skipped: install the extra 'bench'")
    else:
        cv2.setNumThreads(1)
        array = photo.numpy()
        matrix = np.array([[cosine, -sine, 40], [sine, cosine, -10]], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        contenders["OpenCV warpAffine"] = lambda: [
            cv2.warpAffine(array, matrix, (window, window), flags=flags) for _ in range(count)
        ]
    return contenders


def times(count: int, function: Callable[[], object]) -> Callable[[], object]:
    """A contender that does the work `count` times."""
    return lambda: [function() for _ in range(count)]


def measure(title: str, contenders: Contenders, rounds: int, unit: float) -> dict[str, list[float]]:
    """CPU time of each contender, in turn, in the unit of the row; after one call to warm up."""
    for contender in contenders.values():
        contender()
    figures: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in tqdm(range(rounds), desc=title, leave=False):
        for name, contender in contenders.items():
            start = time.process_time()
            contender()
            figures[name].append((time.process_time() - start) * unit)
    return figures


def report(title: str, figures: dict[str, list[float]]) -> None:
    print(f"\n{title}\n{'':46}{'median':>10}{'min':>10}{'max':>10}{'ratio':>9}")
    ours = statistics.median(next(iter(figures.values())))
    for name, values in figures.items():
        median = statistics.median(values)
        print(f"{name:46}{median:10.3f}{min(values):10.3f}{max(values):10.3f}{median / ours:8.2f}x")


if __name__ == "__main__":
    main()
