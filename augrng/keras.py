"""Augmentation as Keras layers: in the model, or its second half there."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from augrng import arguments
from augrng.compose import Compose
from augrng.converting import unconverted
from augrng.keras_base import RecipeLayer
from augrng.keras_finish import Finish as Finish
from augrng.keras_log import LogImages as LogImages
from augrng.keras_names import ADDED, format_of, masks_turned, shapes_of, targets_in, turned
from augrng.targets import Target
from augrng.targets.base import found, has, names_in, put
from augrng.targets.shapes import shapes_after
from augrng.transforms import Pad

_NAMES = ("image", "id", "epoch")


@keras.saving.register_keras_serializable(package="augrng")
class Augment(RecipeLayer):
    """Augments when it trains, and gives the evaluation form otherwise.

    As for Keras' own augmentation layers, `training` left out means that it trains; `fit`, `evaluate` and
    `predict` say it.

    The pixels are those of `aug(images, ids, epoch)`: the same as in `Dataset.map`, whatever the batch, under
    `jit_compile=True` and after saving and loading. The layer needs Keras' TensorFlow backend; on the others
    augment in the pipeline.

    Inputs are a dict of "image" [B, H, W, C], "id" int64[B] and "epoch" int64[B] or int64[], as the batches
    of `pipelines.make_dataset` are, or of one example, [H, W, C] and scalars. These three give the augmented
    images; if there are other entries, the dict comes back with them: the recipe's targets moved, the rest
    unchanged. Or images alone, as a tensor or as Keras' {"images": ..., "labels": ..., "bounding_boxes":
    {"boxes": ..., "labels": ...}, "segmentation_masks": ...}, which comes back as a dict: the layer then
    numbers the examples that it has trained on, in a variable that is saved with the model. An example's
    number depends on the order in which examples come, so pixels are then reproducible only if batches are.
    Where the order is nobody's, in `Dataset.map` and on the replicas of a `tf.distribute` strategy, ids must
    be given.

    Boxes come out in as many rows as `max_boxes` of the recipe says, or else as come in; what is left over is
    padding, which a label of -1 says, and, but for Keras' "bounding_boxes", an entry "NAME_valid".

    A model is exported with `training` left out, with Keras' layers as with this one: to serve the evaluation
    form, export `keras.Model(inputs, model(inputs, training=False))`.

    Keras makes float32 of uint8 images unless the model begins with `keras.Input(shape, dtype="uint8")`; then
    output="unit" needs scale=255.

    Args:
      aug: a `Compose`, or its JSON.
      evaluation: what is done when it does not train: a `Compose`, its JSON, or None for `aug.evaluation()`:
        crops from the centre, no flip, no rotation.
      output: "same" for pixels as they come; "unit" for floats in [0, 1], or normalised by `mean` and `std`,
        of the layer's compute dtype; see `augrng.output.Output`.
      mean: what is subtracted, in [0, 1], one number or one for each channel.
      std: what it is divided by.
      scale: with "unit", the value of white in the images: needed if they are floats.
      data_format: "channels_last" or "channels_first", of images and of masks with channels, in and out;
        None for `keras.config.image_data_format()`.
      bounding_box_format: of Keras' "bounding_boxes", as Keras' layers name it: "xyxy", "rel_xyxy", "xywh",
        "center_xywh", "yxyx", "rel_yxyx", ...
      **kwargs: of `keras.layers.Layer`.

    Raises:
      RuntimeError: if Keras runs on another backend.
      TypeError: when called, if ids or images are of a dtype that `Compose` refuses.
      ValueError: if an argument is out of range or the recipe mixes examples; if evaluation makes images of
        another size than training; when called, if an input is missing, a target breaks a rule of its own,
        how many boxes come out is not known, "bounding_boxes" come without a format, if an image has another
        size than the layer was built for, or if images are to be numbered where that has no meaning.
    """

    def __init__(
        self,
        aug: Compose | str,
        evaluation: Compose | str | None = None,
        *,
        output: str = "same",
        mean: float | tuple[float, ...] = 0.0,
        std: float | tuple[float, ...] = 1.0,
        scale: float | None = None,
        data_format: str | None = None,
        bounding_box_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(aug, evaluation, output, mean, std, scale, **kwargs)
        self.data_format = data_format or keras.config.image_data_format()
        if self.data_format not in ("channels_last", "channels_first"):
            raise ValueError(
                f'data_format: must be "channels_last" or "channels_first", got {self.data_format!r}'
            )
        self.bounding_box_format = bounding_box_format
        self._format = format_of(bounding_box_format)
        self._size: tuple[int | None, int | None] | None = None

    def build(self, input_shape: Any) -> None:
        self._size = self._height_width(_image_of(input_shape))
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

    @unconverted
    def call(self, inputs: Any, training: bool = True) -> Any:
        images, ids, epoch = self._examples(inputs)
        first, targets = self.data_format == "channels_first", self._targets(inputs)
        images = arguments.images(turned(images, to_last=True) if first else images)
        if training and ids is None:
            ids, epoch = self._numbers(images), tf.constant(0, tf.int64)
        aug = self.aug if training else self._evaluated
        if not training:
            ids, epoch = tf.zeros(tf.shape(images)[:-3], tf.int64), 0
        if targets:
            example = masks_turned({**inputs, "image": images}, targets, to_last=True) if first else inputs
            aug = (aug or Compose([Pad(0)], seed=0)).with_targets(targets)
            inputs = aug({**example, "image": images}, ids, epoch)
            images = inputs["image"]
            inputs = masks_turned(inputs, targets, to_last=False) if first else inputs
        elif aug is not None:
            images = aug(images, ids, epoch)
        images = self.output_form(images, self.compute_dtype)
        return _handed_through(inputs, turned(images, to_last=False) if first else images)

    def compute_output_spec(self, inputs: Any, training: bool = True) -> Any:
        images, _, _ = self._examples(inputs)
        image = keras.KerasTensor(self._shape_after(images.shape), dtype=self._dtype_after(images.dtype))
        targets = self._targets(inputs)
        if not targets:
            return _handed_through(inputs, image)
        after = self._target_shapes(shapes_of(inputs), targets)
        for name in names_in(after):
            like = next((n for n in (name, name.removesuffix("_corners")) if has(inputs, n)), None)
            kind = found(inputs, like).dtype if like else "bool"
            inputs = put(inputs, name, keras.KerasTensor(found(after, name), dtype=kind))
        return _handed_through(inputs, image)

    def _targets(self, inputs: Any) -> dict[str, Target]:
        """The targets among the inputs, or among their shapes."""
        if not isinstance(inputs, Mapping):
            return {}
        return targets_in(self.aug, shapes_of(inputs), self._format)

    def _target_shapes(self, shapes: dict[str, Any], targets: Mapping[str, Target]) -> dict[str, Any]:
        """The shapes of inputs with those of the targets as they come out."""
        image = tuple(_image_of(shapes))
        size = self._height_width(self._shape_after(image))
        if self.data_format == "channels_last":
            return shapes_after(shapes, targets, size, single=len(image) == 3)
        last = masks_turned(shapes, targets, to_last=True)
        return masks_turned(shapes_after(last, targets, size, len(image) == 3), targets, to_last=False)

    def compute_output_shape(self, input_shape: Any) -> Any:
        shape, targets = self._shape_after(_image_of(input_shape)), self._targets(input_shape)
        if targets:
            input_shape = self._target_shapes(shapes_of(input_shape), targets)
        return _handed_through(input_shape, shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "data_format": self.data_format,
            "bounding_box_format": self.bounding_box_format,
        }

    def _height_width(self, shape: Any) -> tuple[int | None, int | None]:
        places = slice(-2, None) if self.data_format == "channels_first" else slice(-3, -1)
        return tuple(shape)[places]

    def _shape_after(self, shape: Any) -> tuple[int | None, ...]:
        shape = tuple(shape)
        height, width = self._after(self.aug, self._height_width(shape))
        if self.data_format == "channels_first":
            return (*shape[:-2], height, width)
        return (*shape[:-3], height, width, shape[-1])

    def _numbers(self, images: tf.Tensor) -> tf.Tensor:
        """The numbers of the next examples that come without ids."""
        graph = tf.compat.v1.get_default_graph() if tf.inside_function() else None
        while graph is not None:
            name = getattr(graph, "name", None) or ""
            # A loop over a dataset in a tf.function is a scan or a reduce, and keeps the order.
            if name.startswith("Dataset_") and not name.startswith(("Dataset_scan", "Dataset_reduce")):
                raise ValueError(
                    "inputs: images alone cannot be numbered inside a tf.data pipeline, where calls come in "
                    'any order; pass a dict with "image", "id" and "epoch", or call the recipe itself'
                )
            graph = getattr(graph, "outer_graph", None)
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        if replicas > 1:
            raise ValueError(
                f"inputs: images alone cannot be numbered on {replicas} replicas, each would count from "
                'the same number; pass a dict with "image", "id" and "epoch", as make_dataset gives'
            )
        if images.shape.rank == 3:
            number = self.seen.value + 0
            self.seen.assign_add(1)
            return number
        count = tf.shape(images, tf.int64)[0]
        numbers = self.seen.value + tf.range(count)
        self.seen.assign_add(count)
        return numbers

    def _after(self, aug: Compose | None, size: Any = None) -> tuple[int | None, int | None]:
        """Height and width of what a recipe makes; None where it depends on what is not known."""
        height, width = size or self._size or (None, None)
        if aug is None:
            return height, width
        if aug.output_size is not None or height is None or width is None:
            return aug.output_size or (None, None)
        return aug.size_after(height, width)

    def _examples(self, inputs: Any) -> tuple[Any, Any, Any]:
        images, ids, epoch = _parts(inputs)
        for name, value in (("id", ids), ("epoch", epoch)):
            if value is not None and "int" not in keras.backend.standardize_dtype(value.dtype):
                raise TypeError(f"inputs[{name!r}]: must hold integers, got {value.dtype}")
        if not isinstance(images, keras.KerasTensor):
            images = arguments.pixels(images, "images")
        size = self._height_width(images.shape)
        if self._size is not None and any(a and b and a != b for a, b in zip(size, self._size, strict=True)):
            raise ValueError(f"inputs: the layer was built for images of {self._size}, got {size}")
        return images, ids, epoch


def _image_of(inputs: Any) -> Any:
    """The images of inputs, or of their shapes."""
    return _parts(inputs)[0] if isinstance(inputs, Mapping) else inputs


def _parts(inputs: Any) -> tuple[Any, Any, Any]:
    """Images, ids and epochs of inputs; None for what images alone lack."""
    if not isinstance(inputs, Mapping):
        return inputs, None, None
    if "images" in inputs and not any(name in inputs for name in _NAMES):
        return inputs["images"], None, None
    missing = [name for name in _NAMES if name not in inputs]
    if missing:
        raise ValueError(
            f"inputs: must be images, or a dict with {_NAMES}, or Keras' {{'images', 'labels'}}, got one "
            f"with {tuple(inputs)}; {missing} is missing"
        )
    return inputs["image"], inputs["id"], inputs["epoch"]


def _handed_through(inputs: Any, images: Any) -> Any:
    """What comes out: images, or a dict with the entries that the layer does not know, and the targets."""
    if not isinstance(inputs, Mapping) or set(inputs) == set(_NAMES):
        return images
    if "images" not in inputs or "id" in inputs:
        return {**inputs, "image": images}
    given = {name: value for name, value in inputs.items() if name != "image"}
    if has(given, ADDED):
        given["bounding_boxes"] = {name: given["bounding_boxes"][name] for name in ("boxes", "labels")}
    return {**given, "images": images}
