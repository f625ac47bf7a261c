"""The second half of a pipeline as a Keras layer."""

from collections.abc import Mapping
from typing import Any

import keras

from augrng.compose import Compose
from augrng.converting import unconverted
from augrng.finishing import COLUMNS, PARTS, PIXELS, WORK, finished
from augrng.keras_base import RecipeLayer
from augrng.transforms import Pad


@keras.saving.register_keras_serializable(package="augrng")
class Finish(RecipeLayer):
    """Finishes in the model what `pipelines.make_dataset(..., finish=False)` has decoded.

    Warp, colour and normalisation (of arrays the draws too) run in the model's own compiled step, on its
    device; the host reads and decodes. The pixels are those of `make_dataset` with the same recipe, bit for
    bit.

    The input is "image" of such a batch, a dict of "pixels", "work", "columns"; `inputs` gives the
    `keras.Input`s for it:

        finish = Finish(aug, output="unit")
        inputs = finish.inputs()
        model = keras.Model(inputs, network(finish(inputs)))
        model.fit(pipelines.for_keras(source, aug, batch_size=64, finish=False), epochs=90)

    Give `fit`, and `evaluate` and `predict`, what was made with the recipe that finishes it: `aug` where it
    trains, and otherwise `evaluation`. Another one is refused: by an error when it is traced, if it has other
    numbers of draws, else when it runs; a step that is jit-compiled as a whole drops that second check.

    To serve the network, keep it as a model of its own and save that: it takes finished images.

    Args:
      aug: the recipe that the batches are made with, a `Compose` or its JSON.
      evaluation: that of the batches on which the model does not train: a `Compose`, its JSON, or None for
        `aug.evaluation()`, and images as they are if nothing is left of that.
      output: "same" for pixels as they come; "unit" for floats in [0, 1], or normalised by `mean` and `std`,
        of the layer's compute dtype; see `augrng.output.Output`.
      mean: what is subtracted, in [0, 1], one number or one for each channel.
      std: what it is divided by.
      scale: with "unit", the value of white in the images: needed if they are floats.
      **kwargs: of `keras.layers.Layer`.

    Raises:
      RuntimeError: if Keras runs on another backend than TensorFlow.
      TypeError: if a recipe is none; when called, if the input is no dict.
      ValueError: if an argument is out of range, the recipe mixes examples, or evaluation makes images of
        another size; when called, if a part of the input is missing or made with another recipe.
      tf.errors.InvalidArgumentError: when it runs, if the input was made with another recipe.
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
        **kwargs: Any,
    ) -> None:
        super().__init__(aug, evaluation, output, mean, std, scale, **kwargs)
        self._otherwise = self._evaluated or Compose([Pad(0)], seed=0)
        sizes = self.aug.output_size, self._otherwise.output_size
        if None not in sizes and sizes[0] != sizes[1]:
            raise ValueError(
                f"evaluation: must make images of the size that training makes, {sizes[0]}, got {sizes[1]}; "
                "give an evaluation recipe"
            )

    def inputs(
        self, size: tuple[int, int] | None = None, *, channels: int = 3, dtype: str = "uint8"
    ) -> dict[str, Any]:
        """The `keras.Input`s of a model that begins with this layer.

        Args:
          size: height and width of a source of arrays; None for encoded images, of any size.
          channels: of the images.
          dtype: of the images.
        """
        rows = (None, channels) if size is None else (*size, channels)
        return {
            PIXELS: keras.Input(rows, dtype=dtype, name=PIXELS),
            WORK: keras.Input((None,), dtype="int64", name=WORK),
            COLUMNS: keras.Input((None,), dtype="uint8", name=COLUMNS),
        }

    def build(self, input_shape: Any) -> None:
        self.built = True

    @unconverted
    def call(self, inputs: Mapping[str, Any], training: bool = True) -> Any:
        images = finished(self.aug if training else self._otherwise, _checked(inputs))
        return self.output_form(images, self.compute_dtype)

    def compute_output_spec(self, inputs: Any, training: bool = True) -> Any:
        pixels = _checked(inputs)[PIXELS]
        return keras.KerasTensor(self._shape_after(pixels.shape), dtype=self._dtype_after(pixels.dtype))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self._shape_after(_checked(input_shape)[PIXELS])

    def _shape_after(self, shape: Any) -> tuple[int | None, ...]:
        count, *sides, channels = shape
        height, width = self.aug.output_size or self.aug.size_after(*sides)
        return count, height, width, channels


def _checked(inputs: Any) -> Mapping[str, Any]:
    """Refuses what is no packed image."""
    do = 'give the model "image" of make_dataset(..., finish=False), or for_keras(..., finish=False)'
    if not isinstance(inputs, Mapping):
        raise TypeError(f"inputs: must be a dict of {PARTS}, got {type(inputs).__name__}; {do}")
    missing = [name for name in PARTS if name not in inputs]
    if missing:
        raise ValueError(
            f"inputs: must be a dict of {PARTS}, got one of {tuple(inputs)}, without {missing}; {do}"
        )
    return inputs
