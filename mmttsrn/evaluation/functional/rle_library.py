"""The C functions inside pycocotools, called without its Python layer.

pycocotools' own functions copy every mask into a compressed string and out of it again at each
step. Its compiled module also holds the plain C functions, which work on run lengths in memory and
let go of the interpreter lock. Where a build does not export them, :func:`load_rle_library` gives
None and callers use pycocotools' public functions, which compute the same numbers more slowly.
"""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np
from pycocotools import _mask

_FUNCTIONS = ("rleFrString", "rleMerge", "rleArea", "rleFree")
_POINTER, _SIZE, _INT = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int


class _RLE(ctypes.Structure):
    _fields_ = [
        ("h", ctypes.c_ulong),
        ("w", ctypes.c_ulong),
        ("m", ctypes.c_ulong),
        ("cnts", ctypes.c_void_p),
    ]


class RLELibrary:
    """Typed access to the C functions.

    ``h`` and ``w`` of an RLE only set how much memory a result may take.

    Args:
        library: The loaded module.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self._decode = library.rleFrString
        self._decode.argtypes = [_POINTER, ctypes.c_char_p, _SIZE, _SIZE]
        self._merge = library.rleMerge
        self._merge.argtypes = [_POINTER, _POINTER, _SIZE, _INT]
        self._area = library.rleArea
        self._area.argtypes = [_POINTER, _SIZE, _POINTER]
        self._free = library.rleFree
        self._free.argtypes = [_POINTER]
        for function in (self._decode, self._merge, self._area, self._free):
            function.restype = None

    def decode(self, counts: bytes) -> np.ndarray:
        """Decode one compressed encoding, which has to be complete: its end is not checked.

        Returns:
            Run lengths modulo 2**32, (R,) uint32, read-only.
        """
        rle = _RLE()
        self._decode(ctypes.byref(rle), counts, 1, 1)
        runs = ctypes.string_at(rle.cnts, rle.m * ctypes.sizeof(ctypes.c_uint32))
        self._free(ctypes.byref(rle))
        return np.frombuffer(runs, np.uint32)

    def intersection(self, runs_a: np.ndarray, runs_b: np.ndarray) -> int:
        """Number of pixels that two masks share.

        Args:
            runs_a: (R,) uint32, contiguous, below 2**31 pixels in all.
            runs_b: The same for the other mask, of as many pixels, without runs of length zero but
                for the first: the function ends where both masks have one at the same place.
        """
        bound = len(runs_a) + len(runs_b)
        masks = (_RLE * 2)(
            _RLE(bound, 1, len(runs_a), runs_a.ctypes.data),
            _RLE(bound, 1, len(runs_b), runs_b.ctypes.data),
        )
        shared, area = _RLE(), ctypes.c_uint32()
        self._merge(masks, ctypes.byref(shared), 2, 1)
        self._area(ctypes.byref(shared), 1, ctypes.byref(area))
        self._free(ctypes.byref(shared))
        return area.value


@cache
def load_rle_library() -> RLELibrary | None:
    """The C functions of the installed pycocotools; None where its build does not export them."""
    if ctypes.sizeof(ctypes.c_size_t) != ctypes.sizeof(ctypes.c_ulong):
        return None  # the struct has other sizes
    library = ctypes.CDLL(_mask.__file__)
    if not all(hasattr(library, name) for name in _FUNCTIONS):
        return None
    return RLELibrary(library)
