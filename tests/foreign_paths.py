"""Paths as another system or version of Python pickles them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from unittest.mock import patch

MODULES = ("pathlib", "pathlib._local")  # the second one in Python 3.13
# Name of the class, parts of a path, and the text of it.
PATHS = {
    "WindowsPath": (("C:\\", "data", "x"), "C:\\data\\x"),
    "PureWindowsPath": (("C:\\", "data", "x"), "C:\\data\\x"),
    "PosixPath": (("/", "data", "x"), "/data/x"),
    "PurePosixPath": (("/", "data", "x"), "/data/x"),
}


@contextmanager
def foreign_path(module: str, name: str) -> Iterator[Any]:
    """Give what is pickled as such a path in the block."""
    parts, _ = PATHS[name]
    kind = type(name, (), {"__module__": module, "__reduce__": lambda self: (kind, parts)})
    holder = sys.modules.get(module, ModuleType(module))
    with patch.dict(sys.modules, {module: holder}), patch.object(holder, name, kind, create=True):
        yield kind()
