"""Augmentation as a Keras layer."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from augrng import arguments
from augrng.compose import Compose, from_json
from augrng.output import Output

_NAMES = ("image", "id", "epoch")


@keras.saving.register_keras_serializable(package="augrng")
class Augment(keras.layers.Layer):
    """Augments when it trains, and gives the evaluation form otherwise.

    The pixels are those of `aug(images, ids, epoch)`: the same as in `Dataset.map`, whatever the batch, under
    `jit_compile=True` and after saving and loading. The layer needs Keras' TensorFlow backend; on the others
    augment in the pipeline.

    Inputs are a dict of "image" [B, H, W, C], "id" int64[B] and "epoch" int64[B] or int64[], as the batches
    of `pipelines.make_dataset` are; other entries are not looked at. Or images alone: the layer then numbers
    the examples that it has trained on, in a variable that is saved with the model. An example's number
    depends on the order in which examples come, so pixels are then reproducible only if batches are.

    Args:
      aug: a `Compose`, or its JSON.
      evaluation: what is done when it does not train: a `Compose`, its JSON, or None for `aug.evaluation()`:
        crops from the centre, no flip, no rotation.
      output: "same" for pixels as they come; "unit" for floats in [0, 1], or normalised by `mean` and `std`,
        of the layer's compute dtype; see `augrng.output.Output`.
      mean: what is subtracted, in [0, 1], one number or one for each channel.
      std: what it is divided by.
      **kwargs: of `keras.layers.Layer`.

    Raises:
      RuntimeError: if Keras runs on another backend.
      TypeError: when called, if ids or images are of a dtype that `Compose` refuses.
      ValueError: if an argument is out of range; if evaluation makes images of another size than training;
        when called, if an input is missing or an image has another size than the layer was built for.
    """

    def __init__(
        self,
        aug: Compose | str,
        evaluation: Compose | str | None = None,
        *,
        output: str = "same",
        mean: float | tuple[float, ...] = 0.0,
        std: float | tuple[float, ...] = 1.0,
        **kwargs: Any,
    ) -> None:
        if keras.backend.backend() != "tensorflow":
            raise RuntimeError(
                f"augrng.keras: needs Keras' TensorFlow backend, got {keras.backend.backend()}; augment in "
                "the tf.data pipeline instead"
            )
        super().__init__(autocast=False, **kwargs)
        self.aug = from_json(aug) if isinstance(aug, str) else aug
        self.evaluation = from_json(evaluation) if isinstance(evaluation, str) else evaluation
        self.output_form = Output(output, mean, std)
        self._evaluated = self.evaluation or self.aug.evaluation()
        self._size: tuple[int | None, int | None] | None = None

    def build(self, input_shape: Any) -> None:
        shape = input_shape["image"] if isinstance(input_shape, Mapping) else input_shape
        self._size = (shape[1], shape[2])
        trained, evaluated = self._after(self.aug), self._after(self._evaluated)
        if trained != evaluated:
            raise ValueError(
                f"evaluation: must make images of the size that training makes, {trained}, got {evaluated} "
                f"from images of {self._size}; give an evaluation recipe"
            )
        self.seen = self.add_weight(
            name="seen", shape=(), dtype="int64", initializer="zeros", trainable=False, autocast=False
        )
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        images, ids, epoch = self._examples(inputs)
        if training:
            if ids is None:
                count = tf.shape(images, tf.int64)[0]
                ids, epoch = self.seen.value + tf.range(count), tf.constant(0, tf.int64)
                self.seen.assign_add(count)
            images = self.aug(images, ids, epoch)
        elif self._evaluated is not None:
            images = self._evaluated(images, tf.zeros(tf.shape(images)[:1], tf.int64), 0)
        return self.output_form(images, self.compute_dtype)

    def compute_output_spec(self, inputs: Any, training: bool = False) -> keras.KerasTensor:
        images, _, _ = self._examples(inputs)
        dtype = images.dtype if self.output_form.range == "same" else self.compute_dtype
        return keras.KerasTensor(self.compute_output_shape(images.shape), dtype=dtype)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        shape = input_shape["image"] if isinstance(input_shape, Mapping) else input_shape
        return (shape[0], *self._after(self.aug, shape[1:3]), shape[3])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "aug": self.aug.to_json(),
            "evaluation": self.evaluation and self.evaluation.to_json(),
            "output": self.output_form.range,
            "mean": self.output_form.mean,
            "std": self.output_form.std,
        }

    def _after(self, aug: Compose | None, size: Any = None) -> tuple[int | None, int | None]:
        """Height and width of what a recipe makes; None where it depends on what is not known."""
        height, width = size or self._size or (None, None)
        if aug is None:
            return height, width
        if aug.output_size is not None or height is None or width is None:
            return aug.output_size or (None, None)
        return aug.size_after(height, width)

    def _examples(self, inputs: Any) -> tuple[Any, Any, Any]:
        if not isinstance(inputs, Mapping):
            images, ids, epoch = inputs, None, None
        else:
            missing = [name for name in _NAMES if name not in inputs]
            if missing:
                raise ValueError(
                    f"inputs: must be images, or a dict with {_NAMES}, got one with {tuple(inputs)}; "
                    f"{missing} is missing"
                )
            images, ids, epoch = (inputs[name] for name in _NAMES)
            for name, value in (("id", ids), ("epoch", epoch)):
                if "int" not in keras.backend.standardize_dtype(value.dtype):
                    raise TypeError(f"inputs[{name!r}]: must hold integers, got {value.dtype}")
        if not isinstance(images, keras.KerasTensor):
            images = arguments.images(images)
        size = tuple(images.shape[1:3])
        if self._size is not None and any(a and b and a != b for a, b in zip(size, self._size, strict=True)):
            raise ValueError(f"inputs: the layer was built for images of {self._size}, got {size}")
        return images, ids, epoch
