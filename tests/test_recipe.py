"""Recipes: the round trip, and what is refused."""

import json

import numpy as np
import pytest
import tensorflow as tf

import augrng as ar

RECIPES = {
    "plain": lambda: ar.Compose([ar.RandomCrop(8, 8), ar.RandomFlip(), ar.RandomRotation(15)], seed=7),
    "every argument": lambda: ar.Compose(
        [
            ar.RandomCrop(
                8, 9, padding=(1, 2), pad_if_needed=True, fill_mode="constant", fill_value=(1, 2, 3)
            ),
            ar.RandomFlip("vertical", p=0.25, name="mirror"),
            ar.RandomRotation((-5, 12.5), seed=-4, interpolation="nearest"),
            ar.CenterCrop(6, 6, pad_if_needed=True),
            ar.RandomQuarterTurn(),
        ],
        seed=2**40,
        alg="threefry",
    ),
    "unseeded": lambda: ar.Compose([ar.RandomFlip()]),
    "own seeds": lambda: ar.Compose([ar.RandomFlip(seed=1), ar.RandomRotation(4, seed=2)]),
    "shared": lambda: ar.Compose(
        [ar.RandomRotation(4, seed=2), ar.RandomRotation(4, seed=2)], shared_seed=True
    ),
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_survives_the_round_trip(recipe, rng):
    aug = RECIPES[recipe]()
    text = aug.to_json()
    tf.random.set_seed(99)  # no influence on what is resolved already
    again = ar.from_json(text)
    assert again == aug
    assert again.to_json() == text
    assert again.transforms == aug.transforms
    assert again.seeds == aug.seeds
    images = rng.integers(0, 256, (4, 20, 20, 3), dtype=np.uint8)
    assert np.array_equal(again(images, np.arange(4), 1), aug(images, np.arange(4), 1))


def test_a_recipe_with_numbered_names_keeps_what_it_says():
    """Recipes were written in which the second transform of a type was numbered."""
    whole = json.loads(ar.Compose([ar.RandomFlip(), ar.RandomFlip(name="random_flip_1")], seed=7).to_json())
    whole["transforms"][1]["arguments"]["name"] = None
    old = ar.from_json(json.dumps(whole))
    named = ar.Compose([ar.RandomFlip(), ar.RandomFlip(name="random_flip_1")], seed=7)
    assert list(old.transforms) == ["random_flip", "random_flip_1"]
    assert old.seeds == named.seeds
    assert ar.from_json(old.to_json()) == old


def test_numpy_arguments_are_written():
    aug = ar.Compose([ar.RandomCrop(np.int64(4), np.int32(5)), ar.RandomRotation(np.float32(2.5))], seed=1)
    assert ar.from_json(aug.to_json()) == aug


def changed(**changes):
    whole = json.loads(RECIPES["plain"]().to_json())
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = whole
        for parent in parents:
            place = place[int(parent) if parent.isdigit() else parent]
        place[last] = value
    return json.dumps(whole)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (changed(stream_version=2), ValueError, "stream_version must be 1.*got 2; install"),
        (changed(stream_version="1"), ValueError, "stream_version must be 1.*got '1'"),
        (changed(transforms__0__type="RandomBlur"), ValueError, r"transforms\[0\]: type must be one of .*RandomBlur"),
        (changed(transforms__1__pair=[1, 2.5]), ValueError, r"transforms\[1\]: pair: must be two integers"),
        (changed(transforms__1__arguments={"p": 1}), ValueError, r"transforms\[1\]: arguments: must be an object"),
        (changed(transforms__1__arguments__p=7), ValueError, r"p must be a number in \[0, 1\], got 7"),
        (changed(extra=1), ValueError, "recipe: must be an object with the keys"),
        (changed(alg="mt"), ValueError, "alg: must be"),
        (changed(seed=3), ValueError, "recipe: seed: must be two integers, got 3"),
        (changed(transforms=[]), ValueError, "transforms: must hold at least one"),
        ("{", ValueError, "recipe: must be JSON"),
        ("[]", ValueError, "recipe: must be an object"),
        (None, TypeError, "recipe: must be JSON text, got NoneType"),
    ],
)  # fmt: skip
def test_bad_recipes_are_refused(text, error, message):
    with pytest.raises(error, match=message):
        ar.from_json(text)
