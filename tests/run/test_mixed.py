"""Mixing in make_dataset: a mixed example is what its id, its epoch and the dataset say, whatever else differs."""

import dataclasses
import io
import re

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import augrng as ar
import pipelines as pl

pytestmark = pytest.mark.usefixtures("op_by_op")

COUNT, CLASSES, BROKEN = 13, 4, 1003
IDS = np.arange(COUNT) + 1000
LABELS = np.arange(COUNT) % CLASSES
BOXES = np.float32([[[2, 3, 9, 12], [8, 8, 20, 20]]] * COUNT)
MIXING = ar.CutMix(num_classes=CLASSES)
BATCH = dataclasses.replace(MIXING, partners="batch")


def pictures():
    rng = np.random.default_rng(2)
    return [rng.integers(0, 256, (20 + row % 2, 26 - row % 2, 3), np.uint8) for row in range(COUNT)]


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def arrays():
    """The same pictures of one size, as pixels."""
    return pl.from_arrays(np.stack([pixels[:20, :25] for pixels in pictures()]), LABELS, IDS)


def encoded(broken):
    """PNGs of two sizes, with random access; the one of the id `broken` is cut off."""
    files = [png(pixels) for pixels in pictures()]
    files = [file[:-30] if id_ == broken else file for file, id_ in zip(files, IDS, strict=True)]
    features = {"image": files, "id": IDS, "label": LABELS}
    tensors = {name: tf.constant(value) for name, value in features.items()}
    return pl.Source(
        "files", COUNT, records=lambda at: {name: tf.gather(v, at) for name, v in tensors.items()}
    )


def recipe(mixing=MIXING, targets=None):
    return ar.Compose([ar.RandomCrop(16, 18), ar.RandomFlip(), mixing], seed=5, targets=targets)


def rows_of(batches):
    """The rows of a run by (epoch, id)."""
    rows = {}
    for batch in batches:
        for row, key in enumerate(zip(batch["epoch"].numpy(), batch["id"].numpy(), strict=True)):
            rows[key] = {name: np.asarray(part[row]) for name, part in batch.items()}
    return rows


def run(given, aug=None, **options):
    options = {"batch_size": 4, "epochs": 2, "seed": 1, **options}
    return pl.make_dataset(given, recipe() if aug is None else aug, **options)


def assert_same(got, expected):
    assert got.keys() == expected.keys()
    for key, row in got.items():
        for name in row:
            np.testing.assert_array_equal(row[name], expected[key][name], err_msg=f"{key} {name}")


@pytest.fixture(scope="module")
def dataset():
    return run(arrays())


@pytest.fixture(scope="module")
def batches(dataset):
    return list(dataset)


@pytest.fixture(scope="module")
def whole(batches):
    return rows_of(batches)


def unmixed(aug, epoch, id_, images=None):
    """What an example is mixed as, of the arrays or of other images."""
    row = id_ - IDS[0]
    image = pictures()[row][:20, :25] if images is None else images[row]
    return aug.unmixed({"image": image, "label": LABELS[row]}, id_, epoch)


def drawn_partner(aug, epoch, id_):
    low, high = (int(word) for word in ar.bits(aug.keys(id_, epoch)["cut_mix"], 4)[2:])
    return IDS[((low + (high << 32)) >> 1) % COUNT]


def test_each_example_is_mixed_with_the_partner_of_its_key(whole):
    aug = recipe()
    assert set(whole) == {(epoch, id_) for epoch in (0, 1) for id_ in IDS}
    for epoch, id_ in sorted(whole)[::4]:
        row, partner = whole[epoch, id_], drawn_partner(aug, epoch, id_)
        assert row["partners"].tolist() == [partner]
        expected = aug.mixer.mix(unmixed(aug, epoch, id_), [unmixed(aug, epoch, partner)], id_, epoch)
        for name, value in expected.items():
            np.testing.assert_array_equal(row[name], value, err_msg=name)
        assert row["label"].sum() == 1
    assert len({row["partners"][0] for row in whole.values()}) > 5


@pytest.mark.parametrize(
    "options", [{"batch_size": 13, "seed": 9}, {"shuffle": False, "num_parallel_calls": 1}]
)
def test_order_and_batches_do_not_show(whole, options):
    assert_same(rows_of(run(arrays(), **options)), whole)


def test_hosts_do_not_show(whole, batches):
    runs = [list(run(arrays(), batch_size=8, host=host, hosts=2)) for host in (0, 1)]
    hosts = [rows_of(mine) for mine in runs]
    assert not set(hosts[0]) & set(hosts[1])
    assert_same(hosts[0] | hosts[1], whole)
    prints = [
        sum((ar.fingerprint(part, part["id"], part["epoch"]) for part in of), ar.Fingerprint())
        for of in (runs[0] + runs[1], batches)
    ]
    assert prints[0] == prints[1]


def test_resuming_does_not_show(dataset, batches, tmp_path):
    assert len(dataset) == len(batches) == 7
    late = run(arrays(), start_step=2)
    iterator = iter(dataset)
    first = [next(iterator) for _ in range(2)]
    path = tf.train.Checkpoint(iterator=iterator).save(str(tmp_path / "saved"))
    again = iter(dataset)
    tf.train.Checkpoint(iterator=again).restore(path)
    for resumed in ([*batches[:2], *late], [*first, *again]):
        tf.nest.map_structure(np.testing.assert_array_equal, resumed, batches)


def test_boxes_of_both_come_out():
    aug = recipe(targets={"boxes": ar.Boxes("xyxy", labels="classes", max_boxes=4)})
    images = np.stack([pixels[:20, :25] for pixels in pictures()])
    classes = np.arange(2 * COUNT).reshape(-1, 2)
    given = pl.from_arrays(images, LABELS, IDS, features={"boxes": BOXES, "classes": classes})
    rows = rows_of(run(given, aug, epochs=1))
    plain = {"image": images, "label": LABELS, "boxes": BOXES, "classes": classes}
    plain = aug.unmixed(plain, IDS, 0)
    partners = [drawn_partner(aug, 0, id_) - IDS[0] for id_ in IDS]
    expected = aug.mixer.mix(plain, [tf.nest.map_structure(lambda v: tf.gather(v, partners), plain)], IDS, 0)
    for row, id_ in enumerate(IDS):
        for name, value in expected.items():
            np.testing.assert_array_equal(rows[0, id_][name], value[row], err_msg=name)
    assert {row["boxes_valid"].sum() for row in rows.values()} > {2}


def test_what_cannot_be_read_is_skipped_with_those_that_are_mixed_with_it(whole, tmp_path):
    file = tmp_path / "skipped"
    rows = rows_of(run(encoded(BROKEN), on_error="skip", skipped=file))
    lost = {key for key, row in whole.items() if BROKEN in (key[1], row["partners"][0])}
    assert len(lost) > 2
    assert set(rows) == set(whole) - lost
    for key, row in rows.items():
        assert row["partners"] == whole[key]["partners"]
        np.testing.assert_array_equal(row["label"], whole[key]["label"])
    aug = recipe()
    for epoch, id_ in sorted(rows)[::6]:
        partner = drawn_partner(aug, epoch, id_)
        own, other = (unmixed(aug, epoch, one, pictures()) for one in (id_, partner))
        expected = aug.mixer.mix(own, [other], id_, epoch)
        np.testing.assert_array_equal(rows[epoch, id_]["image"], expected["image"])
    assert set(pl.skipped_ids(file)) == {BROKEN}


def test_what_cannot_be_read_is_replaced_as_a_partner_too(whole, tmp_path):
    aug, stands = recipe(), set()
    rows = rows_of(run(encoded(BROKEN), on_error="replace", skipped=tmp_path / "skipped"))
    for (epoch, id_), row in rows.items():
        drawn, got = drawn_partner(aug, epoch, id_), row["partners"][0]
        assert BROKEN not in (id_, got)
        if drawn == BROKEN:
            stands.add((epoch, got))
        else:
            assert got == drawn
    assert stands
    assert len(stands) == len({epoch for epoch, _ in stands})  # in an epoch always the same


def test_three_partners_and_the_feed_for_keras(whole):
    aug = recipe(ar.Mosaic(num_classes=CLASSES, label="label"))
    feed = pl.for_keras(arrays(), aug, batch_size=4, shuffle=False, inputs=["image", "id", "partners"])
    ids = []
    for inputs, label in feed:
        assert (inputs["image"].shape[1:], label.shape[1:], label.dtype) == (
            (16, 18, 3),
            (CLASSES,),
            tf.float32,
        )
        ids.extend(inputs["id"].numpy())
        id_, partners = int(inputs["id"][0]), inputs["partners"][0].numpy()
        assert partners.tolist() == IDS[aug.mixer.partners(id_, 0, COUNT)].tolist()
        own, *others = (unmixed(aug, 0, one) for one in (id_, *partners))
        expected = aug.mixer.mix(own, others, id_, 0)
        np.testing.assert_array_equal(inputs["image"][0], expected["image"])
        np.testing.assert_array_equal(label[0], expected["label"])
    assert ids == IDS.tolist()


def test_partners_of_the_batch_are_those_of_a_call():
    aug = recipe(BATCH)
    lone = ar.Compose([BATCH], seed=5)
    pairs = zip(run(arrays(), aug.unmixed, epochs=1), run(arrays(), aug, epochs=1), strict=True)
    for before, after in pairs:
        expected = lone({"image": before["image"], "label": before["label"]}, before["id"], before["epoch"])
        np.testing.assert_array_equal(after["image"], expected["image"])
        np.testing.assert_array_equal(after["label"], expected["label"])
        assert set(after["partners"].numpy()[:, 0]) <= set(before["id"].numpy())


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
    given = pl.from_dataset(arrays().dataset()) if "stream" in options else arrays()
    options = {name: value for name, value in options.items() if name != "stream"}
    with pytest.raises(ValueError, match=re.escape(message)):
        run(given, recipe(mixing), **options)
