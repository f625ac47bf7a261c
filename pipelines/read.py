"""From encoded bytes to augmented pixels, decoding only the part of a JPEG that the map reads.

The size comes from the header, the params from the size, the map from the params; then the window that
the map reads is decoded, at the coarsest of the scales 1, 1/2, 1/4, 1/8 that leaves at least the output's
resolution, and sampled once. A turn that EXIF asks for is a part of the map.

At scale 1 these are the pixels of a full decode, bit for bit. At the smaller scales the JPEG's own
transform reduces, where a full decode is reduced by means of pixels (see `augrng.pyramid`).

The arithmetic between header and decoding is one program, which costs the same for one image and for many:

  facts  :: contents -> facts, of one image; may fail
  plan   :: contents [N] -> facts [N] -> ids [N] -> epochs [N] -> plans [N]
  pixels :: contents -> plan -> augmented image, of one image; may fail
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

import augrng as ar
from augrng import affine, fixed, pyramid
from pipelines.decode import (
    MAX_PIXELS,
    RATIOS,
    covering,
    decode_cells,
    decode_stored,
    require,
    upright_flags,
)
from pipelines.guard import each
from pipelines.header import JPEG, UNKNOWN, first_bytes, header, jpeg_facts

_SLACK = fixed.ONE // 64  # positions are exact to this
_NOT_AN_IMAGE = "not a JPEG, PNG, GIF, BMP or WebP image"
_TOO_LARGE = "height * width must lie in 1 to max_pixels = {}"


class Plan(NamedTuple):
    """What is to be done with images, integers [N, ...].

    Attributes:
      map: int64[N, 2, 3], from output positions to those in the decoded cells.
      cells: int32[N, 4], (top, left, height, width) to decode, in reduced pixels.
      level: int32[N], log2 of the reduction.
      choice: int32[N], 0 to decode the whole image, 1 + level to decode only the cells.
      format: int32[N], see `header`.
      size: int64[N, 2], height and width as the header says, upright.
      refusal: int32[N], which rule is broken, or the number of rules.
      head: int32[N, 8], the first bytes.
    """

    map: tf.Tensor
    cells: tf.Tensor
    level: tf.Tensor
    choice: tf.Tensor
    format: tf.Tensor
    size: tf.Tensor
    refusal: tf.Tensor
    head: tf.Tensor


class Reader:
    """Reads encoded images through a recipe, inside `Dataset.map`; see the three functions above.

    Args:
      aug: a recipe whose output has a fixed size.
      partial: whether to decode only what is read, for a JPEG; other formats, and a JPEG that does not
        end with its end marker, are always decoded whole.
      channels: 3 for RGB, 1 for grey.
      max_pixels: the largest height * width that is decoded; checked in the header before memory is taken.

    Raises:
      ValueError: if the recipe's output has no fixed size.
    """

    def __init__(
        self, aug: ar.Compose, *, partial: bool = True, channels: int = 3, max_pixels: int = MAX_PIXELS
    ) -> None:
        if aug.output_size is None:
            raise ValueError("aug: its output must have a fixed size; add a crop or a resize to the recipe")
        self.aug, self.channels, self.max_pixels = aug, channels, max_pixels
        self._traced = _traced(aug, partial, channels, max_pixels)

    def __call__(self, contents: tf.Tensor, id_: tf.Tensor, epoch: tf.Tensor, *, most: int = 1) -> tf.Tensor:
        """Reads one image.

        Args:
          contents: scalar string.
          id_: int64 scalar.
          epoch: int64 scalar.
          most: as of `plan`, where that is used beside this: one program then serves both.

        Returns:
          uint8[height, width, channels].

        Raises:
          InvalidArgumentError: if the image cannot be decoded or is refused by a transform.
        """
        plans = self._plans_of_one(contents, id_, epoch, most)
        return each(self.pixels, contents[None], plans)[0]

    def facts(self, contents: tf.Tensor) -> tf.Tensor:
        """int32[3], what must be read from one image before its plan; see `header.jpeg_facts`."""
        return jpeg_facts(contents)

    @tf.autograph.experimental.do_not_convert
    def plan(
        self, contents: tf.Tensor, facts: tf.Tensor, ids: tf.Tensor, epochs: tf.Tensor, *, most: int
    ) -> Plan:
        """Plans for string[N], int32[N, 3], int64[N], int64[N], N <= `most`: one program for all N."""
        # A window above the place where a file was cut off would be decoded without complaint, so a file
        # without JPEG's end marker is decoded whole: whether it fails must not depend on what was drawn.
        last = tf.maximum(tf.strings.length(contents) - 2, 0)
        ends = tf.strings.substr(contents, last, tf.fill(tf.shape(last), 2))
        count = tf.shape(ids)[0]
        padded = []
        for argument in [first_bytes(contents), facts, ends == b"\xff\xd9", ids, epochs]:
            rest = [[0, 0]] * (argument.shape.rank - 1)
            whole = tf.pad(argument, [[0, most - count], *rest])
            padded.append(tf.ensure_shape(whole, [most, *argument.shape[1:]]))
        return Plan(*(part[:count] for part in self._traced.plan(*padded)))

    def plan_one(self, contents: tf.Tensor, id_: tf.Tensor, epoch: tf.Tensor, *, most: int = 1) -> Plan:
        """The plan of one image, without the dimension N."""
        return Plan(*(part[0] for part in self._plans_of_one(contents, id_, epoch, most)))

    def _plans_of_one(self, contents: tf.Tensor, id_: tf.Tensor, epoch: tf.Tensor, most: int) -> Plan:
        facts = self.facts(contents)
        return self.plan(contents[None], facts[None], id_[None], epoch[None], most=most)

    @property
    def pixels(self) -> Callable[[tf.Tensor, Plan], tf.Tensor]:
        """Decodes and renders one image, uint8[height, width, channels], by its plan; a `tf.function`."""
        return self._traced.pixels

    @property
    def rules(self) -> list[str]:
        """What `Plan.refusal` counts: the rules that images must keep; the first is of the format."""
        return [*_rules(self.max_pixels), *self.aug.rules]

    def decoded(self, contents: tf.Tensor, plan: Plan) -> tuple[tf.Tensor, tf.Tensor]:
        """What `render` takes: the part of one image that is read, uint8[h, w, channels], and the map."""
        return _decoded(self.aug, self.channels, self.max_pixels, contents, plan)


class _Traced(NamedTuple):
    """What a `Reader` runs: made once for equal arguments, for it takes a second to trace."""

    plan: Callable[..., Plan]
    pixels: Callable[[tf.Tensor, Plan], tf.Tensor]


@functools.lru_cache(maxsize=64)
def _traced(aug: ar.Compose, partial: bool, channels: int, max_pixels: int) -> _Traced:
    def pixels(contents: tf.Tensor, plan: Plan) -> tf.Tensor:
        return aug.render(*_decoded(aug, channels, max_pixels, contents, plan))

    plan = functools.partial(_plan, aug, partial, max_pixels)
    return _Traced(
        plan=tf.function(plan, jit_compile=True, autograph=False),
        pixels=tf.function(pixels, autograph=False),
    )


def _decoded(
    aug: ar.Compose, channels: int, max_pixels: int, contents: tf.Tensor, plan: Plan
) -> tuple[tf.Tensor, tf.Tensor]:
    rules = [*_rules(max_pixels), *aug.rules]
    rule = tf.gather([*rules, ""], plan.refusal)
    message = [rule, "; got (height, width)", plan.size, ", first bytes", plan.head]
    contents = require(contents, tf.equal(plan.refusal, len(rules)), message)

    def whole() -> tf.Tensor:
        return pyramid.pick(decode_stored(contents, plan.format, channels), plan.level)

    parts = [functools.partial(decode_cells, contents, plan.cells, ratio, channels) for ratio in RATIOS]
    image = tf.switch_case(plan.choice, [whole, *parts])
    image.set_shape([None, None, channels])
    return image, plan.map


def _rules(max_pixels: int) -> list[str]:
    return [_NOT_AN_IMAGE, _TOO_LARGE.format(max_pixels)]


def _plan(
    aug: ar.Compose,
    partial: bool,
    max_pixels: int,
    head: tf.Tensor,
    facts: tf.Tensor,
    complete: tf.Tensor,
    ids: tf.Tensor,
    epochs: tf.Tensor,
) -> Plan:
    known = header(head, facts)
    stored = tf.cast(tf.stack([known.height, known.width], -1), tf.int64)
    turned = tf.gather(upright_flags(), known.orientation)[:, :1]
    size = tf.where(turned, stored[:, ::-1], stored)

    allowed = tf.reduce_all(stored > 0, -1) & (tf.reduce_prod(stored, -1) <= max_pixels)
    refusal = tf.where(allowed, len(_rules(max_pixels)) + aug.first_broken(size), 1)
    refusal = tf.where(tf.equal(known.format, UNKNOWN), tf.zeros_like(refusal), refusal)

    maps = affine.compose(_upright(size, known.orientation), aug.plan(ids, epochs, size))
    level = pyramid.level(maps) if aug.reduces else tf.zeros_like(ids)
    maps = pyramid.scale(maps, level)
    start, stop = _cells(aug, maps, level, stored)
    in_parts = complete & tf.equal(known.format, JPEG) & partial
    shifted = affine.compose(affine.translate(-start[:, 1], -start[:, 0]), maps)
    return Plan(
        map=tf.where(in_parts[:, None, None], shifted, maps),
        cells=tf.cast(tf.concat([start, stop - start], -1), tf.int32),
        level=tf.cast(level, tf.int32),
        choice=tf.where(in_parts, tf.cast(1 + level, tf.int32), 0),
        format=known.format,
        size=size,
        refusal=tf.cast(refusal, tf.int32),
        head=head[:, :8],
    )


def _cells(
    aug: ar.Compose, maps: tf.Tensor, level: tf.Tensor, stored: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The first and last (exclusive) cells of a level to decode, int64[N, 2], for what the maps read."""
    ratio = tf.bitwise.left_shift(tf.ones_like(level), level)[:, None]
    if aug.sampling.fill_mode in ("reflect", "wrap"):  # what lies outside may be read from anywhere inside
        low, high = tf.zeros_like(stored), stored
    else:
        assert aug.output_size is not None
        height, width = aug.output_size
        half = fixed.ONE // 2
        ends = [(x * fixed.ONE - half, y * fixed.ONE - half) for x in (1, width) for y in (1, height)]
        corners = affine.move(maps[:, None], tf.constant(ends, tf.int64))[..., ::-1] - half
        fraction = tf.constant(fixed.FRACTION, tf.int64)
        low = tf.bitwise.right_shift(tf.reduce_min(corners, 1) - _SLACK, fraction) * ratio
        high = (tf.bitwise.right_shift(tf.reduce_max(corners, 1) + _SLACK, fraction) + 2) * ratio
        low = tf.clip_by_value(low, 0, stored - 1)
        high = tf.clip_by_value(high, low + 1, stored)
    _, _, start, stop = covering(low, high, ratio, stored)
    return start, stop


def _upright(size: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """The maps from positions in the upright image, of `size`, to those in the stored one."""
    turned, rows, columns = tf.unstack(tf.gather(upright_flags(), orientation), axis=-1)
    mirrored = affine.flip(size, columns, rows)
    swapped = tf.gather(mirrored, [1, 0], axis=-2)
    return tf.where(turned[:, None, None], swapped, mirrored)
