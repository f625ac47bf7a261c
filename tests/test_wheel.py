"""The distributions: what is in them, what they say of themselves, and that the wheel gives the README's values."""

import email
import os
import re
import subprocess
import sys
import tarfile
import zipfile

import pytest

import augrng as ar
from tests.conftest import ROOT
from tests.test_layout import modules


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """Folder with the source distribution of this clone, and the wheel that is built from it."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return out


@pytest.fixture(scope="module")
def wheel(distributions):
    (path,) = distributions.glob("*.whl")
    assert path.name == f"augrng-{ar.__version__}-py3-none-any.whl"
    return zipfile.ZipFile(path)


def test_the_wheel_has_all_modules_and_data_within_augrng(wheel):
    names = set(wheel.namelist())
    info = f"augrng-{ar.__version__}.dist-info/"
    wanted = {str(path.relative_to(ROOT)) for path in modules("augrng")} - {"augrng/pipelines.py"}
    wanted |= {f"augrng/{path.relative_to(ROOT)}" for path in modules("pipelines")}
    assert {name for name in names if name.endswith(".py")} == wanted
    for folder, place in (("augrng", ""), ("pipelines", "augrng/")):
        data = [path for path in (ROOT / folder).rglob("*.*") if path.suffix not in (".py", ".pyc")]
        assert {place + str(path.relative_to(ROOT)) for path in data} <= names
    assert {"augrng/py.typed", "augrng/pipelines/py.typed", info + "licenses/LICENSE"} <= names
    assert {name.split("/")[0] for name in names} == {"augrng", info.rstrip("/")}
    assert wheel.read(info + "top_level.txt").split() == [b"augrng"]


def test_its_metadata_serve_an_index(wheel):
    said = email.message_from_bytes(wheel.read(f"augrng-{ar.__version__}.dist-info/METADATA"))
    assert said["Version"] == ar.__version__
    assert said["Requires-Python"] == ">=3.11"
    assert {f"Programming Language :: Python :: 3.{minor}" for minor in (11, 12, 13)} <= set(
        said.get_all("Classifier")
    )
    assert {"tensorflow", "augmentation"} <= set(said["Keywords"].split(","))
    assert {"pipelines", "coco", "test"} <= set(said.get_all("Provides-Extra"))
    bare = [rule for rule in said.get_all("Requires-Dist") if "extra ==" not in rule]
    assert {re.match(r"\w+", rule)[0] for rule in bare} == {"tensorflow", "numpy"}
    assert said["Description-Content-Type"] == "text/markdown"
    text = said.get_payload(decode=True).decode()
    assert text.startswith("# augrng")
    blocks = r"(?ms)^```.*?^```"
    assert re.findall(r"\]\((?!https:|#)", re.sub(blocks, "", text)) == []  # what an index could not show
    assert re.findall(blocks, text) == re.findall(blocks, (ROOT / "README.md").read_text())


def test_the_source_distribution_has_what_its_tests_need(distributions):
    (path,) = distributions.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    folders = ("augrng", "pipelines", "scripts", "tests")
    wanted = {path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()}
    wanted = {str(path.relative_to(ROOT)) for path in wanted if "__pycache__" not in path.parts}
    assert wanted | {"CHANGELOG.md", "README.md", "LICENSE", "pyproject.toml", "setup.py"} <= names
    assert not [name for name in names if "__pycache__" in name]


# Run where no clone is to be seen, and nothing that the extra brings.
PROGRAM = """
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
for missing in ("tensorflow_datasets", "PIL", "sklearn", "tqdm", "pycocotools"):
    sys.modules[missing] = None
import augrng as ar
import augrng.pipelines as pl

loaded = set(sys.modules)
assert Path(ar.__file__).parent.parent == Path(sys.argv[1]), ar.__file__
assert "pipelines" not in loaded and pl.__name__ == "augrng.pipelines"
assert not [name for name in loaded if name.startswith("augrng.keras")]
assert ar.Finish.__module__ == "augrng.keras_finish" and "augrng.keras" in sys.modules
for package, name in ((pl, "from_tfds"), (ar, "show")):
    try:
        getattr(package, name)
    except ImportError as error:
        print(error)
from augrng.__main__ import run

exec(compile(sys.stdin.read(), "README.md", "exec"), {})
sys.argv = ["augrng", "demo"]
run()
"""


def test_the_wheel_alone_gives_the_readmes_values_and_names_the_extra(wheel, tmp_path):
    wheel.extractall(tmp_path / "site")
    blocks = re.findall(
        r"```python\n((?:(?!```).)*)```\s*```text\n(.*?)```", (ROOT / "README.md").read_text(), re.S
    )
    program, printed = next(block for block in blocks if "ar.fingerprint(batch" in block[0])
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM, tmp_path / "site"],
        input=program, cwd=tmp_path, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    do = "pip install 'augrng[pipelines]'"
    hints = f"augrng.pipelines.from_tfds: needs tensorflow_datasets: {do}\naugrng.show: needs PIL: {do}\n"
    assert done.stdout == hints + printed, done.stderr[-3000:]
    assert done.stderr.splitlines()[-1] == f"augrng: needs tensorflow_datasets: {do}"
    assert done.returncode == 2
