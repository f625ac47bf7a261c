"""The newcomer's way follows the first page. It takes minutes, so that here only its steps are looked at."""

from scripts import newcomer
from tests.conftest import ROOT


def test_its_steps_are_those_of_the_first_page():
    steps = list(newcomer.steps((ROOT / "README.md").read_text()))
    assert [kind for kind, _ in steps] == ["sh", "python", "sh", "sh", "python"]
    for (_, text), holds in zip(
        steps, ("scripts/demo", "model.fit(feed", "augrng preview photos", "augrng replay", "aug(images, ids"), strict=True
    ):  # fmt: skip
        assert holds in text


def test_a_step_that_fails_ends_it_by_its_status(tmp_path, capsys):
    newcomer.borrow(tmp_path, ROOT)
    assert newcomer.taken(("sh", "echo found; exit 3  # why"), tmp_path) == 3
    said = capsys.readouterr()
    assert "echo found; exit 3\n" in said.out
    assert "found" in said.err
    assert (tmp_path / ".venv" / "installed-pipelines").read_text() in (ROOT / "pyproject.toml").read_text()
