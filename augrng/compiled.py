"""Functions as XLA programs, with names by which another process finds them again.

TensorFlow numbers the functions of a process, also the branches and loops within, in the order in which they
are traced, and XLA's persistent cache goes by these names: what any other code traces before would hide all
that is kept. So the functions traced here are numbered from a hash of what they are made of and for.
"""

import collections
import contextlib
import functools
import hashlib
import inspect
import itertools
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import ops

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def compiled(function: Callable, *, reduce_retracing: bool = True) -> Callable:
    """`function` as one XLA program, compiled once for each set of shapes.

    A recipe is a function of its own, and TensorFlow takes a few of one name for one that is traced again and
    again; it warns of that unless it is told.

    What the function is made of (its closure, the arguments of a partial, the object of a method) should
    have a `repr` that says it, without addresses. `reduce_retracing` is `tf.function`'s.
    """

    def traced(*args: Any, **kwargs: Any) -> Any:
        _names.begin(function, (args, kwargs))
        return function(*args, **kwargs)

    traced.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    traced.__name__ = getattr(function, "__name__", "program")
    program = tf.function(traced, jit_compile=True, reduce_retracing=reduce_retracing, autograph=False)
    program._omit_frequent_tracing_warning = True

    def run(*args: Any, **kwargs: Any) -> Any:
        if _names.op_by_op and tf.executing_eagerly():
            return function(*args, **kwargs)
        outer = _names.numbers
        try:
            return program(*args, **kwargs)
        finally:
            _names.numbers = outer

    return run


def traced_once(function: Callable) -> Callable:
    """A function of tensors of one dtype, which broadcast to the shape of all that it returns: as a call.

    It is traced once for all shapes, so that a recipe has one operation in place of the function's, and eager
    code makes one call.
    """

    @functools.cache
    def traced(dtype: tf.DType, structure: Any) -> Callable:
        def flat(*tensors: tf.Tensor) -> Any:
            return function(*tf.nest.pack_sequence_as(structure, tensors))

        with numbered(f"{function.__module__}.{function.__qualname__} {dtype.name} {structure}"):
            specs = [tf.TensorSpec(None, dtype) for _ in tf.nest.flatten(structure)]
            return tf.function(flat, autograph=False).get_concrete_function(*specs)

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        if tf.config.functions_run_eagerly():
            return function(*args)
        given = tf.nest.flatten(args)
        structure = tf.nest.map_structure(lambda _: None, tuple(map(_tuple, args)))
        made = traced(given[0].dtype, structure)(*given)
        shape = functools.reduce(tf.broadcast_static_shape, (one.shape for one in given))
        for one in tf.nest.flatten(made):
            one.set_shape(shape)
        return made

    return call


def _tuple(argument: Any) -> Any:
    return tuple(argument) if isinstance(argument, Sequence) else argument


class _Names(threading.local):
    """The numbers that functions get which this thread traces.

    Attributes:
      numbers: those to come; None for TensorFlow's own.
      within: the key that `numbered` was given.
      op_by_op: whether `compiled` functions are called as they are.
    """

    numbers: Iterator[int] | None = None
    within = ""
    op_by_op = False

    def begin(self, function: Callable, args: Any) -> None:
        """Numbers what is traced from here on after a function and the specs of its arguments."""
        said = repr((_made_of(function), tf.nest.map_structure(_spec, args)))
        key = self.within + _ADDRESS.sub("", said)
        with _lock:
            time = _times[key]
            _times[key] += 1
        self.numbers = _numbers_of(f"{key} {time}")


_names = _Names()
_times: collections.Counter[str] = collections.Counter()  # that functions with one key were traced
_lock = threading.Lock()


@contextlib.contextmanager
def numbered(key: str) -> Iterator[None]:
    """Functions traced within are numbered from a key, which no two of them may share."""
    outer = _names.numbers, _names.within
    _names.numbers, _names.within = _numbers_of(key), key
    try:
        yield
    finally:
        _names.numbers, _names.within = outer


@contextlib.contextmanager
def op_by_op() -> Iterator[None]:
    """Within, this thread runs `compiled` functions op by op, to the same bits; nothing is traced or kept.

    For recipes that are used a few times: a program takes seconds to make, and memory for good.
    """
    outer, _names.op_by_op = _names.op_by_op, True
    try:
        yield
    finally:
        _names.op_by_op = outer


def _numbers_of(key: str) -> Iterator[int]:
    return itertools.count(int.from_bytes(hashlib.sha256(key.encode()).digest()[:7], "little"))


def stable_names() -> None:
    """From here on, `compiled` functions are numbered as the docstring of this module says."""
    given = ops.uid
    if given is not _number:
        _number.given = given  # type: ignore[attr-defined]
        ops.uid = _number


def _number() -> int:
    return next(_names.numbers) if _names.numbers is not None else _number.given()  # type: ignore[attr-defined]


def _made_of(function: Any) -> Any:
    """What tells a function from others of its name."""
    if isinstance(function, functools.partial):
        return _made_of(function.func), function.args, sorted(function.keywords.items())
    closure = [cell.cell_contents for cell in getattr(function, "__closure__", None) or ()]
    owner = getattr(function, "__self__", None)
    return getattr(function, "__qualname__", None), closure, owner


def _spec(argument: Any) -> Any:
    return (argument.dtype, argument.shape) if tf.is_tensor(argument) else argument
