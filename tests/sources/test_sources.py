"""Sources: every kind gives the same ids and pixels, and refuses what it cannot read."""

import gzip
import io

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

import augrng as ar
import pipelines as pl
from pipelines.sources import digits

pytestmark = pytest.mark.usefixtures("op_by_op")

COUNT = 24
AUG = ar.Compose([ar.RandomResizedCrop(20, 24), ar.RandomFlip(), ar.RandomRotation(30)], seed=5)


def pictures():
    return np.random.default_rng(1).integers(0, 256, (COUNT, 30, 40, 3), dtype=np.uint8)


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def names():
    return [f"{'cat' if n % 3 else 'dog'}/{n:03}.png" for n in range(COUNT)]


@pytest.fixture
def folder(tmp_path):
    for name, pixels in zip(names(), pictures(), strict=True):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(pixels))
    return tmp_path / "images"


def write_tfrecords(folder, contents, options=None):
    """Three files of encoded images, every third in each."""

    def feature(value):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    for shard in range(3):
        with tf.io.TFRecordWriter(str(folder / f"part-{shard}.tfrecord"), options) as writer:
            for name, content in list(zip(names(), contents, strict=True))[shard::3]:
                features = tf.train.Features(
                    feature={"image": feature(content), "name": feature(name.encode())}
                )
                writer.write(tf.train.Example(features=features).SerializeToString())


@pytest.fixture
def tfrecords(tmp_path):
    write_tfrecords(tmp_path, [png(p) for p in pictures()])
    return tmp_path


SPEC = {"image": tf.io.FixedLenFeature([], tf.string), "name": tf.io.FixedLenFeature([], tf.string)}


def write_by_hand(path, images):
    """A TFDS dataset laid out by hand, of pixels or of files: TFRecords and metadata."""
    features = tfds.features.FeaturesDict(
        {"image": tfds.features.Image(shape=(None, None, 3)), "name": tfds.features.Text()}
    )
    path.mkdir()
    with tf.io.TFRecordWriter(str(path / "hand-train.tfrecord-00000-of-00001")) as writer:
        for name, image in zip(names(), images, strict=True):
            writer.write(features.serialize_example({"image": image, "name": name}))
    tfds.folder_dataset.write_metadata(
        data_dir=path, features=features,
        split_infos=[tfds.core.SplitInfo(name="train", shard_lengths=[COUNT], num_bytes=0)],
        filename_template="{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
    )  # fmt: skip


@pytest.fixture
def by_hand(tmp_path):
    write_by_hand(tmp_path / "by_hand", pictures())
    return tmp_path / "by_hand"


def fingerprint(source, **options):
    """Of one run over a source, with the number of epochs and every option of make_dataset."""
    total = ar.Fingerprint()
    for batch in pl.make_dataset(source, AUG, **{"batch_size": 7, "seed": 1, "epochs": 2, **options}):
        total += ar.fingerprint(batch["image"], batch["id"], batch["epoch"])
    return total


def test_all_sources_give_the_same_fingerprint(folder, tfrecords, by_hand):
    builder = tfds.builder_from_directory(by_hand)
    encoded = tf.data.Dataset.from_tensor_slices({"image": [png(p) for p in pictures()], "name": names()})
    sources = {
        "arrays": pl.from_arrays(pictures(), ids=ar.string_ids(names()).numpy()),
        "folder": pl.from_folder(folder),
        "tfrecords": pl.from_tfrecords(tfrecords / "part-*.tfrecord", SPEC, id="name"),
        "tfds": pl.from_tfds(builder, id="name"),
        "dataset": pl.from_dataset(encoded, id=lambda record: ar.string_ids(record["name"])),
    }
    prints = {name: fingerprint(source) for name, source in sources.items()}
    assert prints["arrays"].count == 2 * COUNT
    assert len(set(prints.values())) == 1, prints
    assert fingerprint(sources["folder"], shuffle=False) == prints["arrays"]
    assert fingerprint(sources["tfrecords"], shuffle_buffer=5, seed=9) == prints["arrays"]
    for name in ("folder", "tfds"):
        parts = [fingerprint(sources[name], batch_size=6, hosts=3, host=host) for host in range(3)]
        assert sum(parts, ar.Fingerprint()) == prints["arrays"]


def test_folder_has_labels_and_paths(folder):
    source = pl.from_folder(folder)
    assert source.class_names == ("cat", "dog")
    assert source.size == COUNT
    for record in source.dataset():
        path = record["path"].numpy().decode()
        assert source.class_names[int(record["label"])] == path.split("/")[0]
        assert int(record["id"]) == int(ar.string_ids(path))
        assert record["image"].numpy() == (folder / path).read_bytes()


def test_tfds_keeps_every_feature_and_makes_ids(tmp_path):
    builder = digits.prepared(digits.Digits, tmp_path)
    source = pl.from_tfds(builder, "test")
    records = list(source.dataset())
    assert source.size == len(records) == 360
    assert source.class_names == tuple("0123456789")
    assert set(records[0]) == {"image", "label", "index", "tfds_id", "id"}
    assert [int(r["id"]) for r in records] == [int(ar.string_ids(r["tfds_id"])) for r in records]
    assert len(pl.duplicate_ids(source)) == 0
    by_name = pl.from_tfds("digits", "test[:5]", data_dir=tmp_path)
    assert [int(r["id"]) for r in by_name.dataset()] == [int(r["id"]) for r in records[:5]]


def test_image_folder_of_tfds(folder, tmp_path):
    split = tmp_path / "split"
    (split / "train").mkdir(parents=True)
    for path in folder.iterdir():
        path.rename(split / "train" / path.name)
    source = pl.from_tfds(tfds.folder_dataset.ImageFolder(str(split)), "train")
    assert source.size == COUNT
    assert sorted(source.ids()) == sorted(ar.string_ids(names()).numpy())
    assert fingerprint(source) == fingerprint(pl.from_folder(split / "train"))


def test_duplicate_ids_are_found():
    ids = np.arange(COUNT)
    ids[5] = ids[7] = 3
    assert pl.duplicate_ids(pl.from_arrays(pictures(), ids=ids)) == {3: 3}


def test_arrays_keep_labels_and_features():
    source = pl.from_arrays(pictures(), np.arange(COUNT) % 4, features={"weight": np.linspace(0, 1, COUNT)})
    (batch,) = pl.make_dataset(source, AUG, batch_size=COUNT, shuffle=False)
    assert np.array_equal(batch["label"], np.arange(COUNT) % 4)
    assert np.array_equal(batch["weight"], np.linspace(0, 1, COUNT))
    assert np.array_equal(batch["image"], AUG(pictures(), np.arange(COUNT), 0))


def test_idx_files(tmp_path):
    """Written byte by byte, as the format's page says: 0, 0, 8 for bytes, rank, sizes, data."""
    pixels, labels = pictures()[..., 0], np.arange(COUNT, dtype=np.uint8)
    header = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in pixels.shape)
    (tmp_path / "images.gz").write_bytes(gzip.compress(header + pixels.tobytes()))
    (tmp_path / "labels").write_bytes(b"\0\0\x08\x01" + COUNT.to_bytes(4, "big") + labels.tobytes())
    source = pl.from_idx(tmp_path / "images.gz", tmp_path / "labels")
    records = list(source.dataset())
    assert [int(r["id"]) for r in records] == [int(r["label"]) for r in records] == list(range(COUNT))
    assert np.array_equal([r["image"][..., 0] for r in records], pixels)
    for name, contents, message in (
        ("text", b"some text", "must be an IDX file of bytes"),
        ("short", header + pixels.tobytes()[:-1], "as its header says"),
        ("header", header[:6], "must be an IDX file of bytes"),
    ):
        (tmp_path / name).write_bytes(contents)
        with pytest.raises(ValueError, match=message):
            pl.from_idx(tmp_path / name)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda t: pl.from_folder(t / "none"), FileNotFoundError, "folder: must be a folder that exists"),
        (lambda t: pl.from_folder(t), ValueError, "folder: must hold images .* found none"),
        (
            lambda t: pl.from_tfrecords(t / "none-*", SPEC),
            FileNotFoundError,
            "files: must name TFRecord files",
        ),
        (
            lambda t: pl.from_tfrecords([t / "none"], SPEC),
            FileNotFoundError,
            "files: must name TFRecord files",
        ),
        (lambda t: pl.from_arrays(pictures()[0]), ValueError, r"images: must have shape \[N, H, W, C\]"),
        (
            lambda t: pl.from_arrays(pictures(), np.zeros(3)),
            ValueError,
            "label: must have one entry for each of 24",
        ),
        (lambda t: pl.from_arrays(pictures(), ids=np.zeros(COUNT)), ValueError, "ids: must be int64"),
        (
            lambda t: pl.from_dataset(tf.data.Dataset.range(3)),
            TypeError,
            "dataset: its elements must be dicts",
        ),
        (lambda t: pl.from_dataset(tf.data.Dataset.from_tensors({"image": 1})), ValueError, "must have 'id'"),
        (lambda t: pl.from_tfds(digits.Digits(data_dir=str(t))), FileNotFoundError, "must be prepared first"),
    ],
)
def test_bad_sources_are_refused(tmp_path, make, error, message):
    with pytest.raises(error, match=message):
        make(tmp_path)


def test_stray_images_beside_class_folders_are_refused(folder):
    (folder / "stray.png").write_bytes(png(pictures()[0]))
    with pytest.raises(ValueError, match=r"all images must lie in subfolders .*stray.png does not"):
        pl.from_folder(folder)


def test_a_missing_feature_and_a_corrupt_record_stop_the_run(tfrecords):
    source = pl.from_tfrecords(
        tfrecords / "part-*", {**SPEC, "label": tf.io.FixedLenFeature([], tf.int64)}, id="name"
    )
    for on_error in ("raise", "skip"):
        with pytest.raises(tf.errors.InvalidArgumentError, match="label"):
            list(pl.make_dataset(source, AUG, batch_size=4, on_error=on_error))
    path = tfrecords / "part-1.tfrecord"
    path.write_bytes(path.read_bytes()[:-100])
    for on_error, access in (("raise", "stream"), ("skip", "stream"), ("raise", "random")):
        source = pl.from_tfrecords(tfrecords / "part-*", SPEC, id="name", access=access)
        message = r"part-1.tfrecord is corrupt or cut off: record 7 cannot be read"
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            list(pl.make_dataset(source, AUG, batch_size=4, on_error=on_error))


@pytest.mark.parametrize("compression", ["", "GZIP"])
@pytest.mark.parametrize("damage", ["cut", "bit of a record", "bit of a length"])
def test_a_corrupt_tfrecord_stops_a_stream(tmp_path, damage, compression):
    write_tfrecords(tmp_path, [png(p) for p in pictures()], compression)
    path = tmp_path / "part-1.tfrecord"
    data = bytearray(path.read_bytes())
    match damage:
        case "cut":
            data = data[:-100]
        case "bit of a record":
            data[len(data) // 2] ^= 4
        case "bit of a length":
            data[12 if compression else 0] ^= 4  # what compresses has a header of 10 bytes
    path.write_bytes(data)
    options = {"compression": compression, "access": "stream"}
    source = pl.from_tfrecords(tmp_path / "part-*", SPEC, id="name", **options)
    for on_error in ("raise", "replace", "skip"):
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=r"part-1.tfrecord is corrupt or cut off: record \d"
        ):
            list(pl.make_dataset(source, AUG, batch_size=4, on_error=on_error))


BROKEN = 7


@pytest.fixture(params=["folder", "tfrecords", "tfds", "dataset"])
def broken_source(request, tmp_path):
    """A source with one image that is cut off, and where that lies."""
    contents = [png(p) for p in pictures()]
    contents[BROKEN] = contents[BROKEN][:200]
    name = names()[BROKEN]
    match request.param:
        case "folder":
            for path, content in zip(names(), contents, strict=True):
                (tmp_path / path).parent.mkdir(exist_ok=True)
                (tmp_path / path).write_bytes(content)
            return pl.from_folder(tmp_path), name
        case "tfrecords":
            write_tfrecords(tmp_path, contents)
            place = f"{tmp_path}/part-{BROKEN % 3}.tfrecord[{BROKEN // 3}]"
            return pl.from_tfrecords(tmp_path / "part-*", SPEC, id="name"), place
        case "tfds":
            files = [tmp_path / f"{number}.png" for number in range(COUNT)]
            for file, content in zip(files, contents, strict=True):
                file.write_bytes(content)
            write_by_hand(tmp_path / "by_hand", map(str, files))
            place = f"hand-train.tfrecord-00000-of-00001__{BROKEN}"
            return pl.from_tfds(tfds.builder_from_directory(tmp_path / "by_hand"), id="name"), place
    dataset = tf.data.Dataset.from_tensor_slices({"image": contents, "path": names()})
    return pl.from_dataset(dataset, id="path"), name


def test_what_fails_is_named_with_its_place_and_cause(broken_source, tmp_path):
    source, place = broken_source
    id_ = int(ar.string_ids(names()[BROKEN]))
    cause = "its PNG data is truncated or corrupt; its header says height 30, width 40"
    with pytest.raises(tf.errors.InvalidArgumentError) as failed:
        list(pl.make_dataset(source, AUG, batch_size=4))
    assert f"the example with id {id_} ({place}) cannot be used: {cause}" in str(failed.value)
    for on_error, count in (("replace", COUNT), ("skip", COUNT - 1)):
        log = tmp_path / f"{on_error}.txt"
        run = pl.make_dataset(source, AUG, batch_size=4, on_error=on_error, skipped=log)
        assert sum(len(batch["id"]) for batch in run) == count
        assert log.read_text() == f"{id_}\t{place}\t{cause}\n"


def test_the_cause_is_told_with_tensorflows_log_switched_off(python, tmp_path):
    """In a process of its own, where graphs are optimised as a user's are."""
    write_tfrecords(tmp_path, [png(p) for p in pictures()])
    (tmp_path / "a.png").write_bytes(png(pictures()[0])[:200])
    program = """
import sys, tensorflow as tf, augrng as ar, pipelines as pl
aug = ar.Compose([ar.CenterCrop(8, 8)], seed=1)
try: list(pl.make_dataset(pl.from_folder(sys.argv[1]), aug, batch_size=1))
except tf.errors.InvalidArgumentError as error: print(error.message)
list(pl.make_dataset(pl.from_folder(sys.argv[1]), aug, batch_size=1, on_error="skip", skipped=sys.argv[1] + "/log"))
lacks = {name: tf.io.FixedLenFeature([], kind) for name, kind in (("image", tf.string), ("name", tf.string), ("label", tf.int64))}
try: list(pl.make_dataset(pl.from_tfrecords(sys.argv[1] + "/part-*", lacks, id="name"), aug, batch_size=4))
except tf.errors.InvalidArgumentError as error: print(error.message)
"""
    said = python(program, tmp_path, env={"TF_CPP_MIN_LOG_LEVEL": "3"})
    assert "(a.png) cannot be used: its PNG data is truncated or corrupt" in said
    assert "label (data type: int64) is required but could not be found" in said
    assert (
        (tmp_path / "log")
        .read_text()
        .endswith("\ta.png\tits PNG data is truncated or corrupt; its header says height 30, width 40\n")
    )


@pytest.mark.parametrize("split", ["train", "train[:10%]", "test[5:9]", "train[1000:1005]+test[:3]", "all"])
def test_tfds_records_are_those_that_tfds_reads(tmp_path_factory, split):
    builder = digits.prepared(digits.Digits, tmp_path_factory.getbasetemp() / "digits")
    read = tfds.ReadConfig(add_tfds_id=True, interleave_cycle_length=1)
    expected = list(builder.as_dataset(split=split, read_config=read).as_numpy_iterator())
    source = pl.from_tfds(builder, split)
    found = list(source.dataset().as_numpy_iterator())
    assert len(found) == len(expected) == source.size
    for got, wanted in zip(found, expected, strict=True):
        assert all(got[name] == wanted[name] for name in ("tfds_id", "label", "index"))
        assert np.array_equal(tf.io.decode_png(got["image"], 1), wanted["image"])


def test_a_corrupt_shard_of_tfds_stops_a_stream(by_hand):
    path = by_hand / "hand-train.tfrecord-00000-of-00001"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    source = pl.from_tfds(tfds.builder_from_directory(by_hand), id="name", access="stream")
    for on_error in ("raise", "replace", "skip"):
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=f"{path.name} is corrupt or cut off: record 1"
        ):
            list(pl.make_dataset(source, AUG, batch_size=4, on_error=on_error))


def test_a_source_says_what_it_is(tmp_path):
    arrays = pl.from_arrays(np.zeros((3, 8, 8, 3), np.uint8))
    assert repr(arrays) == "<Source arrays (3, 8, 8, 3): 3 records, random access>"
    stream = pl.from_dataset(
        tf.data.Dataset.from_tensors({"image": tf.zeros([4, 4, 3]), "id": 1}).filter(lambda _: True)
    )
    assert repr(stream) == "<Source dataset: of unknown size, a stream>"
