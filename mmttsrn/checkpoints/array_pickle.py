"""Reading a plain pickle of NumPy arrays without running code from it.

Detectron2 publishes weights so, by protocols of pickle that PyTorch's restricted unpickler cannot
read.
"""

import codecs
import mmap
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from mmttsrn.checkpoints import portable_pickle
from mmttsrn.checkpoints.safe_arrays import STAND_INS, SafeArray, SafeType, refusal
from mmttsrn.checkpoints.safe_types import NAMESPACE, OPTIONS

ALLOWED: dict[tuple[str, str], Any] = {
    **STAND_INS,
    **OPTIONS,
    ("_codecs", "encode"): codecs.encode,
}


def load_array_pickle(file: Path, allow_unsafe: bool = False) -> Any:
    """Read a pickle of plain data, paths, options and arrays of numbers; arrays become tensors.

    Args:
        file: The file.
        allow_unsafe: Read it by the unrestricted unpickler, which runs whatever code is in it.

    Raises:
        pickle.UnpicklingError: It asks for anything else, said in PyTorch's words.
    """
    with file.open("rb") as stream:
        if allow_unsafe:
            return _as_tensors(portable_pickle.load(stream))
        # Never reads more than there is, whatever length a file states.
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _as_tensors(_ArrayUnpickler(content).load())


# The one of C takes memory for as many objects as a file says that it has.
class _ArrayUnpickler(pickle._Unpickler):
    stack: list[Any]
    append: Callable[[Any], None]
    read: Callable[[int], bytes]
    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        """Give what rebuilds arrays, paths and options, and nothing else."""
        if (module, name) not in ALLOWED:
            raise refusal(f"{module}.{name}")
        return ALLOWED[module, name]

    def load_bytearray8(self) -> None:
        """Read as many bytes as there are; the original makes room for any number first."""
        self.append(bytearray(self.read(int.from_bytes(self.read(8), "little"))))

    def load_build(self) -> None:
        """Give arrays, their types and options a state; the original does so with anything."""
        state, owner = self.stack.pop(), self.stack[-1]
        if type(owner) is OPTIONS[NAMESPACE]:
            vars(owner).update(state)
        elif type(owner) in (SafeArray, SafeType):
            owner.__setstate__(state)
        else:
            raise refusal(f"state of {type(owner).__name__}")

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8
    dispatch[pickle.BUILD[0]] = load_build


def _as_tensors(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_tensors(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        # A copy, which owns its memory and is writable.
        return torch.from_numpy(np.array(value))
    return value
