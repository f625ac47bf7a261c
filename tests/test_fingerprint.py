"""The fingerprint against its documented formula in plain Python, and its laws."""

import hashlib
import struct

import numpy as np
import pytest
import tensorflow as tf

import augrng as ar


@pytest.fixture
def examples(rng):
    return rng.integers(0, 256, (10, 5, 6, 3), dtype=np.uint8), np.arange(100, 110)


def test_it_is_the_documented_formula(examples):
    images, ids = examples
    total = 0
    for image, id_ in zip(images, ids, strict=True):
        header = b"".join(int(v).to_bytes(8, "little", signed=True) for v in (id_, 3, 5, 6, 3))
        digest = hashlib.blake2b(header + b"uint8" + image.tobytes(), digest_size=16).digest()
        total += int.from_bytes(digest, "big")
    assert ar.fingerprint(images, ids, 3) == ar.Fingerprint(10, total % 2**128)


def test_order_and_batches_have_no_influence(examples, rng):
    images, ids = examples
    whole = ar.fingerprint(images, ids, 3)
    order = rng.permutation(10)
    assert ar.fingerprint(images[order], ids[order], 3) == whole
    parts = [ar.fingerprint(images[a:b], ids[a:b], 3) for a, b in ((4, 10), (0, 4))]
    assert sum(parts, ar.Fingerprint()) == whole
    single = [ar.fingerprint(image, id_, 3) for image, id_ in zip(images, ids, strict=True)]
    assert sum(single, ar.Fingerprint()) == whole
    assert str(whole) == f"10:{whole.value:032x}"


def test_everything_else_has_influence(examples):
    images, ids = examples
    changed = images.copy()
    changed[3, 2, 1, 0] ^= 1
    others = [
        ar.fingerprint(changed, ids, 3),
        ar.fingerprint(images, ids + 1, 3),
        ar.fingerprint(images, ids[::-1], 3),
        ar.fingerprint(images, ids, 4),
        ar.fingerprint(images, ids, [3] * 9 + [4]),
        ar.fingerprint(images.reshape(10, 6, 5, 3), ids, 3),
        ar.fingerprint(images.view(np.int8), ids, 3),
        ar.fingerprint(images[:9], ids[:9], 3),
        ar.fingerprint(images, ids, 3),
    ]
    assert len(set(others)) == len(others)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64", "float16", "bfloat16", "float8_e5m2", "float8_e4m3fn", "float64", "complex64"])  # fmt: skip
def test_it_takes_every_dtype_of_numbers(dtype):
    images = tf.cast(tf.cast(np.arange(60).reshape(2, 2, 5, 3) % 7, tf.float32), dtype)
    array = images.numpy()
    total = 0
    for image, id_ in zip(array, (4, 5), strict=True):
        header = b"".join(int(v).to_bytes(8, "little", signed=True) for v in (id_, 3, 2, 5, 3))
        digest = hashlib.blake2b(header + dtype.encode() + image.tobytes(), digest_size=16).digest()
        total += int.from_bytes(digest, "big")
    assert ar.fingerprint(images, [4, 5], 3) == ar.Fingerprint(2, total % 2**128)
    if array.dtype.itemsize > 1 and array.dtype.kind in "iufc":
        assert ar.fingerprint(array.astype(array.dtype.newbyteorder(">")), [4, 5], 3).value == total % 2**128


def test_what_holds_no_numbers_is_refused():
    for images in (np.full([2, 2, 1], None), np.full([2, 2, 1], "a"), np.zeros([2, 2, 1], "M8[s]")):
        with pytest.raises(TypeError, match="images: must hold numbers"):
            ar.fingerprint(images, 1, 3)


def test_bad_arguments_are_refused(examples):
    images, ids = examples
    with pytest.raises(ValueError, match="ids: must be a scalar"):
        ar.fingerprint(images, ids[:9], 3)
    with pytest.raises(TypeError, match="ids: must hold integers"):
        ar.fingerprint(images, ids * 1.0, 3)


def test_examples_with_targets():
    """By hashlib, byte for byte; ragged rows, strings, dicts inside."""
    image = np.arange(2 * 2 * 3 * 1, dtype=np.uint8).reshape(2, 2, 3, 1)
    batch = {
        "image": image, "id": [5, 6], "objects": {"bbox": tf.ragged.constant([[[0.5] * 4], []], inner_shape=(4,))},
        "label": np.array([b"a", b"bc"]),
    }  # fmt: skip
    total = 0
    for row, (id_, boxes, label) in enumerate([(5, [[0.5] * 4], b"a"), (6, np.zeros([0, 4]), b"bc")]):
        data = struct.pack("<5q", id_, 2, 2, 3, 1) + b"uint8" + image[row].tobytes()
        data += b"label\0" + struct.pack("<q", 0) + b"string" + struct.pack("<q", len(label)) + label
        data += (
            b"objects/bbox\0"
            + struct.pack("<3q", 2, len(boxes), 4)
            + b"float32"
            + np.float32(boxes).tobytes()
        )
        total += int.from_bytes(hashlib.blake2b(data, digest_size=16).digest(), "big")
    whole = ar.fingerprint(batch, [5, 6], 2)
    assert whole == ar.Fingerprint(2, total % 2**128)
    rows = [
        {
            "image": image[row],
            "objects": {"bbox": batch["objects"]["bbox"][row]},
            "label": batch["label"][row],
        }
        for row in range(2)
    ]
    assert (
        sum((ar.fingerprint(row, id_, 2) for row, id_ in zip(rows, [5, 6], strict=True)), ar.Fingerprint())
        == whole
    )
    assert ar.fingerprint({"image": image}, [5, 6], 2) == ar.fingerprint(image, [5, 6], 2) != whole
