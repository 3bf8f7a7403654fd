"""Import of MMTracking 1.0.0rc1 next to today's MMCV and MMDetection.

Its ``__init__`` holds nothing but assertions on their versions (mmcv < 2.0, mmdet < 3.0), so it is
not executed: the package is put among Python's modules, with its version, and its modules are
imported as they are. Two of them import what is not there any more; a placeholder stands in for
it while they are imported and is taken away again. The version strings of MMCV and MMDetection are
left alone. With versions that MMTracking accepts, it is imported as always.
"""

import importlib
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import util
from importlib.machinery import ModuleSpec
from types import ModuleType

from mmengine.utils import digit_version
from packaging.version import Version

SETUP_COMMAND = "make setup-mmtrack"
NOT_INSTALLED = f"the host mmtrack is not installed; install it with: {SETUP_COMMAND}"
MODULES = ("datasets", "engine", "evaluation", "models", "structures", "utils", "visualization")
# Below these versions MMTracking's own assertions hold.
ACCEPTED = {"mmcv": "2.0.0", "mmdet": "3.0.0"}
# Where MMTracking takes from what is not there, and who needs it.
REID = "ReID models of MMTracking need mmcls"
ABSENT_MODULES = {
    "mmcls.models.classifiers": ("ImageClassifier", REID),
    "mmcls.evaluation.metrics": ("Accuracy", REID),
}
ABSENT_LAYER = ("Transformer", "STARK of MMTracking needs mmdet.models.layers.Transformer of 3.0rc")


def import_mmtrack() -> ModuleType:
    """Import MMTracking with all modules that its registries need, unless that was done before.

    Raises:
        ImportError: It, or what it imports, is not installed; one line with the command to run.
    """
    loaded = sys.modules.get("mmtrack")
    if loaded is not None and "mmtrack.models" in sys.modules:
        return loaded
    spec = util.find_spec("mmtrack") if loaded is None else loaded.__spec__
    if spec is None:
        raise ImportError(NOT_INSTALLED)
    is_accepted = _is_accepted()
    if loaded is None and not is_accepted:
        _seed(spec)
    try:
        with nullcontext() if is_accepted else placeholders(), warnings.catch_warnings():
            # Of escapes in docstrings of the packages that it imports.
            warnings.filterwarnings("ignore", category=SyntaxWarning)
            for module in MODULES:
                importlib.import_module(f"mmtrack.{module}")
    except ImportError as error:
        why = f"the host mmtrack cannot be imported ({error})"
        raise ImportError(f"{why}; install what it needs with: {SETUP_COMMAND}") from error
    return sys.modules["mmtrack"]


@contextmanager
def placeholders() -> Iterator[None]:
    """Provide the names that MMTracking imports from others and that are not there.

    They are classes that can be derived from and that raise ImportError when one is made. On the
    way out they are taken away.
    """
    added: list[str] = []
    layers = importlib.import_module("mmdet.models.layers")
    if util.find_spec("mmcls") is None:
        for module, (name, reason) in ABSENT_MODULES.items():
            parts = module.split(".")
            for path in (".".join(parts[: i + 1]) for i in range(len(parts))):
                if path not in sys.modules:
                    sys.modules[path] = ModuleType(path)
                    added.append(path)
            setattr(sys.modules[module], name, _placeholder(name, reason))
    name, reason = ABSENT_LAYER
    is_absent = not hasattr(layers, name)
    if is_absent:
        setattr(layers, name, _placeholder(name, reason))
    try:
        yield
    finally:
        for path in added:
            del sys.modules[path]
        if is_absent:
            delattr(layers, name)


def _placeholder(name: str, reason: str) -> type:
    from torch import nn

    def refuse(self: object, *args: object, **kwargs: object) -> None:
        raise ImportError(f"{reason}, which is not installed")

    return type(name, (nn.Module,), {"__init__": refuse})


def _is_accepted() -> bool:
    """Whether MMTracking's own ``__init__`` would accept the versions that are there."""
    found = {package: importlib.import_module(package).__version__ for package in ACCEPTED}
    return all(Version(found[package]) < Version(limit) for package, limit in ACCEPTED.items())


def _seed(spec: ModuleSpec) -> None:
    """Put the package among the modules, without executing its ``__init__``."""
    package = util.module_from_spec(spec)
    sys.modules["mmtrack"] = package
    version = importlib.import_module("mmtrack.version")
    package.__dict__.update(
        __version__=version.__version__,
        version_info=version.version_info,
        digit_version=digit_version,
    )


if __name__ == "__main__":  # `make setup-mmtrack` looks whether it works
    mmtrack = import_mmtrack()
    print(f"mmtrack {mmtrack.__version__} is imported from {mmtrack.__file__}")
