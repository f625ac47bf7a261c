"""`augrng replay`: the pixels that training saw, the numbers they come from, and answers to mistakes."""

import json
import re

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import augrng as ar
import pipelines as pl
from pipelines.commands import build, replay
from pipelines.show.explain import window_of
from pipelines.show.replay import Replayer, in_tensorflow, read_log
from pipelines.sources.spec import open_source

pytestmark = pytest.mark.usefixtures("op_by_op")

RECIPE = "RandomResizedCrop(12, 16), RandomFlip, RandomRotation(30), RandomHue(0.1)"
AUG = ar.read_recipe(RECIPE, 5)
COUNT, EPOCHS = 10, 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """JPEGs of many sizes, some of them large enough to be reduced by the decoder; and a PNG."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "a").mkdir()
    rng = np.random.default_rng(3)
    for number in range(COUNT):
        small = rng.integers(0, 256, (6, 8, 3), np.uint8)
        size = (40 + 30 * (number % 4), 36 + 20 * (number % 3))
        kind = "png" if number == 4 else "jpg"
        Image.fromarray(small).resize(size, Image.Resampling.BICUBIC).save(folder / "a" / f"{number}.{kind}")
    return folder


@pytest.fixture(scope="module")
def sources(folder, tmp_path_factory):
    made = tmp_path_factory.mktemp("made")
    with tf.io.TFRecordWriter(str(made / "a.tfrecord")) as writer:
        for number, path in enumerate(sorted(folder.rglob("*.jpg"))):
            image = tf.train.Feature(bytes_list=tf.train.BytesList(value=[path.read_bytes()]))
            id_ = tf.train.Feature(int64_list=tf.train.Int64List(value=[number - 3]))
            example = tf.train.Example(features=tf.train.Features(feature={"image": image, "id": id_}))
            writer.write(example.SerializeToString())
    assert build.main([f"folder:{folder}", str(made / "built")]) == 0
    pixels = {"image": np.random.default_rng(4).integers(0, 256, (COUNT, 20, 24, 3), np.uint8)}
    stream = tf.data.Dataset.from_tensor_slices({**pixels, "id": np.arange(COUNT) * 7})
    return {
        "folder": open_source(f"folder:{folder}")[0],
        "TFRecord": open_source(f"tfrecord:{made}/a.tfrecord")[0],
        "built, of TFDS": open_source(f"tfds-dir:{made}/built")[0],
        "stream": pl.from_dataset(stream),
    }


def equal_pairs(source, aug, count):
    batches = pl.make_dataset(source, aug, batch_size=4, epochs=EPOCHS, seed=1)
    seen = {}
    for batch in batches.as_numpy_iterator():
        seen |= dict(zip(zip(batch["id"], batch["epoch"], strict=True), batch["image"], strict=True))
    assert len(seen) == EPOCHS * source.size
    replayer = Replayer(source, aug)
    chosen = np.random.default_rng(5).permutation(list(seen))[:count]
    return [np.array_equal(replayer.example(*pair)["image"], seen[tuple(pair)]) for pair in chosen]


@pytest.mark.parametrize("name", ["folder", "TFRecord", "built, of TFDS", "stream"])
def test_pixels_are_those_of_the_batch(sources, name):
    assert equal_pairs(sources[name], AUG, 12) == [True] * 12


def test_pixels_of_mixed_examples_are_those_of_the_batch():
    source = pl.from_arrays(np.random.default_rng(6).integers(0, 256, (COUNT, 12, 12, 3), np.uint8))
    aug = ar.Compose([ar.RandomCrop(8, 8), ar.MixUp(label=None)], seed=5)
    assert equal_pairs(source, aug, 4) == [True] * 4
    with pytest.raises(ValueError, match='mixes each example with others of its batch .*"dataset" can be'):
        Replayer(source, ar.Compose([ar.MixUp(label=None, partners="batch")], seed=5))


def test_the_command_writes_the_pixels_and_the_numbers(folder, sources, tmp_path, capsys):
    arguments = [
        "--recipe",
        RECIPE,
        "--seed",
        "5",
        "--source",
        f"folder:{folder}",
        "--epoch",
        "2",
        "--explain",
    ]
    out = tmp_path / "new" / "one.png"
    assert replay.main([*arguments, "--path", "a/3.jpg", "--out", str(out), "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    id_ = int(ar.string_ids("a/3.jpg"))
    assert (found["id"], found["epoch"], found["image"]) == (id_, 2, [12, 16, 3])
    with Image.open(out) as picture:
        pixels = np.asarray(picture)
    assert np.array_equal(pixels, Replayer(sources["folder"], AUG).example(id_, 2)["image"])
    with Image.open(found["files"][1]) as picture:
        assert picture.width > 480
    with Image.open(folder / "a" / "3.jpg") as picture:
        size = picture.size[::-1]
    params, keys = AUG.sample(id_, 2, size), AUG.keys(id_, 2)
    for draw in found["draws"]:
        names = {"tf": tf}
        exec("\n".join(draw["tensorflow"]), names)
        assert draw["key"] == names["key"].numpy().tolist() == keys[draw["name"]].numpy().tolist()
        assert draw["words"] == names["words"].numpy().tolist()
        assert draw["params"] == {name: value.numpy() for name, value in params[draw["name"]].items()}
    assert replay.main([*arguments, "--id", str(id_), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert all(f"\n  {line}\n" in f"{said}\n" for draw in found["draws"] for line in draw["tensorflow"])


def test_the_window_is_where_the_pixels_come_from():
    image = np.arange(20 * 24 * 3, dtype=np.uint8).reshape(1, 20, 24, 3)
    aug = ar.Compose([ar.RandomCrop(8, 10), ar.RandomFlip(p=1)], seed=5)
    replayed = Replayer(pl.from_arrays(image), aug)(0, 4)
    (right, top), (left, _), (_, bottom), _ = window_of(aug, replayed).astype(int)
    assert np.array_equal(replayed.example["image"], image[0, top:bottom, left:right][:, ::-1])


def test_threefry_has_its_own_lines():
    aug = ar.Compose([ar.RandomFlip()], seed=5, alg="threefry")
    (draw,) = Replayer(pl.from_arrays(np.zeros((1, 4, 4, 3), np.uint8)), aug)(0, 4).draws
    names = {"tf": tf, "ar": ar}
    exec("\n".join(in_tensorflow(draw, 0, 4, "threefry")), names)
    assert draw.words == names["words"].numpy().tolist()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("step 90: id -4711 epoch 2, loss 7.1", (-4711, 2)),
        ('{"epoch": 3, "id": 12, "image": [8, 8, 3]}', (12, 3)),
        ("id=12", (12, None)),
        ("-12\ta/1.jpg\tnot an image", (-12, None)),
        ("skipped example 12\ta/1.jpg\tnot an image", (12, None)),
        ("the example with id 12 (a/1.jpg) cannot be used: it is cut short", (12, None)),
    ],
)
def test_lines_of_logs(line, found):
    assert read_log(line) == found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--id", "7", "--epoch", "1"], r"id: must be one of the 10 in folder .*, got 7"),
        (["--path", "a/33.jpg", "--epoch", "1"], r"path: must be one in folder .*, as 'a/3.jpg', got 'a/33.jpg'"),
        (["--id", "7", "--epoch", "-1"], r"epoch: must be at least 0, got -1"),
        (["--id", "7", "--epoch", "1", "--recipe", "RandomFlp()"], r"recipe: type .* got 'RandomFlp'; did you mean RandomFlip\?"),
        (["--id", "7"], r"epoch: must be given by --epoch, or by the line"),
        (["--log", "loss 7.1 at step 90"], r"log: must be a line with the id of an example, .* got 'loss 7.1"),
        (["--log", "id 7 epoch -2"], r"epoch: must be at least 0, got -2"),
        (["--id", "seven", "--epoch", "1"], r"argument --id: .*'seven'; see augrng replay --help"),
        (["--epoch", "1"], r"one of the arguments --id --path --log is required"),
    ],
)  # fmt: skip
def test_mistakes_are_named(folder, arguments, message, refused):
    (line,) = refused(
        replay.main, "--recipe", RECIPE, "--source", f"folder:{folder}", *arguments
    ).splitlines()
    assert re.search(message, line), line
