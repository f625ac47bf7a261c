"""Traced functions kept on disk beside compiled programs: read in milliseconds, but traced in seconds.

A graph is kept for the code that made it, to its last byte, and only where all that it is made of can be said
exactly (`exact`): of a recipe with functions of the user's nothing is kept.
"""

import dataclasses
import functools
import hashlib
import os
import pickle
import sys
import tempfile
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf
from tensorflow.core.framework import function_pb2
from tensorflow.python.eager import context

from augrng.compiled import numbered

_SIMPLE = (bool, int, float, str, bytes, type(None))
_folder: Path | None = None


class Graph(NamedTuple):
    """A traced function, as `tf.raw_ops` take it.

    Attributes:
      f: a concrete function, or the name of one that TensorFlow knows.
      structured_outputs: structure of `tf.TensorSpec`, or of tensors.
      captured_inputs: tensors.
      stateful: whether it may do more than return.
    """

    f: Any
    structured_outputs: Any
    captured_inputs: Any = ()
    stateful: bool = False


class Kept:
    """A `tf.function` of tensors, whose graphs are kept on disk if `keep_in` was called.

    Args:
      function: of structures of tensors, and it captures none; a function of a module, or a partial of one.
    """

    def __init__(self, function: Callable) -> None:
        self._function = function
        self._graphs: dict[str, Graph] = {}

    def __call__(self, *args: Any) -> Any:
        if tf.config.functions_run_eagerly() and tf.executing_eagerly():
            return self._function(*args)
        specs = tf.nest.map_structure(lambda one: tf.TensorSpec(one.shape, one.dtype), args)
        graph = self.get_concrete_function(*specs)
        outputs = tf.nest.flatten(graph.structured_outputs)
        call = tf.raw_ops.StatefulPartitionedCall if graph.stateful else tf.raw_ops.PartitionedCall
        made = call(args=tf.nest.flatten(args), Tout=[one.dtype for one in outputs], f=graph.f)
        for one, output in zip(made, outputs, strict=True):
            one.set_shape(output.shape)
        return tf.nest.pack_sequence_as(graph.structured_outputs, made)

    def get_concrete_function(self, *specs: Any) -> Graph:
        """Its graph for arguments of these specs: read, or traced and kept."""
        said = repr(specs)
        if said not in self._graphs:
            try:
                made_of = exact(self._function)
            except TypeError:
                made_of = None
            if _folder is None or made_of is None:
                self._graphs[said] = _traced(self._function, specs)
            else:
                self._graphs[said] = _of_key(self._function, specs, _key(self._function, made_of + said))
        return self._graphs[said]


def keep_in(folder: Path) -> None:
    """From here on, graphs are looked for, and left, in this folder."""
    global _folder
    _folder = folder


def exact(value: Any) -> str:
    """What a value is, in words that no other value has.

    Raises:
      TypeError: if that is not known of values of its type.
    """
    if isinstance(value, _SIMPLE):
        return repr(value)
    if isinstance(value, tf.DType):
        return value.name
    if isinstance(value, functools.partial):
        return f"({exact(value.func)} {exact(value.args)} {exact(value.keywords)})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{exact(name)}: {exact(part)}' for name, part in value.items())}}}"
    if isinstance(value, tuple | list):
        return f"{type(value).__qualname__}({', '.join(map(exact, value))})"
    if isinstance(value, types.FunctionType) and _is_ours(value):
        module, name = str(value.__module__), value.__name__
        if vars(sys.modules[module]).get(name) is value:
            return f"{module}.{name}"
    elif _is_ours(type(value)):
        if hasattr(value, "made_of"):
            return f"{type(value).__qualname__}{exact(value.made_of)}"
        if dataclasses.is_dataclass(value):
            parts = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            return f"{type(value).__module__}.{type(value).__qualname__}{exact(parts)}"
    raise TypeError(f"exact: must be of a known type, got {value!r}")


def _is_ours(value: Any) -> bool:
    return value.__module__.partition(".")[0] in ("augrng", "pipelines")


@functools.cache
def _code(package: str) -> bytes:
    """A digest of all modules of a package."""
    (folder,) = sys.modules[package].__path__
    digest = hashlib.sha256()
    for path in sorted(Path(folder).rglob("*.py")):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.digest()


def _key(function: Callable, said: str) -> str:
    inner = function.func if isinstance(function, functools.partial) else function
    packages = sorted({"augrng", inner.__module__.partition(".")[0]})
    made_by = [tf.version.VERSION.encode(), tf.version.GIT_VERSION.encode(), *map(_code, packages)]
    return hashlib.sha256(b"".join([*made_by, said.encode()])).hexdigest()


def _traced(function: Callable, specs: Any) -> Graph:
    concrete = tf.function(function, autograph=False).get_concrete_function(*specs)
    stateful = concrete.function_def.signature.is_stateful
    return Graph(concrete, concrete.structured_outputs, concrete.captured_inputs, stateful)


_definitions: dict[str, Any] = {}  # of all functions that were read or written, by name
_found: dict[str, Graph] = {}


def _of_key(function: Callable, specs: Any, key: str) -> Graph:
    """The graph of this key: known, read or traced; it stays as long as the process."""
    if key not in _found:
        assert _folder is not None
        path = _folder / f"augrng_graph__{key}.pb"
        data = _read(path)
        if data is None:
            with numbered(key):
                traced = _traced(function, specs)
            if len(traced.captured_inputs):
                return traced
            data = _written(traced)
            _leave(path, data)
        _found[key] = _known(data)
    return _found[key]


def _written(graph: Graph) -> bytes:
    """A traced graph as it is kept: definitions of all its functions, its own last, and what it returns."""
    definitions = [*graph.f.graph.as_graph_def().library.function, graph.f.function_def]
    names = {one.signature.name for one in definitions}
    more: dict[str, Any] = {}
    for (
        one
    ) in definitions:  # what is read in place of traced has names of its own, and other processes read too
        one.signature.name += "_kept"
        for called in _called(one):
            called.name += "_kept" * (called.name in names)
    wanted = [called.name for one in definitions for called in _called(one)]
    while wanted:  # what was read itself is known by its name alone
        name = wanted.pop()
        if name in _definitions and name not in more:
            more[name] = _definitions[name]
            wanted += [called.name for called in _called(more[name])]
    made = tf.nest.map_structure(lambda one: tf.TensorSpec(one.shape, one.dtype), graph.structured_outputs)
    return pickle.dumps(([one.SerializeToString() for one in (*more.values(), *definitions)], made))


def _called(definition: Any) -> list[Any]:
    """What says which functions a function calls."""
    values = [value for node in definition.node_def for value in node.attr.values()]
    return [one for value in values for one in (value.func, *value.list.func) if one.name]


def _known(data: bytes) -> Graph:
    """What was written, made known to TensorFlow."""
    texts, specs = pickle.loads(data)
    definitions = [function_pb2.FunctionDef.FromString(text) for text in texts]
    for one in definitions:
        if _definitions.setdefault(one.signature.name, one) is one:
            context.context().add_function_def(one)
    last = definitions[-1].signature
    return Graph(last.name, specs, (), last.is_stateful)


def _read(path: Path) -> bytes | None:
    """What lies there, if it is there and whole."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return data[32:] if data[:32] == hashlib.sha256(data[32:]).digest() else None


def _leave(path: Path, data: bytes) -> None:
    try:
        number, temporary = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(number, "wb") as file:
            file.write(hashlib.sha256(data).digest() + data)
        os.replace(temporary, path)
    except OSError:  # no room or no right: the next process traces again
        pass
