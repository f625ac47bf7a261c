"""What bounds a user's input: measured on a tiny folder, and advice on figures typed by hand."""

import numpy as np
import pytest
from PIL import Image

import augrng as ar
import pipelines as pl
from pipelines.bench import mine

FAST = float("inf")
AUG = ar.Compose([ar.RandomCrop(8, 8)], seed=7)


def found(read, decode, augment, pixels=100.0, side=300, end_to_end=100.0):
    return mine.Found(end_to_end, read, decode, augment, pixels, side, 50e3, 500e3, (224, 224))


@pytest.mark.parametrize(
    ("figures", "slowest", "said", "unsaid"),
    [
        (found(900, 300, 800, pixels=120), "decoding", ["--pixels needs 10.0 times", "120 images/s here"], ["--shorter"]),
        (found(900, 300, 800), "decoding", ["source.cache() gives 800 images/s"], ["--pixels"]),
        (found(900, 300, 110), "augmentation", ["GPU:0"], ["--pixels", "source.cache()"]),
        (found(900, 300, 800, side=1600), "decoding", ["--shorter-side 448", "7.1 times"], ["Device"]),
        (found(100, 900, 300, side=1600), "reading", ["local disk", "--shorter-side"], ["--pixels", "Device"]),
        (found(900, FAST, 200), "augmentation", ["GPU:0", "More cores"], ["--shorter", "--pixels"]),
    ],
)  # fmt: skip
def test_advice(figures, slowest, said, unsaid):
    text = "\n".join(mine.report(figures, 64, 2))
    assert f"The slowest part is {slowest}." in text
    assert "64 images takes 640 ms or more is kept busy" in text
    assert all(part in text for part in said)
    assert not any(part in text for part in unsaid)


def test_files(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, [3, 16, 20, 3], np.uint8)
    for n, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f"{n}.png")
    source = pl.from_folder(tmp_path)
    stored = np.mean([path.stat().st_size for path in tmp_path.iterdir()])
    got = mine.measured(source, AUG, 2, 0.02)
    assert (got.side, got.stored, got.raw, got.output) == (16, stored, 16 * 20 * 3, (8, 8))
    assert all(0 < rate < FAST for rate in (got.end_to_end, got.read, got.augment, got.decode, got.pixels))
    images = pl.from_arrays(pixels)
    assert mine.rate(images.dataset().batch(1).repeat(), 1, 0.01) > 0
