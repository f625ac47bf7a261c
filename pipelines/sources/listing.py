"""Which files below a folder are images: a list that is the same everywhere, made without opening a file."""

import os
import stat
from collections.abc import Iterator, Sequence

_NOT_EXAMPLES = ("__MACOSX",)  # what macOS puts beside the files of an archive


def listed(root: str, suffixes: Sequence[str]) -> tuple[list[str], list[str]]:
    """The files with one of the suffixes below a folder, and the names of its subfolders, both sorted.

    Hidden files and folders (a leading dot, `__MACOSX`) are passed over. Links are followed, but for those
    that lead back to a folder they lie in. A link that leads nowhere counts as a file, and fails when read.

    Args:
      root: the folder.
      suffixes: in lower case, with the dot.

    Returns:
      Paths relative to the folder, with slashes; and the names of the folders in it, empty ones too.

    Raises:
      OSError: for a folder that cannot be read; names it.
      ValueError: for a file that is no regular file (reading a FIFO would wait for ever), or a name that is
        not UTF-8; names it.
    """
    files, folders = [], []
    ends = tuple(suffixes)
    for path, is_folder in _walk(root, "", (_identity(root),)):
        if is_folder:
            if "/" not in path:
                folders.append(path)
        elif path.lower().endswith(ends):
            files.append(path)
    for path in (*files, *folders):
        if not path.isascii():
            _check_name(root, path)
    return sorted(files), sorted(folders)


def _walk(folder: str, prefix: str, above: tuple[tuple[int, int], ...]) -> Iterator[tuple[str, bool]]:
    """What lies below a folder: paths behind `prefix`, and whether each is a folder."""
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name[0] == "." or name in _NOT_EXAMPLES:
                continue
            path = prefix + name
            if _is_file(entry):
                yield path, False
            elif entry.is_dir():
                identity = _identity(entry.path)
                if identity not in above:
                    yield path, True
                    yield from _walk(entry.path, path + "/", (*above, identity))
            else:
                _check_kind(entry)
                yield path, False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link that leads to itself fails when it is read
        return True


def _identity(folder: str) -> tuple[int, int]:
    found = os.stat(folder)
    return found.st_dev, found.st_ino


def _check_kind(entry: os.DirEntry[str]) -> None:
    try:
        kind = stat.S_IFMT(entry.stat().st_mode)
    except OSError:  # a link that leads nowhere
        return
    names = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}
    raise ValueError(
        f"folder: its files must be regular ones, {entry.path} is {names.get(kind, 'a device')}; move it away"
    )


def _check_name(root: str, path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"folder: names of files must be UTF-8, got {os.fsencode(path)!r} in {root}; rename it"
        ) from error
