"""Mistakes in what is given to make_dataset and the sources: each message names argument, rule, what came."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

import augrng as ar
import pipelines as pl
from augrng.output import Output
from pipelines.sources import digits

IMAGES = np.random.default_rng(1).integers(0, 256, (10, 20, 24, 3), dtype=np.uint8)
AUG = ar.Compose([ar.RandomCrop(16, 16)], seed=5)


def made(source=None, aug=AUG, **options):
    source = pl.from_arrays(IMAGES, np.arange(10)) if source is None else source
    return pl.make_dataset(source, aug, **{"batch_size": 4, "seed": 1, **options})


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"aug": [ar.RandomFlip()]},
            TypeError,
            r"aug: must be an augrng.Compose, got list .*Compose\(\[...\]",
        ),
        ({"aug": "None"}, TypeError, "aug: must be an augrng.Compose, got str 'None'; of JSON"),
        (
            {"aug": ar.RandomFlip()},
            TypeError,
            r"aug: .*got RandomFlip .*put it into one: Compose\(\[RandomFlip",
        ),
        (
            {"source": IMAGES},
            TypeError,
            r"source: must be a source, got ndarray uint8\(10, 20, 24, 3\); .*from_arrays",
        ),
        ({"source": tf.data.Dataset.range(3)}, TypeError, "source: must be a source, got .*from_dataset"),
        ({"source": "photos"}, TypeError, r"source: .*from_folder\('photos'\)"),
        ({"output": "units"}, ValueError, r"output: must be one of \('same', 'unit'\).*got 'units'"),
        ({"output": 1}, TypeError, "output: must be an augrng.output.Output, .*got 1"),
        ({"epochs": 1.0}, TypeError, "epochs: must be an integer or None for no end, got float 1.0; pass 1"),
        ({"epochs": True}, TypeError, "epochs: must be an integer or None for no end, got bool True"),
        ({"batch_size": None}, TypeError, "batch_size: must be an integer, got None"),
        ({"batch_size": "4"}, TypeError, "batch_size: must be an integer, got str '4'"),
        ({"start_step": 0.5}, TypeError, "start_step: must be an integer, got float 0.5$"),
        ({"hosts": 0}, ValueError, r"host: must lie in \[0, hosts\), got 0 of 0"),
        ({"hosts": "2"}, TypeError, "hosts: must be an integer, got str '2'"),
        (
            {"skipped": "/nowhere/at/all"},
            OSError,
            "skipped: must be a file that can be written .*No such file",
        ),
        (
            {"aug": ar.Compose([ar.RandomCrop(30, 16)], seed=1)},
            ValueError,
            r"aug: .*RandomCrop\(.*all images of arrays .* are 20x24",
        ),
    ],
)
def test_mistakes_in_make_dataset(options, error, message):
    with pytest.raises(error, match=message):
        made(**options)
    with pytest.raises((error, TypeError)):
        pl.for_keras(
            options.pop("source", pl.from_arrays(IMAGES, np.arange(10))),
            options.pop("aug", AUG),
            **{"batch_size": 4, **options},
        )


def test_no_recipe_is_told():
    with pytest.raises(TypeError, match="aug: must be an augrng.Compose, got None; without augmentation"):
        made(aug=None)


def test_an_output_by_its_name():
    one, other = (next(iter(made(output=output)))["image"] for output in ("unit", Output("unit")))
    assert np.array_equal(one, other)
    assert one.dtype == tf.float32


def test_numpys_integers_are_integers():
    assert len(list(made(batch_size=np.int64(4), epochs=np.int32(2)))) == 5


def test_a_batch_larger_than_all_is_warned_of():
    with pytest.warns(
        UserWarning, match="batch_size: 16 examples are more than the 10 there are.*not one batch"
    ):
        dataset = made(batch_size=16, drop_remainder=True)
    assert list(dataset) == []
    assert (
        len(list(made(batch_size=16, drop_remainder=True, epochs=2))) == 1
    )  # no warning: it is an error here
    assert len(list(made(batch_size=16))) == 1


def test_images_of_one_size_need_no_crop(tmp_path):
    """Flip and rotation on MNIST's format, and on arrays, against the recipe applied by itself."""
    aug = ar.Compose([ar.RandomFlip(), ar.RandomRotation(20)], seed=2)
    pixels = IMAGES[..., 0]
    header = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in pixels.shape)
    (tmp_path / "images").write_bytes(header + pixels.tobytes())
    for source, images in (
        (pl.from_idx(tmp_path / "images"), pixels[..., None]),
        (pl.from_arrays(IMAGES), IMAGES),
    ):
        (batch,) = made(source, aug, batch_size=10)
        assert np.array_equal(batch["image"], aug(images[batch["id"].numpy()], batch["id"], 0))
    spec = {"image": tf.TensorSpec([None, None, 3], tf.uint8), "id": tf.TensorSpec([], tf.int64)}
    several = tf.data.Dataset.from_generator(lambda: iter(()), output_signature=spec)
    with pytest.raises(
        ValueError, match="aug: its output must have a fixed size, as the images of dataset may have"
    ):
        made(pl.from_dataset(several), aug)


def test_pairs_become_records_with_ids_by_place():
    pairs = tf.data.Dataset.from_tensor_slices((IMAGES, np.arange(10) + 50))
    (batch,) = made(pl.from_dataset(pairs), batch_size=10)
    assert np.array_equal(batch["label"], batch["id"] + 50)
    assert np.array_equal(batch["image"], AUG(IMAGES[batch["id"].numpy()], batch["id"], 0))
    (named,) = made(pl.from_dataset(pairs, id=lambda r: r["label"]), batch_size=10)
    assert np.array_equal(named["label"], named["id"])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: pl.from_dataset(IMAGES),
            TypeError,
            "dataset: must be a tf.data.Dataset, got ndarray; from_arrays",
        ),
        (
            lambda: pl.from_dataset(tf.data.Dataset.from_tensors((1, 2, 3))),
            TypeError,
            r"dataset: its elements must be dicts, or \(image, label\) pairs; make dicts with dataset.map",
        ),
        (
            lambda: pl.from_dataset(
                tf.data.Dataset.from_tensor_slices({"image": IMAGES, "id": range(10)}).repeat()
            ),
            ValueError,
            "dataset: must end, got one that repeats for ever; leave repeat",
        ),
        (
            lambda: pl.from_dataset(tf.data.Dataset.from_tensors({"image": 1, "name": "a"})),
            ValueError,
            r"must have 'id', got \['image', 'name'\]; id= names a feature",
        ),
    ],
)
def test_mistakes_in_from_dataset(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_mistakes_in_from_tfds(tmp_path):
    builder = digits.prepared(digits.Digits, tmp_path)
    with pytest.raises(
        ValueError, match=r'id: must be "tfds_id" or a feature of digits, one of .*got \'nope\''
    ):
        pl.from_tfds(builder, id="nope")
    (tmp_path / "photos" / "train" / "cat").mkdir(parents=True)
    (tmp_path / "photos" / "train" / "cat" / "1.png").write_bytes(tf.io.encode_png(IMAGES[0]).numpy())
    folder = tfds.folder_dataset.ImageFolder(str(tmp_path / "photos"))
    with pytest.raises(
        ValueError, match=r"split: must be a subfolder of .*photos, one of \['train'\], got 'test'"
    ):
        pl.from_tfds(folder, "test")
