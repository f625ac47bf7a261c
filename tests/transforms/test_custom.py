"""Operations of one's own: functions with a key, classes with a name, what recipes say of them."""

import dataclasses
import random

import numpy as np
import pytest
import tensorflow as tf

import augrng as ar
from augrng.color.levels import ONE
from augrng.transforms import custom

pytestmark = pytest.mark.usefixtures("op_by_op")

IDS = np.arange(5)


def stretched(image, key):
    return tf.image.stateless_random_contrast(image, 0.5, 1.5, key)


def encoded(image, key):
    return tf.image.stateless_random_jpeg_quality(image, 20, 90, key)


def shrunk(image, key):
    return image[::2, ::2]


def widened(image, key):
    return tf.cast(image, tf.float32)


def stateful(image, key):
    return tf.image.random_flip_left_right(image)


def pythons(image, key):
    return image // random.randint(1, 10**6)


@pytest.fixture
def images(rng):
    return rng.integers(0, 256, (5, 16, 24, 3), dtype=np.uint8)


@pytest.mark.parametrize("function", [stretched, encoded])
def test_a_function_is_called_with_the_key_of_its_name(function, images):
    aug = ar.Compose([ar.RandomFlip(), ar.Custom(function, name="mine"), ar.RandomInvert(p=1)], seed=4)
    out = aug(images, IDS, 2).numpy()
    flipped = ar.Compose([ar.RandomFlip()], seed=4)(images, IDS, 2).numpy()
    keys = aug.keys(IDS, 2)["mine"].numpy()
    for row in range(5):
        assert np.array_equal(out[row], 255 - function(flipped[row], keys[row]).numpy())
        assert np.array_equal(aug(images[row], row, 2), out[row])
    graph = tf.function(lambda images, ids: aug(images, ids, 2))
    assert np.array_equal(graph(images, IDS), out)
    dataset = tf.data.Dataset.from_tensor_slices((images, IDS)).map(lambda image, id_: aug(image, id_, 2))
    assert np.array_equal(np.stack(list(dataset.as_numpy_iterator())), out)
    assert np.array_equal(aug.apply(images, aug.sample(IDS, 2, (16, 24))), out)


def test_a_recipe_names_the_function_and_never_imports_it(images):
    aug = ar.Compose([ar.Custom(stretched)], seed=4)
    text = aug.to_json()
    assert f'"function": "{__name__}:stretched"' in text
    assert np.array_equal(ar.from_json(text)(images, IDS, 0), aug(images, IDS, 0))
    with pytest.raises(
        ValueError, match="Custom: function must be registered, got 'os:system'; import os first"
    ):
        ar.from_json(text.replace(f"{__name__}:stretched", "os:system"))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (shrunk, r"shrunk must keep size and dtype, uint8\(16, 24, 3\), got uint8\(8, 12, 3\)"),
        (widened, r"widened must keep size and dtype, .* got float32"),
        (stateful, r"stateful must depend on image and key alone, got the operations \['RandomUniform'\]"),
        (pythons, "pythons must depend on image and key alone, but made other numbers"),
    ],
)
def test_what_is_no_function_of_image_and_key_is_refused(function, message, images):
    with pytest.raises(ValueError, match=message):
        ar.Compose([ar.Custom(function)], seed=4)(images, IDS, 0)


def test_jpeg_quality_is_tensorflows(images):
    aug = ar.Compose([ar.RandomJpegQuality(10, 95)], seed=4)
    out, keys = aug(images, IDS, 0).numpy(), aug.keys(IDS, 0)["random_jpeg_quality"].numpy()
    for row in range(5):
        assert np.array_equal(
            out[row], tf.image.stateless_random_jpeg_quality(images[row], 10, 95, keys[row])
        )


@pytest.fixture
def registered():
    @ar.register
    @dataclasses.dataclass(frozen=True, repr=False)
    class Darken(ar.Table, ar.Transform):
        """Divides levels by a drawn number."""

        num_words = 1
        most: int = 4

        def sample(self, words, size):
            return {"by": 1 + tf.cast(words[:, 0], tf.int64) % self.most}

        def levels(self, x, params, seen, of):
            return x // params["by"]

        def describe(self, params):
            return f"by {params['by']}"

    yield Darken
    del custom.TRANSFORMS["Darken"]


def test_a_class_of_ones_own_is_a_transform_like_others(registered, images):
    aug = ar.Compose([ar.RandomFlip(), registered(5), ar.RandomInvert(p=1)], seed=4)
    flipped = ar.Compose([ar.RandomFlip()], seed=4)(images, IDS, 0).numpy()
    by = aug.sample(IDS, 0, (16, 24))["darken"]["by"].numpy()
    assert len(set(by)) > 1
    assert np.array_equal(aug(images, IDS, 0), 255 - flipped // by[:, None, None, None])
    assert ar.from_json(aug.to_json()) == aug
    assert ONE == 2**24


def test_a_recipe_with_an_unknown_type_says_what_to_do(registered):
    text = ar.Compose([registered()], seed=4).to_json()
    custom.TRANSFORMS.pop("Darken")
    try:
        with pytest.raises(
            ValueError,
            match="type must be one of .*, got 'Darken'; import what defines it first, and let it say @augrng.register",
        ):
            ar.from_json(text)
    finally:
        custom.TRANSFORMS["Darken"] = registered


def test_only_transforms_and_functions_register():
    with pytest.raises(TypeError, match="register: must be a frozen dataclass derived from Transform"):
        ar.register(int)
    with pytest.raises(TypeError, match="register: must be a transform's class or a function, got 3"):
        ar.register(3)
    with pytest.raises(TypeError, match="Custom: function must be a function of image and key, got 3"):
        ar.Custom(3)
    nameless = [lambda image, key: image, lambda image, key: image + 1]
    ar.register(nameless[0])
    with pytest.raises(ValueError, match="a function without a name of its own"):
        ar.register(nameless[1])
