"""From encoded bytes to augmented pixels, decoding only the part of a JPEG that the map reads.

The size comes from the header, the params from the size, the map from the params; then the window that
the map reads is decoded, at the coarsest of the scales 1, 1/2, 1/4, 1/8 that leaves at least the output's
resolution, and sampled once. A turn that EXIF asks for is a part of the map.

At scale 1 these are the pixels of a full decode, bit for bit. At the smaller scales the JPEG's own
transform reduces, where a full decode is reduced by means of pixels (see `augrng.pyramid`).
"""

import functools
from collections.abc import Callable

import tensorflow as tf

import augrng as ar
from augrng import affine, fixed, pyramid
from pipelines.decode import MAX_PIXELS, decode, decode_window, refuse_unless, upright_flags
from pipelines.header import JPEG, probe

_SLACK = fixed.ONE // 64  # positions are exact to this


def reader(
    aug: ar.Compose, *, partial: bool = True, channels: int = 3, max_pixels: int = MAX_PIXELS
) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]:
    """Makes the function (contents, id, epoch) -> augmented image, for use inside `Dataset.map`.

    Args:
      aug: a recipe whose output has a fixed size.
      partial: whether to decode only what is read, for a JPEG; other formats, and a JPEG that does not
        end with its end marker, are always decoded whole.
      channels: 3 for RGB, 1 for grey.
      max_pixels: the largest height * width that is decoded; checked in the header before memory is taken.

    Returns:
      A function of a scalar string, an int64 scalar and an int64 scalar that returns uint8[height, width,
      channels]. It raises InvalidArgumentError for what cannot be decoded or is refused by a transform.

    Raises:
      ValueError: if the recipe's output has no fixed size.
    """
    if aug.output_size is None:
        raise ValueError("aug: its output must have a fixed size; add a crop or a resize to the recipe")
    plan = _compiled_plan(aug)

    def read(contents: tf.Tensor, id_: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
        header = probe(contents)
        contents = refuse_unless(contents, header, max_pixels)
        stored = tf.cast(tf.stack([header.height, header.width]), tf.int64)
        turned = tf.gather(upright_flags(), header.orientation)[0]
        size = aug.check(id_[None], tf.where(turned, stored[::-1], stored)[None])
        map_, level, window = plan(id_, epoch, size, stored, header.orientation)

        def whole() -> tuple[tf.Tensor, tf.Tensor]:
            image = decode(contents, channels=channels, max_pixels=max_pixels, orientation=False)
            return pyramid.pick(image, level), map_

        def part() -> tuple[tf.Tensor, tf.Tensor]:
            ratio = tf.bitwise.left_shift(tf.ones_like(level), level)
            top, left, height, width = tf.unstack(window)
            found = decode_window(contents, top, left, height, width, ratio, channels=channels)
            shift = affine.translate(*(-(tf.cast(v, tf.int64) // ratio) for v in (found.left, found.top)))
            return found.image, affine.compose(shift, map_)

        # A window above the place where a file was cut off would be decoded without complaint, so a file
        # without JPEG's end marker is decoded whole: whether it fails must not depend on what was drawn.
        complete = (header.format == JPEG) & (tf.strings.substr(contents, -2, 2) == b"\xff\xd9")
        image, map_ = tf.cond(complete, part, whole) if partial else whole()
        image.set_shape([None, None, channels])
        return aug.render(image, map_)

    return read


@functools.lru_cache(maxsize=64)
def _compiled_plan(aug: ar.Compose) -> Callable:
    """`_plan` of a recipe as one program, compiled once however many datasets are made with it."""
    return tf.function(functools.partial(_plan, aug), jit_compile=True, autograph=False)


def _plan(
    aug: ar.Compose,
    id_: tf.Tensor,
    epoch: tf.Tensor,
    size: tf.Tensor,
    stored: tf.Tensor,
    orientation: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The map to cells of the stored image at its level, the level, and the window that it reads.

    The window is (top, left, height, width) in stored pixels, and overlaps the image.
    """
    maps = aug.plan(id_[None], epoch, size)
    maps = affine.compose(_upright(size[0], orientation), maps[0])[None]
    level = pyramid.level(maps) if aug.reduces else tf.zeros([1], tf.int64)
    map_, level = pyramid.scale(maps, level)[0], level[0]
    ratio = tf.bitwise.left_shift(tf.ones_like(level), level)
    if aug.sampling.fill_mode in ("reflect", "wrap"):  # what lies outside may be read from anywhere inside
        return map_, level, tf.concat([tf.zeros_like(stored), stored], 0)

    assert aug.output_size is not None
    height, width = aug.output_size
    ends = [
        (x * fixed.ONE - fixed.ONE // 2, y * fixed.ONE - fixed.ONE // 2)
        for x in (1, width)
        for y in (1, height)
    ]
    corners = affine.move(map_, tf.constant(ends, tf.int64))[:, ::-1] - fixed.ONE // 2
    fraction = tf.constant(fixed.FRACTION, tf.int64)
    low = tf.bitwise.right_shift(tf.reduce_min(corners, 0) - _SLACK, fraction) * ratio
    high = (tf.bitwise.right_shift(tf.reduce_max(corners, 0) + _SLACK, fraction) + 2) * ratio
    low = tf.clip_by_value(low, 0, stored - 1)
    high = tf.clip_by_value(high, low + 1, stored)
    return map_, level, tf.concat([low, high - low], 0)


def _upright(size: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """The map from positions in the upright image, of `size`, to those in the stored one."""
    turned, rows, columns = tf.unstack(tf.gather(upright_flags(), orientation))
    mirrored = affine.flip(size, columns, rows)
    swapped = tf.gather(mirrored, [1, 0], axis=-2)
    return tf.where(turned, swapped, mirrored)
