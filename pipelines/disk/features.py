"""What an example holds beside its image, whatever it is: moved with it, written as TFDS features, read back.

Masks, as all bytes in the shape of an image, become PNGs, everything else what TFDS writes of a tensor. Names
stay, what is nested stays nested, and a value is the same when it is read back: shape, dtype, ragged rows.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

import augrng as ar
from augrng.targets.base import found, names_in, put
from pipelines.images.masks import decode_mask
from pipelines.run.moved import targets_of
from pipelines.sources.source import Record, ragged_features

_OWN = (
    "image",
    "id",
    "epoch",
    "path",
    "tfds_id",
    "label",
)  # written by themselves, or say where a record lay


def decoded(aug: ar.Compose | None, record: Record) -> Record:
    """A record, its image decoded, with the masks that a recipe moves as pixels, and nothing sparse."""
    example = ragged_features(record)
    for name, target in ({} if aug is None else targets_of(aug, example)).items():
        if isinstance(target, ar.Mask) and found(example, name).dtype == tf.string:
            example = put(example, name, decode_mask(found(example, name)))
    return example


def others(record: Record, label: str | None) -> Record:
    """What of a decoded record is kept beside image, id, epoch and the feature that is the label."""
    return {
        name: value
        for name, value in record.items()
        if name not in (*_OWN, label) and not left_out({name: value})
    }


def left_out(record: Mapping[str, Any]) -> list[str]:
    """The names of features that cannot be written: of unknown rank, or no numbers, truths or strings."""
    return sorted(
        name
        for name, value in record.items()
        if name not in _OWN
        and any(_is_strange(part) for part in tf.nest.flatten(value, expand_composites=True))
    )


def check_said(aug: ar.Compose, kept: Record, shorter_side: int) -> None:
    """Refuses features that may be positions or pixels, where no one says which of them are.

    Those are all but scalars, strings, and targets with plain names and what belongs to them.

    Args:
      aug: see `forms.recipe_of`.
      kept: specs of what is kept of an example.
      shorter_side: of its image, in pixels.

    Raises:
      ValueError: names them.
    """
    targets = targets_of(aug, kept)
    labels = [name for target in targets.values() if isinstance(target, ar.Boxes) for name in target.labels]
    known = {*targets, *labels}
    unsaid = [name for name in names_in(kept) if name not in known and _may_move(found(kept, name))]
    if unsaid and aug.targets is None:
        resize = ar.Resize(shorter_side, antialias="exact")
        raise ValueError(
            f"shorter_side: must come with a recipe that says what moves with the images, got {shorter_side} "
            f"and features that may: {', '.join(unsaid)}. Give the recipe of Compose([{resize!r}], "
            "targets={...}), with targets={} if none of them does"
        )


def packed(kept: Record) -> tf.Tensor:
    """string[parts]: all of it in one tensor, whatever its shapes."""
    parts = tf.nest.flatten(kept, expand_composites=True)
    return tf.stack([tf.io.serialize_tensor(part) for part in parts]) if parts else tf.zeros([0], tf.string)


def unpacked(parts: np.ndarray, spec: Any) -> Any:
    """What was packed, of such a structure."""
    flat = tf.nest.flatten(spec, expand_composites=True)
    values = [tf.io.parse_tensor(part, like.dtype) for part, like in zip(parts, flat, strict=True)]
    return tf.nest.pack_sequence_as(spec, values, expand_composites=True)


def described(spec: Mapping[str, Any]) -> dict[str, Any]:
    """TFDS features for values of these specs."""
    return {
        name: tfds.features.FeaturesDict(described(one)) if isinstance(one, Mapping) else _feature(one)
        for name, one in spec.items()
    }


def of(spec: Mapping[str, Any]) -> tfds.features.FeaturesDict:
    """The same together, as what reads and writes them."""
    return tfds.features.FeaturesDict(described(spec))


def as_example(kept: Record, features: tfds.features.FeaturesDict) -> Mapping[str, tf.train.Feature]:
    """The entries of a `tf.train.Example` that TFDS reads these values from."""
    written = features.serialize_example(tf.nest.map_structure(_plain, kept))
    return tf.train.Example.FromString(written).features.feature


def fingerprint(pixels: np.ndarray, kept: Record, id_: int, epoch: int) -> ar.Fingerprint:
    """Of an example with all that is kept of it."""
    return ar.fingerprint({"image": pixels, **tf.nest.map_structure(_parts, kept)}, id_, epoch)


def differing(one: Record, other: Record) -> list[str]:
    """The names of features that two examples do not share, or not with the same values."""
    nothing = np.zeros([1, 1, 1])
    first, second = (
        {name: fingerprint(nothing, {name: value}, 0, 0) for name, value in side.items()}
        for side in (one, other)
    )
    return sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))


def _is_strange(part: Any) -> bool:
    kinds = part.dtype.is_floating or part.dtype.is_integer or part.dtype.is_bool or part.dtype == tf.string
    unknown = part.shape.rank is None or part.dtype in (tf.bfloat16, tf.float16)
    return not kinds or unknown or (part.dtype == tf.string and None in part.shape[1:].as_list())


def _may_move(spec: Any) -> bool:
    """Whether it may be positions or pixels."""
    return spec.dtype != tf.string and spec.shape.rank != 0


def _feature(spec: Any) -> Any:
    """The TFDS feature of one tensor."""
    dtype = np.object_ if spec.dtype == tf.string else spec.dtype.as_numpy_dtype
    if isinstance(spec, tf.RaggedTensorSpec):
        feature: Any = tfds.features.Tensor(shape=spec.shape[spec.ragged_rank + 1 :], dtype=dtype)
        for _ in range(spec.ragged_rank + 1):
            feature = tfds.features.Sequence(feature)
        return feature
    shape = tuple(spec.shape)
    if spec.dtype in (tf.uint8, tf.uint16) and len(shape) == 3 and shape[-1] in (1, 3, 4):
        return tfds.features.Image(shape=shape, dtype=dtype, encoding_format="png")
    # Lists of float32 are all that TFDS writes of floats, and of sizes it writes one by itself.
    raw = spec.dtype == tf.float64 or None in shape[1:]
    return tfds.features.Tensor(shape=shape, dtype=dtype, encoding="bytes" if raw else "none")


def _plain(value: Any) -> Any:
    """As TFDS takes it."""
    return value.to_list() if isinstance(value, tf.RaggedTensor) else value.numpy()


def _parts(value: Any) -> Any:
    """As `augrng.fingerprint` takes it: of what is ragged the values, and the lengths of its rows."""
    if not isinstance(value, tf.RaggedTensor):
        return value.numpy()
    lengths = {str(axis): part.numpy() for axis, part in enumerate(value.nested_row_lengths())}
    return {"values": value.flat_values.numpy(), **lengths}
