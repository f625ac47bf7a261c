"""Folders of image files as sources."""

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

import augrng as ar
from pipelines.sources.listing import listed
from pipelines.sources.source import IMAGE_SUFFIXES, Record, Source


def from_folder(
    folder: str | Path,
    *,
    masks: str | Path | None = None,
    class_names: Sequence[str] | None = None,
    suffixes: Sequence[str] = IMAGE_SUFFIXES,
) -> Source:
    """Image files below a folder, with random access; a class for each subfolder.

    A record has "image" (the file's bytes), "path" (relative, with slashes), "id" (its `string_ids`) and,
    if the images lie in subfolders, "label", the place of the first part of the path among `class_names`.
    Hidden files and folders are passed over; see `pipelines.sources.listing`.

    Args:
      folder: of the images; subfolders are walked, "~" is the user's home.
      masks: a folder with a mask for each image, under the same path but for the suffix ("a/1.jpg" and
        "a/1.png"). A record then has "mask", the file's bytes.
      class_names: of the labels, in their order: another source's, so that a label means the same in both.
        By default the names of all subfolders, sorted, whether they hold images or not.
      suffixes: of the files to take, in lower case.

    Raises:
      FileNotFoundError: if there is no such folder.
      PermissionError: if a folder cannot be read.
      TypeError: if `class_names` are no strings.
      ValueError: if it holds no image, some images lie in subfolders and some do not, or `class_names` lack
        the class of an image; if an image has no mask, or several; for a name that is not UTF-8, or a file
        that is no regular file.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(f"folder: must be a folder that exists, got {root}")
    paths, folders = listed(str(root), suffixes)
    if not paths:
        raise ValueError(f"folder: must hold images ({', '.join(suffixes)}), found none below {root}")
    tops = [path.partition("/")[0] for path in paths]
    flat = [top == path for top, path in zip(tops, paths, strict=True)]
    if any(flat) and not all(flat):
        stray = paths[flat.index(True)]
        raise ValueError(f"folder: all images must lie in subfolders (one a class) or none; {stray} does not")
    classes = _classes(root, class_names, [] if all(flat) else sorted(set(tops)), folders)
    columns = {"path": tf.constant(paths), "id": ar.string_ids(paths)}
    if classes:
        places = {name: place for place, name in enumerate(classes)}
        columns["label"] = tf.constant([places[top] for top in tops], tf.int64)
    if masks is not None:
        columns["mask"] = tf.constant(_masks(Path(masks).expanduser(), paths))
    prefix = f"{root}/"

    def records(indices: tf.Tensor) -> Record:
        return {name: tf.gather(column, indices) for name, column in columns.items()}

    def load(record: Record) -> Record:
        read = {"mask": tf.io.read_file(record["mask"])} if masks is not None else {}
        return {**record, **read, "image": tf.io.read_file(prefix + record["path"])}

    return Source(f"folder {root}", len(paths), records=records, load=load, class_names=classes)


def _masks(root: Path, paths: Sequence[str]) -> list[str]:
    """The file of each image's mask."""
    if not root.is_dir():
        raise FileNotFoundError(f"masks: must be a folder that exists, got {root}")
    there: dict[str, list[str]] = {}
    for path in listed(str(root), IMAGE_SUFFIXES)[0]:
        there.setdefault(path.rpartition(".")[0], []).append(path)
    found = []
    for path in paths:
        of_path = there.get(path.rpartition(".")[0], [])
        if len(of_path) != 1:
            raise ValueError(
                f"masks: must hold one mask for each image, under the same path but for the suffix; for "
                f"{path} there are {of_path or 'none'} below {root}"
            )
        found.append(f"{root}/{of_path[0]}")
    return found


def _classes(
    root: Path, class_names: Sequence[str] | None, used: list[str], folders: list[str]
) -> tuple[str, ...]:
    """The names of the labels, those in use being `used`."""
    if class_names is None:
        return tuple(folders) if used else ()
    if isinstance(class_names, str) or not all(isinstance(name, str) for name in class_names):
        raise TypeError(f"class_names: must be a list of strings, got {class_names!r}")
    names = tuple(class_names)
    if len(set(names)) < len(names):
        raise ValueError(f"class_names: must name each class once, got {list(names)}")
    if not used:
        raise ValueError(f"class_names: need subfolders, one a class; the images of {root} lie in none")
    lacking = [name for name in used if name not in names]
    if lacking:
        raise ValueError(
            f"class_names: must hold the class of each image of {root}, {lacking} are not in {list(names)}; "
            "add them to the list that all parts of the data share, or move their folders away"
        )
    return names
