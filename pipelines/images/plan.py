"""What is to be done with an encoded image: from its header and its draws to a window, a scale and a map.

    facts  ->  size  ->  map  ->  levels, cells  ->  window

Integers for a batch of images at once; nothing is decoded.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from augrng import fixed
from augrng.geometry import affine, reduce
from augrng.program import Program
from augrng.transforms import Params
from pipelines.images.decode import RATIOS, covering, upright_flags
from pipelines.images.header import JPEG, RAW, UNKNOWN, header

_SLACK = fixed.ONE // 64  # positions are exact to this
_NOT_AN_IMAGE = "not a JPEG, PNG, GIF, BMP or WebP image"
_TOO_LARGE = "height * width must lie in 1 to max_pixels = {}"
_OWN_RULES = 2  # these, before the recipe's


class Plan(NamedTuple):
    """What is to be done with images, integers [N, ...].

    Attributes:
      map: int64[N, 2, 3], from output positions to those in the cells that are read.
      borders: int64[N, 2, 2], of the whole picture in these cells; see `augrng.geometry.warp`.
      window: int32[N, 4], (top, left, height, width) to decode, in pixels of the JPEG's scale, as stored.
      choice: int32[N], 0 to decode the whole image, 1 + log2 of the JPEG's scale to decode only the window,
        one more than for all scales to cut the window out of raw pixels.
      orientation: int32[N], EXIF's, of what was decoded.
      cut: int32[N, 4], (top, left, height, width) of what is decoded that is reduced further; -1 for all.
      levels: int64[N, 2], log2 of the reduction that is left to do along y and x.
      format: int32[N], see `header`.
      size: int64[N, 2], height and width as the header says, upright.
      stored: int32[N, 2], the same before any turn.
      refusal: int32[N], which rule is broken, or the number of rules.
      head: int32[N, 8], the first bytes.
      rest: what was drawn for the stages after the map, [N] each.
      whole: int64[N, 2, 3], the map to positions in the upright picture, for what is known about it.
    """

    map: tf.Tensor
    borders: tf.Tensor
    window: tf.Tensor
    choice: tf.Tensor
    orientation: tf.Tensor
    cut: tf.Tensor
    levels: tf.Tensor
    format: tf.Tensor
    size: tf.Tensor
    stored: tf.Tensor
    refusal: tf.Tensor
    head: tf.Tensor
    rest: tuple[Params, ...]
    whole: tf.Tensor


def rules(program: Program, max_pixels: int) -> list[str]:
    """What `Plan.refusal` counts: what is asked of an image, in words; the first is of the format."""
    return [_NOT_AN_IMAGE, _TOO_LARGE.format(max_pixels), *program.rules]


def plan(
    program: Program,
    max_pixels: int,
    pairs: tf.Tensor,
    head: tf.Tensor,
    facts: tf.Tensor,
    ids: tf.Tensor,
    epochs: tf.Tensor,
    seen: Mapping[str, Any],
) -> Plan:
    """Plans for N images.

    Args:
      program: the recipe's.
      max_pixels: the largest height * width that is allowed.
      pairs: int64[T, 2], the seeds; see `Program.pairs`.
      head: int32[N, 32] of `header.first_bytes`.
      facts: int32[N, 4] of `Reader.facts`.
      ids: int64[N].
      epochs: int64[N].
      seen: what draws depend on; see `Program.seen`.
    """
    known = header(head, facts[:, :3])
    stored = tf.cast(tf.stack([known.height, known.width], -1), tf.int64)
    turned = tf.gather(upright_flags(), known.orientation)[:, :1]
    size = tf.where(turned, stored[:, ::-1], stored)

    allowed = tf.reduce_all(stored > 0, -1) & (tf.reduce_prod(stored, -1) <= max_pixels)
    refusal = tf.where(allowed, _OWN_RULES + program.first_broken(size), 1)
    refusal = tf.where(tf.equal(known.format, UNKNOWN), tf.zeros_like(refusal), refusal)

    maps, rest = program.plan(ids, epochs, size, seen, pairs)
    reduced = program.antialias is True and program.first_size is not None
    levels = reduce.levels(maps, size) if reduced else tf.zeros_like(size)
    whole, maps, borders = maps, reduce.scale(maps, levels), reduce.borders(size, levels)
    is_raw = tf.equal(known.format, RAW)
    fit = (tf.equal(facts[:, 3], 1) & tf.equal(known.format, JPEG)) | is_raw
    in_parts = fit & (program.first_size is not None)
    first, last = _cells(program, maps, reduce.cells(size, levels))
    window = _window(first, last, levels, size, known.orientation, is_raw)
    origin = tf.where(in_parts[:, None], window.origin, 0)
    return Plan(
        map=affine.compose(affine.translate(-origin[:, 1], -origin[:, 0]), maps),
        borders=borders - (origin * fixed.ONE)[..., None],
        window=tf.cast(window.stored, tf.int32),
        choice=tf.where(in_parts, tf.where(is_raw, 1 + len(RATIOS), tf.cast(1 + window.scale, tf.int32)), 0),
        orientation=known.orientation,
        cut=tf.cast(tf.where(in_parts[:, None], window.cut, [0, 0, -1, -1]), tf.int32),
        levels=tf.where(in_parts[:, None], levels - window.scale[:, None], levels),
        format=known.format,
        size=size,
        stored=tf.cast(stored, tf.int32),
        refusal=tf.cast(refusal, tf.int32),
        head=head[:, :8],
        rest=rest,
        whole=whole,
    )


def _cells(program: Program, maps: tf.Tensor, sides: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The first and last (exclusive) of `sides` cells that the maps read, int64[N, 2]."""
    # What lies outside may be read from anywhere inside.
    if program.first_size is None or program.sampling.fill_mode in ("reflect", "wrap"):
        return tf.zeros_like(sides), sides
    height, width = program.first_size
    half = fixed.ONE // 2
    ends = [(x * fixed.ONE - half, y * fixed.ONE - half) for x in (1, width) for y in (1, height)]
    corners = affine.move(maps[:, None], tf.constant(ends, tf.int64))[..., ::-1] - half
    fraction = tf.constant(fixed.FRACTION, tf.int64)
    if program.antialias == "exact":
        reach = tf.reduce_sum(tf.abs(maps[:, ::-1, :2]), -1)[:, None] + fixed.ONE
        corners = tf.concat([corners - reach, corners + reach], 1)
    first = tf.bitwise.right_shift(tf.reduce_min(corners, 1) - _SLACK, fraction)
    last = tf.bitwise.right_shift(tf.reduce_max(corners, 1) + _SLACK, fraction) + 2
    first = tf.clip_by_value(first, 0, sides - 1)
    return first, tf.clip_by_value(last, first + 1, sides)


class _Window(NamedTuple):
    """What to decode of a JPEG, int64[N, ...].

    Attributes:
      scale: log2 of what the JPEG's transform reduces by, [N].
      stored: (top, left, height, width) to decode, in pixels of that scale, as stored, [N, 4].
      cut: (top, left, height, width) of what is decoded, upright; all of it unless it is reduced further.
      origin: the first cell that is left, upright, [N, 2].
    """

    scale: tf.Tensor
    stored: tf.Tensor
    cut: tf.Tensor
    origin: tf.Tensor


def _window(
    first: tf.Tensor,
    last: tf.Tensor,
    levels: tf.Tensor,
    size: tf.Tensor,
    orientation: tf.Tensor,
    is_raw: tf.Tensor,
) -> _Window:
    """The part of a JPEG, or of raw pixels, that holds the cells [first, last) of the upright picture."""
    turns = tf.gather(upright_flags(), orientation)
    turned, mirrored = turns[:, :1], turns[:, 1:]

    # The JPEG's cells begin at its own first row and column. Where that is the upright picture's last one,
    # they are the upright picture's cells only if the side is a multiple of theirs.
    allowed = [tf.reduce_all(~mirrored | tf.equal(size % ratio, 0), -1) for ratio in RATIOS[1:]]
    scale = tf.minimum(tf.reduce_min(levels, -1), tf.reduce_sum(tf.cast(tf.stack(allowed, -1), tf.int64), -1))
    scale = tf.where(is_raw, tf.zeros_like(scale), scale)
    ratio = tf.bitwise.left_shift(tf.ones_like(scale), scale)[:, None]
    sides = tf.math.floordiv(size + ratio - 1, ratio)
    rest = levels - scale[:, None]
    low = tf.bitwise.left_shift(first, rest)
    high = tf.minimum(tf.bitwise.left_shift(last, rest), sides)

    def turn(low: tf.Tensor, high: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Upright to the transposed stored picture, and back."""
        return tf.where(mirrored, sides - high, low), tf.where(mirrored, sides - low, high)

    def swap(values: tf.Tensor) -> tf.Tensor:
        return tf.where(turned, values[:, ::-1], values)

    stored_low, stored_high = (swap(end) for end in turn(low, high))
    _, _, start, stop = covering(stored_low * ratio, stored_high * ratio, ratio, swap(size))
    part_low, _ = turn(swap(start), swap(stop))
    further = tf.reduce_any(rest > 0, -1, keepdims=True)
    cut = tf.concat([low - part_low, high - low], -1)
    return _Window(
        scale=scale,
        stored=tf.concat([start, stop - start], -1),
        cut=tf.where(further, cut, tf.constant([0, 0, -1, -1], tf.int64)),
        origin=tf.where(further, first, part_low),
    )
