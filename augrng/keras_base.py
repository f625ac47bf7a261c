"""What the Keras layers share: a recipe, its evaluation form, and what comes out."""

from typing import Any

import keras
import tensorflow as tf

from augrng.compose import Compose, as_compose, from_json
from augrng.output import Output


class RecipeLayer(keras.layers.Layer):
    """A layer that does what a recipe says when it trains, and an evaluation recipe otherwise.

    Args:
      aug: a `Compose`, or its JSON.
      evaluation: a `Compose`, its JSON, or None for `aug.evaluation()`.
      output: "same" or "unit"; see `augrng.output.Output`.
      mean: see there.
      std: see there.
      scale: see there.
      **kwargs: of `keras.layers.Layer`.

    Raises:
      RuntimeError: if Keras runs on another backend than TensorFlow.
      TypeError: if a recipe is none.
      ValueError: if an argument is out of range, or the recipe mixes examples.
    """

    def __init__(
        self,
        aug: Compose | str,
        evaluation: Compose | str | None,
        output: str,
        mean: float | tuple[float, ...],
        std: float | tuple[float, ...],
        scale: float | None,
        **kwargs: Any,
    ) -> None:
        if keras.backend.backend() != "tensorflow":
            raise RuntimeError(
                f"augrng.keras: needs Keras' TensorFlow backend, got {keras.backend.backend()}; augment in "
                "the tf.data pipeline instead"
            )
        super().__init__(autocast=False, **kwargs)
        self.aug = from_json(aug) if isinstance(aug, str) else as_compose(aug)
        self.evaluation = from_json(evaluation) if isinstance(evaluation, str) else evaluation
        if self.evaluation is not None:
            as_compose(self.evaluation, "evaluation")
        if self.aug.mixer is not None:
            raise ValueError(
                f"aug: the layer mixes no examples, got {self.aug.mixer.transform!r} at the end; mix in the "
                'pipeline, by pipelines.make_dataset or, with partners="batch", by a call in Dataset.map, '
                "and give the layer aug.unmixed or nothing"
            )
        self.output_form = Output(output, mean, std, scale)
        self._evaluated = self.evaluation or self.aug.evaluation()

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "aug": self.aug.to_json(),
            "evaluation": self.evaluation and self.evaluation.to_json(),
            "output": self.output_form.range,
            "mean": self.output_form.mean,
            "std": self.output_form.std,
            "scale": self.output_form.scale,
        }

    def _dtype_after(self, dtype: Any) -> Any:
        """The dtype of what comes out of images of one."""
        if self.output_form.range == "same":
            return dtype
        self.output_form.white(tf.as_dtype(dtype))
        return self.compute_dtype
