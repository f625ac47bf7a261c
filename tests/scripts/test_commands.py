"""The scripts as people run them: what they print, write and answer to bad input."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import augrng as ar
from pipelines.commands import demo, preview
from pipelines.show.pictures import UnreadableImageError, read_image
from pipelines.sources import digits
from scripts import experiment
from tests.conftest import ROOT, status_of


def run_script(name, *args):
    command = [sys.executable, str(ROOT / "scripts" / name), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def opened(path, attribute):
    with Image.open(path) as picture:
        return getattr(picture, attribute)


@pytest.fixture
def folder(tmp_path):
    """Good and bad files: two photographs, a text, an empty and a truncated file."""
    images = tmp_path / "images"
    (images / "sub").mkdir(parents=True)
    china, flower = digits.photo_paths()
    shutil.copy(china, images / "china.jpg")
    shutil.copy(flower, images / "sub" / "flower.jpg")
    (images / "text.jpg").write_text("no image")
    (images / "empty.png").write_bytes(b"")
    (images / "short.jpg").write_bytes(china.read_bytes()[:20_000])
    (images / "notes.txt").write_text("left alone")
    return images


def test_demo_prints_what_another_run_prints(tmp_path, capsys):
    done = run_script("demo.py", "--out", tmp_path / "1")
    assert done.returncode == 0, done.stderr
    assert not status_of(demo.main, "--out", tmp_path / "2", "--batch", 7)
    found = []
    for n, said in enumerate((done.stdout, capsys.readouterr().out), start=1):
        found.append(re.findall(r"epoch \d: fingerprint (1437:[0-9a-f]{32})", said))
        assert "RandomRotation(degrees=20)" in said
        assert "(-3448552694440021771, -4980473688081490359)" in said  # the pair in the golden values
        assert opened(tmp_path / str(n) / "preview.png", "size")[0] > 500
    assert found[0] == found[1]
    assert len(set(found[0])) == 2
    readme = (ROOT / "README.md").read_text()
    assert all(fingerprint in readme for fingerprint in found[0])


def test_digits_are_those_of_scikit_learn(tmp_path):
    from sklearn.datasets import load_digits

    builder = digits.prepared(digits.Digits, tmp_path)
    elements = [e for split in ("train", "test") for e in builder.as_dataset(split=split)]
    assert len(elements) == 1797
    source = load_digits()
    for element in elements[::50]:
        index = int(element["index"])
        assert int(element["label"]) == source.target[index]
        shrunk = tf.image.resize(element["image"], [8, 8], method="area")[..., 0]
        assert np.corrcoef(np.ravel(shrunk), np.ravel(source.images[index]))[0, 1] > 0.98


def test_photos_are_those_of_scikit_learn(tmp_path, photos):
    elements = list(digits.prepared(digits.Photos, tmp_path).as_dataset(split="train"))
    for element in elements:
        assert np.array_equal(element["image"], photos[int(element["index"])])
    assert {e["name"].numpy() for e in elements} == {b"china.jpg", b"flower.jpg"}


def test_preview_names_what_it_skips(folder, tmp_path, capsys):
    sheet = tmp_path / "a" / "sheet.png"
    assert status_of(preview.main, folder, folder / "missing.jpg", "--out", sheet, "--epochs", 2) == 1
    said = capsys.readouterr()
    for name in ("text.jpg", "empty.png", "short.jpg", "missing.jpg"):
        assert re.search(rf"skipped \S*{name}: ", said.err)
    assert "notes.txt" not in said.err
    assert "2 images, 2 epochs" in said.out
    assert opened(tmp_path / "a" / "sheet.png", "size") == (3 * 166 + 6, 2 * (160 + 6 + 3 * 13) + 26)


def test_preview_of_good_images_with_a_recipe_and_an_animation(folder, tmp_path):
    recipe = tmp_path / "recipe.json"
    recipe.write_text(ar.Compose([ar.RandomRotation(90)], seed=5).to_json())
    out = tmp_path / "sheet.png"
    done = run_script(
        "preview.py", folder / "china.jpg", "--recipe", recipe, "--out", out, "--gif", tmp_path / "a.gif", "--epochs", 3
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert opened(out, "size")[0] == 4 * 166 + 6
    assert opened(tmp_path / "a.gif", "n_frames") == 3
    first = out.read_bytes()
    out.unlink()
    status_of(preview.main, folder / "china.jpg", "--recipe", recipe, "--out", out, "--epochs", 3)
    assert out.read_bytes() == first


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{folder}", "--epochs", "0"], "must be at least 1, got 0"),
        (["{folder}", "--recipe", "{folder}/text.jpg"], "recipe: must be JSON"),
        (["{folder}", "--recipe", "{folder}/none.json"], "none.json"),
        (["{folder}/text.jpg"], "no image to show"),
    ],
)
def test_preview_refuses(folder, arguments, message, refused):
    assert message in refused(preview.main, *(argument.format(folder=folder) for argument in arguments))


def test_preview_skips_images_that_the_recipe_refuses(folder, tmp_path, refused):
    recipe = tmp_path / "recipe.json"
    recipe.write_text(ar.Compose([ar.RandomQuarterTurn()], seed=5).to_json())
    assert "must be square" in refused(preview.main, folder / "china.jpg", "--recipe", recipe)


def test_read_image_turns_shrinks_and_flattens(tmp_path):
    picture = Image.new("RGBA", (40, 20), (255, 0, 0, 0))
    picture.save(tmp_path / "clear.png")
    assert read_image(tmp_path / "clear.png").getpixel((3, 3)) == (255, 255, 255)
    Image.fromarray(np.full((20, 40), 0x8000, np.uint16)).save(tmp_path / "deep.png")
    assert read_image(tmp_path / "deep.png").getpixel((3, 3)) == (128, 128, 128)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.new("RGB", (40, 20)).save(tmp_path / "turned.jpg", exif=exif)
    assert read_image(tmp_path / "turned.jpg").size == (20, 40)
    assert read_image(tmp_path / "turned.jpg", shorter_side=10).size == (10, 20)
    with pytest.raises(UnreadableImageError, match="No such file"):
        read_image(tmp_path / "missing.png")


@pytest.mark.slow
def test_bench_measures_what_is_there_and_names_what_is_not(tmp_path):
    done = run_script(
        "bench.py", "--row", "keys", "--row", "warp", "--rounds", 1, "--seconds", 0.2, "--json", tmp_path / "b.json",
        "--peers-python", tmp_path / "no-python",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for peer in ("OpenCV warpAffine", "albumentations", "torchvision", "kornia"):
        assert f"{peer} is left out: " in done.stdout
    rows = json.loads((tmp_path / "b.json").read_text())["rows"]
    assert set(rows["keys"]) == {"augrng", "vectorized_map"}
    assert set(rows["warp"]) == {"augrng", "ImageProjectiveTransformV3", "Keras layers"}
    for row in rows.values():
        for (value,) in row.values():
            assert value > 0


@pytest.mark.slow
def test_the_experiment_makes_its_table(tmp_path, capsys):
    arguments = ("--seeds", 1, "--steps", 30, "--data-dir", tmp_path / "data", "--json", tmp_path / "e.json")
    assert not status_of(experiment.main, *arguments)
    said = capsys.readouterr().out
    figures = json.loads((tmp_path / "e.json").read_text())
    assert set(figures) == set(experiment.KINDS)
    for kind in experiment.KINDS:
        upright, moved = (figures[kind][test][0] for test in ("upright", "rotated and shifted"))
        assert 50 < upright <= 100  # ten classes, so far from chance after 30 steps already
        assert moved < upright
        assert f"| {kind} | {upright:.1f} %" in said
