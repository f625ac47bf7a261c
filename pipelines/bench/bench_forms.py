"""Contenders of augrng bench that read what augrng build wrote: smaller JPEGs, raw pixels.

They are built beside the inputs when they are first asked for.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import measuring
import tensorflow as tf
import tensorflow_datasets as tfds

import pipelines as pl
from pipelines.disk.build import Job, Plan
from pipelines.disk.shards import build

Run = Callable[[pl.Source], dict[str, Any]]


def of(row: str, run: Run) -> dict[str, Callable[[Path], dict[str, Any]]]:
    """The contenders of a row of JPEGs; `run` measures a source."""
    return {
        "augrng": lambda folder: run(as_it_is(folder / row)),
        "augrng, smaller": lambda folder: smaller(row, run, folder),
        "augrng, raw": lambda folder: raw(row, run, folder),
    }


def as_it_is(folder: Path) -> pl.Source:
    measuring.one_thread_an_image()
    return pl.from_folder(folder)


def smaller(row: str, run: Run, folder: Path) -> dict[str, Any]:
    """The same files made smaller; they are also put where albumentations finds them."""
    out, files = folder / f"{row}.built", folder / f"{row}.smaller"
    source = built(row, folder, out, shorter_side=measuring.SHORTER_SIDES[row])
    if not files.exists():
        files.mkdir()
        for number, record in enumerate(source.dataset()):
            (files / f"{number:04}.jpg").write_bytes(record["image"].numpy())
    return run(source)


def raw(row: str, run: Run, folder: Path) -> dict[str, Any]:
    """The same pixels, decoded beforehand."""
    return run(built(row, folder, folder / f"{row}.raw", pixels=True))


def built(row: str, folder: Path, out: Path, **form: Any) -> pl.Source:
    """A folder of JPEGs as `augrng build` writes it, with one thread an image from then on."""
    measuring.one_thread_an_image()
    tf.get_logger().setLevel("ERROR")
    if not (out / "manifest.json").exists():
        build(Job(Plan(f"folder:{folder / row}", **form)), out)
    return pl.from_tfds(tfds.builder_from_directory(out), id="id")
