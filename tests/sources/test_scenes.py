"""The drawn scenes: masks and boxes that belong together, and TFDS' nested features through every way in."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

import augrng as ar
import pipelines as pl

pytestmark = pytest.mark.usefixtures("op_by_op")

TARGETS = {
    "segmentation_mask": ar.Mask(255),
    "objects/bbox": ar.Boxes("rel_yxyx", labels="objects/label", min_size=0.5),
}
AUG = ar.Compose([ar.RandomCrop(48, 48), ar.RandomFlip()], seed=3, targets=TARGETS)


@pytest.fixture(scope="module")
def examples(scenes):
    """What TFDS itself reads of the test split, by id."""
    config = tfds.ReadConfig(add_tfds_id=True)
    read = tfds.as_numpy(scenes.as_dataset(split="test", read_config=config))
    return {int(ar.string_ids(example["tfds_id"])): example for example in read}


def test_the_box_of_an_object_is_that_of_its_part_of_the_mask(examples):
    seen = []
    for example in examples.values():
        mask = example["segmentation_mask"][..., 0]
        height, width = mask.shape
        assert example["image"].shape == (height, width, 3)
        boxes = np.round(example["objects"]["bbox"] * [height, width, height, width]).astype(int)
        covered = np.zeros_like(mask)
        for (y1, x1, y2, x2), label in zip(boxes, example["objects"]["label"], strict=True):
            part = mask[y1:y2, x1:x2]
            assert set(np.unique(part)) <= {0, label + 1}
            rows, columns = np.nonzero(part)
            assert (rows.min(), columns.min()) == (0, 0)
            assert (rows.max() + 1, columns.max() + 1) == part.shape
            full = (
                np.pi / 4 if label else 1
            )  # of a box a disc covers that share, but for its outermost pixels
            assert abs(len(rows) / part.size - full) < 0.08
            covered[y1:y2, x1:x2] = part
        assert np.array_equal(covered, mask)
        seen.append(len(boxes))
    assert (min(seen), max(seen), len(seen)) == (1, 4, 100)


def test_scenes_do_not_depend_on_who_draws_them(examples):
    """That of the first number, pixel by pixel from its words, as the docstrings say."""
    words = ar.bits(ar.fold_in(np.int64([0x7363656E6573, 0]), np.int64(400)), 38).numpy().astype(int)
    example = next(e for e in examples.values() if e["index"] == 400)
    assert example["image"].shape[:2] == (64 + words[2] % 17, 64 + words[3] % 33)
    kinds = words[6::8] % 3
    assert example["objects"]["label"].tolist() == [kind - 1 for kind in kinds if kind]


@pytest.fixture(scope="module")
def moved(examples):
    """What a crop of 48x48 pixels and a flip make of examples, in NumPy, by what was drawn."""
    sizes = [example["image"].shape[:2] for example in examples.values()]
    drawn = tf.nest.map_structure(np.asarray, AUG.sample(list(examples), 0, sizes))
    tops, lefts = drawn["random_crop"]["top"], drawn["random_crop"]["left"]
    made = {}
    for n, (id_, example) in enumerate(examples.items()):
        turn = -1 if drawn["random_flip"]["horizontal"][n] else 1
        window = np.s_[tops[n] : tops[n] + 48, lefts[n] : lefts[n] + 48]
        y1, x1, y2, x2 = (example["objects"]["bbox"] * [*sizes[n], *sizes[n]]).T
        y1, y2 = (np.clip(y - tops[n], 0, 48) for y in (y1, y2))
        x1, x2 = (np.clip(x - lefts[n], 0, 48) for x in (x1, x2))
        x1, x2 = (48 - x2, 48 - x1) if turn < 0 else (x1, x2)
        kept = (x2 - x1 > 0.5) & (y2 - y1 > 0.5)
        objects = {
            "bbox": np.stack([y1, x1, y2, x2], -1)[kept] / 48, "label": example["objects"]["label"][kept]
        }  # fmt: skip
        images = {name: example[name][window][:, ::turn] for name in ("image", "segmentation_mask")}
        made[id_] = {**images, "objects": objects}
    return made


@pytest.mark.parametrize("access", ["random", "stream"])
def test_nested_features_of_tfds_are_moved(scenes, moved, access):
    source = pl.from_tfds(scenes, "test[:10]", access=access)
    seen = []
    for batch in pl.make_dataset(source, AUG, batch_size=8, seed=2):
        for row, id_ in enumerate(batch["id"].numpy().tolist()):
            for name in ("image", "segmentation_mask"):
                assert np.array_equal(batch[name][row], moved[id_][name])
            assert np.array_equal(batch["objects"]["label"][row], moved[id_]["objects"]["label"])
            np.testing.assert_allclose(
                batch["objects"]["bbox"][row], moved[id_]["objects"]["bbox"], atol=1e-6
            )
            seen.append(id_)
    assert len(set(seen)) == 10
