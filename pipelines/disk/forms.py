"""How images lie in a built dataset: as PNG without loss, as smaller JPEGs, or as raw pixels.

PNG     what was decoded, or made by a recipe, bit for bit
JPEG    shorter side at most so long, Pillow's antialiased filter within 1 grey level; what is small
        enough already keeps its bytes
raw     rows of uint8 behind their size (`pipelines.images.formats.raw_bytes`); perhaps made smaller, too
"""

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

import augrng as ar
from augrng.geometry import affine
from augrng.geometry.warp import whole_borders
from augrng.render import Renderer
from pipelines.images.header import JPEG, PNG, probe

QUALITY = 92  # of JPEGs, if nothing is said


def check_form(shorter_side: int | None, quality: int | None, pixels: bool, recipe: str | None) -> None:
    """Refuses what does not go together.

    Raises:
      ValueError: says what to do.
    """
    if shorter_side is not None and shorter_side < 1:
        raise ValueError(f"shorter_side: must be at least 1 pixel, got {shorter_side}")
    if shorter_side is not None and recipe is not None:
        raise ValueError(
            f"shorter_side: must be left out with a recipe, got {shorter_side}; the recipe says of what size "
            'its images are: put Resize(..., antialias="exact") into it'
        )
    if quality is not None and (shorter_side is None or pixels):
        raise ValueError(f"quality: is of JPEGs, which shorter_side without pixels makes, got {quality}")
    if quality is not None and not 1 <= quality <= 100:
        raise ValueError(f"quality: must lie in 1 to 100, got {quality}")


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


def reduced(image: tf.Tensor, shorter_side: int) -> tf.Tensor:
    """An image uint8[H, W, C] whose shorter side has at most so many pixels; never enlarged.

    What is at most twice as long as the other side goes through a program that is compiled for a canvas of
    twice `shorter_side`, lying on its side if need be; op by op it takes several times as long.
    """
    return _reducer(shorter_side, image.shape[-1])(image)


@functools.cache
def _reducer(shorter_side: int, channels: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """`reduced`, traced once."""
    resize, longest = _resize(shorter_side), 2 * shorter_side
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


def _resize(shorter_side: int) -> ar.Resize:
    return ar.Resize(shorter_side, antialias="exact")


class _Canvas(Renderer):
    """Reads through maps to a canvas twice as wide as high, of which an image may fill but a part."""

    def __init__(self, shorter_side: int) -> None:
        super().__init__([_resize(shorter_side)])
        self._size = shorter_side, 2 * shorter_side

    def size_after(self, height: Any, width: Any) -> tuple[Any, Any]:
        return self._size


def jpeg(contents: tf.Tensor | None, image: tf.Tensor, shorter_side: int, quality: int | None) -> tf.Tensor:
    """The bytes of an image made smaller; its own, where it is a JPEG or PNG and small enough.

    What is small enough and neither of the two becomes a PNG, so that nothing is lost.

    Args:
      contents: its bytes, or None if it comes as pixels.
      image: its pixels, uint8[H, W, 1 or 3], upright.
      shorter_side: in pixels.
      quality: 1 to 100, or None for `QUALITY`.
    """
    kind = "grayscale" if image.shape[-1] == 1 else "rgb"

    def smaller() -> tf.Tensor:
        return tf.io.encode_jpeg(
            reduced(image, shorter_side), kind, quality=quality or QUALITY, optimize_size=True
        )

    def as_it_is() -> tf.Tensor:
        if contents is None:
            return tf.io.encode_png(image)
        format_ = probe(contents).format
        kept = tf.equal(format_, JPEG) | tf.equal(format_, PNG)
        return tf.cond(kept, lambda: contents, lambda: tf.io.encode_png(image))

    return tf.cond(tf.reduce_min(tf.shape(image)[:2]) > shorter_side, smaller, as_it_is)
