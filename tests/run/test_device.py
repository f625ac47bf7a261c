"""Augmentation on a device: the pixels of the host, from pixels and from files."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import augrng as ar
import pipelines as pl
from augrng.keras import Augment
from augrng.output import Output
from pipelines.run.device import OnDevice
from tests import cases

OUTPUT = Output("unit", (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
DEVICES = ["CPU:0", pytest.param("GPU:0", marks=pytest.mark.gpu)]


def joined(batches, name):
    return np.concatenate([batch[name] for batch in batches])


def pair(source, aug, device, **options):
    """What the host makes of a source, and what the device makes of it."""
    return [
        list(pl.make_dataset(source, aug, batch_size=10, epochs=2, seed=3, device=where, **options))
        for where in (None, device)
    ]


@pytest.fixture
def folder(tmp_path, photos):
    """Images of several sizes and formats."""
    rng = np.random.default_rng(5)
    for number in range(24):
        height, width = rng.integers(60, 300, 2)
        Image.fromarray(photos[number % 2][:height, :width]).save(
            tmp_path / f"{number:02}.{('jpg', 'png')[number % 3 == 0]}"
        )
    return tmp_path


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("case", [name for name in cases.CASES if cases.compose(name).output_size])
def test_layer_dataset_and_device_give_the_same_pixels(case, device):
    aug = cases.compose(case)
    images, ids = cases.pictures(), cases.example_ids()
    source = pl.from_arrays(images, labels=np.arange(64), ids=ids)
    host, moved = pair(source, aug, device)
    layer = Augment(aug, ar.Compose([ar.Resize(*aug.output_size)], seed=1))
    for batch, other in zip(host, moved, strict=True):
        assert np.array_equal(other["image"], batch["image"])
        assert np.array_equal(other["id"], batch["id"])
        rows = {"image": images[batch["label"]], "id": batch["id"], "epoch": batch["epoch"]}
        assert np.array_equal(layer(tf.nest.map_structure(tf.constant, rows), training=True), batch["image"])


@pytest.mark.parametrize("device", DEVICES)
def test_files_of_many_sizes(folder, device):
    aug = ar.Compose([ar.RandomResizedCrop(40, 48), ar.RandomFlip(), ar.RandomRotation(30)], seed=7)
    host, moved = pair(pl.from_folder(folder), aug, device)
    assert set(host[0]) == set(moved[0])
    for name in ("id", "epoch", "image"):
        assert np.array_equal(joined(moved, name), joined(host, name))


@pytest.mark.parametrize("device", DEVICES)
def test_floats_are_the_same_bits(folder, device):
    aug = ar.Compose([ar.RandomCrop(50, 40), ar.RandomRotation(30)], seed=7)
    host, moved = pair(pl.from_folder(folder), aug, device, output=OUTPUT)
    assert host[0]["image"].dtype == tf.float32
    assert np.array_equal(joined(moved, "image"), joined(host, "image"))


def test_it_can_be_iterated_again_and_has_a_length():
    source = pl.from_arrays(cases.pictures(), ids=cases.example_ids())
    batches = pl.make_dataset(source, cases.compose("random_crop"), batch_size=16, device="CPU:0", seed=1)
    assert isinstance(batches, OnDevice)
    assert len(batches) == len(list(batches)) == 4
    assert np.array_equal(joined(batches, "image"), joined(batches, "image"))


def test_what_fails_on_the_host_is_left_out_or_named(folder):
    (folder / "00.png").write_text("no image")
    aug = ar.Compose([ar.RandomCrop(50, 40)], seed=7)
    bad = int(ar.string_ids("00.png"))
    source = pl.from_folder(folder)
    kept = pl.make_dataset(source, aug, batch_size=10, device="CPU:0", on_error="skip", seed=1)
    assert sorted(joined(kept, "id")) == sorted(set(source.ids().tolist()) - {bad})
    with pytest.raises(tf.errors.InvalidArgumentError, match=str(bad)):
        list(pl.make_dataset(source, aug, batch_size=10, device="CPU:0", seed=1))


def test_a_device_that_is_not_there_is_refused():
    source = pl.from_arrays(cases.pictures())
    with pytest.raises(ValueError, match=r"device: must be one of \['CPU:0'.*got 'TPU:3'"):
        pl.make_dataset(source, cases.compose("random_crop"), batch_size=8, device="TPU:3")


def test_pixels_of_several_sizes_are_refused():
    spec = {"image": tf.TensorSpec([None, None, 3], tf.uint8), "id": tf.TensorSpec([], tf.int64)}
    dataset = tf.data.Dataset.from_generator(lambda: iter(()), output_signature=spec)
    with pytest.raises(ValueError, match="device: needs images of one size or encoded ones"):
        pl.make_dataset(pl.from_dataset(dataset), cases.compose("random_crop"), batch_size=8, device="CPU:0")
