"""Positions never move: the batch t of a run is the same whatever the hosts, the start, and what fails in it."""

import functools
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import augrng as ar
import pipelines as pl
from pipelines.run.guard import OnError, Work, guarded
from pipelines.run.order import Order, ordered, substitutes

pytestmark = pytest.mark.usefixtures("op_by_op")

COUNT = 15
AUG = ar.Compose([ar.CenterCrop(8, 8)], seed=5)
PIXELS = np.random.default_rng(1).integers(0, 256, (COUNT, 16, 16, 3), dtype=np.uint8)
BAD = (1002, 1003, 1007, 1014)  # two in a row, and the last in the source's own order
KINDS = ("random access", "stream")


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def columns(images=PIXELS):
    return {"image": images, "id": np.arange(COUNT) + 1000}


def source_of(kind, count=COUNT):
    """Records of pixels, 15 or fewer, with random access or as a stream."""
    if kind == "random access":
        return pl.from_arrays(PIXELS[:count], ids=columns()["id"][:count])
    return pl.from_dataset(tf.data.Dataset.from_tensor_slices(columns()).take(count))


def order_of(**options):
    return Order(**{"seed": 3, "buffer": 5, "batch_size": 4, **options})


@functools.cache
def sequence(kind, epochs=2, shuffle=True):
    """(epoch, id) of all positions: the run in batches of one."""
    run = list(ordered(source_of(kind), order_of(epochs=epochs, batch_size=1, shuffle=shuffle)))
    return tuple((int(batch["epoch"][0]), int(batch["id"][0])) for batch in run)


def pairs(batch):
    return tuple(zip(batch["epoch"].numpy().tolist(), batch["id"].numpy().tolist(), strict=True))


def cut(positions, batch_size, start, drop):
    """What a single host's batches must hold, by slicing."""
    whole = [tuple(positions[p : p + batch_size]) for p in range(0, len(positions), batch_size)]
    return [batch for batch in whole if len(batch) == batch_size or not drop][start:]


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_is_epoch_after_epoch(kind):
    for shuffle in (True, False):
        run = sequence(kind, shuffle=shuffle)
        assert [epoch for epoch, _ in run] == [0] * COUNT + [1] * COUNT
        for epoch in (0, 1):
            ids = [id_ for e, id_ in run if e == epoch]
            assert sorted(ids) == list(range(1000, 1000 + COUNT))
            assert (ids == sorted(ids)) == (not shuffle)
    first, second = (sequence(kind)[:COUNT], sequence(kind)[COUNT:])
    assert [id_ for _, id_ in first] != [id_ for _, id_ in second]


# Batches of 4: a rest of 2 after two epochs, of which the last two of four hosts have nothing. Batches of 60 are
# never full. Without a shuffle, for tracing it takes a second; the test below has one with.
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("drop", [False, True])
@pytest.mark.parametrize(("batch_size", "hosts"), [(4, 2), (4, 4), (6, 3), (60, 3)])
def test_hosts_share_the_batches_of_a_single_one(kind, drop, batch_size, hosts):
    positions = [(epoch, 1000 + n) for epoch in (0, 1) for n in range(COUNT)]
    for start in (0, 3):
        expected = cut(positions, batch_size, start, drop)
        for host in range(hosts):
            order = order_of(
                epochs=2, batch_size=batch_size, hosts=hosts, host=host, start=start, drop_remainder=drop,
                shuffle=False,
            )  # fmt: skip
            run = [pairs(batch) for batch in ordered(source_of(kind), order)]
            assert run == [batch[host::hosts] for batch in expected]
            assert order.steps(COUNT) == len(run)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("batch_size", "hosts", "start"), [(4, 2, 1), (6, 3, 3)])
def test_hosts_share_the_batches_of_a_shuffled_run(kind, batch_size, hosts, start):
    expected = cut(sequence(kind), batch_size, start, False)
    for host in (0, hosts - 1):
        order = order_of(epochs=2, batch_size=batch_size, hosts=hosts, host=host, start=start)
        run = [pairs(batch) for batch in ordered(source_of(kind), order)]
        assert run == [batch[host::hosts] for batch in expected]


def test_hosts_that_drop_the_remainder_stay_in_lock_step():
    """15 examples in batches of 4: three for each of two hosts, four if the rest is kept."""
    for kind in KINDS:
        for drop, expected in ((True, 3), (False, 4)):
            for host in (0, 1):
                order = order_of(hosts=2, host=host, drop_remainder=drop, shuffle=False)
                assert len(list(ordered(source_of(kind), order))) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_one_epoch_alone_is_that_epoch_of_a_run(kind):
    expected = [p for p in sequence(kind) if p[0] == 1]
    for only, start in ((1, 2), (lambda: tf.constant(1, tf.int64), 0)):
        run = [pairs(b) for b in ordered(source_of(kind), order_of(only=only, start=start))]
        assert run == cut(expected, 4, start, False)


@pytest.mark.parametrize("form", ["pixels, random access", "pixels, stream", "encoded, stream"])
def test_datasets_know_their_length_and_share_it(form):
    """The whole of make_dataset: lengths known beforehand, pixels of the hosts together those of one."""
    if form.startswith("encoded"):
        encoded = columns([png(pixels) for pixels in PIXELS])
        source = pl.from_dataset(tf.data.Dataset.from_tensor_slices(encoded))
    else:
        source = source_of(form.removeprefix("pixels, "))
    options = {"batch_size": 4, "seed": 3, "shuffle_buffer": 5}
    whole = list(pl.make_dataset(source, AUG, **options))
    assert [pairs(batch) for batch in whole] == cut(sequence(form.split(", ")[1])[:COUNT], 4, 0, False)
    for batch in whole:
        assert np.array_equal(batch["image"], PIXELS[batch["id"].numpy() - 1000][:, 4:12, 4:12])
    for host in (1, 3):
        dataset = pl.make_dataset(source, AUG, **options, hosts=4, host=host, start_step=1)
        run = list(dataset)
        assert len(dataset) == int(dataset.cardinality()) == len(run) == 3
        for part, batch in zip(run, whole[1:], strict=True):
            assert np.array_equal(part["id"], batch["id"][host::4])
            assert np.array_equal(part["image"], batch["image"][host::4])
    assert run[-1]["image"].shape == (0, 8, 8, 3)  # 15 examples leave the last host without


def test_lengths_of_what_drops_has_no_end_or_starts_beyond_it():
    for kind in KINDS:
        source = source_of(kind)
        make = functools.partial(pl.make_dataset, source, AUG, batch_size=4, seed=1)
        assert len(make(drop_remainder=True)) == len(list(make(drop_remainder=True, hosts=2, host=1))) == 3
        assert make(epochs=None).cardinality() == tf.data.INFINITE_CARDINALITY
        assert len(list(make(epochs=None, hosts=2, start_step=3).take(9))) == 9
        beyond = make(start_step=9)
        assert len(beyond) == len(list(beyond)) == 0


def test_a_source_without_end_is_refused():
    endless = tf.data.Dataset.from_tensor_slices(columns()).repeat()
    uncounted = endless.filter(lambda record: record["id"] > 1003)
    for dataset in (endless, uncounted, uncounted.shuffle(4).map(dict), endless.ignore_errors()):
        with pytest.raises(ValueError, match="dataset: must end, got one that repeats for ever"):
            pl.from_dataset(dataset)
    for dataset in (uncounted.take(5), endless.take_while(lambda record: record["id"] != 1003)):
        assert pl.from_dataset(dataset).size is None
    source = pl.Source("mine", None, stream=lambda: endless)
    with pytest.raises(ValueError, match="source: must come to an end.*mine does not; leave out its repeat"):
        pl.make_dataset(source, AUG, batch_size=4)


def fails(ids):
    return tf.reduce_any(ids[..., None] == tf.constant(BAD, tf.int64))


def doubled(record):
    """Stands for reading: fails for the bad ids."""
    with tf.control_dependencies([tf.debugging.Assert(~fails(record["id"]), ["bad"])]):
        return {**record, "twice": 2 * record["id"]}


def why(record):
    return tf.data.Dataset.from_tensors("it is bad")


WORKS = {"together": Work(doubled, doubled, why), "one by one": Work(None, doubled, why)}


def minded(source, order, mode, file=None, work="together"):
    """A run through `doubled` with its failures."""
    replace = functools.partial(substitutes, source, order) if mode == "replace" else None
    batches = ordered(source, order, pool=mode == "replace")
    return guarded(batches, WORKS[work], OnError(mode, file, replace), num_parallel_calls=2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("work", "hosts", "host", "start"),
    [("together", 1, 0, 1), ("together", 2, 0, 0), ("one by one", 2, 1, 1), ("together", 4, 3, 0)],
)
def test_skip_leaves_places_empty(kind, work, hosts, host, start, tmp_path):
    mine = [batch[host::hosts] for batch in cut(sequence(kind), 4, start, False)]
    file = tmp_path / "skipped"
    order = order_of(epochs=2, hosts=hosts, host=host, start=start)
    run = list(minded(source_of(kind), order, "skip", file, work))
    assert [pairs(batch) for batch in run] == [tuple(p for p in batch if p[1] not in BAD) for batch in mine]
    assert all(np.array_equal(batch["twice"], 2 * batch["id"]) for batch in run)
    lost = [id_ for batch in mine for _, id_ in batch if id_ in BAD]
    assert sorted(pl.skipped_ids(file)) == sorted(lost)
    assert [line.split("\t")[2] for line in file.read_text().splitlines()] == ["it is bad"] * len(lost)


@pytest.mark.parametrize("kind", KINDS)
def test_skip_goes_on_from_a_saved_iterator(kind, tmp_path):
    dataset = minded(source_of(kind), order_of(epochs=2), "skip", tmp_path / "skipped")
    whole = [pairs(batch) for batch in dataset]
    iterator = iter(dataset)
    first = [pairs(next(iterator)) for _ in range(3)]
    path = tf.train.Checkpoint(iterator=iterator).save(str(tmp_path / "saved"))
    again = iter(dataset)
    tf.train.Checkpoint(iterator=again).restore(path)
    assert [*first, *(pairs(batch) for batch in again)] == whole


@pytest.mark.parametrize("kind", KINDS)
def test_replace_keeps_every_place(kind, tmp_path):
    """What stands in for a broken example is the same for every host and start; with random access for every
    size of batches too. It has its own id, and nothing else moves."""
    stands: dict[tuple[int, int], int] = {}
    runs = [(4, 1, 0, 0, "together"), (4, 2, 0, 0, "together"), (4, 2, 1, 2, "one by one")]
    runs += [(6, 1, 0, 0, "together")] * (kind == "random access")
    for number, (batch_size, hosts, host, start, work) in enumerate(runs):
        file = tmp_path / str(number)
        order = order_of(epochs=2, batch_size=batch_size, hosts=hosts, host=host, start=start)
        mine = [batch[host::hosts] for batch in cut(sequence(kind), batch_size, start, False)]
        broken = []
        for batch, rows in zip(minded(source_of(kind), order, "replace", file, work), mine, strict=True):
            assert np.array_equal(batch["twice"], 2 * batch["id"])
            assert "pool" not in batch
            for (epoch, got), (epoch_there, wanted) in zip(pairs(batch), rows, strict=True):
                assert epoch == epoch_there
                assert got not in BAD
                if wanted in BAD:
                    broken.append(wanted)
                    assert stands.setdefault((epoch, wanted), got) == got
                else:
                    assert got == wanted
        assert sorted(pl.skipped_ids(file)) == sorted(broken)  # each is reported once
    assert len(stands) == 2 * len(BAD)
    assert len(set(stands.values())) > 2  # it is drawn, not always the same


def test_replace_takes_of_a_stream_what_is_in_the_global_batch():
    expected = cut(sequence("stream"), 4, 0, False)
    order = order_of(epochs=2, hosts=2, host=1)
    for batch, rows in zip(minded(source_of("stream"), order, "replace"), expected, strict=True):
        assert set(batch["id"].numpy()) <= {id_ for _, id_ in rows}


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_replaced_stops_by_name(kind):
    source = source_of(kind)
    only_bad = source.part(lambda ids: tf.reduce_any(ids[..., None] == tf.constant(BAD, tf.int64), -1))
    message = r"the example with id 1002 \(\) cannot be used: it is bad; nor can any of those that were drawn"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        list(minded(only_bad, order_of(shuffle=False), "replace"))


def test_raise_names_the_first_that_fails():
    for start, id_ in ((0, 1002), (1, 1007), (2, 1014)):
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=rf"example with id {id_} \(\) .*: it is bad"
        ):
            list(minded(source_of("stream"), order_of(shuffle=False, start=start), "raise"))


def test_skip_cannot_drop_the_remainder():
    encoded = columns([png(pixels) for pixels in PIXELS])
    for source in (pl.from_dataset(tf.data.Dataset.from_tensor_slices(encoded)), source_of("stream")):
        with pytest.raises(
            ValueError, match='on_error: must be "raise" or "replace" with drop_remainder=True'
        ):
            pl.make_dataset(source, AUG, batch_size=4, on_error="skip", drop_remainder=True)
