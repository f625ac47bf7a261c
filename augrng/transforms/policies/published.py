"""Policies: a few operations an example, drawn from a published list, with published strengths.

The operations are torchvision's; see `operations`.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import tensorflow as tf

from augrng.random import draws
from augrng.transforms.base import check_integer, check_number
from augrng.transforms.policies.operations import NUMBER, OPERATIONS, WIDE, Policy, among, signed


@dataclasses.dataclass(frozen=True, repr=False)
class RandAugment(Policy):
    """`n` operations, each drawn anew from 14, all of one strength.

    "RandAugment: Practical automated data augmentation with a reduced search space" (Cubuk et al., 2020),
    with torchvision's operations and scale: Identity, ShearX and ShearY to 0.3, TranslateX and TranslateY to
    150/331 of the side, Rotate to 30, Brightness, Color, Contrast, Sharpness to 0.9, Posterize from 8 bits to
    4, Solarize from 255 to 0, AutoContrast, Equalize.

    Words: 2k gives operation k, number (word % 2147483647) % 14 of these; 2k + 1 its sign, negative for
    u < 1/2.
    Params: "operation_k", int64[B], number in `policies.OPERATIONS`; "bin_k", int64[B], place on the scale;
    "negative_k", bool[B].

    Args:
      n: how many operations, 1 to 8.
      magnitude: place on the scale, 0 to `bins` - 1.
      bins: how many places the scale has, at least 2.
      interpolation, fill_mode, fill_value: see `Sampling`; torchvision's default is "nearest".
      name, seed: see `Transform`.

    Raises:
      ValueError: if an argument is out of range; when called: if the images are not grey or RGB of uint8.
    """

    LIST: ClassVar[tuple[str, ...]] = OPERATIONS[:14]

    n: int = 2
    magnitude: int = 9
    bins: int = 31

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer(self, "n", self.n, at_least=1)
        check_number(self, "n", self.n, 1, 8)
        check_integer(self, "bins", self.bins, at_least=2)
        check_integer(self, "magnitude", self.magnitude, at_least=0)
        check_number(self, "magnitude", self.magnitude, 0, self.bins - 1)

    @property
    def slots(self) -> int:
        return self.n

    @property
    def num_words(self) -> int:  # type: ignore[override]
        return 2 * self.n

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        drawn = {}
        for slot in range(self.n):
            operation = among(words[..., 2 * slot], self.LIST)
            drawn[f"operation_{slot}"] = operation
            drawn[f"bin_{slot}"] = tf.zeros_like(operation) + self.magnitude
            drawn[f"negative_{slot}"] = signed(operation, words[..., 2 * slot + 1])
        return drawn


@dataclasses.dataclass(frozen=True, repr=False)
class TrivialAugmentWide(Policy):
    """One operation of 14, of a strength that is drawn too.

    "TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation" (Mueller and Hutter, 2021), its wide
    scale as in torchvision: Identity, ShearX and ShearY to 0.99, TranslateX and TranslateY to 32 pixels,
    Rotate to 135, Brightness, Color, Contrast, Sharpness to 0.99, Posterize from 8 bits to 2, Solarize from
    255 to 0, AutoContrast, Equalize.

    Words: 0 gives the operation, number (word % 2147483647) % 14 of these; 1 the place on the scale,
    (word % 2147483647) % bins; 2 the sign, negative for u < 1/2.
    Params: as `RandAugment` with one operation.

    Args:
      bins: how many places the scale has, at least 2.
      interpolation, fill_mode, fill_value: see `Sampling`; torchvision's default is "nearest".
      name, seed: see `Transform`.

    Raises:
      ValueError: if an argument is out of range; when called: if the images are not grey or RGB of uint8.
    """

    LIST: ClassVar[tuple[str, ...]] = OPERATIONS[:14]
    num_words: ClassVar[int] = 3
    pixels: ClassVar[bool] = True
    ends: ClassVar[Mapping[str, Any]] = WIDE

    bins: int = 31

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer(self, "bins", self.bins, at_least=2)

    @property
    def slots(self) -> int:
        return 1

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        operation = among(words[..., 0], self.LIST)
        return {
            "operation_0": operation,
            "bin_0": draws.integers(words[..., 1], self.bins),
            "negative_0": signed(operation, words[..., 2]),
        }


# Tables 7 to 9 of the paper, as torchvision types them: operation, probability, place on a scale of 10.
POLICIES = {
    "imagenet": """
        Posterize .4 8, Rotate .6 9; Solarize .6 5, AutoContrast .6; Equalize .8, Equalize .6;
        Posterize .6 7, Posterize .6 6; Equalize .4, Solarize .2 4; Equalize .4, Rotate .8 8;
        Solarize .6 3, Equalize .6; Posterize .8 5, Equalize 1; Rotate .2 3, Solarize .6 8;
        Equalize .6, Posterize .4 6; Rotate .8 8, Color .4 0; Rotate .4 9, Equalize .6;
        Equalize 0, Equalize .8; Invert .6, Equalize 1; Color .6 4, Contrast 1 8; Rotate .8 8, Color 1 2;
        Color .8 8, Solarize .8 7; Sharpness .4 7, Invert .6; ShearX .6 5, Equalize 1;
        Color .4 0, Equalize .6;
        Equalize .4, Solarize .2 4; Solarize .6 5, AutoContrast .6; Invert .6, Equalize 1;
        Color .6 4, Contrast 1 8; Equalize .8, Equalize .6""",
    "cifar10": """
        Invert .1, Contrast .2 6; Rotate .7 2, TranslateX .3 9; Sharpness .8 1, Sharpness .9 3;
        ShearY .5 8, TranslateY .7 9; AutoContrast .5, Equalize .9; ShearY .2 7, Posterize .3 7;
        Color .4 3, Brightness .6 7; Sharpness .3 9, Brightness .7 9; Equalize .6, Equalize .5;
        Contrast .6 7, Sharpness .6 5; Color .7 7, TranslateX .5 8; Equalize .3, AutoContrast .4;
        TranslateY .4 3, Sharpness .2 6; Brightness .9 6, Color .2 8; Solarize .5 2, Invert 0;
        Equalize .2, AutoContrast .6; Equalize .2, Equalize .6; Color .9 9, Equalize .6;
        AutoContrast .8, Solarize .2 8; Brightness .1 3, Color .7 0; Solarize .4 5, AutoContrast .9;
        TranslateY .9 9, TranslateY .7 9; AutoContrast .9, Solarize .8 3; Equalize .8, Invert .1;
        TranslateY .7 9, AutoContrast .9""",
    "svhn": """
        ShearX .9 4, Invert .2; ShearY .9 8, Invert .7; Equalize .6, Solarize .6 6; Invert .9, Equalize .6;
        Equalize .6, Rotate .9 3; ShearX .9 4, AutoContrast .8; ShearY .9 8, Invert .4;
        ShearY .9 5, Solarize .2 6; Invert .9, AutoContrast .8; Equalize .6, Rotate .9 3;
        ShearX .9 4, Solarize .3 3; ShearY .8 8, Invert .7; Equalize .9, TranslateY .6 6;
        Invert .9, Equalize .6; Contrast .3 3, Rotate .8 4; Invert .8, TranslateY 0 2;
        ShearY .7 6, Solarize .4 8; Invert .6, Rotate .8 4; ShearY .3 7, TranslateX .9 3;
        ShearX .1 6, Invert .6; Solarize .7 2, TranslateY .6 7; ShearY .8 4, Invert .8;
        ShearX .7 9, TranslateY .8 3; ShearY .8 5, AutoContrast .7; ShearX .7 2, Invert .1""",
}


def table_of(policy: str) -> list[list[tuple[str, float, int]]]:
    """The pairs of a policy: (operation, probability, place on the scale) twice."""
    pairs = []
    for pair in POLICIES[policy].split(";"):
        steps = [step.split() for step in pair.split(",")]
        pairs.append([(name, float(p), int(place[0]) if place else 0) for name, p, *place in steps])
    return pairs


@dataclasses.dataclass(frozen=True, repr=False)
class AutoAugment(Policy):
    """One of 25 pairs of operations, each done with a probability of its own.

    "AutoAugment: Learning Augmentation Strategies from Data" (Cubuk et al., 2019), tables 7 to 9, with
    torchvision's scale, that of `RandAugment` in 10 places, and Invert. The pairs are in `policies.POLICIES`.

    Words: 0 gives the pair, number (word % 2147483647) % 25; 1 + k decides whether its operation k is done,
    u < p; 3 + k gives the sign, negative for u < 1/2.
    Params: as `RandAugment` with two operations; one that is not done is Identity.

    Args:
      policy: "imagenet", "cifar10" or "svhn".
      interpolation, fill_mode, fill_value: see `Sampling`; torchvision's default is "nearest".
      name, seed: see `Transform`.

    Raises:
      ValueError: if there is no such policy; when called: if the images are not grey or RGB of uint8.
    """

    num_words: ClassVar[int] = 5

    policy: str = "imagenet"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.policy not in POLICIES:
            raise ValueError(f"AutoAugment: policy must be one of {tuple(POLICIES)}, got {self.policy!r}")

    @property
    def slots(self) -> int:
        return 2

    @property
    def bins(self) -> int:
        return 10

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        pairs = table_of(self.policy)
        chosen = draws.integers(words[..., 0], len(pairs))
        drawn = {}
        for slot in range(2):
            names, shares, places = zip(*(pair[slot] for pair in pairs), strict=True)
            limits = tf.constant([round(p * (1 << draws.UNIFORM_BITS)) for p in shares], tf.int64)
            done = draws.uniform(words[..., 1 + slot]) < tf.gather(limits, chosen)
            numbers = tf.constant([NUMBER[name] for name in names], tf.int64)
            operation = tf.where(done, tf.gather(numbers, chosen), tf.zeros_like(chosen))
            drawn[f"operation_{slot}"] = operation
            drawn[f"bin_{slot}"] = tf.gather(tf.constant(places, tf.int64), chosen)
            drawn[f"negative_{slot}"] = signed(operation, words[..., 3 + slot])
        return drawn
