"""Several hosts as processes of one machine, on its loopback interface; see `hosts`."""

import contextlib
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Sequence

_ENDS_WITH = "AUGRNG_ENDS_WITH_STDIN"  # set for processes that are to end with who started them
_LOOPBACK = "127.0.0.1"


def run_workers(count: int, command: Sequence[str]) -> int:
    """Runs a command as so many hosts on the loopback interface; all end with the first that fails.

    The first one's output is shown, and the errors of all. They end with this process too, however it ends,
    if they call `end_with_parent`.

    Args:
      count: how many.
      command: what each runs, with a TF_CONFIG of its own.

    Returns:
      0 if all ended well, else the status of the first that did not.
    """
    addresses = [f"{_LOOPBACK}:{port}" for port in free_ports(count)]
    with contextlib.ExitStack() as ending:
        workers = []
        for index in range(count):
            config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            worker = subprocess.Popen(
                list(command),
                env={**os.environ, "TF_CONFIG": json.dumps(config), _ENDS_WITH: "1"},
                stdin=subprocess.PIPE,
                stdout=None if index == 0 else subprocess.DEVNULL,
            )
            ending.callback(_ended, worker)
            workers.append(worker)
        while True:
            found = [worker.poll() for worker in workers]
            failed = [status for status in found if status]
            if failed or None not in found:
                return abs(failed[0]) if failed else 0
            time.sleep(0.05)


def free_ports(count: int) -> list[int]:
    """So many ports of the loopback interface that nobody listens at."""
    with contextlib.ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((_LOOPBACK, 0))
        return [one.getsockname()[1] for one in sockets]


def end_with_parent() -> None:
    """Ends this process when the one ends that started it by `run_workers`."""
    if not os.environ.get(_ENDS_WITH):
        return

    def wait() -> None:
        while os.read(0, 1024):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _ended(worker: subprocess.Popen) -> None:
    worker.terminate()
    try:
        worker.wait(5)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
    if worker.stdin is not None:
        worker.stdin.close()
