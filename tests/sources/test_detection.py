"""Boxes and masks as others write them: COCO's JSON, the object detection API's TFRecords."""

import contextlib
import io
import json
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageDraw

import augrng as ar
import pipelines as pl
from pipelines.sources.spec import open_source

pytestmark = pytest.mark.usefixtures("op_by_op")

HEIGHT, WIDTH = 36, 44
IDS = (17, 4, 9_000_000_001, 2)  # of images; the last has no objects
CATEGORIES = [{"id": 90, "name": "disc"}, {"id": 3, "name": "tile"}, {"id": 7, "name": "crowd of tiles"}]


def mask_of(*polygon):
    """What Pillow makes of a polygon whose sides run along pixels' borders."""
    picture = Image.new("1", (WIDTH, HEIGHT))
    xs, ys = polygon[::2], polygon[1::2]
    ImageDraw.Draw(picture).rectangle((min(xs), min(ys), max(xs) - 1, max(ys) - 1), fill=1)
    return np.array(picture)


def disc_of(x, y, radius):
    picture = Image.new("1", (WIDTH, HEIGHT))
    ImageDraw.Draw(picture).ellipse((x - radius, y - radius, x + radius, y + radius), fill=1)
    return np.array(picture)


def runs_of(mask):
    """COCO's run lengths, by hand: column after column, zeros first."""
    counts, last = [0], 0
    for value in mask.T.reshape(-1).astype(int):
        if value != last:
            counts.append(0)
        counts[-1] += 1
        last = value
    return {"size": [HEIGHT, WIDTH], "counts": counts}


TILE, SMALL = (4, 6, 24, 6, 24, 20, 4, 20), (20, 16, 30, 16, 30, 22, 20, 22)
TRIANGLE = [3.2, 4.1, 40.5, 8.3, 17.7, 33.9]
DISC, MANY = disc_of(30, 20, 9), disc_of(12, 14, 11)


def annotation(id_, image, category, box, segmentation, crowd=0):
    return {
        "id": id_, "image_id": image, "category_id": category, "bbox": box, "segmentation": segmentation,
        "iscrowd": crowd, "area": 1.0,
    }  # fmt: skip


def content():
    names = [f"{'sub/' if number % 2 else ''}{id_}.png" for number, id_ in enumerate(IDS)]
    images = [
        {"id": id_, "file_name": name, "height": HEIGHT, "width": WIDTH}
        for id_, name in zip(IDS, names, strict=True)
    ]
    annotations = [
        annotation(1, IDS[1], 3, [4, 6, 20, 14], [list(TILE)]),
        annotation(2, IDS[0], 90, [21.5, 11, 18, 18.25], runs_of(DISC)),
        annotation(3, IDS[1], 3, [20, 16, 10, 6], [list(SMALL)]),
        annotation(4, IDS[1], 7, [1, 3, 23, 23], runs_of(MANY), crowd=1),
        annotation(5, IDS[2], 90, [3.2, 4.1, 37.3, 29.8], [TRIANGLE, list(SMALL)]),
    ]
    return {"images": images, "annotations": annotations, "categories": CATEGORIES}


@pytest.fixture
def coco(tmp_path, rng):
    """Opens the images with some JSON."""
    for picture in content()["images"]:
        path = tmp_path / "images" / picture["file_name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)).save(path)

    def opened(changed=None, **options):
        (tmp_path / "instances.json").write_text(
            changed if isinstance(changed, str) else json.dumps(changed or content())
        )
        return pl.from_coco(tmp_path / "instances.json", tmp_path / "images", **options)

    opened.folder = tmp_path
    return opened


def test_boxes_labels_and_crowds(coco):
    source = coco()
    assert source.class_names == ("tile", "crowd of tiles", "disc")
    assert source.ids().tolist() == list(IDS)
    records = list(source.dataset().as_numpy_iterator())
    assert [len(record["boxes"]) for record in records] == [1, 2, 1, 0]
    assert records[0]["boxes"].tolist() == [[21.5, 11, 39.5, 29.25]]
    assert records[1]["boxes"].tolist() == [[4, 6, 24, 20], [20, 16, 30, 22]]
    assert [record["labels"].tolist() for record in records] == [[2], [0, 0], [2], []]
    for record, picture in zip(records, content()["images"], strict=True):
        assert record["image"] == (coco.folder / "images" / picture["file_name"]).read_bytes()
    crowds = list(coco(crowd=True).dataset().as_numpy_iterator())
    assert crowds[1]["boxes"].tolist() == [[4, 6, 24, 20], [20, 16, 30, 22], [1, 3, 24, 26]]
    assert crowds[1]["crowd"].tolist() == [False, False, True]
    assert crowds[1]["labels"].tolist() == [0, 0, 1]


def test_masks(coco):
    from pycocotools.coco import COCO

    records = coco(masks=True).dataset().as_numpy_iterator()
    masks = {int(record["id"]): tf.io.decode_png(record["mask"]).numpy()[..., 0] for record in records}
    with contextlib.redirect_stdout(io.StringIO()):
        tools = COCO(str(coco.folder / "instances.json"))
    triangle = tools.annToMask(tools.anns[5])
    assert np.array_equal(masks[IDS[2]], triangle * np.uint8(3))
    assert 300 < np.count_nonzero(triangle) < 700  # half of 37 * 30 and a bit
    tile, small = mask_of(*TILE), mask_of(*SMALL)
    expected = np.where(MANY, 255, 0)
    expected[tile] = 1
    expected[small] = 1
    assert np.array_equal(masks[IDS[1]], expected)
    assert np.array_equal(masks[IDS[0]], DISC * np.uint8(3))
    assert not masks[IDS[3]].any()


def test_the_smaller_object_lies_above(coco):
    changed = content()
    changed["annotations"] = [
        annotation(1, IDS[0], 90, [20, 16, 10, 6], [list(SMALL)]),
        annotation(2, IDS[0], 3, [4, 6, 20, 14], [list(TILE)]),
    ]
    record = next(coco(changed, masks=True).dataset().as_numpy_iterator())
    tile, small = mask_of(*TILE), mask_of(*SMALL)
    assert np.array_equal(tf.io.decode_png(record["mask"])[..., 0], np.where(small, 3, np.where(tile, 1, 0)))


def test_a_recipe_moves_them_without_being_told(coco):
    transforms = [ar.Pad(2), ar.RandomFlip(p=1.0), ar.CenterCrop(HEIGHT + 4, WIDTH + 4)]
    seen = {}
    for batch in pl.make_dataset(coco(masks=True), ar.Compose(transforms, seed=1), batch_size=4):
        for row, id_ in enumerate(batch["id"].numpy()):
            seen[int(id_)] = {name: np.asarray(batch[name][row]) for name in ("mask", "boxes", "labels")}
    assert sorted(seen) == sorted(IDS)
    assert seen[IDS[0]]["boxes"].tolist() == [[WIDTH + 2 - 39.5, 13, WIDTH + 2 - 21.5, 31.25]]
    assert seen[IDS[1]]["labels"].tolist() == [0, 0]
    assert np.array_equal(seen[IDS[0]]["mask"][2:-2, 2:-2, 0], DISC[:, ::-1] * np.uint8(3))


def changed_by(change):
    made = content()
    change(made)
    return made


def of_object(**values):
    return lambda made: made["annotations"][0].update(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (of_object(image_id=5), "object 1 is of image 5, which is not there"),
        (of_object(category_id=8), r"object 1 of image 4 must be of a category .* \[3, 7, 90\], got 8"),
        (of_object(bbox=[1, 2, -3, 4]), r"bbox of object 1 .* not below 0, got \[1, 2, -3, 4\]"),
        (of_object(bbox=[1, 2, float("nan"), 4]), "bbox of object 1 .* finite"),
        (of_object(bbox=None), "bbox of object 1 of image 4 must be x, y, width and height"),
        (of_object(segmentation=[[1, 2, 3, 4]]), "object 1 of image 4 must be polygons of at least three points .* got 2 points"),
        (of_object(segmentation=[[1, 2, 3, 4, 5, 6, 7]]), "got 3.5 points"),
        (of_object(segmentation=[]), r"polygons or run lengths, got \[\]"),
        (of_object(segmentation={"size": [3, 4], "counts": [12]}), r"of the image's size, \[36, 44\], got size \[3, 4\]"),
        (of_object(segmentation={"size": [36, 44], "counts": [12]}), "run lengths of 1584 pixels together, got 12"),
        (lambda made: made["images"][0].pop("height"), r"image 17 must have a height and a width, got None and 44"),
        (lambda made: made["images"].append(made["images"][0]), "each id once, got one twice"),
        (lambda made: made.pop("categories"), "must be COCO's JSON of objects, with images, annotations, categories"),
        (lambda made: made.update(categories=[{"id": n, "name": "a"} for n in range(255)]), "room for 254 categories, got 255"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(coco, change, message):
    with pytest.raises(ValueError, match=message):
        coco(changed_by(change), masks=True)


def test_files_that_are_not_there(coco, monkeypatch):
    with pytest.raises(ValueError, match="must be COCO's JSON"):
        coco("[1, 2]")
    missing = changed_by(lambda made: made["images"][2].update(file_name="gone.jpg"))
    with pytest.raises(FileNotFoundError, match=r"there is no .*gone.jpg \(image 9000000001\)"):
        coco(missing)
    with pytest.raises(FileNotFoundError):
        pl.from_coco(coco.folder / "no.json", coco.folder)
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    assert coco().size == 4  # boxes need nothing
    with pytest.raises(ImportError, match=r"pip install .augrng\[coco\]"):
        coco(masks=True)


def write_detection(path, lists):
    """Records as the object detection API writes them, with so many numbers in their four lists."""
    values = np.random.default_rng(1).uniform(0, 0.5, (len(lists), 4, 9)).astype(np.float32)
    values[:, 2:] += 0.5
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number, counts in enumerate(lists):
            pixels = tf.io.encode_png(tf.fill([20, 24, 3], tf.cast(number, tf.uint8))).numpy()
            feature = {
                "image/encoded": tf.train.Feature(bytes_list={"value": [pixels]}),
                "image/source_id": tf.train.Feature(bytes_list={"value": [b"%d" % number]}),
                "mask": tf.train.Feature(bytes_list={"value": [pixels]}),
                "image/object/class/label": tf.train.Feature(int64_list={"value": range(1, counts[0] + 1)}),
            }
            for side, name in enumerate(("ymin", "xmin", "ymax", "xmax")):
                numbers = {"value": values[number, side, : counts[side]]}
                feature[f"image/object/bbox/{name}"] = tf.train.Feature(float_list=numbers)
            writer.write(tf.train.Example(features={"feature": feature}).SerializeToString())
    return values


DETECTION = {
    "image/encoded": tf.io.FixedLenFeature([], tf.string),
    "image/source_id": tf.io.FixedLenFeature([], tf.string),
    "image/object/class/label": tf.io.VarLenFeature(tf.int64),
}


def opened(path, **options):
    return pl.from_tfrecords(
        path, DETECTION, image="image/encoded", id="image/source_id", boxes="image/object/bbox", **options
    )


def test_boxes_in_four_lists(tmp_path):
    counts = [2, 0, 1, 5]
    values = write_detection(tmp_path / "a.tfrecord", [[n] * 4 for n in counts])
    for access in ("random", "stream"):
        records = list(opened(tmp_path / "a.tfrecord", access=access).dataset().as_numpy_iterator())
        assert [len(record["image/object/bbox"]) for record in records] == counts
        for record, sides in zip(records, values, strict=True):
            assert np.array_equal(record["image/object/bbox"], sides[:, : len(record["image/object/bbox"])].T)
            assert not any("xmin" in name for name in record)
    targets = {"image/object/bbox": ar.Boxes("rel_yxyx", labels="image/object/class/label", max_boxes=6)}
    aug = ar.Compose([ar.CenterCrop(20, 24), ar.RandomFlip(p=1.0)], seed=1, targets=targets)
    (batch,) = pl.make_dataset(opened(tmp_path / "a.tfrecord"), aug, batch_size=4)
    for row, image in enumerate(batch["image"].numpy()):
        number = image[0, 0, 0]
        y1, x1, y2, x2 = values[number, :, : counts[number]]
        boxes = batch["image/object/bbox"][row].numpy()
        np.testing.assert_allclose(boxes[: counts[number]], np.stack([y1, 1 - x2, y2, 1 - x1], -1), atol=1e-6)
        assert batch["image/object/bbox_valid"][row].numpy().sum() == counts[number]
        labels = [*range(1, counts[number] + 1)] + [-1] * (6 - counts[number])
        assert batch["image/object/class/label"][row].numpy().tolist() == labels


def test_lists_that_are_not_equally_long(tmp_path):
    write_detection(tmp_path / "a.tfrecord", [[1] * 4, [2, 2, 1, 2]])
    message = r"image/object/bbox: ymin, xmin, ymax, xmax must have equally many numbers, got 2, 2, 1, 2 in .*a.tfrecord\[1\]"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        list(opened(tmp_path / "a.tfrecord").dataset())


def test_a_command_line_reads_boxes_and_masks_that_are_there(tmp_path):
    """The first record has no objects, and says nothing of them."""
    values = write_detection(tmp_path / "b.tfrecord", [[2] * 4, [1] * 4])
    empty = {
        name: tf.train.Feature(bytes_list={"value": [b"7"]})
        for name in ("image/encoded", "image/source_id", "mask")
    }
    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        writer.write(tf.train.Example(features={"feature": empty}).SerializeToString())
    source, _, _ = open_source(f"tfrecord:{tmp_path}/*.tfrecord")
    records = list(source.dataset().as_numpy_iterator())
    ids = [int(ar.string_ids(text)) for text in ("7", "0", "1")]
    assert [record["id"] for record in records] == ids
    for record, count in zip(records, (0, 2, 1), strict=True):
        boxes = record["image/object/bbox"]
        assert np.array_equal(boxes, values[int(count == 1), :, :count].T)
        assert record["image/object/class/label"].tolist() == list(range(1, count + 1))
        assert record["mask"] == record["image"]
