"""Compose: names, seeds, params, and every way to use it wrongly."""

import pickle

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import augrng as ar

IDS = np.arange(6)
FAMILY = [
    ar.RandomCrop(12, 12, padding=2),
    ar.RandomFlip("horizontal_and_vertical"),
    ar.RandomRotation(30),
    ar.RandomQuarterTurn(),
    ar.CenterCrop(10, 10),
]


@pytest.fixture
def images(rng):
    return rng.integers(0, 256, (6, 16, 20, 3), dtype=np.uint8)


def flat(params):
    return {
        f"{name}/{key}": tensor.numpy() for name, group in params.items() for key, tensor in group.items()
    }


def test_apply_after_sample_is_the_call(images):
    aug = ar.Compose(FAMILY, seed=7)
    expected = aug(images, IDS, epoch=3)
    assert expected.shape == (6, 10, 10, 3)
    assert np.array_equal(aug.apply(images, aug.sample(IDS, epoch=3, sizes=[16, 20])), expected)
    alone = aug.apply(images[2], aug.sample(2, epoch=3, sizes=[16, 20]))
    assert np.array_equal(alone, expected[2])


def test_params_survive_a_save_as_numpy(images):
    aug = ar.Compose(FAMILY, seed=7)
    params = aug.sample(IDS, 0, [16, 20])
    saved = {name: {key: tensor.numpy() for key, tensor in group.items()} for name, group in params.items()}
    assert np.array_equal(aug.apply(images, saved), aug(images, IDS, 0))


def test_sizes_of_a_batch_may_differ():
    aug = ar.Compose([ar.RandomCrop(4, 4)], seed=7)
    together = aug.sample([1, 2], 0, [[10, 20], [40, 5]])["random_crop"]
    for row, size in enumerate([[10, 20], [40, 5]]):
        alone = aug.sample(row + 1, 0, size)["random_crop"]
        assert {k: int(v) for k, v in alone.items()} == {k: int(v[row]) for k, v in together.items()}


def test_an_epoch_for_each_example(images):
    aug = ar.Compose(FAMILY, seed=7)
    mixed = aug(images, IDS, [0, 1, 2, 0, 1, 2])
    for row, epoch in enumerate([0, 1, 2, 0, 1, 2]):
        assert np.array_equal(mixed[row], aug(images[row], row, epoch))
    assert not np.array_equal(mixed, aug(images, IDS, 0))


@settings(max_examples=10, deadline=None)
@given(chosen=st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True), alg=st.booleans())
def test_the_other_draws_are_left_alone(chosen, alg):
    """Insert, remove, reorder: each transform draws what it draws alone."""
    family = [ar.RandomFlip("horizontal_and_vertical"), ar.RandomRotation(30), ar.RandomQuarterTurn()]
    kwargs = {"seed": 7, "alg": "threefry" if alg else "philox"}
    together = flat(ar.Compose([family[i] for i in chosen], **kwargs).sample(IDS, 5, [8, 8]))
    for index in chosen:
        for key, values in flat(ar.Compose([family[index]], **kwargs).sample(IDS, 5, [8, 8])).items():
            assert np.array_equal(together[key], values)


def test_names_are_snake_case_and_numbered():
    flips = [ar.RandomFlip(), ar.RandomFlip(), ar.RandomQuarterTurn(), ar.RandomFlip(name="random_flip_1")]
    assert list(ar.Compose(flips, seed=1).transforms) == [
        "random_flip", "random_flip_2", "random_quarter_turn", "random_flip_1",
    ]  # fmt: skip
    assert len(set(ar.Compose(flips, seed=1).seeds.values())) == 4


def test_a_name_makes_the_stream():
    a = ar.Compose([ar.RandomRotation(9, name="tilt")], seed=1).sample(IDS, 0, [8, 8])["tilt"]
    b = ar.Compose([ar.RandomFlip(), ar.RandomRotation(9, name="tilt")], seed=1).sample(IDS, 0, [8, 8])[
        "tilt"
    ]
    c = ar.Compose([ar.RandomRotation(9)], seed=1).sample(IDS, 0, [8, 8])["random_rotation"]
    assert np.array_equal(a["angle"], b["angle"])
    assert not np.array_equal(a["angle"], c["angle"])


def test_a_transforms_own_seed_is_an_op_seed():
    aug = ar.Compose([ar.RandomFlip(seed=5), ar.RandomRotation(9)], seed=1)
    assert aug.seeds["random_flip"] == tf.compat.v1.random.get_seed(5)
    tf.random.set_seed(77)
    assert ar.Compose([ar.RandomFlip(seed=5)]).seeds["random_flip"] == (77, 5)
    assert aug.seeds["random_flip"] == (87654321, 5)  # resolved when it was built


def test_the_global_seed_is_honoured_and_op_seeds_are_picked_in_turn():
    tf.random.set_seed(3)
    first = [ar.Compose([ar.RandomFlip()]) for _ in range(2)]
    tf.random.set_seed(3)
    again = [ar.Compose([ar.RandomFlip()]) for _ in range(2)]
    assert first == again
    assert first[0] != first[1]


@pytest.mark.parametrize("field", [{"name": "x"}, {"seed": 5}])
def test_sharing_a_name_or_seed_must_be_asked_for(field):
    pair = [ar.RandomRotation(30, **field), ar.RandomRotation(30, **field)]
    with pytest.raises(ValueError, match="shared_seed=True"):
        ar.Compose(pair, seed=1)
    aug = ar.Compose(pair, seed=1, shared_seed=True)
    one, other = flat(aug.sample(IDS, 0, [8, 8])).values()
    assert np.array_equal(one, other)
    assert len(aug.transforms) == 2


def test_one_seed_is_not_another(images):
    outs = [ar.Compose(FAMILY, seed=seed)(images, IDS, 0).numpy().tobytes() for seed in range(20)]
    outs += [ar.Compose(FAMILY, seed=0)(images, IDS, epoch).numpy().tobytes() for epoch in range(1, 20)]
    outs += [ar.Compose(FAMILY, seed=0, alg="threefry")(images, IDS, 0).numpy().tobytes()]
    assert len(set(outs)) == len(outs)


def test_what_the_transforms_say_of_sampling_holds_for_all(images):
    padded = ar.RandomCrop(30, 30, padding=10)
    said_once = ar.Compose([padded, ar.RandomRotation(30, fill_mode="reflect")], seed=1)
    said_twice = ar.Compose(
        [
            ar.RandomCrop(30, 30, padding=10, fill_mode="reflect"),
            ar.RandomRotation(30, fill_mode="reflect", interpolation="bilinear"),
        ],
        seed=1,
    )
    assert np.array_equal(said_once(images, IDS, 0), said_twice(images, IDS, 0))
    with pytest.raises(ValueError, match="fill_mode: the transforms are applied as one and must agree"):
        ar.Compose([ar.RandomCrop(9, 9, fill_mode="wrap"), ar.RandomRotation(30, fill_mode="reflect")])


def test_empty_batches_pass(images):
    aug = ar.Compose(FAMILY, seed=1)
    assert aug(images[:0], np.zeros([0], np.int64), 0).shape == (0, 10, 10, 3)


def test_channels_and_dtypes_may_change_from_call_to_call(rng):
    """Programs are shared by all recipes of one output size; each must keep its own channels."""
    for antialias in (True, False):
        aug = ar.Compose([ar.RandomResizedCrop(10, 10, antialias=antialias), ar.RandomRotation(9)], seed=1)
        for dtype in ("uint8", "float32"):
            for channels in (3, 1, 4, 2, 3):
                image = rng.integers(0, 256, (16, 20, channels)).astype(dtype)
                assert aug(image, 0, 0).shape == (10, 10, channels)
                assert aug(image[None], [0], 0).shape == (1, 10, 10, channels)


def test_pickle_and_hash(images):
    aug = ar.Compose(FAMILY, seed=1)
    again = pickle.loads(pickle.dumps(aug))
    assert again == aug
    assert hash(again) == hash(aug)
    assert np.array_equal(again(images, IDS, 0), aug(images, IDS, 0))
    assert "RandomRotation(degrees=30)" in repr(aug)


CROP = ar.Compose([ar.RandomCrop(12, 12)], seed=1)
SQUARE = ar.Compose([ar.RandomQuarterTurn()], seed=1)
IMAGE = np.zeros((16, 20, 3), np.uint8)
PARAMS = CROP.sample(IDS, 0, [16, 20])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ar.Compose([]), ValueError, "transforms: must hold at least one"),
        (lambda: ar.Compose([tf.identity]), TypeError, r"transforms\[0\]: must be an augrng transform"),
        (lambda: ar.Compose([ar.RandomFlip()], seed=1.5), TypeError, "seed: must be an integer or None, got 1.5"),
        (lambda: ar.Compose([ar.RandomFlip()], seed=1, alg="mt"), ValueError, "alg: must be"),
        (lambda: CROP(IMAGE[..., 0], 0, 0), ValueError, r"images: must have shape .*got \(16, 20\)"),
        (lambda: CROP(np.zeros((16, 20, 5), np.uint8), 0, 0), ValueError, "images: must have 1 to 4 channels"),
        (lambda: CROP(IMAGE.astype(np.int32), 0, 0), TypeError, "images: dtype must be one of .*got int32"),
        (lambda: CROP(IMAGE, 0.5, 0), TypeError, "ids: must hold integers, got float64"),
        (lambda: CROP(IMAGE, "a", 0), TypeError, "augrng.string_ids makes ids of strings"),
        (lambda: CROP(IMAGE, 2**64, 0), ValueError, "ids: integers must fit in 64 bits"),
        (lambda: CROP(IMAGE, [0], 0), ValueError, r"ids: must be a scalar .*ids of shape \(1,\)"),
        (lambda: CROP(IMAGE[None], [0, 1], 0), ValueError, r"ids: .*\(2,\) for images of shape \(1, 16, 20, 3\)"),
        (lambda: CROP(IMAGE, 0, 0.0), TypeError, "epoch: must hold integers"),
        (lambda: CROP(IMAGE, 0, [0]), ValueError, "epoch: must be a scalar"),
        (lambda: CROP.keys([[0]], 0), ValueError, "ids: must be a scalar or have shape"),
        (lambda: CROP.keys([0, 1], [0, 1, 2]), ValueError, "epoch: must be a scalar or have the shape of ids"),
        (lambda: CROP(IMAGE[:8], 41, 0), ValueError, r"at least as large.*\(8, 20\) for id 41"),
        (lambda: CROP.sample([4, 5], 0, [[16, 20], [8, 9]]), ValueError, r"got \(height, width\) \(8, 9\) for id 5"),
        (lambda: CROP.sample([4, 5], 0, [1, 2, 3]), ValueError, "sizes: must have shape"),
        (lambda: CROP.sample(4, 0, [[16, 20]]), ValueError, "sizes: must have shape"),
        (lambda: CROP.sample(4, 0, [16.0, 20.0]), TypeError, "sizes: must hold integers"),
        (lambda: SQUARE(IMAGE, 3, 0), ValueError, r"must be square.*\(16, 20\) for id 3"),
        (lambda: SQUARE(IMAGE[:0, :0], 3, 0), ValueError, r"\(0, 0\) for id 3"),
        (lambda: SQUARE.sample(0, 0, [16385, 16385]), ValueError, "a side may have 16384 pixels"),
        (lambda: CROP.apply(IMAGE, {}), ValueError, r"params: must be a dict with the keys \['random_crop'\]"),
        (lambda: CROP.apply(IMAGE, PARAMS), ValueError, r"params: random_crop/\w+ must have shape \(\)"),
        (lambda: CROP.apply(np.stack([IMAGE[:13, :14]] * 6), PARAMS), ValueError, "params must have been sampled"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def dataset_of(shapes):
    signature = {"image": tf.TensorSpec([None, None, 3], tf.uint8), "id": tf.TensorSpec([], tf.int64)}
    items = ({"image": np.zeros((*shape, 3), np.uint8), "id": 100 + i} for i, shape in enumerate(shapes))
    return tf.data.Dataset.from_generator(lambda: items, output_signature=signature)


def test_a_dataset_that_holds_a_small_image_names_its_id():
    dataset = dataset_of([(16, 20), (11, 20)]).map(lambda e: CROP(e["image"], e["id"], 0))
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match=r"(?s)RandomCrop.*at least as large.*\[11 20\].*\[101\]",
    ):
        list(dataset)


def test_params_of_another_size_are_refused_in_a_graph():
    params = CROP.sample(0, 0, [1000, 1000])
    dataset = dataset_of([(16, 20)]).map(lambda e: CROP.apply(e["image"], params))
    with pytest.raises(tf.errors.InvalidArgumentError, match="params must have been sampled for images"):
        list(dataset)


def test_mistakes_are_found_when_the_dataset_is_built():
    dataset = tf.data.Dataset.from_tensors(IMAGE)
    with pytest.raises(TypeError, match="ids: must hold integers, got float32"):
        dataset.map(lambda image: CROP(image, tf.constant(0.0), 0))
    with pytest.raises(ValueError, match="at least as large"):
        dataset.map(lambda image: CROP(image[:5], 0, 0))
    with pytest.raises(ValueError, match="images: must have shape"):
        dataset.map(lambda image: CROP(tf.io.decode_image(tf.io.encode_png(image)), 0, 0))
