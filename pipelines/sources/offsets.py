"""Where the records of TFRecord files lie: an index, made in one pass over their headers, and kept.

Each record is its length (8 bytes, little endian), the length's masked CRC-32C (4 bytes), the data, and the
data's CRC. The bounds of a file, int64[n + 1], say that record i lies in bytes [bounds[i], bounds[i + 1]), 16
of which are not data. Behind a length that is damaged or reaches beyond the file nothing can be found: the
rest of the file counts as one record, reading it fails, and TensorFlow's log says so whenever it is opened.

The bounds of all files of a folder that were asked for are kept in one file: beside them if
`augrng build` has put it there, else in a folder for caches. Those of a file hold as long as its size and
its time of modification are those that were noted (beside them: as long as it is not newer than the index).
An index that cannot be read is made again, and one that cannot be written (no room, no right to) is done
without. It is replaced as a whole, so any number of processes may make it at once.

Source of the format: https://www.tensorflow.org/tutorials/load_data/tfrecord.
"""

import collections
import contextlib
import hashlib
import io
import os
import stat
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from augrng.caching import user_folder

FRAME = 16  # bytes around the data of a record
BESIDE = "record_offsets.npz"  # in the folder of a dataset
_HEADER = 12  # bytes of the length and its checksum
_AT_ONCE = 2**18  # bytes read at once where records are short
_CHECKED = 2**16  # headers whose checksums are made at once
_COMPRESSED = (
    b"\x1f\x8b",
    b"\x78\x01",
    b"\x78\x5e",
    b"\x78\x9c",
    b"\x78\xda",
)  # how gzip and zlib files start

Read = Callable[[int, int], bytes]  # from an offset on so many bytes, fewer at the end


class NotIndexedError(ValueError):
    """A file can be read in order only: it is a pipe, or on a file system that cannot seek."""


class _Entry(NamedTuple):
    """What is kept of a file; the time in ns is 0 for the index's own, -1 of what is not to be kept."""

    size: int
    time: int
    bounds: np.ndarray


def bounds_of(paths: Sequence[str], folder: str | Path | None = None) -> list[np.ndarray]:
    """The bounds of files, in their order, from where they are kept or made anew.

    Args:
      paths: of the files, on any file system that TensorFlow opens.
      folder: for indexes; by default "augrng" in the user's folder for caches (`$XDG_CACHE_HOME`, ~/.cache).

    Raises:
      tf.errors.NotFoundError: if there is no such file; or another error of TensorFlow's or `OSError`, if one
        cannot be read.
      NotIndexedError: if one can be read in order only.
      ValueError: if one is compressed.
    """
    names: dict[str, list[str]] = collections.defaultdict(list)
    for path in paths:
        names[os.path.dirname(path)].append(os.path.basename(path))
    found = {
        os.path.join(directory, name): bounds
        for directory, inside in names.items()
        for name, bounds in _of_folder(directory, inside, folder).items()
    }
    return [found[os.path.join(os.path.dirname(path), os.path.basename(path))] for path in paths]


def index_beside(directory: Path, names: Sequence[str]) -> bytes:
    """What the file `BESIDE` of a folder is to hold; depends on the bytes of the files alone."""
    return _packed({name: _made(str(directory / name))._replace(time=0) for name in names})


def _of_folder(directory: str, names: Sequence[str], folder: str | Path | None) -> dict[str, np.ndarray]:
    stats = {name: tf.io.gfile.stat(os.path.join(directory, name)) for name in names}

    def holds(name: str, kept: Mapping[str, _Entry], made: int) -> bool:
        if name not in kept:
            return False
        size, time, there = kept[name].size, kept[name].time, stats[name]
        date = int(there.mtime_nsec)
        return size == there.length and (date == time if time else date <= made)

    entries, made = _kept(os.path.join(directory, BESIDE))
    found = {name: entries[name].bounds for name in stats if holds(name, entries, made)}
    if len(found) == len(stats):
        return found
    cache = _cache(directory, folder)
    entries, _ = ({}, 0) if cache is None else _kept(str(cache))
    found |= {name: entries[name].bounds for name in stats if holds(name, entries, 0)}
    lacking = [name for name in stats if name not in found]
    if lacking:
        with ThreadPoolExecutor(8) as pool:
            scanned = pool.map(_made, [os.path.join(directory, name) for name in lacking])
            entries |= dict(zip(lacking, scanned, strict=True))
        with contextlib.suppress(OSError):
            if cache is not None:
                _write(cache, _packed(entries))
    return found | {name: entries[name].bounds for name in lacking}


def _cache(directory: str, folder: str | Path | None) -> Path | None:
    """The file for the index of a folder; None if the user has no folder for caches."""
    whole = directory if "://" in directory else os.path.realpath(directory)
    name = f"{os.path.basename(whole)}-{hashlib.sha256(os.fsencode(whole)).hexdigest()[:16]}.npz"
    if folder is not None:
        return Path(folder).expanduser() / name
    try:
        return user_folder() / name
    except RuntimeError:  # whoever runs this has no home
        return None


def _kept(path: str) -> tuple[dict[str, _Entry], int]:
    """What an index file holds, and its time of modification; nothing if there is none that can be read."""
    try:
        if not tf.io.gfile.exists(path):
            return {}, 0
        time = int(tf.io.gfile.stat(path).mtime_nsec)
        with tf.io.gfile.GFile(path, "rb") as file, np.load(file, allow_pickle=False) as found:
            names, sizes, times, flat = (found[key] for key in ("names", "sizes", "times", "bounds"))
            ends = np.cumsum(found["counts"])
        parts = np.split(flat, ends[:-1])
        entries = zip(sizes.tolist(), times.tolist(), parts, strict=True)
        return {name: _Entry(*entry) for name, entry in zip(names.tolist(), entries, strict=True)}, time
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, tf.errors.OpError):
        return {}, 0


def _packed(entries: Mapping[str, _Entry]) -> bytes:
    """The bytes of an index file."""
    file = io.BytesIO()
    np.savez(
        file,
        names=np.array(list(entries), np.str_),
        sizes=np.array([entry.size for entry in entries.values()], np.int64),
        times=np.array([entry.time for entry in entries.values()], np.int64),
        counts=np.array([len(entry.bounds) for entry in entries.values()], np.int64),
        bounds=np.concatenate([entry.bounds for entry in entries.values()]),
    )
    return file.getvalue()


def _write(path: Path, contents: bytes) -> None:
    """Writes a file beside its name, and renames it when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(contents)
        os.chmod(part, 0o644)  # a folder that was named may be shared
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise


def _made(path: str) -> _Entry:
    """The entry of a file, from its headers."""
    there = tf.io.gfile.stat(path)
    try:
        with _opened(path) as read:
            bounds, whole = _bounds(read, int(there.length))
            if not whole and len(bounds) == 2 and read(0, 2) in _COMPRESSED:
                raise ValueError(
                    f'compression: must be said, for {path} is compressed: "GZIP" or "ZLIB" reads it in '
                    "order; random access needs files without compression"
                )
    except tf.errors.UnimplementedError as error:
        raise NotIndexedError(f"the file system of {path} reads in order only") from error
    if not whole:
        tf.get_logger().warning(
            f"{path} is corrupt or cut off: where record {len(bounds) - 2} ends cannot be told, so it and "
            "all that follows count as one record, which cannot be read"
        )
    return _Entry(int(there.length), int(there.mtime_nsec) if whole else -1, bounds)


@contextlib.contextmanager
def _opened(path: str) -> Iterator[Read]:
    """What reads a file at any place."""
    if "://" in path:
        with tf.io.gfile.GFile(path, "rb") as file:

            def sought(offset: int, size: int) -> bytes:
                file.seek(offset)
                return file.read(size)

            yield sought
        return
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise NotIndexedError(f"{path} is no regular file")
    handle = os.open(path, os.O_RDONLY)
    try:
        yield lambda offset, size: os.pread(handle, size, offset)
    finally:
        os.close(handle)


def _bounds(read: Read, size: int) -> tuple[np.ndarray, bool]:
    """Where the records of a file begin and the last one ends, and whether all can be told."""
    bounds, headers, good = [0], bytearray(), 0
    window, start, length = b"", 0, 0
    while bounds[-1] < size:
        at = bounds[-1] - start
        if at + _HEADER > len(window):
            ahead = _AT_ONCE if length < _AT_ONCE // 64 else _HEADER
            window, start, at = read(bounds[-1], ahead), bounds[-1], 0
        header = window[at : at + _HEADER]
        length = int.from_bytes(header[:8], "little")
        end = bounds[-1] + length + FRAME
        if len(header) < _HEADER or end > size:
            break
        bounds.append(end)
        headers += header
        if len(headers) == _CHECKED * _HEADER:
            good += _good(headers)
            headers.clear()
            if good < len(bounds) - 1:
                break
    good += _good(headers)
    found = bounds[: good + 1]
    whole = found[-1] >= size
    return np.array(found if whole else [*found, size], np.int64), whole


def _good(headers: bytes | bytearray) -> int:
    """How many headers, one after the other, have the checksum of their length before one has not."""
    table = np.frombuffer(headers, np.uint8).reshape(-1, _HEADER)
    crc = np.full(len(table), 0xFFFFFFFF, np.uint32)
    for byte in table[:, :8].T:
        crc = _CRC[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc = ~crc
    masked = ((crc >> 15) | (crc << 17)) + np.uint32(0xA282EAD8)
    wrong = masked != table[:, 8:].copy().view("<u4")[:, 0]
    return int(np.argmax(wrong)) if wrong.any() else len(table)


def _crc_table() -> np.ndarray:
    """CRC-32C (Castagnoli, reflected polynomial 0x82F63B78) of each byte."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(0x82F63B78), table >> 1)
    return table.astype(np.uint32)


_CRC = _crc_table()
