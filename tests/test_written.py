"""Recipes that people write by hand, and what is said of two that differ."""

import json

import numpy as np
import pytest
import tensorflow as tf

import augrng as ar
from augrng.compiled import op_by_op
from augrng.python import as_python

CALLS = "RandomCrop(24, 20, padding=(1, 2)), OneOf([RandomRotation(30), ar.RandomFlip(p=0.2)], weights=[1, 2]), RandomInvert"
STEPS = [
    {"type": "RandomCrop", "height": 24, "width": 20, "padding": [1, 2]},
    {
        "type": "OneOf",
        "transforms": [{"type": "RandomRotation", "degrees": 30}, {"type": "RandomFlip", "p": 0.2}],
        "weights": [1, 2],
    },
    {"type": "RandomInvert"},
]
WRITTEN = ar.Compose(
    [
        ar.RandomCrop(24, 20, padding=(1, 2)),
        ar.OneOf([ar.RandomRotation(30), ar.RandomFlip(p=0.2)], weights=[1, 2]),
        ar.RandomInvert(),
    ],
    seed=7,
)


@pytest.mark.parametrize(
    "text",
    [
        CALLS,
        f"[{CALLS}]",
        f"\n{CALLS.replace('), O', '),  # a window' + chr(10) + 'O')},\n",
        json.dumps(STEPS),
        json.dumps({"transforms": STEPS}),
        json.dumps({"seed": 7, "alg": "philox", "transforms": STEPS}),
        WRITTEN.to_json(),
        f"Compose([{CALLS}], 7)",
        f"import augrng as ar\n\naug = ar.Compose(\n    [{CALLS}],\n    seed=7,\n)\n",
        as_python(WRITTEN),
    ],
    ids=[
        "calls",
        "a list of calls",
        "calls on lines",
        "steps",
        "an object",
        "with a seed",
        "a whole recipe",
        "Compose",
        "Python",
        "as_python",
    ],
)
def test_all_ways_to_write_a_recipe_are_one(text, tmp_path):
    assert ar.read_recipe(text, seed=7) == WRITTEN
    (tmp_path / "recipe").write_text(text)
    assert ar.read_recipe(tmp_path / "recipe", seed=7) == WRITTEN
    assert ar.read_recipe(str(tmp_path / "recipe"), seed=7) == WRITTEN


def test_python_that_is_written_is_read():
    targets = {
        "mask": ar.Mask(fill_value=255),
        "objects/bbox": ar.Boxes("rel_yxyx", labels=("objects/label",)),
    }
    aug = ar.Compose([ar.Maybe(ar.RandomHue(0.1), name="m")], seed=2**40, alg="threefry", targets=targets)
    assert ar.read_recipe(as_python(aug)) == aug
    tf.random.set_seed(3)
    under_a_global_seed = ar.Compose([ar.RandomFlip()], seed=7)
    tf.random.set_seed(4)
    made = {}
    exec(as_python(under_a_global_seed), made)
    assert made["aug"] == under_a_global_seed


def test_a_seed_that_is_written_is_kept():
    assert ar.read_recipe('{"seed": 3, "transforms": [{"type": "RandomFlip"}]}', seed=7) == ar.Compose(
        [ar.RandomFlip()], 3
    )


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("[1]", ValueError, r'recipe: transforms\[0\]: must be an object with a "type", got 1'),
        ("Compose([RandomFlip()], sed=1)", ValueError, r"recipe: Compose takes a list of transforms, .*, got \['sed'\]"),
        ("Compose(RandomFlip())", ValueError, "recipe: Compose takes a list of transforms"),
        ("Compose([3])", ValueError, "recipe: must be calls of transforms, got 3"),
        ("Compose([RandomFlip()], targets=3)", TypeError, "targets: must be a dict"),
        ("Compose([RandomFlip()], targets={'m': Mask(3, 4, 5)})", TypeError, "^recipe: Mask: takes .*positional arguments"),
        ("import os\nos.system('true')", ValueError, "recipe: must be JSON, or calls"),
        ("RandomCrop(24)", TypeError, "^recipe: RandomCrop: missing 1 required positional argument: 'width'"),
        ("Maybe(3)", TypeError, "^recipe: Maybe: transform must be augrng transforms, got 3"),
        ('{"transforms": [{"type": {}}]}', ValueError, r"^recipe: transforms\[0\]: type must be one of .*, got \{\}"),
        ('{"transforms": [{"type": "RandomFlip"}], "targets": {"m": {"type": []}}}', ValueError, r"targets\['m'\]: must have a \"type\""),
        ("RandomFlip(p={{}})", ValueError, r"^recipe: arguments must be literals, got '\{\{\}\}'"),
        ("RandomCrops(24, 24)", ValueError, "recipe: type must be one of .*, got 'RandomCrops'"),
        ("RandomFlip(way=1)", ValueError, r"recipe: RandomFlip takes \['name', 'seed', 'mode', 'p'\], got \['way'\]|RandomFlip takes .*got \['way'\]"),
        ("RandomFlip(p=2)", ValueError, r"RandomFlip: p must be a number in \[0, 1\], got 2"),
        ("RandomFlip(p=open('x'))", ValueError, "type must be one of .*, got 'open'"),
        ("RandomFlip(p=1 + x)", ValueError, r"recipe: arguments must be literals, got '1 \+ x'"),
        ("RandomFlip(", ValueError, "recipe: must be JSON, or calls like"),
        ("(3)", ValueError, "recipe: must be calls of transforms, got 3"),
        ('{"transform": []}', ValueError, r"recipe: must be \{.*got the keys \['transform'\]"),
        ('{"transforms": [{"kind": "RandomFlip"}]}', ValueError, r'recipe: transforms\[0\]: must be an object with a "type"'),
        ('{"transforms": [', ValueError, "recipe: must be JSON or calls"),
        ("no_such_file.json", FileNotFoundError, "no_such_file.json"),
        ("randomFlip(), RandomCrop(3, 3)", ValueError, r"got 'randomFlip'; did you mean RandomFlip\?"),
        ("RandomFlip(),\n\n RandomRotation(degrees=3, named=2)", ValueError, r"recipe \(line 3\): RandomRotation takes .*got \['named'\]; did you mean name\?"),
        ('{"transforms": [\n {"type": "RandomFlip"},\n {"type": "RandomHu", "max_delta": 1}]}', ValueError, r"transforms\[1\] \(line 3\): type .* did you mean RandomHue\?"),
        ('{"transforms": [\n {"type": "OneOf", "transforms": [\n {"type": "RandomFlip", "pp": 1}]}]}', ValueError, r"transforms\[0\] \(line 3\): RandomFlip takes .*got \['pp'\]; did you mean p\?"),
        ('{"transform": [],\n"seed": 1}', ValueError, r"got the keys \['seed', 'transform'\]; did you mean transforms\?"),
        ('{"transforms": [\n {"type": "RandomFlip",\n "p": 3}]}', ValueError, r"transforms\[0\] \(line 2\): RandomFlip: p must be"),
        ('{"transforms": [\n {"type": "RandomFlip"\n "p": 3}]}', ValueError, "line 3 column 2"),
        (WRITTEN.to_json().replace("degrees", "degree"), ValueError, r"\(line \d+\): arguments: must be .* did you mean degrees\?"),
    ],
)  # fmt: skip
def test_mistakes_are_named(text, kind, message):
    with pytest.raises(kind, match=message):
        ar.read_recipe(text)


def test_differences_are_said_in_words():
    there = ar.Compose(
        [ar.RandomRotation(20), ar.RandomFlip(), ar.Maybe(ar.RandomHue(0.1))], seed=7
    ).to_json()

    def against(*transforms, seed=7):
        return ar.differences(there, ar.Compose(transforms, seed=seed).to_json())

    same = [ar.RandomRotation(20), ar.RandomFlip(), ar.Maybe(ar.RandomHue(0.1))]
    assert against(*same) == []
    assert against(ar.RandomRotation(25), *same[1:]) == ["random_rotation.degrees: 20 there, 25 here"]
    assert against(*same[:2], ar.Maybe(ar.RandomHue(0.2), p=0.1)) == [
        "maybe/random_hue.max_delta: 0.1 there, 0.2 here",
        "maybe.p: 0.5 there, 0.1 here",
    ]
    assert against(*same[:2]) == ["maybe: there, not here"]
    assert against(*same, ar.RandomInvert()) == ["random_invert: here, not there"]
    assert against(same[1], same[0], same[2]) == [
        "order: random_rotation, random_flip, maybe there, random_flip, random_rotation, maybe here"
    ]
    other = against(*same, seed=8)
    assert other[0] == "seed: [87654321, 7] there, [87654321, 8] here"
    assert any(line.startswith("random_flip: the seed pair ") for line in other)


@op_by_op()
def test_presets_are_recipes_that_run(photos):
    image = photos[0]
    for aug, size in (
        (ar.presets.imagenet_train(64, seed=1), 64),
        (ar.presets.imagenet_eval(64, seed=1), 64),
        (ar.presets.imagenet_randaugment(64, seed=1), 64),
        *((view, 64) for view in ar.presets.simclr(64, seed=1)),
        *((view, side) for view, side in zip(ar.presets.dino(64, 32, 2, seed=1), (64, 64, 32, 32), strict=True)),
    ):  # fmt: skip
        out = aug(image, 5, 0)
        assert out.shape == (size, size, 3)
        assert ar.from_json(aug.to_json()) == aug
        assert len(np.unique(out)) >= 10
    cifar = ar.presets.cifar10_train(seed=1)
    assert cifar(image[:32, :32], 5, 0).shape == (32, 32, 3)


def test_views_are_independent_and_stay_when_one_is_added():
    two, three = ar.presets.simclr(32, seed=1), ar.presets.simclr(32, 3, seed=1)
    assert two == three[:2]
    pairs = [pair for view in three for pair in view.seeds.values()]
    assert len(set(pairs)) == len(pairs)
