import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest
import tensorflow as tf

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def no_global_seed():
    """Each test starts as a fresh program does: without a global seed."""
    from tensorflow.python.eager import context

    context.context()._seed = None
    yield
    context.context()._seed = None


@pytest.fixture
def rng():
    return np.random.default_rng(20261123)


@pytest.fixture(scope="session")
def photos():
    """Two photographs, uint8[427, 640, 3]."""
    from pipelines.digits import photo_paths

    return [tf.io.decode_jpeg(tf.io.read_file(str(path))).numpy() for path in photo_paths()]


@pytest.fixture
def python():
    """Runs a program in a fresh Python process and returns what it prints."""

    def run(program, *args, env=None, check=True):
        done = subprocess.run(
            [sys.executable, "-c", program, *map(str, args)],
            cwd=ROOT, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if check:
            assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout if check else done

    return run


SLOW = ["test_training", "test_resume", "test_scripts", "test_read"]  # files that take minutes; begun first


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.stem not in SLOW)  # a worker takes a file after the other
    if not tf.config.list_physical_devices("GPU"):
        for item in items:
            if "gpu" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="TensorFlow sees no GPU on this machine"))
