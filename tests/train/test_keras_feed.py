"""for_keras: what Keras trains on, pass by pass, is what make_dataset yields, epoch by epoch."""

import contextlib
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import augrng as ar
import pipelines as pl
from augrng.keras import Augment

COUNT, BATCH = 22, 8
AUG = ar.Compose([ar.RandomCrop(8, 8), ar.RandomFlip()], seed=5)
IMAGES = np.random.default_rng(1).integers(0, 256, (COUNT, 10, 12, 3), dtype=np.uint8)


def arrays():
    return pl.from_arrays(IMAGES, np.arange(COUNT) % 3, features={"weight": np.linspace(0, 1, COUNT)})


def stream():
    return pl.from_dataset(tf.data.Dataset.range(COUNT).map(lambda n: {**parts(n), "id": n}))


def parts(number):
    return {"image": tf.gather(IMAGES, number), "label": number % 3}


def feed_of(source=None, **options):
    return pl.for_keras(source or arrays(), AUG, **{"batch_size": BATCH, "seed": 1, **options})


@functools.cache
def run_of(make):
    """The epochs and images of a run of make_dataset over eight epochs."""
    run = list(pl.make_dataset(make(), AUG, batch_size=COUNT, epochs=8, seed=1).as_numpy_iterator())
    return np.concatenate([b["epoch"] for b in run]), np.concatenate([b["image"] for b in run])


def epoch_of(epoch, make=arrays):
    """The images of an epoch of that run, in batches of the feed."""
    epochs, images = run_of(make)
    images = images[epochs == epoch]
    return [images[start : start + BATCH] for start in range(0, COUNT, BATCH)]


class Eye(keras.Model):
    """Keeps what it was shown: per step of training or testing the images, labels and weights."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(3)
        self.trained, self.tested = [], []

    def call(self, images):
        return self.dense(tf.reshape(tf.cast(images, tf.float32), [-1, 8 * 8 * 3]) / 255)

    def train_step(self, data):
        self.trained.append(tf.nest.map_structure(np.asarray, data))
        return super().train_step(data)

    def test_step(self, data):
        self.tested.append(tf.nest.map_structure(np.asarray, data))
        return super().test_step(data)


def eye():
    model = Eye()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, run_eagerly=True)
    return model


def assert_saw(seen, epochs, make=arrays):
    expected = [batch for epoch in epochs for batch in epoch_of(epoch, make)]
    assert [len(step[0]) for step in seen] == [len(batch) for batch in expected]
    assert all(np.array_equal(step[0], batch) for step, batch in zip(seen, expected, strict=True))


@pytest.mark.parametrize("make", [arrays, stream])
def test_each_pass_of_fit_is_the_next_epoch(make):
    model, feed = eye(), feed_of(make())
    history = model.fit(feed, epochs=3, verbose=0)
    assert_saw(model.trained, range(3), make)
    assert len(feed) == feed.cardinality() == 3
    assert history.params["steps"] == 3
    assert len({step[0].tobytes() for step in model.trained}) == 9  # no two alike
    assert all(len(step) == 2 for step in model.trained)
    model.fit(feed, epochs=2, verbose=0)  # goes on
    assert_saw(model.trained[9:], (3, 4), make)
    feed.epoch = 1
    model.fit(feed, verbose=0)
    assert_saw(model.trained[15:], (1,), make)


def test_initial_epoch_resumes_with_the_right_epoch(tmp_path):
    model = eye()
    model.fit(feed_of(), epochs=4, initial_epoch=2, verbose=0)
    assert_saw(model.trained, (2, 3))
    model = eye()
    model.fit(feed_of(initial_epoch=5), epochs=2, verbose=0)
    assert_saw(model.trained, (5, 6))
    # BackupAndRestore finds the epoch by itself.
    model = eye()
    model(IMAGES[:1, :8, :8])

    class Killed(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    backup = lambda: keras.callbacks.BackupAndRestore(str(tmp_path))  # noqa: E731
    with pytest.raises(KeyboardInterrupt):
        model.fit(feed_of(), epochs=4, verbose=0, callbacks=[backup(), Killed()])
    again = eye()
    again(IMAGES[:1, :8, :8])
    again.fit(feed_of(), epochs=4, verbose=0, callbacks=[backup()])
    assert_saw(again.trained, (2, 3))


def test_evaluation_sees_the_same_epoch_each_time():
    model, feed = eye(), feed_of()
    model.fit(feed, validation_data=feed_of(), validation_freq=2, epochs=4, verbose=0)
    assert_saw(model.trained, range(4))
    assert_saw(model.tested, (0, 0))
    model.tested.clear()
    model.fit(feed, validation_data=feed, epochs=6, initial_epoch=4, verbose=0)  # one feed for both
    assert_saw(model.trained[12:], (4, 5))
    model.evaluate(feed, verbose=0)
    feed.evaluation_epoch = 7
    model.evaluate(feed, verbose=0)
    assert_saw(model.tested, (0, 0, 0, 7))
    assert feed.epoch == 6


def test_predict_takes_the_feed_with_labels_and_without():
    model = eye()
    unlabelled = pl.from_arrays(IMAGES)
    expected = model(np.concatenate(epoch_of(0))).numpy()
    for feed in (feed_of(), feed_of(unlabelled, label=None)):
        for _ in range(2):
            np.testing.assert_allclose(model.predict(feed, verbose=0), expected, atol=1e-5)
    assert feed_of(unlabelled, label=None).element_spec[0].shape == (None, 8, 8, 3)


def test_early_stops_and_broken_passes():
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    class Break(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise KeyboardInterrupt

    model, feed = eye(), feed_of()
    early = keras.callbacks.EarlyStopping("loss", mode="max", patience=0, min_delta=1e9)
    model.fit(feed, epochs=5, callbacks=[early], verbose=0)
    assert feed.epoch == len(model.trained) // 3 == 2
    model.trained.clear()
    for callback, steps in ((Stop(), 2), (Break(), 1)):
        with pytest.raises(KeyboardInterrupt) if steps == 1 else contextlib.nullcontext():
            model.fit(feed, epochs=5, callbacks=[callback], verbose=0)
        assert len(model.trained) == steps
        assert np.array_equal(model.trained[0][0], epoch_of(2)[0])
        model.trained.clear()
    model.fit(feed, verbose=0)  # a pass that was broken off is begun again
    assert_saw(model.trained, (2,))


def test_by_hand_a_pass_is_an_epoch_too():
    feed = feed_of()
    next(iter(feed))  # a look does not count
    for epoch in range(3):
        assert_saw(list(feed), (epoch,))
    model = eye()
    model.fit(feed, verbose=0)
    assert_saw(model.trained, (3,))


def test_class_weights_weights_and_dicts_of_inputs():
    model, feed = eye(), feed_of()
    model.fit(feed, validation_data=feed_of(), epochs=2, class_weight={0: 2.0, 1: 3.0, 2: 0.5}, verbose=0)
    assert_saw(model.trained, range(2))
    for step in model.trained:
        assert np.array_equal(step[2], np.array([2.0, 3.0, 0.5])[step[1]])
    assert all(len(step) == 2 for step in model.tested)
    images, labels, weights = next(iter(feed_of(weight="weight", shuffle=False)))
    assert np.array_equal(weights, np.linspace(0, 1, COUNT)[:BATCH])
    assert np.array_equal(labels, np.arange(BATCH) % 3)
    inputs, _ = next(iter(feed_of(inputs={"x": "image", "which": "id"})))
    assert np.array_equal(inputs["x"], epoch_of(0)[0])
    assert set(inputs) == {"x", "which"}
    assert images.shape == (BATCH, 8, 8, 3)
    whole = next(iter(feed_of(inputs=["image", "id", "epoch"])))[0]
    assert set(whole) == {"image", "id", "epoch"}


def test_the_layer_takes_the_feeds_dicts():
    """Augmentation in the model, of what is as it comes: the feed's pass gives the layer its epoch."""
    plain = ar.Compose([ar.CenterCrop(10, 12)], seed=0)
    feed = pl.for_keras(
        arrays(), plain, batch_size=BATCH, seed=1, inputs=["image", "id", "epoch"], initial_epoch=4
    )
    seen = [Augment(AUG)(inputs, training=True).numpy() for inputs, _ in feed]
    assert_saw([(images,) for images in seen], (4,))


@pytest.mark.parametrize("drop", [False, True])
def test_drop_remainder(drop):
    model, feed = eye(), feed_of(drop_remainder=drop)
    model.fit(feed, epochs=2, verbose=0)
    lengths = [len(step[0]) for step in model.trained]
    assert lengths == ([8, 8] if drop else [8, 8, 6]) * 2
    assert len(feed) == len(lengths) // 2


def test_a_strategy_splits_each_batch(python):
    """Two logical CPUs: their parts of a step together are the batch, and epochs advance; what `Finish`
    augments in the step gives the weights of what the host augments; the trainer's are those of one device."""
    program = """
import keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import augrng as ar, pipelines as pl
images = np.random.default_rng(1).integers(0, 256, (22, 10, 12, 3), dtype=np.uint8)
aug = ar.Compose([ar.RandomCrop(8, 8), ar.RandomFlip()], seed=5)
source = pl.from_arrays(images, np.arange(22) % 3)
seen = []

class Eye(keras.layers.Layer):
    def call(self, x, training=False):
        def note(ids, first, training):
            if len(ids): seen.append((bool(training), ids.numpy().tolist(), int(first)))
            return np.int64(0)
        first = tf.reduce_sum(tf.cast(x["epoch"], tf.int64)) // tf.maximum(tf.size(x["epoch"], tf.int64), 1)
        with tf.control_dependencies([tf.py_function(note, [x["id"], first, training], tf.int64)]):
            return tf.identity(tf.cast(x["image"], tf.float32))

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice())
with strategy.scope():
    feed = pl.for_keras(source, aug, batch_size=8, seed=1, inputs=["image", "id", "epoch"])
    inputs = {"image": keras.Input((8, 8, 3), dtype="uint8", name="image"),
              "id": keras.Input((), dtype="int64", name="id"), "epoch": keras.Input((), dtype="int64", name="epoch")}
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(Eye()(inputs))))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
model.fit(feed, validation_data=feed, epochs=3, verbose=0)
epochs = pl.make_dataset(source, aug, batch_size=22, epochs=3, seed=1)
run = [epoch["id"].numpy()[start : start + 8] for epoch in epochs for start in (0, 8, 16)]
trained = [(ids, epoch) for training, ids, epoch in seen if training]
assert max(len(ids) for ids, _ in trained) == 4, trained
for epoch in range(3):
    got = sorted(i for ids, e in trained if e == epoch for i in ids)
    assert got == list(range(22)), (epoch, got)
for step in range(9):
    together = sorted(trained[2 * step][0] + trained[2 * step + 1][0])
    assert together == sorted(run[step].tolist()), step
assert {e for training, _, e in seen if not training} == {0}

from augrng.keras import Finish
def weights_of(**options):  # augmented on the host, or in the step
    keras.utils.set_random_seed(5)
    with strategy.scope():
        finish = None if "output" in options else Finish(aug, output="unit")
        into = finish.inputs((10, 12)) if finish else keras.Input((8, 8, 3))
        x = keras.layers.Flatten()(finish(into) if finish else into)
        model = keras.Model(into, keras.layers.Dense(3)(x))
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    model.fit(pl.for_keras(source, aug, batch_size=8, seed=1, **options), epochs=2, verbose=0)
    return [weight.numpy().tobytes() for weight in model.weights]
assert weights_of(output="unit") == weights_of(finish=False)

from pipelines.train.hosts import Hosts
from pipelines.train.training import Settings, Trainer, digest_of
def trained(hosts):
    ar.seed_everything(1)
    settings = Settings(digest_of(source), aug.to_json(), seed=1, batch_size=8, shape=(8, 8, 3), classes=3)
    trainer = Trainer(settings, source, hosts=hosts)
    trainer.run(5)
    return [weight.numpy() for weight in trainer.model.weights]
for one, two in zip(trained(None), trained(Hosts(strategy)), strict=True):
    np.testing.assert_allclose(two, one, atol=1e-5)  # sums of gradients in another order
print("whole")
"""
    assert python(program).split()[-1] == "whole"


def test_a_strategy_under_which_keras_fits_nothing_is_refused():
    strategy = tf.distribute.MultiWorkerMirroredStrategy()  # of this process alone
    with strategy.scope():
        model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    with pytest.raises(ValueError, match=r"cannot fit any dataset under MultiWorker.*augrng train"):
        model.fit(feed_of(), verbose=0)


def test_on_a_device_the_same_pixels():
    model, feed = eye(), feed_of(device="CPU:0")
    model.fit(feed, validation_data=feed, epochs=2, class_weight={0: 2.0, 1: 3.0, 2: 0.5}, verbose=0)
    assert_saw(model.trained, range(2))
    assert all(np.array_equal(step[2], np.array([2.0, 3.0, 0.5])[step[1]]) for step in model.trained)
    assert_saw(model.tested, (0, 0))
    assert model.predict(feed, verbose=0).shape == (COUNT, 3)
    compiled = keras.Sequential(
        [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    compiled.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert len(compiled.fit(feed, epochs=2, verbose=0).history["loss"]) == 2


def test_make_dataset_in_fit_repeats_one_epoch_and_only_epoch_names_it():
    model = eye()
    dataset = pl.make_dataset(arrays(), AUG, batch_size=BATCH, seed=1, only_epoch=3)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(3))
    model.fit(dataset.map(lambda b: (b["image"], b["label"])), epochs=2, shuffle=False, verbose=0)
    assert_saw(model.trained, (3, 3))
    assert set(np.concatenate([b["epoch"] for b in dataset])) == {3}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"epochs": 3},
            TypeError,
            "epochs: a feed has no such option; pass epochs= and initial_epoch= to fit",
        ),
        (
            {"label": "class"},
            ValueError,
            r"label: must be of the features \['epoch', .*got 'class'; pass label=None",
        ),
        ({"inputs": ["image", "size"]}, ValueError, "inputs: must be of the features .*got 'size'"),
        ({"weight": "weight", "label": None}, ValueError, "label= where weight= is"),
        (
            {"batch_size": 50, "drop_remainder": True},
            ValueError,
            "batch_size: must be at most the 22 examples",
        ),
        ({"initial_epoch": 1.0}, TypeError, "initial_epoch: must be an integer, got float 1.0; pass 1"),
        ({"shuffel": True}, TypeError, "shuffel"),
    ],
)
@pytest.mark.filterwarnings("ignore:batch_size")
def test_bad_arguments_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        feed_of(**options)


def test_a_source_of_unknown_size():
    dataset = tf.data.Dataset.range(COUNT).map(lambda n: {**parts(n), "id": n}).filter(lambda r: True)
    model, feed = eye(), feed_of(pl.from_dataset(dataset))
    with pytest.warns(UserWarning, match="ran out of data"):  # Keras', which finds the end in the first pass
        model.fit(feed, epochs=3, verbose=0)
    assert_saw(model.trained, range(3), stream)
    assert feed.cardinality() == tf.data.UNKNOWN_CARDINALITY
    with pytest.raises(TypeError, match="does not say how many"):
        len(feed)


def with_targets(max_boxes, **options):
    """A feed of images with a mask and one or two boxes, and the recipe."""
    masks = (IMAGES[..., :1] > 99).astype(np.uint8)
    boxes = np.float32([[[0, 0, 0.5, 0.9], [0.1, 0.2, 0.8, 0.7]]])

    def examples():
        for n in range(6):
            objects = {"bbox": boxes[0, : 1 + n % 2], "label": np.arange(1 + n % 2)}
            yield {"image": IMAGES[n], "mask": masks[n], "objects": objects, "id": n}

    objects = {"bbox": tf.TensorSpec([None, 4]), "label": tf.TensorSpec([None], tf.int64)}
    spec = {
        "image": tf.TensorSpec([10, 12, 3], tf.uint8), "mask": tf.TensorSpec([10, 12, 1], tf.uint8),
        "objects": objects, "id": tf.TensorSpec([], tf.int64),
    }  # fmt: skip
    dataset = tf.data.Dataset.from_generator(examples, output_signature=spec)
    source = pl.from_dataset(dataset.apply(tf.data.experimental.assert_cardinality(6)))
    targets = {
        "mask": ar.Mask(255),
        "objects/bbox": ar.Boxes("rel_yxyx", "objects/label", max_boxes=max_boxes),
    }
    aug = AUG.with_targets(targets)
    return pl.for_keras(source, aug, batch_size=3, shuffle=False, **options), aug, list(examples())


LABELS = {"mask": "mask", "boxes": "objects/bbox", "label": "objects/label", "valid": "objects/bbox_valid"}


@pytest.mark.parametrize("device", [None, "CPU:0"])
def test_masks_and_boxes_are_labels(device):
    feed, aug, examples = with_targets(2, label=LABELS, device=device)
    batches = list(feed)
    for number, example in enumerate(examples):
        images, labels = (tf.nest.map_structure(lambda x: x[number % 3], x) for x in batches[number // 3])  # noqa: B023
        moved = aug(example, example["id"], 0)
        objects = moved["objects"]
        assert np.array_equal(images, moved["image"])
        expected = {"mask": moved["mask"], "boxes": objects["bbox"], "label": objects["label"]}
        tf.nest.map_structure(
            np.testing.assert_array_equal, labels, expected | {"valid": objects["bbox_valid"]}
        )


def test_masks_and_boxes_in_fit():
    feed, _, _ = with_targets(2, label={"mask": "mask", "boxes": "objects/bbox"}, output="unit")
    inputs = keras.Input((8, 8, 3))
    boxes = keras.layers.Reshape((2, 4))(keras.layers.Dense(8)(keras.layers.Flatten()(inputs)))
    mask = keras.layers.Conv2D(2, 1, activation="softmax")(inputs)
    model = keras.Model(inputs, {"mask": mask, "boxes": boxes})
    losses = {"mask": keras.losses.SparseCategoricalCrossentropy(ignore_class=255), "boxes": "huber"}
    model.compile("sgd", losses)
    history = model.fit(feed, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert feed.epoch == 2
    with pytest.raises(
        ValueError, match=r"label: must be of the features .*'objects/label'.*got 'objects/area'"
    ):
        with_targets(2, label="objects/area")
