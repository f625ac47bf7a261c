"""Targets through the Keras layer: a recipe's own names and those of Keras' layers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import augrng as ar
from augrng.compiled import op_by_op
from augrng.keras import Augment
from tests.targets.drawn import picture, stacked

TARGETS = {
    "mask": ar.Mask(255),
    "boxes": ar.Boxes("xyxy", labels="labels", max_boxes=2, corners=True),
    "keypoints": ar.Keypoints("xy", visible=True),
}
AUG = ar.Compose([ar.RandomCrop(64, 70), ar.RandomFlip()], seed=7, targets=TARGETS)
IDS = np.array([5, 6, 7])
BATCH = stacked(picture(), 3)
GIVEN = {name: tf.constant(value) for name, value in BATCH.items()} | {
    "id": tf.constant(IDS), "epoch": tf.constant(2, tf.int64), "name": tf.constant(["a", "b", "c"])
}  # fmt: skip


def specs(outputs):
    return {name: (tuple(x.shape), keras.backend.standardize_dtype(x.dtype)) for name, x in outputs.items()}


def test_targets_move_and_their_shapes_are_known():
    layer, expected = Augment(AUG), AUG(BATCH, IDS, 2)
    out = layer(GIVEN, training=True)
    for name, value in expected.items():
        np.testing.assert_array_equal(out[name], value)
    assert np.array_equal(out["name"], GIVEN["name"])
    without = {name: value for name, value in GIVEN.items() if name != "name"}  # Keras has no strings
    known = specs(
        layer.compute_output_spec(
            keras.tree.map_structure(lambda x: keras.KerasTensor(x.shape, x.dtype.name), without)
        )
    )
    assert known == {name: spec for name, spec in specs(out).items() if name != "name"}
    shapes = layer.compute_output_shape({name: tuple(value.shape) for name, value in without.items()})
    assert {name: tuple(shape) for name, shape in shapes.items()} == {
        name: shape for name, (shape, _) in known.items()
    }
    evaluated = layer(GIVEN, training=False)
    centre = AUG.evaluation()(BATCH, IDS, 0)
    for name, value in centre.items():
        np.testing.assert_array_equal(evaluated[name], value)
    config = Augment.from_config(Augment(AUG, bounding_box_format="xyxy").get_config())
    assert config.aug == AUG
    assert config.bounding_box_format == "xyxy"


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_names_of_keras_layers(data_format):
    """As `keras.layers.RandomFlip` takes and gives them: Keras' own layer is the oracle for a flip."""
    last = data_format == "channels_last"
    turn = (lambda x: x) if last else (lambda x: np.moveaxis(x, -1, 1))
    boxes = np.concatenate([BATCH["boxes"], np.full([3, 2, 4], -1, np.float32)], 1)
    given = {
        "images": tf.constant(turn(BATCH["image"])),
        "labels": tf.constant([1, 2, 3]),
        "bounding_boxes": {"boxes": tf.constant(boxes), "labels": tf.constant([[4, -1, -1]] * 3)},
        "segmentation_masks": tf.constant(turn(BATCH["mask"])),
    }
    layer = Augment(
        ar.Compose([ar.RandomFlip(p=1)], seed=1), bounding_box_format="xyxy", data_format=data_format
    )
    out = layer(given, training=True)
    assert out.keys() == given.keys()
    assert out["bounding_boxes"].keys() == {"boxes", "labels"}
    assert np.array_equal(out["images"], turn(BATCH["image"][:, :, ::-1]))
    assert np.array_equal(out["segmentation_masks"], turn(BATCH["mask"][:, :, ::-1]))
    assert np.array_equal(out["bounding_boxes"]["labels"], given["bounding_boxes"]["labels"])
    assert np.array_equal(out["bounding_boxes"]["boxes"][:, 0], [[120 - 79, 36, 120 - 44, 58]] * 3)
    assert np.array_equal(out["labels"], given["labels"])
    symbolic = keras.tree.map_structure(lambda x: keras.KerasTensor(x.shape, x.dtype.name), given)
    known = layer.compute_output_spec(symbolic)
    keras.tree.map_structure(lambda a, b: a.shape == b.shape or pytest.fail(f"{a} {b}"), known, out)
    plain = layer(given, training=False)
    assert np.array_equal(plain["bounding_boxes"]["boxes"][:, :1], BATCH["boxes"])
    with pytest.raises(ValueError, match="need a format; give the layer a bounding_box_format"):
        Augment(AUG, data_format=data_format)({**given})


def test_what_the_layer_refuses():
    with pytest.raises(ValueError, match="bounding_box_format: must be one of"):
        Augment(AUG, bounding_box_format="center")
    assert Augment(AUG, bounding_box_format="center_xywh")._format == "cxcywh"
    layer = Augment(ar.Compose([ar.RandomFlip()], targets={"boxes": ar.Boxes("xyxy")}))
    inputs = {
        "image": keras.KerasTensor((None, 8, 8, 1), "uint8"), "boxes": keras.KerasTensor((None, None, 4)),
        "id": keras.KerasTensor((None,), "int64"), "epoch": keras.KerasTensor((None,), "int64"),
    }  # fmt: skip
    with pytest.raises(ValueError, match="how many rows come out; say max_boxes="):
        layer(inputs)


@op_by_op()
def test_a_crop_that_keeps_a_box():
    """As the call of the recipe, whose draw the boxes are part of; under Keras' names they are those of the batch."""
    boxes = ar.Boxes("xyxy", labels="labels", max_boxes=1)
    moves = [ar.BoxSafeCrop(32, 40), ar.RandomFlip()]
    aug = ar.Compose(moves, seed=7, targets={"boxes": boxes})
    given = {name: GIVEN[name] for name in ("image", "boxes", "labels", "id", "epoch")}
    out = Augment(aug)(given, training=True)
    expected = aug(BATCH, IDS, 2)
    for name in ("image", "boxes", "labels", "boxes_valid"):
        np.testing.assert_array_equal(out[name], expected[name])
    assert np.any(expected["boxes"][0] != expected["boxes"][1])
    whole = Augment(aug)(given, training=False)["boxes"]
    np.testing.assert_allclose(whole[0], BATCH["boxes"][0] * ([40 / 120, 32 / 96] * 2), atol=1e-6)
    keras_ = {
        "images": given["image"], "bounding_boxes": {"boxes": given["boxes"], "labels": given["labels"]}
    }  # fmt: skip
    named = Augment(ar.Compose(moves, seed=7), bounding_box_format="xyxy")(keras_, training=True)
    numbered = aug(BATCH, np.arange(3), 0)
    np.testing.assert_array_equal(named["images"], numbered["image"])
    np.testing.assert_array_equal(named["bounding_boxes"]["boxes"], numbered["boxes"])
    with pytest.raises(ValueError, match="draws by the boxes of an example"):
        Augment(aug)(given["image"], training=True)
