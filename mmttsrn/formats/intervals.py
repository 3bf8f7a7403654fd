"""Masks of instance sequences as foreground intervals.

The foreground of a frame in column-major order is a list of intervals of pixel positions. All
sequences of a video are decoded and compared by calls into compiled code, ``_intervals.c``;
pycocotools would decode every mask anew for each of its functions, frame by frame. Where the
compiled code was not built, NumPy computes the same numbers more slowly.
"""

from __future__ import annotations

import ctypes
import importlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from mmttsrn.formats.rle import CUT_OFF, NEGATIVE_RUN, NOT_COMPRESSED, compressed_runs

_END = "\n"  # no character of an encoding
_PROBLEMS = {1: NOT_COMPRESSED, 2: CUT_OFF, 3: NEGATIVE_RUN}
MAX_PIXELS = 2**32 - 1  # positions in a frame are kept in 32 bits


class RunLengthError(ValueError):
    """An encoding that is not valid.

    Attributes:
        sequence: Index of its sequence.
        frame: Index of its frame.
        problem: What is wrong with it.

    Args:
        index: Its index among the frames of all sequences.
        num_frames: T.
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
            order within their frame; sorted, not empty and not adjacent. Of 64 bits for frames that
            are too large.
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
        num_pixels: H * W, the pixels that each of them has to describe.

    Raises:
        RunLengthError: One of them is not a compressed RLE of that many pixels.
    """
    counts = [text for sequence in sequences for text in sequence]
    if "" in counts:
        raise RunLengthError(counts.index(""), num_frames, CUT_OFF)
    library = load_library()
    if library is None or num_pixels > MAX_PIXELS:
        return _decode_with_numpy(counts, num_frames, num_pixels)
    text = _END.join([string or "" for string in counts]) + _END
    if text.count(_END) != max(1, len(counts)):
        index = next(i for i, string in enumerate(counts) if string and _END in string)
        raise RunLengthError(index, num_frames, NOT_COMPRESSED)
    # Of a foreign character, any part is foreign, too.
    encoded = text.encode("utf-8", "surrogatepass")
    intervals = np.empty((len(encoded) // 2 + 1, 2), np.uint32)
    first = np.empty(len(counts) + 1, np.int64)
    areas = np.empty((len(sequences), num_frames), np.int64)
    broken = np.zeros(2, np.int64)
    problem = library.decode_intervals(
        encoded, len(counts), num_pixels, intervals.ctypes.data, first.ctypes.data,
        areas.ctypes.data, broken.ctypes.data
    )  # fmt: skip
    if problem:
        index, total = broken.tolist()
        raise RunLengthError(index, num_frames, _describe(problem, total, num_pixels))
    return MaskIntervals(intervals[: first[-1]], first, areas)


def intersections(masks: MaskIntervals, pairs: np.ndarray) -> np.ndarray:
    """Pixels that pairs of sequences share in each frame.

    Args:
        masks: N sequences of T frames.
        pairs: (P, 2) int64, indices of sequences.

    Returns:
        (P, T) int64.
    """
    library = load_library()
    if library is None or masks.intervals.dtype != np.uint32:
        return _intersect_with_numpy(masks, pairs)
    pairs = np.ascontiguousarray(pairs, np.int64)
    num_frames = masks.areas.shape[1]
    shared = np.empty((len(pairs), num_frames), np.int64)
    library.intersect_pairs(
        masks.intervals.ctypes.data, masks.first.ctypes.data, num_frames, pairs.ctypes.data,
        len(pairs), shared.ctypes.data
    )  # fmt: skip
    return shared


@cache
def load_library() -> ctypes.CDLL | None:
    """Return the compiled code, or None with a warning where it was not built."""
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
    library.intersect_pairs.argtypes = [pointer, pointer, size, pointer, size, pointer]
    library.intersect_pairs.restype = None
    return library


def _describe(problem: int, total: int, num_pixels: int) -> str:
    if problem in _PROBLEMS:
        return _PROBLEMS[problem]
    more = " or more" if total > num_pixels else ""
    return f"RLE counts sum to {total}{more} pixels, expected {num_pixels} (height x width)"


def _decode_with_numpy(
    counts: Sequence[str | None], num_frames: int, num_pixels: int
) -> MaskIntervals:
    frames = [np.zeros((0, 2), np.int64)]
    for index, text in enumerate(counts):
        if text is None:
            frames.append(frames[0])
            continue
        try:
            frames.append(_frame_intervals(compressed_runs(text), num_pixels))
        except ValueError as error:
            raise RunLengthError(index, num_frames, str(error)) from error
    first = np.cumsum([len(frame) for frame in frames], dtype=np.int64)
    areas = np.array([(frame[:, 1] - frame[:, 0]).sum() for frame in frames[1:]], np.int64)
    intervals = np.concatenate(frames)
    if num_pixels <= MAX_PIXELS:
        intervals = intervals.astype(np.uint32)
    return MaskIntervals(intervals, first, areas.reshape(-1, num_frames))


def _frame_intervals(runs: np.ndarray, num_pixels: int) -> np.ndarray:
    stops = runs.cumsum()
    if stops[-1] != num_pixels:
        raise ValueError(_describe(4, int(stops[-1]), num_pixels))
    if len(stops) % 2:
        stops = stops[:-1]
    # An edge that is there twice is none: a run between is empty.
    edges, times = np.unique(stops, return_counts=True)
    return edges[times % 2 == 1].reshape(-1, 2)


def _intersect_with_numpy(masks: MaskIntervals, pairs: np.ndarray) -> np.ndarray:
    num_frames = masks.areas.shape[1]

    def frame(sequence: int, t: int) -> np.ndarray:
        start, stop = masks.first[sequence * num_frames + t :][:2]
        return masks.intervals[start:stop].astype(np.int64)

    return np.array(
        [
            [_intersect_frames(frame(i, t), frame(j, t)) for t in range(num_frames)]
            for i, j in np.asarray(pairs).tolist()
        ],
        np.int64,
    ).reshape(len(pairs), num_frames)


def _intersect_frames(a: np.ndarray, b: np.ndarray) -> int:
    if len(a) == 0 or len(b) == 0:
        return 0
    lengths = b[:, 1] - b[:, 0]
    before = np.append(0, lengths.cumsum())  # foreground of b before each of its intervals
    index = np.searchsorted(b[:, 0], a, side="right")
    inside = np.where(index > 0, a - b[index - 1, 0], 0)
    covered = before[index] - np.where(index > 0, (lengths[index - 1] - inside).clip(min=0), 0)
    return int((covered[:, 1] - covered[:, 0]).sum())
