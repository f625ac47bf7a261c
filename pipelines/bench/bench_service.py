"""Contenders of augrng bench whose batches a tf.data service makes, with one worker on this machine."""

import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import measuring
import tensorflow as tf

import augrng as ar
import pipelines as pl

_BATCH = 64


def of(row: str, recipe: Callable[[], ar.Compose]) -> dict[str, Callable[[Path], dict[str, Any]]]:
    """The contenders for a row of JPEGs: made here, by a worker, and by a worker for two trainers at once."""

    def batches(folder: Path, **at: Any) -> Iterator[Any]:
        measuring.one_thread_an_image()
        source = pl.from_folder(folder / row)
        return iter(pl.make_dataset(source, recipe(), batch_size=_BATCH, epochs=None, seed=1, **at))

    def served(folder: Path, trainers: int) -> dict[str, float]:
        with ExitStack() as running:
            at = {"service": running.enter_context(_service()), "job": "bench", "sharding": "dynamic"}
            return measuring.rate(_together([batches(folder, **at) for _ in range(trainers)]), _BATCH)

    return {
        "augrng": lambda folder: measuring.rate(_together([batches(folder)]), _BATCH),
        "augrng by a worker": lambda folder: served(folder, 1),
        "augrng by a worker for two": lambda folder: served(folder, 2),
    }


def _together(iterators: list[Iterator[Any]]) -> Iterator[Any]:
    """The batches of trainers that run at once, as they come."""
    if len(iterators) == 1:
        return iterators[0]
    made: queue.Queue[Any] = queue.Queue(maxsize=1)

    def train(batches: Iterator[Any]) -> None:
        for batch in batches:
            made.put(batch)

    for batches in iterators:
        threading.Thread(target=train, args=(batches,), daemon=True).start()
    return iter(made.get, None)


@contextmanager
def _service() -> Iterator[str]:
    """The address of a dispatcher and a worker of their own, which end with the measurement."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    address = f"grpc://localhost:{port}"
    tf.get_logger().setLevel("ERROR")
    ours = [sys.executable, "-m", "augrng", "service", "--every-interface"]
    commands = [["dispatcher", "--port", str(port)], ["worker", "--dispatcher", address]]
    processes = [subprocess.Popen([*ours, *command], stdout=subprocess.DEVNULL) for command in commands]
    try:
        yield address
    finally:
        for process in processes:
            process.kill()
            process.wait()
