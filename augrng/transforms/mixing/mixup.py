"""MixUp: the weighted mean of two examples."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import tensorflow as tf

from augrng import fixed
from augrng.geometry import panes
from augrng.geometry.panes import Pane
from augrng.random import beta, draws
from augrng.transforms.mixing.base import WHOLE, Pair, number
from augrng.transforms.parts import Params


@dataclasses.dataclass(frozen=True, repr=False)
class MixUp(Pair):
    """The weighted mean of an example and another one: lambda of the one, 1 - lambda of the other.

    "mixup: Beyond Empirical Risk Minimization" (Zhang et al., 2018), lambda of Beta(alpha, alpha), for each
    example its own. The last transform of a recipe: what is mixed has been augmented, each by its own id.
    Integer pixels are rounded to the nearest, halves up. The label becomes float32[num_classes], lambda of
    the one's and 1 - lambda of the other's, exactly.

    **The partner.** With `partners="dataset"` it is an example of the dataset, at the position that is drawn
    by the key, modulo the number of examples; what it is mixed as is its own augmentation in the same epoch.
    So the mixed example is a pure function of (seed, op, epoch, id) and the dataset, whatever the batch, the
    order, hosts, restarts. It may be the example itself, once in as many as there are. `make_dataset`
    does it, for sources with random access; a call cannot, for it has no dataset. With
    `partners="batch"` it is another example of the batch: of B rows the one at (row + 1 + number drawn modulo
    B - 1) modulo B. That depends on which examples are in the batch, and in which rows; in `make_dataset`,
    so, on batch_size, on the order and on what is skipped.

    What is known about the pictures: the boxes of both, with their labels, and the keypoints of both come
    out, one's after the other's, unless one has no weight at all. A mask has no mean, and is refused.

    Words: 0 decides, u < p; 1 gives lambda, see `augrng.random.beta`; 2 and 3 (low, high) the partner,
    without the lowest bit.
    Params: "weight", int64[B], lambda in units of 2**-16; "partner", int64[B], in [0, 2**63).

    Args:
      alpha: of Beta(alpha, alpha), in [0.01, 100]; 1 is uniform, less keeps most examples nearly as they are.
      num_classes: how many classes there are; needed where labels are integers.
      p: probability that an example is mixed at all; partners are read for all.
      label: the name of the label, an integer or float [num_classes] (soft already); None leaves labels as
        they are, and what is mixed is the picture alone.
      partners: "dataset" or "batch".
      name, seed: see `Transform`.

    Raises:
      ValueError: if an argument is out of range; when called: if the label is missing, is not within
        num_classes, or the images are neither uint8, uint16 nor floats.
    """

    num_words: ClassVar[int] = 4
    shows: ClassVar[bool] = False

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        applied = draws.bernoulli(words[:, 0], self.p)
        weight = beta.share(words[:, 1], self.alpha)
        return {
            "weight": tf.where(applied, weight, beta.ONE),
            "partner": number(words[:, 2], words[:, 3]),
        }

    def panes(self, params: Params, size: tf.Tensor) -> list[Pane]:
        all_ = panes.whole(size)
        weights = (params["weight"], beta.ONE - params["weight"])
        seen = [tf.cast(weight > 0, tf.int64)[:, None] for weight in weights]
        return [Pane(all_.window * one) for one in seen]

    def shares(self, params: Params, size: tf.Tensor) -> list[tf.Tensor]:
        own = params["weight"] * (WHOLE // beta.ONE)
        return [own, WHOLE - own]

    def images(self, images: Sequence[tf.Tensor], params: Params) -> tf.Tensor:
        one, other = images
        weight = params["weight"][:, None, None, None]
        if one.dtype.is_floating:
            work = tf.float64 if one.dtype == tf.float64 else tf.float32
            share = tf.cast(weight, work) * (1 / beta.ONE)
            mean = tf.cast(share * tf.cast(one, work) + (1 - share) * tf.cast(other, work), one.dtype)
            # What has no weight is not seen, be it NaN.
            return tf.where(weight == 0, other, tf.where(weight == beta.ONE, one, mean))
        work = tf.int32 if one.dtype == tf.uint8 else tf.int64
        share = tf.cast(weight, work)
        total = share * tf.cast(one, work) + (beta.ONE - share) * tf.cast(other, work)
        return tf.cast(fixed.shift_round(total, beta.FRACTION), one.dtype)

    def check(self, dtype: tf.DType) -> None:
        if dtype not in (tf.uint8, tf.uint16) and not dtype.is_floating:
            raise ValueError(f"{self!r}: images must be uint8, uint16 or floats, got {dtype.name}")

    def fits(self, params: Params, size: tf.Tensor) -> tf.Tensor | bool:
        return (params["weight"] >= 0) & (params["weight"] <= beta.ONE) & (params["partner"] >= 0)

    def describe(self, params: Mapping[str, Any]) -> str:
        return f"{100 * int(params['weight']) / beta.ONE:.0f} % of it"
