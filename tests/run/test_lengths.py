"""Features that vary in length, and pictures of several sizes: ragged tensors on every route."""

import numpy as np
import pytest
import tensorflow as tf

import augrng as ar
import pipelines as pl
from tests.files import encoded

pytestmark = pytest.mark.usefixtures("op_by_op")

COUNT = 10
AUG = ar.Compose([ar.CenterCrop(8, 8)], seed=1)
RANDOM = np.random.default_rng(0)
PICTURES = [RANDOM.integers(0, 256, (10 + 2 * n, 12, 3), dtype=np.uint8) for n in range(COUNT)]
CENTERS = [picture[1 + n : 9 + n, 2:10] for n, picture in enumerate(PICTURES)]
BOXES = [RANDOM.integers(0, 9, (n % 4, 4)).astype(np.float32) for n in range(COUNT)]
TAGS = [np.arange(n % 4) for n in range(COUNT)]
FIXED = {"image": tf.io.FixedLenFeature([], tf.string), "id": tf.io.FixedLenFeature([], tf.int64)}


def from_records(path, tags):
    def feature(value):
        if isinstance(value, bytes):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=value))

    with tf.io.TFRecordWriter(str(path)) as writer:
        for number in range(COUNT):
            values = {"image": encoded(PICTURES[number], "PNG"), "id": [number], "tags": TAGS[number]}
            features = tf.train.Features(feature={name: feature(value) for name, value in values.items()})
            writer.write(tf.train.Example(features=features).SerializeToString())
    return pl.from_tfrecords(path, {**FIXED, "tags": tags(tf.int64)})


def from_generator(image, spec):
    def records():
        for number, (tags, boxes) in enumerate(zip(TAGS, BOXES, strict=True)):
            yield {"image": image(PICTURES[number]), "id": number, "tags": tags, "places": boxes}

    signature = {
        "image": spec,
        "id": tf.TensorSpec([], tf.int64),
        "tags": tf.TensorSpec([None], tf.int64),
        "places": tf.TensorSpec([None, 4], tf.float32),
    }
    return pl.from_dataset(tf.data.Dataset.from_generator(records, output_signature=signature))


SOURCES = {
    "VarLenFeature": lambda path: from_records(path, tf.io.VarLenFeature),
    "RaggedFeature": lambda path: from_records(path, tf.io.RaggedFeature),
    "unknown lengths": lambda _: from_generator(
        lambda pixels: encoded(pixels, "PNG"), tf.TensorSpec([], tf.string)
    ),
    "unknown sizes": lambda _: from_generator(np.asarray, tf.TensorSpec([None, None, 3], tf.uint8)),
}
ROUTES = {
    "in order": {"shuffle": False},
    "shuffled": {},
    "host": {"hosts": 2, "host": 1},
    "whole batches": {"drop_remainder": True},
    "skip": {"on_error": "skip"},
    "replace": {"on_error": "replace"},
    "device": {"device": "CPU:0"},
}


@pytest.mark.parametrize("kind", SOURCES)
def test_each_row_is_its_examples(kind, tmp_path):
    source = SOURCES[kind](tmp_path / "a.tfrecord")
    for name, options in ROUTES.items():
        if kind == "RaggedFeature" and name != "shuffled":
            continue  # what is read so is what VarLenFeature gives by then
        if (kind, name) == ("unknown sizes", "device"):
            with pytest.raises(ValueError, match="device: needs images of one size or encoded ones"):
                pl.make_dataset(source, AUG, batch_size=4, **options)
            continue
        seen = []
        for batch in pl.make_dataset(source, AUG, batch_size=4, seed=1, **options):
            assert all(isinstance(batch[f], tf.RaggedTensor) for f in ("tags", "places") if f in batch)
            for row, id_ in enumerate(batch["id"].numpy()):
                seen.append(int(id_))
                assert np.array_equal(batch["tags"][row], TAGS[id_])
                assert np.array_equal(batch["image"][row], CENTERS[id_])
                if "places" in batch:
                    assert np.array_equal(batch["places"][row], BOXES[id_])
        expected = {"host": 5, "whole batches": 8}.get(name, COUNT)
        assert len(set(seen)) == len(seen) == expected


@pytest.mark.parametrize("kind", SOURCES)
def test_keras_is_fed_ragged_labels(kind, tmp_path):
    feed = pl.for_keras(SOURCES[kind](tmp_path / "a.tfrecord"), AUG, batch_size=4, label="tags", seed=1)
    _, labels = next(iter(feed))
    assert isinstance(labels, tf.RaggedTensor)
    assert all(np.array_equal(row, np.arange(len(row))) for row in labels)
