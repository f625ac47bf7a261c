import gc
import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest
import tensorflow as tf

from augrng import compiled, keep_programs

ROOT = Path(__file__).resolve().parents[1]


# XLA's flags for programs that are compiled soon and run slowly; it ends where it knows no flag.
QUICK = "--xla_backend_optimization_level=0"
if tuple(map(int, tf.__version__.split(".")[:2])) >= (2, 20):
    QUICK += " --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"


def quick_to_start():
    """Programs are compiled, and graphs made ready, without what makes them fast: half of the suite's time.

    What is compiled is kept for the other groups, and for the next run. Processes that tests start
    find programs of their own there, and are as a user's:
    `test_fresh_processes_give_the_same_fingerprints`, say, compares
    every transform there with here, the scripts' tests what they print with the README.
    """
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    given, programs = os.environ.get("XLA_FLAGS", ""), ROOT / "out" / "programs"
    keep_programs(programs)
    theirs = os.environ.pop("TF_XLA_FLAGS")
    os.environ["XLA_FLAGS"] = f"{QUICK} {given}"
    keep_programs(programs)
    tf.function(tf.identity, jit_compile=True)(0)  # XLA reads its flags once
    os.environ.update({"XLA_FLAGS": given, "TF_XLA_FLAGS": theirs})


quick_to_start()


def pytest_collection_finish():
    """What is there by now stays: the collector need not look at TensorFlow's modules again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


@pytest.fixture(autouse=True, scope="session")
def caches_of_its_own(tmp_path_factory):
    """What is cached for the user is not the user's."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("caches"))


@pytest.fixture(autouse=True)
def as_in_a_fresh_program():
    """Each test starts without a global seed and without op determinism, which `seed_everything` turns on."""
    from tensorflow.python.eager import context
    from tensorflow.python.framework import config

    context.context()._seed = None
    yield
    context.context()._seed = None
    config.disable_op_determinism()


@pytest.fixture(scope="module")
def op_by_op():
    """In a module of tests of values, calls of recipes are not compiled: ten calls are over sooner than a program
    is made. What datasets and graphs do is; and that all give the same `test_invariance` says of every transform.
    """
    with compiled.op_by_op():
        yield


@pytest.fixture
def rng():
    return np.random.default_rng(20261123)


@pytest.fixture(scope="session")
def photos():
    """Two photographs, uint8[427, 640, 3]."""
    from pipelines.sources.digits import photo_paths

    return [tf.io.decode_jpeg(tf.io.read_file(str(path))).numpy() for path in photo_paths()]


@pytest.fixture(scope="session")
def scenes(tmp_path_factory):
    """The builder of the drawn scenes, prepared."""
    from pipelines.sources.digits import prepared
    from pipelines.sources.scenes import Scenes

    return prepared(Scenes, tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="session")
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


def status_of(main, *arguments):
    """Runs a script's `main` in this process: its exit status."""
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as end:  # argparse's
        return end.code


@pytest.fixture
def refused(capsys):
    """Runs a script's `main` here, which must end with status 2 and no traceback, and returns what it says."""

    def run(main, *arguments):
        status = status_of(main, *arguments)
        said = capsys.readouterr().err
        assert status == 2, said
        assert "Traceback" not in said
        return said

    return run


def pytest_collection_modifyitems(items):
    if not tf.config.list_physical_devices("GPU"):
        for item in items:
            if "gpu" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="TensorFlow sees no GPU on this machine"))
