"""Levels and colours against Pillow and tf.image; a photograph and noise, a batch and one by one."""

import dataclasses
import functools
import itertools

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps

import augrng as ar
from augrng.color import channels, words
from augrng.color.levels import ONE
from tests.transforms.oracles import blurred, grey, hue_of_pillow

pytestmark = pytest.mark.usefixtures("op_by_op")

COUNT = 8
IDS = np.arange(COUNT)
SIZE = (40, 48)


@pytest.fixture(scope="module")
def images(photos):
    """Half a photograph's parts, half noise."""
    rng = np.random.default_rng(5)
    parts = [photos[n % 2][60 * n : 60 * n + 40, 90 : 90 + 48] for n in range(4)]
    return np.stack([*parts, *rng.integers(0, 256, (4, *SIZE, 3), dtype=np.uint8)])


def tf_image(name, param):
    adjust = getattr(tf.image, f"adjust_{name}")
    return lambda image, drawn: adjust(image, np.float32(drawn[param] / ONE)).numpy()


def enhanced(name, param):
    kind = getattr(ImageEnhance, name)
    return lambda image, drawn: kind(Image.fromarray(image)).enhance(drawn[param] / ONE)


def ops(name, *args):
    return lambda image, drawn: getattr(ImageOps, name)(Image.fromarray(image), *args)


ORACLES = {  # transform, what makes its pixels elsewhere, how many levels they may differ by
    "brightness": (ar.RandomBrightness(0.6), tf_image("brightness", "delta"), 0),
    "contrast": (ar.RandomContrast(0.2, 2.5), tf_image("contrast", "factor"), 1),
    "saturation": (ar.RandomSaturation(0, 4), tf_image("saturation", "factor"), 1),
    "hue": (ar.RandomHue(0.5), tf_image("hue", "delta"), 1),
    "gamma": (ar.RandomGamma(0.3, 3), tf_image("gamma", "gamma"), 1),
    "jitter, brightness": (ar.ColorJitter(brightness=0.9), enhanced("Brightness", "brightness"), 1),
    "jitter, contrast": (ar.ColorJitter(contrast=(0, 3)), enhanced("Contrast", "contrast"), 1),
    "jitter, saturation": (ar.ColorJitter(saturation=(0, 3)), enhanced("Color", "saturation"), 1),
    "jitter, hue": (ar.ColorJitter(hue=0.5), hue_of_pillow, 0),
    "grey": (ar.ToGrayscale(), grey, 0),
    "random grey": (ar.RandomGrayscale(p=1), grey, 0),
    "posterize": (ar.RandomPosterize(3, p=1), ops("posterize", 3), 0),
    "solarize": (ar.RandomSolarize(100, p=1), ops("solarize", 100), 0),
    "invert": (ar.RandomInvert(p=1), ops("invert"), 0),
    "autocontrast": (ar.RandomAutocontrast(p=1), ops("autocontrast"), 1),
    "equalize": (ar.RandomEqualize(p=1), ops("equalize"), 0),
    "smooth": (ar.RandomAdjustSharpness(0, p=1), lambda i, d: ImageEnhance.Sharpness(Image.fromarray(i)).enhance(0), 0),
    "sharpen": (ar.RandomAdjustSharpness(2.3, p=1), lambda i, d: ImageEnhance.Sharpness(Image.fromarray(i)).enhance(2.3), 1),
    "blur": (ar.GaussianBlur(7, (0.3, 4)), blurred, 1),
    "shuffle": (ar.RandomChannelShuffle(), lambda i, d: i[..., list(itertools.permutations(range(3)))[d["order"]]], 0),
}  # fmt: skip


@pytest.mark.parametrize("name", ORACLES)
def test_pixels_are_those_of_the_oracle(name, images):
    transform, oracle, most = ORACLES[name]
    aug = ar.Compose([transform], seed=3)
    out = aug(images, IDS, epoch=1).numpy()
    (drawn,) = aug.sample(IDS, 1, SIZE).values()
    for row in range(COUNT):
        expected = np.asarray(oracle(images[row], {key: value.numpy()[row] for key, value in drawn.items()}))
        assert np.abs(expected.astype(np.int64) - out[row]).max() <= most
    assert np.array_equal(aug(images[5], 5, epoch=1), out[5])
    assert (out != images).any()


def test_every_color_has_pillows_hue():
    """Each hue that bytes have, at full and at half value."""
    value, part = np.meshgrid(np.arange(1, 256), np.arange(256))
    value, part = value[part <= value], part[part <= value]
    zero = np.zeros_like(value)
    colors = np.concatenate([np.stack(order, -1) for order in itertools.permutations([value, part, zero])])
    colors = colors[: len(colors) // 300 * 300].reshape(1, -1, 300, 3).astype(np.uint8)
    run = tf.function(functools.partial(words.changed, step=channels.shift_hsv), jit_compile=True)
    for shift in (-0.5, -0.003, 0, 0.1, 0.5):
        expected = hue_of_pillow(colors[0], {"hue": shift * ONE})
        moved = run(colors, drawn=tf.constant([round(shift * ONE)], tf.int64))
        assert np.array_equal(moved[0], expected)


def test_jitter_goes_through_its_steps_in_the_drawn_order(images):
    jitter = ar.Compose([ar.ColorJitter(0.4, 0.4, 0.4, 0.1)], seed=3)
    out = jitter(images, IDS, 0).numpy()
    drawn = {key: value.numpy() for key, value in jitter.sample(IDS, 0, SIZE)["color_jitter"].items()}
    steps = [enhanced("Brightness", "brightness"), enhanced("Contrast", "contrast"), enhanced("Color", "saturation"), hue_of_pillow]  # fmt: skip
    assert len(set(drawn["order"])) > 3
    for row in range(COUNT):
        expected = images[row]
        for step in list(itertools.permutations(steps))[drawn["order"][row]]:
            expected = np.asarray(step(expected, {key: value[row] for key, value in drawn.items()}))
        # A level off before Pillow's bytes of hue are taken may be many after.
        off = np.abs(expected.astype(int) - out[row])
        assert (off > 1).mean() < 0.01
        assert off.mean() < 0.05
    for row in range(COUNT):
        assert np.array_equal(jitter(images[row], row, 0), out[row])


KEYS = [[1, 2], [-3, 2**40], [7, 7]]


@pytest.mark.parametrize(
    ("ours", "theirs", "args"),
    [
        (ar.stateless_random_brightness, tf.image.stateless_random_brightness, (0.4,)),
        (ar.stateless_random_contrast, tf.image.stateless_random_contrast, (0.3, 1.7)),
        (ar.stateless_random_saturation, tf.image.stateless_random_saturation, (0.3, 1.7)),
        (ar.stateless_random_hue, tf.image.stateless_random_hue, (0.4,)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_stateless_functions_are_tensorflows(ours, theirs, args, dtype, images):
    batch = images[2:5].astype(dtype) / (1 if dtype == "uint8" else np.float32(255))
    together = ours(batch, *args, seed=KEYS).numpy()
    for row, key in enumerate(KEYS):
        expected = theirs(batch[row], *args, seed=key).numpy().astype(np.float64)
        alone = ours(batch[row], *args, seed=key).numpy()
        assert np.abs(expected - alone).max() <= (1 if dtype == "uint8" else 1e-5)
        if dtype == "uint8":
            assert np.array_equal(together[row], alone)


TABLES = [
    ar.RandomBrightness(0.4), ar.RandomContrast(0.4, 2), ar.RandomGamma(0.5, 2), ar.RandomInvert(p=0.7),
    ar.RandomPosterize(3, p=0.7), ar.RandomSolarize(90, p=0.7), ar.RandomAutocontrast(p=0.7), ar.RandomEqualize(p=0.7),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_composed_tables_are_the_tables_one_after_the_other(dtype, images):
    """All pairs: the second sees the levels that the first made."""
    images = images[:, ::2, ::2].astype(dtype) * (1 if dtype == "uint8" else 257)
    alone = [ar.Compose([table], seed=4) for table in TABLES]
    usable = [aug for aug in alone if dtype == "uint8" or "Equalize" not in repr(aug)]
    for first, second in itertools.product(usable, repeat=2):
        kinds = [next(iter(aug.transforms.values())) for aug in (first, second)]
        if kinds[0] == kinds[1]:
            continue
        together = ar.Compose(kinds, seed=4)(images, IDS, 2).numpy()
        apart = second(first(images, IDS, 2), IDS, 2).numpy()
        assert np.array_equal(together, apart), kinds


@pytest.mark.parametrize("name", [n for n in ORACLES if n not in ("equalize",)])
def test_uint16_is_as_uint8_and_finer(name, images):
    transform = ORACLES[name][0]
    aug = ar.Compose([transform], seed=3)
    small, fine = aug(images, IDS, 1).numpy(), aug(images.astype(np.uint16) * 257, IDS, 1).numpy()
    assert fine.dtype == np.uint16
    off = np.abs(small.astype(np.float64) - fine / 257)
    # A posterized byte has its lower bits 0, a word's are 0 too; Pillow's hue has bytes alone.
    most = {"posterize": 32, "jitter, hue": 12, "smooth": 1, "solarize": 1}.get(name, 2)
    assert np.percentile(off, 99.5) <= most


@pytest.mark.parametrize("name", [n for n in ORACLES if n not in ("equalize", "posterize")])
def test_floats_are_as_uint8(name, images):
    transform = ORACLES[name][0]
    aug = ar.Compose([transform], seed=3)
    small, floats = aug(images, IDS, 1).numpy(), aug(images / np.float32(255), IDS, 1).numpy()
    off = np.abs(small.astype(np.float64) - 255 * np.clip(floats, 0, 1))
    most = {"jitter, hue": 12}.get(name, 2)
    assert np.percentile(off, 99.5) <= most


REFUSED = {
    "no color": (lambda: ar.Compose([ar.RandomBrightness(0.1)], seed=1)(np.zeros([4, 4, 2], np.uint8), 0, 0), r"RandomBrightness\(max_delta=0.1\): images must have 1 or 3 channels \(grey or RGB\), got 2"),
    "five channels": (lambda: ar.Compose([ar.ColorJitter(0.1)], seed=1)(np.zeros([4, 4, 5], np.uint8), 0, 0), r"ColorJitter\(.*\): images must have 3 channels \(RGB\), got 5"),
    "hue of grey": (lambda: ar.Compose([ar.RandomHue(0.1)], seed=1)(np.zeros([4, 4, 1], np.uint8), 0, 0), r"RandomHue.*3 channels \(RGB\), got 1"),
    "integers without a range": (lambda: ar.Compose([ar.RandomInvert()], seed=1)(np.zeros([4, 4, 3], np.int32), 0, 0), "images must be uint8, uint16 or floats, got int32"),
    "bits of floats": (lambda: ar.Compose([ar.RandomPosterize(3)], seed=1)(np.zeros([4, 4, 3], np.float32), 0, 0), "images must be uint8 or uint16, .*got float32"),
    "256 levels of uint16": (lambda: ar.Compose([ar.RandomEqualize()], seed=1)(np.zeros([4, 4, 3], np.uint16), 0, 0), "images must be uint8, got uint16"),
    "delta": (lambda: ar.RandomBrightness(-0.1), r"RandomBrightness: max_delta must be a number in \[0, 1\], got -0.1"),
    "range": (lambda: ar.RandomContrast(2, 1), "RandomContrast: lower and upper must be in order, got 2 above 1"),
    "hue": (lambda: ar.ColorJitter(hue=0.6), r"ColorJitter: hue must be a number in \[0, 0.5\], got 0.6"),
    "jitter": (lambda: ar.ColorJitter(brightness=(-1, 1)), r"brightness must be a number in \[0, 64\], got -1"),
    "bits": (lambda: ar.RandomPosterize(9), r"bits must be a number in \[1, 8\], got 9"),
    "p": (lambda: ar.RandomInvert(p=1.5), r"p must be a number in \[0, 1\], got 1.5"),
    "window": (lambda: ar.GaussianBlur(4), "kernel_size must be odd and at most 63, got 4"),
    "small image": (lambda: ar.Compose([ar.GaussianBlur(9)], seed=1)(np.zeros([4, 40, 3], np.uint8), 0, 0), r"GaussianBlur\(.*\): a side must be longer than half the window; got \(height, width\) \(4, 40\) for id 0"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_meaning_is_refused(case):
    make, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        make()


CHANCES = {
    name: transform
    for name, (transform, *_) in ORACLES.items()
    if "p" in {field.name for field in dataclasses.fields(transform)}
}


@pytest.mark.parametrize("name", CHANCES)
def test_what_was_not_drawn_changes_nothing(name, images):
    transform = dataclasses.replace(CHANCES[name], p=0.4)
    aug, always = ar.Compose([transform], seed=3), ar.Compose([CHANCES[name]], seed=3)
    (drawn,) = aug.sample(np.arange(20_000), 1, SIZE).values()
    applied = drawn["applied"].numpy()
    assert scipy.stats.binomtest(int(applied.sum()), 20_000, 0.4).pvalue > 0.01
    out, changed = aug(images, IDS, epoch=1).numpy(), always(images, IDS, epoch=1).numpy()
    assert 0 < applied[:COUNT].sum() < COUNT
    for row in range(COUNT):
        assert np.array_equal(out[row], changed[row] if applied[row] else images[row])
        assert np.array_equal(aug(images[row], row, epoch=1), out[row])
