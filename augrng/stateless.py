"""Functions in the manner of `tf.image.stateless_random_*`: explicit seeds, one image or a batch.

With one seed [2] each is its namesake in `tf.image`: the same results for every dtype, number of channels
and rank that the namesake takes, in eager, graph and jit-compiled code (where TensorFlow's own draws of
floats and of negative seeds change). With seeds [B, 2] each image of a batch [B, H, W, C] is treated as it
would be alone.
"""

from typing import Any

import tensorflow as tf

from augrng import arguments
from augrng.chain import chain_of
from augrng.converting import unconverted
from augrng.random import draws
from augrng.random.bits import bits
from augrng.transforms import (
    RandomBrightness,
    RandomContrast,
    RandomHue,
    RandomRotation,
    RandomSaturation,
    Transform,
)


@unconverted
def stateless_random_crop(image: Any, size: Any, seed: Any) -> tf.Tensor:
    """Crops to `size` at a uniformly drawn place, as `tf.image.stateless_random_crop` does.

    Args:
      image: with one seed a tensor of any rank, else [B, H, W, C]; any dtype.
      size: one number for each dimension, as TensorFlow takes it, to draw a place along each; or (height,
        width) of an image [H, W, C]. With seeds [B, 2]: (height, width), or (height, width, channels). May
        be a tensor, in graphs too.
      seed: integers[2], or integers[B, 2] for a batch.

    Returns:
      A tensor of shape `size`, or [B, *size] for a batch, with the channels of the image where `size` does
      not say how many; the same dtype.

    Raises:
      TypeError: if a seed or a size is not an integer.
      ValueError: if a shape is wrong or the image is smaller than `size`. In a graph that does not know the
        sizes: tf.errors.InvalidArgumentError when it runs.
    """
    image, seed, batched = _image_and_seed(image, seed)
    size = arguments.integers(size, "size")
    if size.shape.rank != 1 or size.shape[0] is None:
        raise ValueError(f"size: must be a list of sides, or a tensor of known shape, got shape {size.shape}")
    shape = tf.shape(image, tf.int64)[1:] if batched else tf.shape(image, tf.int64)
    rank = None if image.shape.rank is None else image.shape.rank - batched
    asked = _known_sides(size)
    if size.shape[0] == 2 and rank == 3:
        size, asked = tf.concat([size, shape[2:]], 0), [*asked, image.shape[-1]]
    if rank is not None and size.shape[0] != rank:
        wanted = (
            "(height, width) or (height, width, channels)" if rank == 3 else f"{rank} sides, one a dimension"
        )
        raise ValueError(
            f"size: must be {wanted} for an image of shape {image.shape}, got {tuple(asked)} and seeds of "
            f"shape {seed.shape}"
        )
    size, shape = _fitting(size, asked, shape, image.shape[1:] if batched else image.shape)
    start = draws.integers(bits(seed, len(asked)), shape - size + 1)
    out = _windows(image, start, size) if batched else tf.slice(image, start, size)
    out.set_shape([*image.shape[:1], *asked] if batched else asked)
    return out


@unconverted
def stateless_random_flip_left_right(image: Any, seed: Any) -> tf.Tensor:
    """Mirrors left-right with probability 1/2, as `tf.image.stateless_random_flip_left_right` does.

    A batch with seeds [B, 2] is decided image by image: each is flipped as it would be alone. With one seed
    it is TensorFlow's call, which draws a number for each image and decides the other way round than for a
    single image: flipped where u > 1/2, not where u < 1/2. (Here a NaN stays where it is; TensorFlow's
    products with 0 spread it.)

    Args:
      image: [H, W, C] or [B, H, W, C], or of unknown rank; any dtype.
      seed: integers[2], or integers[B, 2] for a batch.

    Returns:
      A tensor of the same shape and dtype.

    Raises:
      TypeError: if a seed is not an integer.
      ValueError: if a shape is wrong.
    """
    return _flip(image, seed, axis=-2)


@unconverted
def stateless_random_flip_up_down(image: Any, seed: Any) -> tf.Tensor:
    """Mirrors up-down with probability 1/2, as `tf.image.stateless_random_flip_up_down` does.

    Args and errors: see `stateless_random_flip_left_right`.
    """
    return _flip(image, seed, axis=-3)


@unconverted
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
      image: [H, W, C] or [B, H, W, C]; of the dtypes and channels that `Compose` takes.
      degrees: a number d for angles in [-d, d], or a pair (low, high).
      seed: integers[2], or integers[B, 2] for a batch.
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


@unconverted
def stateless_random_brightness(image: Any, max_delta: float, seed: Any) -> tf.Tensor:
    """Adds a number uniform in [-max_delta, max_delta), as `tf.image.stateless_random_brightness` does.

    Integer pixels are TensorFlow's within 1 level; see `RandomBrightness`.

    Args:
      image: [H, W, C] or [B, H, W, C]; grey or RGB; uint8, uint16 or floats.
      max_delta: at least 0, at most 1.
      seed: integers[2], or integers[B, 2] for a batch.

    Returns:
      A tensor of the same shape and dtype.

    Raises:
      TypeError: if a seed is not an integer.
      ValueError: if a shape, the dtype or another argument is out of range.
    """
    return _run(RandomBrightness(max_delta), image, seed)


@unconverted
def stateless_random_contrast(image: Any, lower: float, upper: float, seed: Any) -> tf.Tensor:
    """Multiplies the distance from each channel's mean, as `tf.image.stateless_random_contrast` does.

    The factor is uniform in [lower, upper). Integer pixels are TensorFlow's within 1 level; see
    `RandomContrast`. Args and errors: see `stateless_random_brightness`.
    """
    return _run(RandomContrast(lower, upper), image, seed)


@unconverted
def stateless_random_saturation(image: Any, lower: float, upper: float, seed: Any) -> tf.Tensor:
    """Multiplies HSV's saturation, as `tf.image.stateless_random_saturation` does; RGB alone.

    The factor is uniform in [lower, upper). Integer pixels are TensorFlow's within 1 level; see
    `RandomSaturation`. Args and errors: see `stateless_random_brightness`.
    """
    return _run(RandomSaturation(lower, upper), image, seed)


@unconverted
def stateless_random_hue(image: Any, max_delta: float, seed: Any) -> tf.Tensor:
    """Moves HSV's hue by up to `max_delta` of the circle, as `tf.image.stateless_random_hue` does; RGB alone.

    Integer pixels are TensorFlow's within 1 level; see `RandomHue`. Args and errors: see
    `stateless_random_brightness`.
    """
    return _run(RandomHue(max_delta), image, seed)


def _image_and_seed(image: Any, seed: Any) -> tuple[tf.Tensor, tf.Tensor, bool]:
    """Both as tensors, and whether each image of a batch has a seed of its own."""
    image, seed = arguments.pixels(image, "image"), arguments.seeds(seed)
    if seed.shape.rank == 1:
        return image, seed, False
    if image.shape.rank is None:
        image = tf.ensure_shape(image, [None] * 4)
    if (
        seed.shape.rank != 2
        or image.shape.rank != 4
        or not seed.shape[:1].is_compatible_with(image.shape[:1])
    ):
        raise ValueError(
            f"seed: must have shape [2], or [B, 2] for a batch [B, H, W, C], got {seed.shape} for an image "
            f"of shape {image.shape}"
        )
    return image, tf.reshape(seed, [tf.shape(image)[0], 2]), True


def _flip(image: Any, seed: Any, axis: int) -> tf.Tensor:
    image, seed, batched = _image_and_seed(image, seed)
    if image.shape.rank not in (3, 4, None):
        raise ValueError(f"image: must have shape [H, W, C] or [B, H, W, C], got {image.shape}")

    def single() -> tf.Tensor:
        return tf.where(draws.bernoulli(bits(seed, 1)[..., 0], 0.5), tf.reverse(image, [axis + 3]), image)

    def batch() -> tf.Tensor:
        count = tf.shape(image)[0]
        flips = draws.bernoulli(bits(seed, 1)[:, 0], 0.5) if batched else _tensorflows_flips(seed, count)
        return tf.where(tf.reshape(flips, [-1, 1, 1, 1]), tf.reverse(image, [axis + 4]), image)

    if image.shape.rank is None:
        out = tf.cond(tf.equal(tf.rank(image), 3), single, batch)
    else:
        out = single() if image.shape.rank == 3 else batch()
    out.set_shape(image.shape)
    return out


def _tensorflows_flips(seed: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """bool[count]: u > 1/2, the number u of image i being word i of the one seed."""
    known = tf.get_static_value(count)
    words = bits(seed, tf.maximum(count, 1) if known is None else max(int(known), 1))[:count]
    return draws.uniform(words) > 2 ** (draws.UNIFORM_BITS - 1)


def _fitting(
    size: tf.Tensor, asked: list[int | None], shape: tf.Tensor, known: tf.TensorShape
) -> tuple[tf.Tensor, tf.Tensor]:
    """Size and shape of one image, checked."""
    sides = known.as_list() if known.rank is not None else [None] * size.shape[0]
    if any(
        a is not None and (a < 0 or (side is not None and a > side))
        for a, side in zip(asked, sides, strict=True)
    ):
        raise ValueError(f"size: must lie within the image, of shape {known}, got {tuple(asked)}")
    if all(side is not None for side in (*asked, *sides)):
        return size, tf.constant(sides, tf.int64)
    check = arguments.asserted(
        tf.reduce_all((size >= 0) & (size <= shape)),
        ["size: must lie within the image, of shape ", shape, "; got ", size],
        summarize=8,
    )
    with tf.control_dependencies([check]):
        return tf.identity(size), tf.identity(shape)


def _known_sides(size: tf.Tensor) -> list[int | None]:
    """What is known of a size when traced, side by side."""
    whole = tf.get_static_value(size, partial=True)
    return [None] * size.shape[0] if whole is None else [None if v is None else int(v) for v in whole]


def _windows(images: tf.Tensor, starts: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """A window of each image of a batch, starting at int64[B, 3]."""
    for axis in range(3):
        places = starts[:, axis, None] + tf.range(size[axis])
        images = tf.gather(images, places, axis=axis + 1, batch_dims=1)
    return images


def _run(transform: Transform, image: Any, seed: Any) -> tf.Tensor:
    """Applies one transform to an image, or to a batch, with explicit keys."""
    image, seed = arguments.images(image, "image"), arguments.seeds(seed)
    if seed.shape.rank != image.shape.rank - 2 or not seed.shape[:-1].is_compatible_with(image.shape[:-3]):
        raise ValueError(
            "seed: must have shape [2] for an image [H, W, C] and [B, 2] for a batch [B, H, W, C], got "
            f"{seed.shape} for an image of shape {image.shape}"
        )
    chain = chain_of([transform])
    chain.check_pixels(image.dtype, image.shape[-1])
    batch = image if image.shape.rank == 4 else image[None]
    sizes = chain.check(arguments.image_sizes(batch), None)
    seed = tf.reshape(seed, [tf.shape(batch)[0], 1, 2])  # one a picture, else an error
    out = chain.render(batch, chain.work(chain.draw(seed, sizes), sizes), sizes)
    return out if image.shape.rank == 4 else out[0]
