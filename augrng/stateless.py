"""Functions in the manner of `tf.image.stateless_random_*`: explicit seeds, one image or a batch.

Each takes an image [H, W, C] and a seed [2], or a batch [B, H, W, C] and seeds [B, 2]; every image of a
batch is treated as it would be alone. They run eager, in graphs and jit-compiled, with the same pixels.
"""

from typing import Any

import tensorflow as tf

from augrng import arguments, draws
from augrng.bits import bits
from augrng.chain import chain_of, image_sizes
from augrng.transforms import RandomCrop, RandomFlip, RandomRotation, Transform


def stateless_random_crop(image: Any, size: Any, seed: Any) -> tf.Tensor:
    """Crops to `size` at a uniformly drawn place, as `tf.image.stateless_random_crop` does.

    Args:
      image: [H, W, C] or [B, H, W, C]; uint8, uint16 or float, 1 to 4 channels.
      size: (height, width), or (height, width, channels) to draw the first channel too, of one image.
      seed: int64[2], or int64[B, 2] for a batch; any integers convert.

    Returns:
      [height, width, C] or [B, height, width, C] of the same dtype.

    Raises:
      TypeError: if the dtype is not supported, or a seed is not an integer.
      ValueError: if a shape is wrong or the image is smaller than `size`.
    """
    image = arguments.images(image, "image")
    size = tuple(int(side) for side in size)
    if len(size) not in (2, 3):
        raise ValueError(f"size: must be (height, width) or (height, width, channels), got {size}")
    channels = size[2] if len(size) == 3 else image.shape[-1]
    if not 1 <= channels <= image.shape[-1]:
        raise ValueError(f"size: must ask for 1 to {image.shape[-1]} channels, got {size}")
    out = _run(RandomCrop(*size[:2]), image, seed)
    if channels == image.shape[-1]:
        return out
    first = draws.integers(bits(seed, 3)[..., 2], image.shape[-1] - channels + 1)
    index = first[..., None] + tf.range(channels, dtype=tf.int64)
    return tf.gather(out, index, axis=-1, batch_dims=image.shape.rank - 3)


def stateless_random_flip_left_right(image: Any, seed: Any) -> tf.Tensor:
    """Mirrors left-right with probability 1/2, as `tf.image.stateless_random_flip_left_right` does.

    In a batch each image is flipped as it would be alone. (TensorFlow takes one seed for a batch and
    decides the other way round there.)

    Args:
      image: [H, W, C] or [B, H, W, C]; uint8, uint16 or float, 1 to 4 channels.
      seed: int64[2], or int64[B, 2] for a batch; any integers convert.

    Returns:
      A tensor of the same shape and dtype.

    Raises:
      TypeError: if the dtype is not supported, or a seed is not an integer.
      ValueError: if a shape is wrong.
    """
    return _run(RandomFlip("horizontal"), image, seed)


def stateless_random_flip_up_down(image: Any, seed: Any) -> tf.Tensor:
    """Mirrors up-down with probability 1/2, as `tf.image.stateless_random_flip_up_down` does.

    Args and errors: see `stateless_random_flip_left_right`.
    """
    return _run(RandomFlip("vertical"), image, seed)


def stateless_random_rotation(
    image: Any,
    degrees: float | tuple[float, float],
    seed: Any,
    *,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float | tuple[float, ...] = 0,
) -> tf.Tensor:
    """Turns about the centre by an angle drawn uniformly; positive is counter-clockwise.

    Args:
      image: [H, W, C] or [B, H, W, C]; uint8, uint16 or float, 1 to 4 channels.
      degrees: a number d for angles in [-d, d], or a pair (low, high).
      seed: int64[2], or int64[B, 2] for a batch; any integers convert.
      interpolation: "nearest" or "bilinear".
      fill_mode: "constant", "nearest", "reflect" or "wrap", what lies outside; see `Sampling`.
      fill_value: for "constant", one number or one for each channel.

    Returns:
      A tensor of the same shape and dtype.

    Raises:
      TypeError: if the dtype is not supported, or a seed is not an integer.
      ValueError: if a shape or another argument is out of range.
    """
    rotation = RandomRotation(
        degrees, interpolation=interpolation, fill_mode=fill_mode, fill_value=fill_value
    )
    return _run(rotation, image, seed)


def _run(transform: Transform, image: Any, seed: Any) -> tf.Tensor:
    """Applies one transform to an image, or to a batch, with explicit keys."""
    image, seed = arguments.images(image, "image"), arguments.seeds(seed)
    if seed.shape.rank != image.shape.rank - 2 or not seed.shape[:-1].is_compatible_with(image.shape[:-3]):
        raise ValueError(
            "seed: must have shape [2] for an image [H, W, C] and [B, 2] for a batch [B, H, W, C], got "
            f"{seed.shape} for an image of shape {image.shape}"
        )
    chain = chain_of([transform])
    batch = image if image.shape.rank == 4 else image[None]
    sizes = chain.check(image_sizes(batch), None)
    out = chain.render(batch, chain.map(chain.draw(tf.reshape(seed, [-1, 1, 2]), sizes), sizes), sizes)
    return out if image.shape.rank == 4 else out[0]
