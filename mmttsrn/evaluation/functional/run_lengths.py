"""Run lengths of all masks of an instance sequence at once.

The compressed COCO run-length encodings of a whole sequence are decoded as one joined string,
because a call per frame costs as much as the decoding. What the joining has changed in the numbers
is then put right for all frames at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from pycocotools import mask as mask_utils

from .rle_library import load_rle_library

# A character holds 5 bits of a number and, in bit 6, whether the number goes on. Bit 5 of its last
# character is the sign.
_OFFSET = 48
_CONTINUES = 32
_SIGNED = np.array([code - 32 if code & 16 else code for code in range(32)], np.int64)
_FILLER = "0"  # the shortest number
_MAX_CHARACTERS = 7  # 35 bits: more than any frame has pixels
_NOT_COMPRESSED = "counts is not a compressed COCO RLE"


@dataclass(frozen=True, slots=True)
class RunLengths:
    """Column-major run lengths of the T frames of an instance sequence.

    Attributes:
        rows: (R, 2) uint32, the lengths of a background run and of the foreground run after it,
            frame after frame; either may be 0.
        first_row: (T + 1,) int64, row where each frame starts, then R.
    """

    rows: np.ndarray
    first_row: np.ndarray

    def areas(self) -> np.ndarray:
        """Foreground pixels of each frame, (T,) int64."""
        return np.add.reduceat(self.rows[:, 1], self.first_row[:-1], dtype=np.int64)

    def extents(self, num_pixels: int) -> tuple[np.ndarray, np.ndarray]:
        """Where the foreground of each frame begins and ends, in pixels of its H * W.

        Returns:
            Two (T,) int64; the begin is not before the end where there is no foreground.
        """
        begin = self.rows[self.first_row[:-1], 0].astype(np.int64)
        last = self.rows[self.first_row[1:] - 1].astype(np.int64)
        return begin, num_pixels - np.where(last[:, 1] == 0, last[:, 0], 0)


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


def decode_run_lengths(counts: Sequence[str | None], num_pixels: int) -> RunLengths:
    """Decode compressed run-length encodings.

    Args:
        counts: T strings, the ``counts`` of compressed COCO RLE; None where there is no mask. At
            least one frame.
        num_pixels: H * W, the pixels that each of them has to describe.

    Raises:
        RunLengthError: One of them is not a compressed RLE of that many pixels.
    """
    strings = [background(num_pixels) if text is None else text for text in counts]
    joined = _JoinedEncodings.join(strings, np.ones(len(strings), np.int64))
    # Encoders write an odd number of runs unless the last pixel of the frame is foreground, so that
    # one filler usually makes pairs of them.
    odd = np.flatnonzero(np.diff(joined.first_number) % 2)
    if len(odd):
        num_fillers = np.ones(len(strings), np.int64)
        num_fillers[odd] = 2
        joined = _JoinedEncodings.join(strings, num_fillers)
    first_row = joined.first_number // 2
    rows = _separate_frames(joined.decode().reshape(-1, 2), first_row)
    last_row = first_row[1:] - 1
    rows[last_row, 1] = 0
    rows[last_row[odd], 0] = 0
    _check(rows, first_row, num_pixels)
    return RunLengths(rows, first_row)


@lru_cache(maxsize=64)
def background(num_pixels: int) -> str:
    """Compressed counts of a frame without foreground."""
    rle = mask_utils.frPyObjects({"size": [num_pixels, 1], "counts": [num_pixels]}, num_pixels, 1)
    return rle["counts"].decode()


@dataclass(frozen=True, slots=True)
class _JoinedEncodings:
    """The encodings of T frames as one, each followed by fillers.

    Attributes:
        characters: The joined strings.
        codes: (C,) uint8, the 6 bits of each character.
        ends: (N,) int64, position of the last character of each number.
        first_number: (T + 1,) int64, index of the first number of each frame, then N.
    """

    characters: bytes
    codes: np.ndarray
    ends: np.ndarray
    first_number: np.ndarray

    @classmethod
    def join(cls, strings: list[str], num_fillers: np.ndarray) -> _JoinedEncodings:
        """Join the strings, which are checked to be sequences of complete numbers."""
        fillers = [_FILLER * number for number in num_fillers.tolist()]
        text = "".join([part for pair in zip(strings, fillers, strict=True) for part in pair])
        if not text.isascii():
            raise RunLengthError([string.isascii() for string in strings].index(False),
                                 _NOT_COMPRESSED)  # fmt: skip
        characters = text.encode()
        lengths = np.fromiter(map(len, strings), np.int64, len(strings))
        stops = np.cumsum(lengths + num_fillers)
        codes = np.frombuffer(characters, np.uint8) - np.uint8(_OFFSET)
        if codes.max() >= 2 * _CONTINUES:
            position = int(np.argmax(codes >= 2 * _CONTINUES))
            raise RunLengthError(int(np.searchsorted(stops, position, "right")), _NOT_COMPRESSED)
        cut_off = (lengths == 0) | (codes[stops - num_fillers - 1] >= _CONTINUES)
        if cut_off.any():
            raise RunLengthError(int(np.argmax(cut_off)), "counts is empty or cut off")
        ends = np.flatnonzero(codes < _CONTINUES)
        first_number = np.append(np.searchsorted(ends, stops - lengths - num_fillers), len(ends))
        return cls(characters, codes, ends, first_number)

    def decode(self) -> np.ndarray:
        """The run lengths that the joined string stands for, modulo 2**32, (N,) uint32."""
        library = load_rle_library()
        if library is not None:
            return library.decode(self.characters)
        numbers = self._numbers()
        # From its fourth number on, a string gives the difference to the run before the previous
        # one.
        numbers[2:3] -= numbers[:1]
        for parity in (0, 1):
            np.cumsum(numbers[parity::2], out=numbers[parity::2])
        return numbers.astype(np.uint32)

    def _numbers(self) -> np.ndarray:
        """The numbers as they are written, (N,) int64."""
        numbers = _SIGNED[self.codes[self.ends]]
        lengths = np.diff(self.ends, prepend=-1)
        # Nearly all numbers are one character long: go on with the others only.
        chosen = np.flatnonzero(lengths > 1)
        for back in range(1, _MAX_CHARACTERS):
            earlier = self.codes[self.ends[chosen] - back] & (_CONTINUES - 1)
            numbers[chosen] = (numbers[chosen] << 5) | earlier
            chosen = chosen[lengths[chosen] > back + 1]
        if len(chosen):
            frame = int(np.searchsorted(self.first_number, chosen[0], "right")) - 1
            raise RunLengthError(frame, _NOT_COMPRESSED)
        return numbers


def _separate_frames(rows: np.ndarray, first_row: np.ndarray) -> np.ndarray:
    """Take from the run lengths of each frame what earlier frames have added to them.

    The first three numbers of a frame are no differences, but the joined string was decoded as if
    they were: the first and the second to the last runs of the frame before, and the third to the
    first. Sums of differences carry that through the frame.
    """
    first = first_row[1:-1]
    before = rows[first - 1]
    before[first == 1, 0] = 0  # the third number of the joined string is no difference either
    added = np.zeros((len(first_row) - 1, 2), np.uint32)
    added[1:, 0] = rows[first, 0]
    added[1:, 1] = before[:, 1]
    first_runs = rows[first, 0] - before[:, 0]
    rows = rows - np.repeat(added, np.diff(first_row), axis=0)
    rows[first, 0] = first_runs
    return rows


def _check(rows: np.ndarray, first_row: np.ndarray, num_pixels: int) -> None:
    if rows.max() > num_pixels:
        position = int(np.argmax((rows > num_pixels).any(axis=1)))
        frame = int(np.searchsorted(first_row, position, "right")) - 1
        raise RunLengthError(
            frame, f"counts holds a run that does not fit into {num_pixels} pixels"
        )
    totals = np.add.reduceat(rows.ravel(), 2 * first_row[:-1], dtype=np.int64)
    wrong = totals != num_pixels
    if wrong.any():
        frame = int(np.argmax(wrong))
        raise RunLengthError(
            frame, f"counts sum to {totals[frame]} pixels, expected {num_pixels} (height x width)"
        )
