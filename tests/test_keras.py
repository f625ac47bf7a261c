"""The Keras layer: the pixels of Compose, in every way that Keras runs and keeps a layer."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import augrng as ar
from augrng.keras import Augment
from augrng.output import Output
from tests import cases

AUG = ar.Compose([ar.RandomCrop(16, 12), ar.RandomFlip(), ar.RandomRotation(20)], seed=7)
IMAGES, IDS = cases.pictures(), cases.example_ids()
BATCH = {"image": IMAGES, "id": IDS, "epoch": np.full(len(IDS), 3)}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def inputs(size=cases.SIZE):
    return {
        "image": keras.Input((*size, 3), dtype="uint8", name="image"),
        "id": keras.Input((), dtype="int64", name="id"),
        "epoch": keras.Input((), dtype="int64", name="epoch"),
    }


def model_of(layer):
    into = inputs()
    return keras.Model(into, layer(into))


def classifier(layer):
    into = inputs()
    logits = keras.layers.Dense(2)(keras.layers.Flatten()(layer(into)))
    return keras.Model(into, logits)


def tensors(batch):
    return {name: tf.constant(value) for name, value in batch.items()}


@pytest.mark.parametrize("case", cases.CASES)
def test_the_pixels_are_those_of_compose(case):
    aug = cases.compose(case)
    layer = Augment(
        aug, evaluation=ar.Compose([ar.Resize(*aug.output_size)], seed=1) if aug.output_size else None
    )
    assert np.array_equal(layer(tensors(BATCH), training=True), aug(IMAGES, IDS, 3))


def test_evaluation_takes_the_middle():
    assert np.array_equal(Augment(AUG)(tensors(BATCH), training=False), IMAGES[:, 4:20, 4:16])
    padded = Augment(ar.Compose([ar.RandomCrop(24, 20, padding=3), ar.RandomFlip()], seed=1))
    assert np.array_equal(padded(tensors(BATCH), training=False), IMAGES)
    resized = ar.Compose([ar.RandomResizedCrop(14, 14), ar.RandomRotation(9)], seed=1).evaluation()
    assert list(resized.transforms.values()) == [ar.Resize(16, antialias="exact"), ar.CenterCrop(14, 14)]
    assert ar.Compose([ar.RandomFlip(), ar.RandomRotation(9)], seed=1).evaluation() is None
    unchanged = Augment(ar.Compose([ar.RandomFlip()], seed=1))
    assert np.array_equal(unchanged(tensors(BATCH), training=False), IMAGES)
    own = ar.Compose([ar.Resize(16, 12)], seed=1)
    assert np.array_equal(Augment(AUG, own)(tensors(BATCH), training=False), own(IMAGES, IDS, 0))


def test_outputs_against_numpy():
    whole = IMAGES.astype(np.float64) / 255
    found = Output("unit")(tf.constant(IMAGES)).numpy()
    assert found.min() == 0
    assert found.max() == 1
    assert np.abs(found - whole).max() < 1e-7
    normal = Output("unit", MEAN, STD)(tf.constant(IMAGES)).numpy()
    assert np.abs(normal - (whole - MEAN) / STD).max() < 1e-6
    wide = cases.pictures("uint16")
    assert np.abs(Output("unit")(tf.constant(wide)) - wide / 65535).max() < 1e-7
    floats = tf.constant(whole, tf.float32)
    assert np.array_equal(Output("unit", scale=1)(floats), whole.astype(np.float32))
    assert np.array_equal(Output("unit", MEAN, STD, scale=255)(tf.constant(IMAGES, tf.float32)), normal)
    assert np.array_equal(Output("unit", scale=15)(tf.constant([[0, 15]], tf.int32)), [[0, 1]])
    assert np.array_equal(Output("unit")(tf.constant([[False, True]])), [[0, 1]])
    half = Output("unit", MEAN, STD)(tf.constant(IMAGES), tf.bfloat16)
    assert np.array_equal(half, tf.cast(normal, tf.bfloat16))


@pytest.mark.parametrize("dtype", [tf.float32, tf.float16, tf.bfloat16])
def test_floats_are_the_same_bits_in_every_mode(dtype):
    output = Output("unit", MEAN, STD)

    def run(images):
        return output(AUG(images, IDS, 3), dtype)

    eager = run(tf.constant(IMAGES))
    for options in ({}, {"jit_compile": True}):
        assert np.array_equal(tf.function(run, **options)(tf.constant(IMAGES)), eager)


@pytest.mark.parametrize(("policy", "dtype"), [("float32", "float32"), ("mixed_bfloat16", "bfloat16")])
def test_the_compute_dtype_comes_out(policy, dtype):
    layer = Augment(AUG, output="unit", mean=MEAN, std=STD, dtype=policy)
    found = layer(tensors(BATCH), training=True)
    assert keras.backend.standardize_dtype(found.dtype) == dtype
    assert np.array_equal(found, Output("unit", MEAN, STD)(AUG(IMAGES, IDS, 3), dtype))
    assert model_of(layer).output.dtype == dtype


def test_saved_loaded_and_cloned_layers_give_the_same_pixels(tmp_path):
    model = model_of(Augment(AUG, output="unit", mean=MEAN, std=STD))
    expected = model(tensors(BATCH), training=True)
    model.save(tmp_path / "model.keras")
    for other in (keras.saving.load_model(tmp_path / "model.keras"), keras.models.clone_model(model)):
        assert np.array_equal(other(tensors(BATCH), training=True), expected)
        assert np.array_equal(other(tensors(BATCH), training=False), model(tensors(BATCH), training=False))
    layer = Augment(AUG, ar.Compose([ar.Resize(16, 12)], seed=2))
    again = Augment.from_config(layer.get_config())
    assert (again.aug, again.evaluation) == (layer.aug, layer.evaluation)


def test_the_global_seed_is_honoured():
    def pixels():
        keras.utils.set_random_seed(5)
        layer = Augment(ar.Compose([ar.RandomCrop(16, 12)]))
        return layer.aug.to_json(), layer(tensors(BATCH), training=True).numpy()

    (first, some), (second, others) = pixels(), pixels()
    assert first == second
    assert np.array_equal(some, others)


def test_images_alone_are_counted(tmp_path):
    model = keras.Sequential([keras.Input((*cases.SIZE, 3), dtype="uint8"), Augment(AUG)])
    first, second = IMAGES[:40], IMAGES[40:]
    assert np.array_equal(model(first, training=True), AUG(first, np.arange(40), 0))
    model(second, training=False)  # evaluation does not count
    model.save(tmp_path / "model.keras")
    for one in (model, keras.saving.load_model(tmp_path / "model.keras")):
        assert np.array_equal(one(second, training=True), AUG(second, np.arange(40, 64), 0))


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_fit_and_predict_under_xla(policy):
    keras.utils.set_random_seed(1)
    keras.config.set_dtype_policy(policy)
    try:
        model = classifier(Augment(AUG, output="unit"))
    finally:
        keras.config.set_dtype_policy("float32")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, jit_compile=True)
    labels = (IMAGES.mean((1, 2, 3)) > np.median(IMAGES.mean((1, 2, 3)))).astype(np.int64)
    data = tf.data.Dataset.from_tensor_slices((BATCH, labels)).batch(24)
    history = model.fit(data, epochs=12, shuffle=False, verbose=0).history["loss"]
    assert history[-1] < history[0]
    assert model.predict(data, verbose=0).shape == (64, 2)


@pytest.mark.slow
def test_nothing_is_compiled_after_the_first_epoch(python, tmp_path):
    """XLA writes down every program that it compiles; 64 examples in batches of 24 end with one of 16."""
    program = """
import keras, sys
from pathlib import Path
import tensorflow as tf
from tests.test_keras import AUG, BATCH, Augment, classifier
model = classifier(Augment(AUG, output="unit"))
model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=True)
labels = tf.zeros([64], tf.int64)
counts = []
count = lambda epoch, logs: counts.append(len(list(Path(sys.argv[1]).glob("*before_optimizations.txt"))))
data = tf.data.Dataset.from_tensor_slices((BATCH, labels)).batch(24)
model.fit(data, epochs=3, verbose=0, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=count)])
print(*counts)
"""
    out = python(
        program,
        tmp_path,
        env={"XLA_FLAGS": f"--xla_dump_to={tmp_path} --xla_dump_hlo_as_text", "TF_XLA_FLAGS": ""},
    )
    first, second, third = map(int, out.split()[-3:])
    assert first >= 2  # the whole batches, and the short one
    assert first == second == third


def test_exported_models_serve(tmp_path):
    """With `training` left out, as Keras exports its own layers; or with what the model says of it."""
    model = classifier(Augment(AUG, output="unit"))
    into = inputs()
    evaluated = keras.Model(into, model(into, training=False))
    for training, exported in ((True, model), (False, evaluated)):
        exported.export(tmp_path / str(training), verbose=False)
        served = tf.saved_model.load(str(tmp_path / str(training)))
        found = served.serve(tensors({**BATCH, "epoch": BATCH["epoch"].astype(np.int64)}))
        assert np.allclose(found, model(tensors(BATCH), training=training), atol=1e-5)


def test_importing_augrng_does_not_import_the_layer(python):
    assert python("import sys, augrng; print('augrng.keras' in sys.modules)").split()[-1] == "False"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"id": None}, ValueError, r"\['id'\] is missing"),
        ({"id": IDS.astype(np.float32)}, TypeError, r"inputs\['id'\]: must hold integers, got .*float32"),
        ({"epoch": np.ones(64)}, TypeError, r"inputs\['epoch'\]: must hold integers"),
        ({"image": IMAGES[:, :20]}, ValueError, r"built for images of \(24, 20\), got \(20, 20\)"),
        ({"image": IMAGES.astype(np.complex64)}, TypeError, "images: dtype must be one of"),
    ],
)
def test_bad_inputs_are_refused(change, error, message):
    layer = Augment(AUG)
    layer(tensors(BATCH))
    batch = {name: value for name, value in {**BATCH, **change}.items() if value is not None}
    with pytest.raises(error, match=message):
        layer(tensors(batch), training=True)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="output: must be one of"):
        Augment(AUG, output="uint8")
    with pytest.raises(ValueError, match='need output="unit"'):
        Augment(AUG, mean=0.5)
    with pytest.raises(ValueError, match="std: must be above 0"):
        Augment(AUG, output="unit", std=0.0)
    for mean in ((123.0, 117.0, 104.0), -0.5, float("nan")):
        with pytest.raises(ValueError, match=r"mean: must lie in \[0, 1\], .*divide mean and std by 255"):
            Augment(AUG, output="unit", mean=mean)
    with pytest.raises(ValueError, match="scale: must be above 0"):
        Augment(AUG, output="unit", scale=0)
    with pytest.raises(ValueError, match='need output="unit"'):
        Augment(AUG, scale=255)
    with pytest.raises(ValueError, match='data_format: must be "channels_last"'):
        Augment(AUG, data_format="NCHW")
    with pytest.raises(TypeError, match="aug: must be an augrng.Compose, got .*write augrng.Compose"):
        Augment([ar.RandomFlip()])
    with pytest.raises(TypeError, match="evaluation: must be an augrng.Compose"):
        Augment(AUG, evaluation=ar.CenterCrop(16, 12))
    with pytest.raises(TypeError, match="output: must be an augrng.output.Output"):
        Output.of(1.0)
    assert (Output.of("unit"), Output.of(None)) == (Output("unit"), Output())
    with pytest.raises(ValueError, match="mean: must be one number or 3"):
        Augment(AUG, output="unit", mean=(0.5, 0.5))(tensors(BATCH))
    with pytest.raises(ValueError, match=r"size that training makes, \(16, 12\), got \(9, 9\)"):
        Augment(AUG, ar.Compose([ar.Resize(9, 9)], seed=1))(tensors(BATCH))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_value_of_white_is_asked_for(dtype):
    images = tf.cast(IMAGES, dtype)
    message = rf'scale: output="unit" must know the value of white in {dtype} images; say scale=1'
    with pytest.raises(ValueError, match=message):
        Augment(AUG, output="unit")({**tensors(BATCH), "image": images})
    with pytest.raises(ValueError, match=message):
        tf.function(Output("unit"))(images)
    with pytest.raises(ValueError, match=message):
        Augment(AUG, output="unit")(keras.Input((*cases.SIZE, 3), dtype=dtype))


def test_floats_that_are_not_in_the_range_that_was_said_are_refused():
    with pytest.raises(
        ValueError, match=r"scale: says that pixels lie in \[0, 1\], got values from 0 to 255"
    ):
        Output("unit", scale=1)(tf.constant(IMAGES, tf.float32))
    with pytest.raises(ValueError, match="got values from -1 to 1"):
        Output("unit", scale=1)(tf.constant([-1.0, 1.0]))


def test_what_keras_makes_of_uint8_is_seen():
    """Without an Input of uint8, Keras hands float32 in [0, 255] to the layer, also in `fit`."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for first in ([], [keras.Input((*cases.SIZE, 3))]):
        model = keras.Sequential(
            [*first, Augment(AUG, output="unit", scale=255), keras.layers.Flatten(), keras.layers.Dense(2)]
        )
        model.compile("sgd", loss)
        model.fit(IMAGES, np.zeros(len(IMAGES)), verbose=0)
        with pytest.raises(ValueError, match="scale: output=.*float32"):
            keras.Sequential([*first, Augment(AUG, output="unit"), keras.layers.Flatten()])(IMAGES)
    seen = []

    class Spy(Augment):
        def call(self, inputs, training=True):
            seen.append(inputs.dtype)
            return super().call(inputs, training)

    model = keras.Sequential(
        [
            keras.Input((*cases.SIZE, 3), dtype="uint8"),
            Spy(AUG, output="unit"),
            keras.layers.Flatten(),
            keras.layers.Dense(2),
        ]
    )
    model.compile("sgd", loss)
    model.fit(IMAGES, np.zeros(len(IMAGES)), verbose=0)
    assert set(seen) == {tf.uint8}


def test_training_left_out_is_as_keras_layers_have_it():
    """RandomFlip is the witness: alone and in a model it augments unless it is told not to."""
    image = keras.Input((*cases.SIZE, 3), dtype="uint8")
    for theirs in (
        keras.layers.RandomFlip(seed=1),
        keras.Model(image, keras.layers.RandomFlip(seed=1)(image)),
    ):
        assert not np.array_equal(theirs(IMAGES), IMAGES)
    for ours in (Augment(AUG), keras.Model(image, Augment(AUG)(image))):
        assert np.array_equal(ours(IMAGES), AUG(IMAGES, np.arange(len(IMAGES)), 0))
    assert np.array_equal(model_of(Augment(AUG))(tensors(BATCH)), AUG(IMAGES, IDS, 3))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_one_image_and_both_data_formats(data_format):
    def turned(images, back=False):
        first = data_format == "channels_first"
        return np.moveaxis(images, *((-3, -1) if back else (-1, -3))) if first else images

    layer = Augment(AUG, data_format=data_format)
    expected = AUG(IMAGES, IDS, 3).numpy()
    whole = {**BATCH, "image": turned(IMAGES)}
    assert np.array_equal(layer(tensors(whole), training=True), turned(expected))
    assert np.array_equal(layer(tensors(whole), training=False), turned(IMAGES[:, 4:20, 4:16]))
    one = {name: value[5] for name, value in whole.items()}
    assert np.array_equal(layer(tensors(one), training=True), turned(expected[5]))
    assert np.array_equal(layer(tensors(one), training=False), turned(IMAGES[5, 4:20, 4:16]))
    for given, made in ((one, expected[5]), (whole, expected)):
        shapes = {name: np.shape(value) for name, value in given.items()}
        assert layer.compute_output_shape(shapes) == turned(made).shape
        assert layer.compute_output_shape(shapes["image"]) == turned(made).shape
    alone = Augment(AUG, data_format=data_format)
    for number in range(3):
        assert np.array_equal(alone(turned(IMAGES[number])), turned(AUG(IMAGES[number], number, 0).numpy()))
    assert Augment.from_config(layer.get_config()).data_format == data_format


def test_the_data_format_is_keras_default():
    keras.config.set_image_data_format("channels_first")
    try:
        assert Augment(AUG).data_format == "channels_first"
    finally:
        keras.config.set_image_data_format("channels_last")
    assert Augment(AUG).data_format == "channels_last"


def test_other_entries_are_handed_through():
    label = tf.range(len(IDS))
    out = Augment(AUG)({**tensors(BATCH), "label": label}, training=True)
    assert out.keys() == {*BATCH, "label"}
    assert np.array_equal(out["image"], AUG(IMAGES, IDS, 3))
    assert np.array_equal(out["label"], label)
    keras_way = Augment(AUG)({"images": tf.constant(IMAGES), "labels": label})
    assert keras_way.keys() == {"images", "labels"}
    assert np.array_equal(keras_way["images"], AUG(IMAGES, np.arange(len(IDS)), 0))
    assert np.array_equal(keras_way["labels"], label)
    with pytest.raises(ValueError, match="bounding_boxes.*must be a dict of"):
        Augment(AUG)({"images": tf.constant(IMAGES), "bounding_boxes": label})
    with pytest.raises(ValueError, match="'image'.* is missing"):
        Augment(AUG)({"images": tf.constant(IMAGES), "id": label})


@pytest.mark.parametrize("parallel", [None, 4])
def test_images_alone_are_not_numbered_in_a_pipeline(parallel):
    layer = Augment(AUG)
    layer.build(IMAGES.shape)
    data = tf.data.Dataset.from_tensor_slices(IMAGES).batch(8)
    with pytest.raises(ValueError, match="cannot be numbered inside a tf.data pipeline.*pass a dict"):
        data.map(lambda images: layer(images, training=True), num_parallel_calls=parallel)
    evaluated = data.map(lambda images: layer(images, training=False), num_parallel_calls=parallel)
    assert np.array_equal(np.concatenate(list(evaluated)), IMAGES[:, 4:20, 4:16])
    given = tf.data.Dataset.from_tensor_slices(BATCH).batch(8).map(layer, num_parallel_calls=parallel)
    assert np.array_equal(np.concatenate(list(given)), AUG(IMAGES, IDS, 3))

    @tf.function
    def loop():
        out = tf.zeros([0, 16, 12, 3], tf.uint8)
        for images in data:
            tf.autograph.experimental.set_loop_options(
                shape_invariants=[(out, tf.TensorShape([None, 16, 12, 3]))]
            )
            out = tf.concat([out, layer(images)], 0)
        return out

    assert np.array_equal(loop(), AUG(IMAGES, np.arange(len(IMAGES)), 0))


def test_images_alone_are_not_numbered_on_replicas(python):
    program = """
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tests.test_keras import AUG, BATCH, IMAGES, IDS, Augment
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    layer = Augment(AUG); layer.build(IMAGES.shape)
data = strategy.experimental_distribute_dataset(tf.data.Dataset.from_tensor_slices(BATCH).batch(16))
run = tf.function(lambda batch: strategy.run(lambda b: layer(b, training=True), [batch]))
parts = [part for batch in data for part in strategy.experimental_local_results(run(batch))]
print(np.array_equal(np.concatenate(parts), AUG(IMAGES, IDS, 3)), len(parts))
try: run(next(iter(data))["image"])
except ValueError as error: print("cannot be numbered on 2 replicas" in str(error))
"""
    assert python(program).splitlines()[-2:] == ["True 8", "True"]
