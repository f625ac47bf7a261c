"""The images that the live page may show: an index made when it starts, addressed by number alone."""

import functools
import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

import augrng as ar
from pipelines.show.examples import SUFFIXES
from pipelines.show.pictures import UnreadableImageError, read_image
from pipelines.sources.listing import listed

MOST_SIDE = 1024  # of an image as it is kept, in pixels
_MOST_PIXELS = 64_000_000  # of an image file
_KEPT = 128  # images that are kept decoded


class Entry(NamedTuple):
    """One image.

    Attributes:
      root: the folder that it was found in.
      name: its path in there.
      id: a hash of the name.
      path: its file, all links followed; it lies in `root`.
    """

    root: str
    name: str
    id: int
    path: str


class Album:
    """Images by number; nothing but the files of its index is ever opened.

    Args:
      entries: the index, see `index`.
      shorter_side: larger images are shrunk until their shorter side has this many pixels.
    """

    def __init__(self, entries: Sequence[Entry], shorter_side: int) -> None:
        self.entries, self.shorter_side = tuple(entries), shorter_side
        self._decoding = threading.Lock()  # one at a time: a file may take a GB for a moment
        self._read = functools.lru_cache(maxsize=_KEPT)(self._decoded)

    def pixels(self, number: int) -> np.ndarray:
        """The image of this number, uint8[H, W, 3].

        Raises:
          IndexError: if there is none.
          UnreadableImageError: if its file is gone, has become a link, or is no image that can be shown.
        """
        if not 0 <= number < len(self.entries):
            raise IndexError(f"image: must be one of {len(self.entries)}, got {number}")
        with self._decoding:
            return self._read(number)

    def _decoded(self, number: int) -> np.ndarray:
        path = self.entries[number].path
        if os.path.realpath(path) != path or not os.path.isfile(path):
            raise UnreadableImageError("it is no longer the file that was there when the server started")
        with _opened(path) as opened:
            width, height = opened.size
            if opened.format == "EPS":
                raise UnreadableImageError("it is PostScript, a program, which is not run for a page")
        if width * height > _MOST_PIXELS:
            raise UnreadableImageError(f"it has {width}x{height} pixels, more than {_MOST_PIXELS:,}")
        picture = read_image(Path(path), shorter_side=self.shorter_side)
        picture.thumbnail((MOST_SIDE, MOST_SIDE), Image.Resampling.LANCZOS)
        pixels = np.asarray(picture)
        pixels.setflags(write=False)
        return pixels


def _opened(path: str) -> Image.Image:
    try:
        return Image.open(path)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UnreadableImageError(str(error)) from error


def index(paths: Iterable[Path]) -> tuple[list[Entry], list[str]]:
    """The images that files and folders hold, and those left out: links that lead out of their folder.

    An id is a hash of the path within the folder that was named (of its file name for a file), as of
    `augrng preview`.

    Raises:
      OSError: if a file or folder is not there or cannot be read.
      ValueError: if a folder holds a file that is no regular one, or a name that is not UTF-8.
    """
    found: list[tuple[str, str, str]] = []
    left_out = []
    for path in paths:
        if not path.is_dir():
            if not path.is_file():
                raise FileNotFoundError(f"images: must be a file or folder that exists, got {path}")
            found.append((str(path.parent), path.name, os.path.realpath(path)))
            continue
        root = os.path.realpath(path)
        for name in listed(root, sorted(SUFFIXES))[0]:
            file = os.path.realpath(os.path.join(root, name))
            if os.path.commonpath([root, file]) == root and os.path.isfile(file):
                found.append((root, name, file))
            else:
                left_out.append(str(path / name))
    ids = ar.string_ids([name for _, name, _ in found]).numpy() if found else []
    entries = [Entry(root, name, int(id_), file) for (root, name, file), id_ in zip(found, ids, strict=True)]
    return entries, left_out
