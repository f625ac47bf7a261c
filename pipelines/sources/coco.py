"""COCO's JSON of objects (instances) as a source: boxes, labels, masks."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.sources.source import Record, Source

_IGNORED = 255  # in masks
_LABELS = 254  # that a mask of uint8 has room for, beside 0 and `_IGNORED`
_PARTS = ("images", "annotations", "categories")


def from_coco(
    annotations: str | Path, images: str | Path, *, masks: bool = False, crowd: bool = False
) -> Source:
    """Images and their objects as COCO's JSON says, with random access.

    A record has "image" (the file's bytes), "id" (COCO's id of the image), "path" (the file's name),
    "boxes" float32[N, 4] as (x1, y1, x2, y2) in pixels, "labels" int64[N], places among `class_names`, which
    are the categories in the order of their ids. Images without objects are kept. A recipe moves "boxes" and
    "labels" without being told.

    With `masks` it has "mask" too, an encoded PNG, which `make_dataset` decodes: 0 where nothing is, else 1 +
    the label; where objects overlap the one with fewer pixels lies above. They are made of polygons and run
    lengths by pycocotools (`pip install "augrng[coco]"`) when the source is opened, and kept as runs.

    Crowds (`iscrowd`), regions of many objects in one box, are no objects: they are left out of the boxes and
    are 255 in masks, under the objects; `Mask(fill_value=255)` and `ignore_class=255` of Keras' losses go
    with that. With `crowd` they have rows among the boxes, said by "crowd", bool[N], which goes with the
    boxes where it is declared: `Boxes("xyxy", labels=("labels", "crowd"))`.

    Args:
      annotations: the JSON file, such as instances_val2017.json.
      images: the folder of the images.
      masks: whether to make masks.
      crowd: whether crowds are among the boxes.

    Raises:
      FileNotFoundError: if there is no such file, or no file for an image.
      ImportError: if masks are asked for and pycocotools is not there.
      ValueError: if it is no such JSON, ids of images occur twice, an object is of an unknown image or
        category, or its box is not 4 finite numbers, width and height not below 0. With `masks`: if a polygon
        has fewer than three points, run lengths are of another size than the image, an object has neither,
        or there are more than 254 categories.
    """
    root, file = Path(images).expanduser(), Path(annotations).expanduser()
    content = _content(file)
    pictures = {picture["id"]: picture for picture in content["images"]}
    if len(pictures) < len(content["images"]) or not pictures:
        got = "one twice" if pictures else "none"
        raise ValueError(f"annotations: must name at least one image, and each id once, got {got} in {file}")
    for picture in pictures.values():
        if not (root / picture["file_name"]).is_file():
            raise FileNotFoundError(
                f"images: must hold each image of {file}, there is no {root / picture['file_name']} "
                f"(image {picture['id']})"
            )
    categories = sorted(content["categories"], key=lambda category: category["id"])
    places = {category["id"]: place for place, category in enumerate(categories)}
    if masks and len(places) > _LABELS:
        raise ValueError(f"masks: have room for {_LABELS} categories, got {len(places)} in {file}")
    objects: dict[int, list[Mapping[str, Any]]] = {id_: [] for id_ in pictures}
    for one in content["annotations"]:
        _check(one, pictures, places)
        objects[one["image_id"]].append(one)
    rows = [[one for one in row if crowd or not one.get("iscrowd")] for row in objects.values()]
    flat = [one for row in rows for one in row]
    boxes = np.array([one["bbox"] for one in flat], np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    columns: dict[str, np.ndarray] = {
        "boxes": boxes.astype(np.float32),
        "labels": np.array([places[one["category_id"]] for one in flat], np.int64),
    }
    if crowd:
        columns["crowd"] = np.array([bool(one.get("iscrowd")) for one in flat], bool)
    splits = np.cumsum([0, *map(len, rows)])
    features = {name: tf.RaggedTensor.from_row_splits(column, splits) for name, column in columns.items()}
    features["id"] = tf.constant(list(pictures), tf.int64)
    features["path"] = tf.constant([picture["file_name"] for picture in pictures.values()])
    drawn = _Masks(pictures, objects, places) if masks else None

    def load(record: Record) -> Record:
        mask = {} if drawn is None else {"mask": drawn.encoded(record["id"])}
        return {**record, **mask, "image": tf.io.read_file(f"{root}/" + record["path"])}

    return Source(
        f"coco {file}",
        len(pictures),
        records=lambda indices: {name: tf.gather(column, indices) for name, column in features.items()},
        load=load,
        class_names=tuple(str(category["name"]) for category in categories),
    )


def _content(file: Path) -> dict[str, list[Any]]:
    """What the JSON holds, its parts with what is read of them."""
    try:
        content = json.loads(file.read_text())
        for part, keys in zip(_PARTS, (("id", "file_name"), ("id", "image_id"), ("id", "name")), strict=True):
            for one in content[part]:
                [one[key] for key in keys]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"annotations: must be COCO's JSON of objects, with {', '.join(_PARTS)}, got {file}: {error!r}"
        ) from error
    return content


def _check(one: Mapping[str, Any], pictures: Mapping[int, Any], places: Mapping[int, int]) -> None:
    """Refuses an object of no image, no category or no box."""
    if one["image_id"] not in pictures:
        raise ValueError(f"annotations: object {one['id']} is of image {one['image_id']}, which is not there")
    if one.get("category_id") not in places:
        raise ValueError(
            f"annotations: object {one['id']} of image {one['image_id']} must be of a category that is "
            f"there, one of {list(places)[:20]}, got {one.get('category_id')}"
        )
    box = one.get("bbox")
    good = isinstance(box, Sequence) and len(box) == 4 and all(map(_is_finite, box)) and min(box[2:]) >= 0
    if not good:
        raise ValueError(
            f"annotations: bbox of object {one['id']} of image {one['image_id']} must be x, y, width and "
            f"height, finite and the last two not below 0, got {box}"
        )


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


class _Masks:
    """The masks of images as runs of labels, row by row.

    Args:
      pictures: of COCO's "images", by id.
      objects: of COCO's "annotations", by the image's id.
      places: of categories by id.
    """

    def __init__(
        self,
        pictures: Mapping[int, Mapping[str, Any]],
        objects: Mapping[int, Sequence[Mapping[str, Any]]],
        places: Mapping[int, int],
    ) -> None:
        ids = sorted(pictures)
        starts, steps = [], []
        for id_ in ids:
            flat = _drawn(pictures[id_], objects[id_], places).reshape(-1).astype(np.int32)
            step = np.diff(flat, prepend=0)
            starts.append(np.flatnonzero(step).astype(np.int32))
            steps.append(step[starts[-1]].astype(np.int16))
        self._ids = tf.constant(ids, tf.int64)
        self._sizes = tf.constant(
            [(pictures[id_]["height"], pictures[id_]["width"]) for id_ in ids], tf.int32
        )
        self._splits = tf.constant(np.cumsum([0, *map(len, starts)]), tf.int64)
        self._starts, self._steps = tf.constant(np.concatenate(starts)), tf.constant(np.concatenate(steps))

    def encoded(self, id_: tf.Tensor) -> tf.Tensor:
        """The mask of an image, as a PNG."""
        row = tf.searchsorted(self._ids, id_[None])[0]
        size, run = self._sizes[row], slice(self._splits[row], self._splits[row + 1])
        steps = tf.cast(self._steps[run], tf.int32)
        flat = tf.cumsum(tf.scatter_nd(self._starts[run, None], steps, tf.reduce_prod(size)[None]))
        mask = tf.reshape(tf.cast(flat, tf.uint8), tf.concat([size, [1]], 0))
        return tf.io.encode_png(mask, compression=0)


def _drawn(
    picture: Mapping[str, Any], objects: Sequence[Mapping[str, Any]], places: Mapping[int, int]
) -> np.ndarray:
    """The mask of an image, uint8[H, W]."""
    height, width = picture.get("height"), picture.get("width")
    if not (isinstance(height, int) and isinstance(width, int) and min(height, width) > 0):
        got = f"{height} and {width}"
        raise ValueError(f"annotations: image {picture['id']} must have a height and a width, got {got}")
    parts = [
        (not one.get("iscrowd"), _part(one, height, width), places[one["category_id"]] + 1) for one in objects
    ]
    mask = np.zeros([height, width], np.uint8)
    for is_object, part, value in sorted(parts, key=lambda found: (found[0], -int(found[1].sum()))):
        mask[part] = value if is_object else _IGNORED
    return mask


def _part(one: Mapping[str, Any], height: int, width: int) -> np.ndarray:
    """The pixels of an object, bool[height, width]."""
    try:
        from pycocotools import mask as tools
    except ImportError as error:
        raise ImportError('masks: need pycocotools; pip install "augrng[coco]"') from error
    what = f"annotations: segmentation of object {one['id']} of image {one['image_id']} must be"
    shape = one.get("segmentation")
    if isinstance(shape, Mapping):
        if list(shape.get("size", ())) != [height, width] or "counts" not in shape:
            raise ValueError(
                f"{what} run lengths of the image's size, {[height, width]}, got size {shape.get('size')}"
            )
        counts = shape["counts"]
        if isinstance(counts, list):
            if sum(counts) != height * width or min(counts, default=-1) < 0:
                raise ValueError(f"{what} run lengths of {height * width} pixels together, got {sum(counts)}")
            shape = tools.frPyObjects(dict(shape), height, width)
        return tools.decode(shape).astype(bool)
    if not isinstance(shape, Sequence) or not shape or isinstance(shape, str):
        raise ValueError(f"{what} polygons or run lengths, got {shape!r}")
    for polygon in shape:
        numbers = isinstance(polygon, Sequence) and all(map(_is_finite, polygon))
        if not numbers or len(polygon) % 2 or len(polygon) < 6:
            got = f"{len(polygon) / 2:g} points" if numbers else repr(polygon)[:60]
            raise ValueError(f"{what} polygons of at least three points (x, y), finite, got {got}")
    return tools.decode(tools.merge(tools.frPyObjects(list(shape), height, width))).astype(bool)
