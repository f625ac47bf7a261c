"""The second half of a pipeline on a device: keys, params, warp and output as one program there.

The host reads and decodes; bytes go over, and the pixels are those that the host would have made. While the
caller works on a batch, the next one is on its way.
"""

from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

import augrng as ar
from augrng.chain import Work
from augrng.output import Output
from augrng.render import columns_of, power_above
from augrng.transforms import Params
from pipelines.sources.source import Record


class OnDevice:
    """Batches of a host's dataset, augmented on a device; iterate it as often as wanted.

    Keras' `fit` takes `pipelines.for_keras(..., device=)`; or augment in the model, by
    `augrng.keras.Augment`.

    Args:
      batches: dicts of tensors [B, ...] with what `augment` needs.
      augment: makes "image" of a batch, in tensor operations that XLA compiles.
      moved: the entries that `augment` takes; they alone go over, and are not given on.
      device: "GPU:0", "CPU:0" or the like.

    Raises:
      ValueError: if there is no such device.
    """

    def __init__(
        self,
        batches: tf.data.Dataset,
        augment: Callable[[Record], tf.Tensor],
        moved: tuple[str, ...],
        device: str,
    ) -> None:
        self.device = found_device(device)
        self._batches, self._moved = batches, moved
        self._augment = tf.function(augment, jit_compile=True, autograph=False)

    def __iter__(self) -> Iterator[Record]:
        ahead: Record | None = None
        for batch in self._batches:
            with tf.device(self.device):
                taken = {name: batch[name] for name in self._moved}
                image = self._augment(tf.nest.map_structure(tf.identity, taken))
            current = {**{name: v for name, v in batch.items() if name not in _ONLY_MOVED}, "image": image}
            if ahead is not None:
                yield ahead
            ahead = current
        if ahead is not None:
            yield ahead

    @property
    def features(self) -> dict[str, Any]:
        """What a batch has, by name; what describes "image" is that of what goes over."""
        spec = self._batches.element_spec
        return {name: part for name, part in spec.items() if name not in _ONLY_MOVED}

    def __len__(self) -> int:
        """How many batches there are; TypeError if that is not known or has no end."""
        return len(self._batches)


_ONLY_MOVED = ("map", "size", "borders", "columns", "rest")


def of_pixels(aug: ar.Compose, output: Output) -> tuple[Callable[[Record], tf.Tensor], tuple[str, ...]]:
    """What augments batches of images of one size, and what it takes."""

    def augment(batch: Record) -> tf.Tensor:
        return output(aug(batch["image"], batch["id"], batch["epoch"]))

    def render(batch: Record) -> tf.Tensor:
        return output(aug.program.rendered(batch["image"], batch["id"], Work(batch["map"], batch["rest"])))

    if aug.program.needs_boxes:  # which are moved by then
        return render, ("image", "id", "map", "rest")
    return augment, ("image", "id", "epoch")


def of_rows(aug: ar.Compose, output: Output) -> tuple[Callable[[Record], tf.Tensor], tuple[str, ...]]:
    """What renders batches of decoded parts, [B, N, C] of `as_rows`, and what it takes."""

    def augment(batch: Record) -> tf.Tensor:
        return output(aug.program.render_rows(batch["image"], *(batch[name] for name in _ONLY_MOVED)))

    return augment, ("image", *_ONLY_MOVED)


def as_rows(image: tf.Tensor, map_: tf.Tensor, borders: tf.Tensor, rest: tuple[Params, ...]) -> Record:
    """A decoded part [h, w, C], its map, borders and draws as what goes over: its pixels in one row."""
    return {
        "image": tf.reshape(image, [-1, image.shape[-1]]),
        "map": map_,
        "size": tf.shape(image, tf.int64)[:2],
        "borders": borders,
        "rest": rest,
    }


def padded_rows(aug: ar.Compose, batch: dict[str, Any]) -> Record:
    """A batch of `as_rows`, the ragged pixels as [B, N, C], N a power of two: so few programs serve all."""
    rows = batch["image"]
    length = power_above(tf.cast(tf.maximum(tf.reduce_max(rows.row_lengths()), 1), tf.int32), 0)
    columns = columns_of(batch["size"]) if aug.program.antialias == "exact" else tf.zeros([0], tf.int32)
    return {
        **batch,
        "columns": columns,
        "image": rows.to_tensor(shape=tf.stack([-1, length, rows.shape[-1]])),
    }


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
