"""Targets through make_dataset: what a call gives for the decoded example, and the same images."""

import functools
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import augrng as ar
import pipelines as pl
from augrng.compiled import op_by_op
from pipelines.images.decode import decode

COUNT = 7
PLAIN = ("map", "rest", "size", "borders", "columns", "pool")  # names that a source may have too
TARGETS = {
    "mask": ar.Mask(255),
    "objects/bbox": ar.Boxes("rel_yxyx", labels="objects/label", min_size=1),
    "points": ar.Keypoints("xyv", pairs=[(0, 1)]),
}


def encoded(pixels, format):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format, quality=90)
    return file.getvalue()


@pytest.fixture(scope="module")
def examples():
    """Photographs of several sizes with a mask, boxes, labels and points, decoded."""
    rng, made = np.random.default_rng(4), []
    for number in range(COUNT):
        height, width = 60 + 9 * number, 100 - 7 * number
        smooth = rng.integers(0, 256, (6, 6, 3), np.uint8)
        image = np.asarray(Image.fromarray(smooth).resize((width, height), Image.Resampling.BICUBIC))
        corners = np.sort(rng.uniform(0, 1, (number % 3, 2, 2)), 1).astype(np.float32)
        made.append({
            "image": encoded(image, "jpeg"), "mask": encoded(rng.integers(0, 9, (height, width), np.uint8), "png"),
            "objects": {"bbox": corners.reshape(-1, 4), "label": rng.integers(0, 9, number % 3)},
            "points": np.float32([[10, 20, 2], [height / 2, 30, 1]]), "name": f"n{number}", "id": number * 31,
        })  # fmt: skip
    return made


def source_of(examples, more=()):
    spec = {
        **{name: tf.TensorSpec([], tf.int64) for name in more},
        "image": tf.TensorSpec([], tf.string), "mask": tf.TensorSpec([], tf.string),
        "objects": {"bbox": tf.TensorSpec([None, 4], tf.float32), "label": tf.TensorSpec([None], tf.int64)},
        "points": tf.TensorSpec([2, 3], tf.float32), "name": tf.TensorSpec([], tf.string), "id": tf.TensorSpec([], tf.int64),
    }  # fmt: skip
    return pl.from_dataset(tf.data.Dataset.from_generator(lambda: iter(examples), output_signature=spec))


def by_id(batches):
    found = {}
    for batch in batches:
        for row, id_ in enumerate(batch["id"].numpy()):
            found[int(id_)] = tf.nest.map_structure(lambda part, row=row: np.asarray(part[row]), batch)
    return found


def recipe(targets=TARGETS, crop=ar.BoxSafeCrop):
    transforms = [crop(40, 48), ar.RandomFlip(), ar.RandomRotation(20), ar.RandomBrightness(0.1)]
    return ar.Compose(transforms, seed=3, targets=targets)


@pytest.fixture(scope="module")
def moved(examples):
    """By id, what a run of two epochs makes of the examples in the second."""
    return by_id(pl.make_dataset(source_of(examples), recipe(), batch_size=3, epochs=2, seed=1))


def test_encoded_images_and_masks(examples, moved):
    aug, got = recipe(), moved
    full = by_id(pl.make_dataset(source_of(examples), aug, batch_size=4, epochs=2, seed=1, decode="full"))
    assert set(got) == {example["id"] for example in examples}
    for example in examples:
        decoded = {
            **example, "image": decode(example["image"], channels=3), "mask": tf.io.decode_png(example["mask"])
        }  # fmt: skip
        row = got[example["id"]]
        with op_by_op():
            expected = aug(decoded, example["id"], 1)
        assert np.array_equal(full[example["id"]]["image"], expected["image"])
        for name in ("mask", "points"):
            np.testing.assert_array_equal(row[name], expected[name])
            np.testing.assert_array_equal(full[example["id"]][name], row[name])
        for name in ("bbox", "label"):
            np.testing.assert_array_equal(row["objects"][name], expected["objects"][name])
        assert row["name"] == example["name"].encode()


def test_pixels_padding_and_devices(examples, moved, rng):
    images = rng.integers(0, 256, (6, 40, 50, 3), np.uint8)
    features = {
        "mask": rng.integers(0, 5, (6, 40, 50), np.uint8),
        "boxes": np.float32([[[5, 5, 20, 30], [0, 0, 50, 40]]] * 6), "labels": np.arange(12).reshape(6, 2),
        **dict.fromkeys(PLAIN, np.arange(6)),
    }  # fmt: skip
    source = pl.from_arrays(images, features=features)
    targets = {"mask": ar.Mask(), "boxes": ar.Boxes("xyxy", "labels", max_boxes=3)}
    aug = ar.Compose([ar.BoxSafeCrop(30, 36), ar.RandomFlip()], seed=3, targets=targets)
    whole = aug({"image": images, **features}, np.arange(6), 0)
    for options in ({}, {"device": "CPU:0"}):
        dataset = pl.make_dataset(source, aug, batch_size=3, drop_remainder=True, seed=2, **options)
        rows = by_id(dataset)
        for id_ in range(6):
            for name in whole:
                np.testing.assert_array_equal(rows[id_][name], whole[name][id_])
    spec = pl.make_dataset(source, aug, batch_size=3, drop_remainder=True).element_spec
    assert spec["boxes"].shape == (3, 3, 4)
    assert spec["boxes_valid"].shape == (3, 3)
    named = [{**example, **dict.fromkeys(PLAIN, example["id"])} for example in examples]
    options = {"batch_size": 3, "epochs": 2, "seed": 1, "device": "CPU:0"}
    rows = by_id(pl.make_dataset(source_of(named, PLAIN), recipe(), **options))
    for id_, row in rows.items():
        assert [row.pop(name) for name in PLAIN] == [id_] * len(PLAIN)
        tf.nest.map_structure(np.testing.assert_array_equal, row, moved[id_])


@pytest.fixture(scope="module")
def known():
    """A source of pixels with all kinds of targets, and a recipe."""
    rng = np.random.default_rng(8)
    corners = np.sort(rng.integers(0, 40, (16, 2, 2, 2)), 2)
    features = {
        "mask": rng.integers(0, 5, (16, 40, 48), np.uint8),
        "boxes": corners.reshape(16, 2, 4).astype(np.float32) + np.float32([0, 0, 1, 1]),
        "labels": np.arange(32).reshape(16, 2), "points": rng.uniform(0, 40, (16, 3, 2)).astype(np.float32),
    }  # fmt: skip
    targets = {
        "mask": ar.Mask(255),
        "boxes": ar.Boxes("xyxy", "labels", min_visible=0.2, max_boxes=2),
        "points": ar.Keypoints("xy", pairs=[(0, 1)], visible=True),
    }
    images = rng.integers(0, 256, (16, 40, 48, 3), np.uint8)
    transforms = [ar.BoxSafeCrop(24, 32), ar.RandomFlip(), ar.RandomRotation(20)]
    return images, features, ar.Compose(transforms, seed=5, targets=targets)


def prints_of(batches):
    """The fingerprint of each batch, pixels and targets, in turn."""
    return [ar.fingerprint(batch, batch["id"], batch["epoch"]) for batch in batches]


def test_hosts_and_resumed_runs_give_the_same_targets(known, tmp_path):
    """Against the calls of the recipe, op by op."""
    images, features, aug = known
    source = pl.from_arrays(images, features=features)
    make = functools.partial(pl.make_dataset, source, aug, batch_size=8, epochs=2, seed=4)
    plain = ar.Compose([ar.Pad(0)], seed=1, targets={})
    batches = list(pl.make_dataset(source, plain, batch_size=8, epochs=2, seed=4))
    with op_by_op():
        called = [(aug(batch, *(keys := (batch.pop("id"), batch.pop("epoch")))), *keys) for batch in batches]

    def wanted(host, hosts):
        """Of the places of a host in each batch."""
        parts = [tf.nest.map_structure(lambda part: part[host::hosts], one) for one in called]
        return [ar.fingerprint(*part) for part in parts]

    expected = wanted(0, 1)
    assert len(set(expected)) == 4
    for host, hosts in ((0, 2), (1, 2), (6, 8)):
        assert prints_of(make(host=host, hosts=hosts)) == wanted(host, hosts)
    assert prints_of(make(start_step=3)) == expected[3:]
    assert prints_of(make(device="CPU:0")) == expected
    iterator = iter(make())
    assert prints_of([next(iterator), next(iterator)]) == expected[:2]
    path = tf.train.Checkpoint(iterator=iterator).save(str(tmp_path / "iterator"))
    assert prints_of(iterator) == expected[2:]
    again = iter(make())
    tf.train.Checkpoint(iterator=again).restore(path)
    assert prints_of(again) == expected[2:]


def broken_ones(examples):
    """Ten examples, of which those with ids below 300 are broken, each in its way; and why."""
    made = [{**example, "objects": dict(example["objects"])} for example in examples]
    boxes = [made[1], made[2], made[3], made[5]]
    more = ([np.nan, 0, 0.5, 0.5], [0.5, 0.5, 0.2, 0.9], [10, 20, 30, 40], [0.1, 0.1, 0.4, 0.4])
    for example, box in zip(boxes, more, strict=True):
        count = 4 if example is made[5] else 2
        example["objects"] = {"bbox": np.float32([box] * count), "label": np.arange(count)}
    made[0]["image"] = examples[0]["image"][:200]
    made[4]["mask"] = examples[5]["mask"]
    made[6]["points"] = np.float32([[np.inf, 3, 2], [1, 1, 1]])
    good = [{**examples[number], "id": 300 + number} for number in (0, 2, 4)]
    return [*made, *good], {
        0: "JPEG", 31: "objects/bbox: coordinates must be finite", 62: "objects/bbox: a box must end at or after",
        93: "objects/bbox: no corner may lie farther outside", 124: "its mask cannot be decoded, or has not the size",
        155: "objects/bbox: at most max_boxes = 3", 186: "points: coordinates must be finite",
    }  # fmt: skip


def causes_in(path):
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    return {int(id_): cause for id_, _, cause in lines}


def test_errors_of_targets(examples, tmp_path):
    broken, rules = broken_ones(examples)
    boxes = ar.Boxes("rel_yxyx", labels="objects/label", max_boxes=3)
    aug = recipe(TARGETS | {"objects/bbox": boxes})
    make = functools.partial(pl.make_dataset, source_of(broken), aug, batch_size=10, shuffle=False)
    (batch,) = make(on_error="replace", skipped=tmp_path / "replaced")
    ids = batch["id"].numpy().tolist()
    assert set(ids) == {300, 302, 304}
    assert (len(ids), ids[-3:]) == (10, [300, 302, 304])
    causes = causes_in(tmp_path / "replaced")
    assert causes.keys() == rules.keys()
    for id_, rule in rules.items():
        assert rule in causes[id_]
    with pytest.raises(tf.errors.InvalidArgumentError, match="id 0 "):
        list(make())
    with pytest.raises(ValueError, match="m: .* must be in the example, got .*objects/bbox"):
        pl.make_dataset(source_of(examples), recipe({"m": ar.Mask()}, ar.RandomCrop), batch_size=3)


def test_errors_of_targets_of_pixels(known, tmp_path):
    images, features, aug = known
    boxes = features["boxes"].copy()
    boxes[3, 0], boxes[9, 1] = [9, 9, 5, 30], [np.nan, 0, 1, 1]
    source = pl.from_arrays(images, features={**features, "boxes": boxes})
    rules = {3: "boxes: a box must end at or after its start", 9: "boxes: coordinates must be finite"}
    for mode, options in (("skip", {}), ("replace", {"device": "CPU:0"})):
        path = tmp_path / mode
        make = functools.partial(pl.make_dataset, source, aug, batch_size=8, shuffle=False)
        batches = list(make(on_error=mode, skipped=path, seed=1, **options))
        ids = np.concatenate([batch["id"] for batch in batches])
        good = [id_ for id_ in range(16) if id_ not in rules]
        if mode == "skip":
            assert ids.tolist() == good
        else:
            assert np.array_equal(np.arange(16)[good], ids[good])
            assert len(ids) == 16
            assert not set(rules) & set(ids.tolist())
        rows = by_id(batches)
        with op_by_op():
            expected = aug({"image": images[4], **{name: value[4] for name, value in features.items()}}, 4, 0)
        for name, value in expected.items():
            np.testing.assert_array_equal(rows[4][name], value)
        assert {id_: rules[id_] in cause for id_, cause in causes_in(path).items()} == {3: True, 9: True}
    with pytest.raises(tf.errors.InvalidArgumentError, match="(?s)boxes: .*must end at or after.*3"):
        list(pl.make_dataset(source, aug, batch_size=8, shuffle=False))


def test_folders_with_masks(examples, tmp_path):
    for number, example in enumerate(examples[:4]):
        for folder, name, suffix in (("images", "image", "jpg"), ("masks", "mask", "png")):
            path = tmp_path / folder / "ab"[number % 2] / f"{number}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(example[name])
    source = pl.from_folder(tmp_path / "images", masks=tmp_path / "masks")
    aug = ar.Compose([ar.RandomCrop(40, 40), ar.RandomRotation(20)], seed=3)
    rows = by_id(pl.make_dataset(source, aug, batch_size=2))
    for number, example in enumerate(examples[:4]):
        id_ = int(ar.string_ids(f"{'ab'[number % 2]}/{number}.jpg"))
        decoded = {"image": tf.io.decode_jpeg(example["image"]), "mask": tf.io.decode_png(example["mask"])}
        with op_by_op():
            expected = aug(decoded, id_, 0)
        np.testing.assert_array_equal(rows[id_]["mask"], expected["mask"])
    (tmp_path / "masks" / "a" / "2.png").rename(tmp_path / "masks" / "a" / "3.png")
    with pytest.raises(ValueError, match="masks: must hold one mask for each image.*a/2.jpg there are none"):
        pl.from_folder(tmp_path / "images", masks=tmp_path / "masks")
    with pytest.raises(FileNotFoundError, match="masks: must be a folder"):
        pl.from_folder(tmp_path / "images", masks=tmp_path / "no")
