"""Graphs kept on disk: what is read gives what is traced; what cannot be told apart is not kept."""

import functools

import numpy as np
import pytest
import tensorflow as tf

import augrng as ar
from augrng import kept
from pipelines.images import header
from pipelines.images.read import Reader

READS = """
import sys
import numpy as np
import augrng as ar
folder = ar.keep_programs(sys.argv[1])
from augrng import kept
traced, traces = kept._traced, []
kept._traced = lambda *args: traces.append(args) or traced(*args)
import tensorflow as tf
from pipelines.images.read import Reader
pixels = np.random.default_rng(1).integers(0, 256, (40, 50, 3), np.uint8)
images = [tf.io.encode_jpeg(pixels, quality=60), tf.io.encode_png(pixels)]
reader = Reader(ar.Compose([ar.RandomResizedCrop(16, 16), ar.RandomFlip()], seed=3))
epoch = tf.constant(2, tf.int64)
made = [reader(image, tf.constant(id_, tf.int64), epoch).numpy() for id_, image in enumerate(images)]
print(ar.fingerprint(np.stack(made), np.arange(2), 2), len(traces), len(list(folder.glob("augrng_graph__*"))))
"""


def test_what_is_read_gives_what_is_traced(python, tmp_path):
    run = lambda: python(READS, tmp_path, env={"TF_XLA_FLAGS": ""}).split()[-3:]  # noqa: E731
    pixels, traces, there = run()
    assert int(traces) == int(there) >= 3
    assert run() == [pixels, "0", there]
    for number, path in enumerate(sorted(tmp_path.rglob("augrng_graph__*"))):
        data = bytearray(path.read_bytes())
        data[40 + 90 * number] ^= 1
        path.write_bytes(data if number else data[:50])
    assert run() == [pixels, traces, there]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "_folder", tmp_path)
    return tmp_path


SPEC = tf.TensorSpec([], tf.string)


def test_it_is_kept_for_the_code_that_made_it(folder, monkeypatch):
    facts = kept.Kept(header.more_facts).get_concrete_function(SPEC)
    assert facts is kept.Kept(header.more_facts).get_concrete_function(SPEC)
    assert len(list(folder.iterdir())) == 1
    monkeypatch.setattr(kept, "_code", lambda package: b"changed")
    image = tf.io.encode_png(np.zeros((3, 5, 1), np.uint8))
    assert kept.Kept(header.more_facts)(image).numpy().tolist() == [0, 0, 1]
    assert len(list(folder.iterdir())) == 2


def test_without_a_right_to_write_it_is_traced(folder, monkeypatch):
    monkeypatch.setattr(kept, "_folder", folder / "gone")
    monkeypatch.setattr(kept, "_found", {})
    image = tf.io.encode_jpeg(np.zeros((3, 5, 3), np.uint8))
    assert kept.Kept(header.more_facts)(image).numpy().tolist() == [3, 5, 1]


def brighter(image, key):
    return image + tf.cast(2, image.dtype)


def test_what_a_user_wrote_is_not_kept(folder, monkeypatch):
    asked, of_key = [], kept._of_key
    monkeypatch.setattr(
        kept, "_of_key", lambda function, *args: asked.append(function) or of_key(function, *args)
    )
    recipe = ar.Compose([ar.RandomCrop(8, 8), ar.Custom(brighter)], seed=1)
    with pytest.raises(TypeError, match="exact: must be of a known type"):
        kept.exact(recipe.program)
    image = tf.io.encode_png(np.full((9, 9, 3), 7, np.uint8))
    out = Reader(recipe)(image, tf.constant(0, tf.int64), tf.constant(0, tf.int64))
    assert np.array_equal(out, np.full((8, 8, 3), 9))
    assert {function.func.__name__ for function in asked} <= {"_facts", "_whole"}


def test_exact_tells_apart_what_differs():
    programs = [
        ar.Compose(transforms, seed=seed, targets=targets).program
        for seed, transforms, targets in [
            (1, [ar.RandomCrop(8, 8)], None),
            (1, [ar.RandomCrop(8, 9)], None),
            (1, [ar.RandomCrop(8, 8), ar.RandomRotation(30)], None),
            (1, [ar.RandomCrop(8, 8), ar.RandomRotation(30.000000000000004)], None),
            (1, [ar.RandomCrop(8, 8), ar.Maybe(ar.RandomRotation(30), 0.5)], None),
            (1, [ar.RandomCrop(8, 8)], {"mask": ar.Mask()}),
            (1, [ar.RandomCrop(8, 8)], {"mask": ar.Mask(255)}),
        ]
    ]
    values = [1, 1.0, True, "1", b"1", None, (1,), [1], {"a": 1}, {"a": 2}, tf.int32, header.more_facts]
    values += [header.first_bytes, functools.partial(header.more_facts, 1), *programs]
    said = [kept.exact(value) for value in values]
    assert len(set(said)) == len(said)
    again = ar.Compose([ar.RandomCrop(8, 8)], seed=2, targets=None).program
    assert kept.exact(again) == kept.exact(programs[0])  # seeds are arguments
    for unknown in (np.zeros(3), lambda: 0, np.sum, object()):
        with pytest.raises(TypeError, match="exact: must be of a known type"):
            kept.exact(unknown)
