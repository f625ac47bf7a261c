"""from_folder: which files are examples, which class they are of, and how quickly they are found."""

import io
import os
import time

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import augrng as ar
import pipelines as pl
from pipelines.sources.listing import listed
from pipelines.train.training import open_splits

pytestmark = pytest.mark.usefixtures("op_by_op")

SUFFIXES = (".jpg", ".png")


def png():
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def put(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png())
    return root


def labels(source):
    return {r["path"].numpy().decode(): int(r["label"]) for r in source.dataset()}


def test_labels_mean_the_same_in_every_part(tmp_path):
    train = pl.from_folder(put(tmp_path / "train", "cat/1.png", "cow/1.png", "dog/1.png"))
    put(tmp_path / "test", "cat/1.png", "dog/2.png")
    assert labels(pl.from_folder(tmp_path / "test"))["dog/2.png"] == 1  # by itself it knows no cow
    test = pl.from_folder(tmp_path / "test", class_names=train.class_names)
    assert test.class_names == ("cat", "cow", "dog")
    assert labels(test) == {"cat/1.png": 0, "dog/2.png": 2}
    parts = open_splits(f"folder:{tmp_path}")[:2]
    assert [labels(part)[path] for part, path in zip(parts, ("dog/1.png", "dog/2.png"), strict=True)] == [
        2,
        2,
    ]
    put(tmp_path / "test", "yak/1.png")
    for opened in (
        lambda: open_splits(f"folder:{tmp_path}"),
        lambda: pl.from_folder(tmp_path / "test", class_names=["cat", "dog"]),
    ):
        with pytest.raises(ValueError, match=r"class_names: .*\['yak'\] are not in \['cat', .*'dog'\]"):
            opened()


def test_empty_class_folders_count(tmp_path):
    put(tmp_path, "cat/1.png", "dog/1.png")
    (tmp_path / "cow").mkdir()
    (tmp_path / "cow" / "notes.txt").write_text("none yet")
    source = pl.from_folder(tmp_path)
    assert source.class_names == ("cat", "cow", "dog")
    assert labels(source) == {"cat/1.png": 0, "dog/1.png": 2}
    flat = put(tmp_path / "flat", "1.png")
    (flat / "notes").mkdir()
    assert pl.from_folder(flat).class_names == ()


def test_hidden_files_and_folders_are_no_examples(tmp_path):
    root = put(
        tmp_path / ".data",
        "cat/1.png",
        "cat/._1.png",
        ".git/2.png",
        "__MACOSX/cat/3.png",
        "cat/.thumbs/4.png",
    )
    source = pl.from_folder(root)
    assert source.class_names == ("cat",)
    assert labels(source) == {"cat/1.png": 0}


def test_links_that_lead_back_are_not_followed_twice(tmp_path):
    put(tmp_path / "root", "cat/1.png", "dog/1.png")
    put(tmp_path / "elsewhere", "2.png")
    (tmp_path / "root" / "cat" / "root").symlink_to(tmp_path / "root")
    (tmp_path / "root" / "cat" / "cat").symlink_to(tmp_path / "root" / "cat")
    (tmp_path / "root" / "cat" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root" / "dog" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root" / "dog" / "circle.png").symlink_to(tmp_path / "root" / "dog" / "circle.png")
    files, folders = listed(str(tmp_path / "root"), SUFFIXES)
    assert folders == ["cat", "dog"]
    assert files == ["cat/1.png", "cat/more/2.png", "dog/1.png", "dog/circle.png", "dog/more/2.png"]


def test_what_cannot_be_listed_is_named(tmp_path, monkeypatch):
    put(tmp_path, "cat/1.png")
    os.mkfifo(tmp_path / "cat" / "pipe.png")
    with pytest.raises(ValueError, match=r"folder: its files must be regular ones, .*pipe.png is a FIFO"):
        pl.from_folder(tmp_path)
    (tmp_path / "cat" / "pipe.png").unlink()
    strange = os.fsencode(tmp_path / "cat") + b"/\xff.png"
    with open(strange, "wb") as file:
        file.write(png())
    with pytest.raises(ValueError, match=r"folder: names of files must be UTF-8, got b'cat/\\xff.png'"):
        pl.from_folder(tmp_path)
    os.unlink(strange)
    put(tmp_path, "käfer/ü.png")
    assert sorted(labels(pl.from_folder(tmp_path))) == ["cat/1.png", "käfer/ü.png"]

    scandir = os.scandir

    def refusing(path):  # the tests may run as root, to whom nothing is unreadable
        if str(path).endswith("cat"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(PermissionError, match="cat"):
        pl.from_folder(tmp_path)


def test_the_home_folder_is_known(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(put(tmp_path, "data/cat/1.png")))
    assert labels(pl.from_folder("~/data")) == {"cat/1.png": 0}


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        ("cat", TypeError, "class_names: must be a list of strings, got 'cat'"),
        ([1, 2], TypeError, "class_names: must be a list of strings"),
        (["cat", "cat"], ValueError, "class_names: must name each class once"),
        (["dog"], ValueError, r"\['cat'\] are not in \['dog'\]"),
    ],
)
def test_bad_class_names_are_refused(tmp_path, names, error, message):
    with pytest.raises(error, match=message):
        pl.from_folder(put(tmp_path, "cat/1.png"), class_names=names)


def test_class_names_need_subfolders(tmp_path):
    with pytest.raises(ValueError, match="class_names: need subfolders"):
        pl.from_folder(put(tmp_path, "1.png"), class_names=["cat"])


def test_a_hundred_thousand_files_are_listed_in_no_time(tmp_path):
    """CPU time; a list by pathlib takes ten times as long as os.walk, and this at most three times."""
    for place in range(100):
        folder = tmp_path / f"class{place:03}"
        folder.mkdir()
        for number in range(1000):
            os.close(os.open(folder / f"{number:05}.jpg", os.O_CREAT | os.O_WRONLY))
    times = {}
    for name, work in (
        ("walk", lambda: sum(len(files) for _, _, files in os.walk(tmp_path))),
        ("listed", lambda: len(listed(str(tmp_path), SUFFIXES)[0])),
    ):
        taken = []
        for _ in range(3):
            start = time.process_time()
            assert work() == 100_000
            taken.append(time.process_time() - start)
        times[name] = min(taken)
    assert times["listed"] < 4 * times["walk"] + 0.05, times


def arrays():
    return pl.from_arrays(np.zeros((1000, 2, 2, 1), np.uint8), np.arange(1000) % 7)


def test_a_split_is_by_id_and_stateless():
    whole = arrays()
    train, rest = whole.split(0.9, seed=0)
    assert sorted([*train.ids(), *rest.ids()]) == list(range(1000))
    assert train.size == len(train.ids())
    assert abs(train.size - 900) < 4 * np.sqrt(1000 * 0.9 * 0.1)
    tf.random.set_seed(3)
    few = pl.from_arrays(np.zeros((300, 2, 2, 1), np.uint8), ids=np.arange(300) + 500)
    assert list(few.split(0.9)[0].ids()) == [id_ for id_ in train.ids() if 500 <= id_ < 800]
    assert list(whole.split(0.9, seed=1)[0].ids()) != list(train.ids())
    stream = pl.from_dataset(whole.dataset())
    assert list(stream.split(0.9)[0].ids()) == list(train.ids())
    assert stream.split(0.9)[1].size == rest.size
    words = [int(ar.bits(ar.fold_in([0x73706C6974, 0], np.int64(n)), 1)[0]) for n in range(20)]
    assert [n for n in range(20) if words[n] < round(0.9 * 2**32)] == [n for n in train.ids() if n < 20]


def test_splits_share_their_classes(tmp_path):
    source = pl.from_folder(put(tmp_path, *(f"{c}/{n}.png" for c in ("cat", "dog") for n in range(10))))
    assert {part.class_names for part in source.split(0.5)} == {("cat", "dog")}


def test_take():
    counted = arrays().dataset().apply(tf.data.experimental.assert_cardinality(1000))
    for source in (arrays(), pl.from_dataset(counted)):
        assert list(source.take(3).ids()) == [0, 1, 2]
        assert source.take(3).size == 3
        assert source.take(2000).size == len(source.take(2000).ids()) == 1000
        assert list(source.split(0.5)[0].take(2).ids()) == list(source.split(0.5)[0].ids()[:2])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda s: s.split(1.5), ValueError, "fraction: must be between 0 and 1, got 1.5; take"),
        (lambda s: s.split("0.9"), TypeError, "fraction: must be a number"),
        (lambda s: s.split(0.9, seed=0.5), TypeError, "seed: must be an integer, got 0.5"),
        (lambda s: s.take(0), ValueError, "count: must be at least 1, got 0"),
        (lambda s: s.take(0.9), TypeError, r"count: must be an integer, got 0.9; split\(0.9\) takes a share"),
    ],
)
def test_bad_parts_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(arrays())
