"""Contact sheets: what is on them, and that captions do not overlap."""

import json

import numpy as np
import pytest
from PIL import Image

from pipelines.commands import preview
from pipelines.show.sheets import font, wrapped


@pytest.mark.parametrize(
    "text",
    ["id -4789172975497460063", "a/long/path/of a picture/that_lies_deep.jpg", "crop 8x8", "", "W" * 90],
)
@pytest.mark.parametrize("width", [40, 96, 160])
def test_captions_wrap(text, width):
    lines = wrapped(text, width)
    assert all(font().getlength(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert len(lines) == 1 or font().getlength(text) > width


def test_preview_shows_all_classes_in_tiles_of_the_size_that_is_asked_for(tmp_path, capsys):
    for name in ("ants", "bees", "cats"):
        (tmp_path / "in" / name).mkdir(parents=True)
        for number in range(9):
            Image.fromarray(np.full((12, 16, 3), 20 * number, np.uint8)).save(
                tmp_path / "in" / name / f"{number}.png"
            )
    arguments = [
        "--limit",
        "7",
        "--tile",
        "64",
        "--epochs",
        "2",
        "--json",
        "-",
        "--recipe",
        "RandomCrop(8, 8)",
    ]
    out = tmp_path / "sheet.png"
    assert preview.main([str(tmp_path / "in"), *arguments, "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert "showing 7 of 27 images" in said.err
    names = [image["name"] for image in json.loads(said.out)["images"]]
    classes = [name.partition("/")[0] for name in names]
    assert sorted(classes.count(name) for name in ("ants", "bees", "cats")) == [2, 2, 3]
    assert names == sorted(names)
    assert names != [f"{name}/{number}.png" for name in ("ants", "bees", "cats") for number in range(3)][:7]
    with Image.open(out) as sheet:
        assert sheet.width == 3 * (64 + 6) + 6
