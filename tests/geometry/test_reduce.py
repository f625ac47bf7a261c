"""Reductions against Pillow's antialiased filter, and cells against means in float64."""

import math

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import augrng as ar
from augrng import fixed
from augrng.geometry import affine, reduce
from augrng.geometry.sampling import Sampling
from augrng.geometry.warp import warp
from pipelines.sources.digits import photo_paths

FACTORS = [1.2, 1.4, 1.5, 1.6, 1.7, 1.9, 2, 2.5, 2.9, 3, 3.5, 3.9, 4, 5, 5.8, 6, 7.5, 8, 12]


def of_any_size(aug):
    """The recipe for images of unknown size: nothing is compiled for each."""
    spec = tf.TensorSpec([None, None, 3], tf.uint8)
    return tf.function(lambda image: aug(image, 0, 0), input_signature=[spec])


def pillows(image, height, width):
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))


def psnr(ours, theirs):
    return 10 * math.log10(255**2 / np.mean((np.asarray(ours, float) - theirs) ** 2))


def resized(image, height, width):
    """What `Resize` does, op by op: each size would compile a program."""
    size = tf.constant([image.shape[:2]], tf.int64)
    maps = affine.resize(size, height, width)
    levels = reduce.levels(maps, size)
    cells = reduce.pick(tf.constant(image), levels[0])
    pixels, sides = tf.reshape(cells, [1, -1, 3]), tf.shape(cells, tf.int64)[None, :2]
    maps, borders = reduce.scale(maps, levels), reduce.borders(size, levels)
    return warp(pixels, sides, maps, height, width, Sampling(), borders=borders)[0].numpy()


@pytest.mark.parametrize(("photo", "at_least"), [(0, 31), (1, 36)])
def test_every_factor_is_close_to_pillows_filter(photo, at_least):
    image = np.asarray(Image.open(photo_paths()[photo]))
    image = image[:420, :420] if photo else image
    found = {}
    for factor in FACTORS:
        height, width = (round(side / factor) for side in image.shape[:2])
        out = resized(image, height, width)
        found[factor] = round(psnr(out, pillows(image, height, width)), 1)
        if factor in (1.2, 3.5):
            assert np.array_equal(out, ar.Compose([ar.Resize(height, width)])(image, 0, 0))
    assert min(found.values()) >= at_least, found


@pytest.mark.parametrize("size", [(64, 1024), (1024, 64), (2048, 2048), (300, 64), (64, 64 * 37)])
def test_noise_is_smoothed_along_each_axis_by_its_own_factor(rng, size):
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    ours = ar.Compose([ar.Resize(64, 64)])(image, 0, 0).numpy()
    assert ours.std() <= 1.6 * pillows(image, 64, 64).std()
    alone = ar.Compose([ar.Resize(64, 64)])(np.stack([image, image]), [0, 0], 0).numpy()
    assert np.array_equal(alone[1], ours)


def test_stripes_do_not_vanish():
    image = np.zeros((64, 1024, 1), np.uint8)
    image[:, 5::16] = 240
    out = ar.Compose([ar.Resize(64, 64)])(image, 0, 0).numpy()
    assert (out == 240 // 16).all()


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_nearest_never_makes_a_value(rng, interpolation):
    mask = rng.choice(np.array([0, 200], np.uint8), (2, 97, 130, 1))
    for transform in (
        ar.Resize(16, 16, interpolation=interpolation),
        ar.RandomResizedCrop(16, 16, scale=(0.5, 1), interpolation=interpolation),
    ):
        out = ar.Compose([transform], seed=1)(mask, [1, 2], 0)
        assert set(np.unique(out)) <= {0, 200} or interpolation == "bilinear"
        assert len(np.unique(out)) == 2 or interpolation == "bilinear"


def means(image, y, x):
    """Means over cells of 2**y by 2**x pixels, what hangs over mirrored, in float64."""
    rows, columns = (-image.shape[axis] % 2**level for axis, level in ((0, y), (1, x)))
    whole = np.pad(image.astype(np.float64), ((0, rows), (0, columns), (0, 0)), mode="symmetric")
    cells = whole.reshape(whole.shape[0] >> y, 1 << y, whole.shape[1] >> x, 1 << x, image.shape[2])
    return cells.mean((1, 3))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float32", "float64", "bfloat16"])
@pytest.mark.parametrize("size", [(16, 24), (13, 21), (1, 5)])
def test_cells_are_means_of_pixels(rng, dtype, size):
    top = {"uint8": 255, "bfloat16": 255}.get(dtype, 30_000)
    low = -top if dtype in ("int16", "int32", "float32") else 0
    images = tf.cast(rng.integers(low, top + 1, (2, *size, 3)), dtype)
    among = reduce.Range((0, 1), (3, 4))
    built = tf.cast(reduce.build(images, among), tf.float64).numpy()
    values = tf.cast(images, tf.float64).numpy()
    sizes = tf.constant([size, size], tf.int64)
    for y, x in among.pairs():
        levels = tf.constant([[y, x]] * 2, tf.int64)
        height, width = reduce.cells(sizes, levels)[0].numpy()
        start = int(reduce.offsets(sizes, levels, among)[0])
        cells = built[:, start : start + height * width].reshape(2, height, width, 3)
        for image, got, exact in zip(images, cells, (means(v, y, x) for v in values), strict=True):
            expected = np.floor(exact + 0.5) if images.dtype.is_integer else exact
            assert np.allclose(got, expected, rtol=2.0**-7 if dtype == "bfloat16" else 1e-6, atol=1e-2)
            picked = tf.cast(reduce.pick(image, levels[0]), tf.float64)
            assert np.array_equal(picked, got) or not images.dtype.is_integer
            assert np.allclose(picked, got, rtol=2.0**-7 if dtype == "bfloat16" else 1e-6, atol=1e-2)
    assert start + height * width == built.shape[1]


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", [(37, 50), (36, 51), (1, 7), (7, 1), (2, 2)])
def test_bytes_are_halved_along_one_axis(rng, size, channels):
    image = tf.constant(rng.integers(0, 256, (*size, channels)), tf.uint8)
    for levels in ((1, 0), (0, 1)):
        picked = reduce.pick(image, tf.constant(levels, tf.int64))
        assert np.array_equal(picked, np.floor(means(image.numpy().astype(float), *levels) + 0.5))


def test_levels_follow_the_scale_of_each_axis():
    def found(matrix, size=(9999, 9999)):
        # Rounded up, so that a step of just 0.8 * 2**k is not lost to rounding.
        map_ = np.zeros((1, 2, 3))
        map_[0, :, :2] = matrix
        map_ = tf.constant(np.round(map_ * (1 + 1e-4) * fixed.ONE).astype(np.int64))
        return tuple(reduce.levels(map_, tf.constant([size], tf.int64))[0].numpy())

    for step, level in [(0.5, 0), (1.59, 0), (1.6, 1), (3.19, 1), (3.2, 2), (6.4, 3), (12.8, 4), (5000, 12)]:
        assert found([[step, 0], [0, 1]]) == (0, level)
        assert found([[0, 1], [step, 0]]) == (level, 0)
        for angle in (0.3, 1.2):  # turned afterwards, in the output
            c, s = math.cos(angle), math.sin(angle)
            assert found([[step * c, -step * s], [s, c]]) == (0, level)
            assert found([[step * c, -step * s], [step * s, step * c]]) == (level, level)
    assert found([[100, 0], [0, 100]], size=(5, 1)) == (3, 0)  # one cell covers the side
    assert found([[0, 0], [0, 0]]) == (0, 0)
    # Turned before it is squeezed: no cell is longer than what the output keeps apart.
    c, s = math.cos(0.5), math.sin(0.5)
    y, x = found([[16 * c, -s], [16 * s, c]])
    assert 2**x <= 1 / s
    assert 2**y <= 1 / c * 1.25


@pytest.mark.parametrize("turn", [ar.RandomFlip(), ar.RandomRotation(180), ar.RandomQuarterTurn()])
def test_a_batch_gives_what_one_image_gives(rng, turn):
    """The levels that a batch is built for are those that its maps ask for."""
    images = rng.integers(0, 256, (16, 61, 223, 3), dtype=np.uint8)
    aug = ar.Compose([ar.RandomResizedCrop(9, 9, ratio=(0.3, 3)), turn], seed=3)
    ids = np.arange(16)
    spec = tf.TensorSpec([None, None, None, 3], tf.uint8)
    alone = tf.function(lambda images: aug(images, ids, 0), input_signature=[spec])(images)
    assert np.array_equal(aug(images, ids, 0), alone)
