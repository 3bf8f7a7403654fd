"""Masks of instance sequences as foreground intervals.

The foreground of a frame in column-major order is a list of intervals of pixel positions. All
sequences of a video are decoded and compared by calls into compiled code, ``_intervals.c``;
pycocotools would decode every mask anew for each of its functions, frame by frame. Where the
compiled code was not built, NumPy computes the same numbers more slowly.
"""

import ctypes
import importlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from mmttsrn.formats.rle import (
    CUT_OFF,
    NEGATIVE_RUN,
    NOT_COMPRESSED,
    BrokenRunsError,
    decode_runs,
)

_END = "\n"  # no character of an encoding
_PROBLEMS = {1: NOT_COMPRESSED, 2: CUT_OFF, 3: NEGATIVE_RUN}
MAX_PIXELS = 2**32 - 1  # positions in a frame are kept in 32 bits


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
    dtype = np.uint32 if num_pixels <= MAX_PIXELS else np.int64
    parts = [np.zeros((0, 2), dtype)]
    numbers = np.zeros(len(counts), np.int64)  # of intervals of each frame
    areas = np.zeros(len(counts), np.int64)
    for start in range(0, len(counts), num_frames):
        present = [i for i in range(start, start + num_frames) if counts[i] is not None]
        if not present:
            continue
        try:
            runs, first = decode_runs([counts[i] or "" for i in present])
            totals = np.add.reduceat(np.add(*runs.T), first[:-1])
            for index in np.flatnonzero(totals != num_pixels)[:1].tolist():
                raise BrokenRunsError(index, _describe(4, int(totals[index]), num_pixels))
        except BrokenRunsError as error:
            raise RunLengthError(present[error.index], num_frames, str(error)) from error
        frames = np.repeat(np.arange(len(present)), np.diff(first))
        edges = runs.cumsum().reshape(-1, 2) - num_pixels * frames[:, None]
        areas[present] = np.add.reduceat(runs[:, 1], first[:-1])
        visible = np.flatnonzero(runs[:, 1])
        edges, frames = _joined(edges[visible], frames[visible])
        numbers[present] = np.bincount(frames, minlength=len(present))
        parts.append(edges.astype(dtype))
    first = np.append(0, numbers.cumsum())
    return MaskIntervals(np.concatenate(parts), first, areas.reshape(-1, num_frames))


def _joined(edges: np.ndarray, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Join intervals of a frame that touch each other: a run between them is empty."""
    apart = (edges[1:, 0] != edges[:-1, 1]) | (frames[1:] != frames[:-1])
    begins = np.append(True, apart)[: len(edges)]
    ends = np.append(apart, True)[: len(edges)]
    return np.stack([edges[begins, 0], edges[ends, 1]], axis=1), frames[begins]


def _intersect_with_numpy(masks: MaskIntervals, pairs: np.ndarray) -> np.ndarray:
    num_frames = masks.areas.shape[1]
    step = int(masks.intervals.max(initial=0)) + 1  # from frame to frame of a sequence in one row
    frames = np.repeat(np.arange(masks.areas.size) % num_frames, np.diff(masks.first))
    edges = masks.intervals + step * frames[:, None]
    shared = np.zeros((len(pairs), num_frames), np.int64)
    for row, pair in zip(shared, np.asarray(pairs), strict=True):
        a, b = (slice(*masks.first[[i * num_frames, (i + 1) * num_frames]]) for i in pair)
        if a.start < a.stop and b.start < b.stop:
            # Pixels of b before each edge of it, and between two edges in proportion.
            covered = np.diff(edges[b].ravel(), prepend=0)
            covered[::2] = 0
            covered = np.interp(edges[a], edges[b].ravel(), covered.cumsum()).astype(np.int64)
            np.add.at(row, frames[a], covered[:, 1] - covered[:, 0])
    return shared
