"""Operations of one's own: transforms and functions that recipes may name.

A recipe names what it needs and never imports it: what is not registered by the time it is read is refused.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, ClassVar

import tensorflow as tf

from augrng.transforms.base import Transform
from augrng.transforms.parts import Params, Pixels

TRANSFORMS: dict[str, type[Transform]] = {}
FUNCTIONS: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {}


def register(thing: Any) -> Any:
    """Makes a transform of one's own, or a function for `Custom`, known to recipes; usable as a decorator.

    A transform is a frozen dataclass derived from `Transform` and a kind of part: `Map`, `Table` or `Pixels`.

    Args:
      thing: the class, known by its name; or the function, known as "module:name".

    Returns:
      The same.

    Raises:
      TypeError: if it is neither, or a class that is no frozen dataclass.
      ValueError: if its name is taken by another.
    """
    if isinstance(thing, type):
        parameters = getattr(thing, "__dataclass_params__", None)
        if not issubclass(thing, Transform) or parameters is None or not parameters.frozen:
            raise TypeError(f"register: must be a frozen dataclass derived from Transform, got {thing!r}")
        known, name = TRANSFORMS.get(thing.__name__), thing.__name__
        same = known is None or (known.__module__, known.__qualname__) == (thing.__module__, name)
        if not same:
            raise ValueError(f"register: the name {name!r} is that of {known!r}; give the class another name")
        TRANSFORMS[name] = thing
        return thing
    if not callable(thing):
        raise TypeError(f"register: must be a transform's class or a function, got {thing!r}")
    name = _name_of(thing)
    if "<" in name and FUNCTIONS.get(name, thing) is not thing:
        raise ValueError(f"register: {name} is a function without a name of its own; define it in a module")
    FUNCTIONS[name] = thing
    return thing


def _name_of(function: Any) -> str:
    name = getattr(function, "__qualname__", None)
    if name is None:
        raise TypeError(f"function: must have a name, as what `def` makes, got {function!r}")
    return f"{function.__module__}:{name}"


@dataclasses.dataclass(frozen=True, repr=False)
class Custom(Pixels, Transform):
    """Calls `function(image, key)` for each example: any `tf.image.stateless_*` operation takes part.

    The key is that of the transform's name, the same as `Compose.keys` says. The function must be one of
    image and key alone, in TensorFlow operations without state, and keep size and dtype. It is run as it is
    written, one example after the other, outside of compiled programs: what TensorFlow's operations draw
    there is the same in eager code and graphs. A program compiled around it (`jit_compile=True`) draws as
    XLA does, where the operations are of those that XLA has.

    Words: none.
    Params: "key_0", "key_1", int64[B].

    Args:
      function: (image [H, W, C], key int64[2]) to an image of the same shape and dtype; or "module:name" of a
        function that is registered. In a recipe's JSON it is that name.
      name, seed: see `Transform`.

    Raises:
      TypeError: if `function` is none.
      ValueError: if no function of this name is registered; when called: if the function changes size or
        dtype, or depends on something else than image and key.
    """

    compiled: ClassVar[bool] = False

    function: Any

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.function, str):
            if self.function not in FUNCTIONS:
                module = self.function.partition(":")[0]
                raise ValueError(
                    f"Custom: function must be registered, got {self.function!r}; import {module} first, and "
                    "let it call augrng.register(function)"
                )
        elif callable(self.function):
            object.__setattr__(self, "function", _name_of(register(self.function)))
        else:
            raise TypeError(f"Custom: function must be a function of image and key, got {self.function!r}")

    @property
    def made_of(self) -> Any:
        """What it is made of; see `augrng.kept`."""
        return FUNCTIONS[self.function]

    def draw(self, key: tf.Tensor, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"key_0": key[:, 0], "key_1": key[:, 1]}

    def change(self, images: tf.Tensor, params: Params) -> tf.Tensor:
        shape, dtype = images.shape[1:], images.dtype
        called = _traced(FUNCTIONS[self.function], self.function, shape, dtype)
        keys = tf.stack([params["key_0"], params["key_1"]], -1)
        return tf.map_fn(
            lambda row: called(*row), (images, keys), fn_output_signature=tf.TensorSpec(shape, dtype)
        )

    def describe(self, params: Any) -> str:
        return self.function.partition(":")[2]


@functools.lru_cache(maxsize=64)
def _traced(function: Any, name: str, shape: tf.TensorShape, dtype: tf.DType) -> Callable[..., tf.Tensor]:
    """The function as a graph, refused if it is no function of image and key alone."""
    specs = tf.TensorSpec(shape, dtype), tf.TensorSpec([2], tf.int64)
    with tf.init_scope():
        traced = [tf.function(function, autograph=False).get_concrete_function(*specs) for _ in range(2)]
    made = traced[0].structured_outputs
    if not tf.is_tensor(made) or made.dtype != dtype or not made.shape.is_compatible_with(shape):
        got = f"{made.dtype.name}{made.shape}" if tf.is_tensor(made) else repr(made)
        raise ValueError(f"Custom: {name} must keep size and dtype, {dtype.name}{shape}, got {got}")
    kinds = {op.type for op in traced[0].graph.get_operations() if op.op_def.is_stateful}
    drawing = sorted(kind for kind in kinds if "Random" in kind or "PyFunc" in kind or "Variable" in kind)
    if drawing:
        raise ValueError(
            f"Custom: {name} must depend on image and key alone, got the operations {drawing}; use "
            "tf.image.stateless_* and tf.random.stateless_* with the key"
        )
    first, second = (_constants(one.graph) for one in traced)
    if first != second:
        raise ValueError(
            f"Custom: {name} must depend on image and key alone, but made other numbers when it was traced a "
            "second time; draw them from the key, not from NumPy or Python"
        )
    return traced[0]


def _constants(graph: Any) -> list[bytes]:
    """What a graph has been told when it was traced."""
    return [
        op.node_def.attr["value"].SerializeToString() for op in graph.get_operations() if op.type == "Const"
    ]


@dataclasses.dataclass(frozen=True, repr=False)
class RandomJpegQuality(Pixels, Transform):
    """Encodes and decodes as a JPEG whose quality is drawn; `tf.image.stateless_random_jpeg_quality`.

    It runs on the host, outside of compiled programs, and the codec of the installed TensorFlow decides the
    bits: pixels are the same in every mode on one machine, not promised to be on another.

    Words: 0 gives the quality, low + word % (high - low), TensorFlow's draw.
    Params: "quality", int64[B].

    Args:
      low: at least 0.
      high: above `low`, at most 100; the largest drawn is one less.
      name, seed: see `Transform`.

    Raises:
      ValueError: if the range is empty or out of bounds; when called: if the images are not grey or RGB of
        uint8.
    """

    num_words: ClassVar[int] = 1
    compiled: ClassVar[bool] = False

    low: int
    high: int

    def __post_init__(self) -> None:
        super().__post_init__()
        whole = all(isinstance(end, int) and not isinstance(end, bool) for end in (self.low, self.high))
        if not whole or not 0 <= self.low < self.high <= 100:
            raise ValueError(
                f"RandomJpegQuality: low and high must be integers, 0 <= low < high <= 100, got {self.low!r} "
                f"and {self.high!r}"
            )

    def sample(self, words: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"quality": self.low + tf.cast(words[:, 0], tf.int64) % (self.high - self.low)}

    def fits(self, params: Params, size: tf.Tensor) -> tf.Tensor | bool:
        return (params["quality"] >= self.low) & (params["quality"] < self.high)

    def change(self, images: tf.Tensor, params: Params) -> tf.Tensor:
        def one(row: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
            encoded = tf.raw_ops.EncodeJpegVariableQuality(images=row[0], quality=row[1])
            return tf.ensure_shape(tf.io.decode_jpeg(encoded, images.shape[3]), images.shape[1:])

        quality = tf.cast(params["quality"], tf.int32)
        return tf.map_fn(
            one, (images, quality), fn_output_signature=tf.TensorSpec(images.shape[1:], tf.uint8)
        )

    def check(self, dtype: tf.DType, channels: int) -> None:
        if dtype != tf.uint8 or channels not in (1, 3):
            raise ValueError(f"{self!r}: images must be grey or RGB of uint8, got {channels} of {dtype.name}")

    def describe(self, params: Any) -> str:
        return f"JPEG {params['quality']}"
