"""The layer Finish: the pixels of make_dataset, rendered in the model from what the host has decoded."""

import functools
import hashlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import augrng as ar
import pipelines as pl
from augrng.finishing import PARTS
from augrng.keras import Finish
from augrng.output import Output
from pipelines.run.packing import check_apart, padded

COUNT, SIZE = 22, (20, 24)
IMAGES = np.random.default_rng(1).integers(0, 256, (COUNT, *SIZE, 3), dtype=np.uint8)
NORMAL = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.4)}


def recipe(first):
    """What moves pixels, and colours that are drawn or chosen."""
    chosen = ar.OneOf([ar.RandomHue(0.2), ar.RandomInvert(p=1)])
    return ar.Compose([first, ar.RandomRotation(20), ar.RandomBrightness(0.3), chosen], seed=7)


PIXELS = recipe(ar.RandomCrop(16, 16))
FILES = recipe(ar.RandomResizedCrop(24, 16))


def arrays():
    return pl.from_arrays(IMAGES, np.arange(COUNT) % 3)


@functools.cache
def batches_of(make, aug, **options):
    return list(pl.make_dataset(make(), aug, batch_size=8, epochs=2, seed=3, **options))


def assert_finished(host, packed, aug):
    """The layer makes of packed batches what the host made, as they are and normalised."""
    same, normal = Finish(aug), Finish(aug, output="unit", **NORMAL)
    normalised = Output("unit", **NORMAL)
    for images, batch in zip(host, packed, strict=True):
        assert set(batch["image"]) == set(PARTS)
        assert np.array_equal(same(batch["image"]), images)
        assert np.array_equal(normal(batch["image"]), normalised(images))


def test_pixels_of_arrays():
    packed = batches_of(arrays, PIXELS, finish=False)
    host = [PIXELS(IMAGES[batch["id"]], batch["id"], batch["epoch"]) for batch in packed]
    assert_finished(host, packed, PIXELS)


def test_pixels_of_arrays_whose_draws_depend_on_boxes():
    boxes = np.tile(np.float32([[[2, 3, 15, 12]]]), (COUNT, 1, 1))
    boxed = ar.Boxes("xyxy", max_boxes=1)
    aug = ar.Compose([ar.BoxSafeCrop(16, 16), ar.RandomBrightness(0.2)], seed=3, targets={"boxes": boxed})
    source = pl.from_arrays(IMAGES, features={"boxes": boxes})
    packed = list(pl.make_dataset(source, aug, batch_size=11, seed=3, finish=False))
    examples = [{"image": IMAGES[batch["id"]], "boxes": boxes[:11]} for batch in packed]
    host = [aug(example, b["id"], b["epoch"]) for example, b in zip(examples, packed, strict=True)]
    assert_finished([batch["image"] for batch in host], packed, aug)
    assert np.array_equal(packed[0]["boxes"], host[0]["boxes"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory, photos):
    """Files of many sizes, in two classes."""
    path, rng = tmp_path_factory.mktemp("files"), np.random.default_rng(5)
    for number in range(COUNT):
        height, width = rng.integers(30, 130, 2)
        file = path / str(number % 2) / f"{number:02}.{('jpg', 'png')[number % 3 == 0]}"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(photos[number % 2][:height, :width]).save(file)
    return lambda: pl.from_folder(path)


def test_pixels_of_files_by_few_programs(folder):
    host, packed = batches_of(folder, FILES), batches_of(folder, FILES, finish=False)
    assert_finished([batch["image"] for batch in host], packed, FILES)
    assert all(np.array_equal(b["label"], o["label"]) for b, o in zip(host, packed, strict=True))
    layer = Finish(FILES)
    run = tf.function(lambda image: layer(image), jit_compile=True, autograph=False)
    shapes = {tuple(batch["image"]["pixels"].shape) for batch in packed}
    for batch, other in zip(host, packed, strict=True):
        assert np.array_equal(run(other["image"]), batch["image"])
    assert len(shapes) == run.experimental_get_tracing_count() <= 4  # programs
    assert all(length & (length - 1) == 0 for _, length, _ in shapes)


def test_lengths_are_powers_of_two(rng):
    """Of 100 batches of images of many sizes."""
    lengths = set()
    for _ in range(100):
        counts = rng.integers(1, 60, (4, 2)).prod(1)
        rows = tf.RaggedTensor.from_row_lengths(tf.zeros([counts.sum(), 3], tf.uint8), counts)
        batch = padded(FILES, {"image": {"pixels": rows, "work": tf.zeros([4, 17], tf.int64)}})
        length = batch["image"]["pixels"].shape[1]
        assert max(counts.max(), 1024) <= length < max(2 * counts.max(), 1025)
        lengths.add(length)
    assert lengths == {1024, 2048, 4096}


def test_evaluation_and_what_another_recipe_made(folder):
    evaluation = FILES.evaluation()
    host, packed = batches_of(folder, evaluation), batches_of(folder, evaluation, finish=False)
    layer = Finish(FILES)
    for batch, other in zip(host, packed, strict=True):
        assert np.array_equal(layer(other["image"], training=False), batch["image"])
    with pytest.raises(ValueError, match="packed for this recipe, which takes 17 numbers an image, got 13"):
        layer(packed[0]["image"])
    crop = ar.Compose([ar.RandomCrop(16, 24)], seed=1)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="image: must be packed for this recipe, by make"
    ):
        Finish(crop)(packed[0]["image"])
    numbers = batches_of(arrays, PIXELS, finish=False)[0]["image"]
    with pytest.raises(tf.errors.InvalidArgumentError, match="this one is.*RandomCrop"):
        Finish(ar.Compose(list(PIXELS.transforms.values())[:3], seed=8))(numbers)


def classifier(layer, size, seed=5):
    keras.utils.set_random_seed(seed)
    into = layer.inputs(size) if layer else keras.Input((16, 16, 3))
    hidden = keras.layers.Conv2D(4, 3, strides=2, activation="relu")(layer(into) if layer else into)
    model = keras.Model(into, keras.layers.Dense(3)(keras.layers.Flatten()(hidden)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, jit_compile=False)
    return model


def digest(model):
    return hashlib.sha256(b"".join(weight.numpy().tobytes() for weight in model.weights)).hexdigest()


def feed_of(**options):
    return pl.for_keras(arrays(), PIXELS, batch_size=8, seed=3, **options)


def test_fit_gives_the_weights_of_a_run_finished_on_the_host(tmp_path):
    host, finished = classifier(None, SIZE), classifier(Finish(PIXELS, output="unit"), SIZE)
    host.fit(feed_of(output="unit"), epochs=3, verbose=0)
    feed = feed_of(finish=False)
    history = finished.fit(feed, epochs=3, verbose=0, class_weight={0: 1.0, 1: 1.0, 2: 1.0}).history
    assert digest(finished) == digest(host)
    assert feed.epoch == len(history["loss"]) == 3
    finished.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    image = batches_of(arrays, PIXELS, finish=False)[0]["image"]
    assert np.array_equal(again(image, training=True), finished(image, training=True))
    assert again.layers[-4].get_config() == finished.layers[-4].get_config()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "CPU:0"}, "finish: must be True with device='CPU:0'"),
        ({"output": "unit"}, "output: must be left out with finish=False.*give it to augrng.keras.Finish"),
    ],
)
def test_what_cannot_be_left_to_the_layer(options, message):
    with pytest.raises(ValueError, match=message):
        pl.make_dataset(arrays(), PIXELS, batch_size=8, finish=False, **options)


def test_bad_inputs_and_arguments():
    mixed = ar.Compose([ar.RandomCrop(16, 16), ar.MixUp(num_classes=3)], seed=1)
    with pytest.raises(ValueError, match="finish: must be True where examples are mixed"):
        pl.make_dataset(arrays(), mixed, batch_size=8, finish=False)
    with pytest.raises(ValueError, match="finish: needs images of one size or encoded ones"):
        check_apart(PIXELS, tf.TensorSpec([None, 8, 3], tf.uint8), Output(), device=None, finish=False)
    with pytest.raises(
        ValueError, match="finish: needs a recipe that begins with what gives images one size"
    ):
        check_apart(
            ar.Compose([ar.RandomFlip()]), tf.TensorSpec([], tf.string), Output(), device=None, finish=False
        )
    with pytest.raises(ValueError, match=r"evaluation: must make images of .*\(16, 16\), got \(8, 8\)"):
        Finish(PIXELS, ar.Compose([ar.CenterCrop(8, 8)]))
    with pytest.raises(TypeError, match="inputs: must be a dict of .*make_dataset"):
        Finish(PIXELS)(tf.constant(IMAGES))
    with pytest.raises(ValueError, match=r"without \['work', 'columns'\]"):
        Finish(PIXELS)({"pixels": tf.constant(IMAGES)})
