"""From records to batches.

Sources: from_folder, from_arrays, from_idx, from_tfds, from_tfrecords, from_coco, from_dataset, Source,
  duplicate_ids
Batches: make_dataset, skipped_ids
For Keras: for_keras, KerasFeed
"""

import importlib
from typing import TYPE_CHECKING, Any

import pipelines.disk.cache  # noqa: F401  what Source.cache calls
from pipelines.run.dataset import make_dataset as make_dataset
from pipelines.run.dataset import skipped_ids as skipped_ids
from pipelines.sources.coco import from_coco as from_coco
from pipelines.sources.folder import from_folder as from_folder
from pipelines.sources.memory import from_arrays as from_arrays
from pipelines.sources.memory import from_dataset as from_dataset
from pipelines.sources.memory import from_idx as from_idx
from pipelines.sources.source import Source as Source
from pipelines.sources.source import duplicate_ids as duplicate_ids
from pipelines.sources.tfrecord import from_tfrecords as from_tfrecords
from pipelines.train.keras_feed import KerasFeed as KerasFeed
from pipelines.train.keras_feed import for_keras as for_keras

__all__ = [  # noqa: RUF022  in the groups of the docstring
    "from_folder", "from_arrays", "from_idx", "from_tfds", "from_tfrecords", "from_coco", "from_dataset",
    "Source", "duplicate_ids",
    "make_dataset", "skipped_ids",
    "for_keras", "KerasFeed",
]  # fmt: skip

if TYPE_CHECKING:
    from pipelines.sources.tfds import from_tfds as from_tfds


def __getattr__(name: str) -> Any:
    """`from_tfds`, when it is asked for: TensorFlow Datasets takes half a second to import."""
    if name != "from_tfds":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return importlib.import_module(f"{__name__}.sources.tfds").from_tfds
    except ModuleNotFoundError as error:
        raise ImportError(
            f"{__name__}.{name}: needs {error.name}: pip install 'augrng[pipelines]'"
        ) from error


def __dir__() -> list[str]:
    return list(__all__)
