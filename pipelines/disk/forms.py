"""How images lie in a built dataset: as PNG without loss, as smaller JPEGs, or as raw pixels.

PNG     what was decoded, or made by a recipe, bit for bit
JPEG    shorter side at most so long, Pillow's antialiased filter within 1 grey level; what is small
        enough already keeps its bytes
raw     rows of uint8 behind their size (`pipelines.images.formats.raw_bytes`); perhaps made smaller, too
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

import augrng as ar
from augrng.geometry import affine
from augrng.geometry.warp import whole_borders
from augrng.render import Renderer
from pipelines.images.formats import DCT
from pipelines.images.header import JPEG, PNG, probe
from pipelines.sources.source import Record

QUALITY = 92  # of JPEGs, if nothing is said


@dataclasses.dataclass(frozen=True, repr=False)
class Smaller(ar.Resize):
    """`Resize` to a shorter side, of larger images only: others stay as they are."""

    antialias: bool | str = "exact"

    def size_after(self, height: Any, width: Any) -> tuple[Any, Any]:
        numbers = tf if tf.is_tensor(height) else np
        least = numbers.maximum(numbers.minimum(height, width), self.height)
        return height * self.height // least, width * self.height // least


def check_form(shorter_side: int | None, quality: int | None, pixels: bool) -> None:
    """Refuses what does not go together.

    Raises:
      ValueError: says what to do.
    """
    if shorter_side is not None and shorter_side < 1:
        raise ValueError(f"shorter_side: must be at least 1 pixel, got {shorter_side}")
    if quality is not None and (shorter_side is None or pixels):
        raise ValueError(f"quality: is of JPEGs, which shorter_side without pixels makes, got {quality}")
    if quality is not None and not 1 <= quality <= 100:
        raise ValueError(f"quality: must lie in 1 to 100, got {quality}")


def recipe_of(shorter_side: int, recipe: ar.Compose | None) -> ar.Compose:
    """What makes images smaller, and moves with them the targets that a recipe of that resize says.

    Raises:
      ValueError: if the recipe does anything else.
    """
    given = [] if recipe is None else list(recipe.transforms.values())
    plain = [dataclasses.replace(part, name=None, seed=None) for part in given]
    asked = ar.Resize(shorter_side, antialias="exact")
    if recipe is not None and plain != [asked]:
        raise ValueError(
            f"shorter_side: must be left out with a recipe, got {shorter_side}; the recipe says of what size "
            f"its images are. Only {asked!r} may stand in one beside it, to say what the targets are"
        )
    return ar.Compose([Smaller(shorter_side)], seed=0, targets=None if recipe is None else recipe.targets)


def check_kind(shorter_side: int | None, pixels: bool, dtype: tf.DType, channels: int) -> None:
    """Refuses images that the form cannot hold.

    Raises:
      TypeError: says what to do.
    """
    form = "raw pixels" if pixels else "PNGs" if shorter_side is None else "JPEGs"
    dtypes, allowed = ((tf.uint8, tf.uint16), (1, 3, 4)) if form == "PNGs" else ((tf.uint8,), (1, 3))
    if dtype not in dtypes or channels not in allowed:
        rule = " or ".join(kind.name for kind in dtypes)
        counts = ", ".join(map(str, allowed[:-1])) + f" or {allowed[-1]}"
        do = "" if form == "PNGs" else "; leave shorter_side and pixels out, PNGs hold them"
        raise TypeError(
            f"source: images must be {rule} with {counts} channels to become {form}, got {dtype.name} with "
            f"{channels}{do}"
        )


def smaller(aug: ar.Compose, example: Record, shorter_side: int) -> Record:
    """An example with its image `reduced`, its targets moved by `recipe_of`, and all else as it was.

    Args:
      aug: what `recipe_of` gave.
      example: with "image", uint8[H, W, C], and "id"; its masks are pixels.
      shorter_side: in pixels.
    """
    image, ids, targets = example["image"], example["id"][None], aug.program.targets_of(example)
    if targets:
        size = tf.shape(image, tf.int64)[None, :2]
        work = aug.program.plan(ids, 0, size)
        example = aug.program.move(example, targets, work, size, ids, single=True)
    return {**example, "image": reduced(image, shorter_side)}


def reduced(image: tf.Tensor, shorter_side: int) -> tf.Tensor:
    """An image uint8[H, W, C] whose shorter side has at most so many pixels; never enlarged.

    What is at most twice as long as the other side goes through a program that is compiled for a canvas of
    twice `shorter_side`, lying on its side if need be; op by op it takes several times as long.
    """
    return _reducer(shorter_side, image.shape[-1])(image)


@functools.cache
def _reducer(shorter_side: int, channels: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """`reduced`, traced once."""
    resize, longest = Smaller(shorter_side), 2 * shorter_side
    canvas, aug = _Canvas(shorter_side), ar.Compose([resize], seed=0)

    def lying(image: tf.Tensor) -> tf.Tensor:
        size = tf.shape(image, tf.int64)[None, :2]
        height, width = resize.size_after(size[0, 0], size[0, 1])
        maps, borders = affine.resize(size, height[None], width[None]), whole_borders(size)
        pixels = tf.reshape(image, [1, -1, channels])
        return canvas.render_rows(pixels, maps, size, borders, padded=True)[0, :height, :width]

    def smaller(image: tf.Tensor) -> tf.Tensor:
        size = tf.shape(image, tf.int64)[:2]
        height, width = resize.size_after(size[0], size[1])
        stands = height > width

        def on_canvas() -> tf.Tensor:
            turns = tf.where(stands, [1, 0, 2], [0, 1, 2])
            return tf.transpose(lying(tf.transpose(image, turns)), turns)

        fits = tf.maximum(height, width) <= longest
        return tf.cond(fits, on_canvas, lambda: aug(image, tf.constant(0, tf.int64), 0))

    def made(image: tf.Tensor) -> tf.Tensor:
        is_larger = tf.reduce_min(tf.shape(image)[:2]) > shorter_side
        return tf.ensure_shape(
            tf.cond(is_larger, lambda: smaller(image), lambda: image), [None, None, channels]
        )

    return tf.function(made, [tf.TensorSpec([None, None, channels], tf.uint8)], autograph=False)


class _Canvas(Renderer):
    """Reads through maps to a canvas twice as wide as high, of which an image may fill but a part."""

    def __init__(self, shorter_side: int) -> None:
        super().__init__([Smaller(shorter_side)])
        self._size = shorter_side, 2 * shorter_side

    def size_after(self, height: Any, width: Any) -> tuple[Any, Any]:
        return self._size


def jpeg(
    contents: tf.Tensor, image: tf.Tensor, made: tf.Tensor, quality: int | None
) -> tuple[tf.Tensor, tf.Tensor]:
    """What is stored of an image that was made smaller: its bytes, and the pixels that are read from them.

    A JPEG or PNG that is small enough keeps its own bytes. What is small enough and neither of the two
    becomes a PNG, so that nothing is lost.

    Args:
      contents: its bytes, a scalar string, or its pixels if it comes as these.
      image: its pixels, uint8[H, W, 1 or 3], upright.
      made: those of `reduced`.
      quality: 1 to 100, or None for `QUALITY`.
    """
    channels = image.shape[-1]
    kind = "grayscale" if channels == 1 else "rgb"

    def encoded() -> tuple[tf.Tensor, tf.Tensor]:
        file = tf.io.encode_jpeg(made, kind, quality=quality or QUALITY, optimize_size=True)
        return file, tf.io.decode_jpeg(file, channels, dct_method=DCT)

    def as_it_is() -> tuple[tf.Tensor, tf.Tensor]:
        if contents.dtype != tf.string:
            return tf.io.encode_png(image), image
        format_ = probe(contents).format
        kept = tf.equal(format_, JPEG) | tf.equal(format_, PNG)
        return tf.cond(kept, lambda: contents, lambda: tf.io.encode_png(image)), image

    is_smaller = tf.reduce_any(tf.shape(made) != tf.shape(image))
    return tf.cond(is_smaller, encoded, as_it_is)
