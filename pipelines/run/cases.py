"""Every transform, alone and together: what tests, golden values and `augrng gpu-check` run over."""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

import augrng as ar
from augrng.transforms import Transform

EPOCH = 3
SIZE = (24, 20)
COUNT = 64

CASES: dict[str, Callable[[], list[Transform]]] = {
    "random_crop": lambda: [ar.RandomCrop(16, 12)],
    "padded_crop": lambda: [ar.RandomCrop(24, 20, padding=(3, 5), fill_mode="reflect")],
    "crop_pad_if_needed": lambda: [ar.RandomCrop(30, 18, pad_if_needed=True, fill_value=9)],
    "center_crop": lambda: [ar.CenterCrop(15, 15)],
    "random_flip": lambda: [ar.RandomFlip("horizontal_and_vertical")],
    "random_rotation": lambda: [ar.RandomRotation(180)],
    "rotation_nearest_wrap": lambda: [ar.RandomRotation(60, interpolation="nearest", fill_mode="wrap")],
    "random_quarter_turn": lambda: [ar.RandomCrop(16, 16), ar.RandomQuarterTurn()],
    "random_resized_crop": lambda: [ar.RandomResizedCrop(16, 12)],
    "reduced_crop_rotation": lambda: [ar.RandomResizedCrop(5, 4, scale=(0.5, 1)), ar.RandomRotation(45)],
    "resize": lambda: [ar.Resize(11, 31)],
    "resize_center_crop": lambda: [ar.Resize(9), ar.CenterCrop(8, 8)],
    "crop_flip_rotation": lambda: [ar.RandomCrop(16, 14), ar.RandomFlip(), ar.RandomRotation(25)],
    "moving": lambda: [
        *(ar.Pad((1, 2)), ar.RandomAffine(20, (0.1, 0.2), (0.7, 1.2), 10), ar.RandomZoom(0.3, (-0.1, 0.2))),
        *(ar.RandomTranslation(0.1, 0.2), ar.RandomShear(0.2, 0.1)),
    ],
    "colors_of_tensorflow": lambda: [
        *(ar.RandomCrop(16, 12), ar.RandomBrightness(0.2), ar.RandomContrast(0.5, 1.5)),
        *(ar.RandomSaturation(0.5, 1.5), ar.RandomHue(0.1), ar.RandomGamma(0.8, 1.3)),
    ],
    "colors_of_pillow": lambda: [
        *(ar.ColorJitter(0.4, 0.4, 0.4, 0.1), ar.RandomChannelShuffle(), ar.RandomPosterize(5)),
        *(ar.RandomSolarize(128), ar.RandomAutocontrast(), ar.RandomInvert(p=0.3), ar.RandomGrayscale(p=0.3)),
        *(ar.RandomAdjustSharpness(2), ar.GaussianBlur(3)),
    ],
    "covering": lambda: [
        *(ar.RandomErasing(0.7, value="random"), ar.Cutout(5), ar.GridMask((6, 12)), ar.GaussianNoise(0.05)),
    ],
    "choosing": lambda: [
        ar.OneOf([ar.RandomRotation(60), ar.RandomEqualize(p=1), ar.RandomErasing(p=1)], weights=(2, 1, 1)),
        ar.SomeOf([ar.ToGrayscale(), ar.RandomFlip(), ar.RandomInvert(p=1)], 2),
        ar.Maybe(ar.Sequential([ar.RandomHue(0.2), ar.RandomRotation(20)]), p=0.4),
    ],
    "perspective": lambda: [ar.RandomPerspective(0.4), ar.RandomRotation(20)],
    "augmix": lambda: [ar.AugMix(width=2, depth=1)],
    "policies": lambda: [ar.RandAugment(), ar.TrivialAugmentWide(), ar.AutoAugment("cifar10")],
}
UNRECORDED = ("augmix",)  # has no golden values: nobody else makes its draws of the words
UINT8_ONLY = ("augmix", "choosing", "policies")  # equalize needs 256 levels


def compose(case: str, seed: int | None = 7, **kwargs: Any) -> ar.Compose:
    """The recipe of a case."""
    return ar.Compose(CASES[case](), seed=seed, **kwargs)


def pictures(
    dtype: str = "uint8", count: int = COUNT, size: tuple[int, int] = SIZE, channels: int = 3
) -> np.ndarray:
    """The same noise everywhere: bytes of SHA-256, no generator's stream to depend on."""
    needed = count * size[0] * size[1] * channels * 2
    stream = b"".join(hashlib.sha256(n.to_bytes(8, "big")).digest() for n in range(-(-needed // 32)))
    values = np.frombuffer(stream[:needed], "<u2").reshape(count, *size, channels)
    if dtype == "uint16":
        return values.copy()
    return (values & 255).astype(dtype)


def example_ids(count: int = COUNT) -> np.ndarray:
    """Ids all over the int64 range."""
    return np.arange(count, dtype=np.int64) * 0x1234567890ABCDE - 2**62


def fingerprint_of(case: str, **kwargs: Any) -> str:
    """The fingerprint of a case's pixels."""
    images, ids = pictures(), example_ids()
    return str(ar.fingerprint(compose(case, **kwargs)(images, ids, EPOCH), ids, EPOCH))
