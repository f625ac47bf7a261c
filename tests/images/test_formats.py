"""Channels and dtype of decoded images; oracle: Pillow, and the arrays that were encoded."""

import io

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

import augrng as ar
import pipelines as pl
from pipelines.images import formats, header
from tests.files import decoded, encoded

RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 256, (12, 17, 4), np.uint8)
SMOOTH = np.asarray(Image.fromarray(PIXELS[..., :3]).resize((60, 40), Image.Resampling.BICUBIC))


def with_alpha(kind, **options):
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, kind, **options)
    return buffer.getvalue()


PNG, WEBP = with_alpha("PNG"), with_alpha("WEBP", lossless=True, exact=True)
OPAQUE = {kind: encoded(PIXELS[..., :3], kind) for kind in ("JPEG", "PNG", "GIF", "BMP", "WEBP")}


@pytest.mark.parametrize("contents", [PNG, WEBP], ids=["png", "webp"])
def test_alpha_is_kept_where_it_is_asked_for(contents):
    np.testing.assert_array_equal(decoded(contents, channels=4), PIXELS)
    np.testing.assert_array_equal(decoded(contents, channels=3), PIXELS[..., :3])
    grey = np.asarray(Image.fromarray(PIXELS[..., :3]).convert("L")).astype(int)
    two = decoded(contents, channels=2)
    np.testing.assert_array_equal(two[..., 1], PIXELS[..., 3])
    assert np.abs(two[..., 0] - grey).max() <= 1
    np.testing.assert_array_equal(decoded(contents, channels=1), two[..., :1])


@pytest.mark.parametrize("kind", OPAQUE)
def test_alpha_of_others_is_opaque_and_16_bits_span_the_range(kind):
    for channels in (1, 3):
        plain = decoded(OPAQUE[kind], channels=channels)
        more = decoded(OPAQUE[kind], channels=channels + 1)
        np.testing.assert_array_equal(more[..., :-1], plain)
        assert (more[..., -1] == 255).all()
    for channels in (1, 2, 3, 4):
        deep = decoded(OPAQUE[kind], channels=channels, dtype="uint16")
        assert deep.dtype == np.uint16
        np.testing.assert_array_equal(deep // 257, decoded(OPAQUE[kind], channels=channels))
        np.testing.assert_array_equal(deep % 257, 0 * deep)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_of_16_bits(channels):
    deep = RANDOM.integers(0, 65536, (9, 11, channels)).astype(np.uint16)
    contents = tf.io.encode_png(deep).numpy()
    np.testing.assert_array_equal(decoded(contents, channels=channels, dtype="uint16"), deep)
    np.testing.assert_array_equal(decoded(contents, channels=channels), deep >> 8)


def test_grey_of_cmyk(tmp_path):
    contents = encoded(SMOOTH, mode="CMYK", quality=95)
    grey = np.asarray(Image.open(io.BytesIO(contents)).convert("RGB").convert("L")).astype(int)
    assert np.abs(decoded(contents, channels=1)[..., 0] - grey).max() <= 2
    (tmp_path / "cmyk.jfif").write_bytes(contents)
    batch = next(iter(pl.make_dataset(pl.from_folder(tmp_path), crop(40, 60), batch_size=1, channels=1)))
    np.testing.assert_array_equal(batch["image"][0], decoded(contents, channels=1))


def crop(height, width):
    return ar.Compose([ar.CenterCrop(height, width)], seed=1)


def written(folder, dtype, channels, count=3):
    """A prepared TFDS dataset of images of a dtype, and the images."""
    images = RANDOM.integers(0, np.iinfo(dtype).max + 1, (count, 8, 10, channels)).astype(dtype)

    class Deep(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            image = tfds.features.Image(shape=(None, None, channels), dtype=dtype, encoding_format="png")
            return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict({"image": image}))

        def _split_generators(self, dl_manager):
            return {"train": ((number, {"image": image}) for number, image in enumerate(images))}

        def _generate_examples(self):
            raise NotImplementedError

    builder = Deep(data_dir=str(folder))
    builder.download_and_prepare()
    return builder, images


@pytest.mark.parametrize(
    ("dtype", "channels"), [(np.uint16, 1), (np.uint16, 3), (np.uint8, 4), (np.uint8, 1)]
)
def test_tfds_keeps_what_the_feature_says(tmp_path, dtype, channels):
    builder, images = written(tmp_path, dtype, channels)
    source = pl.from_tfds(builder)
    assert (source.channels, source.dtype) == (channels, np.dtype(dtype).name)
    batch = next(iter(pl.make_dataset(source, crop(8, 10), batch_size=3)))["image"].numpy()
    assert batch.dtype == dtype
    assert sorted(image.tobytes() for image in batch) == sorted(image.tobytes() for image in images)
    asked = pl.make_dataset(source, crop(8, 10), batch_size=3, channels=3, dtype="uint8")
    assert next(iter(asked))["image"].dtype == tf.uint8
    assert next(iter(asked))["image"].shape == (3, 8, 10, 3)


def test_kinds_that_no_file_can_become(tmp_path):
    (tmp_path / "a.png").write_bytes(PNG)
    source = pl.from_folder(tmp_path)
    for argument, message in (({"channels": 5}, "channels: must be 1"), ({"dtype": "float32"}, "dtype: ")):
        with pytest.raises(ValueError, match=message):
            pl.make_dataset(source, crop(8, 8), batch_size=1, **argument)


def test_suffixes(tmp_path):
    for suffix in ("jpg", "JPEG", "jpe", "jfif", "png", "gif", "bmp", "dib", "webp", "txt"):
        (tmp_path / f"a.{suffix}").write_bytes(PNG)
    assert pl.from_folder(tmp_path).size == 9


def test_webp_is_refused_by_name_where_tensorflow_does_not_decode_it(monkeypatch):
    monkeypatch.delattr(tf.io, "decode_webp")
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="WebP, which TensorFlow decodes from 2.20 on; this is 2"
    ):
        formats._whole(3, "uint8", tf.constant(WEBP), tf.constant(header.WEBP))
    assert formats._whole(4, "uint8", tf.constant(PNG), tf.constant(header.PNG)).shape == PIXELS.shape
