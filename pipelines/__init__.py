"""From records to batches."""

from pipelines.dataset import make_dataset as make_dataset
from pipelines.dataset import skipped_ids as skipped_ids
from pipelines.folder_source import from_folder as from_folder
from pipelines.keras_feed import KerasFeed as KerasFeed
from pipelines.keras_feed import for_keras as for_keras
from pipelines.memory_source import from_arrays as from_arrays
from pipelines.memory_source import from_idx as from_idx
from pipelines.sources import Source as Source
from pipelines.sources import duplicate_ids as duplicate_ids
from pipelines.sources import from_dataset as from_dataset
from pipelines.sources import from_tfrecords as from_tfrecords
from pipelines.tfds_source import from_tfds as from_tfds
