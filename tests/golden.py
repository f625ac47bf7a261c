"""Golden values: what users' pixels depend on, written down once for each stream version.

`python -m tests.golden` writes golden.json anew. That is right only for a new `STREAM_VERSION`, or for an
entry that is added: a change of an entry that is there changes the pixels of everybody's runs.
"""

import hashlib
import json
from pathlib import Path

import numpy as np

import augrng as ar
from tests.cases import CASES, EPOCH, SIZE, UINT8_ONLY, UNRECORDED, compose, example_ids, pictures

PATH = Path(__file__).with_name("golden.json")
GENERATORS = ("philox", "threefry")
RECORDED = [case for case in CASES if case not in UNRECORDED]


def entries():
    """Entry name -> a function that computes its value from the code."""
    made = {}
    for alg in GENERATORS:
        made[f"words/{alg}"] = lambda alg=alg: ar.bits([7, -8], 6, alg=alg).numpy().tolist()
        made[f"split/{alg}"] = lambda alg=alg: ar.split(np.array([7, -8]), 2, alg=alg).numpy().tolist()
        made[f"fold_in/{alg}"] = lambda alg=alg: ar.fold_in([7, -8], np.int64(9), alg=alg).numpy().tolist()
        for case in RECORDED:
            made[f"seeds/{alg}/{case}"] = lambda alg=alg, case=case: seeds(case, alg)
            made[f"keys/{alg}/{case}"] = lambda alg=alg, case=case: keys(case, alg)
            made[f"params/{alg}/{case}"] = lambda alg=alg, case=case: params(case, alg)
            for dtype in ("uint8",) if case in UINT8_ONLY else ("uint8", "uint16"):
                name = f"pixels/{alg}/{case}/{dtype}"
                made[name] = lambda alg=alg, case=case, dtype=dtype: pixels(case, alg, dtype)
    made["string_ids"] = lambda: ar.string_ids(["", "a", "train/0001.jpg"]).numpy().tolist()
    return made


def seeds(case, alg):
    return {name: list(pair) for name, pair in compose(case, alg=alg).seeds.items()}


def keys(case, alg):
    return as_lists(compose(case, alg=alg).keys(example_ids()[:4], EPOCH))


def params(case, alg):
    drawn = compose(case, alg=alg).sample(example_ids()[:4], EPOCH, SIZE)
    return {name: as_lists(group) for name, group in drawn.items()}


def pixels(case, alg, dtype):
    out = compose(case, alg=alg)(pictures(dtype), example_ids(), EPOCH).numpy()
    return hashlib.sha256(out.astype(out.dtype.newbyteorder("<")).tobytes()).hexdigest()


def as_lists(tensors):
    return {name: np.asarray(tensor).astype(int).tolist() for name, tensor in tensors.items()}


if __name__ == "__main__":
    values = {name: compute() for name, compute in entries().items()}
    whole = {"stream_version": ar.STREAM_VERSION, "values": values}
    PATH.write_text(json.dumps(whole, indent=1) + "\n")
