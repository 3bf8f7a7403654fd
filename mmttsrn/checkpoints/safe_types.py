"""What a training checkpoint of MMEngine holds besides tensors and plain Python data.

PyTorch's restricted unpickler creates and calls only what it is told to be harmless. The types here
are data. MMEngine's own list has ``getattr`` as well, which hands a file any attribute of any
object, ``builtins.exec`` among them, and so lets it run code. Here that name leads to
:func:`_method_of`, which gives out the methods that log buffers and schedulers refer to, no more.
The names of NumPy lead to :mod:`mmttsrn.checkpoints.safe_arrays`, those of paths to
:mod:`mmttsrn.checkpoints.portable_pickle`.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import getattr_static, isclass
from types import FunctionType
from typing import Any

from mmengine.logging import HistoryBuffer
from mmengine.registry import PARAM_SCHEDULERS
from torch.serialization import add_safe_globals, clear_safe_globals, get_safe_globals

from mmttsrn.checkpoints.portable_pickle import PATHS
from mmttsrn.checkpoints.safe_arrays import STAND_INS, refusal

# What a file gets for the types of its options: DETR and its descendants store them so.
NAMESPACE = ("argparse", "Namespace")
OPTIONS: dict[tuple[str, str], type] = {NAMESPACE: argparse.Namespace, **PATHS}


@contextmanager
def training_types_allowed() -> Iterator[None]:
    """Let PyTorch's restricted unpickler create what training checkpoints hold, and no more.

    What the process has allowed elsewhere does not count inside.
    """
    before = get_safe_globals()
    clear_safe_globals()
    add_safe_globals(
        [
            *_classes_with_methods(),
            slice,
            # A pair is what a file gets for a name.
            (_method_of, "builtins.getattr"),
            *((stand_in, ".".join(name)) for name, stand_in in (STAND_INS | OPTIONS).items()),
        ]
    )
    try:
        yield
    finally:
        clear_safe_globals()
        add_safe_globals(before)


def _classes_with_methods() -> list[type]:
    return [HistoryBuffer, *filter(isclass, PARAM_SCHEDULERS.module_dict.values())]


def _method_of(owner: Any, name: Any) -> FunctionType:
    """Return a method of a log buffer or scheduler: pickle writes ``getattr(class, name)``."""
    if isclass(owner) and owner in _classes_with_methods():
        attribute = getattr_static(owner, name, None)
        method = attribute.__func__ if isinstance(attribute, staticmethod) else attribute
        if isinstance(method, FunctionType) and not name.startswith("__"):
            return method
    raise refusal(f"getattr(..., {name!r})")
