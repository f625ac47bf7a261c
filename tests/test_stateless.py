"""The functions in the manner of `tf.image`, against `tf.image`."""

import numpy as np
import pytest
import tensorflow as tf

import augrng as ar


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (ar.stateless_random_flip_left_right, tf.image.stateless_random_flip_left_right),
        (ar.stateless_random_flip_up_down, tf.image.stateless_random_flip_up_down),
        (
            lambda image, seed: ar.stateless_random_crop(image, (7, 9, 3), seed),
            lambda image, seed: tf.image.stateless_random_crop(image, (7, 9, 3), seed),
        ),
        (
            lambda image, seed: ar.stateless_random_crop(image, (7, 9, 2), seed),
            lambda image, seed: tf.image.stateless_random_crop(image, (7, 9, 2), seed),
        ),
    ],
    ids=["flip_left_right", "flip_up_down", "crop", "crop_channels"],
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_batch_equals_tensorflow_image_by_image(rng, ours, theirs, dtype):
    images = rng.integers(0, 256, (100, 12, 15, 3)).astype(dtype)
    seeds = rng.integers(-(2**63), 2**63, (100, 2))
    expected = [theirs(image, seed) for image, seed in zip(images, seeds, strict=True)]
    assert np.array_equal(ours(images, seeds), expected)
    assert np.array_equal(ours(images[3], seeds[3]), expected[3])
    jitted = tf.function(ours, jit_compile=True)
    assert np.array_equal(jitted(tf.constant(images), tf.constant(seeds)), expected)


def test_crop_takes_height_and_width(rng):
    image = rng.integers(0, 256, (12, 15, 3), dtype=np.uint8)
    out = ar.stateless_random_crop(image, (7, 9), [1, 2])
    assert np.array_equal(out, tf.image.stateless_random_crop(image, (7, 9, 3), [1, 2]))


def test_rotation_is_that_of_compose(photos):
    """The same key, angle and pixels; `test_geometry` holds the pixels against float64."""
    photo = photos[0][:100, :120]
    aug = ar.Compose([ar.RandomRotation((-5, 60), fill_mode="reflect")], seed=3)
    ids = np.arange(5)
    batch = np.stack([photo] * 5)
    out = ar.stateless_random_rotation(
        batch, (-5, 60), aug.keys(ids, 1)["random_rotation"], fill_mode="reflect"
    )
    assert np.array_equal(out, aug(batch, ids, 1))
    alone = ar.stateless_random_rotation(
        photo, (-5, 60), aug.keys(4, 1)["random_rotation"], fill_mode="reflect"
    )
    assert np.array_equal(alone, out[4])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda i: ar.stateless_random_crop(i, (50, 5), [1, 2]),
            ValueError,
            r"got \(height, width\) \(8, 9\)",
        ),
        (lambda i: ar.stateless_random_crop(i, (5,), [1, 2]), ValueError, "size: must be"),
        (lambda i: ar.stateless_random_crop(i, (5, 5, 4), [1, 2]), ValueError, "size: must ask for 1 to 3"),
        (
            lambda i: ar.stateless_random_flip_left_right(i, [[1, 2]]),
            ValueError,
            r"seed: must have shape \[2\]",
        ),
        (lambda i: ar.stateless_random_flip_left_right(i[None], [1, 2]), ValueError, "seed: must have shape"),
        (lambda i: ar.stateless_random_flip_up_down(i[..., 0], [1, 2]), ValueError, "image: must have shape"),
        (lambda i: ar.stateless_random_flip_up_down(i, [1.0, 2.0]), TypeError, "seed: must hold integers"),
        (lambda i: ar.stateless_random_rotation(i.astype(int), 5, [1, 2]), TypeError, "image: dtype must be"),
        (
            lambda i: ar.stateless_random_rotation(i, 5, [1, 2], fill_mode="x"),
            ValueError,
            "fill_mode: must be",
        ),
    ],
)
def test_bad_arguments_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(np.zeros((8, 9, 3), np.uint8))
