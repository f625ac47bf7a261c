"""Transforms against TensorFlow's own, Keras, SciPy in float64, and their distributions."""

import keras
import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import tensorflow as tf

import augrng as ar
from augrng import fixed

pytestmark = pytest.mark.usefixtures("op_by_op")

SIZES = [(20, 24), (33, 17), (9, 40), (16, 16)]


def augment_with_keys(transform, images, ids, seed=7, epoch=2):
    """A batch through Compose, and the keys that each image was transformed with."""
    aug = ar.Compose([transform], seed=seed)
    (keys,) = aug.keys(ids, epoch).values()
    return aug(images, ids, epoch).numpy(), keys


@pytest.mark.parametrize("size", SIZES)
def test_crops_equal_tensorflows(rng, size):
    images = rng.integers(0, 256, (300, *size, 3), dtype=np.uint8)
    window = (size[0] - 5, size[1] - 8)
    ids = rng.integers(-(2**63), 2**63, 300)
    out, keys = augment_with_keys(ar.RandomCrop(*window), images, ids)
    for image, key, got in zip(images, keys, out, strict=True):
        assert np.array_equal(got, tf.image.stateless_random_crop(image, (*window, 3), key))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["horizontal", "vertical"])
def test_flips_equal_tensorflows(rng, size, mode):
    images = rng.integers(0, 256, (300, *size, 3), dtype=np.uint8)
    ids = rng.integers(-(2**63), 2**63, 300)
    out, keys = augment_with_keys(ar.RandomFlip(mode), images, ids)
    oracle = {
        "horizontal": tf.image.stateless_random_flip_left_right,
        "vertical": tf.image.stateless_random_flip_up_down,
    }[mode]
    for image, key, got in zip(images, keys, out, strict=True):
        assert np.array_equal(got, oracle(image, key))


@pytest.mark.parametrize("size", [(8, 8), (9, 9)])
def test_quarter_turns_equal_rot90(rng, size):
    images = rng.integers(0, 256, (64, *size, 3), dtype=np.uint8)
    aug = ar.Compose([ar.RandomQuarterTurn()], seed=1)
    turns = aug.sample(np.arange(64), 0, size)["random_quarter_turn"]["k"].numpy()
    assert set(turns) == {0, 1, 2, 3}
    for image, k, got in zip(images, turns, aug(images, np.arange(64), 0), strict=True):
        assert np.array_equal(got, tf.image.rot90(image, k))


@pytest.mark.parametrize("degrees", [0, 90, 180, -90, 270, 360])
@pytest.mark.parametrize("size", [(12, 12), (13, 13), (12, 18)])
def test_exact_rotations_move_pixels(rng, size, degrees):
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    out = ar.Compose([ar.RandomRotation((degrees, degrees))], seed=1)(image, 0, 0).numpy()
    turned = np.rot90(image, round(degrees / 90) % 4)
    if size[0] == size[1] or degrees % 180 == 0:
        assert np.array_equal(out, turned)
    else:  # turned about the centre, the overhang cut off and the rest filled
        assert np.array_equal(out[:, 3:15], turned[3:15])
        assert not out[:, :3].any()
        assert not out[:, 15:].any()


def exact_rotation(image, degrees, fill_mode="grid-constant"):
    """The rotation in float64, positive counter-clockwise, in SciPy."""
    radians = np.deg2rad(degrees)
    c, s = np.cos(radians), np.sin(radians)
    matrix = np.array([[c, s], [-s, c]])  # of (row, column), from output to source
    center = (np.array(image.shape[:2]) - 1) / 2
    offset = center - matrix @ center
    planes = [
        scipy.ndimage.affine_transform(plane.astype(np.float64), matrix, offset, order=1, mode=fill_mode)
        for plane in np.moveaxis(image, -1, 0)
    ]
    return np.stack(planes, -1)


def test_rotation_is_within_a_grey_level_of_float64(photos):
    aug = ar.Compose([ar.RandomRotation(180)], seed=4)
    for photo in photos:
        for id_ in range(6):
            turn = int(aug.sample(id_, 0, photo.shape[:2])["random_rotation"]["angle"])
            exact = np.floor(exact_rotation(photo, turn * 360 / 2**32) + 0.5)
            error = np.abs(aug(photo, id_, 0).numpy() - exact)
            assert error.max() <= 1
            assert (error > 0).mean() <= 0.005


def test_crop_flip_rotation_is_one_sample_of_the_source(photos):
    """A rotation after a crop sees the pixels around the window: rotate in place, then cut."""
    photo = photos[0]
    aug = ar.Compose([ar.RandomCrop(200, 240), ar.RandomFlip(), ar.RandomRotation(40)], seed=4)
    for id_ in range(8):
        params = aug.sample(id_, 0, photo.shape[:2])
        top, left = (int(params["random_crop"][side]) for side in ("top", "left"))
        degrees = int(params["random_rotation"]["angle"]) * 360 / 2**32
        padded = np.pad(photo, ((200, 200), (240, 240), (0, 0)))
        around = padded[top : top + 600, left : left + 720]  # the window with as much again on each side
        if params["random_flip"]["horizontal"]:
            around = around[:, ::-1]
        exact = np.floor(exact_rotation(around, degrees)[200:400, 240:480] + 0.5)
        error = np.abs(aug(photo, id_, 0).numpy() - exact)
        assert error.max() <= 1
        assert (error > 0).mean() <= 0.005


def test_direction_is_that_of_keras(photos):
    image = photos[1][100:300, 200:400]
    layer = keras.layers.RandomRotation((0.1, 0.1), fill_mode="constant", data_format="channels_last")
    expected = layer(image[None].astype("float32"), training=True)[0].numpy()
    ours = ar.Compose([ar.RandomRotation((36, 36))], seed=1)(image.astype(np.float32), 0, 0).numpy()
    assert np.abs(expected - ours).mean() < 1
    other = ar.Compose([ar.RandomRotation((-36, -36))], seed=1)(image.astype(np.float32), 0, 0).numpy()
    assert np.abs(expected - other).mean() > 10


def test_angles_are_uniform():
    aug = ar.Compose([ar.RandomRotation((-20, 50))], seed=3)
    angles = aug.sample(np.arange(50_000), 0, [8, 8])["random_rotation"]["angle"].numpy()
    degrees = angles * 360 / 2**32
    assert degrees.min() >= -20
    assert degrees.max() < 50
    assert scipy.stats.kstest((degrees + 20) / 70, "uniform").pvalue > 0.01


def test_an_angle_is_the_documented_function_of_its_word():
    aug = ar.Compose([ar.RandomRotation(15)], seed=3)
    words = ar.bits(aug.keys(np.arange(1000), 4)["random_rotation"], 1).numpy()[:, 0].astype(np.int64)
    expected = -15 + 30 * ((words & 0x7FFFFF) / 2**23)
    angles = aug.sample(np.arange(1000), 4, [8, 8])["random_rotation"]["angle"].numpy()
    assert np.abs(angles * 360 / 2**32 - expected).max() < 1e-6


def test_two_flips_are_unbiased_and_independent():
    aug = ar.Compose([ar.RandomFlip("horizontal_and_vertical")], seed=3)
    params = aug.sample(np.arange(40_000), 0, [8, 8])["random_flip"]
    cells = np.bincount(params["horizontal"].numpy() * 2 + params["vertical"].numpy(), minlength=4)
    assert scipy.stats.chisquare(cells).pvalue > 0.01


@pytest.mark.parametrize("p", [0, 0.2, 1])
def test_flips_have_their_probability(p):
    params = ar.Compose([ar.RandomFlip(p=p)], seed=3).sample(np.arange(40_000), 0, [8, 8])["random_flip"]
    assert scipy.stats.binomtest(int(params["horizontal"].numpy().sum()), 40_000, p).pvalue > 0.01


@pytest.mark.parametrize(
    ("crop", "tops", "lefts"),
    [
        (ar.RandomCrop(5, 8), range(4), range(5)),
        (ar.RandomCrop(5, 8, padding=2), range(-2, 6), range(-2, 7)),
        (ar.RandomCrop(5, 8, padding=(0, 3)), range(4), range(-3, 8)),
        (ar.RandomCrop(8, 12), range(1), range(1)),
        (ar.RandomCrop(10, 8, pad_if_needed=True), range(-2, 1), range(5)),
    ],
)
def test_every_legal_offset_is_reached_equally_often(crop, tops, lefts):
    params = ar.Compose([crop], seed=3).sample(np.arange(60_000), 0, [8, 12])["random_crop"]
    for drawn, legal in ((params["top"], tops), (params["left"], lefts)):
        values, counts = np.unique(drawn.numpy(), return_counts=True)
        assert list(values) == list(legal)
        if len(values) > 1:
            assert scipy.stats.chisquare(counts).pvalue > 0.01


@pytest.mark.parametrize("fill_mode", ["constant", "nearest", "reflect", "wrap"])
def test_padding_is_that_of_numpy(rng, fill_mode):
    numpy_mode = {"constant": "constant", "nearest": "edge", "reflect": "symmetric", "wrap": "wrap"}[
        fill_mode
    ]
    images = rng.integers(0, 256, (40, 10, 12, 3), dtype=np.uint8)
    aug = ar.Compose([ar.RandomCrop(10, 12, padding=4, fill_mode=fill_mode)], seed=2)
    params = aug.sample(np.arange(40), 0, [10, 12])["random_crop"]
    for image, top, left, got in zip(
        images, params["top"].numpy(), params["left"].numpy(), aug(images, np.arange(40), 0), strict=True
    ):
        padded = np.pad(image, ((4, 4), (4, 4), (0, 0)), mode=numpy_mode)
        assert np.array_equal(got, padded[top + 4 : top + 14, left + 4 : left + 16])


@pytest.mark.parametrize(("size", "top", "left"), [((8, 8), 2, 2), ((9, 9), 2, 2), ((4, 6), 0, 0)])
def test_center_crop(rng, size, top, left):
    image = rng.integers(0, 256, (*size, 1), dtype=np.uint8)
    out = ar.Compose([ar.CenterCrop(4, 5)])(image, 0, 0)
    assert np.array_equal(out, image[top : top + 4, left : left + 5])


def test_center_crop_pads_if_asked(rng):
    image = rng.integers(1, 256, (3, 8, 1), dtype=np.uint8)
    out = ar.Compose([ar.CenterCrop(5, 4, pad_if_needed=True)])(image, 0, 0).numpy()
    assert np.array_equal(out[1:4], image[:, 2:6])
    assert not out[[0, 4]].any()


def test_descriptions_say_what_was_drawn():
    assert ar.RandomCrop(2, 2).describe({"top": 3, "left": -1}) == "crop +3,-1"
    assert ar.RandomFlip().describe({"horizontal": True, "vertical": False}) == "flip horizontal"
    assert ar.RandomFlip().describe({"horizontal": False, "vertical": False}) == "no flip"
    assert ar.RandomRotation(9).describe({"angle": fixed.turns(-4.5)}) == "rotate -4.5°"
    assert ar.RandomQuarterTurn().describe({"k": 3}) == "turn 270°"
    assert repr(ar.RandomCrop(2, 3, padding=1)) == "RandomCrop(height=2, width=3, padding=1)"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ar.RandomCrop(0, 5), "RandomCrop: height must be an integer of at least 1, got 0"),
        (lambda: ar.RandomCrop(5, 2.5), "RandomCrop: width must be an integer of at least 1, got 2.5"),
        (lambda: ar.RandomCrop(5, 5, padding=-1), "RandomCrop: padding must be an integer of at least 0"),
        (lambda: ar.RandomCrop(5, 5, padding=(1, 2, 3)), "padding must be an integer or a pair"),
        (lambda: ar.CenterCrop(True, 5), "CenterCrop: height must be an integer"),
        (lambda: ar.RandomFlip("diagonal"), "RandomFlip: mode must be one of .*got 'diagonal'"),
        (lambda: ar.RandomFlip(p=1.5), r"RandomFlip: p must be a number in \[0, 1\], got 1.5"),
        (lambda: ar.RandomRotation(-5), "RandomRotation: a single number must be at least 0, got -5"),
        (lambda: ar.RandomRotation((5, -5)), r"must be \(low, high\), got \(5, -5\)"),
        (lambda: ar.RandomRotation(float("inf")), "degrees must be numbers within 36000, got inf"),
        (lambda: ar.RandomRotation("15"), "degrees must be numbers"),
        (lambda: ar.RandomRotation(5, fill_mode="mirror"), "fill_mode: must be one of"),
        (lambda: ar.RandomRotation(5, interpolation="cubic"), "interpolation: must be one of"),
        (lambda: ar.RandomFlip(name=""), "name must be a string that is not empty"),
    ],
)
def test_bad_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_seed_that_is_no_integer_is_refused():
    with pytest.raises(TypeError, match="seed must be an integer or None, got 1.5"):
        ar.RandomFlip(seed=1.5)


def test_the_middle_is_torchvisions():
    """torchvision's center_crop, in Python: pad to the window, an odd pixel at the end; then round(spare / 2)."""
    window, image = 8, tf.constant(np.arange(1, 31), tf.uint8)
    for side in range(1, 31):
        padding = ((window - side) // 2, (window - side + 1) // 2) if side < window else (0, 0)
        row = np.pad(image[:side], padding)
        start = round((len(row) - window) / 2.0)
        aug = ar.Compose([ar.CenterCrop(1, window, pad_if_needed=True)], seed=1)
        assert np.array_equal(aug(image[None, :side, None], 0, 0)[0, :, 0], row[start : start + window])
        aug = ar.Compose([ar.CenterCrop(window, 1, pad_if_needed=True)], seed=1)
        assert np.array_equal(aug(image[:side, None, None], 0, 0)[:, 0, 0], row[start : start + window])
        if side < window:
            theirs = tf.image.resize_with_crop_or_pad(image[None, :side, None], 1, window)
            assert np.array_equal(theirs[0, :, 0], row)
