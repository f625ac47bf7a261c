"""Segmentation and detection that need no download: rectangles and discs drawn on two photographs.

All that is drawn follows from words of `augrng.bits`, by integers alone, so the pictures are the same
everywhere. A scene is divided into four quarters of at least 32x32 pixels; in each lies nothing, a rectangle
(rather blue) or a disc (rather red), whole and apart from the others: the box of an object is the tight box
of its part of the mask.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image, ImageDraw

import augrng as ar
from pipelines.sources.digits import photo_paths

CLASSES = ("rectangle", "disc")
TRAIN, TEST = 400, 100  # examples
_SEED = 0x7363656E6573  # "scenes"
_OF_SCENE, _OF_QUARTER = 6, 8  # words
_LEAST = 10  # pixels that an object is high and wide


class Scenes(tfds.core.GeneratorBasedBuilder):
    """Drawn scenes, named as TFDS' own datasets name things.

    "image" uint8[H, W, 3], 64 to 80 by 64 to 96; "segmentation_mask" uint8[H, W, 1], 0 for the photograph
    and 1 + label for what is drawn; "objects", 0 to 4 of them, with "bbox" float32[N, 4] (ymin, xmin, ymax,
    xmax as shares of the sides) and "label" int64[N], 0 for a rectangle and 1 for a disc; "index" int64.
    Of the photographs "train" shows the left halves and "test" the right ones.
    """

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        objects = {
            "bbox": tfds.features.BBoxFeature(),
            "label": tfds.features.ClassLabel(names=CLASSES),
        }
        features = {
            "image": tfds.features.Image(shape=(None, None, 3), encoding_format="png"),
            "segmentation_mask": tfds.features.Image(shape=(None, None, 1), encoding_format="png"),
            "objects": tfds.features.Sequence(objects),
            "index": np.int64,
        }
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "segmentation_mask"),
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {
            "train": self._generate_examples(0, TRAIN, 0),
            "test": self._generate_examples(TRAIN, TRAIN + TEST, 1),
        }

    def _generate_examples(self, start: int, stop: int, half: int) -> Iterator[tuple[int, dict[str, Any]]]:
        for index, scene in enumerate(scenes(start, stop, half), start):
            height, width = scene.mask.shape
            objects = [
                {"bbox": tfds.features.BBox(y1 / height, x1 / width, y2 / height, x2 / width), "label": label}
                for (y1, x1, y2, x2), label in zip(scene.boxes, scene.labels, strict=True)
            ]
            mask = scene.mask[..., None]
            yield index, {"image": scene.image, "segmentation_mask": mask, "objects": objects, "index": index}


class Scene(NamedTuple):
    """uint8[H, W, 3], uint8[H, W], and for each object (y1, x1, y2, x2) in pixels and its label."""

    image: np.ndarray
    mask: np.ndarray
    boxes: list[tuple[int, int, int, int]]
    labels: list[int]


def scenes(start: int, stop: int, half: int) -> Iterator[Scene]:
    """The scenes with these numbers, on the left (0) or right (1) halves of the photographs."""
    photos = []
    for path in photo_paths():
        with Image.open(path) as photo:
            photos.append(photo.convert("RGB").crop((320 * half, 0, 320 * half + 320, 427)))
    numbers = np.arange(start, stop)
    keys = ar.fold_in(np.tile(np.array([[_SEED, 0]], np.int64), [len(numbers), 1]), numbers)
    words = ar.bits(keys, _OF_SCENE + 4 * _OF_QUARTER).numpy().astype(np.int64)
    return (_scene(photos, [int(word) for word in row]) for row in words)


def _scene(photos: list[Image.Image], words: list[int]) -> Scene:
    """One of them. Its words: which photograph, how much reduced, height, width, top, left; the quarters'."""
    photo, scale = photos[words[0] % len(photos)], 1 + words[1] % 2
    height, width = 64 + words[2] % 17, 64 + words[3] % 33
    top, left = words[4] % (428 - height * scale), words[5] % (321 - width * scale)
    window = photo.crop((left, top, left + width * scale, top + height * scale)).reduce(scale)
    image, mask, boxes, labels = np.array(window), np.zeros([height, width], np.uint8), [], []
    for quarter in range(4):
        kind, *rest = words[_OF_SCENE + quarter * _OF_QUARTER :][:_OF_QUARTER]
        kind %= 3
        if not kind:
            continue
        y, x = quarter // 2 * (height // 2), quarter % 2 * (width // 2)
        y1, x1, y2, x2 = _box(rest[:4], height // 2, width // 2, is_round=kind == 2)
        box = (y + y1, x + x1, y + y2, x + x2)
        inside = _inside(box, height, width, is_round=kind == 2)
        colour = np.array(rest[4:]) % 128
        colour[0 if kind == 2 else 2] += 128
        image[inside] = (image[inside].astype(np.int64) + 7 * colour) // 8
        mask[inside] = kind
        boxes.append(box)
        labels.append(kind - 1)
    return Scene(image, mask, boxes, labels)


def _box(words: list[int], height: int, width: int, *, is_round: bool) -> tuple[int, int, int, int]:
    """(y1, x1, y2, x2) in a quarter of this size, apart from its end; a square if it is round."""
    if is_round:
        high = wide = _LEAST + words[0] % (min(height, width) - _LEAST)
    else:
        high, wide = _LEAST + words[0] % (height - _LEAST), _LEAST + words[1] % (width - _LEAST)
    top, left = words[2] % (height - high), words[3] % (width - wide)
    return top, left, top + high, left + wide


def _inside(box: tuple[int, int, int, int], height: int, width: int, *, is_round: bool) -> np.ndarray:
    """bool[height, width]: which pixels are the object's, as Pillow draws it."""
    y1, x1, y2, x2 = box
    picture = Image.new("1", (width, height))
    draw = ImageDraw.Draw(picture)
    (draw.ellipse if is_round else draw.rectangle)((x1, y1, x2 - 1, y2 - 1), fill=1)
    return np.array(picture)
