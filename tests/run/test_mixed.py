"""Mixing in make_dataset: a mixed example is what its id, its epoch and the dataset say, whatever else differs."""

import dataclasses
import functools
import io
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import augrng as ar
import pipelines as pl

COUNT, CLASSES, BROKEN = 13, 4, 1003
IDS = np.arange(COUNT) + 1000
LABELS = np.arange(COUNT) % CLASSES
TARGETS = {"boxes": ar.Boxes("xyxy", labels="classes", max_boxes=4)}
BOXES = np.float32([[[2, 3, 9, 12], [8, 8, 20, 20]]] * COUNT)
MIXING = ar.CutMix(num_classes=CLASSES)


def pictures():
    rng = np.random.default_rng(2)
    return [rng.integers(0, 256, (20 + row % 3, 26 - row % 2, 3), np.uint8) for row in range(COUNT)]


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def source(broken=False):
    """PNGs of several sizes, with random access; the one with the id `BROKEN` is cut off."""
    files = [png(pixels) for pixels in pictures()]
    files = [file[:-30] if broken and id_ == BROKEN else file for file, id_ in zip(files, IDS, strict=True)]
    features = {
        "image": files,
        "id": IDS,
        "label": LABELS,
        "boxes": BOXES,
        "classes": np.arange(2 * COUNT).reshape(-1, 2),
    }
    tensors = {name: tf.constant(value) for name, value in features.items()}
    return pl.Source(
        "files", COUNT, records=lambda at: {name: tf.gather(v, at) for name, v in tensors.items()}
    )


def recipe(mixing=MIXING, targets=TARGETS):
    return ar.Compose([ar.RandomCrop(16, 18), ar.RandomFlip(), mixing], seed=5, targets=targets)


def made(aug, given=None, **options):
    """The rows of a run by (epoch, id)."""
    options = {"batch_size": 4, "epochs": 2, "seed": 1, **options}
    rows = {}
    for batch in pl.make_dataset(given or source(), aug, **options):
        for row, key in enumerate(zip(batch["epoch"].numpy(), batch["id"].numpy(), strict=True)):
            rows[key] = {name: np.asarray(part[row]) for name, part in batch.items()}
    return rows


def assert_same(got, expected):
    assert got.keys() == expected.keys()
    for key, row in got.items():
        for name in row:
            np.testing.assert_array_equal(row[name], expected[key][name], err_msg=f"{key} {name}")


@pytest.fixture(scope="module")
def whole():
    return made(recipe())


@functools.cache
def plain(aug, epoch):
    """What each example is mixed as."""
    made = {}
    for row, (id_, image) in enumerate(zip(IDS, pictures(), strict=True)):
        example = {
            "image": image,
            "label": LABELS[row],
            "boxes": BOXES[row],
            "classes": np.arange(2) + 2 * row,
        }
        made[id_] = aug.unmixed(example, id_, epoch)
    return made


def drawn_partner(aug, epoch, id_):
    low, high = (int(word) for word in ar.bits(aug.keys(id_, epoch)["cut_mix"], 4)[2:])
    return IDS[((low + (high << 32)) >> 1) % COUNT]


def test_each_example_is_mixed_with_the_partner_of_its_key(whole):
    aug = recipe()
    assert set(whole) == {(epoch, id_) for epoch in (0, 1) for id_ in IDS}
    for epoch, id_ in sorted(whole)[::3]:
        row, partner = whole[epoch, id_], drawn_partner(aug, epoch, id_)
        assert row["partners"].tolist() == [partner]
        expected = aug.mixer.mix(plain(aug, epoch)[id_], [plain(aug, epoch)[partner]], id_, epoch)
        for name, value in expected.items():
            np.testing.assert_array_equal(row[name], value, err_msg=name)
        assert row["label"].sum() == 1
    assert len({row["partners"][0] for row in whole.values()}) > 5


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 5, "seed": 9},
        {"shuffle": False, "num_parallel_calls": 1, "decode": "full"},
        {"batch_size": 26, "drop_remainder": True},
    ],
)
def test_order_and_batches_do_not_show(whole, options):
    assert_same(made(recipe(), **options), whole)


def test_hosts_and_resuming_do_not_show(whole, tmp_path):
    hosts = [made(recipe(), batch_size=6, host=host, hosts=2) for host in (0, 1)]
    assert not set(hosts[0]) & set(hosts[1])
    assert_same(hosts[0] | hosts[1], whole)
    dataset = pl.make_dataset(source(), recipe(), batch_size=4, epochs=2, seed=1)
    batches = list(dataset)
    assert len(dataset) == len(batches)
    late = pl.make_dataset(source(), recipe(), batch_size=4, epochs=2, seed=1, start_step=2)
    iterator = iter(dataset)
    first = [next(iterator) for _ in range(2)]
    path = tf.train.Checkpoint(iterator=iterator).save(str(tmp_path / "saved"))
    again = iter(dataset)
    tf.train.Checkpoint(iterator=again).restore(path)
    for run in ([*batches[:2], *late], [*first, *again]):
        tf.nest.map_structure(np.testing.assert_array_equal, run, batches)


def test_what_cannot_be_read_is_skipped_with_those_that_are_mixed_with_it(whole, tmp_path):
    aug, file = recipe(), tmp_path / "skipped"
    rows = made(aug, source(broken=True), on_error="skip", skipped=file)
    lost = {key for key, row in whole.items() if BROKEN in (key[1], row["partners"][0])}
    assert len(lost) > 2
    assert set(rows) == set(whole) - lost
    assert_same(rows, {key: whole[key] for key in rows})
    assert set(pl.skipped_ids(file)) == {BROKEN}


def test_what_cannot_be_read_is_replaced_as_a_partner_too(whole, tmp_path):
    aug = recipe()
    runs = [
        made(aug, source(broken=True), on_error="replace", skipped=tmp_path / str(size), batch_size=size)
        for size in (4, 26)
    ]
    assert_same(*runs)
    stands = set()
    for (epoch, id_), row in runs[0].items():
        assert id_ != BROKEN
        drawn, got = drawn_partner(aug, epoch, id_), row["partners"][0]
        if drawn == BROKEN:
            stands.add((epoch, got))
            expected = aug.mixer.mix(plain(aug, epoch)[id_], [plain(aug, epoch)[got]], id_, epoch)
            np.testing.assert_array_equal(row["image"], expected["image"])
        else:
            np.testing.assert_array_equal(row["image"], whole[epoch, id_]["image"])
    assert stands
    assert len(stands) == len({epoch for epoch, _ in stands})  # of an epoch, always the same
    assert BROKEN not in {got for _, got in stands}


def test_a_partner_that_cannot_be_read_stops_the_run_by_name(whole):
    step = next(n for n, id_ in enumerate(IDS) if whole[0, id_]["partners"] == BROKEN and id_ != BROKEN)
    run = pl.make_dataset(source(broken=True), recipe(), batch_size=1, shuffle=False, start_step=step)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=rf"the example with id {BROKEN} .* cannot be used"
    ):
        next(iter(run))


def test_three_partners_of_arrays_and_the_feed_for_keras():
    images = np.stack([pixels[:20, :25] for pixels in pictures()])
    arrays = pl.from_arrays(images, LABELS, IDS)
    aug = recipe(ar.Mosaic(num_classes=CLASSES, label="label"), {})
    rows = made(aug, arrays, epochs=1)
    for id_ in IDS[::4]:
        partners = rows[0, id_]["partners"]
        assert partners.tolist() == IDS[aug.mixer.partners(id_, 0, COUNT)].tolist()
        own, *others = (
            aug.unmixed({"image": images[i - 1000], "label": LABELS[i - 1000]}, i, 0)
            for i in (id_, *partners)
        )
        expected = aug.mixer.mix(own, others, id_, 0)
        for name in ("image", "label"):
            np.testing.assert_array_equal(rows[0, id_][name], expected[name])
    feed = pl.for_keras(arrays, aug, batch_size=4, seed=1, output="unit", drop_remainder=True)
    image, label = feed.element_spec
    assert (image.shape, label.shape, label.dtype) == ((4, 16, 18, 3), (4, CLASSES), tf.float32)
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(CLASSES, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy")
    assert np.isfinite(model.fit(feed, epochs=1, verbose=0).history["loss"][0])


def test_partners_of_the_batch_are_those_of_a_call():
    aug = recipe(dataclasses.replace(MIXING, partners="batch"), {})
    unmixed = list(pl.make_dataset(source(), aug.unmixed, batch_size=5, seed=1))
    mixed = list(pl.make_dataset(source(), aug, batch_size=5, seed=1))
    for before, after in zip(unmixed, mixed, strict=True):
        lone = ar.Compose([dataclasses.replace(MIXING, partners="batch")], seed=5, targets={})
        expected = lone({"image": before["image"], "label": before["label"]}, before["id"], before["epoch"])
        np.testing.assert_array_equal(after["image"], expected["image"])
        np.testing.assert_array_equal(after["label"], expected["label"])
        assert set(after["partners"].numpy()[:, 0]) <= set(before["id"].numpy())


BATCH = dataclasses.replace(MIXING, partners="batch")
REFUSED = {
    "a stream": (MIXING, {"stream": True}, 'partners="dataset" needs a source with random access'),
    "hosts": (
        BATCH,
        {"hosts": 2},
        'partners="batch" takes partners from the global batch, of which each of 2',
    ),
    "a device": (MIXING, {"device": "CPU:0"}, "device: must be left out where examples are mixed"),
    "no classes": (ar.CutMix(), {}, "num_classes: must be given to CutMix()"),
    "no label": (ar.CutMix(label="kind"), {}, "label: mixing needs the feature 'kind' of each example"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_mistakes_are_refused_when_built(case):
    mixing, options, message = REFUSED[case]
    given = source()
    if options.pop("stream", False):
        given = pl.from_dataset(given.dataset())
    with pytest.raises(ValueError, match=re.escape(message)):
        pl.make_dataset(given, recipe(mixing, {}), batch_size=4, **options)
