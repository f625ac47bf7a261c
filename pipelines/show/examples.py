"""Image files and folders as examples to be shown: of all classes, with what is known of each."""

import functools
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import tensorflow as tf
from PIL import Image
from tqdm import tqdm

import augrng as ar
from augrng.targets.base import has
from pipelines.images.decode import decode
from pipelines.show.pictures import UnreadableImageError, read_image
from pipelines.show.tiles import Row
from pipelines.sources.listing import listed
from pipelines.sources.source import IMAGE_SUFFIXES

SUFFIXES = {*IMAGE_SUFFIXES, ".tif", ".tiff"}
Made = TypeVar("Made")


class File(NamedTuple):
    """An image file.

    Attributes:
      path: of the file.
      name: what its id comes from: its path within the folder that was named, or the name of the file.
    """

    path: Path
    name: str

    @property
    def root(self) -> Path:
        """The folder that was named, or the one in which a named file lies."""
        return self.path.parents[self.name.count("/")]

    @property
    def label(self) -> Path:
        """Its class: the folder right below `root`, or `root`."""
        return self.root / self.name.partition("/")[0] if "/" in self.name else self.root


def image_files(path: Path) -> Iterator[File]:
    """The image files that `path` names, a folder or a file."""
    if path.is_dir():
        for name in listed(str(path), sorted(SUFFIXES))[0]:
            yield File(path / name, name)
    else:
        yield File(path, path.name)


def of_all_classes(files: list[File], limit: int) -> list[File]:
    """So many of the files in their order: as many of each class, drawn by their ids."""
    ids = ar.string_ids([file.name for file in files]).numpy() if files else []
    classes: dict[Path, list[int]] = {}
    for place in np.argsort(ids, kind="stable"):
        classes.setdefault(files[place].label, []).append(int(place))
    rounds = itertools.zip_longest(*(classes[key] for key in sorted(classes)))
    drawn = [place for one in rounds for place in one if place is not None]
    return [files[place] for place in sorted(drawn[:limit])]


def read_rows(
    files: list[File],
    read: Callable[[Path], np.ndarray],
    aug: ar.Compose,
    masks: Path | None,
    known: dict[str, Any],
    made: Callable[[File, Row], Made],
) -> tuple[list[Made], int]:
    """What is made of a row for each image that can be shown, and how many can not be; these are named.

    Args:
      files: of the images.
      read: gives the pixels of a file, or raises `UnreadableImageError`.
      aug: the recipe.
      masks: a folder with a mask for each image, or None.
      known: of the images by name: boxes, labels and the like.
      made: of a file and its row; a ValueError says that the recipe refuses it.
    """
    found = []
    for file in tqdm(files, desc="reading", unit=" images", leave=False):
        try:
            further = {key: as_array(key, value) for key, value in known.get(file.name, {}).items()}
            image = read(file.path)
            if masks is not None:
                further["mask"] = read_mask(masks, file.name)
            declared = {key: target for key, target in (aug.targets or {}).items() if has(further, key)}
            mine = aug if aug.targets is None else aug.with_targets(declared)
            found.append(made(file, Row(file.name, image, int(ar.string_ids(file.name)), mine, further)))
        except (UnreadableImageError, ValueError) as error:
            tqdm.write(f"preview: skipped {file.path}: {error}", file=sys.stderr)
    return found, len(files) - len(found)


def read_shrunk(path: Path, side: int) -> np.ndarray:
    """An image, shrunk until its shorter side has this many pixels; 0: as it is."""
    return np.asarray(read_image(path, shorter_side=side))


def read_as_trained(path: Path) -> np.ndarray:
    """An image as `make_dataset` decodes it to RGB, the same bits; of a TIFF, as Pillow does.

    Raises:
      UnreadableImageError: if it cannot be read.
    """
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        return np.asarray(read_image(path))
    try:
        return _decoded()(tf.constant(path.read_bytes())).numpy()
    except (OSError, tf.errors.OpError) as error:
        read_image(path)  # whose own words say more, if it cannot be read at all
        raise UnreadableImageError("Pillow can read it, but make_dataset refuses it as damaged") from error


@functools.cache
def _decoded() -> Any:
    return tf.function(decode, input_signature=[tf.TensorSpec([], tf.string)])


def read_mask(folder: Path, name: str) -> np.ndarray:
    """The mask of an image: the file of its name but for the suffix, grey values or places in its palette."""
    found = sorted(path for path in folder.glob(f"{Path(name).with_suffix('')}.*") if path.suffix in SUFFIXES)
    if len(found) != 1:
        raise UnreadableImageError(f"it must have one mask below {folder}, there are {len(found)}")
    with Image.open(found[0]) as opened:
        return np.asarray(opened if opened.mode == "P" else opened.convert("L"))[..., None]


def as_array(name: str, value: Any) -> np.ndarray:
    """A list of JSON; numbers as floats, but for labels."""
    array = np.asarray(value)
    return array if "label" in name or array.dtype.kind not in "iuf" else array.astype(np.float32)
