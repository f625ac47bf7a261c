"""Steps of datasets give what `tf.data`'s own do, of every kind of element."""

import pytest
import tensorflow as tf

from pipelines import steps

KINDS = {
    "one": lambda: tf.data.Dataset.range(5),
    "tuple": lambda: tf.data.Dataset.from_tensor_slices(([1, 2, 3], [0.5, 1.5, 2.5])),
    "nested": lambda: tf.data.Dataset.from_tensor_slices({"a": [1, 2], "b": {"c": ["x", "y"]}}),
    "ragged": lambda: tf.data.Dataset.from_tensor_slices({"a": tf.ragged.constant([[1], [2, 3], []])}),
    "sparse": lambda: tf.data.Dataset.from_tensors(tf.sparse.from_dense([[1, 0], [0, 2]])).repeat(2),
}


def told(dataset):
    plain = lambda one: tf.nest.map_structure(lambda part: part.numpy(), one, expand_composites=True)  # noqa: E731
    return [str(plain(one)) for one in dataset]


def same(*element):
    return element if len(element) > 1 else element[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("parallel", [None, 2, tf.data.AUTOTUNE])
def test_mapped_is_map(kind, parallel):
    data, captured = KINDS[kind](), tf.constant(7)

    def with_more(*element):
        return same(*element), captured + 1

    made, wanted = steps.mapped(data, with_more, parallel), data.map(with_more, parallel)
    assert made.element_spec == wanted.element_spec
    assert made.cardinality() == wanted.cardinality()
    assert told(made) == told(wanted)


def test_a_list_becomes_a_tuple_as_in_map():
    made = steps.mapped(tf.data.Dataset.range(2), lambda x: [x, "a"])
    assert made.element_spec == tf.data.Dataset.range(2).map(lambda x: [x, "a"]).element_spec


@pytest.mark.parametrize("kind", KINDS)
def test_flat_mapped_and_interleaved_are_theirs(kind):
    data = KINDS[kind]()

    def twice(*element):
        return steps.mapped(tf.data.Dataset.from_tensors(element).repeat(2), same)

    assert told(steps.flat_mapped(data, twice)) == told(data.flat_map(twice))
    wanted = data.interleave(twice, 2, num_parallel_calls=2, deterministic=True)
    assert told(steps.interleaved(data, twice, 2)) == told(wanted)
    assert steps.interleaved(data, twice, 2).element_spec == wanted.element_spec


def test_iterators_are_saved_and_errors_come_at_their_place(tmp_path):
    texts = tf.constant(["0", "1", "2", "3", "four", "5"])
    made = steps.mapped(tf.data.Dataset.range(6), lambda x: tf.strings.to_number(texts[x]))
    iterator = iter(made)
    first = [float(next(iterator)) for _ in range(2)]
    path = tf.train.Checkpoint(iterator=iterator).write(str(tmp_path / "state"))
    rest = iter(made)
    tf.train.Checkpoint(iterator=rest).read(path).assert_consumed()
    assert [*first, *(float(next(rest)) for _ in range(2))] == [0, 1, 2, 3]
    with pytest.raises(tf.errors.InvalidArgumentError, match="four"):
        next(rest)
    assert float(next(rest)) == 5


def test_what_a_function_prints_or_checks_is_not_left_out(capfd):
    def printing(x):
        tf.print("seen", x)
        tf.debugging.assert_less(x, tf.constant(1, tf.int64))
        return x

    rows = iter(steps.mapped(tf.data.Dataset.range(2), printing))
    assert next(rows) == 0
    with pytest.raises(tf.errors.InvalidArgumentError):
        next(rows)
    assert capfd.readouterr().err.splitlines()[0] == "seen 0"


def test_what_never_ends_is_seen_through_steps():
    counted = tf.data.Dataset.range(3).repeat()
    uncounted = counted.filter(lambda x: x > 0)
    for made in (steps.mapped(uncounted, same), steps.mapped(uncounted, same, 2).batch(2).prefetch(1)):
        assert made.cardinality() == tf.data.UNKNOWN_CARDINALITY
        assert steps.never_ends(made)
        assert not steps.never_ends(made.take(5))
    assert not steps.never_ends(steps.mapped(tf.data.Dataset.range(3).filter(lambda x: x > 0), same))
