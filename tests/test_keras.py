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
    assert np.array_equal(Augment(AUG)(tensors(BATCH)), IMAGES[:, 4:20, 4:16])
    padded = Augment(ar.Compose([ar.RandomCrop(24, 20, padding=3), ar.RandomFlip()], seed=1))
    assert np.array_equal(padded(tensors(BATCH)), IMAGES)
    resized = ar.Compose([ar.RandomResizedCrop(14, 14), ar.RandomRotation(9)], seed=1).evaluation()
    assert list(resized.transforms.values()) == [ar.Resize(16), ar.CenterCrop(14, 14)]
    assert ar.Compose([ar.RandomFlip(), ar.RandomRotation(9)], seed=1).evaluation() is None
    unchanged = Augment(ar.Compose([ar.RandomFlip()], seed=1))
    assert np.array_equal(unchanged(tensors(BATCH)), IMAGES)
    own = ar.Compose([ar.Resize(16, 12)], seed=1)
    assert np.array_equal(Augment(AUG, own)(tensors(BATCH)), own(IMAGES, IDS, 0))


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
    assert np.array_equal(Output("unit")(tf.constant(whole, tf.float32)), whole.astype(np.float32))
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
        assert np.array_equal(other(tensors(BATCH)), model(tensors(BATCH)))
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
    model(second)  # evaluation does not count
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
    out = python(program, tmp_path, env={"XLA_FLAGS": f"--xla_dump_to={tmp_path} --xla_dump_hlo_as_text"})
    first, second, third = map(int, out.split()[-3:])
    assert first >= 2  # the whole batches, and the short one
    assert first == second == third


def test_exported_models_serve(tmp_path):
    model = classifier(Augment(AUG, output="unit"))
    model.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "served"))
    found = served.serve(tensors({**BATCH, "epoch": BATCH["epoch"].astype(np.int64)}))
    assert np.allclose(found, model(tensors(BATCH)), atol=1e-5)


def test_importing_augrng_does_not_import_the_layer(python):
    assert python("import sys, augrng; print('augrng.keras' in sys.modules)").split()[-1] == "False"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"id": None}, ValueError, r"\['id'\] is missing"),
        ({"id": IDS.astype(np.float32)}, TypeError, r"inputs\['id'\]: must hold integers, got .*float32"),
        ({"epoch": np.ones(64)}, TypeError, r"inputs\['epoch'\]: must hold integers"),
        ({"image": IMAGES[:, :20]}, ValueError, r"built for images of \(24, 20\), got \(20, 20\)"),
        ({"image": IMAGES.astype(np.int32)}, TypeError, "images: dtype must be one of"),
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
    with pytest.raises(ValueError, match="mean: must be one number or 3"):
        Augment(AUG, output="unit", mean=(0.5, 0.5))(tensors(BATCH))
    with pytest.raises(ValueError, match=r"size that training makes, \(16, 12\), got \(9, 9\)"):
        Augment(AUG, ar.Compose([ar.Resize(9, 9)], seed=1))(tensors(BATCH))
