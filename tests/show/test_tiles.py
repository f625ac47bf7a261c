"""Tiles: the pixels of a page, what is said of them, and where they come from."""

import io

import numpy as np
import pytest
from PIL import Image

import augrng as ar
from pipelines.show.tiles import Row, acting, corners_of, encoded, original, tiles_of

SMALL = np.random.default_rng(1).integers(0, 256, (24, 32, 3), np.uint8)
EPOCHS = [0, 1, 2, 5]


def row(transforms, image=SMALL, **further):
    return Row("a/1.jpg", image, 41, ar.Compose(transforms, seed=3), further)


def test_a_tile_has_the_pixels_of_its_epoch():
    one = row([ar.RandomCrop(16, 20), ar.RandomFlip()])
    for tile in tiles_of(one, EPOCHS):
        expected = one.aug(SMALL, 41, tile.epoch).numpy()
        assert tile.picture.media_type == "image/png"
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(tile.picture.data))), expected)
        assert np.array_equal(tile.picture.pixels, expected)
        flipped = "no flip" not in tile.draws["random_flip"]
        assert tile.acted == ("random_crop", "random_flip")[: 1 + flipped]
        assert tile.alt.startswith(f"a/1.jpg in epoch {tile.epoch}: random_crop: crop")
    assert [tile.epoch for tile in tiles_of(one, EPOCHS)] == EPOCHS
    assert {len(tile.acted) for tile in tiles_of(one, EPOCHS)} == {1, 2}


def test_large_pictures_are_shrunk_and_noise_stays_small():
    noise = np.random.default_rng(2).integers(0, 256, (400, 300, 3), np.uint8)
    shown = original(row([ar.RandomFlip()], noise), side=200)
    assert shown.size == (400, 300)
    assert shown.pixels.shape == (200, 150, 3)
    assert shown.media_type == "image/jpeg"
    assert len(encoded(Image.fromarray(noise))[0]) < 40_000


@pytest.mark.parametrize(
    ("transforms", "expected"),
    [
        ([ar.RandomInvert(p=1)], [(0, 0), (1, 0), (1, 1), (0, 1)]),
        ([ar.RandomFlip(p=1)], [(1, 0), (0, 0), (0, 1), (1, 1)]),
        ([ar.RandomFlip(p=1), ar.RandomInvert(), ar.CenterCrop(12, 16)], [(0.75, 0.25), (0.25, 0.25), (0.25, 0.75), (0.75, 0.75)]),
        ([ar.Pad(8)], [(-0.25, -1 / 3), (1.25, -1 / 3), (1.25, 4 / 3), (-0.25, 4 / 3)]),
    ],
)  # fmt: skip
def test_corners_of_a_window(transforms, expected):
    assert np.allclose(corners_of(row(transforms), [0])[0], expected, atol=1e-6)


def test_corners_of_a_window_that_is_drawn_by_boxes():
    one = row([ar.BoxSafeCrop(8, 8), ar.RandomFlip(p=1)], boxes=np.float32([[2, 2, 20, 20], [8, 4, 30, 22]]))
    drawn = one.aug.sample(41, 2, (24, 32), one.example)["box_safe_crop"]
    top, left, height, width = (int(drawn[name]) for name in ("top", "left", "height", "width"))
    (right, upper), _, (other, lower), _ = corners_of(one, [0, 2])[1] * (32, 24)
    assert np.allclose([upper, lower, other, right], [top, top + height, left, left + width], atol=1e-3)


def test_a_perspective_shows_the_source_where_it_was_drawn():
    """Its corners in the source, four pairs of points, are a map; it shows the outermost pixels as drawn."""
    one = row([ar.RandomPerspective(0.5, p=1)])
    drawn = one.aug.sample(41, 2, (24, 32))["random_perspective"]
    names = ("top_left", "top_right", "bottom_right", "bottom_left")
    square = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], float)
    lines = []
    for (x, y), (u, v) in zip(corners_of(one, [2])[0] * (32, 24), square * (32, 24), strict=True):
        lines += [[x, y, 1, 0, 0, 0, -u * x, -u * y, -u], [0, 0, 0, x, y, 1, -v * x, -v * y, -v]]
    homography = np.linalg.svd(np.array(lines))[2][-1].reshape(3, 3)
    shown = np.column_stack([square * (31, 23) + 0.5, np.ones(4)]) @ homography.T
    inwards = np.array([[int(drawn[f"{name}_{axis}"]) for axis in "xy"] for name in names])
    expected = square * (31, 23) + inwards * np.where(square, -1, 1) + 0.5
    assert np.allclose(shown[:, :2] / shown[:, 2:], expected, atol=0.05)


def test_targets_are_drawn_and_examples_with_them_come_one_by_one():
    boxes = np.float32([[4, 4, 20, 20]])
    plain, boxed = (tiles_of(row([ar.RandomFlip()], **more), [0]) for more in ({}, {"boxes": boxes}))
    for one, other in zip(plain, boxed, strict=True):
        assert one.draws == other.draws
        assert not np.array_equal(one.picture.pixels, other.picture.pixels)


def test_what_was_not_chosen_is_not_said():
    aug = ar.Compose([ar.OneOf([ar.RandomInvert(p=1), ar.RandomRotation(40)]), ar.RandomFlip(p=0)], seed=3)
    drawn = [aug.sample(41, epoch, (24, 32)) for epoch in range(8)]
    said = {tuple(aug.describe(params)) for params in drawn}
    assert said == {("one_of", f"one_of/random_{name}", "random_flip") for name in ("invert", "rotation")}
    assert {tuple(acting(aug, params, (24, 32))) for params in drawn} == {
        ("one_of/random_invert", "one_of/random_rotation")
    }
