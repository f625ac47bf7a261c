"""What a job makes: library, streams, recipe, source and run in words, so that two can be compared.

All that can differ without a sign in what arrives is part of it. Of a source with random access 16 records
are looked at as far as they are known before a file is read, so that a trainer need not see the files.
"""

import hashlib
import json
from typing import Any

import numpy as np
import tensorflow as tf

import augrng as ar
from pipelines.sources.source import Source

_SAMPLES = 16  # records that tell sources apart


def identity_of(source: Source, aug: ar.Compose, run: dict[str, Any]) -> str:
    """JSON of all that the batches of a run depend on.

    Args:
      source: of the records.
      aug: the recipe.
      run: the rest by name, as JSON takes it: the order, how images are decoded.
    """
    return json.dumps(
        {
            "library version": ar.__version__,
            "stream version": ar.STREAM_VERSION,
            "source": f"{source.name}, {_records(source)}",
            "recipe": aug.to_json(),
            **run,
        }
    )


def differences(there: str, here: str) -> list[str]:
    """How two of `identity_of` differ, in words that say both."""
    theirs, ours = json.loads(there), json.loads(here)
    found = []
    for name in [*theirs, *(name for name in ours if name not in theirs)]:
        one, other = theirs.get(name), ours.get(name)
        if one == other:
            continue
        readable = name == "recipe" and theirs.get("stream version") == ours["stream version"]
        if readable:
            found += [f"recipe: {line}" for line in ar.differences(one, other)]
        elif name != "recipe":
            found.append(f"{name}: {one} there, {other} here")
    return found


def _records(source: Source) -> str:
    """How many records there are, and a digest of some of them."""
    if source.records is None or not source.size:
        return f"{source.size} records"
    places = np.unique(np.linspace(0, source.size - 1, _SAMPLES).astype(np.int64))
    digest = hashlib.sha256()
    for name, feature in sorted(source.records(tf.constant(places)).items()):
        digest.update(name.encode())
        for part in tf.nest.flatten(feature, expand_composites=True):
            digest.update(tf.io.serialize_tensor(part).numpy())
    return f"{source.size} records, {digest.hexdigest()[:16]}"
