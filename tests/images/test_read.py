"""Encoded bytes to augmented pixels: the part that is read against the whole."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

import augrng as ar
from pipelines import steps
from pipelines.images.read import Reader

pytestmark = pytest.mark.usefixtures("op_by_op")

EXIF_ORIENTATION = 0x0112


def encode(pixels, kind="JPEG", orientation=1, **options):
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    picture = Image.fromarray(pixels)
    picture.save(buffer, kind, **({"exif": exif, "quality": 92, **options} if kind == "JPEG" else options))
    return buffer.getvalue()


def mapped(readers, contents, ids, epoch=0):
    """A dataset of what each of some readers makes of one encoded image, or of one for each id."""
    contents = [contents] * len(ids) if isinstance(contents, bytes) else contents
    dataset = tf.data.Dataset.from_tensor_slices((tf.constant(contents), np.asarray(ids, np.int64)))
    epoch = tf.constant(epoch, tf.int64)
    return dataset.map(lambda image, id_: [read(image, id_, epoch) for read in readers])


def through_map(aug, contents, ids, epoch=0, **options):
    """One encoded image, or one for each id, through a reader in `Dataset.map`."""
    return np.stack([image for (image,) in mapped([Reader(aug, **options)], contents, ids, epoch)])


def part_and_whole(aug, contents, ids, epoch=0):
    """The same through two readers: one that reads parts, and one that decodes all."""
    both = mapped([Reader(aug), Reader(aug, partial=False)], contents, ids, epoch)
    return [np.stack(images) for images in zip(*both, strict=True)]


RECIPES = {
    "crop": [ar.RandomCrop(100, 120)],
    "crop, flip, rotation": [
        ar.RandomCrop(100, 120),
        ar.RandomFlip("horizontal_and_vertical"),
        ar.RandomRotation(90),
    ],
    "padding": [ar.RandomCrop(400, 600, padding=60), ar.RandomRotation(20)],
    "nearest fill": [ar.RandomCrop(300, 300, padding=90, fill_mode="nearest"), ar.RandomRotation(45)],
    "reflect": [ar.RandomCrop(300, 300, padding=90, fill_mode="reflect"), ar.RandomRotation(45)],
    "wrap": [ar.RandomCrop(300, 300, padding=90, fill_mode="wrap"), ar.RandomQuarterTurn()],
    "resized up": [ar.RandomResizedCrop(400, 500, scale=(0.1, 0.5)), ar.RandomRotation(30)],
    "resized": [ar.RandomResizedCrop(224, 224, antialias=False), ar.RandomFlip(), ar.RandomRotation(30)],
    "evaluation": [ar.Resize(300), ar.CenterCrop(224, 224)],
    "far outside": [ar.RandomCrop(64, 64, padding=400)],
}


@pytest.mark.parametrize(("recipe", "subsampling"), [(name, n % 2 * 2) for n, name in enumerate(RECIPES)])
def test_at_scale_1_a_part_gives_the_pixels_of_the_whole(photos, recipe, subsampling):
    contents = encode(photos[0][:426, :639], subsampling=subsampling)
    aug = ar.Compose(RECIPES[recipe], seed=3)
    whole = tf.io.decode_jpeg(contents, dct_method="INTEGER_ACCURATE")
    ids = np.arange(12)
    expected = np.stack([aug(whole, id_, 5) for id_ in ids])
    for found in part_and_whole(aug, contents, ids, 5):
        assert np.array_equal(found, expected)


TURNED = {
    "crop": [ar.RandomCrop(90, 80, padding=8), ar.RandomFlip()],
    "rotation": [ar.RandomCrop(90, 80), ar.RandomRotation(40)],
    "nearest": [ar.RandomResizedCrop(60, 60, interpolation="nearest"), ar.RandomRotation(40)],
    "reduced": [ar.RandomResizedCrop(31, 17, scale=(0.5, 1)), ar.RandomRotation(20)],
    "exact": [ar.Resize(37, 45, antialias="exact")],
}


@pytest.mark.parametrize("recipe", TURNED)
def test_a_turned_picture_gives_the_pixels_of_the_upright_one(photos, recipe):
    """Sides are odd, so that a mirrored picture has other blocks and cells than the stored one."""
    aug = ar.Compose(TURNED[recipe], seed=3)
    orientations, ids = np.repeat(np.arange(1, 9), 3), np.tile(np.arange(3), 8)
    encoded = {n: encode(photos[1][:201, :311], orientation=n, subsampling=0) for n in range(1, 9)}
    upright = {n: np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(c)))) for n, c in encoded.items()}
    expected = np.zeros([24, *aug.output_size, 3], np.uint8)
    for n in (1, 5):  # those of one shape
        alike = [o for o in orientations if upright[o].shape == upright[n].shape]
        rows = [row for row, o in enumerate(orientations) if o in alike]
        expected[rows] = aug(np.stack([upright[o] for o in alike]), ids[rows], 0)
    contents = [encoded[n] for n in orientations]
    part, whole = part_and_whole(aug, contents, ids)
    assert np.array_equal(whole, expected)
    if recipe == "reduced":  # the JPEG's own transform may have reduced
        assert np.abs(part.astype(int) - expected).mean((1, 2, 3)).max() < 0.7
    else:
        assert np.array_equal(part, expected)


def test_a_turned_jpeg_is_reduced_as_the_upright_one():
    """Blocks of one grey each are the same JPEG blocks however they are turned."""
    levels = np.random.default_rng(5).integers(0, 256, (16, 24), dtype=np.uint8)
    upright = np.repeat(np.repeat(levels, 16, 0), 16, 1)[..., None].repeat(3, -1)
    contents = [encode(turned_back(upright, n), orientation=n, subsampling=0) for n in range(1, 9)]
    aug = ar.Compose([ar.RandomResizedCrop(40, 56, scale=(0.8, 1)), ar.RandomRotation(10)], seed=3)
    out = through_map(aug, contents * 3, np.repeat(np.arange(3), 8)).reshape(3, 8, 40, 56, 3)
    assert (out == out[:, :1]).all()


def turned_back(upright, orientation):
    """The pixels that EXIF `orientation` turns to these."""
    for inverse in range(1, 9):
        picture = Image.fromarray(upright)
        picture.getexif()[EXIF_ORIENTATION] = inverse
        stored = np.asarray(ImageOps.exif_transpose(picture))
        again = Image.fromarray(stored)
        again.getexif()[EXIF_ORIENTATION] = orientation
        if np.array_equal(np.asarray(ImageOps.exif_transpose(again)), upright):
            return stored
    raise AssertionError(orientation)


@pytest.mark.parametrize("size", [(64, 1024), (1023, 65)])
def test_a_long_picture_is_reduced_along_its_long_side(photos, size):
    contents = encode(np.resize(photos[0], (*size, 3)), subsampling=0)
    whole = tf.io.decode_jpeg(contents, dct_method="INTEGER_ACCURATE")
    aug = ar.Compose([ar.Resize(50, 50)])
    assert np.array_equal(through_map(aug, contents, [1])[0], aug(whole, 1, 0))


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "WEBP"])
def test_other_formats_are_decoded_whole(photos, kind):
    contents = encode(photos[1][:200, :310], kind)
    whole = np.asarray(Image.open(io.BytesIO(contents)).convert("RGB"))
    aug = ar.Compose([ar.RandomResizedCrop(64, 64), ar.RandomFlip(), ar.RandomRotation(30)], seed=3)
    expected = [aug(whole, id_, 0) for id_ in range(6)]
    assert np.array_equal(through_map(aug, contents, range(6)), expected)


@pytest.mark.parametrize(("side", "scale"), [(150, 2), (75, 4), (40, 8)])
def test_reduced_parts_are_close_to_means_of_the_whole(photos, side, scale):
    """The JPEG's own reduction against the means of 2x2, 4x4, 8x8 pixels of a full decode."""
    contents = [encode(photo, quality=95, subsampling=0) for photo in photos]
    aug = ar.Compose(
        [ar.RandomResizedCrop(side, side, scale=(0.9, 1), ratio=(1, 1)), ar.RandomRotation(10)], seed=3
    )
    wholes = [tf.io.decode_jpeg(one, dct_method="INTEGER_ACCURATE") for one in contents]
    parts = part_and_whole(aug, np.repeat(np.array(contents, object), 6), [*range(6)] * 2)
    for whole, found, exact in zip(wholes, *(np.split(images, 2) for images in parts), strict=True):
        expected = np.stack([aug(whole, id_, 0) for id_ in range(6)]).astype(int)
        error = np.abs(found - expected)
        assert error.mean() < 0.6
        assert np.percentile(error, 99.9) <= 8
        assert np.array_equal(exact, expected)


def test_grey(photos):
    contents = encode(photos[0][:200, :300, 0])
    aug = ar.Compose([ar.RandomCrop(64, 64), ar.RandomRotation(30)], seed=3)
    whole = tf.io.decode_jpeg(contents, dct_method="INTEGER_ACCURATE")
    expected = [aug(whole, id_, 0) for id_ in range(4)]
    assert np.array_equal(through_map(aug, contents, range(4), channels=1), expected)


def test_extreme_shapes():
    for shape in ((1, 1), (1, 10_000), (10_000, 1)):
        pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
        contents = encode(pixels, subsampling=0)
        whole = tf.io.decode_jpeg(contents, dct_method="INTEGER_ACCURATE")
        aug = ar.Compose([ar.RandomResizedCrop(16, 16, antialias=False), ar.RandomRotation(30)], seed=3)
        expected = [aug(whole, id_, 0) for id_ in range(4)]
        assert np.array_equal(through_map(aug, contents, range(4)), expected)


def test_a_cut_off_file_fails_whatever_is_drawn(photos):
    contents = encode(photos[0])
    aug = ar.Compose([ar.RandomCrop(16, 16)], seed=3)
    files = [contents + b"trailing bytes", contents[: len(contents) // 2], contents[: len(contents) - 2]]
    found = iter(mapped([Reader(aug)], np.repeat(np.array(files, object), 20), [*range(20)] * 3))
    for _ in range(20):
        next(found)
    for _ in range(40):  # each after the other: what fails does not end a dataset
        with pytest.raises(tf.errors.InvalidArgumentError, match="Invalid JPEG"):
            next(found)
    with pytest.raises(StopIteration):
        next(found)


def test_a_huge_header_is_refused_before_memory_is_taken(photos):
    png = encode(photos[0][:20, :20], "PNG")
    huge = png[:16] + (60_000).to_bytes(4, "big") * 2 + png[24:]
    aug = ar.Compose([ar.RandomCrop(16, 16, pad_if_needed=True)], seed=3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="60000"):
        through_map(aug, huge, [0])
    with pytest.raises(tf.errors.InvalidArgumentError, match="max_pixels"):
        through_map(aug, png, [0], max_pixels=399)
    assert through_map(aug, png, [0], max_pixels=400).shape == (1, 16, 16, 3)


@pytest.mark.slow
def test_a_picture_that_is_decoded_whole_takes_at_most_two_and_a_half_times_its_pixels(python, tmp_path):
    program = """
import resource, sys
import augrng as ar, pipelines as pl
aug = ar.Compose([ar.Resize(64, 64)], seed=1)
for side in (3000, 6000):
    list(pl.make_dataset(pl.from_folder(f"{sys.argv[1]}/{side}"), aug, batch_size=1))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""
    for side in (3000, 6000):
        (tmp_path / str(side)).mkdir()
        picture = Image.linear_gradient("L").resize((side, side)).convert("RGB")
        picture.save(tmp_path / str(side) / "a.png", compress_level=1)
    small, large = map(int, python(program, tmp_path).split())
    assert large - small <= 2.5 * 3 * (6000**2 - 3000**2)  # what else is taken, both take


def test_a_recipe_without_a_fixed_size_is_refused():
    with pytest.raises(ValueError, match="its output must have a fixed size"):
        Reader(ar.Compose([ar.RandomFlip()], seed=1))


def test_what_fails_is_never_said_to_be_cancelled():
    """`ignore_errors` passes over what is invalid; at a cancelled element a run would end (1 of 200 did)."""
    broken = [tf.io.encode_jpeg(np.zeros((40, 48, 3), np.uint8)).numpy()[:cut] for cut in (3, 100, 200, 400)]
    reader = Reader(ar.Compose([ar.RandomCrop(16, 16)], seed=1))

    def read(contents):
        return reader(contents, tf.constant(1, tf.int64), tf.constant(0, tf.int64))

    images = steps.mapped(tf.data.Dataset.from_tensor_slices(broken).repeat(1000), read)
    assert list(images.ignore_errors()) == []
