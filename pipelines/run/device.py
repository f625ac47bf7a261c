"""The second half of a pipeline on a device: keys, params, warp and output as one program there.

The host reads and decodes; bytes go over, and the pixels are those that the host would have made. While the
caller works on a batch, the next one is on its way.
"""

from collections.abc import Iterator
from typing import Any

import tensorflow as tf

import augrng as ar
from augrng.compiled import compiled
from augrng.finishing import finished
from augrng.output import Output
from pipelines.sources.source import Record


class OnDevice:
    """Batches of a host's dataset, augmented on a device; iterate it as often as wanted.

    Keras' `fit` takes `pipelines.for_keras(..., device=)`; or finish in the model, by `augrng.keras.Finish`.

    Args:
      batches: dicts, whose "image" is packed as `augrng.finishing` takes it; that alone goes over.
      aug: the recipe that they are packed for.
      output: range and dtype of what comes out.
      device: "GPU:0", "CPU:0" or the like.

    Raises:
      ValueError: if there is no such device.
    """

    def __init__(self, batches: tf.data.Dataset, aug: ar.Compose, output: Output, device: str) -> None:
        self.device = found_device(device)
        self._batches = batches
        self._finish = compiled(lambda image: output(finished(aug, image)), reduce_retracing=False)

    def __iter__(self) -> Iterator[Record]:
        ahead: Record | None = None
        for batch in self._batches:
            with tf.device(self.device):
                image = self._finish(tf.nest.map_structure(tf.identity, batch["image"]))
            current = {**batch, "image": image}
            if ahead is not None:
                yield ahead
            ahead = current
        if ahead is not None:
            yield ahead

    @property
    def features(self) -> dict[str, Any]:
        """What a batch has, by name; what describes "image" is that of what goes over."""
        return self._batches.element_spec

    def __len__(self) -> int:
        """How many batches there are; TypeError if that is not known or has no end."""
        return len(self._batches)


def found_device(name: str) -> str:
    """The full name of a device.

    Raises:
      ValueError: if there is no such device; says which there are.
    """
    there = [device.name for device in tf.config.list_logical_devices()]
    wanted = name.upper().lstrip("/").removeprefix("DEVICE:")
    for device in there:
        if device.upper() == f"/DEVICE:{wanted}":
            return device
    raise ValueError(f"device: must be one of {[d.removeprefix('/device:') for d in there]}, got {name!r}")
