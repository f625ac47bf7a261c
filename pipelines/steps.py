"""`map`, `flat_map` and `interleave` of datasets, made ready in a tenth of the time.

TensorFlow makes a function of a dataset ready anew for each iterator, as one that may be spread over several
devices: passes over its graph follow each call in it to its end, and what those calls call, time and again.
That took a second for an iterator that decodes images, and more within. What is here runs on one device, the
host, without those passes. TensorFlow has no public argument for that, so the datasets are put together of
`tf.raw_ops`.

Functions are traced without AutoGraph.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.python.data.util import structure

# Keeps `tf.data` from taking a function for one of several devices: `kIntsOnDeviceAttr` of TensorFlow's
# framework/function.h.
_ATTRIBUTES = {"experimental_ints_on_device": True}


def mapped(
    dataset: tf.data.Dataset, function: Callable[..., Any], num_parallel_calls: int | None = None
) -> tf.data.Dataset:
    """`dataset.map(function, num_parallel_calls)`."""
    given, spec = _traced(dataset, function)
    if num_parallel_calls is None:
        variant = tf.raw_ops.MapDataset(**given, preserve_cardinality=True)
    else:
        variant = tf.raw_ops.ParallelMapDatasetV2(
            **given,
            num_parallel_calls=tf.constant(num_parallel_calls, tf.int64),
            deterministic="default",
            preserve_cardinality=True,
        )
    return _made(variant, spec, dataset, given)


def flat_mapped(dataset: tf.data.Dataset, function: Callable[..., tf.data.Dataset]) -> tf.data.Dataset:
    """`dataset.flat_map(function)`."""
    given, spec = _traced(dataset, function)
    return _made(tf.raw_ops.FlatMapDataset(**given), spec, dataset, given)


def interleaved(
    dataset: tf.data.Dataset, function: Callable[..., tf.data.Dataset], at_once: int
) -> tf.data.Dataset:
    """`dataset.interleave(function, at_once, num_parallel_calls=at_once, deterministic=True)`."""
    given, spec = _traced(dataset, function)
    automatic = tf.constant(tf.data.AUTOTUNE, tf.int64)
    count = tf.constant(at_once, tf.int64)
    variant = tf.raw_ops.ParallelInterleaveDatasetV4(
        **given,
        cycle_length=count,
        block_length=tf.constant(1, tf.int64),
        buffer_output_elements=automatic,
        prefetch_input_elements=automatic,
        num_parallel_calls=count,
        deterministic="true",
    )
    return _made(variant, spec, dataset, given)


def never_ends(dataset: tf.data.Dataset) -> bool:
    """Whether a dataset is seen to repeat for ever, also if what is left of it is not counted (`filter`)."""
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        return True
    inputs = [dataset._made_of[0]] if hasattr(dataset, "_made_of") else dataset._inputs()
    ends = type(dataset).__name__.strip("_") in ("TakeDataset", "TakeWhileDataset")
    return bool(inputs) and not ends and all(never_ends(part) for part in inputs)


def _traced(dataset: tf.data.Dataset, function: Callable[..., Any]) -> tuple[dict[str, Any], Any]:
    """What `tf.raw_ops` take of a dataset and a function of its elements, and what the elements become.

    If the function returns a dataset, they become its elements.
    """
    spec = dataset.element_spec
    made: list[Any] = []

    def flat(*tensors: tf.Tensor) -> list[tf.Tensor]:
        element = structure.from_compatible_tensor_list(spec, tensors)
        result = function(*element) if type(element) is tuple else function(element)
        if isinstance(result, tf.data.Dataset):
            made.append(result.element_spec)
            return [tf.data.experimental.to_variant(result)]
        result = tuple(result) if isinstance(result, list) else result
        made.append(structure.type_spec_from_value(result))
        return structure.to_tensor_list(made[-1], result)

    signature = structure.get_flat_tensor_specs(spec)
    traced = tf.function(flat, signature, autograph=False, experimental_attributes=_ATTRIBUTES)
    concrete = traced.get_concrete_function()
    given = {
        "input_dataset": tf.data.experimental.to_variant(dataset),
        "other_arguments": concrete.captured_inputs,
        "f": concrete,
        "output_types": structure.get_flat_tensor_types(made[-1]),
        "output_shapes": structure.get_flat_tensor_shapes(made[-1]),
    }
    return given, made[-1]


def _made(variant: tf.Tensor, spec: Any, dataset: tf.data.Dataset, given: dict[str, Any]) -> tf.data.Dataset:
    """The dataset of a variant, which keeps alive what it is made of, as `tf.data`'s own do."""
    made = tf.data.experimental.from_variant(variant, spec)
    made._made_of = dataset, given["f"]
    return made
