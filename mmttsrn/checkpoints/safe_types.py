"""What a training checkpoint of MMEngine holds besides tensors and plain Python data.

PyTorch's restricted unpickler creates and calls only what it is told to be harmless. The types here
are data. MMEngine's own list has ``getattr`` as well, which hands a file any attribute of any
object, ``builtins.exec`` among them, and so lets it run code. Here that name leads to
:func:`_method_of`, which gives out the methods that log buffers and schedulers refer to, no more.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import getattr_static, isclass
from pickle import UnpicklingError
from types import FunctionType
from typing import Any

import numpy as np
from mmengine.logging import HistoryBuffer
from mmengine.registry import PARAM_SCHEDULERS
from torch.serialization import add_safe_globals, clear_safe_globals, get_safe_globals

# NumPy 2 has renamed the module that its arrays and scalars name; either may have written a file.
NUMPY_CORE_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")


@contextmanager
def training_types_allowed() -> Iterator[None]:
    """Let PyTorch's restricted unpickler create what training checkpoints hold, and no more.

    What the process has allowed elsewhere does not count inside.
    """
    before = get_safe_globals()
    clear_safe_globals()
    add_safe_globals(_training_types())
    try:
        yield
    finally:
        clear_safe_globals()
        add_safe_globals(before)


def _training_types() -> list[Any]:
    core: tuple[Any, ...] = (np.array(0.0).__reduce__()[0], np.float64(0).__reduce__()[0])
    codes = np.typecodes["All"].replace("O", "")  # everything but arrays of objects
    # A pair is what a file gets for a name.
    return [
        HistoryBuffer,
        *_scheduler_classes(),
        (_method_of, "builtins.getattr"),
        slice,
        argparse.Namespace,  # how DETR and its descendants store their options
        np.ndarray,
        np.dtype,
        *((f, f"{module}.{f.__name__}") for f in core for module in NUMPY_CORE_MODULES),
        *{type(np.dtype(code)) for code in codes},
    ]


def _scheduler_classes() -> list[type]:
    return [cls for cls in PARAM_SCHEDULERS.module_dict.values() if isclass(cls)]


def _method_of(owner: Any, name: Any) -> FunctionType:
    """Return a method of a log buffer or scheduler: pickle writes ``getattr(class, name)``."""
    if isclass(owner) and owner in (HistoryBuffer, *_scheduler_classes()):
        attribute = getattr_static(owner, name, None)
        method = attribute.__func__ if isinstance(attribute, staticmethod) else attribute
        if isinstance(method, FunctionType) and not name.startswith("__"):
            return method
    # In PyTorch's own words, which the loader reads.
    raise UnpicklingError(f"GLOBAL getattr(..., {name!r}) was not an allowed global")
