"""A recipe as a program that other frameworks run: StableHLO text, the same bits.

What is exported is what `Compose` runs under `jit_compile=True`, for images of one shape: integer
arithmetic, so that any XLA gives the same pixels, without TensorFlow. StableHLO text is not promised to be
read by versions much older or newer than the TensorFlow that wrote it: keep the recipe, and export again.
"""

import dataclasses
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from augrng import arguments
from augrng.compose import Compose, as_compose
from augrng.output import Output

# Where in which file an operation was made: of no use elsewhere, and other text on each machine.
_LOCATIONS = re.compile(r'(?m)^#loc.*\n| loc\((?:#loc\d*|unknown|fused\[[^\]]*\]|"(?:[^"\\]|\\.)*")\)')
# XLA's own attributes, all empty or false; not every reader of StableHLO has the dialect `mhlo`.
_ATTRIBUTES = re.compile(r"(?m)^(module @\S+) attributes \{mhlo\.[^{}]*\} \{$")


@dataclasses.dataclass(frozen=True)
class Array:
    """What a program takes or gives.

    Args:
      name: of the array; programs take their arguments by place.
      dtype: as NumPy writes it, "uint8"; or "bfloat16".
      shape: of the array.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Program:
    """A program of fixed shapes.

    Args:
      text: the StableHLO module; its function is `main`.
      inputs: what `main` takes, in order: "images", "ids", "epoch".
      outputs: what it gives, in order: "pixels".
      recipe: what `Compose.to_json` says of the recipe.
    """

    text: str
    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]
    recipe: str

    def save(self, path: str | Path) -> None:
        """Writes `path`.mlir, the text, and `path`.json: inputs, outputs, recipe."""
        arrays = {"inputs": self.inputs, "outputs": self.outputs}
        said = {name: [dataclasses.asdict(array) for array in of] for name, of in arrays.items()}
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(f"{path}.mlir").write_text(self.text)
        Path(f"{path}.json").write_text(json.dumps({**said, "recipe": json.loads(self.recipe)}, indent=1))


def stablehlo(
    aug: Compose,
    shape: Sequence[int],
    *,
    dtype: Any = tf.uint8,
    output: Output | str | None = None,
    output_dtype: Any = tf.float32,
) -> Program:
    """The program `output(aug(images, ids, epoch))` as StableHLO text.

    Seeds are in the program; ids and epochs are its arguments.

    Args:
      aug: the recipe.
      shape: [B, H, W, C] of the images.
      dtype: of the images.
      output: range of what comes out, an `Output`, "same" or "unit"; None for pixels as they are.
      output_dtype: of the floats that come out; not used without an `output` or with its range "same".

    Returns:
      The program: images [B, H, W, C], ids int64[B], epoch int64[B] -> pixels [B, height, width, C].

    Raises:
      TypeError: if `aug` is no `Compose`, `output` no `Output`, or the dtype is not supported.
      ValueError: if the shape is not four sizes, or one that a transform refuses.
    """
    aug, form = as_compose(aug), Output.of(output)
    shape = tuple(shape)
    if len(shape) != 4 or not all(isinstance(side, int) and side >= 1 for side in shape):
        raise ValueError(f"shape: must be [B, H, W, C], four whole numbers of at least 1, got {list(shape)}")

    def augment(images: tf.Tensor, ids: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
        pixels = aug(arguments.images(images), ids, epoch)
        return form(pixels, output_dtype)

    taken = {"images": (dtype, shape), "ids": (tf.int64, shape[:1]), "epoch": (tf.int64, shape[:1])}
    specs = [tf.TensorSpec(shape, dtype, name) for name, (dtype, shape) in taken.items()]
    program = tf.function(augment, jit_compile=True, autograph=False)
    (given,) = program.get_concrete_function(*specs).outputs
    text = program.experimental_get_compiler_ir(*specs)(stage="stablehlo", platform_name="CPU")
    return Program(
        _ATTRIBUTES.sub(r"\1 {", _LOCATIONS.sub("", text)),
        tuple(_array(spec.name, spec) for spec in specs),
        (_array("pixels", given),),
        aug.to_json(),
    )


def _array(name: str, tensor: Any) -> Array:
    return Array(name, tensor.dtype.name, tuple(tensor.shape))
