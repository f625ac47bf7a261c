"""Policies against Pillow, operation by operation; their tables against the publications."""

import numpy as np
import pytest
import scipy.stats
from PIL import Image

import augrng as ar
from augrng.transforms.policies import operations
from augrng.transforms.policies import published as policies
from tests.transforms.oracles import done, strength_of

pytestmark = pytest.mark.usefixtures("op_by_op")

COUNT = 120
IDS = np.arange(COUNT)
SIZE = (60, 80)
POLICIES = {
    "rand": ar.RandAugment(2, 9, interpolation="nearest", name="policy"),
    "rand, 3 of the largest": ar.RandAugment(3, 30, interpolation="nearest", name="policy"),
    "trivial": ar.TrivialAugmentWide(interpolation="nearest", name="policy"),
    "imagenet": ar.AutoAugment("imagenet", interpolation="nearest", name="policy"),
    "cifar10": ar.AutoAugment("cifar10", interpolation="nearest", name="policy"),
    "svhn": ar.AutoAugment("svhn", interpolation="nearest", name="policy"),
}


@pytest.mark.parametrize("case", POLICIES)
def test_pixels_are_pillows(case, photos):
    image = photos[0][100:160, 200:280]
    aug = ar.Compose([POLICIES[case]], seed=3)
    out = aug(np.stack([image] * COUNT), IDS, 0).numpy()
    policy, drawn = POLICIES[case], aug.sample(IDS, 0, SIZE)["policy"]
    seen = set()
    for row in range(COUNT):
        picture = Image.fromarray(image)
        for slot in range(policy.slots):
            operation = operations.OPERATIONS[int(drawn[f"operation_{slot}"][row])]
            share = int(drawn[f"bin_{slot}"][row]) / (policy.bins - 1)
            sign = -1 if drawn[f"negative_{slot}"][row] else 1
            assert sign == 1 or operation in operations.SIGNED
            picture = done(picture, operation, sign * strength_of(operation, share, case == "trivial", SIZE))
            seen.add(operation)
        off = (np.abs(np.asarray(picture, np.int64) - out[row]) > 1).any(-1)
        # Positions halfway between pixels: 0.2 of 5 rows is a whole one, or just not.
        assert off.mean() <= 0.11
        if row < 4:
            assert np.array_equal(aug(image, row, 0), out[row])
    assert len(seen) >= 8


def test_positions_halfway_are_all_that_differs(photos):
    """A strength whose tangents are sums of powers of two leaves none."""
    image = photos[0][100:160, 200:280]
    exact = ar.TrivialAugmentWide(interpolation="nearest", name="policy")
    drawn = {"operation_0": np.int64(1), "bin_0": np.int64(0), "negative_0": np.bool_(False)}
    for operation in range(len(operations.OPERATIONS) - 1):
        if operations.OPERATIONS[operation] in ("Posterize", "Solarize"):
            continue
        out = ar.Compose([exact], seed=1).apply(
            image, {"policy": {**drawn, "operation_0": np.int64(operation)}}
        )
        expected = done(Image.fromarray(image), operations.OPERATIONS[operation], 0)
        assert np.array_equal(out, np.asarray(expected)), operations.OPERATIONS[operation]


def test_operations_signs_and_places_are_uniform():
    many = np.arange(60_000)
    trivial = ar.Compose([ar.TrivialAugmentWide()], seed=8).sample(many, 0, SIZE)["trivial_augment_wide"]
    both = np.bincount(trivial["operation_0"].numpy() * 31 + trivial["bin_0"].numpy(), minlength=14 * 31)
    assert scipy.stats.chisquare(both).pvalue > 0.01
    signed = np.isin(
        trivial["operation_0"], [operations.OPERATIONS.index(name) for name in operations.SIGNED]
    )
    assert (
        scipy.stats.binomtest(int(trivial["negative_0"].numpy()[signed].sum()), int(signed.sum())).pvalue
        > 0.01
    )
    rand = ar.Compose([ar.RandAugment(2, 9)], seed=8).sample(many, 0, SIZE)["rand_augment"]
    pairs = np.bincount(rand["operation_0"].numpy() * 14 + rand["operation_1"].numpy(), minlength=196)
    assert scipy.stats.chisquare(pairs).pvalue > 0.01
    assert set(rand["bin_0"].numpy()) == {9}


@pytest.mark.parametrize("policy", ["imagenet", "cifar10", "svhn"])
def test_pairs_and_probabilities_are_the_publications(policy):
    """Some rows typed from tables 7 to 9 of the paper; then what is drawn follows the table."""
    table = policies.table_of(policy)
    assert len(table) == 25
    typed = {
        "imagenet": {0: "Posterize 0.4 8 Rotate 0.6 9", 10: "Rotate 0.8 8 Color 0.4 0", 18: "ShearX 0.6 5 Equalize 1.0 0", 24: "Equalize 0.8 0 Equalize 0.6 0"},
        "cifar10": {0: "Invert 0.1 0 Contrast 0.2 6", 8: "Equalize 0.6 0 Equalize 0.5 0", 14: "Solarize 0.5 2 Invert 0.0 0", 24: "TranslateY 0.7 9 AutoContrast 0.9 0"},
        "svhn": {0: "ShearX 0.9 4 Invert 0.2 0", 12: "Equalize 0.9 0 TranslateY 0.6 6", 18: "ShearY 0.3 7 TranslateX 0.9 3", 24: "ShearX 0.7 2 Invert 0.1 0"},
    }[policy]  # fmt: skip
    for row, text in typed.items():
        assert " ".join(f"{name} {p} {place}" for name, p, place in table[row]) == text
    many = np.arange(50_000)
    aug = ar.Compose([ar.AutoAugment(policy)], seed=8)
    words = ar.bits(aug.keys(many, 0)["auto_augment"], 5).numpy().astype(np.int64)
    chosen = words[:, 0] % 2147483647 % 25
    assert scipy.stats.chisquare(np.bincount(chosen)).pvalue > 0.01
    drawn = aug.sample(many, 0, SIZE)["auto_augment"]
    for slot in (0, 1):
        operation = drawn[f"operation_{slot}"].numpy()
        for row in range(25):
            name, p, place = table[row][slot]
            mine = operation[chosen == row]
            is_done = mine == operations.OPERATIONS.index(name)
            assert set(mine[~is_done]) <= {0}
            assert abs(is_done.mean() - p) < 0.05
            assert set(drawn[f"bin_{slot}"].numpy()[chosen == row]) == {place}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ar.RandAugment(0), "RandAugment: n must be an integer of at least 1, got 0"),
        (lambda: ar.RandAugment(2, 31), r"RandAugment: magnitude must be a number in \[0, 30\], got 31"),
        (lambda: ar.AutoAugment("mnist"), r"AutoAugment: policy must be one of \('imagenet', 'cifar10', 'svhn'\), got 'mnist'"),
        (lambda: ar.Compose([ar.RandAugment()], seed=1)(np.zeros([9, 9, 3], np.float32), 0, 0), r"RandAugment\(\): images must be uint8, got float32"),
        (lambda: ar.Compose([ar.RandAugment()], seed=1)(np.zeros([9, 9, 2], np.uint8), 0, 0), r"RandAugment\(\): images must have 1 or 3 channels \(grey or RGB\), got 2"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_grey_pictures_are_pillows(photos):
    grey = np.asarray(Image.fromarray(photos[0][100:160, 200:280]).convert("L"))
    aug = ar.Compose([ar.TrivialAugmentWide(interpolation="nearest", name="policy")], seed=5)
    out, drawn = (
        aug(np.stack([grey[..., None]] * 40), IDS[:40], 0).numpy(),
        aug.sample(IDS[:40], 0, SIZE)["policy"],
    )
    for row in range(40):
        operation = operations.OPERATIONS[int(drawn["operation_0"][row])]
        sign = -1 if drawn["negative_0"][row] else 1
        strength = sign * strength_of(operation, int(drawn["bin_0"][row]) / 30, True, SIZE)
        expected = np.asarray(done(Image.fromarray(grey), operation, strength), np.int64)
        assert np.mean(np.abs(expected - out[row, ..., 0]) > 1) <= 0.11, operation
