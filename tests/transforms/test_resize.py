"""Changes of scale: torchvision's distribution, TensorFlow's resize, means of pixels."""

import math

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from PIL import Image

import augrng as ar

pytestmark = pytest.mark.usefixtures("op_by_op")

N = 20_000


def torchvisions_windows(rng, height, width, scale, ratio, count):
    """The published algorithm of torchvision's RandomResizedCrop.get_params, in NumPy."""
    windows = []
    for _ in range(count):
        for _ in range(10):
            area = height * width * rng.uniform(*scale)
            aspect = math.exp(rng.uniform(math.log(ratio[0]), math.log(ratio[1])))
            w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if 0 < w <= width and 0 < h <= height:
                windows.append((rng.integers(0, height - h + 1), rng.integers(0, width - w + 1), h, w))
                break
        else:
            w, h = width, height
            if width / height < min(ratio):
                h = round(width / min(ratio))
            elif width / height > max(ratio):
                w = round(height * max(ratio))
            windows.append(((height - h) // 2, (width - w) // 2, h, w))
    return np.array(windows)


@pytest.mark.parametrize(
    ("size", "scale", "ratio"),
    [
        ((375, 500), (0.08, 1.0), (3 / 4, 4 / 3)),
        ((64, 64), (0.5, 1.0), (3 / 4, 4 / 3)),
        ((100, 900), (0.3, 1.0), (3 / 4, 4 / 3)),  # mostly the fallback, wide
        ((900, 100), (0.3, 1.0), (3 / 4, 4 / 3)),  # mostly the fallback, tall
        ((40, 300), (0.9, 1.0), (1.0, 1.0)),  # always the fallback
        ((224, 224), (0.2, 0.2), (0.5, 2.0)),
    ],
)
def test_windows_are_distributed_as_torchvisions(rng, size, scale, ratio):
    aug = ar.Compose([ar.RandomResizedCrop(8, 8, scale=scale, ratio=ratio)], seed=3)
    params = aug.sample(np.arange(N), 0, size)["random_resized_crop"]
    ours = np.stack([params[name].numpy() for name in ("top", "left", "height", "width")], -1)
    theirs = torchvisions_windows(rng, *size, scale, ratio, N)
    assert (ours[:, :2] >= 0).all()
    assert (ours[:, :2] + ours[:, 2:] <= size).all()
    features = [
        lambda v: v[:, 2] * v[:, 3],
        lambda v: v[:, 3] / v[:, 2],
        lambda v: v[:, 0],
        lambda v: v[:, 1],
        lambda v: v[:, 0] / np.maximum(1, size[0] - v[:, 2]),
        lambda v: v[:, 1] / np.maximum(1, size[1] - v[:, 3]),
    ]
    for feature in features:
        assert scipy.stats.ks_2samp(feature(ours), feature(theirs)).pvalue > 0.001


def test_the_fallback_is_torchvisions(rng):
    for size in [(10, 97), (97, 10), (1, 1), (1, 50), (50, 1), (7, 9)]:
        aug = ar.Compose([ar.RandomResizedCrop(8, 8, scale=(1, 1), ratio=(1.3, 1.3))], seed=3)
        ours = [int(v) for v in aug.sample(5, 0, size)["random_resized_crop"].values()]
        expected = torchvisions_windows(rng, *size, (1, 1), (1.3, 1.3), 1)[0]
        assert ours == [max(1, v) if place > 1 else v for place, v in enumerate(expected)]


@pytest.mark.parametrize(
    "ratio", [(0.8, 1.25), (3 / 4, 4 / 3), (1.6, 2.5), (0.4, 0.625), (1.1, 1.3), (0.3, 0.7)]
)
def test_the_fallback_rounds_halves_as_torchvision(ratio):
    """torchvision's get_params where no proposal fits, in Python, for sides at which halves occur and others."""
    crop = ar.RandomResizedCrop(8, 8, ratio=ratio)
    sides = [*range(1, 120), 997, 4094, 16382, 16384]
    sizes = np.array(
        [(a, b) for a in sides for b in (1, 2, 7, 3000, 16384)]
        + [(b, a) for a in sides for b in (1, 3000, 16384)]
    )
    expected = []
    for height, width in sizes.tolist():
        h, w = height, width
        if width / height < min(ratio):
            h = round(width / min(ratio))
        elif width / height > max(ratio):
            w = round(height * max(ratio))
        expected.append((max(h, 1), max(w, 1)))
    assert np.array_equal(crop._fallback(tf.constant(sizes, tf.int64)), expected)


@pytest.mark.parametrize("size", [(1, 1), (16384, 16384), (1, 16384), (3, 7)])
def test_extreme_sizes_give_windows_inside(size):
    aug = ar.Compose([ar.RandomResizedCrop(8, 8, scale=(0.0, 1.0), ratio=(1 / 64, 64))], seed=3)
    top, left, height, width = (
        v.numpy() for v in aug.sample(np.arange(2000), 0, size)["random_resized_crop"].values()
    )
    assert (height >= 1).all()
    assert (width >= 1).all()
    assert ((top >= 0) & (top + height <= size[0])).all()
    assert ((left >= 0) & (left + width <= size[1])).all()


@pytest.mark.parametrize("target", [(300, 500), (427, 640), (800, 1100), (250, 600)])
def test_resize_is_tensorflows(photos, target):
    photo = photos[0]
    transform = ar.Resize(*target, fill_mode="nearest", antialias=False)
    out = ar.Compose([transform])(photo, 0, 0).numpy().astype(float)
    exact = tf.image.resize(tf.cast(photo, tf.float64), target, method="bilinear", antialias=False).numpy()
    error = np.abs(out - np.floor(exact + 0.5))
    assert error.max() <= 1
    assert (error > 0).mean() <= 0.005


@pytest.mark.parametrize(
    ("size", "expected"), [((427, 640), (50, 74)), ((640, 427), (74, 50)), ((9, 9), (50, 50))]
)
def test_resize_of_the_shorter_side(size, expected):
    image = np.zeros((*size, 3), np.uint8)
    assert ar.Compose([ar.Resize(50)])(image, 0, 0).shape == (*expected, 3)


def test_evaluation_recipe_on_images_of_unknown_size(photos):
    aug = ar.Compose([ar.Resize(120), ar.CenterCrop(100, 100)])
    spec = tf.TensorSpec([None, None, 3], tf.uint8)
    images = [photos[0], photos[1][:200, :130]]
    dataset = tf.data.Dataset.from_generator(lambda: iter(images), output_signature=spec)
    for image, got in zip(images, dataset.map(lambda image: aug(image, 0, 0)), strict=True):
        assert np.array_equal(got, aug(image, 0, 0))


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_a_reduction_is_close_to_an_antialiased_one(photos, factor):
    """Pillow's box filter at whole factors is the mean of pixels; its bilinear filter at others."""
    photo = photos[1][:424, :640]
    target = (424 // factor, 640 // factor)
    out = ar.Compose([ar.Resize(*target, fill_mode="nearest")])(photo, 0, 0).numpy().astype(int)
    box = np.asarray(Image.fromarray(photo).resize(target[::-1], Image.Resampling.BOX)).astype(int)
    assert np.abs(out - box).max() <= 1
    uneven = (round(target[0] * 0.8), round(target[1] * 0.8))
    smooth = np.asarray(Image.fromarray(photo).resize(uneven[::-1], Image.Resampling.BILINEAR)).astype(int)
    reduced = ar.Compose([ar.Resize(*uneven, fill_mode="nearest")])(photo, 0, 0).numpy().astype(int)
    aliased = (
        ar.Compose([ar.Resize(*uneven, fill_mode="nearest", antialias=False)])(photo, 0, 0)
        .numpy()
        .astype(int)
    )
    assert np.abs(reduced - smooth).mean() < 3
    assert np.abs(reduced - smooth).mean() < np.abs(aliased - smooth).mean()


@pytest.mark.parametrize("size", [(427, 640), (427, 200), (60, 81), (9, 7)])
def test_exact_is_pillows_antialiased_bilinear(photos, size):
    """Enlarged and reduced, whole and a window of it, in a batch and alone."""
    image = np.ascontiguousarray(photos[0][: size[0], : size[1]])
    for target in [(32, 48), (64, 90)]:
        aug = ar.Compose([ar.Resize(*target, antialias="exact"), ar.CenterCrop(30, 40)])
        whole = Image.fromarray(image).resize(target[::-1], Image.Resampling.BILINEAR)
        top, left = (target[0] - 30) // 2, (target[1] - 40) // 2
        expected = np.asarray(whole).astype(int)[top : top + 30, left : left + 40]
        out = aug(image, 0, 0).numpy()
        assert np.abs(out - expected).max() <= 1
        assert np.array_equal(aug(np.stack([image, image]), [0, 1], 0)[1], out)


@pytest.mark.parametrize("dtype", ["uint16", "int32", "float32", "float64"])
def test_exact_keeps_dtypes_and_does_not_spread_what_is_not_finite(rng, dtype):
    image = rng.integers(0, 60_000, (50, 70, 5)).astype(dtype)
    aug = ar.Compose([ar.RandomFlip(p=1), ar.Resize(20, 31, antialias="exact")], seed=1)
    channels = [Image.fromarray(c.astype(np.float32)) for c in np.moveaxis(image[:, ::-1], -1, 0)]
    expected = np.stack([np.asarray(c.resize((31, 20), Image.Resampling.BILINEAR)) for c in channels], -1)
    bound = {"uint16": 1.5, "int32": 500}.get(dtype, 0.1)  # int32 keeps weights of 8 bits
    assert np.abs(aug(image, 0, 0).numpy() - expected).max() <= bound
    one = np.full((50, 70, 2), 12_345, dtype)
    assert np.allclose(aug(one, 0, 0), 12_345, rtol=1e-6 if dtype.startswith("float") else 0, atol=0)
    if dtype == "float32":
        image[:, 60:] = np.nan  # mirrored: the first columns
        out = aug(image, 0, 0).numpy()
        assert np.isnan(out[:, 0]).all()
        assert not np.isnan(out[:, 8:]).any()


def test_exact_borders_and_what_it_is_refused_with(rng):
    image = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
    padded = ar.Compose([ar.Resize(20, antialias="exact"), ar.CenterCrop(24, 24, pad_if_needed=True)])
    out = padded(image, 0, 0).numpy()
    assert not out[:2].any()
    assert not out[:, 22:].any()
    assert np.array_equal(out[2:22, 2:22], ar.Compose([ar.Resize(20, antialias="exact")])(image, 0, 0))
    with pytest.raises(ValueError, match='antialias: "exact" must stand in a recipe that turns nothing'):
        ar.Compose([ar.Resize(20, antialias="exact"), ar.RandomRotation(3)])
    with pytest.raises(ValueError, match='antialias must be True, False or "exact"'):
        ar.Resize(20, antialias="cubic")


def test_evaluation_reads_exactly_unless_told_otherwise():
    aug = ar.Compose([ar.RandomResizedCrop(224, 224), ar.RandomFlip()], seed=1)
    (resize, _) = aug.evaluation().transforms.values()
    assert resize == ar.Resize(256, antialias="exact")
    assert next(iter(aug.evaluation(antialias=True).transforms.values())) == ar.Resize(256)
    plain = ar.Compose([ar.RandomResizedCrop(224, 224, antialias=False)], seed=1)
    assert next(iter(plain.evaluation().transforms.values())) == ar.Resize(256, antialias=False)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ar.RandomResizedCrop(0, 5), "RandomResizedCrop: height must be an integer of at least 1"),
        (lambda: ar.RandomResizedCrop(5, 5, scale=(0.5, 0.2)), "scale must be"),
        (lambda: ar.RandomResizedCrop(5, 5, scale=(0, 1.5)), "scale must be"),
        (lambda: ar.RandomResizedCrop(5, 5, scale=(0, 0)), "scale must be"),
        (lambda: ar.RandomResizedCrop(5, 5, ratio=(0.001, 1)), "ratio must be"),
        (lambda: ar.RandomResizedCrop(5, 5, ratio=0.5), "ratio must be"),
        (lambda: ar.Resize(0), "Resize: height must be an integer of at least 1"),
        (lambda: ar.Resize(5, 0), "Resize: width must be an integer of at least 1"),
    ],
)
def test_bad_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
