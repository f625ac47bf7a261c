"""Whether what is to be kept of a source finds room."""

import errno
import shutil
from pathlib import Path

import tensorflow as tf

from pipelines.sources.source import Record, Source

_LOOKED_AFTER = 32  # records, after which the room that is needed is reckoned again


def bytes_of(record: Record, image: bytes | None) -> int:
    """How much room a record takes, about."""
    leaves = tf.nest.flatten(record, expand_composites=True)
    return len(image or b"") + sum(
        int(tf.reduce_sum(tf.strings.length(leaf))) if leaf.dtype == tf.string else leaf.numpy().nbytes
        for leaf in leaves
    )


class Room:
    """Looks whether what is kept finds room.

    Args:
      source: of the records.
      path: of the file, or None for memory.
    """

    def __init__(self, source: Source, path: Path | None) -> None:
        self._source, self._path, self._total = source, path, 0
        self._free = free_memory() if path is None else shutil.disk_usage(path.parent).free

    def look(self, count: int, more: int) -> None:
        """Counts a record's bytes.

        Raises:
          MemoryError, OSError: if all records need more than was free.
        """
        self._total += more
        size = self._source.size or count
        if self._free is None or (count % _LOOKED_AFTER and count != size):
            return
        needed = self._total * max(size, count) // count
        if needed <= self._free:
            return
        where = "in memory" if self._path is None else f"at {self._path.parent}"
        message = (
            f"cache: {self._source.name} decoded needs about {needed / 1e9:.3g} GB, {self._free / 1e9:.3g} "
            f"GB are free {where}; cache it elsewhere, or build it smaller (augrng build --shorter-side)"
        )
        raise MemoryError(message) if self._path is None else OSError(errno.ENOSPC, message, str(self._path))


def free_memory() -> int | None:
    """Bytes that are free, as Linux says; None elsewhere."""
    info = Path("/proc/meminfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)
