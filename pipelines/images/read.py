"""From encoded bytes to augmented pixels, decoding only the part of a JPEG that the map reads.

The size comes from the header, the params from the size, the map from the params; then the window that
the map reads is decoded, turned upright as EXIF asks for, reduced (see `augrng.geometry.reduce`) and sampled
once. Positions are those of the upright picture throughout: so are the pixels.

Of what is to be reduced along both axes, the JPEG's own transform does a scale of 1/2, 1/4 or 1/8; the
rest, and all of it in a full decode, are means of pixels. Where the scale is 1 the pixels are those of a
full decode, bit for bit.

The arithmetic between header and decoding is one program, which costs the same for one image and for many:

  facts  :: contents -> facts, of one image; may fail
  plan   :: contents [N] -> facts [N] -> ids [N] -> epochs [N] -> plans [N]
  pixels :: contents -> plan -> augmented image, of one image; may fail
"""

import functools
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

import augrng as ar
from augrng.compiled import compiled
from augrng.geometry import reduce
from augrng.kept import Kept
from augrng.program import Program
from pipelines.images.decode import MAX_PIXELS, RATIOS, decode_cells, decode_stored, require, upright
from pipelines.images.formats import check_kind, raw_window
from pipelines.images.header import first_bytes, is_jpeg, more_facts
from pipelines.images.markers import fit_for_parts
from pipelines.images.plan import Plan, plan, rules
from pipelines.rows import batch_of, each, lone

Seen = Mapping[str, Any]

_LEAST = 8  # images that a program plans, so that few programs serve all small batches


class Reader:
    """Reads encoded images through a recipe, inside `Dataset.map`; see the three functions above.

    Args:
      aug: a recipe whose output has a fixed size.
      partial: whether to decode only what is read, for a JPEG; other formats, and a JPEG of which a part
        could be decoded though the whole could not (see `markers`), are always decoded whole.
      channels: 1 for grey, 2 for grey and alpha, 3 for RGB, 4 for RGB and alpha.
      dtype: "uint8" or "uint16".
      max_pixels: the largest height * width that is decoded; checked in the header before memory is taken.

    Raises:
      ValueError: if the recipe's output has no fixed size, or `channels` or `dtype` is none of these.
    """

    def __init__(
        self,
        aug: ar.Compose,
        *,
        partial: bool = True,
        channels: int = 3,
        dtype: str = "uint8",
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        check_kind(channels, dtype)
        if aug.output_size is None:
            raise ValueError("aug: its output must have a fixed size; add a crop or a resize to the recipe")
        aug.program.check_pixels(dtype, channels)
        self.aug, self.partial, self._kind = aug, partial, (channels, dtype, max_pixels)

    def __call__(self, contents: tf.Tensor, id_: tf.Tensor, epoch: tf.Tensor, *, most: int = 1) -> tf.Tensor:
        """Reads one image.

        Args:
          contents: scalar string.
          id_: int64 scalar.
          epoch: int64 scalar.
          most: as of `plan`, where that is used beside this: one program then serves both.

        Returns:
          [height, width, channels].

        Raises:
          InvalidArgumentError: if the image cannot be decoded or is refused by a transform.
        """
        plans = self._plan_one(contents, id_, epoch, most)
        return lone(each(self.pixels, batch_of(contents), plans))

    @property
    def facts(self) -> Kept:
        """What must be read from one image before its plan, int32[4]: `header.more_facts`, then 1 if parts
        of it may be decoded, else 0."""
        return _facts_of(self.partial)

    def plan(
        self,
        contents: tf.Tensor,
        facts: tf.Tensor,
        ids: tf.Tensor,
        epochs: tf.Tensor,
        *,
        most: int,
        seen: Seen | None = None,
    ) -> Plan:
        """Plans for string[N], int32[N, 4], int64[N], int64[N], N <= `most`: one program for all N.

        `seen` is what draws depend on of the records, [N, ...]; see `augrng.program.Program.seen`.
        """
        plans = _plans_of(self.aug.program, self._kind[2], max(most, _LEAST))
        given = contents, facts, ids, epochs, dict(seen or {})
        specs = tf.nest.map_structure(lambda part: tf.TensorSpec([None, *part.shape[1:]], part.dtype), given)
        pairs = self.aug.program.pairs
        specs = (tf.TensorSpec(pairs.shape, pairs.dtype), *specs)
        return lone(each(plans, *batch_of((pairs, *given)), rows=specs))

    def plan_of(self, record: Seen, *, most: int) -> Plan:
        """The plan of the image of one record, as that of a batch of one."""
        contents, seen = record["image"], self.aug.program.seen(record, single=True)
        return self._plan_one(contents, record["id"], record["epoch"], most, seen)

    def _plan_one(
        self, contents: tf.Tensor, id_: tf.Tensor, epoch: tf.Tensor, most: int, seen: Seen | None = None
    ) -> Plan:
        contents, id_, epoch = batch_of((contents, id_, epoch))
        return self.plan(contents, each(self.facts, contents), id_, epoch, most=most, seen=seen)

    @property
    def pixels(self) -> Kept:
        """Decodes and renders one image, [height, width, channels], by its plan."""
        return _pixels_of(self.aug.program, *self._kind)

    @property
    def rules(self) -> list[str]:
        """The rules that images must keep, as `Plan.refusal` counts them."""
        return rules(self.aug.program, self._kind[2])

    def decoded(self, contents: tf.Tensor, plan: Plan) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """What `render` takes: the part of one image that is read, [h, w, channels], map and borders."""
        return _decoded(self.aug.program, *self._kind, contents, plan)


@functools.lru_cache(maxsize=64)
def _pixels_of(program: Program, *kind: Any) -> Kept:
    """What makes pixels; one for all seeds, for it takes a second to trace and 30 MB to keep."""
    return Kept(functools.partial(_pixels, program, *kind))


@functools.lru_cache(maxsize=64)
def _plans_of(program: Program, max_pixels: int, most: int) -> Kept:
    """What plans up to `most` images; as that of pixels."""
    return Kept(functools.partial(_plans, program, max_pixels, most))


@functools.lru_cache(maxsize=2)
def _facts_of(partial: bool) -> Kept:
    return Kept(functools.partial(_facts, partial))


def _pixels(
    program: Program, channels: int, dtype: str, max_pixels: int, contents: tf.Tensor, plan: Plan
) -> tf.Tensor:
    return program.render(*_decoded(program, channels, dtype, max_pixels, contents, plan), plan.rest)


def _plans(
    program: Program,
    max_pixels: int,
    most: int,
    pairs: tf.Tensor,
    contents: tf.Tensor,
    facts: tf.Tensor,
    ids: tf.Tensor,
    epochs: tf.Tensor,
    seen: Seen,
) -> Plan:
    count = tf.shape(ids)[0]
    after = functools.cache(lambda rank: tf.stack([[0, most - count], *[[0, 0]] * (rank - 1)]))

    def padded(argument: tf.Tensor) -> tf.Tensor:
        whole = tf.pad(argument, after(argument.shape.rank))
        whole.set_shape([most, *argument.shape[1:]])
        return whole

    given = tf.nest.map_structure(padded, (first_bytes(contents), facts, ids, epochs, dict(seen)))
    rows = tf.range(count)
    planned = compiled(functools.partial(plan, program, max_pixels))
    return tf.nest.map_structure(lambda part: tf.gather(part, rows), planned(pairs, *given))


def _facts(partial: bool, contents: tf.Tensor) -> tf.Tensor:
    found = more_facts(contents)
    fit = tf.constant(False)
    if partial:
        # After what may fail: of two branches at once, TensorFlow may say of the failure that the other
        # one was cancelled, and `ignore_errors` does not pass over that.
        with tf.control_dependencies([found]):
            contents = tf.identity(contents)
        fit = tf.cond(is_jpeg(contents), lambda: fit_for_parts(contents), lambda: tf.constant(False))
    return tf.concat([found, tf.cast(fit, tf.int32)[None]], 0)


def _decoded(
    program: Program, channels: int, dtype: str, max_pixels: int, contents: tf.Tensor, plan: Plan
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    asked = rules(program, max_pixels)
    rule = tf.gather([*asked, ""], plan.refusal)
    message = [rule, "; got (height, width)", plan.size, ", first bytes", plan.head]
    contents = require(contents, tf.equal(plan.refusal, len(asked)), message)

    whole = functools.partial(
        decode_stored, contents, plan.format, plan.stored, channels=channels, dtype=dtype
    )
    parts = [
        functools.partial(decode_cells, contents, plan.window, ratio, channels, dtype) for ratio in RATIOS
    ]
    cut = functools.partial(raw_window, contents, plan.stored, plan.window, channels, dtype)
    image = tf.switch_case(plan.choice, [whole, *parts, cut])
    image = tf.cond(plan.orientation > 1, lambda: upright(image, plan.orientation), lambda: image)
    image = tf.slice(image, [*tf.unstack(plan.cut[:2]), 0], [*tf.unstack(plan.cut[2:]), channels])
    image.set_shape([None, None, channels])
    image = reduce.pick(image, plan.levels)
    return image, plan.map, plan.borders
