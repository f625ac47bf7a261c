"""The operations that policies draw from, and what becomes of pixels by them.

Operations and strengths are torchvision's, on Pillow's pixels (`ImageOps`, `ImageEnhance`), uint8:

    ShearX, ShearY            x + m y, y + m x, about the top left corner
    TranslateX, TranslateY    by int(m) pixels
    Rotate                    by m degrees counter-clockwise about the centre
    Brightness, Color,        `ImageEnhance` by a factor of 1 + m
    Contrast, Sharpness
    Posterize                 m bits are kept
    Solarize                  levels of at least m are inverted
    AutoContrast, Equalize,   without a strength
    Invert, Identity

What is signed is negative in half of all cases. An operation that moves the picture and stands first is one
with the crop, flip or rotation before it: the source is sampled once.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from augrng.color import channels, filters, words
from augrng.color.levels import ONE, Levels, Seen
from augrng.geometry import affine
from augrng.random import draws
from augrng.transforms.base import Sampled
from augrng.transforms.enhance import autocontrast, check_bytes, equalize
from augrng.transforms.parts import Map, Params, Part, Pixels, Table, check_color

OPERATIONS = (
    *(
        "Identity",
        "ShearX",
        "ShearY",
        "TranslateX",
        "TranslateY",
        "Rotate",
        "Brightness",
        "Color",
        "Contrast",
    ),
    *("Sharpness", "Posterize", "Solarize", "AutoContrast", "Equalize", "Invert"),
)
SIGNED = OPERATIONS[1:10]
_MAPS = OPERATIONS[1:6]
_TABLES = ("Brightness", "Contrast", "Posterize", "Solarize", "AutoContrast", "Equalize", "Invert")
NUMBER = {name: place for place, name in enumerate(OPERATIONS)}
# The strength at both ends of the scale; a translation's is a share of the side, or a number of pixels.
MILD: Mapping[str, Any] = {
    "Shear": (0, 0.3),
    "Translate": (0, 150 / 331),
    "Rotate": (0, 30),
    "Enhance": (0, 0.9),
    "Posterize": 4,
}
WIDE = {"Shear": (0, 0.99), "Translate": (0, 32), "Rotate": (0, 135), "Enhance": (0, 0.99), "Posterize": 6}


@dataclasses.dataclass(frozen=True, repr=False)
class Policy(Sampled):
    """A number of slots, each with an operation, its place on the scale and its sign."""

    exact: ClassVar[bool] = False
    pixels: ClassVar[bool] = False  # whether translations are in pixels
    ends: ClassVar[Mapping[str, Any]] = MILD
    bits: ClassVar[int] = 8  # that Posterize keeps at the low end

    @property
    def slots(self) -> int:
        """How many operations are done to an example."""
        raise NotImplementedError

    @property
    def bins(self) -> int:
        """How many places the scale has."""
        raise NotImplementedError

    def strengths(self) -> np.ndarray:
        """Of each operation at each place of the scale, [operations, bins]."""
        place = np.arange(self.bins)
        share = place / (self.bins - 1)
        found = np.zeros([len(OPERATIONS), self.bins])
        for name in OPERATIONS[1:10]:
            kind = name.rstrip("XY") if name.rstrip("XY") in self.ends else "Enhance"
            low, high = self.ends[kind]
            found[NUMBER[name]] = low + share * (high - low)
        found[NUMBER["Posterize"]] = self.bits - np.round(place / ((self.bins - 1) / self.ends["Posterize"]))
        found[NUMBER["Solarize"]] = 255 - 255 * place / (self.bins - 1)
        return found

    @property
    def parts(self) -> tuple[Part, ...]:
        return self.parts_of(range(self.slots))

    def parts_of(self, slots: Sequence[int]) -> tuple[Part, ...]:
        """What is done by these slots, one after the other."""
        kinds = (_Moved, _Levelled, _Colored, _Sharpened)
        return tuple(kind(self, slot) for slot in slots for kind in kinds)

    def fits(self, params: Params, size: tf.Tensor) -> tf.Tensor | bool:
        good = tf.constant(True)
        for slot in range(self.slots):
            operation, place = params[f"operation_{slot}"], params[f"bin_{slot}"]
            good &= (operation >= 0) & (operation < len(OPERATIONS)) & (place >= 0) & (place < self.bins)
        return good

    def strength(self, params: Params, slot: int) -> tf.Tensor:
        """The signed strength of a slot, fixed-point int64 of the shape of the params."""
        table = tf.constant(np.round(self.strengths() * ONE).astype(np.int64))
        place = params[f"operation_{slot}"] * self.bins + params[f"bin_{slot}"]
        strength = tf.gather(tf.reshape(table, [-1]), place)
        return tf.where(params[f"negative_{slot}"], -strength, strength)

    def describe(self, params: Mapping[str, Any]) -> str:
        said = []
        for slot in range(self.slots):
            operation, place = int(params[f"operation_{slot}"]), int(params[f"bin_{slot}"])
            sign = "-" if params[f"negative_{slot}"] else ""
            strength = self.strengths()[operation, place]
            said.append(OPERATIONS[operation] + (f" {sign}{strength:.2f}" if strength else ""))
        return ", ".join(said)


@dataclasses.dataclass(frozen=True)
class _Slot(Part):
    """What one slot of a policy does in one way."""

    policy: Policy
    slot: int

    def __repr__(self) -> str:
        return repr(self.policy)

    def check(self, dtype: tf.DType, channels: int) -> None:
        check_bytes(self, dtype)
        check_color(self, dtype, channels, grey=True)

    def does(self, params: Params, *names: str) -> tf.Tensor:
        """Whether the slot's operation is one of these."""
        operation = params[f"operation_{self.slot}"]
        if len(names) == 1:
            return tf.equal(operation, NUMBER[names[0]])
        numbers = sum(1 << NUMBER[name] for name in names)
        return tf.equal(tf.bitwise.right_shift(tf.constant(numbers, tf.int64), operation) & 1, 1)

    def strength(self, params: Params) -> tf.Tensor:
        return self.policy.strength(params, self.slot)


class _Moved(_Slot, Map):
    exact: ClassVar[bool] = False
    mixes_axes: ClassVar[bool] = True

    def sampling(self) -> dict[str, Any]:
        return self.policy.sampling()

    def idle(self, params: Params) -> tf.Tensor | None:
        return ~self.does(params, *_MAPS)

    def map(self, params: Params, size: tf.Tensor) -> tf.Tensor:
        strength = self.strength(params)
        zero = tf.zeros_like(strength)

        def of(name: str) -> tf.Tensor:
            return tf.where(self.does(params, name), strength, zero)

        sheared = affine.from_rows(ONE, of("ShearX"), 0, of("ShearY"), ONE, 0)
        moved = []
        for name, axis in (("TranslateX", 1), ("TranslateY", 0)):
            whole = of(name) if self.policy.pixels else of(name) * size[:, axis]
            moved.append(-tf.sign(whole) * tf.bitwise.right_shift(tf.abs(whole), tf.constant(24, tf.int64)))
        # 2**32 / 360 of a turn a degree; the strength has 24 bits.
        angle = tf.math.floordiv(of("Rotate") * 256, 360)
        turned = affine.compose(affine.translate(*moved), affine.rotate(size, angle))
        return affine.compose(turned, sheared)


class _Levelled(_Slot, Table):
    sees: ClassVar[tuple[str, ...]] = ("levels", "grey")

    def idle(self, params: Params) -> tf.Tensor | None:
        return ~self.does(params, *_TABLES)

    def looks(self, what: str, params: Params) -> tf.Tensor | None:
        return self.does(params, *{"levels": ("AutoContrast", "Equalize"), "grey": ("Contrast",)}[what])

    def levels(self, x: tf.Tensor, params: Params, seen: Seen, of: Levels) -> tf.Tensor:
        strength = self.strength(params)
        assert seen.grey is not None
        other = tf.where(self.does(params, "Contrast"), seen.grey, tf.zeros_like(seen.grey))
        # Levels below the threshold stay; it need not be whole.
        threshold = tf.bitwise.right_shift(strength + ONE - 1, tf.constant(24, tf.int64))
        unit = tf.bitwise.left_shift(tf.ones_like(strength), 8 - tf.clip_by_value(strength // ONE, 0, 8))
        made = {
            "Posterize": x - x % unit,
            "Solarize": tf.where(x >= threshold, of.top - x, x),
            "AutoContrast": autocontrast(x, seen, of),
            "Equalize": equalize(x, seen),
            "Invert": of.top - x,
        }
        out = of.blend(other, x, ONE + strength)
        for name, levels in made.items():
            out = tf.where(self.does(params, name), levels, out)
        return out


class _Colored(_Slot, Pixels):
    def idle(self, params: Params) -> tf.Tensor | None:
        return ~self.does(params, "Color")

    def change(self, images: tf.Tensor, params: Params) -> tf.Tensor:
        if images.shape[-1] == 1:
            return images
        return words.changed(images, channels.set_color, ONE + self.strength(params))


class _Sharpened(_Slot, Pixels):
    def idle(self, params: Params) -> tf.Tensor | None:
        return ~self.does(params, "Sharpness")

    def change(self, images: tf.Tensor, params: Params) -> tf.Tensor:
        return filters.sharpen(images, ONE + self.strength(params)[:, None, None, None])


def among(word: tf.Tensor, names: Sequence[str]) -> tf.Tensor:
    """One of the operations, each as likely, as its number."""
    return tf.gather(
        tf.constant([NUMBER[name] for name in names], tf.int64), draws.integers(word, len(names))
    )


def signed(operation: tf.Tensor, word: tf.Tensor) -> tf.Tensor:
    """Whether the strength is negative: half of the signed ones."""
    low, high = NUMBER[SIGNED[0]], NUMBER[SIGNED[-1]]
    return draws.bernoulli(word, 0.5) & (operation >= low) & (operation <= high)
