"""The shapes of targets that come out, from those that go in: for Keras, which asks before it runs."""

from collections.abc import Mapping
from typing import Any

from augrng.targets.base import Example, Target, found, put
from augrng.targets.boxes import Boxes
from augrng.targets.keypoints import Keypoints
from augrng.targets.mask import Mask

Shape = tuple[int | None, ...]


def shapes_after(example: Example, targets: Mapping[str, Target], size: Any, single: bool) -> Example:
    """The shapes of an example, with those of its targets as they come out; what a target adds is added.

    Args:
      example: shapes, tuples, by name.
      targets: by name; boxes with `max_boxes`.
      size: (height, width) of the images that come out, None where it is not known.
      single: whether it is one example, without a dimension B.
    """
    rows = 0 if single else 1
    for name, target in targets.items():
        shape: Shape = tuple(found(example, name))
        lead = shape[:rows]
        if isinstance(target, Mask):
            sides = (None if side is None else side * target.multiple for side in size)
            example = put(example, name, (*lead, *sides, *shape[rows + 2 :]))
        elif isinstance(target, Keypoints):
            example = put(example, f"{name}_visible", shape[:-1]) if target.visible else example
        elif isinstance(target, Boxes):
            added: dict[str, Shape] = {name: (4,), f"{name}_valid": ()}
            added |= {f"{name}_corners": (4, 2)} if target.corners else {}
            added |= {label: tuple(found(example, label))[rows + 1 :] for label in target.labels}
            for key, rest in added.items():
                example = put(example, key, (*lead, target.max_boxes, *rest))
    return example
