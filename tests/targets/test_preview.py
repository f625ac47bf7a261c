"""Targets drawn over pictures."""

import json

import numpy as np
import pytest
from PIL import Image

import augrng as ar
from pipelines.commands.preview import main
from pipelines.show.overlays import overlaid
from tests.conftest import status_of


@pytest.mark.parametrize(
    ("format", "box"),
    [("xyxy", [10, 4, 30, 14]), ("xywh", [10, 4, 20, 10]), ("rel_yxyx", [0.2, 0.25, 0.7, 0.75]), ("cxcywh", [20, 9, 20, 10])],
)  # fmt: skip
def test_boxes_points_and_masks_are_drawn_where_they_are(format, box):
    """On a picture twice as large as the numbers are of, 20x40."""
    mask = np.zeros((20, 40, 1), np.uint8)
    mask[2:5, 33:38] = 1
    mask[16:, :] = 255
    example = {
        "mask": mask, "boxes": np.float32([box, [0, 0, 1, 1]]), "boxes_valid": np.array([True, False]),
        "points": np.float32([[36, 12, 1], [2, 2, 0]]),
    }  # fmt: skip
    targets = {
        "mask": ar.Mask(255),
        "boxes": ar.Boxes(format),
        "points": ar.Keypoints("xyv"),
        "more": ar.Mask(),
    }
    drawn = np.asarray(overlaid(Image.new("RGB", (80, 40), "white"), example, targets, (20, 40)))
    changed = (drawn != 255).any(-1)
    expected = np.zeros_like(changed)
    expected[8:29, 20:61] = True
    expected[10:27, 22:59] = False
    expected[4:10, 66:76] = True
    y, x = np.mgrid[:40, :80]
    point = (x - 72) ** 2 + (y - 24) ** 2
    assert np.array_equal(changed[point > 25], expected[point > 25])
    assert changed[point < 4].all()


def test_the_command_shows_targets(tmp_path, capsys):
    for folder, kind in (("images", "RGB"), ("masks", "L")):
        (tmp_path / folder).mkdir()
        Image.new(kind, (40, 30), 1).save(tmp_path / folder / "a.png")
    Image.new("RGB", (40, 30)).save(tmp_path / "images" / "b.png")
    known = {"a.png": {"boxes": [[5, 5, 20, 20]], "labels": ["cat"], "keypoints": [[8, 8]]}}
    (tmp_path / "known.json").write_text(json.dumps(known))
    given = [
        tmp_path / "images",
        "--recipe",
        "RandomFlip(p=1)",
        "--epochs",
        "1",
        "--out",
        tmp_path / "sheet.png",
    ]
    assert status_of(main, *given, "--targets", tmp_path / "known.json") == 0
    with_boxes = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert status_of(main, *given, "--masks", tmp_path / "masks") == 1
    assert "it must have one mask below" in capsys.readouterr().err
    with_masks = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert with_boxes.shape[0] > with_masks.shape[0]  # b.png has no mask
    assert status_of(main, *given, "--targets", tmp_path / "none.json") == 2
