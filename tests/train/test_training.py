"""Training: the same weights twice, after SIGKILL and resume, and not of another run's checkpoint."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import augrng as ar
import pipelines as pl
from pipelines.commands import train as train_script
from pipelines.train.training import Settings, Trainer, digest_of, open_splits
from tests.conftest import status_of
from tests.files import idx_files

AUG = ar.Compose([ar.RandomCrop(12, 12), ar.RandomFlip()], seed=1)
STEPS, EVERY = 120, 4
# Pixels and a crop are quick to trace: each run in the test of killed ones does it again.
ARGUMENTS = (
    f"--recipe RandomCrop(8,8),RandomFlip() --steps {STEPS} --checkpoint-every {EVERY} --seed 3".split()
)

# Forks from a process that has imported TensorFlow but not used it, which saves most of each start.
PROGRAM = """
import contextlib, os, random, signal, sys, time
from pathlib import Path
import pytest
from pipelines.commands import train

folder, arguments = Path(sys.argv[1]), sys.argv[2:]
checkpoint = folder / "killed" / "checkpoint.npz"

def child(name, *more):
    pid = os.fork()
    if pid: return pid
    try:
        from tests import conftest  # quick to start
        with open(folder / f"{name}.txt", "w") as out, contextlib.redirect_stdout(out):
            code = train.main([*arguments, "--out", str(folder / name), *more])
    except BaseException as error:
        print(repr(error), flush=True)
        code = 1
    os._exit(code)

def end(pid): return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
def saved(): return checkpoint.stat().st_ino if checkpoint.exists() else 0

assert end(child("whole")) == 0
assert end(child("other", "--seed", "4")) == 0
rng = random.Random(11)
for number in range(5):
    pid, seen = child("killed", "--resume"), saved()
    for _ in range(rng.randint(1, 3)):  # so many checkpoints further, and somewhere in the steps after it
        while saved() in (seen, 0): time.sleep(0.001)
        seen = saved()
    time.sleep(rng.uniform(0, 0.03))
    os.kill(pid, signal.SIGKILL)
    print("ended by", end(pid))
assert end(child("killed", "--resume")) == 0
"""


FRESH = "import sys; from tests import conftest; from pipelines.commands import train; sys.exit(train.main(sys.argv[1:]))"


def weights_in(text):
    (line,) = [line for line in text.splitlines() if line.startswith("weights ")]
    return line


def scalars(logs):
    """What TensorBoard would read: {(tag, step): value}."""
    found = {}
    for file in Path(logs).iterdir():
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                found[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    return found


@pytest.fixture
def idx(rng, tmp_path):
    images = rng.integers(0, 256, (300, 10, 10), np.uint8)
    return idx_files(tmp_path, images, np.arange(300, dtype=np.uint8) % 4)


@pytest.mark.slow
def test_a_run_repeated_and_a_run_killed_five_times_give_the_same_weights(python, idx, tmp_path, refused):
    # Each of the runs in the program would compile the same programs.
    env = {"TF_XLA_FLAGS": f"--tf_xla_persistent_cache_directory={tmp_path}/programs"}
    assert python(PROGRAM, tmp_path, idx, *ARGUMENTS, env=env).splitlines() == ["ended by -9"] * 5
    whole, other, killed = ((tmp_path / f"{name}.txt").read_text() for name in ("whole", "other", "killed"))
    again = python(FRESH, idx, *ARGUMENTS, "--out", tmp_path / "again")
    assert killed.startswith("resumed at step ")
    assert again == whole
    assert weights_in(killed) == weights_in(whole)
    assert weights_in(other) != weights_in(whole)

    logged = scalars(tmp_path / "whole" / "logs")
    assert {step for tag, step in logged if tag == "loss"} == set(range(1, STEPS + 1))
    assert {step for tag, step in logged if tag == "test accuracy"} == set(range(EVERY, STEPS + 1, EVERY))
    assert logged == scalars(tmp_path / "again" / "logs")
    assert f"test accuracy {logged['test accuracy', STEPS]:.4f} at step {STEPS}" in whole

    mixed = (idx, *ARGUMENTS, "--out", tmp_path / "whole", "--mixed-precision", "--resume")
    assert "precision: this run has 'mixed_bfloat16', the checkpoint 'float32'" in refused(
        train_script.main, *mixed
    )


def test_weights_are_the_same_whether_the_dataset_is_built_or_found(monkeypatch, tmp_path, refused):
    """TFDS draws from Python's generator when it builds one, and so would the weights' seeds."""

    def stopped(*arguments, **options):
        raise ValueError(Trainer(*arguments, **options).digest())

    monkeypatch.setattr(train_script, "Trainer", stopped)
    arguments = ("digits", "--data-dir", tmp_path / "data", "--out", tmp_path / "out", "--seed", 3)
    built, found = (refused(train_script.main, *arguments) for _ in range(2))
    assert re.search("train: [0-9a-f]{64}$", built, re.M)
    assert found.splitlines()[-1] in built


def test_a_folder_is_trained_on_in_mixed_precision(rng, tmp_path, capsys):
    for split in ("train", "val"):
        for label in ("dark", "light"):
            (tmp_path / split / label).mkdir(parents=True)
            for number in range(8):
                pixels = rng.integers(0, 100, (24, 30, 3)) + (150 if label == "light" else 0)
                Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / split / label / f"{number}.png")
    out = tmp_path / "out"
    common = (f"folder:{tmp_path}", "--size", 16, "--batch-size", 8, "--mixed-precision", "--out", out)
    assert status_of(train_script.main, *common, "--epochs", 15) == 0
    assert "test accuracy 1.0000 at step 30" in capsys.readouterr().out
    assert status_of(train_script.main, *common, "--epochs", 16, "--resume") == 0
    assert "resumed at step 30" in capsys.readouterr().out


@pytest.fixture
def source(rng):
    return pl.from_arrays(rng.integers(0, 256, (40, 16, 16, 1), dtype=np.uint8), np.arange(40) % 4)


@pytest.fixture
def settings(source):
    return Settings(digest_of(source), AUG.to_json(), seed=1, batch_size=8, shape=(12, 12, 1), classes=4)


def test_a_checkpoint_holds_all_that_a_step_depends_on(source, settings, tmp_path):
    whole, part = Trainer(settings, source), Trainer(settings, source)
    path = tmp_path / "checkpoint.npz"
    part.save(path)
    whole.restore(path)  # the same weights at the start, without a global seed
    whole.run(7)
    part.run(4)
    part.save(path)
    resumed = Trainer(settings, source)
    assert resumed.digest() != part.digest()
    resumed.restore(path)
    assert (resumed.step, resumed.digest()) == (4, part.digest())
    losses = []
    resumed.run(7, losses.append)
    assert (resumed.step, len(losses)) == (7, 3)
    assert resumed.digest() == whole.digest()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 2}, "seed: this run has 2, the checkpoint 1"),
        ({"stream_version": 99}, f"stream_version: this run has 99, the checkpoint {ar.STREAM_VERSION}"),
        ({"batch_size": 4}, "batch_size: this run has 4, the checkpoint 8"),
        ({"examples": "0"}, "examples: this run has '0', the checkpoint '"),
        (
            {"recipe": ar.Compose([ar.RandomCrop(12, 12)], seed=1).to_json()},
            "recipe: random_flip: there, not here",
        ),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(source, settings, change, message, tmp_path):
    path = tmp_path / "checkpoint.npz"
    Trainer(settings, source).save(path)
    other = Trainer(dataclasses.replace(settings, **change), source)
    before = other.digest()
    with pytest.raises(ValueError, match=message):
        other.restore(path)
    assert (other.step, other.digest()) == (0, before)


@pytest.mark.parametrize("kind", ["empty", "text", "arrays", "short"])
def test_a_file_that_is_no_checkpoint_is_refused(source, settings, kind, tmp_path):
    path = tmp_path / "checkpoint.npz"
    trainer = Trainer(settings, source)
    trainer.save(path)
    whole = path.read_bytes()
    path.write_bytes(
        {"empty": b"", "text": b"no checkpoint", "short": whole[: len(whole) // 2]}.get(kind, b"")
    )
    if kind == "arrays":
        np.savez(path, weights=np.zeros(3))
    with pytest.raises(ValueError, match=r"checkpoint.npz: must be a checkpoint of augrng train"):
        trainer.restore(path)


def test_test_examples_are_those_whose_id_five_divides(rng, tmp_path):
    for number in range(30):
        (tmp_path / str(number % 2)).mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(
            tmp_path / str(number % 2) / f"{number}.png"
        )
    train_part, test_part, channels = open_splits(f"folder:{tmp_path}")
    everything = pl.from_folder(tmp_path).ids()
    assert channels == 3
    assert sorted(test_part.ids()) == sorted(everything[everything % 5 == 0])
    assert sorted([*train_part.ids(), *test_part.ids()]) == sorted(everything)
    assert test_part.size == len(test_part.ids()) > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["folder:/nowhere"], "folder: must be a folder that exists"),
        (["digits", "--seed", "-1"], r"seed: must lie in \[0, 2\*\*32\), got -1"),
    ],
)
def test_bad_arguments_are_told(arguments, message, tmp_path, refused):
    assert re.search(message, refused(train_script.main, *arguments, "--out", tmp_path))
