"""Perspective and AugMix: homographies in float64, torchvision's draws, mixtures of what was made alone."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import augrng as ar
from augrng.geometry import projective
from augrng.transforms.policies import operations

pytestmark = pytest.mark.usefixtures("op_by_op")

IDS = np.arange(200)
CORNERS = ("top_left", "top_right", "bottom_right", "bottom_left")


def homography(points, images):
    """The projective map from four points to four, float64[3, 3], by least squares."""
    unit = max(1, np.max(points))  # numbers of about 1, so that the squares are of one size
    points, images = points / unit, images / unit
    rows = []
    for (x, y), (u, v) in zip(points, images, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y, -u], [0, 0, 0, x, y, 1, -v * x, -v * y, -v]]
    matrix = np.linalg.svd(np.array(rows, np.float64))[2][-1].reshape(3, 3)
    return np.diag([unit, unit, 1]) @ matrix @ np.diag([1 / unit, 1 / unit, 1])


@pytest.mark.parametrize("size", [(40, 60), (2, 3), (1500, 2000), (4000, 900)])
def test_corners_go_where_they_are_drawn_and_all_else_with_them(size):
    height, width = size
    aug = ar.Compose([ar.RandomPerspective(0.8, p=1)], seed=3)
    drawn = {key: value.numpy() for key, value in aug.sample(IDS, 0, size)["random_perspective"].items()}
    last = np.array([width - 1, height - 1])
    signs = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    moved = np.stack([np.stack([drawn[f"{corner}_{axis}"] for axis in "xy"], -1) for corner in CORNERS], 1)
    corners = np.where(signs, last - moved, moved)
    maps = projective.from_corners(tf.constant([size] * 200, tf.int64), tf.constant(corners)).numpy()
    grid = np.stack(
        np.meshgrid(np.linspace(0, width - 1, 7).round(), np.linspace(0, height - 1, 7).round()), -1
    )
    ones = np.ones((7, 7, 1))
    for row in range(0, 200, 10):
        exact = np.concatenate([grid, ones], -1) @ homography(corners[row], signs * last).T
        got = np.concatenate([2 * grid + 1, ones], -1) @ maps[row].astype(np.float64).T
        place = exact[..., :2] / exact[..., 2:]
        inside = exact[..., 2] * np.sign(exact[3, 3, 2]) > 0
        inside &= ((place >= -1) & (place <= [width, height])).all(-1)
        difference = place + 0.5 - got[..., :2] / got[..., 2:]
        assert np.abs(difference[inside]).max() < 1 / 64


def test_draws_are_torchvisions():
    aug = ar.Compose([ar.RandomPerspective(0.5, p=0.3)], seed=3)
    drawn = aug.sample(np.arange(40_000), 0, (41, 60))["random_perspective"]
    assert (
        scipy.stats.binomtest(int(tf.reduce_sum(tf.cast(drawn["applied"], tf.int64))), 40_000, 0.3).pvalue
        > 0.01
    )
    for corner in CORNERS:
        for axis, most in (("x", 15), ("y", 10)):
            counts = np.bincount(drawn[f"{corner}_{axis}"], minlength=most + 1)
            assert len(counts) == most + 1
            assert scipy.stats.chisquare(counts).pvalue > 0.005


def test_pixels_are_those_of_float64(rng):
    """A smooth picture, read between its pixels."""
    y, x = np.mgrid[:48, :64]
    smooth = 120 + 60 * np.sin(x / 9) + 50 * np.cos(y / 7)
    image = np.repeat(np.rint(smooth)[..., None], 3, -1).astype(np.uint8)
    aug = ar.Compose([ar.RandomPerspective(0.4, p=1, fill_value=7)], seed=3)
    out = aug(np.stack([image] * 6), np.arange(6), 0).numpy()
    drawn = {
        key: value.numpy()
        for key, value in aug.sample(np.arange(6), 0, (48, 64))["random_perspective"].items()
    }
    for row in range(6):
        moved = np.array([[drawn[f"{corner}_{axis}"][row] for axis in "xy"] for corner in CORNERS])
        signs, last = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]), np.array([63, 47])
        matrix = homography(np.where(signs, last - moved, moved), signs * last)
        source = np.stack([x, y, np.ones_like(x)], -1) @ matrix.T
        u, v = source[..., 0] / source[..., 2], source[..., 1] / source[..., 2]
        inside = (u > 0) & (u < 63) & (v > 0) & (v < 47)
        expected = 120 + 60 * np.sin(u / 9) + 50 * np.cos(v / 7)
        assert np.abs(out[row][inside] - expected[inside][:, None]).max() < 2.5
        outside = (u < -1.5) | (u > 64.5) | (v < -1.5) | (v > 48.5)
        assert (out[row][outside] == 7).all()
        assert np.array_equal(aug(image, row, 0), out[row])


def test_it_is_one_map_with_those_beside_it(rng):
    """A smooth picture through perspective, rotation and crop, by their float64 matrices."""
    y, x = np.mgrid[:48, :64]
    image = np.repeat(np.rint(120 + 60 * np.sin(x / 9) + 50 * np.cos(y / 7))[..., None], 3, -1).astype(
        np.uint8
    )
    transforms = [ar.RandomPerspective(0.4), ar.RandomRotation(40), ar.RandomCrop(40, 50)]
    aug = ar.Compose(transforms, seed=3)
    out = aug(np.stack([image] * 12), np.arange(12), 0).numpy()
    params = aug.sample(np.arange(12), 0, (48, 64))
    drawn = {key: value.numpy() for key, value in params["random_perspective"].items()}
    turn = params["random_rotation"]["angle"].numpy() / 2**32 * 2 * np.pi
    top, left = (params["random_crop"][key].numpy() for key in ("top", "left"))
    signs, last = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]), np.array([63, 47])
    assert set(drawn["applied"]) == {True, False}
    for row in range(12):
        moved = np.array([[drawn[f"{corner}_{axis}"][row] for axis in "xy"] for corner in CORNERS])
        seen = homography(np.where(signs, last - moved, moved), signs * last)
        seen = seen if drawn["applied"][row] else np.eye(3)
        cos, sin = np.cos(turn[row]), np.sin(turn[row])
        u, v = x[:40, :50] + left[row] - 31.5, y[:40, :50] + top[row] - 23.5
        turned = np.stack([cos * u - sin * v + 31.5, sin * u + cos * v + 23.5, np.ones_like(u)], -1)
        source = turned @ seen.T
        u, v = source[..., 0] / source[..., 2], source[..., 1] / source[..., 2]
        inside = (u > 0) & (u < 63) & (v > 0) & (v < 47)
        expected = 120 + 60 * np.sin(u / 9) + 50 * np.cos(v / 7)
        # One sample errs by less than 2.5 levels, rounding included; two would blur twice.
        assert np.abs(out[row][inside] - expected[inside][:, None]).max() < 2.5
        assert (out[row][(u < -1.5) | (u > 64.5) | (v < -1.5) | (v > 48.5)] == 0).all()
        assert np.array_equal(aug(image, row, 0), out[row])


def test_a_map_that_asks_for_something_else_is_sampled_by_itself(rng):
    """What reduces, or fills another way, gives what it gives after the perspective alone."""
    images, ids = rng.integers(0, 256, (4, 40, 60, 3)).astype(np.uint8), np.arange(4)
    for other in (ar.Resize(20, 20), ar.RandomRotation(20, fill_mode="reflect")):
        both = ar.Compose([ar.RandomPerspective(0.4, p=1), other], seed=3)
        names = list(both.transforms)
        params = both.sample(ids, 0, (40, 60))
        first = ar.Compose([ar.RandomPerspective(0.4, p=1)], seed=3)
        second = ar.Compose([other], seed=3)
        alone = second.apply(first.apply(images, {names[0]: params[names[0]]}), {names[1]: params[names[1]]})
        assert np.array_equal(both(images, ids, 0), alone)


def test_whole_pixels_move_exactly_beside_it(rng):
    """Where no perspective was drawn, what is mirrored and cut is what it is alone."""
    images, ids = rng.integers(0, 256, (16, 33, 47, 3)).astype(np.uint8), np.arange(16)
    aug = ar.Compose(
        [ar.RandomPerspective(0.3), ar.RandomFlip("horizontal_and_vertical"), ar.RandomCrop(20, 30)], seed=1
    )
    params = aug.sample(ids, 0, (33, 47))
    still = ~params["random_perspective"]["applied"].numpy()
    alone = ar.Compose([ar.RandomFlip("horizontal_and_vertical"), ar.RandomCrop(20, 30)], seed=1)
    assert 4 < still.sum() < 12
    assert np.array_equal(aug(images, ids, 0)[still], alone(images, ids, 0)[still])


def test_augmix_is_the_mean_of_its_chains(photos):
    image = photos[0][100:148, 200:264]
    mix = ar.AugMix(width=2, name="mix")
    aug = ar.Compose([mix], seed=3)
    ids = np.arange(6)
    out, drawn = aug(np.stack([image] * 6), ids, 0).numpy(), aug.sample(ids, 0, (48, 64))["mix"]
    drawn = {key: value.numpy() for key, value in drawn.items()}
    assert np.array_equal(drawn["weight_0"] + drawn["weight_1"] + drawn["weight_2"], np.full(6, 2**24))
    apart = ar.Compose([ar.AugMix(width=1, name="mix")], seed=1)
    for row in range(6):
        total = drawn["weight_0"][row] / 2**24 * image
        for chain in range(2):
            alone = {
                f"{kind}_{step}": drawn[f"{kind}_{3 * chain + step}"][row]
                for kind in ("operation", "bin", "negative")
                for step in range(3)
            }
            alone |= {"weight_0": np.int64(0), "weight_1": np.int64(2**24)}
            total = (
                total + drawn[f"weight_{chain + 1}"][row] / 2**24 * apart.apply(image, {"mix": alone}).numpy()
            )
        assert np.abs(total - out[row]).max() <= 0.51
        assert np.array_equal(aug(image, row, 0), out[row])


def test_augmix_draws_what_the_paper_says():
    many = np.arange(30_000)
    drawn = ar.Compose([ar.AugMix()], seed=3).sample(many, 0, (48, 64))["aug_mix"]
    weights = np.stack([drawn[f"weight_{n}"].numpy() for n in range(4)]) / 2**24
    assert scipy.stats.kstest(weights[0], scipy.stats.uniform().cdf).pvalue > 0.01
    # Of a uniform share-out among three, each share is Beta(1, 2).
    for chain in (1, 2, 3):
        shares = weights[chain] / np.maximum(1 - weights[0], 1e-9)
        assert scipy.stats.kstest(shares[weights[0] < 0.99], scipy.stats.beta(1, 2).cdf).pvalue > 0.005
    depth = sum((drawn[f"operation_{step}"].numpy() > 0).astype(int) for step in range(3))
    assert scipy.stats.chisquare(np.bincount(depth)[1:]).pvalue > 0.01
    first = np.bincount(drawn["operation_0"], minlength=len(operations.OPERATIONS))
    assert scipy.stats.chisquare(first[1:14]).pvalue > 0.01
    assert first[0] == first[14] == 0
    assert set(drawn["bin_4"].numpy()) == {0, 1, 2}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ar.RandomPerspective(1), "RandomPerspective: distortion_scale must be a number in"),
        (lambda: ar.RandomPerspective(0.5, p=-1), r"RandomPerspective: p must be a number in \[0, 1\]"),
        (lambda: ar.RandomPerspective(fill_mode="none"), "fill_mode: must be one of"),
        (lambda: ar.AugMix(severity=11), r"AugMix: severity must be a number in \[1, 10\], got 11"),
        (lambda: ar.AugMix(depth=0), "AugMix: depth must be an integer of at least 1, got 0"),
        (lambda: ar.Compose([ar.AugMix()], seed=1)(np.zeros([9, 9, 3], np.float32), 0, 0), "images must be uint8, got float32"),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
