"""How the wheel is laid out; all else about it stands in pyproject.toml.

In a clone the folder `pipelines` lies beside `augrng`, and its modules call each other `pipelines.x`. A wheel
has them as `augrng.pipelines`: a package called `pipelines` in site-packages would clash with others'.
"""

import re
import sys
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

_IMPORT = re.compile(r"^(\s*(?:from|import) )(?=pipelines[\s.])", re.MULTILINE)
_PICTURE = re.compile(r"!\[([^]]*)\]\((?!\w+:)([^)]+)\)")
_LINK = re.compile(r"(?<!!)\[([^]]+)\]\((?!\w+:|#)([^)]+)\)")


def placed(source: str) -> str:
    """A module's text as it stands in a wheel."""
    return _IMPORT.sub(r"\1augrng.", source)


def described(readme: str) -> str:
    """The README as an index of packages shows it: what lies beside it in the source is named, not linked."""
    parts = re.split(r"(^```.*?^```)", readme, flags=re.DOTALL | re.MULTILINE)  # every other one is a program
    for place in range(0, len(parts), 2):
        named = _PICTURE.sub(r"*\1: `\2` in the source distribution*", parts[place])
        parts[place] = _LINK.sub(r"\1 (`\2`)", named)
    return "".join(parts)


class BuildPy(build_py):
    """Puts modules at their places in a wheel; an editable installation has them as a clone does."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        built = Path(self.build_lib, "augrng")
        (built / "pipelines.py").unlink(missing_ok=True)  # the clone's name for the folder beside it
        for module in (built / "pipelines").rglob("*.py"):
            module.write_text(placed(module.read_text()))


def layout(editable: bool) -> dict[str, object]:
    """The arguments of `setup` that say which packages there are, and where."""
    ours, beside = find_packages(include=["augrng*"]), find_packages(include=["pipelines*"])
    if editable:
        return {"packages": ours + beside}
    places = {f"augrng.{name}": name.replace(".", "/") for name in beside}
    return {"packages": [*ours, *places], "package_dir": places}


if __name__ == "__main__":
    setup(
        cmdclass={"build_py": BuildPy},
        long_description=described(Path("README.md").read_text()),
        long_description_content_type="text/markdown",
        **layout("editable_wheel" in sys.argv),
    )
