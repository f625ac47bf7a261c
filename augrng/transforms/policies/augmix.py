"""AugMix: chains of operations, mixed with the picture that they began with."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import tensorflow as tf

from augrng.random import draws
from augrng.transforms.base import check_integer, check_number
from augrng.transforms.parts import Mixture, Params, Part
from augrng.transforms.policies.operations import MILD, OPERATIONS, Policy, among, signed

_WHOLE = 1 << 24
_MOST = 3  # operations of a chain, as in the paper


@dataclasses.dataclass(frozen=True, repr=False)
class AugMix(Policy):
    """The mean of the picture and of `width` chains of operations on it, by weights that are drawn.

    "AugMix: A Simple Data Processing Method to Improve Robustness and Uncertainty" (Hendrycks et al., 2020),
    torchvision's operations and scale: ShearX, ShearY to 0.3, TranslateX, TranslateY to 1/3 of the side,
    Rotate to 30, Posterize from 4 bits to 0, Solarize from 255 to 0, AutoContrast, Equalize, Brightness,
    Color, Contrast, Sharpness to 0.9, in 10 places. The weights are those of alpha = 1: m is uniform, the
    picture has 1 - m, and m is shared out uniformly among the chains. The mean is rounded once.

    Words: 0 gives m = u; 1 to width - 1 give the ends of the chains' shares, sorted; then of each chain one,
    how many operations it has if `depth` is -1, 1 + (word % 2147483647) % 3; and for each of its operations
    three: which, number (word % 2147483647) % 13; its place on the scale, (word % 2147483647) % severity; its
    sign, negative for u < 1/2.
    Params: "weight_k", int64[B], in 1/2**24, of the picture and of each chain; "operation_k", "bin_k",
    "negative_k" as of `RandAugment`, chain by chain, Identity beyond a chain's end.

    Args:
      severity: how many places of the scale are drawn from, 1 to 10.
      width: how many chains, 1 to 8.
      depth: how many operations each has, 1 to 3; -1 draws 1 to 3.
      interpolation, fill_mode, fill_value: see `Sampling`; torchvision's default is "bilinear".
      name, seed: see `Transform`.

    Raises:
      ValueError: if an argument is out of range; when called: if the images are not grey or RGB of uint8.
    """

    LIST: ClassVar[tuple[str, ...]] = OPERATIONS[1:14]
    ends: ClassVar[Mapping[str, Any]] = {**MILD, "Translate": (0, 1 / 3)}
    bits: ClassVar[int] = 4

    severity: int = 3
    width: int = 3
    depth: int = -1

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, most in (("severity", 10), ("width", 8)):
            check_integer(self, name, getattr(self, name), at_least=1)
            check_number(self, name, getattr(self, name), 1, most)
        if self.depth != -1:
            check_integer(self, "depth", self.depth, at_least=1)
            check_number(self, "depth", self.depth, 1, _MOST)

    @property
    def bins(self) -> int:
        return 10

    @property
    def slots(self) -> int:
        return self.width * _MOST

    @property
    def num_words(self) -> int:  # type: ignore[override]
        return self.width + self.width * (1 + 3 * _MOST)

    @property
    def parts(self) -> tuple[Part, ...]:
        return (_Mix(self),)

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        mixed = 2 * draws.uniform(words[:, 0])
        ends = tf.sort(2 * draws.uniform(words[:, 1 : self.width]), -1)
        ends = tf.pad(tf.pad(ends, [[0, 0], [1, 0]]), [[0, 0], [0, 1]], constant_values=_WHOLE)
        drawn = {}
        left = mixed
        for chain in range(self.width):
            share = ends[:, chain + 1] - ends[:, chain]
            weight = (
                left
                if chain == self.width - 1
                else tf.bitwise.right_shift(mixed * share, tf.constant(24, tf.int64))
            )
            drawn[f"weight_{chain + 1}"], left = weight, left - weight
        drawn["weight_0"] = _WHOLE - mixed
        for chain in range(self.width):
            first = self.width + chain * (1 + 3 * _MOST)
            drawn |= self._operations(words[:, first : first + 1 + 3 * _MOST], chain)
        return drawn

    def _operations(self, words: tf.Tensor, chain: int) -> dict[str, tf.Tensor]:
        depth = 1 + draws.integers(words[:, 0], _MOST)
        depth = depth if self.depth == -1 else 0 * depth + self.depth
        drawn = {}
        for step in range(_MOST):
            which, place, sign = (words[:, 1 + 3 * step + n] for n in range(3))
            operation = among(which, self.LIST)
            operation = tf.where(step < depth, operation, 0 * operation)
            slot = chain * _MOST + step
            drawn[f"operation_{slot}"] = operation
            drawn[f"bin_{slot}"] = draws.integers(place, self.severity)
            drawn[f"negative_{slot}"] = signed(operation, sign)
        return drawn

    def describe(self, params: Mapping[str, Any]) -> str:
        return f"{100 * int(params['weight_0']) // _WHOLE} % as it is; {super().describe(params)}"


@dataclasses.dataclass(frozen=True)
class _Mix(Mixture):
    policy: AugMix

    @property
    def chains(self) -> tuple[tuple[Part, ...], ...]:
        policy = self.policy
        return tuple(policy.parts_of(range(n * _MOST, (n + 1) * _MOST)) for n in range(policy.width))

    def weights(self, params: Params) -> list[tf.Tensor]:
        return [params[f"weight_{number}"] for number in range(self.policy.width + 1)]

    def check(self, dtype: tf.DType, channels: int) -> None:
        self.chains[0][0].check(dtype, channels)
