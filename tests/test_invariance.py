"""One harness: every transform through every way to run it gives the same pixels and fingerprint.

The yardstick is the batch run eagerly op by op, with nothing compiled. Each mode is a function from a
recipe to the augmented images, in the order of `example_ids()`.
"""

import json

import numpy as np
import pytest
import tensorflow as tf

import augrng as ar
from tests.cases import CASES, COUNT, EPOCH, SIZE, compose, example_ids, fingerprint_of, pictures

IMAGES, IDS = pictures(), example_ids()


def in_order(elements):
    """The images of {"image", "id"} elements or batches of them, sorted as IDS are."""
    images, ids = [], []
    for element in elements:
        batch = element["image"].numpy()
        images.extend(batch if batch.ndim == 4 else [batch])
        ids.extend(np.atleast_1d(element["id"].numpy()))
    assert sorted(ids) == sorted(IDS)
    place = {id_: row for row, id_ in enumerate(ids)}
    return np.stack([images[place[id_]] for id_ in IDS])


def source():
    return tf.data.Dataset.from_tensor_slices({"image": IMAGES, "id": IDS})


def unknown_sizes():
    """The source through a reader that does not know the sizes of images."""
    spec = {"image": tf.TensorSpec([None, None, 3], tf.uint8), "id": tf.TensorSpec([], tf.int64)}
    items = [{"image": image, "id": id_} for image, id_ in zip(IMAGES, IDS, strict=True)]
    return tf.data.Dataset.from_generator(lambda: iter(items), output_signature=spec)


def augment(aug):
    return lambda element: {**element, "image": aug(element["image"], element["id"], EPOCH)}


def batches_of(size):
    def run(aug):
        parts = [aug(IMAGES[a : a + size], IDS[a : a + size], EPOCH) for a in range(0, COUNT, size)]
        return np.concatenate(parts)

    return run


def shuffled(aug):
    order = np.random.default_rng(5).permutation(COUNT)
    out = np.empty((COUNT, *aug(IMAGES[0], IDS[0], EPOCH).shape), np.uint8)
    out[order] = aug(IMAGES[order], IDS[order], EPOCH)
    return out


def mapped(**options):
    return lambda aug: in_order(source().shuffle(COUNT, seed=3).map(augment(aug), **options))


def sharded(count):
    def run(aug):
        shards = [
            source().shard(count, index).map(augment(aug), num_parallel_calls=2) for index in range(count)
        ]
        return in_order(element for shard in shards for element in shard)

    return run


def restored(aug, tmp_path):
    """An iterator saved after 20 elements; another, of a dataset built anew, goes on from there."""

    def build():
        return iter(source().shuffle(32, seed=3).map(augment(aug), num_parallel_calls=4).prefetch(2))

    iterator = build()
    first = [next(iterator) for _ in range(20)]
    path = tf.train.Checkpoint(iterator=iterator).save(str(tmp_path / "iterator"))
    again = build()
    tf.train.Checkpoint(iterator=again).restore(path)
    return in_order([*first, *again])


MODES = {
    "batches of 1": batches_of(1),
    "batches of 7": batches_of(7),
    "batch of 64": batches_of(64),
    "shuffled": shuffled,
    "graph": lambda aug: tf.function(aug)(tf.constant(IMAGES), tf.constant(IDS), EPOCH).numpy(),
    "xla": lambda aug: tf.function(aug, jit_compile=True)(
        tf.constant(IMAGES), tf.constant(IDS), EPOCH
    ).numpy(),
    "map": mapped(num_parallel_calls=1),
    "map, 8 calls": mapped(num_parallel_calls=8, deterministic=True),
    "map, 8 calls in any order": mapped(num_parallel_calls=8, deterministic=False),
    "map of unknown sizes": lambda aug: in_order(unknown_sizes().map(augment(aug), num_parallel_calls=4)),
    "map of batches": lambda aug: in_order(source().batch(7).map(augment(aug), num_parallel_calls=2)),
    "1 shard": sharded(1),
    "2 shards": sharded(2),
    "5 shards": sharded(5),
}


@pytest.fixture(scope="module")
def yardsticks():
    tf.config.run_functions_eagerly(True)
    outputs = {case: compose(case)(IMAGES, IDS, EPOCH).numpy() for case in CASES}
    tf.config.run_functions_eagerly(False)
    return outputs


def assert_same(got, expected):
    assert np.array_equal(got, expected)
    assert ar.fingerprint(got, IDS, EPOCH) == ar.fingerprint(expected, IDS, EPOCH)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES)
def test_every_mode_gives_the_same_pixels(case, mode, yardsticks):
    assert_same(MODES[mode](compose(case)), yardsticks[case])


@pytest.mark.parametrize("case", CASES)
def test_a_restored_iterator_gives_the_same_pixels(case, yardsticks, tmp_path):
    assert_same(restored(compose(case), tmp_path), yardsticks[case])


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
def test_a_gpu_gives_the_same_pixels(case, yardsticks):
    with tf.device("GPU:0"):
        out = compose(case)(tf.constant(IMAGES), tf.constant(IDS), EPOCH)
    assert "GPU" in out.device
    assert_same(out.numpy(), yardsticks[case])


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
