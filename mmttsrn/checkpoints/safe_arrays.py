"""NumPy arrays of a pickle, rebuilt without trusting it.

NumPy's own ``dtype.__setstate__`` believes what a file says of fields and flags, so that an array
of bytes becomes one of pointers to objects: reading it crashes, or runs code. What a file gets here
under NumPy's names knows numbers and text only, and leaves sizes to NumPy's public functions.
"""

import re
from pickle import UnpicklingError
from typing import Any

import numpy as np

# NumPy 2 has renamed the modules that its arrays and scalars name; either may have written a file.
CORE_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")
NUMERIC_MODULES = ("numpy.core.numeric", "numpy._core.numeric")
CODE = re.compile(r"\?|b1|[iu][1248]|f(2|4|8|16)|c(8|16|32)|[SU]\d{1,9}")
ORDERS = ("<", ">", "=", "|")


class SafeType:
    """Stands for ``numpy.dtype``.

    Args:
        code: As NumPy writes it, such as ``f4``.
        *flags: Whether it is aligned and copied, which says nothing of such a type.
    """

    def __init__(self, code: Any, *flags: Any) -> None:
        self.dtype = np.dtype(code) if _is_code(code) else _refuse(f"dtype({str(code)[:40]!r})")

    def __setstate__(self, state: Any) -> None:
        """Take the order of the bytes; fields are refused."""
        is_state = isinstance(state, tuple) and len(state) == 8
        if not is_state or state[1] not in ORDERS or state[2:5] != (None, None, None):
            _refuse("dtype of fields")
        self.dtype = self.dtype.newbyteorder(state[1])

    def __reduce__(self) -> Any:
        return self.dtype.__reduce__()


class SafeArray(np.ndarray):
    """Stands for ``numpy.ndarray``, and is one; is saved as such."""

    def __new__(cls, *arguments: Any) -> "SafeArray":
        """Refuse to be made by a file otherwise than :func:`rebuild` does."""
        return _refuse("ndarray(...)")

    def __setstate__(self, state: Any) -> None:
        """Take shape, type, order and bytes."""
        if not isinstance(state, tuple) or len(state) != 5:
            _refuse("an array of another version")
        _, shape, kind, is_fortran, data = state
        array = from_buffer(data, kind, shape, "F" if is_fortran else "C")
        own_state: Any = array.__reduce__()[2]
        super().__setstate__(own_state)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.view(np.ndarray).__reduce_ex__(protocol)


def rebuild(kind: Any, shape: Any, code: Any) -> SafeArray:
    """Stand for ``_reconstruct``: an empty array, which gets its state later."""
    if kind is not SafeArray:
        _refuse("_reconstruct(...)")
    return np.ndarray.__new__(SafeArray, (0,))


def scalar(kind: Any, data: Any) -> Any:
    """Stand for ``scalar``: a number from its bytes."""
    [value] = from_buffer(data, kind, (1,), "C")
    return value


def from_buffer(data: Any, kind: Any, shape: Any, order: Any, axes: Any = None) -> np.ndarray:
    """Stand for ``_frombuffer``: an array of bytes."""
    if not isinstance(kind, SafeType) or not isinstance(data, bytes | bytearray):
        _refuse("an array of objects")
    if axes is not None or order not in ("C", "F"):
        _refuse("an array of another order of axes")
    if not data:  # which NumPy's function does not take
        return np.empty(0, kind.dtype).reshape(shape, order=order)
    return np.frombuffer(data, kind.dtype).reshape(shape, order=order)


def _is_code(code: Any) -> bool:
    return isinstance(code, str) and CODE.fullmatch(code) is not None


def _refuse(what: str) -> Any:
    # In PyTorch's own words, which the loader reads.
    raise UnpicklingError(f"GLOBAL {what} was not an allowed global")


# What a file gets for a name.
STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): SafeArray,
    ("numpy", "dtype"): SafeType,
    **{(module, "_reconstruct"): rebuild for module in CORE_MODULES},
    **{(module, "scalar"): scalar for module in CORE_MODULES},
    **{(module, "_frombuffer"): from_buffer for module in NUMERIC_MODULES},
}
