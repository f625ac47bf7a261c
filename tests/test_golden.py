"""The golden values: equal to what the code gives, and to what others than the code give.

They never change: other values are those of a new stream version, and the old ones stay. Each is checked twice:
against the code, and against TensorFlow's ops or NumPy, so that none is merely a copy of the code's output.
The last test proves that no entry was left out.
"""

import hashlib
import json

import numpy as np
import pytest
import tensorflow as tf

import augrng as ar
from tests import drawn, golden
from tests.cases import CASES, EPOCH, SIZE, example_ids, pictures
from tests.conftest import ROOT
from tests.geometry.test_warp import reference
from tests.transforms import moving
from tests.transforms.test_perspective import CORNERS, homography

RECORDED = {version: json.loads(golden.path_of(version).read_text()) for version in golden.STREAM_VERSIONS}
VALUES = RECORDED[1]["values"]  # those that other code follows below; a new version brings its own
CHECKED = set()
IDS = example_ids()
RELEASED = {  # stream version -> how many of its values have been released, and their digest
    1: (203, "d492411713486a05b97e019fdbf2e6964f25108a9e6acd41b9426eae3f431446"),
}
EDITED = """golden values of stream version {0} that were released are not what they were, so pixels of users' runs
would change. Take tests/golden_{0}.json back as it was. If draws or pixels are to change:
1. add a stream version to STREAM_VERSIONS in augrng/recipe.py, and make the change for recipes that say it;
2. `python -m tests.golden` writes its values; check them by other code in this file;
3. say under "Random streams" in CHANGELOG.md what changes. Recipes of version {0} go on as before.
Values that are new (of a new transform) go behind those that are there, and need none of this."""


@pytest.mark.parametrize("version", golden.STREAM_VERSIONS)
def test_what_was_released_stays(version):
    values = RECORDED[version]["values"]
    count, digest = RELEASED[version]
    assert RECORDED[version]["stream_version"] == version
    assert golden.digest_of(values, count) == digest, EDITED.format(version)
    edited = {**values, "string_ids": [*values["string_ids"][:2], 5]}
    assert golden.digest_of(edited, count) != digest
    assert golden.digest_of({**values, "more": 1}, count) == digest


def test_writing_golden_values_leaves_those_that_are_there():
    assert golden.completed({"a": 1}, {"b": lambda: 2, "a": lambda: 3}) == {"a": 1, "b": 2}


def test_every_stream_version_is_in_the_changelog():
    changes = (ROOT / "CHANGELOG.md").read_text().split("### Random streams")[1:]
    for version in golden.STREAM_VERSIONS:
        assert any(f"Stream version {version}" in part for part in changes)


CHECKS = [(version, name) for version, recorded in RECORDED.items() for name in recorded["values"]]


@pytest.mark.parametrize(("version", "name"), CHECKS)
def test_the_code_gives_the_golden_value(version, name):
    assert golden.entries(version)[name]() == RECORDED[version]["values"][name], EDITED.format(version)
    CHECKED.add((version, name))


def words_of(seed, num, alg):
    """Random words without augrng."""
    if alg == "philox":
        return tf.random.stateless_uniform([num], seed, None, None, tf.uint32, alg="philox").numpy()

    low, high = np.array(seed, np.int64).view(np.uint64)
    key = threefry(tf.constant([low], tf.uint64), tf.constant([high], tf.uint64))[:1]
    return threefry(key, tf.constant([0], tf.uint64)).numpy().view(np.uint32)[:num]


@tf.function(jit_compile=True)
def threefry(key, counter):
    return tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=[14], key=key, counter=counter, alg=2, dtype=tf.uint64
    )


def fold_in_of(seed, data, alg):
    return [int(words_of(seed, 2, alg).view(np.int64)[0]), int(data)]


@pytest.mark.parametrize("alg", golden.GENERATORS)
def test_words_split_and_fold_in_are_tensorflows(alg):
    assert VALUES[f"words/{alg}"] == words_of([7, -8], 6, alg).tolist()
    assert VALUES[f"split/{alg}"] == words_of([7, -8], 8, alg).view(np.int64).reshape(2, 2).tolist()
    assert VALUES[f"fold_in/{alg}"] == fold_in_of([7, -8], 9, alg)


@pytest.mark.parametrize("alg", golden.GENERATORS)
@pytest.mark.parametrize("case", golden.RECORDED)
def test_seeds_and_keys_are_the_recipe_in_plain_tensorflow(case, alg):
    pair = tf.compat.v1.random.get_seed(7)
    for name, recorded in VALUES[f"seeds/{alg}/{case}"].items():
        digest = hashlib.sha256(name.encode()).digest()[:8]
        assert recorded == fold_in_of(pair, int.from_bytes(digest, "big", signed=True), alg)
        stream = fold_in_of(recorded, EPOCH, alg)
        assert VALUES[f"keys/{alg}/{case}"][name] == [fold_in_of(stream, id_, alg) for id_ in IDS[:4]]


@pytest.mark.parametrize("alg", golden.GENERATORS)
@pytest.mark.parametrize("case", golden.RECORDED)
def test_params_follow_from_the_words(case, alg):
    """The docstrings' formulas, in plain Python."""
    size = np.array(SIZE)
    transforms = ar.Compose(CASES[case](), seed=7).transforms
    assert list(transforms) == list(VALUES[f"seeds/{alg}/{case}"])
    for name, transform in transforms.items():
        recorded = VALUES[f"params/{alg}/{case}"][name]
        for row, key in enumerate(VALUES[f"keys/{alg}/{case}"][name]):
            w = words_of(key, max(1, transform.num_words), alg).astype(np.int64)
            mine = {param: values[row] for param, values in recorded.items()}
            assert mine == drawn_from(transform, w, size)
        if "/" not in name:
            size = np.array(transform.size_after(*size))


def drawn_from(transform, w, size):
    if isinstance(transform, ar.RandomCrop):
        padding = np.broadcast_to(transform.padding, 2)
        short = np.maximum(np.array(transform.size_after(*size)) - (size + 2 * padding), 0)
        limits = size + 2 * (padding + short) - np.array(transform.size_after(*size)) + 1
        top, left = (w % 2147483647) % limits - padding - short
        return {"top": int(top), "left": int(left)}
    if isinstance(transform, ar.Resize):
        height, width = transform.size_after(*map(int, size))
        return {"height": height, "width": width}
    if isinstance(transform, ar.RandomResizedCrop):
        return resized_window(transform, w, size)
    if isinstance(transform, ar.CenterCrop):
        top, left = (size - np.array(transform.size_after(*size))) // 2
        return {"top": int(top), "left": int(left)}
    if isinstance(transform, ar.RandomFlip):
        clear = [int(word >> 22 & 1 == 0) for word in w]
        return {"horizontal": clear[0], "vertical": clear[1] if "vertical" in transform.mode else 0}
    if isinstance(transform, ar.RandomQuarterTurn):
        return {"k": int(w[0] % 2147483647 % 4)}
    if not isinstance(transform, ar.RandomRotation):
        return drawn.drawn_from(transform, w, size)
    low, high = (round(sign * transform.degrees / 360 * 2**32) for sign in (-1, 1))
    return {"angle": low + ((int(w[0]) & 0x7FFFFF) * (high - low) >> 23)}


def resized_window(transform, w, size):
    """torchvision's proposals in float64, from the words that the docstring names."""
    height, width = map(int, size)
    u = (w & 0x7FFFFF) / 2**23
    (s0, s1), (r0, r1) = transform.scale, np.log(transform.ratio)
    for k in range(10):
        area, ratio = height * width * (s0 + u[2 * k] * (s1 - s0)), np.exp(r0 + u[2 * k + 1] * (r1 - r0))
        window = np.array([round(np.sqrt(area / ratio)), round(np.sqrt(area * ratio))])
        if (window > 0).all() and (window <= size).all():
            top, left = (w[20:22] % 2147483647) % (size - window + 1)
            return {"top": int(top), "left": int(left), "height": int(window[0]), "width": int(window[1])}
    raise AssertionError("the golden rows have no fallback")


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("case", [case for case in golden.RECORDED if case not in drawn.COLORED])
def test_golden_pixels_are_close_to_float64(case, dtype):
    """The bytes behind the digest, against SciPy at positions from float64 matrices of the params."""
    recorded = {name: dict(group) for name, group in VALUES[f"params/philox/{case}"].items()}
    aug = ar.Compose(CASES[case](), seed=7)
    out = aug(pictures(dtype), IDS, EPOCH).numpy()
    assert hashlib.sha256(out.tobytes()).hexdigest() == VALUES[f"pixels/philox/{case}/{dtype}"]
    for row in range(4):
        source, matrix, size = pictures(dtype)[row], np.eye(3), SIZE
        for name, transform in aug.transforms.items():
            mine = {param: values[row] for param, values in recorded[name].items()}
            matrix = matrix @ float_matrix(transform, mine, size, transform.size_after(*size))
            size = transform.size_after(*size)
        fill = {"crop_pad_if_needed": 9}.get(case, 0)
        mode = {"padded_crop": "reflect", "rotation_nearest_wrap": "wrap"}.get(case, "constant")
        order = 0 if "nearest" in case else 1
        if "resize" in case or "reduced" in case:
            linear = matrix[:2, :2]
            steps = abs(np.linalg.det(linear)) / np.linalg.norm(linear, axis=1)  # along y, x
            ky, kx = (2 ** int(max(0, np.floor(np.log2(step / 0.8)))) for step in steps)
            source = block_means(source, ky, kx)
            matrix = np.diag([1 / kx, 1 / ky, 1]) @ matrix
        rows = matrix if case == "perspective" else matrix[:2]
        map_ = tf.constant(rows * 2.0**24, tf.float64)
        exact = reference(source, map_, size, order, mode, fill)
        if order == 0:
            assert (exact != out[row]).any(-1).mean() < 0.01
        else:
            # Noise has steps of the whole range, so a weight's rounding of 2**-12 shows.
            assert np.abs(exact - out[row]).max() <= 0.5 + 2 * np.iinfo(dtype).max * 2.0**-11


def block_means(image, ky, kx):
    """Means of ky by kx pixels, rounded half up; sides are multiples of them."""
    height, width, channels = image.shape
    blocks = image.reshape(height // ky, ky, width // kx, kx, channels).astype(np.int64).sum((1, 3))
    return ((2 * blocks + ky * kx) // (2 * ky * kx)).astype(image.dtype)


@pytest.mark.parametrize("case", drawn.COLORED)
def test_golden_colors_are_pillows_and_tensorflows(case):
    """The bytes behind the digest, against what others make of the recorded params, step by step."""
    aug = ar.Compose(CASES[case](), seed=7)
    recorded = VALUES[f"params/philox/{case}"]
    out = aug(pictures(), IDS, EPOCH).numpy()
    assert hashlib.sha256(out.tobytes()).hexdigest() == VALUES[f"pixels/philox/{case}/uint8"]
    for row in range(4):
        picture = pictures()[row]
        for name, transform in aug.transforms.items():
            mine = {param: values[row] for param, values in recorded[name].items()}
            if drawn.chosen(name, aug.transforms, recorded, row):
                picture = drawn.applied(transform, mine, picture)
        # Each step may be a level off, and a threshold or a position halfway between pixels makes more of it;
        # along the border of what was turned, Pillow blends nothing.
        off = np.abs(np.asarray(picture, np.int64) - out[row])
        assert np.mean(off > 4) < (0.25 if case == "choosing" else 0.05), case


def float_matrix(transform, drawn, size, size_after):
    height, width = size
    if isinstance(transform, moving.KINDS):
        return moving.float_matrix(transform, drawn, size)
    if isinstance(transform, ar.RandomPerspective):
        return perspective_matrix(drawn, size)
    if "height" in drawn:
        y, x = drawn["height"] / size_after[0], drawn["width"] / size_after[1]
        if "top" in drawn:
            return np.array([[x, 0, drawn["left"]], [0, y, drawn["top"]], [0, 0, 1]])
        return np.diag([width / drawn["width"], height / drawn["height"], 1])
    if "top" in drawn:
        return np.array([[1, 0, drawn["left"]], [0, 1, drawn["top"]], [0, 0, 1]])
    if "horizontal" in drawn:
        x, y = drawn["horizontal"], drawn["vertical"]
        return np.array([[1 - 2 * x, 0, width * x], [0, 1 - 2 * y, height * y], [0, 0, 1]])
    turn = drawn["angle"] / 2**32 if "angle" in drawn else drawn["k"] / 4
    c, s = np.cos(2 * np.pi * turn), np.sin(2 * np.pi * turn)
    center = np.array([[1, 0, width / 2], [0, 1, height / 2], [0, 0, 1]])
    return center @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.linalg.inv(center)


def perspective_matrix(drawn, size):
    """From the corners as they were moved to the picture's own, between the centres of pixels."""
    last, signs = np.array(size)[::-1] - 1, np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    moved = np.array([[drawn[f"{corner}_{axis}"] for axis in "xy"] for corner in CORNERS])
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    matrix = homography(np.where(signs, last - moved, moved), signs * last) if drawn["applied"] else np.eye(3)
    return half @ (matrix * np.sign(matrix[2, 2])) @ np.linalg.inv(half)


def test_string_ids_are_tensorflows_fingerprints():
    buckets = tf.strings.to_hash_bucket_fast(["", "a", "train/0001.jpg"], 2**63 - 1).numpy()
    assert [value % 2**64 % (2**63 - 1) for value in VALUES["string_ids"]] == buckets.tolist()


def test_every_golden_value_was_checked(request):
    """Run whole, this file has compared every entry with the code, and the code makes no others."""
    for version, recorded in RECORDED.items():
        assert set(golden.entries(version)) == set(recorded["values"])
    ran_all = not any(request.config.getoption(option) for option in ("keyword", "markexpr"))
    if ran_all and len(request.session.items) > len(CHECKS):
        assert set(CHECKS) == CHECKED
