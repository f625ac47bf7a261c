"""TFRecords at random: the index, what is read by it, and what happens to files that are not as they should be."""

import os
import struct

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

import augrng as ar
import pipelines as pl
from pipelines.commands import build
from pipelines.run.order import Order, ordered
from pipelines.sources import offsets, record_files
from pipelines.sources.offsets import BESIDE, bounds_of
from tests.files import encoded

pytestmark = pytest.mark.usefixtures("op_by_op")

COUNT = 20
AUG = ar.Compose([ar.CenterCrop(8, 8)], seed=1)
RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 256, (COUNT, 10, 12, 3), dtype=np.uint8)
FEATURES = {"image": tf.io.FixedLenFeature([], tf.string), "id": tf.io.FixedLenFeature([], tf.int64)}


def example(number):
    values = {
        "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded(PIXELS[number], "PNG")])),
        "id": tf.train.Feature(int64_list=tf.train.Int64List(value=[1000 + number])),
    }
    return tf.train.Example(features=tf.train.Features(feature=values)).SerializeToString()


def write(path, records, options=None):
    with tf.io.TFRecordWriter(str(path), options) as writer:
        for record in records:
            writer.write(record)


@pytest.fixture
def files(tmp_path):
    """Examples 1000 to 1019 in three files of 7, 0 and 13 records."""
    folder = tmp_path / "data"
    folder.mkdir()
    for shard, numbers in enumerate((range(7), range(0), range(7, COUNT))):
        write(folder / f"{shard}.tfrecord", map(example, numbers))
    return folder


def opened(files, **options):
    return pl.from_tfrecords(files / "*.tfrecord", FEATURES, **options)


def placed(source, **options):
    """(epoch, id) of each batch of a run, in order; pixels are held against what was written."""
    batches = []
    for batch in pl.make_dataset(source, AUG, **{"batch_size": 6, "seed": 3, **options}):
        ids = batch["id"].numpy() - 1000
        assert np.array_equal(batch["image"], PIXELS[ids, 1:9, 2:10])
        batches.append(list(zip(batch["epoch"].numpy().tolist(), ids.tolist(), strict=True)))
    return batches


def flat(batches):
    return [pair for batch in batches for pair in batch]


def unoptimized():
    """What `make_dataset` asks for too: TensorFlow's rewriting does not know offsets."""
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False
    return options


def by_hand(data):
    """Where records begin and the last one ends, from their lengths alone."""
    bounds = [0]
    while bounds[-1] < len(data):
        bounds.append(bounds[-1] + 16 + struct.unpack_from("<Q", data, bounds[-1])[0])
    return bounds


@pytest.mark.parametrize("lengths", [[], [0], [1, 0, 5], [3] * 5000, [2**18, 5, 2**18, 7, 40_000, 1]])
def test_bounds_are_those_of_what_tensorflow_wrote(lengths, tmp_path):
    path = tmp_path / "a.tfrecord"
    write(path, map(bytes, lengths))
    (found,) = bounds_of([str(path)], tmp_path)
    assert found.tolist() == [0, *np.cumsum([length + 16 for length in lengths]).tolist()]
    assert found.tolist() == by_hand(path.read_bytes())


def test_many_files_and_other_file_systems_are_indexed_alike(files, tmp_path):
    paths = sorted(map(str, files.iterdir()))
    local = bounds_of([*paths, paths[0]], tmp_path)
    for path, found in zip([*paths, paths[0]], local, strict=True):
        with open(path, "rb") as file:
            assert found.tolist() == by_hand(file.read())
    for path, found in zip(paths, local, strict=False):
        copy = f"ram://{tmp_path}/{os.path.basename(path)}"  # a file system of TensorFlow's own, in memory
        tf.io.gfile.copy(path, copy, overwrite=True)
        assert np.array_equal(bounds_of([copy], tmp_path)[0], found)
    source = pl.from_tfrecords(f"ram://{tmp_path}/*.tfrecord", FEATURES, index_dir=tmp_path)
    assert source.records is not None
    assert [int(r["id"]) for r in source.dataset()] == list(range(1000, 1000 + COUNT))


@pytest.fixture
def scans(monkeypatch):
    """The names of the files whose headers were gone through."""
    seen, made = [], offsets._made
    monkeypatch.setattr(offsets, "_made", lambda path: seen.append(os.path.basename(path)) or made(path))
    return seen


def test_an_index_is_kept_until_its_file_changes(files, tmp_path, scans):
    cache = tmp_path / "cache"
    for _ in range(2):
        assert opened(files, index_dir=cache).size == COUNT
    assert sorted(scans) == ["0.tfrecord", "1.tfrecord", "2.tfrecord"]
    assert len(list(cache.iterdir())) == 1
    scans.clear()
    write(files / "1.tfrecord", [example(0)])  # another size
    assert opened(files, index_dir=cache).size == COUNT + 1
    assert scans == ["1.tfrecord"]
    there = (files / "2.tfrecord").stat()
    os.utime(files / "2.tfrecord", ns=(there.st_atime_ns, there.st_mtime_ns + 10**9))  # another time
    assert opened(files, index_dir=cache).size == COUNT + 1
    assert scans == ["1.tfrecord", "2.tfrecord"]
    for contents in (b"", b"PK no index", next(cache.iterdir()).read_bytes()[:-40]):
        scans.clear()
        next(cache.iterdir()).write_bytes(contents)
        assert opened(files, index_dir=cache).size == COUNT + 1
        assert len(scans) == 3


@pytest.mark.parametrize("cache", ["a file", "no room", "the user's"])
def test_without_a_cache_it_goes_on(cache, files, tmp_path, scans, monkeypatch):
    match cache:
        case "a file":
            (tmp_path / "cache").write_text("")
            folder = tmp_path / "cache"
        case "no room":
            folder = tmp_path / "full"

            def full(*args):
                raise OSError(28, "No space left on device")

            monkeypatch.setattr(offsets.os, "replace", full)
        case "the user's":
            monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
            folder = None
    files.chmod(0o500)  # nothing is ever written there
    before = sorted(files.iterdir())
    for _ in range(2):
        assert opened(files, index_dir=folder).size == COUNT
    assert sorted(files.iterdir()) == before
    assert len(scans) == (3 if cache == "the user's" else 6)
    if cache == "no room":
        assert list(folder.iterdir()) == []
    if cache == "the user's":
        assert len(list((tmp_path / "xdg" / "augrng").iterdir())) == 1
    files.chmod(0o700)


def test_an_index_beside_the_files_is_taken_if_they_are_not_newer(files, tmp_path, scans):
    names = ["0.tfrecord", "2.tfrecord"]
    (files / BESIDE).write_bytes(offsets.index_beside(files, names))
    scans.clear()
    assert opened(files, index_dir=tmp_path / "cache").size == COUNT
    assert scans == ["1.tfrecord"]
    scans.clear()
    later = (files / BESIDE).stat().st_mtime_ns + 10**9
    os.utime(files / "0.tfrecord", ns=(later, later))
    assert opened(files, index_dir=tmp_path / "cache").size == COUNT
    assert scans == ["0.tfrecord"]


def test_processes_may_make_an_index_at_once(python, files, tmp_path):
    program = """
import os, sys
pids = []
from pipelines.sources import offsets
for n in range(4):
    pid = os.fork()
    if not pid:
        for _ in range(30):
            for path in sys.argv[2:]:
                os.utime(path, ns=(n + 1, n + 1))  # the others' index holds no longer
            sizes = [len(bounds) for bounds in offsets.bounds_of(sys.argv[2:], sys.argv[1])]
            if sizes != [8, 1, 14]: os._exit(1)
        os._exit(0)
    pids.append(pid)
print([os.waitpid(pid, 0)[1] for pid in pids])
"""
    cache = tmp_path / "cache"
    said = python(program, cache, *sorted(map(str, files.iterdir())))
    assert said.splitlines()[-1] == "[0, 0, 0, 0]"
    assert [path.suffix for path in cache.iterdir()] == [".npz"]  # nothing half written is left


def test_stream_and_random_access_hold_the_same(files):
    random, stream = opened(files, access="random"), opened(files, access="stream")
    assert (random.records is None, stream.records is None) == (False, True)
    both = [list(source.dataset().as_numpy_iterator()) for source in (random, stream)]
    assert both[0] == both[1]
    for epoch in range(2):
        sets = [
            sorted(flat(placed(source, only_epoch=epoch, shuffle_buffer=5))) for source in (random, stream)
        ]
        assert sets[0] == sets[1] == [(epoch, number) for number in range(COUNT)]
    for name in ("id", "path"):
        assert np.array_equal(random.column(name), stream.column(name))
    assert random.column("path")[8].decode() == f"{files}/2.tfrecord[1]"
    with pytest.raises(ValueError, match="nope: must be a scalar in the records of tfrecords"):
        random.column("nope")


def test_whole_epochs_are_shuffled_and_begun_anywhere_by_any_number_of_hosts(files):
    source = opened(files)
    whole = placed(source, epochs=2)
    order = [number for _, number in flat(whole)]
    assert order[:COUNT] != order[COUNT:] != sorted(order[COUNT:])
    # The order is that of any source with random access: of arrays, say.
    arrays = pl.from_arrays(PIXELS, ids=np.arange(1000, 1000 + COUNT))
    assert whole == placed(arrays, epochs=2)
    assert placed(source, epochs=2, start_step=4) == whole[4:]
    first, last = (placed(source, epochs=2, hosts=6, host=host) for host in (0, 5))
    assert first == [batch[:1] for batch in whole]
    assert last == [batch[5:] for batch in whole]
    assert last[-1] == []  # nothing of the short batch


def test_eight_hosts_read_what_one_does(files):
    source = opened(files)

    def paths(**options):
        order = Order(epochs=2, seed=3, batch_size=8, **options)
        return [batch["path"].numpy().tolist() for batch in ordered(source, order)]

    alone, parts = paths(), [paths(hosts=8, host=host) for host in range(8)]
    assert sorted(flat(alone)) == sorted(2 * source.column("path").tolist())
    assert [flat(part[number] for part in parts) for number in range(len(alone))] == alone


@pytest.mark.parametrize("at_once", [3, 64])
def test_a_batch_is_read_together(at_once, files, monkeypatch):
    """Also one of fewer places than there may be, of none, of one twice, and of more than are opened at once."""
    monkeypatch.setattr(record_files, "_AT_ONCE", at_once)
    source = opened(files, access="random")

    def read(*wanted):
        places = source.records(tf.constant(wanted, tf.int64))
        return source.read.together(places, 8).with_options(unoptimized())

    for wanted in ([19, 0, 0, 6, 7, 12, 3], [5], list(range(8))):
        (batch,) = read(*wanted)
        assert batch["id"].numpy().tolist() == [1000 + number for number in wanted]
        images = [encoded(PIXELS[number], "PNG") for number in wanted]
        assert batch["image"].numpy().tolist() == images
        assert batch["path"].numpy().tolist() == source.column("path")[wanted].tolist()
    assert list(read()) == []
    with open(files / "2.tfrecord", "r+b") as file:
        file.seek(bounds_of([str(files / "2.tfrecord")])[0][0] + 20)
        file.write(b"x")
    with pytest.raises(tf.errors.DataLossError):
        list(read(1, 7))
    (files / "2.tfrecord").unlink()
    for wanted in ([0, 7], [7, 8, 9, 10, 11]):
        records = iter(read(*wanted))
        failures = 0
        while failures < 9:
            try:
                next(records)
            except tf.errors.NotFoundError:
                failures += 1
            except StopIteration:
                break
        assert 1 <= failures <= 3  # once a group


def test_records_that_are_long_on_average_are_opened_one_by_one(files, monkeypatch):
    total = sum(path.stat().st_size for path in files.iterdir())
    for longest, together in ((total // COUNT - 1, False), (total // COUNT + 1, True)):
        monkeypatch.setattr(record_files, "_UNBUFFERED", longest)
        assert (opened(files).read.together is not None) == together


def test_parts_are_taken_by_id(files):
    source = opened(files)
    parts = source.split(0.7, seed=1)
    assert sorted(np.concatenate([part.ids() for part in parts])) == list(range(1000, 1000 + COUNT))
    for part, of_arrays in zip(
        parts, pl.from_arrays(PIXELS, ids=source.ids()).split(0.7, seed=1), strict=True
    ):
        assert part.records is not None
        assert np.array_equal(part.ids(), of_arrays.ids())
        assert [int(record["id"]) for record in part.dataset()] == part.ids().tolist()
        assert part.take(2).ids().tolist() == part.ids()[:2].tolist()
    assert source.take(9).ids().tolist() == list(range(1000, 1009))


def test_a_saved_iterator_goes_on(files, tmp_path):
    dataset = pl.make_dataset(opened(files), AUG, batch_size=6, seed=3, on_error="replace")
    iterator = iter(dataset)
    next(iterator)
    path = tf.train.Checkpoint(iterator=iterator).save(str(tmp_path / "saved"))
    rest = [batch["id"].numpy().tolist() for batch in iterator]
    other = iter(dataset)
    tf.train.Checkpoint(iterator=other).restore(path)
    assert [batch["id"].numpy().tolist() for batch in other] == rest


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 16
    path.write_bytes(data)


def damage(files, kind):
    """Spoils the second record of the last file (example 8), perhaps more; the examples that are lost.

    What is done to a file after it was indexed begins with "then".
    """
    path = files / "2.tfrecord"
    data = path.read_bytes()
    bounds = by_hand(data)
    match kind.removeprefix("then "):
        case "a flipped bit":
            flip(path, bounds[1] + 40)
            return [8]
        case "a flipped bit of the checksum":
            flip(path, bounds[2] - 2)
            return [8]
        case "a damaged length":
            flip(path, bounds[1])
            return list(range(8, COUNT))
        case "cut off":
            path.write_bytes(data[: bounds[12] + 20])
            return [19]
        case "cut off at a record":
            path.write_bytes(data[: bounds[12]])
            return [19]
        case "written anew":
            write(path, [b"short", *map(example, range(8, COUNT)), bytes(40)])
            return list(range(7, COUNT))
        case "gone":
            path.unlink()
            return list(range(7, COUNT))


def test_what_comes_before_the_start_is_not_read(files):
    """With all other records spoilt, the last batch of an epoch, and one far on, are what they would be."""
    options = {"drop_remainder": True, "epochs": None}
    late = 10**6 * 3 + 2
    source = opened(files)
    dataset = pl.make_dataset(source, AUG, batch_size=6, seed=3, start_step=late, **options)
    order = Order(epochs=None, seed=3, batch_size=6, drop_remainder=True, start=late)
    (paths,) = (batch["path"].numpy().tolist() for batch in ordered(source, order).take(1))
    wanted = np.array([source.column("path").tolist().index(path) for path in paths])
    bounds = {number: by_hand((files / f"{number}.tfrecord").read_bytes()) for number in (0, 2)}
    for number in set(range(COUNT)) - set(wanted.tolist()):
        shard, place = (0, number) if number < 7 else (2, number - 7)
        flip(files / f"{shard}.tfrecord", bounds[shard][place] + 40)
    (batch,) = dataset.take(1)
    assert batch["id"].numpy().tolist() == (wanted + 1000).tolist()
    assert np.array_equal(batch["image"], PIXELS[wanted, 1:9, 2:10])
    with pytest.raises(tf.errors.InvalidArgumentError, match="cannot be used"):
        list(dataset.take(2))


FIRST = {"written anew": 0, "gone": 0, "cut off": 12, "cut off at a record": 12}


@pytest.mark.parametrize(
    "kind",
    [
        "a flipped bit",
        "a flipped bit of the checksum",
        "a damaged length",
        "cut off",
        "then cut off at a record",
        "then written anew",
        "then gone",
    ],
)
def test_what_cannot_be_read_is_named_replaced_or_skipped(kind, files, tmp_path):
    source = opened(files) if kind.startswith("then ") else None
    lost = damage(files, kind)
    source = source or opened(files)
    there = [number for number in range(COUNT) if number not in lost]
    places = range(len(there) + (1 if kind == "a damaged length" else len(lost)))
    assert source.size == len(places)
    first, path = FIRST.get(kind.removeprefix("then "), 1), f"{files}/2.tfrecord"
    cause = (
        " is not there" if kind == "then gone" else f" is corrupt or cut off: record {first} cannot be read"
    )
    with pytest.raises(tf.errors.InvalidArgumentError) as failed:
        placed(source, shuffle=False)
    assert f"({path}[{first}]) cannot be used: {path}{cause}" in str(failed.value)

    log = tmp_path / "log"
    batches = placed(source, shuffle=False, on_error="skip", skipped=log)
    assert batches == [
        [(0, number) for number in places[start : start + 6] if number in there]
        for start in range(0, len(places), 6)
    ]
    lines = [line.split("\t") for line in log.read_text().splitlines()]  # in no fixed order
    numbers = [number - 7 for number in places if number not in there]
    assert sorted((line[1], int(line[0])) for line in lines) == sorted(
        (f"{path}[{number}]", int(ar.string_ids(f"2.tfrecord__{number}"))) for number in numbers
    )

    if kind not in ("a flipped bit", "then gone"):
        return
    instead = [number for _, number in flat(placed(source, shuffle=False, on_error="replace"))]
    assert [instead[number] for number in there] == there
    assert len(instead) == len(places)
    assert set(instead) == set(there)


def test_directly_read_records_fail_by_name(files):
    source = opened(files)
    damage(files, "a flipped bit")
    found = []
    numbered = iter(source.numbered(5))
    for _ in range(5):
        try:
            number, record = next(numbered)
            found.append((int(number), int(record["id"]) - 1000))
        except tf.errors.InvalidArgumentError as error:
            found.append("2.tfrecord is corrupt or cut off: record 1 cannot be read" in error.message)
    assert found == [(5, 5), (6, 6), (7, 7), True, (9, 9)]
    with pytest.raises(tf.errors.InvalidArgumentError, match="2.tfrecord is corrupt or cut off: record 1"):
        source.ids()


def test_a_missing_feature_stops_a_run_whatever_is_to_be_done_with_broken_records(files):
    features = {**FEATURES, "label": tf.io.FixedLenFeature([], tf.int64)}
    source = pl.from_tfrecords(files / "*.tfrecord", features)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Feature: label"):
        list(pl.make_dataset(source, AUG, batch_size=20, on_error="skip"))


@pytest.mark.parametrize("compression", ["GZIP", "ZLIB"])
def test_compressed_files_are_streams(compression, tmp_path):
    path = tmp_path / "a.tfrecord"
    write(path, map(example, range(COUNT)), compression)
    source = pl.from_tfrecords(path, FEATURES, compression=compression)
    assert source.records is None
    assert source.ids().tolist() == list(range(1000, 1000 + COUNT))
    with pytest.raises(
        ValueError, match=f"access: must be \"stream\" for compressed files.*'{compression}' for {path}"
    ):
        pl.from_tfrecords(path, FEATURES, compression=compression, access="random")
    for access in ("auto", "random"):
        with pytest.raises(ValueError, match=f"compression: must be said, for {path} is compressed"):
            pl.from_tfrecords(path, FEATURES, access=access)


def test_a_pipe_is_no_random_access(tmp_path):
    os.mkfifo(tmp_path / "a.tfrecord")
    assert pl.from_tfrecords(tmp_path / "a.tfrecord", FEATURES).records is None
    with pytest.raises(ValueError, match='access: must be "stream" here.*a.tfrecord is no regular file'):
        pl.from_tfrecords(tmp_path / "a.tfrecord", FEATURES, access="random")


def test_mistakes_are_refused(files):
    with pytest.raises(ValueError, match="access: must be one of .*'fast'"):
        opened(files, access="fast")
    with pytest.raises(ValueError, match="size: must be the 20 records that the files hold, got 21"):
        opened(files, size=21)


def shards_by_hand(folder, lengths, said=None, file_format=None):
    """A TFDS dataset of pixels in files of so many examples, which `said` may belie."""
    features = tfds.features.FeaturesDict(
        {"image": tfds.features.Image(shape=(10, 12, 3)), "number": tfds.features.Scalar(np.int64)}
    )
    folder.mkdir()
    numbers = iter(range(COUNT))
    for shard, length in enumerate(lengths):
        name = f"hand-train.tfrecord-{shard:05}-of-{len(lengths):05}"
        examples = [
            features.serialize_example({"image": PIXELS[n], "number": n})
            for _, n in zip(range(length), numbers, strict=False)
        ]
        write(folder / name, examples)
    tfds.folder_dataset.write_metadata(
        data_dir=folder, features=features,
        split_infos=[tfds.core.SplitInfo(name="train", shard_lengths=said or lengths, num_bytes=0)],
        filename_template="{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
    )  # fmt: skip
    return tfds.builder_from_directory(folder)


def test_shards_of_tfds_hold_what_their_dataset_says(tmp_path):
    builder = shards_by_hand(tmp_path / "long", [12, 8], said=[12, 7])
    with pytest.raises(ValueError, match="hand-train.tfrecord-00001-of-00002: must hold 7 records .* got 8"):
        pl.from_tfds(builder)
    source = pl.from_tfds(shards_by_hand(tmp_path / "short", [12, 6], said=[12, 8]))
    assert source.size == COUNT
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\(hand-train.tfrecord-00001-of-00002__6\)"):
        list(pl.make_dataset(source, AUG, batch_size=5, shuffle=False))
    run = pl.make_dataset(source, AUG, batch_size=5, shuffle=False, on_error="skip", skipped=tmp_path / "log")
    assert [batch["number"].numpy().tolist() for batch in run] == [
        [0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11, 12, 13, 14], [15, 16, 17],
    ]  # fmt: skip
    assert pl.skipped_ids(tmp_path / "log") == source.ids()[18:].tolist()
    (tmp_path / "short" / "hand-train.tfrecord-00001-of-00002").unlink()
    with pytest.raises(FileNotFoundError, match="hand-train.tfrecord-00001-of-00002"):
        pl.from_tfds(tfds.builder_from_directory(tmp_path / "short"))


def test_ids_of_tfds_are_known_without_reading(tmp_path):
    builder = shards_by_hand(tmp_path / "hand", [12, 8])
    source, stream = (pl.from_tfds(builder, "train[10:15]", access=access) for access in ("random", "stream"))
    assert source.ids().tolist() == stream.ids().tolist()
    assert source.column("number").tolist() == stream.column("number").tolist() == [10, 11, 12, 13, 14]
    path = tmp_path / "hand" / "hand-train.tfrecord-00000-of-00002"
    before = source.ids()
    flip(path, by_hand(path.read_bytes())[10] + 30)
    assert np.array_equal(source.ids(), before)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="00000-of-00002 is corrupt or cut off: record 10"
    ):
        source.column("number")


def test_array_records_are_refused_by_name(tmp_path):
    digits = pl.from_tfds(shards_by_hand(tmp_path / "hand", [COUNT]))
    assert digits.size == COUNT
    info = tmp_path / "hand" / "dataset_info.json"
    info.write_text(info.read_text().replace('"fileFormat": "tfrecord"', '"fileFormat": "array_record"'))
    with pytest.raises(ValueError, match="must be of TFRecord files, got array_record"):
        pl.from_tfds(tfds.builder_from_directory(tmp_path / "hand"))


def test_built_shards_bring_their_index(tmp_path, scans):
    (tmp_path / "images").mkdir()
    for number in range(4):
        (tmp_path / "images" / f"{number}.png").write_bytes(encoded(PIXELS[number], "PNG"))
    out = tmp_path / "out"
    assert build.main([f"folder:{tmp_path / 'images'}", str(out), "--shards", "2"]) == 0
    scans.clear()
    source = pl.from_tfds(
        tfds.builder_from_directory(out), id="id", access="random", index_dir=tmp_path / "cache"
    )
    assert scans == []
    assert not (tmp_path / "cache").exists()
    assert sorted(source.ids()) == sorted(ar.string_ids([f"{number}.png" for number in range(4)]).numpy())


MILLION = """
import resource, sys
import numpy as np, tensorflow as tf
import pipelines as pl
from pathlib import Path
from pipelines.run.order import Order, ordered

path, count = Path(sys.argv[1]) / "a.tfrecord", 10**6
with tf.io.TFRecordWriter(str(path)) as writer:
    image = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"pixels"]))
    writer.write(tf.train.Example(features=tf.train.Features(feature={"image": image})).SerializeToString())
path.write_bytes(path.read_bytes() * count)
source = pl.from_tfrecords(
    path, {"image": tf.io.FixedLenFeature([], tf.string)}, index_dir=sys.argv[1],
    id=lambda record: tf.strings.to_number(tf.strings.regex_replace(record["path"], ".*[[]|[]]", ""), tf.int64))
assert source.size == count
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
seen, peaks, moved = np.zeros(count, np.int64), [], 0
for batch in ordered(source, Order(seed=1, batch_size=8000)):
    number = batch["number"].numpy()
    seen[number] += 1
    moved += abs(np.corrcoef(number, np.arange(len(number)))[0, 1]) < 0.1
    peaks.append(peak())
late = tf.data.Dataset.from_tensor_slices(next(iter(ordered(source, Order(seed=1, batch_size=500, start=1990)))))
read = [int(record["id"]) for record in source.read.along(late)]
print(seen.min(), seen.max(), moved, len(peaks), len(set(read)), peaks[-1] - peaks[12] < 60, peak() - peaks[-1] < 60)
"""


def test_a_million_records_are_shuffled_whole_in_flat_memory(python, tmp_path):
    assert python(MILLION, tmp_path).splitlines()[-1] == "1 1 125 125 500 True True"
