"""Commands that are stopped by Ctrl-C, or would write over something: what they say and leave."""

import re

import numpy as np
import pytest
from PIL import Image

from pipelines.commands import build, preview, train


def interrupted(*args, **kwargs):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("options", "kept", "message"),
    [
        ([], False, "there is no checkpoint in .* yet, so the same command starts anew"),
        (["--resume"], True, "the same command goes on from the checkpoint in"),
        (["--overwrite"], True, "with --resume the same command goes on from .*; as it is, it starts anew"),
        (
            [],
            True,
            "with --resume the same command goes on from .*; as it is, it will refuse to write over it",
        ),
    ],
)
def test_a_stopped_training_says_what_comes_next(options, kept, message, tmp_path, monkeypatch, capsys):
    if kept:
        (tmp_path / "checkpoint.npz").write_bytes(b"")
    monkeypatch.setattr(train, "train", interrupted)
    assert train.main(["digits", "--out", str(tmp_path), *options]) == 130
    assert_says(capsys, f"train: stopped; {message}")


def test_training_does_not_write_over_a_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train.ar, "seed_everything", lambda seed: None)  # it is for a whole process
    (tmp_path / "checkpoint.npz").write_bytes(b"a run")
    assert train.main(["folder:/nowhere", "--out", str(tmp_path)]) == 2
    assert_says(
        capsys, "out: must hold no run, got .*checkpoint.npz; go on with it by --resume, .*--overwrite"
    )
    assert (tmp_path / "checkpoint.npz").read_bytes() == b"a run"
    assert train.main(["folder:/nowhere", "--out", str(tmp_path), "--overwrite"]) == 2
    assert_says(capsys, "folder: must be a folder that exists")  # it got past
    with pytest.raises(SystemExit):
        train.parse(["--resume", "--overwrite"])
    assert train.parse(["--on-error", "skip"]).on_error == "skip"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["out"], "the same command goes on from the last whole shard"),
        (["out", "--overwrite"], "starts anew; without --overwrite it goes on from the last whole shard"),
        (["--check"], "nothing was written, and the same command reads the source again"),
    ],
)
def test_a_stopped_build_says_what_comes_next(options, message, monkeypatch, capsys):
    monkeypatch.setattr(build, "Job", interrupted)
    monkeypatch.setattr(build, "open_source", interrupted)
    assert build.main(["digits", *options]) == 130
    assert_says(capsys, f"build: stopped; .*{message}")


def test_preview_looks_at_names_before_it_works(tmp_path, monkeypatch, capsys):
    Image.fromarray(np.zeros((300, 300, 3), np.uint8)).save(tmp_path / "1.png")
    monkeypatch.setattr(preview, "read_rows", lambda *args: pytest.fail("it works already"))
    for options, message in (
        (["--out", "sheet.xyz"], "--out: must end as a kind of image that can be written so, got sheet.xyz"),
        (["--out", "sheet"], "--out: must end as a kind"),
        (["--gif", "moving.bmp"], "--gif: must end as a kind"),
    ):
        monkeypatch.setattr("sys.argv", ["preview.py", str(tmp_path), *options])
        with pytest.raises(SystemExit) as stopped:
            preview.main()
        assert stopped.value.code == 2
        assert_says(capsys, message)


def assert_says(capsys, message):
    said = capsys.readouterr().err
    assert re.search(message, said), said
    assert "Traceback" not in said
