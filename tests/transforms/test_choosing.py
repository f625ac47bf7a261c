"""Choosing: who acts, how often, that siblings keep their draws, and that an example never sees its batch."""

import numpy as np
import pytest
import scipy.stats

import augrng as ar

pytestmark = pytest.mark.usefixtures("op_by_op")

MANY = np.arange(60_000)
IDS = np.arange(12)


@pytest.fixture
def images(rng):
    return rng.integers(0, 256, (12, 16, 20, 3), dtype=np.uint8)


def drawn(transform, name, ids=MANY):
    return {
        key: value.numpy()
        for key, value in ar.Compose([transform], seed=9).sample(ids, 0, (16, 20))[name].items()
    }


def test_probabilities_are_those_that_were_asked_for():
    applied = drawn(ar.Maybe(ar.RandomFlip(), p=0.3), "maybe")["applied"]
    assert scipy.stats.binomtest(int(applied.sum()), len(MANY), 0.3).pvalue > 0.01
    weights = (3, 0, 1, 4)
    choice = drawn(ar.OneOf([ar.RandomFlip(name=f"flip_{n}") for n in range(4)], weights), "one_of")["choice"]
    counts = np.bincount(choice, minlength=4)
    assert counts[1] == 0
    assert scipy.stats.chisquare(counts[[0, 2, 3]], len(MANY) * np.array([3, 1, 4]) / 8).pvalue > 0.01
    chosen = drawn(ar.SomeOf([ar.RandomFlip(name=f"flip_{n}") for n in range(4)], 2), "some_of")["chosen"]
    found = np.bincount(chosen, minlength=16)
    pairs = [0b0011, 0b0101, 0b1001, 0b0110, 0b1010, 0b1100]
    assert found.sum() == found[pairs].sum()
    assert scipy.stats.chisquare(found[pairs]).pvalue > 0.01


def test_what_was_not_chosen_changes_nothing(images):
    """Each example is what the chosen transform alone makes of it."""
    inside = [
        ar.RandomRotation(40),
        ar.RandomInvert(p=1),
        ar.ColorJitter(0.5, hue=0.2),
        ar.RandomErasing(p=1),
    ]
    aug = ar.Compose([ar.OneOf(inside)], seed=0)
    out, params = aug(images, IDS, 0).numpy(), aug.sample(IDS, 0, (16, 20))
    choice = params["one_of"]["choice"].numpy()
    assert set(choice) == {0, 1, 2, 3}
    names = ["random_rotation", "random_invert", "color_jitter", "random_erasing"]
    for row in range(12):
        name = names[choice[row]]
        mine = {key: value[row] for key, value in params[f"one_of/{name}"].items()}
        alone = ar.Compose([inside[choice[row]]], seed=1).apply(images[row], {name: mine})
        assert np.array_equal(out[row], alone)
        assert np.array_equal(aug(images[row], row, 0), out[row])
    assert np.array_equal(aug.apply(images, params), out)


def test_names_nest_and_siblings_keep_their_draws(images):
    one = ar.Compose([ar.OneOf([ar.RandomRotation(30), ar.RandomBrightness(0.2)])], seed=9)
    more = ar.Compose(
        [ar.RandomFlip(), ar.OneOf([ar.RandomHue(0.1), ar.RandomBrightness(0.2), ar.RandomRotation(30)])],
        seed=9,
    )
    for name in ("one_of/random_rotation", "one_of/random_brightness"):
        assert one.seeds[name] == more.seeds[name]
        before, after = (aug.sample(IDS, 0, (16, 20))[name] for aug in (one, more))
        assert all(np.array_equal(before[key], after[key]) for key in before)
    assert list(more.transforms) == [
        "random_flip",
        "one_of",
        "one_of/random_hue",
        "one_of/random_brightness",
        "one_of/random_rotation",
    ]
    deep = ar.Compose(
        [ar.Maybe(ar.Sequential([ar.RandomFlip(), ar.OneOf([ar.RandomHue(0.1), ar.RandomGamma(0.5, 2)])]))],
        seed=9,
    )
    assert "maybe/sequential/one_of/random_gamma" in deep.seeds
    assert len(set(deep.seeds.values())) == len(deep.seeds)
    assert ar.from_json(deep.to_json()) == deep
    assert np.array_equal(ar.from_json(deep.to_json())(images, IDS, 0), deep(images, IDS, 0))


def test_all_of_a_sequence_act_in_their_order(images):
    steps = [ar.RandomRotation(30), ar.RandomInvert(p=1), ar.RandomSolarize(90, p=1)]
    together = ar.Compose([ar.Maybe(ar.Sequential(steps), p=1)], seed=9)
    params = together.sample(IDS, 0, (16, 20))
    plain = {name.rpartition("/")[2]: group for name, group in params.items() if name.count("/") == 2}
    assert np.array_equal(together(images, IDS, 0), ar.Compose(steps, seed=1).apply(images, plain))


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: ar.OneOf([]), ValueError, "OneOf: transforms must hold at least one transform, got none"),
        (lambda: ar.OneOf([ar.RandomFlip(), 3]), TypeError, "OneOf: transforms must be augrng transforms, got 3"),
        (lambda: ar.OneOf(ar.RandomFlip()), TypeError, "OneOf: transforms must be a list of transforms"),
        (lambda: ar.OneOf([ar.RandomFlip()], weights=[1, 2]), ValueError, "OneOf: weights must be 1 numbers"),
        (lambda: ar.OneOf([ar.RandomFlip()], weights=[-1]), ValueError, "none below 0"),
        (lambda: ar.OneOf([ar.RandomFlip()], weights=[0]), ValueError, "not all 0"),
        (lambda: ar.SomeOf([ar.RandomFlip()], 2), ValueError, "SomeOf: n must be an integer in 0 to 1, got 2"),
        (lambda: ar.Maybe(ar.RandomFlip(), p=2), ValueError, r"Maybe: p must be a number in \[0, 1\], got 2"),
        (lambda: ar.Maybe(None), TypeError, "Maybe: transform must be augrng transforms, got None"),
        (lambda: ar.Maybe(ar.RandomCrop(3, 3)), ValueError, r"Maybe: transform must leave the size of images, .*got RandomCrop\(height=3, width=3\); put it before or after"),
        (lambda: ar.Compose([ar.OneOf([ar.RandomFlip(), ar.RandomFlip()])], seed=1), ValueError, "name: of several transforms of one type"),
    ],
)  # fmt: skip
def test_mistakes_are_named(make, kind, message):
    with pytest.raises(kind, match=message):
        make()
