"""NumPy arrays of a pickle, rebuilt without trusting it.

NumPy's own ``dtype.__setstate__`` believes what a file says of fields and flags, so that an array
of bytes becomes one of pointers to objects: reading it crashes, or runs code. What a file gets here
under NumPy's names knows numbers and text only, and leaves sizes to NumPy's public functions.
"""

import re
from pickle import UnpicklingError
from typing import Any

import numpy as np

CODE = re.compile(r"\?|b1|[iu][1248]|f(2|4|8|16)|c(8|16|32)|[SU]\d{1,9}")


def refusal(what: str) -> UnpicklingError:
    """Return the error for what a file may not have, in PyTorch's words, which the loader reads."""
    return UnpicklingError(f"GLOBAL {what} was not an allowed global")


class SafeType:
    """Stands for ``numpy.dtype``, made from a code such as ``f4``; flags say nothing of these."""

    def __init__(self, code: Any, *flags: Any) -> None:
        if not isinstance(code, str) or not CODE.fullmatch(code):
            raise refusal(f"dtype({str(code)[:40]!r})")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        """Take the order of the bytes; such a type has no fields, whatever the file says."""
        self.dtype = self.dtype.newbyteorder(state[1])


class SafeArray(np.ndarray):
    """Stands for ``numpy.ndarray``, and is one; is saved as such."""

    def __new__(cls, *arguments: Any) -> "SafeArray":
        """Refuse to be made by a file otherwise than :func:`rebuild` does."""
        raise refusal("ndarray(...)")

    def __setstate__(self, state: Any) -> None:
        """Take shape, type, order and bytes."""
        _, shape, kind, is_fortran, data = state
        array: Any = from_buffer(data, kind, shape, "F" if is_fortran else "C")
        super().__setstate__(array.__reduce__()[2])

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.view(np.ndarray).__reduce_ex__(protocol)


def rebuild(*_: Any) -> SafeArray:
    """Stand for ``_reconstruct``: an empty array, which gets its state later."""
    return np.ndarray.__new__(SafeArray, (0,))


def scalar(kind: Any, data: Any) -> Any:
    """Stand for ``scalar``: a number from its bytes."""
    [value] = from_buffer(data, kind, (1,), "C")
    return value


def from_buffer(data: Any, kind: Any, shape: Any, order: Any, *_: Any) -> np.ndarray:
    """Stand for ``_frombuffer``: an array of bytes."""
    if not isinstance(kind, SafeType):
        raise refusal("an array of objects")
    # NumPy's function takes no empty buffer.
    flat = np.frombuffer(data, kind.dtype) if data else np.empty(0, kind.dtype)
    return flat.reshape(shape, order=order)


# What a file gets for a name. NumPy 2 has renamed the modules; either version may have written it.
STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): SafeArray,
    ("numpy", "dtype"): SafeType,
    **{
        (f"numpy.{core}.{module}", name): function
        for core in ("core", "_core")
        for module, name, function in (
            ("multiarray", "_reconstruct", rebuild),
            ("multiarray", "scalar", scalar),
            ("numeric", "_frombuffer", from_buffer),
        )
    },
}
