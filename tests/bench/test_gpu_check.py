"""scripts/gpu_check.py: what it checks, says and answers, here and in JAX over exported programs."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from pipelines.bench import gpu_check
from pipelines.run import device_check
from tests import cases
from tests.conftest import ROOT, status_of

QUICK = ("--batch", "4", "--size", "64", "--rounds", "1", "--calls", "1")
NEEDS_JAX = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason='JAX is not installed (extra "jax")'
)
NO_GPU = not tf.config.list_physical_devices("GPU")


def run_script(*args, env=None):
    command = [sys.executable, str(ROOT / "scripts" / "gpu_check.py"), *map(str, args)]
    environment = {**os.environ, **(env or {})}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("programs")
    device_check.export(folder, 70, 64)
    return folder


@pytest.mark.slow
def test_here_all_bits_are_the_same(tmp_path, capsys):
    assert status_of(gpu_check.main, *QUICK, "--json", tmp_path / "report.json") == 0
    said = capsys.readouterr().out
    assert said.startswith("TensorFlow 2")
    assert ("sees no GPU" in said) == NO_GPU
    report = json.loads((tmp_path / "report.json").read_text())
    assert set(report["bits"]) == {*cases.CASES, "normalised_float32", "normalised_bfloat16"}
    devices = 1 + len(report["gpus"])
    ways = 2 * devices + NO_GPU
    assert all(len(found) == ways and all(found.values()) for found in report["bits"].values())
    assert ("lowered for a GPU done" in said) == NO_GPU
    assert set(report["speed"]) == {"copy", "augrng", "Keras layers"}
    assert all(row["ms"] > 0 for row in report["speed"].values())


def test_a_difference_of_one_bit_is_found(monkeypatch, capsys):
    name = "random_crop"
    work = device_check.works()[name]
    wanted = device_check.expected(work)
    wanted[5, 3, 2, 1] ^= 1
    monkeypatch.setattr(device_check, "works", lambda: {name: work})
    monkeypatch.setattr(device_check, "expected", lambda _: wanted)
    assert gpu_check.main([*QUICK]) == 1
    assert "CPU:0 DIFFERENT, CPU:0 XLA DIFFERENT" in capsys.readouterr().out


@pytest.mark.skipif(not NO_GPU, reason="TensorFlow sees a GPU, which runs them")
def test_what_has_no_program_for_a_gpu_is_found(monkeypatch, capsys):
    def work(images, ids, epochs):
        tf.strings.as_string(ids)
        return tf.numpy_function(lambda x: x, [images], tf.uint8) if tf.inside_function() else images

    assert device_check._lowers(tf.function(lambda images, ids, epochs: images + 1, jit_compile=True))
    assert not device_check._lowers(tf.function(work, jit_compile=True))


def test_shares_are_of_the_bytes_that_a_copy_moves_in_a_second():
    rows = gpu_check.figures({"copy": 0.5, "augrng": 0.25}, {"copy": 4 * 10**9, "augrng": 10**9}, batch=10)
    assert rows["copy"] == {"ms": 500, "gb_per_s": 8, "share_of_copy": 1}
    assert rows["augrng"] == {"ms": 250, "gb_per_s": 4, "share_of_copy": 0.5, "images_per_s": 40}


def test_the_folder_is_small_and_holds_what_the_pixels_must_be(folder):
    assert sum(file.stat().st_size for file in folder.iterdir()) < 20e6
    said = json.loads((folder / "check.json").read_text())
    assert set(cases.CASES) <= set(said["works"])
    for case in ("random_crop", "resize", "random_flip"):
        pixels = cases.compose(case)(cases.pictures(), cases.example_ids(), cases.EPOCH).numpy()
        assert np.load(folder / f"{case}.npy").tobytes() == pixels.tobytes()
    assert said["speed"]["bytes"]["augrng"] == 70 * 56 * 56 * 3 * (1 + 2)


@NEEDS_JAX
def test_jax_gives_the_same_bits_without_tensorflow(folder, tmp_path):
    (tmp_path / "tensorflow.py").write_text("raise ImportError('TensorFlow was imported')")
    done = run_script("--programs", folder, *QUICK, env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(" same") == len(cases.CASES) + 3
    assert "DIFFERENT" not in done.stdout


@NEEDS_JAX
@pytest.mark.parametrize("tampered", ["random_crop", "speed"])
def test_jax_finds_a_byte_that_differs(folder, tmp_path, tampered):
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    said = json.loads((copy / "check.json").read_text())
    said["works"] = ["random_crop"]
    if tampered == "speed":
        said["speed"]["sha256"] = "0" * 64
    else:
        pixels = np.load(copy / "random_crop.npy")
        pixels[-1] ^= 1
        np.save(copy / "random_crop.npy", pixels)
    (copy / "check.json").write_text(json.dumps(said))
    done = run_script("--programs", copy, *QUICK)
    assert done.returncode == 1, done.stderr
    found = {line.split()[0]: line.split()[-1] for line in done.stdout.splitlines() if " JAX " in line}
    assert found == {"random_crop": "same", "speed": "same"} | {tampered: "DIFFERENT"}


@NEEDS_JAX
def test_a_folder_that_is_none_is_named(tmp_path):
    done = run_script("--programs", tmp_path / "none")
    assert done.returncode == 2
    assert "none" in done.stderr
