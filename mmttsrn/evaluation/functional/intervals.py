"""Masks of instance sequences as foreground intervals.

The foreground of a frame in column-major order is a list of intervals of pixel positions. Whole
sequences are decoded and compared by one call into compiled code, ``_intervals.c``; pycocotools
would decode every mask anew for each of its functions, frame by frame. Where the compiled code was
not built, NumPy computes the same numbers more slowly.
"""

from __future__ import annotations

import ctypes
import importlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ...formats.rle import compressed_runs

_END = "\n"  # no character of an encoding
_PROBLEMS = {
    1: "counts is not a compressed COCO RLE",
    2: "counts is empty or cut off",
    3: "counts holds a negative run",
}
MAX_PIXELS = 2**32 - 1  # positions in a frame are kept in 32 bits


class RunLengthError(ValueError):
    """An encoding that is not valid.

    Attributes:
        frame: Index of its frame.
        problem: What is wrong with it.
    """

    def __init__(self, frame: int, problem: str) -> None:
        super().__init__(f"frame {frame}: {problem}")
        self.frame = frame
        self.problem = problem


@dataclass(frozen=True, slots=True)
class MaskIntervals:
    """Foreground of the T frames of an instance sequence.

    Attributes:
        intervals: (n, 2) uint32, first position and position after the last one, in column-major
            order within their frame; sorted, not empty and not adjacent.
        first: (T + 1,) int64, index of each frame's first interval, then n.
        areas: (T,) int64, foreground pixels of each frame.
    """

    intervals: np.ndarray
    first: np.ndarray
    areas: np.ndarray


def decode_intervals(counts: Sequence[str | None], num_pixels: int) -> MaskIntervals:
    """Decode compressed run-length encodings.

    Args:
        counts: T strings, the ``counts`` of compressed COCO RLE; None where there is no mask.
        num_pixels: H * W, the pixels that each of them has to describe.

    Raises:
        RunLengthError: One of them is not a compressed RLE of that many pixels.
    """
    if "" in counts:
        raise RunLengthError(list(counts).index(""), _PROBLEMS[2])
    library = load_library()
    if library is None or num_pixels > MAX_PIXELS:
        return _decode_with_numpy(counts, num_pixels)
    text = _END.join([string or "" for string in counts]) + _END
    if text.count(_END) != len(counts):
        frame = next(t for t, string in enumerate(counts) if string and _END in string)
        raise RunLengthError(frame, _PROBLEMS[1])
    # Of a foreign character, any part is foreign, too.
    encoded = text.encode("utf-8", "surrogatepass")
    intervals = np.empty((len(encoded) // 2 + 1, 2), np.uint32)
    first = np.empty(len(counts) + 1, np.int64)
    areas = np.empty(len(counts), np.int64)
    broken = np.zeros(2, np.int64)
    problem = library.decode_intervals(
        encoded, len(counts), num_pixels, intervals.ctypes.data, first.ctypes.data,
        areas.ctypes.data, broken.ctypes.data
    )  # fmt: skip
    if problem:
        raise RunLengthError(int(broken[0]), _describe(problem, int(broken[1]), num_pixels))
    return MaskIntervals(intervals[: first[-1]], first, areas)


def intersections(a: MaskIntervals, b: MaskIntervals) -> np.ndarray:
    """Pixels that two sequences of T frames share in each frame, (T,) int64."""
    library = load_library()
    if library is None or not a.intervals.dtype == b.intervals.dtype == np.uint32:
        return _intersect_with_numpy(a, b)
    shared = np.empty(len(a.areas), np.int64)
    library.intersect_intervals(
        a.intervals.ctypes.data, a.first.ctypes.data, b.intervals.ctypes.data, b.first.ctypes.data,
        len(shared), shared.ctypes.data
    )  # fmt: skip
    return shared


@cache
def load_library() -> ctypes.CDLL | None:
    """The compiled code, or None with a warning where it was not built."""
    try:
        module = importlib.import_module("._intervals", __package__)
    except ImportError:
        warnings.warn(
            "the compiled part of the evaluation was not built, so that it is slower; install"
            " mmttsrn again with a C compiler (pip install --no-deps --no-build-isolation -e .)",
            stacklevel=3,
        )
        return None
    library = ctypes.CDLL(module.__file__)
    pointer, size = ctypes.c_void_p, ctypes.c_int64
    library.decode_intervals.argtypes = [ctypes.c_char_p, size, size, *[pointer] * 4]
    library.decode_intervals.restype = ctypes.c_int
    library.intersect_intervals.argtypes = [*[pointer] * 4, size, pointer]
    library.intersect_intervals.restype = None
    return library


def _describe(problem: int, total: int, num_pixels: int) -> str:
    if problem in _PROBLEMS:
        return _PROBLEMS[problem]
    more = " or more" if total > num_pixels else ""
    return f"counts sum to {total}{more} pixels, expected {num_pixels} (height x width)"


def _decode_with_numpy(counts: Sequence[str | None], num_pixels: int) -> MaskIntervals:
    frames = []
    for frame, text in enumerate(counts):
        if text is None:
            frames.append(np.zeros((0, 2), np.int64))
            continue
        try:
            frames.append(_frame_intervals(compressed_runs(text), num_pixels))
        except ValueError as error:
            raise RunLengthError(frame, str(error)) from error
    lengths = np.array([len(frame) for frame in frames], np.int64)
    areas = np.array([(frame[:, 1] - frame[:, 0]).sum() for frame in frames], np.int64)
    intervals = np.concatenate(frames)
    if num_pixels <= MAX_PIXELS:
        intervals = intervals.astype(np.uint32)
    return MaskIntervals(intervals, np.append(0, lengths.cumsum()), areas)


def _frame_intervals(runs: np.ndarray, num_pixels: int) -> np.ndarray:
    stops = runs.cumsum()
    if stops[-1] != num_pixels:
        raise ValueError(_describe(4, int(stops[-1]), num_pixels))
    if len(stops) % 2:
        stops = stops[:-1]
    # An edge that is there twice is none: a run between is empty.
    edges, times = np.unique(stops, return_counts=True)
    return edges[times % 2 == 1].reshape(-1, 2)


def _intersect_with_numpy(a: MaskIntervals, b: MaskIntervals) -> np.ndarray:
    return np.array(
        [
            _intersect_frames(
                a.intervals[a.first[t] : a.first[t + 1]].astype(np.int64),
                b.intervals[b.first[t] : b.first[t + 1]].astype(np.int64),
            )
            for t in range(len(a.areas))
        ],
        np.int64,
    )


def _intersect_frames(a: np.ndarray, b: np.ndarray) -> int:
    if len(a) == 0 or len(b) == 0:
        return 0
    lengths = b[:, 1] - b[:, 0]
    before = np.append(0, lengths.cumsum())  # foreground of b before each of its intervals
    index = np.searchsorted(b[:, 0], a, side="right")
    inside = np.where(index > 0, a - b[index - 1, 0], 0)
    covered = before[index] - np.where(index > 0, (lengths[index - 1] - inside).clip(min=0), 0)
    return int((covered[:, 1] - covered[:, 0]).sum())
