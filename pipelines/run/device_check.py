"""Whether every device gives the same pixels, and how fast: the works that `augrng gpu-check` runs.

The yardstick is the CPU, op by op, with nothing compiled.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import augrng as ar
from augrng.export import stablehlo
from augrng.output import Output
from pipelines.run.cases import CASES, EPOCH, compose, example_ids, pictures

_NORMALISED = Output("unit", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_DEGREES = 15
_COPIED = 1 << 26  # 32-bit words that the plain copy reads and writes


@dataclasses.dataclass(frozen=True)
class Work:
    """A recipe and what comes out of it: (images, ids, epoch) -> pixels."""

    aug: ar.Compose
    output: Output | None = None
    dtype: tf.DType = tf.uint8

    def __call__(self, images: tf.Tensor, ids: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
        pixels = self.aug(images, ids, epoch)
        return pixels if self.output is None else self.output(pixels, self.dtype)

    def save(self, path: Path, shape: tuple[int, ...]) -> None:
        """Writes it as a program for uint8 images of one shape."""
        stablehlo(self.aug, shape, output=self.output, output_dtype=self.dtype).save(path)


def works() -> dict[str, Work]:
    """Every transform, and one recipe normalised to floats, by name."""
    floats = {
        f"normalised_{dtype.name}": Work(compose("crop_flip_rotation"), _NORMALISED, dtype)
        for dtype in (tf.float32, tf.bfloat16)
    }
    return {case: Work(compose(case)) for case in CASES} | floats


def inputs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The images, ids and epochs that all works are checked with."""
    images, ids = pictures(), example_ids()
    return images, ids, np.full_like(ids, EPOCH)


def expected(work: Work) -> np.ndarray:
    """What a work makes of `inputs` on the CPU, op by op."""
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        return _run(work, "CPU:0")
    finally:
        tf.config.run_functions_eagerly(before)


def compared(devices: list[str]) -> Iterator[tuple[str, str, bool]]:
    """Each work, each way to run it, and whether its bits are those of the CPU op by op.

    Without a GPU among the devices, also "lowered for a GPU", and whether XLA's front end for GPUs takes it.
    """
    for name, work in works().items():
        wanted = expected(work)
        for device in devices:
            compiled = tf.function(work, jit_compile=True, autograph=False)
            for way, function in ((device, work), (f"{device} XLA", compiled)):
                yield name, way, _same(_run(function, device), wanted)
        if len(devices) == 1:
            yield name, "lowered for a GPU", _lowers(compiled)


def speed_work(size: int) -> Work:
    """The work that is timed: crop to 7/8 of `size`, flip, rotation, normalised to bfloat16."""
    window = size * 7 // 8
    transforms = [ar.RandomCrop(window, window), ar.RandomFlip(), ar.RandomRotation(_DEGREES)]
    return Work(ar.Compose(transforms, seed=7), _NORMALISED, tf.bfloat16)


def contenders(device: str, batch: int, size: int) -> dict[str, Callable[[], object]]:
    """What is timed on a device: a plain copy, augrng, the same in Keras' layers; a call starts one."""
    images = np.resize(pictures(), [batch, size, size, 3])
    window = size * 7 // 8
    layers = keras.Sequential(
        [
            keras.layers.RandomCrop(window, window),
            keras.layers.RandomFlip("horizontal"),
            keras.layers.RandomRotation(_DEGREES / 360, fill_mode="constant"),
            keras.layers.Normalization(
                mean=[255 * value for value in np.ravel(_NORMALISED.mean)],
                variance=[(255 * value) ** 2 for value in np.ravel(_NORMALISED.std)],
            ),
        ]
    )
    with tf.device(device):
        on_device = tf.identity(images)
        ids, epoch = tf.range(batch, dtype=tf.int64), tf.zeros([batch], tf.int64)
        words = tf.zeros([_COPIED], tf.int32)
        ours = tf.function(speed_work(size), jit_compile=True, autograph=False)
        theirs = tf.function(lambda x: tf.cast(layers(tf.cast(x, tf.float32), training=True), tf.bfloat16))
        copy = tf.function(lambda x: x + 1, jit_compile=True)  # a copy that no compiler can leave out

    def on(function: Callable[..., object], *arguments: tf.Tensor) -> Callable[[], object]:
        def start() -> object:
            with tf.device(device):
                return function(*arguments)

        return start

    return {
        "copy": on(copy, words),
        "augrng": on(ours, on_device, ids, epoch),
        "Keras layers": on(theirs, on_device),
    }


def moved(batch: int, size: int) -> dict[str, int]:
    """The bytes that each contender must read and write at least: of images the window, 1 byte in, 2 out."""
    pixels = batch * 3 * (size * 7 // 8) ** 2
    return {"copy": 2 * 4 * _COPIED, "augrng": 3 * pixels, "Keras layers": 3 * pixels}


def export(folder: Path, batch: int, size: int) -> None:
    """Writes all works as programs with their inputs and expected bytes, for a machine without TensorFlow.

    Args:
      folder: to write: images.npy, ids.npy, epoch.npy; NAME.mlir, NAME.json, NAME.npy (the bytes) for each
        work; speed.mlir, speed.json; and check.json, which names them.
      batch: of the program that is timed.
      size: side of its images.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays = inputs()
    for name, array in zip(("images", "ids", "epoch"), arrays, strict=True):
        np.save(folder / f"{name}.npy", array)
    for name, work in works().items():
        work.save(folder / name, arrays[0].shape)
        np.save(folder / f"{name}.npy", np.frombuffer(expected(work).tobytes(), np.uint8))
    shape = (batch, size, size, 3)
    speed_work(size).save(folder / "speed", shape)
    said = {
        "works": list(works()),
        "speed": {"batch": batch, "size": size, "sha256": _speed_digest(shape), "bytes": moved(batch, size)},
        "made_by": {"augrng": ar.__version__, "tensorflow": tf.__version__},
    }
    (folder / "check.json").write_text(json.dumps(said, indent=1))


def _speed_digest(shape: tuple[int, ...]) -> str:
    """SHA-256 of the bytes that the timed program makes for ids 0, 1, ... in epoch 0."""
    work, digest = speed_work(shape[1]), hashlib.sha256()
    images, ids = np.resize(pictures(), shape), np.arange(shape[0])
    with tf.device("CPU:0"):
        for at in range(0, shape[0], 64):
            digest.update(work(images[at : at + 64], ids[at : at + 64], 0).numpy().tobytes())
    return digest.hexdigest()


def _run(function: Callable[..., tf.Tensor], device: str) -> np.ndarray:
    with tf.device(device):
        return function(*(tf.identity(array) for array in inputs())).numpy()


def _lowers(compiled: tf.types.experimental.PolymorphicFunction) -> bool:
    """Whether a function that was run has an XLA program for GPUs; it needs none, and runs nothing."""
    specs = [tf.TensorSpec(array.shape, array.dtype) for array in inputs()]
    try:
        return "ENTRY" in compiled.experimental_get_compiler_ir(*specs)(stage="hlo", platform_name="GPU")
    except (ValueError, tf.errors.OpError):
        return False


def _same(got: np.ndarray, wanted: np.ndarray) -> bool:
    return (got.dtype, got.shape, got.tobytes()) == (wanted.dtype, wanted.shape, wanted.tobytes())
