"""The second half of a recipe, where it runs apart from the first: inside a model's step, or on a device.

Whoever reads the images draws, decodes and packs. An image then is a dict, of a batch:

  pixels   [B, N, C], the pixels that are read of each image, row by row; what follows them is not looked at.
           Or [B, H, W, C], images of one size.
  work     int64[B, K], what is to be done with each: see `planned` and `numbered`.
  columns  uint8[B, W], zeros: where the recipe reads by columns (antialias="exact") no image is wider than
           W, else W is 0.

What is here renders it, in operations that XLA compiles: the same pixels as in one go, bit for bit.
"""

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from augrng.arguments import asserted
from augrng.chain import Work
from augrng.compose import Compose
from augrng.transforms import Params, Transform

PIXELS, WORK, COLUMNS = "pixels", "work", "columns"
PARTS = (PIXELS, WORK, COLUMNS)
_MARK, _MAP, _SIZE, _BORDERS = 1, 6, 2, 4  # how many numbers each is


def planned(aug: Compose, work: Work, sizes: tf.Tensor, borders: tf.Tensor) -> tf.Tensor:
    """What is to be done with images whose draws are made: their numbers, int64[B, K].

    Args:
      aug: the recipe.
      work: maps to positions in `pixels`, and what was drawn for the later stages.
      sizes: int64[B, 2], height and width of what is in `pixels`.
      borders: int64[B, 2, 2], where the whole pictures begin and end; see `augrng.geometry.warp`.
    """
    count = tf.shape(sizes)[0]
    drawn = [tf.reshape(part, [count, -1]) for params in work.rest for part in params.values()]
    parts = [work.map, sizes, borders, *map(_as_numbers, drawn)]
    rows = [tf.fill([count, 1], tf.constant(_mark(aug, False), tf.int64))]
    out = tf.concat([*rows, *(tf.reshape(part, [count, -1]) for part in parts)], 1)
    out.set_shape([None, _width(aug, True)])
    return out


def numbered(aug: Compose, ids: tf.Tensor, epochs: tf.Tensor) -> tf.Tensor:
    """The same for images of one size whose draws are still to be made, from ids and epochs int64[B]."""
    return tf.stack([tf.fill(tf.shape(ids), tf.constant(_mark(aug, True), tf.int64)), ids, epochs], 1)


def finished(aug: Compose, image: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Images that were packed for a recipe, [B, height, width, C] of the dtype of the pixels.

    Raises:
      ValueError: if they were packed for a recipe with another number of draws, or with other targets.
      tf.errors.InvalidArgumentError: if they were packed for another recipe; not in code that is jit-compiled
        as a whole, in which TensorFlow drops checks of values.
    """
    pixels, work, columns = (image[name] for name in PARTS)
    draws = pixels.shape.rank == 4 and not aug.program.needs_boxes
    width = _width(aug, not draws)
    if work.shape[-1] not in (None, width):
        raise ValueError(
            f"image: must be packed for this recipe, which takes {width} numbers an image, got "
            f"{work.shape[-1]}; give make_dataset(finish=False) the recipe that finishes its batches: for "
            "evaluation the layer's evaluation recipe"
        )
    same = tf.reduce_all(tf.equal(work[:, 0], _mark(aug, draws)))
    why = [
        "image: must be packed for this recipe, by make_dataset(finish=False) with the same one: for "
        "evaluation the layer's evaluation recipe; this one is",
        repr(aug),
    ]
    with tf.control_dependencies([asserted(same, why)]):
        work = tf.ensure_shape(work, [None, width])
    if draws:
        return aug(pixels, work[:, 1], work[:, 2])
    lengths = [_MARK, _MAP, _SIZE, _BORDERS]
    _, maps, sizes, borders, drawn = tf.split(work, [*lengths, width - sum(lengths)], 1)
    maps, rest = tf.reshape(maps, [-1, 2, 3]), _rest(aug, drawn)
    if pixels.shape.rank == 4:
        return aug.program.rendered(pixels, None, Work(maps, rest))
    known = tf.range(tf.shape(columns)[1]) if aug.program.antialias == "exact" else None
    return aug.program.render_rows(pixels, maps, sizes, tf.reshape(borders, [-1, 2, 2]), known, rest)


def sizes_in(work: tf.Tensor) -> tf.Tensor:
    """The sizes that `planned` was given, out of its numbers."""
    return work[:, _MARK + _MAP : _MARK + _MAP + _SIZE]


def no_columns(count: tf.Tensor) -> tf.Tensor:
    """`columns` where no recipe asks for them."""
    return tf.zeros([count, 0], tf.uint8)


def _mark(aug: Compose, draws: bool) -> int:
    """A number that says which recipe it is: all but its targets, its seeds only if it `draws`."""
    recipe = json.loads(aug.to_json())
    seeds = [pair for name, pair in aug.seeds.items() if _draws(aug.transforms[name])]
    text = json.dumps([_bare(recipe["transforms"]), recipe["alg"], seeds if draws else []], sort_keys=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)


def _draws(transform: Transform) -> bool:
    return bool(transform.num_words) or type(transform).draw is not Transform.draw


def _bare(step: Any) -> Any:
    """A part of a recipe without names and seeds."""
    if isinstance(step, list):
        return [_bare(part) for part in step]
    if not isinstance(step, dict):
        return step
    return {
        name: _bare(part) for name, part in step.items() if name not in ("params", "pair", "name", "seed")
    }


def _width(aug: Compose, planned: bool) -> int:
    """How many numbers an image has."""
    if not planned:
        return _MARK + 2
    specs = [spec for _, specs in _later(aug) for spec in specs.values()]
    return _MARK + _MAP + _SIZE + _BORDERS + sum(spec.shape.num_elements() for spec in specs)


def _rest(aug: Compose, drawn: tf.Tensor) -> tuple[Params, ...]:
    """What was drawn for the later stages, out of int64[B, K]."""
    found, at = [], 0
    for _, specs in _later(aug):
        params = {}
        for name, spec in specs.items():
            part = drawn[:, at : at + spec.shape.num_elements()]
            params[name] = tf.reshape(_of_numbers(part, spec.dtype), [-1, *spec.shape])
            at += spec.shape.num_elements()
        found.append(params)
    return tuple(found)


def _later(aug: Compose) -> Sequence[tuple[Transform, Mapping[str, tf.TensorSpec]]]:
    return [(transform, _drawn_by(transform)) for transform in aug.program.drawn_later]


@functools.lru_cache(maxsize=256)
def _drawn_by(transform: Transform) -> Mapping[str, tf.TensorSpec]:
    """What a transform draws for one example, by name."""
    with tf.Graph().as_default():
        key, size = tf.zeros([1, 2], tf.int64), tf.ones([1, 2], tf.int64)
        drawn = transform.draw(key, tf.zeros([1, max(transform.num_words, 1)], tf.uint32), size)
        return {name: tf.TensorSpec(part.shape[1:], part.dtype) for name, part in drawn.items()}


def _as_numbers(drawn: tf.Tensor) -> tf.Tensor:
    if drawn.dtype.is_floating:
        drawn = tf.bitcast(drawn, {2: tf.int16, 4: tf.int32, 8: tf.int64}[drawn.dtype.size])
    return tf.cast(drawn, tf.int64)


def _of_numbers(numbers: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    if dtype.is_floating:
        whole = {2: tf.int16, 4: tf.int32, 8: tf.int64}[dtype.size]
        return tf.bitcast(tf.cast(numbers, whole), dtype)
    return tf.cast(numbers, dtype)
