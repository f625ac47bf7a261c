"""Sources kept decoded: the same records and pixels, files of other sources, no room, two processes at once."""

import io
import types

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import augrng as ar
import pipelines as pl
from pipelines.disk import cache, room
from pipelines.images.formats import raw_bytes

pytestmark = pytest.mark.usefixtures("op_by_op")

AUG = ar.Compose([ar.RandomCrop(8, 8)], seed=7)
SIZES = [(9, 12), (20, 11), (16, 16), (30, 17), (8, 8)]


def noise(seed, height, width):
    return np.random.default_rng(seed).integers(0, 256, [height, width, 3], np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Five pictures in two classes, PNG and JPEG."""
    root = tmp_path_factory.mktemp("source")
    for n, size in enumerate(SIZES):
        path = root / "ab"[n % 2] / f"{n}.{'jpg' if n == 3 else 'png'}"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(noise(n, *size)).save(path)
    return root


@pytest.fixture(scope="module")
def file(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("cache") / "pets"
    pl.from_folder(folder).cache(path)
    return path


def pixels_of(path):
    """By TensorFlow's decoders."""
    if path.suffix == ".jpg":
        return tf.io.decode_jpeg(path.read_bytes(), 3, dct_method="INTEGER_ACCURATE").numpy()
    return tf.io.decode_png(path.read_bytes(), 3).numpy()


def test_records_are_those_of_the_source(folder, file):
    source = pl.from_folder(folder)
    kept = source.cache(file)
    assert (kept.class_names, kept.size, kept.records is None) == (("a", "b"), 5, False)
    np.testing.assert_array_equal(kept.ids(), source.ids())
    np.testing.assert_array_equal(kept.column("label"), source.column("label"))
    for record, original in zip(kept.dataset(), source.dataset(), strict=True):
        assert set(record) == set(original)
        assert all(record[name] == original[name] for name in ("path", "label", "id"))
        pixels = pixels_of(folder / record["path"].numpy().decode())
        assert record["image"].numpy() == raw_bytes(pixels)
        with Image.open(io.BytesIO(record["image"].numpy())) as picture:
            np.testing.assert_array_equal(picture, pixels)
    first, rest = kept.split(0.5, seed=3)
    assert first.size + rest.size == 5
    np.testing.assert_array_equal(first.ids(), source.split(0.5, seed=3)[0].ids())


def test_windows_are_cut_out_of_what_is_kept(folder, file):
    batch = next(iter(pl.make_dataset(pl.from_folder(folder).cache(file), AUG, batch_size=5, seed=1)))
    paths = {int(ar.string_ids(str(path.relative_to(folder)))): path for path in folder.glob("*/*")}
    assert sorted(batch["id"].numpy()) == sorted(paths)
    for image, id_ in zip(batch["image"], batch["id"].numpy(), strict=True):
        pixels = pixels_of(paths[id_])
        drawn = AUG.sample([id_], 0, [pixels.shape[:2]])["random_crop"]
        top, left = int(drawn["top"][0]), int(drawn["left"][0])
        np.testing.assert_array_equal(image, pixels[top : top + 8, left : left + 8])


def test_a_stream_gets_random_access_and_its_ragged_features_stay(tmp_path):
    pixels = np.stack([noise(n, 9, 10) for n in range(4)])
    parts = tf.ragged.constant([[1, 2], [], [3], [4, 5, 6]], dtype=tf.int64)
    dataset = tf.data.Dataset.from_tensor_slices({"image": pixels, "id": [3, 1, 4, 5], "parts": parts})
    source = pl.from_dataset(dataset)
    for kept in (source.cache("memory"), source.cache(tmp_path / "kept")):
        assert (kept.size, kept.records is None) == (4, False)
        for place, record in enumerate(kept.dataset()):
            assert set(record) == {"image", "id", "parts"}
            np.testing.assert_array_equal(record["image"], pixels[place])
            assert record["id"] == [3, 1, 4, 5][place]
            np.testing.assert_array_equal(record["parts"], parts[place])


def test_the_file_is_read_and_not_made_again(folder, file):
    before = file.read_bytes(), file.stat().st_mtime_ns
    pl.from_folder(folder).cache(file)
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before
    assert [path.name for path in file.parent.iterdir()] == ["pets"]


def test_a_file_of_another_source_is_refused(folder, file, tmp_path):
    with pytest.raises(
        ValueError, match=r"cache: .*pets must hold the records of folder .*, or of another state of it"
    ):
        pl.from_folder(folder).take(4).cache(file)
    zeros = pl.from_arrays(np.zeros([2, 8, 8, 3], np.uint8))
    zeros.cache(tmp_path / "zeros")
    with pytest.raises(ValueError, match="name another file, or remove this one"):
        pl.from_arrays(np.ones([2, 8, 8, 3], np.uint8)).cache(tmp_path / "zeros")
    for name, contents in (("text", b"no cache"), ("empty", b""), ("short", file.read_bytes()[:-9])):
        (tmp_path / name).write_bytes(contents)
        with pytest.raises(ValueError, match=f"cache: .*{name} must be a whole file of this function's"):
            pl.from_folder(folder).cache(tmp_path / name)
    with pytest.raises(IsADirectoryError, match='must be "memory" or a file'):
        zeros.cache(tmp_path)


def test_no_room(tmp_path, monkeypatch):
    source = pl.from_arrays(np.zeros([5, 20, 20, 3], np.uint8))
    monkeypatch.setattr(room, "free_memory", lambda: 1000)
    with pytest.raises(MemoryError, match="decoded needs about .* GB, 1e-06 GB are free in memory"):
        source.cache()
    monkeypatch.setattr(room.shutil, "disk_usage", lambda path: types.SimpleNamespace(free=1000))
    with pytest.raises(OSError, match="GB are free at .*augrng build --shorter-side"):
        source.cache(tmp_path / "kept")
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written(folder, file, tmp_path, monkeypatch):
    source = pl.from_folder(folder)
    with pytest.raises(OSError, match="cache: must be a file that can be written"):
        source.cache(tmp_path / "none" / "kept")

    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(cache.tempfile, "mkstemp", refuse)  # as in a folder that is read-only, for root too
    with pytest.raises(PermissionError, match="cache: must be a file that can be written"):
        source.cache(tmp_path / "kept")
    assert source.cache(file).size == 5


def test_another_process_may_make_it_meanwhile(folder, file, tmp_path, monkeypatch):
    replace = cache.os.replace

    def late(part, path):
        if str(path) != str(tmp_path / "kept"):  # of an index
            return replace(part, path)
        monkeypatch.setattr(cache.os, "replace", replace)
        assert not path.exists()  # it is under a name of its own
        (tmp_path / "theirs").write_bytes(file.read_bytes())
        replace(tmp_path / "theirs", path)
        assert pl.from_folder(folder).cache(path).size == 5  # whole already, for whoever looks now
        return replace(part, path)

    monkeypatch.setattr(cache.os, "replace", late)
    assert pl.from_folder(folder).cache(tmp_path / "kept").size == 5
    assert (tmp_path / "kept").read_bytes() == file.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_what_cannot_be_decoded_stays_as_it_is_to_fail_where_it_is_read(folder, tmp_path):
    for path in folder.glob("*/*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "0.png").write_bytes(b"no image")
    kept = pl.from_folder(tmp_path).cache()
    images = {record["path"].numpy().decode(): record["image"].numpy() for record in kept.dataset()}
    assert images.pop("0.png") == b"no image"
    assert images == {path: raw_bytes(pixels_of(tmp_path / path)) for path in images}
    assert len(images) == 4
    (tmp_path / "1.png").unlink()
    source = pl.from_folder(tmp_path)
    (tmp_path / "2.png").unlink()
    with pytest.raises(ValueError, match="cache: all records must be there to be read, number 1 of folder"):
        source.cache()
