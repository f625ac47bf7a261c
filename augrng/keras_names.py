"""The targets among the inputs of `augrng.keras.Augment`: a recipe's, and those named as for Keras' layers.

Keras' own layers take {"images", "labels", "bounding_boxes": {"boxes", "labels"}, "segmentation_masks"}, with
boxes padded by labels of -1. The shapes that come out must be known: boxes have a fixed number of rows.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from augrng.compose import Compose
from augrng.targets import Boxes, Mask, Target
from augrng.targets.base import found, has, put
from augrng.targets.boxes import FORMATS

_BOXES, _LABELS, _MASKS = "bounding_boxes/boxes", "bounding_boxes/labels", "segmentation_masks"
ADDED = f"{_BOXES}_valid"  # which Keras' layers do not give: a label of -1 says so


def format_of(name: str | None) -> str | None:
    """Our name of one of Keras' formats of boxes; None for None.

    Raises:
      ValueError: if there is no such format.
    """
    if name is None:
        return None
    ours = str(name).lower().replace("center_xywh", "cxcywh")
    if ours not in FORMATS:
        raise ValueError(f"bounding_box_format: must be one of Keras' or of {FORMATS}, got {name!r}")
    return ours


def targets_in(aug: Compose, shapes: Mapping[str, Any], format: str | None) -> dict[str, Target]:
    """The targets among inputs, by name, such that the shapes that come out are known.

    Args:
      aug: the recipe; of its targets those that are there.
      shapes: of the inputs, tuples by name.
      format: of the boxes of "bounding_boxes".

    Raises:
      ValueError: if "bounding_boxes" come without a format, or the number of boxes is not known.
    """
    targets = {name: target for name, target in aug.program.targets_of(shapes).items() if has(shapes, name)}
    if "images" in shapes and _MASKS in shapes:
        targets.setdefault(_MASKS, Mask())
    if "images" in shapes and "bounding_boxes" in shapes and _BOXES not in targets:
        if not has(shapes, _BOXES) or not has(shapes, _LABELS):
            raise ValueError(
                'inputs["bounding_boxes"]: must be a dict of "boxes" [B, N, 4] and "labels" [B, N]'
            )
        if format is None:
            raise ValueError(
                'inputs["bounding_boxes"]: need a format; give the layer a bounding_box_format="xyxy", ...'
            )
        targets[_BOXES] = Boxes(format, labels=_LABELS)
    return {name: _sized(target, found(shapes, name), name) for name, target in targets.items()}


def _sized(target: Target, shape: Any, name: str) -> Target:
    """Boxes with a fixed number of rows, as many as come in unless it is said."""
    if not isinstance(target, Boxes) or target.max_boxes is not None:
        return target
    if shape[-2] is None:
        raise ValueError(
            f"inputs[{name!r}]: the layer must know how many rows come out; say max_boxes= in the recipe's "
            f"Boxes, or pad the inputs, got {tuple(shape)}"
        )
    return dataclasses.replace(target, max_boxes=shape[-2])


def shapes_of(inputs: Any) -> dict[str, Any]:
    """The shapes of inputs, tensors or shapes, in dicts as they are."""
    return {
        name: shapes_of(value) if isinstance(value, Mapping) else tuple(getattr(value, "shape", value))
        for name, value in inputs.items()
    }


def masks_turned(example: Mapping[str, Any], targets: Mapping[str, Target], to_last: bool) -> dict[str, Any]:
    """Channels first to channels last, or back, of masks that have channels; tensors or shapes."""
    made = dict(example)
    image = example["image"] if "image" in example else example["images"]
    rank = len(tuple(getattr(image, "shape", image)))
    for name, target in targets.items():
        mask = found(example, name)
        if isinstance(target, Mask) and len(tuple(getattr(mask, "shape", mask))) == rank:
            made = put(made, name, turned(mask, to_last))
    return made


def turned(images: Any, to_last: bool) -> Any:
    """Channels first to channels last, or back, of a tensor or a shape."""
    axes = [-2, -1, -3] if to_last else [-1, -3, -2]
    if isinstance(images, tuple):
        return (*images[:-3], *(images[axis] for axis in axes))
    rank = images.shape.rank
    if rank not in (3, 4):
        raise ValueError(f"images: must have shape [C, H, W] or [B, C, H, W], got {images.shape}")
    return tf.transpose(images, [*range(rank - 3), *(rank + axis for axis in axes)])
