"""Hosts that train together: the weights of one host but for the order of sums; mistakes are refused."""

import json
import os
import re
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

import augrng as ar
from pipelines.commands import train as train_script
from pipelines.train.hosts import cluster_of
from pipelines.train.model import DROPOUT, kept
from pipelines.train.workers import run_workers
from tests.conftest import QUICK, ROOT
from tests.files import idx_files

STEPS, EVERY, HALF = 50, 10, 20
ARGUMENTS = (
    f"--recipe RandomCrop(8,8),RandomFlip() --batch-size 32 --checkpoint-every {EVERY} --seed 3".split()
)

# Forks from a process that has imported TensorFlow but not used it, which saves most of each start.
PROGRAM = """
import contextlib, json, os, signal, sys, time
from pathlib import Path
import tensorflow as tf
from pipelines.commands import train
from pipelines.train.workers import free_ports

folder, half, steps, arguments = Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]

def host(name, number, ports, *more):
    pid = os.fork()
    if pid: return pid
    code = 1
    try:
        if len(ports) > 1:
            cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
            os.environ["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": number}})
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})  # quick to start
        with open(folder / f"{name}.{number}.txt", "w") as out, contextlib.redirect_stdout(out):
            code = train.main([*arguments, "--out", str(folder / name), *more])
    finally:
        os._exit(code)

def run(name, count, *more, kill=False):
    ports = free_ports(count)
    pids = [host(name, number, ports, *more) for number in range(count)]
    if kill:
        while not (folder / name / "checkpoint.npz").exists(): time.sleep(0.001)
        os.kill(pids[-1], signal.SIGKILL)
    print(name, *(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids), flush=True)

run("first", 2, "--steps", steps)
run("killed", 2, "--steps", steps, kill=True)
run("killed", 2, "--steps", steps, "--resume")
run("grown", 1, "--steps", half)
run("grown", 2, "--steps", steps, "--resume")
"""


@pytest.fixture(scope="module")
def idx(tmp_path_factory):
    rng = np.random.default_rng(4)
    images = rng.integers(0, 256, (100, 10, 10), np.uint8)
    return idx_files(tmp_path_factory.mktemp("idx"), images, np.arange(100, dtype=np.uint8) % 4)


@pytest.mark.slow
def test_hosts_give_the_weights_of_one_and_go_on_after_one_is_killed(python, idx, tmp_path):
    # As `conftest` has it, but that uses TensorFlow, and hosts are made before it is used.
    env = {
        "TF_XLA_FLAGS": f"--tf_xla_persistent_cache_directory={tmp_path}/programs",
        "XLA_FLAGS": QUICK,
    }
    printed = python(PROGRAM, tmp_path, HALF, STEPS, idx, *ARGUMENTS, env=env)
    assert printed.splitlines() == ["first 0 0", "killed 2 -9", "killed 0 0", "grown 0", "grown 0 0"]
    first, killed, grown = (
        np.load(tmp_path / name / "checkpoint.npz") for name in ("first", "killed", "grown")
    )
    assert int(first["step"]) == int(killed["step"]) == int(grown["step"]) == STEPS
    for name in set(first.files) - {"settings", "step"}:
        assert np.array_equal(first[name], killed[name])
        # Of one host for half of the steps, then of two: gradients are summed in another order.
        np.testing.assert_allclose(first[name], grown[name], atol=1e-5)
    assert f"resumed at step {HALF}" in (tmp_path / "grown.1.txt").read_text()
    assert re.search("^weights [0-9a-f]{64}$", (tmp_path / "first.0.txt").read_text(), re.M)


def test_dropout_follows_from_ids():
    ids, epochs = tf.range(400, dtype=tf.int64), tf.zeros([400], tf.int64)
    whole = kept(5, ids, epochs, 50).numpy()
    assert np.array_equal(kept(5, ids[1::2], epochs[1::2], 50), whole[1::2])
    assert abs(whole.mean() - (1 - DROPOUT)) < 4 * np.sqrt(DROPOUT * (1 - DROPOUT) / whole.size)
    for other in (kept(6, ids, epochs, 50), kept(5, ids, epochs + 1, 50), kept(5, ids + 400, epochs, 50)):
        assert abs(np.mean(other == whole) - (1 - 2 * DROPOUT * (1 - DROPOUT))) < 0.02
    key = ar.Compose([ar.RandomFlip(name="dropout")], seed=5).keys(7, 0)["dropout"]
    words = tf.random.stateless_uniform([13], key, None, None, tf.uint32, alg="philox").numpy()
    assert np.array_equal(words.astype("<u4").view(np.uint8)[:50] >= 64, whole[7])


def configured(task=("worker", 0), **cluster):
    return json.dumps({"cluster": cluster, "task": dict(zip(("type", "index"), task, strict=True))})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("worker", r"TF_CONFIG: must be JSON, .*got 'worker'"),
        ("[]", 'TF_CONFIG: must have a "cluster" and a "task"'),
        (configured(worker=["a:1", "b:2", "a:1"]), "TF_CONFIG: must name each host once, got 'a:1' twice"),
        (configured(chief=["a:1"], worker=["a:1"]), "TF_CONFIG: must name each host once"),
        (configured(worker=["a"]), "TF_CONFIG: an address must be \"host:port\", got 'a'"),
        (configured(worker=["a:1"], ps=["b:2"]), 'may have "chief" and "worker", got .*ps'),
        (configured(("worker", 2), worker=["a:1", "b:2"]), r"its task must be one of .*got \('worker', 2\)"),
        (
            configured(worker=["a:1", "b:2", "c:3"]),
            "batch_size: must be a multiple of the 3 hosts.*got 64; take 63 or 66",
        ),
    ],
)
def test_a_bad_tf_config_is_refused(config, message, monkeypatch, tmp_path, idx, refused):
    monkeypatch.setenv("TF_CONFIG", config)
    assert re.search(message, refused(train_script.main, idx, "--out", tmp_path))


def test_clusters_are_read():
    assert cluster_of({}) is None
    assert cluster_of({"TF_CONFIG": configured(("worker", 0), chief=["a:1"], worker=["b:2"])}) == (
        ("a:1", "b:2"),
        1,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workers", 3], "batch_size: must be a multiple of the 3 hosts, which share each batch, got 64"),
        (["--workers", 0], "workers: must be at least 1, got 0"),
    ],
)
def test_bad_numbers_of_workers_are_refused(arguments, message, tmp_path, refused):
    assert message in refused(train_script.main, "digits", "--out", tmp_path, *arguments)


WORKER = """
import json, os, sys, time
config = json.loads(os.environ["TF_CONFIG"])
index = config["task"]["index"]
open(f"{sys.argv[1]}/{index}", "w").write(" ".join([str(os.getpid()), *config["cluster"]["worker"]]))
sys.exit(0) if sys.argv[2] == "well" else time.sleep(600) if index else sys.exit(3)
"""


def test_workers_end_together(tmp_path):
    start = time.monotonic()
    command = [sys.executable, "-c", WORKER, str(tmp_path)]
    assert run_workers(3, [*command, "well"]) == 0
    said = [(tmp_path / str(number)).read_text().split() for number in range(3)]
    assert len({tuple(addresses) for _, *addresses in said}) == 1
    assert len({*said[0][1:]}) == 3
    assert all(address.startswith("127.0.0.1:") for address in said[0][1:])
    assert run_workers(3, [*command, "badly"]) == 3
    assert time.monotonic() - start < 300
    for number in range(3):
        pid = int((tmp_path / str(number)).read_text().split()[0])
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


STARTER = """
import os, runpy, sys, time
of = runpy.run_path("pipelines/train/workers.py")  # without TensorFlow
of["end_with_parent"]()
if sys.argv[1] == "starts":
    of["run_workers"](2, [sys.executable, "-c", sys.argv[2], "waits", ""])
os.write(2, b"here\\n")  # in one piece, as two processes say it
time.sleep(60)
"""


def test_workers_end_with_who_started_them_if_that_is_killed():
    command = [sys.executable, "-c", STARTER, "starts", STARTER]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as starter:
        assert [starter.stderr.readline() for _ in range(2)] == ["here\n"] * 2
        starter.kill()
        _, said = starter.communicate(timeout=30)  # comes to an end when nobody is left to write
    assert said == ""
