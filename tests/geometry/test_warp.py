"""Sampling against SciPy in float64, over dtypes, channels, fill modes and interpolations."""

import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf
from PIL import Image

from augrng import fixed
from augrng.geometry import affine
from augrng.geometry.sampling import MAX_SIDE, Sampling
from augrng.geometry.warp import warp, warp_with_mask

SCIPY_MODES = {"constant": "grid-constant", "nearest": "nearest", "reflect": "reflect", "wrap": "grid-wrap"}
DTYPES = ["uint8", "uint16", "float16", "bfloat16", "float32", "float64"]
SIZE = (37, 53)


def picture(rng, dtype, channels, size=SIZE):
    """A smooth picture with noise, in the range of the dtype."""
    dtype = tf.as_dtype(dtype)
    smooth = scipy.ndimage.gaussian_filter(rng.random((*size, channels)), (2, 2, 0))
    values = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    scale = dtype.max if dtype.is_integer else 1
    return (values * scale).astype(dtype.as_numpy_dtype)


def rotation(size, degrees):
    return affine.rotate(tf.constant([size], tf.int64), tf.constant([fixed.turns(degrees)], tf.int64))


def run(image, map_, size, **sampling):
    pixels = tf.reshape(tf.constant(image), [1, -1, image.shape[-1]])
    sizes = tf.constant([image.shape[:2]], tf.int64)
    return warp(pixels, sizes, map_, *size, Sampling(**sampling))[0].numpy()


def reference(image, map_, size, order, fill_mode, fill_value):
    """SciPy's sampling in float64 at the map's own positions; the fill by the share that lies outside.

    The map has two rows, or a third one for the depth; it is then sampled as if each pixel were a source pixel
    wide.
    """
    matrix = map_.numpy().reshape(-1, 3) / fixed.ONE
    y, x = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5, indexing="ij")
    along_x, along_y, *depth = [row[0] * x + row[1] * y + row[2] for row in matrix]
    source = [along / (depth[0] if depth else 1) - 0.5 for along in (along_y, along_x)]
    widths = [1, 1] if depth else [np.hypot(*row[:2]) for row in matrix[::-1]]
    blended = fill_mode == "constant" and order == 1
    sampled = [
        scipy.ndimage.map_coordinates(
            channel.astype(np.float64), source, order=order,
            mode="nearest" if blended else SCIPY_MODES[fill_mode], cval=fill_value,
        )
        for channel in np.moveaxis(image, -1, 0)
    ]  # fmt: skip
    if not blended:
        return np.stack(sampled, -1)
    share = np.ones(size)
    for at, side, width in zip(source, image.shape, widths, strict=False):
        share *= np.clip(np.minimum(at + 0.5, side - at - 0.5) / width + 0.5, 0, 1)
    return np.stack([share * plane + (1 - share) * fill_value for plane in sampled], -1)


@pytest.mark.parametrize("fill_mode", SCIPY_MODES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_bilinear_equals_float64_to_rounding(rng, dtype, channels, fill_mode):
    image = picture(rng, dtype, channels)
    map_ = affine.compose(rotation(SIZE, 33.3), affine.translate(-10, 5)[None])
    fill = 100 if tf.as_dtype(dtype).is_integer else 0.5
    out = run(image, map_, (70, 90), fill_mode=fill_mode, fill_value=fill)
    exact = reference(image, map_, (70, 90), 1, fill_mode, fill)
    assert out.dtype == image.dtype
    assert out.shape == (70, 90, channels)
    error = np.abs(out.astype(np.float64) - exact)
    scale = 255 if dtype == "uint8" else 65535 if dtype == "uint16" else 1
    # A weight is off by at most 2**-12 (and positions by 2**-14): times the steepest step, plus rounding.
    rounding = {"uint8": 0.5, "uint16": 0.5, "float16": 2.0**-11, "bfloat16": 2.0**-8}.get(dtype, 1e-6)
    assert error.max() <= rounding + 2 * scale * (2.0**-12 + 2.0**-13)


@pytest.mark.parametrize("fill_mode", SCIPY_MODES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_nearest_takes_the_nearest_pixel(rng, dtype, fill_mode):
    image = picture(rng, dtype, 3)
    map_ = affine.compose(rotation(SIZE, -20.5), affine.translate(-30, -40)[None])
    out = run(image, map_, (99, 120), interpolation="nearest", fill_mode=fill_mode, fill_value=1)
    exact = reference(image, map_, (99, 120), 0, fill_mode, 1)
    # Positions within 2**-12 of a tie may go either way.
    assert (out.astype(np.float64) != exact).any(-1).mean() < 0.001


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("fill_mode", SCIPY_MODES)
def test_a_mask_that_rides_with_its_picture(rng, fill_mode, channels):
    """It is the nearest pixel, and the picture is what it is by itself; turned, and by whole pixels."""
    image, mask = picture(rng, "uint8", channels), rng.integers(0, 256, (*SIZE, 1), np.uint8)
    turned = affine.compose(rotation(SIZE, -20.5), affine.translate(-30, -40)[None])
    for map_ in (turned, affine.translate(tf.constant([-3]), tf.constant([4]))):
        pixels, labels = (tf.reshape(tf.constant(one), [1, -1, one.shape[-1]]) for one in (image, mask))
        sizes, sampling = tf.constant([SIZE], tf.int64), Sampling(fill_mode=fill_mode, fill_value=9)
        out, seen = warp_with_mask(pixels, labels, sizes, map_, 99, 120, sampling, 200)
        assert np.array_equal(out[0], run(image, map_, (99, 120), fill_mode=fill_mode, fill_value=9))
        exact = reference(mask, map_, (99, 120), 0, fill_mode, 200)
        assert (seen[0].numpy() != exact).mean() < 0.001
        by_itself = {"interpolation": "nearest", "fill_mode": fill_mode, "fill_value": 200}
        assert np.array_equal(seen[0], run(mask, map_, (99, 120), **by_itself))


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_whole_pixel_maps_copy_pixels(rng, interpolation):
    image = rng.standard_normal((*SIZE, 3)).astype(np.float32)
    image[::5, ::7] = np.nan
    image[1::5, ::7] = np.inf
    map_ = affine.translate(tf.constant([-3]), tf.constant([4]))
    out = run(image, map_, (20, 40), interpolation=interpolation, fill_value=9)
    assert np.array_equal(out[:, 3:], image[4:24, :37], equal_nan=True)
    assert (out[:, :3] == 9).all()


def test_fill_value_of_each_channel(rng):
    image = picture(rng, "uint8", 3)
    map_ = affine.translate(tf.constant([-100]), tf.constant([0]))
    assert (run(image, map_, (3, 3), fill_value=(1, 2, 3)) == [1, 2, 3]).all()
    assert (run(image.astype(np.float32), map_, (3, 3), fill_value=(1, 2, 3.5)) == [1, 2, 3.5]).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 2)])
@pytest.mark.parametrize("fill_mode", SCIPY_MODES)
def test_smallest_images(rng, size, fill_mode):
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    map_ = rotation(size, 30)
    out = run(image, map_, (9, 9), fill_mode=fill_mode)
    exact = reference(image, map_, (9, 9), 1, fill_mode, 0)
    assert np.abs(out - exact).max() <= 1


def test_largest_image_and_far_positions(rng):
    image = rng.integers(0, 256, (2, MAX_SIDE, 1), dtype=np.uint8)
    far = affine.translate(tf.constant([MAX_SIDE - 5]), tf.constant([0]))
    assert np.array_equal(run(image, far, (2, 5)), image[:, -5:])
    beyond = affine.translate(tf.constant([2**20]), tf.constant([-(2**20)]))
    assert (run(image, beyond, (2, 5), fill_value=7) == 7).all()
    assert (run(image, beyond, (2, 5), fill_mode="nearest") == image[0, -1]).all()


def test_positions_at_4096_pixels_are_within_a_64th(rng):
    """A ramp turns a position into a value: what is read off is where it was read."""
    side = 4096
    ramp = np.broadcast_to(np.arange(side, dtype=np.float64)[:, None, None], (side, side, 1)).copy()
    map_ = rotation((side, side), 45)
    out = run(ramp, map_, (side, side), fill_mode="nearest")
    exact = reference(ramp, map_, (side, side), 1, "nearest", 0)
    inside = (exact > 1) & (exact < side - 2)
    assert inside.mean() > 0.7
    assert np.abs(out - exact)[inside].max() < 1 / 64


@pytest.mark.parametrize(("size", "target"), [((8, 8), (16, 16)), ((32, 32), (224, 224)), ((7, 5), (50, 40))])
@pytest.mark.parametrize("fill_mode", ["constant", "nearest"])
def test_enlarging_is_pillows_up_to_the_border(rng, size, target, fill_mode):
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    map_ = affine.resize(tf.constant([size], tf.int64), *target)
    out = run(image, map_, target, fill_mode=fill_mode).astype(int)
    pillows = np.asarray(Image.fromarray(image).resize(target[::-1], Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(out - pillows).max() <= 1


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_an_image_of_one_colour_stays_it_inside(rng, dtype):
    """Windows of any size inside the image, enlarged or reduced, also turned within it."""
    for _ in range(25):
        height, width = rng.integers(2, 60, 2)
        value = {"uint8": 255, "uint16": 65535, "int16": -30_000, "float32": 0.7}[dtype]
        image = np.full((height, width, 1), value, dtype)
        window = tf.constant([[rng.integers(1, height + 1), rng.integers(1, width + 1)]], tf.int64)
        target = rng.integers(1, 200, 2)
        place = [rng.integers(0, image.shape[axis] - int(window[0, axis]) + 1) for axis in (0, 1)]
        map_ = affine.compose(
            affine.translate(tf.constant([place[1]]), tf.constant([place[0]])),
            affine.resize(window, *target),
        )
        out = run(image, map_, target, fill_value=3)
        assert np.allclose(out, image[0, 0], rtol=1e-6, atol=0)
        side = int((min(height, width) - 1) / 1.45)
        centred = affine.translate(tf.constant([(width - side) // 2]), tf.constant([(height - side) // 2]))
        turned = affine.compose(centred, rotation((side, side), rng.uniform(0, 360)))
        assert np.allclose(run(image, turned, (side, side), fill_value=3), image[0, 0], rtol=1e-6, atol=0)


def test_a_pixel_across_the_border_is_a_blend_by_its_share_outside():
    """Boxes around output pixels, laid over an image that is 1 inside and 0 outside, in float64."""
    image = np.ones((6, 9, 1))
    for scale, start in [(0.3, -1.0), (0.7, -2.1), (1.0, -0.4), (1.7, -3.3)]:
        map_ = tf.constant([[[scale, 0, start], [0, scale, start]]], tf.float64)
        out = run(image, tf.cast(tf.round(map_ * fixed.ONE), tf.int64), (20, 30))[..., 0]

        def share(count, side, scale=scale, start=start):
            low = start + scale * np.arange(count)
            return np.clip(np.minimum(low + scale, side) - np.maximum(low, 0), 0, None) / scale

        assert np.abs(out - share(20, 6)[:, None] * share(30, 9)).max() < 0.004


def test_what_has_weight_0_is_not_seen_whatever_the_neighbours(rng):
    """A whole-pixel map beside one that is not: NaN and infinity stay where they were."""
    image = rng.standard_normal((*SIZE, 2)).astype(np.float32)
    image[::5, ::7], image[1::5, ::7], image[2, 3] = np.nan, np.inf, -0.0
    shifted = affine.translate(tf.constant([-3]), tf.constant([4]))
    maps = tf.concat([shifted, rotation(SIZE, 20), rotation(SIZE, 90)], 0)
    pixels = tf.reshape(tf.constant(np.stack([image] * 3)), [3, -1, 2])
    sizes = tf.constant([SIZE] * 3, tf.int64)
    out = warp(pixels, sizes, maps, 20, 40, Sampling(fill_value=9)).numpy()
    assert np.array_equal(out[0].view(np.int32), run(image, shifted, (20, 40), fill_value=9).view(np.int32))
    assert np.array_equal(out[0, :, 3:], image[4:24, :37], equal_nan=True)
    assert (out[0, :, :3] == 9).all()
    assert not np.isnan(out[1]).all()


@pytest.mark.parametrize("channels", [5, 8, 13])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_any_number_of_channels(rng, dtype, channels):
    image = rng.integers(0, 200, (*SIZE, channels)).astype(dtype)
    map_ = rotation(SIZE, 33)
    fill = tuple(range(channels))
    out = run(image, map_, (40, 50), fill_value=fill)
    alone = [run(image[..., c : c + 1], map_, (40, 50), fill_value=c) for c in range(channels)]
    assert np.array_equal(out, np.concatenate(alone, -1))


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint32"])
def test_integers_of_all_widths(rng, dtype):
    info = np.iinfo(dtype)
    image = rng.integers(info.min, info.max, (*SIZE, 2), dtype=dtype, endpoint=True)
    map_ = rotation(SIZE, 33)
    out = run(image, map_, (40, 50), fill_mode="reflect").astype(np.float64)
    exact = reference(image, map_, (40, 50), 1, "reflect", 0)
    assert np.abs(out - exact).max() <= 0.5 + (float(info.max) - float(info.min)) * 2.0**-10
    nearest = run(image, map_, (40, 50), fill_mode="reflect", interpolation="nearest")
    exact = reference(image, map_, (40, 50), 0, "reflect", 0)
    assert (nearest != exact).any(-1).mean() < 0.001


def test_64_bits_are_moved_and_not_averaged(rng):
    image = rng.integers(-(2**62), 2**62, (*SIZE, 1))
    assert run(image, rotation(SIZE, 90), SIZE, interpolation="nearest").dtype == np.int64
    with pytest.raises(ValueError, match='interpolation: must be "nearest" for int64'):
        run(image, rotation(SIZE, 33), SIZE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"interpolation": "cubic"}, "interpolation: must be one of"),
        ({"fill_mode": "mirror"}, "fill_mode: must be one of"),
        ({"fill_value": float("nan")}, "fill_value: must be finite"),
    ],
)
def test_unknown_sampling_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Sampling(**arguments)


@pytest.mark.parametrize("fill", [256, -1, 0.5, (1, 2)])
def test_a_fill_value_that_does_not_fit_is_refused(rng, fill):
    with pytest.raises(ValueError, match="fill_value: must be"):
        run(picture(rng, "uint8", 3), rotation(SIZE, 1), (3, 3), fill_value=fill)
