"""Other frameworks over the tf.data pipeline, by the pages' programs; each in a process of its own."""

import importlib.util
import re

import pytest

from tests.pages import PAGES, blocks


def program(holding):
    """The one program of the pages that holds a text."""
    (found,) = [block.text for page in PAGES for block in blocks(page) if holding in block.text]
    return found


def needs(framework):
    missing = importlib.util.find_spec(framework) is None
    return pytest.mark.skipif(missing, reason=f'{framework} is not installed (extra "{framework}")')


DIGITS = """
import numpy as np
from sklearn.datasets import load_digits

digits = load_digits()
images, labels = np.uint8(digits.images * 15)[..., None], digits.target
"""

EVALUATE = """
import sys
upright = np.float32(images[1400:])[:, :, :] / 255
accuracy = model.evaluate(upright, labels[1400:], verbose=0)[1]
print("RESULT", keras.backend.backend(), accuracy, *(name in sys.modules for name in ("jax", "torch")))
print("WEIGHTS", sum(float(np.abs(weights).sum()) for weights in model.get_weights()))
"""


@pytest.mark.parametrize("backend", [pytest.param(name, marks=needs(name)) for name in ("jax", "torch")])
def test_keras_trains_on_another_backend(python, backend):
    runs = [
        python(DIGITS + program("pl.from_arrays(images[:1400]") + EVALUATE, env={"KERAS_BACKEND": backend})
        for _ in range(2)
    ]
    for printed in runs:
        (result,) = re.findall(r"RESULT (\w+) (\S+) (\w+) (\w+)", printed)
        assert result[0] == backend
        assert float(result[1]) > 0.8
        assert result[2 + ("jax", "torch").index(backend)] == "True"
    weights = [re.findall(r"WEIGHTS (\S+)", printed) for printed in runs]
    assert weights[0] == weights[1]


LOADED = """
loaded = list(loader)
wanted = list(train.as_numpy_iterator())
assert len(loaded) == len(wanted) == -(-3 * 1400 // 64)
for batch, other in zip(loaded, wanted):
    assert set(batch) == set(other) == {"image", "label", "id", "epoch"}
    for name, value in batch.items():
        assert isinstance(value, torch.Tensor)
        assert np.array_equal(value.numpy(), other[name])
assert loaded[0]["image"].dtype == torch.uint8
assert torch.equal(next(iter(loader))["image"], loaded[0]["image"])
print("RESULT same")
"""

TRAIN = """
import augrng as ar
import pipelines as pl

aug = ar.Compose([ar.RandomCrop(8, 8, padding=1), ar.RandomRotation(10)], seed=7)
train = pl.make_dataset(pl.from_arrays(images[:1400], labels[:1400]), aug, batch_size=64, epochs=3, seed=1)
"""


@needs("torch")
def test_an_iterable_dataset_gives_the_same_batches(python):
    assert "RESULT same" in python(DIGITS + TRAIN + program("torch.utils.data.IterableDataset") + LOADED)
