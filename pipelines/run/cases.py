"""Every transform, alone and together: what tests, golden values and `scripts/gpu_check.py` run over."""

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
}


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
