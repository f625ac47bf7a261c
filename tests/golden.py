"""Golden values: what users' pixels depend on, written down once for each stream version.

`golden_N.json` has those of stream version N. `python -m tests.golden` adds what is missing to the file of the
newest version, behind what is there, and changes nothing: what is written stays, and what was released is pinned
in `test_golden.py`. Other draws or pixels are a new stream version, which has a file of its own.
"""

import functools
import hashlib
import json
from pathlib import Path

import numpy as np

import augrng as ar
from augrng.recipe import STREAM_VERSIONS as STREAM_VERSIONS
from tests.cases import CASES, EPOCH, SIZE, UINT8_ONLY, UNRECORDED, compose, example_ids, pictures

GENERATORS = ("philox", "threefry")
RECORDED = [case for case in CASES if case not in UNRECORDED]


def path_of(version):
    return Path(__file__).with_name(f"golden_{version}.json")


def digest_of(values, count):
    """Of the first so many golden values, names included."""
    return hashlib.sha256(json.dumps(list(values.items())[:count]).encode()).hexdigest()


def entries(version):
    """Entry name -> a function that computes its value from the code, by recipes of that stream version."""
    made = {}
    for alg in GENERATORS:
        made[f"words/{alg}"] = lambda alg=alg: ar.bits([7, -8], 6, alg=alg).numpy().tolist()
        made[f"split/{alg}"] = lambda alg=alg: ar.split(np.array([7, -8]), 2, alg=alg).numpy().tolist()
        made[f"fold_in/{alg}"] = lambda alg=alg: ar.fold_in([7, -8], np.int64(9), alg=alg).numpy().tolist()
        for case in RECORDED:
            aug = functools.partial(recipe, version, case, alg)
            made[f"seeds/{alg}/{case}"] = lambda aug=aug: seeds(aug)
            made[f"keys/{alg}/{case}"] = lambda aug=aug: keys(aug)
            made[f"params/{alg}/{case}"] = lambda aug=aug: params(aug)
            for dtype in ("uint8",) if case in UINT8_ONLY else ("uint8", "uint16"):
                name = f"pixels/{alg}/{case}/{dtype}"
                made[name] = lambda aug=aug, dtype=dtype: pixels(aug, dtype)
    made["string_ids"] = lambda: ar.string_ids(["", "a", "train/0001.jpg"]).numpy().tolist()
    return made


def recipe(version, case, alg):
    said = {**json.loads(compose(case, alg=alg).to_json()), "stream_version": version}
    return ar.from_json(json.dumps(said))


def seeds(aug):
    return {name: list(pair) for name, pair in aug().seeds.items()}


def keys(aug):
    return as_lists(aug().keys(example_ids()[:4], EPOCH))


def params(aug):
    drawn = aug().sample(example_ids()[:4], EPOCH, SIZE)
    return {name: as_lists(group) for name, group in drawn.items()}


def pixels(aug, dtype):
    out = aug()(pictures(dtype), example_ids(), EPOCH).numpy()
    return hashlib.sha256(out.astype(out.dtype.newbyteorder("<")).tobytes()).hexdigest()


def as_lists(tensors):
    return {name: np.asarray(tensor).astype(int).tolist() for name, tensor in tensors.items()}


def completed(written, computed):
    """Golden values with those added that are not written yet."""
    return {**written, **{name: compute() for name, compute in computed.items() if name not in written}}


if __name__ == "__main__":
    newest = path_of(ar.STREAM_VERSION)
    there = json.loads(newest.read_text())["values"] if newest.exists() else {}
    whole = {"stream_version": ar.STREAM_VERSION, "values": completed(there, entries(ar.STREAM_VERSION))}
    newest.write_text(json.dumps(whole, indent=1) + "\n")
