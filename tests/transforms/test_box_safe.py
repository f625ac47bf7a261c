"""BoxSafeCrop: the draws of torchvision's RandomIoUCrop, and a box that is always left."""

import json

import numpy as np
import pytest
import tensorflow as tf

import augrng as ar

pytestmark = pytest.mark.usefixtures("op_by_op")

SIZE = (96, 128)
IDS = np.arange(256) * 7919 - 900_000
NAME = "box_safe_crop"
OVERLAPS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)


@pytest.fixture(scope="module")
def boxes():
    """One to three boxes an example, in whole pixels, padded by -1."""
    rng = np.random.default_rng(5)
    x, y = (np.sort(rng.integers(0, side + 1, (len(IDS), 3, 2)), -1) for side in (SIZE[1], SIZE[0]))
    made = np.stack([x[..., 0], y[..., 0], x[..., 1] + 1, y[..., 1] + 1], -1).astype(np.float32)
    made[..., 2:] = np.minimum(made[..., 2:], SIZE[::-1])
    made[::2, 1:] = -1
    return made


def torchvisions(u, option, boxes, scale=(0.3, 1), ratio=(0.5, 2)):
    """`RandomIoUCrop.make_params` of torchvision 0.21 in float64, with random numbers u [trials, 4].

    (top, left, height, width); the whole image if none of the trials will do.
    """
    height, width = SIZE
    x1, y1, x2, y2 = boxes.astype(np.float64).T
    for r in u if OVERLAPS[option] < 1 else ():
        w, h = (
            int(side * (scale[0] + (scale[1] - scale[0]) * r[n])) for n, side in ((0, width), (1, height))
        )
        if not (w and h and ratio[0] <= w / h <= ratio[1]):
            continue
        left, top = int((width - w) * r[2]), int((height - h) * r[3])
        right, bottom = left + w, top + h
        cx, cy = (x1 + x2) / 2, (y1 + y2) / 2
        inside = (left < cx) & (cx < right) & (top < cy) & (cy < bottom)
        common = np.maximum(np.minimum(x2, right) - np.maximum(x1, left), 0) * np.maximum(
            np.minimum(y2, bottom) - np.maximum(y1, top), 0
        )
        overlap = common / ((x2 - x1) * (y2 - y1) + w * h - common)
        if (inside & (overlap >= OVERLAPS[option])).any() or not len(boxes):
            return top, left, h, w
    return 0, 0, *SIZE


def drawn(aug, boxes, **further):
    params = aug.sample(IDS[: len(boxes)], 2, SIZE, {"boxes": boxes, **further})[NAME]
    return np.stack([params[name] for name in ("top", "left", "height", "width")], -1)


@pytest.mark.parametrize("some", [True, False])
def test_the_draw_is_torchvisions(boxes, some):
    aug = ar.Compose([ar.BoxSafeCrop(32, 40)], seed=4)
    given = boxes if some else boxes[:, :0]
    params = drawn(aug, given)
    kinds = set()
    for key, one, got in zip(aug.keys(IDS, 2)[NAME].numpy(), given, params, strict=True):
        words = tf.random.stateless_uniform([161], key, None, None, tf.uint32, alg="philox").numpy()
        u = (words[1:] & 0x7FFFFF).reshape(40, 4) / 2**23
        option = int(words[0]) % 2147483647 % len(OVERLAPS)
        kinds.add(option)
        assert tuple(got) == torchvisions(u, option, one[one[:, 0] >= 0])
    assert len(kinds) == len(OVERLAPS)
    assert len({tuple(row) for row in params}) > len(IDS) / 3


def test_a_box_is_always_left(boxes):
    """As `Boxes` wants it; other crops lose them."""
    rules = ar.Boxes("xyxy", min_visible=0.6, min_size=3, max_boxes=3)
    small = boxes.copy()  # a side of 12 at most, so that windows can miss them
    small[..., 2:] = np.where(boxes[..., 2:] < 0, -1, np.minimum(boxes[..., 2:], boxes[..., :2] + 12))
    large = np.any((small[..., 2:] - small[..., :2] >= 8).all(-1) & (small[..., 0] >= 0), -1)
    small = small[large]  # in the whole image, at 32x40 of 96x128, wide enough to stay
    images = np.zeros((len(small), *SIZE, 1), np.uint8)
    left = {}
    for crop in (ar.BoxSafeCrop(48, 64), ar.RandomResizedCrop(48, 64)):
        aug = ar.Compose([crop, ar.RandomFlip()], seed=4, targets={"boxes": rules})
        out = aug({"image": images, "boxes": small}, IDS[: len(small)], 1)
        left[type(crop)] = out["boxes_valid"].numpy().any(-1)
    assert left[ar.BoxSafeCrop].all()
    assert not left[ar.RandomResizedCrop].all()


def test_formats_padding_and_other_boxes_draw_alike(boxes):
    """What is no box has no say: rows of -1, what is not valid, what is bad; and formats do not matter."""
    plain = drawn(ar.Compose([ar.BoxSafeCrop(32, 40)], seed=4), boxes)
    relative = boxes / np.float32([*SIZE[::-1], *SIZE[::-1]])
    relative[boxes < 0] = -1
    targets = {"a": ar.Boxes("rel_yxyx"), "b": ar.Boxes("xyxy")}
    aug = ar.Compose([ar.BoxSafeCrop(32, 40)], seed=4, targets=targets)
    nothing = {"b": np.full([len(IDS), 2, 4], np.nan, np.float32)}
    valid = relative[..., 0] >= 0
    relative[~valid] = 0.25
    params = aug.sample(IDS, 2, SIZE, {"a": relative[..., [1, 0, 3, 2]], "a_valid": valid, **nothing})
    for place, name in enumerate(("top", "left", "height", "width")):
        assert np.array_equal(params[NAME][name], plain[:, place])


def test_no_window_will_do(boxes):
    """A tiny box never covers nine tenths of a window: the whole image is taken."""
    aug = ar.Compose([ar.BoxSafeCrop(32, 40, overlaps=[0.9])], seed=4)
    tiny = np.float32([[[5, 5, 9, 9]]] * 20)
    assert np.array_equal(drawn(aug, tiny), [[0, 0, *SIZE]] * 20)


def test_recipes():
    aug = ar.Compose([ar.BoxSafeCrop(32, 40, scale=(0.5, 1), overlaps=[0, 0.5]), ar.RandomFlip()], seed=1)
    assert ar.from_json(aug.to_json()) == aug
    assert ar.read_recipe("BoxSafeCrop(32, 40, scale=(0.5, 1), overlaps=(0, 0.5)), RandomFlip()", 1) == aug
    by_hand = {"seed": 1, "transforms": [{"type": "BoxSafeCrop", "height": 32, "width": 40}]}
    assert ar.read_recipe(json.dumps(by_hand)) == ar.Compose([ar.BoxSafeCrop(32, 40)], seed=1)
    assert list(aug.evaluation().transforms.values()) == [ar.Resize(32, 40, antialias="exact")]
    assert aug.describe(aug.sample(3, 0, SIZE, {"boxes": np.float32([[0, 0, 9, 9]])}))[NAME].count("x") == 1
    within = ar.Compose([ar.Sequential([ar.RandomInvert(), ar.BoxSafeCrop(9, 9)]), ar.RandomRotation(9)])
    assert within.output_size == (9, 9)


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: ar.BoxSafeCrop(0, 9), "height must be an integer of at least 1"),
        (lambda: ar.BoxSafeCrop(9, 9, scale=(0.5, 2)), "scale must be"),
        (lambda: ar.BoxSafeCrop(9, 9, ratio=(2, 1)), "ratio must be"),
        (lambda: ar.BoxSafeCrop(9, 9, overlaps=(0.5, 1.5)), "overlaps must be numbers in"),
        (lambda: ar.BoxSafeCrop(9, 9, overlaps=()), "overlaps must be numbers in"),
        (lambda: ar.Compose([ar.RandomFlip(), ar.BoxSafeCrop(9, 9)]), "must come before all that moves pixels.*RandomFlip"),
        (lambda: ar.Compose([ar.BoxSafeCrop(9, 9), ar.BoxSafeCrop(9, 9, name="b")]), "must come before"),
        (lambda: ar.Compose([ar.BoxSafeCrop(9, 9)], targets={"mask": ar.Mask()}), "targets: must hold augrng.Boxes"),
        (lambda: CROP.with_targets({}), "targets: must hold augrng.Boxes"),
        (lambda: CROP(np.zeros([9, 9, 1], np.uint8), 0, 0), "draws by the boxes of an example; pass one"),
        (lambda: CROP({"image": np.zeros([9, 9, 1], np.uint8)}, 0, 0), "draws by the boxes of an example"),
        (lambda: CROP.sample(0, 0, [9, 9]), "draws by the boxes of an example"),
        (lambda: CROP.program.plan([0], 0, [[9, 9]]), "draws by the boxes of an example"),
    ],
)  # fmt: skip
def test_what_is_refused(make, rule):
    with pytest.raises(ValueError, match=rule):
        make()


CROP = ar.Compose([ar.BoxSafeCrop(9, 9)], seed=1)
