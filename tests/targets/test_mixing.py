"""Boxes, keypoints and masks of several pictures as those of one: cases by hand."""

import numpy as np
import pytest
import tensorflow as tf

import augrng as ar
from augrng.geometry.panes import Pane, whole
from augrng.targets.mixing import mixed

pytestmark = pytest.mark.usefixtures("op_by_op")

SIZE = tf.constant([[8, 12]], tf.int64)
IDS = tf.constant([77], tf.int64)
WINDOW = Pane(tf.constant([[2, 4, 6, 10]], tf.int64))  # rows 2 to 5, columns 4 to 9
CUT = [whole(SIZE), WINDOW]
OWN = [[0, 0, 3, 3], [5, 3, 9, 5], [3, 2, 11, 6], [1.1, 0.3, 2.7, 1.9]]  # beside, under, 3/4 under the window
OTHER = [[0, 0, 12, 8], [0, 0, 4, 2]]  # 1/4 to be seen, nothing


def batch(boxes, labels, **more):
    given = {"boxes": np.float32([boxes]), "labels": np.array([labels])}
    return {key: tf.constant(value) for key, value in (given | more).items()}


def two():
    return [batch(OWN, [1, 2, 3, 4]), batch(OTHER, [5, 6])]


def of(examples, targets, panes=CUT, shows=True):
    return mixed(examples, targets, panes, SIZE, IDS, shows=shows)


def listed(value):
    return value.to_list() if isinstance(value, tf.RaggedTensor) else value.numpy().tolist()


@pytest.mark.parametrize(
    ("asked", "boxes", "labels"),
    [
        ({}, [OWN[0], OWN[2], OWN[3], [4, 2, 10, 6]], [1, 3, 4, 5]),
        ({"min_visible": 0.25}, [OWN[0], OWN[2], OWN[3], [4, 2, 10, 6]], [1, 3, 4, 5]),
        ({"min_visible": 0.26}, [OWN[0], OWN[3]], [1, 4]),
        (
            {"min_size": 5},
            [OWN[0], OWN[3]],
            [1, 4],
        ),  # those that nothing was cut of keep what they were given
    ],
)
def test_boxes_beside_and_under_a_window(asked, boxes, labels):
    out = of(two(), {"boxes": ar.Boxes("xyxy", labels="labels", **asked)})
    assert listed(out["boxes"]) == np.float32([boxes]).tolist()
    assert listed(out["labels"]) == [labels]


def test_boxes_of_a_mean_are_those_of_both_unless_one_has_no_weight():
    target, all_ = {"boxes": ar.Boxes("xyxy", labels="labels")}, whole(SIZE)
    out = of(two(), target, [all_, all_], shows=False)
    assert listed(out["boxes"]) == np.float32([OWN + OTHER]).tolist()
    nothing = Pane(0 * all_.window)
    assert listed(of(two(), target, [all_, nothing], shows=False)["labels"]) == [[1, 2, 3, 4]]
    assert listed(of(two(), target, [nothing, all_], shows=False)["labels"]) == [[5, 6]]


def test_padded_boxes_in_shares_with_corners():
    """Two pictures in the halves of a third: upper left as it lies, lower right moved by (4, 6)."""
    target = {"boxes": ar.Boxes("rel_yxyx", labels="labels", max_boxes=3, corners=True)}
    shares = np.float32([[[0.25, 0.25, 0.5, 0.5], [0, 0, 0, 0]]])
    corners = np.float32([[[[0.25, 0.25], [0.25, 0.5], [0.5, 0.5], [0.5, 0.25]], [[0, 0]] * 4]])
    valid = np.array([[True, False]])
    one = {
        "boxes": tf.constant(shares),
        "boxes_valid": tf.constant(valid),
        "boxes_corners": tf.constant(corners),
        "labels": tf.constant([[8, -1]]),
    }
    moved = Pane(tf.constant([[4, 6, 8, 12]], tf.int64), tf.constant([[4, 6]], tf.int64))
    out = of([one, one], target, [Pane(tf.constant([[0, 0, 4, 6]], tf.int64)), moved])
    assert listed(out["boxes"]) == [[[0.25, 0.25, 0.5, 0.5], [0.75, 0.75, 1, 1], [0, 0, 0, 0]]]
    assert listed(out["boxes_valid"]) == [[True, True, False]]
    assert listed(out["labels"]) == [[8, 8, -1]]
    assert listed(out["boxes_corners"])[0][1] == [[0.75, 0.75], [0.75, 1], [1, 1], [1, 0.75]]
    few = {"boxes": ar.Boxes("rel_yxyx", labels="labels", max_boxes=1)}
    with pytest.raises(ValueError, match="at most max_boxes = 1 boxes may be left of the pictures.* id 77"):
        of([one, one], few, [whole(SIZE), moved])


@pytest.mark.parametrize("format", ["xywh", "cxcywh", "rel_xyxy", "yxyx"])
def test_other_formats_say_the_same(format):
    boxes = [
        np.float32([[[x1, y1, x2, y2] for x1, y1, x2, y2 in one]])
        for one in ([[3, 2, 11, 6]], [[0, 0, 12, 8]])
    ]

    def written(box):
        x1, y1, x2, y2 = np.moveaxis(box, -1, 0)
        columns = {
            "xywh": (x1, y1, x2 - x1, y2 - y1),
            "cxcywh": ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1),
            "rel_xyxy": (x1 / 12, y1 / 8, x2 / 12, y2 / 8),
            "yxyx": (y1, x1, y2, x2),
        }
        return np.stack(columns[format], -1).astype(np.float32)

    out = of([{"boxes": tf.constant(written(box))} for box in boxes], {"boxes": ar.Boxes(format)})
    expected = written(np.float32([[[3, 2, 11, 6], [4, 2, 10, 6]]]))
    np.testing.assert_array_equal(out["boxes"].to_tensor(), expected)


def test_keypoints_stay_in_their_rows_and_are_seen_where_their_picture_is():
    own = {
        "points": tf.constant(np.float32([[[1, 1, 2], [5, 3, 2]]])),
        "points_visible": tf.constant([[True, True]]),
    }
    other = {
        "points": tf.constant(np.float32([[[6, 4, 1], [0, 0, 2]]])),
        "points_visible": tf.constant([[False, True]]),
    }
    target = {"points": ar.Keypoints("xyv", visible=True)}
    out = of([own, other], target)
    assert listed(out["points"]) == [[[1, 1, 2], [5, 3, 0], [6, 4, 1], [0, 0, 0]]]
    assert listed(out["points_visible"]) == [[True, False, False, False]]
    moved = Pane(WINDOW.window, tf.constant([[-1, 2]], tf.int64))  # up by one, two to the right
    relative = {"points": ar.Keypoints("rel_yx")}
    place = {"points": tf.constant(np.float32([[[0.5, 0.25]]]))}  # (3, 4) in pixels
    assert listed(of([place, place], relative, [whole(SIZE), moved])["points"]) == [
        [[0.5, 0.25], [0.375, np.float32(5 / 12)]]
    ]


def test_keypoints_that_belong_to_boxes_go_with_them():
    points = np.float32([[[[x + 1, y + 1]] for x, y, _, _ in boxes] for boxes in (OWN,)])
    others = np.float32([[[[x + 1, y + 1]] for x, y, _, _ in OTHER]])
    examples = [batch(OWN, [1, 2, 3, 4], points=points), batch(OTHER, [5, 6], points=others)]
    targets = {"boxes": ar.Boxes("xyxy", labels=("labels", "points")), "points": ar.Keypoints("xy")}
    out = of(examples, targets)
    assert listed(out["points"]) == [[points[0, row].tolist() for row in (0, 2, 3)] + [others[0, 0].tolist()]]


def test_masks_are_cut_as_pictures_are():
    masks = [np.arange(16 * 24).reshape(1, 16, 24).astype(np.uint16), np.full((1, 16, 24), 999, np.uint16)]
    out = of([{"mask": tf.constant(mask)} for mask in masks], {"mask": ar.Mask(multiple=2)})
    expected = masks[0].copy()
    expected[:, 4:12, 8:20] = 999
    np.testing.assert_array_equal(out["mask"], expected)
    with pytest.raises(ValueError, match="mask: a mask has no mean with another one"):
        of([{"mask": tf.constant(mask)} for mask in masks], {"mask": ar.Mask()}, shows=False)
