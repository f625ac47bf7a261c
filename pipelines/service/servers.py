"""TensorFlow's dispatcher and workers, as augrng service runs them.

TensorFlow binds them to every network interface and can be told no other; so whoever starts them says that
this is wanted.
"""

import contextlib
import json
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import tensorflow as tf

from pipelines.service.trainer import reach

_MARK = "augrng_service.json"  # in a work directory: whose it is
_HEARTBEAT = 1.0  # seconds between a worker's reports; a task that has ended is forgotten with one
_GONE = 10.0  # seconds without a report after which a worker counts as gone
_LOOK = 0.2  # seconds between two looks at what a worker still does


def dispatcher(
    port: int,
    work_dir: str | Path | None = None,
    job: str | None = None,
    workers: Sequence[str] | None = None,
) -> tf.data.experimental.service.DispatchServer:
    """A dispatcher that has begun.

    Args:
      port: that it listens at, 0 for one that is free.
      work_dir: a folder, made if need be, in which it keeps what it is to know when it starts again.
      job: the name of what the work directory is for; one of another name is refused.
      workers: "host:port" of all workers, which sharding="static" needs.

    Raises:
      OSError: if the folder cannot be made or written, or the port is taken.
      ValueError: if the folder is another job's, or holds other things; or a work directory comes without a
        job, or without a port that stays.
    """
    if work_dir is not None:
        if job is None or not port:
            raise ValueError("work_dir: needs a job's name, and a port at which workers find it again")
        _claim(Path(work_dir), job)
    service = tf.data.experimental.service
    config = service.DispatcherConfig(
        port=port,
        work_dir=None if work_dir is None else str(work_dir),
        fault_tolerant_mode=work_dir is not None,
        worker_addresses=list(workers or ()),
        worker_timeout_ms=round(_GONE * 1000),
    )
    with _told_of(port):
        return service.DispatchServer(config)


def worker(
    address: str, port: int = 0, host: str = "localhost", wait: float = 60.0
) -> tf.data.experimental.service.WorkerServer:
    """A worker that has begun, and goes on if its dispatcher is away for a while.

    Args:
      address: of the dispatcher, "grpc://host:port".
      port: that it listens at, 0 for one that is free.
      host: the name under which trainers reach this machine.
      wait: seconds that the dispatcher has to answer at first.

    Raises:
      ConnectionError: if the dispatcher does not answer.
      OSError: if the port is taken.
      ValueError: if the address is none.
    """
    reach(address, wait)
    service = tf.data.experimental.service
    config = service.WorkerConfig(
        dispatcher_address=address.partition("://")[2],
        port=port,
        worker_address=f"{host}:{port or '%port%'}",
        heartbeat_interval_ms=round(_HEARTBEAT * 1000),
    )
    with _told_of(port):
        return service.WorkerServer(config)


def drain(
    server: tf.data.experimental.service.WorkerServer, seconds: float, at_once: threading.Event
) -> bool:
    """Lets a worker serve on until its tasks have ended; whether they have.

    Args:
      server: the worker.
      seconds: it waits at most.
      at_once: ends the waiting.
    """
    left = seconds
    while server._num_tasks() and left > 0:  # there is no public name for it
        if at_once.wait(_LOOK):
            break
        left -= _LOOK
    return not server._num_tasks()


def workers_that_answer(address: str, seconds: float) -> int:
    """How many workers make a batch of one number, all of those that are known, within so many seconds.

    Raises:
      ConnectionError: if no dispatcher answers.
      ValueError: if the address is none.
    """
    reach(address, seconds)
    numbers = tf.data.Dataset.from_tensors(0).apply(
        tf.data.experimental.service.distribute("parallel_epochs", address)
    )
    found: list[int] = []
    asked = threading.Thread(target=lambda: found.extend(int(n) for n in numbers), daemon=True)
    asked.start()  # of which nobody waits for the end: a worker that is gone is asked again and again
    asked.join(seconds)
    return len(found)


@contextlib.contextmanager
def _told_of(port: int) -> Iterator[None]:
    """Names a port that cannot be had, which TensorFlow does in its log only."""
    try:
        yield
    except RuntimeError as error:
        taken = f"port: {port} must be free to listen at; " if "start gRPC" in str(error) else ""
        raise OSError(f"{taken}{error}") from error


def _claim(work_dir: Path, job: str) -> None:
    """Makes a work directory this job's, or finds that it is."""
    mark = work_dir / _MARK
    work_dir.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        theirs = json.loads(mark.read_text())["job"]
        if theirs != job:
            raise ValueError(
                f"work_dir: {work_dir} must be of job {job!r}, got that of {theirs!r}; name another folder, "
                "or remove this one to begin anew"
            )
        return
    if any(work_dir.iterdir()):
        raise ValueError(
            f"work_dir: {work_dir} must be empty, or a dispatcher's, got a folder with other things"
        )
    part = mark.with_name(_MARK + ".part")
    part.write_text(json.dumps({"job": job}))
    os.replace(part, mark)
