"""Dispatchers and workers for tests, in this process or in ones that end with it, and what they should make."""

import multiprocessing
import os
import signal
import socket
import threading
import time

import numpy as np

import augrng as ar
import pipelines as pl
from pipelines.commands import service
from pipelines.service import servers

AUG = ar.Compose([ar.RandomCrop(12, 12), ar.RandomFlip()], seed=7)
COUNT, BATCH = 22, 4


def source(count=COUNT):
    images = np.random.default_rng(1).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
    return pl.from_arrays(images, np.arange(count), ids=np.arange(count) * 1000)


def examples(batches):
    """(id, epoch, pixels) of each example of some batches, in order."""
    return [
        (int(id_), int(epoch), image.numpy().tobytes())
        for batch in batches
        for id_, epoch, image in zip(batch["id"], batch["epoch"], batch["image"], strict=True)
    ]


def free_port():
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return place.getsockname()[1]


class Cluster:
    """A dispatcher and workers in this process."""

    def __init__(self, count):
        ports = [free_port() for _ in range(count)]
        self.dispatcher = servers.dispatcher(0, workers=[f"localhost:{port}" for port in ports])
        self.address = self.dispatcher.target
        self.workers = [servers.worker(self.address, port) for port in ports]

    def stop(self):
        """All at once: each waits some seconds for those that it talked to."""
        threads = [threading.Thread(target=server.stop) for server in (*self.workers, self.dispatcher)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


_forks = multiprocessing.get_context("forkserver")


def _run(arguments):
    """augrng service in a process that ends with its parent, even if that is killed."""
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()
    raise SystemExit(service.main(arguments))


def _end_with(parent):
    parent.join()
    os.kill(os.getpid(), signal.SIGKILL)


def started(*arguments):
    """A process of augrng service. TensorFlow is imported once for all of them, by a process that runs nothing in
    it: its threads would be missing in the others."""
    _forks.set_forkserver_preload(["pipelines.commands.service"])
    process = _forks.Process(target=_run, args=([*map(str, arguments), "--every-interface"],), daemon=True)
    process.start()
    return process


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.1)


def listens(port):
    with socket.socket() as place:
        return place.connect_ex(("127.0.0.1", port)) == 0


def right(found, count=COUNT):
    """Whether each example has the pixels that its id and epoch say."""
    images = next(iter(source(count).dataset().batch(count)))
    epochs = sorted({epoch for _, epoch, _ in found})
    made = {epoch: AUG(images["image"], images["id"], epoch).numpy() for epoch in epochs}
    return all(made[epoch][id_ // 1000].tobytes() == pixels for id_, epoch, pixels in found)
