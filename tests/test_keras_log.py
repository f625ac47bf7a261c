"""What `LogImages` writes to TensorBoard."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import augrng as ar
from augrng.keras import LogImages

AUG = ar.Compose([ar.RandomCrop(6, 8), ar.RandomFlip()], seed=7)
IMAGES = np.random.default_rng(1).integers(0, 256, (4, 12, 16, 3), np.uint8)
IDS = np.array([5, -6, 7, 8])


def written(folder):
    """Tag and step -> plugin, (width, height), pixels."""
    found = {}
    for file in folder.iterdir():
        for record in tf.data.TFRecordDataset(str(file)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                width, height, png = tf.make_ndarray(value.tensor)
                pixels = tf.io.decode_png(png, dtype=tf.uint8).numpy()
                found[value.tag, event.step] = (
                    value.metadata.plugin_data.plugin_name,
                    (width, height),
                    pixels,
                )
    return found


@pytest.mark.parametrize("white", [1, np.float32(255)], ids=["uint8", "floats"])
def test_examples_of_epochs_under_their_ids(tmp_path, white):
    def make(epoch):
        images = AUG(IMAGES, IDS, epoch)
        return {"image": images if white == 1 else tf.cast(images, tf.float32) / white, "id": IDS}

    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(loss="mse")
    callback = LogImages(tmp_path, make, every=2, limit=3)
    model.fit(np.zeros((2, 2)), np.zeros(2), epochs=3, verbose=0, callbacks=[callback])
    found = written(tmp_path)
    assert set(found) == {(f"augrng/id {id_}", epoch) for id_ in (5, -6, 7) for epoch in (0, 2)}
    plugin, size, pixels = found["augrng/id -6", 2]
    assert (plugin, size) == ("images", (b"8", b"6"))
    assert np.array_equal(pixels, AUG(IMAGES[1], -6, 2))


@pytest.mark.parametrize(
    ("make", "options", "kind", "message"),
    [
        (IMAGES, {}, TypeError, "make: must be a function from an epoch to a batch"),
        (dict, {"every": 0}, ValueError, "every: must be at least 1, got 0"),
        (dict, {"limit": 1.5}, TypeError, "limit: must be an integer, got 1.5"),
        (lambda epoch: IMAGES, {}, TypeError, "make: must give a batch as a dict, got ndarray"),
        (lambda epoch: {"image": IMAGES}, {}, ValueError, r'must have "image" and "id", got \[\'image\'\]'),
    ],
)
def test_mistakes_are_named(tmp_path, make, options, kind, message):
    with pytest.raises(kind, match=message):
        LogImages(tmp_path, make, **options).on_epoch_begin(0)
