"""make_dataset: order, hosts, resuming, errors, memory."""

import functools
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import augrng as ar
import pipelines as pl
from augrng.random.permutation import permutation
from pipelines.run.order import Order, ordered

pytestmark = pytest.mark.usefixtures("op_by_op")

COUNT = 50
AUG = ar.Compose([ar.RandomCrop(16, 16), ar.RandomFlip(), ar.RandomRotation(30)], seed=5)
IMAGES = np.random.default_rng(1).integers(0, 256, (COUNT, 20, 24, 3), dtype=np.uint8)


def arrays():
    return pl.from_arrays(IMAGES, np.arange(COUNT), ids=np.arange(COUNT) + 1000)


def stream():
    dataset = tf.data.Dataset.from_tensor_slices({"image": IMAGES, "id": np.arange(COUNT) + 1000})
    return pl.from_dataset(dataset)


def jpeg(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def folder_source(path, count=COUNT):
    path.mkdir(exist_ok=True)
    for n in range(count):
        (path / f"{n:03}.jpg").write_bytes(jpeg(IMAGES[n]))
    return pl.from_folder(path)


def batches(source, **options):
    dataset = pl.make_dataset(source, AUG, **{"batch_size": 8, "epochs": 3, "seed": 1, **options})
    return list(dataset.as_numpy_iterator())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return folder_source(tmp_path_factory.mktemp("source") / "folder")


@pytest.fixture(scope="module")
def sources(folder):
    return {"arrays": arrays(), "stream": stream(), "folder": folder}


@pytest.fixture(scope="module")
def whole(sources):
    """The batches of an unbroken run over a source, by its name."""
    return functools.cache(lambda name: batches(sources[name]))


def joined(parts, name):
    return np.concatenate([part[name] for part in parts])


def assert_same(left, right):
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        assert a.keys() == b.keys()
        for name in a:
            assert np.array_equal(a[name], b[name]), name


@pytest.mark.parametrize("name", ["arrays", "stream"])
def test_every_epoch_holds_every_example_once(name, whole):
    run = whole(name)
    ids, epochs = joined(run, "id"), joined(run, "epoch")
    assert [len(batch["id"]) for batch in run] == [8] * 18 + [6]
    assert list(epochs) == [e for e in range(3) for _ in range(COUNT)]
    for epoch in range(3):
        assert sorted(ids[epochs == epoch]) == list(range(1000, 1000 + COUNT))
    assert not np.array_equal(ids[:COUNT], ids[COUNT : 2 * COUNT])
    assert np.array_equal(joined(run, "image"), AUG(IMAGES[ids - 1000], ids, epochs))


def test_the_order_follows_from_the_pair_and_the_epoch_alone(whole):
    """Position p of epoch e is the permutation of p under TensorFlow's fold_in(pair, e)."""
    ids = joined(whole("arrays"), "id")
    pair = tf.constant(tf.compat.v1.random.get_seed(1), tf.int64)
    for epoch in range(3):
        key = tf.random.fold_in(pair, tf.constant(epoch, tf.int64), alg="philox")
        expected = permutation(np.arange(COUNT), COUNT, key)
        assert np.array_equal(ids[epoch * COUNT :][:COUNT] - 1000, expected)


def test_shuffle_seed_and_no_shuffle(whole):
    assert_same(batches(arrays()), whole("arrays"))
    assert not np.array_equal(joined(whole("arrays"), "id"), joined(batches(arrays(), seed=2), "id"))
    assert list(joined(batches(arrays(), shuffle=False), "id")) == 3 * list(range(1000, 1000 + COUNT))


@pytest.mark.parametrize("make", [arrays, stream])
def test_a_global_seed_moves_the_order(make):
    orders = []
    for seed in (0, 0, 6):
        tf.random.set_seed(seed)
        orders.append(joined(batches(make()), "id"))
    assert np.array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[0], orders[2])
    assert sorted(orders[2][:COUNT]) == list(range(1000, 1000 + COUNT))


@pytest.mark.parametrize("hosts", [2, 4, 8])
def test_hosts_share_each_batch(hosts, sources, whole):
    for source in ("arrays", "folder"):
        parts = [batches(sources[source], hosts=hosts, host=host) for host in range(hosts)]
        for step, batch in enumerate(whole(source)):
            local = [part[step] for part in parts if step < len(part)]
            for name in ("id", "epoch", "image"):
                together = joined(local, name)
                order = np.argsort(joined(local, "id") * 10 + joined(local, "epoch"))
                expected = np.argsort(batch["id"] * 10 + batch["epoch"])
                assert np.array_equal(together[order], batch[name][expected])


@pytest.mark.parametrize("start_step", [1, 6, 7, 18])
def test_a_resume_yields_the_rest(start_step, sources, whole):
    for name, source in sources.items():
        assert_same(batches(source, start_step=start_step), whole(name)[start_step:])


def test_a_run_without_end_goes_on_from_anywhere():
    dataset = pl.make_dataset(arrays(), AUG, batch_size=8, epochs=None, seed=1, start_step=10**12)
    batch = next(iter(dataset))
    assert batch["epoch"][0] == 8 * 10**12 // COUNT
    assert np.array_equal(
        batch["image"], AUG(IMAGES[batch["id"].numpy() - 1000], batch["id"], batch["epoch"])
    )


def test_drop_remainder_makes_static_shapes():
    dataset = pl.make_dataset(arrays(), AUG, batch_size=8, epochs=3, drop_remainder=True)
    assert dataset.element_spec["image"].shape == (8, 16, 16, 3)
    assert dataset.element_spec["label"].shape == (8,)
    assert len(list(dataset)) == 18


def test_shapes_are_static_but_for_the_batch(sources):
    for source in sources.values():
        spec = pl.make_dataset(source, AUG, batch_size=8).element_spec
        assert spec["image"] == tf.TensorSpec([None, 16, 16, 3], tf.uint8)
        assert spec["id"] == tf.TensorSpec([None], tf.int64)


def test_a_saved_iterator_goes_on(sources, whole, tmp_path):
    for name in ("folder", "stream"):

        def build(source=sources[name]):
            return iter(pl.make_dataset(source, AUG, batch_size=8, epochs=3, seed=1, on_error="skip"))

        iterator = build()
        first = [next(iterator) for _ in range(7)]
        path = tf.train.Checkpoint(iterator=iterator).save(str(tmp_path / "saved"))
        again = build()
        tf.train.Checkpoint(iterator=again).restore(path)
        assert_same([{k: v.numpy() for k, v in batch.items()} for batch in [*first, *again]], whole(name))


def test_pixels_of_unknown_size(whole):
    spec = {"image": tf.TensorSpec([None, None, 3], tf.uint8), "id": tf.TensorSpec([], tf.int64)}
    items = [{"image": image, "id": id_ + 1000} for id_, image in enumerate(IMAGES)]
    dataset = tf.data.Dataset.from_generator(lambda: iter(items), output_signature=spec)
    assert_same(batches(pl.from_dataset(dataset)), whole("stream"))


@pytest.fixture
def damaged(tmp_path):
    """Ten images, five that cannot be read: the first, the last, and two in a row among them."""
    source = folder_source(tmp_path / "damaged", 10)
    path = tmp_path / "damaged"
    (path / "000.jpg").write_bytes(b"")
    (path / "004.jpg").write_bytes((path / "004.jpg").read_bytes()[:300])
    (path / "005.jpg").write_text("no image at all")
    (path / "007.jpg").unlink()
    Image.fromarray(IMAGES[0][:5, :5]).save(path / "009.jpg")  # smaller than the crop
    bad = [int(ar.string_ids(f"{n:03}.jpg")) for n in (0, 4, 5, 7, 9)]
    return source, bad


def test_on_error_skip_leaves_out_and_names(damaged, tmp_path, capfd):
    source, bad = damaged
    log = tmp_path / "skipped.txt"
    run = batches(source, epochs=2, shuffle=False, on_error="skip", skipped=log, batch_size=4)
    assert [len(batch["id"]) for batch in run] == [3, 1, 2, 2, 2]
    good = [int(ar.string_ids(f"{n:03}.jpg")) for n in (1, 2, 3, 6, 8)]
    assert list(joined(run, "id")) == good * 2
    assert sorted(pl.skipped_ids(log)) == sorted(bad * 2)
    assert "truncated" in log.read_text()
    assert joined(run, "image").any((1, 2, 3)).all()
    assert pl.skipped_ids(tmp_path / "none") == []
    batches(source, epochs=1, on_error="skip")
    assert f"skipped example {bad[0]}\t" in capfd.readouterr().err


def test_on_error_raise_names_the_first(damaged):
    source, bad = damaged
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match=rf"the example with id {bad[0]} \(000.jpg\) cannot be used: it is empty",
    ):
        batches(source, shuffle=False)
    for place, start in ((1, 1), (2, 5), (3, 6), (4, 8)):
        with pytest.raises(tf.errors.InvalidArgumentError, match=rf"the example with id {bad[place]} "):
            batches(source, shuffle=False, batch_size=1, start_step=start)


@pytest.mark.parametrize(
    "name", ["text.jpg", "animated.gif", "deep.png", "wrong.png", "tall.jpg", "huge.png", "cut.png"]
)
def test_odd_files(tmp_path, name):
    pixels = IMAGES[0]
    path = tmp_path / name
    match name:
        case "text.jpg":
            path.write_text("a text")
        case "animated.gif":
            Image.fromarray(pixels).save(path, save_all=True, append_images=[Image.fromarray(pixels[::-1])])
        case "deep.png":
            Image.fromarray(np.full((20, 24), 40_000, np.uint16)).save(path)
        case "wrong.png":
            path.write_bytes(jpeg(pixels))  # wrong extension with good content
        case "tall.jpg":
            Image.fromarray(np.full((10_000, 16, 3), 9, np.uint8)).save(path)
        case "huge.png":
            Image.fromarray(pixels).save(path)
            whole = path.read_bytes()
            path.write_bytes(whole[:16] + (60_000).to_bytes(4, "big") * 2 + whole[24:])
        case "cut.png":
            Image.fromarray(pixels).save(path)
            path.write_bytes(path.read_bytes()[:500])
    source = pl.from_folder(tmp_path)
    if name in ("text.jpg", "huge.png", "cut.png"):
        with pytest.raises(tf.errors.InvalidArgumentError, match=str(int(ar.string_ids(name)))):
            batches(source, epochs=1)
    else:
        (batch,) = batches(source, epochs=1)
        assert batch["image"].shape == (1, 16, 16, 3)
        assert batch["image"].any()


@pytest.mark.slow
def test_memory_does_not_grow(python):
    """Resident size after 20 epochs within 5 % of that after 2."""
    program = """
import resource, sys
import numpy as np, tensorflow as tf, augrng as ar, pipelines as pl
from pathlib import Path
from pipelines.sources.digits import photo_paths
contents = [path.read_bytes() for path in photo_paths()] * 100
encoded = pl.from_dataset(tf.data.Dataset.from_tensor_slices({"image": contents, "id": np.arange(200)}))
aug = ar.Compose([ar.RandomResizedCrop(96, 96), ar.RandomFlip(), ar.RandomRotation(30)], seed=1)
def resident():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()
for number, batch in enumerate(pl.make_dataset(encoded, aug, batch_size=20, epochs=20, seed=1), start=1):
    if number in (20, 200): print(resident())
"""
    after_2, after_20 = map(int, python(program).split()[-2:])
    assert after_20 < 1.05 * after_2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size: must be a positive multiple of hosts=1, got 0"),
        ({"batch_size": 7, "hosts": 2}, "batch_size: must be a positive multiple of hosts=2, got 7"),
        ({"epochs": 0}, "epochs: must be at least 1, or None"),
        ({"start_step": -1}, "start_step: must be at least 0"),
        ({"hosts": 2, "host": 2}, r"host: must lie in \[0, hosts\)"),
        ({"decode": "half"}, "decode: must be"),
        ({"on_error": "ignore"}, "on_error: must be"),
        ({"shuffle_buffer": 0}, "buffer: must be at least 1"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        pl.make_dataset(arrays(), AUG, **{"batch_size": 8, **options})


def test_an_empty_source_is_refused():
    with pytest.raises(ValueError, match="source: must hold at least one record"):
        ordered(pl.from_arrays(IMAGES[:0]), Order())


def test_a_recipe_without_a_fixed_size_is_refused(tmp_path):
    with pytest.raises(ValueError, match="its output must have a fixed size"):
        pl.make_dataset(folder_source(tmp_path, 2), ar.Compose([ar.RandomFlip()], seed=1), batch_size=2)
