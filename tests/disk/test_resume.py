"""A run that was killed at any moment and resumed yields the batches of the unbroken run."""

import pytest

# Forks from a process that has imported TensorFlow but not used it, which saves most of each start. A process
# takes some runs of each kind along, each in a thread of its own, and the kill ends all of them wherever they
# are: what makes datasets ready, which takes most of the time, is shared by them.
PROGRAM = """
import os, random, shutil, signal, sys, threading, time
from pathlib import Path
import numpy as np, pytest, tensorflow as tf
from PIL import Image
import augrng as ar, pipelines as pl

folder, kinds, kills = Path(sys.argv[1]), sys.argv[2].split(","), int(sys.argv[3])
STEPS, SAVE_EVERY, RUNS = 60, 3, 5

def source(kind):
    if kind == "folder":
        return pl.from_folder(folder / "images")
    if kind == "tfrecords":
        scalar = lambda dtype: tf.io.FixedLenFeature([], dtype)
        return pl.from_tfrecords(folder / "*.tfrecord", {"image": scalar(tf.string), "id": scalar(tf.int64)})
    pixels = np.random.default_rng(0).integers(0, 256, (50, 40, 50, 3), dtype=np.uint8)  # quicker to trace
    return pl.from_dataset(tf.data.Dataset.from_tensor_slices({"image": pixels, "id": np.arange(50)}))

def lines_of(log):
    return log.read_bytes().split(b"\\n")[:-1] if log.exists() else []  # a line without its end was cut off

def prepared(kind, log):
    aug = ar.Compose([ar.RandomCrop(24, 24), ar.RandomFlip()], seed=5)
    build = lambda start: pl.make_dataset(
        source(kind), aug, batch_size=8, epochs=None, seed=1, shuffle_buffer=20, start_step=start, num_parallel_calls=2)
    step = len(lines_of(log))
    if kind != "stream":
        batches, save = iter(build(step)), lambda step: None
    else:
        batches, saved = iter(build(0)), tf.Variable(0)
        manager = tf.train.CheckpointManager(tf.train.Checkpoint(iterator=batches, step=saved), f"{log}-ck", 2)
        manager.restore_or_initialize()
        step = int(saved)
        def save(step):
            saved.assign(step)
            manager.save()
    kept = lines_of(log)[:step]
    log.write_bytes(b"".join(line + b"\\n" for line in kept))
    return log, step, batches, save

def run(log, step, batches, save):
    with open(log, "ab", buffering=0) as out:
        while step < STEPS:
            batch = next(batches)
            out.write(f"{step} {ar.fingerprint(batch['image'], batch['id'], batch['epoch'])}\\n".encode())
            step += 1
            if step % SAVE_EVERY == 0: save(step)

def minded(*work):
    try: run(*work)
    except BaseException as error: print(repr(error), flush=True); os._exit(1)

def child(logs):
    pid = os.fork()
    if pid: return pid
    from tests import conftest  # quick to start
    try:
        made = [prepared(kind, log) for kind, log in logs if len(lines_of(log)) < STEPS]
        threads = [threading.Thread(target=minded, args=work) for work in made]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        os._exit(0)
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

if "tfrecords" in kinds:
    write_records()
whole = {kind: folder / f"{kind}-whole" for kind in kinds}
broken = {kind: [folder / f"{kind}-{n}" for n in range(RUNS)] for kind in kinds}
everyone = [(kind, log) for kind in kinds for log in broken[kind]]
assert os.waitpid(child(list(whole.items())), 0)[1] == 0
killed, same = dict.fromkeys(kinds, 0), dict.fromkeys(kinds, True)
while min(killed.values()) < kills:
    lengths = lambda: [len(lines_of(log)) for _, log in everyone]
    pid, target = child(everyone), sum(lengths()) + rng.randint(0, 20 * len(everyone))
    while sum(lengths()) < target and os.waitpid(pid, os.WNOHANG) == (0, 0): time.sleep(0.002)
    time.sleep(rng.uniform(0, 0.02))
    os.kill(pid, signal.SIGKILL)
    assert os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    for kind, log in everyone:
        if len(lines_of(log)) < STEPS: killed[kind] += 1
        else:  # it ended before: from the start again
            same[kind] &= log.read_bytes() == whole[kind].read_bytes()
            log.unlink()
            shutil.rmtree(f"{log}-ck", ignore_errors=True)
assert os.waitpid(child(everyone), 0)[1] == 0
for kind in kinds:
    same[kind] &= all(log.read_bytes() == whole[kind].read_bytes() for log in broken[kind])
    print(kind, "killed", killed[kind], "same", same[kind], "lines", len(lines_of(whole[kind])))
"""

KINDS = ("folder", "tfrecords", "stream")


@pytest.fixture(scope="module")
def said(python, tmp_path_factory):
    """What the program prints of each kind."""
    folder = tmp_path_factory.mktemp("killed")
    # Each of the processes would compile the same programs.
    env = {"TF_XLA_FLAGS": f"--tf_xla_persistent_cache_directory={folder}/programs"}
    lines = python(PROGRAM, folder, ",".join(KINDS), 20, env=env).splitlines()
    return dict(line.split(" ", 1) for line in lines[-len(KINDS) :])


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_run_is_resumed_as_if_nothing_had_been(kind, said):
    found = said[kind].split()
    assert found[::2] == ["killed", "same", "lines"]
    assert int(found[1]) >= 20
    assert found[3::2] == ["True", "60"]
