"""Contenders of augrng bench that run in TensorFlow: augrng, tf.image, Keras layers, decoding alone.

`bench_tensorflow.py ROW NAME FOLDER`; augrng bench runs it.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import bench_colors
import bench_forms
import bench_service
import bench_targets
import keras
import measuring
import numpy as np
import tensorflow as tf

import augrng as ar
import pipelines as pl
from pipelines.bench.gpu_check import measured
from pipelines.images.read import Reader
from pipelines.rows import each
from pipelines.run.device_check import contenders, moved

COUNT, BATCH = 65_536, bench_colors.BATCH
LATE, GPU_BATCH, GPU_SIDE = 10**6, 1024, 256  # a step; images in a batch
JPEGS = tuple(measuring.JPEGS)
Found = dict[str, Any]


def recipe(row: str) -> ar.Compose:
    if row == "jpeg_without_rand_augment":
        return ar.presets.imagenet_train(224, seed=7)
    if row == "jpeg_rand_augment":
        return ar.presets.imagenet_randaugment(224, seed=7)
    if row in JPEGS:
        return ar.Compose([ar.RandomResizedCrop(224, 224), ar.RandomFlip(), ar.RandomRotation(30)], seed=7)
    crop = ar.RandomCrop(32, 32) if row == "small" else ar.RandomCrop(224, 224)
    return ar.Compose([crop, ar.RandomFlip(), ar.RandomRotation(15)], seed=7)


def keys(folder: Path) -> Found:
    """Keys of one transform and the four words of each, in one program."""
    measuring.one_core()
    aug, ids = ar.Compose([ar.RandomFlip()], seed=7), tf.range(COUNT, dtype=tf.int64)
    ours = tf.function(lambda ids: ar.bits(aug.keys(ids, 0)["random_flip"], 4), jit_compile=True)
    return {"value": measuring.cpu_time(lambda: ours(ids), COUNT)}


def vectorized_map(folder: Path) -> Found:
    """The same words by TensorFlow's ops, of a sixteenth of the examples."""
    measuring.one_core()
    pair = ar.Compose([ar.RandomFlip()], seed=7).seeds["random_flip"]
    stream = tf.random.fold_in(tf.constant(pair, tf.int64), tf.constant(0, tf.int64))

    def words(id_: tf.Tensor) -> tf.Tensor:
        key = tf.random.fold_in(stream, id_, alg="philox")
        return tf.random.stateless_uniform([4], key, None, None, tf.uint32, alg="philox")

    theirs, ids = (
        tf.function(lambda ids: tf.vectorized_map(words, ids)),
        tf.range(COUNT // 16, dtype=tf.int64),
    )
    return {"value": measuring.cpu_time(lambda: theirs(ids), COUNT // 16)}


def warp(folder: Path) -> Found:
    measuring.one_core()
    aug, batch, ids = recipe("warp"), bench_colors.photos(folder), tf.range(BATCH, dtype=tf.int64)
    return {"value": measuring.cpu_time(lambda: aug(batch, ids, 0), BATCH), "picture": aug(batch, ids, 0)[0]}


def projective(folder: Path) -> Found:
    """The warp alone, by one fixed matrix, of float images."""
    measuring.one_core()
    images, (cosine, sine) = tf.cast(bench_colors.photos(folder), tf.float32), (np.cos(0.2), np.sin(0.2))
    matrix = tf.constant([[cosine, -sine, 40.0, sine, cosine, -10.0, 0, 0]] * BATCH, tf.float32)

    def work() -> tf.Tensor:
        return tf.raw_ops.ImageProjectiveTransformV3(
            images=images, transforms=matrix, output_shape=[224, 224], fill_value=0.0,
            interpolation="BILINEAR", fill_mode="CONSTANT",
        )  # fmt: skip

    return {"value": measuring.cpu_time(work, BATCH), "picture": work()[0]}


def keras_layers(side: int) -> Callable[[tf.Tensor], tf.Tensor]:
    layers = keras.Sequential(
        [
            keras.layers.RandomCrop(side, side),
            keras.layers.RandomFlip("horizontal"),
            keras.layers.RandomRotation(15 / 360, fill_mode="constant"),
        ]
    )
    return tf.function(
        lambda images: tf.cast(tf.round(layers(tf.cast(images, tf.float32), training=True)), tf.uint8)
    )


def keras_warp(folder: Path) -> Found:
    measuring.one_core()
    augment, batch = keras_layers(224), bench_colors.photos(folder)
    return {"value": measuring.cpu_time(lambda: augment(batch), BATCH), "picture": augment(batch)[0]}


def streamed(dataset: Any, batch_size: int) -> Found:
    batches = iter(dataset)
    return measuring.rate(batches, batch_size) | {"picture": next(batches)["image"][0]}


def small(folder: Path) -> Found:
    source = pl.from_arrays(np.load(folder / "small.npy"))
    return streamed(pl.make_dataset(source, recipe("small"), batch_size=256, epochs=None, seed=1), 256)


def mapped_small(function: Callable[[tf.Tensor], tf.Tensor], folder: Path) -> Found:
    images = np.load(folder / "small.npy")
    dataset = tf.data.Dataset.from_tensor_slices(images).repeat().shuffle(len(images), seed=1).batch(256)
    dataset = dataset.map(lambda batch: {"image": function(batch)}, num_parallel_calls=tf.data.AUTOTUNE)
    return streamed(dataset.prefetch(tf.data.AUTOTUNE), 256)


def keras_small(folder: Path) -> Found:
    return mapped_small(keras_layers(32), folder)


def tf_image_small(folder: Path) -> Found:
    """Crop and flip only: tf.image has no rotation."""

    def of_one(image: tf.Tensor) -> tf.Tensor:
        return tf.image.random_flip_left_right(tf.image.random_crop(image, [32, 32, 3]))

    return mapped_small(lambda batch: tf.map_fn(of_one, batch), folder)


def jpegs_with(recipe_row: str, folder: Path, row: str = JPEGS[0]) -> Found:
    measuring.one_thread_an_image()
    return jpegs_of(recipe_row, pl.from_folder(folder / row))


def jpegs_of(recipe_row: str, source: pl.Source) -> Found:
    return streamed(pl.make_dataset(source, recipe(recipe_row), batch_size=64, epochs=None, seed=1), 64)


def tfrecords(access: str, folder: Path) -> Found:
    """The same files as records of one file, at random or from front to back."""
    measuring.one_thread_an_image()
    path = folder / f"{JPEGS[0]}.tfrecord"
    if not path.exists():
        with tf.io.TFRecordWriter(str(path)) as writer:
            for file in sorted((folder / JPEGS[0]).iterdir()):
                image = tf.train.Feature(bytes_list=tf.train.BytesList(value=[file.read_bytes()]))
                features = tf.train.Features(feature={"image": image})
                writer.write(tf.train.Example(features=features).SerializeToString())
    source = pl.from_tfrecords(
        path, {"image": tf.io.FixedLenFeature([], tf.string)}, id=lambda record: record["path"],
        access=access, index_dir=folder,
    )  # fmt: skip
    shuffle = access == "random"
    return streamed(
        pl.make_dataset(source, recipe(JPEGS[0]), batch_size=64, epochs=None, seed=1, shuffle=shuffle), 64
    )


def mapped_jpegs(row: str, function: Callable[[tf.Tensor], tf.Tensor], folder: Path) -> Found:
    measuring.one_thread_an_image()
    files = sorted(str(path) for path in (folder / row).glob("*.jpg"))
    dataset = tf.data.Dataset.from_tensor_slices(files).repeat()
    dataset = dataset.map(
        lambda path: {"image": function(tf.io.read_file(path))}, num_parallel_calls=tf.data.AUTOTUNE
    )
    return streamed(dataset.batch(64).prefetch(tf.data.AUTOTUNE), 64)


def decode_alone(row: str, folder: Path) -> Found:
    """Decodes whole files and keeps a corner, so that nothing else costs anything."""
    return mapped_jpegs(row, lambda data: tf.io.decode_jpeg(data, channels=3)[:8, :8], folder)


def tf_image_jpegs(row: str, folder: Path) -> Found:
    """Window, resize and flip only: tf.image has no rotation."""

    def of_one(data: tf.Tensor) -> tf.Tensor:
        start, size, _ = tf.image.sample_distorted_bounding_box(
            tf.io.extract_jpeg_shape(data), tf.zeros([1, 0, 4]), area_range=(0.08, 1.0),
            aspect_ratio_range=(3 / 4, 4 / 3), use_image_if_no_bounding_boxes=True,
        )  # fmt: skip
        part = tf.io.decode_and_crop_jpeg(data, tf.concat([start[:2], size[:2]], 0), channels=3)
        image = tf.image.random_flip_left_right(tf.image.resize(part, [224, 224]))
        return tf.cast(tf.round(image), tf.uint8)

    return mapped_jpegs(row, of_one, folder)


def first_batch(step: int, folder: Path) -> Found:
    """Seconds from asking for a dataset to having its first batch, in a new process."""
    source, aug, start = pl.from_folder(folder / JPEGS[0]), recipe(JPEGS[0]), time.perf_counter()
    next(iter(pl.make_dataset(source, aug, batch_size=64, epochs=None, seed=1, start_step=step)))
    return {"value": time.perf_counter() - start}


def compile_time(function: Callable[[], object]) -> Found:
    """Seconds that a first call takes longer than a second one."""
    times = []
    for _ in range(2):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return {"value": times[0] - times[1]}


def compile_ours(folder: Path) -> Found:
    batch, ids = bench_colors.photos(folder), tf.range(BATCH, dtype=tf.int64)
    return compile_time(lambda: recipe("warp")(batch, ids, 0))


def compile_keras(folder: Path) -> Found:
    augment, batch = keras_layers(224), bench_colors.photos(folder)
    return compile_time(lambda: augment(batch))


def on_device(name: str, folder: Path) -> Found:
    """Bytes a second that warp and normalisation of 1,024 images must move, on a GPU."""
    if not tf.config.list_physical_devices("GPU"):
        raise ImportError("TensorFlow sees no GPU")
    start = contenders("GPU:0", GPU_BATCH, GPU_SIDE)[name]
    timing = argparse.Namespace(rounds=5, calls=20)
    seconds = measured(start, lambda _: tf.test.experimental.sync_devices(), timing)
    return {"value": moved(GPU_BATCH, GPU_SIDE)[name] / seconds}


def stage(row: str, name: str, folder: Path) -> Found:
    """CPU time of one part of the work on JPEGs, on one core, 64 at a time."""
    measuring.one_core()
    files = sorted((folder / row).glob("*.jpg"))[:64]
    contents, ids = tf.constant([path.read_bytes() for path in files]), tf.range(len(files), dtype=tf.int64)
    reader, count = Reader(recipe(row)), len(files)

    def planned(contents: tf.Tensor, facts: tf.Tensor) -> Any:
        return reader.plan(contents, facts, ids, tf.zeros_like(ids), most=count)

    facts = each(reader.facts, contents)
    plans = planned(contents, facts)
    last = tf.stack([plans.size[:, 0] - 1, 0 * ids, 1 + 0 * ids, plans.size[:, 1]], -1)
    works: dict[str, Callable[[], Any]] = {
        "header": lambda: each(reader.facts, contents),
        "draws and map": lambda: planned(contents, facts),
        "decode window": lambda: each(lambda c, p: tf.size(reader.decoded(c, p)[0]), contents, plans),
        "decode window and warp": lambda: each(reader.pixels, contents, plans),
        "decode all": lambda: each(lambda c: tf.size(tf.io.decode_jpeg(c, channels=3)), contents),
        "decode last row": lambda: each(
            lambda c, w: tf.size(tf.io.decode_and_crop_jpeg(c, w, 3)), contents, tf.cast(last, tf.int32)
        ),
    }
    work = tf.function(works[name], autograph=False)
    return {"value": measuring.cpu_time(work, count)}


CONTENDERS: dict[str, dict[str, Callable[[Path], Found]]] = {
    "keys": {"augrng": keys, "vectorized_map": vectorized_map},
    "warp": {"augrng": warp, "ImageProjectiveTransformV3": projective, "Keras layers": keras_warp},
    "small": {"augrng": small, "Keras layers": keras_small, "tf.image": tf_image_small},
    **{
        row: {
            "augrng": partial(jpegs_with, row, row=row),
            "decoding alone": partial(decode_alone, row),
            "tf.image": partial(tf_image_jpegs, row),
        }
        for row in JPEGS
    },
    **bench_colors.CONTENDERS,
    **bench_targets.CONTENDERS,
    "jpeg_rand_augment": {
        "augrng": partial(jpegs_with, "jpeg_rand_augment"),
        "augrng without RandAugment": partial(jpegs_with, "jpeg_without_rand_augment"),
    },
    "tfrecord_500x375": {
        "augrng": partial(tfrecords, "random"),
        "augrng in order": partial(tfrecords, "stream"),
    },
    "service": bench_service.of(JPEGS[0], partial(recipe, JPEGS[0])),
    "first_batch": {"augrng": partial(first_batch, 0), "augrng at step 10**6": partial(first_batch, LATE)},
    "gpu": {name: partial(on_device, name) for name in ("augrng", "copy", "Keras layers")},
    "compile": {"augrng": compile_ours, "Keras layers": compile_keras},
    **{f"forms_{row[5:]}": bench_forms.of(row, partial(jpegs_of, row)) for row in JPEGS},
    **{f"stages_{row[5:]}": {name: partial(stage, row, name) for name in measuring.STAGES} for row in JPEGS},
}
PACKAGES = {"augrng": "tensorflow", "Keras layers": "keras"}

if __name__ == "__main__":
    measuring.contend(CONTENDERS, PACKAGES)
