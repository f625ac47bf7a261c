"""CutMix and Mosaic: several examples side by side in one picture."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import tensorflow as tf

from augrng import fixed
from augrng.geometry import panes
from augrng.geometry.panes import Pane
from augrng.random import beta, draws
from augrng.transforms.base import check_range
from augrng.transforms.mixing.base import Mixing, Pair, number
from augrng.transforms.parts import Params

_CENTER_BITS = 16


@dataclasses.dataclass(frozen=True, repr=False)
class CutMix(Pair):
    """A window of another example in an example: the pixels under it, and as much of the label.

    "CutMix: Regularization Strategy to Train Strong Classifiers" (Yun et al., 2019), torchvision's window:
    lambda of Beta(alpha, alpha); the window's centre (x, y) is a pixel, its half sides are
    floor(sqrt(1 - lambda) / 2 * side), and it is cut at the border. The label has of the other's what the
    window has of the pixels (to the nearest 2**-24), and of its own the rest.

    Partners and labels are those of `MixUp`. A mask is cut as the picture is. Boxes and keypoints of both
    come out, one's after the other's: a box of the partner is cut to the window, one of the example goes if
    it is wholly under it, and either goes where less than its `Boxes` asks for (`min_visible`, `min_size`)
    is to be seen. Keypoints stay, and are invisible where the other picture is.

    Words: 0 decides, u < p; 1 gives lambda, see `augrng.random.beta`; 2 and 3 (low, high) the partner,
    without the lowest bit; 4 and 5 the centre, y = (word % 2147483647) % height, x likewise.
    Params: "top", "left", "bottom", "right", int64[B], the window, 0 for none; "partner", int64[B], in [0,
    2**63).

    Args:
      alpha, num_classes, p, label, partners, name, seed: see `MixUp`.

    Raises:
      ValueError: if an argument is out of range; when called: if the label is missing, or is not within
        num_classes.
    """

    num_words: ClassVar[int] = 6

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        applied = draws.bernoulli(words[:, 0], self.p)
        rest = beta.ONE - beta.share(words[:, 1], self.alpha)
        window = []
        for side, word in ((size[:, 0], words[:, 4]), (size[:, 1], words[:, 5])):
            # floor(side sqrt(rest) / 2) = floor(sqrt(side**2 rest / 4))
            half = fixed.square_root(
                tf.bitwise.right_shift(side * side * rest, tf.constant(beta.FRACTION + 2, tf.int64))
            )
            centre = draws.integers(word, side)
            window.append((tf.maximum(centre - half, 0), tf.minimum(centre + half, side)))
        (top, bottom), (left, right) = window
        sides = {"top": top, "left": left, "bottom": bottom, "right": right}
        sides = {name: tf.where(applied, side, 0 * side) for name, side in sides.items()}
        return {**sides, "partner": number(words[:, 2], words[:, 3])}

    def panes(self, params: Params, size: tf.Tensor) -> list[Pane]:
        window = tf.stack([params[side] for side in ("top", "left", "bottom", "right")], -1)
        return [panes.whole(size), Pane(window)]

    def fits(self, params: Params, size: tf.Tensor) -> tf.Tensor | bool:
        top, left, bottom, right = (params[side] for side in ("top", "left", "bottom", "right"))
        tall = (top >= 0) & (top <= bottom) & (bottom <= size[:, 0])
        return tall & (left >= 0) & (left <= right) & (right <= size[:, 1]) & (params["partner"] >= 0)

    def describe(self, params: Mapping[str, Any]) -> str:
        height, width = (int(params[b]) - int(params[a]) for a, b in (("top", "bottom"), ("left", "right")))
        return f"{height}x{width} at {params['top']}, {params['left']}" if height and width else "not mixed"


@dataclasses.dataclass(frozen=True, repr=False)
class Mosaic(Mixing):
    """Four examples around a centre, in a picture of the same size.

    "YOLOv4: Optimal Speed and Accuracy of Object Detection" (Bochkovskiy et al., 2020), in KerasCV's form:
    the example itself lies upper left and ends at the centre, partners lie upper right, lower left and lower
    right, each with a corner there; nothing is resized. Where not mixed, the centre is the lower right
    corner.

    Partners are those of `MixUp`, three, drawn independently. Boxes and keypoints of all come out, one
    picture's after the other's: boxes cut to their picture's part, gone where less than their `Boxes` asks
    for (`min_visible`, `min_size`) is to be seen; keypoints outside of it are invisible. Masks are put
    together as pictures are. The label stays the example's own, unless `label` names it: then each picture
    has its share of the pixels (to the nearest 2**-24; the example the rest).

    Words: 0 decides, u < p; 1 and 2 the centre, y = low + (word % 2147483647) % (high - low + 1), low and
    high being `center` times the height, rounded down, and x likewise; 3 to 8 the partners, two each as of
    `MixUp`.
    Params: "y", "x", int64[B], the centre; "partner_1", "partner_2", "partner_3", int64[B], in [0, 2**63).

    Args:
      center: the range (low, high) of the centre, in shares of height and width, in [0, 1].
      num_classes, p, label, partners, name, seed: see `MixUp`; no label is mixed by default.

    Raises:
      ValueError: if an argument is out of range; when called: if a label is asked for that is missing, or is
        not within num_classes.
    """

    num_words: ClassVar[int] = 9
    num_partners: ClassVar[int] = 3

    center: tuple[float, float] = (0.25, 0.75)
    label: str | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.center, list):
            object.__setattr__(self, "center", tuple(self.center))
        check_range(self, "center", self.center, 0, 1)

    def drawn_partners(self, params: Params) -> list[tf.Tensor]:
        return [params[f"partner_{nth}"] for nth in (1, 2, 3)]

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        applied = draws.bernoulli(words[:, 0], self.p)
        bits = tf.constant(_CENTER_BITS, tf.int64)
        drawn = {}
        for axis, name in enumerate("yx"):
            side, shares = size[:, axis], [round(end * (1 << _CENTER_BITS)) for end in self.center]
            low, high = (tf.bitwise.right_shift(side * share, bits) for share in shares)
            centre = low + draws.integers(words[:, 1 + axis], high - low + 1)
            drawn[name] = tf.where(applied, centre, side)
        for nth in (1, 2, 3):
            drawn[f"partner_{nth}"] = number(words[:, 1 + 2 * nth], words[:, 2 + 2 * nth])
        return drawn

    def panes(self, params: Params, size: tf.Tensor) -> list[Pane]:
        y, x, height, width = params["y"], params["x"], size[:, 0], size[:, 1]
        zero = tf.zeros_like(y)
        made = []
        # Pictures above the centre end there, those below begin there; left and right likewise.
        for top, bottom, down in ((zero, y, y - height), (y, height, y)):
            for left, right, across in ((zero, x, x - width), (x, width, x)):
                made.append(Pane(tf.stack([top, left, bottom, right], -1), tf.stack([down, across], -1)))
        return made

    def fits(self, params: Params, size: tf.Tensor) -> tf.Tensor | bool:
        inside = [(params[n] >= 0) & (params[n] <= size[:, axis]) for axis, n in enumerate("yx")]
        return inside[0] & inside[1]

    def describe(self, params: Mapping[str, Any]) -> str:
        return f"centre {params['y']}, {params['x']}"
