"""Masks of instance sequences as foreground intervals.

The foreground of a frame in column-major order is a list of intervals of pixel positions. All
sequences of a video are decoded and compared by calls into compiled code, ``_intervals.c``;
pycocotools would decode every mask anew for each of its functions, frame by frame.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmttsrn.formats import _intervals  # type: ignore[attr-defined]

_END = "\n"  # not a character of an encoding
_NOT_COMPRESSED, _CUT_OFF = 1, 2
_PROBLEMS = {
    _NOT_COMPRESSED: "RLE counts string is not a compressed COCO RLE",
    _CUT_OFF: "RLE counts string is empty or cut off",
    3: "RLE counts string holds a negative run",
}

_LIBRARY = ctypes.CDLL(_intervals.__file__)
_POINTER, _SIZE = ctypes.c_void_p, ctypes.c_int64
_LIBRARY.decode_intervals.argtypes = [ctypes.c_char_p, _SIZE, _SIZE, *[_POINTER] * 4]
_LIBRARY.decode_intervals.restype = ctypes.c_int
_LIBRARY.intersect_pairs.argtypes = [_POINTER, _POINTER, _SIZE, _POINTER, _SIZE, _POINTER]
_LIBRARY.intersect_pairs.restype = None


class RunLengthError(ValueError):
    """An encoding that is not valid.

    Attributes:
        sequence: Index of its sequence.
        frame: Index of its frame.
        problem: What is wrong with it.
    """

    def __init__(self, index: int, num_frames: int, problem: str) -> None:
        self.sequence, self.frame = divmod(index, num_frames)
        self.problem = problem
        super().__init__(f"sequence {self.sequence}, frame {self.frame}: {problem}")


@dataclass(frozen=True, slots=True)
class MaskIntervals:
    """Foreground of N instance sequences of T frames.

    Attributes:
        intervals: (n, 2) uint32, first position and position after the last one, in column-major
            order within their frame; sorted, not empty and not adjacent.
        first: (N * T + 1,) int64, index of each frame's first interval, sequence by sequence, then
            n.
        areas: (N, T) int64, foreground pixels.
    """

    intervals: np.ndarray
    first: np.ndarray
    areas: np.ndarray


def decode_intervals(
    sequences: Sequence[Sequence[str | None]], num_frames: int, num_pixels: int
) -> MaskIntervals:
    """Decode compressed run-length encodings.

    Args:
        sequences: N times T strings, the ``counts`` of compressed COCO RLE; None where there is no
            mask.
        num_frames: T.
        num_pixels: H * W, the pixels that each of them has to describe, below 2^32.

    Raises:
        RunLengthError: One of them is not a compressed RLE of that many pixels.
    """
    counts = [text for sequence in sequences for text in sequence]
    if "" in counts:
        raise RunLengthError(counts.index(""), num_frames, _PROBLEMS[_CUT_OFF])
    text = _END.join([string or "" for string in counts]) + _END
    if text.count(_END) != max(1, len(counts)):
        index = next(i for i, string in enumerate(counts) if string and _END in string)
        raise RunLengthError(index, num_frames, _PROBLEMS[_NOT_COMPRESSED])
    # Of a foreign character, any part is foreign, too.
    encoded = text.encode("utf-8", "surrogatepass")
    intervals = np.empty((len(encoded) // 2 + 1, 2), np.uint32)
    first = np.empty(len(counts) + 1, np.int64)
    areas = np.empty((len(sequences), num_frames), np.int64)
    broken = np.zeros(2, np.int64)
    problem = _LIBRARY.decode_intervals(
        encoded, len(counts), num_pixels, intervals.ctypes.data, first.ctypes.data,
        areas.ctypes.data, broken.ctypes.data
    )  # fmt: skip
    if problem:
        index, total = broken.tolist()
        more = " or more" if total > num_pixels else ""
        wrong_total = f"RLE counts: expected {num_pixels} (height x width), got {total}{more}"
        raise RunLengthError(index, num_frames, _PROBLEMS.get(problem, wrong_total))
    return MaskIntervals(intervals[: first[-1]], first, areas)


def intersections(masks: MaskIntervals, pairs: np.ndarray) -> np.ndarray:
    """Pixels that pairs of sequences share in each frame.

    Args:
        masks: N sequences of T frames.
        pairs: (P, 2) int64, indices of sequences.

    Returns:
        (P, T) int64.
    """
    pairs = np.ascontiguousarray(pairs, np.int64)
    num_frames = masks.areas.shape[1]
    shared = np.empty((len(pairs), num_frames), np.int64)
    _LIBRARY.intersect_pairs(
        masks.intervals.ctypes.data, masks.first.ctypes.data, num_frames, pairs.ctypes.data,
        len(pairs), shared.ctypes.data
    )  # fmt: skip
    return shared
