"""`augrng.pipelines` in a clone, where its folder lies beside this one: the modules of `pipelines`.

Where augrng is installed, the folder itself stands in the place of this file.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

_HERE = __name__ + "."


class _Same(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds augrng.pipelines.x as pipelines.x, so that each module is there once, by both names."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not name.startswith(_HERE) or importlib.util.find_spec(_beside(name)) is None:
            return None
        return importlib.machinery.ModuleSpec(name, self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = importlib.import_module(_beside(spec.name))
        spec.loader_state = module.__spec__  # the import system is about to replace it
        return module

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state


def _beside(name: str) -> str:
    return name.removeprefix("augrng.")


def _found() -> ModuleType:
    module, wanted = importlib.import_module("pipelines"), Path(__file__).resolve().parents[1] / "pipelines"
    if Path(str(module.__file__)).resolve().parent != wanted:
        raise ImportError(
            f"augrng.pipelines: in a clone it is the folder {wanted}, but `import pipelines` finds "
            f"{module.__file__}; put the clone first in sys.path, or install augrng"
        )
    return module


sys.meta_path.insert(0, _Same())
sys.modules[__name__] = _found()
