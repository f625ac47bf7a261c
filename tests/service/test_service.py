"""What a service's workers make is what this process makes: exactly once where that is promised."""

import collections
import threading

import numpy as np
import pytest
import tensorflow as tf

import augrng as ar
import pipelines as pl
from tests.service.cluster import AUG, BATCH, Cluster, examples, source


@pytest.fixture(scope="module")
def clusters():
    """A cluster by its number of workers."""
    made = {}

    def of(count):
        if count not in made:
            made[count] = Cluster(count)
        return made[count].address

    yield of
    for cluster in made.values():
        cluster.stop()


def dataset(**options):
    return pl.make_dataset(source(), AUG, **{"batch_size": BATCH, "epochs": 2, "seed": 1, **options})


@pytest.fixture(scope="module")
def local():
    return examples(dataset())


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("sharding", ["off", "dynamic", "static"])
def test_workers_make_the_examples_of_a_local_run(clusters, local, workers, sharding):
    found = examples(dataset(service=clusters(workers), job=sharding, sharding=sharding))
    times = workers if sharding == "off" else 1  # exactly once, where the table in the README says so
    assert collections.Counter(found) == dict.fromkeys(local, times)
    if workers == 1:
        assert found == local


def test_there_may_be_more_workers_than_batches(clusters, local):
    """What is shared are batches, not files."""
    batches = dataset(service=clusters(4), sharding="static", batch_size=22, epochs=1)
    assert collections.Counter(examples(batches)) == dict.fromkeys(local[:22], 1)


def test_trainers_of_a_job_share_its_batches(clusters, local):
    batches = dataset(service=clusters(2), job="shared", sharding="dynamic")
    others = dataset(service=clusters(2), job="shared", sharding="dynamic")
    assert batches.cardinality() == tf.data.UNKNOWN_CARDINALITY
    one, other = iter(batches), iter(others)
    found = examples([next(one), next(other), *one, *other])
    assert collections.Counter(found) == dict.fromkeys(local, 1)


def test_trainers_in_lock_step_have_their_parts_of_one_batch(clusters, local):
    found = {}

    def train(index):
        options = {"job": "lock-step", "consumers": (index, 2), "epochs": None}
        batches = dataset(service=clusters(1), **options)
        assert batches.cardinality() == tf.data.INFINITE_CARDINALITY
        found[index] = examples(batches.take(5))

    clusters(1)
    threads = [threading.Thread(target=train, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {0: local[:20:2], 1: local[1:20:2]}


def test_trainers_with_a_name_have_every_batch(clusters, local):
    for name in ("sweep 1", "sweep 2"):
        batches = dataset(service=clusters(1), job="sweep", trainer=name, epochs=None)
        assert examples(batches.take(5)) == local[:20]


def test_all_that_comes_with_a_picture_comes_over_the_network(clusters, rng):
    """Ragged boxes, floats, shapes, compressed; of a stream."""
    images = rng.integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    corners = rng.integers(0, 8, (6, 2, 2)).astype(np.float32)
    boxes = np.concatenate([corners, corners + 8], -1)
    records = tf.data.Dataset.from_tensor_slices({"image": images, "boxes": boxes, "id": np.arange(6)})
    aug = ar.Compose([ar.RandomCrop(12, 12)], seed=7, targets={"boxes": ar.Boxes("xyxy", min_visible=0.9)})
    options = {"batch_size": 3, "output": "unit", "drop_remainder": True, "seed": 1}
    here, there = (
        pl.make_dataset(pl.from_dataset(records), aug, **options, **at)
        for at in ({}, {"service": clusters(1), "compression": True})
    )
    assert there.element_spec == here.element_spec
    count = 0
    for one, other in zip(here, there, strict=True):
        for name in ("image", "id"):
            assert np.array_equal(one[name], other[name])
        assert one["boxes"].to_list() == other["boxes"].to_list()
        count += one["boxes"].flat_values.shape[0]
    assert 0 < count < 12


def test_a_broken_example_stops_the_trainer_by_its_id(clusters):
    images, boxes = np.zeros((4, 16, 16, 3), np.uint8), np.zeros((4, 1, 4), np.float32)
    boxes[2] = np.nan
    source = pl.from_arrays(images, ids=[11, 12, 13, 14], features={"boxes": boxes})
    batches = pl.make_dataset(source, AUG, batch_size=2, shuffle=False, service=clusters(1))
    with pytest.raises(tf.errors.InvalidArgumentError, match="13"):
        list(batches)
