"""Every feature of an example goes to disk and comes back, moved with its image if a recipe says so."""

import functools
import json

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

import augrng as ar
from pipelines.commands import build as build_script
from pipelines.commands import verify as verify_script
from pipelines.disk.features import check_said
from pipelines.disk.forms import recipe_of
from tests.conftest import status_of
from tests.disk.test_build import contents, rewrite

pytestmark = pytest.mark.usefixtures("op_by_op")

build, verify = (functools.partial(status_of, script.main) for script in (build_script, verify_script))
TARGETS = {"segmentation_mask": ar.Mask(255), "objects/bbox": ar.Boxes("rel_yxyx", labels="objects/label")}
AUG = ar.Compose([ar.RandomCrop(16, 16), ar.RandomFlip()], seed=3, targets=TARGETS)


def examples():
    rng = np.random.default_rng(6)
    for n in range(3):
        corners = np.sort(rng.uniform(0, 1, (n, 2, 2)), 1).astype(np.float32)
        yield {
            "image": rng.integers(0, 256, (20, 22, 3), np.uint8),
            "segmentation_mask": rng.integers(0, 9, (20, 22, 1), np.uint8),
            "objects": {"bbox": corners.reshape(-1, 4), "label": rng.integers(0, 9, n)},
            "count": np.int32(n - 1), "weight": np.float64(n / 3), "good": n % 2 == 0,
            "tags": [f"tag {k}".encode() for k in range(n)], "words": [[k] * k for k in range(n + 1)],
            "heights": rng.uniform(0, 1, (n, 2, 2)).astype(np.float32), "name": f"näme {n}".encode(), "index": n,
        }  # fmt: skip


class Rich(tfds.core.GeneratorBasedBuilder):
    """Three images with much that is known of them."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        f = tfds.features
        features = {
            "image": f.Image(shape=(20, 22, 3)), "segmentation_mask": f.Image(shape=(None, None, 1)),
            "objects": {"bbox": f.Tensor(shape=(None, 4), dtype=np.float32), "label": f.Tensor(shape=(None,), dtype=np.int64)},
            "count": np.int32, "weight": f.Tensor(shape=(), dtype=np.float64, encoding="bytes"), "good": np.bool_,
            "tags": f.Sequence(f.Text()), "words": f.Sequence(f.Sequence(np.int64)),
            "heights": f.Tensor(shape=(None, 2, 2), dtype=np.float32), "name": f.Text(), "index": np.int64,
        }  # fmt: skip
        return tfds.core.DatasetInfo(builder=self, features=f.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": ((example["index"], example) for example in examples())}

    def _generate_examples(self):
        raise NotImplementedError


@pytest.fixture(scope="module")
def rich(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rich")
    Rich(data_dir=str(folder)).download_and_prepare()
    return folder / "rich" / "1.0.0"


@pytest.fixture(scope="module")
def augmented(rich, tmp_path_factory):
    """Built with a recipe, two variants of each."""
    folder = tmp_path_factory.mktemp("augmented")
    (folder / "recipe.json").write_text(AUG.to_json())
    assert build(f"tfds-dir:{rich}", folder / "out", "--recipe", folder / "recipe.json", "--variants", 2) == 0
    return folder / "out"


def read_back(folder):
    dataset = tfds.builder_from_directory(folder).as_dataset(split="train", shuffle_files=False)
    return [tf.nest.map_structure(plain, record) for record in dataset]


def plain(value):
    return value.to_list() if isinstance(value, tf.RaggedTensor) else value.numpy()


def assert_same(got, expected):
    for name, value in expected.items():
        if isinstance(value, dict):
            assert_same(got[name], value)
        elif name == "words":
            assert got[name] == value
        else:
            assert np.array_equal(got[name], value), name
            kind = np.asarray(value).dtype.kind
            assert (
                np.asarray(got[name]).dtype == np.asarray(value).dtype or kind in "SO" or not np.size(value)
            )


def test_every_feature_comes_back(rich, tmp_path, capsys):
    assert build(f"tfds-dir:{rich}", tmp_path / "out") == 0
    assert "left out" not in capsys.readouterr().err
    there = {example["index"]: example for example in examples()}
    records = read_back(tmp_path / "out")
    assert len(records) == 3
    for record in records:
        assert_same(record, there[record["index"]])
        assert record["epoch"] == 0
    assert verify(tmp_path / "out" / "manifest.json") == 0


def test_a_recipe_moves_them(rich, augmented):
    there = {example["index"]: example for example in examples()}
    records = read_back(augmented)
    assert [record["epoch"] for record in records] == [0, 1] * 3
    for record in records:
        example = there[record["index"]]
        known = {name: example[name] for name in ("image", "segmentation_mask", "objects")}
        moved = tf.nest.map_structure(np.asarray, AUG(known, record["id"], record["epoch"]))
        assert_same(record, {**example, **moved})
    assert sorted({len(record["objects"]["bbox"]) for record in records})[0] == 0


def test_what_may_move_is_refused_where_no_one_says_whether_it_does():
    spec = {
        name: tf.TensorSpec(shape)
        for name, shape in {"boxes": [None, 4], "weight": [], "heights": [2]}.items()
    }
    spec |= {"inner": {"points": tf.RaggedTensorSpec([None, None])}, "tags": tf.TensorSpec([None], tf.string)}
    with pytest.raises(
        ValueError, match="shorter_side: must come with a recipe .* got 10 .* may: heights, inner/points. "
    ):
        check_said(recipe_of(10, None), spec, 10)
    check_said(recipe_of(10, ar.Compose([ar.Resize(10, antialias="exact")], targets={})), spec, 10)


def test_verify_looks_at_them(augmented, tmp_path, capsys):
    manifest = json.loads((augmented / "manifest.json").read_text())
    assert "objects/bbox" in manifest["features"]
    for name, content in contents(augmented).items():
        (tmp_path / name).write_bytes(content)

    def change(n, feature):
        if n == 3:
            feature["count"].int64_list.value[0] += 1

    (shard,) = tmp_path.glob("*.tfrecord-*")
    rewrite(shard, change)
    assert verify(tmp_path / "manifest.json") == 1
    said = capsys.readouterr().out
    assert "epoch 1: count differ" in said
    assert f"damaged: {shard.name}: with features it holds 6:" in said
    assert "pixels differ" not in said
    assert (
        build(*manifest["arguments"]["source"].split(" "), tmp_path, "--variants", 1) == 2
    )  # of something else
