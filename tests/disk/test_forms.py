"""Built datasets whose images are smaller JPEGs, or raw pixels; Pillow and TensorFlow say what must be in them."""

import io
import json
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image, ImageOps

import augrng as ar
import pipelines as pl
from pipelines.disk.forms import recipe_of, reduced
from pipelines.disk.forms import smaller as smaller_example
from pipelines.images.decode import decode
from pipelines.images.formats import raw_bytes, raw_window
from tests.disk.test_build import build, manifest_of, noise, verify

pytestmark = pytest.mark.usefixtures("op_by_op")

SIDE = 24
SHAPES = {"cat/wide.jpg": (33, 50), "cat/turned.jpg": (61, 40), "dog/long.png": (90, 30), "dog/small.jpg": (20, 24),
          "dog/small.png": (24, 18), "dog/small.bmp": (9, 11)}  # fmt: skip
AUG = ar.Compose([ar.RandomCrop(8, 8)], seed=7)


def smooth(seed, height, width):
    """What JPEG keeps nearly as it is: noise of 5x5, enlarged."""
    return np.asarray(Image.fromarray(noise(seed, 5, 5)).resize((width, height), Image.Resampling.BICUBIC))


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    root = tmp_path_factory.mktemp("forms") / "pets"
    for n, (path, (height, width)) in enumerate(SHAPES.items()):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        exif = Image.Exif()
        exif[0x112] = 6 if "turned" in path else 1
        Image.fromarray(smooth(n, height, width)).save(root / path, quality=95, exif=exif)
    return root


@pytest.fixture(scope="module")
def smaller(images, tmp_path_factory):
    out = tmp_path_factory.mktemp("smaller") / "out"
    assert build(f"folder:{images}", out, "--shorter-side", SIDE) == 0
    return out


@pytest.fixture(scope="module")
def raw(images, tmp_path_factory):
    out = tmp_path_factory.mktemp("raw") / "out"
    assert build(f"folder:{images}", out, "--pixels", "--recipe", "RandomCrop(8, 8)", "--seed", 7) == 0
    return out


def pillow(data):
    """Upright RGB pixels by Pillow."""
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))


def stored(out):
    """Records by id, as they lie in the shards."""
    paths = sorted(str(path) for path in out.glob("*.tfrecord-*"))
    found = [tf.train.Example.FromString(record.numpy()) for record in tf.data.TFRecordDataset(paths)]
    return {example.features.feature["id"].int64_list.value[0]: example.features.feature for example in found}


def cropped(pixels, id_):
    drawn = AUG.sample([id_], 0, [pixels.shape[:2]])["random_crop"]
    top, left = int(drawn["top"][0]), int(drawn["left"][0])
    return pixels[top : top + 8, left : left + 8]


def bytes_of(out):
    ids = {int(ar.string_ids(path)): path for path in SHAPES}
    return {ids[id_]: feature["image"].bytes_list.value[0] for id_, feature in stored(out).items()}


def expected_size(path):
    height, width = SHAPES[path][::-1] if "turned" in path else SHAPES[path]
    shorter = min(height, width)
    return (height, width) if shorter <= SIDE else (height * SIDE // shorter, width * SIDE // shorter)


def pillow_reduced(pixels, path):
    size = expected_size(path)[::-1]
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))


def test_larger_images_are_pillows_smaller_ones(images, smaller):
    for path, data in bytes_of(smaller).items():
        original = (images / path).read_bytes()
        if "small" in path:
            assert data == original or path.endswith("bmp")
            np.testing.assert_array_equal(pillow(data), pillow(original))
            continue
        assert data[:3] == b"\xff\xd8\xff"
        expected = pillow_reduced(pillow(original), path)
        made = reduced(tf.constant(pillow(original)), SIDE).numpy().astype(int)
        assert made.shape[:2] == expected_size(path)
        assert np.abs(made - expected).max() <= 1
        again = io.BytesIO()
        Image.fromarray(made.astype(np.uint8)).save(again, "JPEG", quality=92)
        np.testing.assert_array_equal(pillow(data), pillow(again.getvalue()))
    assert tfds.builder_from_directory(smaller).info.features["label"].names == ["cat", "dog"]


def test_raw_pixels_are_tensorflows_through_the_recipe(images, raw):
    for path, data in bytes_of(raw).items():
        original = (images / path).read_bytes()
        decoder = tf.io.decode_jpeg if path.endswith("jpg") else tf.io.decode_image
        options = {"dct_method": "INTEGER_ACCURATE"} if path.endswith("jpg") else {}
        pixels = decoder(original, channels=3, **options).numpy()
        pixels = np.rot90(pixels, -1) if "turned" in path else pixels
        np.testing.assert_array_equal(pillow(data), cropped(pixels, int(ar.string_ids(path))))
        assert len(data) == 64 + 8 * 8 * 3
    read = next(iter(tfds.builder_from_directory(raw).as_dataset(split="train", as_supervised=True)))
    assert read[0].dtype == tf.string


def test_raw_pixels_are_read_back_by_the_reader_of_encoded_images(raw):
    source = pl.from_tfds(tfds.builder_from_directory(raw), id="id")
    assert (source.channels, source.class_names) == (3, ("cat", "dog"))
    files, total = bytes_of(raw), ar.Fingerprint()
    for record in source.dataset():
        id_ = int(record["id"])
        path = next(path for path in SHAPES if ar.string_ids(path) == id_)
        pixels = decode(record["image"])
        np.testing.assert_array_equal(pixels, pillow(files[path]))
        assert record["label"] == (path[0] == "d")
        total += ar.fingerprint(pixels, id_, 0)
    assert manifest_of(raw)["fingerprint"] == str(total)


def test_the_pixels_of_smaller_jpegs_are_those_of_their_files(smaller):
    files = bytes_of(smaller).items()
    parts = (ar.fingerprint(pillow(data), int(ar.string_ids(path)), 0) for path, data in files)
    assert manifest_of(smaller)["fingerprint"] == str(sum(parts, ar.Fingerprint()))


def test_verify_makes_smaller_jpegs_again(smaller, tmp_path, capsys):
    copy = shutil.copytree(smaller, tmp_path / "smaller")
    manifest = manifest_of(copy)
    manifest["arguments"]["quality"] = 50
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert verify(copy / "manifest.json") == 1
    assert capsys.readouterr().out.count("pixels differ") == 3  # those that were made smaller


def test_verify_makes_raw_pixels_again(raw, tmp_path, capsys):
    assert verify(raw / "manifest.json") == 0
    copy = shutil.copytree(raw, tmp_path / "raw")
    text = (copy / "manifest.json").read_text()
    pair = json.loads(text)["recipe"]["transforms"][0]["pair"]
    capsys.readouterr()
    (copy / "manifest.json").write_text(text.replace(json.dumps(pair[1]), json.dumps(pair[1] + 1)))
    assert verify(copy / "manifest.json") == 1
    assert capsys.readouterr().out.count("pixels differ") == len(SHAPES)


@pytest.mark.parametrize("options", [["--quality", 80], ["--pixels"]])
def test_a_build_of_another_form_is_left_alone(options, images, smaller, capsys):
    before = {path: path.stat().st_mtime_ns for path in smaller.iterdir()}
    assert build(f"folder:{images}", smaller, "--shorter-side", SIDE, *options) == 2
    assert f"{options[0][2:]} is " in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in smaller.iterdir()} == before


@pytest.mark.parametrize("stored", [1, 3])
def test_windows_of_raw_pixels(stored):
    pixels = noise(3, 20, 14)[..., :stored]
    contents = raw_bytes(pixels)
    with Image.open(io.BytesIO(contents)) as picture:
        assert (picture.mode, picture.size) == ("L" if stored == 1 else "RGB", (14, 20))
    expected = {stored: pixels, 4 - stored: np.repeat(pixels, 3, -1)}
    if stored == 3:
        expected[1] = tf.image.rgb_to_grayscale(pixels).numpy()
    for channels, whole in expected.items():
        np.testing.assert_array_equal(decode(contents, channels=channels), whole)
        for top, left, height, width in ((0, 0, 20, 14), (7, 3, 4, 5), (1, 2, 18, 12), (19, 13, 1, 1)):
            window = raw_window(contents, [20, 14], [top, left, height, width], channels)
            np.testing.assert_array_equal(window, whole[top : top + height, left : left + width])
    for damaged in (contents[:-1], contents + b"0"):
        with pytest.raises(tf.errors.InvalidArgumentError, match="more or fewer than the header says"):
            decode(damaged, channels=stored)


def test_targets_are_moved_with_what_is_made_smaller():
    targets = {
        "mask": ar.Mask(), "keypoints": ar.Keypoints("xy"), "objects/boxes": ar.Boxes("xyxy", labels="objects/labels"),
    }  # fmt: skip
    aug = recipe_of(SIDE, ar.Compose([ar.Resize(SIDE, antialias="exact")], targets=targets))
    kinds = {
        "image": ([None, None, 3], tf.uint8), "mask": ([None, None, 1], tf.uint8), "id": ([], tf.int64),
        "keypoints": ([2, 2], tf.float32), "name": ([], tf.string),
    }  # fmt: skip
    spec = {name: tf.TensorSpec(*kind) for name, kind in kinds.items()}
    spec["objects"] = {"boxes": tf.TensorSpec([2, 4]), "labels": tf.TensorSpec([2], tf.int64)}
    move = tf.function(lambda example: smaller_example(aug, example, SIDE), [spec], autograph=False)
    for height, width in ((60, 50), (20, 22)):
        mask = noise(1, height, width)[..., :1]
        boxes, points = [[0, 0, width / 2, height], [width / 4, height / 2, width, height]], [[1, 2], [9, 19]]
        objects = {"boxes": tf.constant(boxes, tf.float32), "labels": tf.constant([1, 2], tf.int64)}
        example = {"image": noise(2, height, width), "mask": mask, "id": np.int64(5), "objects": objects}
        example |= {"keypoints": tf.constant(points, tf.float32), "name": "as it was"}
        got = move(tf.nest.map_structure(tf.convert_to_tensor, example))
        factor = min(SIDE / min(height, width), 1)
        side = height * factor, width * factor
        rows, columns = (
            np.int64((np.arange(int(n)) + 0.5) * full / int(n))
            for n, full in zip(side, (height, width), strict=True)
        )
        assert got["image"].shape == (int(side[0]), int(side[1]), 3)
        np.testing.assert_array_equal(got["mask"], mask[rows][:, columns])
        by = np.array([int(side[1]) / width, int(side[0]) / height])
        np.testing.assert_allclose(got["objects"]["boxes"], boxes * np.tile(by, 2), atol=1e-5)
        np.testing.assert_allclose(got["keypoints"], points * by, atol=1e-5)
        np.testing.assert_array_equal(got["objects"]["labels"], [1, 2])
        assert (got["id"], got["name"]) == (5, b"as it was")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shorter-side", "0"], "shorter_side: must be at least 1 pixel, got 0"),
        (["--quality", "80"], "quality: is of JPEGs, which shorter_side without pixels makes, got 80"),
        (["--shorter-side", "8", "--pixels", "--quality", "80"], "quality: is of JPEGs"),
        (["--shorter-side", "8", "--quality", "101"], "quality: must lie in 1 to 100, got 101"),
        (["--shorter-side", "8", "--recipe", "RandomFlip()"], "shorter_side: must be left out with a recipe"),
        (["--pixels", "--channels", "4"], "to become raw pixels, got uint8 with 4.*PNGs hold them"),
        (["--shorter-side", "8", "--channels", "4"], "to become JPEGs, got uint8 with 4"),
    ],
)
def test_refuses(options, message, images, tmp_path, capsys):
    assert build(f"folder:{images}", tmp_path / "out", *options) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "out").exists()
