"""A run that was killed at any moment and resumed yields the batches of the unbroken run."""

import pytest

# Forks from a process that has imported TensorFlow but not used it, which saves most of each start.
PROGRAM = """
import io, os, random, signal, sys, time
from pathlib import Path
import numpy as np, pytest, tensorflow as tf
from PIL import Image
import augrng as ar, pipelines as pl

kind, folder, kills = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
STEPS, SAVE_EVERY = 60, 3

def source():
    if kind == "folder":
        return pl.from_folder(folder / "images")
    if kind == "tfrecords":
        scalar = lambda dtype: tf.io.FixedLenFeature([], dtype)
        return pl.from_tfrecords(folder / "*.tfrecord", {"image": scalar(tf.string), "id": scalar(tf.int64)})
    pixels = np.random.default_rng(0).integers(0, 256, (50, 40, 50, 3), dtype=np.uint8)  # quicker to trace
    return pl.from_dataset(tf.data.Dataset.from_tensor_slices({"image": pixels, "id": np.arange(50)}))

def lines_of(log):
    return log.read_bytes().split(b"\\n")[:-1] if log.exists() else []  # a line without its end was cut off

def run(log):
    aug = ar.Compose([ar.RandomCrop(24, 24), ar.RandomFlip()], seed=5)  # cheap to trace, forty times
    build = lambda start: pl.make_dataset(
        source(), aug, batch_size=8, epochs=None, seed=1, shuffle_buffer=20, start_step=start, num_parallel_calls=2)
    step = len(lines_of(log))
    if kind != "stream":
        batches, save = iter(build(step)), lambda: None
    else:
        batches, saved = iter(build(0)), tf.Variable(0)
        manager = tf.train.CheckpointManager(tf.train.Checkpoint(iterator=batches, step=saved), log.parent / (log.name + "-ck"), 2)
        manager.restore_or_initialize()
        step = int(saved)
        def save():
            saved.assign(step)
            manager.save()
    kept = lines_of(log)[:step]
    log.write_bytes(b"".join(line + b"\\n" for line in kept))
    with open(log, "ab", buffering=0) as out:
        while step < STEPS:
            batch = next(batches)
            out.write(f"{step} {ar.fingerprint(batch['image'], batch['id'], batch['epoch'])}\\n".encode())
            step += 1
            if step % SAVE_EVERY == 0: save()

def child(log):
    pid = os.fork()
    if pid: return pid
    from tests import conftest  # quick to start
    try: run(log); os._exit(0)
    except BaseException as error: print(repr(error), flush=True); os._exit(1)

rng = random.Random(7)
(folder / "images").mkdir(parents=True)
noise = np.random.default_rng(0)
for n in range(50):
    Image.fromarray(noise.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(folder / "images" / f"{n}.jpg")

def feature(value):
    if isinstance(value, int): return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

def write_records():
    for shard in range(3):
        with tf.io.TFRecordWriter(str(folder / f"{shard}.tfrecord")) as writer:
            for n in range(shard, 50, 3):
                values = {"image": feature((folder / "images" / f"{n}.jpg").read_bytes()), "id": feature(n)}
                writer.write(tf.train.Example(features=tf.train.Features(feature=values)).SerializeToString())

if kind == "tfrecords":
    write_records()
whole, broken = folder / "whole", folder / "broken"
assert os.waitpid(child(whole), 0)[1] == 0
killed = 0
while killed < kills:
    before = len(lines_of(broken))
    pid, target = child(broken), min(before + rng.randint(0, 4), STEPS - 1)
    while len(lines_of(broken)) < target and os.waitpid(pid, os.WNOHANG) == (0, 0): time.sleep(0.002)
    time.sleep(rng.uniform(0, 0.02))
    os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    killed += os.WIFSIGNALED(status)
    if len(lines_of(broken)) == STEPS: broken.unlink(); __import__("shutil").rmtree(folder / "broken-ck", ignore_errors=True)
assert os.waitpid(child(broken), 0)[1] == 0
print("killed", killed, "same", whole.read_bytes() == broken.read_bytes(), "lines", len(lines_of(whole)))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["folder", "tfrecords", "stream"])
def test_a_killed_run_is_resumed_as_if_nothing_had_been(kind, python, tmp_path):
    # Each of the runs would compile the same programs.
    env = {"TF_XLA_FLAGS": f"--tf_xla_persistent_cache_directory={tmp_path}/programs"}
    assert python(PROGRAM, kind, tmp_path, 20, env=env).splitlines()[-1] == "killed 20 same True lines 60"
