"""Zoom, translation, shear, affine, padding: float64 matrices of what the docstrings say, and torchvision's."""

import numpy as np
import pytest
import scipy.stats

import augrng as ar
from augrng.chain import chain_of
from tests.transforms.moving import float_matrix

pytestmark = pytest.mark.usefixtures("op_by_op")

IDS = np.arange(200)
SIZE = (40, 60)
ONE = 2.0**24


def maps_and_params(transform):
    """What is drawn for IDS, and the maps in pixels, float64[200, 2, 3]."""
    aug = ar.Compose([transform], seed=6)
    (params,) = aug.sample(IDS, 1, SIZE).values()
    sizes = np.tile(np.array(SIZE), [len(IDS), 1])
    return {key: value.numpy() for key, value in params.items()}, chain_of([transform]).work(
        [params], sizes
    ).map.numpy() / ONE


def matrix_of(transform, drawn, row):
    mine = {name: values[row] for name, values in drawn.items()}
    return float_matrix(transform, mine, SIZE)[:2]


def test_zoom_is_about_the_centre():
    zoom = ar.RandomZoom((-0.5, 0.25), (0.1, 0.2))
    drawn, maps = maps_and_params(zoom)
    for row in range(200):
        assert -0.5 <= drawn["height"][row] / ONE - 1 <= 0.25
        assert 0.1 - 1e-6 <= drawn["width"][row] / ONE - 1 <= 0.2
        assert np.abs(maps[row] - matrix_of(zoom, drawn, row)).max() < 1e-5
    both, _ = maps_and_params(ar.RandomZoom(0.3))
    assert np.array_equal(both["height"], both["width"])


def test_translation_is_a_share_of_the_side():
    move = ar.RandomTranslation(0.25, (-0.1, 0.5))
    drawn, maps = maps_and_params(move)
    for row in range(200):
        assert np.abs(maps[row] - matrix_of(move, drawn, row)).max() < 1e-5
    assert scipy.stats.kstest(drawn["width"] / ONE, scipy.stats.uniform(-0.1, 0.6).cdf).pvalue > 0.01


def test_shear_is_about_the_centre():
    shear = ar.RandomShear(0.4, (0, 0.2))
    drawn, maps = maps_and_params(shear)
    for row in range(200):
        assert np.abs(maps[row] - matrix_of(shear, drawn, row)).max() < 1e-5


def test_affine_is_torchvisions():
    affine = ar.RandomAffine(50, (0.2, 0.1), (0.5, 2), (-20, 20, -10, 30))
    drawn, maps = maps_and_params(affine)
    for row in range(200):
        assert np.abs(maps[row] - matrix_of(affine, drawn, row)).max() < 1e-4
    assert set(drawn["x"]) == set(range(-12, 13))
    assert set(drawn["y"]) == set(range(-4, 5))
    for name, low, high in (("angle", -50, 50), ("shear_x", -20, 20), ("shear_y", -10, 30)):
        degrees = drawn[name] * 360 / 2**32
        assert scipy.stats.kstest(degrees, scipy.stats.uniform(low, high - low).cdf).pvalue > 0.01


def test_padding_is_numpys(rng):
    images = rng.integers(0, 256, (3, 9, 7, 3), dtype=np.uint8)
    for padding, sides in ((2, (2, 2, 2, 2)), ((1, 3), (1, 3, 1, 3)), ((0, 1, 2, 3), (0, 1, 2, 3))):
        left, top, right, bottom = sides
        for mode, numpys in (("constant", "constant"), ("nearest", "edge"), ("reflect", "symmetric")):
            out = ar.Compose([ar.Pad(padding, fill_mode=mode)], seed=1)(images, np.arange(3), 0)
            expected = np.pad(images, [(0, 0), (top, bottom), (left, right), (0, 0)], numpys)
            assert np.array_equal(out, expected)
    aug = ar.Compose([ar.Pad(4), ar.RandomCrop(8, 8)], seed=1)
    assert aug.output_size == (8, 8)
    assert ar.Compose([ar.Pad(1)], seed=1).size_after(5, 6) == (7, 8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ar.RandomZoom(-0.1), "RandomZoom: height_factor must be a number in"),
        (lambda: ar.RandomTranslation((0, 2), 0), r"RandomTranslation: height_factor must be a number in \[-1, 1\], got 2"),
        (lambda: ar.RandomShear((0.3, 0.1)), "RandomShear: x_factor must be in order, got 0.3 above 0.1"),
        (lambda: ar.RandomAffine(10, translate=0.1), "RandomAffine: translate must be a pair, got 0.1"),
        (lambda: ar.RandomAffine(10, shear=85), r"RandomAffine: shear must be a number in \[-80, 80\]"),
        (lambda: ar.RandomAffine(10, scale=(0, 1)), "RandomAffine: scale must be a number in"),
        (lambda: ar.Pad(-1), "Pad: padding must be an integer of at least 0, got -1"),
        (lambda: ar.Pad((1, 2, 3)), "Pad: padding must be one number, two or four"),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
