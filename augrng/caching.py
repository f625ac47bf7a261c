"""What is kept on disk from one process to the next, in the user's folder for caches."""

import hashlib
import os
import platform
import shutil
from pathlib import Path

import tensorflow as tf
from tensorflow.python.eager import context

from augrng.compiled import stable_names
from augrng.kept import keep_in

_ROOM = 200 * 2**20  # bytes; a recipe's programs take about one million


def user_folder() -> Path:
    """The folder "augrng" in the user's folder for caches: `$XDG_CACHE_HOME`, or ~/.cache.

    Raises:
      RuntimeError: if the user has no home.
    """
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "augrng"


def keep_programs(folder: str | Path | None = None) -> Path:
    """Lets this process find compiled programs that an earlier one left, and leave its own.

    It turns on XLA's persistent cache, for everything in the process that is jit-compiled, and keeps graphs
    of what reads files (see `augrng.kept`). Of a recipe that was used before, the first batch then comes
    without compiling. Call it right after the imports: TensorFlow reads its flags once, when it first looks
    for devices or runs something. Where `TF_XLA_FLAGS` names such a cache already, that one stays.

    Programs are only good for one version of TensorFlow, one kind of processor and one set of `XLA_FLAGS`, so
    each such combination has a folder of its own within. Nothing is ever taken out: delete the folder
    when it has grown too large. Only use a folder that no one else can write to: what is in it is executed.

    For each program that is found TensorFlow logs "Error parsing text-format tensorflow.XlaSerialized...", as
    it tries to read the file as text first. Nothing is wrong then.

    Args:
      folder: where programs are kept; by default "augrng/programs" in the user's folder for caches. With no
        room for 200 MB or no right to write there, programs are only read.

    Returns:
      The folder that this process uses.

    Raises:
      RuntimeError: if TensorFlow has looked for devices or run something before.
      OSError: if the folder is not there and cannot be made.
      ValueError: if there are spaces in its path.
    """
    stable_names()
    given = os.environ.get("TF_XLA_FLAGS", "")
    for flag in given.split():
        name, _, value = flag.partition("=")
        if name == "--tf_xla_persistent_cache_directory" and value:
            keep_in(Path(value))
            return Path(value)
    _require_unread_flags()
    base = user_folder() / "programs" if folder is None else Path(folder).expanduser()
    where = base.absolute() / _machine()
    if len(str(where).split()) != 1:
        raise ValueError(
            f"folder: must have no spaces in its path, at which XLA parts its flags, got {where}"
        )
    where.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = f"{given} --tf_xla_persistent_cache_directory={where}"
    if not os.access(where, os.W_OK) or shutil.disk_usage(where).free < _ROOM:
        flags += " --tf_xla_persistent_cache_read_only"
    os.environ["TF_XLA_FLAGS"] = flags.strip()
    keep_in(where)
    return where


def _require_unread_flags() -> None:
    """Refuses to go on once TensorFlow has read its flags."""
    there = context.context_safe()
    if any(getattr(there, name, None) is not None for name in ("_physical_devices", "_context_handle")):
        raise RuntimeError(
            "keep_programs: must be called before TensorFlow looks for devices or runs anything, and it has; "
            "call it right after the imports, or set "
            "TF_XLA_FLAGS=--tf_xla_persistent_cache_directory=FOLDER before the program starts"
        )


def _machine() -> str:
    """Names what programs are good for."""
    processor = [platform.machine(), platform.processor()]
    about = Path("/proc/cpuinfo")
    if about.exists():
        lines = about.read_text().split("\n\n")[0].splitlines()
        processor = [
            line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))
        ]
    said = "\n".join(
        [tf.version.VERSION, tf.version.GIT_VERSION, os.environ.get("XLA_FLAGS", ""), *processor]
    )
    return hashlib.sha256(said.encode()).hexdigest()[:16]
