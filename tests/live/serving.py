"""`augrng serve` as a process, and what asks it."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
from PIL import Image

from tests.conftest import ROOT


def album_of(folder, count=3, side=32):
    """Small images in a folder, with links out of it and to what is no image."""
    generator = np.random.default_rng(0)
    photos = folder / "photos"
    (photos / "a").mkdir(parents=True)
    for number in range(count):
        pixels = generator.integers(0, 256, [side, side + 8 * (number % 2), 3], dtype=np.uint8)
        Image.fromarray(pixels).save(photos / "a" / f"{number}.png")
    (photos / "a" / "broken.png").write_bytes(b"no image")
    Image.fromarray(pixels).save(folder / "secret.png")
    (photos / "a" / "out.png").symlink_to(folder / "secret.png")
    (photos / "b").symlink_to(folder)
    (photos / "a" / "within.png").symlink_to(photos / "a" / "0.png")
    return photos


class Asked:
    """A server's process, its port, and requests to it."""

    def __init__(self, process, port):
        self.process, self.port = process, port

    def __call__(self, path, body=None, method=None, headers=None):
        """Status, headers and body of an answer; a `body` that is not text or bytes goes as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        given = dict(headers or {})
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        if body is not None:
            given.setdefault("Content-Type", "application/json")
        with contextlib.closing(connection):
            connection.request(method or ("GET" if body is None else "POST"), path, body, given)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def megabytes(self):
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextlib.contextmanager
def serving(*arguments):
    """`augrng serve` on a free port; it is stopped as by Ctrl-C at the end, and must say so with status 0."""
    command = [sys.executable, "-m", "augrng", "serve", *map(str, arguments), "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        said = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", said)
        assert found, said + process.stderr.read()
        yield Asked(process, int(found[1]))
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors
        assert out.endswith("serve: stopped\n")
        assert "Traceback" not in errors
    finally:
        process.kill()
        process.communicate()
