"""Erasing and noise: torchvision's distribution in NumPy, places that decide, normal numbers by SciPy."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import augrng as ar
from augrng.color import noise

pytestmark = pytest.mark.usefixtures("op_by_op")

MANY = np.arange(4000)


def test_rectangles_are_torchvisions():
    """Proposals in float64 from the words that the docstring names."""
    aug = ar.Compose([ar.RandomErasing(0.6, (0.02, 0.4), (0.3, 3.3))], seed=5)
    size = np.array([20, 60])
    words = ar.bits(aug.keys(MANY[:500], 2)["random_erasing"], 27).numpy().astype(np.int64)
    drawn = {key: value.numpy() for key, value in aug.sample(MANY[:500], 2, size)["random_erasing"].items()}
    u = (words & 0x7FFFFF) / 2**23
    for row in range(500):
        expected = (0, 0, 0, 0)
        for k in range(10):
            area = size.prod() * (0.02 + u[row, 1 + 2 * k] * 0.38)
            # Drawn as width over height, from the largest on; the logarithm's law is the same.
            ratio = np.exp(np.log(3.3) - u[row, 2 + 2 * k] * (np.log(3.3) - np.log(0.3)))
            window = np.rint([np.sqrt(area * ratio), np.sqrt(area / ratio)]).astype(int)
            if (window < size).all():
                place = words[row, 21:23] % 2147483647 % (size - window + 1)
                expected = (*place, *window)
                break
        expected = expected if u[row, 0] < 0.6 else (0, 0, 0, 0)
        assert tuple(drawn[name][row] for name in ("top", "left", "height", "width")) == expected
    assert 0.3 < (drawn["height"] > 0).mean() < 0.7


def test_what_is_covered_is_the_rectangle_alone(rng):
    images = rng.integers(1, 255, (6, 20, 30, 3), dtype=np.uint8)
    aug = ar.Compose([ar.RandomErasing(p=1, value=(7, 8, 9))], seed=5)
    out = aug(images, np.arange(6), 0).numpy()
    drawn = {
        key: value.numpy() for key, value in aug.sample(np.arange(6), 0, (20, 30))["random_erasing"].items()
    }
    for row in range(6):
        top, left, height, width = (drawn[name][row] for name in ("top", "left", "height", "width"))
        expected = images[row].copy()
        expected[top : top + height, left : left + width] = (7, 8, 9)
        assert np.array_equal(out[row], expected)


def test_cutout_and_grid_are_what_their_papers_say(rng):
    images = np.full([5, 24, 20, 3], 200, np.uint8)
    cut = ar.Compose([ar.Cutout(6, holes=2)], seed=5)
    out, drawn = cut(images, np.arange(5), 0).numpy(), cut.sample(np.arange(5), 0, (24, 20))["cutout"]
    for row in range(5):
        expected = images[row].copy()
        for hole in range(2):
            y, x = (int(drawn[f"{axis}_{hole}"][row]) for axis in "yx")
            expected[max(y - 3, 0) : max(y + 3, 0), max(x - 3, 0) : max(x + 3, 0)] = 0
        assert np.array_equal(out[row], expected)
    grid = ar.Compose([ar.GridMask((4, 9), ratio=0.6, p=1)], seed=5)
    out, drawn = grid(images, np.arange(5), 0).numpy(), grid.sample(np.arange(5), 0, (24, 20))["grid_mask"]
    for row in range(5):
        period, top, left = (int(drawn[name][row]) for name in ("period", "top", "left"))
        stays = int(np.floor(period * 0.6 + 0.5))
        y, x = np.arange(24)[:, None], np.arange(20)
        covered = ((y + top) % period >= stays) & ((x + left) % period >= stays)
        assert np.array_equal(out[row], np.where(covered[..., None], 0, images[row]))
    periods = grid.sample(MANY, 0, (24, 20))["grid_mask"]["period"].numpy()
    assert scipy.stats.chisquare(np.bincount(periods, minlength=10)[4:]).pvalue > 0.01


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_noise_belongs_to_the_place(dtype, rng):
    images = (rng.random((6, 9, 7, 3)) * (1 if dtype == "float32" else 250)).astype(dtype)
    for transform in (ar.GaussianNoise(0.1), ar.RandomErasing(p=1, value="random")):
        aug = ar.Compose([transform], seed=5)
        together = aug(images, np.arange(6), 0).numpy()
        for row in (0, 5):
            assert np.array_equal(aug(images[row], row, 0), together[row])
        assert not np.array_equal(aug(images, np.arange(6), 1), together)
    drawn = next(iter(aug.sample(np.arange(6), 0, (9, 7)).values()))
    key = np.stack([drawn["noise_0"], drawn["noise_1"]], -1)
    words = tf.random.stateless_uniform([9, 7, 3], key[2], None, None, tf.uint32, alg="philox").numpy()
    levels = (
        (words & 0x7FFFFF) / np.float32(2**23)
        if dtype == "float32"
        else words >> (32 - 8 * np.dtype(dtype).itemsize)
    )
    top, left, height, width = (int(drawn[name][2]) for name in ("top", "left", "height", "width"))
    place = np.s_[top : top + height, left : left + width]
    assert np.array_equal(together[2][place], levels[place].astype(dtype))


def test_numbers_are_the_inverse_of_the_normal_distribution():
    near = np.concatenate([2**k + np.arange(-3, 4) for k in range(3, 31)])
    shares = np.unique(
        np.concatenate([np.arange(64), near, np.random.default_rng(1).integers(0, 2**31, 20_000)])
    )
    shares = shares[shares < 2**31]
    got = noise.normal(tf.constant(shares, tf.uint32)).numpy() / 2**16
    assert np.abs(got - scipy.stats.norm.isf((shares + 0.5) / 2**32)).max() < 1e-3
    assert np.array_equal(noise.normal(tf.constant(shares + 2**31, tf.uint32)).numpy() / 2**16, -got)


def test_noise_is_normal():
    grey = np.full([1, 200, 300, 1], 30_000, np.uint16)
    noise_ = ar.Compose([ar.GaussianNoise(0.05, mean=0.01)], seed=5)(grey, [3], 0).numpy().ravel() / 65535
    assert scipy.stats.kstest(noise_, scipy.stats.norm(30_000 / 65535 + 0.01, 0.05).cdf).pvalue > 0.01


def test_bad_arguments_are_named():
    for make, message in (
        (lambda: ar.RandomErasing(scale=(0.5, 0.1)), r"RandomErasing: scale must be \(low, high\)"),
        (lambda: ar.RandomErasing(value="noise"), 'RandomErasing: value must be a number, one a channel, or "random"'),
        (lambda: ar.Cutout(0), "Cutout: length must be an integer of at least 1, got 0"),
        (lambda: ar.GridMask((1, 4)), "GridMask: period must be"),
        (lambda: ar.GaussianNoise(2), r"GaussianNoise: sigma must be a number in \[0, 1\], got 2"),
        (lambda: ar.Compose([ar.Cutout(2, value=300)], seed=1)(np.zeros([4, 4, 3], np.uint8), 0, 0), "fill_value: must be whole and lie in"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            make()
