"""Compose: names, seeds, params, and every way to use it wrongly."""

import pickle

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import augrng as ar
from augrng.compose import as_compose

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


@pytest.mark.parametrize("antialias", [False, True, "exact"])
def test_a_graph_knows_its_batch_whatever_ran_before(images, antialias):
    aug = ar.Compose([ar.RandomCrop(12, 12), ar.Resize(5, 7, antialias=antialias)], seed=7)
    for count in (2, 3, 4):
        aug(images[:count], IDS[:count], 0)

    @tf.function
    def graph(images, ids):
        params = aug.sample(ids, 0, images.shape[1:3])
        return aug(images, ids, 0), aug.apply(images, params), aug.keys(ids, 0), params

    specs = [tf.TensorSpec([6, 16, 20, 3], tf.uint8), tf.TensorSpec([6], tf.int64)]
    called, applied, *drawn = graph.get_concrete_function(*specs).structured_outputs
    assert called.shape == applied.shape == (6, 5, 7, 3)
    assert all(tensor.shape[0] == 6 for tensor in tf.nest.flatten(drawn))


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


def test_names_are_snake_case():
    flips = [ar.RandomFlip(name="first"), ar.RandomFlip(), ar.RandomQuarterTurn()]
    aug = ar.Compose(flips, seed=1)
    assert list(aug.transforms) == ["first", "random_flip", "random_quarter_turn"]
    assert len(set(aug.seeds.values())) == 3
    assert (
        flat(ar.Compose(flips[1:], seed=1).sample(IDS, 0, [8, 8])).keys()
        < flat(aug.sample(IDS, 0, [8, 8])).keys()
    )


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("shared", [False, True])
def test_a_second_transform_of_a_type_needs_a_name(place, shared):
    """Without one it would rename the other where it is put before it, and so change its draws."""
    before = [ar.RandomFlip(), ar.RandomRotation(9)]
    for second in (ar.RandomFlip("vertical"), ar.RandomFlip("vertical", name="random_flip")):
        after = [*before[:place], second, *before[place:]]
        with pytest.raises(ValueError, match="^name: .*give one "):
            ar.Compose(after, seed=1, shared_seed=shared)
    named = [*before[:place], ar.RandomFlip("vertical", name="upside_down"), *before[place:]]
    alone = flat(ar.Compose(before, seed=1).sample(IDS, 5, [8, 8]))
    together = flat(ar.Compose(named, seed=1, shared_seed=shared).sample(IDS, 5, [8, 8]))
    for key, values in alone.items():
        assert np.array_equal(together[key], values)


def test_a_name_that_another_type_goes_by_is_refused():
    with pytest.raises(ValueError, match="'random_rotation' is what RandomRotation"):
        ar.Compose([ar.RandomFlip(name="random_rotation"), ar.RandomRotation(9)], seed=1)


def test_the_evaluation_of_a_recipe_with_two_of_a_type():
    crops = [ar.RandomCrop(12, 12, name="outer"), ar.RandomFlip(), ar.RandomCrop(8, 8, name="inner")]
    image = np.arange(20 * 20).reshape(20, 20, 1).astype(np.uint8)
    assert np.array_equal(ar.Compose(crops, seed=1).evaluation()(image, 0, 0), image[6:14, 6:14])


BATCHES = tf.TensorSpec([None, 12, 12, 3], tf.uint8)
FEW = [tf.TensorSpec([None], tf.int64), tf.TensorSpec([], tf.int64)]


@pytest.mark.parametrize(("count", "given"), [(5, 1), (1, 5), (5, 4), (2, 0)])
@pytest.mark.parametrize("jit", [False, True])
def test_there_is_one_id_for_each_image(count, given, jit):
    """Where a graph knows neither number, it checks when it runs."""
    aug = ar.Compose([ar.RandomCrop(8, 8), ar.RandomFlip()], seed=1)
    batch = np.arange(count * 12 * 12 * 3).reshape(count, 12, 12, 3).astype(np.uint8)
    run = tf.function(lambda i, d, e: aug(i, d, e), input_signature=[BATCHES, *FEW], jit_compile=jit)
    message = ".*" if jit else "ids: must be one for each image"
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match=message):
        run(batch, np.arange(given), 3)
    ids = np.arange(count)
    assert np.array_equal(run(batch, ids, 3), aug(batch, ids, 3))


def test_there_is_one_epoch_for_each_image_or_one_for_all(images):
    aug = ar.Compose([ar.RandomCrop(8, 8), ar.RandomFlip()], seed=1)
    signature = [tf.TensorSpec([None, *images.shape[1:]], tf.uint8), FEW[0], FEW[0]]
    run = tf.function(lambda i, d, e: aug(i, d, e), input_signature=signature)
    ids = np.arange(len(images))
    assert np.array_equal(run(images, ids, ids % 3), aug(images, ids, ids % 3))
    with pytest.raises(tf.errors.InvalidArgumentError, match="epoch: must be one for each image"):
        run(images, ids, [3])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_list_of_arrays_keeps_its_dtype(images, dtype):
    aug = ar.Compose([ar.RandomCrop(8, 8), ar.RandomFlip()], seed=1)
    images = images.astype(dtype)
    ids = np.arange(len(images))
    out = aug(list(images), ids, 3)
    assert out.dtype == dtype
    assert np.array_equal(out, aug(images, ids, 3))
    assert np.array_equal(aug([tf.constant(i) for i in images], ids, 3), out)


MISTAKES = {
    "a transform": (lambda: ar.Compose(ar.RandomFlip()), r"transforms: must be a list of augrng transforms, got RandomFlip"),
    "none": (lambda: ar.Compose(None), "transforms: must be a list of augrng transforms, got None"),
    "a recipe in a recipe": (lambda: ar.Compose(ar.Compose([ar.RandomFlip()])), "transforms: must be a list"),
    "a list for a recipe": (lambda: as_compose([ar.RandomFlip()]), r"aug: must be an augrng.Compose, got \[RandomFlip.*write augrng.Compose\("),
    "none for a recipe": (lambda: as_compose(None), "aug: must be an augrng.Compose, got None; write"),
    "text for a recipe": (lambda: as_compose("{}"), "aug: must be an augrng.Compose, got '{}'; augrng.from_json reads JSON"),
    "epoch": (lambda: FLIP(np.zeros([8, 8, 3]), 1, epoch=3.0), "epoch: must hold integers, got float64; cast it"),
    "names": (lambda: FLIP(np.zeros([8, 8, 3]), "a.png", epoch=3), "ids: must hold integers, got .*string_ids makes ids"),
    "several sizes": (lambda: FLIP([np.zeros([8, 8, 3]), np.zeros([8, 9, 3])], [1, 2], 0), r"images of one size, got shapes \(8, 8, 3\), \(8, 9, 3\); augment one by one"),
    "ragged": (lambda: FLIP(tf.ragged.constant([[[[1]]], [[[1], [2]]]]), [1, 2], 0), "images of one size, got a ragged tensor"),
    "channels first": (lambda: FLIP(np.zeros([2, 3, 64, 48], np.uint8), np.arange(2), 0), r"images: must have the channels last, \[H, W, C\], got shape \(2, 3, 64, 48\)"),
    "one with channels first": (lambda: FLIP(np.zeros([1, 28, 28], np.uint8), 1, 0), "channels last"),
    "grey": (lambda: FLIP(np.zeros([5, 28, 3], np.uint8), np.arange(5), 0), r"add the axis of channels: images\[\.\.\., None\]"),
}  # fmt: skip
FLIP = ar.Compose([ar.RandomFlip()], seed=1)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named(mistake):
    call, message = MISTAKES[mistake]
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_many_recipes_and_sizes_bring_no_warning_of_retracing(caplog):
    """TensorFlow counts what is traced by where it was written, so recipes count as one another."""
    for size in range(3, 13):
        aug = ar.Compose([ar.CenterCrop(size, size)], seed=1)
        aug(np.zeros([size, size + 1, 1], np.uint8), 1, 0)
    assert "retracing" not in caplog.text


def test_images_of_few_rows_or_many_channels_are_none_with_channels_first():
    assert FLIP(np.zeros([3, 64, 8], np.uint8), 1, 0).shape == (3, 64, 8)
    assert FLIP(np.zeros([5, 64, 200], np.uint8), 1, 0).shape == (5, 64, 200)


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
        (lambda: CROP(np.zeros((16, 20, 0), np.uint8), 0, 0), ValueError, r"images: must have channels, .*got shape \(16, 20, 0\)"),
        (lambda: CROP(IMAGE.astype(np.complex64), 0, 0), TypeError, "images: dtype must be one of .*got complex64"),
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


def test_programs_of_recipes_that_differ_in_seeds_are_one_with_other_pairs():
    one, two = (ar.Compose([ar.RandomCrop(8, 8)], seed=seed).program for seed in (1, 2))
    assert (one == two, hash(one) == hash(two)) == (True, True)
    assert one != ar.Compose([ar.RandomCrop(8, 9)], seed=1).program
    assert one != ar.Compose([ar.RandomCrop(8, 8)], seed=1, targets={}).program
    ids, sizes = np.arange(4), np.full([4, 2], 30)
    expected = two.plan(ids, 0, sizes).map.numpy()
    np.testing.assert_array_equal(one.plan(ids, 0, sizes, pairs=two.pairs).map, expected)
    assert (one.plan(ids, 0, sizes).map.numpy() != expected).any()
