"""What is known about a picture goes where its pixels go, and changes no pixel."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

import augrng as ar
from tests.targets.drawn import GEOMETRY, HEIGHT, WIDTH, centroid, picture, stacked, tight

pytestmark = pytest.mark.usefixtures("op_by_op")

EXAMPLE = picture()
IDS = np.arange(12) * 977 - 5000


def assert_same(one, other, name=""):
    """The same bits, also if they are ragged."""
    ragged = [isinstance(side, tf.RaggedTensor) for side in (one, other)]
    assert ragged[0] == ragged[1]
    for a, b in zip(*(tf.nest.flatten(side, expand_composites=True) for side in (one, other)), strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)


def lies_inside(mask):
    """Whether the shape lies wholly inside of the picture."""
    found, (height, width) = tight(mask[..., 0] > 0), mask.shape[:2]
    return found is not None and found.min() > 1 and found[2] < width - 1 and found[3] < height - 1


def assert_together(out, tolerance_box=1.0, tolerance_point=0.5):
    """Rectangle and discs, wholly inside, lie where box and keypoints say."""
    mask, boxes, points = (out[name].numpy() for name in ("mask", "boxes", "keypoints"))
    inside = lies_inside(mask)
    if inside:
        found = tight(mask[..., 0] > 0)
        assert np.abs(boxes[0] - found).max() <= tolerance_box
        for number, point in enumerate(points):
            assert np.abs(centroid(mask[..., 0] == 2 + number) - point).max() <= tolerance_point
    return inside


@pytest.mark.parametrize("name", GEOMETRY)
def test_box_and_points_lie_where_the_mask_does(name):
    aug = ar.Compose([GEOMETRY[name]()], seed=11)
    out = aug(stacked(EXAMPLE, len(IDS)), IDS, 2)
    assert np.array_equal(out["image"], aug(stacked(EXAMPLE, len(IDS))["image"], IDS, 2))
    rows = [{key: value[row] for key, value in out.items()} for row in range(len(IDS))]
    assert sum(assert_together(row) for row in rows) >= 8


@settings(
    max_examples=6, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(data=st.data())
def test_random_recipes(data):
    """Up to three transforms, with colours between them, so that there is more than one stage."""
    names = data.draw(st.lists(st.sampled_from(sorted(GEOMETRY)), min_size=2, max_size=3, unique=True))
    transforms = []
    for place, name in enumerate(names):
        transforms += [GEOMETRY[name](), ar.RandomInvert(p=0.5, name=f"color_{place}")]
    try:
        seed = data.draw(st.integers(0, 9))
        aug = ar.Compose(transforms, seed=seed)
        aug.sample(0, 0, [HEIGHT, WIDTH])
    except ValueError:  # two that say different things of sampling, a crop larger than the image
        assume(False)
    out = aug(stacked(EXAMPLE, 6), IDS[:6], 1)
    assert np.array_equal(out["image"], aug(stacked(EXAMPLE, 6)["image"], IDS[:6], 1))
    # Of a shape that an earlier stage cut at the border a box still holds all, which the mask does not show.
    before = [ar.Compose(transforms[:end], seed=seed) for end in range(2, len(transforms), 2)]
    masks = [part(stacked(EXAMPLE, 6), IDS[:6], 1)["mask"].numpy() for part in before]
    for row in range(6):  # each stage rounds to the nearest pixel of the mask again
        if all(lies_inside(mask[row]) for mask in masks):
            assert_together({key: value[row] for key, value in out.items()}, len(names), 0.5 * len(names))


@settings(
    max_examples=4, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(
    names=st.lists(
        st.sampled_from(["flip", "rotation", "zoom", "translation", "shear", "affine", "crop", "resize"]),
        min_size=2, max_size=4, unique=True,
    ),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_a_letter_lies_where_its_box_and_its_middle_say(names, seed):
    """A letter, drawn by Pillow, through one map: no pixel of it lies outside of its box, its centroid lies
    where that went, and its pixels are those of the image that are as bright as it."""
    drawn = Image.new("L", (WIDTH, HEIGHT))
    ImageDraw.Draw(drawn).text((44, 26), "R", fill=255, font=ImageFont.load_default(40))
    letter = (np.asarray(drawn) > 127).astype(np.uint8)
    example = {
        "image": letter[..., None] * np.uint8(255), "mask": letter,
        "boxes": tight(letter)[None].astype(np.float32), "keypoints": centroid(letter)[None].astype(np.float32),
    }  # fmt: skip
    aug = ar.Compose([GEOMETRY[name]() for name in names], seed=seed)
    out = aug(stacked(example, 6), IDS[:6], 1)
    for row in range(6):
        mask, box, point = (out[name][row].numpy() for name in ("mask", "boxes", "keypoints"))
        height, width = mask.shape
        found = tight(mask)
        if found is None or found.min() < 1 or found[2] > width - 1 or found[3] > height - 1:
            continue
        assert (found[:2] >= box[0, :2] - 1).all()
        assert (found[2:] <= box[0, 2:] + 1).all()
        assert np.abs(centroid(mask) - point[0]).max() < 0.5
        bright = out["image"][row].numpy()[..., 0]
        assert (mask[bright > 215] == 1).all()
        assert (mask[bright < 40] == 0).all()


@pytest.mark.parametrize("make", [ar.RandomFlip, ar.RandomQuarterTurn])
def test_flips_and_quarter_turns_are_exact(make):
    """By NumPy: pixels, masks, boxes and points, at places that floats hold exactly."""
    example = {
        name: value[:96, :96] if name in ("image", "mask") else value for name, value in EXAMPLE.items()
    }
    aug = ar.Compose([make() if make is ar.RandomQuarterTurn else make("horizontal_and_vertical")], seed=2)
    side, seen = 96, set()
    for id_ in range(10):
        out, params = aug(example, id_, 0), next(iter(aug.sample(id_, 0, [side, side]).values()))
        if make is ar.RandomQuarterTurn:
            k = int(params["k"])
            turned = [np.rot90(example[name], k) for name in ("image", "mask")]
            turn = [
                lambda x, y: (x, y),
                lambda x, y: (y, side - x),
                lambda x, y: (side - x, side - y),
                lambda x, y: (side - y, x),
            ][k]
            seen.add(k)
        else:
            h, v = bool(params["horizontal"]), bool(params["vertical"])
            turned = [example[name][:: -1 if v else 1, :: -1 if h else 1] for name in ("image", "mask")]
            turn = lambda x, y, h=h, v=v: (side - x if h else x, side - y if v else y)  # noqa: E731
            seen.add((h, v))
        for name, expected in zip(("image", "mask"), turned, strict=True):
            assert np.array_equal(out[name], expected)
        assert np.array_equal(out["keypoints"], [turn(*point) for point in example["keypoints"]])
        x1, y1, x2, y2 = example["boxes"][0]
        (a, b), (c, d) = turn(x1, y1), turn(x2, y2)
        assert np.array_equal(out["boxes"], [[min(a, c), min(b, d), max(a, c), max(b, d)]])
    assert len(seen) == 4


@pytest.mark.parametrize("formats", [("xyxy", "xy"), ("rel_yxyx", "rel_yx"), ("rel_cxcywh", "rel_xy")])
def test_twice_a_flip_is_the_identity(formats):
    boxes = {
        "xyxy": [[44, 36, 79.25, 58.5]],
        "rel_yxyx": [[0.3, 0.1, 0.77, 0.9]],
        "rel_cxcywh": [[0.4, 0.5, 0.3, 0.21]],
    }[formats[0]]
    targets = {"mask": ar.Mask(), "boxes": ar.Boxes(formats[0]), "keypoints": ar.Keypoints(formats[1])}
    points = [[0.3, 0.7], [0.11, 0.5]] if "rel" in formats[1] else [[3.5, 7.25], [90, 11]]
    example = {**EXAMPLE, "boxes": np.array(boxes, np.float32), "keypoints": np.array(points, np.float32)}
    one = ar.Compose([ar.RandomFlip(p=1)], seed=1, targets=targets)
    two = ar.Compose([ar.RandomFlip(p=1), ar.RandomFlip(p=1, name="again")], seed=1, targets=targets)
    once, twice = one(example, 0, 0), one(one(example, 0, 0), 0, 0)
    assert not np.array_equal(once["keypoints"], example["keypoints"])
    for name in example:
        assert np.array_equal(two(example, 0, 0)[name], example[name]), name
        if "rel" in formats[0] and name in ("boxes", "keypoints"):  # 1 - x is rounded between the calls
            assert np.abs(twice[name] - example[name]).max() < 2.0**-23
        else:
            assert np.array_equal(twice[name], example[name]), name


def test_colour_and_covering_leave_targets_alone():
    aug = ar.Compose(
        [ar.RandomHue(0.2), ar.RandomErasing(p=1), ar.GridMask((8, 16)), ar.Cutout(9), ar.AugMix()], seed=1
    )
    out = aug(EXAMPLE, 3, 0)
    assert not np.array_equal(out["image"], EXAMPLE["image"])
    for name in ("mask", "boxes", "keypoints", "labels"):
        assert np.array_equal(out[name], EXAMPLE[name])
        assert out[name].dtype == EXAMPLE[name].dtype


def test_apply_gives_what_a_call_gives():
    aug = ar.Compose([ar.RandomCrop(80, 90), ar.RandomRotation(20), ar.RandomPerspective(0.2)], seed=4)
    for examples, ids in ((EXAMPLE, 5), (stacked(EXAMPLE, 3), IDS[:3])):
        called = aug(examples, ids, 1)
        applied = aug.apply(examples, aug.sample(ids, 1, [HEIGHT, WIDTH]))
        for name, value in called.items():
            assert_same(value, applied[name], name)


def test_what_a_stage_cut_off_does_not_come_back():
    """A crop, colour, a translation: the object that the crop left out is gone, though its place returns."""
    mask = np.zeros([40, 60, 1], np.uint8)
    mask[10:20, 2:12] = 1
    mask[10:20, 14:30] = 2
    example = {
        "image": np.repeat(mask, 3, -1), "mask": mask,
        "boxes": np.array([[2, 10, 12, 20], [14, 10, 30, 20]], np.float32),
        "keypoints": np.array([[7, 15], [20, 15]], np.float32),
    }  # fmt: skip
    moved = ar.RandomTranslation(0, (0.5, 0.5))  # 10 pixels to the right
    aug = ar.Compose(
        [ar.CenterCrop(40, 20), ar.RandomInvert(p=1), moved], seed=1,
        targets={"mask": ar.Mask(9), "boxes": ar.Boxes("xyxy"), "keypoints": ar.Keypoints("xy", visible=True)},
    )  # fmt: skip
    out = aug(example, 0, 0)  # columns 20 to 40 are left; of the second box columns 0 to 10, then 10 to 20
    assert np.array_equal(out["boxes"], [[10, 10, 20, 20]])
    assert np.array_equal(out["keypoints_visible"], [False, True])
    assert np.array_equal(tight(out["mask"][..., 0].numpy() == 2), [10, 10, 20, 20])
    assert (out["mask"][:, :10] == 9).numpy().all()


def test_every_way_gives_the_same_bits():
    """Eager, graph, XLA; one by one in Dataset.map; with all that targets can be asked for."""
    targets = {
        "mask": ar.Mask(255),
        "boxes": ar.Boxes("xyxy", labels="labels", max_boxes=3, corners=True),
        "keypoints": ar.Keypoints("xyv", pairs=[(0, 1)], visible=True),
    }
    points = np.concatenate([EXAMPLE["keypoints"], [[2], [1]]], -1).astype(np.float32)
    crop = ar.RandomResizedCrop(32, 32)
    transforms = [crop, ar.RandomFlip(), ar.RandomRotation(30), ar.RandomInvert(), ar.RandomPerspective(0.3)]
    aug = ar.Compose(transforms, seed=5, targets=targets)
    batch = stacked({**EXAMPLE, "keypoints": points}, 4)
    batch = {name: tf.constant(value) for name, value in batch.items()}
    tf.config.run_functions_eagerly(True)
    expected = aug(batch, IDS[:4], 3)
    tf.config.run_functions_eagerly(False)
    assert expected["boxes_valid"].shape == (4, 3)
    mapped = tf.data.Dataset.from_tensor_slices({**batch, "id": IDS[:4]}).map(lambda e: aug(e, e["id"], 3))
    for got in (
        tf.function(aug, jit_compile=True)(batch, tf.constant(IDS[:4]), 3),
        next(iter(mapped.batch(4))),
    ):
        for name, value in expected.items():
            assert_same(got[name], value, name)


def test_examples_of_sizes_that_are_not_known():
    aug = ar.Compose([ar.RandomCrop(60, 70), ar.RandomRotation(20)], seed=5)
    shapes = {
        "image": [None, None, 3],
        "mask": [None, None, 1],
        "boxes": [None, 4],
        "keypoints": [None, 2],
        "labels": [None],
    }
    spec = {name: tf.TensorSpec(shape, EXAMPLE[name].dtype) for name, shape in shapes.items()}
    dataset = tf.data.Dataset.from_generator(lambda: iter([EXAMPLE]), output_signature=spec)
    got = next(iter(dataset.map(lambda example: aug(example, 8, 3))))
    for name, value in aug(EXAMPLE, 8, 3).items():
        np.testing.assert_array_equal(got[name], value, err_msg=name)
    assert dataset.map(lambda example: aug(example, 8, 3)).element_spec["mask"].shape == (60, 70, 1)


def test_ragged_batches_and_names_with_slashes():
    boxes = tf.ragged.constant(
        [[[0.1, 0.1, 0.5, 0.5]], [], [[0.2, 0.3, 0.9, 0.8], [0, 0, 1, 1]]], inner_shape=(4,)
    )
    labels = tf.ragged.constant([["a"], [], ["b", "c"]])
    batch = {
        "image": stacked(EXAMPLE, 3)["image"],
        "objects": {"bbox": tf.cast(boxes, tf.float32), "label": labels, "n": 1},
    }
    targets = {"objects/bbox": ar.Boxes("rel_yxyx", labels="objects/label")}
    aug = ar.Compose([ar.RandomCrop(50, 60), ar.RandomFlip()], seed=1, targets=targets)
    out = aug(batch, IDS[:3], 0)
    assert set(out["objects"]) == {"bbox", "label", "n"}
    for row in range(3):
        one = {"image": batch["image"][row], "objects/bbox": boxes[row], "objects/label": labels[row]}
        alone = aug(one, IDS[row], 0)
        np.testing.assert_array_equal(out["objects"]["bbox"][row], alone["objects/bbox"])
        np.testing.assert_array_equal(out["objects"]["label"][row], alone["objects/label"])
    assert [row.shape for row in out["objects"]["bbox"]][1:] == [(0, 4), (2, 4)]
    padded = ar.Compose(
        [ar.RandomCrop(50, 60)],
        seed=1,
        targets={"objects/bbox": ar.Boxes("rel_yxyx", "objects/label", max_boxes=4)},
    )
    out = padded(batch, IDS[:3], 0)["objects"]
    assert out["bbox_valid"].numpy().sum(1).tolist() == [1, 0, 2]
    assert out["label"].numpy().tolist()[2] == [b"b", b"c", b"", b""]


def test_recipes_hold_targets():
    targets = {
        "m": ar.Mask((0, 255)),
        "b": ar.Boxes("rel_yxyx", "l", 0.25, 3, 9, True),
        "k": ar.Keypoints("xyv", ((0, 1),)),
    }
    aug = ar.Compose([ar.RandomFlip()], seed=1, targets=targets)
    bare = ar.Compose([ar.RandomFlip()], seed=1)
    assert ar.from_json(aug.to_json()) == aug != bare
    assert (
        ar.from_json(aug.to_json()).targets == targets == aug.evaluation().targets
        if aug.evaluation()
        else True
    )
    assert "targets" not in bare.to_json()
    assert bare.targets is None
    assert ar.differences(bare.to_json(), aug.to_json())[0].startswith(
        "targets['m']: none there, {'type': 'Mask'"
    )
    assert ar.differences(aug.to_json(), aug.to_json()) == []
    by_hand = ar.read_recipe(
        '{"seed": 1, "transforms": [{"type": "RandomFlip"}], "targets": {"b": {"type": "Boxes", "format": "xyxy"}}}'
    )
    assert by_hand.targets == {"b": ar.Boxes("xyxy")}
    assert repr(ar.Boxes("xyxy", labels=["a"])) == "Boxes(format='xyxy', labels=('a',))"
    for text, rule in (
        ("[]", "targets must be"),
        ('{"b": {"type": "Box"}}', "one of Mask, Boxes"),
        ('{"b": {"type": "Mask", "fill": 1}}', "Mask takes"),
    ):
        with pytest.raises(ValueError, match=rule):
            ar.read_recipe(f'{{"transforms": [{{"type": "RandomFlip"}}], "targets": {text}}}')


@pytest.mark.parametrize(
    ("targets", "error", "rule"),
    [
        (["mask"], TypeError, "targets: must be a dict"),
        ({"mask": "Mask"}, TypeError, "targets\\['mask'\\]: must be one of augrng.Mask"),
        ({"image": ar.Mask()}, ValueError, "targets: names must be strings"),
        (lambda: ar.Mask("red"), ValueError, "Mask: fill_value"),
        (lambda: ar.Mask(multiple=0), ValueError, "Mask: multiple must be an integer"),
        (lambda: ar.Boxes("xyyx"), ValueError, "Boxes: format must be one of"),
        (lambda: ar.Boxes("xyxy", min_visible=2), ValueError, "Boxes: min_visible must be"),
        (lambda: ar.Boxes("xyxy", min_size=-1), ValueError, "Boxes: min_size must be"),
        (lambda: ar.Boxes("xyxy", max_boxes=0), ValueError, "Boxes: max_boxes must be"),
        (lambda: ar.Boxes("xyxy", labels=[3]), ValueError, "Boxes: labels must be names"),
        (lambda: ar.Keypoints("x"), ValueError, "Keypoints: format must be one of"),
        (lambda: ar.Keypoints("xy", pairs=[(0, 1), (1, 2)]), ValueError, "Keypoints: pairs must name each point once"),
        (lambda: ar.Keypoints("xy", pairs=[(0,)]), ValueError, "Keypoints: pairs must be"),
    ],
)  # fmt: skip
def test_declarations_that_are_wrong(targets, error, rule):
    with pytest.raises(error, match=rule):
        targets() if callable(targets) else ar.Compose([ar.RandomFlip()], targets=targets)
