"""Programs kept on disk: found by the next process, with the same pixels; refused when it is too late."""

from pathlib import Path

import pytest

import augrng as ar

PROGRAM = """
import os, shutil, sys
import augrng as ar
if sys.argv[2] == "full":
    shutil.disk_usage = lambda path: shutil._ntuple_diskusage(1, 1, 0)
folder = ar.keep_programs(sys.argv[1])
before = set(os.listdir(folder))
if sys.argv[2] == "after others":
    import tensorflow as tf
    tf.function(lambda x: tf.cond(x > 0, lambda: x, lambda: -x))(tf.constant(1))
    ar.Compose([ar.RandomCrop(4, 4)], seed=3).sample([5], 0, [9, 9])
from tests.cases import fingerprint_of
print(fingerprint_of("crop_flip_rotation"), len(before), len(set(os.listdir(folder)) - before))
"""


def test_programs_are_found_by_the_next_process(python, tmp_path):
    run = lambda how: python(PROGRAM, tmp_path, how, env={"TF_XLA_FLAGS": ""}).split()[-3:]  # noqa: E731
    pixels, there, made = run("full")
    assert (there, made) == ("0", "0")  # without room, programs are only read
    again, there, made = run("roomy")
    assert (again, there) == (pixels, "0")
    assert int(made) >= 2
    assert run("roomy") == [pixels, made, "0"]
    again, there, more = run("after others")  # its own two for another recipe, which draws and samples
    assert (again, there, more) == (pixels, made, "1")
    (folder,) = tmp_path.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700


def test_it_is_refused_once_tensorflow_has_read_its_flags(monkeypatch, tmp_path):
    monkeypatch.delenv("TF_XLA_FLAGS")
    with pytest.raises(RuntimeError, match="before TensorFlow looks for devices or runs anything"):
        ar.keep_programs(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_cache_that_was_asked_for_stays(monkeypatch, tmp_path):
    monkeypatch.setenv("TF_XLA_FLAGS", f"--a=1 --tf_xla_persistent_cache_directory={tmp_path}/mine")
    assert ar.keep_programs(tmp_path) == Path(f"{tmp_path}/mine")


def test_xla_parts_its_flags_at_spaces(monkeypatch, tmp_path):
    monkeypatch.delenv("TF_XLA_FLAGS")
    monkeypatch.setattr("augrng.caching._require_unread_flags", lambda: None)
    with pytest.raises(ValueError, match="folder: must have no spaces in its path"):
        ar.keep_programs(tmp_path / "my programs")
