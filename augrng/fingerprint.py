"""An order-independent digest of a dataset's examples.

Equal sets of examples (id, epoch, pixels) give equal digests, whatever their order or batches; the
fingerprint of a union is the sum of the fingerprints.
"""

import dataclasses
import hashlib
import struct
from typing import Any

import numpy as np

from augrng import arguments

_MODULUS = 1 << 128


@dataclasses.dataclass(frozen=True)
class Fingerprint:
    """The number of examples and the sum of their 128-bit digests; `+` unites, `str` is for people."""

    count: int = 0
    value: int = 0

    def __add__(self, other: "Fingerprint") -> "Fingerprint":
        if not isinstance(other, Fingerprint):
            return NotImplemented
        return Fingerprint(self.count + other.count, (self.value + other.value) % _MODULUS)

    def __str__(self) -> str:
        return f"{self.count}:{self.value:032x}"


def fingerprint(images: Any, ids: Any, epoch: Any) -> Fingerprint:
    """Digests examples.

    The digest of one is BLAKE2b of 16 bytes, read big-endian, over: id, epoch, then each dimension of
    the image (all little-endian int64), the dtype's name in ASCII, and the pixels in C order,
    little-endian. Digests add up modulo 2**128.

    Args:
      images: [B, H, W, C] or [H, W, C]; bool, integers, floats (those of 8 and 16 bits too) or complex, on
        the host or a device.
      ids: int64[B] or int64[]; any integers convert.
      epoch: int64[] or int64[B].

    Returns:
      The fingerprint of these examples; add it to that of others. Runs eagerly only.

    Raises:
      TypeError: if an id or epoch is not an integer, or the images hold something else than numbers.
      ValueError: if there is not one id for each image.
    """
    images = np.asarray(images)
    added = images.dtype.isbuiltin == 2  # by other packages: bfloat16, float8_e5m2 and their like
    if images.dtype.kind not in "biufc" and not added:
        raise TypeError(f"images: must hold numbers, got {images.dtype.name}")
    ids = arguments.integers(ids, "ids").numpy()
    if images.ndim not in (3, 4) or images.shape[:-3] != ids.shape:
        raise ValueError(
            "ids: must be a scalar for an image [H, W, C] and have shape [B] for a batch [B, H, W, C], "
            f"got shape {ids.shape} for images of shape {images.shape}"
        )
    images = images.reshape(-1, *images.shape[-3:])
    epochs = np.broadcast_to(arguments.integers(epoch, "epoch").numpy(), ids.shape)
    total = 0
    for image, id_, epoch_ in zip(images, ids.reshape(-1), epochs.reshape(-1), strict=True):
        digest = hashlib.blake2b(digest_size=16)
        digest.update(struct.pack("<5q", id_, epoch_, *image.shape))
        digest.update(image.dtype.name.encode("ascii"))
        little = image if added else image.astype(image.dtype.newbyteorder("<"), copy=False)
        digest.update(little.tobytes())
        total += int.from_bytes(digest.digest(), "big")
    return Fingerprint(len(images), total % _MODULUS)
