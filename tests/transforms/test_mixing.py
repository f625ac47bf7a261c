"""MixUp, CutMix, Mosaic: draws from words, pixels and labels against NumPy by hand, every way to run them."""

import pickle
import re

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

import augrng as ar
from augrng.keras import Augment

COUNT, EPOCH, SIZE = 9, 4, (14, 18)
IDS = np.arange(COUNT) * 0x1234567890ABCDE - 2**60
LABELS = np.arange(COUNT) % 4
MIXING = {
    "mix_up": ar.MixUp(0.4, num_classes=4, p=0.8, partners="batch"),
    "cut_mix": ar.CutMix(1.5, num_classes=4, p=0.8, partners="batch"),
    "mosaic": ar.Mosaic(num_classes=4, p=0.8, label="label", partners="batch"),
}
NAMES = list(MIXING)


def recipe(name):
    return ar.Compose([ar.RandomCrop(*SIZE), ar.RandomFlip(), MIXING[name]], seed=7)


def examples(dtype=np.uint8):
    images = np.random.default_rng(3).integers(0, 256, (COUNT, 17, 21, 3)).astype(dtype)
    return {"image": images, "label": LABELS, "number": np.arange(COUNT)}


def words_of(aug, name):
    return ar.bits(aug.keys(IDS, EPOCH)[name], 9).numpy().astype(object)  # Python's integers


def partner_rows(words, first):
    numbers = [(words[row, first] + (words[row, first + 1] << 32)) >> 1 for row in range(COUNT)]
    return [(row + 1 + number % (COUNT - 1)) % COUNT for row, number in enumerate(numbers)]


def by_hand(aug, name, images):
    """Mixed images and the shares [B, pictures] that the pictures have, with the rows that they come from."""
    words, (height, width) = words_of(aug, name), images.shape[1:3]
    applied = [(word & 0x7FFFFF) < round(0.8 * 2**23) for word in words[:, 0]]
    out, shares = images.copy(), []
    rows = [partner_rows(words, first) for first in ((3, 5, 7) if name == "mosaic" else (2,))]
    for row in range(COUNT):
        others = [images[of[row]] for of in rows]
        drawn = words[row]
        if name == "mosaic":
            y, x = (
                side // 4 + drawn[1 + axis] % (2**31 - 1) % (side * 3 // 4 - side // 4 + 1)
                for axis, side in enumerate((height, width))
            )
            y, x = (y, x) if applied[row] else (height, width)
            out[row, :y, :x] = images[row, height - y :, width - x :]
            out[row, :y, x:] = others[0][height - y :, : width - x]
            out[row, y:, :x] = others[1][: height - y, width - x :]
            out[row, y:, x:] = others[2][: height - y, : width - x]
            areas = [y * (width - x), (height - y) * x, (height - y) * (width - x)]
            shares.append([area / (height * width) for area in areas])
            continue
        place = (drawn[1] & (2**22 - 1)) + 0.5
        alpha = 0.4 if name == "mix_up" else 1.5
        weight = stats.beta.ppf(place / 2**23, alpha, alpha)
        weight = round((1 - weight if drawn[1] & 2**22 else weight) * 2**16)
        if not applied[row]:
            weight = 2**16
        if name == "mix_up":
            total = weight * images[row].astype(np.int64) + (2**16 - weight) * others[0].astype(np.int64)
            out[row] = (total + 2**15) // 2**16
            shares.append([1 - weight / 2**16])
            continue
        half = [int(side * np.sqrt(1 - weight / 2**16) / 2) for side in (height, width)]
        middle = [drawn[4 + axis] % (2**31 - 1) % side for axis, side in enumerate((height, width))]
        top, left = (max(middle[axis] - half[axis], 0) for axis in (0, 1))
        bottom, right = (min(middle[axis] + half[axis], (height, width)[axis]) for axis in (0, 1))
        out[row, top:bottom, left:right] = others[0][top:bottom, left:right]
        shares.append([(bottom - top) * (right - left) / (height * width)])
    return out, np.array(shares), rows


@pytest.mark.parametrize("name", NAMES)
def test_pixels_and_labels_by_hand_in_every_mode(name):
    aug, given = recipe(name), examples()
    images = aug.unmixed(given, IDS, EPOCH)["image"].numpy()
    pixels, shares, rows = by_hand(aug, name, images)
    labels = np.eye(4)[LABELS] * (1 - shares.sum(1, keepdims=True))
    for share, of in zip(shares.T, rows, strict=True):
        labels += share[:, None] * np.eye(4)[LABELS[of]]

    def tensors(part):
        return {key: tf.constant(value) for key, value in part.items()}

    tf.config.run_functions_eagerly(True)
    eager = aug(given, IDS, EPOCH)
    tf.config.run_functions_eagerly(False)
    compiled = tf.function(aug, jit_compile=True)(tensors(given), tf.constant(IDS), EPOCH)
    applied = aug.apply(given, aug.sample(IDS, EPOCH, given["image"].shape[1:3]))
    for got in (eager, aug(given, IDS, EPOCH), compiled, applied):
        np.testing.assert_array_equal(got["image"], pixels)
        np.testing.assert_allclose(got["label"], labels, atol=2**-23)
        np.testing.assert_array_equal(got["label"], eager["label"])
        assert got["label"].dtype == tf.float32
    np.testing.assert_array_equal(eager["number"], given["number"])
    assert (np.abs(shares).sum(1) == 0).any()  # p shows
    assert (np.abs(shares).sum(1) > 0).any()


@pytest.mark.parametrize("name", NAMES)
def test_given_partners_are_mixed_alike_alone_and_in_a_batch(name):
    aug, given = recipe(name), examples()
    plain, (_, _, rows) = aug.unmixed(given, IDS, EPOCH), by_hand(recipe(name), name, examples()["image"])
    others = [tf.nest.map_structure(lambda part, of=of: tf.gather(part, of), plain) for of in rows]
    whole, mixed = aug(given, IDS, EPOCH), aug.mixer.mix(plain, others, IDS, EPOCH)
    row = 5
    one, *partners = (tf.nest.map_structure(lambda part: part[row], part) for part in (plain, *others))
    alone = aug.mixer.mix(one, partners, IDS[row], EPOCH)
    for key in given:
        np.testing.assert_array_equal(mixed[key], whole[key])
        np.testing.assert_array_equal(alone[key], whole[key][row])
    with pytest.raises(ValueError, match=rf"partners: must be {len(rows)} for .*, got {len(rows) + 1}"):
        aug.mixer.mix(plain, [*others, plain], IDS, EPOCH)


def test_partners_of_a_dataset_are_drawn_by_key_alone():
    aug = recipe("mix_up")
    words = words_of(aug, "mix_up")
    numbers = [(low + (high << 32)) >> 1 for low, high in words[:, 2:4]]
    assert aug.mixer.partners(IDS, EPOCH, 1000).numpy()[:, 0].tolist() == [n % 1000 for n in numbers]
    assert aug.mixer.partners(IDS[3], EPOCH, 7).numpy().tolist() == [numbers[3] % 7]
    many = aug.mixer.partners(np.arange(6000), EPOCH, 6).numpy()
    assert stats.chisquare(np.bincount(many[:, 0], minlength=6)).pvalue > 1e-3


def test_soft_labels_and_floats():
    """A soft label is mixed as it is; floats are means, and what has no weight is not seen."""
    images = np.random.default_rng(5).random((COUNT, *SIZE, 1)).astype(np.float32)
    images[4] = np.nan
    soft = np.random.default_rng(6).random((COUNT, 5)).astype(np.float32)
    aug = ar.Compose([ar.MixUp(0.05, partners="batch")], seed=1)
    out = aug({"image": images, "label": soft}, IDS, EPOCH)
    weight = aug.sample(IDS, EPOCH, SIZE)["mix_up"]["weight"].numpy() / 2**16
    of = partner_rows(words_of(aug, "mix_up"), 2)
    assert {0.0, 1.0} <= set(weight)
    for row, (lam, other) in enumerate(zip(weight, of, strict=True)):
        parts = [(lam, row), (1 - lam, other)]
        seen = [(share, which) for share, which in parts if share]
        expected = sum(share * images[which].astype(np.float64) for share, which in seen)
        np.testing.assert_allclose(out["image"][row], expected, rtol=1e-6)
        label = sum(share * soft[which].astype(np.float64) for share, which in seen)
        np.testing.assert_array_equal(out["label"][row], label.astype(np.float32))


def test_recipes_hold_what_mixes():
    for name, transform in MIXING.items():
        aug = recipe(name)
        assert ar.from_json(aug.to_json()) == aug
        assert ar.read_recipe(repr(transform)).transforms[name] == transform
        assert aug.unmixed.transforms == {key: aug.transforms[key] for key in ("random_crop", "random_flip")}
        assert aug.unmixed.unmixed == aug.unmixed
        assert aug.evaluation() == ar.Compose([ar.CenterCrop(*SIZE)], seed=0)
        said = aug.describe(aug.sample(IDS[0], EPOCH, (17, 21)))[name]
        assert re.fullmatch(r"\d+ % of it|\d+x\d+ at \d+, \d+|not mixed|centre \d+, \d+", said)
    lone = ar.Compose([MIXING["cut_mix"]], seed=7)
    assert pickle.loads(pickle.dumps(lone.unmixed)) == lone.unmixed
    images = examples()["image"]
    np.testing.assert_array_equal(lone.unmixed(images, IDS, EPOCH), images)


UP = MIXING["mix_up"]
ASKED = {
    "alpha": (lambda: ar.MixUp(0), "MixUp: alpha must be a number in [0.01, 100], got 0"),
    "num_classes": (lambda: ar.CutMix(num_classes=0), "CutMix: num_classes must be an integer of at least 1"),
    "partners": (lambda: ar.MixUp(partners="epoch"), "partners must be one of ('dataset', 'batch'), got 'epoch'"),
    "label": (lambda: ar.MixUp(label=""), "label must be the name of a feature, or None for none, got ''"),
    "center": (lambda: ar.Mosaic((0.7, 0.2)), "Mosaic: center must be in order, got 0.7 above 0.2"),
    "before others": (lambda: ar.Compose([UP, ar.RandomFlip()]), "must be the last of a Compose"),
    "twice": (lambda: ar.Compose([UP, MIXING["cut_mix"]]), "must be the last of a Compose"),
    "chosen": (lambda: ar.Compose([ar.Maybe(UP)]), "and inside of no other, got MixUp("),
    "the layer": (lambda: Augment(ar.Compose([UP], seed=1)), "aug: the layer mixes no examples, got MixUp("),
    "a mask": (lambda: ar.Compose([UP], targets={"mask": ar.Mask()}), "mask: a mask has no mean with another"),
}  # fmt: skip
CALLED = {
    "no batch": ([UP], {"image": np.zeros((4, 4, 3), np.uint8), "label": 1}, "needs a batch [B, H, W, C]"),
    "no dataset": ([ar.MixUp()], {}, 'partners="dataset" takes partners from a source, which a call does not'),
    "no label": ([UP], {"label": None}, "label: mixing needs the feature 'label' of each example, got ['image']"),
    "no classes": ([ar.MixUp(partners="batch")], {}, "num_classes: must be given to MixUp("),
    "out of range": ([UP], {"label": np.array([0, 4])}, "labels must lie in [0, num_classes = 4) to be mixed; it is broken by id 12"),
    "of another shape": ([UP], {"label": np.zeros((2, 1), int)}, "label: must be one integer for each example"),
    "of other classes": ([UP], {"label": np.zeros((2, 3), np.float32)}, "soft labels must have shape [4], got (3,)"),
    "of levels": ([UP], {"image": np.zeros((2, 4, 4, 3), np.int32)}, "images must be uint8, uint16 or floats, got int32"),
}  # fmt: skip


@pytest.mark.parametrize("case", ASKED)
def test_mistakes_are_refused_when_built(case):
    made, message = ASKED[case]
    with pytest.raises(ValueError, match=re.escape(message)):
        made()


@pytest.mark.parametrize("case", CALLED)
def test_mistakes_are_refused_when_called(case):
    transforms, changes, message = CALLED[case]
    given = {"image": np.zeros((2, 4, 4, 3), np.uint8), "label": np.array([0, 1])} | changes
    given = {key: value for key, value in given.items() if value is not None}
    ids = np.array([11, 12]) if np.ndim(given["image"]) == 4 else 11
    with pytest.raises(ValueError, match=re.escape(message)):
        ar.Compose(transforms, seed=1)(given, ids, 0)


def test_images_alone_have_no_label():
    aug = ar.Compose([UP], seed=1)
    with pytest.raises(ValueError, match="got images alone"):
        aug(np.zeros((2, 4, 4, 3), np.uint8), [1, 2], 0)
    images = examples()["image"]
    bare = ar.Compose([ar.CutMix(1.5, p=0.8, label=None, partners="batch")], seed=7)
    labelled = ar.Compose([MIXING["cut_mix"]], seed=7)
    np.testing.assert_array_equal(
        bare(images, IDS, EPOCH), labelled({"image": images, "label": LABELS}, IDS, EPOCH)["image"]
    )
