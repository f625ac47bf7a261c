"""Boxes by hand: formats, what is clipped, what goes, what is refused.

The box of the formats is the one of albumentations' documentation ("Bounding boxes augmentation for object
detection"), which gives it in all of them for a picture of 640x480. Where a test names a peer, albumentations
2.0.8 (`BboxParams(clip=True)`) and torchvision 0.29.1 were run on its boxes, and gave what is written here but
for the differences that it names.
"""

import numpy as np
import pytest
import tensorflow as tf

import augrng as ar

pytestmark = pytest.mark.usefixtures("op_by_op")

BOX = {
    "xyxy": [98, 345, 420, 462],
    "xywh": [98, 345, 322, 117],
    "cxcywh": [259, 403.5, 322, 117],
    "yxyx": [345, 98, 462, 420],
    "rel_xyxy": [0.153125, 0.71875, 0.65625, 0.9625],
    "rel_xywh": [0.153125, 0.71875, 0.503125, 0.24375],
    "rel_cxcywh": [0.4046875, 0.840625, 0.503125, 0.24375],
    "rel_yxyx": [0.71875, 0.153125, 0.9625, 0.65625],
}
IMAGE = np.zeros((480, 640, 1), np.uint8)


def run(transforms, boxes, id_=0, image=IMAGE, format="xyxy", dtype=np.float32, more=None, **arguments):
    """What becomes of boxes."""
    aug = ar.Compose(transforms, seed=1, targets={"boxes": ar.Boxes(format, **arguments)})
    boxes = np.asarray(boxes, dtype).reshape(-1, 4)
    return aug({"image": image, "boxes": boxes, **(more or {})}, id_, 0)


@pytest.mark.parametrize("format", BOX)
def test_formats(format):
    """A crop of 400x500 from the middle starts at (70, 40): the box becomes 28, 305, 350, 422, cut at 400."""
    out = run([ar.CenterCrop(400, 500)], BOX[format], format=format)["boxes"].numpy()[0]
    x1, y1, x2, y2 = 28, 305, 350, 400
    order = format.removeprefix("rel_")
    expected = {
        "xyxy": [x1, y1, x2, y2],
        "yxyx": [y1, x1, y2, x2],
        "xywh": [x1, y1, x2 - x1, y2 - y1],
        "cxcywh": [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1],
    }[order]
    if format.startswith("rel_"):
        along_y_first = [400, 500] * 2 if order == "yxyx" else [500, 400] * 2
        expected = np.array(expected) / along_y_first
        # 0.153125 is no float32, and is off by up to 2**-25 of 640 pixels.
        assert np.abs(out - expected).max() < 2.0**-23
    else:
        assert np.array_equal(out, expected)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float64])
def test_other_dtypes_come_out_as_they_came(dtype):
    out = run([ar.Resize(240, 320)], BOX["xyxy"], dtype=dtype)["boxes"]
    assert out.dtype == dtype
    assert np.array_equal(out, [[49, 173 if dtype != np.float64 else 172.5, 210, 231]])


def test_a_turned_box_is_the_box_around_its_corners():
    """By sine and cosine; torchvision's `rotate` gives 282.6795, 175.3590, 381.9615, 267.3205."""
    aug = ar.Compose([ar.RandomRotation((30, 30))], seed=1, targets={"boxes": ar.Boxes("xyxy", corners=True)})
    out = aug({"image": IMAGE, "boxes": np.array([[300, 200, 380, 260]], np.float32)}, 0, 0)
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    corners = np.array([(300, 200), (380, 200), (380, 260), (300, 260)]) - (320, 240)
    turned = corners @ np.array([[c, -s], [s, c]]) + (320, 240)  # counter-clockwise, y downwards
    np.testing.assert_allclose(out["boxes_corners"][0], turned, atol=1e-4)
    np.testing.assert_allclose(out["boxes"][0], [*turned.min(0), *turned.max(0)], atol=1e-4)
    np.testing.assert_allclose(out["boxes"][0], [282.6795, 175.3590, 381.9615, 267.3205], atol=1e-4)


@pytest.mark.parametrize(
    ("box", "arguments", "stays"),
    [
        # A crop that starts at (70, 40) and is 500 wide, 400 high.
        ([20, 100, 120, 200], {}, [0, 60, 50, 160]),  # half of it
        ([20, 100, 120, 200], {"min_visible": 0.5}, [0, 60, 50, 160]),
        ([20, 100, 120, 200], {"min_visible": 0.51}, None),
        ([20, 100, 120, 200], {"min_size": 50}, [0, 60, 50, 160]),
        ([20, 100, 120, 200], {"min_size": 50.1}, None),
        ([20, 0, 120, 80], {"min_visible": 0.26}, None),  # half along x, half along y
        ([20, 0, 120, 80], {"min_visible": 0.25}, [0, 0, 50, 40]),
        ([0, 0, 69, 39], {}, None),  # outside of the crop
        ([0, 0, 70, 480], {}, None),  # touches it
        ([70, 40, 70, 90], {}, None),  # no area
        ([-30, 100, 120, 200], {}, [0, 60, 50, 160]),  # begins outside of the picture: clipped
        ([-30, 100, 120, 200], {"min_visible": 0.41}, [0, 60, 50, 160]),  # 50 of what is in the picture, 120
        ([-30, 100, 120, 200], {"min_visible": 0.42}, None),
        ([-1, -1, -1, -1], {}, None),  # padding
        ([-640, 0, 100, 100], {}, [0, 0, 30, 60]),  # as far outside as the picture is wide
    ],
)
def test_which_boxes_stay(box, arguments, stays):
    """As albumentations, with `min_width` and `min_height` for `min_size`.

    Three differences: at `min_visibility=0.5` its half of a box goes, for it is less in float32; a box without
    area is an error there; it has no padding.
    """
    labels = {"labels": np.array([5]), "area": np.array([2.5], np.float32)}
    out = run([ar.CenterCrop(400, 500)], box, more=labels, **arguments, labels=["labels", "area"])
    expected = np.zeros([0, 4]) if stays is None else [stays]
    assert np.array_equal(out["boxes"], expected)
    assert np.array_equal(out["labels"], [] if stays is None else [5])
    assert np.array_equal(out["area"], [] if stays is None else [2.5])


@pytest.mark.parametrize(("height", "width"), [(33, 42), (7, 16), (223, 232)])
def test_rounding_at_the_border_hides_nothing(height, width):
    """A box of the whole picture, resized: all of it stays visible, and it is as large as the output."""
    boxes = [[0, 0, 160, 120], [100, 0, 160, 120]]
    rules = {"min_visible": 1.0, "min_size": min(height, width * 60 / 160)}
    out = run([ar.Resize(height, width)], boxes, image=np.zeros((120, 160, 1), np.uint8), **rules)["boxes"]
    np.testing.assert_allclose(out, [[0, 0, width, height], [width * 100 / 160, 0, width, height]], atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "stays"),
    [
        ({}, [0, 1, 2]),
        ({"min_visible": 0.7}, [0, 2]),
        ({"min_visible": 0.8}, [2]),
        ({"min_visible": 0.9}, []),
    ],
)
def test_min_visibility_of_albumentations(arguments, stays):
    """The three boxes of its documentation (dog, cat, ball; COCO's format), cropped to 450x450 in the middle.

    Its rule: a box goes if the area of what is left of it, over that of the moved box before it is clipped, is
    below `min_visibility`: 223/295 = 0.76, 168/252 = 0.67 and 44/49 = 0.90 here.
    """
    boxes = [[23, 74, 295, 388], [377, 294, 252, 161], [333, 421, 49, 49]]
    moved = np.array([[0, 59, 223, 388], [282, 279, 168, 161], [238, 406, 49, 44]])
    names = {"names": np.array(["dog", "cat", "ball"])}
    out = run([ar.CenterCrop(450, 450)], boxes, format="xywh", labels="names", more=names, **arguments)
    assert np.array_equal(out["boxes"], moved[stays])
    assert out["names"].numpy().tolist() == [(b"dog", b"cat", b"ball")[n] for n in stays]


def test_clamping_and_sanitizing_of_torchvision():
    """`clamp_bounding_boxes` brings boxes into the picture; `sanitize_bounding_boxes(min_size=1)`, its
    default, then takes those away of which a side is shorter than that, with their labels.

    One difference, the written rule of `Boxes`: x2 < x1 is an error here, for it is a mistake; torchvision
    takes such a box away without a word, albumentations refuses it too.
    """
    boxes = [
        [-10, 20, 30, 40],  # clamped to 0, 20, 30, 40
        [600, 470, 700, 500],  # clamped to 600, 470, 640, 480
        [-30, 5, -2, 50],  # clamped to no width
        [50, 60, 50, 90],  # degenerate
        [50, 60, 50.5, 90],  # below the size
        [50, 60, 51, 61],  # of that size
        [0, 0, 640, 480],  # the whole picture
    ]
    labels = {"labels": np.arange(7)}
    out = run([ar.Pad(0)], boxes, min_size=1, labels="labels", more=labels)
    expected = [[0, 20, 30, 40], [600, 470, 640, 480], [50, 60, 51, 61], [0, 0, 640, 480]]
    assert np.array_equal(out["boxes"], expected)
    assert np.array_equal(out["labels"], [0, 1, 5, 6])


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize(
    ("box", "format", "rule"),
    [
        ([90, 10, 20, 50], "xyxy", "end at or after its start"),
        ([10, 90, 50, 20], "xyxy", "end at or after its start"),
        ([10, 10, -5, 20], "xywh", "end at or after its start"),
        ([10, 10, np.nan, 20], "xyxy", "coordinates must be finite"),
        ([10, 10, np.inf, 20], "xyxy", "coordinates must be finite"),
        ([-641, 0, 100, 100], "xyxy", "farther outside"),
        ([0, 0, 100, 961], "xyxy", "farther outside"),
        (
            [98, 345, 420, 462],
            "rel_xyxy",
            "farther outside of the picture than it is large; are these shares",
        ),
    ],
)
def test_bad_boxes_are_refused_by_id(box, format, rule, mapped):
    boxes = np.array(
        [BOX["xyxy" if "rel" not in format else "rel_xyxy"] if "wh" not in format else BOX["xywh"], box]
    )
    if not mapped:
        with pytest.raises(ValueError, match=f"boxes: .*{rule}.*id 77"):
            run([ar.RandomFlip()], boxes, 77, format=format)
        return
    tf.config.run_functions_eagerly(False)
    aug = ar.Compose([ar.CenterCrop(9, 9)], seed=1, targets={"boxes": ar.Boxes(format)})
    example = {"image": IMAGE[:480], "boxes": boxes.astype(np.float32)}
    dataset = tf.data.Dataset.from_tensors(example).map(lambda example: aug(example, 77, 0))
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"(?s)boxes: .*{rule}.*77"):
        list(dataset)


def test_in_programs_compiled_as_a_whole_bad_boxes_go():
    aug = ar.Compose([ar.RandomFlip(p=1)], seed=1, targets={"boxes": ar.Boxes("xyxy", max_boxes=2)})
    boxes = [[9, 5, 2, 8], [np.nan, 0, 4, 4], [1, 2, 3, 4], [0, 0, 200, 3], [5, 5, 6, 6], [6, 6, 7, 7]]
    image = tf.zeros([10, 12, 1], tf.uint8)
    out = tf.function(aug, jit_compile=True)({"image": image, "boxes": tf.constant(boxes, tf.float32)}, 0, 0)
    assert np.array_equal(out["boxes"], [[9, 2, 11, 4], [6, 5, 7, 6]])


def test_a_fixed_number_of_rows():
    boxes, more = (
        [[0, 0, 9, 9], [600, 400, 640, 480], [30, 40, 50, 60]],
        {"labels": np.array([1, 2, 3], np.uint8)},
    )
    names = np.array(["a", "b", "c"])
    crop = [ar.RandomCrop(480, 100), ar.RandomFlip(p=0)]
    out = run(crop, boxes, 3, more={**more, "names": names}, labels=["labels", "names"], max_boxes=4)
    left = int(ar.Compose(crop, seed=1).sample(3, 0, [480, 640])["random_crop"]["left"])
    stay = [n for n, (x1, _, x2, _) in enumerate(boxes) if x1 < left + 100 and x2 > left]
    assert out["boxes_valid"].numpy().tolist() == [n < len(stay) for n in range(4)]
    assert out["labels"].numpy().tolist() == [n + 1 for n in stay] + [0] * (4 - len(stay))
    assert out["names"].numpy().tolist() == [names[n].encode() for n in stay] + [b""] * (4 - len(stay))
    again = run(
        [ar.RandomFlip(p=0)],
        out["boxes"],
        image=IMAGE[:, :100],
        max_boxes=6,
        more={"boxes_valid": out["boxes_valid"]},
    )
    assert again["boxes_valid"].numpy().sum() == len(stay)
    with pytest.raises(ValueError, match="at most max_boxes = 2 boxes may be left.*id 8"):
        run([ar.RandomFlip()], boxes, 8, max_boxes=2)


@pytest.mark.parametrize(
    ("boxes", "more", "arguments", "error", "rule"),
    [
        (np.zeros([3, 5], np.float32), {}, {}, ValueError, "boxes: must have shape \\[N, 4\\], got \\(3, 5\\)"),
        (np.zeros([2, 4], "S1"), {}, {}, TypeError, "boxes: must hold numbers"),
        (np.zeros([2, 4], np.int64), {}, {"format": "rel_xyxy"}, TypeError, "shares of a side must be floats"),
        (np.zeros([2, 4], np.float32), {"labels": np.zeros(3)}, {"labels": "labels"}, ValueError, "labels: must have a row for each box"),
        (np.zeros([2, 4], np.float32), {}, {"labels": "labels"}, ValueError, "labels: .* must be in the example"),
    ],
)  # fmt: skip
def test_shapes_that_are_wrong(boxes, more, arguments, error, rule):
    targets = {"boxes": ar.Boxes(**{"format": "xyxy", **arguments})}
    with pytest.raises(error, match=rule):
        ar.Compose([ar.RandomFlip()], seed=1, targets=targets)({"image": IMAGE, "boxes": boxes, **more}, 0, 0)
    with pytest.raises(ValueError, match="'boxes' must be in the example, got"):
        ar.Compose([ar.RandomFlip()], seed=1, targets=targets)({"image": IMAGE}, 0, 0)
