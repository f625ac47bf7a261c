"""Keypoints and masks by hand, and by SciPy."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

import augrng as ar

pytestmark = pytest.mark.usefixtures("op_by_op")

IMAGE = np.zeros((40, 60, 3), np.uint8)


def points(transforms, value, id_=0, format="xy", **arguments):
    aug = ar.Compose(transforms, seed=1, targets={"points": ar.Keypoints(format, **arguments)})
    return aug({"image": IMAGE, "points": np.asarray(value, np.float32)}, id_, 0)


def test_pairs_are_exchanged_in_mirror_images_only():
    eyes = [[10, 5], [30, 5], [20, 9]]
    flip = lambda mode, name=None: ar.RandomFlip(mode, p=1, name=name)  # noqa: E731
    pairs = [(0, 1)]
    assert np.array_equal(points([flip("horizontal")], eyes)["points"], [[50, 5], [30, 5], [40, 9]])
    once = points([flip("horizontal")], eyes, pairs=pairs)["points"]
    assert np.array_equal(once, [[30, 5], [50, 5], [40, 9]])
    turned = points([flip("horizontal_and_vertical")], eyes, pairs=pairs)["points"]
    assert np.array_equal(turned, [[50, 35], [30, 35], [40, 31]])  # a turn by 180 degrees is no mirror image
    colour = ar.RandomInvert(p=1)
    twice = points([flip("horizontal"), colour, flip("horizontal", "again")], eyes, pairs=pairs)["points"]
    assert np.array_equal(twice, eyes)
    with pytest.raises(ValueError, match="pairs name point 7, of 3 points"):
        points([colour], eyes, pairs=[(0, 7)])


def test_visibility():
    given = [[[5, 5, 2], [58, 20, 1], [0, 0, 0]], [[30, 20, 2], [np.nan, 0, 0], [60, 40, 2]]]
    out = points([ar.CenterCrop(40, 50)], given, format="xyv", visible=True)
    expected = [[[0, 5, 2], [53, 20, 0], [0, 0, 0]], [[25, 20, 2], [np.nan, 0, 0], [55, 40, 0]]]
    np.testing.assert_array_equal(out["points"], expected)
    np.testing.assert_array_equal(out["points_visible"], [[True, False, False], [True, False, False]])


def test_relative_points_and_ragged_batches():
    given = [[0.5, 0.25], [0.1, 0.75]]
    assert np.array_equal(points([ar.Resize(11, 30)], given, format="rel_yx")["points"], np.float32(given))
    ragged = tf.RaggedTensor.from_row_lengths(np.float32([[[5, 5]], [[6, 7]], [[8, 9]]]), [2, 0, 1])
    aug = ar.Compose([ar.RandomFlip(p=1)], seed=1)
    out = aug({"image": np.stack([IMAGE] * 3), "keypoints": ragged}, [1, 2, 3], 0)["keypoints"]
    assert out.to_list() == [[[[55, 5]], [[54, 7]]], [], [[[52, 9]]]]


@pytest.mark.parametrize(
    ("value", "format", "rule"),
    [
        ([[np.nan, 1]], "xy", "coordinates must be finite.*id 4"),
        ([[np.inf, 1, 1]], "xyv", "coordinates must be finite.*id 4"),
        ([[1, 1, 1]], "xy", 'must have shape .*K, 2.* for "xy"'),
        ([1, 1], "xy", "must have shape"),
    ],
)
def test_bad_points(value, format, rule):
    with pytest.raises(ValueError, match=f"points: {rule}"):
        points([ar.RandomFlip()], value, 4, format)


def test_examples_without_what_they_need():
    aug = ar.Compose([ar.RandomFlip()], seed=1)
    with pytest.raises(ValueError, match='an example must have an "image"'):
        aug({"keypoints": np.zeros([1, 2])}, 0, 0)
    with pytest.raises(ValueError, match="mask: must have the image's size .*id 3"):
        aug({"image": IMAGE, "mask": np.zeros([20, 30, 1], np.uint8)}, 3, 0)
    with pytest.raises(ValueError, match="mask: must have shape"):
        aug({"image": IMAGE, "mask": np.zeros([40], np.uint8)}, 3, 0)
    with pytest.raises(TypeError, match="mask: must hold integers"):
        aug({"image": IMAGE, "mask": np.zeros([40, 60, 1], complex)}, 3, 0)
    with pytest.raises(ValueError, match="fill_value"):
        ar.Compose([ar.RandomFlip()], targets={"mask": ar.Mask(256)})(
            {"image": IMAGE, "mask": np.zeros([40, 60, 1], np.uint8)}, 3, 0
        )


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.uint16, bool])
def test_masks_by_scipy(dtype, rng):
    """Turned by SciPy about the same centre, nearest; where it lies halfway between pixels it may differ."""
    mask = rng.integers(0, 2 if dtype is bool else 100, (40, 60, 2)).astype(dtype)
    fill = 1 if dtype is bool else 77
    aug = ar.Compose([ar.RandomRotation((25, 25))], seed=1, targets={"mask": ar.Mask(fill)})
    out = aug({"image": IMAGE, "mask": mask}, 0, 0)["mask"].numpy()
    assert out.dtype == dtype
    c, s = np.cos(np.radians(25)), np.sin(np.radians(25))
    matrix = np.array([[c, s], [-s, c]])  # rows first
    centre = np.array([19.5, 29.5])
    for channel in range(2):
        expected = ndimage.affine_transform(
            mask[..., channel].astype(int), matrix, centre - matrix @ centre, order=0, cval=fill,
            mode="grid-constant",
        )  # fmt: skip
        assert (out[..., channel].astype(int) != expected).mean() < 0.002


@pytest.mark.parametrize(
    "recipe",
    [[ar.RandomCrop(30, 40), ar.RandomFlip(), ar.RandomRotation(30)], [ar.RandomPerspective(0.4, p=1)]],
)
def test_masks_of_another_size(recipe, rng):
    """A mask three times as large goes as one of the image's size does, enlarged."""
    small = rng.integers(0, 9, (40, 60), np.uint8)
    large = small.repeat(3, 0).repeat(3, 1)
    targets = {"small": ar.Mask(3), "large": ar.Mask(3, multiple=3)}
    aug = ar.Compose(recipe, seed=1, targets=targets)
    for id_ in range(4):
        out = aug({"image": IMAGE, "small": small, "large": large}, id_, 0)
        assert out["large"].shape == [3 * side for side in out["small"].shape]
        assert np.array_equal(out["large"][1::3, 1::3], out["small"])
    with pytest.raises(ValueError, match="large: must have the image's size times 3"):
        aug({"image": IMAGE, "small": small, "large": small}, 0, 0)


def test_masks_follow_the_fill_mode():
    """Where the image is mirrored, so is its mask; a mask has a fill of its own only for a constant."""
    mask = np.arange(40 * 60).reshape(40, 60, 1).astype(np.int32)
    image = np.repeat(mask.astype(np.uint16), 3, -1)
    for mode in ("reflect", "wrap", "nearest"):
        aug = ar.Compose([ar.RandomTranslation((0.25, 0.25), (0.5, 0.5), fill_mode=mode)], seed=1)
        out = aug({"image": image, "mask": mask}, 0, 0)
        assert np.array_equal(out["image"][..., 0], out["mask"][..., 0])
