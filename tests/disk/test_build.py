"""Materialised datasets: what TFDS reads back, resumed and refused builds, full disks, verification."""

import fcntl
import functools
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

import augrng as ar
import pipelines as pl
from pipelines.commands import build as build_script
from pipelines.commands import verify as verify_script
from tests.conftest import ROOT, status_of
from tests.images.test_formats import written

pytestmark = pytest.mark.usefixtures("op_by_op")

AUG = ar.Compose([ar.RandomCrop(20, 24), ar.RandomFlip(), ar.RandomRotation(30)], seed=7)


build, verify = (functools.partial(status_of, script.main) for script in (build_script, verify_script))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def manifest_of(out):
    return json.loads((out / "manifest.json").read_text())


def read_back(out, split="train"):
    """What TFDS reads: id, epoch, label and pixels of each record, in order."""
    dataset = tfds.builder_from_directory(out).as_dataset(split=split, shuffle_files=False)
    return [{name: tensor.numpy() for name, tensor in record.items()} for record in dataset]


def total_of(records):
    return sum((ar.fingerprint(r["image"], r["id"], r["epoch"]) for r in records), ar.Fingerprint())


def noise(seed, height, width):
    return np.random.default_rng(seed).integers(0, 256, [height, width, 3], np.uint8)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Ten pictures in two classes, PNG and JPEG, all of other sizes."""
    root = tmp_path_factory.mktemp("source") / "pets"
    for n in range(10):
        path = root / ("cat" if n % 2 else "dog") / f"{n}.{'jpg' if n % 3 == 0 else 'png'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(n, 24 + n, 40 - n)).save(path)
    return root


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipes") / "recipe.json"
    path.write_text(AUG.to_json())
    return path


@pytest.fixture(scope="module")
def built(images, recipe, tmp_path_factory):
    """An unbroken build of `images`: three variants, in four shards."""
    out = tmp_path_factory.mktemp("built") / "out"
    assert build(f"folder:{images}", out, "--recipe", recipe, "--variants", 3, "--shards", 4) == 0
    return out


@pytest.fixture
def copy(built, tmp_path):
    return shutil.copytree(built, tmp_path / "copy")


def paths_of(images):
    return sorted(path.relative_to(images).as_posix() for path in images.rglob("*.*"))


def pixels_of(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def test_tfds_reads_back_what_compose_makes_of_pillows_pixels(images, built):
    records = read_back(built)
    expected = [(path, epoch) for path in paths_of(images) for epoch in range(3)]
    assert len(records) == len(expected) == 30
    for record, (path, epoch) in zip(records, expected, strict=True):
        id_ = int(ar.string_ids(path))
        assert (record["id"], record["epoch"]) == (id_, epoch)
        assert record["label"] == ["cat", "dog"].index(path.split("/")[0])
        np.testing.assert_array_equal(record["image"], AUG(pixels_of(images / path), id_, epoch))
    info = tfds.builder_from_directory(built).info
    assert info.features["label"].names == ["cat", "dog"]
    assert info.features["image"].shape == (20, 24, 3)
    manifest = manifest_of(built)
    assert manifest["fingerprint"] == str(total_of(records))
    assert (manifest["examples"], manifest["records"], manifest["skipped"]) == (10, 30, [])
    assert [entry["records"] for entry in manifest["shards"]] == [6, 9, 6, 9]
    assert ar.from_json(json.dumps(manifest["recipe"])) == AUG
    assert sorted(p.name for p in built.glob("*tfrecord*")) == [
        f"pets-train.tfrecord-{n:05d}-of-00004" for n in range(4)
    ]


@pytest.mark.parametrize("aug", [None, ar.Compose([ar.RandomFlip("horizontal_and_vertical")], seed=3)])
def test_images_keep_their_sizes_where_nothing_says_otherwise(images, tmp_path, aug):
    (tmp_path / "recipe.json").write_text(aug.to_json() if aug else "")
    options = ["--recipe", tmp_path / "recipe.json"] if aug else []
    assert build(f"folder:{images}", tmp_path / "out", *options) == 0
    records = read_back(tmp_path / "out")
    for record, path in zip(records, paths_of(images), strict=True):
        pixels = pixels_of(images / path)
        np.testing.assert_array_equal(record["image"], aug(pixels, record["id"], 0) if aug else pixels)
    assert tfds.builder_from_directory(tmp_path / "out").info.features["image"].shape == (None, None, 3)


def test_the_demos_digits(tmp_path, capsys):
    aug = ar.Compose([ar.RandomCrop(28, 28), ar.RandomFlip(), ar.RandomRotation(20)], seed=7)
    (tmp_path / "recipe.json").write_text(aug.to_json())
    options = ["--data-dir", tmp_path / "data", "--recipe", tmp_path / "recipe.json", "--variants", 2]
    assert build("digits", tmp_path / "out", *options) == 0
    assert "left out" not in capsys.readouterr().err
    manifest = manifest_of(tmp_path / "out")
    readme = re.findall(r"epoch \d: fingerprint 1437:([0-9a-f]{32})", (ROOT / "README.md").read_text())
    value = sum(int(text, 16) for text in readme) % 2**128
    assert manifest["fingerprint"] == f"2874:{value:032x}"
    assert len(manifest["shards"]) == 2
    assert build("tfds:digits:test[:30]", "--data-dir", tmp_path / "data", tmp_path / "test") == 0
    pairs = tfds.builder_from_directory(tmp_path / "test").as_dataset(split="test", as_supervised=True)
    own = tfds.builder_from_directory(tmp_path / "data" / "digits" / "1.0.0").as_dataset(
        split="test[:30]", read_config=tfds.ReadConfig(add_tfds_id=True)
    )
    for record, there in zip(read_back(tmp_path / "test", "test"), own, strict=True):
        np.testing.assert_array_equal(record["image"], there["image"])
        assert (record["id"], record["label"]) == (ar.string_ids(there["tfds_id"]), there["label"])
    for (pixels, label), record in zip(pairs, read_back(tmp_path / "test", "test"), strict=True):
        assert np.array_equal(pixels, record["image"])
        assert label == record["label"]


def test_tfrecords_and_prepared_datasets_as_sources(images, tmp_path):
    assert build(f"folder:{images}", tmp_path / "a", "--shards", 3) == 0
    assert build(f"tfrecord:{tmp_path}/a/*.tfrecord-*", tmp_path / "b", "--label", "label") == 0
    first, second = manifest_of(tmp_path / "a"), manifest_of(tmp_path / "b")
    assert first["fingerprint"] == second["fingerprint"]
    assert [r["label"] for r in read_back(tmp_path / "a")] == [r["label"] for r in read_back(tmp_path / "b")]
    assert build(f"tfds-dir:{tmp_path}/a:train[:4]", tmp_path / "c") == 0
    for ours, theirs in zip(read_back(tmp_path / "c"), read_back(tmp_path / "a")[:4], strict=True):
        np.testing.assert_array_equal(ours["image"], theirs["image"])


class Deep(tfds.core.GeneratorBasedBuilder):
    """Images of 16 bits that are no encoded images."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {"image": tfds.features.Tensor(shape=(6, 7, 1), dtype=np.uint16)}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": ((n, {"image": DEEP[n]}) for n in range(len(DEEP)))}

    def _generate_examples(self):
        raise NotImplementedError


DEEP = np.random.default_rng(5).integers(0, 2**16, [3, 6, 7, 1], np.uint16)


def test_pixels_of_16_bits(tmp_path):
    Deep(data_dir=str(tmp_path)).download_and_prepare()
    assert build(f"tfds-dir:{tmp_path}/deep/1.0.0", tmp_path / "out") == 0
    records = read_back(tmp_path / "out")
    assert records[0]["image"].dtype == np.uint16
    assert "label" not in records[0]
    assert sorted(r["image"].tobytes() for r in records) == sorted(image.tobytes() for image in DEEP)
    assert verify(tmp_path / "out" / "manifest.json") == 0


KILLED = """
import os, signal, sys
sys.path.insert(0, "scripts")
import build
replace, shards = os.replace, []
def killing(source, target):
    shards.extend([target] if "tfrecord" in str(target) else [])
    if len(shards) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)
os.replace = killing
build.main(sys.argv[1:])
"""


@pytest.mark.parametrize(("dtype", "channels"), [(np.uint16, 1), (np.uint16, 3), (np.uint8, 4)])
def test_depth_and_channels_survive_a_build(dtype, channels, tmp_path):
    builder, images = written(tmp_path / "source", dtype, channels)
    assert build(f"tfds-dir:{builder.data_path}", tmp_path / "out") == 0
    source = pl.from_tfds(tfds.builder_from_directory(tmp_path / "out"))
    assert (source.channels, source.dtype) == (channels, np.dtype(dtype).name)
    whole = ar.Compose([ar.CenterCrop(8, 10)], seed=1)
    batch = next(iter(pl.make_dataset(source, whole, batch_size=len(images))))["image"].numpy()
    assert batch.dtype == dtype
    assert sorted(image.tobytes() for image in batch) == sorted(image.tobytes() for image in images)


def test_a_folder_is_built_with_alpha_if_asked_for(tmp_path):
    (tmp_path / "source").mkdir()
    pixels = np.random.default_rng(1).integers(0, 256, (6, 5, 4), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "source" / "a.png")
    for options, expected in (((), pixels[..., :3]), (("--channels", 4), pixels)):
        assert build(f"folder:{tmp_path / 'source'}", tmp_path / "out", *options, "--overwrite") == 0
        assert np.array_equal(read_back(tmp_path / "out")[0]["image"], expected)


def test_a_killed_build_goes_on_and_ends_as_an_unbroken_one(images, recipe, built, python, tmp_path):
    out = tmp_path / "out"
    arguments = [f"folder:{images}", out, "--recipe", recipe, "--variants", 3, "--shards", 4]
    assert python(KILLED, *arguments, check=False).returncode == -signal.SIGKILL
    left = sorted(path.name for path in out.iterdir())
    assert left == [
        ".pets-train.tfrecord-00002-of-00004.part",
        "pets-train.tfrecord-00000-of-00004",
        "pets-train.tfrecord-00001-of-00004",
        "progress.json",
    ]
    kept = (out / left[1]).stat().st_ino
    (out / left[2]).write_bytes(b"")  # not what the build left: made again, from the middle
    assert build(*arguments) == 0
    assert (out / left[1]).stat().st_ino == kept
    assert contents(out) == contents(built)
    assert build(*arguments) == 0  # nothing left to do
    assert (out / left[1]).stat().st_ino == kept
    (out / left[1]).unlink()  # the manifest is there, a shard is not
    assert build(*arguments) == 0
    assert contents(out) == contents(built)


def test_a_full_disk_leaves_no_half_shard_and_can_be_resumed(tmp_path):
    source, out = tmp_path / "images", tmp_path / "out"
    source.mkdir()
    for n, side in enumerate([16, 16, 16, 256]):
        Image.fromarray(noise(n, side, side)).save(source / f"{n}.png")
    arguments = [f"folder:{source}", out, "--shards", 2]
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "build.py"), *map(str, arguments)], text=True, check=False,
        capture_output=True, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    last = "images-train.tfrecord-00001-of-00002"
    assert re.search(rf"{last}: cannot be written: .*File too large", done.stderr)
    assert "Traceback" not in done.stderr
    assert sorted(p.name for p in out.iterdir()) == [last.replace("-00001-", "-00000-"), "progress.json"]
    assert build(*arguments) == 0
    assert build(arguments[0], tmp_path / "unbroken", "--shards", 2) == 0
    assert contents(out) == contents(tmp_path / "unbroken")


def test_a_build_of_something_else_is_left_alone(images, recipe, built, copy, capsys):
    before = contents(copy)
    arguments = [f"folder:{images}", copy, "--recipe", recipe, "--shards", 4]
    assert build(*arguments, "--variants", 2) == 2
    assert "variants is 3 there, 2 asked for" in capsys.readouterr().err
    assert build(f"folder:{images}", copy, "--shards", 4) == 2
    assert 'recipe is {"stream_version": 1' in capsys.readouterr().err
    assert contents(copy) == before
    (copy / "manifest.json").rename(copy / "elsewhere.json")
    assert build(*arguments, "--variants", 3) == 2
    assert "must hold no TFRecords but those of an unfinished build" in capsys.readouterr().err
    (copy / "elsewhere.json").unlink()
    assert build(*arguments, "--variants", 3, "--overwrite") == 0
    assert contents(copy) == contents(built)
    assert build(f"folder:{images}", copy, "--shards", 2, "--overwrite") == 0
    assert len(list(copy.glob("*tfrecord*"))) == 2


def test_two_builds_in_one_folder(images, tmp_path, capsys):
    handle = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    assert build(f"folder:{images}", tmp_path) == 1
    os.close(handle)
    assert "another build is at work" in capsys.readouterr().err


def test_verify_says_same(built, tmp_path, images, capsys):
    assert verify(built / "manifest.json") == 0
    fingerprint = manifest_of(built)["fingerprint"]
    assert f"same: {fingerprint}" in capsys.readouterr().out
    shutil.copy(built / "manifest.json", tmp_path)
    moved = shutil.copytree(images, tmp_path / "moved")
    assert verify(tmp_path / "manifest.json", "--source", f"folder:{moved}") == 0
    said = capsys.readouterr().out
    assert f"same: {fingerprint}" in said
    assert "4 stored shards" in said


def rewrite(path, change):
    """Writes a shard again with each tf.train.Example changed."""
    records = [tf.train.Example.FromString(r.numpy()) for r in tf.data.TFRecordDataset(str(path))]
    with tf.io.TFRecordWriter(str(path)) as writer:
        for n, record in enumerate(records):
            change(n, record.features.feature)
            writer.write(record.SerializeToString(deterministic=True))


def test_verify_names_a_changed_pixel_of_a_stored_shard(built, copy, capsys):
    def change(n, feature):
        if n == 5:
            image = tf.io.decode_png(feature["image"].bytes_list.value[0]).numpy()
            image[3, 4, 1] ^= 1
            feature["image"].bytes_list.value[0] = tf.io.encode_png(image).numpy()

    rewrite(copy / "pets-train.tfrecord-00001-of-00004", change)
    assert verify(copy / "manifest.json") == 1
    said = capsys.readouterr().out
    record = read_back(built)[6 + 5]
    assert f"id {record['id']}, epoch {record['epoch']}: 1 of 480 pixels differ" in said
    assert said.count("pixels differ") == 1
    assert "damaged: pets-train.tfrecord-00001-of-00004: holds 9:" in said
    assert "different:" not in said


def test_verify_tells_of_a_damaged_shard(copy, capsys):
    path = copy / "pets-train.tfrecord-00002-of-00004"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    assert verify(copy / "manifest.json") == 1
    said = capsys.readouterr().out
    assert re.search(r"damaged: pets-train.tfrecord-00002-of-00004: cannot be read: .*corrupted record", said)
    assert "different:" not in said


def test_verify_of_another_recipe(copy, capsys):
    manifest = manifest_of(copy)
    manifest["recipe"]["transforms"][2]["pair"][0] += 1  # the rotation's
    manifest["versions"]["tensorflow"] = "1.0"
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert verify(copy / "manifest.json") == 1
    said = capsys.readouterr().out
    assert said.count("different: ") == 4
    assert "damaged" not in said
    assert said.count("pixels differ") == 10
    assert f"tensorflow: {tf.__version__} here, 1.0 then" in said
    first = [(record["id"], record["epoch"]) for record in read_back(copy)]
    found = re.findall(r"id (-?\d+), epoch (\d)", said)
    assert {(int(id_), int(epoch)) for id_, epoch in found} <= set(first)


def test_verify_of_a_changed_source(images, built, tmp_path, capsys):
    moved = shutil.copytree(images, tmp_path / "moved")
    Image.fromarray(noise(99, 27, 37)).save(moved / "cat" / "3.jpg")
    arguments = [built / "manifest.json", "--source", f"folder:{moved}"]
    assert verify(*arguments) == 1
    said = capsys.readouterr().out
    assert said.count("different: ") == 1
    assert set(re.findall(r"id (-?\d+), epoch", said)) == {str(int(ar.string_ids("cat/3.jpg")))}
    (moved / "cat" / "3.jpg").write_text("no image")
    assert verify(*arguments) == 1
    assert re.search(
        rf"id {int(ar.string_ids('cat/3.jpg'))}: cannot be made here: .+", capsys.readouterr().out
    )
    (moved / "cat" / "3.jpg").rename(moved / "cat" / "new.jpg")
    assert verify(*arguments) == 1
    said = capsys.readouterr().out
    assert f"id {int(ar.string_ids('cat/new.jpg'))}: only the source here has it" in said
    assert f"id {int(ar.string_ids('cat/3.jpg'))}: the source here has it not" in said


def test_verify_of_what_cannot_be_read(copy, tmp_path, capsys):
    assert verify(tmp_path / "none.json") == 2
    (tmp_path / "text.json").write_text("[]")
    assert verify(tmp_path / "text.json") == 2
    assert "must be a manifest of augrng build" in capsys.readouterr().err
    assert verify(copy / "manifest.json", "--source", f"folder:{tmp_path}/none") == 2
    assert "must be a folder that exists" in capsys.readouterr().err


def test_check_reports_duplicate_ids(tmp_path, images, capsys):
    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        for id_ in [5, -6, 5, 7, 5, -6]:
            feature = {
                "id": tf.train.Feature(int64_list={"value": [id_]}),
                "image": tf.train.Feature(bytes_list={"value": [b""]}),
            }
            writer.write(tf.train.Example(features={"feature": feature}).SerializeToString())
    assert build(f"tfrecord:{tmp_path}/a.tfrecord", "--check") == 1
    said = capsys.readouterr().out
    assert "id 5 stands for 3 examples\n" in said
    assert "id -6 stands for 2 examples\n" in said
    assert "id 7 " not in said
    assert build(f"folder:{images}", "--check") == 0
    assert ": 0 duplicate ids" in capsys.readouterr().out


def test_unreadable_images_stop_the_build_or_are_left_out(images, tmp_path, capsys):
    source = shutil.copytree(images, tmp_path / "source")
    good = paths_of(source)
    (source / "cat" / "text.jpg").write_text("no image")
    (source / "cat" / "short.png").write_bytes((source / good[1]).read_bytes()[:200])
    (source / "ant").mkdir()
    (source / "ant" / "gone.png").symlink_to(source / "nowhere.png")
    ids = {path: int(ar.string_ids(path)) for path in ("ant/gone.png", "cat/short.png", "cat/text.jpg")}
    out = tmp_path / "out"
    assert build(f"folder:{source}", out, "--shards", 13) == 1
    assert re.search(
        rf"example with id {ids['ant/gone.png']} cannot be made: .*No such file", capsys.readouterr().err
    )
    assert list(out.glob("*tfrecord*")) == []
    assert build(f"folder:{source}", out, "--shards", 13, "--on-error", "skip", "--overwrite") == 0
    said = capsys.readouterr()
    for path, why in (("gone.png", "No such file"), ("short.png", "."), ("text.jpg", "not a JPEG")):
        id_ = next(id_ for name, id_ in ids.items() if name.endswith(path))
        assert re.search(rf"skipped id {id_}: .*{why}", said.err)
    assert "10 records of 13 examples, 3 skipped" in said.out
    manifest = manifest_of(out)
    assert sorted(manifest["skipped"]) == sorted(ids.values())
    assert [entry["records"] for entry in manifest["shards"]].count(0) == 3
    records = read_back(out)
    assert [r["id"] for r in records] == [int(ar.string_ids(path)) for path in good]
    assert str(total_of(records)) == manifest["fingerprint"]
    assert verify(out / "manifest.json") == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense", "{out}"], "source: must be digits, photos, scenes, folder:DIR, .*, got 'nonsense'"),
        (["folder:", "{out}"], "source: must be"),
        (["folder:{out}/none", "{out}"], "must be a folder that exists"),
        (["tfrecord:{out}/none*", "{out}"], "must name TFRecord files"),
        (["tfrecord:{images}/cat/1.png", "{out}"], "cannot be read"),
        (["tfds:no_such_dataset", "{out}"], "no_such_dataset"),
        (["tfds-dir:{out}/none", "{out}"], "none"),
        (["tfds-dir:{built}:test", "{out}"], "the split must be one of \\['train'\\], got 'test'"),
        (["folder:{images}", "{out}", "--variants", "2"], "variants: must be 1 without a recipe"),
        (
            ["folder:{images}", "{out}", "--recipe", "{recipe}", "--variants", "0"],
            "variants: must be at least 1",
        ),
        (["folder:{images}", "{out}", "--recipe", "{images}/cat/1.png"], "decode|JSON"),
        (
            ["folder:{images}", "{out}", "--shards", "11"],
            "shards: must be .* at most the 10 examples, got 11",
        ),
        (
            ["folder:{images}", "{out}", "--label", "breed"],
            "label: must be one of the features .*, got 'breed'",
        ),
        (
            ["folder:{images}", "{out}", "--label", "path"],
            "label: must be an integer for each example, got string",
        ),
        (["folder:{images}"], "out: must be given"),
    ],
)
def test_refuses(arguments, message, images, built, recipe, tmp_path, capsys):
    names = {"out": tmp_path / "out", "images": images, "built": built, "recipe": recipe}
    assert build(*(argument.format(**names) for argument in arguments)) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "out").exists()
