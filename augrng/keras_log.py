"""What a model is shown, in TensorBoard: a callback of Keras; `augrng.keras` has it by its name."""

import numbers
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf


class LogImages(keras.callbacks.Callback):
    """Writes augmented examples to TensorBoard at the beginning of epochs, each under its id.

    The tag "augrng/id 5" and the step, which is the epoch, are what `augrng replay --log "id 5 epoch 2"`
    takes. TensorFlow alone is needed to write them. The same 8 examples of a source in every epoch:

        options = {"batch_size": 8, "shuffle": False}
        make = lambda epoch: next(iter(pl.make_dataset(source.take(8), aug, only_epoch=epoch, **options)))
        model.fit(feed, epochs=90, callbacks=[LogImages("logs", make)])

    Args:
      log_dir: folder of the log.
      make: from an epoch to a batch of it, a dict with "image" [B, H, W, C], integers or floats in [0, 1],
        and "id" int64[B].
      every: how many epochs lie between those that are written.
      limit: how many examples are written at most.

    Raises:
      TypeError: if `make` cannot be called, or a number is no integer; when it runs, if a batch is no dict.
      ValueError: if a number is below 1; when it runs, if a batch has no "image" or "id".
    """

    def __init__(
        self,
        log_dir: str | Path,
        make: Callable[[int], Mapping[str, Any]],
        *,
        every: int = 1,
        limit: int = 8,
    ) -> None:
        super().__init__()
        if not callable(make):
            raise TypeError(f"make: must be a function from an epoch to a batch, got {make!r}")
        for name, value in (("every", every), ("limit", limit)):
            if isinstance(value, bool) or not isinstance(value, numbers.Integral):
                raise TypeError(f"{name}: must be an integer, got {value!r}")
            if value < 1:
                raise ValueError(f"{name}: must be at least 1, got {value}")
        self._make, self._every, self._limit = make, every, limit
        self._writer = tf.summary.create_file_writer(str(log_dir))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Writes, if it is an epoch's turn."""
        if epoch % self._every:
            return
        batch = self._make(epoch)
        if not isinstance(batch, Mapping):
            raise TypeError(f"make: must give a batch as a dict, got {type(batch).__name__}")
        for name in ("image", "id"):
            if name not in batch:
                raise ValueError(f'make: its batch must have "image" and "id", got {sorted(batch)}')
        images, ids = batch["image"][: self._limit], batch["id"][: self._limit]
        with self._writer.as_default():
            for image, id_ in zip(images, ids, strict=True):
                _write(f"augrng/id {int(id_)}", image, epoch)
        self._writer.flush()

    def on_train_end(self, logs: Any = None) -> None:
        """Leaves nothing unwritten."""
        self._writer.flush()


def _write(tag: str, image: Any, step: int) -> None:
    """Writes an image as TensorBoard's plugin for images reads it: width, height, PNG."""
    image = tf.convert_to_tensor(image)
    if image.dtype not in (tf.uint8, tf.uint16):
        image = tf.image.convert_image_dtype(image, tf.uint8, saturate=True)
    height, width = image.shape[:2]
    plugin = tf.compat.v1.SummaryMetadata.PluginData(plugin_name="images")
    metadata = tf.compat.v1.SummaryMetadata(plugin_data=plugin, data_class="DATA_CLASS_BLOB_SEQUENCE")
    value = tf.stack([str(width), str(height), tf.io.encode_png(image)])
    tf.summary.write(tag, value, step, metadata)
