"""What notebooks show."""

import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

import augrng as ar

IMAGE = np.random.default_rng(1).integers(0, 256, (12, 16, 3), np.uint8)
AUG = ar.Compose([ar.RandomCrop(8, 8), ar.OneOf([ar.RandomHue(0.1), ar.RandomInvert(p=1)])], seed=7)


class Cells(HTMLParser):
    """The texts of a table's cells, and whether each element that began has ended."""

    def __init__(self):
        super().__init__()
        self.open, self.texts = [], []

    def handle_starttag(self, tag, attributes):
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1] == "td":
            self.texts.append(data)


def test_a_recipe_is_a_table():
    cells = Cells()
    cells.feed(AUG.with_targets({"a<b>": ar.Mask()})._repr_html_())
    assert cells.open == []
    for name, pair in AUG.seeds.items():
        assert name in cells.texts
        assert f"({pair[0]}, {pair[1]})" in cells.texts
    assert {"RandomCrop", "height=8, width=8", "OneOf", "RandomHue", "max_delta=0.1", "p=1"} <= set(
        cells.texts
    )
    assert "<b>" not in AUG.with_targets({"a<b>": ar.Mask()})._repr_html_()


def at(picture, column, row, tile, lines=0):
    """The middle of one tile of a sheet."""
    return picture.getpixel(
        (6 + column * (tile + 6) + tile // 2, 26 + row * (tile + 6 + 13 * lines) + tile // 2)
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_batch_side_by_side(dtype):
    colors = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255)], np.uint8)
    images = np.tile(colors[:, None, None], (1, 4, 4, 1))
    images = images if dtype == np.uint8 else images / np.float32(255)
    picture = ar.show({"image": images, "id": [5, 6, 7], "epoch": [0, 0, 1]}, columns=2, tile=40)
    assert isinstance(picture, Image.Image)
    assert picture.width == 2 * 46 + 6
    assert [at(picture, n % 2, n // 2, 40, lines=2) for n in range(3)] == [tuple(map(int, c)) for c in colors]
    assert ar.show(images, limit=1, tile=40).width == 46 + 6
    assert ar.show(images[2], tile=40).getpixel((26, 46)) == (0, 0, 255)


def test_boxes_are_drawn():
    boxes = np.array([[[4, 4, 12, 12]]], np.float32)
    plain = {"image": np.zeros((1, 16, 16, 3), np.uint8), "id": [1]}
    assert ar.show({**plain, "boxes": boxes}, tile=32).tobytes() != ar.show(plain, tile=32).tobytes()


def test_epochs_side_by_side():
    picture = ar.compare(IMAGE, AUG, epochs=2, id=3, tile=64)
    assert picture.width == 3 * 70 + 6
    own = Image.fromarray(AUG(IMAGE, 3, 1).numpy()).resize((64, 64), Image.Resampling.NEAREST)
    assert np.array_equal(np.asarray(picture)[26 : 26 + 64, 6 + 2 * 70 :][:, :64], own)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: ar.show({"label": [1]}), ValueError, r"batch: must have \"image\", got \['label'\]"),
        (lambda: ar.show(np.zeros((0, 4, 4, 3))), ValueError, "batch: must hold at least one image"),
        (lambda: ar.show(np.zeros((4, 4))), ValueError, r"images must be .* got shape \(4, 4\)"),
        (lambda: ar.show(IMAGE, columns=0), ValueError, "columns: must be at least 1, got 0"),
        (lambda: ar.show(IMAGE, tile=2.5), TypeError, "tile: must be an integer, got 2.5"),
        (lambda: ar.compare(IMAGE, [ar.RandomFlip()]), TypeError, "aug: must be an augrng.Compose"),
        (lambda: ar.compare(IMAGE[None], AUG), ValueError, r"image: must be \[H, W, C\], got shape \(1, 12, 16, 3\)"),
        (lambda: ar.compare(IMAGE, AUG, epochs=0), ValueError, "epochs: must be at least 1, got 0"),
        (lambda: ar.compare(IMAGE, ar.Compose([ar.MixUp()], seed=1)), ValueError, "aug: mixes examples"),
    ],
)  # fmt: skip
def test_mistakes_are_named(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def test_without_pillow_it_says_what_to_install(monkeypatch):
    for name in ("pipelines.show.notebook", "augrng.pipelines.show.notebook"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"augrng.show: needs PIL: pip install 'augrng\[pipelines\]'"):
        ar.show  # noqa: B018
