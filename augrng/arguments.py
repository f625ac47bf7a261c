"""Turns what users pass into tensors of the one dtype and rank that the rest works with."""

import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

IMAGE_DTYPES = (
    *(tf.uint8, tf.uint16, tf.uint32, tf.uint64, tf.int8, tf.int16, tf.int32, tf.int64, tf.bool),
    *(tf.float16, tf.bfloat16, tf.float32, tf.float64),
)

_SIDE = 16  # so many channels of an image of 1, 3 or 4 rows are taken for its width


def integers(value: Any, name: str) -> tf.Tensor:
    """Returns `value` as int64; uint64 keeps its 64 bits.

    Raises:
      TypeError: if the values are not integers.
      ValueError: if a Python integer does not fit in 64 bits.
    """
    if isinstance(value, (list, tuple)) and any(tf.is_tensor(item) for item in value):
        value = tf.stack(value)
    if not tf.is_tensor(value):
        value = np.asarray(value)
        if value.dtype == object and all(isinstance(item, numbers.Integral) for item in value.flat):
            raise ValueError(f"{name}: integers must fit in 64 bits, got {value.tolist()}")
        if value.size == 0 and value.dtype == np.float64:
            value = value.astype(np.int64)
        if value.dtype.kind not in "iu":
            raise TypeError(_no_integers(name, value.dtype.name, strings=value.dtype.kind in "USO"))
        value = tf.constant(value)
    if not value.dtype.is_integer:
        raise TypeError(_no_integers(name, value.dtype.name, strings=value.dtype == tf.string))
    return tf.bitcast(value, tf.int64) if value.dtype == tf.uint64 else tf.cast(value, tf.int64)


def _no_integers(name: str, got: str, strings: bool) -> str:
    advice = "augrng.string_ids makes ids of strings" if strings else "cast it, if it holds whole numbers"
    return f"{name}: must hold integers, got {got}; {advice}"


def count(value: Any, name: str, *, traced: bool = False) -> Any:
    """Returns how many of something as a Python integer; `traced`: or as a scalar tensor, if it is not known.

    Raises:
      TypeError: if it is not an integer.
      ValueError: if it is below 1, no scalar, or not known when traced.
    """
    known = tf.get_static_value(value)
    if known is None and traced and tf.is_tensor(value) and value.dtype.is_integer:
        return value
    if known is None and tf.is_tensor(value):
        raise ValueError(f"{name}: must be known when traced, got {value}; pass a Python integer")
    known = value if known is None else known
    if np.ndim(known) == 0 and isinstance(known, np.ndarray):
        known = known[()]
    if not isinstance(known, numbers.Integral) or isinstance(known, bool):
        raise TypeError(f"{name}: must be an integer, got {value!r}")
    if known < 1:
        raise ValueError(f"{name}: must be at least 1, got {int(known)}")
    return int(known)


def seeds(value: Any, name: str = "seed") -> tf.Tensor:
    """Returns one seed pair or a batch of them, int64[..., 2].

    Raises:
      TypeError: if the values are not integers.
      ValueError: if the last dimension is not 2.
    """
    value = integers(value, name)
    if value.shape.rank is None or value.shape.rank < 1 or value.shape[-1] != 2:
        raise ValueError(f"{name}: must have shape [..., 2] (two integers a seed), got {value.shape}")
    return value


def images(value: Any, name: str = "images") -> tf.Tensor:
    """Returns an image [H, W, C] or a batch [B, H, W, C] as a tensor.

    Raises:
      TypeError: if the dtype is none of integers, bool, float16, bfloat16, float32, float64.
      ValueError: if the rank is not 3 or 4, the number of channels is unknown or 0, or the channels seem to
        come first.
    """
    value = pixels(value, name)
    if value.dtype not in IMAGE_DTYPES:
        names = ", ".join(dtype.name for dtype in IMAGE_DTYPES)
        raise TypeError(f"{name}: dtype must be one of {names}, got {value.dtype.name}; cast it first")
    if value.shape.rank not in (3, 4):
        raise ValueError(
            f"{name}: must have shape [H, W, C] or [B, H, W, C], got {value.shape}; "
            "add a channel axis to a grey image, and set the shape of a decoded one"
        )
    if not value.shape[-1]:
        raise ValueError(f"{name}: must have channels, as many as known when traced, got shape {value.shape}")
    if value.shape[-3] in (1, 3, 4) and min(value.shape[-2] or 0, value.shape[-1]) >= _SIDE:
        raise ValueError(
            f"{name}: must have the channels last, [H, W, C], got shape {value.shape}, where they seem to "
            f"come first; move them with tf.transpose (or make an image of {value.shape[-3]} rows higher)"
        )
    return value


def image_of(value: Any) -> Any:
    """The images of an example, a dict, or what is given in place of one."""
    if not isinstance(value, Mapping):
        return value
    if "image" not in value:
        raise ValueError(
            f'images: an example must have an "image", got a dict with {sorted(map(str, value))}'
        )
    return value["image"]


def pixels(value: Any, name: str) -> tf.Tensor:
    """What holds the pixels of images of one size as a tensor; arrays in a list keep their dtype."""
    if isinstance(value, tf.RaggedTensor):
        raise ValueError(_several_sizes(name, "a ragged tensor"))
    if isinstance(value, (list, tuple)) and all(hasattr(item, "shape") for item in value) and value:
        shapes = sorted({tuple(item.shape) for item in value}, key=str)
        if len(shapes) > 1:
            raise ValueError(_several_sizes(name, f"shapes {', '.join(map(str, shapes[:3]))}"))
        value = tf.stack([tf.convert_to_tensor(item) for item in value])
    try:
        return tf.convert_to_tensor(value)
    except (ValueError, TypeError) as error:
        raise type(error)(
            f"{name}: must be an image [H, W, C] or a batch [B, H, W, C], got {type(value).__name__}: {error}"
        ) from error


def _several_sizes(name: str, got: str) -> str:
    return (
        f"{name}: a batch must hold images of one size, got {got}; augment one by one, as in Dataset.map "
        "before batching, or resize them first"
    )


def algorithm(value: Any) -> str:
    """The generator that `value` names, "philox" or "threefry".

    Args:
      value: a name as TensorFlow reads it (case, "-" and "_" do not matter), a `tf.random.Algorithm` or its
        number, a scalar tensor of that number, or None. What leaves the choice to TensorFlow is "philox": on
        every device, as on TensorFlow's CPUs and GPUs.

    Raises:
      ValueError: if it names none.
    """
    if value is None:
        return "philox"
    known = tf.get_static_value(value) if tf.is_tensor(value) else value
    if isinstance(known, str):
        known = known.strip().upper().replace("-", "").replace("_", "")
    elif isinstance(known, tf.random.Algorithm):
        known = known.value
    numbers_ = {1: "philox", 2: "threefry", 3: "philox"}
    names = {"PHILOX": "philox", "THREEFRY": "threefry", "AUTOSELECT": "philox"}
    if isinstance(known, str) and known in names:
        return names[known]
    if isinstance(known, numbers.Integral) and not isinstance(known, bool) and int(known) in numbers_:
        return numbers_[int(known)]
    raise ValueError(
        f'alg: must be "philox", "threefry", "auto_select" or a tf.random.Algorithm, got {value!r}'
    )


def examples(ids: Any, epoch: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns ids, int64[] or int64[B], and epochs, int64[] or int64[B].

    Raises:
      TypeError: if they are not integers.
      ValueError: if the shapes are wrong.
    """
    ids, epoch = integers(ids, "ids"), integers(epoch, "epoch")
    if ids.shape.rank not in (0, 1):
        raise ValueError(f"ids: must be a scalar or have shape [B], got {ids.shape}")
    if epoch.shape.rank != 0 and not (epoch.shape.rank == ids.shape.rank == 1):
        raise ValueError(f"epoch: must be a scalar or have the shape of ids, got {epoch.shape}")
    if epoch.shape.rank == 1 and not epoch.shape.is_compatible_with(ids.shape):
        raise ValueError(f"epoch: must be a scalar or have the shape of ids {ids.shape}, got {epoch.shape}")
    return ids, epoch


def sizes(value: Any, ids: tf.Tensor) -> tf.Tensor:
    """Returns heights and widths int64[B, 2] for checked ids, of one size or one for each.

    Raises:
      TypeError: if they are not integers.
      ValueError: if the shape is wrong.
    """
    value = integers(value, "sizes")
    if value.shape.rank not in (1, 2) or value.shape[-1] != 2 or value.shape.rank > ids.shape.rank + 1:
        raise ValueError(f"sizes: must have shape [2] or [B, 2] (height, width), got {value.shape}")
    return tf.broadcast_to(value, tf.stack([tf.size(ids), 2]))


def examples_of(images: tf.Tensor, ids: Any, epoch: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """Ids int64[B] of checked images [B, H, W, C], or of one, and epochs int64[] or int64[B].

    Raises:
      TypeError: if they are not integers.
      ValueError: if there is not one id for each image, or one epoch for each or for all.
      tf.errors.InvalidArgumentError: the same from a graph that does not know how many there are. (Where
        checks are dropped, under `jit_compile=True`, the reshape that follows fails instead.)
    """
    ids, epoch = examples(ids, epoch)
    if ids.shape.rank != images.shape.rank - 3 or not ids.shape.is_compatible_with(images.shape[:-3]):
        grey = images.shape.rank == 3 and ids.shape.rank == 1
        advice = "; if these are grey images [B, H, W], add the axis of channels: images[..., None]"
        raise ValueError(
            "ids: must be a scalar for an image [H, W, C] and have shape [B] for a batch [B, H, W, C], got "
            f"ids of shape {ids.shape} for images of shape {images.shape}{advice if grey else ''}"
        )
    if images.shape.rank == 3:
        return tf.reshape(ids, [1]), epoch
    count = images.shape[0] if images.shape[0] is not None else tf.shape(images)[0]
    each = [("ids", ids), *([("epoch", epoch)] if epoch.shape.rank else [])]
    checked = []
    for name, value in each:
        if value.shape[0] is None or tf.is_tensor(count):
            rule = f"{name}: must be one for each image; got (how many, images) "
            check = asserted(tf.equal(tf.size(value), count), [rule, tf.size(value), count])
            with tf.control_dependencies([check]):
                value = tf.identity(value)
        checked.append(tf.reshape(value, tf.reshape(count, [1])))
    return checked[0], checked[-1] if epoch.shape.rank else epoch


def image_sizes(images: tf.Tensor) -> tf.Tensor:
    """Height and width of each of [B, H, W, C] or one [H, W, C], int64[B, 2]; a constant where known."""
    images = images if images.shape.rank == 4 else images[None]
    shape = images.shape[:3]
    if shape.is_fully_defined():
        return tf.constant(np.broadcast_to(np.array(shape[1:], np.int64), (shape[0], 2)))
    shape = tf.shape(images, out_type=tf.int64)
    return tf.broadcast_to(shape[1:3], tf.stack([shape[0], 2]))


def params(value: Any, names: Sequence[str], images: tf.Tensor) -> list[dict[str, tf.Tensor]]:
    """Returns params as tensors [B] in the order of `names`, for checked images.

    Raises:
      ValueError: if the names are others, or a shape is not that of a param of these images.
    """
    if not isinstance(value, Mapping) or set(value) != set(names):
        got = sorted(value) if isinstance(value, Mapping) else repr(value)
        raise ValueError(f"params: must be a dict with the keys {sorted(names)}, got {got}")
    drawn = tf.nest.map_structure(tf.convert_to_tensor, [dict(value[name]) for name in names])
    for name, group in zip(names, drawn, strict=True):
        for key, tensor in group.items():
            if not tensor.shape.is_compatible_with(images.shape[:-3]):
                raise ValueError(
                    f"params: {name}/{key} must have shape {images.shape[:-3]} for images of shape "
                    f"{images.shape}, got {tensor.shape}"
                )
    return drawn if images.shape.rank == 4 else tf.nest.map_structure(lambda tensor: tensor[None], drawn)


def asserted(passed: tf.Tensor, message: Sequence[Any], *, summarize: int = 3) -> tf.Operation | None:
    """`tf.debugging.Assert` as one op: None when run eagerly.

    That one fails in a branch of its own, and other branches are cancelled then: now and then TensorFlow
    says only that, which is no message, and no error that `Dataset.ignore_errors` passes over.

    Raises:
      tf.errors.InvalidArgumentError: if it has not passed; not in code that is jit-compiled as a whole.
    """
    data = [tf.convert_to_tensor(part) for part in message]
    return tf.raw_ops.Assert(condition=passed, data=data, summarize=summarize)


def require(tests: list[tuple[Any, str]], sizes: tf.Tensor, ids: tf.Tensor | None) -> tf.Tensor:
    """Refuses the examples that fail a test: (whether each passes, what the rule is)."""
    assertions = []
    for passed, rule in tests:
        known = tf.get_static_value(passed)
        if known is None:
            failed = tf.reshape(tf.where(~passed), [-1])[:1]
            where = [] if ids is None else [" for id ", tf.gather(ids, failed)]
            got = [rule, "; got (height, width) ", tf.gather(sizes, failed), *where]
            assertions.append(asserted(tf.reduce_all(passed), got))
        elif not np.all(known):
            row = int(np.argmin(known))
            size, example = tf.get_static_value(sizes), tf.get_static_value(ids)
            at = "" if size is None else f"; got (height, width) {tuple(int(side) for side in size[row])}"
            raise ValueError(rule + at + ("" if example is None else f" for id {example[row]}"))
    with tf.control_dependencies(assertions):
        return tf.identity(sizes)
