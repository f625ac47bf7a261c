"""The command `augrng`: what it lists, how it answers mistakes, how it ends."""

import importlib
import json
import os
import subprocess
import sys

import pytest

import augrng.pipelines
import pipelines
from pipelines.commands import build, starting, table
from tests.conftest import ROOT, status_of


@pytest.mark.parametrize("name", table.COMMANDS)
def test_each_command_explains_itself(name, capsys):
    assert status_of(table.main, name, "--help") == 0
    said = capsys.readouterr().out
    assert said.startswith(f"usage: augrng {name} ")
    assert f"examples:\n  augrng {name}" in said
    assert "--debug" in said
    assert said.endswith(f"{starting.STATUSES}\n")


def test_all_commands_are_listed(capsys):
    assert table.main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"\n  {name} " in said for name in table.COMMANDS)
    assert table.main([]) == 2
    assert capsys.readouterr().out == said
    assert table.main(["--version"]) == 0
    assert capsys.readouterr().out == f"augrng {augrng.__version__}, stream version 1\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["biuld"], "command: must be one of demo, .*, got 'biuld'; did you mean build?"),
        (["fly"], "command: must be one of demo, .*, got 'fly'; see augrng --help"),
        (["build", "digits", "--chek"], "augrng build: unrecognized arguments: --chek; did you mean --check?"),
        (["demo", "--epochs", "two"], "augrng demo: argument --epochs: .*'two'; see augrng demo --help"),
        (["build", "folder:no_such_folder", "out"], "build: folder: must be a folder that exists, got no_such_folder"),
    ],
)  # fmt: skip
def test_a_mistake_is_answered_in_one_line(arguments, message, refused):
    (line,) = refused(table.main, *arguments).splitlines()
    start, _, end = message.partition(".*")
    assert start in line
    assert line.endswith(end)


@pytest.mark.parametrize("arguments", [["--debug", "build"], ["build", "--debug"]])
def test_debug_shows_where(arguments, capsys):
    assert status_of(table.main, *arguments, "folder:no_such_folder", "out") == 2
    said = capsys.readouterr().err
    assert said.startswith("Traceback")
    assert said.splitlines()[-1].startswith("build: folder: must be")


def failing(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (KeyboardInterrupt(), 130, "augrng: stopped\n"),
        (ZeroDivisionError("by\nzero"), 70, "augrng: ZeroDivisionError: by zero; --debug shows where\n"),
        (ModuleNotFoundError(name="tqdm"), 2, "augrng: needs tqdm: pip install 'augrng[pipelines]'\n"),
        (ModuleNotFoundError(name="flask"), 2, "augrng: needs flask: pip install 'augrng[serve]'\n"),
    ],
)
def test_how_a_command_ends(error, status, message, capsys):
    assert starting.ended(failing(error)) == status
    assert capsys.readouterr().err == message


def test_json_in_place_of_words_or_beside_them(tmp_path, capsys):
    assert build.main(["photos", "--check", "--data-dir", str(tmp_path), "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["duplicates"] == {}
    file = tmp_path / "new" / "found.json"
    assert build.main(["photos", "--check", "--data-dir", str(tmp_path), "--json", str(file)]) == 0
    assert capsys.readouterr().out == f"{found['source']}: 0 duplicate ids\n"
    assert json.loads(file.read_text()) == found


def test_tensorflow_is_not_heard():
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    command = [sys.executable, "-m", "augrng", "export", "RandomCrop(8, 8)", "out", "--shape", "2,4,4,3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("export: ")
    assert "at least as large as the window" in line


def test_pipelines_go_by_both_names():
    assert augrng.pipelines is pipelines
    for name in ("run.dataset", "sources.source", "commands"):
        module = importlib.import_module(f"augrng.pipelines.{name}")
        assert module is importlib.import_module(f"pipelines.{name}")
        assert module.__spec__.name == f"pipelines.{name}"
    with pytest.raises(ModuleNotFoundError, match="augrng.pipelines.nothing"):
        importlib.import_module("augrng.pipelines.nothing")
