"""One harness: every transform through every way to run it (`tests.modes`) gives the same pixels and fingerprint."""

import functools
import json

import numpy as np
import pytest
import tensorflow as tf

import augrng as ar
from tests.cases import CASES, COUNT, EPOCH, SIZE, compose, fingerprint_of, pictures
from tests.modes import IDS, IMAGES, MODES, assert_same, restored, yardstick


@pytest.fixture(scope="module")
def yardsticks():
    return functools.cache(yardstick)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES)
def test_every_mode_gives_the_same_pixels(case, mode, yardsticks):
    assert_same(MODES[mode](compose(case)), yardsticks(case))


@pytest.mark.parametrize("case", CASES)
def test_a_restored_iterator_gives_the_same_pixels(case, yardsticks, tmp_path):
    assert_same(restored(compose(case), tmp_path), yardsticks(case))


@pytest.mark.parametrize("case", ["crop_flip_rotation", "rotation_nearest_wrap"])
@pytest.mark.parametrize("alg", ["philox", "threefry"])
@pytest.mark.parametrize("dtype", ["uint16", "float32", "bfloat16"])
def test_other_dtypes_and_the_other_generator(case, alg, dtype):
    aug, images = compose(case, alg=alg), tf.cast(pictures("uint16", 8), dtype)
    tf.config.run_functions_eagerly(True)
    expected = aug(images, IDS[:8], EPOCH)
    tf.config.run_functions_eagerly(False)
    jitted = tf.function(aug, jit_compile=True)(images, tf.constant(IDS[:8]), EPOCH)
    alone = tf.stack([aug(image, id_, EPOCH) for image, id_ in zip(images, IDS[:8], strict=True)])
    for got in (jitted, alone):
        if dtype == "uint16":
            assert np.array_equal(got, expected)
        else:
            eps = 2.0**-7 if dtype == "bfloat16" else 2.0**-21
            assert np.allclose(tf.cast(got, "float64"), tf.cast(expected, "float64"), rtol=eps, atol=eps)


def test_params_are_the_same_in_every_mode():
    aug = compose("crop_flip_rotation")
    tf.config.run_functions_eagerly(True)
    expected = aug.sample(IDS, EPOCH, SIZE)
    tf.config.run_functions_eagerly(False)
    ids = tf.constant(IDS)
    mapped = (
        tf.data.Dataset.from_tensor_slices(IDS).map(lambda id_: aug.sample(id_, EPOCH, SIZE)).batch(COUNT)
    )
    for got in (
        aug.sample(IDS, EPOCH, SIZE),
        tf.function(aug.sample)(ids, EPOCH, SIZE),
        tf.function(aug.sample, jit_compile=True)(ids, EPOCH, SIZE),
        next(iter(mapped)),
    ):
        tf.nest.map_structure(np.testing.assert_array_equal, got, expected)


def test_fresh_processes_give_the_same_fingerprints(python):
    program = """
import json
from tests.cases import CASES, fingerprint_of
from tests.test_invariance import fingerprint_of_targets
print(json.dumps({case: fingerprint_of(case) for case in CASES} | {"targets": fingerprint_of_targets()}))
"""
    expected = {case: fingerprint_of(case) for case in CASES} | {"targets": fingerprint_of_targets()}
    for hash_seed in ("1", "2"):
        printed = python(program, env={"PYTHONHASHSEED": hash_seed}).splitlines()[-1]
        assert json.loads(printed) == expected


def test_calls_stay_parallel_under_op_determinism(python):
    """tf.data turns a map that it does not trust into a sequential one: the last is the control."""
    program = """
import tensorflow as tf, augrng as ar
from tensorflow.python.data.experimental.ops import testing
tf.config.experimental.enable_op_determinism()
tf.random.set_seed(1)
aug = ar.Compose([ar.RandomCrop(8, 8), ar.RandomFlip(), ar.RandomRotation(9)])
images = tf.zeros([16, 12, 12, 3], tf.uint8)
def sizes_known(): return tf.data.Dataset.from_tensor_slices(images)
files = tf.stack([tf.io.encode_png(image) for image in images])
def sizes_unknown(): return tf.data.Dataset.from_tensor_slices(files).map(lambda f: tf.io.decode_png(f, channels=3))
def plan(source, function):
    dataset = source().enumerate().apply(testing.assert_next(["ParallelMap"]))
    dataset = dataset.map(function, num_parallel_calls=4)
    try: return len(list(dataset))
    except tf.errors.InvalidArgumentError as error:
        assert "matching ParallelMap" in str(error)
        return "sequential"
print(plan(sizes_known, lambda id_, image: aug(image, id_, 0)),
      plan(sizes_unknown, lambda id_, image: aug(image, id_, 0)),
      plan(sizes_known, lambda id_, image: tf.image.random_flip_left_right(image)))
"""
    assert python(program).splitlines()[-1] == "16 16 sequential"


@pytest.mark.gpu
@pytest.mark.parametrize("case", CASES)
def test_a_gpu_gives_the_same_pixels(case):
    with tf.device("GPU:0"):
        out = compose(case)(tf.constant(IMAGES), tf.constant(IDS), EPOCH)
    assert "GPU" in out.device
    assert_same(out.numpy(), yardstick(case))


def targeted():
    """Examples with all kinds of targets, and a recipe whose crop, flip, rotation and perspective move them.

    The crop draws by the boxes: so it is in the harness too.
    """
    box = np.array([[2, 3, 15, 18], [10, 4, 19, 23], [0, 0, 1, 1]], np.float32)
    examples = {
        "image": IMAGES,
        "mask": (IMAGES[..., :1] % 5).astype(np.int32),
        "boxes": np.stack([box] * COUNT),
        "labels": np.arange(3 * COUNT).reshape(COUNT, 3),
        "keypoints": np.stack([box[:2, :2]] * COUNT),
    }
    boxes = ar.Boxes("xyxy", labels="labels", min_visible=0.3, max_boxes=3)
    targets = {"mask": ar.Mask(255), "boxes": boxes, "keypoints": ar.Keypoints("xy", pairs=[(0, 1)])}
    examples["boxes"][::3, 1:] = -1
    examples["boxes"][::6, 0] = -1
    transforms = [ar.BoxSafeCrop(16, 14), ar.RandomFlip(), ar.RandomRotation(25), ar.RandomPerspective(0.3)]
    return examples, ar.Compose(transforms, seed=7, targets=targets)


def fingerprint_of_targets():
    examples, aug = targeted()
    return str(ar.fingerprint(aug(examples, IDS, EPOCH), IDS, EPOCH))


def test_every_mode_gives_the_same_targets():
    examples, aug = targeted()
    tf.config.run_functions_eagerly(True)
    expected = ar.fingerprint(aug(examples, IDS, EPOCH), IDS, EPOCH)
    tf.config.run_functions_eagerly(False)

    def part(rows):
        return {name: tf.constant(value[rows]) for name, value in examples.items()}

    def together(dataset):
        prints = (ar.fingerprint(batch, batch["id"], EPOCH) for batch in dataset)
        return sum(prints, ar.Fingerprint())

    source = tf.data.Dataset.from_tensor_slices({**examples, "id": IDS})
    move = lambda element: {"id": element["id"], **aug(element, element["id"], EPOCH)}  # noqa: E731
    sevens = [slice(a, a + 7) for a in range(0, COUNT, 7)]
    parts = (ar.fingerprint(aug(part(rows), IDS[rows], EPOCH), IDS[rows], EPOCH) for rows in sevens)
    whole, ids = part(slice(None)), tf.constant(IDS)
    compiled = tf.function(aug, jit_compile=True)(whole, ids, EPOCH)
    assert sum(parts, ar.Fingerprint()) == expected
    assert ar.fingerprint(compiled, IDS, EPOCH) == expected
    assert ar.fingerprint(tf.function(aug)(whole, ids, EPOCH), IDS, EPOCH) == expected
    assert together(source.shuffle(COUNT, seed=3).map(move, 8, deterministic=False)) == expected
    assert together(source.batch(7).map(move, 2)) == expected
