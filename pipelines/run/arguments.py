"""What users pass to make a dataset, looked at before anything is built.

Each mistake is an error that names the argument, the rule, what came and what to do.
"""

import numbers
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import augrng as ar
from augrng.output import Output
from augrng.transforms import Transform
from pipelines.sources.source import Source

_OR_NONE = {"epochs": " or None for no end", "channels": " or None for the source's"}


def checked(source: Any, aug: Any, output: Any, **integers: Any) -> Output:
    """Refuses what is no source, no recipe, no output range or no integer.

    Args:
      source: must be a `Source`.
      aug: must be a `Compose`.
      output: an `Output`, or the name of one of its ranges.
      integers: by their names; those of `_OR_NONE` may be None.

    Returns:
      The output.

    Raises:
      TypeError: if something is of the wrong type.
      ValueError: if there is no such output range.
    """
    if not isinstance(source, Source):
        raise TypeError(f"source: must be a source, got {described(source)}; {_source_of(source)}")
    if not isinstance(aug, ar.Compose):
        raise TypeError(f"aug: must be an augrng.Compose, got {described(aug)}; {_recipe_of(aug)}")
    for name, value in integers.items():
        if value is not None or name not in _OR_NONE:
            integer(value, name, _OR_NONE.get(name, ""))
    return Output.of(output)


def integer(value: Any, name: str, otherwise: str = "") -> int:
    """An integer that is one: 1.0 and True are refused."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Integral):
        do = f"; pass {int(value)}" if isinstance(value, float) and value.is_integer() else ""
        raise TypeError(f"{name}: must be an integer{otherwise}, got {described(value)}{do}")
    return int(value)


def writable(path: str | Path, name: str) -> None:
    """Refuses a file that cannot be written; one that is not there is made, empty."""
    try:
        with open(path, "ab"):
            pass
    except OSError as error:
        raise OSError(
            error.errno, f"{name}: must be a file that can be written ({error.strerror})", str(path)
        ) from error


def check_sizes(source: Source, aug: ar.Compose, image: tf.TensorSpec) -> None:
    """Refuses a recipe whose output has no one size, or that refuses the one size of a source's images.

    Raises:
      ValueError: says what to do.
    """
    known = image.dtype != tf.string and image.shape[:2].is_fully_defined()
    if not known and aug.output_size is None:
        raise ValueError(
            f"aug: its output must have a fixed size, as the images of {source.name} may have several; add a "
            "crop or a resize to the recipe"
        )
    if known:
        height, width = image.shape[:2]
        broken = int(aug.program.first_broken(tf.constant([[height, width]], tf.int64))[0])
        if broken < len(aug.program.rules):
            raise ValueError(
                f"aug: {aug.program.rules[broken]}, and all images of {source.name} are {height}x{width}; "
                "change the recipe, or resize first"
            )


def warn_of_nothing(size: int | None, epochs: int | None, batch_size: int, drop_remainder: bool) -> None:
    """Warns where all examples together are fewer than a batch, and short batches are dropped."""
    if drop_remainder and size is not None and epochs is not None and size * epochs < batch_size:
        warnings.warn(
            f"batch_size: {batch_size} examples are more than the {size * epochs} there are, and with "
            "drop_remainder=True not one batch comes; take smaller batches, or drop_remainder=False",
            stacklevel=4,  # whoever calls `make_dataset`, which is wrapped
        )


def described(value: Any) -> str:
    """A value in few words: its type, and what it is if that is short."""
    kind = type(value).__name__
    if value is None:
        return "None"
    if isinstance(value, (np.ndarray, tf.Tensor)):
        return f"{kind} {np.dtype(getattr(value.dtype, 'as_numpy_dtype', value.dtype)).name}{value.shape}"
    text = repr(value)
    return f"{kind} {text}" if len(text) <= 60 else f"{kind} {text[:57]}..."


def _source_of(value: Any) -> str:
    if isinstance(value, tf.data.Dataset):
        return "make one with pipelines.from_dataset(dataset, id=...)"
    if isinstance(value, (str, Path)):
        return f"make one with pipelines.from_folder({str(value)!r}) or the like"
    if isinstance(value, (list, tuple, Mapping, np.ndarray, tf.Tensor)):
        return "make one with pipelines.from_arrays(images, labels, ids)"
    return "make one with pipelines.from_folder, from_arrays, from_tfds, ..."


def _recipe_of(value: Any) -> str:
    if isinstance(value, Transform):
        return f"put it into one: Compose([{value!r}], seed=...)"
    if isinstance(value, (list, tuple)):
        return "put them into one: Compose([...], seed=...)"
    if value is None:
        return "without augmentation, give what makes the images of one size: Compose([CenterCrop(224, 224)])"
    if isinstance(value, str):
        return "of JSON make one with augrng.from_json"
    return "make one with Compose([...], seed=...)"
