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


FLIPS = {
    "left_right": (ar.stateless_random_flip_left_right, tf.image.stateless_random_flip_left_right),
    "up_down": (ar.stateless_random_flip_up_down, tf.image.stateless_random_flip_up_down),
}
DTYPES = ["uint8", "int8", "uint16", "int16", "int32", "int64", "uint32", "uint64", "bool", "float16", "bfloat16", "float32", "float64", "complex64"]  # fmt: skip
SEEDS = [[1, 2], [-1, 2], [3, -4], [-7, -8], [2**31 - 1, 0], [5, 6]]


def pictures(rng, dtype, shape):
    values = rng.integers(0, 100, shape)
    return tf.cast(tf.constant(values), dtype) if dtype != "bool" else tf.constant(values > 50)


@pytest.mark.parametrize("dtype", [*DTYPES, "string"])
@pytest.mark.parametrize("channels", [1, 5, 13])
def test_one_image_of_any_dtype_and_number_of_channels(rng, dtype, channels):
    image = (
        tf.strings.as_string(pictures(rng, "int32", (6, 7, channels)))
        if dtype == "string"
        else pictures(rng, dtype, (6, 7, channels))
    )
    for seed in SEEDS:
        for ours, theirs in FLIPS.values():
            assert np.array_equal(ours(image, seed), theirs(image, seed))
        assert np.array_equal(
            ar.stateless_random_crop(image, (4, 5, channels), seed),
            tf.image.stateless_random_crop(image, (4, 5, channels), seed),
        )


@pytest.mark.parametrize("flip", FLIPS)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "uint16", "float16", "bfloat16", "float32", "float64", "complex64"])  # fmt: skip
@pytest.mark.parametrize("of_seed", ["int32", "int64"])
def test_a_batch_with_one_seed_is_tensorflows_call(rng, flip, dtype, of_seed):
    ours, theirs = FLIPS[flip]
    images = pictures(rng, dtype, (33, 5, 4, 3))
    graph = tf.function(
        ours, input_signature=[tf.TensorSpec([None, 5, None, 3], dtype), tf.TensorSpec([2], of_seed)]
    )
    for value in SEEDS:
        seed = tf.cast(tf.constant(value, tf.int64), of_seed)
        expected = theirs(images, seed)
        assert np.array_equal(ours(images, seed), expected)
        assert np.array_equal(graph(images, seed), expected)
    if dtype in ("uint8", "float32"):
        assert np.array_equal(tf.function(ours, jit_compile=True)(images, seed), expected)


def test_a_nan_stays_where_it_is():
    images = np.full((8, 2, 3, 1), np.nan, np.float32)
    images[:, :, 0] = 1
    out = ar.stateless_random_flip_left_right(images, [1, 2]).numpy()
    assert np.isnan(out).sum() == 8 * 4


@pytest.mark.parametrize("value", [(4,), (9, 2), (6, 7, 3), (3, 6, 7, 3), (2, 3, 4, 5, 2)])
def test_crops_of_any_rank_with_one_seed(rng, value):
    image = rng.integers(0, 256, value)
    size = [max(1, side - 2) for side in value]
    for seed in SEEDS:
        expected = tf.image.stateless_random_crop(image, size, seed)
        assert np.array_equal(ar.stateless_random_crop(image, size, seed), expected)


@pytest.mark.parametrize("shape", [[9, 8, 3], [None, None, 3], None])
def test_a_size_that_is_a_tensor_in_a_graph(rng, shape):
    image = rng.integers(0, 256, (9, 8, 3), dtype=np.uint8)
    signature = [tf.TensorSpec(shape, tf.uint8), tf.TensorSpec([3], tf.int32), tf.TensorSpec([2], tf.int32)]
    crop = tf.function(ar.stateless_random_crop, input_signature=signature)
    for seed in SEEDS:
        for size in ((4, 5, 3), (9, 8, 1)):
            expected = tf.image.stateless_random_crop(image, size, seed)
            assert np.array_equal(crop(image, size, seed), expected)
    with pytest.raises(tf.errors.InvalidArgumentError, match="size: must lie within the image"):
        crop(image, (10, 5, 3), [1, 2])


def test_a_size_for_a_batch_may_be_a_tensor_in_a_graph(rng):
    images = rng.integers(0, 256, (5, 9, 8, 3), dtype=np.uint8)
    seeds = rng.integers(-9, 9, (5, 2))
    signature = [
        tf.TensorSpec([None] * 4, tf.uint8),
        tf.TensorSpec([2], tf.int32),
        tf.TensorSpec([None, 2], tf.int64),
    ]
    crop = tf.function(ar.stateless_random_crop, input_signature=signature)
    expected = [tf.image.stateless_random_crop(i, (4, 5, 3), s) for i, s in zip(images, seeds, strict=True)]
    assert np.array_equal(crop(images, (4, 5), seeds), expected)


@pytest.mark.parametrize("flip", FLIPS)
def test_flips_of_unknown_rank_and_the_shape_that_is_known(rng, flip):
    ours, theirs = FLIPS[flip]
    spec = [tf.TensorSpec(None, tf.uint8), tf.TensorSpec([2], tf.int64)]
    unknown = tf.function(ours, input_signature=spec)
    for shape in ((5, 6, 3), (7, 5, 6, 3)):
        image = rng.integers(0, 256, shape, dtype=np.uint8)
        for seed in SEEDS:
            assert np.array_equal(unknown(image, seed), theirs(image, seed))
    for shape in ([None, 4, 3], [5, None, None], [2, None, 4, None], [None, None, None, 3]):
        for seeds in ([2], [None, 2])[: len(shape) - 2]:
            signature = [tf.TensorSpec(shape, tf.uint8), tf.TensorSpec(seeds, tf.int64)]
            traced = tf.function(ours).get_concrete_function(*signature)
            assert traced.output_shapes.as_list() == shape
    known = tf.function(lambda i, s: ar.stateless_random_crop(i, (4, 5), s))
    for shape, given in (([None, None, 3], [2]), ([7, None, None, 3], [7, 2])):
        traced = known.get_concrete_function(tf.TensorSpec(shape, tf.uint8), tf.TensorSpec(given, tf.int64))
        assert traced.output_shapes == [*shape[:-3], 4, 5, 3]


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
            r"size: must lie within the image, of shape \(8, 9, 3\), got \(50, 5, 3\)",
        ),
        (lambda i: ar.stateless_random_crop(i, (5,), [1, 2]), ValueError, "size: must be"),
        (
            lambda i: ar.stateless_random_crop(i, (5, 5, 4), [1, 2]),
            ValueError,
            "size: must lie within the image",
        ),
        (lambda i: ar.stateless_random_crop(i, 5, [1, 2]), ValueError, "size: must be a list of sides"),
        (lambda i: ar.stateless_random_crop(i, (5.0, 5.0), [1, 2]), TypeError, "size: must hold integers"),
        (
            lambda i: ar.stateless_random_crop(i[None], (5, 5), [1, 2]),
            ValueError,
            "size: must be 4 sides, one a dimension",
        ),
        (
            lambda i: ar.stateless_random_flip_left_right(i, [[1, 2]]),
            ValueError,
            r"seed: must have shape \[2\]",
        ),
        (
            lambda i: ar.stateless_random_flip_left_right(i[None], [[1, 2]] * 2),
            ValueError,
            "seed: must have shape",
        ),
        (lambda i: ar.stateless_random_rotation(i[None], 5, [1, 2]), ValueError, "seed: must have shape"),
        (lambda i: ar.stateless_random_flip_up_down(i[..., 0], [1, 2]), ValueError, "image: must have shape"),
        (lambda i: ar.stateless_random_flip_up_down(i, [1.0, 2.0]), TypeError, "seed: must hold integers"),
        (
            lambda i: ar.stateless_random_rotation(i.astype(complex), 5, [1, 2]),
            TypeError,
            "image: dtype must be",
        ),
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
