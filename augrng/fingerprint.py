"""An order-independent digest of a dataset's examples.

Equal sets of examples (id, epoch, pixels, what is known of these) give equal digests, whatever their order or
batches; the fingerprint of a union is the sum of the fingerprints.
"""

import dataclasses
import hashlib
import struct
from collections.abc import Mapping
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
    little-endian. Of an example that is a dict there follow, for every other entry but "id" and "epoch",
    sorted by name ("objects/bbox" for one inside of another): the name in UTF-8, a zero byte, the number of
    dimensions and each of them, the dtype's name and the values likewise; of strings "string", then each
    one's length and its bytes. Digests add up modulo 2**128.

    Args:
      images: [B, H, W, C] or [H, W, C]; bool, integers, floats (those of 8 and 16 bits too) or complex, on
        the host or a device. Or examples: a dict with these as "image", its other entries [B, ...] too, or
        ragged.
      ids: int64[B] or int64[]; any integers convert.
      epoch: int64[] or int64[B].

    Returns:
      The fingerprint of these examples; add it to that of others. Runs eagerly only.

    Raises:
      TypeError: if an id or epoch is not an integer, or the images hold something else than numbers.
      ValueError: if there is not one id for each image.
    """
    further = {} if not isinstance(images, Mapping) else _entries(images)
    images = np.asarray(arguments.image_of(images))
    if images.dtype.kind not in "biufc" and not _added(images.dtype):
        raise TypeError(f"images: must hold numbers, got {images.dtype.name}")
    ids = arguments.integers(ids, "ids").numpy()
    if images.ndim not in (3, 4) or images.shape[:-3] != ids.shape:
        raise ValueError(
            "ids: must be a scalar for an image [H, W, C] and have shape [B] for a batch [B, H, W, C], "
            f"got shape {ids.shape} for images of shape {images.shape}"
        )
    single = images.ndim == 3
    images = images.reshape(-1, *images.shape[-3:])
    epochs = np.broadcast_to(arguments.integers(epoch, "epoch").numpy(), ids.shape)
    total = 0
    for row, (id_, epoch_) in enumerate(zip(ids.reshape(-1), epochs.reshape(-1), strict=True)):
        digest = hashlib.blake2b(digest_size=16)
        digest.update(struct.pack("<5q", id_, epoch_, *images[row].shape))
        _update(digest, images[row])
        for name, value in sorted(further.items()):
            part = np.asarray(value if single else value[row])
            digest.update(name.encode() + b"\0" + struct.pack(f"<{part.ndim + 1}q", part.ndim, *part.shape))
            _update(digest, part)
        total += int.from_bytes(digest.digest(), "big")
    return Fingerprint(len(images), total % _MODULUS)


def _update(digest: Any, values: np.ndarray) -> None:
    """Adds the dtype's name and the values."""
    if values.dtype.kind in "OSU":
        strings = [value if isinstance(value, bytes) else str(value).encode() for value in values.reshape(-1)]
        digest.update(b"string" + b"".join(struct.pack("<q", len(one)) + one for one in strings))
        return
    digest.update(values.dtype.name.encode("ascii"))
    little = values if _added(values.dtype) else values.astype(values.dtype.newbyteorder("<"), copy=False)
    digest.update(little.tobytes())


def _added(dtype: np.dtype) -> bool:
    """Whether another package brings the dtype: bfloat16, float8_e5m2 and their like."""
    return dtype.isbuiltin == 2


def _entries(example: Mapping[str, Any], outer: str = "") -> dict[str, Any]:
    """What an example holds beside its image, id and epoch, by path."""
    found: dict[str, Any] = {}
    for name, value in example.items():
        if isinstance(value, Mapping):
            found |= _entries(value, f"{outer}{name}/")
        elif outer or name not in ("image", "id", "epoch"):
            found[outer + name] = value
    return found
