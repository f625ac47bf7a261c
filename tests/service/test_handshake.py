"""Trainers that do not fit their job, or have no dispatcher, are told so before the first batch."""

import dataclasses
import json
import shutil
import socket
import threading
import time

import numpy as np
import pytest
import tensorflow as tf

import augrng as ar
import pipelines as pl
from pipelines.service import servers
from pipelines.service.identity import differences, identity_of
from pipelines.service.trainer import Service, within
from tests.service.cluster import AUG, free_port, source


@pytest.fixture(scope="module")
def address():
    """Of a dispatcher without workers."""
    server = servers.dispatcher(0)
    yield server.target
    server.stop()


def joined(address, batches=None, of=None, aug=AUG, batch_size=4):
    """A trainer joins the job "train", of as little as can be registered."""
    batches = tf.data.Dataset.range(3) if batches is None else batches
    return Service(address, job="train").served(
        batches, of or source(), aug, endless=False, batch_size=batch_size
    )


def test_trainers_of_one_run_join_one_job(address):
    assert joined(address).element_spec == joined(address).element_spec


OTHER = ar.Compose([ar.RandomCrop(12, 12), ar.RandomFlip(p=0.25)], seed=7)


@pytest.mark.parametrize(
    ("what", "both"),
    [
        ({"aug": OTHER}, "recipe: random_flip.p: 0.5 there, 0.25 here"),
        ({"batch_size": 8}, "batch_size: 4 there, 8 here"),
        ({"of": source(23)}, r"source: arrays \(22, 16, 16, 3\), 22 records, \w+ there, arrays \(23"),
        (
            {"of": pl.from_arrays(np.zeros((22, 16, 16, 3), np.uint8))},
            r"source: arrays \(22.*there, arrays \(22",
        ),
        (
            {"of": dataclasses.replace(source(), name="folder a")},
            "source: arrays .* there, folder a, 22 records",
        ),
    ],
    ids=["recipe", "run", "size", "pixels", "name"],
)
def test_another_run_is_refused_and_both_are_named(address, what, both):
    joined(address)
    with pytest.raises(ValueError, match=f"job: 'train' at {address} must be of the same run; {both}"):
        joined(address, **what)


@pytest.mark.parametrize(
    ("attribute", "value", "both"),
    [
        ("__version__", "9.9", f"library version: {ar.__version__} there, 9.9 here"),
        ("STREAM_VERSION", 2, "stream version: 1 there, 2 here"),
    ],
)
def test_another_version_is_refused_and_both_are_named(address, monkeypatch, attribute, value, both):
    joined(address)
    monkeypatch.setattr(ar, attribute, value)
    with pytest.raises(ValueError, match=both):
        joined(address)


def test_recipes_of_two_stream_versions_are_not_read():
    here = identity_of(source(), AUG, {"batch_size": 4})
    there = json.dumps({**json.loads(here), "stream version": 0, "recipe": "?", "batch_size": 5})
    assert differences(there, here) == ["stream version: 0 there, 1 here", "batch_size: 5 there, 4 here"]
    assert differences(here, here) == []


def test_another_structure_of_elements_is_refused(address):
    joined(address)
    with pytest.raises(ValueError, match="'train' at .* must make elements of one structure"):
        joined(address, batches=tf.data.Dataset.from_tensors({"image": 0.5}))


def test_make_dataset_shakes_hands(address):
    options = {"batch_size": 4, "service": address, "job": "made", "seed": 1}
    pl.make_dataset(source(), AUG, **options)
    with pytest.raises(ValueError, match="'made' .*recipe: random_flip.p: 0.5 there, 0.25 here"):
        pl.make_dataset(source(), OTHER, **options)


def test_without_a_dispatcher_it_fails_in_time_and_names_the_address():
    address, start = f"grpc://localhost:{free_port()}", time.monotonic()
    with pytest.raises(ConnectionError, match=f"no dispatcher answered at {address} for 0.5 s"):
        pl.make_dataset(source(), AUG, batch_size=4, service=address, wait=0.5)
    assert time.monotonic() - start < 10


def test_a_dispatcher_that_comes_late_is_waited_for():
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        address = f"grpc://127.0.0.1:{place.getsockname()[1]}"
        with pytest.raises(ConnectionError):
            servers.reach(address, 0.1)
        late = threading.Timer(0.5, place.listen)
        late.start()
        servers.reach(address, 30)
        late.join()


def test_what_is_no_dispatcher_is_found_out(address):
    worker = servers.worker(address)
    with pytest.raises(ConnectionError, match="must be a dispatcher's address, got grpc://localhost"):
        joined(f"grpc://{worker._address}")
    worker.stop()
    with pytest.raises(TimeoutError, match="it did not answer in 0.1 s; nobody there"):
        within(0.1, lambda: time.sleep(0.5), "nobody there")


def test_a_dispatcher_that_cannot_write_says_so(tmp_path):
    server = servers.dispatcher(free_port(), tmp_path, "a")
    shutil.rmtree(tmp_path / "datasets")
    (tmp_path / "datasets").touch()
    with pytest.raises(OSError, match=f"service: {server.target} cannot take the dataset: .*{tmp_path}"):
        joined(server.target)
    server.stop()


STREAM = pl.from_dataset(
    tf.data.Dataset.from_tensor_slices({"image": np.zeros((8, 16, 16, 3), np.uint8), "id": range(8)})
)


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        (ValueError, {"service": "localhost:5050"}, 'service: must be "grpc://host:port"'),
        (ValueError, {"service": "grpc://localhost"}, 'service: must be "grpc://host:port"'),
        (ValueError, {"sharding": "files"}, "sharding: must be one of"),
        (ValueError, {"wait": 0}, "wait: must be seconds above 0"),
        (TypeError, {"job": ""}, "job: must be a name"),
        (TypeError, {"service": None, "job": "a"}, "job: needs a dispatcher"),
        (TypeError, {"shading": "off"}, "shading: make_dataset has no such argument"),
        (ValueError, {"consumers": (0, 2)}, "consumers: needs a job"),
        (ValueError, {"job": "a", "consumers": (2, 2)}, "consumers: must be .index, count. with 0 <= index"),
        (ValueError, {"job": "a", "consumers": (0, 2), "sharding": "static"}, "consumers: need sharding="),
        (
            ValueError,
            {"job": "a", "consumers": (0, 2), "trainer": "b"},
            "trainer: must be None with consumers=",
        ),
        (ValueError, {"job": "a", "consumers": (0, 2)}, "consumers: needs epochs=None"),
        (ValueError, {"job": "a", "trainer": "b"}, "trainer: needs epochs=None"),
        (
            ValueError,
            {"job": "a", "consumers": (0, 3), "epochs": None},
            "batch_size: must be a multiple of the 3",
        ),
        (ValueError, {"hosts": 2, "host": 1}, r"hosts: must be 1 .*consumers=\(1, 2\)"),
        (ValueError, {"only_epoch": lambda: tf.constant(0, tf.int64)}, "only_epoch: must be a number"),
        (ValueError, {"source": STREAM, "sharding": "dynamic"}, 'sharding: must be "off" for a stream'),
        (
            ValueError,
            {"source": STREAM, "job": "a", "consumers": (0, 2)},
            "consumers: must be None for a stream",
        ),
    ],
)
def test_mistakes_are_told_before_anything_is_asked(kind, options, said):
    options = {"source": source(), "service": "grpc://localhost:1", **options}
    with pytest.raises(kind, match=said):
        pl.make_dataset(aug=AUG, batch_size=4, **options)
