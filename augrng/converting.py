"""Functions that autograph leaves as they are."""

from collections.abc import Callable
from typing import Any, TypeVar

import tensorflow as tf

_Function = TypeVar("_Function", bound=Callable[..., Any])


def unconverted(function: _Function) -> _Function:
    """The function, which autograph need not look at: there is nothing to convert. Its types stay known."""
    return tf.autograph.experimental.do_not_convert(function)
