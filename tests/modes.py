"""Every way to run a recipe, and what all of them must give.

The yardstick is the batch run eagerly op by op, with nothing compiled. Each mode is a function from a
recipe to the augmented images, in the order of `example_ids()`.
"""

import numpy as np
import tensorflow as tf

import augrng as ar
from tests.cases import COUNT, EPOCH, compose, example_ids, pictures

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


def yardstick(case):
    """The images of a case as they must be."""
    tf.config.run_functions_eagerly(True)
    images = compose(case)(IMAGES, IDS, EPOCH).numpy()
    tf.config.run_functions_eagerly(False)
    return images


def assert_same(got, expected):
    assert np.array_equal(got, expected)
    assert ar.fingerprint(got, IDS, EPOCH) == ar.fingerprint(expected, IDS, EPOCH)
