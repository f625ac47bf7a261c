"""Encoded masks to labels; the oracle is Pillow, whose mode "P" keeps a palette's indices."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import augrng as ar
import pipelines as pl
from pipelines.images.masks import decode_mask

PALETTE = [int(value) for value in np.random.default_rng(3).integers(0, 256, 768)]


def palette_png(labels, **options):
    """A PNG with a palette."""
    picture = Image.frombytes("P", labels.shape[::-1], labels.tobytes())
    picture.putpalette(PALETTE)
    file = io.BytesIO()
    picture.save(file, "PNG", **options)
    return file.getvalue()


def pillows(contents):
    with Image.open(io.BytesIO(contents)) as picture:
        return np.asarray(picture)


def labels_below(count, rng):
    return rng.integers(0, count, (13, 21), np.uint8)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_palettes_indices(bits, rng):
    labels = labels_below(2**bits, rng)
    for options in ({}, {"transparency": bytes([0, 255])}, {"pnginfo": comment()}):
        contents = palette_png(labels, bits=bits, **options)
        assert contents[24:26] == bytes([bits, 3])
        assert np.array_equal(pillows(contents), labels)
        assert np.array_equal(decode_mask(tf.constant(contents))[..., 0], labels)


def comment():
    """Text chunks before the image data."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Comment", "IDAT " * 40)
    return info


def test_other_masks_are_grey(rng):
    labels = labels_below(200, rng)
    file = io.BytesIO()
    Image.fromarray(labels).save(file, "PNG")
    assert np.array_equal(decode_mask(tf.constant(file.getvalue()))[..., 0], labels)
    few = io.BytesIO()
    Image.fromarray(labels > 99).save(few, "PNG")  # of one bit, grey: 0 and 255, as ever
    assert np.array_equal(decode_mask(tf.constant(few.getvalue()))[..., 0], np.where(labels > 99, 255, 0))


def test_exif_turns_a_mask_as_it_turns_an_image(rng):
    labels, exif = labels_below(9, rng), Image.Exif()
    exif[0x112] = 6
    contents = palette_png(labels, exif=exif)
    assert np.array_equal(decode_mask(tf.constant(contents))[..., 0], np.rot90(labels, -1))


def test_damage_is_refused(rng):
    contents = palette_png(labels_below(9, rng))
    wrong = bytearray(contents)
    wrong[31] ^= 4  # the header's checksum
    deep = io.BytesIO()
    Image.fromarray(rng.integers(0, 2**16, (5, 6), np.uint16)).save(deep, "PNG")
    for broken, message in (
        (bytes(wrong), "PNG"), (contents[:60], "PNG"), (contents[:33], "PNG"), (b"", "not a JPEG"),
        (deep.getvalue(), "a mask of 16 bits"),
    ):  # fmt: skip
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            decode_mask(tf.constant(broken))


def test_folders_of_palette_masks(rng, tmp_path):
    """VOC's layout: JPEGImages and SegmentationClass, 255 at the borders of objects."""
    expected = {}
    for name in ("a", "b", "c"):
        labels = rng.choice(np.uint8([0, 1, 15, 20, 255]), (20, 24))
        for folder in ("images", "masks"):
            (tmp_path / folder).mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20, 24, 3), np.uint8)).save(tmp_path / "images" / f"{name}.jpg")
        (tmp_path / "masks" / f"{name}.png").write_bytes(palette_png(labels))
        expected[int(ar.string_ids(f"{name}.jpg"))] = labels[2:18, 4:20]
    source = pl.from_folder(tmp_path / "images", masks=tmp_path / "masks")
    aug = ar.Compose([ar.CenterCrop(16, 16)], targets={"mask": ar.Mask(255)}, seed=1)
    batch = next(iter(pl.make_dataset(source, aug, batch_size=3)))
    for id_, mask in zip(batch["id"].numpy(), batch["mask"].numpy(), strict=True):
        assert np.array_equal(mask[..., 0], expected[int(id_)])
