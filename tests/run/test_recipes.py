"""Recipes of several stages through the ways in: files, arrays, device, layer, hosts, restarts."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import augrng as ar
import pipelines as pl
from augrng.compiled import op_by_op
from augrng.export import stablehlo
from augrng.keras import Augment

COUNT = 12
RECIPES = {
    "randaugment": [ar.RandomResizedCrop(24, 20), ar.RandomFlip(), ar.RandAugment(2, 20)],
    "jitter and noise": [
        *(ar.RandomCrop(24, 20), ar.ColorJitter(0.4, 0.4, 0.4, 0.1), ar.RandomRotation(20)),
        *(ar.RandomErasing(0.7, value="random"), ar.GaussianBlur(3)),
    ],
    "colours first": [ar.RandomBrightness(0.2), ar.RandomSolarize(90), ar.RandomRotation(30), ar.RandomCrop(24, 20)],
    "chosen": [
        ar.RandomCrop(24, 20),
        ar.OneOf([ar.RandomRotation(40), ar.RandomEqualize(p=1), ar.RandomPerspective(0.4, p=1)]),
        ar.Maybe(ar.TrivialAugmentWide()),
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(4).integers(0, 256, (COUNT, 40, 36, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def folder(images, tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    for number, image in enumerate(images):
        Image.fromarray(image).save(root / f"{number:02d}.png")
    return root


def rows_of(batches):
    """{(id, epoch): pixels} of all batches."""
    found = {}
    for batch in batches:
        for image, id_, epoch in zip(
            *(np.asarray(batch[name]) for name in ("image", "id", "epoch")), strict=True
        ):
            found[int(id_), int(epoch)] = image
    return found


@pytest.fixture(scope="module")
def called(images, folder):
    """{(id, epoch): pixels} of calls of a recipe, by its name."""
    ids = pl.from_folder(folder).ids()

    @functools.cache
    def expected(name):
        aug = ar.Compose(RECIPES[name], seed=2)
        with op_by_op():
            pixels = {epoch: aug(images, ids, epoch).numpy() for epoch in (0, 1)}
        return {(int(id_), epoch): pixels[epoch][row] for epoch in (0, 1) for row, id_ in enumerate(ids)}

    return expected


@pytest.mark.parametrize("name", RECIPES)
def test_files_arrays_and_hosts_give_the_pixels_of_the_call(name, images, folder, called):
    aug, source = ar.Compose(RECIPES[name], seed=2), pl.from_folder(folder)
    expected = called(name)

    def assert_same(found):
        assert len(found) == len(expected)
        assert all(np.array_equal(pixels, expected[key]) for key, pixels in found.items())

    run = {"epochs": 2, "seed": 1}
    whole = list(pl.make_dataset(source, aug, batch_size=4, **run))
    assert_same(rows_of(whole))
    arrays = pl.from_arrays(images, ids=source.ids())
    assert_same(rows_of(pl.make_dataset(arrays, aug, batch_size=3, **run)))
    hosts = [pl.make_dataset(source, aug, batch_size=6, host=host, hosts=2, **run) for host in (0, 1)]
    assert_same(rows_of(hosts[0].concatenate(hosts[1])))
    rest = pl.make_dataset(source, aug, batch_size=4, start_step=2, **run)
    assert_same(rows_of(whole[:2]) | rows_of(rest))


@pytest.mark.parametrize("name", [name for name in RECIPES if name != "colours first"])
def test_device_and_layer_give_the_same_pixels(name, images, folder, called):
    aug, source = ar.Compose(RECIPES[name], seed=2), pl.from_folder(folder)
    expected, ids = called(name), source.ids()
    found = rows_of(pl.make_dataset(source, aug, batch_size=4, seed=1, device="CPU:0"))
    assert set(found) == {(int(id_), 0) for id_ in ids}
    assert all(np.array_equal(pixels, expected[key]) for key, pixels in found.items())
    layer = Augment(aug)({"image": images, "id": ids, "epoch": np.zeros(COUNT, np.int64)}, training=True)
    layer = layer["image"] if isinstance(layer, dict) else layer
    for row, id_ in enumerate(ids.tolist()):
        assert np.array_equal(layer[row], expected[id_, 0])


def test_a_device_needs_a_size_first(folder):
    aug = ar.Compose(RECIPES["colours first"], seed=2)
    with pytest.raises(
        ValueError, match="device: needs a recipe that begins with what gives images one size"
    ):
        pl.make_dataset(pl.from_folder(folder), aug, batch_size=4, device="CPU:0")


def test_what_a_recipe_cannot_change_is_refused_when_built(folder):
    aug = ar.Compose([ar.RandomCrop(24, 20), ar.RandomHue(0.1)], seed=2)
    with pytest.raises(ValueError, match=r"RandomHue.*images must have 3 channels \(RGB\), got 1"):
        pl.make_dataset(pl.from_folder(folder), aug, batch_size=4, channels=1)


def test_policies_are_exported_too():
    text = stablehlo(ar.Compose(RECIPES["randaugment"], seed=2), [2, 32, 32, 3]).text
    assert "stablehlo" in text
    assert "custom_call" not in text


def test_a_custom_function_goes_through_files(images, folder):
    def tinted(image, key):
        return tf.image.stateless_random_hue(image, 0.3, key)

    tinted.__qualname__ = "tinted"
    aug, source = ar.Compose([ar.RandomCrop(24, 20), ar.Custom(tinted)], seed=2), pl.from_folder(folder)
    ids = source.ids()
    found = rows_of(pl.make_dataset(source, aug, batch_size=4, seed=1))
    expected = aug(images, ids, 0).numpy()
    assert all(np.array_equal(found[int(id_), 0], expected[row]) for row, id_ in enumerate(ids))
