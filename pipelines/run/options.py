"""What `make_dataset` takes beside source and recipe, for those who check types."""

from collections.abc import Callable
from pathlib import Path
from typing import Required

import tensorflow as tf

from augrng.output import Output
from pipelines.service.trainer import ServiceOptions


class Options(ServiceOptions, total=False):
    """The arguments of `make_dataset` but `device`, on which depends what it returns."""

    batch_size: Required[int]
    epochs: int | None
    seed: int | None
    shuffle: bool
    shuffle_buffer: int
    start_step: int
    host: int
    hosts: int
    drop_remainder: bool
    decode: str
    channels: int | None
    dtype: str | None
    max_pixels: int
    on_error: str
    skipped: str | Path | None
    num_parallel_calls: int
    output: Output | str
    only_epoch: int | Callable[[], tf.Tensor] | None
    finish: bool
    service: str | None
