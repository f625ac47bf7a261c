"""Several pictures of one size in one: where each of them shows, and the pixels of it.

Nothing is resampled: a picture is shifted by whole pixels and shows through a window.
"""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf


class Pane(NamedTuple):
    """Where one picture shows, in each of B examples.

    Attributes:
      window: int64[B, 4], top, left, bottom, right of what is shown of it; bottom and right are outside.
        Without area nothing is.
      shift: int64[B, 2], what is added to its positions (y, x), in pixels; None where it stays.
    """

    window: tf.Tensor
    shift: tf.Tensor | None = None

    @property
    def area(self) -> tf.Tensor:
        """int64[B], how many pixels are shown, those under other panes too."""
        top, left, bottom, right = tf.unstack(self.window, axis=-1)
        return tf.maximum(bottom - top, 0) * tf.maximum(right - left, 0)


def whole(size: tf.Tensor) -> Pane:
    """A picture of size int64[B, 2], all of it, where it lies."""
    return Pane(tf.concat([tf.zeros_like(size), size], -1))


def shown(images: Sequence[tf.Tensor], panes: Sequence[Pane], multiple: int = 1) -> tf.Tensor:
    """Pictures [B, H, W, C] each through its pane, a later one over an earlier one.

    The panes cover all of it; those of masks are for pictures a `multiple`-th as large.
    """
    height, width = tf.unstack(tf.shape(images[0], tf.int64)[1:3])
    y, x = tf.range(height)[None, :, None], tf.range(width)[None, None]
    out = None
    for image, pane in zip(images, panes, strict=True):
        if pane.shift is not None:
            down, across = (part[:, None, None] for part in tf.unstack(pane.shift * multiple, axis=-1))
            row = tf.clip_by_value(y - down, 0, height - 1)
            column = tf.clip_by_value(x - across, 0, width - 1)
            flat = tf.reshape(image, tf.stack([tf.shape(image, tf.int64)[0], height * width, image.shape[3]]))
            image = tf.gather(flat, row * width + column, batch_dims=1)
        top, left, bottom, right = (end[:, None, None] for end in tf.unstack(pane.window * multiple, axis=-1))
        inside = (y >= top) & (y < bottom) & (x >= left) & (x < right)
        out = image if out is None else tf.where(inside[..., None], image, out)
    return tf.ensure_shape(out, images[0].shape)


def parts(low: tf.Tensor, high: tf.Tensor, window: tf.Tensor, fraction: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Both ends of the part of each box that lies in a window; not in order where none does.

    Args:
      low: int64[B, N, 2], (x, y) of where boxes begin, with `fraction` fraction bits.
      high: where they end.
      window: int64[B, 4], see `Pane`.
      fraction: of the positions.
    """
    top, left, bottom, right = tf.unstack(window * (1 << fraction), axis=-1)
    first, last = tf.stack([left, top], -1)[:, None], tf.stack([right, bottom], -1)[:, None]
    return tf.maximum(low, first), tf.minimum(high, last)
