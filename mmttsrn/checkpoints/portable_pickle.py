"""Paths in a pickle, whatever system and Python wrote it; a ``pickle_module`` for ``torch.load``.

Options that are stored beside the weights hold them. A ``WindowsPath`` cannot be made elsewhere,
and Python 3.13 writes names of a module that no other version has.
"""

import pickle
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any

# What a file gets for a name: a path that is text to any system, and cannot touch a disk.
PATHS: dict[tuple[str, str], type[PurePath]] = {
    (module, name): kind
    for module in ("pathlib", "pathlib._local")
    for kind in (PurePosixPath, PureWindowsPath)
    for name in (kind.__name__, kind.__name__.removeprefix("Pure"))
}


class Unpickler(pickle.Unpickler):
    """The unrestricted unpickler, which runs whatever code is in a file."""

    def find_class(self, module: str, name: str) -> Any:
        """Give what the file names; of paths, those that this system has."""
        if name == type(Path()).__name__:
            module = module.removesuffix("._local")
        elif (module, name) in PATHS:
            return PATHS[module, name]
        return super().find_class(module, name)


def load(file: Any, **options: Any) -> Any:
    """Read the next pickle of an open file, as :func:`pickle.load` does."""
    return Unpickler(file, **options).load()
