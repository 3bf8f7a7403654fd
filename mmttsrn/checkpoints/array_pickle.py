"""Reading a plain pickle of NumPy arrays without running code from it.

Detectron2 publishes weights so. PyTorch's restricted unpickler reads only what ``torch.save`` has
written.
"""

import codecs
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmttsrn.checkpoints.safe_types import NUMPY_CORE_MODULES

NUMPY_BUFFER_MODULES = ("numpy.core.numeric", "numpy._core.numeric")


def load_array_pickle(file: Path, allow_unsafe: bool = False) -> Any:
    """Read a pickle of plain data and arrays of numbers; arrays become tensors.

    Args:
        file: The file.
        allow_unsafe: Read it by the unrestricted unpickler, which runs whatever code is in it.

    Raises:
        pickle.UnpicklingError: It asks for anything else, said in PyTorch's words.
    """
    unpickler = pickle.Unpickler if allow_unsafe else _ArrayUnpickler
    with file.open("rb") as stream:
        return _as_tensors(unpickler(stream).load())


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Give what rebuilds an array, and nothing else."""
        try:
            return ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"GLOBAL {module}.{name} was not an allowed global"
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        """Refuse what is outside the file."""
        raise pickle.UnpicklingError("GLOBAL persistent_load was not an allowed global")


def _latin1_bytes(text: str, encoding: str) -> bytes:
    """Bytes as pickles of protocol 2 write them."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(
            f"GLOBAL _codecs.encode({encoding!r}) was not an allowed global"
        )
    return codecs.latin_1_encode(text)[0]


def _as_tensors(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_tensors(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        # A copy, which owns its memory and is writable.
        return torch.from_numpy(np.array(value))
    return value


_RECONSTRUCT, _SCALAR = np.array(0.0).__reduce__()[0], np.float64(0).__reduce__()[0]
_FROM_BUFFER = np.zeros(1).__reduce_ex__(5)[0]
ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _latin1_bytes,
    **{(module, "_reconstruct"): _RECONSTRUCT for module in NUMPY_CORE_MODULES},
    **{(module, "scalar"): _SCALAR for module in NUMPY_CORE_MODULES},
    **{(module, "_frombuffer"): _FROM_BUFFER for module in NUMPY_BUFFER_MODULES},
}
